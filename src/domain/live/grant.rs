//! What a token of LiveKit's lets somebody do, and the proof that a call may be made.

use super::{Permission, TrackSource};
use crate::domain::ids::ProjectId;
use crate::error::{Code, Error};

/// The `video` claim. What is absent in a token may have another default than false.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VideoGrant {
    pub room_create: bool,
    pub room_list: bool,
    pub room_record: bool,
    pub room_admin: bool,
    pub room_join: bool,
    /// The one room that `room_admin` and `room_join` are for.
    pub room: String,
    pub can_publish: Option<bool>,
    pub can_subscribe: Option<bool>,
    pub can_publish_data: Option<bool>,
    pub can_publish_sources: Vec<TrackSource>,
    pub can_update_own_metadata: Option<bool>,
    pub ingress_admin: bool,
    pub hidden: bool,
    pub recorder: bool,
    pub agent: bool,
    pub can_subscribe_metrics: Option<bool>,
    pub can_manage_agent_session: Option<bool>,
    pub destination_room: String,
}

impl VideoGrant {
    /// What whoever joins with it may do in the room.
    pub fn permission(&self) -> Permission {
        let can_publish = self.can_publish.unwrap_or(true);
        Permission {
            can_subscribe: self.can_subscribe.unwrap_or(true),
            can_publish,
            can_publish_data: self.can_publish_data.unwrap_or(can_publish),
            can_publish_sources: self.can_publish_sources.clone(),
            hidden: self.hidden,
            recorder: self.recorder,
            can_update_metadata: self.can_update_own_metadata.unwrap_or(false),
            agent: self.agent,
            can_subscribe_metrics: self.can_subscribe_metrics.unwrap_or(false),
            can_manage_agent_session: self.can_manage_agent_session.unwrap_or(false),
        }
    }
}

/// What a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiveNeed<'a> {
    Create,
    List,
    /// The room, byte for byte as the request names it.
    Admin(&'a str),
    /// The room, and the one to which somebody is moved or forwarded.
    AdminBetween(&'a str, &'a str),
}

impl LiveNeed<'_> {
    pub fn is_met_by(self, grant: &VideoGrant) -> bool {
        let admin = |room: &str| grant.room_admin && grant.room == room;
        match self {
            Self::Create => grant.room_create,
            Self::List => grant.room_list,
            Self::Admin(room) => admin(room),
            Self::AdminBetween(room, to) => admin(room) && grant.destination_room == to,
        }
    }
}

/// Proof that the caller may do what a call needs.
#[derive(Debug, Clone)]
pub struct LiveGrant {
    project: ProjectId,
}

impl LiveGrant {
    /// Only `domain::ctx` makes one for a caller.
    pub(in crate::domain) fn new(project: ProjectId) -> Self {
        Self { project }
    }

    pub fn project(&self) -> &ProjectId {
        &self.project
    }
}

/// LiveKit's one answer to whoever may not: missing, other and insufficient grants are not told
/// apart.
pub fn permissions_denied() -> Error {
    Error::new(Code::Unauthenticated, "PERMISSIONS_DENIED", "permissions denied")
}
