//! A map that knows what was changed in it, so that the journal can hold each step's outcome as a patch.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Entries by key, and the keys touched since [`Table::take_changes`].
#[derive(Clone, Debug)]
pub struct Table<K, V> {
    entries: BTreeMap<K, V>,
    touched: BTreeSet<K>,
}

/// Keys with their new values; `None`: removed.
pub type Changes<K, V> = Vec<(K, Option<V>)>;

impl<K: Ord, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), touched: BTreeSet::new() }
    }
}

impl<K: Ord, V: PartialEq> PartialEq for Table<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl<K: Ord + Clone, V: Clone> Table<K, V> {
    /// The entry of `key`.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: core::borrow::Borrow<Q>,
    {
        self.entries.get(key)
    }
    /// The entry of `key`, to be changed: it counts as touched.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let entry = self.entries.get_mut(key)?;
        self.touched.insert(key.clone());
        Some(entry)
    }
    /// The entry of `key`, made when there is none.
    pub fn entry_mut(&mut self, key: &K) -> &mut V
    where
        V: Default,
    {
        self.touched.insert(key.clone());
        self.entries.entry(key.clone()).or_default()
    }
    /// Puts `value` in the place of whatever was there.
    pub fn insert(&mut self, key: K, value: V) {
        self.touched.insert(key.clone());
        self.entries.insert(key, value);
    }
    /// Takes an entry out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.touched.insert(key.clone());
        Some(entry)
    }
    /// Whether there is such an entry.
    pub fn contains(&self, key: &K) -> bool {
        self.entries.contains_key(key)
    }
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
    /// All entries in the order of their keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.entries.iter()
    }
    /// All keys, owned, so that entries may be changed on the way.
    pub fn keys(&self) -> Vec<K> {
        self.entries.keys().cloned().collect()
    }
    /// The entries from `from` on.
    pub fn starting_at(&self, from: K) -> impl Iterator<Item = (&K, &V)> {
        self.entries.range(from..)
    }
    /// The oldest entry by key.
    pub fn first_key(&self) -> Option<&K> {
        self.entries.keys().next()
    }
    /// What was touched since the last time, with what it is now.
    pub fn take_changes(&mut self) -> Changes<K, V> {
        core::mem::take(&mut self.touched)
            .into_iter()
            .map(|key| {
                let value = self.entries.get(&key).cloned();
                (key, value)
            })
            .collect()
    }
    /// Makes the changes that another table went through.
    pub fn apply(&mut self, changes: Changes<K, V>) {
        for (key, value) in changes {
            match value {
                Some(value) => self.entries.insert(key, value),
                None => self.entries.remove(&key),
            };
        }
    }
}

impl<K: Serialize, V: Serialize> Serialize for Table<K, V> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.entries.iter())
    }
}

impl<'de, K: Ord + Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Table<K, V> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let entries = Vec::<(K, V)>::deserialize(from)?.into_iter().collect();
        Ok(Self { entries, touched: BTreeSet::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn changes_applied_elsewhere_make_an_equal_table() {
        let mut one = Table::<u32, String>::default();
        let mut two = one.clone();
        one.insert(1, "a".into());
        one.insert(2, "b".into());
        two.apply(one.take_changes());
        one.remove(&1);
        one.get_mut(&2).unwrap().push('c');
        let changes = one.take_changes();
        assert_eq!(changes.len(), 2);
        two.apply(changes);
        assert_eq!(one, two);
        assert!(one.take_changes().is_empty());
    }
}
