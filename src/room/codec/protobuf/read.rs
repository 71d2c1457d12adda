//! A client's request into messages.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::{ops, raw};
use crate::proto::roomd::v1;
use crate::proto::roomd::v1::join_room_request::Message;
use crate::proto::value;
use crate::room::close::CloseReason;
use crate::room::codec::livekit;
use crate::room::live::message::LiveRequest;
use crate::room::message::{ActorId, ClientMessage, ClientOp, OPS_MAX, ServerMessage};
use crate::room::storage::Op;
use crate::room::yjs::{Encoding, GUID_BYTES_MAX};

/// The state vector of a document in which there is nothing.
const EMPTY_STATE_VECTOR: &[u8] = &[0];

/// What one request says.
#[derive(Debug, Default)]
pub struct Parsed {
    pub messages: Vec<ClientMessage>,
    /// Answers to operations that are none: the sender must forget them, and may go on.
    pub rejections: Vec<ServerMessage>,
}

impl From<ClientMessage> for Parsed {
    fn from(message: ClientMessage) -> Self {
        Self { messages: vec![message], rejections: Vec::new() }
    }
}

pub fn read(request: v1::JoinRoomRequest, now_ms: i64) -> Result<Parsed, CloseReason> {
    let Some(message) = request.message else {
        // Of a kind that is newer than we are.
        return Ok(Parsed::default());
    };
    Ok(match message {
        Message::Enter(_) => return Err(CloseReason::NotUnderstood("a room is entered once")),
        Message::Presence(presence) => {
            let target = presence.target_actor.map(ActorId::from);
            read_presence(presence.data.unwrap_or_default(), target)?.into()
        }
        Message::Event(sent) => {
            let event = sent.event.map_or(Value::Null, value::to_json);
            ClientMessage::Broadcast { event: raw(&event)? }.into()
        }
        Message::FetchStorage(_) => ClientMessage::FetchStorage.into(),
        Message::Operations(operations) => read_operations(operations)?,
        Message::FetchYjs(fetch) => {
            let state_vector = match fetch.state_vector {
                empty if empty.is_empty() => Bytes::from_static(EMPTY_STATE_VECTOR),
                vector => vector,
            };
            let (guid, encoding) = (read_guid(fetch.guid)?, encoding(fetch.v2));
            ClientMessage::FetchYjs { state_vector, guid, encoding }.into()
        }
        Message::UpdateYjs(sent) => {
            let (guid, encoding) = (read_guid(sent.guid)?, encoding(sent.v2));
            ClientMessage::UpdateYjs { update: sent.update, guid, encoding }.into()
        }
        Message::Signal(sent) => {
            let said = sent.message.map(|said| livekit::read_signal(said, now_ms)).transpose();
            match said.map_err(|_| CloseReason::Unavailable)?.flatten() {
                Some(request) => ClientMessage::Live(request).into(),
                None => Parsed::default(),
            }
        }
        Message::Data(packet) => {
            let packet = livekit::read_packet(packet, None).map_err(CloseReason::NotUnderstood)?;
            ClientMessage::Live(LiveRequest::Send(packet)).into()
        }
    })
}

pub fn read_presence(
    data: prost_types::Struct,
    target: Option<ActorId>,
) -> Result<ClientMessage, CloseReason> {
    let data = raw(&Value::Object(value::to_object(data)))?;
    Ok(ClientMessage::Presence { data, target })
}

fn read_operations(sent: v1::StorageOperations) -> Result<Parsed, CloseReason> {
    if sent.operations.len() > OPS_MAX {
        return Err(CloseReason::NotUnderstood("too many operations in one request"));
    }
    let mut read = Vec::with_capacity(sent.operations.len());
    let mut rejections = Vec::new();
    for operation in sent.operations {
        let json = ops::to_json(operation).map_err(CloseReason::NotUnderstood)?;
        match Op::parse(&json.to_string()) {
            Ok((op_id, op)) => read.push(ClientOp { op_id, op }),
            Err(bad) => match bad.op_id {
                Some(op_id) => rejections.push(ServerMessage::Rejected {
                    op_ids: vec![op_id.into()],
                    reason: bad.problem.into(),
                }),
                None => return Err(CloseReason::NotUnderstood(bad.problem)),
            },
        }
    }
    Ok(Parsed { messages: vec![ClientMessage::Ops(read)], rejections })
}

fn read_guid(guid: Option<String>) -> Result<Option<Arc<str>>, CloseReason> {
    match guid {
        Some(guid) if guid.len() > GUID_BYTES_MAX => {
            Err(CloseReason::NotUnderstood("a guid is too long"))
        }
        guid => Ok(guid.filter(|guid| !guid.is_empty()).map(Arc::from)),
    }
}

fn encoding(v2: bool) -> Encoding {
    if v2 { Encoding::V2 } else { Encoding::V1 }
}
