//! Makes ConfigMaps and Secrets, and adds the hashes of their content to their names.
//!
//! Source: kustomize's `api/internal/generators`, `api/hasher` and `resWrangler.appendReplaceOrMerge`.

use super::Unbuilt;
use super::resource::{Behavior, Resource};
use super::tree;
use crate::helm::decode::scalar_text;
use crate::source::{Sources, Span};
use crate::yaml::{Data, Node};
use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;

/// One entry of generated data: its key, its bytes, and the place that names it.
type Datum = (String, Vec<u8>, Span);

/// Makes the ConfigMap or Secret of a generator.
///
/// # Errors
/// If a file cannot be read, or a text has no key.
pub(super) fn make(
    generator: &Node,
    kind: &str,
    common: Option<&Node>,
    folder: &Path,
    file: Arc<str>,
    sources: &Sources,
) -> Result<Resource, Unbuilt> {
    let at = generator
        .get("name")
        .map_or(generator.span, |name| name.span);
    let mut root = tree::map(generator.span);
    let word = |key: &str| generator.get(key).filter(|value| !value.is_null());
    tree::set(&mut root, "apiVersion", at, tree::string("v1", at));
    tree::set(&mut root, "kind", at, tree::string(kind, at));
    let mut metadata = tree::map(at);
    for key in ["name", "namespace"] {
        if let Some(value) = word(key) {
            tree::set(&mut metadata, key, value.span, value.clone());
        }
    }
    let options = [common, generator.get("options")];
    let is = |key: &str| {
        let last = options
            .iter()
            .flatten()
            .filter_map(|options| options.get(key))
            .next_back();
        last.and_then(Node::as_bool) == Some(true)
    };
    for key in ["labels", "annotations"] {
        for entry in options
            .iter()
            .flatten()
            .flat_map(|o| o.get(key))
            .flat_map(Node::entries)
        {
            if let Some(map) = tree::map_at(&mut metadata, key, entry.key_span) {
                let text = scalar_text(&entry.value).unwrap_or_default();
                let value = tree::string(text, entry.value.span);
                tree::set(map, &entry.key, entry.key_span, value);
            }
        }
    }
    tree::set(&mut root, "metadata", at, metadata);
    let is_secret = kind == "Secret";
    if is_secret {
        tree::set(&mut root, "data", at, tree::map(at));
    }
    for (key, bytes, place) in data(generator, folder, sources)? {
        let (field, text) = match String::from_utf8(bytes) {
            Ok(text) if !is_secret => ("data", text),
            Ok(text) => ("data", wrapped(&BASE64.encode(text.as_bytes()))),
            Err(error) => {
                let field = if is_secret { "data" } else { "binaryData" };
                (field, wrapped(&BASE64.encode(error.as_bytes())))
            }
        };
        if let Some(map) = tree::map_at(&mut root, field, at) {
            // The place of the value of a Secret is where it is written, so that it is hidden there.
            let of_key = if is_secret { at } else { place };
            tree::set(map, &key, of_key, tree::string(text, place));
        }
    }
    if is_secret {
        let of = word("type").cloned();
        let of = of.unwrap_or_else(|| tree::string("Opaque", at));
        tree::set(&mut root, "type", at, of);
    }
    if is("immutable") {
        tree::set(
            &mut root,
            "immutable",
            at,
            tree::scalar(Data::Bool(true), at),
        );
    }
    let mut resource = Resource::new(root, file);
    resource.behavior = match word("behavior").and_then(Node::as_str) {
        Some("replace") => Behavior::Replace,
        Some("merge") => Behavior::Merge,
        _ => Behavior::Create,
    };
    resource.needs_hash = !is("disableNameSuffixHash");
    Ok(resource)
}

/// Longer texts are written in lines.
fn wrapped(text: &str) -> String {
    const WIDTH: usize = 70;
    if text.len() < WIDTH {
        return text.to_owned();
    }
    let lines = text.as_bytes().chunks(WIDTH);
    let lines = lines.map(|line| String::from_utf8_lossy(line).into_owned() + "\n");
    lines.collect()
}

fn data(generator: &Node, folder: &Path, sources: &Sources) -> Result<Vec<Datum>, Unbuilt> {
    let items = |key: &str| generator.get(key).map(Node::items).unwrap_or_default();
    let read = |path: &str, at: Span| {
        let file = folder.join(path);
        let unread = |_| Unbuilt::new(format!("the file {} cannot be read", file.display()), at);
        sources.read_file(&file).map_err(unread)
    };
    let mut data = Vec::new();
    for node in items("literals") {
        let text = scalar_text(node).unwrap_or_default();
        let Some((key, value)) = text.split_once('=') else {
            return Err(Unbuilt::new(
                format!("the literal {text} has no key"),
                node.span,
            ));
        };
        let value = ['"', '\'']
            .iter()
            .find_map(|quote| {
                let inner = value.strip_prefix(*quote)?.strip_suffix(*quote)?;
                Some(inner)
            })
            .unwrap_or(value);
        data.push((key.to_owned(), value.as_bytes().to_vec(), node.span));
    }
    for node in items("files") {
        let text = scalar_text(node).unwrap_or_default();
        let (key, path) = text
            .split_once('=')
            .unwrap_or_else(|| (text.rsplit('/').next().unwrap_or(&text), &text));
        data.push((key.to_owned(), read(path, node.span)?, node.span));
    }
    for node in items("envs").iter().chain(generator.get("env")) {
        let text = read(&scalar_text(node).unwrap_or_default(), node.span)?;
        for line in String::from_utf8_lossy(&text).lines() {
            let line = line.trim_start();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((key, value)) = line.split_once('=') else {
                let why = format!("the value of {line} is taken from the environment");
                return Err(Unbuilt::new(why, node.span));
            };
            data.push((key.to_owned(), value.as_bytes().to_vec(), node.span));
        }
    }
    Ok(data)
}

/// Adds a generated object, or joins it with one that is there.
///
/// # Errors
/// If its behavior needs an object that is not there, or none.
pub(super) fn absorb(resources: &mut Vec<Resource>, mut new: Resource) -> Result<(), Unbuilt> {
    let id = new.id();
    let known = resources
        .iter()
        .position(|r| r.ids().any(|known| known.is(&id)));
    match (known, new.behavior) {
        (None, Behavior::Create) => resources.push(new),
        (None, _) => {
            let why = format!(
                "there is no {} {} to merge with or replace",
                id.gvk.kind, id.name
            );
            return Err(Unbuilt::new(why, new.span()));
        }
        (Some(_), Behavior::Create) => {
            let why = format!("there is a {} {} already", id.gvk.kind, id.name);
            return Err(Unbuilt::new(why, new.span()));
        }
        (Some(at), behavior) => {
            let old = &resources[at];
            join(&mut new.root, &old.root, behavior == Behavior::Merge);
            new.previous.clone_from(&old.previous);
            new.prefixes.clone_from(&old.prefixes);
            new.suffixes.clone_from(&old.suffixes);
            // The behavior is that of the first one.
            new.behavior = old.behavior;
            resources[at] = new;
        }
    }
    Ok(())
}

/// Takes the identity, labels and annotations of an object, and with `data` its data. What the new one
/// has wins.
fn join(new: &mut Node, old: &Node, data: bool) {
    let fill = |new: &mut Node, old: Option<&Node>, key: &str| {
        for entry in old
            .and_then(|old| old.get(key))
            .map(Node::entries)
            .unwrap_or_default()
        {
            if let Some(map) = tree::map_at(new, key, entry.key_span)
                && map.get(&entry.key).is_none()
            {
                tree::set(map, &entry.key, entry.key_span, entry.value.clone());
            }
        }
    };
    let metadata = old.get("metadata");
    if let Some(of_new) = new.get_mut("metadata") {
        for key in ["name", "namespace"] {
            match metadata.and_then(|m| m.get(key)) {
                Some(value) => tree::set(of_new, key, value.span, value.clone()),
                None => tree::remove(of_new, key),
            }
        }
        fill(of_new, metadata, "labels");
        fill(of_new, metadata, "annotations");
    }
    if data {
        fill(new, Some(old), "data");
        fill(new, Some(old), "binaryData");
    }
}

/// Adds the hashes of their content to the names of generated objects.
pub(super) fn add_hashes(resources: &mut [Resource]) {
    for resource in resources.iter_mut().filter(|r| r.needs_hash) {
        let hash = hash(&resource.root);
        resource.note_id();
        let name = resource.name();
        resource.rename(format!("{name}-{hash}"));
    }
}

/// The hash that a change of the content changes: the first ten digits of SHA-256, without digits and
/// letters that make words.
fn hash(root: &Node) -> String {
    let text = |node: Option<&Node>| Json::from(node.and_then(scalar_text).unwrap_or_default());
    let map = |key: &str| {
        let node = root.get(key).filter(|node| !node.is_null());
        let entries = node.map(Node::entries);
        let entries = entries.map(|e| e.iter().map(|e| (e.key.to_string(), text(Some(&e.value)))));
        entries.map(|entries| Json::Object(entries.collect::<Map<_, _>>()))
    };
    let is_secret = root.get("kind").and_then(Node::as_str) == Some("Secret");
    let mut content = Map::new();
    content.insert("kind".into(), text(root.get("kind")));
    // kustomize looks for a field `metadata/name`, which no object has.
    content.insert("name".into(), "".into());
    content.insert("data".into(), map("data").unwrap_or("".into()));
    let other = if is_secret {
        "stringData"
    } else {
        "binaryData"
    };
    if let Some(other_data) = map(other) {
        content.insert(other.into(), other_data);
    }
    if is_secret {
        content.insert("type".into(), text(root.get("type")));
    }
    // Keys are sorted, and Go escapes what HTML would take for its own.
    let text = Json::Object(content).to_string();
    let text = text
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029");
    let digits = HEXLOWER.encode(&Sha256::digest(text.as_bytes()));
    let letter = |digit: char| match digit {
        '0' => 'g',
        '1' => 'h',
        '3' => 'k',
        'a' => 'm',
        'e' => 't',
        other => other,
    };
    digits.chars().take(10).map(letter).collect()
}
