//! What travels between a room and the sessions in it, in no protocol: codecs write it as
//! WebSocket JSON or as protobuf.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde_json::value::RawValue;

use super::feeds::{FeedReply, FeedRequest};
use super::live::message::{LiveMessage, LiveRequest};
use super::storage::{Op, SmallText, TextOp};
use super::yjs::Encoding;
use crate::domain::permissions::Scope;

/// Identifies a connection in its room, for the lifetime of the room's data. The clients prefix the
/// ids of what they create with it, so none may come twice.
pub type ActorId = i64;

/// Who sends what comes from a back end.
pub const SERVER_ACTOR: ActorId = -1;

/// Operations in one frame of a client, which has all in it that was done without a connection. An
/// operation is 64 bytes of JSON or more, so that the largest frame holds this many.
pub const OPS_MAX: usize = 256 * 1024;

/// JSON that is passed on as it came.
pub type RawJson = Arc<RawValue>;

/// An operation of a client on Storage, with the id under which it wants the acknowledgement.
#[derive(Debug)]
pub struct ClientOp {
    pub op_id: Option<SmallText>,
    pub op: Op,
}

#[derive(Debug)]
pub enum ClientMessage {
    /// A patch of the sender's presence, or all of it if there is a target: one actor, or everybody
    /// (-1).
    Presence {
        data: RawJson,
        target: Option<ActorId>,
    },
    Broadcast {
        event: RawJson,
    },
    FetchStorage,
    Ops(Vec<ClientOp>),
    FetchYjs {
        state_vector: Bytes,
        guid: Option<Arc<str>>,
        encoding: Encoding,
    },
    UpdateYjs {
        update: Bytes,
        guid: Option<Arc<str>>,
        encoding: Encoding,
    },
    Feed(FeedRequest),
    Live(LiveRequest),
}

impl ClientMessage {
    /// Whether it changes a document, if its sender may.
    pub fn is_edit(&self) -> bool {
        matches!(self, Self::Ops(_) | Self::UpdateYjs { .. })
    }

    /// Whether it is an update of this Yjs document, in this format.
    pub fn is_update_of(&self, of: &Option<Arc<str>>, format: Encoding) -> bool {
        matches!(self, Self::UpdateYjs { guid, encoding, .. } if guid == of && *encoding == format)
    }

    /// About what it holds in memory while it waits for the room.
    pub fn cost_bytes(&self) -> usize {
        const OVERHEAD_BYTES: usize = 64;
        let payload = match self {
            Self::Presence { data, .. } => data.get().len(),
            Self::Broadcast { event } => event.get().len(),
            Self::FetchStorage => 0,
            Self::Ops(ops) => ops.iter().map(|op| OVERHEAD_BYTES + op_bytes(&op.op)).sum(),
            Self::FetchYjs { state_vector, .. } => state_vector.len(),
            Self::UpdateYjs { update, .. } => update.len(),
            Self::Feed(request) => request.bytes,
            Self::Live(request) => request.cost_bytes(),
        };
        OVERHEAD_BYTES + payload
    }
}

/// Somebody in a room, as the others see them.
#[derive(Debug, Clone)]
pub struct Member {
    /// Absent for somebody anonymous.
    pub id: Option<Arc<str>>,
    /// What the application put into the token.
    pub info: Option<RawJson>,
    pub scopes: Arc<[Scope]>,
}

/// An operation that was applied, on its way to everybody.
#[derive(Debug, Clone)]
pub enum OutgoingOp {
    Op {
        op: Arc<Op>,
        op_id: Option<SmallText>,
    },
    /// To the sender of an operation that was deliberately not applied.
    Ignored {
        op_id: SmallText,
    },
}

#[derive(Debug, Clone)]
pub struct YjsMessage {
    pub update: Bytes,
    /// Present in the answer to a fetch, and only there: what the server has.
    pub state_vector: Option<Bytes>,
    pub guid: Option<Arc<str>>,
    pub encoding: Encoding,
    /// Of the document after this message, so that a client knows when it has the same.
    pub snapshot_hash: [u8; 32],
}

/// Updates that came one after the other, each a message of its own to whoever reads them.
#[derive(Debug, Clone)]
pub struct YjsUpdates {
    pub updates: Vec<Bytes>,
    pub guid: Option<Arc<str>>,
    pub encoding: Encoding,
    /// Of the document after the last of them: a client compares no other one with its own.
    pub snapshot_hash: [u8; 32],
}

/// What happened to a comment thread.
#[derive(Debug, Clone)]
pub struct CommentEvent {
    pub kind: CommentEventKind,
    pub thread_id: Arc<str>,
    pub comment_id: Option<Arc<str>>,
    pub emoji: Option<Arc<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommentEventKind {
    ThreadCreated,
    ThreadMetadataUpdated,
    CommentCreated,
    CommentEdited,
    CommentDeleted,
    ReactionAdded,
    ReactionRemoved,
    ThreadDeleted,
    ThreadUpdated,
    CommentMetadataUpdated,
}

#[derive(Debug, Clone)]
pub enum ServerMessage {
    /// The first message of every session, and again when its own rights change.
    RoomState {
        actor: ActorId,
        nonce: Arc<str>,
        scopes: Arc<[Scope]>,
        users: Vec<(ActorId, Member)>,
    },
    UserJoined {
        actor: ActorId,
        member: Member,
    },
    UserLeft {
        actor: ActorId,
    },
    Presence {
        actor: ActorId,
        data: RawJson,
        target: Option<ActorId>,
    },
    Event {
        actor: ActorId,
        event: RawJson,
    },
    /// A part of the answer to a fetch: compact nodes as JSON, separated by commas, no brackets
    /// around them.
    StorageChunk {
        nodes: Bytes,
    },
    StorageEnd,
    /// The whole answer at once, for version 7 of the protocol: full nodes, written likewise.
    StorageItems {
        items: Bytes,
    },
    Ops(Vec<OutgoingOp>),
    Rejected {
        op_ids: Vec<SmallText>,
        reason: Arc<str>,
    },
    Yjs(YjsMessage),
    YjsUpdates(YjsUpdates),
    Comment(CommentEvent),
    Feed(FeedReply),
    /// Only for those whose protocol knows of participants.
    Live(LiveMessage),
}

impl ServerMessage {
    /// Whether a moment later does as well. Clients show nobody before the first presence, which
    /// takes the news of who came along.
    pub fn may_wait(&self) -> bool {
        matches!(self, Self::UserJoined { .. } | Self::UserLeft { .. })
    }
}

/// A message on its way to any number of sessions. It is encoded once per codec, by whoever needs
/// it first.
#[derive(Debug)]
pub struct Frame {
    pub message: ServerMessage,
    json: OnceLock<Bytes>,
    livekit: OnceLock<Bytes>,
    cost_bytes: OnceLock<usize>,
}

impl Frame {
    pub fn new(message: ServerMessage) -> Arc<Self> {
        let (json, livekit, cost_bytes) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Arc::new(Self { message, json, livekit, cost_bytes })
    }

    /// The message as WebSocket JSON.
    pub fn json(&self, encode: impl FnOnce(&ServerMessage) -> Vec<u8>) -> Bytes {
        self.json.get_or_init(|| encode(&self.message).into()).clone()
    }

    /// The message as protobuf of LiveKit's: of signalling, or of a data channel if it goes by one.
    pub fn livekit(&self, encode: impl FnOnce() -> Vec<u8>) -> Bytes {
        self.livekit.get_or_init(|| encode().into()).clone()
    }

    /// About what the frame holds in memory while it waits for a peer to read it. It is counted once
    /// for all of them.
    pub fn cost_bytes(&self) -> usize {
        *self.cost_bytes.get_or_init(|| self.count_bytes())
    }

    fn count_bytes(&self) -> usize {
        const OVERHEAD_BYTES: usize = 128;
        let payload = match &self.message {
            ServerMessage::Presence { data, .. } => data.get().len(),
            ServerMessage::Event { event, .. } => event.get().len(),
            ServerMessage::Ops(ops) => ops.iter().map(OutgoingOp::cost_bytes).sum(),
            ServerMessage::Yjs(yjs) => yjs.update.len() * 4 / 3,
            ServerMessage::YjsUpdates(run) => {
                run.updates.iter().map(|update| OVERHEAD_BYTES + update.len() * 4 / 3).sum()
            }
            ServerMessage::RoomState { users, .. } => {
                users.iter().map(|(_, member)| member.cost_bytes()).sum()
            }
            ServerMessage::UserJoined { member, .. } => member.cost_bytes(),
            ServerMessage::StorageChunk { nodes: json }
            | ServerMessage::StorageItems { items: json } => json.len(),
            ServerMessage::Feed(reply) => reply.cost_bytes(),
            ServerMessage::Live(message) => message.cost_bytes(),
            ServerMessage::Rejected { op_ids, .. } => op_ids.iter().map(|id| id.len()).sum(),
            ServerMessage::UserLeft { .. }
            | ServerMessage::StorageEnd
            | ServerMessage::Comment(_) => 0,
        };
        OVERHEAD_BYTES + payload
    }
}

impl OutgoingOp {
    fn cost_bytes(&self) -> usize {
        const OP_OVERHEAD_BYTES: usize = 64;
        match self {
            Self::Op { op, .. } => OP_OVERHEAD_BYTES + op_bytes(op),
            Self::Ignored { op_id } => OP_OVERHEAD_BYTES + op_id.len(),
        }
    }
}

/// What an operation holds beside its ids.
fn op_bytes(op: &Op) -> usize {
    match op {
        Op::UpdateText(update) => update.ops.iter().map(edit_bytes).sum(),
        _ => op.value_bytes(),
    }
}

fn edit_bytes(edit: &TextOp) -> usize {
    const EDIT_BYTES: usize = 32;
    match edit {
        TextOp::Insert { text, .. } => EDIT_BYTES + text.len(),
        TextOp::Delete { .. } | TextOp::Format { .. } => EDIT_BYTES,
    }
}

impl Member {
    fn cost_bytes(&self) -> usize {
        const MEMBER_OVERHEAD_BYTES: usize = 64;
        MEMBER_OVERHEAD_BYTES + self.info.as_ref().map_or(0, |info| info.get().len())
    }
}
