//! One connection and its session: reading and writing at the same time, so that a peer that does
//! only one of them is noticed, and then the end of both.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncWrite, WriteHalf};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::close::{self, Close, Ending};
use super::frame::Opcode;
use super::reader::{Incoming, MessageReader};
use super::silence::silence;
use super::writer::Outgoing;
use crate::config::Limits;
use crate::domain::ctx::Clock;
use crate::room::close::CloseReason;
use crate::room::codec::json::{self, MESSAGES_MAX, Parsed, Rejection};
use crate::room::message::{Frame, ServerMessage};
use crate::room::rate::{Rate, RateLimits};
use crate::room::session::Session;
use crate::wire::metrics::WebSocketMetrics;

/// Longer messages are parsed where they hold nobody up.
const PARSE_HERE_BYTES_MAX: usize = 256 << 10;
/// Answers to the text `ping` that can wait at once.
const TEXT_PONGS_MAX: u8 = 16;
/// Operations that were rejected, while the peer has not read so.
const REJECTIONS_MAX: usize = 10_000;
const FRAMES_KEPT_MAX: usize = 64;

/// What a conversation needs besides its two ends.
pub struct Terms<'a> {
    pub expires_at_ms: Option<i64>,
    pub limits: &'a Limits,
    pub clock: &'a Clock,
    pub metrics: &'a WebSocketMetrics,
    pub shutdown: &'a CancellationToken,
}

/// Talks until one side ends it, and closes the connection.
pub async fn converse<S>(stream: S, session: Session, terms: &Terms<'_>) -> Ending
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let limits = terms.limits;
    let (read, mut write) = tokio::io::split(stream);
    let arrivals = AtomicU64::new(0);
    let message_bytes_max = limits.websocket_frame_bytes_max;
    let rate = RateLimits {
        frames_per_second: limits.websocket_frames_per_second_max,
        bytes_per_second: limits.websocket_bytes_per_second_max,
        frame_bytes_max: message_bytes_max,
        frame_messages_max: MESSAGES_MAX,
    };
    let rate = Rate::new(rate, Instant::now());
    let mut reader = MessageReader::new(read, message_bytes_max, rate, &arrivals);
    let mut outgoing = Outgoing::default();
    let replies = Replies::default();
    let stall = Duration::from_millis(limits.websocket_write_timeout_ms);
    let ending = {
        let mut speaker = Speaker { session: &session, replies: &replies, terms, stall };
        tokio::select! {
            ending = listen(&mut reader, &session, &replies, terms) => ending,
            ending = speaker.speak(&mut write, &mut outgoing) => ending,
            () = session.cut().cancelled() => Ending::Cut,
            () = terms.shutdown.cancelled() => CloseReason::ShuttingDown.into(),
            () = silence(&arrivals, limits.websocket_idle_ms) => close::silent(),
            () = expiry(terms.expires_at_ms, terms.clock) => CloseReason::TokenExpired.into(),
        }
    };
    let ending = match ending {
        Ending::Closed(close) => {
            let reason = last_words(&session, terms, &mut outgoing);
            Ending::Closed(reason.map_or(close, Close::from))
        }
        other => other,
    };
    // The others see at once that it is gone, however long the farewell takes.
    drop(session);
    finish(&ending, &mut reader, &mut write, &mut outgoing).await;
    ending
}

/// Closes a connection that never got a session.
pub async fn refuse<S>(stream: S, close: &Close)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (read, mut write) = tokio::io::split(stream);
    let arrivals = AtomicU64::new(0);
    let mut reader = MessageReader::new(read, 0, Rate::none(), &arrivals);
    let ending = Ending::Closed(close.clone());
    finish(&ending, &mut reader, &mut write, &mut Outgoing::default()).await;
}

/// What is owed to the peer besides what the room sends.
#[derive(Default)]
struct Replies {
    due: Mutex<Due>,
    ready: Notify,
}

#[derive(Default)]
struct Due {
    text_pongs: u8,
    /// To the last ping; whoever sends many may get one answer (RFC 6455, 5.5.3).
    pong: Option<Bytes>,
    rejections: Vec<Rejection>,
}

impl Replies {
    fn owe(&self, change: impl FnOnce(&mut Due)) {
        change(&mut self.due.lock().unwrap_or_else(PoisonError::into_inner));
        self.ready.notify_one();
    }

    fn owe_rejections(&self, rejections: Vec<Rejection>) -> Result<(), CloseReason> {
        let mut is_too_much = false;
        self.owe(|due| {
            is_too_much = due.rejections.len() + rejections.len() > REJECTIONS_MAX;
            if !is_too_much {
                due.rejections.extend(rejections);
            }
        });
        if is_too_much { Err(CloseReason::TooManyMessages) } else { Ok(()) }
    }

    fn pay(&self, outgoing: &mut Outgoing) -> u64 {
        let due = std::mem::take(&mut *self.due.lock().unwrap_or_else(PoisonError::into_inner));
        for _ in 0..due.text_pongs {
            outgoing.push(Opcode::Text, &Bytes::from_static(b"pong"));
        }
        if let Some(payload) = &due.pong {
            outgoing.push(Opcode::Pong, payload);
        }
        let mut sent = u64::from(due.text_pongs);
        for alike in due.rejections.chunk_by(|one, other| one.problem == other.problem) {
            let op_ids = alike.iter().map(|rejection| rejection.op_id.clone()).collect();
            let reason = alike.first().map_or("", |rejection| rejection.problem).into();
            let message = ServerMessage::Rejected { op_ids, reason };
            outgoing.push(Opcode::Text, &json::write(&message).into());
            sent += 1;
        }
        sent
    }
}

/// From the peer to the room. While the room is busy nothing more is read.
async fn listen<R: AsyncRead + Unpin>(
    reader: &mut MessageReader<'_, R>,
    session: &Session,
    replies: &Replies,
    terms: &Terms<'_>,
) -> Ending {
    loop {
        let text = match reader.next().await {
            Ok(Incoming::Text(text)) => text,
            Ok(Incoming::Ping(payload)) => {
                replies.owe(|due| due.pong = Some(payload));
                continue;
            }
            Ok(Incoming::Pong) => continue,
            Ok(Incoming::Close(code)) => return Ending::Peer(code),
            Ok(Incoming::Binary(_)) => {
                return CloseReason::NotUnderstood("frames are text here").into();
            }
            Err(error) => return error.into(),
        };
        terms.metrics.received(1);
        if &text[..] == b"ping" {
            replies.owe(|due| due.text_pongs = TEXT_PONGS_MAX.min(due.text_pongs + 1));
            continue;
        }
        let Parsed { messages, rejections } = match parse(text).await {
            Ok(parsed) => parsed,
            Err(ending) => return ending,
        };
        if !reader.allows(messages.len()) {
            return CloseReason::TooManyMessages.into();
        }
        if !rejections.is_empty()
            && let Err(reason) = replies.owe_rejections(rejections)
        {
            return reason.into();
        }
        if !messages.is_empty()
            && let Err(reason) = session.receive(messages).await
        {
            return reason.into();
        }
    }
}

async fn parse(text: Bytes) -> Result<Parsed, Ending> {
    let parse = |text: Bytes| match std::str::from_utf8(&text) {
        Ok(text) => json::parse(text).map_err(Ending::from),
        Err(_) => Err(close::not_utf8()),
    };
    if text.len() <= PARSE_HERE_BYTES_MAX {
        return parse(text);
    }
    match tokio::task::spawn_blocking(move || parse(text)).await {
        Ok(parsed) => parsed,
        Err(_) => Err(CloseReason::Unavailable.into()),
    }
}

/// From the room to the peer.
struct Speaker<'a> {
    session: &'a Session,
    replies: &'a Replies,
    terms: &'a Terms<'a>,
    stall: Duration,
}

impl Speaker<'_> {
    async fn speak<W>(&mut self, write: &mut WriteHalf<W>, outgoing: &mut Outgoing) -> Ending
    where
        W: AsyncRead + AsyncWrite + Unpin,
    {
        let mut frames = Vec::new();
        loop {
            tokio::select! {
                closed = self.session.drain(&mut frames) => {
                    if let Some(reason) = closed {
                        return reason.into();
                    }
                }
                () = self.replies.ready.notified() => {}
            }
            let paid = self.replies.pay(outgoing);
            push(&frames, self.terms, outgoing);
            self.terms.metrics.sent(paid);
            frames.clear();
            frames.shrink_to(FRAMES_KEPT_MAX);
            match outgoing.flush(write, self.stall).await {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::TimedOut => return Ending::Cut,
                Err(_) => return Ending::Gone,
            }
        }
    }
}

fn push(frames: &[Arc<Frame>], terms: &Terms<'_>, outgoing: &mut Outgoing) {
    for frame in frames {
        outgoing.push(Opcode::Text, &frame.json(json::write));
    }
    terms.metrics.sent(frames.len() as u64);
}

/// What the room had to say before the end, and why it ended, if it was the room that ended it.
fn last_words(
    session: &Session,
    terms: &Terms<'_>,
    outgoing: &mut Outgoing,
) -> Option<CloseReason> {
    let mut frames = Vec::new();
    loop {
        let ended = session.drain(&mut frames).now_or_never()?;
        push(&frames, terms, outgoing);
        frames.clear();
        if ended.is_some() {
            return ended;
        }
    }
}

async fn expiry(expires_at_ms: Option<i64>, clock: &Clock) {
    let Some(expires_at_ms) = expires_at_ms else { return std::future::pending().await };
    while let Ok(left_ms @ 1..) = u64::try_from(expires_at_ms.saturating_sub(clock.now_ms())) {
        tokio::time::sleep(Duration::from_millis(left_ms)).await;
    }
}

/// The end of the connection itself.
async fn finish<R, W>(
    ending: &Ending,
    reader: &mut MessageReader<'_, R>,
    write: &mut WriteHalf<W>,
    outgoing: &mut Outgoing,
) where
    R: AsyncRead + Unpin,
    W: AsyncRead + AsyncWrite + Unpin,
{
    match ending {
        // In the middle of a frame there is nothing more to say.
        Ending::Cut if outgoing.is_amid() => {}
        Ending::Cut => {
            *outgoing = Outgoing::default();
            let too_slow = Ending::Closed(CloseReason::TooSlow.into());
            close::hang_up(&too_slow, outgoing, reader, write).await;
        }
        ending => close::hang_up(ending, outgoing, reader, write).await,
    }
}
