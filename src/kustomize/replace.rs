//! Copies fields between objects: `replacements`.
//!
//! Source: kustomize's `filters/replacement`. Values inside of texts, such as those of a JSON document
//! in a ConfigMap, are not replaced.

use super::Unbuilt;
use super::resource::{Resource, Selector};
use super::tree;
use crate::helm::decode::scalar_text;
use crate::limits::Limits;
use crate::source::SourceId;
use crate::yaml::{self, Data, Node};

/// The field where none is said.
const NAME: &str = "metadata.name";

/// Applies one replacement.
///
/// # Errors
/// If its source is not there, or a target has no such field.
pub(super) fn apply(resources: &mut [Resource], replacement: &Node) -> Result<(), Unbuilt> {
    let fail = |why: String, node: &Node| Unbuilt::new(why, node.span);
    let value = match (replacement.get("sourceValue"), replacement.get("source")) {
        (Some(value), _) => value.clone(),
        (None, Some(source)) => source_of(resources, source).map_err(|why| fail(why, source))?,
        (None, None) => return Err(fail("a replacement has no source".into(), replacement)),
    };
    let targets = replacement
        .get("targets")
        .map(Node::items)
        .unwrap_or_default();
    for target in targets {
        let select = target.get("select").and_then(Selector::of);
        let Some(select) = select else {
            return Err(fail("a target selects nothing".into(), target));
        };
        let rejects = target.get("reject").map(Node::items).unwrap_or_default();
        let rejects: Vec<Selector> = rejects.iter().filter_map(Selector::of).collect();
        let paths = target
            .get("fieldPaths")
            .map(Node::items)
            .unwrap_or_default();
        let mut paths: Vec<String> = paths.iter().filter_map(scalar_text).collect();
        if paths.is_empty() {
            paths.push(NAME.into());
        }
        let is_rejected = |resource: &Resource| {
            rejects.iter().any(|reject| {
                let fits = resource.ids().any(|id| reject.fits_id(&id));
                fits && (!reject.has_labels_only() || reject.fits_labels(resource))
            })
        };
        for resource in resources.iter_mut() {
            let is_meant =
                select.fits_labels(resource) && resource.ids().any(|id| select.fits_id(&id));
            if !is_meant || is_rejected(resource) {
                continue;
            }
            for path in &paths {
                put(&mut resource.root, path, &value, target.get("options"))
                    .map_err(|why| fail(why, target))?;
            }
        }
    }
    Ok(())
}

fn source_of(resources: &[Resource], source: &Node) -> Result<Node, String> {
    let word = |key: &str| source.get(key).and_then(scalar_text).unwrap_or_default();
    let fits = |wanted: &str, is: &str| wanted.is_empty() || wanted == is;
    let is_meant = |resource: &&Resource| {
        resource.ids().any(|id| {
            fits(&word("group"), &id.gvk.group)
                && fits(&word("version"), &id.gvk.version)
                && fits(&word("kind"), &id.gvk.kind)
                && fits(&word("name"), &id.name)
                && (fits(&word("namespace"), &id.namespace)
                    || word("namespace") == id.effective_namespace())
        })
    };
    let mut found = resources.iter().filter(is_meant);
    let resource = found
        .next()
        .ok_or("the source of a replacement is not there")?;
    if found.next().is_some() {
        return Err("the source of a replacement may be several objects".into());
    }
    let path = match word("fieldPath").as_str() {
        "" => NAME.to_owned(),
        path => path.to_owned(),
    };
    let value = at(&resource.root, &path)
        .ok_or_else(|| format!("the source of a replacement has no {path}"))?;
    let Some((delimiter, index)) = delimiter(source.get("options")) else {
        return Ok(value.clone());
    };
    let text = scalar_text(value).ok_or("only a text can be split")?;
    let part = usize::try_from(index).ok();
    let part = part.and_then(|index| text.split(delimiter.as_str()).nth(index));
    let part = part.ok_or_else(|| format!("{path} has no part {index}"))?;
    Ok(tree::string(part, value.span))
}

/// The value at a path with dots.
pub(super) fn at<'n>(root: &'n Node, path: &str) -> Option<&'n Node> {
    parts(path)
        .iter()
        .try_fold(root, |node, part| find(node, part))
}

fn delimiter(options: Option<&Node>) -> Option<(String, i64)> {
    let options = options?;
    let delimiter = options.get("delimiter").and_then(scalar_text)?;
    let index = options.get("index").and_then(Node::as_i64).unwrap_or(0);
    (!delimiter.is_empty()).then_some((delimiter, index))
}

/// The parts of a path with dots. Brackets hold a part with dots in it, or a condition `[name=web]`.
fn parts(path: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0;
    let mut chars = path.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => parts
                .last_mut()
                .into_iter()
                .for_each(|p| p.extend(chars.next())),
            '.' if depth == 0 => parts.push(String::new()),
            _ => {
                depth += i32::from(c == '[') - i32::from(c == ']');
                parts.last_mut().into_iter().for_each(|p| p.push(c));
            }
        }
    }
    let named = parts.into_iter().filter(|part| !part.is_empty());
    named
        .map(
            |part| match part.strip_prefix('[').and_then(|p| p.strip_suffix(']')) {
                Some(key) if !key.contains('=') => key.to_owned(),
                _ => part,
            },
        )
        .collect()
}

/// The condition of a part such as `[name=web]`.
fn condition(part: &str) -> Option<(&str, &str)> {
    part.strip_prefix('[')?.strip_suffix(']')?.split_once('=')
}

fn fits(item: &Node, (key, wanted): (&str, &str)) -> bool {
    let value = match key {
        "" => Some(item),
        key => item.get(key),
    };
    value
        .and_then(scalar_text)
        .is_some_and(|value| value == wanted)
}

fn find<'n>(node: &'n Node, part: &str) -> Option<&'n Node> {
    match (&node.data, condition(part)) {
        (Data::Seq(items), Some(condition)) => items.iter().find(|item| fits(item, condition)),
        (Data::Seq(items), None) => items.get(part.parse::<usize>().ok()?),
        _ => node.get(part),
    }
}

/// Writes a value at a path of an object.
fn put(root: &mut Node, path: &str, value: &Node, options: Option<&Node>) -> Result<(), String> {
    let may_create = options
        .and_then(|options| options.get("create"))
        .and_then(Node::as_bool)
        == Some(true);
    let mut count = 0;
    let mut write = |target: &mut Node| {
        count += 1;
        write(target, value, options)
    };
    follow(root, &parts(path), may_create, value, &mut write)?;
    match count {
        0 => Err(format!("a target of a replacement has no {path}")),
        _ => Ok(()),
    }
}

fn follow(
    node: &mut Node,
    path: &[String],
    may_create: bool,
    value: &Node,
    write: &mut dyn FnMut(&mut Node) -> Result<(), String>,
) -> Result<(), String> {
    let Some((part, rest)) = path.split_first() else {
        return write(node);
    };
    if let Some(items) = tree::items_mut(node) {
        let is_any = part == "*";
        let index = part.parse::<usize>().ok();
        for (i, item) in items.iter_mut().enumerate() {
            if is_any || index == Some(i) || condition(part).is_some_and(|c| fits(item, c)) {
                follow(item, rest, may_create, value, write)?;
            }
        }
        return Ok(());
    }
    if part == "*"
        && let Data::Map(entries) = &mut node.data
    {
        for entry in entries.iter_mut() {
            follow(&mut entry.value, rest, may_create, value, write)?;
        }
        return Ok(());
    }
    if node.get(part).is_none_or(Node::is_null) && may_create && condition(part).is_none() {
        let new = match rest {
            [] => tree::string("", value.span),
            _ => tree::map(value.span),
        };
        tree::set(node, part, value.span, new);
    }
    match node.get_mut(part) {
        Some(child) => follow(child, rest, may_create, value, write),
        None => Ok(()),
    }
}

fn write(target: &mut Node, value: &Node, options: Option<&Node>) -> Result<(), String> {
    let mut new = value.clone();
    if let Some((delimiter, index)) = delimiter(options) {
        let old = scalar_text(target).ok_or("only a text can be split")?;
        let new_part = scalar_text(value).ok_or("only a text can be a part of one")?;
        let mut all: Vec<&str> = old.split(delimiter.as_str()).collect();
        match usize::try_from(index) {
            Err(_) => all.insert(0, &new_part),
            Ok(index) if index >= all.len() => all.push(&new_part),
            Ok(index) => all[index] = &new_part,
        }
        new = tree::string(all.join(&delimiter), value.span);
    }
    if matches!(target.data, Data::Map(_) | Data::Seq(_)) {
        *target = new;
        return Ok(());
    }
    let Some(text) = scalar_text(&new) else {
        *target = new;
        return Ok(());
    };
    // The type of the target is kept.
    let data = match target.data {
        Data::Str(_) => Data::Str(text.into()),
        _ => {
            let source = SourceId::new(0, 0);
            let read = yaml::parse_within(text.as_bytes(), source, 0, &Limits::default());
            read.map_or(Data::Str(text.into()), |node| node.data)
        }
    };
    *target = tree::scalar(data, new.span);
    Ok(())
}
