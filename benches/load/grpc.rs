//! gRPC over HTTP/2 without a client library: fixed requests, frames counted, no HPACK decoder.
//!
//! Requests look as real clients' do: the first on a connection teaches the server's header table,
//! those after it are a few index bytes. Replies are checked by shape: a message of the expected
//! bytes, then trailers. A failed call sends no message, so it cannot pass for a good one.

use std::time::Instant;

use crate::Fail;
use crate::engine::{Session, Tally};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEAD_BYTES: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const SETTING_INITIAL_WINDOW: u16 = 4;
const WINDOW_BYTES_MAX: u32 = i32::MAX as u32;
/// What HTTP/2 gives a connection before any update.
const WINDOW_BYTES_DEFAULT: u32 = 65_535;
/// The connection window is given back in steps as large as this, so it costs nothing.
const WINDOW_STEP_BYTES: u32 = 1 << 28;
const STREAM_ID_MAX: u32 = i32::MAX as u32 - 2;

/// A unary call: what is sent, and the message that has to come back.
#[derive(Clone)]
pub struct Call {
    pub path: String,
    pub key: String,
    pub request: Vec<u8>,
    pub reply: Vec<u8>,
}

struct InFlight {
    stream_id: u32,
    since: Instant,
    answered: bool,
}

pub struct Grpc {
    call: Call,
    /// The DATA frame's payload: the five bytes of gRPC, then the message.
    message: Vec<u8>,
    expected: Vec<u8>,
    in_flight: Vec<InFlight>,
    streams: usize,
    next_stream_id: u32,
    unacknowledged_bytes: u32,
}

impl Grpc {
    /// A connection that always has `streams` calls in flight.
    pub fn new(call: Call, streams: usize) -> Self {
        let (message, expected) = (framed(&call.request), framed(&call.reply));
        let in_flight = Vec::with_capacity(streams);
        let next_stream_id = 1;
        Self {
            call,
            message,
            expected,
            in_flight,
            streams,
            next_stream_id,
            unacknowledged_bytes: 0,
        }
    }

    fn send(&mut self, out: &mut Vec<u8>, now: Instant) -> Result<(), Fail> {
        let stream_id = self.next_stream_id;
        if stream_id > STREAM_ID_MAX {
            return Err("a connection has used up its stream ids".into());
        }
        self.next_stream_id += 2;
        if stream_id == 1 {
            let block = first_header_block(&self.call);
            frame(out, HEADERS, END_HEADERS, stream_id, &block);
        } else {
            frame(out, HEADERS, END_HEADERS, stream_id, INDEXED_HEADER_BLOCK);
        }
        frame(out, DATA, END_STREAM, stream_id, &self.message);
        self.in_flight.push(InFlight { stream_id, since: now, answered: false });
        Ok(())
    }

    /// A frame of one stream. True when it ended the call.
    fn stream_frame(
        &mut self,
        (kind, flags, stream_id): (u8, u8, u32),
        payload: &[u8],
        now: Instant,
        tally: &mut Tally,
    ) -> Result<bool, Fail> {
        let index = self.in_flight.iter().position(|call| call.stream_id == stream_id);
        let Some(index) = index else { return Err("a frame for an unknown stream".into()) };
        if kind == DATA && !payload.is_empty() {
            self.in_flight[index].answered = payload == self.expected;
        }
        if kind != RST_STREAM && flags & END_STREAM == 0 {
            return Ok(false);
        }
        let call = self.in_flight.swap_remove(index);
        if call.answered && kind == HEADERS {
            tally.done(call.since, now);
        } else {
            tally.failed(|| format!("stream {stream_id} ended without the expected message"));
        }
        Ok(true)
    }

    fn give_window_back(&mut self, bytes: usize, out: &mut Vec<u8>) -> Result<(), Fail> {
        self.unacknowledged_bytes += u32::try_from(bytes)?;
        if self.unacknowledged_bytes > WINDOW_STEP_BYTES {
            let step = std::mem::take(&mut self.unacknowledged_bytes);
            frame(out, WINDOW_UPDATE, 0, 0, &step.to_be_bytes());
        }
        Ok(())
    }
}

impl Session for Grpc {
    fn start(&mut self, out: &mut Vec<u8>, now: Instant) {
        out.extend_from_slice(PREFACE);
        let mut settings = SETTING_INITIAL_WINDOW.to_be_bytes().to_vec();
        settings.extend_from_slice(&WINDOW_BYTES_MAX.to_be_bytes());
        frame(out, SETTINGS, 0, 0, &settings);
        let grow = WINDOW_BYTES_MAX - WINDOW_BYTES_DEFAULT;
        frame(out, WINDOW_UPDATE, 0, 0, &grow.to_be_bytes());
        for _ in 0..self.streams {
            // Stream ids cannot run out before the first reply.
            let _ = self.send(out, now);
        }
    }

    fn receive(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        now: Instant,
        tally: &mut Tally,
    ) -> Result<usize, Fail> {
        let mut used = 0;
        while let Some((head, rest)) = input[used..].split_first_chunk::<FRAME_HEAD_BYTES>() {
            let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = *head;
            let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
            let Some(payload) = rest.get(..length) else { break };
            let stream_id = u32::from_be_bytes([s0, s1, s2, s3]) & WINDOW_BYTES_MAX;
            used += FRAME_HEAD_BYTES + length;
            match kind {
                DATA | HEADERS | RST_STREAM => {
                    if kind == DATA {
                        self.give_window_back(length, out)?;
                    }
                    if self.stream_frame((kind, flags, stream_id), payload, now, tally)? {
                        self.send(out, now)?;
                    }
                }
                SETTINGS if flags & ACK == 0 => frame(out, SETTINGS, ACK, 0, &[]),
                PING if flags & ACK == 0 => frame(out, PING, ACK, 0, payload),
                GOAWAY => return Err("the server said goodbye under load".into()),
                _ => {}
            }
        }
        Ok(used)
    }
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut bytes = vec![0];
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(message);
    bytes
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream_id: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    out.extend_from_slice(&length[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream_id.to_be_bytes());
    out.extend_from_slice(payload);
}

/// `:method POST`, `:scheme http`, then the five fields below, newest first in the dynamic table.
const INDEXED_HEADER_BLOCK: &[u8] = &[0x83, 0x86, 0x80 | 66, 0x80 | 65, 0x80 | 64, 0xbf, 0xbe];

/// RFC 7541: literals with incremental indexing, names from the static table where it has them.
fn first_header_block(call: &Call) -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    let bearer = format!("Bearer {}", call.key);
    literal(&mut block, Name::Static(4), &call.path);
    literal(&mut block, Name::Static(1), "127.0.0.1");
    literal(&mut block, Name::Static(31), "application/grpc");
    literal(&mut block, Name::New("te"), "trailers");
    literal(&mut block, Name::Static(23), &bearer);
    block
}

enum Name {
    Static(u8),
    New(&'static str),
}

fn literal(block: &mut Vec<u8>, name: Name, value: &str) {
    match name {
        Name::Static(index) => block.push(0x40 | index),
        Name::New(text) => {
            block.push(0x40);
            string(block, text);
        }
    }
    string(block, value);
}

/// A string without Huffman coding. Lengths from 127 on take more bytes.
fn string(block: &mut Vec<u8>, text: &str) {
    let mut rest = text.len();
    if rest < 127 {
        block.push(rest as u8);
    } else {
        block.push(127);
        rest -= 127;
        while rest >= 128 {
            block.push((rest % 128) as u8 | 128);
            rest /= 128;
        }
        block.push(rest as u8);
    }
    block.extend_from_slice(text.as_bytes());
}

/// One call outside of any measurement, over a fresh connection: the reply's message.
pub fn call(address: std::net::SocketAddr, call: &Call) -> Result<Vec<u8>, Fail> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_read_timeout(Some(std::time::Duration::from_secs(60)))?;
    let (mut session, mut out) = (Grpc::new(call.clone(), 1), Vec::new());
    session.start(&mut out, Instant::now());
    stream.write_all(&out)?;
    let (mut input, mut chunk, mut message) = (Vec::new(), vec![0; 64 * 1024], Vec::new());
    loop {
        let bytes = stream.read(&mut chunk)?;
        if bytes == 0 {
            return Err("the server closed the gRPC connection".into());
        }
        input.extend_from_slice(&chunk[..bytes]);
        while let Some((head, rest)) = input.split_first_chunk::<FRAME_HEAD_BYTES>() {
            let [l0, l1, l2, kind, flags, ..] = *head;
            let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
            let Some(payload) = rest.get(..length) else { break };
            if kind == DATA {
                message.extend_from_slice(payload);
            }
            if kind == HEADERS && flags & END_STREAM != 0 {
                return match message.get(5..) {
                    Some(message) => Ok(message.to_vec()),
                    None => Err(format!("gRPC {} answered no message", call.path).into()),
                };
            }
            input.drain(..FRAME_HEAD_BYTES + length);
        }
    }
}
