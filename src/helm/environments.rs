//! The environments of a chart, and the values that each gives to a render.
//!
//! Without a configuration these are: `default` (values.yaml alone), one for each
//! `values-NAME.yaml`, `values.NAME.yaml` and `values/NAME.yaml`, and a case for each
//! `ci/NAME-values.yaml`. `project` builds the environments that a configuration declares.

use crate::diagnostic::ids;
use crate::helm::chart::Chart;
use crate::helm::decode;
use crate::helm::error::Error;
use crate::helm::load;
use crate::helm::strvals::{self, FlagKind};
use crate::source::{Origins, Source, SourceId, SourceKind, Sources};
use crate::yaml;
use crate::yaml::Node;
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

/// One way to deploy a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Environment {
    pub name: String,
    /// A case from `ci/`. It is rendered and linted, but rules that compare environments ignore it.
    pub is_case: bool,
    /// The values files in order, as for `-f`; paths are relative to the working directory.
    pub values: Vec<String>,
    /// `--set` and its variants. The order counts within each kind only.
    pub flags: Vec<(FlagKind, String)>,
    /// The configuration's `set:`: a path as in `--set`, and a typed value. They are applied after
    /// all flags.
    pub set: Vec<(String, Node)>,
    pub release: String,
    pub namespace: String,
    /// Sets `.Release.IsUpgrade` instead of `.Release.IsInstall`.
    pub is_upgrade: bool,
}

impl Environment {
    /// Whether it has the values of the chart's values.yaml alone, which perhaps nobody deploys.
    pub fn is_defaults(&self) -> bool {
        self.name == "default"
            && self.values.is_empty()
            && self.flags.is_empty()
            && self.set.is_empty()
    }

    /// Creates an environment with Helm's default release name and namespace.
    pub fn new(name: impl Into<String>) -> Environment {
        Environment {
            name: name.into(),
            is_case: false,
            values: Vec::new(),
            flags: Vec::new(),
            set: Vec::new(),
            release: "release-name".into(),
            namespace: "default".into(),
            is_upgrade: false,
        }
    }

    /// Reads the values files and the texts of flags as sources, before any render. Files that were
    /// loaded with the chart are not read again.
    ///
    /// # Errors
    /// Helm's errors for files that cannot be read or that are no YAML map.
    pub fn prepare(&self, chart: &Chart, sources: &mut Sources) -> Result<Inputs, Error> {
        let mut inputs = Inputs::default();
        for path in &self.values {
            let source = source_of(chart, path, sources)
                .map_err(|message| Error::new(ids::VALUES_MISSING, message))?;
            sources.mark_as_values(source);
            let node = yaml::read(sources, source).map_err(|e| {
                Error::yaml(
                    ids::VALUES_SYNTAX,
                    &e,
                    &sources.limits,
                    format!("failed to parse {path}: {}", e.converting()),
                )
            })?;
            decode::check(&node, &decode::Shape::Table).map_err(|m| {
                Error::new(ids::VALUES_SYNTAX, m.message)
                    .at(m.span)
                    .within(format!("failed to parse {path}"))
            })?;
            inputs.files.push(ValuesFile { source, node });
        }
        let mut flags = self.flags.clone();
        flags.sort_by_key(|(kind, _)| *kind);
        for (kind, text) in flags {
            let source = sources.add(Source::new(kind.flag(), text.as_bytes(), SourceKind::Flag));
            if kind == FlagKind::File {
                // A first pass collects the names of files in the flag. Errors in the flag are
                // reported later, when it is applied.
                let named = RefCell::new(Vec::new());
                let mut note = |path: &str| {
                    named.borrow_mut().push(path.to_string());
                    Ok((source, Vec::new()))
                };
                let _ = strvals::apply(
                    kind,
                    &text,
                    source,
                    &crate::helm::values::empty(),
                    &mut Origins::default(),
                    &mut note,
                );
                for path in named.into_inner() {
                    let read = source_of(chart, &path, sources)
                        .map(|id| (id, sources.get(id).text.to_vec()));
                    inputs.set_files.push((path, read));
                }
            }
            inputs.flags.push(Flag { kind, text, source });
        }
        inputs.typed.clone_from(&self.set);
        Ok(inputs)
    }
}

/// The source and bytes of a file that a flag names, or Go's error text where the file cannot be
/// read.
type SetFile = Result<(SourceId, Vec<u8>), String>;

/// The loaded inputs of a render in one environment.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    pub files: Vec<ValuesFile>,
    pub flags: Vec<Flag>,
    /// The configuration's `set:`.
    pub typed: Vec<(String, Node)>,
    set_files: Vec<(String, SetFile)>,
}

/// A values file of an environment.
#[derive(Clone, Debug)]
pub struct ValuesFile {
    pub source: SourceId,
    pub node: Node,
}

/// A flag such as `--set`.
#[derive(Clone, Debug)]
pub struct Flag {
    pub kind: FlagKind,
    pub text: String,
    pub source: SourceId,
}

impl Inputs {
    /// The source and bytes of a file that a `--set-file` names.
    ///
    /// # Errors
    /// Go's text: `open x: no such file or directory`.
    pub fn read_set_file(&self, path: &str) -> Result<(SourceId, Vec<u8>), String> {
        let found = self.set_files.iter().find(|(name, _)| name == path);
        found.map_or_else(
            || Err(format!("open {path}: no such file or directory")),
            |(_, read)| read.clone(),
        )
    }
}

/// The source of the file at a path. It reuses the chart's source where the file belongs to the
/// chart.
fn source_of(chart: &Chart, path: &str, sources: &mut Sources) -> Result<SourceId, String> {
    let same = |source: SourceId, sources: &Sources| *sources.get(source).name == *path;
    let own = chart
        .values
        .iter()
        .map(|(id, _)| *id)
        .chain(chart.files.iter().map(|f| f.source));
    if let Some(id) = own.into_iter().find(|&id| same(id, sources)) {
        // `.Files` has the bytes as they are; values in UTF-16 are another text.
        let raw = sources.get(id).text.clone();
        let text = crate::yaml::utf8(raw.clone());
        if Arc::ptr_eq(&raw, &text) {
            return Ok(id);
        }
        return Ok(sources.add(Source::new(path, text, SourceKind::File)));
    }
    let text = if path.trim() == "-" {
        sources
            .read_all(std::io::stdin())
            .map_err(|e| format!("read /dev/stdin: {e}"))?
    } else {
        sources
            .read_file(path)
            .map_err(|e| format!("open {path}: {}", load::io_text(&e)))?
    };
    Ok(sources.add(Source::new(
        path,
        crate::yaml::utf8(text.into()),
        SourceKind::File,
    )))
}

/// Finds the environments that a chart's files declare: `default` first, the others by name, cases
/// last. `path` is where `chart` was loaded from.
pub(crate) fn discover(path: &Path, chart: &Chart, sources: &Sources) -> Vec<Environment> {
    let mut found: Vec<(String, String, bool)> = Vec::new();
    for name in names(path, chart, sources) {
        if let Some((environment, is_case)) = environment_of(&name) {
            found.push((environment.to_string(), name, is_case));
        }
    }
    found.sort_by(|a, b| (a.2, &a.0, &a.1).cmp(&(b.2, &b.0, &b.1)));
    let mut all = vec![Environment::new("default")];
    for (environment, file, is_case) in &found {
        let values = format!("{}{file}", chart.location);
        if is_encrypted(&values, chart, sources) {
            continue;
        }
        let collides = environment == "default"
            || found
                .iter()
                .filter(|(other, _, _)| other == environment)
                .count()
                > 1;
        let name = if collides {
            file.clone()
        } else {
            environment.clone()
        };
        all.push(Environment {
            is_case: *is_case,
            values: vec![values],
            ..Environment::new(name)
        });
    }
    all
}

/// Paths, from the chart's folder, of files that may be values files. They are looked for on disk,
/// because `.helmignore` may hide them from Helm, or in the archive.
fn names(path: &Path, chart: &Chart, sources: &Sources) -> Vec<String> {
    if !path.is_dir() {
        let own = chart.files.iter().filter_map(|f| {
            sources
                .get(f.source)
                .name
                .strip_prefix(&*chart.location)
                .map(String::from)
        });
        return own.collect();
    }
    let mut names = Vec::new();
    let real = path.canonicalize().unwrap_or_default();
    for folder in ["", "values/", "ci/"] {
        let Ok(entries) = std::fs::read_dir(path.join(folder)) else {
            continue;
        };
        for entry in entries.flatten() {
            let name = format!("{folder}{}", entry.file_name().to_string_lossy());
            // Loading has refused or followed links that lead out of the chart, unless
            // `.helmignore` hides them. Hidden ones are not read.
            let is_inside = || {
                entry
                    .path()
                    .canonicalize()
                    .is_ok_and(|file| file.starts_with(&real))
            };
            if entry.path().is_file()
                && (is_inside() || chart.files.iter().any(|f| *f.name == *name))
            {
                names.push(name);
            }
        }
    }
    names
}

/// The name of the environment that a file's name declares, and whether it is a case.
fn environment_of(file: &str) -> Option<(&str, bool)> {
    let stem = file
        .strip_suffix(".yaml")
        .or_else(|| file.strip_suffix(".yml"))?;
    let lower = stem.to_lowercase();
    if lower.contains("example") || lower.contains("sample") || lower.contains("schema") {
        return None;
    }
    let (environment, is_case) = match stem.split_once('/') {
        None => (
            stem.strip_prefix("values-")
                .or_else(|| stem.strip_prefix("values."))?,
            false,
        ),
        Some(("values", name)) => (name, false),
        Some(("ci", name)) if name.ends_with("-values") => {
            (&stem[..stem.len() - "-values".len()], true)
        }
        Some(_) => return None,
    };
    (!environment.is_empty() && environment != "ci/").then_some((environment, is_case))
}

/// Whether SOPS encrypted the file, so that it holds no usable values.
fn is_encrypted(path: &str, chart: &Chart, sources: &Sources) -> bool {
    let own = chart
        .files
        .iter()
        .map(|f| sources.get(f.source))
        .find(|s| *s.name == *path);
    let text = match own {
        Some(source) => source.text.to_vec(),
        None => sources.read_file(path).unwrap_or_default(),
    };
    if memchr::memmem::find(&text, b"sops").is_none() {
        return false;
    }
    let node = yaml::parse(&text, SourceId::new(0, 0), 0).ok();
    node.and_then(|n| {
        n.get("sops")
            .map(|s| s.get("mac").is_some() || s.get("version").is_some())
    })
    .unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_declare_environments() {
        for (file, want) in [
            ("values-prod.yaml", Some(("prod", false))),
            ("values.dev.yml", Some(("dev", false))),
            ("values/eu-1.yaml", Some(("eu-1", false))),
            ("ci/full-values.yaml", Some(("ci/full", true))),
            ("values.yaml", None),
            ("values-example.yaml", None),
            ("values.schema.yaml", None),
            ("ci/values.yaml", None),
            ("values-.yaml", None),
            ("secrets-prod.yaml", None),
        ] {
            assert_eq!(environment_of(file), want, "{file}");
        }
    }
}
