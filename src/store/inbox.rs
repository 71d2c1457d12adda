//! Reading inboxes. What comes out is guarded: whoever asks has to show that they may read it.

use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::Store;
use super::db::on_db;
use super::fault::corrupt;
use super::feed::{Gathered, one_more};
use super::room_data::DataKey;
use crate::domain::comment::{Mention, Visibility};
use crate::domain::content_id::{NotificationId, ThreadId};
use crate::domain::ctx::Guarded;
use crate::domain::ids::{OrganizationId, ProjectId, RoomId, UserId};
use crate::domain::notification::{
    About, Activity, CustomKind, InboxCursor, Notification, Place, TEXT_MENTION_KIND, THREAD_KIND,
};
use crate::error::Error;

/// Rooms that are gone take their notifications along at once.
macro_rules! select_inbox {
    ($where:literal) => {
        concat!(
            "SELECT n.id, n.user_id, n.key, d.room_id, n.kind, n.subject_id, n.organization_id, \
             n.visibility, n.data, n.notified_at_ms, n.read_at_ms, n.unread, n.updated_at_ms \
             FROM inbox_notification n LEFT JOIN room_data d \
             ON d.project_id = n.project_id AND d.key = n.key \
             WHERE (n.key = '' OR d.room_id IS NOT NULL) AND n.project_id = $1 AND ",
            $where
        )
    };
}

pub(super) use select_inbox;

const FIND: &str = select_inbox!("n.id = $2");
const LIST: &str = select_inbox!(
    "n.user_id = $2 AND (n.notified_at_ms, n.id) < ($3, $4) \
     ORDER BY n.notified_at_ms DESC, n.id DESC LIMIT $5"
);
const LIST_UNREAD: &str = select_inbox!(
    "n.user_id = $2 AND n.unread AND (n.notified_at_ms, n.id) < ($3, $4) \
     ORDER BY n.notified_at_ms DESC, n.id DESC LIMIT $5"
);
const COUNT_UNREAD: &str = "SELECT u.kind, u.visibility, u.organization_id, u.key, d.room_id, \
    COUNT(*) AS notifications FROM (SELECT project_id, kind, visibility, organization_id, key \
    FROM inbox_notification WHERE project_id = $1 AND user_id = $2 AND unread \
    ORDER BY notified_at_ms DESC, id DESC LIMIT $3) u LEFT JOIN room_data d \
    ON d.project_id = u.project_id AND d.key = u.key \
    WHERE u.key = '' OR d.room_id IS NOT NULL \
    GROUP BY u.kind, u.visibility, u.organization_id, u.key, d.room_id";
/// A notification, with what says who may read it.
#[derive(Debug, Clone)]
pub struct InboxEntry {
    /// Where it stands in the list.
    pub cursor: InboxCursor,
    /// The room that it is about, and where that keeps what it holds.
    pub room: Option<(RoomId, DataKey)>,
    pub updated_at_ms: i64,
    pub notification: Guarded<Notification>,
}

/// Some unread notifications of one kind about one room.
#[derive(Debug, Clone)]
pub struct UnreadCount {
    /// One of them; only what says who may read it is that of all.
    pub like: Guarded<Notification>,
    pub kind: String,
    pub room: Option<RoomId>,
    pub count: i64,
}

#[derive(FromRow)]
pub(super) struct InboxRow {
    id: String,
    user_id: String,
    key: String,
    room_id: Option<String>,
    kind: String,
    subject_id: String,
    organization_id: String,
    visibility: String,
    data: String,
    notified_at_ms: i64,
    read_at_ms: Option<i64>,
    unread: bool,
    pub updated_at_ms: i64,
}

#[derive(FromRow)]
struct CountRow {
    kind: String,
    visibility: String,
    organization_id: String,
    key: String,
    room_id: Option<String>,
    notifications: i64,
}

/// What a mention in a text says besides its id, as it is stored.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredMention {
    created_by: String,
    /// Of a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    /// The user, or who the text says is in the group.
    users: Vec<String>,
}

impl StoredMention {
    pub fn new(created_by: &UserId, mention: &Mention) -> Self {
        let (group, users) = match mention {
            Mention::User(user) => (None, std::slice::from_ref(user)),
            Mention::Group { id, user_ids } => (Some(id.clone()), user_ids.as_slice()),
        };
        let users = users.iter().map(UserId::to_string).collect();
        Self { created_by: created_by.to_string(), group, users }
    }

    fn into_mention(self) -> Result<(UserId, Mention), Error> {
        let mut users = self.users.into_iter().map(UserId::trusted);
        let mention = match self.group {
            Some(id) => Mention::Group { id, user_ids: users.collect() },
            None => {
                let user = users.next();
                Mention::User(user.ok_or_else(|| broken("data", "a mention of nobody"))?)
            }
        };
        Ok((UserId::trusted(self.created_by), mention))
    }
}

fn broken(column: &str, why: impl std::fmt::Display) -> Error {
    corrupt("inbox_notification", column, why)
}

pub(super) fn read_activities(data: &str) -> Result<Vec<Activity>, Error> {
    serde_json::from_str(data).map_err(|error| broken("data", error))
}

/// What a row tells. `data` is absent where only counts were read.
fn read_about(
    (kind, subject_id): (String, String),
    visibility: &str,
    data: Option<&str>,
) -> Result<About, Error> {
    Ok(match kind.as_str() {
        THREAD_KIND => {
            let visibility = Visibility::parse(visibility)?;
            About::Thread { id: ThreadId::trusted(subject_id), visibility }
        }
        TEXT_MENTION_KIND => {
            let (created_by, mention) = match data {
                None => (UserId::trusted(""), Mention::User(UserId::trusted(""))),
                Some(data) => {
                    let stored: StoredMention =
                        serde_json::from_str(data).map_err(|error| broken("data", error))?;
                    stored.into_mention()?
                }
            };
            About::TextMention { id: subject_id, created_by, mention }
        }
        _ => {
            let activities = data.map(read_activities).transpose()?.unwrap_or_default();
            About::Custom { kind: CustomKind::trusted(kind), subject_id, activities }
        }
    })
}

fn read_place(room_id: Option<String>, organization_id: String) -> Place {
    match room_id {
        Some(id) => Place::Room(RoomId::trusted(id)),
        None => Place::Organization(OrganizationId::trusted(organization_id)),
    }
}

impl InboxRow {
    fn bytes(&self) -> usize {
        self.data.len() + self.subject_id.len()
    }

    pub fn into_entry(self, project: &ProjectId) -> Result<InboxEntry, Error> {
        let id = NotificationId::trusted(self.id);
        let key = DataKey { project: project.clone(), key: self.key.into() };
        let room = self.room_id.clone().map(|id| (RoomId::trusted(id), key));
        let cursor = InboxCursor { notified_at_ms: self.notified_at_ms, id: id.clone() };
        let about = read_about((self.kind, self.subject_id), &self.visibility, Some(&self.data))?;
        let notification = Notification {
            id,
            user: UserId::trusted(self.user_id),
            place: read_place(self.room_id, self.organization_id),
            about,
            notified_at_ms: self.notified_at_ms,
            read_at_ms: self.read_at_ms,
            unread: self.unread,
        };
        let notification = Guarded::new(notification);
        Ok(InboxEntry { cursor, room, updated_at_ms: self.updated_at_ms, notification })
    }
}

impl CountRow {
    fn into_count(self, user: &UserId) -> Result<UnreadCount, Error> {
        let room = self.room_id.clone().map(RoomId::trusted);
        let about = read_about((self.kind.clone(), self.key), &self.visibility, None)?;
        let like = Notification {
            id: NotificationId::trusted(""),
            user: user.clone(),
            place: read_place(self.room_id, self.organization_id),
            about,
            notified_at_ms: 0,
            read_at_ms: None,
            unread: true,
        };
        let like = Guarded::new(like);
        Ok(UnreadCount { like, kind: self.kind, room, count: self.notifications })
    }
}

impl Store {
    /// Newest first; and whether there are more.
    pub async fn list_inbox(
        &self,
        project: &ProjectId,
        user: &UserId,
        after: Option<&InboxCursor>,
        (limit, only_unread): (usize, bool),
    ) -> Result<(Vec<InboxEntry>, bool), Error> {
        let (ms, id) = after.map_or((i64::MAX, ""), |at| (at.notified_at_ms, at.id.as_str()));
        let text = if only_unread { LIST_UNREAD } else { LIST };
        let gathered = self
            .read("inbox_notification", async {
                on_db!(&self.inner.db, |c| {
                    let select = sqlx::query_as(text)
                        .bind(project.as_str())
                        .bind(user.as_str())
                        .bind(ms)
                        .bind(id)
                        .bind(one_more(limit));
                    let (mut rows, mut page) = (select.fetch(c), Gathered::new(limit));
                    while let Some(row) = rows.try_next().await? {
                        let row: InboxRow = row;
                        let bytes = row.bytes();
                        if !page.take(row, bytes) {
                            break;
                        }
                    }
                    Ok(page)
                })
            })
            .await?;
        let entries = gathered.rows.into_iter().map(|row| row.into_entry(project));
        Ok((entries.collect::<Result<_, _>>()?, gathered.more))
    }

    pub async fn find_inbox_notification(
        &self,
        project: &ProjectId,
        id: &NotificationId,
    ) -> Result<Option<InboxEntry>, Error> {
        let row: Option<InboxRow> = self
            .read("inbox_notification", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(FIND)
                    .bind(project.as_str())
                    .bind(id.as_str())
                    .fetch_optional(c)
                    .await)
            })
            .await?;
        row.map(|row| row.into_entry(project)).transpose()
    }

    /// Of the newest `count_max` unread notifications, how many there are of each sort.
    pub async fn count_unread(
        &self,
        project: &ProjectId,
        user: &UserId,
        count_max: i64,
    ) -> Result<Vec<UnreadCount>, Error> {
        let rows: Vec<CountRow> = self
            .read("inbox_notification", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(COUNT_UNREAD)
                    .bind(project.as_str())
                    .bind(user.as_str())
                    .bind(count_max)
                    .fetch_all(c)
                    .await)
            })
            .await?;
        rows.into_iter().map(|row| row.into_count(user)).collect()
    }
}
