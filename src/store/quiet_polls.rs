//! Polls of a room's threads that found nothing, remembered until something changes.
//!
//! Clients ask every few seconds what is new, and nearly always nothing is: then the database need
//! not be asked. Invariant: what is remembered was read while no change was on its way that would
//! be told to this reader, and counts only until the next one begins.

use std::sync::{Arc, Weak};

use moka::sync::Cache;

use super::Store;
use super::room_data::DataKey;
use super::stamps::Quiet;
use crate::domain::ctx::ThreadRight;
use crate::domain::ids::{ProjectId, RoomId, UserId};
use crate::domain::room::Room;

/// Polls that are remembered, of a few hundred bytes each.
const POLLS_MAX: u64 = 50_000;

/// Who asks for the changes of which room.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Poll {
    pub project: ProjectId,
    pub room: RoomId,
    pub user: Option<UserId>,
    pub right: ThreadRight,
}

/// Permission to remember what is read from now on, unless something changes meanwhile.
#[derive(Debug)]
pub struct PollTicket {
    quiet: Quiet,
    room: Weak<Room>,
}

#[derive(Debug, Clone)]
struct Nothing {
    quiet: Quiet,
    /// The room as it was: one that has changed since, or is another one of the same name, has
    /// another record.
    room: Weak<Room>,
    /// Nothing had changed since then.
    since_ms: i64,
}

#[derive(Debug)]
pub(super) struct QuietPolls(Cache<Poll, Nothing>);

impl Default for QuietPolls {
    fn default() -> Self {
        Self(Cache::new(POLLS_MAX))
    }
}

impl Store {
    /// Whether there is nothing that changed at `since_ms` or later. `false` if that is not known.
    pub fn is_quiet(&self, poll: &Poll, room: &Arc<Room>, since_ms: i64) -> bool {
        self.inner.quiet_polls.0.get(poll).is_some_and(|nothing| {
            nothing.since_ms <= since_ms
                && std::ptr::eq(nothing.room.as_ptr(), Arc::as_ptr(room))
                && self.inner.stamps.is_still(&nothing.quiet)
        })
    }

    /// To be taken before the changes are read; nothing, if one is on its way.
    pub fn poll_ticket(
        &self,
        key: &DataKey,
        user: Option<&UserId>,
        room: &Arc<Room>,
    ) -> Option<PollTicket> {
        let quiet = self.inner.stamps.quiet(key, user)?;
        Some(PollTicket { quiet, room: Arc::downgrade(room) })
    }

    /// Remembers that there was nothing at `since_ms` or later.
    pub fn remember_quiet(&self, poll: Poll, ticket: PollTicket, since_ms: i64) {
        let PollTicket { quiet, room } = ticket;
        self.inner.quiet_polls.0.insert(poll, Nothing { quiet, room, since_ms });
    }
}
