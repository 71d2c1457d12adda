//! Rooms that people are in.
//!
//! `state` is the pure state machine, `actor` the task that feeds one room's, `registry` the way to
//! the rooms in memory, `session` one connection's side. Codecs write what is said in a protocol.

mod actor;
pub mod close;
pub mod codec;
mod effects;
pub mod feeds;
pub mod live;
pub mod message;
mod outbox;
mod people;
mod presence;
pub mod rate;
pub mod registry;
pub mod requests;
pub mod session;
mod shared_storage;
mod shared_yjs;
mod state;
pub mod storage;
pub mod yjs;
