//! ID tokens: the room's own accesses decide.

use super::list::ScopeList;
use super::matrix::{Explicit, Matrix};

/// Combines what a room says of everybody, of the user's groups, and of the user. The user's entry
/// is stronger than the groups', theirs than the default, resource by resource: a stronger source
/// can lower as well as raise. Among groups the highest level counts.
///
/// An empty list sets nothing, so it denies nothing either.
pub fn resolve_identity<'a>(
    default: &ScopeList,
    groups: impl Iterator<Item = &'a ScopeList>,
    user: Option<&ScopeList>,
) -> Matrix {
    let mut merged = explicit(default);
    let mut from_groups = Explicit::default();
    for group in groups {
        from_groups.raise_to(explicit(group));
    }
    merged.overwrite_with(from_groups);
    if let Some(user) = user {
        merged.overwrite_with(explicit(user));
    }
    merged.resolve()
}

fn explicit(list: &ScopeList) -> Explicit {
    Explicit::from_scopes(list.iter()).with_visibilities()
}
