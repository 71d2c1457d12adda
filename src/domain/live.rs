//! Rooms while people are in them, as LiveKit sees them: a session of a room, its participants, what
//! they publish, and what a token of LiveKit's lets somebody do.

mod data;
mod grant;
mod identifier;
mod key;
mod limits;
mod participant;
mod permission;
mod session;
mod token;
mod track;

pub use data::{DataKind, DataOrigin, LiveData, NONCE_BYTES};
pub use grant::{LiveGrant, LiveNeed, VideoGrant, permissions_denied};
pub use identifier::{SidKind, new_sid, random_sid_text};
pub use key::{LiveKeyPair, LiveSecret, SECRET_BYTES_ADVISED};
pub use limits::{
    ATTRIBUTES_BYTES_MAX, DATA_BYTES_MAX, DESTINATIONS_MAX, IDENTITY_BYTES_MAX, MESSAGE_BYTES_MAX,
    METADATA_BYTES_MAX, NAME_BYTES_MAX, NAMED_PACKET_BYTES_MAX, PACKET_BYTES_MAX, TOPIC_BYTES_MAX,
    check_attributes, check_identity, check_listed, check_metadata, check_name, check_person,
    check_room_name,
};
pub use participant::{
    KindDetail, LeaveReason, Participant, ParticipantChange, ParticipantKind, ParticipantState,
};
pub use permission::Permission;
pub use session::{LiveRoom, LiveSettings, LiveSummary, check_preset};
pub use token::LiveToken;
pub use track::{Layer, Track, TrackCodec, TrackKind, TrackSource};
