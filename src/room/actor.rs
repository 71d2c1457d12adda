//! The task of one room: it feeds the state machine and carries out what that asks for, in order.
//! What shows a document leaves after the commit of all that happened to the document before.
//!
//! Invariant: nothing that happened after the last commit was seen by anybody. If a commit fails,
//! everybody is disconnected and the room is loaded anew from what was stored.

mod aside;
mod calls;
mod commit;
mod documents;
mod feeds;
mod guests;
mod join;
mod live;
mod live_join;
mod live_move;
mod load;
mod log;
mod timing;
mod versions;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::close::CloseReason;
use super::effects::{Delivery, Effects, To};
use super::live::Link;
use super::message::{ActorId, ClientMessage, ServerMessage};
use super::outbox::Outbox;
use super::registry::Inner;
use super::session::{Join, RoomAddress, Session, StorageDialect};
use super::state::State;
use crate::domain::ctx::Caller;
use crate::domain::feed::{FeedChange, FeedEvent};
use crate::domain::live::LeaveReason;
use crate::domain::permissions::Level;
use crate::error::{Code, Error, chain};
use crate::store::{DocumentId, RoomKey};

pub(super) use calls::{Call, Exclusive, Reply};
use commit::Commit;
pub(super) use commit::unavailable;
pub(super) use documents::Shown;
use feeds::{Feeds, Share};
pub(super) use live::LiveWork;
use live::LiveWrites;
pub(super) use live_move::Destination;
use log::Log;
use versions::Edits;

/// Commands that wait for one room; whoever sends one more waits with it.
pub(super) const MAILBOX_LEN_MAX: usize = 1_024;
/// Commands that are worked off before the next commit is begun.
const BATCH_LEN_MAX: usize = 256;

pub(super) enum Command {
    Join {
        join: Box<Join>,
        reply: oneshot::Sender<Result<Session, CloseReason>>,
    },
    Leave {
        actor: ActorId,
        reason: LeaveReason,
    },
    Receive {
        actor: ActorId,
        messages: Vec<ClientMessage>,
        _held: OwnedSemaphorePermit,
    },
    /// A call that needs some of the state.
    Call(Call),
    /// A call that needs the room to itself while it waits for the database.
    Exclusive(Exclusive),
    /// A change of feeds that a back end makes.
    ChangeFeeds(FeedChange, Reply<Arc<FeedEvent>>),
    /// What a back end asks of the room's life.
    Live(LiveWork),
    /// The room's record changed: rights are looked up again.
    RecordChanged,
    /// The room ends here, for this reason.
    Close(CloseReason),
}

impl Command {
    /// Whether it still means something when the room it was for has ended.
    pub fn is_for_any_session(&self) -> bool {
        matches!(
            self,
            Self::Join { .. }
                | Self::Call(_)
                | Self::Exclusive(_)
                | Self::ChangeFeeds(..)
                | Self::Live(_)
        )
    }
}

struct Connection {
    caller: Caller,
    dialect: StorageDialect,
    link: Link,
    outbox: Arc<Outbox>,
    /// What it asked about feeds and waits for.
    feeds: Share,
}

impl Drop for Connection {
    /// However the room ends, nobody waits for it.
    fn drop(&mut self) {
        self.outbox.close(CloseReason::Unavailable);
    }
}

pub(super) struct Actor {
    rooms: Arc<Inner>,
    address: RoomAddress,
    key: RoomKey,
    mailbox: mpsc::WeakSender<Command>,
    inbox_bytes: Arc<Semaphore>,
    state: State,
    connections: BTreeMap<ActorId, Connection>,
    /// Numbers that the database promised to nobody else.
    actors: Range<ActorId>,
    logs: HashMap<DocumentId, Log>,
    commit: Commit,
    feeds: Feeds,
    live: LiveWrites,
    schema: Option<crate::store::SchemaId>,
    idle_since_ms: Option<i64>,
    /// When frames that were allowed to wait have waited long enough.
    announce_at_ms: Option<i64>,
    touched_at_ms: i64,
    edits: Edits,
}

/// Whether the actor goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Flow {
    On,
    End(CloseReason),
}

impl Flow {
    /// An error is its caller's, unless it means that the room is somebody else's by now.
    fn after(error: &Error) -> Self {
        match error.reason() {
            "ROOM_FENCED" => Self::End(CloseReason::Unavailable),
            _ => Self::On,
        }
    }
}

/// Runs one room until nobody needs it. What is left in the mailbox then comes back.
pub(super) async fn run(
    rooms: Arc<Inner>,
    address: RoomAddress,
    mailbox: mpsc::WeakSender<Command>,
    inbox: &mut mpsc::Receiver<Command>,
) {
    match Actor::open(Arc::clone(&rooms), address.clone(), mailbox).await {
        Ok(Some(mut actor)) => {
            let reason = actor.serve(inbox).await;
            actor.end(reason).await;
        }
        Ok(None) => {
            rooms.live.remove(&address);
            calls::refuse_all(inbox, &CloseReason::RoomDeleted);
        }
        Err(error) => {
            tracing::error!(room = %address.room, error = %chain(&error), "failed to open a room");
            calls::refuse_all(inbox, &CloseReason::Unavailable);
        }
    }
}

/// Waits for the next commands, unless some are left over. False when there will be none. Cancel
/// safe.
async fn fill(inbox: &mut mpsc::Receiver<Command>, batch: &mut VecDeque<Command>) -> bool {
    if !batch.is_empty() {
        return true;
    }
    let Some(first) = inbox.recv().await else { return false };
    batch.push_back(first);
    while batch.len() < BATCH_LEN_MAX
        && let Ok(next) = inbox.try_recv()
    {
        batch.push_back(next);
    }
    true
}

impl Actor {
    async fn serve(&mut self, inbox: &mut mpsc::Receiver<Command>) -> CloseReason {
        let mut batch = VecDeque::new();
        let stop = self.rooms.stop.clone();
        loop {
            let wake = self.next_wake();
            let has_room = self.commit.has_room();
            let flow = tokio::select! {
                biased;
                done = self.commit.done() => self.finish_commit(done),
                done = self.feeds.done() => {
                    self.finish_feeds(done);
                    Flow::On
                }
                done = self.live.done() => {
                    self.finish_live_writes(done);
                    Flow::On
                }
                () = stop.cancelled() => Flow::End(CloseReason::ShuttingDown),
                is_open = fill(inbox, &mut batch), if has_room => match is_open {
                    false => Flow::End(CloseReason::ShuttingDown),
                    true => self.handle_all(&mut batch).await,
                },
                () = tokio::time::sleep(wake) => self.wake(inbox.is_empty()).await,
            };
            if let Flow::End(reason) = flow {
                for command in batch {
                    calls::refuse(command, &reason);
                }
                return reason;
            }
            // Before any answer: lists are to show what a call has done.
            self.publish_live();
            self.begin_commit();
            self.begin_feeds();
            self.begin_live_writes();
        }
    }

    /// As many as there is room for: one command may have a large document in its answer.
    async fn handle_all(&mut self, batch: &mut VecDeque<Command>) -> Flow {
        while self.commit.has_room()
            && let Some(command) = batch.pop_front()
        {
            let flow = self.handle(command).await;
            if flow != Flow::On {
                return flow;
            }
        }
        self.do_what_is_due().await;
        Flow::On
    }

    async fn handle(&mut self, command: Command) -> Flow {
        self.idle_since_ms = None;
        match command {
            Command::Join { join, reply } => return self.join(*join, reply).await,
            Command::Leave { actor, reason } => self.leave_as(actor, reason),
            Command::Receive { actor, messages, _held } => {
                return self.receive(actor, messages).await;
            }
            Command::Call(call) => return self.call(call).await,
            Command::Exclusive(exclusive) => return self.exclusive(exclusive).await,
            Command::ChangeFeeds(change, reply) => self.change_feeds(change, reply),
            Command::Live(work) => return self.live_work(work).await,
            Command::RecordChanged => return self.record_changed().await,
            Command::Close(reason) => return Flow::End(reason),
        }
        Flow::On
    }

    async fn receive(&mut self, actor: ActorId, messages: Vec<ClientMessage>) -> Flow {
        let Some(connection) = self.connections.get(&actor) else { return Flow::On };
        if connection.outbox.is_closed() {
            return Flow::On;
        }
        let dialect = connection.dialect;
        // A second answer would say the same, with what happened in between right behind the first.
        let fetches = !connection.outbox.holds_storage();
        let needs = self.state.needs(actor, &messages);
        if let Err(error) = self.load(needs).await {
            return self.cannot_load(actor, &error);
        }
        let messages = messages.into_iter();
        if messages.as_slice().iter().any(ClientMessage::is_edit) {
            self.note_edit(actor);
        }
        let messages =
            messages.filter(|message| fetches || !matches!(message, ClientMessage::FetchStorage));
        let mut effects = Effects::default();
        self.state.receive(actor, dialect, messages.collect(), &mut effects);
        self.carry_out(effects);
        match self.state.yjs.is_broken() {
            true => Flow::End(CloseReason::Unavailable),
            false => Flow::On,
        }
    }

    /// A document that cannot be read must not take the others' presence with it, but a room that
    /// somebody else owns by now is at its end.
    fn cannot_load(&mut self, actor: ActorId, error: &Error) -> Flow {
        if error.code() == Code::InvalidArgument {
            if let Some(connection) = self.connections.get(&actor) {
                connection.outbox.close(CloseReason::NotUnderstood("the guid of a document"));
            }
            return Flow::On;
        }
        tracing::error!(room = %self.address.room, error = %chain(error), "failed to load a document");
        if let Some(connection) = self.connections.get(&actor) {
            connection.outbox.close(CloseReason::Unavailable);
        }
        Flow::after(error)
    }

    fn leave_as(&mut self, actor: ActorId, reason: LeaveReason) {
        if self.connections.remove(&actor).is_some() {
            let mut effects = Effects::default();
            self.state.people.leave(actor, &mut effects);
            self.state.live.leave(actor, reason, &mut effects);
            self.carry_out(effects);
        }
    }

    /// Sends what may go at once, and keeps the rest for the commit or the database.
    fn carry_out(&mut self, effects: Effects) {
        // Whoever is told of a change finds it in the lists.
        self.publish_live();
        for delivery in &effects.now {
            self.deliver(delivery);
            if delivery.frame.message.may_wait() {
                self.announce_soon();
            }
        }
        self.commit.after(effects.after_commit);
        for task in effects.feeds {
            self.ask_feeds(task);
        }
        self.tell_news(&effects.news);
        self.tell_other_rooms(&effects.forwards, &effects.gone_guests);
    }

    fn deliver(&self, delivery: &Delivery) {
        match delivery.to {
            To::One(actor) => {
                if let Some(connection) = self.connections.get(&actor) {
                    connection.outbox.push(&delivery.frame);
                }
            }
            To::LiveOne(actor) => {
                let connection = self.connections.get(&actor);
                if let Some(connection) = connection.filter(|found| found.link > Link::Plain) {
                    connection.outbox.push(&delivery.frame);
                }
            }
            To::Live { except } => {
                for (actor, connection) in &self.connections {
                    if Some(*actor) != except && connection.link > Link::Plain {
                        connection.outbox.push(&delivery.frame);
                    }
                }
            }
            To::Readers { of, except } => {
                // A client that comes back has what it knew before until it is sent Storage anew, and
                // changes that were made to another document would leave it with what nobody has.
                let is_change = matches!(delivery.frame.message, ServerMessage::Ops(_));
                for (actor, connection) in &self.connections {
                    let hears = !is_change || connection.outbox.knows_storage();
                    let may = || self.state.people.may(*actor, Level::Read, of);
                    if Some(*actor) != except && hears && may() {
                        connection.outbox.push(&delivery.frame);
                    }
                }
            }
        }
    }

    async fn record_changed(&mut self) -> Flow {
        let room = match self.rooms.find_room(&self.address).await {
            Ok(Some(room)) => room,
            Ok(None) => return Flow::End(CloseReason::RoomDeleted),
            Err(_) => return Flow::End(CloseReason::Unavailable),
        };
        let mut effects = Effects::default();
        for (actor, connection) in &self.connections {
            let rights = connection.caller.actor.rights_in(&room);
            if !rights.allows(Level::Read, crate::domain::permissions::Resource::Room) {
                connection.outbox.close(CloseReason::NotAllowed);
                continue;
            }
            let nonce = join::nonce();
            self.state.people.change_rights(*actor, rights, nonce, &mut effects);
            if !matches!(connection.caller.actor, crate::domain::ctx::Actor::Live(_)) {
                self.state.live.change_rights(*actor, live_join::permission(rights), &mut effects);
            }
        }
        self.carry_out(effects);
        Flow::On
    }

    /// Stores what is left, then lets everybody go.
    async fn end(mut self, mut reason: CloseReason) {
        if reason == CloseReason::Unavailable
            && matches!(self.rooms.find_room(&self.address).await, Ok(None))
        {
            reason = CloseReason::RoomDeleted;
        }
        let lost = reason == CloseReason::Unavailable || reason == CloseReason::RoomDeleted;
        if lost {
            self.commit.fail();
            // Nobody waits for a database that may be down.
            self.let_go(&reason);
            self.leave_all_live(&reason).await;
        } else {
            self.flush_feeds().await;
            self.leave_all_live(&reason).await;
            self.flush().await;
            if self.version_due_ms().is_some() {
                // With nobody here it is as quiet as it will be.
                self.create_automatic_version().await;
            }
            self.compact_before_unloading().await;
        }
        self.let_go(&reason);
        if !lost && !self.actors.is_empty() {
            // Best effort: numbers that are not given back are never used, which hurts nobody.
            drop(self.rooms.store.release_actors(&self.key, self.actors.clone()).await);
        }
    }

    fn let_go(&self, reason: &CloseReason) {
        for connection in self.connections.values() {
            connection.outbox.close(reason.clone());
        }
    }
}
