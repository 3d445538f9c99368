//! Rules in Rust: those that compare objects or environments, and those that would be unreadable in
//! CEL. Each has a YAML file like any other rule, with `native: true`, and a row in the table of
//! its group's module.
//!
//! Rules without a row are reported by `kubernetes`, `manifest`, `helm`, `insight`, `project`,
//! `report` or `rule`: search for `ids::X`, where X is the id in capitals
//! (`ids::VALUES_SCHEMA`).

mod artifacthub;
mod availability;
mod chart;
mod environments;
mod hygiene;
mod networking;
mod ports;
mod probes;
mod rbac;
pub(crate) mod secrets;
mod security;
mod storage;
mod template;
mod values;

pub(crate) use environments::is_stage;

use super::pod::{Container, Pod};
use super::{Environment, ObjectSet, Rule};
use crate::diagnostic::{Diagnostic, RuleId, Severity};
use crate::helm::Chart;
use crate::manifest::{Object, Violation};
use crate::source::{Sources, Span};
use crate::yaml::Path;

/// The function of a rule, by its scope. A rule about pods is an `Object`: its function finds the
/// pod with [`super::pod::pod`].
#[derive(Clone, Copy)]
pub(crate) enum Check {
    Object(fn(&mut Report<'_>, &Object)),
    Container(fn(&mut Report<'_>, &Object, &Pod<'_>, &Container<'_>)),
    Unit(fn(&mut UnitReport<'_>, &ObjectSet<'_>)),
    Environments(fn(&mut EnvironmentsReport<'_>, &[Environment<'_>])),
    Chart(fn(&mut ChartReport<'_>, &Chart, &Sources)),
}

type Table = &'static [(RuleId, Check)];

const TABLES: &[Table] = &[
    artifacthub::TABLE,
    availability::TABLE,
    chart::TABLE,
    environments::TABLE,
    hygiene::TABLE,
    hygiene::hooks::TABLE,
    hygiene::configs::TABLE,
    hygiene::references::TABLE,
    networking::TABLE,
    ports::TABLE,
    probes::TABLE,
    rbac::TABLE,
    secrets::TABLE,
    security::TABLE,
    storage::TABLE,
    template::TABLE,
    values::TABLE,
];

/// The function of a rule. `None` if another module reports the rule.
pub(crate) fn find(id: &str) -> Option<Check> {
    TABLES
        .iter()
        .flat_map(|t| t.iter())
        .find(|(name, _)| **name == *id)
        .map(|(_, check)| *check)
}

/// The ids of all rules with a function here.
#[cfg(test)]
pub(crate) fn ids() -> impl Iterator<Item = &'static RuleId> {
    TABLES.iter().flat_map(|t| t.iter()).map(|(id, _)| id)
}

/// Collects the findings of a rule about one object.
pub(crate) struct Report<'r> {
    pub rule: &'r Rule,
    found: &'r mut Vec<Violation>,
}

impl<'r> Report<'r> {
    pub(crate) fn new(rule: &'r Rule, found: &'r mut Vec<Violation>) -> Report<'r> {
        Report { rule, found }
    }
    pub(crate) fn add(&mut self, path: Path, message: impl Into<String>) {
        self.found.push(self.rule.violation(path, message.into()));
    }
}

/// Collects the findings of a rule about the objects of a unit.
pub(crate) struct UnitReport<'r> {
    pub rule: &'r Rule,
    found: &'r mut Vec<(usize, Violation)>,
}

impl<'r> UnitReport<'r> {
    pub(crate) fn new(rule: &'r Rule, found: &'r mut Vec<(usize, Violation)>) -> UnitReport<'r> {
        UnitReport { rule, found }
    }
    pub(crate) fn add(&mut self, object: usize, path: Path, message: impl Into<String>) {
        self.found
            .push((object, self.rule.violation(path, message.into())));
    }
    /// Adds a finding that is an info, whatever the severity of the rule.
    pub(crate) fn add_info(&mut self, object: usize, path: Path, message: impl Into<String>) {
        let mut violation = self.rule.violation(path, message.into());
        violation.severity = Severity::Info;
        self.found.push((object, violation));
    }
}

/// Collects the findings of a rule about the objects of several environments.
pub(crate) struct EnvironmentsReport<'r> {
    pub rule: &'r Rule,
    found: &'r mut Vec<(usize, usize, Violation)>,
}

impl<'r> EnvironmentsReport<'r> {
    pub(crate) fn new(
        rule: &'r Rule,
        found: &'r mut Vec<(usize, usize, Violation)>,
    ) -> EnvironmentsReport<'r> {
        EnvironmentsReport { rule, found }
    }
    pub(crate) fn add(
        &mut self,
        environment: usize,
        object: usize,
        path: Path,
        message: impl Into<String>,
    ) {
        self.found.push((
            environment,
            object,
            self.rule.violation(path, message.into()),
        ));
    }
}

/// Collects the findings of a rule about the files of a chart.
pub(crate) struct ChartReport<'r> {
    pub rule: &'r Rule,
    found: &'r mut Vec<Diagnostic>,
}

impl<'r> ChartReport<'r> {
    pub(crate) fn new(rule: &'r Rule, found: &'r mut Vec<Diagnostic>) -> ChartReport<'r> {
        ChartReport { rule, found }
    }
    pub(crate) fn add(&mut self, span: Span, message: impl Into<String>) {
        let rule = self.rule;
        self.found.push(
            Diagnostic::new(rule.definition.id.clone(), rule.severity, span, message)
                .help(&*rule.definition.fix),
        );
    }
}

impl Rule {
    /// A parameter as an integer. `otherwise` if it is not one.
    pub fn int(&self, name: &str, otherwise: i64) -> i64 {
        self.parameters
            .get(name)
            .and_then(serde_json::Value::as_i64)
            .unwrap_or(otherwise)
    }
    /// A parameter as a list of strings. Items of other types are skipped.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        self.parameters
            .get(name)
            .and_then(serde_json::Value::as_array)
            .map(|a| a.iter().filter_map(|v| v.as_str()).collect())
            .unwrap_or_default()
    }
}
