//! What a connection is told.

use super::packet::write_packet;
use crate::domain::live::{LeaveReason, Participant};
use crate::proto::live::{codecs, left_of, participant, room, track};
use crate::proto::livekit;
use crate::proto::livekit::leave_request::Action;
use crate::proto::livekit::signal_response::Message;
use crate::room::close::CloseReason;
use crate::room::live::message::{LiveMessage, LiveWelcome, Outcome};

/// The release of LiveKit's server whose signalling this is; clients refuse a server without one.
const VERSION: &str = "1.13.5";
/// Of signalling.
const PROTOCOL: i32 = 17;
const PING_INTERVAL_S: i32 = 5;
const PING_TIMEOUT_S: i32 = 15;

/// What is said, and by which way.
#[derive(Debug)]
pub enum Told {
    Signal(Box<Message>),
    Data(Box<livekit::DataPacket>),
    /// Not for the peer itself.
    Nothing,
}

pub fn write(message: &LiveMessage) -> Told {
    let said = match message {
        LiveMessage::Joined(welcome) => Message::Join(join(welcome)),
        LiveMessage::Participants(people) => Message::Update(livekit::ParticipantUpdate {
            participants: people.iter().map(|info| participant(info)).collect(),
        }),
        LiveMessage::Room(summary) => {
            Message::RoomUpdate(livekit::RoomUpdate { room: Some(room(summary)) })
        }
        LiveMessage::TrackPublished { cid, track: published } => {
            let (cid, track) = (cid.clone(), Some(track(published)));
            Message::TrackPublished(livekit::TrackPublishedResponse { cid, track })
        }
        LiveMessage::TrackUnpublished { sid } => {
            Message::TrackUnpublished(livekit::TrackUnpublishedResponse { track_sid: sid.clone() })
        }
        LiveMessage::TrackMuted { sid, muted } => {
            Message::Mute(livekit::MuteTrackRequest { sid: sid.clone(), muted: *muted })
        }
        LiveMessage::Subscription { publisher_sid, track_sid, is_on } => {
            Message::SubscriptionPermissionUpdate(livekit::SubscriptionPermissionUpdate {
                participant_sid: publisher_sid.to_string(),
                track_sid: track_sid.clone(),
                allowed: *is_on,
            })
        }
        LiveMessage::TrackSubscribed { sid } => {
            Message::TrackSubscribed(livekit::TrackSubscribed { track_sid: sid.clone() })
        }
        LiveMessage::Done { request_id, outcome, message } => {
            Message::RequestResponse(livekit::RequestResponse {
                request_id: *request_id,
                reason: reason_number(*outcome),
                message: message.clone(),
                request: None,
            })
        }
        LiveMessage::Packet(packet) => return Told::Data(Box::new(write_packet(packet))),
        LiveMessage::ClaimsChanged(_) | LiveMessage::Move { .. } => return Told::Nothing,
    };
    Told::Signal(Box::new(said))
}

fn join(welcome: &LiveWelcome) -> livekit::JoinResponse {
    livekit::JoinResponse {
        room: Some(room(&welcome.room)),
        participant: Some(participant(&welcome.me)),
        other_participants: people(&welcome.others),
        server_version: VERSION.to_owned(),
        ping_timeout: PING_TIMEOUT_S,
        ping_interval: PING_INTERVAL_S,
        server_info: Some(livekit::ServerInfo {
            version: VERSION.to_owned(),
            protocol: PROTOCOL,
            ..livekit::ServerInfo::default()
        }),
        enabled_publish_codecs: codecs(),
        ..livekit::JoinResponse::default()
    }
}

fn people(others: &[std::sync::Arc<Participant>]) -> Vec<livekit::ParticipantInfo> {
    others.iter().map(|info| participant(info)).collect()
}

fn reason_number(outcome: Outcome) -> i32 {
    use livekit::request_response::Reason as R;
    let reason = match outcome {
        Outcome::Ok => R::Ok,
        Outcome::NotAllowed => R::NotAllowed,
        Outcome::LimitExceeded => R::LimitExceeded,
    };
    reason.into()
}

/// Why somebody has left whom this keeps from going on, in LiveKit's words.
pub fn left(reason: &CloseReason) -> LeaveReason {
    match reason {
        CloseReason::Removed | CloseReason::NotAllowed => LeaveReason::ParticipantRemoved,
        CloseReason::DuplicateIdentity => LeaveReason::DuplicateIdentity,
        CloseReason::LiveRoomDeleted | CloseReason::RoomDeleted => LeaveReason::RoomDeleted,
        CloseReason::LiveRoomEnded => LeaveReason::RoomClosed,
        CloseReason::RoomFull | CloseReason::NotUnderstood(_) => LeaveReason::JoinFailure,
        CloseReason::ShuttingDown => LeaveReason::ServerShutdown,
        CloseReason::RoomRenamed { .. } => LeaveReason::Migration,
        CloseReason::TokenExpired
        | CloseReason::StorageReset
        | CloseReason::Unavailable
        | CloseReason::Overloaded
        | CloseReason::TooSlow
        | CloseReason::TooManyMessages => LeaveReason::StateMismatch,
    }
}

/// The last message of a session.
pub fn leave(left: LeaveReason) -> livekit::LeaveRequest {
    let action = match left {
        LeaveReason::ServerShutdown
        | LeaveReason::StateMismatch
        | LeaveReason::SignalClose
        | LeaveReason::ConnectionTimeout => Action::Reconnect,
        LeaveReason::Unknown
        | LeaveReason::ClientInitiated
        | LeaveReason::DuplicateIdentity
        | LeaveReason::ParticipantRemoved
        | LeaveReason::RoomDeleted
        | LeaveReason::JoinFailure
        | LeaveReason::Migration
        | LeaveReason::RoomClosed => Action::Disconnect,
    };
    livekit::LeaveRequest {
        can_reconnect: action == Action::Reconnect,
        reason: left_of(left),
        action: action.into(),
        regions: None,
    }
}
