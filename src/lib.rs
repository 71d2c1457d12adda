//! roomd: rooms, presence, storage, comments and tokens behind one schema.

pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod domain;
pub mod error;
pub mod jobs;
pub mod objects;
pub mod pages;
pub mod proto;
pub mod room;
pub mod rtc;
pub mod service;
pub mod store;
pub mod telemetry;
pub mod webhooks;
pub mod wire;
