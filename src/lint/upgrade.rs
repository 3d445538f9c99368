//! Judges the upgrade from an earlier revision of a chart, environment by environment.

use super::Analysis;
use crate::diagnostic::{Diagnostic, Severity, ids};
use crate::helm::metadata;
use crate::insight::diff::Deployment;
use crate::insight::upgrade;
use crate::project::commit::Copy;
use crate::project::setup::Setup;
use crate::project::since::Since;
use crate::project::unit::Unit;
use crate::report::settle::settle;
use crate::report::{Finding, suppress};
use crate::source::SourceId;
use crate::{Error, Options, yaml};
use std::path::Path;

/// The findings about the upgrades from one deployment to another: one pair for each environment,
/// all of them of the same two revisions. Findings that the configuration or a comment in the new
/// revision leaves out are not among them.
pub(crate) fn findings(pairs: &[(Deployment<'_>, Deployment<'_>)], setup: &Setup) -> Vec<Finding> {
    let Some((_, to)) = pairs.first() else {
        return Vec::new();
    };
    let mut findings = settled(pairs, Vec::new(), setup);
    suppress::apply(
        &mut findings,
        &suppress::comments(to.sources),
        &setup.config.suppress,
        &setup.used,
        // A suppression without effect here may have one in a lint.
        &mut Vec::new(),
    );
    findings
}

/// The findings about the pairs, and further ones about the new revision.
fn settled(
    pairs: &[(Deployment<'_>, Deployment<'_>)],
    more: Vec<Diagnostic>,
    setup: &Setup,
) -> Vec<Finding> {
    let Some((_, to)) = pairs.first() else {
        return Vec::new();
    };
    let judged = pairs.iter().flat_map(|(from, to)| upgrade::judge(from, to));
    let chosen = judged.chain(more).filter_map(|found| setup.chosen(found));
    let environments = to.rendering.environment_names();
    settle(chosen.collect(), to.sources, to.secrets, &environments)
}

/// Adds the findings about the upgrade of a chart from the commit of `--since`.
///
/// # Errors
/// If the chart of the commit cannot be read.
pub(super) fn since(
    analysis: &mut Analysis,
    chart: &Path,
    since: &Since,
    setup: &Setup,
    options: &Options,
) -> Result<(), Error> {
    let failed = |why: String| Error::Unreadable(chart.to_path_buf(), why);
    let Some(rendering) = &analysis.rendering else {
        return Ok(());
    };
    if !chart.is_dir() {
        return Ok(());
    }
    // A new chart is upgraded from nowhere.
    let Some(before) = since.chart_yaml(chart).map_err(failed)? else {
        return Ok(());
    };
    let is_deployed = rendering.is_deployed();
    let copy = Copy::of(since.commit(), chart, &options.config, is_deployed).map_err(failed)?;
    let alone = Options {
        since: None,
        ..options.clone()
    };
    let of_copy = Setup::new(copy.configuration.as_deref(), &alone)?;
    let old = super::read(&Unit::Chart(copy.chart.clone()), &of_copy, &alone)?;
    let Some(earlier) = &old.rendering else {
        return Ok(());
    };
    let start = format!("{}/", copy.folder.path().display());
    let called = format!("{}:", since.name);
    let pairs: Vec<_> = rendering
        .environment_names()
        .iter()
        .map(|name| {
            let index =
                |names: &[crate::helm::Environment]| names.iter().position(|e| *e.name == **name);
            let from = Deployment {
                rendering: earlier,
                sources: &old.sources,
                secrets: &old.secrets,
                environment: index(&earlier.environments),
                called: (&start, &called),
            };
            let to = Deployment {
                rendering,
                sources: &analysis.sources,
                secrets: &analysis.secrets,
                environment: index(&rendering.environments),
                called: ("", ""),
            };
            (from, to)
        })
        .collect();
    let mut more = Vec::new();
    if since.files_in(chart).next().is_some() {
        more.extend(version(analysis, &before, &since.name));
    }
    let found = settled(&pairs, more, setup);
    analysis.report.findings.extend(found);
    Ok(())
}

/// A changed chart whose version is the one of before, or a lower one.
fn version(analysis: &Analysis, before: &[u8], name: &str) -> Option<Diagnostic> {
    let (_, node) = analysis.rendering.as_ref()?.chart.chart_yaml.as_ref()?;
    let now = node.get("version")?.as_str()?;
    let old = yaml::parse(before, SourceId::new(0, 0), 0).ok()?;
    let old = old.get("version")?.as_str()?;
    let parsed = |text: &str| semver::Version::parse(text.trim_start_matches('v')).ok();
    let is_raised = match (parsed(old), parsed(now)) {
        (Some(old), Some(now)) => now > old,
        _ => now != old,
    };
    let message = match now == old {
        true => format!("the chart has changed since {name}, but its version is still {now}"),
        false => format!("the version {now} is lower than {old}, which it was in {name}"),
    };
    let span = metadata::value_span(node, "version")?;
    let found = Diagnostic::new(
        ids::CHART_VERSION_NOT_BUMPED,
        Severity::Warning,
        span,
        message,
    );
    (!is_raised).then(|| {
        found.help("raise `version` in Chart.yaml: a repository of charts takes each version once")
    })
}
