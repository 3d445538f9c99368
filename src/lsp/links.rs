//! Document links: the files that a template reads (`.Files.Get "x"`).

use super::documents::{Lines, uri_of};
use super::model::Model;
use lsp_types::DocumentLink;
use std::path::Path;

/// A link for each name of a file that the chart has.
pub(super) fn links(model: &Model, path: &Path) -> Vec<DocumentLink> {
    let Some(template) = model.template(path) else {
        return Vec::new();
    };
    let lines = Lines::of(&template.text);
    let chart = model
        .chart_files
        .iter()
        .find(|file| file.under == template.under);
    let folder = chart
        .and_then(|file| file.path.parent())
        .unwrap_or(&model.chart);
    let link = |name: &super::outline::Name| {
        let file = folder.join(&name.text);
        Some(DocumentLink {
            range: lines.range(name.place.clone()),
            target: Some(uri_of(&file).filter(|_| file.is_file())?),
            tooltip: None,
            data: None,
        })
    };
    template.outline.files.iter().filter_map(link).collect()
}
