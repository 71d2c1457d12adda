//! The document, written another way.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::domain::position;
use crate::room::storage::text::tests::Model as Characters;

#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// As the protocol numbers the kinds.
    pub kind: u64,
    pub parent: String,
    pub key: String,
    pub data: Data,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    Json(Value),
    Text { characters: Characters, version: u64 },
}

impl Data {
    fn text(segments: &Value, version: u64) -> Self {
        Self::Text { characters: characters(segments), version }
    }
}

pub const OBJECT: u64 = 0;
pub const LIST: u64 = 1;
pub const MAP: u64 = 2;
pub const REGISTER: u64 = 3;
pub const TEXT: u64 = 4;
pub const FILE: u64 = 5;

/// Every node in one map; everything is found by looking at all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Model(pub BTreeMap<String, Node>);

impl Model {
    pub fn new() -> Self {
        let data = Data::Json(json!({}));
        let root = Node { kind: OBJECT, parent: String::new(), key: String::new(), data };
        Self([("root".to_owned(), root)].into())
    }

    pub fn at(&self, parent: &str, key: &str) -> Option<String> {
        let found = self.0.iter().find(|(_, node)| node.parent == parent && node.key == key);
        found.map(|(id, _)| id.clone())
    }

    /// Positions and ids of the items of a list, or of whatever has children.
    pub fn children(&self, parent: &str) -> Vec<(String, String)> {
        let of = self.0.iter().filter(|(_, node)| node.parent == parent);
        let mut children: Vec<_> = of.map(|(id, node)| (node.key.clone(), id.clone())).collect();
        children.sort();
        children
    }

    pub fn delete(&mut self, id: &str) {
        self.0.remove(id);
        self.children(id).iter().for_each(|(_, child)| self.delete(child));
    }

    fn plain(&mut self, id: &str) -> Option<&mut serde_json::Map<String, Value>> {
        match &mut self.0.get_mut(id)?.data {
            Data::Json(data) => data.as_object_mut(),
            Data::Text { .. } => None,
        }
    }

    fn delete_at(&mut self, parent: &str, key: &str) {
        if let Some(id) = self.at(parent, key) {
            self.delete(&id);
        }
        if let Some(plain) = self.plain(parent) {
            plain.remove(key);
        }
    }

    fn free(&self, list: &str, key: &str) -> String {
        let next = self.children(list).into_iter().find(|(next, _)| next.as_str() > key);
        next.map_or_else(
            || position::after(key),
            |(next, _)| position::between(key, &next).unwrap(),
        )
    }

    /// Whether the op is applied; it is put right where it must be. An edit of a text must be one
    /// that starts from the text as it is, as all are that a server sends.
    pub fn apply(&mut self, op: &mut Value) -> bool {
        let id = op["id"].as_str().unwrap().to_owned();
        let code = op["type"].as_u64().unwrap();
        match code {
            1 => {
                let Some(parent) = self.0.get(&id).map(|node| node.parent.clone()) else {
                    return false;
                };
                if self.0.get(&parent).is_none_or(|node| node.kind != LIST) {
                    return false;
                }
                let mut key = position::normalise(op["parentKey"].as_str().unwrap()).into_owned();
                if self.at(&parent, &key).is_some_and(|occupant| occupant != id) {
                    key = self.free(&parent, &key);
                }
                self.0.get_mut(&id).unwrap().key.clone_from(&key);
                op["parentKey"] = key.into();
            }
            3 | 6 => {
                if self.0.get(&id).is_none_or(|node| node.kind != OBJECT) {
                    return false;
                }
                if code == 6 {
                    self.delete_at(&id, op["key"].as_str().unwrap());
                } else {
                    for (key, value) in op["data"].as_object().unwrap() {
                        self.delete_at(&id, key);
                        self.plain(&id).unwrap().insert(key.clone(), value.clone());
                    }
                }
            }
            5 if id == "root" || !self.0.contains_key(&id) => return false,
            5 => self.delete(&id),
            10 => return self.edit(op, &id),
            _ => return self.create(op, id, code),
        }
        true
    }

    fn create(&mut self, op: &mut Value, id: String, code: u64) -> bool {
        let parent = op["parentId"].as_str().unwrap().to_owned();
        let kind = self.0.get(&parent).map_or(FILE, |node| node.kind);
        if self.0.contains_key(&id) || kind > MAP || (kind == OBJECT && code == 8) {
            return false;
        }
        let mut key = op["parentKey"].as_str().unwrap().to_owned();
        if kind == LIST {
            key = self.place(op, &parent, &key);
            op["parentKey"] = key.as_str().into();
        } else {
            self.delete_at(&parent, &key);
        }
        let data = op.get("data").cloned().unwrap_or(Value::Null);
        let (kind, data) = match code {
            2 => (LIST, Data::Json(data)),
            4 => (OBJECT, Data::Json(data)),
            7 => (MAP, Data::Json(data)),
            8 => (REGISTER, Data::Json(data)),
            9 => (TEXT, Data::text(&data, op["version"].as_u64().unwrap_or(0))),
            11 => (FILE, Data::Json(data)),
            other => panic!("an op of code {other}"),
        };
        self.0.insert(id, Node { kind, parent, key, data });
        true
    }

    /// Where an item comes to stand in a list, after what it replaces is gone.
    fn place(&mut self, op: &Value, list: &str, key: &str) -> String {
        let key = position::normalise(key).into_owned();
        match op["intent"].as_str() {
            Some("set") => {
                let deleted = op["deletedId"].as_str().unwrap_or_default();
                if self.0.get(deleted).is_some_and(|node| node.parent == list) {
                    self.delete(deleted);
                }
                self.delete_at(list, &key);
                key
            }
            Some("push") => {
                let last = self.children(list).pop().filter(|(last, _)| key <= *last);
                last.map_or(key, |(last, _)| position::after(&last))
            }
            _ if self.at(list, &key).is_some() => self.free(list, &key),
            _ => key,
        }
    }

    fn edit(&mut self, op: &Value, id: &str) -> bool {
        let Some(Data::Text { characters, version }) =
            self.0.get_mut(id).map(|node| &mut node.data)
        else {
            return false;
        };
        assert_eq!(op["baseVersion"], *version, "an edit that starts from somewhere else: {op}");
        *version = op["version"].as_u64().unwrap_or(*version);
        let Op::UpdateText(update) = Op::parse(&op.to_string()).unwrap().1 else { panic!("{op}") };
        update.ops.iter().for_each(|edit| characters.apply(edit));
        true
    }

    pub fn of(document: &Document) -> Self {
        Self::of_nodes(nodes(document).lines())
    }

    /// Of nodes in their compact form.
    pub fn of_nodes<'a>(nodes: impl IntoIterator<Item = &'a str>) -> Self {
        let node = |line: &str| {
            let fields: Vec<Value> = serde_json::from_str(line).unwrap();
            let text = |at: usize| fields[at].as_str().unwrap().to_owned();
            if fields.len() == 2 {
                let data = Data::Json(fields[1].clone());
                let node = Node { kind: OBJECT, parent: String::new(), key: String::new(), data };
                return (text(0), node);
            }
            let data = fields.get(4).cloned().unwrap_or(Value::Null);
            let kind = fields[1].as_u64().unwrap();
            let data = match kind {
                TEXT => Data::text(&data, fields[5].as_u64().unwrap()),
                _ => Data::Json(data),
            };
            (text(0), Node { kind, parent: text(2), key: text(3), data })
        };
        Self(nodes.into_iter().map(node).collect())
    }
}

fn characters(segments: &Value) -> Characters {
    let mut characters = Characters::default();
    for segment in segments.as_array().unwrap() {
        let attributes = segment.get(1).and_then(Value::as_object);
        let attributes = attributes.map(|attributes| {
            let attribute = |(name, value): (&String, &Value)| {
                (SmallText::from(name.as_str()), Json::from(value))
            };
            Arc::new(attributes.iter().map(attribute).collect::<Attributes>())
        });
        characters.push(segment[0].as_str().unwrap(), attributes);
    }
    characters
}
