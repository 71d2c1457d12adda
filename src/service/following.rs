//! What goes with threads for the user who asks: what their inbox tells of these threads, and which
//! of them they follow.

use std::collections::HashSet;
use std::sync::Arc;

use crate::domain::content_id::ThreadId;
use crate::domain::ctx::Ctx;
use crate::domain::ids::UserId;
use crate::domain::notification::About;
use crate::domain::permissions::Level;
use crate::domain::room::Room;
use crate::error::Error;
use crate::proto::notification::{deleted_notification, deleted_subscription, notification};
use crate::proto::roomd::v1;
use crate::store::{DataKey, Store, ThreadView};

/// Changes of one sort that one answer tells.
pub const CHANGES_MAX: usize = 200;

/// Where the threads are.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub room: &'a Arc<Room>,
    pub key: &'a DataKey,
}

/// Of threads that the caller may read.
#[derive(Default)]
pub struct Following {
    pub notifications: Vec<v1::InboxNotification>,
    pub subscriptions: Vec<v1::Subscription>,
}

/// The same, of what changed.
#[derive(Default)]
pub struct FollowingDelta {
    pub now: Following,
    pub deleted_notifications: Vec<v1::DeletedInboxNotification>,
    pub deleted_subscriptions: Vec<v1::DeletedSubscription>,
    /// Where to go on, if there is more.
    pub more_from_ms: Option<i64>,
}

impl FollowingDelta {
    pub fn is_empty(&self) -> bool {
        let Following { notifications, subscriptions } = &self.now;
        notifications.is_empty()
            && subscriptions.is_empty()
            && self.deleted_notifications.is_empty()
            && self.deleted_subscriptions.is_empty()
            && self.more_from_ms.is_none()
    }
}

/// What goes with these threads of a room.
pub async fn following(
    ctx: &Ctx,
    store: &Store,
    place: Place<'_>,
    threads: &[ThreadId],
) -> Result<Following, Error> {
    match ctx.user_id()? {
        Some(user) if !threads.is_empty() => following_of(ctx, store, place, (user, threads)).await,
        _ => Ok(Following::default()),
    }
}

/// As [`following`], of a user whom the caller may ask about.
pub async fn following_of(
    ctx: &Ctx,
    store: &Store,
    Place { room, key }: Place<'_>,
    (user, threads): (&UserId, &[ThreadId]),
) -> Result<Following, Error> {
    let mut following = Following::default();
    for found in store.thread_notifications(key, user, threads).await? {
        if let Some(found) = ctx.notification(found, Some(room))? {
            following.notifications.push(notification(found, &room.organization_id));
        }
    }
    let found = store.thread_subscriptions(key, user, threads).await?;
    following.subscriptions = found.iter().map(v1::Subscription::from).collect();
    Ok(following)
}

/// What changed of that in a room at `since_ms` or later.
pub async fn following_since(
    ctx: &Ctx,
    store: &Store,
    Place { room, key }: Place<'_>,
    since_ms: i64,
) -> Result<FollowingDelta, Error> {
    let mut delta = FollowingDelta::default();
    let Some(user) = ctx.user_id()? else { return Ok(delta) };
    let project = &ctx.caller()?.project;
    // Usually nothing changed, which one look tells.
    if !store.inbox_changed_since(project, user, since_ms).await? {
        return Ok(delta);
    }
    let changed = store.list_inbox_changes(project, user, since_ms, CHANGES_MAX).await?;
    let deleted = store.list_inbox_deletions(project, user, since_ms, CHANGES_MAX).await?;
    let follows = store.list_subscription_changes(project, user, since_ms, CHANGES_MAX).await?;
    let more = [changed.more_from_ms, deleted.more_from_ms, follows.more_from_ms];
    delta.more_from_ms = more.into_iter().flatten().min();
    let is_here = |found: &DataKey| found == key;
    for entry in changed.entries {
        if !entry.room.as_ref().is_some_and(|(_, found)| is_here(found)) {
            continue;
        }
        let found = ctx.notification(entry.notification, Some(room))?;
        if let Some(found) = found.filter(|found| matches!(found.about, About::Thread { .. })) {
            delta.now.notifications.push(notification(found, &room.organization_id));
        }
    }
    let gone = deleted.entries.into_iter().filter(|gone| gone.room.as_ref() == Some(&room.id));
    delta.deleted_notifications = gone.map(deleted_notification).collect();
    let here: Vec<_> = follows.entries.into_iter().filter(|change| is_here(&change.key)).collect();
    let right = ctx.threads(room, Level::Read)?;
    let view = ThreadView { key: key.clone(), room_id: room.id.clone(), right };
    let threads: Vec<ThreadId> = here.iter().map(|one| one.subscription.thread.clone()).collect();
    let readable: HashSet<ThreadId> =
        store.readable_threads(&view, &threads).await?.into_iter().collect();
    let told = here.iter().map(|change| &change.subscription);
    for subscription in told.filter(|one| readable.contains(&one.thread)) {
        match subscription.deleted_at_ms {
            Some(at_ms) => {
                let gone = deleted_subscription(&subscription.thread, at_ms);
                delta.deleted_subscriptions.push(gone);
            }
            None => delta.now.subscriptions.push(v1::Subscription::from(subscription)),
        }
    }
    Ok(delta)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_was_cut_short_is_not_nothing() {
        assert!(FollowingDelta::default().is_empty());
        let cut = FollowingDelta { more_from_ms: Some(5), ..FollowingDelta::default() };
        assert!(!cut.is_empty());
    }
}
