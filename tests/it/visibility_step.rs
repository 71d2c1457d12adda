//! The steps of plans: who does what to which thread.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::visibility_model::{BACK_END, Comment, ROOMS, Thread, USERS};
use crate::visibility_world::{Call, Outcome, World};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    CreateThread,
    CreateComment,
    EditComment,
    DeleteComment,
    React,
    TakeReactionBack,
    DescribeThread,
    DescribeComment,
    Resolve,
    Follow,
    DeleteThread,
    Squat,
    Steal,
    Read,
    ReadFile,
    List,
    Search,
    Poll,
    ReadOwn,
    TidyInbox,
    MentionInText,
    ChangeRights,
}

/// How often each is drawn.
const ACTS: [(u32, Act); 22] = [
    (10, Act::CreateThread),
    (10, Act::CreateComment),
    (6, Act::EditComment),
    (4, Act::DeleteComment),
    (5, Act::React),
    (4, Act::TakeReactionBack),
    (4, Act::DescribeThread),
    (4, Act::DescribeComment),
    (4, Act::Resolve),
    (6, Act::Follow),
    (3, Act::DeleteThread),
    (4, Act::Squat),
    (4, Act::Steal),
    (8, Act::Read),
    (6, Act::ReadFile),
    (8, Act::List),
    (5, Act::Search),
    (8, Act::Poll),
    (8, Act::ReadOwn),
    (8, Act::TidyInbox),
    (3, Act::MentionInText),
    (6, Act::ChangeRights),
];

/// Who does what. The numbers choose among what is there when it is their turn.
#[derive(Debug, Clone)]
pub struct Step {
    pub act: Act,
    pub caller: usize,
    pub which: usize,
    pub other: usize,
    pub flag: bool,
    /// The thread is looked for in the other room.
    pub is_astray: bool,
}

impl Step {
    /// A step of a user, with nothing chosen.
    pub fn of(caller: usize) -> Self {
        Self { act: Act::Read, caller, which: 0, other: 0, flag: false, is_astray: false }
    }

    /// Whose the call is: a back end acts for somebody.
    pub fn author(&self) -> usize {
        if self.caller == BACK_END { self.other % USERS.len() } else { self.caller }
    }

    /// A back end says who acts; of a user it is known.
    pub fn signed(&self, mut body: Value) -> Value {
        if self.caller == BACK_END {
            body["userId"] = json!(USERS[self.author()]);
        }
        body
    }
}

pub fn any_step() -> impl Strategy<Value = Step> {
    let act = prop::strategy::Union::new_weighted(
        ACTS.into_iter().map(|(weight, act)| (weight, Just(act))).collect(),
    );
    let callers: Vec<usize> = (0..=BACK_END).collect();
    let numbers = (0..1_000_usize, 0..1_000_usize);
    (act, select(callers), numbers, any::<bool>(), prop::bool::weighted(0.06)).prop_map(
        |(act, caller, (which, other), flag, is_astray)| Step {
            act,
            caller,
            which,
            other,
            flag,
            is_astray,
        },
    )
}

/// What a comment says: a word that is in all of them, the marker of its thread, and who is named.
pub fn says(marker: &str, step: &Step) -> Value {
    let user = json!({"type": "mention", "kind": "user", "id": USERS[step.other % USERS.len()]});
    let group = json!({"type": "mention", "kind": "group", "id": "crew"});
    let mut children = vec![json!({"text": format!("word {marker} ")})];
    match step.other % 4 {
        0 => {}
        1 => children.push(group),
        _ => children.push(user),
    }
    json!({"version": 1, "content": [{"type": "paragraph", "children": children}]})
}

impl World<'_> {
    /// What is behind a thread, by either of the two paths.
    pub fn place(&self, step: &Step, thread: usize, behind: &str) -> String {
        let base = if step.other.is_multiple_of(2) { "/v2" } else { "/v2/c" };
        self.place_in(base, step, thread, behind)
    }

    pub fn place_in(&self, base: &str, step: &Step, thread: usize, behind: &str) -> String {
        let Thread { room, ref marker, .. } = self.model.threads[thread];
        let room = if step.is_astray { 1 - room } else { room };
        format!("{base}/rooms/{}/threads/th_{marker}{behind}", ROOMS[room])
    }

    /// What is to become of a step about a thread that does what may be done.
    pub fn outcome(&self, step: &Step, thread: usize, may: bool) -> Outcome {
        match (self.model.sees(step.caller, thread) && !step.is_astray, may) {
            (false, _) => Outcome::NotThere,
            (true, true) => Outcome::Done,
            (true, false) => Outcome::Refused,
        }
    }

    /// Changes a thread, of which those in the room are told; says whether it was done.
    pub async fn change(&mut self, step: &Step, call: &Call, thread: usize, may: bool) -> bool {
        let may = may && self.model.may_write(step.caller, thread);
        let outcome = self.outcome(step, thread, may);
        self.about(step.caller, call, (thread, outcome)).await;
        if outcome == Outcome::Done {
            self.tell(thread);
        }
        outcome == Outcome::Done
    }

    /// One of the thread's comments; if there is one, the caller's own more often than not.
    pub fn pick(&self, step: &Step, thread: usize) -> usize {
        let comments = &self.model.threads[thread].comments;
        let is_own = |comment: &Comment| comment.is_there && comment.author == step.caller;
        let own = comments.iter().position(is_own).filter(|_| step.flag);
        own.unwrap_or(step.other / 2 % comments.len())
    }
}
