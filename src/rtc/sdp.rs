//! Descriptions of clients (SDP), and answers to them.
//!
//! str0m is shown one section of data only, written here from values that were checked. Everything
//! else of a client's description is answered here: audio and video as inactive, with the client's
//! own codecs, and the rest as refused. So no text of a client reaches a parser that may panic.

use std::fmt::Write as _;

use crate::error::Error;

/// Audio, video and data together.
const SECTIONS_MAX: usize = 128;
/// What RFC 8839 allows for both parts of the credentials.
const CREDENTIAL_BYTES_MAX: usize = 256;
const UFRAG_BYTES_MIN: usize = 4;
const PASSWORD_BYTES_MIN: usize = 22;
const MID_BYTES_MAX: usize = 64;
/// Of our own answers' and offers' lines, those that say how to connect.
const TRANSPORT: [&str; 5] =
    ["a=ice-ufrag:", "a=ice-pwd:", "a=ice-options:", "a=fingerprint:", "a=setup:"];
/// Of an offered section, what its answer repeats.
const CODECS: [&str; 3] = ["a=rtpmap:", "a=fmtp:", "a=rtcp-fb:"];

/// What a client's offer or answer says, checked.
#[derive(Debug)]
pub(super) struct Description<'a> {
    ufrag: &'a str,
    password: &'a str,
    fingerprint: &'a str,
    setup: &'a str,
    sections: Vec<Section<'a>>,
    is_bundle: bool,
}

#[derive(Debug)]
struct Section<'a> {
    kind: Kind,
    /// What stands behind `m=`: medium, port, protocol and formats.
    words: Vec<&'a str>,
    lines: Vec<&'a str>,
    mid: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Data,
    Media,
    Refused,
}

impl<'a> Description<'a> {
    pub(super) fn parse(
        field: &'static str,
        sdp: &'a str,
        bytes_max: usize,
    ) -> Result<Self, Error> {
        if sdp.len() > bytes_max {
            let problem = format!("must be at most {bytes_max} bytes, got {}", sdp.len());
            return Err(Error::invalid(field, problem));
        }
        let (session, mut sections) = split(field, sdp)?;
        let has = |line: &str| session.contains(&line);
        if !has("v=0") {
            return Err(Error::invalid(field, "is not SDP"));
        }
        if has("a=ice-lite") {
            return Err(Error::invalid(field, "must come from a full ICE agent, not a lite one"));
        }
        let bundle = value(&session, "a=group:BUNDLE");
        let mids: Vec<&str> = bundle.unwrap_or_default().split_ascii_whitespace().collect();
        refuse(&mut sections, bundle.is_some(), &mids);
        // The session speaks for all sections, else the first one that is taken speaks.
        let taken = || sections.iter().filter(|section| section.kind != Kind::Refused);
        if taken().next().is_none() {
            return Err(Error::invalid(field, "must have a section of data, audio or video"));
        }
        let find = |name: &'static str, is_good: fn(&str) -> bool| {
            let found = value(&session, name)
                .or_else(|| taken().find_map(|section| value(&section.lines, name)));
            let problem = format!("must have a valid line '{name}'");
            found.filter(|text| is_good(text)).ok_or_else(|| Error::invalid(field, problem))
        };
        Ok(Self {
            ufrag: find("a=ice-ufrag:", |text| is_credential(text, UFRAG_BYTES_MIN))?,
            password: find("a=ice-pwd:", |text| is_credential(text, PASSWORD_BYTES_MIN))?,
            fingerprint: find("a=fingerprint:", is_fingerprint)?,
            setup: find("a=setup:", |text| ["actpass", "active", "passive"].contains(&text))?,
            is_bundle: bundle.is_some(),
            sections,
        })
    }

    /// The name of the section of data.
    pub(super) fn data_mid(&self) -> Option<&'a str> {
        self.data()?.mid
    }

    fn data(&self) -> Option<&Section<'a>> {
        self.sections.iter().find(|section| section.kind == Kind::Data)
    }

    /// The same connection with a section of data alone. A client that offers none yet may do so
    /// later, without anything else changing.
    pub(super) fn for_data(&self, mid: &str) -> String {
        let (ufrag, password, setup) = (self.ufrag, self.password, self.setup);
        let fingerprint = self.fingerprint;
        let mut sdp = format!(
            "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {mid}\r\n\
             m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
             a=mid:{mid}\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n\
             a=fingerprint:{fingerprint}\r\na=setup:{setup}\r\na=sctp-port:5000\r\n"
        );
        let bytes_max = self.data().and_then(|data| value(&data.lines, "a=max-message-size:"));
        if let Some(bytes_max) = bytes_max.and_then(|text| text.parse::<u32>().ok()) {
            add(&mut sdp, format_args!("a=max-message-size:{bytes_max}"));
        }
        sdp
    }

    /// The answer to this offer, from str0m's answer to the section of data alone.
    pub(super) fn answer(&self, ours: &str) -> String {
        let ours: Vec<&str> = ours.lines().collect();
        let starting =
            |start: &'static str| ours.iter().filter(move |line| line.starts_with(start));
        let transport: Vec<&str> =
            TRANSPORT.iter().flat_map(|start| starting(start)).copied().collect();
        let candidates: Vec<&str> = starting("a=candidate:").copied().collect();
        let mut sdp = String::new();
        for line in ["v=0"].iter().chain(starting("o=")).chain(&["s=-", "t=0 0"]) {
            add(&mut sdp, format_args!("{line}"));
        }
        if self.is_bundle {
            let mids = self.sections.iter().filter(|section| section.kind != Kind::Refused);
            let mids: Vec<&str> = mids.filter_map(|section| section.mid).collect();
            add(&mut sdp, format_args!("a=group:BUNDLE {}", mids.join(" ")));
        }
        add(&mut sdp, format_args!("a=ice-lite"));
        let mut candidates = Some(candidates);
        for section in &self.sections {
            section.answer_head(&mut sdp);
            if section.kind == Kind::Refused {
                add(&mut sdp, format_args!("a=inactive"));
                continue;
            }
            // One way leads to all sections, and the first one describes it.
            for line in candidates.take().iter().flatten().chain(&transport) {
                add(&mut sdp, format_args!("{line}"));
            }
            if section.kind == Kind::Data {
                for line in starting("a=sctp-port:").chain(starting("a=max-message-size:")) {
                    add(&mut sdp, format_args!("{line}"));
                }
            } else {
                section.answer_media(&mut sdp);
            }
        }
        sdp
    }
}

impl Section<'_> {
    fn answer_head(&self, sdp: &mut String) {
        let port = if self.kind == Kind::Refused { 0 } else { 9 };
        let medium = self.words.first().copied().unwrap_or_default();
        let rest = self.words.get(2..).unwrap_or_default().join(" ");
        add(sdp, format_args!("m={medium} {port} {rest}"));
        add(sdp, format_args!("c=IN IP4 0.0.0.0"));
        if let Some(mid) = self.mid {
            add(sdp, format_args!("a=mid:{mid}"));
        }
    }

    fn answer_media(&self, sdp: &mut String) {
        add(sdp, format_args!("a=inactive"));
        add(sdp, format_args!("a=rtcp-mux"));
        let repeated = |line: &&&str| CODECS.iter().any(|start| line.starts_with(start));
        for line in self.lines.iter().filter(repeated) {
            add(sdp, format_args!("{line}"));
        }
    }
}

fn add(sdp: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = write!(sdp, "{line}\r\n");
}

/// The lines of the session, and those of each section.
fn split<'a>(field: &'static str, sdp: &'a str) -> Result<(Vec<&'a str>, Vec<Section<'a>>), Error> {
    let (mut session, mut sections) = (Vec::new(), Vec::<Section<'_>>::new());
    for line in sdp.lines() {
        if let Some(media) = line.strip_prefix("m=") {
            let words: Vec<&str> = media.split_ascii_whitespace().collect();
            if words.len() < 4 || sections.len() == SECTIONS_MAX {
                let problem =
                    format!("must have at most {SECTIONS_MAX} sections, all with formats");
                return Err(Error::invalid(field, problem));
            }
            let kind = kind(&words);
            sections.push(Section { kind, words, lines: Vec::new(), mid: None });
        } else if let Some(section) = sections.last_mut() {
            section.lines.push(line);
        } else {
            session.push(line);
        }
    }
    for section in &mut sections {
        section.mid = value(&section.lines, "a=mid:").filter(|mid| is_mid(mid));
    }
    Ok((session, sections))
}

fn kind(words: &[&str]) -> Kind {
    match *words {
        ["application", _, protocol, "webrtc-datachannel"] if protocol.ends_with("DTLS/SCTP") => {
            Kind::Data
        }
        ["audio" | "video", ..] => Kind::Media,
        _ => Kind::Refused,
    }
}

/// Takes one way for all, and data once: what the client has given up itself, what does not share
/// the way, and what is said twice is refused.
fn refuse(sections: &mut [Section<'_>], is_bundle: bool, bundled: &[&str]) {
    let (mut has_data, mut has_any, mut seen) = (false, false, Vec::new());
    for section in sections {
        let is_only_bundled = section.lines.contains(&"a=bundle-only");
        let is_given_up = section.words.get(1) == Some(&"0") && !is_only_bundled;
        let shares = match section.mid {
            Some(mid) if is_bundle => bundled.contains(&mid) && !seen.contains(&mid),
            _ => !is_bundle && !has_any,
        };
        if is_given_up || !shares || (section.kind == Kind::Data && has_data) {
            section.kind = Kind::Refused;
        }
        has_data |= section.kind == Kind::Data;
        has_any |= section.kind != Kind::Refused;
        seen.extend(section.mid);
    }
}

fn value<'a>(lines: &[&'a str], name: &str) -> Option<&'a str> {
    lines.iter().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

fn is_credential(text: &str, bytes_min: usize) -> bool {
    let is_char = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    // Some clients use characters that RFC 8839 does not have.
    let is_char = |byte: u8| is_char(byte) || b"-_=".contains(&byte);
    (bytes_min..=CREDENTIAL_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_char)
}

/// A hash that str0m knows, and its bytes.
fn is_fingerprint(text: &str) -> bool {
    let Some((hash, bytes)) = text.split_once(' ') else { return false };
    let bytes_len = match hash.to_ascii_lowercase().as_str() {
        "sha-1" => 20,
        "sha-256" => 32,
        _ => return false,
    };
    let is_pair = |pair: &str| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
    bytes.split(':').count() == bytes_len && bytes.split(':').all(is_pair)
}

fn is_mid(text: &str) -> bool {
    (1..=MID_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests;
