//! The handlers: shape, right, one call, reply. They know messages and `Ctx`, and no protocol.

pub mod auth;
pub mod contents;
pub mod feed;
pub mod realtime;
pub mod room;
mod room_list;
pub mod schema;
pub mod storage;
mod storage_files;
pub mod version;
pub mod yjs;
