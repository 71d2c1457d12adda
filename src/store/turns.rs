//! Turns at the database: who may use a connection, in the order in which they came.
//!
//! Calls and rooms wait differently. A call has somebody who is better told soon that the database
//! is busy. A room that is refused costs more than one that waits: whoever is in it is let go, comes
//! back at once and has the room loaded again. After a restart thousands of rooms are opened
//! together, so they also leave some connections to the calls.
//!
//! Invariant: there are no more turns than connections, so whoever has one waits for the database
//! only, never for others.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::fault;
use crate::error::Error;

/// Of the connections that rooms could use, one in so many is left to calls.
const CALLS_SHARE: u32 = 4;

/// On whose behalf the store is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Calls,
    Rooms,
}

#[derive(Debug)]
pub(super) struct Turns {
    all: Arc<Semaphore>,
    /// Taken before `all`, so that rooms never fill the queue of those who wait for that.
    rooms: Arc<Semaphore>,
    call_patience: Duration,
    room_patience: Duration,
}

/// The right to use one connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _one_of_all: OwnedSemaphorePermit,
    _one_of_rooms: Option<OwnedSemaphorePermit>,
}

impl Turns {
    pub(super) fn new(
        connections_max: u32,
        call_patience: Duration,
        room_patience: Duration,
    ) -> Self {
        let connections_max = connections_max.max(1);
        let rooms_max = (connections_max - connections_max / CALLS_SHARE).max(1);
        let semaphore = |permits: u32| {
            Arc::new(Semaphore::new(usize::try_from(permits).unwrap_or(Semaphore::MAX_PERMITS)))
        };
        let (all, rooms) = (semaphore(connections_max), semaphore(rooms_max));
        Self { all, rooms, call_patience, room_patience }
    }

    /// How long one of these waits for whatever it has to queue for.
    pub(super) fn patience(&self, lane: Lane) -> Duration {
        match lane {
            Lane::Calls => self.call_patience,
            Lane::Rooms => self.room_patience,
        }
    }

    /// Waits in line. Cancel safe: whoever gives up leaves the line.
    pub(super) async fn take(&self, lane: Lane) -> Result<Turn, Error> {
        let in_line = async {
            let one_of_rooms = match lane {
                Lane::Calls => None,
                Lane::Rooms => Some(Arc::clone(&self.rooms).acquire_owned().await.ok()?),
            };
            let one_of_all = Arc::clone(&self.all).acquire_owned().await.ok()?;
            Some(Turn { _one_of_all: one_of_all, _one_of_rooms: one_of_rooms })
        };
        match tokio::time::timeout(self.patience(lane), in_line).await {
            Ok(Some(turn)) => Ok(turn),
            // They are never closed; the pool is, and says so itself.
            Ok(None) => Err(fault::unreachable("the store was closed")),
            Err(_) => Err(fault::busy("no connection came free in time")),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn turns(connections_max: u32) -> Turns {
        Turns::new(connections_max, Duration::ZERO, Duration::from_hours(1))
    }

    #[tokio::test]
    async fn rooms_leave_connections_to_calls() {
        for (connections_max, rooms_max) in [(0, 1), (1, 1), (2, 2), (4, 3), (16, 12)] {
            let turns = turns(connections_max);
            let mut held = Vec::new();
            while let Some(turn) = turns.take(Lane::Rooms).now_or_never() {
                held.push(turn.unwrap());
            }
            assert_eq!(held.len(), rooms_max, "of {connections_max}");
            while let Ok(turn) = turns.take(Lane::Calls).await {
                held.push(turn);
            }
            assert_eq!(held.len(), connections_max.max(1) as usize);
        }
    }

    #[tokio::test]
    async fn a_call_gives_up_where_a_room_waits() {
        let turns = Arc::new(turns(1));
        let held = turns.take(Lane::Calls).await.unwrap();
        let mut room = Box::pin(turns.take(Lane::Rooms));
        assert!(room.as_mut().now_or_never().is_none());
        let error = turns.take(Lane::Calls).await.unwrap_err();
        assert_eq!(error.code(), crate::error::Code::Unavailable);
        drop(held);
        room.await.unwrap();
    }
}
