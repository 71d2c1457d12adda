//! The load generator: one thread, one epoll loop, as little work per request as it can do.
//!
//! The server's core has to be the bottleneck, or a ratio says nothing. So there is no client
//! library here: a [`Session`] knows the bytes of its protocol and nothing that it does not need.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::Fail;

/// Room for the largest reply: 10,000 rooms that are alive are about 7 MB. Memory that no reply
/// reaches is never touched.
const INPUT_BYTES: usize = 16 << 20;
const EVENTS_MAX: usize = 256;
const POLL_TIMEOUT: Duration = Duration::from_millis(50);
const TICK: Duration = Duration::from_millis(1);

/// What one connection says and hears. `out` is sent as soon as the call returns.
pub trait Session {
    /// The first bytes, with the first requests in them.
    fn start(&mut self, out: &mut Vec<u8>, now: Instant);

    /// Takes what came so far and returns how many bytes of it are dealt with.
    fn receive(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        now: Instant,
        tally: &mut Tally,
    ) -> Result<usize, Fail>;

    /// Whether `tick` is to be called.
    fn ticks(&self) -> bool {
        false
    }

    /// Called again and again, at least every millisecond, for what is sent by the clock.
    fn tick(&mut self, _out: &mut Vec<u8>, _now: Instant) {}
}

/// What was counted while the window was open.
#[derive(Default)]
pub struct Tally {
    open: bool,
    latencies_ns: Vec<u32>,
    errors: u64,
    first_error: Option<String>,
}

impl Tally {
    pub fn done(&mut self, since: Instant, now: Instant) {
        if self.open {
            let nanos = now.saturating_duration_since(since).as_nanos();
            self.latencies_ns.push(u32::try_from(nanos).unwrap_or(u32::MAX));
        }
    }

    /// An answer that is not the expected one. It is counted apart and never as a request.
    pub fn failed(&mut self, what: impl FnOnce() -> String) {
        self.errors += 1;
        self.first_error.get_or_insert_with(what);
    }
}

/// What one window gave, before anybody looked at processor time.
pub struct Counted {
    pub requests: u64,
    pub seconds: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub mean_ms: f64,
    pub errors: u64,
    pub first_error: Option<String>,
}

struct Connection {
    stream: TcpStream,
    session: Box<dyn Session>,
    input: Vec<u8>,
    filled: usize,
    out: Vec<u8>,
    sent: usize,
}

pub struct Engine {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    ticks: bool,
    tally: Tally,
}

impl Engine {
    pub fn connect(address: SocketAddr, sessions: Vec<Box<dyn Session>>) -> Result<Self, Fail> {
        let poll = Poll::new()?;
        let mut connections = Vec::with_capacity(sessions.len());
        for (index, mut session) in sessions.into_iter().enumerate() {
            let blocking = std::net::TcpStream::connect(address)?;
            blocking.set_nodelay(true)?;
            blocking.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(blocking);
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(index), interest)?;
            let mut out = Vec::with_capacity(16 * 1024);
            session.start(&mut out, Instant::now());
            let input = vec![0; INPUT_BYTES];
            connections.push(Connection { stream, session, input, filled: 0, out, sent: 0 });
        }
        let events = Events::with_capacity(EVENTS_MAX);
        let ticks = connections.iter().any(|connection| connection.session.ticks());
        Ok(Self { poll, events, connections, ticks, tally: Tally::default() })
    }

    /// Drives all connections until `until`, whatever is counted.
    fn drive(&mut self, until: Instant) -> Result<(), Fail> {
        let timeout = if self.ticks { TICK } else { POLL_TIMEOUT };
        while Instant::now() < until {
            if let Err(error) = self.poll.poll(&mut self.events, Some(timeout))
                && error.kind() != ErrorKind::Interrupted
            {
                return Err(error.into());
            }
            for event in &self.events {
                let connection = &mut self.connections[event.token().0];
                if event.is_readable() {
                    connection.readable(&mut self.tally)?;
                }
                connection.flush()?;
            }
            if self.ticks {
                self.tick()?;
            }
        }
        Ok(())
    }

    fn tick(&mut self) -> Result<(), Fail> {
        let now = Instant::now();
        for connection in &mut self.connections {
            let pending = !connection.out.is_empty();
            connection.session.tick(&mut connection.out, now);
            // What waits for a full socket goes out with its event.
            if !pending && !connection.out.is_empty() {
                connection.flush()?;
            }
        }
        Ok(())
    }

    /// Warms up, then counts for `window`. `edge` runs as the window opens and as it closes.
    pub fn window<T>(
        &mut self,
        warm_up: Duration,
        window: Duration,
        mut edge: impl FnMut() -> Result<T, Fail>,
    ) -> Result<(Counted, T, T), Fail> {
        self.drive(Instant::now() + warm_up)?;
        let before = edge()?;
        self.tally = Tally { open: true, ..Tally::default() };
        let opened = Instant::now();
        self.drive(opened + window)?;
        let seconds = opened.elapsed().as_secs_f64();
        self.tally.open = false;
        let after = edge()?;
        Ok((count(std::mem::take(&mut self.tally), seconds), before, after))
    }
}

impl Connection {
    fn readable(&mut self, tally: &mut Tally) -> Result<(), Fail> {
        loop {
            let free = self.input.len() - self.filled;
            if free == 0 {
                return Err(format!("a reply is larger than {INPUT_BYTES} bytes").into());
            }
            match self.stream.read(&mut self.input[self.filled..]) {
                Ok(0) => return Err("the server closed a connection under load".into()),
                Ok(bytes) => {
                    self.filled += bytes;
                    self.consume(tally)?;
                    // A short read has emptied the socket, so the next bytes bring a new event.
                    if bytes < free {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn consume(&mut self, tally: &mut Tally) -> Result<(), Fail> {
        let now = Instant::now();
        let input = &self.input[..self.filled];
        let used = self.session.receive(input, &mut self.out, now, tally)?;
        self.input.copy_within(used..self.filled, 0);
        self.filled -= used;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fail> {
        while self.sent < self.out.len() {
            match self.stream.write(&self.out[self.sent..]) {
                Ok(bytes) => self.sent += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        self.out.clear();
        self.sent = 0;
        Ok(())
    }
}

fn count(tally: Tally, seconds: f64) -> Counted {
    let counted = Counted::of(tally.latencies_ns, seconds);
    Counted { errors: tally.errors, first_error: tally.first_error, ..counted }
}

impl Counted {
    pub fn of(mut latencies: Vec<u32>, seconds: f64) -> Self {
        latencies.sort_unstable();
        let total_ns: u64 = latencies.iter().map(|ns| u64::from(*ns)).sum();
        let at = |quantile: f64| {
            let index = (latencies.len().saturating_sub(1) as f64 * quantile).round() as usize;
            latencies.get(index).map_or(0.0, |ns| f64::from(*ns) / 1e6)
        };
        Self {
            requests: latencies.len() as u64,
            seconds,
            p50_ms: at(0.50),
            p99_ms: at(0.99),
            mean_ms: total_ns as f64 / 1e6 / latencies.len().max(1) as f64,
            errors: 0,
            first_error: None,
        }
    }
}
