//! What applications and texts tell users of.

use std::collections::BTreeSet;
use std::sync::Arc;

use sqlx::AssertSqlSafe;

use super::Store;
use super::db::{Tx, on_tx};
use super::fault::{Fault, on};
use super::inbox::{StoredMention, read_activities};
use super::inbox_write::{Gone, bury};
use super::notify::members;
use super::room_cache::Touched;
use super::room_data::{DataKey, lock_data};
use super::room_subscription::without_text_mentions;
use super::stamps::Stamp;
use super::user_access::accesses_of;
use super::values::{runs, values};
use crate::domain::comment::Mention;
use crate::domain::content_id::NotificationId;
use crate::domain::ids::{OrganizationId, ProjectId, UserId};
use crate::domain::notification::{
    About, Activity, CustomKind, Known, TEXT_MENTION_KIND, may_be_told,
};
use crate::domain::room::Room;
use crate::error::Error;

const SELECT: &str = "SELECT id, data FROM inbox_notification WHERE project_id = $1 AND key = $2 \
    AND kind = $3 AND subject_id = $4 AND user_id = $5 AND organization_id = $6";
const SELECT_FOR_UPDATE: &str = "SELECT id, data FROM inbox_notification \
    WHERE project_id = $1 AND key = $2 AND kind = $3 AND subject_id = $4 AND user_id = $5 \
    AND organization_id = $6 FOR UPDATE";
const UPDATE: &str = "UPDATE inbox_notification SET data = $3, unread = TRUE, notified_at_ms = \
    CASE WHEN notified_at_ms > $4 THEN notified_at_ms ELSE $4 END, updated_at_ms = \
    CASE WHEN updated_at_ms > $4 THEN updated_at_ms ELSE $4 END \
    WHERE project_id = $1 AND id = $2";
const INSERT: &str = "INSERT INTO inbox_notification (project_id, id, user_id, key, kind, \
    subject_id, organization_id, visibility, data, notified_at_ms, unread, updated_at_ms) VALUES ";
/// A mention that was there is left as it is.
const UNLESS_THERE: &str =
    " ON CONFLICT (project_id, key, kind, subject_id, user_id, organization_id) DO NOTHING";
const DELETE_MENTION: &str = "DELETE FROM inbox_notification WHERE project_id = $1 AND key = $2 \
    AND kind = 'textMention' AND subject_id = $3 RETURNING user_id, id";

/// Something that an application tells a user of.
#[derive(Debug, Clone)]
pub struct CustomNotice {
    pub user: UserId,
    pub kind: CustomKind,
    pub subject_id: String,
    pub activity: Activity,
    pub place: NoticePlace,
}

/// Where it happened: in a room, or in none.
#[derive(Debug, Clone)]
pub enum NoticePlace {
    Room(DataKey),
    Organization(OrganizationId),
}

/// A mention in a text of a room.
#[derive(Debug, Clone)]
pub struct TextMention {
    pub room: Arc<Room>,
    pub id: String,
    pub created_by: UserId,
    pub mention: Mention,
}

/// A notification that nobody read yet, to be inserted.
pub(super) struct NewNotice<'a> {
    pub project: &'a ProjectId,
    pub id: NotificationId,
    pub user: &'a str,
    pub key: &'a str,
    pub kind: &'a str,
    pub subject_id: &'a str,
    pub organization_id: &'a str,
    pub visibility: &'a str,
    pub data: &'a str,
    pub at_ms: i64,
}

impl NoticePlace {
    /// The key of the room and the organization: one of them is empty.
    fn columns(&self) -> (&str, &str) {
        match self {
            Self::Room(key) => (&key.key, ""),
            Self::Organization(organization) => ("", organization.as_str()),
        }
    }
}

impl Store {
    pub async fn trigger_notification(
        &self,
        project: &ProjectId,
        notice: CustomNotice,
        now_ms: i64,
    ) -> Result<(), Error> {
        let args = (project.clone(), notice, NotificationId::random()?, self.stamp(now_ms));
        self.transact("trigger_notification", Touched::nothing(), args, |tx, args| {
            let (project, notice, fresh, stamp) = args;
            Box::pin(trigger(tx, project, notice, (fresh, stamp)))
        })
        .await
    }

    /// Tells those who want to hear of it and were not told yet.
    pub async fn insert_text_mention(
        &self,
        key: &DataKey,
        mention: TextMention,
        now_ms: i64,
    ) -> Result<(), Error> {
        let args = (key.clone(), mention, self.stamp(now_ms));
        self.transact("insert_text_mention", Touched::nothing(), args, |tx, args| {
            let (key, mention, stamp) = args;
            Box::pin(mention_in_text(tx, key, mention, stamp.ms()))
        })
        .await
    }

    /// Takes the notifications of a mention back.
    pub async fn delete_text_mention(
        &self,
        key: &DataKey,
        id: &str,
        now_ms: i64,
    ) -> Result<(), Error> {
        let args = (key.clone(), id.to_owned(), self.stamp(now_ms));
        self.transact("delete_text_mention", Touched::nothing(), args, |tx, (key, id, stamp)| {
            Box::pin(async move {
                let gone: Vec<(String, String)> = on_tx!(tx.write(), |c| {
                    sqlx::query_as(DELETE_MENTION)
                        .bind(key.project.as_str())
                        .bind(&*key.key)
                        .bind(id.as_str())
                        .fetch_all(c)
                        .await
                })
                .map_err(on("inbox_notification"))?;
                let gone = gone.into_iter();
                let gone: Vec<Gone> =
                    gone.map(|(user, id)| Gone { user, id, key: key.key.to_string() }).collect();
                bury(tx, &key.project, &gone, stamp.ms()).await
            })
        })
        .await
    }
}

async fn trigger(
    tx: &mut Tx,
    project: &ProjectId,
    notice: &CustomNotice,
    (fresh, stamp): (&NotificationId, &Stamp),
) -> Result<(), Fault> {
    if let NoticePlace::Room(key) = &notice.place {
        lock_data(tx, key).await?;
    }
    let (key, organization) = notice.place.columns();
    let text = tx.locking(SELECT, SELECT_FOR_UPDATE);
    let there: Option<(String, String)> = on_tx!(tx.read(), |c| sqlx::query_as(text)
        .bind(project.as_str())
        .bind(key)
        .bind(notice.kind.as_str())
        .bind(notice.subject_id.as_str())
        .bind(notice.user.as_str())
        .bind(organization)
        .fetch_optional(c)
        .await)
    .map_err(on("inbox_notification"))?;
    let to_text = |activities| serde_json::to_string(&activities).map_err(Error::internal);
    let Some((id, data)) = there else {
        let data = to_text(notice.activity.clone().append_to(Vec::new()))?;
        let new = NewNotice {
            project,
            id: fresh.clone(),
            user: notice.user.as_str(),
            key,
            kind: notice.kind.as_str(),
            subject_id: &notice.subject_id,
            organization_id: organization,
            visibility: "",
            data: &data,
            at_ms: stamp.ms(),
        };
        return match insert(tx, &[new], "").await {
            Err(fault) if fault.is_unique_violation() => {
                Err(Fault::Retry("a notification was made at the same time"))
            }
            outcome => outcome,
        };
    };
    let data = to_text(notice.activity.clone().append_to(read_activities(&data)?))?;
    on_tx!(tx.write(), |c| sqlx::query(UPDATE)
        .bind(project.as_str())
        .bind(id.as_str())
        .bind(data.as_str())
        .bind(stamp.ms())
        .execute(c)
        .await
        .map(drop))
    .map_err(on("inbox_notification"))
}

async fn mention_in_text(
    tx: &mut Tx,
    key: &DataKey,
    mention: &TextMention,
    now_ms: i64,
) -> Result<(), Fault> {
    lock_data(tx, key).await?;
    let stored = StoredMention::new(&mention.created_by, &mention.mention);
    let data = serde_json::to_string(&stored).map_err(Error::internal)?;
    let users = whom_to_tell(tx, key, mention).await?;
    let mut new = Vec::with_capacity(users.len());
    for user in &users {
        new.push(NewNotice {
            project: &key.project,
            id: NotificationId::random()?,
            user: user.as_str(),
            key: &key.key,
            kind: TEXT_MENTION_KIND,
            subject_id: &mention.id,
            organization_id: "",
            visibility: "",
            data: &data,
            at_ms: now_ms,
        });
    }
    insert(tx, &new, UNLESS_THERE).await
}

/// In one order, so that two who mention the same people do not wait for each other.
async fn whom_to_tell(
    tx: &mut Tx,
    key: &DataKey,
    mention: &TextMention,
) -> Result<BTreeSet<UserId>, Fault> {
    let organization = &mention.room.organization_id;
    let mut users = match &mention.mention {
        Mention::User(user) => BTreeSet::from([user.clone()]),
        Mention::Group { id, user_ids } => {
            let members = members(tx, key, (id, organization)).await?;
            user_ids.iter().cloned().chain(members).collect()
        }
    };
    users.remove(&mention.created_by);
    let unwilling = without_text_mentions(tx, key, &users).await?;
    users.retain(|user| !unwilling.contains(user.as_str()));
    let listed: Vec<&UserId> = users.iter().collect();
    let accesses = accesses_of(tx, (&key.project, organization), &listed).await?;
    let about = About::TextMention {
        id: mention.id.clone(),
        created_by: mention.created_by.clone(),
        mention: mention.mention.clone(),
    };
    users.retain(|user| {
        let known = Known { access: accesses.get(user.as_str()), follows: false };
        may_be_told(&mention.room, user, known, &about)
    });
    Ok(users)
}

/// Inserts unread notifications; `tail` says what to do about those that are there already.
pub(super) async fn insert(
    tx: &mut Tx,
    notices: &[NewNotice<'_>],
    tail: &str,
) -> Result<(), Fault> {
    for run in runs(notices) {
        let text = values(INSERT, run.len(), 12, tail);
        on_tx!(tx.write(), |c| {
            let mut query = sqlx::query(AssertSqlSafe(text));
            for new in run {
                query = query
                    .bind(new.project.as_str())
                    .bind(new.id.as_str())
                    .bind(new.user)
                    .bind(new.key)
                    .bind(new.kind)
                    .bind(new.subject_id)
                    .bind(new.organization_id)
                    .bind(new.visibility)
                    .bind(new.data)
                    .bind(new.at_ms)
                    .bind(true)
                    .bind(new.at_ms);
            }
            query.execute(c).await.map(drop)
        })
        .map_err(on("inbox_notification"))?;
    }
    Ok(())
}
