//! WebSocket frames (RFC 6455, without extensions), as a server reads and writes them.
//!
//! Written here and not taken from a library, since those that there are keep buffers of the size
//! of the largest message for as long as a connection lives, and copy every message once per
//! connection. Tests hold it against such a library.

use bytes::{Buf as _, BytesMut};

/// What a control frame may carry.
pub const CONTROL_BYTES_MAX: usize = 125;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;
const LENGTH_U16: u8 = 126;
const LENGTH_U64: u8 = 127;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn parse(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }

    fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// What a peer did that ends its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// Not WebSocket.
    Protocol(&'static str),
    NotUtf8,
    /// A frame, or the fragments of a message together, are over the limit.
    TooLarge,
}

/// A frame's head, before its payload is there.
#[derive(Debug, Clone, Copy)]
pub struct Header {
    pub is_final: bool,
    pub opcode: Opcode,
    mask: [u8; 4],
    pub payload_bytes: usize,
}

impl Header {
    /// Takes a client's header off the front of `buffer`; `None` if it is not all there yet.
    pub fn take(buffer: &mut BytesMut, bytes_max: usize) -> Result<Option<Self>, Violation> {
        let [first, second, rest @ ..] = &buffer[..] else { return Ok(None) };
        let (first, second) = (*first, *second);
        let Some(opcode) = Opcode::parse(first & OPCODE) else {
            return Err(Violation::Protocol("an unknown kind of frame"));
        };
        if first & RESERVED != 0 {
            return Err(Violation::Protocol("a reserved bit without its extension"));
        }
        if second & MASKED == 0 {
            return Err(Violation::Protocol("a frame without a mask"));
        }
        let is_final = first & FIN != 0;
        let (length, rest) = match second & LENGTH {
            LENGTH_U16 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
                None => return Ok(None),
            },
            LENGTH_U64 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest),
                None => return Ok(None),
            },
            short => (u64::from(short), rest),
        };
        if opcode.is_control() && (!is_final || length > CONTROL_BYTES_MAX as u64) {
            return Err(Violation::Protocol("a control frame that is long or in fragments"));
        }
        let payload_bytes = usize::try_from(length).map_err(|_| Violation::TooLarge)?;
        if payload_bytes > bytes_max {
            return Err(Violation::TooLarge);
        }
        let Some((mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
        let (mask, taken) = (*mask, buffer.len() - rest.len());
        buffer.advance(taken);
        Ok(Some(Self { is_final, opcode, mask, payload_bytes }))
    }

    pub fn unmask(&self, payload: &mut [u8]) {
        let wide = u64::from_ne_bytes({
            let [a, b, c, d] = self.mask;
            [a, b, c, d, a, b, c, d]
        });
        let (chunks, rest) = payload.as_chunks_mut::<8>();
        for chunk in chunks {
            *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
        }
        for (byte, mask) in rest.iter_mut().zip(self.mask.iter().cycle()) {
            *byte ^= mask;
        }
    }
}

/// Appends the header of a whole message from the server.
pub fn write_header(out: &mut Vec<u8>, opcode: Opcode, payload_bytes: usize) {
    out.push(FIN | opcode.bits());
    match (u8::try_from(payload_bytes), u16::try_from(payload_bytes)) {
        (Ok(length), _) if length < LENGTH_U16 => out.push(length),
        (_, Ok(length)) => {
            out.push(LENGTH_U16);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(LENGTH_U64);
            out.extend_from_slice(&(payload_bytes as u64).to_be_bytes());
        }
    }
}

/// The code in a close frame; `None` if it names none.
pub fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    match payload {
        [] => Ok(None),
        [_] => Err(Violation::Protocol("a close frame with half a code")),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                return Err(Violation::Protocol("a close code that nobody may send"));
            }
            match std::str::from_utf8(reason) {
                Ok(_) => Ok(Some(code)),
                Err(_) => Err(Violation::NotUtf8),
            }
        }
    }
}
