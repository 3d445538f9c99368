//! `include` and `tpl`: functions that execute templates.

use super::call::CallError;
use super::operand::Operand;
use super::write::without_no_value;
use super::{Evaluator, ROOT_NAME, no_template};
use crate::go::strconv;
use crate::limits::Limit;
use crate::source::OriginId;
use crate::template::parser::{self, Parsed};
use crate::template::tree::Template;
use crate::value::{Kind, Text, Value};
use rustc_hash::FxHashMap;
use std::rc::Rc;
use std::sync::Arc;

/// Helm's limit for nested `include`s of one name.
const MAX_INCLUDES: usize = 1000;

/// The steps of parsing the shortest text, and how many bytes are parsed in one step.
const PARSE: u64 = 20;
const BYTES_PER_STEP: usize = 8;
/// How many times its size a parsed text takes in memory.
const PARSED: usize = 20;

/// Templates that a text given to `tpl` defines. They hide those of the outer scope.
pub(super) struct Scope {
    pub(super) outer: Option<Rc<Scope>>,
    pub(super) templates: FxHashMap<Arc<str>, Arc<Template>>,
}

/// A parsed text that was given to `tpl`. It is cached because the same string is often given
/// again.
pub(super) struct ParsedText {
    /// Keeps the string alive, because its address is the cache key.
    _text: Text,
    scope: Rc<Scope>,
    main: Arc<Template>,
}

impl Evaluator<'_> {
    pub(super) fn include(&mut self, values: &[Value]) -> Result<Value, CallError> {
        let [
            Value {
                kind: Kind::Str(name),
                ..
            },
            data,
        ] = values
        else {
            return Err(CallError::Itself("include needs a name".into(), None));
        };
        let shown = name.to_str();
        let count = self.includes.entry(name.bytes.clone()).or_insert(0);
        let most = self.limits.size(Limit::IncludeDepth);
        if *count > most && most < MAX_INCLUDES {
            return Err(CallError::Limit(Limit::IncludeDepth));
        }
        if *count > MAX_INCLUDES {
            let message = format!(
                "rendering template has a nested reference name: {shown}: unable to execute template"
            );
            return Err(CallError::Itself(
                message,
                Some(format!("`{shown}` includes itself without an end")),
            ));
        }
        *count += 1;
        let result = match self.find(&shown) {
            None => Err(CallError::NoTemplate(
                no_template(&shown),
                self.near_template(&shown),
            )),
            Some(template) => {
                let dot = Operand::plain(data.clone()).unboxed();
                self.written_once(&template, dot, 0)
                    .map_err(|fault| CallError::Inside(fault, String::new()))
            }
        };
        if let Some(count) = self.includes.get_mut(&name.bytes) {
            *count -= 1;
        }
        // Its bytes are counted again where they are written.
        if let Ok(Value {
            kind: Kind::Str(text),
            ..
        }) = &result
        {
            self.bytes = self.bytes.saturating_sub(text.bytes.len());
        }
        result
    }

    pub(super) fn tpl(&mut self, values: &[Value]) -> Result<Value, CallError> {
        let [
            text @ Value {
                kind: Kind::Str(string),
                ..
            },
            data,
        ] = values
        else {
            return Err(CallError::Itself("tpl needs a text".into(), None));
        };
        if memchr::memmem::find(&string.bytes, b"{{").is_none() {
            return Ok(without_no_value(text.clone()));
        }
        if self.tpl_depth >= self.limits.size(Limit::TplDepth) {
            return Err(CallError::Limit(Limit::TplDepth));
        }
        self.tpl_depth += 1;
        let result = self.tpl_text(text, string, data);
        self.tpl_depth -= 1;
        result
    }

    fn tpl_text(&mut self, text: &Value, string: &Text, data: &Value) -> Result<Value, CallError> {
        let (scope, main) = self.parse_text(string, text.origin)?;
        let outer = self.scope.replace(scope);
        let dot = Operand::plain(data.clone()).unboxed();
        let result = self.written(&main, dot, 0);
        self.scope = outer;
        match result {
            Ok(text) => {
                self.bytes = self
                    .bytes
                    .saturating_sub(text.as_text().map_or(0, |text| text.bytes.len()));
                Ok(without_no_value(text))
            }
            Err(fault) => {
                let between = format!(
                    "error during tpl function execution for {}: ",
                    strconv::quote(&string.bytes)
                );
                Err(CallError::Inside(fault, between))
            }
        }
    }

    fn parse_text(
        &mut self,
        text: &Text,
        origin: OriginId,
    ) -> Result<(Rc<Scope>, Arc<Template>), CallError> {
        let outer = self
            .scope
            .as_ref()
            .map_or(0, |scope| Rc::as_ptr(scope) as usize);
        let key = (
            text.bytes.as_ptr() as usize,
            text.pieces().as_ptr() as usize,
            outer,
        );
        if let Some(parsed) = self.parsed.get(&key) {
            return Ok((parsed.scope.clone(), parsed.main.clone()));
        }
        // What the parser takes, and the memory of the parsed text.
        let length = text.bytes.len();
        self.meter
            .charge(PARSE + (length / BYTES_PER_STEP) as u64)
            .map_err(CallError::Limit)?;
        let memory = (length + PARSE as usize).saturating_mul(PARSED);
        if memory > self.budget() {
            return Err(CallError::Limit(Limit::RenderText));
        }
        self.bytes += memory;
        let source = self.derive_text(ROOT_NAME, text, origin);
        let Parsed {
            templates, errors, ..
        } = parser::parse(
            ROOT_NAME,
            source,
            text.bytes[..].into(),
            self.dialect.functions,
        );
        if let Some(error) = errors.first() {
            let message = format!(
                "cannot parse template {}: {}",
                strconv::quote(&text.bytes),
                error.message
            );
            return Err(CallError::Itself(message, error.help.clone()));
        }
        let mut defined: FxHashMap<Arc<str>, Arc<Template>> = FxHashMap::default();
        let mut main = None;
        for template in templates {
            let template = Arc::new(template);
            if &*template.name == ROOT_NAME {
                main = Some(template.clone());
            }
            if !parser::is_empty(&template.body, &template.text)
                || self.find(&template.name).is_none()
            {
                defined.insert(template.name.clone(), template);
            }
        }
        let Some(main) = main else {
            return Err(CallError::Itself("no template".into(), None));
        };
        let scope = Rc::new(Scope {
            outer: self.scope.clone(),
            templates: defined,
        });
        self.parsed.insert(
            key,
            ParsedText {
                _text: text.clone(),
                scope: scope.clone(),
                main: main.clone(),
            },
        );
        Ok((scope, main))
    }
}
