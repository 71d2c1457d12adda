//! Who may read what, of users who do not call: known from the tokens that were issued to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::About;
use crate::domain::comment::Visibility;
use crate::domain::ctx::{Actor, User, UserRights, tells};
use crate::domain::ids::UserId;
use crate::domain::permissions::{
    AccessPatterns, Level, Matrix, Resource, ScopeList, resolve_identity,
};
use crate::domain::room::Room;

/// Patterns that are remembered of a user.
const PATTERNS_MAX: usize = 100;

/// What the tokens of a user gave them in one organization.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UserAccess {
    /// The last was an ID token, with these groups.
    Groups(Vec<String>),
    /// The last was an access token. Applications issue one for each room, so what earlier ones
    /// said of other rooms still counts.
    Patterns(BTreeMap<String, Vec<String>>),
}

impl UserAccess {
    pub fn of(rights: &UserRights) -> Self {
        match rights {
            UserRights::Identity { group_ids } => Self::Groups(group_ids.clone()),
            UserRights::Patterns(patterns) => {
                let entry = |(pattern, scopes): (&str, &ScopeList)| {
                    let scopes = scopes.iter().map(|scope| scope.as_str().to_owned());
                    (pattern.to_owned(), scopes.collect())
                };
                Self::Patterns(patterns.iter().map(entry).collect())
            }
        }
    }

    /// With what was known before.
    #[must_use]
    pub fn after(self, before: Option<Self>) -> Self {
        match (self, before) {
            (Self::Patterns(new), Some(Self::Patterns(mut known))) => {
                known.extend(new.clone());
                Self::Patterns(if known.len() > PATTERNS_MAX { new } else { known })
            }
            (new, _) => new,
        }
    }

    /// What they may do in a room of this organization; `None` if no token said anything of it.
    fn rights_in(&self, user: &UserId, room: &Room) -> Option<Matrix> {
        let rights = match self {
            Self::Groups(group_ids) => UserRights::Identity { group_ids: group_ids.clone() },
            Self::Patterns(patterns) => {
                patterns.keys().find(|pattern| matches(pattern, room.id.as_str()))?;
                UserRights::Patterns(AccessPatterns::trusted(patterns))
            }
        };
        let organization_id = room.organization_id.clone();
        let user = User { id: user.clone(), info: None, organization_id, rights };
        Some(Actor::User(Arc::new(user)).rights_in(room))
    }
}

fn matches(pattern: &str, room_id: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => room_id.starts_with(prefix),
        None => pattern == room_id,
    }
}

/// What is known of a user who is to be told of something.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    pub access: Option<&'a UserAccess>,
    /// They follow the thread, so they could read it once.
    pub follows: bool,
}

/// Whether a user is to be told of something in a room. Of those who never got a token it is only
/// known what the room itself gives them, which is not all if they are in groups or if the
/// application issues access tokens: they are told unless it is private, or the room names others.
/// When they read their inbox, their own token decides.
pub fn may_be_told(room: &Room, user: &UserId, known: Known<'_>, about: &About) -> bool {
    if let Some(rights) = known.access.and_then(|access| access.rights_in(user, room)) {
        return tells(&rights, about);
    }
    let own = room.users_accesses.get(user.as_str());
    let rights = resolve_identity(&room.default_accesses, std::iter::empty(), own);
    if tells(&rights, about) {
        return true;
    }
    let is_private = matches!(about, About::Thread { visibility: Visibility::Private, .. });
    let is_in_sight = rights.allows(Level::Read, Resource::Room);
    let names_others = !room.users_accesses.is_empty() && room.groups_accesses.is_empty();
    (!is_private || known.follows) && !is_in_sight && own.is_none() && !names_others
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::content_id::ThreadId;
    use crate::domain::ids::{OrganizationId, RoomId};
    use crate::domain::room::RoomDraft;

    fn room(default: &[&str], users: &[(&str, &[&str])], groups: &[(&str, &[&str])]) -> Room {
        let draft = RoomDraft::closed(RoomId::trusted("r:1"), OrganizationId::default());
        let map = |entries: &[(&str, &[&str])]| {
            let entry = |(id, scopes): &(&str, &[&str])| {
                ((*id).to_owned(), ScopeList::trusted(scopes.iter()))
            };
            entries.iter().map(entry).collect()
        };
        Room {
            default_accesses: ScopeList::trusted(default.iter()),
            users_accesses: map(users),
            groups_accesses: map(groups),
            ..draft.into_room(0)
        }
    }

    fn told(room: &Room, access: Option<UserAccess>, visibility: Visibility) -> bool {
        let about = About::Thread { id: ThreadId::trusted("th_x"), visibility };
        let known = Known { access: access.as_ref(), follows: false };
        may_be_told(room, &UserId::trusted("ann"), known, &about)
    }

    fn patterns(entries: &[(&str, &[&str])]) -> UserAccess {
        let entry = |(pattern, scopes): &(&str, &[&str])| {
            ((*pattern).to_owned(), scopes.iter().map(|scope| (*scope).to_owned()).collect())
        };
        UserAccess::Patterns(entries.iter().map(entry).collect())
    }

    #[test]
    fn what_a_token_says_decides() {
        use Visibility::{Private, Public};
        let staff = room(&["*:read", "comments:private:none"], &[], &[("staff", &["*:write"])]);
        let groups = |ids: &[&str]| {
            Some(UserAccess::Groups(ids.iter().map(|id| (*id).to_owned()).collect()))
        };
        assert!(told(&staff, groups(&[]), Public) && !told(&staff, groups(&[]), Private));
        let helper = room(
            &["*:read", "comments:private:none"],
            &[],
            &[("staff", &["*:write", "comments:private:write"])],
        );
        assert!(told(&helper, groups(&["staff"]), Private));
        let closed = room(&[], &[("bob", &["*:write"])], &[]);
        assert!(!told(&closed, groups(&["staff"]), Public));
        let there = patterns(&[("r:*", &["*:read", "comments:private:none"])]);
        assert!(told(&closed, Some(there.clone()), Public));
        assert!(!told(&closed, Some(there), Private));
    }

    #[test]
    fn of_whom_nothing_is_known_is_told_of_what_may_be_theirs() {
        use Visibility::{Private, Public};
        let open = room(&["*:read"], &[], &[]);
        assert!(told(&open, None, Public) && told(&open, None, Private));
        let with_private = room(&["*:read", "comments:private:none"], &[], &[]);
        assert!(told(&with_private, None, Public) && !told(&with_private, None, Private));
        let by_tokens = room(&[], &[], &[]);
        assert!(told(&by_tokens, None, Public) && !told(&by_tokens, None, Private));
        let follows = Known { access: None, follows: true };
        let private = About::Thread { id: ThreadId::trusted("th_x"), visibility: Private };
        assert!(may_be_told(&by_tokens, &UserId::trusted("ann"), follows, &private));
        let elsewhere = Some(patterns(&[("other", &["*:write"])]));
        assert!(told(&by_tokens, elsewhere, Public), "a token for another room says nothing");
        let by_groups = room(&[], &[("bob", &["*:read"])], &[("staff", &["*:read"])]);
        assert!(told(&by_groups, None, Public));
        let by_users = room(&[], &[("bob", &["*:read"])], &[]);
        assert!(!told(&by_users, None, Public));
        let silent = room(&["*:read", "comments:none"], &[], &[]);
        assert!(!told(&silent, None, Public));
    }

    #[test]
    fn tokens_for_single_rooms_add_up() {
        let first = patterns(&[("a", &["*:read"]), ("b", &["*:write"])]);
        let both = patterns(&[("b", &["*:read"])]).after(Some(first));
        assert_eq!(both, patterns(&[("a", &["*:read"]), ("b", &["*:read"])]));
        let groups = UserAccess::Groups(vec!["staff".into()]);
        assert_eq!(groups.clone().after(Some(both.clone())), groups);
        assert_eq!(both.clone().after(Some(groups)), both);
        let many: BTreeMap<String, Vec<String>> =
            (0..PATTERNS_MAX).map(|number| (format!("r{number}"), Vec::new())).collect();
        let new = patterns(&[("b", &["*:read"])]);
        assert_eq!(new.clone().after(Some(UserAccess::Patterns(many))), new);
        let text = serde_json::to_string(&new).unwrap();
        assert_eq!(text, r#"{"patterns":{"b":["*:read"]}}"#);
    }
}
