//! The cases of a room's comments as one list.

use serde_json::json;

use crate::cases::{Case, Expected, case, refusal};

const LIST: (&str, &str) = ("roomd.v1.LivechatService", "ListMessages");
const CREATE: (&str, &str) = ("roomd.v1.CommentsService", "CreateThread");

pub fn livechat_cases() -> Vec<Case> {
    let body = json!({"version": 1, "content":
        [{"type": "paragraph", "children": [{"text": "hi "}, {"text": "you", "bold": true}]}]});
    let comment = json!({"id": "cm_1", "userId": "ann", "body": body,
        "createdAt": "2026-01-01T00:00:00.000Z"});
    let thread = json!({"roomId": "r", "id": "th_1", "comment": comment});
    let md = json!([{"type": "PARAGRAPH", "value": [
        {"type": "PLAIN_TEXT", "value": "hi "},
        {"type": "BOLD", "value": [{"type": "PLAIN_TEXT", "value": "you"}]},
    ]}]);
    let shown = json!({"success": true, "count": 50, "total": 1, "messages": [{
        "_id": "cm_1", "rid": "r", "tmid": "th_1", "msg": "hi you", "md": md,
        "u": {"_id": "ann", "username": "ann", "name": "ann"},
    }]});
    let invalid = || refusal("invalid_argument", 422, "UNPROCESSABLE_ENTITY");
    let no_room = refusal("not_found", 404, "ROOM_NOT_FOUND");
    let list = |more: serde_json::Value| {
        let mut request = json!({"rid": "r"});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    vec![
        case("list messages", &["r"], LIST, list(json!({})), Expected::Reply(shown))
            .after(CREATE, thread),
        case(
            "list no messages",
            &["r"],
            LIST,
            list(json!({"count": 7})),
            Expected::Reply(json!({"success": true, "count": 7})),
        ),
        case("list messages of no room", &[], LIST, list(json!({})), no_room),
        case("list too many messages", &["r"], LIST, list(json!({"count": 101})), invalid()),
        case("sort messages by a name", &["r"], LIST, list(json!({"sort": "ts"})), invalid()),
    ]
}
