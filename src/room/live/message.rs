//! What is said about a session, in no protocol.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::domain::live::{
    DataKind, LiveData, LiveSummary, Participant, ParticipantChange, Track, TrackCodec,
};
use crate::domain::memo::Memo;

/// Everybody in a session, until something changes.
#[derive(Debug, Default)]
pub struct Listing {
    pub people: Vec<Arc<Participant>>,
    /// The same, as outer layers write it.
    pub memo: Memo,
}

/// What somebody is told who comes in.
#[derive(Debug, Clone)]
pub struct LiveWelcome {
    pub room: LiveSummary,
    pub me: Arc<Participant>,
    pub others: Vec<Arc<Participant>>,
}

/// What a connection is told.
#[derive(Debug, Clone)]
pub enum LiveMessage {
    /// First.
    Joined(Box<LiveWelcome>),
    /// Those who came, changed or left.
    Participants(Vec<Arc<Participant>>),
    Room(LiveSummary),
    /// A track of one's own.
    TrackPublished {
        cid: String,
        track: Box<Track>,
    },
    TrackUnpublished {
        sid: String,
    },
    TrackMuted {
        sid: String,
        muted: bool,
    },
    /// A back end turned the receiver's subscription on or off.
    Subscription {
        publisher_sid: Arc<str>,
        track_sid: String,
        is_on: bool,
    },
    /// Somebody subscribed to a track of one's own.
    TrackSubscribed {
        sid: String,
    },
    /// What is known of the receiver changed, so its token should.
    ClaimsChanged(Arc<Participant>),
    /// What became of a request.
    Done {
        request_id: u32,
        outcome: Outcome,
        message: String,
    },
    Packet(Arc<LivePacket>),
    /// The receiver is to go on in another room. Whoever carries it out holds `done` meanwhile.
    Move {
        to: Arc<str>,
        done: MoveDone,
    },
}

impl LiveMessage {
    /// Whether everybody gets the same, by signalling.
    pub fn is_for_many(&self) -> bool {
        matches!(self, Self::Participants(_) | Self::Room(_))
    }

    /// About what it holds in memory while it waits for a peer to read it.
    pub fn cost_bytes(&self) -> usize {
        let people = |people: &[Arc<Participant>]| -> usize {
            people.iter().map(|info| person_bytes(info)).sum()
        };
        match self {
            Self::Joined(welcome) => welcome.room.room.metadata.len() + people(&welcome.others),
            Self::Participants(changed) => people(changed),
            Self::Room(summary) => summary.room.metadata.len(),
            Self::ClaimsChanged(info) => person_bytes(info),
            Self::Packet(packet) => packet.value.cost_bytes(),
            Self::TrackPublished { .. }
            | Self::TrackUnpublished { .. }
            | Self::TrackMuted { .. }
            | Self::Subscription { .. }
            | Self::TrackSubscribed { .. }
            | Self::Done { .. }
            | Self::Move { .. } => PERSON_BYTES,
        }
    }
}

/// What a participant takes besides texts and tracks, about, and many a message.
const PERSON_BYTES: usize = 512;
/// The same of a track, of a codec and of an attribute.
const TRACK_BYTES: usize = 512;
const CODEC_BYTES: usize = 128;
const ATTRIBUTE_BYTES: usize = 64;

/// Each change of somebody makes another copy, and a peer that does not read holds them all.
fn person_bytes(info: &Participant) -> usize {
    let attributes = info.attributes.iter();
    let attributes = attributes.map(|(key, value)| ATTRIBUTE_BYTES + key.len() + value.len());
    let tracks: usize = info.tracks.iter().map(track_bytes).sum();
    PERSON_BYTES + info.metadata.len() + attributes.sum::<usize>() + tracks
}

fn track_bytes(track: &Track) -> usize {
    let codec = |codec: &TrackCodec| CODEC_BYTES + codec.mime_type.len() + codec.cid.len();
    let texts = [&track.sid, &track.cid, &track.name, &track.stream, &track.mime_type];
    let texts: usize = texts.into_iter().map(String::len).sum();
    TRACK_BYTES + texts + track.codecs.iter().map(codec).sum::<usize>()
}

/// Held until a connection has been moved, or is gone: whoever waits sees the channel close.
#[derive(Debug, Clone)]
pub struct MoveDone(pub mpsc::Sender<()>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Ok,
    NotAllowed,
    LimitExceeded,
}

/// What travels between participants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivePacket {
    pub kind: DataKind,
    /// Identity and sid; absent for a back end.
    pub sender: Option<(Arc<str>, Arc<str>)>,
    /// As the sender named them, by identity or by sid; everybody if empty.
    pub destinations: Vec<Arc<str>>,
    pub value: PacketValue,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PacketValue {
    Data(LiveData),
    Call(RpcCall),
    Ack {
        id: Arc<str>,
    },
    Answer {
        id: Arc<str>,
        answer: Result<String, RpcFailure>,
    },
    /// Something that only clients understand, as it came.
    Opaque(Bytes),
}

impl PacketValue {
    pub fn cost_bytes(&self) -> usize {
        match self {
            Self::Data(data) => data.cost_bytes(),
            Self::Call(call) => call.payload.len() + call.method.len(),
            Self::Ack { .. } => 0,
            Self::Answer { answer: Ok(payload), .. } => payload.len(),
            Self::Answer { answer: Err(failure), .. } => failure.message.len() + failure.data.len(),
            Self::Opaque(bytes) => bytes.len(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcCall {
    pub id: Arc<str>,
    pub method: String,
    pub payload: String,
    pub response_timeout_ms: u32,
}

/// A number of LiveKit's or of the application, and texts for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcFailure {
    pub code: u32,
    pub message: String,
    pub data: String,
}

/// What a connection asks for.
#[derive(Debug)]
pub enum LiveRequest {
    /// It can be sent data.
    Activate,
    AddTrack(Box<Track>),
    MuteTrack {
        sid: String,
        muted: bool,
    },
    /// With the track's size, or features of its sound.
    ChangeTrack {
        sid: String,
        size: Option<(u32, u32)>,
        audio_features: Option<Vec<i32>>,
    },
    /// By the server's or the client's own ids.
    Unpublish {
        ids: Vec<String>,
    },
    Subscribe {
        track_sids: Vec<String>,
        is_on: bool,
    },
    ChangeSelf {
        request_id: u32,
        change: ParticipantChange,
    },
    Send(LivePacket),
}

impl LiveRequest {
    pub fn cost_bytes(&self) -> usize {
        const ITEM_BYTES: usize = 32;
        match self {
            Self::Activate | Self::MuteTrack { .. } | Self::ChangeTrack { .. } => 0,
            Self::AddTrack(track) => track_bytes(track),
            Self::Unpublish { ids: sids } | Self::Subscribe { track_sids: sids, .. } => {
                sids.iter().map(|sid| ITEM_BYTES + sid.len()).sum()
            }
            Self::ChangeSelf { change, .. } => {
                let attributes =
                    change.attributes.iter().map(|(key, value)| key.len() + value.len());
                attributes.sum::<usize>() + change.metadata.as_ref().map_or(0, String::len)
            }
            Self::Send(packet) => {
                packet.value.cost_bytes() + packet.destinations.len() * ITEM_BYTES
            }
        }
    }
}

/// What back ends are told by webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiveEvent {
    RoomStarted,
    RoomFinished,
    ParticipantJoined,
    ParticipantLeft,
    /// It was never active.
    ParticipantConnectionAborted,
    TrackPublished,
    TrackUnpublished,
}

impl LiveEvent {
    pub fn name(self) -> &'static str {
        match self {
            Self::RoomStarted => "room_started",
            Self::RoomFinished => "room_finished",
            Self::ParticipantJoined => "participant_joined",
            Self::ParticipantLeft => "participant_left",
            Self::ParticipantConnectionAborted => "participant_connection_aborted",
            Self::TrackPublished => "track_published",
            Self::TrackUnpublished => "track_unpublished",
        }
    }
}

/// An event with what it is about.
#[derive(Debug, Clone)]
pub struct LiveNews {
    pub event: LiveEvent,
    pub room: LiveSummary,
    pub participant: Option<Arc<Participant>>,
    pub track: Option<Box<Track>>,
}
