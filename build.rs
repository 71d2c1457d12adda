//! Makes the whole API out of `proto/`: messages, gRPC services, the JSON codec, the dispatch
//! table and the OpenAPI document. See `build/mod.rs`.

#[path = "build/mod.rs"]
mod generate;

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    for folder in ["proto", "build", "tests/proto"] {
        println!("cargo::rerun-if-changed={folder}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    let Some(out_dir) = std::env::var_os("OUT_DIR").map(PathBuf::from) else {
        println!("cargo::error=OUT_DIR is not set: this is a build script of cargo");
        return ExitCode::FAILURE;
    };
    // The API, and the messages that only tests know: one of every kind of field.
    let api = generate::Target { folder: "proto", module: "crate::proto", out: out_dir.clone() };
    let testing = generate::Target {
        folder: "tests/proto",
        module: "crate::proto::testing",
        out: out_dir.join("testing"),
    };
    for target in [api, testing] {
        if let Err(problem) = generate::run(&target) {
            println!("cargo::error={}", problem.replace('\n', " "));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
