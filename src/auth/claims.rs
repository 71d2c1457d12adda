//! What stands in a token. The names are those that browser clients read, so they are not ours to
//! change; a client throws on a scope that it does not know.

use std::collections::BTreeMap;

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::domain::ctx::{User, UserRights};
use crate::domain::ids::{OrganizationId, ProjectId, UserId, check_text};
use crate::domain::permissions::AccessPatterns;
use crate::domain::room::{ACCESSES_ID_CHARS_MAX, ACCESSES_MAX};
use crate::error::Error;

/// Characters of `userInfo`, written as JSON.
pub const USER_INFO_CHARS_MAX: usize = 1024;
/// A room names no more groups, so a longer list could not match more.
pub const GROUP_IDS_MAX: usize = ACCESSES_MAX;
pub const GROUP_ID_CHARS_MAX: usize = ACCESSES_ID_CHARS_MAX;
const TOKEN_ID_CHARS_MAX: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    /// An access token: it carries its own permissions.
    #[serde(rename = "acc")]
    Access,
    /// An ID token: the rooms' accesses decide.
    #[serde(rename = "id")]
    Identity,
}

/// The claims as we write them, in the order in which the reference shows them.
#[derive(Serialize)]
pub(super) struct ClaimsOut<'a> {
    k: Kind,
    pid: &'a str,
    uid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    perms: Option<PatternsOut<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    gids: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    ui: Option<&'a Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oid: Option<&'a str>,
    iat: i64,
    exp: i64,
    jti: &'a str,
}

struct PatternsOut<'a>(&'a AccessPatterns);

impl Serialize for PatternsOut<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (pattern, scopes) in self.0.iter() {
            let scopes: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
            map.serialize_entry(pattern, &scopes)?;
        }
        map.end()
    }
}

impl<'a> ClaimsOut<'a> {
    pub(super) fn new(
        project: &'a ProjectId,
        user: &'a User,
        (iat, exp): (i64, i64),
        jti: &'a str,
    ) -> Self {
        let (k, perms, gids) = match &user.rights {
            UserRights::Patterns(patterns) => (Kind::Access, Some(PatternsOut(patterns)), &[][..]),
            UserRights::Identity { group_ids } => (Kind::Identity, None, group_ids.as_slice()),
        };
        let organization = &user.organization_id;
        // Most tokens belong to the default organization, and clients of today know no such claim.
        let oid = (*organization != OrganizationId::default()).then_some(organization.as_str());
        let (pid, uid) = (project.as_str(), user.id.as_str());
        Self { k, pid, uid, perms, gids, ui: user.info.as_ref(), oid, iat, exp, jti }
    }
}

/// The claims of a token whose signature is ours, and still not believed: an older or newer version
/// of this program may have signed them under other limits.
#[derive(Deserialize)]
pub(super) struct ClaimsIn {
    k: Kind,
    pid: String,
    uid: String,
    perms: Option<BTreeMap<String, Vec<String>>>,
    #[serde(default)]
    gids: Vec<String>,
    ui: Option<Map<String, Value>>,
    oid: Option<String>,
    pub(super) iat: i64,
    pub(super) exp: i64,
    pub(super) nbf: Option<i64>,
    pub(super) jti: String,
}

impl ClaimsIn {
    pub(super) fn check(&self) -> Result<(ProjectId, User), Error> {
        let project = ProjectId::parse("pid", &self.pid)?;
        let id = UserId::parse("uid", &self.uid)?;
        let organization_id = match &self.oid {
            Some(oid) => OrganizationId::parse("oid", oid)?,
            None => OrganizationId::default(),
        };
        if self.exp <= self.iat {
            return Err(Error::invalid("exp", "must be after iat"));
        }
        if self.jti.is_empty() || self.jti.len() > TOKEN_ID_CHARS_MAX {
            return Err(Error::invalid("jti", "must be 1 to 64 characters"));
        }
        let rights = self.rights()?;
        let user = User { id, info: self.ui.clone(), organization_id, rights };
        check_user(&user)?;
        Ok((project, user))
    }

    fn rights(&self) -> Result<UserRights, Error> {
        match (self.k, &self.perms) {
            (Kind::Access, None) => Err(Error::missing("perms")),
            (Kind::Access, Some(perms)) => {
                let perms = perms.iter().map(|(pattern, scopes)| (pattern.clone(), scopes.clone()));
                Ok(UserRights::Patterns(AccessPatterns::parse("perms", perms)?))
            }
            (Kind::Identity, _) => Ok(UserRights::Identity { group_ids: self.gids.clone() }),
        }
    }
}

/// The limits of what a caller may have put into a token, named as `authorizeUser` and
/// `identifyUser` spell them.
pub fn check_user(user: &User) -> Result<(), Error> {
    if let Some(info) = &user.info {
        check_user_info(info)?;
    }
    match &user.rights {
        UserRights::Patterns(_) => Ok(()),
        UserRights::Identity { group_ids } => check_group_ids(group_ids),
    }
}

pub fn check_user_info(info: &Map<String, Value>) -> Result<(), Error> {
    let text = serde_json::to_string(info).map_err(Error::internal)?;
    let chars = text.chars().count();
    if chars > USER_INFO_CHARS_MAX {
        let problem =
            format!("must be at most {USER_INFO_CHARS_MAX} characters as JSON, got {chars}");
        return Err(Error::invalid("userInfo", problem));
    }
    Ok(())
}

fn check_group_ids(group_ids: &[String]) -> Result<(), Error> {
    if group_ids.len() > GROUP_IDS_MAX {
        let problem = format!("must have at most {GROUP_IDS_MAX} ids, got {}", group_ids.len());
        return Err(Error::invalid("groupIds", problem));
    }
    for (index, id) in group_ids.iter().enumerate() {
        let field = format!("groupIds[{index}]");
        let chars = id.chars().count();
        if chars == 0 || chars > GROUP_ID_CHARS_MAX {
            let problem = format!("must be 1 to {GROUP_ID_CHARS_MAX} characters, got {chars}");
            return Err(Error::invalid(field, problem));
        }
        check_text(&field, id)?;
    }
    Ok(())
}
