//! Where to write what a finding says is missing: the value that the template reads at that place,
//! and the line of a values file that has to change.
//!
//! All of it comes from the record of the render. Where the object has an empty field, or one that
//! `toYaml` wrote, its origin is the value. Where it has no such field, a branch around the field
//! may not have been taken ([`Unwritten`]); the value that decided is the one to set.

use crate::diagnostic::{Diagnostic, Label, Role};
use crate::insight::line::{self, Line};
use crate::manifest::Object;
use crate::project::rendering::{EnvironmentRender, RenderedChart};
use crate::source::{Origin, OriginId, SourceId, SourceKind, Sources, Span};
use crate::template::body::{Bodies, Body, Holds, indented_by};
use crate::template::{Templates, Unwritten};
use crate::yaml::{Data, Node, Path, Step, Style};
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::rc::Rc;

/// Most branches that are looked at for one field.
const MOST_BRANCHES: usize = 1000;

/// A value that a template reads where something is missing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    /// The value to set, from the values of the top chart.
    pub value: Path,
    /// The line to change.
    pub line: Line,
    /// Where the template reads it.
    pub reader: Span,
}

/// The values that templates read, for the findings of one chart.
pub(crate) struct Places<'r> {
    rendering: &'r RenderedChart,
    sources: &'r Sources,
    /// The objects by the text that they are read from, in its order.
    objects: FxHashMap<SourceId, Vec<(&'r EnvironmentRender, &'r Object)>>,
    /// The branches by the set of templates.
    bodies: RefCell<FxHashMap<*const Templates, Rc<Bodies<'r>>>>,
    /// See [`Places::left_out`] and [`Places::by_template`].
    left_out: RefCell<FxHashMap<SourceId, Rc<Vec<(u32, usize)>>>>,
    by_template: RefCell<FxHashMap<*const EnvironmentRender, Rc<FxHashMap<SourceId, Vec<usize>>>>>,
}

/// A value that is not set.
#[derive(Debug)]
enum Unset {
    /// An empty value in a file.
    Empty(Span),
    /// A value that is absent, by its keys in the values of the template's chart.
    Absent(Path),
}

/// A field that an object does not have.
struct Missing<'r> {
    render: &'r EnvironmentRender,
    object: &'r Object,
    /// The nearest node above it that the object has, and the start of its key.
    holder: &'r Node,
    start: u32,
    /// The fields below.
    rest: Vec<Box<str>>,
}

impl<'r> Places<'r> {
    pub(crate) fn new(rendering: &'r RenderedChart, sources: &'r Sources) -> Places<'r> {
        let mut objects: FxHashMap<SourceId, Vec<_>> = FxHashMap::default();
        for render in &rendering.renders {
            for object in &render.objects {
                let of_text = objects.entry(object.root.span.source).or_default();
                of_text.push((render, object));
            }
        }
        for of_text in objects.values_mut() {
            of_text.sort_by_key(|(_, object)| object.root.span.start);
        }
        Places {
            rendering,
            sources,
            objects,
            bodies: RefCell::default(),
            left_out: RefCell::default(),
            by_template: RefCell::default(),
        }
    }

    /// Says in each finding about something missing where to write it.
    pub(crate) fn suggest(&self, found: &mut [Diagnostic]) {
        for diagnostic in found.iter_mut() {
            let Some((object, path)) = self.subject(diagnostic) else {
                continue;
            };
            let Some(missing) = Missing::of(object, &path) else {
                continue;
            };
            match self.places(object, &path).next() {
                Some(place) => {
                    let text = place.text(self.sources);
                    let label = format!("set `{}` here", place.value.text());
                    diagnostic.suggest(&text, label, place.line.at, place.line.below);
                }
                None => self.add_below(&missing, diagnostic),
            }
        }
    }

    /// Whether a finding is about something missing that a value lets be chosen.
    pub(crate) fn is_offered(&self, diagnostic: &Diagnostic) -> bool {
        let Some((object, path)) = self.subject(diagnostic) else {
            return false;
        };
        self.places(object, &path).any(|place| place.line.is_open)
    }

    /// The object and the field that a finding is about.
    fn subject(
        &self,
        diagnostic: &Diagnostic,
    ) -> Option<((&'r EnvironmentRender, &'r Object), Path)> {
        let objects = self.objects.get(&diagnostic.span.source)?;
        // The objects of a text follow each other; several environments may have the same one.
        let begins = |(_, object): &(_, &Object)| object.root.span.start;
        let end = objects.partition_point(|of| begins(of) <= diagnostic.span.start);
        let last = objects[..end].last().map(begins)?;
        let first = objects.partition_point(|of| begins(of) < last);
        let found = objects[first];
        if !found.1.root.span.holds(diagnostic.span) {
            return None;
        }
        let path = Path::of(diagnostic.path.as_deref()?, &found.1.root);
        Some((found, path))
    }

    /// The values to set for a field that is missing: that of the container, then that of its pod.
    fn places(
        &self,
        object: (&'r EnvironmentRender, &'r Object),
        path: &Path,
    ) -> impl Iterator<Item = Place> {
        let own = Missing::of(object, path);
        let of_pod = own.as_ref().and_then(|_| of_pod(path));
        let of_pod = of_pod.and_then(|path| Missing::of(object, &path));
        own.into_iter()
            .chain(of_pod)
            .filter_map(|missing| self.value(&missing))
    }

    fn value(&self, missing: &Missing<'r>) -> Option<Place> {
        self.of_empty(missing)
            .or_else(|| self.of_branch(missing))
            .or_else(|| self.of_map(missing))
    }

    /// The value that an empty field comes from.
    fn of_empty(&self, missing: &Missing<'r>) -> Option<Place> {
        let holder = missing.holder;
        if !is_unset(holder) {
            return None;
        }
        let pieces = self.sources.pieces(holder.span);
        let origins: Vec<OriginId> = pieces.map(|piece| piece.origin).collect();
        for origin in origins {
            let value = self.unset(missing, origin);
            if let Some(place) = value.and_then(|value| {
                let reader = *self.sources.trace(holder.span).templates.last()?;
                self.located(missing, value, &missing.rest, reader)
            }) {
                return Some(place);
            }
        }
        None
    }

    /// The value that decided that a branch with the field is not rendered.
    fn of_branch(&self, missing: &Missing<'r>) -> Option<Place> {
        let bodies = self.bodies(missing.render)?;
        self.unwritten(missing)
            .into_iter()
            .find_map(|(unwritten, at)| {
                let steps = match bodies.of(unwritten.at) {
                    None => is_unset(missing.holder).then_some(0)?,
                    Some(body) => self.steps(missing, (unwritten, at), &body)?,
                };
                let value = self.unset(missing, unwritten.decided_by)?;
                self.located(missing, value, &missing.rest[steps..], unwritten.at)
            })
    }

    /// How many of the missing fields a branch writes by itself; the value must hold the others.
    /// None if it does not write the field.
    fn steps(
        &self,
        missing: &Missing<'r>,
        (unwritten, at): (&Unwritten, u32),
        body: &Body,
    ) -> Option<usize> {
        let text_of = |id| self.sources.get(id).text.clone();
        let indent = indented_by(&unwritten.calls, &text_of);
        let column = body.column().map(|column| column + indent);
        let rest: Vec<&str> = missing.rest.iter().map(|key| &**key).collect();
        let is_here = match is_unset(missing.holder) {
            true if body.is_value_only() => return Some(0),
            // What is below the key is its content.
            true => column > Some(self.column_of_key(missing)),
            false => {
                self.has_column(missing.holder, column)
                    || (!unwritten.calls.is_empty() && is_between(missing.holder, at))
            }
        };
        match is_here {
            true if rest.is_empty() => Some(0),
            true => match body.holds(&rest)? {
                Holds::Anything => Some(rest.len()),
                Holds::Rest { steps } => Some(steps),
            },
            false => None,
        }
    }

    /// The map in a values file that a field of the object is written from.
    fn of_map(&self, missing: &Missing<'r>) -> Option<Place> {
        const MOST: usize = 50;
        let entries = missing.holder.entries();
        if entries.is_empty() || entries.len() > MOST {
            return None;
        }
        let mut first = None;
        for entry in entries {
            let trace = self.sources.trace(entry.key_span);
            let [value] = trace.values[..] else {
                return None;
            };
            first.get_or_insert((value, *trace.templates.last()?));
        }
        let (value, reader) = first?;
        let mut path = line::path_at(self.rendering, value)?;
        path.0.pop();
        self.in_file(missing, value.source, path, &missing.rest, reader)
    }

    /// What was not written within the holder of a field, with its place in the text.
    fn unwritten(&self, missing: &Missing<'r>) -> Vec<(&'r Unwritten, u32)> {
        let holder = missing.holder.span;
        let text = &self.sources.get(holder.source).text;
        let after = &text[(holder.end as usize).min(text.len())..];
        let blanks = after.len() - after.trim_ascii_start().len();
        let end = holder.end + blanks as u32;
        let all = &missing.render.rendered.record.unwritten;
        let places = self.left_out(holder.source, missing);
        let from = places.partition_point(|(at, _)| *at < missing.start);
        let within = places[from..].iter().take_while(|(at, _)| *at <= end);
        let within = within.take(MOST_BRANCHES);
        within.map(|(at, index)| (&all[*index], *at)).collect()
    }

    /// The places in a text where something was not written, with its number in the record. Sorted.
    fn left_out(&self, source: SourceId, missing: &Missing<'r>) -> Rc<Vec<(u32, usize)>> {
        let mut texts = self.left_out.borrow_mut();
        let of_text = texts.entry(source).or_insert_with(|| {
            let rendered = &missing.render.rendered;
            let mut outputs = rendered.outputs.iter().chain(&rendered.variants);
            let output = outputs.find(|output| output.text == source);
            let written = when_written(self.sources, source);
            let place = |index: &usize| {
                let after = rendered.record.unwritten[*index].after;
                let before = written.partition_point(|(when, _)| *when <= after);
                Some((written[..before].last()?.1, *index))
            };
            let by_template = self.by_template(missing.render);
            let all = output.and_then(|output| by_template.get(&output.template));
            let mut places: Vec<_> = all.into_iter().flatten().filter_map(place).collect();
            places.sort_unstable();
            Rc::new(places)
        });
        of_text.clone()
    }

    /// What a render did not write, by the file of the outermost template.
    fn by_template(&self, render: &'r EnvironmentRender) -> Rc<FxHashMap<SourceId, Vec<usize>>> {
        let mut renders = self.by_template.borrow_mut();
        let of_render = renders
            .entry(std::ptr::from_ref(render))
            .or_insert_with(|| {
                let mut all: FxHashMap<SourceId, Vec<usize>> = FxHashMap::default();
                for (index, unwritten) in render.rendered.record.unwritten.iter().enumerate() {
                    let outermost = unwritten.calls.first().unwrap_or(&unwritten.at);
                    all.entry(outermost.source).or_default().push(index);
                }
                Rc::new(all)
            });
        of_render.clone()
    }

    fn bodies(&self, render: &'r EnvironmentRender) -> Option<Rc<Bodies<'r>>> {
        let templates = &**render.rendered.templates.as_ref()?;
        let mut all = self.bodies.borrow_mut();
        let bodies = all
            .entry(templates)
            .or_insert_with(|| Rc::new(Bodies::new(templates)));
        Some(bodies.clone())
    }

    /// The first value that an origin leads to, if it is empty or absent.
    fn unset(&self, missing: &Missing<'r>, origin: OriginId) -> Option<Unset> {
        const MOST: usize = 100;
        let origins = self.sources.origins(missing.holder.span.source.render())?;
        let reads = &missing.render.rendered.record.missing;
        let absent = |path: &Option<Vec<Box<str>>>| match path.as_deref() {
            Some([first, keys @ ..]) if &**first == "Values" && !keys.is_empty() => {
                Some(Unset::Absent(keys_path(keys)))
            }
            _ => None,
        };
        let mut stack = vec![origin];
        for _ in 0..MOST {
            let found = match origins.get(stack.pop()?) {
                Some(Origin::Data(span)) if line::is_unset(self.rendering, span) => {
                    Some(Unset::Empty(span))
                }
                Some(Origin::Missing(read)) => absent(&reads.get(read as usize)?.path),
                Some(Origin::Written { content, .. }) => {
                    stack.push(content);
                    None
                }
                Some(Origin::Joined(a, b)) => {
                    stack.extend([b, a]);
                    None
                }
                Some(Origin::Fallback { value, instead }) => {
                    stack.push(value);
                    let read = reads.iter().find(|read| read.at == instead);
                    read.and_then(|read| absent(&read.path))
                }
                _ => None,
            };
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// The column of the key that holds nothing.
    fn column_of_key(&self, missing: &Missing<'r>) -> usize {
        let text = &self.sources.get(missing.holder.span.source).text;
        let before = &text[..(missing.start as usize).min(text.len())];
        let line = &before[memchr::memrchr(b'\n', before).map_or(0, |i| i + 1)..];
        let margin = line.iter().take_while(|b| matches!(b, b' ' | b'-'));
        margin.count()
    }

    /// Whether the keys of a map are in this column. True for a map that has no lines of its own.
    fn has_column(&self, node: &Node, column: Option<usize>) -> bool {
        let Some(first) = node
            .entries()
            .first()
            .filter(|_| node.style == Style::Block)
        else {
            return true;
        };
        let place = self
            .sources
            .get(first.key_span.source)
            .locate(first.key_span.start);
        column.is_none_or(|column| column + 1 == place.1)
    }

    fn located(
        &self,
        missing: &Missing<'r>,
        value: Unset,
        rest: &[Box<str>],
        reader: Span,
    ) -> Option<Place> {
        let keys = match value {
            Unset::Empty(at) => {
                let path = line::path_at(self.rendering, at)?;
                return self.in_file(missing, at.source, path, rest, reader);
            }
            Unset::Absent(keys) => keys,
        };
        let is_global = keys.0.first() == Some(&Step::Key("global".into()));
        let keys = match is_global {
            true => keys,
            false => charts_of(&missing.object.template).join(&keys),
        };
        let value = keys.join(&keys_path(rest));
        let environment = missing.render.environment;
        let place = (&value, keys.0.len());
        let line = line::nearest(self.rendering, self.sources, environment, place)?;
        Some(Place {
            value,
            line,
            reader,
        })
    }

    /// The place of fields in a value of a values file.
    fn in_file(
        &self,
        missing: &Missing<'r>,
        file: SourceId,
        value: Path,
        rest: &[Box<str>],
        reader: Span,
    ) -> Option<Place> {
        let read = value.0.len();
        let own = value.join(&keys_path(rest));
        let mut line = line::of(self.rendering, self.sources, file, (&own, read))?;
        let mut prefix = line::prefix(self.rendering, file)?;
        // A library may read its own values as if they were those of the chart that uses it.
        let chart = charts_of(&missing.object.template);
        let written = String::from_utf8_lossy(self.sources.text(reader));
        let is_of_chart = || written.contains(&format!(".Values.{}", value.text()));
        if prefix.path != chart && is_of_chart() {
            prefix.path = chart;
            prefix.is_elsewhere = true;
        }
        let value = prefix.path.join(&own);
        if prefix.is_elsewhere {
            let place = (&value, prefix.path.0.len() + read);
            line = Line {
                is_open: line.is_open,
                ..line::nearest(
                    self.rendering,
                    self.sources,
                    missing.render.environment,
                    place,
                )?
            };
        }
        Some(Place {
            value,
            line,
            reader,
        })
    }

    /// Names the line of the template that a field can be added to.
    fn add_below(&self, missing: &Missing<'r>, diagnostic: &mut Diagnostic) {
        let above = match missing.holder.entries().first() {
            Some(entry) => entry.key_span,
            None => missing.holder.span,
        };
        let trace = self.sources.trace(above);
        let Some(at) = trace.templates.last() else {
            return;
        };
        match line::foreign(self.rendering, at.source) {
            Some(chart) => {
                let text = format!(
                    "The chart {chart}, which comes from a repository, reads no value for it."
                );
                diagnostic.explain(&text);
            }
            None => {
                let text = format!("Add it below {}.", line::name(*at, self.sources));
                let below = missing.rest.clone();
                diagnostic.suggest(&text, "add it below".to_owned(), *at, below);
            }
        }
    }
}

impl Diagnostic {
    /// Adds a sentence to the help.
    fn explain(&mut self, text: &str) {
        self.help = Some(match self.help.take() {
            Some(help) => format!("{help}\n{text}"),
            None => text.to_owned(),
        });
    }

    /// Adds to the help where to write what is missing.
    fn suggest(&mut self, text: &str, label: String, span: Span, below: Vec<Box<str>>) {
        self.explain(text);
        self.labels.push(Label {
            span,
            text: label,
            role: Role::Fix,
            below,
        });
    }
}

impl Place {
    /// For example "Set `resources.limits.memory` in values.yaml:112 (`resources: {}`);
    /// templates/deployment.yaml:57 reads it."
    fn text(&self, sources: &Sources) -> String {
        format!(
            "Set `{}` in {}; {} reads it.",
            self.value.text(),
            self.line.text(sources),
            line::name(self.reader, sources)
        )
    }
}

impl<'r> Missing<'r> {
    /// None if the object has the field.
    fn of(
        (render, object): (&'r EnvironmentRender, &'r Object),
        path: &Path,
    ) -> Option<Missing<'r>> {
        let mut holder = &*object.root;
        let mut start = holder.span.start;
        let mut steps = path.0.iter().peekable();
        while let Some(step) = steps.peek() {
            let next = match step {
                Step::Key(key) => holder.entry(key).map(|e| (&e.value, e.key_span.end)),
                Step::Index(index) => holder.items().get(*index).map(|n| (n, n.span.start)),
            };
            let Some((node, its_start)) = next else { break };
            (holder, start) = (node, its_start);
            steps.next();
        }
        let rest = steps.map_while(|step| match step {
            Step::Key(key) => Some(key.clone()),
            Step::Index(_) => None,
        });
        let rest: Vec<Box<str>> = rest.collect();
        (!rest.is_empty() || is_unset(holder)).then_some(Missing {
            render,
            object,
            holder,
            start,
            rest,
        })
    }
}

/// Whether a node holds nothing.
fn is_unset(node: &Node) -> bool {
    match &node.data {
        Data::Null => true,
        Data::Map(entries) => entries.is_empty(),
        Data::Seq(items) => items.is_empty(),
        Data::Str(text) => text.is_empty(),
        _ => false,
    }
}

/// Whether a place is between the fields of a map.
fn is_between(node: &Node, at: u32) -> bool {
    let mut values = node.entries().iter().map(|entry| entry.value.span);
    at < node.span.end && !values.any(|value| value.start < at && at < value.end)
}

/// When the pieces of a rendered text were written, and where they end. Sorted. Text that several
/// calls of templates passed on has an entry for each.
fn when_written(sources: &Sources, source: SourceId) -> Vec<(OriginId, u32)> {
    let mut all = Vec::new();
    let (SourceKind::Derived(pieces), Some(origins)) =
        (&sources.get(source).kind, sources.origins(source.render()))
    else {
        return all;
    };
    for piece in pieces {
        let mut origin = piece.origin;
        while let Some(Origin::Written { content, .. }) = origins.get(origin) {
            all.push((origin, piece.end));
            origin = content;
        }
    }
    all.sort_unstable();
    all
}

/// The field of a pod that holds for its containers, as the API reference of `SecurityContext` says:
/// "may also be set in PodSecurityContext".
fn of_pod(path: &Path) -> Option<Path> {
    const OF_POD: [&str; 5] = [
        "runAsNonRoot",
        "runAsUser",
        "runAsGroup",
        "seccompProfile",
        "appArmorProfile",
    ];
    let [
        pod @ ..,
        Step::Key(_),
        Step::Index(_),
        Step::Key(context),
        Step::Key(field),
    ] = &path.0[..]
    else {
        return None;
    };
    let is_shared = &**context == "securityContext" && OF_POD.contains(&&**field);
    is_shared.then(|| {
        let below = [Step::Key(context.clone()), Step::Key(field.clone())];
        Path(pod.iter().cloned().chain(below).collect())
    })
}

fn keys_path(keys: &[Box<str>]) -> Path {
    Path(keys.iter().cloned().map(Step::Key).collect())
}

/// The keys of the values of a template's chart, from Helm's name of the template:
/// `top/charts/sub/templates/x.yaml`.
fn charts_of(template: &str) -> Path {
    let mut path = Path::root();
    let mut steps = template.split('/').skip(1);
    while steps.next() == Some("charts")
        && let Some(chart) = steps.next()
    {
        path = path.key(chart);
    }
    path
}
