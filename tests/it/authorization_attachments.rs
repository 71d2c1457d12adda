//! The rows of AttachmentService and UrlService in the table of who may call what.

use serde_json::{Value, json};

use crate::authorization::{Row, Rule, row};

const ID: &str = "at_abcdefghijklmnopqrstu";

pub fn attachment_rows() -> Vec<Row> {
    let attachment = |more: Value| {
        let mut request = json!({"roomId": "r", "attachmentId": ID});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    let upload = "00000000000000000000000000000000";
    let missing =
        |rpc, request| Row { outcome: "UPLOAD_NOT_FOUND", ..row(rpc, Rule::RoomWrite, request) };
    let hi = json!({"name": "a.txt", "userId": "ann", "content": {"data": "aGk="}});
    let all =
        json!({"uploadId": upload, "userId": "ann", "parts": [{"partNumber": 1, "etag": "x"}]});
    vec![
        // Nobody is asked for this one: the address is not public.
        row("roomd.v1.UrlService/GetUrlMetadata", Rule::Users, json!({"url": "http://127.0.0.1/"})),
        row("roomd.v1.AttachmentService/UploadAttachment", Rule::RoomWrite, attachment(hi)),
        Row {
            outcome: "RESOURCE_NOT_FOUND",
            ..row(
                "roomd.v1.AttachmentService/GetAttachment",
                Rule::RoomRead,
                json!({"roomId": "r", "attachmentId": "at_nobody"}),
            )
        },
        row(
            "roomd.v1.AttachmentService/GetAttachmentUrls",
            Rule::BrowserRead,
            json!({"roomId": "r", "attachmentIds": [ID]}),
        ),
        Row {
            outcome: "INVALID_FILE_URL",
            ..row(
                "roomd.v1.AttachmentService/DownloadAttachment",
                Rule::Open,
                attachment(json!({"project": "p", "expires": 1, "signature": "x"})),
            )
        },
        row(
            "roomd.v1.AttachmentService/CreateAttachmentUpload",
            Rule::RoomWrite,
            attachment(json!({"name": "a.txt"})),
        ),
        missing(
            "roomd.v1.AttachmentService/UploadAttachmentPart",
            attachment(json!({"uploadId": upload, "partNumber": 1, "content": {"data": "aGk="}})),
        ),
        missing("roomd.v1.AttachmentService/CompleteAttachmentUpload", attachment(all)),
        missing(
            "roomd.v1.AttachmentService/AbortAttachmentUpload",
            attachment(json!({"uploadId": upload})),
        ),
    ]
}
