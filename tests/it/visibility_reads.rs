//! The steps of a plan that read. Lists are held against the model: they show what their reader may
//! see, and no less.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::visibility_model::{BACK_END, ROOMS, Thread, USERS, markers};
use crate::visibility_step::Step;
use crate::visibility_world::{Call, Outcome, World};

pub const LONG_AGO: &str = "2020-01-01T00:00:00.000Z";
/// Lists of a room's threads, whose readers see the threads that are there.
const LISTS: [&str; 8] = [
    "/v2/rooms/{}/threads",
    "/v2/c/rooms/{}/threads",
    "/v2/c/rooms/{}/threads?query=metadata%5B'k'%5D%5E''",
    "/v2/rooms/{}/messages?count=100",
    "/api/v1/livechat/messages/{}?count=100",
    "/v2/rooms/{}/messages?count=100&searchTerm=word",
    "/v2/rooms/{}/threads/comments/search?text=word&limit=50",
    "/v2/c/rooms/{}/threads/comments/search?text=word&limit=50",
];

impl World<'_> {
    /// A thread, or one of its parts.
    pub async fn read(&mut self, step: &Step, thread: usize) {
        let comment = &self.model.threads[thread].comments[self.pick(step, thread)].id;
        let Thread { room, ref marker, .. } = self.model.threads[thread];
        let room = if step.is_astray { 1 - room } else { room };
        let path = match step.other % 6 {
            0 => format!("/v2/c/rooms/{}/thread-with-notification/th_{marker}", ROOMS[room]),
            1 => self.place_in("/v2", step, thread, ""),
            2 => self.place_in("/v2", step, thread, &format!("/comments/{comment}")),
            3 => self.place_in("/v2", step, thread, "/participants"),
            4 => self.place_in("/v2", step, thread, "/subscriptions"),
            _ => self.place_in("/v2", step, thread, "/inbox-notifications"),
        };
        // What others were told of is the back end's business.
        let may = step.other % 6 != 5 || step.caller == BACK_END;
        let outcome = self.outcome(step, thread, may);
        self.about(step.caller, &Call::get(path), (thread, outcome)).await;
    }

    /// A file of the thread: what is known of it, an address of it, and what is in it.
    pub async fn read_file(&mut self, step: &Step, thread: usize) {
        let Thread { room, ref marker, ref comments, .. } = self.model.threads[thread];
        let content = format!("in {marker}");
        let files =
            comments.iter().filter_map(|comment| Some((comment.file.clone()?, comment.is_there)));
        let Some((file, is_there)) = files.max_by_key(|(_, is_there)| *is_there) else { return };
        let room = ROOMS[if step.is_astray { 1 - room } else { room }];
        let outcome = match self.outcome(step, thread, true) {
            Outcome::Done if is_there => Outcome::Done,
            // A file that is gone is as one that never was.
            _ => Outcome::NotThere,
        };
        let call = if step.flag {
            Call::get(format!("/v2/rooms/{room}/attachments/{file}"))
        } else {
            let path = format!("/v2/c/rooms/{room}/attachments/presigned-urls");
            Call::post(path, &json!({"attachmentIds": [file]}))
        };
        let answer = self.about(step.caller, &call, (thread, outcome)).await.json();
        let url = if step.flag { &answer["url"] } else { &answer["urls"][0] };
        match (url.as_str(), outcome) {
            (Some(url), Outcome::Done) => {
                let path = url.strip_prefix(&self.server.url("")).expect("an address of ours");
                let found = self.ask(step.caller, &Call::get(path.to_owned())).await;
                assert_eq!(found.text, content);
            }
            (None, Outcome::NotThere) => {}
            _ => self.fail(&format!("{file} is {outcome:?} in {answer}")),
        }
    }

    /// The answer to a reader, with exactly these threads.
    pub async fn list(&mut self, caller: usize, call: &Call, expected: &BTreeSet<String>) -> Value {
        let answer = self.ask(caller, call).await;
        if !answer.is_fine() || markers(&answer.text) != *expected {
            let text = &answer.text;
            self.fail(&format!("{} is to show {expected:?}: {text}", call.path));
        }
        answer.json()
    }

    /// As [`World::list`], of a room, whose lists are refused to who may read nothing.
    async fn list_room(
        &mut self,
        caller: usize,
        room: usize,
        call: &Call,
        expected: &BTreeSet<String>,
    ) {
        if !self.model.is_shut_out(caller, room) {
            self.list(caller, call, expected).await;
        } else if self.ask(caller, call).await.is_fine() {
            self.fail(&format!("{} is for nobody who may read nothing", call.path));
        }
    }

    pub async fn list_threads(&mut self, step: &Step) {
        let (caller, room) = (step.caller, step.which % ROOMS.len());
        let known = self.model.known(caller, Some(room), false);
        match step.other % (LISTS.len() + 3) {
            0 => {
                let rpc = "/roomd.v1.LivechatService/ListMessages";
                let request = json!({"rid": ROOMS[room], "count": 100});
                self.list_room(caller, room, &Call::post(rpc.to_owned(), &request), &known).await;
            }
            1 => {
                let path =
                    format!("/v2/rooms/{}/threads?query=resolved:{}", ROOMS[room], step.flag);
                let threads = self.model.threads.iter().filter(|one| one.is_resolved == step.flag);
                let these: BTreeSet<String> = threads.map(|one| one.marker.clone()).collect();
                let expected = known.intersection(&these).cloned().collect();
                self.list_room(caller, room, &Call::get(path), &expected).await;
            }
            2 => {
                let all = self.model.known(caller, None, false);
                let path = "/v2/c/threads/comments/search?text=word&limit=50".to_owned();
                self.list(caller, &Call::get(path), &all).await;
            }
            list => {
                let path = LISTS[list - 3].replace("{}", ROOMS[room]);
                self.list_room(caller, room, &Call::get(path), &known).await;
            }
        }
    }

    /// Searches for what is written in one thread only.
    pub async fn search(&mut self, step: &Step, thread: usize) {
        let Thread { room, ref marker, .. } = self.model.threads[thread];
        let is_seen = self.model.sees(step.caller, thread);
        let expected: BTreeSet<String> = is_seen.then(|| marker.clone()).into_iter().collect();
        let query = format!("threads/comments/search?text={marker}&limit=50");
        if step.flag {
            let path = format!("/v2/threads/comments/search?{}", query.split_once('?').unwrap().1);
            self.list(step.caller, &Call::get(path), &expected).await;
        } else {
            let call = Call::get(format!("/v2/rooms/{}/{query}", ROOMS[room]));
            self.list_room(step.caller, room, &call, &expected).await;
        }
    }

    /// Asks for what changed since the last time, as browsers do.
    pub async fn poll(&mut self, user: usize, room: usize) {
        let poll = &mut self.polls[user][room];
        let changed = std::mem::take(&mut poll.changed);
        let path = format!("/v2/c/rooms/{}/threads/delta?since={}", ROOMS[room], poll.since);
        let answer = self.ask(user, &Call::get(path)).await;
        if self.model.is_shut_out(user, room) {
            assert!(!answer.is_fine(), "{}", answer.text);
            return;
        }
        let expected = self.model.only_known(user, &changed);
        if !answer.is_fine() || !markers(&answer.text).is_superset(&expected) {
            self.fail(&format!("the poll is to tell of {expected:?}: {}", answer.text));
        }
        let since = &answer.json()["meta"]["requestedAt"];
        self.polls[user][room].since = since.as_str().unwrap().to_owned();
    }

    /// Everything that ever changed.
    async fn poll_all(&mut self, user: usize, room: usize) {
        let known = self.model.known(user, Some(room), true);
        let path = format!("/v2/c/rooms/{}/threads/delta?since={LONG_AGO}", ROOMS[room]);
        self.list_room(user, room, &Call::get(path), &known).await;
    }

    /// Whether everybody sees in the end what they may see: a third of the lists, what changed, the
    /// inbox, what they follow, and every thread and file.
    pub async fn survey(&mut self) {
        let followers = self.followers().await;
        for user in 0..USERS.len() {
            for room in 0..ROOMS.len() {
                for list in (user..LISTS.len() + 3).step_by(3) {
                    let step = Step { which: room, other: list, ..Step::of(user) };
                    self.list_threads(&step).await;
                }
                self.poll(user, room).await;
                self.poll_all(user, room).await;
                self.see_files(user, room).await;
            }
            self.read_inbox(user).await;
            let known = self.model.known(user, None, false);
            let followed = known.intersection(&followers[user]).cloned().collect();
            self.list(user, &Call::get("/v2/c/threads".to_owned()), &followed).await;
            for thread in 0..self.model.threads.len() {
                let path = self.place_in("/v2", &Step::of(user), thread, "");
                let answer = self.ask(user, &Call::get(path)).await;
                if answer.is_fine() != self.model.sees(user, thread) {
                    self.fail(&format!("{} gets {}", USERS[user], answer.text));
                }
            }
        }
    }

    /// The threads that each user follows, whether they may read them or not.
    async fn followers(&mut self) -> [BTreeSet<String>; USERS.len()] {
        let mut followed = std::array::from_fn(|_| BTreeSet::new());
        for thread in 0..self.model.threads.len() {
            if !self.model.sees(BACK_END, thread) {
                continue;
            }
            let path = self.place_in("/v2", &Step::of(BACK_END), thread, "/subscriptions");
            let followers = self.back_end(&Call::get(path)).await.json();
            for follower in followers["data"].as_array().unwrap() {
                let user = USERS.iter().position(|user| follower["userId"] == *user).unwrap();
                followed[user].insert(self.model.threads[thread].marker.clone());
            }
        }
        followed
    }

    /// Addresses of all files that ever were in a room.
    async fn see_files(&mut self, user: usize, room: usize) {
        let threads = self.model.threads.iter().enumerate().filter(|(_, one)| one.room == room);
        let (ids, seen): (Vec<String>, Vec<bool>) = threads
            .flat_map(|(at, thread)| {
                let is_seen = self.model.sees(user, at);
                thread.comments.iter().filter_map(move |comment| {
                    Some((comment.file.clone()?, is_seen && comment.is_there))
                })
            })
            .unzip();
        let path = format!("/v2/c/rooms/{}/attachments/presigned-urls", ROOMS[room]);
        let answer = self.ask(user, &Call::post(path, &json!({"attachmentIds": ids}))).await;
        if self.model.is_shut_out(user, room) {
            assert!(!answer.is_fine(), "{}", answer.text);
            return;
        }
        let urls = answer.json();
        let shown: Vec<bool> =
            urls["urls"].as_array().unwrap().iter().map(Value::is_string).collect();
        if shown != seen {
            self.fail(&format!("{} is to see {seen:?} of {ids:?}: {urls}", USERS[user]));
        }
    }
}
