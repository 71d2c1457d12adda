//! Participants of other rooms that are shown here, and those of here that are shown elsewhere.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::tracks::participant_not_found;
use super::{Live, Present};
use crate::domain::live::{LeaveReason, Participant};
use crate::error::Error;
use crate::room::effects::Effects;

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
        if present.forwarded_to.len() >= FORWARDS_MAX && !present.forwarded_to.contains(room) {
            return Err(Error::invalid(
                "destinationRoom",
                format!("a participant is forwarded to at most {FORWARDS_MAX} rooms"),
            ));
        }
        present.forwarded_to.insert(Arc::clone(room));
        effects.forward(room, identity, Some(Arc::clone(&present.info)));
        Ok(())
    }

    /// How somebody of another room is now, or that they have left it. Who is here themselves is
    /// not replaced.
    pub fn show_forwarded(
        &mut self,
        identity: &str,
        info: Option<&Participant>,
        effects: &mut Effects,
    ) {
        let is_here = |present: &Present| !present.info.is_forwarded;
        if self.present.get(identity).is_some_and(is_here) {
            return;
        }
        let identity: Arc<str> = identity.into();
        let Some(info) = info else {
            return self.remove(&identity, LeaveReason::Unknown, effects);
        };
        let shown = Arc::new(Participant { is_forwarded: true, ..info.clone() });
        match self.present.get_mut(&identity) {
            Some(present) => present.info = shown,
            None => {
                self.came += 1;
                let present = Present {
                    info: shown,
                    order: self.came,
                    links: BTreeMap::new(),
                    publishers: HashMap::new(),
                    subscriptions: BTreeMap::new(),
                    forwarded_to: BTreeSet::new(),
                };
                self.present.insert(Arc::clone(&identity), present);
            }
        }
        self.changed();
        self.announce(&identity, None, effects);
    }
}
