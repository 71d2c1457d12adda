//! The comments of a room as one flat list of messages.
//!
//! First the page's keys are found, in an index where there is one for the order; then the comments
//! themselves are read, so that passing over many costs little.

use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, FromRow};

use super::Store;
use super::comment_row::{CommentRow, comment_columns};
use super::comment_write::ThreadView;
use super::db::on_db;
use super::feed::one_more;
use super::values::pairs;
use crate::domain::comment::{Comment, CommentBody, Visibility};
use crate::domain::content_id::CommentId;
use crate::domain::livechat::{
    MESSAGES_SEARCHED_MAX, MessageCursor, MessageField, MessageOrder, MessageQuery, MessageStart,
};
use crate::error::Error;

const KEYS: &str = "SELECT thread_id, id, created_at_ms, \
    COALESCE(edited_at_ms, created_at_ms) AS updated_at_ms FROM comment \
    WHERE project_id = $1 AND key = $2 AND visibility = $3 AND deleted_at_ms IS NULL";
const NEWEST: &str = "SELECT thread_id, id, created_at_ms, \
    COALESCE(edited_at_ms, created_at_ms) AS updated_at_ms, body FROM comment WHERE project_id = $1 AND key = $2 AND visibility = $3 \
    AND deleted_at_ms IS NULL ORDER BY created_at_ms DESC, id DESC LIMIT $4";
const COUNT: &str = "SELECT COUNT(*) FROM comment \
    WHERE project_id = $1 AND key = $2 AND visibility = $3 AND deleted_at_ms IS NULL";
const SELECT: &str = concat!(
    "SELECT ",
    comment_columns!(),
    " FROM comment WHERE project_id = $1 AND key = $2 AND deleted_at_ms IS NULL \
      AND (thread_id, id) IN (VALUES "
);

/// A page of messages.
#[derive(Debug, Clone, PartialEq)]
pub struct MessagePage {
    pub comments: Vec<Comment>,
    /// On all pages.
    pub total: i64,
    /// In the order of cursors only.
    pub next: Option<MessageCursor>,
}

#[derive(Debug, Clone, FromRow)]
struct KeyRow {
    thread_id: String,
    id: String,
    created_at_ms: i64,
    updated_at_ms: i64,
}

#[derive(Debug, FromRow)]
struct SearchedRow {
    #[sqlx(flatten)]
    key: KeyRow,
    body: Option<String>,
}

impl MessagePage {
    pub const EMPTY: Self = Self { comments: Vec::new(), total: 0, next: None };
}

impl Store {
    /// Those that the view may see and that are not deleted.
    pub async fn list_messages(
        &self,
        view: &ThreadView,
        query: &MessageQuery,
    ) -> Result<MessagePage, Error> {
        let (mut keys, total) = match &query.search {
            Some(term) => {
                let found = self.search_messages(view, term).await?;
                let total = i64::try_from(found.len()).unwrap_or(i64::MAX);
                (page_of(found, query), total)
            }
            None => (self.message_keys(view, query).await?, self.count_messages(view).await?),
        };
        let more = keys.len() > query.limit;
        keys.truncate(query.limit);
        let last = keys.last().filter(|_| more && query.search.is_none());
        let next = last.filter(|_| query.is_newest_first()).map(|last| MessageCursor {
            created_at_ms: last.created_at_ms,
            id: CommentId::trusted(last.id.as_str()),
        });
        let comments = self.messages(view, &keys).await?;
        Ok(MessagePage { comments, total, next })
    }

    /// One more than the page has, if there are more.
    async fn message_keys(
        &self,
        view: &ThreadView,
        query: &MessageQuery,
    ) -> Result<Vec<KeyRow>, Error> {
        let offset = match query.start {
            MessageStart::Offset(offset) => offset,
            MessageStart::After(_) => 0,
        };
        let visible = visible(view);
        let text = keys_text(query, offset, visible.len());
        let (ms, id) = match &query.start {
            MessageStart::After(at) => (at.created_at_ms, at.id.as_str()),
            MessageStart::Offset(_) => (i64::MAX, ""),
        };
        if visible.is_empty() {
            return Ok(Vec::new());
        }
        self.read("comment", async {
            on_db!(&self.inner.db, |c| {
                let mut select = sqlx::query_as(AssertSqlSafe(text))
                    .bind(view.key.project.as_str())
                    .bind(&*view.key.key)
                    .bind(ms)
                    .bind(id)
                    .bind(one_more(query.limit))
                    .bind(offset);
                for visibility in visible {
                    select = select.bind(visibility.as_str());
                }
                select.fetch_all(c).await
            })
        })
        .await
    }

    /// In the newest messages of each visibility, newest first.
    async fn search_messages(&self, view: &ThreadView, term: &str) -> Result<Vec<KeyRow>, Error> {
        let mut found: Vec<KeyRow> = Vec::new();
        let limit = i64::try_from(MESSAGES_SEARCHED_MAX).unwrap_or(i64::MAX);
        for visibility in visible(view) {
            let rows = self.read("comment", async {
                on_db!(&self.inner.db, |c| {
                    let mut rows = sqlx::query_as(NEWEST)
                        .bind(view.key.project.as_str())
                        .bind(&*view.key.key)
                        .bind(visibility.as_str())
                        .bind(limit)
                        .fetch(c);
                    let mut found = Vec::new();
                    while let Some(row) = rows.try_next().await? {
                        let SearchedRow { key, body } = row;
                        let text = body.map(|body| CommentBody::stored(body).text());
                        if text.is_some_and(|text| text.to_lowercase().contains(term)) {
                            found.push(key);
                        }
                    }
                    Ok(found)
                })
            });
            found.extend(rows.await?);
        }
        Ok(found)
    }

    async fn count_messages(&self, view: &ThreadView) -> Result<i64, Error> {
        let mut total = 0;
        for visibility in visible(view) {
            let (count,): (i64,) = self
                .read("comment", async {
                    on_db!(&self.inner.db, |c| sqlx::query_as(COUNT)
                        .bind(view.key.project.as_str())
                        .bind(&*view.key.key)
                        .bind(visibility.as_str())
                        .fetch_one(c)
                        .await)
                })
                .await?;
            total += count;
        }
        Ok(total)
    }

    /// The comments with these keys, in their order. One that was just deleted is left out.
    async fn messages(&self, view: &ThreadView, keys: &[KeyRow]) -> Result<Vec<Comment>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let text = pairs(SELECT, 3, keys.len(), ")");
        let rows: Vec<CommentRow> = self
            .read("comment", async {
                on_db!(&self.inner.db, |c| {
                    let mut select = sqlx::query_as(AssertSqlSafe(text))
                        .bind(view.key.project.as_str())
                        .bind(&*view.key.key);
                    for key in keys {
                        select = select.bind(key.thread_id.as_str()).bind(key.id.as_str());
                    }
                    select.fetch_all(c).await
                })
            })
            .await?;
        let place = |row: &CommentRow| {
            keys.iter().position(|key| key.id == row.id && key.thread_id == row.thread_id)
        };
        let mut rows: Vec<_> = rows.into_iter().map(|row| (place(&row), row)).collect();
        rows.sort_by_key(|(place, _)| *place);
        // Reactions are not part of messages.
        rows.into_iter().map(|(_, row)| row.into_comment(&view.room_id, Vec::new())).collect()
    }
}

fn visible(view: &ThreadView) -> Vec<Visibility> {
    let all = [Visibility::Public, Visibility::Private];
    all.into_iter().filter(|visibility| view.right.covers(*visibility)).collect()
}

/// Newest first, each visibility's messages come from their index as far as the page goes. Another
/// order sorts the keys of the room's messages. How far is a number in the text, since PostgreSQL
/// plans a parameter there as if it were a tenth of the table; rounded, so that texts are few.
fn keys_text(query: &MessageQuery, offset: i64, visibilities: usize) -> String {
    let far = one_more(query.limit).saturating_add(offset).unsigned_abs().next_power_of_two();
    let is_indexed = query.is_newest_first();
    let parts = (0..visibilities).map(|number| {
        let keys = KEYS.replace("$3", &format!("${}", 7 + number));
        match is_indexed {
            true => format!(
                "SELECT * FROM ({keys} AND (created_at_ms, id) < ($3, $4) \
                 ORDER BY created_at_ms DESC, id DESC LIMIT {far}) part{number}"
            ),
            false => format!("{keys} AND (created_at_ms, id) < ($3, $4)"),
        }
    });
    let parts = parts.collect::<Vec<_>>().join(" UNION ALL ");
    format!("SELECT * FROM ({parts}) page ORDER BY {} LIMIT $5 OFFSET $6", order_text(&query.order))
}

fn order_text(order: &[MessageOrder]) -> String {
    let term = |order: &MessageOrder| {
        let column = match order.field {
            MessageField::Ts => "created_at_ms",
            MessageField::UpdatedAt => "updated_at_ms",
            MessageField::Id => "id",
        };
        format!("{column}{}", if order.descending { " DESC" } else { "" })
    };
    let mut terms: Vec<String> = order.iter().map(term).collect();
    // Messages of one moment must not change places between pages.
    if order.iter().all(|order| order.field != MessageField::Id) {
        let descending = order.first().is_some_and(|order| order.descending);
        terms.push(term(&MessageOrder { field: MessageField::Id, descending }));
    }
    terms.join(", ")
}

/// The same order in memory, and one more than the page has.
fn page_of(mut keys: Vec<KeyRow>, query: &MessageQuery) -> Vec<KeyRow> {
    keys.sort_by(|one, other| {
        let by = |order: &MessageOrder| {
            let found = match order.field {
                MessageField::Ts => one.created_at_ms.cmp(&other.created_at_ms),
                MessageField::UpdatedAt => one.updated_at_ms.cmp(&other.updated_at_ms),
                MessageField::Id => one.id.cmp(&other.id),
            };
            if order.descending { found.reverse() } else { found }
        };
        let descending = query.order.first().is_some_and(|order| order.descending);
        let last = MessageOrder { field: MessageField::Id, descending };
        let found = query.order.iter().map(by).find(|found| found.is_ne());
        found.unwrap_or_else(|| by(&last))
    });
    let offset = match query.start {
        MessageStart::Offset(offset) => usize::try_from(offset).unwrap_or(usize::MAX),
        MessageStart::After(_) => 0,
    };
    keys.into_iter().skip(offset).take(query.limit + 1).collect()
}
