//! Browsers in rooms, by the protocol that their client speaks.

use futures_util::FutureExt as _;
use roomd::config::Limits;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::databases::Database;
use crate::harness::{Project, Server};
use crate::websocket_client::{Client, Told};

const HOUR_MS: i64 = 3_600_000;
const WRITER: &[(&str, &[&str])] = &[("*", &["*:write"])];

struct World {
    _database: Database,
    server: Server,
    project: Project,
}

async fn world() -> World {
    world_with(Limits::PRODUCTION).await
}

async fn world_with(limits: Limits) -> World {
    let database = Database::sqlite().await;
    let server = Server::start_with(&database.store, limits).await;
    let project = server.project("p").await;
    World { _database: database, server, project }
}

impl World {
    fn token(&self) -> String {
        self.server.access_token(&self.project.id, WRITER, 0)
    }

    async fn open(&self, path: &str) -> Client {
        Client::open(self.server.address, path).await
    }

    /// Somebody in a room, who has seen its state.
    async fn join(&self, room: &str) -> Client {
        self.join_by("v8", room).await
    }

    async fn join_by(&self, version: &str, room: &str) -> Client {
        let path = format!("/{version}?roomId={room}&tok={}&version=3.24.2", self.token());
        let mut client = self.open(&path).await;
        let state = client.json().await;
        assert_eq!(state["type"], 104, "{state}");
        client.actor = state["actor"].as_i64().unwrap();
        client
    }

    /// What a client is told that connects like this.
    async fn refusal(&self, path: &str) -> (u16, String) {
        self.open(path).await.closed().await
    }
}

#[tokio::test]
async fn whoever_may_not_enter_is_told_so_after_the_upgrade() {
    let world = world().await;
    let (token, secret) = (world.token(), world.project.secret.expose());
    let narrow = world.server.access_token(&world.project.id, &[("other", &["*:write"])], 0);
    let forged = format!("{}AAAA", &token[..token.len() - 4]);
    for path in [
        "/v8".to_owned(),
        "/v8?roomId=r".to_owned(),
        format!("/v8?tok={token}"),
        format!("/v8?roomId=&tok={token}"),
        format!("/v8?roomId={}&tok={token}", "r".repeat(129)),
        format!("/v8?roomId=%ff&tok={token}"),
        "/v8?roomId=r&tok=garbage".to_owned(),
        "/v8?roomId=r&tok=a.b.c".to_owned(),
        format!("/v8?roomId=r&tok={forged}"),
        format!("/v8?roomId=r&tok={narrow}"),
        format!("/v8?roomId=r&tok={secret}"),
        format!("/v8?roomId=r&pubkey={secret}"),
        "/v8?roomId=r&pubkey=pk_prod_unknown".to_owned(),
        format!("/v6?roomId=r&tok={token}"),
        format!("/v9?roomId=r&tok={token}"),
        format!("/ai/v7?tok={token}"),
        format!("/?roomId=r&tok={token}"),
    ] {
        assert_eq!(world.refusal(&path).await.0, 4001, "{path}");
    }
}

#[tokio::test]
async fn a_token_of_another_deployment_opens_nothing() {
    let (ours, theirs) = (world().await, world().await);
    let path = format!("/v8?roomId=r&tok={}", theirs.token());
    assert_eq!(ours.refusal(&path).await.0, 4001);
}

#[tokio::test]
async fn a_user_who_may_not_read_a_room_is_kept_out() {
    let world = world().await;
    let token = world.server.id_token(&world.project.id, "bob", &[]);
    let (code, _) = world.refusal(&format!("/v8?roomId=none&tok={token}")).await;
    assert_eq!(code, 4001, "an ID token makes no room");
}

#[tokio::test]
async fn the_state_of_the_room_comes_first_and_alone() {
    let world = world().await;
    let path = format!("/v8?roomId=a%2Fb+%C3%BC&tok={}&version=3.24.2", world.token());
    let mut client = world.open(&path).await;
    let state = client.json().await;
    assert_eq!(state["type"], 104);
    assert_eq!(state["scopes"], json!(["*:write"]));
    assert_eq!((&state["users"], &state["meta"]), (&json!({}), &json!({})));
    assert!(state["actor"].as_i64().unwrap() >= 0 && state["nonce"].is_string(), "{state}");
    client.send("ping").await;
    assert_eq!(client.text().await, "pong");
}

#[tokio::test]
async fn the_public_key_opens_a_room_for_somebody_anonymous() {
    let world = world().await;
    let key = world.project.public.expose();
    let mut client = world.open(&format!("/v8?roomId=r&pubkey={key}")).await;
    assert_eq!(client.json().await["type"], 104);
}

#[tokio::test]
async fn both_kinds_of_ping_are_answered() {
    let world = world().await;
    let mut client = world.join("r").await;
    client.send("ping").await;
    assert_eq!(client.text().await, "pong");
    client.ping(b"here").await;
    assert_eq!(client.told().await, Told::Pong(b"here".to_vec()));
}

#[tokio::test]
async fn presence_and_events_reach_the_others() {
    let world = world().await;
    let mut ann = world.join("r").await;
    let mut bob = world.join("r").await;
    assert_ne!(ann.actor, bob.actor);
    let joined = ann.find(101).await;
    assert_eq!((joined["actor"].as_i64(), &joined["id"]), (Some(bob.actor), &json!("ann")));

    ann.send(r#"[{"type":100,"data":{"x":1},"targetActor":-1},{"type":103,"event":"hi"}]"#).await;
    let presence = json!({ "type": 100, "actor": ann.actor, "data": { "x": 1 },
        "targetActor": -1 });
    assert_eq!(bob.find(100).await, presence);
    assert_eq!(bob.find(103).await, json!({ "type": 103, "actor": ann.actor, "event": "hi" }));

    // Nothing comes back to whoever sent it: the answer to the ping is next.
    ann.send("ping").await;
    assert_eq!(ann.text().await, "pong");

    let actor = ann.actor;
    ann.close().await;
    assert_eq!(bob.find(102).await, json!({ "type": 102, "actor": actor }));
}

#[tokio::test]
async fn operations_are_acknowledged_and_passed_on() {
    let world = world().await;
    let mut ann = world.join("r").await;
    let mut bob = world.join("r").await;
    let op = json!({ "type": 3, "id": "root", "data": { "title": "t" } });
    let mut asked = op.clone();
    asked["opId"] = json!("0:0");
    for client in [&mut ann, &mut bob] {
        client.send(&json!([{ "type": 200 }]).to_string()).await;
        assert_eq!(client.find(210).await["nodes"][0][0], "root");
        client.find(211).await;
    }
    let mut eve = world.join("r").await;
    ann.send(&json!([{ "type": 201, "ops": [asked] }]).to_string()).await;
    assert_eq!(ann.find(201).await["ops"], json!([asked]));
    assert_eq!(bob.find(201).await["ops"], json!([op]));
    // Who has not asked for the document gets it with the change, and not the change alone.
    eve.send(&json!([{ "type": 200 }]).to_string()).await;
    let next = loop {
        let message = eve.json().await;
        if message["type"] == 201 || message["type"] == 210 {
            break message;
        }
    };
    assert_eq!(next["nodes"][0], json!(["root", { "title": "t" }]));
}

#[tokio::test]
async fn older_clients_get_storage_in_one_message() {
    let world = world().await;
    let mut client = world.join_by("v7", "r").await;
    client.send(r#"[{"type":200}]"#).await;
    let storage = client.json().await;
    assert_eq!(storage["type"], 200);
    assert_eq!(storage["items"][0][0], "root", "{storage}");
    client.send("ping").await;
    assert_eq!(client.text().await, "pong", "nothing comes behind it");
}

#[tokio::test]
async fn an_operation_that_is_none_is_rejected_and_the_rest_goes_on() {
    let world = world().await;
    let mut client = world.join("r").await;
    client.send(r#"[{"type":201,"ops":[{"type":5,"opId":"0:7"}]},{"type":999}]"#).await;
    assert_eq!(client.find(299).await["opIds"], json!(["0:7"]));
    client.send("ping").await;
    assert_eq!(client.text().await, "pong");
}

#[tokio::test]
async fn what_is_not_understood_ends_one_connection_and_no_other() {
    let world = world().await;
    let mut witness = world.join("r").await;
    let deep = format!(r#"[{{"type":103,"event":{}{}}}]"#, "[".repeat(9999), "]".repeat(9999));
    for text in ["hello", "{", "[5]", r#"[{"type":100}]"#, r#"[{"type":301,"update":"?"}]"#, &deep]
    {
        let mut client = world.join("r").await;
        client.send(text).await;
        let (code, reason) = client.closed().await;
        assert_eq!(code, 4000, "{text}");
        assert!(reason.starts_with("Message not understood: "), "{reason}");
    }
    let mut client = world.join("r").await;
    client.send_binary(&[1, 2, 3]).await;
    assert_eq!(client.closed().await.0, 4000);
    witness.send("ping").await;
    witness.find_text("pong").await;
}

#[tokio::test]
async fn frames_that_break_the_protocol_end_the_connection() {
    let world = world().await;
    let mask = [0, 0, 0, 0];
    let invalid_utf8 = [&[0x81, 0x82][..], &mask, &[0xff, 0xfe]].concat();
    let compressed = [&[0xc1, 0x81][..], &mask, b"x"].concat();
    let unmasked = [0x81, 0x01, b'x'].to_vec();
    for (bytes, expected) in [(invalid_utf8, 1007), (compressed, 1002), (unmasked, 1002)] {
        let mut client = world.join("r").await;
        client.send_raw(&bytes).await;
        assert_eq!(client.closed().await.0, expected);
    }
}

#[tokio::test]
async fn sixteen_mebibytes_are_taken_and_more_is_not() {
    let world = world().await;
    let mut client = world.join("r").await;
    let frame = |bytes: usize| {
        let message = r#"[{"type":999,"x":""}]"#;
        let filler = "x".repeat(bytes - message.len());
        message.replace(r#""""#, &format!("\"{filler}\""))
    };
    client.send(&frame(16 << 20)).await;
    client.send("ping").await;
    client.find_text("pong").await;
    client.send(&frame(17 << 20)).await;
    assert_eq!(client.closed().await.0, 4000);
}

#[tokio::test]
async fn a_flood_is_stopped() {
    let limits = Limits { websocket_frames_per_second_max: 50, ..Limits::PRODUCTION };
    let world = world_with(limits).await;
    let mut client = world.join("r").await;
    for _ in 0..1_000 {
        client.send(r#"[{"type":100,"data":{}}]"#).await;
    }
    assert_eq!(client.closed().await.0, 4200);
}

/// One frame of as many messages as a client may have kept is taken; whoever sends so much again at
/// once, or more in one, is to come back later.
#[tokio::test]
async fn a_flood_in_few_frames_is_stopped_too() {
    let limits = Limits { websocket_frames_per_second_max: 50, ..Limits::PRODUCTION };
    let world = world_with(limits).await;
    let frame = |messages: usize| format!("[{}]", vec![r#"{"type":103}"#; messages].join(","));
    const MESSAGES_MAX: usize = 256 << 10;
    let mut client = world.join("r").await;
    client.send(&frame(MESSAGES_MAX)).await;
    client.send("ping").await;
    client.find_text("pong").await;
    client.send(&frame(MESSAGES_MAX)).await;
    assert_eq!(client.closed().await.0, 4200);
    let mut client = world.join("r").await;
    client.send(&frame(MESSAGES_MAX + 1)).await;
    assert_eq!(client.closed().await.0, 4200);
}

#[tokio::test]
async fn whoever_does_not_read_is_cut_off() {
    let limits = Limits { websocket_write_timeout_ms: 300, ..Limits::PRODUCTION };
    let world = world_with(limits).await;
    let mut slow = world.join("r").await;
    let mut loud = world.join("r").await;
    let event = json!([{ "type": 103, "event": "x".repeat(1 << 20) }]).to_string();
    // Far more than sockets and a queue hold.
    let left = loop {
        loud.send(&event).await;
        if let Some(left) = loud.find(102).now_or_never() {
            break left;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(left["actor"].as_i64(), Some(slow.actor));
    // What was on its way comes, and then the end.
    while !matches!(slow.told_or_gone().await, None | Some(Told::Close(..))) {}
}

#[tokio::test]
async fn an_expired_token_is_to_be_replaced_and_its_client_not_to_hurry() {
    let world = world().await;
    let token = world.server.access_token(&world.project.id, WRITER, 2 * HOUR_MS);
    let path = format!("/v8?roomId=r&tok={token}");
    assert_eq!(world.refusal(&path).await.0, 4109);
    assert_eq!(world.refusal(&path).await.0, 4100, "the same once more");
}

#[tokio::test]
async fn a_token_that_expires_ends_its_session() {
    let world = world().await;
    let lifetime_ms = HOUR_MS - 1_500;
    let token = world.server.access_token(&world.project.id, WRITER, lifetime_ms);
    let mut client = world.open(&format!("/v8?roomId=r&tok={token}")).await;
    assert_eq!(client.json().await["type"], 104);
    assert_eq!(client.closed().await.0, 4109);
}

#[tokio::test]
async fn somebody_silent_is_gone() {
    let world = world_with(Limits { websocket_idle_ms: 200, ..Limits::PRODUCTION }).await;
    let mut client = world.join("r").await;
    assert_eq!(client.closed().await.0, 1001);
}

#[tokio::test]
async fn one_too_many_is_told_to_come_back_later() {
    let limits = Limits { websocket_connections_max: 1, ..Limits::PRODUCTION };
    let world = world_with(limits).await;
    let first = world.join("r").await;
    let path = format!("/v8?roomId=r&tok={}", world.token());
    assert_eq!(world.refusal(&path).await.0, 1013);
    first.close().await;
    // The place is free as soon as the first one's farewell is over.
    loop {
        let mut client = world.open(&path).await;
        match client.told().await {
            Told::Close(code, _) => assert_eq!(code, 1013),
            told => break assert!(matches!(told, Told::Text(_)), "{told:?}"),
        }
    }
}

#[tokio::test]
async fn a_server_that_stops_says_so_to_everybody() {
    let world = world().await;
    let (mut ann, mut bob) = (world.join("r").await, world.join("s").await);
    let stop = world.server.stop();
    let farewell = async { (ann.closed().await.0, bob.closed().await.0) };
    let (codes, ()) = tokio::join!(farewell, stop);
    assert_eq!(codes, (1012, 1012));
}

#[tokio::test]
async fn handshakes_that_are_none_are_answered_in_http() {
    let world = world().await;
    let head = |edit: &dyn Fn(String) -> String| {
        edit(
            "GET /v8?roomId=r HTTP/1.1\r\nHost: t\r\nOrigin: http://app.test\r\n\
              Connection: Upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                .to_owned(),
        )
    };
    let cases: [(&dyn Fn(String) -> String, &str); 5] = [
        (&|head| head, "101"),
        (&|head| head.replace("Version: 13", "Version: 8"), "426"),
        (&|head| head.replace("dGhl", ""), "400"),
        (&|head| head.replace("GET", "POST"), "405"),
        (&|head| head.replace("Upgrade: websocket\r\n", ""), "404"),
    ];
    for (edit, expected) in cases {
        let mut stream = TcpStream::connect(world.server.address).await.unwrap();
        stream.write_all(head(edit).as_bytes()).await.unwrap();
        let mut answer = vec![0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), format!("HTTP/1.1 {expected}"));
    }
}

#[tokio::test]
async fn connections_are_counted() {
    let world = world().await;
    let _client = world.join("r").await;
    let url = world.server.url("/metrics");
    let text = world.server.http.get(url).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("roomd_websocket_connections 1\n"), "{text}");
    assert!(text.contains("roomd_websocket_messages_sent_total 1\n"), "{text}");
}
