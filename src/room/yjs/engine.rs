//! The document within `yrs`, and what happens when `yrs` panics.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use yrs::block::ClientID;
use yrs::updates::decoder::Decode;
use yrs::{Doc, OffsetKind, Options, ReadTxn, StateVector, Transact, Update};

use super::deletions::Deletions;
use super::rewrite::as_v2;
use super::scan::scan;
use super::waiting::{Clocks, Waiting};
use super::wire::Malformed;
use super::write::Writer;
use super::{Encoding, Rejected};

/// The id that would sign what the server itself writes. It writes nothing.
const SERVER_CLIENT_ID: u64 = 0;

pub struct Engine {
    doc: Doc,
    is_broken: bool,
}

impl Default for Engine {
    fn default() -> Self {
        Self { doc: new_doc(), is_broken: false }
    }
}

fn new_doc() -> Doc {
    let mut options = Options::with_guid_and_client_id("".into(), ClientID::new(SERVER_CLIENT_ID));
    options.offset_kind = OffsetKind::Utf16;
    // A client that finds formatting marks without effect deletes them and says so. Were the server
    // to delete them by itself, nobody would hear of it, and the hashes would differ for ever.
    options.cleanup_formatting = false;
    Doc::with_options(options)
}

impl Engine {
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    pub fn doc(&self) -> Result<&Doc, Rejected> {
        if self.is_broken { Err(Rejected::Broken) } else { Ok(&self.doc) }
    }

    /// Applies an update that was looked at before, and adds to `deleted` what it deletes.
    pub fn apply(&mut self, update: &[u8], deleted: &mut Deletions) -> Result<(), Rejected> {
        let decoded = catch_unwind(|| Update::decode_v1(update).ok()).ok().flatten();
        let update = decoded.ok_or(Malformed("the update cannot be read"))?;
        let mut transaction = self.doc.transact_mut();
        let applied = catch_unwind(AssertUnwindSafe(|| {
            transaction.apply_update(update).ok()?;
            let waits = transaction.store().pending_update().is_some();
            if waits || transaction.store().pending_ds().is_some() {
                return None;
            }
            for (client, ranges) in transaction.delete_set().iter() {
                for range in ranges.iter() {
                    deleted.insert(client.get(), range.start, range.end);
                }
            }
            transaction.commit();
            Some(())
        }));
        if let Ok(Some(())) = applied {
            return Ok(());
        }
        // Dropping the transaction would commit it, and dropping the document would walk through
        // whatever the panic has left. Both stay where they are; the memory is the price.
        mem::forget(transaction);
        mem::forget(mem::replace(&mut self.doc, new_doc()));
        self.is_broken = true;
        Err(Rejected::Broken)
    }

    /// What somebody lacks who knows `known`, together with everything that waits.
    pub fn diff(
        &self,
        known: &Clocks,
        encoding: Encoding,
        waiting: &Waiting,
    ) -> Result<Vec<u8>, Rejected> {
        let doc = self.doc()?;
        let clocks = known.iter().map(|(client, clock)| (ClientID::new(*client), *clock));
        let vector: StateVector = clocks.collect();
        let encode = AssertUnwindSafe(|| doc.transact().encode_diff_v1(&vector));
        let mut diff = catch_unwind(encode).map_err(|_| Rejected::Broken)?;
        if !waiting.is_empty() {
            diff = with_waiting(&diff, waiting)?;
        }
        match encoding {
            Encoding::V1 => Ok(diff),
            Encoding::V2 => Ok(as_v2(&diff)?),
        }
    }
}

fn with_waiting(diff: &[u8], waiting: &Waiting) -> Result<Vec<u8>, Rejected> {
    let mut scanned = scan(diff, Encoding::V1, true)?;
    let mut writer = Writer::default();
    scanned.blocks().for_each(|(block, bytes)| writer.push(block, bytes));
    waiting.blocks().for_each(|(block, bytes)| writer.push(block, bytes));
    for (client, ranges) in waiting.deletions.iter() {
        for (start, end) in ranges {
            scanned.deletions.insert(client, *start, *end);
        }
    }
    Ok(writer.finish(&scanned.deletions))
}
