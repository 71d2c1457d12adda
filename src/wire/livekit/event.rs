//! The body of a webhook: LiveKit's event as proto JSON, lowerCamelCase and without zero values.

use bytes::Bytes;

use crate::proto::live::{participant, room, track};
use crate::proto::livekit;
use crate::room::live::message::{LiveEvent, LiveNews};
use crate::wire::json::{Profile, WriteJson as _, Writer};

/// About what one event takes.
const BODY_BYTES: usize = 2 << 10;

pub fn event_body(news: &LiveNews, id: &str, now_ms: i64) -> Bytes {
    let whole = room(&news.room);
    let is_of_track = matches!(news.event, LiveEvent::TrackPublished | LiveEvent::TrackUnpublished);
    let who = news.participant.as_deref().map(participant);
    let event = livekit::WebhookEvent {
        event: news.event.name().to_owned(),
        // Of a track it is said where and whose it is, and no more.
        room: Some(match is_of_track {
            true => livekit::Room { sid: whole.sid, name: whole.name, ..Default::default() },
            false => whole,
        }),
        participant: who.map(|who| match is_of_track {
            true => livekit::ParticipantInfo {
                sid: who.sid,
                identity: who.identity,
                ..Default::default()
            },
            false => who,
        }),
        track: news.track.as_deref().map(track),
        id: id.to_owned(),
        created_at: now_ms / 1_000,
        num_dropped: 0,
    };
    let mut writer = Writer::new(Profile::Canonical, BODY_BYTES);
    event.write_json(&mut writer);
    writer.finish()
}
