//! The calls about who follows a thread.

use crate::domain::comment::thread_not_found;
use crate::domain::ctx::{Ctx, Guarded};
use crate::domain::notification::{Notification, ThreadSubscription};
use crate::domain::permissions::{Level, Resource};
use crate::error::Error;
use crate::proto::notification::notification;
use crate::proto::roomd::v1;
use crate::service::contents::{Audience, Opened, thread_in_path};
use crate::service::person::person;
use crate::service::subscription::SubscriptionHandlers;
use crate::store::ThreadView;

impl SubscriptionHandlers {
    /// The threads of a room that the caller may read.
    async fn threads(&self, ctx: &Ctx, room_id: &str) -> Result<(Opened, ThreadView), Error> {
        let right = (Level::Read, Resource::Comments);
        let opened = self.contents.open_for(ctx, room_id, right, Audience::Everybody).await?;
        let view = self.contents.threads(ctx, &opened).await?;
        Ok((opened, view.ok_or_else(thread_not_found)?))
    }

    pub(super) async fn follow(
        &self,
        ctx: &Ctx,
        (room_id, thread_id, user_id): (&str, &str, &str),
        follows: bool,
    ) -> Result<ThreadSubscription, Error> {
        let (_, view) = self.threads(ctx, room_id).await?;
        let person = person(ctx, user_id)?;
        let thread = thread_in_path(thread_id)?;
        let store = &self.contents.store;
        store.follow_thread(&view, (&thread, &person.id), follows, ctx.now_ms()).await
    }

    pub(super) async fn followers(
        &self,
        ctx: &Ctx,
        (room_id, thread_id): (&str, &str),
    ) -> Result<Vec<v1::Subscription>, Error> {
        let (_, view) = self.threads(ctx, room_id).await?;
        let thread = thread_in_path(thread_id)?;
        let found = self.contents.store.list_thread_subscriptions(&view, &thread).await?;
        let message = |one: &ThreadSubscription| v1::Subscription {
            user_id: one.user.to_string(),
            ..v1::Subscription::from(one)
        };
        Ok(found.iter().map(message).collect())
    }

    pub(super) async fn told_of(
        &self,
        ctx: &Ctx,
        (room_id, thread_id): (&str, &str),
    ) -> Result<Vec<v1::InboxNotification>, Error> {
        // What others have read is nobody's business but the back end's.
        let grant = ctx.require_admin()?;
        let (opened, view) = self.threads(ctx, room_id).await?;
        let thread = thread_in_path(thread_id)?;
        let found = self.contents.store.list_thread_notifications(&view, &thread).await?;
        let message = |found: Guarded<Notification>| {
            let found = grant.open(found);
            let user_id = found.user.to_string();
            let message = notification(found, &opened.room.organization_id);
            v1::InboxNotification { user_id, ..message }
        };
        Ok(found.into_iter().map(message).collect())
    }
}
