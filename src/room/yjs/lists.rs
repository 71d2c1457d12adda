//! Which list every insertion is in, and which insertions are shared types.
//!
//! `yrs` links a block to the neighbours that it names, whatever lists they are in, and follows a
//! shared type into its children by recursion. A hostile update could so tie two lists together and
//! leave pointers to collected blocks behind, or nest types until the stack ends. So each block is
//! placed here first. What is typed in one go is one run, which keeps this table small.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::NESTING_LEVELS_MAX;
use super::deletions::Deletions;
use super::scan::{Block, Content, Id, Parent, Span};
use super::wire::Malformed;

/// A list within a holder: that of its elements, or the one under a key. Index 0 of both is "none".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    holder: u32,
    key: u32,
}

/// Where collected blocks are, and whatever is put beside them.
const NOWHERE: Place = Place { holder: 0, key: 0 };

#[derive(Debug, Clone, Copy)]
struct Run {
    end: u32,
    place: Place,
}

/// What has been put into a holder since the document was opened. Deleted content counts too.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub text: bool,
    pub xml: bool,
    pub elements: bool,
    pub keys: bool,
}

#[derive(Debug)]
enum Name {
    Nowhere,
    Root(Arc<str>),
    Item(Id),
}

#[derive(Debug)]
struct Holder {
    name: Name,
    level: u16,
    seen: Seen,
}

#[derive(Debug)]
pub struct Lists {
    runs: BTreeMap<u64, Vec<Run>>,
    holders: Vec<Holder>,
    roots: HashMap<Arc<str>, u32>,
    types: HashMap<Id, u32>,
    keys: Vec<Arc<str>>,
    key_numbers: HashMap<Arc<str>, u32>,
    undo: Undo,
}

/// How to get back to where [`Lists::begin`] was called.
#[derive(Debug, Default)]
struct Undo {
    holders: usize,
    keys: usize,
    /// Of each client that was touched: how many runs it had, and the end of the last.
    runs: Vec<(u64, usize, u32)>,
    seen: Vec<(u32, Seen)>,
}

/// What is to become of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    InItsList,
    /// Its neighbour or its parent is gone, so that it has no place: it is collected at once.
    Nowhere,
}

impl Default for Lists {
    fn default() -> Self {
        let nowhere = Holder { name: Name::Nowhere, level: 0, seen: Seen::default() };
        Self {
            runs: BTreeMap::new(),
            holders: vec![nowhere],
            roots: HashMap::new(),
            types: HashMap::new(),
            keys: vec!["".into()],
            key_numbers: HashMap::new(),
            undo: Undo::default(),
        }
    }
}

impl Lists {
    /// The roots that anything was ever put into.
    pub fn roots(&self) -> impl Iterator<Item = (&str, Seen)> {
        self.roots.iter().map(|(name, holder)| (name.as_ref(), self.seen(*holder)))
    }

    pub fn root(&self, name: &str) -> Option<Seen> {
        self.roots.get(name).map(|holder| self.seen(*holder))
    }

    fn seen(&self, holder: u32) -> Seen {
        self.holders.get(holder as usize).map(|holder| holder.seen).unwrap_or_default()
    }

    pub fn begin(&mut self) {
        let (holders, keys) = (self.holders.len(), self.keys.len());
        self.undo = Undo { holders, keys, runs: Vec::new(), seen: Vec::new() };
    }

    /// Takes back what was placed since [`Self::begin`].
    pub fn roll_back(&mut self) {
        let undo = std::mem::take(&mut self.undo);
        for (holder, seen) in undo.seen.into_iter().rev() {
            if let Some(holder) = self.holders.get_mut(holder as usize) {
                holder.seen = seen;
            }
        }
        for holder in self.holders.drain(undo.holders..) {
            match holder.name {
                Name::Nowhere => None,
                Name::Root(name) => self.roots.remove(&name),
                Name::Item(id) => self.types.remove(&id),
            };
        }
        for key in self.keys.drain(undo.keys..) {
            self.key_numbers.remove(&key);
        }
        for (client, len, end) in undo.runs.into_iter().rev() {
            let runs = self.runs.entry(client).or_default();
            runs.truncate(len);
            if let Some(last) = runs.last_mut() {
                last.end = end;
            }
        }
    }

    /// Puts a block into its list. Everything that it names must have been placed before.
    pub fn place(
        &mut self,
        block: &Block,
        bytes: &[u8],
        deleted: &Deletions,
    ) -> Result<Placed, Malformed> {
        let place = self.resolve(block, bytes, deleted)?;
        if place != NOWHERE && matches!(block.content, Content::Type | Content::XmlType) {
            let level = self.holders.get(place.holder as usize).map_or(0, |holder| holder.level);
            if usize::from(level) >= NESTING_LEVELS_MAX {
                return Err(Malformed("shared types are nested too deeply"));
            }
            let id = (block.client, block.clock);
            let number = self.add_holder(Name::Item(id), level + 1)?;
            self.types.insert(id, number);
        }
        self.note(place, block.content);
        self.append(block, place);
        Ok(if place == NOWHERE { Placed::Nowhere } else { Placed::InItsList })
    }

    /// Notes that a block is nowhere, whatever it says.
    pub fn place_nowhere(&mut self, block: &Block) {
        self.append(block, NOWHERE);
    }

    fn resolve(
        &mut self,
        block: &Block,
        bytes: &[u8],
        deleted: &Deletions,
    ) -> Result<Place, Malformed> {
        let text = |(from, to): Span| {
            let text = bytes.get(from as usize..to as usize).unwrap_or_default();
            std::str::from_utf8(text).map_err(|_| Malformed("a name is not UTF-8"))
        };
        if block.content == Content::Collected {
            return Ok(NOWHERE);
        }
        let holder = match block.parent {
            Parent::Inherited => return self.beside(block),
            Parent::Root(name) => self.root_number(text(name)?)?,
            Parent::Item(id) => match self.types.get(&id) {
                Some(number) => *number,
                None if deleted.contains(id.0, id.1) || self.at(id) == NOWHERE => {
                    return Ok(NOWHERE);
                }
                None => return Err(Malformed("the parent of a block is no shared type")),
            },
        };
        let key = match block.key {
            Some(key) => self.key_number(text(key)?)?,
            None => 0,
        };
        Ok(Place { holder, key })
    }

    fn beside(&self, block: &Block) -> Result<Place, Malformed> {
        let left = block.origin.map(|id| self.at(id));
        let right = block.right_origin.map(|id| self.at(id));
        match (left, right) {
            (Some(NOWHERE), _) | (_, Some(NOWHERE)) | (None, None) => Ok(NOWHERE),
            (Some(left), Some(right)) if left != right => {
                Err(Malformed("the neighbours of a block are in different lists"))
            }
            (Some(place), _) | (None, Some(place)) => Ok(place),
        }
    }

    fn at(&self, (client, clock): Id) -> Place {
        let Some(runs) = self.runs.get(&client) else { return NOWHERE };
        let at = match runs.as_slice() {
            // Whoever types goes on where the last letter was.
            [.., before, _] if before.end <= clock => runs.len() - 1,
            _ => runs.partition_point(|run| run.end <= clock),
        };
        runs.get(at).filter(|run| clock < run.end).map_or(NOWHERE, |run| run.place)
    }

    fn append(&mut self, block: &Block, place: Place) {
        let runs = self.runs.entry(block.client).or_default();
        let last_end = runs.last().map_or(0, |run| run.end);
        if self.undo.runs.last().is_none_or(|(client, ..)| *client != block.client) {
            self.undo.runs.push((block.client, runs.len(), last_end));
        }
        match runs.last_mut() {
            Some(last) if last.place == place => last.end = block.end(),
            _ => runs.push(Run { end: block.end(), place }),
        }
    }

    fn note(&mut self, place: Place, content: Content) {
        let number = place.holder;
        let Some(holder) = self.holders.get_mut(number as usize) else { return };
        let before = holder.seen;
        match content {
            _ if place.key != 0 => holder.seen.keys = true,
            Content::Collected | Content::Deleted => {}
            Content::Text => holder.seen.text = true,
            Content::XmlType => holder.seen.xml = true,
            Content::Values | Content::Type => holder.seen.elements = true,
        }
        if holder.seen != before {
            self.undo.seen.push((number, before));
        }
    }

    fn root_number(&mut self, name: &str) -> Result<u32, Malformed> {
        if let Some(number) = self.roots.get(name) {
            return Ok(*number);
        }
        let name: Arc<str> = name.into();
        let number = self.add_holder(Name::Root(name.clone()), 0)?;
        self.roots.insert(name, number);
        Ok(number)
    }

    fn add_holder(&mut self, name: Name, level: u16) -> Result<u32, Malformed> {
        let number = u32::try_from(self.holders.len());
        self.holders.push(Holder { name, level, seen: Seen::default() });
        number.map_err(|_| Malformed("the document has too many shared types"))
    }

    fn key_number(&mut self, key: &str) -> Result<u32, Malformed> {
        if let Some(number) = self.key_numbers.get(key) {
            return Ok(*number);
        }
        let number = u32::try_from(self.keys.len());
        let number = number.map_err(|_| Malformed("the document has too many keys"))?;
        let key: Arc<str> = key.into();
        self.keys.push(key.clone());
        self.key_numbers.insert(key, number);
        Ok(number)
    }
}
