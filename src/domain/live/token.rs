//! A token that was signed with an API key and secret of LiveKit's form, after it was checked.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    KindDetail, LiveSettings, Participant, ParticipantKind, VideoGrant, check_metadata,
    check_person, check_preset,
};
use crate::error::Error;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveToken {
    /// The API key that signed it.
    pub api_key: String,
    /// Empty in tokens of back ends.
    pub identity: String,
    pub name: String,
    pub metadata: String,
    pub attributes: BTreeMap<String, String>,
    pub kind: ParticipantKind,
    pub kind_details: BTreeSet<KindDetail>,
    pub grant: VideoGrant,
    /// How the room is to be if the holder is the first to enter it.
    pub room: LiveSettings,
    /// The same, by a name under which the server keeps it, which ours does of none.
    pub room_preset: String,
    /// From when on it is valid, for revocation.
    pub not_before_s: Option<i64>,
    pub expires_at_s: i64,
}

impl LiveToken {
    /// Whether what it says of its holder can be kept.
    pub fn check_holder(&self) -> Result<(), Error> {
        check_person(&self.name, &self.metadata, &self.attributes)
    }

    /// Whether a room can be brought to life as its holder wants it.
    pub fn check_room(&self) -> Result<(), Error> {
        check_preset(&self.room_preset)?;
        check_metadata(&self.room.metadata)
    }

    /// A back end sends its holder to a room, whatever one they would have made.
    pub fn move_to(&mut self, room: &str) {
        room.clone_into(&mut self.grant.room);
        self.room_preset.clear();
    }

    /// What a token would say of its holder now, after others or they themselves changed it.
    pub fn renew(&mut self, info: &Participant) {
        let permission = &info.permission;
        self.name.clone_from(&info.name);
        self.metadata.clone_from(&info.metadata);
        self.attributes.clone_from(&info.attributes);
        let grant = &mut self.grant;
        grant.can_publish = Some(permission.can_publish);
        grant.can_subscribe = Some(permission.can_subscribe);
        grant.can_publish_data = Some(permission.can_publish_data);
        grant.can_publish_sources.clone_from(&permission.can_publish_sources);
        grant.can_update_own_metadata = Some(permission.can_update_metadata);
        grant.hidden = permission.hidden;
        grant.recorder = permission.recorder;
    }

    /// The same for somebody of whom nothing is said that may be long.
    #[must_use]
    pub fn without_texts(&self) -> Self {
        Self { metadata: String::new(), attributes: BTreeMap::new(), ..self.clone() }
    }
}
