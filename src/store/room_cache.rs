//! Rooms that were read lately, as they are in the database.
//!
//! Invariant: a reader never finds a room here that is older than a write that was answered. Each
//! shard counts the writes to its rooms; a reader notes the count before it asks the database and
//! may store the answer only while the count is still the same.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use moka::sync::Cache;

use crate::domain::ids::{ProjectId, RoomId};
use crate::domain::room::{Accesses, Room};

/// A power of two well above the number of cores, so that two readers seldom share a lock.
const SHARDS: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CacheKey {
    project: ProjectId,
    room: RoomId,
}

#[derive(Debug)]
pub(super) struct RoomCache {
    rooms: Option<Cache<CacheKey, Arc<Room>>>,
    shards: [Mutex<u64>; SHARDS],
    hasher: RandomState,
}

/// The right to store what the database answers, unless somebody writes in between.
#[derive(Debug)]
pub(super) struct Ticket {
    key: CacheKey,
    shard: usize,
    epoch: u64,
}

impl RoomCache {
    /// `bytes_max` of 0 turns it off.
    pub(super) fn new(bytes_max: u64) -> Self {
        let rooms = (bytes_max > 0).then(|| {
            Cache::builder()
                .max_capacity(bytes_max)
                .weigher(|key: &CacheKey, room: &Arc<Room>| {
                    u32::try_from(weight_bytes(key, room)).unwrap_or(u32::MAX)
                })
                .build()
        });
        let shards = std::array::from_fn(|_| Mutex::new(0));
        Self { rooms, shards, hasher: RandomState::new() }
    }

    /// The room, or a ticket to store it with. The hit path allocates nothing.
    pub(super) fn find(&self, project: &ProjectId, id: &RoomId) -> Result<Arc<Room>, Ticket> {
        let key = CacheKey { project: project.clone(), room: id.clone() };
        match self.rooms.as_ref().and_then(|rooms| rooms.get(&key)) {
            Some(room) => Ok(room),
            None => {
                let shard = self.shard(&key);
                let epoch = *self.lock(shard);
                Err(Ticket { key, shard, epoch })
            }
        }
    }

    pub(super) fn store(&self, ticket: Ticket, room: &Arc<Room>) {
        let Some(rooms) = &self.rooms else { return };
        let epoch = self.lock(ticket.shard);
        if *epoch == ticket.epoch {
            rooms.insert(ticket.key, Arc::clone(room));
        }
    }

    pub(super) fn invalidate(&self, project: &ProjectId, id: &RoomId) {
        self.invalidate_key(&CacheKey { project: project.clone(), room: id.clone() });
    }

    fn invalidate_key(&self, key: &CacheKey) {
        let Some(rooms) = &self.rooms else { return };
        let mut epoch = self.lock(self.shard(key));
        *epoch += 1;
        rooms.invalidate(key);
    }

    fn shard(&self, key: &CacheKey) -> usize {
        let hash = self.hasher.hash_one(key);
        usize::try_from(hash).unwrap_or(0) % SHARDS
    }

    fn lock(&self, shard: usize) -> std::sync::MutexGuard<'_, u64> {
        // A counter cannot be left half changed, so a poisoned lock is as good as any.
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rooms that a transaction writes. They leave the cache when this is dropped: after the
/// commit, and also when nobody knows whether there was one.
#[derive(Debug)]
pub(super) struct Touched {
    cache: Option<Arc<RoomCache>>,
    keys: [Option<CacheKey>; 2],
}

impl Touched {
    pub(super) fn nothing() -> Self {
        Self { cache: None, keys: [None, None] }
    }

    pub(super) fn room(cache: &Arc<RoomCache>, project: &ProjectId, id: &RoomId) -> Self {
        let key = CacheKey { project: project.clone(), room: id.clone() };
        Self { cache: Some(Arc::clone(cache)), keys: [Some(key), None] }
    }

    pub(super) fn and(mut self, project: &ProjectId, id: &RoomId) -> Self {
        self.keys[1] = Some(CacheKey { project: project.clone(), room: id.clone() });
        self
    }
}

impl Drop for Touched {
    fn drop(&mut self) {
        if let Some(cache) = &self.cache {
            self.keys.iter().flatten().for_each(|key| cache.invalidate_key(key));
        }
    }
}

/// An estimate of the heap that an entry keeps alive, rounded up.
fn weight_bytes(key: &CacheKey, room: &Room) -> usize {
    /// A map's share of a node, the string header and the allocator's rounding.
    const ENTRY_BYTES: usize = 96;
    const WRITTEN_FORMS: usize = 3;
    const WRITTEN_FIXED_BYTES: usize = 512;
    let accesses = |map: &Accesses| -> usize {
        map.iter().map(|(id, scopes)| ENTRY_BYTES + id.len() + scopes.len()).sum()
    };
    let strings = |texts: &[String]| -> usize { texts.iter().map(|text| 24 + text.len()).sum() };
    let metadata: usize = room
        .metadata
        .iter()
        .map(|(key, value)| ENTRY_BYTES + key.len() + strings(value.texts()))
        .sum();
    // What is written of the room stays with it: as JSON of REST and of the other protocols, and as
    // protobuf. None of these is longer than the parts together with what stands around them.
    let texts = accesses(&room.users_accesses) + accesses(&room.groups_accesses) + metadata;
    let written = WRITTEN_FORMS * (WRITTEN_FIXED_BYTES + texts);
    written
        + size_of::<Room>()
        + 2 * ENTRY_BYTES
        + key.room.as_str().len() * 2
        + room.organization_id.as_str().len()
        + texts
}
