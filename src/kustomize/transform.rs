//! The transformers that change the same field of many objects.

use super::Unbuilt;
use super::fields::{Config, Field};
use super::resource::Resource;
use super::tree;
use crate::helm::decode::scalar_text;
use crate::source::Span;
use crate::yaml::{Data, Entry, Node};
use regex::Regex;

/// Kinds whose names get no prefix and no suffix.
fn keeps_name(resource: &Resource) -> bool {
    let gvk = resource.first_id().gvk;
    matches!(gvk.kind.as_str(), "CustomResourceDefinition" | "Namespace")
        || (gvk.group == "apiregistration.k8s.io" && gvk.kind == "APIService")
}

/// Gives objects a namespace.
pub(super) fn namespace(resources: &mut [Resource], node: &Node, config: &Config) {
    let Some(name) = scalar_text(node).filter(|name| !name.is_empty()) else {
        return;
    };
    let new = || tree::string(name.as_str(), node.span);
    for resource in resources {
        resource.note_id();
        let gvk = resource.id().gvk;
        if !gvk.is_cluster_scoped()
            && let Some(metadata) = tree::map_at(&mut resource.root, "metadata", node.span)
        {
            tree::set(metadata, "namespace", node.span, new());
        }
        if matches!(gvk.kind.as_str(), "RoleBinding" | "ClusterRoleBinding") {
            let subjects = resource.root.get_mut("subjects").and_then(tree::items_mut);
            for subject in subjects.into_iter().flatten() {
                if subject.get("name").and_then(Node::as_str) == Some("default") {
                    tree::set(subject, "namespace", node.span, new());
                }
            }
        }
        for field in &config.namespaces {
            let is_name = field.path == ["metadata", "name"];
            let is_general = field.path == ["metadata", "namespace"];
            if is_general || (is_name && gvk.api_version() != "v1") {
                continue;
            }
            let make = Data::Null;
            field.change(&mut resource.root, Some(&make), node.span, &mut |value| {
                *value = new();
            });
        }
    }
}

/// Adds a prefix or a suffix to names.
pub(super) fn affix(resources: &mut [Resource], node: &Node, is_prefix: bool) {
    let Some(text) = scalar_text(node).filter(|text| !text.is_empty()) else {
        return;
    };
    for resource in resources.iter_mut().filter(|r| !keeps_name(r)) {
        resource.note_id();
        let name = resource.name();
        if is_prefix {
            resource.prefixes.push(text.clone());
            resource.rename(format!("{text}{name}"));
        } else {
            resource.suffixes.push(text.clone());
            resource.rename(format!("{name}{text}"));
        }
    }
}

/// Adds the entries of a map to maps at these fields.
fn add_entries<'f>(
    resources: &mut [Resource],
    new: &[Entry],
    fields: impl Iterator<Item = &'f Field> + Clone,
) {
    let Some(first) = new.first() else {
        return;
    };
    let make = Data::Map(Vec::new().into());
    for resource in resources {
        for field in fields.clone() {
            field.change(
                &mut resource.root,
                Some(&make),
                first.key_span,
                &mut |map| {
                    for entry in new {
                        let text = scalar_text(&entry.value).unwrap_or_default();
                        let value = tree::string(text, entry.value.span);
                        tree::set(map, &entry.key, entry.key_span, value);
                    }
                },
            );
        }
    }
}

/// `labels` and `commonLabels`.
pub(super) fn labels(resources: &mut [Resource], root: &Node, config: &Config) {
    for labels in root.get("labels").map(Node::items).unwrap_or_default() {
        let is = |key: &str| labels.get(key).and_then(Node::as_bool) == Some(true);
        let pairs = labels.get("pairs").map(Node::entries).unwrap_or_default();
        let more = labels.get("fields").map(Node::items).unwrap_or_default();
        let more: Vec<Field> = more.iter().filter_map(Field::read).collect();
        let metadata = config.template_labels.iter().take(1);
        if is("includeSelectors") {
            add_entries(resources, pairs, config.labels.iter().chain(&more));
        } else if is("includeTemplates") {
            add_entries(resources, pairs, config.template_labels.iter().chain(&more));
        } else {
            add_entries(resources, pairs, metadata.chain(&more));
        }
    }
    if let Some(common) = root.get("commonLabels") {
        add_entries(resources, common.entries(), config.labels.iter());
    }
}

/// `commonAnnotations`.
pub(super) fn annotations(resources: &mut [Resource], root: &Node, config: &Config) {
    if let Some(common) = root.get("commonAnnotations") {
        add_entries(resources, common.entries(), config.annotations.iter());
    }
}

/// `replicas`.
pub(super) fn replicas(
    resources: &mut [Resource],
    node: &Node,
    config: &Config,
) -> Result<(), Unbuilt> {
    let name = node.get("name").and_then(scalar_text).unwrap_or_default();
    let Some(count) = node.get("count") else {
        return Ok(());
    };
    let mut is_found = false;
    for resource in resources {
        let is_meant = resource.ids().any(|id| id.name == name);
        for field in config.replicas.iter().filter(|_| is_meant) {
            let make = count.data.clone();
            field.change(&mut resource.root, Some(&make), count.span, &mut |value| {
                is_found = true;
                *value = count.clone();
            });
        }
    }
    match is_found {
        true => Ok(()),
        false => Err(Unbuilt::new(
            format!("no object {name} has replicas"),
            node.span,
        )),
    }
}

/// `images`.
pub(super) fn image(resources: &mut [Resource], node: &Node, config: &Config) {
    let word = |key: &str| {
        let value = node.get(key)?;
        let text = scalar_text(value).filter(|text| !text.is_empty())?;
        Some((text, value.span))
    };
    let Some((name, _)) = word("name") else {
        return;
    };
    const AFTER: &str =
        "(:[a-zA-Z0-9_.{}-]*)?(@[a-zA-Z0-9]+([.+_-][a-zA-Z0-9]+)*:[a-zA-Z0-9_.{}-]*)?$";
    let Ok(pattern) = Regex::new(&format!("^{name}{AFTER}")) else {
        return;
    };
    let (new_name, new_tag) = (word("newName"), word("newTag"));
    let (new_digest, suffix) = (word("digest"), word("tagSuffix"));
    let at = [&new_tag, &new_digest, &suffix, &new_name];
    let at = at.into_iter().flatten().map(|(_, span)| *span).next();
    let text = |new: &Option<(String, Span)>| new.as_ref().map(|(text, _)| text.clone());
    let mut change = |value: &mut Node| {
        let Some(written) = value.as_str().filter(|text| pattern.is_match(text)) else {
            return;
        };
        let (name, mut tag, mut digest) = split_image(written);
        let mut image = text(&new_name).unwrap_or(name);
        match (text(&new_tag), text(&new_digest), text(&suffix)) {
            (Some(new), new_digest, _) => {
                tag = new;
                digest = new_digest.unwrap_or_default();
            }
            (None, Some(new), _) => {
                tag = String::new();
                digest = new;
            }
            (None, None, Some(suffix)) => {
                tag += &suffix;
                digest = String::new();
            }
            (None, None, None) => {}
        }
        if !tag.is_empty() {
            image = format!("{image}:{tag}");
        }
        if !digest.is_empty() {
            image = format!("{image}@{digest}");
        }
        *value = tree::string(image, at.unwrap_or(value.span));
    };
    for resource in resources {
        if resource.id().gvk.kind == "CustomResourceDefinition" {
            continue;
        }
        for field in &config.images {
            field.change(&mut resource.root, None, node.span, &mut change);
        }
        containers(&mut resource.root, &mut change);
    }
}

/// Changes the images of all containers, wherever they stand.
fn containers(node: &mut Node, change: &mut dyn FnMut(&mut Node)) {
    match &mut node.data {
        Data::Seq(items) => items.iter_mut().for_each(|item| containers(item, change)),
        Data::Map(entries) => {
            for entry in entries.iter_mut() {
                containers(&mut entry.value, change);
                if matches!(&*entry.key, "containers" | "initContainers") {
                    let items = tree::items_mut(&mut entry.value).into_iter().flatten();
                    items
                        .filter_map(|item| item.get_mut("image"))
                        .for_each(&mut *change);
                }
            }
        }
        _ => {}
    }
}

/// The name, the tag and the digest of an image. A colon before the last slash is that of a port.
fn split_image(image: &str) -> (String, String, String) {
    let (image, digest) = match image.split_once('@') {
        Some((image, digest)) => (image, digest),
        None => (image, ""),
    };
    let start = image.find('/').filter(|at| *at > 0).unwrap_or(0);
    let (name, tag) = match image[start..].find(':') {
        Some(at) => (&image[..start + at], &image[start + at + 1..]),
        None => (image, ""),
    };
    (name.to_owned(), tag.to_owned(), digest.to_owned())
}
