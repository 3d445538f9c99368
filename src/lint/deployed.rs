//! What the repositories of the units deploy: it is read before the units, which it gives their
//! environments, and what is wrong with the declarations is reported.

use crate::Options;
use crate::diagnostic::Diagnostic;
use crate::insight::secrets::Secrets;
use crate::project::deploy::{Declaring, Deployments, Fault, Release};
use crate::project::setup::{Setup, Setups};
use crate::project::unit::Unit;
use crate::report::settle::settle;
use crate::report::{Report, suppress};
use rustc_hash::FxHashMap;
use std::path::Path;
use std::sync::Arc;

/// Reads what the repositories of the units deploy, each once, with the number of its first unit.
pub(super) fn read(
    units: &[Unit],
    setups: &Setups,
    options: &Options,
) -> Vec<(usize, Arc<Deployments>)> {
    let mut all: Vec<(usize, Arc<Deployments>)> = Vec::new();
    for (i, unit) in units.iter().enumerate() {
        let path = match unit {
            Unit::Chart(path) => path.as_path(),
            Unit::Manifests(manifests) => match manifests.files.first() {
                Some(file) => file.as_path(),
                None => continue,
            },
            Unit::Stdin => continue,
        };
        let read = options
            .reuse
            .deployments
            .around(path, setups.of(i), options);
        if all.iter().all(|(_, known)| !Arc::ptr_eq(known, &read)) {
            all.push((i, read));
        }
    }
    all
}

/// The charts outside of their repositories that releases need.
pub(super) fn charts_elsewhere(
    deployed: &[(usize, Arc<Deployments>)],
    units: &[Unit],
) -> Vec<Unit> {
    let mut charts: Vec<Unit> = Vec::new();
    for chart in deployed.iter().flat_map(|(_, all)| all.charts_elsewhere()) {
        let unit = Unit::Chart(chart.to_path_buf());
        if !units.contains(&unit) && !charts.contains(&unit) {
            charts.push(unit);
        }
    }
    charts
}

/// What is wrong with the declarations below the paths of the command line, and how many releases
/// cannot be rendered.
pub(super) fn report(deployed: &[(usize, Arc<Deployments>)], setups: &Setups) -> Report {
    let mut report = Report::default();
    for (unit, all) in deployed {
        let setup = setups.of(*unit);
        let is_meant = |file: &str| {
            let file = Path::new(file).canonicalize().unwrap_or_default();
            file.ancestors().any(|path| setup.given.contains(path))
        };
        let is_open = |release: &&Release| {
            release.unresolved.is_some() && is_meant(&release.place.locate().0)
        };
        report.summary.not_resolved += all.releases.iter().filter(is_open).count();
        let meant = |fault: &&Fault| is_meant(&fault.place().locate().0);
        for (texts, found) in by_texts(all.faults.iter().filter(meant)) {
            let found = found.into_iter().filter_map(|found| setup.chosen(found));
            report.merge(findings(texts, found.collect(), setup));
        }
    }
    report
}

/// The faults of each text that declares releases.
fn by_texts<'f>(faults: impl Iterator<Item = &'f Fault>) -> Vec<(&'f Declaring, Vec<Diagnostic>)> {
    let mut all: Vec<(&Declaring, Vec<Diagnostic>)> = Vec::new();
    let mut known: FxHashMap<*const Declaring, usize> = FxHashMap::default();
    for fault in faults {
        let i = *known.entry(Arc::as_ptr(&fault.texts)).or_insert(all.len());
        if i == all.len() {
            all.push((&fault.texts, Vec::new()));
        }
        all[i].1.push(fault.diagnostic.clone());
    }
    all
}

fn findings(texts: &Declaring, found: Vec<Diagnostic>, setup: &Setup) -> Report {
    let mut report = Report::default();
    let sources = &texts.sources;
    report.findings = settle(found, sources, &Secrets::of_files(sources), &[]);
    report.summary.suppressed = suppress::apply(
        &mut report.findings,
        &suppress::comments(sources),
        &setup.config.suppress,
        &setup.used,
        // Which comments of a template suppress nothing is said where its chart is linted.
        &mut Vec::new(),
    );
    report
}
