//! What a step of the room's state machine asks for. The actor carries it out.

use std::sync::Arc;

use super::feeds::FeedTask;
use super::live::message::{LiveEvent, LiveNews};
use super::message::{ActorId, Frame, ServerMessage};
use crate::domain::live::{LiveSummary, Participant, Track};
use crate::domain::permissions::Resource;

/// Who gets a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    One(ActorId),
    /// Everybody who may read the resource, but for one.
    Readers {
        of: Resource,
        except: Option<ActorId>,
    },
    /// Everybody whose protocol knows of participants, but for one.
    Live {
        except: Option<ActorId>,
    },
    /// One, if its protocol knows of participants.
    LiveOne(ActorId),
}

#[derive(Debug)]
pub struct Delivery {
    pub to: To,
    pub frame: Arc<Frame>,
}

/// Frames, in order, in two lanes: what depends on nothing durable leaves at once, and whatever
/// shows a document leaves after the commit of everything that happened to it before.
#[derive(Debug, Default)]
pub struct Effects {
    pub now: Vec<Delivery>,
    pub after_commit: Vec<Delivery>,
    /// Calls of the database about feeds, in order.
    pub feeds: Vec<FeedTask>,
    /// What back ends are told, in order.
    pub news: Vec<LiveNews>,
    /// How somebody is to be shown in another room.
    pub forwards: Vec<Forward>,
    /// Guests of other rooms who are not shown here any more.
    pub gone_guests: Vec<Arc<Participant>>,
}

#[derive(Debug)]
pub struct Forward {
    pub room: Arc<str>,
    pub info: Arc<Participant>,
    pub step: ForwardStep,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardStep {
    Begins,
    Changes,
    /// They have left.
    Ends,
}

impl Effects {
    pub fn send(&mut self, to: To, message: ServerMessage) {
        self.now.push(Delivery { to, frame: Frame::new(message) });
    }

    pub fn send_after_commit(&mut self, to: To, message: ServerMessage) {
        self.after_commit.push(Delivery { to, frame: Frame::new(message) });
    }

    /// Nothing, if the room is not alive.
    pub fn tell_live(
        &mut self,
        event: LiveEvent,
        room: Option<LiveSummary>,
        participant: Option<&Arc<Participant>>,
        track: Option<&Track>,
    ) {
        let Some(room) = room else { return };
        let (participant, track) = (participant.cloned(), track.cloned().map(Box::new));
        self.news.push(LiveNews { event, room, participant, track });
    }

    pub fn forward(&mut self, room: &Arc<str>, info: &Arc<Participant>, step: ForwardStep) {
        let (room, info) = (Arc::clone(room), Arc::clone(info));
        self.forwards.push(Forward { room, info, step });
    }
}
