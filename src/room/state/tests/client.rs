//! A client that sees what it has heard and, on top of that, what it has done itself and was not
//! told of yet. Written from the protocol's rules for clients; it shares no code with the document.

use std::collections::BTreeMap;

use super::world::World;
use super::*;
use crate::room::codec::json;
use crate::room::storage::tests::model::{Data, Model, TEXT};

/// Counts that go on when the client comes back as another actor.
#[derive(Debug, Default)]
struct Counters {
    ids: u64,
    op_ids: u64,
}

#[derive(Debug)]
pub struct Client {
    scopes: &'static [&'static str],
    pub actor: Option<ActorId>,
    last_actor: ActorId,
    counters: Counters,
    /// What it has heard.
    heard: Model,
    /// Whether it has heard nothing yet that would make sense without the document.
    is_loading: bool,
    /// Nodes of the answer that is on its way.
    loading: Vec<String>,
    /// Its own ops that were not acknowledged, in order.
    pub unacked: Vec<Value>,
    /// Done since the last flush.
    batch: Vec<Value>,
    /// Edits of texts that wait for an acknowledgement of the one before.
    held: BTreeMap<String, Vec<Value>>,
    /// Everything that it ever sent.
    pub sent: Vec<Value>,
    /// UTF-16 code units that it has put into texts.
    pub typed_units: usize,
}

impl Client {
    pub fn new(world: &mut World, scopes: &'static [&'static str]) -> Self {
        let mut client = Self {
            scopes,
            actor: None,
            last_actor: 0,
            counters: Counters::default(),
            heard: Model::new(),
            is_loading: true,
            loading: Vec::new(),
            unacked: Vec::new(),
            batch: Vec::new(),
            held: BTreeMap::new(),
            sent: Vec::new(),
            typed_units: 0,
        };
        client.connect(world);
        client
    }

    pub fn may_write(&self) -> bool {
        matrix(self.scopes).allows(Level::Write, Resource::Storage)
    }

    pub fn heard(&self) -> &Model {
        &self.heard
    }

    /// What its application sees.
    pub fn view(&self) -> Model {
        let mut view = self.heard.clone();
        for op in &self.unacked {
            if op["type"] != 10 {
                view.apply(&mut op.clone());
            }
        }
        view
    }

    pub fn next_id(&mut self) -> String {
        self.counters.ids += 1;
        format!("{}:{}", self.last_actor, self.counters.ids)
    }

    /// Does something: it is seen at once, and sent with the next flush.
    pub fn dispatch(&mut self, mut op: Value) {
        self.counters.op_ids += 1;
        op["opId"] = format!("{}:{}", self.last_actor, self.counters.op_ids).into();
        self.sent.push(op.clone());
        self.unacked.push(op.clone());
        self.batch.push(op);
    }

    /// Types into a text. Of each text one op is on its way at most.
    pub fn edit(&mut self, text: &str, edit: Value) {
        self.typed_units += edit["text"].as_str().map_or(0, |text| text.encode_utf16().count());
        if self.unacked.iter().any(|op| op["type"] == 10 && op["id"] == text) {
            return self.held.entry(text.to_owned()).or_default().push(edit);
        }
        self.send_edits(text, vec![edit]);
    }

    fn send_edits(&mut self, text: &str, edits: Vec<Value>) {
        let version = self.version(text);
        self.dispatch(json!({"type": 10, "id": text, "baseVersion": version, "ops": edits}));
    }

    fn version(&self, text: &str) -> u64 {
        match self.view().0.get(text).map(|node| &node.data) {
            Some(Data::Text { version, .. }) => *version,
            _ => 0,
        }
    }

    pub fn connect(&mut self, world: &mut World) {
        if self.actor.is_some() {
            return;
        }
        let actor = world.join(self.scopes);
        (self.actor, self.last_actor, self.is_loading) = (Some(actor), actor, true);
        let presence = json!({"type": 100, "targetActor": -1, "data": {"at": self.counters.ids}});
        let mut frame = vec![presence, json!({"type": 200})];
        if !self.batch.is_empty() {
            frame.push(json!({"type": 201, "ops": std::mem::take(&mut self.batch)}));
        }
        self.send(world, frame);
    }

    /// The connection breaks after the server has taken some frames and the client has heard some.
    pub fn disconnect(&mut self, world: &mut World, taken: usize, heard: usize) {
        let Some(actor) = self.actor else { return };
        for _ in 0..taken {
            world.take(actor);
        }
        for _ in 0..heard {
            self.hear(world);
        }
        self.actor = None;
        world.leave(actor);
        self.loading.clear();
    }

    /// The server is gone, and took the connections with it.
    pub fn lost(&mut self) {
        self.actor = None;
        self.loading.clear();
    }

    fn send(&self, world: &mut World, frame: Vec<Value>) {
        if let Some(wire) = self.actor.and_then(|actor| world.wires.get_mut(&actor)) {
            wire.outgoing.push_back(Value::Array(frame).to_string());
        }
    }

    /// Not before the document is there: then all that is not acknowledged is sent in any case, and
    /// an acknowledgement must not be of less than was sent last.
    pub fn flush(&mut self, world: &mut World) {
        if self.actor.is_some() && !self.is_loading && !self.batch.is_empty() {
            let ops = std::mem::take(&mut self.batch);
            self.send(world, vec![json!({"type": 201, "ops": ops})]);
        }
    }

    /// Sends ops once more, whatever became of them.
    pub fn resend(&self, world: &mut World, ops: &[Value]) {
        self.send(world, vec![json!({"type": 201, "ops": ops})]);
    }

    pub fn hear(&mut self, world: &mut World) -> bool {
        let wire = self.actor.and_then(|actor| world.wires.get_mut(&actor));
        let Some(frame) = wire.and_then(|wire| wire.incoming.pop_front()) else { return false };
        let message: Value = serde_json::from_slice(&frame.json(json::write)).unwrap();
        match message["type"].as_i64().unwrap() {
            201 => {
                let ops = message["ops"].as_array().unwrap();
                ops.iter().for_each(|op| self.hear_op(op.clone()));
            }
            210 => {
                let nodes = message["nodes"].as_array().unwrap();
                self.loading.extend(nodes.iter().map(Value::to_string));
            }
            211 => self.loaded(world),
            299 => self.rejected(world, &message),
            _ => {}
        }
        true
    }

    fn hear_op(&mut self, mut op: Value) {
        let op_id = op.as_object_mut().unwrap().remove("opId");
        let own = op_id.and_then(|op_id| self.unacked.iter().position(|own| own["opId"] == op_id));
        if let Some(own) = own {
            self.unacked.remove(own);
        }
        // What comes before the document is in the document.
        if op["id"] == "ACK" || self.is_loading {
            return;
        }
        let final_op = op.clone();
        if self.heard.apply(&mut op) {
            assert_eq!(op, final_op, "the server puts everything right before it is heard");
        }
        if op["type"] == 10 && own.is_some() {
            let text = op["id"].as_str().unwrap();
            if let Some(edits) = self.held.remove(text) {
                self.send_edits(text, edits);
            }
        }
    }

    /// The document as it is on the server. Whatever was not acknowledged is sent again, and edits
    /// of a text go on in the op that is on its way.
    fn loaded(&mut self, world: &mut World) {
        self.is_loading = false;
        let nodes = std::mem::take(&mut self.loading);
        self.heard = Model::of_nodes(nodes.iter().map(String::as_str));
        let mut unacked = std::mem::take(&mut self.unacked);
        for op in unacked.iter_mut().filter(|op| op["type"] == 10) {
            let text = op["id"].as_str().unwrap().to_owned();
            if self.heard.0.get(&text).is_some_and(|node| node.kind == TEXT) {
                op["baseVersion"] = self.version(&text).into();
            }
            let held = self.held.remove(&text).unwrap_or_default();
            op["ops"].as_array_mut().unwrap().extend(held);
        }
        self.unacked = unacked;
        let held = std::mem::take(&mut self.held);
        held.into_iter().for_each(|(text, edits)| self.send_edits(&text, edits));
        self.batch.clear();
        if !self.unacked.is_empty() {
            self.sent.extend(self.unacked.iter().cloned());
            self.send(world, vec![json!({"type": 201, "ops": self.unacked})]);
        }
    }

    /// Forgets the ops, and loads the document anew.
    fn rejected(&mut self, world: &mut World, message: &Value) {
        let op_ids = message["opIds"].as_array().unwrap();
        self.unacked.retain(|op| !op_ids.contains(&op["opId"]));
        self.batch.retain(|op| !op_ids.contains(&op["opId"]));
        self.send(world, vec![json!({"type": 200})]);
    }
}
