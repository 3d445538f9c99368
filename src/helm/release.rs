//! A chart in one release: which dependencies are enabled and under which names, the imported
//! values, and the values that each chart's templates see. Helm changes the chart itself for this.
//! We keep a separate tree next to the immutable [`Chart`].
//!
//! The tree is built as in Helm, with its shared requirements and stale parents. If a chart is used
//! under two aliases, both copies share their requirements. A subchart that is not among its
//! parent's requirements keeps the parent it was loaded with.

use crate::diagnostic::{did_you_mean, ids, some};
use crate::go::semver::{Constraint, Version};
use crate::helm::Chart;
use crate::helm::Error;
use crate::helm::ignored::{Ignored, Log};
use crate::helm::strvals::{self, conversion};
use crate::helm::values::{self, empty, join};
use crate::source::{OriginId, Origins, Sources, Span};
use crate::value::{Entry, Kind, Map, Value};
use crate::yaml;
use crate::yaml::Data;

/// Aliases of aliases grow a chart exponentially. Helm would run out of memory.
const MAX_CHARTS: usize = 4096;

/// The charts of one release and the values of each.
#[derive(Debug)]
pub(crate) struct Release<'c> {
    nodes: Vec<Node<'c>>,
    requirements: Vec<Requirement>,
    /// What Helm warns of, and what it ignores.
    pub log: Log,
    /// As in Helm 4: nulls in a chart's values count as absent. The default is false.
    pub drop_nulls: bool,
}

/// The index of a chart in a [`Release`]. The top chart is 0.
pub(crate) type NodeId = usize;

#[derive(Clone, Debug)]
struct Node<'c> {
    chart: &'c Chart,
    name: String,
    parent: Option<NodeId>,
    children: Vec<NodeId>,
    /// None is Go's nil slice, which Helm treats differently from an empty one.
    requirements: Option<Vec<usize>>,
    values: Map,
}

/// An entry of `dependencies`, with the state that Helm keeps for it.
#[derive(Clone, Debug)]
struct Requirement {
    declared: crate::helm::Dependency,
    name: String,
    enabled: bool,
}

impl<'c> Release<'c> {
    /// Starts with the charts as loaded, each with its default values.
    pub(crate) fn new(chart: &'c Chart, sources: &Sources, origins: &mut Origins) -> Release<'c> {
        let mut release = Release {
            nodes: Vec::new(),
            requirements: Vec::new(),
            log: Log::default(),
            drop_nulls: false,
        };
        release.add(chart, None, sources, origins);
        release
    }

    fn add(
        &mut self,
        chart: &'c Chart,
        parent: Option<NodeId>,
        sources: &Sources,
        origins: &mut Origins,
    ) -> NodeId {
        let id = self.nodes.len();
        let values = chart
            .values
            .as_ref()
            .and_then(|(_, node)| as_map(yaml::to_value(node, sources, origins)))
            .unwrap_or_else(empty);
        let requirements = chart.metadata.dependencies.as_ref().map(|list| {
            let from = self.requirements.len();
            self.requirements.extend(list.iter().map(|d| Requirement {
                declared: d.clone(),
                name: d.name.clone(),
                enabled: d.enabled,
            }));
            (from..self.requirements.len()).collect()
        });
        self.nodes.push(Node {
            chart,
            name: chart.metadata.name.clone(),
            parent,
            children: Vec::new(),
            requirements,
            values,
        });
        for subchart in &chart.subcharts {
            let child = self.add(subchart, Some(id), sources, origins);
            self.nodes[id].children.push(child);
        }
        id
    }

    /// Helm's check that the dependencies of the top chart are in charts/.
    ///
    /// # Errors
    /// `An error occurred while checking for chart dependencies…`
    pub(crate) fn check_dependencies(&self) -> Result<(), Error> {
        let chart = self.nodes[0].chart;
        let names: Vec<&str> = chart.missing_dependencies().map(|d| &*d.name).collect();
        let mut distinct = names.clone();
        distinct.dedup();
        let Some(first) = chart.missing_dependencies().next() else {
            return Ok(());
        };
        let mut help =
            "run `helm dependency build` to fetch what is missing into charts/".to_string();
        let reasons: Vec<String> = chart
            .not_found
            .iter()
            .map(|(name, why)| format!("{name}: {why}"))
            .collect();
        if !reasons.is_empty() {
            help.push_str(&format!("; {}", some(&reasons)));
        }
        let (nouns, verb, pronoun) = if distinct.len() == 1 {
            ("dependency", "is", "it")
        } else {
            ("dependencies", "are", "they")
        };
        Err(Error::new(
            ids::DEPENDENCY_NOT_VENDORED,
            format!(
                "An error occurred while checking for chart dependencies. You may need to run `helm dependency build` to fetch missing \
                 dependencies: found in Chart.yaml, but missing in charts/ directory: {}",
                names.join(", ")
            ),
        )
        .at(first.span)
        .finding(format!("the {nouns} {} {verb} declared, but not in charts/; what {pronoun} would render is not checked", distinct.join(", ")))
        .help(help))
    }

    /// Enables or disables dependencies and imports values: Helm's `ProcessDependenciesWithMerge`.
    /// `user` are the values from files and flags.
    ///
    /// # Errors
    /// A value that is no map where a subchart's values belong.
    pub(crate) fn process_dependencies(&mut self, user: &Map) -> Result<(), Error> {
        self.process_enabled(0, user, "")?;
        self.process_imports(0)
    }

    /// The values of the top chart, with those of all subcharts below it: Helm's `CoalesceValues`.
    ///
    /// # Errors
    /// A value that is no map where a subchart's values belong.
    pub(crate) fn coalesce(&mut self, user: &Map) -> Result<Map, Error> {
        self.coalesced(0, user, false)
    }

    fn coalesced(&mut self, id: NodeId, user: &Map, merge: bool) -> Result<Map, Error> {
        let dest = values::deep_copy_map(user);
        self.coalesce_into(id, &dest, "", merge)?;
        Ok(dest)
    }

    fn coalesce_into(
        &mut self,
        id: NodeId,
        dest: &Map,
        prefix: &str,
        merge: bool,
    ) -> Result<(), Error> {
        let node = &self.nodes[id];
        let below = join(prefix, &node.name);
        let is_child = |key: &[u8]| {
            node.children
                .iter()
                .any(|&c| self.nodes[c].name.as_bytes() == key)
        };
        let how = values::Under {
            merge,
            drop_nulls: self.drop_nulls,
            is_child: &is_child,
        };
        values::under_chart(dest, &node.values, &below, &how, &mut self.log);
        for child in self.nodes[id].children.clone() {
            let name = self.nodes[child].name.clone();
            let table = match dest.get(name.as_bytes()) {
                None => {
                    let table = empty();
                    dest.insert(name.as_bytes(), Kind::Map(table.clone()).into());
                    table
                }
                Some(value) => match &value.kind {
                    Kind::Map(table) => table.clone(),
                    _ => {
                        return Err(Error::new(
                            ids::VALUES_TYPE,
                            format!("type mismatch on {name}: {}", as_go_bool(&value)),
                        ));
                    }
                },
            };
            values::globals(&table, dest, &below, &mut self.log);
            self.coalesce_into(child, &table, &below, merge)?;
        }
        Ok(())
    }

    fn process_enabled(&mut self, id: NodeId, user: &Map, path: &str) -> Result<(), Error> {
        let Some(requirements) = self.nodes[id].requirements.clone() else {
            return Ok(());
        };
        let children = self.nodes[id].children.clone();
        let fits = |release: &Release, child: NodeId, requirement: usize| {
            let (node, requirement) = (&release.nodes[child], &release.requirements[requirement]);
            node.name == requirement.name
                && is_compatible(&requirement.declared.version, &node.chart.metadata.version)
        };
        let mut kept: Vec<NodeId> = children
            .iter()
            .copied()
            .filter(|&child| !requirements.iter().any(|&r| fits(self, child, r)))
            .collect();
        for &r in &requirements {
            if let Some(&child) = children.iter().find(|&&child| fits(self, child, r)) {
                if self.nodes.len() >= MAX_CHARTS {
                    return Err(Error::new(
                        ids::CHART_METADATA,
                        format!("its aliases expand it to more than {MAX_CHARTS} charts"),
                    ));
                }
                let mut copy = self.nodes[child].clone();
                let alias = &self.requirements[r].declared.alias;
                if !alias.is_empty() {
                    copy.name = alias.clone();
                }
                kept.push(self.nodes.len());
                self.nodes.push(copy);
            }
            let requirement = &mut self.requirements[r];
            if !requirement.declared.alias.is_empty() {
                requirement.name = requirement.declared.alias.clone();
            }
        }
        self.set_children(id, kept);
        for &r in &requirements {
            self.requirements[r].enabled = true;
        }
        let all = self.for_conditions(id, user)?;
        self.process_tags(&requirements, &all);
        self.process_conditions(&requirements, &all, path);
        let disabled: Vec<String> = requirements
            .iter()
            .map(|&r| &self.requirements[r])
            .filter(|r| !r.enabled)
            .map(|r| r.name.clone())
            .collect();
        let mut enabled = self.nodes[id].children.clone();
        enabled.retain(|&child| !disabled.contains(&self.nodes[child].name));
        let mut left = requirements;
        left.retain(|&r| !disabled.contains(&self.requirements[r].name));
        for &child in &enabled {
            let below = format!("{path}{}.", self.nodes[child].name);
            self.process_enabled(child, &all, &below)?;
        }
        self.nodes[id].requirements = (!left.is_empty()).then_some(left);
        self.set_children(id, enabled);
        Ok(())
    }

    /// The values that conditions are looked up in. Helm merges a subchart's defaults with all values
    /// of its parent here, so what it ignores on the way says nothing about the release.
    fn for_conditions(&mut self, id: NodeId, user: &Map) -> Result<Map, Error> {
        let known = self.log.ignored.len();
        let all = self.coalesced(id, user, false);
        self.log.ignored.truncate(known);
        all
    }

    fn set_children(&mut self, id: NodeId, children: Vec<NodeId>) {
        for &child in &children {
            self.nodes[child].parent = Some(id);
        }
        self.nodes[id].children = children;
    }

    fn process_tags(&mut self, requirements: &[usize], all: &Map) {
        let Ok(tags) = values::table(all, "tags") else {
            return;
        };
        for &r in requirements {
            let requirement = &mut self.requirements[r];
            let (mut any_true, mut any_false) = (false, false);
            for tag in &requirement.declared.tags {
                match tags.get(tag.as_bytes()).map(|v| v.kind) {
                    None => {}
                    Some(Kind::Bool(true)) => any_true = true,
                    Some(Kind::Bool(false)) => any_false = true,
                    Some(_) => {
                        self.log.warn(format!(
                            "Warning: Tag '{tag}' for chart {} returned non-bool value",
                            requirement.name
                        ));
                        self.log.ignore(Ignored {
                            rule: ids::DEPENDENCY_CONDITION_IGNORED,
                            message: format!(
                                "the tag `{tag}` is not a boolean here, so Helm ignores it for the dependency {}",
                                requirement.name
                            ),
                            help: "Write `true` or `false` without quotes.".into(),
                            at: values::place(&tags, tag.as_bytes()),
                            other: OriginId::NONE,
                            declared: Some(requirement.declared.span),
                        });
                    }
                }
            }
            requirement.enabled = any_true || !any_false;
        }
    }

    fn process_conditions(&mut self, requirements: &[usize], all: &Map, path: &str) {
        for &r in requirements {
            let requirement = &mut self.requirements[r];
            let conditions = requirement.declared.condition.trim().split(',');
            for condition in conditions.filter(|c| !c.is_empty()) {
                let full = format!("{path}{condition}");
                match values::path_value(all, &full) {
                    None => {
                        if let Some(ignored) = undefined_condition(requirement, all, &full) {
                            self.log.ignore(ignored);
                        }
                    }
                    Some(Value {
                        kind: Kind::Bool(enabled),
                        ..
                    }) => {
                        requirement.enabled = enabled;
                        break;
                    }
                    Some(value) => {
                        let name = &requirement.name;
                        self.log.warn(format!("Warning: Condition path '{condition}' for chart {name} returned non-bool value"));
                        // A null leaves the decision to the next condition.
                        if matches!(value.kind, Kind::Nil) {
                            continue;
                        }
                        self.log.ignore(Ignored {
                            rule: ids::DEPENDENCY_CONDITION_IGNORED,
                            message: format!(
                                "`{full}`, the condition of the dependency {name}, is not a boolean here, so Helm ignores it"
                            ),
                            help: "Write `true` or `false` without quotes.".into(),
                            at: value.origin,
                            other: OriginId::NONE,
                            declared: Some(requirement.declared.span),
                        });
                    }
                }
            }
        }
    }

    fn process_imports(&mut self, id: NodeId) -> Result<(), Error> {
        for child in self.nodes[id].children.clone() {
            self.process_imports(child)?;
        }
        let Some(requirements) = self.nodes[id].requirements.clone() else {
            return Ok(());
        };
        let all = self.coalesced(id, &empty(), true)?;
        let imported = empty();
        for r in requirements {
            let requirement = self.requirements[r].clone();
            for import in &requirement.declared.import_values {
                let (child, parent) = match &import.data {
                    Data::Str(name) => (format!("exports.{name}"), ".".to_string()),
                    Data::Map(_) => {
                        let side = |key| {
                            import.get(key).map_or_else(
                                || "<nil>".into(),
                                |n| crate::helm::decode::scalar_text(n).unwrap_or_default(),
                            )
                        };
                        (side("child"), side("parent"))
                    }
                    _ => continue,
                };
                match values::table(&all, &format!("{}.{child}", requirement.name)) {
                    Ok(found) => {
                        values::tables(&imported, &below(&parent, found), "", true, &mut self.log)
                    }
                    Err(why) => {
                        let name = &requirement.name;
                        let from = match import.as_str() {
                            Some(_) => String::new(),
                            None => format!(" from chart {name}"),
                        };
                        self.log
                            .warn(format!("Warning: ImportValues missing table{from}: {why}"));
                        // The values of a dependency that is missing are not known.
                        let children = &self.nodes[id].children;
                        if !children.iter().any(|&c| self.nodes[c].name == *name) {
                            continue;
                        }
                        self.log.ignore(Ignored {
                            rule: ids::IMPORT_VALUES_MISSING,
                            message: format!(
                                "the dependency {name} has no map `{child}` in its values, so nothing is imported"
                            ),
                            help: "Name a map of the dependency's values, or one below its `exports`."
                                .into(),
                            at: OriginId::NONE,
                            other: OriginId::NONE,
                            declared: Some(import.span),
                        });
                    }
                }
            }
        }
        // Imported values share their maps with the values that they come from, so they are copied.
        let is_apart = imported.0.borrow().entries.is_empty();
        let all = if is_apart {
            all
        } else {
            values::deep_copy_map(&all)
        };
        values::tables(&all, &imported, "", true, &mut self.log);
        self.nodes[id].values = all;
        Ok(())
    }

    /// The chart of a node.
    pub(crate) fn chart(&self, id: NodeId) -> &'c Chart {
        self.nodes[id].chart
    }
    /// The chart's name in this release: the alias where it has one.
    pub(crate) fn name(&self, id: NodeId) -> &str {
        &self.nodes[id].name
    }
    pub(crate) fn children(&self, id: NodeId) -> &[NodeId] {
        &self.nodes[id].children
    }
    pub(crate) fn is_root(&self, id: NodeId) -> bool {
        self.nodes[id].parent.is_none()
    }
    /// The remaining dependencies: each declaration, its name in the release, and whether it is
    /// enabled.
    pub(crate) fn dependencies(&self, id: NodeId) -> Vec<(&crate::helm::Dependency, &str, bool)> {
        let left = self.nodes[id].requirements.iter().flatten();
        left.map(|&r| &self.requirements[r])
            .map(|r| (&r.declared, &*r.name, r.enabled))
            .collect()
    }
    /// The prefix of Helm's names for templates: `top/charts/sub`.
    pub(crate) fn full_path(&self, id: NodeId) -> String {
        match self.nodes[id].parent {
            Some(parent) => format!("{}/charts/{}", self.full_path(parent), self.nodes[id].name),
            None => self.nodes[id].name.clone(),
        }
    }
}

/// A condition that no values define although a near name is: most likely it is misspelt.
fn undefined_condition(requirement: &Requirement, all: &Map, path: &str) -> Option<Ignored> {
    let (parent, key) = match path.rsplit_once('.') {
        Some((parent, key)) => (values::table(all, parent).ok()?, key),
        None => (all.clone(), path),
    };
    let siblings = values::entries(&parent);
    let booleans: Vec<String> = siblings
        .iter()
        .filter(|(_, entry)| matches!(entry.value.kind, Kind::Bool(_)))
        .map(|(key, _)| String::from_utf8_lossy(key).into_owned())
        .collect();
    let near = did_you_mean(key, booleans.iter().map(String::as_str))?;
    Some(Ignored {
        rule: ids::DEPENDENCY_CONDITION_IGNORED,
        message: format!(
            "no values define `{path}`, the condition of the dependency {}, so it stays enabled",
            requirement.name
        ),
        help: format!("did you mean `{near}`?"),
        at: OriginId::NONE,
        other: values::place(&parent, near.as_bytes()),
        declared: Some(requirement.declared.span),
    })
}

/// Whether a version lies in a range, as Helm decides it. False if either cannot be parsed.
pub(crate) fn is_compatible(range: &str, version: &str) -> bool {
    match (Constraint::parse(range), Version::parse(version)) {
        (Ok(range), Ok(version)) => range.check(&version),
        _ => false,
    }
}

/// Nests `map` under the keys of a dotted path. The path `.` returns `map` itself.
fn below(path: &str, map: Map) -> Map {
    if path == "." {
        return map;
    }
    path.rsplit('.').fold(map, |inner, key| {
        let outer = empty();
        let value = Value {
            kind: Kind::Map(inner),
            origin: OriginId::NONE,
        };
        values::set(
            &outer,
            key.as_bytes().into(),
            Entry {
                key: OriginId::NONE,
                value,
            },
        );
        outer
    })
}

pub(super) fn as_map(value: Value) -> Option<Map> {
    match value.kind {
        Kind::Map(map) => Some(map),
        _ => None,
    }
}

/// Formats a value that is no map with Go's `%t`.
fn as_go_bool(value: &Value) -> String {
    match &value.kind {
        Kind::Bool(b) => b.to_string(),
        Kind::Nil | Kind::Missing => "%!t(<nil>)".into(),
        Kind::Str(text) => format!("%!t(string={})", text.to_str()),
        Kind::Int64(i) => format!("%!t(int64={i})"),
        Kind::Float(f) => format!("%!t(float64={})", yaml_number(*f)),
        Kind::List(list) => {
            let items: Vec<String> = list.items.iter().map(as_go_bool).collect();
            format!("[{}]", items.join(" "))
        }
        _ => conversion(value, "bool"),
    }
}

/// Formats a float64 with few digits as Go's `%v` does. It serves for a message only.
fn yaml_number(value: f64) -> String {
    format!("{value}")
}

/// The values from files, the configuration's `set:` and flags. Flags are applied in Helm's order:
/// `--set-json`, `--set`, `--set-string`, `--set-file`, `--set-literal`.
///
/// # Errors
/// What is wrong with a flag, with Helm's text.
pub(crate) fn user_values(
    inputs: &crate::helm::environments::Inputs,
    sources: &Sources,
    origins: &mut Origins,
) -> Result<Map, Error> {
    let base = empty();
    for file in &inputs.files {
        if let Some(map) = as_map(yaml::to_value(&file.node, sources, origins)) {
            values::merge_files(&base, &map);
        }
    }
    for (path, node) in &inputs.typed {
        strvals::apply_node(path, node, &base, sources, origins)
            .map_err(|message| Error::new(ids::VALUES_FLAG, message).at(node.span))?;
    }
    for flag in &inputs.flags {
        let mut read = |path: &str| inputs.read_set_file(path);
        strvals::apply(
            flag.kind,
            &flag.text,
            flag.source,
            &base,
            origins,
            &mut read,
        )
        .map_err(|message| {
            Error::new(ids::VALUES_FLAG, message).at(Span::new(flag.source, 0, flag.text.len()))
        })?;
    }
    Ok(base)
}
