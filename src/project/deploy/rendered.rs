//! Renders the charts that declare releases: an app of apps, on any number of levels.

use super::application::Parent;
use super::release::{Declaring, Release};
use super::{Declarations, Fault, MOST_RELEASES, Made, Reading, project};
use crate::Options;
use crate::diagnostic::{Diagnostic, Severity, Versions, ids};
use crate::helm::Environment;
use crate::project::options::Given;
use crate::project::rendering::{RenderedChart, Which};
use crate::source::Sources;
use crate::source::paths::from_here;
use rustc_hash::FxHashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The limit on levels of charts that declare releases of charts.
const MOST_LEVELS: usize = 16;
/// How many releases of a chart are rendered until the limit is looked at.
const BETWEEN_LOOKS: usize = 64;

/// Adds the releases that charts declare. `charts` are those that may declare any.
///
/// A chart is rendered as its releases deploy it. Where no release deploys it, its environments are
/// taken, as for a chart that is linted, because somebody deploys it by hand or by another tool.
pub(super) fn expand(reading: &mut Reading<'_>, charts: &[PathBuf]) {
    let mut expanding = Expanding {
        charts: charts
            .iter()
            .filter_map(|c| c.canonicalize().ok())
            .collect(),
        reading,
    };
    let all = 0..expanding.reading.deployments.releases.len();
    expanding.levels(all);
    let deployed = charts_of(&expanding.reading.deployments.releases);
    let left: Vec<PathBuf> = charts
        .iter()
        .filter_map(|chart| chart.canonicalize().ok())
        .filter(|chart| !deployed.contains(chart))
        .collect();
    let made: Vec<Made> = left
        .iter()
        .map(|chart| {
            let declared = expanding.undeployed(&from_here(chart));
            expanding.reading.make(declared)
        })
        .collect();
    let deployed: Vec<FxHashSet<PathBuf>> = made.iter().map(|m| charts_of(&m.releases)).collect();
    let start = expanding.reading.deployments.releases.len();
    for (i, mut made) in made.into_iter().enumerate() {
        // A chart that one of the others deploys is none of the outermost.
        let mut others = deployed.iter().enumerate().filter(|(other, _)| *other != i);
        if others.any(|(_, charts)| charts.contains(&left[i])) {
            continue;
        }
        // What a chart that deploys itself declares follows from the release.
        if deployed[i].contains(&left[i]) {
            let itself = FxHashSet::from_iter([left[i].clone()]);
            made.releases
                .retain(|release| charts_of([release]) == itself);
        }
        expanding.reading.deployments.take(made);
    }
    expanding.levels(start..expanding.reading.deployments.releases.len());
}

/// The charts that these releases deploy, without links in their paths.
fn charts_of<'r>(releases: impl IntoIterator<Item = &'r Release>) -> FxHashSet<PathBuf> {
    let named: FxHashSet<&Path> = releases
        .into_iter()
        .filter_map(Release::rendered_chart)
        .collect();
    named
        .into_iter()
        .filter_map(|chart| chart.canonicalize().ok())
        .collect()
}

struct Expanding<'e, 'r> {
    /// The charts that may declare releases, without links in their paths.
    charts: FxHashSet<PathBuf>,
    reading: &'e mut Reading<'r>,
}

impl Expanding<'_, '_> {
    /// Adds what the charts of these releases declare, level by level.
    fn levels(&mut self, mut new: Range<usize>) {
        while !new.is_empty() {
            let mut by_chart: Vec<(PathBuf, Vec<Release>)> = Vec::new();
            for release in &self.reading.deployments.releases[new] {
                let chart = release.rendered_chart().and_then(|c| c.canonicalize().ok());
                let Some(chart) = chart.filter(|chart| self.charts.contains(chart)) else {
                    continue;
                };
                match by_chart.iter_mut().find(|(known, _)| *known == chart) {
                    Some((_, releases)) => releases.push(release.clone()),
                    None => by_chart.push((chart, vec![release.clone()])),
                }
            }
            let start = self.reading.deployments.releases.len();
            let chunks = by_chart
                .iter()
                .flat_map(|(_, all)| all.chunks(BETWEEN_LOOKS));
            for releases in chunks {
                if self.are_too_many(&releases[0]) {
                    return;
                }
                let declared = self.deployed(releases.to_vec());
                self.reading.add(declared);
            }
            new = start..self.reading.deployments.releases.len();
        }
    }

    /// The applications that a chart declares as these releases deploy it.
    fn deployed(&mut self, mut releases: Vec<Release>) -> Declarations {
        releases.retain(|release| !self.is_too_deep(release));
        let Some(chart) = releases.first().and_then(Release::rendered_chart) else {
            return Declarations::default();
        };
        let chart = chart.to_path_buf();
        let of = |i: usize, _: &Environment| {
            let release = &releases[i];
            let mut above = release.above.clone();
            above.push((release.application.clone(), chart.clone()));
            Parent {
                environment: Some(release.environment.clone()),
                above,
                is_guess: release.is_guess,
            }
        };
        self.render(&chart, Which::Releases(&releases), &of)
    }

    /// Whether there are so many releases that what this one and further ones declare is not read.
    fn are_too_many(&mut self, release: &Release) -> bool {
        let are_too_many = self.reading.deployments.releases.len() >= MOST_RELEASES;
        if are_too_many {
            let message = format!(
                "charts declare more than {MOST_RELEASES} releases; those that {} and others declare are not read",
                release.application
            );
            self.fault(release, message, "Declare fewer releases.");
        }
        are_too_many
    }

    fn fault(&mut self, release: &Release, message: String, help: &str) {
        let (rule, span) = (ids::DEPLOYMENT_INVALID, release.place.span);
        let found = Diagnostic::new(rule, Severity::Error, span, message);
        self.reading.deployments.faults.push(Fault {
            texts: release.place.texts.clone(),
            diagnostic: found.help(help),
        });
    }

    /// Whether a release lies below so many others that what it declares is not followed.
    fn is_too_deep(&mut self, release: &Release) -> bool {
        if release.above.len() < MOST_LEVELS {
            return false;
        }
        let message = format!(
            "{} is deployed through {MOST_LEVELS} charts, so what it deploys is not followed",
            release.application
        );
        self.fault(release, message, "Deploy it from fewer levels.");
        true
    }

    /// The applications that a chart declares in its own environments. Cases of `ci/` deploy
    /// nothing, and values.yaml alone does only where there is nothing else.
    fn undeployed(&mut self, chart: &Path) -> Declarations {
        let of = |_: usize, environment: &Environment| {
            let is_default = environment.is_defaults();
            Parent {
                environment: (!is_default).then(|| environment.name.clone()),
                above: Vec::new(),
                is_guess: is_default,
            }
        };
        self.render(chart, Which::Undeployed, &of)
    }

    fn render(
        &mut self,
        chart: &Path,
        which: Which<'_>,
        parent: &dyn Fn(usize, &Environment) -> Parent,
    ) -> Declarations {
        let setup = self.reading.setup;
        // What the command line says is for the charts that are linted. What is declared hardly
        // depends on the version.
        let options = Options {
            environments: Vec::new(),
            given: Given::default(),
            kubernetes: Some(Versions::minor(Versions::NEWEST)),
            ..self.reading.options.clone()
        };
        let mut sources = Sources::with(options.unsaved.clone());
        sources.limits = setup.sources.limits.clone();
        sources.limits.begin(options.deadline);
        let mut found = Vec::new();
        let rendered = RenderedChart::of(chart, which, setup, &options, &mut sources, &mut found);
        // What is wrong with the chart is reported where it is linted.
        let Ok(Some(rendering)) = rendered else {
            return Declarations::default();
        };
        let trees = rendering.values.iter().map(|(_, tree)| tree);
        let values = trees.chain(&rendering.handed_over).cloned().collect();
        let texts = Arc::new(Declaring { sources, values });
        let mut declared = Declarations::default();
        for render in &rendering.renders {
            let i = render.environment as usize;
            let parent = parent(i, &rendering.environments[i]);
            if !parent.is_guess {
                self.reading.projects.extend(project::all(&render.objects));
            }
            let root = self.reading.root;
            declared.add(&render.objects, &texts, Some(&parent), root);
        }
        declared
    }
}
