//! What follows from what happens in a thread, in the same transaction: who is told of it, and who
//! follows the thread from then on. The rules themselves are in `domain/notification/rules.rs`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::db::{Tx, on_tx};
use super::fault::{Fault, on};
use super::inbox_trigger::{NewNotice, insert};
use super::inbox_write::{Gone, bury};
use super::room_data::DataKey;
use super::thread_subscription::{follow, unfollow_all};
use super::user_access::accesses_of;
use crate::domain::comment::{ActivityKind, CommentActivity, Mention};
use crate::domain::content_id::NotificationId;
use crate::domain::ids::{OrganizationId, UserId};
use crate::domain::notification::{
    About, Known, THREAD_KIND, ThreadFacts, ThreadNotices, UserAccess, may_be_told,
};

const SELECT_FOLLOWS: &str = "SELECT user_id, deleted_at_ms FROM thread_subscription \
    WHERE project_id = $1 AND key = $2 AND thread_id = $3";
/// Of all who said anything: whoever said what is usual is as good as nobody.
const SELECT_NOTICES: &str = "SELECT user_id, threads FROM room_subscription_setting \
    WHERE project_id = $1 AND key = $2 AND threads IN ('all', 'none')";
/// A group of another organization is a name that means nothing here, as one that is not for this.
const SELECT_MEMBERS: &str = "SELECT m.user_id FROM user_group_member m \
    JOIN user_group g ON g.project_id = m.project_id AND g.id = m.group_id \
    WHERE m.project_id = $1 AND m.group_id = $2 AND g.organization_id = $3 AND g.mention";
/// What was read stays so: what happens now is later, so it is unread again.
const TELL_AGAIN: &str = " ON CONFLICT (project_id, key, kind, subject_id, user_id, \
    organization_id) DO UPDATE SET unread = TRUE, notified_at_ms = \
    CASE WHEN inbox_notification.notified_at_ms > excluded.notified_at_ms \
    THEN inbox_notification.notified_at_ms ELSE excluded.notified_at_ms END, updated_at_ms = \
    CASE WHEN inbox_notification.updated_at_ms > excluded.updated_at_ms \
    THEN inbox_notification.updated_at_ms ELSE excluded.updated_at_ms END";
const FORGET: &str = "DELETE FROM inbox_notification WHERE project_id = $1 AND key = $2 \
    AND kind = 'thread' AND subject_id = $3 RETURNING user_id, id";

/// What each kind of activity means.
enum Meaning {
    /// Somebody wrote: it is news, and the writer follows the thread.
    Writing,
    /// News for those who follow the thread.
    News,
    /// Only those who are mentioned now hear of it.
    Mentions,
    /// The thread is gone, and what told of it.
    End,
    Nothing,
}

fn meaning(kind: &ActivityKind) -> Meaning {
    match kind {
        ActivityKind::ThreadCreated(_) | ActivityKind::CommentCreated(_) => Meaning::Writing,
        ActivityKind::Resolved => Meaning::News,
        ActivityKind::CommentEdited(_) => Meaning::Mentions,
        ActivityKind::ThreadDeleted => Meaning::End,
        ActivityKind::CommentDeleted(_) | ActivityKind::Unresolved => Meaning::Nothing,
    }
}

pub(super) async fn notify(
    tx: &mut Tx,
    key: &DataKey,
    activity: &CommentActivity,
) -> Result<(), Fault> {
    let (is_written, is_news) = match meaning(&activity.kind) {
        Meaning::Writing => (true, true),
        Meaning::News => (false, true),
        Meaning::Mentions if activity.mentions.is_empty() => return Ok(()),
        Meaning::Mentions => (false, false),
        Meaning::End => return forget(tx, key, activity).await,
        Meaning::Nothing => return Ok(()),
    };
    let facts = ThreadFacts {
        actor: activity.actor.clone(),
        is_written,
        is_news,
        mentioned: mentioned(tx, key, activity).await?,
        follows: follows(tx, key, activity).await?,
        notices: notices(tx, key).await?,
    };
    let candidates = facts.candidates();
    let candidates: Vec<&UserId> = candidates.iter().collect();
    let organization = (&key.project, &activity.room.organization_id);
    let accesses = accesses_of(tx, organization, &candidates).await?;
    let outcome = facts.decide(|user| may_read(activity, (&facts, &accesses), user));
    let thread = activity.thread.as_str();
    follow(tx, (key, thread), &outcome.following, activity.at_ms).await?;
    tell(tx, key, activity, &outcome.told).await
}

fn may_read(
    activity: &CommentActivity,
    (facts, accesses): (&ThreadFacts, &HashMap<String, UserAccess>),
    user: &UserId,
) -> bool {
    let about = About::Thread { id: activity.thread.clone(), visibility: activity.visibility };
    let known = Known {
        access: accesses.get(user.as_str()),
        follows: facts.follows.get(user) == Some(&true),
    };
    may_be_told(&activity.room, user, known, &about)
}

/// The users who are mentioned, and the members of the groups.
async fn mentioned(
    tx: &mut Tx,
    key: &DataKey,
    activity: &CommentActivity,
) -> Result<BTreeSet<UserId>, Fault> {
    let mut found = BTreeSet::new();
    for mention in &activity.mentions {
        match mention {
            Mention::User(user) => drop(found.insert(user.clone())),
            Mention::Group { id, user_ids } => {
                found.extend(user_ids.iter().cloned());
                found.extend(members(tx, key, (id, &activity.room.organization_id)).await?);
            }
        }
    }
    Ok(found)
}

/// Who is in a group that is kept here.
pub(super) async fn members(
    tx: &mut Tx,
    key: &DataKey,
    (group, organization): (&str, &OrganizationId),
) -> Result<Vec<UserId>, Fault> {
    let rows: Vec<(String,)> = on_tx!(tx.read(), |c| sqlx::query_as(SELECT_MEMBERS)
        .bind(key.project.as_str())
        .bind(group)
        .bind(organization.as_str())
        .fetch_all(c)
        .await)
    .map_err(on("user_group_member"))?;
    Ok(rows.into_iter().map(|(user,)| UserId::trusted(user)).collect())
}

async fn follows(
    tx: &mut Tx,
    key: &DataKey,
    activity: &CommentActivity,
) -> Result<BTreeMap<UserId, bool>, Fault> {
    let rows: Vec<(String, Option<i64>)> = on_tx!(tx.read(), |c| sqlx::query_as(SELECT_FOLLOWS)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(activity.thread.as_str())
        .fetch_all(c)
        .await)
    .map_err(on("thread_subscription"))?;
    let follows = rows.into_iter().map(|(user, left)| (UserId::trusted(user), left.is_none()));
    Ok(follows.collect())
}

async fn notices(tx: &mut Tx, key: &DataKey) -> Result<BTreeMap<UserId, ThreadNotices>, Fault> {
    let rows: Vec<(String, String)> = on_tx!(tx.read(), |c| sqlx::query_as(SELECT_NOTICES)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .fetch_all(c)
        .await)
    .map_err(on("room_subscription_setting"))?;
    let mut found = BTreeMap::new();
    for (user, threads) in rows {
        found.insert(UserId::trusted(user), ThreadNotices::parse(&threads)?);
    }
    Ok(found)
}

async fn tell(
    tx: &mut Tx,
    key: &DataKey,
    activity: &CommentActivity,
    users: &BTreeSet<UserId>,
) -> Result<(), Fault> {
    let mut new = Vec::with_capacity(users.len());
    for user in users {
        new.push(NewNotice {
            id: NotificationId::random()?,
            user: user.as_str(),
            key: &key.key,
            kind: THREAD_KIND,
            subject_id: activity.thread.as_str(),
            organization_id: "",
            visibility: activity.visibility.as_str(),
            data: "",
            at_ms: activity.at_ms,
        });
    }
    insert(tx, &key.project, &new, TELL_AGAIN).await
}

async fn forget(tx: &mut Tx, key: &DataKey, activity: &CommentActivity) -> Result<(), Fault> {
    let thread = activity.thread.as_str();
    let gone: Vec<(String, String)> = on_tx!(tx.write(), |c| sqlx::query_as(FORGET)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(thread)
        .fetch_all(c)
        .await)
    .map_err(on("inbox_notification"))?;
    let gone = gone.into_iter().map(|(user, id)| Gone { user, id, key: key.key.to_string() });
    bury(tx, &key.project, &gone.collect::<Vec<_>>(), activity.at_ms).await?;
    unfollow_all(tx, (key, thread), activity.at_ms).await
}
