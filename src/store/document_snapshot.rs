//! Snapshots of documents. A large one is written in pieces, so that the writes of others need not
//! wait for all of it, and its last row makes it visible. What a crash leaves of one that was not
//! finished is never read, and the next snapshot of the document deletes it.
//!
//! Chunks are numbered from 0 where the snapshot was written at once. In pieces, those of one
//! snapshot begin at a multiple of [`GENERATION`] of their own, say that they are staged where others
//! have the end of the log, and the row that says it comes last in its generation.

use bytes::Bytes;

use super::Store;
use super::db::{Tx, on_tx};
use super::document::{DocumentId, PartRow, delete_up_to};
use super::fault::{Fault, corrupt, on};
use super::room_cache::Touched;
use super::room_data::{RoomKey, lock_epoch};
use crate::error::Error;

/// What is written in one transaction.
pub(super) const PIECE_BYTES_MAX: usize = 1 << 20;
/// No snapshot has as many chunks.
const GENERATION: i64 = 1 << 20;
/// Of a chunk: the row that makes it visible says the end of the log.
const STAGED: i64 = -1;
/// Rows that are tidied away in one transaction.
const TIDY_ROWS_MAX: i64 = 100;

const INSERT_CHUNK: &str = "INSERT INTO document_snapshot \
    (project_id, key, document, chunk, upto_seq, payload) VALUES ($1, $2, $3, $4, $5, $6)";
const SELECT_LAST: &str = "SELECT MAX(chunk), MAX(upto_seq) FROM document_snapshot \
    WHERE project_id = $1 AND key = $2 AND document = $3";
const COUNT_CHUNKS: &str = "SELECT COUNT(*) FROM document_snapshot \
    WHERE project_id = $1 AND key = $2 AND document = $3 AND chunk >= $4 AND chunk < $5";
const DELETE_OLDER_CHUNKS: &str = "DELETE FROM document_snapshot \
    WHERE project_id = $1 AND key = $2 AND document = $3 AND chunk IN (\
    SELECT chunk FROM document_snapshot WHERE project_id = $1 AND key = $2 AND document = $3 \
    AND chunk < $4 ORDER BY chunk LIMIT $5)";
const DELETE_OLDER_UPDATES: &str = "DELETE FROM document_update \
    WHERE project_id = $1 AND key = $2 AND document = $3 AND seq IN (\
    SELECT seq FROM document_update WHERE project_id = $1 AND key = $2 AND document = $3 \
    AND seq <= $4 ORDER BY seq LIMIT $5)";

/// Of which document a snapshot is, and up to where of its log.
#[derive(Debug, Clone)]
struct Place {
    key: RoomKey,
    document: DocumentId,
    upto_seq: i64,
}

impl Store {
    /// Puts `chunks` in the place of the snapshot and of the log up to `upto_seq`: whoever reads sees
    /// the one or the other. Does nothing if there is a later one already.
    pub async fn compact_document(
        &self,
        key: &RoomKey,
        document: &DocumentId,
        upto_seq: i64,
        chunks: Vec<Bytes>,
    ) -> Result<(), Error> {
        let place = Place { key: key.clone(), document: document.clone(), upto_seq };
        if chunks.iter().map(Bytes::len).sum::<usize>() <= PIECE_BYTES_MAX {
            return self.replace_at_once(place, chunks).await;
        }
        self.replace_in_pieces(place, &chunks).await
    }

    async fn replace_at_once(&self, place: Place, chunks: Vec<Bytes>) -> Result<(), Error> {
        let args = (place, chunks);
        self.transact("compact_document", Touched::nothing(), args, |tx, (place, chunks)| {
            Box::pin(async move {
                lock_epoch(tx, &place.key).await?;
                if select_last(tx, place).await?.1 > Some(place.upto_seq) {
                    return Ok(());
                }
                delete_up_to(tx, &place.key, &place.document, place.upto_seq).await?;
                insert_chunks(tx, place, (0, place.upto_seq), chunks).await
            })
        })
        .await
    }

    async fn replace_in_pieces(&self, place: Place, chunks: &[Bytes]) -> Result<(), Error> {
        let mut pieces = pieces(chunks, |chunk| chunk.len());
        let (_, first) = pieces.next().unwrap_or_default();
        let Some(start) = self.begin_snapshot(&place, first.to_vec()).await? else {
            return Ok(());
        };
        for (at, piece) in pieces {
            self.stage_piece(&place, start + at, piece.to_vec()).await?;
        }
        let count = i64::try_from(chunks.len()).map_err(Error::internal)?;
        self.show_snapshot(&place, start, count).await?;
        self.tidy(&place, start).await
    }

    /// Where the snapshot's chunks begin; `None` if there is a later snapshot.
    async fn begin_snapshot(&self, place: &Place, first: Vec<Bytes>) -> Result<Option<i64>, Error> {
        let args = (place.clone(), first);
        self.transact("begin_snapshot", Touched::nothing(), args, |tx, (place, first)| {
            Box::pin(async move {
                lock_epoch(tx, &place.key).await?;
                let (chunk, upto_seq) = select_last(tx, place).await?;
                if upto_seq > Some(place.upto_seq) {
                    return Ok(None);
                }
                let start = (chunk.unwrap_or(0) / GENERATION + 1) * GENERATION;
                insert_chunks(tx, place, (start, STAGED), first).await?;
                Ok(Some(start))
            })
        })
        .await
    }

    async fn stage_piece(&self, place: &Place, at: i64, piece: Vec<Bytes>) -> Result<(), Error> {
        let args = (place.clone(), at, piece);
        self.transact("stage_piece", Touched::nothing(), args, |tx, (place, at, piece)| {
            Box::pin(async move {
                lock_epoch(tx, &place.key).await?;
                insert_chunks(tx, place, (*at, STAGED), piece).await
            })
        })
        .await
    }

    async fn show_snapshot(&self, place: &Place, start: i64, count: i64) -> Result<(), Error> {
        let args = (place.clone(), start, count);
        self.transact("show_snapshot", Touched::nothing(), args, |tx, (place, start, count)| {
            Box::pin(async move {
                lock_epoch(tx, &place.key).await?;
                if count_chunks(tx, place, *start).await? != *count {
                    // A later one was put in its place.
                    return Ok(());
                }
                let end = (start + GENERATION - 1, place.upto_seq);
                insert_chunks(tx, place, end, &[Bytes::new()]).await
            })
        })
        .await
    }

    /// Deletes what the snapshot that begins at `start` replaced, a little at a time.
    async fn tidy(&self, place: &Place, start: i64) -> Result<(), Error> {
        loop {
            let args = (place.clone(), start);
            let deleted = self
                .transact("tidy_document", Touched::nothing(), args, |tx, (place, start)| {
                    Box::pin(async move {
                        lock_epoch(tx, &place.key).await?;
                        let chunks = delete_some(tx, DELETE_OLDER_CHUNKS, place, *start).await?;
                        let upto_seq = place.upto_seq;
                        let entries =
                            delete_some(tx, DELETE_OLDER_UPDATES, place, upto_seq).await?;
                        Ok(chunks + entries)
                    })
                })
                .await?;
            if deleted == 0 {
                return Ok(());
            }
        }
    }
}

/// Cuts into what is written at once, each with the number of its first.
pub(super) fn pieces<T>(
    mut parts: &[T],
    bytes: impl Fn(&T) -> usize,
) -> impl Iterator<Item = (i64, &[T])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let mut sum = 0;
        let fits = parts.iter().take_while(|part| {
            sum += bytes(part);
            sum <= PIECE_BYTES_MAX
        });
        // One that is too long by itself goes alone.
        let (piece, rest) = parts.split_at_checked(fits.count().max(1))?;
        let first = at;
        at += i64::try_from(piece.len()).ok()?;
        parts = rest;
        Some((first, piece))
    })
}

/// Of what is stored of snapshots: the chunks of the latest that is whole, in order, and up to where
/// of the log it goes.
pub(super) fn latest(parts: Vec<PartRow>) -> Result<(Vec<Bytes>, Option<i64>), Error> {
    let end = |part: &PartRow| part.place % GENERATION == GENERATION - 1;
    let at_once = parts.iter().filter(|part| part.place < GENERATION - 1);
    let ends = parts.iter().filter(|part| end(part));
    let last = at_once.chain(ends).filter(|part| part.upto_seq >= Some(0));
    let Some(last) = last.max_by_key(|part| (part.upto_seq, part.place)) else {
        return Ok((Vec::new(), None));
    };
    let (start, upto_seq) = (last.place / GENERATION * GENERATION, last.upto_seq);
    let mut chunks = Vec::new();
    for part in parts {
        if part.place / GENERATION * GENERATION != start || end(&part) {
            continue;
        }
        if usize::try_from(part.place - start) != Ok(chunks.len()) {
            let why = format!("{} comes after {} others", part.place - start, chunks.len());
            return Err(corrupt("document_snapshot", "chunk", why));
        }
        chunks.push(Bytes::from(part.payload));
    }
    Ok((chunks, upto_seq))
}

async fn insert_chunks(
    tx: &mut Tx,
    place: &Place,
    (start, upto_seq): (i64, i64),
    chunks: &[Bytes],
) -> Result<(), Fault> {
    for (chunk, payload) in (start..).zip(chunks) {
        on_tx!(tx.write(), |c| sqlx::query(INSERT_CHUNK)
            .bind(place.key.data.project.as_str())
            .bind(&*place.key.data.key)
            .bind(place.document.as_str())
            .bind(chunk)
            .bind(upto_seq)
            .bind(payload.as_ref())
            .execute(c)
            .await
            .map(drop))
        .map_err(on("document_snapshot"))?;
    }
    Ok(())
}

async fn select_last(tx: &mut Tx, place: &Place) -> Result<(Option<i64>, Option<i64>), Fault> {
    on_tx!(tx.read(), |c| sqlx::query_as(SELECT_LAST)
        .bind(place.key.data.project.as_str())
        .bind(&*place.key.data.key)
        .bind(place.document.as_str())
        .fetch_one(c)
        .await)
    .map_err(on("document_snapshot"))
}

async fn count_chunks(tx: &mut Tx, place: &Place, start: i64) -> Result<i64, Fault> {
    let (count,): (i64,) = on_tx!(tx.read(), |c| sqlx::query_as(COUNT_CHUNKS)
        .bind(place.key.data.project.as_str())
        .bind(&*place.key.data.key)
        .bind(place.document.as_str())
        .bind(start)
        .bind(start + GENERATION - 1)
        .fetch_one(c)
        .await)
    .map_err(on("document_snapshot"))?;
    Ok(count)
}

async fn delete_some(
    tx: &mut Tx,
    text: &'static str,
    place: &Place,
    bound: i64,
) -> Result<u64, Fault> {
    on_tx!(tx.write(), |c| sqlx::query(text)
        .bind(place.key.data.project.as_str())
        .bind(&*place.key.data.key)
        .bind(place.document.as_str())
        .bind(bound)
        .bind(TIDY_ROWS_MAX)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(on("document_snapshot"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(place: i64, upto_seq: i64, text: &str) -> PartRow {
        PartRow { place, upto_seq: Some(upto_seq), payload: text.as_bytes().to_vec() }
    }

    fn read(parts: Vec<PartRow>) -> (String, Option<i64>) {
        let (chunks, upto_seq) = latest(parts).unwrap();
        (String::from_utf8(chunks.concat()).unwrap(), upto_seq)
    }

    #[test]
    fn only_what_is_whole_is_read_and_of_that_the_latest() {
        let (first, second) = (GENERATION, 2 * GENERATION);
        let at_once = || vec![part(0, 3, "a"), part(1, 3, "b")];
        let staged = || vec![part(first, STAGED, "c"), part(first + 1, STAGED, "d")];
        let shown = || [staged(), vec![part(second - 1, 5, "")]].concat();
        assert_eq!(read(Vec::new()), (String::new(), None));
        assert_eq!(read(staged()), (String::new(), None));
        assert_eq!(read([at_once(), staged()].concat()), ("ab".to_owned(), Some(3)));
        assert_eq!(read([at_once(), shown()].concat()), ("cd".to_owned(), Some(5)));
        let next = vec![part(second, STAGED, "e")];
        assert_eq!(read([shown(), next].concat()), ("cd".to_owned(), Some(5)));
        let late = vec![part(0, 9, "z")];
        assert_eq!(read([late, shown()].concat()), ("z".to_owned(), Some(9)));
        let torn = vec![part(first + 1, STAGED, "d"), part(second - 1, 5, "")];
        assert_eq!(latest(torn).unwrap_err().code(), crate::error::Code::DataLoss);
    }

    #[test]
    fn pieces_hold_everything_in_order() {
        let sizes = [1, PIECE_BYTES_MAX, 5, PIECE_BYTES_MAX + 1, 6, 7];
        let cut: Vec<_> = pieces(&sizes, |size| *size).collect();
        let starts: Vec<_> = cut.iter().map(|(at, piece)| (*at, piece.len())).collect();
        assert_eq!(starts, [(0, 1), (1, 1), (2, 1), (3, 1), (4, 2)]);
        assert_eq!(pieces(&[0_usize; 0], |size| *size).count(), 0);
    }
}
