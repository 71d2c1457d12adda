//! The children of one node in the order of their keys.
//!
//! Places of nodes in sorted blocks: finding by key is a binary search, the n-th child of 50,000 is
//! found by adding up a few hundred lengths, and an insertion moves at most one block.
//!
//! The keys are in the nodes; every method that compares takes `key_of`, which tells the key of the
//! node at a place.

use std::cmp::Ordering;

const BLOCK_LEN_MAX: usize = 512;

#[derive(Debug, Default)]
pub struct Children {
    /// None of them is empty.
    blocks: Vec<Vec<u32>>,
    len: usize,
}

/// A block, and where in it.
type At = (usize, usize);

impl Children {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn get<'a>(&self, key: &[u8], key_of: impl Fn(u32) -> &'a [u8]) -> Option<u32> {
        self.search(key, key_of).ok().and_then(|at| self.at(at))
    }

    pub fn last(&self) -> Option<u32> {
        self.blocks.last()?.last().copied()
    }

    pub fn nth(&self, number: usize) -> Option<u32> {
        let mut left = number;
        for block in &self.blocks {
            if left < block.len() {
                return block.get(left).copied();
            }
            left -= block.len();
        }
        None
    }

    /// How many children stand before this key.
    pub fn rank<'a>(&self, key: &[u8], key_of: impl Fn(u32) -> &'a [u8]) -> usize {
        let (block, at) = self.search(key, key_of).unwrap_or_else(|at| at);
        self.blocks.iter().take(block).map(Vec::len).sum::<usize>() + at
    }

    /// The first child behind this key.
    pub fn next_after<'a>(&self, key: &[u8], key_of: impl Fn(u32) -> &'a [u8]) -> Option<u32> {
        let (block, at) = match self.search(key, key_of) {
            Ok((block, at)) => (block, at + 1),
            Err(at) => at,
        };
        self.at((block, at)).or_else(|| self.at((block + 1, 0)))
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = u32> + '_ {
        self.blocks.iter().flatten().copied()
    }

    /// Adds a child. Its key must not be among the keys yet.
    pub fn insert<'a>(&mut self, place: u32, key: &[u8], key_of: impl Fn(u32) -> &'a [u8]) {
        let (number, at) = self.search(key, key_of).unwrap_or_else(|at| at);
        self.len += 1;
        let is_last = number + 1 >= self.blocks.len();
        let Some(block) = self.blocks.get_mut(number) else {
            self.blocks.reserve_exact(1);
            return self.blocks.push(vec![place]);
        };
        if block.len() < BLOCK_LEN_MAX {
            return block.insert(at, place);
        }
        // Lists mostly grow at their end: a full last block stays full.
        let half = if is_last && at == block.len() { at } else { BLOCK_LEN_MAX / 2 };
        let mut rest = block.split_off(half);
        if at <= half && half < BLOCK_LEN_MAX {
            block.insert(at, place);
        } else {
            rest.insert(at - half, place);
        }
        self.blocks.insert(number + 1, rest);
    }

    pub fn remove<'a>(&mut self, key: &[u8], key_of: impl Fn(u32) -> &'a [u8]) {
        let Ok((number, at)) = self.search(key, key_of) else { return };
        let Some(block) = self.blocks.get_mut(number) else { return };
        block.remove(at);
        self.len -= 1;
        let len = block.len();
        let next_len = self.blocks.get(number + 1).map_or(BLOCK_LEN_MAX, Vec::len);
        if len == 0 {
            self.blocks.remove(number);
        } else if len + next_len <= BLOCK_LEN_MAX / 2 {
            let mut next = self.blocks.remove(number + 1);
            if let Some(block) = self.blocks.get_mut(number) {
                block.append(&mut next);
            }
        }
    }

    fn at(&self, (block, at): At) -> Option<u32> {
        self.blocks.get(block)?.get(at).copied()
    }

    /// Where the key is, or where it would be.
    fn search<'a>(&self, key: &[u8], key_of: impl Fn(u32) -> &'a [u8]) -> Result<At, At> {
        let is_behind = |block: &Vec<u32>| block.first().is_some_and(|first| key_of(*first) > key);
        let behind = self.blocks.partition_point(|block| !is_behind(block));
        let number = behind.saturating_sub(1);
        let Some(block) = self.blocks.get(number) else { return Err((0, 0)) };
        // The end of a list is where most of the new ones go.
        let last = block.last().map(|last| key_of(*last).cmp(key));
        if last == Some(Ordering::Less) {
            return Err((number, block.len()));
        }
        match block.binary_search_by(|place| key_of(*place).cmp(key)) {
            Ok(at) => Ok((number, at)),
            Err(at) => Err((number, at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Enough children for several blocks, added and taken in an order that looks random.
    #[test]
    fn they_agree_with_a_sorted_map() {
        let keys: Vec<String> = (0..5000).map(|n| format!("{n:05}")).collect();
        let key_of = |place: u32| keys[place as usize].as_bytes();
        let mut children = Children::default();
        let mut model = BTreeMap::new();
        let check = |children: &Children, model: &BTreeMap<u32, ()>| {
            assert_eq!(children.len(), model.len());
            assert!(children.iter().eq(model.keys().copied()));
            assert!(children.iter().rev().eq(model.keys().rev().copied()));
            assert_eq!(children.last(), model.keys().last().copied());
            for (number, place) in model.keys().enumerate() {
                assert_eq!(children.nth(number), Some(*place));
                assert_eq!(children.rank(key_of(*place), key_of), number);
            }
            for place in 0..5000 {
                let found = children.get(key_of(place), key_of);
                assert_eq!(found, model.contains_key(&place).then_some(place));
                let next = children.next_after(key_of(place), key_of);
                assert_eq!(next, model.range(place + 1..).next().map(|(next, ())| *next));
            }
        };
        for step in 0..10_000_u32 {
            let place = step * 3677 % 5000;
            if step < 5000 {
                children.insert(place, key_of(place), key_of);
                model.insert(place, ());
            } else if step % 20 != 0 {
                children.remove(key_of(place), key_of);
                model.remove(&place);
            }
            if step % 1999 == 0 {
                check(&children, &model);
            }
        }
        check(&children, &model);
    }

    #[test]
    fn pushing_fills_the_blocks() {
        let keys: Vec<String> = (0..2048).map(|n| format!("{n:05}")).collect();
        let key_of = |place: u32| keys[place as usize].as_bytes();
        let mut children = Children::default();
        (0..2048).for_each(|place| children.insert(place, key_of(place), key_of));
        assert_eq!(children.blocks.len(), 4);
        assert_eq!(children.nth(2048), None);
    }
}
