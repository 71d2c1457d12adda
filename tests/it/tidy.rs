//! The rules of the house that no lint knows: who imports whom, how long a file is, what a
//! dependency may be.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.clone(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// What each module of `src/` may not name: our modules, then crates.
const FORBIDDEN: [(&str, &[&str], &[&str]); 10] = [
    (
        "domain",
        &["app", "auth", "cli", "config", "jobs", "proto", "room", "service", "store", "wire"],
        &["axum", "hyper", "prost", "sqlx", "tokio", "tonic"],
    ),
    (
        "error",
        &["app", "auth", "config", "domain", "proto", "room", "service", "store", "wire"],
        &["axum", "hyper", "prost", "sqlx", "tokio", "tonic"],
    ),
    (
        "proto",
        &["app", "auth", "cli", "config", "jobs", "room", "service", "store", "wire"],
        &["axum", "hyper", "sqlx", "tokio"],
    ),
    (
        "store",
        &["app", "auth", "cli", "jobs", "proto", "room", "service", "wire"],
        &["axum", "hyper", "prost", "tonic"],
    ),
    (
        "auth",
        &["app", "cli", "jobs", "proto", "room", "service", "wire"],
        &["axum", "hyper", "prost", "sqlx", "tonic"],
    ),
    (
        "room",
        &["app", "auth", "cli", "jobs", "service", "wire"],
        &["axum", "hyper", "sqlx", "tonic"],
    ),
    (
        "rtc",
        &["app", "auth", "cli", "config", "jobs", "proto", "room", "service", "store", "wire"],
        &["axum", "hyper", "prost", "sqlx", "tonic"],
    ),
    ("service", &["app", "cli", "jobs", "wire"], &["axum", "hyper", "sqlx", "tonic"]),
    ("jobs", &["app", "cli", "proto", "service", "wire"], &["axum", "hyper", "sqlx"]),
    ("wire", &["app", "cli", "jobs", "room", "service", "store"], &["sqlx"]),
];

/// What a module may name of one that is forbidden to it.
const ALLOWED: [(&str, &[&str]); 1] = [(
    "wire",
    &[
        "room::close",
        "room::codec",
        "room::live",
        "room::message",
        "room::rate",
        "room::registry",
        "room::session",
    ],
)];

#[test]
fn imports_point_one_way() {
    let mut problems = Vec::new();
    for (path, text) in sources("src") {
        let inside = path.strip_prefix(root().join("src")).unwrap();
        let module = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = module.trim_end_matches(".rs");
        let Some((_, modules, crates)) = FORBIDDEN.iter().find(|(name, ..)| *name == module) else {
            continue;
        };
        // Tests beside the code may use whatever they need.
        let is_test = path.to_str().unwrap().contains("tests");
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for line in code.lines().filter(|line| !is_test && !line.trim_start().starts_with("//")) {
            let is_allowed = ALLOWED.iter().any(|(name, parts)| {
                *name == module && parts.iter().any(|part| line.contains(&format!("crate::{part}")))
            });
            let ours = !is_allowed
                && modules.iter().any(|name| line.contains(&format!("crate::{name}::")));
            let theirs = crates.iter().any(|name| {
                line.contains(&format!("use {name}::")) || line.contains(&format!(" {name}::"))
            });
            if ours || theirs {
                problems.push(format!("{}: {}", inside.display(), line.trim()));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn files_and_functions_are_short() {
    let mut problems = Vec::new();
    for folder in ["src", "build", "tests", "benches"] {
        for (path, text) in sources(folder) {
            let lines = text.lines().count();
            if lines > FILE_LINES_MAX {
                problems.push(format!("{}: {lines} lines", path.display()));
            }
            for (start, length) in functions(&text) {
                if length > FUNCTION_LINES_MAX && folder == "src" {
                    problems.push(format!("{}:{start}: {length} lines", path.display()));
                }
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// First line and length of each function, by the indentation that rustfmt gives.
fn functions(text: &str) -> Vec<(usize, usize)> {
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let code = line.trim_start();
        let is_head = ["fn ", "pub fn ", "async fn ", "pub async fn ", "pub(super) fn "]
            .iter()
            .any(|head| code.starts_with(head));
        if is_head && !code.ends_with([';', '}']) {
            open.push((indent, number));
        } else if let Some((_, start)) = open.pop_if(|(depth, _)| code == "}" && *depth == indent) {
            found.push((start + 1, number - start + 1));
        }
    }
    found
}

fn manifest() -> toml::Table {
    fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap()
}

/// What cargo-machete looks for: a dependency that no source names.
#[test]
fn every_dependency_is_used() {
    let manifest = manifest();
    let text = |folders: &[&str]| {
        let files = folders.iter().flat_map(|folder| sources(folder));
        let build = fs::read_to_string(root().join("build.rs")).unwrap();
        files.map(|(_, text)| text).chain([build]).collect::<String>()
    };
    // Named by the code that tonic generates.
    const GENERATED: [&str; 1] = ["tonic_prost"];
    let mut unused = Vec::new();
    for (section, folders) in [
        ("dependencies", &["src", "build"][..]),
        ("build-dependencies", &["build"]),
        ("dev-dependencies", &["src", "tests", "benches", "examples"]),
    ] {
        let text = text(folders);
        for name in manifest[section].as_table().unwrap().keys() {
            let name = name.replace('-', "_");
            let used = [format!("{name}::"), format!("use {name};"), format!("{name}!")];
            let used = used.iter().any(|used| text.contains(used.as_str()));
            if !used && !GENERATED.contains(&name.as_str()) {
                unused.push(format!("{section}.{name}"));
            }
        }
    }
    assert!(unused.is_empty(), "unused: {}", unused.join(", "));
}

/// What cargo-deny would hold: where code comes from, and under which licences.
#[test]
fn dependencies_have_licences_that_we_may_ship() {
    const ALLOWED: [&str; 13] = [
        "0BSD",
        "Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC0-1.0",
        "CDLA-Permissive-2.0",
        "ISC",
        "MIT",
        "OpenSSL",
        "Unicode-3.0",
        "Zlib",
    ];
    let cargo = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--offline"])
        // What is only for other systems is never downloaded here.
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&cargo.stdout).unwrap();
    let mut problems = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or("none");
        // One of the alternatives of each part must be allowed.
        let fine = licence
            .replace(['(', ')'], "")
            .replace('/', " OR ")
            .split(" AND ")
            .all(|part| part.split(" OR ").any(|choice| ALLOWED.contains(&choice.trim())));
        if !fine {
            problems.insert(format!("{name}: {licence}"));
        }
        let source = package["source"].as_str();
        if source.is_some_and(|source| !source.starts_with("registry+")) {
            problems.insert(format!("{name}: from {source:?}"));
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Nothing that tells where or by which tools the project is made.
#[test]
fn no_path_of_a_machine_is_committed() {
    let mut git = std::process::Command::new("git");
    let listed = git.args(["ls-files", "-z"]).current_dir(root()).output().unwrap();
    let names = String::from_utf8(listed.stdout).unwrap();
    let needles = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("crates", ".io/api")];
    for name in names.split('\0').filter(|name| !name.is_empty() && *name != "Cargo.lock") {
        let Ok(text) = fs::read_to_string(Path::new(&root()).join(name)) else { continue };
        for needle in needles {
            assert!(!text.contains(needle), "{name} names {needle}");
        }
    }
}
