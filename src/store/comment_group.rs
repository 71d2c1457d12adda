//! Adding comments, many in a few statements.
//!
//! As with new rooms, each statement is a trip to SQLite's thread and back, so the writer hands over
//! all plain comments of a group at once. A comment that is there already makes the group start
//! over, one comment after the other.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use sqlx::{AssertSqlSafe, FromRow};
use tokio::sync::oneshot;

use super::Store;
use super::comment::{Inserted, count_in, create, new_comment};
use super::comment_write::{CommentScope, follow};
use super::db::{Db, Tx, on_tx};
use super::fault::{self, Fault, on};
use super::room_cache::Touched;
use super::select_at::{nth, select_at};
use super::stamps::Stamp;
use super::thread_row::{ThreadRow, thread_columns};
use super::transact::SqliteJob;
use super::values::{PADDED_ROWS_MAX, padded};
use super::writer::{Job, Ran, Sharing};
use crate::domain::comment::{
    ActivityKind, CommentActivity, CommentDraft, Visibility, thread_not_found,
};
use crate::domain::content_id::ThreadId;
use crate::error::Error;

const SELECT_THREADS: &str = concat!(
    "SELECT place, ",
    thread_columns!(),
    " FROM wanted CROSS JOIN thread WHERE project_id = a AND key = b AND id = c \
     AND deleted_at_ms IS NULL"
);
/// `OR FAIL` lets SQLite do without a copy of each page that it changes: what a statement that
/// failed has written is undone with the whole group.
const INSERT_COMMENTS: &str = "INSERT OR FAIL INTO comment \
    (project_id, key, id, thread_id, seq, visibility, user_id, created_at_ms, body, metadata, \
    attachments, reactions_count) SELECT *, '[]', 0 FROM (VALUES ";
const UNLESS_PADDING: &str = ") WHERE column1 IS NOT NULL";
const SAVE_THREADS: &str = "WITH saved (of_project, of_key, of_id, updated, counted, living, size) \
    AS (VALUES ";
const SAVE_TAIL: &str = ") UPDATE OR FAIL thread SET updated_at_ms = updated, \
    comments_count = counted, comments_living = living, bytes = size FROM saved \
    WHERE project_id = of_project AND key = of_key AND id = of_id";

pub(super) type Args = (CommentScope, ThreadId, CommentDraft, Stamp);
type Outcome = (Visibility, Inserted);
type Create = for<'a> fn(&'a mut Tx, &'a Args) -> BoxFuture<'a, Result<Outcome, Fault>>;

impl Store {
    pub(super) async fn insert_comment(&self, args: Args) -> Result<Outcome, Error> {
        let name = "create_comment";
        match (&self.inner.db, &self.inner.writer) {
            (Db::Sqlite(_), Some(writer)) if args.2.attachment_ids.is_empty() => {
                let (reply, answer) = oneshot::channel();
                let job = SqliteJob::new(name, args, create_one as _, reply, Touched::nothing());
                writer.submit(Box::new(CommentJob(job)), self.patience()).await?;
                let answer = answer.await.map_err(|_| fault::unreachable("the writer was closed"));
                Ok(answer??)
            }
            (Db::Sqlite(_) | Db::Postgres(_), _) => {
                self.transact(name, Touched::nothing(), args, create_one).await
            }
        }
    }
}

fn create_one<'a>(
    tx: &'a mut Tx,
    (scope, thread, draft, stamp): &'a Args,
) -> BoxFuture<'a, Result<Outcome, Fault>> {
    Box::pin(create(tx, scope, thread, (draft, stamp.ms())))
}

/// A job that the writer may run together with others of its kind.
struct CommentJob(SqliteJob<Args, Outcome, Create>);

/// What a group needs of one [`CommentJob`].
pub(super) struct Commenting<'a> {
    args: &'a Args,
    outcome: &'a mut Option<Result<Outcome, Fault>>,
}

impl Job for CommentJob {
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Ran> {
        self.0.run(tx)
    }

    fn answer(self: Box<Self>, failed: Option<Error>) {
        Box::new(self.0).answer(failed);
    }

    fn sharing(&self) -> Sharing {
        Sharing::Comments
    }

    fn commenting(&mut self) -> Option<Commenting<'_>> {
        let (args, outcome) = self.0.parts();
        Some(Commenting { args, outcome })
    }
}

/// Project, key and id.
type Place<'a> = [&'a str; 3];

#[derive(FromRow)]
struct PlacedThread {
    place: i64,
    #[sqlx(flatten)]
    row: ThreadRow,
}

struct ThreadState {
    row: ThreadRow,
    is_changed: bool,
}

/// A comment that its thread takes, with its number there.
struct Taken<'a> {
    args: &'a Args,
    seq: i64,
    visibility: &'static str,
    activity: CommentActivity,
}

fn place((scope, thread, ..): &Args) -> Place<'_> {
    [scope.view.key.project.as_str(), &scope.view.key.key, thread.as_str()]
}

/// Adds many comments as one. After an error nothing may stay of any of them.
pub(super) async fn comment_group(tx: &mut Tx, comments: Vec<Commenting<'_>>) -> Result<(), Fault> {
    let mut places: Vec<Place<'_>> = comments.iter().map(|comment| place(comment.args)).collect();
    places.sort_unstable();
    places.dedup();
    let mut threads = read_threads(tx, &places).await?;
    let mut taken = Vec::with_capacity(comments.len());
    for Commenting { args, outcome } in comments {
        let (scope, thread, draft, stamp) = args;
        let result = take(threads.get_mut(&place(args)), args).map(|(visibility, comment)| {
            taken.push(comment);
            let comment = new_comment(scope, thread.as_str(), (draft, stamp.ms()));
            (visibility, Inserted::New(comment))
        });
        *outcome = Some(result.map_err(Fault::Rule));
    }
    insert_rows(tx, &taken).await?;
    let changed: Vec<_> = threads.into_iter().filter(|(_, thread)| thread.is_changed).collect();
    save_threads(tx, &changed).await?;
    let happened = taken.iter().map(|taken| (&taken.args.0.view.key, &taken.activity));
    follow(tx, &happened.collect::<Vec<_>>()).await
}

/// The next comment of a thread, if it may be written and the thread takes it.
fn take<'a>(
    thread: Option<&mut ThreadState>,
    args: &'a Args,
) -> Result<(Visibility, Taken<'a>), Error> {
    let (scope, _, draft, stamp) = args;
    let thread = thread.ok_or_else(thread_not_found)?;
    thread.row.check_writable(scope)?;
    let visibility = thread.row.visibility()?;
    let seq = thread.row.comments_count;
    let mut longer = thread.row.clone();
    count_in(&mut longer, (draft, stamp.ms()))?;
    let kind = ActivityKind::CommentCreated(draft.id.clone());
    let activity = scope.activity(&longer, kind)?.saying(&draft.body, false);
    *thread = ThreadState { row: longer, is_changed: true };
    Ok((visibility, Taken { args, seq, visibility: visibility.as_str(), activity }))
}

async fn read_threads<'a>(
    tx: &mut Tx,
    places: &[Place<'a>],
) -> Result<HashMap<Place<'a>, ThreadState>, Fault> {
    let rows: Vec<PlacedThread> = select_at(tx, "thread", SELECT_THREADS, places).await?;
    let mut found = HashMap::with_capacity(rows.len());
    for PlacedThread { place, row } in rows {
        found.insert(nth(places, place)?, ThreadState { row, is_changed: false });
    }
    Ok(found)
}

async fn insert_rows(tx: &mut Tx, comments: &[Taken<'_>]) -> Result<(), Fault> {
    for run in comments.chunks(PADDED_ROWS_MAX) {
        let text = padded(INSERT_COMMENTS, run.len(), 10, UNLESS_PADDING);
        on_tx!(tx.write(), |c| {
            let mut query = sqlx::query(AssertSqlSafe(text));
            for Taken { args, seq, visibility, .. } in run {
                let (scope, thread, draft, stamp) = *args;
                query = query
                    .bind(scope.view.key.project.to_arc())
                    .bind(Arc::clone(&scope.view.key.key))
                    .bind(draft.id.to_arc())
                    .bind(thread.to_arc())
                    .bind(*seq)
                    .bind(*visibility)
                    .bind(draft.user_id.to_arc())
                    .bind(draft.created_at_ms.unwrap_or(stamp.ms()))
                    .bind(draft.body.to_arc())
                    .bind(draft.metadata.to_text());
            }
            query.execute(c).await.map(drop)
        })
        .map_err(on("comment"))?;
    }
    Ok(())
}

async fn save_threads(tx: &mut Tx, threads: &[(Place<'_>, ThreadState)]) -> Result<(), Fault> {
    for run in threads.chunks(PADDED_ROWS_MAX) {
        let text = padded(SAVE_THREADS, run.len(), 7, SAVE_TAIL);
        on_tx!(tx.write(), |c| {
            let mut query = sqlx::query(AssertSqlSafe(text));
            for ([project, key, id], ThreadState { row, .. }) in run {
                query = query
                    .bind(*project)
                    .bind(*key)
                    .bind(*id)
                    .bind(row.updated_at_ms)
                    .bind(row.comments_count)
                    .bind(row.comments_living)
                    .bind(row.bytes);
            }
            query.execute(c).await.map(drop)
        })
        .map_err(on("thread"))?;
    }
    Ok(())
}
