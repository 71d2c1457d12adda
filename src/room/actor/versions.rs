//! Versions: all of a room's documents as they are at one moment. And the schema, which is attached
//! to what a room holds at one moment too.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use super::Actor;
use super::aside::aside;
use super::load::load_schema;
use crate::domain::ctx::Actor as Identity;
use crate::domain::ids::UserId;
use crate::error::{Error, chain};
use crate::room::message::ActorId;
use crate::room::state::Needs;
use crate::room::storage::NodeForm;
use crate::room::yjs::{CHUNK_BYTES_MAX, Encoding};
use crate::store::{DocumentId, SchemaId, Version, VersionId, VersionKind};

/// A version names at most so many of those who made it.
const AUTHORS_MAX: usize = 100;

/// What happened since the last version.
#[derive(Debug, Default)]
pub(super) struct Edits {
    /// When the last of them was, if there was any.
    pub last_at_ms: Option<i64>,
    authors: BTreeSet<UserId>,
}

impl Actor {
    /// Somebody sent changes of a document.
    pub(super) fn note_edit(&mut self, actor: ActorId) {
        let Some(connection) = self.connections.get(&actor) else { return };
        if let Identity::User(user) = &connection.caller.actor
            && self.edits.authors.len() < AUTHORS_MAX
            && !self.edits.authors.contains(&user.id)
        {
            self.edits.authors.insert(user.id.clone());
        }
    }

    pub(in crate::room) async fn create_version(
        &mut self,
        kind: VersionKind,
        author: Option<UserId>,
    ) -> Result<Version, Error> {
        self.load_all().await?;
        self.flush_or_fail().await?;
        let mut authors = self.edits.authors.clone();
        authors.extend(author);
        let version = Version {
            id: VersionId::random()?,
            created_at_ms: self.rooms.clock.now_ms(),
            kind,
            authors: authors.into_iter().take(AUTHORS_MAX).collect(),
        };
        let contents = aside(|| self.contents())?;
        self.rooms.store.insert_version(&self.key, version.clone(), contents).await?;
        self.edits = Edits::default();
        Ok(version)
    }

    /// As clients read them: Storage node by node, Yjs documents as one update each.
    fn contents(&self) -> Result<Vec<(DocumentId, Vec<Bytes>)>, Error> {
        let mut contents = Vec::new();
        if let Some(storage) = &self.state.storage {
            let lines = storage.document().node_lines(NodeForm::Full);
            let lines = lines.map(|mut line| {
                line.push(b'\n');
                Bytes::from(line)
            });
            contents.push((DocumentId::storage(), lines.collect()));
        }
        for (guid, document) in self.state.yjs.iter() {
            let Ok(id) = super::log::document_id(guid) else { continue };
            let update = document.encode_all(Encoding::V1).map_err(Error::internal)?;
            let chunks = update.chunks(CHUNK_BYTES_MAX).map(Bytes::copy_from_slice).collect();
            contents.push((id, chunks));
        }
        Ok(contents)
    }

    /// When the room has been quiet for long enough to keep what was done.
    pub(super) fn version_due_ms(&self) -> Option<i64> {
        let quiet_ms = i64::try_from(self.rooms.limits.version_quiet_ms).unwrap_or(i64::MAX);
        self.edits.last_at_ms.filter(|_| quiet_ms > 0).map(|at_ms| at_ms.saturating_add(quiet_ms))
    }

    pub(super) async fn create_automatic_version(&mut self) {
        if let Err(error) = self.create_version(VersionKind::Automatic, None).await {
            let room = &self.address.room;
            tracing::warn!(%room, error = %chain(&error), "failed to keep an automatic version");
            // Not again before somebody edits again.
            self.edits.last_at_ms = None;
        }
    }

    pub(in crate::room) async fn attach_schema(&mut self, id: SchemaId) -> Result<(), Error> {
        let (store, project) = (&self.rooms.store, &self.address.project);
        let schema = Arc::new(load_schema(store, project, &id).await?);
        self.load(Needs { storage: true, ..Needs::default() }).await?;
        let storage = self.state.storage.as_mut().ok_or_else(|| Error::internal("no Storage"))?;
        storage.check_schema(&schema)?;
        if !self.rooms.store.attach_schema(&self.key, &id).await? {
            return Err(schema_not_found());
        }
        storage.attach(schema);
        self.schema = Some(id);
        Ok(())
    }

    pub(in crate::room) async fn detach_schema(&mut self) -> Result<(), Error> {
        self.rooms.store.detach_schema(&self.key).await?;
        self.schema = None;
        if let Some(storage) = &mut self.state.storage {
            storage.detach();
        }
        Ok(())
    }
}

pub(super) fn schema_not_found() -> Error {
    Error::not_found("SCHEMA_NOT_FOUND", "Schema not found.")
}
