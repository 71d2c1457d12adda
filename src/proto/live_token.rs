//! What is asked of a token of LiveKit's, checked.

use std::collections::BTreeMap;

use super::roomd::v1;
use crate::domain::ids::check_text;
use crate::domain::live::{
    IDENTITY_BYTES_MAX, LiveToken, NAME_BYTES_MAX, TrackSource, VideoGrant, check_attributes,
    check_metadata, check_name,
};
use crate::error::Error;

const TTL_S_DEFAULT: u32 = 6 * 60 * 60;
const TTL_S_MAX: u32 = 30 * 24 * 60 * 60;

/// The token, but for the key that is to sign it.
pub fn live_token(request: v1::CreateLiveKitTokenRequest, now_ms: i64) -> Result<LiveToken, Error> {
    check_bytes("identity", &request.identity, IDENTITY_BYTES_MAX)?;
    check_name(&request.name)?;
    check_metadata(&request.metadata)?;
    let attributes: BTreeMap<_, _> = request.attributes.into_iter().collect();
    check_attributes(&attributes)?;
    let grant = grant(request.grant.unwrap_or_default())?;
    if grant.room_join && request.identity.is_empty() {
        return Err(Error::invalid("identity", "must not be empty in a token that joins a room"));
    }
    let now_s = now_ms.div_euclid(1_000);
    Ok(LiveToken {
        identity: request.identity,
        name: request.name,
        metadata: request.metadata,
        attributes,
        grant,
        not_before_s: Some(now_s),
        expires_at_s: now_s.saturating_add(ttl_s(request.ttl_seconds)?.into()),
        ..LiveToken::default()
    })
}

fn ttl_s(asked: u32) -> Result<u32, Error> {
    match asked {
        0 => Ok(TTL_S_DEFAULT),
        1..=TTL_S_MAX => Ok(asked),
        _ => {
            let problem = format!("must be at most {TTL_S_MAX} seconds, got {asked}");
            Err(Error::invalid("ttlSeconds", problem))
        }
    }
}

fn grant(asked: v1::LiveKitGrant) -> Result<VideoGrant, Error> {
    check_bytes("grant.room", &asked.room, NAME_BYTES_MAX)?;
    check_bytes("grant.destinationRoom", &asked.destination_room, NAME_BYTES_MAX)?;
    let sources = asked.can_publish_sources.iter().map(|name| {
        TrackSource::parse(name).ok_or_else(|| {
            let problem = format!(
                "must be camera, microphone, screen_share or screen_share_audio, got '{name}'"
            );
            Error::invalid("grant.canPublishSources", problem)
        })
    });
    Ok(VideoGrant {
        room_create: asked.room_create,
        room_list: asked.room_list,
        room_admin: asked.room_admin,
        room_join: asked.room_join,
        can_publish: asked.can_publish,
        can_subscribe: asked.can_subscribe,
        can_publish_data: asked.can_publish_data,
        can_publish_sources: TrackSource::distinct(sources.collect::<Result<Vec<_>, _>>()?),
        can_update_own_metadata: asked.can_update_own_metadata,
        hidden: asked.hidden,
        room: asked.room,
        destination_room: asked.destination_room,
        ..VideoGrant::default()
    })
}

fn check_bytes(field: &str, text: &str, bytes_max: usize) -> Result<(), Error> {
    if text.len() > bytes_max {
        let problem = format!("must be at most {bytes_max} bytes, got {}", text.len());
        return Err(Error::invalid(field, problem));
    }
    check_text(field, text)
}
