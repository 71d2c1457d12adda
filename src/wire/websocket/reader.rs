//! Messages from a peer. A connection that says nothing holds no buffer, and one that says much
//! holds no more than what it has sent so far.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, ready};
use std::time::Instant;

use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};

use super::frame::{self, Header, Opcode, Violation};
use crate::room::rate::Rate;

/// What is read at once where little is expected. It stands on the stack and not in the connection.
const READ_BYTES: usize = 8 << 10;
/// What is reserved at once for a long frame, whatever length its header claims.
const RESERVE_BYTES: usize = 64 << 10;

#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Not yet known to be UTF-8.
    Text(Bytes),
    Binary(Bytes),
    Ping(Bytes),
    Pong,
    Close(Option<u16>),
}

#[derive(Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The connection ended without a word, or broke.
    Gone,
    Violation(Violation),
    /// More than the rate allows.
    TooFast,
}

impl From<Violation> for ReadError {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

pub struct MessageReader<'a, R> {
    stream: R,
    message_bytes_max: usize,
    rate: Rate,
    /// How often something arrived, for whoever watches whether anything does.
    arrivals: &'a AtomicU64,
    buffer: BytesMut,
    header: Option<Header>,
    /// The fragments of a message whose end has not come.
    fragments: Option<(Opcode, BytesMut)>,
}

impl<'a, R: AsyncRead + Unpin> MessageReader<'a, R> {
    pub fn new(stream: R, message_bytes_max: usize, rate: Rate, arrivals: &'a AtomicU64) -> Self {
        let buffer = BytesMut::new();
        Self { stream, message_bytes_max, rate, arrivals, buffer, header: None, fragments: None }
    }

    /// The next message or control frame. Cancel safe.
    pub async fn next(&mut self) -> Result<Incoming, ReadError> {
        loop {
            if let Some(incoming) = self.take()? {
                return Ok(incoming);
            }
            let arrived = match self.missing_bytes() {
                Some(missing) if missing > READ_BYTES => self.read_long(missing).await,
                _ => self.read_short().await,
            };
            match arrived {
                Ok(1..) => self.arrivals.fetch_add(1, Ordering::Relaxed),
                Ok(0) | Err(_) => return Err(ReadError::Gone),
            };
        }
    }

    /// Whether the messages of what was read last are within the rate.
    pub fn allows(&mut self, messages: usize) -> bool {
        self.rate.take_messages(messages, Instant::now())
    }

    /// Reads and forgets until the peer has closed the connection.
    pub async fn discard(&mut self) {
        self.buffer = BytesMut::new();
        while let Ok(1..) = self.read_short().await {
            self.buffer.clear();
        }
    }

    /// What the frame that has begun still lacks.
    fn missing_bytes(&self) -> Option<usize> {
        self.header.map(|header| header.payload_bytes.saturating_sub(self.buffer.len()))
    }

    /// By way of the stack, so that nothing is held while there is nothing to read.
    async fn read_short(&mut self) -> io::Result<usize> {
        let (stream, buffer) = (&mut self.stream, &mut self.buffer);
        poll_fn(|cx| {
            let mut chunk = [const { MaybeUninit::<u8>::uninit() }; READ_BYTES];
            let mut chunk = ReadBuf::uninit(&mut chunk);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut chunk))?;
            buffer.extend_from_slice(chunk.filled());
            Poll::Ready(Ok(chunk.filled().len()))
        })
        .await
    }

    /// Straight into the message, and never beyond it: what follows would keep all of it in memory.
    async fn read_long(&mut self, missing: usize) -> io::Result<usize> {
        let room = self.buffer.capacity() - self.buffer.len();
        if room < RESERVE_BYTES.min(missing) {
            self.buffer.reserve(missing.min(self.buffer.len().max(RESERVE_BYTES)));
        }
        self.stream.read_buf(&mut (&mut self.buffer).limit(missing)).await
    }

    /// Takes what is complete off the buffer.
    fn take(&mut self) -> Result<Option<Incoming>, ReadError> {
        loop {
            let header = match self.header {
                Some(header) => header,
                None => match Header::take(&mut self.buffer, self.message_bytes_max)? {
                    Some(header) => header,
                    None => return Ok(None),
                },
            };
            if self.header.is_none() {
                self.header = Some(header);
                if !self.rate.take_frame(header.payload_bytes, Instant::now()) {
                    return Err(ReadError::TooFast);
                }
            }
            if self.buffer.len() < header.payload_bytes {
                return Ok(None);
            }
            let payload = self.take_payload(header);
            self.header = None;
            if let Some(incoming) = self.assemble(header, payload)? {
                return Ok(Some(incoming));
            }
        }
    }

    fn take_payload(&mut self, header: Header) -> BytesMut {
        let mut payload = self.buffer.split_to(header.payload_bytes);
        header.unmask(&mut payload);
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
        payload
    }

    fn assemble(
        &mut self,
        header: Header,
        payload: BytesMut,
    ) -> Result<Option<Incoming>, Violation> {
        let opcode = match header.opcode {
            Opcode::Close => {
                let code = frame::close_code(&payload)?;
                return Ok(Some(Incoming::Close(code)));
            }
            Opcode::Ping => return Ok(Some(Incoming::Ping(payload.freeze()))),
            Opcode::Pong => return Ok(Some(Incoming::Pong)),
            Opcode::Continuation => {
                let Some((_, fragments)) = &mut self.fragments else {
                    return Err(Violation::Protocol("a continuation of nothing"));
                };
                if fragments.len() + payload.len() > self.message_bytes_max {
                    return Err(Violation::TooLarge);
                }
                fragments.extend_from_slice(&payload);
                None
            }
            Opcode::Text | Opcode::Binary if self.fragments.is_some() => {
                return Err(Violation::Protocol("a message inside another"));
            }
            opcode @ (Opcode::Text | Opcode::Binary) => Some(opcode),
        };
        let (opcode, payload) = match (opcode, header.is_final) {
            (Some(opcode), true) => (opcode, payload),
            (Some(opcode), false) => {
                self.fragments = Some((opcode, payload));
                return Ok(None);
            }
            (None, true) => match self.fragments.take() {
                Some(message) => message,
                None => return Ok(None),
            },
            (None, false) => return Ok(None),
        };
        Ok(Some(match opcode {
            Opcode::Binary => Incoming::Binary(payload.freeze()),
            _ => Incoming::Text(payload.freeze()),
        }))
    }
}
