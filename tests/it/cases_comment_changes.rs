//! The cases of comments that are there: edited, deleted, reacted to.

use serde_json::{Value, json};

use crate::cases::{Case, case, refusal};
use crate::cases_comments::{CREATE, REPLY, invalid, new_thread, nothing, reply, thread};

type Rpc = (&'static str, &'static str);

const COMMENTS: &str = "roomd.v1.CommentsService";
const EDIT: Rpc = (COMMENTS, "EditComment");
const DELETE: Rpc = (COMMENTS, "DeleteComment");
const METADATA: Rpc = (COMMENTS, "EditCommentMetadata");
const REACT: Rpc = (COMMENTS, "AddCommentReaction");
const TAKE_BACK: Rpc = (COMMENTS, "RemoveCommentReaction");
const GET: Rpc = (COMMENTS, "GetComment");
const GET_THREAD: Rpc = (COMMENTS, "GetThread");

pub fn comment_change_cases() -> Vec<Case> {
    let mut cases = edits();
    cases.extend(deletions());
    cases.extend(metadata());
    cases.extend(reactions());
    cases
}

fn with(mut request: Value, more: Value) -> Value {
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

fn says(text: &str) -> Value {
    json!({"version": 1, "content": [{"type": "paragraph", "children": [{"text": text}]}]})
}

/// About comment `cm_a` of thread `th_a`.
fn comment(more: Value) -> Value {
    with(thread(json!({"commentId": "cm_a"})), more)
}

fn second() -> Value {
    thread(json!({"id": "cm_b", "userId": "bob", "body": says("yes")}))
}

fn edits() -> Vec<Case> {
    let edit = |more: Value| {
        let edited_at = "2026-02-03T04:05:06.789Z";
        comment(with(json!({"body": says("better"), "editedAt": edited_at}), more))
    };
    let shown = || {
        json!({"comment": {"type": "comment", "id": "cm_a", "userId": "ann", "body": says("better"),
            "editedAt": "2026-02-03T04:05:06.789Z", "metadata": {"a": 1, "b": "x"}}})
    };
    let with_metadata = || edit(json!({"metadata": {"a": 1, "b": "x", "c": null}}));
    let bad =
        |name, more| case(name, &["r"], EDIT, edit(more), invalid()).after(CREATE, new_thread());
    vec![
        case("edit a comment", &["r"], EDIT, with_metadata(), reply(shown()))
            .after(CREATE, new_thread()),
        case("read what was edited", &["r"], GET, comment(json!({})), reply(shown()))
            .after(CREATE, new_thread())
            .after(EDIT, with_metadata()),
        case(
            "edit a comment to have no files",
            &["r"],
            EDIT,
            edit(json!({"attachmentIds": []})),
            reply(json!({"comment": {"body": says("better")}})),
        )
        .after(CREATE, new_thread()),
        case("edit no comment", &["r"], EDIT, edit(json!({"commentId": "cm_no"})), nothing())
            .after(CREATE, new_thread()),
        case("edit a comment of nothing", &["r"], EDIT, edit(json!({})), nothing()),
        bad("edit without a version", json!({"body": {"content": []}})),
        bad("edit with a file that is not there", json!({"attachmentIds": ["at_nobody"]})),
        bad("edit with files that are numbers", json!({"attachmentIds": [5]})),
        bad("edit with a list as metadata", json!({"metadata": {"a": []}})),
    ]
}

fn deletions() -> Vec<Case> {
    let tombstone = || json!({"type": "comment", "id": "cm_a", "userId": "ann"});
    vec![
        case("delete a comment", &["r"], DELETE, comment(json!({})), reply(json!({})))
            .after(CREATE, new_thread())
            .after(REPLY, second()),
        case(
            "read what is left of a comment",
            &["r"],
            GET,
            comment(json!({})),
            reply(json!({"comment": tombstone()})),
        )
        .after(CREATE, new_thread())
        .after(REPLY, second())
        .after(DELETE, comment(json!({}))),
        case("delete a comment again", &["r"], DELETE, comment(json!({})), nothing())
            .after(CREATE, new_thread())
            .after(REPLY, second())
            .after(DELETE, comment(json!({}))),
        case("a thread without comments is gone", &["r"], GET_THREAD, thread(json!({})), nothing())
            .after(CREATE, new_thread())
            .after(DELETE, comment(json!({}))),
    ]
}

fn metadata() -> Vec<Case> {
    let patch = |given: Value| comment(json!({"userId": "bob", "metadata": given}));
    let bad = |name, request| {
        case(name, &["r"], METADATA, request, invalid()).after(CREATE, new_thread())
    };
    vec![
        case(
            "change a comment's metadata",
            &["r"],
            METADATA,
            patch(json!({"a": null, "b": 2, "c": true})),
            reply(json!({"metadata": {"b": 2, "c": true, "d": "x"}})),
        )
        .after(CREATE, new_thread())
        .after(METADATA, patch(json!({"a": "1", "d": "x"}))),
        bad("change a comment's metadata as nobody", comment(json!({"metadata": {"a": 1}}))),
        bad("change a comment's metadata to a list", patch(json!({"a": ["b"]}))),
        case("change no comment's metadata", &["r"], METADATA, patch(json!({"a": 1})), nothing()),
    ]
}

fn reactions() -> Vec<Case> {
    let by = |user: &str, emoji: &str| comment(json!({"userId": user, "emoji": emoji}));
    let dated = |user, emoji| with(by(user, emoji), json!({"createdAt": "2026-01-01T00:00:00Z"}));
    let taken = || refusal("already_exists", 409, "RESOURCE_ALREADY_EXISTS");
    let bad =
        |name, request| case(name, &["r"], REACT, request, invalid()).after(CREATE, new_thread());
    vec![
        case(
            "react",
            &["r"],
            REACT,
            dated("bob", "👨‍👩‍👧‍👦"),
            reply(json!({"reaction": {"userId": "bob", "emoji": "👨‍👩‍👧‍👦", "createdAt": "T"}})),
        )
        .after(CREATE, new_thread()),
        case("react twice", &["r"], REACT, by("bob", "👍"), taken())
            .after(CREATE, new_thread())
            .after(REACT, by("bob", "👍")),
        case(
            "read reactions",
            &["r"],
            GET,
            comment(json!({})),
            reply(json!({"comment": {"reactions": [
                {"emoji": "👍", "userId": "ann", "users": [{"id": "ann"}, {"id": "bob"}]},
                {"emoji": "🎉", "userId": "bob", "users": [{"id": "bob"}]}]}})),
        )
        .after(CREATE, new_thread())
        .after(REACT, dated("ann", "👍"))
        .after(REACT, by("bob", "👍"))
        .after(REACT, by("bob", "🎉")),
        bad("react as nobody", comment(json!({"emoji": "👍"}))),
        bad("react with a word", by("bob", "ok")),
        bad("react with two emoji", by("bob", "👍👍")),
        bad("react with nothing", comment(json!({"userId": "bob"}))),
        case("react to nothing", &["r"], REACT, by("bob", "👍"), nothing()),
        case("take a reaction back", &["r"], TAKE_BACK, by("bob", "👍"), reply(json!({})))
            .after(CREATE, new_thread())
            .after(REACT, by("bob", "👍")),
        case("take no reaction back", &["r"], TAKE_BACK, by("bob", "👍"), nothing())
            .after(CREATE, new_thread())
            .after(REACT, by("ann", "👍")),
    ]
}
