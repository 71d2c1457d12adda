//! Somebody in a room, by however many connections: one identity is one participant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Permission, Track};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum ParticipantState {
    #[default]
    Joining,
    Joined,
    Active,
    Disconnected,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ParticipantKind {
    #[default]
    Standard,
    Ingress,
    Egress,
    Sip,
    Agent,
    Connector,
    Bridge,
}

impl ParticipantKind {
    /// As tokens name it.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "standard" | "" => Some(Self::Standard),
            "ingress" => Some(Self::Ingress),
            "egress" => Some(Self::Egress),
            "sip" => Some(Self::Sip),
            "agent" => Some(Self::Agent),
            "connector" => Some(Self::Connector),
            "bridge" => Some(Self::Bridge),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Ingress => "ingress",
            Self::Egress => "egress",
            Self::Sip => "sip",
            Self::Agent => "agent",
            Self::Connector => "connector",
            Self::Bridge => "bridge",
        }
    }

    /// Whether it counts to a room's limit and keeps it open: those that serve others do not.
    pub fn is_person(self) -> bool {
        matches!(self, Self::Standard | Self::Ingress | Self::Sip | Self::Connector | Self::Bridge)
    }
}

/// More about what somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KindDetail {
    CloudAgent,
    /// Shown by ForwardParticipant, or so says the token.
    Forwarded,
    ConnectorWhatsapp,
    ConnectorTwilio,
    BridgeRtsp,
    Simulation,
}

impl KindDetail {
    /// As tokens name it.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "cloud_agent" => Some(Self::CloudAgent),
            "forwarded" => Some(Self::Forwarded),
            "connector_whatsapp" => Some(Self::ConnectorWhatsapp),
            "connector_twilio" => Some(Self::ConnectorTwilio),
            "bridge_rtsp" => Some(Self::BridgeRtsp),
            "simulation" => Some(Self::Simulation),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::CloudAgent => "cloud_agent",
            Self::Forwarded => "forwarded",
            Self::ConnectorWhatsapp => "connector_whatsapp",
            Self::ConnectorTwilio => "connector_twilio",
            Self::BridgeRtsp => "bridge_rtsp",
            Self::Simulation => "simulation",
        }
    }
}

/// Why somebody has left, by the numbers of `livekit.DisconnectReason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LeaveReason {
    #[default]
    Unknown,
    ClientInitiated,
    DuplicateIdentity,
    ServerShutdown,
    ParticipantRemoved,
    RoomDeleted,
    StateMismatch,
    JoinFailure,
    Migration,
    SignalClose,
    RoomClosed,
    ConnectionTimeout,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    pub sid: Arc<str>,
    pub identity: Arc<str>,
    pub name: String,
    pub metadata: String,
    pub attributes: BTreeMap<String, String>,
    pub permission: Permission,
    pub kind: ParticipantKind,
    pub kind_details: BTreeSet<KindDetail>,
    pub state: ParticipantState,
    /// Grows with every change.
    pub version: u32,
    pub joined_at_ms: i64,
    pub tracks: Vec<Track>,
    /// Only in the last news of somebody.
    pub left: Option<LeaveReason>,
    /// Shown here by ForwardParticipant.
    pub is_forwarded: bool,
    /// What its client says of itself: the version of features, and numbers of
    /// `livekit.ClientInfo.Capability`.
    pub client_protocol: i32,
    pub capabilities: Vec<i32>,
}

impl Participant {
    /// Whether the others know of it.
    pub fn is_visible(&self) -> bool {
        !self.permission.hidden
    }

    pub fn is_publisher(&self) -> bool {
        !self.tracks.is_empty()
    }
}

/// What changes about a participant, all at once. What is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParticipantChange {
    pub name: Option<String>,
    pub metadata: Option<String>,
    /// An empty text takes one away.
    pub attributes: BTreeMap<String, String>,
    pub permission: Option<Permission>,
}
