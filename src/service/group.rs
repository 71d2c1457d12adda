//! GroupService.

use crate::domain::ctx::{Ctx, ProjectGrant};
use crate::domain::cursor::{CursorKey, CursorKind, CursorScope, GroupCursor};
use crate::domain::group::{
    FIND_IDS_MAX, GroupPage, group_already_exists, group_not_found, read_members,
};
use crate::domain::ids::{GroupId, UserId};
use crate::error::Error;
use crate::proto::group::draft;
use crate::proto::handlers::roomd_v1_group_service::GroupService;
use crate::proto::roomd::v1;
use crate::store::{GroupChange, Store};

const LIMIT_MAX: usize = 100;
const LIMIT_DEFAULT: usize = 20;

pub struct GroupHandlers {
    store: Store,
    cursors: CursorKey,
}

impl GroupHandlers {
    pub fn new(store: Store, cursors: CursorKey) -> Self {
        Self { store, cursors }
    }

    /// A page of all groups, or of one user's.
    async fn page(
        &self,
        grant: &ProjectGrant,
        user: Option<&UserId>,
        (limit, starting_after): (Option<i32>, &str),
    ) -> Result<(Option<String>, Vec<v1::Group>), Error> {
        let kind = if user.is_some() { CursorKind::UserGroups } else { CursorKind::Groups };
        // A place in one of these lists is a place in all of its kind.
        let scope = CursorScope { kind, project: grant.project(), filter: [0; 8] };
        let limit = read_limit(limit)?;
        let after = match starting_after {
            "" => None,
            sealed => Some(GroupCursor::open(&self.cursors, scope, sealed)?),
        };
        let page = self.store.list_groups(grant, user, after.as_ref(), limit).await?;
        let GroupPage { groups, next } = page;
        let next = next.map(|next| next.seal(&self.cursors, scope));
        Ok((next, groups.iter().map(v1::Group::from).collect()))
    }

    async fn change(
        &self,
        ctx: &Ctx,
        group_id: &str,
        change: GroupChange,
    ) -> Result<Option<v1::Group>, Error> {
        let grant = ctx.require_admin()?;
        let id = group_in_path(group_id)?;
        let group = self.store.change_group(&grant, &id, change, ctx.now_ms()).await?;
        group.as_ref().map(v1::Group::from).ok_or_else(group_not_found).map(Some)
    }
}

impl GroupService for GroupHandlers {
    async fn list_groups(
        &self,
        ctx: &Ctx,
        request: v1::ListGroupsRequest,
    ) -> Result<v1::ListGroupsResponse, Error> {
        let grant = ctx.require_admin()?;
        let place = (request.limit, request.starting_after.as_str());
        let (next_cursor, data) = self.page(&grant, None, place).await?;
        Ok(v1::ListGroupsResponse { next_cursor, data })
    }

    async fn create_group(
        &self,
        ctx: &Ctx,
        request: v1::CreateGroupRequest,
    ) -> Result<v1::CreateGroupResponse, Error> {
        let grant = ctx.require_admin()?;
        let group = draft(&request, ctx.now_ms())?;
        if !self.store.insert_group(&grant, &group).await? {
            return Err(group_already_exists());
        }
        Ok(v1::CreateGroupResponse { group: Some((&group).into()) })
    }

    async fn get_group(
        &self,
        ctx: &Ctx,
        request: v1::GetGroupRequest,
    ) -> Result<v1::GetGroupResponse, Error> {
        let grant = ctx.require_admin()?;
        let id = group_in_path(&request.group_id)?;
        let found = self.store.find_groups(grant.project(), vec![id]).await?.pop();
        let group = grant.open(found.ok_or_else(group_not_found)?);
        Ok(v1::GetGroupResponse { group: Some((&group).into()) })
    }

    async fn delete_group(
        &self,
        ctx: &Ctx,
        request: v1::DeleteGroupRequest,
    ) -> Result<v1::DeleteGroupResponse, Error> {
        let grant = ctx.require_admin()?;
        match self.store.delete_group(&grant, &group_in_path(&request.group_id)?).await? {
            true => Ok(v1::DeleteGroupResponse {}),
            false => Err(group_not_found()),
        }
    }

    async fn add_group_members(
        &self,
        ctx: &Ctx,
        request: v1::AddGroupMembersRequest,
    ) -> Result<v1::AddGroupMembersResponse, Error> {
        let change = GroupChange::Add(read_members(&request.member_ids)?);
        let group = self.change(ctx, &request.group_id, change).await?;
        Ok(v1::AddGroupMembersResponse { group })
    }

    async fn remove_group_members(
        &self,
        ctx: &Ctx,
        request: v1::RemoveGroupMembersRequest,
    ) -> Result<v1::RemoveGroupMembersResponse, Error> {
        let change = GroupChange::Remove(read_members(&request.member_ids)?);
        let group = self.change(ctx, &request.group_id, change).await?;
        Ok(v1::RemoveGroupMembersResponse { group })
    }

    async fn list_user_groups(
        &self,
        ctx: &Ctx,
        request: v1::ListUserGroupsRequest,
    ) -> Result<v1::ListUserGroupsResponse, Error> {
        let grant = ctx.require_admin()?;
        let user = UserId::parse("userId", &request.user_id)?;
        let place = (request.limit, request.starting_after.as_str());
        let (next_cursor, data) = self.page(&grant, Some(&user), place).await?;
        Ok(v1::ListUserGroupsResponse { next_cursor, data })
    }

    async fn find_groups(
        &self,
        ctx: &Ctx,
        request: v1::FindGroupsRequest,
    ) -> Result<v1::FindGroupsResponse, Error> {
        let caller = ctx.server_caller()?;
        let ids = read_ids(&request.group_ids)?;
        let mut groups = Vec::new();
        for found in self.store.find_groups(&caller.project, ids).await? {
            groups.extend(ctx.open_group(found)?.as_ref().map(v1::Group::from));
        }
        Ok(v1::FindGroupsResponse { groups })
    }
}

/// In a path: what is no id names nothing.
fn group_in_path(raw: &str) -> Result<GroupId, Error> {
    GroupId::parse("groupId", raw).map_err(|_| group_not_found())
}

fn read_ids(ids: &[String]) -> Result<Vec<GroupId>, Error> {
    const FIELD: &str = "groupIds";
    if ids.len() > FIND_IDS_MAX {
        let problem = format!("must be at most {FIND_IDS_MAX} ids, got {}", ids.len());
        return Err(Error::invalid(FIELD, problem));
    }
    ids.iter().map(|id| GroupId::parse(FIELD, id)).collect()
}

fn read_limit(limit: Option<i32>) -> Result<usize, Error> {
    let Some(limit) = limit else { return Ok(LIMIT_DEFAULT) };
    match usize::try_from(limit) {
        Ok(limit @ 1..=LIMIT_MAX) => Ok(limit),
        _ => Err(Error::invalid("limit", format!("must be 1 to {LIMIT_MAX}, got {limit}"))),
    }
}
