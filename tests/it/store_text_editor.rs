//! Which editor writes a room's Yjs document: kept with the room's data, and no longer.

use roomd::domain::ids::ProjectId;
use roomd::domain::text_editor::{EditorKind, TextEditor};
use roomd::error::Code;

use crate::databases::Database;
use crate::store_documents::room;
use crate::store_rooms::{draft, find, grant, id};

crate::on_both!(
    the_editor_set_last_is_kept,
    an_editor_takes_no_room_from_its_owner,
    an_editor_goes_with_its_room,
    an_editor_nobody_knows_is_data_loss,
);

fn editor(kind: EditorKind, root_key: &str) -> TextEditor {
    TextEditor { kind, root_key: root_key.to_owned() }
}

async fn the_editor_set_last_is_kept(db: &Database) {
    let (a, b) = (room(db, "a").await, room(db, "b").await);
    assert_eq!(db.store.find_text_editor(a.data()).await.unwrap(), None);
    for editor in [
        editor(EditorKind::Lexical, "root"),
        editor(EditorKind::Tiptap, "root"),
        editor(EditorKind::Tiptap, "🦀 \"quoted\""),
        editor(EditorKind::Blocknote, "default"),
    ] {
        // The second time it is there already.
        for _ in 0..2 {
            db.store.set_text_editor(a.data(), &editor).await.unwrap();
            let found = db.store.find_text_editor(a.data()).await.unwrap();
            assert_eq!(found.as_ref(), Some(&editor));
        }
    }
    assert_eq!(db.store.find_text_editor(b.data()).await.unwrap(), None);
}

async fn an_editor_takes_no_room_from_its_owner(db: &Database) {
    let project = ProjectId::trusted("p");
    db.store.insert_room(&grant("p"), draft("a"), 1).await.unwrap();
    let found = find(db, "a").await.unwrap();
    let made = db.store.ensure_data_key(&project, &found).await.unwrap().unwrap();
    let lexical = editor(EditorKind::Lexical, "root");
    db.store.set_text_editor(&made, &lexical).await.unwrap();
    let opened = db.store.open_room_data(&project, &id("a"), 1).await.unwrap().unwrap();
    assert_eq!(db.store.find_text_editor(opened.key.data()).await.unwrap(), Some(lexical));
    db.store.set_text_editor(&made, &editor(EditorKind::Tiptap, "default")).await.unwrap();
    assert_eq!(db.store.reserve_actors(&opened.key, 1).await.unwrap().start, opened.actors.end);
}

async fn an_editor_goes_with_its_room(db: &Database) {
    let key = room(db, "a").await;
    let lexical = editor(EditorKind::Lexical, "root");
    db.store.set_text_editor(key.data(), &lexical).await.unwrap();
    db.store.rename_room(&grant("p"), &id("a"), &id("b")).await.unwrap();
    let renamed = room(db, "b").await;
    assert_eq!(renamed.data(), key.data());
    assert_eq!(db.store.find_text_editor(renamed.data()).await.unwrap(), Some(lexical.clone()));
    assert!(db.store.delete_room(&grant("p"), &id("b")).await.unwrap());
    // Whoever still has the old key finds nothing and leaves nothing behind.
    assert_eq!(db.store.find_text_editor(key.data()).await.unwrap(), None);
    let error = db.store.set_text_editor(key.data(), &lexical).await.unwrap_err();
    assert_eq!(error.reason(), "ROOM_NOT_FOUND");
    let again = room(db, "b").await;
    assert_eq!(db.store.find_text_editor(again.data()).await.unwrap(), None);
}

async fn an_editor_nobody_knows_is_data_loss(db: &Database) {
    let key = room(db, "a").await;
    db.store.set_text_editor(key.data(), &editor(EditorKind::Lexical, "root")).await.unwrap();
    for broken in ["text_editor = 'quill'", "text_editor = NULL"] {
        db.execute(&format!("UPDATE room_data SET {broken}")).await;
        let error = db.store.find_text_editor(key.data()).await.unwrap_err();
        assert_eq!(error.code(), Code::DataLoss, "{broken}");
    }
}
