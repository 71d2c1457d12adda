//! Feeds of rooms: lists of messages, which are in `feed_message.rs`.

use std::fmt::Write as _;

use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, FromRow};

use super::Store;
use super::content::drop_content;
use super::db::{Tx, on_db, on_tx};
use super::fault::{Fault, corrupt, on};
use super::room_cache::Touched;
use super::room_data::{DataKey, lock_data, random_key};
use super::values::{runs, values};
use crate::domain::feed::{
    Feed, FeedCursor, FeedMetadata, FeedPage, FeedQuery, PAGE_BYTES_MAX, merge_metadata,
    searched_texts,
};
use crate::domain::ids::FeedId;
use crate::error::Error;

const INSERT_FEED: &str = "INSERT INTO feed \
    (project_id, key, id, content, metadata, created_at_ms, updated_at_ms, next_seq) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, 1) ON CONFLICT (project_id, key, id) DO NOTHING";
const SELECT_FEED: &str = "SELECT id, metadata, created_at_ms, updated_at_ms FROM feed \
    WHERE project_id = $1 AND key = $2 AND id = $3";
const SELECT_FEED_FOR_UPDATE: &str = "SELECT id, metadata, created_at_ms, updated_at_ms FROM feed \
    WHERE project_id = $1 AND key = $2 AND id = $3 FOR UPDATE";
const UPDATE_FEED: &str = "UPDATE feed SET metadata = $4, updated_at_ms = $5 \
    WHERE project_id = $1 AND key = $2 AND id = $3";
const DELETE_FEED: &str =
    "DELETE FROM feed WHERE project_id = $1 AND key = $2 AND id = $3 RETURNING content";
const INSERT_METADATA: &str =
    "INSERT INTO feed_metadata (project_id, key, name, value, created_at_ms, id) VALUES ";
const DELETE_METADATA: &str =
    "DELETE FROM feed_metadata WHERE project_id = $1 AND key = $2 AND id = $3";
const LIST_ALL: &str = "SELECT l.id, l.metadata, l.created_at_ms, l.updated_at_ms FROM feed l \
    WHERE l.project_id = $1 AND l.key = $2";
/// The first filter is walked, in the order of the list.
const LIST_FOUND: &str = "SELECT f.id, f.metadata, f.created_at_ms, f.updated_at_ms \
    FROM feed_metadata l JOIN feed f \
    ON f.project_id = l.project_id AND f.key = l.key AND f.id = l.id \
    WHERE l.project_id = $1 AND l.key = $2 AND l.name = $7 AND l.value = $8";
const LIST_PLACE: &str = " AND (l.created_at_ms, l.id) < ($3, $4) AND l.created_at_ms > $5 \
    ORDER BY l.created_at_ms DESC, l.id DESC LIMIT $6";

#[derive(FromRow)]
struct FeedRow {
    id: String,
    metadata: String,
    created_at_ms: i64,
    updated_at_ms: i64,
}

impl FeedRow {
    fn into_feed(self) -> Result<Feed, Error> {
        let metadata = serde_json::from_str(&self.metadata)
            .map_err(|error| corrupt("feed", "metadata", error))?;
        Ok(Feed {
            id: FeedId::trusted(self.id),
            metadata,
            created_at_ms: self.created_at_ms,
            updated_at_ms: self.updated_at_ms,
        })
    }
}

/// The rows of a page as they come, until it is full.
pub(super) struct Gathered<R> {
    pub rows: Vec<R>,
    pub more: bool,
    bytes: usize,
    limit: usize,
}

impl<R> Gathered<R> {
    pub fn new(limit: usize) -> Self {
        Self { rows: Vec::new(), more: false, bytes: 0, limit }
    }

    /// Whether it takes another.
    pub fn take(&mut self, row: R, bytes: usize) -> bool {
        self.bytes += bytes;
        let is_over = self.bytes > PAGE_BYTES_MAX && !self.rows.is_empty();
        self.more = is_over || self.rows.len() == self.limit;
        if !self.more {
            self.rows.push(row);
        }
        !self.more
    }
}

/// One more than is wanted tells whether there is a next page.
pub(super) fn one_more(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
}

impl Store {
    /// False if there is one with this id.
    pub async fn insert_feed(&self, key: &DataKey, feed: &Feed) -> Result<bool, Error> {
        let args = (key.clone(), feed.clone(), random_key()?);
        self.transact("insert_feed", Touched::nothing(), args, |tx, (key, feed, content)| {
            Box::pin(async move {
                lock_data(tx, key).await?;
                let inserted = on_tx!(tx.write(), |c| sqlx::query(INSERT_FEED)
                    .bind(key.project.as_str())
                    .bind(&*key.key)
                    .bind(feed.id.as_str())
                    .bind(content.as_str())
                    .bind(to_text(&feed.metadata)?)
                    .bind(feed.created_at_ms)
                    .bind(feed.updated_at_ms)
                    .execute(c)
                    .await
                    .map(|done| done.rows_affected()))
                .map_err(on("feed"))?;
                if inserted > 0 {
                    insert_metadata(tx, key, feed).await?;
                }
                Ok(inserted > 0)
            })
        })
        .await
    }

    pub async fn find_feed(&self, key: &DataKey, id: &FeedId) -> Result<Option<Feed>, Error> {
        let row: Option<FeedRow> = self.find_in_room("feed", SELECT_FEED, key, id.as_str()).await?;
        row.map(FeedRow::into_feed).transpose()
    }

    /// Newest first.
    pub async fn list_feeds(
        &self,
        key: &DataKey,
        query: &FeedQuery,
    ) -> Result<FeedPage<Feed>, Error> {
        let (ms, id) =
            query.after.as_ref().map_or((i64::MAX, ""), |at| (at.created_at_ms, at.id.as_str()));
        let gathered = self
            .read("feed", async {
                on_db!(&self.inner.db, |c| {
                    let mut select = sqlx::query_as(AssertSqlSafe(list_text(query)))
                        .bind(key.project.as_str())
                        .bind(&*key.key)
                        .bind(ms)
                        .bind(id)
                        .bind(query.since_ms)
                        .bind(one_more(query.limit));
                    for (name, value) in &query.metadata {
                        select = select.bind(name.as_str()).bind(value.as_str());
                    }
                    let (mut rows, mut page) = (select.fetch(c), Gathered::new(query.limit));
                    while let Some(row) = rows.try_next().await? {
                        let row: FeedRow = row;
                        let bytes = row.id.len() + row.metadata.len();
                        if !page.take(row, bytes) {
                            break;
                        }
                    }
                    Ok(page)
                })
            })
            .await?;
        let more = gathered.more;
        let entries: Result<Vec<Feed>, Error> =
            gathered.rows.into_iter().map(FeedRow::into_feed).collect();
        let entries = entries?;
        let last = entries.last().filter(|_| more);
        let next_cursor = last.map(|last| {
            FeedCursor { created_at_ms: last.created_at_ms, id: last.id.clone() }.to_text()
        });
        Ok(FeedPage { entries, next_cursor })
    }

    /// Puts a patch over the feed's metadata; `None` if there is no such feed.
    pub async fn update_feed(
        &self,
        key: &DataKey,
        id: &FeedId,
        patch: &FeedMetadata,
        now_ms: i64,
    ) -> Result<Option<Feed>, Error> {
        let args = (key.clone(), id.clone(), patch.clone(), now_ms);
        self.transact("update_feed", Touched::nothing(), args, |tx, (key, id, patch, now_ms)| {
            Box::pin(update(tx, key, id, patch, *now_ms))
        })
        .await
    }

    /// Whether there was such a feed. Its messages are out of reach at once, and deleted later.
    pub async fn delete_feed(&self, key: &DataKey, id: &FeedId) -> Result<bool, Error> {
        let args = (key.clone(), id.clone());
        self.transact("delete_feed", Touched::nothing(), args, |tx, (key, id)| {
            Box::pin(async move {
                let content: Option<(String,)> = on_tx!(tx.write(), |c| {
                    sqlx::query_as(DELETE_FEED)
                        .bind(key.project.as_str())
                        .bind(&*key.key)
                        .bind(id.as_str())
                        .fetch_optional(c)
                        .await
                })
                .map_err(on("feed"))?;
                let Some((content,)) = content else { return Ok(false) };
                delete_metadata(tx, key, id).await?;
                drop_content(tx, &key.project, &content).await?;
                Ok(true)
            })
        })
        .await
    }
}

fn list_text(query: &FeedQuery) -> String {
    let mut text = match query.metadata.len() {
        0 => LIST_ALL.to_owned(),
        _ => LIST_FOUND.to_owned(),
    };
    for number in 1..query.metadata.len() {
        let (name, value) = (7 + 2 * number, 8 + 2 * number);
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            " AND EXISTS (SELECT 1 FROM feed_metadata o WHERE o.project_id = l.project_id \
             AND o.key = l.key AND o.name = ${name} AND o.value = ${value} \
             AND o.created_at_ms = l.created_at_ms AND o.id = l.id)"
        );
    }
    text.push_str(LIST_PLACE);
    text
}

async fn update(
    tx: &mut Tx,
    key: &DataKey,
    id: &FeedId,
    patch: &FeedMetadata,
    now_ms: i64,
) -> Result<Option<Feed>, Fault> {
    let text = tx.locking(SELECT_FEED, SELECT_FEED_FOR_UPDATE);
    let row: Option<FeedRow> = on_tx!(tx.read(), |c| sqlx::query_as(text)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(id.as_str())
        .fetch_optional(c)
        .await)
    .map_err(on("feed"))?;
    let Some(row) = row else { return Ok(None) };
    let old = row.into_feed()?;
    let mut feed = Feed { updated_at_ms: now_ms, ..old.clone() };
    merge_metadata(&mut feed.metadata, patch.clone())?;
    on_tx!(tx.write(), |c| sqlx::query(UPDATE_FEED)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(id.as_str())
        .bind(to_text(&feed.metadata)?)
        .bind(feed.updated_at_ms)
        .execute(c)
        .await
        .map(drop))
    .map_err(on("feed"))?;
    if searched_texts(&old.metadata) != searched_texts(&feed.metadata) {
        delete_metadata(tx, key, id).await?;
        insert_metadata(tx, key, &feed).await?;
    }
    Ok(Some(feed))
}

fn to_text(metadata: &FeedMetadata) -> Result<String, Error> {
    serde_json::to_string(metadata).map_err(Error::internal)
}

async fn insert_metadata(tx: &mut Tx, key: &DataKey, feed: &Feed) -> Result<(), Fault> {
    let texts = searched_texts(&feed.metadata);
    for run in runs(&texts) {
        let text = values(INSERT_METADATA, run.len(), 6, "");
        on_tx!(tx.write(), |c| {
            let mut query = sqlx::query(AssertSqlSafe(text));
            for (name, value) in run {
                query = query
                    .bind(key.project.as_str())
                    .bind(&*key.key)
                    .bind(*name)
                    .bind(&**value)
                    .bind(feed.created_at_ms)
                    .bind(feed.id.as_str());
            }
            query.execute(c).await.map(drop)
        })
        .map_err(on("feed_metadata"))?;
    }
    Ok(())
}

async fn delete_metadata(tx: &mut Tx, key: &DataKey, id: &FeedId) -> Result<(), Fault> {
    on_tx!(tx.write(), |c| sqlx::query(DELETE_METADATA)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(id.as_str())
        .execute(c)
        .await
        .map(drop))
    .map_err(on("feed_metadata"))
}
