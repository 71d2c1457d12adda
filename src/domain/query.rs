//! The query language of lists: `roomId^"eng:" AND metadata["color"]:"blue" metadata["n"]>=3`.
//!
//! A query is terms that must all hold, joined by `AND` or by a plain space. The parser knows
//! nothing of which fields exist; the filters do ([`RoomFilter`] for rooms), so that rooms, threads
//! and notifications share one syntax.

mod ast;
mod parser;
mod print;
mod quoted;
mod room_filter;
#[cfg(test)]
mod room_filter_tests;
#[cfg(test)]
mod tests;

pub use ast::{Field, Op, Query, QueryError, Term, Value};
pub use parser::number_of;
pub use room_filter::{GROUP_IDS_MAX, NumberOp, RoomFilter, RoomTerm};

/// Bytes of a query's text.
pub const QUERY_BYTES_MAX: usize = 8 * 1024;
/// Characters of a text that threads are found by.
pub const QUERIED_TEXT_CHARS_MAX: usize = 256;
/// Terms of one query.
pub const QUERY_TERMS_MAX: usize = 50;
