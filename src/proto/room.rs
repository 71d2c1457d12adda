//! Rooms between messages and domain values. A field's name in an error is its name in JSON.

use std::collections::BTreeMap;

use prost_types::value::Kind;
use prost_types::{ListValue, Timestamp, Value};

use super::roomd::v1;
use crate::domain::ids::{OrganizationId, RoomId};
use crate::domain::metadata::{MetadataValue, RoomMetadata};
use crate::domain::permissions::{BaseRule, ScopeList};
use crate::domain::room::{Accesses, Engine, MapPatch, Room, RoomDraft, RoomPatch, parse_access};
use crate::domain::text::excerpt;
use crate::error::Error;

impl From<&Room> for v1::Room {
    fn from(room: &Room) -> Self {
        Self {
            r#type: "room".to_owned(),
            id: room.id.as_str().to_owned(),
            last_connection_at: room.last_connection_at_ms.map(timestamp),
            created_at: Some(timestamp(room.created_at_ms)),
            organization_id: room.organization_id.as_str().to_owned(),
            default_accesses: scopes(&room.default_accesses).collect(),
            groups_accesses: accesses(&room.groups_accesses),
            users_accesses: accesses(&room.users_accesses),
            metadata: room
                .metadata
                .iter()
                .map(|(key, value)| (key.clone(), metadata(value)))
                .collect(),
        }
    }
}

pub fn timestamp(ms: i64) -> Timestamp {
    let nanos = i32::try_from(ms.rem_euclid(1000)).unwrap_or(0) * 1_000_000;
    Timestamp { seconds: ms.div_euclid(1000), nanos }
}

/// A moment in milliseconds, rounded down.
pub fn millis(at: &Timestamp) -> i64 {
    at.seconds.saturating_mul(1000).saturating_add(i64::from(at.nanos / 1_000_000))
}

fn text(text: String) -> Value {
    Value { kind: Some(Kind::StringValue(text)) }
}

fn scopes(list: &ScopeList) -> impl Iterator<Item = String> + '_ {
    list.iter().map(|scope| scope.as_str().to_owned())
}

fn accesses(accesses: &Accesses) -> BTreeMap<String, ListValue> {
    let list = |found: &ScopeList| ListValue { values: scopes(found).map(text).collect() };
    accesses.iter().map(|(id, found)| (id.clone(), list(found))).collect()
}

fn metadata(value: &MetadataValue) -> Value {
    match value {
        MetadataValue::One(one) => text(one.clone()),
        MetadataValue::Many(many) => {
            let values = many.iter().cloned().map(text).collect();
            Value { kind: Some(Kind::ListValue(ListValue { values })) }
        }
    }
}

/// `organizationId`, or its older name.
pub fn organization(id: &str, tenant_id: &str) -> Result<Option<OrganizationId>, Error> {
    match (id, tenant_id) {
        ("", "") => Ok(None),
        ("", tenant) => OrganizationId::parse("tenantId", tenant).map(Some),
        (id, _) => OrganizationId::parse("organizationId", id).map(Some),
    }
}

impl TryFrom<v1::CreateRoomRequest> for RoomDraft {
    type Error = Error;

    fn try_from(request: v1::CreateRoomRequest) -> Result<Self, Error> {
        let id = RoomId::parse_new("id", &request.id)?;
        let create = v1::RoomCreate {
            default_accesses: request.default_accesses,
            users_accesses: request.users_accesses,
            groups_accesses: request.groups_accesses,
            metadata: request.metadata,
            organization_id: request.organization_id,
            tenant_id: request.tenant_id,
            engine: request.engine,
        };
        draft("", id, create)
    }
}

/// `within` is how the message's own fields are reached in the request: `create.`, or nothing.
pub fn draft(within: &str, id: RoomId, create: v1::RoomCreate) -> Result<RoomDraft, Error> {
    let field = |name: &str| format!("{within}{name}");
    let organization_id = organization(&create.organization_id, &create.tenant_id)?;
    let draft = RoomDraft {
        id,
        organization_id: organization_id.unwrap_or_default(),
        default_accesses: ScopeList::parse(
            &field("defaultAccesses"),
            &create.default_accesses,
            BaseRule::Required,
        )?,
        users_accesses: read_accesses(&field("usersAccesses"), create.users_accesses)?,
        groups_accesses: read_accesses(&field("groupsAccesses"), create.groups_accesses)?,
        metadata: read_metadata(&field("metadata"), create.metadata)?,
        engine: engine(&field("engine"), create.engine)?,
    };
    draft.check()?;
    Ok(draft)
}

fn engine(field: &str, number: i32) -> Result<Engine, Error> {
    match v1::StorageEngine::try_from(number) {
        Ok(v1::StorageEngine::Unspecified) => Ok(Engine::default()),
        Ok(v1::StorageEngine::V1) => Ok(Engine::V1),
        Ok(v1::StorageEngine::V2) => Ok(Engine::V2),
        Err(_) => Err(Error::invalid(field, format!("must be 1 or 2, got {number}"))),
    }
}

fn read_accesses(field: &str, map: BTreeMap<String, ListValue>) -> Result<Accesses, Error> {
    let entry = |(id, list): (String, ListValue)| {
        let scopes = parse_access(field, &id, strings(field, list)?)?;
        Ok((id, scopes))
    };
    map.into_iter().map(entry).collect()
}

/// A list of strings that travels as a list of anything.
pub fn strings(field: &str, list: ListValue) -> Result<Vec<String>, Error> {
    let string = |value: Value| match value.kind {
        Some(Kind::StringValue(text)) => Ok(text),
        _ => Err(Error::invalid(field, "must be a list of strings")),
    };
    list.values.into_iter().map(string).collect()
}

fn read_metadata(field: &str, map: BTreeMap<String, Value>) -> Result<RoomMetadata, Error> {
    let entry = |(key, value): (String, Value)| {
        let value = read_metadata_value(field, &key, value)?;
        Ok((key, value))
    };
    map.into_iter().map(entry).collect()
}

fn read_metadata_value(field: &str, key: &str, value: Value) -> Result<MetadataValue, Error> {
    let field = format!("{field}.{}", excerpt(key));
    match value.kind {
        Some(Kind::StringValue(text)) => Ok(MetadataValue::One(text)),
        Some(Kind::ListValue(list)) => strings(&field, list).map(MetadataValue::Many),
        _ => Err(Error::invalid(field, "must be a string or a list of strings")),
    }
}

impl TryFrom<v1::RoomUpdate> for RoomPatch {
    type Error = Error;

    fn try_from(update: v1::RoomUpdate) -> Result<Self, Error> {
        let access = |field: &str, id: &str, value: Value| match value.kind {
            Some(Kind::ListValue(list)) => parse_access(field, id, strings(field, list)?),
            _ => Err(Error::invalid(field, "must be an object of lists of strings")),
        };
        let default_accesses = update.default_accesses.map(|value| {
            let list = list_or_null("defaultAccesses", value)?;
            let scopes = strings("defaultAccesses", list)?;
            ScopeList::parse("defaultAccesses", scopes, BaseRule::Required)
        });
        Ok(Self {
            default_accesses: default_accesses.transpose()?,
            users_accesses: read_patch("usersAccesses", update.users_accesses, access)?,
            groups_accesses: read_patch("groupsAccesses", update.groups_accesses, access)?,
            metadata: read_patch("metadata", update.metadata, read_metadata_value)?,
        })
    }
}

fn list_or_null(field: &str, value: Value) -> Result<ListValue, Error> {
    match value.kind {
        Some(Kind::ListValue(list)) => Ok(list),
        Some(Kind::NullValue(_)) => Ok(ListValue::default()),
        _ => Err(Error::invalid(field, "must be a list of strings or null")),
    }
}

/// An object whose entries are set or, with `null`, removed; `null` itself clears all of them.
fn read_patch<V>(
    field: &str,
    value: Option<Value>,
    read: impl Fn(&str, &str, Value) -> Result<V, Error>,
) -> Result<MapPatch<V>, Error> {
    let Some(value) = value else { return Ok(MapPatch::Keep) };
    let object = match value.kind {
        Some(Kind::NullValue(_)) => return Ok(MapPatch::Clear),
        Some(Kind::StructValue(object)) => object,
        _ => return Err(Error::invalid(field, "must be an object or null")),
    };
    let entry = |(key, value): (String, Value)| match value.kind {
        Some(Kind::NullValue(_)) => Ok((key, None)),
        _ => {
            let value = read(field, &key, value)?;
            Ok((key, Some(value)))
        }
    };
    object.fields.into_iter().map(entry).collect::<Result<_, _>>().map(MapPatch::Merge)
}
