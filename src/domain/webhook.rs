//! Events that the application is told by calls to its own addresses.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::Error;

pub const WEBHOOK_ID_BYTES_MAX: usize = 64;
pub const WEBHOOK_NAME_BYTES_MAX: usize = 64;

/// What is sent: the same bytes under the same id, however often it has to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookEvent {
    /// Receivers know by it what they have had already.
    pub id: Arc<str>,
    /// What happened, such as `room_started`.
    pub name: Arc<str>,
    pub body: Bytes,
}

impl WebhookEvent {
    /// Both texts may stand in headers, so they are words of letters, digits, `_`, `-` and `.`.
    pub fn new(id: &str, name: &str, body: Bytes) -> Result<Self, Error> {
        check("id", id, WEBHOOK_ID_BYTES_MAX)?;
        check("event", name, WEBHOOK_NAME_BYTES_MAX)?;
        Ok(Self { id: id.into(), name: name.into(), body })
    }
}

/// The body is what users did and wrote, which no log should hold.
impl fmt::Debug for WebhookEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, name, body } = self;
        write!(f, "WebhookEvent({name} {id}, {} bytes)", body.len())
    }
}

fn check(field: &str, raw: &str, bytes_max: usize) -> Result<(), Error> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if (1..=bytes_max).contains(&raw.len()) && raw.bytes().all(is_word) {
        return Ok(());
    }
    let problem = format!("must be 1 to {bytes_max} letters, digits, '_', '-' or '.'");
    Err(Error::invalid(field, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_names_are_words() {
        let event = |id: &str, name: &str| WebhookEvent::new(id, name, Bytes::new());
        let fine = event("EV_2aB", "room_started").unwrap();
        assert_eq!((&*fine.id, &*fine.name), ("EV_2aB", "room_started"));
        event(&"a".repeat(WEBHOOK_ID_BYTES_MAX), "thread.created-2").unwrap();
        let wrong = [("", "a"), ("a", ""), ("a b", "a"), ("a", "a\n"), ("é", "a"), ("a", "a\0")];
        for (id, name) in wrong {
            assert!(event(id, name).is_err(), "{id:?} {name:?}");
        }
        let error = event("a", &"a".repeat(WEBHOOK_NAME_BYTES_MAX + 1)).unwrap_err();
        assert!(error.public().contains("'event': must be 1 to 64"), "{error}");
    }
}
