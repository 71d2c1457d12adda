//! The cases of which editor writes a room's Yjs document.

use serde_json::{Value, json};

use crate::cases::{Case, Expected, case, refusal};

const REPORT: (&str, &str) = ("roomd.v1.YjsService", "ReportTextEditor");
const GET: (&str, &str) = ("roomd.v1.YjsService", "GetTextEditor");

fn reported(kind: &str, root_key: &str) -> Value {
    json!({"roomId": "r", "type": kind, "rootKey": root_key})
}

pub fn text_editor_cases() -> Vec<Case> {
    use Expected::Reply;
    let room = || json!({"roomId": "r"});
    let invalid = || refusal("invalid_argument", 422, "UNPROCESSABLE_ENTITY");
    let no_room = || refusal("not_found", 404, "ROOM_NOT_FOUND");
    let none = refusal("not_found", 404, "TEXT_EDITOR_NOT_FOUND");
    let last = json!({"editor": {"type": "tiptap", "rootKey": "default"}});
    vec![
        case("report an editor", &["r"], REPORT, reported("lexical", "root"), Reply(json!({}))),
        case("report an editor of no room", &[], REPORT, reported("lexical", "root"), no_room()),
        case("report no known editor", &["r"], REPORT, reported("quill", "root"), invalid()),
        case("report an editor nowhere", &["r"], REPORT, reported("lexical", ""), invalid()),
        case("report an odd root", &["r"], REPORT, reported("lexical", "a\nb"), invalid()),
        case("the editor reported last", &["r"], GET, room(), Reply(last))
            .after(REPORT, reported("blocknote", "root"))
            .after(REPORT, reported("tiptap", "default")),
        case("an editor that nobody reported", &["r"], GET, room(), none),
        case("the editor of no room", &[], GET, room(), no_room()),
    ]
}
