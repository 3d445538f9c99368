//! Every kind and field of Kubernetes 1.20 to 1.37, with the versions that have it.
//! `schemas/generate.py` generates the table.
//!
//! The table is read in place: nothing is decoded or allocated at start, and a lookup touches only
//! the records that it needs. [`Kind`], [`Definition`] and [`Field`] are indexes of records.

use crate::diagnostic::Versions;

static DATA: &[u8] = include_bytes!("../../schemas/kubernetes.bin");

/// The index that means "no record".
const NONE: u16 = u16::MAX;

#[derive(Clone, Copy)]
struct Table {
    at: usize,
    count: usize,
}

/// The table at `index` of the header, in the order of `schemas/generate.py`.
const fn table(index: usize) -> Table {
    let at = 8 + 8 * index;
    Table {
        at: u32_at(at) as usize,
        count: u32_at(at + 4) as usize,
    }
}

const TEXT: Table = table(0);
const STRINGS: Table = table(1);
const MASKS: Table = table(2);
const TYPES: Table = table(3);
const LISTS: Table = table(4);
const FIELDS: Table = table(5);
const DEFINITIONS: Table = table(6);
const KINDS: Table = table(7);

// A table of another format fails the build, not a run.
const _: () = assert!(
    DATA[0] == b'K' && DATA[1] == b'8' && DATA[2] == b'S' && DATA[3] == b'T' && u32_at(4) == 1
);

/// The bytes of all strings, concatenated.
const ALL: &str = match std::str::from_utf8(DATA.split_at(TEXT.at).1.split_at(TEXT.count).0) {
    Ok(text) => text,
    Err(_) => panic!("the text of schemas/kubernetes.bin is no UTF-8"),
};

const fn u16_at(at: usize) -> u16 {
    u16::from_le_bytes([DATA[at], DATA[at + 1]])
}

const fn u32_at(at: usize) -> u32 {
    u32::from_le_bytes([DATA[at], DATA[at + 1], DATA[at + 2], DATA[at + 3]])
}

fn string(index: u16) -> &'static str {
    let at = STRINGS.at + 4 * index as usize;
    ALL.get(u32_at(at) as usize..u32_at(at + 4) as usize)
        .unwrap_or_default()
}

fn mask(index: u16) -> Versions {
    Versions(u32_at(MASKS.at + 4 * index as usize))
}

/// A kind that can be created, in one version of one group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Kind(u16);

/// A structure, for example `apps.v1.DeploymentSpec`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Definition(u16);

/// A field of a [`Definition`] with one type. A field whose type changed between versions is two
/// fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Field(u16);

/// The type of value that the server's Go type decodes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Type {
    /// Any value, which is kept unchanged.
    Any,
    Bool,
    Int32,
    Int64,
    Float,
    String,
    /// A string with base64.
    Bytes,
    /// A time in RFC 3339.
    Time,
    /// A time in RFC 3339 with six fractional digits.
    MicroTime,
    /// A string or a number.
    Quantity,
    IntOrString,
    List(Element),
    Map(Element),
    Object(Definition),
    /// A JSON Schema, or a boolean.
    SchemaOrBool(Definition),
    /// A JSON Schema, or a list of them.
    SchemaOrArray(Definition),
    /// A JSON Schema, or a list of strings.
    SchemaOrStrings(Definition),
}

/// The type of a list's items or of a map's values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Element(u16);

impl Element {
    /// The element's type.
    pub(crate) fn get(self) -> Type {
        type_at(self.0)
    }
}

fn type_at(index: u16) -> Type {
    let at = TYPES.at + 4 * index as usize;
    let argument = u16_at(at + 2);
    match u16_at(at) {
        1 => Type::Bool,
        2 => Type::Int32,
        3 => Type::Int64,
        4 => Type::Float,
        5 => Type::String,
        6 => Type::Bytes,
        7 => Type::Time,
        8 => Type::MicroTime,
        9 => Type::Quantity,
        10 => Type::IntOrString,
        11 => Type::List(Element(argument)),
        12 => Type::Map(Element(argument)),
        13 => Type::Object(Definition(argument)),
        14 => Type::SchemaOrBool(Definition(argument)),
        15 => Type::SchemaOrArray(Definition(argument)),
        16 => Type::SchemaOrStrings(Definition(argument)),
        _ => Type::Any,
    }
}

/// How the server merges a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ListKind {
    /// The list is replaced as a whole.
    Atomic,
    /// Each item occurs once.
    Set,
    /// Each combination of keys occurs once.
    Map,
}

/// How the items of a list field are merged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct List {
    pub kind: Option<ListKind>,
    /// The fields that identify an item of a [`ListKind::Map`].
    pub keys: Vec<&'static str>,
    /// The field that identifies an item in a strategic merge patch.
    pub merge_key: Option<&'static str>,
}

/// All kinds, sorted by kind, group and version.
pub(crate) fn kinds() -> impl Iterator<Item = Kind> {
    (0..KINDS.count as u16).map(Kind)
}

/// The kinds with this name, in any group and version.
pub(crate) fn kinds_named(name: &str) -> impl Iterator<Item = Kind> {
    let first = first_at_or_after(KINDS.count, |i| Kind(i).name() < name);
    (first..KINDS.count as u16)
        .map(Kind)
        .take_while(move |k| k.name() == name)
}

/// The kind with an apiVersion and a name. None if no known version of Kubernetes has it.
pub(crate) fn kind(api_version: &str, name: &str) -> Option<Kind> {
    let (group, version) = split_api_version(api_version);
    kinds_named(name).find(|k| k.group() == group && k.version() == version)
}

/// Splits `apps/v1` into `apps` and `v1`. The group of `v1` is empty.
pub(crate) fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// Whether any known version has this group. "" is the core group.
pub(crate) fn has_group(group: &str) -> bool {
    kinds().any(|k| k.group() == group)
}

fn first_at_or_after(count: usize, before: impl Fn(u16) -> bool) -> u16 {
    let (mut low, mut high) = (0, count as u16);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) {
            low = middle + 1
        } else {
            high = middle
        }
    }
    low
}

/// All definitions of all kinds.
pub(crate) fn definitions() -> impl Iterator<Item = Definition> {
    (0..DEFINITIONS.count as u16).map(Definition)
}

impl Kind {
    fn at(self, word: usize) -> u16 {
        u16_at(KINDS.at + 14 * self.0 as usize + 2 * word)
    }
    pub(crate) fn name(self) -> &'static str {
        string(self.at(0))
    }
    /// The group; "" is the core group.
    pub(crate) fn group(self) -> &'static str {
        string(self.at(1))
    }
    /// The API version without the group: `v1`, `v1beta1`.
    pub(crate) fn version(self) -> &'static str {
        string(self.at(2))
    }
    /// For example `apps/v1` or `v1`.
    pub(crate) fn api_version(self) -> String {
        match self.group() {
            "" => self.version().to_owned(),
            group => format!("{group}/{}", self.version()),
        }
    }
    pub(crate) fn definition(self) -> Definition {
        Definition(self.at(3))
    }
    /// The versions of Kubernetes that have the kind.
    pub(crate) fn versions(self) -> Versions {
        mask(self.at(4))
    }
    /// The versions of Kubernetes that serve it by default.
    pub(crate) fn served(self) -> Versions {
        mask(self.at(5))
    }
    /// Whether its objects lie in a namespace.
    pub(crate) fn namespaced(self) -> bool {
        self.at(6) & 1 != 0
    }
    /// Whether the API version is neither alpha nor beta.
    pub(crate) fn stable(self) -> bool {
        !self.version().contains("alpha") && !self.version().contains("beta")
    }
}

impl Definition {
    fn at(self) -> usize {
        DEFINITIONS.at + 8 * self.0 as usize
    }
    /// For example `apps.v1.DeploymentSpec`.
    pub(crate) fn name(self) -> &'static str {
        string(u16_at(self.at()))
    }
    /// The fields of all versions, sorted by name.
    pub(crate) fn fields(self) -> impl Iterator<Item = Field> {
        let (first, count) = self.range();
        (first..first + count).map(Field)
    }
    fn range(self) -> (u16, u16) {
        (u32_at(self.at() + 4) as u16, u16_at(self.at() + 2))
    }
    /// The fields with a name: two if the type changed between versions, none if the field never
    /// existed.
    pub(crate) fn field(self, name: &str) -> impl Iterator<Item = Field> {
        let (first, count) = self.range();
        let skip = first_at_or_after(count as usize, |i| Field(first + i).name() < name);
        (first + skip..first + count)
            .map(Field)
            .take_while(move |f| f.name() == name)
    }
}

impl Field {
    fn at(self, word: usize) -> u16 {
        u16_at(FIELDS.at + 10 * self.0 as usize + 2 * word)
    }
    pub(crate) fn name(self) -> &'static str {
        string(self.at(0))
    }
    pub(crate) fn field_type(self) -> Type {
        type_at(self.at(1))
    }
    /// The versions of Kubernetes that have the field with this type.
    pub(crate) fn versions(self) -> Versions {
        mask(self.at(2))
    }
    /// The versions whose server refuses an object without the field.
    pub(crate) fn required(self) -> Versions {
        mask(self.at(3))
    }
    /// How the field's items are merged, if it is a list.
    pub(crate) fn list(self) -> Option<List> {
        let index = self.at(4);
        if index == NONE {
            return None;
        }
        let at = LISTS.at + 14 * index as usize;
        let kind = match u16_at(at) {
            1 => Some(ListKind::Atomic),
            2 => Some(ListKind::Set),
            3 => Some(ListKind::Map),
            _ => None,
        };
        let keys = (0..u16_at(at + 2) as usize)
            .map(|i| string(u16_at(at + 4 + 2 * i)))
            .collect();
        let merge = u16_at(at + 12);
        Some(List {
            kind,
            keys,
            merge_key: (merge != NONE).then(|| string(merge)),
        })
    }
}

impl Type {
    /// The definition of a value of this type, or of its items or map values, if they are
    /// structures.
    pub(crate) fn definition(self) -> Option<Definition> {
        match self {
            Type::Object(d)
            | Type::SchemaOrBool(d)
            | Type::SchemaOrArray(d)
            | Type::SchemaOrStrings(d) => Some(d),
            Type::List(e) | Type::Map(e) => e.get().definition(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_knows_its_versions() {
        let hpa = kind("autoscaling/v2", "HorizontalPodAutoscaler").unwrap();
        assert_eq!(hpa.versions().iter().next(), Some(23));
        assert_eq!(
            kind("policy/v1beta1", "PodDisruptionBudget")
                .unwrap()
                .versions()
                .newest(),
            Some(24)
        );
        assert!(
            kind("v1", "Pod").unwrap().namespaced()
                && !kind("v1", "Namespace").unwrap().namespaced()
        );
        assert!(kind("v1", "Gateway").is_none());
    }

    #[test]
    fn every_record_can_be_read() {
        for kind in kinds() {
            assert_eq!(super::kind(&kind.api_version(), kind.name()), Some(kind));
            assert!(
                !kind.versions().is_empty() && kind.served().without(kind.versions()).is_empty()
            );
        }
        for definition in definitions() {
            for field in definition.fields() {
                assert!(
                    definition.field(field.name()).any(|f| f == field),
                    "{} {}",
                    definition.name(),
                    field.name()
                );
                let _ = (
                    field.list(),
                    field.field_type().definition().map(Definition::name),
                );
            }
        }
    }
}
