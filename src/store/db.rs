//! The two databases behind one SQL text: the macros repeat the call, never the query.
//!
//! Texts use `$1` placeholders, `BIGINT` milliseconds, no arrays and no clock of the database.

use sqlx::{PgPool, Postgres, SqliteConnection, SqlitePool, Transaction};

/// Where reads go. SQLite's writes go through [`super::writer::Writer`] instead.
#[derive(Debug, Clone)]
pub(super) enum Db {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Runs one statement on the pool of whichever database this is.
macro_rules! on_db {
    ($db:expr, |$conn:ident| $body:expr) => {
        match $db {
            $crate::store::db::Db::Sqlite($conn) => $body,
            $crate::store::db::Db::Postgres($conn) => $body,
        }
    };
}
pub(super) use on_db;

/// The connection under a transaction.
pub(super) enum Conn {
    /// Inside the writer's group: `BEGIN` and `COMMIT` are the writer's.
    Sqlite(SqliteConnection),
    Postgres(Transaction<'static, Postgres>),
}

/// Runs one statement on a transaction's connection, from [`Tx::read`] or [`Tx::write`].
macro_rules! on_tx {
    ($conn:expr, |$c:ident| $body:expr) => {
        match $conn {
            $crate::store::db::Conn::Sqlite(conn) => {
                let $c = &mut *conn;
                $body
            }
            $crate::store::db::Conn::Postgres(conn) => {
                let $c = &mut **conn;
                $body
            }
        }
    };
}
pub(super) use on_tx;

/// An open transaction, as the closures of [`super::Store::transact`] see it.
pub(super) struct Tx {
    conn: Conn,
    wrote: bool,
}

impl Tx {
    pub(super) fn new(conn: Conn) -> Self {
        Self { conn, wrote: false }
    }

    pub(super) fn read(&mut self) -> &mut Conn {
        &mut self.conn
    }

    /// As [`Tx::read`], and remembers that there is something to undo if the closure fails.
    pub(super) fn write(&mut self) -> &mut Conn {
        self.wrote = true;
        &mut self.conn
    }

    /// Whether anything was written since the last call.
    pub(super) fn take_wrote(&mut self) -> bool {
        std::mem::take(&mut self.wrote)
    }

    pub(super) fn into_conn(self) -> Conn {
        self.conn
    }

    /// What a `SELECT` ends with to keep its row until the end of the transaction. SQLite has one
    /// writer and needs no such lock.
    pub(super) fn locking<'a>(&self, sqlite: &'a str, postgres_for_update: &'a str) -> &'a str {
        match self.conn {
            Conn::Sqlite(_) => sqlite,
            Conn::Postgres(_) => postgres_for_update,
        }
    }
}
