//! What waits to be sent, channel by channel. Owners put it here without waiting; the peer's task
//! takes it whenever str0m has room.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use str0m::channel::{ChannelConfig, ChannelId, Reliability};
use tokio::sync::Notify;

use super::RtcLimits;

/// What a message costs beside its bytes, so that the smallest have a limit too.
const MESSAGE_BYTES: usize = 64;

/// A channel that the server opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelSpec {
    pub label: String,
    pub is_ordered: bool,
    /// How often a message that got lost is sent again; for ever if there is none.
    pub retransmits_max: Option<u16>,
}

impl ChannelSpec {
    /// Everything arrives, in order.
    pub fn reliable(label: impl Into<String>) -> Self {
        Self { label: label.into(), is_ordered: true, retransmits_max: None }
    }

    /// What gets lost is lost, and nothing waits for it.
    pub fn lossy(label: impl Into<String>) -> Self {
        Self { label: label.into(), is_ordered: false, retransmits_max: Some(0) }
    }

    pub(super) fn config(&self) -> ChannelConfig {
        let reliability = match self.retransmits_max {
            Some(retransmits) => Reliability::MaxRetransmits { retransmits },
            None => Reliability::Reliable,
        };
        let (label, ordered) = (self.label.clone(), self.is_ordered);
        ChannelConfig { label, ordered, reliability, ..ChannelConfig::default() }
    }
}

/// Why a message was not taken. What was taken is sent, unless the channel or the peer closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    #[error("no open channel has this label")]
    NoChannel,
    /// SCTP has no such thing, and what WebRTC has for it str0m cannot send.
    #[error("a message must have at least one byte")]
    Empty,
    #[error("a message must be at most {bytes_max} bytes, got {bytes}")]
    TooLarge { bytes: usize, bytes_max: usize },
    /// The client does not keep up. Its owner closes it, or does without the message.
    #[error("{bytes_max} bytes wait in this channel already")]
    Full { bytes_max: usize },
}

#[derive(Debug)]
pub(super) struct Channels {
    open: Mutex<Vec<Channel>>,
    ready: Notify,
    message_bytes_max: usize,
    reliable_bytes_max: usize,
    lossy_bytes_max: usize,
}

#[derive(Debug)]
struct Channel {
    id: ChannelId,
    label: Arc<str>,
    is_reliable: bool,
    waiting: VecDeque<Bytes>,
    waiting_bytes: usize,
}

/// The message that is next in a channel.
#[derive(Debug)]
pub(super) struct Next {
    pub(super) id: ChannelId,
    pub(super) bytes: Bytes,
    pub(super) is_reliable: bool,
}

impl Channels {
    pub(super) fn new(limits: &RtcLimits) -> Self {
        Self {
            open: Mutex::default(),
            ready: Notify::new(),
            message_bytes_max: limits.message_bytes_max,
            reliable_bytes_max: limits.reliable_buffer_bytes_max,
            lossy_bytes_max: limits.lossy_buffer_bytes_max,
        }
    }

    /// A label that is open already belongs to the newer channel from now on, and what waits too.
    pub(super) fn opened(&self, id: ChannelId, label: &Arc<str>, is_reliable: bool) {
        let mut open = self.lock();
        if let Some(channel) = open.iter_mut().find(|channel| channel.label == *label) {
            channel.id = id;
            channel.is_reliable = is_reliable;
        } else {
            let (waiting, waiting_bytes) = (VecDeque::new(), 0);
            let label = Arc::clone(label);
            open.push(Channel { id, label, is_reliable, waiting, waiting_bytes });
        }
    }

    /// Whether messages to the label went to this channel: not if a newer one took its place.
    pub(super) fn closed(&self, id: ChannelId) -> bool {
        let mut open = self.lock();
        let before = open.len();
        open.retain(|channel| channel.id != id);
        open.len() < before
    }

    pub(super) fn close_all(&self) {
        self.lock().clear();
    }

    pub(super) fn push(&self, label: &str, bytes: Bytes) -> Result<(), SendError> {
        if bytes.len() > self.message_bytes_max {
            let bytes_max = self.message_bytes_max;
            return Err(SendError::TooLarge { bytes: bytes.len(), bytes_max });
        }
        if bytes.is_empty() {
            return Err(SendError::Empty);
        }
        let mut open = self.lock();
        let channel = open.iter_mut().find(|channel| *channel.label == *label);
        let channel = channel.ok_or(SendError::NoChannel)?;
        let bytes_max =
            if channel.is_reliable { self.reliable_bytes_max } else { self.lossy_bytes_max };
        let cost = MESSAGE_BYTES + bytes.len();
        if channel.waiting_bytes + cost > bytes_max {
            return Err(SendError::Full { bytes_max });
        }
        channel.waiting_bytes += cost;
        channel.waiting.push_back(bytes);
        drop(open);
        self.ready.notify_one();
        Ok(())
    }

    /// Waits until something was pushed. Cancel safe.
    pub(super) async fn ready(&self) {
        self.ready.notified().await;
    }

    /// The next message of each channel. They stay until `shift` takes them away.
    pub(super) fn next(&self) -> Vec<Next> {
        let next = |channel: &Channel| {
            let bytes = channel.waiting.front()?.clone();
            Some(Next { id: channel.id, bytes, is_reliable: channel.is_reliable })
        };
        self.lock().iter().filter_map(next).collect()
    }

    pub(super) fn shift(&self, id: ChannelId) {
        if let Some(channel) = self.lock().iter_mut().find(|channel| channel.id == id)
            && let Some(bytes) = channel.waiting.pop_front()
        {
            channel.waiting_bytes -= MESSAGE_BYTES + bytes.len();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Channel>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
