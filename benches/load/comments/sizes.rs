//! The same question to a small and to a large database.

use std::net::SocketAddr;

use crate::Fail;
use crate::databases::{self, Database, Filling, Seeded};
use crate::engine::Session;
use crate::http1::{self, Http1, Request};
use crate::measure::{Plan, Target, interleave};
use crate::report::{Goal, Section};

/// Databases of two sizes, and what is asked of both.
pub struct Sized {
    pub filling: fn(u64) -> Filling,
    pub small: u64,
    pub large: u64,
    pub cases: &'static [Case],
}

pub struct Case {
    pub name: &'static str,
    pub goal: Option<Goal>,
    /// What is asked in turns of a server with a database of this size.
    pub requests: fn(SocketAddr, u64) -> Result<Vec<Request>, Fail>,
    /// The list in the answer, and how long it has to be: a fast answer with something else in it
    /// would be no answer.
    pub list: &'static str,
    pub length: usize,
}

pub fn run(
    plan: Plan,
    sized: &Sized,
    wants: impl Fn(&str) -> bool,
    mut keep: impl FnMut(Section),
) -> Result<(), Fail> {
    let cases: Vec<&Case> = sized.cases.iter().filter(|case| wants(case.name)).collect();
    if cases.is_empty() {
        return Ok(());
    }
    for database in Database::all() {
        let small = databases::seed(&database, (sized.filling)(sized.small), plan.pinning)?;
        let large = databases::seed(&database, (sized.filling)(sized.large), plan.pinning)?;
        for case in &cases {
            keep(compare(plan, &database, case, [&small, &large])?);
        }
    }
    Ok(())
}

fn compare(
    plan: Plan,
    database: &Database,
    case: &Case,
    [small, large]: [&Seeded; 2],
) -> Result<Section, Fail> {
    let mut section = Section::new(&format!("{} on {}", case.name, database.name()));
    let (of_small, of_large) = (requests(small, case)?, requests(large, case)?);
    let mut targets = [target(small, &of_small), target(large, &of_large)];
    let rows = interleave(plan, &mut targets)?;
    let [few, many] = rows.as_slice() else { return Err("a row is missing".into()) };
    let what = format!("median time, {} / {}", large.size, small.size);
    section.find(what, many.p50_ms / few.p50_ms, case.goal);
    section.rows = rows;
    Ok(section)
}

/// The requests, each of which was answered rightly once.
fn requests(seeded: &Seeded, case: &Case) -> Result<Vec<Request>, Fail> {
    let address = seeded.server.address;
    let requests = (case.requests)(address, seeded.size)?;
    for request in &requests {
        let body = http1::call(address, request)?;
        let answer: serde_json::Value = serde_json::from_slice(&body)?;
        let found = answer[case.list].as_array().map_or(0, Vec::len);
        if found != case.length {
            let (path, wanted) = (&request.path, case.length);
            return Err(format!("`{path}` found {found}, not {wanted}, of {}", seeded.size).into());
        }
    }
    Ok(requests)
}

fn target<'a>(seeded: &Seeded, requests: &'a [Request]) -> Target<'a> {
    let (address, pid) = (seeded.server.address, seeded.server.pid());
    let label = format!("{} in the database", seeded.size);
    Target { label, address, pid, sessions: Box::new(|| vec![asker(requests)]) }
}

/// One caller that asks one after the other, and begins again.
fn asker(requests: &[Request]) -> Box<dyn Session> {
    let requests: Vec<Vec<u8>> = requests.iter().map(Request::bytes).collect();
    let mut number = 0;
    Box::new(Http1::new(Box::new(move |out| {
        out.extend_from_slice(&requests[number % requests.len()]);
        number += 1;
    })))
}
