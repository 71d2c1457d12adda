//! Which rooms are alive, on this node: what lists are answered from, without asking each room.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::message::LiveSummary;
use crate::domain::ids::{ProjectId, RoomId};
use crate::domain::memo::Memo;
use crate::error::{Code, Error};
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
}

#[derive(Default)]
pub struct Directory(Mutex<Known>);

impl Directory {
    /// A room is alive, or changed.
    pub fn set(
        &self,
        address: &RoomAddress,
        summary: LiveSummary,
        ends_at_ms: Option<i64>,
    ) -> Result<(), Error> {
        let mut known = self.lock();
        let bytes = cost_bytes(&summary);
        let before = known.find(address).map(|entry| cost_bytes(&entry.summary));
        if before.is_none() && known.bytes + bytes > LIVE_ROOMS_BYTES_MAX {
            return Err(too_many());
        }
        known.remove(address);
        known.bytes += bytes;
        if let Some(at_ms) = ends_at_ms {
            let end = (at_ms, address.project.clone(), address.room.clone());
            known.ends.insert(end);
        }
        let project = known.projects.entry(address.project.clone()).or_default();
        let entry = Entry { summary: Arc::new(summary), ends_at_ms };
        project.rooms.insert(address.room.clone(), entry);
        project.listed = None;
        Ok(())
    }

    pub fn remove(&self, address: &RoomAddress) {
        self.lock().remove(address);
    }

    /// The room has another name now.
    pub fn rename(&self, from: &RoomAddress, to: &RoomId) {
        let mut known = self.lock();
        let Some(entry) = known.remove(from) else { return };
        drop(known);
        let room = crate::domain::live::LiveRoom {
            room_id: to.clone(),
            ..crate::domain::live::LiveRoom::clone(&entry.summary.room)
        };
        let summary = LiveSummary { room: Arc::new(room), ..LiveSummary::clone(&entry.summary) };
        let address = RoomAddress { project: from.project.clone(), room: to.clone() };
        // It was within the bounds a moment ago; another room that took its place goes first.
        drop(self.set(&address, summary, entry.ends_at_ms));
    }

    pub fn find(&self, address: &RoomAddress) -> Option<Arc<LiveSummary>> {
        self.lock().find(address).map(|entry| Arc::clone(&entry.summary))
    }

    pub fn ends_at_ms(&self, address: &RoomAddress) -> Option<i64> {
        self.lock().find(address).and_then(|entry| entry.ends_at_ms)
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
