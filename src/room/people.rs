//! Who is in a room, what they may do there, and what they show of themselves. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::effects::{Effects, To};
use super::message::{ActorId, Member, RawJson, SERVER_ACTOR, ServerMessage};
use super::presence::Presence;
use crate::domain::ids::UserId;
use crate::domain::permissions::{Level, Matrix, Resource, Scope};

/// Somebody who is in the room by a connection.
#[derive(Debug)]
struct Connected {
    member: Member,
    /// Is not shown to the others.
    is_hidden: bool,
    rights: Matrix,
    presence: Presence,
}

/// Somebody who is shown without a connection, until it expires.
#[derive(Debug)]
struct Shown {
    actor: ActorId,
    member: Member,
    presence: RawJson,
    expires_at_ms: i64,
}

/// Ordered by actor, so that everybody is told about the others in the same order.
#[derive(Debug, Default)]
pub struct People {
    connected: BTreeMap<ActorId, Connected>,
    shown: BTreeMap<UserId, Shown>,
}

fn everybody_but(actor: ActorId) -> To {
    To::Readers { of: Resource::Room, except: Some(actor) }
}

const EVERYBODY: To = To::Readers { of: Resource::Room, except: None };

impl People {
    /// Users that are shown without a connection are as many as a back end cares to name, so their
    /// number is limited too.
    pub const SHOWN_MAX: usize = 1_000;

    pub fn is_empty(&self) -> bool {
        self.connected.is_empty() && self.shown.is_empty()
    }

    pub fn connected_len(&self) -> usize {
        self.connected.len()
    }

    pub fn rights(&self, actor: ActorId) -> Matrix {
        self.connected.get(&actor).map_or(Matrix::NONE, |connected| connected.rights)
    }

    pub fn may(&self, actor: ActorId, level: Level, resource: Resource) -> bool {
        self.rights(actor).allows(level, resource)
    }

    /// Everybody, with the actor under which the others know them.
    pub fn members(&self) -> impl Iterator<Item = (ActorId, &Member)> {
        let connected = self.connected.iter().filter(|(_, known)| !known.is_hidden);
        let connected = connected.map(|(actor, known)| (*actor, &known.member));
        connected.chain(self.shown.values().map(|shown| (shown.actor, &shown.member)))
    }

    pub fn join(
        &mut self,
        actor: ActorId,
        (member, is_hidden): (Member, bool),
        rights: Matrix,
        nonce: Arc<str>,
        effects: &mut Effects,
    ) {
        let state = self.room_state(actor, nonce, Arc::clone(&member.scopes));
        effects.send(To::One(actor), state);
        for (other, data) in self.presences() {
            let presence = ServerMessage::Presence { actor: other, data, target: Some(actor) };
            effects.send(To::One(actor), presence);
        }
        if !is_hidden {
            let joined = ServerMessage::UserJoined { actor, member: member.clone() };
            effects.send(everybody_but(actor), joined);
        }
        let presence = Presence::default();
        self.connected.insert(actor, Connected { member, is_hidden, rights, presence });
    }

    fn room_state(&self, actor: ActorId, nonce: Arc<str>, scopes: Arc<[Scope]>) -> ServerMessage {
        let others = self.members().filter(|(other, _)| *other != actor);
        let users = others.map(|(other, member)| (other, member.clone())).collect();
        ServerMessage::RoomState { actor, nonce, scopes, users }
    }

    fn presences(&mut self) -> Vec<(ActorId, RawJson)> {
        let connected = self.connected.iter_mut().filter(|(_, known)| !known.is_hidden);
        let connected =
            connected.filter_map(|(actor, known)| Some((*actor, known.presence.full()?)));
        let shown = self.shown.values().map(|shown| (shown.actor, Arc::clone(&shown.presence)));
        connected.chain(shown).collect()
    }

    /// Somebody is shown to the others from now on, or is not any more.
    pub fn set_hidden(&mut self, actor: ActorId, is_hidden: bool, effects: &mut Effects) {
        let Some(known) = self.connected.get_mut(&actor) else { return };
        if std::mem::replace(&mut known.is_hidden, is_hidden) == is_hidden {
            return;
        }
        let told = match is_hidden {
            true => ServerMessage::UserLeft { actor },
            false => ServerMessage::UserJoined { actor, member: known.member.clone() },
        };
        effects.send(everybody_but(actor), told);
        if let Some(data) = known.presence.full().filter(|_| !is_hidden) {
            let target = Some(SERVER_ACTOR);
            effects.send(everybody_but(actor), ServerMessage::Presence { actor, data, target });
        }
    }

    pub fn leave(&mut self, actor: ActorId, effects: &mut Effects) {
        if self.connected.remove(&actor).is_some_and(|known| !known.is_hidden) {
            effects.send(EVERYBODY, ServerMessage::UserLeft { actor });
        }
    }

    pub fn update_presence(
        &mut self,
        actor: ActorId,
        data: RawJson,
        target: Option<ActorId>,
        effects: &mut Effects,
    ) {
        let Some(known) = self.connected.get_mut(&actor) else { return };
        let (to, data) = match target {
            Some(one) if one != SERVER_ACTOR => {
                // Clients send newcomers what they showed before the patches right in front of it.
                let newest = known.presence.full();
                (To::One(one), newest.unwrap_or_else(|| known.presence.replace_with(data)))
            }
            Some(_) => (everybody_but(actor), known.presence.replace_with(data)),
            None => {
                known.presence.patch(Arc::clone(&data));
                (everybody_but(actor), data)
            }
        };
        if !known.is_hidden {
            effects.send(to, ServerMessage::Presence { actor, data, target });
        }
    }

    pub fn broadcast(&self, actor: ActorId, event: RawJson, effects: &mut Effects) {
        if self.may(actor, Level::Write, Resource::Room) {
            effects.send(everybody_but(actor), ServerMessage::Event { actor, event });
        }
    }

    pub fn broadcast_from_server(event: RawJson, effects: &mut Effects) {
        effects.send(EVERYBODY, ServerMessage::Event { actor: SERVER_ACTOR, event });
    }

    /// The room's accesses have changed: whoever is affected is told, before anybody acts on it.
    pub fn change_rights(
        &mut self,
        actor: ActorId,
        rights: Matrix,
        nonce: Arc<str>,
        effects: &mut Effects,
    ) {
        let Some(known) = self.connected.get_mut(&actor) else { return };
        if known.rights == rights {
            return;
        }
        known.rights = rights;
        known.member.scopes = rights.canonical_scopes().into();
        let (member, known_hidden) = (known.member.clone(), known.is_hidden);
        let state = self.room_state(actor, nonce, Arc::clone(&member.scopes));
        effects.send(To::One(actor), state);
        if !known_hidden {
            effects.send(everybody_but(actor), ServerMessage::UserJoined { actor, member });
        }
        // Their view of the others was rebuilt, so they need the presences again.
        for (other, data) in self.presences() {
            if other != actor {
                let presence = ServerMessage::Presence { actor: other, data, target: Some(actor) };
                effects.send(To::One(actor), presence);
            }
        }
    }

    /// The actor of a user that is shown, if it is.
    pub fn shown_actor(&self, user: &UserId) -> Option<ActorId> {
        self.shown.get(user).map(|shown| shown.actor)
    }

    pub fn shown_len(&self) -> usize {
        self.shown.len()
    }

    pub fn show(
        &mut self,
        actor: ActorId,
        user: UserId,
        info: Option<RawJson>,
        presence: RawJson,
        expires_at_ms: i64,
        effects: &mut Effects,
    ) {
        let scopes: Arc<[Scope]> = Arc::from([]);
        let member = Member { id: Some(user.as_str().into()), info, scopes };
        let data = Arc::clone(&presence);
        let joined = ServerMessage::UserJoined { actor, member: member.clone() };
        if self.shown.insert(user, Shown { actor, member, presence, expires_at_ms }).is_none() {
            effects.send(EVERYBODY, joined);
        }
        let target = Some(SERVER_ACTOR);
        effects.send(EVERYBODY, ServerMessage::Presence { actor, data, target });
    }

    pub fn expire(&mut self, now_ms: i64, effects: &mut Effects) {
        self.shown.retain(|_, shown| {
            let lives = shown.expires_at_ms > now_ms;
            if !lives {
                effects.send(EVERYBODY, ServerMessage::UserLeft { actor: shown.actor });
            }
            lives
        });
    }

    /// When somebody who is shown expires next.
    pub fn next_expiry_ms(&self) -> Option<i64> {
        self.shown.values().map(|shown| shown.expires_at_ms).min()
    }
}
