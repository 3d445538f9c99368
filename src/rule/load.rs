//! Loads the rules that run: the built-in and user-defined rules that the command line and the
//! configuration select.

use super::definition::{self, Definition, EMBEDDED, GROUPS, USER_DEFINED, selects};
use super::policy;
use super::run::{Compiled, Rule, Rules};
use crate::diagnostic::{Diagnostic, Severity, did_you_mean, ids};
use crate::source::{Source, SourceKind, Sources, Span};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Which rules run, and how: `rules:` of the configuration, merged with the command line.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Rule ids, groups, profiles or `all`. Empty: `recommended`.
    pub select: Vec<String>,
    /// The same kinds of names. Takes precedence over `select`.
    pub ignore: Vec<String>,
    pub severity: BTreeMap<String, Severity>,
    /// The parameters by name, for each rule id.
    pub parameters: BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
}

/// Checks a name that is given to `--select` or `--ignore`. The error for an unknown name is the
/// most similar known name, if there is one.
pub(crate) fn check_name<'a>(
    name: &str,
    user_defined: impl Iterator<Item = &'a Definition> + Clone,
) -> Result<(), Option<String>> {
    let all = EMBEDDED.iter().chain(user_defined);
    if name == "recommended" || all.clone().any(|d| selects(name, d)) {
        return Ok(());
    }
    let names = all.flat_map(|d| {
        [&*d.id, &*d.group]
            .into_iter()
            .chain(d.profiles.iter().map(|p| &**p))
    });
    Err(did_you_mean(name, names).map(str::to_owned))
}

impl Rules {
    /// Loads the selected built-in rules, and the selected user-defined rules of files and folders
    /// (`*.yaml`, `*.yml`). Errors in user-defined rules are returned as diagnostics; a rule with
    /// an error does not run.
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
        let mut unselected = Vec::new();
        for user_defined in read(sources, paths, &mut found) {
            if let Some(twin) = EMBEDDED
                .iter()
                .map(|d| &d.id)
                .chain(rules.iter().map(|r| &r.definition.id))
                .find(|id| **id == user_defined.definition.id)
            {
                found.push(Diagnostic::new(
                    ids::RULE_INVALID,
                    Severity::Error,
                    user_defined.id,
                    format!("there is a rule `{twin}` already"),
                ));
                continue;
            }
            let id = user_defined.id;
            let rule = user_defined.rule(selection);
            if rule.policy.as_ref().is_some_and(|p| p.takes_params) && rule.parameters.is_empty() {
                let name = &rule.definition.id;
                let message = format!(
                    "the policy takes parameters: set `rules.parameters.{name}`, or add its binding to the rule files"
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
            } else {
                unselected.push(rule);
            }
        }
        let rules = Rules {
            unselected,
            ..Rules::from(rules)
        };
        (rules, found)
    }

    /// The selected built-in rules, without user-defined rules.
    pub fn embedded(selection: &Selection) -> Rules {
        Rules::load(selection, &mut Sources::default(), &[]).0
    }
}

/// A user-defined rule that was read from its file.
pub(crate) struct UserDefined {
    pub definition: Definition,
    pub file: PathBuf,
    /// The spans of the id and of `deny`.
    pub(super) id: Span,
    pub(super) deny: Span,
    /// Set for a ValidatingAdmissionPolicy, which has no `deny`.
    pub(super) policy: Option<policy::Policy>,
}

impl UserDefined {
    fn rule(self, selection: &Selection) -> Rule {
        let mut rule = Rule::new(Cow::Owned(self.definition), selection, Some(self.deny));
        rule.policy = self.policy;
        rule
    }

    /// A rule set with this rule only. Evaluation errors are in [`Rules::problems`].
    pub(crate) fn alone(self) -> Rules {
        Rules::from(vec![self.rule(&Selection::default())])
    }
}

/// A rule set with one built-in rule, whose evaluation errors are reported.
#[cfg(test)]
pub(crate) fn alone(definition: &'static Definition) -> Rules {
    let source = Sources::default().add(Source::new("rule", &b""[..], SourceKind::File));
    let rule = Rule::new(
        Cow::Borrowed(definition),
        &Selection::default(),
        Some(Span::new(source, 0, 0)),
    );
    Rules::from(vec![rule])
}

/// Reads the rules in files and folders: rule files, and ValidatingAdmissionPolicies with their
/// bindings. Errors are added to `found`, and rules with errors are skipped.
pub(crate) fn read(
    sources: &mut Sources,
    paths: &[PathBuf],
    found: &mut Vec<Diagnostic>,
) -> Vec<UserDefined> {
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
        let is_policy = policy::contains_policies(&text);
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
            .filter(|g| GROUPS.contains(g));
        let Some(written) = definition::from_node(&node, group.unwrap_or(USER_DEFINED), found)
        else {
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
        rules.push(UserDefined {
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

/// A user-defined rule without a profile counts as recommended: its author wants it to run.
fn is_selected(selection: &Selection, definition: &Definition, is_user_defined: bool) -> bool {
    let by_default =
        definition.is_recommended() || (is_user_defined && definition.profiles.is_empty());
    let wanted = match selection.select.as_slice() {
        [] => by_default,
        names => names
            .iter()
            .any(|n| selects(n, definition) || (n == "recommended" && by_default)),
    };
    wanted && !selection.ignore.iter().any(|n| selects(n, definition))
}

/// The rule files of a path: the file itself, or all YAML files below the folder, sorted. Folders
/// named `fixtures` are skipped, because they contain test inputs.
pub(crate) fn rule_files(path: &std::path::Path) -> Vec<PathBuf> {
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

/// The span of byte `offset` of a scalar's value. It is exact for scalars on one line; for others
/// it is the span of the whole scalar.
pub(super) fn inside(sources: &Sources, span: Span, offset: usize) -> Span {
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
