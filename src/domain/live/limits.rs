//! Sizes that LiveKit's clients and servers agree upon, and the words in which it says that one was
//! exceeded.

use std::collections::BTreeMap;

use crate::domain::ids::{USER_ID_CHARS_MAX, check_text};
use crate::error::{Code, Error};

/// Of a room and of a participant.
pub const METADATA_BYTES_MAX: usize = 512 << 10;
/// Keys and values of all attributes of a participant together.
pub const ATTRIBUTES_BYTES_MAX: usize = 64 << 10;
pub const NAME_BYTES_MAX: usize = 256;
pub const IDENTITY_BYTES_MAX: usize = 256;
pub const ROOM_NAME_BYTES_MAX: usize = 256;
/// What SendData carries.
pub const DATA_BYTES_MAX: usize = 64_000;
/// One message of a data channel, which is all that reaches somebody at once.
pub const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// A packet of somebody in a room, without the names of those it is for. The rest of a message says
/// who sent it, twice.
pub const PACKET_BYTES_MAX: usize = 64_400;
/// The same with the names.
pub const NAMED_PACKET_BYTES_MAX: usize = DATA_BYTES_MAX + (16 << 10);

/// Whom one packet may name.
pub const DESTINATIONS_MAX: usize = 1_000;
/// What a packet is about.
pub const TOPIC_BYTES_MAX: usize = 1_024;

fn exceeds(what: &str, limit: usize) -> Error {
    Error::argument(format!("{what} exceeds limits"), limit.to_string())
}

pub fn check_metadata(metadata: &str) -> Result<(), Error> {
    if metadata.len() > METADATA_BYTES_MAX {
        return Err(exceeds("metadata size", METADATA_BYTES_MAX));
    }
    check_text("metadata", metadata)
}

/// Of whoever takes part in a room.
pub fn check_identity(identity: &str) -> Result<(), Error> {
    check_identity_within(identity, IDENTITY_BYTES_MAX)
}

/// Of whoever can be listed: users of roomd take part under their ids, which may be longer.
pub fn check_listed(identity: &str) -> Result<(), Error> {
    const CHARACTER_BYTES_MAX: usize = 4;
    check_identity_within(identity, USER_ID_CHARS_MAX * CHARACTER_BYTES_MAX)
}

fn check_identity_within(identity: &str, bytes_max: usize) -> Result<(), Error> {
    match identity.len() {
        0 => Err(Error::invalid("identity", "must not be empty")),
        bytes if bytes > bytes_max => Err(exceeds("identity length", bytes_max)),
        _ => check_text("identity", identity),
    }
}

/// All that is said of somebody, in the order in which LiveKit looks at it.
pub fn check_person(
    name: &str,
    metadata: &str,
    attributes: &BTreeMap<String, String>,
) -> Result<(), Error> {
    check_name(name)?;
    check_metadata(metadata)?;
    check_attributes(attributes)
}

pub fn check_room_name(name: &str) -> Result<(), Error> {
    if name.len() <= ROOM_NAME_BYTES_MAX {
        return Ok(());
    }
    let problem = format!("room name length exceeds limits: max length {ROOM_NAME_BYTES_MAX}");
    Err(Error::new(Code::InvalidArgument, "ROOM_NAME_TOO_LONG", problem))
}

pub fn check_name(name: &str) -> Result<(), Error> {
    if name.len() > NAME_BYTES_MAX {
        return Err(exceeds("name length", NAME_BYTES_MAX));
    }
    check_text("name", name)
}

pub fn check_attributes(attributes: &BTreeMap<String, String>) -> Result<(), Error> {
    let bytes: usize = attributes.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > ATTRIBUTES_BYTES_MAX {
        return Err(exceeds("attribute size", ATTRIBUTES_BYTES_MAX));
    }
    attributes.iter().try_for_each(|(key, value)| {
        check_text("attributes", key)?;
        check_text("attributes", value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_inclusive_and_named_as_livekit_does() {
        assert!(check_metadata(&"m".repeat(METADATA_BYTES_MAX)).is_ok());
        let error = check_metadata(&"m".repeat(METADATA_BYTES_MAX + 1)).unwrap_err();
        assert_eq!(error.public(), "metadata size exceeds limits 524288");
        assert_eq!(error.fields()[0].field, "metadata size exceeds limits");
        let error = check_name(&"n".repeat(NAME_BYTES_MAX + 1)).unwrap_err();
        assert_eq!(error.public(), "name length exceeds limits 256");
        let key = "k".repeat(ATTRIBUTES_BYTES_MAX);
        assert!(check_attributes(&BTreeMap::from([(key.clone(), String::new())])).is_ok());
        let error = check_attributes(&BTreeMap::from([(key, "v".to_owned())])).unwrap_err();
        assert_eq!(error.public(), "attribute size exceeds limits 65536");
    }
}
