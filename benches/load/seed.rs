//! Databases full of rooms.
//!
//! Rooms of a kind are spread evenly over time, except for `era`, where the old ones are the oldest
//! fifth.

use crate::databases::{Database, Filling};

/// Rooms fall into five parts by id and by `plan`, each part into groups of 200.
pub const FIFTHS: u64 = 5;
const GROUP_ROOMS: u64 = 200;
pub const FIRST_CREATED_AT_MS: u64 = 1_760_000_000_000;

/// Groups in each fifth.
pub fn groups(rooms: u64) -> u64 {
    rooms / FIFTHS / GROUP_ROOMS
}

pub fn rooms(size: u64) -> Filling {
    Filling { size, what: "rooms", tables: &["room", "room_metadata"], rows }
}

/// The rows, in SQL that both databases read the same way.
fn rows(_: &Database, rooms: u64, project: &str) -> Vec<String> {
    let groups = groups(rooms);
    let old = rooms / FIFTHS;
    let numbers = format!(
        "WITH RECURSIVE n(i) AS (
            SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {rooms}
        ), p AS (
            SELECT i, {FIRST_CREATED_AT_MS} + i * 1000 AS created_at_ms,
                CAST(i % {FIFTHS} AS TEXT) AS fifth,
                CAST((i / {FIFTHS}) % {groups} AS TEXT) AS grp,
                CASE WHEN i < {old} THEN 'old' ELSE 'new' END AS era
            FROM n
        ), r AS (
            SELECT created_at_ms, fifth || '/' || grp || '/' || CAST(i AS TEXT) AS id, era,
                'plan-' || fifth AS plan, 'team-' || fifth || '-' || grp AS team
            FROM p
        )"
    );
    let room = format!(
        "INSERT INTO room (project_id, id, created_at_ms, organization_id, engine,
            default_accesses, users_accesses, groups_accesses, metadata)
        {numbers}
        SELECT {project}, id, created_at_ms, 'default', 2, '[\"room:write\"]', '{{}}', '{{}}',
            '{{\"era\":\"' || era || '\",\"plan\":\"' || plan || '\",\"team\":\"' || team || '\"}}'
        FROM r ORDER BY id"
    );
    let metadata = format!(
        "INSERT INTO room_metadata (project_id, room_id, key, value, created_at_ms)
        {numbers}
        SELECT {project}, id, k, v, created_at_ms FROM (
            SELECT id, 'era' AS k, era AS v, created_at_ms FROM r
            UNION ALL SELECT id, 'plan', plan, created_at_ms FROM r
            UNION ALL SELECT id, 'team', team, created_at_ms FROM r
        ) AS m ORDER BY id, k, v"
    );
    vec![room, metadata]
}
