//! What a peer tells its owner, in a queue that is bounded in bytes.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

/// What an event costs beside the data in it.
const EVENT_BYTES: usize = 128;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The way to the client works; again after `Disconnected` if it came back.
    Connected,
    /// Nothing was heard of the client for 15 s, or ICE restarts. It may come back by itself or by
    /// a restart, and what was sent to it still arrives then; how long to wait is the owner's to
    /// say.
    Disconnected,
    ChannelOpen {
        label: Arc<str>,
    },
    /// What still waited to be sent there is lost.
    ChannelClosed {
        label: Arc<str>,
    },
    Data {
        label: Arc<str>,
        bytes: Bytes,
        /// Text otherwise.
        is_binary: bool,
    },
}

impl Event {
    fn cost_bytes(&self) -> usize {
        match self {
            Self::Data { bytes, .. } => EVENT_BYTES + bytes.len(),
            _ => EVENT_BYTES,
        }
    }
}

pub(super) fn queue(bytes_max: usize, stop: &CancellationToken) -> (News, Events) {
    let bytes_max = u32::try_from(bytes_max.max(EVENT_BYTES)).unwrap_or(u32::MAX);
    let room = Arc::new(Semaphore::new(bytes_max as usize));
    let (queue, taken) = mpsc::unbounded_channel();
    let events = Events { taken, _stop: stop.clone().drop_guard() };
    (News { queue, room, bytes_max }, events)
}

/// The peer's end.
#[derive(Debug)]
pub(super) struct News {
    // Bounded by the permits that travel with the events.
    queue: mpsc::UnboundedSender<(Event, OwnedSemaphorePermit)>,
    room: Arc<Semaphore>,
    bytes_max: u32,
}

impl News {
    pub(super) fn try_push(&self, event: Event) -> Result<(), Event> {
        match Arc::clone(&self.room).try_acquire_many_owned(self.cost(&event)) {
            Ok(permit) => {
                self.push(event, permit);
                Ok(())
            }
            Err(_) => Err(event),
        }
    }

    /// Waits until there is room for an event. Cancel safe.
    pub(super) async fn has_room_for(&self, event: &Event) {
        // The semaphore is never closed, and a permit that is given back at once is enough: nobody
        // else takes any.
        let _permit = self.room.acquire_many(self.cost(event)).await;
    }

    /// One that is larger than the whole queue goes alone.
    fn cost(&self, event: &Event) -> u32 {
        u32::try_from(event.cost_bytes()).map_or(self.bytes_max, |cost| cost.min(self.bytes_max))
    }

    fn push(&self, event: Event, permit: OwnedSemaphorePermit) {
        // An owner that let go of its end has stopped the peer by that.
        let _ = self.queue.send((event, permit));
    }
}

/// The owner's end. Dropping it closes the peer.
#[derive(Debug)]
pub struct Events {
    taken: mpsc::UnboundedReceiver<(Event, OwnedSemaphorePermit)>,
    _stop: DropGuard,
}

impl Events {
    /// The next event, or `None` when the peer is closed for good. Cancel safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.taken.recv().await.map(|(event, _permit)| event)
    }
}
