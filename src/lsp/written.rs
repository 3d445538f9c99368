//! The position in a YAML text that is being edited, found by indentation, so that the text need
//! not be valid. In a template the position is a field of a Kubernetes object.

use crate::contract::listed_in;
use crate::diagnostic::{Versions, ids};
use crate::kubernetes;
use crate::kubernetes::Schemas;
use crate::kubernetes::schema::{self, Definition, Field, Kind, Type};
use crate::manifest;
use crate::source::SourceId;
use crate::yaml::Step;
use std::ops::Range;

/// A position in a YAML text.
#[derive(Debug, PartialEq)]
pub(super) struct Written {
    /// The keys around the position, the outermost first.
    pub parents: Vec<String>,
    /// The key whose value is being written on this line; None while the key itself is being
    /// written.
    pub value: Option<String>,
    /// The range of the word before the cursor.
    pub word: Range<usize>,
}

pub(super) fn written(before: &[u8]) -> Written {
    let end = before.len();
    let lines: Vec<&[u8]> = before.split(|b| *b == b'\n').collect();
    let indentation = |line: &[u8]| line.iter().take_while(|b| **b == b' ').count();
    // The column of the key in `- key: …`.
    let content = |line: &[u8]| {
        let mut at = indentation(line);
        while line[at..].starts_with(b"- ") {
            at += 2 + indentation(&line[at + 2..]);
        }
        at
    };
    let key_of = |line: &[u8], at: usize| {
        let text = String::from_utf8_lossy(&line[at..]).into_owned();
        let (key, value) = text.split_once(':')?;
        let key = key.trim().trim_matches(['"', '\'']).to_string();
        (!key.is_empty() && !key.starts_with('#')).then(|| (key, value.trim().to_string()))
    };
    let (line, above) = lines
        .split_last()
        .map_or((&b""[..], &lines[..]), |(line, above)| (*line, above));
    let column = content(line);
    let mut limit = indentation(line);
    // The items of a list may have the same indentation as its key.
    let mut list = line[limit..].starts_with(b"-");
    let mut parents = Vec::new();
    for line in above.iter().rev() {
        let at = indentation(line);
        if line.trim_ascii().is_empty() || line.trim_ascii_start().starts_with(b"#") {
            continue;
        }
        let inner = content(line);
        // `- a: 1` contains the lines at the column of `a`.
        if inner > at && inner <= limit && !list {
            if inner < limit
                && let Some((key, _)) = key_of(line, inner)
            {
                parents.push(key);
            }
            limit = at;
            list = true;
            continue;
        }
        if (at < limit || (list && at == limit && inner == at))
            && let Some((key, value)) = key_of(line, at)
            && inner == at
        {
            if value.is_empty() || value.starts_with(['#', '&', '!']) {
                parents.push(key);
            }
            limit = at;
            list = false;
        }
    }
    parents.reverse();
    let value = key_of(line, column).map(|(key, _)| key);
    let of_word = |b: &u8| !matches!(b, b' ' | b',' | b'[' | b'{' | b':' | b'"' | b'\'');
    let start = line
        .iter()
        .rposition(|b| !of_word(b))
        .map_or(0, |at| at + 1);
    Written {
        parents,
        value,
        word: end - (line.len() - start)..end,
    }
}

/// A position in an object of a template.
pub(super) struct InObject {
    /// None if the text does not contain the kind literally.
    pub kind: Option<Kind>,
    pub written: Written,
}

/// The position at the end of `before`, in the object there; `after` is the rest of the text.
/// Actions are treated as blanks or as a word.
pub(super) fn in_object(before: &[u8], after: &[u8]) -> InObject {
    let mut text = [before, after].concat();
    let mut at = 0;
    while let Some(open) = memchr::memmem::find(&text[at..], b"{{").map(|n| at + n) {
        let close = memchr::memmem::find(&text[open..], b"}}").map(|n| open + n + 2);
        // An unclosed action ends with its line.
        let line = memchr::memchr(b'\n', &text[open..]).map_or(text.len(), |n| open + n);
        let end = close.unwrap_or(line);
        let alone = text[..open]
            .rsplit(|b| *b == b'\n')
            .next()
            .is_some_and(|front| front.trim_ascii().is_empty());
        let with = if alone { b' ' } else { b'x' };
        text[open..end]
            .iter_mut()
            .filter(|b| !matches!(**b, b'\n' | b'\r'))
            .for_each(|b| *b = with);
        at = end;
    }
    let starts = |text: &[u8], at: usize| {
        text[at..].starts_with(b"---") && (at == 0 || text[at - 1] == b'\n')
    };
    let start = memchr::memmem::rfind_iter(&text[..before.len()], b"---")
        .find(|at| starts(&text, *at))
        .map_or(0, |at| at + 3);
    let end = memchr::memmem::find_iter(&text[before.len()..], b"---")
        .map(|n| before.len() + n)
        .find(|at| starts(&text, *at))
        .unwrap_or(text.len());
    let of = |key: &[u8]| {
        let lines = text[start..end].split(|b| *b == b'\n');
        let value = lines
            .filter_map(|line| line.strip_prefix(key)?.strip_prefix(b":"))
            .next()?;
        let value = std::str::from_utf8(value)
            .ok()?
            .trim()
            .trim_matches(['"', '\'']);
        (!value.is_empty()).then(|| value.to_string())
    };
    let kind = of(b"kind").and_then(|name| {
        let exact = of(b"apiVersion").and_then(|api_version| schema::kind(&api_version, &name));
        // The apiVersion may be an action.
        exact.or_else(|| {
            schema::kinds_named(&name).max_by_key(|k| (k.versions().newest(), k.stable()))
        })
    });
    let mut written = written(&text[start..before.len()]);
    written.word = written.word.start + start..written.word.end + start;
    InObject { kind, written }
}

/// The field and type below keys of an object. Items of lists have no key in `keys`.
pub(super) fn descend<'k>(
    kind: Kind,
    keys: impl IntoIterator<Item = &'k String>,
    versions: Versions,
) -> Option<(Option<Field>, Type)> {
    let mut here = (None, Type::Object(kind.definition()));
    for key in keys {
        // The key of a map is in `keys`; the item of a list is not.
        while let Type::List(element) = here.1 {
            here.1 = element.get();
        }
        here = match here.1 {
            Type::Map(element) => (here.0, element.get()),
            other => {
                let field = other
                    .definition()?
                    .field(key)
                    .max_by_key(|f| f.versions().and(versions).newest())?;
                (Some(field), field.field_type())
            }
        };
    }
    Some(here)
}

/// The definition whose fields may be written below keys of an object.
pub(super) fn structure(kind: Kind, keys: &[String], versions: Versions) -> Option<Definition> {
    let (_, mut here) = descend(kind, keys, versions)?;
    while let Type::List(element) = here {
        here = element.get();
    }
    if matches!(here, Type::Map(_)) {
        None
    } else {
        here.definition()
    }
}

/// The words that a field of an object may be, as the API server lists them when it refuses another
/// word; empty if it takes any. `keys` lead to the structure that has the field.
pub(super) fn choices(kind: Kind, keys: &[String], field: &str, versions: Versions) -> Vec<String> {
    let probe = "Explored";
    let mut text = format!("{field}: {probe}");
    let mut path = vec![Step::Key(field.into())];
    for (i, key) in keys.iter().enumerate().rev() {
        let of = descend(kind, &keys[..=i], versions).map(|(_, of)| of);
        let is_list = matches!(of, Some(Type::List(_)));
        text = if is_list {
            format!("{key}: [{{{text}}}]")
        } else {
            format!("{key}: {{{text}}}")
        };
        if is_list {
            path.insert(0, Step::Index(0));
        }
        path.insert(0, Step::Key(key.as_str().into()));
    }
    let text = format!(
        "{{apiVersion: {}, kind: {}, metadata: {{name: a}}, {text}}}",
        kind.api_version(),
        kind.name()
    );
    let objects = manifest::read(
        text.as_bytes(),
        SourceId::new(0, 0),
        &"".into(),
        None,
        &mut Vec::new(),
    );
    let Some(object) = objects
        .first()
        .filter(|_| keys.first().is_none_or(|k| k != "metadata"))
    else {
        return Vec::new();
    };
    let found = kubernetes::check(object, versions, &Schemas::default());
    let refusal = found
        .into_iter()
        .find(|f| f.path.0 == path && f.rule == ids::UNSUPPORTED_VALUE);
    refusal.map_or_else(Vec::new, |refusal| listed_in(&refusal.message))
}

/// A type as text: `list of Container`, `integer`.
pub(super) fn in_words(of: Type) -> String {
    match of {
        Type::Any => "anything".into(),
        Type::Bool => "boolean".into(),
        Type::Int32 | Type::Int64 => "integer".into(),
        Type::Float => "number".into(),
        Type::String => "string".into(),
        Type::Bytes => "base64 in a string".into(),
        Type::Time | Type::MicroTime => "time (RFC 3339)".into(),
        Type::Quantity => "quantity (`500m`, `1Gi`)".into(),
        Type::IntOrString => "integer or string".into(),
        Type::List(element) => format!("list of {}", in_words(element.get())),
        Type::Map(element) => format!("map of {}", in_words(element.get())),
        Type::Object(d)
        | Type::SchemaOrBool(d)
        | Type::SchemaOrArray(d)
        | Type::SchemaOrStrings(d) => {
            let name = d.name();
            name.rsplit('.').next().unwrap_or(name).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indentation_gives_the_position() {
        let at = |text: &str| {
            let written = written(text.as_bytes());
            (
                written.parents.join("/"),
                written.value,
                text[written.word].to_string(),
            )
        };
        assert_eq!(at("a:\n  b: 1\n  c"), ("a".into(), None, "c".into()));
        assert_eq!(
            at("a:\n  b:\n    - x: 1\n      y: z"),
            ("a/b".into(), Some("y".into()), "z".into())
        );
        assert_eq!(
            at("suppress:\n- rule: q"),
            ("suppress".into(), Some("rule".into()), "q".into())
        );
        assert_eq!(
            at("rules:\n  select: [a, b"),
            ("rules".into(), Some("select".into()), "b".into())
        );
        assert_eq!(
            at("rules:\n  select:\n    - im"),
            ("rules/select".into(), None, "im".into())
        );
        assert_eq!(at("a: 1\n# c:\nb"), ("".into(), None, "b".into()));
        assert_eq!(at(""), ("".into(), None, "".into()));
        assert_eq!(at("- "), ("".into(), None, "".into()));
    }

    #[test]
    fn an_object_has_fields_below_actions_and_in_lists() {
        let text = "{{- if .Values.x }}\napiVersion: {{ .y }}\nkind: Deployment\nspec:\n  {{- with .z }}\n  template:\n    spec:\n      containers:\n        - name: a\n          image";
        let found = in_object(text.as_bytes(), b"\n---\nkind: Service\n");
        assert_eq!(found.kind.map(Kind::name), Some("Deployment"));
        assert_eq!(
            (
                found.written.parents.join("/").as_str(),
                &text[found.written.word.clone()]
            ),
            ("spec/template/spec/containers", "image")
        );
        let structure = structure(
            found.kind.expect("a kind"),
            &found.written.parents,
            Versions::ALL,
        )
        .expect("a structure");
        assert!(structure.field("imagePullPolicy").next().is_some());
        assert!(in_object(b"a: {{ ", b"").kind.is_none());
        let service = in_object(text.as_bytes(), b"\n").kind.map(Kind::name);
        assert_eq!(service, Some("Deployment"));
        assert_eq!(
            in_object(b"kind: Pod\n---\nkind: Service\nspec:\n  ty", b"")
                .kind
                .map(Kind::name),
            Some("Service")
        );
    }

    #[test]
    fn the_words_of_a_field_are_those_that_the_api_server_lists() {
        let of = |api_version: &str, kind: &str, path: &str| {
            let kind = schema::kind(api_version, kind).expect("a kind");
            let mut keys: Vec<String> = path.split('.').map(String::from).collect();
            let field = keys.pop().expect("a field");
            choices(kind, &keys, &field, Versions::ALL)
        };
        assert!(of("v1", "Service", "spec.type").contains(&"LoadBalancer".to_string()));
        let pulls = of(
            "apps/v1",
            "Deployment",
            "spec.template.spec.containers.imagePullPolicy",
        );
        assert!(pulls.contains(&"IfNotPresent".to_string()), "{pulls:?}");
        assert_eq!(of("v1", "Pod", "spec.hostname"), Vec::<String>::new());
    }

    #[test]
    fn keys_lead_to_a_field_and_its_type() {
        let deployment = schema::kind("apps/v1", "Deployment").expect("a kind");
        let of = |path: &str| {
            let keys: Vec<String> = path.split('.').map(String::from).collect();
            descend(deployment, &keys, Versions::ALL).map(|(f, t)| (f.map(Field::name), t))
        };
        assert_eq!(of("spec.replicas"), Some((Some("replicas"), Type::Int32)));
        assert_eq!(
            of("spec.template.spec.containers.name"),
            Some((Some("name"), Type::String))
        );
        assert_eq!(
            of("spec.template.metadata.labels.x"),
            Some((Some("labels"), Type::String))
        );
        assert_eq!(of("spec.nothing"), None);
        let keys = ["spec", "template", "spec", "containers"].map(String::from);
        let (containers, _) = descend(deployment, &keys, Versions::ALL).expect("a field");
        let list = containers.and_then(|f| f.list()).expect("a list");
        assert_eq!(list.merge_key, Some("name"));
    }
}
