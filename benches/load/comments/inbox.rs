//! Pages of 50 notifications with 1,000 and with 1,000,000 of them in the table.
//!
//! One user has a tenth of all, every other one has 90. Half of them are about threads, of which a
//! page has them from few rooms at both sizes, and half are of the application's own kind; half are
//! unread.

use std::net::SocketAddr;

use super::sizes::{Case, Sized};
use super::{rows, user_token};
use crate::Fail;
use crate::databases::{Database, Filling};
use crate::http1::Request;
use crate::processes::SECRET_KEY;
use crate::report::Goal;

const GOAL: Goal = Goal::AtMost(1.5);
const PAGE: usize = 50;
/// Of every user but the first.
const OF_EACH: u64 = 90;
/// How many users are asked for in turns, and a prime that puts them far from each other.
const USERS_ASKED: u64 = 50;
const USER_STRIDE: u64 = 7_919;
const THREADS_IN_ROOM: u64 = 10;

pub const SIZED: Sized = Sized { filling, small: 1_000, large: 1_000_000, cases: CASES };

pub const CASES: &[Case] = &[
    Case {
        name: "inbox-page",
        goal: Some(GOAL),
        requests: |address, size| by_token(address, &users(size), ""),
        list: "inboxNotifications",
        length: PAGE,
    },
    Case {
        name: "inbox-page-of-many",
        goal: Some(GOAL),
        requests: |address, _| by_token(address, &[0], ""),
        list: "inboxNotifications",
        length: PAGE,
    },
    Case {
        name: "inbox-page-unread",
        goal: Some(GOAL),
        requests: |address, _| by_token(address, &[0], "&query=unread%3Atrue"),
        list: "inboxNotifications",
        length: PAGE,
    },
    Case {
        name: "inbox-page-back-end",
        goal: Some(GOAL),
        requests: |_, size| Ok(users(size).into_iter().map(by_secret).collect()),
        list: "data",
        length: PAGE,
    },
    Case {
        name: "inbox-page-back-end-of-many",
        goal: Some(GOAL),
        requests: |_, _| Ok(vec![by_secret(0)]),
        list: "data",
        length: PAGE,
    },
];

/// Users of 90 notifications each, the same number of requests at each size.
fn users(size: u64) -> Vec<u64> {
    let others = (size - size / 10) / OF_EACH;
    (0..USERS_ASKED).map(|number| 1 + (number * USER_STRIDE) % others).collect()
}

fn by_token(address: SocketAddr, users: &[u64], query: &str) -> Result<Vec<Request>, Fail> {
    let request = |user: &u64| {
        let token = user_token(address, &format!("user-{user}"), &["*:write"])?;
        let path = format!("/v2/c/inbox-notifications?limit={PAGE}{query}");
        Ok(Request::get(path, &token))
    };
    users.iter().map(request).collect()
}

fn by_secret(user: u64) -> Request {
    Request::get(format!("/v2/users/user-{user}/inbox-notifications?limit={PAGE}"), SECRET_KEY)
}

fn filling(size: u64) -> Filling {
    let tables =
        &["inbox_notification", "thread_subscription", "thread", "comment", "room", "room_data"];
    Filling { size, what: "notifications", tables, rows }
}

fn rows(_: &Database, size: u64, project: &str) -> Vec<String> {
    let threads = size / 20;
    let mut statements = rows::rooms(threads.div_ceil(THREADS_IN_ROOM), project);
    statements.extend(thread_rows(threads, project));
    let notices = notices(size, threads);
    let (id, activity) = (rows::id("in_", "i"), rows::id("ac_", "i"));
    let key = rows::room_key(&format!("thread / {THREADS_IN_ROOM}"));
    let thread = rows::id("th_", "thread");
    statements.push(format!(
        "INSERT INTO inbox_notification (project_id, id, user_id, key, kind, subject_id,
            organization_id, visibility, data, notified_at_ms, unread, updated_at_ms)
        {notices}
        SELECT {project}, {id}, user_id,
            CASE WHEN i % 2 = 0 THEN {key} ELSE '' END,
            CASE WHEN i % 2 = 0 THEN 'thread' ELSE '$fileUploaded' END,
            CASE WHEN i % 2 = 0 THEN {thread} ELSE 'file-' || CAST(i AS TEXT) END,
            CASE WHEN i % 2 = 0 THEN '' ELSE 'default' END,
            CASE WHEN i % 2 = 0 THEN 'public' ELSE '' END,
            CASE WHEN i % 2 = 0 THEN '' ELSE '[{{\"id\":\"' || {activity} || '\",\"created_at_ms\":'
                || CAST(at_ms AS TEXT) || ',\"data\":{{\"name\":\"A file of the bench\"}}}}]' END,
            at_ms, (i / 2) % 2 = 0, at_ms
        FROM m ORDER BY at_ms"
    ));
    statements.push(format!(
        "INSERT INTO thread_subscription
            (project_id, key, thread_id, user_id, created_at_ms, updated_at_ms)
        {notices}
        SELECT {project}, {key}, {thread}, user_id, at_ms, at_ms FROM m WHERE i % 2 = 0
        ORDER BY 2, 3, 4"
    ));
    statements
}

/// `m(i, user_id, thread, at_ms)`: whose the notifications are, which thread those with an even
/// number are about, and when they came; those of all users lie mixed in time.
fn notices(size: u64, threads: u64) -> String {
    let (of_many, numbers) = (size / 10, rows::numbers(size));
    let others = (size - of_many) / OF_EACH;
    let at = rows::created_at_ms("slot");
    format!(
        "{numbers}, u AS (
            SELECT i, 0 AS who, i AS k, 10 * i AS slot FROM n WHERE i < {of_many}
            UNION ALL SELECT i, 1 + (i - {of_many}) / {OF_EACH}, (i - {of_many}) % {OF_EACH},
                ((i - {of_many}) % {OF_EACH}) * {others} + (i - {of_many}) / {OF_EACH}
            FROM n WHERE i >= {of_many}
        ), m AS (
            SELECT i, 'user-' || CAST(who AS TEXT) AS user_id,
                (who * 31 + k / 2) % {threads} AS thread, {at} AS at_ms
            FROM u
        )"
    )
}

fn thread_rows(threads: u64, project: &str) -> [String; 2] {
    let numbers = rows::numbers(threads);
    let (key, at, thread) = (
        rows::room_key(&format!("i / {THREADS_IN_ROOM}")),
        rows::created_at_ms("i"),
        rows::id("th_", "i"),
    );
    let (comment, body) = (rows::id("cm_", "i"), rows::comment_body("'As people write them'"));
    let thread_rows = format!(
        "INSERT INTO thread (project_id, key, id, visibility, created_by, created_at_ms,
            updated_at_ms, resolved, metadata, comments_count, comments_living, bytes)
        {numbers}
        SELECT {project}, {key}, {thread}, 'public', 'user-0', {at}, {at}, FALSE, '{{}}', 1, 1, 500
        FROM n ORDER BY 2, 3"
    );
    let comment_rows = format!(
        "INSERT INTO comment (project_id, key, id, thread_id, seq, visibility, user_id,
            created_at_ms, body, metadata, attachments, reactions_count)
        {numbers}
        SELECT {project}, {key}, {comment}, {thread}, 0, 'public', 'user-0', {at}, {body},
            '{{}}', '[]', 0
        FROM n ORDER BY 2, 3"
    );
    [thread_rows, comment_rows]
}
