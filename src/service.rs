//! The handlers: shape, right, one call, reply. They know messages and `Ctx`, and no protocol.

pub mod attachment;
pub mod auth;
pub mod comments;
pub mod contents;
pub mod feed;
pub mod files;
pub mod following;
pub mod group;
pub mod inbox;
mod inbox_company;
mod inbox_pages;
pub mod livechat;
pub mod livekit;
mod person;
pub mod realtime;
pub mod room;
mod room_list;
pub mod schema;
pub mod storage;
mod storage_files;
pub mod subscription;
mod text_mention;
mod thread_following;
pub mod url;
pub mod version;
pub mod yjs;
