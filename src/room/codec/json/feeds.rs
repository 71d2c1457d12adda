//! Messages about feeds, in both directions. A request that is wrong gets an answer, as long as it
//! says under which id.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::kind;
use super::write::{Object, write_text};
use crate::domain::feed::{
    Feed, FeedChange, FeedData, FeedEvent, FeedMessage, FeedMessageQuery, FeedMetadata, FeedQuery,
    merge_metadata, read_time_ms,
};
use crate::domain::ids::{FeedId, FeedMessageId};
use crate::error::Error;
use crate::room::feeds::{FeedAsk, FeedFailure, FeedReply, FeedRequest};

const REQUEST_ID_BYTES_MAX: usize = 128;

/// The fields that these messages have.
#[derive(Debug, Default)]
pub struct Parts<'a> {
    pub request_id: Option<&'a RawValue>,
    pub feed_id: Option<&'a RawValue>,
    pub message_id: Option<&'a RawValue>,
    pub id: Option<&'a RawValue>,
    pub data: Option<&'a RawValue>,
    pub metadata: Option<&'a RawValue>,
    pub cursor: Option<&'a RawValue>,
    pub since: Option<&'a RawValue>,
    pub limit: Option<&'a RawValue>,
    pub created_at: Option<&'a RawValue>,
    pub updated_at: Option<&'a RawValue>,
}

pub fn read(kind: i64, parts: &Parts<'_>) -> Result<FeedRequest, &'static str> {
    const PROBLEM: &str = "a requestId must be a short text";
    let id = read_optional::<String>("requestId", parts.request_id).map_err(|_| PROBLEM)?;
    let id = id.filter(|id| id.len() <= REQUEST_ID_BYTES_MAX).ok_or(PROBLEM)?;
    let held = [parts.data, parts.metadata];
    let bytes = id.len() + held.iter().flatten().map(|raw| raw.get().len()).sum::<usize>();
    Ok(FeedRequest { id: id.into(), ask: parts.ask(kind), bytes })
}

impl Parts<'_> {
    fn ask(&self, kind: i64) -> Result<FeedAsk, Error> {
        Ok(match kind {
            kind::FETCH_FEEDS => FeedAsk::List(self.query()?),
            kind::FETCH_FEED_MESSAGES => FeedAsk::ListMessages(self.feed()?, self.messages()?),
            kind::ADD_FEED => {
                let mut metadata = FeedMetadata::new();
                merge_metadata(&mut metadata, self.metadata()?)?;
                let created_at_ms = read_time("createdAt", self.created_at)?;
                let feed = self.feed()?;
                FeedAsk::Change(FeedChange::Add { feed, metadata, created_at_ms })
            }
            kind::UPDATE_FEED => {
                let (feed, metadata) = (self.feed()?, self.metadata()?);
                FeedAsk::Change(FeedChange::Update { feed, metadata })
            }
            kind::DELETE_FEED => FeedAsk::Change(FeedChange::Delete { feed: self.feed()? }),
            kind::ADD_FEED_MESSAGE => {
                let id: Option<String> = read_optional("id", self.id)?;
                let id = id.map(|id| FeedMessageId::parse("id", &id)).transpose()?;
                let created_at_ms = read_time("createdAt", self.created_at)?;
                let (feed, data) = (self.feed()?, self.data()?);
                FeedAsk::Change(FeedChange::AddMessage { feed, id, data, created_at_ms })
            }
            kind::UPDATE_FEED_MESSAGE => {
                let updated_at_ms = read_time("updatedAt", self.updated_at)?;
                let (feed, id, data) = (self.feed()?, self.message()?, self.data()?);
                FeedAsk::Change(FeedChange::UpdateMessage { feed, id, data, updated_at_ms })
            }
            _ => {
                let (feed, id) = (self.feed()?, self.message()?);
                FeedAsk::Change(FeedChange::DeleteMessage { feed, id })
            }
        })
    }

    fn query(&self) -> Result<FeedQuery, Error> {
        let cursor: Option<String> = read_optional("cursor", self.cursor)?;
        let (since, limit) = self.window()?;
        let metadata: Option<BTreeMap<String, String>> = read_optional("metadata", self.metadata)?;
        FeedQuery::read(&cursor.unwrap_or_default(), since, limit, metadata.unwrap_or_default())
    }

    fn messages(&self) -> Result<FeedMessageQuery, Error> {
        let cursor: Option<String> = read_optional("cursor", self.cursor)?;
        let (since, limit) = self.window()?;
        FeedMessageQuery::read(&cursor.unwrap_or_default(), since, limit)
    }

    fn window(&self) -> Result<(Option<f64>, Option<i64>), Error> {
        Ok((read_optional("since", self.since)?, read_optional("limit", self.limit)?))
    }

    fn feed(&self) -> Result<FeedId, Error> {
        FeedId::parse("feedId", &read_required::<String>("feedId", self.feed_id)?)
    }

    fn message(&self) -> Result<FeedMessageId, Error> {
        FeedMessageId::parse("messageId", &read_required::<String>("messageId", self.message_id)?)
    }

    fn metadata(&self) -> Result<FeedMetadata, Error> {
        Ok(read_optional("metadata", self.metadata)?.unwrap_or_default())
    }

    fn data(&self) -> Result<FeedData, Error> {
        FeedData::parse(self.data.ok_or_else(|| Error::missing("data"))?.get())
    }
}

fn read_optional<T: DeserializeOwned>(
    field: &str,
    raw: Option<&RawValue>,
) -> Result<Option<T>, Error> {
    let Some(raw) = raw else { return Ok(None) };
    let read = serde_json::from_str(raw.get());
    read.map_err(|_| Error::invalid(field, "is not of the type that it should be"))
}

fn read_required<T: DeserializeOwned>(field: &str, raw: Option<&RawValue>) -> Result<T, Error> {
    read_optional(field, raw)?.ok_or_else(|| Error::missing(field))
}

fn read_time(field: &str, raw: Option<&RawValue>) -> Result<Option<i64>, Error> {
    read_optional(field, raw)?.map(|at| read_time_ms(field, at)).transpose()
}

pub fn write(out: &mut Vec<u8>, reply: &FeedReply) {
    match reply {
        FeedReply::Changed(event) => write_event(out, event),
        FeedReply::Listed { request, page } => {
            let mut object = Object::start(out, kind::FEEDS);
            object.text("requestId", request);
            object.list("feeds", &page.entries, write_feed);
            write_cursor(object, page.next_cursor.as_deref());
        }
        FeedReply::MessagesListed { request, feed, page } => {
            let mut object = Object::start(out, kind::FEED_MESSAGES);
            object.text("requestId", request);
            object.text("feedId", feed.as_str());
            object.list("messages", &page.entries, write_message);
            write_cursor(object, page.next_cursor.as_deref());
        }
        FeedReply::Failed { request, failure, reason } => {
            let mut object = Object::start(out, kind::FEED_FAILED);
            object.text("requestId", request);
            object.text("code", code(*failure));
            object.text("reason", reason);
            object.end();
        }
    }
}

fn write_cursor(mut object: Object<'_>, next_cursor: Option<&str>) {
    if let Some(cursor) = next_cursor {
        object.text("nextCursor", cursor);
    }
    object.end();
}

fn code(failure: FeedFailure) -> &'static str {
    match failure {
        FeedFailure::Internal => "INTERNAL",
        FeedFailure::AlreadyExists => "FEED_ALREADY_EXISTS",
        FeedFailure::FeedNotFound => "FEED_NOT_FOUND",
        FeedFailure::MessageNotFound => "FEED_MESSAGE_NOT_FOUND",
    }
}

fn write_event(out: &mut Vec<u8>, event: &FeedEvent) {
    match event {
        FeedEvent::Added(feed) => write_feeds(out, kind::FEEDS_ADDED, feed),
        FeedEvent::Updated(feed) => write_feeds(out, kind::FEEDS_UPDATED, feed),
        FeedEvent::Deleted(feed) => {
            let mut object = Object::start(out, kind::FEED_DELETED);
            object.text("feedId", feed.as_str());
            object.end();
        }
        FeedEvent::MessageAdded(feed, message) => {
            write_messages(out, kind::FEED_MESSAGES_ADDED, feed, message);
        }
        FeedEvent::MessageUpdated(feed, message) => {
            write_messages(out, kind::FEED_MESSAGES_UPDATED, feed, message);
        }
        FeedEvent::MessageDeleted(feed, id) => {
            let mut object = Object::start(out, kind::FEED_MESSAGES_DELETED);
            object.text("feedId", feed.as_str());
            object.list("messageIds", &[id.as_str()], |out, id| write_text(out, id));
            object.end();
        }
    }
}

fn write_feeds(out: &mut Vec<u8>, kind: i64, feed: &Feed) {
    let mut object = Object::start(out, kind);
    object.list("feeds", std::slice::from_ref(feed), write_feed);
    object.end();
}

fn write_messages(out: &mut Vec<u8>, kind: i64, feed: &FeedId, message: &FeedMessage) {
    let mut object = Object::start(out, kind);
    object.text("feedId", feed.as_str());
    object.list("messages", std::slice::from_ref(message), write_message);
    object.end();
}

fn write_feed(out: &mut Vec<u8>, feed: &Feed) {
    let mut object = Object::plain(out);
    object.text("feedId", feed.id.as_str());
    object.raw("metadata", b"");
    // Writing into memory does not fail.
    let _ = serde_json::to_writer(&mut *object.out, &feed.metadata);
    object.number("createdAt", feed.created_at_ms);
    object.number("updatedAt", feed.updated_at_ms);
    object.end();
}

fn write_message(out: &mut Vec<u8>, message: &FeedMessage) {
    let mut object = Object::plain(out);
    object.text("id", message.id.as_str());
    object.number("createdAt", message.created_at_ms);
    object.number("updatedAt", message.updated_at_ms);
    object.raw("data", message.data.as_str().as_bytes());
    object.end();
}

#[cfg(test)]
mod tests;
