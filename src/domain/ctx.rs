//! Who calls, when, and until when; and the proofs that a caller may do something.
//!
//! Invariant: only this module makes a [`ProjectGrant`] or opens a [`Guarded`] value, so a handler
//! that forgot to check cannot compile.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::comment::Visibility;
use super::cursor::RoomCursor;
use super::group::Group;
use super::ids::{OrganizationId, ProjectId, UserId};
use super::live::{
    LiveGrant, LiveNeed, LiveToken, Participant, check_identity, permissions_denied,
};
use super::notification::{About, Notification, Place};
use super::permissions::{AccessPatterns, Level, Matrix, Resource, Scope, resolve_identity};
use super::room::Room;
use crate::error::{Code, Error};

/// Milliseconds since the Unix epoch, from a source that tests can replace.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    pub fn system() -> Self {
        Self::from_fn(|| {
            let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            since_epoch.map_or(0, |elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
        })
    }

    pub fn from_fn(now_ms: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now_ms))
    }

    pub fn now_ms(&self) -> i64 {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// An end user, as a token of ours names them.
#[derive(Debug, Clone)]
pub struct User {
    pub id: UserId,
    /// Free-form JSON that the application put into the token.
    pub info: Option<serde_json::Map<String, serde_json::Value>>,
    pub organization_id: OrganizationId,
    pub rights: UserRights,
}

#[derive(Debug, Clone)]
pub enum UserRights {
    /// An access token: the token alone says what the user may do, room by room.
    Patterns(AccessPatterns),
    /// An ID token: each room's own accesses decide, for the user and these groups.
    Identity { group_ids: Vec<String> },
}

#[derive(Debug, Clone)]
pub enum Actor {
    /// A back end with the project's secret key: it may do everything in the project.
    Secret,
    /// A browser with the public key: an anonymous user with the rooms' default accesses.
    Public,
    User(Arc<User>),
    /// Whoever a token of LiveKit's names.
    Live(Arc<LiveToken>),
}

impl Actor {
    /// What this actor may do in a room.
    pub fn rights_in(&self, room: &Room) -> Matrix {
        match self {
            Self::Secret => Matrix::FULL,
            Self::Public => resolve_identity(&room.default_accesses, std::iter::empty(), None),
            Self::User(user) if user.organization_id != room.organization_id => Matrix::NONE,
            Self::User(user) => match &user.rights {
                UserRights::Patterns(patterns) => patterns.matrix_for(room.id.as_str()),
                UserRights::Identity { group_ids } => {
                    let groups = group_ids.iter().filter_map(|id| room.groups_accesses.get(id));
                    let own = room.users_accesses.get(user.id.as_str());
                    resolve_identity(&room.default_accesses, groups, own)
                }
            },
            // LiveKit knows no organizations: the token names the room itself.
            Self::Live(token) => live_rights(token, room),
        }
    }
}

/// Being in the room, and telling the others something; its documents are nothing of LiveKit's.
fn live_rights(token: &LiveToken, room: &Room) -> Matrix {
    let (grant, names_somebody) = (&token.grant, check_identity(&token.identity).is_ok());
    if !names_somebody || !grant.room_join || grant.room != room.id.as_str() {
        return Matrix::NONE;
    }
    let base = match grant.permission().can_publish_data {
        true => Scope::RoomWrite,
        false => Scope::RoomRead,
    };
    Matrix::from_scopes([base, Scope::StorageNone, Scope::CommentsNone, Scope::FeedsNone])
}

/// A credential that was verified.
#[derive(Debug, Clone)]
pub struct Caller {
    pub project: ProjectId,
    pub actor: Actor,
}

impl Caller {
    /// Whom a back end moves to another room: a token of LiveKit's is as good as one for that room.
    #[must_use]
    pub fn moved_to(&self, room: &str) -> Self {
        let Actor::Live(token) = &self.actor else { return self.clone() };
        let mut token = LiveToken::clone(token);
        token.move_to(room);
        Self { project: self.project.clone(), actor: Actor::Live(Arc::new(token)) }
    }

    /// What a token of LiveKit's would say by now; those of others say what they said.
    pub fn renew(&mut self, info: &Participant) {
        if let Actor::Live(token) = &mut self.actor {
            Arc::make_mut(token).renew(info);
        }
    }
}

/// One call: who makes it, its id in the logs, and when it must have ended.
#[derive(Debug, Clone)]
pub struct Ctx {
    /// Absent only in the few methods that need no credential.
    pub caller: Option<Caller>,
    pub request_id: Arc<str>,
    pub deadline: Option<Instant>,
    pub clock: Clock,
    /// The address by which the caller reached the server, such as `https://rooms.example.com`.
    /// Only for methods whose replies have such addresses, and if the caller told.
    pub origin: Option<Arc<str>>,
    /// Only for streams, which a token's end ends.
    pub token: TokenTimes,
}

/// Of the caller's token; nothing is known of a key's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenTimes {
    pub expires_at_ms: Option<i64>,
    /// When it became valid, since tokens can be revoked up to a time.
    pub valid_from_s: Option<i64>,
}

impl Ctx {
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Whoever calls, with whatever valid credential.
    pub fn caller(&self) -> Result<&Caller, Error> {
        self.caller.as_ref().ok_or_else(missing_credential)
    }

    /// A back end or a user. The public key is for browsers that connect to rooms, and no more.
    pub fn server_caller(&self) -> Result<&Caller, Error> {
        match self.caller()? {
            Caller { actor: Actor::Public | Actor::Live(_), .. } => Err(wrong_key()),
            caller => Ok(caller),
        }
    }

    /// The caller holds the project's secret key.
    pub fn require_admin(&self) -> Result<ProjectGrant, Error> {
        let caller = self.caller()?;
        match caller.actor {
            Actor::Secret => Ok(ProjectGrant { project: caller.project.clone() }),
            Actor::Public => Err(wrong_key()),
            Actor::User(_) | Actor::Live(_) => Err(Error::new(
                Code::PermissionDenied,
                "FORBIDDEN",
                "This call needs a secret key; a user's token does not allow it.",
            )),
        }
    }

    /// The caller may do this to rooms while they are live: by a token's grant, or with the
    /// project's secret key.
    pub fn require_live(&self, need: LiveNeed<'_>) -> Result<LiveGrant, Error> {
        let caller = self.caller.as_ref().ok_or_else(permissions_denied)?;
        let is_met = match &caller.actor {
            Actor::Secret => true,
            Actor::Live(token) => need.is_met_by(&token.grant),
            Actor::Public | Actor::User(_) => false,
        };
        match is_met {
            true => Ok(LiveGrant::new(caller.project.clone())),
            // The caller is not told which; whoever runs the server finds it in the log.
            false => Err(permissions_denied().because(format!("the token lacks {need:?}"))),
        }
    }

    /// Opens a room for a caller who has `level` on `resource` in it. A caller who may not even
    /// read the room learns nothing, not even that it exists.
    pub fn open(
        &self,
        room: Option<Guarded<Arc<Room>>>,
        level: Level,
        resource: Resource,
    ) -> Result<Arc<Room>, Error> {
        let caller = self.caller()?;
        let Some(Guarded(room)) = room else { return Err(room_not_found()) };
        let rights = caller.actor.rights_in(&room);
        if !rights.allows(Level::Read, Resource::Room) {
            return Err(room_not_found());
        }
        if !rights.allows(level, resource) {
            return Err(Error::new(
                Code::PermissionDenied,
                "UNAUTHORIZED_ROOM_ACCESS",
                "The user does not have access to this room",
            ));
        }
        Ok(room)
    }

    /// Whether the caller has `level` on `resource` as well, in a room that was opened for less.
    pub fn allows(&self, room: &Room, level: Level, resource: Resource) -> Result<bool, Error> {
        Ok(self.caller()?.actor.rights_in(room).allows(level, resource))
    }

    /// The user whose token it is. Keys are nobody's.
    pub fn user_id(&self) -> Result<Option<&UserId>, Error> {
        match &self.caller()?.actor {
            Actor::User(user) => Ok(Some(&user.id)),
            Actor::Secret | Actor::Public | Actor::Live(_) => Ok(None),
        }
    }

    /// Which threads of a room the caller has `level` on.
    pub fn threads(&self, room: &Room, level: Level) -> Result<ThreadRight, Error> {
        Ok(ThreadRight::of(&self.caller()?.actor.rights_in(room), level))
    }

    /// A group, for a back end and for users of the group's own organization.
    pub fn open_group(&self, Guarded(group): Guarded<Group>) -> Result<Option<Group>, Error> {
        let is_open = match &self.server_caller()?.actor {
            Actor::Secret => true,
            Actor::User(user) => user.organization_id == group.organization_id,
            Actor::Public | Actor::Live(_) => false,
        };
        Ok(is_open.then_some(group))
    }

    /// Opens a notification for a caller who may read what it tells of. `room` is the one that it
    /// is about, if the caller may read that.
    pub fn notification(
        &self,
        found: Guarded<Notification>,
        room: Option<&Room>,
    ) -> Result<Option<Notification>, Error> {
        let actor = &self.caller()?.actor;
        let Guarded(found) = found;
        let may_read = match (&found.place, room) {
            (Place::Organization(organization), _) => match actor {
                Actor::Secret => true,
                Actor::Public | Actor::Live(_) => false,
                Actor::User(user) => user.organization_id == *organization,
            },
            (Place::Room(id), Some(room)) if *id == room.id => {
                tells(&actor.rights_in(room), &found.about)
            }
            (Place::Room(_), _) => false,
        };
        Ok(may_read.then_some(found))
    }

    /// For lists: where a room stands in them, and the room itself if the caller may read it.
    pub fn visible(&self, room: Guarded<Arc<Room>>) -> (RoomCursor, Option<Arc<Room>>) {
        let position =
            RoomCursor { created_at_ms: room.0.created_at_ms, room_id: room.0.id.clone() };
        (position, self.open(Some(room), Level::Read, Resource::Room).ok())
    }
}

/// Proof that the caller administers a project.
#[derive(Debug, Clone)]
pub struct ProjectGrant {
    project: ProjectId,
}

impl ProjectGrant {
    /// For the program itself: start-up, the command line, jobs.
    pub fn system(project: ProjectId) -> Self {
        Self { project }
    }

    pub fn project(&self) -> &ProjectId {
        &self.project
    }

    /// Whoever administers the project may see all of it.
    pub fn open<T>(&self, guarded: Guarded<T>) -> T {
        guarded.0
    }
}

/// Proof of which threads somebody may read, or write, in a room: the one place where visibility is
/// decided. Whatever reads threads, comments or what tells of them asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ThreadRight {
    public: bool,
    private: bool,
}

impl ThreadRight {
    /// For a room that may not be read.
    pub const NOTHING: Self = Self { public: false, private: false };

    fn of(rights: &Matrix, level: Level) -> Self {
        let allows = |visibility: Visibility| rights.allows(level, visibility.resource());
        Self { public: allows(Visibility::Public), private: allows(Visibility::Private) }
    }

    /// For the program itself: jobs, and what a back end's key opens.
    pub const fn system() -> Self {
        Self { public: true, private: true }
    }

    pub fn covers(self, visibility: Visibility) -> bool {
        match visibility {
            Visibility::Public => self.public,
            Visibility::Private => self.private,
        }
    }

    /// The only visibility that it covers; `None` if it covers both or none.
    pub fn only(self) -> Option<Visibility> {
        match (self.public, self.private) {
            (true, false) => Some(Visibility::Public),
            (false, true) => Some(Visibility::Private),
            (true, true) | (false, false) => None,
        }
    }

    pub fn is_nothing(self) -> bool {
        !self.public && !self.private
    }
}

/// Whether somebody with these rights in a room may be told of this.
pub fn tells(rights: &Matrix, about: &About) -> bool {
    match about {
        About::Thread { visibility, .. } => {
            ThreadRight::of(rights, Level::Read).covers(*visibility)
        }
        About::TextMention { .. } => rights.allows(Level::Read, Resource::Storage),
        About::Custom { .. } => rights.allows(Level::Read, Resource::Room),
    }
}

/// A value from the store that nobody has been checked for yet.
#[derive(Debug, Clone)]
pub struct Guarded<T>(T);

impl<T> Guarded<T> {
    pub fn new(value: T) -> Self {
        Self(value)
    }
}

pub fn room_not_found() -> Error {
    Error::not_found("ROOM_NOT_FOUND", "Room not found.")
}

pub fn missing_credential() -> Error {
    Error::new(
        Code::Unauthenticated,
        "MISSING_SECRET_KEY",
        "Missing secret key in authentication header",
    )
    .suggest("Please send a secret key or a token as 'Authorization: Bearer ...'.")
}

pub fn wrong_key() -> Error {
    Error::new(Code::Unauthenticated, "WRONG_KEY_USED", "Public key instead of the secret key.")
        .suggest("Please use your secret key instead of the public key.")
}
