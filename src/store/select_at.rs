//! Reading what is at many places in one statement.

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow};

use super::db::{Conn, Tx};
use super::fault::{Fault, on};
use super::values::{PADDED_ROWS_MAX, padded, runs, values};
use crate::error::Error;

/// Names for the parts of a place.
const PARTS: [&str; 3] = ["a", "b", "c"];

/// Binds a run of places, and fetches what is there.
macro_rules! select {
    ($run:expr, $text:expr, $conn:expr) => {{
        let mut query = sqlx::query_as(AssertSqlSafe($text));
        for (number, place) in $run {
            query = query.bind(*number);
            for part in *place {
                query = query.bind(*part);
            }
        }
        query.fetch_all($conn).await
    }};
}

/// The rows that `select` finds at these places. It reads from `wanted`, in which each place is a row
/// of a `place`, its number, and its parts `a`, `b` and `c`. After `wanted` there has to be a
/// `CROSS JOIN`, which keeps SQLite from walking through the whole table to find them.
pub(super) async fn select_at<R, const N: usize>(
    tx: &mut Tx,
    table: &'static str,
    select: &str,
    places: &[[&str; N]],
) -> Result<Vec<R>, Fault>
where
    R: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    let parts: Vec<&str> = PARTS.into_iter().take(N).collect();
    let head = format!("WITH wanted (place, {}) AS (VALUES ", parts.join(", "));
    let tail = format!(") {select}");
    let numbered: Vec<(i64, &[&str; N])> = (0..).zip(places).collect();
    let mut found = Vec::new();
    match tx.read() {
        Conn::Sqlite(conn) => {
            for run in numbered.chunks(PADDED_ROWS_MAX) {
                let text = padded(&head, run.len(), N + 1, &tail);
                let rows: Vec<R> = select!(run, text, &mut *conn).map_err(on(table))?;
                found.extend(rows);
            }
        }
        Conn::Postgres(conn) => {
            for run in runs(&numbered) {
                let text = values(&head, run.len(), N + 1, &tail);
                let rows: Vec<R> = select!(run, text, &mut **conn).map_err(on(table))?;
                found.extend(rows);
            }
        }
    }
    Ok(found)
}

/// The place with this number.
pub(super) fn nth<P: Copy>(places: &[P], number: i64) -> Result<P, Error> {
    let place = usize::try_from(number).ok().and_then(|index| places.get(index));
    place.copied().ok_or_else(|| Error::internal(format!("no place has the number {number}")))
}
