//! Values and pure rules. Nothing here is async, knows a protocol or reads a database.

pub mod ctx;
pub mod cursor;
pub mod ids;
pub mod memo;
pub mod metadata;
pub mod permissions;
pub mod query;
pub mod room;
pub(crate) mod text;
