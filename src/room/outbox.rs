//! What waits for one peer to read it. It is bounded in bytes: a peer that cannot keep up is closed,
//! since a message that is skipped would break its copy of the room.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::close::CloseReason;
use super::message::{Frame, ServerMessage};

#[derive(Debug)]
pub struct Outbox {
    queue: Mutex<Queue>,
    ready: Notify,
    /// Cancelled when the peer does not even read what it was written before.
    cut: CancellationToken,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Queue {
    frames: Vec<Arc<Frame>>,
    bytes: usize,
    /// Whether an answer to a fetch of Storage waits.
    holds_storage: bool,
    closed: Option<CloseReason>,
}

impl Outbox {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            queue: Mutex::default(),
            ready: Notify::new(),
            cut: CancellationToken::new(),
            bytes_max,
        }
    }

    /// Adds a frame, unless the peer is closed or has too much to read already: then it is closed,
    /// and what waits is dropped at once, so that nobody's memory grows for it.
    pub(super) fn push(&self, frame: &Arc<Frame>) {
        let mut queue = self.lock();
        if queue.closed.is_some() {
            return;
        }
        // The document does not count: whoever loads it has asked for it, and gets it once at a time.
        match frame.message {
            ServerMessage::StorageChunk { .. } | ServerMessage::StorageItems { .. } => {
                queue.holds_storage = true;
            }
            _ => queue.bytes += frame.cost_bytes(),
        }
        if queue.bytes > self.bytes_max {
            queue.frames = Vec::new();
            queue.closed = Some(CloseReason::TooSlow);
            self.cut.cancel();
        } else {
            queue.frames.push(Arc::clone(frame));
        }
        let first = queue.frames.len() <= 1;
        drop(queue);
        if first {
            self.ready.notify_one();
        }
    }

    /// What was pushed before is still delivered; the first reason counts.
    pub(super) fn close(&self, reason: CloseReason) {
        let mut queue = self.lock();
        if queue.closed.is_none() {
            queue.closed = Some(reason);
        }
        drop(queue);
        self.ready.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed.is_some()
    }

    pub(super) fn holds_storage(&self) -> bool {
        self.lock().holds_storage
    }

    pub(super) fn cut(&self) -> &CancellationToken {
        &self.cut
    }

    /// Waits for frames and moves all of them into `frames`; a reason if there will be no more.
    /// Cancel safe.
    pub(super) async fn drain(&self, frames: &mut Vec<Arc<Frame>>) -> Option<CloseReason> {
        loop {
            {
                let mut queue = self.lock();
                if !queue.frames.is_empty() {
                    queue.bytes = 0;
                    queue.holds_storage = false;
                    frames.append(&mut queue.frames);
                    return None;
                }
                if let Some(reason) = &queue.closed {
                    return Some(reason.clone());
                }
            }
            self.ready.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
