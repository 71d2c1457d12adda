//! The load bench: roomd, and beside it in the same run the servers that set its limits.
//!
//! ```text
//! cargo bench --bench load -- [--seconds 3] [--rounds 5] [--limits-only] [scenario...]
//! ```
//!
//! The server runs on core 0 and the load generator on core 1. Servers are measured in turns, in
//! windows of a few seconds, and medians over the quiet windows are told. Nothing here asserts a
//! time: goals are printed with what came out, and everything lands in `bench/load.json` of
//! cargo's target folder. Wrong answers fail the run.

mod comments;
mod create_room;
mod databases;
mod engine;
mod get_room;
mod grpc;
mod http1;
mod list_rooms;
mod live;
mod machine;
mod measure;
mod processes;
mod reference;
mod report;
mod rooms;
mod seed;
mod ws;
mod ws_reference;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use measure::Plan;
use report::Section;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Fail = Box<dyn std::error::Error>;

struct Options {
    plan: Plan,
    limits_only: bool,
    scenarios: Vec<String>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [first, kind, reply] if first == "--reference" => reference::run(kind, Path::new(reply)),
        // `cargo test --all-targets` starts benches as well, and that is no time to measure.
        others if !others.iter().any(|argument| argument == "--bench") => {
            println!("run me with: cargo bench --bench load");
            return ExitCode::SUCCESS;
        }
        others => parse(others).and_then(|options| measure_all(&options)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[String]) -> Result<Options, Fail> {
    let plan = Plan {
        warm_up: Duration::from_secs(1),
        window: Duration::from_secs(3),
        rounds: 5,
        pinning: false,
    };
    let mut options = Options { plan, limits_only: false, scenarios: Vec::new() };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--bench" => {}
            "--limits-only" => options.limits_only = true,
            "--seconds" => options.plan.window = Duration::from_secs_f64(value()?.parse()?),
            "--rounds" => options.plan.rounds = value()?.parse::<usize>()?.max(1),
            flag if flag.starts_with("--") => return Err(format!("no option `{flag}`").into()),
            name => options.scenarios.push(name.to_owned()),
        }
    }
    let known = scenario_names();
    for name in &options.scenarios {
        if !known.iter().any(|known| known.starts_with(name.as_str())) {
            return Err(format!("no scenario `{name}`; there are: {}", known.join(", ")).into());
        }
    }
    Ok(options)
}

fn scenario_names() -> Vec<&'static str> {
    let mut names: Vec<_> = get_room::SCENARIOS.iter().map(|(name, _)| *name).collect();
    names.push(create_room::SCENARIO);
    names.extend(list_rooms::scenario_names());
    names.extend(rooms::scenario_names());
    names.extend(comments::scenario_names());
    names.extend(live::scenario_names());
    names
}

impl Options {
    /// A scenario is named in full or by its beginning; naming none means all.
    fn wants(&self, scenario: &str) -> bool {
        self.scenarios.is_empty() || self.scenarios.iter().any(|name| scenario.starts_with(name))
    }
}

fn measure_all(options: &Options) -> Result<(), Fail> {
    let plan = Plan { pinning: machine::pin_load_generator(), ..options.plan };
    println!("{}", machine::describe());
    if !plan.pinning {
        println!("NOT pinned (needs `taskset` and two cores): the ratios are not worth much");
    }
    let mut sections: Vec<Section> = Vec::new();
    let mut keep = |section: Section| {
        section.print();
        sections.push(section);
    };
    for (scenario, goal) in get_room::SCENARIOS {
        if options.wants(scenario) && options.limits_only {
            keep(get_room::limit_only(plan, scenario)?);
        } else if options.wants(scenario) {
            keep(get_room::run(plan, scenario, *goal)?);
        }
    }
    if !options.limits_only && options.wants(create_room::SCENARIO) {
        keep(create_room::run(plan)?);
    }
    if !options.limits_only {
        let listed = list_rooms::run(plan, |scenario| options.wants(scenario))?;
        listed.into_iter().for_each(&mut keep);
    }
    let setup = rooms::Setup { plan, with_roomd: !options.limits_only };
    rooms::run(setup, |scenario| options.wants(scenario), &mut keep)?;
    if !options.limits_only {
        comments::run(plan, |scenario| options.wants(scenario), &mut keep)?;
        live::run(plan, |scenario| options.wants(scenario), &mut keep)?;
    }
    let path = report::write(plan, &sections)?;
    println!("\nwritten to {}", path.display());
    Ok(())
}
