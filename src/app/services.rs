//! The handlers of all services, made and registered. A new service is a few lines here.

use std::sync::Arc;

use crate::auth::credentials::Authenticator;
use crate::config::Limits;
use crate::domain::cursor::CursorKey;
use crate::domain::file_url::FileUrlKey;
use crate::error::Error;
use crate::pages::Pages;
use crate::room::registry::Rooms;
use crate::service::attachment::AttachmentHandlers;
use crate::service::auth::AuthHandlers;
use crate::service::comments::CommentsHandlers;
use crate::service::contents::Contents;
use crate::service::feed::FeedHandlers;
use crate::service::files::Files;
use crate::service::group::GroupHandlers;
use crate::service::inbox::InboxHandlers;
use crate::service::livechat::LivechatHandlers;
use crate::service::livekit::LiveRoomHandlers;
use crate::service::realtime::RealtimeHandlers;
use crate::service::room::RoomHandlers;
use crate::service::schema::SchemaHandlers;
use crate::service::storage::StorageHandlers;
use crate::service::subscription::SubscriptionHandlers;
use crate::service::url::UrlHandlers;
use crate::service::version::VersionHandlers;
use crate::service::yjs::YjsHandlers;
use crate::store::Store;
use crate::wire::grpc::{GrpcLimits, Services};
use crate::wire::services as wire;
use crate::wire::table::Table;

/// The secret under which cursors are sealed.
const CURSOR_SECRET: &str = "cursor";
/// The secret with which addresses of files are signed.
const FILE_URL_SECRET: &str = "file_url";

/// What handlers are made of.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    pub store: &'a Store,
    pub authenticator: &'a Authenticator,
    pub limits: &'a Limits,
    pub rooms: &'a Rooms,
    pub pages: &'a Pages,
    pub may_unmute: bool,
}

pub async fn add_all(parts: Parts<'_>) -> Result<(Table, Services), Error> {
    let mut table = Table::default();
    let message_bytes_max = parts.limits.request_body_bytes_max;
    let mut grpc = Services::new(GrpcLimits { message_bytes_max });
    add_project(parts, &mut table, &mut grpc).await?;
    add_contents(parts, &mut table, &mut grpc).await?;
    Ok((table, grpc))
}

/// What a project has: rooms, tokens, groups.
async fn add_project(
    parts: Parts<'_>,
    table: &mut Table,
    grpc: &mut Services,
) -> Result<(), Error> {
    let Parts { store, authenticator, rooms, pages, may_unmute, .. } = parts;
    let cursors = CursorKey::new(store.deployment_secret(CURSOR_SECRET).await?);
    let handlers = RoomHandlers::new(store.clone(), cursors.clone(), rooms.clone());
    wire::add_roomd_v1_room_service(table, grpc, Arc::new(handlers));
    let handlers = AuthHandlers::new(store.clone(), authenticator.clone());
    wire::add_roomd_v1_auth_service(table, grpc, Arc::new(handlers));
    let handlers = GroupHandlers::new(store.clone(), cursors);
    wire::add_roomd_v1_group_service(table, grpc, Arc::new(handlers));
    let handlers = UrlHandlers::new(pages.clone());
    wire::add_roomd_v1_url_service(table, grpc, Arc::new(handlers));
    let handlers = LiveRoomHandlers::new(rooms.clone(), may_unmute);
    wire::add_livekit_room_service(table, grpc, Arc::new(handlers));
    Ok(())
}

/// What rooms hold.
async fn add_contents(
    parts: Parts<'_>,
    table: &mut Table,
    grpc: &mut Services,
) -> Result<(), Error> {
    let Parts { store, limits, rooms, .. } = parts;
    let contents = Contents { store: store.clone(), rooms: rooms.clone() };
    let urls = FileUrlKey::new(store.deployment_secret(FILE_URL_SECRET).await?);
    let files = Files::new(contents.clone(), urls);
    let handlers = StorageHandlers::new(files.clone());
    wire::add_roomd_v1_storage_service(table, grpc, Arc::new(handlers));
    let handlers = YjsHandlers::new(contents.clone());
    wire::add_roomd_v1_yjs_service(table, grpc, Arc::new(handlers));
    let handlers = VersionHandlers::new(contents.clone());
    wire::add_roomd_v1_version_service(table, grpc, Arc::new(handlers));
    let handlers = SchemaHandlers::new(contents.clone());
    wire::add_roomd_v1_schema_service(table, grpc, Arc::new(handlers));
    let handlers = FeedHandlers::new(contents.clone());
    wire::add_roomd_v1_feed_service(table, grpc, Arc::new(handlers));
    let handlers = InboxHandlers::new(contents.clone());
    wire::add_roomd_v1_inbox_service(table, grpc, Arc::new(handlers));
    let handlers = SubscriptionHandlers::new(contents.clone());
    wire::add_roomd_v1_subscription_service(table, grpc, Arc::new(handlers));
    let handlers = CommentsHandlers::new(contents);
    wire::add_roomd_v1_comments_service(table, grpc, Arc::new(handlers));
    let handlers = AttachmentHandlers::new(files.clone());
    wire::add_roomd_v1_attachment_service(table, grpc, Arc::new(handlers));
    let handlers = LivechatHandlers::new(files);
    wire::add_roomd_v1_livechat_service(table, grpc, Arc::new(handlers));
    let handlers = RealtimeHandlers::new(rooms.clone(), limits);
    wire::add_roomd_v1_realtime_service(table, grpc, Arc::new(handlers));
    Ok(())
}
