//! The statements behind lists of rooms: which index a filter can be driven from, and the text.
//!
//! Invariant: a text holds only names and numbers of ours; what a caller sent is a parameter.
//! Limits are numbers in the text on purpose: PostgreSQL plans a `LIMIT $n` as if it fetched a
//! tenth of the table, and then sorts what it could have walked.

use std::fmt::Write as _;

use super::room_index::{KIND_GROUP, KIND_USER};
use super::room_row::room_columns;
use crate::domain::query::{NumberOp, RoomFilter, RoomTerm};

/// The place of a room in its list: newest first, and by id among those of one millisecond.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) created_at_ms: i64,
    pub(super) room_id: String,
}

impl Key {
    /// Before every room.
    pub(super) fn first() -> Self {
        Self { created_at_ms: i64::MAX, room_id: String::new() }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Arg {
    Text(String),
    Int(i64),
    Real(f64),
}

/// A statement and its parameters, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Sql {
    pub(super) text: String,
    pub(super) args: Vec<Arg>,
}

/// One condition of a filter.
#[derive(Debug, Clone, Copy)]
pub(super) enum Predicate<'a> {
    Organization(&'a str),
    Subjects(&'a [(&'static str, &'a str)]),
    IdPrefix(&'a str),
    Value { key: &'a str, value: &'a str },
    ValuePrefix { key: &'a str, prefix: &'a str },
    Number { key: &'a str, op: NumberOp, number: f64 },
    Absent { key: &'a str },
}

/// Where rooms are read from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'a> {
    /// All rooms of the project, in the order of the list.
    All,
    /// The rooms that satisfy one condition, from its index. If [`Predicate::is_ordered`], they
    /// come in the order of the list, else they have to be sorted.
    Of(usize, Predicate<'a>),
}

/// The part of the list that a statement looks at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window<'a> {
    pub(super) after: &'a Key,
    /// Entries of an ordered source that are looked at, a few more if some are of one time; `None`
    /// is all that are left.
    pub(super) entries: Option<usize>,
    pub(super) limit: usize,
}

/// A filter, sorted by what its conditions are good for.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) predicates: Vec<Predicate<'a>>,
}

pub(super) fn subjects_of(filter: &RoomFilter) -> Vec<(&'static str, &str)> {
    let user = filter.user_id.iter().map(|id| (KIND_USER, id.as_str()));
    user.chain(filter.group_ids.iter().map(|id| (KIND_GROUP, id.as_str()))).collect()
}

impl<'a> Plan<'a> {
    /// `subjects` is [`subjects_of`] the same filter.
    pub(super) fn new(filter: &'a RoomFilter, subjects: &'a [(&'static str, &'a str)]) -> Self {
        let mut id = None;
        let mut predicates = Vec::with_capacity(filter.terms.len() + 2);
        for term in &filter.terms {
            predicates.push(match term {
                RoomTerm::IdEquals(equals) => {
                    id = Some(equals.as_str());
                    continue;
                }
                RoomTerm::IdPrefix(prefix) => Predicate::IdPrefix(prefix),
                RoomTerm::MetadataEquals { key, value } => Predicate::Value { key, value },
                RoomTerm::MetadataPrefix { key, prefix } => Predicate::ValuePrefix { key, prefix },
                RoomTerm::MetadataNumber { key, op, number } => {
                    Predicate::Number { key, op: *op, number: *number }
                }
                RoomTerm::MetadataAbsent { key } => Predicate::Absent { key },
            });
        }
        if !subjects.is_empty() {
            predicates.push(Predicate::Subjects(subjects));
        }
        if let Some(organization) = &filter.organization_id {
            predicates.push(Predicate::Organization(organization.as_str()));
        }
        Self { id, predicates }
    }

    /// Indexes that hold the rooms in the order of the list.
    pub(super) fn ordered(&self) -> Vec<Source<'a>> {
        self.sources(|predicate| predicate.is_ordered())
    }

    /// Indexes that hold the rooms, but in another order.
    pub(super) fn ranges(&self) -> Vec<Source<'a>> {
        self.sources(|predicate| predicate.is_range())
    }

    fn sources(&self, wanted: impl Fn(&Predicate<'a>) -> bool) -> Vec<Source<'a>> {
        let numbered = self.predicates.iter().enumerate();
        numbered.filter(|(_, p)| wanted(p)).map(|(i, p)| Source::Of(i, *p)).collect()
    }

    /// The rooms of a window, from one source, with all other conditions checked on the way.
    pub(super) fn page(&self, project: &str, source: Source<'a>, window: Window<'_>) -> Sql {
        let mut sql = Sql::new(project);
        sql.push(concat!("SELECT ", room_columns!(), " FROM ("));
        sql.union(source, "UNION", |sql, arm| {
            let at = if source.is_ordered() { "s.created_at_ms" } else { "(s.created_at_ms + 0)" };
            let id = arm.id_column();
            // Two texts of one list may lie in one range.
            let once = source.is_ordered() || id == "s.id";
            let distinct = if once { "" } else { "DISTINCT " };
            sql.push(&format!("SELECT {distinct}{at} AS at_ms, {id} AS room_key"));
            sql.from(arm);
            sql.key(&format!(" AND ({at}, {id}) < ("), window.after);
            if let Some(entries) = window.entries {
                sql.bound(arm, window.after, entries);
            }
            for (index, predicate) in self.predicates.iter().enumerate() {
                if !matches!(source, Source::Of(own, _) if own == index) {
                    sql.check(*predicate, id);
                }
            }
            sql.push(&format!(" ORDER BY at_ms DESC, room_key DESC LIMIT {}", window.limit));
        });
        if matches!(source, Source::Of(_, Predicate::Subjects(_))) {
            // Each part gave up to a full page; only one page's rooms are worth reading.
            sql.push(&format!(" ORDER BY at_ms DESC, room_key DESC LIMIT {}", window.limit));
        }
        sql.push(&format!(
            ") k CROSS JOIN room r WHERE r.project_id = $1 AND r.id = k.room_key \
             ORDER BY k.at_ms DESC, k.room_key DESC LIMIT {}",
            window.limit
        ));
        sql
    }
}

/// How many entries a source has, but never counts beyond `cap`.
pub(super) fn count(project: &str, source: Source<'_>, cap: usize) -> Sql {
    let mut sql = Sql::new(project);
    sql.push("SELECT COUNT(*) FROM (");
    sql.union(source, "UNION ALL", |sql, arm| {
        sql.push("SELECT 1 AS one");
        sql.from(arm);
        sql.push(&format!(" LIMIT {cap}"));
    });
    sql.push(") c");
    sql
}

/// One range of one index.
#[derive(Debug, Clone, Copy)]
enum Arm<'a> {
    All,
    Subject(&'static str, &'a str),
    Of(Predicate<'a>),
}

impl Arm<'_> {
    fn id_column(self) -> &'static str {
        match self {
            Self::All | Self::Of(Predicate::Organization(_) | Predicate::IdPrefix(_)) => "s.id",
            Self::Subject(..) | Self::Of(_) => "s.room_id",
        }
    }
}

impl Source<'_> {
    fn is_ordered(&self) -> bool {
        match self {
            Self::All => true,
            Self::Of(_, predicate) => predicate.is_ordered(),
        }
    }
}

impl Predicate<'_> {
    fn is_ordered(&self) -> bool {
        match self {
            Self::Organization(_) | Self::Value { .. } | Self::Subjects(_) => true,
            Self::IdPrefix(_)
            | Self::ValuePrefix { .. }
            | Self::Number { .. }
            | Self::Absent { .. } => false,
        }
    }

    fn is_range(&self) -> bool {
        match self {
            Self::IdPrefix(_) | Self::ValuePrefix { .. } | Self::Number { .. } => true,
            Self::Organization(_)
            | Self::Value { .. }
            | Self::Subjects(_)
            | Self::Absent { .. } => false,
        }
    }
}

impl Sql {
    pub(super) fn new(project: &str) -> Self {
        Self { text: String::with_capacity(768), args: vec![Arg::Text(project.to_owned())] }
    }

    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(super) fn arg(&mut self, arg: Arg) {
        self.args.push(arg);
        // Writing to a string cannot fail.
        let _ = write!(self.text, "${}", self.args.len());
    }

    pub(super) fn text_arg(&mut self, before: &str, text: &str) {
        self.push(before);
        self.arg(Arg::Text(text.to_owned()));
    }

    /// One part per range of an index. Each part has its own order and limit, which SQLite takes
    /// only inside of a `SELECT * FROM (...)`.
    fn union(
        &mut self,
        source: Source<'_>,
        operator: &str,
        mut part: impl FnMut(&mut Self, Arm<'_>),
    ) {
        match source {
            Source::All => part(self, Arm::All),
            Source::Of(_, Predicate::Subjects(subjects)) => {
                for (index, (kind, id)) in subjects.iter().enumerate() {
                    if index > 0 {
                        self.push(&format!(" {operator} "));
                    }
                    self.push("SELECT * FROM (");
                    part(self, Arm::Subject(kind, id));
                    self.push(&format!(") a{index}"));
                }
            }
            Source::Of(_, predicate) => part(self, Arm::Of(predicate)),
        }
    }

    fn from(&mut self, arm: Arm<'_>) {
        match arm {
            Arm::All => self.push(" FROM room s WHERE s.project_id = $1"),
            Arm::Subject(kind, id) => {
                self.push(" FROM room_access s WHERE s.project_id = $1");
                self.text_arg(" AND s.kind = ", kind);
                self.text_arg(" AND s.subject_id = ", id);
            }
            Arm::Of(Predicate::Organization(id)) => {
                self.push(" FROM room s WHERE s.project_id = $1");
                self.text_arg(" AND s.organization_id = ", id);
            }
            Arm::Of(Predicate::IdPrefix(prefix)) => {
                self.push(" FROM room s WHERE s.project_id = $1");
                self.prefix("s.id", prefix);
            }
            Arm::Of(predicate) => {
                self.push(" FROM room_metadata s WHERE s.project_id = $1");
                // The first half is what the partial index asks for.
                self.metadata("s", "s.number IS NOT NULL AND s.number", predicate);
            }
        }
    }

    /// Ends a walk at the time of the entry that is so many further on.
    fn bound(&mut self, arm: Arm<'_>, after: &Key, entries: usize) {
        self.push(" AND s.created_at_ms >= COALESCE((SELECT s.created_at_ms");
        self.from(arm);
        let id = arm.id_column();
        self.key(&format!(" AND (s.created_at_ms, {id}) < ("), after);
        self.push(&format!(
            " ORDER BY s.created_at_ms DESC, {id} DESC LIMIT 1 OFFSET {entries}), "
        ));
        self.arg(Arg::Int(i64::MIN));
        self.push(")");
    }

    fn key(&mut self, before: &str, key: &Key) {
        self.push(before);
        self.arg(Arg::Int(key.created_at_ms));
        self.text_arg(", ", &key.room_id);
        self.push(")");
    }

    /// A condition that another index drives past.
    fn check(&mut self, predicate: Predicate<'_>, id: &str) {
        match predicate {
            // `CASE` keeps both planners from taking the index of the ids after all.
            Predicate::IdPrefix(prefix) => {
                self.push(" AND (CASE WHEN TRUE");
                self.prefix(id, prefix);
                self.push(" THEN 1 ELSE 0 END) = 1");
            }
            Predicate::Organization(organization) => {
                self.push(" AND EXISTS (SELECT 1 FROM room x WHERE x.project_id = $1 AND x.id = ");
                self.push(id);
                self.text_arg(" AND x.organization_id = ", organization);
                self.push(")");
            }
            Predicate::Subjects(subjects) => self.subjects(subjects, id),
            Predicate::Absent { .. } => {
                self.push(" AND NOT EXISTS (");
                self.metadata_of(predicate, id);
            }
            Predicate::Value { .. } | Predicate::ValuePrefix { .. } | Predicate::Number { .. } => {
                self.push(" AND EXISTS (");
                self.metadata_of(predicate, id);
            }
        }
    }

    fn subjects(&mut self, subjects: &[(&'static str, &str)], id: &str) {
        self.push(" AND EXISTS (SELECT 1 FROM room_access x WHERE x.project_id = $1");
        self.push(&format!(" AND x.room_id = {id} AND ("));
        let mut or = "";
        for kind in [KIND_USER, KIND_GROUP] {
            let mut ids = subjects.iter().filter(|(k, _)| *k == kind).map(|(_, id)| *id);
            let Some(first) = ids.next() else { continue };
            self.text_arg(&format!("{or}x.kind = "), kind);
            self.text_arg(" AND x.subject_id IN (", first);
            ids.for_each(|id| self.text_arg(", ", id));
            self.push(")");
            or = " OR ";
        }
        self.push("))");
    }

    fn metadata_of(&mut self, predicate: Predicate<'_>, id: &str) {
        self.push("SELECT 1 FROM room_metadata x WHERE x.project_id = $1");
        self.push(&format!(" AND x.room_id = {id}"));
        // An expression, since SQLite would rather scan the index of numbers than look up the
        // room's own few, once for every room that is passed.
        self.metadata("x", "(x.number + 0)", predicate);
        self.push(")");
    }

    fn metadata(&mut self, table: &str, number: &str, predicate: Predicate<'_>) {
        let key = match predicate {
            Predicate::Value { key, .. }
            | Predicate::ValuePrefix { key, .. }
            | Predicate::Number { key, .. }
            | Predicate::Absent { key } => key,
            Predicate::Organization(_) | Predicate::Subjects(_) | Predicate::IdPrefix(_) => return,
        };
        self.text_arg(&format!(" AND {table}.key = "), key);
        match predicate {
            Predicate::Value { value, .. } => {
                self.text_arg(&format!(" AND {table}.value = "), value);
            }
            Predicate::ValuePrefix { prefix, .. } => self.prefix(&format!("{table}.value"), prefix),
            Predicate::Number { op, number: limit, .. } => {
                self.push(&format!(" AND {number} {} ", op.as_str()));
                self.arg(Arg::Real(limit));
            }
            Predicate::Absent { .. }
            | Predicate::Organization(_)
            | Predicate::Subjects(_)
            | Predicate::IdPrefix(_) => {}
        }
    }

    /// `LIKE` ignores case on SQLite; a range is exact and has an index on both.
    pub(super) fn prefix(&mut self, column: &str, prefix: &str) {
        self.text_arg(&format!(" AND {column} >= "), prefix);
        if let Some(end) = successor(prefix) {
            self.text_arg(&format!(" AND {column} < "), &end);
        }
    }
}

/// The first text, in the order of code points, after all that begin with `prefix`; `None` if
/// there is none, as for a prefix of nothing but the last code point.
fn successor(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // `char` steps over the surrogates, which are not in UTF-8.
        if let Some(next) = (last..=char::MAX).nth(1) {
            text.push(next);
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests;
