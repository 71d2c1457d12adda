//! The handlers: shape, right, one call, reply. They know messages and `Ctx`, and no protocol.

pub mod auth;
pub mod room;
mod room_list;
