//! Rules about Chart.yaml, dependencies and the chart's folder: mostly the checks of `helm lint`.
//!
//! What keeps a chart from loading is reported by [`crate::helm`], with Helm's words; here the
//! chart is loaded.

use super::super::cel::library::{is_semver, is_url};
use super::super::object_set::{items, text};
use super::{ChartReport, Check, Table};
use crate::diagnostic::{did_you_mean, ids};
use crate::go::url::Url;
use crate::helm::release::is_compatible;
use crate::helm::{Chart, Dependency};
use crate::source::{SourceId, Sources, Span};
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
    (
        ids::DEPENDENCY_VERSION_MISMATCH,
        Check::Chart(dependency_version_mismatch),
    ),
    (
        ids::DEPENDENCY_VENDORED_TWICE,
        Check::Chart(dependency_vendored_twice),
    ),
    (ids::CHART_LOCK_OUTDATED, Check::Chart(lock_outdated)),
    (ids::VALUES_FILE_MISSING, Check::Chart(values_file_missing)),
    (ids::TEMPLATES_DIR, Check::Chart(templates_dir)),
    (ids::CRD_FILE, Check::Chart(crd_file)),
];

/// The span of a field of Chart.yaml, or of the chart if the field is absent.
fn place(chart: &Chart, path: &str) -> Span {
    match &chart.chart_yaml {
        Some((_, node)) => Path::parse(path).place(node),
        None => chart.head().unwrap_or(Span::new(SourceId::new(0, 0), 0, 0)),
    }
}

/// Whether Helm takes a text for a URL: it needs a scheme but no host, so a `data:` URL is one.
fn is_request_url(text: &str) -> bool {
    Url::parse_request_uri(text.as_bytes()).is_ok_and(|url| !url.scheme.is_empty())
}

/// A text of the chart, quoted, as a message shows it: an image in a field can be thousands of
/// characters long.
fn shown(text: &str) -> String {
    const LONGEST: usize = 80;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}", format!("{}…", &text[..end])),
        None => format!("{text:?}"),
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
    if !icon.is_empty() && !is_request_url(icon) {
        let message = format!("the icon {} is not a URL", shown(icon));
        report.add(place(chart, "icon"), message);
    }
}

fn sources_url(report: &mut ChartReport<'_>, chart: &Chart, _: &Sources) {
    for (i, source) in chart.metadata.sources.iter().enumerate() {
        if !is_request_url(source) {
            report.add(
                place(chart, &format!("sources[{i}]")),
                format!("the source {} is not a URL", shown(source)),
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
                    "the maintainer {} has the email {}, which is not valid",
                    maintainer.name,
                    shown(email)
                ),
            );
        }
        let url = &maintainer.url;
        if !url.is_empty() && !is_url(url) && !is_url(&format!("http://{url}")) {
            report.add(
                at("url"),
                format!(
                    "the maintainer {} has the URL {}, which is not valid",
                    maintainer.name,
                    shown(url)
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
            format!("the version {version:?} is not strict SemVer"),
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
                format!("the {field} {written} is a number, not a string"),
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
/// Fields of Helm 2, which its charts still carry. They are no slip, and nothing follows from them.
const HELM_2_KEYS: [&str; 2] = ["engine", "tillerVersion"];
const MAINTAINER_KEYS: [&str; 3] = ["name", "email", "url"];

fn unknown_field(report: &mut ChartReport<'_>, chart: &Chart, _: &Sources) {
    let Some((_, node)) = &chart.chart_yaml else {
        return;
    };
    let mut judge = |node: &Node, keys: &[&'static str], what: &str| {
        for (i, entry) in node.entries().iter().enumerate() {
            if HELM_2_KEYS.contains(&&*entry.key) && what == "Chart.yaml" {
                continue;
            }
            if !keys.contains(&&*entry.key) {
                let hint = did_you_mean(&entry.key, keys.iter().copied())
                    .map(|k| format!("; did you mean `{k}`?"))
                    .unwrap_or_default();
                report.add(
                    entry.key_span,
                    format!("{what} has no field `{}`{hint}", entry.key),
                );
            } else if node.entries()[..i].iter().any(|e| e.key == entry.key) {
                report.add(entry.key_span, format!("`{}` is defined twice", entry.key));
            }
        }
    };
    judge(node, &CHART_KEYS, "Chart.yaml");
    items(node, "dependencies")
        .iter()
        .for_each(|d| judge(d, &DEPENDENCY_KEYS, "a dependency"));
    items(node, "maintainers")
        .iter()
        .for_each(|m| judge(m, &MAINTAINER_KEYS, "a maintainer"));
}

fn dependencies(chart: &Chart) -> &[Dependency] {
    chart.metadata.dependencies.as_deref().unwrap_or(&[])
}

fn dependency_undeclared(report: &mut ChartReport<'_>, chart: &Chart, _: &Sources) {
    for subchart in &chart.subcharts {
        let name = &subchart.metadata.name;
        // Loading renames a subchart to its alias.
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

/// Whether a dependency's version is fixed, or a range of patch versions, which Helm's documentation
/// suggests: `1.2.3`, `~1.2.3`, `1.2.x`.
fn is_patch_level(range: &str) -> bool {
    let mut numbers = range
        .split(|c: char| !c.is_ascii_digit())
        .filter(|digits| !digits.is_empty())
        .map_while(|digits| digits.parse::<u32>().ok());
    let Some(major) = numbers.next() else {
        return false;
    };
    let minor = numbers.next().unwrap_or(0);
    let next = [
        format!("{major}.{}.0", minor.saturating_add(1)),
        format!("{}.0.0", major.saturating_add(1)),
    ];
    !next.iter().any(|version| is_compatible(range, version))
}

fn dependency_unpinned(report: &mut ChartReport<'_>, chart: &Chart, _: &Sources) {
    for dependency in dependencies(chart) {
        let local =
            dependency.repository.is_empty() || dependency.repository.starts_with("file://");
        if !local && !is_patch_level(&dependency.version) && chart.lock.is_none() {
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

/// The charts in charts/ that have the name of a dependency, with their versions.
fn vendored<'c>(chart: &'c Chart, dependency: &'c Dependency) -> impl Iterator<Item = &'c Chart> {
    let charts = format!("{}charts/", chart.location);
    chart
        .subcharts
        .iter()
        .filter(move |c| c.metadata.name == dependency.name && c.location.starts_with(&charts))
}

fn allows(dependency: &Dependency, subchart: &Chart) -> bool {
    is_compatible(&dependency.version, &subchart.metadata.version)
}

/// What a dependency declares that Helm ignores where the version does not fit.
fn ignored(dependency: &Dependency) -> Vec<String> {
    let mut ignored = Vec::new();
    for (what, text) in [
        ("alias", &dependency.alias),
        ("condition", &dependency.condition),
    ] {
        if !text.is_empty() {
            ignored.push(format!("its {what} `{text}`"));
        }
    }
    if !dependency.tags.is_empty() {
        ignored.push("its tags".into());
    }
    ignored
}

fn dependency_version_mismatch(report: &mut ChartReport<'_>, chart: &Chart, sources: &Sources) {
    let all_locked = chart.locked_versions(sources);
    for dependency in dependencies(chart) {
        // Aliases of one chart may be of different versions.
        let of_name = || {
            dependencies(chart)
                .iter()
                .filter(|d| d.name == dependency.name)
        };
        let is_wanted = |c: &&Chart| of_name().any(|d| allows(d, c));
        let (name, wanted) = (&dependency.name, &dependency.version);
        let copies: Vec<&Chart> = vendored(chart, dependency).collect();
        let Some(first) = copies.first() else {
            continue;
        };
        let version = &first.metadata.version;
        if !copies.iter().any(|c| allows(dependency, c)) {
            let ignored = ignored(dependency);
            // Without a version, nothing is ignored that has an effect.
            if wanted.is_empty() && ignored.is_empty() {
                continue;
            }
            let allowed = match wanted.is_empty() {
                true => "Chart.yaml gives no version for it".to_string(),
                false => format!("Chart.yaml wants {wanted}"),
            };
            let effect = match (&*ignored, copies.iter().any(is_wanted)) {
                (_, true) => ": nothing of it is rendered".to_string(),
                ([], false) => ": Helm renders it all the same".to_string(),
                (ignored, false) => {
                    format!(": Helm renders it, and ignores {}", ignored.join(" and "))
                }
            };
            report.add(
                dependency.span,
                format!("charts/ has {name} {version}, but {allowed}{effect}"),
            );
            continue;
        }
        let locked = all_locked.get(name).map_or(&[][..], Vec::as_slice);
        let same = |c: &&Chart| {
            locked
                .iter()
                .any(|v| is_same_version(v, &c.metadata.version))
        };
        if !locked.is_empty() && !copies.iter().any(same) {
            report.add(
                dependency.span,
                format!(
                    "charts/ has {name} {version}, but Chart.lock has {}",
                    locked.join(", ")
                ),
            );
        }
    }
}

fn is_same_version(one: &str, other: &str) -> bool {
    one.trim_start_matches('v') == other.trim_start_matches('v')
}

fn dependency_vendored_twice(report: &mut ChartReport<'_>, chart: &Chart, _: &Sources) {
    let mut seen: Vec<&str> = Vec::new();
    for dependency in dependencies(chart) {
        let name = &dependency.name;
        if seen.contains(&&**name) {
            continue;
        }
        seen.push(name);
        let declared = || dependencies(chart).iter().filter(|d| d.name == *name);
        let (wanted, stale): (Vec<&Chart>, Vec<&Chart>) =
            vendored(chart, dependency).partition(|c| declared().any(|d| allows(d, c)));
        let versions = |charts: &[&Chart]| {
            let versions: Vec<&str> = charts.iter().map(|c| &*c.metadata.version).collect();
            versions.join(" and ")
        };
        if !wanted.is_empty() && !stale.is_empty() {
            report.add(
                dependency.span,
                format!(
                    "charts/ has {name} {} besides {}: Helm renders both, whatever Chart.yaml says of {name}",
                    versions(&stale),
                    versions(&wanted)
                ),
            );
        }
        for one in declared() {
            let fitting: Vec<&Chart> = wanted.iter().copied().filter(|c| allows(one, c)).collect();
            if fitting.len() > 1 {
                report.add(
                    one.span,
                    format!(
                        "charts/ has {name} {}, and Chart.yaml allows each of them ({}): Helm takes one at random",
                        versions(&fitting),
                        one.version
                    ),
                );
            }
        }
    }
}

fn lock_outdated(report: &mut ChartReport<'_>, chart: &Chart, sources: &Sources) {
    let Some(lock) = chart.lock else { return };
    let Ok(node) = yaml::read(sources, lock) else {
        return;
    };
    let locked = items(&node, "dependencies");
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
                format!("{name} lacks the dependency {}", dependency.name),
            );
            continue;
        };
        let version = text(entry, "version").unwrap_or("");
        if is_semver(dependency.version.trim().trim_start_matches(['=', 'v']))
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

fn templates_dir(report: &mut ChartReport<'_>, chart: &Chart, _: &Sources) {
    if chart.templates.is_empty()
        && !chart.metadata.is_library()
        && chart.subcharts.is_empty()
        && chart.metadata.dependencies.is_none()
    {
        let name = &chart.metadata.name;
        match chart.ignored_templates {
            Some(rule) => report.add(
                rule,
                format!("this rule of .helmignore leaves out all templates of chart {name}"),
            ),
            None => report.add(
                place(chart, "name"),
                format!("chart {name} has no templates"),
            ),
        }
    }
}

/// Where the first action of Helm begins. The descriptions of other programs' templates may contain
/// `{{` too.
fn first_action(text: &[u8]) -> Option<usize> {
    const HELMS: [&[u8]; 5] = [
        b".Values.",
        b".Release.",
        b".Chart.",
        b".Capabilities.",
        b"include \"",
    ];
    memchr::memmem::find_iter(text, b"{{").find(|&at| {
        let action = text[at + 2..].strip_prefix(b"-").unwrap_or(&text[at + 2..]);
        let action = action.trim_ascii_start();
        let begins_line = at == 0 || text[at - 1] == b'\n';
        begins_line || HELMS.iter().any(|name| action.starts_with(name))
    })
}

fn crd_file(report: &mut ChartReport<'_>, chart: &Chart, sources: &Sources) {
    for file in chart.files.iter().filter(|f| {
        f.name.starts_with("crds/") && (f.name.ends_with(".yaml") || f.name.ends_with(".yml"))
    }) {
        let source = sources.get(file.source);
        if let Some(at) = first_action(&source.text) {
            report.add(
                Span::new(file.source, at, at + 2),
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
                        "{} of crds/ is not a CustomResourceDefinition of apiextensions.k8s.io",
                        object.identity.kind
                    ),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn ranges_of_patch_versions() {
        for range in ["1.2.3", "v1.2.3", "~1.2.3", "1.2.x", ">=1.2.3 <1.3.0"] {
            assert!(super::is_patch_level(range), "{range}");
        }
        for range in ["^1.2.3", "*", "", ">= 0.0.0", "1.x", "~1"] {
            assert!(!super::is_patch_level(range), "{range}");
        }
    }
}
