//! The two migration folders give one schema.

use std::collections::BTreeMap;

use roomd::store::{Store, Target};
use sqlx::{Connection, PgConnection, Row, SqliteConnection};

use crate::databases::Database;

/// What a column, a key or an index is, in words that both databases share.
type Schema = BTreeMap<String, String>;

/// What each database has in its own way: the index of the words of comments, and by what it finds
/// the comment.
const OWN: [&str; 2] = ["comment_search", "comment.number"];

#[tokio::test(flavor = "multi_thread")]
async fn both_databases_have_the_same_schema() {
    let (sqlite, postgres) = (Database::sqlite().await, Database::postgres().await);
    let (sqlite, postgres) = (sqlite_schema(&sqlite).await, postgres_schema(&postgres).await);
    assert!(sqlite.len() > 50, "the reader finds the tables: {sqlite:#?}");
    pretty_assert_same(&sqlite, &postgres);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_and_index_begins_with_the_project() {
    let postgres = postgres_schema(&Database::postgres().await).await;
    let deployment_wide = [
        "project.",
        "signing_key.",
        "deployment_secret.",
        "api_key.index api_key_by_hash",
        "webhook_queue.index webhook_queue_by_due",
        "livekit_key.index livekit_key_by_id",
    ];
    let of_projects = postgres.iter().filter(|(name, _)| {
        name.contains(".index ") && !deployment_wide.iter().any(|known| name.starts_with(known))
    });
    for (name, columns) in of_projects {
        assert!(columns.contains("(project_id"), "{name}: {columns}");
    }
}

/// Text that is compared or sorted must be compared as bytes, as SQLite and Rust do it.
#[tokio::test(flavor = "multi_thread")]
async fn indexed_text_is_ordered_by_bytes_on_postgres() {
    let db = Database::postgres().await;
    let Target::Postgres { url } = &db.options.target else { unreachable!() };
    let mut conn = PgConnection::connect(url).await.unwrap();
    let rows = sqlx::query(
        "SELECT DISTINCT c.relname || '.' || a.attname AS name, l.collname::text AS collation \
         FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid \
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey) \
         JOIN pg_collation l ON l.oid = a.attcollation \
         WHERE c.relnamespace = current_schema()::regnamespace \
         AND c.relname <> '_sqlx_migrations'",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert!(rows.len() > 10);
    for row in rows {
        let (name, collation): (String, String) = (row.get("name"), row.get("collation"));
        assert_eq!(collation, "C", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_may_open_and_migrate_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let target = Target::Sqlite { path: directory.path().join("new/deep/t.db") };
    open_all_at_once(target).await;
    let schema = crate::databases::create_schema().await;
    open_all_at_once(Target::Postgres { url: crate::databases::url_of(&schema) }).await;
    crate::databases::drop_schema(&schema).await;
}

async fn open_all_at_once(target: Target) {
    let mut options = roomd::store::DatabaseOptions::new(target);
    options.connections_max = 2;
    let opening: Vec<_> = (0..6).map(|_| tokio::spawn(Store::open(options.clone()))).collect();
    for store in opening {
        let store = store.await.unwrap().unwrap();
        store.ping().await.unwrap();
        store.close().await;
    }
}

fn pretty_assert_same(sqlite: &Schema, postgres: &Schema) {
    let names: std::collections::BTreeSet<_> = sqlite.keys().chain(postgres.keys()).collect();
    let differing: Vec<_> = names
        .into_iter()
        .filter(|name| sqlite.get(*name) != postgres.get(*name))
        .map(|name| {
            format!("{name}: SQLite {:?}, PostgreSQL {:?}", sqlite.get(name), postgres.get(name))
        })
        .collect();
    assert!(differing.is_empty(), "{differing:#?}");
}

async fn sqlite_schema(db: &Database) -> Schema {
    let url = format!("sqlite://{}", db.sqlite_path().display());
    let mut conn = SqliteConnection::connect(&url).await.unwrap();
    let columns = sqlx::query(
        "SELECT m.name || '.' || c.name AS name, c.type || CASE WHEN c.\"notnull\" \
         THEN ' not null' ELSE '' END AS kind FROM sqlite_schema m \
         JOIN pragma_table_info(m.name) c \
         WHERE m.type = 'table' AND m.name NOT LIKE '\\_%' ESCAPE '\\' \
         AND m.name NOT LIKE 'sqlite%'",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    let mut schema: Schema = columns
        .iter()
        .map(|row| (row.get("name"), row.get::<String, _>("kind").replace("BLOB", "BYTEA")))
        .collect();
    let indexes = sqlx::query(
        "SELECT m.name || '.index ' || CASE i.origin WHEN 'pk' THEN 'key' ELSE i.name END AS name, \
         CASE WHEN i.\"unique\" THEN 'unique ' ELSE '' END || CASE WHEN i.partial THEN 'partial ' \
         ELSE '' END || '(' || (SELECT group_concat(x.name, ', ') FROM \
         (SELECT name FROM pragma_index_xinfo(i.name) WHERE key ORDER BY seqno) x) || ')' AS kind \
         FROM sqlite_schema m JOIN pragma_index_list(m.name) i \
         WHERE m.type = 'table' AND m.name NOT LIKE '\\_%' ESCAPE '\\'",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    schema.extend(indexes.iter().map(|row| (row.get("name"), row.get("kind"))));
    let references = sqlx::query(
        "SELECT m.name || '.references ' || f.\"table\" || '.' || f.\"to\" AS name, \
         f.\"from\" || ' ' || f.on_delete || ' ' || f.on_update AS kind \
         FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    schema.extend(references.iter().map(|row| (row.get("name"), row.get("kind"))));
    schema.retain(|name, _| !OWN.iter().any(|own| name.starts_with(own)));
    schema
}

async fn postgres_schema(db: &Database) -> Schema {
    let Target::Postgres { url } = &db.options.target else { unreachable!() };
    let mut conn = PgConnection::connect(url).await.unwrap();
    let columns = sqlx::query(
        "SELECT table_name || '.' || column_name AS name, upper(data_type) || \
         CASE is_nullable WHEN 'NO' THEN ' not null' ELSE '' END AS kind \
         FROM information_schema.columns \
         WHERE table_schema = $1 AND table_name <> '_sqlx_migrations'",
    )
    .bind(db.schema())
    .fetch_all(&mut conn)
    .await
    .unwrap();
    let mut schema: Schema = columns.iter().map(|row| (row.get("name"), row.get("kind"))).collect();
    let indexes = sqlx::query(
        "SELECT t.relname || '.index ' || CASE WHEN i.indisprimary THEN 'key' ELSE x.relname END \
         AS name, CASE WHEN i.indisunique THEN 'unique ' ELSE '' END || CASE WHEN \
         i.indpred IS NULL THEN '' ELSE 'partial ' END || '(' || \
         (SELECT string_agg(a.attname, ', ' ORDER BY k.ord) \
         FROM unnest(i.indkey) WITH ORDINALITY k(num, ord) JOIN pg_attribute a \
         ON a.attrelid = t.oid AND a.attnum = k.num) || ')' AS kind \
         FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid \
         JOIN pg_class x ON x.oid = i.indexrelid \
         WHERE t.relnamespace = $1::regnamespace AND t.relname <> '_sqlx_migrations'",
    )
    .bind(db.schema())
    .fetch_all(&mut conn)
    .await
    .unwrap();
    schema.extend(indexes.iter().map(|row| (row.get("name"), row.get("kind"))));
    let references = sqlx::query(
        "SELECT t.relname || '.references ' || f.relname || '.' || fa.attname AS name, a.attname \
         || ' ' || CASE c.confdeltype WHEN 'c' THEN 'CASCADE' ELSE 'NO ACTION' END || ' ' || \
         CASE c.confupdtype WHEN 'c' THEN 'CASCADE' ELSE 'NO ACTION' END AS kind \
         FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid \
         JOIN pg_class f ON f.oid = c.confrelid \
         CROSS JOIN unnest(c.conkey, c.confkey) AS k(own, other) \
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.own \
         JOIN pg_attribute fa ON fa.attrelid = f.oid AND fa.attnum = k.other \
         WHERE c.contype = 'f' AND t.relnamespace = $1::regnamespace",
    )
    .bind(db.schema())
    .fetch_all(&mut conn)
    .await
    .unwrap();
    schema.extend(references.iter().map(|row| (row.get("name"), row.get("kind"))));
    schema.retain(|name, _| !OWN.iter().any(|own| name.starts_with(own)));
    schema
}
