//! What can be told of a datagram without knowing any secret.

use std::str;

/// Which of the protocols that share the port a datagram belongs to (RFC 7983).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// A check of ICE, with the name of the peer that it is for.
    Check {
        ufrag: &'a str,
    },
    Dtls,
    /// Media, answers to checks (an ICE lite server asks nobody), and garbage.
    Other,
}

const HEADER_BYTES: usize = 20;
const BINDING_REQUEST: u16 = 1;
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const USERNAME: u16 = 6;

pub(super) fn kind(datagram: &[u8]) -> Kind<'_> {
    match datagram.first() {
        Some(0..=3) => checked_ufrag(datagram).map_or(Kind::Other, |ufrag| Kind::Check { ufrag }),
        Some(20..=63) => Kind::Dtls,
        _ => Kind::Other,
    }
}

/// The part of the username that names us; the part after the colon names the client.
fn checked_ufrag(datagram: &[u8]) -> Option<&str> {
    let (header, mut rest) = datagram.split_at_checked(HEADER_BYTES)?;
    if u16_at(header, 0)? != BINDING_REQUEST || header.get(4..8)? != MAGIC_COOKIE {
        return None;
    }
    while !rest.is_empty() {
        let length = usize::from(u16_at(rest, 2)?);
        let value = rest.get(4..4 + length)?;
        if u16_at(rest, 0)? == USERNAME {
            let username = str::from_utf8(value).ok()?;
            return username.split_once(':').map(|(ours, _)| ours);
        }
        rest = rest.get(4 + length.next_multiple_of(4)..)?;
    }
    None
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at + 2)?;
    pair.try_into().ok().map(u16::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut datagram = vec![0, 1, 0, 0];
        datagram.extend(MAGIC_COOKIE);
        datagram.extend([7; 12]);
        for (kind, value) in attributes {
            datagram.extend(kind.to_be_bytes());
            datagram.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
            datagram.extend(*value);
            datagram.resize(datagram.len().next_multiple_of(4), 0);
        }
        datagram
    }

    #[test]
    fn the_name_of_the_peer_is_found_behind_other_attributes() {
        let datagram = check(&[(0x8022, b"soft!"), (USERNAME, b"ours:theirs"), (0x24, b"prio")]);
        assert_eq!(kind(&datagram), Kind::Check { ufrag: "ours" });
    }

    #[test]
    fn what_is_no_whole_request_with_a_name_is_for_nobody() {
        let whole = check(&[(USERNAME, b"ours:theirs")]);
        let mut answer = whole.clone();
        answer[0] = 1;
        let mut other_cookie = whole.clone();
        other_cookie[4] = 0;
        let nameless = check(&[(USERNAME, b"ours")]);
        let not_text = check(&[(USERNAME, b"\xff:\xff")]);
        for datagram in [&answer, &other_cookie, &nameless, &not_text, &check(&[]), &vec![]] {
            assert_eq!(kind(datagram), Kind::Other);
        }
        for end in 0..whole.len() - 1 {
            assert_eq!(kind(&whole[..end]), Kind::Other, "{end} bytes");
        }
    }

    #[test]
    fn the_first_byte_tells_the_protocols_apart() {
        assert_eq!(kind(&[22, 254, 253]), Kind::Dtls);
        assert_eq!(kind(&[128, 96]), Kind::Other);
    }

    proptest! {
        #[test]
        fn no_datagram_makes_it_panic(
            mut datagram in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            kind(&datagram);
            for (at, byte) in [0, 1, 0, 0].into_iter().chain(MAGIC_COOKIE).enumerate() {
                if let Some(slot) = datagram.get_mut(at) {
                    *slot = byte;
                }
            }
            kind(&datagram);
        }
    }
}
