//! On whose behalf threads are read and changed, and who is told of it.

use std::sync::Arc;

use crate::domain::comment::Visibility;
use crate::domain::comment::comment_not_found;
use crate::domain::content_id::{CommentId, ThreadId};
use crate::domain::ctx::{Actor, Ctx, room_not_found};
use crate::domain::ids::UserId;
use crate::domain::permissions::{Level, Resource};
use crate::error::{Code, Error};
use crate::room::message::{CommentEvent, CommentEventKind};
use crate::room::session::RoomAddress;
use crate::service::comments::CommentsHandlers;
use crate::service::contents::{Audience, Opened};
use crate::store::{CommentScope, ThreadView};

/// A room whose threads somebody changes.
pub(super) struct Changing {
    pub scope: CommentScope,
    address: RoomAddress,
}

impl Changing {
    /// Whoever acts; a back end has to say.
    pub fn author(&self, field: &str) -> Result<UserId, Error> {
        self.scope.actor.clone().ok_or_else(|| Error::missing(field))
    }
}

impl CommentsHandlers {
    /// The room, and its threads that the caller may read; no threads, if it never held anything.
    pub(super) async fn read(
        &self,
        ctx: &Ctx,
        room_id: &str,
        audience: Audience,
    ) -> Result<(Opened, Option<ThreadView>), Error> {
        let opened = self.open(ctx, room_id, audience).await?;
        let view = self.contents.threads(ctx, &opened).await?;
        Ok((opened, view))
    }

    /// The room, for who may read some of its threads.
    pub(super) async fn open(
        &self,
        ctx: &Ctx,
        room_id: &str,
        audience: Audience,
    ) -> Result<Opened, Error> {
        let right = (Level::Read, Resource::Comments);
        self.contents.open_for(ctx, room_id, right, audience).await
    }

    /// `user` is who acts, as the request says: the field and its value.
    pub(super) async fn change(
        &self,
        ctx: &Ctx,
        room_id: &str,
        user: (&str, &str),
    ) -> Result<Changing, Error> {
        let right = (Level::Write, Resource::Comments);
        let opened = self.contents.open_for(ctx, room_id, right, Audience::Everybody).await?;
        let (actor, owner) = (actor(ctx, user)?, ctx.user_id()?.cloned());
        let key = self.contents.store.ensure_data_key(&opened.project, &opened.room).await?;
        let view = ThreadView {
            key: key.ok_or_else(room_not_found)?,
            room_id: opened.room.id.clone(),
            right: ctx.threads(&opened.room, Level::Read)?,
        };
        let writable = ctx.threads(&opened.room, Level::Write)?;
        let address = opened.address();
        let scope = CommentScope { view, writable, room: opened.room, actor, owner };
        Ok(Changing { scope, address })
    }

    /// Tells those who are in the room and may know. The change is made: if nobody can be told,
    /// nothing of it is lost.
    pub(super) async fn tell(
        &self,
        changing: &Changing,
        visibility: Visibility,
        event: CommentEvent,
    ) {
        let rooms = &self.contents.rooms;
        let told = rooms.tell_comment(&changing.address, event, visibility.resource()).await;
        if let Err(error) = told {
            tracing::debug!(%error, "nobody could be told of a comment");
        }
    }
}

/// Who acts: with a user's token its user, and with a secret key whom the request names.
fn actor(ctx: &Ctx, (field, given): (&str, &str)) -> Result<Option<UserId>, Error> {
    match &ctx.caller()?.actor {
        Actor::User(user) if given.is_empty() || given == user.id.as_str() => {
            Ok(Some(user.id.clone()))
        }
        Actor::User(_) => Err(Error::new(
            Code::PermissionDenied,
            "FORBIDDEN",
            format!("A user's token acts for its own user, not for another '{field}'."),
        )),
        Actor::Secret | Actor::Public | Actor::Live(_) if given.is_empty() => Ok(None),
        Actor::Secret | Actor::Public | Actor::Live(_) => UserId::parse(field, given).map(Some),
    }
}

/// In a path: what is no id names nothing.
pub(super) fn comment_in_path(raw: &str) -> Result<CommentId, Error> {
    CommentId::parse("commentId", raw).map_err(|_| comment_not_found())
}

pub(super) fn thread_event(kind: CommentEventKind, thread: &ThreadId) -> CommentEvent {
    CommentEvent { kind, thread_id: Arc::from(thread.as_str()), comment_id: None, emoji: None }
}

pub(super) fn comment_event(
    kind: CommentEventKind,
    thread: &ThreadId,
    comment: &CommentId,
) -> CommentEvent {
    let comment_id = Some(Arc::from(comment.as_str()));
    CommentEvent { comment_id, ..thread_event(kind, thread) }
}
