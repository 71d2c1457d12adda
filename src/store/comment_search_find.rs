//! Finding comments by their terms, newest first.
//!
//! What a search costs must not grow with what there is. FTS5 walks its lists backwards and stops
//! when it has enough. GIN gathers every match before the first is seen, so there the newest
//! comments are looked at first, then those of the last steps of 2^16 comments, and all only if
//! the others had too few matches: then the terms are rare, and all their matches are not many.

use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, FromRow, PgPool};

use super::Store;
use super::comment_search::lexeme;
use super::comment_write::ThreadView;
use super::db::{Db, on_db};
use super::fault::corrupt;
use super::feed::{Gathered, one_more};
use crate::domain::comment::search::{ScopeTerm, bucket_term};
use crate::domain::comment::{CommentBody, CommentMetadata, Visibility};
use crate::domain::content_id::{CommentId, ThreadId};
use crate::domain::ctx::ThreadRight;
use crate::domain::ids::{ProjectId, RoomId};
use crate::error::Error;

macro_rules! columns {
    ($seq:literal, $id:literal, $text:literal) => {
        concat!(
            "SELECT s.",
            $seq,
            " AS seq, s.thread_id, s.",
            $id,
            " AS comment_id, s.visibility, s.",
            $text,
            " AS text, t.resolved, t.metadata, d.room_id "
        )
    };
    () => {
        columns!("seq", "comment_id", "text")
    };
}
/// A room that was deleted is gone from `room_data` before it is gone from here.
macro_rules! joins {
    () => {
        " LEFT JOIN thread t \
         ON t.project_id = s.project_id AND t.key = s.key AND t.id = s.thread_id \
         LEFT JOIN room_data d ON d.project_id = s.project_id AND d.key = s.key "
    };
}

/// `CROSS JOIN` keeps the order of the tables: SQLite would turn it round. What has words has a body.
const FIND_ON_SQLITE: &str = concat!(
    columns!("number", "id", "body"),
    "FROM comment_search_words CROSS JOIN comment s ON s.number = comment_search_words.rowid",
    joins!(),
    "WHERE comment_search_words MATCH $2 AND comment_search_words.rowid < $3 \
     AND s.project_id = $1 AND s.body IS NOT NULL ORDER BY comment_search_words.rowid DESC LIMIT $4"
);
/// Comments that are looked at one by one, on PostgreSQL.
const FIND_IN_NEWEST_OF_ROOM: &str = concat!(
    columns!(),
    "FROM (SELECT * FROM comment_search WHERE project_id = $1 AND key = $5 AND seq < $3 \
     ORDER BY seq DESC LIMIT 4096) s",
    joins!(),
    "WHERE s.words @@ CAST(CAST($2 AS TEXT) AS TSQUERY) ORDER BY s.seq DESC LIMIT $4"
);
const FIND_IN_NEWEST: &str = concat!(
    columns!(),
    "FROM (SELECT * FROM comment_search WHERE project_id = $1 AND seq < $3 \
     ORDER BY seq DESC LIMIT 4096) s",
    joins!(),
    "WHERE s.words @@ CAST(CAST($2 AS TEXT) AS TSQUERY) ORDER BY s.seq DESC LIMIT $4"
);
/// `OFFSET 0` keeps the index of words in use: the order of the rest must not choose another.
const FIND_BY_WORDS: &str = concat!(
    columns!(),
    "FROM (SELECT * FROM (SELECT * FROM comment_search \
     WHERE words @@ CAST(CAST($2 AS TEXT) AS TSQUERY) OFFSET 0) f \
     WHERE f.project_id = $1 AND f.seq < $3 ORDER BY f.seq DESC LIMIT $4) s",
    joins!(),
    "ORDER BY s.seq DESC"
);
const SELECT_NEWEST: &str =
    "SELECT COALESCE(MAX(seq), 0) FROM comment_search WHERE project_id = $1 AND seq < $2";

/// Where to look.
#[derive(Debug, Clone, Copy)]
pub enum SearchScope<'a> {
    Room(&'a ThreadView),
    Project(&'a ProjectId),
}

/// A comment that has all terms, for somebody who has not been checked yet.
#[derive(Debug, FromRow)]
pub struct FoundComment {
    seq: i64,
    thread_id: String,
    comment_id: String,
    visibility: String,
    text: String,
    resolved: Option<bool>,
    metadata: Option<String>,
    room_id: Option<String>,
}

/// One that may be read.
#[derive(Debug, Clone)]
pub struct SearchedComment {
    pub room_id: RoomId,
    pub thread_id: ThreadId,
    pub comment_id: CommentId,
    pub text: String,
    /// Of its thread.
    pub resolved: bool,
    pub metadata: CommentMetadata,
}

impl FoundComment {
    /// Grows with every comment; what is older than this comes next.
    pub fn seq(&self) -> i64 {
        self.seq
    }

    /// Absent if the room was deleted.
    pub fn room_id(&self) -> Option<RoomId> {
        self.room_id.as_deref().map(RoomId::trusted)
    }

    /// For somebody with this right in its room.
    pub fn open(self, right: ThreadRight) -> Result<Option<SearchedComment>, Error> {
        let wrong = |error| corrupt("comment_search", "visibility", error);
        let visibility = Visibility::parse(&self.visibility).map_err(wrong)?;
        let (Some(room_id), Some(resolved), Some(metadata)) =
            (self.room_id, self.resolved, self.metadata)
        else {
            return Ok(None);
        };
        if !right.covers(visibility) {
            return Ok(None);
        }
        Ok(Some(SearchedComment {
            room_id: RoomId::trusted(room_id),
            thread_id: ThreadId::trusted(self.thread_id),
            comment_id: CommentId::trusted(self.comment_id),
            text: self.text,
            resolved,
            metadata: CommentMetadata::stored(&metadata)
                .map_err(|error| corrupt("thread", "metadata", error))?,
        }))
    }
}

/// What a statement of this file takes.
struct Search<'a> {
    project: &'a ProjectId,
    terms: Vec<String>,
    before: i64,
    limit: usize,
}

impl Store {
    /// Newest first, and whether there are more.
    pub async fn find_comments(
        &self,
        scope: SearchScope<'_>,
        terms: impl IntoIterator<Item = String>,
        before: i64,
        limit: usize,
    ) -> Result<(Vec<FoundComment>, bool), Error> {
        let (project, key, place) = match scope {
            SearchScope::Room(view) if view.right.is_nothing() => return Ok((Vec::new(), false)),
            SearchScope::Room(view) => {
                let key = &*view.key.key;
                (&view.key.project, Some(key), ScopeTerm::Room(key, view.right.only()))
            }
            SearchScope::Project(project) => (project, None, ScopeTerm::Project(project)),
        };
        let terms = terms.into_iter().chain([place.to_text()]).collect();
        let search = Search { project, terms, before, limit };
        let found = match &self.inner.db {
            Db::Sqlite(_) => {
                // Inside quotes nothing has a meaning of its own.
                let quoted = search.terms.iter().map(|t| format!("\"{}\"", t.replace('"', "\"\"")));
                let query = quoted.collect::<Vec<_>>().join(" AND ");
                self.find_by(FIND_ON_SQLITE, &search, &query, None).await?
            }
            Db::Postgres(pool) => self.find_on_postgres(pool, &search, key).await?,
        };
        Ok((found.rows, found.more))
    }

    async fn find_on_postgres(
        &self,
        pool: &PgPool,
        search: &Search<'_>,
        key: Option<&str>,
    ) -> Result<Gathered<FoundComment>, Error> {
        let lexemes: Vec<String> = search.terms.iter().map(|term| lexeme(term)).collect();
        let query = lexemes.join(" & ");
        let newest = if key.is_some() { FIND_IN_NEWEST_OF_ROOM } else { FIND_IN_NEWEST };
        let found = self.find_by(newest, search, &query, key).await?;
        if found.more {
            return Ok(found);
        }
        let (last,): (i64,) = self
            .read("comment_search", async {
                let select = sqlx::query_as(SELECT_NEWEST).bind(search.project.as_str());
                select.bind(search.before).fetch_one(pool).await
            })
            .await?;
        let (here, before) = (lexeme(&bucket_term(last)), lexeme(&bucket_term(last - (1 << 16))));
        let recent = format!("{query} & ({here} | {before})");
        let found = self.find_by(FIND_BY_WORDS, search, &recent, None).await?;
        if found.more {
            return Ok(found);
        }
        self.find_by(FIND_BY_WORDS, search, &query, None).await
    }

    async fn find_by(
        &self,
        text: &'static str,
        search: &Search<'_>,
        query: &str,
        key: Option<&str>,
    ) -> Result<Gathered<FoundComment>, Error> {
        self.read("comment_search", async {
            on_db!(&self.inner.db, |c| {
                let mut select = sqlx::query_as(AssertSqlSafe(text))
                    .bind(search.project.as_str())
                    .bind(query)
                    .bind(search.before)
                    .bind(one_more(search.limit));
                if let Some(key) = key {
                    select = select.bind(key);
                }
                let (mut rows, mut page) = (select.fetch(c), Gathered::new(search.limit));
                while let Some(row) = rows.try_next().await? {
                    let mut row: FoundComment = row;
                    if let Db::Sqlite(_) = &self.inner.db {
                        row.text = CommentBody::stored(row.text).text();
                    }
                    let bytes = row.text.len() + row.metadata.as_ref().map_or(0, String::len);
                    if !page.take(row, bytes) {
                        break;
                    }
                }
                Ok(page)
            })
        })
        .await
    }
}
