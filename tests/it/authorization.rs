//! Every RPC for every kind of credential. An RPC without a row fails the build.

use serde_json::{Value, json};

use crate::harness::{Project, Server, descriptors};
use crate::on_both_servers;
use crate::protocols::{Protocol, call};

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
enum Rule {
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
    /// Users and the secret key; a list that leaves out what they may not see.
    List,
}

struct Row {
    rpc: &'static str,
    rule: Rule,
    request: Value,
}

fn row(rpc: &'static str, rule: Rule, request: Value) -> Row {
    Row { rpc, rule, request }
}

/// In an order in which each call leaves the room to those that follow.
fn rows() -> Vec<Row> {
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
            "roomd.v1.RoomService/UpdateRoomId",
            Rule::ProjectRoom,
            json!({"roomId": "r", "newRoomId": "renamed"}),
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
        row(
            "roomd.v1.AuthService/AuthorizeRoomPublic",
            Rule::Open,
            json!({"roomId": "r", "publicApiKey": "pk_nobody"}),
        ),
        row("roomd.v1.AuthService/GetJsonWebKeySet", Rule::Open, json!({})),
        row("roomd.v1.RoomService/DeleteRoom", Rule::ProjectRoom, room()),
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
        C::PublicKey => return "WRONG_KEY_USED",
        C::SecretKey => return "ok",
        _ => {}
    }
    match rule {
        Rule::Open | Rule::List => "ok",
        // Another project's key works, on another project.
        Rule::Project if credential == C::StrangerSecretKey => "ok",
        Rule::ProjectRoom if credential == C::StrangerSecretKey => "ROOM_NOT_FOUND",
        Rule::Project | Rule::ProjectRoom => "FORBIDDEN",
        Rule::RoomRead | Rule::RoomWrite => match credential {
            C::Write => "ok",
            C::Read | C::GroupReader if rule == Rule::RoomRead => "ok",
            C::Read | C::GroupReader => "UNAUTHORIZED_ROOM_ACCESS",
            _ => "ROOM_NOT_FOUND",
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
    let rows = rows();
    for service in descriptors().services() {
        for method in service.methods() {
            let rpc = format!("{}/{}", service.full_name(), method.name());
            assert!(rows.iter().any(|row| row.rpc == rpc), "no row for {rpc}");
        }
    }
}

async fn every_rpc_answers_every_credential_as_it_should(server: Server) {
    for (number, credential) in CREDENTIALS.into_iter().enumerate() {
        for protocol in Protocol::ALL {
            let ours = server.project(&format!("ours-{number}-{protocol:?}")).await;
            let theirs = server.project(&format!("theirs-{number}-{protocol:?}")).await;
            let bearer = bearer(&server, &ours, &theirs, credential);
            for row in rows() {
                create_room(&server, &ours).await;
                let outcome =
                    call(&server, protocol, row.rpc, &row.request, bearer.as_deref()).await;
                let place = format!("{}, {credential:?}, {protocol:?}: {outcome:?}", row.rpc);
                let public = row.rpc.ends_with("AuthorizeRoomPublic");
                let wanted = match public {
                    true => "INVALID_PUBLIC_KEY",
                    false => expected(row.rule, credential),
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
