//! Access tokens: the token itself says what its user may do, room by room.

use std::sync::Arc;

use super::list::{BaseRule, ScopeList};
use super::matrix::{Explicit, Matrix};
use super::scopes::{Level, Resource};
use crate::domain::ids::check_text;
use crate::domain::text::excerpt;
use crate::error::Error;

/// Patterns in one token.
pub const PATTERNS_MAX: usize = 10;
/// Characters of a pattern before its optional final `*`.
pub const PATTERN_CHARS_MAX: usize = 128;

/// What an access token grants: room ids, or prefixes that end in `*`, each with its scopes, in
/// the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccessPatterns(Arc<[Pattern]>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    text: Box<str>,
    scopes: ScopeList,
    /// Made once, since a token is resolved for every request that comes with it.
    explicit: Explicit,
}

impl AccessPatterns {
    /// Checks what a caller sent; `field` names it in the error.
    pub fn parse(
        field: &str,
        raw: impl IntoIterator<Item = (impl AsRef<str>, impl IntoIterator<Item = impl AsRef<str>>)>,
    ) -> Result<Self, Error> {
        let mut patterns: Vec<Pattern> = Vec::new();
        let mut raw = raw.into_iter();
        while let Some((text, scopes)) = raw.next() {
            if patterns.len() == PATTERNS_MAX {
                let got = PATTERNS_MAX + 1 + raw.count();
                let problem =
                    format!("must have at most {PATTERNS_MAX} room ids or patterns, got {got}");
                return Err(Error::invalid(field, problem));
            }
            let text = text.as_ref();
            check_pattern(field, text)?;
            if patterns.iter().any(|earlier| *earlier.text == *text) {
                let problem = format!("has the pattern '{}' twice", excerpt(text));
                return Err(Error::invalid(field, problem));
            }
            let entry = format!("{field}.{}", excerpt(text));
            let scopes = ScopeList::parse(&entry, scopes, BaseRule::Several)?;
            if scopes.is_empty() {
                return Err(Error::invalid(entry, "must not be an empty list"));
            }
            patterns.push(Pattern::new(text, scopes));
        }
        Ok(Self(patterns.into()))
    }

    /// Takes what a token of ours holds: it was checked before it was signed.
    pub fn trusted(
        raw: impl IntoIterator<Item = (impl AsRef<str>, impl IntoIterator<Item = impl AsRef<str>>)>,
    ) -> Self {
        let pattern = |(text, scopes): (_, _)| {
            Pattern::new(AsRef::<str>::as_ref(&text), ScopeList::trusted(scopes))
        };
        Self(raw.into_iter().map(pattern).collect())
    }

    /// What the token grants in one room. The base is the strongest of all patterns that match;
    /// every other resource is set by the most specific pattern that mentions it, and by the
    /// strongest of equals.
    pub fn matrix_for(&self, room_id: &str) -> Matrix {
        let mut merged = Explicit::default();
        let mut specificity = [0_usize; Resource::ALL.len()];
        for pattern in self.0.iter().filter(|pattern| pattern.matches(room_id)) {
            if let Some(base) = pattern.explicit.get(Resource::Room) {
                merged.raise(Resource::Room, base);
            }
            for resource in Resource::ALL {
                let Some(level) = pattern.sets(resource) else { continue };
                let best = &mut specificity[resource as usize];
                let own = pattern.stem().len();
                if merged.get(resource).is_none() || own > *best {
                    merged.set(resource, level);
                    *best = own;
                } else if own == *best {
                    merged.raise(resource, level);
                }
            }
        }
        merged.resolve()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &ScopeList)> {
        self.0.iter().map(|pattern| (&*pattern.text, &pattern.scopes))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Pattern {
    fn new(text: &str, scopes: ScopeList) -> Self {
        let explicit = Explicit::from_scopes(scopes.iter()).with_visibilities();
        Self { text: text.into(), scopes, explicit }
    }

    /// The text without its `*`. Its length is how specific the pattern is: of prefixes of one
    /// room id, the longer one names fewer rooms.
    fn stem(&self) -> &str {
        self.text.strip_suffix('*').unwrap_or(&self.text)
    }

    fn matches(&self, room_id: &str) -> bool {
        match self.text.strip_suffix('*') {
            Some(prefix) => room_id.starts_with(prefix),
            None => room_id == &*self.text,
        }
    }

    /// The base is not among these: specificity does not count for it.
    fn sets(&self, resource: Resource) -> Option<Level> {
        match resource {
            Resource::Room => None,
            Resource::Storage
            | Resource::Comments
            | Resource::CommentsPublic
            | Resource::CommentsPrivate
            | Resource::Feeds
            | Resource::Personal => self.explicit.get(resource),
        }
    }
}

/// `*` alone, or 1 to 128 characters without `*`, then perhaps a `*`.
fn check_pattern(field: &str, text: &str) -> Result<(), Error> {
    if text == "*" {
        return Ok(());
    }
    let stem = text.strip_suffix('*').unwrap_or(text);
    if stem.is_empty() {
        return Err(Error::invalid(field, "has an empty room id or pattern"));
    }
    if stem.contains('*') {
        let shown = excerpt(text);
        let problem = format!("has the pattern '{shown}', which may hold one '*', as its last");
        return Err(Error::invalid(field, problem));
    }
    let chars = stem.chars().count();
    if chars > PATTERN_CHARS_MAX {
        let shown = excerpt(text);
        let problem = format!(
            "has a pattern of {chars} characters, '{shown}'; at most {PATTERN_CHARS_MAX} may come \
             before the final '*'"
        );
        return Err(Error::invalid(field, problem));
    }
    check_text(field, text)
}
