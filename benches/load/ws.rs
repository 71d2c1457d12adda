//! WebSocket from the client's side, in as few instructions as it takes.
//!
//! Frames are masked with a key of zeros: that is allowed, and it lets a frame be written once and
//! sent many times. Servers unmask it like any other.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::Fail;
use crate::engine::{Session, Tally};

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;
const MASK: [u8; 4] = [0; 4];
/// Lengths from here on take two bytes more, and from `LENGTH_64` on eight.
const LENGTH_16: usize = 126;
const LENGTH_64: usize = 1 << 16;
const HEAD_END: &[u8] = b"\r\n\r\n";
const CALL_TIMEOUT: Duration = Duration::from_secs(120);
const READ_BYTES: usize = 256 * 1024;

/// What one client says and hears once its socket is open.
pub trait Talk {
    fn opened(&mut self, _out: &mut Vec<u8>, _now: Instant) {}

    /// One message of the server, text or binary.
    fn heard(
        &mut self,
        message: &[u8],
        out: &mut Vec<u8>,
        now: Instant,
        tally: &mut Tally,
    ) -> Result<(), Fail>;

    /// Whether `tick` is to be called.
    fn ticks(&self) -> bool {
        false
    }

    /// Called again and again, at least every millisecond.
    fn tick(&mut self, _out: &mut Vec<u8>, _now: Instant) {}
}

/// A connection under load.
pub struct Socket<T> {
    path: String,
    open: bool,
    talk: T,
}

impl<T: Talk> Socket<T> {
    pub fn new(path: impl Into<String>, talk: T) -> Self {
        Self { path: path.into(), open: false, talk }
    }
}

impl<T: Talk> Session for Socket<T> {
    fn start(&mut self, out: &mut Vec<u8>, _now: Instant) {
        out.extend_from_slice(&upgrade(&self.path));
    }

    fn receive(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        now: Instant,
        tally: &mut Tally,
    ) -> Result<usize, Fail> {
        let mut used = 0;
        if !self.open {
            let Some(head_bytes) = upgraded(input)? else { return Ok(0) };
            (used, self.open) = (head_bytes, true);
            self.talk.opened(out, now);
        }
        while let Some(frame) = Frame::read(&input[used..])? {
            used += frame.bytes;
            if let Some(message) = frame.message(out)? {
                self.talk.heard(message, out, now, tally)?;
            }
        }
        Ok(used)
    }

    fn ticks(&self) -> bool {
        self.talk.ticks()
    }

    fn tick(&mut self, out: &mut Vec<u8>, now: Instant) {
        if self.open {
            self.talk.tick(out, now);
        }
    }
}

/// The request that asks for a WebSocket.
pub fn upgrade(path: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    .into_bytes()
}

/// Length of the head that grants the upgrade; `None` while it is not complete.
pub fn upgraded(input: &[u8]) -> Result<Option<usize>, Fail> {
    let Some(end) = input.windows(HEAD_END.len()).position(|four| four == HEAD_END) else {
        return Ok(None);
    };
    if !input.starts_with(b"HTTP/1.1 101") {
        let head = String::from_utf8_lossy(&input[..end]);
        return Err(format!("no WebSocket was given: {head}").into());
    }
    Ok(Some(end + HEAD_END.len()))
}

/// A frame as a client sends it.
pub fn write_frame(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(FINAL | opcode);
    match payload.len() {
        short if short < LENGTH_16 => out.push(MASKED | short as u8),
        middle if middle < LENGTH_64 => {
            out.push(MASKED | 126);
            out.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        long => {
            out.push(MASKED | 127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    out.extend_from_slice(payload);
}

pub fn text(payload: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 14);
    write_frame(&mut out, TEXT, payload.as_bytes());
    out
}

/// A frame as a server sends it.
pub struct Frame<'a> {
    opcode: u8,
    payload: &'a [u8],
    pub bytes: usize,
}

impl<'a> Frame<'a> {
    /// `None` while the frame is not complete.
    pub fn read(input: &'a [u8]) -> Result<Option<Self>, Fail> {
        let &[first, second, ref rest @ ..] = input else { return Ok(None) };
        if first & FINAL == 0 || second & MASKED != 0 {
            return Err("a message in parts or a masked one, which no server here sends".into());
        }
        let (length, head) = match (second, rest) {
            (126, &[a, b, ..]) => (usize::from(u16::from_be_bytes([a, b])), 4),
            (127, &[a, b, c, d, e, f, g, h, ..]) => {
                (usize::try_from(u64::from_be_bytes([a, b, c, d, e, f, g, h]))?, 10)
            }
            (126 | 127, _) => return Ok(None),
            (short, _) => (usize::from(short), 2),
        };
        let bytes = head + length;
        let payload = input.get(head..bytes);
        Ok(payload.map(|payload| Self { opcode: first & 0x0f, payload, bytes }))
    }

    /// The message in it, if it holds one. Answers pings; a close is an error here.
    pub fn message(&self, out: &mut Vec<u8>) -> Result<Option<&'a [u8]>, Fail> {
        match self.opcode {
            TEXT | BINARY => Ok(Some(self.payload)),
            PING => {
                write_frame(out, PONG, self.payload);
                Ok(None)
            }
            PONG => Ok(None),
            CLOSE => {
                let (code, reason) = self.payload.split_at(2.min(self.payload.len()));
                let code = code.try_into().map_or(1005, u16::from_be_bytes);
                let reason = String::from_utf8_lossy(reason);
                Err(format!("the server closed with {code}: {reason}").into())
            }
            other => Err(format!("a frame with opcode {other}").into()),
        }
    }
}

/// Whether `needle` is somewhere in `message`.
pub fn has(message: &[u8], needle: &[u8]) -> bool {
    count(message, needle, 1) > 0
}

/// How often `needle` is in `message`; counting ends at `most`.
pub fn count(message: &[u8], needle: &[u8], most: usize) -> usize {
    let (Some(&first), mut at, mut found) = (needle.first(), 0, 0) else { return 0 };
    while found < most
        && let Some(next) = message[at..].iter().position(|byte| *byte == first)
    {
        at += next;
        if message[at..].starts_with(needle) {
            found += 1;
            at += needle.len();
        } else {
            at += 1;
        }
    }
    found
}

/// One client that waits for each answer, outside of any window.
pub struct Caller {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Caller {
    pub fn connect(address: SocketAddr, path: &str) -> Result<Self, Fail> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(CALL_TIMEOUT))?;
        stream.write_all(&upgrade(path))?;
        let mut caller = Self { stream, input: Vec::new() };
        loop {
            if let Some(head_bytes) = upgraded(&caller.input)? {
                caller.input.drain(..head_bytes);
                return Ok(caller);
            }
            caller.fill()?;
        }
    }

    pub fn send(&mut self, text_message: &str) -> Result<(), Fail> {
        Ok(self.stream.write_all(&text(text_message))?)
    }

    /// Returns when `needle` has come so many times.
    pub fn wait_for_many(&mut self, needle: &[u8], times: usize) -> Result<(), Fail> {
        let mut seen = 0;
        while seen < times {
            seen += count(&self.wait_for(needle)?, needle, usize::MAX);
        }
        Ok(())
    }

    /// The next message that holds `needle`; those before it are dropped.
    pub fn wait_for(&mut self, needle: &[u8]) -> Result<Vec<u8>, Fail> {
        loop {
            while let Some(frame) = Frame::read(&self.input)? {
                let (mut out, bytes) = (Vec::new(), frame.bytes);
                let message = frame.message(&mut out)?.map(<[u8]>::to_vec);
                self.stream.write_all(&out)?;
                self.input.drain(..bytes);
                if let Some(message) = message.filter(|message| has(message, needle)) {
                    return Ok(message);
                }
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Result<(), Fail> {
        let filled = self.input.len();
        self.input.resize(filled + READ_BYTES, 0);
        let bytes = self.stream.read(&mut self.input[filled..])?;
        self.input.truncate(filled + bytes);
        if bytes == 0 {
            return Err("the server ended a connection without a word".into());
        }
        Ok(())
    }
}
