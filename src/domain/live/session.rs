//! A room's session: from when it comes to life until it ends. The room's record and documents are
//! older and stay.

use std::sync::Arc;

use crate::domain::ids::RoomId;
use crate::error::{Code, Error};

pub const EMPTY_TIMEOUT_S_DEFAULT: u32 = 300;
pub const DEPARTURE_TIMEOUT_S_DEFAULT: u32 = 20;
const UNKNOWN_PRESET: &str = "unknown room configuration in create room request";

/// What whoever brings a room to life may say about it. 0 is the default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveSettings {
    pub empty_timeout_s: u32,
    pub departure_timeout_s: u32,
    /// 0 for no limit.
    pub max_participants: u32,
    pub metadata: String,
}

/// Settings that the server would keep under a name: LiveKit's does as it is configured, ours keeps
/// none.
pub fn check_preset(name: &str) -> Result<(), Error> {
    match name {
        "" => Ok(()),
        _ => Err(Error::new(Code::InvalidArgument, "UNKNOWN_ROOM_PRESET", UNKNOWN_PRESET)),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveRoom {
    pub sid: Arc<str>,
    pub room_id: RoomId,
    /// How long it lives if nobody comes.
    pub empty_timeout_s: u32,
    /// How long it lives after the last one left.
    pub departure_timeout_s: u32,
    /// 0 for no limit.
    pub max_participants: u32,
    pub metadata: Arc<str>,
    pub created_at_ms: i64,
}

impl LiveRoom {
    pub fn new(sid: String, room_id: RoomId, settings: &LiveSettings, now_ms: i64) -> Self {
        let or = |given: u32, default: u32| if given == 0 { default } else { given };
        Self {
            sid: sid.into(),
            room_id,
            empty_timeout_s: or(settings.empty_timeout_s, EMPTY_TIMEOUT_S_DEFAULT),
            departure_timeout_s: or(settings.departure_timeout_s, DEPARTURE_TIMEOUT_S_DEFAULT),
            max_participants: settings.max_participants,
            metadata: settings.metadata.as_str().into(),
            created_at_ms: now_ms,
        }
    }

    /// When it ends if nobody ever comes.
    pub fn empty_until_ms(&self) -> i64 {
        self.created_at_ms.saturating_add(i64::from(self.empty_timeout_s).saturating_mul(1_000))
    }

    /// When it ends after the last one has left.
    pub fn departed_until_ms(&self, left_at_ms: i64) -> i64 {
        left_at_ms.saturating_add(i64::from(self.departure_timeout_s).saturating_mul(1_000))
    }
}

/// A session with what is counted in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSummary {
    pub room: Arc<LiveRoom>,
    /// Those who are not hidden.
    pub participants: u32,
    pub publishers: u32,
    pub is_recording: bool,
}

impl LiveSummary {
    /// Of a room in which nobody is.
    pub fn empty(room: Arc<LiveRoom>) -> Self {
        Self { room, participants: 0, publishers: 0, is_recording: false }
    }

    /// Whether as many are in it as may be.
    pub fn is_full(&self) -> bool {
        let max = self.room.max_participants;
        max > 0 && self.participants >= max
    }
}
