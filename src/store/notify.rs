//! What follows from what happens in a thread, in the same transaction: who is told of it, and who
//! follows the thread from then on. The rules themselves are in `domain/notification/rules.rs`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::comment_write::Happened;
use super::db::{Tx, on_tx};
use super::fault::{Fault, on};
use super::inbox_trigger::{NewNotice, insert};
use super::inbox_write::{Gone, bury};
use super::room_data::DataKey;
use super::select_at::{nth, select_at};
use super::thread_subscription::{Follower, follow, unfollow_all};
use super::user_access::accesses_of;
use crate::domain::comment::{ActivityKind, CommentActivity, Mention};
use crate::domain::content_id::NotificationId;
use crate::domain::ids::{OrganizationId, ProjectId, UserId};
use crate::domain::notification::{
    About, Known, THREAD_KIND, ThreadFacts, ThreadNotices, UserAccess, may_be_told,
};

const SELECT_FOLLOWS: &str = "SELECT place, user_id, deleted_at_ms \
    FROM wanted CROSS JOIN thread_subscription \
    WHERE project_id = a AND key = b AND thread_id = c";
/// Of all who said anything: whoever said what is usual is as good as nobody.
const SELECT_NOTICES: &str = "SELECT place, user_id, threads \
    FROM wanted CROSS JOIN room_subscription_setting \
    WHERE project_id = a AND key = b AND threads IN ('all', 'none')";
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

/// Something of which users may have to be told.
struct News<'a> {
    key: &'a DataKey,
    activity: &'a CommentActivity,
    is_written: bool,
    is_news: bool,
    mentioned: BTreeSet<UserId>,
}

/// Whom what happens in one thread may concern, those who do it included.
struct Concerned<'a> {
    organization: (&'a ProjectId, &'a OrganizationId),
    users: BTreeSet<UserId>,
    /// Something was done by nobody who is known.
    by_nobody: bool,
}

impl<'a> Concerned<'a> {
    fn by(news: &News<'a>) -> Self {
        Self { organization: news.organization(), users: BTreeSet::new(), by_nobody: false }
    }

    /// Nobody is told of what they did themselves, so nothing need be known of who is alone.
    fn may_tell(&self) -> bool {
        self.users.len() > 1 || self.by_nobody
    }
}

/// What is known of the threads and rooms, and of the users who may be concerned.
struct Background<'a> {
    follows: HashMap<[&'a str; 3], BTreeMap<UserId, bool>>,
    notices: HashMap<[&'a str; 2], BTreeMap<UserId, ThreadNotices>>,
    accesses: HashMap<(&'a ProjectId, &'a OrganizationId), HashMap<String, UserAccess>>,
}

impl<'a> News<'a> {
    fn thread(&self) -> [&'a str; 3] {
        [self.key.project.as_str(), &self.key.key, self.activity.thread.as_str()]
    }

    fn room(&self) -> [&'a str; 2] {
        [self.key.project.as_str(), &self.key.key]
    }

    fn organization(&self) -> (&'a ProjectId, &'a OrganizationId) {
        (&self.key.project, &self.activity.room.organization_id)
    }

    /// What the rules ask for; the background gets it back with [`Background::put`].
    fn facts(&self, background: &mut Background<'a>) -> ThreadFacts {
        ThreadFacts {
            actor: self.activity.actor.clone(),
            is_written: self.is_written,
            is_news: self.is_news,
            mentioned: self.mentioned.clone(),
            follows: background.follows.remove(&self.thread()).unwrap_or_default(),
            notices: background.notices.remove(&self.room()).unwrap_or_default(),
        }
    }

    fn may_be_told(&self, background: &Background<'_>, facts: &ThreadFacts, user: &UserId) -> bool {
        let activity = self.activity;
        let about = About::Thread { id: activity.thread.clone(), visibility: activity.visibility };
        let accesses = background.accesses.get(&self.organization());
        let known = Known {
            access: accesses.and_then(|accesses| accesses.get(user.as_str())),
            follows: facts.follows.get(user) == Some(&true),
        };
        may_be_told(&activity.room, user, known, &about)
    }
}

impl<'a> Background<'a> {
    async fn read(tx: &mut Tx, news: &[News<'a>]) -> Result<Self, Fault> {
        let mut background = Self {
            follows: follows(tx, &distinct(news.iter().map(News::thread))).await?,
            notices: notices(tx, &distinct(news.iter().map(News::room))).await?,
            accesses: HashMap::new(),
        };
        let mut threads: HashMap<_, Concerned<'a>> = HashMap::new();
        for one in news {
            let facts = one.facts(&mut background);
            let concerned = threads.entry(one.thread()).or_insert_with(|| Concerned::by(one));
            concerned.users.extend(facts.candidates());
            // Whoever writes now follows the thread, and hears of what is written after it.
            concerned.users.extend(facts.actor.clone());
            concerned.users.extend(facts.mentioned.iter().cloned());
            concerned.by_nobody |= facts.actor.is_none();
            background.put(one, facts);
        }
        let mut asked: HashMap<_, BTreeSet<UserId>> = HashMap::new();
        for thread in threads.into_values().filter(Concerned::may_tell) {
            asked.entry(thread.organization).or_default().extend(thread.users);
        }
        for (organization, users) in asked {
            let users: Vec<&UserId> = users.iter().collect();
            let accesses = accesses_of(tx, organization, &users).await?;
            background.accesses.insert(organization, accesses);
        }
        Ok(background)
    }

    fn put(&mut self, news: &News<'a>, facts: ThreadFacts) {
        self.follows.insert(news.thread(), facts.follows);
        self.notices.insert(news.room(), facts.notices);
    }
}

pub(super) async fn notify(tx: &mut Tx, happened: &[Happened<'_>]) -> Result<(), Fault> {
    let mut news = Vec::with_capacity(happened.len());
    for &(key, activity) in happened {
        let (is_written, is_news) = match meaning(&activity.kind) {
            Meaning::Writing => (true, true),
            Meaning::News => (false, true),
            Meaning::Mentions if !activity.mentions.is_empty() => (false, false),
            Meaning::Mentions | Meaning::Nothing => continue,
            Meaning::End => {
                forget(tx, key, activity).await?;
                continue;
            }
        };
        let mentioned = mentioned(tx, key, activity).await?;
        news.push(News { key, activity, is_written, is_news, mentioned });
    }
    if news.is_empty() {
        return Ok(());
    }
    let mut background = Background::read(tx, &news).await?;
    let mut followers = Vec::new();
    // Who was told of a thread twice is told of the last time.
    let mut told = BTreeMap::new();
    for one in &news {
        let mut facts = one.facts(&mut background);
        let outcome = facts.decide(|user| one.may_be_told(&background, &facts, user));
        let (key, thread, at_ms) = (one.key, one.activity.thread.as_str(), one.activity.at_ms);
        told.extend(outcome.told.into_iter().map(|user| ((one.thread(), user), one)));
        facts.follows.extend(outcome.following.iter().map(|user| (user.clone(), true)));
        let following = outcome.following.into_iter();
        followers.extend(following.map(|user| Follower { key, thread, user, at_ms }));
        background.put(one, facts);
    }
    follow(tx, &followers).await?;
    tell(tx, &told).await
}

fn distinct<T: Ord>(all: impl Iterator<Item = T>) -> Vec<T> {
    all.collect::<BTreeSet<T>>().into_iter().collect()
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

async fn follows<'a>(
    tx: &mut Tx,
    threads: &[[&'a str; 3]],
) -> Result<HashMap<[&'a str; 3], BTreeMap<UserId, bool>>, Fault> {
    let rows: Vec<(i64, String, Option<i64>)> =
        select_at(tx, "thread_subscription", SELECT_FOLLOWS, threads).await?;
    let mut found: HashMap<_, BTreeMap<_, _>> = HashMap::with_capacity(threads.len());
    for (place, user, left) in rows {
        let follows = found.entry(nth(threads, place)?).or_default();
        follows.insert(UserId::trusted(user), left.is_none());
    }
    Ok(found)
}

async fn notices<'a>(
    tx: &mut Tx,
    rooms: &[[&'a str; 2]],
) -> Result<HashMap<[&'a str; 2], BTreeMap<UserId, ThreadNotices>>, Fault> {
    let rows: Vec<(i64, String, String)> =
        select_at(tx, "room_subscription_setting", SELECT_NOTICES, rooms).await?;
    let mut found: HashMap<_, BTreeMap<_, _>> = HashMap::new();
    for (place, user, threads) in rows {
        let notices = found.entry(nth(rooms, place)?).or_default();
        notices.insert(UserId::trusted(user), ThreadNotices::parse(&threads)?);
    }
    Ok(found)
}

async fn tell(tx: &mut Tx, told: &BTreeMap<([&str; 3], UserId), &News<'_>>) -> Result<(), Fault> {
    let mut new = Vec::with_capacity(told.len());
    for ((_, user), News { key, activity, .. }) in told {
        new.push(NewNotice {
            project: &key.project,
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
    insert(tx, &new, TELL_AGAIN).await
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
