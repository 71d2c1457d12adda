//! What rooms hold, as the handlers about it open them: Storage, Yjs, versions, feeds.

use std::sync::Arc;

use crate::domain::comment::thread_not_found;
use crate::domain::content_id::ThreadId;
use crate::domain::ctx::Ctx;
use crate::domain::ids::{ProjectId, RoomId};
use crate::domain::permissions::{Level, Resource};
use crate::domain::room::Room;
use crate::error::Error;
use crate::proto::google::api::HttpBody;
use crate::room::registry::Rooms;
use crate::room::session::RoomAddress;
use crate::store::{Store, ThreadView};

pub const JSON: &str = "application/json";
/// One JSON value on each line.
pub const JSON_LINES: &str = "application/x-ndjson";
pub const BYTES: &str = "application/octet-stream";

/// Whom a method is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Back ends and users.
    Everybody,
    /// Browsers too, which may have nothing but the public key.
    Browsers,
}

/// The way to what rooms hold.
#[derive(Clone)]
pub struct Contents {
    pub store: Store,
    pub rooms: Rooms,
}

/// A room for a caller who may do what they asked for.
pub struct Opened {
    pub project: ProjectId,
    pub room: Arc<Room>,
}

impl Contents {
    /// Opens a room for a caller who has `level` on its Storage, which stands for the Yjs document
    /// and the versions as well.
    pub async fn open(
        &self,
        ctx: &Ctx,
        room_id: &str,
        level: Level,
        audience: Audience,
    ) -> Result<Opened, Error> {
        self.open_for(ctx, room_id, (level, Resource::Storage), audience).await
    }

    /// As [`Contents::open`], for another resource of the room.
    pub async fn open_for(
        &self,
        ctx: &Ctx,
        room_id: &str,
        (level, resource): (Level, Resource),
        audience: Audience,
    ) -> Result<Opened, Error> {
        let id = RoomId::parse("roomId", room_id)?;
        let caller = match audience {
            Audience::Everybody => ctx.server_caller()?,
            Audience::Browsers => ctx.caller()?,
        };
        let room = self.store.find_room(&caller.project, &id).await?;
        let room = ctx.open(room, level, resource)?;
        Ok(Opened { project: caller.project.clone(), room })
    }

    /// The threads of an opened room that the caller may read; none, if it never held anything.
    pub async fn threads(&self, ctx: &Ctx, opened: &Opened) -> Result<Option<ThreadView>, Error> {
        let key = self.store.find_data_key(&opened.project, &opened.room).await?;
        let (room_id, right) = (opened.room.id.clone(), ctx.threads(&opened.room, Level::Read)?);
        Ok(key.map(|key| ThreadView { key, room_id, right }))
    }
}

impl Opened {
    pub fn address(&self) -> RoomAddress {
        RoomAddress { project: self.project.clone(), room: self.room.id.clone() }
    }
}

/// In a path: what is no id names nothing.
pub fn thread_in_path(raw: &str) -> Result<ThreadId, Error> {
    ThreadId::parse("threadId", raw).map_err(|_| thread_not_found())
}

/// A raw body.
pub fn body(content_type: &str, data: impl Into<bytes::Bytes>) -> Option<HttpBody> {
    Some(HttpBody { content_type: content_type.to_owned(), data: data.into() })
}

/// `None` for a text that was left out.
pub fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
