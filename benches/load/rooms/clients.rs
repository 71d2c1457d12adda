//! What every client of a room does first.

use std::net::SocketAddr;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::Fail;
use crate::ws::{Caller, has};

/// The well-known public key of `roomd dev` and of the Liveblocks dev server.
const PUBLIC_KEY: &str = "pk_localdev";
const ROOM_STATE: &[u8] = br#""type":104"#;

/// Where the clients of a room connect.
pub fn path(room: &str) -> String {
    let room = utf8_percent_encode(room, NON_ALPHANUMERIC);
    format!("/v8?roomId={room}&pubkey={PUBLIC_KEY}&version=3.24.2")
}

/// The first message of a room; from then on somebody is in it.
pub fn is_room_state(message: &[u8]) -> bool {
    message.starts_with(b"{") && has(message, ROOM_STATE)
}

/// Somebody in a room, outside of any window.
pub fn enter(address: SocketAddr, room: &str) -> Result<Caller, Fail> {
    let mut caller = Caller::connect(address, &path(room))?;
    caller.wait_for(ROOM_STATE)?;
    Ok(caller)
}
