//! The entries of a map.

use super::node::Entry;
use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;

/// Maps of more entries than this have a table of their keys.
const FEW: usize = 24;

/// The entries of a map, in the order of the text.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    list: Box<[Entry]>,
    /// The indices of the entries, sorted by their keys: a search through the list for each of its
    /// keys would take the square of their number. It is made by the first search.
    by_key: OnceLock<Box<Table>>,
}

/// In a box, because most maps have none.
#[derive(Clone, Debug)]
struct Table(Vec<u32>);

impl Entries {
    /// The entry of a key. The last of duplicate keys wins.
    pub fn find(&self, key: &str) -> Option<&Entry> {
        if self.list.len() <= FEW {
            return self.list.iter().rev().find(|entry| &*entry.key == key);
        }
        let Table(by_key) = &**self.by_key.get_or_init(|| {
            let mut indices: Vec<u32> = (0..self.list.len() as u32).collect();
            // The sort is stable, so the last of equal keys is the last one here.
            indices.sort_by(|a, b| self.list[*a as usize].key.cmp(&self.list[*b as usize].key));
            Box::new(Table(indices))
        });
        let after = by_key.partition_point(|i| *self.list[*i as usize].key <= *key);
        let last = &self.list[*by_key.get(after.checked_sub(1)?)? as usize];
        (*last.key == *key).then_some(last)
    }

    pub fn into_vec(self) -> Vec<Entry> {
        self.list.into_vec()
    }
}

impl From<Vec<Entry>> for Entries {
    fn from(list: Vec<Entry>) -> Entries {
        Entries {
            list: list.into(),
            by_key: OnceLock::new(),
        }
    }
}

impl FromIterator<Entry> for Entries {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Entries {
        Vec::from_iter(entries).into()
    }
}

impl Deref for Entries {
    type Target = [Entry];

    fn deref(&self) -> &[Entry] {
        &self.list
    }
}

impl DerefMut for Entries {
    fn deref_mut(&mut self) -> &mut [Entry] {
        self.by_key.take();
        &mut self.list
    }
}

impl<'a> IntoIterator for &'a Entries {
    type Item = &'a Entry;
    type IntoIter = std::slice::Iter<'a, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl PartialEq for Entries {
    fn eq(&self, other: &Entries) -> bool {
        self.list == other.list
    }
}

#[cfg(test)]
mod tests {
    use crate::source::SourceId;

    #[test]
    fn the_last_of_equal_keys_is_found_in_small_and_large_maps() {
        for count in [3, 100] {
            let text: String = (0..count)
                .chain([1])
                .map(|i| format!("k{i}: {}\n", i * 2))
                .collect();
            let text = text.replace("k2: 4\n", "k1: 7\n");
            let node = crate::yaml::parse(text.as_bytes(), SourceId::new(0, 0), 0).expect("a map");
            let number = |key: &str| node.get(key).and_then(super::super::Node::as_i64);
            assert_eq!(number("k0"), Some(0));
            assert_eq!(number("k1"), Some(2));
            assert_eq!(number("k2"), None);
            assert_eq!(number("k"), None);
            assert_eq!(number("zz"), None);
        }
    }
}
