//! InboxService.

use crate::domain::content_id::NotificationId;
use crate::domain::ctx::{Actor, Ctx, ProjectGrant, room_not_found};
use crate::domain::ids::{OrganizationId, RoomId, UserId};
use crate::domain::notification::{
    Activity, CustomKind, InboxFilter, InboxQuery, notification_not_found, parse_subject,
};
use crate::domain::permissions::{Level, Resource};
use crate::error::Error;
use crate::proto::handlers::roomd_v1_inbox_service::InboxService;
use crate::proto::notification::{deleted_notification, marked_ids, parse_ids};
use crate::proto::room::{millis, organization, timestamp};
use crate::proto::roomd::v1;
use crate::proto::value::to_object;
use crate::service::contents::{Audience, Contents};
use crate::service::following::CHANGES_MAX;
use crate::service::inbox_pages::{Opened, Page, Reader};
use crate::service::person::{Person, person};
use crate::store::{CustomNotice, NoticePlace};

pub struct InboxHandlers {
    pub(super) contents: Contents,
}

impl InboxHandlers {
    pub fn new(contents: Contents) -> Self {
        Self { contents }
    }

    /// Where a custom notification happened.
    async fn place(
        &self,
        grant: &ProjectGrant,
        room_id: &str,
        asked: Option<OrganizationId>,
    ) -> Result<NoticePlace, Error> {
        if room_id.is_empty() {
            return Ok(NoticePlace::Organization(asked.unwrap_or_default()));
        }
        let id = RoomId::parse("roomId", room_id)?;
        let store = &self.contents.store;
        let room = store.find_room(grant.project(), &id).await?.ok_or_else(room_not_found)?;
        let room = grant.open(room);
        if asked.is_some_and(|asked| asked != room.organization_id) {
            let problem = "must be the organization of the room";
            return Err(Error::invalid("organizationId", problem));
        }
        let key = store.ensure_data_key(grant.project(), &room).await?;
        Ok(NoticePlace::Room(key.ok_or_else(room_not_found)?))
    }

    /// A notification of a person's that the caller may read.
    async fn find(&self, ctx: &Ctx, person: &Person, id: &str) -> Result<Opened, Error> {
        let id = in_path(id)?;
        let found = self.contents.store.find_inbox_notification(&person.project, &id).await?;
        let mut reader = Reader::new(ctx, &self.contents.store, person);
        let opened = reader.open(found.ok_or_else(notification_not_found)?).await?;
        let own = opened.filter(|opened| opened.notification.user == person.id);
        own.ok_or_else(notification_not_found)
    }

    async fn mark(
        &self,
        ctx: &Ctx,
        person: &Person,
        ids: Option<Vec<NotificationId>>,
    ) -> Result<(), Error> {
        let (store, now_ms) = (&self.contents.store, ctx.now_ms());
        match ids {
            Some(ids) if ids.is_empty() => Ok(()),
            Some(ids) => store.mark_some_as_read(&person.project, &person.id, ids, now_ms).await,
            None => {
                let organization = person.organization.as_ref();
                store.mark_all_as_read(&person.project, &person.id, organization, now_ms).await
            }
        }
    }
}

fn messages(page: Page) -> (Vec<v1::InboxNotification>, Option<String>) {
    let messages = page.notifications.into_iter().map(Opened::into_message);
    (messages.collect(), page.next_cursor)
}

/// In a path: what is no id names nothing.
fn in_path(raw: &str) -> Result<NotificationId, Error> {
    NotificationId::parse("inboxNotificationId", raw).map_err(|_| notification_not_found())
}

impl InboxService for InboxHandlers {
    async fn trigger_inbox_notification(
        &self,
        ctx: &Ctx,
        request: v1::TriggerInboxNotificationRequest,
    ) -> Result<v1::TriggerInboxNotificationResponse, Error> {
        let grant = ctx.require_admin()?;
        let user = UserId::parse("userId", &request.user_id)?;
        let kind = CustomKind::parse("kind", &request.kind)?;
        let subject_id = parse_subject("subjectId", &request.subject_id)?;
        let data = to_object(request.activity_data.unwrap_or_default());
        let activity = Activity::new(data, ctx.now_ms())?;
        let asked = organization(&request.organization_id, &request.tenant_id)?;
        let place = self.place(&grant, &request.room_id, asked).await?;
        let notice = CustomNotice { user, kind, subject_id, activity, place };
        self.contents.store.trigger_notification(grant.project(), notice, ctx.now_ms()).await?;
        Ok(v1::TriggerInboxNotificationResponse {})
    }

    async fn list_inbox_notifications(
        &self,
        ctx: &Ctx,
        request: v1::ListInboxNotificationsRequest,
    ) -> Result<v1::ListInboxNotificationsResponse, Error> {
        let person = person(ctx, &request.user_id)?;
        let cursor = ("startingAfter", request.starting_after.as_str());
        let query = InboxQuery::read(cursor, request.limit, &request.query)?;
        let asked = organization(&request.organization_id, &request.tenant_id)?;
        let Some(organization) = person.organization(asked) else {
            return Ok(v1::ListInboxNotificationsResponse::default());
        };
        let mut reader = Reader::new(ctx, &self.contents.store, &person);
        reader.organization = organization;
        let (data, next_cursor) = messages(reader.page(query).await?);
        Ok(v1::ListInboxNotificationsResponse { next_cursor, data })
    }

    async fn get_inbox_notification(
        &self,
        ctx: &Ctx,
        request: v1::GetInboxNotificationRequest,
    ) -> Result<v1::GetInboxNotificationResponse, Error> {
        let person = person(ctx, &request.user_id)?;
        let found = self.find(ctx, &person, &request.inbox_notification_id).await?;
        let inbox_notification = Some(found.into_message());
        Ok(v1::GetInboxNotificationResponse { inbox_notification })
    }

    async fn get_inbox(
        &self,
        ctx: &Ctx,
        request: v1::GetInboxRequest,
    ) -> Result<v1::GetInboxResponse, Error> {
        let person = person(ctx, &request.user_id)?;
        let query = InboxQuery::read(("cursor", &request.cursor), request.limit, &request.query)?;
        // Before it is looked, so that what happens meanwhile is in this answer or in the next.
        let requested_at = Some(timestamp(self.contents.store.settled_ms(ctx.now_ms())));
        let mut reader = Reader::new(ctx, &self.contents.store, &person);
        let page = reader.page(query).await?;
        let company = reader.company(&page.notifications).await?;
        let (inbox_notifications, next_cursor) = messages(page);
        Ok(v1::GetInboxResponse {
            inbox_notifications,
            threads: company.threads,
            subscriptions: company.subscriptions,
            groups: company.groups,
            meta: Some(v1::InboxMeta { requested_at, next_cursor }),
        })
    }

    async fn get_inbox_delta(
        &self,
        ctx: &Ctx,
        request: v1::GetInboxDeltaRequest,
    ) -> Result<v1::GetInboxDeltaResponse, Error> {
        let person = person(ctx, &request.user_id)?;
        let filter = InboxFilter::from_query(&request.query)?;
        let since_ms = request.since.as_ref().map_or(i64::MIN, millis);
        let store = &self.contents.store;
        let settled_ms = store.settled_ms(ctx.now_ms());
        let (project, user) = (&person.project, &person.id);
        // Usually nothing changed, which one look tells.
        if !store.inbox_changed_since(project, user, since_ms).await? {
            let requested_at = Some(timestamp(settled_ms));
            let meta = Some(v1::InboxDeltaMeta { requested_at });
            return Ok(v1::GetInboxDeltaResponse { meta, ..v1::GetInboxDeltaResponse::default() });
        }
        let changed = store.list_inbox_changes(project, user, since_ms, CHANGES_MAX).await?;
        let deleted = store.list_inbox_deletions(project, user, since_ms, CHANGES_MAX).await?;
        let follows = store.list_subscription_changes(project, user, since_ms, CHANGES_MAX).await?;
        let more = [changed.more_from_ms, deleted.more_from_ms, follows.more_from_ms];
        let from_ms = more.into_iter().flatten().fold(settled_ms, i64::min);
        let mut reader = Reader::new(ctx, store, &person);
        let mut found = Vec::with_capacity(changed.entries.len());
        for entry in changed.entries {
            let opened = reader.open(entry).await?;
            found.extend(opened.filter(|opened| filter.matches(&opened.notification)));
        }
        let company = reader.company(&found).await?;
        let (subscriptions, deleted_subscriptions) = reader.subscriptions(follows).await?;
        Ok(v1::GetInboxDeltaResponse {
            inbox_notifications: found.into_iter().map(Opened::into_message).collect(),
            threads: company.threads,
            subscriptions,
            deleted_inbox_notifications: deleted
                .entries
                .into_iter()
                .map(deleted_notification)
                .collect(),
            deleted_threads: Vec::new(),
            deleted_subscriptions,
            meta: Some(v1::InboxDeltaMeta { requested_at: Some(timestamp(from_ms)) }),
        })
    }

    async fn count_inbox_notifications(
        &self,
        ctx: &Ctx,
        request: v1::CountInboxNotificationsRequest,
    ) -> Result<v1::CountInboxNotificationsResponse, Error> {
        let person = person(ctx, &request.user_id)?;
        let filter = InboxFilter::from_query(&request.query)?;
        let count = Reader::new(ctx, &self.contents.store, &person).count(&filter).await?;
        Ok(v1::CountInboxNotificationsResponse { count })
    }

    async fn mark_inbox_notification_as_read(
        &self,
        ctx: &Ctx,
        request: v1::MarkInboxNotificationAsReadRequest,
    ) -> Result<v1::MarkInboxNotificationAsReadResponse, Error> {
        let caller = ctx.server_caller()?;
        let id = in_path(&request.inbox_notification_id)?;
        let store = &self.contents.store;
        if let Actor::User(_) = &caller.actor {
            let person = person(ctx, "")?;
            self.find(ctx, &person, id.as_str()).await?;
        }
        match store.mark_as_read(&caller.project, &id, ctx.now_ms()).await? {
            true => Ok(v1::MarkInboxNotificationAsReadResponse {}),
            false => Err(notification_not_found()),
        }
    }

    async fn mark_inbox_notifications_as_read(
        &self,
        ctx: &Ctx,
        request: v1::MarkInboxNotificationsAsReadRequest,
    ) -> Result<v1::MarkInboxNotificationsAsReadResponse, Error> {
        let person = person(ctx, &request.user_id)?;
        self.mark(ctx, &person, marked_ids(request.inbox_notification_ids)?).await?;
        Ok(v1::MarkInboxNotificationsAsReadResponse {})
    }

    async fn mark_room_inbox_notifications_as_read(
        &self,
        ctx: &Ctx,
        request: v1::MarkRoomInboxNotificationsAsReadRequest,
    ) -> Result<v1::MarkRoomInboxNotificationsAsReadResponse, Error> {
        let right = (Level::Read, Resource::Comments);
        self.contents.open_for(ctx, &request.room_id, right, Audience::Browsers).await?;
        let ids = parse_ids(&request.inbox_notification_ids)?;
        if !matches!(ctx.caller()?.actor, Actor::Public | Actor::Live(_)) {
            let person = person(ctx, &request.user_id)?;
            self.mark(ctx, &person, Some(ids)).await?;
        }
        Ok(v1::MarkRoomInboxNotificationsAsReadResponse {})
    }

    async fn delete_inbox_notification(
        &self,
        ctx: &Ctx,
        request: v1::DeleteInboxNotificationRequest,
    ) -> Result<v1::DeleteInboxNotificationResponse, Error> {
        let person = person(ctx, &request.user_id)?;
        let id = in_path(&request.inbox_notification_id)?;
        let (project, user) = (&person.project, &person.id);
        let store = &self.contents.store;
        match store.delete_inbox_notification(project, user, &id, ctx.now_ms()).await? {
            true => Ok(v1::DeleteInboxNotificationResponse {}),
            false => Err(notification_not_found()),
        }
    }

    async fn delete_all_inbox_notifications(
        &self,
        ctx: &Ctx,
        request: v1::DeleteAllInboxNotificationsRequest,
    ) -> Result<v1::DeleteAllInboxNotificationsResponse, Error> {
        let person = person(ctx, &request.user_id)?;
        let asked = organization(&request.organization_id, &request.tenant_id)?;
        if let Some(only) = person.organization(asked) {
            let (project, user) = (&person.project, &person.id);
            let store = &self.contents.store;
            store.delete_inbox(project, user, only.as_ref(), ctx.now_ms()).await?;
        }
        Ok(v1::DeleteAllInboxNotificationsResponse {})
    }

    async fn create_text_mention(
        &self,
        ctx: &Ctx,
        request: v1::CreateTextMentionRequest,
    ) -> Result<v1::CreateTextMentionResponse, Error> {
        self.mention_in_text(ctx, request).await?;
        Ok(v1::CreateTextMentionResponse {})
    }

    async fn delete_text_mention(
        &self,
        ctx: &Ctx,
        request: v1::DeleteTextMentionRequest,
    ) -> Result<v1::DeleteTextMentionResponse, Error> {
        let mention = parse_subject("mentionId", &request.mention_id)?;
        let right = (Level::Write, Resource::Storage);
        let audience = Audience::Everybody;
        let opened = self.contents.open_for(ctx, &request.room_id, right, audience).await?;
        let store = &self.contents.store;
        if let Some(key) = store.find_data_key(&opened.project, &opened.room).await? {
            store.delete_text_mention(&key, &mention, ctx.now_ms()).await?;
        }
        Ok(v1::DeleteTextMentionResponse {})
    }
}
