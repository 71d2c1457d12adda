//! Comments, inboxes and search: as fast in a large database as in a small one.

mod create_comment;
mod inbox;
mod rows;
mod search;
mod sizes;
mod threads;
mod threads_delta;

use std::net::SocketAddr;

use serde_json::json;

use crate::Fail;
use crate::http1::{self, Request};
use crate::measure::Plan;
use crate::processes::SECRET_KEY;
use crate::report::Section;

pub fn scenario_names() -> impl Iterator<Item = &'static str> {
    let sized = [threads::CASES, inbox::CASES, search::CASES].into_iter().flatten();
    let single = [create_comment::SCENARIO, threads_delta::SCENARIO];
    single.into_iter().chain(sized.map(|case| case.name))
}

pub fn run(
    plan: Plan,
    wants: impl Fn(&str) -> bool,
    mut keep: impl FnMut(Section),
) -> Result<(), Fail> {
    if wants(create_comment::SCENARIO) {
        keep(create_comment::run(plan)?);
    }
    if wants(threads_delta::SCENARIO) {
        keep(threads_delta::run(plan)?);
    }
    for sized in [&threads::SIZED, &inbox::SIZED, &search::SIZED] {
        sizes::run(plan, sized, &wants, &mut keep)?;
    }
    Ok(())
}

/// A token for a user who has these scopes in every room.
fn user_token(address: SocketAddr, user: &str, scopes: &[&str]) -> Result<String, Fail> {
    let body = json!({ "userId": user, "permissions": { "*": scopes } });
    let answer = post(address, "/v2/authorize-user", &body)?;
    let token = answer["token"].as_str().ok_or("no token was given")?;
    Ok(token.to_owned())
}

fn post(
    address: SocketAddr,
    path: &str,
    body: &serde_json::Value,
) -> Result<serde_json::Value, Fail> {
    let body = body.to_string().into_bytes();
    let answer = http1::call(address, &Request::post(path, "application/json", SECRET_KEY, body))?;
    Ok(serde_json::from_slice(&answer)?)
}

/// What a comment of one paragraph says.
fn body(text: &str) -> serde_json::Value {
    json!({ "version": 1, "content": [{ "type": "paragraph", "children": [{ "text": text }] }] })
}
