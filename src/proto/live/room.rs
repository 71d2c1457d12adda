//! Rooms that are alive.

use crate::domain::live::{LiveSettings, LiveSummary};
use crate::proto::livekit;

/// What clients may publish, as LiveKit's server says by default.
const CODECS: [&str; 10] = [
    "audio/PCMU",
    "audio/PCMA",
    "audio/opus",
    "audio/red",
    "video/VP8",
    "video/H264",
    "video/VP9",
    "video/AV1",
    "video/H265",
    "video/rtx",
];

/// With what is counted in it.
pub fn room(summary: &LiveSummary) -> livekit::Room {
    let room = &summary.room;
    livekit::Room {
        sid: room.sid.to_string(),
        name: room.room_id.to_string(),
        empty_timeout: room.empty_timeout_s,
        departure_timeout: room.departure_timeout_s,
        max_participants: room.max_participants,
        creation_time: room.created_at_ms / 1_000,
        creation_time_ms: room.created_at_ms,
        turn_password: String::new(),
        enabled_codecs: codecs(),
        metadata: room.metadata.to_string(),
        num_participants: summary.participants,
        num_publishers: summary.publishers,
        active_recording: summary.is_recording,
        version: None,
    }
}

pub fn codecs() -> Vec<livekit::Codec> {
    let codec = |mime: &str| livekit::Codec { mime: mime.to_owned(), fmtp_line: String::new() };
    CODECS.into_iter().map(codec).collect()
}

pub fn settings_of(request: &livekit::CreateRoomRequest) -> LiveSettings {
    LiveSettings {
        empty_timeout_s: request.empty_timeout,
        departure_timeout_s: request.departure_timeout,
        max_participants: request.max_participants,
        metadata: request.metadata.clone(),
    }
}
