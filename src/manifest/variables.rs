//! Variables in manifests, `${NAME}` and `${NAME:=default}`, which Flux or envsubst replaces before
//! the API server sees the text. What a variable holds may be unknown; then so is the whole scalar,
//! and no rule complains of it.
//!
//! Source: drone/envsubst, which Flux uses. Its functions on values (`${NAME:0:3}`, `${NAME/a/b}`)
//! make a scalar unknown.

use super::{Object, Violation};
use crate::limits::Limits;
use crate::yaml::{self, Data, Node, Style};
use std::sync::Arc;

/// The limit on defaults in defaults.
const MAX_DEPTH: usize = 8;

/// What a caller knows of a variable.
pub(crate) enum Known<'v> {
    Value(&'v str),
    /// Its default holds.
    NotSet,
    Unknown,
}

/// Replaces the variables of an object whose content is known.
pub(crate) fn substitute<'v>(object: &mut Object, known: &dyn Fn(&str) -> Known<'v>) {
    if !has_variable(&object.root) {
        return;
    }
    let mut root = (*object.root).clone();
    replace(&mut root, known);
    change(object, root);
}

/// Gives an object another name.
pub(crate) fn rename(object: &mut Object, name: &str) {
    let mut root = (*object.root).clone();
    if let Some(node) = root.get_mut("metadata").and_then(|m| m.get_mut("name")) {
        node.data = Data::Str(name.into());
    }
    change(object, root);
}

fn change(object: &mut Object, root: Node) {
    if root != *object.root {
        object.identity = Arc::new(super::identity(&root));
        object.fingerprint = root.fingerprint();
        object.root = Arc::new(root);
    }
}

/// Whether a violation is about a value that is unknown.
pub(super) fn is_unknown(object: &Object, violation: &Violation) -> bool {
    match violation.path.get(&object.root) {
        // A selector is a map of scalars. In a map of more, a part may be missing or wrong whatever
        // the others are.
        Some(node) => {
            let mut parts = node
                .items()
                .iter()
                .chain(node.entries().iter().map(|e| &e.value));
            is_variable(node) || (parts.clone().all(is_scalar) && parts.any(is_variable))
        }
        None => {
            let mut above = violation.path.clone();
            while above.0.pop().is_some() {
                if let Some(node) = above.get(&object.root) {
                    return is_variable(node);
                }
            }
            false
        }
    }
}

fn replace<'v>(node: &mut Node, known: &dyn Fn(&str) -> Known<'v>) {
    match &mut node.data {
        Data::Seq(items) => items.iter_mut().for_each(|item| replace(item, known)),
        Data::Map(entries) => entries
            .iter_mut()
            .for_each(|e| replace(&mut e.value, known)),
        Data::Str(text) => {
            if let Some(new) = expanded(text, known, 0)
                && *new != **text
                && let Some(data) = retyped(&new, node.style)
            {
                node.data = data;
            }
        }
        _ => {}
    }
}

/// The data of a scalar with this text. Flux writes the object as YAML before it substitutes, and
/// quotes get lost on that way where the variable needed none; envsubst keeps them. So the type of a
/// quoted scalar is not known where that makes a difference.
fn retyped(text: &str, style: Style) -> Option<Data> {
    let as_text = || Some(Data::Str(text.into()));
    if matches!(style, Style::Literal | Style::Folded) || text.contains('\n') {
        return as_text();
    }
    let source = crate::source::SourceId::new(0, 0);
    let read = yaml::parse_within(text.as_bytes(), source, 0, &Limits::default());
    match read.ok().map(|node| node.data) {
        Some(Data::Str(_)) | None => as_text(),
        // The content of a collection is not read.
        Some(Data::Seq(_) | Data::Map(_)) if style != Style::Plain => as_text(),
        Some(Data::Seq(_) | Data::Map(_)) => None,
        Some(data) if style == Style::Plain => Some(data),
        Some(_) => None,
    }
}

fn is_scalar(node: &Node) -> bool {
    !matches!(node.data, Data::Seq(_) | Data::Map(_))
}

fn is_variable(node: &Node) -> bool {
    node.as_str().is_some_and(|text| first(text).is_some())
}

fn has_variable(node: &Node) -> bool {
    is_variable(node)
        || node.items().iter().any(has_variable)
        || node.entries().iter().any(|e| has_variable(&e.value))
}

/// A variable in a text.
struct Variable<'t> {
    before: &'t str,
    name: &'t str,
    /// What follows the name up to the closing brace.
    rest: &'t str,
    after: &'t str,
}

/// The first variable in a text.
fn first(text: &str) -> Option<Variable<'_>> {
    let mut from = 0;
    loop {
        let at = from + text[from..].find("${")?;
        let inner = &text[at + 2..];
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let length = inner.find(|c| !is_name(c)).unwrap_or(inner.len());
        let name = &inner[..length];
        let (mut depth, mut end) = (1, None);
        for (i, byte) in inner.bytes().enumerate().skip(length) {
            match byte {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                end = Some(i);
                break;
            }
        }
        match end {
            Some(end) if !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) => {
                return Some(Variable {
                    before: &text[..at],
                    name,
                    rest: &inner[length..end],
                    after: &inner[end + 1..],
                });
            }
            _ => from = at + 2,
        }
    }
}

/// The text with the content of its variables. None if one is unknown.
fn expanded<'v>(text: &str, known: &dyn Fn(&str) -> Known<'v>, depth: usize) -> Option<String> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(variable) = first(rest) {
        // `$${NAME}` is the text `${NAME}`; where that is meant for the container, it is unknown too.
        if variable.before.ends_with('$') || depth >= MAX_DEPTH {
            return None;
        }
        out.push_str(variable.before);
        let operators = [":=", ":-", "=", "-"];
        let default = operators.iter().find_map(|o| variable.rest.strip_prefix(o));
        if default.is_none() && !variable.rest.is_empty() {
            return None;
        }
        match (known(variable.name), default) {
            (Known::Value(value), _) => out.push_str(value),
            (Known::NotSet, Some(default)) => {
                out.push_str(&expanded(default, known, depth + 1)?);
            }
            _ => return None,
        }
        rest = variable.after;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str) -> Known<'static> {
        match name {
            "APP" => Known::Value("web"),
            "PORT" => Known::Value("80"),
            "BOTH" => Known::Unknown,
            _ => Known::NotSet,
        }
    }

    #[test]
    fn variables_are_replaced_where_their_content_is_known() {
        for (text, wanted) in [
            ("none", Some("none")),
            ("${APP}", Some("web")),
            ("a-${APP}-${X:=b}", Some("a-web-b")),
            ("${X:-${APP}}", Some("web")),
            ("${APP:=other}", Some("web")),
            ("${X:=}", Some("")),
            ("${X}", None),
            ("${BOTH:=a}", None),
            ("${APP:0:1}", None),
            ("$${APP}", None),
            (
                "${{ github.ref }} ${} ${1} $APP ${APP",
                Some("${{ github.ref }} ${} ${1} $APP ${APP"),
            ),
        ] {
            assert_eq!(expanded(text, &known, 0).as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn a_replaced_scalar_has_the_type_of_its_text_unless_quotes_hide_it() {
        for (text, style, wanted) in [
            ("80", Style::Plain, Some(Data::Int(80))),
            ("true", Style::Plain, Some(Data::Bool(true))),
            ("web", Style::DoubleQuoted, Some(Data::Str("web".into()))),
            ("80", Style::DoubleQuoted, None),
            ("80\n", Style::Literal, Some(Data::Str("80\n".into()))),
            ("[a", Style::Plain, Some(Data::Str("[a".into()))),
            ("[a]", Style::Plain, None),
            ("[a]", Style::DoubleQuoted, Some(Data::Str("[a]".into()))),
        ] {
            assert_eq!(retyped(text, style), wanted, "{text}");
        }
    }
}
