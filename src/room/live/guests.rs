//! Who is shown in a room without being in it: people of other rooms, by ForwardParticipant.
//!
//! Rooms do not wait for one another. The room of somebody notes here how they are, and the room in
//! which they are shown takes that when it gets to it. Only the newest is kept of each, so a room
//! that has much to do is not told what is over, and what waits for it is bounded by its guests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::ids::RoomId;
use crate::domain::live::Participant;
use crate::room::effects::{Forward, ForwardStep};

/// The guests of one room, for as long as its life lasts.
#[derive(Debug, Default)]
pub struct Guests {
    shown: BTreeMap<Arc<str>, Guest>,
    /// Those of whom the room does not know yet that they came, changed or left.
    news: BTreeSet<Arc<str>>,
}

#[derive(Debug)]
struct Guest {
    info: Arc<Participant>,
    from: RoomId,
}

/// What a room is told of one of its guests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuestNews {
    Here(Arc<Participant>),
    Gone(Arc<str>),
}

/// What became of a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// They are not shown there, or not any more.
    NotShown,
    /// Behind other news, which the room will come to take.
    Waits,
    /// It is the first, so the room has to be told that there is something to take.
    First,
}

impl Guests {
    /// What somebody's own room has to say of them.
    pub fn note(&mut self, forward: &Forward, from: &RoomId) -> Noted {
        let info = &forward.info;
        if forward.step != ForwardStep::Begins && !self.shows(info) {
            return Noted::NotShown;
        }
        let identity = Arc::clone(&info.identity);
        match forward.step {
            ForwardStep::Begins | ForwardStep::Changes => {
                let guest = Guest { info: Arc::clone(info), from: from.clone() };
                self.shown.insert(Arc::clone(&identity), guest);
            }
            ForwardStep::Ends => drop(self.shown.remove(&identity)),
        }
        let is_first = self.news.is_empty();
        self.news.insert(identity);
        if is_first { Noted::First } else { Noted::Waits }
    }

    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    /// Whether somebody is shown during this stay in their own room: who comes back is not.
    pub fn shows(&self, info: &Participant) -> bool {
        self.shown.get(&info.identity).is_some_and(|guest| guest.info.sid == info.sid)
    }

    /// What the room has not been told yet.
    pub fn take(&mut self) -> Vec<GuestNews> {
        let news = std::mem::take(&mut self.news).into_iter();
        let newest = |identity| match self.shown.get(&identity) {
            Some(guest) => GuestNews::Here(Arc::clone(&guest.info)),
            None => GuestNews::Gone(identity),
        };
        news.map(newest).collect()
    }

    /// Everybody, for a room that was not in memory.
    pub fn take_all(&mut self) -> Vec<GuestNews> {
        self.news.clear();
        self.shown.values().map(|guest| GuestNews::Here(Arc::clone(&guest.info))).collect()
    }

    /// The room shows somebody no longer, until they are forwarded again.
    pub fn forget(&mut self, info: &Participant) {
        if self.shows(info) {
            self.shown.remove(&info.identity);
            self.news.remove(&info.identity);
        }
    }

    /// Everybody of a room has left it. Says whether the guests' room has to be told.
    pub fn forget_all_of(&mut self, from: &RoomId) -> bool {
        let gone = self.shown.iter().filter(|(_, guest)| guest.from == *from);
        let gone: Vec<Arc<str>> = gone.map(|(identity, _)| Arc::clone(identity)).collect();
        let is_first = self.news.is_empty() && !gone.is_empty();
        for identity in gone {
            self.shown.remove(&identity);
            self.news.insert(identity);
        }
        is_first
    }
}
