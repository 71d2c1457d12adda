//! A database full of rooms (filled in once the schema has landed).
