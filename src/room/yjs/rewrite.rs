//! Version 1 as version 2. `yrs` can write version 2 as well, but not so that Yjs reads it: the
//! length of a gap goes into the wrong column, and bytes get their length twice.

use yrs::block::ClientID;
use yrs::encoding::write::Write as _;
use yrs::updates::encoder::{Encoder, EncoderV2};
use yrs::{Any, ID};

use super::columns::{Columns, V1};
use super::scan::kind;
use super::values::copy_any;
use super::wire::{Malformed, Reader};

/// Rewrites an update that this server wrote.
pub fn as_v2(update: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut from = V1(Reader::new(update));
    let mut out = EncoderV2::new();
    let clients = from.rest().uint()?;
    out.write_var(clients);
    for _ in 0..clients {
        let blocks = from.rest().uint()?;
        out.write_var(blocks);
        out.write_client(ClientID::new(from.client()?));
        out.write_var(from.rest().clock()?);
        for _ in 0..blocks {
            block(&mut from, &mut out)?;
        }
    }
    let clients = from.rest().uint()?;
    out.write_var(clients);
    for _ in 0..clients {
        out.reset_ds_cur_val();
        out.write_var(from.rest().client()?);
        let ranges = from.rest().uint()?;
        out.write_var(ranges);
        for _ in 0..ranges {
            let (start, end) = from.deleted(0)?;
            out.write_ds_clock(start);
            out.write_ds_len(end - start);
        }
    }
    Ok(out.to_vec())
}

fn block(from: &mut V1<'_>, out: &mut EncoderV2) -> Result<(), Malformed> {
    let id = |(client, clock)| ID::new(ClientID::new(client), clock);
    let info = from.info()?;
    out.write_info(info);
    match info & kind::MASK {
        kind::SKIP => {
            out.write_var(from.rest().clock()?);
            return Ok(());
        }
        kind::GC => {
            out.write_len(from.len()?);
            return Ok(());
        }
        _ => {}
    }
    if info & kind::HAS_ORIGIN != 0 {
        out.write_left_id(&id(from.left_id()?));
    }
    if info & kind::HAS_RIGHT_ORIGIN != 0 {
        out.write_right_id(&id(from.right_id()?));
    }
    if info & (kind::HAS_ORIGIN | kind::HAS_RIGHT_ORIGIN) == 0 {
        let is_root = from.parent_is_root()?;
        out.write_parent_info(is_root);
        if is_root {
            out.write_string(&from.text()?);
        } else {
            out.write_left_id(&id(from.left_id()?));
        }
        if info & kind::HAS_PARENT_SUB != 0 {
            out.write_string(&from.text()?);
        }
    }
    content(from, info & kind::MASK, out)
}

fn content(from: &mut V1<'_>, of: u8, out: &mut EncoderV2) -> Result<(), Malformed> {
    match of {
        kind::DELETED => out.write_len(from.len()?),
        kind::ANY => {
            let len = from.len()?;
            out.write_len(len);
            for _ in 0..len {
                any(from, out)?;
            }
        }
        kind::BINARY => {
            let bytes = from.rest().bytes()?;
            out.write_var(bytes.len());
            put_rest(out, bytes);
        }
        kind::STRING => out.write_string(&from.text()?),
        kind::EMBED => json(from, out)?,
        kind::FORMAT => {
            out.write_key(&from.key()?);
            json(from, out)?;
        }
        kind::TYPE => {
            let type_ref = from.type_ref()?;
            out.write_type_ref(type_ref as u8);
            if type_ref == kind::XML_ELEMENT || type_ref == kind::XML_HOOK {
                out.write_key(&from.key()?);
            }
        }
        kind::DOC => {
            out.write_string(&from.text()?);
            any(from, out)?;
        }
        _ => return Err(Malformed("a block is of no kind that Yjs knows")),
    }
    Ok(())
}

fn any(from: &mut V1<'_>, out: &mut EncoderV2) -> Result<(), Malformed> {
    let mut value = Vec::new();
    copy_any(from.rest(), &mut value, 0)?;
    put_rest(out, &value);
    Ok(())
}

/// Bytes as they are; `write_all` of this encoder puts their length in front.
fn put_rest(out: &mut EncoderV2, bytes: &[u8]) {
    bytes.iter().for_each(|byte| out.write_u8(*byte));
}

fn json(from: &mut V1<'_>, out: &mut EncoderV2) -> Result<(), Malformed> {
    let value = Any::from_json(&from.text()?);
    out.write_json(&value.map_err(|_| Malformed("an embedded value is not JSON"))?);
    Ok(())
}
