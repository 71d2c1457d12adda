//! The owner's handle of one connection.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::channels::{ChannelSpec, Channels, SendError};
use crate::error::Error;

type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// What the peer's task is asked to do.
#[derive(Debug)]
pub(super) enum Order {
    Accept { offer: String, reply: Reply<String> },
    Offer { channels: Vec<ChannelSpec>, reply: Reply<String> },
    Answered { answer: String, reply: Reply<()> },
}

/// One connection. Clones are the same; it closes when all of them, or its `Events`, are dropped.
#[derive(Debug, Clone)]
pub struct Peer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    orders: mpsc::Sender<Order>,
    channels: Arc<Channels>,
    stop: CancellationToken,
    _close_on_drop: DropGuard,
}

impl Peer {
    pub(super) fn new(
        orders: mpsc::Sender<Order>,
        channels: Arc<Channels>,
        stop: &CancellationToken,
    ) -> Self {
        let stop = stop.clone();
        let _close_on_drop = stop.clone().drop_guard();
        Self { inner: Arc::new(Inner { orders, channels, stop, _close_on_drop }) }
    }

    /// Answers a client's offer, the first one or a later one. Later ones may restart ICE.
    /// Whichever side makes the first offer makes all of them.
    pub async fn accept(&self, offer: &str) -> Result<String, Error> {
        let offer = offer.to_owned();
        self.ask(|reply| Order::Accept { offer, reply }).await
    }

    /// Makes an offer with these channels. When there is a connection already, it opens the
    /// channels that are new and restarts ICE. An offer that is not answered yet is repeated.
    pub async fn offer(&self, channels: &[ChannelSpec]) -> Result<String, Error> {
        let channels = channels.to_vec();
        self.ask(|reply| Order::Offer { channels, reply }).await
    }

    /// Takes the client's answer to the last offer.
    pub async fn answered(&self, answer: &str) -> Result<(), Error> {
        let answer = answer.to_owned();
        self.ask(|reply| Order::Answered { answer, reply }).await
    }

    /// Sends a binary message. It never waits: what it took leaves in order, as fast as the client
    /// reads.
    pub fn send(&self, label: &str, bytes: Bytes) -> Result<(), SendError> {
        self.inner.channels.push(label, bytes)
    }

    /// Says goodbye to the client. What waits to be sent is dropped.
    pub fn close(&self) {
        self.inner.stop.cancel();
    }

    async fn ask<T>(&self, order: impl FnOnce(Reply<T>) -> Order) -> Result<T, Error> {
        let (reply, told) = oneshot::channel();
        let gone = || Error::unavailable("the WebRTC connection is closed");
        self.inner.orders.send(order(reply)).await.map_err(|_| gone())?;
        told.await.map_err(|_| gone())?
    }
}
