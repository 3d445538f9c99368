//! What Helm gives to templates besides the values, the keys of Chart.yaml, and those of the
//! configuration: what each is for.

use serde_json::Value as Json;
use std::sync::OnceLock;

/// A name, and what it is for.
type Described = (&'static str, &'static str);

/// An object that Helm gives to templates.
pub(super) struct Object {
    pub name: &'static str,
    pub about: &'static str,
    pub fields: &'static [Described],
}

/// From <https://helm.sh/docs/chart_template_guide/builtin_objects/>.
pub(super) const OBJECTS: &[Object] = &[
    Object {
        name: "Values",
        about: "The values: values.yaml, and what the environment sets over it.",
        fields: &[],
    },
    Object {
        name: "Release",
        about: "The release that is installed or upgraded.",
        fields: &[
            (
                "IsInstall",
                "Whether the release is installed for the first time.",
            ),
            (
                "IsUpgrade",
                "Whether the release is upgraded or rolled back.",
            ),
            ("Name", "The name of the release."),
            (
                "Namespace",
                "The namespace that the release goes to, unless a manifest names another.",
            ),
            (
                "Revision",
                "1 on the first installation, and one more with each upgrade and rollback.",
            ),
            ("Service", "What renders the chart: always `Helm`."),
        ],
    },
    Object {
        name: "Chart",
        about: "The content of Chart.yaml.",
        fields: &[
            ("APIVersion", "`v2`, or `v1` for charts of Helm 2."),
            (
                "Annotations",
                "Annotations of the chart, read with `index .Chart.Annotations \"name\"`.",
            ),
            (
                "AppVersion",
                "The version of the application that the chart deploys.",
            ),
            (
                "Condition",
                "The condition that enables the chart as a dependency.",
            ),
            ("Dependencies", "The dependencies that the chart declares."),
            ("Deprecated", "Whether the chart is deprecated."),
            ("Description", "One sentence about the chart."),
            ("Home", "The URL of the project."),
            ("Icon", "The URL of an icon."),
            ("Keywords", "Words by which the chart is found."),
            (
                "KubeVersion",
                "The versions of Kubernetes that the chart is for.",
            ),
            ("Maintainers", "The people who maintain the chart."),
            ("Name", "The name of the chart."),
            ("Sources", "URLs of the source code."),
            ("Tags", "The tags that enable the chart as a dependency."),
            (
                "Type",
                "`application`, or `library` for a chart with helpers only.",
            ),
            ("Version", "The version of the chart."),
        ],
    },
    Object {
        name: "Capabilities",
        about: "What the cluster can do.",
        fields: &[
            (
                "APIVersions",
                "The APIs that the cluster serves; `.Capabilities.APIVersions.Has \"batch/v1\"` asks for one.",
            ),
            ("HelmVersion", "The version of Helm that renders the chart."),
            (
                "KubeVersion",
                "The version of the cluster. `helm template` takes its own, or `--kube-version`.",
            ),
        ],
    },
    Object {
        name: "Files",
        about: "The files of the chart that are no templates and that .helmignore does not exclude.",
        fields: &[
            ("AsConfig", "The files as the `data` of a ConfigMap."),
            (
                "AsSecrets",
                "The files as the `data` of a Secret, in base64.",
            ),
            (
                "Get",
                "The content of a file, by its path from the chart's folder; empty if there is none.",
            ),
            (
                "GetBytes",
                "The content of a file as bytes, for files that are no text.",
            ),
            ("Glob", "The files whose paths match a pattern."),
            ("Lines", "The lines of a file, for `range`."),
        ],
    },
    Object {
        name: "Subcharts",
        about: "What the templates of each subchart see, by the name of the subchart.",
        fields: &[],
    },
    Object {
        name: "Template",
        about: "The template that is executed.",
        fields: &[
            ("BasePath", "The folder of the chart's templates."),
            (
                "Name",
                "The path of the template, with the chart's name in front.",
            ),
        ],
    },
];

/// What an object, or a field of it, is for.
pub(super) fn about(names: &[String]) -> Option<&'static str> {
    let object = OBJECTS.iter().find(|o| o.name == names[0])?;
    match names.get(1) {
        None => Some(object.about),
        Some(name) => {
            let field = object.fields.iter().find(|(known, _)| known == name);
            field.map(|(_, about)| *about)
        }
    }
}

/// One sentence about a function. `mustX` does what `x` does.
pub(super) fn function(name: &str) -> Option<String> {
    let of = |name: &str| {
        let mut lines = include_str!("functions.txt").lines();
        lines.find_map(|line| line.split_once('\t').filter(|(known, _)| *known == name))
    };
    if let Some((_, about)) = of(name) {
        return Some(about.to_string());
    }
    let rest = name
        .strip_prefix("must")
        .map(|rest| rest.trim_start_matches('_'))?;
    let mut letters = rest.chars();
    let first = letters.next()?.to_ascii_lowercase();
    let (plain, about) = of(&format!("{first}{}", letters.as_str()))?;
    Some(format!(
        "{about} As `{plain}`, but an error stops the render."
    ))
}

/// The keys of Chart.yaml. From <https://helm.sh/docs/topics/charts/#the-chartyaml-file>.
const CHART: &[Described] = &[
    (
        "apiVersion",
        "`v2`, or `v1` for charts of Helm 2. Required.",
    ),
    (
        "name",
        "The name of the chart: the name of its folder. Required.",
    ),
    (
        "version",
        "The version of the chart, a semantic version. Required.",
    ),
    (
        "kubeVersion",
        "The versions of Kubernetes that the chart is for: `>=1.25.0-0`.",
    ),
    ("description", "One sentence about the chart."),
    (
        "type",
        "`application`, or `library` for a chart with helpers only.",
    ),
    ("keywords", "Words by which the chart is found."),
    ("home", "The URL of the project."),
    ("sources", "URLs of the source code."),
    ("dependencies", "Charts that this one needs, in charts/."),
    ("maintainers", "The people who maintain the chart."),
    ("icon", "The URL of an icon, an SVG or PNG."),
    ("appVersion", "The version of the application. Quote it."),
    ("deprecated", "Whether the chart is deprecated."),
    ("annotations", "Further data, by name."),
];

const DEPENDENCY: &[Described] = &[
    ("name", "The name of the chart."),
    ("version", "The versions that fit: `^1.2.0`, `1.x.x`."),
    (
        "repository",
        "The URL of the repository: `https://…`, `oci://…`, `file://../chart`, or `@name`.",
    ),
    (
        "condition",
        "Paths of values, with commas between them. The first that is set decides whether the dependency is enabled.",
    ),
    (
        "tags",
        "Names below `tags:` in the values that enable it, if no condition decides.",
    ),
    (
        "import-values",
        "Values of the dependency that become values of this chart.",
    ),
    (
        "alias",
        "Another name for the dependency, also for its values.",
    ),
];

const MAINTAINER: &[Described] = &[
    ("name", "The name of the maintainer. Required."),
    ("email", "The maintainer's address."),
    ("url", "A page about the maintainer."),
];

/// The keys below a path of Chart.yaml.
pub(super) fn chart_keys(parents: &[String]) -> &'static [Described] {
    let parents: Vec<&str> = parents.iter().map(String::as_str).collect();
    match parents.as_slice() {
        [] => CHART,
        ["dependencies"] => DEPENDENCY,
        ["maintainers"] => MAINTAINER,
        _ => &[],
    }
}

/// The words that a key of Chart.yaml takes.
pub(super) fn chart_words(parents: &[String], key: &str) -> &'static [&'static str] {
    match (parents, key) {
        ([], "apiVersion") => &["v2", "v1"],
        ([], "type") => &["application", "library"],
        ([], "deprecated") => &["false", "true"],
        _ => &[],
    }
}

/// What a key of the configuration is for, by its JSON Schema, and the words that it takes.
pub(super) fn configured(keys: &[String]) -> Option<(String, Vec<String>)> {
    let schema = schema()?;
    let mut node = resolved(schema, schema);
    for key in keys {
        let below = alternatives(schema, node)
            .into_iter()
            .find_map(|part| below(schema, part, key))?;
        node = below;
    }
    let parts = alternatives(schema, node);
    let about = node["description"].as_str().or_else(|| {
        let mut parts = parts.iter();
        parts.find_map(|part| part["description"].as_str())
    });
    let words = parts
        .iter()
        .filter_map(|part| part["enum"].as_array())
        .flatten();
    let words = words
        .filter_map(|word| word.as_str().map(String::from))
        .collect();
    Some((about.unwrap_or_default().to_string(), words))
}

fn schema() -> Option<&'static Json> {
    static SCHEMA: OnceLock<Option<Json>> = OnceLock::new();
    let text = include_str!("../../schemas/config.schema.json");
    SCHEMA
        .get_or_init(|| serde_json::from_str(text).ok())
        .as_ref()
}

fn resolved(schema: &'static Json, node: &'static Json) -> &'static Json {
    let target = node["$ref"]
        .as_str()
        .and_then(|to| schema.pointer(to.trim_start_matches('#')));
    target.unwrap_or(node)
}

/// A schema, and those of which one must hold.
fn alternatives(schema: &'static Json, node: &'static Json) -> Vec<&'static Json> {
    let whole = resolved(schema, node);
    let mut all = vec![whole];
    for word in ["oneOf", "anyOf"] {
        let parts = whole[word].as_array();
        all.extend(
            parts
                .into_iter()
                .flatten()
                .map(|part| resolved(schema, part)),
        );
    }
    all
}

/// The schema of a key; that of the items, if it is a list.
fn below(schema: &'static Json, node: &'static Json, key: &str) -> Option<&'static Json> {
    let node = match &node["items"] {
        Json::Null => node,
        items => resolved(schema, items),
    };
    let own = node["properties"].get(key);
    own.or_else(|| node.get("additionalProperties").filter(|n| n.is_object()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_a_sentence() {
        for function in crate::template::functions::all().iter() {
            let about = super::function(function.name);
            assert!(
                about.is_some_and(|about| about.ends_with('.')),
                "{}",
                function.name
            );
        }
    }

    #[test]
    fn keys_of_the_configuration_are_described() {
        let of = |path: &str| {
            let keys: Vec<String> = path.split('.').map(String::from).collect();
            configured(&keys)
        };
        let (about, words) = of("fail-on").expect("a key");
        assert!(about.contains("exit code") && words.contains(&"warning".to_string()));
        assert!(of("rules.severity.image-tag-latest").is_some_and(|(_, words)| words.len() == 3));
        assert!(of("suppress.reason").is_some());
        assert!(of("environments.prod.values").is_some());
        assert!(of("nothing").is_none());
    }
}
