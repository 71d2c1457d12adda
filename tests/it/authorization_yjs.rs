//! Who may do what with a room's Yjs document: rows of `authorization.rs`.

use serde_json::json;

use crate::authorization::{Row, Rule, row};

pub fn yjs_rows() -> Vec<Row> {
    let room = || json!({"roomId": "r"});
    let update = json!({"roomId": "r", "update": {"data": "AAA="}});
    let editor = json!({"roomId": "r", "type": "lexical", "rootKey": "root"});
    vec![
        row("roomd.v1.YjsService/SendYjsBinaryUpdate", Rule::RoomWrite, update),
        row("roomd.v1.YjsService/GetYjsDocument", Rule::RoomRead, room()),
        row("roomd.v1.YjsService/GetYjsDocumentBinary", Rule::RoomRead, room()),
        Row {
            outcome: "TEXT_EDITOR_NOT_FOUND",
            ..row("roomd.v1.YjsService/GetTextEditor", Rule::RoomRead, room())
        },
        // Readers are let in, and what they say is not kept: tests/it/text_editor.rs has that.
        row("roomd.v1.YjsService/ReportTextEditor", Rule::BrowserRead, editor),
    ]
}
