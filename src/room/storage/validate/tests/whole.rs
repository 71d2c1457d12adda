use serde_json::{Value, json};

use super::super::validate_document;
use super::{document, live, said, schema};

/// Checks a field `a` of this type that has this value.
fn check(of: &str, value: Value) -> String {
    let text = format!("type Storage {{ a: {of} }}");
    said(validate_document(&schema(&text), &document(json!({"a": value}))))
}

#[test]
fn values_fit_or_do_not() {
    let list = |data: Value| live("LiveList", data);
    let map = |data: Value| live("LiveMap", data);
    for (of, good, bad) in [
        ("string", json!("x"), json!(1)),
        ("number", json!(-1.5), json!("1")),
        ("Int", json!(3.0), json!(3.5)),
        ("Int", json!(-3), json!(true)),
        ("boolean", json!(false), json!(null)),
        ("null", json!(null), json!(false)),
        ("'x'", json!("x"), json!("y")),
        ("200 | 400", json!(400), json!(300)),
        ("-1", json!(-1.0), json!(1)),
        ("true", json!(true), json!(false)),
        ("string | null", json!(null), json!(0)),
        ("'x' | number", json!(7), json!("y")),
        ("string[]", json!(["a", "b"]), json!(["a", 1])),
        ("(string | number)[][]", json!([["a"], [1]]), json!([["a"], 1])),
        ("{ x: number, y?: string }", json!({"x": 1}), json!({"y": "a"})),
        ("{}", json!({}), json!({"x": 1})),
        ("{}", json!({}), json!([])),
        ("{ x: number } | string[] | null", json!(["a"]), json!({"x": "a"})),
        ("LiveObject<Storage> | null", json!(null), json!({})),
        ("LiveList<string>", list(json!(["a"])), json!(["a"])),
        ("LiveList<string>", list(json!([])), list(json!(["a", 1]))),
        ("LiveMap<string, Int>", map(json!({"k": 1})), map(json!({"k": 0.5}))),
        ("LiveText", live("LiveText", json!([["a"]])), json!("a")),
        ("LiveText | string", json!("a"), list(json!(["a"]))),
        ("LiveList<null> | LiveMap<string, Int>", map(json!({"k": 1})), map(json!({"k": ""}))),
    ] {
        assert_eq!(check(of, good), "fine", "{of}");
        assert_ne!(check(of, bad), "fine", "{of}");
    }
}

#[test]
fn violations_name_the_place_and_both_sides() {
    for (of, value, said) in [
        ("string", json!(1), "'/a': expected string, got the number 1"),
        (
            "'red' | 'blue'",
            json!("green"),
            r#"'/a': expected "red" | "blue", got the string "green""#,
        ),
        ("string | null", json!([]), "'/a': expected string | null, got a plain array"),
        ("LiveList<string>", json!(["a"]), "'/a': expected LiveList<string>, got a plain array"),
        ("string[]", live("LiveList", json!([])), "'/a': expected string[], got a LiveList"),
        (
            "LiveList<LiveMap<string, Int>>",
            live("LiveList", json!([live("LiveMap", json!({"k~": 1, "l/m": "x"}))])),
            "'/a/0/l~1m': expected Int, got the string \"x\"",
        ),
        (
            "{ b: number[] }",
            json!({"b": [0, true]}),
            "'/a/b/1': expected number, got the boolean true",
        ),
        (
            "{ b: number }[]",
            json!([{"b": 1, "c": 2}]),
            "'/a/0/c': there is no such field in { b: number }",
        ),
        (
            "null | { b: number }[]",
            json!([{}]),
            "'/a/0': missing required property 'b' on type '{ b: number }'",
        ),
    ] {
        assert_eq!(check(of, value), said);
    }
}

#[test]
fn live_objects_have_what_they_must_and_nothing_else() {
    let schema = schema(
        "type Storage { todos: LiveList<LiveObject<Todo>> }\n\
         type Todo { text: string, checked: boolean, tags?: LiveList<string> }",
    );
    let check = |data: Value| {
        let todos = live("LiveList", json!([live("LiveObject", data)]));
        said(validate_document(&schema, &document(json!({"todos": todos}))))
    };
    let tags = live("LiveList", json!([]));
    assert_eq!(check(json!({"text": "a", "checked": true})), "fine");
    assert_eq!(check(json!({"text": "a", "checked": true, "tags": tags})), "fine");
    assert_eq!(
        check(json!({"text": "a"})),
        "'/todos/0': missing required property 'checked' on type 'LiveObject<Todo>'",
    );
    let unknown = "'/todos/0/tag': there is no such field in LiveObject<Todo>";
    assert_eq!(check(json!({"text": "a", "checked": true, "tag": 1})), unknown);
    assert_eq!(check(json!({"text": "a", "checked": true, "tag": tags})), unknown);
    assert_eq!(
        check(json!({"text": "a", "checked": live("LiveText", json!([]))})),
        "'/todos/0/checked': expected boolean, got a LiveText",
    );
    assert_eq!(
        said(validate_document(&schema, &document(json!({})))),
        "'': missing required property 'todos' on type 'LiveObject<Storage>'",
    );
}

#[test]
fn depth_does_not_matter() {
    let schema = schema("type Storage { a?: LiveObject<Storage>, b: number }");
    let mut deep = json!({"b": "deep"});
    for _ in 0..60 {
        deep = json!({"a": live("LiveObject", deep), "b": 1});
    }
    let path = "/a".repeat(60);
    assert_eq!(
        said(validate_document(&schema, &document(deep))),
        format!("'{path}/b': expected number, got the string \"deep\""),
    );
}
