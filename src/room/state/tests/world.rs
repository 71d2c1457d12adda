//! A room with its log, and connections that deliver when the test says so.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::*;
use crate::room::codec::json;
use crate::room::storage::Limits;
use crate::room::storage::tests::{check, snapshot};
use crate::room::yjs::YDocument;

/// A file that was uploaded, so that documents may refer to it.
pub const FILE_ID: &str = "fl_uploaded";

/// One client's way to the room and back.
#[derive(Default)]
pub struct Wire {
    pub outgoing: VecDeque<String>,
    pub incoming: VecDeque<Arc<crate::room::message::Frame>>,
}

pub struct World {
    pub state: State,
    pub wires: BTreeMap<ActorId, Wire>,
    next_actor: ActorId,
    limits: Limits,
    /// What the database has: a snapshot, and the records since.
    stored: Vec<Bytes>,
    log: Vec<u8>,
    /// The same of the Yjs documents, which are never compacted here.
    yjs_log: HashMap<Guid, Vec<Vec<u8>>>,
    /// About what the last frame made the room say, each answer once.
    pub said_bytes: usize,
}

impl World {
    pub fn new() -> Self {
        Self::with_limits(Limits::PRODUCTION)
    }

    pub fn with_limits(limits: Limits) -> Self {
        Self {
            state: Self::state_of(Document::with_limits(limits)),
            wires: BTreeMap::new(),
            next_actor: 1,
            limits,
            stored: Vec::new(),
            log: Vec::new(),
            yjs_log: HashMap::new(),
            said_bytes: 0,
        }
    }

    fn state_of(document: Document) -> State {
        let mut storage = SharedStorage::new(document, None, 0);
        storage.add_file(FILE_ID);
        State { storage: Some(storage), ..State::default() }
    }

    pub fn document(&self) -> &Document {
        self.state.storage.as_ref().unwrap().document()
    }

    pub fn join(&mut self, scopes: &[&str]) -> ActorId {
        let actor = self.next_actor;
        self.next_actor += 1;
        self.wires.insert(actor, Wire::default());
        let rights = matrix(scopes);
        let member = Member { id: None, info: None, scopes: rights.canonical_scopes().into() };
        let mut effects = Effects::default();
        self.state.people.join(actor, (member, false), rights, "nonce".into(), &mut effects);
        self.deliver(effects);
        actor
    }

    /// The connection is gone, with everything that was on its way.
    pub fn leave(&mut self, actor: ActorId) {
        self.wires.remove(&actor);
        let mut effects = Effects::default();
        self.state.people.leave(actor, &mut effects);
        self.deliver(effects);
    }

    /// The room takes the next frame of a client.
    pub fn take(&mut self, actor: ActorId) -> bool {
        let Some(text) = self.wires.get_mut(&actor).and_then(|wire| wire.outgoing.pop_front())
        else {
            return false;
        };
        let parsed = json::parse(&text).unwrap_or_else(|reason| panic!("{reason:?}: {text}"));
        assert!(parsed.rejections.is_empty(), "{text}");
        self.receive(actor, parsed.messages);
        true
    }

    /// As the actor does: what is to be said is said once the log has been written.
    pub fn receive(&mut self, actor: ActorId, messages: Vec<ClientMessage>) {
        let needs = self.state.needs(actor, &messages);
        for guid in needs.yjs {
            if !self.state.yjs.is_loaded(&guid) {
                let document = self.reloaded_yjs(&guid);
                self.state.yjs.insert(guid, document);
            }
        }
        let mut effects = Effects::default();
        self.state.receive(actor, StorageDialect::Compact, messages, &mut effects);
        check(self.document());
        let log = self.state.storage.as_mut().unwrap().take_log();
        self.log.extend(log);
        for (guid, records) in self.state.yjs.take_logs() {
            self.yjs_log.entry(guid).or_default().extend(records);
        }
        let said = effects.now.iter().chain(&effects.after_commit);
        self.said_bytes = said.map(|delivery| delivery.frame.cost_bytes()).sum();
        self.deliver(effects);
    }

    /// About what the documents take.
    pub fn contents_bytes(&self) -> usize {
        let yjs = self.yjs_log.values().flatten().map(|record| record.len() + 64).sum::<usize>();
        snapshot(self.document()).len() + yjs
    }

    fn reloaded_yjs(&self, guid: &Guid) -> YDocument {
        let records = self.yjs_log.get(guid).into_iter().flatten();
        YDocument::load(records.map(Vec::as_slice)).unwrap()
    }

    fn deliver(&mut self, effects: Effects) {
        for delivery in effects.now.into_iter().chain(effects.after_commit) {
            for (actor, wire) in &mut self.wires {
                let gets = match delivery.to {
                    To::One(one) => one == *actor,
                    To::Live { .. } | To::LiveOne(_) => false,
                    To::Readers { of, except } => {
                        except != Some(*actor) && self.state.people.may(*actor, Level::Read, of)
                    }
                };
                if gets {
                    wire.incoming.push_back(Arc::clone(&delivery.frame));
                }
            }
        }
    }

    /// What is stored makes the document that is in memory.
    pub fn reloaded(&self) -> Document {
        let records = self.log.split(|byte| *byte == b'\n').filter(|record| !record.is_empty());
        let document = Document::load(&self.stored, records).unwrap();
        check(&document);
        assert_eq!(snapshot(&document), snapshot(self.document()), "stored and in memory");
        for (guid, found) in self.state.yjs.iter().filter(|_| !self.state.yjs.is_broken()) {
            let stored = self.reloaded_yjs(guid);
            for encoding in [Encoding::V1, Encoding::V2] {
                assert_eq!(
                    stored.snapshot_hash(encoding),
                    found.snapshot_hash(encoding),
                    "{guid:?}"
                );
            }
        }
        document
    }

    /// The process ends and another one loads the room; with a snapshot in between, or without.
    pub fn restart(&mut self, compacts: bool) {
        let mut document = self.reloaded();
        document.set_limits(self.limits);
        if compacts {
            self.stored = self.state.storage.as_ref().unwrap().snapshot();
            self.log.clear();
            self.reloaded();
        }
        self.wires.clear();
        self.state = Self::state_of(document);
    }
}
