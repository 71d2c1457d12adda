//! A token that was signed with an API key and secret of LiveKit's form, after it was checked.

use std::collections::BTreeMap;

use super::{LiveSettings, ParticipantKind, VideoGrant};

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
    pub grant: VideoGrant,
    /// How the room is to be if the holder is the first to enter it.
    pub room: LiveSettings,
    /// From when on it is valid, for revocation.
    pub not_before_s: Option<i64>,
    pub expires_at_s: i64,
}
