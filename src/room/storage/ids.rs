//! From a node's id to its place in the arena.
//!
//! A hash table of places only: the ids themselves are in the nodes, so an entry costs about eight
//! bytes. Hashes are keyed at random, since ids are chosen by clients.

use std::hash::{BuildHasher, RandomState};

const EMPTY: u32 = u32::MAX;
const SLOTS_MIN: usize = 8;

pub struct IdIndex {
    /// A power of two of them; at most three quarters are taken.
    slots: Vec<u32>,
    taken: usize,
    state: RandomState,
}

impl Default for IdIndex {
    fn default() -> Self {
        Self { slots: vec![EMPTY; SLOTS_MIN], taken: 0, state: RandomState::new() }
    }
}

impl IdIndex {
    /// `id_of` tells the id of the node at a place.
    pub fn find<'a>(&self, id: &str, id_of: impl Fn(u32) -> &'a [u8]) -> Option<u32> {
        let mut slot = self.home(id.as_bytes());
        loop {
            match self.at(slot) {
                EMPTY => return None,
                place if id_of(place) == id.as_bytes() => return Some(place),
                _ => slot = self.next(slot),
            }
        }
    }

    /// The id must not be in the table yet.
    pub fn insert<'a>(&mut self, id: &str, place: u32, id_of: impl Fn(u32) -> &'a [u8]) {
        if (self.taken + 1) * 4 > self.slots.len() * 3 {
            self.grow(id_of);
        }
        self.put(self.home(id.as_bytes()), place);
        self.taken += 1;
    }

    pub fn remove<'a>(&mut self, id: &str, place: u32, id_of: impl Fn(u32) -> &'a [u8]) {
        let mut hole = self.home(id.as_bytes());
        while self.at(hole) != place {
            if self.at(hole) == EMPTY {
                return;
            }
            hole = self.next(hole);
        }
        self.taken -= 1;
        // What stands behind the hole moves into it, unless that is in front of where it belongs.
        let mut slot = self.next(hole);
        while self.at(slot) != EMPTY {
            let home = self.home(id_of(self.at(slot)));
            if self.distance(home, slot) >= self.distance(hole, slot) {
                self.set(hole, self.at(slot));
                hole = slot;
            }
            slot = self.next(slot);
        }
        self.set(hole, EMPTY);
    }

    fn grow<'a>(&mut self, id_of: impl Fn(u32) -> &'a [u8]) {
        let larger = vec![EMPTY; self.slots.len() * 2];
        for place in std::mem::replace(&mut self.slots, larger) {
            if place != EMPTY {
                self.put(self.home(id_of(place)), place);
            }
        }
    }

    fn put(&mut self, home: usize, place: u32) {
        let mut slot = home;
        while self.at(slot) != EMPTY {
            slot = self.next(slot);
        }
        self.set(slot, place);
    }

    fn home(&self, id: &[u8]) -> usize {
        self.state.hash_one(id) as usize & (self.slots.len() - 1)
    }

    fn next(&self, slot: usize) -> usize {
        (slot + 1) & (self.slots.len() - 1)
    }

    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.slots.len() - 1)
    }

    fn at(&self, slot: usize) -> u32 {
        self.slots.get(slot).copied().unwrap_or(EMPTY)
    }

    fn set(&mut self, slot: usize, place: u32) {
        if let Some(found) = self.slots.get_mut(slot) {
            *found = place;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_agrees_with_a_map(
            steps in proptest::collection::vec((0_u32..60, any::<bool>()), 0..400),
        ) {
            let ids: Vec<String> = (0..60).map(|n| format!("0:{n}")).collect();
            let id_of = |place: u32| ids[place as usize].as_bytes();
            let mut index = IdIndex::default();
            let mut model = BTreeMap::new();
            for (place, adds) in steps {
                let id = &ids[place as usize];
                if !adds {
                    index.remove(id, place, id_of);
                    model.remove(id);
                } else if model.insert(id, place).is_none() {
                    index.insert(id, place, id_of);
                }
                for id in &ids {
                    prop_assert_eq!(index.find(id, id_of), model.get(id).copied());
                }
            }
        }
    }
}
