//! What the rooms of a plan hold, and who may read it: told by the plan's own steps, so that it
//! knows nothing of how the server decides.

use std::collections::{BTreeMap, BTreeSet};

use roomd::domain::permissions::Level;
use serde_json::{Value, json};

pub const ROOMS: [&str; 2] = ["r0", "r1"];
/// The last one holds an access token, which says what rooms do not; the others ID tokens.
pub const USERS: [&str; 5] = ["open", "shut", "both", "none", "ann"];
pub const ANN: usize = 4;
/// What her token says, as [`Model::new`] has it.
pub const ANNS: [(&str, &[&str]); ROOMS.len()] = [
    ("r0", &["*:write", "comments:public:read", "comments:private:none"]),
    ("r1", &["*:write", "comments:public:none", "comments:private:write"]),
];
/// Whoever calls with the secret key. Below are the users.
pub const BACK_END: usize = USERS.len();

/// What somebody may do in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    pub is_member: bool,
    pub public: Level,
    pub private: Level,
}

impl Rights {
    pub const fn new(public: Level, private: Level) -> Self {
        Self { is_member: true, public, private }
    }

    /// For who may not even read the room.
    pub const OUTSIDE: Self = Self { is_member: false, public: Level::None, private: Level::None };

    pub fn on(self, is_private: bool) -> Level {
        if is_private { self.private } else { self.public }
    }

    pub fn may_read(self, is_private: bool) -> bool {
        self.on(is_private) >= Level::Read
    }

    pub fn is_nothing(self) -> bool {
        self.public == Level::None && self.private == Level::None
    }

    /// The room's entry for a user, which takes a user out that is no member.
    pub fn accesses(self) -> Value {
        let name = |level| match level {
            Level::None => "none",
            Level::Read => "read",
            Level::Write => "write",
        };
        match self {
            Self { is_member: false, .. } => Value::Null,
            _ if self.is_nothing() => json!(["*:write", "comments:none"]),
            Self { public, private, .. } => {
                let [public, private] = [("public", public), ("private", private)]
                    .map(|(sort, level)| format!("comments:{sort}:{}", name(level)));
                json!(["*:write", public, private])
            }
        }
    }
}

pub struct Comment {
    pub id: String,
    pub author: usize,
    pub is_there: bool,
    /// The one that it came with, which goes with it.
    pub file: Option<String>,
    pub reacted: BTreeSet<usize>,
}

/// Everything that is written in a thread has its marker, and nothing else has: ids, texts, metadata,
/// names of files and what is in them.
pub struct Thread {
    pub marker: String,
    pub room: usize,
    pub is_private: bool,
    pub is_there: bool,
    pub is_resolved: bool,
    pub comments: Vec<Comment>,
}

/// A room between two changes of its accesses.
pub struct Epoch {
    pub rights: [Rights; USERS.len()],
    /// The threads of which those who are in the room hear meanwhile.
    pub told: BTreeSet<String>,
}

pub struct Model {
    /// Of each room, in the order of time. The last is now.
    pub epochs: [Vec<Epoch>; ROOMS.len()],
    pub threads: Vec<Thread>,
    places: BTreeMap<String, usize>,
    made: usize,
}

impl Model {
    pub fn new() -> Self {
        use Level::{None, Read, Write};
        let users = [(Write, None), (None, Write), (Write, Write), (None, None)];
        let room = |(public, private)| {
            let [open, shut, both, none] =
                users.map(|(public, private)| Rights::new(public, private));
            let rights = [open, shut, both, none, Rights::new(public, private)];
            vec![Epoch { rights, told: BTreeSet::new() }]
        };
        let epochs = [room((Read, None)), room((None, Write))];
        Self { epochs, threads: Vec::new(), places: BTreeMap::new(), made: 0 }
    }

    pub fn rights(&self, user: usize, room: usize) -> Rights {
        self.epochs[room].last().unwrap().rights[user]
    }

    /// Whether lists of a room's threads are refused to a caller, who may read none.
    pub fn is_shut_out(&self, caller: usize, room: usize) -> bool {
        caller != BACK_END && self.rights(caller, room).is_nothing()
    }

    pub fn change_rights(&mut self, user: usize, room: usize, new: Rights) {
        let mut rights = self.epochs[room].last().unwrap().rights;
        rights[user] = new;
        self.epochs[room].push(Epoch { rights, told: BTreeSet::new() });
    }

    /// A number that was never given before.
    pub fn next(&mut self) -> usize {
        self.made += 1;
        self.made
    }

    pub fn add(&mut self, thread: Thread) -> usize {
        self.places.insert(thread.marker.clone(), self.threads.len());
        self.threads.push(thread);
        self.threads.len() - 1
    }

    /// The level of a caller on a thread, whether that is still there or not.
    fn level(&self, caller: usize, thread: usize) -> Level {
        let Thread { room, is_private, .. } = self.threads[thread];
        self.level_in(caller, room, is_private)
    }

    fn level_in(&self, caller: usize, room: usize, is_private: bool) -> Level {
        if caller == BACK_END { Level::Write } else { self.rights(caller, room).on(is_private) }
    }

    pub fn may_write_in(&self, caller: usize, room: usize, is_private: bool) -> bool {
        self.level_in(caller, room, is_private) == Level::Write
    }

    /// Whether the thread is there for the caller.
    pub fn sees(&self, caller: usize, thread: usize) -> bool {
        self.threads[thread].is_there && self.level(caller, thread) >= Level::Read
    }

    pub fn may_write(&self, caller: usize, thread: usize) -> bool {
        self.threads[thread].is_there && self.level(caller, thread) == Level::Write
    }

    /// Whether a caller may come to know a marker. Of what never came to be nobody does.
    pub fn may_know(&self, caller: usize, marker: &str) -> bool {
        self.places.get(marker).is_some_and(|at| self.level(caller, *at) >= Level::Read)
    }

    /// The markers of the threads that a caller may read, in a room or in all; with those that are
    /// gone, of which a delta tells.
    pub fn known(
        &self,
        caller: usize,
        room: Option<usize>,
        gone_as_well: bool,
    ) -> BTreeSet<String> {
        let threads = self.threads.iter().enumerate();
        let known = threads.filter(|(at, thread)| {
            room.is_none_or(|room| room == thread.room)
                && (thread.is_there || gone_as_well)
                && self.level(caller, *at) >= Level::Read
        });
        known.map(|(_, thread)| thread.marker.clone()).collect()
    }

    /// Those of the markers that a user may read now.
    pub fn only_known(&self, user: usize, markers: &BTreeSet<String>) -> BTreeSet<String> {
        markers.iter().filter(|marker| self.may_know(user, marker)).cloned().collect()
    }

    /// Something happened in a thread that those who are in the room hear of.
    pub fn tell(&mut self, thread: usize) {
        let Thread { room, ref marker, .. } = self.threads[thread];
        self.epochs[room].last_mut().unwrap().told.insert(marker.clone());
    }
}

const HIDDEN: &str = "hush";
const OPEN: &str = "loud";
/// Of a thread that never was.
const NOBODYS: &str = "wisp";
const DIGITS: usize = 3;

pub fn marker(is_private: bool, number: usize) -> String {
    format!("{}{number:0DIGITS$}", if is_private { HIDDEN } else { OPEN })
}

pub fn is_private(marker: &str) -> bool {
    marker.starts_with(HIDDEN)
}

/// The same in a thread that never was.
pub fn nobodys(marker: &str) -> String {
    marker.replace(HIDDEN, NOBODYS).replace(OPEN, NOBODYS)
}

/// All markers in a text, whatever it is.
pub fn markers(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for sort in [HIDDEN, OPEN] {
        for (at, _) in text.match_indices(sort) {
            let marker = text.get(at..at + sort.len() + DIGITS);
            let digits = marker.map_or("", |marker| &marker[sort.len()..]);
            if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
                found.extend(marker.map(str::to_owned));
            }
        }
    }
    found
}

/// The marker in the id of a thread.
pub fn marker_of(thread: &str) -> &str {
    thread.strip_prefix("th_").unwrap_or(thread)
}
