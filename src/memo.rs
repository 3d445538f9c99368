//! A cache for results that depend on their inputs only. It passes results from one run to the
//! next.
//!
//! A run keeps only the results that it made or reused, so that memory does not grow. The default
//! caches nothing.

use rustc_hash::FxHashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// Cached results by their inputs.
#[derive(Debug)]
pub struct Memo<K, V> {
    /// The results of the run before. None if caching is off.
    before: Option<FxHashMap<K, V>>,
    now: Mutex<FxHashMap<K, V>>,
}

impl<K, V> Default for Memo<K, V> {
    fn default() -> Memo<K, V> {
        Memo {
            before: None,
            now: Mutex::default(),
        }
    }
}

impl<K: Hash + Eq, V: Clone> Memo<K, V> {
    /// The result for a key: the cached one if `holds` accepts it, else a new one.
    pub fn get(&self, key: K, holds: impl FnOnce(&V) -> bool, make: impl FnOnce() -> V) -> V {
        let Some(before) = &self.before else {
            return make();
        };
        let value = before
            .get(&key)
            .filter(|value| holds(value))
            .cloned()
            .unwrap_or_else(make);
        self.now
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, value.clone());
        value
    }

    /// The cache for the next run.
    pub fn next(&self) -> Memo<K, V> {
        Memo {
            before: Some(std::mem::take(
                &mut *self.now.lock().unwrap_or_else(PoisonError::into_inner),
            )),
            now: Mutex::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_last_run_used_is_kept() {
        let made = std::cell::Cell::new(0);
        let get = |memo: &Memo<u8, u8>, key: u8, value: u8| {
            memo.get(
                key,
                |kept| *kept == value,
                || {
                    made.set(made.get() + 1);
                    value
                },
            )
        };
        let memo = Memo::default().next();
        assert_eq!(
            (get(&memo, 1, 10), get(&memo, 2, 20), made.get()),
            (10, 20, 2)
        );
        let memo = memo.next();
        // The result is reused, or made again if it no longer holds.
        assert_eq!(
            (get(&memo, 1, 10), get(&memo, 2, 21), made.get()),
            (10, 21, 3)
        );
        let memo = memo.next();
        assert_eq!((get(&memo, 2, 21), made.get()), (21, 3));
        let memo = memo.next();
        assert_eq!((get(&memo, 1, 10), made.get()), (10, 4));
    }

    #[test]
    fn the_default_caches_nothing() {
        let memo: Memo<u8, u8> = Memo::default();
        assert_eq!(
            (memo.get(1, |_| true, || 10), memo.get(1, |_| true, || 11)),
            (10, 11)
        );
        assert!(memo.now.lock().is_ok_and(|now| now.is_empty()));
    }
}
