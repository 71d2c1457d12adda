//! Which rooms are alive, on this node: what lists are answered from, without asking each room.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::guests::Guests;
use crate::domain::ids::{ProjectId, RoomId};
use crate::domain::live::{LiveRoom, LiveSummary};
use crate::domain::memo::Memo;
use crate::error::{Code, Error};
use crate::room::live::message::Listing;
use crate::room::session::RoomAddress;

/// What the rooms that are alive may hold in memory, metadata mostly.
pub const LIVE_ROOMS_BYTES_MAX: usize = 512 << 20;
/// What a room takes besides its texts, about.
const ROOM_BYTES: usize = 512;

/// All rooms of a project that are alive, in the order of their names.
#[derive(Debug, Default)]
pub struct LiveRooms {
    pub rooms: Vec<Arc<LiveSummary>>,
    /// The same, as outer layers write it.
    pub memo: Memo,
}

#[derive(Default)]
struct Known {
    projects: HashMap<ProjectId, Project>,
    /// Rooms that end, by when.
    ends: BTreeSet<(i64, ProjectId, RoomId)>,
    bytes: usize,
}

#[derive(Default)]
struct Project {
    rooms: BTreeMap<RoomId, Entry>,
    /// Until something changes.
    listed: Option<Arc<LiveRooms>>,
}

struct Entry {
    summary: Arc<LiveSummary>,
    /// Absent while somebody is in it.
    ends_at_ms: Option<i64>,
    /// Who is in it, if somebody asked since the last of them came, went or changed.
    listing: Option<Arc<Listing>>,
    /// They go when its life ends.
    guests: Guests,
}

#[derive(Default)]
pub struct Directory(Mutex<Known>);

impl Directory {
    /// Whether one more room with so much metadata may come to life.
    pub fn check_place(&self, metadata_bytes: usize) -> Result<(), Error> {
        match self.lock().bytes + ROOM_BYTES + metadata_bytes {
            0..=LIVE_ROOMS_BYTES_MAX => Ok(()),
            _ => Err(too_many()),
        }
    }

    /// A room is alive, or changed.
    pub fn set(&self, address: &RoomAddress, summary: LiveSummary, ends_at_ms: Option<i64>) {
        let mut known = self.lock();
        let bytes = cost_bytes(&summary);
        let guests = known.remove(address).map(|entry| entry.guests).unwrap_or_default();
        known.bytes += bytes;
        if let Some(at_ms) = ends_at_ms {
            let end = (at_ms, address.project.clone(), address.room.clone());
            known.ends.insert(end);
        }
        let project = known.projects.entry(address.project.clone()).or_default();
        let entry = Entry { summary: Arc::new(summary), ends_at_ms, listing: None, guests };
        project.rooms.insert(address.room.clone(), entry);
        project.listed = None;
    }

    pub fn remove(&self, address: &RoomAddress) {
        self.lock().remove(address);
    }

    /// The room has another name now, and nobody is in it. Says until when it lives.
    pub fn rename(&self, from: &RoomAddress, to: &RoomId, now_ms: i64) -> Option<(Arc<str>, i64)> {
        let entry = self.lock().remove(from)?;
        let room = LiveRoom { room_id: to.clone(), ..LiveRoom::clone(&entry.summary.room) };
        let ends_at_ms = entry.ends_at_ms.unwrap_or_else(|| room.departed_until_ms(now_ms));
        let sid = Arc::clone(&room.sid);
        let address = RoomAddress { project: from.project.clone(), room: to.clone() };
        self.set(&address, LiveSummary::empty(Arc::new(room)), Some(ends_at_ms));
        Some((sid, ends_at_ms))
    }

    /// Nobody is in the room any more, however that came about. Says until when it lives, if that
    /// was not known.
    pub fn vacate(&self, address: &RoomAddress, now_ms: i64) -> Option<(Arc<str>, i64)> {
        let entry =
            self.lock().find(address).map(|entry| (Arc::clone(&entry.summary), entry.ends_at_ms));
        let (summary, known_ms) = entry?;
        let (room, sid) = (Arc::clone(&summary.room), Arc::clone(&summary.room.sid));
        let ends_at_ms = known_ms.unwrap_or_else(|| room.departed_until_ms(now_ms));
        self.set(address, LiveSummary::empty(room), Some(ends_at_ms));
        known_ms.is_none().then_some((sid, ends_at_ms))
    }

    pub fn find(&self, address: &RoomAddress) -> Option<Arc<LiveSummary>> {
        self.lock().find(address).map(|entry| Arc::clone(&entry.summary))
    }

    pub fn ends_at_ms(&self, address: &RoomAddress) -> Option<i64> {
        self.lock().find(address).and_then(|entry| entry.ends_at_ms)
    }

    /// Who is in the room, for those who ask next. Only the room itself may say so, between two of
    /// its changes.
    pub fn keep_listing(&self, address: &RoomAddress, listing: &Arc<Listing>) {
        if let Some(entry) = self.lock().find_mut(address) {
            entry.listing = Some(Arc::clone(listing));
        }
    }

    /// Who is in the room, if that is known without asking it.
    pub fn listing(&self, address: &RoomAddress) -> Option<Arc<Listing>> {
        self.lock().find(address).and_then(|entry| entry.listing.clone())
    }

    /// Does something about a room's guests, if it is alive.
    pub fn guests<T>(
        &self,
        address: &RoomAddress,
        act: impl FnOnce(&mut Guests) -> T,
    ) -> Option<T> {
        self.lock().find_mut(address).map(|entry| act(&mut entry.guests))
    }

    /// Nobody is in the room any more, nor shown elsewhere. Says which rooms have to be told.
    pub fn end_forwards_of(&self, from: &RoomAddress) -> Vec<RoomAddress> {
        let mut known = self.lock();
        let Some(project) = known.projects.get_mut(&from.project) else { return Vec::new() };
        let with_guests = project
            .rooms
            .iter_mut()
            .filter_map(|(room, entry)| entry.guests.forget_all_of(&from.room).then_some(room));
        let address = |room: &RoomId| RoomAddress { room: room.clone(), ..from.clone() };
        with_guests.map(address).collect()
    }

    pub fn list(&self, project: &ProjectId) -> Arc<LiveRooms> {
        let mut known = self.lock();
        let Some(project) = known.projects.get_mut(project) else { return Arc::default() };
        if let Some(listed) = &project.listed {
            return Arc::clone(listed);
        }
        let rooms = project.rooms.values().map(|entry| Arc::clone(&entry.summary)).collect();
        let listed = Arc::new(LiveRooms { rooms, memo: Memo::default() });
        project.listed = Some(Arc::clone(&listed));
        listed
    }

    /// Rooms whose time has come, at most so many.
    pub fn due(&self, now_ms: i64, rooms_max: usize) -> Vec<RoomAddress> {
        let known = self.lock();
        let due = known.ends.iter().take_while(|(at_ms, ..)| *at_ms <= now_ms).take(rooms_max);
        due.map(|(_, project, room)| RoomAddress { project: project.clone(), room: room.clone() })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn find(&self, address: &RoomAddress) -> Option<&Entry> {
        self.projects.get(&address.project)?.rooms.get(&address.room)
    }

    fn find_mut(&mut self, address: &RoomAddress) -> Option<&mut Entry> {
        self.projects.get_mut(&address.project)?.rooms.get_mut(&address.room)
    }

    fn remove(&mut self, address: &RoomAddress) -> Option<Entry> {
        let project = self.projects.get_mut(&address.project)?;
        let entry = project.rooms.remove(&address.room)?;
        project.listed = None;
        if project.rooms.is_empty() {
            self.projects.remove(&address.project);
        }
        self.bytes = self.bytes.saturating_sub(cost_bytes(&entry.summary));
        if let Some(at_ms) = entry.ends_at_ms {
            self.ends.remove(&(at_ms, address.project.clone(), address.room.clone()));
        }
        Some(entry)
    }
}

fn cost_bytes(summary: &LiveSummary) -> usize {
    ROOM_BYTES + summary.room.metadata.len()
}

fn too_many() -> Error {
    let problem = format!(
        "The rooms that are alive hold as much as they may, {LIVE_ROOMS_BYTES_MAX} bytes; \
         retry when some have ended."
    );
    Error::new(Code::ResourceExhausted, "RESOURCE_EXHAUSTED", problem)
}
