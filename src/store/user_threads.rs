//! The threads that a user follows, in all rooms.
//!
//! Whether the user may read them now is not known here: they come closed, and are opened room by
//! room with a view of it.

use sqlx::{AssertSqlSafe, FromRow};

use super::Store;
use super::comment_write::ThreadView;
use super::db::on_db;
use super::feed::one_more;
use super::room_data::DataKey;
use super::thread_row::{ThreadRow, thread_columns_of};
use crate::domain::comment::{DeletedThread, Thread, ThreadCursor};
use crate::domain::content_id::ThreadId;
use crate::domain::ids::{ProjectId, RoomId, UserId};
use crate::error::Error;

const SELECT: &str = concat!(
    "SELECT ",
    thread_columns_of!("t"),
    ", d.room_id, s.key AS data_key, CASE WHEN s.updated_at_ms > t.updated_at_ms \
     THEN s.updated_at_ms ELSE t.updated_at_ms END AS changed_at_ms FROM thread_subscription s \
     JOIN thread t ON t.project_id = s.project_id AND t.key = s.key AND t.id = s.thread_id \
     JOIN room_data d ON d.project_id = s.project_id AND d.key = s.key \
     WHERE s.project_id = $1 AND s.user_id = $2"
);
const LIVING: &str = " AND s.deleted_at_ms IS NULL AND t.deleted_at_ms IS NULL \
    AND (t.updated_at_ms, t.id) < ($3, $4) ORDER BY t.updated_at_ms DESC, t.id DESC";
/// Whoever followed a thread to its end is told of that.
const CHANGED: &str = " AND (s.deleted_at_ms IS NULL OR t.deleted_at_ms IS NOT NULL) \
    AND (s.updated_at_ms >= $3 OR t.updated_at_ms >= $3) ORDER BY changed_at_ms, t.id";

/// A thread that somebody follows, and nobody has been checked for yet.
#[derive(Debug, Clone)]
pub struct FollowedThread {
    pub room_id: RoomId,
    pub key: DataKey,
    /// When it changed last, or when it was followed if that was later.
    pub changed_at_ms: i64,
    row: ThreadRow,
}

#[derive(FromRow)]
struct FollowedRow {
    #[sqlx(flatten)]
    thread: ThreadRow,
    room_id: String,
    data_key: String,
    changed_at_ms: i64,
}

impl FollowedThread {
    /// Where it stands in the list.
    pub fn cursor(&self) -> ThreadCursor {
        let id = ThreadId::trusted(self.row.id.as_str());
        ThreadCursor { at_ms: self.row.updated_at_ms, id }
    }
}

impl Store {
    /// Those that changed last come first. At most `limit`, and whether there are more.
    pub async fn list_followed_threads(
        &self,
        project: &ProjectId,
        user: &UserId,
        after: Option<&ThreadCursor>,
        limit: usize,
    ) -> Result<(Vec<FollowedThread>, bool), Error> {
        let (ms, id) = after.map_or((i64::MAX, ""), |at| (at.at_ms, at.id.as_str()));
        self.followed((project, user), (LIVING, ms, Some(id)), limit).await
    }

    /// Those that changed, ended or were followed at `since_ms` or later; oldest change first.
    pub async fn list_followed_changes(
        &self,
        project: &ProjectId,
        user: &UserId,
        since_ms: i64,
        limit: usize,
    ) -> Result<(Vec<FollowedThread>, bool), Error> {
        self.followed((project, user), (CHANGED, since_ms, None), limit).await
    }

    async fn followed(
        &self,
        (project, user): (&ProjectId, &UserId),
        (tail, ms, id): (&'static str, i64, Option<&str>),
        limit: usize,
    ) -> Result<(Vec<FollowedThread>, bool), Error> {
        let text = format!("{SELECT}{tail} LIMIT {}", one_more(limit));
        let mut rows: Vec<FollowedRow> = self
            .read("thread_subscription", async {
                on_db!(&self.inner.db, |c| {
                    let mut query = sqlx::query_as(AssertSqlSafe(text))
                        .bind(project.as_str())
                        .bind(user.as_str())
                        .bind(ms);
                    if let Some(id) = id {
                        query = query.bind(id);
                    }
                    query.fetch_all(c).await
                })
            })
            .await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let followed = |row: FollowedRow| FollowedThread {
            room_id: RoomId::trusted(row.room_id),
            key: DataKey { project: project.clone(), key: row.data_key.into() },
            changed_at_ms: row.changed_at_ms,
            row: row.thread,
        };
        Ok((rows.into_iter().map(followed).collect(), more))
    }

    /// The threads of one room that the view covers, and those of them that are gone.
    pub async fn open_followed(
        &self,
        view: &ThreadView,
        threads: Vec<FollowedThread>,
    ) -> Result<(Vec<Thread>, Vec<DeletedThread>), Error> {
        let (mut living, mut deleted) = (Vec::new(), Vec::new());
        for FollowedThread { row, .. } in threads {
            match row.deleted_at_ms {
                None => living.push(row),
                Some(deleted_at_ms) if row.is_covered_by(view.right)? => {
                    let (id, room_id) = (ThreadId::trusted(row.id), view.room_id.clone());
                    deleted.push(DeletedThread { id, room_id, deleted_at_ms });
                }
                Some(_) => {}
            }
        }
        Ok((self.with_comments(view, living).await?, deleted))
    }
}
