//! Changes of what is in an inbox: marks of what was read, and deletions, which leave tombstones.

use sqlx::AssertSqlSafe;

use super::Store;
use super::db::{Tx, on_tx};
use super::fault::{Fault, on};
use super::room_cache::Touched;
use super::values::{runs, values};
use crate::domain::content_id::NotificationId;
use crate::domain::ids::{OrganizationId, ProjectId, UserId};
use crate::error::Error;

/// Times never go back, even if the clock did.
macro_rules! mark {
    ($where:literal) => {
        concat!(
            "UPDATE inbox_notification SET unread = FALSE, read_at_ms = \
             CASE WHEN notified_at_ms > $3 THEN notified_at_ms ELSE $3 END, updated_at_ms = \
             CASE WHEN updated_at_ms > $3 THEN updated_at_ms ELSE $3 END \
             WHERE project_id = $1 AND ",
            $where
        )
    };
}

/// Of what is about a room, the room's organization counts. An empty one stands for all.
macro_rules! in_organization {
    ($number:literal) => {
        concat!(
            " AND ($",
            $number,
            " = '' OR (key = '' AND organization_id = $",
            $number,
            ") OR EXISTS (SELECT 1 FROM room_data d \
             JOIN room r ON r.project_id = d.project_id AND r.id = d.room_id \
             WHERE d.project_id = inbox_notification.project_id \
             AND d.key = inbox_notification.key AND r.organization_id = $",
            $number,
            "))"
        )
    };
}

const MARK: &str = mark!("id = $2");
const MARK_OF_USER: &str = mark!("id = $2 AND user_id = $4 AND unread");
const MARK_ALL: &str = concat!(mark!("user_id = $2 AND unread"), in_organization!("4"));
const DELETE: &str = "DELETE FROM inbox_notification \
    WHERE project_id = $1 AND user_id = $2 AND id = $3 RETURNING id, key";
const DELETE_ALL: &str = concat!(
    "DELETE FROM inbox_notification WHERE project_id = $1 AND user_id = $2",
    in_organization!("3"),
    " RETURNING id, key"
);
const INSERT_DELETIONS: &str =
    "INSERT INTO inbox_deletion (project_id, user_id, deleted_at_ms, id, key) VALUES ";

/// A notification that was deleted.
pub(super) struct Gone {
    pub user: String,
    pub id: String,
    pub key: String,
}

impl Store {
    /// False if there is no such notification.
    pub async fn mark_as_read(
        &self,
        project: &ProjectId,
        id: &NotificationId,
        now_ms: i64,
    ) -> Result<bool, Error> {
        let args = (project.clone(), id.clone(), self.stamp(now_ms));
        self.transact("mark_as_read", Touched::nothing(), args, |tx, (project, id, stamp)| {
            Box::pin(async move {
                let marked = on_tx!(tx.write(), |c| sqlx::query(MARK)
                    .bind(project.as_str())
                    .bind(id.as_str())
                    .bind(stamp.ms())
                    .execute(c)
                    .await
                    .map(|done| done.rows_affected()))
                .map_err(on("inbox_notification"))?;
                Ok(marked > 0)
            })
        })
        .await
    }

    /// Of one user; what is not there, or read already, is passed over.
    pub async fn mark_some_as_read(
        &self,
        project: &ProjectId,
        user: &UserId,
        ids: Vec<NotificationId>,
        now_ms: i64,
    ) -> Result<(), Error> {
        let stamp = self.stamp_for(project, user, now_ms);
        let args = (project.clone(), user.clone(), ids, stamp);
        self.transact("mark_some_as_read", Touched::nothing(), args, |tx, args| {
            Box::pin(async move {
                let (project, user, ids, stamp) = args;
                for id in ids {
                    on_tx!(tx.write(), |c| sqlx::query(MARK_OF_USER)
                        .bind(project.as_str())
                        .bind(id.as_str())
                        .bind(stamp.ms())
                        .bind(user.as_str())
                        .execute(c)
                        .await
                        .map(drop))
                    .map_err(on("inbox_notification"))?;
                }
                Ok(())
            })
        })
        .await
    }

    /// All of one user, of one organization or of all.
    pub async fn mark_all_as_read(
        &self,
        project: &ProjectId,
        user: &UserId,
        organization: Option<&OrganizationId>,
        now_ms: i64,
    ) -> Result<(), Error> {
        let stamp = self.stamp_for(project, user, now_ms);
        let args = (project.clone(), user.clone(), organization.cloned(), stamp);
        self.transact("mark_all_as_read", Touched::nothing(), args, |tx, args| {
            Box::pin(async move {
                let (project, user, organization, stamp) = args;
                on_tx!(tx.write(), |c| sqlx::query(MARK_ALL)
                    .bind(project.as_str())
                    .bind(user.as_str())
                    .bind(stamp.ms())
                    .bind(organization.as_ref().map_or("", OrganizationId::as_str))
                    .execute(c)
                    .await
                    .map(drop))
                .map_err(on("inbox_notification"))
            })
        })
        .await
    }

    /// False if the user has no such notification.
    pub async fn delete_inbox_notification(
        &self,
        project: &ProjectId,
        user: &UserId,
        id: &NotificationId,
        now_ms: i64,
    ) -> Result<bool, Error> {
        let stamp = self.stamp_for(project, user, now_ms);
        let args = (project.clone(), user.clone(), id.clone(), stamp);
        self.transact("delete_inbox_notification", Touched::nothing(), args, |tx, args| {
            Box::pin(async move {
                let (project, user, id, stamp) = args;
                delete(tx, (project, user), (DELETE, id.as_str()), stamp.ms()).await
            })
        })
        .await
    }

    /// All of one user, of one organization or of all.
    pub async fn delete_inbox(
        &self,
        project: &ProjectId,
        user: &UserId,
        organization: Option<&OrganizationId>,
        now_ms: i64,
    ) -> Result<(), Error> {
        let stamp = self.stamp_for(project, user, now_ms);
        let args = (project.clone(), user.clone(), organization.cloned(), stamp);
        self.transact("delete_inbox", Touched::nothing(), args, |tx, args| {
            Box::pin(async move {
                let (project, user, organization, stamp) = args;
                let organization = organization.as_ref().map_or("", OrganizationId::as_str);
                delete(tx, (project, user), (DELETE_ALL, organization), stamp.ms()).await.map(drop)
            })
        })
        .await
    }
}

async fn delete(
    tx: &mut Tx,
    (project, user): (&ProjectId, &UserId),
    (text, which): (&'static str, &str),
    now_ms: i64,
) -> Result<bool, Fault> {
    let gone: Vec<(String, String)> = on_tx!(tx.write(), |c| sqlx::query_as(text)
        .bind(project.as_str())
        .bind(user.as_str())
        .bind(which)
        .fetch_all(c)
        .await)
    .map_err(on("inbox_notification"))?;
    let gone: Vec<Gone> =
        gone.into_iter().map(|(id, key)| Gone { user: user.to_string(), id, key }).collect();
    bury(tx, project, &gone, now_ms).await?;
    Ok(!gone.is_empty())
}

/// Leaves tombstones, so that whoever asks what changed learns of it.
pub(super) async fn bury(
    tx: &mut Tx,
    project: &ProjectId,
    gone: &[Gone],
    now_ms: i64,
) -> Result<(), Fault> {
    for run in runs(gone) {
        let text = values(INSERT_DELETIONS, run.len(), 5, "");
        on_tx!(tx.write(), |c| {
            let mut query = sqlx::query(AssertSqlSafe(text));
            for one in run {
                query = query
                    .bind(project.as_str())
                    .bind(one.user.as_str())
                    .bind(now_ms)
                    .bind(one.id.as_str())
                    .bind(one.key.as_str());
            }
            query.execute(c).await.map(drop)
        })
        .map_err(on("inbox_deletion"))?;
    }
    Ok(())
}
