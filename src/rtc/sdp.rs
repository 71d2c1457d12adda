//! What of a client's description reaches str0m.

use std::borrow::Cow;

use crate::error::Error;

/// Audio, video and data together.
const SECTIONS_MAX: usize = 128;

/// Of a section of media, what it takes to answer that nothing will flow: the codecs, since an
/// answer without one would be a refusal, and what belongs to the transport.
const KEPT_OF_MEDIA: [&str; 13] = [
    "m=",
    "c=",
    "a=mid:",
    "a=bundle-only",
    "a=rtcp-mux",
    "a=ice-ufrag:",
    "a=ice-pwd:",
    "a=ice-options:",
    "a=fingerprint:",
    "a=setup:",
    "a=rtpmap:",
    "a=fmtp:",
    "a=rtcp-fb:",
];

/// A client's candidates are of no use to a server that is ICE lite, and may be names that only the
/// client's own network knows.
const CANDIDATES: [&str; 3] = ["a=candidate:", "a=end-of-candidates", "a=remote-candidates:"];

/// The description without candidates, and with all audio and video inactive.
pub(super) fn for_data(field: &'static str, sdp: &str, bytes_max: usize) -> Result<String, Error> {
    if sdp.len() > bytes_max {
        let problem = format!("must be at most {bytes_max} bytes, got {}", sdp.len());
        return Err(Error::invalid(field, problem));
    }
    let mut kept = String::with_capacity(sdp.len());
    let mut sections = 0;
    let mut is_media = false;
    for line in sdp.lines().filter(|line| !line.is_empty()) {
        if let Some(section) = line.strip_prefix("m=") {
            sections += 1;
            end_section(&mut kept, is_media);
            is_media = ["audio ", "video "].iter().any(|kind| section.starts_with(kind));
        }
        let is_kept = !is_media || KEPT_OF_MEDIA.iter().any(|start| line.starts_with(start));
        if is_kept && !CANDIDATES.iter().any(|start| line.starts_with(start)) {
            kept.push_str(line);
            kept.push_str("\r\n");
        }
    }
    end_section(&mut kept, is_media);
    if sections > SECTIONS_MAX {
        let problem = format!("must have at most {SECTIONS_MAX} sections, got {sections}");
        return Err(Error::invalid(field, problem));
    }
    Ok(kept)
}

fn end_section(kept: &mut String, is_media: bool) {
    if is_media {
        kept.push_str("a=inactive\r\n");
    }
}

/// A section of media of our answer that has no codec is not valid. Stock clients offer at least
/// one that everybody knows.
pub(super) fn check_codecs(field: &'static str, answer: &str) -> Result<(), Error> {
    let without = answer.lines().find(|line| {
        (line.starts_with("m=audio ") || line.starts_with("m=video "))
            && line.split_ascii_whitespace().count() <= 3
    });
    match without {
        Some(_) => Err(Error::invalid(field, "has a section of media without any known codec")),
        None => Ok(()),
    }
}

/// The client hears what is wrong in general, the log hears what str0m says.
pub(super) fn refused(
    field: &'static str,
    problem: impl Into<Cow<'static, str>>,
    cause: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::invalid(field, problem.into()).because(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_becomes_inactive_and_candidates_go() {
        let sdp = "v=0\r\na=group:BUNDLE 0 1\r\n\
            m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=sendrecv\r\na=rtpmap:111 opus/48000/2\r\n\
            a=ssrc:1 cname:x\r\na=candidate:1 1 udp 1 abc.local 9 typ host\r\n\
            m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=mid:1\na=sctp-port:5000\n\
            a=end-of-candidates\n";
        let kept = for_data("offer", sdp, 1000).unwrap();
        let expected = "v=0\r\na=group:BUNDLE 0 1\r\n\
            m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\na=inactive\r\n\
            m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\na=sctp-port:5000\r\n";
        assert_eq!(kept, expected);
    }

    #[test]
    fn what_is_too_long_is_refused_by_field_and_limit() {
        let error = for_data("offer", &"x".repeat(11), 10).unwrap_err();
        assert_eq!(error.fields()[0].field, "offer");
        assert_eq!(error.fields()[0].problem, "must be at most 10 bytes, got 11");
        let many = "m=video 9\r\n".repeat(SECTIONS_MAX + 1);
        let error = for_data("answer", &many, 1 << 20).unwrap_err();
        assert_eq!(error.fields()[0].problem, "must have at most 128 sections, got 129");
    }

    #[test]
    fn a_section_without_a_codec_is_found() {
        assert!(
            check_codecs("offer", "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nm=application 9 x\r\n")
                .is_ok()
        );
        assert!(check_codecs("offer", "m=video 9 UDP/TLS/RTP/SAVPF \r\n").is_err());
    }
}
