//! Every RPC for every kind of credential. An RPC without a row fails the build.

use serde_json::{Value, json};

use crate::authorization_attachments::attachment_rows;
use crate::authorization_comments::comment_rows;
use crate::authorization_groups::group_rows;
use crate::authorization_livekit::{is_of_livekit, livekit_rows};
use crate::authorization_notifications::notification_rows;
use crate::authorization_yjs::yjs_rows;
use crate::harness::{Project, Server, descriptors};
use crate::on_both_servers;
use crate::protocols::{Protocol, call, open_stream};

/// What a caller brings. The room `r` is open for nobody by default; `ann` may write, the group
/// `eng` may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Credential {
    Nothing,
    Malformed,
    UnknownSecretKey,
    UnknownPublicKey,
    ForgedToken,
    ExpiredToken,
    PublicKey,
    /// The secret key of another project.
    StrangerSecretKey,
    /// A user's token of another project, for every room.
    StrangerToken,
    /// A token of another organization, for every room.
    OtherOrganization,
    /// Access tokens.
    OtherRoom,
    NoBaseScope,
    Read,
    Write,
    /// ID tokens.
    Outsider,
    GroupReader,
    SecretKey,
}

use Credential as C;

const CREDENTIALS: [Credential; 17] = [
    C::Nothing,
    C::Malformed,
    C::UnknownSecretKey,
    C::UnknownPublicKey,
    C::ForgedToken,
    C::ExpiredToken,
    C::PublicKey,
    C::StrangerSecretKey,
    C::StrangerToken,
    C::OtherOrganization,
    C::OtherRoom,
    C::NoBaseScope,
    C::Read,
    C::Write,
    C::Outsider,
    C::GroupReader,
    C::SecretKey,
];

/// Which callers an RPC is for; the rest follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Everybody, without a credential.
    Open,
    /// The secret key, on the project.
    Project,
    /// The secret key, on a room.
    ProjectRoom,
    /// Whoever may read the room.
    RoomRead,
    /// Whoever may write in the room.
    RoomWrite,
    /// As the two before, for browsers as well: the public key opens what everybody may.
    BrowserRead,
    BrowserWrite,
    /// Users and the secret key; a list that leaves out what they may not see.
    List,
    /// As that, and whatever they see is not about the room.
    Users,
    /// What is about the user `ann`: she herself, and the secret key.
    Own,
    /// The same, in the room, for those who may read it; and for browsers as well.
    RoomOwn,
    BrowserOwn,
    /// A stream for whoever may read the room. An access token makes the room that it opens.
    Join,
}

pub struct Row {
    pub rpc: &'static str,
    pub rule: Rule,
    pub request: Value,
    /// What whoever is let in gets: most requests succeed, some ask for what is not there.
    pub outcome: &'static str,
}

pub fn row(rpc: &'static str, rule: Rule, request: Value) -> Row {
    Row { rpc, rule, request, outcome: "ok" }
}

/// In an order in which each call leaves the room to those that follow.
pub fn all_rows() -> Vec<Row> {
    let mut rows = room_rows();
    rows.extend(storage_rows());
    rows.extend(yjs_rows());
    rows.extend(file_rows());
    rows.extend(attachment_rows());
    rows.extend(history_rows());
    rows.extend(schema_rows());
    rows.extend(feed_rows());
    rows.extend(comment_rows());
    rows.extend(group_rows());
    rows.extend(livekit_rows());
    rows.extend(notification_rows());
    // The first leaves a room where there was none, the others leave none.
    rows.extend([
        row("roomd.v1.RealtimeService/JoinRoom", Rule::Join, json!({"enter": {"roomId": "r"}})),
        row(
            "roomd.v1.RoomService/UpdateRoomId",
            Rule::ProjectRoom,
            json!({"roomId": "r", "newRoomId": "renamed"}),
        ),
        row("roomd.v1.RoomService/DeleteRoom", Rule::ProjectRoom, json!({"roomId": "r"})),
    ]);
    rows
}

fn storage_rows() -> Vec<Row> {
    let room = || json!({"roomId": "r"});
    vec![
        row(
            "roomd.v1.StorageService/InitializeStorageDocument",
            Rule::RoomWrite,
            json!({"roomId": "r", "document": {"liveblocksType": "LiveObject", "data": {"a": 1}}}),
        ),
        row("roomd.v1.StorageService/GetStorageDocument", Rule::RoomRead, room()),
        row(
            "roomd.v1.StorageService/PatchStorageDocument",
            Rule::RoomWrite,
            json!({"roomId": "r", "operations": [{"op": "add", "path": "/b", "value": 2}]}),
        ),
        row("roomd.v1.StorageService/ListStorageNodes", Rule::BrowserRead, room()),
        row("roomd.v1.StorageService/BeginStorageMutation", Rule::RoomWrite, room()),
        row(
            "roomd.v1.StorageService/SendStorageMessages",
            Rule::RoomWrite,
            json!({"roomId": "r", "messages": [{"type": 201, "ops":
                [{"type": 3, "opId": "9:0", "id": "root", "data": {"c": 3}}]}]}),
        ),
        row("roomd.v1.StorageService/DeleteStorageDocument", Rule::RoomWrite, room()),
    ]
}

fn file_rows() -> Vec<Row> {
    let file = |more: Value| {
        let mut request = json!({"roomId": "r", "fileId": "fl_abcdefghijklmnopqrstu"});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    let upload = "00000000000000000000000000000000";
    let rule = Rule::BrowserWrite;
    let missing = |rpc, request| Row { outcome: "UPLOAD_NOT_FOUND", ..row(rpc, rule, request) };
    vec![
        row(
            "roomd.v1.StorageService/UploadStorageFile",
            rule,
            file(json!({"name": "a.txt", "content": {"data": "aGk="}})),
        ),
        Row {
            outcome: "FILE_NOT_FOUND",
            ..row(
                "roomd.v1.StorageService/GetStorageFile",
                Rule::RoomRead,
                json!({"roomId": "r", "fileId": "fl_nobody"}),
            )
        },
        row(
            "roomd.v1.StorageService/GetStorageFileUrls",
            Rule::BrowserRead,
            json!({"roomId": "r", "fileIds": ["fl_abcdefghijklmnopqrstu"]}),
        ),
        Row {
            outcome: "INVALID_FILE_URL",
            ..row(
                "roomd.v1.StorageService/DownloadStorageFile",
                Rule::Open,
                file(json!({"project": "p", "expires": 1, "signature": "x"})),
            )
        },
        row(
            "roomd.v1.StorageService/CreateStorageFileUpload",
            rule,
            file(json!({"name": "a.txt"})),
        ),
        missing(
            "roomd.v1.StorageService/UploadStorageFilePart",
            file(json!({"uploadId": upload, "partNumber": 1, "content": {"data": "aGk="}})),
        ),
        missing(
            "roomd.v1.StorageService/CompleteStorageFileUpload",
            file(json!({"uploadId": upload, "parts": [{"partNumber": 1, "etag": "x"}]})),
        ),
        missing(
            "roomd.v1.StorageService/AbortStorageFileUpload",
            file(json!({"uploadId": upload})),
        ),
    ]
}

fn history_rows() -> Vec<Row> {
    let room = || json!({"roomId": "r"});
    let version = || json!({"roomId": "r", "versionId": "vh_nobody"});
    let missing = |rpc, rule| Row { outcome: "VERSION_NOT_FOUND", ..row(rpc, rule, version()) };
    vec![
        row("roomd.v1.VersionService/CreateVersion", Rule::BrowserWrite, room()),
        row("roomd.v1.VersionService/GetVersionHistory", Rule::RoomRead, room()),
        row("roomd.v1.VersionService/ListVersions", Rule::BrowserRead, room()),
        missing("roomd.v1.VersionService/GetVersionYjs", Rule::BrowserRead),
        missing("roomd.v1.VersionService/GetVersionStorage", Rule::BrowserRead),
        missing("roomd.v1.VersionService/DeleteVersion", Rule::BrowserWrite),
    ]
}

fn schema_rows() -> Vec<Row> {
    let body = "type Storage { a?: number }";
    let id = || json!({"schemaId": "s@1"});
    let room = || json!({"roomId": "r"});
    let missing =
        |rpc, rule, request| Row { outcome: "SCHEMA_NOT_FOUND", ..row(rpc, rule, request) };
    vec![
        row(
            "roomd.v1.SchemaService/CreateSchema",
            Rule::Project,
            json!({"name": "s", "body": body}),
        ),
        row("roomd.v1.SchemaService/GetSchema", Rule::Project, id()),
        missing("roomd.v1.SchemaService/GetRoomSchema", Rule::ProjectRoom, room()),
        missing(
            "roomd.v1.SchemaService/AttachSchema",
            Rule::ProjectRoom,
            json!({"roomId": "r", "schema": "nobody@1"}),
        ),
        row("roomd.v1.SchemaService/DetachSchema", Rule::ProjectRoom, room()),
        row(
            "roomd.v1.SchemaService/UpdateSchema",
            Rule::Project,
            json!({"schemaId": "s@1", "body": body}),
        ),
        row("roomd.v1.SchemaService/DeleteSchema", Rule::Project, id()),
    ]
}

fn feed_rows() -> Vec<Row> {
    let message = || json!({"roomId": "r", "feedId": "nobody", "messageId": "m", "data": {}});
    let feed = || json!({"roomId": "r", "feedId": "nobody"});
    let patch = json!({"roomId": "r", "feedId": "nobody", "metadata": {}});
    let missing = |rpc, rule, request| Row { outcome: "FEED_NOT_FOUND", ..row(rpc, rule, request) };
    let new = json!({"roomId": "r", "feedId": "f"});
    let said = json!({"roomId": "r", "feedId": "nobody", "data": {}});
    let named = json!({"roomId": "r", "feedId": "nobody", "messageId": "m"});
    vec![
        row("roomd.v1.FeedService/CreateFeed", Rule::RoomWrite, new),
        row("roomd.v1.FeedService/ListFeeds", Rule::RoomRead, json!({"roomId": "r"})),
        missing("roomd.v1.FeedService/GetFeed", Rule::RoomRead, feed()),
        missing("roomd.v1.FeedService/UpdateFeed", Rule::RoomWrite, patch),
        missing("roomd.v1.FeedService/ListFeedMessages", Rule::RoomRead, feed()),
        missing("roomd.v1.FeedService/CreateFeedMessage", Rule::RoomWrite, said),
        missing("roomd.v1.FeedService/UpdateFeedMessage", Rule::RoomWrite, message()),
        missing("roomd.v1.FeedService/DeleteFeedMessage", Rule::RoomWrite, named),
        missing("roomd.v1.FeedService/DeleteFeed", Rule::RoomWrite, feed()),
    ]
}

fn room_rows() -> Vec<Row> {
    let room = || json!({"roomId": "r"});
    vec![
        row(
            "roomd.v1.RoomService/CreateRoom",
            Rule::Project,
            json!({"id": "created", "defaultAccesses": [], "idempotent": true}),
        ),
        row("roomd.v1.RoomService/GetRoom", Rule::RoomRead, room()),
        row("roomd.v1.RoomService/ListRooms", Rule::List, json!({})),
        row(
            "roomd.v1.RoomService/UpdateRoom",
            Rule::ProjectRoom,
            json!({"roomId": "r", "update": {"metadata": {"a": "1"}}}),
        ),
        row(
            "roomd.v1.RoomService/UpsertRoom",
            Rule::Project,
            json!({"roomId": "upserted",
            "update": {"metadata": {"a": "1"}}, "create": {"defaultAccesses": []}}),
        ),
        row("roomd.v1.RoomService/PrewarmRoom", Rule::RoomRead, room()),
        row("roomd.v1.RoomService/GetActiveUsers", Rule::RoomRead, room()),
        row(
            "roomd.v1.RoomService/SetPresence",
            Rule::ProjectRoom,
            json!({"roomId": "r", "userId": "ann", "data": {}}),
        ),
        row(
            "roomd.v1.RoomService/BroadcastEvent",
            Rule::RoomWrite,
            json!({"roomId": "r", "event": 1}),
        ),
        row(
            "roomd.v1.RoomService/UpdateRoomOrganizationId",
            Rule::ProjectRoom,
            json!({"roomId": "r",
            "fromOrganizationId": "default", "toOrganizationId": "default"}),
        ),
        row(
            "roomd.v1.AuthService/AuthorizeUser",
            Rule::Project,
            json!({"userId": "ann", "permissions": {"*": ["*:write"]}}),
        ),
        row("roomd.v1.AuthService/IdentifyUser", Rule::Project, json!({"userId": "ann"})),
        row(
            "roomd.v1.AuthService/AuthorizeRoom",
            Rule::ProjectRoom,
            json!({"roomId": "r", "userId": "ann"}),
        ),
        // Open, since its credential is the key in the request: here an unknown one.
        Row {
            outcome: "INVALID_PUBLIC_KEY",
            ..row(
                "roomd.v1.AuthService/AuthorizeRoomPublic",
                Rule::Open,
                json!({"roomId": "r", "publicApiKey": "pk_nobody"}),
            )
        },
        row("roomd.v1.AuthService/GetJsonWebKeySet", Rule::Open, json!({})),
    ]
}

/// The answer: `ok`, or the reason of the refusal.
fn expected(rule: Rule, credential: Credential) -> &'static str {
    if rule == Rule::Open {
        return "ok";
    }
    match credential {
        C::Nothing => return "MISSING_SECRET_KEY",
        C::Malformed | C::UnknownSecretKey => return "INVALID_SECRET_KEY",
        C::UnknownPublicKey => return "INVALID_PUBLIC_KEY",
        C::ForgedToken => return "INVALID_TOKEN",
        C::ExpiredToken => return "TOKEN_EXPIRED",
        // The room is open for nobody by default.
        C::PublicKey => {
            return match rule {
                Rule::BrowserRead | Rule::BrowserWrite | Rule::BrowserOwn => "ROOM_NOT_FOUND",
                Rule::Join => "UNAUTHORIZED_ROOM_ACCESS",
                _ => "WRONG_KEY_USED",
            };
        }
        C::SecretKey => return "ok",
        _ => {}
    }
    match rule {
        Rule::Open | Rule::List | Rule::Users => "ok",
        // Another project's key works, on another project.
        Rule::Project if credential == C::StrangerSecretKey => "ok",
        Rule::ProjectRoom if credential == C::StrangerSecretKey => "ROOM_NOT_FOUND",
        Rule::Project | Rule::ProjectRoom => "FORBIDDEN",
        Rule::Own if matches!(credential, C::Outsider | C::GroupReader) => "FORBIDDEN",
        Rule::Own => "ok",
        // The reader is somebody else.
        Rule::RoomOwn | Rule::BrowserOwn if credential == C::GroupReader => "FORBIDDEN",
        Rule::RoomRead
        | Rule::RoomWrite
        | Rule::RoomOwn
        | Rule::BrowserRead
        | Rule::BrowserWrite
        | Rule::BrowserOwn => {
            let read = !matches!(rule, Rule::RoomWrite | Rule::BrowserWrite);
            match credential {
                C::Write => "ok",
                C::Read | C::GroupReader if read => "ok",
                C::Read | C::GroupReader => "UNAUTHORIZED_ROOM_ACCESS",
                _ => "ROOM_NOT_FOUND",
            }
        }
        Rule::Join => match credential {
            // The room of another project, which its own token makes.
            C::Write | C::Read | C::GroupReader | C::StrangerToken => "ok",
            _ => "UNAUTHORIZED_ROOM_ACCESS",
        },
    }
}

/// The rooms that a list may show to a caller who is let in.
fn sees_the_room(credential: Credential) -> bool {
    matches!(credential, C::SecretKey | C::Read | C::Write | C::GroupReader)
}

fn bearer(
    server: &Server,
    ours: &Project,
    theirs: &Project,
    credential: Credential,
) -> Option<String> {
    let access = |scopes: &[(&str, &[&str])]| server.access_token(&ours.id, scopes, 0);
    Some(match credential {
        C::Nothing => return None,
        C::Malformed => "what is this".to_owned(),
        C::UnknownSecretKey => "sk_nobody".to_owned(),
        C::UnknownPublicKey => "pk_nobody".to_owned(),
        C::ForgedToken => forge(&access(&[("*", &["*:write"])])),
        C::ExpiredToken => server.access_token(&ours.id, &[("*", &["*:write"])], 3_600_000),
        C::PublicKey => ours.public.expose().to_owned(),
        C::StrangerSecretKey => theirs.secret.expose().to_owned(),
        C::StrangerToken => server.access_token(&theirs.id, &[("*", &["*:write"])], 0),
        C::OtherOrganization => server.organization_token(&ours.id, "elsewhere"),
        C::OtherRoom => access(&[("s", &["*:write"]), ("rr*", &["*:write"])]),
        C::NoBaseScope => access(&[]),
        C::Read => access(&[("r", &["*:read"])]),
        C::Write => access(&[("r*", &["*:write"])]),
        C::Outsider => server.id_token(&ours.id, "eve", &["sales"]),
        C::GroupReader => server.id_token(&ours.id, "eve", &["eng"]),
        C::SecretKey => ours.secret.expose().to_owned(),
    })
}

/// The same token with one letter of its claims changed.
fn forge(token: &str) -> String {
    let (head, rest) = token.split_once('.').unwrap();
    let (claims, signature) = rest.split_once('.').unwrap();
    let letter = if claims.ends_with('A') { 'B' } else { 'A' };
    format!("{head}.{}{letter}.{signature}", &claims[..claims.len() - 1])
}

#[test]
fn every_rpc_has_a_row() {
    let rows = all_rows();
    for service in descriptors().services() {
        for method in service.methods() {
            let rpc = format!("{}/{}", service.full_name(), method.name());
            let is_known = is_of_livekit(&rpc) || rows.iter().any(|row| row.rpc == rpc);
            assert!(is_known, "no row for {rpc}");
        }
    }
}

async fn every_rpc_answers_every_credential_as_it_should(server: Server) {
    for (number, credential) in CREDENTIALS.into_iter().enumerate() {
        for protocol in Protocol::ALL {
            let ours = server.project(&format!("ours-{number}-{protocol:?}")).await;
            let theirs = server.project(&format!("theirs-{number}-{protocol:?}")).await;
            let bearer = bearer(&server, &ours, &theirs, credential);
            for row in all_rows() {
                create_room(&server, &ours).await;
                let bearer = bearer.as_deref();
                let outcome = match (row.rule, protocol) {
                    (Rule::Join, Protocol::Grpc) => {
                        open_stream(&server, row.rpc, &row.request, bearer).await
                    }
                    (Rule::Join, _) => continue,
                    _ => call(&server, protocol, row.rpc, &row.request, bearer).await,
                };
                let place = format!("{}, {credential:?}, {protocol:?}: {outcome:?}", row.rpc);
                let wanted = match expected(row.rule, credential) {
                    "ok" => row.outcome,
                    refused => refused,
                };
                match outcome {
                    Ok(reply) => {
                        assert_eq!(wanted, "ok", "{place}");
                        if row.rule == Rule::List {
                            let rooms = reply["data"].as_array().cloned().unwrap_or_default();
                            let seen = rooms.iter().any(|room| room["id"] == "r");
                            assert_eq!(seen, sees_the_room(credential), "{place}");
                        }
                    }
                    Err(refused) => assert_eq!(refused.reason, wanted, "{place}"),
                }
            }
        }
    }
    server.stop().await;
}

async fn create_room(server: &Server, project: &Project) {
    let room = json!({"id": "r", "defaultAccesses": [], "idempotent": true,
        "usersAccesses": {"ann": ["*:write"]}, "groupsAccesses": {"eng": ["*:read"]}});
    let rpc = "roomd.v1.RoomService/CreateRoom";
    let secret = Some(project.secret.expose());
    call(server, Protocol::ConnectProto, rpc, &room, secret).await.unwrap();
}

on_both_servers!(every_rpc_answers_every_credential_as_it_should);
