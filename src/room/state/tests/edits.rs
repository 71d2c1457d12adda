//! What an application does with a document, by the rules that clients have for it.

use proptest::prelude::*;

use super::client::Client;
use super::world::FILE_ID;
use super::*;
use crate::domain::position;
use crate::room::storage::tests::model::{Data, FILE, LIST, MAP, Model, OBJECT, REGISTER, TEXT};

/// The text that every room of these tests begins with. Nobody deletes it.
pub const TEXT_ID: &str = "text";

/// What is done; where, is chosen by numbers among whatever is there.
#[derive(Debug, Clone, Copy)]
pub enum Edit {
    Set {
        object: usize,
        key: usize,
    },
    Unset {
        object: usize,
        key: usize,
    },
    Create {
        kind: u64,
        parent: usize,
        place: Place,
    },
    Move {
        item: usize,
        to: usize,
    },
    Delete {
        node: usize,
    },
    /// As undo does it: what the client deleted last is created again under its old id.
    Undo,
    Insert {
        text: usize,
        index: usize,
    },
    Erase {
        text: usize,
        index: usize,
        length: usize,
    },
    Format {
        text: usize,
        index: usize,
        length: usize,
    },
}

/// Where in a list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Place {
    End,
    Before(usize),
    InsteadOf(usize),
}

const KEYS: [&str; 3] = ["a", "b", "c"];

fn any_index() -> impl Strategy<Value = usize> {
    0..1_000_usize
}

pub fn any_edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        6 => any_steady_edit(),
        2 => (any_kind(), any_index(), any_index())
            .prop_map(|(kind, parent, at)| Edit::Create { kind, parent, place: Place::InsteadOf(at) }),
        3 => (any_index(), any_index()).prop_map(|(item, to)| Edit::Move { item, to }),
        1 => Just(Edit::Undo),
    ]
}

/// What comes out the same when it is done twice in a row.
pub fn any_steady_edit() -> impl Strategy<Value = Edit> {
    let place = prop_oneof![Just(Place::End), any_index().prop_map(Place::Before)];
    prop_oneof![
        1 => (any_index(), any_index()).prop_map(|(object, key)| Edit::Set { object, key }),
        1 => (any_index(), any_index()).prop_map(|(object, key)| Edit::Unset { object, key }),
        4 => (any_kind(), any_index(), place)
            .prop_map(|(kind, parent, place)| Edit::Create { kind, parent, place }),
        1 => any_index().prop_map(|node| Edit::Delete { node }),
        2 => any_insert(),
        1 => (any_index(), any_index(), 1..5_usize)
            .prop_map(|(text, index, length)| Edit::Erase { text, index, length }),
        1 => (any_index(), any_index(), 1..9_usize)
            .prop_map(|(text, index, length)| Edit::Format { text, index, length }),
    ]
}

/// Typing into any text.
pub fn any_insert() -> impl Strategy<Value = Edit> {
    (any_index(), any_index()).prop_map(|(text, index)| Edit::Insert { text, index })
}

fn any_kind() -> impl Strategy<Value = u64> {
    proptest::sample::select(vec![OBJECT, LIST, LIST, MAP, REGISTER, REGISTER, TEXT, FILE])
}

fn pick(from: &[String], number: usize) -> Option<String> {
    from.get(number.checked_rem(from.len())?).cloned()
}

fn of_kinds(view: &Model, kinds: &[u64]) -> Vec<String> {
    let found = view.0.iter().filter(|(_, node)| kinds.contains(&node.kind));
    found.map(|(id, _)| id.clone()).collect()
}

impl Edit {
    /// Does it, if there is anything to do it with.
    pub fn perform(self, client: &mut Client, deleted: &mut Option<Value>) -> Option<()> {
        let view = client.view();
        match self {
            Self::Set { object, key } => {
                let id = pick(&of_kinds(&view, &[OBJECT]), object)?;
                let data = json!({KEYS[key % KEYS.len()]: client.next_id()});
                client.dispatch(json!({"type": 3, "id": id, "data": data}));
            }
            Self::Unset { object, key } => {
                let id = pick(&of_kinds(&view, &[OBJECT]), object)?;
                client.dispatch(json!({"type": 6, "id": id, "key": KEYS[key % KEYS.len()]}));
            }
            Self::Create { kind, parent, place } => create(client, &view, kind, parent, place)?,
            Self::Move { item, to } => move_item(client, &view, item, to)?,
            Self::Delete { node } => {
                let all = view.0.keys().filter(|id| !["root", TEXT_ID].contains(&id.as_str()));
                let id = pick(&all.cloned().collect::<Vec<_>>(), node)?;
                *deleted = Some(recreation(&view, &id));
                client.dispatch(json!({"type": 5, "id": id}));
            }
            Self::Undo => client.dispatch(deleted.take()?),
            Self::Insert { text, index } => {
                let (id, units) = text_at(&view, text)?;
                // No two insertions are alike, nor of one length only.
                let inserted = format!("<{}>", client.next_id());
                let index = index % (units + 1);
                client.edit(&id, json!({"type": "insert", "index": index, "text": inserted}));
            }
            Self::Erase { text, index, length } => {
                let (id, units) = text_at(&view, text)?;
                let index = index % (units + 1);
                client.edit(&id, json!({"type": "delete", "index": index, "length": length}));
            }
            Self::Format { text, index, length } => {
                let (id, units) = text_at(&view, text)?;
                let bold = if length.is_multiple_of(2) { json!(true) } else { Value::Null };
                let edit = json!({"type": "format", "index": index % (units + 1), "length": length,
                    "attributes": {"bold": bold}});
                client.edit(&id, edit);
            }
        }
        Some(())
    }
}

fn text_at(view: &Model, number: usize) -> Option<(String, usize)> {
    let id = pick(&of_kinds(view, &[TEXT]), number)?;
    match &view.0.get(&id)?.data {
        Data::Text { characters, .. } => Some((id, characters.units())),
        Data::Json(_) => None,
    }
}

fn creation(kind: u64, id: &str, parent: &str, key: &str) -> Value {
    let mut op = json!({"id": id, "parentId": parent, "parentKey": key});
    let (code, data) = match kind {
        OBJECT => (4, json!({"made": id})),
        LIST => (2, Value::Null),
        MAP => (7, Value::Null),
        REGISTER => (8, json!([id])),
        TEXT => (9, json!([["new "], [id, {"italic": 1}]])),
        _ => (11, json!({"id": FILE_ID, "name": id, "size": 3, "mimeType": "text/plain"})),
    };
    op["type"] = code.into();
    if !data.is_null() {
        op["data"] = data;
    }
    if kind == TEXT {
        op["version"] = 0.into();
    }
    op
}

/// A node as it was, without what was in it.
fn recreation(view: &Model, id: &str) -> Value {
    let node = &view.0[id];
    creation(node.kind, id, &node.parent, &node.key)
}

fn create(client: &mut Client, view: &Model, kind: u64, parent: usize, place: Place) -> Option<()> {
    let parents = if kind == REGISTER { &[LIST, MAP][..] } else { &[OBJECT, LIST, MAP] };
    let parent = pick(&of_kinds(view, parents), parent)?;
    let items = view.children(&parent);
    let id = client.next_id();
    if view.0[&parent].kind != LIST {
        let Place::End = place else { return None };
        let key = KEYS[client.sent.len() % KEYS.len()];
        client.dispatch(creation(kind, &id, &parent, key));
        return Some(());
    }
    let mut op = creation(kind, &id, &parent, position::FIRST);
    match place {
        Place::End => {
            if let Some((last, _)) = items.last() {
                op["parentKey"] = position::after(last).into();
            }
            op["intent"] = "push".into();
        }
        Place::Before(at) => {
            let at = at.checked_rem(items.len())?;
            op["parentKey"] = key_before(&items, at).into();
        }
        Place::InsteadOf(at) => {
            let (key, replaced) = items.get(at.checked_rem(items.len())?)?;
            op["parentKey"] = key.as_str().into();
            op["intent"] = "set".into();
            op["deletedId"] = replaced.as_str().into();
        }
    }
    client.dispatch(op);
    Some(())
}

fn key_before(items: &[(String, String)], at: usize) -> String {
    match at.checked_sub(1).and_then(|before| items.get(before)) {
        Some((before, _)) => position::between(before, &items[at].0).unwrap(),
        None => position::before(&items[at].0),
    }
}

fn move_item(client: &mut Client, view: &Model, item: usize, to: usize) -> Option<()> {
    let lists: Vec<_> = of_kinds(view, &[LIST]);
    let lists = lists.into_iter().filter(|list| view.children(list).len() > 1).collect::<Vec<_>>();
    let mut items = view.children(&pick(&lists, item)?);
    let (_, id) = items.remove(item % items.len());
    let key = match to % (items.len() + 1) {
        end if end == items.len() => position::after(&items[end - 1].0),
        at => key_before(&items, at),
    };
    client.dispatch(json!({"type": 1, "id": id, "parentKey": key}));
    Some(())
}
