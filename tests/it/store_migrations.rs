//! A database of an earlier version, opened by this one.

use std::path::Path;

use roomd::domain::comment::search::{ScopeTerm, SearchText, each_text_term};
use roomd::domain::comment::{CommentBody, Visibility};
use roomd::domain::ctx::ThreadRight;
use roomd::domain::ids::ProjectId;
use roomd::store::{CommentScope, DatabaseOptions, SearchScope, Store, Target, ThreadView};
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::store_comments::{edit, place};
use crate::store_rooms::{grant, id};
use crate::store_threads::{comment, says, thread_id};

const MIGRATIONS: &str = "src/store/migrations/sqlite";
/// The last version that kept the texts of comments in a table of their own.
const BEFORE_NUMBERS: i64 = 10;
const ROOM: &str = "INSERT INTO project VALUES ('p', 'P', 1);
    INSERT INTO room (project_id, id, created_at_ms, organization_id, engine, default_accesses,
        users_accesses, groups_accesses, metadata)
        VALUES ('p', 'r', 1, 'default', 2, '[\"room:write\"]', '{}', '{}', '{}');
    INSERT INTO room_data (project_id, room_id, key, epoch, next_actor)
        VALUES ('p', 'r', 'k', 1, 1);
    INSERT INTO thread (project_id, key, id, visibility, created_by, created_at_ms, updated_at_ms,
        resolved, metadata, comments_count, comments_living, bytes)
        VALUES ('p', 'k', 'th_a', 'public', 'ann', 1, 9, FALSE, '{}', 4, 3, 1000)";
const COMMENT: &str =
    "INSERT INTO comment (project_id, key, id, thread_id, seq, visibility, user_id,
    created_at_ms, deleted_at_ms, body, metadata, attachments, reactions_count)
    VALUES ('p', 'k', $1, 'th_a', $2, 'public', 'ann', $2, $3, $4, '{}', '[]', 0)";
const TEXT: &str = "INSERT INTO comment_search (seq, project_id, key, comment_id, thread_id,
    visibility, text) VALUES ($1, 'p', 'k', $2, 'th_a', 'public', $3)";
const WORDS: &str = "INSERT INTO comment_search_words (rowid, words) VALUES ($1, $2)";

/// A file as the first migrations leave it.
async fn old_database(path: &Path) -> SqliteConnection {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(MIGRATIONS).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_name().unwrap().to_str().unwrap();
        let version: i64 = name.split('_').next().unwrap().parse().unwrap();
        if version <= BEFORE_NUMBERS {
            std::fs::copy(&file, folder.path().join(name)).unwrap();
        }
    }
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut conn = options.connect().await.unwrap();
    Migrator::new(folder.path()).await.unwrap().run(&mut conn).await.unwrap();
    sqlx::raw_sql(ROOM).execute(&mut conn).await.unwrap();
    conn
}

async fn add_comment(conn: &mut SqliteConnection, id: &str, seq: i64, says: Option<&CommentBody>) {
    sqlx::query(COMMENT)
        .bind(id)
        .bind(seq)
        .bind(says.is_none().then_some(9_i64))
        .bind(says.map(CommentBody::as_str))
        .execute(conn)
        .await
        .unwrap();
}

async fn add_words(conn: &mut SqliteConnection, number: i64, id: &str, says: &CommentBody) {
    let (text, project) = (says.text(), ProjectId::trusted("p"));
    let mut terms = vec![ScopeTerm::Project(&project).to_text()];
    terms.push(ScopeTerm::Room("k", None).to_text());
    terms.push(ScopeTerm::Room("k", Some(Visibility::Public)).to_text());
    each_text_term(&text, |term| terms.push(term.to_owned()));
    sqlx::query(TEXT).bind(number).bind(id).bind(text).execute(&mut *conn).await.unwrap();
    sqlx::query(WORDS).bind(number).bind(terms.join(" ")).execute(conn).await.unwrap();
}

async fn scope_of(store: &Store) -> CommentScope {
    let (project, right) = (ProjectId::trusted("p"), ThreadRight::system());
    let room = store.find_room(&project, &id("r")).await.unwrap().unwrap();
    let room = grant("p").open(room);
    let key = store.find_data_key(&project, &room).await.unwrap().unwrap();
    let view = ThreadView { key, room_id: id("r"), right };
    CommentScope { view, writable: right, room, actor: None, owner: None }
}

/// What is found, newest first.
async fn found(store: &Store, text: &str) -> Vec<(String, String)> {
    let (project, terms) = (ProjectId::trusted("p"), SearchText::parse(text).unwrap().terms());
    let scope = SearchScope::Project(&project);
    let (found, _) = store.find_comments(scope, terms, i64::MAX, 10).await.unwrap();
    let open = found.into_iter().filter_map(|one| one.open(ThreadRight::system()).unwrap());
    open.map(|one| (one.comment_id.to_string(), one.text)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_are_kept_and_still_found_when_they_get_numbers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    let mut conn = old_database(&path).await;
    // The numbers of the words are not in the order of the rows of the comments.
    for (id, seq, says) in [
        ("cm_late", 3, Some(says("apple pie"))),
        ("cm_gone", 1, None),
        ("cm_early", 0, Some(says("apple tree"))),
        ("cm_mute", 2, Some(says("pear"))),
    ] {
        add_comment(&mut conn, id, seq, says.as_ref()).await;
    }
    add_words(&mut conn, 5, "cm_early", &says("apple tree")).await;
    add_words(&mut conn, 8, "cm_late", &says("apple pie")).await;
    // A room that was being deleted: its comment is gone already, its words are not.
    add_words(&mut conn, 9, "cm_swept", &says("apple core")).await;
    conn.close().await.unwrap();

    let store = Store::open(DatabaseOptions::new(Target::Sqlite { path })).await.unwrap();
    let pair = |id: &str, text: &str| (id.to_owned(), text.to_owned());
    let both = [pair("cm_late", "apple pie"), pair("cm_early", "apple tree")];
    assert_eq!(found(&store, "appl").await, both);
    assert_eq!(found(&store, "tree").await, both[1..]);
    assert_eq!(found(&store, "core").await, []);

    let scope = scope_of(&store).await;
    let thread = store.find_thread(&scope.view, &thread_id("th_a")).await.unwrap().unwrap();
    let ids: Vec<&str> = thread.comments.iter().map(|comment| comment.id.as_str()).collect();
    assert_eq!(ids, ["cm_early", "cm_gone", "cm_mute", "cm_late"]);
    assert_eq!(thread.comments[1].deleted_at_ms, Some(9));

    let juice = comment("cm_new", "bob", "apple juice");
    store.create_comment(&scope, &thread.id, &juice, 20).await.unwrap();
    store.edit_comment(&scope, &place("th_a", "cm_mute"), &edit("apple jam"), 21).await.unwrap();
    store.delete_comment(&scope, &place("th_a", "cm_late"), 22).await.unwrap();
    let now = [
        pair("cm_new", "apple juice"),
        pair("cm_mute", "apple jam"),
        pair("cm_early", "apple tree"),
    ];
    assert_eq!(found(&store, "appl").await, now);
    store.delete_thread(&scope, &thread.id, 23).await.unwrap();
    assert_eq!(found(&store, "appl").await, []);
    store.close().await;
}
