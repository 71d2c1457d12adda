//! RealtimeService: a session in a room, as a stream.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use prost::Message as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

use crate::config::Limits;
use crate::domain::ctx::{Caller, Clock, Ctx, room_not_found};
use crate::domain::ids::RoomId;
use crate::domain::live::LeaveReason;
use crate::error::{Code, Error};
use crate::proto::handlers::roomd_v1_realtime_service::RealtimeService;
use crate::proto::roomd::v1;
use crate::proto::roomd::v1::join_room_request::Message;
use crate::proto::stream::{Replies, Requests};
use crate::room::close::CloseReason;
use crate::room::codec::protobuf;
use crate::room::live::Link;
use crate::room::live::message::{LiveMessage, MoveDone};
use crate::room::message::ServerMessage;
use crate::room::rate::{Rate, RateLimits};
use crate::room::registry::Rooms;
use crate::room::session::{Join, RoomAddress, Session, StorageDialect};

/// Streams that are open at once.
const STREAMS_OPEN_MAX: usize = 10_000;
/// From the beginning of a stream to its first request.
const ENTER_TIMEOUT: Duration = Duration::from_secs(20);
/// A presence for everybody.
const EVERYBODY: i64 = -1;

pub struct RealtimeHandlers {
    rooms: Rooms,
    rate: RateLimits,
    open: Arc<Semaphore>,
}

impl RealtimeHandlers {
    /// A stream may bring as much as a WebSocket, of which one request is one frame.
    pub fn new(rooms: Rooms, limits: &Limits) -> Self {
        let rate = RateLimits {
            frames_per_second: limits.websocket_frames_per_second_max,
            bytes_per_second: limits.websocket_bytes_per_second_max,
            frame_bytes_max: limits.request_body_bytes_max,
            frame_messages_max: 1,
        };
        Self { rooms, rate, open: Arc::new(Semaphore::new(STREAMS_OPEN_MAX)) }
    }
}

impl RealtimeService for RealtimeHandlers {
    /// Answers at once: what the caller may do in the room turns out when it is named.
    async fn join_room(
        &self,
        ctx: &Ctx,
        requests: Requests<v1::JoinRoomRequest>,
    ) -> Result<Replies<v1::JoinRoomResponse>, Error> {
        let caller = ctx.caller()?.clone();
        let open = Arc::clone(&self.open).try_acquire_owned();
        let open = open.map_err(|_| refusal(&CloseReason::Overloaded))?;
        let expiry = ctx.token.expires_at_ms.map(|at_ms| {
            let left_ms = at_ms.saturating_sub(ctx.now_ms());
            Box::pin(tokio::time::sleep(Duration::from_millis(u64::try_from(left_ms).unwrap_or(0))))
        });
        let stay = Stay {
            rooms: self.rooms.clone(),
            caller,
            requests,
            rate: Rate::new(self.rate, Instant::now()),
            expiry,
            session: None,
            waiting: VecDeque::new(),
            clock: ctx.clock.clone(),
            valid_from_s: ctx.token.valid_from_s,
            is_over: false,
            _open: open,
        };
        Ok(Box::pin(stream::unfold(stay, |mut stay| async move {
            let reply = stay.next().await?;
            Some((reply, stay))
        })))
    }
}

/// One caller's stay in a room. Dropping it leaves the room.
struct Stay {
    rooms: Rooms,
    caller: Caller,
    requests: Requests<v1::JoinRoomRequest>,
    rate: Rate,
    /// When the caller's token expires.
    expiry: Option<Pin<Box<Sleep>>>,
    /// Since the caller has entered.
    session: Option<Session>,
    waiting: VecDeque<v1::JoinRoomResponse>,
    clock: Clock,
    /// When the caller's token became valid.
    valid_from_s: Option<i64>,
    is_over: bool,
    _open: OwnedSemaphorePermit,
}

/// What happens next in a stay.
#[expect(clippy::large_enum_variant, reason = "there is one, for as long as it takes to handle it")]
enum Event {
    Frames(Option<CloseReason>),
    Request(Option<Result<v1::JoinRoomRequest, Error>>),
    Expired,
}

impl Stay {
    async fn next(&mut self) -> Option<Result<v1::JoinRoomResponse, Error>> {
        if self.session.is_none()
            && !self.is_over
            && let Err(error) = self.enter().await
        {
            self.is_over = true;
            return Some(Err(error));
        }
        loop {
            if let Some(reply) = self.waiting.pop_front() {
                return Some(Ok(reply));
            }
            if self.is_over {
                return None;
            }
            let mut frames = Vec::new();
            let ended = match self.event(&mut frames).await {
                Event::Frames(closed) => {
                    let replies = frames.iter().flat_map(|frame| protobuf::write(&frame.message));
                    self.waiting.extend(replies);
                    for frame in &frames {
                        if let ServerMessage::Live(LiveMessage::ClaimsChanged(info)) =
                            &frame.message
                        {
                            self.caller.renew(info);
                        }
                    }
                    let moved = frames.iter().find_map(|frame| move_of(&frame.message));
                    drop(frames);
                    match (closed, moved) {
                        (Some(reason), _) => Err(reason),
                        (None, Some((to, _done))) => self.go_on_in(&to).await,
                        (None, None) => Ok(()),
                    }
                }
                Event::Request(Some(Ok(request))) => self.receive(request).await,
                Event::Request(Some(Err(error))) => {
                    self.leave();
                    return Some(Err(error));
                }
                Event::Request(None) => {
                    self.leave();
                    Ok(())
                }
                Event::Expired => Err(CloseReason::TokenExpired),
            };
            if let Err(reason) = ended {
                self.waiting.push_back(protobuf::closed(&reason));
                self.leave();
            }
        }
    }

    async fn event(&mut self, frames: &mut Vec<Arc<crate::room::message::Frame>>) -> Event {
        let Some(session) = &self.session else { return Event::Request(None) };
        let expired = async {
            match &mut self.expiry {
                Some(expiry) => expiry.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = expired => Event::Expired,
            closed = session.drain(frames) => Event::Frames(closed),
            request = self.requests.next() => Event::Request(request),
        }
    }

    async fn receive(&mut self, request: v1::JoinRoomRequest) -> Result<(), CloseReason> {
        if !self.rate.take_frame(request.encoded_len(), Instant::now()) {
            return Err(CloseReason::TooManyMessages);
        }
        let parsed = protobuf::read(request, self.clock.now_ms())?;
        self.waiting.extend(parsed.rejections.iter().flat_map(protobuf::write));
        match &self.session {
            Some(session) => session.receive(parsed.messages).await,
            None => Ok(()),
        }
    }

    /// A back end moves the caller to another room, which it then is told of as if it had entered.
    async fn go_on_in(&mut self, to: &str) -> Result<(), CloseReason> {
        let join = Join {
            address: RoomAddress {
                project: self.caller.project.clone(),
                room: RoomId::trusted(to),
            },
            caller: self.caller.moved_to(to),
            dialect: StorageDialect::Compact,
            link: Link::Stream,
            live: None,
            valid_from_s: self.valid_from_s,
        };
        let session = self.rooms.join(join).await?;
        if let Some(mut left) = self.session.replace(session) {
            left.leaves_as(LeaveReason::Migration);
        }
        Ok(())
    }

    fn leave(&mut self) {
        self.session = None;
        self.is_over = true;
    }

    async fn enter(&mut self) -> Result<(), Error> {
        let first = tokio::time::timeout(ENTER_TIMEOUT, self.requests.next()).await;
        let first = first.map_err(|_| nobody_entered())?.transpose()?;
        let Some(Message::Enter(enter)) = first.and_then(|first| first.message) else {
            return Err(Error::invalid("message", "must be `enter` in the first request"));
        };
        let room = RoomId::parse("enter.roomId", &enter.room_id)?;
        let presence = protobuf::read_presence(enter.presence.unwrap_or_default(), Some(EVERYBODY));
        let presence = presence.map_err(|reason| refusal(&reason))?;
        let join = Join {
            address: RoomAddress { project: self.caller.project.clone(), room },
            caller: self.caller.clone(),
            dialect: StorageDialect::Compact,
            link: if enter.live { Link::Stream } else { Link::Plain },
            live: None,
            valid_from_s: self.valid_from_s,
        };
        let session = self.rooms.join(join).await.map_err(|reason| refusal(&reason))?;
        session.receive(vec![presence]).await.map_err(|reason| refusal(&reason))?;
        self.session = Some(session);
        Ok(())
    }
}

/// Where to the caller is moved.
fn move_of(message: &ServerMessage) -> Option<(Arc<str>, MoveDone)> {
    match message {
        ServerMessage::Live(LiveMessage::Move { to, done }) => Some((Arc::clone(to), done.clone())),
        _ => None,
    }
}

fn nobody_entered() -> Error {
    let seconds = ENTER_TIMEOUT.as_secs();
    let text = format!("No room was entered within {seconds} s of the beginning of the stream.");
    Error::new(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", text)
}

/// Why somebody could not enter, as the status of the call.
fn refusal(reason: &CloseReason) -> Error {
    let (code, word) = match reason {
        CloseReason::NotAllowed => (Code::PermissionDenied, "UNAUTHORIZED_ROOM_ACCESS"),
        CloseReason::NotUnderstood(_) => (Code::InvalidArgument, "UNPROCESSABLE_ENTITY"),
        CloseReason::RoomFull => (Code::ResourceExhausted, "ROOM_FULL"),
        CloseReason::RoomDeleted => return room_not_found(),
        CloseReason::Removed | CloseReason::DuplicateIdentity => {
            (Code::PermissionDenied, "PARTICIPANT_REMOVED")
        }
        CloseReason::LiveRoomDeleted | CloseReason::LiveRoomEnded => {
            (Code::FailedPrecondition, "LIVE_ROOM_ENDED")
        }
        CloseReason::RoomRenamed { .. } => (Code::FailedPrecondition, "ROOM_RENAMED"),
        CloseReason::TokenExpired => (Code::BadCredential, "TOKEN_EXPIRED"),
        CloseReason::StorageReset | CloseReason::ShuttingDown | CloseReason::Unavailable => {
            (Code::Unavailable, "UNAVAILABLE")
        }
        CloseReason::Overloaded | CloseReason::TooSlow | CloseReason::TooManyMessages => {
            (Code::ResourceExhausted, "OVERLOADED")
        }
    };
    Error::new(code, word, reason.text())
}
