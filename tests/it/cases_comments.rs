//! The cases of threads and the comments in them.

use serde_json::{Value, json};

use crate::cases::{Case, Expected, case, refusal};
use crate::cases_comment_changes::comment_change_cases;
use crate::cases_threads::thread_cases;

const COMMENTS: &str = "roomd.v1.CommentsService";

type Rpc = (&'static str, &'static str);

pub const CREATE: Rpc = (COMMENTS, "CreateThread");
pub const REPLY: Rpc = (COMMENTS, "CreateComment");

pub fn comment_cases() -> Vec<Case> {
    let mut cases = create_and_read();
    cases.extend(thread_cases());
    cases.extend(refused_threads());
    cases.extend(replies());
    cases.extend(comment_change_cases());
    cases
}

fn with(mut request: Value, more: Value) -> Value {
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

fn says(text: &str) -> Value {
    json!({"version": 1, "content": [{"type": "paragraph", "children":
        [{"text": text, "bold": true}, {"type": "mention", "kind": "user", "id": "bob"}]}]})
}

/// Thread `th_a` with comment `cm_a`.
pub fn new_thread() -> Value {
    json!({"roomId": "r", "id": "th_a", "metadata": {"color": "red", "n": 5, "done": false},
        "comment": {"id": "cm_a", "userId": "ann", "body": says("hi"),
            "createdAt": "2026-01-02T03:04:05.678Z"}})
}

/// About thread `th_a`.
pub fn thread(more: Value) -> Value {
    with(json!({"roomId": "r", "threadId": "th_a"}), more)
}

pub fn reply(json: Value) -> Expected {
    Expected::Reply(json)
}

pub fn nothing() -> Expected {
    refusal("not_found", 404, "RESOURCE_NOT_FOUND")
}

pub fn invalid() -> Expected {
    refusal("invalid_argument", 422, "UNPROCESSABLE_ENTITY")
}

fn taken() -> Expected {
    refusal("already_exists", 409, "RESOURCE_ALREADY_EXISTS")
}

fn no_room() -> Expected {
    refusal("not_found", 404, "ROOM_NOT_FOUND")
}

fn shown() -> Value {
    shown_as("th_a")
}

fn shown_as(id: &str) -> Value {
    json!({"thread": {"type": "thread", "id": id, "roomId": "r", "visibility": "public",
        "metadata": {"color": "red", "n": 5, "done": false}, "createdAt": "T", "updatedAt": "T",
        "comments": [{"type": "comment", "id": "cm_a", "threadId": id, "roomId": "r",
            "userId": "ann", "body": says("hi"), "createdAt": "T"}]}})
}

fn create_and_read() -> Vec<Case> {
    let get = (COMMENTS, "GetThread");
    let private = || {
        json!({"roomId": "r", "visibility": "private",
            "comment": {"userId": "ann", "body": says("hush"), "metadata": {"k": "v"}}})
    };
    vec![
        case("create a thread", &["r"], CREATE, new_thread(), reply(shown())),
        case("create a thread again", &["r"], CREATE, new_thread(), reply(shown()))
            .after(CREATE, new_thread()),
        case(
            "create a private thread without ids",
            &["r"],
            CREATE,
            private(),
            reply(json!({"thread": {"id": "V", "visibility": "private", "comments":
                [{"id": "V", "threadId": "V", "metadata": {"k": "v"}, "userId": "ann"}]}})),
        ),
        case("get a thread", &["r"], get, thread(json!({})), reply(shown()))
            .after(CREATE, new_thread()),
        case(
            "get a private thread",
            &["r"],
            get,
            json!({"roomId": "r", "threadId": "{0:/thread/id}"}),
            reply(json!({"thread": {"visibility": "private"}})),
        )
        .after(CREATE, private()),
        case("get no thread", &["r"], get, thread(json!({})), nothing()),
        case("get what is no thread", &["r"], get, thread(json!({"threadId": "x y"})), nothing()),
        case("get a thread of no room", &[], get, thread(json!({})), no_room()),
    ]
}

fn refused_threads() -> Vec<Case> {
    let other = |comment: Value| {
        let old = new_thread()["comment"].clone();
        with(new_thread(), json!({"comment": with(old, comment)}))
    };
    let bad = |name, request| case(name, &["r"], CREATE, request, invalid());
    vec![
        case("create a thread in no room", &[], CREATE, new_thread(), no_room()),
        case(
            "create another thread under its id",
            &["r"],
            CREATE,
            other(json!({"body": says("else")})),
            taken(),
        )
        .after(CREATE, new_thread()),
        case(
            "create a thread with a comment of an id that another thread has",
            &["r"],
            CREATE,
            with(new_thread(), json!({"id": "th_b"})),
            reply(shown_as("th_b")),
        )
        .after(CREATE, new_thread()),
        bad("create a thread of nobody", other(json!({"userId": ""}))),
        bad("create a thread with an odd id", with(new_thread(), json!({"id": "cm_x"}))),
        bad("create a secret thread", with(new_thread(), json!({"visibility": "secret"}))),
        bad("create a thread with a list", with(new_thread(), json!({"metadata": {"a": [1]}}))),
        bad("create a thread of no version", other(json!({"body": {"content": []}}))),
        bad("create a thread with no file", other(json!({"attachmentIds": ["at_nobody"]}))),
    ]
}

fn replies() -> Vec<Case> {
    let get = (COMMENTS, "GetComment");
    let again = || thread(json!({"id": "cm_b", "userId": "bob", "body": says("yes")}));
    let shown = || {
        json!({"comment": {"type": "comment", "id": "cm_b", "threadId": "th_a", "roomId": "r",
            "userId": "bob", "body": says("yes"), "createdAt": "T"}})
    };
    let named = || thread(json!({"commentId": "cm_b"}));
    vec![
        case("reply", &["r"], REPLY, again(), reply(shown())).after(CREATE, new_thread()),
        case("reply again", &["r"], REPLY, again(), reply(shown()))
            .after(CREATE, new_thread())
            .after(REPLY, again()),
        case(
            "reply under a taken id",
            &["r"],
            REPLY,
            with(again(), json!({"id": "cm_a"})),
            taken(),
        )
        .after(CREATE, new_thread()),
        case("reply to nothing", &["r"], REPLY, again(), nothing()),
        case("reply as nobody", &["r"], REPLY, with(again(), json!({"userId": ""})), invalid())
            .after(CREATE, new_thread()),
        case(
            "read what was replied",
            &["r"],
            (COMMENTS, "GetThread"),
            thread(json!({})),
            reply(json!({"thread": {"comments": [{"id": "cm_a"}, {"id": "cm_b"}]}})),
        )
        .after(CREATE, new_thread())
        .after(REPLY, again()),
        case("get a comment", &["r"], get, named(), reply(shown()))
            .after(CREATE, new_thread())
            .after(REPLY, again()),
        case("get no comment", &["r"], get, named(), nothing()).after(CREATE, new_thread()),
        case("get a comment of no thread", &["r"], get, named(), nothing()),
    ]
}
