//! What every change of threads has in common: on whose behalf it is made, and what follows from it
//! in the same transaction.
//!
//! Locks are taken in one order: the thread, its comments, what hangs on them, inboxes.

use std::sync::Arc;

use super::attachment_take;
use super::comment_search;
use super::db::Tx;
use super::fault::Fault;
use super::notify::notify;
use super::room_data::DataKey;
use super::thread_row::ThreadRow;
use crate::domain::comment::{ActivityKind, Attachment, CommentActivity};
use crate::domain::content_id::{AttachmentId, CommentId, ThreadId};
use crate::domain::ctx::ThreadRight;
use crate::domain::ids::{RoomId, UserId};
use crate::domain::room::Room;
use crate::error::Error;

/// The threads of one room that somebody may read.
#[derive(Debug, Clone)]
pub struct ThreadView {
    pub key: DataKey,
    pub room_id: RoomId,
    pub right: ThreadRight,
}

/// The threads of one room that somebody changes.
#[derive(Debug, Clone)]
pub struct CommentScope {
    pub view: ThreadView,
    /// Which of the threads that may be read may be written.
    pub writable: ThreadRight,
    pub room: Arc<Room>,
    /// Who makes the change; absent if a back end does not say.
    pub actor: Option<UserId>,
    /// A user whose token it is changes only what they made themselves. Absent for back ends.
    pub owner: Option<UserId>,
}

impl CommentScope {
    /// What happened to a thread at a time, to be told by [`follow`].
    pub(super) fn activity(
        &self,
        thread: &ThreadRow,
        kind: ActivityKind,
    ) -> Result<CommentActivity, Error> {
        Ok(CommentActivity {
            room: Arc::clone(&self.room),
            thread: ThreadId::trusted(thread.id.as_str()),
            visibility: thread.visibility()?,
            actor: self.actor.clone(),
            at_ms: thread.updated_at_ms,
            kind,
            said: None,
            mentions: Vec::new(),
        })
    }
}

/// Something that happened in the threads of one room.
pub(super) type Happened<'a> = (&'a DataKey, &'a CommentActivity);

/// What else changes because of all that happened, in the order in which it did.
pub(super) async fn follow(tx: &mut Tx, happened: &[Happened<'_>]) -> Result<(), Fault> {
    notify(tx, happened).await?;
    // Last, since FTS5 writes what it has gathered before the next statement that may fail.
    comment_search::follow(tx, happened).await
}

/// The files that a new comment comes with.
pub(super) async fn attach(
    tx: &mut Tx,
    scope: &CommentScope,
    (thread, comment): (&ThreadRow, &CommentId),
    ids: &[AttachmentId],
) -> Result<Vec<Attachment>, Fault> {
    let place = (&ThreadId::trusted(thread.id.as_str()), comment, thread.visibility()?);
    attachment_take::attach(tx, &scope.view.key, place, scope.owner.as_ref(), ids).await
}

/// The files of a comment that is edited: some of those that it has may stay, and others come.
pub(super) async fn reattach(
    tx: &mut Tx,
    scope: &CommentScope,
    place: (&ThreadRow, &CommentId),
    ids: &[AttachmentId],
) -> Result<Vec<Attachment>, Fault> {
    let attachments = attach(tx, scope, place, ids).await?;
    detach(tx, scope, place, ids).await?;
    Ok(attachments)
}

/// Lets go of the files of a comment, but for some.
pub(super) async fn detach(
    tx: &mut Tx,
    scope: &CommentScope,
    (thread, comment): (&ThreadRow, &CommentId),
    keep: &[AttachmentId],
) -> Result<(), Fault> {
    let thread = ThreadId::trusted(thread.id.as_str());
    attachment_take::detach(tx, &scope.view.key, (&thread, comment), keep).await
}
