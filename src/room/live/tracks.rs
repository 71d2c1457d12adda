//! What participants publish, and who is subscribed to it.

use std::collections::HashSet;
use std::sync::Arc;

use super::message::{LiveEvent, LiveMessage};
use super::{Live, Present, touch};
use crate::domain::live::{Permission, Track};
use crate::error::{Code, Error};
use crate::room::effects::{Effects, To};
use crate::room::message::{ActorId, ServerMessage};

/// Tracks of one participant.
pub const TRACKS_MAX: usize = 64;

fn live(message: LiveMessage) -> ServerMessage {
    ServerMessage::Live(message)
}

impl Live {
    /// Publishes a track, whose `sid` was never given before. Who may not is not answered, as
    /// LiveKit does not; a client that asks again is answered again.
    pub fn add_track(&mut self, actor: ActorId, track: Track, effects: &mut Effects) {
        let Some(identity) = self.identity(actor).cloned() else { return };
        let Some(present) = self.present.get_mut(&identity) else { return };
        if !present.info.permission.may_publish(track.source) {
            return;
        }
        let is_known = |known: &&Track| known.cid == track.cid && !track.cid.is_empty();
        if let Some(known) = present.info.tracks.iter().find(is_known) {
            let (cid, track) = (known.cid.clone(), Box::new(known.clone()));
            effects.send(To::One(actor), live(LiveMessage::TrackPublished { cid, track }));
            return;
        }
        if present.info.tracks.len() >= TRACKS_MAX {
            return;
        }
        present.publishers.insert(track.sid.clone(), actor);
        touch(present).tracks.push(track.clone());
        self.changed();
        let (cid, track) = (track.cid.clone(), Box::new(track));
        let published = LiveMessage::TrackPublished { cid, track: track.clone() };
        effects.send(To::One(actor), live(published));
        self.announce(&identity, None, effects);
        let (room, who) = (self.summary(), self.find(&identity));
        effects.tell_live(LiveEvent::TrackPublished, room, who, Some(&track));
    }

    /// Mutes a track of the sender's own.
    pub fn mute_own(&mut self, actor: ActorId, sid: &str, muted: bool, effects: &mut Effects) {
        let Some(identity) = self.identity(actor).cloned() else { return };
        self.change_track(&identity, sid, effects, |track| track.muted = muted);
    }

    /// Mutes a track of somebody, who is told so. `None` if there is no such track.
    pub fn mute(
        &mut self,
        identity: &str,
        sid: &str,
        muted: bool,
        may_unmute: bool,
        effects: &mut Effects,
    ) -> Result<Option<Track>, Error> {
        let Some(present) = self.present.get(identity) else { return Err(participant_not_found()) };
        let Some(track) = present.info.tracks.iter().find(|track| track.sid == sid) else {
            return Ok(None);
        };
        if track.muted == muted {
            return Ok(Some(track.clone()));
        }
        if !muted && !may_unmute {
            let public = "remote unmute not enabled";
            return Err(Error::new(Code::FailedPrecondition, "REMOTE_UNMUTE_DISABLED", public));
        }
        if let Some(publisher) = present.publishers.get(sid) {
            let told = LiveMessage::TrackMuted { sid: sid.to_owned(), muted };
            effects.send(To::LiveOne(*publisher), live(told));
        }
        self.change_track(identity, sid, effects, |track| track.muted = muted);
        let track = self.find(identity).and_then(|info| info.tracks.iter().find(|t| t.sid == sid));
        Ok(track.cloned())
    }

    /// Size and features of a track of the sender's own.
    pub fn change_own_track(
        &mut self,
        actor: ActorId,
        sid: &str,
        (size, features): (Option<(u32, u32)>, Option<Vec<i32>>),
        effects: &mut Effects,
    ) {
        let Some(identity) = self.identity(actor).cloned() else { return };
        self.change_track(&identity, sid, effects, |track| {
            if let Some((width, height)) = size {
                (track.width, track.height) = (width, height);
            }
            if let Some(features) = features {
                track.audio_features = features;
            }
        });
    }

    /// The others are told only of what is another than before: to say the same again is cheap for a
    /// client, and to pass it on to everybody is not.
    fn change_track(
        &mut self,
        identity: &str,
        sid: &str,
        effects: &mut Effects,
        change: impl FnOnce(&mut Track),
    ) {
        let Some(present) = self.present.get_mut(identity) else { return };
        let found = present.info.tracks.iter().enumerate().find(|(_, track)| track.sid == sid);
        let Some((position, track)) = found else { return };
        let mut changed = track.clone();
        change(&mut changed);
        if changed == *track {
            return;
        }
        if let Some(track) = touch(present).tracks.get_mut(position) {
            *track = changed;
        }
        self.changed();
        self.announce(identity, None, effects);
    }

    /// Tracks of the sender's own end, by their sids or by the client's own ids.
    pub fn unpublish(&mut self, actor: ActorId, ids: &[String], effects: &mut Effects) {
        let Some(identity) = self.identity(actor).cloned() else { return };
        self.drop_tracks(&identity, effects, |track, publisher| {
            publisher == Some(actor) && (ids.contains(&track.sid) || ids.contains(&track.cid))
        });
    }

    pub(super) fn unpublish_all(
        &mut self,
        actor: ActorId,
        identity: &Arc<str>,
        effects: &mut Effects,
    ) {
        self.drop_tracks(identity, effects, |_, publisher| publisher == Some(actor));
    }

    /// Ends what may not be published any more.
    pub(super) fn unpublish_forbidden(
        &mut self,
        identity: &str,
        permission: &Permission,
        effects: &mut Effects,
    ) {
        self.drop_tracks(identity, effects, |track, _| !permission.may_publish(track.source));
    }

    fn drop_tracks(
        &mut self,
        identity: &str,
        effects: &mut Effects,
        ends: impl Fn(&Track, Option<ActorId>) -> bool,
    ) {
        let Some(present) = self.present.get_mut(identity) else { return };
        let publisher = |track: &Track| present.publishers.get(&track.sid).copied();
        let ended: Vec<Track> = present
            .info
            .tracks
            .iter()
            .filter(|track| ends(track, publisher(track)))
            .cloned()
            .collect();
        if ended.is_empty() {
            return;
        }
        touch(present).tracks.retain(|track| !ended.iter().any(|gone| gone.sid == track.sid));
        for track in &ended {
            if let Some(publisher) = present.publishers.remove(&track.sid) {
                let told = LiveMessage::TrackUnpublished { sid: track.sid.clone() };
                effects.send(To::LiveOne(publisher), live(told));
            }
        }
        self.forget_subscriptions(&ended);
        self.changed();
        self.announce(identity, None, effects);
        for track in &ended {
            let (room, who) = (self.summary(), self.find(identity));
            effects.tell_live(LiveEvent::TrackUnpublished, room, who, Some(track));
        }
    }

    pub(super) fn forget_subscriptions(&mut self, ended: &[Track]) {
        if ended.is_empty() {
            return;
        }
        for present in self.present.values_mut() {
            present.subscriptions.retain(|sid, _| !ended.iter().any(|gone| gone.sid == *sid));
        }
    }

    /// Turns somebody's subscriptions on or off, whatever they may do by themselves. Tracks that
    /// nobody publishes are passed over.
    pub fn subscribe(
        &mut self,
        identity: &str,
        track_sids: &[String],
        is_on: bool,
        effects: &mut Effects,
    ) -> Result<(), Error> {
        if !self.present.contains_key(identity) {
            return Err(participant_not_found());
        }
        for (sid, publisher, actor) in self.published(track_sids) {
            let Some(present) = self.present.get_mut(identity) else { continue };
            if present.subscriptions.insert(sid.clone(), is_on) == Some(is_on) {
                continue;
            }
            for subscriber in present.links.keys() {
                let told = LiveMessage::Subscription {
                    publisher_sid: Arc::clone(&publisher),
                    track_sid: sid.clone(),
                    is_on,
                };
                effects.send(To::LiveOne(*subscriber), live(told));
            }
            if is_on && let Some(actor) = actor {
                let told = LiveMessage::TrackSubscribed { sid };
                effects.send(To::LiveOne(actor), live(told));
            }
        }
        Ok(())
    }

    /// The sender's own wishes, as far as it may be subscribed to anything.
    pub fn subscribe_self(
        &mut self,
        actor: ActorId,
        track_sids: &[String],
        is_on: bool,
        effects: &mut Effects,
    ) {
        let Some(identity) = self.identity(actor).cloned() else { return };
        let may =
            |live: &Self| live.find(&identity).is_some_and(|info| info.permission.can_subscribe);
        if !is_on || may(self) {
            // It is here, so it is found.
            drop(self.subscribe(&identity, track_sids, is_on, effects));
        }
    }

    /// Those of the tracks that are there, each with the sid of who publishes it, and by which
    /// connection. However many are named, the people in the room are gone through once.
    fn published(&self, track_sids: &[String]) -> Vec<(String, Arc<str>, Option<ActorId>)> {
        let named: HashSet<&str> = track_sids.iter().map(String::as_str).collect();
        let of_one = |present: &Present| {
            let tracks = present.info.tracks.iter().map(|track| track.sid.clone());
            let found: Vec<_> = tracks
                .filter(|sid| named.contains(sid.as_str()))
                .map(|sid| {
                    let actor = present.publishers.get(&sid).copied();
                    (sid, Arc::clone(&present.info.sid), actor)
                })
                .collect();
            found
        };
        self.present.values().flat_map(of_one).collect()
    }
}

pub fn participant_not_found() -> Error {
    Error::not_found("PARTICIPANT_NOT_FOUND", "participant does not exist")
}
