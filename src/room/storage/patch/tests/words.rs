//! What is said about patches that cannot be.

use serde_json::json;

use super::super::{PATCH_OPERATIONS_MAX, PatchOp};
use super::Room;
use crate::error::{Code, Error};

#[test]
fn a_body_that_is_no_patch_is_named() {
    let whole = PatchOp::parse_all(json!({"op": "add"})).unwrap_err();
    assert_eq!((whole.index, &*whole.problem), (None, "a patch must be a list of operations"));
    let many = vec![json!({"op": "remove", "path": "/a"}); PATCH_OPERATIONS_MAX + 1];
    assert_eq!(
        PatchOp::parse_all(many.into()).unwrap_err().problem,
        "a patch must have at most 10000 operations, got 10001",
    );
    for (operation, problem) in [
        (json!(7), "must be an object"),
        (json!({"path": "/a"}), "'op' is missing: add, remove, replace, move, copy or test"),
        (json!({"op": 1}), "'op' must be a string: add, remove, replace, move, copy or test"),
        (
            json!({"op": "put", "path": "/a"}),
            "'op' must be add, remove, replace, move, copy or test, got 'put'",
        ),
        (json!({"op": "remove"}), "'path' is missing, which 'remove' needs"),
        (json!({"op": "remove", "path": null}), "'path' must be a string"),
        (json!({"op": "remove", "path": "a/b"}), "'path' must begin with '/'"),
        (json!({"op": "remove", "path": "/~"}), "'path' has a '~' without '0' or '1' behind it"),
        (json!({"op": "remove", "path": "/~é"}), "'path' has a '~' without '0' or '1' behind it"),
        (json!({"op": "add", "path": "/a"}), "'value' is missing, which 'add' needs"),
        (json!({"op": "test", "path": "/a"}), "'value' is missing, which 'test' needs"),
        (json!({"op": "move", "path": "/a"}), "'from' is missing, which 'move' needs"),
        (json!({"op": "copy", "path": "/a", "from": "b"}), "'from' must begin with '/'"),
    ] {
        let fine = json!({"op": "add", "path": "/a", "value": null});
        let bad = PatchOp::parse_all(json!([fine, operation])).unwrap_err();
        assert_eq!(bad.index, Some(1));
        assert_eq!(bad.to_string(), format!("operation 1: {problem}"));
    }
}

#[test]
fn a_path_that_leads_nowhere_is_named() {
    let lson = json!({"liveblocksType": "LiveObject", "data": {
        "plain": {"x": [1]},
        "list": {"liveblocksType": "LiveList", "data": [1, {"y": 2}]},
        "map": {"liveblocksType": "LiveMap", "data": {"k": [0]}},
        "text": {"liveblocksType": "LiveText", "data": [["hi"]]},
        "file": {"liveblocksType": "LiveFile", "data": {
            "id": "fl_abc", "name": "a.png", "size": 3, "mimeType": "image/png",
        }},
    }});
    let mut room = Room::of_lson(&lson);
    let plain = "is plain JSON; a path can only lead into LiveObject, LiveList and LiveMap";
    for (path, reason) in [
        ("/nope", "there is nothing at '/nope'"),
        ("/nope/a/b", "there is nothing at '/nope'"),
        ("/map/nope", "there is nothing at '/map/nope'"),
        ("/plain/x", &format!("'/plain' {plain}")),
        ("/list/1/y", &format!("'/list/1' {plain}")),
        ("/map/k/0", &format!("'/map/k' {plain}")),
        ("/file/name", "'/file' is a LiveFile, which can only be replaced"),
        ("/text/0", "'/text' is a LiveText, which has nothing but 'data'"),
        ("/text/data/1", "there is nothing at '/1' in the data"),
        ("/list/2", "there is nothing at '/list/2'"),
        ("/list/-", "there is nothing at '/list/-'"),
        ("/list/3", "index 3 is out of bounds: the list '/list' has 2 items"),
        ("", "the root cannot be removed"),
    ] {
        assert_eq!(room.fault("remove", path, json!(null)), reason, "{path}");
    }
    let digits = "digits without leading zeros, or '-'";
    for step in ["00", "01", "+1", "-1", "1.0", "1e0", "", "one", "٣", "99999999999999999999999"] {
        let reason = room.fault("test", &format!("/list/{step}"), json!(1));
        let expected = format!("'{step}' is no index of the list '/list': {digits}");
        assert_eq!(reason, expected);
    }
}

#[test]
fn what_a_move_or_a_value_cannot_be_is_named() {
    let mut room = Room::of(json!({"a": {"b": {}}, "list": [1, 2], "t": 1}));
    assert_eq!(room.fault("move", "/a/b/c", json!("/a")), "'/a' cannot be moved into itself");
    assert_eq!(room.fault("move", "/x", json!("")), "'' cannot be moved into itself");
    assert_eq!(room.fault("move", "/x", json!("/x")), "there is nothing at '/x'");
    assert_eq!(
        room.fault("move", "/list/2", json!("/list/0")),
        "index 2 is out of bounds: the list has 1 other items",
    );
    assert_eq!(
        room.fault("replace", "", json!([1])),
        "the root can only be replaced with an object",
    );
    assert_eq!(room.fault("copy", "", json!("/list")), "the root can only be a LiveObject");
    assert_eq!(
        room.fault("add", "/x", json!({"y": [{"liveblocksType": "LiveSet", "data": []}]})),
        "'/y/0' in the value: liveblocksType must be LiveObject, LiveList, LiveMap, LiveText or \
         LiveFile",
    );
    assert_eq!(
        room.fault("add", "/x", json!({"liveblocksType": "LiveFile", "data": {"id": "1"}})),
        "'/data' in the value: the data of a LiveFile must be an object with id, name, size and \
         mimeType",
    );
}

#[test]
fn the_error_names_the_operation() {
    let patch = json!([
        {"op": "add", "path": "/n", "value": 1},
        {"op": "test", "path": "/n", "value": 2},
    ]);
    let error = Room::of(json!({})).patch(patch).unwrap_err();
    assert_eq!(error.to_string(), "operation 1 (test '/n') failed: expected 2, found 1");
    let error = Error::from(error);
    assert_eq!(
        (error.code(), error.reason()),
        (Code::InvalidArgument, "INVALID_STORAGE_MUTATION_REQUEST"),
    );
}
