//! Those who are in a room all along, by a WebSocket or by a stream of gRPC.

use std::collections::{BTreeSet, VecDeque};

use serde_json::Value;

use crate::harness::Server;
use crate::realtime::Guest;
use crate::visibility_model::{ROOMS, markers};
use crate::websocket_client::{Client, Told};

pub struct Listener {
    pub user: usize,
    pub room: usize,
    connection: Connection,
    /// What came in one frame with something else.
    waiting: VecDeque<String>,
}

enum Connection {
    Socket(Box<Client>),
    Stream(Box<Guest>),
}

/// The event after which an epoch is over.
pub fn end_of(epoch: usize) -> String {
    format!("the end of epoch {epoch}.")
}

impl Listener {
    pub async fn socket(server: &Server, bearer: &str, (user, room): (usize, usize)) -> Self {
        let path = format!("/v8?roomId={}&tok={bearer}&version=3.24.2", ROOMS[room]);
        let mut client = Client::open(server.address, &path).await;
        // From then on they hear of everything.
        client.find(104).await;
        Self::new((user, room), Connection::Socket(Box::new(client)))
    }

    pub async fn stream(server: &Server, bearer: &str, (user, room): (usize, usize)) -> Self {
        let guest = Guest::enter(server, ROOMS[room], bearer).await;
        Self::new((user, room), Connection::Stream(Box::new(guest)))
    }

    fn new((user, room): (usize, usize), connection: Connection) -> Self {
        Self { user, room, connection, waiting: VecDeque::new() }
    }

    /// The markers in all that comes until an epoch ends, and whether the connection did.
    pub async fn hear(&mut self, epoch: usize) -> (BTreeSet<String>, bool) {
        let (end, mut heard) = (end_of(epoch), BTreeSet::new());
        loop {
            let Some(message) = self.next().await else { return (heard, true) };
            if message.contains(&end) {
                return (heard, false);
            }
            heard.extend(markers(&message));
        }
    }

    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Some(message);
            }
            match &mut self.connection {
                Connection::Socket(client) => match client.told_or_gone().await? {
                    Told::Text(text) => match serde_json::from_str(&text).unwrap_or_default() {
                        Value::Array(list) => {
                            self.waiting.extend(list.iter().map(Value::to_string));
                        }
                        _ => return Some(text),
                    },
                    Told::Pong(_) => {}
                    Told::Close(..) => return None,
                },
                Connection::Stream(guest) => {
                    return guest.next().await.ok()?.map(|reply| format!("{reply:?}"));
                }
            }
        }
    }

    pub async fn close(self) {
        if let Connection::Socket(client) = self.connection {
            client.close().await;
        }
    }
}
