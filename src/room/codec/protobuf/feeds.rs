//! What happened to feeds, as responses. Requests about feeds go to FeedService.

use crate::domain::feed::{FeedEvent, FeedMessage};
use crate::domain::ids::FeedId;
use crate::proto::roomd::v1;
use crate::proto::roomd::v1::feed_event::Event;

pub fn write(event: &FeedEvent) -> v1::FeedEvent {
    let event = match event {
        FeedEvent::Added(feed) => Event::Added(feed.into()),
        FeedEvent::Updated(feed) => Event::Updated(feed.into()),
        FeedEvent::Deleted(feed) => Event::Deleted(feed.to_string()),
        FeedEvent::MessageAdded(feed, message) => Event::MessageAdded(changed(feed, message)),
        FeedEvent::MessageUpdated(feed, message) => Event::MessageUpdated(changed(feed, message)),
        FeedEvent::MessageDeleted(feed, id) => Event::MessageDeleted(v1::FeedMessageDeleted {
            feed_id: feed.to_string(),
            message_id: id.to_string(),
        }),
    };
    v1::FeedEvent { event: Some(event) }
}

fn changed(feed: &FeedId, message: &FeedMessage) -> v1::FeedMessageEvent {
    v1::FeedMessageEvent { feed_id: feed.to_string(), message: Some(message.into()) }
}
