//! Who comes in.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::sync::oneshot;

use super::live_join::live_join;
use super::{Actor, Connection, Flow};
use crate::domain::ctx::Actor as Identity;
use crate::domain::live::LeaveReason;
use crate::domain::permissions::{Level, Matrix, Resource};
use crate::error::chain;
use crate::room::close::CloseReason;
use crate::room::effects::Effects;
use crate::room::message::{Member, RawJson};
use crate::room::outbox::Outbox;
use crate::room::session::{Join, Session};

/// The room's record says when somebody entered it last; more often than this nobody needs to know.
const TOUCH_INTERVAL_MS: i64 = 60_000;

/// Tells one session from another of the same actor.
pub(super) fn nonce() -> Arc<str> {
    const NONCE_BYTES: usize = 15;
    let mut bytes = [0; NONCE_BYTES];
    // It guards nothing, so a machine without randomness may go on.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes).into()
}

impl Actor {
    pub(super) async fn join(
        &mut self,
        join: Join,
        reply: oneshot::Sender<Result<Session, CloseReason>>,
    ) -> Flow {
        let (answer, flow) = match self.admit(join).await {
            Ok(session) => (Ok(session), Flow::On),
            Err((reason, flow)) => (Err(reason), flow),
        };
        // A session that nobody takes is dropped, and with that leaves.
        drop(reply.send(answer));
        flow
    }

    async fn admit(&mut self, join: Join) -> Result<Session, (CloseReason, Flow)> {
        let refuse = |reason| (reason, Flow::On);
        let unavailable = |error: crate::error::Error| {
            tracing::error!(error = %chain(&error), "failed to let somebody into a room");
            (CloseReason::Unavailable, Flow::after(&error))
        };
        let room = self.rooms.find_room(&self.address).await.map_err(unavailable)?;
        let room = room.ok_or_else(|| refuse(CloseReason::NotAllowed))?;
        let rights = join.caller.actor.rights_in(&room);
        if !rights.allows(Level::Read, Resource::Room) {
            return Err(refuse(CloseReason::NotAllowed));
        }
        if self.state.people.connected_len() >= self.rooms.limits.room_connections_max {
            return Err(refuse(CloseReason::RoomFull));
        }
        let Some(mailbox) = self.mailbox.upgrade() else {
            return Err(refuse(CloseReason::ShuttingDown));
        };
        let actor = self.next_actor().await.map_err(unavailable)?;
        let outbox = Arc::new(Outbox::new(self.rooms.limits.room_outbox_bytes_max));
        let live = live_join(&join, actor, rights);
        self.check_live(&join, &live).await.map_err(refuse)?;
        let member = member(&join, rights);
        let Join { caller, dialect, .. } = join;
        let (outbox_of, feeds) = (Arc::clone(&outbox), super::Share::default());
        let connection = Connection { caller, dialect, link: live.link, outbox: outbox_of, feeds };
        self.connections.insert(actor, connection);
        let mut effects = Effects::default();
        let is_hidden = live.permission.hidden;
        self.state.people.join(actor, (member, is_hidden), rights, nonce(), &mut effects);
        self.carry_out(effects);
        self.enter_live(actor, live).map_err(unavailable)?;
        self.touch();
        let (inbox_bytes, leaves_as) =
            (Arc::clone(&self.inbox_bytes), LeaveReason::ClientInitiated);
        Ok(Session { actor, mailbox, inbox_bytes, outbox, leaves_as })
    }

    fn touch(&mut self) {
        let now_ms = self.rooms.clock.now_ms();
        if now_ms - self.touched_at_ms < TOUCH_INTERVAL_MS {
            return;
        }
        self.touched_at_ms = now_ms;
        let (store, address) = (self.rooms.store.clone(), self.address.clone());
        self.rooms.tasks.spawn(async move {
            let touched =
                store.touch_room_connection(&address.project, &address.room, now_ms).await;
            if let Err(error) = touched {
                tracing::warn!(error = %chain(&error), "failed to note when a room was entered");
            }
        });
    }
}

fn member(join: &Join, rights: Matrix) -> Member {
    let (id, info) = match &join.caller.actor {
        Identity::User(user) => {
            let info =
                user.info.as_ref().and_then(|info| serde_json::value::to_raw_value(info).ok());
            (Some(user.id.as_str().into()), info.map(Arc::from))
        }
        Identity::Live(token) => (Some(token.identity.as_str().into()), name_only(&token.name)),
        Identity::Secret | Identity::Public => (None, None),
    };
    Member { id, info, scopes: rights.canonical_scopes().into() }
}

/// What a token of LiveKit's says of somebody that the others' lists of people can show.
fn name_only(name: &str) -> Option<RawJson> {
    if name.is_empty() {
        return None;
    }
    serde_json::value::to_raw_value(&serde_json::json!({ "name": name })).ok().map(Arc::from)
}
