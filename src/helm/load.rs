//! Loads a chart from a folder or a .tgz, with Helm's order, limits and error texts.
//!
//! Every file becomes a source, without its BOM, which Helm strips too. So loading must be finished
//! before any render. One difference from Helm is deliberate: [`Options`] says which links that lead
//! out of the chart are followed.

mod archive;
mod folder;

use crate::diagnostic::{RuleId, ids};
use crate::helm::chart::{Chart, File, LeftOut};
use crate::helm::decode;
use crate::helm::error::Error;
use crate::helm::metadata::{self, Metadata};
use crate::limits::Limit;
use crate::source::paths::with_slashes;
use crate::source::{Source, SourceId, SourceKind, Sources, Span};
use crate::yaml;
use crate::yaml::Node;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Helm's size limit for one file.
const MAX_FILE: u64 = 5 << 20;
/// The limit on archives within archives and on folders within folders. Deeper ones are refused.
const MAX_DEPTH: usize = 64;

const UNCHECKED: &str = "nothing of the chart was checked";

/// Options for loading.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub links: Links,
    /// The folder that links may lead into although it is outside of the chart, without links in
    /// its path. None: the chart's own folder.
    pub root: Option<PathBuf>,
}

/// What happens to a link that leads out of the chart, and out of [`Options::root`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Links {
    /// The chart is not loaded.
    #[default]
    Refused,
    /// The chart is loaded without what the link leads to, unless it is a file without which
    /// nothing of the chart can be said. See [`Chart::left_out`].
    LeftOut,
    /// It is followed, as in Helm.
    Followed,
}

/// Loads the chart at `path`, a folder or a .tgz. All its files are added to `sources`; their names
/// start with `path`.
///
/// # Errors
/// Helm's errors, with a span where the fault is in a file.
pub fn load(path: &str, sources: &mut Sources, options: Options) -> Result<Chart, Error> {
    Loader::new(sources, options).load(path)
}

/// Loads the chart from the bytes of a .tgz. The names of its files start with `shown`.
///
/// # Errors
/// As for [`load`].
pub fn load_archive(
    data: &[u8],
    shown: &str,
    sources: &mut Sources,
    options: Options,
) -> Result<Chart, Error> {
    Loader::new(sources, options).load_archive(data, shown)
}

/// Loads charts that belong together. The limits on files and bytes hold for all of them.
pub(crate) struct Loader<'s> {
    pub sources: &'s mut Sources,
    options: Options,
    files: u64,
    total: u64,
    warnings: Vec<String>,
    left_out: Vec<LeftOut>,
    ignored: Ignored,
}

/// What a chart cannot do without and `.helmignore` leaves out: the places of the rules.
#[derive(Default)]
struct Ignored {
    chart_yaml: Option<Span>,
    templates: Option<Span>,
}

/// A file that is not yet classified.
struct Raw {
    /// The path from the folder of the chart that contains it.
    name: String,
    /// The path that is shown to the user.
    shown: String,
    data: Arc<[u8]>,
}

/// Go's text for an error of the operating system.
pub(super) fn io_text(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".into(),
        std::io::ErrorKind::PermissionDenied => "permission denied".into(),
        std::io::ErrorKind::IsADirectory => "is a directory".into(),
        std::io::ErrorKind::NotADirectory => "not a directory".into(),
        _ => {
            let text = error.to_string();
            text.split(" (os error")
                .next()
                .unwrap_or(&text)
                .to_lowercase()
        }
    }
}

fn without_bom(data: &[u8]) -> Arc<[u8]> {
    data.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(data).into()
}

impl<'s> Loader<'s> {
    pub(crate) fn new(sources: &'s mut Sources, options: Options) -> Loader<'s> {
        Loader {
            sources,
            options,
            files: 0,
            total: 0,
            warnings: Vec::new(),
            left_out: Vec::new(),
            ignored: Ignored::default(),
        }
    }

    /// See [`load`].
    ///
    /// # Errors
    /// The same as for [`load`].
    pub(crate) fn load(&mut self, path: &str) -> Result<Chart, Error> {
        let path = with_slashes(path);
        let trimmed = match path.trim_end_matches('/') {
            "" if path.starts_with('/') => "/",
            other => other,
        };
        let stat = || {
            let found = std::fs::metadata(trimmed).map_err(|e| {
                Error::new(
                    ids::CHART_METADATA,
                    format!("stat {trimmed}: {}", io_text(&e)),
                )
            })?;
            Ok(found.is_dir())
        };
        let unsaved = self.sources.is_unsaved_folder(Path::new(trimmed));
        if !unsaved.map_or_else(stat, Ok)? {
            let data = self.sources.read_file(trimmed).map_err(|e| {
                Error::new(
                    ids::CHART_METADATA,
                    format!("open {trimmed}: {}", io_text(&e)),
                )
            })?;
            return self.load_archive(&data, trimmed);
        }
        let location = if trimmed == "." {
            String::new()
        } else {
            format!("{}/", trimmed.trim_end_matches('/'))
        };
        let files = self.folder(Path::new(trimmed), &location)?;
        self.finish(files, location)
    }

    fn load_archive(&mut self, data: &[u8], shown: &str) -> Result<Chart, Error> {
        if !data.starts_with(b"\x1f\x8b\x08") {
            let shown = std::path::absolute(shown).unwrap_or_else(|_| shown.into());
            return Err(Error::new(
                ids::CHART_METADATA,
                archive::not_an_archive(&shown.to_string_lossy(), data),
            ));
        }
        let (files, location) = self.archive(data, shown)?;
        self.finish(files, location)
    }

    fn finish(&mut self, files: Vec<Raw>, location: String) -> Result<Chart, Error> {
        let mut chart = self.chart(files, location, 0)?;
        chart.warnings = std::mem::take(&mut self.warnings);
        chart.left_out = std::mem::take(&mut self.left_out);
        chart.ignored_templates = std::mem::take(&mut self.ignored).templates;
        Ok(chart)
    }

    fn add(&mut self, shown: &str, data: impl Into<Arc<[u8]>>, kind: SourceKind) -> SourceId {
        self.sources.add(Source::new(shown, data, kind))
    }

    /// Counts a file or any other entry of an archive.
    fn count(&mut self) -> Result<(), Error> {
        self.files += 1;
        if self.files > self.sources.limits.get(Limit::ChartFiles) {
            return Err(self.exceeded(Limit::ChartFiles));
        }
        if self.sources.limits.is_late() {
            return Err(self.exceeded(Limit::Timeout));
        }
        Ok(())
    }

    fn weigh(&mut self, bytes: u64) -> Result<(), Error> {
        self.total = self.total.saturating_add(bytes);
        if self.total > self.sources.limits.get(Limit::ChartSize) {
            Err(self.exceeded(Limit::ChartSize))
        } else {
            Ok(())
        }
    }

    fn exceeded(&self, limit: Limit) -> Error {
        Error::limit(limit, &self.sources.limits, UNCHECKED)
    }

    /// Helm's `LoadFiles`.
    fn chart(&mut self, files: Vec<Raw>, location: String, depth: usize) -> Result<Chart, Error> {
        let mut chart = Chart {
            metadata: Metadata::default(),
            chart_yaml: None,
            location,
            templates: Vec::new(),
            files: Vec::new(),
            values: None,
            schema: None,
            lock: None,
            subcharts: Vec::new(),
            warnings: Vec::new(),
            left_out: Vec::new(),
            not_found: Vec::new(),
            ignored_templates: None,
        };
        let (chart_yaml, rest): (Vec<Raw>, Vec<Raw>) =
            files.into_iter().partition(|f| f.name == "Chart.yaml");
        let has_metadata = chart_yaml.iter().chain(&rest).any(|f| {
            matches!(
                &*f.name,
                "Chart.yaml" | "requirements.yaml" | "requirements.lock"
            )
        });
        for file in chart_yaml {
            self.chart_yaml(file, &mut chart)?;
        }
        let mut subcharts: BTreeMap<String, Vec<Raw>> = BTreeMap::new();
        for file in rest {
            match file.name.strip_prefix("charts/") {
                Some(inner) if !inner.ends_with(".prov") => {
                    let folder = inner.split('/').next().unwrap_or(inner).to_string();
                    let name = inner.to_string();
                    subcharts
                        .entry(folder)
                        .or_default()
                        .push(Raw { name, ..file });
                }
                _ => self.file_of(file, &mut chart)?,
            }
        }
        if !has_metadata {
            let missing = Error::new(ids::CHART_METADATA, "Chart.yaml file is missing");
            return Err(match self.ignored.chart_yaml.filter(|_| depth == 0) {
                Some(rule) => missing
                    .at(rule)
                    .finding("this rule of .helmignore leaves out Chart.yaml, so there is no chart")
                    .help("Helm's rules differ from gitignore: the first that matches decides, and `!` ignores all that does not match"),
                None => missing,
            });
        }
        validate(&mut chart)?;
        if depth >= MAX_DEPTH {
            return Err(Error::new(ids::CHART_METADATA, "charts nest too deeply"));
        }
        for (name, files) in subcharts {
            if !name.starts_with(['_', '.']) {
                let subchart = self.subchart(&name, files, &chart, depth + 1)?;
                chart.subcharts.push(subchart);
            }
        }
        Ok(chart)
    }

    fn chart_yaml(&mut self, file: Raw, chart: &mut Chart) -> Result<(), Error> {
        let id = self.add(&file.shown, yaml::utf8(file.data), SourceKind::File);
        let node = read_metadata(&mut chart.metadata, self.sources, id, "Chart.yaml")?;
        if chart.metadata.api_version.is_empty() {
            chart.metadata.api_version = "v1".into();
        }
        chart.chart_yaml = Some((id, node));
        Ok(())
    }

    /// Adds any file but Chart.yaml and the files of subcharts.
    fn file_of(&mut self, file: Raw, chart: &mut Chart) -> Result<(), Error> {
        // Charts with apiVersion v1 declare dependencies in separate files, which stay in `.Files`.
        let is_v1 = chart.metadata.api_version == "v1";
        let kind = match &*file.name {
            "values.yaml" => SourceKind::Values,
            name if name.starts_with("templates/") => SourceKind::Template,
            _ => SourceKind::File,
        };
        let data = match &*file.name {
            "values.yaml" | "Chart.lock" | "requirements.yaml" | "requirements.lock" => {
                yaml::utf8(file.data)
            }
            _ => file.data,
        };
        let id = self.add(&file.shown, data, kind);
        let entry = File {
            name: file.name.as_str().into(),
            source: id,
        };
        match &*file.name {
            "Chart.lock" => self.lock(id, "Chart.lock", chart)?,
            "values.yaml" => {
                let node = read_values(self.sources, id)?;
                chart.values = Some((id, Arc::new(node)));
            }
            "values.schema.json" => chart.schema = Some(id),
            "requirements.yaml" => {
                if !is_v1 {
                    self.warnings.push(
                        "Warning: Dependencies are handled in Chart.yaml since apiVersion \"v2\". We recommend migrating dependencies to Chart.yaml."
                            .into(),
                    );
                }
                read_metadata(&mut chart.metadata, self.sources, id, "requirements.yaml")?;
                if chart.metadata.api_version == "v1" {
                    chart.files.push(entry);
                }
            }
            "requirements.lock" => {
                self.lock(id, "requirements.lock", chart)?;
                if is_v1 {
                    chart.files.push(entry);
                } else {
                    self.warnings.push(
                        "Warning: Dependency locking is handled in Chart.lock since apiVersion \"v2\". We recommend migrating to Chart.lock."
                            .into(),
                    );
                }
            }
            name if name.starts_with("templates/") => chart.templates.push(entry),
            _ => chart.files.push(entry),
        }
        Ok(())
    }

    fn lock(&mut self, id: SourceId, name: &str, chart: &mut Chart) -> Result<(), Error> {
        let node = read(self.sources, id, name, ids::CHART_METADATA)?;
        metadata::check_lock(&node).map_err(|m| misfit(m, name, ids::CHART_METADATA))?;
        chart.lock = Some(id);
        Ok(())
    }

    /// Loads the subchart that is the folder or archive `name` in charts/.
    fn subchart(
        &mut self,
        name: &str,
        files: Vec<Raw>,
        parent: &Chart,
        depth: usize,
    ) -> Result<Chart, Error> {
        let parent_name = &parent.metadata.name;
        let loaded = if name.ends_with(".tgz") {
            let file = &files[0];
            if file.name != name {
                let message = format!(
                    "error unpacking subchart tar in {parent_name}: expected {name}, got {}",
                    file.name
                );
                return Err(Error::new(ids::CHART_METADATA, message));
            }
            self.archive(&file.data, &file.shown)
                .and_then(|(files, location)| self.chart(files, location, depth))
        } else {
            let inner: Vec<Raw> = files
                .into_iter()
                .filter_map(|f| {
                    let name = f.name.split_once('/')?.1.to_string();
                    Some(Raw { name, ..f })
                })
                .collect();
            let location = format!("{}charts/{name}/", parent.location);
            self.chart(inner, location, depth)
        };
        loaded.map_err(|e| e.within(format!("error unpacking subchart {name} in {parent_name}")))
    }
}

/// Reads a YAML file of a chart.
fn read(sources: &Sources, id: SourceId, name: &str, rule: RuleId) -> Result<Node, Error> {
    yaml::read(sources, id).map_err(|e| {
        let error = Error::yaml(
            rule,
            &e,
            &sources.limits,
            format!("cannot load {name}: {}", e.converting()),
        );
        let source = sources.get(id);
        let line = source.line(source.line_of(e.span.start));
        match memchr::memmem::find(&source.text[line], b"{{") {
            Some(_) => error.help(format!(
                "{name} is no template: quote the text, and let a template render it with `tpl`"
            )),
            None => error,
        }
    })
}

/// Reads a chart's values.yaml.
fn read_values(sources: &Sources, id: SourceId) -> Result<Node, Error> {
    let node = read(sources, id, "values.yaml", ids::VALUES_SYNTAX)?;
    decode::check(&node, &decode::Shape::Table)
        .map_err(|m| misfit(m, "values.yaml", ids::VALUES_SYNTAX))?;
    Ok(node)
}

/// Reads the metadata in a Chart.yaml or requirements.yaml.
fn read_metadata(
    metadata: &mut Metadata,
    sources: &Sources,
    id: SourceId,
    name: &str,
) -> Result<Node, Error> {
    let node = read(sources, id, name, ids::CHART_METADATA)?;
    metadata
        .read(&node)
        .map_err(|m| misfit(m, name, ids::CHART_METADATA))?;
    Ok(node)
}

/// Whether a chart can be loaded with a text as its file `name`: values.yaml, Chart.yaml or
/// requirements.yaml.
///
/// # Errors
/// The same as for [`load`].
pub(crate) fn check_file(sources: &Sources, id: SourceId, name: &str) -> Result<(), Error> {
    match name {
        "values.yaml" => read_values(sources, id).map(drop),
        _ => read_metadata(&mut Metadata::default(), sources, id, name).map(drop),
    }
}

/// Runs Helm's checks of the metadata. An error has the span of the field that was refused.
fn validate(chart: &mut Chart) -> Result<(), Error> {
    let node = chart.chart_yaml.as_ref().map(|(_, node)| node);
    chart.metadata.validate(node).map_err(|objection| {
        let place = objection
            .span
            .or_else(|| metadata::value_span(node?, objection.key));
        let start = chart
            .chart_yaml
            .as_ref()
            .map(|&(id, _)| Span::new(id, 0, 0));
        Error {
            span: place.or(start),
            ..Error::new(ids::CHART_METADATA, objection.message)
        }
    })
}

fn misfit(misfit: decode::Misfit, name: &str, rule: RuleId) -> Error {
    Error::new(rule, misfit.message)
        .at(misfit.span)
        .within(format!("cannot load {name}"))
}
