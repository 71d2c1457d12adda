//! From explicit levels to what somebody may do.

use super::scopes::{Level, Resource, Scope};

const RESOURCES: usize = Resource::ALL.len();

/// The levels that a source sets itself. What it leaves open is decided by weaker sources and, in
/// the end, by inheritance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Explicit([Option<Level>; RESOURCES]);

impl Explicit {
    /// Of several levels for one resource in one list, the strongest counts.
    pub(super) fn from_scopes(scopes: impl IntoIterator<Item = Scope>) -> Self {
        let mut explicit = Self::default();
        for (resource, level) in scopes.into_iter().filter_map(Scope::sets) {
            explicit.raise(resource, level);
        }
        explicit
    }

    pub(super) fn get(&self, resource: Resource) -> Option<Level> {
        self.0[resource as usize]
    }

    pub(super) fn set(&mut self, resource: Resource, level: Level) {
        self.0[resource as usize] = Some(level);
    }

    pub(super) fn raise(&mut self, resource: Resource, level: Level) {
        let slot = &mut self.0[resource as usize];
        *slot = (*slot).max(Some(level));
    }

    /// A source that sets comments means both visibilities, unless it sets those itself. So a
    /// stronger source's `comments:write` wipes a weaker one's `comments:private:none`.
    #[must_use]
    pub(super) fn with_visibilities(mut self) -> Self {
        if let Some(comments) = self.get(Resource::Comments) {
            for resource in [Resource::CommentsPublic, Resource::CommentsPrivate] {
                self.0[resource as usize].get_or_insert(comments);
            }
        }
        self
    }

    /// Takes the higher level of the two, resource by resource.
    pub(super) fn raise_to(&mut self, other: Self) {
        for (slot, level) in self.0.iter_mut().zip(other.0) {
            *slot = (*slot).max(level);
        }
    }

    /// Takes whatever the stronger source sets.
    pub(super) fn overwrite_with(&mut self, stronger: Self) {
        for (slot, level) in self.0.iter_mut().zip(stronger.0) {
            *slot = level.or(*slot);
        }
    }

    /// Inheritance. Without a base nothing is given, whatever else is set.
    pub(super) fn resolve(&self) -> Matrix {
        let Some(base) = self.get(Resource::Room) else { return Matrix::NONE };
        let comments = self.get(Resource::Comments).unwrap_or(base);
        Matrix(Resource::ALL.map(|resource| match resource {
            Resource::Room => base,
            Resource::Comments => comments,
            Resource::Storage | Resource::Feeds => self.get(resource).unwrap_or(base),
            Resource::CommentsPublic | Resource::CommentsPrivate => {
                self.get(resource).unwrap_or(comments)
            }
            // Whoever gets into the room at all has their own inbox.
            Resource::Personal => Level::Write,
        }))
    }
}

/// The level that somebody has on each resource of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matrix([Level; RESOURCES]);

impl Matrix {
    pub const NONE: Self = Self([Level::None; RESOURCES]);
    /// What a secret key gives.
    pub const FULL: Self = Self([Level::Write; RESOURCES]);

    /// What one list gives by itself.
    pub fn from_scopes(scopes: impl IntoIterator<Item = Scope>) -> Self {
        Explicit::from_scopes(scopes).resolve()
    }

    pub fn level(&self, resource: Resource) -> Level {
        self.0[resource as usize]
    }

    /// Generic comments pass if any visibility reaches the level; the caller must then leave out
    /// the threads of the other one.
    pub fn allows(&self, level: Level, resource: Resource) -> bool {
        let have = match resource {
            Resource::Comments => self
                .level(Resource::Comments)
                .max(self.level(Resource::CommentsPublic))
                .max(self.level(Resource::CommentsPrivate)),
            Resource::Room
            | Resource::Storage
            | Resource::CommentsPublic
            | Resource::CommentsPrivate
            | Resource::Feeds
            | Resource::Personal => self.level(resource),
        };
        have >= level
    }

    /// The shortest list that gives this matrix: the base, then what differs from its parent.
    pub fn canonical_scopes(&self) -> Vec<Scope> {
        let base = self.level(Resource::Room);
        let comments = self.level(Resource::Comments);
        let parents = [
            (Resource::Room, Level::None),
            (Resource::Storage, base),
            (Resource::Comments, base),
            (Resource::CommentsPublic, comments),
            (Resource::CommentsPrivate, comments),
            (Resource::Feeds, base),
        ];
        parents
            .into_iter()
            .filter(|&(resource, parent)| self.level(resource) != parent)
            .filter_map(|(resource, _)| first_scope(resource, self.level(resource)))
            .collect()
    }
}

/// The scope that sets this; of the two spellings of a base, the current one, which is first.
fn first_scope(resource: Resource, level: Level) -> Option<Scope> {
    Scope::ALL.iter().copied().find(|scope| scope.sets() == Some((resource, level)))
}
