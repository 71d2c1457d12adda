//! Files of a room's storage: whole, in parts, and what becomes of those that nobody needs.

use bytes::Bytes;
use futures_util::StreamExt as _;
use roomd::error::Code;
use roomd::store::{
    CONTENT_CHUNK_BYTES, Completed, DataKey, FileDraft, FileId, Part, PartReceipt, Parts,
    StorageFile, UPLOAD_PARTS_MAX, UPLOADS_OPEN_MAX, UploadId,
};

use crate::databases::Database;
use crate::store_documents::room;
use crate::store_rooms::{grant, id};

crate::on_both!(
    a_file_comes_back_from_any_byte_on,
    a_second_file_of_an_id_changes_nothing,
    parts_may_come_in_any_order_and_again,
    only_what_came_can_be_completed,
    completing_again_gives_the_same_file,
    an_aborted_upload_is_gone,
    a_room_has_so_many_uploads_at_once,
    the_parts_of_an_upload_have_a_limit_together,
    what_nobody_needs_is_swept,
    files_go_with_their_room,
    hostile_names_are_refused,
);

fn file_id(raw: &str) -> FileId {
    FileId::parse("fileId", &format!("fl_{raw}")).unwrap()
}

fn draft(raw: &str) -> FileDraft<FileId> {
    FileDraft { id: file_id(raw), name: "ünï 🦀.txt".into(), mime_type: "text/plain".into() }
}

fn bytes(len: usize, mark: usize) -> Bytes {
    (0..len).map(|n| u8::try_from((n / 7 + mark) % 251).unwrap()).collect()
}

async fn read_all(db: &Database, file: &StorageFile) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let piece = db.store.read_file(file, all.len() as u64).await.unwrap();
        assert!(piece.len() <= CONTENT_CHUNK_BYTES);
        if piece.is_empty() {
            return all;
        }
        all.extend(piece);
    }
}

/// Of all parts of an upload.
const UPLOAD_BYTES_MAX: i64 = 10 << 20;

async fn put(db: &Database, key: &DataKey, upload: &UploadId, number: i64, bytes: Bytes) -> bool {
    let part = Part { number, etag: format!("e{}", bytes.len()), bytes };
    let file = file_id("a");
    db.store.put_upload_part(key, &file, upload, part, UPLOAD_BYTES_MAX).await.unwrap()
}

fn receipts(parts: &[(i64, usize)]) -> Parts {
    let receipt =
        |(number, len): &(i64, usize)| PartReceipt { number: *number, etag: format!("e{len}") };
    Parts { receipts: parts.iter().map(receipt).collect(), bytes: None }
}

async fn complete(
    db: &Database,
    key: &DataKey,
    upload: &UploadId,
    parts: &[(i64, usize)],
) -> Completed<StorageFile> {
    let parts = receipts(parts);
    db.store.complete_upload(key, &file_id("a"), upload, parts, 9).await.unwrap()
}

async fn rows(db: &Database) -> u64 {
    let mut count = 0;
    loop {
        match db.store.sweep_garbage(2).await.unwrap() {
            0 => return count,
            step => {
                assert!(step <= 2);
                count += step;
            }
        }
    }
}

async fn a_file_comes_back_from_any_byte_on(db: &Database) {
    let key = room(db, "a").await;
    let data = key.data();
    assert_eq!(db.store.find_file(data, &file_id("a")).await.unwrap(), None);
    let content = bytes(10 * CONTENT_CHUNK_BYTES + 5, 0);
    let file = db.store.insert_file(data, draft("a"), content.clone(), 7).await.unwrap();
    assert_eq!((file.name.as_str(), file.mime_type.as_str()), ("ünï 🦀.txt", "text/plain"));
    assert_eq!((file.size_bytes, file.created_at_ms), (content.len() as i64, 7));
    assert_eq!(db.store.find_file(data, &file.id).await.unwrap().as_ref(), Some(&file));
    assert_eq!(read_all(db, &file).await, content);
    for from in [1, CONTENT_CHUNK_BYTES - 1, CONTENT_CHUNK_BYTES, content.len() - 1] {
        let piece = db.store.read_file(&file, from as u64).await.unwrap();
        assert!(content[from..].starts_with(&piece) && !piece.is_empty());
    }
    for from in [content.len() as u64, u64::MAX] {
        assert!(db.store.read_file(&file, from).await.unwrap().is_empty());
    }
    let empty = db.store.insert_file(data, draft("empty"), Bytes::new(), 7).await.unwrap();
    assert!(read_all(db, &empty).await.is_empty());
    assert!(!file.kind.referenced);
    assert!(db.store.reference_file(&key, &file.id).await.unwrap());
    assert!(!db.store.reference_file(&key, &file_id("none")).await.unwrap());
    assert!(db.store.find_file(data, &file.id).await.unwrap().unwrap().kind.referenced);
}

async fn a_second_file_of_an_id_changes_nothing(db: &Database) {
    let key = room(db, "a").await;
    let first = db.store.insert_file(key.data(), draft("a"), bytes(9, 0), 7).await.unwrap();
    let second = db.store.insert_file(key.data(), draft("a"), bytes(8, 1), 8).await.unwrap();
    assert_eq!(second, first);
    assert_eq!(read_all(db, &second).await, bytes(9, 0));
    // The same id in another room is another file.
    let other = room(db, "b").await;
    db.store.insert_file(other.data(), draft("a"), bytes(8, 1), 8).await.unwrap();
    assert_eq!(read_all(db, &first).await, bytes(9, 0));
}

async fn parts_may_come_in_any_order_and_again(db: &Database) {
    let key = room(db, "a").await;
    let data = key.data();
    let upload = db.store.begin_upload(data, draft("a"), 1).await.unwrap();
    assert_eq!(UploadId::parse("uploadId", upload.as_str()).unwrap(), upload);
    let long = 2 * CONTENT_CHUNK_BYTES + 1;
    let tasks: Vec<_> = [(7, 5, 1), (2, long, 2), (1, 3, 3), (2, long, 2), (5, 1, 0)]
        .map(|(number, len, mark)| {
            let (store, data, upload) = (db.store.clone(), data.clone(), upload.clone());
            tokio::spawn(async move {
                let part = Part { number, etag: format!("e{len}"), bytes: bytes(len, mark) };
                let file = file_id("a");
                let put = store.put_upload_part(&data, &file, &upload, part, UPLOAD_BYTES_MAX);
                put.await.unwrap()
            })
        })
        .into();
    for task in tasks {
        assert!(task.await.unwrap());
    }
    // Replaced by something shorter: no chunk of the old one may stay.
    assert!(put(db, data, &upload, 2, bytes(4, 9)).await);
    assert_eq!(db.store.find_file(data, &file_id("a")).await.unwrap(), None);
    let done = complete(db, data, &upload, &[(1, 3), (2, 4), (7, 5)]).await;
    let Completed::Done(file) = done else { panic!("{done:?}") };
    assert_eq!((file.size_bytes, file.created_at_ms), (12, 9));
    assert_eq!(file.name, "ünï 🦀.txt");
    let expected = [bytes(3, 3), bytes(4, 9), bytes(5, 1)].concat();
    assert_eq!(read_all(db, &file).await, expected);
    assert_eq!(db.store.find_file(data, &file.id).await.unwrap(), Some(file));
}

async fn only_what_came_can_be_completed(db: &Database) {
    let key = room(db, "a").await;
    let data = key.data();
    let upload = db.store.begin_upload(data, draft("a"), 1).await.unwrap();
    for (number, len) in [(1, 3), (2, 4)] {
        assert!(put(db, data, &upload, number, bytes(len, 0)).await);
    }
    for wrong in [&[][..], &[(1, 4)], &[(3, 3)], &[(2, 4), (1, 3)], &[(1, 3), (1, 3)]] {
        assert_eq!(complete(db, data, &upload, wrong).await, Completed::WrongParts);
    }
    let (file, parts) = (file_id("a"), Parts { bytes: Some(8), ..receipts(&[(1, 3), (2, 4)]) });
    let done = db.store.complete_upload(data, &file, &upload, parts, 9).await.unwrap();
    assert_eq!(done, Completed::WrongSize { got_bytes: 7 });
    // Nor under another file's id, nor in another room.
    let elsewhere = room(db, "b").await;
    let parts = receipts(&[(1, 3)]);
    for (data, file) in [(data, file_id("b")), (elsewhere.data(), file_id("a"))] {
        let done = db.store.complete_upload(data, &file, &upload, parts.clone(), 9).await.unwrap();
        assert_eq!(done, Completed::NotFound);
    }
    assert!(matches!(complete(db, data, &upload, &[(1, 3), (2, 4)]).await, Completed::Done(_)));
    for number in [0, UPLOAD_PARTS_MAX + 1] {
        let part = Part { number, etag: "e".into(), bytes: Bytes::new() };
        let error = db.store.put_upload_part(data, &file_id("a"), &upload, part, 100).await;
        assert_eq!(error.unwrap_err().code(), Code::InvalidArgument);
    }
}

async fn completing_again_gives_the_same_file(db: &Database) {
    let key = room(db, "a").await;
    let data = key.data();
    let (one, two) = (
        db.store.begin_upload(data, draft("a"), 1).await.unwrap(),
        db.store.begin_upload(data, draft("a"), 1).await.unwrap(),
    );
    for (upload, len) in [(&one, 3), (&two, 4)] {
        assert!(put(db, data, upload, 1, bytes(len, 0)).await);
    }
    let first = complete(db, data, &one, &[(1, 3)]).await;
    assert_eq!(complete(db, data, &one, &[(1, 3)]).await, first);
    // A slower upload of the same file gets the file that is there.
    assert_eq!(complete(db, data, &two, &[(1, 4)]).await, first);
    assert!(!put(db, data, &one, 2, bytes(1, 0)).await, "a file never changes");
    assert!(!db.store.abort_upload(data, &file_id("a"), &one).await.unwrap());
    // What the slower one brought: a chunk, a part, and its key.
    assert_eq!(rows(db).await, 3);
    let Completed::Done(file) = first else { panic!("{first:?}") };
    assert_eq!(read_all(db, &file).await, bytes(3, 0));
}

async fn an_aborted_upload_is_gone(db: &Database) {
    let key = room(db, "a").await;
    let data = key.data();
    let upload = db.store.begin_upload(data, draft("a"), 1).await.unwrap();
    assert!(put(db, data, &upload, 1, bytes(3, 0)).await);
    assert!(db.store.abort_upload(data, &file_id("a"), &upload).await.unwrap());
    assert!(!db.store.abort_upload(data, &file_id("a"), &upload).await.unwrap());
    assert!(!put(db, data, &upload, 1, bytes(3, 0)).await);
    assert_eq!(complete(db, data, &upload, &[(1, 3)]).await, Completed::NotFound);
    assert_eq!(rows(db).await, 3);
}

async fn a_room_has_so_many_uploads_at_once(db: &Database) {
    let key = room(db, "a").await;
    let data = key.data();
    let begin = async |now_ms| db.store.begin_upload(data, draft("a"), now_ms).await;
    // Several at once, as browsers do: not one more may slip through.
    let all = futures_util::stream::iter(0..UPLOADS_OPEN_MAX + 5).map(&begin);
    let begun: Vec<_> = all.buffer_unordered(8).collect().await;
    let (open, refused): (Vec<_>, Vec<_>) = begun.into_iter().partition(Result::is_ok);
    assert_eq!(open.len() as i64, UPLOADS_OPEN_MAX);
    for error in refused.into_iter().map(Result::unwrap_err) {
        assert_eq!((error.code(), error.reason()), (Code::ResourceExhausted, "TOO_MANY_UPLOADS"));
        assert!(error.public().contains(&UPLOADS_OPEN_MAX.to_string()), "{error}");
    }
    let elsewhere = room(db, "b").await;
    db.store.begin_upload(elsewhere.data(), draft("a"), 1).await.unwrap();
    // Each end of an upload makes room for another.
    let mut open = open.into_iter().map(Result::unwrap);
    let (one, two) = (open.next().unwrap(), open.next().unwrap());
    assert!(db.store.abort_upload(data, &file_id("a"), &one).await.unwrap());
    begin(7).await.unwrap();
    assert!(begin(7).await.is_err());
    assert!(put(db, data, &two, 1, bytes(3, 0)).await);
    assert!(matches!(complete(db, data, &two, &[(1, 3)]).await, Completed::Done(_)));
    begin(7).await.unwrap();
    assert!(begin(7).await.is_err());
    // Those that were given up make room when they are old.
    while db.store.sweep_stale_files(i64::MAX, 1_000).await.unwrap() > 0 {}
    begin(7).await.unwrap();
}

async fn the_parts_of_an_upload_have_a_limit_together(db: &Database) {
    let key = room(db, "a").await;
    let data = key.data();
    let upload = db.store.begin_upload(data, draft("a"), 1).await.unwrap();
    let put = async |number: i64, len: usize| {
        let part = Part { number, etag: "e".into(), bytes: Bytes::from(vec![0; len]) };
        db.store.put_upload_part(data, &file_id("a"), &upload, part, 1_000).await
    };
    for number in 1..=8 {
        assert!(put(number, 125).await.unwrap());
    }
    let error = put(9, 1).await.unwrap_err();
    assert_eq!(error.code(), Code::TooLarge);
    assert!(error.public().contains("at most 1000 bytes"), "{error}");
    // What takes the place of a part counts instead of it.
    assert!(put(8, 125).await.unwrap());
    assert!(put(8, 10).await.unwrap());
    assert!(put(9, 115).await.unwrap());
    assert_eq!(put(10, 1).await.unwrap_err().code(), Code::TooLarge);
}

async fn what_nobody_needs_is_swept(db: &Database) {
    let key = room(db, "a").await;
    let data = key.data();
    for (raw, now_ms) in [("used", 10), ("old", 10), ("older", 9), ("new", 20)] {
        db.store.insert_file(data, draft(raw), bytes(3, 0), now_ms).await.unwrap();
    }
    assert!(db.store.reference_file(&key, &file_id("used")).await.unwrap());
    let (stale, open) = (
        db.store.begin_upload(data, draft("a"), 10).await.unwrap(),
        db.store.begin_upload(data, draft("a"), 20).await.unwrap(),
    );
    for upload in [&stale, &open] {
        assert!(put(db, data, upload, 1, bytes(3, 0)).await);
    }
    let mut steps = Vec::new();
    while steps.last() != Some(&0) {
        steps.push(db.store.sweep_stale_files(20, 1).await.unwrap());
    }
    assert_eq!(steps, [2, 1, 0]);
    // Two files' chunks and keys; the upload's chunk, part and key.
    assert_eq!(rows(db).await, 2 + 2 + 3);
    for (raw, is_there) in [("used", true), ("old", false), ("older", false), ("new", true)] {
        let found = db.store.find_file(data, &file_id(raw)).await.unwrap();
        assert_eq!(found.is_some(), is_there, "{raw}");
        if let Some(file) = found {
            assert_eq!(read_all(db, &file).await, bytes(3, 0));
        }
    }
    assert!(!db.store.reference_file(&key, &file_id("old")).await.unwrap());
    assert_eq!(complete(db, data, &stale, &[(1, 3)]).await, Completed::NotFound);
    assert!(matches!(complete(db, data, &open, &[(1, 3)]).await, Completed::Done(_)));
}

async fn files_go_with_their_room(db: &Database) {
    let key = room(db, "a").await;
    let data = key.data();
    for raw in ["x", "y", "z"] {
        db.store.insert_file(data, draft(raw), bytes(3, 0), 1).await.unwrap();
    }
    let upload = db.store.begin_upload(data, draft("a"), 1).await.unwrap();
    assert!(put(db, data, &upload, 1, bytes(3, 0)).await);
    assert!(db.store.delete_room(&grant("p"), &id("a")).await.unwrap());
    let gone = db.store.insert_file(data, draft("late"), bytes(3, 0), 1).await.unwrap_err();
    assert_eq!(gone.reason(), "ROOM_NOT_FOUND");
    let parts = receipts(&[(1, 3)]);
    let late = db.store.complete_upload(data, &file_id("a"), &upload, parts, 1).await;
    assert_eq!(late.unwrap_err().reason(), "ROOM_NOT_FOUND");
    let begun = db.store.begin_upload(data, draft("late"), 1).await.unwrap_err();
    assert_eq!(begun.reason(), "ROOM_NOT_FOUND");
    // Three files with a chunk and a key each, an upload with a chunk, a part and a key; the room.
    assert_eq!(rows(db).await, 3 * 3 + 4 + 1);
}

async fn hostile_names_are_refused(db: &Database) {
    let key = room(db, "a").await;
    for raw in ["", "fl_", "fl_a b", "fl_a\0", "at_a", &"fl_".repeat(40)] {
        assert_eq!(FileId::parse("fileId", raw).unwrap_err().code(), Code::InvalidArgument);
    }
    for raw in ["", "x", "../../../../../../../../../../etc", &"0".repeat(33)] {
        assert_eq!(UploadId::parse("uploadId", raw).unwrap_err().code(), Code::InvalidArgument);
    }
    for name in ["a\0b", &"x".repeat(1025)] {
        let hostile = FileDraft { name: name.into(), ..draft("a") };
        let error = db.store.begin_upload(key.data(), hostile.clone(), 1).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        let error = db.store.insert_file(key.data(), hostile, bytes(1, 0), 1).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
    }
}
