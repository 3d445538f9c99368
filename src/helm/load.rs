//! Loading a chart from a folder or a .tgz, with Helm's order, limits and error texts.
//!
//! Every file becomes a source (without its BOM, which Helm strips too), so loading must be done
//! before any render. One deliberate difference: a link that leads out of the chart is refused
//! unless [`Options::follow_symlinks`].

use crate::diagnostic::{RuleId, ids};
use crate::go::path;
use crate::helm::Chart;
use crate::helm::Error;
use crate::helm::File;
use crate::helm::decode;
use crate::helm::ignore::Rules;
use crate::helm::metadata;
use crate::limits::Limit;
use crate::source::{Source, SourceId, SourceKind, Sources, Span};
use crate::yaml;
use crate::yaml::Node;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Helm's limit for an unpacked archive.
const MAX_CHART: u64 = 100 << 20;
/// The same with what an archive holds besides files, which are all that Helm counts.
const MAX_ARCHIVE: u64 = 2 * MAX_CHART;
/// Helm's limit for one file.
const MAX_FILE: u64 = 5 << 20;
/// Archives within archives, and folders within folders: deeper ones are refused.
const MAX_DEPTH: usize = 64;
/// An archive that unpacks to less than this is harmless, however small it is.
const SMALL: u64 = 10 << 20;

const UNCHECKED: &str = "nothing of the chart was checked";

/// How to load.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Read what links point to outside of the chart, as Helm does.
    pub follow_symlinks: bool,
}

/// Loads the chart at `path`, a folder or a .tgz. All its files are added to `sources`, named as
/// reachable through `path`.
///
/// # Errors
/// Helm's, with the place in the file where there is one.
pub fn load(path: &str, sources: &mut Sources, options: Options) -> Result<Chart, Error> {
    let trimmed = match path.trim_end_matches('/') {
        "" if path.starts_with('/') => "/",
        other => other,
    };
    let found = std::fs::metadata(trimmed).map_err(|e| {
        Error::new(
            ids::CHART_METADATA,
            format!("stat {trimmed}: {}", io_text(&e)),
        )
    })?;
    if !found.is_dir() {
        let data = sources.read_file(trimmed).map_err(|e| {
            Error::new(
                ids::CHART_METADATA,
                format!("open {trimmed}: {}", io_text(&e)),
            )
        })?;
        return load_archive(&data, trimmed, sources, options);
    }
    let mut loader = Loader::new(sources, options);
    let location = if trimmed == "." {
        String::new()
    } else {
        format!("{}/", trimmed.trim_end_matches('/'))
    };
    let files = loader.folder(Path::new(trimmed), &location)?;
    loader.finish(files, location)
}

/// Loads the chart that a .tgz of these bytes holds; its files are named as below `shown`.
///
/// # Errors
/// As [`load`].
pub fn load_archive(
    data: &[u8],
    shown: &str,
    sources: &mut Sources,
    options: Options,
) -> Result<Chart, Error> {
    if !data.starts_with(b"\x1f\x8b\x08") {
        let shown = std::path::absolute(shown).unwrap_or_else(|_| shown.into());
        return Err(Error::new(
            ids::CHART_METADATA,
            not_an_archive(&shown.to_string_lossy(), data),
        ));
    }
    let mut loader = Loader::new(sources, options);
    let (files, location) = loader.archive(data, shown)?;
    loader.finish(files, location)
}

struct Loader<'s> {
    sources: &'s mut Sources,
    options: Options,
    files: u64,
    total: u64,
    warnings: Vec<String>,
}

/// A file before it is known what it is for.
struct Raw {
    /// From the folder of the chart that holds it.
    name: String,
    /// As the person reaches it.
    shown: String,
    data: Arc<[u8]>,
}

/// Go's text of an operating system's error.
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

fn not_an_archive(name: &str, data: &[u8]) -> String {
    if name.ends_with(".yml") || name.ends_with(".yaml") {
        return format!("file '{name}' seems to be a YAML file, but expected a gzipped archive");
    }
    let start = &data[..data.len().min(512)];
    let kind = if start.starts_with(b"PK\x03\x04") {
        "application/zip"
    } else if start.starts_with(b"%PDF-") {
        "application/pdf"
    } else if start.len() == data.len() || start.iter().any(|&b| b < 9 || (14..27).contains(&b)) {
        // Go looks at a buffer of 512 bytes: a shorter file ends in zeros, which no text has.
        "application/octet-stream"
    } else {
        "text/plain; charset=utf-8"
    };
    format!("file '{name}' does not appear to be a gzipped archive; got '{kind}'")
}

fn without_bom(data: &[u8]) -> Arc<[u8]> {
    data.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(data).into()
}

impl<'s> Loader<'s> {
    fn new(sources: &'s mut Sources, options: Options) -> Loader<'s> {
        Loader {
            sources,
            options,
            files: 0,
            total: 0,
            warnings: Vec::new(),
        }
    }

    fn finish(mut self, files: Vec<Raw>, location: String) -> Result<Chart, Error> {
        let mut chart = self.chart(files, location, 0)?;
        chart.warnings = self.warnings;
        Ok(chart)
    }

    fn add(&mut self, shown: &str, data: impl Into<Arc<[u8]>>, kind: SourceKind) -> SourceId {
        self.sources.add(Source::new(shown, data, kind))
    }

    /// Counts a file, or whatever an archive holds.
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

    fn folder(&mut self, top: &Path, location: &str) -> Result<Vec<Raw>, Error> {
        let ignore_file = top.join(".helmignore");
        if !self.options.follow_symlinks
            && ignore_file.is_symlink()
            && let Ok(to) = ignore_file.canonicalize()
            && !is_within(&to, top)
        {
            return Err(leads_out(&ignore_file, &to));
        }
        let rules = match self.sources.read_file(&ignore_file) {
            Err(_) => Rules::defaults(),
            Ok(text) => match Rules::parse(&text) {
                Ok(rules) => rules,
                Err((message, line)) => {
                    let id = self.add(&format!("{location}.helmignore"), text, SourceKind::File);
                    let range = self.sources.get(id).line(line);
                    return Err(Error::new(ids::CHART_METADATA, message).at(Span::new(
                        id,
                        range.start,
                        range.end,
                    )));
                }
            },
        };
        let mut walk = Walk {
            rules,
            location,
            top,
            files: Vec::new(),
        };
        self.walk(&mut walk, top.to_path_buf(), String::new(), 0)?;
        Ok(walk.files)
    }

    /// Helm's sympath.Walk: names in bytewise order, links followed.
    fn walk(
        &mut self,
        walk: &mut Walk,
        path: PathBuf,
        name: String,
        depth: usize,
    ) -> Result<(), Error> {
        let shown = path.display();
        if depth > MAX_DEPTH {
            return Err(Error::new(
                ids::CHART_METADATA,
                format!(
                    "{shown}: folders nest too deeply (a link that leads back to its own folder?)"
                ),
            ));
        }
        let info = self.info(walk, &path, &name)?;
        if !info.is_dir() {
            return if walk.rules.ignores(&name, false) {
                Ok(())
            } else {
                self.file(walk, &path, name, &info)
            };
        }
        if !name.is_empty() && walk.rules.ignores(&name, true) {
            return Ok(());
        }
        let unreadable = |e: std::io::Error| {
            Error::new(
                ids::CHART_METADATA,
                format!("open {shown}: {}", io_text(&e)),
            )
        };
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(&path).map_err(unreadable)? {
            entries.push(entry.map_err(unreadable)?.file_name());
        }
        entries.sort();
        for entry in entries {
            let text = entry.to_string_lossy();
            let inner = if name.is_empty() {
                text.to_string()
            } else {
                [&*name, "/", &text].concat()
            };
            self.walk(walk, path.join(&entry), inner, depth + 1)?;
        }
        Ok(())
    }

    /// What a path leads to.
    fn info(&mut self, walk: &Walk, path: &Path, name: &str) -> Result<Metadata, Error> {
        let shown = path.display();
        let missing = |e: std::io::Error| {
            Error::new(
                ids::CHART_METADATA,
                format!("lstat {shown}: {}", io_text(&e)),
            )
        };
        let info = std::fs::symlink_metadata(path).map_err(missing)?;
        if !info.is_symlink() {
            return Ok(info);
        }
        if name.is_empty() {
            return std::fs::metadata(path).map_err(missing);
        }
        let resolved = path.canonicalize().map_err(|e| {
            Error::new(
                ids::CHART_METADATA,
                format!(
                    "error evaluating symlink {shown}: lstat {}: {}",
                    target(path).display(),
                    io_text(&e)
                ),
            )
        })?;
        let info = std::fs::metadata(&resolved).map_err(missing)?;
        if !walk.rules.ignores(name, info.is_dir()) && !is_within(&resolved, walk.top) {
            if !self.options.follow_symlinks {
                return Err(leads_out(path, &resolved));
            }
            self.warnings
                .push(format!("found symbolic link in path: {shown} resolves to {}. Contents of linked file included and used", resolved.display()));
        }
        Ok(info)
    }

    fn file(
        &mut self,
        walk: &mut Walk,
        path: &Path,
        name: String,
        info: &Metadata,
    ) -> Result<(), Error> {
        let shown = path.display();
        if !info.is_file() {
            return Err(Error::new(
                ids::CHART_METADATA,
                format!("cannot load irregular file {shown} as it has file mode type bits set"),
            ));
        }
        if info.len() > MAX_FILE {
            let base = name.rsplit('/').next().unwrap_or(&name);
            return Err(Error::new(
                ids::CHART_METADATA,
                format!("chart file {base:?} is larger than the maximum file size {MAX_FILE}"),
            ));
        }
        self.count()?;
        let data = self.sources.read_file(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::FileTooLarge => Error::limit(
                Limit::FileSize,
                &self.sources.limits,
                format!("{shown} was not read"),
            ),
            _ => Error::new(
                ids::CHART_METADATA,
                format!("error reading {name}: open {shown}: {}", io_text(&e)),
            ),
        })?;
        self.weigh(data.len() as u64)?;
        walk.add(name, data);
        Ok(())
    }

    /// The files of an archive, and the name of what holds them: `x.tgz!x/`.
    fn archive(&mut self, data: &[u8], shown: &str) -> Result<(Vec<Raw>, String), Error> {
        let refuse = |message: String| Error::new(ids::CHART_METADATA, message);
        let limits = self.sources.limits;
        if data.len() < 10 {
            return Err(refuse("EOF".into()));
        }
        if !data.starts_with(b"\x1f\x8b") {
            return Err(refuse("gzip: invalid header".into()));
        }
        let swollen =
            SMALL.max((data.len() as u64).saturating_mul(limits.get(Limit::ArchiveRatio)));
        let within = Cell::new(true);
        let unpacked = Bounded {
            from: flate2::read::MultiGzDecoder::new(data),
            left: swollen.min(MAX_ARCHIVE),
            within: &within,
        };
        let mut archive = tar::Archive::new(unpacked);
        let mut files = Vec::new();
        let mut base = String::new();
        let mut left = MAX_CHART;
        let broken = |e: std::io::Error| match within.get() {
            true => refuse(archive_text(&e)),
            false if swollen > MAX_ARCHIVE => refuse(too_large()),
            false => Error::limit(Limit::ArchiveRatio, &limits, UNCHECKED),
        };
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            let full = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let kind = entry.header().entry_type();
            self.count()?;
            if kind.is_dir()
                || full.ends_with('/')
                || kind.is_pax_global_extensions()
                || kind.is_pax_local_extensions()
            {
                continue;
            }
            // Archives made on Windows may use its separator.
            let separator = if full.contains('\\') { '\\' } else { '/' };
            let (first, rest) = full.split_once(separator).unwrap_or((&full, ""));
            let name = rest.replace(separator, "/");
            if name.starts_with('/') {
                return Err(refuse("chart illegally contains absolute paths".into()));
            }
            let name = path::clean(&name);
            if name == "." {
                return Err(refuse(format!(
                    "chart illegally contains content outside the base directory: {full:?}"
                )));
            }
            if name.starts_with("..") {
                return Err(refuse("chart illegally references parent directory".into()));
            }
            let bytes = name.as_bytes();
            if bytes.len() > 2
                && bytes[0].is_ascii_alphabetic()
                && bytes[1] == b':'
                && bytes[2] == b'/'
            {
                return Err(refuse("chart contains illegally named files".into()));
            }
            if first == "Chart.yaml" {
                return Err(refuse("chart yaml not in base directory".into()));
            }
            let size = entry.size();
            if size > left {
                return Err(refuse(too_large()));
            }
            if size > MAX_FILE {
                return Err(refuse(format!(
                    "decompressed chart file {full:?} is larger than the maximum file size {MAX_FILE}"
                )));
            }
            self.weigh(size)?;
            let mut data = Vec::new();
            (&mut entry)
                .take(MAX_FILE)
                .read_to_end(&mut data)
                .map_err(broken)?;
            left -= data.len() as u64;
            if (data.len() as u64) < size || left == 0 {
                return Err(refuse(too_large()));
            }
            if base.is_empty() {
                base = format!("{shown}!{first}/");
            }
            files.push(Raw {
                shown: format!("{shown}!{first}/{name}"),
                name,
                data: without_bom(&data),
            });
        }
        if files.is_empty() {
            return Err(refuse("no files in chart archive".into()));
        }
        Ok((files, base))
    }

    /// Helm's LoadFiles.
    fn chart(&mut self, files: Vec<Raw>, location: String, depth: usize) -> Result<Chart, Error> {
        let mut chart = Chart {
            metadata: metadata::Metadata::default(),
            chart_yaml: None,
            location,
            templates: Vec::new(),
            files: Vec::new(),
            values: None,
            schema: None,
            lock: None,
            subcharts: Vec::new(),
            warnings: Vec::new(),
        };
        let mut subcharts: BTreeMap<String, Vec<Raw>> = BTreeMap::new();
        let (first, rest): (Vec<Raw>, Vec<Raw>) =
            files.into_iter().partition(|f| f.name == "Chart.yaml");
        let mut has_metadata = false;
        for file in first {
            let id = self.add(&file.shown, yaml::utf8(file.data), SourceKind::File);
            let node = self.read(id, "Chart.yaml", ids::CHART_METADATA)?;
            chart
                .metadata
                .read(&node)
                .map_err(|m| misfit(m, "Chart.yaml", ids::CHART_METADATA))?;
            if chart.metadata.api_version.is_empty() {
                chart.metadata.api_version = "v1".into();
            }
            chart.chart_yaml = Some((id, node));
            has_metadata = true;
        }
        for file in rest {
            let keeps = |chart: &Chart| chart.metadata.api_version == "v1";
            if let Some(inner) = file.name.strip_prefix("charts/")
                && !inner.ends_with(".prov")
            {
                let folder = inner.split('/').next().unwrap_or(inner).to_string();
                let name = inner.to_string();
                subcharts
                    .entry(folder)
                    .or_default()
                    .push(Raw { name, ..file });
                continue;
            }
            let is_yaml = matches!(
                &*file.name,
                "values.yaml" | "Chart.lock" | "requirements.yaml" | "requirements.lock"
            );
            let kind = match &*file.name {
                "values.yaml" => SourceKind::Values,
                name if name.starts_with("templates/") => SourceKind::Template,
                _ => SourceKind::File,
            };
            let data = if is_yaml {
                yaml::utf8(file.data)
            } else {
                file.data
            };
            let id = self.add(&file.shown, data, kind);
            let own = File {
                name: file.name.as_str().into(),
                source: id,
            };
            match &*file.name {
                "Chart.lock" => {
                    let node = self.read(id, "Chart.lock", ids::CHART_METADATA)?;
                    metadata::check_lock(&node)
                        .map_err(|m| misfit(m, "Chart.lock", ids::CHART_METADATA))?;
                    chart.lock = Some(id);
                }
                "values.yaml" => {
                    let node = self.read(id, "values.yaml", ids::VALUES_SYNTAX)?;
                    decode::check(&node, &decode::Shape::Table)
                        .map_err(|m| misfit(m, "values.yaml", ids::VALUES_SYNTAX))?;
                    chart.values = Some((id, Arc::new(node)));
                }
                "values.schema.json" => chart.schema = Some(id),
                "requirements.yaml" => {
                    has_metadata = true;
                    if !keeps(&chart) {
                        self.warnings.push(
                            "Warning: Dependencies are handled in Chart.yaml since apiVersion \"v2\". We recommend migrating dependencies to Chart.yaml."
                                .into(),
                        );
                    }
                    let node = self.read(id, "requirements.yaml", ids::CHART_METADATA)?;
                    chart
                        .metadata
                        .read(&node)
                        .map_err(|m| misfit(m, "requirements.yaml", ids::CHART_METADATA))?;
                    if keeps(&chart) {
                        chart.files.push(own);
                    }
                }
                "requirements.lock" => {
                    has_metadata = true;
                    let node = self.read(id, "requirements.lock", ids::CHART_METADATA)?;
                    metadata::check_lock(&node)
                        .map_err(|m| misfit(m, "requirements.lock", ids::CHART_METADATA))?;
                    chart.lock = Some(id);
                    if keeps(&chart) {
                        chart.files.push(own);
                    } else {
                        self.warnings.push(
                            "Warning: Dependency locking is handled in Chart.lock since apiVersion \"v2\". We recommend migrating to Chart.lock."
                                .into(),
                        );
                    }
                }
                name if name.starts_with("templates/") => chart.templates.push(own),
                _ => chart.files.push(own),
            }
        }
        if !has_metadata {
            return Err(Error::new(
                ids::CHART_METADATA,
                "Chart.yaml file is missing",
            ));
        }
        let node = chart.chart_yaml.as_ref().map(|(_, node)| node);
        if let Err(objection) = chart.metadata.validate(node) {
            let error = Error::new(ids::CHART_METADATA, objection.message);
            let place = objection
                .span
                .or_else(|| metadata::value_span(node?, objection.key));
            let start = chart
                .chart_yaml
                .as_ref()
                .map(|&(id, _)| Span::new(id, 0, 0));
            return Err(Error {
                span: place.or(start),
                ..error
            });
        }
        if depth >= MAX_DEPTH {
            return Err(Error::new(ids::CHART_METADATA, "charts nest too deeply"));
        }
        for (name, files) in subcharts {
            if name.starts_with(['_', '.']) {
                continue;
            }
            let parent = chart.metadata.name.clone();
            let loaded = if name.ends_with(".tgz") {
                let file = &files[0];
                if file.name != name {
                    let message = format!(
                        "error unpacking subchart tar in {parent}: expected {name}, got {}",
                        file.name
                    );
                    return Err(Error::new(ids::CHART_METADATA, message));
                }
                self.archive(&file.data, &file.shown)
                    .and_then(|(files, location)| self.chart(files, location, depth + 1))
            } else {
                let inner: Vec<Raw> = files
                    .into_iter()
                    .filter_map(|f| {
                        let name = f.name.split_once('/')?.1.to_string();
                        Some(Raw { name, ..f })
                    })
                    .collect();
                let location = format!("{}charts/{name}/", chart.location);
                self.chart(inner, location, depth + 1)
            };
            chart.subcharts.push(
                loaded.map_err(|e| {
                    e.within(format!("error unpacking subchart {name} in {parent}"))
                })?,
            );
        }
        Ok(chart)
    }

    fn read(&self, id: SourceId, name: &str, rule: RuleId) -> Result<Node, Error> {
        yaml::read(self.sources, id).map_err(|e| {
            Error::yaml(
                rule,
                &e,
                &self.sources.limits,
                format!("cannot load {name}: {}", e.converting()),
            )
        })
    }
}

struct Walk<'a> {
    rules: Rules,
    location: &'a str,
    top: &'a Path,
    files: Vec<Raw>,
}

impl Walk<'_> {
    fn add(&mut self, name: String, data: Vec<u8>) {
        self.files.push(Raw {
            shown: [self.location, &*name].concat(),
            name,
            data: without_bom(&data),
        });
    }
}

fn misfit(misfit: decode::Misfit, name: &str, rule: RuleId) -> Error {
    Error::new(rule, misfit.message)
        .at(misfit.span)
        .within(format!("cannot load {name}"))
}

/// Whether a path without links lies in a folder.
fn is_within(path: &Path, folder: &Path) -> bool {
    folder
        .canonicalize()
        .is_ok_and(|folder| path.starts_with(folder))
}

fn leads_out(link: &Path, to: &Path) -> Error {
    Error::new(
        ids::SYMLINK_OUTSIDE_CHART,
        format!(
            "{} is a link that leads out of the chart, to {}",
            link.display(),
            to.display()
        ),
    )
    .help("put the file itself into the chart, or pass --follow-symlinks to read it as Helm does")
}

fn target(link: &Path) -> PathBuf {
    let to = std::fs::read_link(link).unwrap_or_default();
    if to.is_absolute() {
        to
    } else {
        link.parent().unwrap_or(Path::new("")).join(to)
    }
}

fn too_large() -> String {
    format!("decompressed chart is larger than the maximum file size {MAX_CHART}")
}

fn archive_text(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "unexpected EOF".into(),
        std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData => {
            "gzip: invalid header".into()
        }
        _ => error.to_string(),
    }
}

/// What an archive unpacks to, up to so many bytes: even what is skipped has to be unpacked.
struct Bounded<'a, R> {
    from: R,
    left: u64,
    /// Whether it ended, or failed, of itself.
    within: &'a Cell<bool>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.from.read(into)?;
        self.within.set(read as u64 <= self.left);
        self.left = self.left.saturating_sub(read as u64);
        if self.within.get() {
            Ok(read)
        } else {
            Err(std::io::Error::other("unpacks to too much"))
        }
    }
}
