//! The functions that Argo CD adds to sprig's for ApplicationSets. Helm has none of them.
//!
//! Source: argo-cd's `applicationset/utils/utils.go`.

use super::arguments::string;
use crate::template::function::{Answer, Call, Function, Type};
use crate::value::{Kind, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("normalize", &[Type::String], normalize).writes_text(),
    Function::new("slugify", &[], slugify)
        .variadic(Type::Any)
        .writes_text(),
];

/// The longest name in DNS.
const MOST_NAME: usize = 253;
/// The longest result of `slugify` where the template gives none.
const MOST_SLUG: usize = 50;

/// A text as a name in DNS.
pub(crate) fn normalized(text: &str) -> String {
    let is_kept = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let lower = text.to_lowercase();
    let name: String = lower
        .chars()
        .map(|c| if is_kept(c) { c } else { '-' })
        .collect();
    name[..name.len().min(MOST_NAME)]
        .trim_matches(['-', '.'])
        .to_owned()
}

fn normalize(_: &mut Call, arguments: &[Value]) -> Answer {
    Ok(Value::str(normalized(&string(arguments, 0)?.text.to_str())))
}

/// `slugify [LENGTH [WHOLE_WORDS]] TEXT`
fn slugify(_: &mut Call, arguments: &[Value]) -> Answer {
    let (Some(last), before) = (arguments.last(), arguments.len().saturating_sub(1)) else {
        return Err("wrong number of args for slugify: want at least 1 got 0".into());
    };
    let most = match arguments[..before].first().map(|first| &first.kind) {
        Some(Kind::Int64(n)) => usize::try_from(*n).unwrap_or(MOST_SLUG),
        Some(Kind::Float(n)) => *n as usize,
        _ => MOST_SLUG,
    };
    let text = last
        .as_text()
        .map(|text| text.to_str().to_lowercase())
        .unwrap_or_default();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let slug = words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-");
    let cut = &slug[..slug.len().min(most)];
    let is_inside = slug.len() > cut.len() && !slug[cut.len()..].starts_with('-');
    let whole = cut
        .rfind('-')
        .filter(|_| is_inside)
        .map_or(cut, |at| &cut[..at]);
    Ok(Value::str(whole.trim_matches('-')))
}
