//! What requests may say, in the words in which LiveKit refuses the rest.

use bytes::Bytes;

use crate::domain::ids::{RoomId, check_text};
use crate::domain::live::{
    DATA_BYTES_MAX, DESTINATIONS_MAX, LiveData, NONCE_BYTES, TOPIC_BYTES_MAX,
};
use crate::error::{Code, Error};
use crate::proto::livekit;
use crate::room::live::live_room_not_found;

const METHOD_BYTES_MAX: usize = 64;

/// The id of a room that must be there. A name that no room can have is that of none.
pub fn live_id(name: &str) -> Result<RoomId, Error> {
    RoomId::parse("room", name).map_err(|_| live_room_not_found())
}

pub fn check_egress(request: &livekit::CreateRoomRequest) -> Result<(), Error> {
    if request.egress.is_none() {
        return Ok(());
    }
    // LiveKit's text has no roomd behind it: there is nothing here that records.
    let problem = "egress not connected (redis required)";
    Err(Error::new(Code::Unimplemented, "EGRESS_NOT_CONNECTED", problem))
}

pub fn check_destination(room: &str, to: &str) -> Result<(), Error> {
    if room != to {
        return Ok(());
    }
    let problem = "destination room cannot be the same as source room";
    Err(Error::argument(problem, ""))
}

pub fn check_nonce(nonce: &Bytes) -> Result<(), Error> {
    if nonce.is_empty() || nonce.len() == NONCE_BYTES {
        return Ok(());
    }
    let problem = format!("nonce should be 16-bytes or not present, got: {} bytes", nonce.len());
    Err(Error::new(Code::InvalidArgument, "INVALID_ARGUMENT", problem))
}

pub fn check_data(data: &LiveData, destinations: usize) -> Result<(), Error> {
    let topic_bytes = data.topic.as_ref().map_or(0, |topic| topic.len());
    for (field, count, most, unit) in [
        ("data", data.payload.len(), DATA_BYTES_MAX, "bytes"),
        ("topic", topic_bytes, TOPIC_BYTES_MAX, "bytes"),
        ("destinationIdentities", destinations, DESTINATIONS_MAX, "participants"),
    ] {
        if count > most {
            let problem = format!("must be at most {most} {unit}, got {count}");
            return Err(Error::invalid(field, problem));
        }
    }
    Ok(())
}

pub fn check_method(method: &str) -> Result<(), Error> {
    check_text("method", method)?;
    match method.len() {
        1..=METHOD_BYTES_MAX => Ok(()),
        bytes => {
            let problem = format!("must be 1 to {METHOD_BYTES_MAX} bytes, got {bytes}");
            Err(Error::invalid("method", problem))
        }
    }
}
