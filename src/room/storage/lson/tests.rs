use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::document::{Applied, Document};
use super::{ops_from_lson, write_json, write_lson};

fn live(name: &str, data: Value) -> Value {
    json!({"liveblocksType": name, "data": data})
}

fn document(lson: &Value) -> Document {
    let mut document = Document::new();
    let mut ids = 0;
    let mut new_id = || {
        ids += 1;
        format!("0:{ids}")
    };
    for op in ops_from_lson(lson, &mut new_id).unwrap() {
        match document.apply(op.clone(), None) {
            Applied::Done { op: same, fixes } => assert!(same == op && fixes.is_empty(), "{op:?}"),
            other => panic!("{op:?} is {other:?}"),
        }
    }
    document
}

fn lson(document: &Document) -> Value {
    let mut out = Vec::new();
    write_lson(document, &mut out);
    serde_json::from_slice(&out).unwrap()
}

fn as_json(document: &Document) -> Value {
    let mut out = Vec::new();
    write_json(document, &mut out);
    serde_json::from_slice(&out).unwrap()
}

fn fault(lson: &Value) -> String {
    ops_from_lson(lson, &mut String::new).unwrap_err().to_string()
}

#[test]
fn the_published_example_comes_back() {
    let example = live(
        "LiveObject",
        json!({
            "aLiveObject": live("LiveObject", json!({"a": 1})),
            "aLiveList": live("LiveList", json!(["a", "b"])),
            "aLiveMap": live("LiveMap", json!({"a": 1, "b": 2})),
        }),
    );
    let document = document(&example);
    let mut text = Vec::new();
    write_lson(&document, &mut text);
    assert_eq!(
        String::from_utf8(text).unwrap(),
        concat!(
            r#"{"liveblocksType":"LiveObject","data":{"#,
            r#""aLiveList":{"liveblocksType":"LiveList","data":["a","b"]},"#,
            r#""aLiveMap":{"liveblocksType":"LiveMap","data":{"a":1,"b":2}},"#,
            r#""aLiveObject":{"liveblocksType":"LiveObject","data":{"a":1}}}}"#,
        ),
    );
    assert_eq!(
        as_json(&document),
        json!({"aLiveObject": {"a": 1}, "aLiveList": ["a", "b"], "aLiveMap": {"a": 1, "b": 2}}),
    );
    assert_eq!(lson(&Document::new()), live("LiveObject", json!({})));
    assert_eq!(as_json(&Document::new()), json!({}));
}

#[test]
fn texts_and_files_have_data_of_their_own() {
    let file = json!({"id": "fl_1", "name": "a.png", "size": 3, "mimeType": "image/png"});
    let root = live(
        "LiveObject",
        json!({
            "text": live("LiveText", json!([["a"], ["b", {"bold": true}]])),
            "file": live("LiveFile", file.clone()),
            "plain": {"liveblocks": [{"liveblocksType": "LiveList", "data": []}]},
        }),
    );
    let document = document(&root);
    assert_eq!(lson(&document), root);
    assert_eq!(as_json(&document)["text"], json!([["a"], ["b", {"bold": true}]]));
    assert_eq!(as_json(&document)["file"], file);
}

#[test]
fn what_is_no_lson_is_named_with_its_place() {
    let root = r#"the root must be {"liveblocksType": "LiveObject", "data": {…}} (at '')"#;
    let inside =
        |value: Value| live("LiveObject", json!({"a/b": live("LiveList", json!([value]))}));
    let place = "(at '/data/a~1b/data/0";
    let types = "liveblocksType must be LiveObject, LiveList, LiveMap, LiveText or LiveFile";
    let segments = r#"a list of segments, such as [["text"]]"#;
    let of_file = "an object with id, name, size and mimeType";
    for (lson, problem) in [
        (json!(null), root.to_owned()),
        (json!({"data": {}}), root.to_owned()),
        (json!([]), root.to_owned()),
        (
            live("LiveList", json!([])),
            "the root must be a LiveObject, not a LiveList (at '')".into(),
        ),
        (
            json!({"liveblocksType": "LiveObject"}),
            "'data' is missing beside 'liveblocksType' (at '')".into(),
        ),
        (
            live("LiveObject", json!([])),
            "the data of a LiveObject must be an object (at '/data')".into(),
        ),
        (inside(live("LiveSet", json!([]))), format!("{types} {place}')")),
        (inside(json!({"liveblocksType": 3})), format!("{types} {place}')")),
        (
            inside(live("LiveMap", json!([]))),
            format!("the data of a LiveMap must be an object {place}/data')"),
        ),
        (
            inside(live("LiveText", json!("text"))),
            format!("the data of a LiveText must be {segments} {place}/data')"),
        ),
        (
            inside(live("LiveText", json!(["text"]))),
            format!("The segments of a text are malformed {place}/data')"),
        ),
        (
            inside(live("LiveFile", json!({"id": "x"}))),
            format!("the data of a LiveFile must be {of_file} {place}/data')"),
        ),
        (
            live("LiveObject", json!({"k".repeat(16 * 1024 + 1): 1})),
            "a key must be at most 16384 bytes (at '/data')".into(),
        ),
    ] {
        assert_eq!(fault(&lson), problem);
    }
}

#[test]
fn depth_is_limited() {
    let mut deep = json!(1);
    for _ in 0..120 {
        deep = live("LiveList", json!([deep]));
    }
    let deep = live("LiveObject", json!({"deep": deep}));
    assert!(fault(&deep).starts_with("must be nested at most 100 levels deep"));
    let mut plain = json!(1);
    for _ in 0..101 {
        plain = json!([plain]);
    }
    assert_eq!(
        fault(&live("LiveObject", json!({"plain": plain}))),
        "a plain value must be nested at most 100 deep (at '/data/plain')",
    );
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        Just(json!({"x": [1, {"liveblocksType": "LiveMap"}]})),
        Just(live("LiveText", json!([["a"], ["b", {"c": 1}]]))),
        ".+".prop_map(|text| live("LiveText", json!([[text]]))),
        Just(live("LiveFile", json!({"id": "fl_1", "name": "", "size": 0, "mimeType": ""}))),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(5, 60, 6, |inner| {
        let fields = || btree_map(".{0,3}", inner.clone(), 0..6);
        prop_oneof![
            fields().prop_map(|data| live("LiveObject", json!(data))),
            fields().prop_map(|data| live("LiveMap", json!(data))),
            vec(inner, 0..6).prop_map(|data| live("LiveList", json!(data))),
        ]
    })
}

/// What remains of plain LSON in JSON.
fn flat(lson: &Value) -> Value {
    match (lson.get("liveblocksType").and_then(Value::as_str), lson.get("data")) {
        (Some("LiveObject" | "LiveMap"), Some(Value::Object(fields))) => {
            fields.iter().map(|(key, value)| (key.clone(), flat(value))).collect()
        }
        (Some("LiveList"), Some(Value::Array(items))) => items.iter().map(flat).collect(),
        (Some(_), Some(data)) => data.clone(),
        _ => lson.clone(),
    }
}

proptest! {
    #[test]
    fn what_was_read_is_written_again(fields in btree_map(".{0,3}", tree(), 0..6)) {
        let root = live("LiveObject", json!(fields));
        let document = document(&root);
        prop_assert_eq!(lson(&document), root.clone());
        prop_assert_eq!(as_json(&document), flat(&root));
    }
}
