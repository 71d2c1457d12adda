use serde_json::json;

use super::*;

fn read(params: MessageParams<'_>) -> Result<MessageQuery, String> {
    MessageQuery::read(params).map_err(|error| error.public().to_owned())
}

#[test]
fn a_query_of_nothing_is_the_newest_messages() {
    let query = read(MessageParams::default()).unwrap();
    assert!(query.is_newest_first());
    assert_eq!((query.start, query.limit, query.search), (MessageStart::Offset(0), 50, None));
}

#[test]
fn the_keys_of_an_order_count_in_their_order() {
    let sort = r#"{"_updatedAt": 1, "_id": -1}"#;
    let query = read(MessageParams { sort, count: Some(0), ..MessageParams::default() }).unwrap();
    let order = |field, descending| MessageOrder { field, descending };
    let expected = [order(MessageField::UpdatedAt, false), order(MessageField::Id, true)];
    assert_eq!(query.order, expected);
    assert_eq!(query.limit, 100);
    assert!(!query.is_newest_first());
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let none = MessageParams::default();
    let cases = [
        (MessageParams { offset: Some(-1), ..none }, "'offset'"),
        (MessageParams { offset: Some(10_001), ..none }, "'offset'"),
        (MessageParams { count: Some(101), ..none }, "'count'"),
        (MessageParams { sort: "ts", ..none }, "'sort'"),
        (MessageParams { sort: "{}", ..none }, "'sort'"),
        (MessageParams { sort: r#"{"ts": 2}"#, ..none }, "'sort'"),
        (MessageParams { sort: r#"{"name": 1}"#, ..none }, "'sort'"),
        (MessageParams { cursor: "x", ..none }, "'cursor'"),
        (MessageParams { cursor: "WzEsImNtX2EiXQ", offset: Some(1), ..none }, "'cursor'"),
    ];
    for (params, field) in cases {
        let error = read(params).unwrap_err();
        assert!(error.contains(field), "{params:?}: {error}");
    }
    let long = "é".repeat(257);
    let error = read(MessageParams { search_term: &long, ..none }).unwrap_err();
    assert!(error.contains("'searchTerm'") && error.contains("256"), "{error}");
}

#[test]
fn a_cursor_comes_back_as_it_was() {
    let id = CommentId::parse("id", "cm_a").unwrap();
    let cursor = MessageCursor { created_at_ms: -5, id };
    let text = cursor.to_text();
    let query = read(MessageParams { cursor: &text, ..MessageParams::default() }).unwrap();
    assert_eq!(query.start, MessageStart::After(cursor));
}

#[test]
fn a_body_keeps_its_form() {
    let content = [
        json!({"type": "paragraph", "children": [
            {"text": "hi "},
            {"text": "you", "bold": true, "italic": true},
            {"text": "x()", "code": true, "bold": true},
            {"type": "mention", "kind": "user", "id": "ann"},
            {"type": "link", "url": "https://a.example", "text": "there"},
            {"type": "link", "url": "https://b.example"},
        ]}),
        json!({"type": "divider"}),
    ];
    let plain = |text: &str| json!({"type": "PLAIN_TEXT", "value": text});
    let link = |url: &str, label: &str| json!({"type": "LINK", "value": {"src": plain(url), "label": [plain(label)]}});
    let expected = [
        json!({"type": "PARAGRAPH", "value": [
            plain("hi "),
            {"type": "BOLD", "value": [{"type": "ITALIC", "value": [plain("you")]}]},
            {"type": "INLINE_CODE", "value": plain("x()")},
            {"type": "MENTION_USER", "value": plain("ann")},
            link("https://a.example", "there"),
            link("https://b.example", "https://b.example"),
        ]}),
        json!({"type": "PARAGRAPH", "value": []}),
    ];
    assert_eq!(markdown(&content), expected);
    assert_eq!(links(&content), ["https://a.example", "https://b.example"]);
}
