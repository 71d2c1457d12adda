//! One client's conversation, from the join response to the leave request.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use tokio::io::{AsyncRead, AsyncWrite, WriteHalf};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::ending::{Goodbye, SIGNAL_BYTES_MAX, not_negotiated, rate};
use super::frames::{self, Format};
use super::peers::{PeerNews, Peers};
use super::sent::sent_tracks;
use crate::auth::credentials::Authenticator;
use crate::config::Limits;
use crate::domain::ctx::{Actor, Clock};
use crate::domain::ids::RoomId;
use crate::domain::live::{LeaveReason, LiveToken, Participant};
use crate::error::{Error, chain};
use crate::proto::livekit;
use crate::proto::livekit::signal_request::Message as Asks;
use crate::proto::livekit::signal_response::Message as Says;
use crate::room::close::CloseReason;
use crate::room::codec::livekit::{Told, leave, read_packet, read_signal, write, write_packet};
use crate::room::live::message::{LiveMessage, LiveRequest, MoveDone};
use crate::room::message::{ClientMessage, Frame, ServerMessage};
use crate::room::registry::Rooms;
use crate::room::session::{Join, Session};
use crate::rtc::Rtc;
use crate::wire::metrics::WebSocketMetrics;
use crate::wire::websocket::close::{Ending, hang_up};
use crate::wire::websocket::frame::Opcode;
use crate::wire::websocket::reader::{Incoming, MessageReader, ReadError};
use crate::wire::websocket::silence::silence;
use crate::wire::websocket::writer::Outgoing;

const PING_EVERY: Duration = Duration::from_secs(10);
/// A client from which nothing at all comes for so long, not even the answers to pings, is gone,
/// though others may be allowed to be silent for longer. Its own pings are to come each 5 s, and it is
/// told that 15 s without any are too many.
const SILENT_MS_MAX: u64 = 30_000;
/// How often a client is asked for a sign of life before it is taken to be gone.
const PINGS_WHILE_SILENT: u32 = 3;
/// A client comes back with the newest token that it was given.
const REFRESH_EVERY: Duration = Duration::from_mins(5);
const REFRESHED_TOKEN_TTL_S: i64 = 10 * 60;
/// What the head of a request has besides a token: the rest of its address, and a browser's headers.
const HEAD_BYTES: usize = 4 << 10;
/// From entering the room until data can be sent, where there is WebRTC.
const CONNECT_WITHIN: Duration = Duration::from_mins(1);
/// How soon data goes on that waited for a client to read what it has.
const RETRY_EVERY: Duration = Duration::from_millis(20);

/// What a conversation needs besides its two ends.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    pub rooms: &'a Rooms,
    pub authenticator: &'a Authenticator,
    /// Absent where there is no WebRTC: then nobody is ever sent data.
    pub rtc: Option<&'a Rtc>,
    pub limits: &'a Limits,
    pub clock: &'a Clock,
    pub metrics: &'a WebSocketMetrics,
    pub shutdown: &'a CancellationToken,
}

pub struct Talk<'a> {
    parts: Parts<'a>,
    session: Session,
    join: Join,
    /// As it would be made now, since what it says of the client may change.
    token: LiveToken,
    format: Format,
    peers: Option<Peers>,
    is_active: bool,
    has_warned: bool,
    /// Tracks of the last offer.
    sent: BTreeSet<String>,
    /// Until the new room has said what it is like.
    moving: Option<MoveDone>,
    outgoing: Outgoing,
}

/// What happens next.
enum Event {
    Incoming(Result<Incoming, ReadError>),
    Frames(Option<CloseReason>),
    Peers(Option<PeerNews>),
    Ping,
    Refresh,
    NotConnected,
    Silent,
    Retry,
    Cut,
    Shutdown,
}

impl<'a> Talk<'a> {
    pub fn new(parts: Parts<'a>, session: Session, join: Join, token: LiveToken) -> Self {
        let peers = parts.rtc.and_then(|rtc| match Peers::new(rtc, rate(parts.limits)) {
            Ok(peers) => Some(peers),
            Err(error) => {
                tracing::warn!(error = %chain(&error), "no WebRTC for a client");
                None
            }
        });
        let (format, outgoing) = (Format::default(), Outgoing::default());
        Self {
            parts,
            session,
            join,
            token,
            format,
            peers,
            is_active: false,
            has_warned: false,
            sent: BTreeSet::new(),
            moving: None,
            outgoing,
        }
    }

    pub async fn converse<S>(mut self, stream: S) -> Ending
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (read, mut write) = tokio::io::split(stream);
        let arrivals = AtomicU64::new(0);
        let mut reader =
            MessageReader::new(read, SIGNAL_BYTES_MAX, rate(self.parts.limits), &arrivals);
        let Err(goodbye) = self.listen(&mut reader, &mut write, &arrivals).await;
        if goodbye.is_told() {
            self.say(Says::Leave(leave(goodbye.left())));
        }
        let Self { mut session, peers, mut outgoing, .. } = self;
        session.leaves_as(goodbye.left());
        // The others see at once that it is gone, however long the farewell takes.
        drop((session, peers));
        let ending = goodbye.into_ending();
        hang_up(&ending, &mut outgoing, &mut reader, &mut write).await;
        ending
    }

    async fn listen<R, W>(
        &mut self,
        reader: &mut MessageReader<'_, R>,
        write: &mut WriteHalf<W>,
        arrivals: &AtomicU64,
    ) -> Result<Infallible, Goodbye>
    where
        R: AsyncRead + Unpin,
        W: AsyncRead + AsyncWrite + Unpin,
    {
        let stall = Duration::from_millis(self.parts.limits.websocket_write_timeout_ms);
        let idle_ms = self.parts.limits.websocket_idle_ms.min(SILENT_MS_MAX);
        let mut silent = pin!(silence(arrivals, idle_ms));
        let ping_every = PING_EVERY.min(Duration::from_millis(idle_ms) / PINGS_WHILE_SILENT);
        let (mut pings, mut refreshes) = (ticks(ping_every), ticks(REFRESH_EVERY));
        let connect_by = tokio::time::Instant::now() + CONNECT_WITHIN;
        let mut frames = Vec::new();
        loop {
            // Whatever else goes on, what waits must not wait for a quiet moment.
            if let Some(peers) = self.peers.as_mut().filter(|peers| peers.is_behind()) {
                peers.send_waiting();
            }
            let is_behind = self.peers.as_ref().is_some_and(Peers::is_behind);
            let waits_for_peers = self.peers.is_some() && !self.is_active;
            let event = tokio::select! {
                biased;
                () = self.parts.shutdown.cancelled() => Event::Shutdown,
                () = self.session.cut().cancelled() => Event::Cut,
                closed = self.session.drain(&mut frames) => Event::Frames(closed),
                news = next(&mut self.peers) => Event::Peers(news),
                incoming = reader.next() => Event::Incoming(incoming),
                _ = pings.tick() => Event::Ping,
                _ = refreshes.tick() => Event::Refresh,
                () = &mut silent => Event::Silent,
                () = tokio::time::sleep(RETRY_EVERY), if is_behind => Event::Retry,
                () = tokio::time::sleep_until(connect_by), if waits_for_peers => Event::NotConnected,
            };
            let gone = self.handle(event, &frames).await;
            frames.clear();
            if self.outgoing.flush(write, stall).await.is_err() {
                return Err(Goodbye::Ending(Ending::Gone));
            }
            gone?;
        }
    }

    async fn handle(&mut self, event: Event, frames: &[Arc<Frame>]) -> Result<(), Goodbye> {
        match event {
            Event::Shutdown => Err(CloseReason::ShuttingDown.into()),
            Event::Cut => Err(CloseReason::TooSlow.into()),
            Event::Silent => Err(Goodbye::Lost(LeaveReason::SignalClose)),
            Event::NotConnected => Err(Goodbye::Reason(CloseReason::NotUnderstood("no WebRTC"))),
            Event::Retry => {
                if let Some(peers) = &mut self.peers {
                    peers.send_waiting();
                }
                Ok(())
            }
            Event::Frames(closed) => {
                self.tell(frames).await?;
                closed.map_or(Ok(()), |reason| Err(reason.into()))
            }
            Event::Peers(news) => self.hear(news).await,
            Event::Incoming(Ok(incoming)) => self.take(incoming).await,
            Event::Incoming(Err(error)) => Err(error.into()),
            Event::Ping => {
                self.outgoing.push(Opcode::Ping, &Bytes::new());
                Ok(())
            }
            Event::Refresh => {
                self.refresh().await;
                Ok(())
            }
        }
    }

    fn say(&mut self, message: Says) {
        let (opcode, payload) = frames::write(message, self.format);
        self.outgoing.push(opcode, &payload);
        self.parts.metrics.sent(1);
    }

    /// What the room has to say.
    async fn tell(&mut self, frames: &[Arc<Frame>]) -> Result<(), Goodbye> {
        for frame in frames {
            let ServerMessage::Live(message) = &frame.message else { continue };
            match message {
                LiveMessage::ClaimsChanged(info) => {
                    self.remember(info);
                    self.refresh().await;
                }
                // What the old room still has to say is of no interest.
                LiveMessage::Move { to, done } => return self.go_on_in(to, done.clone()).await,
                _ => {}
            }
            if let LiveMessage::Packet(packet) = message {
                if let Some(peers) = &mut self.peers {
                    let bytes = frame.livekit(|| write_packet(packet).encode_to_vec());
                    peers.send(packet.kind, bytes).map_err(|_| CloseReason::TooSlow)?;
                }
                continue;
            }
            if self.format == Format::Protobuf && message.is_for_many() {
                let bytes = frame.livekit(|| frames::encoded(message));
                self.outgoing.push(Opcode::Binary, &bytes);
                self.parts.metrics.sent(1);
                continue;
            }
            if let Told::Signal(said) = write(message) {
                match *said {
                    Says::Join(join) => self.welcome(join).await?,
                    said => self.say(said),
                }
            }
        }
        Ok(())
    }

    async fn welcome(&mut self, mut join: livekit::JoinResponse) -> Result<(), Goodbye> {
        if self.moving.take().is_some() {
            let token = self.signed().await.unwrap_or_default();
            let moved = livekit::RoomMovedResponse {
                room: join.room,
                token,
                participant: join.participant,
                other_participants: join.other_participants,
            };
            self.say(Says::RoomMoved(moved));
            if self.is_active {
                self.ask(LiveRequest::Activate).await?;
            }
            return Ok(());
        }
        join.subscriber_primary = true;
        self.say(Says::Join(join));
        self.refresh().await;
        if let Some(peers) = &mut self.peers {
            let offer = peers.offer().await;
            match offer {
                Ok(offer) => self.say(Says::Offer(offer)),
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "no offer for a client");
                    self.peers = None;
                }
            }
        }
        Ok(())
    }

    /// What the WebRTC connections have to say.
    async fn hear(&mut self, news: Option<PeerNews>) -> Result<(), Goodbye> {
        match news {
            Some(PeerNews::Active) => {
                self.is_active = true;
                self.ask(LiveRequest::Activate).await
            }
            Some(PeerNews::Packet(packet, kind)) => match read_packet(*packet, Some(kind)) {
                Ok(packet) => self.ask(LiveRequest::Send(packet)).await,
                Err(problem) => {
                    self.warn_once(problem);
                    Ok(())
                }
            },
            // It may come back with other connections, and has to enter anew for that.
            Some(PeerNews::Lost) | None => Err(Goodbye::Lost(LeaveReason::ConnectionTimeout)),
        }
    }

    /// By a channel there is no way to tell the client that what it sent reaches nobody, so whoever
    /// runs the server can find it in the log.
    fn warn_once(&mut self, problem: &str) {
        if !std::mem::replace(&mut self.has_warned, true) {
            let (room, identity) = (&self.join.address.room, &self.token.identity);
            tracing::warn!(%room, %identity, problem, "data of a client reaches nobody");
        }
    }

    async fn ask(&self, request: LiveRequest) -> Result<(), Goodbye> {
        Ok(self.session.receive(vec![ClientMessage::Live(request)]).await?)
    }

    /// What the client has to say.
    async fn take(&mut self, incoming: Incoming) -> Result<(), Goodbye> {
        let (payload, format) = match incoming {
            Incoming::Binary(payload) => (payload, Format::Protobuf),
            Incoming::Text(payload) => (payload, Format::Json),
            Incoming::Ping(payload) => {
                self.outgoing.push(Opcode::Pong, &payload);
                return Ok(());
            }
            Incoming::Pong => return Ok(()),
            Incoming::Close(code) => return Err(Goodbye::Ending(Ending::Peer(code))),
        };
        self.parts.metrics.received(1);
        self.format = format;
        let Some(message) = frames::read(payload, format) else {
            return Err(CloseReason::NotUnderstood("a frame is no SignalRequest").into());
        };
        match message {
            Some(message) => self.obey(message).await,
            None => Ok(()),
        }
    }

    async fn obey(&mut self, message: Asks) -> Result<(), Goodbye> {
        let now_ms = self.parts.clock.now_ms();
        match message {
            Asks::Ping(_) => self.say(Says::Pong(now_ms)),
            Asks::PingReq(ping) => {
                let (last_ping_timestamp, timestamp) = (ping.timestamp, now_ms);
                self.say(Says::PongResp(livekit::Pong { last_ping_timestamp, timestamp }));
            }
            Asks::Leave(_) => return Err(Goodbye::Asked),
            Asks::Offer(offer) => {
                let Some(peers) = &self.peers else { return Ok(()) };
                let answer = peers.accept(&offer).await.map_err(not_negotiated)?;
                self.say(Says::Answer(answer));
                // Clients end a track by not offering it any more.
                let sent = sent_tracks(&offer.sdp);
                let ids: Vec<String> = self.sent.difference(&sent).cloned().collect();
                self.sent = sent;
                if !ids.is_empty() {
                    self.ask(LiveRequest::Unpublish { ids }).await?;
                }
            }
            Asks::Answer(answer) => {
                if let Some(peers) = &self.peers {
                    peers.answered(&answer).await.map_err(not_negotiated)?;
                }
            }
            message => {
                let request = read_signal(message, now_ms).map_err(|_| CloseReason::Unavailable)?;
                if let Some(request) = request {
                    self.ask(request).await?;
                }
            }
        }
        Ok(())
    }

    /// A back end moves the client: its token becomes one for the other room, with what was changed
    /// about it in this one.
    async fn go_on_in(&mut self, to: &str, done: MoveDone) -> Result<(), Goodbye> {
        self.token.move_to(to);
        self.join.caller.actor = Actor::Live(Arc::new(self.token.clone()));
        self.join.address.room = RoomId::trusted(to);
        let session = self.parts.rooms.join(self.join.clone()).await?;
        self.session.leaves_as(LeaveReason::Migration);
        self.session = session;
        self.moving = Some(done);
        Ok(())
    }

    fn remember(&mut self, info: &Participant) {
        self.token.renew(info);
        if let Some(client) = &mut self.join.live {
            // What it said in the beginning is in the token now, or was changed since.
            client.metadata = None;
            client.attributes.clear();
        }
    }

    async fn refresh(&mut self) {
        match self.signed().await {
            Ok(token) => self.say(Says::RefreshToken(token)),
            Err(error) => {
                tracing::warn!(error = %chain(&error), "a client got no new token");
            }
        }
    }

    async fn signed(&mut self) -> Result<String, Error> {
        let now_ms = self.parts.clock.now_ms();
        self.token.expires_at_s = now_ms.div_euclid(1_000) + REFRESHED_TOKEN_TTL_S;
        let live = self.parts.authenticator.live();
        let token = live.sign(&self.token, now_ms).await?;
        let bytes_max = self.parts.limits.request_header_bytes_max.saturating_sub(HEAD_BYTES);
        if token.len() <= bytes_max {
            return Ok(token);
        }
        // With a token that fits into no request the client could not come back at all.
        live.sign(&self.token.without_texts(), now_ms).await
    }
}

async fn next(peers: &mut Option<Peers>) -> Option<PeerNews> {
    match peers {
        Some(peers) => peers.next().await,
        None => std::future::pending().await,
    }
}

/// The first one a period from now.
fn ticks(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    ticks
}
