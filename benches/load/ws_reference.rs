//! The limit of a room server: tungstenite, a queue per connection, and nothing that understands
//! a message.
//!
//! Whoever connects is greeted with fixed bytes. What somebody sends goes to the others of the
//! room, and where the kind says so back to the sender as well.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// Messages go to the others.
pub const FANOUT: &str = "ws-fanout";
/// Messages go to the others and back to the sender.
pub const ECHO: &str = "ws-echo";
/// As [`FANOUT`], and the others hear of everybody who comes.
pub const JOIN: &str = "ws-join";
/// With tungstenite's default of 128 KiB the buffer would be all that a connection's memory is.
const READ_BUFFER_BYTES: usize = 4096;
const JOINED: &str = r#"{"type":101,"actor":1000,"scopes":["room:write"]}"#;
/// Frames that are written at once.
const BATCH_LEN_MAX: usize = 256;

type Rooms = Mutex<HashMap<String, Vec<(u64, UnboundedSender<Utf8Bytes>)>>>;

struct Hub {
    kind: String,
    greeting: Utf8Bytes,
    rooms: Rooms,
}

pub fn is_kind(kind: &str) -> bool {
    [FANOUT, ECHO, JOIN].contains(&kind)
}

pub async fn serve(kind: String, greeting: Vec<u8>) -> Result<(), std::io::Error> {
    let greeting = String::from_utf8(greeting).map_err(std::io::Error::other)?.into();
    let hub = Arc::new(Hub { kind, greeting, rooms: Mutex::default() });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?);
    for id in 0.. {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let hub = Arc::clone(&hub);
        tokio::spawn(async move {
            // A connection ends when the load generator closes it.
            let _ = connection(&hub, id, stream).await;
        });
    }
    Ok(())
}

async fn connection(
    hub: &Hub,
    id: u64,
    stream: TcpStream,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let mut room = String::new();
    // The error is large because it is a whole response; none is ever made here.
    #[allow(clippy::result_large_err, reason = "the signature is tungstenite's")]
    let read_room = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        room = request.uri().query().unwrap_or_default().to_owned();
        Ok(response)
    };
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
    let accepted = tokio_tungstenite::accept_hdr_async_with_config(stream, read_room, Some(config));
    let mut socket = accepted.await?;
    let (sender, mut queue) = unbounded_channel();
    let _ = sender.send(hub.greeting.clone());
    if hub.kind == JOIN {
        hub.tell(&room, id, &Utf8Bytes::from_static(JOINED), false);
    }
    hub.enter(&room, id, sender);
    let ended = relay(hub, &room, id, &mut socket, &mut queue).await;
    hub.leave(&room, id);
    ended
}

async fn relay(
    hub: &Hub,
    room: &str,
    id: u64,
    socket: &mut WebSocketStream<TcpStream>,
    queue: &mut UnboundedReceiver<Utf8Bytes>,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            message = socket.next() => match message.transpose()? {
                Some(Message::Text(text)) => hub.tell(room, id, &text, hub.kind == ECHO),
                Some(_) => {}
                None => return Ok(()),
            },
            _ = queue.recv_many(&mut batch, BATCH_LEN_MAX) => {
                for text in batch.drain(..) {
                    socket.feed(Message::Text(text)).await?;
                }
                socket.flush().await?;
            }
        }
    }
}

impl Hub {
    fn tell(&self, room: &str, id: u64, text: &Utf8Bytes, sender_too: bool) {
        let rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        for (other, queue) in rooms.get(room).into_iter().flatten() {
            if sender_too || *other != id {
                let _ = queue.send(text.clone());
            }
        }
    }

    fn enter(&self, room: &str, id: u64, sender: UnboundedSender<Utf8Bytes>) {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.entry(room.to_owned()).or_default().push((id, sender));
    }

    fn leave(&self, room: &str, id: u64) {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(people) = rooms.get_mut(room) {
            people.retain(|(other, _)| *other != id);
            if people.is_empty() {
                rooms.remove(room);
            }
        }
    }
}
