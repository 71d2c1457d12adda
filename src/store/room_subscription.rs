//! What users want to be told of in a room.

use std::collections::{BTreeSet, HashSet};

use sqlx::FromRow;

use super::Store;
use super::db::{Tx, on_db, on_tx};
use super::fault::{Fault, on};
use super::feed::one_more;
use super::room_cache::Touched;
use super::room_data::{DataKey, lock_data};
use crate::domain::ids::{OrganizationId, ProjectId, RoomId, UserId};
use crate::domain::notification::{
    RoomSubscription, SettingsCursor, TextMentionNotices, ThreadNotices,
};
use crate::error::Error;

const FIND: &str = "SELECT threads, text_mentions FROM room_subscription_setting \
    WHERE project_id = $1 AND user_id = $2 AND key = $3";
/// What is not said stays.
const UPSERT: &str = "INSERT INTO room_subscription_setting \
    (project_id, user_id, key, threads, text_mentions) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (project_id, user_id, key) DO UPDATE SET \
    threads = CASE WHEN excluded.threads = '' \
    THEN room_subscription_setting.threads ELSE excluded.threads END, \
    text_mentions = CASE WHEN excluded.text_mentions = '' \
    THEN room_subscription_setting.text_mentions ELSE excluded.text_mentions END \
    RETURNING threads, text_mentions";
const DELETE: &str = "DELETE FROM room_subscription_setting \
    WHERE project_id = $1 AND user_id = $2 AND key = $3";
const LIST: &str = "SELECT s.key, d.room_id, s.threads, s.text_mentions \
    FROM room_subscription_setting s \
    JOIN room_data d ON d.project_id = s.project_id AND d.key = s.key \
    JOIN room r ON r.project_id = d.project_id AND r.id = d.room_id \
    WHERE s.project_id = $1 AND s.user_id = $2 AND s.key > $3 \
    AND ($4 = '' OR r.organization_id = $4) ORDER BY s.key LIMIT $5";

/// What a user said for one of several rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomSubscriptionEntry {
    /// Where it stands in the list.
    pub cursor: SettingsCursor,
    pub room: RoomId,
    pub subscription: RoomSubscription,
}

#[derive(FromRow)]
struct SettingRow {
    threads: String,
    text_mentions: String,
}

impl SettingRow {
    fn into_subscription(self) -> Result<RoomSubscription, Error> {
        RoomSubscription::parse(&self.threads, &self.text_mentions)
    }
}

impl Store {
    /// Nothing, if the user never said anything.
    pub async fn find_room_subscription(
        &self,
        key: &DataKey,
        user: &UserId,
    ) -> Result<RoomSubscription, Error> {
        let row: Option<SettingRow> = self
            .read("room_subscription_setting", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(FIND)
                    .bind(key.project.as_str())
                    .bind(user.as_str())
                    .bind(&*key.key)
                    .fetch_optional(c)
                    .await)
            })
            .await?;
        row.map_or(Ok(RoomSubscription::default()), SettingRow::into_subscription)
    }

    /// Changes what the patch names, and gives what is said now.
    pub async fn update_room_subscription(
        &self,
        key: &DataKey,
        user: &UserId,
        patch: RoomSubscription,
    ) -> Result<RoomSubscription, Error> {
        let args = (key.clone(), user.clone(), patch);
        self.transact("update_room_subscription", Touched::nothing(), args, |tx, args| {
            Box::pin(async move {
                let (key, user, patch) = args;
                lock_data(tx, key).await?;
                let row: SettingRow = on_tx!(tx.write(), |c| sqlx::query_as(UPSERT)
                    .bind(key.project.as_str())
                    .bind(user.as_str())
                    .bind(&*key.key)
                    .bind(patch.threads.map_or("", ThreadNotices::as_str))
                    .bind(patch.text_mentions.map_or("", TextMentionNotices::as_str))
                    .fetch_one(c)
                    .await)
                .map_err(on("room_subscription_setting"))?;
                Ok(row.into_subscription()?)
            })
        })
        .await
    }

    pub async fn delete_room_subscription(
        &self,
        key: &DataKey,
        user: &UserId,
    ) -> Result<(), Error> {
        let args = (key.clone(), user.clone());
        self.transact("delete_room_subscription", Touched::nothing(), args, |tx, (key, user)| {
            Box::pin(async move {
                on_tx!(tx.write(), |c| sqlx::query(DELETE)
                    .bind(key.project.as_str())
                    .bind(user.as_str())
                    .bind(&*key.key)
                    .execute(c)
                    .await
                    .map(drop))
                .map_err(on("room_subscription_setting"))
            })
        })
        .await
    }

    /// One more than `limit`, if there are more.
    pub async fn list_room_subscriptions(
        &self,
        project: &ProjectId,
        user: &UserId,
        organization: Option<&OrganizationId>,
        (after, limit): (Option<&SettingsCursor>, usize),
    ) -> Result<Vec<RoomSubscriptionEntry>, Error> {
        type ListRow = (String, String, String, String);
        let rows: Vec<ListRow> = self
            .read("room_subscription_setting", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(LIST)
                    .bind(project.as_str())
                    .bind(user.as_str())
                    .bind(after.map_or("", |after| after.0.as_str()))
                    .bind(organization.map_or("", OrganizationId::as_str))
                    .bind(one_more(limit))
                    .fetch_all(c)
                    .await)
            })
            .await?;
        let entry = |(key, room_id, threads, text_mentions)| {
            let subscription = SettingRow { threads, text_mentions }.into_subscription()?;
            let (cursor, room) = (SettingsCursor(key), RoomId::trusted(room_id));
            Ok(RoomSubscriptionEntry { cursor, room, subscription })
        };
        rows.into_iter().map(entry).collect()
    }
}

/// Which of these users do not want to hear of mentions in the room's texts.
pub(super) async fn without_text_mentions(
    tx: &mut Tx,
    key: &DataKey,
    users: &BTreeSet<UserId>,
) -> Result<HashSet<String>, Fault> {
    let mut found = HashSet::new();
    for user in users {
        let row: Option<SettingRow> = on_tx!(tx.read(), |c| sqlx::query_as(FIND)
            .bind(key.project.as_str())
            .bind(user.as_str())
            .bind(&*key.key)
            .fetch_optional(c)
            .await)
        .map_err(on("room_subscription_setting"))?;
        let said = row.map(SettingRow::into_subscription).transpose()?.unwrap_or_default();
        if said.text_mentions == Some(TextMentionNotices::None) {
            found.insert(user.to_string());
        }
    }
    Ok(found)
}
