//! Reading an update from outside into blocks that can be looked at one by one.
//!
//! Every byte is checked before anything else is done with the update: counts, lengths, nesting,
//! UTF-8 and JSON. What comes out is version 1, whatever went in.

use self::kind::*;
use super::columns::{Columns, V1, V2};
use super::deletions::Deletions;
use super::values::json_as_any;
use super::wire::{self, Malformed, Reader, put_bytes, put_uint, split_utf16, utf16_len};
use super::{BLOCKS_PER_UPDATE_MAX, Encoding, REWRITTEN_UPDATE_BYTES_MAX};

/// The first byte of a block, and the numbers of shared types.
pub mod kind {
    pub const MASK: u8 = 0b0001_1111;
    pub const HAS_ORIGIN: u8 = 0b1000_0000;
    pub const HAS_RIGHT_ORIGIN: u8 = 0b0100_0000;
    pub const HAS_PARENT_SUB: u8 = 0b0010_0000;

    pub const GC: u8 = 0;
    pub const DELETED: u8 = 1;
    pub const JSON: u8 = 2;
    pub const BINARY: u8 = 3;
    pub const STRING: u8 = 4;
    pub const EMBED: u8 = 5;
    pub const FORMAT: u8 = 6;
    pub const TYPE: u8 = 7;
    pub const ANY: u8 = 8;
    pub const DOC: u8 = 9;
    pub const SKIP: u8 = 10;

    pub const XML_ELEMENT: u64 = 3;
    pub const XML_FRAGMENT: u64 = 4;
    pub const XML_HOOK: u64 = 5;
    pub const XML_TEXT: u64 = 6;
}

/// One insertion: who made it, and which of theirs it was.
pub type Id = (u64, u32);

/// A piece of a block's own bytes.
pub type Span = (u32, u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parent {
    /// The same as that of the block's neighbour.
    Inherited,
    Root(Span),
    Item(Id),
}

/// What a block holds, as far as somebody who does not apply it needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Nothing: garbage-collected, together with where it was.
    Collected,
    Deleted,
    /// Text, or something within text.
    Text,
    /// The values of an array, or of a key.
    Values,
    Type,
    XmlType,
}

/// One block of an update. Its bytes are version 1; a block knows where it is, not what is there.
#[derive(Debug, Clone, Copy)]
pub struct Block {
    pub client: u64,
    pub clock: u32,
    pub len: u32,
    pub content: Content,
    pub origin: Option<Id>,
    pub right_origin: Option<Id>,
    pub parent: Parent,
    pub key: Option<Span>,
    /// Where the content starts, after the head.
    content_at: u32,
}

impl Block {
    pub fn end(&self) -> u32 {
        self.clock + self.len
    }

    /// What has to be there before the block can be put in its place.
    pub fn needs(&self) -> impl Iterator<Item = Id> {
        let parent = match self.parent {
            Parent::Item(id) => Some(id),
            Parent::Inherited | Parent::Root(_) => None,
        };
        [self.origin, self.right_origin, parent].into_iter().flatten()
    }

    /// The same place with nothing in it.
    pub fn collected(self) -> (Self, Vec<u8>) {
        let mut bytes = vec![GC];
        put_uint(&mut bytes, u64::from(self.len));
        let (origin, right_origin, key) = (None, None, None);
        let (content, parent) = (Content::Collected, Parent::Inherited);
        (Self { content, origin, right_origin, parent, key, content_at: 1, ..self }, bytes)
    }

    /// The block without its first `skipped` insertions, which are known already. `None` if that is
    /// not what its bytes say, which cannot be after a scan.
    pub fn after(self, skipped: u32, bytes: &[u8]) -> Option<(Self, Vec<u8>)> {
        let (clock, len) = (self.clock.checked_add(skipped)?, self.len.checked_sub(skipped)?);
        let rest = Self { clock, len, ..self };
        if self.content == Content::Collected {
            return Some(rest.collected());
        }
        let info = bytes.first()?;
        let mut out = vec![info & (MASK | HAS_RIGHT_ORIGIN) | HAS_ORIGIN];
        put_id(&mut out, (self.client, clock - 1));
        self.right_origin.iter().for_each(|id| put_id(&mut out, *id));
        let content_at = u32::try_from(out.len()).ok()?;
        let mut content = Reader::new(bytes.get(self.content_at as usize..)?);
        match info & MASK {
            DELETED => put_uint(&mut out, u64::from(len)),
            STRING => {
                let (_, cut, right) = split_utf16(content.text().ok()?, skipped as usize)?;
                let lead = if cut { "\u{fffd}" } else { "" };
                put_uint(&mut out, (lead.len() + right.len()) as u64);
                out.extend_from_slice(lead.as_bytes());
                out.extend_from_slice(right.as_bytes());
            }
            ANY => {
                content.uint().ok()?;
                let mut known = Vec::new();
                for _ in 0..skipped {
                    known.clear();
                    super::values::copy_any(&mut content, &mut known, 0).ok()?;
                }
                put_uint(&mut out, u64::from(len));
                out.extend_from_slice(content.take(content.len()).ok()?);
            }
            _ => return None,
        }
        let origin = Some((self.client, clock - 1));
        let (parent, key) = (Parent::Inherited, None);
        Some((Self { origin, parent, key, content_at, ..rest }, out))
    }
}

fn put_id(out: &mut Vec<u8>, (client, clock): Id) {
    put_uint(out, client);
    put_uint(out, u64::from(clock));
}

/// An update that is well formed. Whether it fits a document is another question.
#[derive(Debug, Default)]
pub struct Scanned {
    bytes: Vec<u8>,
    blocks: Vec<(Block, Span)>,
    pub deletions: Deletions,
}

impl Scanned {
    /// Blocks and their bytes, in the order of the update.
    pub fn blocks(&self) -> impl Iterator<Item = (&Block, &[u8])> {
        self.blocks.iter().map(|(block, span)| (block, self.bytes_of(*span)))
    }

    /// One of them.
    pub fn block(&self, at: usize) -> Option<(&Block, &[u8])> {
        self.blocks.get(at).map(|(block, span)| (block, self.bytes_of(*span)))
    }

    fn bytes_of(&self, (from, to): Span) -> &[u8] {
        self.bytes.get(from as usize..to as usize).unwrap_or_default()
    }
}

/// Reads an update.
pub fn scan(update: &[u8], encoding: Encoding, trusted: bool) -> Result<Scanned, Malformed> {
    scan_all(&[update], encoding, trusted)
}

/// Reads updates as if they were one, with the limits of one. `blocks_max` keeps a few bytes of
/// version 2 from being a billion blocks.
pub fn scan_all(
    updates: &[&[u8]],
    encoding: Encoding,
    trusted: bool,
) -> Result<Scanned, Malformed> {
    let (blocks_max, bytes_max) = if trusted {
        (usize::MAX, u32::MAX as usize)
    } else {
        (BLOCKS_PER_UPDATE_MAX, REWRITTEN_UPDATE_BYTES_MAX)
    };
    let mut scan = Scan { out: Scanned::default(), blocks_left: blocks_max, bytes_max };
    scan.out.bytes.reserve(updates.iter().map(|update| update.len()).sum());
    for update in updates {
        match encoding {
            Encoding::V1 => scan.update(&mut V1(Reader::new(update)))?,
            Encoding::V2 => scan.update(&mut V2::new(update)?)?,
        }
    }
    Ok(scan.out)
}

struct Scan {
    out: Scanned,
    /// Counts every block that is read, so that empty ones cannot go on for ever.
    blocks_left: usize,
    bytes_max: usize,
}

impl Scan {
    fn update<'a>(&mut self, from: &mut impl Columns<'a>) -> Result<(), Malformed> {
        for _ in 0..from.rest().count()? {
            let blocks = from.rest().uint()?;
            let client = from.client()?;
            let mut clock = from.rest().clock()?;
            for _ in 0..blocks {
                let len = self.block(from, client, clock)?;
                clock = wire::clock(u64::from(clock) + u64::from(len))?;
            }
        }
        for _ in 0..from.rest().count()? {
            let client = from.rest().client()?;
            let mut at = 0;
            for _ in 0..from.rest().count()? {
                let (start, end) = from.deleted(at)?;
                at = end;
                if start < end {
                    self.out.deletions.insert(client, start, end);
                }
            }
        }
        let done = from.rest().is_empty();
        if done { Ok(()) } else { Err(Malformed("something follows the update")) }
    }

    /// One block; what is returned is how many clocks it takes.
    fn block<'a>(
        &mut self,
        from: &mut impl Columns<'a>,
        client: u64,
        clock: u32,
    ) -> Result<u32, Malformed> {
        if self.blocks_left == 0 || self.out.bytes.len() > self.bytes_max {
            return Err(Malformed("the update has too many blocks"));
        }
        self.blocks_left -= 1;
        let start = self.out.bytes.len();
        let mut block = Block {
            client,
            clock,
            len: 0,
            content: Content::Collected,
            origin: None,
            right_origin: None,
            parent: Parent::Inherited,
            key: None,
            content_at: 1,
        };
        let info = from.info()?;
        match info & MASK {
            SKIP => {
                let len = from.rest().clock()?;
                return if len == 0 { Err(Malformed("a block is empty")) } else { Ok(len) };
            }
            GC => {
                block.len = from.len()?;
                self.out.bytes.push(GC);
                put_uint(&mut self.out.bytes, u64::from(block.len));
            }
            _ => self.item(from, info, start, &mut block)?,
        }
        if block.len == 0 {
            // Old versions of Yjs wrote empty texts. They take no clock and mean nothing.
            self.out.bytes.truncate(start);
            return Ok(0);
        }
        let end = self.out.bytes.len();
        self.out.blocks.push((block, (offset(start)?, offset(end)?)));
        Ok(block.len)
    }

    fn item<'a>(
        &mut self,
        from: &mut impl Columns<'a>,
        info: u8,
        start: usize,
        block: &mut Block,
    ) -> Result<(), Malformed> {
        let out = &mut self.out.bytes;
        let own = |out: &Vec<u8>| offset(out.len() - start);
        out.push(info);
        if info & HAS_ORIGIN != 0 {
            let id = from.left_id()?;
            put_id(out, id);
            block.origin = Some(id);
        }
        if info & HAS_RIGHT_ORIGIN != 0 {
            let id = from.right_id()?;
            put_id(out, id);
            block.right_origin = Some(id);
        }
        if info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN) == 0 {
            if from.parent_is_root()? {
                out.push(1);
                let name = from.text()?;
                put_bytes(out, name.as_bytes());
                block.parent = Parent::Root((own(out)? - offset(name.len())?, own(out)?));
            } else {
                out.push(0);
                let id = from.left_id()?;
                put_id(out, id);
                block.parent = Parent::Item(id);
            }
            if info & HAS_PARENT_SUB != 0 {
                let key = from.text()?;
                put_bytes(out, key.as_bytes());
                block.key = Some((own(out)? - offset(key.len())?, own(out)?));
            }
        }
        block.content_at = own(out)?;
        let (len, kind) = content(from, info & MASK, out)?;
        (block.len, block.content) = (len, kind);
        if info & MASK == JSON {
            // It was rewritten as the values that the old JSON stood for.
            if let Some(first) = out.get_mut(start) {
                *first = info & !MASK | ANY;
            }
        }
        Ok(())
    }
}

fn offset(at: usize) -> Result<u32, Malformed> {
    u32::try_from(at).map_err(|_| Malformed("the update is too large"))
}

/// Copies the content of an item; its length in clocks, and what it is.
fn content<'a>(
    from: &mut impl Columns<'a>,
    kind: u8,
    out: &mut Vec<u8>,
) -> Result<(u32, Content), Malformed> {
    Ok(match kind {
        DELETED => {
            let len = from.len()?;
            put_uint(out, u64::from(len));
            (len, Content::Deleted)
        }
        JSON | ANY => {
            let len = from.len()?;
            put_uint(out, u64::from(len));
            for _ in 0..len {
                if kind == JSON { json_as_any(&from.text()?, out)? } else { from.any(out)? }
            }
            (len, Content::Values)
        }
        BINARY => {
            put_bytes(out, from.rest().bytes()?);
            (1, Content::Values)
        }
        STRING => {
            let text = from.text()?;
            put_bytes(out, text.as_bytes());
            (wire::clock(utf16_len(&text) as u64)?, Content::Text)
        }
        EMBED => {
            from.json(out)?;
            (1, Content::Text)
        }
        FORMAT => {
            put_bytes(out, from.key()?.as_bytes());
            from.json(out)?;
            (1, Content::Text)
        }
        TYPE => (1, type_content(from, out)?),
        DOC => {
            let guid = from.text()?;
            if guid.len() > super::GUID_BYTES_MAX {
                return Err(Malformed("the guid of a sub-document is too long"));
            }
            put_bytes(out, guid.as_bytes());
            from.any(out)?;
            (1, Content::Values)
        }
        _ => return Err(Malformed("a block is of no kind that Yjs knows")),
    })
}

fn type_content<'a>(from: &mut impl Columns<'a>, out: &mut Vec<u8>) -> Result<Content, Malformed> {
    let type_ref = from.type_ref()?;
    put_uint(out, type_ref);
    match type_ref {
        0..=2 => Ok(Content::Type),
        XML_ELEMENT | XML_HOOK => {
            put_bytes(out, from.key()?.as_bytes());
            Ok(Content::XmlType)
        }
        XML_FRAGMENT | XML_TEXT => Ok(Content::XmlType),
        _ => Err(Malformed("a shared type is of no kind that Yjs knows")),
    }
}
