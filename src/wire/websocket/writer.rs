//! What goes to a peer: any number of frames in few writes, without copying what is long, and no
//! memory once it is gone.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::frame::{self, Opcode};

/// Shorter payloads are copied behind each other; it is cheaper than one more piece in a write.
const COPY_BYTES_MAX: usize = 4 << 10;
/// Pieces in one write.
const PIECES_MAX: usize = 32;

/// Frames that wait to be written. Whatever happens between two writes, what is left is known.
#[derive(Debug, Default)]
pub struct Outgoing {
    pieces: VecDeque<Bytes>,
    /// The end, which still grows.
    tail: Vec<u8>,
    /// Whether the peer has got the beginning of a frame, and not its end.
    is_amid: bool,
}

impl Outgoing {
    pub fn push(&mut self, opcode: Opcode, payload: &Bytes) {
        frame::write_header(&mut self.tail, opcode, payload.len());
        if payload.len() <= COPY_BYTES_MAX {
            self.tail.extend_from_slice(payload);
        } else {
            self.seal();
            self.pieces.push_back(payload.clone());
        }
    }

    /// Whether something of a frame was written and the rest was not.
    pub fn is_amid(&self) -> bool {
        self.is_amid
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.pieces.push_back(std::mem::take(&mut self.tail).into());
        }
    }

    /// Writes everything. An error if the peer takes nothing at all for `stall`. If it is cancelled
    /// the next call goes on where it stopped.
    pub async fn flush<W>(&mut self, stream: &mut W, stall: Duration) -> io::Result<()>
    where
        W: AsyncWrite + Unpin,
    {
        self.seal();
        while !self.pieces.is_empty() {
            let written = tokio::time::timeout(stall, self.write_some(stream)).await??;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        self.pieces.shrink_to(PIECES_MAX);
        tokio::time::timeout(stall, stream.flush()).await?
    }

    async fn write_some<W: AsyncWrite + Unpin>(&mut self, stream: &mut W) -> io::Result<usize> {
        let pieces = &self.pieces;
        let mut written = poll_fn(|cx| {
            let mut slices = [IoSlice::new(&[]); PIECES_MAX];
            for (slice, piece) in slices.iter_mut().zip(pieces) {
                *slice = IoSlice::new(piece);
            }
            let used = slices.get(..pieces.len().min(PIECES_MAX)).unwrap_or_default();
            Pin::new(&mut *stream).poll_write_vectored(cx, used)
        })
        .await?;
        let total = written;
        while let Some(piece) = self.pieces.front_mut() {
            if written < piece.len() {
                piece.advance(written);
                break;
            }
            written -= piece.len();
            self.pieces.pop_front();
        }
        self.is_amid = !self.pieces.is_empty();
        Ok(total)
    }
}
