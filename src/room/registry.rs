//! Which rooms are in memory, and the way to them.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::actor::{self, Call, Command, MAILBOX_LEN_MAX};
use super::close::CloseReason;
use super::effects::Forward;
use super::live::directory::Directory;
use super::live::guests::{Guests, Noted};
use super::live::hooks::LiveHooks;
use super::session::{Join, RoomAddress, Session};
use super::state::Needs;
use crate::config::Limits;
use crate::domain::ctx::{Actor as Identity, Caller, Clock, ProjectGrant, UserRights};
use crate::domain::ids::{OrganizationId, RoomId};
use crate::domain::live::check_room_name;
use crate::domain::permissions::{Level, Matrix, Resource};
use crate::domain::room::{Room, RoomDraft};
use crate::error::{Error, chain};
use crate::store::Store;

/// The rooms of this node. Cloning it is cheap.
#[derive(Clone)]
pub struct Rooms {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub store: Store,
    pub clock: Clock,
    pub limits: Limits,
    pub stop: CancellationToken,
    pub tasks: TaskTracker,
    pub live: Directory,
    /// Absent where nobody is told of what happens.
    pub hooks: Option<LiveHooks>,
    running: Mutex<HashMap<RoomAddress, mpsc::Sender<Command>>>,
}

impl Rooms {
    pub fn new(store: Store, clock: Clock, limits: Limits) -> Self {
        Self::telling(store, clock, limits, None)
    }

    /// With somebody who is told of what happens.
    pub fn telling(store: Store, clock: Clock, limits: Limits, hooks: Option<LiveHooks>) -> Self {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (store, running) = (store.for_rooms(), Mutex::default());
        let live = Directory::default();
        Self { inner: Arc::new(Inner { store, clock, limits, stop, tasks, live, hooks, running }) }
    }

    /// Disconnects everybody, stores what is left, and returns when all of it is stored.
    pub async fn close(&self) {
        self.inner.stop.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Rooms that are in memory.
    pub fn running_len(&self) -> usize {
        self.inner.lock().len()
    }

    /// Lets somebody into a room. A room that nobody made yet is made for the public key and for
    /// access tokens; an ID token opens what exists.
    pub async fn join(&self, join: Join) -> Result<Session, CloseReason> {
        let failed = |error: Error| {
            tracing::error!(error = %chain(&error), "failed to find a room to join");
            CloseReason::Unavailable
        };
        if self.inner.find_room(&join.address).await.map_err(failed)?.is_none() {
            self.create(&join).await?;
        }
        let address = join.address.clone();
        let (reply, answer) = oneshot::channel();
        let command = Command::Join { join: Box::new(join), reply };
        self.inner.send(&address, command).await.map_err(|_| CloseReason::ShuttingDown)?;
        answer.await.map_err(|_| CloseReason::Unavailable)?
    }

    async fn create(&self, join: &Join) -> Result<(), CloseReason> {
        let draft = draft_for(&join.caller, &join.address.room).ok_or(CloseReason::NotAllowed)?;
        let grant = ProjectGrant::system(join.address.project.clone());
        let now_ms = self.inner.clock.now_ms();
        match self.inner.store.insert_room(&grant, draft, now_ms).await {
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::error!(error = %chain(&error), "failed to create a room to join");
                Err(CloseReason::Unavailable)
            }
        }
    }

    /// The room's record changed, so rights in it are looked up again.
    pub async fn record_changed(&self, address: &RoomAddress) {
        self.tell(address, Command::RecordChanged).await;
    }

    /// The room is gone, or has another name: whoever is in it has to go.
    pub async fn close_room(&self, address: &RoomAddress, reason: CloseReason) {
        self.tell(address, Command::Close(reason.clone())).await;
        if self.inner.is_running(address) {
            // It settles what is known of its life when it ends.
            return;
        }
        match &reason {
            CloseReason::RoomRenamed { to } => {
                let (to, now_ms) = (RoomId::trusted(Arc::clone(to)), self.inner.clock.now_ms());
                self.inner.live.rename(address, &to, now_ms);
            }
            _ => self.inner.live.remove(address),
        }
    }

    /// A room that is not in memory needs not be told.
    async fn tell(&self, address: &RoomAddress, command: Command) {
        let running = self.inner.lock().get(address).cloned();
        if let Some(mailbox) = running {
            // A room that just ended has nothing to learn either.
            drop(mailbox.send(command).await);
        }
    }
}

/// A room for whoever is the first to enter it; `None` if they may not make one.
pub(super) fn draft_for(caller: &Caller, id: &RoomId) -> Option<RoomDraft> {
    let id = match &caller.actor {
        Identity::Live(_) => {
            check_room_name(id.as_str()).ok()?;
            id.clone()
        }
        _ => RoomId::parse_new("roomId", id.as_str()).ok()?,
    };
    match &caller.actor {
        Identity::Secret => None,
        Identity::Public => Some(RoomDraft::open_to_everybody(id)),
        Identity::User(user) => match &user.rights {
            UserRights::Identity { .. } => None,
            UserRights::Patterns(patterns) => {
                let rights: Matrix = patterns.matrix_for(id.as_str());
                let may = rights.allows(Level::Read, Resource::Room);
                may.then(|| RoomDraft::closed(id, user.organization_id.clone()))
            }
        },
        Identity::Live(token) => (token.grant.room_join && token.grant.room == id.as_str())
            .then(|| RoomDraft::closed(id, OrganizationId::default())),
    }
}

impl Inner {
    /// The room's record. Rights are the caller's business.
    pub async fn find_room(&self, address: &RoomAddress) -> Result<Option<Arc<Room>>, Error> {
        let found = self.store.find_room(&address.project, &address.room).await?;
        let grant = ProjectGrant::system(address.project.clone());
        Ok(found.map(|room| grant.open(room)))
    }

    pub fn is_running(&self, address: &RoomAddress) -> bool {
        self.lock().contains_key(address)
    }

    /// Gives a command to the room, which is started if need be. It comes back if the server stops.
    pub async fn send(
        self: &Arc<Self>,
        address: &RoomAddress,
        command: Command,
    ) -> Result<(), Error> {
        let mut command = command;
        loop {
            if self.stop.is_cancelled() {
                return Err(actor::unavailable());
            }
            let mailbox = self.get_or_start(address);
            match mailbox.send(command).await {
                Ok(()) => return Ok(()),
                // It was just being unloaded; the next one is fresh.
                Err(mpsc::error::SendError(returned)) => command = returned,
            }
        }
    }

    fn get_or_start(self: &Arc<Self>, address: &RoomAddress) -> mpsc::Sender<Command> {
        let mut running = self.lock();
        if let Some(mailbox) = running.get(address).filter(|mailbox| !mailbox.is_closed()) {
            return mailbox.clone();
        }
        let (mailbox, inbox) = mpsc::channel(MAILBOX_LEN_MAX);
        running.insert(address.clone(), mailbox.clone());
        let room = run(Arc::clone(self), address.clone(), mailbox.downgrade(), inbox);
        self.tasks.spawn(room);
        mailbox
    }

    /// Tells another room how one of its guests is. False if it does not show them.
    pub fn forward(self: &Arc<Self>, from: &RoomAddress, forward: &Forward) -> bool {
        let room = RoomId::trusted(Arc::clone(&forward.room));
        let there = RoomAddress { project: from.project.clone(), room };
        match self.live.guests(&there, |guests| guests.note(forward, &from.room)) {
            None | Some(Noted::NotShown) => false,
            Some(Noted::Waits) => true,
            Some(Noted::First) => {
                self.show_guests_soon(there);
                true
            }
        }
    }

    /// Whoever calls may be a room, which must not wait for another one.
    fn show_guests_soon(self: &Arc<Self>, address: RoomAddress) {
        let inner = Arc::clone(self);
        // An error means that the server stops, or that the room takes them all as it is loaded.
        self.tasks.spawn(async move { drop(inner.show_guests(&address).await) });
    }

    /// Has a room show its guests as they are now.
    pub async fn show_guests(self: &Arc<Self>, address: &RoomAddress) -> Result<(), Error> {
        let (inner, of) = (Arc::clone(self), address.clone());
        let (call, shown) = Call::new(Needs::default(), move |state, effects| {
            for guest in inner.live.guests(&of, Guests::take).unwrap_or_default() {
                state.live.show_guest(guest, effects);
            }
            Ok(())
        });
        self.send(address, Command::Call(call)).await?;
        shown.await.map_err(|_| actor::unavailable())?
    }

    fn remove(&self, address: &RoomAddress, ended: &mpsc::WeakSender<Command>) {
        let mut running = self.lock();
        let is_it = |mailbox: &mpsc::Sender<Command>| {
            ended.upgrade().is_none_or(|ended| ended.same_channel(mailbox))
        };
        if running.get(address).is_some_and(is_it) {
            running.remove(address);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RoomAddress, mpsc::Sender<Command>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A room from its start to its end, whatever ends it.
async fn run(
    rooms: Arc<Inner>,
    address: RoomAddress,
    mailbox: mpsc::WeakSender<Command>,
    mut inbox: mpsc::Receiver<Command>,
) {
    let room = actor::run(Arc::clone(&rooms), address.clone(), mailbox.clone(), &mut inbox);
    if AssertUnwindSafe(room).catch_unwind().await.is_err() {
        // Its connections were closed as it was dropped; they come back to what was stored.
        tracing::error!(room = %address.room, "a room panicked");
        rooms.live.vacate(&address, rooms.clock.now_ms());
        for with_guests in rooms.live.end_forwards_of(&address) {
            rooms.show_guests_soon(with_guests);
        }
    }
    rooms.remove(&address, &mailbox);
    // Whoever came while the room was being unloaded gets the next one.
    inbox.close();
    while let Some(command) = inbox.recv().await {
        if command.is_for_any_session() {
            // An error means that the server stops, which whoever waits finds out.
            drop(Box::pin(rooms.send(&address, command)).await);
        }
    }
}
