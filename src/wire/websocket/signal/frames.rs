//! Frames of signalling: protobuf in binary ones, proto JSON in text. A client is answered as it
//! speaks.

use bytes::Bytes;
use prost::Message as _;

use crate::proto::livekit;
use crate::proto::livekit::{signal_request, signal_response};
use crate::room::codec::livekit::{self as livekit_codec, Told};
use crate::room::live::message::LiveMessage;
use crate::wire::json::{self, Profile, ReadOptions, WriteJson as _, Writer};
use crate::wire::websocket::frame::Opcode;

/// About what one message takes as JSON.
const JSON_BYTES: usize = 1 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    #[default]
    Protobuf,
    Json,
}

/// Nothing for a message of a kind that is newer than we are; `None` for what is no message.
pub fn read(payload: Bytes, format: Format) -> Option<Option<signal_request::Message>> {
    let request: livekit::SignalRequest = match format {
        Format::Protobuf => livekit::SignalRequest::decode(payload).ok()?,
        Format::Json => {
            let options = ReadOptions { required: false, unknown_enums: true, trailing: false };
            json::parse(&payload, options).ok()?
        }
    };
    Some(request.message)
}

/// What a message of the room is in a binary frame, for all who get it.
pub fn encoded(message: &LiveMessage) -> Vec<u8> {
    match livekit_codec::write(message) {
        Told::Signal(said) => livekit::SignalResponse { message: Some(*said) }.encode_to_vec(),
        Told::Data(_) | Told::Nothing => Vec::new(),
    }
}

pub fn write(message: signal_response::Message, format: Format) -> (Opcode, Bytes) {
    let response = livekit::SignalResponse { message: Some(message) };
    match format {
        Format::Protobuf => (Opcode::Binary, response.encode_to_vec().into()),
        Format::Json => {
            let mut writer = Writer::new(Profile::Canonical, JSON_BYTES);
            response.write_json(&mut writer);
            (Opcode::Text, writer.finish())
        }
    }
}
