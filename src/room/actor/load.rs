//! Documents come from the database when somebody needs them.

use std::sync::Arc;

use bytes::Bytes;

use super::Actor;
use super::log::{Log, document_id, split_records};
use super::versions::{Edits, schema_not_found};
use crate::domain::ctx::ProjectGrant;
use crate::domain::ids::ProjectId;
use crate::domain::schema::Schema;
use crate::error::{Code, Error};
use crate::room::message::ActorId;
use crate::room::session::RoomAddress;
use crate::room::shared_storage::SharedStorage;
use crate::room::shared_yjs::Guid;
use crate::room::state::{Needs, State};
use crate::room::storage::Document;
use crate::room::yjs::YDocument;
use crate::store::{DocumentId, FileId, SchemaId, Store};

/// Actors that are reserved at a time. Those that are left when the room is unloaded go back.
const ACTORS_RESERVED: u32 = 64;
/// Yjs documents of one room that are in memory at once, sub-documents included.
const YJS_DOCUMENTS_MAX: usize = 1_000;

impl Actor {
    /// `None` if there is no such room.
    pub(super) async fn open(
        rooms: Arc<super::Inner>,
        address: RoomAddress,
        mailbox: super::mpsc::WeakSender<super::Command>,
    ) -> Result<Option<Self>, Error> {
        let (project, room) = (&address.project, &address.room);
        let data = rooms.store.open_room_data(project, room, ACTORS_RESERVED).await?;
        let opened = data.map(|data| Self {
            rooms,
            address,
            key: data.key,
            mailbox,
            inbox_bytes: Arc::new(super::Semaphore::new(
                crate::room::session::INBOX_BYTES_MAX as usize,
            )),
            state: State::default(),
            connections: std::collections::BTreeMap::new(),
            actors: data.actors,
            logs: std::collections::HashMap::new(),
            commit: super::Commit::default(),
            feeds: super::Feeds::default(),
            live: super::LiveWrites::default(),
            schema: data.schema,
            idle_since_ms: None,
            announce_at_ms: None,
            touched_at_ms: 0,
            edits: Edits::default(),
        });
        Ok(opened.map(|mut actor| {
            actor.resume_live();
            actor
        }))
    }

    /// A number that nobody in this room ever had.
    pub(super) async fn next_actor(&mut self) -> Result<ActorId, Error> {
        if self.actors.is_empty() {
            self.actors = self.rooms.store.reserve_actors(&self.key, ACTORS_RESERVED).await?;
        }
        self.actors.next().ok_or_else(|| Error::internal("the database reserved no actors"))
    }

    pub(super) async fn load(&mut self, needs: Needs) -> Result<(), Error> {
        if needs.storage && self.state.storage.is_none() {
            self.load_storage().await?;
        }
        for guid in needs.yjs {
            if self.state.yjs.len() >= YJS_DOCUMENTS_MAX {
                // They come back one by one when somebody needs them.
                self.flush_or_fail().await?;
                self.state.yjs.unload_all();
            }
            self.load_yjs(guid).await?;
        }
        for id in needs.files {
            // An id of another form is one that nobody can have uploaded.
            let Ok(file) = FileId::parse("id", &id) else { continue };
            if self.rooms.store.reference_file(&self.key, &file).await?
                && let Some(storage) = &mut self.state.storage
            {
                storage.add_file(&id);
            }
        }
        Ok(())
    }

    async fn load_storage(&mut self) -> Result<(), Error> {
        let id = DocumentId::storage();
        let stored = self.rooms.store.load_document(&self.key, &id).await?;
        let schema = match &self.schema {
            Some(id) => {
                let (store, project) = (&self.rooms.store, &self.address.project);
                Some(Arc::new(load_schema(store, project, id).await?))
            }
            None => None,
        };
        let log = Log::of(&stored);
        // A large document takes a while to read, and other rooms share this thread.
        let document = tokio::task::spawn_blocking(move || {
            let records =
                stored.updates.iter().flat_map(|payload| payload.split(|byte| *byte == b'\n'));
            let records = records.filter(|record| !record.is_empty());
            Document::load(stored.snapshot.iter(), records)
        });
        let document = document.await.map_err(Error::internal)?.map_err(corrupt)?;
        let actor = self.next_actor().await?;
        self.state.storage = Some(SharedStorage::new(document, schema, actor));
        self.logs.insert(id, log);
        Ok(())
    }

    pub(super) async fn load_yjs(&mut self, guid: Guid) -> Result<(), Error> {
        if self.state.yjs.is_loaded(&guid) {
            return Ok(());
        }
        if self.state.yjs.len() >= YJS_DOCUMENTS_MAX {
            let public = format!("A room has at most {YJS_DOCUMENTS_MAX} Yjs documents in use");
            return Err(Error::new(Code::ResourceExhausted, "TOO_MANY_DOCUMENTS", public));
        }
        let id = document_id(&guid)?;
        let stored = self.rooms.store.load_document(&self.key, &id).await?;
        let log = Log::of(&stored);
        let document = tokio::task::spawn_blocking(move || {
            let mut records: Vec<&[u8]> = stored.snapshot.iter().map(Bytes::as_ref).collect();
            for payload in &stored.updates {
                records.extend(split_records(payload).ok_or_else(|| corrupt("a damaged record"))?);
            }
            YDocument::load(records).map_err(corrupt)
        });
        let document = document.await.map_err(Error::internal)??;
        self.state.yjs.insert(guid, document);
        self.logs.insert(id, log);
        Ok(())
    }

    /// Everything that the room holds, for versions and for a room that somebody is about to enter.
    pub(super) async fn load_all(&mut self) -> Result<(), Error> {
        const PAGE_LEN: usize = 100;
        self.load(Needs { storage: true, yjs: vec![None], files: Vec::new() }).await?;
        let mut after = None;
        loop {
            let page = self.rooms.store.list_documents(&self.key, after.as_ref(), PAGE_LEN).await?;
            for id in &page {
                if let Some(guid) = id.guid() {
                    self.load_yjs(Some(guid.into())).await?;
                }
            }
            match page.len() < PAGE_LEN {
                true => return Ok(()),
                false => after = page.into_iter().next_back(),
            }
        }
    }
}

pub(super) async fn load_schema(
    store: &Store,
    project: &ProjectId,
    id: &SchemaId,
) -> Result<Schema, Error> {
    let grant = ProjectGrant::system(project.clone());
    let stored = store.find_schema(&grant, id).await?.ok_or_else(schema_not_found)?;
    Schema::parse(&stored.body).map_err(corrupt)
}

fn corrupt(problem: impl std::fmt::Display) -> Error {
    let cause = format!("a stored document cannot be read: {problem}");
    Error::new(Code::DataLoss, "DATA_LOSS", "The room's document cannot be read.")
        .because(std::io::Error::other(cause))
}
