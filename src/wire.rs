//! The protocols: everything between a socket and a handler.
//!
//! Invariant: nothing here knows the store or the bus, and nothing outside knows a protocol.

pub mod admin;
pub mod body;
mod call;
mod connect;
mod connect_stream;
mod credential;
pub mod download;
pub mod front;
pub mod grpc;
mod grpc_front;
mod grpc_stream;
mod grpc_unary;
pub mod json;
pub mod listener;
pub mod livekit;
pub mod metrics;
mod origin;
pub mod pages;
pub mod params;
pub mod pieces;
mod request_id;
mod respond;
mod rest;
mod rocket_chat;
mod routes;
mod slashes;
mod status;
pub mod table;
#[cfg(test)]
mod tests;
pub mod tls;
pub mod trace;
mod twirp;
pub mod websocket;

/// The registration of each service, made by `build.rs`.
#[allow(clippy::all, reason = "generated code")]
pub mod services {
    include!(concat!(env!("OUT_DIR"), "/dispatch.rs"));
}
