//! Texts, places in them, and where rendered text comes from.
//!
//! The lowest room of the house but for the limits: everybody uses it, it uses nobody. It is the
//! only room that knows lines and columns; all others speak of bytes ([`Span`]).
//!
//! Files are loaded as sources before any render and are read-only from then on. Each render makes
//! its own derived sources (text given to `tpl`, rendered manifests) under its own render number,
//! so renders need no lock; [`Sources::adopt`] takes them in when the report is settled.

use crate::limits::{Limit, Limits};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Names one text: the upper 12 bits are the render that made it (0: a loaded file), the lower 20
/// its index there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SourceId(u32);

/// A smaller file is read without asking for its length.
const SMALL: u64 = 64 << 10;

const INDEX_BITS: u32 = 20;

impl SourceId {
    /// The id of source `index` of render `render` (0 for loaded files).
    pub fn new(render: u32, index: u32) -> SourceId {
        SourceId((render << INDEX_BITS) | (index & ((1 << INDEX_BITS) - 1)))
    }
    /// The render that made this source; 0 for a loaded file.
    pub fn render(self) -> u32 {
        self.0 >> INDEX_BITS
    }
    /// Its place among the sources of its render.
    pub fn index(self) -> usize {
        (self.0 & ((1 << INDEX_BITS) - 1)) as usize
    }
}

/// A half-open range of bytes of one source.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Span {
    pub source: SourceId,
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn new(source: SourceId, start: usize, end: usize) -> Span {
        Span {
            source,
            start: start as u32,
            end: end as u32,
        }
    }
    /// Whether all of `other` lies in it.
    pub fn holds(self, other: Span) -> bool {
        self.source == other.source && self.start <= other.start && other.end <= self.end
    }
    /// The smallest span that holds both; `self` where they lie in different sources.
    pub fn to(self, other: Span) -> Span {
        if self.source != other.source {
            return self;
        }
        Span {
            source: self.source,
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }
}

/// What a source is.
#[derive(Clone, Debug)]
pub enum SourceKind {
    /// A file that is none of those below: Chart.yaml, a configuration, a rule.
    File,
    /// A file in a chart's `templates/`.
    Template,
    /// A values file of a chart or of an environment.
    Values,
    /// A manifest that was given as it is, not rendered.
    Manifest,
    /// The text of a `--set`-like flag or of a configuration's `set:`; it has no file.
    Flag,
    /// Text that a render made: a rendered manifest, or text given to `tpl`. Its pieces are in
    /// order of their start.
    Derived(Vec<Piece>),
}

impl SourceKind {
    /// Whether the text is that of a file.
    pub fn is_file(&self) -> bool {
        !matches!(self, SourceKind::Flag | SourceKind::Derived(_))
    }
}

/// One text with its name.
#[derive(Clone, Debug)]
pub struct Source {
    /// As reachable from the working directory (`charts/x/values.yaml`; in an archive
    /// `x.tgz!x/values.yaml`); for derived text Helm's name of the template.
    pub name: Arc<str>,
    /// The bytes as they are in the file: a BOM is kept, UTF-8 is not promised.
    pub text: Arc<[u8]>,
    pub kind: SourceKind,
    line_starts: OnceLock<Vec<u32>>,
    /// For each piece, how far it or one before it reaches.
    reach: OnceLock<Vec<u32>>,
}

impl Source {
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<[u8]>>, kind: SourceKind) -> Source {
        Source {
            name: name.into(),
            text: text.into(),
            kind,
            line_starts: OnceLock::new(),
            reach: OnceLock::new(),
        }
    }

    fn line_starts(&self) -> &[u32] {
        self.line_starts.get_or_init(|| {
            let breaks = memchr::memchr_iter(b'\n', &self.text).map(|i| i as u32 + 1);
            std::iter::once(0).chain(breaks).collect()
        })
    }

    /// Line and column of a byte offset; both count from 1, the column in characters.
    pub fn locate(&self, offset: u32) -> (usize, usize) {
        let line = self.line_of(offset);
        let end = (offset as usize).min(self.text.len());
        let before = &self.text[(self.line_starts()[line - 1] as usize).min(end)..end];
        (line, String::from_utf8_lossy(before).chars().count() + 1)
    }

    /// The line of a byte offset, counted from 1.
    pub fn line_of(&self, offset: u32) -> usize {
        self.line_starts().partition_point(|&s| s <= offset)
    }

    /// The byte range of a line (counted from 1), without its line break; empty past the end.
    pub fn line(&self, line: usize) -> std::ops::Range<usize> {
        let starts = self.line_starts();
        let Some(&start) = starts.get(line.saturating_sub(1)) else {
            return self.text.len()..self.text.len();
        };
        let end = starts
            .get(line)
            .map_or(self.text.len(), |&s| s as usize - 1);
        start as usize..end
    }

    pub fn lines(&self) -> usize {
        self.line_starts().len()
    }

    /// The pieces that overlap a range of rendered text, and the empty ones at its start; none for
    /// the text of a file.
    fn pieces(&self, start: u32, end: u32) -> impl Iterator<Item = &Piece> {
        let pieces = match &self.kind {
            SourceKind::Derived(pieces) => pieces.as_slice(),
            _ => &[],
        };
        // Pieces are sorted by start, but may overlap: a piece that starts far before may still
        // reach the range.
        let reach = self.reach.get_or_init(|| {
            let longest = |most: &mut u32, piece: &Piece| {
                *most = piece.end.max(*most);
                Some(*most)
            };
            pieces.iter().scan(0, longest).collect()
        });
        let from = reach.partition_point(|&end| end < start);
        let until = pieces.partition_point(|p| p.start < end.max(start + 1));
        pieces[from.min(until)..until]
            .iter()
            .filter(move |p| p.end > start || (p.start == p.end && p.start == start))
    }
}

/// A range of a text and where it comes from. Pieces of one text may overlap (`sha256sum` gives all
/// of its output every origin of its input); bytes without a piece have no known origin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece {
    pub start: u32,
    pub end: u32,
    pub origin: OriginId,
}

/// Names an [`Origin`] in the [`Origins`] of one render.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct OriginId(u32);

impl OriginId {
    /// Nothing is known of where it comes from.
    pub const NONE: OriginId = OriginId(0);
    pub fn is_none(self) -> bool {
        self.0 == 0
    }
    /// Its place in a table that counts from 0; none for [`OriginId::NONE`]. What an origin rests
    /// on has a lower place than itself.
    pub fn index(self) -> Option<usize> {
        (self.0 as usize).checked_sub(1)
    }
}

/// Names a [`Condition`] in the [`Origins`] of one render.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ConditionId(u32);

impl ConditionId {
    /// Not inside of any `if`, `with` or `range`.
    pub const NONE: ConditionId = ConditionId(0);
}

/// Where a value or a piece of text comes from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Origin {
    /// A scalar or key of a values file, of Chart.yaml, of a `--set` flag, or text of a `.Files`
    /// file.
    Data(Span),
    /// One line of data that stands on several: `of` is the [`Origin::Data`] of all of it, `start`
    /// and `end` are the line's own bytes.
    Line { of: OriginId, start: u32, end: u32 },
    /// A constant in a template.
    Literal(Span),
    /// Went through a template place (a stretch of text, or an action) on its way: `content` is
    /// what the action wrote there, which for `include` holds the places inside of the helper in
    /// turn. `under` are the conditions in force there.
    Written {
        at: Span,
        content: OriginId,
        under: ConditionId,
    },
    /// Both reach it.
    Joined(OriginId, OriginId),
    /// `default`, `coalesce`, `ternary`: `value` was taken because the value that would stand at
    /// `instead` (the expression's span in the template) was empty.
    Fallback { value: OriginId, instead: Span },
}

/// An `if`, `with` or `range` around a place, and what decided it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Condition {
    /// The span of the pipeline that was judged.
    pub at: Span,
    /// What the decision rests on.
    pub decided_by: OriginId,
    /// Whether the place lies in the main branch (not in `else`).
    pub taken: bool,
    /// The next condition outward in the same template; those around an `include` belong to the
    /// action that calls it.
    pub outer: ConditionId,
}

/// All origins of one render.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    origins: Vec<Origin>,
    conditions: Vec<Condition>,
    /// Nobody will ask where anything comes from.
    are_unwanted: bool,
}

impl Origins {
    /// Keeps none: all that is added is [`OriginId::NONE`].
    pub fn unwanted() -> Origins {
        Origins {
            are_unwanted: true,
            ..Origins::default()
        }
    }
    pub fn are_unwanted(&self) -> bool {
        self.are_unwanted
    }
    pub fn add(&mut self, origin: Origin) -> OriginId {
        if self.are_unwanted {
            return OriginId::NONE;
        }
        self.origins.push(origin);
        OriginId(self.origins.len() as u32)
    }
    /// The origin of something made of both; no entry is made where one is unknown or both are the
    /// same.
    pub fn join(&mut self, a: OriginId, b: OriginId) -> OriginId {
        match (a.is_none(), b.is_none()) {
            (true, _) => b,
            (_, true) => a,
            _ if a == b => a,
            _ => self.add(Origin::Joined(a, b)),
        }
    }
    /// The origin of something made of all of these, in their order; of several lines of one value
    /// it is the value's.
    pub fn join_all(&mut self, all: impl IntoIterator<Item = OriginId>) -> OriginId {
        let (mut joined, mut last) = (OriginId::NONE, OriginId::NONE);
        for id in all {
            let value = self.value_of(id);
            if value.is_some() && (value == Some(last) || value == self.value_of(last)) {
                last = value.unwrap_or(id);
            } else if id != last {
                joined = self.join(joined, last);
                last = id;
            }
        }
        self.join(joined, last)
    }
    /// Of a line, the origin of all of its value.
    fn value_of(&self, id: OriginId) -> Option<OriginId> {
        match self.get(id) {
            Some(Origin::Line { of, .. }) => Some(of),
            _ => None,
        }
    }
    /// Where data stands; of a line of it, all of it. None for what is no data itself.
    pub fn data(&self, id: OriginId) -> Option<Span> {
        match self.get(self.value_of(id).unwrap_or(id)) {
            Some(Origin::Data(span)) => Some(span),
            _ => None,
        }
    }
    /// All origins, in the order of [`OriginId::index`].
    pub fn all(&self) -> &[Origin] {
        &self.origins
    }
    pub fn get(&self, id: OriginId) -> Option<Origin> {
        self.origins.get((id.0 as usize).wrapping_sub(1)).copied()
    }
    pub fn add_condition(&mut self, condition: Condition) -> ConditionId {
        if self.are_unwanted {
            return ConditionId::NONE;
        }
        self.conditions.push(condition);
        ConditionId(self.conditions.len() as u32)
    }
    pub fn condition(&self, id: ConditionId) -> Option<Condition> {
        self.conditions
            .get((id.0 as usize).wrapping_sub(1))
            .copied()
    }
}

/// What one render leaves behind: its derived sources and the origins that their pieces name.
#[derive(Clone, Debug, Default)]
pub struct Derived {
    pub sources: Vec<Source>,
    pub origins: Origins,
}

/// Texts that an editor has not saved yet, by absolute path: they are read in place of what is on
/// disk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Unsaved(Arc<BTreeMap<PathBuf, Arc<[u8]>>>);

impl Unsaved {
    /// Of absolute paths without `.` and `..`, see [`Unsaved::key`].
    pub fn new(texts: BTreeMap<PathBuf, Arc<[u8]>>) -> Unsaved {
        Unsaved(Arc::new(texts))
    }

    /// A path as the texts are named: absolute, without `.` and `..` (links are not followed).
    pub fn key(path: &Path) -> PathBuf {
        let mut key = PathBuf::new();
        for component in std::path::absolute(path)
            .unwrap_or_else(|_| path.to_path_buf())
            .components()
        {
            match component {
                Component::ParentDir => {
                    key.pop();
                }
                Component::CurDir => {}
                other => key.push(other),
            }
        }
        key
    }

    /// All of them.
    pub fn texts(&self) -> &BTreeMap<PathBuf, Arc<[u8]>> {
        &self.0
    }

    /// The text of a file that is not saved.
    pub fn get(&self, path: &Path) -> Option<&Arc<[u8]>> {
        if self.0.is_empty() {
            None
        } else {
            self.0.get(&Unsaved::key(path))
        }
    }
}

/// All texts of one unit (a chart, or a set of manifests): loaded files, then the derived texts of
/// each render.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
    renders: Vec<Derived>,
    unsaved: Unsaved,
    /// How much may be read and made of them.
    pub limits: Limits,
}

/// The story of a span, see [`Sources::trace`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// Template places that the text went through, the outermost first: the line of the template
    /// that was rendered, then the include chain.
    pub templates: Vec<Span>,
    /// The values (scalars in values files, flags, Chart.yaml, Files) whose text reaches it, in the
    /// order of the text. Of a text on several lines, from the first line that reaches it to the
    /// last.
    pub values: Vec<Span>,
    /// Expressions whose value, were it set, would be taken instead of a fallback.
    pub instead: Vec<Span>,
    /// Conditions around the innermost place, innermost first: the pipeline's span, whether its
    /// main branch was taken, and the values that decided.
    pub conditions: Vec<(Span, bool, Vec<Span>)>,
}

impl Sources {
    /// No texts yet; files are read as [`Sources::read_file`] does.
    pub fn with(unsaved: Unsaved) -> Sources {
        Sources {
            unsaved,
            ..Sources::default()
        }
    }

    /// The bytes of a file, as the editor has them where it is not saved.
    ///
    /// # Errors
    /// Those of [`std::fs::read`]; and a file that is none (a pipe or a device would never end) or
    /// is larger than [`Limit::FileSize`].
    pub fn read_file(&self, path: impl AsRef<Path>) -> std::io::Result<Vec<u8>> {
        let path = path.as_ref();
        if let Some(text) = self.unsaved.get(path) {
            return Ok(text.to_vec());
        }
        // What the shell hands over (`<(helm template …)`) is the person's own pipe.
        let is_handed_over = path.starts_with("/dev/fd")
            || path.starts_with("/proc/self/fd")
            || path == Path::new("/dev/stdin");
        let kind = std::fs::metadata(path)?;
        if !kind.is_file() && !kind.is_dir() && !is_handed_over {
            return Err(std::io::Error::other("is no regular file"));
        }
        self.read_expected(std::fs::File::open(path)?, kind.len())
    }

    /// As [`Sources::read_file`], of a regular file of so many bytes, whose text becomes a source
    /// as it is: no byte is copied.
    ///
    /// # Errors
    /// As [`Sources::read_file`].
    pub fn read_regular(&self, path: impl AsRef<Path>, length: u64) -> std::io::Result<Arc<[u8]>> {
        let path = path.as_ref();
        if let Some(text) = self.unsaved.get(path) {
            return Ok(text.clone());
        }
        let (mut file, most) = (std::fs::File::open(path)?, self.limits.get(Limit::FileSize));
        let mut text: Arc<[u8]> = std::iter::repeat_n(0, length.min(most) as usize).collect();
        let read = file.read(Arc::get_mut(&mut text).expect("nobody else has it yet"))?;
        if read as u64 == length && (1..=most).contains(&length) {
            return Ok(text);
        }
        // It came in parts, is larger than it may be, or of a kind whose length is not known.
        self.read_all(text[..read].chain(file)).map(Arc::from)
    }

    /// The bytes of a regular file, as the editor has them where it is not saved: None where it is
    /// not small, or cannot be read. `buffer` is room for those of one after the other.
    pub fn read_small(&self, path: &Path, buffer: &mut Vec<u8>) -> Option<Arc<[u8]>> {
        if let Some(text) = self.unsaved.get(path) {
            return Some(text.clone());
        }
        let most = SMALL.min(self.limits.get(Limit::FileSize));
        buffer.clear();
        buffer.reserve(SMALL as usize);
        let read = std::fs::File::open(path)
            .ok()?
            .take(most)
            .read_to_end(buffer)
            .ok()?;
        ((read as u64) < most).then(|| Arc::from(&buffer[..]))
    }

    /// Everything that can be read from `from`.
    ///
    /// # Errors
    /// Where reading fails, or there is more than [`Limit::FileSize`].
    pub fn read_all(&self, from: impl Read) -> std::io::Result<Vec<u8>> {
        self.read_expected(from, 0)
    }

    /// The same, with room for `expected` bytes, so that a file is read in one go.
    fn read_expected(&self, from: impl Read, expected: u64) -> std::io::Result<Vec<u8>> {
        let most = self.limits.get(Limit::FileSize);
        // A byte more than there are, to meet the end.
        let mut text = Vec::with_capacity(expected.min(most) as usize + 1);
        from.take(most + 1).read_to_end(&mut text)?;
        if text.len() as u64 > most {
            let told = format!(
                "is larger than {most} bytes (limit `file-size`); {}",
                Limit::FileSize.how_to_raise()
            );
            return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, told));
        }
        Ok(text)
    }

    pub fn add(&mut self, source: Source) -> SourceId {
        self.files.push(source);
        SourceId::new(0, self.files.len() as u32 - 1)
    }

    /// Notes that a file turned out to be a values file: which files are is known only once the
    /// environments are.
    pub fn mark_as_values(&mut self, id: SourceId) {
        if id.render() == 0 {
            self.files[id.index()].kind = SourceKind::Values;
        }
    }

    /// Takes in the sources of render `render` (from 1); renders may be adopted in any order.
    pub fn adopt(&mut self, render: u32, derived: Derived) {
        let index = render as usize - 1;
        if self.renders.len() <= index {
            self.renders.resize_with(index + 1, Derived::default);
        }
        self.renders[index] = derived;
    }

    /// # Panics
    /// Where the id comes from another `Sources`, or its render was not adopted.
    pub fn get(&self, id: SourceId) -> &Source {
        match id.render() {
            0 => &self.files[id.index()],
            r => &self.renders[r as usize - 1].sources[id.index()],
        }
    }

    /// Loaded files in the order of loading.
    pub fn files(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        self.files
            .iter()
            .enumerate()
            .map(|(i, s)| (SourceId::new(0, i as u32), s))
    }

    pub fn origins(&self, render: u32) -> Option<&Origins> {
        self.renders
            .get((render as usize).checked_sub(1)?)
            .map(|r| &r.origins)
    }

    pub fn text(&self, span: Span) -> &[u8] {
        let text = &self.get(span.source).text;
        let end = (span.end as usize).min(text.len());
        &text[(span.start as usize).min(end)..end]
    }

    /// The pieces of rendered text that a span overlaps, and empty ones at its start; none for the
    /// text of a file.
    pub fn pieces(&self, span: Span) -> impl Iterator<Item = &Piece> {
        self.get(span.source).pieces(span.start, span.end)
    }

    /// Follows a span back to files. A span of a file answers with itself only; of derived text,
    /// with everything that the pieces it touches rest on.
    pub fn trace(&self, span: Span) -> Trace {
        let mut trace = Trace::default();
        self.trace_into(span, &mut trace, 0);
        trace
    }

    fn trace_into(&self, span: Span, trace: &mut Trace, depth: usize) {
        let SourceKind::Derived(_) = self.get(span.source).kind else {
            push_new(&mut trace.templates, span);
            return;
        };
        if depth > 64 {
            return;
        }
        let Some(origins) = self.origins(span.source.render()) else {
            return;
        };
        let mut passed = Passed::default();
        for piece in self.pieces(span) {
            self.follow(piece.origin, origins, trace, &mut passed, depth);
        }
        let mut place = passed.last;
        while let Some(&(under, within)) = place.and_then(|place| passed.places.get(place)) {
            let mut next = origins.condition(under);
            while let Some(condition) = next {
                let mut deciding = Trace::default();
                self.follow(
                    condition.decided_by,
                    origins,
                    &mut deciding,
                    &mut Passed::default(),
                    depth + 1,
                );
                trace
                    .conditions
                    .push((condition.at, condition.taken, deciding.values));
                next = origins.condition(condition.outer);
            }
            place = within;
        }
    }

    fn follow(
        &self,
        id: OriginId,
        origins: &Origins,
        trace: &mut Trace,
        passed: &mut Passed,
        depth: usize,
    ) {
        let mut stack = vec![(id, None)];
        while let Some((id, within)) = stack.pop() {
            match origins.get(id) {
                None => {}
                Some(Origin::Data(span)) => self.reach(span, trace, depth, |t| &mut t.values),
                Some(Origin::Line { of, start, end }) => {
                    let Some(all) = origins.data(of) else {
                        continue;
                    };
                    let line = Span { start, end, ..all };
                    match trace.values.last_mut() {
                        Some(last) if all.holds(*last) => *last = last.to(line),
                        _ => push_new(&mut trace.values, line),
                    }
                }
                Some(Origin::Literal(span)) => self.reach(span, trace, depth, |t| &mut t.templates),
                Some(Origin::Written { at, content, under }) => {
                    self.reach(at, trace, depth, |t| &mut t.templates);
                    let here = if under == ConditionId::NONE {
                        within
                    } else {
                        passed.add(under, within)
                    };
                    stack.push((content, here));
                }
                Some(Origin::Joined(a, b)) => {
                    stack.push((b, within));
                    stack.push((a, within));
                }
                Some(Origin::Fallback { value, instead }) => {
                    push_new(&mut trace.instead, instead);
                    stack.push((value, within));
                }
            }
        }
    }

    fn reach(
        &self,
        span: Span,
        trace: &mut Trace,
        depth: usize,
        list: fn(&mut Trace) -> &mut Vec<Span>,
    ) {
        match self.get(span.source).kind {
            SourceKind::Derived(_) => self.trace_into(span, trace, depth + 1),
            _ => push_new(list(trace), span),
        }
    }
}

/// Places under conditions that a trace came through.
#[derive(Default)]
struct Passed {
    /// The conditions of each place, and the place around it: an action whose `include` wrote
    /// there.
    places: Vec<(ConditionId, Option<usize>)>,
    /// The one that was come to last.
    last: Option<usize>,
}

impl Passed {
    fn add(&mut self, under: ConditionId, within: Option<usize>) -> Option<usize> {
        self.places.push((under, within));
        self.last = Some(self.places.len() - 1);
        self.last
    }
}

fn push_new(list: &mut Vec<Span>, span: Span) {
    if !list.contains(&span) {
        list.push(span);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsaved_text_stands_in_for_the_file() {
        let path = std::env::temp_dir().join("no/such/../file.yaml");
        let unsaved = Unsaved::new([(Unsaved::key(&path), Arc::from(&b"a: 1"[..]))].into());
        assert_eq!(
            Sources::with(unsaved).read_file(&path).expect("the text"),
            b"a: 1"
        );
        assert!(Sources::default().read_file(&path).is_err());
    }

    #[test]
    fn a_file_is_read_whole_or_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, mut sources) = (folder.path().join("a.yaml"), Sources::default());
        for text in ["", "a: 1\n"] {
            std::fs::write(&file, text).expect("written");
            // Whatever length was told, nothing is missing.
            for length in [0, text.len() as u64, 100] {
                assert_eq!(
                    &*sources.read_regular(&file, length).expect("the text"),
                    text.as_bytes()
                );
            }
        }
        assert!(sources.read_regular(folder.path(), 0).is_err());
        sources.limits.set(Limit::FileSize, 4);
        assert_eq!(
            sources
                .read_regular(&file, 5)
                .expect_err("a byte too many")
                .kind(),
            std::io::ErrorKind::FileTooLarge
        );
        // What the system calls empty and is not.
        if cfg!(target_os = "linux") {
            assert!(
                Sources::default()
                    .read_regular("/proc/self/status", 0)
                    .is_ok_and(|text| !text.is_empty())
            );
        }
    }

    #[test]
    fn locate_counts_characters_from_one() {
        let source = Source::new("a", "x: é1\ny: 2\n".as_bytes(), SourceKind::File);
        assert_eq!(source.locate(0), (1, 1));
        assert_eq!(source.locate(5), (1, 5));
        assert_eq!(source.locate(7), (2, 1));
        assert_eq!(&source.text[source.line(2)], b"y: 2");
    }

    #[test]
    fn trace_follows_an_include_to_the_value() {
        let mut sources = Sources::default();
        let values = sources.add(Source::new("values.yaml", &b"a: 1\n"[..], SourceKind::File));
        let top = sources.add(Source::new(
            "t.yaml",
            &b"{{ include }}"[..],
            SourceKind::File,
        ));
        let helper = sources.add(Source::new(
            "_h.tpl",
            &b"{{ .Values.a }}"[..],
            SourceKind::File,
        ));
        let mut derived = Derived::default();
        let data = derived.origins.add(Origin::Data(Span::new(values, 3, 4)));
        let under = ConditionId::NONE;
        let inner = derived.origins.add(Origin::Written {
            at: Span::new(helper, 0, 15),
            content: data,
            under,
        });
        let outer = derived.origins.add(Origin::Written {
            at: Span::new(top, 0, 13),
            content: inner,
            under,
        });
        derived.sources.push(Source::new(
            "t.yaml",
            &b"1"[..],
            SourceKind::Derived(vec![Piece {
                start: 0,
                end: 1,
                origin: outer,
            }]),
        ));
        sources.adopt(1, derived);
        let trace = sources.trace(Span::new(SourceId::new(1, 0), 0, 1));
        assert_eq!(
            trace.templates,
            [Span::new(top, 0, 13), Span::new(helper, 0, 15)]
        );
        assert_eq!(trace.values, [Span::new(values, 3, 4)]);
    }
}
