//! From a JSON value to the ops that create it, parents first.

use serde_json::{Map, Value};

use super::json::Json;
use super::limits::{KEY_BYTES_MAX, VALUE_DEPTH_MAX};
use super::lson::{DATA_KEY, TYPE_KEY, type_name};
use super::node_ref::{FileRef, Kind};
use super::op::{Body, Create, Intent, Op};
use super::small_text::SmallText;
use super::text::TextBody;
use crate::domain::position;

/// Levels of live nodes within live nodes in one value. Readers of JSON stop at about twice this.
const LEVELS_MAX: usize = 100;

/// Why a value cannot become part of a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} (at '{path}')")]
pub struct LsonError {
    /// Where in the value, as a JSON pointer.
    pub path: String,
    pub problem: String,
}

/// What becomes of an object or a list that does not say that it is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nested {
    /// It is a plain value.
    Plain,
    /// It becomes a LiveObject or a LiveList.
    Live,
}

/// Where a new node goes.
pub(super) struct Slot {
    pub(super) parent_id: SmallText,
    pub(super) key: SmallText,
    /// Objects keep plain values themselves; lists and maps keep them in registers.
    pub(super) is_in_object: bool,
    pub(super) intent: Intent,
    /// The item of a list that it replaces.
    pub(super) deleted_id: Option<SmallText>,
}

impl Slot {
    pub(super) fn in_object(parent_id: SmallText, key: &str) -> Self {
        let key = key.into();
        Self { parent_id, key, is_in_object: true, intent: Intent::Insert, deleted_id: None }
    }

    /// Under a key of a map, or at a free position of a list.
    pub(super) fn keyed(parent_id: SmallText, key: &str) -> Self {
        Self { is_in_object: false, ..Self::in_object(parent_id, key) }
    }

    pub(super) fn create(self, id: SmallText, body: Body) -> Op {
        let Self { parent_id, key: parent_key, is_in_object: _, intent, deleted_id } = self;
        Op::Create(Create { id, parent_id, parent_key, body, intent, deleted_id })
    }
}

pub(super) struct Builder<'n> {
    new_id: &'n mut dyn FnMut() -> String,
    nested: Nested,
    ops: Vec<Op>,
    /// Where it is in the value, as a JSON pointer.
    path: String,
    levels: usize,
}

impl<'n> Builder<'n> {
    pub(super) fn new(new_id: &'n mut dyn FnMut() -> String, nested: Nested) -> Self {
        Self { new_id, nested, ops: Vec::new(), path: String::new(), levels: 0 }
    }

    pub(super) fn finish(self) -> Vec<Op> {
        self.ops
    }

    pub(super) fn error(&self, problem: String) -> LsonError {
        LsonError { path: self.path.clone(), problem }
    }

    pub(super) fn wrong_data(&self, kind: Kind) -> LsonError {
        let expected = match kind {
            Kind::List => "a list",
            Kind::Text => "a list of segments, such as [[\"text\"]]",
            Kind::File => "an object with id, name, size and mimeType",
            Kind::Object | Kind::Map | Kind::Register => "an object",
        };
        let name = type_name(kind).unwrap_or_default();
        self.error(format!("the data of a {name} must be {expected}"))
    }

    /// Goes one step down. After an error the path stays where it was.
    pub(super) fn within<T>(
        &mut self,
        key: &str,
        step: impl FnOnce(&mut Self) -> Result<T, LsonError>,
    ) -> Result<T, LsonError> {
        let length = self.path.len();
        self.path.push('/');
        self.path.push_str(&key.replace('~', "~0").replace('/', "~1"));
        let result = step(self)?;
        self.path.truncate(length);
        Ok(result)
    }

    /// What the value says that it is, if it says that it is live.
    pub(super) fn live<'v>(
        &self,
        value: &'v Value,
    ) -> Result<Option<(Kind, &'v Value)>, LsonError> {
        let Some(name) = value.get(TYPE_KEY) else { return Ok(None) };
        let kinds = [Kind::Object, Kind::List, Kind::Map, Kind::Text, Kind::File];
        let kind = kinds.into_iter().find(|kind| name.as_str() == type_name(*kind));
        let Some(kind) = kind else {
            return Err(self.error(format!(
                "{TYPE_KEY} must be LiveObject, LiveList, LiveMap, LiveText or LiveFile"
            )));
        };
        match value.get(DATA_KEY) {
            Some(data) => Ok(Some((kind, data))),
            None => Err(self.error(format!("'{DATA_KEY}' is missing beside '{TYPE_KEY}'"))),
        }
    }

    /// Creates what the value says, at a slot of a node that exists by then.
    pub(super) fn add(&mut self, slot: Slot, value: &Value) -> Result<(), LsonError> {
        if slot.key.len() > KEY_BYTES_MAX {
            return Err(self.error(format!("a key must be at most {KEY_BYTES_MAX} bytes")));
        }
        if self.levels == LEVELS_MAX {
            return Err(self.error(format!("must be nested at most {LEVELS_MAX} levels deep")));
        }
        self.levels += 1;
        match (self.live(value)?, value, self.nested) {
            (Some((kind, data)), ..) => {
                // Who says what is live means the rest to be plain.
                let nested = std::mem::replace(&mut self.nested, Nested::Plain);
                self.within(DATA_KEY, |builder| builder.node(slot, kind, data))?;
                self.nested = nested;
            }
            (None, Value::Object(fields), Nested::Live) => self.object(slot, fields)?,
            (None, Value::Array(items), Nested::Live) => self.list(slot, items)?,
            (None, ..) => {
                let json = self.plain(value)?;
                self.value(slot, json);
            }
        }
        self.levels -= 1;
        Ok(())
    }

    /// Puts a plain value into the slot.
    pub(super) fn value(&mut self, slot: Slot, json: Json) {
        let op = if slot.is_in_object {
            let data = Json::object([(&*slot.key, &json)]);
            Op::UpdateObject { id: slot.parent_id, data }
        } else {
            let id = self.id();
            slot.create(id, Body::Register(json))
        };
        self.ops.push(op);
    }

    fn id(&mut self) -> SmallText {
        (self.new_id)().into()
    }

    fn plain(&self, value: &Value) -> Result<Json, LsonError> {
        let json = Json::from(value);
        if json.depth() > VALUE_DEPTH_MAX {
            let problem = format!("a plain value must be nested at most {VALUE_DEPTH_MAX} deep");
            return Err(self.error(problem));
        }
        Ok(json)
    }

    fn node(&mut self, slot: Slot, kind: Kind, data: &Value) -> Result<(), LsonError> {
        let body = match (kind, data) {
            (Kind::Object, Value::Object(fields)) => return self.object(slot, fields),
            (Kind::List, Value::Array(items)) => return self.list(slot, items),
            (Kind::Map, Value::Object(entries)) => return self.map(slot, entries),
            (Kind::Text, Value::Array(_)) => self.text(data)?,
            (Kind::File, Value::Object(_)) => {
                let data = Json::from(data);
                FileRef::read(&data).ok_or_else(|| self.wrong_data(kind))?;
                Body::File(data)
            }
            _ => return Err(self.wrong_data(kind)),
        };
        let id = self.id();
        self.ops.push(slot.create(id, body));
        Ok(())
    }

    fn text(&self, data: &Value) -> Result<Body, LsonError> {
        let segments = Json::from(data);
        TextBody::new(&segments, 0).map_err(|problem| self.error(problem.to_owned()))?;
        Ok(Body::Text { segments, version: 0 })
    }

    fn object(&mut self, slot: Slot, fields: &Map<String, Value>) -> Result<(), LsonError> {
        let (plain, live) = self.split(fields)?;
        let data = Json::object(plain.iter().map(|(key, value)| (*key, value)));
        let id = self.id();
        self.ops.push(slot.create(id.clone(), Body::Object(data)));
        self.members(&id, &live)
    }

    /// Sets fields of an object that exists.
    pub(super) fn fill(
        &mut self,
        id: SmallText,
        fields: &Map<String, Value>,
    ) -> Result<(), LsonError> {
        let (plain, live) = self.split(fields)?;
        if !plain.is_empty() {
            let data = Json::object(plain.iter().map(|(key, value)| (*key, value)));
            self.ops.push(Op::UpdateObject { id: id.clone(), data });
        }
        self.members(&id, &live)
    }

    fn members(&mut self, id: &SmallText, live: &[(&str, &Value)]) -> Result<(), LsonError> {
        for (key, value) in live {
            let slot = Slot::in_object(id.clone(), key);
            self.within(key, |builder| builder.add(slot, value))?;
        }
        Ok(())
    }

    /// The fields that are plain, which are part of their object, and those that become nodes.
    #[expect(clippy::type_complexity, reason = "a pair of lists needs no name for one caller")]
    fn split<'v>(
        &mut self,
        fields: &'v Map<String, Value>,
    ) -> Result<(Vec<(&'v str, Json)>, Vec<(&'v str, &'v Value)>), LsonError> {
        let (mut plain, mut live) = (Vec::new(), Vec::new());
        for (key, value) in fields {
            let is_nested = value.is_object() || value.is_array();
            let is_live = self.nested == Nested::Live && is_nested;
            if is_live || self.within(key, |builder| builder.live(value))?.is_some() {
                live.push((key.as_str(), value));
                continue;
            }
            if key.len() > KEY_BYTES_MAX {
                return Err(self.error(format!("a key must be at most {KEY_BYTES_MAX} bytes")));
            }
            plain.push((key.as_str(), self.within(key, |builder| builder.plain(value))?));
        }
        Ok((plain, live))
    }

    fn list(&mut self, slot: Slot, items: &[Value]) -> Result<(), LsonError> {
        let id = self.id();
        self.ops.push(slot.create(id.clone(), Body::List));
        let mut position = position::FIRST.to_owned();
        for (index, item) in items.iter().enumerate() {
            let slot = Slot::keyed(id.clone(), &position);
            position = position::after(&position);
            self.within(itoa::Buffer::new().format(index), |builder| builder.add(slot, item))?;
        }
        Ok(())
    }

    fn map(&mut self, slot: Slot, entries: &Map<String, Value>) -> Result<(), LsonError> {
        let id = self.id();
        self.ops.push(slot.create(id.clone(), Body::Map));
        for (key, value) in entries {
            let slot = Slot::keyed(id.clone(), key);
            self.within(key, |builder| builder.add(slot, value))?;
        }
        Ok(())
    }
}
