//! Commit, then publish: what waits for the commit in flight, and what waits for the next one.

use std::future::pending;

use futures_util::future::BoxFuture;

use super::calls::Answer;
use super::{Actor, Flow};
use crate::error::{Code, Error, chain};
use crate::room::effects::Delivery;

/// Frames and answers that wait for a commit. With more than this the room takes no commands until
/// the database has caught up.
const WAITING_LEN_MAX: usize = 16_384;
/// The same, in memory.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// What leaves after a commit, in order.
enum Release {
    Frame(Delivery),
    Answer(Answer),
}

#[derive(Default)]
pub(super) struct Commit {
    in_flight: Option<BoxFuture<'static, Result<(), Error>>>,
    /// Leaves with the commit in flight.
    releasing: Vec<Release>,
    /// Leaves with the one after it.
    waiting: Vec<Release>,
    waiting_bytes: usize,
}

impl Commit {
    pub fn after(&mut self, deliveries: Vec<Delivery>) {
        let bytes = deliveries.iter().map(|delivery| delivery.frame.cost_bytes());
        self.waiting_bytes += bytes.sum::<usize>();
        self.waiting.extend(deliveries.into_iter().map(Release::Frame));
    }

    pub fn answer(&mut self, answer: Answer) {
        self.waiting.push(Release::Answer(answer));
    }

    pub fn has_room(&self) -> bool {
        self.waiting.len() < WAITING_LEN_MAX && self.waiting_bytes < WAITING_BYTES_MAX
    }

    pub fn is_idle(&self) -> bool {
        self.in_flight.is_none() && self.waiting.is_empty()
    }

    /// Waits for the commit in flight, for ever if there is none. Cancel safe.
    pub async fn done(&mut self) -> Result<(), Error> {
        match &mut self.in_flight {
            Some(commit) => commit.await,
            None => pending().await,
        }
    }

    /// Nothing that waits will ever be stored.
    pub fn fail(&mut self) {
        self.in_flight = None;
        for release in self.releasing.drain(..).chain(self.waiting.drain(..)) {
            if let Release::Answer(answer) = release {
                answer(Err(unavailable()));
            }
        }
    }
}

pub(in crate::room) fn unavailable() -> Error {
    Error::new(
        Code::Unavailable,
        "UNAVAILABLE",
        "The room cannot be stored right now. Please try again.",
    )
}

impl Actor {
    /// Begins the next commit if none is in flight. Without anything to store, what waits leaves.
    pub(super) fn begin_commit(&mut self) {
        if self.commit.in_flight.is_some() || self.commit.waiting.is_empty() {
            return;
        }
        let updates = self.take_updates();
        let waiting = std::mem::take(&mut self.commit.waiting);
        self.commit.waiting_bytes = 0;
        if updates.is_empty() {
            return self.release(waiting);
        }
        self.edits.last_at_ms = Some(self.rooms.clock.now_ms());
        self.commit.releasing = waiting;
        let (store, key) = (self.rooms.store.clone(), self.key.clone());
        self.commit.in_flight =
            Some(Box::pin(async move { store.append_updates(&key, updates).await }));
    }

    pub(super) fn finish_commit(&mut self, done: Result<(), Error>) -> Flow {
        self.commit.in_flight = None;
        match done {
            Ok(()) => {
                let released = std::mem::take(&mut self.commit.releasing);
                self.release(released);
                self.begin_compactions();
                Flow::On
            }
            Err(error) => {
                let room = &self.address.room;
                tracing::error!(%room, error = %chain(&error), "failed to store a room's changes");
                Flow::End(crate::room::close::CloseReason::Unavailable)
            }
        }
    }

    /// Waits until everything that happened is stored and said.
    pub(super) async fn flush(&mut self) -> Flow {
        loop {
            self.begin_commit();
            if self.commit.in_flight.is_none() {
                return Flow::On;
            }
            let done = self.commit.done().await;
            let flow = self.finish_commit(done);
            if flow != Flow::On {
                return flow;
            }
        }
    }

    fn release(&self, releases: Vec<Release>) {
        for release in releases {
            match release {
                Release::Frame(delivery) => self.deliver(&delivery),
                Release::Answer(answer) => answer(Ok(())),
            }
        }
    }
}
