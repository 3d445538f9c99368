//! Records what a render did: which data it read, which template nodes it executed, which values
//! were missing, and what it asked of `.Capabilities`.
//!
//! The evaluator only sets bits while it runs. [`Record`] turns them into spans at the end.

use super::tree::{NodeIndex, Template};
use crate::source::{Origin, OriginId, Origins, Span};
use crate::value::weight::address;
use crate::value::{Kind, Map, MapData, Value};
use rustc_hash::{FxHashMap, FxHashSet};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// A set of small numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BitSet {
    words: Vec<u64>,
}

impl BitSet {
    pub fn insert(&mut self, index: usize) {
        let word = index / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (index % 64);
    }
    pub fn contains(&self, index: usize) -> bool {
        self.words
            .get(index / 64)
            .is_some_and(|word| word >> (index % 64) & 1 == 1)
    }
    /// Adds all members of `other`, to combine several renders.
    pub fn union(&mut self, other: &BitSet) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
            *mine |= theirs;
        }
    }
}

/// A field that a template read although the data does not have it (or has null).
#[derive(Clone, Debug, PartialEq)]
pub struct MissingRead {
    /// The field in the template.
    pub at: Span,
    /// The keys from the root of the data (`Values`, `image`, `tag`); none if the map is neither the
    /// root nor part of the values (`dict`, `merge`… made it).
    pub path: Option<Vec<Box<str>>>,
    /// The template expects that the field may be missing: it goes to `default`, `if`, `with`,
    /// `hasKey`, a variable…
    pub guarded: bool,
}

/// A value that was given, but that `default` replaced.
#[derive(Clone, Debug, PartialEq)]
pub struct Overruled {
    /// The call in the template.
    pub at: Span,
    /// The value: `false` or 0.
    pub given: Span,
    /// What replaced it, as it is printed.
    pub by: String,
}

/// A part of a template that wrote nothing because a value is empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Unwritten {
    /// The pipeline of the `if`, `with` or `range`, or the whole action.
    pub at: Span,
    /// The innermost calls of templates that led to it, outermost first.
    pub calls: Arc<[Span]>,
    /// The origin of the value.
    pub decided_by: OriginId,
    /// The last origin made before: text with a higher one was written later.
    pub after: OriginId,
}

/// A question to `.Capabilities`, with its answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Asked {
    /// `.Capabilities.APIVersions.Has`
    HasApi {
        api: String,
        answer: bool,
    },
    /// The cluster's version was compared with this constraint by `semverCompare`.
    Compared {
        constraint: String,
        answer: bool,
    },
    /// `.Capabilities.KubeVersion.Version`, used other than in `semverCompare`.
    Version(String),
    Major(String),
    Minor(String),
    /// A question that only a new render can answer for another version.
    Other,
}

/// What one render did.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Spans of keys and values of data files that a template read, sorted.
    pub read: Vec<Span>,
    /// The nodes of [`super::Templates::nodes`] that were executed.
    pub executed: BitSet,
    /// Origins refer to them by their number.
    pub missing: Vec<MissingRead>,
    /// In the order of the execution.
    pub unwritten: Vec<Unwritten>,
    pub overruled: Vec<Overruled>,
    /// Calls of functions whose result in Helm is random or depends on the time.
    pub volatile: Vec<Span>,
    pub capabilities: Vec<Asked>,
}

/// A missing field, as the evaluator notices it.
pub(super) struct Miss {
    pub at: Span,
    /// The data of the template, and the map that does not have the field.
    pub root: Value,
    pub map: Map,
    pub name: Box<str>,
    pub guarded: bool,
}

/// The positions of maps in the values of a template.
struct Places {
    /// The maps, each with the index of the map that contains it.
    maps: Vec<(Map, Option<usize>)>,
    by_address: FxHashMap<*const RefCell<MapData>, usize>,
}

impl Places {
    fn new(root: &Value) -> Places {
        const MOST: usize = 50_000;
        let mut places = Places {
            maps: Vec::new(),
            by_address: FxHashMap::default(),
        };
        let values = root.as_map().and_then(|map| map.get(b"Values"));
        let mut stack: Vec<(Map, Option<usize>)> = values
            .iter()
            .filter_map(Value::as_map)
            .map(|map| (map.clone(), None))
            .collect();
        while let Some((map, holder)) = stack.pop() {
            let index = places.maps.len();
            if index >= MOST || places.by_address.contains_key(&Rc::as_ptr(&map.0)) {
                continue;
            }
            places.by_address.insert(Rc::as_ptr(&map.0), index);
            stack.extend(
                map.0
                    .borrow()
                    .entries
                    .values()
                    .filter_map(|entry| Some((entry.value.as_map()?.clone(), Some(index)))),
            );
            places.maps.push((map, holder));
        }
        places
    }

    fn path(&self, miss: &Miss) -> Option<Vec<Box<str>>> {
        let root = miss.root.as_map();
        if root.is_some_and(|root| Rc::ptr_eq(&root.0, &miss.map.0)) {
            return Some(vec![miss.name.clone()]);
        }
        let (mut inner, mut holder) = (
            &miss.map,
            self.maps[*self.by_address.get(&Rc::as_ptr(&miss.map.0))?].1,
        );
        let mut path = vec![miss.name.clone()];
        while let Some((outer, next)) = holder.map(|index| &self.maps[index]) {
            let entries = &outer.0.borrow().entries;
            let is_it = |value: &Value| {
                value
                    .as_map()
                    .is_some_and(|map| Rc::ptr_eq(&map.0, &inner.0))
            };
            let key = entries
                .iter()
                .find(|(_, entry)| is_it(&entry.value))
                .map(|(key, _)| String::from_utf8_lossy(key));
            path.push(key?.into());
            (inner, holder) = (outer, *next);
        }
        path.push("Values".into());
        path.reverse();
        Some(path)
    }
}

/// Collects what a render does while it runs.
#[derive(Default)]
pub(super) struct Recorder {
    read: BitSet,
    executed: BitSet,
    missed: Vec<Miss>,
    /// The origin of each miss by its place and map, so that each is recorded once.
    misses: FxHashMap<(Span, usize), OriginId>,
    pub unwritten: Vec<Unwritten>,
    pub volatile: BTreeSet<Span>,
    /// The call of `default`, the value that was given, and what replaced it.
    overruled: BTreeSet<(Span, OriginId, String)>,
    capabilities: BTreeSet<Asked>,
    /// The cluster's version as templates read it, how often they read it, and how often it was
    /// passed to `semverCompare`.
    kube_version: Option<String>,
    /// Whether a template changed data that later templates see: since the last call of
    /// `take_asked`, and before it.
    changed_data: bool,
    changed_before: bool,
    /// What earlier templates asked.
    asked_before: BTreeSet<Asked>,
    version_reads: usize,
    version_compared: usize,
}

impl Recorder {
    pub(super) fn read(&mut self, origin: OriginId) {
        if let Some(index) = origin.index() {
            self.read.insert(index);
        }
    }

    /// Records that a value was read. The contents of a map or list are not read yet.
    pub(super) fn read_value(&mut self, value: &Value) {
        self.read(value.origin);
        if let Kind::Str(text) = &value.kind {
            text.pieces()
                .iter()
                .for_each(|piece| self.read(piece.origin));
        }
    }

    /// Records that a value was read with all of its contents.
    pub(super) fn read_deeply(&mut self, value: &Value) {
        if !matches!(value.kind, Kind::List(_) | Kind::Map(_)) {
            return self.read_value(value);
        }
        // Values share their parts, and a map may contain itself.
        let mut seen = FxHashSet::default();
        let mut stack = vec![value.clone()];
        while let Some(value) = stack.pop() {
            self.read_value(&value);
            if !address(&value).is_some_and(|address| seen.insert(address)) {
                continue;
            }
            match &value.kind {
                Kind::List(list) => stack.extend(list.items.iter().cloned()),
                Kind::Map(map) => {
                    for entry in map.0.borrow().entries.values() {
                        self.read(entry.key);
                        stack.push(entry.value.clone());
                    }
                }
                _ => {}
            }
        }
    }

    /// Records a call of `default` that replaces `false` by `true`, or 0 by another number. An empty
    /// text, list or map, and `false` in place of a text, say that there is no value.
    pub(super) fn defaulted(&mut self, site: Span, arguments: &[Value]) {
        let [default, given] = arguments else {
            return;
        };
        let number = |kind: &Kind| match kind {
            Kind::Int64(value) => Some(*value as f64),
            Kind::Int(value) => Some(*value as f64),
            Kind::Float(value) => Some(*value),
            _ => None,
        };
        let by = match (&given.kind, &default.kind) {
            (Kind::Bool(false), Kind::Bool(true)) => "true".to_owned(),
            (given, default) if number(given) == Some(0.0) => {
                match number(default).filter(|default| *default != 0.0) {
                    Some(default) => default.to_string(),
                    None => return,
                }
            }
            _ => return,
        };
        self.overruled.insert((site, given.origin, by));
    }

    /// Records a call of a function that changes its first argument.
    pub(super) fn changes(&mut self, arguments: &[Value]) {
        self.changed_data |= arguments
            .first()
            .and_then(Value::as_map)
            .is_some_and(|map| map.0.borrow().is_shared);
    }

    /// Whether data that templates share was changed.
    pub(super) fn has_changed_data(&self) -> bool {
        self.changed_data || self.changed_before
    }

    /// Returns what was asked since the last call, and whether shared data was changed since then.
    pub(super) fn take_asked(&mut self) -> (Vec<Asked>, bool) {
        let mut asked = std::mem::take(&mut self.capabilities);
        // If every read of the version went into a comparison, the constraints cover all that was
        // asked.
        if std::mem::take(&mut self.version_reads) <= std::mem::take(&mut self.version_compared) {
            asked.retain(|asked| !matches!(asked, Asked::Version(_)));
        }
        self.asked_before.extend(asked.iter().cloned());
        self.changed_before |= self.changed_data;
        (
            asked.into_iter().collect(),
            std::mem::take(&mut self.changed_data),
        )
    }

    pub(super) fn asked(&mut self, asked: Asked) {
        self.capabilities.insert(asked);
    }

    pub(super) fn kube_version_read(&mut self, version: &str) {
        self.version_reads += 1;
        if self.kube_version.is_none() {
            self.kube_version = Some(version.to_string());
        }
    }

    /// Records a call of `semverCompare`: it asks only about this constraint of the cluster's
    /// version.
    pub(super) fn compared<E>(&mut self, arguments: &[Value], result: &Result<Value, E>) {
        let text = |i: usize| {
            arguments
                .get(i)
                .and_then(Value::as_text)
                .map(|t| t.to_str())
        };
        let (Some(constraint), Some(version), Ok(answer)) = (text(0), text(1), result) else {
            return;
        };
        if self
            .kube_version
            .as_ref()
            .is_some_and(|v| v.trim_start_matches('v') == version.trim_start_matches('v'))
        {
            self.version_compared += 1;
            self.asked(Asked::Compared {
                constraint: constraint.into_owned(),
                answer: answer.truth(),
            });
        }
    }

    pub(super) fn executed(&mut self, template: &Template, node: NodeIndex) {
        if let Some(first) = template.first_node {
            self.executed.insert((first + node) as usize);
        }
    }

    /// Records a missing field, once for each place and map. Returns the origin of its value.
    pub(super) fn missed(&mut self, miss: Miss, origins: &mut Origins) -> OriginId {
        let key = (miss.at, Rc::as_ptr(&miss.map.0) as usize);
        *self.misses.entry(key).or_insert_with(|| {
            self.missed.push(miss);
            origins.add(Origin::Missing(self.missed.len() as u32 - 1))
        })
    }

    /// The path of the value that the last miss at a place looked for.
    pub(super) fn path_of_miss(&self, at: Span) -> Option<Vec<Box<str>>> {
        self.missed
            .iter()
            .rev()
            .find(|miss| miss.at == at)
            .and_then(|miss| Places::new(&miss.root).path(miss))
    }

    pub(super) fn finish(mut self, origins: &Origins) -> Record {
        self.take_asked();
        let mut read = self.read;
        let mut spans = Vec::new();
        // An origin depends only on origins before it.
        for (index, origin) in origins.all().iter().enumerate().rev() {
            if !read.contains(index) {
                continue;
            }
            let mut rests_on = |id: OriginId| {
                if let Some(index) = id.index() {
                    read.insert(index);
                }
            };
            match *origin {
                Origin::Data(span) => spans.push(span),
                Origin::Line { of, .. } => rests_on(of),
                Origin::Literal(_) | Origin::Missing(_) => {}
                Origin::Written { content, .. } => rests_on(content),
                Origin::Joined(a, b) => {
                    rests_on(a);
                    rests_on(b);
                }
                Origin::Fallback { value, .. } => rests_on(value),
            }
        }
        spans.sort_unstable();
        spans.dedup();
        let mut places: Vec<(&Value, Places)> = Vec::new();
        let mut missing = Vec::with_capacity(self.missed.len());
        for miss in &self.missed {
            let is_same = |root: &Value| matches!((root.as_map(), miss.root.as_map()), (Some(a), Some(b)) if Rc::ptr_eq(&a.0, &b.0));
            let known = places
                .iter()
                .position(|(root, _)| is_same(root))
                .unwrap_or_else(|| {
                    places.push((&miss.root, Places::new(&miss.root)));
                    places.len() - 1
                });
            missing.push(MissingRead {
                at: miss.at,
                path: places[known].1.path(miss),
                guarded: miss.guarded,
            });
        }
        Record {
            read: spans,
            executed: self.executed,
            missing,
            unwritten: self.unwritten,
            volatile: self.volatile.into_iter().collect(),
            overruled: self
                .overruled
                .into_iter()
                .filter_map(|(at, given, by)| {
                    let given = origins.data(given)?;
                    Some(Overruled { at, given, by })
                })
                .collect(),
            capabilities: self.asked_before.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_numbers_grow() {
        let mut one = BitSet::default();
        one.insert(3);
        let mut other = BitSet::default();
        other.insert(200);
        one.union(&other);
        assert!(one.contains(3) && one.contains(200) && !one.contains(4) && !one.contains(4000));
    }
}
