//! What is printed, and the same as a file.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::measure::{Plan, Summary};
use crate::{Fail, machine};

/// A goal and how it came out. Goals are told, never asserted: a slow machine is not a bug.
pub struct Finding {
    pub what: String,
    pub value: f64,
    pub goal: Option<Goal>,
}

#[derive(Clone, Copy)]
pub enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    fn reached(self, value: f64) -> bool {
        match self {
            Self::AtLeast(limit) => value >= limit,
            Self::AtMost(limit) => value <= limit,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(limit) => format!(">= {limit:.2}"),
            Self::AtMost(limit) => format!("<= {limit:.2}"),
        }
    }
}

pub struct Section {
    pub scenario: String,
    pub notes: Vec<String>,
    pub rows: Vec<Summary>,
    pub findings: Vec<Finding>,
}

impl Section {
    pub fn new(scenario: &str) -> Self {
        let scenario = scenario.to_owned();
        Self { scenario, notes: Vec::new(), rows: Vec::new(), findings: Vec::new() }
    }

    pub fn find(&mut self, what: impl Into<String>, value: f64, goal: Option<Goal>) {
        self.findings.push(Finding { what: what.into(), value, goal });
    }

    pub fn print(&self) {
        println!("\n## {}", self.scenario);
        for note in &self.notes {
            println!("{note}");
        }
        println!(
            "{:<34} {:>9} {:>10} {:>9} {:>9} {:>17} {:>9} {:>6}",
            "target",
            "req/s",
            "req/cpu-s",
            "p50 ms",
            "p99 ms",
            "cores srv/load/o",
            "quiet",
            "errors"
        );
        for row in &self.rows {
            let cores =
                format!("{:.2}/{:.2}/{:.2}", row.server_cores, row.load_cores, row.others_cores);
            println!(
                "{:<34} {:>9.0} {:>10.0} {:>9.3} {:>9.3} {:>17} {:>9} {:>6}",
                row.label,
                row.per_second,
                row.per_cpu_second,
                row.p50_ms,
                row.p99_ms,
                cores,
                format!("{}/{}", row.quiet_windows, row.windows),
                row.errors
            );
        }
        for finding in &self.findings {
            println!("{}", finding.line());
        }
    }

    fn to_json(&self) -> serde_json::Value {
        let rows: Vec<_> = self.rows.iter().map(Summary::to_json).collect();
        let findings: Vec<_> = self.findings.iter().map(Finding::to_json).collect();
        json!({
            "scenario": self.scenario, "notes": self.notes, "rows": rows, "findings": findings
        })
    }
}

impl Finding {
    fn line(&self) -> String {
        let Self { what, value, goal } = self;
        match goal {
            None => format!("  {what}: {value:.2}"),
            Some(goal) => {
                let word = if goal.reached(*value) { "reached" } else { "NOT reached" };
                format!("  {what}: {value:.2}, goal {}: {word}", goal.text())
            }
        }
    }

    fn to_json(&self) -> serde_json::Value {
        let goal = self.goal.map(Goal::text);
        let reached = self.goal.map(|goal| goal.reached(self.value));
        json!({ "what": self.what, "value": self.value, "goal": goal, "reached": reached })
    }
}

/// Writes everything to `bench/load.json` in cargo's target folder.
pub fn write(plan: Plan, sections: &[Section]) -> Result<PathBuf, Fail> {
    let temporary = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let target = temporary.parent().ok_or("cargo's temporary folder has no parent")?;
    let folder = target.join("bench");
    fs::create_dir_all(&folder)?;
    let path = folder.join("load.json");
    let sections: Vec<_> = sections.iter().map(Section::to_json).collect();
    let report = json!({
        "machine": machine::describe(),
        "pinned": plan.pinning,
        "windowSeconds": plan.window.as_secs_f64(),
        "rounds": plan.rounds,
        "sections": sections,
    });
    fs::write(&path, serde_json::to_string_pretty(&report)?)?;
    Ok(path)
}
