//! Participants of other rooms that are shown here, and those of here that are shown elsewhere.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::guests::GuestNews;
use super::tracks::participant_not_found;
use super::{Live, Present};
use crate::domain::live::{LeaveReason, Participant, Track};
use crate::error::{Code, Error};
use crate::room::effects::{Effects, ForwardStep};

/// Rooms in which one participant is shown.
const FORWARDS_MAX: usize = 100;

impl Live {
    /// Shows somebody in another room, from now on until they leave.
    pub fn forward(
        &mut self,
        identity: &str,
        room: &Arc<str>,
        effects: &mut Effects,
    ) -> Result<(), Error> {
        let Some(present) = self.present.get_mut(identity) else {
            return Err(participant_not_found());
        };
        if present.info.is_forwarded {
            // Rooms that show one another's guests would tell each other of them for ever.
            return Err(is_a_guest());
        }
        if present.forwarded_to.len() >= FORWARDS_MAX && !present.forwarded_to.contains(room) {
            return Err(Error::invalid(
                "destinationRoom",
                format!("a participant is forwarded to at most {FORWARDS_MAX} rooms"),
            ));
        }
        present.forwarded_to.insert(Arc::clone(room));
        effects.forward(room, &present.info, ForwardStep::Begins);
        Ok(())
    }

    /// Forgets the rooms that do not show somebody any more.
    pub fn retain_forwards(&mut self, identity: &str, is_shown: impl Fn(&Arc<str>) -> bool) {
        if let Some(present) = self.present.get_mut(identity) {
            present.forwarded_to.retain(is_shown);
        }
    }

    pub fn has_guests(&self) -> bool {
        self.present.values().any(|present| present.info.is_forwarded)
    }

    /// How somebody of another room is now, or that they are not to be seen any more.
    pub fn show_guest(&mut self, news: GuestNews, effects: &mut Effects) {
        let info = match news {
            GuestNews::Here(info) => info,
            GuestNews::Gone(identity) => {
                return self.remove_guest(&identity, LeaveReason::Unknown, effects);
            }
        };
        let known = self.find(&info.identity).cloned();
        if known.as_ref().is_some_and(|known| !known.is_forwarded) {
            // Who is here themselves is nobody's guest.
            effects.gone_guests.push(info);
            return;
        }
        let known = known.filter(|known| known.sid == info.sid);
        if known.is_none() {
            // Another stay of the same identity.
            self.remove_guest(&info.identity, LeaveReason::Unknown, effects);
        }
        self.set_guest(&info, known.as_deref());
        self.announce(&info.identity, None, effects);
        if let Some(shown) = self.find(&info.identity).cloned()
            && known.is_some_and(|known| known.is_visible() && !shown.is_visible())
        {
            self.hide(&shown, effects);
        }
    }

    fn set_guest(&mut self, info: &Participant, known: Option<&Participant>) {
        let known_tracks = known.map_or(&[][..], |known| &known.tracks);
        let is_there = |track: &Track| info.tracks.iter().any(|other| other.sid == track.sid);
        let ended: Vec<_> = known_tracks.iter().filter(|track| !is_there(track)).cloned().collect();
        self.forget_subscriptions(&ended);
        let mut shown = Participant { is_forwarded: true, ..info.clone() };
        // Clients pass over what is older than what they know, and guests are changed here as well.
        let next = known.map_or(0, |known| known.version.wrapping_add(1));
        shown.version = shown.version.max(next);
        let shown = Arc::new(shown);
        match self.present.get_mut(&shown.identity) {
            Some(present) => present.info = shown,
            None => {
                self.came += 1;
                let identity = Arc::clone(&shown.identity);
                let present = Present {
                    info: shown,
                    order: self.came,
                    links: BTreeMap::new(),
                    publishers: HashMap::new(),
                    subscriptions: BTreeMap::new(),
                    forwarded_to: BTreeSet::new(),
                };
                self.present.insert(identity, present);
            }
        }
        self.changed();
    }

    /// Somebody who is here themselves stays.
    pub fn remove_guest(&mut self, identity: &str, reason: LeaveReason, effects: &mut Effects) {
        if self.find(identity).is_some_and(|info| info.is_forwarded) {
            self.remove(&identity.into(), reason, effects);
        }
    }

    pub fn remove_guests(&mut self, reason: LeaveReason, effects: &mut Effects) {
        let guests = self.present.values().filter(|present| present.info.is_forwarded);
        let guests: Vec<_> = guests.map(|present| Arc::clone(&present.info.identity)).collect();
        for identity in guests {
            self.remove(&identity, reason, effects);
        }
    }
}

pub fn is_a_guest() -> Error {
    let public = "participant is only shown here, from another room";
    Error::new(Code::FailedPrecondition, "PARTICIPANT_FORWARDED", public)
}
