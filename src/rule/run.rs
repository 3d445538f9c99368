//! Applies rules to objects, units, environments and charts. A rule reports paths, not lines.

use super::absence::{Gap, HeldBack};
use super::cel::program::{self, Bindings, Template, Verdict};
use super::cel::{meter, prefilter, value};
use super::definition::{Definition, Scope};
use super::load::Selection;
use super::object_set::{Environment, ObjectSet};
use super::{native, pod, policy};
use crate::diagnostic::{Diagnostic, Severity, ids};
use crate::helm::Chart;
use crate::limits::{Limit, Limits, exceeded};
use crate::manifest::{Object, Violation};
use crate::source::{Sources, Span};
use crate::yaml::{Node, Path, Step};
use cel::IdedExpr;
use cel::common::value::Val;
use rustc_hash::FxHashSet;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};

/// One rule, ready to run.
pub struct Rule {
    pub definition: Cow<'static, Definition>,
    pub severity: Severity,
    /// The defaults of the definition, overridden by the configuration.
    pub parameters: serde_json::Map<String, serde_json::Value>,
    pub(super) params: Box<dyn Val>,
    compiled: OnceLock<Option<Compiled>>,
    native: Option<native::Check>,
    /// The span of `deny` in the file of a user-defined rule. `None` for a built-in rule.
    user_defined: Option<Span>,
    /// Whether a failure of the rule has already been reported. Only the first one is.
    failure_reported: AtomicBool,
    /// The policy, if the rule is a ValidatingAdmissionPolicy.
    pub(super) policy: Option<policy::Policy>,
}

/// The expressions of a rule. `message` and `at` are parsed when the rule has its first finding.
pub(super) struct Compiled {
    pub(super) deny: IdedExpr,
    /// Finds most of what a built-in rule does not deny, without CEL.
    pub(super) prefilter: Option<prefilter::Prefilter>,
    message: OnceLock<Template>,
    at: OnceLock<At>,
}

enum At {
    Fixed(Path),
    Computed(Template),
}

impl Compiled {
    /// Parses a rule that is known to compile.
    fn new(definition: &Definition, is_user_defined: bool) -> Option<Compiled> {
        let deny = program::parse(&definition.deny).ok()?;
        Some(Compiled {
            prefilter: (!is_user_defined).then(|| prefilter::Prefilter::compile(&deny)),
            deny: meter::measured(deny),
            message: OnceLock::new(),
            at: OnceLock::new(),
        })
    }

    /// Compiles all expressions of a rule. Returns each error with the name of its field.
    pub(super) fn check(
        definition: &Definition,
    ) -> Result<(), (&'static str, program::CompileError)> {
        program::compile(&definition.deny).map_err(|e| ("deny", e))?;
        Template::compile(&definition.message).map_err(|e| ("message", e))?;
        Template::compile(&definition.at).map_err(|e| ("at", e))?;
        Ok(())
    }

    fn message(&self, definition: &Definition) -> &Template {
        self.message
            .get_or_init(|| Template::parse(&definition.message))
    }

    fn at(&self, definition: &Definition) -> &At {
        self.at.get_or_init(|| match definition.at.contains("{{") {
            true => At::Computed(Template::parse(&definition.at)),
            false => At::Fixed(Path::parse(&definition.at)),
        })
    }
}

impl Rule {
    pub fn is_user_defined(&self) -> bool {
        self.user_defined.is_some()
    }

    /// Makes a rule with the severity and parameters of the selection. `user_defined` is the span
    /// of `deny` in the file of a user-defined rule.
    pub(super) fn new(
        definition: Cow<'static, Definition>,
        selection: &Selection,
        user_defined: Option<Span>,
    ) -> Rule {
        let mut parameters: serde_json::Map<String, serde_json::Value> =
            match &*definition.parameters {
                "" => serde_json::Map::new(),
                // The build script and `definition::from_node` write only JSON objects.
                json => serde_json::from_str(json).unwrap_or_default(),
            };
        for (name, value) in selection
            .parameters
            .get(&*definition.id)
            .into_iter()
            .flatten()
        {
            parameters.insert(name.clone(), value.clone());
        }
        let params: Box<dyn Val> = match parameters.is_empty() {
            true => Box::new(cel::common::types::CelNull),
            false => value::from_json(&parameters.clone().into()),
        };
        Rule {
            severity: selection
                .severity
                .get(&*definition.id)
                .copied()
                .unwrap_or(definition.severity),
            native: if definition.native {
                native::find(&definition.id)
            } else {
                None
            },
            definition,
            parameters,
            params,
            compiled: OnceLock::new(),
            user_defined,
            failure_reported: AtomicBool::new(false),
            policy: None,
        }
    }

    /// Whether the rule applies to objects of this kind.
    pub(super) fn is_for(&self, object: &Object, makes_pods: bool) -> bool {
        if let Some(policy) = &self.policy {
            return policy.is_for(object);
        }
        let kinds = &self.definition.kinds;
        if kinds.is_empty() {
            return matches!(self.definition.scope, Scope::Object) || makes_pods;
        }
        kinds
            .iter()
            .any(|kind| match kind.strip_suffix(&*object.identity.kind) {
                Some("") => true,
                Some(group) => group
                    .strip_suffix('/')
                    .is_some_and(|group| group == pod::group_of(&object.identity.api_version)),
                None => makes_pods && kind == "PodSpec",
            })
    }

    /// Whether the prefilter is sure that the rule finds nothing, so that CEL need not run.
    fn passes(&self, nodes: &prefilter::Nodes<'_>) -> bool {
        let nodes = prefilter::Nodes {
            params: Some(&self.parameters),
            ..*nodes
        };
        let passes = |compiled: &Compiled| {
            compiled
                .prefilter
                .as_ref()
                .is_some_and(|prefilter| prefilter.denies(&nodes) == Some(false))
        };
        self.policy.is_none() && self.compiled().is_none_or(passes)
    }

    pub(super) fn compiled(&self) -> Option<&Compiled> {
        self.compiled
            .get_or_init(|| {
                if self.definition.deny.is_empty() {
                    None
                } else {
                    Compiled::new(&self.definition, self.is_user_defined())
                }
            })
            .as_ref()
    }

    pub(super) fn violation(&self, path: Path, message: String) -> Violation {
        Violation {
            rule: self.definition.id.clone(),
            severity: self.severity,
            message,
            help: Some(self.definition.fix.to_string()),
            path,
            at_key: false,
            kubernetes: None,
        }
    }

    /// Evaluates a CEL rule. `base` is the path of the part of the object that the rule checks.
    fn evaluate(
        &self,
        bindings: &Bindings<'_>,
        base: &Path,
        limits: &Limits,
        problems: &Mutex<Vec<Diagnostic>>,
        found: &mut Vec<Violation>,
    ) {
        let bindings = Bindings {
            params: Some(&*self.params),
            ..*bindings
        };
        if let Some(policy) = &self.policy {
            let broken = meter::within(limits, || policy.broken(&bindings));
            match broken {
                Ok((broken, _)) => found.extend(
                    broken
                        .into_iter()
                        .map(|(path, message)| self.violation(path, message)),
                ),
                Err(limit) => found.push(self.unfinished(base, limit, limits)),
            }
            return;
        }
        let Some(compiled) = self.compiled() else {
            return;
        };
        let mut add = |bindings: &Bindings<'_>| {
            let path = match compiled.at(&self.definition) {
                At::Fixed(path) => base.join(path),
                At::Computed(template) => base.join(&Path::parse(&template.render(bindings))),
            };
            found.push(self.violation(path, compiled.message(&self.definition).render(bindings)));
        };
        let result = meter::within(limits, || program::judge(&compiled.deny, &bindings));
        let (why, help) = match result {
            Ok((Ok(Verdict::Fine), _)) => return,
            Ok((Ok(Verdict::Denied), _)) => return add(&bindings),
            Ok((Ok(Verdict::Items(items)), _)) => {
                for item in &items {
                    add(&Bindings {
                        item: Some(&**item),
                        ..bindings
                    });
                }
                return;
            }
            Ok((Err(error), _)) => (
                error.to_string(),
                "guard fields that may be absent with `?`: `object.?spec.?replicas.orValue(1)`"
                    .to_owned(),
            ),
            Err(limit) if self.user_defined.is_none() => {
                return found.push(self.unfinished(base, limit, limits));
            }
            Err(limit) => (exceeded(limit, limits), limit.how_to_raise()),
        };
        if let Some(span) = self.user_defined
            && !self.failure_reported.swap(true, Ordering::Relaxed)
        {
            let id = &self.definition.id;
            let message = format!("the rule `{id}` cannot be evaluated: {why}");
            let diagnostic =
                Diagnostic::new(ids::RULE_INVALID, Severity::Error, span, message).help(help);
            problems
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .push(diagnostic);
        }
    }

    /// Says that a limit ended the evaluation of the rule for a part of an object.
    fn unfinished(&self, part: &Path, limit: Limit, limits: &Limits) -> Violation {
        let (id, why) = (&self.definition.id, exceeded(limit, limits));
        Violation {
            rule: ids::LIMIT_EXCEEDED,
            severity: Severity::Error,
            help: Some(limit.how_to_raise()),
            ..self.violation(
                part.clone(),
                format!("the rule `{id}` was not checked here: {why}"),
            )
        }
    }
}

/// An object and the parts that rules check, as nodes and as CEL values.
struct Parts<'p, 'o> {
    object: &'o Object,
    template: Option<&'o Node>,
    pod: Option<&'p pod::Pod<'o>>,
    containers: Vec<pod::Container<'o>>,
    /// The CEL values, made for the first rule that needs them.
    values: OnceCell<Values<'o>>,
}

struct Values<'o> {
    object: Box<dyn Val + 'o>,
    template: Option<Box<dyn Val + 'o>>,
    pod: Option<Box<dyn Val + 'o>>,
    containers: Vec<Box<dyn Val + 'o>>,
}

impl<'p, 'o> Parts<'p, 'o> {
    fn new(object: &'o Object, pod: Option<&'p pod::Pod<'o>>) -> Parts<'p, 'o> {
        Parts {
            object,
            template: pod.and_then(|p| p.template_path.get(&object.root)),
            pod,
            containers: pod.map(pod::Pod::containers).unwrap_or_default(),
            values: OnceCell::new(),
        }
    }

    fn nodes(&self, container: Option<usize>) -> prefilter::Nodes<'_> {
        prefilter::Nodes {
            object: Some(&self.object.root),
            template: self.template,
            pod: self.pod.map(|p| p.spec),
            container: container.map(|i| self.containers[i].node),
            params: None,
        }
    }

    fn bindings(&self, container: Option<usize>) -> Bindings<'_> {
        let values = self.values.get_or_init(|| Values {
            object: value::from_node(&self.object.root),
            template: self.template.map(value::from_node),
            pod: self.pod.map(|p| value::from_node(p.spec)),
            containers: self
                .containers
                .iter()
                .map(|c| value::from_node(c.node))
                .collect(),
        });
        Bindings {
            object: Some(&*values.object),
            template: values.template.as_deref(),
            pod: values.pod.as_deref(),
            container: container.map(|i| &*values.containers[i]),
            ..Bindings::default()
        }
    }
}

/// What the rules of the scope unit find.
#[derive(Default)]
pub struct OfUnit {
    /// Each violation with the index of its object.
    pub found: Vec<(usize, Violation)>,
    pub held_back: Vec<HeldBack>,
}

impl OfUnit {
    /// Adds the findings of a rule, unless a gap may be their reason.
    fn take(&mut self, rule: &Rule, found: Vec<(usize, Violation)>, gaps: &[Gap]) {
        let definition = &rule.definition;
        let gap = gaps
            .iter()
            .find(|gap| gap.may_hold(&definition.missed_kinds));
        match gap.filter(|_| definition.concludes_from_absence && !found.is_empty()) {
            Some(gap) => self.held_back.push(HeldBack {
                rule: definition.id.to_string(),
                why: gap.why.clone(),
            }),
            None => self.found.extend(found),
        }
    }
}

/// The selected rules.
pub struct Rules {
    pub(super) rules: Vec<Rule>,
    /// The user-defined rules that are not selected. They do not run, but `--ignore` accepts their
    /// names.
    pub(super) unselected: Vec<Rule>,
    pub(super) problems: Mutex<Vec<Diagnostic>>,
}

impl From<Vec<Rule>> for Rules {
    fn from(rules: Vec<Rule>) -> Rules {
        Rules {
            rules,
            unselected: Vec::new(),
            problems: Mutex::default(),
        }
    }
}

/// Which of the rules across objects are evaluated, and what may be missing.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Across<'g> {
    All(&'g [Gap]),
    /// Without those that conclude from the absence of an object.
    Present,
    /// Only those that conclude from the absence of an object.
    Absent(&'g [Gap]),
}

impl Rules {
    /// The selected rules: first the built-in rules in the order of groups and ids, then the
    /// others.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// All user-defined rules, including those that are not selected.
    pub fn user_defined(&self) -> impl Iterator<Item = &Definition> + Clone {
        self.rules
            .iter()
            .filter(|r| r.is_user_defined())
            .chain(&self.unselected)
            .map(|r| &*r.definition)
    }

    /// Whether the rule with this id is an admission policy.
    pub fn is_policy(&self, id: &str) -> bool {
        let mut all = self.rules.iter().chain(&self.unselected);
        all.any(|r| *r.definition.id == *id && r.policy.is_some())
    }

    pub fn len(&self) -> usize {
        self.rules.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rule with this id, if it is selected. Modules that report findings of native rules check
    /// this first.
    pub fn get(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|r| *r.definition.id == *id)
    }

    /// Applies the rules of the scopes container, pod and object to one object.
    pub fn check_object(&self, object: &Object, limits: &Limits) -> Vec<Violation> {
        let mut found = Vec::new();
        let makes_pods = pod::makes_pods(object);
        let is_asked = |r: &&Rule| {
            matches!(
                r.definition.scope,
                Scope::Container | Scope::Pod | Scope::Object
            ) && r.is_for(object, makes_pods)
        };
        let mut rules = self.rules.iter().filter(is_asked).peekable();
        if rules.peek().is_none() {
            return found;
        }
        let pod = pod::pod(object);
        let parts = Parts::new(object, pod.as_ref());
        let check = |rule: &Rule, base: &Path, container, found: &mut Vec<Violation>| {
            self.check_part(rule, &parts, base, container, limits, found);
        };
        for rule in rules {
            match (rule.definition.scope, &pod) {
                (Scope::Object, _) => {
                    check(rule, &Path::root(), None, &mut found);
                }
                (Scope::Pod, Some(pod)) => {
                    check(rule, &pod.path, None, &mut found);
                }
                (Scope::Container, Some(_)) => {
                    let classes = &rule.definition.containers;
                    for (i, container) in parts.containers.iter().enumerate() {
                        let class = container.class.as_str();
                        if classes.is_empty() || classes.iter().any(|c| c == class) {
                            check(rule, &container.path, Some(i), &mut found);
                        }
                    }
                }
                _ => {}
            }
        }
        self.without_implied(&mut found);
        found
    }

    /// Applies a rule to an object, its pod, or the container with this index. `base` is the path
    /// of that part.
    fn check_part(
        &self,
        rule: &Rule,
        parts: &Parts<'_, '_>,
        base: &Path,
        container: Option<usize>,
        limits: &Limits,
        found: &mut Vec<Violation>,
    ) {
        let the_container = container.map(|i| &parts.containers[i]);
        match (rule.native, parts.pod, the_container) {
            (Some(native::Check::Object(check)), ..) => {
                check(&mut native::Report::new(rule, found), parts.object);
            }
            (Some(native::Check::Container(check)), Some(pod), Some(container)) => {
                check(
                    &mut native::Report::new(rule, found),
                    parts.object,
                    pod,
                    container,
                );
            }
            _ if rule.passes(&parts.nodes(container)) => {}
            _ => rule.evaluate(
                &parts.bindings(container),
                base,
                limits,
                &self.problems,
                found,
            ),
        }
    }

    /// Removes findings that another finding implies, if the path of one contains that of the
    /// other.
    fn without_implied(&self, found: &mut Vec<Violation>) {
        if found.len() < 2 {
            return;
        }
        let implying = self
            .rules
            .iter()
            .filter(|r| !r.definition.implies.is_empty());
        let kept: Vec<bool> = {
            // The paths of what each rule implies, and all paths above them.
            let mut paths: FxHashSet<(&str, &[Step])> = FxHashSet::default();
            let mut above: FxHashSet<(&str, &[Step])> = FxHashSet::default();
            for rule in implying {
                for implying in found.iter().filter(|f| f.rule == rule.definition.id) {
                    let path = &implying.path.0[..];
                    for id in rule.definition.implies.iter() {
                        paths.insert((&**id, path));
                        above.extend((0..path.len()).map(|length| (&**id, &path[..length])));
                    }
                }
            }
            let is_implied = |f: &Violation| {
                let (id, path) = (&*f.rule, &f.path.0[..]);
                above.contains(&(id, path))
                    || (0..=path.len()).any(|length| paths.contains(&(id, &path[..length])))
            };
            found.iter().map(|f| !is_implied(f)).collect()
        };
        let mut kept = kept.into_iter();
        found.retain(|_| kept.next().unwrap_or(true));
    }

    /// Applies the rules of the scope unit to all objects of one unit in one environment. The
    /// number in the result is the index of the violation's object. Where an object that a rule
    /// looks for may be missing, the rule is held back.
    pub fn check_unit(&self, objects: &[Object], which: Across<'_>, limits: &Limits) -> OfUnit {
        let mut of_unit = OfUnit::default();
        let unit = ObjectSet::new(objects);
        let mut values = None;
        let (gaps, is_wanted): (&[Gap], fn(&Definition) -> bool) = match which {
            Across::All(gaps) => (gaps, |_| true),
            Across::Present => (&[], |rule| !rule.concludes_from_absence),
            Across::Absent(gaps) => (gaps, |rule| rule.concludes_from_absence),
        };
        let of_scope =
            |rule: &&Rule| rule.definition.scope == Scope::Unit && is_wanted(&rule.definition);
        for rule in self.rules.iter().filter(of_scope) {
            let mut found = Vec::new();
            if let Some(native::Check::Unit(check)) = rule.native {
                check(&mut native::UnitReport::new(rule, &mut found), &unit);
                of_unit.take(rule, found, gaps);
                continue;
            }
            // A unit rule in CEL is evaluated once for each object of its kinds. `object` is that
            // object, and `unit` is the list of all objects.
            let (list, roots) = values.get_or_insert_with(|| {
                let roots: Vec<_> = objects.iter().map(|o| value::from_node(&o.root)).collect();
                (value::list(roots.iter().cloned()), roots)
            });
            for (i, _) in objects.iter().enumerate().filter(|(_, o)| {
                rule.definition.kinds.is_empty() || rule.is_for(o, pod::makes_pods(o))
            }) {
                let bindings = Bindings {
                    object: Some(&*roots[i]),
                    unit: Some(&**list),
                    ..Bindings::default()
                };
                let of_object = self.violations(rule, &bindings, limits);
                found.extend(of_object.into_iter().map(|f| (i, f)));
            }
            of_unit.take(rule, found, gaps);
        }
        of_unit
    }

    /// What a CEL rule finds that checks whole objects, or the chart.
    fn violations(&self, rule: &Rule, bindings: &Bindings<'_>, limits: &Limits) -> Vec<Violation> {
        let mut found = Vec::new();
        rule.evaluate(bindings, &Path::root(), limits, &self.problems, &mut found);
        found
    }

    /// Applies the rules of the scope environments to one unit. The numbers in the result are the
    /// indices of the environment in `environments` and of the object in it. The caller leaves out
    /// the cases of `ci/`.
    pub fn check_environments(
        &self,
        environments: &[Environment<'_>],
        limits: &Limits,
    ) -> Vec<(usize, usize, Violation)> {
        let mut found = Vec::new();
        for rule in self
            .rules
            .iter()
            .filter(|r| r.definition.scope == Scope::Environments)
        {
            if let Some(native::Check::Environments(check)) = rule.native {
                check(
                    &mut native::EnvironmentsReport::new(rule, &mut found),
                    environments,
                );
                continue;
            }
            // A CEL rule is evaluated once for each object of its kinds in each environment.
            // `environments` is a list of {name, objects}.
            let roots: Vec<Vec<_>> = environments
                .iter()
                .map(|e| {
                    e.objects
                        .iter()
                        .map(|o| value::from_node(&o.root))
                        .collect()
                })
                .collect();
            let list = value::list(environments.iter().zip(&roots).map(|(e, roots)| {
                let name: Box<dyn Val> = Box::new(cel::common::types::CelString::from(e.name));
                value::map([
                    ("name", name),
                    ("objects", value::list(roots.iter().cloned())),
                ])
            }));
            for (e, environment) in environments.iter().enumerate() {
                for (i, _) in environment.objects.iter().enumerate().filter(|(_, o)| {
                    rule.definition.kinds.is_empty() || rule.is_for(o, pod::makes_pods(o))
                }) {
                    let bindings = Bindings {
                        object: Some(&*roots[e][i]),
                        environments: Some(&*list),
                        ..Bindings::default()
                    };
                    let of_object = self.violations(rule, &bindings, limits);
                    found.extend(of_object.into_iter().map(|f| (e, i, f)));
                }
            }
        }
        found
    }

    /// Applies the rules of the scope chart to the files of a chart. In CEL, `chart` has `metadata`
    /// (Chart.yaml), `values` (values.yaml), and `templates` and `files` (lists of names).
    pub fn check_chart(&self, chart: &Chart, sources: &Sources) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for rule in self
            .rules
            .iter()
            .filter(|r| r.definition.scope == Scope::Chart)
        {
            if let Some(native::Check::Chart(check)) = rule.native {
                check(
                    &mut native::ChartReport::new(rule, &mut found),
                    chart,
                    sources,
                );
                continue;
            }
            let Some((_, metadata)) = chart
                .chart_yaml
                .as_ref()
                .filter(|_| !rule.definition.native)
            else {
                continue;
            };
            let names = |files: &[crate::helm::File]| {
                value::list(files.iter().map(|f| {
                    Box::new(cel::common::types::CelString::from(f.name.to_string()))
                        as Box<dyn Val>
                }))
            };
            let values = chart
                .values
                .as_ref()
                .map_or_else(|| value::map([]), |(_, node)| value::from_node(node));
            let bound = value::map([
                ("metadata", value::from_node(metadata)),
                ("values", values),
                ("templates", names(&chart.templates)),
                ("files", names(&chart.files)),
            ]);
            let bindings = Bindings {
                chart: Some(&*bound),
                ..Bindings::default()
            };
            for finding in self.violations(rule, &bindings, &sources.limits) {
                // `at` is a path in Chart.yaml.
                let mut diagnostic = Diagnostic::new(
                    finding.rule,
                    finding.severity,
                    finding.path.place(metadata),
                    finding.message,
                );
                diagnostic.help = finding.help;
                found.push(diagnostic);
            }
        }
        found
    }

    /// The evaluation errors of user-defined rules, one for each rule that failed.
    pub fn problems(&self) -> Vec<Diagnostic> {
        std::mem::take(
            &mut *self
                .problems
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        )
    }
}
