//! Rules of the group `values` about the text of values.yaml.

use super::{ChartReport, Check, Table};
use crate::diagnostic::ids;
use crate::helm::Chart;
use crate::source::Sources;

pub(super) const TABLE: Table = &[(ids::VALUE_UNDOCUMENTED, Check::Chart(value_undocumented))];

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
