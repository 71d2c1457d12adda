//! What waits for one peer to read it. It is bounded in bytes: a peer that cannot keep up is closed,
//! since a message that is skipped would break its copy of the room.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::close::CloseReason;
use super::live::message::LiveMessage;
use super::message::{Frame, ServerMessage};

#[derive(Debug)]
pub struct Outbox {
    queue: Mutex<Queue>,
    ready: Notify,
    /// Cancelled when the peer does not even read what it was written before.
    cut: CancellationToken,
    bytes_max: usize,
    /// Whether the peer was sent Storage, so that it can make something of its changes.
    knows_storage: AtomicBool,
}

#[derive(Debug, Default)]
struct Queue {
    frames: Vec<Arc<Frame>>,
    bytes: usize,
    /// Whether an answer to a fetch of Storage waits.
    holds_storage: bool,
    /// Whether whoever writes to the peer was woken for what waits.
    is_told: bool,
    closed: Option<CloseReason>,
}

impl Outbox {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            queue: Mutex::default(),
            ready: Notify::new(),
            cut: CancellationToken::new(),
            bytes_max,
            knows_storage: AtomicBool::new(false),
        }
    }

    /// Adds a frame, unless the peer is closed or has too much to read already: then it is closed,
    /// and what waits is dropped at once, so that nobody's memory grows for it. A frame that may
    /// wait leaves with the next one that may not, or when `hurry` is called.
    pub(super) fn push(&self, frame: &Arc<Frame>) {
        let mut queue = self.lock();
        if queue.closed.is_some() {
            return;
        }
        if matches!(frame.message, ServerMessage::StorageItems { .. } | ServerMessage::StorageEnd) {
            self.knows_storage.store(true, Ordering::Relaxed);
        }
        let mut hurries = !frame.message.may_wait();
        // The document does not count: whoever loads it has asked for it, and gets it once at a time.
        match frame.message {
            ServerMessage::StorageChunk { .. } | ServerMessage::StorageItems { .. } => {
                queue.holds_storage = true;
            }
            // Nor does who is here, which a newcomer is told once, however much they say of themselves.
            ServerMessage::Live(LiveMessage::Joined(_)) => {}
            _ => queue.bytes += frame.cost_bytes(),
        }
        if queue.bytes > self.bytes_max {
            queue.frames = Vec::new();
            queue.closed = Some(CloseReason::TooSlow);
            self.cut.cancel();
            hurries = true;
        } else {
            queue.frames.push(Arc::clone(frame));
        }
        if hurries {
            self.tell(queue);
        }
    }

    /// Lets go of what was allowed to wait.
    pub(super) fn hurry(&self) {
        let queue = self.lock();
        if !queue.frames.is_empty() {
            self.tell(queue);
        }
    }

    fn tell(&self, mut queue: MutexGuard<'_, Queue>) {
        let was_told = std::mem::replace(&mut queue.is_told, true);
        drop(queue);
        if !was_told {
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

    pub(super) fn knows_storage(&self) -> bool {
        self.knows_storage.load(Ordering::Relaxed)
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
                    queue.is_told = false;
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

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const LEFT: ServerMessage = ServerMessage::UserLeft { actor: 1 };
    const END: ServerMessage = ServerMessage::StorageEnd;

    /// How many frames come out in one go, or none if the peer was not woken.
    fn woken(waits: &mut std::pin::Pin<Box<impl Future<Output = usize>>>) -> Option<usize> {
        waits.as_mut().now_or_never()
    }

    async fn drained(outbox: &Outbox) -> usize {
        let mut frames = Vec::new();
        assert_eq!(outbox.drain(&mut frames).await, None);
        frames.len()
    }

    #[test]
    fn a_frame_that_may_wait_leaves_with_the_next_one() {
        let outbox = Outbox::new(1 << 20);
        let mut waits = Box::pin(drained(&outbox));
        assert_eq!(woken(&mut waits), None);
        outbox.push(&Frame::new(LEFT));
        outbox.push(&Frame::new(LEFT));
        assert_eq!(woken(&mut waits), None);
        outbox.push(&Frame::new(END));
        assert_eq!(woken(&mut waits), Some(3));
    }

    #[test]
    fn a_frame_that_may_wait_leaves_when_its_time_is_over() {
        let outbox = Outbox::new(1 << 20);
        let mut waits = Box::pin(drained(&outbox));
        assert_eq!(woken(&mut waits), None);
        outbox.hurry();
        assert_eq!(woken(&mut waits), None, "there is nothing");
        outbox.push(&Frame::new(LEFT));
        outbox.hurry();
        assert_eq!(woken(&mut waits), Some(1));
    }
}
