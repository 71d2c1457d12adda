//! The examples of RFC 6902, appendix A.

use serde_json::{Value, json};

use super::Room;

fn patched(before: Value, patch: Value) -> Value {
    let mut room = Room::of(before);
    room.patch(patch).unwrap();
    room.json()
}

fn fault(before: Value, patch: Value) -> String {
    Room::of(before).patch(patch).unwrap_err().reason
}

#[test]
fn a1_to_a4_adding_and_removing() {
    assert_eq!(
        patched(json!({"foo": "bar"}), json!([{"op": "add", "path": "/baz", "value": "qux"}])),
        json!({"baz": "qux", "foo": "bar"}),
    );
    assert_eq!(
        patched(
            json!({"foo": ["bar", "baz"]}),
            json!([{"op": "add", "path": "/foo/1", "value": "qux"}]),
        ),
        json!({"foo": ["bar", "qux", "baz"]}),
    );
    assert_eq!(
        patched(json!({"baz": "qux", "foo": "bar"}), json!([{"op": "remove", "path": "/baz"}])),
        json!({"foo": "bar"}),
    );
    assert_eq!(
        patched(json!({"foo": [1, 2, 3]}), json!([{"op": "remove", "path": "/foo/1"}])),
        json!({"foo": [1, 3]}),
    );
}

#[test]
fn a5_to_a7_replacing_and_moving() {
    assert_eq!(
        patched(
            json!({"baz": "qux", "foo": "bar"}),
            json!([{"op": "replace", "path": "/baz", "value": "boo"}]),
        ),
        json!({"baz": "boo", "foo": "bar"}),
    );
    assert_eq!(
        patched(
            json!({"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}}),
            json!([{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}]),
        ),
        json!({"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}}),
    );
    assert_eq!(
        patched(
            json!({"foo": ["all", "grass", "cows", "eat"]}),
            json!([{"op": "move", "from": "/foo/1", "path": "/foo/3"}]),
        ),
        json!({"foo": ["all", "cows", "eat", "grass"]}),
    );
}

#[test]
fn a8_and_a9_testing() {
    let before = json!({"baz": "qux", "foo": ["a", 2, "c"]});
    let patch = json!([
        {"op": "test", "path": "/baz", "value": "qux"},
        {"op": "test", "path": "/foo/1", "value": 2},
    ]);
    assert_eq!(patched(before.clone(), patch), before);
    assert_eq!(
        fault(json!({"baz": "qux"}), json!([{"op": "test", "path": "/baz", "value": "bar"}])),
        r#"expected "bar", found "qux""#,
    );
}

#[test]
fn a10_to_a12_nested_members_unknown_members_and_missing_parents() {
    assert_eq!(
        patched(
            json!({"foo": "bar"}),
            json!([{"op": "add", "path": "/child", "value": {"grandchild": {}}}]),
        ),
        json!({"foo": "bar", "child": {"grandchild": {}}}),
    );
    assert_eq!(
        patched(
            json!({"foo": "bar"}),
            json!([{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}]),
        ),
        json!({"foo": "bar", "baz": "qux"}),
    );
    assert_eq!(
        fault(json!({"foo": "bar"}), json!([{"op": "add", "path": "/baz/bat", "value": "qux"}])),
        "there is nothing at '/baz'",
    );
}

#[test]
fn a14_to_a16_escapes_numbers_and_lists_in_lists() {
    let before = json!({"/": 9, "~1": 10});
    let test = json!([{"op": "test", "path": "/~01", "value": 10}]);
    assert_eq!(patched(before.clone(), test), before);
    assert_eq!(
        fault(before, json!([{"op": "test", "path": "/~01", "value": "10"}])),
        r#"expected "10", found 10"#,
    );
    assert_eq!(
        patched(
            json!({"foo": ["bar"]}),
            json!([{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}]),
        ),
        json!({"foo": ["bar", ["abc", "def"]]}),
    );
}
