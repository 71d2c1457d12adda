//! The integration tests, in one binary. One file per subject.

mod databases;
mod program;
mod store_keys;
mod store_list;
mod store_outage;
mod store_rooms;
mod store_schema;
mod store_writer;
