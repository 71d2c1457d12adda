//! A client's frame into messages. Every byte is looked at once, apart from values that are passed
//! on as they came, which are only skipped here.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{feeds, kind};
use crate::room::close::CloseReason;
use crate::room::message::{ClientMessage, ClientOp, OPS_MAX, RawJson};
use crate::room::storage::{Op, SmallText};
use crate::room::yjs::{Encoding, GUID_BYTES_MAX};

/// Messages in one frame. Clients keep every Yjs update that they make without a connection, one
/// for each keystroke, and send all of them at once when they are back; an update is 64 bytes of
/// JSON, so that the largest frame holds this many.
pub const MESSAGES_MAX: usize = 256 * 1024;
/// Levels of nesting in presence and in events.
pub const DEPTH_MAX: usize = 128;

/// The state vector of a document in which there is nothing.
const EMPTY_STATE_VECTOR: &[u8] = &[0];

/// Clients write the padding; not every other does.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What one frame says.
#[derive(Debug, Default)]
pub struct Parsed {
    pub messages: Vec<ClientMessage>,
    /// Operations that are none: the sender must forget them, and may go on.
    pub rejections: Vec<Rejection>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    pub op_id: SmallText,
    pub problem: &'static str,
}

/// Reads a text frame. A frame that is one object is taken for a frame with one message.
pub fn parse(text: &str) -> Result<Parsed, CloseReason> {
    let mut reader = FrameReader::default();
    let mut json = serde_json::Deserializer::from_str(text);
    let read = match text.trim_ascii_start().starts_with('[') {
        true => reader.deserialize(&mut json),
        false => Message::deserialize(&mut json).and_then(|message| reader.take(message)),
    };
    match read.and_then(|()| json.end()) {
        Ok(()) => Ok(reader.parsed),
        Err(_) => Err(reader
            .refusal
            .unwrap_or(CloseReason::NotUnderstood("a frame must be a JSON array of messages"))),
    }
}

/// Takes one message after another, so that a frame of many small ones is never in memory as all
/// of the fields that they might have had.
#[derive(Default)]
struct FrameReader {
    parsed: Parsed,
    messages: usize,
    ops: usize,
    /// What is wrong with the frame, if it is JSON at all.
    refusal: Option<CloseReason>,
}

impl FrameReader {
    fn take<E: serde::de::Error>(&mut self, message: Message<'_>) -> Result<(), E> {
        self.messages += 1;
        self.ops += message.ops_len();
        let taken = match (self.messages > MESSAGES_MAX, self.ops > OPS_MAX) {
            // Its sender has dropped them all by now, and may come back.
            (true, _) => Err(CloseReason::TooManyMessages),
            (false, true) => Err(CloseReason::NotUnderstood("too many operations in one frame")),
            (false, false) => message.read(&mut self.parsed).map_err(CloseReason::NotUnderstood),
        };
        taken.map_err(|refusal| {
            self.refusal = Some(refusal);
            E::custom("the message was refused")
        })
    }
}

/// A message before it is known which. What fields it needs depends on its type, which may come
/// behind them.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "type", borrow)]
    kind: Field<'a>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    event: Option<&'a RawValue>,
    #[serde(rename = "targetActor", borrow, default)]
    target: Field<'a>,
    #[serde(borrow, default)]
    ops: Field<'a>,
    #[serde(borrow, default)]
    vector: Field<'a>,
    #[serde(borrow, default)]
    update: Field<'a>,
    #[serde(borrow, default)]
    guid: Field<'a>,
    #[serde(borrow, default)]
    v2: Field<'a>,
    // Of feeds, which are read by whoever knows what they should be.
    #[serde(rename = "requestId", borrow, default)]
    request_id: Option<&'a RawValue>,
    #[serde(rename = "feedId", borrow, default)]
    feed_id: Option<&'a RawValue>,
    #[serde(rename = "messageId", borrow, default)]
    message_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    cursor: Option<&'a RawValue>,
    #[serde(borrow, default)]
    since: Option<&'a RawValue>,
    #[serde(borrow, default)]
    limit: Option<&'a RawValue>,
    #[serde(rename = "createdAt", borrow, default)]
    created_at: Option<&'a RawValue>,
    #[serde(rename = "updatedAt", borrow, default)]
    updated_at: Option<&'a RawValue>,
}

/// A field of whatever JSON type, so that a message of an unknown kind may have any.
#[derive(Default)]
enum Field<'a> {
    #[default]
    Absent,
    Flag(bool),
    Integer(i64),
    Text(Cow<'a, str>),
    List(Vec<&'a RawValue>),
    /// With more than any field may have.
    LongList,
    Other,
}

impl<'a> Message<'a> {
    fn ops_len(&self) -> usize {
        match &self.ops {
            Field::List(ops) => ops.len(),
            Field::LongList => OPS_MAX + 1,
            _ => 0,
        }
    }

    fn read(self, parsed: &mut Parsed) -> Result<(), &'static str> {
        let Field::Integer(kind) = self.kind else { return Err("a type must be a whole number") };
        let message = match kind {
            kind::PRESENCE => self.presence()?,
            kind::EVENT => ClientMessage::Broadcast { event: self.event()? },
            kind::STORAGE => ClientMessage::FetchStorage,
            kind::OPS => match self.ops(&mut parsed.rejections)? {
                none if none.is_empty() => return Ok(()),
                ops => ClientMessage::Ops(ops),
            },
            kind::YJS => {
                let state_vector = match decode(&self.vector, "a vector must be base64")? {
                    empty if empty.is_empty() => Bytes::from_static(EMPTY_STATE_VECTOR),
                    vector => vector,
                };
                let (guid, encoding) = (self.guid()?, self.encoding());
                ClientMessage::FetchYjs { state_vector, guid, encoding }
            }
            kind::YJS_UPDATE => {
                let update = decode(&self.update, "an update must be base64")?;
                let (guid, encoding) = (self.guid()?, self.encoding());
                ClientMessage::UpdateYjs { update, guid, encoding }
            }
            kind::FETCH_FEEDS..=kind::DELETE_FEED_MESSAGE => {
                ClientMessage::Feed(feeds::read(kind, &self.feed_parts())?)
            }
            _ => return Ok(()),
        };
        parsed.messages.push(message);
        Ok(())
    }

    fn feed_parts(&self) -> feeds::Parts<'a> {
        feeds::Parts {
            request_id: self.request_id,
            feed_id: self.feed_id,
            message_id: self.message_id,
            id: self.id,
            data: self.data,
            metadata: self.metadata,
            cursor: self.cursor,
            since: self.since,
            limit: self.limit,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }

    fn presence(&self) -> Result<ClientMessage, &'static str> {
        let data = self.data.filter(|data| data.get().starts_with('{'));
        let data = keep(data.ok_or("a presence must be an object")?)?;
        let target = match self.target {
            Field::Absent => None,
            Field::Integer(actor) => Some(actor),
            _ => return Err("a targetActor must be a whole number"),
        };
        Ok(ClientMessage::Presence { data, target })
    }

    /// An event of `undefined` does not come at all.
    fn event(&self) -> Result<RawJson, &'static str> {
        keep(self.event.unwrap_or(RawValue::NULL))
    }

    fn ops(self, rejections: &mut Vec<Rejection>) -> Result<Vec<ClientOp>, &'static str> {
        let Field::List(raws) = self.ops else { return Err("ops must be a list") };
        let mut ops = Vec::with_capacity(raws.len());
        for raw in raws {
            match Op::parse(raw.get()) {
                Ok((op_id, op)) => ops.push(ClientOp { op_id, op }),
                Err(bad) => match bad.op_id {
                    Some(op_id) => {
                        let op_id = op_id.as_str().into();
                        rejections.push(Rejection { op_id, problem: bad.problem });
                    }
                    None => return Err(bad.problem),
                },
            }
        }
        Ok(ops)
    }

    fn guid(&self) -> Result<Option<std::sync::Arc<str>>, &'static str> {
        match &self.guid {
            Field::Absent => Ok(None),
            Field::Text(guid) if guid.len() <= GUID_BYTES_MAX => Ok(Some(guid.as_ref().into())),
            _ => Err("a guid must be a short text"),
        }
    }

    fn encoding(&self) -> Encoding {
        match self.v2 {
            Field::Flag(true) => Encoding::V2,
            _ => Encoding::V1,
        }
    }
}

fn decode(field: &Field<'_>, problem: &'static str) -> Result<Bytes, &'static str> {
    let Field::Text(text) = field else { return Err(problem) };
    BASE64.decode(text.as_ref()).map(Bytes::from).map_err(|_| problem)
}

/// Keeps a value to be passed on. Whoever gets it may read it recursively.
fn keep(raw: &RawValue) -> Result<RawJson, &'static str> {
    if depth(raw.get()) > DEPTH_MAX {
        return Err("a value is nested too deep");
    }
    Ok(raw.to_owned().into())
}

/// How deep valid JSON is nested.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut is_text, mut is_escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => is_text = !is_text,
            _ if is_text => {}
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

impl<'de> DeserializeSeed<'de> for &mut FrameReader {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for &mut FrameReader {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(message) = seq.next_element()? {
            self.take::<A::Error>(message)?;
        }
        Ok(())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Field<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Field::Absent)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Field::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Field::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(number).map_or(Field::Other, Field::Integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Field::Other)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Field::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = seq.next_element()? {
            if list.len() == OPS_MAX {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Field::LongList);
            }
            list.push(element);
        }
        Ok(Field::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }
}
