//! What changed in an inbox since a moment, in pieces that an answer can hold.

use sqlx::FromRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::Store;
use super::db::on_db;
use super::feed::one_more;
use super::inbox::{InboxEntry, InboxRow, select_inbox};
use crate::domain::content_id::NotificationId;
use crate::domain::ids::{ProjectId, RoomId, UserId};
use crate::domain::notification::InboxDeletion;
use crate::error::Error;

const CHANGES: ChangeTexts = ChangeTexts {
    table: "inbox_notification",
    since: select_inbox!(
        "n.user_id = $2 AND n.updated_at_ms >= $3 ORDER BY n.updated_at_ms, n.id LIMIT $4"
    ),
    at: select_inbox!("n.user_id = $2 AND n.updated_at_ms = $3 ORDER BY n.id LIMIT $4"),
};
/// A tombstone outlives its room, whose id nobody knows then.
const DELETIONS: ChangeTexts = ChangeTexts {
    table: "inbox_deletion",
    since: "SELECT n.id, n.deleted_at_ms, d.room_id FROM inbox_deletion n \
        LEFT JOIN room_data d ON d.project_id = n.project_id AND d.key = n.key \
        WHERE n.project_id = $1 AND n.user_id = $2 AND n.deleted_at_ms >= $3 \
        ORDER BY n.deleted_at_ms, n.id LIMIT $4",
    at: "SELECT n.id, n.deleted_at_ms, d.room_id FROM inbox_deletion n \
        LEFT JOIN room_data d ON d.project_id = n.project_id AND d.key = n.key \
        WHERE n.project_id = $1 AND n.user_id = $2 AND n.deleted_at_ms = $3 \
        ORDER BY n.id LIMIT $4",
};

/// Whether a poll has anything to tell, in one look.
const CHANGED: &str = "SELECT 1 WHERE EXISTS (SELECT 1 FROM inbox_notification \
    WHERE project_id = $1 AND user_id = $2 AND updated_at_ms >= $3) \
    OR EXISTS (SELECT 1 FROM inbox_deletion \
    WHERE project_id = $1 AND user_id = $2 AND deleted_at_ms >= $3) \
    OR EXISTS (SELECT 1 FROM thread_subscription \
    WHERE project_id = $1 AND user_id = $2 AND updated_at_ms >= $3)";

/// How changes of a user's are asked for, in the order in which they came.
pub(super) struct ChangeTexts {
    pub table: &'static str,
    /// With project, user, moment and limit.
    pub since: &'static str,
    /// The same, of exactly this moment.
    pub at: &'static str,
}

/// Changes in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes<T> {
    pub entries: Vec<T>,
    /// Where to go on, if there is more.
    pub more_from_ms: Option<i64>,
}

#[derive(FromRow)]
struct DeletionRow {
    id: String,
    deleted_at_ms: i64,
    room_id: Option<String>,
}

impl<T> Changes<T> {
    pub(super) fn try_map<R>(
        self,
        map: impl FnMut(T) -> Result<R, Error>,
    ) -> Result<Changes<R>, Error> {
        let entries = self.entries.into_iter().map(map).collect::<Result<_, _>>()?;
        Ok(Changes { entries, more_from_ms: self.more_from_ms })
    }
}

impl Store {
    /// Whether anything of a user's changed at `since_ms` or later: notifications, subscriptions.
    pub async fn inbox_changed_since(
        &self,
        project: &ProjectId,
        user: &UserId,
        since_ms: i64,
    ) -> Result<bool, Error> {
        let found = self
            .read("inbox_notification", async {
                on_db!(&self.inner.db, |c| sqlx::query(CHANGED)
                    .bind(project.as_str())
                    .bind(user.as_str())
                    .bind(since_ms)
                    .fetch_optional(c)
                    .await
                    .map(|row| row.is_some()))
            })
            .await?;
        Ok(found)
    }

    /// The notifications that are new or changed at `since_ms` or later: about `limit`.
    pub async fn list_inbox_changes(
        &self,
        project: &ProjectId,
        user: &UserId,
        since_ms: i64,
        limit: usize,
    ) -> Result<Changes<InboxEntry>, Error> {
        let at = |row: &InboxRow| row.updated_at_ms;
        let rows = self.user_changes(&CHANGES, (project, user), (since_ms, limit), at).await?;
        rows.try_map(|row| row.into_entry(project))
    }

    /// The notifications that were deleted at `since_ms` or later: about `limit`.
    pub async fn list_inbox_deletions(
        &self,
        project: &ProjectId,
        user: &UserId,
        since_ms: i64,
        limit: usize,
    ) -> Result<Changes<InboxDeletion>, Error> {
        let at = |row: &DeletionRow| row.deleted_at_ms;
        let rows = self.user_changes(&DELETIONS, (project, user), (since_ms, limit), at).await?;
        rows.try_map(|row| {
            let id = NotificationId::trusted(row.id);
            let room = row.room_id.map(RoomId::trusted);
            Ok(InboxDeletion { id, room, deleted_at_ms: row.deleted_at_ms })
        })
    }

    /// Whole moments, since there is no place to go on within one; if more happened at one moment
    /// than is wanted, such as marking everything as read, all of it.
    pub(super) async fn user_changes<R>(
        &self,
        texts: &ChangeTexts,
        whose: (&ProjectId, &UserId),
        (since_ms, limit): (i64, usize),
        at: impl Fn(&R) -> i64,
    ) -> Result<Changes<R>, Error>
    where
        R: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let bounds = (since_ms, one_more(limit));
        let mut entries: Vec<R> = self.user_rows((texts.table, texts.since), whose, bounds).await?;
        let Some(last_ms) = entries.last().filter(|_| entries.len() > limit).map(&at) else {
            return Ok(Changes { entries, more_from_ms: None });
        };
        entries.retain(|row| at(row) < last_ms);
        if !entries.is_empty() {
            return Ok(Changes { entries, more_from_ms: Some(last_ms) });
        }
        let entries = self.user_rows((texts.table, texts.at), whose, (last_ms, i64::MAX)).await?;
        Ok(Changes { entries, more_from_ms: Some(last_ms + 1) })
    }

    async fn user_rows<R>(
        &self,
        (table, text): (&'static str, &'static str),
        (project, user): (&ProjectId, &UserId),
        (at_ms, limit): (i64, i64),
    ) -> Result<Vec<R>, Error>
    where
        R: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        self.read(table, async {
            on_db!(&self.inner.db, |c| sqlx::query_as(text)
                .bind(project.as_str())
                .bind(user.as_str())
                .bind(at_ms)
                .bind(limit)
                .fetch_all(c)
                .await)
        })
        .await
    }
}
