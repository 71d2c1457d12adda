//! Frames as a real client and the hosted service's own server exchange them.

use serde_json::{Value, json};

use super::super::{Parsed, parse, write};
use crate::domain::feed::{
    Feed, FeedChange, FeedData, FeedEvent, FeedMessage, FeedPage, feed_not_found,
};
use crate::domain::ids::{FeedId, FeedMessageId};
use crate::error::Error;
use crate::room::close::CloseReason;
use crate::room::feeds::{FeedAsk, FeedReply, FeedRequest};
use crate::room::message::{ClientMessage, ServerMessage};

fn requests(text: &str) -> Vec<FeedRequest> {
    let Parsed { messages, .. } = parse(text).unwrap();
    let request = |message| match message {
        ClientMessage::Feed(request) => request,
        other => panic!("{other:?}"),
    };
    messages.into_iter().map(request).collect()
}

fn asked(text: &str) -> Result<FeedAsk, Error> {
    requests(text).remove(0).ask
}

fn written(reply: FeedReply) -> Value {
    serde_json::from_slice(&write(&ServerMessage::Feed(reply))).unwrap()
}

fn feed() -> Feed {
    Feed {
        id: FeedId::trusted("feed-1"),
        metadata: json!({"topic": "x"}).as_object().unwrap().clone(),
        created_at_ms: 1_795_196_629_458,
        updated_at_ms: 1_795_196_629_459,
    }
}

fn message() -> FeedMessage {
    FeedMessage {
        id: FeedMessageId::trusted("msg-2"),
        data: FeedData::parse(r#"{"text": "m2"}"#).unwrap(),
        created_at_ms: 1,
        updated_at_ms: 2,
    }
}

#[test]
fn requests_of_a_client_are_read() {
    let found = requests(
        r#"[{"type":512,"requestId":"K9","feedId":"feed-1","metadata":{"topic":"x"}},
        {"type":510,"requestId":"a"},
        {"type":511,"requestId":"b","feedId":"feed-1","limit":1,"since":1.5},
        {"type":513,"requestId":"c","feedId":"feed-1","metadata":{"topic":"y","gone":null}},
        {"type":514,"requestId":"d","feedId":"feed-1"},
        {"type":515,"requestId":"e","feedId":"feed-1","data":{"text":"m2"},"id":"msg-2"},
        {"type":516,"requestId":"f","feedId":"feed-1","messageId":"msg-2","data":{}},
        {"type":517,"requestId":"g","feedId":"feed-1","messageId":"msg-2"}]"#,
    );
    let ids: Vec<&str> = found.iter().map(|request| &*request.id).collect();
    assert_eq!(ids, ["K9", "a", "b", "c", "d", "e", "f", "g"]);
    assert!(found.iter().all(|request| request.ask.is_ok()), "{found:#?}");
    let Ok(FeedAsk::Change(FeedChange::Update { metadata, .. })) = &found[3].ask else {
        panic!("{:?}", found[3]);
    };
    assert_eq!(Value::Object(metadata.clone()), json!({"topic": "y", "gone": null}));
}

#[test]
fn a_request_that_is_wrong_names_the_field() {
    for (text, field) in [
        (r#"{"type":512,"requestId":"1"}"#, "feedId"),
        (r#"{"type":512,"requestId":"1","feedId":"f","metadata":[]}"#, "metadata"),
        (r#"{"type":512,"requestId":"1","feedId":"f","createdAt":1e20}"#, "createdAt"),
        (r#"{"type":515,"requestId":"1","feedId":"f"}"#, "data"),
        (r#"{"type":515,"requestId":"1","feedId":"f","data":{"a":"\ud800"}}"#, "data"),
        (r#"{"type":515,"requestId":"1","feedId":"f","data":{},"id":""}"#, "id"),
        (r#"{"type":517,"requestId":"1","feedId":"f"}"#, "messageId"),
        (r#"{"type":510,"requestId":"1","limit":1.5}"#, "limit"),
        (r#"{"type":510,"requestId":"1","since":"x"}"#, "since"),
    ] {
        let error = asked(text).unwrap_err();
        assert_eq!(error.fields()[0].field, field, "{text}");
    }
}

#[test]
fn a_request_without_a_short_id_ends_the_connection() {
    let long = format!(r#"{{"type":510,"requestId":"{}"}}"#, "x".repeat(129));
    for text in [r#"{"type":510}"#, r#"{"type":510,"requestId":5}"#, &long] {
        let Err(CloseReason::NotUnderstood(problem)) = parse(text) else { panic!("{text}") };
        assert_eq!(problem, "a requestId must be a short text");
    }
}

#[test]
fn answers_are_what_clients_expect() {
    let shown = json!({"feedId": "feed-1", "metadata": {"topic": "x"},
        "createdAt": 1_795_196_629_458_i64, "updatedAt": 1_795_196_629_459_i64});
    let said = json!({"id": "msg-2", "createdAt": 1, "updatedAt": 2, "data": {"text": "m2"}});
    let id = FeedId::trusted("feed-1");
    let changed = |event: FeedEvent| written(FeedReply::Changed(event.into()));
    for (event, expected) in [
        (FeedEvent::Added(feed()), json!({"type": 501, "feeds": [shown]})),
        (FeedEvent::Updated(feed()), json!({"type": 502, "feeds": [shown]})),
        (FeedEvent::Deleted(id.clone()), json!({"type": 503, "feedId": "feed-1"})),
        (
            FeedEvent::MessageAdded(id.clone(), message()),
            json!({"type": 505, "feedId": "feed-1", "messages": [said]}),
        ),
        (
            FeedEvent::MessageUpdated(id.clone(), message()),
            json!({"type": 506, "feedId": "feed-1", "messages": [said]}),
        ),
        (
            FeedEvent::MessageDeleted(id.clone(), message().id),
            json!({"type": 507, "feedId": "feed-1", "messageIds": ["msg-2"]}),
        ),
    ] {
        assert_eq!(changed(event), expected);
    }
    let page = FeedPage { entries: vec![feed()], next_cursor: None };
    assert_eq!(
        written(FeedReply::Listed { request: "1".into(), page }),
        json!({"type": 500, "requestId": "1", "feeds": [shown]})
    );
    let page = FeedPage { entries: vec![message()], next_cursor: Some("c".to_owned()) };
    assert_eq!(
        written(FeedReply::MessagesListed { request: "1".into(), feed: id, page }),
        json!({"type": 504, "requestId": "1", "feedId": "feed-1", "messages": [said],
            "nextCursor": "c"})
    );
    assert_eq!(
        written(FeedReply::failed("1".into(), &feed_not_found())),
        json!({"type": 508, "requestId": "1", "code": "FEED_NOT_FOUND", "reason": "Feed not found."})
    );
}
