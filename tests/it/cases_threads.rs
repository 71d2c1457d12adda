//! The cases of threads that are there: listed, resolved, described, deleted.

use serde_json::{Value, json};

use crate::cases::{Case, Expected, case, refusal};
use crate::cases_comments::{CREATE, REPLY, invalid, new_thread, nothing, reply, thread};

type Rpc = (&'static str, &'static str);

const COMMENTS: &str = "roomd.v1.CommentsService";
const GET_ALL: Rpc = (COMMENTS, "GetThreads");
const LIST: Rpc = (COMMENTS, "ListThreads");
const DELTA: Rpc = (COMMENTS, "GetThreadsDelta");
const DELETE: Rpc = (COMMENTS, "DeleteThread");
const METADATA: Rpc = (COMMENTS, "EditThreadMetadata");
const RESOLVE: Rpc = (COMMENTS, "MarkThreadAsResolved");
const UNRESOLVE: Rpc = (COMMENTS, "MarkThreadAsUnresolved");

pub fn thread_cases() -> Vec<Case> {
    let mut cases = lists();
    cases.extend(deltas());
    cases.extend(changes());
    cases.extend(others());
    cases.extend(of_users());
    cases
}

fn with(mut request: Value, more: Value) -> Value {
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

fn room(more: Value) -> Value {
    with(json!({"roomId": "r"}), more)
}

/// A private thread, which is younger than `th_a`.
fn private() -> Value {
    let body = json!({"version": 1, "content": []});
    json!({"roomId": "r", "id": "th_p", "visibility": "private",
        "comment": {"id": "cm_p", "userId": "bob", "body": body}})
}

fn no_room() -> Expected {
    refusal("not_found", 404, "ROOM_NOT_FOUND")
}

fn hints() -> Value {
    json!({"r": ["*:write"]})
}

fn lists() -> Vec<Case> {
    let found = |ids: &[&str]| {
        let threads: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
        reply(json!({ "data": threads }))
    };
    let ask = |name, query: &str, expected| {
        case(name, &["r"], GET_ALL, room(json!({ "query": query })), expected)
            .after(CREATE, new_thread())
            .after(CREATE, private())
    };
    vec![
        ask("get all threads", "", found(&["th_p", "th_a"])),
        ask("get the private threads", "visibility:'private'", found(&["th_p"])),
        ask(
            "get threads by their metadata",
            "resolved:false metadata['color']:'red' metadata['n']>=5 metadata['x']:null",
            found(&["th_a"]),
        ),
        ask("get threads by a boolean", "metadata['done']:false", found(&["th_a"])),
        ask("get threads by an odd field", "age:5", invalid()),
        ask(
            "get threads by a long text",
            &format!("metadata['a']:'{}'", "x".repeat(257)),
            invalid(),
        ),
        case("get the threads of no room", &[], GET_ALL, room(json!({})), no_room()),
        case(
            "get threads behind nothing",
            &["r"],
            GET_ALL,
            room(json!({"cursor": "?"})),
            invalid(),
        ),
        case(
            "list threads",
            &["r"],
            LIST,
            room(json!({"limit": 1})),
            reply(json!({"data": [{"id": "th_p"}], 
                "meta": {"requestedAt": "T", "nextCursor": "T", "permissionHints": hints()}})),
        )
        .after(CREATE, new_thread())
        .after(CREATE, private()),
        case(
            "list more threads",
            &["r"],
            LIST,
            room(json!({"limit": 2, "cursor": "{2:/meta/nextCursor}"})),
            reply(json!({"data": [{"id": "th_a"}]})),
        )
        .after(CREATE, new_thread())
        .after(CREATE, private())
        .after(LIST, room(json!({"limit": 1}))),
        case(
            "list no threads",
            &["r"],
            LIST,
            room(json!({})),
            reply(json!({"meta": {"requestedAt": "T", "permissionHints": hints()}})),
        ),
        case("list too many threads", &["r"], LIST, room(json!({"limit": 51})), invalid()),
        case("list the threads of no room", &[], LIST, room(json!({})), no_room()),
    ]
}

fn deltas() -> Vec<Case> {
    let since = |at: &str| room(json!({ "since": at }));
    let old = "2026-01-02T03:04:05.678Z";
    vec![
        case(
            "ask what changed",
            &["r"],
            DELTA,
            since(old),
            reply(json!({"data": [{"id": "th_a"}], 
                "deletedThreads": [{"type": "deletedThread", "id": "th_p", "roomId": "r"}],
                
                "meta": {"requestedAt": "T", "permissionHints": hints()}})),
        )
        .after(CREATE, new_thread())
        .after(CREATE, private())
        .after(DELETE, thread(json!({"threadId": "th_p"}))),
        case(
            "ask what changed in the future",
            &["r"],
            DELTA,
            since("9999-01-02T03:04:05Z"),
            reply(json!({"meta": {"requestedAt": "T"}})),
        )
        .after(CREATE, new_thread()),
        case("ask what changed since no time", &["r"], DELTA, room(json!({})), invalid()),
        case("ask what changed in no room", &[], DELTA, since(old), no_room()),
    ]
}

fn changes() -> Vec<Case> {
    let user = || thread(json!({"userId": "bob"}));
    let patch = || json!({"color": null, "n": 6, "new": true});
    let described = || thread(json!({"metadata": patch(), "userId": "bob"}));
    let now = json!({"n": 6, "done": false, "new": true});
    let resolved = |resolved: bool| {
        let mut shown = json!({"thread": {"id": "th_a", "comments": [{"id": "cm_a"}]}});
        if resolved {
            shown["thread"]["resolved"] = json!(true);
        }
        reply(shown)
    };
    vec![
        case("resolve a thread", &["r"], RESOLVE, user(), resolved(true))
            .after(CREATE, new_thread()),
        case("resolve a thread again", &["r"], RESOLVE, thread(json!({})), resolved(true))
            .after(CREATE, new_thread())
            .after(RESOLVE, user()),
        case("resolve no thread", &["r"], RESOLVE, user(), nothing()),
        case("take a thread up again", &["r"], UNRESOLVE, user(), resolved(false))
            .after(CREATE, new_thread())
            .after(RESOLVE, user()),
        case("take no thread up again", &["r"], UNRESOLVE, user(), nothing()),
        case("describe a thread", &["r"], METADATA, described(), reply(json!({ "metadata": now })))
            .after(CREATE, new_thread()),
        case("describe no thread", &["r"], METADATA, described(), nothing()),
        case(
            "describe a thread as nobody",
            &["r"],
            METADATA,
            thread(json!({"metadata": {"a": 1}})),
            invalid(),
        )
        .after(CREATE, new_thread()),
        case(
            "describe a thread with a list",
            &["r"],
            METADATA,
            thread(json!({"userId": "bob", "metadata": {"a": []}})),
            invalid(),
        )
        .after(CREATE, new_thread()),
        case(
            "find a thread by what it was described with",
            &["r"],
            GET_ALL,
            room(json!({"query": "metadata['n']:6 metadata['color']:null metadata['new']:true"})),
            reply(json!({"data": [{"id": "th_a", "metadata": now}]})),
        )
        .after(CREATE, new_thread())
        .after(METADATA, described()),
        case("delete a thread", &["r"], DELETE, thread(json!({})), reply(json!({})))
            .after(CREATE, new_thread()),
        case("delete a thread again", &["r"], DELETE, thread(json!({})), nothing())
            .after(CREATE, new_thread())
            .after(DELETE, thread(json!({}))),
        case("get a deleted thread", &["r"], (COMMENTS, "GetThread"), thread(json!({})), nothing())
            .after(CREATE, new_thread())
            .after(DELETE, thread(json!({}))),
        case(
            "get a comment of a deleted thread",
            &["r"],
            (COMMENTS, "GetComment"),
            thread(json!({"commentId": "cm_a"})),
            nothing(),
        )
        .after(CREATE, new_thread())
        .after(DELETE, thread(json!({}))),
    ]
}

fn others() -> Vec<Case> {
    let with_notification = (COMMENTS, "GetThreadWithNotification");
    let participants = (COMMENTS, "GetThreadParticipants");
    let mention = json!({"version": 1, "content": [{"type": "paragraph", "children": [
        {"type": "mention", "kind": "user", "id": "eve"},
        {"type": "mention", "kind": "group", "id": "staff"}]}]});
    vec![
        case(
            "get a thread with its notification",
            &["r"],
            with_notification,
            thread(json!({})),
            reply(json!({"thread": {"id": "th_a"}})),
        )
        .after(CREATE, new_thread()),
        case("get no thread with it", &["r"], with_notification, thread(json!({})), nothing()),
        case(
            "tell who takes part",
            &["r"],
            participants,
            thread(json!({})),
            reply(json!({"participantIds": ["ann", "bob", "eve"]})),
        )
        .after(CREATE, new_thread())
        .after(REPLY, thread(json!({"userId": "bob", "body": mention})))
        .after(REPLY, thread(json!({"userId": "ann", "body": mention}))),
        case("tell who takes part in nothing", &["r"], participants, thread(json!({})), nothing()),
    ]
}

fn of_users() -> Vec<Case> {
    let list = (COMMENTS, "ListUserThreads");
    let delta = (COMMENTS, "GetUserThreadsDelta");
    let since = |user: &str| json!({"userId": user, "since": "2026-01-02T03:04:05.678Z"});
    let found = || {
        reply(json!({"threads": [{"id": "th_a"}], "subscriptions": [{"subjectId": "th_a"}],
            "meta": {"requestedAt": "T", "permissionHints": hints()}}))
    };
    let ann = || json!({"userId": "ann"});
    vec![
        case("list what a user follows", &["r"], list, ann(), found())
            .after(CREATE, new_thread())
            .after(CREATE, private()),
        case("list what nobody follows", &["r"], list, json!({}), invalid()),
        case(
            "list what a user follows, resolved",
            &["r"],
            list,
            json!({"userId": "ann", "query": "resolved:true"}),
            reply(json!({"meta": {"requestedAt": "T"}})),
        )
        .after(CREATE, new_thread()),
        case("ask what changed for a user", &["r"], delta, since("ann"), found())
            .after(CREATE, new_thread())
            .after(CREATE, private()),
        case(
            "ask what ended for a user",
            &["r"],
            delta,
            since("ann"),
            reply(json!({"deletedThreads": [{"id": "th_a", "roomId": "r"}]})),
        )
        .after(CREATE, new_thread())
        .after(DELETE, thread(json!({}))),
        case("ask what changed since ever", &["r"], delta, ann(), invalid()),
    ]
}
