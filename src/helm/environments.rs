//! The environments of a chart, and the values that each gives to a render. [`discover`] finds those
//! that the chart's files declare; `project` builds those that a configuration declares.

mod discover;
pub(crate) mod sops;

pub(crate) use discover::{discover, left_out, named_by};

use crate::diagnostic::ids;
use crate::helm::chart::Chart;
use crate::helm::decode;
use crate::helm::error::Error;
use crate::helm::load;
use crate::helm::strvals::{self, FlagKind};
use crate::source::{Origins, Source, SourceId, SourceKind, Sources, Span};
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
    /// The configuration's `set:`: a path as in `--set`, and a typed value. They are applied before
    /// all flags.
    pub set: Vec<(String, Node)>,
    pub release: String,
    pub namespace: String,
    /// Sets `.Release.IsUpgrade` instead of `.Release.IsInstall`.
    pub is_upgrade: bool,
    /// Keeps values that SOPS encrypted as they are written, as Helm does. Otherwise placeholders
    /// replace them.
    pub keeps_encrypted: bool,
    /// For a release that the repository deploys: what its declaration says besides.
    pub declared: Option<Arc<Declared>>,
}

/// What the declaration of a release says, for example an Application of Argo CD.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Declared {
    /// Where it is deployed: the first part of the name `prod/web`.
    pub environment: String,
    /// The same for this release in all environments, and for no other one of its chart.
    pub identity: String,
    /// Values that the declaration contains, each with the number of values files that are applied
    /// before it.
    pub inline: Vec<(usize, ValuesFile)>,
    /// Parameters, which are flags whose text has an origin.
    pub parameters: Vec<Flag>,
    /// Whether values and parameters are written for this release alone. Otherwise, it need not read
    /// them.
    pub is_own: bool,
    /// Whether values may contain variables that another program fills in later.
    pub has_variables: bool,
    /// Whether values are left out that are not on this disk.
    pub lacks_values: bool,
    pub kube_version: Option<String>,
    pub api_versions: Vec<String>,
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
            keeps_encrypted: false,
            declared: None,
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
            let mut node = read_values(path, source, sources)?;
            if !self.keeps_encrypted {
                sops::replace(&mut node);
            }
            inputs.files.push(ValuesFile { source, node });
        }
        let declared = self.declared.iter();
        for (i, (after, values)) in declared.clone().flat_map(|d| &d.inline).enumerate() {
            let at = (after + i).min(inputs.files.len());
            inputs.files.insert(at, values.clone());
        }
        let mut flags: Vec<Flag> = declared
            .flat_map(|d| d.parameters.iter().cloned())
            .collect();
        for (kind, text) in &self.flags {
            let source = sources.add(Source::new(kind.flag(), text.as_bytes(), SourceKind::Flag));
            flags.push(Flag {
                kind: *kind,
                text: text.clone(),
                source,
            });
        }
        flags.sort_by_key(|flag| flag.kind);
        for Flag { kind, text, source } in flags {
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
#[derive(Clone, Debug, PartialEq)]
pub struct ValuesFile {
    pub source: SourceId,
    pub node: Node,
}

/// A flag such as `--set`.
#[derive(Clone, Debug, PartialEq)]
pub struct Flag {
    pub kind: FlagKind,
    pub text: String,
    pub source: SourceId,
}

impl Flag {
    /// The keys of the first value that it sets, without indices of lists.
    pub(crate) fn keys(&self) -> Vec<Box<str>> {
        let name = self.text.split('=').next().unwrap_or_default();
        let keys = name
            .split('.')
            .map(|key| key.split('[').next().unwrap_or(key));
        keys.map(Box::from).collect()
    }

    /// The span of the name of that value.
    pub(crate) fn name(&self) -> Span {
        let end = self.text.find('=').unwrap_or(self.text.len());
        Span::new(self.source, 0, end)
    }
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

/// Reads the values file of an environment.
///
/// # Errors
/// Helm's error for a file that is no YAML map.
pub(crate) fn read_values(path: &str, id: SourceId, sources: &Sources) -> Result<Node, Error> {
    let node = yaml::read(sources, id).map_err(|e| {
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
    Ok(node)
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
            .read_stdin()
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

/// The path of a file, given from a chart's folder. `..` is resolved where that needs no file system,
/// so that reports name files beside the chart as everything else does.
pub(crate) fn joined(location: &str, file: &str) -> String {
    let (mut folder, mut rest) = (location, file);
    while let Some(above) = rest.strip_prefix("../") {
        let inner = folder.trim_end_matches('/');
        let start = inner.rfind('/').map_or(0, |at| at + 1);
        let is_plain = !matches!(&inner[start..], "" | "." | "..");
        if !is_plain || Path::new(inner).is_symlink() {
            break;
        }
        (folder, rest) = (&folder[..start], above);
    }
    format!("{folder}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_above_a_chart_has_a_short_path() {
        for (location, file, want) in [
            ("chart/", "values-a.yaml", "chart/values-a.yaml"),
            ("chart/", "../a.yaml", "a.yaml"),
            ("x/chart/", "../env/a.yaml", "x/env/a.yaml"),
            ("x/chart/", "../../../a.yaml", "../a.yaml"),
            ("/x/chart/", "../a.yaml", "/x/a.yaml"),
            ("", "../a.yaml", "../a.yaml"),
            ("../chart/", "../a.yaml", "../a.yaml"),
            ("../", "../a.yaml", "../../a.yaml"),
        ] {
            assert_eq!(joined(location, file), want, "{location} {file}");
        }
    }
}
