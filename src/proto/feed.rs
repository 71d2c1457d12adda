//! Feeds between messages and domain values.

use super::roomd::v1;
use super::value;
use crate::domain::feed::{Feed, FeedData, FeedMessage, FeedMetadata};
use crate::error::Error;

impl From<&Feed> for v1::Feed {
    fn from(feed: &Feed) -> Self {
        Self {
            feed_id: feed.id.to_string(),
            metadata: Some(value::from_object(feed.metadata.clone())),
            created_at: time(feed.created_at_ms),
            updated_at: time(feed.updated_at_ms),
        }
    }
}

impl From<&FeedMessage> for v1::FeedMessage {
    fn from(message: &FeedMessage) -> Self {
        // It was an object when it was stored.
        let data = serde_json::from_str(message.data.as_str()).unwrap_or_default();
        Self {
            id: message.id.to_string(),
            created_at: time(message.created_at_ms),
            updated_at: time(message.updated_at_ms),
            data: Some(value::from_object(data)),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "times are within JavaScript's exact numbers")]
fn time(ms: i64) -> f64 {
    ms as f64
}

pub fn metadata(given: Option<prost_types::Struct>) -> FeedMetadata {
    given.map(value::to_object).unwrap_or_default()
}

pub fn data(given: Option<prost_types::Struct>) -> Result<FeedData, Error> {
    FeedData::from_object(&value::to_object(given.unwrap_or_default()))
}
