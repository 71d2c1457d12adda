//! A list of scopes as a caller stored it.

use std::fmt;

use super::scopes::Scope;
use crate::domain::text::excerpt;
use crate::error::Error;

/// What a list must hold to be accepted. An empty list is always accepted: it gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaseRule {
    /// Exactly one base scope: a room's `defaultAccesses`.
    Required,
    /// At least one base scope, and any number of levels per resource, of which the strongest
    /// counts: tokens, since `allow()` of the client libraries adds list to list.
    Several,
    /// At most one base scope: an entry of `usersAccesses` or `groupsAccesses`, which may override
    /// one resource only.
    Optional,
}

/// Scopes in the order in which the caller gave them, each once. It lives inline, without a heap
/// allocation, since rooms hold up to two thousand of these and every request reads some.
#[derive(Clone, PartialEq, Eq)]
pub struct ScopeList {
    len: u8,
    /// Beyond `len` always [`FILLER`], so that the derived equality is right.
    scopes: [Scope; Scope::COUNT],
}

const FILLER: Scope = Scope::BaseRead;
const _: () = assert!(Scope::COUNT <= u8::MAX as usize);

impl ScopeList {
    pub const EMPTY: Self = Self { len: 0, scopes: [FILLER; Scope::COUNT] };

    /// Checks what a caller sent; `field` names it in the error.
    pub fn parse(
        field: &str,
        raw: impl IntoIterator<Item = impl AsRef<str>>,
        rule: BaseRule,
    ) -> Result<Self, Error> {
        let mut list = Self::EMPTY;
        let mut bases = 0_usize;
        for text in raw {
            let text = text.as_ref();
            let scope = Scope::parse(text).ok_or_else(|| unknown_scope(field, text))?;
            if rule != BaseRule::Several {
                list.check_one_per_resource(field, scope)?;
            }
            bases += usize::from(scope.is_base());
            list.push(scope);
        }
        if bases == 0 && rule != BaseRule::Optional && !list.is_empty() {
            return Err(Error::invalid(
                field,
                "must include one of *:read, *:write (or the older room:read, room:write), \
                 since other scopes only adjust these",
            ));
        }
        Ok(list)
    }

    /// Takes what a database or a signed token holds. Unknown scopes give nothing: a newer release
    /// may have written them before a rollback to this one.
    pub fn trusted(raw: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        raw.into_iter().filter_map(|text| Scope::parse(text.as_ref())).collect()
    }

    pub fn iter(&self) -> impl Iterator<Item = Scope> + Clone + '_ {
        self.as_slice().iter().copied()
    }

    pub fn as_slice(&self) -> &[Scope] {
        &self.scopes[..usize::from(self.len)]
    }

    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a scope unless it is there. It cannot overflow: each known scope fits in once.
    fn push(&mut self, scope: Scope) {
        if !self.as_slice().contains(&scope) {
            self.scopes[usize::from(self.len)] = scope;
            self.len += 1;
        }
    }

    /// Two levels for one resource are a mistake in a room, where one caller writes the list.
    fn check_one_per_resource(&self, field: &str, scope: Scope) -> Result<(), Error> {
        let Some((resource, _)) = scope.sets() else { return Ok(()) };
        let sets_the_same = |other: &Scope| other.sets().is_some_and(|(set, _)| set == resource);
        match self.iter().find(sets_the_same) {
            Some(other) => {
                let name = resource.as_str();
                let problem =
                    format!("must have one scope at most for {name}, got '{other}' and '{scope}'");
                Err(Error::invalid(field, problem))
            }
            None => Ok(()),
        }
    }
}

fn unknown_scope(field: &str, text: &str) -> Error {
    let known: Vec<_> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
    let problem = format!("unknown scope '{}'; known are {}", excerpt(text), known.join(", "));
    Error::invalid(field, problem)
}

impl Default for ScopeList {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl FromIterator<Scope> for ScopeList {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut list = Self::EMPTY;
        scopes.into_iter().for_each(|scope| list.push(scope));
        list
    }
}

impl fmt::Debug for ScopeList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(Scope::as_str)).finish()
    }
}

impl serde::Serialize for ScopeList {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_slice().serialize(serializer)
    }
}
