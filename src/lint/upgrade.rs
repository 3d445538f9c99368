//! Judges the upgrade from an earlier revision of a chart, environment by environment.

use crate::insight::diff::Deployment;
use crate::insight::upgrade;
use crate::project::setup::Setup;
use crate::report::settle::settle;
use crate::report::{Finding, suppress};

/// The findings about the upgrades from one deployment to another: one pair for each environment,
/// all of them of the same two revisions. Findings that the configuration or a comment in the new
/// revision leaves out are not among them.
pub(crate) fn findings(pairs: &[(Deployment<'_>, Deployment<'_>)], setup: &Setup) -> Vec<Finding> {
    let Some((_, to)) = pairs.first() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (from, to) in pairs {
        for mut diagnostic in upgrade::judge(from, to) {
            let severity = setup.severity_of(&diagnostic.rule, diagnostic.severity);
            if let Some(severity) = severity {
                diagnostic.severity = severity;
                found.push(diagnostic);
            }
        }
    }
    let environments = to.rendering.environment_names();
    let mut findings = settle(found, to.sources, to.secrets, &environments);
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
