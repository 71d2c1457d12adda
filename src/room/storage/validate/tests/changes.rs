use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::super::document::Document;
use super::super::{Schema, validate_changes, validate_document};
use super::{document, live, op, said, schema};

const SCHEMA: &str = "
    type Storage {
      title?: string | LiveText
      list: LiveList<LiveObject<Item> | Int>
      map?: LiveMap<string, LiveList<number> | 'x'>
      opt: LiveObject<Item> | null
      plain?: { x: number }[]
    }
    type Item { n: number, text?: LiveText, items?: LiveList<LiveObject<Item>> }";

fn start() -> (Schema, Document) {
    let item = live("LiveObject", json!({"n": 1}));
    let fields = json!({"list": live("LiveList", json!([item, 2])), "opt": null});
    let (schema, document) = (schema(SCHEMA), document(fields));
    assert_eq!(said(validate_document(&schema, &document)), "fine");
    (schema, document)
}

/// Sends a message of these ops.
fn send(schema: &Schema, document: &mut Document, ops: &[Value]) -> String {
    document.begin();
    for json in ops {
        let _applied = document.apply(op(json.clone()), None);
    }
    let said = said(validate_changes(schema, document));
    if said == "fine" {
        document.commit()
    } else {
        document.rollback()
    }
    said
}

fn node(code: u8, id: &str, parent: &str, key: &str, data: Value) -> Value {
    json!({"type": code, "id": id, "parentId": parent, "parentKey": key, "data": data})
}

#[test]
fn a_nested_structure_is_judged_when_it_is_complete() {
    let (schema, mut document) = start();
    let create = node(4, "1:1", "root", "opt", json!({}));
    let fill = json!({"type": 3, "id": "1:1", "data": {"n": 1}});
    let items = node(2, "1:2", "1:1", "items", json!(null));
    let item = node(4, "1:3", "1:2", "!", json!({"n": 2}));
    let list = node(2, "1:4", "1:1", "text", json!(null));
    let incomplete = "'/opt': missing required property 'n' on type 'LiveObject<Item>'";
    let mut send = |ops: &[&Value]| {
        let ops: Vec<Value> = ops.iter().map(|op| (*op).clone()).collect();
        send(&schema, &mut document, &ops)
    };
    assert_eq!(send(&[&create]), incomplete);
    assert_eq!(send(&[&create, &fill, &list]), "'/opt/text': expected LiveText, got a LiveList",);
    assert_eq!(send(&[&create, &items, &item, &fill]), "fine");
}

#[test]
fn what_is_set_and_taken_away_is_judged() {
    let (schema, mut document) = start();
    let mut send = |ops: Value| send(&schema, &mut document, &[ops]);
    let list = "'': missing required property 'list' on type 'LiveObject<Storage>'";
    assert_eq!(send(json!({"type": 6, "id": "root", "key": "list"})), list);
    // By its id, which names no key.
    assert_eq!(send(json!({"type": 5, "id": "0:1"})), list);
    assert_eq!(
        send(json!({"type": 3, "id": "root", "data": {"list": []}})),
        "'/list': expected LiveList<LiveObject<Item> | Int>, got a plain array",
    );
    assert_eq!(
        send(json!({"type": 3, "id": "root", "data": {"nope": 1}})),
        "'/nope': there is no such field in LiveObject<Storage>",
    );
    assert_eq!(
        send(json!({"type": 3, "id": "root", "data": {"plain": [{"x": 1}, {"x": null}]}})),
        "'/plain/1/x': expected number, got null",
    );
    assert_eq!(
        send(json!({"type": 3, "id": "0:2", "data": {"n": "1"}})),
        "'/list/0/n': expected number, got the string \"1\"",
    );
    assert_eq!(
        send(json!({"type": 8, "id": "1:1", "parentId": "0:1", "parentKey": "~", "data": 0.5})),
        "'/list/2': expected LiveObject<Item> | Int, got the number 0.5",
    );
    assert_eq!(send(json!({"type": 6, "id": "root", "key": "title"})), "fine");
    assert_eq!(send(json!({"type": 5, "id": "0:2"})), "fine");
}

#[test]
fn what_is_wrong_elsewhere_stays_unnoticed() {
    let schema = schema(SCHEMA);
    let mut document = document(json!({"old": true, "title": 5}));
    let set = json!({"type": 3, "id": "root", "data": {"opt": null}});
    assert_eq!(send(&schema, &mut document, &[set]), "fine");
}

fn id() -> impl Strategy<Value = String> {
    (0..9_u8).prop_map(|n| if n == 8 { "root".to_owned() } else { format!("0:{n}") })
}

fn key() -> impl Strategy<Value = &'static str> {
    let keys = ["title", "list", "map", "opt", "plain", "n", "text", "items", "!", "\"", "x"];
    prop::sample::select(keys.to_vec())
}

fn value() -> impl Strategy<Value = Value> {
    let values = ["1", "0.5", "\"x\"", "\"y\"", "null", "[]", "[{\"x\":1}]", "{\"n\":1}"];
    prop::sample::select(values.to_vec()).prop_map(|text| serde_json::from_str(text).unwrap())
}

fn creation() -> impl Strategy<Value = Value> {
    let code = prop::sample::select(vec![2, 4, 4, 4, 7, 8, 8, 9]);
    let data = prop_oneof![
        3 => Just(json!({"n": 1})),
        1 => (key(), value()).prop_map(|(key, value)| json!({key: value})),
        1 => Just(json!({})),
    ];
    let intent = prop::sample::select(vec!["insert", "set", "push"]);
    (code, id(), id(), key(), value(), data, intent, id()).prop_map(
        |(code, id, parent, key, value, data, intent, deleted)| {
            let data = match code {
                4 => data,
                9 => json!([["a"]]),
                _ => value,
            };
            json!({
                "type": code, "id": id, "parentId": parent, "parentKey": key, "data": data,
                "version": 0, "intent": intent, "deletedId": deleted,
            })
        },
    )
}

fn any_op() -> impl Strategy<Value = Value> {
    let update = (id(), key(), value())
        .prop_map(|(id, key, value)| json!({"type": 3, "id": id, "data": {key: value}}));
    prop_oneof![
        6 => creation(),
        3 => update,
        2 => (id(), key()).prop_map(|(id, key)| json!({"type": 6, "id": id, "key": key})),
        1 => id().prop_map(|id| json!({"type": 5, "id": id})),
        1 => (id(), key()).prop_map(|(id, key)| json!({"type": 1, "id": id, "parentKey": key})),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// On a document that was good before, what changed tells as much as the whole does.
    #[test]
    fn changes_are_judged_as_the_whole_is(messages in vec(vec(any_op(), 1..5), 1..40)) {
        let (schema, mut document) = start();
        for message in messages {
            document.begin();
            for json in &message {
                let _applied = document.apply(op(json.clone()), None);
            }
            let changes = validate_changes(&schema, &document);
            let whole = validate_document(&schema, &document);
            prop_assert_eq!(
                changes.is_ok(), whole.is_ok(), "{:?} {:?} {:?}", message, changes, whole
            );
            if whole.is_ok() { document.commit() } else { document.rollback() }
        }
        prop_assert_eq!(validate_document(&schema, &document), Ok(()));
    }
}
