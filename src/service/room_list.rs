//! ListRooms: the one handler that has to look at more rooms than it gives back.

use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::domain::ctx::{Actor, Ctx};
use crate::domain::cursor::RoomCursor;
use crate::domain::ids::ProjectId;
use crate::domain::query::RoomFilter;
use crate::domain::room::Room;
use crate::error::Error;
use crate::proto::room::organization;
use crate::proto::roomd::v1;
use crate::service::room::RoomHandlers;

const LIMIT_MAX: usize = 100;
const LIMIT_DEFAULT: usize = 20;
/// Rooms that one call looks at for a user who may read few of them. The page that it gives may
/// then be short, or empty, and still have a next one.
const ROOMS_SCANNED_MAX: usize = 1000;

/// A page of rooms, and where the next one begins.
struct Page {
    rooms: Vec<Arc<Room>>,
    next: Option<RoomCursor>,
}

impl RoomHandlers {
    pub(super) async fn list(
        &self,
        ctx: &Ctx,
        request: v1::ListRoomsRequest,
    ) -> Result<v1::ListRoomsResponse, Error> {
        let caller = ctx.server_caller()?;
        let limit = read_limit(request.limit)?;
        let mut filter = read_filter(&request)?;
        if let Actor::User(user) = &caller.actor {
            // A token is good for one organization; another's rooms do not exist for it.
            let own = user.organization_id.clone();
            if filter.organization_id.replace(own.clone()).is_some_and(|asked| asked != own) {
                return Ok(v1::ListRoomsResponse::default());
            }
        }
        let project = &caller.project;
        let print = filter.fingerprint();
        let after = match request.starting_after.as_str() {
            "" => None,
            sealed => Some(RoomCursor::open(&self.cursors, project, print, sealed)?),
        };
        let page = self.page(ctx, project, &filter, after, limit).await?;
        let next_cursor = page.next.map(|next| next.seal(&self.cursors, project, print));
        let next_page = next_cursor.as_deref().map(|cursor| next_page(&request, cursor));
        Ok(v1::ListRoomsResponse {
            next_cursor,
            next_page: next_page.unwrap_or_default(),
            data: page.rooms.iter().map(|room| v1::Room::from(&**room)).collect(),
        })
    }

    /// Walks on until the page is full, the rooms end, or enough were looked at.
    async fn page(
        &self,
        ctx: &Ctx,
        project: &ProjectId,
        filter: &RoomFilter,
        mut after: Option<RoomCursor>,
        limit: usize,
    ) -> Result<Page, Error> {
        let mut rooms: Vec<Arc<Room>> = Vec::with_capacity(limit);
        let mut scanned = 0;
        loop {
            // One more than is wanted tells whether there is a next page.
            let wanted = limit + 1;
            let found = self.store.list_rooms(project, filter, after.as_ref(), wanted).await?;
            let more = found.len() == wanted;
            for guarded in found.into_iter().take(limit) {
                if rooms.len() == limit {
                    return Ok(Page { rooms, next: after });
                }
                let (position, room) = ctx.visible(guarded);
                after = Some(position);
                rooms.extend(room);
                scanned += 1;
            }
            if !more {
                return Ok(Page { rooms, next: None });
            }
            if rooms.len() == limit || scanned >= ROOMS_SCANNED_MAX {
                return Ok(Page { rooms, next: after });
            }
        }
    }
}

/// The request's own query string with another cursor.
fn next_page(request: &v1::ListRoomsRequest, cursor: &str) -> String {
    let limit = request.limit.map(|limit| limit.to_string()).unwrap_or_default();
    let mut params = vec![
        ("startingAfter".to_owned(), cursor),
        ("limit".to_owned(), limit.as_str()),
        ("organizationId".to_owned(), request.organization_id.as_str()),
        ("tenantId".to_owned(), request.tenant_id.as_str()),
        ("query".to_owned(), request.query.as_str()),
        ("userId".to_owned(), request.user_id.as_str()),
    ];
    params.extend(request.group_ids.iter().map(|ids| ("groupIds".to_owned(), ids.as_str())));
    let metadata = request.metadata.iter();
    params.extend(metadata.map(|(key, value)| (format!("metadata.{key}"), value.as_str())));
    let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let given = params.iter().filter(|(_, value)| !value.is_empty());
    let pairs = given.map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    format!("/v2/rooms?{}", pairs.collect::<Vec<_>>().join("&"))
}

fn read_limit(limit: Option<i32>) -> Result<usize, Error> {
    let Some(limit) = limit else { return Ok(LIMIT_DEFAULT) };
    match usize::try_from(limit) {
        Ok(limit @ 1..=LIMIT_MAX) => Ok(limit),
        _ => Err(Error::invalid("limit", format!("must be 1 to {LIMIT_MAX}, got {limit}"))),
    }
}

fn read_filter(request: &v1::ListRoomsRequest) -> Result<RoomFilter, Error> {
    let group_ids = request.group_ids.iter().flat_map(|ids| ids.split(','));
    let group_ids = group_ids.map(str::trim).filter(|id| !id.is_empty());
    let user_id = Some(request.user_id.as_str()).filter(|id| !id.is_empty());
    let organization_id = organization(&request.organization_id, &request.tenant_id)?;
    let filter = RoomFilter::from_query(&request.query)?
        .with_metadata(&request.metadata)?
        .with_members(user_id, group_ids)?;
    Ok(filter.in_organization(organization_id))
}
