//! The index of what comments say, written in the transaction of the comment: whoever searches
//! after it was answered finds it.
//!
//! Searching is the one thing that each database does in its own way, so here the texts differ:
//! FTS5 on SQLite, and `tsvector` with GIN on PostgreSQL. Both index the same terms.

use std::sync::Arc;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;

use super::comment_write::Happened;
use super::db::{Conn, Tx, on_tx};
use super::fault::{Fault, on};
use super::room_data::DataKey;
use super::values::{PADDED_ROWS_MAX, padded};
use crate::domain::comment::search::{
    ScopeTerm, attachments_term, bucket_prefix, each_text_term, mentions_term,
};
use crate::domain::comment::{ActivityKind, CommentActivity, Said};
use crate::domain::content_id::{CommentId, ThreadId};

/// A comment is found by its number. There has to be a `CROSS JOIN`, as in `select_at`.
const REPLACE_WORDS: &str = "WITH wanted (of_project, of_key, of_thread, of_id, words) AS (VALUES ";
const REPLACE_TAIL: &str = ") REPLACE INTO comment_search_words (rowid, words) \
    SELECT number, words FROM wanted CROSS JOIN comment \
    WHERE project_id = of_project AND key = of_key AND thread_id = of_thread AND id = of_id";
const FORGET_WORDS: &str = "DELETE FROM comment_search_words WHERE rowid = (SELECT number \
    FROM comment WHERE project_id = $1 AND key = $2 AND thread_id = $3 AND id = $4)";
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

/// Of a comment of a sentence or two.
const TERMS_BYTES_USUAL: usize = 1024;

/// What is found by one comment.
struct Entry<'a> {
    key: &'a DataKey,
    thread: &'a ThreadId,
    comment: &'a CommentId,
    visibility: &'static str,
    text: String,
    /// As the database takes them, with spaces between them.
    terms: String,
}

/// How a database takes a term.
type WriteTerm = fn(&mut String, &str);

impl<'a> Entry<'a> {
    fn new(
        (key, activity): Happened<'a>,
        (comment, said): (&'a CommentId, &Said),
        write_term: WriteTerm,
    ) -> Self {
        let text = said.body.text();
        let mut terms = String::with_capacity(TERMS_BYTES_USUAL);
        let mut add = |term: &str| {
            if !terms.is_empty() {
                terms.push(' ');
            }
            write_term(&mut terms, term);
        };
        each_text_term(&text, &mut add);
        add(&attachments_term(said.has_attachments));
        add(&mentions_term(said.has_mentions));
        add(&ScopeTerm::Room(&key.key, None).to_text());
        add(&ScopeTerm::Room(&key.key, Some(activity.visibility)).to_text());
        add(&ScopeTerm::Project(&key.project).to_text());
        Self {
            key,
            thread: &activity.thread,
            comment,
            visibility: activity.visibility.as_str(),
            text,
            terms,
        }
    }

    /// Project, key, thread and comment.
    fn place(&self) -> [Arc<str>; 4] {
        let Self { key, thread, comment, .. } = self;
        [key.project.to_arc(), Arc::clone(&key.key), thread.to_arc(), comment.to_arc()]
    }
}

/// Keeps the index as the comments are.
pub(super) async fn follow(tx: &mut Tx, happened: &[Happened<'_>]) -> Result<(), Fault> {
    let mut entries = Vec::with_capacity(happened.len());
    let write_term: WriteTerm = match tx.read() {
        Conn::Sqlite(_) => |terms, term| terms.push_str(term),
        Conn::Postgres(_) => |terms, term| terms.push_str(&lexeme(term)),
    };
    for &(key, activity) in happened {
        let CommentActivity { thread, said, .. } = activity;
        match &activity.kind {
            ActivityKind::ThreadCreated(comment)
            | ActivityKind::CommentCreated(comment)
            | ActivityKind::CommentEdited(comment) => {
                let entry = |said| Entry::new((key, activity), (comment, said), write_term);
                entries.extend(said.iter().map(entry));
            }
            ActivityKind::CommentDeleted(comment) => {
                let named = [key.project.as_str(), &*key.key, thread.as_str(), comment.as_str()];
                let text = match tx.read() {
                    Conn::Sqlite(_) => FORGET_WORDS,
                    Conn::Postgres(_) => DELETE_COMMENT,
                };
                forget(tx, text, &named).await?;
            }
            ActivityKind::ThreadDeleted => {
                // On SQLite the words of each comment went with its row.
                if let Conn::Postgres(_) = tx.read() {
                    let named = [key.project.as_str(), &*key.key, thread.as_str()];
                    forget(tx, DELETE_THREAD, &named).await?;
                }
            }
            ActivityKind::Resolved | ActivityKind::Unresolved => {}
        }
    }
    if entries.is_empty() {
        return Ok(());
    }
    match tx.write() {
        Conn::Sqlite(conn) => {
            for run in entries.chunks_mut(PADDED_ROWS_MAX) {
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

async fn index_on_sqlite(conn: &mut SqliteConnection, run: &mut [Entry<'_>]) -> Result<(), Fault> {
    let text = padded(REPLACE_WORDS, run.len(), 5, REPLACE_TAIL);
    let mut replace = sqlx::query(AssertSqlSafe(text));
    for entry in run {
        for part in entry.place() {
            replace = replace.bind(part);
        }
        replace = replace.bind(std::mem::take(&mut entry.terms));
    }
    replace.execute(conn).await.map(drop).map_err(on("comment_search_words"))
}

async fn index_on_postgres(conn: &mut PgConnection, entry: &Entry<'_>) -> Result<(), Fault> {
    let mut insert = sqlx::query(INSERT_ON_POSTGRES);
    for part in entry.place() {
        insert = insert.bind(part);
    }
    insert = insert.bind(entry.visibility).bind(entry.text.as_str());
    let insert = insert.bind(entry.terms.as_str()).bind(bucket_prefix());
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
