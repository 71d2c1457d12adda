//! Requests about feeds on their way to the database: one at a time, in the order in which they
//! came, while the room goes on.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{Actor, Reply};
use crate::domain::feed::{FeedChange, FeedEvent};
use crate::domain::permissions::{Level, Resource};
use crate::error::{Code, Error, chain};
use crate::room::effects::{Delivery, To};
use crate::room::feeds::{Answer, FeedAsk, FeedReply, FeedTask, run};
use crate::room::message::{ActorId, Frame, ServerMessage};

/// Requests of one connection that may wait.
const REQUESTS_PER_CONNECTION_MAX: usize = 256;
/// The same, in memory.
const BYTES_PER_CONNECTION_MAX: usize = 4 << 20;
/// What may wait in front of one room, that of back ends too.
const BYTES_MAX: usize = 64 << 20;
/// What a request holds besides what it says.
const OVERHEAD_BYTES: usize = 256;

/// Who waits for an answer.
enum Asker {
    Member { actor: ActorId, request: Arc<str> },
    BackEnd(Reply<Arc<FeedEvent>>),
}

struct Waiting {
    asker: Asker,
    ask: FeedAsk,
    bytes: usize,
}

/// What a connection has in the queue.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Share {
    requests: usize,
    bytes: usize,
}

pub(super) struct Done {
    asker: Asker,
    outcome: Result<Answer, Error>,
}

#[derive(Default)]
pub(super) struct Feeds {
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    in_flight: Option<BoxFuture<'static, Done>>,
}

impl Feeds {
    pub fn is_idle(&self) -> bool {
        self.in_flight.is_none() && self.waiting.is_empty()
    }

    /// Waits for the call in flight, for ever if there is none. Cancel safe.
    pub async fn done(&mut self) -> Done {
        match &mut self.in_flight {
            Some(call) => call.await,
            None => pending().await,
        }
    }

    fn push(&mut self, waiting: Waiting) {
        self.waiting_bytes += waiting.bytes;
        self.waiting.push_back(waiting);
    }
}

impl Actor {
    /// A request of somebody who is in the room, and may make it.
    pub(super) fn ask_feeds(&mut self, task: FeedTask) {
        let FeedTask { actor, request, ask, bytes } = task;
        let bytes = bytes + OVERHEAD_BYTES;
        let Some(connection) = self.connections.get_mut(&actor) else { return };
        let share = &mut connection.feeds;
        let fits = share.requests < REQUESTS_PER_CONNECTION_MAX
            && share.bytes + bytes <= BYTES_PER_CONNECTION_MAX
            && self.feeds.waiting_bytes + bytes <= BYTES_MAX;
        if !fits {
            return self.tell_member(actor, FeedReply::failed(request, &too_many()));
        }
        share.requests += 1;
        share.bytes += bytes;
        self.feeds.push(Waiting { asker: Asker::Member { actor, request }, ask, bytes });
    }

    /// A change that a back end makes.
    pub(super) fn change_feeds(&mut self, change: FeedChange, reply: Reply<Arc<FeedEvent>>) {
        let bytes = change.cost_bytes() + OVERHEAD_BYTES;
        if self.feeds.waiting_bytes + bytes > BYTES_MAX {
            return drop(reply.send(Err(too_many())));
        }
        let ask = FeedAsk::Change(change);
        self.feeds.push(Waiting { asker: Asker::BackEnd(reply), ask, bytes });
    }

    /// Begins the next call if none is in flight.
    pub(super) fn begin_feeds(&mut self) {
        if self.feeds.in_flight.is_some() {
            return;
        }
        let Some(Waiting { asker, ask, bytes }) = self.feeds.waiting.pop_front() else { return };
        self.feeds.waiting_bytes -= bytes;
        if let Asker::Member { actor, .. } = &asker
            && let Some(connection) = self.connections.get_mut(actor)
        {
            connection.feeds.requests -= 1;
            connection.feeds.bytes -= bytes;
        }
        let (store, key) = (self.rooms.store.clone(), self.key.data().clone());
        let now_ms = self.rooms.clock.now_ms();
        self.feeds.in_flight = Some(Box::pin(async move {
            let outcome = run(store, key, ask, now_ms).await;
            Done { asker, outcome }
        }));
    }

    /// Publishes what was committed, and answers whoever asked.
    pub(super) fn finish_feeds(&mut self, done: Done) {
        self.feeds.in_flight = None;
        let Done { asker, outcome } = done;
        match (asker, outcome) {
            (asker, Ok(Answer::Changed(event))) => {
                let event = Arc::new(event);
                let reply = FeedReply::Changed(Arc::clone(&event));
                let to = To::Readers { of: Resource::Feeds, except: None };
                self.deliver(&Delivery { to, frame: Frame::new(ServerMessage::Feed(reply)) });
                if let Asker::BackEnd(reply) = asker {
                    // Whoever asked may have gone away.
                    drop(reply.send(Ok(event)));
                }
            }
            (Asker::Member { actor, request }, Ok(Answer::Feeds(page))) => {
                self.tell_reader(actor, FeedReply::Listed { request, page });
            }
            (Asker::Member { actor, request }, Ok(Answer::Messages(feed, page))) => {
                self.tell_reader(actor, FeedReply::MessagesListed { request, feed, page });
            }
            (Asker::Member { actor, request }, Err(error)) => {
                if matches!(error.code(), Code::Internal | Code::DataLoss | Code::Unavailable) {
                    let room = &self.address.room;
                    tracing::error!(%room, error = %chain(&error), "a request about feeds failed");
                }
                self.tell_member(actor, FeedReply::failed(request, &error));
            }
            (Asker::BackEnd(reply), Err(error)) => drop(reply.send(Err(error))),
            // Back ends read feeds by themselves.
            (Asker::BackEnd(_), Ok(Answer::Feeds(_) | Answer::Messages(..))) => {}
        }
    }

    /// Before the room ends: what is in flight may be committed, so it is published.
    pub(super) async fn flush_feeds(&mut self) {
        if self.feeds.in_flight.is_some() {
            let done = self.feeds.done().await;
            self.finish_feeds(done);
        }
    }

    /// Unless the right was taken away meanwhile.
    fn tell_reader(&self, actor: ActorId, reply: FeedReply) {
        if self.state.people.may(actor, Level::Read, Resource::Feeds) {
            self.tell_member(actor, reply);
        }
    }

    fn tell_member(&self, actor: ActorId, reply: FeedReply) {
        let frame = Frame::new(ServerMessage::Feed(reply));
        self.deliver(&Delivery { to: To::One(actor), frame });
    }
}

fn too_many() -> Error {
    let public = format!(
        "Too many requests about feeds are waiting: at most {REQUESTS_PER_CONNECTION_MAX} and \
         {BYTES_PER_CONNECTION_MAX} bytes for each connection. Please wait for answers."
    );
    Error::new(Code::ResourceExhausted, "TOO_MANY_FEED_REQUESTS", public)
}
