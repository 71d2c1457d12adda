//! The plans that both databases make of the statements: a page must not read the whole table.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, Row};

use super::*;

const SQLITE_SCHEMA: &str = include_str!("../migrations/sqlite/0001_create_rooms_and_keys.sql");
const POSTGRES_SCHEMA: &str = include_str!("../migrations/postgres/0001_create_rooms_and_keys.sql");

#[test]
fn successors_step_over_surrogates_and_carry() {
    assert_eq!(successor("ab").as_deref(), Some("ac"));
    assert_eq!(successor("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
    assert_eq!(successor("a\u{10ffff}").as_deref(), Some("b"));
    assert_eq!(successor("\u{10ffff}\u{10ffff}"), None);
    assert_eq!(successor(""), None);
}

#[test]
fn what_a_caller_sent_is_never_part_of_a_text() {
    let evil = "'; DROP TABLE room; --";
    let text = || evil.to_owned();
    let filter = RoomFilter {
        organization_id: Some(crate::domain::ids::OrganizationId::trusted(evil)),
        user_id: Some(text()),
        group_ids: vec![text()],
        terms: vec![
            RoomTerm::IdPrefix(text()),
            RoomTerm::MetadataEquals { key: text(), value: text() },
            RoomTerm::MetadataPrefix { key: text(), prefix: text() },
            RoomTerm::MetadataNumber { key: text(), op: NumberOp::Less, number: 1.0 },
            RoomTerm::MetadataAbsent { key: text() },
        ],
    };
    let subjects = subjects_of(&filter);
    let plan = Plan::new(&filter, &subjects);
    for source in plan.ordered().into_iter().chain(plan.ranges()).chain([Source::All]) {
        let after = Key { created_at_ms: 1, room_id: text() };
        let window = Window { after: &after, entries: Some(10), limit: 10 };
        for sql in [plan.page(evil, source, window), count(evil, source, 10)] {
            assert!(!sql.text.contains("DROP"), "{}", sql.text);
        }
    }
}

/// Each way to read a list, the index that must drive it, and one that checks on the way.
fn cases() -> Vec<(RoomFilter, usize, &'static str)> {
    let text = str::to_owned;
    let terms = |terms| RoomFilter { terms, ..RoomFilter::default() };
    let prefix = || RoomTerm::IdPrefix(text("room-1"));
    let value = || RoomTerm::MetadataEquals { key: text("color"), value: text("red") };
    let number = RoomTerm::MetadataNumber { key: text("n"), op: NumberOp::Greater, number: 10.0 };
    let user = RoomFilter { user_id: Some(text("ann")), ..RoomFilter::default() };
    let value_prefix = RoomTerm::MetadataPrefix { key: text("color"), prefix: text("r") };
    vec![
        (terms(vec![]), 0, "room_by_age"),
        (terms(vec![prefix()]), 0, "room_by_id"),
        (terms(vec![prefix()]), 1, "room_by_age"),
        (terms(vec![value()]), 0, "room_metadata_by_value"),
        (terms(vec![value(), prefix()]), 0, "room_metadata_by_value"),
        (terms(vec![value_prefix.clone()]), 0, "room_metadata_by_value"),
        (terms(vec![number.clone()]), 0, "room_metadata_by_number"),
        (terms(vec![value_prefix.clone(), number.clone()]), 0, "room_metadata_by_value"),
        (terms(vec![number]), 1, "room_by_age"),
        (user, 0, "room_access_by_subject"),
    ]
}

/// The statement of a case: its filter's sources in order, then the walk through all rooms.
fn statement(filter: &RoomFilter, which: usize) -> Sql {
    let subjects = subjects_of(filter);
    let plan = Plan::new(filter, &subjects);
    let sources: Vec<_> =
        plan.ordered().into_iter().chain(plan.ranges()).chain([Source::All]).collect();
    let after = Key::first();
    let source = sources[which];
    let entries = source.is_ordered().then_some(1000);
    let window = Window { after: &after, entries, limit: 101 };
    plan.page("p", source, window)
}

/// The text with its parameters written into it, so that it can be explained.
fn inlined(sql: &Sql) -> String {
    let mut text = sql.text.clone();
    for (index, arg) in sql.args.iter().enumerate().rev() {
        let literal = match arg {
            Arg::Text(text) => format!("'{text}'"),
            Arg::Int(number) => format!("CAST({number} AS BIGINT)"),
            Arg::Real(number) => format!("CAST({number} AS DOUBLE PRECISION)"),
        };
        text = text.replace(&format!("${}", index + 1), &literal);
    }
    text
}

#[tokio::test]
async fn sqlite_reads_lists_from_indexes() {
    let mut conn = SqliteConnectOptions::new().in_memory(true).connect().await.unwrap();
    conn.execute(SQLITE_SCHEMA).await.unwrap();
    for (filter, which, index) in cases() {
        let sql = statement(&filter, which);
        let text = format!("EXPLAIN QUERY PLAN {}", inlined(&sql));
        let rows = conn.fetch_all(AssertSqlSafe(text)).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        let drives = plan
            .iter()
            .any(|line| line.contains(&format!("SEARCH s USING COVERING INDEX {index} ")));
        let reads_all = plan
            .iter()
            .any(|line| ["SCAN s", "SCAN r", "SCAN x"].iter().any(|scan| line.starts_with(scan)));
        let by_range = plan.iter().any(|line| line.starts_with("SEARCH x USING COVERING INDEX"));
        assert!(drives && !reads_all && !by_range, "{index}: {plan:#?}\n{}", sql.text);
    }
}

#[tokio::test]
async fn postgres_reads_lists_from_indexes() {
    let url = std::env::var("ROOMD_TEST_POSTGRES_URL")
        .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/test".to_owned());
    let mut conn = PgConnection::connect(&url).await.expect("the tests need a PostgreSQL server");
    // Tables of this connection alone, which go away with it.
    conn.execute("SET search_path = pg_temp; SET random_page_cost = 1.1").await.unwrap();
    conn.execute(POSTGRES_SCHEMA).await.unwrap();
    conn.execute(FILL_POSTGRES).await.unwrap();
    // Autovacuum does this for tables that are not temporary.
    conn.execute("VACUUM ANALYZE room, room_metadata, room_access").await.unwrap();
    for (filter, which, index) in cases() {
        let sql = statement(&filter, which);
        let rows =
            conn.fetch_all(AssertSqlSafe(format!("EXPLAIN {}", inlined(&sql)))).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let drives = plan.iter().any(|line| line.contains(index));
        let reads_all = plan.iter().any(|line| line.contains("Seq Scan"));
        assert!(drives && !reads_all, "{index}: {plan:#?}\n{}", sql.text);
    }
    conn.close().await.unwrap();
}

const FILL_POSTGRES: &str = "
    INSERT INTO room SELECT 'p', 'room-' || n, n, 'default', NULL, 2, '[]', '{}', '{}', '{}'
        FROM generate_series(1, 20000) n;
    INSERT INTO room_metadata SELECT 'p', 'room-' || n, 'color',
        (ARRAY['red', 'green', 'blue', 'black', 'white'])[n % 5 + 1], NULL, n
        FROM generate_series(1, 20000) n;
    INSERT INTO room_metadata SELECT 'p', 'room-' || n, 'n', n % 5000, n % 5000, n
        FROM generate_series(1, 20000) n;
    INSERT INTO room_access SELECT 'p', 'room-' || n, 'user', 'ann', n
        FROM generate_series(1, 20000, 7) n;
";
