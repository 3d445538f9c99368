//! Which files of a chart, and beside it, are the values of an environment.
//!
//! Without a configuration these are: `default` (values.yaml alone), one for each
//! `values-NAME.yaml`, `values.NAME.yaml` and `values/NAME.yaml`, and a case for each
//! `ci/NAME-values.yaml`. Other names that people use count if the file's keys are values of the
//! chart: `NAME-values.yaml`, and in a folder such as `env` `NAME.yaml` and `NAME/values.yaml`. In
//! the folders above the chart they count if there is no other chart there, and
//! `CHART-values-NAME.yaml` if there is no other chart of that name.

use super::{Environment, joined, sops};
use crate::helm::chart::Chart;
use crate::helm::metadata::Metadata;
use crate::source::paths::work_tree;
use crate::source::{SourceId, Sources};
use crate::yaml;
use crate::yaml::Node;
use rustc_hash::FxHashSet;
use std::cell::OnceCell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Folders of environments' values.
const FOLDERS: [(&str, Certainty); 5] = [
    ("env", Certainty::Likely),
    ("envs", Certainty::Likely),
    ("environments", Certainty::Likely),
    ("config", Certainty::Unsure),
    ("overlays", Certainty::Unsure),
];

/// How many folders above a chart are searched, and how many files there.
const MOST_FOLDERS: usize = 4;
const MOST_FILES: usize = 20_000;

/// What the name of a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Certainty {
    /// It holds values: a case of `ci/`.
    Case,
    /// It holds values.
    Sure,
    /// It holds values if the chart has one of its keys.
    Likely,
    /// It holds values if the chart has most of its keys.
    Unsure,
}

/// A file that may hold the values of an environment.
#[derive(Clone, Debug, PartialEq)]
struct Candidate {
    environment: String,
    /// From the chart's folder.
    file: String,
    certainty: Certainty,
}

/// A file that looks like the values of an environment, but is not taken for one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LeftOut {
    /// The name that the environment would have.
    pub environment: String,
    /// From the chart's folder.
    pub file: String,
    pub why: String,
}

/// Finds the environments that a chart's files declare: `default` first, the others by name, cases
/// last. `path` is where `chart` was loaded from.
pub(crate) fn discover(path: &Path, chart: &Chart, sources: &Sources) -> Vec<Environment> {
    let look = Look::new(path, chart, sources);
    let mut found: Vec<Candidate> = look.inside();
    found.extend(look.above());
    found.retain(|candidate| look.refusal(candidate).is_none());
    found.sort_by(|a, b| {
        let key = |c: &Candidate| {
            let is_case = c.certainty == Certainty::Case;
            (is_case, c.environment.clone(), c.file.clone())
        };
        key(a).cmp(&key(b))
    });
    let mut all = vec![Environment::new("default")];
    for candidate in &found {
        let name = &candidate.environment;
        let collides =
            name == "default" || found.iter().filter(|c| c.environment == *name).count() > 1;
        all.push(Environment {
            is_case: candidate.certainty == Certainty::Case,
            values: vec![joined(&chart.location, &candidate.file)],
            ..Environment::new(if collides { &candidate.file } else { name })
        });
    }
    all
}

/// The files that look like values of environments and are none of `taken`. Searches the whole
/// folder of the chart.
pub(crate) fn left_out(
    path: &Path,
    chart: &Chart,
    sources: &Sources,
    taken: &[Environment],
) -> Vec<LeftOut> {
    let look = Look::new(path, chart, sources);
    let mut candidates = look.inside();
    candidates.extend(look.above());
    for file in look.elsewhere() {
        if candidates.iter().all(|c| c.file != file) {
            candidates.push(Candidate {
                environment: name_of(&file),
                file,
                certainty: Certainty::Unsure,
            });
        }
    }
    candidates.retain(|c| {
        let path = joined(&chart.location, &c.file);
        taken.iter().all(|e| !e.values.contains(&path))
    });
    let mut left: Vec<LeftOut> = Vec::new();
    for candidate in candidates {
        if let Some(why) = look.likeness(&candidate)
            && left.iter().all(|l| l.file != candidate.file)
        {
            left.push(LeftOut {
                environment: candidate.environment,
                file: candidate.file,
                why,
            });
        }
    }
    left.sort_by(|a, b| a.file.cmp(&b.file));
    left
}

/// What is known of a chart while its environments are searched.
struct Look<'c> {
    path: &'c Path,
    chart: &'c Chart,
    sources: &'c Sources,
    /// The names that values of the chart may have.
    keys: OnceCell<FxHashSet<String>>,
}

impl<'c> Look<'c> {
    fn new(path: &'c Path, chart: &'c Chart, sources: &'c Sources) -> Look<'c> {
        Look {
            path,
            chart,
            sources,
            keys: OnceCell::new(),
        }
    }

    /// The candidates inside of the chart. They are looked for on disk, because `.helmignore` may
    /// hide them from Helm, or in the archive.
    fn inside(&self) -> Vec<Candidate> {
        let mut names = Vec::new();
        if self.path.is_dir() {
            let real = self.path.canonicalize().unwrap_or_default();
            let mut folders = ["", "values/", "ci/"].map(String::from).to_vec();
            for (folder, _) in FOLDERS {
                folders.push(format!("{folder}/"));
                let below = folders_below(&self.path.join(folder));
                folders.extend(below.map(|name| format!("{folder}/{name}/")));
            }
            for folder in folders {
                let files = files_in(&self.path.join(&folder), self.sources);
                names.extend(files.map(|file| format!("{folder}{file}")));
            }
            // Loading has refused or followed links that lead out of the chart, unless
            // `.helmignore` hides them. Hidden ones are not read.
            names.retain(|name| {
                let file = self.path.join(name);
                self.sources.is_unsaved_folder(&file) == Some(false)
                    || file
                        .canonicalize()
                        .is_ok_and(|file| file.starts_with(&real))
                    || self.chart.files.iter().any(|f| *f.name == **name)
            });
        } else {
            let own = self.chart.files.iter().filter_map(|f| {
                let name = &self.sources.get(f.source).name;
                name.strip_prefix(&*self.chart.location).map(String::from)
            });
            names.extend(own);
        }
        names.iter().filter_map(|name| candidate(name)).collect()
    }

    /// The candidates in the folders above the chart: inside of its git work tree, else in the next
    /// folder only.
    fn above(&self) -> Vec<Candidate> {
        let mut found = Vec::new();
        let Some(real) = self.path.canonicalize().ok().filter(|real| real.is_dir()) else {
            return found;
        };
        let top = real.parent().and_then(work_tree);
        for (up, folder) in real.ancestors().enumerate().skip(1).take(MOST_FOLDERS) {
            let is_inside = match top {
                Some(top) => folder.starts_with(top),
                None => up == 1,
            };
            // A vendored subchart is linted with its parent.
            if !is_inside || folder.join("Chart.yaml").is_file() {
                break;
            }
            let mut here = self.of_this_chart(folder);
            if top.is_some() {
                here.extend(beside(folder, self.sources));
            }
            if here.is_empty() {
                continue;
            }
            let charts = charts_below(folder);
            let namesakes = charts.iter().filter(|c| self.is_named(c)).count();
            let front = "../".repeat(up);
            for (mut candidate, is_of_this_chart) in here {
                let others = if is_of_this_chart {
                    namesakes
                } else {
                    charts.len()
                };
                if others == 1 {
                    candidate.file = format!("{front}{}", candidate.file);
                    found.push(candidate);
                }
            }
        }
        found
    }

    /// `CHART-values-NAME.yaml` in a folder, with true: the name says that it is for this chart.
    fn of_this_chart(&self, folder: &Path) -> Vec<(Candidate, bool)> {
        let name = &self.chart.metadata.name;
        let of = |file: String| {
            let rest = file.strip_prefix(name.as_str())?.strip_prefix('-')?;
            let environment = candidate(rest).filter(|c| c.certainty == Certainty::Sure)?;
            Some((
                Candidate {
                    file,
                    certainty: Certainty::Likely,
                    ..environment
                },
                true,
            ))
        };
        files_in(folder, self.sources).filter_map(of).collect()
    }

    fn is_named(&self, chart: &Path) -> bool {
        let name = chart.file_name().unwrap_or_default();
        let is_this = || {
            let text = self.sources.read_file(chart.join("Chart.yaml"));
            let metadata = text.ok().and_then(|text| Metadata::parse(&text));
            metadata.is_some_and(|metadata| metadata.name == self.chart.metadata.name)
        };
        *name == *self.chart.metadata.name || is_this()
    }

    /// Other YAML files in the chart's folder, from there.
    fn elsewhere(&self) -> Vec<String> {
        if !self.path.is_dir() {
            return Vec::new();
        }
        let walk = ignore::WalkBuilder::new(self.path)
            .require_git(false)
            .filter_entry(|entry| {
                let name = entry.file_name().to_string_lossy();
                let is_other = ["templates", "crds", "charts", "ci", "tests", "files"];
                entry.depth() != 1 || !is_other.contains(&&*name)
            })
            .build();
        let mut files: Vec<String> = walk
            .flatten()
            .take(MOST_FILES)
            .filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()))
            .filter_map(|entry| {
                let file = entry.path().strip_prefix(self.path).ok()?;
                Some(file.to_string_lossy().replace('\\', "/"))
            })
            .filter(|file| {
                stem(file).is_some_and(|stem| !is_no_environment(stem))
                    && !matches!(&**file, "values.yaml" | "Chart.yaml")
            })
            .collect();
        files.sort();
        files
    }

    /// Whether values of the chart have this key: values.yaml has it, or a template reads it.
    fn is_key(&self, key: &str) -> bool {
        let read = format!(".Values.{key}");
        let reads = |text: &[u8]| memchr::memmem::find(text, read.as_bytes()).is_some();
        let mut templates = self.chart.templates.iter();
        self.keys().contains(key) || templates.any(|t| reads(&self.sources.get(t.source).text))
    }

    /// The names that values of the chart may have: the keys of values.yaml, and the dependencies.
    fn keys(&self) -> &FxHashSet<String> {
        self.keys.get_or_init(|| {
            let values = self
                .chart
                .values
                .iter()
                .flat_map(|(_, node)| node.entries());
            let own = values.map(|entry| entry.key.to_string());
            let dependencies = self.chart.metadata.dependencies.iter().flatten();
            own.chain(dependencies.flat_map(|d| [d.name.clone(), d.alias.clone()]))
                .chain(self.chart.subcharts.iter().map(|c| c.metadata.name.clone()))
                .filter(|key| !key.is_empty())
                .collect()
        })
    }

    /// The number of keys that are values of the chart, and of all keys. None for a file that holds
    /// no map, or that is an object of Kubernetes.
    fn known_keys(&self, node: &Node) -> Option<(usize, usize)> {
        let is_object = node.get("apiVersion").is_some() && node.get("kind").is_some();
        let keys = node.entries().iter().map(|entry| &*entry.key);
        let keys: Vec<&str> = keys
            .filter(|key| *key != sops::KEY && *key != "global")
            .collect();
        let known = keys.iter().filter(|key| self.is_key(key));
        (!is_object && !node.entries().is_empty()).then(|| (known.count(), keys.len()))
    }

    fn read(&self, candidate: &Candidate) -> Option<Node> {
        let path = joined(&self.chart.location, &candidate.file);
        let own = self.chart.files.iter().map(|f| self.sources.get(f.source));
        let own = own.into_iter().find(|s| *s.name == *path);
        let text = match own {
            Some(source) => source.text.to_vec(),
            None => self.sources.read_file(path).ok()?,
        };
        yaml::parse(&text, SourceId::new(0, 0), 0).ok()
    }

    /// Why a candidate is no environment.
    fn refusal(&self, candidate: &Candidate) -> Option<String> {
        let is_certain = candidate.certainty <= Certainty::Sure;
        // A file that is no YAML is taken, so that the fault is reported.
        let Some(node) = self.read(candidate) else {
            return (!is_certain).then(|| "it cannot be read".to_string());
        };
        if sops::is_opaque(&node) {
            return Some("SOPS encrypted it as a whole, so its keys are not known".into());
        }
        if is_certain {
            return None;
        }
        let (known, all) = self.known_keys(&node).unwrap_or((0, 0));
        let is_of_chart = match candidate.certainty {
            _ if all == 0 => false,
            Certainty::Unsure => known * 2 > all,
            _ => known > 0,
        };
        if !is_of_chart {
            return Some(format!("{known} of its {all} keys are values of the chart"));
        }
        let folder = candidate.file.split_once('/').map(|(folder, _)| folder);
        let is_read = folder.is_some_and(|folder| self.reads_files_of(folder));
        is_read.then(|| "templates read the files of this folder".to_string())
    }

    /// Whether a template may read files of this folder of the chart.
    fn reads_files_of(&self, folder: &str) -> bool {
        let has = |text: &[u8], what: &str| memchr::memmem::find(text, what.as_bytes()).is_some();
        let texts = self.chart.templates.iter();
        texts
            .map(|template| &self.sources.get(template.source).text)
            .any(|text| has(text, ".Files") && (has(text, folder) || has(text, "**")))
    }

    /// Why a file that is not taken looks like the values of an environment all the same.
    fn likeness(&self, candidate: &Candidate) -> Option<String> {
        let node = self.read(candidate)?;
        if sops::is_opaque(&node) {
            return self.refusal(candidate);
        }
        let (known, all) = self.known_keys(&node)?;
        let is_like = known * 2 > all || (candidate.certainty < Certainty::Unsure && known > 0);
        let folder = candidate.file.split_once('/').map(|(folder, _)| folder);
        if !is_like || folder.is_some_and(|folder| self.reads_files_of(folder)) {
            return None;
        }
        Some(match (known, all) {
            (1, 1) => "its key is a value of the chart".to_string(),
            _ => format!("{known} of its {all} keys are values of the chart"),
        })
    }
}

/// The candidates in a folder above a chart, with false: their names do not say for which chart.
fn beside(folder: &Path, sources: &Sources) -> Vec<(Candidate, bool)> {
    let mut names: Vec<String> = files_in(folder, sources).collect();
    for (below, _) in FOLDERS {
        let at = folder.join(below);
        names.extend(files_in(&at, sources).map(|file| format!("{below}/{file}")));
        for name in folders_below(&at) {
            let values = ["values.yaml", "values.yml"].map(|file| format!("{below}/{name}/{file}"));
            names.extend(
                values
                    .into_iter()
                    .filter(|file| folder.join(file).is_file()),
            );
        }
    }
    let meant = names.iter().filter_map(|name| candidate(name)).map(|c| {
        let certainty = Certainty::Unsure;
        (Candidate { certainty, ..c }, false)
    });
    meant.collect()
}

/// The names of the files in a folder; none if there is no such folder.
fn files_in(folder: &Path, sources: &Sources) -> impl Iterator<Item = String> + use<> {
    let is_file = |name: &OsString| {
        let file = folder.join(name);
        let unsaved = sources.is_unsaved_folder(&file);
        unsaved.map_or_else(|| file.is_file(), |is_folder| !is_folder)
    };
    let mut names = sources.names_in(folder).unwrap_or_default();
    names.retain(is_file);
    names
        .into_iter()
        .map(|name| name.to_string_lossy().into_owned())
}

fn folders_below(folder: &Path) -> impl Iterator<Item = String> + use<> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
}

/// The folders of all charts below a folder, without subcharts. Where too many files are there to
/// say, none.
fn charts_below(folder: &Path) -> Vec<PathBuf> {
    let walk = ignore::WalkBuilder::new(folder)
        .require_git(false)
        .filter_entry(|entry| {
            let above = entry.path().parent();
            entry.depth() == 0
                || entry.file_name() == "Chart.yaml"
                || !above.is_some_and(|folder| folder.join("Chart.yaml").is_file())
        })
        .build();
    let mut charts = Vec::new();
    for (i, entry) in walk.flatten().enumerate() {
        if i == MOST_FILES {
            return Vec::new();
        }
        if entry.file_name() == "Chart.yaml" {
            charts.extend(entry.path().parent().map(Path::to_path_buf));
        }
    }
    charts
}

/// The name of a YAML file without its extension.
fn stem(file: &str) -> Option<&str> {
    file.strip_suffix(".yaml")
        .or_else(|| file.strip_suffix(".yml"))
}

/// Whether a name says that its file documents or describes values.
fn is_no_environment(name: &str) -> bool {
    let lower = name.to_lowercase();
    let words = ["example", "sample", "schema"];
    words.iter().any(|word| lower.contains(word))
}

/// The environment that the name of a file suggests, where nothing else names it: of
/// `deploy/prod.yaml` `prod`, of `deploy/prod/values.yaml` too.
fn name_of(file: &str) -> String {
    let stem = stem(file).unwrap_or(file);
    let (folders, last) = stem.rsplit_once('/').unwrap_or(("", stem));
    let meaning = match last {
        "values" if !folders.is_empty() => folders.rsplit('/').next().unwrap_or(folders),
        _ => without_values(last).unwrap_or(last),
    };
    meaning.to_string()
}

/// NAME of `values-NAME` and `values.NAME`.
fn after_values(stem: &str) -> Option<&str> {
    stem.strip_prefix("values-")
        .or_else(|| stem.strip_prefix("values."))
}

/// NAME of `values-NAME`, `values.NAME` and `NAME-values`.
fn without_values(stem: &str) -> Option<&str> {
    after_values(stem).or_else(|| stem.strip_suffix("-values"))
}

/// The environment that the name of a file declares; the name is from the folder of a chart.
fn candidate(file: &str) -> Option<Candidate> {
    let stem = stem(file)?;
    if is_no_environment(stem) {
        return None;
    }
    let certainty_of = |folder: &str| FOLDERS.iter().find(|f| f.0 == folder).map(|f| f.1);
    let parts: Vec<&str> = stem.split('/').collect();
    let (environment, certainty) = match parts[..] {
        [stem] => match after_values(stem) {
            Some(name) => (name, Certainty::Sure),
            None => (stem.strip_suffix("-values")?, Certainty::Likely),
        },
        ["values", stem] => (without_values(stem).unwrap_or(stem), Certainty::Sure),
        ["ci", name] if name.ends_with("-values") && name != "-values" => {
            (&stem[..stem.len() - "-values".len()], Certainty::Case)
        }
        [_, "values"] => return None,
        [folder, stem] => (without_values(stem).unwrap_or(stem), certainty_of(folder)?),
        [folder, name, "values"] => (name, certainty_of(folder)?),
        _ => return None,
    };
    (!environment.is_empty()).then(|| Candidate {
        environment: environment.to_string(),
        file: file.to_string(),
        certainty,
    })
}

/// The environment that the name of a values file and of the folders around it declare.
pub(crate) fn named_by(path: &str) -> Option<String> {
    let starts = path.rmatch_indices('/').map(|(at, _)| at + 1).chain([0]);
    // The longest form has three parts.
    let tails = starts.take(3).map(|at| &path[at..]);
    let mut named = tails
        .filter_map(candidate)
        .filter(|c| c.certainty != Certainty::Case);
    named.next().map(|candidate| candidate.environment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_declare_environments() {
        use Certainty::{Case, Likely, Sure, Unsure};
        for (file, want) in [
            ("values-prod.yaml", Some(("prod", Sure))),
            ("values.dev.yml", Some(("dev", Sure))),
            ("values/eu-1.yaml", Some(("eu-1", Sure))),
            ("values/values.prod.yaml", Some(("prod", Sure))),
            ("values/values-dev.yaml", Some(("dev", Sure))),
            ("ci/full-values.yaml", Some(("ci/full", Case))),
            ("prod-values.yaml", Some(("prod", Likely))),
            ("env/prod.yaml", Some(("prod", Likely))),
            ("envs/values-prod.yaml", Some(("prod", Likely))),
            ("environments/prod/values.yaml", Some(("prod", Likely))),
            ("config/prod.yml", Some(("prod", Unsure))),
            ("overlays/prod/values.yaml", Some(("prod", Unsure))),
            ("values.yaml", None),
            ("values-example.yaml", None),
            ("values.schema.yaml", None),
            ("ci/values.yaml", None),
            ("ci/-values.yaml", None),
            ("env/values.yaml", None),
            ("env/prod/secrets.yaml", None),
            ("deploy/prod.yaml", None),
            ("values-.yaml", None),
            ("-values.yaml", None),
            ("secrets-prod.yaml", None),
        ] {
            let found = candidate(file);
            let found = found.as_ref().map(|c| (&*c.environment, c.certainty));
            assert_eq!(found, want, "{file}");
        }
    }

    #[test]
    fn a_file_elsewhere_suggests_a_name() {
        for (file, want) in [
            ("deploy/prod.yaml", "prod"),
            ("deploy/prod/values.yaml", "prod"),
            ("secrets-prod.yaml", "secrets-prod"),
            ("deploy/values-prod.yml", "prod"),
        ] {
            assert_eq!(name_of(file), want);
        }
    }
}
