//! A room's session and its participants, as LiveKit sees them: whoever is in the room by whichever
//! protocol, under their identity. Pure.

mod change;
mod data;
pub mod directory;
mod forward;
pub mod guests;
pub mod hooks;
pub mod message;
mod rpc;
#[cfg(test)]
mod tests;
mod tracks;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

pub use self::forward::is_a_guest;
pub use self::rpc::{CallNews, Caller};
pub use self::tracks::participant_not_found;

use self::data::Nonces;
use self::message::{LiveEvent, LiveMessage, LiveRequest, LiveWelcome};
use self::rpc::Calls;
use super::effects::{Effects, ForwardStep, To};
use super::message::{ActorId, ServerMessage};
use crate::domain::live::{
    KindDetail, LeaveReason, LiveRoom, LiveSummary, Participant, ParticipantKind, ParticipantState,
    Permission, check_person,
};
use crate::error::Error;

/// How a connection can be told of participants, and be sent data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Link {
    /// By a protocol that knows of no participants: data comes as an event.
    Plain,
    /// By a stream of gRPC that asked for it.
    Stream,
    /// By LiveKit's signalling. One identity has one of these.
    Signal,
}

/// Somebody who comes in, under their identity.
#[derive(Debug, Clone)]
pub struct LiveJoin {
    pub identity: Arc<str>,
    pub name: String,
    pub metadata: String,
    pub attributes: BTreeMap<String, String>,
    pub permission: Permission,
    pub kind: ParticipantKind,
    pub kind_details: BTreeSet<KindDetail>,
    pub link: Link,
    pub client_protocol: i32,
    pub capabilities: Vec<i32>,
}

impl LiveJoin {
    /// What a token says of its holder, and the client itself.
    pub fn check(&self) -> Result<(), Error> {
        check_person(&self.name, &self.metadata, &self.attributes)
    }
}

#[derive(Debug)]
struct Present {
    info: Arc<Participant>,
    /// In which order they came.
    order: u64,
    links: BTreeMap<ActorId, Link>,
    /// Which connection publishes a track.
    publishers: HashMap<String, ActorId>,
    /// Tracks that a back end has turned on or off for them.
    subscriptions: BTreeMap<String, bool>,
    /// Rooms in which they are shown as well.
    forwarded_to: BTreeSet<Arc<str>>,
}

#[derive(Default)]
pub struct Live {
    room: Option<Arc<LiveRoom>>,
    present: BTreeMap<Arc<str>, Present>,
    identities: HashMap<ActorId, Arc<str>>,
    came: u64,
    nonces: Nonces,
    calls: Calls,
    /// Whether something changed since [`Live::take_changed`].
    is_changed: bool,
}

impl Live {
    pub fn room(&self) -> Option<&Arc<LiveRoom>> {
        self.room.as_ref()
    }

    /// The room comes to life, or was alive when it was loaded.
    pub fn begin(&mut self, room: Arc<LiveRoom>) {
        self.room = Some(room);
        self.is_changed = true;
    }

    /// Nobody is in it any more, and it is not alive.
    pub fn end(&mut self) {
        *self = Self { came: self.came, ..Self::default() };
    }

    pub fn identity(&self, actor: ActorId) -> Option<&Arc<str>> {
        self.identities.get(&actor)
    }

    pub fn find(&self, identity: &str) -> Option<&Arc<Participant>> {
        self.present.get(identity).map(|present| &present.info)
    }

    /// Connections of somebody, those first that can be told most.
    pub fn actors_of(&self, identity: &str) -> Vec<ActorId> {
        let Some(present) = self.present.get(identity) else { return Vec::new() };
        let mut links: Vec<_> = present.links.iter().collect();
        links.sort_by_key(|(actor, link)| (std::cmp::Reverse(**link), **actor));
        links.into_iter().map(|(actor, _)| *actor).collect()
    }

    pub fn links_of(&self, identity: &str) -> impl Iterator<Item = (ActorId, Link)> + '_ {
        let links = self.present.get(identity).into_iter().flat_map(|present| &present.links);
        links.map(|(actor, link)| (*actor, *link))
    }

    /// Whether one more may come in: those who serve others do not count, nor those who are here.
    pub fn has_place_for(&self, join: &LiveJoin) -> bool {
        let max = self.room.as_ref().map_or(0, |room| room.max_participants);
        if max == 0 || !join.kind.is_person() || self.present.contains_key(&join.identity) {
            return true;
        }
        let counted = self.present.values().filter(|present| counts(&present.info)).count();
        counted < usize::try_from(max).unwrap_or(usize::MAX)
    }

    /// Whether somebody keeps the room open.
    pub fn is_occupied(&self) -> bool {
        let keeps = |present: &Present| !present.links.is_empty() && present.info.kind.is_person();
        self.present.values().any(keeps)
    }

    pub fn summary(&self) -> Option<LiveSummary> {
        let visible = || self.present.values().filter(|present| present.info.is_visible());
        let count = |found: usize| u32::try_from(found).unwrap_or(u32::MAX);
        let is_recorder =
            |info: &Participant| info.permission.recorder || info.kind == ParticipantKind::Egress;
        Some(LiveSummary {
            room: Arc::clone(self.room.as_ref()?),
            participants: count(visible().count()),
            publishers: count(visible().filter(|present| present.info.is_publisher()).count()),
            is_recording: self.present.values().any(|present| is_recorder(&present.info)),
        })
    }

    /// Everybody, in the order in which they came.
    pub fn listing(&self) -> Arc<message::Listing> {
        let mut present: Vec<_> = self.present.values().collect();
        present.sort_by_key(|present| present.order);
        let people = present.into_iter().map(|present| Arc::clone(&present.info)).collect();
        Arc::new(message::Listing { people, ..Default::default() })
    }

    /// Lets somebody in, who has room (see [`Self::has_place_for`]). `sid` was never given before.
    /// Answers with the connections that have to go, since the same identity came again.
    pub fn join(
        &mut self,
        actor: ActorId,
        join: LiveJoin,
        (sid, now_ms): (Arc<str>, i64),
        effects: &mut Effects,
    ) -> Vec<ActorId> {
        let (identity, link) = (Arc::clone(&join.identity), join.link);
        let replaced = match link {
            Link::Signal => self.signals_of(&identity),
            Link::Plain | Link::Stream => Vec::new(),
        };
        for gone in &replaced {
            self.leave(*gone, LeaveReason::DuplicateIdentity, effects);
        }
        // A guest may have come themselves.
        self.remove_guest(&identity, LeaveReason::Unknown, effects);
        // The first that a newcomer is told is what the room is like.
        for delivery in &mut effects.now {
            if delivery.to == (To::Live { except: None }) {
                delivery.to = To::Live { except: Some(actor) };
            }
        }
        let is_new = !self.present.contains_key(&identity);
        self.identities.insert(actor, Arc::clone(&identity));
        match self.present.get_mut(&identity) {
            Some(present) => {
                present.links.insert(actor, link);
                if link == Link::Signal {
                    take_over(Arc::make_mut(&mut present.info), join);
                }
            }
            None => {
                self.came += 1;
                let present = Present {
                    info: Arc::new(newcomer(join, sid, now_ms)),
                    order: self.came,
                    links: BTreeMap::from([(actor, link)]),
                    publishers: HashMap::new(),
                    subscriptions: BTreeMap::new(),
                    forwarded_to: BTreeSet::new(),
                };
                self.present.insert(Arc::clone(&identity), present);
            }
        }
        self.changed();
        self.welcome(actor, &identity, effects);
        if is_new || link == Link::Signal {
            self.announce(&identity, Some(actor), effects);
        }
        if is_new && link != Link::Signal {
            self.tell_event(&identity, LiveEvent::ParticipantJoined, effects);
        }
        replaced
    }

    fn signals_of(&self, identity: &str) -> Vec<ActorId> {
        let links = self.links_of(identity).filter(|(_, link)| *link == Link::Signal);
        links.map(|(actor, _)| actor).collect()
    }

    /// What a newcomer is told first, if it can be.
    fn welcome(&self, actor: ActorId, identity: &str, effects: &mut Effects) {
        let can_be_told = self.links_of(identity).any(|(a, link)| a == actor && link > Link::Plain);
        let (Some(room), Some(me), true) = (self.summary(), self.find(identity), can_be_told)
        else {
            return;
        };
        let welcome = LiveWelcome { room, me: Arc::clone(me), others: self.others(identity) };
        effects.send(To::One(actor), ServerMessage::Live(LiveMessage::Joined(Box::new(welcome))));
    }

    fn others(&self, identity: &str) -> Vec<Arc<Participant>> {
        let others = self.present.iter().filter(|(other, _)| &***other != identity);
        let visible = others.filter(|(_, present)| present.info.is_visible());
        visible.map(|(_, present)| Arc::clone(&present.info)).collect()
    }

    /// The connection can be sent data now.
    pub fn activate(&mut self, actor: ActorId, effects: &mut Effects) {
        let Some(identity) = self.identities.get(&actor).cloned() else { return };
        let Some(present) = self.present.get_mut(&identity) else { return };
        if present.info.state == ParticipantState::Active {
            return;
        }
        touch(present).state = ParticipantState::Active;
        self.changed();
        self.announce(&identity, None, effects);
        self.tell_event(&identity, LiveEvent::ParticipantJoined, effects);
    }

    /// Whether a connection may send data to the others: a back end may have taken that from them.
    pub fn may_send_data(&self, actor: ActorId) -> bool {
        let info = self.identity(actor).and_then(|identity| self.find(identity));
        info.is_none_or(|info| info.permission.can_publish_data)
    }

    /// A connection is gone; with the last one, its participant is.
    pub fn leave(&mut self, actor: ActorId, reason: LeaveReason, effects: &mut Effects) {
        let Some(identity) = self.identities.remove(&actor) else { return };
        self.drop_calls(actor);
        self.unpublish_all(actor, &identity, effects);
        let Some(present) = self.present.get_mut(&identity) else { return };
        present.links.remove(&actor);
        self.changed();
        if self.present.get(&identity).is_some_and(|present| present.links.is_empty()) {
            self.remove(&identity, reason, effects);
        }
    }

    fn remove(&mut self, identity: &Arc<str>, reason: LeaveReason, effects: &mut Effects) {
        let Some(mut present) = self.present.remove(identity) else { return };
        self.changed();
        let was_active = present.info.state == ParticipantState::Active;
        for room in &present.forwarded_to {
            effects.forward(room, &present.info, ForwardStep::Ends);
        }
        let gone = touch(&mut present);
        gone.state = ParticipantState::Disconnected;
        gone.left = Some(reason);
        self.tell_participant(&present.info, None, effects);
        if present.info.is_forwarded {
            self.forget_subscriptions(&present.info.tracks);
            effects.gone_guests.push(present.info);
            return;
        }
        let event = match was_active {
            true => LiveEvent::ParticipantLeft,
            false => LiveEvent::ParticipantConnectionAborted,
        };
        effects.tell_live(event, self.summary(), Some(&present.info), None);
    }

    /// Tells the others how somebody is now.
    fn announce(&self, identity: &str, except: Option<ActorId>, effects: &mut Effects) {
        let Some(present) = self.present.get(identity) else { return };
        self.tell_participant(&present.info, except, effects);
        for room in &present.forwarded_to {
            effects.forward(room, &present.info, ForwardStep::Changes);
        }
    }

    /// Whoever is hidden hears of itself, and nobody else does.
    fn tell_participant(
        &self,
        info: &Arc<Participant>,
        except: Option<ActorId>,
        effects: &mut Effects,
    ) {
        let message = || ServerMessage::Live(LiveMessage::Participants(vec![Arc::clone(info)]));
        if info.is_visible() {
            effects.send(To::Live { except }, message());
            return;
        }
        for actor in self.actors_of(&info.identity) {
            if Some(actor) != except {
                effects.send(To::LiveOne(actor), message());
            }
        }
    }

    fn tell_event(&self, identity: &str, event: LiveEvent, effects: &mut Effects) {
        effects.tell_live(event, self.summary(), self.find(identity), None);
    }

    fn changed(&mut self) {
        self.is_changed = true;
    }

    /// Whether something changed since the last time.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.is_changed)
    }

    /// A request of somebody who is in the room.
    pub fn take(&mut self, actor: ActorId, request: LiveRequest, effects: &mut Effects) {
        match request {
            LiveRequest::Activate => self.activate(actor, effects),
            LiveRequest::AddTrack(track) => self.add_track(actor, *track, effects),
            LiveRequest::MuteTrack { sid, muted } => self.mute_own(actor, &sid, muted, effects),
            LiveRequest::ChangeTrack { sid, size, audio_features } => {
                self.change_own_track(actor, &sid, (size, audio_features), effects);
            }
            LiveRequest::Unpublish { ids } => self.unpublish(actor, &ids, effects),
            LiveRequest::Subscribe { track_sids, is_on } => {
                self.subscribe_self(actor, &track_sids, is_on, effects);
            }
            LiveRequest::ChangeSelf { request_id, change } => {
                self.update_self(actor, (request_id, change), effects);
            }
            LiveRequest::Send(packet) => self.send_packet(actor, packet, effects),
        }
    }
}

fn counts(info: &Participant) -> bool {
    info.kind.is_person() && info.is_visible()
}

/// About to be changed, which makes another version of it.
fn touch(present: &mut Present) -> &mut Participant {
    let info = Arc::make_mut(&mut present.info);
    info.version = info.version.wrapping_add(1);
    info
}

fn newcomer(join: LiveJoin, sid: Arc<str>, now_ms: i64) -> Participant {
    let state = match join.link {
        Link::Signal => ParticipantState::Joined,
        Link::Plain | Link::Stream => ParticipantState::Active,
    };
    Participant {
        sid,
        identity: join.identity,
        name: join.name,
        metadata: join.metadata,
        attributes: join.attributes,
        permission: join.permission,
        kind: join.kind,
        kind_details: join.kind_details,
        state,
        version: 1,
        joined_at_ms: now_ms,
        tracks: Vec::new(),
        left: None,
        is_forwarded: false,
        client_protocol: join.client_protocol,
        capabilities: join.capabilities,
    }
}

/// Somebody who is here by another protocol: from now on their token says who they are.
fn take_over(info: &mut Participant, join: LiveJoin) {
    info.version = info.version.wrapping_add(1);
    info.name = join.name;
    info.metadata = join.metadata;
    info.attributes = join.attributes;
    info.permission = join.permission;
    info.kind = join.kind;
    info.kind_details = join.kind_details;
    info.client_protocol = join.client_protocol;
    info.capabilities = join.capabilities;
}

pub fn live_room_not_found() -> Error {
    Error::not_found("LIVE_ROOM_NOT_FOUND", "requested room does not exist")
}
