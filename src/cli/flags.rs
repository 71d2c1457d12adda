//! The options of `config` as flags. They are made from the one table, so that an option that is
//! added there has its flag and its help at once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use clap::builder::ArgAction;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use crate::config::Config;
use crate::config::options::{LIMITS, OPTIONS, OptionSpec, Reach};

/// Flags of whatever runs a server: all of them.
pub const SERVER: u8 = 0;
/// The same, with the defaults of `roomd dev`.
pub const DEV: u8 = 1;
/// Flags of what only opens the database.
pub const DATA: u8 = 2;

const CONFIG: &str = "config";

/// clap wants names that live as long as the program.
static NAMES: LazyLock<Vec<String>> =
    LazyLock::new(|| OPTIONS.iter().map(OptionSpec::flag).collect());

/// The values that came as flags, not yet read.
#[derive(Debug, Clone, Default)]
pub struct Flags<const SET: u8> {
    pub values: BTreeMap<&'static str, String>,
    pub file: Option<PathBuf>,
}

impl<const SET: u8> Flags<SET> {
    /// Adds flags that stood before the subcommand; those after it win.
    #[must_use]
    pub fn over<const OTHER: u8>(mut self, before: Flags<OTHER>) -> Self {
        for (name, value) in before.values {
            self.values.entry(name).or_insert(value);
        }
        self.file = self.file.or(before.file);
        self
    }

    fn options() -> impl Iterator<Item = (&'static OptionSpec, &'static str)> {
        let in_set = |option: &OptionSpec| SET != DATA || option.reach == Reach::Data;
        OPTIONS.iter().zip(NAMES.iter().map(String::as_str)).filter(move |(o, _)| in_set(o))
    }
}

/// What holds when nobody says otherwise, by kind of subcommand.
pub fn defaults(set: u8) -> Config {
    let usual = Config::default();
    match set {
        DEV => Config { data_dir: PathBuf::from(".roomd"), ..usual },
        // A tool's output is its result, not the story of how it opened the database.
        DATA => Config { log_filter: "warn".to_owned(), ..usual },
        _ => usual,
    }
}

/// What `roomd dev` leaves alone, since it usually names the database of the app that is developed.
pub const NOT_IN_DEV: &str = "DATABASE_URL";

fn help_of(option: &OptionSpec, default: &str, set: u8) -> String {
    let default = if default.is_empty() { "none" } else { default };
    let mut env = option.env();
    for borrowed in option.borrowed_env.iter().filter(|name| set != DEV || **name != NOT_IN_DEV) {
        env = format!("{env}, {borrowed}");
    }
    format!("{} ({}) [default: {default}] [env: {env}]", option.help, option.unit)
}

/// Options of several values, whose flag may be given once for each, in the singular.
const REPEATED: &[(&str, &str)] =
    &[("livekit_keys", "livekit-key"), ("webhook_urls", "webhook-url")];

impl<const SET: u8> Args for Flags<SET> {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new(CONFIG)
            .long(CONFIG)
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help_heading("Configuration")
            .help(
                "TOML file with options, under their names with underscores [default: roomd.toml, \
                 where there is one] [env: ROOMD_CONFIG]",
            );
        let defaults = defaults(SET);
        Self::options().fold(command.arg(file), |command, (option, flag)| {
            let arg = Arg::new(option.name)
                .long(flag)
                .value_name("VALUE")
                .action(ArgAction::Set)
                .help_heading(option.group)
                // Limits are many and rarely touched: they stand in `--help`, not in `-h`.
                .hide_short_help(option.group == LIMITS)
                .help(help_of(option, &(option.show)(&defaults), SET));
            match REPEATED.iter().find(|(name, _)| *name == option.name) {
                Some((_, one)) => command.arg(arg.visible_alias(*one).action(ArgAction::Append)),
                None => command.arg(arg),
            }
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<const SET: u8> FromArgMatches for Flags<SET> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        if let Some(path) = matches.get_one::<PathBuf>(CONFIG) {
            self.file = Some(path.clone());
        }
        for (option, _) in Self::options() {
            if let Some(values) = matches.get_many::<String>(option.name) {
                let values: Vec<&str> = values.map(String::as_str).collect();
                self.values.insert(option.name, values.join(","));
            }
        }
        Ok(())
    }
}
