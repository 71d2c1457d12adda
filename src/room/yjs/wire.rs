//! The primitive encodings that both formats of a Yjs update are made of, read without trust.

use super::{CLIENT_ID_MAX, CLOCK_MAX};

/// Bytes that are no update: cut short, over a limit, or something that Yjs never writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

const SHORT: Malformed = Malformed("the update ends in the middle of a value");
const RANGE: Malformed = Malformed("a number in the update is out of range");

/// A place in bytes that came from outside.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes }
    }

    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// How many bytes are left: no honest count of things can be larger.
    pub fn len(&self) -> usize {
        self.left.len()
    }

    pub fn byte(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.left.split_first().ok_or(SHORT)?;
        self.left = rest;
        Ok(*first)
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.left.split_at_checked(count).ok_or(SHORT)?;
        self.left = rest;
        Ok(taken)
    }

    /// Seven bits a byte, the low ones first.
    pub fn uint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(RANGE)
    }

    /// The sign, which zero has as well, and the magnitude: six bits, then seven a byte.
    pub fn int(&mut self) -> Result<(bool, u64), Malformed> {
        let first = self.byte()?;
        let mut value = u64::from(first & 0x3f);
        let mut byte = first;
        for shift in (6..62).step_by(7) {
            if byte < 0x80 {
                return Ok((first & 0x40 != 0, value));
            }
            byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
        }
        if byte < 0x80 { Ok((first & 0x40 != 0, value)) } else { Err(RANGE) }
    }

    pub fn clock(&mut self) -> Result<u32, Malformed> {
        clock(self.uint()?)
    }

    pub fn client(&mut self) -> Result<u64, Malformed> {
        client(self.uint()?)
    }

    /// A count of things that take at least one byte each.
    pub fn count(&mut self) -> Result<usize, Malformed> {
        let count = usize::try_from(self.uint()?).map_err(|_| RANGE)?;
        if count > self.len() { Err(SHORT) } else { Ok(count) }
    }

    pub fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let count = usize::try_from(self.uint()?).map_err(|_| RANGE)?;
        self.take(count)
    }

    pub fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed("a text is not UTF-8"))
    }
}

pub fn clock(value: u64) -> Result<u32, Malformed> {
    u32::try_from(value).ok().filter(|clock| *clock <= CLOCK_MAX).ok_or(RANGE)
}

pub fn client(value: u64) -> Result<u64, Malformed> {
    if value <= CLIENT_ID_MAX { Ok(value) } else { Err(RANGE) }
}

pub fn put_uint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_uint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub fn utf16_len(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

/// Cuts a text at a count of UTF-16 units. A pair that the cut goes through becomes a replacement
/// character on both sides, as Yjs does it; `None` if the text is shorter than that.
pub fn split_utf16(text: &str, units: usize) -> Option<(&str, bool, &str)> {
    let mut seen = 0;
    for (at, char) in text.char_indices() {
        if seen == units {
            return Some((text.get(..at)?, false, text.get(at..)?));
        }
        seen += char.len_utf16();
        if seen > units {
            return Some((text.get(..at)?, true, text.get(at + char.len_utf8()..)?));
        }
    }
    (seen == units).then_some((text, false, ""))
}
