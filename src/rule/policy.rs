//! ValidatingAdmissionPolicies as rules, so that a team can check its charts with the same policies
//! as its cluster.
//!
//! A policy is one rule with the policy's name. It is evaluated as the API server evaluates the
//! creation of an object
//! (<https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/>):
//! resource rules, match conditions, variables, validations. `params` is the object that the
//! binding names, if the rule files contain it, overridden by the configuration's
//! `rules.parameters`. `oldObject` is null. `authorizer` does not exist, because there is no
//! cluster, and namespace selectors are ignored. A binding's `validationActions` determine the
//! severity: Deny is an error, Warn a warning, Audit an info.

use super::cel::meter;
use super::cel::program::{self, Bindings, CompileError, Verdict};
use super::cel::value;
use super::definition::{Definition, Scope, USER_DEFINED, to_json};
use super::load::{UserDefined, inside};
use super::{object_set, pod};
use crate::diagnostic::{Diagnostic, RuleId, Severity, ids};
use crate::manifest::Object;
use crate::source::{Sources, Span};
use crate::yaml::Node;
use crate::yaml::Path;
use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr};
use cel::common::types::{CelNull, CelString};
use cel::common::value::Val;
use std::borrow::Cow;
use std::path::PathBuf;

/// The variables that the expressions of a policy can use.
const NAMES: [&str; 6] = [
    "object",
    "oldObject",
    "request",
    "params",
    "namespaceObject",
    "variables",
];
/// The expressions of variables are inlined. These are the largest number of nodes and the largest
/// depth of an expression after that.
const NODES: usize = 20_000;
const DEPTH: usize = 200;

/// A parsed policy.
pub(crate) struct Policy {
    resources: Vec<Resources>,
    excluded: Vec<Resources>,
    object_selector: Option<Node>,
    conditions: Vec<IdedExpr>,
    validations: Vec<Validation>,
    /// `failurePolicy: Fail`: an expression that cannot be evaluated counts as a violation.
    fails: bool,
    /// The policy has a `paramKind`, so it does not run without parameters.
    pub takes_params: bool,
}

/// One entry of `resourceRules`: the fields that can be compared with a manifest.
struct Resources {
    groups: Vec<String>,
    versions: Vec<String>,
    resources: Vec<String>,
    names: Vec<String>,
    operations: Vec<String>,
}

struct Validation {
    expression: IdedExpr,
    text: String,
    message: Option<String>,
    message_expression: Option<IdedExpr>,
    /// The field that the expression looks at.
    path: Path,
}

/// Whether a file contains manifests of policies, and not a rule.
pub(crate) fn contains_policies(text: &[u8]) -> bool {
    memchr::memmem::find(text, b"ValidatingAdmissionPolicy").is_some()
        && memchr::memmem::find(text, b"admissionregistration.k8s.io/").is_some()
}

/// Makes a rule of each policy among the objects, with the bindings and parameters among them.
/// Errors are added to `found`, and a policy with errors makes no rule.
pub(crate) fn rules(
    objects: &[(PathBuf, Object)],
    sources: &Sources,
    found: &mut Vec<Diagnostic>,
) -> Vec<UserDefined> {
    let of_kind = |kind: &'static str| {
        objects
            .iter()
            .filter(move |(_, o)| &*o.identity.kind == kind)
    };
    let severity = |name: &str| {
        let actions = of_kind("ValidatingAdmissionPolicyBinding")
            .filter(|(_, o)| object_set::text(&o.root, "spec.policyName") == Some(name))
            .flat_map(|(_, o)| texts(object_set::get(&o.root, "spec.validationActions")));
        let severities = actions.filter_map(|action| match action.as_str() {
            "Deny" => Some(Severity::Error),
            "Warn" => Some(Severity::Warning),
            "Audit" => Some(Severity::Info),
            _ => None,
        });
        severities.max().unwrap_or(Severity::Error)
    };
    let mut rules = Vec::new();
    for (file, object) in of_kind("ValidatingAdmissionPolicy") {
        let name = object.identity.name.to_string();
        match Policy::new(&object.root) {
            Ok(policy) => {
                let id = Path::parse("metadata.name").place(&object.root);
                let deny = Path::parse("spec.validations").place(&object.root);
                let mut definition = definition(&name, &policy, severity(&name));
                if policy.takes_params {
                    let parameters =
                        parameters(&name, objects).map(|o| to_json(&o.root, 0).to_string());
                    definition.parameters = parameters.unwrap_or_default().into();
                }
                let selector = Path::parse("spec.matchConstraints.namespaceSelector");
                if selector
                    .get(&object.root)
                    .is_some_and(|s| !object_set::is_empty_selector(s))
                {
                    let message = "`namespaceSelector` is ignored, since a chart does not contain the labels of its namespace";
                    found.push(Diagnostic::new(
                        ids::RULE_INVALID,
                        Severity::Info,
                        selector.place_key(&object.root),
                        message,
                    ));
                }
                rules.push(UserDefined {
                    definition,
                    file: file.clone(),
                    id,
                    deny,
                    policy: Some(policy),
                });
            }
            Err((span, error)) => {
                let message = format!("the policy `{name}` does not compile: {}", error.message);
                found.push(Diagnostic::new(
                    ids::RULE_INVALID,
                    Severity::Error,
                    inside(sources, span, error.offset),
                    message,
                ));
            }
        }
    }
    rules
}

/// The parameter object that a binding of the policy names.
fn parameters<'o>(policy: &str, objects: &'o [(PathBuf, Object)]) -> Option<&'o Object> {
    let binding = |o: &&Object| {
        &*o.identity.kind == "ValidatingAdmissionPolicyBinding"
            && object_set::text(&o.root, "spec.policyName") == Some(policy)
    };
    let mut names = objects
        .iter()
        .map(|(_, o)| o)
        .filter(binding)
        .filter_map(|o| object_set::text(&o.root, "spec.paramRef.name"));
    names.find_map(|name| {
        objects
            .iter()
            .map(|(_, o)| o)
            .find(|o| &*o.identity.name == name && !binding(o))
    })
}

/// The definition of a policy's rule. The policy `few.replicas.example.com` has the rule id
/// `few-replicas-example-com`.
fn definition(name: &str, policy: &Policy, severity: Severity) -> Definition {
    let words: Vec<String> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let texts: Vec<&str> = policy.validations.iter().map(|v| v.text.as_str()).collect();
    let none = || Cow::Borrowed("");
    Definition {
        id: RuleId::from_file(words.join("-").into()),
        group: USER_DEFINED.into(),
        title: format!("ValidatingAdmissionPolicy {name}").into(),
        severity,
        profiles: Cow::Borrowed(&[]),
        scope: Scope::Object,
        kinds: Cow::Borrowed(&[]),
        containers: Cow::Borrowed(&[]),
        parameters: none(),
        native: false,
        deny: format!("!({})", texts.join(" && ")).into(),
        at: none(),
        message: none(),
        why: "The cluster's admission policy refuses the object.".into(),
        fix: format!(
            "Change the object so that the policy's expressions are true: {}",
            texts.join("; ")
        )
        .into(),
        aliases: Cow::Borrowed(&[]),
        implies: Cow::Borrowed(&[]),
        references: Cow::Borrowed(&[]),
        bad: Cow::Borrowed(&[]),
        good: Cow::Borrowed(&[]),
        breaks: false,
        concludes_from_absence: false,
        missed_kinds: Cow::Borrowed(&[]),
        since: Cow::Borrowed(""),
        topic: None,
        once: false,
        only_newest: false,
        only_rendered: false,
        repair: None,
    }
}

impl Policy {
    /// Reads the `spec` of a policy. The error is the span of an expression that does not compile,
    /// and the reason.
    fn new(root: &Node) -> Result<Policy, (Span, CompileError)> {
        let at = |path: &str| object_set::get(root, path);
        let items = |path: &str| at(path).map(Node::items).unwrap_or_default();
        let mut variables: Vec<(String, IdedExpr)> = Vec::new();
        for item in items("spec.variables") {
            let Some(name) = item.get("name").and_then(Node::as_str) else {
                continue;
            };
            let expression = compile(item, "expression", &variables)?;
            variables.extend(expression.map(|e| (name.to_owned(), e)));
        }
        let mut conditions = Vec::new();
        for item in items("spec.matchConditions") {
            conditions.extend(compile(item, "expression", &[])?);
        }
        let mut validations = Vec::new();
        for item in items("spec.validations") {
            let Some(expression) = compile(item, "expression", &variables)? else {
                continue;
            };
            validations.push(Validation {
                path: field_of(&expression),
                text: item
                    .get("expression")
                    .and_then(Node::as_str)
                    .unwrap_or_default()
                    .trim()
                    .to_owned(),
                message: item
                    .get("message")
                    .and_then(Node::as_str)
                    .map(|m| m.trim().to_owned()),
                message_expression: compile(item, "messageExpression", &variables)?,
                expression,
            });
        }
        let resources = |path: &str| items(path).iter().map(Resources::new).collect::<Vec<_>>();
        Ok(Policy {
            resources: resources("spec.matchConstraints.resourceRules"),
            excluded: resources("spec.matchConstraints.excludeResourceRules"),
            object_selector: at("spec.matchConstraints.objectSelector")
                .filter(|s| !object_set::is_empty_selector(s))
                .cloned(),
            conditions,
            validations,
            fails: object_set::text(root, "spec.failurePolicy") != Some("Ignore"),
            takes_params: at("spec.paramKind").is_some_and(|n| !n.is_null()),
        })
    }

    /// Whether the policy matches the creation or update of this object (`matchConstraints`).
    pub(crate) fn is_for(&self, object: &Object) -> bool {
        let labels = || {
            object_set::get(&object.root, "metadata.labels")
                .map(Node::entries)
                .unwrap_or_default()
        };
        self.resources.iter().any(|r| r.has(object))
            && !self.excluded.iter().any(|r| r.has(object))
            && self
                .object_selector
                .as_ref()
                .is_none_or(|s| object_set::selects(s, labels()))
    }

    /// The path and message of each validation that fails.
    pub(crate) fn broken(&self, bindings: &Bindings<'_>) -> Vec<(Path, String)> {
        let word = |text: String| Box::new(CelString::from(text)) as Box<dyn Val>;
        let of_object = |path: &[&str]| {
            let mut here = bindings.object?.clone_as_boxed();
            for key in path {
                let next = here
                    .as_indexer()?
                    .get(&CelString::from(*key))
                    .ok()?
                    .as_ref()
                    .clone_as_boxed();
                here = next;
            }
            Some(value::display(&*here))
        };
        let name = of_object(&["metadata", "name"]).unwrap_or_default();
        let namespace = of_object(&["metadata", "namespace"]).unwrap_or_else(|| "default".into());
        let api_version = of_object(&["apiVersion"]).unwrap_or_default();
        let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
        let kind = of_object(&["kind"]).unwrap_or_default();
        let resource = plural(&kind);
        let type_of = |last: &'static str, text: &str| {
            value::map([
                ("group", word(group.to_owned())),
                ("version", word(version.to_owned())),
                (last, word(text.to_owned())),
            ])
        };
        let request = value::map([
            ("kind", type_of("kind", &kind)),
            ("resource", type_of("resource", &resource)),
            ("name", word(name)),
            ("namespace", word(namespace.clone())),
            ("operation", word("CREATE".into())),
            (
                "userInfo",
                value::map([
                    ("username", word(String::new())),
                    ("groups", value::list([])),
                ]),
            ),
            ("dryRun", Box::new(cel::common::types::CelBool::from(false))),
        ]);
        let metadata = value::map([
            ("name", word(namespace)),
            ("labels", value::map([])),
            ("annotations", value::map([])),
        ]);
        let namespace_object = value::map([("metadata", metadata)]);
        let null = CelNull;
        let params = bindings.params.unwrap_or(&null);
        let bindings = Bindings {
            request: Some(&*request),
            namespace_object: Some(&*namespace_object),
            params: Some(params),
            ..*bindings
        };
        let mut broken = Vec::new();
        let refused = |error: cel::ExecutionError, text: &str| {
            format!("the policy cannot be evaluated, so the object is refused: {error} ({text})")
        };
        for condition in &self.conditions {
            match program::judge(condition, &bindings) {
                Ok(Verdict::Denied) => {}
                Ok(_) => return Vec::new(),
                Err(error) if self.fails => {
                    return vec![(Path::root(), refused(error, "in matchConditions"))];
                }
                Err(_) => return Vec::new(),
            }
        }
        for validation in &self.validations {
            match program::judge(&validation.expression, &bindings) {
                Ok(Verdict::Denied) => {}
                Ok(_) => {
                    let evaluated = validation
                        .message_expression
                        .as_ref()
                        .and_then(|e| program::evaluate_text(e, &bindings))
                        .filter(|m| !m.trim().is_empty());
                    let message = evaluated
                        .or_else(|| validation.message.clone())
                        .unwrap_or_else(|| format!("failed expression: {}", validation.text));
                    broken.push((validation.path.clone(), message));
                }
                Err(error) if self.fails => {
                    broken.push((validation.path.clone(), refused(error, &validation.text)))
                }
                Err(_) => {}
            }
        }
        broken
    }
}

impl Resources {
    fn new(node: &Node) -> Resources {
        let list = |key: &str| texts(node.get(key));
        Resources {
            groups: list("apiGroups"),
            versions: list("apiVersions"),
            resources: list("resources"),
            names: list("resourceNames"),
            operations: list("operations"),
        }
    }

    fn has(&self, object: &Object) -> bool {
        let api_version = &*object.identity.api_version;
        let version = api_version.rsplit('/').next().unwrap_or_default();
        let any = |list: &[String], wanted: &[&str]| {
            list.iter()
                .any(|x| x == "*" || wanted.contains(&x.as_str()))
        };
        any(&self.groups, &[pod::group_of(api_version)])
            && any(&self.versions, &[version])
            && any(&self.resources, &[&plural(&object.identity.kind), "*/*"])
            && any(&self.operations, &["CREATE", "UPDATE"])
            && (self.names.is_empty() || self.names.iter().any(|n| **n == *object.identity.name))
    }
}

/// The resource name of a kind (its plural in lower case), correct for all built-in kinds.
fn plural(kind: &str) -> String {
    let kind = kind.to_ascii_lowercase();
    if kind == "endpoints" {
        return kind;
    }
    match kind.strip_suffix('y') {
        Some(stem) if !kind.ends_with("ay") && !kind.ends_with("ey") => format!("{stem}ies"),
        _ if kind.ends_with(['s', 'x']) || kind.ends_with("ch") => format!("{kind}es"),
        _ => format!("{kind}s"),
    }
}

fn texts(node: Option<&Node>) -> Vec<String> {
    node.map(Node::items)
        .unwrap_or_default()
        .iter()
        .filter_map(Node::as_str)
        .map(str::to_owned)
        .collect()
}

/// Compiles the expression under a key, with the variables inlined.
fn compile(
    item: &Node,
    key: &str,
    variables: &[(String, IdedExpr)],
) -> Result<Option<IdedExpr>, (Span, CompileError)> {
    let Some(node) = item.get(key) else {
        return Ok(None);
    };
    let Some(text) = node.as_str() else {
        return Ok(None);
    };
    let mut expression = program::compile_with(text, &NAMES).map_err(|e| {
        let message = match e.message.starts_with("there is no variable `authorizer`") {
            true => "`authorizer` needs a cluster, and thebot-lint uses none".into(),
            false => e.message,
        };
        (node.span, CompileError { message, ..e })
    })?;
    let mut left = NODES;
    match place(&mut expression, variables, &mut left, 0) {
        Ok(()) => Ok(Some(meter::measured(expression))),
        Err(message) => Err((node.span, CompileError { message, offset: 0 })),
    }
}

/// Replaces each `variables.NAME` by the expression of the variable.
fn place(
    expression: &mut IdedExpr,
    variables: &[(String, IdedExpr)],
    left: &mut usize,
    depth: usize,
) -> Result<(), String> {
    *left = left
        .checked_sub(1)
        .filter(|_| depth < DEPTH)
        .ok_or("the expression is too large with its variables inlined")?;
    if let Expr::Select(select) = &expression.expr
        && select.operand.expr == Expr::Ident("variables".into())
    {
        let (_, variable) = variables
            .iter()
            .find(|(name, _)| *name == select.field)
            .ok_or_else(|| {
                let near = crate::diagnostic::did_you_mean(
                    &select.field,
                    variables.iter().map(|(name, _)| name.as_str()),
                );
                format!(
                    "there is no variable `{}`{}",
                    select.field,
                    near.map(|n| format!("; did you mean `{n}`?"))
                        .unwrap_or_default()
                )
            })?;
        *expression = variable.clone();
        *left = left
            .checked_sub(size(expression, *left))
            .ok_or("the expression is too large with its variables inlined")?;
        return Ok(());
    }
    let parts: Vec<&mut IdedExpr> = parts(expression);
    parts
        .into_iter()
        .try_for_each(|part| place(part, variables, left, depth + 1))
}

/// The number of nodes of an expression. It counts at most `limit` + 1 of them.
fn size(expression: &IdedExpr, limit: usize) -> usize {
    let mut copy = expression.clone();
    let mut stack = vec![&mut copy];
    let mut count = 0;
    while let Some(next) = stack.pop() {
        count += 1;
        if count > limit {
            break;
        }
        stack.extend(parts(next));
    }
    count
}

fn parts(expression: &mut IdedExpr) -> Vec<&mut IdedExpr> {
    fn entries(entries: &mut [cel::common::ast::IdedEntryExpr]) -> Vec<&mut IdedExpr> {
        entries
            .iter_mut()
            .flat_map(|entry| match &mut entry.expr {
                EntryExpr::StructField(field) => vec![&mut field.value],
                EntryExpr::MapEntry(entry) => vec![&mut entry.key, &mut entry.value],
            })
            .collect()
    }
    match &mut expression.expr {
        Expr::Call(call) => call
            .target
            .as_deref_mut()
            .into_iter()
            .chain(&mut call.args)
            .collect(),
        Expr::Comprehension(c) => {
            vec![
                &mut c.iter_range,
                &mut c.accu_init,
                &mut c.loop_cond,
                &mut c.loop_step,
                &mut c.result,
            ]
        }
        Expr::List(list) => list.elements.iter_mut().collect(),
        Expr::Map(map) => entries(&mut map.entries),
        Expr::Struct(s) => entries(&mut s.entries),
        Expr::Select(select) => vec![&mut select.operand],
        _ => Vec::new(),
    }
}

/// The longest path of fields of `object` in an expression. A finding points there.
fn field_of(expression: &IdedExpr) -> Path {
    let mut copy = expression.clone();
    let mut stack = vec![&mut copy];
    let mut longest: Vec<String> = Vec::new();
    while let Some(next) = stack.pop() {
        let mut chain = Vec::new();
        let mut here = &*next;
        while let Expr::Select(select) = &here.expr {
            chain.push(select.field.clone());
            here = &select.operand;
        }
        if here.expr == Expr::Ident("object".into()) && chain.len() > longest.len() {
            chain.reverse();
            longest = chain;
        }
        stack.extend(parts(next));
    }
    longest.iter().fold(Path::root(), |path, key| path.key(key))
}

#[cfg(test)]
mod tests {
    use super::super::{Rules, Selection};
    use crate::diagnostic::Severity;
    use crate::limits::Limits;
    use crate::rule::tests::object_of;
    use crate::source::Sources;

    const POLICY: &str = "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: few.replicas.example.com}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}]
  matchConditions: [{name: not-exempt, expression: \"!has(object.metadata.labels) || !('exempt' in object.metadata.labels)\"}]
  variables:
    - {name: replicas, expression: 'has(object.spec.replicas) ? object.spec.replicas : 1'}
    - {name: twice, expression: 'variables.replicas * 2'}
  validations:
    - {expression: variables.twice <= 10, messageExpression: \"'twice is ' + string(variables.twice)\"}
    - {expression: \"request.operation == 'CREATE' && oldObject == null && request.resource.resource == 'deployments'\"}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: few}
spec: {policyName: few.replicas.example.com, validationActions: [Warn]}
";

    fn load(policy: &str) -> (Rules, Vec<String>) {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("policy.yaml"), policy).expect("is writable");
        let paths = [folder.path().to_path_buf()];
        let selection = Selection {
            select: vec!["few-replicas-example-com".into()],
            ..Selection::default()
        };
        let (rules, found) = Rules::load(&selection, &mut Sources::default(), &paths);
        (rules, found.into_iter().map(|d| d.message).collect())
    }

    fn deployment(metadata: &str, spec: &str) -> crate::manifest::Object {
        object_of(&format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: app{metadata}}}\nspec: {{{spec}}}\n"
        ))
    }

    #[test]
    fn a_policy_judges_as_the_server_would() {
        let (rules, found) = load(POLICY);
        assert!(found.is_empty(), "{found:?}");
        let found = rules.check_object(&deployment("", "replicas: 6"), &Limits::default());
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            (
                &*found[0].rule,
                found[0].severity,
                found[0].message.as_str()
            ),
            ("few-replicas-example-com", Severity::Warning, "twice is 12")
        );
        assert_eq!(found[0].path.pointer(), "/spec/replicas");
        for fine in [
            deployment("", "replicas: 5"),
            deployment("", ""),
            deployment(", labels: {exempt: ''}", "replicas: 6"),
        ] {
            assert!(rules.check_object(&fine, &Limits::default()).is_empty());
        }
        let other = object_of(
            "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: app}\nspec: {replicas: 6}\n",
        );
        assert!(rules.check_object(&other, &Limits::default()).is_empty());
    }

    #[test]
    fn what_cannot_be_evaluated_is_refused_unless_ignored() {
        let text = POLICY.replace("variables.twice <= 10", "object.spec.missing == 1");
        assert_eq!(
            load(&text)
                .0
                .check_object(&deployment("", "replicas: 1"), &Limits::default())
                .len(),
            1
        );
        let ignored = text.replace(
            "spec:\n  matchConstraints",
            "spec:\n  failurePolicy: Ignore\n  matchConstraints",
        );
        assert!(
            load(&ignored)
                .0
                .check_object(&deployment("", "replicas: 1"), &Limits::default())
                .is_empty()
        );
    }

    #[test]
    fn names_that_there_are_not_are_reported() {
        let (_, found) = load(&POLICY.replace("variables.twice <=", "variables.twise <="));
        assert!(
            found.iter().any(|m| m.contains("did you mean `twice`?")),
            "{found:?}"
        );
        let (_, found) = load(&POLICY.replace(
            "variables.twice <= 10",
            "authorizer.path('/').check('get').allowed()",
        ));
        assert!(
            found.iter().any(|m| m.contains("needs a cluster")),
            "{found:?}"
        );
        // Each variable doubles the one before, so the expression would be too large.
        let doubling: String = (0..40)
            .map(|i| {
                format!(
                    "    - {{name: v{}, expression: 'variables.v{i} + variables.v{i}'}}\n",
                    i + 1
                )
            })
            .collect();
        let text = POLICY.replace(
            "  validations:",
            &format!("    - {{name: v0, expression: '1'}}\n{doubling}  validations:"),
        );
        let (_, found) = load(&text);
        assert!(found.iter().any(|m| m.contains("too large")), "{found:?}");
    }

    #[test]
    fn params_are_the_object_that_the_binding_names() {
        let text = POLICY
            .replace(
                "spec:\n  matchConstraints",
                "spec:\n  paramKind: {apiVersion: v1, kind: ConfigMap}\n  matchConstraints",
            )
            .replace(
                "variables.twice <= 10",
                "variables.twice <= int(params.data.most)",
            );
        // No binding gives parameters.
        let (rules, found) = load(&text);
        assert!(
            rules.is_empty()
                && found
                    .iter()
                    .any(|m| m.contains("rules.parameters.few-replicas-example-com")),
            "{found:?}"
        );
        let bound = text.replace(
            "{policyName: few.replicas.example.com,",
            "{policyName: few.replicas.example.com, paramRef: {name: most},",
        );
        let (rules, found) = load(&format!(
            "{bound}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: most}}\ndata: {{most: '4'}}\n"
        ));
        assert!(found.is_empty(), "{found:?}");
        assert_eq!(
            rules
                .check_object(&deployment("", "replicas: 3"), &Limits::default())
                .len(),
            1
        );
        assert!(
            rules
                .check_object(&deployment("", "replicas: 2"), &Limits::default())
                .is_empty()
        );
    }
}
