//! The ops: what a client sends, what the document did, and what the log keeps.

use super::json::Json;
use super::small_text::SmallText;
use super::text::TextOp;

#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    Create(Create),
    /// Moves an item within its list.
    SetParentKey {
        id: SmallText,
        parent_key: SmallText,
    },
    /// Sets some keys of a live object to plain values. `data` is an object.
    UpdateObject {
        id: SmallText,
        data: Json,
    },
    DeleteCrdt {
        id: SmallText,
    },
    DeleteObjectKey {
        id: SmallText,
        key: SmallText,
    },
    UpdateText(TextUpdate),
    /// An op of a code that this server does not know. It is acknowledged and not applied.
    Unknown,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Create {
    pub id: SmallText,
    pub parent_id: SmallText,
    pub parent_key: SmallText,
    pub body: Body,
    pub intent: Intent,
    /// The item that the sender replaced.
    pub deleted_id: Option<SmallText>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    List,
    Map,
    /// Its plain values: an object.
    Object(Json),
    Register(Json),
    Text {
        segments: Json,
        version: u64,
    },
    File(Json),
}

/// What to do when something already has the position in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Intent {
    /// Stand right behind it.
    #[default]
    Insert,
    /// Stand at the end of the list.
    Push,
    /// Replace it.
    Set,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TextUpdate {
    pub id: SmallText,
    /// The version that the edits start from.
    pub base_version: u64,
    pub ops: Vec<TextOp>,
    /// The version that they make. The server adds it.
    pub version: Option<u64>,
    /// How many edits of the client's op are now in the text: only for the log, since what is
    /// applied after a transformation may be more or fewer.
    pub accepted: u32,
}

impl Op {
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Create(create) => Some(&create.id),
            Self::SetParentKey { id, .. }
            | Self::UpdateObject { id, .. }
            | Self::DeleteCrdt { id }
            | Self::DeleteObjectKey { id, .. } => Some(id),
            Self::UpdateText(update) => Some(&update.id),
            Self::Unknown => None,
        }
    }

    /// The bytes of the JSON values in it; the edits of a text are none.
    pub fn value_bytes(&self) -> usize {
        match self {
            Self::Create(create) => match &create.body {
                Body::Object(json) | Body::Register(json) | Body::File(json) => json.get().len(),
                Body::Text { segments, .. } => segments.get().len(),
                Body::List | Body::Map => 0,
            },
            Self::UpdateObject { data, .. } => data.get().len(),
            Self::UpdateText(_)
            | Self::SetParentKey { .. }
            | Self::DeleteCrdt { .. }
            | Self::DeleteObjectKey { .. }
            | Self::Unknown => 0,
        }
    }

    /// The stored file that this op refers to. Whether it was uploaded is the caller's to check.
    pub fn file_id(&self) -> Option<String> {
        let Self::Create(Create { body: Body::File(data), .. }) = self else { return None };
        super::node_ref::FileRef::read(data).map(|file| file.id)
    }
}
