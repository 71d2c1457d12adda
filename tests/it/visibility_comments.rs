//! Steps that change comments and what comes with them, or try to.

use std::collections::BTreeSet;

use serde_json::json;

use crate::visibility_model::{BACK_END, Comment, ROOMS, Thread, USERS};
use crate::visibility_step::{Step, says};
use crate::visibility_world::{Call, Outcome, World};

/// A fox, and as it is in a path.
const EMOJI: &str = "🦊";
const EMOJI_IN_PATH: &str = "%F0%9F%A6%8A";

impl World<'_> {
    /// Sometimes, a file for a comment that will be written.
    pub async fn upload(&mut self, step: &Step, thread: Option<usize>) -> Option<String> {
        let thread = &self.model.threads[thread.filter(|_| step.other.is_multiple_of(3))?];
        let (room, marker) = (ROOMS[thread.room], thread.marker.clone());
        let id = format!("at_{marker}_{}", thread.comments.len());
        let user = match step.caller {
            BACK_END => format!("?userId={}", USERS[step.author()]),
            _ => String::new(),
        };
        let path = format!("/v2/rooms/{room}/attachments/{id}/upload/{marker}.txt{user}");
        let answer = self.ask(step.caller, &Call::upload(path, format!("in {marker}"))).await;
        if !answer.is_fine() {
            self.fail(&format!("an upload is refused: {}", answer.text));
        }
        Some(id)
    }

    pub async fn create_comment(&mut self, step: &Step, thread: usize) {
        let may = self.model.may_write(step.caller, thread) && !step.is_astray;
        let file = self.upload(step, may.then_some(thread)).await;
        let Thread { ref marker, ref comments, .. } = self.model.threads[thread];
        let id = format!("cm_{marker}_{}", comments.len());
        let draft = json!({"id": id, "body": says(marker, step), "metadata": {"k": marker},
            "attachmentIds": file.iter().collect::<Vec<_>>()});
        let path = self.place(step, thread, "/comments");
        let call = Call::post(path, &step.signed(draft));
        if self.change(step, &call, thread, true).await {
            let (author, reacted) = (step.author(), BTreeSet::new());
            let comment = Comment { id, author, is_there: true, file, reacted };
            self.model.threads[thread].comments.push(comment);
        }
    }

    /// Whether it is the caller's to change.
    pub fn owns(&self, step: &Step, thread: usize, comment: usize) -> bool {
        let comment = &self.model.threads[thread].comments[comment];
        comment.is_there && (step.caller == BACK_END || step.caller == comment.author)
    }

    fn comment_place(&self, step: &Step, thread: usize, comment: usize) -> String {
        let id = &self.model.threads[thread].comments[comment].id;
        self.place(step, thread, &format!("/comments/{id}"))
    }

    pub async fn edit_comment(&mut self, step: &Step, thread: usize) {
        let comment = self.pick(step, thread);
        let path = self.comment_place(step, thread, comment);
        let body = says(&self.model.threads[thread].marker, step);
        let may = self.owns(step, thread, comment);
        self.change(step, &Call::post(path, &json!({ "body": body })), thread, may).await;
    }

    pub async fn delete_comment(&mut self, step: &Step, thread: usize) {
        let comment = self.pick(step, thread);
        let call = Call::delete(self.comment_place(step, thread, comment));
        let may = self.owns(step, thread, comment);
        if self.change(step, &call, thread, may).await {
            let thread = &mut self.model.threads[thread];
            thread.comments[comment].is_there = false;
            thread.comments[comment].reacted.clear();
            thread.is_there = thread.comments.iter().any(|comment| comment.is_there);
        }
    }

    pub async fn react(&mut self, step: &Step, thread: usize) {
        let (comment, author) = (self.pick(step, thread), step.author());
        let place = self.comment_place(step, thread, comment);
        let verb = if step.other.is_multiple_of(2) { "add-reaction" } else { "reactions" };
        let body = step.signed(json!({ "emoji": EMOJI }));
        let found = &self.model.threads[thread].comments[comment];
        let may = found.is_there && !found.reacted.contains(&author);
        let call = Call::post(format!("{place}/{verb}"), &body);
        if self.change(step, &call, thread, may).await {
            self.model.threads[thread].comments[comment].reacted.insert(author);
        }
    }

    pub async fn take_reaction_back(&mut self, step: &Step, thread: usize) {
        let (comment, author) = (self.pick(step, thread), step.author());
        let found = &self.model.threads[thread].comments[comment];
        let may = found.is_there && found.reacted.contains(&author);
        let behind = format!("/comments/{}", found.id);
        let call = if step.caller == BACK_END || step.flag {
            let place = self.place_in("/v2", step, thread, &behind);
            let body = step.signed(json!({ "emoji": EMOJI }));
            Call::post(format!("{place}/remove-reaction"), &body)
        } else {
            let place = self.place_in("/v2/c", step, thread, &behind);
            Call::delete(format!("{place}/reactions/{EMOJI_IN_PATH}"))
        };
        if self.change(step, &call, thread, may).await {
            self.model.threads[thread].comments[comment].reacted.remove(&author);
        }
    }

    /// Takes a file of one thread into another one.
    pub async fn steal(&mut self, step: &Step, thread: usize) {
        let Thread { room, ref comments, .. } = self.model.threads[thread];
        let Some(file) = comments.iter().find_map(|comment| comment.file.clone()) else { return };
        let others = self.model.threads.iter().enumerate();
        let other = others.rev().find(|(at, other)| {
            *at != thread && other.room == room && self.model.may_write(step.caller, *at)
        });
        let Some((other, _)) = other else { return };
        let step = Step { is_astray: false, ..step.clone() };
        let draft = json!({"body": says(&self.model.threads[other].marker, &step),
            "attachmentIds": [file]});
        let call = Call::post(self.place(&step, other, "/comments"), &step.signed(draft));
        let before = self.whole(other).await;
        self.about(step.caller, &call, (thread, Outcome::NotThere)).await;
        if before != self.whole(other).await {
            self.fail("a file was taken from another thread");
        }
    }
}
