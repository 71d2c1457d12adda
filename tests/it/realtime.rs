//! Two in a room by RealtimeService, over gRPC; and over Connect, which is the same stream.

use std::pin::Pin;

use futures_util::StreamExt;
use prost::Message as _;
use prost_types::value::Kind;
use roomd::config::Limits;
use roomd::proto::roomd::v1::join_room_request::Message as Request;
use roomd::proto::roomd::v1::join_room_response::Message as Reply;
use roomd::proto::roomd::v1::realtime_service_client::RealtimeServiceClient;
use roomd::proto::roomd::v1::{self, storage_operation};
use serde_json::json;
use tokio::sync::mpsc;
use tonic::Code;

use crate::databases::Database;
use crate::harness::{Project, Server};
use crate::on_both_servers;
use crate::protocols::{Protocol, call};

/// Somebody in a room.
pub struct Guest {
    requests: mpsc::UnboundedSender<v1::JoinRoomRequest>,
    replies: Pin<Box<tonic::Streaming<v1::JoinRoomResponse>>>,
    actor: i32,
}

impl Guest {
    pub async fn try_enter(
        server: &Server,
        room: &str,
        bearer: &str,
        live: bool,
    ) -> Result<Self, tonic::Status> {
        let mut client = RealtimeServiceClient::connect(server.url("")).await.unwrap();
        let (requests, mut outgoing) = mpsc::unbounded_channel();
        let outgoing = futures_util::stream::poll_fn(move |context| outgoing.poll_recv(context));
        let mut request = tonic::Request::new(outgoing);
        let bearer = format!("Bearer {bearer}").parse().unwrap();
        request.metadata_mut().insert("authorization", bearer);
        let presence = Some(object("name", room));
        let enter = v1::EnterRoom { room_id: room.to_owned(), presence, live };
        requests.send(v1::JoinRoomRequest { message: Some(Request::Enter(enter)) }).unwrap();
        let replies = Box::pin(client.join_room(request).await?.into_inner());
        let mut guest = Self { requests, replies, actor: 0 };
        match guest.next().await? {
            Some(Reply::RoomState(state)) => guest.actor = state.actor,
            other => panic!("{other:?}"),
        }
        Ok(guest)
    }

    pub async fn enter(server: &Server, room: &str, bearer: &str) -> Self {
        Self::try_enter(server, room, bearer, false).await.unwrap()
    }

    pub async fn next(&mut self) -> Result<Option<Reply>, tonic::Status> {
        let reply = self.replies.next().await.transpose()?;
        Ok(reply.map(|reply| reply.message.expect("a reply of a known kind")))
    }

    /// The first reply for which `wanted` has an answer.
    pub async fn wait_for<T>(&mut self, wanted: impl Fn(&Reply) -> Option<T>) -> T {
        loop {
            let reply = self.next().await.unwrap().expect("the stream ended");
            if let Some(found) = wanted(&reply) {
                return found;
            }
        }
    }

    pub fn send(&self, message: Request) {
        self.requests.send(v1::JoinRoomRequest { message: Some(message) }).unwrap();
    }

    fn set_title(&self, op_id: &str, title: &str) {
        let update = v1::UpdateObject { id: "root".to_owned(), data: Some(object("title", title)) };
        let operation = Some(storage_operation::Operation::UpdateObject(update));
        let operation = v1::StorageOperation { op_id: Some(op_id.to_owned()), operation };
        self.send(Request::Operations(v1::StorageOperations { operations: vec![operation] }));
    }
}

fn object(key: &str, text: &str) -> prost_types::Struct {
    let value = prost_types::Value { kind: Some(Kind::StringValue(text.to_owned())) };
    prost_types::Struct { fields: [(key.to_owned(), value)].into() }
}

fn title(reply: &Reply) -> Option<(Option<String>, prost_types::Struct)> {
    let Reply::Operations(sent) = reply else { return None };
    let operation = sent.operations.first()?;
    match operation.operation.clone()? {
        storage_operation::Operation::UpdateObject(update) => {
            Some((operation.op_id.clone(), update.data.unwrap_or_default()))
        }
        _ => None,
    }
}

async fn project_with_room(server: &Server, name: &str) -> Project {
    let project = server.project(name).await;
    let room = json!({"id": "r", "defaultAccesses": []});
    let secret = Some(project.secret.expose());
    let rpc = "roomd.v1.RoomService/CreateRoom";
    call(server, Protocol::ConnectJson, rpc, &room, secret).await.unwrap();
    project
}

async fn two_in_a_room_see_each_other(server: Server) {
    let project = project_with_room(&server, "see").await;
    let token = server.access_token(&project.id, &[("r", &["*:write"])], 0);
    let mut ann = Guest::enter(&server, "r", &token).await;
    let mut bob = Guest::enter(&server, "r", project.secret.expose()).await;
    let joined = |reply: &Reply| match reply {
        Reply::Joined(member) => Some(member.actor),
        _ => None,
    };
    assert_eq!(ann.wait_for(joined).await, bob.actor);

    let event = prost_types::Value { kind: Some(Kind::NumberValue(5.0)) };
    bob.send(Request::Event(v1::SendEvent { event: Some(event.clone()) }));
    let heard = |reply: &Reply| match reply {
        Reply::Event(event) => Some((event.actor, event.event.clone())),
        _ => None,
    };
    assert_eq!(ann.wait_for(heard).await, (bob.actor, Some(event)));

    let data = Some(object("name", "all of it"));
    let presence = v1::UpdatePresence { data, target_actor: Some(bob.actor) };
    ann.send(Request::Presence(presence));
    let seen = |reply: &Reply| match reply {
        Reply::Presence(presence) if presence.target_actor.is_some() => Some(presence.actor),
        _ => None,
    };
    assert_eq!(bob.wait_for(seen).await, ann.actor);

    drop(bob);
    let left = |reply: &Reply| match reply {
        Reply::Left(left) => Some(left.actor),
        _ => None,
    };
    ann.wait_for(left).await;
    drop(ann);
    server.stop().await;
}

async fn a_change_is_acknowledged_seen_and_kept(server: Server) {
    let project = project_with_room(&server, "keep").await;
    let secret = project.secret.expose();
    let mut ann = Guest::enter(&server, "r", secret).await;
    let mut bob = Guest::enter(&server, "r", secret).await;
    bob.send(Request::FetchStorage(v1::FetchStorage {}));
    bob.wait_for(|reply| matches!(reply, Reply::StorageEnd(_)).then_some(())).await;

    let op_id = format!("{}:0", ann.actor);
    ann.set_title(&op_id, "x");
    let wanted = object("title", "x");
    assert_eq!(ann.wait_for(title).await, (Some(op_id), wanted.clone()));
    assert_eq!(bob.wait_for(title).await, (None, wanted));

    ann.send(Request::FetchStorage(v1::FetchStorage {}));
    let root = |reply: &Reply| match reply {
        Reply::StorageChunk(chunk) => chunk.nodes.iter().find(|node| node.id == "root").cloned(),
        _ => None,
    };
    let root = ann.wait_for(root).await;
    assert_eq!(root.content, Some(v1::storage_node::Content::Object(object("title", "x"))));

    let rpc = "roomd.v1.StorageService/DeleteStorageDocument";
    let request = json!({"roomId": "r"});
    call(&server, Protocol::ConnectJson, rpc, &request, Some(secret)).await.unwrap();
    let closed = |reply: &Reply| match reply {
        Reply::Closed(closed) => Some((closed.code(), closed.retry)),
        _ => None,
    };
    assert_eq!(ann.wait_for(closed).await, (v1::CloseCode::StorageReset, true));
    assert_eq!(ann.next().await.unwrap(), None, "the stream ends after that");
    drop((ann, bob));
    server.stop().await;
}

async fn whoever_may_only_read_changes_nothing(server: Server) {
    let project = project_with_room(&server, "read").await;
    let token = server.access_token(&project.id, &[("r", &["*:read"])], 0);
    let mut eve = Guest::enter(&server, "r", &token).await;
    let op_id = format!("{}:0", eve.actor);
    eve.set_title(&op_id, "x");
    let rejected = |reply: &Reply| match reply {
        Reply::Rejected(rejected) => Some(rejected.op_ids.clone()),
        _ => None,
    };
    assert_eq!(eve.wait_for(rejected).await, [op_id]);
    drop(eve);
    server.stop().await;
}

async fn what_is_not_understood_ends_the_stream(server: Server) {
    let project = project_with_room(&server, "hostile").await;
    let secret = project.secret.expose();
    let code = async |room: &str, bearer: &str| {
        Guest::try_enter(&server, room, bearer, false).await.err().map(|status| status.code())
    };
    assert_eq!(code("", secret).await, Some(Code::InvalidArgument));
    assert_eq!(code("nobody's", secret).await, Some(Code::PermissionDenied));
    assert_eq!(code("r", "sk_nobody").await, Some(Code::Unauthenticated));

    let mut ann = Guest::enter(&server, "r", secret).await;
    ann.send(Request::Enter(v1::EnterRoom { room_id: "r".to_owned(), ..Default::default() }));
    let closed = |reply: &Reply| match reply {
        Reply::Closed(closed) => Some((closed.code(), closed.retry)),
        _ => None,
    };
    assert_eq!(ann.wait_for(closed).await, (v1::CloseCode::NotUnderstood, false));
    drop(ann);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_held_to_the_rate_of_a_websocket() {
    let database = Database::sqlite().await;
    let limits = Limits { websocket_frames_per_second_max: 50, ..Limits::PRODUCTION };
    let server = Server::start_with(&database.store, limits).await;
    let project = project_with_room(&server, "flood").await;
    let mut ann = Guest::enter(&server, "r", project.secret.expose()).await;
    for _ in 0..2_000 {
        ann.send(Request::Event(v1::SendEvent { event: None }));
    }
    let closed = |reply: &Reply| match reply {
        Reply::Closed(closed) => Some((closed.code(), closed.retry)),
        _ => None,
    };
    assert_eq!(ann.wait_for(closed).await, (v1::CloseCode::TooManyMessages, true));
    drop(ann);
    server.stop().await;
}

/// One enveloped request, the first of the replies, and the end.
async fn the_stream_is_spoken_over_connect(server: Server) {
    let project = project_with_room(&server, "connect").await;
    let enter = v1::EnterRoom { room_id: "r".to_owned(), ..Default::default() };
    let message = v1::JoinRoomRequest { message: Some(Request::Enter(enter)) }.encode_to_vec();
    let mut envelope = vec![0];
    envelope.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    envelope.extend(message);
    let (requests, mut outgoing) = mpsc::unbounded_channel::<Vec<u8>>();
    requests.send(envelope).unwrap();
    let body = futures_util::stream::poll_fn(move |context| outgoing.poll_recv(context));
    let body = body.map(Ok::<_, std::io::Error>);
    let http = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let reply = http
        .post(server.url("/roomd.v1.RealtimeService/JoinRoom"))
        .header("content-type", "application/connect+proto")
        .header("authorization", format!("Bearer {}", project.secret.expose()))
        .body(reqwest::Body::wrap_stream(body))
        .send();
    let mut reply = reply.await.unwrap();
    assert_eq!(reply.status(), 200);
    let first = reply.chunk().await.unwrap().unwrap();
    assert_eq!(first[0], 0, "a message, not the end");
    let state = v1::JoinRoomResponse::decode(&first[5..]).unwrap();
    assert!(matches!(state.message, Some(Reply::RoomState(_))), "{state:?}");

    drop(requests);
    let end = reply.chunk().await.unwrap().unwrap();
    assert_eq!(&end[..], b"\x02\0\0\0\x02{}", "the end, without an error");
    drop((reply, http));
    server.stop().await;
}

on_both_servers!(
    two_in_a_room_see_each_other,
    a_change_is_acknowledged_seen_and_kept,
    whoever_may_only_read_changes_nothing,
    what_is_not_understood_ends_the_stream,
    the_stream_is_spoken_over_connect,
);
