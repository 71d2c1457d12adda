//! Lists of a room's threads, newest first.
//!
//! Invariant: [`ThreadFilter::matches`] decides, and the caller's right: a list for somebody who
//! sees one visibility walks the index of that one. Limits are numbers in the text on purpose, as in
//! `room_query.rs`.

use futures_util::TryStreamExt as _;
use sqlx::AssertSqlSafe;

use super::Store;
use super::comment_write::ThreadView;
use super::db::on_db;
use super::feed::{Gathered, one_more};
use super::room_query::{Arg, Sql};
use super::thread_metadata::indexed;
use super::thread_row::{ThreadRow, thread_columns_of};
use crate::domain::comment::{
    MetadataTerm, ThreadCursor, ThreadFilter, ThreadPage, ThreadQuery, Visibility,
};
use crate::domain::content_id::ThreadId;
use crate::domain::ids::UserId;
use crate::error::Error;

impl Store {
    /// Newest first. A page is shorter than its limit if its comments would be over a megabyte.
    pub async fn list_threads(
        &self,
        view: &ThreadView,
        query: &ThreadQuery,
    ) -> Result<ThreadPage, Error> {
        if query.filter.subscribed == Some(true) && query.user.is_none() {
            return Ok(ThreadPage::EMPTY);
        }
        let Some(wanted) = wanted(view, &query.filter) else { return Ok(ThreadPage::EMPTY) };
        let sql = page(view, query, wanted);
        let gathered = self
            .read("thread", async {
                on_db!(&self.inner.db, |c| {
                    let mut select = sqlx::query_as(AssertSqlSafe(sql.text));
                    for arg in sql.args {
                        select = match arg {
                            Arg::Text(text) => select.bind(text),
                            Arg::Int(number) => select.bind(number),
                            Arg::Real(number) => select.bind(number),
                        };
                    }
                    let (mut rows, mut page) = (select.fetch(c), Gathered::new(query.limit));
                    while let Some(row) = rows.try_next().await? {
                        let row: ThreadRow = row;
                        let bytes = row.metadata.len() + usize::try_from(row.bytes).unwrap_or(0);
                        if !page.take(row, bytes) {
                            break;
                        }
                    }
                    Ok(page)
                })
            })
            .await?;
        let last = gathered.rows.last().filter(|_| gathered.more);
        let next_cursor = last.map(|row| {
            let id = ThreadId::trusted(row.id.as_str());
            ThreadCursor { at_ms: row.created_at_ms, id }.to_text()
        });
        let threads = self.with_comments(view, gathered.rows).await?;
        Ok(ThreadPage { threads, next_cursor })
    }
}

/// The visibilities that a list may show; none if there is nothing to show.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    Both,
    Only(Visibility),
}

fn wanted(view: &ThreadView, filter: &ThreadFilter) -> Option<Wanted> {
    if filter.is_nothing || view.right.is_nothing() {
        return None;
    }
    match (filter.visibility, view.right.only()) {
        (Some(asked), _) if !view.right.covers(asked) => None,
        (Some(asked), _) => Some(Wanted::Only(asked)),
        (None, Some(only)) => Some(Wanted::Only(only)),
        (None, None) => Some(Wanted::Both),
    }
}

fn page(view: &ThreadView, query: &ThreadQuery, wanted: Wanted) -> Sql {
    let filter = &query.filter;
    let driver =
        filter.metadata.iter().position(|term| matches!(term, MetadataTerm::Equals { .. }));
    let mut sql = Sql::new(view.key.project.as_str());
    sql.push(concat!("SELECT ", thread_columns_of!("t"), " FROM "));
    let (at, id) = match driver {
        Some(_) => {
            sql.push(
                "thread_metadata l JOIN thread t ON t.project_id = l.project_id \
                 AND t.key = l.key AND t.id = l.thread_id WHERE l.project_id = $1",
            );
            ("l.created_at_ms", "l.thread_id")
        }
        None => {
            sql.push("thread t WHERE t.project_id = $1");
            ("t.created_at_ms", "t.id")
        }
    };
    let table = if driver.is_some() { "l" } else { "t" };
    sql.text_arg(&format!(" AND {table}.key = "), &view.key.key);
    sql.push(" AND t.deleted_at_ms IS NULL");
    if let Wanted::Only(visibility) = wanted {
        sql.text_arg(" AND t.visibility = ", visibility.as_str());
    }
    match filter.resolved {
        Some(true) => sql.push(" AND t.resolved = TRUE"),
        Some(false) => sql.push(" AND t.resolved = FALSE"),
        None => {}
    }
    if let (Some(wanted), Some(user)) = (filter.subscribed, &query.user) {
        subscription(&mut sql, wanted, user);
    }
    for (index, term) in filter.metadata.iter().enumerate() {
        match driver {
            Some(driver) if driver == index => value(&mut sql, "l", term),
            Some(_) | None => condition(&mut sql, term),
        }
    }
    if let Some(after) = &query.after {
        sql.push(&format!(" AND ({at}, {id}) < ("));
        sql.arg(Arg::Int(after.at_ms));
        sql.text_arg(", ", after.id.as_str());
        sql.push(")");
    }
    let limit = one_more(query.limit);
    sql.push(&format!(" ORDER BY {at} DESC, {id} DESC LIMIT {limit}"));
    sql
}

/// Whether a user follows the thread.
fn subscription(sql: &mut Sql, wanted: bool, user: &UserId) {
    let not = if wanted { "" } else { "NOT " };
    sql.push(&format!(
        " AND {not}EXISTS (SELECT 1 FROM thread_subscription s WHERE s.project_id = $1 \
         AND s.key = t.key AND s.thread_id = t.id AND s.deleted_at_ms IS NULL"
    ));
    sql.text_arg(" AND s.user_id = ", user.as_str());
    sql.push(")");
}

/// A condition that another index drives past.
fn condition(sql: &mut Sql, term: &MetadataTerm) {
    let not = if matches!(term, MetadataTerm::Absent { .. }) { "NOT " } else { "" };
    sql.push(&format!(
        " AND {not}EXISTS (SELECT 1 FROM thread_metadata x WHERE x.project_id = $1 \
         AND x.key = t.key AND x.thread_id = t.id"
    ));
    value(sql, "x", term);
    sql.push(")");
}

fn value(sql: &mut Sql, table: &str, term: &MetadataTerm) {
    let (MetadataTerm::Equals { key, .. }
    | MetadataTerm::Prefix { key, .. }
    | MetadataTerm::Number { key, .. }
    | MetadataTerm::Absent { key }) = term;
    sql.text_arg(&format!(" AND {table}.name = "), key);
    match term {
        MetadataTerm::Equals { value, .. } => {
            let (kind, text, _) = indexed(value);
            sql.text_arg(&format!(" AND {table}.kind = "), kind);
            sql.text_arg(&format!(" AND {table}.value = "), &text);
        }
        MetadataTerm::Prefix { prefix, .. } => {
            sql.push(&format!(" AND {table}.kind = 's'"));
            sql.prefix(&format!("{table}.value"), prefix);
        }
        MetadataTerm::Number { op, number, .. } => {
            sql.push(&format!(" AND {table}.kind = 'n' AND {table}.number {} ", op.as_str()));
            sql.arg(Arg::Real(*number));
        }
        MetadataTerm::Absent { .. } => {}
    }
}
