//! LiveKit's signalling where a client of LiveKit's own cannot go: silence, and hanging up.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use roomd::config::Limits;
use roomd::proto::livekit::signal_request::Message as Asks;
use roomd::proto::livekit::signal_response::Message as Says;
use roomd::proto::livekit::{
    DisconnectReason, LeaveRequest, ParticipantInfo, SignalRequest, SignalResponse,
    participant_info,
};
use roomd::store::LiveKey;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::databases::Database;
use crate::harness::Server;

/// Nothing here takes as long; a test that waits for what never comes shall say so.
const PATIENCE: Duration = Duration::from_secs(20);
/// The server pings three times in it.
const IDLE_MS: u64 = 3_000;

struct World {
    _database: Database,
    server: Server,
    key: LiveKey,
}

impl World {
    async fn new(limits: Limits) -> Self {
        let database = Database::sqlite().await;
        let server = Server::start_with(&database.store, limits).await;
        let project = server.project("p").await;
        let key = server.livekit_key(&project.id).await;
        Self { _database: database, server, key }
    }

    /// Somebody in the room, who has been told so.
    async fn join(&self, identity: &str) -> Client {
        let video = json!({"roomJoin": true, "room": "r"});
        let token = self.server.livekit_token(&self.key, json!({"sub": identity, "video": video}));
        let address = self.server.address;
        let stream = TcpStream::connect(address).await.unwrap();
        let url = format!("ws://{address}/rtc?access_token={token}");
        let (socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
        let mut client = Client { socket, pings: 0 };
        assert!(matches!(client.step().await, Some(Says::Join(_))));
        client
    }
}

/// It answers pings while it reads, and only then.
struct Client {
    socket: WebSocketStream<TcpStream>,
    pings: usize,
}

impl Client {
    /// What it is told next; nothing if that is a ping.
    async fn step(&mut self) -> Option<Says> {
        let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
        match next.expect("something was to come").expect("it goes on").unwrap() {
            Message::Binary(frame) => SignalResponse::decode(frame).unwrap().message,
            Message::Ping(_) => {
                self.pings += 1;
                None
            }
            other => panic!("{other:?}"),
        }
    }

    /// The last news of somebody who has left.
    async fn sees_off(&mut self, identity: &str) -> ParticipantInfo {
        let gone = |info: &ParticipantInfo| {
            info.identity == identity && info.state() == participant_info::State::Disconnected
        };
        loop {
            if let Some(Says::Update(update)) = self.step().await
                && let Some(info) = update.participants.into_iter().find(&gone)
            {
                return info;
            }
        }
    }

    async fn ask(&mut self, message: Asks) {
        let request = SignalRequest { message: Some(message) };
        self.socket.send(Message::binary(request.encode_to_vec())).await.unwrap();
    }
}

/// No message, no ping and no answer to a ping; the connection itself stays.
#[tokio::test]
async fn whoever_is_silent_is_let_go_and_whoever_answers_pings_is_not() {
    let limits = Limits { websocket_idle_ms: IDLE_MS, ..Limits::PRODUCTION };
    let world = World::new(limits).await;
    let mut ann = world.join("ann").await;
    let mut silent = world.join("silent").await;
    let gone = ann.sees_off("silent").await;
    assert_eq!(gone.disconnect_reason(), DisconnectReason::SignalClose);
    // Should it wake up, it finds why, and that it is to come back.
    let leave = loop {
        if let Some(Says::Leave(leave)) = silent.step().await {
            break leave;
        }
    };
    assert!(leave.can_reconnect, "{leave:?}");
    assert_eq!(leave.reason(), DisconnectReason::SignalClose);
    // Ann says nothing of herself, for some times as long.
    while ann.pings < 9 {
        assert_eq!(ann.step().await, None, "she is still there");
    }
    world.server.stop().await;
}

#[tokio::test]
async fn the_others_are_told_whether_somebody_meant_to_leave() {
    let world = World::new(Limits::PRODUCTION).await;
    let mut witness = world.join("witness").await;
    let mut polite = world.join("polite").await;
    polite.ask(Asks::Leave(LeaveRequest::default())).await;
    let gone = witness.sees_off("polite").await;
    assert_eq!(gone.disconnect_reason(), DisconnectReason::ClientInitiated);
    drop(world.join("cut").await);
    let gone = witness.sees_off("cut").await;
    assert_eq!(gone.disconnect_reason(), DisconnectReason::SignalClose);
    let mut brief = world.join("brief").await;
    brief.socket.close(None).await.unwrap();
    let gone = witness.sees_off("brief").await;
    assert_eq!(gone.disconnect_reason(), DisconnectReason::SignalClose);
    drop(witness);
    world.server.stop().await;
}
