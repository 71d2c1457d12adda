//! What all files of a room have in common, whatever they are for. A file that is stored is complete
//! and never changes.

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;

use super::Store;
use super::content::{StoredPart, insert_chunks, locate};
use super::db::Tx;
use super::fault::{Fault, corrupt};
use super::room_cache::Touched;
use super::room_data::{DataKey, lock_data, random_key};
use super::upload::{Completed, PartReceipt, Parts};
use super::upload_part::Part;
use crate::domain::ids::check_text;
use crate::error::{Error, chain};

const NAME_BYTES_MAX: usize = 1024;
/// The tag of the only part of a file that came in one piece.
const WHOLE: &str = "whole";

/// What a caller says about a file; the id says what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDraft<Id> {
    pub id: Id,
    pub name: String,
    pub mime_type: String,
}

impl<Id> FileDraft<Id> {
    /// What both databases can hold.
    pub(super) fn check(&self) -> Result<(), Error> {
        for (field, text) in [("name", &self.name), ("mimeType", &self.mime_type)] {
            check_text(field, text)?;
            if text.len() > NAME_BYTES_MAX {
                let problem = format!("must have at most {NAME_BYTES_MAX} bytes");
                return Err(Error::invalid(field, problem));
            }
        }
        Ok(())
    }
}

/// A file, with what only those of its kind have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile<Id, Kind> {
    pub id: Id,
    pub name: String,
    pub size_bytes: i64,
    pub mime_type: String,
    pub created_at_ms: i64,
    pub kind: Kind,
    pub(super) room: DataKey,
    /// The key of the bytes.
    pub(super) content: Arc<str>,
    /// In order.
    pub(super) parts: Vec<StoredPart>,
}

impl<Id, Kind> StoredFile<Id, Kind> {
    /// What its bytes are kept under: no other file ever has the same. Where they lie is nobody's
    /// business, so it is not to be shown.
    pub fn content_key(&self) -> &str {
        &self.content
    }

    pub(super) fn parts_json(&self) -> Result<String, Error> {
        serde_json::to_string(&self.parts).map_err(Error::internal)
    }
}

/// The columns that every table of files has.
#[derive(sqlx::FromRow)]
pub(super) struct FileRow {
    id: String,
    content: String,
    name: String,
    size: i64,
    mime_type: String,
    parts: String,
    created_at_ms: i64,
}

impl FileRow {
    pub(super) fn into_file<K: FileKind>(
        self,
        room: &DataKey,
        kind: K,
    ) -> Result<StoredFile<K::Id, K>, Error> {
        let parts =
            serde_json::from_str(&self.parts).map_err(|error| corrupt(K::TABLE, "parts", error))?;
        Ok(StoredFile {
            id: K::id(self.id),
            name: self.name,
            size_bytes: self.size,
            mime_type: self.mime_type,
            created_at_ms: self.created_at_ms,
            kind,
            room: room.clone(),
            content: self.content.into(),
            parts,
        })
    }
}

/// What files are for: each kind has a table.
pub(super) trait FileKind: Clone + Debug + Send + Sync + Sized + 'static {
    type Id: AsRef<str> + Clone + Debug + Send + Sync + 'static;
    const TABLE: &'static str;

    /// From what the table holds.
    fn id(stored: String) -> Self::Id;

    /// Whether it was inserted; else there is one already.
    fn insert(
        tx: &mut Tx,
        file: &StoredFile<Self::Id, Self>,
    ) -> impl Future<Output = Result<bool, Fault>> + Send;

    fn find(
        tx: &mut Tx,
        key: &DataKey,
        id: &Self::Id,
    ) -> impl Future<Output = Result<Option<StoredFile<Self::Id, Self>>, Fault>> + Send;
}

/// The file that kept another from being inserted.
pub(super) async fn there<K: FileKind>(
    tx: &mut Tx,
    key: &DataKey,
    id: &K::Id,
) -> Result<StoredFile<K::Id, K>, Fault> {
    let found = K::find(tx, key, id).await?;
    found.ok_or(Fault::Retry("a file was swept while it was looked at"))
}

impl Store {
    /// Stores a whole file. If there is one with this id, that one stays and is the answer.
    pub(super) async fn insert_whole<K: FileKind>(
        &self,
        key: &DataKey,
        draft: FileDraft<K::Id>,
        kind: K,
        bytes: Bytes,
        now_ms: i64,
    ) -> Result<StoredFile<K::Id, K>, Error> {
        if self.inner.objects.is_some() {
            return self.insert_as_upload(key, draft, kind, bytes, now_ms).await;
        }
        draft.check()?;
        let size_bytes = i64::try_from(bytes.len()).map_err(Error::internal)?;
        let file = StoredFile {
            id: draft.id,
            name: draft.name,
            size_bytes,
            mime_type: draft.mime_type,
            created_at_ms: now_ms,
            kind,
            room: key.clone(),
            content: random_key()?.into(),
            parts: vec![StoredPart::Chunks(1, size_bytes)],
        };
        self.transact("insert_file", Touched::nothing(), (file, bytes), |tx, (file, bytes)| {
            Box::pin(async move {
                lock_data(tx, &file.room).await?;
                if !K::insert(tx, file).await? {
                    return there(tx, &file.room, &file.id).await;
                }
                insert_chunks(tx, &file.room.project, &file.content, 1, bytes).await?;
                Ok(file.clone())
            })
        })
        .await
    }

    /// Some bytes of a file, beginning with the one at `from`; none if the file ends before that.
    /// Whoever wants all of it goes on where these end.
    pub async fn read_file<Id, Kind>(
        &self,
        file: &StoredFile<Id, Kind>,
        from: u64,
    ) -> Result<Bytes, Error> {
        let from = i64::try_from(from).unwrap_or(i64::MAX);
        match locate(&file.parts, from) {
            Some(place) => self.read_part(&file.room.project, &file.content, place).await,
            None => Ok(Bytes::new()),
        }
    }

    /// Beside the database, a file is an upload of one part: that is written down before there is
    /// anything to be swept.
    async fn insert_as_upload<K: FileKind>(
        &self,
        key: &DataKey,
        draft: FileDraft<K::Id>,
        kind: K,
        bytes: Bytes,
        now_ms: i64,
    ) -> Result<StoredFile<K::Id, K>, Error> {
        let id = draft.id.clone();
        let upload = self.begin_upload(key, draft, now_ms).await?;
        let receipt = PartReceipt { number: 1, etag: WHOLE.to_owned() };
        let part = Part { number: receipt.number, etag: receipt.etag.clone(), bytes };
        if let Err(error) = self.put_upload_part(key, &id, &upload, part, i64::MAX).await {
            // Else it would count among the room's unfinished uploads for a day: an outage of the
            // bucket would use all of them up.
            if let Err(other) = self.abort_upload(key, &id, &upload).await {
                tracing::warn!(error = %chain(&other), "an upload that failed stays for a day");
            }
            return Err(error);
        }
        let parts = Parts { receipts: vec![receipt], bytes: None };
        match self.complete_file((key, &id, &upload), parts, kind, now_ms).await? {
            Completed::Done(file) => Ok(file),
            other => {
                Err(Error::internal(format!("an upload of one part was not completed: {other:?}")))
            }
        }
    }
}
