use prost_types::value::Kind;
use serde_json::json;

use super::*;
use crate::domain::comment::Emoji;
use crate::domain::content_id::AttachmentId;
use crate::domain::ids::UserId;

fn reaction(emoji: &str, user: &str, created_at_ms: i64) -> Reaction {
    Reaction { emoji: Emoji::trusted(emoji), user_id: UserId::trusted(user), created_at_ms }
}

fn object(json: Value) -> Struct {
    value::from_object(json.as_object().unwrap().clone())
}

#[test]
fn reactions_are_grouped_by_emoji_in_order_of_first_use() {
    let given = [
        reaction("👍", "ann", 1_000),
        reaction("🎉", "bob", 2_000),
        reaction("👍", "bob", 3_000),
        reaction("🎉", "ann", 4_000),
        reaction("❤️", "cy", 5_000),
    ];
    let found: Vec<_> = reactions(&given)
        .into_iter()
        .map(|group| {
            let users: Vec<String> = group.users.into_iter().map(|user| user.id).collect();
            (group.emoji, group.user_id, users.join(" "), group.created_at.unwrap().seconds)
        })
        .collect();
    let expected =
        [("👍", "ann", "ann bob", 1), ("🎉", "bob", "bob ann", 2), ("❤️", "cy", "cy", 5)];
    let expected = expected.map(|(emoji, user, users, seconds)| {
        (emoji.to_owned(), user.to_owned(), users.to_owned(), seconds)
    });
    assert_eq!(found, expected);
    assert!(reactions(&[]).is_empty());
}

#[test]
fn bodies_come_back_as_they_were() {
    let blocks = [
        json!({ "type": "paragraph", "children": [{ "text": "hi", "bold": true }] }),
        json!({ "type": "chart", "values": [1, 2.5, null, { "deep": [] }] }),
    ];
    let message = v1::CommentBody { version: 1, content: blocks.map(object).to_vec() };
    let read = body("body", Some(message.clone())).unwrap();
    assert_eq!(v1::CommentBody::from(&read), message);
}

#[test]
fn a_body_that_is_missing_or_wrong_is_named() {
    let refusal = |given| body("comment.body", given).unwrap_err().public().to_owned();
    assert_eq!(refusal(None), "Missing key: 'comment.body'.");
    assert!(refusal(Some(v1::CommentBody::default())).contains("'comment.body.version'"));
    let content = vec![object(json!({ "type": "paragraph", "children": [{}] }))];
    let wrong = v1::CommentBody { version: 1, content };
    assert!(refusal(Some(wrong)).contains("'comment.body.content[0].children[0]'"));
}

#[test]
fn metadata_comes_back_as_it_was() {
    let given = object(json!({ "a": "x", "b": 5, "c": 0.25, "d": false }));
    assert_eq!(metadata_struct(&metadata("metadata", Some(given.clone())).unwrap()), given);
    assert!(metadata("metadata", None).unwrap().is_empty());
    let with_null = object(json!({ "a": null, "b": 1 }));
    assert!(metadata("metadata", Some(with_null.clone())).is_err());
    let mut merged = metadata("metadata", Some(given)).unwrap();
    merged.merge("metadata", metadata_patch("metadata", Some(with_null)).unwrap()).unwrap();
    assert_eq!(Value::Object(merged.to_json()), json!({ "b": 1, "c": 0.25, "d": false }));
}

#[test]
fn what_is_no_number_does_not_remove_a_key() {
    for odd in [f64::NAN, f64::INFINITY] {
        let value = prost_types::Value { kind: Some(Kind::NumberValue(odd)) };
        let given = Struct { fields: [("a".to_owned(), value)].into() };
        let refused = metadata_patch("metadata", Some(given.clone())).unwrap_err();
        assert!(refused.public().contains("a number must be finite"));
        metadata("metadata", Some(given)).unwrap_err();
    }
}

#[test]
fn attachments_and_single_reactions_have_their_shape() {
    let attachment = Attachment {
        id: AttachmentId::trusted("at_1"),
        name: "a.txt".to_owned(),
        size_bytes: 7,
        mime_type: "text/plain".to_owned(),
    };
    let message = v1::CommentAttachment::from(&attachment);
    assert_eq!((message.r#type.as_str(), message.id.as_str()), ("attachment", "at_1"));
    assert_eq!((message.name.as_str(), message.size), ("a.txt", 7));
    let message = v1::CommentUserReaction::from(&reaction("👍", "ann", 1_500));
    assert_eq!((message.user_id.as_str(), message.emoji.as_str()), ("ann", "👍"));
    assert_eq!(message.created_at, Some(timestamp(1_500)));
}
