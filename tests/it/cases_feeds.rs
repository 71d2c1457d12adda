//! The cases of feeds and their messages.

use serde_json::{Value, json};

use crate::cases::{Case, Expected, case, refusal};

const FEEDS: &str = "roomd.v1.FeedService";

type Rpc = (&'static str, &'static str);

const CREATE: Rpc = (FEEDS, "CreateFeed");
const SAY: Rpc = (FEEDS, "CreateFeedMessage");

pub fn feed_cases() -> Vec<Case> {
    let mut cases = create_and_read();
    cases.extend(update_and_delete());
    cases.extend(say_and_list());
    cases.extend(change_messages());
    cases
}

fn with(more: Value) -> Value {
    let mut request = json!({"roomId": "r"});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

/// About feed `f`.
fn feed(more: Value) -> Value {
    let mut request = with(json!({"feedId": "f"}));
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

fn reply(json: Value) -> Expected {
    Expected::Reply(json)
}

fn no_feed() -> Expected {
    refusal("not_found", 404, "FEED_NOT_FOUND")
}

fn no_message() -> Expected {
    refusal("not_found", 404, "FEED_MESSAGE_NOT_FOUND")
}

fn invalid() -> Expected {
    refusal("invalid_argument", 422, "UNPROCESSABLE_ENTITY")
}

fn described() -> Value {
    feed(json!({"metadata": {"color": "red", "n": 5}, "timestamp": 7.5}))
}

fn said(id: &str, timestamp: i64) -> Value {
    feed(json!({"id": id, "data": {"text": id}, "timestamp": timestamp}))
}

fn create_and_read() -> Vec<Case> {
    let rpc = |method| (FEEDS, method);
    let shown = json!({"feed": {"feedId": "f", "metadata": {"color": "red", "n": 5},
        "createdAt": 7, "updatedAt": 7}});
    let no_room = || refusal("not_found", 404, "ROOM_NOT_FOUND");
    let taken = || refusal("already_exists", 409, "FEED_ALREADY_EXISTS");
    let list = |more| with(more);
    const ODD: &str = "a/b c%2F?#é:x";
    vec![
        case("create a feed", &["r"], CREATE, described(), reply(shown.clone())),
        case(
            "create a feed of nothing",
            &["r"],
            CREATE,
            feed(json!({})),
            reply(json!({"feed": {"feedId": "f"}})),
        ),
        case("create a feed in no room", &[], CREATE, described(), no_room()),
        case("create a feed twice", &["r"], CREATE, described(), taken())
            .after(CREATE, described()),
        case(
            "create a feed with a long id",
            &["r"],
            CREATE,
            with(json!({"feedId": "x".repeat(129)})),
            invalid(),
        ),
        case(
            "create a feed at no time",
            &["r"],
            CREATE,
            feed(json!({"timestamp": 1e17})),
            invalid(),
        ),
        case(
            "create a feed with a long key",
            &["r"],
            CREATE,
            feed(json!({"metadata": {"k".repeat(41): "v"}})),
            invalid(),
        ),
        case("get a feed", &["r"], rpc("GetFeed"), feed(json!({})), reply(shown))
            .after(CREATE, described()),
        case(
            "get a feed with an odd id",
            &["r"],
            rpc("GetFeed"),
            with(json!({"feedId": ODD})),
            reply(json!({"feed": {"feedId": ODD}})),
        )
        .after(CREATE, with(json!({"feedId": ODD}))),
        case("get no feed", &["r"], rpc("GetFeed"), feed(json!({})), no_feed()),
        case("get a feed of no room", &[], rpc("GetFeed"), feed(json!({})), no_room()),
        case("list no feeds", &["r"], rpc("ListFeeds"), list(json!({})), reply(json!({}))),
        case(
            "list some feeds",
            &["r"],
            rpc("ListFeeds"),
            list(json!({"limit": 1})),
            reply(json!({"data": [{"feedId": "f"}], "nextCursor": "T"})),
        )
        .after(CREATE, with(json!({"feedId": "older", "timestamp": 5})))
        .after(CREATE, described()),
        case(
            "list feeds since",
            &["r"],
            rpc("ListFeeds"),
            list(json!({"since": 5, "metadata": {"color": "red", "n": "5"}})),
            reply(json!({"data": [{"feedId": "f"}]})),
        )
        .after(CREATE, with(json!({"feedId": "older", "timestamp": 5})))
        .after(CREATE, described()),
        case(
            "list too many feeds",
            &["r"],
            rpc("ListFeeds"),
            list(json!({"limit": 101})),
            invalid(),
        ),
        case(
            "list feeds behind nothing",
            &["r"],
            rpc("ListFeeds"),
            list(json!({"cursor": "what?"})),
            invalid(),
        ),
    ]
}

fn update_and_delete() -> Vec<Case> {
    let rpc = |method| (FEEDS, method);
    let patch = || feed(json!({"metadata": {"color": null, "size": ["s", "m"]}}));
    vec![
        case(
            "update a feed",
            &["r"],
            rpc("UpdateFeed"),
            patch(),
            reply(json!({"feed": {"feedId": "f", "metadata": {"n": 5, "size": ["s", "m"]},
                "createdAt": 7, "updatedAt": "T"}})),
        )
        .after(CREATE, described()),
        case("update no feed", &["r"], rpc("UpdateFeed"), patch(), no_feed()),
        case(
            "update a feed with a long key",
            &["r"],
            rpc("UpdateFeed"),
            feed(json!({"metadata": {"k".repeat(41): "v"}})),
            invalid(),
        )
        .after(CREATE, described()),
        case("delete a feed", &["r"], rpc("DeleteFeed"), feed(json!({})), reply(json!({})))
            .after(CREATE, described()),
        case("delete no feed", &["r"], rpc("DeleteFeed"), feed(json!({})), no_feed()),
    ]
}

fn say_and_list() -> Vec<Case> {
    let list = (FEEDS, "ListFeedMessages");
    let taken = || refusal("already_exists", 409, "FEED_MESSAGE_ALREADY_EXISTS");
    let new = || feed(json!({"feedId": "f"}));
    vec![
        case(
            "say something",
            &["r"],
            SAY,
            said("m", 9),
            reply(json!({"message":
                {"id": "m", "data": {"text": "m"}, "createdAt": 9, "updatedAt": 9}})),
        )
        .after(CREATE, new()),
        case(
            "say something without an id",
            &["r"],
            SAY,
            feed(json!({"data": {"n": 1.5, "list": [null, true, {}]}})),
            reply(json!({"message":
                {"id": "V", "data": {"n": 1.5, "list": [null, true, {}]}, "createdAt": "T"}})),
        )
        .after(CREATE, new()),
        case("say something twice", &["r"], SAY, said("m", 10), taken())
            .after(CREATE, new())
            .after(SAY, said("m", 9)),
        case("say something in no feed", &["r"], SAY, said("m", 9), no_feed()),
        case(
            "say too much",
            &["r"],
            SAY,
            feed(json!({"data": {"text": "x".repeat(129 << 10)}})),
            invalid(),
        )
        .after(CREATE, new()),
        case(
            "list messages",
            &["r"],
            list,
            feed(json!({"limit": 2, "since": 8})),
            reply(json!({"data": [{"id": "c"}, {"id": "b"}], "nextCursor": "T"})),
        )
        .after(CREATE, new())
        .after(SAY, said("a", 9))
        .after(SAY, said("b", 9))
        .after(SAY, said("c", 9))
        .after(SAY, said("d", 8)),
        case("list the messages of no feed", &["r"], list, feed(json!({})), no_feed()),
        case("list too many messages", &["r"], list, feed(json!({"limit": 0})), invalid()),
    ]
}

fn change_messages() -> Vec<Case> {
    let update = (FEEDS, "UpdateFeedMessage");
    let delete = (FEEDS, "DeleteFeedMessage");
    let message = |more: Value| {
        let mut request = feed(json!({"messageId": "m"}));
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    let new = || message(json!({"data": {"new": [1]}, "timestamp": 11}));
    vec![
        case(
            "change a message",
            &["r"],
            update,
            new(),
            reply(json!({"message":
                {"id": "m", "data": {"new": [1]}, "createdAt": 9, "updatedAt": 11}})),
        )
        .after(CREATE, feed(json!({})))
        .after(SAY, said("m", 9)),
        case("change no message", &["r"], update, new(), no_message())
            .after(CREATE, feed(json!({}))),
        case("change a message of no feed", &["r"], update, new(), no_feed()),
        case("delete a message", &["r"], delete, message(json!({})), reply(json!({})))
            .after(CREATE, feed(json!({})))
            .after(SAY, said("m", 9)),
        case("delete no message", &["r"], delete, message(json!({})), no_message())
            .after(CREATE, feed(json!({}))),
        case("delete a message of no feed", &["r"], delete, message(json!({})), no_feed()),
    ]
}
