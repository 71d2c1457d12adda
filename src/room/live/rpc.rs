//! Calls that back ends make of clients' methods.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;

use super::message::{LiveMessage, LivePacket, PacketValue, RpcCall, RpcFailure};
use super::tracks::participant_not_found;
use super::{Link, Live};
use crate::domain::live::DataKind;
use crate::error::{Code, Error};
use crate::room::effects::{Delivery, Effects, To};
use crate::room::message::{ActorId, Frame, RawJson, SERVER_ACTOR, ServerMessage};

/// Calls that wait for clients of one room.
pub const CALLS_MAX: usize = 1_000;

/// What happens to a call.
#[derive(Debug)]
pub enum CallNews {
    /// The client has it. Told once.
    Acknowledged,
    Answered(Result<String, RpcFailure>),
    /// The client is gone.
    Disconnected,
}

/// Told all news of a call; the last one ends it.
pub type Caller = Box<dyn FnMut(CallNews) + Send>;

#[derive(Deserialize)]
struct AnswerEvent {
    #[serde(rename = "type")]
    kind: String,
    id: String,
    #[serde(default)]
    payload: String,
    error: Option<FailureEvent>,
}

#[derive(Deserialize)]
struct FailureEvent {
    code: u32,
    #[serde(default)]
    message: String,
    #[serde(default)]
    data: String,
}

impl From<FailureEvent> for RpcFailure {
    fn from(event: FailureEvent) -> Self {
        Self { code: event.code, message: event.message, data: event.data }
    }
}

/// Of a client that is to answer.
struct Waiting {
    actor: ActorId,
    caller: Caller,
    is_acknowledged: bool,
}

impl Waiting {
    /// Once: a client that says it again must not take the place of its answer.
    fn acknowledge(&mut self) {
        if !self.is_acknowledged {
            self.is_acknowledged = true;
            (self.caller)(CallNews::Acknowledged);
        }
    }
}

#[derive(Default)]
pub(super) struct Calls(HashMap<Arc<str>, Waiting>);

impl Live {
    /// Passes a call on to the connection of somebody that can take it best.
    pub fn call(
        &mut self,
        identity: &str,
        call: RpcCall,
        caller: Caller,
        effects: &mut Effects,
    ) -> Result<(), Error> {
        let actor = *self.actors_of(identity).first().ok_or_else(participant_not_found)?;
        if self.calls.0.len() >= CALLS_MAX {
            let problem = format!("a room has at most {CALLS_MAX} calls that wait for an answer");
            return Err(Error::new(Code::ResourceExhausted, "RESOURCE_EXHAUSTED", problem));
        }
        let is_plain = self.links_of(identity).any(|link| link == (actor, Link::Plain));
        let id = Arc::clone(&call.id);
        let packet = LivePacket {
            kind: DataKind::Reliable,
            sender: None,
            destinations: vec![identity.into()],
            value: PacketValue::Call(call),
        };
        let message = match is_plain {
            true => {
                let Some(event) = super::data::event_of(&packet.value) else { return Ok(()) };
                ServerMessage::Event { actor: SERVER_ACTOR, event }
            }
            false => ServerMessage::Live(LiveMessage::Packet(Arc::new(packet))),
        };
        let mut waiting = Waiting { actor, caller, is_acknowledged: false };
        if is_plain {
            // Its protocol has no word for it, and the application's code has all the time to answer.
            waiting.acknowledge();
        }
        self.calls.0.insert(id, waiting);
        effects.now.push(Delivery { to: To::One(actor), frame: Frame::new(message) });
        Ok(())
    }

    /// Nobody waits for it any more.
    pub fn forget_call(&mut self, id: &str) {
        self.calls.0.remove(id);
    }

    /// Whether the packet is about a call of a back end, which nobody else needs to see.
    pub(super) fn take_reply(&mut self, actor: ActorId, packet: &LivePacket) -> bool {
        match &packet.value {
            PacketValue::Ack { id } => {
                let waiting = self.calls.0.get_mut(id).filter(|waiting| waiting.actor == actor);
                waiting.map(Waiting::acknowledge).is_some()
            }
            PacketValue::Answer { id, answer } => {
                if self.calls.0.get(id).is_none_or(|waiting| waiting.actor != actor) {
                    return false;
                }
                if let Some(mut waiting) = self.calls.0.remove(id) {
                    (waiting.caller)(CallNews::Answered(answer.clone()));
                }
                true
            }
            PacketValue::Data(_) | PacketValue::Call(_) | PacketValue::Opaque(_) => false,
        }
    }

    /// Whether an event is the answer to a call, from a client that knows events only:
    /// `{"type":"roomd.answer","id":...,"payload":...}`, or `error` with `code` and `message`.
    pub fn take_event(&mut self, actor: ActorId, event: &RawJson) -> bool {
        if self.calls.0.is_empty() {
            return false;
        }
        let Ok(answer) = serde_json::from_str::<AnswerEvent>(event.get()) else { return false };
        if answer.kind != "roomd.answer" {
            return false;
        }
        let value = match answer.error {
            Some(error) => Err(error.into()),
            None => Ok(answer.payload),
        };
        let value = PacketValue::Answer { id: answer.id.into(), answer: value };
        let kind = DataKind::Reliable;
        self.take_reply(actor, &LivePacket { kind, sender: None, destinations: Vec::new(), value })
    }

    pub(super) fn drop_calls(&mut self, actor: ActorId) {
        self.calls.0.retain(|_, waiting| {
            let stays = waiting.actor != actor;
            if !stays {
                (waiting.caller)(CallNews::Disconnected);
            }
            stays
        });
    }
}
