//! The vocabulary: levels, resources, and the twenty scopes that name pairs of them.

use std::fmt;

/// How much of a resource somebody may use. Ordered: write includes read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    None,
    Read,
    Write,
}

/// What a level can be had on. The discriminants index the arrays of `matrix.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Resource {
    /// The room itself: what the base scope sets.
    Room,
    /// Storage and Yjs documents.
    Storage,
    /// Threads of any visibility; as a requirement, "at least one visibility".
    Comments,
    CommentsPublic,
    CommentsPrivate,
    Feeds,
    /// The user's own inbox and settings. No scope names it: any base scope gives it.
    Personal,
}

impl Resource {
    pub const ALL: [Self; 7] = [
        Self::Room,
        Self::Storage,
        Self::Comments,
        Self::CommentsPublic,
        Self::CommentsPrivate,
        Self::Feeds,
        Self::Personal,
    ];

    /// The name in scopes and in error messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Room => "room",
            Self::Storage => "storage",
            Self::Comments => "comments",
            Self::CommentsPublic => "comments:public",
            Self::CommentsPrivate => "comments:private",
            Self::Feeds => "feeds",
            Self::Personal => "personal",
        }
    }
}

macro_rules! scopes {
    ($($name:ident = $text:literal => $sets:expr;)*) => {
        /// One permission, as callers write it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Scope { $($name),* }

        impl Scope {
            pub const ALL: &[Self] = &[$(Self::$name),*];

            pub fn parse(raw: &str) -> Option<Self> {
                match raw {
                    $($text => Some(Self::$name),)*
                    _ => None,
                }
            }

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// The level that this scope sets, and on what.
            pub(super) const fn sets(self) -> Option<(Resource, Level)> {
                match self { $(Self::$name => $sets),* }
            }
        }
    };
}

scopes! {
    BaseRead = "*:read" => Some((Resource::Room, Level::Read));
    BaseWrite = "*:write" => Some((Resource::Room, Level::Write));
    RoomRead = "room:read" => Some((Resource::Room, Level::Read));
    RoomWrite = "room:write" => Some((Resource::Room, Level::Write));
    StorageNone = "storage:none" => Some((Resource::Storage, Level::None));
    StorageRead = "storage:read" => Some((Resource::Storage, Level::Read));
    StorageWrite = "storage:write" => Some((Resource::Storage, Level::Write));
    CommentsNone = "comments:none" => Some((Resource::Comments, Level::None));
    CommentsRead = "comments:read" => Some((Resource::Comments, Level::Read));
    CommentsWrite = "comments:write" => Some((Resource::Comments, Level::Write));
    CommentsPublicNone = "comments:public:none" => Some((Resource::CommentsPublic, Level::None));
    CommentsPublicRead = "comments:public:read" => Some((Resource::CommentsPublic, Level::Read));
    CommentsPublicWrite = "comments:public:write" => Some((Resource::CommentsPublic, Level::Write));
    CommentsPrivateNone = "comments:private:none" => Some((Resource::CommentsPrivate, Level::None));
    CommentsPrivateRead = "comments:private:read" => Some((Resource::CommentsPrivate, Level::Read));
    CommentsPrivateWrite =
        "comments:private:write" => Some((Resource::CommentsPrivate, Level::Write));
    FeedsNone = "feeds:none" => Some((Resource::Feeds, Level::None));
    FeedsRead = "feeds:read" => Some((Resource::Feeds, Level::Read));
    FeedsWrite = "feeds:write" => Some((Resource::Feeds, Level::Write));
    // Older clients still send it. It never had an effect on any resource here.
    RoomPresenceWrite = "room:presence:write" => None;
}

impl Scope {
    pub(super) const COUNT: usize = Self::ALL.len();

    /// Whether it sets the level that everything else inherits.
    pub const fn is_base(self) -> bool {
        matches!(self.sets(), Some((Resource::Room, _)))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Scope {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
