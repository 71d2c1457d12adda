//! From what a token is to say to its text. What is empty or unset is left out, as in LiveKit's
//! SDKs.

use serde_json::{Map, Value, json};

use super::jwt;
use crate::domain::live::{
    KindDetail, LiveSecret, LiveSettings, LiveToken, ParticipantKind, TrackSource, VideoGrant,
};
use crate::error::Error;

pub fn sign(token: &LiveToken, secret: &LiveSecret, now_ms: i64) -> Result<String, Error> {
    let not_before_s = token.not_before_s.unwrap_or(now_ms.div_euclid(1_000));
    let mut claims = Claims::default();
    claims.text("iss", &token.api_key);
    claims.text("sub", &token.identity);
    claims.put("nbf", json!(not_before_s));
    claims.put("exp", json!(token.expires_at_s));
    claims.text("name", &token.name);
    if token.kind != ParticipantKind::Standard {
        claims.text("kind", token.kind.name());
    }
    if !token.kind_details.is_empty() {
        let details = token.kind_details.iter().copied().map(KindDetail::name);
        claims.put("kindDetails", details.collect());
    }
    claims.put("video", Value::Object(video(&token.grant)));
    claims.text("metadata", &token.metadata);
    if !token.attributes.is_empty() {
        claims.put("attributes", json!(token.attributes));
    }
    if token.room != LiveSettings::default() {
        claims.put("roomConfig", Value::Object(room_config(&token.room)));
    }
    claims.text("roomPreset", &token.room_preset);
    jwt::sign(&claims.0, secret)
}

/// An object that leaves out what says nothing.
#[derive(Default)]
struct Claims(Map<String, Value>);

impl Claims {
    fn put(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.put(name, text.into());
        }
    }

    fn flag(&mut self, name: &str, is_set: bool) {
        self.choice(name, is_set.then_some(true));
    }

    /// Unset is not false here.
    fn choice(&mut self, name: &str, choice: Option<bool>) {
        if let Some(choice) = choice {
            self.put(name, choice.into());
        }
    }

    fn number(&mut self, name: &str, number: u32) {
        if number > 0 {
            self.put(name, number.into());
        }
    }
}

fn video(grant: &VideoGrant) -> Map<String, Value> {
    let mut video = Claims::default();
    video.flag("roomCreate", grant.room_create);
    video.flag("roomList", grant.room_list);
    video.flag("roomRecord", grant.room_record);
    video.flag("roomAdmin", grant.room_admin);
    video.flag("roomJoin", grant.room_join);
    video.text("room", &grant.room);
    video.choice("canPublish", grant.can_publish);
    video.choice("canSubscribe", grant.can_subscribe);
    video.choice("canPublishData", grant.can_publish_data);
    if !grant.can_publish_sources.is_empty() {
        let sources = grant.can_publish_sources.iter().copied().map(TrackSource::name);
        video.put("canPublishSources", sources.collect());
    }
    video.choice("canUpdateOwnMetadata", grant.can_update_own_metadata);
    video.flag("ingressAdmin", grant.ingress_admin);
    video.flag("hidden", grant.hidden);
    video.flag("recorder", grant.recorder);
    video.flag("agent", grant.agent);
    video.choice("canSubscribeMetrics", grant.can_subscribe_metrics);
    video.choice("canManageAgentSession", grant.can_manage_agent_session);
    video.text("destinationRoom", &grant.destination_room);
    video.0
}

fn room_config(room: &LiveSettings) -> Map<String, Value> {
    let mut config = Claims::default();
    config.number("emptyTimeout", room.empty_timeout_s);
    config.number("departureTimeout", room.departure_timeout_s);
    config.number("maxParticipants", room.max_participants);
    config.text("metadata", &room.metadata);
    config.0
}
