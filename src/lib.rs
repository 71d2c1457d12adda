//! roomd: rooms, presence, storage, comments and tokens behind one schema.

pub mod config;
pub mod domain;
pub mod error;
pub mod wire;
