//! The end of a conversation, and those that never began.

use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, WriteHalf};

use super::farewell;
use super::frames::{self, Format};
use crate::config::Limits;
use crate::proto::livekit::signal_response::Message as Says;
use crate::room::close::CloseReason;
use crate::room::codec::livekit::leave;
use crate::room::rate::{Rate, RateLimits};
use crate::wire::websocket::close::Ending;
use crate::wire::websocket::frame::Opcode;
use crate::wire::websocket::reader::MessageReader;
use crate::wire::websocket::writer::Outgoing;

/// One message of a client.
pub const SIGNAL_BYTES_MAX: usize = 2 << 20;
const CLOSE_WRITE_MAX: Duration = Duration::from_secs(2);
const LINGER: Duration = Duration::from_secs(2);

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
    let (opcode, payload) = frames::write(Says::Leave(leave(reason)), Format::default());
    outgoing.push(opcode, &payload);
    let ending = Ending::Closed(farewell());
    finish(&ending, &mut outgoing, &mut reader, &mut write).await;
    ending
}

pub async fn finish<R, W>(
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
    if matches!(tokio::time::timeout(CLOSE_WRITE_MAX, farewell).await, Ok(Ok(()))) {
        let _ = tokio::time::timeout(LINGER, reader.discard()).await;
    }
}
