//! Feeds in a room, by the protocol that browsers speak, beside back ends and gRPC.

use futures_util::StreamExt as _;
use roomd::proto::roomd::v1::join_room_request::Message as Request;
use roomd::proto::roomd::v1::join_room_response::Message as Reply;
use roomd::proto::roomd::v1::realtime_service_client::RealtimeServiceClient;
use roomd::proto::roomd::v1::{self, feed_event::Event};
use serde_json::{Value, json};

use crate::harness::{Project, Server};
use crate::on_both_servers;
use crate::websocket_client::Client;

const WRITER: &[&str] = &["*:write"];
const READER: &[&str] = &["*:write", "feeds:read"];
const OUTSIDER: &[&str] = &["*:write", "feeds:none"];

struct World {
    server: Server,
    project: Project,
}

impl World {
    async fn new(server: Server) -> Self {
        let project = server.project("p").await;
        Self { server, project }
    }

    fn token(&self, scopes: &[&str]) -> String {
        self.server.access_token(&self.project.id, &[("r", scopes)], 0)
    }

    async fn join(&self, scopes: &[&str]) -> Client {
        let path = format!("/v8?roomId=r&tok={}&version=3.24.2", self.token(scopes));
        let mut client = Client::open(self.server.address, &path).await;
        assert_eq!(client.json().await["type"], 104);
        client
    }

    async fn rest(&self, verb: &str, path: &str, body: Value) -> Value {
        let path = format!("/v2/rooms/r/feeds{path}");
        self.server.rest(self.project.secret.expose(), verb, &path, body).await.1
    }
}

async fn send(client: &mut Client, messages: Value) {
    client.send(&messages.to_string()).await;
}

/// Sends one request, and waits for a message of this kind.
async fn ask(client: &mut Client, request: Value, kind: i64) -> Value {
    send(client, json!([request])).await;
    client.find(kind).await
}

fn failed(request: &str, code: &str, reason: &str) -> Value {
    json!({"type": 508, "requestId": request, "code": code, "reason": reason})
}

async fn everybody_is_told_of_every_change(server: Server) {
    let world = World::new(server).await;
    let (mut ann, mut bob) = (world.join(WRITER).await, world.join(READER).await);
    let mut eve = world.join(OUTSIDER).await;
    send(
        &mut ann,
        json!([
            {"type": 512, "requestId": "1", "feedId": "f", "metadata": {"a": "b"}, "createdAt": 5},
            {"type": 513, "requestId": "2", "feedId": "f", "metadata": {"a": null, "c": ["d"]}},
            {"type": 515, "requestId": "3", "feedId": "f", "data": {"n": 1.50}, "id": "m",
                "createdAt": 7},
            {"type": 516, "requestId": "4", "feedId": "f", "messageId": "m", "data": {},
                "updatedAt": 9},
            {"type": 517, "requestId": "5", "feedId": "f", "messageId": "m"},
            {"type": 514, "requestId": "6", "feedId": "f"},
        ]),
    )
    .await;
    let message = |data: Value, updated_at: i64| json!([{"id": "m", "createdAt": 7, "updatedAt": updated_at, "data": data}]);
    for client in [&mut ann, &mut bob] {
        let feed = json!({"feedId": "f", "metadata": {"a": "b"}, "createdAt": 5, "updatedAt": 5});
        assert_eq!(client.find(501).await, json!({"type": 501, "feeds": [feed]}));
        let updated = client.json().await;
        assert_eq!(updated["feeds"][0]["metadata"], json!({"c": ["d"]}));
        assert!(updated["feeds"][0]["updatedAt"].as_i64().unwrap() > 5, "{updated}");
        for (kind, messages) in [(505, message(json!({"n": 1.5}), 7)), (506, message(json!({}), 9))]
        {
            let expected = json!({"type": kind, "feedId": "f", "messages": messages});
            assert_eq!(client.json().await, expected);
        }
        let expected = json!({"type": 507, "feedId": "f", "messageIds": ["m"]});
        assert_eq!(client.json().await, expected);
        assert_eq!(client.json().await, json!({"type": 503, "feedId": "f"}));
    }
    // Room events keep their order, so what eve hears first is what ann did next.
    send(&mut ann, json!([{"type": 103, "event": "the end"}])).await;
    loop {
        let heard = eve.json().await;
        assert!(!(500..=508).contains(&heard["type"].as_i64().unwrap()), "{heard}");
        if heard["type"] == 103 {
            break;
        }
    }
    drop((ann, bob, eve));
    world.server.stop().await;
}

async fn lists_go_to_whoever_asked(server: Server) {
    let world = World::new(server).await;
    let (mut ann, mut bob) = (world.join(WRITER).await, world.join(READER).await);
    for (name, at) in [("f", 5), ("g", 9), ("h", 7)] {
        let add = json!({"type": 512, "requestId": name, "feedId": name, "createdAt": at,
            "metadata": {"odd": at % 2 == 1, "name": name}});
        ask(&mut ann, add, 501).await;
        let say = json!({"type": 515, "requestId": name, "feedId": "f", "data": {"at": at}});
        ask(&mut ann, say, 505).await;
    }
    let page = ask(&mut bob, json!({"type": 510, "requestId": "1", "limit": 2}), 500).await;
    let ids = |page: &Value| -> Vec<String> {
        let feeds = page["feeds"].as_array().unwrap();
        feeds.iter().map(|feed| feed["feedId"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((ids(&page), &page["requestId"]), (vec!["g".into(), "h".into()], &json!("1")));
    let cursor = &page["nextCursor"];
    let rest = ask(&mut bob, json!({"type": 510, "requestId": "2", "cursor": cursor}), 500).await;
    assert_eq!(ids(&rest), ["f"]);
    assert!(rest.get("nextCursor").is_none(), "no key on the last page");
    let found = json!({"type": 510, "requestId": "3", "since": 5,
        "metadata": {"odd": "true", "name": "h"}});
    assert_eq!(ids(&ask(&mut bob, found, 500).await), ["h"]);
    let messages = json!({"type": 511, "requestId": "4", "feedId": "f", "limit": 2});
    let page = ask(&mut bob, messages, 504).await;
    assert_eq!((&page["feedId"], &page["requestId"]), (&json!("f"), &json!("4")));
    assert_eq!(page["messages"][0]["data"], json!({"at": 7}));
    let rest = json!({"type": 511, "requestId": "5", "feedId": "f", "cursor": page["nextCursor"]});
    let rest = ask(&mut bob, rest, 504).await;
    assert_eq!(rest["messages"].as_array().unwrap().len(), 1);
    drop((ann, bob));
    world.server.stop().await;
}

async fn whatever_fails_is_said_by_its_request(server: Server) {
    let world = World::new(server).await;
    let mut ann = world.join(WRITER).await;
    ask(&mut ann, json!({"type": 512, "requestId": "0", "feedId": "f"}), 501).await;
    let say = json!({"type": 515, "requestId": "0", "feedId": "f", "data": {}, "id": "m"});
    ask(&mut ann, say.clone(), 505).await;
    for (request, code) in [
        (json!({"type": 512, "feedId": "f"}), "FEED_ALREADY_EXISTS"),
        (say, "FEED_ALREADY_EXISTS"),
        (json!({"type": 513, "feedId": "g", "metadata": {}}), "FEED_NOT_FOUND"),
        (json!({"type": 514, "feedId": "g"}), "FEED_NOT_FOUND"),
        (json!({"type": 511, "feedId": "g"}), "FEED_NOT_FOUND"),
        (json!({"type": 515, "feedId": "g", "data": {}}), "FEED_NOT_FOUND"),
        (
            json!({"type": 516, "feedId": "f", "messageId": "x", "data": {}}),
            "FEED_MESSAGE_NOT_FOUND",
        ),
        (json!({"type": 517, "feedId": "f", "messageId": "x"}), "FEED_MESSAGE_NOT_FOUND"),
        (json!({"type": 512}), "INTERNAL"),
        (json!({"type": 512, "feedId": 5}), "INTERNAL"),
        (json!({"type": 512, "feedId": "x".repeat(129)}), "INTERNAL"),
        (json!({"type": 512, "feedId": "g", "metadata": "x"}), "INTERNAL"),
        (json!({"type": 512, "feedId": "g", "createdAt": "now"}), "INTERNAL"),
        (json!({"type": 515, "feedId": "f", "data": "text"}), "INTERNAL"),
        (json!({"type": 515, "feedId": "f"}), "INTERNAL"),
        (json!({"type": 510, "limit": 101}), "INTERNAL"),
        (json!({"type": 510, "cursor": "x"}), "INTERNAL"),
        (json!({"type": 510, "metadata": {"a": 5}}), "INTERNAL"),
    ] {
        let mut request = request;
        request["requestId"] = json!("7");
        let answer = ask(&mut ann, request.clone(), 508).await;
        assert_eq!(
            (&answer["code"], &answer["requestId"]),
            (&json!(code), &json!("7")),
            "{request}"
        );
        assert!(!answer["reason"].as_str().unwrap().is_empty());
    }
    send(&mut ann, json!([{"type": 510}])).await;
    assert_eq!(
        ann.closed().await,
        (4000, "Message not understood: a requestId must be a short text".to_owned())
    );
    world.server.stop().await;
}

async fn rights_are_asked_for_every_request(server: Server) {
    let world = World::new(server).await;
    let (mut bob, mut eve) = (world.join(READER).await, world.join(OUTSIDER).await);
    world.rest("POST", "", json!({"feedId": "f"})).await;
    let changes = [
        json!({"type": 512, "requestId": "1", "feedId": "g"}),
        json!({"type": 513, "requestId": "1", "feedId": "f", "metadata": {"a": "b"}}),
        json!({"type": 514, "requestId": "1", "feedId": "f"}),
        json!({"type": 515, "requestId": "1", "feedId": "f", "data": {}}),
        json!({"type": 516, "requestId": "1", "feedId": "f", "messageId": "m", "data": {}}),
        json!({"type": 517, "requestId": "1", "feedId": "f", "messageId": "m"}),
    ];
    let no_write = "The user does not have write access to the feeds of this room.";
    let no_read = "The user does not have read access to the feeds of this room.";
    for change in changes {
        for client in [&mut bob, &mut eve] {
            let answer = ask(client, change.clone(), 508).await;
            assert_eq!(answer, failed("1", "INTERNAL", no_write), "{change}");
        }
    }
    let reads = [
        (json!({"type": 510, "requestId": "2"}), 500),
        (json!({"type": 511, "requestId": "2", "feedId": "f"}), 504),
    ];
    for (read, kind) in reads {
        assert_eq!(ask(&mut eve, read.clone(), 508).await, failed("2", "INTERNAL", no_read));
        assert_eq!(ask(&mut bob, read, kind).await["requestId"], "2");
    }
    let kept = world.rest("GET", "/f", Value::Null).await;
    assert_eq!(kept["metadata"], json!({}), "nobody changed it");
    drop((bob, eve));
    world.server.stop().await;
}

async fn more_than_may_wait_is_refused_and_the_rest_keeps_its_order(server: Server) {
    const SENT: usize = 300;
    const WAITING_MAX: usize = 256;
    let world = World::new(server).await;
    let mut ann = world.join(WRITER).await;
    ask(&mut ann, json!({"type": 512, "requestId": "0", "feedId": "f"}), 501).await;
    let say = |number| json!({"type": 515, "requestId": number_id(number), "feedId": "f", "data": {"n": number}});
    send(&mut ann, (0..SENT).map(say).collect()).await;
    let (mut said, mut refused) = (Vec::new(), Vec::new());
    while said.len() + refused.len() < SENT {
        let answer = ann.json().await;
        match answer["type"].as_i64() {
            Some(505) => said.push(answer["messages"][0]["data"]["n"].as_u64().unwrap()),
            Some(508) => refused.push(answer["requestId"].as_str().unwrap().to_owned()),
            _ => {}
        }
    }
    assert_eq!(said, (0..WAITING_MAX as u64).collect::<Vec<_>>());
    assert_eq!(refused, (WAITING_MAX..SENT).map(number_id).collect::<Vec<_>>());
    drop(ann);
    world.server.stop().await;
}

fn number_id(number: usize) -> String {
    format!("r{number}")
}

async fn back_ends_and_streams_see_the_same_feeds(server: Server) {
    let world = World::new(server).await;
    let mut ann = world.join(WRITER).await;
    let mut stream = stream(&world).await;
    let made = world.rest("POST", "", json!({"feedId": "f", "timestamp": 5})).await;
    let feed = json!({"feedId": "f", "metadata": {}, "createdAt": 5, "updatedAt": 5});
    assert_eq!(made, feed, "times are numbers");
    assert_eq!(ann.find(501).await["feeds"], json!([feed]));
    let Event::Added(added) = next_event(&mut stream).await else { panic!("not added") };
    assert_eq!((added.feed_id.as_str(), added.created_at), ("f", 5.0));

    let say = json!({"data": {"text": "é"}, "id": "m", "timestamp": 9});
    let said = world.rest("POST", "/f/messages", say).await;
    assert_eq!(ann.find(505).await["messages"], json!([said]));
    let Event::MessageAdded(said) = next_event(&mut stream).await else { panic!("not said") };
    assert_eq!((said.feed_id.as_str(), said.message.unwrap().id.as_str()), ("f", "m"));
    let empty = world.rest("GET", "/f/messages?since=9", Value::Null).await;
    assert_eq!(empty, json!({"nextCursor": null, "data": []}), "both keys, always");

    let delete = json!({"type": 517, "requestId": "1", "feedId": "f", "messageId": "m"});
    ask(&mut ann, delete, 507).await;
    let Event::MessageDeleted(gone) = next_event(&mut stream).await else { panic!("not gone") };
    assert_eq!(gone.message_id, "m");
    world.rest("DELETE", "/f", Value::Null).await;
    assert_eq!(ann.find(503).await["feedId"], "f");
    assert_eq!(next_event(&mut stream).await, Event::Deleted("f".to_owned()));
    drop((ann, stream));
    world.server.stop().await;
}

type Replies = std::pin::Pin<Box<tonic::Streaming<v1::JoinRoomResponse>>>;
type Requests = tokio::sync::mpsc::UnboundedSender<v1::JoinRoomRequest>;

async fn stream(world: &World) -> (Requests, Replies) {
    let mut rooms = RealtimeServiceClient::connect(world.server.url("")).await.unwrap();
    let (requests, mut outgoing) = tokio::sync::mpsc::unbounded_channel();
    let enter = v1::EnterRoom { room_id: "r".to_owned(), ..Default::default() };
    requests.send(v1::JoinRoomRequest { message: Some(Request::Enter(enter)) }).unwrap();
    let outgoing = futures_util::stream::poll_fn(move |context| outgoing.poll_recv(context));
    let mut call = tonic::Request::new(outgoing);
    let bearer = format!("Bearer {}", world.token(READER)).parse().unwrap();
    call.metadata_mut().insert("authorization", bearer);
    let mut replies = Box::pin(rooms.join_room(call).await.unwrap().into_inner());
    // It is in the room once it has seen its state.
    replies.next().await.unwrap().unwrap();
    (requests, replies)
}

async fn next_event((_, replies): &mut (Requests, Replies)) -> Event {
    loop {
        let reply = replies.next().await.unwrap().unwrap();
        if let Some(Reply::FeedEvent(event)) = reply.message {
            return event.event.unwrap();
        }
    }
}

on_both_servers!(
    everybody_is_told_of_every_change,
    lists_go_to_whoever_asked,
    whatever_fails_is_said_by_its_request,
    rights_are_asked_for_every_request,
    more_than_may_wait_is_refused_and_the_rest_keeps_its_order,
    back_ends_and_streams_see_the_same_feeds,
);
