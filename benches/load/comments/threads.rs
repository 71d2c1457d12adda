//! Pages of 50 threads out of 1,000 and out of 100,000 in one room, each of two comments.
//!
//! Every query matches at least 100 threads at both sizes, and the one for open threads of a status
//! 40, so that the pages compared are full and alike. Half of the threads are private, a fifth is
//! open and a fifth has each `status`, independently of each other; 200 threads have each `team`,
//! whatever the total.

use std::net::SocketAddr;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::sizes::{Case, Sized};
use super::{rows, user_token};
use crate::Fail;
use crate::databases::{Database, Filling};
use crate::http1::Request;
use crate::report::Goal;

const GOAL: Goal = Goal::AtMost(1.5);
const PAGE: usize = 50;
const SHORT_PAGE: usize = 25;
const TEAM_THREADS: u64 = 200;
/// How many teams are asked for in turns, and a prime that puts them far from each other.
const TEAMS_ASKED: u64 = 100;
const TEAM_STRIDE: u64 = 7_919;
const ALL: &[&str] = &["*:write"];
const PRIVATE: &[&str] = &["*:write", "comments:public:none"];

pub const SIZED: Sized = Sized { filling, small: 1_000, large: 100_000, cases: CASES };

pub const CASES: &[Case] = &[
    case("threads-page", |address, _| ask(address, ALL, &[String::new()])),
    case("threads-page-open", |address, _| ask(address, ALL, &["resolved:false".to_owned()])),
    case("threads-page-metadata-fifth", |address, _| ask(address, ALL, &statuses(""))),
    case("threads-page-metadata-few", |address, size| ask(address, ALL, &teams(size))),
    Case {
        length: SHORT_PAGE,
        ..case("threads-page-metadata-open", |address, _| {
            ask_for(SHORT_PAGE, address, ALL, &statuses("resolved:false "))
        })
    },
    case("threads-page-private", |address, _| ask(address, PRIVATE, &[String::new()])),
    case("threads-page-private-open", |address, _| {
        ask(address, PRIVATE, &["resolved:false".to_owned()])
    }),
    case("threads-page-private-metadata", |address, _| ask(address, PRIVATE, &statuses(""))),
];

const fn case(
    name: &'static str,
    requests: fn(SocketAddr, u64) -> Result<Vec<Request>, Fail>,
) -> Case {
    Case { name, goal: Some(GOAL), requests, list: "data", length: PAGE }
}

fn statuses(before: &str) -> Vec<String> {
    (0..5).map(|status| format!("{before}metadata['status']:'status-{status}'")).collect()
}

fn teams(size: u64) -> Vec<String> {
    let team = |number: u64| (number * TEAM_STRIDE) % (size / TEAM_THREADS);
    (0..TEAMS_ASKED).map(|number| format!("metadata['team']:'team-{}'", team(number))).collect()
}

fn ask(address: SocketAddr, scopes: &[&str], queries: &[String]) -> Result<Vec<Request>, Fail> {
    ask_for(PAGE, address, scopes, queries)
}

fn ask_for(
    limit: usize,
    address: SocketAddr,
    scopes: &[&str],
    queries: &[String],
) -> Result<Vec<Request>, Fail> {
    let token = user_token(address, "user-of-the-bench", scopes)?;
    let request = |query: &String| {
        let room = rows::room_id(0);
        let mut path = format!("/v2/c/rooms/{room}/threads?limit={limit}");
        if !query.is_empty() {
            let query = utf8_percent_encode(query, NON_ALPHANUMERIC);
            path = format!("{path}&query={query}");
        }
        Request::get(path, &token)
    };
    Ok(queries.iter().map(request).collect())
}

fn filling(size: u64) -> Filling {
    let tables = &["thread", "thread_metadata", "comment", "room", "room_data"];
    Filling { size, what: "threads", tables, rows }
}

fn rows(_: &Database, size: u64, project: &str) -> Vec<String> {
    let (key, id, at) = (rows::room_key("0"), rows::id("th_", "i"), rows::created_at_ms("i"));
    let (comment, body) = (rows::id("cm_", "2 * i + seq"), rows::comment_body(TEXT));
    let teams = size / TEAM_THREADS;
    let numbers = format!(
        "{}, t AS (
            SELECT i, {id} AS id, {at} AS at_ms, i / 20 AS turn,
                CASE WHEN i % 2 = 0 THEN 'public' ELSE 'private' END AS visibility,
                (i / 2) % 5 <> 0 AS resolved,
                'status-' || CAST((i / 10) % 5 AS TEXT) AS status,
                'team-' || CAST((i / 2) % {teams} AS TEXT) AS team
            FROM n
        )",
        rows::numbers(size)
    );
    let mut statements = rows::rooms(1, project);
    statements.push(format!(
        "INSERT INTO thread (project_id, key, id, visibility, created_by, created_at_ms,
            updated_at_ms, resolved, metadata, comments_count, comments_living, bytes)
        {numbers}
        SELECT {project}, {key}, id, visibility, 'user-0', at_ms, at_ms, resolved,
            '{{\"status\":\"' || status || '\",\"team\":\"' || team || '\"}}', 2, 2, 1000
        FROM t ORDER BY id"
    ));
    statements.push(format!(
        "INSERT INTO thread_metadata (project_id, key, name, kind, value, created_at_ms, thread_id)
        {numbers}
        SELECT {project}, {key}, name, 's', value, at_ms, id FROM (
            SELECT 'status' AS name, status AS value, at_ms, id FROM t
            UNION ALL SELECT 'team', team, at_ms, id FROM t
        ) AS m ORDER BY name, value, at_ms, id"
    ));
    statements.push(format!(
        "INSERT INTO comment (project_id, key, id, thread_id, seq, visibility, user_id,
            created_at_ms, body, metadata, attachments, reactions_count)
        {numbers}
        SELECT {project}, {key}, {comment}, id, seq, visibility, 'user-' || CAST(seq AS TEXT),
            at_ms, {body}, '{{}}', '[]', 0
        FROM t CROSS JOIN (SELECT 0 AS seq UNION ALL SELECT 1) AS s ORDER BY {comment}"
    ));
    statements
}

const TEXT: &str = "'Comment of thread ' || CAST(i AS TEXT) || ', as long as people write them'";
