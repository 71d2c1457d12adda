//! Enters a room over gRPC, greets whoever comes, and prints what is said there.
//!
//!     cargo run --example join_room -- http://127.0.0.1:1153 hello sk_localdev

use futures_util::stream;
use roomd::proto::roomd::v1;
use tokio::sync::mpsc;
use v1::join_room_request::Message as Request;
use v1::join_room_response::Message as Reply;
use v1::realtime_service_client::RealtimeServiceClient;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(url), Some(room_id), Some(key)) = (words.next(), words.next(), words.next()) else {
        return Err("expected a URL, the id of a room, and a key or token".into());
    };

    // Requests go through a channel: the stream to the server is open as long as its sender lives.
    let (requests, mut waiting) = mpsc::channel(16);
    let send = |message| requests.send(v1::JoinRoomRequest { message: Some(message) });
    send(Request::Enter(v1::EnterRoom { room_id, ..Default::default() })).await?;
    let mut call = tonic::Request::new(stream::poll_fn(move |cx| waiting.poll_recv(cx)));
    call.metadata_mut().insert("authorization", format!("Bearer {key}").parse()?);

    let mut client = RealtimeServiceClient::connect(url).await?;
    let mut replies = client.join_room(call).await?.into_inner();
    while let Some(reply) = replies.message().await? {
        match reply.message {
            Some(Reply::RoomState(state)) => println!("{} others are here", state.members.len()),
            Some(Reply::Joined(member)) => {
                let hello = prost_types::Value::from(format!("hello, {}", member.actor));
                send(Request::Event(v1::SendEvent { event: Some(hello) })).await?;
            }
            Some(Reply::Event(event)) => println!("{} says {:?}", event.actor, event.event),
            Some(Reply::Closed(closed)) => println!("closed: {}", closed.reason),
            // Presence, Storage and documents come by here as well.
            _ => {}
        }
    }
    Ok(())
}
