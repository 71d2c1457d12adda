use proptest::prelude::*;

use super::*;

const TRANSPORT_LINES: &str = "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n\
    a=setup:actpass\r\na=candidate:1 1 udp 1 abc.local 9 typ host\r\n";

fn fingerprint(count: usize) -> String {
    format!("a=fingerprint:sha-256 {}\r\n", ["AB"].repeat(count).join(":"))
}

fn offer() -> String {
    let (transport, fingerprint) = (TRANSPORT_LINES, fingerprint(32));
    format!(
        "v=0\r\no=- 7 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\na=mid:0\r\na=sendrecv\r\n\
         a=rtpmap:111 opus/48000/2\r\n{transport}{fingerprint}a=ssrc:1 cname:x\r\n\
         m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\na=sctp-port:5000\r\n\
         a=max-message-size:262144\r\n\
         m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:2\r\n\
         m=text 9 RTP/AVP 98\r\na=mid:3\r\n"
    )
}

fn problem(sdp: &str) -> String {
    let error = Description::parse("offer", sdp, 10_000).unwrap_err();
    assert_eq!(error.fields()[0].field, "offer");
    error.fields()[0].problem.clone()
}

#[test]
fn str0m_sees_data_alone() {
    let offer = offer();
    let description = Description::parse("offer", &offer, 10_000).unwrap();
    assert_eq!(description.data_mid(), Some("1"));
    let fingerprint = fingerprint(32);
    let expected = format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n\
         a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n{fingerprint}a=setup:actpass\r\n\
         a=sctp-port:5000\r\na=max-message-size:262144\r\n"
    );
    assert_eq!(description.for_data("0"), expected);
}

#[test]
fn every_section_is_answered_in_its_place() {
    let offer = offer();
    let description = Description::parse("offer", &offer, 10_000).unwrap();
    let ours = "v=0\r\no=x 1 2 IN IP4 0.0.0.0\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
        a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\na=ice-ufrag:ours\r\na=setup:passive\r\n\
        a=mid:0\r\na=sctp-port:5000\r\na=max-message-size:65536\r\n";
    let expected = "v=0\r\no=x 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
        a=ice-lite\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n\
        a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\na=ice-ufrag:ours\r\na=setup:passive\r\n\
        a=inactive\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n\
        a=ice-ufrag:ours\r\na=setup:passive\r\na=sctp-port:5000\r\na=max-message-size:65536\r\n\
        m=video 0 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\na=inactive\r\n\
        m=text 0 RTP/AVP 98\r\nc=IN IP4 0.0.0.0\r\na=mid:3\r\na=inactive\r\n";
    assert_eq!(description.answer(ours), expected);
}

#[test]
fn one_section_needs_no_bundle() {
    let alone = offer().replace("a=group:BUNDLE 0 1\r\n", "");
    let description = Description::parse("offer", &alone, 10_000).unwrap();
    let answer = description.answer("");
    assert!(!answer.contains("BUNDLE") && answer.contains("m=audio 9 "), "{answer}");
    assert!(answer.contains("m=application 0 "), "{answer}");
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let offer = offer();
    assert_eq!(problem("hello"), "is not SDP");
    assert_eq!(problem(&"x".repeat(10_001)), "must be at most 10000 bytes, got 10001");
    let lite = offer.replacen("t=0 0", "a=ice-lite", 1);
    assert_eq!(problem(&lite), "must come from a full ICE agent, not a lite one");
    assert_eq!(problem("v=0\r\n"), "must have a section of data, audio or video");
    for (text, with, line) in [
        ("a=ice-ufrag:abcd", "a=ice-ufrag:abc", "a=ice-ufrag:"),
        ("a=ice-pwd:", "a=ice-pwd:a b", "a=ice-pwd:"),
        ("a=setup:actpass", "a=setup:holdconn", "a=setup:"),
        ("a=fingerprint:sha-256 AB", "a=fingerprint:sha-256 A", "a=fingerprint:"),
        ("a=fingerprint:sha-256", "a=fingerprint:md5", "a=fingerprint:"),
    ] {
        let found = problem(&offer.replacen(text, with, 1));
        assert_eq!(found, format!("must have a valid line '{line}'"));
    }
    let sections = "must have at most 128 sections, all with formats";
    assert_eq!(problem(&format!("v=0\r\n{}", "m=video 9 x 1\r\n".repeat(129))), sections);
    assert_eq!(problem("v=0\r\nm=video 9 x\r\n"), sections);
}

proptest! {
    /// Whatever is taken is written as lines that str0m reads.
    #[test]
    fn what_is_taken_is_well_formed(
        edits in proptest::collection::vec(
            (any::<prop::sample::Index>(), any::<char>(), any::<bool>()), 0..6,
        ),
    ) {
        let mut text: Vec<char> = offer().chars().collect();
        for (at, character, replaces) in edits {
            let at = at.index(text.len());
            if replaces { text[at] = character } else { text.insert(at, character) }
        }
        let text: String = text.into_iter().collect();
        if let Ok(description) = Description::parse("offer", &text, 10_000) {
            let sdp = description.for_data("0");
            prop_assert!(str0m::change::SdpOffer::from_sdp_string(&sdp).is_ok(), "{}", sdp);
        }
    }
}
