//! One connection's side of a room, for whichever protocol it came by.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::actor::Command;
use super::close::CloseReason;
use super::live::Link;
use super::message::{ActorId, ClientMessage, Frame};
use super::outbox::Outbox;
use crate::domain::ctx::Caller;
use crate::domain::ids::{ProjectId, RoomId};
use crate::domain::live::LeaveReason;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoomAddress {
    pub project: ProjectId,
    pub room: RoomId,
}

/// How a session's protocol writes the nodes of Storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageDialect {
    /// Arrays of a node's parts, as version 8 of the protocol has them.
    Compact,
    /// Pairs of an id and an object, as version 7 has them.
    Full,
}

/// Somebody who wants to be in a room.
#[derive(Debug, Clone)]
pub struct Join {
    pub caller: Caller,
    pub address: RoomAddress,
    pub dialect: StorageDialect,
    pub link: Link,
    /// What a client of LiveKit says of itself.
    pub live: Option<LiveClient>,
    /// When the caller's token became valid, since tokens can be revoked up to a time. Absent for
    /// keys.
    pub valid_from_s: Option<i64>,
}

impl Join {
    /// By a protocol that knows of no participants.
    pub fn plain(caller: Caller, address: RoomAddress, dialect: StorageDialect) -> Self {
        Self { caller, address, dialect, link: Link::Plain, live: None, valid_from_s: None }
    }
}

/// What a client of LiveKit says of itself, besides its token.
#[derive(Debug, Clone, Default)]
pub struct LiveClient {
    /// Instead of the token's.
    pub metadata: Option<String>,
    /// On top of the token's.
    pub attributes: BTreeMap<String, String>,
    pub client_protocol: i32,
    pub capabilities: Vec<i32>,
}

/// Dropping it leaves the room.
#[derive(Debug)]
pub struct Session {
    pub(super) actor: ActorId,
    pub(super) mailbox: mpsc::Sender<Command>,
    pub(super) inbox_bytes: Arc<Semaphore>,
    pub(super) outbox: Arc<Outbox>,
    /// What the others are told of why it is over, when it is dropped.
    pub(super) leaves_as: LeaveReason,
}

impl Session {
    pub fn actor(&self) -> ActorId {
        self.actor
    }

    /// Hands over what came in one frame. Waits while the room has too much to do, so that whoever
    /// sends too fast is held up by its own transport.
    pub async fn receive(&self, messages: Vec<ClientMessage>) -> Result<(), CloseReason> {
        if messages.is_empty() {
            return Ok(());
        }
        let bytes: usize = messages.iter().map(ClientMessage::cost_bytes).sum();
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(INBOX_BYTES_MAX);
        let room = Arc::clone(&self.inbox_bytes).acquire_many_owned(bytes).await;
        let held = room.map_err(|_| CloseReason::Unavailable)?;
        let command = Command::Receive { actor: self.actor, messages, _held: held };
        self.mailbox.send(command).await.map_err(|_| CloseReason::Unavailable)
    }

    /// Waits for frames and moves them into `frames`; a reason if there will be none any more.
    /// Cancel safe.
    pub async fn drain(&self, frames: &mut Vec<Arc<Frame>>) -> Option<CloseReason> {
        self.outbox.drain(frames).await
    }

    /// From now on, to be dropped is to leave for this reason. Until then its peer wanted it so.
    pub fn leaves_as(&mut self, reason: LeaveReason) {
        self.leaves_as = reason;
    }

    /// Cancelled when so much waits for the peer that it is given up: stop writing and close.
    pub fn cut(&self) -> &CancellationToken {
        self.outbox.cut()
    }
}

/// What may wait in front of one room, all its sessions together.
pub(super) const INBOX_BYTES_MAX: u32 = 64 << 20;

impl Drop for Session {
    fn drop(&mut self) {
        let (actor, reason, mailbox) = (self.actor, self.leaves_as, self.mailbox.clone());
        if let Err(mpsc::error::TrySendError::Full(leave)) =
            mailbox.try_send(Command::Leave { actor, reason })
        {
            // A full mailbox is worked off soon; the room must not think this session lives.
            tokio::spawn(async move { mailbox.send(leave).await });
        }
    }
}
