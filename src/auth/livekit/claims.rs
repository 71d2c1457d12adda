//! What stands in a token of LiveKit's, read as leniently as there: unknown claims and kinds are
//! nothing, and null is absent.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::jwt::Parsed;
use super::{LIVE_TOKEN_LEEWAY_S, refusal};
use crate::domain::live::{
    KindDetail, LiveSettings, LiveToken, ParticipantKind, TrackSource, VideoGrant,
};
use crate::error::Error;

/// Between which seconds it is valid.
#[derive(Clone, Copy)]
pub struct Times {
    expires_at_s: Option<i64>,
    pub not_before_s: Option<i64>,
}

impl Times {
    pub fn read(claims: &Map<String, Value>) -> Result<Self, Error> {
        Ok(Self { expires_at_s: second(claims, "exp")?, not_before_s: second(claims, "nbf")? })
    }

    /// When it expires, if it is valid now.
    pub fn check(self, now_ms: i64) -> Result<i64, Error> {
        let Some(expires_at_s) = self.expires_at_s else {
            let problem = "token is missing required claim: exp claim is required";
            return Err(refusal::refused(format!("token has invalid claims: {problem}")));
        };
        let end_ms = expires_at_s.saturating_add(LIVE_TOKEN_LEEWAY_S).saturating_mul(1_000);
        let begin_s = self.not_before_s.unwrap_or(i64::MIN).saturating_sub(LIVE_TOKEN_LEEWAY_S);
        let is_early = now_ms < begin_s.saturating_mul(1_000);
        let since_s = now_ms.div_euclid(1_000).saturating_sub(expires_at_s);
        let expired_since_s = (now_ms >= end_ms).then_some(since_s);
        match expired_since_s.is_some() || is_early {
            true => Err(refusal::out_of_time(expired_since_s, is_early)),
            false => Ok(expires_at_s),
        }
    }
}

/// Seconds since the epoch, maybe with a fraction, which does not count.
fn second(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, Error> {
    let number = match claims.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number,
        Some(_) => return Err(refusal::invalid_token().because(format!("{name} is no number"))),
    };
    #[expect(clippy::cast_possible_truncation, reason = "what is out of range is never or always")]
    let rounded = number.as_f64().unwrap_or_default().floor() as i64;
    Ok(Some(number.as_i64().unwrap_or(rounded)))
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct ClaimsIn {
    name: Option<String>,
    kind: Option<String>,
    kind_details: Option<Vec<String>>,
    video: Option<VideoIn>,
    metadata: Option<String>,
    attributes: Option<BTreeMap<String, String>>,
    room_config: Option<Map<String, Value>>,
    room_preset: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct VideoIn {
    room_create: Option<bool>,
    room_list: Option<bool>,
    room_record: Option<bool>,
    room_admin: Option<bool>,
    room_join: Option<bool>,
    room: Option<String>,
    can_publish: Option<bool>,
    can_subscribe: Option<bool>,
    can_publish_data: Option<bool>,
    can_publish_sources: Option<Vec<String>>,
    can_update_own_metadata: Option<bool>,
    ingress_admin: Option<bool>,
    hidden: Option<bool>,
    recorder: Option<bool>,
    agent: Option<bool>,
    can_subscribe_metrics: Option<bool>,
    can_manage_agent_session: Option<bool>,
    destination_room: Option<String>,
}

impl From<VideoIn> for VideoGrant {
    fn from(video: VideoIn) -> Self {
        let is = |flag: Option<bool>| flag.unwrap_or(false);
        let source = |name: &String| TrackSource::parse(&name.to_ascii_lowercase());
        let sources = video.can_publish_sources.unwrap_or_default();
        Self {
            room_create: is(video.room_create),
            room_list: is(video.room_list),
            room_record: is(video.room_record),
            room_admin: is(video.room_admin),
            room_join: is(video.room_join),
            room: video.room.unwrap_or_default(),
            can_publish: video.can_publish,
            can_subscribe: video.can_subscribe,
            can_publish_data: video.can_publish_data,
            // A source that nobody knows is none; dropping it could leave a list that allows all.
            can_publish_sources: TrackSource::distinct(
                sources.iter().map(|name| source(name).unwrap_or_default()),
            ),
            can_update_own_metadata: video.can_update_own_metadata,
            ingress_admin: is(video.ingress_admin),
            hidden: is(video.hidden),
            recorder: is(video.recorder),
            agent: is(video.agent),
            can_subscribe_metrics: video.can_subscribe_metrics,
            can_manage_agent_session: video.can_manage_agent_session,
            destination_room: video.destination_room.unwrap_or_default(),
        }
    }
}

/// Everything else that the token says, once it is known to be true.
pub fn read(
    parsed: Parsed<'_>,
    not_before_s: Option<i64>,
    expires_at_s: i64,
) -> Result<LiveToken, Error> {
    let identity = match parsed.text("sub") {
        "" => parsed.text("jti"),
        subject => subject,
    };
    let (api_key, identity) = (parsed.text("iss").to_owned(), identity.to_owned());
    let claims: ClaimsIn =
        serde_json::from_value(Value::Object(parsed.claims)).map_err(malformed)?;
    let kind = claims.kind.unwrap_or_default().to_ascii_lowercase();
    let details = claims.kind_details.unwrap_or_default();
    let detail = |name: String| KindDetail::parse(&name.to_ascii_lowercase());
    Ok(LiveToken {
        api_key,
        identity,
        name: claims.name.unwrap_or_default(),
        metadata: claims.metadata.unwrap_or_default(),
        attributes: claims.attributes.unwrap_or_default(),
        kind: ParticipantKind::parse(&kind).unwrap_or_default(),
        kind_details: details.into_iter().filter_map(detail).collect(),
        grant: claims.video.unwrap_or_default().into(),
        room: settings(&claims.room_config.unwrap_or_default())?,
        room_preset: claims.room_preset.unwrap_or_default(),
        not_before_s,
        expires_at_s,
    })
}

fn malformed(cause: impl std::fmt::Display) -> Error {
    refusal::refused(format!("token is malformed: could not JSON decode claim: {cause}"))
}

/// A `RoomConfiguration` as proto JSON: by either spelling of a name, numbers as text too. Agents to
/// dispatch and recordings say nothing to a server that has neither.
fn settings(config: &Map<String, Value>) -> Result<LiveSettings, Error> {
    let metadata = match config.get("metadata") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(_) => return Err(malformed("roomConfig.metadata is no text")),
    };
    Ok(LiveSettings {
        empty_timeout_s: number(config, ["emptyTimeout", "empty_timeout"])?,
        departure_timeout_s: number(config, ["departureTimeout", "departure_timeout"])?,
        max_participants: number(config, ["maxParticipants", "max_participants"])?,
        metadata,
    })
}

fn number(config: &Map<String, Value>, names: [&str; 2]) -> Result<u32, Error> {
    let [name, _] = names;
    let Some(value) = names.into_iter().find_map(|name| config.get(name)) else { return Ok(0) };
    let number = match value {
        Value::Null => return Ok(0),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let is_fit =
        |number: &f64| number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(number);
    let Some(number) = number.filter(is_fit) else {
        return Err(malformed(format!("roomConfig.{name} is no 32-bit number")));
    };
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
    #[expect(clippy::cast_sign_loss, reason = "the range is checked first")]
    Ok(number as u32)
}
