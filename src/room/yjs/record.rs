//! How updates lie in the store: a tag, and an update of version 1 or a piece of one.

use std::borrow::Cow;

use super::wire::Malformed;
use super::{CHUNK_BYTES_MAX, Rejected};

/// A whole update, or the last piece of one.
const LAST: u8 = 1;
/// A piece of an update that goes on in the next record.
const CONTINUED: u8 = 2;

pub fn split(update: &[u8]) -> Vec<Vec<u8>> {
    let pieces = update.chunks(CHUNK_BYTES_MAX - 1);
    let last = pieces.len().saturating_sub(1);
    let tagged = pieces.enumerate().map(|(at, piece)| {
        let mut record = Vec::with_capacity(1 + piece.len());
        record.push(if at == last { LAST } else { CONTINUED });
        record.extend_from_slice(piece);
        record
    });
    tagged.collect()
}

/// Puts the pieces together again.
#[derive(Default)]
pub struct Whole {
    pieces: Vec<u8>,
}

impl Whole {
    pub fn push<'a>(&mut self, record: &'a [u8]) -> Result<Option<Cow<'a, [u8]>>, Rejected> {
        match record.split_first() {
            Some((&LAST, update)) if self.pieces.is_empty() => Ok(Some(Cow::Borrowed(update))),
            Some((&LAST, piece)) => {
                self.pieces.extend_from_slice(piece);
                Ok(Some(Cow::Owned(std::mem::take(&mut self.pieces))))
            }
            Some((&CONTINUED, piece)) => {
                self.pieces.extend_from_slice(piece);
                Ok(None)
            }
            _ => Err(Malformed("a stored record has a tag that is not known").into()),
        }
    }

    pub fn is_cut_off(&self) -> bool {
        !self.pieces.is_empty()
    }
}
