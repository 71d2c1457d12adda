//! The calls of a plan: whatever anybody is told is held against what they may know.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::Server;
use crate::visibility_listeners::{Listener, end_of};
use crate::visibility_model::{
    ANN, ANNS, BACK_END, Epoch, Model, ROOMS, Rights, Thread, USERS, is_private, markers, nobodys,
};

#[derive(Debug, Clone)]
pub struct Call {
    verb: &'static str,
    pub path: String,
    body: String,
}

impl Call {
    pub fn get(path: String) -> Self {
        Self { verb: "GET", path, body: String::new() }
    }

    pub fn post(path: String, body: &Value) -> Self {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        Self { verb: "POST", path, body }
    }

    pub fn delete(path: String) -> Self {
        Self { verb: "DELETE", path, body: String::new() }
    }

    pub fn upload(path: String, content: String) -> Self {
        Self { verb: "PUT", path, body: content }
    }

    /// The same about what never was.
    fn about_nobodys(&self, marker: &str) -> Self {
        let renamed = |text: &str| text.replace(marker, &nobodys(marker));
        Self { verb: self.verb, path: renamed(&self.path), body: renamed(&self.body) }
    }
}

pub struct Answer {
    pub status: u16,
    head: String,
    pub text: String,
}

impl Answer {
    pub fn is_fine(&self) -> bool {
        self.status < 300
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

/// What is to become of a call about a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// The caller sees the thread, and may not do this.
    Refused,
    /// The same as if the thread had never been.
    NotThere,
}

/// What the next poll of a room asks for, and what it is to tell at least.
#[derive(Clone)]
pub struct Poll {
    pub since: String,
    pub changed: BTreeSet<String>,
}

pub struct World<'a> {
    pub server: &'a Server,
    pub model: Model,
    pub polls: [[Poll; ROOMS.len()]; USERS.len()],
    bearers: Vec<String>,
    listeners: Vec<Listener>,
    log: Vec<String>,
}

impl<'a> World<'a> {
    /// Two rooms of a project of their own, with everybody in both of them.
    pub async fn new(server: &'a Server, name: &str) -> Self {
        let (project, model) = (server.project(name).await, Model::new());
        let mut bearers: Vec<String> =
            USERS[..ANN].iter().map(|user| server.id_token(&project.id, user, &[])).collect();
        bearers.push(server.access_token(&project.id, &ANNS, 0));
        bearers.push(project.secret.expose().to_owned());
        let poll = Poll { since: "2020-01-01T00:00:00.000Z".to_owned(), changed: BTreeSet::new() };
        let polls = std::array::from_fn(|_| std::array::from_fn(|_| poll.clone()));
        let (listeners, log) = (Vec::new(), Vec::new());
        let mut world = Self { server, model, polls, bearers, listeners, log };
        world.furnish().await;
        world
    }

    async fn furnish(&mut self) {
        for (room, id) in ROOMS.iter().enumerate() {
            let own = |user: usize| match user {
                // Her inbox is filled as the room has it, and read as her token has it.
                ANN => json!(["*:write"]),
                _ => self.model.rights(user, room).accesses(),
            };
            let users: serde_json::Map<String, Value> =
                (0..USERS.len()).map(|user| (USERS[user].to_owned(), own(user))).collect();
            let made = json!({"id": id, "defaultAccesses": [], "usersAccesses": users});
            self.back_end(&Call::post("/v2/rooms".to_owned(), &made)).await;
        }
        let crew = json!({"id": "crew", "memberIds": USERS});
        self.back_end(&Call::post("/v2/groups".to_owned(), &crew)).await;
        for room in 0..ROOMS.len() {
            for user in 0..USERS.len() {
                let socket = Listener::socket(self.server, &self.bearers[user], (user, room));
                self.listeners.push(socket.await);
            }
        }
        let stream = Listener::stream(self.server, &self.bearers[0], (0, 0));
        self.listeners.push(stream.await);
    }

    /// What is wrong, and all that was changed before.
    pub fn fail(&self, problem: &str) -> ! {
        let changes = self.log.iter().filter(|line| !line.contains(": GET "));
        let changes: Vec<&str> = changes.map(String::as_str).collect();
        panic!("{problem}\n\nBefore:\n{}", changes.join("\n"))
    }

    async fn send(&self, caller: usize, call: &Call) -> Answer {
        let (bearer, user) = (&self.bearers[caller], USERS.get(caller).unwrap_or(&"-"));
        let url = self.server.url(&call.path);
        let request = self.server.http.request(call.verb.parse().unwrap(), url);
        let request = request.header("authorization", format!("Bearer {bearer}"));
        // Where livechat wants the same.
        let mut request = request.header("x-auth-token", bearer).header("x-user-id", *user);
        if !call.body.is_empty() {
            let is_file = call.verb == "PUT";
            let kind = if is_file { "application/octet-stream" } else { "application/json" };
            request = request.header("content-type", kind).body(call.body.clone());
        }
        let response = request.send().await.unwrap();
        let (status, head) = (response.status().as_u16(), format!("{:?}", response.headers()));
        Answer { status, head, text: response.text().await.unwrap() }
    }

    /// Makes a call, and looks at whether its answer tells more than the caller may know. A refusal
    /// may repeat what the call said.
    pub async fn ask(&mut self, caller: usize, call: &Call) -> Answer {
        let answer = self.send(caller, call).await;
        let who = USERS.get(caller).unwrap_or(&"the back end");
        let Call { verb, path, body } = call;
        self.log.push(format!("{who}: {verb} {path} {body} -> {}", answer.status));
        if answer.status >= 500 {
            self.fail(&format!("{who}: {verb} {path} fails: {}", answer.text));
        }
        let said =
            if answer.is_fine() { BTreeSet::new() } else { markers(&format!("{path}{body}")) };
        for marker in markers(&answer.head).union(&markers(&answer.text)) {
            if !said.contains(marker) && !self.model.may_know(caller, marker) {
                let text = &answer.text;
                self.fail(&format!(
                    "{who} may not know of {marker}, but {verb} {path} says: {text}"
                ));
            }
        }
        answer
    }

    /// As the back end, which may do everything.
    pub async fn back_end(&mut self, call: &Call) -> Answer {
        let answer = self.ask(BACK_END, call).await;
        if !answer.is_fine() {
            self.fail(&format!("{} is refused: {}", call.path, answer.text));
        }
        answer
    }

    /// Makes a call about a thread, and looks at what becomes of it. Unless it is done, nothing of
    /// the thread may change.
    pub async fn about(
        &mut self,
        caller: usize,
        call: &Call,
        (thread, outcome): (usize, Outcome),
    ) -> Answer {
        if outcome == Outcome::Done {
            let answer = self.ask(caller, call).await;
            if !answer.is_fine() {
                self.fail(&format!("this should be done: {}", answer.text));
            }
            return answer;
        }
        // Who only asks for something changes nothing.
        let is_change = call.verb != "GET";
        let before = if is_change { self.whole(thread).await } else { String::new() };
        let answer = self.ask(caller, call).await;
        if outcome == Outcome::Refused && answer.is_fine() {
            self.fail(&format!("this should be refused: {}", answer.text));
        }
        if outcome == Outcome::NotThere {
            let marker = self.model.threads[thread].marker.clone();
            let nothing = self.ask(caller, &call.about_nobodys(&marker)).await;
            let expected = (nothing.status, nothing.text);
            if (answer.status, answer.text.replace(&marker, &nobodys(&marker))) != expected {
                let found = (answer.status, &answer.text);
                self.fail(&format!(
                    "{marker} is told from what never was, {expected:?}: {found:?}"
                ));
            }
        }
        let after = if is_change { self.whole(thread).await } else { String::new() };
        if before != after {
            self.fail(&format!("nothing was to change:\n{before}\n{after}"));
        }
        answer
    }

    /// All that there is of a thread, as the back end sees it.
    pub async fn whole(&self, thread: usize) -> String {
        let Thread { room, ref marker, .. } = self.model.threads[thread];
        let path = format!("/v2/rooms/{}/threads/th_{marker}", ROOMS[room]);
        let mut whole = String::new();
        for part in ["", "/subscriptions", "/inbox-notifications"] {
            let answer = self.send(BACK_END, &Call::get(format!("{path}{part}"))).await;
            whole.push_str(&answer.text);
            whole.push('\n');
        }
        whole
    }

    /// Something happened in a thread that those who are in the room are to hear of.
    pub fn tell(&mut self, thread: usize) {
        self.model.tell(thread);
        let thread = &self.model.threads[thread];
        for polls in &mut self.polls {
            polls[thread.room].changed.insert(thread.marker.clone());
        }
    }

    /// Gives a user other rights in a room.
    pub async fn change_rights(&mut self, user: usize, room: usize, rights: Rights) {
        let accesses = json!({"usersAccesses": {USERS[user]: rights.accesses()}});
        self.back_end(&Call::post(format!("/v2/rooms/{}", ROOMS[room]), &accesses)).await;
        self.end_epoch(room).await;
        self.model.change_rights(user, room, rights);
    }

    /// Tells those in the room where what happened before ends.
    async fn end_epoch(&mut self, room: usize) {
        let epoch = self.model.epochs[room].len() - 1;
        let event = json!(end_of(epoch));
        self.back_end(&Call::post(format!("/v2/rooms/{}/broadcast_event", ROOMS[room]), &event))
            .await;
    }

    /// Holds what everybody heard in the rooms against what they could read at that time.
    pub async fn listen(mut self) {
        for room in 0..ROOMS.len() {
            self.end_epoch(room).await;
        }
        for mut listener in std::mem::take(&mut self.listeners) {
            if self.hear_out(&mut listener).await {
                listener.close().await;
            }
        }
    }

    /// Whether the listener is in the room to the end, as all are but those who are put out.
    async fn hear_out(&self, listener: &mut Listener) -> bool {
        let (user, room) = (listener.user, listener.room);
        let epochs = &self.model.epochs[room];
        for (number, epoch) in epochs.iter().enumerate() {
            let (heard, is_over) = listener.hear(number).await;
            let told = epoch.told.iter();
            let rights = epoch.rights[user];
            let expected: BTreeSet<String> =
                told.filter(|marker| rights.may_read(is_private(marker))).cloned().collect();
            let (who, place) = (USERS[user], ROOMS[room]);
            if heard != expected {
                self.fail(&format!("{who} in {place} was to hear of {expected:?}: {heard:?}"));
            }
            if is_over {
                let is_put_out = |next: &Epoch| !next.rights[user].is_member;
                assert!(epochs.get(number + 1).is_some_and(is_put_out), "{who} in {place}");
                return false;
            }
        }
        true
    }
}
