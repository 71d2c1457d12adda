//! HTTP/1.1 with keep-alive: one request in flight per connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::Fail;
use crate::engine::{Session, Tally};

const HEAD_END: &[u8] = b"\r\n\r\n";
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
const ERROR_SHOWN_BYTES_MAX: usize = 400;

/// Writes the next request of a connection, whole.
pub type NextRequest = Box<dyn FnMut(&mut Vec<u8>)>;

/// A request that is described once and then sent many times.
#[derive(Clone)]
pub struct Request {
    pub method: &'static str,
    pub path: String,
    pub content_type: Option<&'static str>,
    pub key: String,
    pub body: Vec<u8>,
}

impl Request {
    pub fn get(path: impl Into<String>, key: &str) -> Self {
        let (path, key) = (path.into(), key.to_owned());
        Self { method: "GET", path, content_type: None, key, body: Vec::new() }
    }

    pub fn post(path: &str, kind: &'static str, key: &str, body: impl Into<Vec<u8>>) -> Self {
        let (path, key, body) = (path.to_owned(), key.to_owned(), body.into());
        Self { method: "POST", path, content_type: Some(kind), key, body }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = format!(
            "{} {} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {}\r\n",
            self.method, self.path, self.key
        )
        .into_bytes();
        if let Some(kind) = self.content_type {
            let length = self.body.len();
            let lines = format!("content-type: {kind}\r\ncontent-length: {length}\r\n");
            out.extend_from_slice(lines.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
        out
    }
}

/// One connection under load.
pub struct Http1 {
    next: NextRequest,
    since: Instant,
    /// Head and whole length of the last reply, since the next one nearly always has the same.
    head_bytes: usize,
    whole_bytes: usize,
}

impl Http1 {
    pub fn new(next: NextRequest) -> Self {
        Self { next, since: Instant::now(), head_bytes: 0, whole_bytes: 0 }
    }

    /// The same bytes again and again.
    pub fn fixed(request: Vec<u8>) -> Self {
        Self::new(Box::new(move |out| out.extend_from_slice(&request)))
    }

    fn is_like_the_last(&self, input: &[u8]) -> bool {
        input.len() == self.whole_bytes
            && 0 < self.whole_bytes
            && input.starts_with(b"HTTP/1.1 200")
            && input[..self.head_bytes].ends_with(HEAD_END)
    }
}

impl Session for Http1 {
    fn start(&mut self, out: &mut Vec<u8>, now: Instant) {
        self.since = now;
        (self.next)(out);
    }

    fn receive(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        now: Instant,
        tally: &mut Tally,
    ) -> Result<usize, Fail> {
        if !self.is_like_the_last(input) {
            let Some(head) = Head::read(input)? else { return Ok(0) };
            if input.len() < head.bytes + head.content_length {
                return Ok(0);
            }
            self.head_bytes = head.bytes;
            self.whole_bytes = head.bytes + head.content_length;
            if head.status != 200 {
                let whole = &input[..self.whole_bytes];
                tally.failed(|| String::from_utf8_lossy(whole).into_owned());
                self.since = now;
                (self.next)(out);
                return Ok(self.whole_bytes);
            }
        }
        tally.done(self.since, now);
        self.since = now;
        (self.next)(out);
        Ok(self.whole_bytes)
    }
}

struct Head {
    status: u16,
    bytes: usize,
    content_length: usize,
}

impl Head {
    /// `None` while the head is not complete.
    fn read(input: &[u8]) -> Result<Option<Self>, Fail> {
        let Some(end) = input.windows(HEAD_END.len()).position(|four| four == HEAD_END) else {
            return Ok(None);
        };
        let text = std::str::from_utf8(&input[..end])?;
        let status = text.split(' ').nth(1).ok_or("no status in a reply")?.parse()?;
        let length = text.lines().filter_map(|line| line.split_once(':')).find_map(|(name, v)| {
            name.eq_ignore_ascii_case("content-length").then(|| v.trim().parse())
        });
        let content_length = length.ok_or("a reply without content-length under load")??;
        Ok(Some(Self { status, bytes: end + HEAD_END.len(), content_length }))
    }
}

/// One call outside of any measurement. Returns the body of a 200 and fails on everything else.
pub fn call(address: SocketAddr, request: &Request) -> Result<Vec<u8>, Fail> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(CALL_TIMEOUT))?;
    stream.write_all(&request.bytes())?;
    let (mut input, mut chunk) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        let bytes = stream.read(&mut chunk)?;
        if bytes == 0 {
            return Err("the server closed the connection before its reply was whole".into());
        }
        input.extend_from_slice(&chunk[..bytes]);
        let Some(head) = Head::read(&input)? else { continue };
        if input.len() < head.bytes + head.content_length {
            continue;
        }
        let body = input.split_off(head.bytes);
        if head.status != 200 {
            let shown = String::from_utf8_lossy(&body[..body.len().min(ERROR_SHOWN_BYTES_MAX)]);
            let (method, path, status) = (request.method, &request.path, head.status);
            return Err(format!("{method} {path} answered {status}: {shown}").into());
        }
        return Ok(body);
    }
}
