//! SubscriptionService.

use crate::domain::ctx::{Ctx, room_not_found};
use crate::domain::notification::{RoomSubscription, SettingsCursor, read_limit};
use crate::domain::permissions::{Level, Resource};
use crate::error::Error;
use crate::proto::handlers::roomd_v1_subscription_service::SubscriptionService;
use crate::proto::notification::settings_patch;
use crate::proto::room::organization;
use crate::proto::roomd::v1;
use crate::service::contents::{Audience, Contents, Opened};
use crate::service::inbox_pages::Reader;
use crate::service::person::{Person, person};

pub struct SubscriptionHandlers {
    pub(super) contents: Contents,
}

impl SubscriptionHandlers {
    pub fn new(contents: Contents) -> Self {
        Self { contents }
    }

    /// A room whose comments the caller may read, and the person whom the call is about.
    async fn open(
        &self,
        ctx: &Ctx,
        room_id: &str,
        user_id: &str,
    ) -> Result<(Opened, Person), Error> {
        let right = (Level::Read, Resource::Comments);
        let opened = self.contents.open_for(ctx, room_id, right, Audience::Everybody).await?;
        Ok((opened, person(ctx, user_id)?))
    }
}

impl SubscriptionService for SubscriptionHandlers {
    async fn list_thread_subscriptions(
        &self,
        ctx: &Ctx,
        request: v1::ListThreadSubscriptionsRequest,
    ) -> Result<v1::ListThreadSubscriptionsResponse, Error> {
        let data = self.followers(ctx, (&request.room_id, &request.thread_id)).await?;
        Ok(v1::ListThreadSubscriptionsResponse { data })
    }

    async fn subscribe_to_thread(
        &self,
        ctx: &Ctx,
        request: v1::SubscribeToThreadRequest,
    ) -> Result<v1::SubscribeToThreadResponse, Error> {
        let v1::SubscribeToThreadRequest { room_id, thread_id, user_id } = request;
        let made = self.follow(ctx, (&room_id, &thread_id, &user_id), true).await?;
        let subscription = Some(v1::Subscription::from(&made));
        Ok(v1::SubscribeToThreadResponse { subscription })
    }

    async fn unsubscribe_from_thread(
        &self,
        ctx: &Ctx,
        request: v1::UnsubscribeFromThreadRequest,
    ) -> Result<v1::UnsubscribeFromThreadResponse, Error> {
        let v1::UnsubscribeFromThreadRequest { room_id, thread_id, user_id } = request;
        self.follow(ctx, (&room_id, &thread_id, &user_id), false).await?;
        Ok(v1::UnsubscribeFromThreadResponse {})
    }

    async fn list_thread_inbox_notifications(
        &self,
        ctx: &Ctx,
        request: v1::ListThreadInboxNotificationsRequest,
    ) -> Result<v1::ListThreadInboxNotificationsResponse, Error> {
        let data = self.told_of(ctx, (&request.room_id, &request.thread_id)).await?;
        Ok(v1::ListThreadInboxNotificationsResponse { data })
    }

    async fn get_notification_settings(
        &self,
        ctx: &Ctx,
        request: v1::GetNotificationSettingsRequest,
    ) -> Result<v1::GetNotificationSettingsResponse, Error> {
        let person = person(ctx, &request.user_id)?;
        let store = &self.contents.store;
        let said = store.find_notification_settings(&person.project, &person.id).await?;
        let settings = Some(v1::NotificationSettings::from(&said));
        Ok(v1::GetNotificationSettingsResponse { settings })
    }

    async fn update_notification_settings(
        &self,
        ctx: &Ctx,
        request: v1::UpdateNotificationSettingsRequest,
    ) -> Result<v1::UpdateNotificationSettingsResponse, Error> {
        let person = person(ctx, &request.user_id)?;
        let patch = settings_patch(request)?;
        let store = &self.contents.store;
        let said = store.update_notification_settings(&person.project, &person.id, patch).await?;
        let settings = Some(v1::NotificationSettings::from(&said));
        Ok(v1::UpdateNotificationSettingsResponse { settings })
    }

    async fn delete_notification_settings(
        &self,
        ctx: &Ctx,
        request: v1::DeleteNotificationSettingsRequest,
    ) -> Result<v1::DeleteNotificationSettingsResponse, Error> {
        let person = person(ctx, &request.user_id)?;
        let store = &self.contents.store;
        store.delete_notification_settings(&person.project, &person.id).await?;
        Ok(v1::DeleteNotificationSettingsResponse {})
    }

    async fn get_room_subscription_settings(
        &self,
        ctx: &Ctx,
        request: v1::GetRoomSubscriptionSettingsRequest,
    ) -> Result<v1::GetRoomSubscriptionSettingsResponse, Error> {
        let (opened, person) = self.open(ctx, &request.room_id, &request.user_id).await?;
        let store = &self.contents.store;
        let said = match store.find_data_key(&opened.project, &opened.room).await? {
            Some(key) => store.find_room_subscription(&key, &person.id).await?,
            None => RoomSubscription::default(),
        };
        let settings = Some(v1::RoomSubscriptionSettings::from(said));
        Ok(v1::GetRoomSubscriptionSettingsResponse { settings })
    }

    async fn update_room_subscription_settings(
        &self,
        ctx: &Ctx,
        request: v1::UpdateRoomSubscriptionSettingsRequest,
    ) -> Result<v1::UpdateRoomSubscriptionSettingsResponse, Error> {
        let patch = RoomSubscription::parse(&request.threads, &request.text_mentions)?;
        let (opened, person) = self.open(ctx, &request.room_id, &request.user_id).await?;
        let store = &self.contents.store;
        let key = store.ensure_data_key(&opened.project, &opened.room).await?;
        let key = key.ok_or_else(room_not_found)?;
        let said = store.update_room_subscription(&key, &person.id, patch).await?;
        let settings = Some(v1::RoomSubscriptionSettings::from(said));
        Ok(v1::UpdateRoomSubscriptionSettingsResponse { settings })
    }

    async fn delete_room_subscription_settings(
        &self,
        ctx: &Ctx,
        request: v1::DeleteRoomSubscriptionSettingsRequest,
    ) -> Result<v1::DeleteRoomSubscriptionSettingsResponse, Error> {
        let (opened, person) = self.open(ctx, &request.room_id, &request.user_id).await?;
        let store = &self.contents.store;
        if let Some(key) = store.find_data_key(&opened.project, &opened.room).await? {
            store.delete_room_subscription(&key, &person.id).await?;
        }
        Ok(v1::DeleteRoomSubscriptionSettingsResponse {})
    }

    async fn list_user_room_subscription_settings(
        &self,
        ctx: &Ctx,
        request: v1::ListUserRoomSubscriptionSettingsRequest,
    ) -> Result<v1::ListUserRoomSubscriptionSettingsResponse, Error> {
        let person = person(ctx, &request.user_id)?;
        let limit = read_limit(request.limit)?;
        let after = SettingsCursor::read("startingAfter", &request.starting_after)?;
        let asked = organization(&request.organization_id, &request.tenant_id)?;
        let Some(only) = person.organization(asked) else {
            return Ok(v1::ListUserRoomSubscriptionSettingsResponse::default());
        };
        let store = &self.contents.store;
        let (project, user) = (&person.project, &person.id);
        let place = (after.as_ref(), limit);
        let found = store.list_room_subscriptions(project, user, only.as_ref(), place).await?;
        let last = found.get(limit.saturating_sub(1)).filter(|_| found.len() > limit);
        let next_cursor = last.map(|last| last.cursor.to_text());
        let mut reader = Reader::new(ctx, store, &person);
        let mut data = Vec::with_capacity(limit);
        for entry in found.into_iter().take(limit) {
            if reader.room(&entry.room).await?.is_some() {
                let settings = v1::RoomSubscriptionSettings::from(entry.subscription);
                data.push(v1::UserRoomSubscriptionSettings {
                    room_id: entry.room.to_string(),
                    threads: settings.threads,
                    text_mentions: settings.text_mentions,
                });
            }
        }
        Ok(v1::ListUserRoomSubscriptionSettingsResponse { next_cursor, data })
    }
}
