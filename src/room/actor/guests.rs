//! People who are shown in other rooms as well, and those of other rooms who are shown here.

use std::sync::Arc;

use super::Actor;
use crate::domain::live::Participant;
use crate::room::effects::{Effects, Forward};
use crate::room::live::guests::Guests;

impl Actor {
    /// A room that does not show somebody any more is not told of them again.
    pub(super) fn tell_other_rooms(&mut self, forwards: &[Forward], gone: &[Arc<Participant>]) {
        for forward in forwards {
            if !self.rooms.forward(&self.address, forward) {
                let is_other = |room: &Arc<str>| *room != forward.room;
                self.state.live.retain_forwards(&forward.info.identity, is_other);
            }
        }
        for guest in gone {
            self.rooms.live.guests(&self.address, |guests| guests.forget(guest));
        }
    }

    /// Guests outlast the room's stay in memory.
    pub(super) fn resume_guests(&mut self) {
        let guests = self.rooms.live.guests(&self.address, Guests::take_all);
        let mut effects = Effects::default();
        for guest in guests.unwrap_or_default() {
            self.state.live.show_guest(guest, &mut effects);
        }
        self.carry_out(effects);
    }
}
