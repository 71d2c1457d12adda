//! Values and pure rules. Nothing here is async, knows a protocol or reads a database.

pub mod comment;
pub mod content_id;
pub mod ctx;
pub mod cursor;
pub mod feed;
pub mod file_url;
pub mod group;
pub mod ids;
pub mod live;
pub mod livechat;
pub mod media_type;
pub mod memo;
pub mod metadata;
pub mod notification;
pub mod permissions;
pub mod position;
pub mod query;
pub mod room;
pub mod schema;
pub(crate) mod text;
pub mod text_editor;
pub mod webhook;
