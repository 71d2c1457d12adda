//! By which channels users want to be told of what.

use super::Store;
use super::db::{on_db, on_tx};
use super::fault::{Fault, corrupt, on};
use super::room_cache::Touched;
use crate::domain::ids::{ProjectId, UserId};
use crate::domain::notification::{NotificationSettings, SettingsPatch};
use crate::error::Error;

const FIND: &str =
    "SELECT settings FROM notification_setting WHERE project_id = $1 AND user_id = $2";
/// Makes the row, so that there is one to lock, and locks it.
const LOCK: &str = "INSERT INTO notification_setting (project_id, user_id, settings) \
    VALUES ($1, $2, '{}') ON CONFLICT (project_id, user_id) \
    DO UPDATE SET settings = notification_setting.settings RETURNING settings";
const UPDATE: &str =
    "UPDATE notification_setting SET settings = $3 WHERE project_id = $1 AND user_id = $2";
const DELETE: &str = "DELETE FROM notification_setting WHERE project_id = $1 AND user_id = $2";

impl Store {
    pub async fn find_notification_settings(
        &self,
        project: &ProjectId,
        user: &UserId,
    ) -> Result<NotificationSettings, Error> {
        let row: Option<(String,)> = self
            .read("notification_setting", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(FIND)
                    .bind(project.as_str())
                    .bind(user.as_str())
                    .fetch_optional(c)
                    .await)
            })
            .await?;
        row.map_or(Ok(NotificationSettings::default()), |(settings,)| read(&settings))
    }

    /// Gives what is said now.
    pub async fn update_notification_settings(
        &self,
        project: &ProjectId,
        user: &UserId,
        patch: SettingsPatch,
    ) -> Result<NotificationSettings, Error> {
        let args = (project.clone(), user.clone(), patch);
        self.transact("update_notification_settings", Touched::nothing(), args, |tx, args| {
            Box::pin(async move {
                let (project, user, patch) = args;
                let (settings,): (String,) = on_tx!(tx.write(), |c| sqlx::query_as(LOCK)
                    .bind(project.as_str())
                    .bind(user.as_str())
                    .fetch_one(c)
                    .await)
                .map_err(on("notification_setting"))?;
                let mut settings = read(&settings)?;
                settings.merge(patch)?;
                let text = serde_json::to_string(&settings).map_err(Error::internal)?;
                on_tx!(tx.write(), |c| sqlx::query(UPDATE)
                    .bind(project.as_str())
                    .bind(user.as_str())
                    .bind(text.as_str())
                    .execute(c)
                    .await
                    .map(drop))
                .map_err(on("notification_setting"))?;
                Ok::<_, Fault>(settings)
            })
        })
        .await
    }

    pub async fn delete_notification_settings(
        &self,
        project: &ProjectId,
        user: &UserId,
    ) -> Result<(), Error> {
        let args = (project.clone(), user.clone());
        self.transact(
            "delete_notification_settings",
            Touched::nothing(),
            args,
            |tx, (project, user)| {
                Box::pin(async move {
                    on_tx!(tx.write(), |c| sqlx::query(DELETE)
                        .bind(project.as_str())
                        .bind(user.as_str())
                        .execute(c)
                        .await
                        .map(drop))
                    .map_err(on("notification_setting"))
                })
            },
        )
        .await
    }
}

fn read(text: &str) -> Result<NotificationSettings, Error> {
    serde_json::from_str(text).map_err(|error| corrupt("notification_setting", "settings", error))
}
