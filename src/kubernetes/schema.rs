//! Every kind and field of Kubernetes 1.20 to 1.37, with the versions that have it: the table that
//! `schemas/generate.py` makes.
//!
//! The table is read in place: nothing is decoded or allocated at start, and a lookup touches only
//! the records on its way. [`Kind`], [`Definition`] and [`Field`] are numbers of records.

use crate::diagnostic::Versions;

static DATA: &[u8] = include_bytes!("../../schemas/kubernetes.bin");

/// The number of a record that is not there.
const NONE: u16 = u16::MAX;

#[derive(Clone, Copy)]
struct Table {
    at: usize,
    count: usize,
}

/// The table number `index` of the header; the order is that of `schemas/generate.py`.
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

// A table of another format stops the build, not the user.
const _: () = assert!(
    DATA[0] == b'K' && DATA[1] == b'8' && DATA[2] == b'S' && DATA[3] == b'T' && u32_at(4) == 1
);

/// All strings, one behind the other.
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

/// A kind that one can create, in one version of one group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind(u16);

/// A structure: `apps.v1.DeploymentSpec`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Definition(u16);

/// A field of a [`Definition`], with one type. A field whose type changed between versions is two
/// of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field(u16);

/// What a value decodes from, by the server's Go type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    /// Kept as it is, whatever it is.
    Any,
    Bool,
    Int32,
    Int64,
    Float,
    String,
    /// Base64 in a string.
    Bytes,
    /// RFC 3339.
    Time,
    /// RFC 3339 with six digits of a second.
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
pub struct Element(u16);

impl Element {
    pub fn get(self) -> Type {
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
pub enum ListKind {
    /// Replaced as a whole.
    Atomic,
    /// Each item once.
    Set,
    /// Each combination of keys once.
    Map,
}

/// What a list field says about its items.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct List {
    pub kind: Option<ListKind>,
    /// The fields that tell items of a [`ListKind::Map`] apart.
    pub keys: Vec<&'static str>,
    /// The field by which a strategic merge patch finds the item.
    pub merge_key: Option<&'static str>,
}

/// All kinds, sorted by kind, group and version.
pub fn kinds() -> impl Iterator<Item = Kind> {
    (0..KINDS.count as u16).map(Kind)
}

/// The kinds of this name, in whatever group and version.
pub fn kinds_named(name: &str) -> impl Iterator<Item = Kind> {
    let first = first_at_or_after(KINDS.count, |i| Kind(i).name() < name);
    (first..KINDS.count as u16)
        .map(Kind)
        .take_while(move |k| k.name() == name)
}

/// The kind of an apiVersion; none where no known version has it.
pub fn kind(api_version: &str, name: &str) -> Option<Kind> {
    let (group, version) = split_api_version(api_version);
    kinds_named(name).find(|k| k.group() == group && k.version() == version)
}

/// `apps` and `v1` of `apps/v1`; the group is empty for `v1`.
pub fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// Whether any known version has this group; "" is the core group.
pub fn has_group(group: &str) -> bool {
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

/// All structures, of all kinds.
pub fn definitions() -> impl Iterator<Item = Definition> {
    (0..DEFINITIONS.count as u16).map(Definition)
}

impl Kind {
    fn at(self, word: usize) -> u16 {
        u16_at(KINDS.at + 14 * self.0 as usize + 2 * word)
    }
    pub fn name(self) -> &'static str {
        string(self.at(0))
    }
    /// Empty for the core group.
    pub fn group(self) -> &'static str {
        string(self.at(1))
    }
    pub fn version(self) -> &'static str {
        string(self.at(2))
    }
    /// `apps/v1`, `v1`.
    pub fn api_version(self) -> String {
        match self.group() {
            "" => self.version().to_owned(),
            group => format!("{group}/{}", self.version()),
        }
    }
    pub fn definition(self) -> Definition {
        Definition(self.at(3))
    }
    /// The versions of Kubernetes that have it.
    pub fn versions(self) -> Versions {
        mask(self.at(4))
    }
    /// The versions of Kubernetes that serve it by default.
    pub fn served(self) -> Versions {
        mask(self.at(5))
    }
    #[cfg(test)]
    fn namespaced(self) -> bool {
        self.at(6) & 1 != 0
    }
    /// Neither alpha nor beta.
    pub fn stable(self) -> bool {
        !self.version().contains("alpha") && !self.version().contains("beta")
    }
}

impl Definition {
    fn at(self) -> usize {
        DEFINITIONS.at + 8 * self.0 as usize
    }
    /// `apps.v1.DeploymentSpec`.
    pub fn name(self) -> &'static str {
        string(u16_at(self.at()))
    }
    /// Its fields in all versions, sorted by name.
    pub fn fields(self) -> impl Iterator<Item = Field> {
        let (first, count) = self.range();
        (first..first + count).map(Field)
    }
    fn range(self) -> (u16, u16) {
        (u32_at(self.at() + 4) as u16, u16_at(self.at() + 2))
    }
    /// The field of a name; two where its type changed between versions, none where it never
    /// existed.
    pub fn field(self, name: &str) -> impl Iterator<Item = Field> {
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
    pub fn name(self) -> &'static str {
        string(self.at(0))
    }
    pub fn field_type(self) -> Type {
        type_at(self.at(1))
    }
    /// The versions of Kubernetes that have it with this type.
    pub fn versions(self) -> Versions {
        mask(self.at(2))
    }
    /// The versions whose server refuses the object without it.
    pub fn required(self) -> Versions {
        mask(self.at(3))
    }
    /// What is known about it as a list.
    pub fn list(self) -> Option<List> {
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
    /// The structure that a value of this type, an item of it or a value of it is, if it is one.
    pub fn definition(self) -> Option<Definition> {
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
