//! Problems that keep a chart from being rendered: Helm's text, and the findings.

use crate::diagnostic::{Diagnostic, Role, Severity, ids};
use crate::helm;
use crate::helm::Chart;
use crate::helm::schema;
use crate::source::Span;
use crate::template::ParseError;
use crate::template::Reason;
use crate::template::TemplateError;

/// An error with which Helm would stop.
#[derive(Clone, Debug, PartialEq)]
pub enum Problem {
    /// An error before the templates: values, dependencies, the schema, Chart.yaml.
    Chart(helm::Error),
    /// As [`Problem::Chart`], but Helm has a release already, so its message suggests `--debug`.
    Release(helm::Error),
    /// Values that a values.schema.json refuses.
    Schema(schema::Refusal),
    Parse(ParseError),
    Template(Box<TemplateError>),
}

impl Problem {
    /// Helm's text without the leading `Error: `.
    pub fn helm_message(&self) -> String {
        match self {
            Problem::Chart(error) | Problem::Release(error) => error.message.clone(),
            Problem::Schema(refusal) => refusal.message.clone(),
            Problem::Parse(error) => error.helm_message(),
            Problem::Template(error) => error.message.clone(),
        }
    }

    /// Whether Helm has rendered anything that `--debug` could print.
    pub fn has_release(&self) -> bool {
        !matches!(self, Problem::Chart(_) | Problem::Schema(_))
    }

    /// Whether the chart itself refuses the values, with `fail` or `required`.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Problem::Template(error)
            if matches!(error.reason, Reason::Fail | Reason::Required))
    }

    /// Whether the chart refuses the values, also by its schema.
    pub fn refuses_values(&self) -> bool {
        self.is_refusal() || matches!(self, Problem::Schema(_))
    }

    /// Whether it says that a dependency is missing.
    pub fn is_missing_dependency(&self) -> bool {
        matches!(self, Problem::Chart(error) if error.rule == ids::DEPENDENCY_NOT_VENDORED)
    }

    /// Whether it is the error of a template that follows from what the chart lacks: a dependency may
    /// define the template that is called, and has default values.
    pub fn follows_from_lack(&self, chart: &Chart) -> bool {
        let Problem::Template(error) = self else {
            return false;
        };
        match error.reason {
            Reason::NoTemplate => chart.may_lack_templates(),
            Reason::Execution => chart
                .missing_dependencies()
                .any(|d| reads_below(&error.message, d.key())),
            _ => false,
        }
    }

    /// Whether other values may mend it.
    pub fn depends_on_values(&self) -> bool {
        match self {
            Problem::Schema(_) => true,
            Problem::Template(error) => matches!(
                error.reason,
                Reason::Fail | Reason::Required | Reason::Execution
            ),
            _ => false,
        }
    }

    /// The problems that do not follow from another one: an error after a refusal comes from the
    /// values that were refused, and see [`Problem::follows_from_lack`].
    pub fn causes<'p>(
        problems: &'p [Problem],
        chart: &'p Chart,
    ) -> impl Iterator<Item = &'p Problem> {
        let refused = problems.iter().position(Problem::is_refusal);
        let follows_from_refusal = move |at: usize, problem: &Problem| {
            matches!(problem, Problem::Template(error) if error.reason == Reason::Execution)
                && refused.is_some_and(|first| first < at)
        };
        let follows = move |at: usize, problem: &Problem| {
            follows_from_refusal(at, problem) || problem.follows_from_lack(chart)
        };
        problems
            .iter()
            .enumerate()
            .filter(move |(at, problem)| !follows(*at, problem))
            .map(|(_, problem)| problem)
    }

    /// The diagnostics for an environment. Problems without a span are placed at `head`.
    pub fn diagnostics(&self, head: Span, environment: u16) -> Vec<Diagnostic> {
        let mut found = match self {
            // It is no fault that a library chart cannot be installed. But the user must know that
            // nothing was checked.
            Problem::Chart(error) if error.rule == ids::CHART_LIBRARY => vec![Diagnostic {
                severity: Severity::Info,
                ..error.diagnostic(head)
            }],
            Problem::Schema(refusal) => refusal.faults.iter().map(|e| e.diagnostic(head)).collect(),
            other => vec![other.diagnostic(head)],
        };
        found
            .iter_mut()
            .for_each(|d| d.environment = Some(environment));
        found
    }

    fn diagnostic(&self, head: Span) -> Diagnostic {
        match self {
            Problem::Chart(error) | Problem::Release(error) => error.diagnostic(head),
            Problem::Schema(refusal) => Diagnostic::new(
                ids::VALUES_SCHEMA,
                Severity::Error,
                head,
                refusal.message.clone(),
            ),
            Problem::Parse(error) => {
                let cause = error
                    .message
                    .splitn(3, ": ")
                    .nth(2)
                    .unwrap_or(&error.message);
                let found = with_help(
                    Diagnostic::new(ids::TEMPLATE_SYNTAX, Severity::Error, error.span, cause),
                    &error.help,
                );
                match error.reported {
                    Some(at) => found.label(at, Role::Template, "Helm reports it here"),
                    None => found,
                }
            }
            Problem::Template(error) => {
                let rule = match error.reason {
                    Reason::Fail => ids::TEMPLATE_FAILS,
                    Reason::Required => ids::REQUIRED_VALUE_MISSING,
                    Reason::Limit => ids::TEMPLATE_LIMIT,
                    Reason::Execution | Reason::NoTemplate => ids::TEMPLATE_ERROR,
                    // The parser has reported the same error. One rule makes them one finding.
                    Reason::Parse => ids::TEMPLATE_SYNTAX,
                };
                let mut found = with_help(
                    Diagnostic::new(rule, Severity::Error, error.span, error.cause.clone()),
                    &error.help,
                );
                found.said = error.said;
                for (i, &include) in error.includes.iter().enumerate() {
                    let role = if i == 0 {
                        Role::Template
                    } else {
                        Role::Include
                    };
                    found = found.label(include, role, "called from here");
                }
                if let Some((key, said)) = &error.holder {
                    found = found.label(*key, Role::Values, said.clone());
                }
                found
            }
        }
    }
}

/// Whether an expression that a message quotes reads a value below `.Values.KEY`.
fn reads_below(message: &str, key: &str) -> bool {
    let path = format!(".Values.{key}");
    message.match_indices(&path).any(|(at, _)| {
        let next = message.as_bytes().get(at + path.len());
        next.is_none_or(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'_' | b'-'))
    })
}

fn with_help(found: Diagnostic, help: &Option<String>) -> Diagnostic {
    match help {
        Some(help) => found.help(help.clone()),
        None => found,
    }
}
