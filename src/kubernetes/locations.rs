//! Kinds defined by the user's schemas (`--schema-location`): CustomResourceDefinitions in YAML,
//! and JSON Schemas in files, in folders or under kubeconform's path templates. A JSON Schema is
//! compiled when the first object of its kind is validated. Nothing is fetched.

use super::crd::Crds;
use super::schema::split_api_version;
use crate::diagnostic::{ObjectRef, RuleId, Severity, Versions, ids};
use crate::manifest::{Object, Violation};
use crate::source::{SourceId, Sources};
use crate::yaml;
use crate::yaml::Data;
use crate::yaml::Node;
use crate::yaml::Path as YamlPath;
use crate::yaml::Step;
use crate::yaml::path::unescaped;
use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, Uri, Validator};
use rustc_hash::FxHashMap;
use serde_json::Value as Json;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The variables `{{ .X }}` of a path template, with kubeconform's names.
const VARIABLES: [&str; 6] = [
    "NormalizedKubernetesVersion",
    "StrictSuffix",
    "ResourceKind",
    "ResourceAPIVersion",
    "Group",
    "KindSuffix",
];

/// The layouts of a folder with schemas: kubeconform's, that of CRD catalogues, and plain files.
const LAYOUTS: [&str; 4] = [
    "{{ .NormalizedKubernetesVersion }}-standalone{{ .StrictSuffix }}/{{ .ResourceKind }}{{ .KindSuffix }}.json",
    "{{ .Group }}/{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json",
    "{{ .ResourceKind }}{{ .KindSuffix }}.json",
    "{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json",
];

/// How many entries of a folder are searched. The rest is ignored.
const MAX_FILES: usize = 10_000;

/// The compiled schemas of one kind, each with the versions it applies to.
type Compiled = Arc<[(Versions, Validator)]>;

/// The locations of the user's schemas.
#[derive(Debug, Default)]
pub struct Locations {
    templates: Vec<String>,
    /// Single files with a JSON Schema.
    files: Vec<(PathBuf, Json)>,
    crds: Crds,
    compiled: Mutex<FxHashMap<(Box<str>, Box<str>), Option<Compiled>>>,
}

impl Locations {
    /// Adds a location: a template with variables such as `{{ .ResourceKind }}`, a folder, or a file
    /// of YAML (CustomResourceDefinitions) or JSON. `default` is the built-in table.
    ///
    /// # Errors
    /// A sentence about a location that does not exist, cannot be read, or is a URL.
    pub fn add(&mut self, location: &str) -> Result<(), String> {
        if location == "default" {
            return Ok(());
        }
        let path = Path::new(location);
        if location.starts_with("http://") || location.starts_with("https://") {
            return Err(format!(
                "schema location {location}: nothing is fetched over the network; download the schemas and pass their folder"
            ));
        } else if location.contains("{{") {
            check_template(location)?;
            self.templates.push(location.to_owned());
        } else if path.is_dir() {
            self.templates.extend(
                LAYOUTS.map(|layout| format!("{}/{layout}", location.trim_end_matches('/'))),
            );
            let mut walk = ignore::WalkBuilder::new(path);
            walk.sort_by_file_name(|a, b| a.cmp(b))
                .require_git(false)
                .max_depth(Some(4));
            let is_yaml = |p: &Path| p.extension().is_some_and(|e| e == "yaml" || e == "yml");
            for entry in walk
                .build()
                .take(MAX_FILES)
                .flatten()
                .filter(|e| is_yaml(e.path()))
            {
                self.add_definitions(entry.path())?;
            }
        } else if path.extension().is_some_and(|e| e == "json") {
            self.files.push((path.to_path_buf(), read_json(path)?));
        } else {
            self.add_definitions(path)?;
        }
        Ok(())
    }

    /// Adds the CustomResourceDefinitions of a YAML file. Other documents are ignored.
    fn add_definitions(&mut self, path: &Path) -> Result<(), String> {
        let text = Sources::default()
            .read_file(path)
            .map_err(|e| format!("schema location {}: {e}", path.display()))?;
        let text = String::from_utf8_lossy(&text);
        for document in format!("\n{text}").split("\n---") {
            let Ok(root) = yaml::parse(document.as_bytes(), SourceId::new(0, 0), 0) else {
                continue;
            };
            let of = |key: &str| root.get(key).and_then(Node::as_str).map(Arc::<str>::from);
            let (Some(api_version), Some(kind)) = (of("apiVersion"), of("kind")) else {
                continue;
            };
            let identity = Arc::new(ObjectRef {
                api_version,
                kind,
                namespace: None,
                name: "".into(),
            });
            let template = path.display().to_string().into();
            let (fingerprint, root) = (root.fingerprint(), Arc::new(root));
            self.crds.add(&Object {
                identity,
                root,
                environment: None,
                hooks: vec![],
                template,
                from_crds: true,
                kubernetes: None,
                fingerprint,
            });
        }
        Ok(())
    }

    /// The CustomResourceDefinitions of these locations.
    pub(super) fn crds(&self) -> &Crds {
        &self.crds
    }

    /// Whether these locations have a JSON Schema for this kind.
    pub fn has(&self, api_version: &str, kind: &str) -> bool {
        self.schemas(api_version, kind).is_some()
    }

    /// Validates an object against its JSON Schema. If schemas differ by version, those of
    /// `versions` are used.
    pub(super) fn check(&self, object: &Object, versions: Versions, found: &mut Vec<Violation>) {
        let Some(schemas) = self.schemas(&object.identity.api_version, &object.identity.kind)
        else {
            return;
        };
        let json = to_json(&object.root, 0);
        for (own, validator) in schemas.iter() {
            let held = own.and(versions);
            if held.is_empty() {
                continue;
            }
            for error in validator.iter_errors(&json).take(200) {
                let path = YamlPath(steps(error.instance_path().as_str()));
                let holds = (held != versions).then_some(held);
                let (rule, message, paths, at_key) = match error.kind() {
                    ValidationErrorKind::AdditionalProperties { unexpected }
                    | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                        for name in unexpected {
                            found.push(finding(
                                ids::UNKNOWN_FIELD,
                                format!("unknown field `{name}`"),
                                path.key(name),
                                true,
                                holds,
                            ));
                        }
                        continue;
                    }
                    ValidationErrorKind::Required { property } => {
                        let name = property.as_str().unwrap_or_default();
                        (
                            ids::MISSING_FIELD,
                            format!("`{name}` is missing"),
                            path.key(name),
                            false,
                        )
                    }
                    ValidationErrorKind::Type { .. } => {
                        (ids::WRONG_TYPE, error.masked().to_string(), path, false)
                    }
                    _ => (
                        ids::SCHEMA_VIOLATION,
                        error.masked().to_string(),
                        path,
                        false,
                    ),
                };
                found.push(finding(rule, message, paths, at_key, holds));
            }
        }
    }

    fn schemas(&self, api_version: &str, kind: &str) -> Option<Compiled> {
        if self.templates.is_empty() && self.files.is_empty() {
            return None;
        }
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (Box::from(api_version), Box::from(kind));
        compiled
            .entry(key)
            .or_insert_with(|| self.compile(api_version, kind))
            .clone()
    }

    fn compile(&self, api_version: &str, kind: &str) -> Option<Compiled> {
        let mut by_file: Vec<(PathBuf, Versions, Option<Json>)> = Vec::new();
        if let Some((path, schema)) = self
            .files
            .iter()
            .find(|(_, schema)| is_of(schema, api_version, kind))
        {
            by_file.push((path.clone(), Versions::ALL, Some(schema.clone())));
        } else {
            for minor in Versions::ALL.iter() {
                let Some(path) = self
                    .templates
                    .iter()
                    .find_map(|t| expand(t, api_version, kind, minor))
                else {
                    continue;
                };
                match by_file.iter_mut().find(|(known, ..)| *known == path) {
                    Some((_, versions, _)) => *versions = versions.or(Versions::minor(minor)),
                    None => by_file.push((path, Versions::minor(minor), None)),
                }
            }
        }
        let compile = |(path, versions, schema): (PathBuf, Versions, Option<Json>)| {
            let schema = schema.or_else(|| read_json(&path).ok())?;
            let base = format!(
                "file://{}",
                std::path::absolute(&path).unwrap_or(path).display()
            );
            // This engine takes linear time, and is closer to Go's regexp than the default one.
            let options = jsonschema::options()
                .with_retriever(Neighbours)
                .with_base_uri(base)
                .with_pattern_options(PatternOptions::regex());
            Some((versions, options.build(&schema).ok()?))
        };
        let all: Vec<(Versions, Validator)> = by_file.into_iter().filter_map(compile).collect();
        (!all.is_empty()).then(|| all.into())
    }
}

fn finding(
    rule: RuleId,
    message: String,
    path: YamlPath,
    at_key: bool,
    kubernetes: Option<Versions>,
) -> Violation {
    Violation {
        rule,
        severity: Severity::Error,
        message,
        help: None,
        path,
        at_key,
        kubernetes,
    }
}

/// Retrieves schemas from local files. Other references are refused.
struct Neighbours;

impl jsonschema::Retrieve for Neighbours {
    fn retrieve(
        &self,
        uri: &Uri<String>,
    ) -> Result<Json, Box<dyn std::error::Error + Send + Sync>> {
        let path = uri
            .as_str()
            .strip_prefix("file://")
            .ok_or("nothing is fetched over the network")?;
        Ok(read_json(Path::new(path))?)
    }
}

fn read_json(path: &Path) -> Result<Json, String> {
    let text = Sources::default()
        .read_file(path)
        .map_err(|e| format!("schema location {}: {e}", path.display()))?;
    serde_json::from_slice(&text).map_err(|e| format!("schema location {}: {e}", path.display()))
}

/// Whether a schema is for this kind, by the enum or const of its apiVersion and kind, or by
/// `x-kubernetes-group-version-kind`.
fn is_of(schema: &Json, api_version: &str, kind: &str) -> bool {
    let (group, version) = split_api_version(api_version);
    let marked = schema
        .get("x-kubernetes-group-version-kind")
        .and_then(Json::as_array)
        .into_iter()
        .flatten();
    let names = |key: &str, wanted: &str| {
        let property = &schema["properties"][key];
        property["const"] == wanted
            || property["enum"]
                .as_array()
                .is_some_and(|all| all.iter().any(|v| v == wanted))
    };
    marked
        .into_iter()
        .any(|m| m["group"] == group && m["version"] == version && m["kind"] == kind)
        || names("apiVersion", api_version) && names("kind", kind)
}

fn check_template(template: &str) -> Result<(), String> {
    for part in template.split("{{").skip(1) {
        let name = part
            .split_once("}}")
            .map(|(name, _)| name.trim().trim_start_matches('.'));
        if !name.is_some_and(|n| VARIABLES.contains(&n)) {
            let known = VARIABLES.map(|v| format!("{{{{ .{v} }}}}")).join(", ");
            return Err(format!(
                "schema location {template}: unknown or unclosed variable; the variables are {known}"
            ));
        }
    }
    Ok(())
}

/// The file for a kind under a path template, if it exists. The variant with `-strict` is
/// preferred.
fn expand(template: &str, api_version: &str, kind: &str, minor: u32) -> Option<PathBuf> {
    // These names come from charts, so they must not lead out of the folder.
    let safe = |s: &str| {
        !s.is_empty()
            && !s.contains("..")
            && s.bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    };
    let (group, version) = split_api_version(api_version);
    if !safe(kind) || !safe(version) || !(group.is_empty() || safe(group)) {
        return None;
    }
    let suffix = match group.split('.').next() {
        Some(first) if !first.is_empty() => format!("-{first}-{version}"),
        _ => format!("-{version}"),
    };
    ["-strict", ""].into_iter().find_map(|strict| {
        let mut path = String::new();
        for (index, part) in template.split("{{").enumerate() {
            let Some((name, rest)) = part.split_once("}}").filter(|_| index > 0) else {
                path.push_str(part);
                continue;
            };
            match name.trim().trim_start_matches('.') {
                "NormalizedKubernetesVersion" => path.push_str(&format!("v1.{minor}.0")),
                "StrictSuffix" => path.push_str(strict),
                "ResourceKind" => path.push_str(&kind.to_lowercase()),
                "ResourceAPIVersion" => path.push_str(version),
                "Group" => path.push_str(group),
                _ => path.push_str(&suffix.to_lowercase()),
            }
            path.push_str(rest);
        }
        Some(PathBuf::from(path)).filter(|p| p.is_file())
    })
}

/// Converts a node into JSON. Whole floats become integers, as JSON Schema compares them.
fn to_json(node: &Node, depth: usize) -> Json {
    match &node.data {
        _ if depth > 256 => Json::Null,
        Data::Null => Json::Null,
        Data::Bool(b) => Json::Bool(*b),
        Data::Int(i) => Json::from(*i),
        Data::Uint(u) => Json::from(*u),
        Data::Float(f) if f.fract() == 0.0 && f.abs() < 9e15 => Json::from(*f as i64),
        Data::Float(f) => Json::from(*f),
        Data::Str(text) => Json::String(text.to_string()),
        Data::Seq(items) => items.iter().map(|n| to_json(n, depth + 1)).collect(),
        Data::Map(entries) => Json::Object(
            entries
                .iter()
                .map(|e| (e.key.to_string(), to_json(&e.value, depth + 1)))
                .collect(),
        ),
    }
}

/// Parses a JSON pointer into steps. A number counts as an index; keys that consist of digits are
/// too rare to matter.
fn steps(pointer: &str) -> Vec<Step> {
    let unescaped = pointer.split('/').skip(1).map(unescaped);
    unescaped
        .map(|s| {
            s.parse()
                .map_or_else(|_| Step::Key(s.as_str().into()), Step::Index)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Schemas, check, tests::object};
    use super::*;

    fn locations(location: &str) -> Result<Locations, String> {
        let mut all = Locations::default();
        all.add(location).map(|()| all)
    }

    fn findings(schemas: &Schemas, text: &str) -> Vec<String> {
        check(&object(text).unwrap(), Versions::ALL, schemas)
            .into_iter()
            .map(|f| format!("{} {}", f.path, f.rule))
            .collect()
    }

    #[test]
    fn json_schemas_in_a_folder_and_by_template() {
        let folder = tempfile::tempdir().unwrap();
        let schema = r#"{"type": "object", "additionalProperties": false, "required": ["spec"],
            "properties": {"apiVersion": {}, "kind": {}, "metadata": {}, "spec": {"type": "object", "properties": {"size": {"type": "integer", "maximum": 5}}}}}"#;
        std::fs::create_dir(folder.path().join("example.com")).unwrap();
        std::fs::write(folder.path().join("example.com/thing_v1.json"), schema).unwrap();
        let at = folder.path().display();
        for location in [
            format!("{at}"),
            format!(
                "{at}/{{{{.Group}}}}/{{{{ .ResourceKind }}}}_{{{{ .ResourceAPIVersion }}}}.json"
            ),
        ] {
            let schemas = Schemas {
                locations: Arc::new(locations(&location).unwrap()),
                ..Schemas::default()
            };
            let thing = |rest: &str| {
                findings(
                    &schemas,
                    &format!(
                        "apiVersion: example.com/v1\nkind: Thing\nmetadata: {{name: a}}\n{rest}"
                    ),
                )
            };
            assert_eq!(thing("spec: {size: 5}"), [] as [String; 0]);
            assert_eq!(thing("spec: {size: 6}"), ["spec.size schema-violation"]);
            assert_eq!(thing("spec: {size: x}"), ["spec.size wrong-type"]);
            assert_eq!(
                thing("specs: {}"),
                ["specs unknown-field", "spec missing-field"]
            );
            assert!(!schemas.knows(&object("apiVersion: example.com/v2\nkind: Thing").unwrap()));
            assert!(!schemas.knows(&object("apiVersion: example.com/..\nkind: ../Thing").unwrap()));
        }
    }

    #[test]
    fn definitions_in_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec: {group: example.com, names: {kind: Thing}, versions: [{name: v1, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: string}}}}}]}\n";
        std::fs::write(
            folder.path().join("crds.yaml"),
            format!("---\n{crd}---\nkind: Other\n"),
        )
        .unwrap();
        let schemas = Schemas {
            locations: Arc::new(locations(&folder.path().display().to_string()).unwrap()),
            ..Schemas::default()
        };
        assert_eq!(
            findings(
                &schemas,
                "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}\nspec: 1"
            ),
            ["spec wrong-type"]
        );
    }

    #[test]
    fn invalid_locations_are_refused() {
        for bad in [
            "https://example.com/x",
            "/no/such/file.json",
            "/no/such/folder",
            "x/{{ .Kind }}.json",
            "x/{{ .Group",
        ] {
            assert!(locations(bad).is_err(), "{bad}");
        }
    }
}
