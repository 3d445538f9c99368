//! What a repository deploys: releases, each in an environment, as the files of Argo CD, Flux and
//! helmfile declare them. Nothing is fetched, and nothing is asked of a cluster.
//!
//! | file | what it does |
//! |---|---|
//! | `release` | the model: a release, and where each part of it is declared |
//! | `find` | finds the files that declare releases, and the charts that render such objects |
//! | `repository` | whether a URL means this repository |
//! | `application` | reads an Application |
//! | `values` | the values that a release gets: files, and texts in its declaration |
//! | `set` | reads the ApplicationSets; `generator` makes their parameters, `fill` fills them in |
//! | `project` | what AppProjects allow |
//! | `helmfile` | reads helmfiles |
//! | `kustomized` | builds the overlays that declare releases |
//! | `flux` | reads the Kustomizations and HelmReleases of Flux, with what the former apply |
//! | `environment` | what environments are called |
//! | `rendered` | renders the charts that declare releases: apps of apps |
//! | `hand_over` | gives the releases of a chart to its unit, as environments |
//!
//! Another way to declare releases is another reader that makes an [`application::App`], or a
//! [`Release`] where that is no `Application`.

mod application;
mod environment;
mod fill;
mod find;
mod flux;
mod generator;
mod hand_over;
mod helmfile;
mod kustomized;
mod project;
mod release;
mod rendered;
mod repository;
mod set;
mod values;

pub(crate) use hand_over::HandOver;
pub(crate) use release::{Declaring, Release, Values};

use crate::Options;
use crate::diagnostic::Diagnostic;
use crate::limits::Limit;
use crate::manifest::Object;
use crate::project::listing::Listing;
use crate::project::setup::Setup;
use crate::source::paths::{from_here, work_tree};
use crate::source::{Source, Sources, Unsaved};
use application::{App, Parent};
use generator::Cluster;
use project::Project;
use release::Place;
use repository::Repository;
use rustc_hash::{FxHashMap, FxHashSet};
use set::Set;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

/// The limit on releases that generators and charts make in a repository; what exceeds it is not read.
const MOST_RELEASES: usize = 10_000;

/// All templates of a repository's declarations may take so many times the steps that one template may
/// take.
const TEMPLATES: u64 = 5;

/// All that a repository deploys.
#[derive(Debug, Default)]
pub(crate) struct Deployments {
    root: PathBuf,
    /// Sorted by environment and name.
    pub releases: Vec<Release>,
    /// What is wrong with the declarations.
    pub faults: Vec<Fault>,
    /// The releases of each chart that can be rendered, by the chart's folder without links.
    of_charts: FxHashMap<PathBuf, Vec<usize>>,
    /// The charts of all releases that are known to be deployed, also of those that cannot be
    /// rendered.
    deployed: FxHashSet<PathBuf>,
}

/// What is wrong with a declaration.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub texts: Arc<Declaring>,
    pub diagnostic: Diagnostic,
}

impl Deployments {
    /// Reads what the repository at `root` deploys.
    fn of(root: &Path, setup: &Setup, options: &Options) -> Deployments {
        let listing = options.reuse.indexes.listings.get(&from_here(root));
        let found = find::find(&from_here(root), &listing, options);
        let mut reading = Reading {
            root,
            setup,
            options,
            repository: Repository::new(root),
            steps: Rc::new(Cell::new(
                setup
                    .sources
                    .limits
                    .get(Limit::TemplateSteps)
                    .saturating_mul(TEMPLATES),
            )),
            clusters: Vec::new(),
            projects: Vec::new(),
            listing,
            deployments: Deployments {
                root: root.to_path_buf(),
                ..Deployments::default()
            },
        };
        let kustomizations = kustomized::kustomizations(root, &reading.listing.files);
        let patterns = &setup.config.deployments.environment;
        let overlays = kustomized::overlays(
            &kustomizations,
            &found.argo,
            root,
            &reading.sources(),
            patterns,
        );
        // An Application that an overlay takes is what the overlay makes of it.
        let is_taken = |file: &Path| {
            let key = Unsaved::key(file);
            kustomizations.role_of(file).is_some()
                || overlays.iter().any(|o| o.files.contains(&key))
        };
        let texts = found.files.iter().filter_map(|file| {
            let (texts, objects) = Declaring::file(file, reading.sources())?;
            Some((file, texts, objects))
        });
        let texts: Vec<_> = texts.collect();
        let mut declared = Declarations::default();
        let mut flux = flux::Flux::default();
        for (file, texts, objects) in texts {
            reading.clusters.extend(set::clusters(&objects));
            reading.projects.extend(project::all(&objects));
            let texts = Arc::new(texts);
            if !is_taken(file) {
                declared.add(&objects, &texts, None, root);
            }
            flux.add(&objects, &texts, root);
        }
        for overlay in &overlays {
            let parent = Parent {
                environment: overlay.environment.clone(),
                ..Parent::default()
            };
            declared.add(&overlay.objects, &overlay.texts, Some(&parent), root);
        }
        reading.add(declared);
        let of_helmfiles = helmfile::all(&reading);
        reading.deployments.take(of_helmfiles);
        flux.expand(&mut reading, kustomizations, &found.maps);
        rendered::expand(&mut reading, &found.charts);
        reading.finish()
    }

    /// What the repository that contains a path deploys; without git, what the path does. Only what
    /// is declared below the path.
    pub(crate) fn below(path: &Path, setup: &Setup, options: &Options) -> Deployments {
        let real = path.canonicalize().unwrap_or_default();
        let root = work_tree(&real).unwrap_or(&real).to_path_buf();
        let mut deployments = Deployments::of(&root, setup, options);
        let is_below = |place: &Place| {
            let file = Path::new(&place.locate().0).canonicalize();
            file.is_ok_and(|file| file.starts_with(&real))
        };
        deployments
            .releases
            .retain(|release| is_below(&release.place));
        deployments.faults.retain(|fault| is_below(&fault.place()));
        deployments
    }

    /// The charts of the releases that can be rendered.
    pub(crate) fn charts(&self) -> impl Iterator<Item = &Path> {
        self.releases.iter().filter_map(Release::rendered_chart)
    }

    /// Those that lie outside of the repository.
    pub(crate) fn charts_elsewhere(&self) -> impl Iterator<Item = &Path> {
        self.charts().filter(|chart| {
            let real = chart.canonicalize();
            !self.root.as_os_str().is_empty() && real.is_ok_and(|c| !c.starts_with(&self.root))
        })
    }

    /// Whether the chart at a path is deployed, even if that cannot be rendered.
    pub(crate) fn deploys(&self, path: &Path) -> bool {
        path.canonicalize()
            .is_ok_and(|path| self.deployed.contains(&path))
    }

    fn take(&mut self, made: Made) {
        self.releases.extend(made.releases);
        self.faults.extend(made.faults);
    }

    /// The releases of the chart at a path that can be rendered.
    pub(crate) fn of_chart(&self, path: &Path) -> impl Iterator<Item = &Release> {
        let key = path.canonicalize().unwrap_or_default();
        let numbers = self.of_charts.get(&key);
        numbers.into_iter().flatten().map(|&i| &self.releases[i])
    }
}

impl Fault {
    pub(crate) fn place(&self) -> Place {
        Place {
            texts: self.texts.clone(),
            span: self.diagnostic.span,
        }
    }
}

/// Releases, and what is wrong with their declarations.
#[derive(Clone, Debug, Default)]
struct Made {
    releases: Vec<Release>,
    faults: Vec<Fault>,
}

/// Deployments while they are read.
struct Reading<'r> {
    root: &'r Path,
    setup: &'r Setup,
    options: &'r Options,
    repository: Repository,
    /// How many steps the templates of all declarations may still take.
    steps: Rc<Cell<u64>>,
    /// The clusters that files register.
    clusters: Vec<Cluster>,
    projects: Vec<Project>,
    listing: Arc<Listing>,
    deployments: Deployments,
}

/// What objects declare.
#[derive(Debug, Default)]
struct Declarations {
    apps: Vec<App>,
    sets: Vec<Set>,
}

impl Declarations {
    /// Adds what objects of a text declare. `parent` is the release that rendered it.
    fn add(
        &mut self,
        objects: &[Object],
        texts: &Arc<Declaring>,
        parent: Option<&Parent>,
        root: &Path,
    ) {
        self.apps
            .extend(application::all(objects, texts, parent, root));
        self.sets.extend(set::all(objects, texts, parent));
    }

    /// The URLs and paths of sources.
    fn places(&self) -> impl Iterator<Item = (String, String)> {
        let of_sets = self.sets.iter().flat_map(Set::places);
        self.apps.iter().flat_map(App::places).chain(of_sets)
    }
}

impl Reading<'_> {
    /// Texts of their own, with the limits of the run.
    fn sources(&self) -> Sources {
        let mut sources = Sources::with(self.options.unsaved.clone());
        sources.limits = self.setup.sources.limits.clone();
        sources
    }

    /// The releases that are declared.
    fn make(&mut self, declared: Declarations) -> Made {
        self.repository.learn(declared.places());
        let mut made = Made::default();
        let mut apps = declared.apps;
        for set in &declared.sets {
            if self.deployments.releases.len() + apps.len() >= MOST_RELEASES {
                let why = format!("the repository declares more than {MOST_RELEASES} releases");
                set.unknown(why, self, &mut made);
            } else {
                apps.extend(set.apps(self, &mut made));
            }
        }
        apps.iter().for_each(|app| app.releases(self, &mut made));
        made
    }

    /// Adds the releases that are declared.
    fn add(&mut self, declared: Declarations) {
        let made = self.make(declared);
        self.deployments.take(made);
    }

    fn finish(self) -> Deployments {
        let mut deployments = self.deployments;
        release::leave_out_guesses(&mut deployments.releases);
        let denied = project::faults(&self.projects, &deployments.releases);
        deployments.faults.extend(denied);
        deployments.releases.sort_by(|a, b| {
            let key = |r: &Release| (r.environment.clone(), r.name.clone(), r.application.clone());
            key(a).cmp(&key(b))
        });
        release::tell_apart(&mut deployments.releases);
        values::mark_shared(&mut deployments.releases);
        let known = deployments
            .releases
            .iter()
            .filter(|release| !release.is_guess);
        let known = known.filter_map(|release| release.content.path.as_ref()?.canonicalize().ok());
        deployments.deployed = known.collect();
        for (i, release) in deployments.releases.iter().enumerate() {
            let key = release.rendered_chart().and_then(|c| c.canonicalize().ok());
            if let Some(key) = key {
                deployments.of_charts.entry(key).or_default().push(i);
            }
        }
        deployments
    }
}

/// The repository that a path lies in, and the configuration file.
type Key = (PathBuf, Option<PathBuf>);

/// The deployments that were read in this run.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<FxHashMap<Key, Arc<Deployments>>>);

impl Known {
    /// What the repository of a path deploys; nothing where the configuration says so, or where
    /// there is no repository.
    pub(crate) fn around(&self, path: &Path, setup: &Setup, options: &Options) -> Arc<Deployments> {
        if let Some(deployments) = self.of_chart_elsewhere(path) {
            return deployments;
        }
        let root = setup.bounds(path).repository;
        let Some(root) = root.filter(|_| setup.config.deployments.are_read) else {
            return Arc::default();
        };
        let file = setup
            .config
            .source
            .map(|id| setup.sources.get(id).name.to_string());
        let key = (root.clone(), file.map(PathBuf::from));
        let known = |known: &Mutex<FxHashMap<_, _>>| {
            let known = known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(&key).cloned()
        };
        // Reading renders charts in parallel, which nobody may do who holds the lock.
        if let Some(deployments) = known(&self.0) {
            return deployments;
        }
        let read = Arc::new(Deployments::of(&root, setup, options));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(key).or_insert(read).clone()
    }

    /// What deploys a chart that lies outside of the repository that deploys it.
    fn of_chart_elsewhere(&self, path: &Path) -> Option<Arc<Deployments>> {
        let key = path.canonicalize().ok()?;
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut deploying = known.values().filter(|d| d.of_charts.contains_key(&key));
        deploying.find(|d| !key.starts_with(&d.root)).cloned()
    }

    /// Forgets what was read from files that have changed since. New files are not noticed.
    pub(crate) fn forget_changed(&self, unsaved: &Unsaved) {
        let sources = Sources::with(unsaved.clone());
        let is_same = |(_, file): (_, &Source)| {
            let is_file = file.kind.is_file() && !file.name.contains('!');
            !is_file
                || sources
                    .read_file(&*file.name)
                    .is_ok_and(|text| text == *file.text)
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, deployments| {
            let mut texts: Vec<&Arc<Declaring>> = Vec::new();
            for release in &deployments.releases {
                if !texts
                    .iter()
                    .any(|known| Arc::ptr_eq(known, &release.place.texts))
                {
                    texts.push(&release.place.texts);
                }
            }
            texts.iter().all(|texts| texts.sources.files().all(is_same))
        });
    }

    /// Forgets what was read, because files may have changed.
    pub(crate) fn forget(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}
