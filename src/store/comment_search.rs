//! The index of what comments say, written in the transaction of the comment: whoever searches
//! after it was answered finds it.
//!
//! Searching is the one thing that each database does in its own way, so here the texts differ:
//! FTS5 on SQLite, and `tsvector` with GIN on PostgreSQL. Both index the same terms.

use std::collections::HashMap;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;

use super::comment_write::Happened;
use super::db::{Conn, Tx, on_tx};
use super::fault::{Fault, on};
use super::values::{runs, values};
use crate::domain::comment::search::{
    ScopeTerm, attachments_term, bucket_prefix, mentions_term, text_terms,
};
use crate::domain::comment::{ActivityKind, CommentActivity, Said};
use crate::domain::content_id::CommentId;

const INSERT_ON_SQLITE: &str = "INSERT INTO comment_search \
    (project_id, key, thread_id, comment_id, visibility, text) VALUES ";
const REPLACE_TEXTS: &str = " ON CONFLICT (project_id, key, thread_id, comment_id) \
    DO UPDATE SET text = excluded.text RETURNING project_id, key, comment_id, seq";
const REPLACE_WORDS: &str = "REPLACE INTO comment_search_words (rowid, words) VALUES ";
/// One of the terms says about when the comment came, in steps of 2^16 comments.
const INSERT_ON_POSTGRES: &str = "INSERT INTO comment_search \
    (seq, project_id, key, thread_id, comment_id, visibility, text, words) \
    SELECT n.seq, $1, $2, $3, $4, $5, $6, CAST(CAST($7 AS TEXT) AS TSVECTOR) \
    || array_to_tsvector(ARRAY[CAST($8 AS TEXT) || (n.seq >> 16)]) \
    FROM (SELECT nextval('comment_search_seq') AS seq) n \
    ON CONFLICT (project_id, key, thread_id, comment_id) DO UPDATE SET text = excluded.text, \
    words = CAST(CAST($7 AS TEXT) AS TSVECTOR) \
    || array_to_tsvector(ARRAY[CAST($8 AS TEXT) || (comment_search.seq >> 16)])";
const DELETE_COMMENT: &str = "DELETE FROM comment_search \
    WHERE project_id = $1 AND key = $2 AND thread_id = $3 AND comment_id = $4";
const DELETE_THREAD: &str =
    "DELETE FROM comment_search WHERE project_id = $1 AND key = $2 AND thread_id = $3";

/// What is found by one comment.
struct Entry<'a> {
    project: &'a str,
    key: &'a str,
    thread: &'a str,
    comment: &'a str,
    visibility: &'static str,
    text: String,
    terms: Vec<String>,
}

impl<'a> Entry<'a> {
    fn new((key, activity): Happened<'a>, comment: &'a CommentId, said: &Said) -> Self {
        let text = said.body.text();
        let mut terms: Vec<String> = text_terms(&text).into_iter().collect();
        terms.push(attachments_term(said.has_attachments));
        terms.push(mentions_term(said.has_mentions));
        terms.push(ScopeTerm::Room(&key.key, None).to_text());
        terms.push(ScopeTerm::Room(&key.key, Some(activity.visibility)).to_text());
        terms.push(ScopeTerm::Project(&key.project).to_text());
        Self {
            project: key.project.as_str(),
            key: &key.key,
            thread: activity.thread.as_str(),
            comment: comment.as_str(),
            visibility: activity.visibility.as_str(),
            text,
            terms,
        }
    }

    fn columns(&self) -> [&str; 6] {
        [self.project, self.key, self.thread, self.comment, self.visibility, &self.text]
    }
}

/// Keeps the index as the comments are.
pub(super) async fn follow(tx: &mut Tx, happened: &[Happened<'_>]) -> Result<(), Fault> {
    let mut entries = Vec::with_capacity(happened.len());
    for &(key, activity) in happened {
        let CommentActivity { thread, said, .. } = activity;
        match &activity.kind {
            ActivityKind::ThreadCreated(comment)
            | ActivityKind::CommentCreated(comment)
            | ActivityKind::CommentEdited(comment) => {
                entries.extend(said.iter().map(|said| Entry::new((key, activity), comment, said)));
            }
            ActivityKind::CommentDeleted(comment) => {
                let named = [key.project.as_str(), &*key.key, thread.as_str(), comment.as_str()];
                forget(tx, DELETE_COMMENT, &named).await?;
            }
            ActivityKind::ThreadDeleted => {
                let named = [key.project.as_str(), &*key.key, thread.as_str()];
                forget(tx, DELETE_THREAD, &named).await?;
            }
            ActivityKind::Resolved | ActivityKind::Unresolved => {}
        }
    }
    if entries.is_empty() {
        return Ok(());
    }
    match tx.write() {
        Conn::Sqlite(conn) => {
            for run in runs(&entries) {
                index_on_sqlite(conn, run).await?;
            }
        }
        Conn::Postgres(conn) => {
            for entry in &entries {
                index_on_postgres(conn, entry).await?;
            }
        }
    }
    Ok(())
}

async fn index_on_sqlite(conn: &mut SqliteConnection, run: &[Entry<'_>]) -> Result<(), Fault> {
    let text = values(INSERT_ON_SQLITE, run.len(), 6, REPLACE_TEXTS);
    let mut insert = sqlx::query_as(AssertSqlSafe(text));
    for column in run.iter().flat_map(Entry::columns) {
        insert = insert.bind(column);
    }
    let rows: Vec<(String, String, String, i64)> =
        insert.fetch_all(&mut *conn).await.map_err(on("comment_search"))?;
    // SQLite promises no order of what it returns.
    let numbers: HashMap<_, _> =
        rows.iter().map(|(project, key, id, seq)| ([project, key, &**id], *seq)).collect();
    let text = values(REPLACE_WORDS, run.len(), 2, "");
    let mut replace = sqlx::query(AssertSqlSafe(text));
    for entry in run {
        let seq = numbers.get(&[entry.project, entry.key, entry.comment]).copied();
        replace = replace.bind(seq).bind(entry.terms.join(" "));
    }
    replace.execute(conn).await.map(drop).map_err(on("comment_search_words"))
}

async fn index_on_postgres(conn: &mut PgConnection, entry: &Entry<'_>) -> Result<(), Fault> {
    let mut insert = sqlx::query(INSERT_ON_POSTGRES);
    for column in entry.columns() {
        insert = insert.bind(column);
    }
    let lexemes: Vec<String> = entry.terms.iter().map(|term| lexeme(term)).collect();
    let insert = insert.bind(lexemes.join(" ")).bind(bucket_prefix());
    insert.execute(conn).await.map(drop).map_err(on("comment_search"))
}

/// A term as PostgreSQL reads it in a `tsvector` or a `tsquery`.
pub(super) fn lexeme(term: &str) -> String {
    format!("'{}'", term.replace('\\', "\\\\").replace('\'', "''"))
}

async fn forget(tx: &mut Tx, text: &'static str, named: &[&str]) -> Result<(), Fault> {
    on_tx!(tx.write(), |c| {
        let mut delete = sqlx::query(text);
        for name in named {
            delete = delete.bind(*name);
        }
        delete.execute(c).await.map(drop)
    })
    .map_err(on("comment_search"))
}
