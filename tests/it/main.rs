//! The integration tests, in one binary. One file per subject.

mod databases;
mod program;
mod store_keys;
mod store_schema;
