//! Keeps secrets out of everything that is shown. Finds the places in a chart's files and in the
//! rendered texts that hold the value of a Secret, and gives texts without them.
//!
//! A value is a secret if it reaches `data` or `stringData` of a Secret, if it is at the same path
//! of another values file (the default that an environment overrides is a password too), or if
//! [`crate::rule`] takes its name for one: a value `password`, a variable `DB_PASSWORD`. Hidden are
//! the bytes that come from there, never others that read the same. A message of a template is a
//! text with origins ([`Secrets::show`]); what another message quotes of the place that it is about
//! is hidden in its quotes ([`quoted`]).

mod quoted;

use crate::helm::environments::sops;
use crate::helm::render::Problem;
use crate::manifest::Object;
use crate::project::rendering::RenderedChart;
use crate::rule::native::secrets::{is_harmless, is_secret_name, is_secret_text};
use crate::rule::pod;
use crate::source::{Origin, OriginId, Source, SourceId, SourceKind, Sources, Span};
use crate::yaml;
use crate::yaml::Data;
use crate::yaml::Node;
use crate::yaml::Path;
use crate::yaml::Step;
pub(crate) use quoted::{Own, Quoted};
use rustc_hash::{FxHashMap, FxHashSet};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// The secrets of a unit.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// The byte ranges that hold secrets, by source.
    places: FxHashMap<SourceId, Ranges>,
    /// Values that reach a Secret mixed with other text (a connection string's password and host).
    beside: BTreeSet<Span>,
}

/// Replaces a secret in a line of text.
pub(crate) const HIDDEN: &str = "***";

impl Secrets {
    /// The secrets of a chart's objects and values files.
    pub fn of_chart(rendering: &RenderedChart, sources: &Sources) -> Secrets {
        let objects = || {
            rendering
                .crds
                .iter()
                .chain(rendering.renders.iter().flat_map(|r| &r.objects))
        };
        let mut secrets = Secrets::of_objects(objects(), sources);
        let mut texts: Vec<SourceId> = Vec::new();
        for output in rendering
            .renders
            .iter()
            .flat_map(|r| r.rendered.outputs.iter().chain(&r.rendered.variants))
        {
            if !texts.contains(&output.text) {
                texts.push(output.text);
                secrets.add_unread(output.text, objects(), sources);
            }
        }
        // A template that fails has no rendered text; its own text is shown in code frames instead.
        for problem in rendering.renders.iter().flat_map(|r| &r.rendered.problems) {
            for template in places_of(problem).map(|span| span.source) {
                if !texts.contains(&template) {
                    texts.push(template);
                    secrets.add_unread(template, std::iter::empty(), sources);
                }
            }
        }
        secrets.settle_beside(objects(), sources);
        let named: FxHashSet<&str> = rendering
            .environments
            .iter()
            .flat_map(|e| &e.values)
            .map(String::as_str)
            .collect();
        let unread = sources.files().filter(|(id, s)| {
            named.contains(&*s.name) && rendering.values.iter().all(|(read, _)| read != id)
        });
        secrets.add_files(unread.map(|(id, _)| id), sources);
        let trees = rendering.values.iter().map(|(_, tree)| tree);
        let trees = trees.chain(&rendering.handed_over).map(|tree| &**tree);
        secrets.add_values(trees, sources);
        let flags = sources
            .files()
            .filter(|(_, s)| matches!(s.kind, SourceKind::Flag));
        flags.for_each(|(id, _)| secrets.add_flag(id, sources));
        let declared = rendering.environments.iter().flat_map(|e| &e.declared);
        let parameters = declared.flat_map(|declared| &declared.parameters);
        parameters.for_each(|flag| secrets.add_flag(flag.source, sources));
        secrets
    }

    /// Values whose names sound like secrets, in the files of a chart that could not be loaded, and
    /// in declarations of releases.
    pub fn of_files(sources: &Sources) -> Secrets {
        let mut secrets = Secrets::default();
        let may_hold_values = |s: &Source| {
            (s.name.ends_with(".yaml") || s.name.ends_with(".yml"))
                && !matches!(s.kind, SourceKind::Template)
        };
        secrets.add_files(
            sources
                .files()
                .filter(|(_, s)| may_hold_values(s))
                .map(|(id, _)| id),
            sources,
        );
        // A declaration of a release holds values in a text.
        let declarations = sources
            .files()
            .filter(|(_, s)| matches!(s.kind, SourceKind::Deployment));
        declarations.for_each(|(id, _)| secrets.add_lines(id, sources));
        secrets
    }

    fn add_files(&mut self, files: impl Iterator<Item = SourceId>, sources: &Sources) {
        let mut trees = Vec::new();
        for id in files {
            match yaml::read(sources, id) {
                Ok(tree) => trees.push(tree),
                Err(_) => self.add_lines(id, sources),
            }
        }
        self.add_values(trees.iter(), sources);
    }

    /// Hides the values of keys that sound like secrets, in a file that is not YAML.
    fn add_lines(&mut self, id: SourceId, sources: &Sources) {
        let text = &sources.get(id).text;
        let mut is_value = false;
        for (start, line) in lines(text, &(0..text.len())) {
            if is_value && !line.contains(':') {
                let value = Span::new(id, start, start + line.len());
                self.add_span(value, sources);
            }
            // The value of such a key is on the lines below.
            is_value = match line.trim_end().strip_suffix([':', '|', '>']) {
                Some(key) => is_secret_key(
                    key.trim_end_matches(':')
                        .trim()
                        .trim_matches(['-', '"', '\'', ' ']),
                ),
                None => is_value && !line.contains(':'),
            };
            for (key, value) in pairs(line) {
                if is_named_secret(key, &line[value.clone()]) {
                    self.add_span(
                        Span::new(id, start + value.start, start + value.end),
                        sources,
                    );
                }
            }
        }
    }

    /// Hides the values of keys that sound like secrets in a flag: `db.password=x,b=c`, or JSON.
    fn add_flag(&mut self, id: SourceId, sources: &Sources) {
        self.add_lines(id, sources);
        let text = String::from_utf8_lossy(&sources.get(id).text);
        let mut start = 0;
        for part in text.split_inclusive(',') {
            if let Some((path, value)) = part.trim_end_matches(',').split_once('=')
                && path.rsplit('.').next().is_some_and(is_secret_key)
                && !is_harmless(value)
            {
                let from = start + path.len() + 1;
                self.add_span(Span::new(id, from, from + value.len()), sources);
            }
            start += part.len();
        }
    }

    /// The secrets in manifests.
    pub fn of_manifests(objects: &[Object], sources: &Sources) -> Secrets {
        let mut secrets = Secrets::of_objects(objects.iter(), sources);
        sources
            .files()
            .filter(|(_, s)| matches!(s.kind, SourceKind::Manifest))
            .for_each(|(text, _)| secrets.add_unread(text, objects.iter(), sources));
        secrets.settle_beside(objects.iter(), sources);
        secrets
    }

    fn of_objects<'o>(objects: impl Iterator<Item = &'o Object>, sources: &Sources) -> Secrets {
        let mut secrets = Secrets::default();
        for object in objects {
            let entries = |field| {
                object
                    .root
                    .get(field)
                    .map(Node::entries)
                    .unwrap_or_default()
                    .iter()
            };
            if is_secret(object) {
                entries("data")
                    .chain(entries("stringData"))
                    .for_each(|e| secrets.add_span(e.value.span, sources));
                continue;
            }
            entries("data")
                .filter(|e| is_plain_secret(&e.key, &e.value))
                .for_each(|e| secrets.add_span(e.value.span, sources));
            entries("data").for_each(|e| secrets.add_properties(&e.value, sources));
            let containers = pod::pod(object)
                .map(|pod| pod.containers())
                .unwrap_or_default();
            for variable in containers
                .iter()
                .flat_map(|c| c.node.get("env").map(Node::items).unwrap_or_default())
            {
                let name = variable
                    .get("name")
                    .and_then(Node::as_str)
                    .unwrap_or_default();
                if let Some(value) = variable
                    .get("value")
                    .filter(|value| is_plain_secret(name, value))
                {
                    secrets.add_span(value.span, sources);
                }
            }
        }
        secrets
    }

    /// Hides the values of lines such as `db.password=x` in a text.
    fn add_properties(&mut self, node: &Node, sources: &Sources) {
        let id = node.span.source;
        let range = node.span.start as usize..node.span.end as usize;
        for (start, line) in lines(&sources.get(id).text, &range) {
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            let name = key.trim().rsplit('.').next().unwrap_or_default();
            if is_named_secret(name, value.trim()) {
                let from = start + key.len() + 1;
                self.add_span(Span::new(id, from, from + value.len()), sources);
            }
        }
    }

    /// Hides the values that reach a Secret mixed with other text, except those that another object
    /// shows in the open.
    fn settle_beside<'o>(&mut self, objects: impl Iterator<Item = &'o Object>, sources: &Sources) {
        let mut beside = std::mem::take(&mut self.beside);
        let text = |span: Span| {
            String::from_utf8_lossy(sources.text(span))
                .trim_matches(['"', '\''])
                .to_string()
        };
        let texts: FxHashSet<String> = beside.iter().map(|span| text(*span)).collect();
        // Passwords often appear on a command line by mistake, so they stay hidden.
        let meant = |path: &Path| {
            !path
                .0
                .iter()
                .any(|s| matches!(s, Step::Key(key) if matches!(&**key, "args" | "command")))
        };
        if beside.is_empty() {
            return;
        }
        let is_known = |node: &Node| node.as_str().is_some_and(|text| texts.contains(text));
        for object in objects.filter(|o| !is_secret(o)) {
            for (path, node) in yaml::path::scalars_where(&object.root, &is_known) {
                if meant(&path) && !self.touches(node.span) {
                    sources.trace(node.span).values.iter().for_each(|value| {
                        beside.remove(value);
                    });
                }
            }
        }
        beside.into_iter().for_each(|span| self.hide(span));
    }

    /// Hides the data of Secrets in documents that could not be read as YAML.
    fn add_unread<'o>(
        &mut self,
        text: SourceId,
        objects: impl Iterator<Item = &'o Object>,
        sources: &Sources,
    ) {
        let bytes = &sources.get(text).text;
        if memchr::memmem::find(bytes, b"Secret").is_none() {
            return;
        }
        let read: Vec<Span> = objects
            .map(|o| o.root.span)
            .filter(|s| s.source == text)
            .collect();
        for document in documents(bytes) {
            let known = read
                .iter()
                .any(|s| (s.start as usize) < document.end && document.start < s.end as usize);
            let lines: Vec<(usize, &str)> = lines(bytes, &document);
            if known || !lines.iter().any(|(_, line)| names_secret(line)) {
                continue;
            }
            let mut inside = false;
            let mut variables = Vec::new();
            for (start, line) in lines {
                if line.trim_start().starts_with('{') && !line.trim_start().starts_with("{{") {
                    // JSON.
                    for (key, value) in pairs(line) {
                        if !matches!(key, "apiVersion" | "kind" | "metadata" | "name") {
                            let (from, to) = (start + value.start, start + value.end);
                            self.add_written(Span::new(text, from, to), sources);
                        }
                    }
                }
                if !line.starts_with([' ', '\t', '\r']) && !line.is_empty() {
                    inside = line.starts_with("data:") || line.starts_with("stringData:");
                }
                let value = if line.starts_with(' ') {
                    line.find(": ").map_or(0, |at| at + 2)
                } else {
                    line.find(':').map_or(0, |at| at + 1)
                };
                if inside && !line[value..].trim().is_empty() {
                    self.add_written(Span::new(text, start + value, start + line.len()), sources);
                    variables.extend(variables_in(&line[value..]));
                }
            }
            self.add_assigned(text, &variables, sources);
        }
    }

    /// Hides the literals that actions of a template assign to the variables.
    fn add_assigned(&mut self, text: SourceId, variables: &[&str], sources: &Sources) {
        let bytes = &sources.get(text).text;
        for (start, line) in lines(bytes, &(0..bytes.len())) {
            for (at, _) in line.match_indices("{{") {
                let action = line[at..]
                    .find("}}")
                    .map_or(&line[at..], |end| &line[at..at + end + 2]);
                let name = action.trim_start_matches(['{', '-', ' ']);
                let assigned = name
                    .split_once('=')
                    .map(|(name, _)| name.trim_end_matches([' ', ':']));
                if assigned.is_some_and(|name| variables.contains(&name)) {
                    let span = Span::new(text, start + at, start + at + action.len());
                    self.add_written(span, sources);
                }
            }
        }
    }

    /// Hides only the literals of an action; the rest shows where the value comes from.
    fn add_written(&mut self, span: Span, sources: &Sources) {
        let text = sources.text(span);
        let mut add = |from: usize, to: usize| {
            self.add_span(
                Span::new(
                    span.source,
                    span.start as usize + from,
                    span.start as usize + to,
                ),
                sources,
            )
        };
        let mut from = 0;
        while let Some(open) = memchr::memmem::find(&text[from..], b"{{").map(|at| from + at) {
            add(from, open);
            let close =
                memchr::memmem::find(&text[open..], b"}}").map_or(text.len(), |at| open + at + 2);
            let mut at = open;
            while let Some(start) = memchr::memchr2(b'"', b'`', &text[at..close]).map(|i| at + i) {
                let Some(length) = memchr::memchr(text[start], &text[start + 1..close]) else {
                    break;
                };
                at = start + length + 2;
                if !is_name(&text[open..start]) {
                    add(start, at);
                }
            }
            from = close;
        }
        add(from, text.len());
    }

    /// Hides values whose names sound like secrets, and values at the path of a secret in another
    /// file.
    fn add_values<'t>(&mut self, trees: impl Iterator<Item = &'t Node> + Clone, sources: &Sources) {
        let mut paths: BTreeSet<Path> = BTreeSet::new();
        for (path, node) in trees.clone().flat_map(yaml::path::scalars) {
            if sops::is_encrypted(sources.text(node.span)) {
                self.hide(node.span);
                continue;
            }
            let named = matches!(path.0.last(), Some(Step::Key(name)) if is_secret_key(name));
            if self.touches(node.span)
                || (named && node.as_str().is_some_and(|text| !is_harmless(text)))
            {
                paths.insert(path);
            }
        }
        for (tree, path) in trees.flat_map(|tree| paths.iter().map(move |path| (tree, path))) {
            if let Some(node) = path.get(tree)
                && !matches!(node.data, Data::Map(_) | Data::Seq(_))
            {
                self.add_span(node.span, sources);
            }
        }
    }

    /// Hides a value, and the values that it was made from.
    fn add_span(&mut self, span: Span, sources: &Sources) {
        if !worth_hiding(sources.text(span)) {
            return;
        }
        self.hide(span);
        let trace = sources.trace(span);
        for &value in &trace.values {
            let text = sources.text(value);
            let port = text.len() <= 5 && text.iter().all(u8::is_ascii_digit);
            // Chart.yaml is public.
            if !worth_hiding(text) || sources.get(value.source).name.ends_with("Chart.yaml") {
                continue;
            }
            if trace.values.len() == 1 {
                self.hide(value);
            } else if !port {
                self.beside.insert(value);
            }
        }
        self.hide_template_text(span, sources);
    }

    /// Hides the text that comes from the templates themselves: literals, and the ranges of text
    /// that were copied to the span.
    fn hide_template_text(&mut self, span: Span, sources: &Sources) {
        for piece in sources.pieces(span) {
            let rendered = &sources.get(span.source).text[piece.start as usize..piece.end as usize];
            let cut = piece.start.max(span.start)
                ..piece.end.min(span.end).max(piece.start.max(span.start));
            for at in written(span.source, piece.origin, sources) {
                let text = sources.text(at);
                if text.starts_with(b"{{") {
                    continue;
                }
                let hidden = match memchr::memmem::find(text, rendered) {
                    Some(offset) => {
                        let start = at.start as usize + offset + (cut.start - piece.start) as usize;
                        Span::new(at.source, start, start + cut.len())
                    }
                    None => at,
                };
                if worth_hiding(sources.text(hidden)) {
                    self.hide(hidden);
                }
            }
        }
    }

    fn hide(&mut self, span: Span) {
        self.places
            .entry(span.source)
            .or_default()
            .insert(span.start, span.end);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether a span overlaps a secret; for an empty span, whether it lies inside one.
    pub fn touches(&self, span: Span) -> bool {
        self.places.get(&span.source).is_some_and(|places| {
            places
                .within(span.start, span.end.max(span.start + 1))
                .next()
                .is_some()
        })
    }

    /// The parts of a span that are secret, or were made from a secret.
    fn hidden_in(&self, span: Span, sources: &Sources) -> Vec<Range<u32>> {
        if self.places.is_empty() {
            return Vec::new();
        }
        let clip = |from: u32, to: u32| from.max(span.start)..to.min(span.end);
        let own = self
            .places
            .get(&span.source)
            .into_iter()
            .flat_map(|places| places.within(span.start, span.end))
            .map(|(from, to)| clip(from, to));
        let made = sources
            .pieces(span)
            .map(|piece| clip(piece.start, piece.end))
            .filter(|part| {
                let trace = sources.trace(Span {
                    start: part.start,
                    end: part.end,
                    ..span
                });
                // An action that contains a secret literal is hidden only if it wrote that literal.
                trace.values.iter().any(|at| self.touches(*at))
                    || trace.templates.iter().any(|at| self.is_whole(*at))
            });
        let mut parts: Vec<Range<u32>> = own
            .chain(made)
            .filter(|part| part.start < part.end)
            .collect();
        parts.sort_by_key(|part| (part.start, part.end));
        parts
    }

    fn is_whole(&self, span: Span) -> bool {
        self.places.get(&span.source).is_some_and(|places| {
            places
                .within(span.start, span.end)
                .any(|(from, to)| from <= span.start && span.end <= to)
        })
    }

    /// The text of a span of a file or of rendered text, with its secrets replaced by [`HIDDEN`].
    pub fn show<'s>(&self, span: Span, sources: &'s Sources) -> Cow<'s, str> {
        let text = sources.text(span);
        let hidden = self.hidden_in(span, sources);
        if hidden.is_empty() {
            return String::from_utf8_lossy(text);
        }
        let mut out = String::new();
        let mut from = 0;
        for part in hidden {
            let (start, end) = (
                (part.start - span.start) as usize,
                ((part.end - span.start) as usize).min(text.len()),
            );
            if end <= from {
                continue;
            }
            if start > from || out.is_empty() {
                out.push_str(&String::from_utf8_lossy(&text[from..start.max(from)]));
                out.push_str(HIDDEN);
            }
            from = end;
        }
        out.push_str(&String::from_utf8_lossy(&text[from.min(text.len())..]));
        out.into()
    }

    /// A source with its secrets replaced by asterisks. The number of bytes stays the same, so that
    /// regions keep their positions.
    pub fn without(&self, id: SourceId, sources: &Sources) -> Source {
        let source = sources.get(id);
        let whole = Span::new(id, 0, source.text.len());
        let hidden = self.hidden_in(whole, sources);
        if hidden.is_empty() {
            return source.clone();
        }
        let mut text = source.text.to_vec();
        for part in hidden {
            let end = (part.end as usize).min(text.len());
            let mut is_indentation = true;
            for byte in &mut text[(part.start as usize).min(end)..end] {
                // Line breaks, indentation and quotes stay, so that the file keeps its shape.
                let is_break = matches!(byte, b'\n' | b'\r');
                is_indentation = is_break || (is_indentation && byte.is_ascii_whitespace());
                if !is_indentation && !matches!(byte, b'"' | b'\'') {
                    *byte = b'*';
                }
            }
        }
        Source::new(source.name.clone(), text, source.kind.clone())
    }

    /// What a message about these places may quote of their secrets.
    pub(crate) fn quoted(
        &self,
        places: impl IntoIterator<Item = Span>,
        sources: &Sources,
    ) -> Quoted {
        let mut quoted = Quoted::default();
        for place in places {
            let text = String::from_utf8_lossy(sources.text(place));
            for part in self.hidden_in(place, sources) {
                let (start, end) = (part.start - place.start, part.end - place.start);
                quoted.add(&text, start as usize..end as usize);
            }
        }
        quoted
    }
}

/// The keys of a line in a text that is not YAML, and the ranges of their values.
fn pairs(line: &str) -> impl Iterator<Item = (&str, Range<usize>)> {
    line.match_indices(':')
        .filter(|(at, _)| {
            // JSON needs no blank behind a quoted key.
            line[at + 1..].starts_with([' ', '\t']) || line[..*at].ends_with(['"', '\''])
        })
        .map(move |(at, _)| {
            let before = &line[..at];
            let key = before
                .rsplit([',', '{', '[', ' '])
                .next()
                .unwrap_or(before)
                .trim_matches(['-', '"', '\'']);
            let value = line[at + 1..].trim_start();
            let length = match value.chars().next() {
                Some(quote @ ('"' | '\'')) => value[1..].find(quote).map(|end| end + 2),
                _ if before.contains('{') => value.find([',', '}', ']']),
                _ => None,
            };
            let start = line.len() - value.len();
            (key, start..start + length.unwrap_or(value.len()))
        })
}

/// The variables of a text's actions, each with its `$`.
fn variables_in(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('$').map(|(at, _)| {
        let name = &text[at + 1..];
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        &text[at..at + 1 + end.unwrap_or(name.len())]
    })
}

/// Whether a line of a document that is not YAML says that its kind is Secret.
fn names_secret(line: &str) -> bool {
    pairs(line).any(|(key, value)| {
        let value = line[value].trim_start_matches("!!str").trim();
        key == "kind" && value.trim_matches(['"', '\'', ',', '}']) == "Secret"
    })
}

/// Whether a literal of an action, behind `before`, is a name, a message, a format or a key of a
/// template, and no value.
fn is_name(before: &[u8]) -> bool {
    const FUNCTIONS: [&[u8]; 14] = [
        b"include",
        b"template",
        b"define",
        b"block",
        b"tpl",
        b"required",
        b"fail",
        b"printf",
        b"lookup",
        b"dict",
        b"get",
        b"hasKey",
        b"index",
        b"eq",
    ];
    let is_end = |byte: &u8| !byte.is_ascii_alphanumeric();
    let word = before.trim_ascii_end();
    let start = word.iter().rposition(is_end).map_or(0, |at| at + 1);
    FUNCTIONS.contains(&&word[start..])
}

/// The template places that a problem refers to.
fn places_of(problem: &Problem) -> impl Iterator<Item = Span> {
    let (span, includes) = match problem {
        Problem::Parse(error) => (Some(error.span), &[][..]),
        Problem::Template(error) => (Some(error.span), &error.includes[..]),
        Problem::Chart(_) | Problem::Release(_) | Problem::Schema(_) => (None, &[][..]),
    };
    span.into_iter().chain(includes.iter().copied())
}

/// Whether an object is a Secret of Kubernetes, or would be one with the right apiVersion: that of
/// a core resource has no group.
pub(crate) fn is_secret(object: &Object) -> bool {
    let version = &object.identity.api_version;
    &*object.identity.kind == "Secret" && (!version.contains('.') || version.contains("k8s.io"))
}

/// Whether a text can be a secret; `true`, `""` and the empty text cannot.
fn worth_hiding(text: &[u8]) -> bool {
    !matches!(
        text.trim_ascii(),
        b"" | b"\"\""
            | b"''"
            | b"true"
            | b"false"
            | b"null"
            | b"~"
            | b"{}"
            | b"[]"
            | b"|"
            | b"|-"
            | b">"
    )
}

/// Whether the key of a value marks it as a secret. `existingSecret` only names one.
fn is_secret_key(key: &str) -> bool {
    is_secret_name(key) && !key.to_lowercase().ends_with("secret")
}

/// Whether the name of a value says that the text is a secret.
pub(crate) fn is_named_secret(name: &str, text: &str) -> bool {
    is_secret_key(name) && !is_harmless(text)
}

/// Whether a value outside of a Secret is a secret, by its name or by its text.
fn is_plain_secret(name: &str, value: &Node) -> bool {
    value
        .as_str()
        .is_some_and(|text| is_secret_text(text) || (is_secret_name(name) && !is_harmless(text)))
}

/// Disjoint ranges of bytes: start to end.
#[derive(Clone, Debug, Default)]
struct Ranges(BTreeMap<u32, u32>);

impl Ranges {
    fn insert(&mut self, mut start: u32, mut end: u32) {
        let near: Vec<(u32, u32)> = self
            .within(start.saturating_sub(1), end.saturating_add(1))
            .collect();
        for (from, to) in near {
            self.0.remove(&from);
            (start, end) = (start.min(from), end.max(to));
        }
        self.0.insert(start, end);
    }

    /// The ranges that overlap the given one, last one first.
    fn within(&self, start: u32, end: u32) -> impl Iterator<Item = (u32, u32)> {
        self.0
            .range(..end)
            .rev()
            .map(|(&from, &to)| (from, to))
            .take_while(move |(_, to)| *to > start)
    }
}

/// The template text and the literals that an origin leads to.
fn written(of: SourceId, origin: OriginId, sources: &Sources) -> Vec<Span> {
    let mut spans = Vec::new();
    let Some(origins) = sources.origins(of.render()) else {
        return spans;
    };
    let mut stack = vec![origin];
    while let Some(id) = stack.pop() {
        match origins.get(id) {
            None | Some(Origin::Data(_) | Origin::Line { .. } | Origin::Missing(_)) => {}
            Some(Origin::Literal(at)) => spans.push(at),
            Some(Origin::Written { at, content, .. }) => {
                spans.push(at);
                stack.push(content);
            }
            Some(Origin::Joined(a, b)) => stack.extend([a, b]),
            Some(Origin::Fallback { value, .. }) => stack.push(value),
        }
    }
    spans
}

/// The ranges of the documents, which lines of `---` separate.
fn documents(text: &[u8]) -> Vec<Range<usize>> {
    let mut starts: Vec<usize> = memchr::memmem::find_iter(text, b"\n---")
        .map(|at| at + 1)
        .collect();
    starts.insert(0, 0);
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts
        .iter()
        .copied()
        .zip(ends)
        .map(|(start, end)| start..end)
        .collect()
}

/// The lines of a range that are UTF-8, with their offsets.
fn lines<'t>(text: &'t [u8], range: &Range<usize>) -> Vec<(usize, &'t str)> {
    let mut start = range.start;
    let cut = |line: &'t [u8]| {
        let at = start;
        start += line.len() + 1;
        Some((at, std::str::from_utf8(line).ok()?))
    };
    text[range.clone()]
        .split(|b| *b == b'\n')
        .filter_map(cut)
        .collect()
}
