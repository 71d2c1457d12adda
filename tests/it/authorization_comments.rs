//! The rows of CommentsService: who may do what with comments.

use serde_json::{Value, json};

use crate::authorization::{Row, Rule, row};

const THREAD: &str = "th_abcdefghijklmnopqrstu";
const COMMENT: &str = "cm_abcdefghijklmnopqrstu";

fn with(mut request: Value, more: Value) -> Value {
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

/// Only some callers could make a thread before, so the others are asked about none.
fn nowhere(more: Value) -> Value {
    with(json!({"roomId": "r", "threadId": "th_nobody"}), more)
}

fn missing(rpc: &'static str, rule: Rule, more: Value) -> Row {
    Row { outcome: "RESOURCE_NOT_FOUND", ..row(rpc, rule, nowhere(more)) }
}

fn body() -> Value {
    json!({"version": 1, "content": [{"type": "paragraph", "children": [{"text": "hi"}]}]})
}

pub fn comment_rows() -> Vec<Row> {
    vec![
        row("roomd.v1.LivechatService/ListMessages", Rule::RoomRead, json!({"rid": "r"})),
        row(
            "roomd.v1.CommentsService/SearchComments",
            Rule::BrowserRead,
            json!({"roomId": "r", "text": "hi"}),
        ),
        row(
            "roomd.v1.CommentsService/CreateThread",
            Rule::RoomWrite,
            json!({"roomId": "r", "id": THREAD,
                "comment": {"id": COMMENT, "userId": "ann", "body": body()}}),
        ),
        missing("roomd.v1.CommentsService/GetThread", Rule::RoomRead, json!({})),
        row(
            "roomd.v1.CommentsService/CreateComment",
            Rule::RoomWrite,
            json!({"roomId": "r", "threadId": THREAD, "userId": "ann", "body": body()}),
        ),
        missing(
            "roomd.v1.CommentsService/GetComment",
            Rule::RoomRead,
            json!({"commentId": COMMENT}),
        ),
        row("roomd.v1.CommentsService/GetThreads", Rule::RoomRead, json!({"roomId": "r"})),
        row("roomd.v1.CommentsService/ListThreads", Rule::BrowserRead, json!({"roomId": "r"})),
        row(
            "roomd.v1.CommentsService/GetThreadsDelta",
            Rule::BrowserRead,
            json!({"roomId": "r", "since": "2026-01-02T03:04:05.678Z"}),
        ),
        row("roomd.v1.CommentsService/ListUserThreads", Rule::Own, json!({"userId": "ann"})),
        row(
            "roomd.v1.CommentsService/GetUserThreadsDelta",
            Rule::Own,
            json!({"userId": "ann", "since": "2026-01-02T03:04:05.678Z"}),
        ),
        missing("roomd.v1.CommentsService/GetThreadWithNotification", Rule::BrowserRead, json!({})),
        missing("roomd.v1.CommentsService/GetThreadParticipants", Rule::RoomRead, json!({})),
        missing(
            "roomd.v1.CommentsService/EditThreadMetadata",
            Rule::RoomWrite,
            json!({"userId": "ann", "metadata": {"a": 1}}),
        ),
        missing("roomd.v1.CommentsService/MarkThreadAsResolved", Rule::RoomWrite, json!({})),
        missing("roomd.v1.CommentsService/MarkThreadAsUnresolved", Rule::RoomWrite, json!({})),
        missing("roomd.v1.CommentsService/DeleteThread", Rule::RoomWrite, json!({})),
        missing(
            "roomd.v1.CommentsService/EditComment",
            Rule::RoomWrite,
            json!({"commentId": COMMENT, "body": body()}),
        ),
        missing(
            "roomd.v1.CommentsService/DeleteComment",
            Rule::RoomWrite,
            json!({"commentId": COMMENT}),
        ),
        missing(
            "roomd.v1.CommentsService/EditCommentMetadata",
            Rule::RoomWrite,
            json!({"commentId": COMMENT, "userId": "ann", "metadata": {"a": 1}}),
        ),
        missing(
            "roomd.v1.CommentsService/AddCommentReaction",
            Rule::RoomWrite,
            json!({"commentId": COMMENT, "userId": "ann", "emoji": "👍"}),
        ),
        missing(
            "roomd.v1.CommentsService/RemoveCommentReaction",
            Rule::RoomWrite,
            json!({"commentId": COMMENT, "userId": "ann", "emoji": "👍"}),
        ),
    ]
}
