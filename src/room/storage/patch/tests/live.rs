//! What patches do with what is live.

use serde_json::{Value, json};

use super::Room;

fn live(name: &str, data: Value) -> Value {
    json!({"liveblocksType": name, "data": data})
}

#[test]
fn nested_values_become_live_and_lson_stays_what_it_says() {
    let mut room = Room::of(json!({}));
    room.patch(json!([
        {"op": "add", "path": "/a", "value": {"b": [1, {"c": null}]}},
        {"op": "add", "path": "/m", "value": live("LiveMap", json!({"x": {"y": []}}))},
        {"op": "add", "path": "/m/z", "value": [2]},
        {"op": "replace", "path": "/a/b/1/c", "value": live("LiveText", json!([["hi"], [""]]))},
    ]))
    .unwrap();
    let text = live("LiveText", json!([["hi"]]));
    let inner = live("LiveObject", json!({"c": text}));
    assert_eq!(
        room.lson(),
        live(
            "LiveObject",
            json!({
                "a": live("LiveObject", json!({"b": live("LiveList", json!([1, inner]))})),
                "m": live("LiveMap", json!({"x": {"y": []}, "z": live("LiveList", json!([2]))})),
            })
        ),
    );
    room.patch(json!([{"op": "replace", "path": "", "value": room.lson()}])).unwrap();
    assert_eq!(room.json()["m"], json!({"x": {"y": []}, "z": [2]}));
}

#[test]
fn an_item_that_moves_in_its_list_stays_the_same_node() {
    let mut room = Room::of(json!({"list": [{"n": 0}, {"n": 1}, {"n": 2}, {"n": 3}]}));
    let ids = |room: &Room| {
        let list = room.document.root().child("list").unwrap();
        list.children().map(|(_, item)| item.id().to_owned()).collect::<Vec<_>>()
    };
    let before = ids(&room);
    for (from, to, order) in [
        ("/list/0", "/list/2", [1, 2, 0, 3]),
        ("/list/3", "/list/0", [3, 1, 2, 0]),
        ("/list/1", "/list/-", [3, 2, 0, 1]),
        ("/list/0", "/list/3", [2, 0, 1, 3]),
        ("/list/1", "/list/1", [2, 0, 1, 3]),
    ] {
        room.patch(json!([{"op": "move", "from": from, "path": to}])).unwrap();
        assert_eq!(ids(&room), order.map(|index: usize| before[index].clone()));
    }
}

#[test]
fn what_is_copied_keeps_what_is_plain_and_what_is_live() {
    let data = json!({
        "plain": [{"x": 1}],
        "list": live("LiveList", json!([{"y": 2}, live("LiveText", json!([["a", {"b": 1}]]))])),
    });
    let mut room = Room::of_lson(&live("LiveObject", json!({"from": live("LiveObject", data)})));
    room.patch(json!([
        {"op": "copy", "from": "/from", "path": "/copy"},
        {"op": "move", "from": "/from/list/0", "path": "/item"},
        {"op": "copy", "from": "/copy/list", "path": "/copy/again"},
        {"op": "copy", "from": "", "path": "/from/all"},
    ]))
    .unwrap();
    let lson = room.lson();
    assert_eq!(lson["data"]["copy"]["data"]["list"], lson["data"]["copy"]["data"]["again"]);
    assert_eq!(lson["data"]["item"], json!({"y": 2}));
    assert_eq!(room.json()["from"]["all"]["copy"], room.json()["copy"]);
    room.patch(json!([{"op": "move", "from": "/copy", "path": ""}])).unwrap();
    assert_eq!(room.lson()["data"]["plain"], json!([{"x": 1}]));
}

#[test]
fn copies_of_copies_come_to_an_end() {
    let mut room = Room::of(json!({"a": [1, 2, 3, 4]}));
    let copy = |n| json!({"op": "copy", "from": "", "path": format!("/copy{n}")});
    let error = room.patch((0..40).map(copy).collect::<Vec<_>>().into()).unwrap_err();
    assert_eq!(error.reason, "a patch must become at most 100000 ops");
    let mut room = Room::of(json!({"a": "x".repeat(1_000_000)}));
    let copy = json!({"op": "copy", "from": "/a", "path": "/b"});
    let error = room.patch(vec![copy; 100].into()).unwrap_err();
    assert_eq!(error.reason, "a patch must handle at most 67108864 bytes of values");
}

#[test]
fn a_text_is_patched_through_its_segments() {
    let text = live("LiveText", json!([["Hello "], ["World", {"bold": true}], ["!"]]));
    let mut room = Room::of_lson(&live("LiveObject", json!({"text": text, "n": ["🎉 "]})));
    room.patch(json!([
        {"op": "test", "path": "/text/data/0", "value": ["Hello "]},
        {"op": "replace", "path": "/text/data/0/0", "value": "Hell🔥 "},
        {"op": "add", "path": "/text/data/2/1", "value": {"bold": true}},
        {"op": "test", "path": "/text/data", "value": [["Hell🔥 "], ["World!", {"bold": true}]]},
        {"op": "remove", "path": "/text/data/1/1/bold"},
        {"op": "add", "path": "/text/data/-", "value": ["?", {"a": 1.0}]},
        {"op": "copy", "from": "/n", "path": "/text/data/0"},
        {"op": "copy", "from": "/text/data/1/1", "path": "/style"},
        {"op": "move", "from": "/text/data/1", "path": "/text/data/0"},
    ]))
    .unwrap();
    assert_eq!(
        room.json(),
        json!({
            "text": [["?", {"a": 1.0}], ["🎉 Hell🔥 World!"]], "n": ["🎉 "], "style": {"a": 1.0},
        }),
    );
    assert_eq!(
        room.fault("add", "/text/data/0", json!("x")),
        "The segments of a text are malformed",
    );
    assert_eq!(
        room.fault("remove", "/text/data", json!(0)),
        "the data of a LiveText cannot be removed"
    );
    room.patch(json!([{"op": "replace", "path": "/text/data", "value": []}])).unwrap();
    assert_eq!(room.json()["text"], json!([]));
}

#[test]
fn a_test_takes_both_forms_and_numbers_by_value() {
    let data = json!({
        "list": live("LiveList", json!([1, {"x": 2.0}, live("LiveText", json!([["t"]]))])),
        "map": live("LiveMap", json!({"k": 9_007_199_254_740_993_u64})),
    });
    let root = live("LiveObject", data);
    let mut room = Room::of_lson(&root);
    room.patch(json!([
        {"op": "test", "path": "", "value": root},
        {"op": "test", "path": "", "value": room.json()},
        {"op": "test", "path": "/list", "value": [1.0, {"x": 2}, [["t"]]]},
        {"op": "test", "path": "/list/2", "value": live("LiveText", json!([["t"]]))},
    ]))
    .unwrap();
    for (path, other) in [
        ("/list", json!([1, {"x": 2}])),
        ("/list", json!(null)),
        ("/list", live("LiveMap", json!({}))),
        ("/list/1", json!({"x": 2, "y": 3})),
        ("/map", json!({"k": 9_007_199_254_740_992_u64})),
        ("/map", json!({"l": 9_007_199_254_740_993_u64})),
        ("/map/k", json!("9007199254740993")),
    ] {
        assert!(room.fault("test", path, other).contains("expected"), "{path}");
    }
}
