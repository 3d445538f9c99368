//! What the comments of a values.yaml say about its values. Read are the comments of helm-docs
//! (`# -- text`), of Bitnami's readme-generator (`## @param image.tag text`), the blocks of
//! helm-schema (YAML between two lines `# @schema`), the lines of helm-values-schema-json
//! (`# @schema type:string; minimum:1`), and prose right above a key.

use super::Keys;
use crate::rule::definition::to_json;
use crate::source::SourceId;
use crate::yaml::{self, Node};
use serde_json::{Map, Value as Json, json};

/// What comments say about one value.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Comment {
    pub description: String,
    /// The keywords of a JSON Schema that the author gives.
    pub keywords: Map<String, Json>,
}

impl Comment {
    pub(super) fn is_empty(&self) -> bool {
        self.description.is_empty() && self.keywords.is_empty()
    }
}

/// The comments of a values file by the values that they are about. `root` is the parsed file.
pub(super) fn read(text: &[u8], root: &Node) -> Vec<(Keys, Comment)> {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().collect();
    let starts: Vec<usize> = std::iter::once(0)
        .chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1))
        .collect();
    let mut all = params(&lines);
    let line_of = |at: u32| starts.partition_point(|s| *s <= at as usize) - 1;
    each_key(root, &mut Keys::new(), &mut |keys, entry| {
        let line = line_of(entry.key_span.start);
        let above = lines[..line]
            .iter()
            .rev()
            .take_while(|line| line.trim_start().starts_with('#'));
        let mut block: Vec<&str> = above.map(|line| bare(line)).collect();
        block.reverse();
        let mut comment = of_block(&block);
        // Behind the value.
        let is_scalar = entry.value.entries().is_empty() && entry.value.items().is_empty();
        let last = line_of(entry.value.span.end.max(entry.key_span.end));
        if is_scalar
            && last == line
            && let Some((_, behind)) = lines[line].rsplit_once("# @schema ")
        {
            add_pairs(behind, &mut comment);
        }
        if !comment.is_empty() {
            all.push((keys.clone(), comment));
        }
    });
    all
}

fn each_key(node: &Node, keys: &mut Keys, visit: &mut dyn FnMut(&Keys, &yaml::Entry)) {
    for entry in node.entries().iter().filter(|entry| !entry.merged) {
        keys.push(entry.key.clone());
        visit(keys, entry);
        each_key(&entry.value, keys, visit);
        keys.pop();
    }
}

/// The text of a comment's line.
fn bare(line: &str) -> &str {
    let text = line.trim().trim_start_matches('#');
    text.strip_prefix(' ').unwrap_or(text).trim_end()
}

/// `## @param image.tag [string, nullable] Tag of the image`. They may stand anywhere.
fn params(lines: &[&str]) -> Vec<(Keys, Comment)> {
    let param = |line: &&str| {
        let text = line.trim_start().strip_prefix('#').map(|_| bare(line))?;
        let rest = text
            .strip_prefix("@param ")
            .or(text.strip_prefix("@extra "))?;
        let (path, rest) = rest.trim_start().split_once(char::is_whitespace)?;
        let rest = rest.trim_start();
        let description = match rest.strip_prefix('[') {
            Some(flags) => flags.split_once(']')?.1,
            None => rest,
        };
        let is_plain = !path.contains(['[', '\\', '"']);
        is_plain.then(|| {
            let comment = Comment {
                description: description.trim().to_owned(),
                keywords: Map::new(),
            };
            (path.split('.').map(Box::from).collect(), comment)
        })
    };
    lines.iter().filter_map(param).collect()
}

fn of_block(block: &[&str]) -> Comment {
    let mut comment = Comment::default();
    let mut schema: Option<String> = None;
    let mut prose: Vec<&str> = Vec::new();
    let mut documented: Option<Vec<&str>> = None;
    for line in block {
        let text = line.trim();
        if text == "@schema" {
            match schema.take() {
                Some(yaml) => add_yaml(&yaml, &mut comment),
                None => schema = Some(String::new()),
            }
        } else if let Some(yaml) = &mut schema {
            yaml.push_str(line);
            yaml.push('\n');
        } else if let Some(pairs) = text.strip_prefix("@schema ") {
            add_pairs(pairs, &mut comment);
        } else if let Some(text) = helm_docs(text) {
            documented = Some(vec![text]);
        } else if text.starts_with('@') {
            // Other words of these tools: `@default`, `@section`, `@param`.
            prose.clear();
        } else if let Some(lines) = &mut documented {
            lines.push(text);
        } else {
            prose.push(text);
        }
    }
    let lines = documented.unwrap_or_else(|| of_prose(&prose));
    let text = lines.join(" ");
    if comment.description.is_empty() {
        comment.description = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    comment
}

/// `-- text`, `-- (int) text`, and the older `key.path -- text`.
fn helm_docs(text: &str) -> Option<&str> {
    let text = match text.strip_prefix("-- ") {
        Some(text) => text,
        None => {
            let (path, text) = text.split_once(" -- ")?;
            (!path.contains([' ', '@'])).then_some(text)?
        }
    };
    let text = text.trim();
    let typed = text.strip_prefix('(').and_then(|t| t.split_once(')'));
    Some(typed.map_or(text, |(_, text)| text.trim()))
}

/// The prose of a comment, without what is commented out and without rules.
fn of_prose<'t>(lines: &[&'t str]) -> Vec<&'t str> {
    let has_words = |line: &&&str| line.chars().any(char::is_alphabetic);
    let prose: Vec<&str> = lines
        .iter()
        .filter(has_words)
        .take_while(|line| !is_yaml(line))
        .copied()
        .collect();
    let is_license = |line: &&str| line.contains("SPDX-") || line.contains("Copyright");
    if prose.iter().any(is_license) {
        return Vec::new();
    }
    prose
}

/// Whether a line of a comment is a key, an item or the head of an example, and no prose.
fn is_yaml(line: &str) -> bool {
    let key = line.split_once(':').map_or("", |(key, _)| key);
    let is_key = key.starts_with(char::is_lowercase) && !key.contains([' ', '/']) && key != "ref";
    line.starts_with("- ") || line.ends_with(':') || (is_key && !line.contains("://"))
}

fn add_yaml(text: &str, comment: &mut Comment) {
    let Ok(node) = yaml::parse(text.as_bytes(), SourceId::new(0, 0), 0) else {
        return;
    };
    if let Json::Object(keywords) = to_json(&node, 0) {
        keywords.into_iter().for_each(|(k, v)| add(&k, v, comment));
    }
}

/// `type:[string, null]; minimum:1`
fn add_pairs(text: &str, comment: &mut Comment) {
    for pair in text.split(';') {
        let (key, value) = pair.split_once(':').unwrap_or((pair, "true"));
        let (key, value) = (key.trim(), value.trim());
        let node = yaml::parse(value.as_bytes(), SourceId::new(0, 0), 0);
        if let Ok(node) = node {
            add(key, to_json(&node, 0), comment);
        }
    }
}

/// The keywords that are taken over. Others steer the generators, or refer to files.
const KEYWORDS: [&str; 22] = [
    "additionalProperties",
    "const",
    "deprecated",
    "enum",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "multipleOf",
    "pattern",
    "patternProperties",
    "readOnly",
    "title",
    "type",
    "uniqueItems",
];

fn add(key: &str, value: Json, comment: &mut Comment) {
    match (key, value) {
        ("description", Json::String(text)) => comment.description = text.trim().to_owned(),
        // The short form of helm-values-schema-json.
        ("item", value) => {
            comment
                .keywords
                .insert("items".into(), json!({ "type": value }));
        }
        // An unquoted null is the type of that name.
        ("type", Json::Null) => {
            comment.keywords.insert("type".into(), json!("null"));
        }
        ("type", Json::Array(types)) => {
            let name = |t: Json| if t.is_null() { json!("null") } else { t };
            let types: Vec<Json> = types.into_iter().map(name).collect();
            comment.keywords.insert("type".into(), types.into());
        }
        (key, value) if KEYWORDS.contains(&key) && !refers(&value) => {
            comment.keywords.insert(key.to_owned(), value);
        }
        _ => {}
    }
}

/// Whether a schema refers to another one.
fn refers(schema: &Json) -> bool {
    match schema {
        Json::Object(map) => map.contains_key("$ref") || map.values().any(refers),
        Json::Array(items) => items.iter().any(refers),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(String, String, String)> {
        let root = yaml::parse(text.as_bytes(), SourceId::new(0, 0), 0).expect("YAML");
        read(text.as_bytes(), &root)
            .into_iter()
            .map(|(keys, c)| {
                (
                    keys.join("."),
                    c.description,
                    Json::Object(c.keywords).to_string(),
                )
            })
            .collect()
    }

    fn row(keys: &str, description: &str, keywords: &str) -> (String, String, String) {
        (keys.to_owned(), description.to_owned(), keywords.to_owned())
    }

    #[test]
    fn the_comments_of_all_generators_are_read() {
        let text = "\
# -- (int) How many
# pods run
# @default -- 1
replicas: 1
# @schema
# type: [string, null]
# enum: [a, b]
# @schema
# One of two
kind: a
port: 80 # @schema minimum:1; maximum:65535
## @param image.tag [nullable] Which version
## @param image.pullPolicy When to pull
image:
  tag: null
  pullPolicy: Always
";
        let wanted = [
            row("image.tag", "Which version", "{}"),
            row("image.pullPolicy", "When to pull", "{}"),
            row("replicas", "How many pods run", "{}"),
            row(
                "kind",
                "One of two",
                r#"{"enum":["a","b"],"type":["string","null"]}"#,
            ),
            row("port", "", r#"{"maximum":65535,"minimum":1}"#),
        ];
        assert_eq!(of(text), wanted);
    }

    #[test]
    fn prose_is_a_description_and_an_example_is_not() {
        let text = "# Copyright A\nx: 1\n\n# How much it may use.\n# limits:\n#   cpu: 1\nresources: {}\n# -----\nz: 2\n";
        assert_eq!(of(text), [row("resources", "How much it may use.", "{}")]);
    }
}
