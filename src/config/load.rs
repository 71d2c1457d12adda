//! Flags, variables and the file become one [`Config`], with a note of where each value came from.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};

use super::Config;
use super::nearest::nearest;
use super::options::{OPTIONS, OptionSpec};

/// The file that is read when none is named.
const FILE_DEFAULT: &str = "roomd.toml";
const FILE_BYTES_MAX: usize = 1 << 20;
/// The variable that names the file.
const FILE_ENV: &str = "ROOMD_CONFIG";

/// Where a value came from, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(PathBuf),
    Variable(String),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Flag(name) => write!(f, "flag --{name}"),
        }
    }
}

/// Everything that is wrong with the configuration, one problem a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

impl ConfigError {
    pub fn one(problem: impl Into<String>) -> Self {
        Self(vec![problem.into()])
    }
}

/// The process environment, read once. An empty variable counts as absent, as it does in the shell
/// scripts and compose files that set them.
#[derive(Debug, Clone, Default)]
pub struct Environment(HashMap<String, String>);

impl Environment {
    pub fn from_process() -> Self {
        let is_text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        std::env::vars_os().filter_map(is_text).collect()
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Variables that look like a mistyped option. Not an error: Kubernetes sets names such as
    /// `ROOMD_PORT` on its own for every service.
    fn strangers(&self) -> Vec<String> {
        let known: Vec<String> = OPTIONS.iter().map(OptionSpec::env).collect();
        let of_ours = |name: &&String| name.starts_with("ROOMD_") && name.as_str() != FILE_ENV;
        let mut warnings: Vec<String> = self
            .0
            .keys()
            .filter(|name| of_ours(name) && !known.contains(name))
            .filter_map(|name| {
                let near = nearest(name.strip_prefix("ROOMD_")?)?;
                Some(format!("variable {name} is no option; did you mean {}?", near.env()))
            })
            .collect();
        warnings.sort();
        warnings
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

/// What [`load`] reads from.
pub struct Source<'a> {
    /// Flags by option name.
    pub flags: &'a BTreeMap<&'static str, String>,
    /// The value of `--config`.
    pub file: Option<&'a Path>,
    pub environment: &'a Environment,
    /// What holds where nobody says otherwise.
    pub defaults: Config,
}

#[derive(Debug, Clone)]
pub struct Loaded {
    pub config: Config,
    /// In the order of [`OPTIONS`].
    pub origins: Vec<(&'static OptionSpec, Origin)>,
    /// Things that are odd and not wrong; logged once there is a log.
    pub warnings: Vec<String>,
}

impl fmt::Debug for OptionSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Loaded {
    /// Whether anybody set this option.
    pub fn is_set(&self, name: &str) -> bool {
        self.origins
            .iter()
            .any(|(option, origin)| option.name == name && *origin != Origin::Default)
    }
}

/// Reads everything and reports every problem at once.
pub fn load(source: Source<'_>) -> Result<Loaded, ConfigError> {
    let (path, table) = read_file(&source)?;
    let mut problems = unknown_keys(&path, &table);
    let mut config = source.defaults.clone();
    let mut origins = Vec::with_capacity(OPTIONS.len());
    for option in OPTIONS {
        let (origin, raw) = match find(option, &source, &path, &table) {
            Ok(found) => found,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        if let Some(raw) = raw
            && let Err(problem) = (option.set)(&mut config, &raw)
        {
            problems.push(format!("option `{}` ({origin}): {problem}", option.name));
        }
        origins.push((option, origin));
    }
    if problems.is_empty() {
        problems = config.check_together();
    }
    if !problems.is_empty() {
        return Err(ConfigError(problems));
    }
    let mut warnings = source.environment.strangers();
    warnings.extend(config.oddities());
    Ok(Loaded { config, origins, warnings })
}

/// The text that wins for one option; none where the default holds.
fn find(
    option: &OptionSpec,
    source: &Source<'_>,
    path: &Path,
    table: &toml::Table,
) -> Result<(Origin, Option<String>), String> {
    if let Some(raw) = source.flags.get(option.name) {
        return Ok((Origin::Flag(option.flag()), Some(raw.clone())));
    }
    let own = option.env();
    for name in std::iter::once(own.as_str()).chain(option.borrowed_env.iter().copied()) {
        if let Some(raw) = source.environment.get(name) {
            return Ok((Origin::Variable(name.to_owned()), Some(raw.to_owned())));
        }
    }
    let Some(value) = table.get(option.name) else { return Ok((Origin::Default, None)) };
    let raw = match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Integer(number) => number.to_string(),
        other => {
            return Err(format!(
                "option `{}` (file {}): must be text or a whole number ({}), got: {}",
                option.name,
                path.display(),
                option.unit,
                other.type_str(),
            ));
        }
    };
    Ok((Origin::File(path.to_owned()), Some(raw)))
}

fn read_file(source: &Source<'_>) -> Result<(PathBuf, toml::Table), ConfigError> {
    let named = source.file.or_else(|| source.environment.get(FILE_ENV).map(Path::new));
    let path = named.unwrap_or(Path::new(FILE_DEFAULT)).to_owned();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            return Ok((path, toml::Table::new()));
        }
        Err(error) => {
            return Err(ConfigError::one(format!("file {}: {error}", path.display())));
        }
    };
    if text.len() > FILE_BYTES_MAX {
        let problem = format!("file {}: is over {FILE_BYTES_MAX} bytes", path.display());
        return Err(ConfigError::one(problem));
    }
    // Only the message and the line: the parser's own excerpt could show a password.
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        ConfigError::one(format!("file {}, line {line}: {}", path.display(), error.message()))
    })?;
    Ok((path, table))
}

fn unknown_keys(path: &Path, table: &toml::Table) -> Vec<String> {
    let is_known = |key: &str| OPTIONS.iter().any(|option| option.name == key);
    let problem = |key: &String| {
        let hint = match nearest(key) {
            Some(near) => format!("did you mean `{}`?", near.name),
            None => "`roomd --help` lists the options".to_owned(),
        };
        format!("file {}: `{key}` is no option; {hint}", path.display())
    };
    table.keys().filter(|key| !is_known(key)).map(problem).collect()
}
