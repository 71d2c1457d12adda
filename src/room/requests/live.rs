//! What back ends ask of rooms that are alive, and of who is in them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::domain::ctx::ProjectGrant;
use crate::domain::ids::{OrganizationId, ProjectId, RoomId};
use crate::domain::live::{
    LiveData, LiveSettings, LiveSummary, Participant, ParticipantChange, Track,
};
use crate::domain::room::RoomDraft;
use crate::error::{Code, Error, chain};
use crate::room::actor::{Command, Destination, LiveWork, Reply, unavailable};
use crate::room::effects::Effects;
use crate::room::live::directory::LiveRooms;
use crate::room::live::message::{Listing, RpcCall, RpcFailure};
use crate::room::live::{CallNews, live_room_not_found, participant_not_found};
use crate::room::registry::Rooms;
use crate::room::session::RoomAddress;
use crate::room::state::{Needs, State};
use crate::store::LiveWrite;

/// Rooms that are read from the database at a time when the server starts.
const RESUMED_AT_A_TIME: u32 = 1_000;
/// Rooms that are looked at in one round when their time has come.
const DUE_ROOMS_MAX: usize = 1_000;
const LOOK_FOR_DUE_EVERY: Duration = Duration::from_secs(1);
/// From passing a call on until the client says that it has it.
const CALL_ACK_WITHIN: Duration = Duration::from_secs(2);
const RESPONSE_TIMEOUT_MS_DEFAULT: u32 = 10_000;
/// How long somebody who is moved may take to come in at the other room.
const MOVE_WITHIN: Duration = Duration::from_secs(10);

impl Rooms {
    /// Finds the rooms that were alive when the server stopped, and from now on ends those whose
    /// time has come. Nobody is in any of them yet.
    pub async fn resume_live(&self) -> Result<(), Error> {
        let inner = &self.inner;
        let mut after: Option<(ProjectId, RoomId)> = None;
        loop {
            let place = after.as_ref().map(|(project, room)| (project, room));
            let page = inner.store.list_live_rooms(place, RESUMED_AT_A_TIME).await?;
            let Some(last) = page.last() else { break };
            after = Some((last.project.clone(), last.room.room_id.clone()));
            for stored in page {
                let address =
                    RoomAddress { project: stored.project, room: stored.room.room_id.clone() };
                let now_ms = inner.clock.now_ms();
                let ends_at_ms =
                    stored.ends_at_ms.unwrap_or_else(|| stored.room.departed_until_ms(now_ms));
                if stored.ends_at_ms.is_none() {
                    let sid = stored.room.sid.to_string();
                    let end = LiveWrite::EndsAt { sid, ends_at_ms: Some(ends_at_ms) };
                    let (project, room) = (&address.project, &address.room);
                    drop(inner.store.write_live_room(project, room, vec![end]).await?);
                }
                let summary = LiveSummary::empty(Arc::new(stored.room));
                inner.live.set(&address, summary, Some(ends_at_ms));
            }
        }
        let rooms = self.clone();
        self.inner.tasks.spawn(async move { rooms.end_those_due().await });
        Ok(())
    }

    async fn end_those_due(&self) {
        loop {
            tokio::select! {
                () = self.inner.stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_FOR_DUE_EVERY) => {}
            }
            for address in self.inner.live.due(self.inner.clock.now_ms(), DUE_ROOMS_MAX) {
                // An error means that the server stops.
                drop(self.inner.send(&address, Command::Live(LiveWork::Due)).await);
            }
        }
    }

    pub fn live_rooms(&self, project: &ProjectId) -> Arc<LiveRooms> {
        self.inner.live.list(project)
    }

    pub fn live_room(&self, address: &RoomAddress) -> Option<Arc<LiveSummary>> {
        self.inner.live.find(address)
    }

    /// Brings a room to life, and makes it if there is none; one that is alive stays as it is.
    pub async fn begin_live(
        &self,
        address: &RoomAddress,
        settings: LiveSettings,
    ) -> Result<LiveSummary, Error> {
        if self.inner.find_room(address).await?.is_none() {
            let draft = RoomDraft::closed(address.room.clone(), OrganizationId::default());
            let grant = ProjectGrant::system(address.project.clone());
            let now_ms = self.inner.clock.now_ms();
            match self.inner.store.insert_room(&grant, draft, now_ms).await {
                // Somebody else was quicker.
                Err(error) if error.code() == Code::AlreadyExists => {}
                made => drop(made?),
            }
        }
        self.live_work(address, |reply| LiveWork::Begin(settings, reply)).await
    }

    pub async fn end_live(&self, address: &RoomAddress) -> Result<(), Error> {
        self.check_alive(address)?;
        self.live_work(address, LiveWork::End).await
    }

    pub async fn set_live_metadata(
        &self,
        address: &RoomAddress,
        metadata: Arc<str>,
    ) -> Result<LiveSummary, Error> {
        self.check_alive(address)?;
        self.live_work(address, |reply| LiveWork::SetMetadata(metadata, reply)).await
    }

    /// Nobody, if the room is not alive.
    pub async fn participants(&self, address: &RoomAddress) -> Result<Arc<Listing>, Error> {
        if !self.has_people(address) {
            return Ok(Arc::default());
        }
        if let Some(listing) = self.inner.live.listing(address) {
            return Ok(listing);
        }
        let (inner, asked) = (Arc::clone(&self.inner), address.clone());
        self.call(address, Needs::default(), move |state, _| {
            let listing = state.live.listing();
            inner.live.keep_listing(&asked, &listing);
            Ok(listing)
        })
        .await
    }

    pub async fn participant(
        &self,
        address: &RoomAddress,
        identity: &str,
    ) -> Result<Arc<Participant>, Error> {
        let identity = identity.to_owned();
        self.with_participants(address, move |state, _| {
            state.live.find(&identity).cloned().ok_or_else(participant_not_found)
        })
        .await
    }

    pub async fn remove_participant(
        &self,
        address: &RoomAddress,
        identity: &str,
        revoke_before_s: Option<i64>,
    ) -> Result<(), Error> {
        // Tokens of somebody who is not here can be revoked as well, if there is such a room.
        if self.live_room(address).is_none()
            && (revoke_before_s.is_none() || self.inner.find_room(address).await?.is_none())
        {
            return Err(participant_not_found());
        }
        let identity = identity.into();
        self.live_work(address, |reply| LiveWork::Remove { identity, revoke_before_s, reply }).await
    }

    pub async fn mute_track(
        &self,
        address: &RoomAddress,
        (identity, sid): (&str, &str),
        muted: bool,
        may_unmute: bool,
    ) -> Result<Option<Track>, Error> {
        self.check_alive(address)?;
        let (identity, sid) = (identity.to_owned(), sid.to_owned());
        self.with_participants(address, move |state, effects| {
            state.live.mute(&identity, &sid, muted, may_unmute, effects)
        })
        .await
    }

    pub async fn update_participant(
        &self,
        address: &RoomAddress,
        identity: &str,
        change: ParticipantChange,
    ) -> Result<Arc<Participant>, Error> {
        let identity = identity.to_owned();
        self.with_participants(address, move |state, effects| {
            let updated = state.live.update(&identity, change, effects)?;
            for actor in state.live.actors_of(&identity) {
                state.people.set_hidden(actor, !updated.is_visible(), effects);
            }
            Ok(updated)
        })
        .await
    }

    pub async fn subscribe(
        &self,
        address: &RoomAddress,
        identity: &str,
        track_sids: Vec<String>,
        is_on: bool,
    ) -> Result<(), Error> {
        self.check_alive(address)?;
        let identity = identity.to_owned();
        self.with_participants(address, move |state, effects| {
            state.live.subscribe(&identity, &track_sids, is_on, effects)
        })
        .await
    }

    /// For everybody, if nobody is named.
    pub async fn send_data(
        &self,
        address: &RoomAddress,
        data: LiveData,
        (identities, sids): (Vec<String>, Vec<String>),
    ) -> Result<(), Error> {
        self.check_alive(address)?;
        if !self.inner.is_running(address) {
            return Ok(());
        }
        let unknown = self.call(address, Needs::default(), move |state, effects| {
            Ok(state.live.send_data(data, (&identities, &sids), effects))
        });
        match unknown.await? {
            0 => {}
            unknown => {
                tracing::info!(room = %address.room, unknown, "data was for people who are not here")
            }
        }
        Ok(())
    }

    pub async fn forward_participant(
        &self,
        address: &RoomAddress,
        identity: &str,
        to: &RoomId,
    ) -> Result<(), Error> {
        self.check_alive(address)?;
        let there = RoomAddress { project: address.project.clone(), room: to.clone() };
        self.check_alive(&there)?;
        let (inner, of, identity) = (Arc::clone(&self.inner), there.clone(), identity.to_owned());
        self.with_participants(address, move |state, effects| {
            let info = state.live.find(&identity).cloned().ok_or_else(participant_not_found)?;
            let is_shown = |room: &RoomId| {
                let there = RoomAddress { project: of.project.clone(), room: room.clone() };
                inner.live.guests(&there, |guests| guests.shows(&info)).unwrap_or(false)
            };
            let is_full = inner.live.find(&of).is_some_and(|summary| summary.is_full());
            if is_full && info.kind.is_person() && !is_shown(&of.room) {
                return Err(destination_full());
            }
            let still = |room: &Arc<str>| is_shown(&RoomId::trusted(Arc::clone(room)));
            state.live.retain_forwards(&identity, still);
            state.live.forward(&identity, &of.room.as_str().into(), effects)
        })
        .await?;
        self.check_alive(&there)?;
        // They are listed there when it is answered.
        self.inner.show_guests(&there).await
    }

    /// Returns when everybody's connection is in the other room, or lost.
    pub async fn move_participant(
        &self,
        address: &RoomAddress,
        identity: &str,
        to: &RoomId,
    ) -> Result<(), Error> {
        self.check_alive(address)?;
        let there = RoomAddress { project: address.project.clone(), room: to.clone() };
        if self.live_room(&there).is_some_and(|summary| summary.is_full()) {
            return Err(destination_full());
        }
        let to = Destination { id: to.clone(), room: self.inner.find_room(&there).await? };
        let (identity, (done, mut moved)) = (identity.into(), mpsc::channel(1));
        self.live_work(address, |reply| LiveWork::Move { identity, to, done, reply }).await?;
        // Whoever carries it out lets go of the sender when it is done.
        if tokio::time::timeout(MOVE_WITHIN, moved.recv()).await.is_err() {
            tracing::warn!(room = %address.room, "somebody takes long to move to another room");
        }
        Ok(())
    }

    /// Calls a method of somebody's client.
    pub async fn perform_rpc(
        &self,
        address: &RoomAddress,
        identity: &str,
        call: RpcCall,
    ) -> Result<String, Error> {
        self.check_alive(address)?;
        let timeout_ms = match call.response_timeout_ms {
            0 => RESPONSE_TIMEOUT_MS_DEFAULT,
            asked => asked,
        };
        let call = RpcCall { response_timeout_ms: timeout_ms, ..call };
        let (id, identity) = (Arc::clone(&call.id), identity.to_owned());
        // One for the acknowledgement, and one for the answer.
        let (news, mut told) = mpsc::channel(2);
        self.with_participants(address, move |state, effects| {
            let caller = Box::new(move |what| drop(news.try_send(what)));
            state.live.call(&identity, call, caller, effects)
        })
        .await?;
        let _forgets = Forget { rooms: self.clone(), address: address.clone(), id };
        wait_for_answer(&mut told, Duration::from_millis(timeout_ms.into())).await
    }

    async fn forget_call(&self, address: &RoomAddress, id: Arc<str>) {
        let forget = move |state: &mut State, _: &mut Effects| {
            state.live.forget_call(&id);
            Ok(())
        };
        if self.inner.is_running(address)
            && let Err(error) = self.call(address, Needs::default(), forget).await
        {
            tracing::debug!(error = %chain(&error), "a call outlived its room");
        }
    }

    fn check_alive(&self, address: &RoomAddress) -> Result<(), Error> {
        match self.live_room(address) {
            Some(_) => Ok(()),
            None => Err(live_room_not_found()),
        }
    }

    /// A room that is not in memory has nobody in it, but for those of other rooms.
    fn has_people(&self, address: &RoomAddress) -> bool {
        let has_guests = || self.inner.live.guests(address, |guests| !guests.is_empty());
        self.live_room(address).is_some()
            && (self.inner.is_running(address) || has_guests().unwrap_or_default())
    }

    async fn with_participants<T: Send + 'static>(
        &self,
        address: &RoomAddress,
        step: impl FnOnce(&mut State, &mut Effects) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        if !self.has_people(address) {
            return Err(participant_not_found());
        }
        self.call(address, Needs::default(), step).await
    }

    async fn live_work<T>(
        &self,
        address: &RoomAddress,
        work: impl FnOnce(Reply<T>) -> LiveWork,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.inner.send(address, Command::Live(work(reply))).await?;
        answer.await.map_err(|_| unavailable())?
    }
}

fn destination_full() -> Error {
    Error::new(Code::ResourceExhausted, "ROOM_FULL", "destination room is full")
}

/// However a call ends, by an answer or because its caller went away, it holds no place any more.
struct Forget {
    rooms: Rooms,
    address: RoomAddress,
    id: Arc<str>,
}

impl Drop for Forget {
    fn drop(&mut self) {
        let (rooms, address, id) = (self.rooms.clone(), self.address.clone(), Arc::clone(&self.id));
        self.rooms.inner.tasks.spawn(async move { rooms.forget_call(&address, id).await });
    }
}

async fn wait_for_answer(
    told: &mut mpsc::Receiver<CallNews>,
    within: Duration,
) -> Result<String, Error> {
    let first = tokio::time::timeout(CALL_ACK_WITHIN.min(within), told.recv()).await;
    let news = match first {
        Ok(Some(CallNews::Acknowledged)) => tokio::time::timeout(within, told.recv()).await,
        Ok(other) => Ok(other),
        Err(_) => return Err(rpc_error(1501, "Connection timeout")),
    };
    match news {
        Ok(Some(CallNews::Answered(Ok(payload)))) => Ok(payload),
        Ok(Some(CallNews::Answered(Err(RpcFailure { code, message, .. })))) => {
            Err(rpc_error(code, &message))
        }
        Ok(Some(CallNews::Disconnected | CallNews::Acknowledged) | None) => {
            Err(rpc_error(1503, "Recipient disconnected"))
        }
        Err(_) => Err(rpc_error(1502, "Response timeout")),
    }
}

/// As LiveKit writes it; what clients may say is theirs.
pub(crate) fn rpc_error(code: u32, message: &str) -> Error {
    let kind = match code {
        1400 | 1402 => Code::InvalidArgument,
        1403 | 1404 => Code::Unimplemented,
        1501 | 1502 => Code::Canceled,
        1503 => Code::Unavailable,
        _ => Code::Aborted,
    };
    Error::new(kind, "RPC_ERROR", format!("RpcError {code}: {message}"))
}
