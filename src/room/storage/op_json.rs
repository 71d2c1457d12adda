//! Ops as JSON, in the form of the wire.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use serde_json::value::RawValue;

use super::json::{Json, Lenient, write_number, write_string};
use super::limits::{ID_BYTES_MAX, KEY_BYTES_MAX, OP_BYTES_MAX, TEXT_OPS_MAX, VALUE_DEPTH_MAX};
use super::op::{Body, Create, Intent, Op, TextUpdate};
use super::small_text::SmallText;
use super::text::{TextOp, WireTextOp};

/// JSON that is no op, or an op over a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadOp {
    /// To refuse it by, when there is one in it.
    pub op_id: Option<String>,
    pub problem: &'static str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    r#type: Number,
    #[serde(borrow, default)]
    op_id: Option<Lenient<'a>>,
    #[serde(borrow, default)]
    id: Option<Lenient<'a>>,
    #[serde(borrow, default)]
    parent_id: Option<Lenient<'a>>,
    #[serde(borrow, default)]
    parent_key: Option<Lenient<'a>>,
    #[serde(borrow, default)]
    key: Option<Lenient<'a>>,
    #[serde(borrow, default)]
    intent: Option<Lenient<'a>>,
    #[serde(borrow, default)]
    deleted_id: Option<Lenient<'a>>,
    // A value of null is a value; only an absent one is none.
    #[serde(borrow, default, deserialize_with = "some_raw")]
    data: Option<&'a RawValue>,
    #[serde(default)]
    version: Option<Number>,
    #[serde(default)]
    base_version: Option<Number>,
    #[serde(borrow, default)]
    ops: Option<Vec<WireTextOp<'a>>>,
    /// Only in the log.
    #[serde(default)]
    accepted: Option<Number>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OnlyOpId<'a> {
    #[serde(borrow, default)]
    op_id: Option<Lenient<'a>>,
}

fn some_raw<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// A number of JavaScript as a count: cut to what fits, without its fraction.
#[derive(Debug, Clone, Copy)]
pub struct Number(pub u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor).map(Self)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_u64<E>(self, number: u64) -> Result<u64, E> {
        Ok(number)
    }

    fn visit_i64<E>(self, number: i64) -> Result<u64, E> {
        Ok(u64::try_from(number).unwrap_or(0))
    }

    fn visit_f64<E>(self, number: f64) -> Result<u64, E> {
        // The cast cuts off at both ends.
        Ok(number as u64)
    }
}

/// An op, and the id under which its sender wants it acknowledged.
pub type Incoming = (Option<SmallText>, Op);

impl Op {
    pub fn parse(raw: &str) -> Result<Incoming, BadOp> {
        read_bounded(raw).map_err(|problem| {
            // Slow, and only for what is wrong.
            let found = serde_json::from_str::<OnlyOpId>(raw).ok().and_then(|found| found.op_id);
            let op_id = found.map(|id| id.0.into_owned()).filter(|id| id.len() <= ID_BYTES_MAX);
            BadOp { op_id, problem }
        })
    }

    /// The op as a JSON object; with an `op_id` as its sender sees it, without as everybody else.
    pub fn write_json(&self, op_id: Option<&str>, out: &mut Vec<u8>) {
        let mut writer = Writer { out, op_id };
        match self {
            Self::Create(create) => writer.create(create),
            Self::SetParentKey { id, parent_key } => {
                writer.start(1, id);
                writer.text("parentKey", parent_key);
            }
            Self::UpdateObject { id, data } => {
                writer.start(3, id);
                writer.json("data", data);
            }
            Self::DeleteCrdt { id } => writer.start(5, id),
            Self::DeleteObjectKey { id, key } => {
                writer.start(6, id);
                writer.text("key", key);
            }
            Self::UpdateText(update) => writer.update_text(update),
            // Nobody is told of it; this is what acknowledges it.
            Self::Unknown => writer.start(5, "ACK"),
        }
        out.push(b'}');
    }
}

/// Acknowledges an op that was ignored: a deletion of a node that nobody has.
pub fn write_ack(op_id: &str, out: &mut Vec<u8>) {
    Op::Unknown.write_json(Some(op_id), out);
}

fn read_bounded(raw: &str) -> Result<Incoming, &'static str> {
    if raw.len() > OP_BYTES_MAX {
        return Err("The op is too large");
    }
    let (op_id, op) = read(raw)?;
    match op {
        Op::UpdateText(update) if update.ops.len() > TEXT_OPS_MAX => {
            Err("The op has too many edits")
        }
        op => Ok((op_id, op)),
    }
}

/// Without the limits on the whole: what was accepted once may have grown by what was corrected.
pub(super) fn read(raw: &str) -> Result<Incoming, &'static str> {
    let mut wire: Wire = serde_json::from_str(raw).map_err(|_| "The op is malformed")?;
    let op_id = wire.op_id.take().map(|id| bounded(id, ID_BYTES_MAX)).transpose()?;
    Ok((op_id, wire.read()?))
}

fn bounded(text: Lenient<'_>, bytes_max: usize) -> Result<SmallText, &'static str> {
    if text.0.len() > bytes_max {
        return Err("An id or a key of the op is too long");
    }
    Ok(text.0.as_ref().into())
}

fn id(field: Option<Lenient<'_>>) -> Result<SmallText, &'static str> {
    bounded(field.ok_or("The op lacks an id")?, ID_BYTES_MAX)
}

fn key(field: Option<Lenient<'_>>) -> Result<SmallText, &'static str> {
    bounded(field.ok_or("The op lacks a key")?, KEY_BYTES_MAX)
}

impl Wire<'_> {
    fn read(self) -> Result<Op, &'static str> {
        Ok(match self.r#type.0 {
            1 => Op::SetParentKey { id: id(self.id)?, parent_key: key(self.parent_key)? },
            3 => Op::UpdateObject { data: self.object()?, id: id(self.id)? },
            5 => Op::DeleteCrdt { id: id(self.id)? },
            6 => Op::DeleteObjectKey { id: id(self.id)?, key: key(self.key)? },
            10 => Op::UpdateText(self.update_text()?),
            2 | 4 | 7 | 8 | 9 | 11 => Op::Create(self.create()?),
            _ => Op::Unknown,
        })
    }

    fn create(self) -> Result<Create, &'static str> {
        let body = match self.r#type.0 {
            2 => Body::List,
            4 => Body::Object(self.object()?),
            7 => Body::Map,
            8 => Body::Register(self.value()?.unwrap_or_else(Json::null)),
            9 => Body::Text {
                segments: self.value()?.ok_or("The op lacks its data")?,
                version: self.version.map_or(0, |version| version.0),
            },
            _ => Body::File(self.value()?.ok_or("The op lacks its data")?),
        };
        let intent = match self.intent.as_ref().map(|intent| intent.0.as_ref()) {
            Some("push") => Intent::Push,
            Some("set") => Intent::Set,
            _ => Intent::Insert,
        };
        let deleted_id = self.deleted_id.map(|id| bounded(id, ID_BYTES_MAX)).transpose()?;
        Ok(Create {
            id: id(self.id)?,
            parent_id: id(self.parent_id)?,
            parent_key: key(self.parent_key)?,
            body,
            intent,
            deleted_id,
        })
    }

    fn update_text(self) -> Result<TextUpdate, &'static str> {
        let ops = self.ops.ok_or("The op lacks its edits")?;
        let ops = ops.into_iter().map(TextOp::try_from).collect::<Result<Vec<_>, _>>()?;
        let accepted = self.accepted.map_or(ops.len() as u64, |number| number.0);
        Ok(TextUpdate {
            id: id(self.id)?,
            base_version: self.base_version.ok_or("The op lacks its base version")?.0,
            version: self.version.map(|version| version.0),
            accepted: u32::try_from(accepted).unwrap_or(u32::MAX),
            ops,
        })
    }

    fn value(&self) -> Result<Option<Json>, &'static str> {
        let Some(value) = self.data.map(Json::from) else { return Ok(None) };
        if value.depth() > VALUE_DEPTH_MAX {
            return Err("A value is nested too deep");
        }
        Ok(Some(value))
    }

    fn object(&self) -> Result<Json, &'static str> {
        let data = self.value()?.unwrap_or_else(Json::empty_object);
        if data.is_object() { Ok(data) } else { Err("The data of an object must be an object") }
    }
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    op_id: Option<&'a str>,
}

impl Writer<'_> {
    fn start(&mut self, code: u64, id: &str) {
        self.out.extend_from_slice(b"{\"type\":");
        write_number(code, self.out);
        if let Some(op_id) = self.op_id {
            self.text("opId", op_id);
        }
        self.text("id", id);
    }

    fn name(&mut self, name: &str) {
        self.out.extend_from_slice(b",\"");
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        write_string(value, self.out);
    }

    fn json(&mut self, name: &str, value: &Json) {
        self.name(name);
        self.out.extend_from_slice(value.get().as_bytes());
    }

    fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        write_number(value, self.out);
    }

    fn create(&mut self, create: &Create) {
        let code = match create.body {
            Body::List => 2,
            Body::Object(_) => 4,
            Body::Map => 7,
            Body::Register(_) => 8,
            Body::Text { .. } => 9,
            Body::File(_) => 11,
        };
        self.start(code, &create.id);
        self.text("parentId", &create.parent_id);
        self.text("parentKey", &create.parent_key);
        match &create.body {
            Body::List | Body::Map => {}
            Body::Object(data) | Body::Register(data) | Body::File(data) => {
                self.json("data", data);
            }
            Body::Text { segments, version } => {
                self.json("data", segments);
                self.number("version", *version);
            }
        }
        match create.intent {
            Intent::Insert => {}
            Intent::Push => self.text("intent", "push"),
            Intent::Set => self.text("intent", "set"),
        }
        if let Some(deleted) = &create.deleted_id {
            self.text("deletedId", deleted);
        }
    }

    fn update_text(&mut self, update: &TextUpdate) {
        self.start(10, &update.id);
        self.number("baseVersion", update.base_version);
        self.name("ops");
        TextOp::write_all(&update.ops, self.out);
        if let Some(version) = update.version {
            self.number("version", version);
        }
    }
}
