//! Reading and writing, held against another implementation of WebSocket.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::frame::{Opcode, Violation, close_code};
use super::reader::{Incoming, MessageReader, ReadError};
use super::writer::Outgoing;
use crate::room::rate::{Rate, RateLimits};

const MESSAGE_BYTES_MAX: usize = 1 << 20;

fn rate(frames_per_second: u32, bytes_per_second: u32, frame_bytes_max: usize) -> Rate {
    let frame_messages_max = 1;
    let limits =
        RateLimits { frames_per_second, bytes_per_second, frame_bytes_max, frame_messages_max };
    Rate::new(limits, Instant::now())
}

fn reader<R: AsyncRead + Unpin>(stream: R, arrivals: &AtomicU64) -> MessageReader<'_, R> {
    let rate = rate(1_000_000, u32::MAX, MESSAGE_BYTES_MAX);
    MessageReader::new(stream, MESSAGE_BYTES_MAX, rate, arrivals)
}

/// What is read of these bytes, in pieces of some size, up to the first error.
async fn read(bytes: &[u8], piece_bytes: usize) -> (Vec<Incoming>, ReadError) {
    let (mut peer, stream) = duplex(piece_bytes);
    let arrivals = AtomicU64::new(0);
    let mut reader = reader(stream, &arrivals);
    let bytes = bytes.to_vec();
    let write = async move {
        let _ = peer.write_all(&bytes).await;
        drop(peer);
    };
    let read = async {
        let mut incoming = Vec::new();
        loop {
            match reader.next().await {
                Ok(message) => incoming.push(message),
                Err(error) => {
                    // Whoever writes must not wait for ever.
                    reader.discard().await;
                    return (incoming, error);
                }
            }
        }
    };
    tokio::join!(read, write).0
}

/// A frame of a client, with a mask.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ ..=125 => bytes.push(0x80 | short as u8),
        middle @ ..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((middle as u16).to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 127);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    let mask = [0x12, 0x34, 0x56, 0x78];
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

fn text(text: &str) -> Incoming {
    Incoming::Text(Bytes::copy_from_slice(text.as_bytes()))
}

#[tokio::test]
async fn messages_in_pieces_of_any_size() {
    let long = "l".repeat(70_000);
    let bytes = [
        frame(0x81, b"hello"),
        frame(0x81, &[b'm'; 300]),
        frame(0x01, b"in "),
        frame(0x89, b"between"),
        frame(0x00, b"three "),
        frame(0x80, b"parts"),
        frame(0x81, b""),
        frame(0x81, long.as_bytes()),
        frame(0x8a, b""),
        frame(0x82, &[1, 2]),
        frame(0x88, &[0x03, 0xe8, b'x']),
    ]
    .concat();
    for piece_bytes in [1, 7, 4_096, 1 << 20] {
        let (incoming, end) = read(&bytes, piece_bytes).await;
        let expected = [
            text("hello"),
            text(&"m".repeat(300)),
            Incoming::Ping(Bytes::from_static(b"between")),
            text("in three parts"),
            text(""),
            text(&long),
            Incoming::Pong,
            Incoming::Binary(Bytes::from_static(b"\x01\x02")),
            Incoming::Close(Some(1000)),
        ];
        assert_eq!(incoming, expected);
        assert_eq!(end, ReadError::Gone);
    }
}

#[tokio::test]
async fn what_is_no_websocket() {
    let mut unmasked = frame(0x81, b"x");
    unmasked[1] &= 0x7f;
    for bytes in [
        unmasked,
        frame(0xc1, b"compressed"),
        frame(0x91, b"a reserved bit"),
        frame(0x83, b"an opcode of nobody"),
        frame(0x8b, b"a control frame of nobody"),
        frame(0x09, b"a ping in parts"),
        frame(0x89, &[0; 126]),
        frame(0x80, b"the end of nothing"),
        [frame(0x01, b"begin"), frame(0x81, b"another")].concat(),
        frame(0x88, &[3]),
        frame(0x88, &[0x03, 0xed]),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
    ] {
        let (incoming, error) = read(&bytes, 64).await;
        assert_eq!(incoming, []);
        assert!(matches!(error, ReadError::Violation(Violation::Protocol(_))), "{error:?}");
    }
    assert_eq!(close_code(&[0x03, 0xe8, 0xff]), Err(Violation::NotUtf8));
}

#[tokio::test]
async fn what_is_too_large_is_refused_by_its_header() {
    let whole = [0x81, 0xff, 0, 0, 0, 0, 0x7f, 0, 0, 0];
    let parts = [frame(0x01, &vec![b'x'; 1 << 19]), frame(0x80, &vec![b'x'; (1 << 19) + 1])];
    for bytes in [&whole[..], &[0x81, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0], &parts.concat()] {
        let (_, error) = read(bytes, 1 << 16).await;
        assert_eq!(error, ReadError::Violation(Violation::TooLarge));
    }
}

#[tokio::test]
async fn whoever_sends_too_much_is_stopped() {
    let (mut peer, stream) = duplex(1 << 16);
    let arrivals = AtomicU64::new(0);
    let mut reader = MessageReader::new(stream, 100, rate(2, 1_000, 100), &arrivals);
    peer.write_all(&frame(0x81, b"x").repeat(10)).await.unwrap();
    for _ in 0..4 {
        assert_eq!(reader.next().await, Ok(text("x")));
    }
    assert_eq!(reader.next().await, Err(ReadError::TooFast));
    assert_eq!(arrivals.load(Ordering::Relaxed), 1);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>, piece_bytes in 1_usize..64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(read(&bytes, piece_bytes));
    }
}

fn client(stream: DuplexStream) -> impl Future<Output = WebSocketStream<DuplexStream>> {
    WebSocketStream::from_raw_socket(stream, Role::Client, None)
}

async fn next(client: &mut (impl Stream<Item = Result<Message, WsError>> + Unpin)) -> Message {
    client.next().await.unwrap().unwrap()
}

type WsError = tokio_tungstenite::tungstenite::Error;

#[tokio::test]
async fn another_implementation_reads_what_is_written() {
    let (stream, mut ours) = duplex(1_000);
    let mut client = client(stream).await;
    let texts: Vec<String> =
        [0, 1, 125, 126, 4_096, 4_097, 0xffff, 0x1_0000].map(|len| "x".repeat(len)).into();
    let mut outgoing = Outgoing::default();
    for text in &texts {
        outgoing.push(Opcode::Text, &Bytes::copy_from_slice(text.as_bytes()));
    }
    outgoing.push(Opcode::Pong, &Bytes::from_static(b"p"));
    outgoing.push(Opcode::Close, &super::close::Close::new(4001, "why").payload());
    let write = async { outgoing.flush(&mut ours, Duration::from_secs(9)).await.unwrap() };
    let read = async {
        for text in &texts {
            assert_eq!(next(&mut client).await, Message::text(text.clone()));
        }
        assert_eq!(next(&mut client).await, Message::Pong(Bytes::from_static(b"p")));
        let Message::Close(Some(close)) = next(&mut client).await else { panic!() };
        assert_eq!((u16::from(close.code), close.reason.as_str()), (4001, "why"));
    };
    tokio::join!(write, read);
}

#[tokio::test]
async fn many_frames_are_one_write() {
    let (mut peer, mut ours) = duplex(1 << 20);
    let mut outgoing = Outgoing::default();
    for _ in 0..100 {
        outgoing.push(Opcode::Text, &Bytes::from_static(b"short"));
    }
    outgoing.flush(&mut ours, Duration::from_secs(9)).await.unwrap();
    let mut chunk = vec![0; 1 << 20];
    assert_eq!(peer.read(&mut chunk).await.unwrap(), 100 * 7);
}

#[tokio::test]
async fn a_peer_that_takes_nothing_is_given_up() {
    let (_peer, mut ours) = duplex(16);
    let mut outgoing = Outgoing::default();
    outgoing.push(Opcode::Text, &Bytes::from(vec![b'x'; 10_000]));
    assert!(!outgoing.is_amid());
    let error = outgoing.flush(&mut ours, Duration::from_millis(1)).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    assert!(outgoing.is_amid(), "nothing more can be said in the middle of a frame");
}
