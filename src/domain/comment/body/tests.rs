use proptest::prelude::*;
use serde_json::json;

use super::*;

fn body(content: Value) -> Result<CommentBody, Error> {
    CommentBody::from_json("comment.body", json!({ "version": 1, "content": content }))
}

fn paragraph(children: Value) -> Value {
    json!({ "type": "paragraph", "children": children })
}

fn refusal(content: Value) -> String {
    body(content).unwrap_err().public().to_owned()
}

fn user(id: &str) -> Mention {
    Mention::User(UserId::trusted(id))
}

/// Something with so many levels, the first of which is a block.
fn nested(levels: usize) -> Value {
    (1..levels).fold(json!({ "type": "odd" }), |inner, _| json!({ "type": "odd", "in": inner }))
}

#[test]
fn whatever_editors_make_is_kept_and_read() {
    let content = json!([
        paragraph(json!([
            { "text": "Hi " },
            { "type": "mention", "kind": "user", "id": "ann" },
            { "text": ", see ", "bold": true, "italic": false, "strikethrough": true, "code": true },
            { "type": "link", "url": "https://example.com/a" },
            { "text": " and " },
            { "type": "link", "url": "https://example.com/b", "text": "this" },
        ])),
        paragraph(json!([])),
        paragraph(json!([
            { "type": "mention", "kind": "group", "id": "crew", "userIds": ["bob", "cy"] },
            { "type": "mention", "id": "old" },
            { "type": "mention", "kind": "user", "id": "ann", "more": [1, null] },
        ])),
    ]);
    let made = body(content.clone()).unwrap();
    assert_eq!(Value::Array(made.content()), content);
    assert_eq!(CommentBody::stored(made.as_str().to_owned()), made);
    assert_eq!(made.text(), "Hi @ann, see https://example.com/a and this\n\n@crew@old@ann");
    let bob_and_cy = vec![UserId::trusted("bob"), UserId::trusted("cy")];
    let crew = Mention::Group { id: "crew".to_owned(), user_ids: bob_and_cy };
    assert_eq!(made.mentions(), [user("ann"), crew, user("old")]);
}

#[test]
fn a_body_may_be_empty() {
    let empty = body(json!([])).unwrap();
    assert_eq!(empty.as_str(), r#"{"content":[],"version":1}"#);
    assert_eq!((empty.text(), empty.mentions()), (String::new(), Vec::new()));
}

#[test]
fn elements_of_other_kinds_are_kept_and_what_they_say_is_found() {
    let content = json!([
        { "type": "heading", "level": 2, "children": [
            { "text": "Plans of " },
            { "type": "bold", "children": [{ "type": "mention", "kind": "user", "id": "ann" }] },
        ]},
        { "type": "divider" },
        paragraph(json!([{ "type": "emoji", "text": "🎉", "name": "tada" }])),
    ]);
    let made = body(content.clone()).unwrap();
    assert_eq!(Value::Array(made.content()), content);
    assert_eq!(made.text(), "Plans of @ann\n\n🎉");
    assert_eq!(made.mentions(), [user("ann")]);
}

#[test]
fn what_is_wrong_is_named_by_its_place() {
    let inline = |inline: Value| json!([paragraph(json!([{ "text": "" }, inline]))]);
    let cases = [
        (json!([1]), "'comment.body.content[0]': must be an object"),
        (json!([{}]), "'comment.body.content[0].type': must be a text"),
        (json!([{ "type": "" }]), "'comment.body.content[0].type'"),
        (json!([{ "type": "paragraph" }]), "'comment.body.content[0].children': must be a list"),
        (inline(json!("x")), "'comment.body.content[0].children[1]': must be an object"),
        (inline(json!({})), "children[1]': must have a 'text'"),
        (inline(json!({ "text": 1 })), "'comment.body.content[0].children[1].text'"),
        (inline(json!({ "text": "", "bold": 1 })), "children[1].bold': must be true or false"),
        (inline(json!({ "text": "a\0b" })), "children[1].text': must not contain the NUL"),
        (inline(json!({ "text": "", "k\0": 1 })), "children[1]': must not contain the NUL"),
        (inline(json!({ "type": 5 })), "children[1].type': must be a text"),
        (inline(json!({ "type": "" })), "children[1].type': must not be empty"),
        (inline(json!({ "type": "link" })), "children[1].url': must be a text"),
        (inline(json!({ "type": "link", "url": "u", "text": 1 })), "children[1].text'"),
        (inline(json!({ "type": "link", "url": "u".repeat(8193) })), "at most 8192 characters"),
        (inline(json!({ "type": "mention" })), "children[1].id': must be a text"),
        (inline(json!({ "type": "mention", "id": "" })), "children[1].id': must not be empty"),
        (inline(json!({ "type": "mention", "id": "u".repeat(129) })), "at most 128 characters"),
        (inline(json!({ "type": "mention", "kind": "room", "id": "r" })), "children[1].kind'"),
        (inline(json!({ "type": "mention", "kind": 7, "id": "r" })), "children[1].kind'"),
        (inline(json!({ "type": "mention", "kind": "group", "id": "" })), "children[1].id'"),
        (
            inline(json!({ "type": "mention", "kind": "group", "id": "g".repeat(257) })),
            "at most 256 characters",
        ),
        (
            inline(json!({ "type": "mention", "kind": "group", "id": "g", "userIds": "u" })),
            "children[1].userIds': must be a list",
        ),
        (
            inline(json!({ "type": "mention", "kind": "group", "id": "g", "userIds": ["u", 1] })),
            "children[1].userIds[1]': must be a text",
        ),
        (
            json!([{ "type": "odd", "children": [{ "type": "mention" }] }]),
            "'comment.body.content[0].children[0].id': must be a text",
        ),
    ];
    for (content, expected) in cases {
        let refused = refusal(content.clone());
        assert!(refused.contains(expected), "{content}: {refused}");
    }
}

#[test]
fn what_is_not_a_body_at_all_is_refused() {
    let refusal =
        |body: Value| CommentBody::from_json("body", body).unwrap_err().public().to_owned();
    assert!(refusal(json!("hi")).contains("'body': must be an object"));
    assert!(refusal(json!({ "content": [] })).contains("'body.version': must be 1"));
    assert!(refusal(json!({ "version": 2, "content": [] })).contains("'body.version': must be 1"));
    assert!(refusal(json!({ "version": 1 })).contains("'body.content': must be a list"));
    assert!(refusal(json!({ "version": 1, "content": {} })).contains("'body.content'"));
}

#[test]
fn limits_are_where_they_are_said_to_be() {
    body(json!([nested(20)])).unwrap();
    assert!(refusal(json!([nested(21)])).contains("must be at most 20 levels deep"));
    assert!(refusal(json!([nested(200)])).contains("must be at most 20 levels deep"));

    let frame = body(json!([paragraph(json!([{ "text": "" }]))])).unwrap().as_str().len();
    let text = |bytes: usize| json!([paragraph(json!([{ "text": "x".repeat(bytes) }]))]);
    let full = body(text(BODY_BYTES_MAX - frame)).unwrap();
    assert_eq!(full.as_str().len(), BODY_BYTES_MAX);
    let over = refusal(text(BODY_BYTES_MAX - frame + 1));
    assert!(over.contains("'comment.body': must be at most 65536 bytes as JSON, got 65537"));

    let mentions = |count: usize| -> Value {
        json!([{ "type": "m", "children": vec![json!({ "type": "mention", "id": "u" }); count] }])
    };
    assert_eq!(body(mentions(1_000)).unwrap().mentions(), [user("u")]);
    assert!(refusal(mentions(1_001)).contains("must name at most 1000 users and groups"));
    let group =
        json!({ "type": "mention", "kind": "group", "id": "g", "userIds": vec!["u"; 1000] });
    assert!(refusal(json!([paragraph(json!([group]))])).contains("at most 1000"));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i32>().prop_map(Value::from),
        "[a-z@\\PC]{0,6}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        3 => proptest::sample::select(vec![
            "type", "children", "text", "id", "kind", "userIds", "url", "bold", "content",
        ]).prop_map(str::to_owned),
        1 => "[a-z]{1,3}",
    ];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        let kind = proptest::sample::select(vec!["paragraph", "mention", "link", "odd", ""]);
        let entries = proptest::collection::vec((key.clone(), inner.clone()), 0..5);
        prop_oneof![
            proptest::collection::vec(inner, 0..5).prop_map(Value::Array),
            (proptest::option::of(kind), entries).prop_map(|(kind, entries)| {
                let kind = kind.map(|kind| ("type".to_owned(), Value::from(kind)));
                Value::Object(entries.into_iter().chain(kind).collect())
            }),
        ]
    })
}

proptest! {
    /// Nothing makes it panic; what is taken comes back as it was, and its text can be stored.
    #[test]
    fn any_json_is_taken_whole_or_refused(content in proptest::collection::vec(any_json(), 0..5)) {
        if let Ok(made) = body(Value::Array(content.clone())) {
            prop_assert_eq!(made.content(), content);
            prop_assert!(!made.text().contains('\0'));
            let mentions = made.mentions();
            let distinct: HashSet<_> = mentions.iter().collect();
            prop_assert_eq!(distinct.len(), mentions.len());
        }
    }
}
