//! The cases of searches of comments.

use serde_json::json;

use crate::cases::{Case, Expected, case, refusal};
use crate::cases_comments::{CREATE, new_thread};

const SEARCH: (&str, &str) = ("roomd.v1.CommentsService", "SearchComments");

pub fn search_cases() -> Vec<Case> {
    let found = json!({"threadId": "th_a", "commentId": "cm_a", "html": "<mark>hi</mark>@bob"});
    let found_in_project = json!({"roomId": "r", "threadId": "th_a", "commentId": "cm_a"});
    let invalid = || refusal("invalid_argument", 422, "UNPROCESSABLE_ENTITY");
    vec![
        case(
            "search a room",
            &["r"],
            SEARCH,
            json!({"roomId": "r", "text": "h", "query": "hasMentions:true", "limit": 1}),
            Expected::Reply(json!({"data": [found]})),
        )
        .after(CREATE, new_thread()),
        case(
            "search all rooms",
            &["r"],
            SEARCH,
            json!({"text": "HI"}),
            Expected::Reply(json!({"data": [found_in_project]})),
        )
        .after(CREATE, new_thread()),
        case("search no room", &[], SEARCH, json!({"roomId": "r", "text": "hi"}), {
            refusal("not_found", 404, "ROOM_NOT_FOUND")
        }),
        case("search with a bad query", &["r"], SEARCH, json!({"query": "x:1"}), invalid()),
        case("search for too much", &["r"], SEARCH, json!({"text": "x ".repeat(21)}), invalid()),
    ]
}
