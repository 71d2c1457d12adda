//! The task of one peer: it brings datagrams, time and calls to the engine, and takes away what
//! comes of them. A panic in str0m ends this task and with it this peer, and nobody else.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::channels::Channels;
use super::engine::{Engine, Output};
use super::events::{Event, News};
use super::peer::Order;
use super::routes::Seat;
use super::socket::{Datagram, Socket};
use super::stun;

/// Datagrams of a client that is held up.
const LATE_DATAGRAMS_MAX: usize = 1_024;

#[derive(Debug)]
pub(super) struct Driver {
    pub(super) engine: Engine,
    pub(super) seat: Seat,
    pub(super) socket: Arc<Socket>,
    pub(super) datagrams: mpsc::Receiver<Datagram>,
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) news: News,
    pub(super) channels: Arc<Channels>,
    pub(super) stop: CancellationToken,
}

impl Driver {
    pub(super) async fn run(mut self) {
        // Events that the owner has no room for. But for checks nothing more is read from the client
        // meanwhile, so they are what one datagram can bring at most.
        let mut held = VecDeque::new();
        let mut late = VecDeque::new();
        let stop = self.stop.clone();
        let mut stopped = pin!(stop.cancelled());
        let mut timer = pin!(sleep_until(Instant::now()));
        self.seat.rename(self.engine.ufrag());
        while let Some(deadline) = self.settle(&mut held).await {
            timer.as_mut().reset(deadline);
            tokio::select! {
                () = &mut stopped => break,
                Some(datagram) = self.datagrams.recv() => {
                    // Checks keep the connection alive, also of a client that is held up.
                    match stun::kind(&datagram.contents) {
                        stun::Kind::Check { .. } => self.take(&datagram),
                        _ if held.is_empty() && late.is_empty() => self.take(&datagram),
                        _ if late.len() < LATE_DATAGRAMS_MAX => late.push_back(datagram),
                        // As a network loses it: the client sends it again.
                        _ => {}
                    }
                }
                Some(datagram) = next_of(&mut late), if held.is_empty() => self.take(&datagram),
                Some(order) = self.orders.recv() => {
                    self.obey(order);
                    self.settle(&mut held).await;
                    // What was negotiated begins with the next tick.
                    self.engine.tick(now());
                }
                () = self.channels.ready() => {}
                () = has_room(&self.news, &held) => {}
                () = &mut timer => self.engine.tick(now()),
            }
        }
        self.engine.close();
        self.settle(&mut held).await;
        tracing::debug!(peer = self.seat.key(), "a WebRTC connection is closed");
    }

    /// Everything that follows from what just happened; then when to go on, or `None` at the end.
    async fn settle(&mut self, held: &mut VecDeque<Event>) -> Option<Instant> {
        loop {
            let deadline = self.drain(held).await;
            self.tell(held);
            if deadline.is_none() || !self.engine.write_next() {
                return deadline;
            }
        }
    }

    async fn drain(&mut self, held: &mut VecDeque<Event>) -> Option<Instant> {
        loop {
            match self.engine.poll() {
                Output::Send { path, contents } => self.socket.send(path, &contents).await,
                Output::Event(event) => held.push_back(event),
                Output::Wait(until) => return Some(until.into()),
                Output::Ended => return None,
            }
        }
    }

    fn tell(&self, held: &mut VecDeque<Event>) {
        while let Some(event) = held.pop_front() {
            if let Err(event) = self.news.try_push(event) {
                held.push_front(event);
                return;
            }
        }
    }

    fn take(&mut self, datagram: &Datagram) {
        let (seat, now) = (&mut self.seat, now());
        let given_up = self.engine.receive(datagram, now, |address| seat.claim(address, now));
        if let Some(address) = given_up {
            self.seat.release(address);
        }
    }

    /// Whoever asked may be gone by now.
    fn obey(&mut self, order: Order) {
        match order {
            Order::Accept { offer, reply } => drop(reply.send(self.engine.accept(&offer))),
            Order::Offer { channels, reply } => drop(reply.send(self.engine.offer(&channels))),
            Order::Answered { answer, reply } => drop(reply.send(self.engine.answered(&answer))),
        }
        self.seat.rename(self.engine.ufrag());
    }
}

/// The oldest of those that had to wait, at once.
async fn next_of(late: &mut VecDeque<Datagram>) -> Option<Datagram> {
    late.pop_front()
}

/// Tokio's time, so that tests can stop it.
pub(super) fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// Waits until the first event fits; for ever if there is none.
async fn has_room(news: &News, held: &VecDeque<Event>) {
    match held.front() {
        Some(event) => news.has_room_for(event).await,
        None => std::future::pending().await,
    }
}
