//! Lists of threads, what changed in them, and what the caller's inbox has of them.

use std::collections::{BTreeMap, HashSet};

use prost_types::value::Kind;
use prost_types::{ListValue, Value};

use crate::domain::comment::{Mention, ThreadChanges, ThreadPage, ThreadQuery, thread_not_found};
use crate::domain::content_id::ThreadId;
use crate::domain::ctx::Ctx;
use crate::domain::ids::UserId;
use crate::domain::permissions::Level;
use crate::domain::room::Room;
use crate::error::Error;
use crate::proto::room::timestamp;
use crate::proto::roomd::v1;
use crate::proto::thread::read_time;
use crate::service::comments::CommentsHandlers;
use crate::service::contents::{Audience, Opened, thread_in_path};
use crate::service::following::{Following, FollowingDelta, Place, following, following_since};
use crate::store::Poll;

impl CommentsHandlers {
    pub(super) async fn list(
        &self,
        ctx: &Ctx,
        request: v1::ListThreadsRequest,
    ) -> Result<v1::ListThreadsResponse, Error> {
        let v1::ListThreadsRequest { room_id, query, cursor, limit } = request;
        let query = ThreadQuery::read(&query, ctx.user_id()?.cloned(), &cursor, limit)?;
        let (opened, view) = self.read(ctx, &room_id, Audience::Browsers).await?;
        let store = &self.contents.store;
        let requested_at_ms = store.settled_ms(ctx.now_ms());
        let (page, following) = match view {
            Some(view) => {
                let page = store.list_threads(&view, &query).await?;
                let ids: Vec<ThreadId> = page.threads.iter().map(|one| one.id.clone()).collect();
                let place = Place { room: &opened.room, key: &view.key };
                (page, following(ctx, store, place, &ids).await?)
            }
            None => (ThreadPage::EMPTY, Following::default()),
        };
        Ok(v1::ListThreadsResponse {
            data: page.threads.iter().map(v1::Thread::from).collect(),
            inbox_notifications: following.notifications,
            subscriptions: following.subscriptions,
            meta: Some(v1::ThreadListMeta {
                requested_at: Some(timestamp(requested_at_ms)),
                next_cursor: page.next_cursor,
                permission_hints: permission_hints(ctx, &opened.room)?,
            }),
        })
    }

    pub(super) async fn list_plainly(
        &self,
        ctx: &Ctx,
        request: v1::GetThreadsRequest,
    ) -> Result<v1::GetThreadsResponse, Error> {
        let v1::GetThreadsRequest { room_id, query, cursor, limit } = request;
        let query = ThreadQuery::read(&query, ctx.user_id()?.cloned(), &cursor, limit)?;
        let (_, view) = self.read(ctx, &room_id, Audience::Everybody).await?;
        let page = match view {
            Some(view) => self.contents.store.list_threads(&view, &query).await?,
            None => ThreadPage::EMPTY,
        };
        let data = page.threads.iter().map(v1::Thread::from).collect();
        Ok(v1::GetThreadsResponse { data, next_cursor: page.next_cursor })
    }

    pub(super) async fn list_changes(
        &self,
        ctx: &Ctx,
        request: v1::GetThreadsDeltaRequest,
    ) -> Result<v1::GetThreadsDeltaResponse, Error> {
        let since = request.since.ok_or_else(|| Error::missing("since"))?;
        let since_ms = read_time("since", since)?;
        let opened = self.open(ctx, &request.room_id, Audience::Browsers).await?;
        // Before the changes are read, so that none is missed.
        let settled_ms = self.contents.store.settled_ms(ctx.now_ms());
        let (changes, following) = self.changes_since(ctx, &opened, since_ms).await?;
        let cuts = [changes.cut_at_ms, following.more_from_ms];
        let requested_at_ms = cuts.into_iter().flatten().fold(settled_ms, i64::min);
        Ok(v1::GetThreadsDeltaResponse {
            data: changes.threads.iter().map(v1::Thread::from).collect(),
            deleted_threads: changes.deleted.iter().map(v1::DeletedThread::from).collect(),
            inbox_notifications: following.now.notifications,
            subscriptions: following.now.subscriptions,
            deleted_inbox_notifications: following.deleted_notifications,
            deleted_subscriptions: following.deleted_subscriptions,
            meta: Some(v1::ThreadDeltaMeta {
                requested_at: Some(timestamp(requested_at_ms)),
                permission_hints: permission_hints(ctx, &opened.room)?,
            }),
        })
    }

    /// Nearly always there are none, which is remembered until something changes.
    async fn changes_since(
        &self,
        ctx: &Ctx,
        opened: &Opened,
        since_ms: i64,
    ) -> Result<(ThreadChanges, FollowingDelta), Error> {
        let store = &self.contents.store;
        let poll = Poll {
            project: opened.project.clone(),
            room: opened.room.id.clone(),
            user: ctx.user_id()?.cloned(),
            right: ctx.threads(&opened.room, Level::Read)?,
        };
        if store.is_quiet(&poll, &opened.room, since_ms) {
            return Ok((ThreadChanges::default(), FollowingDelta::default()));
        }
        // Boxed, so that the future of the usual call stays small.
        Box::pin(self.read_changes(ctx, opened, poll, since_ms)).await
    }

    async fn read_changes(
        &self,
        ctx: &Ctx,
        opened: &Opened,
        poll: Poll,
        since_ms: i64,
    ) -> Result<(ThreadChanges, FollowingDelta), Error> {
        let store = &self.contents.store;
        let Some(view) = self.contents.threads(ctx, opened).await? else {
            return Ok((ThreadChanges::default(), FollowingDelta::default()));
        };
        let ticket = store.poll_ticket(&view.key, poll.user.as_ref(), &opened.room);
        let changes = store.list_thread_changes(&view, since_ms).await?;
        let place = Place { room: &opened.room, key: &view.key };
        let following = following_since(ctx, store, place, since_ms).await?;
        if let Some(ticket) = ticket.filter(|_| changes.is_empty() && following.is_empty()) {
            store.remember_quiet(poll, ticket, since_ms);
        }
        Ok((changes, following))
    }

    pub(super) async fn read_thread_with_notification(
        &self,
        ctx: &Ctx,
        request: v1::GetThreadWithNotificationRequest,
    ) -> Result<v1::GetThreadWithNotificationResponse, Error> {
        let (opened, view) = self.read(ctx, &request.room_id, Audience::Browsers).await?;
        let view = view.ok_or_else(thread_not_found)?;
        let id = thread_in_path(&request.thread_id)?;
        let store = &self.contents.store;
        let thread = store.find_thread(&view, &id).await?;
        let thread = thread.as_ref().map(v1::Thread::from).ok_or_else(thread_not_found)?;
        let place = Place { room: &opened.room, key: &view.key };
        let Following { mut notifications, mut subscriptions } =
            following(ctx, store, place, &[id]).await?;
        Ok(v1::GetThreadWithNotificationResponse {
            thread: Some(thread),
            inbox_notification: notifications.pop(),
            subscription: subscriptions.pop(),
        })
    }

    pub(super) async fn list_participants(
        &self,
        ctx: &Ctx,
        request: v1::GetThreadParticipantsRequest,
    ) -> Result<Vec<String>, Error> {
        let (_, view) = self.read(ctx, &request.room_id, Audience::Everybody).await?;
        let view = view.ok_or_else(thread_not_found)?;
        let id = thread_in_path(&request.thread_id)?;
        let thread = self.contents.store.find_thread(&view, &id).await?;
        let thread = thread.ok_or_else(thread_not_found)?;
        let mut users: Vec<UserId> = Vec::new();
        for comment in &thread.comments {
            // Who wrote what is deleted takes no part any more.
            let Some(body) = &comment.body else { continue };
            users.push(comment.user_id.clone());
            users.extend(body.mentions().into_iter().filter_map(|mention| match mention {
                Mention::User(user) => Some(user),
                Mention::Group { .. } => None,
            }));
        }
        let mut seen = HashSet::new();
        users.retain(|user| seen.insert(user.clone()));
        Ok(users.iter().map(UserId::to_string).collect())
    }
}

/// What the caller may do in the room. A client that is not told thinks that it may do nothing.
pub(super) fn permission_hints(
    ctx: &Ctx,
    room: &Room,
) -> Result<BTreeMap<String, ListValue>, Error> {
    let scopes = ctx.caller()?.actor.rights_in(room).canonical_scopes();
    let text = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
    let values = scopes.iter().map(|scope| text(scope.as_str())).collect();
    Ok(BTreeMap::from([(room.id.to_string(), ListValue { values })]))
}
