//! What nobody may do: with garbage, under another's address, or by sheer number.

use proptest::prelude::*;
use str0m::ice::{IceCreds, StunMessage, TransId};
use tokio::net::UdpSocket;

use super::*;

/// What comes under the address of a connection but not from its client.
#[tokio::test]
async fn garbage_from_the_clients_own_address_breaks_nothing() {
    let rtc = bind(RtcLimits::default()).await;
    let (peer, mut events, mut client) = publisher(&rtc).await;
    talk_both_ways(&peer, &mut events, &mut client).await;
    for first in [0, 1, 20, 21, 22, 23, 26, 40, 63, 64, 128, 200, 255] {
        for length in [1, 12, 13, 14, 20, 60, 1200] {
            let mut datagram = vec![0xfe; length];
            datagram[0] = first;
            client.send_garbage(datagram);
        }
        // A record of DTLS 1.2, which says how long it is.
        client.send_garbage(
            [&[first, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2][..], &[2, 40]].concat(),
        );
        client
            .send_garbage([&[first, 254, 253, 0, 1, 0, 0, 9, 0, 0, 1, 0, 9][..], &[7; 9]].concat());
    }
    client.send_garbage(vec![22; 5000]);
    talk_both_ways(&peer, &mut events, &mut client).await;
}

/// A check of ICE, signed.
fn check(username: &str, password: &str) -> Vec<u8> {
    let request = StunMessage::binding_request(username, TransId::new(), true, 7, 99, false);
    let provider = str0m::crypto::from_feature_flags().sha1_hmac_provider;
    let mut buffer = vec![0; 1500];
    let hmac = |key: &[u8], parts: &[&[u8]]| provider.sha1_hmac(key, parts);
    let length = request.to_bytes(Some(password.as_bytes()), &mut buffer, hmac).unwrap();
    buffer.truncate(length);
    buffer
}

fn credentials(sdp: &str) -> IceCreds {
    let value =
        |name: &str| sdp.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
    IceCreds { ufrag: value("a=ice-ufrag:"), pass: value("a=ice-pwd:") }
}

/// Only a check that is signed with the password makes the server answer, so that it can be used
/// to flood nobody.
#[tokio::test]
async fn nobody_is_answered_without_the_password() {
    let rtc = bind(RtcLimits::default()).await;
    let server = rtc.local_addr().unwrap();
    let (peer, _events) = rtc.peer().unwrap();
    let mut client = Client::new().await;
    let answer = peer.accept(&client.offer(&[reliable()])).await.unwrap();
    let known = credentials(&answer);
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let username = format!("{}:them", known.ufrag);
    for datagram in [check(&username, "wrong, but as long"), check("unknown:them", &known.pass)] {
        stranger.send_to(&datagram, server).await.unwrap();
    }
    stranger.send_to(&[22, 254, 253, 0, 0], server).await.unwrap();
    // The connection comes up after that, so the server has seen it all.
    client.answered(&answer);
    let mut client = client.run();
    client.sees(&Seen::Connected).await;
    let nothing = stranger.try_recv(&mut [0; 1500]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
}

/// Nothing is read from a client whose data its owner does not take, but it must not be taken for lost.
#[tokio::test]
async fn a_client_that_is_held_up_is_still_answered() {
    const MESSAGES: usize = 100;
    let limits = RtcLimits { events_bytes_max: 20_000, ..RtcLimits::default() };
    let rtc = bind(limits).await;
    let (peer, mut events) = rtc.peer().unwrap();
    let mut client = Client::new().await;
    let offer = client.offer(&[reliable()]);
    let answer = peer.accept(&offer).await.unwrap();
    let (ours, theirs) = (credentials(&answer), credentials(&offer));
    client.answered(&answer);
    let mut client = client.run();
    client.opens(1).await;
    for _ in 0..MESSAGES {
        client.send("_reliable", vec![0; 8_000]);
    }
    let path = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    path.connect(rtc.local_addr().unwrap()).await.unwrap();
    let username = format!("{}:{}", ours.ufrag, theirs.ufrag);
    for _ in 0..50 {
        path.send(&check(&username, &ours.pass)).await.unwrap();
        let answered = timeout(WITHIN, path.recv(&mut [0; 1500])).await;
        assert!(answered.expect("an answer was to come").unwrap() > 0);
    }
    for _ in 0..MESSAGES {
        while !matches!(next(&mut events).await, Some(Event::Data { .. })) {}
    }
}

/// The routes of two peers: an address is whose checks came from there last, and not long ago.
#[test]
fn an_address_in_use_cannot_be_taken_over() {
    let routes = Arc::default();
    let places = Arc::new(Semaphore::new(2));
    let seat = || {
        let (inbox, datagrams) = mpsc::channel(4);
        let place = Arc::clone(&places).try_acquire_owned().unwrap();
        (routes::Seat::new(&routes, inbox, place), datagrams)
    };
    let ((mut one, mut ones), (mut two, mut twos)) = (seat(), seat());
    let address: std::net::SocketAddr = "192.0.2.1:5000".parse().unwrap();
    let net = socket::NetPath { remote: address, local_ip: None };
    let deliver = || routes.deliver([(&[22][..], net)].into_iter());
    let start = driver::now();
    assert!(one.claim(address, start));
    assert!(!two.claim(address, start + Duration::from_secs(9)));
    deliver();
    assert!(ones.try_recv().is_ok() && twos.try_recv().is_err());
    assert!(two.claim(address, start + Duration::from_secs(10)), "its owner is silent");
    deliver();
    assert!(ones.try_recv().is_err() && twos.try_recv().is_ok());
    drop(one);
    deliver();
    assert!(twos.try_recv().is_ok(), "it is not the first one's to give up any more");
    drop(two);
    deliver();
    assert!(twos.try_recv().is_err());
}

#[tokio::test]
async fn a_client_that_opens_too_many_channels_is_closed() {
    let rtc = bind(RtcLimits { channels_per_peer_max: 2, ..RtcLimits::default() }).await;
    let (peer, mut events, mut client) = publisher(&rtc).await;
    client.open(str0m::channel::ChannelConfig { label: "third".to_owned(), ..reliable() });
    client.sees(&Seen::Closed).await;
    while next(&mut events).await.is_some() {}
    let three = ["a", "b", "c"].map(ChannelSpec::reliable);
    drop(peer);
    let (peer, _events) = rtc.peer().unwrap();
    let error = peer.offer(&three).await.unwrap_err();
    assert_eq!(error.fields()[0].problem, "must be at most 2 in all, got 3");
    let long = ChannelSpec::reliable("x".repeat(257));
    let error = peer.offer(&[long]).await.unwrap_err();
    assert_eq!(error.fields()[0].problem, "must be at most 256 bytes, got 257");
    assert_eq!(peer.offer(&[]).await.unwrap_err().fields()[0].field, "channels");
}

#[tokio::test]
async fn a_description_that_does_not_fit_is_refused_and_the_peer_goes_on() {
    let rtc = bind(RtcLimits { sdp_bytes_max: 20_000, ..RtcLimits::default() }).await;
    let (peer, mut events) = rtc.peer().unwrap();
    let problem =
        async |offer: &str| peer.accept(offer).await.unwrap_err().fields()[0].problem.clone();
    assert_eq!(problem("").await, "is not SDP");
    assert_eq!(problem("hello").await, "is not SDP");
    assert_eq!(problem(&"v".repeat(20_001)).await, "must be at most 20000 bytes, got 20001");
    let mut client = Client::new().await;
    let offer = client.offer(&[reliable()]);
    let without = |start: &str| {
        let kept: Vec<&str> = offer.lines().filter(|line| !line.starts_with(start)).collect();
        kept.join("\r\n") + "\r\n"
    };
    let no_name = problem(&without("a=ice-ufrag")).await;
    assert_eq!(no_name, "must have a valid line 'a=ice-ufrag:'");
    let answer = peer.accept(&offer).await.unwrap();
    let crossed = peer.offer(&[ChannelSpec::reliable("_reliable")]).await.unwrap_err();
    assert_eq!(crossed.public(), "the client makes the offers of this connection");
    client.answered(&answer);
    let _client = client.run();
    happens(&mut events, &open("_reliable")).await;
}

fn engine() -> Engine {
    let limits = RtcLimits::default();
    let certificate = from_feature_flags().dtls_provider.generate_certificate().unwrap();
    let candidates: Arc<[SocketAddr]> = Arc::new(["127.0.0.1:9".parse().unwrap()]);
    let channels = Arc::new(Channels::new(&limits));
    Engine::new(&certificate, &limits, candidates, channels, driver::now())
}

/// A real offer, to be broken.
async fn offer() -> String {
    Client::new().await.offer_with_media(&[reliable(), lossy()])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Lines of a real offer that are left out, doubled, moved or changed in one character.
    #[test]
    fn no_description_makes_it_panic(
        edits in proptest::collection::vec((0..4u8, any::<prop::sample::Index>(),
            any::<prop::sample::Index>(), any::<char>()), 1..12),
        is_answer in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let offer = runtime.block_on(offer());
        let mut lines: Vec<String> = offer.lines().map(str::to_owned).collect();
        for (kind, at, to, character) in edits {
            if lines.is_empty() {
                break;
            }
            let (at, to) = (at.index(lines.len()), to.index(lines.len()));
            match kind {
                0 => drop(lines.remove(at)),
                1 => lines.insert(to, lines[at].clone()),
                2 => lines.swap(at, to),
                _ => {
                    let line: Vec<char> = lines[at].chars().collect();
                    let spot = to.min(line.len());
                    let rest = line[spot..].iter().skip(1);
                    lines[at] = line[..spot].iter().chain([&character]).chain(rest).collect();
                }
            }
        }
        let text = lines.join("\r\n") + "\r\n";
        let mut engine = engine();
        if is_answer {
            engine.offer(&[ChannelSpec::reliable("_reliable")]).unwrap();
            let _ = engine.answered(&text);
        } else {
            let _ = engine.accept(&text);
        }
        for _ in 0..100 {
            if !matches!(engine.poll(), engine::Output::Event(_)) {
                break;
            }
        }
        if let Err(error) = engine.accept(&offer) {
            let codes = [Code::InvalidArgument, Code::FailedPrecondition];
            prop_assert!(codes.contains(&error.code()), "{}", error);
        }
    }

    /// Records of DTLS from a client whose checks are good, before anything is agreed.
    #[test]
    fn no_record_makes_it_panic(
        records in proptest::collection::vec(
            (20..27u8, 0..2u8, any::<bool>(), proptest::collection::vec(any::<u8>(), 0..80)),
            1..20,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let offer = runtime.block_on(offer());
        let mut engine = engine();
        let (ours, theirs) = (credentials(&engine.accept(&offer).unwrap()), credentials(&offer));
        let signed = check(&format!("{}:{}", ours.ufrag, theirs.ufrag), &ours.pass);
        let path = socket::NetPath { remote: "192.0.2.1:5000".parse().unwrap(), local_ip: None };
        let mut take = |contents: Vec<u8>| {
            let datagram = socket::Datagram { contents: contents.into(), path };
            engine.receive(&datagram, driver::now(), |_| true);
            let mut sent = 0;
            loop {
                match engine.poll() {
                    engine::Output::Send { .. } => sent += 1,
                    engine::Output::Event(_) => {}
                    engine::Output::Wait(_) | engine::Output::Ended => return sent,
                }
            }
        };
        prop_assert_eq!(take(signed), 1, "the check is answered");
        for (number, (kind, epoch, is_hello, mut payload)) in (0u8..).zip(records) {
            // As a handshake it says what it is and how long.
            if is_hello && let Ok(length) = u8::try_from(payload.len()) {
                let head = [1, 0, 0, length, 0, 0, 0, 0, 0, 0, 0, length, 254, 253];
                payload.splice(0..0, head);
            }
            let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
            let head = [kind, 254, 253, 0, epoch, 0, 0, 0, 0, 0, number, length[0], length[1]];
            take([&head[..], &payload].concat());
        }
    }
}
