//! Rules of the group `values` about the text of values.yaml.

use super::{ChartReport, Check, Table};
use crate::diagnostic::ids;
use crate::helm::Chart;
use crate::source::Sources;
use crate::yaml::{Data, Node};

pub(super) const TABLE: Table = &[
    (ids::VALUE_UNDOCUMENTED, Check::Chart(value_undocumented)),
    (ids::VALUE_TYPE_TRAP, Check::Chart(value_type_trap)),
];

fn value_undocumented(report: &mut ChartReport<'_>, chart: &Chart, sources: &Sources) {
    let Some((id, node)) = &chart.values else {
        return;
    };
    let source = sources.get(*id);
    for entry in node.entries() {
        let line = source.line_of(entry.key_span.start);
        let holds_comment = |line: usize| {
            source.text[source.line(line)]
                .trim_ascii_start()
                .starts_with(b"#")
        };
        let beside = memchr::memmem::find(&source.text[source.line(line)], b" #").is_some();
        if !(beside || (line > 1 && holds_comment(line - 1))) {
            report.add(
                entry.key_span,
                format!("no comment says what `{}` is for", entry.key),
            );
        }
    }
}

/// The reason why YAML reads an unquoted scalar as something else than the text. `None` if it does
/// not.
fn trap(written: &str, node: &Node) -> Option<&'static str> {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    match node.data {
        Data::Bool(_) => matches!(
            written.to_ascii_lowercase().as_str(),
            "on" | "off" | "yes" | "no" | "y" | "n"
        )
        .then_some("YAML reads it as true or false"),
        Data::Int(_) if written.len() > 1 && written.starts_with('0') && digits(written) => {
            Some("YAML reads it as an octal number")
        }
        Data::Int(_) | Data::Float(_) if written.contains(':') => {
            Some("YAML reads it as a number of base 60")
        }
        Data::Int(_) | Data::Float(_) if written.contains('_') => Some("YAML leaves out the `_`"),
        Data::Float(_) if written.contains(['e', 'E']) && !written.contains('.') => {
            Some("YAML reads it as a power of ten")
        }
        _ => None,
    }
}

fn value_type_trap(report: &mut ChartReport<'_>, chart: &Chart, sources: &Sources) {
    let Some((id, node)) = &chart.values else {
        return;
    };
    let text = &sources.get(*id).text;
    let mut stack = vec![(&**node, 0)];
    while let Some((node, depth)) = stack.pop() {
        if depth > 64 {
            continue;
        }
        stack.extend(node.entries().iter().map(|e| (&e.value, depth + 1)));
        stack.extend(node.items().iter().map(|n| (n, depth + 1)));
        let written = text
            .get(node.span.start as usize..node.span.end as usize)
            .and_then(|b| std::str::from_utf8(b).ok())
            .unwrap_or("");
        if node.anchor.is_none()
            && let Some(why) = trap(written.trim(), node)
        {
            report.add(
                node.span,
                format!("`{}` is not text: {why}", written.trim()),
            );
        }
    }
}
