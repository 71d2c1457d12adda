//! Operations: from messages to the JSON that the document reads, and from operations to messages.

use serde_json::{Map, Value, json};

use super::{to_struct, to_value};
use crate::proto::roomd::v1;
use crate::proto::roomd::v1::storage_node::Content;
use crate::proto::roomd::v1::storage_operation::Operation;
use crate::proto::roomd::v1::text_operation::Operation as Edit;
use crate::proto::value::{to_json as json_of, to_object};
use crate::room::message::OutgoingOp;
use crate::room::storage::{Body, Create, Intent, Op, TextOp, TextUpdate};

/// The operation as a client's JSON has it. What is missing in it, the document finds.
pub fn to_json(operation: v1::StorageOperation) -> Result<Value, &'static str> {
    let mut json = match operation.operation {
        None | Some(Operation::Ignored(_)) => return Err("an operation says nothing"),
        Some(Operation::Create(create)) => create_json(create)?,
        Some(Operation::SetParentKey(op)) => {
            json!({"type": 1, "id": op.id, "parentKey": op.parent_key})
        }
        Some(Operation::UpdateObject(op)) => {
            json!({"type": 3, "id": op.id, "data": to_object(op.data.unwrap_or_default())})
        }
        Some(Operation::DeleteNode(op)) => json!({"type": 5, "id": op.id}),
        Some(Operation::DeleteObjectKey(op)) => json!({"type": 6, "id": op.id, "key": op.key}),
        Some(Operation::UpdateText(op)) => {
            let edits = op.operations.into_iter().map(edit_json);
            let edits = edits.collect::<Result<Vec<_>, _>>()?;
            let base = op.base_version.max(0);
            json!({"type": 10, "id": op.id, "baseVersion": base, "ops": edits})
        }
    };
    if let Some(op_id) = operation.op_id {
        json["opId"] = op_id.into();
    }
    Ok(json)
}

fn create_json(create: v1::CreateNode) -> Result<Value, &'static str> {
    let node = create.node.ok_or("a creation lacks its node")?;
    let (kind, data) = match node.content.ok_or("a node lacks its content")? {
        Content::List(_) => (2, None),
        Content::Object(data) => (4, Some(Value::Object(to_object(data)))),
        Content::Map(_) => (7, None),
        Content::Register(data) => (8, Some(json_of(data))),
        Content::Text(text) => (9, Some(text.segments.into_iter().map(segment_json).collect())),
        Content::File(file) => (11, Some(file_json(file))),
    };
    let mut json = json!({
        "type": kind, "id": node.id, "parentId": node.parent_id, "parentKey": node.parent_key,
    });
    if let Some(data) = data {
        json["data"] = data;
    }
    if kind == 9 {
        json["version"] = 0.into();
    }
    match v1::CreateIntent::try_from(create.intent) {
        Ok(v1::CreateIntent::Push) => json["intent"] = "push".into(),
        Ok(v1::CreateIntent::Set) => json["intent"] = "set".into(),
        Ok(v1::CreateIntent::Unspecified) | Err(_) => {}
    }
    if let Some(deleted_id) = create.deleted_id {
        json["deletedId"] = deleted_id.into();
    }
    Ok(json)
}

fn file_json(file: v1::StorageFile) -> Value {
    json!({"id": file.id, "name": file.name, "size": file.size, "mimeType": file.mime_type})
}

fn segment_json(segment: v1::TextSegment) -> Value {
    match segment.attributes.map(to_object).filter(|attributes| !attributes.is_empty()) {
        Some(attributes) => json!([segment.text, attributes]),
        None => json!([segment.text]),
    }
}

fn edit_json(edit: v1::TextOperation) -> Result<Value, &'static str> {
    Ok(match edit.operation.ok_or("an edit of a text says nothing")? {
        Edit::Insert(edit) => {
            let mut json = json!({"type": "insert", "index": edit.index, "text": edit.text});
            if let Some(attributes) = edit.attributes {
                json["attributes"] = Value::Object(to_object(attributes));
            }
            json
        }
        Edit::Delete(edit) => {
            json!({"type": "delete", "index": edit.index, "length": edit.length})
        }
        Edit::Format(edit) => json!({
            "type": "format", "index": edit.index, "length": edit.length,
            "attributes": to_object(edit.attributes.unwrap_or_default()),
        }),
    })
}

/// An operation as everybody sees it, or, with its id, as its sender does.
pub fn from_outgoing(outgoing: &OutgoingOp) -> Option<v1::StorageOperation> {
    let (op_id, operation) = match outgoing {
        OutgoingOp::Ignored { op_id } => (Some(op_id), Operation::Ignored(v1::IgnoredOperation {})),
        OutgoingOp::Op { op, op_id } => (op_id.as_ref(), from_op(op)?),
    };
    let op_id = op_id.map(ToString::to_string);
    Some(v1::StorageOperation { op_id, operation: Some(operation) })
}

/// `None` for an operation that nobody knows, which changed nothing.
fn from_op(op: &Op) -> Option<Operation> {
    Some(match op {
        Op::Create(create) => Operation::Create(from_create(create)),
        Op::SetParentKey { id, parent_key } => Operation::SetParentKey(v1::SetParentKey {
            id: id.to_string(),
            parent_key: parent_key.to_string(),
        }),
        Op::UpdateObject { id, data } => Operation::UpdateObject(v1::UpdateObject {
            id: id.to_string(),
            data: Some(to_struct(data.get())),
        }),
        Op::DeleteCrdt { id } => Operation::DeleteNode(v1::DeleteNode { id: id.to_string() }),
        Op::DeleteObjectKey { id, key } => Operation::DeleteObjectKey(v1::DeleteObjectKey {
            id: id.to_string(),
            key: key.to_string(),
        }),
        Op::UpdateText(update) => Operation::UpdateText(from_text_update(update)),
        Op::Unknown => return None,
    })
}

fn from_create(create: &Create) -> v1::CreateNode {
    let content = match &create.body {
        Body::List => Content::List(v1::EmptyNode {}),
        Body::Map => Content::Map(v1::EmptyNode {}),
        Body::Object(data) => Content::Object(to_struct(data.get())),
        Body::Register(data) => Content::Register(to_value(data.get())),
        Body::Text { segments, version } => Content::Text(v1::TextNode {
            segments: segments_of(&serde_json::from_str(segments.get()).unwrap_or_default()),
            version: i64::try_from(*version).unwrap_or(i64::MAX),
        }),
        Body::File(data) => {
            Content::File(file_of(&serde_json::from_str(data.get()).unwrap_or_default()))
        }
    };
    let intent = match create.intent {
        Intent::Insert => v1::CreateIntent::Unspecified,
        Intent::Push => v1::CreateIntent::Push,
        Intent::Set => v1::CreateIntent::Set,
    };
    v1::CreateNode {
        node: Some(v1::StorageNode {
            id: create.id.to_string(),
            parent_id: Some(create.parent_id.to_string()),
            parent_key: Some(create.parent_key.to_string()),
            content: Some(content),
        }),
        intent: intent.into(),
        deleted_id: create.deleted_id.as_ref().map(ToString::to_string),
    }
}

fn from_text_update(update: &TextUpdate) -> v1::UpdateText {
    let version = |version: u64| i64::try_from(version).unwrap_or(i64::MAX);
    v1::UpdateText {
        id: update.id.to_string(),
        base_version: version(update.base_version),
        operations: update.ops.iter().map(from_edit).collect(),
        version: update.version.map(version),
    }
}

fn from_edit(edit: &TextOp) -> v1::TextOperation {
    let operation = match edit {
        TextOp::Insert { index, text, attributes, .. } => Edit::Insert(v1::InsertText {
            index: *index,
            text: text.to_string(),
            attributes: attributes.as_deref().map(attributes_of),
        }),
        TextOp::Delete { index, length } => {
            Edit::Delete(v1::DeleteText { index: *index, length: *length })
        }
        TextOp::Format { index, length, attributes } => Edit::Format(v1::FormatText {
            index: *index,
            length: *length,
            attributes: Some(attributes_of(attributes)),
        }),
    };
    v1::TextOperation { operation: Some(operation) }
}

fn attributes_of(attributes: &crate::room::storage::Attributes) -> prost_types::Struct {
    let entry = |(name, value): &(crate::room::storage::SmallText, crate::room::storage::Json)| {
        (name.to_string(), to_value(value.get()))
    };
    prost_types::Struct { fields: attributes.iter().map(entry).collect() }
}

/// `[["text"], ["text", {attributes}]]`.
pub fn segments_of(segments: &Value) -> Vec<v1::TextSegment> {
    let segments = segments.as_array().map(Vec::as_slice).unwrap_or_default();
    let segment = |segment: &Value| v1::TextSegment {
        text: segment.get(0).and_then(Value::as_str).unwrap_or_default().to_owned(),
        attributes: segment.get(1).and_then(Value::as_object).map(from_map),
    };
    segments.iter().map(segment).collect()
}

fn from_map(object: &Map<String, Value>) -> prost_types::Struct {
    crate::proto::value::from_object(object.clone())
}

pub fn file_of(file: &Value) -> v1::StorageFile {
    let text = |name: &str| file.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let size = file.get("size").and_then(Value::as_u64).unwrap_or_default();
    v1::StorageFile {
        id: text("id"),
        name: text("name"),
        size: u32::try_from(size).unwrap_or(u32::MAX),
        mime_type: text("mimeType"),
    }
}
