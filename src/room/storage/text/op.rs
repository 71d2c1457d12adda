//! One edit of a text.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Span;
use crate::room::storage::json::{Json, Lenient, write_entries, write_number, write_string};
use crate::room::storage::limits::VALUE_DEPTH_MAX;
use crate::room::storage::op_json::Number;
use crate::room::storage::small_text::SmallText;

/// Names and values. In a text they are sorted and none is null; in a format, null removes.
pub type Attributes = Vec<(SmallText, Json)>;

#[derive(Debug, Clone, PartialEq)]
pub enum TextOp {
    Insert { index: u32, text: SmallText, units: u32, attributes: Option<Arc<Attributes>> },
    Delete { index: u32, length: u32 },
    Format { index: u32, length: u32, attributes: Arc<Attributes> },
}

/// An edit as it comes in JSON.
#[derive(Deserialize)]
pub struct WireTextOp<'a> {
    #[serde(borrow)]
    r#type: Lenient<'a>,
    index: Number,
    #[serde(default)]
    length: Option<Number>,
    #[serde(borrow, default)]
    text: Option<Lenient<'a>>,
    #[serde(borrow, default)]
    attributes: Option<&'a RawValue>,
}

impl TryFrom<WireTextOp<'_>> for TextOp {
    type Error = &'static str;

    fn try_from(wire: WireTextOp<'_>) -> Result<Self, Self::Error> {
        // Half the range, so that sums of two stay in it.
        let clamp = |number: Number| u32::try_from(number.0).unwrap_or(u32::MAX).min(u32::MAX / 2);
        let index = clamp(wire.index);
        let length = wire.length.map(clamp).ok_or("An edit of a text lacks its length");
        let attributes = wire.attributes.map(read_attributes).transpose()?;
        match wire.r#type.0.as_ref() {
            "insert" => {
                let text = wire.text.ok_or("An edit of a text lacks its text")?;
                Ok(Self::insert(index, &text.0, attributes.map(Arc::new)))
            }
            "delete" => Ok(Self::Delete { index, length: length? }),
            "format" => {
                let attributes = attributes.ok_or("An edit of a text lacks its attributes")?;
                Ok(Self::Format { index, length: length?, attributes: Arc::new(attributes) })
            }
            _ => Err("An edit of a text is of no known type"),
        }
    }
}

pub fn read_attributes(raw: &RawValue) -> Result<Attributes, &'static str> {
    let json = Json::from(raw);
    if json.depth() > VALUE_DEPTH_MAX {
        return Err("A value is nested too deep");
    }
    json.entries().ok_or("The attributes of a text must be an object")
}

impl TextOp {
    pub fn insert(index: u32, text: &str, attributes: Option<Arc<Attributes>>) -> Self {
        let units = u32::try_from(text.encode_utf16().count()).unwrap_or(u32::MAX / 2);
        Self::Insert { index, text: text.into(), units, attributes }
    }

    pub fn inserted_units(&self) -> usize {
        match self {
            Self::Insert { units, .. } => *units as usize,
            Self::Delete { .. } | Self::Format { .. } => 0,
        }
    }

    /// What later edits must know of it. A format moves nothing.
    pub fn span(&self) -> Option<Span> {
        match self {
            Self::Insert { index, units, .. } => {
                Some(Span { index: *index, length: *units, is_insert: true })
            }
            Self::Delete { index, length } => {
                Some(Span { index: *index, length: *length, is_insert: false })
            }
            Self::Format { .. } => None,
        }
    }

    /// The part of it that lies within a text of so many units. `None` when that does nothing.
    pub fn clamp(mut self, text_units: usize) -> Option<Self> {
        let text_units = u32::try_from(text_units).unwrap_or(u32::MAX);
        match &mut self {
            Self::Insert { index, units, .. } => {
                *index = text_units.min(*index);
                (*units > 0).then_some(self)
            }
            Self::Delete { index, length } | Self::Format { index, length, .. } => {
                *length = text_units.saturating_sub(*index).min(*length);
                (*length > 0).then_some(self)
            }
        }
    }

    pub fn write_all(ops: &[Self], out: &mut Vec<u8>) {
        out.push(b'[');
        for (number, op) in ops.iter().enumerate() {
            if number > 0 {
                out.push(b',');
            }
            op.write(out);
        }
        out.push(b']');
    }

    fn write(&self, out: &mut Vec<u8>) {
        let (kind, index) = match self {
            Self::Insert { index, .. } => ("insert", index),
            Self::Delete { index, .. } => ("delete", index),
            Self::Format { index, .. } => ("format", index),
        };
        out.extend_from_slice(b"{\"type\":");
        write_string(kind, out);
        out.extend_from_slice(b",\"index\":");
        write_number(u64::from(*index), out);
        if let Self::Insert { text, .. } = self {
            out.extend_from_slice(b",\"text\":");
            write_string(text, out);
        }
        if let Self::Delete { length, .. } | Self::Format { length, .. } = self {
            out.extend_from_slice(b",\"length\":");
            write_number(u64::from(*length), out);
        }
        let attributes = match self {
            Self::Insert { attributes, .. } => attributes.as_ref(),
            Self::Delete { .. } => None,
            Self::Format { attributes, .. } => Some(attributes),
        };
        if let Some(attributes) = attributes {
            out.extend_from_slice(b",\"attributes\":{");
            write_entries(attributes.iter().map(|(name, value)| (&**name, value)), out);
            out.push(b'}');
        }
        out.push(b'}');
    }
}
