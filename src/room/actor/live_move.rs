//! How somebody is sent to another room.

use std::sync::Arc;

use super::{Actor, Connection};
use crate::domain::ctx::{Actor as Identity, UserRights};
use crate::domain::ids::RoomId;
use crate::domain::live::LeaveReason;
use crate::domain::permissions::{Level, Resource};
use crate::domain::room::Room;
use crate::error::{Code, Error};
use crate::room::close::CloseReason;
use crate::room::effects::{Effects, To};
use crate::room::live::message::{LiveMessage, MoveDone};
use crate::room::live::{Link, is_a_guest, participant_not_found};
use crate::room::message::ServerMessage;
use crate::room::registry::draft_for;

/// Where somebody is to go.
pub(in crate::room) struct Destination {
    pub id: RoomId,
    /// Its record, if there is one already.
    pub room: Option<Arc<Room>>,
}

impl Actor {
    pub(super) fn move_participant(
        &mut self,
        identity: &str,
        to: &Destination,
        done: &MoveDone,
    ) -> Result<(), Error> {
        let info = self.state.live.find(identity).ok_or_else(participant_not_found)?;
        if info.is_forwarded {
            return Err(is_a_guest());
        }
        let links: Vec<_> = self.state.live.links_of(identity).collect();
        let connections = links.iter().filter_map(|(actor, _)| self.connections.get(actor));
        if connections.into_iter().any(|connection| is_kept_out(connection, to)) {
            // Nobody has lost a connection yet.
            return Err(kept_out());
        }
        let id: Arc<str> = to.id.as_str().into();
        let mut effects = Effects::default();
        for (actor, link) in links {
            if link == Link::Plain {
                // What its protocol says to clients whose room has another name now.
                let elsewhere = CloseReason::RoomRenamed { to: Arc::clone(&id) };
                self.dismiss(actor, elsewhere, LeaveReason::Migration);
                continue;
            }
            let told = LiveMessage::Move { to: Arc::clone(&id), done: done.clone() };
            effects.send(To::LiveOne(actor), ServerMessage::Live(told));
        }
        self.carry_out(effects);
        Ok(())
    }
}

/// Whether it is certain that a connection's peer cannot enter the other room.
fn is_kept_out(connection: &Connection, to: &Destination) -> bool {
    let caller = connection.caller.moved_to(to.id.as_str());
    // Who is sent away comes with a token for that room, which the application may well give it.
    let comes_with_another = match &caller.actor {
        Identity::Live(_) => true,
        Identity::User(user) => matches!(user.rights, UserRights::Patterns(_)),
        Identity::Secret | Identity::Public => false,
    };
    if connection.link == Link::Plain && comes_with_another {
        return false;
    }
    match &to.room {
        Some(room) => !caller.actor.rights_in(room).allows(Level::Read, Resource::Room),
        None => draft_for(&caller, &to.id).is_none(),
    }
}

fn kept_out() -> Error {
    let public = "participant may not enter the destination room";
    Error::new(Code::FailedPrecondition, "PARTICIPANT_KEPT_OUT", public)
}
