//! `roomd check-config`: what holds, and why.

use std::fmt::Write;

use super::flags::{Flags, SERVER};
use crate::config::Loaded;

/// Check the configuration and show every option with the place where it was set
///
/// Prints the effective configuration as a TOML file. Passwords are left out. Exits with 2 and
/// names every problem when there is one; nothing is started and no database is opened.
#[derive(Debug, clap::Args)]
pub struct CheckConfigArgs {
    #[command(flatten)]
    pub flags: Flags<SERVER>,
}

pub fn report(loaded: &Loaded) -> String {
    let line = |option: &crate::config::options::OptionSpec| {
        let shown = (option.show)(&loaded.config);
        match shown.parse::<u64>() {
            _ if shown.is_empty() => format!("# {} =", option.name),
            Ok(number) => format!("{} = {number}", option.name),
            Err(_) => format!("{} = {}", option.name, toml::Value::String(shown)),
        }
    };
    let lines: Vec<String> = loaded.origins.iter().map(|(option, _)| line(option)).collect();
    let width = lines.iter().map(String::len).max().unwrap_or_default();
    let mut report = String::new();
    for (text, (_, origin)) in lines.iter().zip(&loaded.origins) {
        let _ = writeln!(report, "{text:width$}  # {origin}");
    }
    for warning in &loaded.warnings {
        let _ = writeln!(report, "# warning: {warning}");
    }
    report
}
