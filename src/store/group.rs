//! Groups of users: the wide row is the record, the rows of members follow it in the same
//! transaction and say which groups a user is in.

use std::fmt::Write as _;

use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, FromRow};

use super::Store;
use super::db::{Tx, on_db, on_tx};
use super::fault::{Fault, corrupt, on};
use super::feed::{Gathered, one_more};
use super::room_cache::Touched;
use super::values::{runs, values};
use crate::domain::ctx::{Guarded, ProjectGrant};
use crate::domain::cursor::GroupCursor;
use crate::domain::group::{Group, GroupMember, GroupPage};
use crate::domain::ids::{GroupId, OrganizationId, ProjectId, UserId};
use crate::error::Error;

macro_rules! group_columns {
    () => {
        "g.id, g.organization_id, g.created_at_ms, g.updated_at_ms, g.mention, g.members"
    };
}

const INSERT_GROUP: &str = "INSERT INTO user_group \
    (project_id, id, organization_id, created_at_ms, updated_at_ms, mention, members) \
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (project_id, id) DO NOTHING";
const SELECT_GROUP: &str = concat!(
    "SELECT ",
    group_columns!(),
    " FROM user_group g WHERE g.project_id = $1 AND g.id = $2"
);
const SELECT_GROUP_FOR_UPDATE: &str = concat!(
    "SELECT ",
    group_columns!(),
    " FROM user_group g WHERE g.project_id = $1 AND g.id = $2 FOR UPDATE"
);
const SELECT_GROUPS: &str = concat!(
    "SELECT ",
    group_columns!(),
    " FROM user_group g WHERE g.project_id = $1 AND g.id IN ("
);
const LIST_ALL: &str = concat!(
    "SELECT ",
    group_columns!(),
    " FROM user_group g WHERE g.project_id = $1 AND (g.created_at_ms, g.id) < ($2, $3) \
     ORDER BY g.created_at_ms DESC, g.id DESC LIMIT $4"
);
const LIST_OF_USER: &str = concat!(
    "SELECT ",
    group_columns!(),
    " FROM user_group_member m \
     JOIN user_group g ON g.project_id = m.project_id AND g.id = m.group_id \
     WHERE m.project_id = $1 AND (m.created_at_ms, m.group_id) < ($2, $3) AND m.user_id = $5 \
     ORDER BY m.created_at_ms DESC, m.group_id DESC LIMIT $4"
);
const UPDATE_GROUP: &str = "UPDATE user_group SET members = $3, updated_at_ms = $4 \
    WHERE project_id = $1 AND id = $2";
const DELETE_GROUP: &str = "DELETE FROM user_group WHERE project_id = $1 AND id = $2";
const INSERT_MEMBERS: &str =
    "INSERT INTO user_group_member (project_id, group_id, user_id, created_at_ms) VALUES ";
const DELETE_MEMBER: &str =
    "DELETE FROM user_group_member WHERE project_id = $1 AND group_id = $2 AND user_id = $3";

/// What may happen to the members of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupChange {
    Add(Vec<UserId>),
    Remove(Vec<UserId>),
}

#[derive(FromRow)]
struct GroupRow {
    id: String,
    organization_id: String,
    created_at_ms: i64,
    updated_at_ms: i64,
    mention: Option<bool>,
    members: String,
}

impl GroupRow {
    fn into_group(self) -> Result<Group, Error> {
        let members: Vec<(String, i64)> = serde_json::from_str(&self.members)
            .map_err(|error| corrupt("user_group", "members", error))?;
        let member = |(user, added_at_ms)| GroupMember { user: UserId::trusted(user), added_at_ms };
        Ok(Group {
            id: GroupId::trusted(self.id),
            organization_id: OrganizationId::trusted(self.organization_id),
            created_at_ms: self.created_at_ms,
            updated_at_ms: self.updated_at_ms,
            mention: self.mention,
            members: members.into_iter().map(member).collect(),
        })
    }
}

impl Store {
    /// False if the project has a group with this id.
    pub async fn insert_group(&self, grant: &ProjectGrant, group: &Group) -> Result<bool, Error> {
        let args = (grant.project().clone(), group.clone());
        self.transact("insert_group", Touched::nothing(), args, |tx, (project, group)| {
            Box::pin(async move {
                let inserted = on_tx!(tx.write(), |c| sqlx::query(INSERT_GROUP)
                    .bind(project.as_str())
                    .bind(group.id.as_str())
                    .bind(group.organization_id.as_str())
                    .bind(group.created_at_ms)
                    .bind(group.updated_at_ms)
                    .bind(group.mention)
                    .bind(members_text(group)?)
                    .execute(c)
                    .await
                    .map(|done| done.rows_affected()))
                .map_err(on("user_group"))?;
                if inserted > 0 {
                    let users: Vec<UserId> =
                        group.members.iter().map(|member| member.user.clone()).collect();
                    insert_members(tx, project, group, &users).await?;
                }
                Ok(inserted > 0)
            })
        })
        .await
    }

    /// Those that there are, by id.
    pub async fn find_groups(
        &self,
        project: &ProjectId,
        mut ids: Vec<GroupId>,
    ) -> Result<Vec<Guarded<Group>>, Error> {
        ids.sort_unstable();
        ids.dedup();
        let mut found = Vec::with_capacity(ids.len());
        for run in runs(&ids) {
            let rows: Vec<GroupRow> = self
                .read("user_group", async {
                    on_db!(&self.inner.db, |c| {
                        let text = AssertSqlSafe(select_text(run.len()));
                        let mut select = sqlx::query_as(text).bind(project.as_str());
                        for id in run {
                            select = select.bind(id.as_str());
                        }
                        select.fetch_all(c).await
                    })
                })
                .await?;
            for row in rows {
                found.push(Guarded::new(row.into_group()?));
            }
        }
        Ok(found)
    }

    /// Newest first: all groups of the project, or those of one user.
    pub async fn list_groups(
        &self,
        grant: &ProjectGrant,
        user: Option<&UserId>,
        after: Option<&GroupCursor>,
        limit: usize,
    ) -> Result<GroupPage, Error> {
        let (ms, id) = after.map_or((i64::MAX, ""), |at| (at.created_at_ms, at.id.as_str()));
        let gathered = self
            .read("user_group", async {
                on_db!(&self.inner.db, |c| {
                    let text = if user.is_some() { LIST_OF_USER } else { LIST_ALL };
                    let mut select = sqlx::query_as(text)
                        .bind(grant.project().as_str())
                        .bind(ms)
                        .bind(id)
                        .bind(one_more(limit));
                    if let Some(user) = user {
                        select = select.bind(user.as_str());
                    }
                    let (mut rows, mut page) = (select.fetch(c), Gathered::new(limit));
                    while let Some(row) = rows.try_next().await? {
                        let row: GroupRow = row;
                        let bytes = row.id.len() + row.members.len();
                        if !page.take(row, bytes) {
                            break;
                        }
                    }
                    Ok(page)
                })
            })
            .await?;
        let more = gathered.more;
        let groups: Result<Vec<Group>, Error> =
            gathered.rows.into_iter().map(GroupRow::into_group).collect();
        let groups = groups?;
        let next = groups
            .last()
            .filter(|_| more)
            .map(|last| GroupCursor { created_at_ms: last.created_at_ms, id: last.id.clone() });
        Ok(GroupPage { groups, next })
    }

    /// `None` if there is no such group.
    pub async fn change_group(
        &self,
        grant: &ProjectGrant,
        id: &GroupId,
        change: GroupChange,
        now_ms: i64,
    ) -> Result<Option<Group>, Error> {
        let args = (grant.project().clone(), id.clone(), change, now_ms);
        self.transact("change_group", Touched::nothing(), args, |tx, args| {
            let (project, id, change, now_ms) = args;
            Box::pin(apply(tx, (project, id), change, *now_ms))
        })
        .await
    }

    /// Whether there was such a group.
    pub async fn delete_group(&self, grant: &ProjectGrant, id: &GroupId) -> Result<bool, Error> {
        let args = (grant.project().clone(), id.clone());
        self.transact("delete_group", Touched::nothing(), args, |tx, (project, id)| {
            Box::pin(async move {
                on_tx!(tx.write(), |c| sqlx::query(DELETE_GROUP)
                    .bind(project.as_str())
                    .bind(id.as_str())
                    .execute(c)
                    .await
                    .map(|done| done.rows_affected() > 0))
                .map_err(on("user_group"))
            })
        })
        .await
    }
}

/// The groups with this many ids, by id.
fn select_text(count: usize) -> String {
    let mut text = SELECT_GROUPS.to_owned();
    for number in 0..count {
        let before = if number == 0 { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{before}${}", number + 2);
    }
    text.push_str(") ORDER BY g.id");
    text
}

async fn apply(
    tx: &mut Tx,
    (project, id): (&ProjectId, &GroupId),
    change: &GroupChange,
    now_ms: i64,
) -> Result<Option<Group>, Fault> {
    let text = tx.locking(SELECT_GROUP, SELECT_GROUP_FOR_UPDATE);
    let row: Option<GroupRow> = on_tx!(tx.read(), |c| sqlx::query_as(text)
        .bind(project.as_str())
        .bind(id.as_str())
        .fetch_optional(c)
        .await)
    .map_err(on("user_group"))?;
    let Some(row) = row else { return Ok(None) };
    let mut group = row.into_group()?;
    let is_same = match change {
        GroupChange::Add(users) => {
            let added = group.add(users, now_ms)?;
            insert_members(tx, project, &group, &added).await?;
            added.is_empty()
        }
        GroupChange::Remove(users) => {
            let removed = group.remove(users, now_ms);
            delete_members(tx, project, id, &removed).await?;
            removed.is_empty()
        }
    };
    if is_same {
        return Ok(Some(group));
    }
    on_tx!(tx.write(), |c| sqlx::query(UPDATE_GROUP)
        .bind(project.as_str())
        .bind(id.as_str())
        .bind(members_text(&group)?)
        .bind(group.updated_at_ms)
        .execute(c)
        .await
        .map(drop))
    .map_err(on("user_group"))?;
    Ok(Some(group))
}

fn members_text(group: &Group) -> Result<String, Error> {
    let member = |member: &GroupMember| (member.user.to_string(), member.added_at_ms);
    let members: Vec<(String, i64)> = group.members.iter().map(member).collect();
    serde_json::to_string(&members).map_err(Error::internal)
}

async fn insert_members(
    tx: &mut Tx,
    project: &ProjectId,
    group: &Group,
    users: &[UserId],
) -> Result<(), Fault> {
    for run in runs(users) {
        let text = values(INSERT_MEMBERS, run.len(), 4, "");
        on_tx!(tx.write(), |c| {
            let mut query = sqlx::query(AssertSqlSafe(text));
            for user in run {
                query = query
                    .bind(project.as_str())
                    .bind(group.id.as_str())
                    .bind(user.as_str())
                    .bind(group.created_at_ms);
            }
            query.execute(c).await.map(drop)
        })
        .map_err(on("user_group_member"))?;
    }
    Ok(())
}

async fn delete_members(
    tx: &mut Tx,
    project: &ProjectId,
    id: &GroupId,
    users: &[UserId],
) -> Result<(), Fault> {
    for user in users {
        on_tx!(tx.write(), |c| sqlx::query(DELETE_MEMBER)
            .bind(project.as_str())
            .bind(id.as_str())
            .bind(user.as_str())
            .execute(c)
            .await
            .map(drop))
        .map_err(on("user_group_member"))?;
    }
    Ok(())
}
