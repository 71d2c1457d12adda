//! Rooms that people are in.
//!
//! What is missing here: the rooms. Connections arrive with the room engine; until then every room
//! is empty, and this registry answers for empty rooms, truthfully.

pub mod registry;
