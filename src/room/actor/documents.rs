//! Work on whole documents, which waits for the database in the middle.

use bytes::Bytes;
use serde_json::Value;

use super::aside::aside;
use super::{Actor, Flow};
use crate::domain::ids::UserId;
use crate::error::Code;
use crate::error::Error;
use crate::room::effects::Effects;
use crate::room::message::RawJson;
use crate::room::people::People;
use crate::room::shared_storage::file_ids;
use crate::room::state::Needs;
use crate::room::storage::lson;
use crate::store::DocumentId;

/// A user to be shown without a connection.
pub(in crate::room) struct Shown {
    pub user: UserId,
    pub info: Option<RawJson>,
    pub data: RawJson,
    pub expires_at_ms: i64,
}

impl Actor {
    pub(in crate::room) async fn show(&mut self, shown: Shown) -> Result<(), Error> {
        let Shown { user, info, data, expires_at_ms } = shown;
        let actor = match self.state.people.shown_actor(&user) {
            Some(actor) => actor,
            None if self.state.people.shown_len() >= People::SHOWN_MAX => {
                let public = format!("A room shows at most {} users", People::SHOWN_MAX);
                return Err(Error::new(Code::ResourceExhausted, "TOO_MANY_USERS", public));
            }
            None => self.next_actor().await?,
        };
        let mut effects = Effects::default();
        self.state.people.show(actor, user, info, data, expires_at_ms, &mut effects);
        self.carry_out(effects);
        Ok(())
    }

    /// Replaces Storage by a document, or by nothing. Everybody has to load it anew afterwards.
    pub(in crate::room) async fn replace_storage(
        &mut self,
        lson: Option<Value>,
    ) -> Result<Bytes, Error> {
        let files = lson.as_ref().map(file_ids).unwrap_or_default();
        self.load(Needs { storage: true, files, ..Needs::default() }).await?;
        self.flush_or_fail().await?;
        let Some(storage) = &mut self.state.storage else {
            return Err(Error::internal("Storage was not loaded"));
        };
        match &lson {
            Some(_) if !storage.document().is_empty() => {
                return Err(crate::room::requests::storage_is_not_empty());
            }
            Some(lson) => aside(|| storage.initialize(lson))?,
            None => storage.clear(),
        }
        // The log of the old document goes with it, and the new one is its own snapshot.
        drop(storage.take_log());
        let mut text = Vec::new();
        let chunks = aside(|| {
            lson::write_lson(storage.document(), &mut text);
            storage.snapshot()
        });
        let id = DocumentId::storage();
        let log = self.logs.entry(id.clone()).or_default();
        log.replaced(&chunks);
        log.skip();
        let upto_seq = log.upto_seq();
        self.rooms.store.compact_document(&self.key, &id, upto_seq, chunks).await.map_err(lost)?;
        Ok(text.into())
    }

    pub(super) async fn flush_or_fail(&mut self) -> Result<(), Error> {
        match self.flush().await {
            Flow::On => Ok(()),
            Flow::End(_) => Err(lost(super::unavailable())),
        }
    }
}

/// Memory and database differ now, so the room has to be loaded anew.
fn lost(error: Error) -> Error {
    Error::new(Code::Aborted, "ROOM_FENCED", "The room cannot be stored right now.").because(error)
}
