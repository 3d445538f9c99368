//! The entries of a map in bytewise order of their keys: a few in a list, many in a tree. Most maps
//! have a few, which a tree would give room for eleven; in a list of many each new one would move
//! half of them.

use super::Entry;
use either::Either::{Left, Right};
use std::collections::BTreeMap;
use std::rc::Rc;

/// More than these are many.
const FEW: usize = 32;

/// See the module.
#[derive(Clone, Debug)]
pub struct Entries(Order);

#[derive(Clone, Debug)]
enum Order {
    List(Vec<(Rc<[u8]>, Entry)>),
    Tree(BTreeMap<Rc<[u8]>, Entry>),
}

impl Default for Entries {
    fn default() -> Entries {
        Entries(Order::List(Vec::new()))
    }
}

/// Where a key stands in a list, or belongs.
fn place(list: &[(Rc<[u8]>, Entry)], key: &[u8]) -> Result<usize, usize> {
    list.binary_search_by(|(known, _)| (**known).cmp(key))
}

/// Where a key stands in a list. Most others have another length, which is told without a look at
/// them.
fn find(list: &[(Rc<[u8]>, Entry)], key: &[u8]) -> Option<usize> {
    list.iter().position(|(known, _)| **known == *key)
}

impl Entries {
    pub fn len(&self) -> usize {
        match &self.0 {
            Order::List(list) => list.len(),
            Order::Tree(tree) => tree.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn get(&self, key: &[u8]) -> Option<&Entry> {
        match &self.0 {
            Order::List(list) => find(list, key).map(|at| &list[at].1),
            Order::Tree(tree) => tree.get(key),
        }
    }

    pub fn get_mut(&mut self, key: &[u8]) -> Option<&mut Entry> {
        match &mut self.0 {
            Order::List(list) => find(list, key).map(|at| &mut list[at].1),
            Order::Tree(tree) => tree.get_mut(key),
        }
    }

    pub fn contains_key(&self, key: &[u8]) -> bool {
        self.get(key).is_some()
    }

    /// In the place of the entry that has that key.
    pub fn insert(&mut self, key: Rc<[u8]>, entry: Entry) {
        match &mut self.0 {
            Order::List(list) => match place(list, &key) {
                Ok(at) => list[at].1 = entry,
                Err(at) if list.len() < FEW => list.insert(at, (key, entry)),
                Err(_) => {
                    let mut tree: BTreeMap<_, _> = std::mem::take(list).into_iter().collect();
                    tree.insert(key, entry);
                    self.0 = Order::Tree(tree);
                }
            },
            Order::Tree(tree) => {
                tree.insert(key, entry);
            }
        }
    }

    pub fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        match &mut self.0 {
            Order::List(list) => find(list, key).map(|at| list.remove(at).1),
            Order::Tree(tree) => tree.remove(key),
        }
    }

    pub fn clear(&mut self) {
        *self = Entries::default();
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Rc<[u8]>, &Entry)> {
        match &self.0 {
            Order::List(list) => Left(list.iter().map(|(key, entry)| (key, entry))),
            Order::Tree(tree) => Right(tree.iter()),
        }
    }

    pub fn values(&self) -> impl Iterator<Item = &Entry> {
        self.iter().map(|(_, entry)| entry)
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        match &mut self.0 {
            Order::List(list) => Left(list.iter_mut().map(|(_, entry)| entry)),
            Order::Tree(tree) => Right(tree.values_mut()),
        }
    }
}

impl FromIterator<(Rc<[u8]>, Entry)> for Entries {
    fn from_iter<I: IntoIterator<Item = (Rc<[u8]>, Entry)>>(entries: I) -> Entries {
        let mut all = Entries::default();
        entries
            .into_iter()
            .for_each(|(key, entry)| all.insert(key, entry));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{OriginId, Value};

    #[test]
    fn a_list_and_a_tree_hold_the_same() {
        let mut entries = Entries::default();
        let mut known: BTreeMap<Vec<u8>, String> = BTreeMap::new();
        // Keys come back, fewer and more than a list holds.
        for i in 0..400u32 {
            let key = format!("{}", i.wrapping_mul(2_654_435_761) % 70).into_bytes();
            if i % 5 == 4 {
                assert_eq!(entries.remove(&key).is_some(), known.remove(&key).is_some());
            } else {
                entries.insert(
                    key[..].into(),
                    Entry {
                        key: OriginId::NONE,
                        value: Value::str(i.to_string()),
                    },
                );
                known.insert(key.clone(), i.to_string());
            }
            assert_eq!(entries.contains_key(&key), known.contains_key(&key));
            let text = |entry: &Entry| {
                entry
                    .value
                    .as_text()
                    .map(|text| text.to_str().into_owned())
                    .unwrap_or_default()
            };
            let all: Vec<(Vec<u8>, String)> = entries
                .iter()
                .map(|(key, entry)| (key.to_vec(), text(entry)))
                .collect();
            assert_eq!(all, known.clone().into_iter().collect::<Vec<_>>());
            assert_eq!(
                (entries.len(), entries.values_mut().count()),
                (known.len(), known.len())
            );
        }
        assert!(matches!(entries.0, Order::Tree(_)));
    }
}
