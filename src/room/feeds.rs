//! A room's feeds: what people ask about them, and what they are told.
//!
//! Feeds are no document of the state machine: they are rows, each request is a call of the
//! database. The actor makes one after another, so that everybody is told of the changes in the
//! order in which they were committed.

use std::sync::Arc;

use super::effects::{Effects, To};
use super::message::{ActorId, ServerMessage};
use crate::domain::feed::{
    Feed, FeedChange, FeedEvent, FeedMessage, FeedMessageQuery, FeedPage, FeedQuery,
    feed_message_not_found, feed_not_found, new_message_id,
};
use crate::domain::ids::{FeedId, FeedMessageId};
use crate::domain::permissions::{Level, Matrix, Resource};
use crate::error::{Code, Error};
use crate::store::{DataKey, FeedMessageOutcome, Store};

/// Something about feeds, as a client sent it.
#[derive(Debug)]
pub struct FeedRequest {
    /// What the answer names.
    pub id: Arc<str>,
    /// What is wanted, or what is wrong with the request.
    pub ask: Result<FeedAsk, Error>,
    /// About what it holds in memory.
    pub bytes: usize,
}

#[derive(Debug)]
pub enum FeedAsk {
    List(FeedQuery),
    ListMessages(FeedId, FeedMessageQuery),
    Change(FeedChange),
}

/// A request that its sender may make, on its way to the database.
#[derive(Debug)]
pub struct FeedTask {
    pub actor: ActorId,
    pub request: Arc<str>,
    pub ask: FeedAsk,
    pub bytes: usize,
}

/// What a client is told about feeds.
#[derive(Debug, Clone)]
pub enum FeedReply {
    /// To everybody who may read feeds, whoever made the change.
    Changed(Arc<FeedEvent>),
    Listed {
        request: Arc<str>,
        page: FeedPage<Feed>,
    },
    MessagesListed {
        request: Arc<str>,
        feed: FeedId,
        page: FeedPage<FeedMessage>,
    },
    Failed {
        request: Arc<str>,
        failure: FeedFailure,
        reason: Arc<str>,
    },
}

/// The kinds of failures that clients know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedFailure {
    Internal,
    AlreadyExists,
    FeedNotFound,
    MessageNotFound,
}

/// What came of a request.
#[derive(Debug)]
pub enum Answer {
    Feeds(FeedPage<Feed>),
    Messages(FeedId, FeedPage<FeedMessage>),
    Changed(FeedEvent),
}

impl FeedReply {
    pub fn failed(request: Arc<str>, error: &Error) -> Self {
        let failure = match error.reason() {
            "FEED_ALREADY_EXISTS" | "FEED_MESSAGE_ALREADY_EXISTS" => FeedFailure::AlreadyExists,
            "FEED_NOT_FOUND" => FeedFailure::FeedNotFound,
            "FEED_MESSAGE_NOT_FOUND" => FeedFailure::MessageNotFound,
            _ => FeedFailure::Internal,
        };
        Self::Failed { request, failure, reason: error.public().into() }
    }

    /// About what it holds in memory.
    pub fn cost_bytes(&self) -> usize {
        match self {
            Self::Changed(event) => match &**event {
                FeedEvent::Added(feed) | FeedEvent::Updated(feed) => feed.cost_bytes(),
                FeedEvent::MessageAdded(_, message) | FeedEvent::MessageUpdated(_, message) => {
                    message.cost_bytes()
                }
                FeedEvent::Deleted(_) | FeedEvent::MessageDeleted(_, _) => 0,
            },
            Self::Listed { page, .. } => page.entries.iter().map(Feed::cost_bytes).sum(),
            Self::MessagesListed { page, .. } => {
                page.entries.iter().map(FeedMessage::cost_bytes).sum()
            }
            Self::Failed { reason, .. } => reason.len(),
        }
    }
}

/// Lets a request through if its sender may make it; else the sender is told so at once.
pub fn take(sender: ActorId, rights: Matrix, request: FeedRequest, effects: &mut Effects) {
    let FeedRequest { id, ask, bytes } = request;
    let allowed = ask.and_then(|ask| {
        let level = match &ask {
            FeedAsk::List(_) | FeedAsk::ListMessages(..) => Level::Read,
            FeedAsk::Change(_) => Level::Write,
        };
        if rights.allows(level, Resource::Feeds) { Ok(ask) } else { Err(not_allowed(level)) }
    });
    match allowed {
        Ok(ask) => effects.feeds.push(FeedTask { actor: sender, request: id, ask, bytes }),
        Err(error) => {
            let reply = FeedReply::failed(id, &error);
            effects.send(To::One(sender), ServerMessage::Feed(reply));
        }
    }
}

fn not_allowed(level: Level) -> Error {
    let public = match level {
        Level::Write => "The user does not have write access to the feeds of this room.",
        _ => "The user does not have read access to the feeds of this room.",
    };
    Error::new(Code::PermissionDenied, "UNAUTHORIZED_ROOM_ACCESS", public)
}

/// Makes the call of the database that is asked for.
pub async fn run(store: Store, key: DataKey, ask: FeedAsk, now_ms: i64) -> Result<Answer, Error> {
    match ask {
        FeedAsk::List(query) => store.list_feeds(&key, &query).await.map(Answer::Feeds),
        FeedAsk::ListMessages(feed, query) => {
            let page = store.list_feed_messages(&key, &feed, &query).await?;
            page.map(|page| Answer::Messages(feed, page)).ok_or_else(feed_not_found)
        }
        FeedAsk::Change(change) => make(&store, &key, change, now_ms).await.map(Answer::Changed),
    }
}

async fn make(
    store: &Store,
    key: &DataKey,
    change: FeedChange,
    now_ms: i64,
) -> Result<FeedEvent, Error> {
    match change {
        FeedChange::Add { feed: id, metadata, created_at_ms } => {
            let created_at_ms = created_at_ms.unwrap_or(now_ms);
            let feed = Feed { id, metadata, created_at_ms, updated_at_ms: created_at_ms };
            match store.insert_feed(key, &feed).await? {
                true => Ok(FeedEvent::Added(feed)),
                false => Err(feed_exists(&feed.id)),
            }
        }
        FeedChange::Update { feed, metadata } => {
            let updated = store.update_feed(key, &feed, &metadata, now_ms).await?;
            updated.map(FeedEvent::Updated).ok_or_else(feed_not_found)
        }
        FeedChange::Delete { feed } => match store.delete_feed(key, &feed).await? {
            true => Ok(FeedEvent::Deleted(feed)),
            false => Err(feed_not_found()),
        },
        FeedChange::AddMessage { feed, id, data, created_at_ms } => {
            let id = id.map_or_else(new_message_id, Ok)?;
            let created_at_ms = created_at_ms.unwrap_or(now_ms);
            let message = FeedMessage { id, data, created_at_ms, updated_at_ms: created_at_ms };
            let inserted = store.insert_feed_message(key, &feed, &message).await?;
            done(inserted, &message.id)?;
            Ok(FeedEvent::MessageAdded(feed, message))
        }
        FeedChange::UpdateMessage { feed, id, data, updated_at_ms } => {
            let at_ms = updated_at_ms.unwrap_or(now_ms);
            let updated = store.update_feed_message(key, &feed, &id, &data, at_ms).await?;
            Ok(FeedEvent::MessageUpdated(feed, done(updated, &id)?))
        }
        FeedChange::DeleteMessage { feed, id } => {
            done(store.delete_feed_message(key, &feed, &id).await?, &id)?;
            Ok(FeedEvent::MessageDeleted(feed, id))
        }
    }
}

fn done<T>(outcome: FeedMessageOutcome<T>, id: &FeedMessageId) -> Result<T, Error> {
    match outcome {
        FeedMessageOutcome::Done(value) => Ok(value),
        FeedMessageOutcome::NoFeed => Err(feed_not_found()),
        FeedMessageOutcome::NoMessage => Err(feed_message_not_found()),
        FeedMessageOutcome::Exists => {
            let public = format!("Feed message {id} already exists");
            Err(Error::new(Code::AlreadyExists, "FEED_MESSAGE_ALREADY_EXISTS", public))
        }
    }
}

fn feed_exists(id: &FeedId) -> Error {
    let public = format!("Feed {id} already exists");
    Error::new(Code::AlreadyExists, "FEED_ALREADY_EXISTS", public)
}
