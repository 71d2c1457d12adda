//! Identifiers: text that was checked once at the edge and cannot be wrong afterwards.

use std::fmt;
use std::sync::Arc;

use crate::error::Error;

/// Characters (not bytes) that the id of a room may have that is made by anything but LiveKit's API.
pub const NEW_ROOM_ID_CHARS_MAX: usize = 128;
/// The same of any room: LiveKit's users name theirs in up to so many bytes.
pub const ROOM_ID_CHARS_MAX: usize = 256;
/// The same of a user, a group and an organization.
pub const USER_ID_CHARS_MAX: usize = 128;
pub const ORGANIZATION_ID_CHARS_MAX: usize = 128;
/// The same, of a feed and of a message in one.
pub const FEED_ID_CHARS_MAX: usize = 128;
pub const GROUP_ID_CHARS_MAX: usize = 128;
/// The organization of everything that names none.
pub const ORGANIZATION_DEFAULT: &str = "default";

fn check(field: &str, raw: &str, chars_max: usize) -> Result<(), Error> {
    if raw.is_empty() {
        return Err(Error::invalid(field, "must not be empty"));
    }
    if raw.len() > chars_max {
        let chars = raw.chars().count();
        if chars > chars_max {
            let problem = format!("must be at most {chars_max} characters, got {chars}");
            return Err(Error::invalid(field, problem));
        }
    }
    check_text(field, raw)
}

/// PostgreSQL refuses the NUL character in text, so nobody may store one.
pub fn check_text(field: &str, raw: &str) -> Result<(), Error> {
    match raw.find('\0') {
        Some(_) => Err(Error::invalid(field, "must not contain the NUL character")),
        None => Ok(()),
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $chars_max:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks what a caller sent; `field` names it in the error.
            pub fn parse(field: &str, raw: &str) -> Result<Self, Error> {
                check(field, raw, $chars_max)?;
                Ok(Self(raw.into()))
            }

            /// Takes what a database or a signed token holds: it was checked when it was written.
            pub fn trusted(raw: impl Into<Arc<str>>) -> Self {
                Self(raw.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// For what outlives the id, without a copy.
            pub fn to_arc(&self) -> Arc<str> {
                Arc::clone(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

id!(
    /// A project: the tenant that everything belongs to. It leads every key of every table.
    ProjectId,
    64
);
id!(
    /// A room, named by the application.
    RoomId,
    ROOM_ID_CHARS_MAX
);

impl RoomId {
    /// Checks the id that somebody wants a room to have.
    pub fn parse_new(field: &str, raw: &str) -> Result<Self, Error> {
        check(field, raw, NEW_ROOM_ID_CHARS_MAX)?;
        Ok(Self(raw.into()))
    }
}

id!(
    /// A user of the application, named by the application.
    UserId,
    USER_ID_CHARS_MAX
);
id!(
    /// An organization inside a project: rooms and users of one never meet those of another.
    OrganizationId,
    ORGANIZATION_ID_CHARS_MAX
);
id!(
    /// A group of users, named by the application.
    GroupId,
    GROUP_ID_CHARS_MAX
);
id!(
    /// A feed of a room, named by the application.
    FeedId,
    FEED_ID_CHARS_MAX
);
id!(
    /// A message in a feed, named by the application or by the server.
    FeedMessageId,
    FEED_ID_CHARS_MAX
);

id!(
    /// An address that webhooks are sent to, named by whoever configures it.
    WebhookEndpointId,
    64
);
id!(
    /// Webhooks that keep their order among each other: those of one room have its name.
    WebhookQueueName,
    ROOM_ID_CHARS_MAX
);

impl Default for OrganizationId {
    fn default() -> Self {
        Self::trusted(ORGANIZATION_DEFAULT)
    }
}
