//! A server's message as JSON. Values that are passed on are copied as they are.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{feeds, kind};
use crate::domain::permissions::Scope;
use crate::room::message::{
    ActorId, CommentEvent, CommentEventKind, Member, OutgoingOp, RawJson, ServerMessage,
    YjsMessage, YjsUpdates,
};
use crate::room::storage::write_ack;
use crate::room::yjs::Encoding;

/// The message as one object, or several in an array where they came together.
pub fn write(message: &ServerMessage) -> Vec<u8> {
    let mut out = Vec::new();
    match message {
        ServerMessage::RoomState { actor, nonce, scopes, users } => {
            let mut object = Object::start(&mut out, kind::ROOM_STATE);
            object.number("actor", *actor);
            object.text("nonce", nonce);
            object.scopes(scopes);
            object.users(users);
            object.raw("meta", b"{}");
            object.end();
        }
        ServerMessage::UserJoined { actor, member } => {
            let mut object = Object::start(&mut out, kind::USER_JOINED);
            object.number("actor", *actor);
            object.member(member);
            object.end();
        }
        ServerMessage::UserLeft { actor } => {
            let mut object = Object::start(&mut out, kind::USER_LEFT);
            object.number("actor", *actor);
            object.end();
        }
        ServerMessage::Presence { actor, data, target } => {
            let mut object = Object::start(&mut out, kind::PRESENCE);
            object.passed_on(*actor, "data", data);
            if let Some(target) = target {
                object.number("targetActor", *target);
            }
            object.end();
        }
        ServerMessage::Event { actor, event } => {
            let mut object = Object::start(&mut out, kind::EVENT);
            object.passed_on(*actor, "event", event);
            object.end();
        }
        ServerMessage::StorageChunk { nodes } => {
            write_nodes(&mut out, kind::STORAGE_CHUNK, "nodes", nodes);
        }
        ServerMessage::StorageEnd => Object::start(&mut out, kind::STORAGE_END).end(),
        ServerMessage::StorageItems { items } => {
            write_nodes(&mut out, kind::STORAGE, "items", items);
        }
        ServerMessage::Ops(ops) => write_ops(&mut out, ops),
        ServerMessage::Rejected { op_ids, reason } => {
            let mut object = Object::start(&mut out, kind::REJECTED);
            object.list("opIds", op_ids, |out, op_id| write_text(out, op_id));
            object.text("reason", reason);
            object.end();
        }
        ServerMessage::Yjs(yjs) => write_yjs(&mut out, yjs),
        ServerMessage::YjsUpdates(run) => write_yjs_updates(&mut out, run),
        ServerMessage::Comment(event) => write_comment(&mut out, event),
        ServerMessage::Feed(reply) => feeds::write(&mut out, reply),
        // Never sent here: this protocol knows of no participants.
        ServerMessage::Live(_) => {}
    }
    out
}

fn write_nodes(out: &mut Vec<u8>, kind: i64, name: &str, nodes: &[u8]) {
    const FRAME_BYTES: usize = 32;
    out.reserve_exact(nodes.len() + FRAME_BYTES);
    let mut object = Object::start(out, kind);
    object.raw(name, b"[");
    object.out.extend_from_slice(nodes);
    object.out.push(b']');
    object.end();
}

fn write_ops(out: &mut Vec<u8>, ops: &[OutgoingOp]) {
    let mut object = Object::start(out, kind::OPS);
    object.list("ops", ops, |out, op| match op {
        OutgoingOp::Op { op, op_id } => op.write_json(op_id.as_deref(), out),
        OutgoingOp::Ignored { op_id } => write_ack(op_id, out),
    });
    object.end();
}

fn write_yjs(out: &mut Vec<u8>, yjs: &YjsMessage) {
    out.reserve(yjs.update.len() * 4 / 3 + 256);
    let mut object = Object::start(out, kind::YJS);
    object.base64("update", &yjs.update);
    // An answer to a fetch, and nothing else, tells what the server has.
    object.raw("isSync", if yjs.state_vector.is_some() { b"true" } else { b"false" });
    match &yjs.state_vector {
        Some(vector) => object.base64("stateVector", vector),
        None => object.raw("stateVector", b"null"),
    }
    object.yjs_document(&yjs.guid, yjs.encoding, &yjs.snapshot_hash);
    object.end();
}

fn write_yjs_updates(out: &mut Vec<u8>, run: &YjsUpdates) {
    const MESSAGE_BYTES: usize = 160;
    let bytes = run.updates.iter().map(|update| update.len() * 4 / 3 + MESSAGE_BYTES);
    out.reserve(bytes.sum());
    // All but the update is the same in each.
    let mut rest = Vec::with_capacity(MESSAGE_BYTES);
    let mut object = Object { out: &mut rest, is_empty: false };
    object.raw("isSync", b"false");
    object.raw("stateVector", b"null");
    object.yjs_document(&run.guid, run.encoding, &run.snapshot_hash);
    object.end();
    let is_array = run.updates.len() != 1;
    if is_array {
        out.push(b'[');
    }
    for (index, update) in run.updates.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        Object::start(out, kind::YJS).base64("update", update);
        out.extend_from_slice(&rest);
    }
    if is_array {
        out.push(b']');
    }
}

fn write_comment(out: &mut Vec<u8>, event: &CommentEvent) {
    let kind = match event.kind {
        CommentEventKind::ThreadCreated => 400,
        CommentEventKind::ThreadMetadataUpdated => 401,
        CommentEventKind::CommentCreated => 402,
        CommentEventKind::CommentEdited => 403,
        CommentEventKind::CommentDeleted => 404,
        CommentEventKind::ReactionAdded => 405,
        CommentEventKind::ReactionRemoved => 406,
        CommentEventKind::ThreadDeleted => 407,
        CommentEventKind::ThreadUpdated => 408,
        CommentEventKind::CommentMetadataUpdated => 409,
    };
    let mut object = Object::start(out, kind);
    object.text("threadId", &event.thread_id);
    if let Some(comment_id) = &event.comment_id {
        object.text("commentId", comment_id);
    }
    if let Some(emoji) = &event.emoji {
        object.text("emoji", emoji);
    }
    object.end();
}

pub(super) fn write_text(out: &mut Vec<u8>, text: &str) {
    // Writing into memory does not fail.
    let _ = serde_json::to_writer(out, text);
}

fn write_number(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// An object that is being written. It begins with its type, or, inside a message, with nothing.
pub(super) struct Object<'a> {
    pub out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> Object<'a> {
    pub fn start(out: &'a mut Vec<u8>, kind: i64) -> Self {
        let mut object = Self::plain(out);
        object.number("type", kind);
        object
    }

    pub fn plain(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_empty: true }
    }

    pub fn end(self) {
        self.out.push(b'}');
    }

    /// Names are ours and need no escapes.
    fn name(&mut self, name: &str) {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    pub fn raw(&mut self, name: &str, json: &[u8]) {
        self.name(name);
        self.out.extend_from_slice(json);
    }

    pub fn number(&mut self, name: &str, number: i64) {
        self.name(name);
        write_number(self.out, number);
    }

    pub fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        write_text(self.out, text);
    }

    fn base64(&mut self, name: &str, bytes: &[u8]) {
        self.name(name);
        self.out.push(b'"');
        let start = self.out.len();
        self.out.resize(start + bytes.len().div_ceil(3) * 4, 0);
        if let Some(room) = self.out.get_mut(start..) {
            // There is exactly as much room as it takes.
            let _ = STANDARD.encode_slice(bytes, room);
        }
        self.out.push(b'"');
    }

    /// Which document a message is about, and how it looks afterwards.
    fn yjs_document(&mut self, guid: &Option<Arc<str>>, encoding: Encoding, hash: &[u8; 32]) {
        if let Some(guid) = guid {
            self.text("guid", guid);
        }
        if encoding == Encoding::V2 {
            self.raw("v2", b"true");
        }
        self.base64("remoteSnapshotHash", hash);
    }

    pub fn list<T>(&mut self, name: &str, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
        self.raw(name, b"[");
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            write(self.out, item);
        }
        self.out.push(b']');
    }

    fn passed_on(&mut self, actor: ActorId, name: &str, value: &RawJson) {
        self.number("actor", actor);
        self.raw(name, value.get().as_bytes());
    }

    fn scopes(&mut self, scopes: &[Scope]) {
        self.list("scopes", scopes, |out, scope| write_text(out, scope.as_str()));
    }

    fn member(&mut self, member: &Member) {
        if let Some(id) = &member.id {
            self.text("id", id);
        }
        if let Some(info) = &member.info {
            self.raw("info", info.get().as_bytes());
        }
        self.scopes(&member.scopes);
    }

    fn users(&mut self, users: &[(ActorId, Member)]) {
        self.raw("users", b"");
        let mut object = Object::plain(self.out);
        for (actor, member) in users {
            object.name(itoa::Buffer::new().format(*actor));
            let mut user = Object::plain(object.out);
            user.member(member);
            user.end();
        }
        object.end();
    }
}
