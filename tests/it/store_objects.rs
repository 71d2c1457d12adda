//! Files whose bytes lie in a folder beside the database, and what is left of them when they go.

use std::path::Path;

use bytes::Bytes;
use roomd::domain::comment::AttachmentRight;
use roomd::domain::content_id::AttachmentId;
use roomd::domain::ids::UserId;
use roomd::error::Code;
use roomd::objects::{Objects, ObjectsPlace};
use roomd::store::{
    Completed, DataKey, FileDraft, Part, PartReceipt, Parts, Store, StoredAttachment,
};

use crate::databases::Database;
use crate::store_documents::room;
use crate::store_rooms::{grant, id};

crate::on_both!(
    bytes_lie_in_the_folder_and_come_back,
    a_part_that_is_replaced_or_refused_leaves_no_object,
    the_place_may_change_between_two_parts,
    objects_are_deleted_with_what_had_them,
    objects_that_come_late_are_deleted_too,
);

const HOUR_MS: i64 = 3_600_000;

/// The store of a database, with a folder for files.
struct World {
    store: Store,
    folder: tempfile::TempDir,
}

impl World {
    async fn new(db: &Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = ObjectsPlace::Folder(folder.path().to_owned());
        let objects = Some(Objects::open(&place).unwrap());
        let options = roomd::store::DatabaseOptions { objects, ..db.options.clone() };
        Self { store: Store::open(options).await.unwrap(), folder }
    }

    async fn insert(&self, key: &DataKey, raw: &str, content: Bytes) -> StoredAttachment {
        let user = UserId::trusted("ann");
        self.store.insert_attachment(key, draft(raw), user, content, 7).await.unwrap()
    }

    async fn read_all(&self, file: &StoredAttachment) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let piece = self.store.read_file(file, all.len() as u64).await.unwrap();
            if piece.is_empty() {
                return all;
            }
            all.extend(piece);
        }
    }

    fn objects(&self) -> usize {
        files_in(self.folder.path())
    }

    async fn sweep(&self, now_ms: i64) {
        while self.store.sweep_garbage(2).await.unwrap() > 0 {}
        while self.store.sweep_objects(now_ms, 1).await.unwrap() > 0 {}
    }
}

fn files_in(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files_in(&path) } else { 1 }).sum()
}

fn attachment_id(raw: &str) -> AttachmentId {
    AttachmentId::parse("attachmentId", &format!("at_{raw}")).unwrap()
}

fn draft(raw: &str) -> FileDraft<AttachmentId> {
    let name = "../../a.png".to_owned();
    FileDraft { id: attachment_id(raw), name, mime_type: "image/png".into() }
}

fn bytes(len: usize, mark: usize) -> Bytes {
    (0..len).map(|n| u8::try_from((n / 7 + mark) % 251).unwrap()).collect()
}

fn part(number: i64, content: Bytes) -> Part {
    Part { number, etag: format!("e{number}"), bytes: content }
}

fn parts(numbers: &[i64]) -> Parts {
    let receipt = |number: &i64| PartReceipt { number: *number, etag: format!("e{number}") };
    Parts { receipts: numbers.iter().map(receipt).collect(), bytes: None }
}

async fn bytes_lie_in_the_folder_and_come_back(db: &Database) {
    let (world, key) = (World::new(db).await, room(db, "a").await);
    let data = key.data();
    let content = bytes(3_000_001, 0);
    let file = world.insert(data, "a", content.clone()).await;
    assert_eq!(world.objects(), 1);
    assert!(world.read_all(&file).await == content);
    for from in [1, 1 << 20, content.len() - 1] {
        let piece = world.store.read_file(&file, from as u64).await.unwrap();
        assert!(content[from..].starts_with(&piece) && !piece.is_empty());
    }
    let empty = world.insert(data, "empty", Bytes::new()).await;
    assert!(world.read_all(&empty).await.is_empty());
    // A second one of the id is not kept, nor are its bytes for long.
    let again = world.insert(data, "a", bytes(9, 1)).await;
    assert_eq!(again, file);
    world.sweep(1).await;
    assert_eq!(world.objects(), 2);
    let right = AttachmentRight::system();
    let found = world.store.find_attachment(data, &file.id, &right).await.unwrap();
    assert_eq!(found.as_ref(), Some(&file));
    // What lies in the database stays readable; a server without the folder says what it lacks.
    let user = UserId::trusted("ann");
    let old = db.store.insert_attachment(data, draft("old"), user, bytes(5, 2), 7).await.unwrap();
    assert_eq!(world.read_all(&old).await, bytes(5, 2));
    let error = db.store.read_file(&file, 0).await.unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::FailedPrecondition, "FILE_STORE"));
}

async fn a_part_that_is_replaced_or_refused_leaves_no_object(db: &Database) {
    let (world, key) = (World::new(db).await, room(db, "a").await);
    let data = key.data();
    let upload = world.store.begin_upload(data, draft("a"), 1).await.unwrap();
    let put = async |number, content, bytes_max| {
        let (id, part) = (attachment_id("a"), part(number, content));
        world.store.put_upload_part(data, &id, &upload, part, bytes_max).await
    };
    assert!(put(1, bytes(9, 0), 100).await.unwrap());
    assert!(put(1, bytes(8, 1), 100).await.unwrap());
    assert!(put(2, bytes(7, 2), 100).await.unwrap());
    assert_eq!(world.objects(), 2);
    assert_eq!(put(3, bytes(90, 3), 100).await.unwrap_err().code(), Code::TooLarge);
    assert_eq!(world.objects(), 2);
    let (id, user) = (attachment_id("a"), UserId::trusted("ann"));
    let done = world.store.complete_attachment((data, &id, &upload), parts(&[1, 2]), user, 9);
    let Completed::Done(file) = done.await.unwrap() else { panic!("not completed") };
    assert_eq!(world.read_all(&file).await, [bytes(8, 1), bytes(7, 2)].concat());
    assert!(!put(3, bytes(1, 0), 100).await.unwrap());
    assert_eq!(world.objects(), 2);
}

async fn the_place_may_change_between_two_parts(db: &Database) {
    let (world, key) = (World::new(db).await, room(db, "a").await);
    let (data, id) = (key.data(), attachment_id("a"));
    let upload = db.store.begin_upload(data, draft("a"), 1).await.unwrap();
    let first = part(1, bytes(5, 0));
    assert!(db.store.put_upload_part(data, &id, &upload, first, 100).await.unwrap());
    let second = part(2, bytes(4, 1));
    assert!(world.store.put_upload_part(data, &id, &upload, second, 100).await.unwrap());
    let user = UserId::trusted("ann");
    let done = db.store.complete_attachment((data, &id, &upload), parts(&[1, 2]), user, 9).await;
    let Completed::Done(file) = done.unwrap() else { panic!("not completed") };
    assert_eq!(world.read_all(&file).await, [bytes(5, 0), bytes(4, 1)].concat());
}

async fn objects_are_deleted_with_what_had_them(db: &Database) {
    let (world, key) = (World::new(db).await, room(db, "a").await);
    let data = key.data();
    world.insert(data, "a", bytes(9, 0)).await;
    let upload = world.store.begin_upload(data, draft("b"), 1).await.unwrap();
    for number in [1, 2] {
        let (id, part) = (attachment_id("b"), part(number, bytes(3, 0)));
        assert!(world.store.put_upload_part(data, &id, &upload, part, 100).await.unwrap());
    }
    assert_eq!(world.objects(), 3);
    world.sweep(1).await;
    assert_eq!(world.objects(), 3);
    assert!(world.store.abort_upload(data, &attachment_id("b"), &upload).await.unwrap());
    world.sweep(1).await;
    assert_eq!(world.objects(), 1);
    // A draft that nobody took, and what goes with its room.
    assert_eq!(world.store.sweep_stale_files(8, 100).await.unwrap(), 1);
    world.sweep(2).await;
    assert_eq!(world.objects(), 0);
    world.insert(data, "c", bytes(9, 0)).await;
    assert!(world.store.delete_room(&grant("p"), &id("a")).await.unwrap());
    world.sweep(3).await;
    assert_eq!(world.objects(), 0);
}

async fn objects_that_come_late_are_deleted_too(db: &Database) {
    let (world, key) = (World::new(db).await, room(db, "a").await);
    let data = key.data();
    let upload = world.store.begin_upload(data, draft("a"), 1).await.unwrap();
    assert!(world.store.abort_upload(data, &attachment_id("a"), &upload).await.unwrap());
    world.sweep(HOUR_MS).await;
    // As if it had been on its way to the folder all the time.
    let late = world.folder.path().join("p").join(upload.as_str());
    std::fs::create_dir_all(&late).unwrap();
    std::fs::write(late.join("77"), "late").unwrap();
    world.sweep(2 * HOUR_MS).await;
    assert_eq!(world.objects(), 1);
    world.sweep(4 * HOUR_MS).await;
    assert_eq!(world.objects(), 0);
    assert_eq!(world.store.sweep_objects(i64::MAX, 10).await.unwrap(), 0, "it is forgotten");
}
