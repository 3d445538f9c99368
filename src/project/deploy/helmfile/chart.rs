//! The chart of a release.
//!
//! Source: helmfile's `isLocalChart`, `normalizeChart` and `GetRepositoryAndNameFromChartName`.

use super::files::{self, Named};
use super::state::{State, items, shown, text};
use crate::helm::metadata::Metadata;
use crate::project::dependencies;
use crate::project::deploy::Reading;
use crate::project::deploy::release::Content;
use std::path::Path;

/// Why there is no chart.
pub(super) struct Missing {
    pub why: String,
    /// Whether it should be in this repository.
    pub is_fault: bool,
    /// What is known of it.
    pub content: Content,
}

/// The chart that a release names.
pub(super) fn find(
    chart: &str,
    version: &str,
    state: &State,
    reading: &Reading<'_>,
) -> Result<Content, Box<Missing>> {
    if chart.is_empty() {
        return Err(Box::new(Missing {
            why: "the release names no chart".into(),
            is_fault: true,
            content: Content::default(),
        }));
    }
    if !files::is_remote(chart)
        && let Named::Here(found) = files::named(chart, &state.folder, reading)
        && let [path] = &found[..]
    {
        return local(path);
    }
    if is_local(chart) {
        return Err(Box::new(absent(chart, state, reading)));
    }
    packaged(chart, version, state, reading)
}

/// Whether a name is a path, whatever repositories there are.
fn is_local(chart: &str) -> bool {
    let is_relative = chart.starts_with("./") || chart.starts_with("../");
    let parts = chart.split('/').count();
    is_relative || !chart.contains("://") && (chart.starts_with('/') || !(2..=3).contains(&parts))
}

/// The chart at a path.
fn local(path: &Path) -> Result<Content, Box<Missing>> {
    let metadata = std::fs::read(path.join("Chart.yaml")).ok();
    let is_chart = metadata.is_some() || path.is_file();
    let metadata = metadata.and_then(|text| Metadata::parse(&text));
    let content = Content {
        path: Some(path.to_path_buf()),
        version: metadata
            .as_ref()
            .map_or(String::new(), |m| m.version.clone()),
        name: metadata.map(|metadata| metadata.name),
        repository: String::new(),
        is_chart,
    };
    match is_chart {
        true => Ok(content),
        false => Err(Box::new(Missing {
            why: format!(
                "helmfile makes a chart of the manifests in {}",
                path.display()
            ),
            is_fault: false,
            content,
        })),
    }
}

/// A path at which nothing is. That is no fault if something may still make it.
fn absent(chart: &str, state: &State, reading: &Reading<'_>) -> Missing {
    let prepares = |node: &crate::yaml::Node| !items(node, "hooks").is_empty();
    let releases = items(&state.root, "releases");
    let is_made = prepares(&state.root) || releases.iter().any(prepares);
    let is_fault = !is_made && files::named(chart, &state.folder, reading) == Named::Missing;
    let folder = shown(&state.folder);
    Missing {
        why: format!("there is no chart at {chart}, seen from {folder}"),
        is_fault,
        content: Content {
            name: Some(chart.rsplit('/').next().unwrap_or(chart).to_owned()),
            ..Content::default()
        },
    }
}

/// A chart of a chart repository, if it is on this disk.
fn packaged(
    chart: &str,
    version: &str,
    state: &State,
    reading: &Reading<'_>,
) -> Result<Content, Box<Missing>> {
    let (repository, name) = match chart.split_once("://") {
        Some(_) => chart.rsplit_once('/').unwrap_or(("", chart)),
        None => chart.split_once('/').unwrap_or(("", chart)),
    };
    let declared = items(&state.root, "repositories");
    let declared = declared
        .iter()
        .rev()
        .find(|node| text(node, "name") == repository);
    let url = declared.map_or_else(|| repository.to_owned(), |node| text(node, "url"));
    let content = Content {
        path: None,
        name: Some(name.to_owned()),
        repository: url.clone(),
        version: version.to_owned(),
        is_chart: true,
    };
    let found = dependencies::locate(
        name,
        if version.is_empty() { "*" } else { version },
        &url,
        reading.root,
        &reading.setup.config.charts,
        &reading.options.reuse.indexes,
    );
    match found {
        Some(path) => Ok(Content {
            path: Some(path),
            ..content
        }),
        None => Err(Box::new(Missing {
            why: format!("the chart {name} of {url} is not on this disk"),
            is_fault: false,
            content,
        })),
    }
}
