//! The end of a conversation, and those that never began.

use std::sync::atomic::AtomicU64;
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite};

use super::farewell;
use super::frames::{self, Format};
use crate::config::Limits;
use crate::domain::live::LeaveReason;
use crate::error::{Error, chain};
use crate::proto::livekit::signal_response::Message as Says;
use crate::room::close::CloseReason;
use crate::room::codec::livekit::{leave, left};
use crate::room::rate::{Rate, RateLimits};
use crate::wire::websocket::close::{Close, Ending, hang_up};
use crate::wire::websocket::frame::Violation;
use crate::wire::websocket::reader::{MessageReader, ReadError};
use crate::wire::websocket::writer::Outgoing;

/// One message of a client.
pub const SIGNAL_BYTES_MAX: usize = 2 << 20;

/// Why a conversation is over.
#[derive(Debug)]
pub enum Goodbye {
    /// The client is told why.
    Reason(CloseReason),
    /// The client has to enter anew, and is told so if it still listens.
    Lost(LeaveReason),
    /// The client wanted it.
    Asked,
    Ending(Ending),
}

impl Goodbye {
    /// What the others are told.
    pub fn left(&self) -> LeaveReason {
        match self {
            Self::Reason(reason) => left(reason),
            Self::Lost(reason) => *reason,
            Self::Asked => LeaveReason::ClientInitiated,
            // As LiveKit has it, whoever just hangs up did not mean to leave.
            Self::Ending(_) => LeaveReason::SignalClose,
        }
    }

    /// Whether the client is told, too.
    pub fn is_told(&self) -> bool {
        matches!(self, Self::Reason(_) | Self::Lost(_))
    }

    pub fn into_ending(self) -> Ending {
        match self {
            Self::Ending(ending) => ending,
            Self::Reason(_) | Self::Lost(_) | Self::Asked => Ending::Closed(farewell()),
        }
    }
}

impl From<CloseReason> for Goodbye {
    fn from(reason: CloseReason) -> Self {
        Self::Reason(reason)
    }
}

impl From<ReadError> for Goodbye {
    fn from(error: ReadError) -> Self {
        Self::Ending(match error {
            ReadError::Violation(Violation::TooLarge) => {
                Ending::Closed(Close::new(1009, "a message is too large"))
            }
            error => error.into(),
        })
    }
}

pub fn not_negotiated(error: Error) -> Goodbye {
    tracing::debug!(error = %chain(&error), "a description was refused");
    CloseReason::NotUnderstood("a session description").into()
}

pub fn rate(limits: &Limits) -> Rate {
    let limits = RateLimits {
        frames_per_second: limits.websocket_frames_per_second_max,
        bytes_per_second: limits.websocket_bytes_per_second_max,
        frame_bytes_max: SIGNAL_BYTES_MAX,
        frame_messages_max: 1,
    };
    Rate::new(limits, Instant::now())
}

/// Tells somebody why they cannot enter.
pub async fn refuse<S>(stream: S, reason: &CloseReason, limits: &Limits) -> Ending
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (read, mut write) = tokio::io::split(stream);
    let arrivals = AtomicU64::new(0);
    let mut reader = MessageReader::new(read, SIGNAL_BYTES_MAX, rate(limits), &arrivals);
    let mut outgoing = Outgoing::default();
    let (opcode, payload) = frames::write(Says::Leave(leave(left(reason))), Format::default());
    outgoing.push(opcode, &payload);
    let ending = Ending::Closed(farewell());
    hang_up(&ending, &mut outgoing, &mut reader, &mut write).await;
    ending
}
