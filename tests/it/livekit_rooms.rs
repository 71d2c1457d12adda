//! livekit.RoomService on rooms that people are in by a stream of gRPC.

use prost_types::value::Kind;
use roomd::proto::livekit::signal_request::Message as Asks;
use roomd::proto::livekit::signal_response::Message as Says;
use roomd::proto::livekit::{self, data_packet};
use roomd::proto::roomd::v1::join_room_request::Message as Request;
use roomd::proto::roomd::v1::join_room_response::Message as Reply;
use roomd::proto::roomd::v1::{self, CloseCode};
use serde_json::{Value, json};

use crate::harness::{Project, Server};
use crate::on_both_servers;
use crate::protocols::{Outcome, Protocol, call};
use crate::realtime::Guest;

pub async fn ask(server: &Server, project: &Project, method: &str, request: Value) -> Outcome {
    let rpc = format!("livekit.RoomService/{method}");
    call(server, Protocol::Grpc, &rpc, &request, Some(project.secret.expose())).await
}

pub async fn identities(server: &Server, project: &Project, room: &str) -> Vec<String> {
    let listed = ask(server, project, "ListParticipants", json!({"room": room})).await.unwrap();
    let people = listed["participants"].as_array().cloned().unwrap_or_default();
    people.iter().map(|info| info["identity"].as_str().unwrap().to_owned()).collect()
}

/// Somebody who takes part as LiveKit's clients do.
pub async fn guest(server: &Server, project: &Project, room: &str, user: &str) -> Guest {
    let token = server.id_token(&project.id, user, &[]);
    Guest::try_enter(server, room, &token, true).await.unwrap()
}

pub async fn open_room(server: &Server, project: &Project, room: &str) {
    let body = json!({"id": room, "defaultAccesses": ["room:write"]});
    let (status, _) = server.rest(project.secret.expose(), "POST", "/v2/rooms", body).await;
    assert_eq!(status, 200);
}

pub fn signal(reply: &Reply) -> Option<&Says> {
    match reply {
        Reply::Signal(signal) => signal.message.as_ref(),
        _ => None,
    }
}

pub fn join(reply: &Reply) -> Option<livekit::JoinResponse> {
    match signal(reply)? {
        Says::Join(join) => Some(join.clone()),
        _ => None,
    }
}

/// News of somebody.
pub fn news_of(identity: &str) -> impl Fn(&Reply) -> Option<livekit::ParticipantInfo> {
    move |reply| match signal(reply)? {
        Says::Update(update) => {
            update.participants.iter().find(|info| info.identity == identity).cloned()
        }
        _ => None,
    }
}

fn packet(reply: &Reply) -> Option<livekit::DataPacket> {
    match reply {
        Reply::Data(packet) => Some(packet.clone()),
        _ => None,
    }
}

async fn a_room_lives_from_its_creation_to_its_end(server: Server) {
    let project = server.project("lives").await;
    let create = json!({"name": "r", "metadata": "m", "maxParticipants": 3});
    let room = ask(&server, &project, "CreateRoom", create).await.unwrap();
    assert!(room["sid"].as_str().unwrap().starts_with("RM_"), "{room}");
    assert_eq!(
        (&room["emptyTimeout"], &room["departureTimeout"], &room["maxParticipants"]),
        (&json!(300), &json!(20), &json!(3))
    );
    let again = json!({"name": "r", "metadata": "other", "emptyTimeout": 1});
    assert_eq!(ask(&server, &project, "CreateRoom", again).await.unwrap(), room);
    ask(&server, &project, "CreateRoom", json!({"name": "s"})).await.unwrap();
    let listed = ask(&server, &project, "ListRooms", json!({})).await.unwrap();
    assert_eq!(listed["rooms"].as_array().unwrap().len(), 2);
    let named = json!({"names": ["s", "nowhere", "r", "s", "r"]});
    let listed = ask(&server, &project, "ListRooms", named).await.unwrap();
    assert_eq!(listed["rooms"].as_array().unwrap().len(), 2, "each once");
    assert_eq!((&listed["rooms"][0]["name"], &listed["rooms"][1]), (&json!("s"), &room));
    let changed = json!({"room": "r", "metadata": ""});
    let changed = ask(&server, &project, "UpdateRoomMetadata", changed).await.unwrap();
    assert_eq!(changed.get("metadata"), None, "an empty text clears");
    assert_eq!(changed["sid"], room["sid"]);

    ask(&server, &project, "DeleteRoom", json!({"room": "r"})).await.unwrap();
    for (method, request) in [
        ("DeleteRoom", json!({"room": "r"})),
        ("UpdateRoomMetadata", json!({"room": "r", "metadata": "x"})),
        ("SendData", json!({"room": "r", "data": "aGk="})),
        ("MutePublishedTrack", json!({"room": "r", "identity": "i", "trackSid": "TR_x"})),
        ("UpdateSubscriptions", json!({"room": "r", "identity": "i"})),
        ("PerformRpc", json!({"room": "r", "destinationIdentity": "i", "method": "m"})),
    ] {
        let refused = ask(&server, &project, method, request).await.unwrap_err();
        assert_eq!(
            (&*refused.code, &*refused.reason),
            ("not_found", "LIVE_ROOM_NOT_FOUND"),
            "{method}"
        );
    }
    assert!(identities(&server, &project, "r").await.is_empty());
    let secret = project.secret.expose();
    let (status, _) = server.rest(secret, "GET", "/v2/rooms/r", Value::Null).await;
    assert_eq!(status, 200, "the room itself stays");
    let reborn = ask(&server, &project, "CreateRoom", json!({"name": "r"})).await.unwrap();
    assert_ne!(reborn["sid"], room["sid"]);
    server.stop().await;
}

/// LiveKit's names are longer than those of rooms that are made in other ways.
async fn a_long_name_is_a_name_for_everybody(server: Server) {
    let project = server.project("names").await;
    let (longest, longer) = ("n".repeat(256), "n".repeat(257));
    let room = ask(&server, &project, "CreateRoom", json!({"name": longest})).await.unwrap();
    assert_eq!(room["name"], longest);
    let refused = ask(&server, &project, "CreateRoom", json!({"name": longer})).await.unwrap_err();
    assert_eq!(refused.reason, "ROOM_NAME_TOO_LONG");
    let secret = project.secret.expose();
    let path = format!("/v2/rooms/{longest}");
    let (status, found) = server.rest(secret, "GET", &path, Value::Null).await;
    assert_eq!((status, &found["id"]), (200, &json!(longest)));
    let open = json!({"defaultAccesses": ["room:write"]});
    assert_eq!(server.rest(secret, "POST", &path, open).await.0, 200);
    let create = json!({"id": "n".repeat(129), "defaultAccesses": []});
    let (status, _) = server.rest(secret, "POST", "/v2/rooms", create).await;
    assert_eq!(status, 422);
    let mut ann = guest(&server, &project, &longest, "ann").await;
    ann.wait_for(join).await;
    assert_eq!(identities(&server, &project, &longest).await, ["ann"]);
    drop(ann);
    server.stop().await;
}

async fn whoever_is_in_the_room_is_a_participant(server: Server) {
    let project = server.project("participants").await;
    open_room(&server, &project, "r").await;
    let mut ann = guest(&server, &project, "r", "ann").await;
    let me = ann.wait_for(join).await;
    let stored = server.store.list_live_rooms(None, 10).await.unwrap();
    assert_eq!(*stored[0].room.sid, *me.room.unwrap().sid, "it is stored before anybody is told");
    assert_eq!(me.participant.unwrap().identity, "ann");
    let bob = Guest::enter(&server, "r", &server.id_token(&project.id, "bob", &[])).await;
    assert_eq!(ann.wait_for(news_of("bob")).await.identity, "bob");
    assert_eq!(identities(&server, &project, "r").await, ["ann", "bob"]);
    let rooms = ask(&server, &project, "ListRooms", json!({})).await.unwrap();
    assert_eq!(rooms["rooms"][0]["numParticipants"], 2);
    let users = "/v2/rooms/r/active_users";
    let (_, users) = server.rest(project.secret.expose(), "GET", users, Value::Null).await;
    assert_eq!(users["data"].as_array().unwrap().len(), 2);

    let update = json!({"room": "r", "identity": "bob", "metadata": "m", "name": "Bob",
        "attributes": {"a": "1"}});
    let updated = ask(&server, &project, "UpdateParticipant", update).await.unwrap();
    let seen = ann.wait_for(news_of("bob")).await;
    assert_eq!((&*seen.metadata, &*seen.name), ("m", "Bob"));
    assert_eq!(updated["version"], seen.version);
    let got = json!({"room": "r", "identity": "bob"});
    assert_eq!(ask(&server, &project, "GetParticipant", got).await.unwrap(), updated);
    ask(&server, &project, "UpdateRoomMetadata", json!({"room": "r", "metadata": "new"}))
        .await
        .unwrap();
    let told = |reply: &Reply| match signal(reply)? {
        Says::RoomUpdate(update) => update.room.clone(),
        _ => None,
    };
    assert_eq!(ann.wait_for(told).await.metadata, "new");

    let remove = json!({"room": "r", "identity": "bob"});
    ask(&server, &project, "RemoveParticipant", remove.clone()).await.unwrap();
    assert_eq!(ann.wait_for(news_of("bob")).await.disconnect_reason, 4);
    assert_eq!(identities(&server, &project, "r").await, ["ann"]);
    let refused = ask(&server, &project, "RemoveParticipant", remove).await.unwrap_err();
    assert_eq!(refused.reason, "PARTICIPANT_NOT_FOUND");
    // Users of roomd may have longer names than LiveKit's.
    let long = "\u{10ffff}".repeat(128);
    let user = Guest::enter(&server, "r", &server.id_token(&project.id, &long, &[])).await;
    let remove = json!({"room": "r", "identity": long, "revokeTokenTs": 1});
    ask(&server, &project, "RemoveParticipant", remove).await.unwrap();
    assert_eq!(identities(&server, &project, "r").await, ["ann"]);
    drop(user);
    let elsewhere = json!({"room": "nowhere", "identity": "bob", "revokeTokenTs": 1});
    let refused = ask(&server, &project, "RemoveParticipant", elsewhere).await.unwrap_err();
    assert_eq!(refused.reason, "PARTICIPANT_NOT_FOUND", "there is no such room");
    for nobody in [String::new(), "i".repeat(513), "\0".to_owned()] {
        let revoke = json!({"room": "r", "identity": nobody, "revokeTokenTs": 1});
        let refused = ask(&server, &project, "RemoveParticipant", revoke).await.unwrap_err();
        assert_eq!(refused.reason, "PARTICIPANT_NOT_FOUND", "{nobody:?}");
    }
    drop(bob);
    ask(&server, &project, "DeleteRoom", json!({"room": "r"})).await.unwrap();
    let closed = |reply: &Reply| match reply {
        Reply::Closed(closed) => Some(closed.code()),
        _ => None,
    };
    assert_eq!(ann.wait_for(closed).await, CloseCode::LiveRoomEnded);
    server.stop().await;
}

/// What a back end takes from somebody is taken whichever protocol they came by.
async fn who_may_not_send_data_sends_no_events(server: Server) {
    let project = server.project("quiet").await;
    open_room(&server, &project, "r").await;
    let mut ann = guest(&server, &project, "r", "ann").await;
    let mut bob = Guest::enter(&server, "r", &server.id_token(&project.id, "bob", &[])).await;
    ann.wait_for(news_of("bob")).await;
    let event = |number: f64| {
        let value = prost_types::Value { kind: Some(Kind::NumberValue(number)) };
        Request::Event(v1::SendEvent { event: Some(value) })
    };
    for (number, can_publish_data) in [(1.0, true), (2.0, false), (3.0, true)] {
        let permission = json!({"canSubscribe": true, "canPublishData": can_publish_data});
        let update = json!({"room": "r", "identity": "bob", "permission": permission});
        ask(&server, &project, "UpdateParticipant", update).await.unwrap();
        bob.send(event(number));
        // By the answer to what was asked behind it, the room has taken the event.
        bob.send(Request::FetchStorage(v1::FetchStorage {}));
        bob.wait_for(|reply| matches!(reply, Reply::StorageEnd(_)).then_some(())).await;
    }
    let heard = |reply: &Reply| match reply {
        Reply::Event(event) => event.event.clone(),
        _ => None,
    };
    for number in [1.0, 3.0] {
        let kind = ann.wait_for(heard).await.kind;
        assert_eq!(kind, Some(Kind::NumberValue(number)));
    }
    drop((ann, bob));
    server.stop().await;
}

async fn tracks_data_and_calls_reach_their_participant(server: Server) {
    let project = server.project("tracks").await;
    open_room(&server, &project, "r").await;
    let mut ann = guest(&server, &project, "r", "ann").await;
    let mut bob = guest(&server, &project, "r", "bob").await;
    let track = livekit::AddTrackRequest {
        cid: "c1".to_owned(),
        r#type: livekit::TrackType::Video.into(),
        source: livekit::TrackSource::Camera.into(),
        width: 640,
        ..Default::default()
    };
    say(&ann, Asks::AddTrack(track));
    let published = |reply: &Reply| match signal(reply)? {
        Says::TrackPublished(published) => published.track.clone(),
        _ => None,
    };
    let track = ann.wait_for(published).await;
    assert!(track.sid.starts_with("TR_VC"), "{}", track.sid);
    let with_tracks = |reply: &Reply| news_of("ann")(reply).filter(|info| !info.tracks.is_empty());
    assert_eq!(bob.wait_for(with_tracks).await.tracks[0].sid, track.sid);
    let mute = json!({"room": "r", "identity": "ann", "trackSid": track.sid, "muted": true});
    let muted = ask(&server, &project, "MutePublishedTrack", mute).await.unwrap();
    assert_eq!(muted["track"]["muted"], true);
    let told = |reply: &Reply| match signal(reply)? {
        Says::Mute(mute) => Some((mute.sid.clone(), mute.muted)),
        _ => None,
    };
    assert_eq!(ann.wait_for(told).await, (track.sid.clone(), true));
    let unmute = json!({"room": "r", "identity": "ann", "trackSid": track.sid});
    let refused = ask(&server, &project, "MutePublishedTrack", unmute).await.unwrap_err();
    assert_eq!(refused.reason, "REMOTE_UNMUTE_DISABLED");

    let data = json!({"room": "r", "data": "aGk=", "topic": "", "nonce": "MDEyMzQ1Njc4OWFiY2RlZg==",
        "destinationIdentities": ["bob"]});
    for _ in 0..2 {
        ask(&server, &project, "SendData", data.clone()).await.unwrap();
    }
    let other = json!({"room": "r", "data": "eW8="});
    ask(&server, &project, "SendData", other).await.unwrap();
    let user = |packet: livekit::DataPacket| match packet.value {
        Some(data_packet::Value::User(user)) => (user.payload, user.topic),
        other => panic!("{other:?}"),
    };
    let first = user(bob.wait_for(packet).await);
    assert_eq!((&first.0[..], first.1.as_deref()), (&b"hi"[..], Some("")));
    assert_eq!(&user(bob.wait_for(packet).await).0[..], b"yo", "the nonce came once");
    assert_eq!(&user(ann.wait_for(packet).await).0[..], b"yo", "the first was not for ann");

    let perform = json!({"room": "r", "destinationIdentity": "bob", "method": "m", "payload": "p"});
    let answer = async {
        let asked = bob.wait_for(packet).await;
        let Some(data_packet::Value::RpcRequest(call)) = asked.value else { panic!("{asked:?}") };
        assert_eq!((&*call.method, &*call.payload), ("m", "p"));
        let reply =
            |value| Request::Data(livekit::DataPacket { value: Some(value), ..Default::default() });
        let request_id = call.id;
        bob.send(reply(data_packet::Value::RpcAck(livekit::RpcAck {
            request_id: request_id.clone(),
        })));
        let value = Some(livekit::rpc_response::Value::Payload("done".to_owned()));
        let response = livekit::RpcResponse { request_id, value };
        bob.send(reply(data_packet::Value::RpcResponse(response)));
    };
    let (done, ()) = tokio::join!(ask(&server, &project, "PerformRpc", perform), answer);
    assert_eq!(done.unwrap(), json!({"payload": "done"}));

    // Who can acknowledge a call has to; a client that cannot has all the time to answer.
    let carl = Guest::enter(&server, "r", &server.id_token(&project.id, "carl", &[])).await;
    for (identity, problem) in
        [("bob", "RpcError 1501: Connection timeout"), ("carl", "RpcError 1502: Response timeout")]
    {
        let perform = json!({"room": "r", "destinationIdentity": identity, "method": "m",
            "responseTimeoutMs": 1});
        let refused = ask(&server, &project, "PerformRpc", perform).await.unwrap_err();
        assert_eq!((&*refused.code, &*refused.message), ("canceled", problem));
    }
    drop((ann, bob, carl));
    server.stop().await;
}

fn say(guest: &Guest, message: Asks) {
    guest.send(Request::Signal(livekit::SignalRequest { message: Some(message) }));
}

async fn people_are_moved_and_shown_in_other_rooms(server: Server) {
    let project = server.project("moves").await;
    for room in ["here", "there"] {
        open_room(&server, &project, room).await;
        ask(&server, &project, "CreateRoom", json!({"name": room})).await.unwrap();
    }
    let mut ann = guest(&server, &project, "here", "ann").await;
    ann.wait_for(join).await;
    let forward = json!({"room": "here", "identity": "ann", "destinationRoom": "there"});
    ask(&server, &project, "ForwardParticipant", forward.clone()).await.unwrap();
    let mut bob = guest(&server, &project, "there", "bob").await;
    let others = bob.wait_for(join).await.other_participants;
    if others.is_empty() {
        bob.wait_for(news_of("ann")).await;
    }
    let shown = json!({"room": "there", "identity": "ann"});
    let shown = ask(&server, &project, "GetParticipant", shown).await.unwrap();
    assert_eq!(shown["kindDetails"], json!(["FORWARDED"]));

    ask(&server, &project, "MoveParticipant", forward.clone()).await.unwrap();
    let room = ann.wait_for(join).await.room.unwrap();
    assert_eq!(room.name, "there");
    assert!(identities(&server, &project, "here").await.is_empty());
    let mut there = identities(&server, &project, "there").await;
    there.sort();
    assert_eq!(there, ["ann", "bob"]);
    let refused = ask(&server, &project, "MoveParticipant", forward).await.unwrap_err();
    assert_eq!(refused.reason, "PARTICIPANT_NOT_FOUND");
    let same = json!({"room": "here", "identity": "ann", "destinationRoom": "here"});
    assert_eq!(
        ask(&server, &project, "MoveParticipant", same).await.unwrap_err().code,
        "invalid_argument"
    );
    drop((ann, bob));
    server.stop().await;
}

async fn tokens_say_what_somebody_is_and_which_room_they_make(server: Server) {
    let project = server.project("claims").await;
    let key = server.livekit_key(&project.id).await;
    let token = |preset: &str| {
        let claims = json!({"sub": "ann", "kind": "agent", "kindDetails": ["CLOUD_AGENT", "odd"],
            "roomConfig": {"agents": [{"agentName": "a", "metadata": "m"}]}, "roomPreset": preset,
            "video": {"roomJoin": true, "room": "r"}});
        server.livekit_token(&key, claims)
    };
    let validate = async || {
        let path = format!("/rtc/validate?access_token={}", token("p"));
        let reply = server.http.get(server.url(&path)).send().await.unwrap();
        (reply.status().as_u16(), reply.text().await.unwrap())
    };
    let unknown = "unknown room configuration in create room request";
    assert_eq!(validate().await, (400, unknown.to_owned()));
    let refused = Guest::try_enter(&server, "r", &token("p"), true).await.err().unwrap();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused:?}");
    assert!(ask(&server, &project, "ListRooms", json!({})).await.unwrap().get("rooms").is_none());
    let first = Guest::try_enter(&server, "r", &token(""), true).await.unwrap();
    // A room that is alive is as it is.
    assert_eq!(validate().await, (200, "success".to_owned()));
    let second = Guest::try_enter(&server, "r", &token("p"), true).await.unwrap();
    let person = json!({"room": "r", "identity": "ann"});
    let person = ask(&server, &project, "GetParticipant", person).await.unwrap();
    assert_eq!(
        (&person["kind"], &person["kindDetails"]),
        (&json!("AGENT"), &json!(["CLOUD_AGENT"]))
    );
    drop((first, second));
    server.stop().await;
}

async fn what_was_changed_about_somebody_goes_with_them(server: Server) {
    let project = server.project("changed").await;
    let key = server.livekit_key(&project.id).await;
    let video = json!({"roomJoin": true, "room": "here", "canUpdateOwnMetadata": true});
    let nobody = server.livekit_grant(&key, video.clone());
    let refused = Guest::try_enter(&server, "here", &nobody, true).await.err().unwrap();
    assert_eq!(refused.code(), tonic::Code::PermissionDenied, "a back end's token names nobody");
    let token = server.livekit_token(&key, json!({"sub": "ann", "name": "Ann", "video": video}));
    let mut ann = Guest::try_enter(&server, "here", &token, true).await.unwrap();
    ann.wait_for(join).await;
    ask(&server, &project, "CreateRoom", json!({"name": "there"})).await.unwrap();
    let update = json!({"room": "here", "identity": "ann", "metadata": "m",
        "attributes": {"a": "1"}, "permission": {"canSubscribe": true}});
    ask(&server, &project, "UpdateParticipant", update).await.unwrap();
    let to = json!({"room": "here", "identity": "ann", "destinationRoom": "there"});
    ask(&server, &project, "MoveParticipant", to).await.unwrap();
    let moved = ann.wait_for(join).await.participant.unwrap();
    assert_eq!((&*moved.name, &*moved.metadata), ("Ann", "m"));
    assert_eq!(moved.attributes["a"], "1");
    let permission = moved.permission.unwrap();
    let expected = livekit::ParticipantPermission { can_subscribe: true, ..Default::default() };
    assert_eq!(permission, expected, "what was taken away does not come back");
    drop(ann);
    server.stop().await;
}

async fn a_life_outlasts_the_server_and_ends_in_time(server: Server) {
    let project = server.project("restart").await;
    let kept = ask(&server, &project, "CreateRoom", json!({"name": "kept"})).await.unwrap();
    ask(&server, &project, "CreateRoom", json!({"name": "brief", "emptyTimeout": 1}))
        .await
        .unwrap();
    let store = server.store.clone();
    server.stop().await;
    let server = Server::start(&store).await;
    let names = async || {
        let listed = ask(&server, &project, "ListRooms", json!({})).await.unwrap();
        listed["rooms"].as_array().cloned().unwrap_or_default()
    };
    while names().await.len() > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(names().await, [kept]);
    server.stop().await;
}

on_both_servers!(
    a_room_lives_from_its_creation_to_its_end,
    whoever_is_in_the_room_is_a_participant,
    who_may_not_send_data_sends_no_events,
    a_long_name_is_a_name_for_everybody,
    tracks_data_and_calls_reach_their_participant,
    people_are_moved_and_shown_in_other_rooms,
    tokens_say_what_somebody_is_and_which_room_they_make,
    what_was_changed_about_somebody_goes_with_them,
    a_life_outlasts_the_server_and_ends_in_time,
);
