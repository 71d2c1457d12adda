//! Lists of rooms, newest first.
//!
//! Which index serves a filter best depends on the data: a rare prefix is read from the index of
//! ids and sorted, a common one is met often enough on a walk through the newest rooms. Nobody
//! keeps statistics for that here. Both ways are tried in turn with growing budgets, so a page
//! costs at most a small multiple of what the better way would have cost.
//!
//! Invariant: [`RoomFilter::matches`] decides. A statement may let too much through, never too
//! little.

use std::sync::Arc;

use sqlx::AssertSqlSafe;

use super::Store;
use super::db::on_db;
use super::room_query::{Arg, Key, Plan, Source, Sql, Window, count, subjects_of};
use super::room_row::RoomRow;
use crate::domain::ctx::Guarded;
use crate::domain::cursor::RoomCursor;
use crate::domain::ids::{ProjectId, RoomId};
use crate::domain::query::RoomFilter;
use crate::domain::room::Room;
use crate::error::Error;

/// Entries of the first bounded walk: a page of 100 is full if one room in five matches.
const WALK_ENTRIES_FIRST: usize = 512;
/// After a walk of this length the next one is not bounded.
const WALK_ENTRIES_MAX: usize = 1 << 22;
const WALK_GROWTH: usize = 8;
/// Two indexes with more entries than this are equally good to begin with.
const CHOICE_ENTRIES_MAX: usize = 1_000;
/// Rooms asked for at a time, at least, when a statement let too much through.
const FETCH_ROOMS_MIN: usize = 8;

impl Store {
    /// The rooms after `after`, at most `limit`. Rooms that come or go between two pages neither
    /// repeat nor hide another.
    pub async fn list_rooms(
        &self,
        project: &ProjectId,
        filter: &RoomFilter,
        after: Option<&RoomCursor>,
        limit: usize,
    ) -> Result<Vec<Guarded<Arc<Room>>>, Error> {
        let subjects = subjects_of(filter);
        let plan = Plan::new(filter, &subjects);
        let after = after.map_or_else(Key::first, |cursor| Key {
            created_at_ms: cursor.created_at_ms,
            room_id: cursor.room_id.as_str().to_owned(),
        });
        let mut page = Page { store: self, project, filter, plan, after, limit, found: Vec::new() };
        if limit > 0 {
            page.fill().await?;
        }
        page.found.truncate(limit);
        Ok(page.found.into_iter().map(Guarded::new).collect())
    }
}

struct Page<'a> {
    store: &'a Store,
    project: &'a ProjectId,
    filter: &'a RoomFilter,
    plan: Plan<'a>,
    /// The last room that was looked at: nothing up to it is missing.
    after: Key,
    limit: usize,
    found: Vec<Arc<Room>>,
}

impl<'a> Page<'a> {
    async fn fill(&mut self) -> Result<(), Error> {
        if let Some(id) = self.plan.id {
            return self.fill_with_one(id).await;
        }
        let walk = self.choose_walk().await?;
        let ranges = self.plan.ranges();
        if ranges.is_empty() {
            return self.fill_from(walk, None).await;
        }
        let mut entries = WALK_ENTRIES_FIRST;
        while entries < WALK_ENTRIES_MAX {
            let found_before = self.found.len();
            self.fill_from(walk, Some(entries)).await?;
            if self.is_full() {
                return Ok(());
            }
            // An entry that is read by range and sorted costs about as much as one walked past.
            if let Some(range) = self.range_below(&ranges, entries).await? {
                return self.fill_from(range, None).await;
            }
            entries = self.next_walk(entries, self.found.len() - found_before);
        }
        self.fill_from(walk, None).await
    }

    /// The next walk begins at the last room that was found, which is right whatever was written
    /// in between. If the one before says that a few more steps fill the page, it takes just those.
    fn next_walk(&self, entries: usize, gained: usize) -> usize {
        let missing = self.limit.saturating_sub(self.found.len());
        let grown = entries.saturating_mul(WALK_GROWTH);
        match entries.saturating_mul(missing).saturating_mul(2).checked_div(gained) {
            // A power of two, so that there are few texts of statements.
            Some(enough) => enough.clamp(WALK_ENTRIES_FIRST, grown).next_power_of_two(),
            None => grown,
        }
    }

    fn is_full(&self) -> bool {
        self.found.len() >= self.limit
    }

    async fn fill_with_one(&mut self, id: &str) -> Result<(), Error> {
        let id = RoomId::trusted(id);
        if let Some(room) = self.store.load_room(self.project, &id).await?
            && Key::of(&room) < self.after
            && self.filter.matches(&room)
        {
            self.found.push(room);
        }
        Ok(())
    }

    /// Takes from one source until the page is full or the window is used up.
    async fn fill_from(&mut self, source: Source<'a>, entries: Option<usize>) -> Result<(), Error> {
        while !self.is_full() {
            let limit = (self.limit - self.found.len()).max(FETCH_ROOMS_MIN);
            let window = Window { after: &self.after, entries, limit };
            let sql = self.plan.page(self.project.as_str(), source, window);
            let rows: Vec<RoomRow> = self.store.fetch_rows(sql).await?;
            let used_up = rows.len() < limit;
            for row in rows {
                let room = row.into_room()?;
                self.after = Key::of(&room);
                if self.filter.matches(&room) {
                    self.found.push(room);
                }
            }
            if used_up {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The most selective of the indexes that are in the order of the list.
    async fn choose_walk(&self) -> Result<Source<'a>, Error> {
        let candidates = self.plan.ordered();
        if let [] | [_] = candidates.as_slice() {
            return Ok(candidates.first().copied().unwrap_or(Source::All));
        }
        let mut best = (usize::MAX, Source::All);
        for candidate in candidates {
            let entries = self.count(candidate, CHOICE_ENTRIES_MAX).await?;
            if entries < best.0 {
                best = (entries, candidate);
            }
        }
        Ok(best.1)
    }

    async fn range_below(
        &self,
        ranges: &[Source<'a>],
        entries_max: usize,
    ) -> Result<Option<Source<'a>>, Error> {
        for range in ranges {
            if self.count(*range, entries_max).await? < entries_max {
                return Ok(Some(*range));
            }
        }
        Ok(None)
    }

    async fn count(&self, source: Source<'a>, cap: usize) -> Result<usize, Error> {
        let rows: Vec<(i64,)> =
            self.store.fetch_rows(count(self.project.as_str(), source, cap)).await?;
        let (entries,) = rows.first().copied().unwrap_or((0,));
        Ok(usize::try_from(entries).unwrap_or(0))
    }
}

impl Key {
    fn of(room: &Room) -> Self {
        Self { created_at_ms: room.created_at_ms, room_id: room.id.as_str().to_owned() }
    }
}

impl Store {
    async fn fetch_rows<T>(&self, sql: Sql) -> Result<Vec<T>, Error>
    where
        T: for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow>
            + for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>
            + Send
            + Unpin,
    {
        let Sql { text, args } = sql;
        self.read("room", async {
            on_db!(&self.inner.db, |c| {
                let mut query = sqlx::query_as::<_, T>(AssertSqlSafe(text));
                for arg in args {
                    query = match arg {
                        Arg::Text(text) => query.bind(text),
                        Arg::Int(number) => query.bind(number),
                        Arg::Real(number) => query.bind(number),
                    };
                }
                query.fetch_all(c).await
            })
        })
        .await
    }
}
