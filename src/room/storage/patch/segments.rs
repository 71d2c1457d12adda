//! Patches within a LiveText, whose segments are JSON to the patch and an edit to everybody else.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

use super::super::json::Json;
use super::super::node_ref::NodeRef;
use super::super::op::{Op, TextUpdate};
use super::super::text::{Attributes, Segment, TextBody, TextOp};
use super::pointer::{index, show};

/// The segments of a LiveText.
pub(super) fn read(text: NodeRef<'_>) -> Option<Value> {
    let mut json = Vec::new();
    text.text()?.write_segments(&mut json);
    serde_json::from_slice(&json).ok()
}

/// The edit that turns the segments of a text into these. `None` if they are the same.
pub(super) fn update(text: NodeRef<'_>, data: &Value) -> Result<Option<Op>, String> {
    let current = text.text().ok_or("there is no text")?;
    let wanted = TextBody::new(&Json::from(data), 0)?;
    let ops = edits(&current.segments(), &wanted.pieces().segments());
    if ops.is_empty() {
        return Ok(None);
    }
    let (id, base_version) = (text.id().into(), current.version());
    Ok(Some(Op::UpdateText(TextUpdate { id, base_version, ops, version: None, accepted: 0 })))
}

/// A stretch of text of one style.
type Run<'s> = (&'s str, Option<&'s Arc<Attributes>>);

/// Leaves alone what both have at the beginning and at the end.
fn edits(old: &[Segment], new: &[Segment]) -> Vec<TextOp> {
    fn runs(segments: &[Segment]) -> VecDeque<Run<'_>> {
        segments.iter().map(|segment| (&*segment.text, segment.attributes.as_ref())).collect()
    }
    let (mut old, mut new) = (runs(old), runs(new));
    let start = strip_front(&mut old, &mut new);
    strip_back(&mut old, &mut new);
    let mut ops = Vec::new();
    let length = old.iter().map(|(text, _)| units(text)).sum();
    if length > 0 {
        ops.push(TextOp::Delete { index: start, length });
    }
    let mut index = start;
    for (text, attributes) in new {
        ops.push(TextOp::insert(index, text, attributes.cloned()));
        index += units(text);
    }
    ops
}

/// Takes off what is the same, and tells how long it is in UTF-16 code units.
fn strip_front(old: &mut VecDeque<Run<'_>>, new: &mut VecDeque<Run<'_>>) -> u32 {
    let mut stripped = 0;
    while let (Some(one), Some(other)) = (old.front_mut(), new.front_mut()) {
        let pairs = one.0.char_indices().zip(other.0.chars());
        let same = if one.1 == other.1 {
            let differs = pairs.into_iter().find(|((_, one), other)| one != other);
            differs.map_or(one.0.len().min(other.0.len()), |((at, _), _)| at)
        } else {
            0
        };
        stripped += units(one.0.get(..same).unwrap_or_default());
        one.0 = one.0.get(same..).unwrap_or_default();
        other.0 = other.0.get(same..).unwrap_or_default();
        let (is_old_done, is_new_done) = (one.0.is_empty(), other.0.is_empty());
        old.pop_front_if(|_| is_old_done);
        new.pop_front_if(|_| is_new_done);
        if !(is_old_done && is_new_done) {
            break;
        }
    }
    stripped
}

fn strip_back(old: &mut VecDeque<Run<'_>>, new: &mut VecDeque<Run<'_>>) {
    while let (Some(one), Some(other)) = (old.back_mut(), new.back_mut()) {
        if one.1 != other.1 {
            return;
        }
        let pairs = one.0.chars().rev().zip(other.0.chars().rev());
        let same: usize =
            pairs.take_while(|(one, other)| one == other).map(|(one, _)| one.len_utf8()).sum();
        one.0 = one.0.get(..one.0.len() - same).unwrap_or_default();
        other.0 = other.0.get(..other.0.len() - same).unwrap_or_default();
        let (is_old_done, is_new_done) = (one.0.is_empty(), other.0.is_empty());
        old.pop_back_if(|_| is_old_done);
        new.pop_back_if(|_| is_new_done);
        if !(is_old_done && is_new_done) {
            return;
        }
    }
}

fn units(text: &str) -> u32 {
    u32::try_from(text.encode_utf16().count()).unwrap_or(u32::MAX)
}

/// What to do at a place in the segments.
pub(super) enum Change {
    Add(Value),
    Replace(Value),
    Remove,
}

pub(super) fn get<'v>(data: &'v Value, steps: &[String]) -> Option<&'v Value> {
    steps.iter().try_fold(data, |value, step| match value {
        Value::Array(items) => items.get(index(step)?),
        Value::Object(fields) => fields.get(step),
        _ => None,
    })
}

/// RFC 6902 on plain JSON.
pub(super) fn change(data: &mut Value, steps: &[String], change: Change) -> Result<(), String> {
    let Some((last, above)) = steps.split_last() else {
        return match change {
            Change::Add(value) | Change::Replace(value) => {
                *data = value;
                Ok(())
            }
            Change::Remove => Err("the data of a LiveText cannot be removed".to_owned()),
        };
    };
    let missing = || format!("there is nothing at '{}' in the data", show(steps));
    let mut parent = data;
    for step in above {
        let next = match parent {
            Value::Array(items) => index(step).and_then(|index| items.get_mut(index)),
            Value::Object(fields) => fields.get_mut(step),
            _ => None,
        };
        parent = next.ok_or_else(missing)?;
    }
    let done = match parent {
        Value::Array(items) => change_item(items, last, change),
        Value::Object(fields) => match change {
            Change::Add(value) => {
                fields.insert(last.clone(), value);
                Some(())
            }
            Change::Replace(value) => fields.get_mut(last).map(|field| *field = value),
            Change::Remove => fields.remove(last).map(drop),
        },
        _ => None,
    };
    done.ok_or_else(missing)
}

fn change_item(items: &mut Vec<Value>, step: &str, change: Change) -> Option<()> {
    let index = if step == "-" { items.len() } else { index(step)? };
    match change {
        Change::Add(value) if index <= items.len() => items.insert(index, value),
        Change::Replace(value) => *items.get_mut(index)? = value,
        Change::Remove if index < items.len() => drop(items.remove(index)),
        Change::Add(_) | Change::Remove => return None,
    }
    Some(())
}
