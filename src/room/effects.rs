//! What a step of the room's state machine asks for. The actor carries it out.

use std::sync::Arc;

use super::feeds::FeedTask;
use super::message::{ActorId, Frame, ServerMessage};
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
}

impl Effects {
    pub fn send(&mut self, to: To, message: ServerMessage) {
        self.now.push(Delivery { to, frame: Frame::new(message) });
    }

    pub fn send_after_commit(&mut self, to: To, message: ServerMessage) {
        self.after_commit.push(Delivery { to, frame: Frame::new(message) });
    }
}
