//! The integration tests, in one binary. One file per subject.

mod authorization;
mod cases;
mod databases;
mod harness;
mod hostile;
mod openapi;
mod program;
mod protocols;
mod store_keys;
mod store_list;
mod store_outage;
mod store_rooms;
mod store_schema;
mod store_writer;
mod tidy;
