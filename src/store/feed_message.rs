//! Messages in feeds. They hang on the feed's content, a key of its own, so that a feed with many
//! messages is deleted in one step.

use futures_util::TryStreamExt as _;
use sqlx::FromRow;

use super::Store;
use super::db::{Tx, on_db, on_tx};
use super::fault::{Fault, corrupt, on};
use super::feed::{Gathered, one_more};
use super::room_cache::Touched;
use super::room_data::DataKey;
use crate::domain::feed::{FeedData, FeedMessage, FeedMessageCursor, FeedMessageQuery, FeedPage};
use crate::domain::ids::{FeedId, FeedMessageId};
use crate::error::Error;

const SELECT_CONTENT: &str =
    "SELECT content FROM feed WHERE project_id = $1 AND key = $2 AND id = $3";
/// Locks the feed, so that messages are numbered in the order in which they are committed, and none
/// is added to a feed that is gone.
const TAKE_SEQ: &str = "UPDATE feed SET next_seq = next_seq + 1 \
    WHERE project_id = $1 AND key = $2 AND id = $3 RETURNING content, next_seq - 1";
const INSERT_MESSAGE: &str = "INSERT INTO feed_message \
    (project_id, key, id, seq, created_at_ms, updated_at_ms, data) \
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (project_id, key, id) DO NOTHING";
const LIST_MESSAGES: &str = "SELECT id, seq, created_at_ms, updated_at_ms, data \
    FROM feed_message WHERE project_id = $1 AND key = $2 \
    AND (created_at_ms, seq) < ($3, $4) AND created_at_ms > $5 \
    ORDER BY created_at_ms DESC, seq DESC LIMIT $6";
const UPDATE_MESSAGE: &str = "UPDATE feed_message SET data = $4, updated_at_ms = $5 \
    WHERE project_id = $1 AND key = $2 AND id = $3 RETURNING created_at_ms";
const DELETE_MESSAGE: &str =
    "DELETE FROM feed_message WHERE project_id = $1 AND key = $2 AND id = $3";

/// What became of a change of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedMessageOutcome<T> {
    NoFeed,
    NoMessage,
    /// The feed has a message with this id.
    Exists,
    Done(T),
}

use FeedMessageOutcome as Outcome;

#[derive(FromRow)]
struct MessageRow {
    id: String,
    seq: i64,
    created_at_ms: i64,
    updated_at_ms: i64,
    data: String,
}

impl MessageRow {
    fn into_message(self) -> Result<FeedMessage, Error> {
        let data =
            FeedData::stored(self.data).map_err(|error| corrupt("feed_message", "data", error))?;
        Ok(FeedMessage {
            id: FeedMessageId::trusted(self.id),
            data,
            created_at_ms: self.created_at_ms,
            updated_at_ms: self.updated_at_ms,
        })
    }
}

impl Store {
    pub async fn insert_feed_message(
        &self,
        key: &DataKey,
        feed: &FeedId,
        message: &FeedMessage,
    ) -> Result<Outcome<()>, Error> {
        let args = (key.clone(), feed.clone(), message.clone());
        self.transact(
            "insert_feed_message",
            Touched::nothing(),
            args,
            |tx, (key, feed, message)| Box::pin(insert(tx, key, feed, message)),
        )
        .await
    }

    /// Newest first, and of one moment, the last that was added; `None` if there is no such feed.
    pub async fn list_feed_messages(
        &self,
        key: &DataKey,
        feed: &FeedId,
        query: &FeedMessageQuery,
    ) -> Result<Option<FeedPage<FeedMessage>>, Error> {
        let content: Option<(String,)> = self
            .read("feed", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(SELECT_CONTENT)
                    .bind(key.project.as_str())
                    .bind(&*key.key)
                    .bind(feed.as_str())
                    .fetch_optional(c)
                    .await)
            })
            .await?;
        let Some((content,)) = content else { return Ok(None) };
        let (ms, seq) =
            query.after.map_or((i64::MAX, i64::MAX), |after| (after.created_at_ms, after.seq));
        let gathered = self
            .read("feed_message", async {
                on_db!(&self.inner.db, |c| {
                    let select = sqlx::query_as(LIST_MESSAGES)
                        .bind(key.project.as_str())
                        .bind(content.as_str())
                        .bind(ms)
                        .bind(seq)
                        .bind(query.since_ms)
                        .bind(one_more(query.limit));
                    let (mut rows, mut page) = (select.fetch(c), Gathered::new(query.limit));
                    while let Some(row) = rows.try_next().await? {
                        let row: MessageRow = row;
                        let bytes = row.id.len() + row.data.len();
                        if !page.take(row, bytes) {
                            break;
                        }
                    }
                    Ok(page)
                })
            })
            .await?;
        let last = gathered.rows.last().filter(|_| gathered.more);
        let next_cursor = last.map(|last| {
            FeedMessageCursor { created_at_ms: last.created_at_ms, seq: last.seq }.to_text()
        });
        let entries: Result<Vec<FeedMessage>, Error> =
            gathered.rows.into_iter().map(MessageRow::into_message).collect();
        Ok(Some(FeedPage { entries: entries?, next_cursor }))
    }

    pub async fn update_feed_message(
        &self,
        key: &DataKey,
        feed: &FeedId,
        id: &FeedMessageId,
        data: &FeedData,
        updated_at_ms: i64,
    ) -> Result<Outcome<FeedMessage>, Error> {
        let args = (key.clone(), feed.clone(), id.clone(), data.clone(), updated_at_ms);
        self.transact("update_feed_message", Touched::nothing(), args, |tx, args| {
            Box::pin(async move {
                let (key, feed, id, data, updated_at_ms) = args;
                let Some(content) = content(tx, key, feed).await? else {
                    return Ok(Outcome::NoFeed);
                };
                let created: Option<(i64,)> = on_tx!(tx.write(), |c| {
                    sqlx::query_as(UPDATE_MESSAGE)
                        .bind(key.project.as_str())
                        .bind(content.as_str())
                        .bind(id.as_str())
                        .bind(data.as_str())
                        .bind(*updated_at_ms)
                        .fetch_optional(c)
                        .await
                })
                .map_err(on("feed_message"))?;
                let Some((created_at_ms,)) = created else { return Ok(Outcome::NoMessage) };
                let (id, data, updated_at_ms) = (id.clone(), data.clone(), *updated_at_ms);
                Ok(Outcome::Done(FeedMessage { id, data, created_at_ms, updated_at_ms }))
            })
        })
        .await
    }

    pub async fn delete_feed_message(
        &self,
        key: &DataKey,
        feed: &FeedId,
        id: &FeedMessageId,
    ) -> Result<Outcome<()>, Error> {
        let args = (key.clone(), feed.clone(), id.clone());
        self.transact("delete_feed_message", Touched::nothing(), args, |tx, (key, feed, id)| {
            Box::pin(async move {
                let Some(content) = content(tx, key, feed).await? else {
                    return Ok(Outcome::NoFeed);
                };
                let deleted = on_tx!(tx.write(), |c| sqlx::query(DELETE_MESSAGE)
                    .bind(key.project.as_str())
                    .bind(content.as_str())
                    .bind(id.as_str())
                    .execute(c)
                    .await
                    .map(|done| done.rows_affected()))
                .map_err(on("feed_message"))?;
                Ok(if deleted > 0 { Outcome::Done(()) } else { Outcome::NoMessage })
            })
        })
        .await
    }
}

async fn content(tx: &mut Tx, key: &DataKey, feed: &FeedId) -> Result<Option<String>, Fault> {
    let row: Option<(String,)> = on_tx!(tx.read(), |c| sqlx::query_as(SELECT_CONTENT)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(feed.as_str())
        .fetch_optional(c)
        .await)
    .map_err(on("feed"))?;
    Ok(row.map(|(content,)| content))
}

async fn insert(
    tx: &mut Tx,
    key: &DataKey,
    feed: &FeedId,
    message: &FeedMessage,
) -> Result<Outcome<()>, Fault> {
    let taken: Option<(String, i64)> = on_tx!(tx.write(), |c| sqlx::query_as(TAKE_SEQ)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(feed.as_str())
        .fetch_optional(c)
        .await)
    .map_err(on("feed"))?;
    let Some((content, seq)) = taken else { return Ok(Outcome::NoFeed) };
    let inserted = on_tx!(tx.write(), |c| sqlx::query(INSERT_MESSAGE)
        .bind(key.project.as_str())
        .bind(content.as_str())
        .bind(message.id.as_str())
        .bind(seq)
        .bind(message.created_at_ms)
        .bind(message.updated_at_ms)
        .bind(message.data.as_str())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(on("feed_message"))?;
    Ok(if inserted > 0 { Outcome::Done(()) } else { Outcome::Exists })
}
