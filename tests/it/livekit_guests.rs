//! People who are sent to other rooms.

use roomd::proto::roomd::v1::CloseCode;
use roomd::proto::roomd::v1::join_room_response::Message as Reply;
use serde_json::json;

use crate::harness::{Project, Server};
use crate::livekit_rooms::{ask, guest, identities, join, open_room};
use crate::on_both_servers;
use crate::realtime::Guest;

async fn create(server: &Server, project: &Project, room: &str) {
    ask(server, project, "CreateRoom", json!({"name": room})).await.unwrap();
}

async fn two_rooms(server: &Server, name: &str) -> Project {
    let project = server.project(name).await;
    for room in ["here", "there"] {
        open_room(server, &project, room).await;
        create(server, &project, room).await;
    }
    project
}

async fn nobody_is_sent_where_they_are_certain_to_be_kept_out(server: Server) {
    let project = two_rooms(&server, "kept-out").await;
    // A room that LiveKit's back ends make is open to nobody by itself.
    create(&server, &project, "closed").await;
    let move_to = async |identity: &str, to: &str| {
        let request = json!({"room": "here", "identity": identity, "destinationRoom": to});
        ask(&server, &project, "MoveParticipant", request).await
    };
    let mut ann = guest(&server, &project, "here", "ann").await;
    ann.wait_for(join).await;
    let mut bob = Guest::enter(&server, "here", &server.id_token(&project.id, "bob", &[])).await;
    let of_here = server.access_token(&project.id, &[("here", &["*:write"])], 0);
    let stream = Guest::try_enter(&server, "here", &of_here, true).await.unwrap();
    for to in ["closed", "nowhere"] {
        for identity in ["ann", "bob"] {
            let refused = move_to(identity, to).await.unwrap_err();
            assert_eq!(refused.reason, "PARTICIPANT_KEPT_OUT", "{identity} {to}");
        }
    }
    drop(stream);
    let key = server.livekit_key(&project.id).await;
    let claims = json!({"sub": "eve", "video": {"roomJoin": true, "room": "here"},
        "roomPreset": "unknown", "kindDetails": ["simulation"]});
    let token = server.livekit_token(&key, claims);
    let mut eve = Guest::try_enter(&server, "here", &token, true).await.unwrap();
    eve.wait_for(join).await;
    assert_eq!(identities(&server, &project, "here").await, ["ann", "bob", "eve"]);
    move_to("eve", "nowhere").await.unwrap();
    let moved = eve.wait_for(join).await;
    assert_eq!(moved.room.unwrap().name, "nowhere", "her token is as good as one for that room");

    let accesses = json!({"usersAccesses": {"bob": ["room:write"]}});
    let path = "/v2/rooms/closed";
    let (status, _) = server.rest(project.secret.expose(), "POST", path, accesses).await;
    assert_eq!(status, 200);
    assert_eq!(move_to("ann", "closed").await.unwrap_err().reason, "PARTICIPANT_KEPT_OUT");
    move_to("bob", "closed").await.unwrap();
    let closed = |reply: &Reply| match reply {
        Reply::Closed(closed) => Some(closed.code()),
        _ => None,
    };
    assert_eq!(bob.wait_for(closed).await, CloseCode::RoomRenamed);
    assert_eq!(identities(&server, &project, "here").await, ["ann"]);
    drop((ann, bob, eve));
    server.stop().await;
}

on_both_servers!(nobody_is_sent_where_they_are_certain_to_be_kept_out);
