//! A client that sends whatever a test wants, by another implementation of WebSocket.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Nothing here takes as long; a test that waits for what never comes shall say so.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Client {
    socket: WebSocketStream<TcpStream>,
    /// Its number in the room, once it is known.
    pub actor: i64,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    Text(String),
    Pong(Vec<u8>),
    Close(u16, String),
}

impl Client {
    /// The upgrade has to succeed, whatever comes then.
    pub async fn open(address: SocketAddr, path: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let url = format!("ws://{address}{path}");
        let (socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
        Self { socket, actor: -1 }
    }

    pub async fn send(&mut self, text: &str) {
        // A server that has closed is noticed by whoever reads.
        let _ = self.socket.send(Message::text(text)).await;
    }

    pub async fn send_binary(&mut self, bytes: &[u8]) {
        self.socket.send(Message::binary(bytes.to_vec())).await.unwrap();
    }

    pub async fn ping(&mut self, payload: &[u8]) {
        self.socket.send(Message::Ping(payload.to_vec().into())).await.unwrap();
    }

    /// Bytes past the protocol.
    pub async fn send_raw(&mut self, bytes: &[u8]) {
        self.socket.get_mut().write_all(bytes).await.unwrap();
    }

    pub async fn told_or_gone(&mut self) -> Option<Told> {
        let next = tokio::time::timeout(PATIENCE, self.socket.next());
        Some(match next.await.expect("something was to come")?.ok()? {
            Message::Text(text) => Told::Text(text.as_str().to_owned()),
            Message::Pong(payload) => Told::Pong(payload.to_vec()),
            Message::Close(Some(close)) => {
                Told::Close(close.code.into(), close.reason.as_str().to_owned())
            }
            other => panic!("{other:?}"),
        })
    }

    pub async fn told(&mut self) -> Told {
        self.told_or_gone().await.expect("the connection is gone")
    }

    pub async fn text(&mut self) -> String {
        match self.told().await {
            Told::Text(text) => text,
            other => panic!("{other:?}"),
        }
    }

    pub async fn json(&mut self) -> Value {
        serde_json::from_str(&self.text().await).unwrap()
    }

    /// The next message of a type, past all others.
    pub async fn find(&mut self, kind: i64) -> Value {
        loop {
            let message = self.json().await;
            if message["type"] == kind {
                return message;
            }
        }
    }

    pub async fn find_text(&mut self, text: &str) {
        while self.text().await != text {}
    }

    /// The code and the reason of the server's close frame, past everything else.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Told::Close(code, reason) = self.told().await {
                return (code, reason);
            }
        }
    }

    pub async fn close(mut self) {
        self.socket.close(None).await.unwrap();
        while self.socket.next().await.is_some() {}
    }
}
