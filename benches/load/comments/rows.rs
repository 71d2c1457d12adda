//! Rows of rooms, threads and comments, in SQL that both databases read the same way.
//!
//! Ids are made by a permutation of the numbers, so that what was written together lies apart in an
//! index of ids, as it does with random ids.

use crate::seed::FIRST_CREATED_AT_MS;

/// A prime, above every number of rows.
const IDS: u64 = 999_999_937;
const ID_STRIDE: u64 = 7_654_321;
const FIRST_ID: u64 = 100_000_000_000;

/// `n(i)`: the numbers below `size`.
pub fn numbers(size: u64) -> String {
    format!(
        "WITH RECURSIVE n(i) AS (
            SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {size}
        )"
    )
}

/// The id of the n-th of something: the prefix and 21 characters.
pub fn id(prefix: &str, number: &str) -> String {
    format!(
        "'{prefix}' || 'ofthebenc' || CAST({FIRST_ID} + (({number}) * {ID_STRIDE}) % {IDS} AS TEXT)"
    )
}

/// When the n-th of something was made.
pub fn created_at_ms(number: &str) -> String {
    format!("{FIRST_CREATED_AT_MS} + ({number}) * 1000")
}

/// The id of the n-th room.
pub fn room_id(number: u64) -> String {
    format!("bench-room-{number}")
}

/// The key under which the n-th room's contents are kept: letters and digits only, as all are.
pub fn room_key(number: &str) -> String {
    format!("'benchkey' || CAST(({number}) AS TEXT)")
}

pub fn rooms(count: u64, project: &str) -> Vec<String> {
    let (numbers, at, key) = (numbers(count), created_at_ms("i"), room_key("i"));
    let room = format!(
        "INSERT INTO room (project_id, id, created_at_ms, organization_id, engine,
            default_accesses, users_accesses, groups_accesses, metadata)
        {numbers}
        SELECT {project}, 'bench-room-' || CAST(i AS TEXT), {at}, 'default', 2,
            '[\"room:write\"]', '{{}}', '{{}}', '{{}}' FROM n"
    );
    let data = format!(
        "INSERT INTO room_data (project_id, room_id, key, epoch, next_actor)
        {numbers}
        SELECT {project}, 'bench-room-' || CAST(i AS TEXT), {key}, 1, 1 FROM n"
    );
    vec![room, data]
}

/// What a comment of one paragraph says, as it is stored; `text` is an expression.
pub fn comment_body(text: &str) -> String {
    format!(
        "'{{\"version\":1,\"content\":[{{\"type\":\"paragraph\",\"children\":[{{\"text\":\"' || {text}
        || '\"}}]}}]}}'"
    )
}
