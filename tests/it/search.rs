//! Searching comments: what is found, by whom, in which order, and what cannot be made to happen by
//! what is searched for. The same on both databases.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::harness::{Project, Server};
use crate::on_both_servers;

struct World {
    server: Server,
    project: Project,
}

impl World {
    async fn new(server: Server, rooms: &[&str]) -> Self {
        let project = server.project("p").await;
        let world = Self { server, project };
        for room in rooms {
            world.send("POST", "/v2/rooms", json!({"id": room, "defaultAccesses": []})).await;
        }
        world
    }

    fn secret(&self) -> &str {
        self.project.secret.expose()
    }

    fn token(&self, scopes: &[&str]) -> String {
        self.server.access_token(&self.project.id, &[("r*", scopes)], 0)
    }

    async fn call(&self, verb: &str, path: &str, body: Value, bearer: &str) -> (u16, Value) {
        self.server.rest(bearer, verb, path, body).await
    }

    async fn send(&self, verb: &str, path: &str, body: Value) -> Value {
        let (status, reply) = self.call(verb, path, body, self.secret()).await;
        assert!(status < 300, "{verb} {path}: {status} {reply}");
        reply
    }

    /// A thread `th_{name}` whose comment is `cm_{name}`.
    async fn thread(&self, room: &str, name: &str, text: &str, more: Value) {
        let mut thread = json!({"id": format!("th_{name}"),
            "comment": {"id": format!("cm_{name}"), "userId": "ann", "body": says(text)}});
        thread.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.send("POST", &format!("/v2/rooms/{room}/threads"), thread).await;
    }

    async fn reply(&self, room: &str, thread: &str, name: &str, text: &str) {
        let path = format!("/v2/rooms/{room}/threads/th_{thread}/comments");
        let comment = json!({"id": format!("cm_{name}"), "userId": "bob", "body": says(text)});
        self.send("POST", &path, comment).await;
    }

    async fn search_as(&self, bearer: &str, path: &str, params: &[(&str, &str)]) -> (u16, Value) {
        let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let params = params.iter().map(|(name, value)| format!("{name}={}", encode(value)));
        let params = params.collect::<Vec<_>>().join("&");
        let path = format!("{path}/threads/comments/search?{params}");
        self.call("GET", &path, Value::Null, bearer).await
    }

    /// The names of the comments that are found in room `r`, in order.
    async fn found(&self, text: &str) -> Vec<String> {
        self.found_with(text, "").await
    }

    async fn found_with(&self, text: &str, query: &str) -> Vec<String> {
        let params = [("text", text), ("query", query), ("limit", "50")];
        let (status, reply) = self.search_as(self.secret(), "/v2/rooms/r", &params).await;
        assert_eq!(status, 200, "{text}: {reply}");
        names(&reply)
    }
}

fn says(text: &str) -> Value {
    let line = |line| json!({"type": "paragraph", "children": [{ "text": line }]});
    json!({"version": 1, "content": text.split('\n').map(line).collect::<Vec<_>>()})
}

fn names(reply: &Value) -> Vec<String> {
    let hits = reply["data"].as_array().unwrap().iter();
    hits.map(|hit| hit["commentId"].as_str().unwrap().replace("cm_", "")).collect()
}

async fn hits_have_the_form_that_clients_want(server: Server) {
    let world = World::new(server, &["r"]).await;
    world.thread("r", "a", "Look at <b>this</b> café\n& that", json!({})).await;
    let token = world.token(&["*:read"]);
    let (_, reply) =
        world.search_as(&token, "/v2/c/rooms/r", &[("text", "CAFE"), ("query", "")]).await;
    let hit = json!({"threadId": "th_a", "commentId": "cm_a",
        "content": "Look at <b>this</b> café & that",
        "html": "Look at &lt;b&gt;this&lt;/b&gt; <mark>café</mark> &amp; that"});
    assert_eq!(reply, json!({"data": [hit], "nextCursor": null}));
    for path in ["/v2", "/v2/c"] {
        let (_, reply) = world.search_as(&token, path, &[("text", "cafe")]).await;
        let mut hit = hit.clone();
        hit["roomId"] = json!("r");
        assert_eq!(reply, json!({"data": [hit], "nextCursor": null}));
    }
    let empty = json!({"data": [], "nextCursor": null});
    for text in ["nobody", "", " ?! "] {
        let (status, reply) = world.search_as(&token, "/v2/c/rooms/r", &[("text", text)]).await;
        assert_eq!((status, reply), (200, empty.clone()));
    }
    world.server.stop().await;
}

async fn words_are_found_however_they_are_written(server: Server) {
    let world = World::new(server, &["r", "other"]).await;
    world.thread("r", "fox", "The quick brown fox, isn't it?", json!({})).await;
    world.thread("r", "menu", "Crème brûlée\nfor 12€", json!({})).await;
    world.thread("r", "tokyo", "東京タワー and Σίσυφος", json!({})).await;
    world.thread("r", "long", &format!("{} end", "filler ".repeat(3_000)), json!({})).await;
    world.thread("other", "elsewhere", "the quick brown fox", json!({})).await;
    for (text, expected) in [
        ("quick", &["fox"][..]),
        ("QUICK   fo", &["fox"]),
        ("fox quick", &["fox"]),
        ("qui fox", &[]),
        ("isn't", &["fox"]),
        ("creme", &["menu"]),
        ("cre\u{300}me BRULEE", &["menu"]),
        ("brul", &["menu"]),
        ("12", &["menu"]),
        ("京", &["tokyo"]),
        ("東京", &["tokyo"]),
        ("ΣΙΣΥ", &["tokyo"]),
        ("fille", &["long"]),
        ("filler end", &["long"]),
        ("fillers", &[]),
        ("e", &["long"]),
        ("the", &["fox"]),
    ] {
        assert_eq!(world.found(text).await, expected, "{text}");
    }
    world.server.stop().await;
}

async fn what_is_searched_for_is_never_a_command(server: Server) {
    let world = World::new(server, &["r"]).await;
    world.thread("r", "a", "alpha beta near and or not words rowid", json!({})).await;
    world.thread("r", "hidden", "omega", json!({"visibility": "private"})).await;
    let token = world.token(&["*:read", "comments:private:none"]);
    for text in [
        "\"",
        "'",
        "''",
        "\"\"",
        "\"alpha",
        "alpha\"",
        "' OR 1=1 --",
        "'); DROP TABLE comment; --",
        "\\",
        "\\'",
        "*",
        "%",
        "_",
        "(",
        ")",
        "((alpha",
        "alpha))",
        "^",
        ":",
        "words:",
        "-",
        "+",
        "{",
        "}",
        "alpha*",
        "al*pha",
        "!alpha",
        "alpha | omega",
        "alpha & !beta",
        "<->",
        "alpha:*",
        "NEAR(alpha beta)",
        "alpha AND",
        "NOT alpha",
        "alpha OR omega",
        "rowid:1",
        "words:omega",
        "^omega",
        "-alpha omega",
        "{words}:omega",
        "\u{E000}r",
        "\u{E000}q70",
        "\u{E001}om",
        "\u{FEFF}\u{202E}alpha",
        "😀",
        "\n\t",
        "omega",
    ] {
        let (status, reply) = world.search_as(&token, "/v2/c/rooms/r", &[("text", text)]).await;
        assert_eq!(status, 200, "{text:?}: {reply}");
        let found = names(&reply);
        assert!(found.is_empty() || found == ["a"], "{text:?} finds {found:?}");
        let (status, reply) = world.search_as(&token, "/v2/c", &[("text", text)]).await;
        assert_eq!(status, 200, "{text:?}: {reply}");
        assert!(!names(&reply).contains(&"hidden".to_owned()), "{text:?}");
    }
    assert_eq!(world.found("near and or not").await, ["a"]);
    assert_eq!(world.found("omega").await, ["hidden"]);
    for (name, value) in [
        ("text", "nul\0"),
        ("query", "threadResolved:1"),
        ("query", "' OR 1=1"),
        ("limit", "51"),
        ("limit", "0"),
        ("cursor", "x"),
    ] {
        let params = [("text", "alpha"), (name, value)];
        let params = if name == "text" { &params[1..] } else { &params[..] };
        let (status, reply) = world.search_as(&token, "/v2/c/rooms/r", params).await;
        assert_eq!(status, 422, "{name}={value:?}: {reply}");
    }
    world.server.stop().await;
}

async fn everybody_finds_what_they_may_read(server: Server) {
    let world = World::new(server, &["r1", "r2", "closed"]).await;
    for room in ["r1", "r2", "closed"] {
        world.thread(room, &format!("{room}public"), "word", json!({})).await;
        let private = json!({"visibility": "private"});
        world.thread(room, &format!("{room}private"), "word", private).await;
    }
    let (public_only, both, private_only, none) = (
        world.token(&["*:read", "comments:private:none"]),
        world.token(&["*:read"]),
        world.token(&["*:read", "comments:public:none"]),
        world.token(&["*:read", "comments:none"]),
    );
    let text = [("text", "word")];
    for (bearer, in_room, in_project) in [
        (&public_only, &["r1public"][..], &["r2public", "r1public"][..]),
        (&both, &["r1private", "r1public"], &["r2private", "r2public", "r1private", "r1public"]),
        (&private_only, &["r1private"], &["r2private", "r1private"]),
        (&none, &[], &[]),
    ] {
        for path in ["/v2/rooms/r1", "/v2/c/rooms/r1"] {
            let (status, reply) = world.search_as(bearer, path, &text).await;
            match bearer == &none {
                true => {
                    assert_eq!((status, &reply["error"]), (403, &json!("UNAUTHORIZED_ROOM_ACCESS")))
                }
                false => assert_eq!(names(&reply), in_room),
            }
        }
        let (_, reply) = world.search_as(bearer, "/v2/c", &text).await;
        assert_eq!(names(&reply), in_project);
        let (status, _) = world.search_as(bearer, "/v2/rooms/closed", &text).await;
        assert_eq!(status, 404);
        for room in ["closed", "nobody"] {
            let query = format!("roomId:'{room}'");
            let params = [("text", "word"), ("query", query.as_str())];
            let (_, reply) = world.search_as(bearer, "/v2", &params).await;
            assert_eq!(names(&reply).len(), 0);
        }
    }
    let (_, reply) = world.search_as(world.secret(), "/v2", &text).await;
    assert_eq!(names(&reply).len(), 6);
    let params = [("text", "word"), ("query", "roomId:'r2'")];
    let (_, reply) = world.search_as(&both, "/v2", &params).await;
    assert_eq!(names(&reply), ["r2private", "r2public"]);
    assert_eq!(reply["data"][0]["roomId"], "r2");
    let stranger = world.server.project("q").await;
    let (_, reply) = world.search_as(stranger.secret.expose(), "/v2", &text).await;
    assert_eq!(names(&reply).len(), 0);
    let public = world.project.public.expose();
    let (status, _) = world.search_as(public, "/v2/c", &text).await;
    assert_eq!(status, 401);
    world.server.stop().await;
}

async fn changes_are_found_at_once(server: Server) {
    let world = World::new(server, &["r", "gone"]).await;
    world.thread("r", "a", "first draft", json!({})).await;
    world.reply("r", "a", "b", "second draft").await;
    assert_eq!(world.found("draft").await, ["b", "a"]);
    let comment = "/v2/rooms/r/threads/th_a/comments/cm_a";
    world.send("POST", comment, json!({"body": says("final words")})).await;
    assert_eq!(world.found("draft").await, ["b"]);
    assert_eq!(world.found("final").await, ["a"]);
    world.send("DELETE", comment, Value::Null).await;
    assert_eq!(world.found("final").await, Vec::<String>::new());
    world.send("DELETE", "/v2/rooms/r/threads/th_a/comments/cm_b", Value::Null).await;
    assert_eq!(world.found("draft").await, Vec::<String>::new());

    world.thread("gone", "c", "unique", json!({})).await;
    let search =
        async || names(&world.search_as(world.secret(), "/v2", &[("text", "unique")]).await.1);
    assert_eq!(search().await, ["c"]);
    world.send("POST", "/v2/rooms/gone/update-room-id", json!({"newRoomId": "r2"})).await;
    let (_, reply) = world.search_as(world.secret(), "/v2", &[("text", "unique")]).await;
    assert_eq!(reply["data"][0]["roomId"], "r2");
    world.send("DELETE", "/v2/rooms/r2", Value::Null).await;
    assert_eq!(search().await, Vec::<String>::new());
    world.server.stop().await;
}

async fn filters_leave_out_the_rest(server: Server) {
    let world = World::new(server, &["r"]).await;
    world.thread("r", "red", "word", json!({"metadata": {"color": "red", "n": 1}})).await;
    world.thread("r", "blue", "word", json!({"metadata": {"color": "blue", "n": 2}})).await;
    let mention = json!({"type": "mention", "kind": "user", "id": "bob"});
    let body = json!({"version": 1, "content": [{"type": "paragraph", "children":
        [{"text": "word "}, mention]}]});
    let comment = json!({"id": "cm_mention", "userId": "ann", "body": body});
    world.send("POST", "/v2/rooms/r/threads/th_red/comments", comment).await;
    for (query, expected) in [
        ("hasMentions:true", &["mention"][..]),
        ("hasMentions:false", &["blue", "red"]),
        ("hasAttachments:true", &[]),
        ("hasAttachments:false hasMentions:false", &["blue", "red"]),
        ("threadResolved:true", &[]),
        ("threadResolved:false threadMetadata['n']<2 hasMentions:false", &["red"]),
        ("threadMetadata[\"color\"]:\"blue\"", &["blue"]),
        ("threadMetadata['color']^'re' hasMentions:true", &["mention"]),
        ("roomId:'r' hasMentions:true", &["mention"]),
        ("roomId:'s'", &[]),
    ] {
        assert_eq!(world.found_with("word", query).await, expected, "{query}");
    }
    world.server.stop().await;
}

async fn the_best_of_the_newest_come_first_page_by_page(server: Server) {
    let world = World::new(server, &["r"]).await;
    world.thread("r", "start", "needle in a heap", json!({})).await;
    for number in 0..510 {
        let text = match number {
            7 => "needle needle needle",
            _ if number % 100 == 0 => "nothing of the kind",
            _ => "a needle with something else around it",
        };
        world.reply("r", "start", &format!("{number:03}"), text).await;
    }
    let (mut found, mut pages, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let params = [("text", "needle"), ("limit", "50"), ("cursor", cursor.as_str())];
        let (status, reply) = world.search_as(world.secret(), "/v2/rooms/r", &params).await;
        assert_eq!(status, 200, "{reply}");
        found.extend(names(&reply));
        pages += 1;
        match reply["nextCursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    // 505 match: the newest 500 in their order, then the oldest five.
    assert_eq!((found.len(), pages), (505, 11));
    assert_eq!(found[..3], ["007", "509", "508"].map(str::to_owned));
    assert_eq!(found[500..], ["start", "004", "003", "002", "001"].map(str::to_owned));
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 505);
    world.server.stop().await;
}

on_both_servers!(
    hits_have_the_form_that_clients_want,
    words_are_found_however_they_are_written,
    what_is_searched_for_is_never_a_command,
    everybody_finds_what_they_may_read,
    changes_are_found_at_once,
    filters_leave_out_the_rest,
    the_best_of_the_newest_come_first_page_by_page,
);
