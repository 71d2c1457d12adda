//! The protocols that sessions speak. A codec is pure: bytes to messages, and messages to bytes.

pub mod json;
pub mod livekit;
pub mod protobuf;
