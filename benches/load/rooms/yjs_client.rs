//! Clients that type into a Yjs document, in the protocol of Liveblocks and in that of Hocuspocus.

use std::rc::Rc;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::clients;
use crate::Fail;
use crate::engine::Tally;
use crate::ws::{BINARY, Talk, count, text, write_frame};

/// In what a server sends back for an update.
const TAKEN: &[u8] = br#""isSync":false"#;
/// The same of a server that only echoes.
const ECHOED: &[u8] = br#""type":301"#;

/// Updates in messages of so many, each message a frame that is ready to be sent.
pub struct Script {
    frames: Vec<Vec<u8>>,
    updates_per_message: usize,
    answer: &'static [u8],
}

impl Script {
    pub fn new(updates: &[Vec<u8>], updates_per_message: usize, echoed: bool) -> Self {
        let frames = updates.chunks_exact(updates_per_message).map(|chunk| text(&message(chunk)));
        let answer = if echoed { ECHOED } else { TAKEN };
        Self { frames: frames.collect(), updates_per_message, answer }
    }
}

pub fn message(updates: &[Vec<u8>]) -> String {
    let each = updates.iter().map(|update| {
        let update = STANDARD.encode(update);
        format!(r#"{{"type":301,"update":"{update}"}}"#)
    });
    format!("[{}]", each.collect::<Vec<_>>().join(","))
}

/// Asks for what is new since the state vector.
pub fn fetch(state_vector: &[u8]) -> String {
    let vector = STANDARD.encode(state_vector);
    format!(r#"[{{"type":300,"vector":"{vector}"}}]"#)
}

/// One message of updates in flight; the next goes out when the last of them has come back.
pub struct Typist {
    script: Rc<Script>,
    next: usize,
    entered: bool,
    unanswered: usize,
    since: Instant,
}

impl Typist {
    pub fn new(script: Rc<Script>) -> Self {
        Self { script, next: 0, entered: false, unanswered: 0, since: Instant::now() }
    }
}

impl Talk for Typist {
    fn heard(
        &mut self,
        message: &[u8],
        out: &mut Vec<u8>,
        now: Instant,
        tally: &mut Tally,
    ) -> Result<(), Fail> {
        if self.entered {
            let answered = count(message, self.script.answer, self.unanswered);
            (0..answered).for_each(|_| tally.done(self.since, now));
            self.unanswered -= answered;
        } else {
            self.entered = clients::is_room_state(message);
        }
        if self.entered && self.unanswered == 0 {
            let frame = self.script.frames.get(self.next).ok_or("there is no more to type")?;
            out.extend_from_slice(frame);
            self.next += 1;
            self.unanswered = self.script.updates_per_message;
            self.since = now;
        }
        Ok(())
    }
}

const SYNC: u8 = 0;
const AUTHENTICATION: u8 = 2;
const SYNC_REPLY: u8 = 4;
const SYNC_STATUS: u8 = 8;
const TOKEN: u8 = 0;
const PERMISSION_DENIED: u8 = 1;
const STEP_1: u8 = 0;
const STEP_2: u8 = 1;
const UPDATE: u8 = 2;
/// Below this a length is one byte.
const ONE_BYTE: usize = 128;

/// The same in Hocuspocus' protocol: binary messages with the document's name in front.
pub struct HocuspocusTypist {
    /// Length and name.
    head: Vec<u8>,
    updates: Rc<Vec<Vec<u8>>>,
    next: usize,
    begun: bool,
    since: Instant,
}

impl HocuspocusTypist {
    pub fn new(document: &str, updates: Rc<Vec<Vec<u8>>>) -> Self {
        let mut head = Vec::new();
        write_bytes(&mut head, document.as_bytes());
        Self { head, updates, next: 0, begun: false, since: Instant::now() }
    }

    fn send(&self, kind: &[u8], payload: &[u8], out: &mut Vec<u8>) {
        let mut message = self.head.clone();
        message.extend_from_slice(kind);
        write_bytes(&mut message, payload);
        write_frame(out, BINARY, &message);
    }

    fn send_next(&mut self, out: &mut Vec<u8>, now: Instant) -> Result<(), Fail> {
        let update = self.updates.get(self.next).ok_or("there is no more to type")?;
        self.send(&[SYNC, UPDATE], update, out);
        (self.next, self.since) = (self.next + 1, now);
        Ok(())
    }
}

impl Talk for HocuspocusTypist {
    fn opened(&mut self, out: &mut Vec<u8>, _now: Instant) {
        self.send(&[AUTHENTICATION, TOKEN], b"", out);
        // Our state vector: of nothing.
        self.send(&[SYNC, STEP_1], &[0], out);
    }

    fn heard(
        &mut self,
        message: &[u8],
        out: &mut Vec<u8>,
        now: Instant,
        tally: &mut Tally,
    ) -> Result<(), Fail> {
        let body =
            message.strip_prefix(self.head.as_slice()).ok_or("another document's message")?;
        match *body {
            [SYNC | SYNC_REPLY, STEP_2, ..] if !self.begun => {
                self.begun = true;
                self.send_next(out, now)
            }
            [SYNC_STATUS, 1, ..] if self.begun => {
                tally.done(self.since, now);
                self.send_next(out, now)
            }
            [SYNC_STATUS, 0, ..] | [AUTHENTICATION, PERMISSION_DENIED, ..] => {
                Err("Hocuspocus refused what a typist sent".into())
            }
            _ => Ok(()),
        }
    }
}

/// Length and bytes, as lib0 writes them.
fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut length = bytes.len();
    while length >= ONE_BYTE {
        out.push((length % ONE_BYTE + ONE_BYTE) as u8);
        length /= ONE_BYTE;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
}
