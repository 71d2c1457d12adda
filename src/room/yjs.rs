//! The Yjs documents of a room: one at its root, and one for each sub-document.
//!
//! `yrs` does what a CRDT is for. What comes from outside does not reach it before `scan` has read
//! every byte, `waiting` has held back what comes too early, and `lists` has seen that every block
//! has a place: so an update is applied as a whole or not at all. The state vector and the deleted
//! ranges are kept beside it, since the hash that clients compare has to be byte for byte that of
//! Yjs, after every update.

mod columns;
mod deletions;
mod engine;
mod lists;
mod record;
mod rewrite;
mod scan;
mod values;
pub mod view;
mod waiting;
mod wire;
mod write;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cell::Cell;

use aws_lc_rs::digest;

use self::deletions::Deletions;
use self::engine::Engine;
use self::lists::{Lists, Placed};
use self::scan::{Scanned, scan_all};
use self::waiting::{Clocks, Plan, Waiting, plan};
use self::wire::{Malformed, Reader, put_uint};
use self::write::Writer;

/// An update as a client may send it, in either format.
pub const UPDATE_BYTES_MAX: usize = 16 << 20;
/// An update of version 2 after it was rewritten as version 1, which repeats what 2 says once.
pub const REWRITTEN_UPDATE_BYTES_MAX: usize = 2 * UPDATE_BYTES_MAX;
pub const BLOCKS_PER_UPDATE_MAX: usize = 1 << 20;
/// What came too early may take this much memory in one document.
pub const WAITING_BYTES_MAX: usize = 32 << 20;
/// Deletions of what has not come yet, as ranges.
pub const WAITING_RANGES_MAX: usize = 1 << 18;
pub const STATE_VECTOR_CLIENTS_MAX: usize = 1 << 18;
/// The id of a sub-document.
pub const GUID_BYTES_MAX: usize = crate::store::SUBDOCUMENT_GUID_BYTES_MAX;
/// Shared types within shared types. An editor's document has ten or twenty.
pub const NESTING_LEVELS_MAX: usize = 256;
/// Objects and arrays within one plain value.
pub const VALUE_LEVELS_MAX: usize = 100;
/// A record of the log or a chunk of a snapshot, its tag included.
pub const CHUNK_BYTES_MAX: usize = 256 << 10;

/// Updates of the log that are applied as one when a document is opened.
const LOADED_TOGETHER_MAX: usize = 256;
const CLIENT_ID_MAX: u64 = (1 << 53) - 1;
/// `yrs` counts in 32 bits, with a sign in some places.
const CLOCK_MAX: u32 = i32::MAX as u32;

const _: () = assert!(UPDATE_BYTES_MAX <= REWRITTEN_UPDATE_BYTES_MAX);
const _: () = assert!(REWRITTEN_UPDATE_BYTES_MAX < u32::MAX as usize);

/// The two formats of updates and snapshots. A client says which one it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    V1,
    V2,
}

/// Why an update or a state vector was not used. The document is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("the update has {bytes} bytes; at most {UPDATE_BYTES_MAX} are allowed")]
    TooLarge { bytes: usize },
    #[error("too much of the document waits for updates that have not come")]
    TooMuchWaiting,
    #[error("the view of the document is too large")]
    ViewTooLarge,
    /// A bug in what applies updates, not in the update. Nothing else is done with the document
    /// until it is opened again from what is stored.
    #[error("the document broke while an update was applied, and has to be opened again")]
    Broken,
}

/// Stored records that do not make a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stored Yjs record {record} is corrupt: {cause}")]
pub struct Corrupt {
    pub record: usize,
    #[source]
    pub cause: Rejected,
}

/// What an update did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// What to append to the log, in pieces that fit a record; nothing if the update was known
    /// already, so that there is nothing to keep.
    pub records: Vec<Vec<u8>>,
}

impl Effect {
    pub fn changed(&self) -> bool {
        !self.records.is_empty()
    }
}

/// One Yjs document.
#[derive(Default)]
pub struct YDocument {
    engine: Engine,
    clocks: Clocks,
    deleted: Deletions,
    lists: Lists,
    waiting: Waiting,
    /// The hash of the deletions, where that of a snapshot begins, and the change it is from: most
    /// updates delete nothing, and there can be very many deletions.
    hashed: [Cell<Option<(u64, digest::Context)>>; 2],
}

impl YDocument {
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens a document from its snapshot and from the log records after it.
    pub fn load<'a>(records: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, Corrupt> {
        let mut whole = record::Whole::default();
        let (mut updates, mut at) = (Vec::new(), 0);
        for record in records {
            let update = whole.push(record).map_err(|cause| Corrupt { record: at, cause })?;
            updates.extend(update.map(|update| (at, update)));
            at += 1;
        }
        if whole.is_cut_off() {
            let cause = Malformed("the last record is continued in one that is missing").into();
            return Err(Corrupt { record: at, cause });
        }
        let mut document = Self::new();
        for together in updates.chunks(LOADED_TOGETHER_MAX) {
            document.replay(together)?;
        }
        Ok(document)
    }

    fn replay(&mut self, updates: &[(usize, Cow<'_, [u8]>)]) -> Result<(), Corrupt> {
        let together: Vec<&[u8]> = updates.iter().map(|(_, update)| update.as_ref()).collect();
        let scanned = scan_all(&together, Encoding::V1, true).map_err(Rejected::from);
        match (scanned.and_then(|scanned| self.integrate(&scanned)), updates) {
            (Ok(_), _) => Ok(()),
            (Err(cause), [(record, _)]) => Err(Corrupt { record: *record, cause }),
            // One by one, to tell which it is.
            (Err(_), several) => several.chunks(1).try_for_each(|one| self.replay(one)),
        }
    }

    /// Applies an update as a whole, or not at all. What of it depends on something that has not
    /// come yet is kept, and takes effect when that comes.
    pub fn apply(&mut self, update: &[u8], encoding: Encoding) -> Result<Effect, Rejected> {
        self.apply_together(&[update], encoding)
    }

    /// Applies updates as if they were one, all or none. Most of the work is done once for all of
    /// them, and the limits are those of one.
    pub fn apply_together(
        &mut self,
        updates: &[&[u8]],
        encoding: Encoding,
    ) -> Result<Effect, Rejected> {
        let bytes = updates.iter().map(|update| update.len()).sum();
        if bytes > UPDATE_BYTES_MAX {
            return Err(Rejected::TooLarge { bytes });
        }
        let scanned = scan_all(updates, encoding, false)?;
        if !self.integrate(&scanned)? {
            return Ok(Effect { records: Vec::new() });
        }
        let records = match encoding {
            Encoding::V1 => updates.iter().flat_map(|update| record::split(update)).collect(),
            Encoding::V2 => record::split(&rewritten(&scanned)),
        };
        Ok(Effect { records })
    }

    /// Whether anything changed, what now waits included.
    fn integrate(&mut self, update: &Scanned) -> Result<bool, Rejected> {
        if self.engine.is_broken() {
            return Err(Rejected::Broken);
        }
        let mut plan = plan(update, &self.waiting, &self.clocks)?;
        if self.waiting.bytes_len() + plan.early_bytes() > WAITING_BYTES_MAX {
            return Err(Rejected::TooMuchWaiting);
        }
        let (now, later) = self.sort_deletions(update, &plan);
        if self.waiting.deletions.ranges_len() + later.len() > WAITING_RANGES_MAX {
            return Err(Rejected::TooMuchWaiting);
        }
        let mut changed = plan.holds_more(&self.waiting);
        if !plan.ready.is_empty() || !now.is_empty() {
            changed = true;
            self.place_and_apply(update, &plan, &now)?;
        }
        self.waiting.follow(&mut plan);
        if !now.is_empty() || !plan.ready.is_empty() {
            self.drop_done_deletions();
        }
        for (client, start, end) in later {
            changed |= self.waiting.deletions.insert(client, start, end);
        }
        Ok(changed)
    }

    /// The deletions that can be done after a plan, and those of the update that cannot yet.
    fn sort_deletions(&self, update: &Scanned, plan: &Plan) -> (Deletions, Vec<(u64, u32, u32)>) {
        let mut ends = Clocks::new();
        for (block, _) in plan.ready.iter().filter_map(|ready| ready.block(update)) {
            ends.insert(block.client, block.end());
        }
        let (mut now, mut later) = (Deletions::default(), Vec::new());
        let mut sort = |client: u64, ranges: &[(u32, u32)], fresh: bool| {
            let clock = ends.get(&client).or_else(|| self.clocks.get(&client)).copied();
            let clock = clock.unwrap_or(0);
            for (start, end) in ranges {
                self.deleted.missing(client, *start, clock.min(*end), |from, to| {
                    now.insert(client, from, to);
                });
                if fresh && clock < *end {
                    later.push((client, clock.max(*start), *end));
                }
            }
        };
        update.deletions.iter().for_each(|(client, ranges)| sort(client, ranges, true));
        if !self.waiting.deletions.is_empty() {
            for client in ends.keys() {
                sort(*client, self.waiting.deletions.of(*client), false);
            }
        }
        (now, later)
    }

    /// Hands to the engine what is ready. If a block of the update has no right to be where it
    /// wants to be, nothing happens; one that has waited is collected, as if it had been deleted.
    fn place_and_apply(
        &mut self,
        update: &Scanned,
        plan: &Plan,
        now: &Deletions,
    ) -> Result<(), Rejected> {
        self.lists.begin();
        let mut writer = Writer::default();
        for ready in &plan.ready {
            let Some((block, bytes)) = ready.block(update) else { continue };
            let placed = match self.lists.place(block, bytes, &self.deleted) {
                Ok(placed) => placed,
                Err(problem) if ready.fresh => {
                    self.lists.roll_back();
                    return Err(problem.into());
                }
                Err(_) => {
                    self.lists.place_nowhere(block);
                    Placed::Nowhere
                }
            };
            match placed {
                Placed::InItsList => writer.push(block, bytes),
                Placed::Nowhere => {
                    let (block, bytes) = block.collected();
                    writer.push(&block, &bytes);
                }
            }
        }
        if let Err(problem) = self.engine.apply(&writer.finish(now), &mut self.deleted) {
            self.lists.roll_back();
            return Err(problem);
        }
        for (block, _) in plan.ready.iter().filter_map(|ready| ready.block(update)) {
            self.clocks.insert(block.client, block.end());
        }
        Ok(())
    }

    fn drop_done_deletions(&mut self) {
        if !self.waiting.deletions.is_empty() {
            self.waiting.deletions.keep_from(&self.clocks);
        }
    }

    /// What a peer with this state vector lacks. Nothing at all stands for an empty document.
    pub fn diff(&self, state_vector: &[u8], encoding: Encoding) -> Result<Vec<u8>, Rejected> {
        let known = read_state_vector(state_vector)?;
        self.engine.diff(&known, encoding, &self.waiting)
    }

    /// The state vector, in the encoding that both formats share.
    pub fn state_vector(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(5 + 10 * self.clocks.len());
        put_clocks(&self.clocks, &mut out);
        out
    }

    /// The SHA-256 of the document's snapshot, as Yjs encodes it.
    pub fn snapshot_hash(&self, encoding: Encoding) -> [u8; 32] {
        let mut hash = self.deletions_hash(encoding);
        let mut clocks = Vec::with_capacity(5 + 10 * self.clocks.len());
        put_clocks(&self.clocks, &mut clocks);
        hash.update(&clocks);
        let mut out = [0; 32];
        out.copy_from_slice(hash.finish().as_ref());
        out
    }

    fn deletions_hash(&self, encoding: Encoding) -> digest::Context {
        let [v1, v2] = &self.hashed;
        let cell = match encoding {
            Encoding::V1 => v1,
            Encoding::V2 => v2,
        };
        let cached = cell.take().filter(|(change, _)| *change == self.deleted.changes());
        let hash = cached.map(|(_, hash)| hash).unwrap_or_else(|| {
            let mut hash = digest::Context::new(&digest::SHA256);
            self.deleted.snapshot(encoding, |bytes| hash.update(bytes));
            hash
        });
        cell.set(Some((self.deleted.changes(), hash.clone())));
        hash
    }

    /// The snapshot itself.
    pub fn snapshot(&self, encoding: Encoding) -> Vec<u8> {
        let mut out = Vec::new();
        self.deleted.snapshot(encoding, |bytes| out.extend_from_slice(bytes));
        put_clocks(&self.clocks, &mut out);
        out
    }

    /// The whole document as one update, what waits included.
    pub fn encode_all(&self, encoding: Encoding) -> Result<Vec<u8>, Rejected> {
        self.diff(&[], encoding)
    }

    /// The whole document as records that [`Self::load`] takes in the place of all others.
    pub fn compacted(&self) -> Result<Vec<Vec<u8>>, Rejected> {
        Ok(record::split(&self.encode_all(Encoding::V1)?))
    }

    /// Whether something came that cannot take effect before something else does.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether the document has to be opened again from what is stored.
    pub fn is_broken(&self) -> bool {
        self.engine.is_broken()
    }
}

/// What was read, as one update of version 1.
fn rewritten(update: &Scanned) -> Vec<u8> {
    let mut blocks: Vec<_> = update.blocks().collect();
    blocks.sort_by_key(|(block, _)| (block.client, block.clock));
    let mut writer = Writer::default();
    blocks.into_iter().for_each(|(block, bytes)| writer.push(block, bytes));
    writer.finish(&update.deletions)
}

fn put_clocks(clocks: &Clocks, out: &mut Vec<u8>) {
    put_uint(out, clocks.len() as u64);
    for (client, clock) in clocks.iter().rev() {
        put_uint(out, *client);
        put_uint(out, u64::from(*clock));
    }
}

fn read_state_vector(bytes: &[u8]) -> Result<Clocks, Malformed> {
    let mut clocks = Clocks::new();
    if bytes.is_empty() {
        return Ok(clocks);
    }
    let mut from = Reader::new(bytes);
    let count = from.count()?;
    if count > STATE_VECTOR_CLIENTS_MAX {
        return Err(Malformed("the state vector has too many clients"));
    }
    for _ in 0..count {
        let client = from.client()?;
        clocks.insert(client, from.clock()?);
    }
    if from.is_empty() { Ok(clocks) } else { Err(Malformed("something follows the state vector")) }
}
