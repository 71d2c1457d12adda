//! Loops that run beside the calls, each until its token is cancelled.

pub mod health;
pub mod sweep;
pub mod webhook;
