//! Who may see a file that a comment comes with.

use super::Visibility;
use crate::domain::ctx::{Actor, Ctx, ThreadRight};
use crate::domain::ids::UserId;
use crate::domain::permissions::Level;
use crate::domain::room::Room;
use crate::error::Error;

/// Attachments of one comment.
pub const ATTACHMENTS_MAX: usize = 10;

/// Proof of which attachments somebody may see in a room: those of comments in threads that they may
/// read, and drafts.
#[derive(Debug, Clone)]
pub struct AttachmentRight {
    threads: ThreadRight,
    drafts: Drafts,
}

/// Attachments that no comment has taken.
#[derive(Debug, Clone)]
enum Drafts {
    All,
    Of(UserId),
    Nobodys,
}

impl AttachmentRight {
    /// What the caller may see.
    pub fn of(ctx: &Ctx, room: &Room) -> Result<Self, Error> {
        let drafts = match &ctx.caller()?.actor {
            Actor::Secret => Drafts::All,
            Actor::User(user) => Drafts::Of(user.id.clone()),
            Actor::Public | Actor::Live(_) => Drafts::Nobodys,
        };
        Ok(Self { threads: ctx.threads(room, Level::Read)?, drafts })
    }

    /// For the program itself, and for who was given a signed address.
    pub const fn system() -> Self {
        Self { threads: ThreadRight::system(), drafts: Drafts::All }
    }

    /// `taken` is the visibility of the thread whose comment took it.
    pub fn covers(&self, uploader: &UserId, taken: Option<Visibility>) -> bool {
        match (taken, &self.drafts) {
            (Some(visibility), _) => self.threads.covers(visibility),
            (None, Drafts::All) => true,
            (None, Drafts::Of(user)) => user == uploader,
            (None, Drafts::Nobodys) => false,
        }
    }
}
