//! The chart's own files: what `helm lint` checks, and what templates and values files should not
//! hold.
//!
//! What keeps a chart from loading is reported by the room `chart`, with Helm's words; here the
//! chart is loaded.

use super::super::cel::library::{is_semver, is_url};
use super::super::unit::text;
use super::{ChartReport, Check, Table};
use crate::diagnostic::{did_you_mean, ids};
use crate::helm::Chart;
use crate::helm::File;
use crate::source::{SourceId, Sources, Span};
use crate::template::lexer::{Lexer, Token, TokenKind};
use crate::yaml;
use crate::yaml::Data;
use crate::yaml::Node;
use crate::yaml::Path;

pub(super) const TABLE: Table = &[
    (ids::CHART_ICON_MISSING, Check::Chart(icon_missing)),
    (ids::CHART_ICON_URL, Check::Chart(icon_url)),
    (ids::CHART_SOURCES_URL, Check::Chart(sources_url)),
    (ids::CHART_MAINTAINERS, Check::Chart(maintainers)),
    (
        ids::CHART_VERSION_STRICT_SEMVER,
        Check::Chart(version_strict),
    ),
    (
        ids::CHART_V1_WITH_V2_FIELDS,
        Check::Chart(v1_with_v2_fields),
    ),
    (
        ids::CHART_API_VERSION_MISSING,
        Check::Chart(api_version_missing),
    ),
    (ids::CHART_YAML_WRONG_TYPE, Check::Chart(wrong_type)),
    (ids::CHART_YAML_UNKNOWN_FIELD, Check::Chart(unknown_field)),
    (
        ids::DEPENDENCY_UNDECLARED,
        Check::Chart(dependency_undeclared),
    ),
    (
        ids::DEPENDENCY_VERSION_UNPINNED,
        Check::Chart(dependency_unpinned),
    ),
    (ids::CHART_LOCK_OUTDATED, Check::Chart(lock_outdated)),
    (ids::VALUES_FILE_MISSING, Check::Chart(values_file_missing)),
    (ids::VALUE_UNDOCUMENTED, Check::Chart(value_undocumented)),
    (ids::VALUE_TYPE_TRAP, Check::Chart(value_type_trap)),
    (ids::TEMPLATES_DIR, Check::Chart(templates_dir)),
    (ids::TEMPLATE_EXTENSION, Check::Chart(template_extension)),
    (ids::CRD_FILE, Check::Chart(crd_file)),
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
];

/// The place of a field of Chart.yaml, else of the chart.
fn place(chart: &Chart, path: &str) -> Span {
    match &chart.chart_yaml {
        Some((_, node)) => Path::parse(path).place(node),
        None => chart.head().unwrap_or(Span::new(SourceId::new(0, 0), 0, 0)),
    }
}

fn icon_missing(report: &mut ChartReport<'_>, chart: &Chart, _: &Sources) {
    if chart.metadata.icon.is_empty() {
        report.add(
            place(chart, "name"),
            format!("chart {} has no icon", chart.metadata.name),
        );
    }
}

fn icon_url(report: &mut ChartReport<'_>, chart: &Chart, _: &Sources) {
    let icon = &chart.metadata.icon;
    if !icon.is_empty() && !is_url(icon) {
        report.add(place(chart, "icon"), format!("the icon {icon:?} is no URL"));
    }
}

fn sources_url(report: &mut ChartReport<'_>, chart: &Chart, _: &Sources) {
    for (i, source) in chart.metadata.sources.iter().enumerate() {
        if !is_url(source) {
            report.add(
                place(chart, &format!("sources[{i}]")),
                format!("the source {source:?} is no URL"),
            );
        }
    }
}

fn maintainers(report: &mut ChartReport<'_>, chart: &Chart, _: &Sources) {
    for (i, maintainer) in chart.metadata.maintainers.iter().enumerate() {
        let at = |field: &str| place(chart, &format!("maintainers[{i}].{field}"));
        if maintainer.name.is_empty() {
            report.add(at("name"), "a maintainer has no name");
        }
        let email = &maintainer.email;
        let is_email = email.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty()
                && host.contains('.')
                && !host.starts_with('.')
                && !host.ends_with('.')
                && !email.contains(char::is_whitespace)
        });
        if !email.is_empty() && !is_email {
            report.add(
                at("email"),
                format!(
                    "the maintainer {} has the email {email:?}, which is none",
                    maintainer.name
                ),
            );
        }
        let url = &maintainer.url;
        if !url.is_empty() && !is_url(url) && !is_url(&format!("http://{url}")) {
            report.add(
                at("url"),
                format!(
                    "the maintainer {} has the URL {url:?}, which is none",
                    maintainer.name
                ),
            );
        }
    }
}

fn version_strict(report: &mut ChartReport<'_>, chart: &Chart, _: &Sources) {
    let version = &chart.metadata.version;
    if !version.is_empty() && !is_semver(version) {
        report.add(
            place(chart, "version"),
            format!("the version {version:?} is SemVer only in the loose reading"),
        );
    }
}

fn api_version_missing(report: &mut ChartReport<'_>, chart: &Chart, _: &Sources) {
    if chart
        .chart_yaml
        .as_ref()
        .is_some_and(|(_, node)| node.get("apiVersion").is_none_or(Node::is_null))
    {
        report.add(
            place(chart, "name"),
            format!("Chart.yaml of {} has no apiVersion", chart.metadata.name),
        );
    }
}

fn wrong_type(report: &mut ChartReport<'_>, chart: &Chart, sources: &Sources) {
    let Some((_, node)) = &chart.chart_yaml else {
        return;
    };
    for field in ["version", "appVersion"] {
        let Some(value) = node.get(field) else {
            continue;
        };
        if matches!(
            value.data,
            Data::Bool(_) | Data::Int(_) | Data::Uint(_) | Data::Float(_)
        ) {
            let written = String::from_utf8_lossy(sources.text(value.span)).into_owned();
            report.add(
                value.span,
                format!("the {field} {written} is a number, not text"),
            );
        }
    }
}

fn v1_with_v2_fields(report: &mut ChartReport<'_>, chart: &Chart, _: &Sources) {
    let Some((_, node)) = chart
        .chart_yaml
        .as_ref()
        .filter(|_| chart.metadata.api_version == "v1")
    else {
        return;
    };
    for field in ["type", "dependencies"] {
        if node.get(field).is_some_and(|n| !n.is_null()) {
            report.add(
                place(chart, field),
                format!("`{field}` has no meaning in a chart of apiVersion v1"),
            );
        }
    }
}

const CHART_KEYS: [&str; 17] = [
    "apiVersion",
    "name",
    "version",
    "kubeVersion",
    "description",
    "type",
    "keywords",
    "home",
    "sources",
    "dependencies",
    "maintainers",
    "icon",
    "appVersion",
    "deprecated",
    "annotations",
    "condition",
    "tags",
];
const DEPENDENCY_KEYS: [&str; 8] = [
    "name",
    "version",
    "repository",
    "condition",
    "tags",
    "enabled",
    "import-values",
    "alias",
];
const MAINTAINER_KEYS: [&str; 3] = ["name", "email", "url"];

fn unknown_field(report: &mut ChartReport<'_>, chart: &Chart, _: &Sources) {
    let Some((_, node)) = &chart.chart_yaml else {
        return;
    };
    let mut judge = |node: &Node, keys: &[&'static str], what: &str| {
        for (i, entry) in node.entries().iter().enumerate() {
            if !keys.contains(&&*entry.key) {
                let hint = did_you_mean(&entry.key, keys.iter().copied())
                    .map(|k| format!("; did you mean `{k}`?"))
                    .unwrap_or_default();
                report.add(
                    entry.key_span,
                    format!("{what} has no field `{}`{hint}", entry.key),
                );
            } else if node.entries()[..i].iter().any(|e| e.key == entry.key) {
                report.add(entry.key_span, format!("`{}` stands twice", entry.key));
            }
        }
    };
    judge(node, &CHART_KEYS, "Chart.yaml");
    node.get("dependencies")
        .map_or(&[][..], |n| n.items())
        .iter()
        .for_each(|d| judge(d, &DEPENDENCY_KEYS, "a dependency"));
    node.get("maintainers")
        .map_or(&[][..], |n| n.items())
        .iter()
        .for_each(|m| judge(m, &MAINTAINER_KEYS, "a maintainer"));
}

fn dependencies(chart: &Chart) -> &[crate::helm::Dependency] {
    chart.metadata.dependencies.as_deref().unwrap_or(&[])
}

fn dependency_undeclared(report: &mut ChartReport<'_>, chart: &Chart, _: &Sources) {
    for subchart in &chart.subcharts {
        let name = &subchart.metadata.name;
        // Processing renames a subchart to its alias.
        if !dependencies(chart)
            .iter()
            .any(|d| d.name == *name || d.alias == *name)
        {
            report.add(
                place(chart, "dependencies"),
                format!("charts/ holds {name}, which Chart.yaml does not declare"),
            );
        }
    }
}

fn is_pinned(version: &str) -> bool {
    is_semver(version.trim().trim_start_matches(['=', 'v']))
}

fn dependency_unpinned(report: &mut ChartReport<'_>, chart: &Chart, _: &Sources) {
    for dependency in dependencies(chart) {
        let local =
            dependency.repository.is_empty() || dependency.repository.starts_with("file://");
        if !local && !is_pinned(&dependency.version) && chart.lock.is_none() {
            report.add(
                dependency.span,
                format!(
                    "the dependency {} has the version {:?} and there is no Chart.lock",
                    dependency.name, dependency.version
                ),
            );
        }
    }
}

fn lock_outdated(report: &mut ChartReport<'_>, chart: &Chart, sources: &Sources) {
    let Some(lock) = chart.lock else { return };
    let Ok(node) = yaml::read(sources, lock) else {
        return;
    };
    let locked = node.get("dependencies").map_or(&[][..], |n| n.items());
    let start = Span::new(lock, 0, 0);
    let name = sources
        .get(lock)
        .name
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_owned();
    let declares = if name == "requirements.lock" {
        "requirements.yaml"
    } else {
        "Chart.yaml"
    };
    for dependency in dependencies(chart) {
        let Some(entry) = locked
            .iter()
            .find(|l| text(l, "name") == Some(&dependency.name))
        else {
            report.add(
                start,
                format!("{name} does not know the dependency {}", dependency.name),
            );
            continue;
        };
        let version = text(entry, "version").unwrap_or("");
        if is_pinned(&dependency.version)
            && version.trim_start_matches('v')
                != dependency.version.trim().trim_start_matches(['=', 'v'])
        {
            report.add(
                entry.span,
                format!(
                    "{name} has {} {version}, {declares} {}",
                    dependency.name, dependency.version
                ),
            );
        }
    }
    for entry in locked {
        if let Some(unknown) =
            text(entry, "name").filter(|n| !dependencies(chart).iter().any(|d| d.name == *n))
        {
            report.add(
                entry.span,
                format!("{name} has {unknown}, which {declares} does not declare"),
            );
        }
    }
}

fn values_file_missing(report: &mut ChartReport<'_>, chart: &Chart, _: &Sources) {
    if chart.values.is_none() && !chart.metadata.is_library() {
        report.add(
            place(chart, "name"),
            format!("chart {} has no values.yaml", chart.metadata.name),
        );
    }
}

fn value_undocumented(report: &mut ChartReport<'_>, chart: &Chart, sources: &Sources) {
    let Some((id, node)) = &chart.values else {
        return;
    };
    let source = sources.get(*id);
    for entry in node.entries() {
        let line = source.line_of(entry.key_span.start);
        let holds_comment = |line: usize| {
            source.text[source.line(line)]
                .trim_ascii_start()
                .starts_with(b"#")
        };
        let beside = memchr::memmem::find(&source.text[source.line(line)], b" #").is_some();
        if !(beside || (line > 1 && holds_comment(line - 1))) {
            report.add(
                entry.key_span,
                format!("no comment says what `{}` is for", entry.key),
            );
        }
    }
}

/// Why a plain scalar is not what it looks like.
fn trap(written: &str, node: &Node) -> Option<&'static str> {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    match node.data {
        Data::Bool(_) => matches!(
            written.to_ascii_lowercase().as_str(),
            "on" | "off" | "yes" | "no" | "y" | "n"
        )
        .then_some("YAML reads it as true or false"),
        Data::Int(_) if written.len() > 1 && written.starts_with('0') && digits(written) => {
            Some("YAML reads it as an octal number")
        }
        Data::Int(_) | Data::Float(_) if written.contains(':') => {
            Some("YAML reads it as a number of base 60")
        }
        Data::Int(_) | Data::Float(_) if written.contains('_') => Some("YAML leaves out the `_`"),
        Data::Float(_) if written.contains(['e', 'E']) && !written.contains('.') => {
            Some("YAML reads it as a power of ten")
        }
        _ => None,
    }
}

fn value_type_trap(report: &mut ChartReport<'_>, chart: &Chart, sources: &Sources) {
    let Some((id, node)) = &chart.values else {
        return;
    };
    let text = &sources.get(*id).text;
    let mut stack = vec![(&**node, 0)];
    while let Some((node, depth)) = stack.pop() {
        if depth > 64 {
            continue;
        }
        stack.extend(node.entries().iter().map(|e| (&e.value, depth + 1)));
        stack.extend(node.items().iter().map(|n| (n, depth + 1)));
        let written = text
            .get(node.span.start as usize..node.span.end as usize)
            .and_then(|b| std::str::from_utf8(b).ok())
            .unwrap_or("");
        if node.anchor.is_none()
            && let Some(why) = trap(written.trim(), node)
        {
            report.add(
                node.span,
                format!("`{}` is not text: {why}", written.trim()),
            );
        }
    }
}

fn templates_dir(report: &mut ChartReport<'_>, chart: &Chart, _: &Sources) {
    if chart.templates.is_empty()
        && !chart.metadata.is_library()
        && chart.subcharts.is_empty()
        && chart.metadata.dependencies.is_none()
    {
        report.add(
            place(chart, "name"),
            format!("chart {} has no templates", chart.metadata.name),
        );
    }
}

fn template_extension(report: &mut ChartReport<'_>, chart: &Chart, _: &Sources) {
    for file in &chart.templates {
        let (_, extension) = file.name.rsplit_once('.').unwrap_or(("", ""));
        if !matches!(extension, "yaml" | "yml" | "tpl" | "txt") {
            report.add(
                Span::new(file.source, 0, 0),
                format!(
                    "{} is rendered as a template, but is no .yaml, .yml, .tpl or .txt file",
                    file.name
                ),
            );
        }
    }
}

fn crd_file(report: &mut ChartReport<'_>, chart: &Chart, sources: &Sources) {
    for file in chart.files.iter().filter(|f| {
        f.name.starts_with("crds/") && (f.name.ends_with(".yaml") || f.name.ends_with(".yml"))
    }) {
        let source = sources.get(file.source);
        if let Some(at) = memchr::memmem::find(&source.text, b"\n{{") {
            report.add(
                Span::new(file.source, at + 1, at + 3),
                format!(
                    "{} holds template actions, but files of crds/ are not rendered",
                    file.name
                ),
            );
            continue;
        }
        let mut found = Vec::new();
        for object in crate::manifest::read(
            &sources.get(file.source).text,
            file.source,
            &file.name,
            None,
            &mut found,
        ) {
            let is_crd = &*object.identity.kind == "CustomResourceDefinition"
                && object
                    .identity
                    .api_version
                    .starts_with("apiextensions.k8s.io/");
            if !is_crd {
                let path =
                    Path::root().key(if &*object.identity.kind == "CustomResourceDefinition" {
                        "apiVersion"
                    } else {
                        "kind"
                    });
                report.add(
                    path.place(&object.root),
                    format!(
                        "{} of crds/ is no CustomResourceDefinition of apiextensions.k8s.io",
                        object.identity.kind
                    ),
                );
            }
        }
    }
}

/// Calls `judge` with each template that makes manifests.
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

/// The lines of a text with the offset of each.
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
            // A line that holds nothing but actions writes no text, and inside of an action a tab
            // is harmless.
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
            // Two blanks deep it is that of `metadata`.
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

/// All tokens of a template, after an error behind the action that holds it.
fn tokens(text: &[u8]) -> Vec<Token> {
    let mut lexer = Lexer::new(text);
    let mut out = Vec::new();
    loop {
        let token = lexer.token();
        match token.kind {
            TokenKind::Eof => return out,
            TokenKind::Error => {
                let resumed = lexer.resume(token.end);
                // What does not move on ends here.
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

/// Functions, and fields of `.Capabilities`, with a successor.
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
