//! FeedService. Changes go by way of the room, which tells everybody; reading needs no room.

use std::sync::Arc;

use crate::domain::ctx::Ctx;
use crate::domain::feed::{
    FeedChange, FeedEvent, FeedMessageQuery, FeedMetadata, FeedPage, FeedQuery,
    feed_message_not_found, feed_not_found, merge_metadata, read_time_ms,
};
use crate::domain::ids::{FeedId, FeedMessageId};
use crate::domain::permissions::{Level, Resource};
use crate::error::Error;
use crate::proto::feed::{data, metadata};
use crate::proto::handlers::roomd_v1_feed_service::FeedService;
use crate::proto::roomd::v1;
use crate::service::contents::{Audience, Contents};
use crate::store::DataKey;

pub struct FeedHandlers {
    contents: Contents,
}

impl FeedHandlers {
    pub fn new(contents: Contents) -> Self {
        Self { contents }
    }

    /// Where the feeds of a room are that the caller may read; nowhere, if it never held anything.
    async fn read(&self, ctx: &Ctx, room_id: &str) -> Result<Option<DataKey>, Error> {
        let right = (Level::Read, Resource::Feeds);
        let opened = self.contents.open_for(ctx, room_id, right, Audience::Everybody).await?;
        self.contents.store.find_data_key(&opened.project, &opened.room).await
    }

    async fn change(
        &self,
        ctx: &Ctx,
        room_id: &str,
        change: FeedChange,
    ) -> Result<Arc<FeedEvent>, Error> {
        let right = (Level::Write, Resource::Feeds);
        let opened = self.contents.open_for(ctx, room_id, right, Audience::Everybody).await?;
        self.contents.rooms.change_feeds(&opened.address(), change).await
    }

    async fn change_feed(
        &self,
        ctx: &Ctx,
        room_id: &str,
        change: FeedChange,
    ) -> Result<v1::Feed, Error> {
        let event = self.change(ctx, room_id, change).await?;
        event.feed().map(v1::Feed::from).ok_or_else(other_change)
    }

    async fn change_message(
        &self,
        ctx: &Ctx,
        room_id: &str,
        change: FeedChange,
    ) -> Result<v1::FeedMessage, Error> {
        let event = self.change(ctx, room_id, change).await?;
        event.message().map(v1::FeedMessage::from).ok_or_else(other_change)
    }
}

impl FeedService for FeedHandlers {
    async fn list_feeds(
        &self,
        ctx: &Ctx,
        request: v1::ListFeedsRequest,
    ) -> Result<v1::ListFeedsResponse, Error> {
        let v1::ListFeedsRequest { room_id, cursor, since, limit, metadata } = request;
        let query = FeedQuery::read(&cursor, since, limit.map(i64::from), metadata)?;
        let page = match self.read(ctx, &room_id).await? {
            Some(key) => self.contents.store.list_feeds(&key, &query).await?,
            None => FeedPage::EMPTY,
        };
        let data = page.entries.iter().map(v1::Feed::from).collect();
        Ok(v1::ListFeedsResponse { next_cursor: page.next_cursor, data })
    }

    async fn create_feed(
        &self,
        ctx: &Ctx,
        request: v1::CreateFeedRequest,
    ) -> Result<v1::CreateFeedResponse, Error> {
        let feed = FeedId::parse("feedId", &request.feed_id)?;
        let mut given = FeedMetadata::new();
        merge_metadata(&mut given, metadata(request.metadata))?;
        let created_at_ms = read_timestamp(request.timestamp)?;
        let change = FeedChange::Add { feed, metadata: given, created_at_ms };
        let feed = Some(self.change_feed(ctx, &request.room_id, change).await?);
        Ok(v1::CreateFeedResponse { feed })
    }

    async fn get_feed(
        &self,
        ctx: &Ctx,
        request: v1::GetFeedRequest,
    ) -> Result<v1::GetFeedResponse, Error> {
        let key = self.read(ctx, &request.room_id).await?.ok_or_else(feed_not_found)?;
        let feed = self.contents.store.find_feed(&key, &feed_in_path(&request.feed_id)?).await?;
        let feed = feed.as_ref().map(v1::Feed::from);
        Ok(v1::GetFeedResponse { feed: Some(feed.ok_or_else(feed_not_found)?) })
    }

    async fn update_feed(
        &self,
        ctx: &Ctx,
        request: v1::UpdateFeedRequest,
    ) -> Result<v1::UpdateFeedResponse, Error> {
        let feed = feed_in_path(&request.feed_id)?;
        let change = FeedChange::Update { feed, metadata: metadata(request.metadata) };
        let feed = Some(self.change_feed(ctx, &request.room_id, change).await?);
        Ok(v1::UpdateFeedResponse { feed })
    }

    async fn delete_feed(
        &self,
        ctx: &Ctx,
        request: v1::DeleteFeedRequest,
    ) -> Result<v1::DeleteFeedResponse, Error> {
        let change = FeedChange::Delete { feed: feed_in_path(&request.feed_id)? };
        self.change(ctx, &request.room_id, change).await?;
        Ok(v1::DeleteFeedResponse {})
    }

    async fn list_feed_messages(
        &self,
        ctx: &Ctx,
        request: v1::ListFeedMessagesRequest,
    ) -> Result<v1::ListFeedMessagesResponse, Error> {
        let limit = request.limit.map(i64::from);
        let query = FeedMessageQuery::read(&request.cursor, request.since, limit)?;
        let key = self.read(ctx, &request.room_id).await?.ok_or_else(feed_not_found)?;
        let feed = feed_in_path(&request.feed_id)?;
        let page = self.contents.store.list_feed_messages(&key, &feed, &query).await?;
        let page = page.ok_or_else(feed_not_found)?;
        let data = page.entries.iter().map(v1::FeedMessage::from).collect();
        Ok(v1::ListFeedMessagesResponse { next_cursor: page.next_cursor, data })
    }

    async fn create_feed_message(
        &self,
        ctx: &Ctx,
        request: v1::CreateFeedMessageRequest,
    ) -> Result<v1::CreateFeedMessageResponse, Error> {
        let feed = feed_in_path(&request.feed_id)?;
        let id = request.id.map(|id| FeedMessageId::parse("id", &id)).transpose()?;
        let created_at_ms = read_timestamp(request.timestamp)?;
        let change = FeedChange::AddMessage { feed, id, data: data(request.data)?, created_at_ms };
        let message = Some(self.change_message(ctx, &request.room_id, change).await?);
        Ok(v1::CreateFeedMessageResponse { message })
    }

    async fn update_feed_message(
        &self,
        ctx: &Ctx,
        request: v1::UpdateFeedMessageRequest,
    ) -> Result<v1::UpdateFeedMessageResponse, Error> {
        let feed = feed_in_path(&request.feed_id)?;
        let id = message_in_path(&request.message_id)?;
        let updated_at_ms = read_timestamp(request.timestamp)?;
        let data = data(request.data)?;
        let change = FeedChange::UpdateMessage { feed, id, data, updated_at_ms };
        let message = Some(self.change_message(ctx, &request.room_id, change).await?);
        Ok(v1::UpdateFeedMessageResponse { message })
    }

    async fn delete_feed_message(
        &self,
        ctx: &Ctx,
        request: v1::DeleteFeedMessageRequest,
    ) -> Result<v1::DeleteFeedMessageResponse, Error> {
        let feed = feed_in_path(&request.feed_id)?;
        let id = message_in_path(&request.message_id)?;
        self.change(ctx, &request.room_id, FeedChange::DeleteMessage { feed, id }).await?;
        Ok(v1::DeleteFeedMessageResponse {})
    }
}

/// In a path: what is no id names nothing.
fn feed_in_path(raw: &str) -> Result<FeedId, Error> {
    FeedId::parse("feedId", raw).map_err(|_| feed_not_found())
}

fn message_in_path(raw: &str) -> Result<FeedMessageId, Error> {
    FeedMessageId::parse("messageId", raw).map_err(|_| feed_message_not_found())
}

fn read_timestamp(timestamp: Option<f64>) -> Result<Option<i64>, Error> {
    timestamp.map(|at| read_time_ms("timestamp", at)).transpose()
}

fn other_change() -> Error {
    Error::internal("the room made another change of its feeds than was asked for")
}
