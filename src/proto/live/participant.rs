//! Participants.

use std::collections::{BTreeMap, BTreeSet};

use super::track::{source_number, source_of, track};
use crate::domain::live::{
    KindDetail, LeaveReason, Participant, ParticipantChange, ParticipantKind, ParticipantState,
    Permission, TrackSource,
};
use crate::proto::livekit;
use crate::proto::livekit::participant_info::{self, Kind, State};

pub fn participant(info: &Participant) -> livekit::ParticipantInfo {
    livekit::ParticipantInfo {
        sid: info.sid.to_string(),
        identity: info.identity.to_string(),
        state: state_number(info.state),
        tracks: info.tracks.iter().map(track).collect(),
        metadata: info.metadata.clone(),
        joined_at: info.joined_at_ms / 1_000,
        joined_at_ms: info.joined_at_ms,
        name: info.name.clone(),
        version: info.version,
        permission: Some(permission(&info.permission)),
        region: String::new(),
        is_publisher: info.is_publisher(),
        kind: kind_number(info.kind),
        attributes: info.attributes.clone(),
        disconnect_reason: info.left.map_or(0, left_of),
        kind_details: kind_details(info),
        data_tracks: Vec::new(),
        client_protocol: info.client_protocol,
        capabilities: info.capabilities.clone(),
    }
}

fn permission(permission: &Permission) -> livekit::ParticipantPermission {
    let sources = permission.can_publish_sources.iter();
    livekit::ParticipantPermission {
        can_subscribe: permission.can_subscribe,
        can_publish: permission.can_publish,
        can_publish_data: permission.can_publish_data,
        can_publish_sources: sources.map(|source| source_number(*source)).collect(),
        hidden: permission.hidden,
        recorder: permission.recorder,
        can_update_metadata: permission.can_update_metadata,
        agent: permission.agent,
        can_subscribe_metrics: permission.can_subscribe_metrics,
        can_manage_agent_session: permission.can_manage_agent_session,
    }
}

pub fn permission_of(message: &livekit::ParticipantPermission) -> Permission {
    let sources = message.can_publish_sources.iter().map(|number| source_of(*number));
    Permission {
        can_subscribe: message.can_subscribe,
        can_publish: message.can_publish,
        can_publish_data: message.can_publish_data,
        can_publish_sources: TrackSource::distinct(sources),
        hidden: message.hidden,
        recorder: message.recorder,
        can_update_metadata: message.can_update_metadata,
        agent: message.agent,
        can_subscribe_metrics: message.can_subscribe_metrics,
        can_manage_agent_session: message.can_manage_agent_session,
    }
}

/// An empty name or metadata means that it stays.
pub fn change_of(
    name: String,
    metadata: String,
    attributes: BTreeMap<String, String>,
) -> ParticipantChange {
    let unless_empty = |text: String| (!text.is_empty()).then_some(text);
    let (name, metadata) = (unless_empty(name), unless_empty(metadata));
    ParticipantChange { name, metadata, attributes, permission: None }
}

fn state_number(state: ParticipantState) -> i32 {
    let state = match state {
        ParticipantState::Joining => State::Joining,
        ParticipantState::Joined => State::Joined,
        ParticipantState::Active => State::Active,
        ParticipantState::Disconnected => State::Disconnected,
    };
    state.into()
}

fn kind_number(kind: ParticipantKind) -> i32 {
    let kind = match kind {
        ParticipantKind::Standard => Kind::Standard,
        ParticipantKind::Ingress => Kind::Ingress,
        ParticipantKind::Egress => Kind::Egress,
        ParticipantKind::Sip => Kind::Sip,
        ParticipantKind::Agent => Kind::Agent,
        ParticipantKind::Connector => Kind::Connector,
        ParticipantKind::Bridge => Kind::Bridge,
    };
    kind.into()
}

/// In the order of their numbers.
fn kind_details(info: &Participant) -> Vec<i32> {
    let shown = info.is_forwarded.then_some(KindDetail::Forwarded);
    let details: BTreeSet<KindDetail> = info.kind_details.iter().copied().chain(shown).collect();
    details.into_iter().map(detail_number).collect()
}

fn detail_number(detail: KindDetail) -> i32 {
    use participant_info::KindDetail as D;
    let detail = match detail {
        KindDetail::CloudAgent => D::CloudAgent,
        KindDetail::Forwarded => D::Forwarded,
        KindDetail::ConnectorWhatsapp => D::ConnectorWhatsapp,
        KindDetail::ConnectorTwilio => D::ConnectorTwilio,
        KindDetail::BridgeRtsp => D::BridgeRtsp,
        KindDetail::Simulation => D::Simulation,
    };
    detail.into()
}

/// The number of why somebody has left.
pub fn left_of(reason: LeaveReason) -> i32 {
    use livekit::DisconnectReason as D;
    let reason = match reason {
        LeaveReason::Unknown => D::UnknownReason,
        LeaveReason::ClientInitiated => D::ClientInitiated,
        LeaveReason::DuplicateIdentity => D::DuplicateIdentity,
        LeaveReason::ServerShutdown => D::ServerShutdown,
        LeaveReason::ParticipantRemoved => D::ParticipantRemoved,
        LeaveReason::RoomDeleted => D::RoomDeleted,
        LeaveReason::StateMismatch => D::StateMismatch,
        LeaveReason::JoinFailure => D::JoinFailure,
        LeaveReason::Migration => D::Migration,
        LeaveReason::SignalClose => D::SignalClose,
        LeaveReason::RoomClosed => D::RoomClosed,
        LeaveReason::ConnectionTimeout => D::ConnectionTimeout,
    };
    reason.into()
}
