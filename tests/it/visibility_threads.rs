//! Steps that change threads, or try to.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::visibility_model::{BACK_END, Comment, ROOMS, Thread, USERS, marker};
use crate::visibility_step::{Step, says};
use crate::visibility_world::{Call, Outcome, World};

impl World<'_> {
    pub async fn create_thread(&mut self, step: &Step) {
        let (room, is_private, author) = (step.which % ROOMS.len(), step.flag, step.author());
        let marker = marker(is_private, self.model.next());
        let may = self.model.may_write_in(step.caller, room, is_private);
        let id = format!("cm_{marker}_0");
        let comments = Vec::new();
        let thread = Thread {
            marker: marker.clone(),
            room,
            is_private,
            is_there: true,
            is_resolved: false,
            comments,
        };
        let made = may.then(|| self.model.add(thread));
        let file = self.upload(step, made).await;
        let comment = json!({"id": id, "body": says(&marker, step), "metadata": {"k": marker},
            "attachmentIds": file.iter().collect::<Vec<_>>()});
        let visibility = if is_private { "private" } else { "public" };
        let draft = json!({"id": format!("th_{marker}"), "visibility": visibility,
            "metadata": {"k": marker}, "comment": step.signed(comment)});
        let call = Call::post(format!("/v2/rooms/{}/threads", ROOMS[room]), &draft);
        let Some(made) = made else {
            let answer = self.ask(step.caller, &call).await;
            if answer.is_fine() {
                self.fail(&format!("nobody may make {marker} here: {}", answer.text));
            }
            return;
        };
        self.about(step.caller, &call, (made, Outcome::Done)).await;
        let comment = Comment { id, author, is_there: true, file, reacted: BTreeSet::new() };
        self.model.threads[made].comments.push(comment);
        self.tell(made);
    }

    pub async fn resolve(&mut self, step: &Step, thread: usize) {
        let verb = if step.flag { "/mark-as-resolved" } else { "/mark-as-unresolved" };
        let body = step.signed(json!({}));
        let call = Call::post(self.place(step, thread, verb), &body);
        let outcome = self.outcome(step, thread, self.model.may_write(step.caller, thread));
        self.about(step.caller, &call, (thread, outcome)).await;
        // What is so already is no news.
        if outcome == Outcome::Done && self.model.threads[thread].is_resolved != step.flag {
            self.model.threads[thread].is_resolved = step.flag;
            self.tell(thread);
        }
    }

    pub async fn follow(&mut self, step: &Step, thread: usize) {
        let verb = if step.flag { "/subscribe" } else { "/unsubscribe" };
        let call = match step.caller {
            BACK_END => {
                let path = self.place_in("/v2", step, thread, verb);
                Call::post(path, &step.signed(json!({})))
            }
            _ => Call::post(self.place(step, thread, verb), &Value::Null),
        };
        let outcome = self.outcome(step, thread, true);
        self.about(step.caller, &call, (thread, outcome)).await;
    }

    pub async fn delete_thread(&mut self, step: &Step, thread: usize) {
        let author = self.model.threads[thread].comments[0].author;
        let may = step.caller == BACK_END || step.caller == author;
        let call = Call::delete(self.place(step, thread, ""));
        if self.change(step, &call, thread, may).await {
            self.model.threads[thread].is_there = false;
        }
    }

    /// Gives a thread, or one of its comments, other metadata.
    pub async fn describe(&mut self, step: &Step, thread: usize, is_comment: bool) {
        let comment = self.pick(step, thread);
        let Thread { ref marker, ref comments, .. } = self.model.threads[thread];
        let metadata = json!({ "k": format!("{marker} {}", step.other) });
        let behind = format!("/comments/{}/metadata", comments[comment].id);
        let behind = if is_comment { behind.as_str() } else { "/metadata" };
        let call = if step.caller == BACK_END || step.flag {
            let body = step.signed(json!({ "metadata": metadata }));
            Call::post(self.place_in("/v2", step, thread, behind), &body)
        } else {
            Call::post(self.place_in("/v2/c", step, thread, behind), &metadata)
        };
        let may = !is_comment || self.owns(step, thread, comment);
        self.change(step, &call, thread, may).await;
    }

    /// Makes something under an id that a thread has. That an id is taken is not hidden from who
    /// names it, since ids are as long as keys; what has it is.
    pub async fn squat(&mut self, step: &Step, thread: usize) {
        let Thread { room, ref marker, is_there, ref comments, .. } = self.model.threads[thread];
        let (room, comment) = (ROOMS[room], &comments[self.pick(step, thread)]);
        let mine = json!([{"type": "paragraph", "children": [{"text": "mine"}]}]);
        let own = step.signed(json!({"body": {"version": 1, "content": mine}}));
        let call = match (step.other % 3, &comment.file) {
            (0, Some(file)) if comment.is_there && is_there => {
                let path = format!("/v2/rooms/{room}/attachments/{file}/upload/mine.txt");
                let user = USERS[step.author()];
                Call::upload(format!("{path}?userId={user}"), "mine".to_owned())
            }
            (1, _) if is_there => {
                let mut own = own;
                // In another thread it would be another comment.
                own["id"] = json!(comment.id);
                Call::post(format!("/v2/rooms/{room}/threads/th_{marker}/comments"), &own)
            }
            _ => {
                let visibility = if step.flag { "private" } else { "public" };
                let body = json!({"id": format!("th_{marker}"), "visibility": visibility,
                    "comment": own});
                Call::post(format!("/v2/rooms/{room}/threads"), &body)
            }
        };
        self.about(step.caller, &call, (thread, Outcome::Refused)).await;
    }
}
