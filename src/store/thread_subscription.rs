//! Who follows which thread, and what their inboxes tell of these threads.

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow};

use super::Store;
use super::comment_write::ThreadView;
use super::db::{Tx, on_db, on_tx};
use super::fault::{Fault, on};
use super::inbox::{InboxRow, select_inbox};
use super::inbox_changes::{ChangeTexts, Changes};
use super::room_cache::Touched;
use super::room_data::{DataKey, lock_data};
use super::thread_row::{SELECT_THREAD, ThreadRow};
use super::values::{list, runs, values};
use crate::domain::comment::{Visibility, thread_not_found};
use crate::domain::content_id::ThreadId;
use crate::domain::ctx::Guarded;
use crate::domain::ids::{ProjectId, RoomId, UserId};
use crate::domain::notification::{Notification, ThreadSubscription};
use crate::error::Error;

const INSERT: &str = "INSERT INTO thread_subscription (project_id, key, thread_id, user_id, \
    created_at_ms, updated_at_ms, deleted_at_ms) VALUES ";
/// Whoever follows it already has done so since then.
const FOLLOW_AGAIN: &str = " ON CONFLICT (project_id, key, thread_id, user_id) DO UPDATE SET \
    created_at_ms = CASE WHEN thread_subscription.deleted_at_ms IS NULL \
    THEN thread_subscription.created_at_ms ELSE excluded.created_at_ms END, \
    updated_at_ms = CASE WHEN thread_subscription.deleted_at_ms IS NULL \
    OR thread_subscription.updated_at_ms > excluded.updated_at_ms \
    THEN thread_subscription.updated_at_ms ELSE excluded.updated_at_ms END, \
    deleted_at_ms = NULL";
const LEAVE: &str = " ON CONFLICT (project_id, key, thread_id, user_id) DO UPDATE SET \
    updated_at_ms = CASE WHEN thread_subscription.updated_at_ms > excluded.updated_at_ms \
    THEN thread_subscription.updated_at_ms ELSE excluded.updated_at_ms END, \
    deleted_at_ms = CASE WHEN thread_subscription.deleted_at_ms IS NULL \
    THEN excluded.deleted_at_ms ELSE thread_subscription.deleted_at_ms END";
const LEAVE_ALL: &str = "UPDATE thread_subscription SET deleted_at_ms = $4, updated_at_ms = \
    CASE WHEN updated_at_ms > $4 THEN updated_at_ms ELSE $4 END \
    WHERE project_id = $1 AND key = $2 AND thread_id = $3 AND deleted_at_ms IS NULL";
const FIND: &str = "SELECT thread_id, user_id, created_at_ms, updated_at_ms, deleted_at_ms \
    FROM thread_subscription \
    WHERE project_id = $1 AND key = $2 AND thread_id = $3 AND user_id = $4";
const LIST: &str = "SELECT thread_id, user_id, created_at_ms, updated_at_ms, deleted_at_ms \
    FROM thread_subscription WHERE project_id = $1 AND key = $2 AND thread_id = $3 \
    AND deleted_at_ms IS NULL ORDER BY user_id";
const OF_USER: &str = "SELECT thread_id, user_id, created_at_ms, updated_at_ms, deleted_at_ms \
    FROM thread_subscription WHERE project_id = $1 AND key = $2 AND user_id = $3 \
    AND deleted_at_ms IS NULL AND thread_id IN ";
const READABLE: &str = "SELECT id, visibility FROM thread \
    WHERE project_id = $1 AND key = $2 AND id IN ";
const NOTIFICATIONS_OF_USER: &str = select_inbox!(
    "n.key = $2 AND n.user_id = $3 AND n.organization_id = '' AND n.kind = 'thread' \
     AND n.subject_id IN "
);
const NOTIFICATIONS_OF_THREAD: &str =
    select_inbox!("n.key = $2 AND n.kind = 'thread' AND n.subject_id = $3 ORDER BY n.user_id");
/// A subscription outlives its room for a while, and nobody is told of it.
const CHANGES: ChangeTexts = ChangeTexts {
    table: "thread_subscription",
    since: "SELECT s.thread_id, s.user_id, s.created_at_ms, s.updated_at_ms, s.deleted_at_ms, \
        d.room_id, s.key FROM thread_subscription s \
        JOIN room_data d ON d.project_id = s.project_id AND d.key = s.key \
        WHERE s.project_id = $1 AND s.user_id = $2 AND s.updated_at_ms >= $3 \
        ORDER BY s.updated_at_ms, s.key, s.thread_id LIMIT $4",
    at: "SELECT s.thread_id, s.user_id, s.created_at_ms, s.updated_at_ms, s.deleted_at_ms, \
        d.room_id, s.key FROM thread_subscription s \
        JOIN room_data d ON d.project_id = s.project_id AND d.key = s.key \
        WHERE s.project_id = $1 AND s.user_id = $2 AND s.updated_at_ms = $3 \
        ORDER BY s.key, s.thread_id LIMIT $4",
};

/// A change of a user's subscriptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionChange {
    pub room: RoomId,
    pub key: DataKey,
    pub subscription: ThreadSubscription,
}

/// Somebody who follows a thread or leaves it.
pub(super) struct Follower<'a> {
    pub key: &'a DataKey,
    pub thread: &'a str,
    pub user: UserId,
    pub at_ms: i64,
}

#[derive(FromRow)]
struct SubscriptionRow {
    thread_id: String,
    user_id: String,
    created_at_ms: i64,
    updated_at_ms: i64,
    deleted_at_ms: Option<i64>,
}

#[derive(FromRow)]
struct ChangeRow {
    #[sqlx(flatten)]
    subscription: SubscriptionRow,
    room_id: String,
    key: String,
}

impl From<SubscriptionRow> for ThreadSubscription {
    fn from(row: SubscriptionRow) -> Self {
        Self {
            thread: ThreadId::trusted(row.thread_id),
            user: UserId::trusted(row.user_id),
            created_at_ms: row.created_at_ms,
            deleted_at_ms: row.deleted_at_ms,
        }
    }
}

impl Store {
    /// Makes a user follow a thread, or not any more. Not found, if there is no such thread or the
    /// view does not cover it.
    pub async fn follow_thread(
        &self,
        view: &ThreadView,
        (thread, user): (&ThreadId, &UserId),
        follows: bool,
        now_ms: i64,
    ) -> Result<ThreadSubscription, Error> {
        let stamp = self.stamp_for(&view.key.project, user, now_ms);
        let args = (view.clone(), thread.clone(), user.clone(), follows, stamp);
        self.transact("follow_thread", Touched::nothing(), args, |tx, args| {
            Box::pin(async move {
                let (view, thread, user, follows, stamp) = args;
                lock_data(tx, &view.key).await?;
                check_readable(tx, view, thread).await?;
                let (key, thread, at_ms) = (&view.key, thread.as_str(), stamp.ms());
                upsert(tx, &[Follower { key, thread, user: user.clone(), at_ms }], *follows)
                    .await?;
                let row: SubscriptionRow = on_tx!(tx.read(), |c| sqlx::query_as(FIND)
                    .bind(view.key.project.as_str())
                    .bind(&*view.key.key)
                    .bind(thread)
                    .bind(user.as_str())
                    .fetch_one(c)
                    .await)
                .map_err(on("thread_subscription"))?;
                Ok(ThreadSubscription::from(row))
            })
        })
        .await
    }

    /// Who follows a thread; not found as in [`Store::follow_thread`].
    pub async fn list_thread_subscriptions(
        &self,
        view: &ThreadView,
        thread: &ThreadId,
    ) -> Result<Vec<ThreadSubscription>, Error> {
        self.check_thread(view, thread).await?;
        let rows: Vec<SubscriptionRow> = self
            .read("thread_subscription", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(LIST)
                    .bind(view.key.project.as_str())
                    .bind(&*view.key.key)
                    .bind(thread.as_str())
                    .fetch_all(c)
                    .await)
            })
            .await?;
        Ok(rows.into_iter().map(ThreadSubscription::from).collect())
    }

    /// What the inboxes of all users tell of a thread; not found as in [`Store::follow_thread`].
    pub async fn list_thread_notifications(
        &self,
        view: &ThreadView,
        thread: &ThreadId,
    ) -> Result<Vec<Guarded<Notification>>, Error> {
        self.check_thread(view, thread).await?;
        let rows: Vec<InboxRow> = self
            .read("inbox_notification", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(NOTIFICATIONS_OF_THREAD)
                    .bind(view.key.project.as_str())
                    .bind(&*view.key.key)
                    .bind(thread.as_str())
                    .fetch_all(c)
                    .await)
            })
            .await?;
        let entries = rows.into_iter().map(|row| row.into_entry(&view.key.project));
        entries.map(|entry| entry.map(|entry| entry.notification)).collect()
    }

    /// Which of these threads, all of which the caller may read, a user follows.
    pub async fn thread_subscriptions(
        &self,
        key: &DataKey,
        user: &UserId,
        threads: &[ThreadId],
    ) -> Result<Vec<ThreadSubscription>, Error> {
        let place = ("thread_subscription", OF_USER, key, user);
        let rows: Vec<SubscriptionRow> = self.of_threads(place, threads).await?;
        Ok(rows.into_iter().map(ThreadSubscription::from).collect())
    }

    /// What a user's inbox tells of these threads.
    pub async fn thread_notifications(
        &self,
        key: &DataKey,
        user: &UserId,
        threads: &[ThreadId],
    ) -> Result<Vec<Guarded<Notification>>, Error> {
        let place = ("inbox_notification", NOTIFICATIONS_OF_USER, key, user);
        let rows: Vec<InboxRow> = self.of_threads(place, threads).await?;
        let entries = rows.into_iter().map(|row| row.into_entry(&key.project));
        entries.map(|entry| entry.map(|entry| entry.notification)).collect()
    }

    /// The subscriptions of a user that changed at `since_ms` or later: about `limit`.
    pub async fn list_subscription_changes(
        &self,
        project: &ProjectId,
        user: &UserId,
        since_ms: i64,
        limit: usize,
    ) -> Result<Changes<SubscriptionChange>, Error> {
        let at = |row: &ChangeRow| row.subscription.updated_at_ms;
        let rows = self.user_changes(&CHANGES, (project, user), (since_ms, limit), at).await?;
        rows.try_map(|row| {
            Ok(SubscriptionChange {
                room: RoomId::trusted(row.room_id),
                key: DataKey { project: project.clone(), key: row.key.into() },
                subscription: row.subscription.into(),
            })
        })
    }

    /// Those of these threads that the view covers, in no particular order; also those that are gone,
    /// since who followed one to its end is told of that.
    pub async fn readable_threads(
        &self,
        view: &ThreadView,
        threads: &[ThreadId],
    ) -> Result<Vec<ThreadId>, Error> {
        let mut found = Vec::with_capacity(threads.len());
        for run in runs(threads) {
            let text = list(READABLE, 3, run.len(), "");
            let rows: Vec<(String, String)> = self
                .read("thread", async {
                    on_db!(&self.inner.db, |c| {
                        let mut query = sqlx::query_as(AssertSqlSafe(text))
                            .bind(view.key.project.as_str())
                            .bind(&*view.key.key);
                        for thread in run {
                            query = query.bind(thread.as_str());
                        }
                        query.fetch_all(c).await
                    })
                })
                .await?;
            for (id, visibility) in rows {
                if view.right.covers(Visibility::parse(&visibility)?) {
                    found.push(ThreadId::trusted(id));
                }
            }
        }
        Ok(found)
    }

    async fn check_thread(&self, view: &ThreadView, thread: &ThreadId) -> Result<(), Error> {
        let row: Option<ThreadRow> =
            self.find_in_room("thread", SELECT_THREAD, &view.key, thread.as_str()).await?;
        check_row(row, view)
    }

    async fn of_threads<R>(
        &self,
        (table, select, key, user): (&'static str, &'static str, &DataKey, &UserId),
        threads: &[ThreadId],
    ) -> Result<Vec<R>, Error>
    where
        R: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let mut found = Vec::new();
        for run in runs(threads) {
            let text = list(select, 4, run.len(), "");
            let rows: Vec<R> = self
                .read(table, async {
                    on_db!(&self.inner.db, |c| {
                        let mut query = sqlx::query_as(AssertSqlSafe(text))
                            .bind(key.project.as_str())
                            .bind(&*key.key)
                            .bind(user.as_str());
                        for thread in run {
                            query = query.bind(thread.as_str());
                        }
                        query.fetch_all(c).await
                    })
                })
                .await?;
            found.extend(rows);
        }
        Ok(found)
    }
}

fn check_row(row: Option<ThreadRow>, view: &ThreadView) -> Result<(), Error> {
    match row {
        Some(row) if row.is_covered_by(view.right)? => Ok(()),
        _ => Err(thread_not_found()),
    }
}

async fn check_readable(tx: &mut Tx, view: &ThreadView, thread: &ThreadId) -> Result<(), Fault> {
    let row: Option<ThreadRow> = on_tx!(tx.read(), |c| sqlx::query_as(SELECT_THREAD)
        .bind(view.key.project.as_str())
        .bind(&*view.key.key)
        .bind(thread.as_str())
        .fetch_optional(c)
        .await)
    .map_err(on("thread"))?;
    Ok(check_row(row, view)?)
}

/// Makes users follow threads.
pub(super) async fn follow(tx: &mut Tx, followers: &[Follower<'_>]) -> Result<(), Fault> {
    upsert(tx, followers, true).await
}

/// When a thread goes.
pub(super) async fn unfollow_all(
    tx: &mut Tx,
    (key, thread): (&DataKey, &str),
    now_ms: i64,
) -> Result<(), Fault> {
    on_tx!(tx.write(), |c| sqlx::query(LEAVE_ALL)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(thread)
        .bind(now_ms)
        .execute(c)
        .await
        .map(drop))
    .map_err(on("thread_subscription"))
}

async fn upsert(tx: &mut Tx, followers: &[Follower<'_>], follows: bool) -> Result<(), Fault> {
    for run in runs(followers) {
        let text = values(INSERT, run.len(), 7, if follows { FOLLOW_AGAIN } else { LEAVE });
        on_tx!(tx.write(), |c| {
            let mut query = sqlx::query(AssertSqlSafe(text));
            for Follower { key, thread, user, at_ms } in run {
                query = query
                    .bind(key.project.as_str())
                    .bind(&*key.key)
                    .bind(*thread)
                    .bind(user.as_str())
                    .bind(*at_ms)
                    .bind(*at_ms)
                    .bind((!follows).then_some(*at_ms));
            }
            query.execute(c).await.map(drop)
        })
        .map_err(on("thread_subscription"))?;
    }
    Ok(())
}
