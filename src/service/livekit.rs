//! livekit.RoomService: rooms while they are live, and who is in them.

use crate::domain::ctx::Ctx;
use crate::domain::live::LiveNeed;
use crate::error::{Code, Error};
use crate::proto::handlers::livekit_room_service::RoomService;
use crate::proto::livekit;

pub struct LiveRoomHandlers;

fn unimplemented() -> Error {
    Error::new(Code::Unimplemented, "UNIMPLEMENTED", "not implemented")
}

impl RoomService for LiveRoomHandlers {
    async fn create_room(
        &self,
        ctx: &Ctx,
        _: livekit::CreateRoomRequest,
    ) -> Result<livekit::Room, Error> {
        ctx.require_live(LiveNeed::Create)?;
        Err(unimplemented())
    }

    async fn list_rooms(
        &self,
        ctx: &Ctx,
        _: livekit::ListRoomsRequest,
    ) -> Result<livekit::ListRoomsResponse, Error> {
        ctx.require_live(LiveNeed::List)?;
        Err(unimplemented())
    }

    async fn delete_room(
        &self,
        ctx: &Ctx,
        _: livekit::DeleteRoomRequest,
    ) -> Result<livekit::DeleteRoomResponse, Error> {
        ctx.require_live(LiveNeed::Create)?;
        Err(unimplemented())
    }

    async fn list_participants(
        &self,
        ctx: &Ctx,
        request: livekit::ListParticipantsRequest,
    ) -> Result<livekit::ListParticipantsResponse, Error> {
        ctx.require_live(LiveNeed::Admin(&request.room))?;
        Err(unimplemented())
    }

    async fn get_participant(
        &self,
        ctx: &Ctx,
        request: livekit::RoomParticipantIdentity,
    ) -> Result<livekit::ParticipantInfo, Error> {
        ctx.require_live(LiveNeed::Admin(&request.room))?;
        Err(unimplemented())
    }

    async fn remove_participant(
        &self,
        ctx: &Ctx,
        request: livekit::RoomParticipantIdentity,
    ) -> Result<livekit::RemoveParticipantResponse, Error> {
        ctx.require_live(LiveNeed::Admin(&request.room))?;
        Err(unimplemented())
    }

    async fn mute_published_track(
        &self,
        ctx: &Ctx,
        request: livekit::MuteRoomTrackRequest,
    ) -> Result<livekit::MuteRoomTrackResponse, Error> {
        ctx.require_live(LiveNeed::Admin(&request.room))?;
        Err(unimplemented())
    }

    async fn update_participant(
        &self,
        ctx: &Ctx,
        request: livekit::UpdateParticipantRequest,
    ) -> Result<livekit::ParticipantInfo, Error> {
        ctx.require_live(LiveNeed::Admin(&request.room))?;
        Err(unimplemented())
    }

    async fn update_subscriptions(
        &self,
        ctx: &Ctx,
        request: livekit::UpdateSubscriptionsRequest,
    ) -> Result<livekit::UpdateSubscriptionsResponse, Error> {
        ctx.require_live(LiveNeed::Admin(&request.room))?;
        Err(unimplemented())
    }

    async fn send_data(
        &self,
        ctx: &Ctx,
        request: livekit::SendDataRequest,
    ) -> Result<livekit::SendDataResponse, Error> {
        ctx.require_live(LiveNeed::Admin(&request.room))?;
        Err(unimplemented())
    }

    async fn update_room_metadata(
        &self,
        ctx: &Ctx,
        request: livekit::UpdateRoomMetadataRequest,
    ) -> Result<livekit::Room, Error> {
        ctx.require_live(LiveNeed::Admin(&request.room))?;
        Err(unimplemented())
    }

    async fn forward_participant(
        &self,
        ctx: &Ctx,
        request: livekit::ForwardParticipantRequest,
    ) -> Result<livekit::ForwardParticipantResponse, Error> {
        ctx.require_live(LiveNeed::Admin(&request.room))?;
        Err(unimplemented())
    }

    async fn move_participant(
        &self,
        ctx: &Ctx,
        request: livekit::MoveParticipantRequest,
    ) -> Result<livekit::MoveParticipantResponse, Error> {
        ctx.require_live(LiveNeed::Admin(&request.room))?;
        Err(unimplemented())
    }

    async fn perform_rpc(
        &self,
        ctx: &Ctx,
        request: livekit::PerformRpcRequest,
    ) -> Result<livekit::PerformRpcResponse, Error> {
        ctx.require_live(LiveNeed::Admin(&request.room))?;
        Err(unimplemented())
    }
}
