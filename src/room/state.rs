//! A room in memory: a state machine without sockets, clocks or SQL. The actor feeds it, and carries
//! out what it asks for.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::effects::{Effects, To};
use super::feeds;
use super::live::Live;
use super::message::{ActorId, ClientMessage, ServerMessage};
use super::people::People;
use super::session::StorageDialect;
use super::shared_storage::SharedStorage;
use super::shared_yjs::{Guid, SharedYjs};
use super::storage::{Document, NodeForm};
use super::yjs::Encoding;
use crate::domain::permissions::{Level, Resource};
use crate::store::DocumentId;

#[derive(Default)]
pub struct State {
    pub people: People,
    /// Until somebody needs it, it stays in the database.
    pub storage: Option<SharedStorage>,
    pub yjs: SharedYjs,
    pub live: Live,
}

/// All nodes in one text, separated by commas.
pub fn full_nodes(document: &Document) -> Vec<u8> {
    document.node_chunks(NodeForm::Full).collect::<Vec<_>>().join(&b',')
}

/// The documents that must be in memory before a message can be taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needs {
    pub storage: bool,
    pub yjs: Vec<Guid>,
    /// Uploaded files that the message refers to.
    pub files: Vec<String>,
}

impl State {
    /// Whoever may not read the documents does not get them loaded either.
    pub fn needs(&self, sender: ActorId, messages: &[ClientMessage]) -> Needs {
        let mut needs = Needs::default();
        if !self.people.may(sender, Level::Read, Resource::Storage) {
            return needs;
        }
        for message in messages {
            match message {
                ClientMessage::FetchStorage => needs.storage |= self.storage.is_none(),
                ClientMessage::Ops(ops) => {
                    needs.storage |= self.storage.is_none();
                    let files = ops.iter().filter_map(|op| op.op.file_id());
                    needs.files.extend(files.filter(|id| !self.knows_file(id)));
                }
                ClientMessage::FetchYjs { guid, .. } | ClientMessage::UpdateYjs { guid, .. } => {
                    if !self.yjs.is_loaded(guid) {
                        needs.yjs.push(guid.clone());
                    }
                }
                ClientMessage::Presence { .. }
                | ClientMessage::Broadcast { .. }
                | ClientMessage::Feed(_)
                | ClientMessage::Live(_) => {}
            }
        }
        needs
    }

    /// A document in the parts in which it is stored; `None` if it is not in memory, or broken, and
    /// then its log stays longer than it need be.
    pub fn snapshot(&self, id: &DocumentId) -> Option<Vec<Bytes>> {
        if *id == DocumentId::storage() {
            return self.storage.as_ref().map(SharedStorage::snapshot);
        }
        let document = self.yjs.document(&id.guid().map(Arc::from))?;
        Some(document.compacted().ok()?.into_iter().map(Bytes::from).collect())
    }

    fn knows_file(&self, id: &str) -> bool {
        self.storage.as_ref().is_some_and(|storage| storage.knows_file(id))
    }

    /// One frame of a client. Storage is fetched last, so that the answer holds what came with the
    /// question: clients send both after a reconnect, and what is in the answer is not sent again.
    pub fn receive(
        &mut self,
        sender: ActorId,
        dialect: StorageDialect,
        messages: Vec<ClientMessage>,
        effects: &mut Effects,
    ) {
        let mut fetch = false;
        let mut fetches = count_yjs_fetches(&messages);
        let mut messages = messages.into_iter().peekable();
        while let Some(message) = messages.next() {
            match message {
                ClientMessage::Presence { data, target } => {
                    self.people.update_presence(sender, data, target, effects);
                }
                ClientMessage::Broadcast { event } => {
                    if !self.live.take_event(sender, &event) && self.live.may_send_data(sender) {
                        self.people.broadcast(sender, event, effects);
                    }
                }
                ClientMessage::Live(request) => self.live.take(sender, request, effects),
                ClientMessage::FetchStorage => fetch = true,
                ClientMessage::Ops(ops) => {
                    match (
                        &mut self.storage,
                        self.people.may(sender, Level::Write, Resource::Storage),
                    ) {
                        (Some(storage), true) => storage.apply(Some(sender), ops, effects),
                        (_, _) => SharedStorage::refuse(sender, ops, effects),
                    }
                }
                ClientMessage::FetchYjs { state_vector, guid, encoding } => {
                    let left = fetches.entry((guid.clone(), encoding)).or_insert(1);
                    *left -= 1;
                    if *left > 0 {
                        continue;
                    }
                    match self.people.may(sender, Level::Read, Resource::Storage) {
                        true => self.yjs.fetch(sender, &state_vector, &guid, encoding, effects),
                        false => SharedYjs::refuse_fetch(sender, &guid, encoding, effects),
                    }
                }
                ClientMessage::Feed(request) => {
                    feeds::take(sender, self.people.rights(sender), request, effects);
                }
                ClientMessage::UpdateYjs { update, guid, encoding } => {
                    let mut updates = vec![update];
                    let is_next = |next: &ClientMessage| next.is_update_of(&guid, encoding);
                    while let Some(ClientMessage::UpdateYjs { update, .. }) =
                        messages.next_if(is_next)
                    {
                        updates.push(update);
                    }
                    let rights = self.people.rights(sender);
                    if rights.allows(Level::Write, Resource::Storage) {
                        self.yjs.update_all(sender, updates, &guid, encoding, effects);
                    } else if rights.allows(Level::Read, Resource::Storage) {
                        self.yjs.refuse_update(sender, &guid, encoding, effects);
                    }
                }
            }
        }
        if fetch {
            self.send_storage(sender, dialect, effects);
        }
    }

    /// Whoever may not read gets an empty root: a client that gets nothing waits for ever.
    fn send_storage(&self, to: ActorId, dialect: StorageDialect, effects: &mut Effects) {
        let empty = Document::new();
        let readable = self.people.may(to, Level::Read, Resource::Storage);
        let document = match &self.storage {
            Some(storage) if readable => storage.document(),
            _ => &empty,
        };
        if dialect == StorageDialect::Full {
            let items = full_nodes(document).into();
            return effects.send_after_commit(To::One(to), ServerMessage::StorageItems { items });
        }
        for nodes in document.node_chunks(NodeForm::Compact) {
            let chunk = ServerMessage::StorageChunk { nodes: nodes.into() };
            effects.send_after_commit(To::One(to), chunk);
        }
        effects.send_after_commit(To::One(to), ServerMessage::StorageEnd);
    }
}

/// How often each document is asked for. Only the last time is answered: an earlier answer would say
/// the same, or less, and with as many as fit into a frame the document would be in memory as often.
fn count_yjs_fetches(messages: &[ClientMessage]) -> HashMap<(Guid, Encoding), usize> {
    let mut fetches = HashMap::new();
    for message in messages {
        if let ClientMessage::FetchYjs { guid, encoding, .. } = message {
            *fetches.entry((guid.clone(), *encoding)).or_default() += 1;
        }
    }
    fetches
}

#[cfg(test)]
mod tests;
