//! The characters of a text, in pieces of one style each.
//!
//! Pieces are short, so that an edit copies little of a long text, and immutable, so that taking an
//! edit back means to put the old ones in again. Neighbours of one style are one segment to
//! readers.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::op::read_attributes;
use super::{Attributes, Style, TextOp};
use crate::room::storage::json::{Json, Lenient, write_entries, write_string};
use crate::room::storage::small_text::SmallText;

const PIECE_BYTES_MAX: usize = 1024;

#[derive(Debug, Clone, PartialEq)]
struct Piece {
    text: SmallText,
    units: u32,
    style: Style,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pieces {
    list: Vec<Piece>,
    units: usize,
    bytes: usize,
}

/// A run of text of one style, as long as it goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    pub text: String,
    pub attributes: Option<Arc<Attributes>>,
}

/// Pieces that were replaced.
#[derive(Debug)]
pub struct Splice {
    at: usize,
    added: usize,
    removed: Vec<Piece>,
}

impl Pieces {
    /// `[["text"], ["styled", {"name": value}], …]`
    pub fn parse(segments: &Json) -> Result<Self, &'static str> {
        const MALFORMED: &str = "The segments of a text are malformed";
        #[derive(Deserialize)]
        struct Wire<'a>(
            #[serde(borrow)] Lenient<'a>,
            #[serde(borrow, default)] Option<&'a RawValue>,
        );
        let wire: Vec<Wire> = serde_json::from_str(segments.get()).map_err(|_| MALFORMED)?;
        let mut builder = Builder::default();
        for Wire(text, attributes) in wire {
            let attributes = attributes.map(read_attributes).transpose()?;
            builder.push(&text.0, &attributes.and_then(|attributes| restyle(&None, &attributes)));
        }
        let mut pieces = Self::default();
        pieces.replace(0, 0, builder.finish());
        Ok(pieces)
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn units(&self) -> usize {
        self.units
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn segments(&self) -> Vec<Segment> {
        let mut segments: Vec<Segment> = Vec::new();
        for piece in &self.list {
            match segments.last_mut().filter(|last| last.attributes == piece.style) {
                Some(last) => last.text.push_str(&piece.text),
                None => segments.push(Segment {
                    text: piece.text.to_string(),
                    attributes: piece.style.clone(),
                }),
            }
        }
        segments
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (number, segment) in self.segments().iter().enumerate() {
            out.extend_from_slice(if number > 0 { b",[" } else { b"[" });
            write_string(&segment.text, out);
            if let Some(attributes) = &segment.attributes {
                out.extend_from_slice(b",{");
                write_entries(attributes.iter().map(|(name, value)| (&**name, value)), out);
                out.push(b'}');
            }
            out.push(b']');
        }
        out.push(b']');
    }

    /// Applies an edit that lies within the text.
    pub fn edit(&mut self, op: &TextOp) -> Splice {
        let (mut start, mut end) = match op {
            TextOp::Insert { index, .. } => (*index as usize, *index as usize),
            TextOp::Delete { index, length } | TextOp::Format { index, length, .. } => {
                (*index as usize, *index as usize + *length as usize)
            }
        };
        // With a neighbour at each side, so that what belongs together can be joined.
        let (first, first_starts) = self.find(start);
        let (last, _) = self.find(end);
        if let TextOp::Format { .. } = op {
            start = self.whole(start);
            end = self.whole(end);
        }
        let mut region = (first, (last + 2).min(self.list.len()));
        let mut at = first_starts;
        if let Some(before) = first.checked_sub(1) {
            region.0 = before;
            at -= self.list.get(before).map_or(0, |piece| piece.units as usize);
        }
        let mut builder = Builder::default();
        let mut is_inserted = false;
        for piece in self.list.get(region.0..region.1).unwrap_or_default() {
            let cut = |from: usize, to: usize| {
                piece.slice(from.saturating_sub(at), to.saturating_sub(at))
            };
            let ends = at + piece.units as usize;
            builder.push(&cut(at, start.min(ends)), &piece.style);
            if start <= ends && !is_inserted {
                is_inserted = true;
                builder.insert(op);
            }
            if let TextOp::Format { attributes, .. } = op {
                let style = restyle(&piece.style, attributes);
                builder.push(&cut(start.max(at), end.min(ends)), &style);
            }
            builder.push(&cut(end.max(at), ends), &piece.style);
            at = ends;
        }
        if !is_inserted {
            builder.insert(op);
        }
        self.replace(region.0, region.1, builder.finish())
    }

    pub fn undo(&mut self, splice: Splice) {
        self.replace(splice.at, splice.at + splice.added, splice.removed);
    }

    fn replace(&mut self, from: usize, to: usize, pieces: Vec<Piece>) -> Splice {
        let added = pieces.len();
        self.units += pieces.iter().map(|piece| piece.units as usize).sum::<usize>();
        self.bytes += pieces.iter().map(Piece::bytes).sum::<usize>();
        let removed: Vec<Piece> = self.list.splice(from..to, pieces).collect();
        self.units -= removed.iter().map(|piece| piece.units as usize).sum::<usize>();
        self.bytes -= removed.iter().map(Piece::bytes).sum::<usize>();
        Splice { at: from, added, removed }
    }

    /// The piece in which a unit lies, and the unit at which that piece starts. Behind the last one
    /// for the end of the text.
    fn find(&self, unit: usize) -> (usize, usize) {
        let mut starts = 0;
        for (number, piece) in self.list.iter().enumerate() {
            let ends = starts + piece.units as usize;
            if unit < ends {
                return (number, starts);
            }
            starts = ends;
        }
        (self.list.len(), starts)
    }

    /// The boundary itself, or the one in front of the surrogate pair that it would cut.
    fn whole(&self, unit: usize) -> usize {
        let (number, starts) = self.find(unit);
        let Some(piece) = self.list.get(number) else { return unit };
        if piece.is_cut(unit - starts) { unit - 1 } else { unit }
    }
}

impl Piece {
    fn bytes(&self) -> usize {
        // Styles are shared; this counts one that is not.
        let style = self.style.as_ref().map_or(0, |style| {
            style.iter().map(|(name, value)| 48 + name.heap_bytes() + value.heap_bytes()).sum()
        });
        size_of::<Self>() + self.text.heap_bytes() + style
    }

    /// The units `from..to`. A surrogate pair that is cut leaves U+FFFD for its half.
    fn slice(&self, from: usize, to: usize) -> String {
        let units = self.units as usize;
        if from >= to || from >= units {
            return String::new();
        }
        if self.text.len() == units {
            return self.text.get(from..to.min(units)).unwrap_or_default().to_owned();
        }
        let mut slice = String::new();
        let mut at = 0;
        for character in self.text.chars() {
            let ends = at + character.len_utf16();
            match (at >= from, ends <= to) {
                (true, true) => slice.push(character),
                (false, true) if ends > from => slice.push('\u{FFFD}'),
                (true, false) if at < to => slice.push('\u{FFFD}'),
                _ => {}
            }
            at = ends;
        }
        slice
    }

    /// Whether a boundary before this unit lies within a surrogate pair.
    fn is_cut(&self, unit: usize) -> bool {
        if self.text.len() == self.units as usize {
            return false;
        }
        let mut at = 0;
        for character in self.text.chars() {
            if at >= unit {
                return at != unit;
            }
            at += character.len_utf16();
        }
        false
    }
}

/// The style with these changes: null takes an attribute away.
fn restyle(style: &Style, changes: &Attributes) -> Style {
    let mut attributes = style.as_deref().cloned().unwrap_or_default();
    for (name, value) in changes {
        match attributes.binary_search_by(|(found, _)| found.cmp(name)) {
            Ok(at) if value.is_null() => drop(attributes.remove(at)),
            Ok(at) => {
                if let Some(found) = attributes.get_mut(at) {
                    found.1 = value.clone();
                }
            }
            Err(_) if value.is_null() => {}
            Err(at) => attributes.insert(at, (name.clone(), value.clone())),
        }
    }
    (!attributes.is_empty()).then(|| Arc::new(attributes))
}

/// Puts text together into pieces.
#[derive(Default)]
struct Builder {
    done: Vec<Piece>,
    text: String,
    units: u32,
    style: Style,
}

impl Builder {
    fn insert(&mut self, op: &TextOp) {
        if let TextOp::Insert { text, attributes, .. } = op {
            let style = attributes.as_ref().and_then(|attributes| restyle(&None, attributes));
            self.push(text, &style);
        }
    }

    fn push(&mut self, text: &str, style: &Style) {
        if text.is_empty() {
            return;
        }
        if self.style != *style {
            self.cut();
            self.style.clone_from(style);
        }
        for character in text.chars() {
            if self.text.len() + character.len_utf8() > PIECE_BYTES_MAX {
                self.cut();
            }
            self.text.push(character);
            self.units += character.len_utf16() as u32;
        }
    }

    fn cut(&mut self) {
        if !self.text.is_empty() {
            let text = self.text.as_str().into();
            self.done.push(Piece { text, units: self.units, style: self.style.clone() });
            self.text.clear();
            self.units = 0;
        }
    }

    fn finish(mut self) -> Vec<Piece> {
        self.cut();
        self.done
    }
}
