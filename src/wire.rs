//! Protocols: everything between a socket and a typed call.

pub mod listener;
pub mod tls;
