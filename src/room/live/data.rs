//! Data on its way to participants.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::json;

use super::message::{LiveMessage, LivePacket, PacketValue};
use super::{Link, Live};
use crate::domain::live::{LiveData, Participant};
use crate::room::effects::{Delivery, Effects, To};
use crate::room::message::{ActorId, Frame, RawJson, SERVER_ACTOR, ServerMessage};

/// Nonces that are remembered of one room.
const NONCES_LEN_MAX: usize = 100;

#[derive(Debug, Default)]
pub(super) struct Nonces(VecDeque<Bytes>);

impl Nonces {
    /// False if it came already. Without a nonce nothing came already.
    fn take(&mut self, nonce: &Bytes) -> bool {
        if nonce.is_empty() {
            return true;
        }
        if self.0.contains(nonce) {
            return false;
        }
        if self.0.len() == NONCES_LEN_MAX {
            self.0.pop_front();
        }
        self.0.push_back(nonce.clone());
        true
    }
}

impl Live {
    /// Data of a back end, for some or for everybody. Those who are not here are passed over; says
    /// how many were.
    pub fn send_data(
        &mut self,
        data: LiveData,
        (identities, sids): (&[String], &[String]),
        effects: &mut Effects,
    ) -> usize {
        if !self.nonces.take(&data.nonce) {
            return 0;
        }
        let all = identities.is_empty() && sids.is_empty();
        let is_meant = |identity: &str, sid: &str| {
            all || identities.iter().any(|found| found == identity)
                || sids.iter().any(|found| found == sid)
        };
        let receivers: BTreeSet<Arc<str>> = self
            .present
            .values()
            .filter(|present| is_meant(&present.info.identity, &present.info.sid))
            .map(|present| Arc::clone(&present.info.identity))
            .collect();
        let destinations = identities.iter().map(|identity| identity.as_str().into()).collect();
        let unknown = (identities.len() + sids.len()).saturating_sub(receivers.len());
        let kind = data.kind;
        let packet =
            LivePacket { kind, sender: None, destinations, value: PacketValue::Data(data) };
        self.deliver(&packet, &receivers, None, effects);
        if all { 0 } else { unknown }
    }

    /// A packet of somebody in the room.
    pub fn send_packet(&mut self, actor: ActorId, mut packet: LivePacket, effects: &mut Effects) {
        let Some(identity) = self.identity(actor).cloned() else { return };
        let Some(info) = self.find(&identity).cloned() else { return };
        if self.take_reply(actor, &packet) {
            return;
        }
        if !info.permission.can_publish_data {
            return;
        }
        // Nobody learns that somebody is here who is hidden.
        let sender = (Arc::clone(&identity), Arc::clone(&info.sid));
        packet.sender = info.is_visible().then_some(sender);
        if let PacketValue::Data(data) = &mut packet.value {
            data.sender.clone_from(&packet.sender);
        }
        let named: HashSet<&str> = packet.destinations.iter().map(|name| &**name).collect();
        let is_meant = |other: &Participant| match named.is_empty() {
            true => *other.identity != *identity,
            false => named.contains(&*other.identity) || named.contains(&*other.sid),
        };
        let receivers: BTreeSet<Arc<str>> = self
            .present
            .iter()
            .filter(|(_, present)| is_meant(&present.info))
            .map(|(identity, _)| Arc::clone(identity))
            .collect();
        let told_actor = info.is_visible().then_some(actor);
        self.deliver(&packet, &receivers, told_actor, effects);
    }

    fn deliver(
        &self,
        packet: &LivePacket,
        receivers: &BTreeSet<Arc<str>>,
        sender: Option<ActorId>,
        effects: &mut Effects,
    ) {
        let message = LiveMessage::Packet(Arc::new(packet.clone()));
        let frame = Frame::new(ServerMessage::Live(message));
        let event = event_of(&packet.value).map(|event| {
            let actor = sender.unwrap_or(SERVER_ACTOR);
            Frame::new(ServerMessage::Event { actor, event })
        });
        for (actor, link) in receivers.iter().flat_map(|identity| self.links_of(identity)) {
            let frame = match link {
                Link::Signal | Link::Stream => Some(&frame),
                Link::Plain => event.as_ref(),
            };
            if let Some(frame) = frame {
                let frame = Arc::clone(frame);
                effects.now.push(Delivery { to: To::One(actor), frame });
            }
        }
    }
}

/// Data and calls, for clients that know events only; bytes that are no text in base64.
pub(super) fn event_of(value: &PacketValue) -> Option<RawJson> {
    let event = match value {
        PacketValue::Data(data) => {
            let mut event = json!({"type": "roomd.data"});
            let fields = event.as_object_mut()?;
            if let Some(topic) = &data.topic {
                fields.insert("topic".to_owned(), json!(&**topic));
            }
            if let Some((identity, _)) = &data.sender {
                fields.insert("identity".to_owned(), json!(&**identity));
            }
            match std::str::from_utf8(&data.payload) {
                Ok(text) => fields.insert("text".to_owned(), json!(text)),
                Err(_) => {
                    let bytes = STANDARD.encode(&data.payload);
                    fields.insert("bytes".to_owned(), json!(bytes))
                }
            };
            event
        }
        PacketValue::Call(call) => json!({
            "type": "roomd.call", "id": &*call.id, "method": call.method, "payload": call.payload,
            "responseTimeoutMs": call.response_timeout_ms,
        }),
        PacketValue::Ack { .. } | PacketValue::Answer { .. } | PacketValue::Opaque(_) => {
            return None;
        }
    };
    serde_json::value::to_raw_value(&event).ok().map(Into::into)
}
