//! Who may call livekit.RoomService, and that a token of LiveKit's opens nothing else.

use serde_json::{Value, json};

use crate::authorization::{Row, Rule, all_rows, row};
use crate::harness::{Project, Server};
use crate::livekit_tokens::sign;
use crate::on_both_servers;
use crate::protocols::{Protocol, call, open_stream};

/// Whether an RPC's rows are here and not with the others: its callers are of other kinds.
pub fn is_of_livekit(rpc: &str) -> bool {
    rpc.starts_with("livekit.")
}

/// What is ours about LiveKit.
pub fn livekit_rows() -> Vec<Row> {
    let rpc = "roomd.v1.AuthService/CreateLiveKitToken";
    let request = json!({"identity": "ann", "grant": {"roomJoin": true, "room": "r"}});
    vec![Row { outcome: "LIVEKIT_KEY_MISSING", ..row(rpc, Rule::Project, request) }]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Create,
    List,
    Admin,
    AdminBetween,
}

fn methods() -> Vec<(&'static str, Need, Value)> {
    let to = |more: Value| {
        let mut request = json!({"room": "r"});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    let ann = || to(json!({"identity": "ann"}));
    let between = || to(json!({"identity": "ann", "destinationRoom": "d"}));
    vec![
        ("CreateRoom", Need::Create, json!({"name": "r"})),
        ("ListRooms", Need::List, json!({})),
        ("ListParticipants", Need::Admin, to(json!({}))),
        ("GetParticipant", Need::Admin, ann()),
        ("RemoveParticipant", Need::Admin, ann()),
        ("MutePublishedTrack", Need::Admin, ann()),
        ("UpdateParticipant", Need::Admin, ann()),
        ("UpdateSubscriptions", Need::Admin, ann()),
        ("SendData", Need::Admin, to(json!({"data": "aGk="}))),
        ("UpdateRoomMetadata", Need::Admin, to(json!({"metadata": "m"}))),
        ("ForwardParticipant", Need::AdminBetween, between()),
        ("MoveParticipant", Need::AdminBetween, between()),
        ("PerformRpc", Need::Admin, to(json!({"destinationIdentity": "ann", "method": "m"}))),
        ("DeleteRoom", Need::Create, to(json!({}))),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Credential {
    Nothing,
    Malformed,
    Forged,
    UnknownKey,
    Expired,
    NoVideo,
    NoGrant,
    Join,
    Create,
    List,
    Admin,
    AdminBetween,
    AdminElsewhere,
    /// Of any room: there is no such thing.
    AdminOfAll,
    /// It may do all of it, in another project.
    OtherProject,
    SecretKey,
    PublicKey,
    UserToken,
}

use Credential as C;

const CREDENTIALS: [Credential; 18] = [
    C::Nothing,
    C::Malformed,
    C::Forged,
    C::UnknownKey,
    C::Expired,
    C::NoVideo,
    C::NoGrant,
    C::Join,
    C::Create,
    C::List,
    C::Admin,
    C::AdminBetween,
    C::AdminElsewhere,
    C::AdminOfAll,
    C::OtherProject,
    C::SecretKey,
    C::PublicKey,
    C::UserToken,
];

fn is_let_in(need: Need, credential: Credential) -> bool {
    match credential {
        // Another project's token works, on another project.
        C::SecretKey | C::OtherProject => true,
        C::Create => need == Need::Create,
        C::List => need == Need::List,
        C::Admin => need == Need::Admin,
        C::AdminBetween => matches!(need, Need::Admin | Need::AdminBetween),
        _ => false,
    }
}

async fn bearer(
    server: &Server,
    ours: &Project,
    theirs: &Project,
    credential: Credential,
) -> Option<String> {
    let key = server.livekit_key(&ours.id).await;
    let grant = |video: Value| server.livekit_grant(&key, video);
    let all = || {
        json!({"roomCreate": true, "roomList": true, "roomAdmin": true, "room": "r",
            "destinationRoom": "d"})
    };
    let now_s = server.clock.now_ms() / 1_000;
    Some(match credential {
        C::Nothing => return None,
        C::Malformed => "what.is.this".to_owned(),
        C::Forged => sign(&json!({"iss": key.id, "exp": now_s + 600, "video": all()}), "guessed"),
        C::UnknownKey => {
            sign(&json!({"iss": "APInobody", "exp": now_s + 600, "video": all()}), "x")
        }
        C::Expired => server.livekit_token(&key, json!({"exp": now_s - 120, "video": all()})),
        C::NoVideo => server.livekit_token(&key, json!({"sub": "ann"})),
        C::NoGrant => grant(json!({"room": "r", "destinationRoom": "d"})),
        C::Join => grant(json!({"roomJoin": true, "room": "r", "destinationRoom": "d"})),
        C::Create => grant(json!({"roomCreate": true, "room": "r", "destinationRoom": "d"})),
        C::List => grant(json!({"roomList": true, "room": "r", "destinationRoom": "d"})),
        C::Admin => grant(json!({"roomAdmin": true, "room": "r"})),
        C::AdminBetween => grant(json!({"roomAdmin": true, "room": "r", "destinationRoom": "d"})),
        C::AdminElsewhere => grant(json!({"roomAdmin": true, "room": "R", "destinationRoom": "d"})),
        C::AdminOfAll => grant(json!({"roomAdmin": true, "destinationRoom": "d"})),
        C::OtherProject => {
            let key = server.livekit_key(&theirs.id).await;
            server.livekit_grant(&key, all())
        }
        C::SecretKey => ours.secret.expose().to_owned(),
        C::PublicKey => ours.public.expose().to_owned(),
        C::UserToken => server.access_token(&ours.id, &[("*", &["*:write"])], 0),
    })
}

#[test]
fn every_method_of_livekit_has_a_row() {
    let pool = crate::harness::descriptors();
    let services = pool.services().filter(|service| is_of_livekit(service.full_name()));
    let declared: Vec<String> = services
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .map(|method| method.name().to_owned())
        .collect();
    assert!(!declared.is_empty());
    for name in declared {
        assert!(methods().iter().any(|(known, ..)| *known == name), "no row for {name}");
    }
}

async fn every_method_of_livekit_answers_every_credential_as_it_should(server: Server) {
    for protocol in Protocol::ALL.into_iter().filter(|protocol| *protocol != Protocol::Rest) {
        let ours = server.project(&format!("ours-{protocol:?}")).await;
        let theirs = server.project(&format!("theirs-{protocol:?}")).await;
        for credential in CREDENTIALS {
            let bearer = bearer(&server, &ours, &theirs, credential).await;
            for (method, need, request) in methods() {
                let rpc = format!("livekit.RoomService/{method}");
                let outcome = call(&server, protocol, &rpc, &request, bearer.as_deref()).await;
                let place = format!("{method}, {credential:?}, {protocol:?}: {outcome:?}");
                let refused = outcome.is_err_and(|refused| {
                    let code = refused.code.to_lowercase().replace(' ', "_");
                    code.contains("unauthenticated")
                });
                assert_eq!(refused, !is_let_in(need, credential), "{place}");
            }
        }
    }
    server.stop().await;
}

async fn a_token_of_livekits_opens_nothing_of_ours_but_a_stream_into_its_room(server: Server) {
    let project = server.project("p").await;
    let key = server.livekit_key(&project.id).await;
    let video = json!({"roomCreate": true, "roomList": true, "roomAdmin": true, "roomJoin": true,
        "room": "r", "destinationRoom": "d"});
    let token = server.livekit_token(&key, json!({"sub": "ann", "video": video}));
    let room = json!({"id": "r", "defaultAccesses": ["*:write"]});
    let rpc = "roomd.v1.RoomService/CreateRoom";
    let secret = Some(project.secret.expose());
    call(&server, Protocol::ConnectJson, rpc, &room, secret).await.unwrap();
    for row in all_rows() {
        for protocol in [Protocol::Grpc, Protocol::ConnectJson, Protocol::TwirpJson] {
            if matches!(row.rule, Rule::Open | Rule::Join) {
                continue;
            }
            let outcome = call(&server, protocol, row.rpc, &row.request, Some(&token)).await;
            let place = format!("{}, {protocol:?}: {outcome:?}", row.rpc);
            assert_eq!(outcome.expect_err(&place).reason, "INVALID_TOKEN", "{place}");
        }
    }
    let rpc = "roomd.v1.RealtimeService/JoinRoom";
    let enter = |room: &str| json!({"enter": {"roomId": room}});
    let outcome = open_stream(&server, rpc, &enter("r"), Some(&token)).await;
    assert!(outcome.is_ok(), "{outcome:?}");
    let elsewhere = open_stream(&server, rpc, &enter("s"), Some(&token)).await;
    assert_eq!(elsewhere.unwrap_err().reason, "UNAUTHORIZED_ROOM_ACCESS");
    let forged = format!("{token}x");
    let refused = open_stream(&server, rpc, &enter("r"), Some(&forged)).await.unwrap_err();
    assert_eq!(refused.reason, "INVALID_TOKEN");
    server.stop().await;
}

on_both_servers!(
    every_method_of_livekit_answers_every_credential_as_it_should,
    a_token_of_livekits_opens_nothing_of_ours_but_a_stream_into_its_room,
);
