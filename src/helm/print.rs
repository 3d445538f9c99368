//! Turns rendered texts into the output of `helm template`: splits documents, sorts them by kind in
//! the order of installation, and puts hooks at the end.
//!
//! It follows Helm's pkg/releaseutil and the end of its `template` command. Every byte of the
//! output keeps its place in a rendered text.

use crate::diagnostic::ids;
use crate::helm;
use crate::helm::decode::{self, Shape, Struct};
use crate::helm::ignore;
use crate::helm::is_partial;
use crate::helm::render::{Output, Problem, Rendered};
use crate::source::{SourceId, Sources, Span};
use crate::yaml;
use crate::yaml::Node;
use std::ops::Range;
use std::sync::Arc;

/// The version of Helm whose output is reproduced.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Helm {
    /// Helm 3.22.
    #[default]
    Three,
    /// Helm 4.3, which keeps line breaks at the end of documents and installs webhooks last.
    Four,
}

/// Selects what of a release is printed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    pub helm: Helm,
    pub include_crds: bool,
    pub skip_tests: bool,
    pub no_hooks: bool,
    /// `--show-only`: patterns of template paths.
    pub show_only: Vec<String>,
}

/// Text, with the span that each range was copied from.
#[derive(Debug, Default)]
pub(crate) struct Printed {
    pub bytes: Vec<u8>,
    /// In order and without overlap. Helm itself writes the bytes outside of them (`---`, `#
    /// Source: …`).
    pub places: Vec<(Range<usize>, Span)>,
}

impl Printed {
    fn push_text(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn take(&mut self, sources: &Sources, span: Span) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(sources.text(span));
        self.places.push((start..self.bytes.len(), span));
    }

    fn document(&mut self, sources: &Sources, name: &str, span: Span) {
        self.push_text("---\n# Source: ");
        self.push_text(name);
        self.push_text("\n");
        self.take(sources, span);
        self.push_text("\n");
    }

    /// Appends a range of this text to `to`.
    fn copy(&self, range: Range<usize>, to: &mut Printed) {
        let shift = to.bytes.len();
        to.bytes.extend_from_slice(&self.bytes[range.clone()]);
        for (own, span) in &self.places {
            let (start, end) = (own.start.max(range.start), own.end.min(range.end));
            if start < end {
                let from = span.start as usize + start - own.start;
                let span = Span::new(span.source, from, from + end - start);
                to.places
                    .push((start - range.start + shift..end - range.start + shift, span));
            }
        }
    }

    /// The spans that a range was copied from.
    pub(crate) fn spans(&self, range: Range<usize>) -> impl Iterator<Item = Span> {
        self.parts(range).map(|(_, span)| span)
    }

    /// The parts of a range that come from rendered texts, and where each comes from.
    pub(crate) fn parts(&self, range: Range<usize>) -> impl Iterator<Item = (Range<usize>, Span)> {
        let from = self
            .places
            .partition_point(|(own, _)| own.end <= range.start);
        let touched = self.places[from..]
            .iter()
            .take_while(move |(own, _)| own.start < range.end.max(range.start + 1));
        touched.map(move |(own, span)| {
            let (start, end) = (
                own.start.max(range.start),
                own.end.min(range.end).max(own.start.max(range.start)),
            );
            let place = Span::new(
                span.source,
                span.start as usize + start - own.start,
                span.start as usize + end - own.start,
            );
            (start..end, place)
        })
    }
}

/// A YAML document of a rendered template.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    /// Helm's name for the template.
    pub name: Arc<str>,
    pub span: Span,
    pub kind: String,
    /// Helm's events of a hook, with `test-success` read as `test`. None for documents that are no
    /// hook.
    pub hook: Option<Vec<String>>,
}

/// Prints a release as `helm template` does.
///
/// # Errors
/// The first rendered text that is no valid YAML, or a `--show-only` that matches nothing. The text
/// next to the error is what `--debug` prints in spite of it.
pub(crate) fn print(
    rendered: &Rendered,
    sources: &Sources,
    selection: &Selection,
) -> (Printed, Option<Problem>) {
    let mut out = Printed::default();
    let outputs: Vec<&Output> = rendered.outputs.iter().filter(|o| !o.is_notes()).collect();
    let (documents, problem) = sorted(&outputs, sources, selection.helm);
    let mut hooks = documents.hooks;
    if problem.is_some() {
        for output in &outputs {
            let text = &sources.get(output.text).text;
            if !text.trim_ascii().is_empty() {
                out.document(sources, &output.name, whole(sources, output.text));
            }
        }
    } else {
        if selection.include_crds {
            for crd in &rendered.crds {
                out.document(sources, &crd.name, whole(sources, crd.text));
            }
        }
        for document in documents.generic {
            out.document(sources, &document.name, document.span);
        }
    }
    let trimmed = trim_end(&out.bytes);
    out.bytes.truncate(trimmed);
    out.push_text("\n");
    out.places.retain_mut(|(range, span)| {
        let cut = range
            .end
            .saturating_sub(trimmed.max(range.start))
            .min(range.len());
        range.end -= cut;
        span.end -= cut as u32;
        range.start < range.end
    });
    if !selection.no_hooks {
        hooks.retain(|h| !(selection.skip_tests && h.hook.iter().flatten().any(|e| e == "test")));
        for hook in hooks {
            out.document(sources, &hook.name, hook.span);
        }
    }
    if selection.show_only.is_empty() {
        return (out, problem);
    }
    match show_only(&out, &selection.show_only, selection.helm) {
        Ok(shown) => (shown, problem),
        Err(message) => (
            Printed::default(),
            problem.or(Some(Problem::Chart(helm::Error::new(
                ids::TEMPLATE_ERROR,
                message,
            )))),
        ),
    }
}

fn whole(sources: &Sources, source: SourceId) -> Span {
    Span::new(source, 0, sources.get(source).text.len())
}

/// The documents of a release in Helm's order.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    pub generic: Vec<Document>,
    pub hooks: Vec<Document>,
}

/// Helm's `SortManifests`; `outputs` are in the order of their names. It stops at the first text
/// that is no valid YAML and returns that problem too.
pub(crate) fn sorted(
    outputs: &[&Output],
    sources: &Sources,
    helm: Helm,
) -> (Documents, Option<Problem>) {
    let text = |output: &Output| &sources.get(output.text).text;
    let read = |&output: &&Output| -> Vec<Result<Option<Document>, helm::Error>> {
        if is_partial(&output.name) {
            return Vec::new();
        }
        let text = text(output);
        let span = |range: &Range<usize>| Span::new(output.text, range.start, range.end);
        split(text, helm)
            .into_iter()
            .map(|range| document(&text[range.clone()], span(&range), output))
            .collect()
    };
    let mut all = Documents::default();
    for document in outputs.iter().flat_map(read) {
        match document {
            Ok(None) => {}
            Ok(Some(document)) if document.hook.is_some() => all.hooks.push(document),
            Ok(Some(document)) => all.generic.push(document),
            Err(error) => return (all, Some(Problem::Release(error))),
        }
    }
    let order = if helm == Helm::Four {
        &INSTALL_ORDER[..]
    } else {
        &INSTALL_ORDER[..INSTALL_ORDER.len() - LAST_IN_HELM_4]
    };
    let rank = |d: &Document| {
        let known = order.iter().position(|k| *k == d.kind);
        (
            known.unwrap_or(INSTALL_ORDER.len()),
            if known.is_some() {
                String::new()
            } else {
                d.kind.clone()
            },
        )
    };
    all.generic.sort_by_cached_key(rank);
    all.hooks.sort_by_cached_key(rank);
    (all, None)
}

static METADATA: Struct = Struct {
    name: "",
    go: "struct { Name string \"json:\\\"name\\\"\"; Annotations map[string]string \"json:\\\"annotations\\\"\" }",
    fields: &[("name", Shape::Str), ("annotations", Shape::StrMap)],
};

static HEAD: Struct = Struct {
    name: "SimpleHead",
    go: "releaseutil.SimpleHead",
    fields: &[
        ("apiVersion", Shape::Str),
        ("kind", Shape::Str),
        ("metadata", Shape::Pointer(&METADATA)),
    ],
};

/// Reads the head of a document. None for a hook with an event that Helm does not know.
fn document(text: &[u8], span: Span, output: &Output) -> Result<Option<Document>, helm::Error> {
    let front = format!("YAML parse error on {}", output.name);
    let node = yaml::parse(text, span.source, span.start).map_err(|e| {
        helm::Error::new(ids::YAML_SYNTAX, e.converting())
            .at(e.span)
            .within(&front)
    })?;
    decode::check(&node, &Shape::Struct(&HEAD)).map_err(|m| {
        helm::Error::new(ids::YAML_SYNTAX, m.message)
            .at(m.span)
            .within(&front)
    })?;
    let text_of = |node: &Node, key: &str| decode::field(node, key).and_then(decode::scalar_text);
    let kind = text_of(&node, "kind").unwrap_or_default();
    let annotation = decode::field(&node, "metadata")
        .and_then(|m| decode::field(m, "annotations"))
        .and_then(|a| {
            let value = a.get("helm.sh/hook")?;
            Some(decode::scalar_text(value).unwrap_or_default())
        });
    let hook = match annotation {
        None => None,
        Some(types) => match types
            .split(',')
            .map(event)
            .collect::<Result<Vec<String>, _>>()
        {
            Ok(events) => Some(events),
            Err(_) => return Ok(None),
        },
    };
    Ok(Some(Document {
        name: output.name.clone(),
        span,
        kind,
        hook,
    }))
}

/// The events of hooks in Helm 3.22 (pkg/release/hook.go); `test-success` is an old name of `test`.
pub(crate) const HOOK_EVENTS: [&str; 10] = [
    "pre-install",
    "post-install",
    "pre-delete",
    "post-delete",
    "pre-upgrade",
    "post-upgrade",
    "pre-rollback",
    "post-rollback",
    "test",
    "test-success",
];

/// Helm's name for a hook's event. Helm does not distinguish upper and lower case.
///
/// # Errors
/// The name in lower case, if Helm does not know it.
pub(crate) fn event(text: &str) -> Result<String, String> {
    let name = text.trim().to_lowercase();
    match &*name {
        "test-success" => Ok("test".into()),
        known if HOOK_EVENTS.contains(&known) => Ok(name),
        _ => Err(name),
    }
}

/// Where the text ends without trailing white space, as Go's `strings.TrimSpace` has it.
fn trim_end(text: &[u8]) -> usize {
    match std::str::from_utf8(text) {
        Ok(text) => text.trim_end().len(),
        Err(_) => text.trim_ascii_end().len(),
    }
}

fn trim(text: &[u8], range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let end = trim_end(part);
    let start = match std::str::from_utf8(&part[..end]) {
        Ok(text) => text.len() - text.trim_start().len(),
        Err(_) => end - part[..end].trim_ascii_start().len(),
    };
    range.start + start..range.start + end
}

/// Helm's `SplitManifests`: the ranges of a text's documents. A line that starts with `---`
/// separates documents, whatever follows on it.
pub(crate) fn split(text: &[u8], helm: Helm) -> Vec<Range<usize>> {
    match helm {
        Helm::Three => split_trimmed(text),
        Helm::Four => split_untrimmed(text),
    }
}

/// Helm 4's variant, which trims only the start of a document.
fn split_untrimmed(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut push = |range: Range<usize>| {
        let trimmed = trim(text, range.clone());
        if !trimmed.is_empty() {
            found.push(trimmed.start..range.end);
        }
    };
    let mut begin = trim(text, 0..text.len()).start;
    let mut line = begin;
    while line < text.len() {
        if text[line..].starts_with(b"---") {
            push(begin..line);
            begin = line + 3;
            while begin < text.len() && matches!(text[begin], b' ' | b'\t') {
                begin += 1;
            }
            line = begin;
        }
        line = memchr::memchr(b'\n', &text[line..]).map_or(text.len(), |i| line + i + 1);
    }
    push(begin..text.len());
    found
}

fn split_trimmed(text: &[u8]) -> Vec<Range<usize>> {
    let all = trim(text, 0..text.len());
    let is_space = |b: u8| matches!(b, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ');
    let mut found = Vec::new();
    let mut begin = all.start;
    let mut push = |range: Range<usize>| {
        if !range.is_empty() {
            found.push(trim(text, range));
        }
    };
    let after = |mut at: usize| {
        while at < all.end && is_space(text[at]) {
            at += 1;
        }
        at
    };
    let mut search = all.start;
    if text[all.clone()].starts_with(b"---") {
        begin = after(all.start + 3);
        search = begin;
    }
    while let Some(at) = memchr::memmem::find(&text[search..all.end], b"\n---").map(|i| i + search)
    {
        let mut end = at;
        while end > begin && is_space(text[end - 1]) {
            end -= 1;
        }
        push(begin..end);
        begin = after(at + 4);
        search = begin;
    }
    push(begin..all.end);
    found
}

fn show_only(printed: &Printed, patterns: &[String], helm: Helm) -> Result<Printed, String> {
    let mut shown = Printed::default();
    let documents = split(&printed.bytes, helm);
    for pattern in patterns {
        let mut missing = true;
        for range in &documents {
            let Some(name) = source_name(&printed.bytes[range.clone()]) else {
                continue;
            };
            if ignore::path_match(pattern, &name) == Ok(true) {
                shown.push_text("---\n");
                printed.copy(range.clone(), &mut shown);
                shown.push_text("\n");
                missing = false;
            }
        }
        if missing {
            return Err(format!("could not find template {pattern} in chart"));
        }
    }
    Ok(shown)
}

/// The path after the first `# Source: chart/`.
fn source_name(document: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(document);
    text.match_indices("# Source: ").find_map(|(at, front)| {
        let line = text[at + front.len()..].lines().next().unwrap_or_default();
        let (chart, rest) = line.split_once('/')?;
        (!chart.is_empty() && !rest.is_empty()).then(|| rest.to_string())
    })
}

/// The order in which Helm installs kinds. Other kinds follow, sorted by name.
const INSTALL_ORDER: [&str; 38] = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// How many kinds at the end of [`INSTALL_ORDER`] only Helm 4 knows.
const LAST_IN_HELM_4: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<&str> {
        split(text.as_bytes(), Helm::Three)
            .into_iter()
            .map(|r| &text[r])
            .collect()
    }

    #[test]
    fn documents_split_wherever_a_line_starts_with_three_dashes() {
        assert_eq!(
            parts("\n---\na: 1\n--- # x\nb: 2\n \n---\n---\n"),
            ["a: 1", "# x\nb: 2", "---"]
        );
        assert_eq!(parts("a: 1\n-----\nb"), ["a: 1", "--\nb"]);
        assert_eq!(parts("---"), Vec::<&str>::new());
        assert_eq!(parts("a\n---"), ["a"]);
        assert_eq!(parts("  ---x"), ["x"]);
    }

    #[test]
    fn helm_4_keeps_the_end_of_a_document() {
        let text = "\n--- \na: 1\n\n---\n---x\nb: 2\n";
        let parts: Vec<&str> = split(text.as_bytes(), Helm::Four)
            .into_iter()
            .map(|r| &text[r])
            .collect();
        assert_eq!(parts, ["a: 1\n\n", "x\nb: 2\n"]);
    }

    #[test]
    fn the_name_behind_source_is_read_from_any_line() {
        assert_eq!(
            source_name(b"# Source: a/templates/x.yaml\nb").as_deref(),
            Some("templates/x.yaml")
        );
        assert_eq!(source_name(b"a: 1").as_deref(), None);
    }
}
