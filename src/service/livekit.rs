//! livekit.RoomService: rooms while they are live, and who is in them.

mod check;

use std::collections::HashSet;
use std::sync::Arc;

use self::check::{check_destination, check_egress, check_nonce, live_id};
use crate::auth::random_id;
use crate::domain::ctx::Ctx;
use crate::domain::ids::RoomId;
use crate::domain::live::{
    DataKind, DataOrigin, LiveData, LiveGrant, LiveNeed, ParticipantChange, check_attributes,
    check_listed, check_metadata, check_person, check_preset, check_room_name,
};
use crate::error::{Code, Error};
use crate::proto::handlers::livekit_room_service::RoomService;
use crate::proto::live::{change_of, participant, permission_of, room, settings_of, track};
use crate::proto::livekit;
use crate::proto::livekit::data_packet::Kind;
use crate::proto::reply::{Reply, Shared};
use crate::room::live::message::RpcCall;
use crate::room::live::participant_not_found;
use crate::room::registry::Rooms;
use crate::room::requests::live::rpc_error;
use crate::room::session::RoomAddress;

/// What a call of a client's method may take, and answer.
const RPC_PAYLOAD_BYTES_MAX: usize = 15_360;

pub struct LiveRoomHandlers {
    rooms: Rooms,
    /// Whether a back end may unmute somebody.
    may_unmute: bool,
}

impl LiveRoomHandlers {
    pub fn new(rooms: Rooms, may_unmute: bool) -> Self {
        Self { rooms, may_unmute }
    }
}

fn address(grant: &LiveGrant, room: &RoomId) -> RoomAddress {
    RoomAddress { project: grant.project().clone(), room: room.clone() }
}

/// The room that a caller administers.
fn administered(ctx: &Ctx, room: &str) -> Result<RoomAddress, Error> {
    let grant = ctx.require_live(LiveNeed::Admin(room))?;
    Ok(address(&grant, &live_id(room)?))
}

/// The same, and another one to which somebody goes from there.
fn administered_both(ctx: &Ctx, room: &str, to: &str) -> Result<(RoomAddress, RoomId), Error> {
    let grant = ctx.require_live(LiveNeed::AdminBetween(room, to))?;
    check_destination(room, to)?;
    Ok((address(&grant, &live_id(room)?), live_id(to)?))
}

impl RoomService for LiveRoomHandlers {
    async fn create_room(
        &self,
        ctx: &Ctx,
        request: livekit::CreateRoomRequest,
    ) -> Result<livekit::Room, Error> {
        let grant = ctx.require_live(LiveNeed::Create)?;
        check_egress(&request)?;
        check_room_name(&request.name)?;
        check_metadata(&request.metadata)?;
        for agent in &request.agents {
            check_metadata(&agent.metadata)?;
            check_attributes(&agent.attributes)?;
        }
        check_preset(&request.room_preset)?;
        let id = RoomId::parse("name", &request.name)?;
        let begun = self.rooms.begin_live(&address(&grant, &id), settings_of(&request)).await?;
        Ok(room(&begun))
    }

    async fn list_rooms(
        &self,
        ctx: &Ctx,
        request: livekit::ListRoomsRequest,
    ) -> Result<Reply<livekit::ListRoomsResponse>, Error> {
        let grant = ctx.require_live(LiveNeed::List)?;
        if request.names.is_empty() {
            let listed = self.rooms.live_rooms(grant.project());
            let all = || {
                let rooms = listed.rooms.iter().map(|summary| room(summary)).collect();
                Shared::new(livekit::ListRoomsResponse { rooms })
            };
            return Ok(Reply::Shared(listed.memo.get_or_make(all)));
        }
        // Each room once, or a short request could ask for an answer of any length.
        let mut asked = HashSet::new();
        let names = request.names.iter().filter(|name| asked.insert(name.as_str()));
        let found = names.filter_map(|name| {
            let id = live_id(name).ok()?;
            self.rooms.live_room(&address(&grant, &id))
        });
        let rooms = found.map(|summary| room(&summary)).collect();
        Ok(livekit::ListRoomsResponse { rooms }.into())
    }

    async fn delete_room(
        &self,
        ctx: &Ctx,
        request: livekit::DeleteRoomRequest,
    ) -> Result<livekit::DeleteRoomResponse, Error> {
        let grant = ctx.require_live(LiveNeed::Create)?;
        self.rooms.end_live(&address(&grant, &live_id(&request.room)?)).await?;
        Ok(livekit::DeleteRoomResponse {})
    }

    async fn list_participants(
        &self,
        ctx: &Ctx,
        request: livekit::ListParticipantsRequest,
    ) -> Result<Reply<livekit::ListParticipantsResponse>, Error> {
        let grant = ctx.require_live(LiveNeed::Admin(&request.room))?;
        // A name that no room can have is that of a room in which nobody is.
        let Ok(id) = live_id(&request.room) else {
            return Ok(livekit::ListParticipantsResponse::default().into());
        };
        let listed = self.rooms.participants(&address(&grant, &id)).await?;
        let all = || {
            let participants = listed.people.iter().map(|info| participant(info)).collect();
            Shared::new(livekit::ListParticipantsResponse { participants })
        };
        Ok(Reply::Shared(listed.memo.get_or_make(all)))
    }

    async fn get_participant(
        &self,
        ctx: &Ctx,
        request: livekit::RoomParticipantIdentity,
    ) -> Result<livekit::ParticipantInfo, Error> {
        let address = administered(ctx, &request.room)?;
        Ok(participant(&*self.rooms.participant(&address, &request.identity).await?))
    }

    async fn remove_participant(
        &self,
        ctx: &Ctx,
        request: livekit::RoomParticipantIdentity,
    ) -> Result<livekit::RemoveParticipantResponse, Error> {
        let address = administered(ctx, &request.room)?;
        // Nobody has such a name, and nothing is to be kept under it.
        check_listed(&request.identity).map_err(|_| participant_not_found())?;
        let revoke = (request.revoke_token_ts != 0).then_some(request.revoke_token_ts);
        self.rooms.remove_participant(&address, &request.identity, revoke).await?;
        Ok(livekit::RemoveParticipantResponse {})
    }

    async fn mute_published_track(
        &self,
        ctx: &Ctx,
        request: livekit::MuteRoomTrackRequest,
    ) -> Result<livekit::MuteRoomTrackResponse, Error> {
        let address = administered(ctx, &request.room)?;
        let which = (request.identity.as_str(), request.track_sid.as_str());
        let muted = self.rooms.mute_track(&address, which, request.muted, self.may_unmute).await?;
        Ok(livekit::MuteRoomTrackResponse { track: muted.as_ref().map(track) })
    }

    async fn update_participant(
        &self,
        ctx: &Ctx,
        request: livekit::UpdateParticipantRequest,
    ) -> Result<livekit::ParticipantInfo, Error> {
        check_person(&request.name, &request.metadata, &request.attributes)?;
        let address = administered(ctx, &request.room)?;
        let change = ParticipantChange {
            permission: request.permission.as_ref().map(permission_of),
            ..change_of(request.name, request.metadata, request.attributes)
        };
        let updated = self.rooms.update_participant(&address, &request.identity, change).await?;
        Ok(participant(&updated))
    }

    async fn update_subscriptions(
        &self,
        ctx: &Ctx,
        request: livekit::UpdateSubscriptionsRequest,
    ) -> Result<livekit::UpdateSubscriptionsResponse, Error> {
        let address = administered(ctx, &request.room)?;
        let of_people = request.participant_tracks.into_iter().flat_map(|found| found.track_sids);
        let sids = request.track_sids.into_iter().chain(of_people).collect();
        self.rooms.subscribe(&address, &request.identity, sids, request.subscribe).await?;
        Ok(livekit::UpdateSubscriptionsResponse {})
    }

    async fn send_data(
        &self,
        ctx: &Ctx,
        request: livekit::SendDataRequest,
    ) -> Result<livekit::SendDataResponse, Error> {
        let address = administered(ctx, &request.room)?;
        check_nonce(&request.nonce)?;
        let kind = match Kind::try_from(request.kind) {
            Ok(Kind::Lossy) => DataKind::Lossy,
            Ok(Kind::Reliable) | Err(_) => DataKind::Reliable,
        };
        let data = LiveData {
            kind,
            payload: request.data,
            topic: request.topic.map(Into::into),
            sender: None,
            nonce: request.nonce,
            origin: DataOrigin::default(),
        };
        let to = (request.destination_identities, request.destination_sids);
        check::check_data(&data, to.0.len() + to.1.len())?;
        self.rooms.send_data(&address, data, to).await?;
        Ok(livekit::SendDataResponse {})
    }

    async fn update_room_metadata(
        &self,
        ctx: &Ctx,
        request: livekit::UpdateRoomMetadataRequest,
    ) -> Result<livekit::Room, Error> {
        check_metadata(&request.metadata)?;
        let address = administered(ctx, &request.room)?;
        Ok(room(&self.rooms.set_live_metadata(&address, request.metadata.into()).await?))
    }

    async fn forward_participant(
        &self,
        ctx: &Ctx,
        request: livekit::ForwardParticipantRequest,
    ) -> Result<livekit::ForwardParticipantResponse, Error> {
        let (address, to) = administered_both(ctx, &request.room, &request.destination_room)?;
        self.rooms.forward_participant(&address, &request.identity, &to).await?;
        Ok(livekit::ForwardParticipantResponse {})
    }

    async fn move_participant(
        &self,
        ctx: &Ctx,
        request: livekit::MoveParticipantRequest,
    ) -> Result<livekit::MoveParticipantResponse, Error> {
        let (address, to) = administered_both(ctx, &request.room, &request.destination_room)?;
        self.rooms.move_participant(&address, &request.identity, &to).await?;
        Ok(livekit::MoveParticipantResponse {})
    }

    async fn perform_rpc(
        &self,
        ctx: &Ctx,
        request: livekit::PerformRpcRequest,
    ) -> Result<livekit::PerformRpcResponse, Error> {
        let address = administered(ctx, &request.room)?;
        if request.destination_identity.is_empty() {
            let problem = "destination identity is required";
            return Err(Error::new(Code::InvalidArgument, "INVALID_ARGUMENT", problem));
        }
        if request.payload.len() > RPC_PAYLOAD_BYTES_MAX {
            return Err(rpc_error(1402, "Request payload too large"));
        }
        check::check_method(&request.method)?;
        let call = RpcCall {
            id: Arc::from(random_id()?),
            method: request.method,
            payload: request.payload,
            response_timeout_ms: request.response_timeout_ms,
        };
        let answer = self.rooms.perform_rpc(&address, &request.destination_identity, call).await?;
        if answer.len() > RPC_PAYLOAD_BYTES_MAX {
            return Err(rpc_error(1504, "Response payload too large"));
        }
        Ok(livekit::PerformRpcResponse { payload: answer })
    }
}
