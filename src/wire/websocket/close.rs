//! How a connection ends, and the code that tells the browser's client what to do about it.
//!
//! The client never comes back after 4000 to 4099 and 4999. It comes back at once after 4109, with
//! a pause after 4100 to 4199, and with a long one after 1013 and 4200 to 4299. After anything else
//! it comes back with the token that it has.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, WriteHalf};
use tokio::time::timeout;

use super::frame::{Opcode, Violation};
use super::reader::{MessageReader, ReadError};
use super::writer::Outgoing;
use crate::room::close::CloseReason;

/// What is left in a control frame after the code.
const REASON_BYTES_MAX: usize = super::frame::CONTROL_BYTES_MAX - 2;

/// How long a peer has to take its close frame.
const CLOSE_WRITE_MAX: Duration = Duration::from_secs(2);
/// How long a peer that was told to go has to hang up. Hanging up first would make its system throw
/// away the close frame, if we had not read all that it sent.
const LINGER: Duration = Duration::from_secs(2);

/// Why the conversation with a peer is over.
#[derive(Debug, PartialEq, Eq)]
pub enum Ending {
    Closed(Close),
    /// The peer said good-bye.
    Peer(Option<u16>),
    /// The peer is not there any more.
    Gone,
    /// The peer does not read.
    Cut,
}

/// Says good-bye to a peer that is there to hear it, and waits until it hangs up.
pub async fn hang_up<R, W>(
    ending: &Ending,
    outgoing: &mut Outgoing,
    reader: &mut MessageReader<'_, R>,
    write: &mut WriteHalf<W>,
) where
    R: AsyncRead + Unpin,
    W: AsyncRead + AsyncWrite + Unpin,
{
    let payload = match ending {
        Ending::Gone | Ending::Cut => return,
        Ending::Closed(close) => close.payload(),
        Ending::Peer(code) => {
            code.map_or_else(Bytes::new, |code| Bytes::copy_from_slice(&code.to_be_bytes()))
        }
    };
    outgoing.push(Opcode::Close, &payload);
    let farewell = async {
        outgoing.flush(write, CLOSE_WRITE_MAX).await?;
        write.shutdown().await
    };
    if matches!(timeout(CLOSE_WRITE_MAX, farewell).await, Ok(Ok(()))) {
        let _ = timeout(LINGER, reader.discard()).await;
    }
}

/// What a close frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    pub code: u16,
    pub text: String,
}

impl Close {
    pub fn new(code: u16, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// A close that says more than the reason alone.
    pub fn because(reason: &CloseReason, text: impl Into<String>) -> Self {
        Self::new(code_of(reason), text)
    }

    /// The payload of the frame, its text cut to what fits.
    pub fn payload(&self) -> Bytes {
        let mut payload = self.code.to_be_bytes().to_vec();
        let end = self.text.floor_char_boundary(REASON_BYTES_MAX);
        payload.extend_from_slice(self.text.get(..end).unwrap_or_default().as_bytes());
        payload.into()
    }
}

impl From<CloseReason> for Close {
    fn from(reason: CloseReason) -> Self {
        Self::because(&reason, reason.text())
    }
}

impl From<CloseReason> for Ending {
    fn from(reason: CloseReason) -> Self {
        Self::Closed(reason.into())
    }
}

impl From<ReadError> for Ending {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Gone => Self::Gone,
            ReadError::TooFast => CloseReason::TooManyMessages.into(),
            // Whoever is not told to stay away sends the same again, and again.
            ReadError::Violation(Violation::TooLarge) => {
                CloseReason::NotUnderstood("it is over websocket_frame_bytes_max").into()
            }
            ReadError::Violation(Violation::Protocol(problem)) => {
                Self::Closed(Close::new(1002, problem))
            }
            ReadError::Violation(Violation::NotUtf8) => not_utf8(),
        }
    }
}

pub fn not_utf8() -> Ending {
    Ending::Closed(Close::new(1007, "the text is not UTF-8"))
}

/// Nothing came for so long that nobody can be there.
pub fn silent() -> Ending {
    Ending::Closed(Close::new(1001, "nothing was heard for too long"))
}

fn code_of(reason: &CloseReason) -> u16 {
    match reason {
        CloseReason::NotUnderstood(_) => 4000,
        CloseReason::NotAllowed | CloseReason::Removed | CloseReason::DuplicateIdentity => 4001,
        CloseReason::RoomFull => 4005,
        CloseReason::RoomRenamed { .. } => 4006,
        CloseReason::StorageReset => 4100,
        CloseReason::TokenExpired => 4109,
        CloseReason::TooManyMessages => 4200,
        CloseReason::RoomDeleted | CloseReason::LiveRoomDeleted | CloseReason::LiveRoomEnded => {
            4999
        }
        CloseReason::Unavailable => 1011,
        CloseReason::ShuttingDown => 1012,
        CloseReason::Overloaded | CloseReason::TooSlow => 1013,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_cut_between_characters() {
        let close = Close::new(4000, "ü".repeat(100));
        let payload = close.payload();
        assert_eq!(payload.len(), 2 + 122);
        assert!(std::str::from_utf8(&payload[2..]).is_ok());
    }

    #[test]
    fn an_expired_token_never_keeps_a_client_away() {
        assert_eq!(Close::from(CloseReason::TokenExpired).code, 4109);
        assert_eq!(Close::from(CloseReason::NotAllowed).text, "You have no access to this room");
    }
}
