//! Reading inboxes: more has to be looked at than is given back, since a caller sees no more than
//! they may read now.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::ctx::Ctx;
use crate::domain::ids::{OrganizationId, RoomId};
use crate::domain::notification::{InboxFilter, InboxQuery, Notification, Place};
use crate::domain::permissions::{Level, Resource};
use crate::domain::room::Room;
use crate::error::Error;
use crate::proto::notification::notification;
use crate::proto::roomd::v1;
use crate::service::person::Person;
use crate::store::{DataKey, InboxEntry, Store};

/// Notifications that one call looks at. The page that it gives may then be short, or empty, and
/// still have a next one.
const SCANNED_MAX: usize = 1_000;
/// Notifications that are read at once when the first did not fill the page.
const BATCH: usize = 200;
/// Unread notifications that are counted.
const COUNT_MAX: i64 = 10_000;

/// Opens notifications for one caller, and finds each room once.
pub struct Reader<'a> {
    pub ctx: &'a Ctx,
    pub store: &'a Store,
    pub person: &'a Person,
    /// Only of this organization.
    pub organization: Option<OrganizationId>,
    rooms: HashMap<RoomId, Option<Arc<Room>>>,
}

/// A notification that the caller may read.
pub struct Opened {
    pub notification: Notification,
    /// Of its room, or its own.
    pub organization: OrganizationId,
    /// Where its room keeps what it holds, if it is about one.
    pub room: Option<(RoomId, DataKey)>,
}

pub struct Page {
    pub notifications: Vec<Opened>,
    pub next_cursor: Option<String>,
}

impl Opened {
    pub fn into_message(self) -> v1::InboxNotification {
        notification(self.notification, &self.organization)
    }
}

impl<'a> Reader<'a> {
    pub fn new(ctx: &'a Ctx, store: &'a Store, person: &'a Person) -> Self {
        let organization = person.organization.clone();
        Self { ctx, store, person, organization, rooms: HashMap::new() }
    }

    /// A room, if the caller may read it.
    pub async fn room(&mut self, id: &RoomId) -> Result<Option<Arc<Room>>, Error> {
        if let Some(known) = self.rooms.get(id) {
            return Ok(known.clone());
        }
        let found = self.store.find_room(&self.person.project, id).await?;
        let room = self.ctx.open(found, Level::Read, Resource::Room).ok();
        self.rooms.insert(id.clone(), room.clone());
        Ok(room)
    }

    /// The notification, if the caller may read what it tells of and it is of the organization.
    pub async fn open(&mut self, entry: InboxEntry) -> Result<Option<Opened>, Error> {
        let room = match &entry.room {
            Some((id, _)) => self.room(id).await?,
            None => None,
        };
        let Some(notification) = self.ctx.notification(entry.notification, room.as_deref())? else {
            return Ok(None);
        };
        let organization = match (&notification.place, room) {
            (Place::Room(_), Some(room)) => room.organization_id.clone(),
            (Place::Room(_), None) => return Ok(None),
            (Place::Organization(own), _) => own.clone(),
        };
        let is_wanted = self.organization.as_ref().is_none_or(|only| *only == organization);
        Ok(is_wanted.then_some(Opened { notification, organization, room: entry.room }))
    }

    /// Walks on until the page is full, the inbox ends, or enough was looked at.
    pub async fn page(&mut self, query: InboxQuery) -> Result<Page, Error> {
        let InboxQuery { mut after, limit, filter } = query;
        let mut notifications = Vec::new();
        let (mut scanned, mut batch) = (0, limit);
        let (project, user) = (self.person.project.clone(), self.person.id.clone());
        loop {
            let bounds = (batch, filter.is_of_unread());
            let (entries, more) =
                self.store.list_inbox(&project, &user, after.as_ref(), bounds).await?;
            let count = entries.len();
            for (number, entry) in entries.into_iter().enumerate() {
                after = Some(entry.cursor.clone());
                let opened = self.open(entry).await?;
                notifications.extend(opened.filter(|one| filter.matches(&one.notification)));
                let is_last = !more && number + 1 == count;
                if notifications.len() == limit && !is_last {
                    let next_cursor = after.map(|at| at.to_text());
                    return Ok(Page { notifications, next_cursor });
                }
            }
            scanned += count;
            if !more {
                return Ok(Page { notifications, next_cursor: None });
            }
            let is_large = count < batch && !notifications.is_empty();
            if is_large || scanned >= SCANNED_MAX {
                let next_cursor = after.map(|at| at.to_text());
                return Ok(Page { notifications, next_cursor });
            }
            batch = BATCH;
        }
    }

    /// How many unread notifications there are that the caller may read.
    pub async fn count(&mut self, filter: &InboxFilter) -> Result<i32, Error> {
        let (project, user) = (&self.person.project, &self.person.id);
        let sorts = self.store.count_unread(project, user, COUNT_MAX).await?;
        let mut count = 0;
        for sort in sorts {
            let room = match &sort.room {
                Some(id) => self.room(id).await?,
                None => None,
            };
            let may_read = self.ctx.notification(sort.like, room.as_deref())?.is_some();
            let room = sort.room.as_ref().map(RoomId::as_str);
            if may_read && filter.matches_parts(true, &sort.kind, room) {
                count += sort.count;
            }
        }
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }
}
