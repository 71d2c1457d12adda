//! Pages of 100 rooms out of 1,000 and out of 1,000,000, by prefix and by metadata.
//!
//! Every query matches at least 200 rooms at both sizes, so that the pages compared are full and
//! alike. `fifth` queries match a fifth of all rooms, `few` queries 200 rooms whatever the total.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::databases::{self, Database, Seeded};
use crate::engine::Session;
use crate::http1::{self, Http1, Request};
use crate::measure::{Plan, Target, interleave};
use crate::processes::{SECRET_KEY, Server};
use crate::report::{Goal, Section};
use crate::{Fail, seed};

const GOAL: Goal = Goal::AtMost(1.5);
const PAGE: usize = 100;
const SMALL: u64 = 1_000;
const LARGE: u64 = 1_000_000;
/// Primes, so that the queries visit groups in an order that no cache foresees.
const GROUP_STRIDE: u64 = 7_919;

/// What is asked, as the query text for the n-th request.
struct Case {
    name: &'static str,
    goal: Option<Goal>,
    query: fn(number: u64, rooms: u64) -> String,
}

const CASES: &[Case] = &[
    Case { name: "list-rooms", goal: None, query: |_, _| String::new() },
    Case {
        name: "list-rooms-prefix-fifth",
        goal: Some(GOAL),
        query: |number, _| format!("roomId^\"{}/\"", number % seed::FIFTHS),
    },
    Case {
        name: "list-rooms-prefix-few",
        goal: Some(GOAL),
        query: |number, rooms| {
            let (fifth, group) = place(number, rooms);
            format!("roomId^\"{fifth}/{group}/\"")
        },
    },
    Case {
        name: "list-rooms-metadata-fifth",
        goal: Some(GOAL),
        query: |number, _| format!("metadata[\"plan\"]:\"plan-{}\"", number % seed::FIFTHS),
    },
    Case {
        name: "list-rooms-metadata-few",
        goal: Some(GOAL),
        query: |number, rooms| {
            let (fifth, group) = place(number, rooms);
            format!("metadata[\"team\"]:\"team-{fifth}-{group}\"")
        },
    },
    Case {
        name: "list-rooms-metadata-oldest",
        goal: None,
        query: |_, _| "metadata[\"era\"]:\"old\"".to_owned(),
    },
];

fn place(number: u64, rooms: u64) -> (u64, u64) {
    (number % seed::FIFTHS, number.wrapping_mul(GROUP_STRIDE) % seed::groups(rooms))
}

pub fn scenario_names() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|case| case.name)
}

/// On SQLite, and on PostgreSQL as well when the environment names one.
pub fn run(plan: Plan, wants: impl Fn(&str) -> bool) -> Result<Vec<Section>, Fail> {
    let cases: Vec<&'static Case> = CASES.iter().filter(|case| wants(case.name)).collect();
    if cases.is_empty() {
        return Ok(Vec::new());
    }
    let mut sections = Vec::new();
    for database in Database::all() {
        let small = databases::seed(&database, seed::rooms(SMALL), plan.pinning)?;
        let large = databases::seed(&database, seed::rooms(LARGE), plan.pinning)?;
        sections.extend(compare(plan, database.name(), &cases, [&small, &large])?);
    }
    Ok(sections)
}

fn compare(
    plan: Plan,
    database: &str,
    cases: &[&'static Case],
    [small, large]: [&Seeded; 2],
) -> Result<Vec<Section>, Fail> {
    let mut sections = Vec::new();
    for case in cases {
        let name = format!("{} on {database}", case.name);
        let mut section = Section::new(&name);
        for seeded in [small, large] {
            check_page(&seeded.server, case, seeded.size)?;
        }
        let mut targets = [target(small, case), target(large, case)];
        let rows = interleave(plan, &mut targets)?;
        let [few, many] = rows.as_slice() else { return Err("a row is missing".into()) };
        let what = format!("median time of a page, {LARGE} rooms / {SMALL} rooms");
        section.find(what, many.p50_ms / few.p50_ms, case.goal);
        section.rows = rows;
        sections.push(section);
    }
    Ok(sections)
}

fn request(query: &str) -> Request {
    let path = match query {
        "" => format!("/v2/rooms?limit={PAGE}"),
        query => {
            let query = utf8_percent_encode(query, NON_ALPHANUMERIC);
            format!("/v2/rooms?limit={PAGE}&query={query}")
        }
    };
    Request::get(path, SECRET_KEY)
}

/// A fast answer with the wrong rooms in it would be no answer.
fn check_page(server: &Server, case: &Case, rooms: u64) -> Result<(), Fail> {
    let query = (case.query)(0, rooms);
    let body = http1::call(server.address, &request(&query))?;
    let page: serde_json::Value = serde_json::from_slice(&body)?;
    let found = page["data"].as_array().map_or(0, Vec::len);
    if found != PAGE || !page["nextCursor"].is_string() {
        return Err(
            format!("`{query}` found {found} of {rooms} rooms, not a page of {PAGE}").into()
        );
    }
    Ok(())
}

fn target<'a>(seeded: &'a Seeded, case: &'static Case) -> Target<'a> {
    let (address, pid, rooms) = (seeded.server.address, seeded.server.pid(), seeded.size);
    let label = format!("{rooms} rooms");
    Target { label, address, pid, sessions: Box::new(move || vec![reader(case, rooms)]) }
}

/// One caller that asks for page after page, each of another prefix or value.
fn reader(case: &'static Case, rooms: u64) -> Box<dyn Session> {
    let mut number = 0;
    Box::new(Http1::new(Box::new(move |out| {
        out.extend_from_slice(&request(&(case.query)(number, rooms)).bytes());
        number += 1;
    })))
}
