//! LiveKit's messages: what its clients say and are told by signalling and in data channels, and by
//! streams of gRPC that take part as they do.

mod packet;
mod read;
mod write;

pub use packet::{read_packet, write_packet};
pub use read::read_signal;
pub use write::{Told, leave, left, write};
