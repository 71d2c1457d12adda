//! Identifiers of sessions: of a room, of a participant's stay in it, of a track.

use crate::domain::live::{TrackKind, TrackSource};
use crate::error::Error;

/// No character that looks like another one.
const ALPHABET: &[u8; 57] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const RANDOM_CHARS: usize = 12;

#[derive(Debug, Clone, Copy)]
pub enum SidKind {
    Room,
    Participant,
    Track(TrackKind, TrackSource),
    WebhookEvent,
}

impl SidKind {
    fn prefix(self) -> String {
        match self {
            Self::Room => "RM_".to_owned(),
            Self::Participant => "PA_".to_owned(),
            Self::WebhookEvent => "EV_".to_owned(),
            Self::Track(kind, source) => {
                let kind = match kind {
                    TrackKind::Audio => "A",
                    TrackKind::Video => "V",
                    TrackKind::Data => "D",
                };
                let source = match source {
                    TrackSource::Camera => "C",
                    TrackSource::Microphone => "M",
                    TrackSource::ScreenShare => "S",
                    TrackSource::ScreenShareAudio => "s",
                    TrackSource::Unknown => "U",
                };
                format!("TR_{kind}{source}")
            }
        }
    }
}

/// One that was never given before.
pub fn new_sid(kind: SidKind) -> Result<String, Error> {
    Ok(kind.prefix() + &random_sid_text(RANDOM_CHARS)?)
}

/// Characters of the alphabet of identifiers, each as likely as the others.
pub fn random_sid_text(chars: usize) -> Result<String, Error> {
    let mut text = String::with_capacity(chars);
    let mut bytes = [0_u8; 64];
    while text.len() < chars {
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::internal("no randomness"))?;
        // The last part of a byte's range would make the first characters more likely.
        let fair = bytes.iter().filter(|byte| usize::from(**byte) < 4 * ALPHABET.len());
        let letters = fair.filter_map(|byte| ALPHABET.get(usize::from(*byte) % ALPHABET.len()));
        text.extend(letters.take(chars - text.len()).map(|letter| char::from(*letter)));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_livekits_form() {
        let room = new_sid(SidKind::Room).unwrap();
        assert_eq!(room.len(), 15);
        assert!(room.strip_prefix("RM_").unwrap().bytes().all(|byte| ALPHABET.contains(&byte)));
        let track = new_sid(SidKind::Track(TrackKind::Video, TrackSource::Camera)).unwrap();
        assert!(track.starts_with("TR_VC") && track.len() == 17, "{track}");
        assert_ne!(room, new_sid(SidKind::Room).unwrap());
    }
}
