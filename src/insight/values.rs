//! What becomes something else on the way from a values file to an object: scalars that YAML
//! reads as another type, text that is lost in the file, numbers that are printed with an exponent,
//! text that changes because the template does not quote it, values that `default` overrules, random
//! secrets, and separators that are joined to the text behind them.

use crate::diagnostic::{Diagnostic, Role, RuleId, Severity, ids};
use crate::go::strconv::format_g;
use crate::helm::environments::sops;
use crate::helm::render::Output;
use crate::manifest::{Object, Violation};
use crate::project::rendering::RenderedChart;
use crate::rule::native::secrets;
use crate::source::{SourceId, SourceKind, Sources, Span};
use crate::yaml::path::scalars_where;
use crate::yaml::{Data, Entry, Node, Path, Style};
use rustc_hash::{FxHashMap, FxHashSet};

/// The findings about the values of a chart, in its values files and on their way.
pub(crate) fn check(rendering: &RenderedChart, sources: &Sources) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (id, node) in &rendering.values {
        further_document(*id, node, sources, &mut found);
        each_node(node, &mut |node| {
            duplicate_keys(node, sources, &mut found);
            type_trap(node, sources, &mut found);
        });
    }
    overruled(rendering, sources, &mut found);
    secrets_in_environments(rendering, sources, &mut found);
    for render in rendering.renders.iter().filter(|r| r.primary) {
        for output in &render.rendered.outputs {
            glued_separators(output, render.environment, sources, &mut found);
        }
        for object in rendering.newest(render) {
            exponents(object, sources, &mut found);
            unquoted(object, sources, &mut found);
            random_secrets(
                object,
                &render.rendered.record.volatile,
                sources,
                &mut found,
            );
        }
    }
    found
}

/// Calls `visit` with a node and all nodes below it.
fn each_node<'n>(root: &'n Node, visit: &mut dyn FnMut(&'n Node)) {
    let mut stack = vec![root];
    while let Some(node) = stack.pop() {
        visit(node);
        stack.extend(node.entries().iter().map(|entry| &entry.value));
        stack.extend(node.items());
    }
}

fn text_at(sources: &Sources, span: Span) -> &str {
    std::str::from_utf8(sources.text(span)).unwrap_or_default()
}

/// Helm reads the first document of a values file and ignores the others.
fn further_document(id: SourceId, node: &Node, sources: &Sources, found: &mut Vec<Diagnostic>) {
    let source = sources.get(id);
    if node.is_null() {
        return;
    }
    let first = source.line_of(node.span.end) + 1;
    let line = |number: usize| source.text[source.line(number)].trim_ascii();
    let Some(separator) = (first..=source.lines()).find(|&n| line(n).starts_with(b"---")) else {
        return;
    };
    let has_content =
        |&n: &usize| !line(n).is_empty() && !line(n).starts_with(b"#") && line(n) != b"---";
    if let Some(content) = (separator + 1..=source.lines()).find(has_content) {
        let range = source.line(content);
        found.push(
            Diagnostic::new(
                ids::VALUES_SECOND_DOCUMENT,
                Severity::Warning,
                Span::new(id, range.start, range.end),
                "Helm reads only the first document of a values file, so nothing from here on has an effect",
            )
            .help("Remove the `---`, or put the second document into a file of its own."),
        );
    }
}

fn duplicate_keys(node: &Node, sources: &Sources, found: &mut Vec<Diagnostic>) {
    let mut below: FxHashMap<&str, &Entry> = FxHashMap::default();
    for entry in node.entries().iter().rev() {
        if let Some(later) = below.insert(&entry.key, entry) {
            let (message, help) = if later.merged {
                let message = format!(
                    "`{}` has no effect: the `<<` merge below overwrites it",
                    entry.key
                );
                (message, "Write the key below the `<<`, or remove it.")
            } else {
                let line = sources
                    .get(later.key_span.source)
                    .line_of(later.key_span.start);
                let message = format!(
                    "`{}` is written again in line {line}, which replaces all of this one",
                    entry.key
                );
                (message, "Merge the two, or remove one of them.")
            };
            found.push(
                Diagnostic::new(
                    ids::VALUES_DUPLICATE_KEY,
                    Severity::Warning,
                    entry.key_span,
                    message,
                )
                .label(later.key_span, Role::Values, "the one that counts")
                .help(help),
            );
        }
    }
}

/// What YAML makes of a scalar without quotes, if that is another text than the one that is written.
fn trap(written: &str, node: &Node) -> Option<String> {
    let number = |value: f64| {
        let printed = format_g(value);
        let is_integer = written
            .strip_prefix('-')
            .unwrap_or(written)
            .bytes()
            .all(|b| b.is_ascii_digit());
        let is_octal = written.len() > 1 && written.trim_start_matches('-').starts_with('0');
        // How large integers are printed is the subject of `number-printed-with-exponent`.
        let is_plain = is_integer && !is_octal;
        (value.is_finite() && printed != written && !is_plain)
            .then(|| format!("the number {printed}"))
    };
    match node.data {
        Data::Bool(value) => matches!(
            written.to_ascii_lowercase().as_str(),
            "on" | "off" | "yes" | "no" | "y" | "n"
        )
        .then(|| format!("the boolean {value}")),
        Data::Int(value) => number(value as f64),
        Data::Uint(value) => number(value as f64),
        Data::Float(value) => number(value),
        _ => None,
    }
}

fn type_trap(node: &Node, sources: &Sources, found: &mut Vec<Diagnostic>) {
    if node.anchor.is_some() || node.style != Style::Plain {
        return;
    }
    let written = text_at(sources, node.span).trim();
    // A tag (`!!int "7"`) says what is meant.
    if written.starts_with(['!', '&']) {
        return;
    }
    if let Some(becomes) = trap(written, node) {
        found.push(
            Diagnostic::new(
                ids::VALUE_TYPE_TRAP,
                Severity::Warning,
                node.span,
                format!("`{written}` is not text: YAML reads it as {becomes}"),
            )
            .help(fix(&ids::VALUE_TYPE_TRAP)),
        );
    }
}

/// Values that are given, but that `default` replaces because they count as empty.
fn overruled(rendering: &RenderedChart, sources: &Sources, found: &mut Vec<Diagnostic>) {
    let defaults: FxHashSet<SourceId> = rendering
        .chart
        .walk()
        .iter()
        .filter_map(|chart| chart.values.as_ref().map(|(id, _)| *id))
        .collect();
    for render in rendering.renders.iter().filter(|r| r.primary) {
        for overruled in &render.rendered.record.overruled {
            let (at, given) = (overruled.at, overruled.given);
            let written = text_at(sources, given).trim();
            // In a chart's own values.yaml, 0 says that there is no value.
            if written != "false" && defaults.contains(&given.source) {
                continue;
            }
            let message = format!(
                "`default` replaces this `{written}` by `{}`: false, 0 and \"\" count as empty",
                overruled.by
            );
            found.push(Diagnostic {
                environment: Some(render.environment),
                ..Diagnostic::new(ids::DEFAULT_OVERRULES_VALUE, Severity::Warning, at, message)
                    .label(given, Role::Values, "the value that is given")
                    .help("Test with `hasKey`, or with `kindIs \"invalid\"`, or put the default into values.yaml.")
            });
        }
    }
}

/// Secrets in plain text in the values files of environments. In a chart's own values.yaml they are
/// examples; the cases of `ci/` are tests.
fn secrets_in_environments(
    rendering: &RenderedChart,
    sources: &Sources,
    found: &mut Vec<Diagnostic>,
) {
    let of_environments: FxHashSet<&str> = rendering
        .environments
        .iter()
        .filter(|environment| !environment.is_case)
        .flat_map(|environment| environment.values.iter().map(String::as_str))
        .collect();
    for (id, node) in rendering.values.iter().skip(1) {
        if !of_environments.contains(&*sources.get(*id).name) {
            continue;
        }
        each_node(node, &mut |node| {
            for entry in node.entries() {
                let is_secret = entry.value.as_str().is_some_and(|value| {
                    secrets::is_secret_name(&entry.key)
                        && !secrets::is_harmless(value)
                        && !is_placeholder(&entry.key, value)
                        && !sops::is_encrypted(sources.text(entry.value.span))
                });
                if is_secret {
                    let message = format!("`{}` is a secret in plain text", entry.key);
                    found.push(
                        Diagnostic::new(
                            ids::SECRET_IN_VALUES_FILE,
                            Severity::Warning,
                            entry.key_span,
                            message,
                        )
                        .help(fix(&ids::SECRET_IN_VALUES_FILE)),
                    );
                }
            }
        });
    }
}

/// Whether a value only repeats its key: `password: _PASSWORD_`.
fn is_placeholder(key: &str, value: &str) -> bool {
    let letters = |text: &str| -> String {
        let letters = text.chars().filter(|c| c.is_alphanumeric());
        letters.collect::<String>().to_lowercase()
    };
    letters(key) == letters(value)
}

/// Data of a Secret that a template makes at random, in a file that never looks for the Secret of
/// the last release. A Secret that only an install hook makes does not change later.
fn random_secrets(
    object: &Object,
    volatile: &[Span],
    sources: &Sources,
    found: &mut Vec<Diagnostic>,
) {
    let is_made_once =
        !object.hooks.is_empty() && object.hooks.iter().all(|hook| !hook.contains("upgrade"));
    if &*object.identity.kind != "Secret" || volatile.is_empty() || is_made_once {
        return;
    }
    let is_random = |value: &Node| {
        let trace = sources.trace(value.span);
        volatile.iter().any(|call| {
            let text = text_at(sources, *call);
            let file = &sources.get(call.source).text;
            ["rand", "uuid", "gen"]
                .iter()
                .any(|word| text.contains(word))
                && trace.templates.iter().any(|place| place.holds(*call))
                && memchr::memmem::find(file, b"lookup").is_none()
        })
    };
    let entries = ["data", "stringData"].into_iter().flat_map(|list| {
        let entries = object.root.get(list).map_or(&[][..], |n| n.entries());
        entries.iter().map(move |entry| (list, entry))
    });
    let random: Vec<_> = entries.filter(|(_, e)| is_random(&e.value)).collect();
    let Some((list, first)) = random.first() else {
        return;
    };
    let keys: Vec<&str> = random.iter().map(|(_, entry)| &*entry.key).collect();
    let message = format!(
        "each upgrade makes Secret {} anew: {}",
        object.identity.name,
        keys.join(", ")
    );
    let path = Path::root().key(list).key(&first.key);
    found.push(changed(
        object,
        ids::SECRET_CHANGES_ON_UPGRADE,
        path,
        message,
    ));
}

/// Lines that begin with `---` and go on: `helm lint` and other readers refuse them.
fn glued_separators(
    output: &Output,
    environment: u16,
    sources: &Sources,
    found: &mut Vec<Diagnostic>,
) {
    let text = &sources.get(output.text).text;
    if output.is_notes() {
        return;
    }
    let later = memchr::memmem::find_iter(text, b"\n---").map(|at| at + 1);
    let first = text.starts_with(b"---").then_some(0);
    for start in first.into_iter().chain(later) {
        let end = memchr::memchr(b'\n', &text[start..]).map_or(text.len(), |at| start + at);
        let rest = text[start + 3..end].trim_ascii();
        if rest.is_empty() || rest.starts_with(b"#") {
            continue;
        }
        let shown = String::from_utf8_lossy(rest);
        let message = format!("the separator `---` is joined to `{shown}`");
        found.push(Diagnostic {
            environment: Some(environment),
            ..Diagnostic::new(
                ids::GLUED_SEPARATOR,
                Severity::Warning,
                Span::new(output.text, start + 3, end),
                message,
            )
            .help(fix(&ids::GLUED_SEPARATOR))
        });
    }
}

/// The ranges of numbers with an exponent, as Go prints large ones.
fn exponents_in(text: &[u8]) -> Vec<(usize, usize)> {
    let is_number = |b: &u8| b.is_ascii_digit() || *b == b'.';
    let mut ranges = Vec::new();
    for at in memchr::memmem::find_iter(text, b"e+") {
        let before = text[..at].iter().rev().take_while(|b| is_number(b)).count();
        let after = text[at + 2..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        if before > 0 && after >= 2 {
            ranges.push((at - before, at + 2 + after));
        }
    }
    ranges
}

/// Texts of an object that contain an integer of a values file with an exponent.
fn exponents(object: &Object, sources: &Sources, found: &mut Vec<Diagnostic>) {
    let may_contain = |node: &Node| node.as_str().is_some_and(|text| text.contains("e+"));
    for (path, node) in scalars_where(&object.root, &may_contain) {
        let mut seen: Vec<Span> = Vec::new();
        for (start, end) in exponents_in(sources.text(node.span)) {
            let start = node.span.start as usize + start;
            let at = Span::new(node.span.source, start, node.span.start as usize + end);
            let printed = text_at(sources, at);
            for value in sources.trace(at).values {
                let written = text_at(sources, value).trim();
                let is_integer = written.bytes().all(|b| b.is_ascii_digit());
                let is_it = is_integer
                    && written
                        .parse()
                        .is_ok_and(|number: f64| format_g(number) == printed);
                if !is_it || seen.contains(&value) {
                    continue;
                }
                seen.push(value);
                let message = format!("the number {written} is printed as {printed}");
                found.push(Diagnostic {
                    span: at,
                    ..changed(
                        object,
                        ids::NUMBER_PRINTED_WITH_EXPONENT,
                        path.clone(),
                        message,
                    )
                });
            }
        }
    }
}

fn fix(rule: &RuleId) -> &'static str {
    crate::rule::documentation(rule).map_or("", |documentation| &documentation.fix)
}

fn changed(object: &Object, rule: RuleId, path: Path, message: String) -> Diagnostic {
    object.place(Violation {
        help: Some(fix(&rule).to_owned()),
        severity: Severity::Warning,
        rule,
        message,
        path,
        at_key: false,
        kubernetes: None,
    })
}

/// Scalars of an object that a text of a values file was meant to be, but is not: `~` is null, and a
/// comment cuts off what follows ` #`.
fn unquoted(object: &Object, sources: &Sources, found: &mut Vec<Diagnostic>) {
    // The text of a file that a template includes is YAML by itself.
    let is_of_values = |span: &Span| {
        matches!(
            sources.get(span.source).kind,
            SourceKind::Values | SourceKind::Flag
        )
    };
    let value_at = |start: usize, end: usize, source: SourceId| {
        let values = sources.trace(Span::new(source, start, end)).values;
        match &values[..] {
            [only] => Some(*only).filter(is_of_values),
            _ => None,
        }
    };
    // The `#` of a comment behind a scalar, on its line.
    let comment_after = |node: &Node| {
        let rest = sources
            .get(node.span.source)
            .text
            .get(node.span.end as usize..)?;
        let spaces = rest
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t'))
            .count();
        let is_comment = spaces > 0 && rest.get(spaces) == Some(&b'#');
        is_comment.then_some(node.span.end as usize + spaces)
    };
    let is_suspect = |node: &Node| {
        node.style == Style::Plain
            && node.span.start < node.span.end
            && match node.data {
                Data::Null => true,
                Data::Str(_) => comment_after(node).is_some(),
                _ => false,
            }
    };
    for (path, node) in scalars_where(&object.root, &is_suspect) {
        let (source, start) = (node.span.source, node.span.start as usize);
        let end = node.span.end as usize;
        let message = match comment_after(node).filter(|_| !node.is_null()) {
            None => {
                let is_text = |value: &Span| {
                    let written = sources.text(*value);
                    written.starts_with(b"\"") || written.starts_with(b"'")
                };
                if value_at(start, end, source).filter(is_text).is_none() {
                    continue;
                }
                let written = text_at(sources, node.span);
                format!("the text `{written}` is not quoted here, so YAML reads it as null")
            }
            Some(mark) => {
                let value = value_at(end - 1, end, source);
                if value.is_none() || value_at(mark, mark + 1, source) != value {
                    continue;
                }
                "this text is not quoted, so YAML reads what follows ` #` as a comment".to_owned()
            }
        };
        found.push(changed(object, ids::TEXT_CHANGES_UNQUOTED, path, message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    fn becomes(written: &str) -> Option<String> {
        let mut sources = Sources::default();
        let text = format!("a: {written}\n");
        let id = sources.add(Source::new(
            "values.yaml",
            text.into_bytes(),
            SourceKind::File,
        ));
        let node = crate::yaml::read(&sources, id).expect("is YAML");
        trap(written, node.get("a").expect("a value"))
    }

    #[test]
    fn a_trap_says_what_the_value_becomes() {
        for (written, number) in [
            ("1.20", "1.2"),
            ("089", "89"),
            ("0644", "420"),
            ("+1", "1"),
            ("685230.15e+03", "6.8523015e+08"),
            ("1_000.5", "1000.5"),
            ("12e03", "12000"),
            ("0x10", "16"),
        ] {
            assert_eq!(
                becomes(written),
                Some(format!("the number {number}")),
                "{written}"
            );
        }
        assert_eq!(becomes("off").as_deref(), Some("the boolean false"));
        for plain in [
            "12",
            "1.5",
            "-3",
            "0",
            "true",
            "12:30",
            "1048576",
            "a",
            "~",
            "2024-01-02",
        ] {
            assert_eq!(becomes(plain), None, "{plain}");
        }
    }

    #[test]
    fn numbers_with_an_exponent_are_found_in_text() {
        let text = b"a=1.048576e+06 b=e+06 c=2e+7 1e+08";
        let found: Vec<&[u8]> = exponents_in(text)
            .into_iter()
            .map(|(start, end)| &text[start..end])
            .collect();
        assert_eq!(found, [&b"1.048576e+06"[..], b"1e+08"]);
    }
}
