//! The threads that a user follows, in all rooms that they may read.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use prost_types::ListValue;

use crate::domain::comment::{DeletedThread, Thread, ThreadCursor, ThreadFilter, read_limit};
use crate::domain::content_id::ThreadId;
use crate::domain::ctx::Ctx;
use crate::domain::ids::RoomId;
use crate::domain::permissions::{Level, Resource};
use crate::domain::room::Room;
use crate::error::Error;
use crate::proto::notification::deleted_notification;
use crate::proto::room::timestamp;
use crate::proto::roomd::v1;
use crate::proto::thread::read_time;
use crate::service::comments::CommentsHandlers;
use crate::service::comments::lists::permission_hints;
use crate::service::following::{CHANGES_MAX, Following, Place, following_of};
use crate::service::inbox_pages;
use crate::service::person::{Person, person};
use crate::store::{FollowedThread, Store, ThreadView};

/// Threads that one call looks at. The page that it gives may then be short, or empty, and still
/// have a next one.
const SCANNED_MAX: usize = 500;

/// Opens threads for one caller, and what goes with them.
struct Reader<'a> {
    ctx: &'a Ctx,
    store: &'a Store,
    person: &'a Person,
    rooms: HashMap<RoomId, Option<Arc<Room>>>,
    own: Following,
    hints: BTreeMap<String, ListValue>,
}

impl Reader<'_> {
    async fn room(&mut self, id: &RoomId) -> Result<Option<Arc<Room>>, Error> {
        if let Some(known) = self.rooms.get(id) {
            return Ok(known.clone());
        }
        let found = self.store.find_room(&self.person.project, id).await?;
        let room = self.ctx.open(found, Level::Read, Resource::Comments).ok();
        self.rooms.insert(id.clone(), room.clone());
        Ok(room)
    }

    /// Those that the caller may read, in the order in which they came.
    async fn open(
        &mut self,
        found: Vec<FollowedThread>,
        filter: &ThreadFilter,
    ) -> Result<(Vec<Thread>, Vec<DeletedThread>), Error> {
        let mut places = HashMap::new();
        let mut rooms: HashMap<RoomId, Vec<FollowedThread>> = HashMap::new();
        for (place, thread) in found.into_iter().enumerate() {
            places.insert((thread.room_id.clone(), thread.cursor().id), place);
            rooms.entry(thread.room_id.clone()).or_default().push(thread);
        }
        let (mut threads, mut gone) = (Vec::new(), Vec::new());
        for (room_id, of_room) in rooms {
            let (Some(room), Some(first)) = (self.room(&room_id).await?, of_room.first()) else {
                continue;
            };
            let (key, right) = (first.key.clone(), self.ctx.threads(&room, Level::Read)?);
            let view = ThreadView { key, room_id, right };
            let (mut living, deleted) = self.store.open_followed(&view, of_room).await?;
            living.retain(|thread| filter.matches(thread, true));
            self.accompany(&room, &view, &living).await?;
            threads.extend(living);
            gone.extend(deleted);
        }
        threads.sort_by_key(|thread: &Thread| {
            places.get(&(thread.room_id.clone(), thread.id.clone())).copied()
        });
        Ok((threads, gone))
    }

    async fn accompany(
        &mut self,
        room: &Arc<Room>,
        view: &ThreadView,
        threads: &[Thread],
    ) -> Result<(), Error> {
        let place = Place { room, key: &view.key };
        let ids: Vec<ThreadId> = threads.iter().map(|thread| thread.id.clone()).collect();
        let own = following_of(self.ctx, self.store, place, (&self.person.id, &ids)).await?;
        self.own.notifications.extend(own.notifications);
        self.own.subscriptions.extend(own.subscriptions);
        self.hints.extend(permission_hints(self.ctx, room)?);
        Ok(())
    }
}

impl CommentsHandlers {
    fn reader<'a>(&'a self, ctx: &'a Ctx, person: &'a Person) -> Reader<'a> {
        let store = &self.contents.store;
        let (rooms, own, hints) = (HashMap::new(), Following::default(), BTreeMap::new());
        Reader { ctx, store, person, rooms, own, hints }
    }

    pub(super) async fn list_of_user(
        &self,
        ctx: &Ctx,
        request: v1::ListUserThreadsRequest,
    ) -> Result<v1::ListUserThreadsResponse, Error> {
        let person = person(ctx, &request.user_id)?;
        let filter = ThreadFilter::from_query(&request.query)?;
        let mut after = ThreadCursor::read(&request.cursor)?;
        let limit = read_limit(request.limit)?;
        let store = &self.contents.store;
        let requested_at_ms = store.settled_ms(ctx.now_ms());
        let mut reader = self.reader(ctx, &person);
        let (mut threads, mut scanned): (Vec<Thread>, usize) = (Vec::new(), 0);
        let next_cursor = loop {
            let wanted = limit - threads.len();
            let (project, user) = (&person.project, &person.id);
            let (found, more) =
                store.list_followed_threads(project, user, after.as_ref(), wanted).await?;
            scanned += found.len();
            after = found.last().map(FollowedThread::cursor);
            threads.extend(reader.open(found, &filter).await?.0);
            if !more {
                break None;
            }
            if threads.len() == limit || scanned >= SCANNED_MAX {
                break after.as_ref().map(ThreadCursor::to_text);
            }
        };
        Ok(v1::ListUserThreadsResponse {
            threads: threads.iter().map(v1::Thread::from).collect(),
            inbox_notifications: reader.own.notifications,
            subscriptions: reader.own.subscriptions,
            meta: Some(v1::ThreadListMeta {
                requested_at: Some(timestamp(requested_at_ms)),
                next_cursor,
                permission_hints: reader.hints,
            }),
        })
    }

    pub(super) async fn list_changes_of_user(
        &self,
        ctx: &Ctx,
        request: v1::GetUserThreadsDeltaRequest,
    ) -> Result<v1::GetUserThreadsDeltaResponse, Error> {
        let person = person(ctx, &request.user_id)?;
        let since = request.since.ok_or_else(|| Error::missing("since"))?;
        let since_ms = read_time("since", since)?;
        let store = &self.contents.store;
        // Before the changes are read, so that none is missed.
        let settled_ms = store.settled_ms(ctx.now_ms());
        let (project, user) = (&person.project, &person.id);
        let (found, more) =
            store.list_followed_changes(project, user, since_ms, SCANNED_MAX).await?;
        let cut_at_ms = found.last().filter(|_| more).map(|last| last.changed_at_ms);
        let deleted = store.list_inbox_deletions(project, user, since_ms, CHANGES_MAX).await?;
        let follows = store.list_subscription_changes(project, user, since_ms, CHANGES_MAX).await?;
        let ends = [cut_at_ms, deleted.more_from_ms, follows.more_from_ms].into_iter().flatten();
        let requested_at_ms = ends.fold(settled_ms, i64::min);
        let mut inbox = inbox_pages::Reader::new(ctx, store, &person);
        let (_, deleted_subscriptions) = inbox.subscriptions(follows).await?;
        let mut reader = self.reader(ctx, &person);
        let (threads, gone) = reader.open(found, &ThreadFilter::default()).await?;
        Ok(v1::GetUserThreadsDeltaResponse {
            threads: threads.iter().map(v1::Thread::from).collect(),
            inbox_notifications: reader.own.notifications,
            subscriptions: reader.own.subscriptions,
            deleted_threads: gone.iter().map(v1::DeletedThread::from).collect(),
            deleted_inbox_notifications: deleted
                .entries
                .into_iter()
                .map(deleted_notification)
                .collect(),
            deleted_subscriptions,
            meta: Some(v1::ThreadDeltaMeta {
                requested_at: Some(timestamp(requested_at_ms)),
                permission_hints: reader.hints,
            }),
        })
    }
}
