//! Changes of Storage that a back end makes as a client would, operation by operation.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{not_loaded, storage};
use crate::error::Error;
use crate::room::actor::Exclusive;
use crate::room::message::{ActorId, ClientOp};
use crate::room::registry::Rooms;
use crate::room::session::RoomAddress;
use crate::room::state::Needs;
use crate::room::storage::{NodeForm, Op};

/// Operations of one call.
const OPS_MAX: usize = 100_000;

#[derive(Deserialize)]
struct Ops<'a>(#[serde(borrow)] Vec<&'a RawValue>);

impl Rooms {
    /// A number for the ids of new nodes, which nobody else ever has, and the document: a full node
    /// on each line.
    pub async fn begin_mutation(&self, address: &RoomAddress) -> Result<(ActorId, Bytes), Error> {
        let actor = self.exclusive(address, Exclusive::TakeActor).await?;
        let nodes = self.read(address, |state| {
            let mut text = Vec::new();
            for lines in storage(state)?.document().node_lines(NodeForm::Full) {
                text.extend_from_slice(&lines);
                text.push(b'\n');
            }
            Ok(text.into())
        });
        Ok((actor, nodes.await?))
    }

    /// Applies operations, a JSON array as clients send it. An error names the first that was
    /// refused; without a schema the others were applied.
    pub async fn send_ops(&self, address: &RoomAddress, ops: Bytes) -> Result<(), Error> {
        let ops = read_ops(&ops)?;
        let files = ops.iter().filter_map(|op| op.op.file_id()).collect();
        let needs = Needs { storage: true, files, ..Needs::default() };
        self.call(address, needs, move |state, effects| {
            state.storage.as_mut().ok_or_else(not_loaded)?.apply_of_back_end(ops, effects)
        })
        .await
    }
}

fn read_ops(json: &[u8]) -> Result<Vec<ClientOp>, Error> {
    let Ops(raws) = serde_json::from_slice(json)
        .map_err(|_| Error::invalid("messages", "must hold a list of operations"))?;
    if raws.len() > OPS_MAX {
        let problem = format!("must hold at most {OPS_MAX} operations, got {}", raws.len());
        return Err(Error::invalid("messages", problem));
    }
    let read = |(index, raw): (usize, &RawValue)| {
        let (op_id, op) = Op::parse(raw.get()).map_err(|bad| {
            Error::invalid("messages", format!("operation {index}: {}", bad.problem))
        })?;
        Ok(ClientOp { op_id, op })
    };
    raws.into_iter().enumerate().map(read).collect()
}
