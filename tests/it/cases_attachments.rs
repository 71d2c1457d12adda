//! The cases of AttachmentService and UrlService.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::cases::{Case, Expected, case, refusal};

const SERVICE: &str = "roomd.v1.AttachmentService";
const ID: &str = "at_abcdefghijklmnopqrstu";
const UPLOAD: (&str, &str) = (SERVICE, "UploadAttachment");
/// Of `hi`.
const ETAG: &str = "8f434346648f6b96df89dda901c5176b";

fn about(more: Value) -> Value {
    let mut request = json!({"roomId": "r", "attachmentId": ID});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

fn hi() -> Value {
    let content = json!({"data": STANDARD.encode("hi")});
    about(json!({"name": "a b.txt", "userId": "ann", "content": content, "fileSize": 2}))
}

/// The same, with something else in it.
fn hi_but(more: Value) -> Value {
    let mut request = hi();
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

fn stored() -> Expected {
    let attachment = json!({"type": "attachment", "id": ID, "name": "a b.txt", "size": 2,
        "mimeType": "text/plain"});
    Expected::Reply(json!({ "attachment": attachment }))
}

fn invalid() -> Expected {
    refusal("invalid_argument", 422, "UNPROCESSABLE_ENTITY")
}

fn taken() -> Expected {
    refusal("already_exists", 409, "RESOURCE_ALREADY_EXISTS")
}

pub fn attachment_cases() -> Vec<Case> {
    let mut cases = whole_cases();
    cases.extend(part_cases());
    cases.extend(url_cases());
    cases
}

fn whole_cases() -> Vec<Case> {
    let get = (SERVICE, "GetAttachment");
    let urls = (SERVICE, "GetAttachmentUrls");
    let shown = json!({"attachment": {"type": "attachment", "id": ID, "name": "a b.txt", "size": 2,
        "mimeType": "text/plain", "url": "T", "expiresAt": "T"}});
    let nobody = json!({"roomId": "r", "attachmentId": "at_nobody"});
    let mismatch = refusal("aborted", 409, "FILE_SIZE_MISMATCH");
    vec![
        case("attach", &["r"], UPLOAD, hi(), stored()),
        case("attach twice", &["r"], UPLOAD, hi(), stored()).after(UPLOAD, hi()),
        case("attach another name", &["r"], UPLOAD, hi_but(json!({"name": "b.txt"})), taken())
            .after(UPLOAD, hi()),
        case("attach for another user", &["r"], UPLOAD, hi_but(json!({"userId": "bob"})), taken())
            .after(UPLOAD, hi()),
        case("attach another size", &["r"], UPLOAD, hi_but(json!({"fileSize": 3})), mismatch),
        case("attach for nobody", &["r"], UPLOAD, hi_but(json!({"userId": ""})), invalid()),
        case(
            "attach under the id of a file",
            &["r"],
            UPLOAD,
            hi_but(json!({"attachmentId": "fl_abcdefghijklmnopqrstu"})),
            invalid(),
        ),
        case("get an attachment", &["r"], get, about(json!({})), Expected::Reply(shown))
            .after(UPLOAD, hi()),
        case(
            "get no attachment",
            &["r"],
            get,
            nobody,
            refusal("not_found", 404, "RESOURCE_NOT_FOUND"),
        ),
        case(
            "addresses of no attachments",
            &["r"],
            urls,
            json!({"roomId": "r", "attachmentIds": ["at_nobody", "x"]}),
            Expected::Reply(json!({"urls": [null, null]})),
        )
        .after(UPLOAD, hi()),
        case(
            "too many addresses",
            &["r"],
            urls,
            json!({"roomId": "r", "attachmentIds": vec![ID; 101]}),
            invalid(),
        ),
    ]
}

fn part_cases() -> Vec<Case> {
    let create = (SERVICE, "CreateAttachmentUpload");
    let put = (SERVICE, "UploadAttachmentPart");
    let complete = (SERVICE, "CompleteAttachmentUpload");
    let begin = || about(json!({"name": "a b.txt", "fileSize": 2}));
    let id = "{0:/uploadId}";
    let content = json!({"data": STANDARD.encode("hi")});
    let part = || about(json!({"uploadId": id, "partNumber": 1, "content": content.clone()}));
    let parts = json!([{"partNumber": 1, "etag": ETAG}]);
    let all = |user: &str| about(json!({"uploadId": id, "userId": user, "parts": parts.clone()}));
    let begun = Expected::Reply(json!({"attachmentId": ID, "uploadId": "T"}));
    let uploaded = Expected::Reply(json!({"partNumber": 1, "etag": ETAG}));
    vec![
        case("begin to attach", &["r"], create, begin(), begun),
        case("attach a part", &["r"], put, part(), uploaded).after(create, begin()),
        case("end to attach", &["r"], complete, all("ann"), stored())
            .after(create, begin())
            .after(put, part()),
        case("end to attach twice", &["r"], complete, all("ann"), stored())
            .after(create, begin())
            .after(put, part())
            .after(complete, all("ann")),
        case("end to attach as another", &["r"], complete, all("bob"), taken())
            .after(create, begin())
            .after(put, part())
            .after(complete, all("ann")),
        case("end to attach without the part", &["r"], complete, all("ann"), invalid())
            .after(create, begin()),
        case(
            "drop an attachment's upload",
            &["r"],
            (SERVICE, "AbortAttachmentUpload"),
            about(json!({"uploadId": id})),
            Expected::Reply(json!({})),
        )
        .after(create, begin()),
    ]
}

fn url_cases() -> Vec<Case> {
    let get = ("roomd.v1.UrlService", "GetUrlMetadata");
    let nothing = Expected::Reply(json!({"metadata": {}}));
    vec![
        case("a page that may not be asked", &[], get, json!({"url": "http://[::1]/a"}), nothing),
        case("no page", &[], get, json!({"url": "ftp://example.com/"}), invalid()),
    ]
}
