//! People who are shown in other rooms, or sent there.

use roomd::proto::livekit::participant_info::State;
use roomd::proto::roomd::v1::CloseCode;
use roomd::proto::roomd::v1::join_room_response::Message as Reply;
use serde_json::{Value, json};

use crate::harness::{Project, Server};
use crate::livekit_rooms::{ask, guest, identities, join, news_of, open_room};
use crate::on_both_servers;
use crate::realtime::Guest;

async fn create(server: &Server, project: &Project, room: &str) {
    ask(server, project, "CreateRoom", json!({"name": room})).await.unwrap();
}

async fn rename(server: &Server, project: &Project, room: &str, identity: &str, name: &str) {
    let update = json!({"room": room, "identity": identity, "name": name});
    ask(server, project, "UpdateParticipant", update).await.unwrap();
}

fn named(identity: &'static str, name: &'static str) -> impl Fn(&Reply) -> Option<()> {
    let news = news_of(identity);
    move |reply| news(reply).filter(|info| info.name == name).map(drop)
}

fn to_there(identity: &str) -> Value {
    json!({"room": "here", "identity": identity, "destinationRoom": "there"})
}

async fn two_rooms(server: &Server, name: &str) -> Project {
    let project = server.project(name).await;
    for room in ["here", "there"] {
        open_room(server, &project, room).await;
        create(server, &project, room).await;
    }
    project
}

async fn guests_are_shown_until_they_are_removed_or_leave(server: Server) {
    let project = two_rooms(&server, "guests").await;
    let ann = guest(&server, &project, "here", "ann").await;
    let forward = async || ask(&server, &project, "ForwardParticipant", to_there("ann")).await;
    let there = async || identities(&server, &project, "there").await;
    forward().await.unwrap();
    assert_eq!(there().await, ["ann"], "she is listed when it is answered");
    let rooms = ask(&server, &project, "ListRooms", json!({"names": ["there"]})).await.unwrap();
    assert_eq!(rooms["rooms"][0]["numParticipants"], 1);
    let mut bob = guest(&server, &project, "there", "bob").await;
    assert_eq!(bob.wait_for(join).await.other_participants[0].identity, "ann");

    let remove = json!({"room": "there", "identity": "ann"});
    ask(&server, &project, "RemoveParticipant", remove.clone()).await.unwrap();
    assert_eq!(bob.wait_for(news_of("ann")).await.disconnect_reason, 4);
    rename(&server, &project, "here", "ann", "Ann").await;
    assert_eq!(there().await, ["bob"], "a change at home does not bring her back");
    let refused = ask(&server, &project, "RemoveParticipant", remove).await.unwrap_err();
    assert_eq!(refused.reason, "PARTICIPANT_NOT_FOUND");
    forward().await.unwrap();
    bob.wait_for(named("ann", "Ann")).await;

    ask(&server, &project, "DeleteRoom", json!({"room": "there"})).await.unwrap();
    create(&server, &project, "there").await;
    rename(&server, &project, "here", "ann", "A.").await;
    assert!(there().await.is_empty(), "nor does she come to another life of the room");
    let mut bob = guest(&server, &project, "there", "bob").await;
    forward().await.unwrap();
    bob.wait_for(named("ann", "A.")).await;
    drop(ann);
    let gone =
        |reply: &Reply| news_of("ann")(reply).filter(|info| info.state() == State::Disconnected);
    bob.wait_for(gone).await;
    assert_eq!(there().await, ["bob"]);
    let refused = forward().await.unwrap_err();
    assert_eq!(refused.reason, "PARTICIPANT_NOT_FOUND");
    drop(bob);
    server.stop().await;
}

async fn rooms_that_show_each_others_people_do_not_wait_for_each_other(server: Server) {
    let project = two_rooms(&server, "both").await;
    let mut ann = guest(&server, &project, "here", "ann").await;
    let mut bob = guest(&server, &project, "there", "bob").await;
    ask(&server, &project, "ForwardParticipant", to_there("ann")).await.unwrap();
    let to_here = json!({"room": "there", "identity": "bob", "destinationRoom": "here"});
    ask(&server, &project, "ForwardParticipant", to_here).await.unwrap();
    let onwards = json!({"room": "there", "identity": "ann", "destinationRoom": "here"});
    for method in ["ForwardParticipant", "MoveParticipant"] {
        let refused = ask(&server, &project, method, onwards.clone()).await.unwrap_err();
        assert_eq!(refused.reason, "PARTICIPANT_FORWARDED", "{method}");
    }
    let change = async |room: &str, identity: &str| {
        for count in 1..=200 {
            rename(&server, &project, room, identity, &format!("{identity} {count}")).await;
        }
    };
    tokio::join!(
        change("here", "ann"),
        change("there", "bob"),
        ann.wait_for(named("bob", "bob 200")),
        bob.wait_for(named("ann", "ann 200")),
    );
    let full = json!({"name": "full", "maxParticipants": 1});
    ask(&server, &project, "CreateRoom", full).await.unwrap();
    let into_full = |identity: &str| {
        let room = if identity == "ann" { "here" } else { "there" };
        json!({"room": room, "identity": identity, "destinationRoom": "full"})
    };
    for _ in 0..2 {
        ask(&server, &project, "ForwardParticipant", into_full("ann")).await.unwrap();
    }
    let refused = ask(&server, &project, "ForwardParticipant", into_full("bob")).await.unwrap_err();
    assert_eq!(refused.reason, "ROOM_FULL");
    drop((ann, bob));
    server.stop().await;
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

on_both_servers!(
    guests_are_shown_until_they_are_removed_or_leave,
    rooms_that_show_each_others_people_do_not_wait_for_each_other,
    nobody_is_sent_where_they_are_certain_to_be_kept_out,
);
