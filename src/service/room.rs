//! RoomService.

use std::sync::Arc;

use crate::auth::tokens::check_user_info;
use crate::domain::ctx::{Ctx, ProjectGrant, room_not_found};
use crate::domain::cursor::CursorKey;
use crate::domain::ids::{OrganizationId, RoomId, UserId};
use crate::domain::permissions::{Level, Resource};
use crate::domain::room::{Room, RoomDraft, RoomPatch};
use crate::error::{Code, Error};
use crate::proto::handlers::roomd_v1_room_service::RoomService;
use crate::proto::reply::{Reply, Shared};
use crate::proto::roomd::v1;
use crate::proto::{room as convert, value};
use crate::room::close::CloseReason;
use crate::room::registry::Rooms;
use crate::room::requests::HttpPresence;
use crate::room::session::RoomAddress;
use crate::store::{Moved, Renamed, Store};

/// Seconds that a presence without a connection may live.
const PRESENCE_TTL_SECONDS_MIN: i32 = 2;
const PRESENCE_TTL_SECONDS_MAX: i32 = 3599;
const PRESENCE_TTL_SECONDS_DEFAULT: i32 = 60;
/// A presence or an event, as JSON.
const EVENT_BYTES_MAX: usize = 1 << 20;

pub struct RoomHandlers {
    pub(super) store: Store,
    pub(super) cursors: CursorKey,
    rooms: Rooms,
}

impl RoomHandlers {
    pub fn new(store: Store, cursors: CursorKey, rooms: Rooms) -> Self {
        Self { store, cursors, rooms }
    }

    /// The room that a request names, for a caller who has `level` in it.
    async fn open(&self, ctx: &Ctx, room_id: &str, level: Level) -> Result<Arc<Room>, Error> {
        let id = RoomId::parse("roomId", room_id)?;
        let caller = ctx.server_caller()?;
        let room = self.store.find_room(&caller.project, &id).await?;
        ctx.open(room, level, Resource::Room)
    }
}

fn address(grant: &ProjectGrant, room: RoomId) -> RoomAddress {
    RoomAddress { project: grant.project().clone(), room }
}

fn address_of(ctx: &Ctx, room: &Room) -> Result<RoomAddress, Error> {
    Ok(RoomAddress { project: ctx.caller()?.project.clone(), room: room.id.clone() })
}

/// Every reply that is a room.
fn reply(room: &Room) -> Option<v1::Room> {
    Some(room.into())
}

impl RoomService for RoomHandlers {
    async fn create_room(
        &self,
        ctx: &Ctx,
        request: v1::CreateRoomRequest,
    ) -> Result<v1::CreateRoomResponse, Error> {
        let grant = ctx.require_admin()?;
        let idempotent = request.idempotent;
        let draft = RoomDraft::try_from(request)?;
        let inserted = self.store.insert_room(&grant, draft, ctx.now_ms()).await?;
        if !inserted.created && !idempotent {
            return Err(room_already_exists());
        }
        Ok(v1::CreateRoomResponse { room: reply(&inserted.room) })
    }

    async fn get_room(
        &self,
        ctx: &Ctx,
        request: v1::GetRoomRequest,
    ) -> Result<Reply<v1::GetRoomResponse>, Error> {
        let room = self.open(ctx, &request.room_id, Level::Read).await?;
        // Whoever may read a room reads all of it, so one reply serves all of them.
        let shared = || Shared::new(v1::GetRoomResponse { room: reply(&room) });
        Ok(Reply::Shared(room.memo.get_or_make(shared)))
    }

    async fn list_rooms(
        &self,
        ctx: &Ctx,
        request: v1::ListRoomsRequest,
    ) -> Result<v1::ListRoomsResponse, Error> {
        self.list(ctx, request).await
    }

    async fn update_room(
        &self,
        ctx: &Ctx,
        request: v1::UpdateRoomRequest,
    ) -> Result<v1::UpdateRoomResponse, Error> {
        let grant = ctx.require_admin()?;
        let id = RoomId::parse("roomId", &request.room_id)?;
        let patch = RoomPatch::try_from(request.update.unwrap_or_default())?;
        let room = self.store.update_room(&grant, &id, patch).await?;
        let room = room.ok_or_else(room_not_found)?;
        self.rooms.record_changed(&address(&grant, id)).await;
        Ok(v1::UpdateRoomResponse { room: reply(&room) })
    }

    async fn upsert_room(
        &self,
        ctx: &Ctx,
        request: v1::UpsertRoomRequest,
    ) -> Result<v1::UpsertRoomResponse, Error> {
        let grant = ctx.require_admin()?;
        let id = RoomId::parse_new("roomId", &request.room_id)?;
        let patch = RoomPatch::try_from(request.update.unwrap_or_default())?;
        if patch.is_empty() {
            return Err(Error::invalid("update", "must have at least one key"));
        }
        let draft = convert::draft("create.", id.clone(), request.create.unwrap_or_default())?;
        let upserted = self.store.upsert_room(&grant, draft, patch, ctx.now_ms()).await?;
        self.rooms.record_changed(&address(&grant, id)).await;
        Ok(v1::UpsertRoomResponse { room: reply(&upserted.room) })
    }

    async fn delete_room(
        &self,
        ctx: &Ctx,
        request: v1::DeleteRoomRequest,
    ) -> Result<v1::DeleteRoomResponse, Error> {
        let grant = ctx.require_admin()?;
        let id = RoomId::parse("roomId", &request.room_id)?;
        if !self.store.delete_room(&grant, &id).await? {
            return Err(room_not_found());
        }
        self.rooms.close_room(&address(&grant, id), CloseReason::RoomDeleted).await;
        Ok(v1::DeleteRoomResponse {})
    }

    async fn update_room_id(
        &self,
        ctx: &Ctx,
        request: v1::UpdateRoomIdRequest,
    ) -> Result<v1::UpdateRoomIdResponse, Error> {
        let grant = ctx.require_admin()?;
        let from = RoomId::parse("roomId", &request.room_id)?;
        let to = RoomId::parse_new("newRoomId", &request.new_room_id)?;
        match self.store.rename_room(&grant, &from, &to).await? {
            Renamed::Done(room) => {
                let renamed = CloseReason::RoomRenamed { to: to.as_str().into() };
                self.rooms.close_room(&address(&grant, from), renamed).await;
                Ok(v1::UpdateRoomIdResponse { room: reply(&room) })
            }
            Renamed::Taken => Err(room_already_exists()),
            Renamed::NotFound => Err(room_not_found()),
        }
    }

    async fn update_room_organization_id(
        &self,
        ctx: &Ctx,
        request: v1::UpdateRoomOrganizationIdRequest,
    ) -> Result<v1::UpdateRoomOrganizationIdResponse, Error> {
        let grant = ctx.require_admin()?;
        let id = RoomId::parse("roomId", &request.room_id)?;
        let from = OrganizationId::parse("fromOrganizationId", &request.from_organization_id)?;
        let to = OrganizationId::parse("toOrganizationId", &request.to_organization_id)?;
        match self.store.move_room(&grant, &id, &from, &to).await? {
            Moved::Done(room) => {
                self.rooms.record_changed(&address(&grant, id)).await;
                Ok(v1::UpdateRoomOrganizationIdResponse { room: reply(&room) })
            }
            Moved::Elsewhere => Err(Error::new(
                Code::FailedPrecondition,
                "UNPROCESSABLE_ENTITY",
                format!("The room does not belong to the organization '{from}'."),
            )),
            Moved::NotFound => Err(room_not_found()),
        }
    }

    async fn prewarm_room(
        &self,
        ctx: &Ctx,
        request: v1::PrewarmRoomRequest,
    ) -> Result<v1::PrewarmRoomResponse, Error> {
        let room = self.open(ctx, &request.room_id, Level::Read).await?;
        self.rooms.prewarm(&address_of(ctx, &room)?).await?;
        Ok(v1::PrewarmRoomResponse {})
    }

    async fn get_active_users(
        &self,
        ctx: &Ctx,
        request: v1::GetActiveUsersRequest,
    ) -> Result<v1::GetActiveUsersResponse, Error> {
        let room = self.open(ctx, &request.room_id, Level::Read).await?;
        let users = self.rooms.active_users(&address_of(ctx, &room)?).await?;
        let data = users.into_iter().map(|user| v1::ActiveUser {
            r#type: "user".to_owned(),
            id: user.id.map(|id| id.as_str().to_owned()),
            info: Some(value::from_object(user.info)),
            connection_id: i32::try_from(user.connection_id).unwrap_or(i32::MAX),
        });
        Ok(v1::GetActiveUsersResponse { data: data.collect() })
    }

    async fn set_presence(
        &self,
        ctx: &Ctx,
        request: v1::SetPresenceRequest,
    ) -> Result<v1::SetPresenceResponse, Error> {
        let grant = ctx.require_admin()?;
        let presence = read_presence(&request)?;
        let room = self.open(ctx, &request.room_id, Level::Write).await?;
        self.rooms.show_presence(&address(&grant, room.id.clone()), presence).await?;
        Ok(v1::SetPresenceResponse {})
    }

    async fn broadcast_event(
        &self,
        ctx: &Ctx,
        request: v1::BroadcastEventRequest,
    ) -> Result<v1::BroadcastEventResponse, Error> {
        let room = self.open(ctx, &request.room_id, Level::Write).await?;
        let event = request.event.ok_or_else(|| Error::missing("event"))?;
        let event = value::to_json(event);
        check_json_bytes("event", &event)?;
        self.rooms.broadcast(&address_of(ctx, &room)?, &event).await?;
        Ok(v1::BroadcastEventResponse {})
    }
}

fn read_presence(request: &v1::SetPresenceRequest) -> Result<HttpPresence, Error> {
    let ttl = request.ttl.unwrap_or(PRESENCE_TTL_SECONDS_DEFAULT);
    let range = PRESENCE_TTL_SECONDS_MIN..=PRESENCE_TTL_SECONDS_MAX;
    let ttl_seconds =
        u32::try_from(ttl).ok().filter(|_| range.contains(&ttl)).ok_or_else(|| {
            let (min, max) = (range.start(), range.end());
            Error::invalid("ttl", format!("must be {min} to {max} seconds, got {ttl}"))
        })?;
    let data = request.data.clone().ok_or_else(|| Error::missing("data"))?;
    let data = serde_json::Value::Object(value::to_object(data));
    check_json_bytes("data", &data)?;
    let serde_json::Value::Object(data) = data else { return Err(Error::missing("data")) };
    let user_info = value::to_object(request.user_info.clone().unwrap_or_default());
    check_user_info(&user_info)?;
    let user_id = UserId::parse("userId", &request.user_id)?;
    Ok(HttpPresence { user_id, data, user_info, ttl_seconds })
}

fn check_json_bytes(field: &str, json: &serde_json::Value) -> Result<(), Error> {
    let bytes = json.to_string().len();
    if bytes > EVENT_BYTES_MAX {
        let problem = format!("must be at most {EVENT_BYTES_MAX} bytes as JSON, got {bytes}");
        return Err(Error::invalid(field, problem));
    }
    Ok(())
}

fn room_already_exists() -> Error {
    Error::new(Code::AlreadyExists, "ROOM_ALREADY_EXISTS", "A room with this id already exists.")
        .suggest("Please use another id, or set 'idempotent' to get the existing room.")
}
