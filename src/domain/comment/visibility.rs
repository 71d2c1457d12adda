//! Who may see a thread: fixed when it is made, and its comments follow it.

use crate::domain::permissions::Resource;
use crate::error::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Visibility {
    #[default]
    Public,
    Private,
}

impl Visibility {
    /// What a caller sent; nothing is public.
    pub fn parse(raw: &str) -> Result<Self, Error> {
        match raw {
            "" | "public" => Ok(Self::Public),
            "private" => Ok(Self::Private),
            _ => Err(Error::invalid("visibility", "must be 'public' or 'private'")),
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
        }
    }

    /// What one needs a level on, to see or to write such threads.
    pub const fn resource(self) -> Resource {
        match self {
            Self::Public => Resource::CommentsPublic,
            Self::Private => Resource::CommentsPrivate,
        }
    }
}
