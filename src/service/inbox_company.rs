//! What browsers get beside notifications, so that they can show them: threads, subscriptions, and
//! groups that are mentioned.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::domain::comment::{Mention, Thread};
use crate::domain::content_id::ThreadId;
use crate::domain::ids::{GroupId, RoomId};
use crate::domain::notification::{About, Notification};
use crate::domain::permissions::Level;
use crate::domain::room::Room;
use crate::error::Error;
use crate::proto::notification::deleted_subscription;
use crate::proto::roomd::v1;
use crate::service::inbox_pages::{Opened, Reader};
use crate::store::{Changes, DataKey, SubscriptionChange, ThreadView};

/// What goes with some notifications.
#[derive(Default)]
pub struct Company {
    pub threads: Vec<v1::Thread>,
    pub subscriptions: Vec<v1::Subscription>,
    pub groups: Vec<v1::Group>,
}

impl Reader<'_> {
    /// What goes with these notifications, all of which the caller may read.
    pub async fn company(&mut self, found: &[Opened]) -> Result<Company, Error> {
        let mut company = Company::default();
        let mut groups: HashSet<GroupId> = HashSet::new();
        let mut rooms: BTreeMap<RoomId, (DataKey, Vec<ThreadId>)> = BTreeMap::new();
        for opened in found {
            add_groups(&mut groups, mention_of(&opened.notification).into_iter());
            let About::Thread { id, .. } = &opened.notification.about else { continue };
            let Some((room, key)) = &opened.room else { continue };
            let (_, threads) = rooms.entry(room.clone()).or_insert((key.clone(), Vec::new()));
            threads.push(id.clone());
        }
        for (id, (key, threads)) in rooms {
            let Some(room) = self.room(&id).await? else { continue };
            let view = self.view(&room, key)?;
            let threads = self.store.find_threads(&view, &threads).await?;
            let ids: Vec<ThreadId> = threads.iter().map(|thread| thread.id.clone()).collect();
            let user = &self.person.id;
            let follows = self.store.thread_subscriptions(&view.key, user, &ids).await?;
            company.subscriptions.extend(follows.iter().map(v1::Subscription::from));
            for thread in &threads {
                add_groups(&mut groups, mentions_in(thread));
                company.threads.push(v1::Thread::from(thread));
            }
        }
        let groups = groups.into_iter().collect();
        for group in self.store.find_groups(&self.person.project, groups).await? {
            company.groups.extend(self.ctx.open_group(group)?.as_ref().map(v1::Group::from));
        }
        Ok(company)
    }

    /// The subscriptions that are new, and those that are gone, of threads that the caller may read.
    pub async fn subscriptions(
        &mut self,
        changes: Changes<SubscriptionChange>,
    ) -> Result<(Vec<v1::Subscription>, Vec<v1::DeletedSubscription>), Error> {
        let (mut new, mut gone) = (Vec::new(), Vec::new());
        let mut rooms: HashMap<RoomId, (DataKey, Vec<SubscriptionChange>)> = HashMap::new();
        for change in changes.entries {
            let place = rooms.entry(change.room.clone());
            let (_, changes) = place.or_insert_with(|| (change.key.clone(), Vec::new()));
            changes.push(change);
        }
        for (id, (key, changes)) in rooms {
            let Some(room) = self.room(&id).await? else { continue };
            let view = self.view(&room, key)?;
            let threads: Vec<ThreadId> =
                changes.iter().map(|change| change.subscription.thread.clone()).collect();
            let readable = self.store.readable_threads(&view, &threads).await?;
            let readable: HashSet<ThreadId> = readable.into_iter().collect();
            let told = changes.iter().map(|change| &change.subscription);
            for subscription in told.filter(|one| readable.contains(&one.thread)) {
                match subscription.deleted_at_ms {
                    Some(at_ms) => gone.push(deleted_subscription(&subscription.thread, at_ms)),
                    None => new.push(v1::Subscription::from(subscription)),
                }
            }
        }
        Ok((new, gone))
    }

    fn view(&self, room: &Arc<Room>, key: DataKey) -> Result<ThreadView, Error> {
        let right = self.ctx.threads(room, Level::Read)?;
        Ok(ThreadView { key, room_id: room.id.clone(), right })
    }
}

fn mention_of(found: &Notification) -> Option<Mention> {
    match &found.about {
        About::TextMention { mention, .. } => Some(mention.clone()),
        About::Thread { .. } | About::Custom { .. } => None,
    }
}

fn mentions_in(thread: &Thread) -> impl Iterator<Item = Mention> + '_ {
    let bodies = thread.comments.iter().filter_map(|comment| comment.body.as_ref());
    bodies.flat_map(|body| body.mentions())
}

/// What is no id of a group names none.
fn add_groups(groups: &mut HashSet<GroupId>, mentions: impl Iterator<Item = Mention>) {
    groups.extend(mentions.filter_map(|mention| match mention {
        Mention::Group { id, .. } => GroupId::parse("groupId", &id).ok(),
        Mention::User(_) => None,
    }));
}
