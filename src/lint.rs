//! The pipeline on one screen: load, render every environment, read manifests, judge, apply rules, settle.

use crate::config::{self, Config};
use crate::diagnostic::Diagnostic;
use crate::manifest::{self, Object};
use crate::report::{self, Report};
use crate::source::{Source, SourceKind, Sources};
use crate::unit::{self, Unit};
use crate::{ConfigChoice, Error, Options};
use rayon::prelude::*;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// Lints every unit that the paths stand for.
///
/// # Errors
/// Where a path, a configuration or a baseline cannot be read, or a name given on the command line is not known.
pub fn lint(options: &Options) -> Result<Report, Error> {
    let start = std::time::Instant::now();
    let units = unit::discover(&options.paths)?;
    let reports: Result<Vec<Report>, Error> = units.par_iter().map(|unit| lint_unit(unit, options)).collect();
    let mut report = Report::default();
    reports?.into_iter().for_each(|r| report.merge(r));
    if let Some(file) = &options.baseline {
        let text = std::fs::read_to_string(file).map_err(|e| Error::Unreadable(file.clone(), e.to_string()))?;
        report::baseline::apply(&text, &mut report).map_err(|why| Error::Usage(format!("{}: {why}", file.display())))?;
    }
    report.sort();
    report.summary.elapsed = start.elapsed();
    Ok(report)
}

fn lint_unit(unit: &Unit, options: &Options) -> Result<Report, Error> {
    let mut sources = Sources::default();
    let mut found = Vec::new();
    let config = configuration(unit, options, &mut sources, &mut found)?;
    match unit {
        Unit::Chart(_path) => todo!(),
        Unit::Manifests(files) => {
            let mut objects = Vec::new();
            for file in files {
                let text = std::fs::read(file).map_err(|e| Error::Unreadable(file.clone(), e.to_string()))?;
                objects.extend(read_manifest(&file.display().to_string(), text, &mut sources, &mut found));
            }
            lint_manifests(objects, sources, found, &config, options)
        }
        Unit::Stdin => {
            let mut text = Vec::new();
            std::io::stdin().read_to_end(&mut text).map_err(|e| Error::Unreadable("-".into(), e.to_string()))?;
            let objects = read_manifest("<stdin>", text, &mut sources, &mut found);
            lint_manifests(objects, sources, found, &config, options)
        }
    }
}

fn configuration(unit: &Unit, options: &Options, sources: &mut Sources, found: &mut Vec<Diagnostic>) -> Result<Config, Error> {
    let file = match (&options.config, unit) {
        (ConfigChoice::None, _) => None,
        (ConfigChoice::File(file), _) => Some(file.clone()),
        (ConfigChoice::Search, Unit::Chart(path)) => config::find(path),
        (ConfigChoice::Search, Unit::Manifests(files)) => files.first().and_then(|file| config::find(file)),
        (ConfigChoice::Search, Unit::Stdin) => config::find(Path::new(".")),
    };
    let Some(file) = file else { return Ok(Config::default()) };
    config::load(&file, sources, found).map_err(|e| Error::Unreadable(file, e.to_string()))
}

fn read_manifest(name: &str, text: Vec<u8>, sources: &mut Sources, found: &mut Vec<Diagnostic>) -> Vec<Object> {
    let source = sources.add(Source::new(name, text, SourceKind::File));
    manifest::read(sources, source, &Arc::from(name), None, found)
}

fn lint_manifests(objects: Vec<Object>, sources: Sources, found: Vec<Diagnostic>, config: &Config, _options: &Options) -> Result<Report, Error> {
    let findings = report::settle(found, &sources, &[], true, &|_| Arc::from("kubernetes"));
    let mut report = Report { findings, fail_on: config.fail_on, ..Report::default() };
    report.summary.objects = objects.len();
    Ok(report)
}
