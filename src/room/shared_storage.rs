//! The room's Storage while it is in memory: who may change it, what is said to whom, and what has
//! to be written. Pure: the actor commits the log and then sends.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::effects::{Effects, To};
use super::message::{ActorId, ClientOp, OutgoingOp, ServerMessage};
use super::storage::patch::{PatchOp, apply_patch};
use super::storage::validate::{validate_changes, validate_document};
use super::storage::{Applied, Document, Op, SmallText, encode_record, lson};
use crate::domain::permissions::Resource;
use crate::domain::schema::Schema;
use crate::error::{Code, Error};

pub struct SharedStorage {
    document: Document,
    schema: Option<Arc<Schema>>,
    /// Ids of uploaded files that operations may refer to.
    files: HashSet<Box<str>>,
    /// What happened since it was last taken.
    log: Vec<u8>,
    /// The prefix and the counter of what the server creates itself.
    server_actor: ActorId,
    created: u64,
}

/// What is said about one client message.
#[derive(Default)]
struct Answers {
    sender: Vec<OutgoingOp>,
    others: Vec<OutgoingOp>,
    rejected: Vec<SmallText>,
    reason: Option<Arc<str>>,
}

impl SharedStorage {
    /// `server_actor` must be an actor of this room that nobody else ever gets.
    pub fn new(document: Document, schema: Option<Arc<Schema>>, server_actor: ActorId) -> Self {
        let (files, log) = (HashSet::new(), Vec::new());
        Self { document, schema, files, log, server_actor, created: 0 }
    }

    pub fn document(&self) -> &Document {
        &self.document
    }

    pub fn snapshot(&self) -> Vec<Bytes> {
        self.document.snapshot_chunks().map(Bytes::from).collect()
    }

    pub fn take_log(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.log)
    }

    pub fn knows_file(&self, id: &str) -> bool {
        self.files.contains(id)
    }

    pub fn add_file(&mut self, id: &str) {
        self.files.insert(id.into());
    }

    /// Operations of somebody who may write. With a schema, they are all applied or none of them.
    pub fn apply(&mut self, sender: Option<ActorId>, ops: Vec<ClientOp>, effects: &mut Effects) {
        self.apply_all(ops).send(sender, effects);
    }

    /// The same for a back end, which is told of the first that was refused.
    pub fn apply_of_back_end(
        &mut self,
        ops: Vec<ClientOp>,
        effects: &mut Effects,
    ) -> Result<(), Error> {
        let mut answers = self.apply_all(ops);
        let refused = answers.reason.take();
        answers.send(None, effects);
        match refused {
            None => Ok(()),
            Some(reason) => Err(refused_mutation(reason.to_string())),
        }
    }

    fn apply_all(&mut self, ops: Vec<ClientOp>) -> Answers {
        let Some(schema) = self.schema.clone() else {
            let mut answers = Answers::default();
            ops.into_iter().for_each(|op| self.apply_one(op, &mut answers));
            return answers;
        };
        let op_ids: Vec<_> = ops.iter().filter_map(|op| op.op_id.clone()).collect();
        let log_len = self.log.len();
        let mut answers = Answers::default();
        self.document.begin();
        ops.into_iter().for_each(|op| self.apply_one(op, &mut answers));
        match validate_changes(&schema, &self.document) {
            Ok(()) => {
                self.document.commit();
                answers
            }
            Err(violation) => {
                self.document.rollback();
                self.log.truncate(log_len);
                Answers::all_rejected(op_ids, &violation.to_string())
            }
        }
    }

    fn apply_one(&mut self, ClientOp { op_id, op }: ClientOp, answers: &mut Answers) {
        if let Some(file) = op.file_id()
            && !self.files.contains(file.as_str())
        {
            return answers.reject(op_id, "The file was never uploaded");
        }
        match self.document.apply(op, op_id.as_deref()) {
            Applied::Done { op, fixes } => {
                log_op(&op, op_id.as_deref(), &mut self.log);
                let op = Arc::new(op);
                let fixes =
                    fixes.into_iter().map(|fix| OutgoingOp::Op { op: Arc::new(fix), op_id: None });
                answers.sender.extend(fixes);
                answers.others.push(OutgoingOp::Op { op: Arc::clone(&op), op_id: None });
                answers.sender.push(OutgoingOp::Op { op, op_id });
            }
            Applied::Repeated { ack, tail } => {
                if let Some(tail) = tail {
                    log_op(&tail, op_id.as_deref(), &mut self.log);
                    let tail = OutgoingOp::Op { op: Arc::new(tail), op_id: None };
                    answers.others.push(tail.clone());
                    answers.sender.push(tail);
                }
                answers.sender.push(OutgoingOp::Op { op: Arc::new(ack), op_id });
            }
            Applied::Echo(op) => answers.sender.push(OutgoingOp::Op { op: Arc::new(op), op_id }),
            Applied::Gone(fix) => {
                answers.sender.push(OutgoingOp::Op { op: Arc::new(fix), op_id: None });
                answers.sender.extend(op_id.map(|op_id| OutgoingOp::Ignored { op_id }));
            }
            Applied::Ignored => {
                answers.sender.extend(op_id.map(|op_id| OutgoingOp::Ignored { op_id }));
            }
            Applied::Rejected { reason } => answers.reject(op_id, &reason),
        }
    }

    /// Somebody without the right to write.
    pub fn refuse(sender: ActorId, ops: Vec<ClientOp>, effects: &mut Effects) {
        let op_ids = ops.into_iter().filter_map(|op| op.op_id).collect();
        Answers::all_rejected(op_ids, "You have no write access to Storage")
            .send(Some(sender), effects);
    }

    /// A JSON Patch of a back end: all of it, or an error and nothing.
    pub fn patch(&mut self, patch: &[PatchOp], effects: &mut Effects) -> Result<(), Error> {
        let (actor, created) = (self.server_actor, &mut self.created);
        let ops = apply_patch(&mut self.document, patch, &mut || next_id(actor, created))?;
        match self.check_change(&ops) {
            Ok(()) => {
                self.document.commit();
                self.publish(ops, effects);
                Ok(())
            }
            Err(error) => {
                self.document.rollback();
                Err(error)
            }
        }
    }

    fn check_change(&self, ops: &[Op]) -> Result<(), Error> {
        self.check_files(ops)?;
        match &self.schema {
            None => Ok(()),
            Some(schema) => validate_changes(schema, &self.document)
                .map_err(|violation| refused_mutation(violation.to_string())),
        }
    }

    fn check_files(&self, ops: &[Op]) -> Result<(), Error> {
        let missing = ops.iter().filter_map(Op::file_id).find(|id| !self.knows_file(id));
        match missing {
            None => Ok(()),
            Some(id) => Err(refused_mutation(format!("The file '{id}' was never uploaded"))),
        }
    }

    fn publish(&mut self, ops: Vec<Op>, effects: &mut Effects) {
        let outgoing = ops.into_iter().map(|op| {
            log_op(&op, None, &mut self.log);
            OutgoingOp::Op { op: Arc::new(op), op_id: None }
        });
        let outgoing: Vec<_> = outgoing.collect();
        if !outgoing.is_empty() {
            let to = To::Readers { of: Resource::Storage, except: None };
            effects.send_after_commit(to, ServerMessage::Ops(outgoing));
        }
    }

    /// Replaces everything. Whoever is connected has to load it anew.
    pub fn initialize(&mut self, lson: &Value) -> Result<(), Error> {
        let mut document = Document::new();
        let mut log = Vec::new();
        let (actor, created) = (self.server_actor, &mut self.created);
        let ops = lson::ops_from_lson(lson, &mut || next_id(actor, created))
            .map_err(|error| Error::invalid("data", error.to_string()))?;
        self.check_files(&ops)?;
        for op in ops {
            match document.apply(op, None) {
                Applied::Done { op, .. } => log_op(&op, None, &mut log),
                Applied::Rejected { reason } => {
                    return Err(Error::invalid("data", reason.into_owned()));
                }
                other => return Err(Error::internal(format!("initializing Storage: {other:?}"))),
            }
        }
        self.check(&document)?;
        (self.document, self.log) = (document, log);
        Ok(())
    }

    pub fn clear(&mut self) {
        (self.document, self.log) = (Document::new(), Vec::new());
    }

    /// Whether the document fits a schema as it is.
    pub fn check_schema(&self, schema: &Schema) -> Result<(), Error> {
        validate_against(schema, &self.document).map_err(|problem| {
            let text = format!("The room's Storage does not fit the schema: {problem}");
            Error::new(Code::AlreadyExists, "SCHEMA_VALIDATION_FAILED", text)
        })
    }

    /// From now on every change has to fit the schema; the document does already.
    pub fn attach(&mut self, schema: Arc<Schema>) {
        self.schema = Some(schema);
    }

    pub fn detach(&mut self) {
        self.schema = None;
    }

    fn check(&self, document: &Document) -> Result<(), Error> {
        match &self.schema {
            None => Ok(()),
            Some(schema) => validate_against(schema, document).map_err(refused_mutation),
        }
    }
}

/// The files that LSON refers to, so that they can be looked up before it is used.
pub fn file_ids(lson: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut pending = vec![lson];
    while let Some(value) = pending.pop() {
        match value {
            Value::Array(items) => pending.extend(items),
            Value::Object(fields) => {
                if fields.get("liveblocksType").and_then(Value::as_str) == Some("LiveFile") {
                    let id = fields.get("data").and_then(|data| data.get("id"));
                    found.extend(id.and_then(Value::as_str).map(str::to_owned));
                }
                pending.extend(fields.values());
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    found
}

/// Records are lines.
fn log_op(op: &Op, op_id: Option<&str>, log: &mut Vec<u8>) {
    encode_record(op, op_id, log);
    log.push(b'\n');
}

fn validate_against(schema: &Schema, document: &Document) -> Result<(), String> {
    validate_document(schema, document).map_err(|violation| violation.to_string())
}

fn next_id(actor: ActorId, created: &mut u64) -> String {
    let id = format!("{actor}:{created}");
    *created += 1;
    id
}

fn refused_mutation(problem: String) -> Error {
    Error::new(Code::InvalidArgument, "INVALID_STORAGE_MUTATION_REQUEST", problem)
}

impl Answers {
    fn all_rejected(op_ids: Vec<SmallText>, reason: &str) -> Self {
        Self { rejected: op_ids, reason: Some(reason.into()), ..Self::default() }
    }

    fn reject(&mut self, op_id: Option<SmallText>, reason: &str) {
        self.rejected.extend(op_id);
        self.reason.get_or_insert_with(|| reason.into());
    }

    /// The others first: their copy does not wait for the sender's acknowledgement.
    fn send(self, sender: Option<ActorId>, effects: &mut Effects) {
        if !self.others.is_empty() {
            let to = To::Readers { of: Resource::Storage, except: sender };
            effects.send_after_commit(to, ServerMessage::Ops(self.others));
        }
        let Some(sender) = sender else { return };
        if !self.sender.is_empty() {
            effects.send_after_commit(To::One(sender), ServerMessage::Ops(self.sender));
        }
        // Alone in its frame: clients lose what stands behind a rejection in the same one.
        if !self.rejected.is_empty() {
            let reason = self.reason.unwrap_or_else(|| "The operation was refused".into());
            let rejected = ServerMessage::Rejected { op_ids: self.rejected, reason };
            effects.send_after_commit(To::One(sender), rejected);
        }
    }
}
