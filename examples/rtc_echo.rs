//! Answers every message of a WebRTC client with the same message, in the same channel.
//! Descriptions come and go as lines of JSON on the standard streams, so that a test can carry them
//! to a browser:
//!
//!     ["accept", PEER, OFFER]    prints the answer
//!     ["offer", PEER]            prints an offer with the channels `_reliable` and `_lossy`
//!     ["answered", PEER, ANSWER] prints null
//!     ["close", PEER]            prints null
//!     ["events", PEER]           prints what happened so far, without the messages
//!
//!     cargo run --example rtc_echo -- 0.0.0.0:0 127.0.0.1

use std::collections::HashMap;
use std::io::{Write as _, stdin, stdout};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use roomd::rtc::{ChannelSpec, Event, Events, Peer, Rtc, RtcLimits, RtcOptions};
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;
type Log = Arc<Mutex<Vec<String>>>;

fn main() -> Result<(), Failure> {
    let mut words = std::env::args().skip(1);
    let udp_listen = words.next().ok_or("expected an address to listen on")?.parse()?;
    let advertised = words.map(|word| word.parse()).collect::<Result<Vec<IpAddr>, _>>()?;
    let options = RtcOptions { udp_listen, advertised, limits: RtcLimits::default() };
    let runtime = tokio::runtime::Runtime::new()?;
    let rtc = runtime.block_on(Rtc::bind(options))?;
    let mut peers = HashMap::new();
    for line in stdin().lines() {
        let words: Vec<String> = serde_json::from_str(&line?)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let said = match runtime.block_on(obey(&rtc, &mut peers, &words)) {
            Ok(value) => json!({ "ok": value }),
            Err(error) => json!({ "error": error.to_string() }),
        };
        writeln!(stdout(), "{said}")?;
    }
    runtime.block_on(rtc.close());
    Ok(())
}

async fn obey(
    rtc: &Rtc,
    peers: &mut HashMap<String, (Peer, Log)>,
    words: &[&str],
) -> Result<Value, Failure> {
    let [action, name, rest @ ..] = words else {
        return Err("expected an action and a peer".into());
    };
    if !peers.contains_key(*name) {
        let (peer, events) = rtc.peer()?;
        let log = Log::default();
        tokio::spawn(echo(peer.clone(), events, Arc::clone(&log)));
        peers.insert((*name).to_owned(), (peer, log));
    }
    let (peer, log) = &peers[*name];
    match (*action, rest) {
        ("accept", [offer]) => Ok(peer.accept(offer).await?.into()),
        ("offer", []) => {
            let channels = [ChannelSpec::reliable("_reliable"), ChannelSpec::lossy("_lossy")];
            Ok(peer.offer(&channels).await?.into())
        }
        ("answered", [answer]) => Ok(peer.answered(answer).await?.into()),
        ("close", []) => {
            peer.close();
            Ok(Value::Null)
        }
        ("events", []) => Ok(log.lock().unwrap_or_else(PoisonError::into_inner).clone().into()),
        _ => Err("no such action".into()),
    }
}

async fn echo(peer: Peer, mut events: Events, log: Log) {
    let note = |text: String| log.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    while let Some(event) = events.next().await {
        match event {
            Event::Data { label, bytes, .. } => {
                if let Err(error) = peer.send(&label, bytes) {
                    note(error.to_string());
                }
            }
            Event::ChannelOpen { label } => note(format!("open {label}")),
            Event::ChannelClosed { label } => note(format!("closed {label}")),
            Event::Connected => note("connected".to_owned()),
            Event::Disconnected => note("disconnected".to_owned()),
        }
    }
    note("gone".to_owned());
}
