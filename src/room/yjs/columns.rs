//! The two formats of an update, read field by field.
//!
//! Version 1 has the fields one after the other; version 2 has a column for each kind of field,
//! most of them run-length encoded. Everything past this file knows version 1 only.

use std::borrow::Cow;

use super::values::{any_as_json, check_json, copy_any};
use super::wire::{self, Malformed, Reader, put_bytes, split_utf16};

/// The fields of an update in the order in which a block asks for them.
pub trait Columns<'a> {
    /// What is read straight from the bytes in both formats: counts, clocks and values.
    fn rest(&mut self) -> &mut Reader<'a>;
    fn client(&mut self) -> Result<u64, Malformed>;
    fn info(&mut self) -> Result<u8, Malformed>;
    fn left_id(&mut self) -> Result<(u64, u32), Malformed>;
    fn right_id(&mut self) -> Result<(u64, u32), Malformed>;
    fn parent_is_root(&mut self) -> Result<bool, Malformed>;
    fn type_ref(&mut self) -> Result<u64, Malformed>;
    fn len(&mut self) -> Result<u32, Malformed>;
    fn text(&mut self) -> Result<Cow<'a, str>, Malformed>;
    fn key(&mut self) -> Result<Cow<'a, str>, Malformed>;
    /// Writes an embedded value as version 1 has it: JSON as a text.
    fn json(&mut self, out: &mut Vec<u8>) -> Result<(), Malformed>;
    /// The next range of the delete set; `at` is where the last one ended.
    fn deleted(&mut self, at: u32) -> Result<(u32, u32), Malformed>;

    fn any(&mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        copy_any(self.rest(), out, 0)
    }
}

pub struct V1<'a>(pub Reader<'a>);

impl<'a> Columns<'a> for V1<'a> {
    fn rest(&mut self) -> &mut Reader<'a> {
        &mut self.0
    }

    fn client(&mut self) -> Result<u64, Malformed> {
        self.0.client()
    }

    fn info(&mut self) -> Result<u8, Malformed> {
        self.0.byte()
    }

    fn left_id(&mut self) -> Result<(u64, u32), Malformed> {
        Ok((self.0.client()?, self.0.clock()?))
    }

    fn right_id(&mut self) -> Result<(u64, u32), Malformed> {
        self.left_id()
    }

    fn parent_is_root(&mut self) -> Result<bool, Malformed> {
        Ok(self.0.uint()? == 1)
    }

    fn type_ref(&mut self) -> Result<u64, Malformed> {
        self.0.uint()
    }

    fn len(&mut self) -> Result<u32, Malformed> {
        self.0.clock()
    }

    fn text(&mut self) -> Result<Cow<'a, str>, Malformed> {
        self.0.text().map(Cow::Borrowed)
    }

    fn key(&mut self) -> Result<Cow<'a, str>, Malformed> {
        self.text()
    }

    fn json(&mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let text = self.0.text()?;
        check_json(text)?;
        put_bytes(out, text.as_bytes());
        Ok(())
    }

    fn deleted(&mut self, _at: u32) -> Result<(u32, u32), Malformed> {
        let (clock, len) = (self.0.uint()?, self.0.uint()?);
        Ok((wire::clock(clock)?, wire::clock(clock.saturating_add(len))?))
    }
}

/// A column that repeats: a value, and how often it comes again.
struct Runs<'a> {
    from: Reader<'a>,
    value: i64,
    step: i64,
    left: u64,
}

impl<'a> Runs<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { from: Reader::new(bytes), value: 0, step: 0, left: 0 }
    }

    /// A value with a minus in front of it is followed by a count.
    fn uint(&mut self) -> Result<u64, Malformed> {
        if self.left == 0 {
            let (repeats, value) = self.from.int()?;
            self.value = value as i64;
            self.left = if repeats { self.from.uint()?.saturating_add(2) } else { 1 };
        }
        self.left -= 1;
        Ok(self.value as u64)
    }

    /// Differences; the lowest bit of one says whether a count follows.
    fn difference(&mut self) -> Result<u64, Malformed> {
        if self.left == 0 {
            let (negative, value) = self.from.int()?;
            let value = if negative { -(value as i64) } else { value as i64 };
            self.step = value >> 1;
            self.left = if value & 1 == 1 { self.from.uint()?.saturating_add(2) } else { 1 };
        }
        self.left -= 1;
        self.value = self.value.wrapping_add(self.step);
        u64::try_from(self.value).map_err(|_| Malformed("a number in the update is out of range"))
    }

    /// A byte and a count; the last byte of the column has none, and repeats for ever.
    fn byte(&mut self) -> Result<u8, Malformed> {
        if self.left == 0 {
            self.value = i64::from(self.from.byte()?);
            let last = self.from.is_empty();
            self.left = if last { u64::MAX } else { self.from.uint()?.saturating_add(1) };
        }
        self.left -= 1;
        Ok(self.value as u8)
    }
}

pub struct V2<'a> {
    key_clocks: Runs<'a>,
    clients: Runs<'a>,
    left_clocks: Runs<'a>,
    right_clocks: Runs<'a>,
    infos: Runs<'a>,
    texts: &'a str,
    /// Half of a pair was cut off at the end of the text before this one.
    half: bool,
    text_lens: Runs<'a>,
    parent_infos: Runs<'a>,
    type_refs: Runs<'a>,
    lens: Runs<'a>,
    keys: Vec<Cow<'a, str>>,
    rest: Reader<'a>,
}

impl<'a> V2<'a> {
    pub fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut rest = Reader::new(bytes);
        rest.uint()?; // Feature flags, of which there are none.
        let key_clocks = Runs::new(rest.bytes()?);
        let clients = Runs::new(rest.bytes()?);
        let left_clocks = Runs::new(rest.bytes()?);
        let right_clocks = Runs::new(rest.bytes()?);
        let infos = Runs::new(rest.bytes()?);
        let mut text_column = Reader::new(rest.bytes()?);
        // An update without any text may have nothing at all in this column.
        let texts = if text_column.is_empty() { "" } else { text_column.text()? };
        let text_lens = Runs { from: text_column, value: 0, step: 0, left: 0 };
        let parent_infos = Runs::new(rest.bytes()?);
        let type_refs = Runs::new(rest.bytes()?);
        let lens = Runs::new(rest.bytes()?);
        let (half, keys) = (false, Vec::new());
        Ok(Self {
            key_clocks,
            clients,
            left_clocks,
            right_clocks,
            infos,
            texts,
            half,
            text_lens,
            parent_infos,
            type_refs,
            lens,
            keys,
            rest,
        })
    }
}

impl<'a> Columns<'a> for V2<'a> {
    fn rest(&mut self) -> &mut Reader<'a> {
        &mut self.rest
    }

    fn client(&mut self) -> Result<u64, Malformed> {
        wire::client(self.clients.uint()?)
    }

    fn info(&mut self) -> Result<u8, Malformed> {
        self.infos.byte()
    }

    fn left_id(&mut self) -> Result<(u64, u32), Malformed> {
        Ok((self.client()?, wire::clock(self.left_clocks.difference()?)?))
    }

    fn right_id(&mut self) -> Result<(u64, u32), Malformed> {
        Ok((self.client()?, wire::clock(self.right_clocks.difference()?)?))
    }

    fn parent_is_root(&mut self) -> Result<bool, Malformed> {
        Ok(self.parent_infos.byte()? == 1)
    }

    fn type_ref(&mut self) -> Result<u64, Malformed> {
        self.type_refs.uint()
    }

    fn len(&mut self) -> Result<u32, Malformed> {
        wire::clock(self.lens.uint()?)
    }

    fn text(&mut self) -> Result<Cow<'a, str>, Malformed> {
        const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;
        let short = Malformed("the texts of the update end too early");
        let mut units = usize::try_from(self.text_lens.uint()?).map_err(|_| short)?;
        let mut lead = false;
        if units > 0 && std::mem::take(&mut self.half) {
            (lead, units) = (true, units - 1);
        }
        let (text, cut, rest) = split_utf16(self.texts, units).ok_or(short)?;
        (self.texts, self.half) = (rest, self.half || cut);
        if !lead && !cut {
            return Ok(Cow::Borrowed(text));
        }
        let ends = [lead.then_some(REPLACEMENT), cut.then_some(REPLACEMENT)];
        let [first, last] = ends.map(|end| end.map(String::from).unwrap_or_default());
        Ok(Cow::Owned(first + text + &last))
    }

    fn key(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let at = usize::try_from(self.key_clocks.difference()?).unwrap_or(usize::MAX);
        if let Some(key) = self.keys.get(at) {
            return Ok(key.clone());
        }
        let key = self.text()?;
        self.keys.push(key.clone());
        Ok(key)
    }

    fn json(&mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let text = any_as_json(&mut self.rest, 0)?.to_string();
        put_bytes(out, text.as_bytes());
        Ok(())
    }

    fn deleted(&mut self, at: u32) -> Result<(u32, u32), Malformed> {
        let clock = u64::from(at).saturating_add(self.rest.uint()?);
        let len = self.rest.uint()?.saturating_add(1);
        Ok((wire::clock(clock)?, wire::clock(clock.saturating_add(len))?))
    }
}
