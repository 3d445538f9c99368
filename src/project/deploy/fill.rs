//! Fills the parameters of a generator into texts: Go templates with sprig (`goTemplate: true`), or
//! `{{name}}`.
//!
//! Source: argo-cd's `applicationset/utils/utils.go`.

use crate::limits::{Limit, Limits};
use crate::source::{SourceId, Span};
use crate::template::functions::of_application_sets;
use crate::template::{Evaluator, Templates, parser};
use crate::value::{Kind, MapData, Value};
use crate::yaml::{Data, Entry, Node};
use serde_json::Value as Json;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

/// The parameters of one application. Without Go templates they are texts, and their names have
/// dots.
pub(super) type Parameters = serde_json::Map<String, Json>;

/// How an ApplicationSet writes parameters.
#[derive(Clone, Debug)]
pub(super) struct Language {
    pub is_go: bool,
    /// `missingkey=error`: a parameter that does not exist is a fault.
    pub is_strict: bool,
    pub limits: Limits,
    /// How many steps are left for all declarations of the repository.
    pub steps: Rc<Cell<u64>>,
}

impl Language {
    /// # Errors
    /// What is wrong with the template.
    pub(super) fn text(&self, text: &str, parameters: &Parameters) -> Result<String, String> {
        match self.is_go {
            _ if !text.contains("{{") => Ok(text.to_owned()),
            true => self.go(text, parameters),
            false => Ok(plain(text, parameters)),
        }
    }

    /// As [`Language::text`], but a text that needs other parameters stays as it is.
    fn known(&self, text: &str, parameters: &Parameters) -> String {
        let strict = Language {
            is_strict: true,
            ..self.clone()
        };
        strict
            .text(text, parameters)
            .unwrap_or_else(|_| text.to_owned())
    }

    /// A copy of a tree in which the texts are filled that these parameters suffice for.
    pub(super) fn known_in(&self, node: &Node, parameters: &Parameters) -> Node {
        let data = match &node.data {
            Data::Str(text) => Data::Str(self.known(text, parameters).into()),
            Data::Seq(items) => Data::Seq(
                items
                    .iter()
                    .map(|item| self.known_in(item, parameters))
                    .collect(),
            ),
            Data::Map(entries) => {
                let filled = entries.iter().map(|entry| Entry {
                    value: self.known_in(&entry.value, parameters),
                    ..entry.clone()
                });
                Data::Map(filled.collect())
            }
            scalar => scalar.clone(),
        };
        Node {
            data,
            ..node.clone()
        }
    }

    /// A copy of a tree in which all texts and keys are filled. The spans stay.
    ///
    /// # Errors
    /// The first fault, with the span of its text.
    pub(super) fn node(
        &self,
        node: &Node,
        parameters: &Parameters,
    ) -> Result<Node, (Span, String)> {
        let data = match &node.data {
            Data::Str(text) => {
                let filled = self
                    .text(text, parameters)
                    .map_err(|why| (node.span, why))?;
                Data::Str(filled.into())
            }
            Data::Seq(items) => {
                let filled = items.iter().map(|item| self.node(item, parameters));
                Data::Seq(filled.collect::<Result<_, _>>()?)
            }
            Data::Map(entries) => {
                let filled = entries.iter().map(|entry| {
                    let key = self.text(&entry.key, parameters);
                    Ok(Entry {
                        key: key.map_err(|why| (entry.key_span, why))?.into(),
                        value: self.node(&entry.value, parameters)?,
                        key_span: entry.key_span,
                        merged: entry.merged,
                    })
                });
                Data::Map(filled.collect::<Result<_, _>>()?)
            }
            scalar => scalar.clone(),
        };
        Ok(Node {
            data,
            ..node.clone()
        })
    }

    fn go(&self, text: &str, parameters: &Parameters) -> Result<String, String> {
        const NAME: &str = "template";
        let source = SourceId::new(0, 0);
        let parsed = parser::parse(NAME, source, text.as_bytes().into(), of_application_sets());
        let templates = Templates::from_parsed([Arc::new(parsed)].into_iter());
        if let Some(error) = templates.errors().first() {
            return Err(error.message.clone());
        }
        let mut limits = self.limits.clone();
        limits.lower(Limit::TemplateSteps, self.steps.get());
        let mut evaluator = Evaluator::new(&templates, 1, NAME, limits);
        let data = value(&Json::Object(parameters.clone()));
        let made = evaluator.execute(NAME, &data);
        self.steps
            .set(self.steps.get().saturating_sub(evaluator.steps()));
        let made = made.map_err(|error| error.cause)?;
        let (_, record) = evaluator.finish();
        if let Some(missing) = record.missing.first().filter(|_| self.is_strict) {
            let (start, end) = (missing.at.start as usize, missing.at.end as usize);
            let field = text.get(start..end).unwrap_or(text);
            return Err(format!("the generator gives no parameter for `{field}`"));
        }
        let text = made.as_text().map(|text| text.to_str().into_owned());
        Ok(text.unwrap_or_default())
    }
}

/// fasttemplate: a tag without a parameter stays as it is.
fn plain(text: &str, parameters: &Parameters) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((tag, after)) = after.split_once("}}") else {
            out.push_str(&rest[before.len()..]);
            return out;
        };
        match parameters.get(tag.trim()).and_then(Json::as_str) {
            Some(value) => out.push_str(value),
            None => out.push_str(&format!("{{{{{tag}}}}}")),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The value that templates see.
fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::nil(),
        Json::Bool(b) => Value::bool(*b),
        Json::Number(n) => Kind::Float(n.as_f64().unwrap_or_default()).into(),
        Json::String(text) => Value::str(text),
        Json::Array(items) => Value::list(items.iter().map(value).collect()),
        Json::Object(entries) => {
            let mut map = MapData::default();
            for (key, entry) in entries {
                map.insert(key.as_bytes(), Default::default(), value(entry));
            }
            Value::map(map)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filled(is_go: bool, text: &str, parameters: Json) -> Result<String, String> {
        let Json::Object(parameters) = parameters else {
            panic!("no parameters");
        };
        crate::threads::deep(|| language(is_go).text(text, &parameters))
    }

    fn language(is_go: bool) -> Language {
        Language {
            is_go,
            is_strict: true,
            limits: Limits::default(),
            steps: Rc::new(Cell::new(1000)),
        }
    }

    #[test]
    fn the_texts_of_a_repository_share_their_steps() {
        crate::threads::deep(|| {
            let language = language(true);
            let text = "{{ range until 200 }}{{ end }}";
            let fill = || language.clone().text(text, &Parameters::new());
            assert_eq!(fill(), Ok(String::new()));
            let all: Result<Vec<String>, String> = (0..10).map(|_| fill()).collect();
            assert!(all.is_err_and(|why| why.contains("steps")));
        });
    }

    #[test]
    fn both_languages_are_filled() {
        let flat = json!({"name": "web", "path.basename": "qa"});
        let text = "{{name}}-{{ path.basename }}-{{ other }}";
        assert_eq!(filled(false, text, flat), Ok("web-qa-{{ other }}".into()));
        let nested = json!({"path": {"segments": ["apps", "Web_1"]}});
        let text = "{{ index .path.segments 1 | normalize }}{{ .path.segments | len }}";
        assert_eq!(filled(true, text, nested.clone()), Ok("web-12".into()));
        let missing = filled(true, "{{ .path.name }}", nested.clone());
        assert!(missing.is_err_and(|why| why.contains("`.path.name`")));
        assert!(filled(true, "{{ .path", nested).is_err());
    }
}
