//! Which tracks a description says that its maker sends.

use std::collections::BTreeSet;

/// The clients' own ids of tracks, as `a=msid:<stream> <track>` has them, of those sections that
/// send.
pub fn sent_tracks(sdp: &str) -> BTreeSet<String> {
    let mut sent = BTreeSet::new();
    for section in sdp.split("\nm=").skip(1) {
        let mut lines = section.lines().map(str::trim_end);
        let is_sent = lines.clone().any(|line| matches!(line, "a=sendonly" | "a=sendrecv"));
        let track = lines.find_map(|line| line.strip_prefix("a=msid:")?.split(' ').nth(1));
        if let (true, Some(track)) = (is_sent, track) {
            sent.insert(track.to_owned());
        }
    }
    sent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_is_sent_until_its_section_does_not_send() {
        let sdp = |direction: &str| {
            format!(
                "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n\
                 m=video 9 UDP/TLS/RTP/SAVPF 96\r\na={direction}\r\na=msid:stream camera\r\n"
            )
        };
        assert_eq!(sent_tracks(&sdp("sendonly")), BTreeSet::from(["camera".to_owned()]));
        assert_eq!(sent_tracks(&sdp("sendrecv")), BTreeSet::from(["camera".to_owned()]));
        for direction in ["inactive", "recvonly"] {
            assert!(sent_tracks(&sdp(direction)).is_empty());
        }
        assert!(sent_tracks("").is_empty() && sent_tracks("m=\na=msid:").is_empty());
    }
}
