//! What holds for arbitrary bytes, with one function for each module that reads untrusted input.
//! Each function is a fuzz target of the same name (`fuzz_targets/`). `cargo test` calls it with
//! the inputs that were found before (`fixtures/hostile/<name>/`) and with random ones.
//!
//! A function returns if the invariant holds, and panics if it does not. Input that consists of
//! several texts has [`BETWEEN`] between them.

mod editor;

pub use editor::lsp;
use std::path::Path;
use std::sync::Arc;
use thebot_lint::ConfigChoice;
use thebot_lint::Format;
use thebot_lint::Options;
use thebot_lint::Style;
use thebot_lint::Versions;
use thebot_lint::internals::Evaluator;
use thebot_lint::internals::Setup;
use thebot_lint::internals::Templates;
use thebot_lint::internals::deep;
use thebot_lint::internals::helm;
use thebot_lint::internals::helm::strvals::{self, FlagKind};
use thebot_lint::internals::helm::values as merging;
use thebot_lint::internals::kubernetes::{self, Schemas, Validation};
use thebot_lint::internals::manifest;
use thebot_lint::internals::rule;
use thebot_lint::internals::rule::Rules;
use thebot_lint::internals::yaml;
use thebot_lint::internals::yaml::Data;
use thebot_lint::internals::yaml::Node;
use thebot_lint::internals::{Kind, Map, MapData, Value};
use thebot_lint::internals::{Limit, Limits};
use thebot_lint::internals::{Origins, Source, SourceId, SourceKind, Sources, Span, Unsaved};

/// All functions by name.
pub const ALL: &[(&str, fn(&[u8]))] = &[
    ("yaml", yaml),
    ("to_yaml", to_yaml),
    ("template", template),
    ("values", values),
    ("archive", archive),
    ("crd", crd),
    ("rule", rule),
    ("config", config),
    ("lsp", lsp),
    ("chart", chart),
];

/// Separates the texts of one input: ASCII's record separator, which YAML does not allow.
pub const BETWEEN: u8 = 0x1e;

fn parts(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    data.split(|&b| b == BETWEEN)
}

fn lies_in(span: Span, length: usize) {
    assert!(
        span.start <= span.end && span.end as usize <= length,
        "{span:?} of {length} bytes"
    );
}

fn spans_lie_in(node: &Node, length: usize) {
    lies_in(node.span, length);
    node.items()
        .iter()
        .for_each(|item| spans_lie_in(item, length));
    for entry in node.entries() {
        lies_in(entry.key_span, length);
        spans_lie_in(&entry.value, length);
    }
}

/// The YAML reader: every span lies in the text, strict reading rejects only duplicate keys, and
/// manifests can be read.
pub fn yaml(data: &[u8]) {
    let source = SourceId::new(0, 0);
    let lenient = yaml::parse(data, source, 0);
    let strict = yaml::parse_strict(data, source, 0);
    for read in [&lenient, &strict] {
        match read {
            Ok(node) => spans_lie_in(node, data.len()),
            Err(error) => lies_in(error.span, data.len()),
        }
    }
    if let (Ok(a), Ok(b)) = (&lenient, &strict) {
        assert_eq!(a.fingerprint(), b.fingerprint());
    }
    assert!(lenient.is_ok() || strict.is_err());
    for comment in yaml::comments(data) {
        assert_eq!(data.get(comment).and_then(<[u8]>::first), Some(&b'#'));
    }
    let (sources, source) = one(data);
    let mut found = Vec::new();
    for object in manifest::read(
        &sources.get(source).text,
        source,
        &"a.yaml".into(),
        None,
        &mut found,
    ) {
        spans_lie_in(&object.root, data.len());
    }
    manifest::read(
        &sources.get(source).text,
        source,
        &"a.yaml".into(),
        Some(0),
        &mut found,
    );
    found.iter().for_each(|d| lies_in(d.span, data.len()));
}

fn one(data: &[u8]) -> (Sources, SourceId) {
    let mut sources = Sources::default();
    let source = sources.add(Source::new("a.yaml", data, SourceKind::File));
    (sources, source)
}

/// `toYaml` and `toJson`: reading the output gives the value that was written. A map with the key
/// `<<` is left out: go-yaml writes the key without quotes too, and reads it as a merge key.
pub fn to_yaml(data: &[u8]) {
    let (sources, source) = one(data);
    let Ok(node) = yaml::read(&sources, source) else {
        return;
    };
    let mut origins = Origins::default();
    let value = yaml::to_value(&node, &sources, &mut origins);
    if let Ok(written) = yaml::emit(&value, &mut origins) {
        let text = written.as_text().expect("text");
        if text.bytes.windows(2).any(|pair| pair == b"<<") {
            return;
        }
        let read = yaml::value_from_text(
            text,
            written.origin,
            &mut origins,
            &Limits::default(),
            &mut usize::MAX.clone(),
        )
        .unwrap_or_else(|e| panic!("{e}: {:?}", String::from_utf8_lossy(&text.bytes)));
        let again = yaml::emit(&read, &mut origins).expect("it could be written before");
        let again = again.as_text().expect("text");
        assert_eq!(
            String::from_utf8_lossy(&text.bytes),
            String::from_utf8_lossy(&again.bytes)
        );
    }
    let _ = yaml::emit_pretty(&value, &mut origins);
}

/// The value of a document if it is a map; otherwise an empty map.
fn map_of(text: &[u8], origins: &mut Origins) -> Map {
    let (sources, source) = one(text);
    let node = yaml::read(&sources, source).ok();
    match node.map(|node| yaml::to_value(&node, &sources, origins).kind) {
        Some(Kind::Map(map)) => map,
        _ => merging::empty(),
    }
}

/// Lexer, parser, evaluator and functions, for a template, its helpers and values. Every place of
/// an error or of the record lies in its text.
pub fn template(data: &[u8]) {
    let mut texts = parts(data);
    let mut next = || texts.next().unwrap_or_default();
    let (main, helpers, values) = (next(), next(), next());
    deep(|| {
        let mut sources = Sources::default();
        let mut templates = Templates::new();
        for (name, text) in [("a.yaml", main), ("_h.tpl", helpers)] {
            let id = sources.add(Source::new(name, text, SourceKind::File));
            templates.add(name, id, text);
        }
        templates
            .errors()
            .iter()
            .for_each(|e| lies_in(e.span, sources.get(e.span.source).text.len()));
        templates
            .nodes()
            .for_each(|n| lies_in(n.span, sources.get(n.span.source).text.len()));
        let mut limits = Limits::default();
        limits.set(Limit::TemplateSteps, 20_000);
        limits.set(Limit::RenderText, 4 << 20);
        let mut renderer = Evaluator::new(&templates, 1, "default", limits);
        let values = map_of(values, renderer.origins());
        let mut root = MapData::default();
        root.insert(
            b"Values",
            Default::default(),
            Value::new(Kind::Map(values), Default::default()),
        );
        let failed = match renderer.execute("a.yaml", &Value::map(root)) {
            Ok(text) => {
                renderer.derive("a.yaml", &text);
                None
            }
            Err(failed) => Some(failed),
        };
        let (derived, record) = renderer.finish();
        sources.adopt(1, derived);
        if let Some(error) = failed {
            error
                .includes
                .iter()
                .chain([&error.span])
                .for_each(|&s| lies_in(s, sources.get(s.source).text.len()));
        }
        record.read.iter().for_each(|&span| {
            lies_in(
                span,
                sources.get(span.source).text.len().max(span.end as usize),
            )
        });
    });
}

/// Merges values correctly; every `--set` returns values or a message.
pub fn values(data: &[u8]) {
    let mut texts = parts(data);
    let mut next = || texts.next().unwrap_or_default();
    let (a, b, flag) = (next(), next(), String::from_utf8_lossy(next()));
    let mut origins = Origins::default();
    let written = |map: &Map, origins: &mut Origins| {
        let text = yaml::emit(
            &Value::new(Kind::Map(map.clone()), Default::default()),
            origins,
        );
        text.map(|t| t.as_text().map(|t| t.bytes.to_vec()))
    };
    let (a, b) = (map_of(a, &mut origins), map_of(b, &mut origins));
    let alone = written(&a, &mut origins);
    // Merging a with nothing (in both orders) or with a gives a.
    for (base, over) in [(&a, &merging::empty()), (&merging::empty(), &a), (&a, &a)] {
        let merged = merging::deep_copy_map(base);
        merging::merge_files(&merged, over);
        assert_eq!(written(&merged, &mut origins), alone);
    }
    // Merging the same map again changes nothing, and the merged map itself is not changed.
    let other = written(&b, &mut origins);
    let merged = merging::deep_copy_map(&a);
    merging::merge_files(&merged, &b);
    let once = written(&merged, &mut origins);
    merging::merge_files(&merged, &b);
    assert_eq!(written(&merged, &mut origins), once);
    assert_eq!(
        (written(&a, &mut origins), written(&b, &mut origins)),
        (alone, other)
    );
    for kind in [
        FlagKind::Json,
        FlagKind::Set,
        FlagKind::String,
        FlagKind::File,
        FlagKind::Literal,
    ] {
        let into = merging::deep_copy_map(&merged);
        let mut read = |path: &str| Ok((SourceId::new(0, 0), path.as_bytes().to_vec()));
        let _ = strvals::apply(
            kind,
            &flag,
            SourceId::new(0, 0),
            &into,
            &mut origins,
            &mut read,
        );
        let _ = written(&into, &mut origins);
    }
    let into = merging::deep_copy_map(&merged);
    let (sources, source) = one(b"1");
    let node = Node {
        span: Span::new(source, 0, 1),
        data: Data::Int(1),
        anchor: None,
        style: yaml::Style::Plain,
    };
    let _ = strvals::apply_node(&flag, &node, &into, &sources, &mut origins);
}

/// A chart archive: the input is used as it is, as a tar, or as names and texts of a tar. No name
/// leads out of the chart.
pub fn archive(data: &[u8]) {
    let Some((mode, data)) = data.split_first() else {
        return;
    };
    let bytes = match mode % 3 {
        0 => data.to_vec(),
        1 => packed(data),
        _ => packed(&tar_of(data)),
    };
    let name = "a.tgz";
    let mut sources = Sources::default();
    if let Ok(chart) = helm::load_archive(&bytes, name, &mut sources, helm::Options::default()) {
        for chart in chart.walk() {
            for file in chart.templates.iter().chain(&chart.files) {
                let leads_out =
                    file.name.starts_with('/') || file.name.split('/').any(|part| part == "..");
                assert!(!leads_out, "{}", file.name);
            }
        }
    }
    sources
        .files()
        .for_each(|(_, source)| assert!(source.name.starts_with(name), "{}", source.name));
}

/// A gzip stream without compression, so that a mutated input is quick to pack.
fn packed(tar: &[u8]) -> Vec<u8> {
    let mut out = b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec();
    let blocks = tar.chunks(0xffff);
    let last = blocks.len().saturating_sub(1);
    for (i, block) in blocks.enumerate() {
        let length = block.len() as u16;
        out.push(u8::from(i == last));
        out.extend(
            length
                .to_le_bytes()
                .into_iter()
                .chain((!length).to_le_bytes()),
        );
        out.extend(block);
    }
    let mut sum = flate2::Crc::new();
    sum.update(tar);
    out.extend(
        sum.sum()
            .to_le_bytes()
            .into_iter()
            .chain(sum.amount().to_le_bytes()),
    );
    out
}

/// A tar of entries. Each has a type, a name up to a line break, and a text.
fn tar_of(data: &[u8]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for entry in parts(data) {
        let Some((kind, rest)) = entry.split_first() else {
            continue;
        };
        let (name, text) =
            rest.split_at(rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len()));
        let text = text.strip_prefix(b"\n").unwrap_or_default();
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::new(*kind));
        header.set_size(text.len() as u64);
        let field = &mut header.as_old_mut().name;
        let length = name.len().min(field.len());
        field[..length].copy_from_slice(&name[..length]);
        header.set_cksum();
        tar.append(&header, text).expect("memory");
    }
    tar.into_inner().expect("memory")
}

/// CRDs and objects: the schemas of CRDs, their CEL rules, and the server's validation. The place
/// of every finding lies in its document.
pub fn crd(data: &[u8]) {
    deep(|| judge_manifests(data));
}

fn judge_manifests(data: &[u8]) {
    let (sources, source) = one(&data
        .iter()
        .map(|&b| if b == BETWEEN { b'\n' } else { b })
        .collect::<Vec<_>>());
    let mut found = Vec::new();
    let objects = manifest::read(
        &sources.get(source).text,
        source,
        &"a.yaml".into(),
        None,
        &mut found,
    );
    let mut schemas = Schemas::default();
    objects.iter().for_each(|object| schemas.crds.add(object));
    for object in &objects {
        for finding in kubernetes::check(object, Versions::ALL, &schemas) {
            lies_in(object.place(finding).span, data.len());
        }
        if let Some(definition) = schemas.definition(object, Versions::ALL) {
            rule::check_custom(definition.validations(&object.root), &few_steps());
        }
    }
}

/// Low limits for rules, so that none takes long.
fn few_steps() -> Limits {
    let mut limits = Limits::default();
    limits.set(Limit::RuleSteps, 10_000);
    limits
}

/// A user-defined rule, a manifest, and an expression as the API server accepts it.
pub fn rule(data: &[u8]) {
    deep(|| run_rule(data));
}

fn run_rule(data: &[u8]) {
    let mut texts = parts(data);
    let mut next = || texts.next().unwrap_or_default();
    let (text, manifests, expression) = (next(), next(), String::from_utf8_lossy(next()));
    // The rule is read from memory, because the disk is slower than the code under test.
    let file = Path::new("/nowhere/rule.yaml");
    let mut sources = Sources::with(Unsaved::new([(Unsaved::key(file), Arc::from(text))].into()));
    let source = sources.add(Source::new("a.yaml", manifests, SourceKind::File));
    let mut found = Vec::new();
    let objects = manifest::read(
        &sources.get(source).text,
        source,
        &"a.yaml".into(),
        None,
        &mut found,
    );
    let selection = rule::Selection {
        select: vec!["own".into()],
        ..rule::Selection::default()
    };
    let (rules, found) = Rules::load(&selection, &mut sources, &[file.to_path_buf()]);
    found
        .iter()
        .for_each(|d| lies_in(d.span, sources.get(d.span.source).text.len()));
    objects
        .iter()
        .for_each(|object| drop(rules.check_object(object, &sources.limits)));
    rules.check_unit(&objects, rule::Across::All(&[]), &sources.limits);
    for diagnostic in rules.problems() {
        lies_in(
            diagnostic.span,
            sources.get(diagnostic.span.source).text.len(),
        );
    }
    let value = objects.first().map_or(
        serde_json::Value::Null,
        |o| serde_json::json!({"a": 1, "name": &*o.identity.name, "list": [1, "x"]}),
    );
    let validation = Validation {
        path: yaml::Path::root(),
        rule: expression.to_string(),
        message: None,
        value,
    };
    rule::check_custom(vec![validation], &few_steps());
    let policy = serde_json::json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "a"},
        "spec": {"matchConstraints": {"resourceRules": []}, "validations": [{"expression": expression}], "variables": [{"name": "v", "expression": expression}]},
    });
    let (sources, source) = one(policy.to_string().as_bytes());
    for object in manifest::read(
        &sources.get(source).text,
        source,
        &"a.yaml".into(),
        None,
        &mut Vec::new(),
    ) {
        kubernetes::check(&object, Versions::ALL, &Schemas::default());
    }
}

/// A configuration: the places of its errors lie in it. Input that names rules or schemas in other
/// files is skipped.
pub fn config(data: &[u8]) {
    let named = ["paths", "schema-locations"];
    if named
        .iter()
        .any(|key| data.windows(key.len()).any(|w| w == key.as_bytes()))
    {
        return;
    }
    let file = Path::new("/nowhere/.thebot-lint.yaml");
    let unsaved = Unsaved::new([(Unsaved::key(file), Arc::from(data))].into());
    let options = Options {
        unsaved,
        ..Options::default()
    };
    if let Ok(setup) = Setup::new(Some(file), &options) {
        setup
            .faults()
            .iter()
            .for_each(|d| lies_in(d.span, data.len()));
    }
}

/// Writes the files of a chart to disk. The first line of each text is the file's name. Names that
/// lead out of the folder are skipped.
fn write_chart(folder: &Path, data: &[u8]) {
    let plain = |name: &str| {
        let part = |p: &str| {
            !p.is_empty()
                && p != ".."
                && p != "."
                && p.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        name.len() < 100 && name.split('/').all(part)
    };
    for text in parts(data) {
        let (name, text) =
            text.split_at(text.iter().position(|&b| b == b'\n').unwrap_or(text.len()));
        let Some(name) = std::str::from_utf8(name).ok().filter(|name| plain(name)) else {
            continue;
        };
        let file = folder.join(name);
        if file
            .parent()
            .is_some_and(|parent| std::fs::create_dir_all(parent).is_ok())
        {
            let _ = std::fs::write(file, text.strip_prefix(b"\n").unwrap_or_default());
        }
    }
}

/// A whole chart with its configuration: it is linted, and the report is written in every format.
pub fn chart(data: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let _ = std::fs::write(
        folder.path().join("Chart.yaml"),
        "apiVersion: v2\nname: a\nversion: 1.0.0\n",
    );
    write_chart(folder.path(), data);
    let file = folder.path().join(".thebot-lint.yaml");
    let mut own = std::fs::read(&file).unwrap_or_default();
    own.extend_from_slice(b"\nlimits: {template-steps: 100000, render-text: 16Mi, timeout: 5}\n");
    let _ = std::fs::write(file, &own);
    // Paths in the configuration could lead anywhere on the machine.
    let config = if own.contains(&b'/') {
        ConfigChoice::None
    } else {
        ConfigChoice::Search
    };
    let options = Options {
        paths: vec![folder.path().to_path_buf()],
        select: vec!["all".into()],
        config,
        matrices: true,
        ..Options::default()
    };
    let Ok(report) = thebot_lint::lint(&options) else {
        return;
    };
    for &format in Format::all() {
        let text = report.write(format, Style::default());
        let controls = text
            .chars()
            .find(|&c| c.is_control() && c != '\n' && c != '\t');
        assert!(controls.is_none(), "{format:?} writes {controls:?}");
    }
}
