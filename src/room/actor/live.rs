//! The room's life: when it begins and ends, who may take part, and what is written of it.
//!
//! What people do to it by coming and going is written behind them, in order and many steps at once.
//! That it begins, and what a back end asks for, is written before anybody is told.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use super::live_move::Destination;
use super::{Actor, Flow, Reply};
use crate::domain::ctx::Actor as Identity;
use crate::domain::ids::RoomId;
use crate::domain::live::{LeaveReason, LiveRoom, LiveSettings, LiveSummary, SidKind, new_sid};
use crate::error::{Error, chain};
use crate::room::close::CloseReason;
use crate::room::effects::Effects;
use crate::room::live::message::{LiveEvent, LiveNews, MoveDone};
use crate::room::live::{LiveJoin, live_room_not_found, participant_not_found};
use crate::room::message::ActorId;
use crate::room::session::Join;
use crate::store::{LiveWrite, Told};

/// Steps of one room's life that wait for the database.
const WRITES_LEN_MAX: usize = 10_000;
/// The same, in one transaction.
const WRITES_AT_A_TIME: usize = 256;
/// After the database failed.
const RETRY_AFTER_MS: i64 = 1_000;

/// What back ends ask of a room's life, one at a time.
pub(in crate::room) enum LiveWork {
    /// Comes to life, unless it is alive.
    Begin(LiveSettings, Reply<LiveSummary>),
    /// Ends, and lets everybody go.
    End(Reply<()>),
    SetMetadata(Arc<str>, Reply<LiveSummary>),
    Remove {
        identity: Arc<str>,
        revoke_before_s: Option<i64>,
        reply: Reply<()>,
    },
    /// Those of its connections that can be moved are told to; the others are sent there.
    Move {
        identity: Arc<str>,
        to: Destination,
        done: mpsc::Sender<()>,
        reply: Reply<()>,
    },
    /// Its time may have come.
    Due,
}

type Written = (Vec<LiveWrite>, Result<Told, Error>);

#[derive(Default)]
pub(super) struct LiveWrites {
    waiting: VecDeque<LiveWrite>,
    in_flight: Option<BoxFuture<'static, Written>>,
    retry_at_ms: Option<i64>,
    /// What the directory and the database were told last.
    told_ends_at_ms: Option<i64>,
    /// Whether tokens of anybody were revoked; unknown until somebody comes with one.
    has_revocations: Option<bool>,
}

impl LiveWrites {
    pub fn is_idle(&self) -> bool {
        self.in_flight.is_none() && self.waiting.is_empty()
    }

    /// Waits for the write in flight, for ever if there is none. Cancel safe.
    pub async fn done(&mut self) -> Written {
        match &mut self.in_flight {
            Some(write) => write.await,
            None => pending().await,
        }
    }

    pub fn retry_at_ms(&self) -> Option<i64> {
        self.retry_at_ms
    }

    fn push(&mut self, write: LiveWrite) {
        if self.waiting.len() == WRITES_LEN_MAX {
            // What the room is must be stored; of what back ends are told, the oldest goes.
            let oldest = self.waiting.iter().position(|write| matches!(write, LiveWrite::Tell(_)));
            match oldest {
                Some(oldest) => drop(self.waiting.remove(oldest)),
                None => drop(self.waiting.pop_front()),
            }
            tracing::warn!("the database takes too long: an event of a room is told to nobody");
        }
        self.waiting.push_back(write);
    }
}

impl Actor {
    /// The room may have been alive when it was last in memory.
    pub(super) fn resume_live(&mut self) {
        if let Some(summary) = self.rooms.live.find(&self.address) {
            self.live.told_ends_at_ms = self.rooms.live.ends_at_ms(&self.address);
            self.state.live.begin(Arc::clone(&summary.room));
            self.resume_guests();
        }
    }

    /// Somebody comes in, under an identity, if there is a place.
    pub(super) async fn check_live(
        &mut self,
        join: &Join,
        live: &LiveJoin,
    ) -> Result<(), CloseReason> {
        let valid_from_s = match &join.caller.actor {
            // One that does not say since when it is valid may be as old as any.
            Identity::Live(token) => Some(token.not_before_s.unwrap_or(0)),
            _ => join.valid_from_s,
        };
        if let Some(valid_from_s) = valid_from_s
            && self.is_revoked(&live.identity, valid_from_s).await?
        {
            return Err(CloseReason::Removed);
        }
        if let Identity::Live(_) = &join.caller.actor {
            live.check().map_err(|_| CloseReason::NotUnderstood("what is said of somebody"))?;
        }
        if self.state.live.room().is_none() {
            let settings = match &join.caller.actor {
                Identity::Live(token) => {
                    let refuse = |_| CloseReason::NotUnderstood("the room that the token asks for");
                    token.check_room().map_err(refuse)?;
                    token.room.clone()
                }
                _ => LiveSettings::default(),
            };
            let has_place = self.rooms.live.check_place(settings.metadata.len());
            has_place.map_err(|_| CloseReason::Overloaded)?;
            self.begin_live(&settings).await.map_err(|error| {
                tracing::error!(error = %chain(&error), "failed to bring a room to life");
                CloseReason::Unavailable
            })?;
        }
        match self.state.live.has_place_for(live) {
            true => Ok(()),
            false => Err(CloseReason::RoomFull),
        }
    }

    /// Most rooms have no revocation, which is known after the first look.
    async fn is_revoked(&mut self, identity: &str, valid_from_s: i64) -> Result<bool, CloseReason> {
        let (store, address) = (&self.rooms.store, &self.address);
        let (project, room) = (&address.project, &address.room);
        let failed = |error: Error| {
            tracing::error!(error = %chain(&error), "failed to look for a revocation");
            CloseReason::Unavailable
        };
        let has_some = match self.live.has_revocations {
            Some(known) => known,
            None => store.has_live_revocations(project, room).await.map_err(failed)?,
        };
        self.live.has_revocations = Some(has_some);
        if !has_some {
            return Ok(false);
        }
        let before_s = store.find_live_revocation(project, room, identity).await.map_err(failed)?;
        Ok(before_s.is_some_and(|before_s| valid_from_s < before_s))
    }

    pub(super) fn enter_live(&mut self, actor: ActorId, live: LiveJoin) -> Result<(), Error> {
        let sid = new_sid(SidKind::Participant)?;
        let mut effects = Effects::default();
        let place = (sid.into(), self.rooms.clock.now_ms());
        let replaced = self.state.live.join(actor, live, place, &mut effects);
        self.carry_out(effects);
        for gone in replaced {
            self.dismiss(gone, CloseReason::DuplicateIdentity, LeaveReason::DuplicateIdentity);
        }
        Ok(())
    }

    fn new_live_room(&self, settings: &LiveSettings) -> Result<LiveRoom, Error> {
        let (sid, now_ms) = (new_sid(SidKind::Room)?, self.rooms.clock.now_ms());
        Ok(LiveRoom::new(sid, self.address.room.clone(), settings, now_ms))
    }

    /// The first who comes brings the room to life, or a back end does. Nobody is told of it before
    /// it is stored.
    async fn begin_live(&mut self, settings: &LiveSettings) -> Result<(), Error> {
        let room = self.new_live_room(settings)?;
        self.write_live(self.beginning_of(&room)).await?;
        self.has_begun(room);
        Ok(())
    }

    fn beginning_of(&self, room: &LiveRoom) -> Vec<LiveWrite> {
        let ends_at_ms = Some(room.empty_until_ms());
        let summary = LiveSummary::empty(Arc::new(room.clone()));
        let set = LiveWrite::Set { room: room.clone(), ends_at_ms };
        let event = LiveEvent::RoomStarted;
        let news = LiveNews { event, room: summary, participant: None, track: None };
        std::iter::once(set).chain(self.telling_of(&news)).collect()
    }

    fn telling_of(&self, news: &LiveNews) -> Option<LiveWrite> {
        let now_ms = self.rooms.clock.now_ms();
        let hooks = self.rooms.hooks.as_ref()?;
        hooks.batch(&self.address, news, now_ms).map(LiveWrite::Tell)
    }

    /// What back ends are told is written with the rest, in order.
    pub(super) fn tell_news(&mut self, news: &[LiveNews]) {
        for news in news {
            if let Some(write) = self.telling_of(news) {
                self.live.push(write);
            }
        }
    }

    fn has_begun(&mut self, room: LiveRoom) {
        tracing::info!(room = %self.address.room, sid = %room.sid, "a room came to life");
        self.live.told_ends_at_ms = Some(room.empty_until_ms());
        self.state.live.begin(Arc::new(room));
        self.publish_live();
    }

    /// After every step: lists are answered from the directory.
    pub(super) fn publish_live(&mut self) {
        if !self.state.live.take_changed() {
            return;
        }
        let Some(summary) = self.state.live.summary() else { return };
        let now_ms = self.rooms.clock.now_ms();
        let ends_at_ms = match (self.state.live.is_occupied(), self.live.told_ends_at_ms) {
            (true, _) => None,
            (false, Some(known)) => Some(known),
            (false, None) => Some(summary.room.departed_until_ms(now_ms)),
        };
        if ends_at_ms != self.live.told_ends_at_ms {
            self.live.told_ends_at_ms = ends_at_ms;
            let sid = summary.room.sid.to_string();
            self.live.push(LiveWrite::EndsAt { sid, ends_at_ms });
        }
        self.rooms.live.set(&self.address, summary, ends_at_ms);
    }

    /// Begins to write what waits.
    pub(super) fn begin_live_writes(&mut self) {
        let now_ms = self.rooms.clock.now_ms();
        let is_early = self.live.retry_at_ms.is_some_and(|at_ms| at_ms > now_ms);
        if self.live.in_flight.is_some() || self.live.waiting.is_empty() || is_early {
            return;
        }
        self.live.retry_at_ms = None;
        let count = self.live.waiting.len().min(WRITES_AT_A_TIME);
        let writes: Vec<_> = self.live.waiting.drain(..count).collect();
        let (store, address) = (self.rooms.store.clone(), self.address.clone());
        self.live.in_flight = Some(Box::pin(async move {
            let (project, room) = (&address.project, &address.room);
            let written = store.write_live_room(project, room, writes.clone()).await;
            (writes, written)
        }));
    }

    /// What could not be written is tried again: people can go on without it.
    pub(super) fn finish_live_writes(&mut self, (writes, written): Written) {
        self.live.in_flight = None;
        if let Err(error) = written.map(|told| self.has_told(&told)) {
            tracing::warn!(error = %chain(&error), "failed to note the life of a room");
            self.live.retry_at_ms = Some(self.rooms.clock.now_ms() + RETRY_AFTER_MS);
            for write in writes.into_iter().rev() {
                self.live.waiting.push_front(write);
            }
        }
    }

    /// Everything that waits, before something that must come after it.
    pub(super) async fn flush_live(&mut self) -> Result<(), Error> {
        while !self.live.is_idle() {
            self.live.retry_at_ms = None;
            self.begin_live_writes();
            let (writes, written) = self.live.done().await;
            let failed = written.as_ref().err().map(|_| super::unavailable());
            self.finish_live_writes((writes, written));
            if let Some(error) = failed {
                return Err(error);
            }
        }
        Ok(())
    }

    async fn write_live(&mut self, writes: Vec<LiveWrite>) -> Result<(), Error> {
        self.flush_live().await?;
        let address = &self.address;
        let (project, room) = (&address.project, &address.room);
        let told = self.rooms.store.write_live_room(project, room, writes).await?;
        self.has_told(&told);
        Ok(())
    }

    fn has_told(&self, told: &Told) {
        if let Some(hooks) = &self.rooms.hooks {
            hooks.committed(told);
        }
    }

    /// The room is unloaded, with people in it or without; it stays alive for those who come back,
    /// unless it was deleted.
    pub(super) async fn leave_all_live(&mut self, reason: &CloseReason) {
        let left = match reason {
            CloseReason::ShuttingDown => LeaveReason::ServerShutdown,
            CloseReason::RoomDeleted => LeaveReason::RoomDeleted,
            CloseReason::RoomRenamed { .. } => LeaveReason::Migration,
            _ => LeaveReason::Unknown,
        };
        let mut effects = Effects::default();
        for actor in self.connections.keys() {
            self.state.live.leave(*actor, left, &mut effects);
        }
        if *reason == CloseReason::RoomDeleted {
            self.state.live.remove_guests(left, &mut effects);
            effects.tell_live(LiveEvent::RoomFinished, self.state.live.summary(), None, None);
        }
        self.carry_out(effects);
        if let Err(error) = self.flush_live().await {
            tracing::warn!(error = %chain(&error), "failed to note the life of a room");
        }
        self.vacate_live(reason).await;
    }

    /// In the directory, nobody is here any more.
    async fn vacate_live(&mut self, reason: &CloseReason) {
        let (rooms, address, now_ms) = (&self.rooms, &self.address, self.rooms.clock.now_ms());
        let (room, vacated) = match reason {
            CloseReason::RoomDeleted => return rooms.live.remove(address),
            CloseReason::RoomRenamed { to } => {
                let to = RoomId::trusted(Arc::clone(to));
                let vacated = rooms.live.rename(address, &to, now_ms);
                (to, vacated)
            }
            _ => (address.room.clone(), rooms.live.vacate(address, now_ms)),
        };
        let Some((sid, ends_at_ms)) = vacated else { return };
        let end = LiveWrite::EndsAt { sid: sid.to_string(), ends_at_ms: Some(ends_at_ms) };
        let written = rooms.store.write_live_room(&address.project, &room, vec![end]).await;
        if let Err(error) = written {
            // The next start takes the time of the start instead.
            tracing::warn!(error = %chain(&error), "failed to note until when a room lives");
        }
    }

    pub(super) async fn live_work(&mut self, work: LiveWork) -> Flow {
        match work {
            LiveWork::Begin(settings, reply) => {
                let begun = self.begin_for_back_end(&settings).await;
                drop(reply.send(begun));
            }
            LiveWork::End(reply) => {
                let ended = self.end_live(CloseReason::LiveRoomDeleted).await;
                drop(reply.send(ended));
            }
            LiveWork::SetMetadata(metadata, reply) => {
                let set = self.set_live_metadata(metadata).await;
                drop(reply.send(set));
            }
            LiveWork::Remove { identity, revoke_before_s, reply } => {
                let removed = self.remove_participant(&identity, revoke_before_s).await;
                drop(reply.send(removed));
            }
            LiveWork::Move { identity, to, done, reply } => {
                let moved = self.move_participant(&identity, &to, &MoveDone(done));
                drop(reply.send(moved));
            }
            LiveWork::Due => self.end_if_due().await,
        }
        Flow::On
    }

    async fn begin_for_back_end(&mut self, settings: &LiveSettings) -> Result<LiveSummary, Error> {
        if let Some(summary) = self.state.live.summary() {
            // It may still wait for the database, and the answer says that it is there.
            self.flush_live().await?;
            return Ok(summary);
        }
        self.rooms.live.check_place(settings.metadata.len())?;
        self.begin_live(settings).await?;
        self.state.live.summary().ok_or_else(live_room_not_found)
    }

    async fn set_live_metadata(&mut self, metadata: Arc<str>) -> Result<LiveSummary, Error> {
        let room = self.state.live.room().ok_or_else(live_room_not_found)?;
        let room = LiveRoom { metadata, ..LiveRoom::clone(room) };
        let ends_at_ms = self.live.told_ends_at_ms;
        self.write_live(vec![LiveWrite::Set { room: room.clone(), ends_at_ms }]).await?;
        self.state.live.begin(Arc::new(room));
        let summary = self.state.live.summary().ok_or_else(live_room_not_found)?;
        let mut effects = Effects::default();
        self.state.live.tell_room(summary.clone(), &mut effects);
        self.carry_out(effects);
        Ok(summary)
    }

    async fn remove_participant(
        &mut self,
        identity: &Arc<str>,
        revoke_before_s: Option<i64>,
    ) -> Result<(), Error> {
        let actors = self.state.live.actors_of(identity);
        if let Some(before_s) = revoke_before_s {
            let (project, room) = (&self.address.project, &self.address.room);
            self.rooms.store.revoke_live_tokens(project, room, (identity, before_s)).await?;
            self.live.has_revocations = Some(true);
        }
        if self.state.live.find(identity).is_none() {
            return Err(participant_not_found());
        }
        for actor in actors {
            self.dismiss(actor, CloseReason::Removed, LeaveReason::ParticipantRemoved);
        }
        let mut effects = Effects::default();
        // One that is shown from another room has no connection here.
        self.state.live.remove_guest(identity, LeaveReason::ParticipantRemoved, &mut effects);
        self.carry_out(effects);
        // With what back ends are told of it.
        self.flush_live().await
    }

    /// Lets one connection go, for a reason that its peer is told.
    pub(super) fn dismiss(&mut self, actor: ActorId, reason: CloseReason, left: LeaveReason) {
        if let Some(connection) = self.connections.get(&actor) {
            connection.outbox.close(reason);
        }
        self.leave_as(actor, left);
    }

    async fn end_if_due(&mut self) {
        let now_ms = self.rooms.clock.now_ms();
        let is_due = self.live.told_ends_at_ms.is_some_and(|at_ms| at_ms <= now_ms);
        if !is_due || self.state.live.is_occupied() {
            return;
        }
        if let Err(error) = self.end_live(CloseReason::LiveRoomEnded).await {
            tracing::warn!(error = %chain(&error), "failed to end a room's life");
        }
    }

    async fn end_live(&mut self, reason: CloseReason) -> Result<(), Error> {
        let room = self.state.live.room().cloned().ok_or_else(live_room_not_found)?;
        tracing::info!(room = %room.room_id, sid = %room.sid, ?reason, "a room's life ended");
        let left = match reason {
            CloseReason::LiveRoomDeleted => LeaveReason::RoomDeleted,
            _ => LeaveReason::RoomClosed,
        };
        let everybody: Vec<ActorId> = self.connections.keys().copied().collect();
        for actor in everybody {
            self.dismiss(actor, reason.clone(), left);
        }
        let mut effects = Effects::default();
        self.state.live.remove_guests(left, &mut effects);
        effects.tell_live(LiveEvent::RoomFinished, self.state.live.summary(), None, None);
        self.carry_out(effects);
        self.state.live.end();
        self.live.push(LiveWrite::End { sid: room.sid.to_string() });
        self.live.told_ends_at_ms = None;
        self.rooms.live.remove(&self.address);
        // Should this fail, it is tried again until it is stored.
        self.flush_live().await
    }
}
