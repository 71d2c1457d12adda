//! Packets of data channels. What only clients understand passes through as it came.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;

use crate::domain::live::{DATA_BYTES_MAX, DESTINATIONS_MAX, DataKind, LiveData};
use crate::proto::livekit;
use crate::proto::livekit::data_packet::{Kind, Value};
use crate::proto::livekit::rpc_response::Value as Answer;
use crate::room::live::message::{LivePacket, PacketValue, RpcCall, RpcFailure};

/// Of the way in which calls are made.
const RPC_VERSION: u32 = 1;

/// A packet for a peer.
pub fn write_packet(packet: &LivePacket) -> livekit::DataPacket {
    let (identity, sid) = match &packet.sender {
        Some((identity, sid)) => (identity.to_string(), sid.to_string()),
        None => (String::new(), String::new()),
    };
    let mut written = match &packet.value {
        // It was encoded by us a moment ago.
        PacketValue::Opaque(bytes) => {
            livekit::DataPacket::decode(bytes.clone()).unwrap_or_default()
        }
        PacketValue::Data(data) => of_value(Value::User(user(data))),
        PacketValue::Call(call) => of_value(Value::RpcRequest(livekit::RpcRequest {
            id: call.id.to_string(),
            method: call.method.clone(),
            payload: call.payload.clone(),
            response_timeout_ms: call.response_timeout_ms,
            version: RPC_VERSION,
            compressed_payload: Bytes::new(),
        })),
        PacketValue::Ack { id } => {
            of_value(Value::RpcAck(livekit::RpcAck { request_id: id.to_string() }))
        }
        PacketValue::Answer { id, answer } => {
            let value = match answer {
                Ok(payload) => Answer::Payload(payload.clone()),
                Err(failure) => Answer::Error(livekit::RpcError {
                    code: failure.code,
                    message: failure.message.clone(),
                    data: failure.data.clone(),
                }),
            };
            let request_id = id.to_string();
            of_value(Value::RpcResponse(livekit::RpcResponse { request_id, value: Some(value) }))
        }
    };
    written.kind = match packet.kind {
        DataKind::Reliable => Kind::Reliable.into(),
        DataKind::Lossy => Kind::Lossy.into(),
    };
    written.participant_identity = identity;
    written.participant_sid = sid;
    // A receiver has no use for who else it is for, which could be more than fits.
    written
}

fn of_value(value: Value) -> livekit::DataPacket {
    livekit::DataPacket { value: Some(value), ..livekit::DataPacket::default() }
}

fn user(data: &LiveData) -> livekit::UserPacket {
    let (identity, sid) = match &data.sender {
        Some((identity, sid)) => (identity.to_string(), sid.to_string()),
        None => (String::new(), String::new()),
    };
    livekit::UserPacket {
        participant_sid: sid,
        participant_identity: identity,
        payload: data.payload.clone(),
        topic: data.topic.as_ref().map(ToString::to_string),
        nonce: data.nonce.clone(),
        ..livekit::UserPacket::default()
    }
}

/// A packet of a peer; nothing if it says nothing, or is over the limit. `kind` is that of the
/// channel by which it came, if it came by one.
pub fn read_packet(packet: livekit::DataPacket, kind: Option<DataKind>) -> Option<LivePacket> {
    let named = packet.destination_identities.len();
    if packet.encoded_len() > DATA_BYTES_MAX + OVERHEAD_BYTES_MAX || named > DESTINATIONS_MAX {
        return None;
    }
    let kind = kind.unwrap_or(match Kind::try_from(packet.kind) {
        Ok(Kind::Lossy) => DataKind::Lossy,
        Ok(Kind::Reliable) | Err(_) => DataKind::Reliable,
    });
    let mut destinations: Vec<Arc<str>> =
        packet.destination_identities.iter().map(|identity| identity.as_str().into()).collect();
    let value = match packet.value? {
        Value::User(user) => {
            if destinations.is_empty() {
                // Old clients name sids. To pass over those would show everybody what is for some.
                let named = user.destination_identities.iter().chain(&user.destination_sids);
                destinations = named.map(|name| name.as_str().into()).collect();
            }
            if destinations.len() > DESTINATIONS_MAX {
                return None;
            }
            PacketValue::Data(LiveData {
                kind,
                payload: user.payload,
                topic: user.topic.map(Into::into),
                sender: None,
                nonce: user.nonce,
            })
        }
        Value::RpcAck(ack) => PacketValue::Ack { id: ack.request_id.into() },
        Value::RpcResponse(livekit::RpcResponse { request_id, value }) => match value? {
            Answer::Payload(payload) => {
                PacketValue::Answer { id: request_id.into(), answer: Ok(payload) }
            }
            Answer::Error(livekit::RpcError { code, message, data }) => PacketValue::Answer {
                id: request_id.into(),
                answer: Err(RpcFailure { code, message, data }),
            },
            compressed @ Answer::CompressedPayload(_) => {
                let value = Some(compressed);
                opaque(Value::RpcResponse(livekit::RpcResponse { request_id, value }))
            }
        },
        Value::RpcRequest(call) if call.compressed_payload.is_empty() => {
            PacketValue::Call(RpcCall {
                id: call.id.into(),
                method: call.method,
                payload: call.payload,
                response_timeout_ms: call.response_timeout_ms,
            })
        }
        other => opaque(other),
    };
    Some(LivePacket { kind, sender: None, destinations, value })
}

/// What a packet holds besides the data that is limited.
const OVERHEAD_BYTES_MAX: usize = 16 << 10;

fn opaque(value: Value) -> PacketValue {
    PacketValue::Opaque(of_value(value).encode_to_vec().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(user: livekit::UserPacket, named: &[&str]) -> Option<Vec<Arc<str>>> {
        let mut packet = of_value(Value::User(user));
        packet.destination_identities = named.iter().map(ToString::to_string).collect();
        read_packet(packet, None).map(|packet| packet.destinations)
    }

    /// Whoever named somebody did not mean everybody, in whichever of the fields they did.
    #[test]
    fn a_packet_is_for_whom_any_client_names() {
        let names = |count: usize| vec!["x".to_owned(); count];
        let user = livekit::UserPacket {
            destination_identities: vec!["bob".to_owned()],
            destination_sids: vec!["PA_1".to_owned()],
            ..livekit::UserPacket::default()
        };
        assert_eq!(read(user.clone(), &["ann"]).unwrap(), ["ann".into()]);
        assert_eq!(read(user, &[]).unwrap(), ["bob".into(), "PA_1".into()]);
        assert_eq!(read(livekit::UserPacket::default(), &[]).unwrap(), []);
        let sids = |count| livekit::UserPacket {
            destination_sids: names(count),
            ..livekit::UserPacket::default()
        };
        assert!(read(sids(DESTINATIONS_MAX), &[]).is_some());
        assert!(read(sids(DESTINATIONS_MAX + 1), &[]).is_none());
    }
}
