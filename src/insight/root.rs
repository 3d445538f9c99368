//! Reads of what the data of a chart does not have beside `Values`: `.annotations` for
//! `.Values.annotations`.

use crate::diagnostic::{Diagnostic, Severity, ids};
use crate::helm::is_partial;
use crate::project::rendering::RenderedChart;
use crate::source::{Sources, Span};
use crate::yaml::Node;

/// A read of a field that the data of the chart does not have. None where it may be meant: a helper
/// may be called with other data as well, and a template may set the field.
///
/// Helm gives templates `Values`, `Release`, `Chart`, `Files`, `Capabilities`, `Template` and
/// `Subcharts`: <https://helm.sh/docs/chart_template_guide/builtin_objects/>.
pub(super) fn misplaced(
    name: &str,
    at: Span,
    rendering: &RenderedChart,
    sources: &Sources,
) -> Option<Diagnostic> {
    let mut own = rendering.chart.templates.iter();
    let file = own.find(|file| file.source == at.source)?;
    let charts = rendering.chart.walk();
    let mut templates = charts.iter().flat_map(|chart| &chart.templates);
    let quoted = format!("\"{name}\"");
    let is_set = templates.any(|file| {
        memchr::memmem::find(&sources.get(file.source).text, quoted.as_bytes()).is_some()
    });
    if is_partial(&file.name) || is_set {
        return None;
    }
    let mut paths = Vec::new();
    for (_, node) in &rendering.values {
        with_key(node, name, &mut String::new(), &mut paths);
    }
    paths.sort_unstable();
    paths.dedup();
    let help = match &paths[..] {
        [path] => format!("did you mean `.Values{path}`?"),
        _ => "Values are in `.Values`.".to_owned(),
    };
    let message = format!("there is no `{name}` beside `.Values`, so this is always empty");
    let diagnostic = Diagnostic::new(ids::UNDEFINED_VALUE, Severity::Warning, at, message);
    Some(diagnostic.help(help))
}

/// The paths of the values with this key.
fn with_key(node: &Node, name: &str, path: &mut String, paths: &mut Vec<String>) {
    for entry in node.entries() {
        let length = path.len();
        path.push('.');
        path.push_str(&entry.key);
        if *entry.key == *name {
            paths.push(path.clone());
        }
        with_key(&entry.value, name, path, paths);
        path.truncate(length);
    }
}
