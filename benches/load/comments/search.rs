//! Searching 10,000 and 1,000,000 comments.
//!
//! A tenth of all is in one room, and every other room has about 1,000; the comments of all rooms
//! come mixed. Every comment has the word "report", a tenth has "budget", 20 have "zebra" whatever
//! the total, and those are in the large room; "left" and "right" share the comments between them.

use std::net::SocketAddr;

use roomd::domain::comment::Visibility;
use roomd::domain::comment::search::{
    ScopeTerm, attachments_term, bucket_prefix, each_text_term, mentions_term,
};
use roomd::domain::ids::ProjectId;

use super::sizes::{Case, Sized};
use super::{rows, user_token};
use crate::Fail;
use crate::databases::{Database, Filling};
use crate::http1::Request;
use crate::report::Goal;

const GOAL: Goal = Goal::AtMost(5.0);
const PAGE: usize = 50;
const RARE: usize = 20;
const PHRASES: u64 = 40;
const PHRASE_WORDS: u64 = 10;
const SYLLABLES: [&str; 12] =
    ["ba", "de", "fi", "go", "ku", "la", "me", "ni", "po", "ru", "sa", "te"];
const THREADS_IN_ROOM: u64 = 10;
const SMALL_ROOM_COMMENTS: u64 = 1_000;

pub const SIZED: Sized = Sized { filling, small: 10_000, large: 1_000_000, cases: CASES };

pub const CASES: &[Case] = &[
    case("search-room-all", PAGE, |address, _| ask(address, Some(0), "report")),
    case("search-room-tenth", PAGE, |address, _| ask(address, Some(0), "budget")),
    case("search-room-few", RARE, |address, _| ask(address, Some(0), "zebra")),
    case("search-room-two-words", RARE, |address, _| ask(address, Some(0), "report+zeb")),
    case("search-small-room-all", PAGE, |address, _| ask(address, Some(1), "report")),
    case("search-project-all", PAGE, |address, _| ask(address, None, "report")),
    case("search-project-tenth", PAGE, |address, _| ask(address, None, "budget")),
    case("search-project-few", RARE, |address, _| ask(address, None, "zebra")),
    Case {
        goal: None,
        ..case("search-project-disjoint", 0, |address, _| ask(address, None, "left+right"))
    },
];

const fn case(
    name: &'static str,
    length: usize,
    requests: fn(SocketAddr, u64) -> Result<Vec<Request>, Fail>,
) -> Case {
    Case { name, goal: Some(GOAL), requests, list: "data", length }
}

fn ask(address: SocketAddr, room: Option<u64>, text: &str) -> Result<Vec<Request>, Fail> {
    let token = user_token(address, "user-of-the-bench", &["*:write"])?;
    let place = room.map(|room| format!("/rooms/{}", rows::room_id(room))).unwrap_or_default();
    let path = format!("/v2/c{place}/threads/comments/search?limit={PAGE}&text={text}");
    Ok(vec![Request::get(path, &token)])
}

fn filling(size: u64) -> Filling {
    let tables = &["comment_search", "comment", "thread", "room", "room_data"];
    Filling { size, what: "comments to search", tables, rows }
}

fn rows(database: &Database, size: u64, project: &str) -> Vec<String> {
    let small_rooms = (size - size / 10) / SMALL_ROOM_COMMENTS;
    let mut statements = rows::rooms(1 + small_rooms, project);
    statements.push(threads(1 + small_rooms, project));
    let found = comments(database, size, small_rooms, project);
    match database {
        Database::Sqlite => {
            let (at, body) = (rows::created_at_ms("i"), rows::comment_body("text"));
            statements.push(format!(
                "INSERT INTO comment (number, project_id, key, thread_id, id, seq, visibility,
                    user_id, created_at_ms, body, metadata, attachments, reactions_count)
                {found} SELECT i + 1, project_id, key, thread_id, comment_id, 0, visibility,
                    'user-0', {at}, {body}, '{{}}', '[]', 0 FROM c ORDER BY i"
            ));
            statements.push(format!(
                "INSERT INTO comment_search_words (rowid, words)
                {found} SELECT i + 1, words FROM c ORDER BY i"
            ));
        }
        Database::Postgres { .. } => {
            let named = "project_id, key, thread_id, comment_id, visibility, text";
            let bucket = lexeme(database, &[bucket_prefix()]).replace("''", "");
            statements.push(format!(
                "INSERT INTO comment_search (seq, {named}, words)
                {found} SELECT i + 1, {named}, CAST(words || ' ''{bucket}'
                    || CAST((i + 1) >> 16 AS TEXT) || '''' AS TSVECTOR) FROM c ORDER BY i"
            ));
            statements.push(format!("SELECT setval('comment_search_seq', {size})"));
        }
    }
    statements
}

fn threads(rooms: u64, project: &str) -> String {
    let numbers = rows::numbers(rooms * THREADS_IN_ROOM);
    let (key, id) = (rows::room_key(&format!("i / {THREADS_IN_ROOM}")), rows::id("th_", "i"));
    let at = rows::created_at_ms("i");
    format!(
        "INSERT INTO thread (project_id, key, id, visibility, created_by, created_at_ms,
            updated_at_ms, resolved, metadata, comments_count, comments_living, bytes)
        {numbers}
        SELECT {project}, {key}, {id}, 'public', 'user-0', {at}, {at}, FALSE, '{{}}', 1, 1, 500
        FROM n ORDER BY 2, 3"
    )
}

/// `c`: the comments, each with its terms.
fn comments(database: &Database, size: u64, small_rooms: u64, project: &str) -> String {
    let (numbers, few) = (rows::numbers(size), size / 20);
    let key = rows::room_key("room");
    let thread =
        rows::id("th_", &format!("room * {THREADS_IN_ROOM} + (i / 10) % {THREADS_IN_ROOM}"));
    let comment = rows::id("cm_", "i");
    let word = |word: &str| lexeme(database, &text_terms(word));
    let (report, budget, zebra) = (word("report"), word("budget"), word("zebra"));
    let (left, right) = (word("left"), word("right"));
    let id = ProjectId::trusted(project.trim_matches('\''));
    let fixed = [ScopeTerm::Project(&id).to_text(), attachments_term(false), mentions_term(false)];
    let fixed = lexeme(database, &fixed);
    let of_room = scope(database, &ScopeTerm::Room("", None), &key);
    let of_public = scope(database, &ScopeTerm::Room("", Some(Visibility::Public)), &key);
    format!(
        "{numbers}, a(n, says, terms) AS (VALUES {}),
        r AS (
            SELECT i, CASE WHEN i % 10 = 0 THEN 0
                ELSE 1 + ((i / 10) * 9 + i % 10) * 7919 % {small_rooms} END AS room,
                CASE WHEN (i / 10) % 10 = 3 THEN ' budget' ELSE '' END
                || CASE WHEN i % {few} = 0 THEN ' zebra' ELSE '' END
                || CASE WHEN i % 2 = 0 THEN ' left' ELSE ' right' END AS words_said,
                CASE WHEN (i / 10) % 10 = 3 THEN ' {budget}' ELSE '' END
                || CASE WHEN i % {few} = 0 THEN ' {zebra}' ELSE '' END
                || CASE WHEN i % 2 = 0 THEN ' {left}' ELSE ' {right}' END AS words_terms
            FROM n
        ), c AS (
            SELECT i, {project} AS project_id, {key} AS key, {thread} AS thread_id,
                {comment} AS comment_id, 'public' AS visibility,
                'Report: ' || a.says || words_said AS text,
                '{report} {fixed} ' || a.terms || words_terms || {of_room} || {of_public} AS words
            FROM r JOIN a ON a.n = i % {PHRASES}
        )",
        phrases(database)
    )
}

/// Rows of a number, a phrase and its terms.
fn phrases(database: &Database) -> String {
    let phrase = |number: u64| {
        let words: Vec<String> =
            (0..PHRASE_WORDS).map(|place| made_up(number * PHRASE_WORDS + place)).collect();
        let says = words.join(" ");
        format!("({number}, '{says}', '{}')", lexeme(database, &text_terms(&says)))
    };
    (0..PHRASES).map(phrase).collect::<Vec<_>>().join(", ")
}

fn text_terms(text: &str) -> Vec<String> {
    let mut terms = Vec::new();
    each_text_term(text, |term| terms.push(term.to_owned()));
    terms
}

fn made_up(number: u64) -> String {
    let base = SYLLABLES.len() as u64;
    let syllable = |value: u64| SYLLABLES[usize::try_from(value % base).unwrap_or(0)];
    [number, number / base, number / base / base, number * 7 + 3].map(syllable).concat()
}

/// Terms as each database takes them, inside of a text of SQL. None of them has a quote itself.
fn lexeme(database: &Database, terms: &[String]) -> String {
    match database {
        Database::Sqlite => terms.join(" "),
        Database::Postgres { .. } => {
            let quoted: Vec<String> = terms.iter().map(|term| format!("''{term}''")).collect();
            quoted.join(" ")
        }
    }
}

/// The expression of a term that ends with a room's key.
fn scope(database: &Database, term: &ScopeTerm<'_>, key: &str) -> String {
    let mark = term.to_text();
    match database {
        Database::Sqlite => format!("' {mark}' || {key}"),
        Database::Postgres { .. } => format!("' ''{mark}' || {key} || ''''"),
    }
}
