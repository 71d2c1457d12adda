//! What can fail below the store's API, and the one place that turns it into an [`Error`].
//!
//! Invariant: no text of a database or of a statement reaches the public message.

use std::borrow::Cow;

use sqlx::error::DatabaseError;

use crate::error::{Code, Error};

const UNREACHABLE: &str = "The database is not reachable, please retry.";
const BUSY: &str = "The database is busy, please retry.";
const CONFLICT: &str = "Another change to the same data won, please retry.";

/// A failure inside a transaction, while it still matters whether the database or we said no.
#[derive(Debug)]
pub(super) enum Fault {
    /// From the database, while it dealt with this table.
    Sql { table: &'static str, error: sqlx::Error },
    /// Ours: a rule that the data would break, or stored data that makes no sense.
    Rule(Error),
    /// A race that a second run of the transaction decides.
    Retry(&'static str),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Rule(error)
    }
}

/// For `map_err`: names the table that a statement is about.
pub(super) fn on(table: &'static str) -> impl FnOnce(sqlx::Error) -> Fault {
    move |error| Fault::Sql { table, error }
}

impl Fault {
    pub(super) fn is_unique_violation(&self) -> bool {
        match self {
            Self::Sql { error: sqlx::Error::Database(error), .. } => error.is_unique_violation(),
            Self::Sql { .. } | Self::Rule(_) | Self::Retry(_) => false,
        }
    }

    pub(super) fn is_foreign_key_violation(&self) -> bool {
        match self {
            Self::Sql { error: sqlx::Error::Database(error), .. } => {
                error.is_foreign_key_violation()
            }
            Self::Sql { .. } | Self::Rule(_) | Self::Retry(_) => false,
        }
    }

    /// The database undid the transaction for the sake of another; a second run may succeed.
    pub(super) fn is_conflict(&self) -> bool {
        match self {
            Self::Sql { error: sqlx::Error::Database(error), .. } => {
                error.code().is_some_and(|code| kind_of(&code, error.as_ref()) == Kind::Conflict)
            }
            Self::Retry(_) => true,
            Self::Sql { .. } | Self::Rule(_) => false,
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Rule(error) => error,
            Fault::Retry(why) => Self::new(Code::Aborted, "CONFLICT", CONFLICT).because(why),
            Fault::Sql { table, error } => from_sqlx(table, error),
        }
    }
}

/// Stored data that cannot be read back. `why` is for the log only.
pub(super) fn corrupt(table: &str, column: &str, why: impl std::fmt::Display) -> Error {
    Error::new(Code::DataLoss, "DATA_LOSS", "stored data cannot be read back")
        .because(format!("table `{table}`, column `{column}`: {why}"))
}

fn from_sqlx(table: &'static str, error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::ColumnDecode { index, source } => {
            corrupt(table, index.trim_matches('"'), source)
        }
        sqlx::Error::Decode(source) => corrupt(table, "?", source),
        sqlx::Error::Database(error) => from_database(table, error),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => Error::unavailable(UNREACHABLE).because(error),
        other => Error::internal(in_table(table, other)),
    }
}

fn from_database(table: &'static str, error: Box<dyn DatabaseError>) -> Error {
    let code = error.code().unwrap_or(Cow::Borrowed(""));
    let kind = kind_of(&code, error.as_ref());
    let cause = in_table(table, sqlx::Error::Database(error));
    match kind {
        Kind::Down => Error::unavailable(UNREACHABLE).because(cause),
        Kind::Busy => Error::unavailable(BUSY).because(cause),
        Kind::Conflict => Error::new(Code::Aborted, "CONFLICT", CONFLICT).because(cause),
        Kind::Rotten => Error::new(Code::DataLoss, "DATA_LOSS", "stored data cannot be read back")
            .because(cause),
        Kind::Other => Error::internal(cause),
    }
}

/// The same failure for one more caller; a cause cannot be copied, and was logged once already.
pub(super) fn same_kind(error: &Error) -> Error {
    Error::new(error.code(), error.reason(), error.public().to_owned())
}

pub(super) fn unreachable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::unavailable(UNREACHABLE).because(cause)
}

pub(super) fn busy(cause: &'static str) -> Error {
    Error::unavailable(BUSY).because(cause)
}

#[derive(Debug, thiserror::Error)]
#[error("table `{table}`")]
struct InTable {
    table: &'static str,
    #[source]
    error: sqlx::Error,
}

fn in_table(table: &'static str, error: sqlx::Error) -> InTable {
    InTable { table, error }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Down,
    Busy,
    Conflict,
    Rotten,
    Other,
}

/// The table of codes: SQLSTATE on PostgreSQL, the extended result code on SQLite.
fn kind_of(code: &str, error: &dyn DatabaseError) -> Kind {
    if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_none() {
        return postgres_kind(code);
    }
    // The low byte is the primary code; the rest says where it happened.
    match code.parse::<u32>().unwrap_or(0) & 0xff {
        5 | 6 => Kind::Busy,
        // READONLY, IOERR, FULL, CANTOPEN: the disk or the file, which an operator can mend.
        8 | 10 | 13 | 14 => Kind::Down,
        11 | 26 => Kind::Rotten,
        _ => Kind::Other,
    }
}

fn postgres_kind(sqlstate: &str) -> Kind {
    match sqlstate {
        "40001" | "40P01" => Kind::Conflict,
        // Statement timeout, lock not available, too many connections.
        "57014" | "55P03" | "53300" => Kind::Busy,
        // A standby after a failover refuses writes until we reach the new primary.
        "25006" => Kind::Down,
        "XX001" | "XX002" => Kind::Rotten,
        _ if sqlstate.starts_with("08") || sqlstate.starts_with("57P") => Kind::Down,
        _ if sqlstate.starts_with("53") || sqlstate.starts_with("58") => Kind::Down,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlstates_are_sorted_by_what_a_caller_can_do() {
        assert_eq!(postgres_kind("40P01"), Kind::Conflict);
        assert_eq!(postgres_kind("57P01"), Kind::Down);
        assert_eq!(postgres_kind("08006"), Kind::Down);
        assert_eq!(postgres_kind("57014"), Kind::Busy);
        assert_eq!(postgres_kind("23505"), Kind::Other);
    }

    #[test]
    fn rotten_data_names_table_and_column_in_the_log_only() {
        let index = "metadata".to_owned();
        let error = from_sqlx("room", sqlx::Error::ColumnDecode { index, source: "x".into() });
        assert_eq!(error.code(), Code::DataLoss);
        assert!(!error.public().contains("metadata"));
        assert!(crate::error::chain(&error).contains("table `room`, column `metadata`"));
    }

    #[test]
    fn a_closed_pool_is_unavailable() {
        let error = Error::from(on("room")(sqlx::Error::PoolTimedOut));
        assert_eq!((error.code(), error.public()), (Code::Unavailable, UNREACHABLE));
    }
}
