//! The two WebRTC connections of a client, for data: it offers the one by which it sends, and the
//! server offers the one by which it is sent to.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use prost::Message as _;

use super::intake::Intake;
use crate::domain::live::DataKind;
use crate::error::{Error, chain};
use crate::proto::livekit;
use crate::room::rate::Rate;
use crate::rtc::{ChannelSpec, Event, Events, Peer, Rtc, SendError};

const RELIABLE: &str = "_reliable";
const LOSSY: &str = "_lossy";
/// Reliable data that waits until the client can be sent to.
const WAITING_BYTES_MAX: usize = 4 << 20;

/// What the connections have to tell.
#[derive(Debug)]
pub enum PeerNews {
    /// The client can be sent data.
    Active,
    /// The way to the client is lost.
    Lost,
    Packet(Box<livekit::DataPacket>, DataKind),
}

/// A client that does not keep up.
#[derive(Debug)]
pub struct TooSlow;

pub struct Peers {
    intake: Intake,
    publisher: (Peer, Events),
    subscriber: (Peer, Events),
    offers: u32,
    is_reliable_open: bool,
    waiting: VecDeque<Bytes>,
    waiting_bytes: usize,
}

impl Peers {
    /// `rate` is how fast data may come.
    pub fn new(rtc: &Rtc, rate: Rate) -> Result<Self, Error> {
        Ok(Self {
            intake: Intake::new(rate),
            publisher: rtc.peer()?,
            subscriber: rtc.peer()?,
            offers: 0,
            is_reliable_open: false,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
        })
    }

    /// The server's offer, with the channels by which it sends.
    pub async fn offer(&mut self) -> Result<livekit::SessionDescription, Error> {
        let channels = [ChannelSpec::reliable(RELIABLE), ChannelSpec::lossy(LOSSY)];
        let sdp = self.subscriber.0.offer(&channels).await?;
        self.offers += 1;
        Ok(description("offer", sdp, self.offers))
    }

    pub async fn answered(&self, answer: &livekit::SessionDescription) -> Result<(), Error> {
        self.subscriber.0.answered(&answer.sdp).await
    }

    /// The answer to the client's offer.
    pub async fn accept(
        &self,
        offer: &livekit::SessionDescription,
    ) -> Result<livekit::SessionDescription, Error> {
        let sdp = self.publisher.0.accept(&offer.sdp).await?;
        Ok(description("answer", sdp, offer.id))
    }

    /// `None` when a connection is closed for good. Cancel safe.
    pub async fn next(&mut self) -> Option<PeerNews> {
        loop {
            if let Some(news) = self.held().await {
                return Some(news);
            }
            let (event, is_subscriber) = tokio::select! {
                event = self.subscriber.1.next() => (event?, true),
                event = self.publisher.1.next() => (event?, false),
            };
            match event {
                Event::Connected if is_subscriber => return Some(PeerNews::Active),
                Event::Disconnected if is_subscriber => return Some(PeerNews::Lost),
                Event::ChannelOpen { label } if is_subscriber && &*label == RELIABLE => {
                    self.is_reliable_open = true;
                    self.send_waiting();
                }
                Event::Data { label, bytes, .. } => {
                    let kind = match &*label {
                        RELIABLE => DataKind::Reliable,
                        LOSSY => DataKind::Lossy,
                        _ => continue,
                    };
                    let taken = self.intake.take(kind, bytes, Instant::now());
                    if let Some(news) = taken.and_then(|bytes| read(bytes, kind)) {
                        return Some(news);
                    }
                }
                Event::Connected
                | Event::Disconnected
                | Event::ChannelOpen { .. }
                | Event::ChannelClosed { .. } => {}
            }
        }
    }

    /// Waits for what came too fast, so that nothing is read from the client meanwhile.
    async fn held(&mut self) -> Option<PeerNews> {
        while let Some(wait) = self.intake.wait(Instant::now()) {
            tokio::time::sleep(wait).await;
            if let Some(bytes) = self.intake.take_held(Instant::now()) {
                return read(bytes, DataKind::Reliable);
            }
        }
        None
    }

    /// Reliable data waits for a client that is still joining; what may be lost does not.
    pub fn send(&mut self, kind: DataKind, bytes: Bytes) -> Result<(), TooSlow> {
        if kind == DataKind::Lossy {
            if let Err(error) = self.subscriber.0.send(LOSSY, bytes) {
                tracing::debug!(%error, "data that may be lost was lost");
            }
            return Ok(());
        }
        self.waiting_bytes += bytes.len();
        if self.waiting_bytes > WAITING_BYTES_MAX {
            return Err(TooSlow);
        }
        self.waiting.push_back(bytes);
        self.send_waiting();
        Ok(())
    }

    /// Whether something waits for a channel that is open and full.
    pub fn is_behind(&self) -> bool {
        self.is_reliable_open && !self.waiting.is_empty()
    }

    pub fn send_waiting(&mut self) {
        while self.is_reliable_open
            && let Some(bytes) = self.waiting.front().cloned()
        {
            match self.subscriber.0.send(RELIABLE, bytes.clone()) {
                Ok(()) => {}
                // Nobody may send what is too large to be sent on, so this is a fault of ours.
                Err(error @ (SendError::TooLarge { .. } | SendError::Empty)) => {
                    tracing::error!(%error, "reliable data for a client is lost");
                }
                // It goes with the next one, or the client is given up for what waits.
                Err(SendError::Full { .. } | SendError::NoChannel) => return,
            }
            self.waiting_bytes -= bytes.len();
            self.waiting.pop_front();
        }
    }
}

fn read(bytes: Bytes, kind: DataKind) -> Option<PeerNews> {
    match livekit::DataPacket::decode(bytes) {
        Ok(packet) => Some(PeerNews::Packet(Box::new(packet), kind)),
        Err(error) => {
            tracing::debug!(error = chain(&error), "a client sent what is no data packet");
            None
        }
    }
}

fn description(kind: &str, sdp: String, id: u32) -> livekit::SessionDescription {
    livekit::SessionDescription {
        r#type: kind.to_owned(),
        sdp,
        id,
        mid_to_track_id: std::collections::BTreeMap::new(),
    }
}
