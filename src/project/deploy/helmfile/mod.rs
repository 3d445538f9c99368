//! Reads helmfiles: the releases of each of their environments.
//!
//! | file | what it does |
//! |---|---|
//! | `state` | loads a helmfile in one environment: its parts, its bases, and the values of the environment |
//! | `release` | makes its releases |
//! | `chart` | finds the chart of a release |
//! | `text` | renders templates and reads YAML, with the origin of each byte |
//! | `files` | the files that a helmfile names, and those that its templates read |
//! | `merge` | how helmfile merges values, parts and templates |
//!
//! Nothing is run or fetched. What only the deployment knows, such as the output of a program, is a
//! placeholder on which no finding rests.

mod chart;
mod files;
mod merge;
mod release;
mod state;
mod text;

use super::environment::{self, Facts};
use super::release::{Declaring, Place, Release, Target};
use super::{Fault, MOST_RELEASES, Made, Reading, from_here, values};
use crate::diagnostic::{Diagnostic, Severity, did_you_mean, ids};
use crate::helm::decode::scalar_text;
use crate::project::deploy::release::{Content, Values};
use crate::project::exclude::Exclusions;
use crate::source::{Sources, Span};
use crate::yaml::{Entry, Node};
use files::Named;
use merge::Lists;
use release::{Declared, Making};
use rustc_hash::FxHashSet;
use state::{DEFAULT, Environment, Loader, MOST_LEVELS, State, Stop, folder_of, items};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use text::{Texts, Wrong};

/// The name of a release that stands for all of a helmfile that cannot be loaded.
const ALL: &str = "*";
/// The limit on helmfiles that are loaded, each time in an environment.
const MOST_HELMFILES: usize = 10_000;

/// What helmfiles of the repository declare.
pub(super) fn all(reading: &Reading<'_>) -> Made {
    let candidates = candidates(reading);
    let is_template = |file: &PathBuf| file.extension().is_some_and(|e| e == "gotmpl");
    let is_of_version_1 = candidates.iter().any(is_template);
    let outlines: Vec<_> = candidates
        .iter()
        .map(|file| state::outline(file, reading))
        .collect();
    // What another helmfile includes is deployed by that one.
    let included = outlines.iter().flat_map(|outline| &outline.included);
    let used: FxHashSet<PathBuf> = included.flat_map(|path| helmfiles_in(path)).collect();
    let mut made = Made::default();
    let mut walk = Walk {
        reading,
        environment: DEFAULT,
        made: Made::default(),
        earlier: 0,
        above: Vec::new(),
        loaded: 0,
        is_cut: false,
    };
    for (file, outline) in candidates.iter().zip(&outlines) {
        let includes_itself = outline.included.contains(file);
        if used.contains(file) && !includes_itself {
            continue;
        }
        let mut names: Vec<&str> = outline.environments.iter().map(String::as_str).collect();
        if names.is_empty() {
            names.push(DEFAULT);
        }
        for name in names {
            walk.environment = name;
            let mut texts = Texts::new(reading);
            texts.is_of_version_1 = is_of_version_1;
            walk.file(file, &Given::default(), texts);
            // Where there are others, `default` often stands for none.
            let is_chosen = *name != *DEFAULT || outline.environments.len() < 2;
            let is_loaded = walk.made.releases.iter().any(|release| release.name != ALL);
            let of_environment = std::mem::take(&mut walk.made);
            if is_chosen || is_loaded {
                made.releases.extend(of_environment.releases);
                made.faults.extend(of_environment.faults);
            }
            walk.earlier = made.releases.len();
        }
    }
    made
}

/// Files that may be helmfiles by their names and keys, as reached from the working directory.
fn candidates(reading: &Reading<'_>) -> Vec<PathBuf> {
    let exclusions = Exclusions::new(reading.options).ok();
    let sources = Sources::with(reading.options.unsaved.clone());
    let is_meant = |path: &PathBuf| {
        let text = sources.read_file(path).unwrap_or_default();
        let has = |key: &str| {
            text.split(|&b| b == b'\n').any(|line| {
                line.strip_prefix(key.as_bytes())
                    .is_some_and(|r| r.starts_with(b":"))
            })
        };
        let is_excluded = exclusions.as_ref().is_some_and(|e| e.exclude(path));
        !is_excluded
            && ["releases", "helmfiles", "bases"]
                .iter()
                .any(|key| has(key))
    };
    let named = reading
        .listing
        .files
        .iter()
        .filter(|file| is_helmfile(file));
    let paths = named.map(|file| from_here(&reading.root.join(file)));
    paths.filter(is_meant).collect()
}

/// Whether a file has the name of a helmfile: `helmfile.yaml`, `helmfile-apps.yaml.gotmpl`,
/// `helmfile.d/apps.yaml`.
fn is_helmfile(file: &str) -> bool {
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    let plain = name.strip_suffix(".gotmpl").unwrap_or(name);
    let stem = plain.strip_suffix(".yaml").or(plain.strip_suffix(".yml"));
    let is_in_folder = folder == "helmfile.d" || folder.ends_with("/helmfile.d");
    let is_test = file.split('/').any(|part| part == "testdata");
    stem.is_some_and(|stem| {
        is_in_folder || stem.starts_with("helmfile") || stem.ends_with("helmfile")
    }) && !is_test
}

/// What a helmfile gives to those that it includes.
#[derive(Clone, Default)]
struct Given {
    environment: Option<Environment>,
    selectors: Vec<String>,
    /// The sections that `inherits` names.
    sections: Option<Node>,
}

/// Visits a helmfile and those that it includes, in one environment.
struct Walk<'w, 'r> {
    reading: &'w Reading<'r>,
    environment: &'w str,
    made: Made,
    /// How many releases other environments and helmfiles have.
    earlier: usize,
    /// The helmfiles that lead to the current one.
    above: Vec<PathBuf>,
    loaded: usize,
    /// Whether a limit was reached, so that the rest is not read.
    is_cut: bool,
}

impl Walk<'_, '_> {
    /// Adds the releases of a file.
    fn file(&mut self, file: &Path, given: &Given, mut texts: Texts) {
        if self.is_cut {
            return;
        }
        self.loaded += 1;
        if self.loaded > MOST_HELMFILES || self.earlier + self.made.releases.len() >= MOST_RELEASES
        {
            self.is_cut = true;
            let why = format!(
                "the helmfiles of the repository have more than {MOST_RELEASES} releases, or are more than {MOST_HELMFILES}"
            );
            return self.unloaded(file, Stop::Open(why), None, texts);
        }
        let folder = folder_of(file);
        let mut loader = Loader {
            reading: self.reading,
            texts: &mut texts,
            environment: self.environment,
            lacking: None,
        };
        let loaded = loader.load(file, &folder, given.environment.as_ref(), &mut Vec::new());
        let lacking = loader.lacking.take();
        let mut state = match loaded {
            Ok(state) => state,
            Err(Stop::NotDefined) => return,
            Err(stop) => return self.unloaded(file, stop, lacking, texts),
        };
        if let Some(sections) = &given.sections {
            state.root = merge::states(sections, &state.root, Lists::Replace);
        }
        self.above.push(file.to_path_buf());
        let mut wrongs = self.included(&state, given, &mut texts);
        self.above.pop();
        let mut loader = Loader {
            reading: self.reading,
            texts: &mut texts,
            environment: self.environment,
            lacking,
        };
        let mut making = Making {
            state: &state,
            loader: &mut loader,
            faults: Vec::new(),
        };
        let declared = making.all();
        wrongs.append(&mut making.faults);
        let lacking = loader.lacking.take();
        wrongs.extend(together(&declared));
        if lacking.is_some() {
            wrongs.retain(|wrong| !wrong.is_demand);
        }
        let is_selected = |release: &&Declared| selects(&given.selectors, release);
        let deployed = declared
            .iter()
            .filter(|release| release.is_deployed)
            .filter(is_selected);
        let releases: Vec<Release> = deployed
            .map(|release| self.release(release, file))
            .collect();
        self.finish(releases, wrongs, texts);
    }

    /// Adds what is made of the texts.
    fn finish(&mut self, mut releases: Vec<Release>, wrongs: Vec<Wrong>, texts: Texts) {
        let declaring = Arc::new(Declaring {
            sources: texts.sources,
            values: texts.values,
        });
        for release in &mut releases {
            release.place.texts = declaring.clone();
        }
        self.made.releases.extend(releases);
        for wrong in wrongs {
            let (rule, severity) = (ids::DEPLOYMENT_INVALID, Severity::Error);
            let diagnostic = Diagnostic::new(rule, severity, wrong.span, wrong.message);
            self.made.faults.push(Fault {
                texts: declaring.clone(),
                diagnostic: diagnostic.help("helmfile stops here."),
            });
        }
    }

    /// A helmfile that cannot be loaded: a release stands for those that it has.
    fn unloaded(&mut self, file: &Path, stop: Stop, lacking: Option<String>, mut texts: Texts) {
        let at = texts.file(file).map(|id| Span::new(id, 0, 0));
        let Ok(at) = at else { return };
        let (why, wrong) = match stop {
            Stop::Wrong(wrong) => (wrong.message.clone(), Some(wrong)),
            Stop::Open(why) => (why, None),
            Stop::NotDefined => return,
        };
        let mut release = self.release(&unknown(ALL, at), file);
        release.unresolved = Some(why);
        let is_sure = |wrong: &Wrong| !wrong.is_demand && lacking.is_none();
        self.finish(
            vec![release],
            wrong.into_iter().filter(is_sure).collect(),
            texts,
        );
    }

    /// Visits the helmfiles that one includes. Gives what is wrong with the list.
    fn included(&mut self, state: &State, given: &Given, texts: &mut Texts) -> Vec<Wrong> {
        let mut wrongs = Vec::new();
        let is_needed = state::needs_files(&state.root).unwrap_or(true);
        for node in items(&state.root, "helmfiles") {
            let path = node.get("path").unwrap_or(node);
            let name = scalar_text(path).unwrap_or_default();
            let found = match files::named(&name, &state.folder, self.reading) {
                Named::Here(found) => found,
                Named::Missing if is_needed => {
                    wrongs.push(Wrong::new(
                        path.span,
                        format!("the helmfile {name} does not exist"),
                    ));
                    continue;
                }
                Named::Missing => continue,
                Named::Elsewhere(why) => {
                    let mut release = self.release(&unknown(&name, path.span), Path::new(""));
                    release.unresolved = Some(format!("the helmfile {why}"));
                    self.finish(vec![release], Vec::new(), texts.clone());
                    continue;
                }
            };
            let own = match self.given(node, state, given, texts) {
                Ok(own) => own,
                Err(Stop::Wrong(wrong)) => {
                    wrongs.push(wrong);
                    continue;
                }
                Err(_) => continue,
            };
            for file in found.iter().flat_map(|path| helmfiles_in(path)) {
                if self.above.contains(&file) || self.above.len() >= MOST_LEVELS {
                    let message = format!("the helmfile {name} leads back to this file");
                    wrongs.push(Wrong::new(path.span, message));
                    continue;
                }
                let of_file = match own.environment {
                    Some(_) => texts.clone(),
                    None if own.sections.is_some() => texts.clone(),
                    None => texts.fresh(self.reading),
                };
                self.file(&file, &own, of_file);
            }
        }
        wrongs
    }

    /// What an entry of `helmfiles` gives.
    fn given(
        &self,
        node: &Node,
        state: &State,
        given: &Given,
        texts: &mut Texts,
    ) -> Result<Given, Stop> {
        let inherits: Vec<String> = items(node, "inherits")
            .iter()
            .filter_map(scalar_text)
            .collect();
        let mut own = Given::default();
        let values = items(node, "values");
        if inherits.iter().any(|key| key == "environments") {
            own.environment = Some(state.environment.clone());
        }
        if !values.is_empty() {
            let mut loader = Loader {
                reading: self.reading,
                texts,
                environment: self.environment,
                lacking: None,
            };
            let mut handed = loader.handed_down(values, &state.folder, state.start)?;
            if let Some(inherited) = &own.environment {
                let all = merge::values(&inherited.values, &handed.values, merge::Nulls::Yield);
                handed.values = Arc::new(all);
                handed.defaults = inherited.defaults.clone();
            }
            own.environment = Some(handed);
        }
        own.selectors = match node.get("selectors") {
            Some(selectors) if !selectors.is_null() => {
                selectors.items().iter().filter_map(scalar_text).collect()
            }
            _ => given.selectors.clone(),
        };
        let is_inherited = |key: &str| inherits.iter().any(|name| name == key);
        let entries = state.root.entries().iter();
        let kept = entries.filter(|e| is_inherited(&e.key) && &*e.key != "environments");
        let kept: Vec<Entry> = kept.cloned().collect();
        own.sections = (!kept.is_empty()).then(|| merge::map(kept, state.start));
        Ok(own)
    }

    fn release(&self, declared: &Declared, file: &Path) -> Release {
        let root = self.reading.root;
        let files = declared.values.iter().filter_map(|values| match values {
            Values::File { path, .. } => Some(values::from_root(path, root)),
            Values::Inline(_) => None,
        });
        let files: Vec<String> = files.collect();
        let from_root = values::from_root(file, root);
        let chart = declared.content.name.clone().unwrap_or_default();
        let is_named = self.environment != DEFAULT;
        let facts = Facts {
            inherited: is_named.then_some(self.environment),
            said: None,
            values: &files,
            path: None,
            file: &from_root,
            names: &[&declared.name, &declared.name, &chart],
            cluster: match &*declared.kube_context {
                "" => DEFAULT,
                context => context,
            },
            server: "",
        };
        let patterns = &self.reading.setup.config.deployments.environment;
        let environment = environment::name(&facts, patterns);
        Release {
            lacks_values: declared.lacks_values,
            application: declared.name.clone(),
            name: declared.name.clone(),
            identity: environment::without(&environment, &declared.name),
            title: format!("{environment}/{}", declared.name),
            environment,
            namespace: Some(declared.namespace.clone()).filter(|name| !name.is_empty()),
            target: Target {
                project: String::new(),
                server: String::new(),
                cluster: declared.kube_context.clone(),
                span: declared.place,
            },
            content: declared.content.clone(),
            values: declared.values.clone(),
            parameters: declared.parameters.clone(),
            kube_version: declared.kube_version.clone(),
            api_versions: declared.api_versions.clone(),
            place: Place {
                texts: Arc::default(),
                span: declared.place,
            },
            unresolved: declared.unresolved.clone(),
            above: Vec::new(),
            is_own: false,
            is_guess: false,
            has_variables: false,
        }
    }
}

/// A release of which only the place is known.
fn unknown(name: &str, place: Span) -> Declared {
    Declared {
        name: name.to_owned(),
        namespace: String::new(),
        kube_context: String::new(),
        labels: Vec::new(),
        needs: Vec::new(),
        content: Content::default(),
        values: Vec::new(),
        parameters: Vec::new(),
        kube_version: None,
        api_versions: Vec::new(),
        place,
        unresolved: None,
        lacks_values: false,
        is_deployed: true,
    }
}

/// The helmfiles that a path means: those in a folder, or the file itself.
fn helmfiles_in(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_path_buf()];
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let is_meant = |path: &PathBuf| {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let plain = name.strip_suffix(".gotmpl").unwrap_or(&name);
        plain.ends_with(".yaml") || plain.ends_with(".yml")
    };
    let mut found: Vec<PathBuf> = entries
        .map(|entry| path.join(entry.file_name()))
        .filter(is_meant)
        .take(MOST_HELMFILES)
        .collect();
    found.sort();
    found
}

/// What is wrong with the releases of a helmfile as a set: names that stand twice, and needs that
/// name none.
fn together(releases: &[Declared]) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    for (i, release) in releases.iter().enumerate() {
        let is_same = |other: &&Declared| {
            other.name == release.name
                && other.namespace == release.namespace
                && other.kube_context == release.kube_context
                && other.is_deployed
        };
        if release.is_deployed && releases[..i].iter().any(|other| is_same(&other)) {
            let message = format!("the release {} stands twice in this helmfile", release.name);
            wrongs.push(Wrong::new(release.place, message));
        }
        for (need, span) in &release.needs {
            let mut parts = need.rsplit('/');
            let name = parts.next().unwrap_or_default();
            let namespace = parts.next().unwrap_or(&release.namespace);
            let of_name: Vec<&Declared> = releases.iter().filter(|r| r.name == name).collect();
            if of_name.is_empty() {
                let near = did_you_mean(name, releases.iter().map(|r| &*r.name));
                let near = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
                let message = format!("no release of this helmfile has the name {name}{near}");
                wrongs.push(Wrong::new(*span, message));
            } else if let Some(other) = of_name.first()
                && of_name.iter().all(|r| r.namespace != namespace)
            {
                let message = format!(
                    "{need} means a release in the namespace {namespace:?}, but {name} is in {:?}: write {}/{name}",
                    other.namespace, other.namespace
                );
                wrongs.push(Wrong::new(*span, message));
            }
        }
    }
    wrongs
}

/// Whether one of the selectors fits a release; none: all do.
///
/// Source: helmfile's `ParseLabels` and `LabelFilter.Match`.
fn selects(selectors: &[String], release: &Declared) -> bool {
    let chart = release.content.name.as_deref().unwrap_or_default();
    let label = |key: &str| match key {
        "name" => Some(release.name.as_str()),
        "namespace" => Some(release.namespace.as_str()),
        "chart" => Some(chart),
        key => {
            let found = release.labels.iter().find(|(name, _)| name == key);
            found.map(|(_, value)| value.as_str())
        }
    };
    let fits = |selector: &String| {
        selector.split(',').all(|part| match part.split_once("!=") {
            Some((key, value)) => label(key) != Some(value),
            None => part
                .split_once('=')
                .is_none_or(|(key, value)| label(key) == Some(value)),
        })
    };
    selectors.is_empty() || selectors.iter().any(fits)
}
