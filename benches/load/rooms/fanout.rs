//! Fan-out: one room with 50 clients, each message going to the 49 others.
//!
//! `full` keeps a fixed number of messages on the way and so finds what a server sustains; `paced`
//! sends by the clock. A delivery counts each time one of the others has a message, and its time
//! runs from the sending of the message.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::servers::{self, CPU, Disk, LIMIT, P99, PEER, PER_CPU_SECOND, PER_SECOND, ROOMD};
use super::servers::{Rows, Runner};
use super::{Setup, clients};
use crate::Fail;
use crate::engine::{Session, Tally};
use crate::measure::{Target, interleave};
use crate::report::{Goal, Section};
use crate::ws::{Socket, TEXT, Talk, text, write_frame};
use crate::ws_reference;

pub const FULL: &str = "fanout-full";
pub const PACED: &str = "fanout-paced";
const CLIENTS: usize = 50;
const OTHERS: usize = CLIENTS - 1;
/// Messages of each client that are on the way at once.
const IN_FLIGHT: usize = 4;
/// About half of what the peer sustains: beyond that nothing would be compared but queues.
const PACED_MESSAGES_PER_SECOND: u32 = 2_000;
const RATE_GOAL: Goal = Goal::AtLeast(3.0);
const CPU_GOAL: Goal = Goal::AtMost(0.5);
const P99_GOAL: Goal = Goal::AtMost(1.0);
/// Stands before the time of sending; nothing else in a message has it.
const STAMP: u8 = b'@';
const STAMP_DIGITS: usize = 13;

pub fn run(setup: Setup, scenario: &'static str) -> Result<Section, Fail> {
    let mut section = Section::new(scenario);
    let runners = servers::line_up(setup, Disk::Real, ws_reference::FANOUT, &mut section)?;
    let pace = (scenario == PACED)
        .then(|| Duration::from_secs(1) * CLIENTS as u32 / PACED_MESSAGES_PER_SECOND);
    let mut targets: Vec<_> = runners.iter().map(|runner| target(runner, pace)).collect();
    let rows = interleave(setup.plan, &mut targets)?;
    section.notes.push(match pace {
        Some(_) => format!("{CLIENTS} clients, {PACED_MESSAGES_PER_SECOND} messages per second"),
        None => format!("{CLIENTS} clients, {IN_FLIGHT} messages of each on the way"),
    });
    section.notes.push("a request is one delivery".to_owned());
    let found = Rows(&rows);
    // At a fixed rate a server that has time writes every message apart, which costs what it costs.
    let [rate_goal, cpu_goal] = [RATE_GOAL, CPU_GOAL].map(|goal| pace.is_none().then_some(goal));
    found.ratio(&mut section, [ROOMD, PEER], PER_SECOND, rate_goal);
    found.ratio(&mut section, [ROOMD, PEER], CPU, cpu_goal);
    found.ratio(&mut section, [ROOMD, PEER], P99, Some(P99_GOAL));
    found.ratio(&mut section, [ROOMD, LIMIT], PER_SECOND, None);
    found.ratio(&mut section, [ROOMD, LIMIT], PER_CPU_SECOND, None);
    section.rows = rows;
    Ok(section)
}

fn target<'a>(runner: &Runner, pace: Option<Duration>) -> Target<'a> {
    let sessions = move || -> Vec<Box<dyn Session>> {
        let inside = Rc::new(Cell::new(0));
        let base = Instant::now();
        (0..CLIENTS)
            .map(|index| {
                let member = Member::new(index, pace, base, Rc::clone(&inside));
                Box::new(Socket::new(clients::path("bench:fanout"), member)) as _
            })
            .collect()
    };
    let (label, address, pid) =
        (runner.label.to_owned(), runner.server.address, runner.server.pid());
    Target { label, address, pid, sessions: Box::new(sessions) }
}

/// Somebody who moves a pointer and sees those of the others.
struct Member {
    index: u32,
    pace: Option<Duration>,
    /// When all clients of the window began; times in messages count from here.
    base: Instant,
    /// How many are in the room. Nobody sends before all are.
    inside: Rc<Cell<usize>>,
    entered: bool,
    begun: bool,
    next: Instant,
    /// Deliveries that no message of ours has answered yet.
    unanswered: usize,
}

impl Member {
    fn new(index: usize, pace: Option<Duration>, base: Instant, inside: Rc<Cell<usize>>) -> Self {
        let (index, entered, begun) = (index as u32, false, false);
        Self { index, pace, base, inside, entered, begun, next: base, unanswered: 0 }
    }

    fn send(&self, out: &mut Vec<u8>, now: Instant) {
        let nanos = now.duration_since(self.base).as_nanos();
        let message = format!(
            r#"[{{"type":100,"data":{{"cursor":{{"x":512,"y":384}},"at":"{}{nanos:0width$}"}}}}]"#,
            char::from(STAMP),
            width = STAMP_DIGITS
        );
        write_frame(out, TEXT, message.as_bytes());
    }

    fn count(&mut self, message: &[u8], now: Instant, tally: &mut Tally) {
        let mut rest = message;
        while let Some(at) = rest.iter().position(|byte| *byte == STAMP) {
            rest = &rest[at + 1..];
            let digits = rest.iter().take(STAMP_DIGITS);
            let nanos = digits.fold(0, |sum, digit| sum * 10 + u64::from(digit.wrapping_sub(b'0')));
            tally.done(self.base + Duration::from_nanos(nanos), now);
            self.unanswered += 1;
        }
    }
}

impl Talk for Member {
    fn heard(
        &mut self,
        message: &[u8],
        out: &mut Vec<u8>,
        now: Instant,
        tally: &mut Tally,
    ) -> Result<(), Fail> {
        if !self.entered && clients::is_room_state(message) {
            self.entered = true;
            self.inside.set(self.inside.get() + 1);
            out.extend_from_slice(&text(r#"[{"type":100,"targetActor":-1,"data":{}}]"#));
            return Ok(());
        }
        self.count(message, now, tally);
        // With one message for every 49 received, as many stay on the way as there were.
        while self.pace.is_none() && self.unanswered >= OTHERS {
            self.unanswered -= OTHERS;
            self.send(out, now);
        }
        Ok(())
    }

    fn ticks(&self) -> bool {
        true
    }

    fn tick(&mut self, out: &mut Vec<u8>, now: Instant) {
        if self.inside.get() < CLIENTS {
            return;
        }
        if !self.begun {
            self.begun = true;
            let first = self.pace.unwrap_or_default() * self.index / CLIENTS as u32;
            self.next = now + first;
            let at_once = if self.pace.is_none() { IN_FLIGHT } else { 0 };
            (0..at_once).for_each(|_| self.send(out, now));
        }
        if let Some(pace) = self.pace
            && now >= self.next
        {
            self.next += pace;
            self.send(out, now);
        }
    }
}
