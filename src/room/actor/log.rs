//! What a document's log and snapshot hold, and when the log is worth a new snapshot.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{BufMut, Bytes, BytesMut};

use super::Actor;
use super::aside::aside;
use crate::error::chain;
use crate::room::shared_storage::SharedStorage;
use crate::room::shared_yjs::Guid;
use crate::store::{DocumentId, DocumentUpdate, StoredDocument};

/// A log shorter than this is read quickly enough.
const LOG_BYTES_MIN: usize = 256 << 10;
/// Rows cost more than bytes when they are read back.
const LOG_ROWS_MAX: usize = 2_000;

#[derive(Debug, Default)]
pub(super) struct Log {
    next_seq: i64,
    log_bytes: usize,
    log_rows: usize,
    snapshot_bytes: usize,
    /// Taken at the end of what is being committed; written after it.
    due: Option<Snapshot>,
    /// Whether a snapshot is being written.
    is_writing: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Snapshot {
    upto_seq: i64,
    chunks: Vec<Bytes>,
}

impl Log {
    pub fn of(stored: &StoredDocument) -> Self {
        Self {
            next_seq: stored.next_seq,
            log_bytes: stored.updates.iter().map(Bytes::len).sum(),
            log_rows: stored.updates.len(),
            snapshot_bytes: stored.snapshot.iter().map(Bytes::len).sum(),
            ..Self::default()
        }
    }

    fn append(&mut self, document: DocumentId, payload: Bytes) -> DocumentUpdate {
        let seq = self.next_seq;
        self.next_seq += 1;
        self.log_bytes += payload.len();
        self.log_rows += 1;
        DocumentUpdate { document, seq, payload }
    }

    /// The log has outgrown the snapshot: from here on, writing it costs less than reading it.
    fn is_long(&self) -> bool {
        let bytes_max = LOG_BYTES_MIN.max(self.snapshot_bytes);
        let is_long = self.log_bytes > bytes_max || self.log_rows > LOG_ROWS_MAX;
        is_long && !self.is_writing.load(Ordering::Acquire)
    }

    fn compact(&mut self, chunks: Vec<Bytes>) {
        self.replaced(&chunks);
        self.due = Some(Snapshot { upto_seq: self.upto_seq(), chunks });
    }

    /// The document was replaced by a snapshot.
    pub fn replaced(&mut self, chunks: &[Bytes]) {
        (self.log_bytes, self.log_rows) = (0, 0);
        self.snapshot_bytes = chunks.iter().map(Bytes::len).sum();
        self.due = None;
    }

    /// A number of its own for a snapshot that nothing in the log amounts to: it goes before one of
    /// the same log that is being written.
    pub fn skip(&mut self) {
        self.next_seq += 1;
    }

    pub fn upto_seq(&self) -> i64 {
        self.next_seq - 1
    }
}

pub(super) fn document_id(guid: &Guid) -> Result<DocumentId, crate::error::Error> {
    match guid {
        None => Ok(DocumentId::yjs()),
        Some(guid) => DocumentId::subdocument(guid),
    }
}

/// One payload holds the updates of one commit, each with its length before it.
fn join_records(records: &[Vec<u8>]) -> Bytes {
    let bytes = records.iter().map(|record| record.len() + 4).sum();
    let mut joined = BytesMut::with_capacity(bytes);
    for record in records {
        // No update is above the frame limit, which is far below this one.
        joined.put_u32(u32::try_from(record.len()).unwrap_or(u32::MAX));
        joined.put_slice(record);
    }
    joined.freeze()
}

/// The reverse of [`join_records`]; `None` if the payload is damaged.
pub(super) fn split_records(mut payload: &[u8]) -> Option<Vec<&[u8]>> {
    let mut records = Vec::new();
    while !payload.is_empty() {
        let (length, rest) = payload.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (record, rest) = rest.split_at_checked(length)?;
        records.push(record);
        payload = rest;
    }
    Some(records)
}

impl Actor {
    /// Everything that happened since the last call, as entries of the logs.
    pub(super) fn take_updates(&mut self) -> Vec<DocumentUpdate> {
        let mut updates = Vec::new();
        let storage = self.state.storage.as_mut().map(SharedStorage::take_log).unwrap_or_default();
        if !storage.is_empty() {
            updates.push(self.append(DocumentId::storage(), storage.into()));
        }
        for (guid, records) in self.state.yjs.take_logs() {
            // Only documents with a valid id were loaded, and only loaded ones have a log.
            let Ok(id) = document_id(&guid) else { continue };
            updates.push(self.append(id, join_records(&records)));
        }
        updates
    }

    /// The next entry of a document's log, and its snapshot if that was one too many.
    fn append(&mut self, id: DocumentId, payload: Bytes) -> DocumentUpdate {
        let log = self.logs.entry(id.clone()).or_default();
        let update = log.append(id, payload);
        if log.is_long()
            && let Some(chunks) = aside(|| self.state.snapshot(&update.document))
        {
            log.compact(chunks);
        }
        update
    }

    /// Writes the snapshots that were taken at the end of the commit before, beside the next ones.
    pub(super) fn begin_compactions(&mut self) {
        for (id, log) in &mut self.logs {
            let Some(Snapshot { upto_seq, chunks }) = log.due.take() else { continue };
            log.is_writing.store(true, Ordering::Release);
            let (store, key, id) = (self.rooms.store.clone(), self.key.clone(), id.clone());
            let is_writing = Arc::clone(&log.is_writing);
            self.rooms.tasks.spawn(async move {
                if let Err(error) = store.compact_document(&key, &id, upto_seq, chunks).await {
                    // The log still holds everything; the next snapshot is taken when it has grown.
                    tracing::warn!(document = ?id, error = %chain(&error), "failed to compact");
                }
                is_writing.store(false, Ordering::Release);
            });
        }
    }

    /// A room that many people changed a little is quicker to load next time.
    pub(super) async fn compact_before_unloading(&mut self) {
        const ROWS_MIN: usize = 64;
        let store = self.rooms.store.clone();
        for (id, log) in &self.logs {
            if log.log_rows < ROWS_MIN || log.is_writing.load(Ordering::Acquire) {
                continue;
            }
            let Some(chunks) = aside(|| self.state.snapshot(id)) else { continue };
            if let Err(error) = store.compact_document(&self.key, id, log.upto_seq(), chunks).await
            {
                tracing::warn!(document = ?id, error = %chain(&error), "failed to compact");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_they_were_and_damage_is_noticed() {
        let records = vec![b"one".to_vec(), Vec::new(), vec![0xff; 300]];
        let joined = join_records(&records);
        assert_eq!(split_records(&joined).unwrap(), records);
        for cut in 1..joined.len() {
            let whole = [7, 11].contains(&cut);
            assert_eq!(split_records(&joined[..cut]).is_some(), whole, "cut at {cut}");
        }
    }
}
