//! The JSON that Liveblocks' browser client speaks over a WebSocket.
//!
//! Clients send arrays of messages. The server sends one object per frame, which clients take
//! everywhere, and must for the first one. What is unknown is ignored; what is malformed ends the
//! connection.

mod feeds;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{DEPTH_MAX, MESSAGES_MAX, Parsed, Rejection, parse};
pub use write::write;

/// The numbers that stand for kinds of messages.
mod kind {
    pub const PRESENCE: i64 = 100;
    pub const USER_JOINED: i64 = 101;
    pub const USER_LEFT: i64 = 102;
    pub const EVENT: i64 = 103;
    pub const ROOM_STATE: i64 = 104;
    pub const STORAGE: i64 = 200;
    pub const OPS: i64 = 201;
    pub const STORAGE_CHUNK: i64 = 210;
    pub const STORAGE_END: i64 = 211;
    pub const REJECTED: i64 = 299;
    pub const YJS: i64 = 300;
    pub const YJS_UPDATE: i64 = 301;
    pub const FEEDS: i64 = 500;
    pub const FEEDS_ADDED: i64 = 501;
    pub const FEEDS_UPDATED: i64 = 502;
    pub const FEED_DELETED: i64 = 503;
    pub const FEED_MESSAGES: i64 = 504;
    pub const FEED_MESSAGES_ADDED: i64 = 505;
    pub const FEED_MESSAGES_UPDATED: i64 = 506;
    pub const FEED_MESSAGES_DELETED: i64 = 507;
    pub const FEED_FAILED: i64 = 508;
    pub const FETCH_FEEDS: i64 = 510;
    pub const FETCH_FEED_MESSAGES: i64 = 511;
    pub const ADD_FEED: i64 = 512;
    pub const UPDATE_FEED: i64 = 513;
    pub const DELETE_FEED: i64 = 514;
    pub const ADD_FEED_MESSAGE: i64 = 515;
    pub const UPDATE_FEED_MESSAGE: i64 = 516;
    pub const DELETE_FEED_MESSAGE: i64 = 517;
}
