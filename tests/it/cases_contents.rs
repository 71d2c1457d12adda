//! The cases of what rooms hold: Storage, files, Yjs, versions, schemas.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::cases::{Case, Expected, case, refusal};

const STORAGE: &str = "roomd.v1.StorageService";
const YJS: &str = "roomd.v1.YjsService";
const VERSIONS: &str = "roomd.v1.VersionService";
const SCHEMAS: &str = "roomd.v1.SchemaService";

const FILE: &str = "fl_abcdefghijklmnopqrstu";
const SCHEMA: &str = "type Storage { title?: string }";
/// A Yjs document with the text `hi` under `t`.
const UPDATE: &str = "AQEBAAQBAXQCaGkA";
/// Without anything.
const EMPTY_UPDATE: &str = "AAA=";

pub fn contents_cases() -> Vec<Case> {
    let mut cases = storage_cases();
    cases.extend(patch_cases());
    cases.extend(file_cases());
    cases.extend(upload_cases());
    cases.extend(yjs_cases());
    cases.extend(version_cases());
    cases.extend(schema_cases());
    cases
}

fn room() -> Value {
    json!({"roomId": "r"})
}

/// A request about room `r`.
fn with(more: Value) -> Value {
    let mut request = room();
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

fn body(content_type: &str, text: &str) -> Value {
    json!({"contentType": content_type, "data": STANDARD.encode(text)})
}

fn lson(data: Value) -> Value {
    json!({"liveblocksType": "LiveObject", "data": data})
}

fn reply(json: Value) -> Expected {
    Expected::Reply(json)
}

fn not_found() -> Expected {
    refusal("not_found", 404, "ROOM_NOT_FOUND")
}

fn invalid() -> Expected {
    refusal("invalid_argument", 422, "UNPROCESSABLE_ENTITY")
}

fn initialize(data: Value) -> ((&'static str, &'static str), Value) {
    let request = with(json!({"document": lson(data)}));
    ((STORAGE, "InitializeStorageDocument"), request)
}

fn storage_cases() -> Vec<Case> {
    let rpc = |method| (STORAGE, method);
    let (init, filled) = initialize(json!({"title": "x"}));
    let json = "application/json";
    let document = |text| json!({"document": body(json, text)});
    let message = json!({"type": 201, "ops":
        [{"type": 3, "opId": "7:0", "id": "root", "data": {"title": "y"}}]});
    vec![
        case(
            "read what is empty",
            &["r"],
            rpc("GetStorageDocument"),
            room(),
            reply(document(r#"{"liveblocksType":"LiveObject","data":{}}"#)),
        ),
        case("read of no room", &[], rpc("GetStorageDocument"), room(), not_found()),
        case(
            "read in no format",
            &["r"],
            rpc("GetStorageDocument"),
            with(json!({"format": "yaml"})),
            invalid(),
        ),
        case(
            "read as JSON",
            &["r"],
            rpc("GetStorageDocument"),
            with(json!({"format": "json"})),
            reply(document(r#"{"title":"x"}"#)),
        )
        .after(init, filled.clone()),
        case(
            "initialize",
            &["r"],
            init,
            filled.clone(),
            reply(document(r#"{"liveblocksType":"LiveObject","data":{"title":"x"}}"#)),
        ),
        case(
            "initialize twice",
            &["r"],
            init,
            filled.clone(),
            refusal("already_exists", 409, "CANNOT_UPDATE_EXISTING_STORAGE"),
        )
        .after(init, filled.clone()),
        case(
            "initialize with a list",
            &["r"],
            init,
            with(json!({"document": {"liveblocksType": "LiveList", "data": []}})),
            invalid(),
        ),
        case("delete", &["r"], rpc("DeleteStorageDocument"), room(), reply(json!({})))
            .after(init, filled.clone()),
        case(
            "nodes",
            &["r"],
            rpc("ListStorageNodes"),
            room(),
            reply(json!({"nodes": {"contentType": json}})),
        )
        .after(init, filled.clone()),
        case(
            "begin a mutation",
            &["r"],
            rpc("BeginStorageMutation"),
            room(),
            reply(json!({"nodes": {"contentType": "application/x-ndjson"}})),
        ),
        case(
            "send operations",
            &["r"],
            rpc("SendStorageMessages"),
            with(json!({"messages": [message]})),
            reply(json!({})),
        )
        .after(init, filled),
        case(
            "send something else",
            &["r"],
            rpc("SendStorageMessages"),
            with(json!({"messages": [{"type": 100, "data": {}}]})),
            invalid(),
        ),
    ]
}

fn patch_cases() -> Vec<Case> {
    let rpc = (STORAGE, "PatchStorageDocument");
    let (init, filled) = initialize(json!({"title": "x"}));
    let patch = |operations: Value| with(json!({"operations": operations}));
    vec![
        case(
            "patch",
            &["r"],
            rpc,
            patch(json!([
                {"op": "test", "path": "/title", "value": "x"},
                {"op": "add", "path": "/none", "value": null},
                {"op": "add", "path": "/list", "value": [1]},
                {"op": "add", "path": "/list/-", "value": 2},
                {"op": "copy", "from": "/list", "path": "/twin"},
                {"op": "move", "from": "/title", "path": "/name"},
                {"op": "remove", "path": "/list/0"},
            ])),
            reply(json!({})),
        )
        .after(init, filled.clone()),
        case(
            "patch what is not there",
            &["r"],
            rpc,
            patch(json!([{"op": "remove", "path": "/nobody"}])),
            refusal("invalid_argument", 422, "INVALID_STORAGE_MUTATION_REQUEST"),
        )
        .after(init, filled),
        case(
            "patch by nothing known",
            &["r"],
            rpc,
            patch(json!([{"op": "x", "path": ""}])),
            invalid(),
        ),
    ]
}

fn file(more: Value) -> Value {
    let mut request = with(json!({"fileId": FILE}));
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

fn stored() -> Value {
    json!({"id": FILE, "name": "a b.txt", "size": 2, "mimeType": "text/plain"})
}

fn file_cases() -> Vec<Case> {
    let upload = (STORAGE, "UploadStorageFile");
    let hi = || file(json!({"name": "a b.txt", "content": body("", "hi"), "fileSize": 2}));
    let other = file(json!({"name": "b.txt", "content": body("", "hi")}));
    let longer = file(json!({"name": "a b.txt", "content": body("", "hi!"), "fileSize": 2}));
    let mismatch = refusal("aborted", 409, "FILE_SIZE_MISMATCH");
    vec![
        case("upload", &["r"], upload, hi(), reply(json!({"file": stored()}))),
        case("upload twice", &["r"], upload, hi(), reply(json!({"file": stored()})))
            .after(upload, hi()),
        case(
            "upload another under the same id",
            &["r"],
            upload,
            other,
            refusal("already_exists", 409, "FILE_ALREADY_EXISTS"),
        )
        .after(upload, hi()),
        case("upload another size", &["r"], upload, longer, mismatch),
        case(
            "upload under no id",
            &["r"],
            upload,
            with(json!({"fileId": "x", "name": "a", "content": body("", "hi")})),
            invalid(),
        ),
        case(
            "get a file",
            &["r"],
            (STORAGE, "GetStorageFile"),
            file(json!({})),
            reply(json!({"file": {"id": FILE, "size": 2, "url": "T", "expiresAt": "T"}})),
        )
        .after(upload, hi()),
        case(
            "addresses of files",
            &["r"],
            (STORAGE, "GetStorageFileUrls"),
            with(json!({"fileIds": [FILE, "fl_nobody", "x"]})),
            reply(json!({"urls": [false, null, null], "expiresAt": "T"})),
        )
        .after(upload, hi()),
    ]
}

fn upload_cases() -> Vec<Case> {
    let create = (STORAGE, "CreateStorageFileUpload");
    let put = (STORAGE, "UploadStorageFilePart");
    let complete = (STORAGE, "CompleteStorageFileUpload");
    let begin = || file(json!({"name": "a b.txt", "fileSize": 2}));
    let id = "{0:/uploadId}";
    let part = || file(json!({"uploadId": id, "partNumber": 1, "content": body("", "hi")}));
    let etag = "8f434346648f6b96df89dda901c5176b";
    let all = json!([{"partNumber": 1, "etag": etag}]);
    let all = || file(json!({"uploadId": id, "parts": all.clone()}));
    vec![
        case("begin an upload", &["r"], create, begin(), {
            reply(json!({"fileId": FILE, "uploadId": "T"}))
        }),
        case("upload a part", &["r"], put, part(), reply(json!({"partNumber": 1, "etag": etag})))
            .after(create, begin()),
        case("end an upload", &["r"], complete, all(), reply(json!({"file": stored()})))
            .after(create, begin())
            .after(put, part()),
        case("end an upload twice", &["r"], complete, all(), reply(json!({"file": stored()})))
            .after(create, begin())
            .after(put, part())
            .after(complete, all()),
        case("end an upload without its part", &["r"], complete, all(), invalid())
            .after(create, begin()),
        case(
            "drop an upload",
            &["r"],
            (STORAGE, "AbortStorageFileUpload"),
            file(json!({"uploadId": id})),
            reply(json!({})),
        )
        .after(create, begin()),
    ]
}

fn yjs_cases() -> Vec<Case> {
    let rpc = |method| (YJS, method);
    let send = rpc("SendYjsBinaryUpdate");
    let bytes = |data: &str| json!({"contentType": "application/octet-stream", "data": data});
    let update = || with(json!({"update": bytes(UPDATE)}));
    let document = |text| json!({"document": body("application/json", text)});
    vec![
        case("send an update", &["r"], send, update(), reply(json!({"status": 200}))),
        case(
            "send what is no update",
            &["r"],
            send,
            with(json!({"update": bytes("////")})),
            invalid(),
        ),
        case(
            "read Yjs as JSON",
            &["r"],
            rpc("GetYjsDocument"),
            room(),
            reply(document(r#"{"t":"hi"}"#)),
        )
        .after(send, update()),
        case(
            "read one text with its formatting",
            &["r"],
            rpc("GetYjsDocument"),
            with(json!({"key": "t", "type": "ytext", "formatting": true})),
            reply(document(r#"{"t":[{"insert":"hi"}]}"#)),
        )
        .after(send, update()),
        case(
            "read Yjs as what it cannot be",
            &["r"],
            rpc("GetYjsDocument"),
            with(json!({"key": "t", "type": "ycar"})),
            invalid(),
        ),
        case(
            "read Yjs as bytes",
            &["r"],
            rpc("GetYjsDocumentBinary"),
            room(),
            reply(json!({"update": bytes(UPDATE)})),
        )
        .after(send, update()),
        case(
            "read a subdocument that is empty",
            &["r"],
            rpc("GetYjsDocumentBinary"),
            with(json!({"guid": "s"})),
            reply(json!({"update": bytes(EMPTY_UPDATE)})),
        )
        .after(send, update()),
    ]
}

fn version_cases() -> Vec<Case> {
    let rpc = |method| (VERSIONS, method);
    let create = rpc("CreateVersion");
    let (init, filled) = initialize(json!({"title": "x"}));
    let version = || with(json!({"versionId": "{1:/data/id}"}));
    let listed = json!({"id": "V", "type": "historyVersion", "kind": "yjs", "createdAt": "T"});
    let made = |case: Case| case.after(init, filled.clone()).after(create, room());
    let missing = refusal("not_found", 404, "VERSION_NOT_FOUND");
    vec![
        case("keep a version", &["r"], create, room(), reply(json!({"data": {"id": "V"}}))),
        made(case(
            "list versions",
            &["r"],
            rpc("GetVersionHistory"),
            with(json!({"limit": 1})),
            reply(json!({"data": [listed.clone()]})),
        )),
        case(
            "list too many versions",
            &["r"],
            rpc("GetVersionHistory"),
            with(json!({"limit": 101})),
            invalid(),
        ),
        made(case(
            "list versions for browsers",
            &["r"],
            rpc("ListVersions"),
            with(json!({"since": "2020-01-01T00:00:00Z"})),
            reply(json!({"versions": [listed], "meta": {"requestedAt": "T"}})),
        )),
        made(case(
            "read a version's Storage",
            &["r"],
            rpc("GetVersionStorage"),
            version(),
            reply(json!({"nodes": {"contentType": "application/x-ndjson"}})),
        )),
        made(case(
            "read a version's Yjs document",
            &["r"],
            rpc("GetVersionYjs"),
            version(),
            reply(json!({"update":
                {"contentType": "application/octet-stream", "data": EMPTY_UPDATE}})),
        )),
        made(case("delete a version", &["r"], rpc("DeleteVersion"), version(), reply(json!({})))),
        case(
            "delete no version",
            &["r"],
            rpc("DeleteVersion"),
            with(json!({"versionId": "vh_nobody"})),
            missing,
        ),
    ]
}

fn schema_cases() -> Vec<Case> {
    let rpc = |method| (SCHEMAS, method);
    let create = rpc("CreateSchema");
    let attach = rpc("AttachSchema");
    let made = || json!({"name": "s", "body": SCHEMA});
    let first = || json!({"schemaId": "s@1"});
    let shown = |id: &str, version: i32| json!({"schema": {"id": id, "name": "s", "version": version, "body": SCHEMA}});
    let attached = || with(json!({"schema": "s@1"}));
    let in_use = || refusal("permission_denied", 403, "SCHEMA_IN_USE");
    let missing = || refusal("not_found", 404, "SCHEMA_NOT_FOUND");
    let (init, wrong) = initialize(json!({"title": 5}));
    vec![
        case("make a schema", &[], create, made(), reply(shown("s@1", 1))),
        case("make a schema twice", &[], create, made(), {
            refusal("failed_precondition", 422, "UNPROCESSABLE_ENTITY")
        })
        .after(create, made()),
        case(
            "make what is no schema",
            &[],
            create,
            json!({"name": "s", "body": "type"}),
            invalid(),
        ),
        case("get a schema", &[], rpc("GetSchema"), first(), reply(shown("s@1", 1)))
            .after(create, made()),
        case("get no schema", &[], rpc("GetSchema"), first(), missing()),
        case(
            "change a schema",
            &[],
            rpc("UpdateSchema"),
            json!({"schemaId": "s@1", "body": SCHEMA}),
            reply(shown("s@2", 2)),
        )
        .after(create, made()),
        case("delete a schema", &[], rpc("DeleteSchema"), first(), reply(json!({})))
            .after(create, made()),
        case("attach a schema", &["r"], attach, attached(), reply(json!({"schema": "s@1"})))
            .after(create, made()),
        case("attach no schema", &["r"], attach, attached(), missing()),
        case("attach what does not fit", &["r"], attach, attached(), {
            refusal("already_exists", 409, "SCHEMA_VALIDATION_FAILED")
        })
        .after(create, made())
        .after(init, wrong),
        case("a room's schema", &["r"], rpc("GetRoomSchema"), room(), reply(shown("s@1", 1)))
            .after(create, made())
            .after(attach, attached()),
        case("delete a schema in use", &["r"], rpc("DeleteSchema"), first(), in_use())
            .after(create, made())
            .after(attach, attached()),
        case("detach a schema", &["r"], rpc("DetachSchema"), room(), reply(json!({})))
            .after(create, made())
            .after(attach, attached()),
    ]
}
