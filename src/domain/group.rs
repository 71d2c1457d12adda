//! Groups: names for several users, to mention them together.

use std::collections::BTreeSet;

use super::cursor::GroupCursor;
use super::ids::{GroupId, OrganizationId, UserId};
use crate::error::{Code, Error};

/// Members of one group.
pub const MEMBERS_MAX: usize = 1_000;
/// Groups that are read at once by their ids.
pub const FIND_IDS_MAX: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub id: GroupId,
    pub organization_id: OrganizationId,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
    /// Whether its members can be mentioned together; no, unless it was said.
    pub mention: Option<bool>,
    /// In the order in which they came.
    pub members: Vec<GroupMember>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMember {
    pub user: UserId,
    pub added_at_ms: i64,
}

/// A page of groups, newest first, and where the next one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPage {
    pub groups: Vec<Group>,
    pub next: Option<GroupCursor>,
}

impl Group {
    /// Says who came: whoever was there already stays as they are.
    pub fn add(&mut self, users: &[UserId], now_ms: i64) -> Result<Vec<UserId>, Error> {
        let mut known: BTreeSet<UserId> = self.members.iter().map(|m| m.user.clone()).collect();
        let added: Vec<UserId> =
            users.iter().filter(|user| known.insert((*user).clone())).cloned().collect();
        if known.len() > MEMBERS_MAX {
            let problem = format!("a group has at most {MEMBERS_MAX} members, got {}", known.len());
            return Err(Error::invalid("memberIds", problem));
        }
        let added_at_ms = self.touch(now_ms, added.is_empty());
        let members = added.iter().map(|user| GroupMember { user: user.clone(), added_at_ms });
        self.members.extend(members);
        Ok(added)
    }

    /// Says who went.
    pub fn remove(&mut self, users: &[UserId], now_ms: i64) -> Vec<UserId> {
        let leaving: BTreeSet<&UserId> = users.iter().collect();
        let removed = self.members.extract_if(.., |member| leaving.contains(&member.user));
        let removed: Vec<UserId> = removed.map(|member| member.user).collect();
        self.touch(now_ms, removed.is_empty());
        removed
    }

    /// The time of a change, which is never before the last one.
    fn touch(&mut self, now_ms: i64, is_same: bool) -> i64 {
        let at_ms = now_ms.max(self.updated_at_ms);
        if !is_same {
            self.updated_at_ms = at_ms;
        }
        at_ms
    }
}

/// The ids that a request names as `memberIds`.
pub fn read_members(ids: &[String]) -> Result<Vec<UserId>, Error> {
    const FIELD: &str = "memberIds";
    if ids.len() > MEMBERS_MAX {
        let problem = format!("must be at most {MEMBERS_MAX} ids, got {}", ids.len());
        return Err(Error::invalid(FIELD, problem));
    }
    ids.iter().map(|id| UserId::parse(FIELD, id)).collect()
}

pub fn group_not_found() -> Error {
    Error::not_found("GROUP_NOT_FOUND", "Group not found.")
}

pub fn group_already_exists() -> Error {
    let public = "A group with this id already exists.";
    Error::new(Code::AlreadyExists, "GROUP_ALREADY_EXISTS", public)
        .suggest("Please use another id.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(names: &[&str]) -> Vec<UserId> {
        names.iter().map(|name| UserId::trusted(*name)).collect()
    }

    fn group() -> Group {
        Group {
            id: GroupId::trusted("g"),
            organization_id: OrganizationId::default(),
            created_at_ms: 5,
            updated_at_ms: 5,
            mention: Some(true),
            members: Vec::new(),
        }
    }

    fn members(group: &Group) -> Vec<(&str, i64)> {
        group.members.iter().map(|member| (member.user.as_str(), member.added_at_ms)).collect()
    }

    #[test]
    fn members_come_once_and_keep_their_time() {
        let mut group = group();
        assert_eq!(group.add(&users(&["b", "a", "b"]), 6).unwrap(), users(&["b", "a"]));
        assert_eq!(group.add(&users(&["a", "c"]), 7).unwrap(), users(&["c"]));
        assert_eq!(members(&group), [("b", 6), ("a", 6), ("c", 7)]);
        assert_eq!(group.add(&users(&["a"]), 8).unwrap(), []);
        assert_eq!(group.updated_at_ms, 7, "nothing changed");
        assert_eq!(group.remove(&users(&["a", "nobody"]), 3), users(&["a"]));
        assert_eq!((group.updated_at_ms, members(&group)), (7, vec![("b", 6), ("c", 7)]));
    }

    #[test]
    fn a_group_that_would_be_too_large_is_refused() {
        let mut group = group();
        let many: Vec<String> = (0..=MEMBERS_MAX).map(|n| n.to_string()).collect();
        let all = read_members(&many[1..]).unwrap();
        group.add(&all, 6).unwrap();
        group.add(&all, 7).unwrap();
        let error = group.add(&users(&["one more"]), 8).unwrap_err();
        assert!(error.public().contains("1000 members"), "{}", error.public());
        assert_eq!(group.members.len(), MEMBERS_MAX);
        assert!(read_members(&many).is_err());
        assert!(read_members(&[String::new()]).is_err());
    }
}
