//! 1,000 clients come into 20 rooms, 32 at a time, as after a restart of everything.
//!
//! A client is in when it has its first message. roomd and the peer tell the others of the room
//! about each of them; there is a limit that does so too, and one that only greets.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::servers::{self, Disk, LIMIT, PEER, PER_SECOND, ROOMD, Rows};
use super::{Setup, clients};
use crate::Fail;
use crate::engine::Counted;
use crate::machine::Used;
use crate::measure::{Sample, summarize};
use crate::report::{Goal, Section};
use crate::ws::{self, Frame};
use crate::{processes, ws_reference};

pub const SCENARIO: &str = "connect";
const GOAL: Goal = Goal::AtLeast(0.5);
pub const CLIENTS: usize = 1_000;
pub const ROOMS: usize = 20;
const AT_ONCE: usize = 32;
const TELLING_LIMIT: &str = "limit, telling the room";
const TIMEOUT: Duration = Duration::from_secs(60);
const READ_BYTES: usize = 64 * 1024;
const POLL_TIMEOUT: Duration = Duration::from_millis(50);
const SETTLE: Duration = Duration::from_millis(100);

pub fn run(setup: Setup, scenario: &'static str) -> Result<Section, Fail> {
    let mut section = Section::new(scenario);
    let mut runners = servers::line_up(setup, Disk::Real, ws_reference::FANOUT, &mut section)?;
    let greeting = servers::GREETING.as_bytes();
    let telling = processes::reference(ws_reference::JOIN, greeting, setup.plan.pinning)?;
    runners.push(servers::Runner { label: TELLING_LIMIT, server: telling });
    let mut samples: Vec<Vec<Sample>> = runners.iter().map(|_| Vec::new()).collect();
    // The first round makes the rooms, and is not counted.
    for round in 0..=setup.plan.rounds {
        for (runner, taken) in runners.iter().zip(&mut samples) {
            let (address, pid) = (runner.server.address, runner.server.pid());
            let before = Used::now(pid)?;
            let arrived = arrive(address, 0..CLIENTS, one_of_the_rooms)?;
            let after = Used::now(pid)?;
            if round > 0 {
                let counted = Counted::of(arrived.latencies_ns, arrived.seconds);
                taken.push(Sample::new(counted, before, after));
            }
            drop(arrived.streams);
            settle(pid)?;
        }
    }
    let summaries = runners.iter().zip(&samples).map(|(runner, s)| summarize(runner.label, s));
    let rows: Vec<_> = summaries.collect();
    section.notes.push(format!("{CLIENTS} clients into {ROOMS} rooms, {AT_ONCE} at a time"));
    let found = Rows(&rows);
    found.ratio(&mut section, [ROOMD, LIMIT], PER_SECOND, Some(GOAL));
    found.ratio(&mut section, [ROOMD, TELLING_LIMIT], PER_SECOND, None);
    found.ratio(&mut section, [ROOMD, PEER], PER_SECOND, None);
    section.rows = rows;
    Ok(section)
}

/// Clients that came in and stay until they are dropped.
pub struct Arrived {
    pub streams: Vec<TcpStream>,
    latencies_ns: Vec<u32>,
    seconds: f64,
}

struct Client {
    stream: TcpStream,
    since: Instant,
    asked: bool,
    inside: bool,
    input: Vec<u8>,
}

/// Where client `n` goes: into room `n % ROOMS`.
pub fn one_of_the_rooms(number: usize) -> String {
    clients::path(&format!("bench:connect/{}", number % ROOMS))
}

/// Client `n` connects to `path(n)`.
pub fn arrive(
    address: SocketAddr,
    numbers: std::ops::Range<usize>,
    path: impl Fn(usize) -> String,
) -> Result<Arrived, Fail> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let (wanted, mut numbers) = (numbers.len(), numbers);
    let mut clients: Vec<Client> = Vec::with_capacity(wanted);
    let mut latencies_ns = Vec::with_capacity(wanted);
    let mut chunk = vec![0; READ_BYTES];
    let (begun, mut paths) = (Instant::now(), Vec::with_capacity(wanted));
    while latencies_ns.len() < wanted {
        while clients.len() - latencies_ns.len() < AT_ONCE
            && let Some(number) = numbers.next()
        {
            let mut stream = TcpStream::connect(address)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(clients.len()), interest)?;
            paths.push(path(number));
            let since = Instant::now();
            clients.push(Client { stream, since, asked: false, inside: false, input: Vec::new() });
        }
        poll.poll(&mut events, Some(POLL_TIMEOUT))?;
        for event in &events {
            let index = event.token().0;
            let client = &mut clients[index];
            if event.is_writable() && !client.asked {
                client.ask(&paths[index])?;
            }
            if event.is_readable() && client.comes_in(&mut chunk)? {
                let nanos = client.since.elapsed().as_nanos();
                latencies_ns.push(u32::try_from(nanos).unwrap_or(u32::MAX));
            }
        }
        if begun.elapsed() > TIMEOUT {
            return Err(format!("only {} clients came in", latencies_ns.len()).into());
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let streams = clients.into_iter().map(|client| client.stream).collect();
    Ok(Arrived { streams, latencies_ns, seconds })
}

impl Client {
    fn ask(&mut self, path: &str) -> Result<(), Fail> {
        self.stream.set_nodelay(true)?;
        self.stream.write_all(&ws::upgrade(path))?;
        self.asked = true;
        Ok(())
    }

    /// Reads all there is; `true` once, with the first message of the room.
    fn comes_in(&mut self, chunk: &mut [u8]) -> Result<bool, Fail> {
        loop {
            match self.stream.read(chunk) {
                Ok(0) => return Err("the server hung up on a client that came in".into()),
                Ok(bytes) if !self.inside => self.input.extend_from_slice(&chunk[..bytes]),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        if self.inside {
            return Ok(false);
        }
        let Some(head_bytes) = ws::upgraded(&self.input)? else { return Ok(false) };
        let Some(frame) = Frame::read(&self.input[head_bytes..])? else { return Ok(false) };
        let message = frame.message(&mut Vec::new())?.unwrap_or_default();
        if !clients::is_room_state(message) {
            let text = String::from_utf8_lossy(message);
            return Err(format!("the first message is not the room's state: {text}").into());
        }
        (self.inside, self.input) = (true, Vec::new());
        Ok(true)
    }
}

/// Returns when the server has nothing left to do.
pub fn settle(pid: u32) -> Result<(), Fail> {
    loop {
        let before = Used::now(pid)?.server;
        std::thread::sleep(SETTLE);
        if Used::now(pid)?.server - before <= f64::EPSILON {
            return Ok(());
        }
    }
}
