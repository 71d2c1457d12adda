//! SQLite's one writer, with group commit: the writes that wait while the disk syncs share the
//! next sync. A write is answered after the commit that holds it, never before.
//!
//! Invariant: the task owns the only writing connection, and nothing that a job does, including a
//! panic, ends the task.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{mpsc, oneshot};

use super::comment_group::{Commenting, comment_group};
use super::db::{Conn, Tx};
use super::document_append::{Appending, append_group};
use super::fault::{self, Fault, on};
use super::room_insert::{Insertion, insert_group};
use crate::error::{Error, chain};

/// Writes that may wait for the writer; more callers wait to be let into the queue.
const QUEUE_LEN_MAX: usize = 4096;

/// What one run of a job did to the open transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ran {
    /// It succeeded, or it failed before it wrote anything: the transaction is as it should be.
    Clean,
    /// It failed and may have written something that must not stay.
    Dirty,
}

/// Kinds of jobs that come in crowds, in the order in which a group runs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sharing {
    /// They create a room each.
    Insertions,
    /// They append to the documents of a room each.
    Appends,
    /// They add a comment to a thread each.
    Comments,
    Nothing,
}

/// One caller's transaction.
pub(super) trait Job: Send {
    /// May be called twice; the last call counts.
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Ran>;
    /// With which others of its group this shares statements.
    fn sharing(&self) -> Sharing {
        Sharing::Nothing
    }
    fn insertion(&mut self) -> Option<Insertion<'_>> {
        None
    }
    fn appending(&mut self) -> Option<Appending<'_>> {
        None
    }
    fn commenting(&mut self) -> Option<Commenting<'_>> {
        None
    }
    /// After the commit, or after it failed. The caller may have gone away.
    fn answer(self: Box<Self>, failed: Option<Error>);
}

enum Message {
    Job(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

/// The handle to the writer's task.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Message>,
    counts: Arc<WriterCounts>,
}

/// How well grouping works: writes per group.
#[derive(Debug, Default)]
pub(super) struct WriterCounts {
    pub(super) groups: AtomicU64,
    pub(super) writes: AtomicU64,
}

impl Writer {
    pub(super) fn start(
        conn: sqlx::SqliteConnection,
        options: SqliteConnectOptions,
        group_commit_max: usize,
    ) -> Self {
        let (queue, inbox) = mpsc::channel(QUEUE_LEN_MAX);
        let counts = Arc::new(WriterCounts::default());
        let task = Task { tx: Tx::new(Conn::Sqlite(conn)), options, counts: Arc::clone(&counts) };
        tokio::spawn(task.run(inbox, group_commit_max.clamp(1, QUEUE_LEN_MAX)));
        Self { queue, counts }
    }

    /// Waits at most `patience` to be let into the queue.
    pub(super) async fn submit(&self, job: Box<dyn Job>, patience: Duration) -> Result<(), Error> {
        match self.queue.send_timeout(Message::Job(job), patience).await {
            Ok(()) => Ok(()),
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
                Err(fault::busy("the writer's queue is full"))
            }
            Err(mpsc::error::SendTimeoutError::Closed(_)) => {
                Err(fault::unreachable("the writer was closed"))
            }
        }
    }

    /// Lets everything that was submitted be committed, then closes the file.
    pub(super) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.send(Message::Close(done)).await.is_ok() {
            // An error means that another call to close was quicker.
            drop(closed.await);
        }
    }

    pub(super) fn counts(&self) -> &WriterCounts {
        &self.counts
    }

    pub(super) fn queue_len(&self) -> usize {
        QUEUE_LEN_MAX - self.queue.capacity()
    }
}

struct Task {
    tx: Tx,
    options: SqliteConnectOptions,
    counts: Arc<WriterCounts>,
}

impl Task {
    async fn run(mut self, mut inbox: mpsc::Receiver<Message>, group_max: usize) {
        let mut messages = Vec::with_capacity(group_max);
        let mut jobs: Vec<Box<dyn Job>> = Vec::with_capacity(group_max);
        let mut closing = Vec::new();
        while closing.is_empty() && inbox.recv_many(&mut messages, group_max).await > 0 {
            for message in messages.drain(..) {
                match message {
                    Message::Job(job) => jobs.push(job),
                    Message::Close(done) => closing.push(done),
                }
            }
            self.commit_and_answer(&mut jobs).await;
        }
        // Whoever got into the queue after the call to close finds a closed channel, not silence.
        drop(inbox);
        if let Conn::Sqlite(conn) = self.tx.into_conn()
            && let Err(error) = conn.close().await
        {
            tracing::warn!(error = %chain(&error), "failed to close the database file");
        }
        for done in closing {
            // An error means that whoever asked for it stopped waiting.
            let _ = done.send(());
        }
    }

    async fn commit_and_answer(&mut self, jobs: &mut Vec<Box<dyn Job>>) {
        if jobs.is_empty() {
            return;
        }
        match self.commit_group(jobs).await {
            Ok(()) => {
                let writes = u64::try_from(jobs.len()).unwrap_or(u64::MAX);
                self.counts.groups.fetch_add(1, Ordering::Relaxed);
                self.counts.writes.fetch_add(writes, Ordering::Relaxed);
                jobs.drain(..).for_each(|job| job.answer(None));
            }
            Err(fault) => {
                self.abandon().await;
                let error = Error::from(fault);
                tracing::error!(error = %chain(&error), writes = jobs.len(), "failed to commit");
                for job in jobs.drain(..) {
                    job.answer(Some(fault::same_kind(&error)));
                }
            }
        }
    }

    /// In the common case no savepoint is taken: each costs as much as a small write. Only when a
    /// job leaves something behind is the group undone and run again with a savepoint per job.
    async fn commit_group(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), Fault> {
        self.begin().await?;
        if self.run_all(jobs).await == Ran::Dirty {
            self.statement("ROLLBACK").await.or_else(no_transaction_is_fine)?;
            if jobs.len() == 1 {
                return Ok(());
            }
            self.begin().await?;
            self.run_each_in_a_savepoint(jobs).await?;
        }
        self.statement("COMMIT").await
    }

    /// Callers whose writes are in one group are concurrent, so any order will do; but those of one
    /// kind keep theirs.
    async fn run_all(&mut self, jobs: &mut [Box<dyn Job>]) -> Ran {
        jobs.sort_by_key(|job| job.sharing());
        for run in jobs.chunk_by_mut(|a, b| a.sharing() == b.sharing()) {
            if self.run_alike(run).await == Ran::Dirty {
                return Ran::Dirty;
            }
        }
        Ran::Clean
    }

    /// Runs jobs that share the same, together if there is more than one.
    async fn run_alike(&mut self, jobs: &mut [Box<dyn Job>]) -> Ran {
        let sharing = jobs.first().map_or(Sharing::Nothing, |job| job.sharing());
        match (sharing, jobs.len()) {
            (Sharing::Insertions, 2..) => {
                let insertions = jobs.iter_mut().filter_map(|job| job.insertion()).collect();
                clean_if_ok(insert_group(&mut self.tx, insertions)).await
            }
            (Sharing::Appends, 2..) => {
                let appends = jobs.iter_mut().filter_map(|job| job.appending()).collect();
                clean_if_ok(append_group(&mut self.tx, appends)).await
            }
            (Sharing::Comments, 2..) => {
                let comments = jobs.iter_mut().filter_map(|job| job.commenting()).collect();
                clean_if_ok(comment_group(&mut self.tx, comments)).await
            }
            (_, _) => {
                for job in jobs {
                    if job.run(&mut self.tx).await == Ran::Dirty {
                        return Ran::Dirty;
                    }
                }
                Ran::Clean
            }
        }
    }

    async fn run_each_in_a_savepoint(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), Fault> {
        for job in jobs {
            self.statement("SAVEPOINT job").await?;
            if job.run(&mut self.tx).await == Ran::Dirty {
                self.statement("ROLLBACK TO job").await?;
            }
            self.statement("RELEASE job").await?;
        }
        Ok(())
    }

    async fn begin(&mut self) -> Result<(), Fault> {
        match self.statement("BEGIN IMMEDIATE").await {
            Err(Fault::Sql { error: sqlx::Error::WorkerCrashed, .. }) => {
                let conn = self.options.connect().await.map_err(on("(connection)"))?;
                self.tx = Tx::new(Conn::Sqlite(conn));
                self.statement("BEGIN IMMEDIATE").await
            }
            other => other,
        }
    }

    /// Leaves no open transaction behind, whatever state the failure left the connection in.
    async fn abandon(&mut self) {
        if let Err(fault) = self.statement("ROLLBACK").await.or_else(no_transaction_is_fine) {
            let error = Error::from(fault);
            tracing::warn!(error = %chain(&error), "failed to roll a group of writes back");
        }
    }

    async fn statement(&mut self, text: &'static str) -> Result<(), Fault> {
        match self.tx.read() {
            Conn::Sqlite(conn) => {
                sqlx::query(text).execute(conn).await.map_err(on("(transaction)"))?;
                Ok(())
            }
            Conn::Postgres(_) => Ok(()),
        }
    }
}

/// An error or a panic leaves something to undo.
async fn clean_if_ok(run: impl Future<Output = Result<(), Fault>>) -> Ran {
    match AssertUnwindSafe(run).catch_unwind().await {
        Ok(Ok(())) => Ran::Clean,
        Ok(Err(_)) | Err(_) => Ran::Dirty,
    }
}

/// A full disk and the like make SQLite roll back on its own.
fn no_transaction_is_fine(fault: Fault) -> Result<(), Fault> {
    match &fault {
        Fault::Sql { error: sqlx::Error::Database(error), .. }
            if error.message().contains("no transaction is active") =>
        {
            Ok(())
        }
        Fault::Sql { .. } | Fault::Rule(_) | Fault::Retry(_) => Err(fault),
    }
}
