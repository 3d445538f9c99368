//! Loads a helmfile in one environment: renders its parts in order, adds its bases, and reads the
//! values of the environment.
//!
//! Source: helmfile's `desiredStateLoader.load` and `StateCreator.loadEnvValues`. Since version 1
//! helmfile renders only files that end in `.gotmpl`; earlier it rendered all, twice, so that a part
//! could use values of the environments that it declares itself. In a repository with helmfiles that
//! end in `.gotmpl`, the others are read as they are if they are YAML. Elsewhere a `.yaml` file is
//! rendered if it can be, and else read as it is.

use super::files::{self, Named};
use super::merge::{self, Lists, Nulls};
use super::text::{Field, Seen, Texts, Wrong};
use crate::helm::decode::scalar_text;
use crate::helm::environments::sops;
use crate::project::deploy::{Reading, from_here};
use crate::source::{SourceId, Span};
use crate::yaml::Node;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The limit on parts of a file, and on helmfiles and bases that lead to each other.
pub(super) const MOST_LEVELS: usize = 32;
/// The environment that holds where none is chosen.
pub(super) const DEFAULT: &str = "default";

/// A helmfile in one environment.
#[derive(Clone, Debug)]
pub(super) struct State {
    /// Without links. All paths are relative to it.
    pub folder: PathBuf,
    /// The parts and bases, merged.
    pub root: Node,
    pub environment: Environment,
    /// What templates see as `.Values`.
    pub values: Arc<Node>,
    pub start: Span,
}

/// An environment with its values.
#[derive(Clone, Debug)]
pub(super) struct Environment {
    pub name: String,
    pub kube_context: String,
    /// The values of `environments`, and those that other helmfiles give.
    pub values: Arc<Node>,
    /// The values of `values`.
    pub defaults: Arc<Node>,
}

/// Why a helmfile is not loaded.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    /// It is wrong.
    Wrong(Wrong),
    /// It does not have the environment.
    NotDefined,
    /// It needs what is not here.
    Open(String),
}

impl From<Wrong> for Stop {
    fn from(wrong: Wrong) -> Stop {
        Stop::Wrong(wrong)
    }
}

impl Environment {
    pub(super) fn new(name: &str, at: Span) -> Environment {
        Environment {
            name: name.to_owned(),
            kube_context: String::new(),
            values: Arc::new(merge::empty(at)),
            defaults: Arc::new(merge::empty(at)),
        }
    }

    /// The values over their defaults.
    pub(super) fn all_values(&self) -> Arc<Node> {
        match self.defaults.entries() {
            [] => self.values.clone(),
            _ => Arc::new(merge::values(&self.defaults, &self.values, Nulls::Yield)),
        }
    }

    /// `.Environment` of templates.
    pub(super) fn field(&self) -> Field {
        let fields = [
            ("Name", Field::Text(self.name.clone())),
            ("KubeContext", Field::Text(self.kube_context.clone())),
            ("Values", Field::Values(self.values.clone())),
            ("Defaults", Field::Values(self.defaults.clone())),
        ];
        Field::Map(fields.map(|(name, field)| (name.to_owned(), field)).into())
    }

    /// What the templates of a helmfile and of values of environments see.
    pub(super) fn seen(&self) -> Vec<(&'static str, Field)> {
        let values = Field::Values(self.all_values());
        vec![
            ("Environment", self.field()),
            ("Namespace", Field::Text(String::new())),
            ("Values", values.clone()),
            ("StateValues", values),
        ]
    }
}

/// The values of a list with their handling of missing files.
struct Entries<'e> {
    nodes: &'e [Node],
    /// Whether a missing file is a fault.
    is_needed: bool,
    /// The first of several values wins.
    is_fallback: bool,
    are_secret: bool,
}

/// Loads helmfiles in one environment.
pub(super) struct Loader<'l, 'r> {
    pub reading: &'l Reading<'r>,
    pub texts: &'l mut Texts,
    pub environment: &'l str,
    /// The first value that may exist where it is deployed, but is not here.
    pub lacking: Option<String>,
}

impl Loader<'_, '_> {
    /// Loads a file with its bases. `inherited` are values of the helmfile that leads here. Bases are
    /// relative to the folder of the helmfile that names them.
    pub(super) fn load(
        &mut self,
        file: &Path,
        folder: &Path,
        inherited: Option<&Environment>,
        above: &mut Vec<PathBuf>,
    ) -> Result<State, Stop> {
        let is_base = !above.is_empty();
        let id = self.texts.file(file).map_err(Stop::Open)?;
        let start = Span::new(id, 0, 0);
        above.push(file.to_path_buf());
        let mut environment = inherited.cloned();
        let mut root = merge::empty(start);
        for range in parts(&self.texts.sources.get(id).text) {
            let mut node = self.part(id, range, folder, environment.as_ref())?;
            let bases = items(&node, "bases").to_vec();
            for base in bases.iter().rev() {
                let base = self.base(base, folder, environment.as_ref(), above)?;
                node = merge::states(&base, &node, Lists::Append);
            }
            environment = Some(self.environment_of(&node, folder, environment.as_ref())?);
            root = merge::states(&root, &node, Lists::Replace);
        }
        above.pop();
        let environment = environment.unwrap_or_else(|| Environment::new(self.environment, start));
        let declared = root
            .get("environments")
            .map(Node::entries)
            .unwrap_or_default();
        let is_known = match declared {
            [] => inherited.is_some(),
            declared => declared.iter().any(|e| *e.key == *environment.name),
        };
        if !is_base && environment.name != DEFAULT && !is_known {
            return Err(Stop::NotDefined);
        }
        let values = environment.all_values();
        self.texts.values.push(values.clone());
        Ok(State {
            folder: folder.to_path_buf(),
            root,
            environment,
            values,
            start,
        })
    }

    /// A base of a helmfile.
    fn base(
        &mut self,
        name: &Node,
        folder: &Path,
        environment: Option<&Environment>,
        above: &mut Vec<PathBuf>,
    ) -> Result<Node, Stop> {
        let text = scalar_text(name).unwrap_or_default();
        let file = match files::named(&text, folder, self.reading) {
            Named::Here(files) => files.into_iter().next().unwrap_or_default(),
            Named::Missing => {
                return Err(
                    Wrong::new(name.span, format!("the base {text} does not exist")).into(),
                );
            }
            Named::Elsewhere(why) => return Err(Stop::Open(format!("the base {why}"))),
        };
        if above.contains(&file) {
            let message = format!("the base {text} leads back to this file");
            return Err(Wrong::new(name.span, message).into());
        }
        if above.len() > 1 {
            let message = format!("{text} is a base of a base, which helmfile refuses");
            return Err(Wrong::new(name.span, message).into());
        }
        Ok(self.load(&file, folder, environment, above)?.root)
    }

    /// A part of a file, rendered if it is a template.
    fn part(
        &mut self,
        id: SourceId,
        range: (usize, usize),
        folder: &Path,
        environment: Option<&Environment>,
    ) -> Result<Node, Stop> {
        let source = self.texts.sources.get(id);
        let text = &source.text[range.0..range.1];
        let is_template = source.name.ends_with(".gotmpl");
        if !is_template && memchr::memmem::find(text, b"{{").is_none() {
            return Ok(self.texts.map(id, range.0, range.1)?);
        }
        if !is_template
            && self.texts.is_of_version_1
            && let Ok(node) = self.texts.map(id, range.0, range.1)
        {
            return Ok(node);
        }
        let source = self.texts.sources.get(id);
        let text = &source.text[range.0..range.1];
        let own = ["values", "environments"].iter().filter_map(|key| {
            let (from, to) = block(text, key)?;
            Some((range.0 + from, range.0 + to))
        });
        let own: Vec<(usize, usize)> = own.collect();
        let at = Span::new(id, range.0, range.0);
        let fresh = Environment::new(self.environment, at);
        let mut known = environment.unwrap_or(&fresh).clone();
        // The first pass, of which only the values are of use.
        for own in own.into_iter().filter(|_| !is_template) {
            let first = self.render(id, own, folder, &known.seen(), false);
            if let Ok(node) = first {
                known = self.environment_of(&node, folder, Some(&known))?;
            }
        }
        let rendered = self.render(id, range, folder, &known.seen(), true);
        match rendered {
            Err(wrong) if !is_template => match self.texts.map(id, range.0, range.1) {
                Ok(node) => Ok(node),
                Err(_) => Err(wrong.into()),
            },
            rendered => Ok(rendered?),
        }
    }

    fn render(
        &mut self,
        id: SourceId,
        range: (usize, usize),
        folder: &Path,
        seen: &Seen,
        is_strict: bool,
    ) -> Result<Node, Wrong> {
        let made = self.texts.rendered(id, range, folder, seen, is_strict)?;
        self.texts.map(made, 0, usize::MAX)
    }

    /// The environment after a part with its bases.
    fn environment_of(
        &mut self,
        part: &Node,
        folder: &Path,
        before: Option<&Environment>,
    ) -> Result<Environment, Stop> {
        let fresh = Environment::new(self.environment, part.span);
        let seen = before.unwrap_or(&fresh).clone();
        let mut environment = seen.clone();
        let spec = part
            .get("environments")
            .and_then(|all| all.get(self.environment));
        if let Some(spec) = spec {
            let general = needs_files(part);
            let secrets = Entries {
                nodes: items(spec, "secrets"),
                is_needed: needs_files(spec).or(general).unwrap_or(true),
                is_fallback: false,
                are_secret: true,
            };
            let entries = Entries {
                nodes: items(spec, "values"),
                is_needed: needs_files(spec).unwrap_or(true),
                is_fallback: text(spec, "mergeStrategy") == "fallback",
                are_secret: false,
            };
            let values = self.values(&entries, folder, &seen)?;
            let secret = self.values(&secrets, folder, &seen)?;
            let own = merge::values(&values, &secret, Nulls::Replace);
            environment.values = Arc::new(merge::values(&seen.values, &own, Nulls::Yield));
            let context = text(spec, "kubeContext");
            if !context.is_empty() {
                environment.kube_context = context;
            }
        }
        let defaults = Entries {
            nodes: items(part, "values"),
            is_needed: true,
            is_fallback: false,
            are_secret: false,
        };
        if !defaults.nodes.is_empty() {
            let own = self.values(&defaults, folder, &seen)?;
            let all = merge::values(&seen.defaults, &own, Nulls::Replace);
            environment.defaults = Arc::new(all);
        }
        Ok(environment)
    }

    /// The values that a helmfile gives to another one.
    pub(super) fn handed_down(
        &mut self,
        nodes: &[Node],
        folder: &Path,
        at: Span,
    ) -> Result<Environment, Stop> {
        let entries = Entries {
            nodes,
            is_needed: true,
            is_fallback: false,
            are_secret: false,
        };
        let mut environment = Environment::new(self.environment, at);
        environment.values = Arc::new(self.values(&entries, folder, &environment.clone())?);
        Ok(environment)
    }

    /// The values of a list of files and maps.
    fn values(
        &mut self,
        entries: &Entries<'_>,
        folder: &Path,
        seen: &Environment,
    ) -> Result<Node, Stop> {
        let mut all: Option<Node> = None;
        let mut add = |values: Node| {
            let Some(known) = &all else {
                all = Some(values);
                return;
            };
            all = Some(match entries.is_fallback {
                true => merge::values(&values, known, Nulls::Yield),
                false => merge::values(known, &values, Nulls::Replace),
            });
        };
        let at = entries
            .nodes
            .first()
            .map_or(seen.values.span, |node| node.span);
        let seen = seen.seen();
        for node in entries.nodes {
            let Some(name) = node.as_str() else {
                if !node.is_null() {
                    add(node.clone());
                }
                continue;
            };
            for file in self.files(name, node.span, folder, entries)? {
                let mut values = self.values_file(&file, &seen)?;
                if entries.are_secret {
                    sops::replace(&mut values);
                }
                add(values);
            }
        }
        Ok(all.unwrap_or_else(|| merge::empty(at)))
    }

    /// The files of values that a name means.
    fn files(
        &mut self,
        name: &str,
        at: Span,
        folder: &Path,
        entries: &Entries<'_>,
    ) -> Result<Vec<PathBuf>, Stop> {
        let is_known = |files: &[PathBuf]| {
            files
                .iter()
                .all(|file| file.extension().is_none_or(|e| e != "hcl"))
        };
        let why = match files::named(name, folder, self.reading) {
            Named::Here(files) if is_known(&files) => return Ok(files),
            Named::Here(_) => format!("the values file {name} is in HCL"),
            Named::Missing if entries.is_needed => {
                let message = format!("the values file {name} does not exist");
                return Err(Wrong::new(at, message).into());
            }
            Named::Missing => format!("the values file {name} does not exist"),
            Named::Elsewhere(why) if entries.is_needed => {
                return Err(Stop::Open(format!("the values file {why}")));
            }
            Named::Elsewhere(why) => format!("the values file {why}"),
        };
        self.lacking.get_or_insert(why);
        Ok(Vec::new())
    }

    /// The values in a file, which is rendered if it is a template.
    pub(super) fn values_file(&mut self, file: &Path, seen: &Seen) -> Result<Node, Stop> {
        let id = self.texts.file(file).map_err(Stop::Open)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let folder = match folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => folder,
        };
        let folder = folder.canonicalize().unwrap_or_default();
        Ok(match file.extension().is_some_and(|e| e == "gotmpl") {
            true => self.render(id, (0, usize::MAX), &folder, seen, true)?,
            false => self.texts.map(id, 0, usize::MAX)?,
        })
    }
}

/// What the text of a helmfile says without being rendered for an environment.
#[derive(Debug, Default)]
pub(super) struct Outline {
    /// The names of its environments, in their order.
    pub environments: Vec<String>,
    /// The helmfiles that it may include, and its bases.
    pub included: Vec<PathBuf>,
}

/// Reads the outline of a helmfile and its bases.
pub(super) fn outline(file: &Path, reading: &Reading<'_>) -> Outline {
    let mut outline = Outline::default();
    let mut texts = Texts::new(reading);
    let folder = folder_of(file);
    let mut left = vec![file.to_path_buf()];
    let mut seen: Vec<PathBuf> = Vec::new();
    while let Some(file) = left.pop() {
        if seen.contains(&file) || seen.len() > MOST_LEVELS {
            continue;
        }
        seen.push(file.clone());
        let Ok(id) = texts.file(&file) else { continue };
        let text = texts.sources.get(id).text.clone();
        for (start, end) in parts(&text) {
            let at = |key: &str| {
                let (from, to) = block(&text[start..end], key)?;
                Some((start + from, start + to))
            };
            for (key, is_base) in [("helmfiles", false), ("bases", true)] {
                let Some((from, to)) = at(key) else { continue };
                for path in paths_in(&text[from..to]) {
                    if let Named::Here(files) = files::named(&path, &folder, reading) {
                        outline.included.extend(files.iter().cloned());
                        left.extend(files.into_iter().filter(|_| is_base));
                    }
                }
            }
            let Some(range) = at("environments") else {
                continue;
            };
            let fresh = Environment::new(DEFAULT, Span::new(id, 0, 0));
            let made = texts.rendered(id, range, &folder, &fresh.seen(), false);
            let rendered = made.and_then(|made| texts.map(made, 0, usize::MAX));
            let Ok(node) = rendered.or_else(|_| texts.map(id, range.0, range.1)) else {
                continue;
            };
            let declared = node.get("environments").map(Node::entries);
            for entry in declared.unwrap_or_default() {
                let is_known = |known: &String| **known == *entry.key;
                if !outline.environments.iter().any(is_known) {
                    outline.environments.push(entry.key.to_string());
                }
            }
        }
    }
    outline
}

/// The paths in the lines of `helmfiles` or `bases`. An action of a template may be any text.
fn paths_in(lines: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(lines);
    let words = text.lines().filter_map(|line| {
        let line = line.split(" #").next().unwrap_or_default().trim();
        let word = line.strip_prefix("- ").unwrap_or(line).trim();
        let word = word.strip_prefix("path:").unwrap_or(word).trim();
        let word = word.trim_matches(['"', '\'']);
        let mut path = String::new();
        let mut rest = word;
        while let Some((before, after)) = rest.split_once("{{") {
            path += before;
            path.push('*');
            rest = after.split_once("}}").map_or("", |(_, after)| after);
        }
        path += rest;
        let is_path = !path.contains([' ', ':', '#']) && path.contains(['/', '.']);
        is_path.then_some(path)
    });
    words.collect()
}

/// The parts of a file, which lines `---` separate, as ranges of bytes.
pub(super) fn parts(text: &[u8]) -> Vec<(usize, usize)> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in text.split_inclusive(|&b| b == b'\n') {
        let end = at + line.len();
        if at > 0
            && line.ends_with(b"\n")
            && line.trim_ascii_end() == b"---"
            && parts.len() < MOST_LEVELS
        {
            parts.push((start, at));
            start = end;
        }
        at = end;
    }
    parts.push((start, text.len()));
    parts
}

/// The lines of a key at the left margin.
fn block(text: &[u8], key: &str) -> Option<(usize, usize)> {
    let mut at = 0;
    let mut found = None;
    for line in text.split_inclusive(|&b| b == b'\n') {
        let is_key = line.first().is_some_and(u8::is_ascii_alphabetic);
        match found {
            Some(start) if is_key => return Some((start, at)),
            None if is_key
                && line
                    .strip_prefix(key.as_bytes())
                    .is_some_and(|rest| rest.starts_with(b":")) =>
            {
                found = Some(at);
            }
            _ => {}
        }
        at += line.len();
    }
    Some((found?, text.len()))
}

/// The items at a key.
pub(super) fn items<'n>(node: &'n Node, key: &str) -> &'n [Node] {
    node.get(key).map(Node::items).unwrap_or_default()
}

/// The text at a key; empty if there is none.
pub(super) fn text(node: &Node, key: &str) -> String {
    node.get(key).and_then(scalar_text).unwrap_or_default()
}

/// Whether a missing file is a fault, as far as `missingFileHandler` says it.
pub(super) fn needs_files(node: &Node) -> Option<bool> {
    let handler = text(node, "missingFileHandler");
    (!handler.is_empty()).then(|| handler == "Error")
}

/// The folder of a file, without links.
pub(super) fn folder_of(file: &Path) -> PathBuf {
    let real = file.canonicalize().unwrap_or_default();
    real.parent().map(Path::to_path_buf).unwrap_or_default()
}

/// A path as it is shown.
pub(super) fn shown(path: &Path) -> String {
    from_here(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_blocks_are_found() {
        let text = b"---\nenvironments:\n  a: {}\n\n---\nbases:\n- x\nreleases: []\n";
        let all: Vec<&[u8]> = parts(text)
            .iter()
            .map(|(from, to)| &text[*from..*to])
            .collect();
        assert_eq!(
            all,
            [
                &b"---\nenvironments:\n  a: {}\n\n"[..],
                b"bases:\n- x\nreleases: []\n"
            ]
        );
        let (from, to) = block(all[1], "bases").expect("a block");
        assert_eq!(&all[1][from..to], b"bases:\n- x\n");
        assert_eq!(block(all[1], "environments"), None);
    }
}
