//! Who may do what in a room. Pure rules over scope lists, resolved on every request, so nothing
//! on the way from a list to a [`Matrix`] allocates.
//!
//! A list of scopes sets levels *explicitly*; what it leaves open is inherited: storage, comments
//! and feeds from the base scope, the two visibilities of threads from comments. Several sources
//! are combined on their explicit levels, before inheritance:
//! - [`resolve_identity`]: a room's own accesses, for a user with an ID token;
//! - [`AccessPatterns`]: the patterns of an access token, which alone decides.

mod identity;
mod list;
mod matrix;
mod patterns;
mod scopes;
#[cfg(test)]
mod tests;

pub use identity::resolve_identity;
pub use list::{BaseRule, ScopeList};
pub use matrix::Matrix;
pub use patterns::{AccessPatterns, PATTERN_CHARS_MAX, PATTERNS_MAX};
pub use scopes::{Level, Resource, Scope};
