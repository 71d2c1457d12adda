//! The free-form values inside an update: lib0's binary "any" and JSON.

use serde_json::Value;

use super::VALUE_LEVELS_MAX;
use super::wire::{Malformed, Reader, put_bytes, put_uint};

/// Copies one value, having looked at every byte of it. The recursion is what the limit is for: the
/// reader that comes after us recurses too, and does not count.
pub fn copy_any(from: &mut Reader<'_>, out: &mut Vec<u8>, levels: usize) -> Result<(), Malformed> {
    if levels > VALUE_LEVELS_MAX {
        return Err(Malformed("a value is nested too deeply"));
    }
    let tag = from.byte()?;
    out.push(tag);
    match tag {
        127 | 126 | 121 | 120 => {}
        125 => {
            let (negative, value) = from.int()?;
            put_int(out, negative, value);
        }
        124 => out.extend_from_slice(from.take(4)?),
        123 | 122 => out.extend_from_slice(from.take(8)?),
        119 => put_bytes(out, from.text()?.as_bytes()),
        118 => {
            let count = from.count()?;
            put_uint(out, count as u64);
            for _ in 0..count {
                put_bytes(out, from.text()?.as_bytes());
                copy_any(from, out, levels + 1)?;
            }
        }
        117 => {
            let count = from.count()?;
            put_uint(out, count as u64);
            for _ in 0..count {
                copy_any(from, out, levels + 1)?;
            }
        }
        116 => put_bytes(out, from.bytes()?),
        _ => return Err(Malformed("a value is of no kind that Yjs knows")),
    }
    Ok(())
}

fn put_int(out: &mut Vec<u8>, negative: bool, mut value: u64) {
    let sign = if negative { 0x40 } else { 0 };
    let more = |rest: u64| if rest > 0 { 0x80 } else { 0 };
    out.push((value & 0x3f) as u8 | sign | more(value >> 6));
    value >>= 6;
    while value > 0 {
        out.push((value & 0x7f) as u8 | more(value >> 7));
        value >>= 7;
    }
}

/// Whether the reader that comes after us takes this text as JSON.
pub fn check_json(text: &str) -> Result<(), Malformed> {
    parse_json(text).map(|_| ())
}

fn parse_json(text: &str) -> Result<Value, Malformed> {
    serde_json::from_str(text).map_err(|_| Malformed("an embedded value is not JSON"))
}

/// The old JSON content, one text a value, as the values that took its place. `yrs` cannot read
/// the old one: it takes one text too many.
pub fn json_as_any(text: &str, out: &mut Vec<u8>) -> Result<(), Malformed> {
    if text == "undefined" {
        out.push(127);
        return Ok(());
    }
    put_any(&parse_json(text)?, out);
    Ok(())
}

fn put_any(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(126),
        Value::Bool(true) => out.push(120),
        Value::Bool(false) => out.push(121),
        Value::Number(number) => match number.as_i64().filter(|int| int.unsigned_abs() < 1 << 31) {
            Some(int) => {
                out.push(125);
                put_int(out, int < 0, int.unsigned_abs());
            }
            None => {
                out.push(123);
                out.extend_from_slice(&number.as_f64().unwrap_or_default().to_be_bytes());
            }
        },
        Value::String(text) => {
            out.push(119);
            put_bytes(out, text.as_bytes());
        }
        Value::Array(items) => {
            out.push(117);
            put_uint(out, items.len() as u64);
            items.iter().for_each(|item| put_any(item, out));
        }
        Value::Object(entries) => {
            out.push(118);
            put_uint(out, entries.len() as u64);
            for (key, entry) in entries {
                put_bytes(out, key.as_bytes());
                put_any(entry, out);
            }
        }
    }
}

/// A binary value as the JSON text that version 1 of the format has in its place. What JSON does
/// not know (bytes, `undefined`, big integers) becomes what `JSON.stringify` would make of it, or
/// a number.
pub fn any_as_json(from: &mut Reader<'_>, levels: usize) -> Result<Value, Malformed> {
    if levels > VALUE_LEVELS_MAX {
        return Err(Malformed("a value is nested too deeply"));
    }
    Ok(match from.byte()? {
        127 | 126 => Value::Null,
        121 => Value::Bool(false),
        120 => Value::Bool(true),
        125 => {
            let (negative, value) = from.int()?;
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            Value::from(if negative { -value } else { value })
        }
        124 => Value::from(f32::from_be_bytes(fixed(from)?)),
        123 => Value::from(f64::from_be_bytes(fixed(from)?)),
        122 => Value::from(i64::from_be_bytes(fixed(from)?)),
        119 => Value::from(from.text()?),
        118 => {
            let mut entries = serde_json::Map::new();
            for _ in 0..from.count()? {
                let key = from.text()?.to_owned();
                entries.insert(key, any_as_json(from, levels + 1)?);
            }
            Value::Object(entries)
        }
        117 => {
            let count = from.count()?;
            let items = (0..count).map(|_| any_as_json(from, levels + 1));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        116 => Value::Array(from.bytes()?.iter().map(|byte| Value::from(*byte)).collect()),
        _ => return Err(Malformed("a value is of no kind that Yjs knows")),
    })
}

fn fixed<const N: usize>(from: &mut Reader<'_>) -> Result<[u8; N], Malformed> {
    from.take(N)?.try_into().map_err(|_| Malformed("the update ends in the middle of a value"))
}
