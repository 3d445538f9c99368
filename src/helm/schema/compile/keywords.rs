//! Compiles the keywords of one schema, in the order in which Helm's validator applies them.

use super::{Compiler, Dependency, Id, Keyword, Others, Outcome, refuse_at, show, split, step};
use crate::go::regexp;
use crate::go::strconv::quote;
use crate::helm::schema::draft::Draft;
use crate::helm::schema::format::Format;
use crate::helm::schema::verdict::Unusable;
use crate::helm::schema::words;
use crate::limits::Limit;
use serde_json::{Map, Value as Json};
use std::sync::Arc;

/// A schema object whose keywords are compiled.
pub(super) struct Object<'c, 'e, 'j> {
    pub compiler: &'c mut Compiler<'e>,
    pub url: Arc<str>,
    pub pointer: String,
    pub members: &'j Map<String, Json>,
    pub draft: Draft,
    pub out: Vec<Keyword>,
}

impl Object<'_, '_, '_> {
    pub(super) fn keywords(&mut self) -> Outcome<()> {
        let reference = self.reference("$ref")?;
        if let Some(reference) = reference
            && self.draft < Draft::V2019
        {
            // Everything beside a `$ref` is ignored.
            self.out.push(Keyword::Ref(reference));
            return Ok(());
        }
        self.for_all(reference)?;
        self.for_objects()?;
        self.for_arrays();
        self.for_strings()?;
        self.for_numbers();
        self.composed()
    }

    fn for_all(&mut self, reference: Option<Id>) -> Outcome<()> {
        let names: Vec<&str> = match self.members.get("type") {
            Some(Json::String(name)) => vec![name],
            Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).collect(),
            _ => Vec::new(),
        };
        let types: Vec<&str> = words::TYPES
            .into_iter()
            .filter(|name| names.contains(name))
            .collect();
        if !types.is_empty() {
            self.out.push(Keyword::Type(types));
        }
        if let Some(value) = self
            .members
            .get("const")
            .filter(|_| self.draft >= Draft::V6)
        {
            self.out.push(Keyword::Const(value.clone()));
        }
        if let Some(Json::Array(values)) = self.members.get("enum") {
            self.out.push(Keyword::Enum(values.clone()));
        }
        if self.compiler.formats || self.draft < Draft::V2019 {
            let format = self.members.get("format").and_then(Json::as_str);
            self.out
                .extend(format.and_then(Format::named).map(Keyword::Format));
        }
        self.out.extend(reference.map(Keyword::Ref));
        Ok(())
    }

    fn for_objects(&mut self) -> Outcome<()> {
        self.count("minProperties", Keyword::MinProperties);
        self.count("maxProperties", Keyword::MaxProperties);
        if let Some(required) = self.names("required") {
            self.out.push(Keyword::Required(required));
        }
        if let Some(Json::Object(dependencies)) = self.members.get("dependencies") {
            let dependencies = dependencies.iter().map(|(name, value)| {
                let dependency = match value {
                    Json::Array(names) => Dependency::Required(texts(names)),
                    _ => Dependency::Schema(self.below(&["dependencies", name])),
                };
                (name.clone(), dependency)
            });
            let dependencies = dependencies.collect();
            self.out.push(Keyword::Dependencies(dependencies));
        }
        let named = self.each_named("properties");
        let mut patterns = Vec::new();
        for (pattern, schema) in self.each_named("patternProperties").unwrap_or_default() {
            patterns.push((self.pattern("patternProperties", &pattern)?, schema));
        }
        let others = self.others("additionalProperties");
        if named.is_some() || !patterns.is_empty() || others.is_some() {
            self.out.push(Keyword::Members {
                named: named.unwrap_or_default().into_iter().collect(),
                patterns,
                others,
            });
        }
        if self.draft >= Draft::V6 {
            let names = self.single("propertyNames").map(Keyword::PropertyNames);
            self.out.extend(names);
        }
        if self.draft >= Draft::V2019 {
            let schemas = self.each_named("dependentSchemas");
            self.out.extend(schemas.map(Keyword::DependentSchemas));
            if let Some(Json::Object(required)) = self.members.get("dependentRequired") {
                let required = required.iter().filter_map(|(name, value)| {
                    value.as_array().map(|names| (name.clone(), texts(names)))
                });
                self.out
                    .push(Keyword::DependentRequired(required.collect()));
            }
        }
        Ok(())
    }

    fn for_arrays(&mut self) {
        self.count("minItems", Keyword::MinItems);
        self.count("maxItems", Keyword::MaxItems);
        if self.flag("uniqueItems") {
            self.out.push(Keyword::UniqueItems);
        }
        let (first, others) = if self.draft >= Draft::V2020 {
            let first = self.each("prefixItems");
            (first, self.single("items").map(Others::Schema))
        } else if matches!(self.members.get("items"), Some(Json::Array(_))) {
            let first = self.each("items");
            (first, self.others("additionalItems"))
        } else {
            (None, self.single("items").map(Others::Schema))
        };
        if first.is_some() || others.is_some() {
            let first = first.unwrap_or_default();
            self.out.push(Keyword::Items { first, others });
        }
        if self.draft >= Draft::V6
            && let Some(schema) = self.single("contains")
        {
            let counts = self.draft >= Draft::V2019;
            self.out.push(Keyword::Contains {
                schema,
                least: self.whole("minContains").filter(|_| counts),
                most: self.whole("maxContains").filter(|_| counts),
                evaluates: self.draft >= Draft::V2020,
            });
        }
    }

    fn for_strings(&mut self) -> Outcome<()> {
        self.count("minLength", Keyword::MinLength);
        self.count("maxLength", Keyword::MaxLength);
        if let Some(Json::String(text)) = self.members.get("pattern") {
            let pattern = self.pattern("pattern", text)?;
            self.out.push(Keyword::Pattern(text.clone(), pattern));
        }
        Ok(())
    }

    fn for_numbers(&mut self) {
        type Make = fn(f64) -> Keyword;
        let bounds: [(&str, &str, Make, Make); 2] = [
            (
                "minimum",
                "exclusiveMinimum",
                Keyword::Minimum,
                Keyword::ExclusiveMinimum,
            ),
            (
                "maximum",
                "exclusiveMaximum",
                Keyword::Maximum,
                Keyword::ExclusiveMaximum,
            ),
        ];
        let mut excluded = Vec::new();
        for (name, exclusive, make, make_exclusive) in bounds {
            let bound = self.number(name);
            // Draft 4 writes `exclusiveMinimum: true`.
            if self.flag(exclusive) {
                excluded.extend(bound.map(make_exclusive));
            } else {
                self.out.extend(bound.map(make));
                excluded.extend(self.number(exclusive).map(make_exclusive));
            }
        }
        self.out.extend(excluded);
        self.out
            .extend(self.number("multipleOf").map(Keyword::MultipleOf));
    }

    /// Schemas that are applied to the same value.
    fn composed(&mut self) -> Outcome<()> {
        if self.draft >= Draft::V2019 {
            let recursive = self.reference("$recursiveRef")?;
            self.out.extend(recursive.map(Keyword::RecursiveRef));
        }
        if self.draft >= Draft::V2020
            && let Some(target) = self.reference("$dynamicRef")?
        {
            let written = self.members.get("$dynamicRef").and_then(Json::as_str);
            let (_, fragment) = split(written.unwrap_or_default())?;
            let anchor = Some(fragment).filter(|f| !f.is_empty() && !f.starts_with('/'));
            self.out.push(Keyword::DynamicRef(target, anchor));
        }
        let not = self.single("not").map(Keyword::Not);
        self.out.extend(not);
        let several: [(&str, fn(Vec<Id>) -> Keyword); 3] = [
            ("allOf", Keyword::AllOf),
            ("anyOf", Keyword::AnyOf),
            ("oneOf", Keyword::OneOf),
        ];
        for (name, make) in several {
            let schemas = self.each(name).filter(|schemas| !schemas.is_empty());
            self.out.extend(schemas.map(make));
        }
        if self.draft >= Draft::V7
            && let Some(condition) = self.single("if")
        {
            let then = self.single("then");
            let otherwise = self.single("else");
            self.out.push(Keyword::If {
                condition,
                then,
                otherwise,
            });
        }
        if self.draft >= Draft::V2019 {
            let names = self.single("unevaluatedProperties");
            self.out.extend(names.map(Keyword::UnevaluatedProperties));
            let items = self.single("unevaluatedItems");
            self.out.extend(items.map(Keyword::UnevaluatedItems));
        }
        Ok(())
    }

    fn below(&mut self, steps: &[&str]) -> Id {
        let steps: String = steps.iter().map(|name| step(name)).collect();
        let pointer = format!("{}{steps}", self.pointer);
        self.compiler.schema(&self.url, pointer)
    }

    fn reference(&mut self, keyword: &str) -> Outcome<Option<Id>> {
        let Some(Json::String(reference)) = self.members.get(keyword) else {
            return Ok(None);
        };
        let target = self
            .compiler
            .reference(&self.url, &self.pointer, reference)?;
        Ok(Some(target))
    }

    fn single(&mut self, keyword: &str) -> Option<Id> {
        self.members.get(keyword)?;
        Some(self.below(&[keyword]))
    }

    fn each(&mut self, keyword: &str) -> Option<Vec<Id>> {
        let schemas = self.members.get(keyword)?.as_array()?;
        let each = (0..schemas.len()).map(|i| self.below(&[keyword, &i.to_string()]));
        Some(each.collect())
    }

    fn each_named(&mut self, keyword: &str) -> Option<Vec<(String, Id)>> {
        let schemas = self.members.get(keyword)?.as_object()?;
        let each = schemas
            .keys()
            .map(|name| (name.clone(), self.below(&[keyword, name])));
        Some(each.collect())
    }

    fn others(&mut self, keyword: &str) -> Option<Others> {
        match self.members.get(keyword)? {
            Json::Bool(true) => Some(Others::Allowed),
            Json::Bool(false) => Some(Others::Refused),
            _ => self.single(keyword).map(Others::Schema),
        }
    }

    fn flag(&self, keyword: &str) -> bool {
        self.members.get(keyword) == Some(&Json::Bool(true))
    }

    fn number(&self, keyword: &str) -> Option<f64> {
        self.members.get(keyword)?.as_f64()
    }

    fn whole(&self, keyword: &str) -> Option<usize> {
        let number = self.number(keyword)?;
        (number.fract() == 0.0).then_some(number as usize)
    }

    fn count(&mut self, keyword: &str, make: fn(usize) -> Keyword) {
        self.out.extend(self.whole(keyword).map(make));
    }

    fn names(&self, keyword: &str) -> Option<Vec<String>> {
        self.members
            .get(keyword)?
            .as_array()
            .map(|names| texts(names))
    }

    fn pattern(&self, keyword: &str, pattern: &str) -> Outcome<regex::Regex> {
        let size = self.compiler.limits.size(Limit::RegexSize);
        match regexp::compile(pattern.as_bytes(), size) {
            Ok(compiled) => Ok(compiled.regex.clone()),
            Err(regexp::Error::TooLarge) => Err(Unusable::Limit(Limit::RegexSize)),
            Err(error) => {
                let pointer = format!("{}{}", self.pointer, step(keyword));
                let message = format!(
                    "invalid regex {} at {}: {error}",
                    quote(pattern),
                    quote(show(&self.url, &pointer))
                );
                refuse_at(message, &self.url, pointer)
            }
        }
    }
}

fn texts(names: &[Json]) -> Vec<String> {
    let texts = names.iter().filter_map(Json::as_str);
    texts.map(String::from).collect()
}
