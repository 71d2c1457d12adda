//! Attachments: drafts, whole and in parts, and what becomes of those that no comment takes.

use bytes::Bytes;
use roomd::domain::comment::AttachmentRight;
use roomd::domain::content_id::AttachmentId;
use roomd::domain::ids::UserId;
use roomd::error::Code;
use roomd::store::{
    CONTENT_CHUNK_BYTES, Completed, DataKey, FileDraft, Part, PartReceipt, Parts, StoredAttachment,
};

use crate::databases::Database;
use crate::store_documents::room;
use crate::store_rooms::{grant, id};

crate::on_both!(
    an_attachment_comes_back_as_it_was_uploaded,
    a_second_one_of_an_id_changes_nothing,
    parts_become_one_attachment,
    drafts_that_nobody_took_are_swept,
    attachments_go_with_their_room,
    hostile_names_are_refused,
);

fn attachment_id(raw: &str) -> AttachmentId {
    AttachmentId::parse("attachmentId", &format!("at_{raw}")).unwrap()
}

fn draft(raw: &str) -> FileDraft<AttachmentId> {
    FileDraft {
        id: attachment_id(raw), name: "ünï 🦀.png".into(), mime_type: "image/png".into()
    }
}

fn bytes(len: usize, mark: usize) -> Bytes {
    (0..len).map(|n| u8::try_from((n / 7 + mark) % 251).unwrap()).collect()
}

async fn insert(
    db: &Database,
    key: &DataKey,
    raw: &str,
    user: &str,
    content: Bytes,
    now_ms: i64,
) -> StoredAttachment {
    let user = UserId::trusted(user);
    db.store.insert_attachment(key, draft(raw), user, content, now_ms).await.unwrap()
}

async fn find(db: &Database, key: &DataKey, raw: &str) -> Option<StoredAttachment> {
    let right = AttachmentRight::system();
    db.store.find_attachment(key, &attachment_id(raw), &right).await.unwrap()
}

async fn read_all(db: &Database, file: &StoredAttachment) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let piece = db.store.read_file(file, all.len() as u64).await.unwrap();
        if piece.is_empty() {
            return all;
        }
        all.extend(piece);
    }
}

async fn sweep(db: &Database) -> u64 {
    let mut count = 0;
    loop {
        match db.store.sweep_garbage(2).await.unwrap() {
            0 => return count,
            step => count += step,
        }
    }
}

async fn an_attachment_comes_back_as_it_was_uploaded(db: &Database) {
    let key = room(db, "a").await;
    let data = key.data();
    assert_eq!(find(db, data, "a").await, None);
    let content = bytes(3 * CONTENT_CHUNK_BYTES + 5, 0);
    let file = insert(db, data, "a", "ann", content.clone(), 7).await;
    assert_eq!((file.name.as_str(), file.mime_type.as_str()), ("ünï 🦀.png", "image/png"));
    assert_eq!((file.size_bytes, file.created_at_ms), (content.len() as i64, 7));
    assert_eq!(file.kind.user_id.as_str(), "ann");
    assert_eq!(find(db, data, "a").await.as_ref(), Some(&file));
    assert_eq!(read_all(db, &file).await, content);
    let elsewhere = room(db, "b").await;
    assert_eq!(find(db, elsewhere.data(), "a").await, None);
}

async fn a_second_one_of_an_id_changes_nothing(db: &Database) {
    let key = room(db, "a").await;
    let first = insert(db, key.data(), "a", "ann", bytes(9, 0), 7).await;
    let second = insert(db, key.data(), "a", "bob", bytes(8, 1), 8).await;
    assert_eq!(second, first);
    assert_eq!(read_all(db, &second).await, bytes(9, 0));
    let other = room(db, "b").await;
    let third = insert(db, other.data(), "a", "bob", bytes(8, 1), 8).await;
    assert_eq!(read_all(db, &third).await, bytes(8, 1));
    assert_eq!(read_all(db, &first).await, bytes(9, 0));
}

async fn parts_become_one_attachment(db: &Database) {
    let key = room(db, "a").await;
    let data = key.data();
    let upload = db.store.begin_upload(data, draft("a"), 1).await.unwrap();
    let put = async |number: i64, content: Bytes| {
        let part = Part { number, etag: format!("e{number}"), bytes: content };
        let id = attachment_id("a");
        db.store.put_upload_part(data, &id, &upload, part, 10 << 20).await.unwrap()
    };
    assert!(put(2, bytes(5, 2)).await);
    assert!(put(1, bytes(CONTENT_CHUNK_BYTES + 1, 3)).await);
    // What replaces a part leaves nothing of it.
    assert!(put(1, bytes(4, 1)).await);
    assert_eq!(find(db, data, "a").await, None);
    let complete = async |raw: &str, user: &str| {
        let receipt = |number| PartReceipt { number, etag: format!("e{number}") };
        let parts = Parts { receipts: vec![receipt(1), receipt(2)], bytes: Some(9) };
        let (id, user) = (attachment_id(raw), UserId::trusted(user));
        db.store.complete_attachment((data, &id, &upload), parts, user, 9).await.unwrap()
    };
    assert_eq!(complete("b", "ann").await, Completed::NotFound);
    let Completed::Done(file) = complete("a", "ann").await else { panic!("not completed") };
    assert_eq!((file.size_bytes, file.kind.user_id.as_str()), (9, "ann"));
    assert_eq!(read_all(db, &file).await, [bytes(4, 1), bytes(5, 2)].concat());
    // Once more, even as somebody else: it is what it was.
    assert_eq!(complete("a", "bob").await, Completed::Done(file.clone()));
    assert_eq!(find(db, data, "a").await, Some(file));
    assert!(!put(3, bytes(1, 0)).await);
}

async fn drafts_that_nobody_took_are_swept(db: &Database) {
    let key = room(db, "a").await;
    let data = key.data();
    for (raw, now_ms) in [("old", 10), ("older", 9), ("new", 20)] {
        insert(db, data, raw, "ann", bytes(3, 0), now_ms).await;
    }
    let mut steps = Vec::new();
    while steps.last() != Some(&0) {
        steps.push(db.store.sweep_stale_files(20, 1).await.unwrap());
    }
    assert_eq!(steps, [1, 1, 0]);
    // Of each a chunk and its key.
    assert_eq!(sweep(db).await, 2 * 2);
    assert_eq!(find(db, data, "old").await, None);
    assert_eq!(find(db, data, "older").await, None);
    let left = find(db, data, "new").await.unwrap();
    assert_eq!(read_all(db, &left).await, bytes(3, 0));
}

async fn attachments_go_with_their_room(db: &Database) {
    let key = room(db, "a").await;
    let data = key.data();
    for raw in ["x", "y", "z"] {
        insert(db, data, raw, "ann", bytes(3, 0), 1).await;
    }
    assert!(db.store.delete_room(&grant("p"), &id("a")).await.unwrap());
    let user = UserId::trusted("ann");
    let late = db.store.insert_attachment(data, draft("late"), user, bytes(3, 0), 1).await;
    assert_eq!(late.unwrap_err().reason(), "ROOM_NOT_FOUND");
    // Three attachments with a chunk and a key each; the room.
    assert_eq!(sweep(db).await, 3 * 3 + 1);
}

async fn hostile_names_are_refused(db: &Database) {
    let key = room(db, "a").await;
    for name in ["a\0b", &"x".repeat(1025)] {
        let (hostile, user) = (FileDraft { name: name.into(), ..draft("a") }, "ann");
        let user = UserId::trusted(user);
        let error = db
            .store
            .insert_attachment(key.data(), hostile, user, bytes(1, 0), 1)
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
    }
}
