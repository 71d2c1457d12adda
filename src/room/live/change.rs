//! What changes about a participant or the session, each time as one change.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::message::{LiveMessage, Outcome};
use super::tracks::participant_not_found;
use super::{Live, Present, touch};
use crate::domain::live::{
    LiveSummary, Participant, ParticipantChange, Permission, check_attributes, check_metadata,
    check_name,
};
use crate::error::Error;
use crate::room::effects::{Effects, To};
use crate::room::message::{ActorId, ServerMessage};

impl Live {
    /// A change that a back end makes.
    pub fn update(
        &mut self,
        identity: &str,
        change: ParticipantChange,
        effects: &mut Effects,
    ) -> Result<Arc<Participant>, Error> {
        let Some(present) = self.present.get_mut(identity) else {
            return Err(participant_not_found());
        };
        let was_visible = present.info.is_visible();
        let permission = change.permission.clone();
        apply(present, change)?;
        self.changed();
        let info = self.find(identity).cloned().ok_or_else(participant_not_found)?;
        self.announce(identity, None, effects);
        if was_visible && !info.is_visible() {
            self.hide(&info, effects);
        }
        for actor in self.actors_of(identity) {
            let told = LiveMessage::ClaimsChanged(Arc::clone(&info));
            effects.send(To::LiveOne(actor), ServerMessage::Live(told));
        }
        if let Some(permission) = permission {
            self.unpublish_forbidden(identity, &permission, effects);
        }
        self.find(identity).cloned().ok_or_else(participant_not_found)
    }

    /// The room's accesses changed, and with them what somebody may do who has no token of LiveKit's.
    pub fn change_rights(&mut self, actor: ActorId, permission: Permission, effects: &mut Effects) {
        let Some(identity) = self.identity(actor).cloned() else { return };
        if self.find(&identity).is_none_or(|info| info.permission == permission) {
            return;
        }
        let change = ParticipantChange { permission: Some(permission), ..Default::default() };
        // It is here, so it is found, and permissions have no limits.
        drop(self.update(&identity, change, effects));
    }

    /// To the others it is as if they had left.
    pub(super) fn hide(&self, info: &Arc<Participant>, effects: &mut Effects) {
        let mut gone = Participant::clone(info);
        gone.state = crate::domain::live::ParticipantState::Disconnected;
        gone.permission.hidden = false;
        let gone = Arc::new(gone);
        for (identity, present) in &self.present {
            if *identity == info.identity {
                continue;
            }
            for actor in present.links.keys() {
                let told = LiveMessage::Participants(vec![Arc::clone(&gone)]);
                effects.send(To::LiveOne(*actor), ServerMessage::Live(told));
            }
        }
    }

    /// A change that somebody makes to itself, and is told what became of it.
    pub fn update_self(
        &mut self,
        actor: ActorId,
        (request_id, change): (u32, ParticipantChange),
        effects: &mut Effects,
    ) {
        let Some(identity) = self.identity(actor).cloned() else { return };
        let may = self.find(&identity).is_some_and(|info| info.permission.can_update_metadata);
        let (outcome, message) = match may {
            false => {
                (Outcome::NotAllowed, "does not have permission to update own metadata".into())
            }
            true => match self.update(&identity, change, effects) {
                Ok(_) => (Outcome::Ok, String::new()),
                Err(error) => (Outcome::LimitExceeded, error.public().to_owned()),
            },
        };
        let done = LiveMessage::Done { request_id, outcome, message };
        effects.send(To::One(actor), ServerMessage::Live(done));
    }

    /// Tells everybody of the room as it is now.
    pub fn tell_room(&self, summary: LiveSummary, effects: &mut Effects) {
        let told = ServerMessage::Live(LiveMessage::Room(summary));
        effects.send(To::Live { except: None }, told);
    }
}

/// All of it, or nothing: what is kept of somebody stays within the limits, too.
fn apply(present: &mut Present, change: ParticipantChange) -> Result<(), Error> {
    let ParticipantChange { name, metadata, attributes, permission } = change;
    check_name(name.as_deref().unwrap_or_default())?;
    check_metadata(metadata.as_deref().unwrap_or_default())?;
    let merged = merged(&present.info.attributes, attributes);
    check_attributes(&merged)?;
    let info = touch(present);
    info.attributes = merged;
    if let Some(name) = name {
        info.name = name;
    }
    if let Some(metadata) = metadata {
        info.metadata = metadata;
    }
    if let Some(permission) = permission {
        info.permission = permission;
    }
    Ok(())
}

fn merged(
    known: &BTreeMap<String, String>,
    change: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut merged = known.clone();
    for (key, value) in change {
        match value.is_empty() {
            true => merged.remove(&key),
            false => merged.insert(key, value),
        };
    }
    merged
}
