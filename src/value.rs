//! The Go values that templates compute with, each with its origin.
//!
//! `yaml` writes these values, and `helm` coalesces values files into them. They belong to one
//! render and one thread. Maps are shared by reference as in Go, so that the next template sees the
//! effect of `set .Values "a" 1`. Strings are bytes, because Helm's `trunc`, `substr` and `b64dec`
//! can make invalid UTF-8.

pub(crate) mod pieces;
pub(crate) mod weight;

use crate::source::{Origin, OriginId, Origins, Piece, SourceId, Span};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A Go value and where it comes from. `origin` is [`OriginId::NONE`] for strings whose pieces have
/// origins ([`Text::pieces`]). For maps and lists it is the place of the whole, which is used if an
/// empty one is printed.
#[derive(Clone, Debug, Default)]
pub struct Value {
    pub kind: Kind,
    pub origin: OriginId,
}

/// A Go value by its dynamic type, as `kindOf`, `typeOf` and `printf "%T"` show it.
#[derive(Clone, Debug, Default)]
pub enum Kind {
    /// A nil `interface{}` (YAML null).
    #[default]
    Nil,
    /// text/template's missing value (absent map key). It prints as `<no value>` and is false.
    Missing,
    Bool(bool),
    /// Go `int`: constants, `len`, arguments of `add`.
    Int(i64),
    /// Go `int64`: numbers from `--set`, results of sprig's arithmetic.
    Int64(i64),
    /// Any other sized integer, with the name of its Go type (`int32`, `uint8`, `uint64`…).
    Sized(i128, &'static str),
    /// Go `float64`: every number in a values file.
    Float(f64),
    Str(Text),
    List(List),
    Map(Map),
    /// Values of named Go types, which may have methods: `.Files`, `.Capabilities`, `time.Time`,
    /// `semver.Version`, errors, functions.
    Object(Rc<dyn Object>),
}

/// A Go string: bytes, and optionally the origin of each range.
#[derive(Clone, Debug, Default)]
pub struct Text {
    pub bytes: Rc<[u8]>,
    /// If none, all bytes have the value's `origin`.
    pub pieces: Option<Rc<[Piece]>>,
}

impl Text {
    pub fn pieces(&self) -> &[Piece] {
        self.pieces.as_deref().unwrap_or(&[])
    }
    /// How many bytes of memory it takes.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len() + size_of_val(self.pieces())
    }
    /// The string for messages and comparisons of names. Invalid UTF-8 becomes U+FFFD.
    pub fn to_str(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }
}

/// A Go slice. It is immutable, because no template function changes one in place.
#[derive(Clone, Debug)]
pub struct List {
    pub items: Rc<Vec<Value>>,
    /// The Go type: `[]interface {}` unless a function makes another one (`[]string` of
    /// `splitList`).
    pub go_type: &'static str,
    /// Go's nil slice (`rest` of an empty list, `concat` of nothing). It is empty, but JSON and
    /// YAML write it as `null`.
    pub is_nil: bool,
}

impl List {
    pub fn new(items: Vec<Value>, go_type: &'static str) -> List {
        List {
            items: Rc::new(items),
            go_type,
            is_nil: false,
        }
    }
    /// How many bytes of memory its elements take, if they are short.
    pub(crate) fn bytes(&self) -> usize {
        let each = match self.go_type {
            "[]string" => TEXT_SIZE,
            _ => size_of::<Value>(),
        };
        self.items.len().saturating_mul(each)
    }
    pub fn nil(go_type: &'static str) -> List {
        let mut list = List::new(Vec::new(), go_type);
        list.is_nil = true;
        list
    }
}

/// How many bytes of memory a short text takes that is a value.
pub(crate) const TEXT_SIZE: usize = size_of::<Value>() + 40;

/// A Go map with string keys, shared by reference.
#[derive(Clone, Debug)]
pub struct Map(pub Rc<RefCell<MapData>>);

/// The contents of a [`Map`]. Keys are in bytewise order, in which Go's templates, fmt and JSON
/// visit them.
#[derive(Clone, Debug)]
pub struct MapData {
    pub entries: BTreeMap<Rc<[u8]>, Entry>,
    /// The Go type: `map[string]interface {}`, `chartutil.Values`, `map[string]string`…
    pub go_type: &'static str,
    /// Go's nil map (`fromYaml ""`). It is empty, but JSON and YAML write it as `null`, and `set`
    /// fails on it.
    pub is_nil: bool,
    /// Whether all templates of a render see this map. A change then affects later templates.
    pub is_shared: bool,
}

impl Default for MapData {
    fn default() -> Self {
        MapData {
            entries: BTreeMap::default(),
            go_type: "map[string]interface {}",
            is_nil: false,
            is_shared: false,
        }
    }
}

/// A value of a map, and where its key was written.
#[derive(Clone, Debug)]
pub struct Entry {
    pub key: OriginId,
    pub value: Value,
}

/// A Go value of a named type. The evaluator accesses its fields and methods through this trait.
pub trait Object: std::fmt::Debug {
    /// The Go type, as `typeOf` prints it.
    fn go_type(&self) -> &str;
    /// The Go kind, as `kindOf` prints it: `struct`, `slice`, `map`, `ptr`, `func`…
    fn kind(&self) -> &str;
    /// A field; `None` if there is none of that name.
    fn field(&self, _name: &str) -> Option<Value> {
        None
    }
    /// The Go types of a method's parameters (`string`, `interface {}`; a last one that begins with
    /// `...` accepts any number). The evaluator checks the arguments against them before a call.
    /// For `None`, the method gets the arguments unchecked.
    fn parameters(&self, _method: &str) -> Option<&'static [&'static str]> {
        None
    }
    /// Calls a method; `None` if there is none of that name.
    fn call(&self, _method: &str, _arguments: &[Value]) -> Option<Result<Value, String>> {
        None
    }
    /// As [`Object::call`], for methods that return text with several origins (`.Files.AsConfig`).
    /// The evaluator calls this method.
    fn call_tracked(
        &self,
        method: &str,
        arguments: &[Value],
        _origins: &mut Origins,
    ) -> Option<Result<Value, String>> {
        self.call(method, arguments)
    }
    /// The text that `{{ . }}` and `%v` print.
    fn print(&self) -> Vec<u8> {
        Vec::new()
    }
    /// The text that `{{ . }}` writes where it is not that of `%v`: Go's template language calls a
    /// `String` method of the pointer if the value has an address.
    fn addressed(&self) -> Option<Vec<u8>> {
        None
    }
    /// The value as a function receives it, where that differs: without the methods of its pointer.
    fn passed(&self) -> Option<Value> {
        None
    }
    /// The plain map, list or scalar that toYaml, toJson, `range` and `index` use.
    fn plain(&self) -> Option<Value> {
        None
    }
    /// The fields of a struct in their order, in which encoding/json writes them. The keys of a map
    /// are sorted instead.
    fn json_fields(&self) -> Option<Vec<(&str, Value)>> {
        None
    }
    /// Whether text/template treats the value as true.
    fn truth(&self) -> bool {
        true
    }
    /// How many elements it has, as [`Value::weight`] counts.
    fn weight(&self) -> u64 {
        0
    }
    /// The steps of a call of a method.
    fn cost(&self, _method: &str, _arguments: &[Value]) -> u64 {
        0
    }
    /// Gives access to the concrete type (`time.Time`).
    fn as_any(&self) -> &dyn std::any::Any;
}

/// Go's `[]byte`, which `.Files.GetBytes`, `.Files.Glob` and `range` over `.Files` return.
#[derive(Clone, Debug)]
pub(crate) struct Bytes(pub Text);

impl Bytes {
    /// The bytes in base64, as encoding/json writes them.
    pub(crate) fn base64(&self) -> String {
        data_encoding::BASE64.encode(&self.0.bytes)
    }
}

impl Object for Bytes {
    fn go_type(&self) -> &str {
        "[]uint8"
    }
    fn kind(&self) -> &str {
        "slice"
    }
    fn print(&self) -> Vec<u8> {
        let numbers: Vec<String> = self.0.bytes.iter().map(u8::to_string).collect();
        format!("[{}]", numbers.join(" ")).into_bytes()
    }
    fn plain(&self) -> Option<Value> {
        let items = self
            .0
            .bytes
            .iter()
            .map(|&b| Kind::Sized(b.into(), "uint8").into())
            .collect();
        Some(Kind::List(List::new(items, "[]uint8")).into())
    }
    fn truth(&self) -> bool {
        !self.0.bytes.is_empty()
    }
    fn weight(&self) -> u64 {
        self.0.bytes.len() as u64 / 32
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

impl Value {
    /// A Go `[]byte` with the text's origins.
    pub fn bytes(text: Text, origin: OriginId) -> Value {
        Value::new(Kind::Object(Rc::new(Bytes(text))), origin)
    }
    pub fn new(kind: Kind, origin: OriginId) -> Value {
        Value { kind, origin }
    }
    pub fn nil() -> Value {
        Value::default()
    }
    pub fn bool(b: bool) -> Value {
        Kind::Bool(b).into()
    }
    pub fn str(bytes: impl AsRef<[u8]>) -> Value {
        Kind::Str(Text {
            bytes: bytes.as_ref().into(),
            pieces: None,
        })
        .into()
    }
    /// A string whose bytes all come from one place.
    pub fn str_from(bytes: impl AsRef<[u8]>, origin: OriginId) -> Value {
        Value {
            origin,
            ..Value::str(bytes)
        }
    }
    /// The text of a whole file. Each line has its own origin.
    pub fn file(text: &[u8], source: SourceId, origins: &mut Origins) -> Value {
        let of = origins.add(Origin::Data(Span::new(source, 0, text.len())));
        if of.is_none() {
            return Value::str(text);
        }
        let mut lines = TextBuilder::default();
        for line in text.split_inclusive(|&b| b == b'\n') {
            let start = lines.len() as u32;
            let end = start + line.strip_suffix(b"\n").unwrap_or(line).len() as u32;
            let origin = origins.add(Origin::Line { of, start, end });
            lines.push(line, origin);
        }
        lines.finish()
    }
    /// A `[]interface {}`.
    pub fn list(items: Vec<Value>) -> Value {
        Kind::List(List::new(items, "[]interface {}")).into()
    }
    pub fn map(map: MapData) -> Value {
        Kind::Map(Map(Rc::new(RefCell::new(map)))).into()
    }
    pub fn with_origin(mut self, origin: OriginId) -> Value {
        self.origin = origin;
        self
    }
    /// Whether text/template treats the value as true.
    pub fn truth(&self) -> bool {
        match &self.kind {
            Kind::Nil | Kind::Missing => false,
            Kind::Bool(b) => *b,
            Kind::Int(i) | Kind::Int64(i) => *i != 0,
            Kind::Sized(i, _) => *i != 0,
            Kind::Float(f) => *f != 0.0,
            Kind::Str(text) => !text.bytes.is_empty(),
            Kind::List(list) => !list.items.is_empty(),
            Kind::Map(map) => !map.0.borrow().entries.is_empty(),
            Kind::Object(object) => object.truth(),
        }
    }
    pub fn as_map(&self) -> Option<&Map> {
        match &self.kind {
            Kind::Map(m) => Some(m),
            _ => None,
        }
    }
    pub fn as_list(&self) -> Option<&[Value]> {
        match &self.kind {
            Kind::List(l) => Some(&l.items),
            _ => None,
        }
    }
    pub fn as_text(&self) -> Option<&Text> {
        match &self.kind {
            Kind::Str(t) => Some(t),
            _ => None,
        }
    }
}

impl From<Kind> for Value {
    fn from(kind: Kind) -> Value {
        Value {
            kind,
            origin: OriginId::NONE,
        }
    }
}

impl Map {
    pub fn get(&self, key: &[u8]) -> Option<Value> {
        self.0.borrow().entries.get(key).map(|e| e.value.clone())
    }
    pub fn insert(&self, key: &[u8], value: Value) {
        self.0.borrow_mut().insert(key, OriginId::NONE, value);
    }
}

// Deep values are dropped without recursion: a template can nest more lists and maps than the stack
// has frames.

impl Drop for List {
    fn drop(&mut self) {
        let mut left = Vec::new();
        self.take_nested(&mut left);
        drop_nested(left);
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        let mut left = Vec::new();
        self.take_nested(&mut left);
        drop_nested(left);
    }
}

fn drop_nested(mut left: Vec<Value>) {
    while let Some(mut value) = left.pop() {
        match &mut value.kind {
            Kind::List(list) => list.take_nested(&mut left),
            Kind::Map(map) => map.take_nested(&mut left),
            _ => {}
        }
    }
}

fn is_nested(value: &Value) -> bool {
    matches!(value.kind, Kind::List(_) | Kind::Map(_))
}

impl List {
    /// Moves the lists and maps out of this list, if nobody else holds it.
    fn take_nested(&mut self, into: &mut Vec<Value>) {
        if let Some(items) = Rc::get_mut(&mut self.items)
            && items.iter().any(is_nested)
        {
            into.extend(std::mem::take(items).into_iter().filter(is_nested));
        }
    }
}

impl Map {
    /// Moves the lists and maps out of this map, if nobody else holds it.
    fn take_nested(&mut self, into: &mut Vec<Value>) {
        if let Some(data) = Rc::get_mut(&mut self.0) {
            let entries = &mut data.get_mut().entries;
            if entries.values().any(|entry| is_nested(&entry.value)) {
                let values = std::mem::take(entries).into_values().map(|e| e.value);
                into.extend(values.filter(is_nested));
            }
        }
    }
}

impl Value {
    /// Marks every map in this value as part of the data that templates share.
    pub fn share(&self) {
        let mut stack = vec![self.clone()];
        while let Some(value) = stack.pop() {
            match &value.kind {
                Kind::List(list) => stack.extend(list.items.iter().cloned()),
                // The same map may occur in several places.
                Kind::Map(map) if !map.0.borrow().is_shared => {
                    map.0.borrow_mut().is_shared = true;
                    stack.extend(map.0.borrow().entries.values().map(|e| e.value.clone()));
                }
                _ => {}
            }
        }
    }
}

impl MapData {
    /// How many bytes of memory a map with this many entries takes. The first ones are allocated
    /// together.
    pub(crate) fn size(entries: usize) -> usize {
        const ENTRY: usize = size_of::<Entry>() + 48;
        match entries {
            0 => 2 * size_of::<Value>(),
            _ => entries.saturating_add(10).saturating_mul(ENTRY),
        }
    }

    /// How many bytes of memory its entries take, if they are short.
    pub(crate) fn bytes(&self) -> usize {
        MapData::size(self.entries.len())
    }

    /// Go's value for an absent key: the zero value of the map's element type.
    pub fn zero(&self) -> Value {
        match self.go_type.rsplit(']').next().unwrap_or_default() {
            "string" => Value::str(""),
            "bool" => Value::bool(false),
            "int" => Kind::Int(0).into(),
            "int64" => Kind::Int64(0).into(),
            "float64" => Kind::Float(0.0).into(),
            _ => Value::nil(),
        }
    }

    pub fn insert(&mut self, key: &[u8], origin: OriginId, value: Value) {
        self.entries
            .insert(key.into(), Entry { key: origin, value });
    }
}

/// Builds a string together with the origins of its parts.
#[derive(Debug, Default)]
pub(crate) struct TextBuilder {
    bytes: Vec<u8>,
    pieces: Vec<Piece>,
}

impl TextBuilder {
    /// Reserves capacity for `bytes` bytes and, with `with_pieces`, for the origins of typical
    /// lines.
    pub(crate) fn with_capacity(bytes: usize, with_pieces: bool) -> TextBuilder {
        TextBuilder {
            bytes: Vec::with_capacity(bytes),
            pieces: Vec::with_capacity(if with_pieces { bytes / 16 } else { 0 }),
        }
    }
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
    /// How many bytes of memory the text takes so far.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len() + size_of_val(&*self.pieces)
    }
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Appends bytes that all come from `origin`.
    pub(crate) fn push(&mut self, bytes: &[u8], origin: OriginId) {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        let end = self.bytes.len() as u32;
        if origin.is_none() || start == end {
            return;
        }
        match self.pieces.last_mut() {
            Some(last) if last.origin == origin && last.end == start => last.end = end,
            _ => self.pieces.push(Piece { start, end, origin }),
        }
    }

    /// Appends a range of a string value with its origins.
    pub(crate) fn push_slice(
        &mut self,
        text: &Text,
        whole: OriginId,
        range: std::ops::Range<usize>,
    ) {
        self.push_next(text, whole, range, &mut text.pieces());
    }

    /// As [`TextBuilder::push_slice`] for ranges in ascending order. `pieces` are those that the
    /// following ranges may still overlap.
    pub(crate) fn push_next(
        &mut self,
        text: &Text,
        whole: OriginId,
        range: std::ops::Range<usize>,
        pieces: &mut &[Piece],
    ) {
        if text.pieces.is_none() {
            return self.push(&text.bytes[range], whole);
        }
        let (from, to) = (range.start as u32, range.end as u32);
        let shift = self.push_bytes(&text.bytes[range]);
        while let [first, rest @ ..] = *pieces
            && first.end <= from
        {
            *pieces = rest;
        }
        pieces
            .iter()
            .take_while(|p| p.start < to)
            .filter(|p| p.end > from)
            .for_each(|piece| self.push_cut(piece, from..to, shift));
    }

    /// Appends bytes and returns the offset where they begin. Add their pieces with
    /// [`TextBuilder::push_piece`].
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) -> u32 {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        start
    }

    pub(crate) fn push_piece(&mut self, piece: Piece) {
        self.pieces.push(piece);
    }

    /// Adds the part of a piece that is within a range of its text. The range begins at `start` in
    /// the new text.
    pub(crate) fn push_cut(&mut self, piece: &Piece, range: std::ops::Range<u32>, start: u32) {
        let at = |place: u32| place.clamp(range.start, range.end) - range.start + start;
        self.pieces.push(Piece {
            start: at(piece.start),
            end: at(piece.end),
            origin: piece.origin,
        });
    }

    /// Appends a whole string value.
    pub(crate) fn push_text(&mut self, text: &Text, whole: OriginId) {
        self.push_slice(text, whole, 0..text.bytes.len());
    }

    /// Returns the string. An origin that covers all of it becomes the value's origin.
    pub(crate) fn finish(self) -> Value {
        match self.pieces[..] {
            [] => Value::str(self.bytes),
            [only] if only.start == 0 && only.end as usize == self.bytes.len() => {
                Value::str_from(self.bytes, only.origin)
            }
            _ => Kind::Str(Text {
                bytes: self.bytes.into(),
                pieces: Some(self.pieces.into()),
            })
            .into(),
        }
    }
}

impl Value {
    /// Combines all origins of a value: those of a string's pieces, or the value's origin.
    pub fn whole_origin(&self, origins: &mut crate::source::Origins) -> OriginId {
        match &self.kind {
            Kind::Str(text) if text.pieces.is_some() => origins.join_all(
                [self.origin]
                    .into_iter()
                    .chain(text.pieces().iter().map(|p| p.origin)),
            ),
            _ => self.origin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_keep_the_origin_of_what_is_left() {
        let mut origins = Origins::default();
        let source = SourceId::new(0, 0);
        let a = origins.add(Origin::Data(Span::new(source, 0, 3)));
        let b = origins.add(Origin::Data(Span::new(source, 4, 7)));
        let mut builder = TextBuilder::default();
        builder.push(b"abc", a);
        builder.push(b"def", b);
        let whole = builder.finish();
        let mut cut = TextBuilder::default();
        cut.push_slice(whole.as_text().unwrap(), whole.origin, 2..5);
        let value = cut.finish();
        let text = value.as_text().unwrap();
        assert_eq!(&*text.bytes, b"cde");
        assert_eq!(
            text.pieces(),
            [
                Piece {
                    start: 0,
                    end: 1,
                    origin: a
                },
                Piece {
                    start: 1,
                    end: 3,
                    origin: b
                }
            ]
        );
    }
}
