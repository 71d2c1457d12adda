//! The integration tests, in one binary. One file per subject.

mod authorization;
mod cases;
mod cases_contents;
mod contents;
mod databases;
mod harness;
mod hostile;
mod openapi;
mod program;
mod protocols;
mod realtime;
mod rooms;
mod rooms_crowd;
mod store_documents;
mod store_files;
mod store_keys;
mod store_list;
mod store_outage;
mod store_rooms;
mod store_schema;
mod store_schemas;
mod store_versions;
mod store_writer;
mod tidy;
mod websocket;
mod websocket_client;
