//! What a client asks for.

use crate::domain::live::{SidKind, new_sid};
use crate::error::Error;
use crate::proto::live::{change_of, track_of};
use crate::proto::livekit::signal_request::Message;
use crate::room::live::message::LiveRequest;

/// Tracks in one request; more are passed over.
const TRACK_SIDS_MAX: usize = 1_000;
/// Features of one sound.
const FEATURES_MAX: usize = 8;

/// Nothing for what is not the room's business: finding a way to the peer, and what media would
/// need.
pub fn read_signal(message: Message, now_ms: i64) -> Result<Option<LiveRequest>, Error> {
    Ok(Some(match message {
        Message::AddTrack(request) => {
            let track = track_of(request, String::new(), now_ms);
            let sid = new_sid(SidKind::Track(track.kind, track.source))?;
            LiveRequest::AddTrack(Box::new(crate::domain::live::Track { sid, ..track }))
        }
        Message::Mute(request) => LiveRequest::MuteTrack { sid: request.sid, muted: request.muted },
        Message::Subscription(request) => {
            let of_people =
                request.participant_tracks.into_iter().flat_map(|found| found.track_sids);
            let track_sids = request.track_sids.into_iter().chain(of_people);
            let track_sids = track_sids.take(TRACK_SIDS_MAX).collect();
            LiveRequest::Subscribe { track_sids, is_on: request.subscribe }
        }
        Message::UpdateMetadata(request) => LiveRequest::ChangeSelf {
            request_id: request.request_id,
            change: change_of(request.name, request.metadata, request.attributes),
        },
        Message::UpdateAudioTrack(request) => LiveRequest::ChangeTrack {
            sid: request.track_sid,
            size: None,
            audio_features: Some(request.features.into_iter().take(FEATURES_MAX).collect()),
        },
        Message::UpdateVideoTrack(request) => LiveRequest::ChangeTrack {
            sid: request.track_sid,
            size: Some((request.width, request.height)),
            audio_features: None,
        },
        _ => return Ok(None),
    }))
}
