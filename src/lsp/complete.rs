//! Completion: values, functions and helpers in templates, keys in values files, keys and rules in
//! the configuration.

use super::builtin::{self, OBJECTS};
use super::documents::range;
use super::judge::Judged;
use super::model::{Layer, Model};
use super::outline::{self, Meaning, Outline, Steps};
use super::written::{choices, in_object, in_words, structure, written};
use crate::contract::Contract;
use crate::diagnostic::Versions;
use crate::kubernetes::schema::{self, Type};
use crate::project::config;
use crate::rule::definition::{EMBEDDED, GROUPS};
use crate::template::functions;
use crate::yaml::Data;
use lsp_types::{CompletionItem, CompletionItemKind, CompletionTextEdit, TextEdit};
use std::ops::Range;
use std::path::Path;

const KEYWORDS: &[&str] = &[
    "block", "break", "continue", "define", "else", "end", "if", "nil", "range", "template", "with",
];

/// One completion: label, kind, detail.
type Proposal = (String, CompletionItemKind, Option<String>);

pub(super) fn complete(
    model: &Model,
    judged: Option<&Judged>,
    path: &Path,
    text: &[u8],
    offset: usize,
) -> Vec<CompletionItem> {
    let offset = offset.min(text.len());
    let before = &text[..offset];
    let line = &before[memchr::memrchr(b'\n', before).map_or(0, |at| at + 1)..];
    let (word, proposals) = if let Some(at) = memchr::memmem::rfind(line, b"thebot-lint: ignore[")
        .filter(|at| !line[*at..].contains(&b']'))
    {
        let from = line[at..]
            .iter()
            .rposition(|b| matches!(b, b'[' | b',' | b' '))
            .map_or(0, |n| at + n + 1);
        (offset - (line.len() - from)..offset, rules())
    } else if let Some(template) = model.template(path) {
        let open = memchr::memmem::rfind(before, b"{{")
            .filter(|at| memchr::memmem::find(&before[*at..], b"}}").is_none());
        match open {
            Some(open) => in_action(model, &template.under, before, open),
            None => in_manifest(before, &text[offset..], model.versions),
        }
    } else if model.chart_files.iter().any(|file| file.path == path) {
        in_chart_file(model, before)
    } else if model
        .configuration
        .as_ref()
        .is_some_and(|(file, _)| file == path)
        || path
            .file_name()
            .is_some_and(|name| config::FILE_NAMES.iter().any(|known| *name == **known))
    {
        in_configuration(model, before)
    } else if let Some(layer) = model.layer(path) {
        in_values(model, judged.and_then(Judged::contract), layer, before)
    } else {
        return Vec::new();
    };
    items(text, word, proposals)
}

/// The completions in a manifest outside of charts.
pub(super) fn in_plain_manifest(
    text: &[u8],
    offset: usize,
    versions: Versions,
) -> Vec<CompletionItem> {
    let (before, after) = text.split_at(offset.min(text.len()));
    let (word, proposals) = in_manifest(before, after, versions);
    items(text, word, proposals)
}

fn items(text: &[u8], word: Range<usize>, proposals: Vec<Proposal>) -> Vec<CompletionItem> {
    let replaced = range(text, word);
    let item = |(label, kind, detail): Proposal| CompletionItem {
        text_edit: Some(CompletionTextEdit::Edit(TextEdit::new(
            replaced,
            label.clone(),
        ))),
        label,
        kind: Some(kind),
        detail,
        ..CompletionItem::default()
    };
    proposals.into_iter().map(item).collect()
}

/// The keys of values: those that some values file has, and those that templates read. Behind a key,
/// what its value may be.
fn in_values(
    model: &Model,
    contract: Option<&Contract>,
    layer: &Layer,
    before: &[u8],
) -> (Range<usize>, Vec<Proposal>) {
    let written = written(before);
    let keys: Vec<String> = (layer.under.iter().chain(&written.parents).cloned())
        .chain(written.value.clone())
        .collect();
    if written.value.is_some() {
        let described = contract.and_then(|contract| contract.describe(&keys));
        let choices = described.map_or_else(Vec::new, |described| described.choices);
        let all = choices
            .into_iter()
            .map(|choice| (choice, CompletionItemKind::VALUE, None));
        return (written.word, all.collect());
    }
    let here = written
        .parents
        .iter()
        .try_fold(&layer.root, |n, k| n.get(k));
    let here = here.map(crate::yaml::Node::entries).unwrap_or_default();
    let steps: Steps = keys.iter().cloned().map(Some).collect();
    let set = model.below(&steps).into_iter().map(|(name, layer, node)| {
        let detail = of(model, layer, &steps, (name, node));
        (name.to_string(), CompletionItemKind::PROPERTY, Some(detail))
    });
    let mut all: Vec<Proposal> = set.collect();
    for (name, described) in contract.map_or_else(Vec::new, |c| c.keys_below(&keys)) {
        if !all.iter().any(|(known, _, _)| *known == name) {
            let detail = Some(described.types).filter(|types| !types.is_empty());
            all.push((name, CompletionItemKind::PROPERTY, detail));
        }
    }
    all.retain(|(name, _, _)| !here.iter().any(|entry| *entry.key == **name));
    (written.word, all)
}

/// A value with the name of its file: `"1.0" (values.yaml)`.
fn of(
    model: &Model,
    layer: &Layer,
    above: &[Option<String>],
    (name, node): (&str, &crate::yaml::Node),
) -> String {
    let above = above.iter().map_while(Option::as_ref).cloned();
    let keys: Vec<String> = above.chain([name.to_owned()]).collect();
    format!(
        "{} ({})",
        model.shown(&keys, node),
        layer
            .path
            .strip_prefix(&model.chart)
            .unwrap_or(&layer.path)
            .display()
    )
}

fn described(all: &[(&str, &str)]) -> Vec<Proposal> {
    all.iter()
        .map(|(name, about)| {
            let about = Some(about.to_string());
            (name.to_string(), CompletionItemKind::FIELD, about)
        })
        .collect()
}

fn words_of(all: impl IntoIterator<Item = impl Into<String>>) -> Vec<Proposal> {
    all.into_iter()
        .map(|word| (word.into(), CompletionItemKind::ENUM_MEMBER, None))
        .collect()
}

/// The keys of Chart.yaml, and what may stand behind some of them.
fn in_chart_file(model: &Model, before: &[u8]) -> (Range<usize>, Vec<Proposal>) {
    let written = written(before);
    let parents = &written.parents[..];
    let proposals = match written.value.as_deref() {
        None => described(builtin::chart_keys(parents)),
        Some("condition") => {
            let below = |name: &str| model.below(&[Some(name.to_string())]).into_iter();
            let names: Vec<&str> = model
                .below(&[])
                .into_iter()
                .map(|(name, _, _)| name)
                .collect();
            let switches = names.iter().flat_map(|name| {
                let switch = below(name).filter(|(_, _, node)| matches!(node.data, Data::Bool(_)));
                switch.map(move |(key, _, _)| format!("{name}.{key}"))
            });
            words_of(switches)
        }
        Some(key) => words_of(builtin::chart_words(parents, key).iter().copied()),
    };
    (written.word, proposals)
}

fn rules() -> Vec<Proposal> {
    EMBEDDED
        .iter()
        .map(|d| {
            (
                d.id.to_string(),
                CompletionItemKind::ENUM_MEMBER,
                Some(d.title.to_string()),
            )
        })
        .collect()
}

/// The names of all helpers.
fn helpers(model: &Model) -> Vec<&str> {
    let mut names: Vec<&str> = model
        .templates
        .iter()
        .flat_map(|t| &t.outline.definitions)
        .map(|d| &*d.name.text)
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The number for `nindent` in an action that begins at the end of a text: the column of the action
/// if it stands alone on its line, else two more than that of the key before it.
fn indentation(before: &[u8]) -> usize {
    let line = &before[memchr::memrchr(b'\n', before).map_or(0, |at| at + 1)..];
    let blanks = line.iter().take_while(|b| **b == b' ').count();
    if blanks == line.len() {
        return blanks;
    }
    // The keys of an item begin behind its dash.
    let mut column = blanks;
    while line[column..].starts_with(b"- ") {
        column += 2;
    }
    column + 2
}

fn in_action(
    model: &Model,
    under: &[String],
    before: &[u8],
    open: usize,
) -> (Range<usize>, Vec<Proposal>) {
    let action = &before[open..];
    let end = before.len();
    // Inside a string that is not closed yet: complete helpers if the string is the name of one.
    let quotes = action
        .iter()
        .enumerate()
        .filter(|(i, b)| **b == b'"' && (*i == 0 || action[i - 1] != b'\\'));
    let quotes: Vec<usize> = quotes.map(|(i, _)| i).collect();
    if quotes.len() % 2 == 1 {
        let quote = quotes[quotes.len() - 1];
        let called = action[..quote].trim_ascii_end();
        if ["include", "template", "block", "define"]
            .iter()
            .any(|word| called.ends_with(word.as_bytes()))
        {
            return (
                open + quote + 1..end,
                helpers(model)
                    .into_iter()
                    .map(|n| (n.to_string(), CompletionItemKind::FUNCTION, None))
                    .collect(),
            );
        }
        return (end..end, Vec::new());
    }
    let of_word =
        |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'$') || *b >= 0x80;
    let start = action
        .iter()
        .rposition(|b| !of_word(b))
        .map_or(0, |at| at + 1);
    let word = String::from_utf8_lossy(&action[start..]).into_owned();
    let outline = outline::read(&before[..open + start]);
    match word.rsplit_once('.') {
        Some((base, partial)) => (
            end - partial.len()..end,
            fields(model, under, base, &outline),
        ),
        None if word.starts_with('$') => {
            let names = outline.variables.keys().cloned().chain(["$".to_string()]);
            (
                end - word.len()..end,
                names
                    .map(|n| (n, CompletionItemKind::VARIABLE, None))
                    .collect(),
            )
        }
        None => {
            let mut all: Vec<Proposal> = functions::all()
                .iter()
                .map(|f| {
                    (
                        f.name.to_string(),
                        CompletionItemKind::FUNCTION,
                        Some(f.signature()),
                    )
                })
                .collect();
            all.extend(
                KEYWORDS
                    .iter()
                    .map(|k| (k.to_string(), CompletionItemKind::KEYWORD, None)),
            );
            let number = indentation(&before[..open]);
            for name in ["indent", "nindent"] {
                all.push((
                    format!("{name} {number}"),
                    CompletionItemKind::SNIPPET,
                    None,
                ));
            }
            all.extend(helpers(model).into_iter().map(|name| {
                let call = format!("include \"{name}\" . | nindent {number}");
                (call, CompletionItemKind::SNIPPET, None)
            }));
            all.sort_by(|a, b| a.0.cmp(&b.0));
            (end - word.len()..end, all)
        }
    }
}

/// Kinds, apiVersions and fields for the object at the cursor, if one of the judged versions has
/// them.
fn in_manifest(before: &[u8], after: &[u8], versions: Versions) -> (Range<usize>, Vec<Proposal>) {
    let found = in_object(before, after);
    let parents = &found.written.parents;
    let mut all: Vec<Proposal> = Vec::new();
    match (
        parents.as_slice(),
        found.written.value.as_deref(),
        found.kind,
    ) {
        ([], Some("kind"), _) => {
            let kinds = schema::kinds().filter(|k| !k.versions().and(versions).is_empty());
            all.extend(kinds.map(|k| {
                (
                    k.name().to_string(),
                    CompletionItemKind::CLASS,
                    Some(k.api_version()),
                )
            }));
        }
        ([], Some("apiVersion"), kind) => {
            let kinds = schema::kinds().filter(|k| {
                !k.versions().and(versions).is_empty()
                    && kind.is_none_or(|kind| kind.name() == k.name())
            });
            let detail = |k: schema::Kind| {
                kind.map(|_| {
                    format!(
                        "Kubernetes {}",
                        crate::kubernetes::versions::sentence(k.versions())
                    )
                })
            };
            all.extend(kinds.map(|k| (k.api_version(), CompletionItemKind::MODULE, detail(k))));
        }
        ([], None, None) => {
            let keys = ["apiVersion", "kind", "metadata", "spec"];
            all.extend(keys.map(|k| (k.to_string(), CompletionItemKind::FIELD, None)));
        }
        (keys, None, Some(kind)) => {
            let fields = structure(kind, keys, versions)
                .into_iter()
                .flat_map(schema::Definition::fields);
            let fields = fields.filter(|f| !f.versions().and(versions).is_empty());
            all.extend(fields.map(|f| {
                (
                    f.name().to_string(),
                    CompletionItemKind::FIELD,
                    Some(in_words(f.field_type())),
                )
            }));
        }
        (keys, Some(key), Some(kind)) => {
            let field = structure(kind, keys, versions).and_then(|d| d.field(key).next());
            if field.is_some_and(|f| f.field_type() == Type::Bool) {
                all.extend(
                    ["false", "true"].map(|v| (v.to_string(), CompletionItemKind::VALUE, None)),
                );
            }
            if field.is_some_and(|f| f.field_type() == Type::String) {
                all.extend(words_of(choices(kind, keys, key, versions)));
            }
        }
        _ => {}
    }
    let mut seen = rustc_hash::FxHashSet::default();
    all.retain(|(label, _, _)| seen.insert(label.clone()));
    (found.written.word, all)
}

/// The completions after `base.`.
fn fields(model: &Model, under: &[String], base: &str, outline: &Outline) -> Vec<Proposal> {
    let mut names = base.split('.');
    let first = names.next().unwrap_or("");
    let names: Vec<&str> = names.collect();
    let meaning = match first {
        "" => outline.dot.clone(),
        "$" => Meaning::Root,
        variable if variable.starts_with('$') => outline
            .variables
            .get(variable)
            .cloned()
            .unwrap_or(Meaning::Unknown),
        _ => Meaning::Unknown,
    };
    let root = names.iter().position(|n| *n == "Values");
    let below = |keys: &[&str]| keys.iter().map(|n| Some(n.to_string())).collect::<Steps>();
    let all: Vec<Steps> = match (root, meaning) {
        (_, Meaning::Values(all)) if root != Some(0) => all
            .into_iter()
            .map(|keys| keys.into_iter().map(Some).chain(below(&names)).collect())
            .collect(),
        (_, Meaning::Within(all)) if root != Some(0) => all
            .into_iter()
            .map(|steps| [steps, below(&names)].concat())
            .collect(),
        (Some(root), _) => vec![below(&names[root + 1..])],
        (None, Meaning::Root) => match names.as_slice() {
            [] => {
                return OBJECTS
                    .iter()
                    .map(|object| {
                        let about = Some(object.about.to_string());
                        (object.name.to_string(), CompletionItemKind::MODULE, about)
                    })
                    .collect();
            }
            [name] => {
                let object = OBJECTS.iter().find(|object| object.name == *name);
                return described(object.map_or(&[][..], |object| object.fields));
            }
            _ => return Vec::new(),
        },
        _ => return Vec::new(),
    };
    // A key that is not an identifier can only be read with `index`.
    let plain =
        |name: &str| name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.is_empty();
    let mut found: Vec<Proposal> = Vec::new();
    for keys in all {
        let shared = keys.first().is_some_and(|k| k.as_deref() == Some("global"));
        let full: Steps = if shared {
            keys
        } else {
            under.iter().cloned().map(Some).chain(keys).collect()
        };
        for (name, layer, node) in model
            .below(&full)
            .into_iter()
            .filter(|(name, _, _)| plain(name))
        {
            if !found.iter().any(|(known, _, _)| known == name) {
                found.push((
                    name.to_string(),
                    CompletionItemKind::PROPERTY,
                    Some(of(model, layer, &full, (name, node))),
                ));
            }
        }
    }
    found
}

fn in_configuration(model: &Model, before: &[u8]) -> (Range<usize>, Vec<Proposal>) {
    let written = written(before);
    let mut path: Vec<&str> = written.parents.iter().map(String::as_str).collect();
    let words = |all: &[&str], kind| {
        all.iter()
            .map(|w| (w.to_string(), kind, None))
            .collect::<Vec<Proposal>>()
    };
    let value = written.value.as_deref().or(match path.as_slice() {
        ["rules", "select" | "ignore"]
        | ["suppress", "environments"]
        | ["environments", _, "values"] => path.pop(),
        _ => None,
    });
    let proposals = match (path.as_slice(), value) {
        ([], Some("fail-on")) => words(
            &["error", "warning", "info", "never"],
            CompletionItemKind::ENUM_MEMBER,
        ),
        (["rules", "severity"], Some(_)) => words(
            &["error", "warning", "info"],
            CompletionItemKind::ENUM_MEMBER,
        ),
        (["rules"], Some("select" | "ignore")) => {
            let mut profiles: Vec<&str> = EMBEDDED
                .iter()
                .flat_map(|d| d.profiles.iter())
                .map(|p| &**p)
                .collect();
            profiles.sort_unstable();
            profiles.dedup();
            let groups = words(GROUPS, CompletionItemKind::ENUM);
            rules()
                .into_iter()
                .chain(groups)
                .chain(words(&profiles, CompletionItemKind::ENUM))
                .chain(words(&["all"], CompletionItemKind::ENUM))
                .collect()
        }
        (["suppress"], Some("rule")) => rules(),
        (["rules", "severity" | "parameters"], None) => rules(),
        (["suppress"], Some("environments")) | (["environments"], None) => model
            .environments
            .iter()
            .map(|e| (e.name.clone(), CompletionItemKind::CONSTANT, None))
            .collect(),
        (["environments", _], Some("values")) => {
            let files = model
                .layers
                .iter()
                .filter(|l| l.under.is_empty())
                .filter_map(|l| l.path.strip_prefix(&model.chart).ok());
            files
                .map(|f| (f.display().to_string(), CompletionItemKind::FILE, None))
                .collect()
        }
        (path, None) => {
            let above: Vec<String> = path.iter().map(|key| key.to_string()).collect();
            let known = config::known_keys(path).iter();
            known
                .map(|key| {
                    let keys: Vec<String> =
                        above.iter().cloned().chain([key.to_string()]).collect();
                    let about = builtin::configured(&keys).map(|(about, _)| about);
                    let about = about.filter(|about| !about.is_empty());
                    (key.to_string(), CompletionItemKind::PROPERTY, about)
                })
                .collect()
        }
        (path, Some(key)) => {
            let keys: Vec<String> = path
                .iter()
                .chain([&key])
                .map(|key| key.to_string())
                .collect();
            words_of(builtin::configured(&keys).map_or_else(Vec::new, |(_, words)| words))
        }
    };
    (written.word, proposals)
}
