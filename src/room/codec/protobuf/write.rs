//! The room's messages into responses.

use bytes::Bytes;
use serde_json::Value;

use super::feeds;
use super::ops::{file_of, from_outgoing, segments_of};
use super::to_value;
use crate::domain::permissions::Scope;
use crate::proto::livekit as signal;
use crate::proto::roomd::v1;
use crate::proto::roomd::v1::join_room_response::Message;
use crate::proto::roomd::v1::storage_node::Content;
use crate::proto::value::{from_json, from_object};
use crate::room::codec::livekit;
use crate::room::feeds::FeedReply;
use crate::room::message::{
    ActorId, CommentEvent, CommentEventKind, Member, ServerMessage, YjsMessage, YjsUpdates,
};
use crate::room::yjs::Encoding;

/// Nothing for what this protocol does not have, and each update by itself.
pub fn write(message: &ServerMessage) -> Vec<v1::JoinRoomResponse> {
    let message = match message {
        ServerMessage::RoomState { actor, nonce, scopes, users } => {
            Message::RoomState(v1::RoomState {
                actor: number(*actor),
                nonce: nonce.to_string(),
                scopes: names(scopes),
                members: users.iter().map(|(actor, found)| member(*actor, found)).collect(),
            })
        }
        ServerMessage::UserJoined { actor, member: found } => {
            Message::Joined(member(*actor, found))
        }
        ServerMessage::UserLeft { actor } => {
            Message::Left(v1::MemberLeft { actor: number(*actor) })
        }
        ServerMessage::Presence { actor, data, target } => Message::Presence(v1::MemberPresence {
            actor: number(*actor),
            data: Some(to_value(data.get())),
            target_actor: target.map(number),
        }),
        ServerMessage::Event { actor, event } => Message::Event(v1::RoomEvent {
            actor: number(*actor),
            event: Some(to_value(event.get())),
        }),
        ServerMessage::StorageChunk { nodes } => {
            Message::StorageChunk(v1::StorageChunk { nodes: read_nodes(nodes) })
        }
        ServerMessage::StorageEnd => Message::StorageEnd(v1::StorageEnd {}),
        ServerMessage::StorageItems { .. } => return Vec::new(),
        ServerMessage::Ops(ops) => Message::Operations(v1::StorageOperations {
            operations: ops.iter().filter_map(from_outgoing).collect(),
        }),
        ServerMessage::Rejected { op_ids, reason } => Message::Rejected(v1::OperationsRejected {
            op_ids: op_ids.iter().map(ToString::to_string).collect(),
            reason: reason.to_string(),
        }),
        ServerMessage::Yjs(found) => Message::Yjs(yjs(found)),
        ServerMessage::YjsUpdates(run) => return yjs_updates(run).collect(),
        ServerMessage::Comment(event) => Message::CommentEvent(comment(event)),
        ServerMessage::Feed(FeedReply::Changed(event)) => Message::FeedEvent(feeds::write(event)),
        // Answers to requests that come by WebSocket only.
        ServerMessage::Feed(_) => return Vec::new(),
        ServerMessage::Live(told) => match livekit::write(told) {
            livekit::Told::Signal(said) => {
                Message::Signal(signal::SignalResponse { message: Some(*said) })
            }
            livekit::Told::Data(packet) => Message::Data(*packet),
            livekit::Told::Nothing => return Vec::new(),
        },
    };
    vec![response(message)]
}

fn response(message: Message) -> v1::JoinRoomResponse {
    v1::JoinRoomResponse { message: Some(message) }
}

/// A room would have to be entered a thousand times a second for a month.
fn number(actor: ActorId) -> i32 {
    i32::try_from(actor).unwrap_or(i32::MAX)
}

fn names(scopes: &[Scope]) -> Vec<String> {
    scopes.iter().map(|scope| scope.as_str().to_owned()).collect()
}

fn member(actor: ActorId, member: &Member) -> v1::Member {
    v1::Member {
        actor: number(actor),
        id: member.id.as_ref().map(ToString::to_string),
        info: member.info.as_ref().map(|info| to_value(info.get())),
        scopes: names(&member.scopes),
    }
}

fn yjs(message: &YjsMessage) -> v1::YjsMessage {
    v1::YjsMessage {
        update: message.update.clone(),
        state_vector: message.state_vector.clone(),
        guid: message.guid.as_ref().map(ToString::to_string),
        v2: message.encoding == Encoding::V2,
        snapshot_hash: Bytes::copy_from_slice(&message.snapshot_hash),
    }
}

fn yjs_updates(run: &YjsUpdates) -> impl Iterator<Item = v1::JoinRoomResponse> {
    let yjs = run.updates.iter().map(|update| v1::YjsMessage {
        update: update.clone(),
        state_vector: None,
        guid: run.guid.as_ref().map(ToString::to_string),
        v2: run.encoding == Encoding::V2,
        snapshot_hash: Bytes::copy_from_slice(&run.snapshot_hash),
    });
    yjs.map(Message::Yjs).map(response)
}

fn comment(event: &CommentEvent) -> v1::CommentEvent {
    use v1::CommentEventKind as Kind;
    let kind = match event.kind {
        CommentEventKind::ThreadCreated => Kind::ThreadCreated,
        CommentEventKind::ThreadMetadataUpdated => Kind::ThreadMetadataUpdated,
        CommentEventKind::CommentCreated => Kind::CommentCreated,
        CommentEventKind::CommentEdited => Kind::CommentEdited,
        CommentEventKind::CommentDeleted => Kind::CommentDeleted,
        CommentEventKind::ReactionAdded => Kind::ReactionAdded,
        CommentEventKind::ReactionRemoved => Kind::ReactionRemoved,
        CommentEventKind::ThreadDeleted => Kind::ThreadDeleted,
        CommentEventKind::ThreadUpdated => Kind::ThreadUpdated,
        CommentEventKind::CommentMetadataUpdated => Kind::CommentMetadataUpdated,
    };
    v1::CommentEvent {
        kind: kind.into(),
        thread_id: event.thread_id.to_string(),
        comment_id: event.comment_id.as_ref().map(ToString::to_string),
        emoji: event.emoji.as_ref().map(ToString::to_string),
    }
}

/// Compact nodes, as the document writes them: arrays with commas between them.
fn read_nodes(nodes: &[u8]) -> Vec<v1::StorageNode> {
    let array = [b"[", nodes, b"]"].concat();
    let nodes: Vec<Vec<Value>> = serde_json::from_slice(&array).unwrap_or_default();
    nodes.into_iter().filter_map(read_node).collect()
}

/// `["root", data]`, or `[id, kind, parentId, parentKey, ...]`.
fn read_node(node: Vec<Value>) -> Option<v1::StorageNode> {
    let mut parts = node.into_iter();
    let id = parts.next()?.as_str()?.to_owned();
    let kind = match parts.next()? {
        Value::Object(data) => {
            let content = Some(Content::Object(from_object(data)));
            return Some(v1::StorageNode { id, parent_id: None, parent_key: None, content });
        }
        kind => kind.as_u64()?,
    };
    let mut text = || parts.next().and_then(|part| part.as_str().map(str::to_owned));
    let (parent_id, parent_key) = (text(), text());
    let mut data = || parts.next().unwrap_or_default();
    let content = match kind {
        0 => Content::Object(from_object(data().as_object().cloned().unwrap_or_default())),
        1 => Content::List(v1::EmptyNode {}),
        2 => Content::Map(v1::EmptyNode {}),
        3 => Content::Register(from_json(data())),
        4 => Content::Text(v1::TextNode {
            segments: segments_of(&data()),
            version: data().as_i64().unwrap_or_default(),
        }),
        5 => Content::File(file_of(&data())),
        _ => return None,
    };
    Some(v1::StorageNode { id, parent_id, parent_key, content: Some(content) })
}
