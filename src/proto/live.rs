//! LiveKit's messages about rooms, participants and tracks, and the values behind them.

mod participant;
mod room;
mod track;

pub use participant::{change_of, left_of, participant, permission_of};
pub use room::{codecs, room, settings_of};
pub use track::{track, track_of};
