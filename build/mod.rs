//! From proto files to code, in one pass: compile, read the annotations, write each output.
//!
//! Every annotation is checked here: a route that names a missing field, two routes that match the
//! same path, a method with neither a route nor an opt-out, all fail the build.

mod compile;
mod dispatch;
mod handlers;
mod json;
mod model;
mod naming;
mod openapi;
mod params;
mod routes;

use std::fs;
use std::path::PathBuf;

/// One tree of proto files and where its code goes.
pub struct Target {
    pub folder: &'static str,
    /// The Rust module that includes the generated messages.
    pub module: &'static str,
    pub out: PathBuf,
}

pub fn run(target: &Target) -> Result<(), String> {
    fs::create_dir_all(&target.out).map_err(|e| format!("{}: {e}", target.out.display()))?;
    let pool = compile::messages_and_grpc(target)?;
    let api = model::Api::read(&pool, target.module)?;
    routes::check(&api)?;
    write(target, "handlers.rs", handlers::generate(&api))?;
    write(target, "json.rs", json::generate(&api)?)?;
    write(target, "params.rs", params::generate(&api)?)?;
    write(target, "dispatch.rs", dispatch::generate(&api)?)?;
    write(target, "openapi.json", openapi::generate(&api)?)
}

fn write(target: &Target, name: &str, text: String) -> Result<(), String> {
    let path = target.out.join(name);
    fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))
}
