//! What can be said of a CEL expression without its types: that it parses, and that its names exist.

use std::cell::RefCell;

/// Longer expressions are not parsed; the server's own limits are lower for all but a few fields.
const LONGEST: usize = 20_000;

/// What an admission expression may name.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub params: bool,
    pub authorizer: bool,
    /// The policy's variables; none where there are none at all.
    pub variables: Option<&'a [&'a str]>,
}

/// Whether the text can be a variable's name.
pub(super) fn is_identifier(text: &str) -> bool {
    const RESERVED: [&str; 21] = [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ];
    super::names::c_identifier(text).is_none() && !RESERVED.contains(&text)
}

/// What is wrong with an expression of an admission policy or webhook.
pub(super) fn policy_problem(text: &str, scope: Scope<'_>) -> Option<String> {
    let known = |name: &str| match name {
        "object" | "oldObject" | "request" | "namespaceObject" => true,
        "params" => scope.params,
        "authorizer" => scope.authorizer,
        "variables" => scope.variables.is_some(),
        _ => false,
    };
    problem(text, &known).or_else(|| unknown_variable(text, scope.variables?))
}

/// What is wrong with a validation rule of a CRD.
pub(super) fn rule_problem(text: &str) -> Option<String> {
    // A property may be named like anything, but only `self` and `oldSelf` lead to it.
    problem(text, &|name| matches!(name, "self" | "oldSelf"))
}

/// What is wrong with a device selector.
pub(super) fn device_problem(text: &str) -> Option<String> {
    problem(text, &|name| name == "device")
}

thread_local! {
    /// Charts repeat the same expressions in every environment.
    static LAST: RefCell<Option<(String, Result<Vec<String>, String>)>> = const { RefCell::new(None) };
}

fn problem(text: &str, known: &dyn Fn(&str) -> bool) -> Option<String> {
    // The parser that we use has no names in backticks.
    if text.len() > LONGEST || text.contains('`') {
        return None;
    }
    match parsed(text) {
        Err(problem) => Some(problem),
        Ok(names) => names
            .iter()
            .find(|name| !known(name) && !is_type_or_namespace(name))
            .map(|name| format!("the expression names {name}, which does not exist here")),
    }
}

fn parsed(text: &str) -> Result<Vec<String>, String> {
    LAST.with_borrow_mut(|last| {
        if let Some((known, answer)) = last
            && known == text
        {
            return answer.clone();
        }
        let answer = parse(text);
        *last = Some((text.to_owned(), answer.clone()));
        answer
    })
}

fn parse(text: &str) -> Result<Vec<String>, String> {
    match cel::Program::compile(text) {
        Ok(program) => Ok(program.references().variables().into_iter().map(str::to_owned).collect()),
        Err(error) => {
            let first = error.to_string();
            Err(format!("the expression cannot be read: {}", first.lines().next().unwrap_or("syntax error")))
        }
    }
}

/// Names that CEL and Kubernetes' libraries bring along.
fn is_type_or_namespace(name: &str) -> bool {
    const TYPES: [&str; 19] = [
        "int",
        "uint",
        "double",
        "bool",
        "string",
        "bytes",
        "list",
        "map",
        "type",
        "null_type",
        "timestamp",
        "duration",
        "google",
        "optional",
        "format",
        "sets",
        "math",
        "JSONPatch",
        "Object",
    ];
    TYPES.contains(&name)
        || name.starts_with('@')
        || matches!(
            name,
            "ip" | "cidr" | "semver" | "quantity" | "url" | "base64" | "strings" | "lists" | "cel" | "dyn" | "optional_type" | "jsonpatch"
        )
}

/// The first `variables.NAME` whose name is none of the known ones.
fn unknown_variable(text: &str, known: &[&str]) -> Option<String> {
    if text.contains(['"', '\'']) {
        // It may stand in a text.
        return None;
    }
    let mut rest = text;
    while let Some(at) = rest.find("variables.") {
        let before = rest[..at].chars().next_back();
        rest = &rest[at + "variables.".len()..];
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.') {
            continue;
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let name = &rest[..end];
        if !name.is_empty() && !known.contains(&name) {
            return Some(format!("the expression names variables.{name}, which does not exist"));
        }
    }
    None
}
