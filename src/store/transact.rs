//! Named transactions. The closure may run twice, so nothing but SQL belongs into it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::PgPool;
use tokio::sync::oneshot;

use super::Store;
use super::db::{Conn, Db, Tx};
use super::fault::{self, Fault, on};
use super::room_cache::Touched;
use super::turns::{Lane, Turns};
use super::writer::{Job, Ran};
use crate::error::Error;

/// Runs of one transaction before its caller is told that others keep winning.
const ATTEMPTS_MAX: u32 = 10;
const BACKOFF_FIRST_MS: u64 = 2;
const BACKOFF_MS_MAX: u64 = 200;

/// A transaction's text: `args` is lent to it, since it may need it again.
pub(super) trait Body<A, T>:
    for<'a> Fn(&'a mut Tx, &'a A) -> BoxFuture<'a, Result<T, Fault>> + Send + Sync + 'static
{
}
impl<A, T, F> Body<A, T> for F where
    F: for<'a> Fn(&'a mut Tx, &'a A) -> BoxFuture<'a, Result<T, Fault>> + Send + Sync + 'static
{
}

impl Store {
    /// Cancel safe: once it was polled, the transaction runs to its end even if the caller goes
    /// away, and `touched` leaves the cache after the commit and before the answer.
    pub(super) async fn transact<A, T>(
        &self,
        name: &'static str,
        touched: Touched,
        args: A,
        body: impl Body<A, T>,
    ) -> Result<T, Error>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let outcome = match (&self.inner.db, &self.inner.writer) {
            (Db::Sqlite(_), Some(writer)) => {
                let (reply, answer) = oneshot::channel();
                let job = SqliteJob::new(name, args, body, reply, touched);
                writer.submit(Box::new(job), self.patience()).await?;
                answer.await.map_err(|_| fault::unreachable("the writer was closed"))?
            }
            (Db::Sqlite(_), None) => Err(Fault::Rule(fault::unreachable("there is no writer"))),
            (Db::Postgres(pool), _) => {
                let gate = Gate {
                    pool: pool.clone(),
                    turns: Arc::clone(&self.inner.turns),
                    lane: self.lane,
                    limit: self.inner.call_timeout,
                };
                let run = async move {
                    let outcome = run_postgres(&gate, name, &args, &body).await;
                    drop(touched);
                    outcome
                };
                let task = self.inner.tasks.spawn(run);
                task.await.map_err(|error| Error::internal(format!("{name}: {error}")))?
            }
        };
        outcome.map_err(Error::from)
    }
}

pub(super) struct SqliteJob<A, T, F> {
    name: &'static str,
    args: A,
    body: F,
    outcome: Option<Result<T, Fault>>,
    reply: oneshot::Sender<Result<T, Fault>>,
    touched: Touched,
}

impl<A, T, F> SqliteJob<A, T, F> {
    pub(super) fn new(
        name: &'static str,
        args: A,
        body: F,
        reply: oneshot::Sender<Result<T, Fault>>,
        touched: Touched,
    ) -> Self {
        Self { name, args, body, outcome: None, reply, touched }
    }

    /// For a run together with others: what to do, and where its outcome goes.
    pub(super) fn parts(&mut self) -> (&A, &mut Option<Result<T, Fault>>) {
        (&self.args, &mut self.outcome)
    }
}

impl<A, T, F> Job for SqliteJob<A, T, F>
where
    A: Send + Sync + 'static,
    T: Send + 'static,
    F: Body<A, T>,
{
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Ran> {
        Box::pin(async move {
            tx.take_wrote();
            let run = AssertUnwindSafe(async { (self.body)(tx, &self.args).await });
            let outcome = run.catch_unwind().await.unwrap_or_else(|_| {
                Err(Fault::Rule(Error::internal(format!("{} panicked", self.name))))
            });
            let wrote = tx.take_wrote();
            let ran = match &outcome {
                Ok(_) => Ran::Clean,
                Err(Fault::Rule(_)) if !wrote => Ran::Clean,
                // A failed statement may have undone more than itself (a full disk does), so
                // even one that wrote nothing makes the group start over.
                Err(_) => Ran::Dirty,
            };
            self.outcome = Some(outcome);
            ran
        })
    }

    fn answer(self: Box<Self>, failed: Option<Error>) {
        let Self { outcome, reply, touched, name, .. } = *self;
        drop(touched);
        let answer = match (failed, outcome) {
            (Some(error), _) => Err(Fault::Rule(error)),
            (None, Some(outcome)) => outcome,
            (None, None) => Err(Fault::Rule(Error::internal(format!("{name} did not run")))),
        };
        // The caller may have gone away; what it wrote stays.
        drop(reply.send(answer));
    }
}

/// How a transaction comes to a connection, and for how long.
struct Gate {
    pool: PgPool,
    turns: Arc<Turns>,
    lane: Lane,
    limit: Duration,
}

async fn run_postgres<A, T>(
    gate: &Gate,
    name: &'static str,
    args: &A,
    body: &impl Body<A, T>,
) -> Result<T, Fault> {
    let mut attempt = 1;
    loop {
        // Between two runs it is the turn of others.
        let turn = gate.turns.take(gate.lane).await?;
        let limit = gate.limit;
        let once = tokio::time::timeout(limit, run_postgres_once(&gate.pool, args, body)).await;
        drop(turn);
        let outcome = match once {
            Ok(outcome) => outcome,
            Err(_) => Err(Fault::Rule(fault::unreachable(format!("{name} took over {limit:?}")))),
        };
        match outcome {
            Err(fault) if fault.is_conflict() && attempt < ATTEMPTS_MAX => {
                tracing::debug!(name, attempt, ?fault, "transaction lost a race, running it again");
                tokio::time::sleep(backoff(attempt)).await;
                attempt += 1;
            }
            other => return other,
        }
    }
}

/// `READ COMMITTED`: closures lock the rows that they read before they write them, which loses
/// nothing and makes a crowd queue up, where `SERIALIZABLE` would abort most of it again and again.
async fn run_postgres_once<A, T>(
    pool: &PgPool,
    args: &A,
    body: &impl Body<A, T>,
) -> Result<T, Fault> {
    let mut tx = Tx::new(Conn::Postgres(pool.begin().await.map_err(on("(transaction)"))?));
    // An error drops `tx`, which rolls back.
    let value = body(&mut tx, args).await?;
    if let Conn::Postgres(transaction) = tx.into_conn() {
        transaction.commit().await.map_err(on("(transaction)"))?;
    }
    Ok(value)
}

/// Exponential with full jitter, so that those who collided do not collide again in step.
fn backoff(attempt: u32) -> Duration {
    let cap_ms = BACKOFF_MS_MAX.min(BACKOFF_FIRST_MS << attempt.min(16));
    let mut random = [0; 8];
    // Without randomness the pause is merely the longest one.
    let share = match aws_lc_rs::rand::fill(&mut random) {
        Ok(()) => u64::from_le_bytes(random) % (cap_ms + 1),
        Err(_) => cap_ms,
    };
    Duration::from_millis(share)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::super::db::on_tx;
    use super::*;
    use crate::error::Code;
    use crate::store::{DatabaseOptions, Target};

    /// What a closure does after it wrote a secret of its name.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Then {
        Succeed,
        Fail,
        Panic,
    }

    async fn write_secret(tx: &mut Tx, name: &str, then: Then) -> Result<(), Fault> {
        const INSERT: &str = "INSERT INTO deployment_secret (name, secret) VALUES ($1, $2)";
        on_tx!(tx.write(), |c| sqlx::query(INSERT)
            .bind(name)
            .bind([7_u8; 32].as_slice())
            .execute(c)
            .await
            .map(drop))
        .map_err(on("deployment_secret"))?;
        match then {
            Then::Succeed => Ok(()),
            Then::Fail => Err(Fault::Rule(Error::missing("field"))),
            Then::Panic => panic!("a bug in a closure"),
        }
    }

    async fn run(store: &Store, name: &str, then: Then) -> Result<(), Error> {
        let args = (name.to_owned(), then);
        store
            .transact("test", Touched::nothing(), args, |tx, (name, then)| {
                Box::pin(write_secret(tx, name, *then))
            })
            .await
    }

    async fn count_secrets(store: &Store) -> usize {
        let names = store.transact("count", Touched::nothing(), (), |tx, ()| {
            Box::pin(async move {
                let rows: Vec<(String,)> = on_tx!(tx.read(), |c| {
                    sqlx::query_as("SELECT name FROM deployment_secret").fetch_all(c).await
                })
                .map_err(on("deployment_secret"))?;
                Ok(rows)
            })
        });
        names.await.unwrap().len()
    }

    #[tokio::test]
    async fn failures_and_panics_in_a_group_take_only_themselves_along() {
        let directory = tempfile::tempdir().unwrap();
        let target = Target::Sqlite { path: directory.path().join("t.db") };
        let store = Store::open(DatabaseOptions::new(target)).await.unwrap();
        for round in 0..3 {
            let calls: Vec<_> = (0..60)
                .map(|n| {
                    let then = [Then::Succeed, Then::Fail, Then::Panic][n % 3];
                    let (store, name) = (store.clone(), format!("{round}-{n}"));
                    (then, tokio::spawn(async move { run(&store, &name, then).await }))
                })
                .collect();
            for (then, call) in calls {
                let code = call.await.unwrap().map_err(|error| error.code());
                let expected = match then {
                    Then::Succeed => Ok(()),
                    Then::Fail => Err(Code::InvalidArgument),
                    Then::Panic => Err(Code::Internal),
                };
                assert_eq!(code, expected);
            }
            assert_eq!(count_secrets(&store).await, 20 * (round + 1));
        }
        let stats = store.pool_stats();
        assert!(stats.group_commits < stats.grouped_writes, "{stats:?}");
    }

    fn the_third_wins<'a>(_: &'a mut Tx, runs: &'a AtomicU32) -> BoxFuture<'a, Result<u32, Fault>> {
        let run = runs.fetch_add(1, Ordering::Relaxed) + 1;
        Box::pin(async move { if run == 3 { Ok(run) } else { Err(Fault::Retry("lost")) } })
    }

    #[tokio::test]
    async fn a_lost_race_runs_again_from_the_start() {
        let url = std::env::var("ROOMD_TEST_POSTGRES_URL")
            .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/test".to_owned());
        let pool = PgPool::connect(&url).await.expect("the tests need a PostgreSQL server");
        let runs = AtomicU32::new(0);
        let limit = Duration::from_secs(10);
        let turns = Arc::new(Turns::new(1, limit, limit));
        let gate = Gate { pool, turns, lane: Lane::Calls, limit };
        let third = run_postgres(&gate, "test", &runs, &the_third_wins).await.unwrap();
        assert_eq!(third, 3);
        let fault =
            run_postgres(&gate, "test", &AtomicU32::new(1000), &the_third_wins).await.unwrap_err();
        assert_eq!(Error::from(fault).code(), Code::Aborted);
    }
}
