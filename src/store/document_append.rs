//! The hot write: appending to the logs of documents, for many rooms in one statement.
//!
//! Each statement checks the epochs itself: a row is inserted only while its room's epoch is the
//! one that the writer was given, and an append of which any row is missing is undone.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, SqliteConnection};
use tokio::sync::oneshot;

use super::Store;
use super::db::{Conn, Db, Tx};
use super::document::DocumentUpdate;
use super::fault::{self, Fault, on};
use super::room_cache::Touched;
use super::room_data::{RoomKey, fenced};
use super::transact::SqliteJob;
use super::values::runs;
use super::writer::{Job, Ran, Sharing};
use crate::error::Error;

const SQLITE_HEAD: &str = "WITH v (project_id, key, epoch, document, seq, payload) AS (VALUES ";
/// `CROSS JOIN` keeps SQLite from walking through all rooms to find these. With `OR FAIL` it need
/// not be able to undo the statement alone, for which it would copy each page that is written to:
/// after an error the caller undoes everything.
const SQLITE_TAIL: &str = ") INSERT OR FAIL \
    INTO document_update (project_id, key, document, seq, payload) \
    SELECT v.project_id, v.key, v.document, v.seq, v.payload FROM v CROSS JOIN room_data d \
    WHERE d.project_id = v.project_id AND d.key = v.key AND d.epoch = v.epoch";
/// The share of the row keeps openers out until the commit: else one could load the document
/// without what is being appended. It is a statement of its own, so it needs no transaction.
const POSTGRES: &str = "WITH live AS (SELECT 1 FROM room_data \
    WHERE project_id = $1 AND key = $2 AND epoch = $3 FOR SHARE) \
    INSERT INTO document_update (project_id, key, document, seq, payload) \
    SELECT $1, $2, v.document, v.seq, v.payload FROM live \
    CROSS JOIN UNNEST($4::TEXT[], $5::BIGINT[], $6::BYTEA[]) v (document, seq, payload)";

impl Store {
    /// Durable when it answers, all or nothing. `ROOM_FENCED` if the room has another owner or is
    /// gone; after any other error nobody knows whether it was written, so the caller must open and
    /// load again before it goes on.
    pub async fn append_updates(
        &self,
        key: &RoomKey,
        updates: Vec<DocumentUpdate>,
    ) -> Result<(), Error> {
        if updates.is_empty() {
            return Ok(());
        }
        let args = (key.clone(), updates);
        match (&self.inner.db, &self.inner.writer) {
            (Db::Sqlite(_), Some(writer)) => {
                let (reply, answer) = oneshot::channel();
                let touched = Touched::nothing();
                let job = SqliteJob::new("append_updates", args, append_one as _, reply, touched);
                writer.submit(Box::new(AppendJob(job)), self.patience()).await?;
                let answer = answer.await.map_err(|_| fault::unreachable("the writer was closed"));
                Ok(answer??)
            }
            (Db::Sqlite(_), None) => Err(fault::unreachable("there is no writer")),
            (Db::Postgres(pool), _) => {
                let (pool, limit) = (pool.clone(), self.inner.call_timeout);
                let (turns, lane) = (Arc::clone(&self.inner.turns), self.lane);
                let run = async move {
                    let _turn = turns.take(lane).await?;
                    match tokio::time::timeout(limit, append_pooled(&pool, &args)).await {
                        Ok(outcome) => outcome.map_err(Error::from),
                        Err(_) => Err(fault::unreachable("an append got no answer in time")),
                    }
                };
                let task = self.inner.tasks.spawn(run);
                task.await.map_err(|error| Error::internal(format!("append_updates: {error}")))?
            }
        }
    }
}

type Args = (RoomKey, Vec<DocumentUpdate>);
type Append = for<'a> fn(&'a mut Tx, &'a Args) -> BoxFuture<'a, Result<(), Fault>>;

fn append_one<'a>(tx: &'a mut Tx, (key, updates): &'a Args) -> BoxFuture<'a, Result<(), Fault>> {
    Box::pin(async move { append_rows(tx, &[(key, updates)]).await })
}

/// A job that the writer may run together with others of its kind.
struct AppendJob(SqliteJob<Args, (), Append>);

/// What a group needs of one [`AppendJob`].
pub(super) struct Appending<'a> {
    args: &'a Args,
    outcome: &'a mut Option<Result<(), Fault>>,
}

impl Job for AppendJob {
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Ran> {
        self.0.run(tx)
    }

    fn answer(self: Box<Self>, failed: Option<Error>) {
        Box::new(self.0).answer(failed);
    }

    fn sharing(&self) -> Sharing {
        Sharing::Appends
    }

    fn appending(&mut self) -> Option<Appending<'_>> {
        let (args, outcome) = self.0.parts();
        Some(Appending { args, outcome })
    }
}

/// Runs many appends as one. After an error nothing may stay of any of them.
pub(super) async fn append_group(tx: &mut Tx, appends: Vec<Appending<'_>>) -> Result<(), Fault> {
    let all: Vec<_> = appends.iter().map(|append| (&append.args.0, &*append.args.1)).collect();
    append_rows(tx, &all).await?;
    for append in appends {
        *append.outcome = Some(Ok(()));
    }
    Ok(())
}

/// Appends for one room or many. After an error nothing may stay of any of them.
async fn append_rows(tx: &mut Tx, appends: &[(&RoomKey, &[DocumentUpdate])]) -> Result<(), Fault> {
    match tx.write() {
        Conn::Sqlite(conn) => append_sqlite(conn, appends).await,
        Conn::Postgres(conn) => {
            for (key, updates) in appends {
                append_postgres(conn, key, updates).await?;
            }
            Ok(())
        }
    }
}

async fn append_sqlite(
    conn: &mut SqliteConnection,
    appends: &[(&RoomKey, &[DocumentUpdate])],
) -> Result<(), Fault> {
    let rows: Vec<_> = appends
        .iter()
        .flat_map(|(key, updates)| updates.iter().map(move |update| (*key, update)))
        .collect();
    for run in runs(&rows) {
        let mut query = sqlx::query(AssertSqlSafe(sqlite_text(run.len())));
        for (key, update) in run {
            query = query
                .bind(key.data.project.as_str())
                .bind(&*key.data.key)
                .bind(key.epoch)
                .bind(update.document.as_str())
                .bind(update.seq)
                .bind(update.payload.as_ref());
        }
        let done = query.execute(&mut *conn).await.map_err(on("document_update"))?;
        all_or_fenced(done.rows_affected(), run.len())?;
    }
    Ok(())
}

/// Parameters have no numbers here: SQLite looks for those in a list of all of them.
fn sqlite_text(rows: usize) -> String {
    const ROW: &str = "(?, ?, ?, ?, ?, ?), ";
    let mut text = String::with_capacity(SQLITE_HEAD.len() + SQLITE_TAIL.len() + rows * ROW.len());
    text.push_str(SQLITE_HEAD);
    (0..rows).for_each(|_| text.push_str(ROW));
    text.truncate(text.len() - ", ".len());
    text.push_str(SQLITE_TAIL);
    text
}

async fn append_pooled(pool: &PgPool, (key, updates): &Args) -> Result<(), Fault> {
    let mut conn = pool.acquire().await.map_err(on("(connection)"))?;
    append_postgres(&mut conn, key, updates).await
}

async fn append_postgres(
    conn: &mut PgConnection,
    key: &RoomKey,
    updates: &[DocumentUpdate],
) -> Result<(), Fault> {
    let documents: Vec<&str> = updates.iter().map(|update| update.document.as_str()).collect();
    let seqs: Vec<i64> = updates.iter().map(|update| update.seq).collect();
    let payloads: Vec<&[u8]> = updates.iter().map(|update| update.payload.as_ref()).collect();
    let done = sqlx::query(POSTGRES)
        .bind(key.data.project.as_str())
        .bind(&*key.data.key)
        .bind(key.epoch)
        .bind(documents)
        .bind(seqs)
        .bind(payloads)
        .execute(conn)
        .await
        .map_err(on("document_update"))?;
    all_or_fenced(done.rows_affected(), updates.len())
}

fn all_or_fenced(inserted: u64, wanted: usize) -> Result<(), Fault> {
    match usize::try_from(inserted) == Ok(wanted) {
        true => Ok(()),
        false => Err(Fault::Rule(fenced())),
    }
}
