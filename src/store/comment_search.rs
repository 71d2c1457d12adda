//! The index of what comments say, written in the transaction of the comment: whoever searches
//! after it was answered finds it.
//!
//! Searching is the one thing that each database does in its own way, so here the texts differ:
//! FTS5 on SQLite, and `tsvector` with GIN on PostgreSQL. Both index the same terms.

use super::comment_row::read_attachments;
use super::db::{Conn, Tx, on_tx};
use super::fault::{Fault, on};
use super::room_data::DataKey;
use crate::domain::comment::search::{
    ScopeTerm, attachments_term, bucket_prefix, mentions_term, text_terms,
};
use crate::domain::comment::{ActivityKind, CommentActivity, CommentBody, Visibility};
use crate::domain::content_id::{CommentId, ThreadId};

const SELECT_COMMENT: &str = "SELECT visibility, body, attachments FROM comment \
    WHERE project_id = $1 AND key = $2 AND id = $3";
const INSERT_ON_SQLITE: &str = "INSERT INTO comment_search \
    (project_id, key, thread_id, comment_id, visibility, text) VALUES ($1, $2, $3, $4, $5, $6) \
    ON CONFLICT (project_id, key, thread_id, comment_id) DO UPDATE SET text = excluded.text \
    RETURNING seq";
const REPLACE_WORDS: &str = "REPLACE INTO comment_search_words (rowid, words) VALUES ($1, $2)";
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

/// Keeps the index as the comments are.
pub(super) async fn follow(
    tx: &mut Tx,
    key: &DataKey,
    activity: &CommentActivity,
) -> Result<(), Fault> {
    let thread = &activity.thread;
    match &activity.kind {
        ActivityKind::ThreadCreated(comment)
        | ActivityKind::CommentCreated(comment)
        | ActivityKind::CommentEdited(comment) => index(tx, key, thread, comment).await,
        ActivityKind::CommentDeleted(comment) => {
            let named = [key.project.as_str(), &*key.key, thread.as_str(), comment.as_str()];
            forget(tx, DELETE_COMMENT, &named).await
        }
        ActivityKind::ThreadDeleted => {
            let named = [key.project.as_str(), &*key.key, thread.as_str()];
            forget(tx, DELETE_THREAD, &named).await
        }
        ActivityKind::Resolved | ActivityKind::Unresolved => Ok(()),
    }
}

async fn index(
    tx: &mut Tx,
    key: &DataKey,
    thread: &ThreadId,
    comment: &CommentId,
) -> Result<(), Fault> {
    let row: Option<(String, Option<String>, String)> =
        on_tx!(tx.read(), |c| sqlx::query_as(SELECT_COMMENT)
            .bind(key.project.as_str())
            .bind(&*key.key)
            .bind(comment.as_str())
            .fetch_optional(c)
            .await)
        .map_err(on("comment"))?;
    let Some((visibility, Some(body), attachments)) = row else { return Ok(()) };
    let (visibility, body) = (Visibility::parse(&visibility)?, CommentBody::stored(body));
    let text = body.text();
    let mut terms: Vec<String> = text_terms(&text).into_iter().collect();
    terms.push(attachments_term(!read_attachments(&attachments)?.is_empty()));
    terms.push(mentions_term(!body.mentions().is_empty()));
    terms.push(ScopeTerm::Room(&key.key, None).to_text());
    terms.push(ScopeTerm::Room(&key.key, Some(visibility)).to_text());
    terms.push(ScopeTerm::Project(&key.project).to_text());
    let named = [
        key.project.as_str(),
        &*key.key,
        thread.as_str(),
        comment.as_str(),
        visibility.as_str(),
        text.as_str(),
    ];
    match tx.write() {
        Conn::Sqlite(conn) => {
            let mut insert = sqlx::query_as(INSERT_ON_SQLITE);
            for name in named {
                insert = insert.bind(name);
            }
            let (seq,): (i64,) =
                insert.fetch_one(&mut *conn).await.map_err(on("comment_search"))?;
            let replace = sqlx::query(REPLACE_WORDS).bind(seq).bind(terms.join(" "));
            replace.execute(&mut *conn).await.map(drop).map_err(on("comment_search_words"))
        }
        Conn::Postgres(conn) => {
            let mut insert = sqlx::query(INSERT_ON_POSTGRES);
            for name in named {
                insert = insert.bind(name);
            }
            let lexemes: Vec<String> = terms.iter().map(|term| lexeme(term)).collect();
            let insert = insert.bind(lexemes.join(" ")).bind(bucket_prefix());
            insert.execute(&mut **conn).await.map(drop).map_err(on("comment_search"))
        }
    }
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
