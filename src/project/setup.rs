//! What the configuration and the command line ask for together: rules, schemas, versions. Built
//! once for each configuration file, and shared by all units that it applies to.

use crate::Error;
use crate::Options;
use crate::diagnostic::{Diagnostic, RuleId, Severity, Versions, did_you_mean, ids};
use crate::helm::Chart;
use crate::kubernetes::locations::Locations;
use crate::kubernetes::quantity::Quantity;
use crate::limits::Limit;
use crate::project::config::{self, Config};
use crate::project::unit::Unit;
use crate::rule;
use crate::rule::Rules;
use crate::rule::Selection;
use crate::rule::expectation::{Autoscaling, Expectation, Resources};
use crate::source::{Sources, Span};
use crate::yaml::Data;
use crate::yaml::Node;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A configuration, ready for use.
pub struct Setup {
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
        let paths: Vec<_> = config
            .rules
            .paths
            .iter()
            .map(|(path, _)| path)
            .chain(&options.rule_paths)
            .cloned()
            .collect();
        let (rules, problems) = Rules::load(&selection, &mut sources, &paths);
        found.extend(problems);
        let used = config
            .suppress
            .iter()
            .map(|_| AtomicBool::new(false))
            .collect();
        let named: Vec<String> = options
            .schema_locations
            .iter()
            .chain(&config.schema_locations)
            .cloned()
            .collect();
        let locations = Arc::new(Locations::new(&named).map_err(Error::Usage)?);
        let setup = Setup {
            used,
            config,
            rules,
            sources,
            found,
            locations,
        };
        setup.check_names(options)
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
        let rules = &self.config.rules;
        let named = rules
            .select
            .iter()
            .chain(&rules.ignore)
            .map(|(name, span)| (name, *span));
        let named = named.chain(rules.severity.iter().map(|(name, span, _)| (name, *span)));
        let named = named.chain(rules.parameters.iter().map(|(name, span, _)| (name, *span)));
        let faults: Vec<Diagnostic> = named
            .filter_map(|(name, span)| {
                let near = known(name, self.rules.user_defined()).err()?;
                let mut fault = Diagnostic::new(
                    ids::CONFIGURATION_INVALID,
                    Severity::Error,
                    span,
                    format!("no rule, group or profile is named `{name}`"),
                );
                fault.help = near.map(|n| format!("did you mean `{n}`?"));
                Some(fault)
            })
            .collect();
        self.found.extend(faults);
        Ok(self)
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
            .find(|e| e.name == environment);
        named
            .into_iter()
            .flat_map(|e| &e.expect)
            .map(|(pattern, span, node)| expectation(pattern, *span, node))
            .collect()
    }

    /// The error for a name given with `--environment` that is not known, with suggestions; none if
    /// all are known.
    pub fn unknown_environment(wanted: &[String], known: &[&str]) -> Option<Error> {
        let name = wanted.iter().find(|name| !known.contains(&name.as_str()))?;
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
    pub fn versions(&self, options: &Options, chart: Option<&Chart>) -> (Versions, String) {
        if let Some(versions) = options.kubernetes {
            return (versions, "--kubernetes-version".into());
        }
        if let Some((versions, _, _)) = &self.config.kubernetes {
            return (*versions, "the configuration".into());
        }
        let newest = Versions::minor(Versions::NEWEST);
        let chart = chart.filter(|c| !c.metadata.kube_version.is_empty());
        let Some(chart) = chart else {
            return (newest, "the newest known".into());
        };
        let constraint = &chart.metadata.kube_version;
        let why = format!("kubeVersion {constraint} of {}Chart.yaml", chart.location);
        match crate::kubernetes::parse_kube_version(constraint) {
            Ok(versions) if !versions.is_empty() => (versions, why),
            _ => (
                newest,
                format!("the newest known, because {why} allows no known version"),
            ),
        }
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

fn object(node: &Node) -> serde_json::Map<String, serde_json::Value> {
    node.entries()
        .iter()
        .map(|e| (e.key.to_string(), json(&e.value)))
        .collect()
}

fn json(node: &Node) -> serde_json::Value {
    match &node.data {
        Data::Null => serde_json::Value::Null,
        Data::Bool(b) => (*b).into(),
        Data::Int(i) => (*i).into(),
        Data::Uint(u) => (*u).into(),
        Data::Float(f) => (*f).into(),
        Data::Str(s) => (**s).into(),
        Data::Seq(items) => items.iter().map(json).collect::<Vec<_>>().into(),
        Data::Map(_) => object(node).into(),
    }
}

/// The typed form of an entry of `expect`. `config.rs` lists its keys and checks them;
/// `rule/expectation.rs` has a field for each.
fn expectation(pattern: &str, declared: Span, node: &Node) -> Expectation {
    let resources = |node: &Node| Resources {
        requests: quantities(node.get("requests")),
        limits: quantities(node.get("limits")),
    };
    let own = resources(node);
    Expectation {
        pattern: pattern.to_string(),
        replicas: node.get("replicas").and_then(Node::as_i64),
        autoscaling: node
            .get("autoscaling")
            .and_then(|n| match (n.as_bool(), n.items()) {
                (Some(false), _) => Some(Autoscaling::None),
                (None, [min, max]) => Some(Autoscaling::Between(min.as_i64()?, max.as_i64()?)),
                _ => None,
            }),
        requests: own.requests,
        limits: own.limits,
        containers: node
            .get("containers")
            .map(Node::entries)
            .unwrap_or_default()
            .iter()
            .map(|e| (e.key.to_string(), resources(&e.value)))
            .collect(),
        storage: node.get("storage").and_then(Quantity::of),
        storage_class: node
            .get("storage-class")
            .and_then(Node::as_str)
            .map(str::to_string),
        declared: Some(declared),
    }
}

fn quantities(node: Option<&Node>) -> BTreeMap<String, Quantity> {
    let entries = node.map(Node::entries).unwrap_or_default();
    entries
        .iter()
        .filter_map(|e| Some((e.key.to_string(), Quantity::of(&e.value)?)))
        .collect()
}
