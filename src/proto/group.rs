//! Groups between messages and domain values.

use super::room::{organization, timestamp};
use super::roomd::v1;
use crate::domain::group::{Group, read_members};
use crate::domain::ids::GroupId;
use crate::error::Error;

impl From<&Group> for v1::Group {
    fn from(group: &Group) -> Self {
        let member = |member: &crate::domain::group::GroupMember| v1::GroupMember {
            id: member.user.to_string(),
            added_at: Some(timestamp(member.added_at_ms)),
        };
        Self {
            r#type: "group".to_owned(),
            id: group.id.to_string(),
            organization_id: group.organization_id.to_string(),
            tenant_id: group.organization_id.to_string(),
            created_at: Some(timestamp(group.created_at_ms)),
            updated_at: Some(timestamp(group.updated_at_ms)),
            scopes: Some(v1::GroupScopes { mention: group.mention }),
            members: group.members.iter().map(member).collect(),
        }
    }
}

/// The group that a request makes now.
pub fn draft(request: &v1::CreateGroupRequest, now_ms: i64) -> Result<Group, Error> {
    let id = match (request.id.as_str(), request.group_id.as_str()) {
        ("", older) if !older.is_empty() => GroupId::parse("groupId", older)?,
        (id, _) => GroupId::parse("id", id)?,
    };
    let organization_id = organization(&request.organization_id, &request.tenant_id)?;
    let mut group = Group {
        id,
        organization_id: organization_id.unwrap_or_default(),
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
        mention: request.scopes.as_ref().map_or(Some(true), |scopes| scopes.mention),
        members: Vec::new(),
    };
    group.add(&read_members(&request.member_ids)?, now_ms)?;
    Ok(group)
}
