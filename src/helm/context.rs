//! What templates see besides `.Values`: `.Chart`, `.Capabilities` and `.Release`, as Go structs.

use crate::go::fmt;
use crate::helm::Dependency;
use crate::helm::Environment;
use crate::helm::capabilities::Capabilities;
use crate::helm::metadata::{self, Maintainer};
use crate::helm::release::{NodeId, Release};
use crate::source::{Origin, OriginId, Origins, Sources};
use crate::value::{Kind, List, MapData, Object, Value};
use crate::yaml;
use crate::yaml::Node;
use std::borrow::Cow;
use std::rc::Rc;

/// The limit in bytes on one printed field of a struct.
const MAX_PRINTED: usize = 1 << 20;

/// A Go struct: its fields in order, with their names in JSON.
#[derive(Debug)]
pub(crate) struct Struct {
    go_type: &'static str,
    /// For each field: Go's name, JSON's name, whether JSON omits it when it is empty
    /// (`omitempty`), the value.
    fields: Vec<(&'static str, &'static str, bool, Value)>,
    /// The text that the pointer's `String` method gives, where it has that method and the value
    /// has an address.
    printed: Option<String>,
    is_pointer: bool,
}

impl Struct {
    fn into_value(self) -> Value {
        Kind::Object(Rc::new(self)).into()
    }

    fn copy(&self, printed: Option<String>) -> Struct {
        Struct {
            go_type: self.go_type,
            fields: self.fields.clone(),
            printed,
            is_pointer: self.is_pointer,
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match &value.kind {
        Kind::Nil | Kind::Missing | Kind::Bool(false) => true,
        Kind::Str(text) => text.bytes.is_empty(),
        Kind::List(list) => list.items.is_empty(),
        Kind::Map(map) => map.0.borrow().entries.is_empty(),
        _ => false,
    }
}

/// The Go type of `.Capabilities`.
const CAPABILITIES: &str = "*chartutil.Capabilities";

/// The Go type of `.Chart`.
const CHART: &str = "struct { chart.Metadata; IsRoot bool }";

impl Object for Struct {
    fn go_type(&self) -> &str {
        self.go_type
    }
    fn kind(&self) -> &str {
        if self.is_pointer { "ptr" } else { "struct" }
    }
    fn field(&self, name: &str) -> Option<Value> {
        self.fields
            .iter()
            .find(|f| f.0 == name)
            .map(|f| f.3.clone())
    }
    fn parameters(&self, method: &str) -> Option<&'static [&'static str]> {
        let of_version = self.printed.is_some() && matches!(method, "String" | "GitVersion");
        let of_capabilities = self.go_type == CAPABILITIES && method == "Copy";
        (of_version || of_capabilities).then_some(&[])
    }
    fn call(&self, method: &str, _arguments: &[Value]) -> Option<Result<Value, String>> {
        if self.go_type == CAPABILITIES && method == "Copy" {
            return Some(Ok(self.copy(self.printed.clone()).into_value()));
        }
        let printed = self.printed.as_ref()?;
        matches!(method, "String" | "GitVersion").then(|| Ok(Value::str(printed)))
    }
    fn addressed(&self) -> Option<Vec<u8>> {
        match &self.printed {
            Some(text) => Some(text.clone().into_bytes()),
            // What a pointer leads to is written.
            None => self.is_pointer.then(|| self.print()[1..].to_vec()),
        }
    }
    fn passed(&self) -> Option<Value> {
        self.printed.as_ref()?;
        Some(self.copy(None).into_value())
    }
    fn print(&self) -> Vec<u8> {
        let mut out = if self.is_pointer {
            b"&{".to_vec()
        } else {
            b"{".to_vec()
        };
        // All fields of `.Chart` but the last belong to an embedded struct.
        let embedded = if self.go_type == CHART {
            self.fields.len() - 1
        } else {
            0
        };
        if embedded > 0 {
            out.push(b'{');
        }
        for (i, field) in self.fields.iter().enumerate() {
            if i > 0 && i == embedded {
                out.push(b'}');
            }
            if i > 0 {
                out.push(b' ');
            }
            if let Ok(Value {
                kind: Kind::Str(text),
                ..
            }) = fmt::print(&field.3, MAX_PRINTED)
            {
                out.extend_from_slice(&text.bytes);
            }
        }
        out.push(b'}');
        out
    }
    fn plain(&self) -> Option<Value> {
        let mut map = MapData::default();
        for (name, value) in self.json_fields().into_iter().flatten() {
            map.insert(name.as_bytes(), value.origin, value);
        }
        Some(Value::map(map))
    }
    fn json_fields(&self) -> Option<Vec<(&str, Value)>> {
        let written = self
            .fields
            .iter()
            .filter(|(_, _, omit_empty, value)| !(*omit_empty && is_empty(value)));
        Some(
            written
                .map(|(_, name, _, value)| (*name, value.clone()))
                .collect(),
        )
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// Go's `chartutil.VersionSet`.
#[derive(Debug)]
struct VersionSet(Rc<[Cow<'static, str>]>);

impl Object for VersionSet {
    fn go_type(&self) -> &str {
        "chartutil.VersionSet"
    }
    fn kind(&self) -> &str {
        "slice"
    }
    fn parameters(&self, method: &str) -> Option<&'static [&'static str]> {
        (method == "Has").then_some(&["string"])
    }
    fn call(&self, method: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
        if method != "Has" {
            return None;
        }
        let asked = arguments.first().and_then(Value::as_text)?;
        Some(Ok(Value::bool(
            self.0.iter().any(|v| v.as_bytes() == &*asked.bytes),
        )))
    }
    fn print(&self) -> Vec<u8> {
        format!("[{}]", self.0.join(" ")).into_bytes()
    }
    fn plain(&self) -> Option<Value> {
        let items = self.0.iter().map(|v| Value::str(&**v)).collect();
        Some(Kind::List(List::new(items, "chartutil.VersionSet")).into())
    }
    fn truth(&self) -> bool {
        !self.0.is_empty()
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// `.Capabilities`.
pub(crate) fn capabilities(capabilities: &Capabilities) -> Value {
    let kube = Struct {
        go_type: "chartutil.KubeVersion",
        fields: vec![
            (
                "Version",
                "Version",
                false,
                Value::str(&capabilities.version),
            ),
            ("Major", "Major", false, Value::str(&capabilities.major)),
            ("Minor", "Minor", false, Value::str(&capabilities.minor)),
        ],
        printed: Some(capabilities.version.clone()),
        is_pointer: false,
    };
    let helm = Struct {
        go_type: "version.BuildInfo",
        fields: vec![
            (
                "Version",
                "version",
                true,
                Value::str(&capabilities.helm.version),
            ),
            (
                "GitCommit",
                "git_commit",
                true,
                Value::str(&capabilities.helm.git_commit),
            ),
            (
                "GitTreeState",
                "git_tree_state",
                true,
                Value::str(&capabilities.helm.git_tree_state),
            ),
            (
                "GoVersion",
                "go_version",
                true,
                Value::str(&capabilities.helm.go_version),
            ),
        ],
        printed: None,
        is_pointer: false,
    };
    let versions = VersionSet(capabilities.api_versions.as_slice().into());
    Struct {
        go_type: CAPABILITIES,
        fields: vec![
            ("KubeVersion", "KubeVersion", false, kube.into_value()),
            (
                "APIVersions",
                "APIVersions",
                false,
                Kind::Object(Rc::new(versions)).into(),
            ),
            ("HelmVersion", "HelmVersion", false, helm.into_value()),
        ],
        printed: None,
        is_pointer: true,
    }
    .into_value()
}

/// `.Release`.
pub(crate) fn release(environment: &Environment) -> Value {
    let mut map = MapData::default();
    let mut set = |key: &str, value: Value| map.insert(key.as_bytes(), OriginId::NONE, value);
    set("Name", Value::str(&environment.release));
    set("Namespace", Value::str(&environment.namespace));
    set("IsUpgrade", Value::bool(environment.is_upgrade));
    set("IsInstall", Value::bool(!environment.is_upgrade));
    set("Revision", Kind::Int(1).into());
    set("Service", Value::str("Helm"));
    Value::map(map)
}

/// The `.Chart` of one chart of a release. Each field has its span in Chart.yaml as origin.
pub(crate) fn chart(
    release: &Release,
    id: NodeId,
    sources: &Sources,
    origins: &mut Origins,
) -> Value {
    let chart = release.chart(id);
    let metadata = &chart.metadata;
    let node = chart.chart_yaml.as_ref().map(|(_, node)| node);
    let field = |name: &str| node.and_then(|n| metadata::value(n, name));
    let text = |text: &str, origin: OriginId| Value::str_from(text, origin);
    let mut annotations = MapData {
        go_type: "map[string]string",
        ..MapData::default()
    };
    for (key, value) in &metadata.annotations {
        let entry = field("annotations").and_then(|n| n.entry(key));
        let of_key = entry.map_or(OriginId::NONE, |e| origins.add(Origin::Data(e.key_span)));
        annotations.insert(
            key.as_bytes(),
            of_key,
            text(value, place(entry.map(|e| &e.value), origins)),
        );
    }
    let listed = |i: usize| field("maintainers").and_then(|n| n.items().get(i));
    let maintainers = metadata
        .maintainers
        .iter()
        .enumerate()
        .map(|(i, m)| maintainer(m, listed(i), origins))
        .collect();
    let sources_field = texts(&metadata.sources, field("sources"), origins);
    let keywords = texts(&metadata.keywords, field("keywords"), origins);
    let mut at = |name: &str| place(field(name), origins);
    let name = text(release.name(id), at("name"));
    let fields_before = vec![
        ("Name", "name", true, name),
        ("Home", "home", true, text(&metadata.home, at("home"))),
        ("Sources", "sources", true, sources_field),
        (
            "Version",
            "version",
            true,
            text(&metadata.version, at("version")),
        ),
        (
            "Description",
            "description",
            true,
            text(&metadata.description, at("description")),
        ),
        ("Keywords", "keywords", true, keywords),
        (
            "Maintainers",
            "maintainers",
            true,
            pointers(maintainers, "[]*chart.Maintainer"),
        ),
        ("Icon", "icon", true, text(&metadata.icon, at("icon"))),
        (
            "APIVersion",
            "apiVersion",
            true,
            text(&metadata.api_version, at("apiVersion")),
        ),
        (
            "Condition",
            "condition",
            true,
            text(&metadata.condition, at("condition")),
        ),
        ("Tags", "tags", true, text(&metadata.tags, at("tags"))),
        (
            "AppVersion",
            "appVersion",
            true,
            text(&metadata.app_version, at("appVersion")),
        ),
        (
            "Deprecated",
            "deprecated",
            true,
            Value::bool(metadata.deprecated).with_origin(at("deprecated")),
        ),
        ("Annotations", "annotations", true, Value::map(annotations)),
        (
            "KubeVersion",
            "kubeVersion",
            true,
            text(&metadata.kube_version, at("kubeVersion")),
        ),
    ];
    let chart_type = text(&metadata.chart_type, at("type"));
    let mut fields = fields_before;
    let dependencies: Vec<Value> = release
        .dependencies(id)
        .into_iter()
        .map(|d| dependency(d, sources, origins))
        .collect();
    fields.push((
        "Dependencies",
        "dependencies",
        true,
        pointers(dependencies, "[]*chart.Dependency"),
    ));
    fields.push(("Type", "type", true, chart_type));
    fields.push(("IsRoot", "IsRoot", false, Value::bool(release.is_root(id))));
    Struct {
        go_type: CHART,
        fields,
        printed: None,
        is_pointer: false,
    }
    .into_value()
}

fn pointers(items: Vec<Value>, go_type: &'static str) -> Value {
    let is_nil = items.is_empty();
    let mut list = List::new(items, go_type);
    list.is_nil = is_nil;
    Kind::List(list).into()
}

fn place(node: Option<&Node>, origins: &mut Origins) -> OriginId {
    node.map_or(OriginId::NONE, |n| origins.add(Origin::Data(n.span)))
}

fn texts(list: &[String], node: Option<&Node>, origins: &mut Origins) -> Value {
    let item = |(i, text): (usize, &String)| {
        Value::str_from(text, place(node.and_then(|n| n.items().get(i)), origins))
    };
    let items = list.iter().enumerate().map(item).collect();
    let mut made = List::new(items, "[]string");
    made.is_nil = list.is_empty();
    Value::new(Kind::List(made), place(node, origins))
}

fn maintainer(maintainer: &Maintainer, node: Option<&Node>, origins: &mut Origins) -> Value {
    let mut text = |text: &str, name| {
        Value::str_from(
            text,
            place(node.and_then(|n| metadata::value(n, name)), origins),
        )
    };
    let fields = vec![
        ("Name", "name", true, text(&maintainer.name, "name")),
        ("Email", "email", true, text(&maintainer.email, "email")),
        ("URL", "url", true, text(&maintainer.url, "url")),
    ];
    Struct {
        go_type: "*chart.Maintainer",
        fields,
        printed: None,
        is_pointer: true,
    }
    .into_value()
}

fn dependency(
    (declared, name, enabled): (&Dependency, &str, bool),
    sources: &Sources,
    origins: &mut Origins,
) -> Value {
    let origin = origins.add(Origin::Data(declared.span));
    let text = |text: &str| Value::str_from(text, origin);
    let tags = declared.tags.iter().map(|t| text(t)).collect::<Vec<_>>();
    let imports = declared
        .import_values
        .iter()
        .map(|n| import(n, sources, origins))
        .collect::<Vec<_>>();
    let fields = vec![
        ("Name", "name", false, text(name)),
        ("Version", "version", true, text(&declared.version)),
        (
            "Repository",
            "repository",
            false,
            text(&declared.repository),
        ),
        ("Condition", "condition", true, text(&declared.condition)),
        ("Tags", "tags", true, pointers(tags, "[]string")),
        ("Enabled", "enabled", true, Value::bool(enabled)),
        (
            "ImportValues",
            "import-values",
            true,
            pointers(imports, "[]interface {}"),
        ),
        ("Alias", "alias", true, text(&declared.alias)),
    ];
    Struct {
        go_type: "*chart.Dependency",
        fields,
        printed: None,
        is_pointer: true,
    }
    .into_value()
}

/// Helm turns each entry of `import-values` into a map with `child` and `parent`.
fn import(node: &Node, sources: &Sources, origins: &mut Origins) -> Value {
    let Some(name) = node.as_str() else {
        return yaml::to_value(node, sources, origins);
    };
    let mut map = MapData {
        go_type: "map[string]string",
        ..MapData::default()
    };
    let origin = origins.add(Origin::Data(node.span));
    map.insert(
        b"child",
        origin,
        Value::str_from(format!("exports.{name}"), origin),
    );
    map.insert(b"parent", origin, Value::str("."));
    Value::map(map)
}
