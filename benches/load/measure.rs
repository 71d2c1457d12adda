//! Windows, taken in turns, and what they add up to.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;

use crate::Fail;
use crate::engine::{Counted, Engine, Session};
use crate::machine::Used;

/// Processor use of anybody else, in cores, from which on a window is not quiet any more.
const OTHERS_CORES_MAX: f64 = 0.08;

/// How long and how often everything is measured.
#[derive(Clone, Copy)]
pub struct Plan {
    pub warm_up: Duration,
    pub window: Duration,
    pub rounds: usize,
    pub pinning: bool,
}

/// One server under one load.
pub struct Target<'a> {
    pub label: String,
    pub address: SocketAddr,
    pub pid: u32,
    /// Fresh connections for every window.
    pub sessions: Box<dyn FnMut() -> Vec<Box<dyn Session>> + 'a>,
}

pub struct Sample {
    counted: Counted,
    server_seconds: f64,
    load_seconds: f64,
    others_cores: f64,
}

impl Sample {
    pub fn new(counted: Counted, before: Used, after: Used) -> Self {
        let server_seconds = after.server - before.server;
        let load_seconds = after.load - before.load;
        let others = after.cores - before.cores - server_seconds - load_seconds;
        let others_cores = (others / counted.seconds).max(0.0);
        Self { counted, server_seconds, load_seconds, others_cores }
    }

    fn quiet(&self) -> bool {
        self.others_cores <= OTHERS_CORES_MAX
    }
}

/// Medians over the quiet windows of one target, or over all when fewer than two were quiet.
#[derive(Clone)]
pub struct Summary {
    pub label: String,
    pub per_second: f64,
    pub per_cpu_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub mean_ms: f64,
    pub server_cores: f64,
    pub load_cores: f64,
    pub others_cores: f64,
    pub windows: usize,
    pub quiet_windows: usize,
    pub errors: u64,
}

/// Measures all targets in turns, so that whatever changes on the machine meets all of them.
pub fn interleave(plan: Plan, targets: &mut [Target<'_>]) -> Result<Vec<Summary>, Fail> {
    let mut samples: Vec<Vec<Sample>> = targets.iter().map(|_| Vec::new()).collect();
    let mut round = 0;
    // A round that others disturbed is taken again, up to once for every planned one.
    while round < plan.rounds || (lacks_quiet(&samples, plan.rounds) && round < 2 * plan.rounds) {
        for (target, taken) in targets.iter_mut().zip(&mut samples) {
            taken.push(window(plan, target)?);
        }
        round += 1;
    }
    let summaries = targets.iter().zip(samples).map(|(t, taken)| summarize(&t.label, &taken));
    Ok(summaries.collect())
}

fn lacks_quiet(samples: &[Vec<Sample>], wanted: usize) -> bool {
    samples.iter().any(|taken| taken.iter().filter(|sample| sample.quiet()).count() < wanted)
}

fn window(plan: Plan, target: &mut Target<'_>) -> Result<Sample, Fail> {
    let mut engine = Engine::connect(target.address, (target.sessions)())?;
    let edge = || Used::now(target.pid);
    let (counted, before, after) = engine.window(plan.warm_up, plan.window, edge)?;
    if let Some(first) = &counted.first_error {
        eprintln!("{}: {} wrong answers, the first: {first}", target.label, counted.errors);
    }
    Ok(Sample::new(counted, before, after))
}

pub fn summarize(label: &str, samples: &[Sample]) -> Summary {
    let quiet: Vec<&Sample> = samples.iter().filter(|sample| sample.quiet()).collect();
    let quiet_windows = quiet.len();
    let used = if quiet_windows < 2 { samples.iter().collect() } else { quiet };
    let middle = |value: fn(&Sample) -> f64| median(used.iter().map(|sample| value(sample)));
    Summary {
        label: label.to_owned(),
        per_second: middle(|s| s.counted.requests as f64 / s.counted.seconds),
        per_cpu_second: middle(|s| s.counted.requests as f64 / s.server_seconds.max(0.01)),
        p50_ms: middle(|s| s.counted.p50_ms),
        p99_ms: middle(|s| s.counted.p99_ms),
        mean_ms: middle(|s| s.counted.mean_ms),
        server_cores: middle(|s| s.server_seconds / s.counted.seconds),
        load_cores: middle(|s| s.load_seconds / s.counted.seconds),
        others_cores: middle(|s| s.others_cores),
        windows: samples.len(),
        quiet_windows,
        errors: samples.iter().map(|s| s.counted.errors).sum(),
    }
}

pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        length if length % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

impl Summary {
    pub fn to_json(&self) -> serde_json::Value {
        json!({
            "target": self.label,
            "requestsPerSecond": self.per_second,
            "requestsPerServerCpuSecond": self.per_cpu_second,
            "p50Ms": self.p50_ms,
            "p99Ms": self.p99_ms,
            "meanMs": self.mean_ms,
            "serverCores": self.server_cores,
            "loadCores": self.load_cores,
            "othersCores": self.others_cores,
            "windows": self.windows,
            "quietWindows": self.quiet_windows,
            "errors": self.errors,
        })
    }
}
