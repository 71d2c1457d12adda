//! The room's Yjs documents while they are in memory. Pure: the actor loads them, commits their
//! logs and then sends.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::effects::{Effects, To};
use super::message::{ActorId, ServerMessage, YjsMessage, YjsUpdates};
use super::yjs::{Effect, Encoding, YDocument};
use crate::domain::permissions::Resource;
use crate::error::{Code, Error};

/// The root document has none.
pub type Guid = Option<Arc<str>>;

#[derive(Default)]
pub struct SharedYjs {
    documents: HashMap<Guid, Loaded>,
    /// Whether one of them has to be loaded anew.
    is_broken: bool,
}

struct Loaded {
    document: YDocument,
    /// The updates since it was last taken.
    log: Vec<Vec<u8>>,
}

impl SharedYjs {
    pub fn is_loaded(&self, guid: &Guid) -> bool {
        self.documents.contains_key(guid)
    }

    pub fn insert(&mut self, guid: Guid, document: YDocument) {
        self.documents.insert(guid, Loaded { document, log: Vec::new() });
    }

    /// Only when all logs are taken and stored.
    pub fn unload_all(&mut self) {
        *self = Self::default();
    }

    pub fn document(&self, guid: &Guid) -> Option<&YDocument> {
        self.documents.get(guid).map(|loaded| &loaded.document)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Guid, &YDocument)> {
        self.documents.iter().map(|(guid, loaded)| (guid, &loaded.document))
    }

    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// The logs of all documents that were changed.
    pub fn take_logs(&mut self) -> Vec<(Guid, Vec<Vec<u8>>)> {
        let changed = self.documents.iter_mut().filter(|(_, loaded)| !loaded.log.is_empty());
        changed.map(|(guid, loaded)| (guid.clone(), std::mem::take(&mut loaded.log))).collect()
    }

    /// What the sender lacks, and what the server has, so that the sender can send the rest.
    pub fn fetch(
        &self,
        sender: ActorId,
        state_vector: &[u8],
        guid: &Guid,
        encoding: Encoding,
        effects: &mut Effects,
    ) {
        let Some(document) = self.document(guid) else { return };
        // Whoever sends a broken state vector gets everything, which is right in any case.
        let diff = document.diff(state_vector, encoding);
        let update = diff.or_else(|_| document.encode_all(encoding)).unwrap_or_default();
        let message = YjsMessage {
            update: update.into(),
            state_vector: Some(document.state_vector().into()),
            guid: guid.clone(),
            encoding,
            snapshot_hash: document.snapshot_hash(encoding),
        };
        effects.send_after_commit(To::One(sender), ServerMessage::Yjs(message));
    }

    /// To somebody who may not read: an empty document, so that the client does not wait for ever.
    pub fn refuse_fetch(sender: ActorId, guid: &Guid, encoding: Encoding, effects: &mut Effects) {
        let mut empty = Self::default();
        empty.insert(guid.clone(), YDocument::new());
        empty.fetch(sender, &[], guid, encoding, effects);
    }

    /// What came together is applied together, since most of the work is then done once. An update
    /// that cannot be applied takes no other with it.
    pub fn update_all(
        &mut self,
        sender: ActorId,
        updates: Vec<Bytes>,
        guid: &Guid,
        encoding: Encoding,
        effects: &mut Effects,
    ) {
        let Some(loaded) = self.documents.get_mut(guid) else { return };
        let together: Vec<&[u8]> = updates.iter().map(Bytes::as_ref).collect();
        // One by itself is not tried twice.
        if together.len() > 1
            && let Ok(effect) = loaded.document.apply_together(&together, encoding)
        {
            return loaded.changed(effect, updates, guid, encoding, effects);
        }
        for update in updates {
            // The sender is told; there is nobody else to tell.
            drop(self.update(Some(sender), update, guid, encoding, effects));
        }
    }

    pub fn update(
        &mut self,
        sender: Option<ActorId>,
        update: Bytes,
        guid: &Guid,
        encoding: Encoding,
        effects: &mut Effects,
    ) -> Result<(), Error> {
        let Some(loaded) = self.documents.get_mut(guid) else {
            return Err(Error::internal("a Yjs document was changed before it was loaded"));
        };
        match loaded.document.apply(&update, encoding) {
            Ok(effect) => {
                loaded.changed(effect, vec![update], guid, encoding, effects);
                Ok(())
            }
            Err(rejected) => {
                self.is_broken |= loaded.document.is_broken();
                if let Some(sender) = sender {
                    self.refuse_update(sender, guid, encoding, effects);
                }
                let text = format!("The Yjs update cannot be applied: {rejected}");
                Err(Error::new(Code::InvalidArgument, "UNPROCESSABLE_ENTITY", text))
            }
        }
    }

    /// An update that was not applied: the sender learns where the document stands.
    pub fn refuse_update(
        &self,
        sender: ActorId,
        guid: &Guid,
        encoding: Encoding,
        effects: &mut Effects,
    ) {
        let Some(document) = self.document(guid) else { return };
        let message = YjsMessage {
            update: Bytes::from_static(empty_update(encoding)),
            state_vector: None,
            guid: guid.clone(),
            encoding,
            snapshot_hash: document.snapshot_hash(encoding),
        };
        effects.send_after_commit(To::One(sender), ServerMessage::Yjs(message));
    }
}

impl Loaded {
    /// Everybody gets the updates, their sender too: only so does it know that they were stored.
    fn changed(
        &mut self,
        effect: Effect,
        updates: Vec<Bytes>,
        guid: &Guid,
        encoding: Encoding,
        effects: &mut Effects,
    ) {
        self.log.extend(effect.records);
        let (guid, snapshot_hash) = (guid.clone(), self.document.snapshot_hash(encoding));
        let run = YjsUpdates { updates, guid, encoding, snapshot_hash };
        let to = To::Readers { of: Resource::Storage, except: None };
        effects.send_after_commit(to, ServerMessage::YjsUpdates(run));
    }
}

/// An update that says nothing.
const fn empty_update(encoding: Encoding) -> &'static [u8] {
    match encoding {
        Encoding::V1 => &[0, 0],
        Encoding::V2 => &[0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
    }
}
