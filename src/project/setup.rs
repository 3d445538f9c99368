//! What the configuration and the command line ask for together: rules, schemas, versions. Built
//! once for each configuration file, and shared by all units that it applies to.

use crate::Error;
use crate::Options;
use crate::diagnostic::{Diagnostic, RuleId, Severity, Versions, did_you_mean, ids};
use crate::helm::Chart;
use crate::kubernetes::locations::Locations;
use crate::limits::Limit;
use crate::project::bounds::Bounds;
use crate::project::config::{self, Config};
use crate::project::unit::Unit;
use crate::rule;
use crate::rule::Rules;
use crate::rule::Selection;
use crate::rule::expectation::Expectation;
use crate::source::{Sources, Span};
use crate::yaml::Data;
use crate::yaml::Node;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A configuration, ready for use.
pub struct Setup {
    /// The PATHs of the command line, without links.
    pub given: BTreeSet<PathBuf>,
    /// See [`Options::alone`].
    alone: bool,
    pub config: Config,
    pub rules: Rules,
    /// The configuration and the user-defined rules. Each unit starts from a copy, so that their
    /// spans are valid in all units.
    pub sources: Sources,
    /// The faults that were found while reading them.
    found: Vec<Diagnostic>,
    /// For each suppression of the configuration: whether it matched in some unit.
    pub used: Vec<AtomicBool>,
    /// User-defined schemas, from the configuration and the command line.
    pub locations: Arc<Locations>,
}

impl Setup {
    /// # Errors
    /// If the file cannot be read, or if the command line gives an unknown name.
    pub fn new(file: Option<&Path>, options: &Options) -> Result<Setup, Error> {
        let mut sources = Sources::with(options.unsaved.clone());
        let mut found = Vec::new();
        let config = match file {
            Some(file) => config::load(file, &mut sources, &mut found)
                .map_err(|e| Error::Unreadable(file.to_path_buf(), e.to_string()))?,
            None => Config::default(),
        };
        config
            .limits
            .iter()
            .for_each(|&(limit, value)| sources.limits.set(limit, value));
        options
            .timeout
            .iter()
            .for_each(|&seconds| sources.limits.set(Limit::Timeout, seconds));
        let selection = selection(&config, options);
        let missing = config.charts.iter().filter(|shelf| !shelf.folder.is_dir());
        found.extend(missing.map(|shelf| {
            let folder = shelf.folder.display();
            fault(
                shelf.span,
                format!("`charts` names {folder}, which is no folder"),
            )
        }));
        let mut paths = rule_paths(&config, &mut found);
        paths.extend(options.rule_paths.iter().cloned());
        let (rules, problems) = Rules::load(&selection, &mut sources, &paths);
        found.extend(problems);
        let used = config
            .suppress
            .iter()
            .map(|_| AtomicBool::new(false))
            .collect();
        let mut locations = Locations::default();
        for location in &options.schema_locations {
            locations.add(location).map_err(Error::Usage)?;
        }
        for (location, span) in &config.schema_locations {
            let added = locations.add(location);
            found.extend(added.err().map(|why| fault(*span, why)));
        }
        let given = options.paths.iter();
        let setup = Setup {
            given: given.filter_map(|path| path.canonicalize().ok()).collect(),
            alone: options.alone,
            used,
            config,
            rules,
            sources,
            found,
            locations: Arc::new(locations),
        };
        setup.check_names(options)
    }

    /// The bounds of the chart at a path.
    pub(crate) fn bounds(&self, chart: &Path) -> Bounds {
        Bounds::of(chart, &self.given, self.alone)
    }

    /// Checks the names of rules. An unknown one is an error on the command line, and a finding in
    /// the configuration.
    fn check_names(mut self, options: &Options) -> Result<Setup, Error> {
        for (flag, names) in [("--select", &options.select), ("--ignore", &options.ignore)] {
            for name in names {
                if let Err(near) = known(name, self.rules.user_defined()) {
                    return Err(Error::Usage(format!(
                        "{flag}: no rule, group or profile is named `{name}`{}",
                        near.map(|n| format!("; did you mean `{n}`?"))
                            .unwrap_or_default()
                    )));
                }
            }
        }
        let faults = self.name_faults();
        self.found.extend(faults);
        Ok(self)
    }

    /// The faults of the rules that the configuration names, and of their parameters.
    fn name_faults(&self) -> Vec<Diagnostic> {
        let rules = &self.config.rules;
        let mut faults = Vec::new();
        for (name, span) in rules.select.iter().chain(&rules.ignore) {
            if let Err(near) = known(name, self.rules.user_defined()) {
                let message = format!("no rule, group or profile is named `{name}`");
                faults.push(meant(fault(*span, message), near.as_deref()));
            }
        }
        let ids = || rule::EMBEDDED.iter().chain(self.rules.user_defined());
        let unknown = |name: &str, span| {
            let message = match known(name, self.rules.user_defined()) {
                Ok(()) => format!("`{name}` is a group or a profile; name a rule here"),
                Err(_) => format!("no rule is named `{name}`"),
            };
            let near = did_you_mean(name, ids().map(|d| &*d.id));
            meant(fault(span, message), near)
        };
        for (name, span, _) in &rules.severity {
            if !ids().any(|d| *d.id == **name) {
                faults.push(unknown(name, *span));
            }
        }
        for (name, span, node) in &rules.parameters {
            match ids().find(|d| *d.id == **name) {
                None => faults.push(unknown(name, *span)),
                // A policy takes an object of any form.
                Some(_) if self.rules.is_policy(name) => {}
                Some(definition) => parameter_faults(definition, node, &mut faults),
            }
        }
        for (suppress, used) in self.config.suppress.iter().zip(&self.used) {
            let name = &suppress.rule;
            if !ids().any(|d| *d.id == **name || *d.group == **name) {
                let names = ids().flat_map(|d| [&*d.id, &*d.group]);
                let message = format!("no rule or group is named `{name}`");
                faults.push(meant(
                    fault(suppress.span, message),
                    did_you_mean(name, names),
                ));
                // That it matches nothing needs no finding of its own.
                used.store(true, Ordering::Relaxed);
            }
        }
        faults
    }

    /// A finding of the native checks with the severity that is chosen; none if its rule is not
    /// selected.
    pub(crate) fn chosen(&self, found: Diagnostic) -> Option<Diagnostic> {
        Some(Diagnostic {
            severity: self.severity_of(&found.rule, found.severity)?,
            ..found
        })
    }

    /// The severity with which a finding of the native checks is reported; none if its rule is not
    /// selected. Faults that prevent reading (profile `always`) are always reported.
    pub fn severity_of(&self, id: &RuleId, severity: Severity) -> Option<Severity> {
        if let Some(rule) = self.rules.get(id) {
            // A native rule may choose a severity for each finding; an override replaces it.
            let overridden = self
                .config
                .rules
                .severity
                .iter()
                .any(|(name, _, _)| **id == **name);
            return Some(if overridden { rule.severity } else { severity });
        }
        rule::documentation(id)
            .is_some_and(rule::Definition::is_always_reported)
            .then_some(severity)
    }

    /// The faults of the configuration and of the files that it names. Call it after all units are
    /// linted: only then it is known which suppressions matched nothing, and which user-defined
    /// rules failed.
    pub fn faults(&self) -> Vec<Diagnostic> {
        let unused = self
            .config
            .suppress
            .iter()
            .zip(&self.used)
            .filter(|(_, used)| !used.load(Ordering::Relaxed));
        let unused = unused.map(|(suppress, _)| {
            let message = format!("this suppression of {} matches no finding", suppress.rule);
            Diagnostic::new(
                ids::UNUSED_SUPPRESSION,
                Severity::Warning,
                suppress.span,
                message,
            )
            .help("Remove it.")
        });
        self.found
            .iter()
            .cloned()
            .chain(unused)
            .chain(self.rules.problems())
            .collect()
    }

    /// What each environment is expected to hold, by its name.
    pub fn expectations(&self, environment: &str) -> Vec<Expectation> {
        let named = self
            .config
            .environments
            .iter()
            .flat_map(|e| &e.named)
            .filter(|e| is_named(&e.name, environment));
        named.flat_map(|e| e.expect.iter().cloned()).collect()
    }

    /// The error for a name given with `--environment` that is not known, with suggestions; none if
    /// all are known.
    pub fn unknown_environment(wanted: &[String], known: &[&str]) -> Option<Error> {
        let is_known = |name: &&String| known.iter().any(|known| is_named(name, known));
        let name = wanted.iter().find(|name| !is_known(name))?;
        let near = did_you_mean(name, known.iter().copied())
            .map(|n| format!("; did you mean `{n}`?"))
            .unwrap_or_default();
        Some(Error::Usage(format!(
            "--environment: there is no environment `{name}`{near} (known: {})",
            known.join(", ")
        )))
    }

    /// The versions to judge for, and the reason: from the command line, else from the
    /// configuration, else from the chart's `kubeVersion`, else the newest one.
    pub fn versions(&self, options: &Options, chart: Option<&Chart>) -> (Versions, Why) {
        let why = |reason: &str| Why {
            reason: reason.into(),
            file: None,
        };
        if let Some(versions) = options.kubernetes {
            return (versions, why("--kubernetes-version"));
        }
        if let Some((versions, _, _)) = &self.config.kubernetes {
            return (*versions, why("the configuration"));
        }
        let newest = Versions::minor(Versions::NEWEST);
        let chart = chart.filter(|c| !c.metadata.kube_version.is_empty());
        let Some(chart) = chart else {
            return (newest, why("the newest known"));
        };
        let constraint = &chart.metadata.kube_version;
        let of_chart = |reason: String| Why {
            reason,
            file: Some(format!("{}Chart.yaml", chart.location)),
        };
        match crate::kubernetes::parse_kube_version(constraint) {
            Ok(versions) if !versions.is_empty() => {
                (versions, of_chart(format!("kubeVersion {constraint}")))
            }
            _ => (
                newest,
                of_chart(format!(
                    "the newest known: no known version has kubeVersion {constraint}"
                )),
            ),
        }
    }
}

/// Whether a name or a pattern such as `prod/*` means the environment of this name.
pub(crate) fn is_named(pattern: &str, name: &str) -> bool {
    pattern == name
        || pattern.contains('*') && glob::Pattern::new(pattern).is_ok_and(|p| p.matches(name))
}

/// Why these Kubernetes versions are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    pub reason: String,
    /// The Chart.yaml that gives the reason.
    pub file: Option<String>,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        self.file
            .as_ref()
            .map_or(Ok(()), |file| write!(f, " of {file}"))
    }
}

/// The setups of all units.
pub(crate) struct Setups {
    /// The configuration file of each unit.
    files: Vec<Option<PathBuf>>,
    by_file: BTreeMap<Option<PathBuf>, Setup>,
}

impl Setups {
    /// # Errors
    /// The same as for [`Setup::new`].
    pub(crate) fn new(units: &[Unit], options: &Options) -> Result<Setups, Error> {
        let files: Vec<_> = units.iter().map(|u| u.configuration(options)).collect();
        let mut by_file = BTreeMap::new();
        for file in &files {
            if !by_file.contains_key(file) {
                by_file.insert(file.clone(), Setup::new(file.as_deref(), options)?);
            }
        }
        Ok(Setups { files, by_file })
    }

    /// The setup of a unit, by its index.
    pub(crate) fn of(&self, unit: usize) -> &Setup {
        &self.by_file[&self.files[unit]]
    }

    /// All setups, each once.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Setup> {
        self.by_file.values()
    }
}

/// A fault of the configuration.
pub(crate) fn fault(span: Span, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(ids::CONFIGURATION_INVALID, Severity::Error, span, message)
}

/// Adds the name that was meant to a fault.
fn meant(fault: Diagnostic, near: Option<&str>) -> Diagnostic {
    match near {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None => fault,
    }
}

/// The files and folders of user-defined rules that the configuration names. One without a rule file
/// is a fault.
fn rule_paths(config: &Config, found: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for (path, span) in &config.rules.paths {
        let shown = path.display();
        if !path.exists() {
            found.push(fault(*span, format!("there is no file or folder {shown}")));
        } else if rule::rule_files(path).is_empty() {
            let message = format!("{shown} contains no rules: no .yaml or .yml file");
            found.push(fault(*span, message));
        } else {
            paths.push(path.clone());
        }
    }
    paths
}

/// Compares the parameters that the configuration gives to a rule with those that the rule has.
fn parameter_faults(definition: &rule::Definition, given: &Node, faults: &mut Vec<Diagnostic>) {
    let id = &definition.id;
    let known: serde_json::Map<String, Json> =
        serde_json::from_str(&definition.parameters).unwrap_or_default();
    for entry in given.entries() {
        let name = &*entry.key;
        let Some(default) = known.get(name) else {
            let fault = fault(
                entry.key_span,
                format!("the rule `{id}` has no parameter `{name}`"),
            );
            let names: Vec<&str> = known.keys().map(String::as_str).collect();
            faults.push(match did_you_mean(name, names.iter().copied()) {
                Some(near) => meant(fault, Some(near)),
                None if names.is_empty() => fault.help("it has none"),
                None => fault.help(format!("its parameters: {}", names.join(", "))),
            });
            continue;
        };
        if let Some(wanted) = wanted(default, &json(&entry.value)) {
            let message = format!("the parameter `{name}` of `{id}` must be {wanted}");
            faults.push(fault(entry.value.span, message));
        }
    }
}

/// The type that a parameter must have, by its default, if the given value has another one.
fn wanted(default: &Json, given: &Json) -> Option<&'static str> {
    let fits = match (default, given) {
        (Json::Array(items), Json::Array(all)) => {
            // The list parameters of built-in rules contain strings.
            let is_of_strings = items.iter().all(Json::is_string);
            !is_of_strings || all.iter().all(Json::is_string)
        }
        (Json::Null, _) => true,
        _ => std::mem::discriminant(default) == std::mem::discriminant(given),
    };
    if fits {
        return None;
    }
    Some(match default {
        Json::Array(items) if items.iter().all(Json::is_string) => "a list of strings",
        Json::Array(_) => "a list",
        Json::Object(_) => "a map",
        Json::Number(_) => "a number",
        Json::Bool(_) => "true or false",
        Json::String(_) | Json::Null => "a string",
    })
}

fn known<'a>(
    name: &str,
    user_defined: impl Iterator<Item = &'a rule::Definition> + Clone,
) -> Result<(), Option<String>> {
    if matches!(name, "all" | "recommended") {
        Ok(())
    } else {
        rule::check_name(name, user_defined)
    }
}

fn selection(config: &Config, options: &Options) -> Selection {
    let names = |list: &[(String, Span)]| {
        list.iter()
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
    };
    let rules = &config.rules;
    let mut ignore = names(&rules.ignore);
    ignore.extend(options.ignore.iter().cloned());
    Selection {
        select: if options.select.is_empty() {
            names(&rules.select)
        } else {
            options.select.clone()
        },
        ignore,
        severity: rules
            .severity
            .iter()
            .map(|(name, _, severity)| (name.clone(), *severity))
            .collect(),
        parameters: rules
            .parameters
            .iter()
            .map(|(name, _, node)| (name.clone(), object(node)))
            .collect(),
    }
}

fn object(node: &Node) -> serde_json::Map<String, Json> {
    node.entries()
        .iter()
        .map(|e| (e.key.to_string(), json(&e.value)))
        .collect()
}

fn json(node: &Node) -> Json {
    match &node.data {
        Data::Null => Json::Null,
        Data::Bool(b) => (*b).into(),
        Data::Int(i) => (*i).into(),
        Data::Uint(u) => (*u).into(),
        Data::Float(f) => (*f).into(),
        Data::Str(s) => (**s).into(),
        Data::Seq(items) => items.iter().map(json).collect::<Vec<_>>().into(),
        Data::Map(_) => object(node).into(),
    }
}
