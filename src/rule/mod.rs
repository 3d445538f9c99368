//! Rules: loading, CEL, scopes.
//!
//! A rule is a file `rules/<group>/<id>.yaml` ([`definition`]); the build script makes one static
//! table of them, so starting up costs nothing and nothing is registered. Users' own rules are the
//! same files, read at run time with spans. A rule's `deny` is CEL ([`program`], with the functions
//! of [`library`]) or, with `native: true`, a Rust function of [`native`] (or of the room that
//! finds the thing: `kubernetes`, `chart`, `template`).
//!
//! CEL is compiled when an object of the declared kinds occurs for the first time; own rules are
//! compiled at once, so that a broken one is reported. A rule answers with a path into the object
//! ([`Violation`]), never with a line.
//!
//! A built-in rule whose evaluation fails on an object says nothing: the object does not have its
//! kind's shape, which the `kubernetes` rules report. The failure of a user's rule is a diagnostic
//! on the rule file ([`Rules::problems`]).

pub mod cel;
pub mod definition;
pub mod expectation;
mod file;
pub mod native;
pub mod pod;
pub mod policy;
pub mod suppression;
pub mod unit;

pub use definition::{Definition, EMBEDDED, Scope};
pub use unit::{Environment, Unit};

use crate::diagnostic::{Diagnostic, Severity, did_you_mean, ids};
use crate::helm::Chart;
use crate::limits::Limit;
use crate::manifest::{Object, Violation};
use crate::source::{Source, SourceKind, Sources, Span};
use crate::yaml::Path;
use ::cel::IdedExpr;
use ::cel::common::value::Val;
use cel::program::{Bindings, Template, Verdict};
use cel::{meter, program, quick, value};
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, OnceLock};

/// Which rules run, and how: what the configuration's `rules:` and the command line say together.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Rule ids, groups, profiles or `all`; empty: `recommended`.
    pub select: Vec<String>,
    /// The same kinds of names; wins over `select`.
    pub ignore: Vec<String>,
    pub severity: BTreeMap<String, Severity>,
    /// Rule id to parameters by name.
    pub parameters: BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
}

/// One rule, ready to run.
pub struct Rule {
    pub definition: Cow<'static, Definition>,
    pub severity: Severity,
    /// Declared defaults overlaid with the configuration's.
    pub parameters: serde_json::Map<String, serde_json::Value>,
    params: Box<dyn Val>,
    compiled: OnceLock<Option<Compiled>>,
    native: Option<native::Check>,
    /// Where `deny` stands in a user's file.
    own: Option<Span>,
    /// What a user's rule may cost.
    steps: u64,
    complained: AtomicBool,
    /// Of a rule that is a ValidatingAdmissionPolicy.
    policy: Option<policy::Policy>,
}

/// The expressions of a rule. Those of message and place are parsed with the first finding.
struct Compiled {
    deny: IdedExpr,
    /// None of a user's own rule: what that costs is not counted there.
    quick: Option<quick::Quick>,
    message: OnceLock<Template>,
    at: OnceLock<At>,
}

enum At {
    Fixed(Path),
    Computed(Template),
}

impl Compiled {
    /// Of a rule that is known to compile. What a user's own may cost is counted.
    fn new(definition: &Definition, own: bool) -> Option<Compiled> {
        let deny = program::parse(&definition.deny).ok()?;
        let quick = (!own).then(|| quick::Quick::compile(&deny));
        let deny = if own { meter::measured(deny) } else { deny };
        Some(Compiled {
            quick,
            deny,
            message: OnceLock::new(),
            at: OnceLock::new(),
        })
    }

    /// What does not compile, and in which field.
    fn check(definition: &Definition) -> Result<(), (&'static str, program::CompileError)> {
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
    /// Whether it is a user's.
    pub fn is_own(&self) -> bool {
        self.own.is_some()
    }

    fn new(definition: Cow<'static, Definition>, selection: &Selection, own: Option<Span>) -> Rule {
        let mut parameters: serde_json::Map<String, serde_json::Value> =
            match &*definition.parameters {
                "" => serde_json::Map::new(),
                // Written by the build script or by `definition::from_node`; both write JSON
                // objects.
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
            true => Box::new(::cel::common::types::CelNull),
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
            own,
            steps: Limit::RuleSteps.default(),
            complained: AtomicBool::new(false),
            policy: None,
        }
    }

    /// Whether the rule is for objects of this kind.
    fn is_for(&self, object: &Object, makes_pods: bool) -> bool {
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

    /// Whether it is certain without CEL that the rule has nothing to say.
    fn passes(&self, nodes: &quick::Nodes<'_>) -> bool {
        let nodes = quick::Nodes {
            params: Some(&self.parameters),
            ..*nodes
        };
        let passes = |compiled: &Compiled| {
            compiled
                .quick
                .as_ref()
                .is_some_and(|quick| quick.denies(&nodes) == Some(false))
        };
        self.policy.is_none() && self.compiled().is_none_or(passes)
    }

    fn compiled(&self) -> Option<&Compiled> {
        self.compiled
            .get_or_init(|| {
                if self.definition.deny.is_empty() {
                    None
                } else {
                    Compiled::new(&self.definition, self.own.is_some())
                }
            })
            .as_ref()
    }

    fn finding(&self, path: Path, message: String) -> Violation {
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

    /// Evaluates a CEL rule and gives its findings; `base` is the place of what the scope looks at.
    fn evaluate(
        &self,
        bindings: &Bindings<'_>,
        base: &Path,
        problems: &Mutex<Vec<Diagnostic>>,
        found: &mut Vec<Violation>,
    ) {
        let bindings = Bindings {
            params: Some(&*self.params),
            ..*bindings
        };
        if let Some(policy) = &self.policy {
            let broken = meter::within(self.steps, || policy.broken(&bindings));
            found.extend(
                broken
                    .into_iter()
                    .map(|(path, message)| self.finding(path, message)),
            );
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
            found.push(self.finding(path, compiled.message(&self.definition).render(bindings)));
        };
        match meter::within(self.steps, || program::judge(&compiled.deny, &bindings)) {
            Ok(Verdict::Fine) => {}
            Ok(Verdict::Denied) => add(&bindings),
            Ok(Verdict::Items(items)) => {
                for item in &items {
                    add(&Bindings {
                        item: Some(&**item),
                        ..bindings
                    });
                }
            }
            Err(error) => {
                if let Some(span) = self.own
                    && !self.complained.swap(true, Ordering::Relaxed)
                {
                    let (why, help) = match meter::is_over(&error) {
                        true => (format!("it takes more than {} steps (limit `rule-steps`)", self.steps), Limit::RuleSteps.how_to_raise()),
                        false => (error.to_string(), "guard fields that may be absent with `?`: `object.?spec.?replicas.orValue(1)`".to_owned()),
                    };
                    let message = format!(
                        "the rule `{}` cannot be evaluated: {why}",
                        self.definition.id
                    );
                    let diagnostic =
                        Diagnostic::new(ids::RULE_INVALID, Severity::Error, span, message)
                            .help(help);
                    problems
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner)
                        .push(diagnostic);
                }
            }
        }
    }
}

/// An object and its parts as CEL sees them.
struct Values<'o> {
    object: Box<dyn Val + 'o>,
    template: Option<Box<dyn Val + 'o>>,
    pod: Option<Box<dyn Val + 'o>>,
    containers: Vec<Box<dyn Val + 'o>>,
}

impl Values<'_> {
    fn bindings(&self) -> Bindings<'_> {
        Bindings {
            object: Some(&*self.object),
            template: self.template.as_deref(),
            pod: self.pod.as_deref(),
            ..Bindings::default()
        }
    }
}

/// The selected rules.
pub struct Rules {
    rules: Vec<Rule>,
    problems: Mutex<Vec<Diagnostic>>,
}

/// What the documentation of a built-in rule says; none for ids that are no built-in rule.
pub fn documentation(id: &str) -> Option<&'static Definition> {
    static BY_ID: LazyLock<FxHashMap<&str, &Definition>> =
        LazyLock::new(|| EMBEDDED.iter().map(|d| (&*d.id, d)).collect());
    BY_ID.get(id).copied()
}

/// A rule's file is its documentation.
pub use definition::Definition as Documentation;

/// Whether `name` selects `definition`: its id, its group, one of its profiles, or `all`.
pub fn selects(name: &str, definition: &Definition) -> bool {
    name == "all"
        || *definition.id == *name
        || *definition.group == *name
        || definition.profiles.iter().any(|p| p == name)
}

/// Whether `--select` and `ignore` know this name, given the users' own rules; otherwise the
/// nearest one that exists, if any is near.
pub fn check_name<'a>(
    name: &str,
    own: impl Iterator<Item = &'a Definition> + Clone,
) -> Result<(), Option<String>> {
    if name == "recommended" || EMBEDDED.iter().chain(own.clone()).any(|d| selects(name, d)) {
        return Ok(());
    }
    let names = EMBEDDED.iter().chain(own).flat_map(|d| {
        [&*d.id, &*d.group]
            .into_iter()
            .chain(d.profiles.iter().map(|p| &**p))
    });
    Err(did_you_mean(name, names).map(str::to_owned))
}

impl Rules {
    /// Loads the built-in rules and the users' own from files and folders (`*.yaml`, `*.yml`), and
    /// keeps those that are selected. What is wrong with own rules is in the diagnostics; such a
    /// rule does not run.
    pub fn load(
        selection: &Selection,
        sources: &mut Sources,
        paths: &[PathBuf],
    ) -> (Rules, Vec<Diagnostic>) {
        let mut found = Vec::new();
        let mut rules: Vec<Rule> = EMBEDDED
            .iter()
            .filter(|d| is_selected(selection, d, false))
            .map(|d| Rule::new(Cow::Borrowed(d), selection, None))
            .collect();
        for own in read(sources, paths, &mut found) {
            if let Some(twin) = EMBEDDED
                .iter()
                .map(|d| &d.id)
                .chain(rules.iter().map(|r| &r.definition.id))
                .find(|id| **id == own.definition.id)
            {
                found.push(Diagnostic::new(
                    ids::RULE_INVALID,
                    Severity::Error,
                    own.id,
                    format!("there is a rule `{twin}` already"),
                ));
                continue;
            }
            let id = own.id;
            let rule = own.rule(selection);
            if rule.policy.as_ref().is_some_and(|p| p.takes_params) && rule.parameters.is_empty() {
                let name = &rule.definition.id;
                let message = format!(
                    "the policy takes parameters: give them as `rules.parameters.{name}`, or with the binding in the same file"
                );
                found.push(Diagnostic::new(
                    ids::RULE_INVALID,
                    Severity::Error,
                    id,
                    message,
                ));
                continue;
            }
            if is_selected(selection, &rule.definition, true) {
                rules.push(rule);
            }
        }
        let steps = sources.limits.get(Limit::RuleSteps);
        rules.iter_mut().for_each(|rule| rule.steps = steps);
        (
            Rules {
                rules,
                problems: Mutex::default(),
            },
            found,
        )
    }

    /// The selected built-in rules alone.
    pub fn embedded(selection: &Selection) -> Rules {
        Rules::load(selection, &mut Sources::default(), &[]).0
    }

    /// The selected rules, built-in ones first, in the order of their groups and ids.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    pub fn len(&self) -> usize {
        self.rules.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// A selected rule by id; none where it is not selected. Rooms that find things themselves ask
    /// this before they report.
    pub fn get(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|r| *r.definition.id == *id)
    }

    /// Judges one object by the rules of the scopes container, pod and object.
    pub fn check_object(&self, object: &Object) -> Vec<Violation> {
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
        let containers = pod.as_ref().map(pod::Pod::containers).unwrap_or_default();
        let template = pod.as_ref().and_then(|p| p.template_path.get(&object.root));
        let nodes = quick::Nodes {
            object: Some(&object.root),
            template,
            pod: pod.as_ref().map(|p| p.spec),
            ..quick::Nodes::default()
        };
        // CEL values are made with the first rule that needs them.
        let values = OnceCell::new();
        let values = || {
            values.get_or_init(|| Values {
                object: value::from_node(&object.root),
                template: template.map(value::from_node),
                pod: pod.as_ref().map(|p| value::from_node(p.spec)),
                containers: containers
                    .iter()
                    .map(|c| value::from_node(c.node))
                    .collect(),
            })
        };
        for rule in rules {
            match (rule.definition.scope, &pod) {
                (Scope::Object, _) => match rule.native {
                    Some(native::Check::Object(check)) => {
                        check(&mut native::Report::new(rule, &mut found), object)
                    }
                    _ if rule.passes(&nodes) => {}
                    _ => rule.evaluate(
                        &values().bindings(),
                        &Path::root(),
                        &self.problems,
                        &mut found,
                    ),
                },
                (Scope::Pod, Some(_)) if rule.passes(&nodes) => {}
                (Scope::Pod, Some(pod)) => {
                    rule.evaluate(&values().bindings(), &pod.path, &self.problems, &mut found)
                }
                (Scope::Container, Some(pod)) => {
                    for (i, container) in containers.iter().enumerate() {
                        let classes = &rule.definition.containers;
                        if !classes.is_empty()
                            && !classes.iter().any(|c| c == container.class.as_str())
                        {
                            continue;
                        }
                        match rule.native {
                            Some(native::Check::Container(check)) => check(
                                &mut native::Report::new(rule, &mut found),
                                object,
                                pod,
                                container,
                            ),
                            _ if rule.passes(&quick::Nodes {
                                container: Some(container.node),
                                ..nodes
                            }) => {}
                            _ => {
                                let bindings = Bindings {
                                    container: Some(&*values().containers[i]),
                                    ..values().bindings()
                                };
                                rule.evaluate(
                                    &bindings,
                                    &container.path,
                                    &self.problems,
                                    &mut found,
                                );
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        self.without_implied(&mut found);
        found
    }

    /// Takes out what another finding at the same place, or right below or above, says better.
    fn without_implied(&self, found: &mut Vec<Violation>) {
        if found.len() < 2 {
            return;
        }
        let implying = self
            .rules
            .iter()
            .filter(|r| !r.definition.implies.is_empty());
        let implied: Vec<(&definition::List, Path)> = implying
            .flat_map(|rule| {
                found
                    .iter()
                    .filter(|f| f.rule == rule.definition.id)
                    .map(|f| (&rule.definition.implies, f.path.clone()))
            })
            .collect();
        let is_same = |a: &Path, b: &Path| a.0.starts_with(&b.0) || b.0.starts_with(&a.0);
        found.retain(|f| {
            !implied
                .iter()
                .any(|(ids, path)| ids.iter().any(|id| **id == *f.rule) && is_same(path, &f.path))
        });
    }

    /// Judges the objects of one unit in one environment together; the number is the index of the
    /// object that a finding is about. `complete` is false where a template failed, so that objects
    /// may be missing: rules that conclude from absence are silent then.
    pub fn check_unit(&self, objects: &[Object], complete: bool) -> Vec<(usize, Violation)> {
        let mut found = Vec::new();
        let unit = Unit::new(objects);
        let mut values = None;
        for rule in self.rules.iter().filter(|r| {
            r.definition.scope == Scope::Unit && (complete || !r.definition.concludes_from_absence)
        }) {
            if let Some(native::Check::Unit(check)) = rule.native {
                check(&mut native::UnitReport::new(rule, &mut found), &unit);
                continue;
            }
            // A unit rule in CEL is asked once for each object of its kinds, bound as `object`,
            // with all objects as `unit`.
            let (list, roots) = values.get_or_insert_with(|| {
                let roots: Vec<_> = objects.iter().map(|o| value::from_node(&o.root)).collect();
                (value::list(roots.iter().cloned()), roots)
            });
            for (i, _) in objects.iter().enumerate().filter(|(_, o)| {
                rule.definition.kinds.is_empty() || rule.is_for(o, pod::makes_pods(o))
            }) {
                let mut of_object = Vec::new();
                let bindings = Bindings {
                    object: Some(&*roots[i]),
                    unit: Some(&**list),
                    ..Bindings::default()
                };
                rule.evaluate(&bindings, &Path::root(), &self.problems, &mut of_object);
                found.extend(of_object.into_iter().map(|f| (i, f)));
            }
        }
        found
    }

    /// Judges one unit over all its environments; the numbers are the indices of the environment
    /// (in the list given) and of the object in it. Cases of `ci/` are not to be given.
    pub fn check_environments(
        &self,
        environments: &[Environment<'_>],
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
            // In CEL: once for each object of the kinds in each environment, with `environments` as
            // a list of {name, objects}.
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
                let name: Box<dyn Val> = Box::new(::cel::common::types::CelString::from(e.name));
                value::map([
                    ("name", name),
                    ("objects", value::list(roots.iter().cloned())),
                ])
            }));
            for (e, environment) in environments.iter().enumerate() {
                for (i, _) in environment.objects.iter().enumerate().filter(|(_, o)| {
                    rule.definition.kinds.is_empty() || rule.is_for(o, pod::makes_pods(o))
                }) {
                    let mut of_object = Vec::new();
                    let bindings = Bindings {
                        object: Some(&*roots[e][i]),
                        environments: Some(&*list),
                        ..Bindings::default()
                    };
                    rule.evaluate(&bindings, &Path::root(), &self.problems, &mut of_object);
                    found.extend(of_object.into_iter().map(|f| (e, i, f)));
                }
            }
        }
        found
    }

    /// Judges a chart's own files. In CEL, `chart` has `metadata` (Chart.yaml), `values`
    /// (values.yaml), `templates` and `files` (names).
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
                    Box::new(::cel::common::types::CelString::from(f.name.to_string()))
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
            let mut of_chart = Vec::new();
            rule.evaluate(
                &Bindings {
                    chart: Some(&*bound),
                    ..Bindings::default()
                },
                &Path::root(),
                &self.problems,
                &mut of_chart,
            );
            for finding in of_chart {
                // `at` leads into Chart.yaml.
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

    /// What went wrong in users' own rules while they ran; each rule complains once.
    pub fn problems(&self) -> Vec<Diagnostic> {
        std::mem::take(
            &mut *self
                .problems
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        )
    }
}

/// A user's rule as its file gives it.
pub struct Own {
    pub definition: Definition,
    pub file: PathBuf,
    /// Where the id and the `deny` stand.
    id: Span,
    deny: Span,
    /// Of a ValidatingAdmissionPolicy, which has no `deny`.
    policy: Option<policy::Policy>,
}

impl Own {
    fn rule(self, selection: &Selection) -> Rule {
        let policy = self.policy;
        Rule {
            policy,
            ..Rule::new(Cow::Owned(self.definition), selection, Some(self.deny))
        }
    }

    /// The rule alone. Evaluation errors are in [`Rules::problems`].
    pub fn alone(self) -> Rules {
        Rules {
            rules: vec![self.rule(&Selection::default())],
            problems: Mutex::default(),
        }
    }
}

/// One built-in rule alone, whose evaluation errors are kept.
#[cfg(test)]
pub(crate) fn alone(definition: &'static Definition) -> Rules {
    let source = Sources::default().add(Source::new("rule", &b""[..], SourceKind::File));
    let rule = Rule::new(
        Cow::Borrowed(definition),
        &Selection::default(),
        Some(Span::new(source, 0, 0)),
    );
    Rules {
        rules: vec![rule],
        problems: Mutex::default(),
    }
}

/// Whether another room finds what the rule is about, so that there is no function and no
/// expression to run here.
#[cfg(test)]
pub(crate) fn found_elsewhere(definition: &Definition) -> bool {
    definition.native && native::find(&definition.id).is_none()
}

/// Reads the rules of files and folders: rule files, and ValidatingAdmissionPolicies with their
/// bindings. What is wrong with one goes to `found`, and it is left out.
pub fn read(sources: &mut Sources, paths: &[PathBuf], found: &mut Vec<Diagnostic>) -> Vec<Own> {
    let mut rules = Vec::new();
    let mut policies = Vec::new();
    for file in paths.iter().flat_map(|path| rule_files(path)) {
        let text = match sources.read_file(&file) {
            Ok(text) => text,
            Err(error) => {
                let source = sources.add(Source::new(path_name(&file), &b""[..], SourceKind::File));
                let message = format!("the rule file cannot be read: {error}");
                found.push(Diagnostic::new(
                    ids::RULE_INVALID,
                    Severity::Error,
                    Span::new(source, 0, 0),
                    message,
                ));
                continue;
            }
        };
        let is_policy = policy::is_one(&text);
        let source = sources.add(Source::new(path_name(&file), text, SourceKind::File));
        if is_policy {
            let name = sources.get(source).name.clone();
            policies.extend(
                crate::manifest::read(&sources.get(source).text, source, &name, None, found)
                    .into_iter()
                    .map(|o| (file.clone(), o)),
            );
            continue;
        }
        let node = match crate::yaml::read(sources, source) {
            Ok(node) => node,
            Err(error) => {
                found.push(Diagnostic::new(
                    ids::RULE_INVALID,
                    Severity::Error,
                    error.span,
                    error.message,
                ));
                continue;
            }
        };
        let group = file
            .parent()
            .and_then(|p| p.file_name())
            .and_then(|n| n.to_str())
            .filter(|g| definition::GROUPS.contains(g));
        let Some(written) = definition::from_node(&node, group.unwrap_or("own"), found) else {
            continue;
        };
        if let Err((field, error)) = Compiled::check(&written.definition)
            && !written.definition.native
        {
            let span = node
                .get(field)
                .map_or(written.deny, |n| inside(sources, n.span, error.offset));
            let message = format!("`{field}` does not compile: {}", error.message);
            found.push(Diagnostic::new(
                ids::RULE_INVALID,
                Severity::Error,
                span,
                message,
            ));
            continue;
        }
        let id = node.get("id").map_or(node.span, |n| n.span);
        rules.push(Own {
            definition: written.definition,
            file,
            id,
            deny: written.deny,
            policy: None,
        });
    }
    rules.extend(policy::rules(&policies, sources, found));
    rules
}

/// Users' own rules without a profile count as recommended: who writes a rule wants it to run.
fn is_selected(selection: &Selection, definition: &Definition, own: bool) -> bool {
    let by_default = definition.is_recommended() || (own && definition.profiles.is_empty());
    let wanted = match selection.select.as_slice() {
        [] => by_default,
        names => names
            .iter()
            .any(|n| selects(n, definition) || (n == "recommended" && by_default)),
    };
    wanted && !selection.ignore.iter().any(|n| selects(n, definition))
}

/// The rule files behind a path: itself, or all YAML files below the folder, sorted. What lies in a
/// folder `fixtures` is what rules are tested with.
pub fn rule_files(path: &std::path::Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let mut files: Vec<PathBuf> = ignore::WalkBuilder::new(path)
        .max_depth(Some(16))
        .filter_entry(|entry| entry.depth() == 0 || entry.file_name() != "fixtures")
        .build()
        .flatten()
        .map(ignore::DirEntry::into_path)
        .filter(|p| p.is_file() && p.extension().is_some_and(|e| e == "yaml" || e == "yml"))
        .collect();
    files.sort();
    files
}

fn path_name(path: &std::path::Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The place of byte `offset` of a scalar's value in its source: exact for scalars on one line,
/// else the whole scalar.
fn inside(sources: &Sources, span: Span, offset: usize) -> Span {
    let text = &sources.get(span.source).text;
    let (start, end) = (span.start as usize, (span.end as usize).min(text.len()));
    let quoted = text.get(start).is_some_and(|b| b"'\"".contains(b));
    let at = start + usize::from(quoted) + offset;
    if at < end && !text[start..end].contains(&b'\n') {
        Span::new(span.source, at, at + 1)
    } else {
        span
    }
}

#[cfg(test)]
mod tests;
