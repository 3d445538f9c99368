//! Finds the dependencies that a chart's charts/ lacks: what `helm dependency build` would put there,
//! as far as it is on the disk. Nothing is written, and nothing is fetched.
//!
//! Places are searched in this order: the folder of a `file://` repository; a chart of that name
//! elsewhere in the repository; `charts:` of the configuration; Helm's caches. A chart counts only
//! if it has the name and a version that Chart.yaml allows.

mod index;

use crate::go::path;
use crate::go::semver::{Constraint, Version};
use crate::helm::{Chart, Dependency, Error, Loader, metadata::Metadata};
use crate::project::bounds::Bounds;
use crate::project::config::Shelf;
use crate::source::Span;
use crate::source::paths::from_here;
pub(crate) use index::Indexes;
use index::{Extent, Wanted};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A limit on the charts below one chart. Charts that several others depend on would multiply.
const MOST_CHARTS: usize = 1000;
/// A limit on dependencies of dependencies.
const MOST_LEVELS: usize = 64;

/// Where dependencies are looked for.
pub(crate) struct Places<'a> {
    /// `charts:` of the configuration.
    pub shelves: &'a [Shelf],
    pub bounds: &'a Bounds,
    pub indexes: &'a Indexes,
}

/// A dependency that was found outside of charts/.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub name: String,
    pub version: String,
    /// The folder or archive.
    pub path: String,
    /// Where it is declared.
    pub declared: Span,
}

/// Adds the dependencies that charts/ lacks to a chart and to its subcharts, and gives what was
/// added: first the chart's own dependencies, then those of its subcharts. What is not found is noted
/// in [`Chart::not_found`]. `loader` has loaded the chart.
pub(crate) fn resolve(
    chart: &mut Chart,
    path: &Path,
    loader: &mut Loader<'_>,
    places: &Places<'_>,
) -> Vec<Found> {
    let mut resolver = Resolver {
        loader,
        places,
        loaded: FxHashMap::default(),
        above: path.canonicalize().into_iter().collect(),
        found: Vec::new(),
    };
    resolver.complete(chart);
    let mut found = resolver.found;
    let own = chart.metadata.dependencies.iter().flatten().next();
    let own = own.map(|dependency| dependency.span.source);
    found.sort_by_key(|found| Some(found.declared.source) != own);
    found
}

/// The folder of a chart with this name and version that lies in the repository at `root` or in a
/// folder of `charts:` for it. Helm's caches are not searched: what is judged must not depend on
/// them.
pub(crate) fn locate(
    name: &str,
    version: &str,
    repository: &str,
    root: &Path,
    shelves: &[Shelf],
    indexes: &Indexes,
) -> Option<PathBuf> {
    let range = Constraint::parse(version).ok()?;
    let wanted = Wanted {
        name,
        range: &range,
        locked: &[],
        near: root,
    };
    let shelves = shelves.iter().filter(|shelf| shelf.holds(name, repository));
    let shelves = shelves.map(|shelf| (shelf.folder.clone(), Extent::Shelf));
    let mut folders = std::iter::once((from_here(root), Extent::Repository)).chain(shelves);
    folders.find_map(|(folder, extent)| {
        let index = indexes.get(&folder, extent);
        index.matching(&wanted, &mut Vec::new()).into_iter().next()
    })
}

struct Resolver<'r, 's> {
    loader: &'r mut Loader<'s>,
    places: &'r Places<'r>,
    /// The charts that were loaded, with their own dependencies, by path.
    loaded: FxHashMap<PathBuf, Chart>,
    /// The chart whose dependencies are looked for, and the charts that depend on it.
    above: Vec<PathBuf>,
    found: Vec<Found>,
}

impl Resolver<'_, '_> {
    fn complete(&mut self, chart: &mut Chart) {
        // An archive is complete as it is: `helm package` demands it.
        if chart.location.contains('!') {
            return;
        }
        for subchart in &mut chart.subcharts {
            self.complete(subchart);
        }
        let lacking: Vec<Dependency> = chart.missing_dependencies().cloned().collect();
        if lacking.is_empty() {
            return;
        }
        let locked = chart.locked_versions(self.loader.sources);
        let mut charts = chart.walk().len();
        for dependency in &lacking {
            // Several aliases share one chart.
            let is_there = |c: &Chart| {
                c.metadata.name == dependency.name && allows(dependency, &c.metadata.version)
            };
            if chart.subcharts.iter().any(is_there) {
                continue;
            }
            match self.find(chart, dependency, &locked) {
                Ok(subchart) if charts + subchart.walk().len() > MOST_CHARTS => {
                    let why = format!("the chart has more than {MOST_CHARTS} subcharts with it");
                    chart.not_found.push((dependency.name.clone(), why));
                }
                Ok(subchart) => {
                    charts += subchart.walk().len();
                    self.found.push(Found {
                        name: dependency.name.clone(),
                        version: subchart.metadata.version.clone(),
                        path: shown(&subchart.location),
                        declared: dependency.span,
                    });
                    chart.subcharts.push(subchart);
                }
                Err(why) => {
                    let reason = (dependency.name.clone(), why);
                    if !chart.not_found.contains(&reason) {
                        chart.not_found.push(reason);
                    }
                }
            }
        }
    }

    /// The chart of a dependency, with its own dependencies; `Err` says why there is none.
    /// `locked` are the versions of the lock file.
    fn find(
        &mut self,
        chart: &Chart,
        dependency: &Dependency,
        locked: &BTreeMap<String, Vec<String>>,
    ) -> Result<Chart, String> {
        if self.above.len() > MOST_LEVELS {
            return Err(format!("dependencies nest deeper than {MOST_LEVELS}"));
        }
        let range = Constraint::parse(&dependency.version).map_err(|_| {
            format!(
                "its version {:?} is no range of versions",
                dependency.version
            )
        })?;
        if let Some(folder) = dependency.repository.strip_prefix("file://") {
            return self.local(chart, dependency, &range, folder);
        }
        if dependency.repository.is_empty() {
            return Err("it has no `repository`, so it must be in charts/".into());
        }
        let wanted = Wanted {
            name: &dependency.name,
            range: &range,
            locked: locked.get(&dependency.name).map_or(&[], Vec::as_slice),
            near: Path::new(&chart.location),
        };
        let mut others = Vec::new();
        for (folder, extent) in self.places.folders(dependency) {
            let index = self.places.indexes.get(&folder, extent);
            if index.is_cut {
                others.push(format!(
                    "{} has too many files to search all",
                    folder.display()
                ));
            }
            for path in index.matching(&wanted, &mut others) {
                match self.load(&path) {
                    Ok(Some(found)) if is_meant(&found, &wanted) => return Ok(found),
                    Ok(_) => {}
                    Err(error) => others.push(format!(
                        "{} cannot be read: {}",
                        path.display(),
                        error.message
                    )),
                }
            }
        }
        others.truncate(3);
        Err(match others.is_empty() {
            true => "no chart of this name is in the repository, in `charts` of the configuration or in Helm's caches".into(),
            false => format!("no chart is a version {:?} of it ({})", dependency.version, others.join(", ")),
        })
    }

    /// The chart in the folder of a `file://` repository. As in Helm, no other place is searched.
    fn local(
        &mut self,
        chart: &Chart,
        dependency: &Dependency,
        range: &Constraint,
        folder: &str,
    ) -> Result<Chart, String> {
        let path = match folder.starts_with('/') {
            true => path::clean(folder),
            false => path::clean(&format!("{}/{folder}", shown(&chart.location))),
        };
        let is_near = |bound: &PathBuf| {
            Path::new(&path)
                .canonicalize()
                .is_ok_and(|to| to.starts_with(bound))
        };
        if !Path::new(&path).join("Chart.yaml").is_file() {
            return Err(format!("there is no chart at {path}"));
        }
        if !self.places.bounds.local.as_ref().is_some_and(is_near) {
            return Err(format!(
                "{path} is outside of the git work tree and is not read"
            ));
        }
        let found = self
            .load(Path::new(&path))
            .map_err(|error| format!("{path} cannot be read: {}", error.message))?
            .ok_or_else(|| format!("{path} depends on this chart"))?;
        let Metadata { name, version, .. } = &found.metadata;
        if *name != dependency.name {
            return Err(format!("the chart at {path} has the name {name}"));
        }
        if !Version::parse(version).is_ok_and(|version| range.check(&version)) {
            let wanted = &dependency.version;
            return Err(format!(
                "{path} has version {version}, which {wanted:?} does not allow"
            ));
        }
        Ok(found)
    }

    /// Loads a chart with its own dependencies. None if it depends on itself.
    fn load(&mut self, path: &Path) -> Result<Option<Chart>, Error> {
        let real = path.canonicalize().unwrap_or_default();
        if self.above.contains(&real) {
            return Ok(None);
        }
        if let Some(chart) = self.loaded.get(&real) {
            return Ok(Some(chart.clone()));
        }
        let mut chart = self.loader.load(&path.display().to_string())?;
        self.above.push(real.clone());
        self.complete(&mut chart);
        self.above.pop();
        self.loaded.insert(real, chart.clone());
        Ok(Some(chart))
    }
}

impl Places<'_> {
    /// The folders that may contain the chart, in the order in which they are searched.
    fn folders(&self, dependency: &Dependency) -> Vec<(PathBuf, Extent)> {
        let repository = self
            .bounds
            .repository
            .iter()
            .map(|root| (from_here(root), Extent::Repository));
        let shelves = self
            .shelves
            .iter()
            .filter(|shelf| shelf.holds(&dependency.name, &dependency.repository))
            .map(|shelf| (shelf.folder.clone(), Extent::Shelf));
        let caches = helm_caches()
            .into_iter()
            .map(|folder| (folder, Extent::Shelf));
        repository.chain(shelves).chain(caches).collect()
    }
}

fn is_meant(chart: &Chart, wanted: &Wanted<'_>) -> bool {
    let version = Version::parse(&chart.metadata.version);
    chart.metadata.name == wanted.name && version.is_ok_and(|v| wanted.range.check(&v))
}

fn allows(dependency: &Dependency, version: &str) -> bool {
    crate::helm::release::is_compatible(&dependency.version, version)
}

/// The path of a chart, from the prefix of the names of its files.
fn shown(location: &str) -> String {
    let archive = location
        .split_once('!')
        .map_or(location, |(archive, _)| archive);
    match archive.trim_end_matches('/') {
        "" if location.starts_with('/') => "/".into(),
        "" => ".".into(),
        path => path.into(),
    }
}

/// The folders where Helm keeps the charts that it has fetched: Helm 3's archives and Helm 4's store
/// of contents. See Helm's `helmpath.CachePath` and `cli.New`.
fn helm_caches() -> [PathBuf; 2] {
    let variable = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let home = || variable("HOME").unwrap_or_default();
    let cache = variable("HELM_CACHE_HOME").unwrap_or_else(|| {
        let base = variable("XDG_CACHE_HOME").unwrap_or_else(|| {
            if cfg!(target_os = "macos") {
                home().join("Library/Caches")
            } else if cfg!(windows) {
                variable("TEMP").unwrap_or_default()
            } else {
                home().join(".cache")
            }
        });
        base.join("helm")
    });
    [
        variable("HELM_REPOSITORY_CACHE").unwrap_or_else(|| cache.join("repository")),
        variable("HELM_CONTENT_CACHE").unwrap_or_else(|| cache.join("content")),
    ]
}
