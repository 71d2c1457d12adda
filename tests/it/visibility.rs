//! Every way to read threads, for users who see public ones, private ones, both or none.

use serde_json::{Value, json};

use crate::harness::{Project, Server};
use crate::on_both_servers;
use crate::protocols::{Protocol, call};
use crate::websocket_client::Client;

/// A user, and whether they see public and private threads.
const USERS: [(&str, bool, bool); 4] =
    [("open", true, false), ("shut", false, true), ("both", true, true), ("none", false, false)];

const THREADS: [(&str, &str); 2] = [("th_public", "public"), ("th_private", "private")];

/// Lists: the path, and how the threads in the answer are reached.
const LISTS: [(&str, &str); 7] = [
    ("/v2/rooms/r/threads", "/data"),
    ("/v2/c/rooms/r/threads", "/data"),
    ("/v2/c/rooms/r/threads?query=resolved:false", "/data"),
    ("/v2/c/rooms/r/threads?query=metadata%5B'k'%5D:'v'", "/data"),
    ("/v2/c/rooms/r/threads/delta?since=2020-01-01T00:00:00.000Z", "/data"),
    ("/v2/c/threads", "/threads"),
    ("/v2/c/threads/delta?since=2020-01-01T00:00:00.000Z", "/threads"),
];

/// Single ones: the path behind the thread's id, and what stands before it.
const SINGLES: [(&str, &str); 4] = [
    ("/v2/rooms/r/threads/", ""),
    ("/v2/c/rooms/r/thread-with-notification/", ""),
    ("/v2/rooms/r/threads/", "/participants"),
    ("/v2/rooms/r/threads/", "/comments/cm_"),
];

struct World {
    server: Server,
    project: Project,
}

impl World {
    async fn new(server: Server) -> Self {
        let world = Self { project: server.project("p").await, server };
        let room = json!({"id": "r", "defaultAccesses": ["*:write"], "usersAccesses": {
            "open": ["*:write", "comments:private:none"],
            "shut": ["*:write", "comments:public:none"],
            "none": ["*:write", "comments:none"]}});
        let create = "roomd.v1.RoomService/CreateRoom";
        let secret = Some(world.project.secret.expose());
        call(&world.server, Protocol::ConnectJson, create, &room, secret).await.unwrap();
        world
    }

    fn token(&self, user: &str) -> String {
        self.server.id_token(&self.project.id, user, &[])
    }

    async fn rest(&self, bearer: &str, verb: &str, path: &str, body: Value) -> (u16, Value) {
        self.server.rest(bearer, verb, path, body).await
    }

    async fn secret(&self, verb: &str, path: &str, body: Value) -> Value {
        let (status, reply) = self.rest(self.project.secret.expose(), verb, path, body).await;
        assert!(status < 300, "{verb} {path}: {status} {reply}");
        reply
    }

    async fn join(&self, user: &str) -> Client {
        let path = format!("/v8?roomId=r&tok={}&version=3.24.2", self.token(user));
        let mut client = Client::open(self.server.address, &path).await;
        assert_eq!(client.json().await["type"], 104);
        client
    }

    /// A thread of each visibility, in which everybody is named.
    async fn two_threads(&self) {
        for (id, visibility) in THREADS {
            let mentions: Vec<Value> = USERS
                .iter()
                .map(|(user, ..)| json!({"type": "mention", "kind": "user", "id": user}))
                .collect();
            let body = json!({"version": 1,
                "content": [{"type": "paragraph", "children": mentions}]});
            let thread = json!({"id": id, "visibility": visibility, "metadata": {"k": "v"},
                "comment": {"id": "cm_x".replace('x', visibility), "userId": "ann", "body": body}});
            self.secret("POST", "/v2/rooms/r/threads", thread).await;
            // As somebody who could see it once.
            for (user, ..) in USERS {
                let path = format!("/v2/rooms/r/threads/{id}/subscribe");
                self.secret("POST", &path, json!({ "userId": user })).await;
            }
        }
    }
}

fn is_seen((_, public, private): (&str, bool, bool), visibility: &str) -> bool {
    if visibility == "public" { public } else { private }
}

async fn every_way_to_read_shows_what_the_reader_may_see(server: Server) {
    let world = World::new(server).await;
    world.two_threads().await;
    for user in USERS {
        let token = world.token(user.0);
        for (path, place) in LISTS {
            let (status, reply) = world.rest(&token, "GET", path, Value::Null).await;
            if user.0 == "none" && path.contains("/rooms/") {
                assert_eq!(status, 403, "{user:?} {path}: {reply}");
                continue;
            }
            assert_eq!(status, 200, "{user:?} {path}: {reply}");
            let found = reply.pointer(place).unwrap().as_array().unwrap();
            let mut ids: Vec<&str> =
                found.iter().map(|thread| thread["id"].as_str().unwrap()).collect();
            ids.sort_unstable();
            let mut expected: Vec<&str> = THREADS
                .iter()
                .filter(|(_, visibility)| is_seen(user, visibility))
                .map(|(id, _)| *id)
                .collect();
            expected.sort_unstable();
            assert_eq!(ids, expected, "{user:?} {path}");
            for (id, visibility) in THREADS {
                let told = reply.to_string().contains(id);
                assert_eq!(told, is_seen(user, visibility), "{user:?} {path}: {reply}");
            }
        }
        for (before, behind) in SINGLES {
            for (id, visibility) in THREADS {
                let end = if behind.ends_with('_') { visibility } else { "" };
                let path = format!("{before}{id}{behind}{end}");
                let (status, reply) = world.rest(&token, "GET", &path, Value::Null).await;
                let expected = match (user.0, is_seen(user, visibility)) {
                    ("none", _) => 403,
                    (_, true) => 200,
                    (_, false) => 404,
                };
                assert_eq!(status, expected, "{user:?} {path}: {reply}");
            }
        }
    }
    world.server.stop().await;
}

async fn only_who_may_see_a_thread_hears_of_it(server: Server) {
    let world = World::new(server).await;
    let mut clients = Vec::new();
    for user in USERS {
        clients.push((user, world.join(user.0).await));
    }
    world.two_threads().await;
    for (id, _) in THREADS {
        let path = format!("/v2/rooms/r/threads/{id}");
        let user = || json!({"userId": "ann"});
        world.secret("POST", &format!("{path}/mark-as-resolved"), user()).await;
        let patch = json!({"userId": "ann", "metadata": {"k": "w"}});
        world.secret("POST", &format!("{path}/metadata"), patch).await;
        world.secret("DELETE", &path, Value::Null).await;
    }
    // Room events keep their order, so what comes before this is all there was.
    world.secret("POST", "/v2/rooms/r/broadcast_event", json!({"the": "end"})).await;
    for (user, mut client) in clients {
        let mut heard: Vec<(i64, String)> = Vec::new();
        loop {
            let message = client.json().await;
            match message["type"].as_i64().unwrap() {
                103 => break,
                kind @ 400..=409 => {
                    heard.push((kind, message["threadId"].as_str().unwrap().to_owned()));
                }
                _ => {}
            }
        }
        let mut expected = Vec::new();
        let seen = THREADS.iter().filter(|(_, visibility)| is_seen(user, visibility));
        let seen: Vec<&str> = seen.map(|(id, _)| *id).collect();
        for kinds in [&[400, 402][..], &[408, 401, 407]] {
            for id in &seen {
                expected.extend(kinds.iter().map(|kind| (*kind, (*id).to_owned())));
            }
        }
        assert_eq!(heard, expected, "{user:?}");
    }
    world.server.stop().await;
}

on_both_servers!(
    every_way_to_read_shows_what_the_reader_may_see,
    only_who_may_see_a_thread_hears_of_it,
);
