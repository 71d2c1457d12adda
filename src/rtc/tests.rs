//! The module over a real socket of this machine, against a client that is str0m alone.

mod client;
mod hostile;

use std::time::Duration;

use tokio::time::timeout;

use self::client::{Client, Running, Seen, lossy, reliable};
use super::*;
use bytes::Bytes;

const WITHIN: Duration = Duration::from_secs(30);

async fn bind(limits: RtcLimits) -> Rtc {
    let udp_listen = "127.0.0.1:0".parse().unwrap();
    Rtc::bind(RtcOptions { udp_listen, advertised: Vec::new(), limits }).await.unwrap()
}

async fn next(events: &mut Events) -> Option<Event> {
    timeout(WITHIN, events.next()).await.unwrap()
}

/// Waits for something and skips what comes before.
async fn happens(events: &mut Events, expected: &Event) {
    while next(events).await.expect("the peer goes on") != *expected {}
}

async fn data(events: &mut Events) -> (String, Bytes, bool) {
    loop {
        if let Event::Data { label, bytes, is_binary } = next(events).await.unwrap() {
            return (label.as_ref().to_owned(), bytes, is_binary);
        }
    }
}

fn open(label: &str) -> Event {
    Event::ChannelOpen { label: label.into() }
}

/// A connection that the client offered, with both channels open.
async fn publisher(rtc: &Rtc) -> (Peer, Events, Running) {
    let (peer, mut events) = rtc.peer().unwrap();
    let mut client = Client::new().await;
    let offer = client.offer(&[lossy(), reliable()]);
    client.answered(&peer.accept(&offer).await.unwrap());
    let mut client = client.run();
    assert_eq!(next(&mut events).await, Some(Event::Connected));
    for _ in 0..2 {
        assert!(matches!(next(&mut events).await, Some(Event::ChannelOpen { .. })));
    }
    client.opens(2).await;
    (peer, events, client)
}

/// A connection that the server offered, with both channels open.
async fn subscriber(rtc: &Rtc) -> (Peer, Events, Running) {
    let (peer, mut events) = rtc.peer().unwrap();
    let channels = [ChannelSpec::reliable("_reliable"), ChannelSpec::lossy("_lossy")];
    let offer = peer.offer(&channels).await.unwrap();
    let mut client = Client::new().await;
    peer.answered(&client.accept(&offer)).await.unwrap();
    let mut client = client.run();
    assert_eq!(next(&mut events).await, Some(Event::Connected));
    for _ in 0..2 {
        assert!(matches!(next(&mut events).await, Some(Event::ChannelOpen { .. })));
    }
    client.opens(2).await;
    (peer, events, client)
}

async fn talk_both_ways(peer: &Peer, events: &mut Events, client: &mut Running) {
    for label in ["_reliable", "_lossy"] {
        client.send(label, &b"from the client"[..]);
        let expected = (label.to_owned(), Bytes::from_static(b"from the client"), true);
        assert_eq!(data(events).await, expected);
        peer.send(label, Bytes::from_static(b"from the server")).unwrap();
        let expected = (label.to_owned(), Bytes::from_static(b"from the server"));
        assert_eq!(client.data().await, expected);
    }
}

#[tokio::test]
async fn a_client_that_offers_can_talk_on_both_channels() {
    let rtc = bind(RtcLimits::default()).await;
    let (peer, mut events, mut client) = publisher(&rtc).await;
    talk_both_ways(&peer, &mut events, &mut client).await;
    client.send_text("_reliable", "in words");
    assert!(!data(&mut events).await.2);
    rtc.close().await;
}

#[tokio::test]
async fn a_client_that_is_offered_can_talk_on_both_channels() {
    let rtc = bind(RtcLimits::default()).await;
    let (peer, mut events, mut client) = subscriber(&rtc).await;
    talk_both_ways(&peer, &mut events, &mut client).await;
    rtc.close().await;
}

#[tokio::test]
async fn audio_and_video_are_answered_as_inactive() {
    let rtc = bind(RtcLimits::default()).await;
    let (peer, mut events) = rtc.peer().unwrap();
    let mut client = Client::new().await;
    let answer = peer.accept(&client.offer_with_media(&[reliable()])).await.unwrap();
    let count = |line: &str| answer.lines().filter(|found| *found == line).count();
    assert_eq!(count("a=inactive"), 2, "{answer}");
    assert_eq!(count("a=ice-lite"), 1, "{answer}");
    client.answered(&answer);
    let mut client = client.run();
    happens(&mut events, &open("_reliable")).await;
    client.opens(1).await;
    client.send("_reliable", &b"still here"[..]);
    assert_eq!(data(&mut events).await.1, "still here");
}

/// What an SDK sends at most, many times over: more than any buffer on the way holds.
#[tokio::test]
async fn large_messages_arrive_whole_and_in_order_both_ways() {
    const COUNT: usize = 60;
    let rtc = bind(RtcLimits::default()).await;
    let (peer, mut events, mut client) = publisher(&rtc).await;
    let message = |number: usize| Bytes::from(vec![u8::try_from(number).unwrap(); 64 << 10]);
    for number in 0..COUNT {
        peer.send("_reliable", message(number)).unwrap();
    }
    for number in 0..COUNT {
        assert_eq!(client.data().await.1, message(number));
    }
    for number in 0..10 {
        client.send("_reliable", message(number));
    }
    for number in 0..10 {
        assert_eq!(data(&mut events).await.1, message(number));
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_fills_the_buffer_and_loses_nothing() {
    let limits = RtcLimits { reliable_buffer_bytes_max: 300_000, ..RtcLimits::default() };
    let rtc = bind(limits).await;
    let (peer, _events, mut client) = publisher(&rtc).await;
    client.pause(true);
    let message = |number: usize| Bytes::from(number.to_be_bytes().repeat(1000));
    let mut sent = 0;
    let full = loop {
        match peer.send("_reliable", message(sent)) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        // The peer's task has to have its turn to take what str0m holds.
        tokio::task::yield_now().await;
    };
    assert_eq!(full, SendError::Full { bytes_max: 300_000 });
    // The other channel is not concerned.
    peer.send("_lossy", Bytes::from_static(b"news")).unwrap();
    client.pause(false);
    let mut number = 0;
    while number < sent {
        let (label, bytes) = client.data().await;
        if label == "_reliable" {
            assert_eq!(bytes, message(number));
            number += 1;
        }
    }
}

#[tokio::test]
async fn an_owner_that_does_not_read_stops_the_client_and_loses_nothing() {
    const COUNT: usize = 100;
    let limits = RtcLimits { events_bytes_max: 20_000, ..RtcLimits::default() };
    let rtc = bind(limits).await;
    let (peer, mut events, mut client) = publisher(&rtc).await;
    let message = |number: usize| Bytes::from(number.to_be_bytes().repeat(1000));
    for number in 0..COUNT {
        client.send("_reliable", message(number));
    }
    // Calls are answered even while the owner reads nothing.
    assert_eq!(peer.accept("hello").await.unwrap_err().fields()[0].problem, "is not SDP");
    for number in 0..COUNT {
        assert_eq!(data(&mut events).await.1, message(number));
    }
    peer.send("_reliable", Bytes::from_static(b"thanks")).unwrap();
    assert_eq!(client.data().await.1, "thanks");
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_with_the_reason() {
    let rtc = bind(RtcLimits::default()).await;
    let (peer, mut events, client) = publisher(&rtc).await;
    let refused = peer.send("_reliable", vec![0; (64 << 10) + 1].into()).unwrap_err();
    assert_eq!(refused.to_string(), "a message must be at most 65536 bytes, got 65537");
    assert_eq!(peer.send("_other", Bytes::from_static(b"x")), Err(SendError::NoChannel));
    assert_eq!(peer.send("_reliable", Bytes::new()), Err(SendError::Empty));
    client.send("_reliable", &b"still here"[..]);
    assert_eq!(data(&mut events).await.1, "still here");
}

#[tokio::test]
async fn dropping_the_handle_says_goodbye_and_frees_the_place() {
    let rtc = bind(RtcLimits { peers_max: 1, ..RtcLimits::default() }).await;
    let (peer, mut events, mut client) = subscriber(&rtc).await;
    assert_eq!(rtc.peer().unwrap_err().code(), Code::ResourceExhausted);
    let clone = peer.clone();
    drop(peer);
    clone.send("_reliable", Bytes::from_static(b"a clone keeps it open")).unwrap();
    assert_eq!(client.data().await.1, "a clone keeps it open");
    drop(clone);
    client.sees(&Seen::Closed).await;
    while next(&mut events).await.is_some() {}
    assert_eq!(rtc.peers_len(), 0);
    let (_peer, events, mut client) = publisher(&rtc).await;
    drop(events);
    client.sees(&Seen::Closed).await;
}

#[tokio::test]
async fn a_client_that_says_goodbye_ends_the_peer() {
    let rtc = bind(RtcLimits::default()).await;
    let (peer, mut events, client) = publisher(&rtc).await;
    client.close();
    while next(&mut events).await.is_some() {}
    let late = peer.send("_reliable", Bytes::from_static(b"late"));
    assert_eq!(late, Err(SendError::NoChannel));
    assert_eq!(peer.offer(&[]).await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn the_server_can_restart_ice_and_add_a_channel() {
    let rtc = bind(RtcLimits::default()).await;
    let (peer, mut events) = rtc.peer().unwrap();
    let mut client = Client::new().await;
    let first = peer.offer(&[ChannelSpec::reliable("_reliable")]).await.unwrap();
    assert_eq!(peer.offer(&[]).await.unwrap(), first, "an offer without an answer is repeated");
    peer.answered(&client.accept(&first)).await.unwrap();
    let error = peer.answered(&client.accept(&first)).await.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition);

    let channels = [ChannelSpec::reliable("_reliable"), ChannelSpec::lossy("_lossy")];
    let second = peer.offer(&channels).await.unwrap();
    let ufrag =
        |sdp: &str| sdp.lines().find(|line| line.starts_with("a=ice-ufrag")).map(str::to_owned);
    assert_ne!(ufrag(&first), ufrag(&second));
    peer.answered(&client.accept(&second)).await.unwrap();
    let mut client = client.run();
    happens(&mut events, &open("_reliable")).await;
    happens(&mut events, &open("_lossy")).await;
    client.opens(2).await;
    talk_both_ways(&peer, &mut events, &mut client).await;
}

/// A client that opens a channel again after it was closed goes on under the same label.
#[tokio::test]
async fn a_label_that_is_opened_again_belongs_to_the_newer_channel() {
    let rtc = bind(RtcLimits::default()).await;
    let (peer, mut events, mut client) = publisher(&rtc).await;
    client.open(reliable());
    happens(&mut events, &open("_reliable")).await;
    client.sees(&Seen::Open("_reliable".to_owned())).await;
    client.send("_reliable", &b"again"[..]);
    assert_eq!(data(&mut events).await.1, "again");
    peer.send("_reliable", Bytes::from_static(b"welcome")).unwrap();
    assert_eq!(client.data().await.1, "welcome");
}

#[tokio::test]
async fn closing_the_socket_says_goodbye_to_everybody() {
    let rtc = bind(RtcLimits::default()).await;
    let (_peer, _events, mut one) = publisher(&rtc).await;
    let (_other, _others, mut two) = subscriber(&rtc).await;
    rtc.close().await;
    one.sees(&Seen::Closed).await;
    two.sees(&Seen::Closed).await;
    assert_eq!(rtc.peers_len(), 0);
    assert_eq!(rtc.peer().unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn clients_must_be_told_where_to_find_the_server() {
    let udp_listen = "0.0.0.0:0".parse().unwrap();
    let limits = RtcLimits::default();
    for advertised in [vec![], vec!["0.0.0.0".parse().unwrap()]] {
        let error = Rtc::bind(RtcOptions { udp_listen, advertised, limits }).await.unwrap_err();
        assert!(error.to_string().starts_with("advertised: must name addresses"), "{error}");
    }
    let many = (1..=17).map(|last| IpAddr::from([10, 0, 0, last])).collect();
    let error = Rtc::bind(RtcOptions { udp_listen, advertised: many, limits }).await.unwrap_err();
    assert_eq!(error.to_string(), "advertised: must be at most 16, got 17");
}

/// Behind address translation the address that clients send to is not one of this machine.
#[tokio::test]
async fn a_server_on_all_interfaces_answers_from_where_it_was_reached() {
    let udp_listen = "[::]:0".parse().unwrap();
    let advertised = vec!["127.0.0.1".parse().unwrap(), "203.0.113.9".parse().unwrap()];
    let limits = RtcLimits::default();
    let rtc = Rtc::bind(RtcOptions { udp_listen, advertised, limits }).await.unwrap();
    let (peer, mut events, mut client) = publisher(&rtc).await;
    talk_both_ways(&peer, &mut events, &mut client).await;
}
