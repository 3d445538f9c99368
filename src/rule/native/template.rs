//! Rules of the group `template` about the text of templates.

use super::{ChartReport, Check, Table};
use crate::diagnostic::ids;
use crate::helm::{Chart, File};
use crate::source::{Sources, Span};
use crate::template::lexer::{Lexer, Token, TokenKind};
use crate::yaml::Entry;
use std::collections::BTreeSet;

pub(super) const TABLE: Table = &[
    (ids::TEMPLATE_EXTENSION, Check::Chart(template_extension)),
    (ids::TEMPLATE_TAB, Check::Chart(template_tab)),
    (
        ids::TEMPLATE_HARDCODED_NAMESPACE,
        Check::Chart(hardcoded_namespace),
    ),
    (
        ids::TEMPLATE_INSTEAD_OF_INCLUDE,
        Check::Chart(template_action),
    ),
    (ids::TEMPLATE_NINDENT_MISSING, Check::Chart(nindent_missing)),
    (
        ids::TEMPLATE_DEPRECATED_FUNCTION,
        Check::Chart(deprecated_function),
    ),
    (ids::TEMPLATE_HELPER_PREFIX, Check::Chart(helper_prefix)),
    (ids::KUBE_MINOR_COMPARED, Check::Chart(kube_minor_compared)),
    (ids::KEYS_UNSORTED, Check::Chart(keys_unsorted)),
    (ids::COMPONENT_MIXED_UP, Check::Chart(component_mixed_up)),
];

fn template_extension(report: &mut ChartReport<'_>, chart: &Chart, _: &Sources) {
    for file in &chart.templates {
        let (_, extension) = file.name.rsplit_once('.').unwrap_or(("", ""));
        if !matches!(extension, "yaml" | "yml" | "tpl" | "txt") {
            report.add(
                Span::new(file.source, 0, 0),
                format!(
                    "{} is rendered as a template, but is not a .yaml, .yml, .tpl or .txt file",
                    file.name
                ),
            );
        }
    }
}

/// Calls `judge` with the file and text of each template that renders manifests.
fn each_manifest_template<'s>(
    chart: &'s Chart,
    sources: &'s Sources,
    mut judge: impl FnMut(&'s File, &'s [u8]),
) {
    for file in chart
        .templates
        .iter()
        .filter(|f| f.name.ends_with(".yaml") || f.name.ends_with(".yml"))
    {
        judge(file, &sources.get(file.source).text);
    }
}

/// The lines of a text with their byte offsets.
fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    text.split_inclusive(|&b| b == b'\n').scan(0, |at, line| {
        let start = *at;
        *at += line.len();
        Some((start, line.strip_suffix(b"\n").unwrap_or(line)))
    })
}

fn template_tab(report: &mut ChartReport<'_>, chart: &Chart, sources: &Sources) {
    each_manifest_template(chart, sources, |file, text| {
        if memchr::memchr(b'\t', text).is_none() {
            return;
        }
        let mut in_action = 0usize;
        for (start, line) in lines(text) {
            let indent = line.len() - line.trim_ascii_start().len();
            // A line that contains only actions writes no text, and a tab inside an action is
            // harmless.
            let rest = line.trim_ascii();
            if in_action == 0
                && let Some(tab) = memchr::memchr(b'\t', &line[..indent])
                && !rest.is_empty()
                && !rest.starts_with(b"{{")
                && !rest.starts_with(b"#")
            {
                report.add(
                    Span::new(file.source, start + tab, start + tab + 1),
                    format!(
                        "{} is indented with a tab, which YAML does not allow",
                        file.name
                    ),
                );
                return;
            }
            let opened = memchr::memmem::find_iter(line, b"{{").count();
            let closed = memchr::memmem::find_iter(line, b"}}").count();
            in_action = (in_action + opened).saturating_sub(closed);
        }
    });
}

fn hardcoded_namespace(report: &mut ChartReport<'_>, chart: &Chart, sources: &Sources) {
    each_manifest_template(chart, sources, |file, text| {
        for (start, line) in lines(text) {
            let trimmed = line.trim_ascii();
            // With an indentation of two spaces it is the field of `metadata`.
            let of_metadata = line.starts_with(b"  namespace:");
            let Some(value) = trimmed
                .strip_prefix(b"namespace:")
                .map(|v| v.trim_ascii())
                .filter(|_| of_metadata)
            else {
                continue;
            };
            if !value.is_empty()
                && !value.starts_with(b"{{")
                && !value.starts_with(b"#")
                && memchr::memmem::find(value, b"{{").is_none()
            {
                let value = String::from_utf8_lossy(value);
                report.add(
                    Span::new(file.source, start + 2, start + line.len()),
                    format!(
                        "{} is put into the namespace {value}, whatever the release's namespace is",
                        file.name
                    ),
                );
            }
        }
    });
}

/// All tokens of a template. After a syntax error, it continues behind the action with the error.
fn tokens(text: &[u8]) -> Vec<Token> {
    let mut lexer = Lexer::new(text);
    let mut out = Vec::new();
    loop {
        let token = lexer.token();
        match token.kind {
            TokenKind::Eof => return out,
            TokenKind::Error => {
                let resumed = lexer.resume(token.end);
                // Without progress, the loop would not end.
                if resumed <= token.start {
                    return out;
                }
            }
            TokenKind::Space => {}
            _ => out.push(token),
        }
    }
}

fn template_action(report: &mut ChartReport<'_>, chart: &Chart, sources: &Sources) {
    for file in &chart.templates {
        let text = &sources.get(file.source).text;
        for token in tokens(text)
            .iter()
            .filter(|t| t.kind == TokenKind::Template)
        {
            report.add(
                Span::new(file.source, token.start, token.end),
                "`template` writes its text as it is: it cannot be piped into nindent or quote",
            );
        }
    }
}

fn nindent_missing(report: &mut ChartReport<'_>, chart: &Chart, sources: &Sources) {
    each_manifest_template(chart, sources, |file, text| {
        for (start, line) in lines(text) {
            let indent = line.len() - line.trim_ascii_start().len();
            let action = line.trim_ascii();
            let Some(inner) = action
                .strip_prefix(b"{{")
                .and_then(|a| a.strip_suffix(b"}}"))
                .filter(|_| indent > 0)
            else {
                continue;
            };
            let inner = String::from_utf8_lossy(inner);
            let inner = inner.trim_matches('-').trim();
            let has = |word: &str| {
                inner
                    .split(|c: char| !c.is_alphanumeric())
                    .any(|w| w == word)
            };
            if inner.starts_with("toYaml ")
                && !["indent", "nindent", "quote", "trim", "b64enc"]
                    .iter()
                    .any(|w| has(w))
                && !inner.contains("}}")
            {
                report.add(
                    Span::new(
                        file.source,
                        start + indent,
                        start + line.trim_ascii_end().len(),
                    ),
                    "`toYaml` without `nindent`: every line but the first starts at column 0",
                );
            }
        }
    });
}

/// Deprecated functions and fields of `.Capabilities`, with their replacements.
const DEPRECATED: [(&str, &str); 4] = [
    ("trimall", "trimAll"),
    ("biggest", "max"),
    (".GitVersion", ".Capabilities.KubeVersion.Version"),
    (".TillerVersion", ".Capabilities.HelmVersion"),
];

fn deprecated_function(report: &mut ChartReport<'_>, chart: &Chart, sources: &Sources) {
    for file in &chart.templates {
        let text = &sources.get(file.source).text;
        let mut before: &[u8] = b"";
        if DEPRECATED
            .iter()
            .all(|(old, _)| memchr::memmem::find(text, old.as_bytes()).is_none())
        {
            continue;
        }
        for token in tokens(text).iter() {
            let name = &text[token.start..token.end];
            let old = DEPRECATED.iter().find(|(old, _)| old.as_bytes() == name);
            let of_capabilities =
                !name.starts_with(b".") || matches!(before, b".KubeVersion" | b".Capabilities");
            if let Some((old, instead)) = old.filter(|_| {
                of_capabilities && matches!(token.kind, TokenKind::Identifier | TokenKind::Field)
            }) {
                report.add(
                    Span::new(file.source, token.start, token.end),
                    format!("`{old}` is deprecated: use `{instead}`"),
                );
            }
            before = name;
        }
    }
}

/// The actions of a template, from `{{` to `}}`, each with its start.
fn actions(text: &[u8]) -> impl Iterator<Item = (usize, &str)> {
    memchr::memmem::find_iter(text, b"{{").filter_map(|start| {
        let end = memchr::memmem::find(&text[start..], b"}}")?;
        let action = std::str::from_utf8(&text[start..start + end]).ok()?;
        (!action.contains("/*")).then_some((start, action))
    })
}

/// The words of an action: names of functions, fields and variables.
fn action_words(action: &str) -> impl Iterator<Item = &str> {
    action.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$')))
}

fn kube_minor_compared(report: &mut ChartReport<'_>, chart: &Chart, sources: &Sources) {
    const FIELD: &str = ".Capabilities.KubeVersion.Minor";
    let compares = |word: &str| {
        matches!(
            word,
            "eq" | "ne" | "lt" | "le" | "gt" | "ge" | "int" | "int64" | "atoi" | "float64"
        )
    };
    for file in &chart.templates {
        for (start, action) in actions(&sources.get(file.source).text) {
            let Some(at) = action.find(FIELD) else {
                continue;
            };
            // Who removes the `+` knows of it.
            let is_cut = [
                "trimSuffix",
                "replace",
                "regex",
                "trunc",
                "splitList",
                "trimAll",
            ]
            .iter()
            .any(|name| action.contains(name));
            if !is_cut && action_words(action).any(compares) {
                report.add(
                    Span::new(file.source, start + at, start + at + FIELD.len()),
                    "the minor version is a text, and on some clusters ends with `+`, as in \"27+\"",
                );
            }
        }
    }
}

fn keys_unsorted(report: &mut ChartReport<'_>, chart: &Chart, sources: &Sources) {
    for file in &chart.templates {
        for (start, action) in actions(&sources.get(file.source).text) {
            let has = |names: &[&str]| action_words(action).any(|word| names.contains(&word));
            let is_listed = has(&["range", "join", "toYaml", "toJson", "first", "last"]);
            if let Some(at) = action.find("keys ")
                && has(&["keys"])
                && is_listed
                && !has(&["sortAlpha", "len", "has"])
            {
                report.add(
                    Span::new(file.source, start + at, start + at + "keys".len()),
                    "`keys` gives the keys in random order, so each rendering may differ",
                );
            }
        }
    }
}

/// What each component of a chart sets for its own pods only.
const OF_OWN_PODS: [&str; 22] = [
    "affinity",
    "containerSecurityContext",
    "customLivenessProbe",
    "customReadinessProbe",
    "extraEnv",
    "extraEnvVars",
    "extraVolumeMounts",
    "extraVolumes",
    "hostAliases",
    "initContainers",
    "lifecycleHooks",
    "livenessProbe",
    "nodeSelector",
    "podAnnotations",
    "podLabels",
    "podSecurityContext",
    "priorityClassName",
    "readinessProbe",
    "resources",
    "sidecars",
    "tolerations",
    "topologySpreadConstraints",
];

/// A read of a value of a component: its name, the key below it, the place, and the action.
struct ComponentRead<'t> {
    component: &'t str,
    key: &'t str,
    span: Span,
    action: &'t str,
}

/// A template of pods, with the component that it is for and what it reads of all components.
struct ComponentTemplate<'t> {
    own: &'t str,
    reads: Vec<ComponentRead<'t>>,
}

impl<'t> ComponentTemplate<'t> {
    /// None unless the file makes pods, and its name and most of what it reads are of one component.
    fn of(file: &'t File, text: &'t [u8], components: &[&'t Entry]) -> Option<Self> {
        const FEW: usize = 6;
        memchr::memmem::find(text, b"containers:")?;
        let plain = |name: &str| name.replace(['-', '_'], "").to_ascii_lowercase();
        let name = plain(&file.name);
        let mut reads = Vec::new();
        for (start, action) in actions(text) {
            for word in action_words(action) {
                let Some(path) = word.trim_start_matches('$').strip_prefix(".Values.") else {
                    continue;
                };
                let mut keys = path.split('.');
                let (Some(component), Some(key)) = (keys.next(), keys.next()) else {
                    continue;
                };
                let at = start + action.find(word).unwrap_or_default();
                if components.iter().any(|entry| *entry.key == *component) {
                    reads.push(ComponentRead {
                        component,
                        key,
                        span: Span::new(file.source, at, at + word.len()),
                        action,
                    });
                }
            }
        }
        let count = |component: &str| {
            let of = reads.iter().filter(|read| read.component == component);
            of.map(|read| read.key).collect::<BTreeSet<_>>().len()
        };
        let named = components.iter().map(|entry| &*entry.key);
        let own = named
            .filter(|component| name.contains(&plain(component)))
            .max_by_key(|component| count(component))
            .filter(|component| count(component) >= FEW)?;
        Some(ComponentTemplate { own, reads })
    }
}

/// A template of one component that reads what another one sets for its own pods, although its own has
/// the same value: a copy that was not finished.
fn component_mixed_up(report: &mut ChartReport<'_>, chart: &Chart, sources: &Sources) {
    let Some((_, values)) = &chart.values else {
        return;
    };
    let has_pods = |entry: &&Entry| {
        let own = OF_OWN_PODS
            .iter()
            .filter(|key| entry.value.get(key).is_some());
        own.count() > 2
    };
    let components: Vec<&Entry> = values.entries().iter().filter(has_pods).collect();
    if components.len() < 2 {
        return;
    }
    let templates: Vec<ComponentTemplate> = chart
        .templates
        .iter()
        .filter_map(|file| ComponentTemplate::of(file, &sources.get(file.source).text, &components))
        .collect();
    let has = |component: &str, key: &str| {
        let entry = components.iter().find(|entry| *entry.key == *component);
        entry.is_some_and(|entry| entry.value.get(key).is_some())
    };
    for template in &templates {
        let others: BTreeSet<&str> = templates.iter().map(|other| other.own).collect();
        for other in others.into_iter().filter(|other| *other != template.own) {
            let reads = template.reads.iter().filter(|read| read.component == other);
            let strange: Vec<&ComponentRead> = reads
                .filter(|read| OF_OWN_PODS.contains(&read.key))
                .collect();
            let keys: BTreeSet<&str> = strange.iter().map(|read| read.key).collect();
            // A container of another component in these pods has its values.
            let mut of_other = template.reads.iter().filter(|read| read.component == other);
            let is_whole = keys.len() > 2 || of_other.any(|read| read.key == "image");
            let is_slip = |read: &&&ComponentRead| {
                let own = format!(".Values.{}.{}", template.own, read.key);
                !is_whole && has(template.own, read.key) && !read.action.contains(&own)
            };
            if let Some(read) = strange.iter().find(is_slip) {
                report.add(
                    read.span,
                    format!(
                        "a template of `{}` reads `{other}.{}`, although there is `{}.{}`",
                        template.own, read.key, template.own, read.key
                    ),
                );
            }
        }
    }
}

fn helper_prefix(report: &mut ChartReport<'_>, chart: &Chart, sources: &Sources) {
    let prefix = format!("{}.", chart.metadata.name);
    for file in &chart.templates {
        let text = &sources.get(file.source).text;
        for pair in tokens(text).windows(2) {
            if pair[0].kind == TokenKind::Define
                && matches!(pair[1].kind, TokenKind::Str | TokenKind::RawString)
            {
                let name = String::from_utf8_lossy(&text[pair[1].start..pair[1].end]).into_owned();
                let name = name.trim_matches(['"', '`']);
                if !name.starts_with(&prefix) {
                    report.add(
                        Span::new(file.source, pair[1].start, pair[1].end),
                        format!("the helper {name:?} does not begin with {prefix:?}"),
                    );
                }
            }
        }
    }
}
