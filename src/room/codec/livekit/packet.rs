//! Packets of data channels. What only clients understand passes through as it came.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;

use crate::domain::live::{
    DESTINATIONS_MAX, DataKind, DataOrigin, LiveData, NAMED_PACKET_BYTES_MAX, PACKET_BYTES_MAX,
};
use crate::proto::livekit;
use crate::proto::livekit::data_packet::{Kind, Value};
use crate::proto::livekit::rpc_response::Value as Answer;
use crate::room::live::message::{LivePacket, PacketValue, RpcCall, RpcFailure};

/// Of the way in which calls are made.
const RPC_VERSION: u32 = 1;
const TOO_LARGE: &str = "a data packet is too large";

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
        id: data.origin.id.clone(),
        start_time: data.origin.start_time,
        end_time: data.origin.end_time,
        ..livekit::UserPacket::default()
    }
}

/// A packet of a peer, or why it reaches nobody. `kind` is that of the channel by which it came, if
/// it came by one.
pub fn read_packet(
    mut packet: livekit::DataPacket,
    kind: Option<DataKind>,
) -> Result<LivePacket, &'static str> {
    if packet.encoded_len() > NAMED_PACKET_BYTES_MAX {
        return Err(TOO_LARGE);
    }
    let destinations = take_destinations(&mut packet);
    if destinations.len() > DESTINATIONS_MAX {
        return Err("a data packet is for too many");
    }
    // What is sent on has the sender in it, and must fit as well.
    if packet.encoded_len() > PACKET_BYTES_MAX {
        return Err(TOO_LARGE);
    }
    let kind = kind.unwrap_or(match Kind::try_from(packet.kind) {
        Ok(Kind::Lossy) => DataKind::Lossy,
        Ok(Kind::Reliable) | Err(_) => DataKind::Reliable,
    });
    let value = packet.value.and_then(|value| read_value(value, kind));
    let value = value.ok_or("a data packet says nothing")?;
    Ok(LivePacket { kind, sender: None, destinations, value })
}

/// Whom a packet names. Older clients name them in the data, by sid too: to pass over those would show
/// everybody what is for some.
fn take_destinations(packet: &mut livekit::DataPacket) -> Vec<Arc<str>> {
    let mut named = std::mem::take(&mut packet.destination_identities);
    if let Some(Value::User(user)) = &mut packet.value {
        let mut older = std::mem::take(&mut user.destination_identities);
        older.append(&mut user.destination_sids);
        if named.is_empty() {
            named = older;
        }
    }
    named.into_iter().map(Into::into).collect()
}

fn read_value(value: Value, kind: DataKind) -> Option<PacketValue> {
    Some(match value {
        Value::User(user) => PacketValue::Data(LiveData {
            kind,
            payload: user.payload,
            topic: user.topic.map(Into::into),
            sender: None,
            nonce: user.nonce,
            origin: DataOrigin {
                id: user.id,
                start_time: user.start_time,
                end_time: user.end_time,
            },
        }),
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
    })
}

fn opaque(value: Value) -> PacketValue {
    PacketValue::Opaque(of_value(value).encode_to_vec().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::USER_ID_CHARS_MAX;
    use crate::domain::live::{
        DATA_BYTES_MAX, IDENTITY_BYTES_MAX, MESSAGE_BYTES_MAX, NONCE_BYTES, SidKind,
        TOPIC_BYTES_MAX, new_sid,
    };
    use crate::rtc::RtcLimits;

    fn read(user: livekit::UserPacket, named: &[&str]) -> Result<Vec<Arc<str>>, &'static str> {
        let mut packet = of_value(Value::User(user));
        packet.destination_identities = named.iter().map(ToString::to_string).collect();
        read_packet(packet, None).map(|packet| packet.destinations)
    }

    #[test]
    fn what_a_client_says_of_its_data_goes_with_it() {
        let user = livekit::UserPacket {
            payload: Bytes::from_static(b"x"),
            id: Some("1".to_owned()),
            start_time: Some(2),
            end_time: Some(3),
            ..livekit::UserPacket::default()
        };
        let read = read_packet(of_value(Value::User(user.clone())), None).unwrap();
        assert_eq!(write_packet(&read).value, Some(Value::User(user)));
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
        assert!(read(sids(DESTINATIONS_MAX), &[]).is_ok());
        assert!(read(sids(DESTINATIONS_MAX + 1), &[]).is_err());
    }

    /// A packet of this size, without the names of those it is for.
    fn packet_of(bytes: usize, topic_bytes: usize) -> livekit::DataPacket {
        let sent = |payload_bytes: usize| {
            of_value(Value::User(livekit::UserPacket {
                payload: vec![b'x'; payload_bytes].into(),
                topic: Some("t".repeat(topic_bytes)),
                nonce: vec![b'n'; NONCE_BYTES].into(),
                ..livekit::UserPacket::default()
            }))
        };
        // Lengths of the same order take as many bytes to tell.
        let other = sent(bytes - 2_000).encoded_len() - (bytes - 2_000);
        sent(bytes - other)
    }

    #[test]
    fn whatever_is_taken_can_be_sent_on() {
        assert_eq!(RtcLimits::default().message_bytes_max, MESSAGE_BYTES_MAX);
        let longest = char::MAX.to_string().repeat(USER_ID_CHARS_MAX);
        assert!(longest.len() > IDENTITY_BYTES_MAX);
        let sid = new_sid(SidKind::Participant).unwrap();
        let sender = (Arc::from(longest), Arc::from(sid));
        let sent = packet_of(PACKET_BYTES_MAX, 10);
        assert_eq!(sent.encoded_len(), PACKET_BYTES_MAX);
        let mut packet = read_packet(sent, Some(DataKind::Lossy)).unwrap();
        packet.sender = Some(sender.clone());
        let PacketValue::Data(data) = &mut packet.value else { panic!("it is data") };
        data.sender = Some(sender);
        assert!(write_packet(&packet).encoded_len() <= MESSAGE_BYTES_MAX);
        assert_eq!(read_packet(packet_of(PACKET_BYTES_MAX + 1, 10), None), Err(TOO_LARGE));
    }

    #[test]
    fn whatever_a_back_end_may_send_can_be_sent_on() {
        let data = LiveData {
            kind: DataKind::Lossy,
            payload: vec![b'x'; DATA_BYTES_MAX].into(),
            topic: Some("t".repeat(TOPIC_BYTES_MAX).into()),
            sender: None,
            nonce: vec![b'n'; NONCE_BYTES].into(),
            origin: DataOrigin::default(),
        };
        let (kind, value) = (data.kind, PacketValue::Data(data));
        let packet = LivePacket { kind, sender: None, destinations: Vec::new(), value };
        assert!(write_packet(&packet).encoded_len() <= MESSAGE_BYTES_MAX);
    }

    #[test]
    fn names_do_not_count_as_long_as_they_are_not_too_long() {
        let named = |count: usize, bytes: usize| {
            let destination_identities = vec!["n".repeat(bytes); count];
            livekit::DataPacket { destination_identities, ..packet_of(PACKET_BYTES_MAX, 10) }
        };
        assert_eq!(read_packet(named(1_000, 10), None).unwrap().destinations.len(), 1_000);
        assert_eq!(read_packet(named(1_000, 20), None), Err(TOO_LARGE));
        let too_many = Err("a data packet is for too many");
        assert_eq!(read_packet(named(1_001, 10), None), too_many);
        let empty = livekit::DataPacket::default();
        assert_eq!(read_packet(empty, None), Err("a data packet says nothing"));
    }
}
