//! Removes findings that the configuration or a comment suppresses. A suppression that matches
//! nothing is itself a finding.
//!
//! A comment in a template or values file has the form `# thebot-lint: ignore[rule-id, other]
//! reason`, on the finding's line or on the line above. In templates it may also be inside `{{/*
//! */}}`.

use super::Finding;
use crate::diagnostic::{Diagnostic, Severity, did_you_mean, ids};
use crate::project::config::Suppress;
use crate::project::setup::is_named;
use crate::rule::EMBEDDED;
use crate::rule::expectation::glob;
use crate::source::{Source, Sources, Span};
use std::sync::Arc;

/// One `ignore[…]` comment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Comment {
    pub rules: Vec<String>,
    /// The span from `thebot-lint:` to the end of the reason.
    pub span: Span,
    /// The line that the comment applies to, from 1.
    pub line: usize,
    pub file: Arc<str>,
    pub has_reason: bool,
}

const MARK: &[u8] = b"thebot-lint: ignore[";

/// All comments of the unit's files.
pub(crate) fn comments(sources: &Sources) -> Vec<Comment> {
    let mut all = Vec::new();
    // Prose (README.md) may show the syntax without meaning it.
    let holds = |s: &Source| {
        s.kind.is_file()
            && [".yaml", ".yml", ".tpl", ".txt"]
                .iter()
                .any(|end| s.name.ends_with(end))
    };
    for (id, source) in sources.files().filter(|(_, s)| holds(s)) {
        for start in memchr::memmem::find_iter(&source.text, MARK) {
            all.extend(
                comment(source, start).map(|(rules, length, line, has_reason)| Comment {
                    rules,
                    span: Span::new(id, start, start + length),
                    line,
                    file: source.name.clone(),
                    has_reason,
                }),
            );
        }
    }
    all
}

/// Comments that were meant to suppress something and are not read: malformed ones, and those of
/// linters whose annotations only are read (one finding for each linter and file).
pub(crate) fn unread(sources: &Sources) -> Vec<Diagnostic> {
    const PEERS: [(&str, &str); 3] = [
        ("trivy:ignore", "trivy"),
        ("checkov:skip", "checkov"),
        ("kics-scan ignore", "kics"),
    ];
    let mut found = Vec::new();
    let holds = |s: &Source| s.kind.is_file() && !s.name.ends_with(".md");
    for (id, source) in sources.files().filter(|(_, s)| holds(s)) {
        let mut seen: Vec<&str> = Vec::new();
        let marks = memchr::memmem::find_iter(&source.text, b"thebot-lint:").map(|at| (at, None));
        let peers = PEERS.iter().flat_map(|(mark, peer)| {
            memchr::memmem::find_iter(&source.text, mark.as_bytes())
                .map(move |at| (at, Some(*peer)))
        });
        for (start, peer) in marks.chain(peers) {
            let range = source.line(source.line_of(start as u32));
            let before = source.text[range.start..start].trim_ascii_end();
            let is_comment = before.ends_with(b"#") || before.ends_with(b"/*");
            let is_read =
                || source.text[start..].starts_with(MARK) && comment(source, start).is_some();
            if !is_comment || is_read() || peer.is_some_and(|peer| seen.contains(&peer)) {
                continue;
            }
            seen.extend(peer);
            let message = match peer {
                Some(peer) => format!("comments of {peer} are not read, only its annotations"),
                None => "this comment suppresses nothing: it does not have the form `thebot-lint: ignore[rule-id] reason`".to_owned(),
            };
            let severity = match peer {
                Some(_) => Severity::Info,
                None => Severity::Warning,
            };
            let span = Span::new(id, start, range.end.max(start));
            found.push(
                Diagnostic::new(ids::SUPPRESSION_NOT_READ, severity, span, message).help(
                    "Write `# thebot-lint: ignore[rule-id] reason`, on the line or above it.",
                ),
            );
        }
    }
    found
}

/// The rules, the length, the line that the comment applies to, and whether it gives a reason. None
/// if the bracket is not closed or the text is not inside a comment.
fn comment(source: &Source, start: usize) -> Option<(Vec<String>, usize, usize, bool)> {
    let line = source.line_of(start as u32);
    let range = source.line(line);
    let before = source.text[range.start..start].trim_ascii_end();
    let opened = before.ends_with(b"#") || before.ends_with(b"/*");
    let rest = std::str::from_utf8(source.text.get(start + MARK.len()..range.end)?).ok()?;
    let (names, tail) = rest.split_once(']')?;
    if !opened {
        return None;
    }
    let reason = tail.split("*/").next().unwrap_or(tail).trim();
    let rules: Vec<String> = names
        .split(',')
        .map(|n| n.trim().to_string())
        .filter(|n| !n.is_empty())
        .collect();
    // A comment alone on its line applies to the next line.
    let code = before
        .strip_suffix(b"#")
        .or(before.strip_suffix(b"/*"))
        .unwrap_or(before);
    let code = code.trim_ascii();
    let alone = code.is_empty() || code == b"{{" || code == b"{{-";
    let length = MARK.len() + names.len() + 1 + tail.trim_end().len();
    Some((rules, length, line + usize::from(alone), !reason.is_empty()))
}

/// Removes suppressed findings (or some of their environments) and gives their number. Faults of
/// the suppressions themselves go to `found`.
pub(crate) fn apply(
    findings: &mut Vec<Finding>,
    comments: &[Comment],
    configured: &[Suppress],
    used: &[std::sync::atomic::AtomicBool],
    found: &mut Vec<Diagnostic>,
) -> usize {
    let before = findings.len();
    let mut used_comments = vec![false; comments.len()];
    findings.retain_mut(|finding| {
        for (i, comment) in comments.iter().enumerate() {
            if !comment
                .rules
                .iter()
                .any(|r| **r == *finding.rule || **r == *finding.group)
            {
                continue;
            }
            let at = finding
                .locations
                .iter()
                .find(|l| l.line == comment.line && l.file.as_deref() == Some(&*comment.file));
            let Some(at) = at else { continue };
            used_comments[i] = true;
            let some = at.environments.clone();
            // A comment beside a value applies to the environments that take the value from there.
            if at.role != crate::diagnostic::Role::Values || !leave(finding, &some) {
                return false;
            }
        }
        for (suppress, used) in configured.iter().zip(used) {
            if !matches(suppress, finding) {
                continue;
            }
            used.store(true, std::sync::atomic::Ordering::Relaxed);
            let is_meant = |e: &&Arc<str>| suppress.environments.iter().any(|n| is_named(n, e));
            let some: Vec<Arc<str>> = finding
                .environments
                .iter()
                .filter(is_meant)
                .cloned()
                .collect();
            if suppress.environments.is_empty() || !leave(finding, &some) {
                return false;
            }
        }
        true
    });
    for (comment, used) in comments.iter().zip(used_comments) {
        if !used {
            let message = format!(
                "this suppression of {} matches no finding",
                comment.rules.join(", ")
            );
            let names = || EMBEDDED.iter().flat_map(|d| [&*d.id, &*d.group]);
            let unknown = comment
                .rules
                .iter()
                .find(|r| names().all(|n| n != r.as_str()));
            let help = match unknown.and_then(|name| did_you_mean(name, names())) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "Remove it.".to_string(),
            };
            found.push(
                Diagnostic::new(
                    ids::UNUSED_SUPPRESSION,
                    Severity::Warning,
                    comment.span,
                    message,
                )
                .help(help),
            );
        } else if !comment.has_reason {
            let message = "a suppression without a reason";
            found.push(
                Diagnostic::new(
                    ids::SUPPRESSION_WITHOUT_REASON,
                    Severity::Warning,
                    comment.span,
                    message,
                )
                .help("Give the reason after the bracket."),
            );
        }
    }
    before - findings.len()
}

/// Removes environments from a finding. False if none is left.
fn leave(finding: &mut Finding, environments: &[Arc<str>]) -> bool {
    finding.environments.retain(|e| !environments.contains(e));
    for location in &mut finding.locations {
        location.environments.retain(|e| !environments.contains(e));
    }
    !finding.environments.is_empty()
}

fn matches(suppress: &Suppress, finding: &Finding) -> bool {
    let object = |pattern: &String| {
        let (kind, name) = pattern.split_once('/').unwrap_or(("*", pattern));
        finding
            .object
            .as_ref()
            .is_some_and(|o| glob(kind, &o.kind) && glob(name, &o.name))
    };
    (suppress.rule == *finding.rule || suppress.rule == *finding.group)
        && suppress.object.as_ref().is_none_or(object)
        && suppress
            .container
            .as_ref()
            .is_none_or(|c| finding.container.as_ref().is_some_and(|name| glob(c, name)))
        && suppress.path.as_ref().is_none_or(|p| {
            finding
                .locations
                .iter()
                .any(|l| l.file.as_ref().is_some_and(|file| glob(p, file)))
        })
        && (suppress.environments.is_empty()
            || finding
                .environments
                .iter()
                .any(|e| suppress.environments.iter().any(|n| is_named(n, e))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceKind;

    fn read(text: &str) -> Vec<(Vec<String>, usize, bool)> {
        let mut sources = Sources::default();
        sources.add(Source::new("t.yaml", text.as_bytes(), SourceKind::File));
        comments(&sources)
            .into_iter()
            .map(|c| (c.rules, c.line, c.has_reason))
            .collect()
    }

    #[test]
    fn a_comment_is_about_its_line_or_the_next() {
        assert_eq!(
            read("a: 1 # thebot-lint: ignore[x] why\n"),
            [(vec!["x".into()], 1, true)]
        );
        assert_eq!(
            read("# thebot-lint: ignore[x, y]\na: 1\n"),
            [(vec!["x".into(), "y".into()], 2, false)]
        );
        assert_eq!(
            read("{{- /* thebot-lint: ignore[x] why */}}\na: 1\n"),
            [(vec!["x".into()], 2, true)]
        );
        assert_eq!(
            read("  {{- /* thebot-lint: ignore[x] why */}}\n  a: 1\n"),
            [(vec!["x".into()], 2, true)]
        );
        assert_eq!(
            read("{{/* thebot-lint: ignore[x] */}}\n"),
            [(vec!["x".into()], 2, false)]
        );
        assert_eq!(read("a: thebot-lint: ignore[x]\n"), []);
        assert_eq!(read("# thebot-lint: ignore[x\n"), []);
    }

    #[test]
    fn comments_that_are_not_read_are_reported() {
        let unread_in = |text: &str| {
            let mut sources = Sources::default();
            sources.add(Source::new("t.yaml", text.as_bytes(), SourceKind::File));
            unread(&sources).len()
        };
        for text in [
            "a: 1 # thebot-lint: ignore x\n",
            "# thebot-lint: disable[x]\n",
            "# thebot-lint: ignore[x\n",
            "# trivy:ignore:KSV-0001\na: 1 # trivy:ignore:KSV-0002\n",
            "#checkov:skip=CKV_K8S_1: why\n",
        ] {
            assert_eq!(unread_in(text), 1, "{text}");
        }
        for text in [
            "# thebot-lint: ignore[x] why\n",
            "a: thebot-lint: b\n",
            "# thebot-lint is a linter\n",
        ] {
            assert_eq!(unread_in(text), 0, "{text}");
        }
    }
}
