//! Times of changes, for those who ask what changed since they asked last.
//!
//! A change is stamped before it is committed, so whoever reads in between does not see it, and
//! would never see it if they were told to go on from now. They are told to go on from the oldest
//! stamp that is still on its way. This holds for one process: on several, stamps are the
//! database's business.
//!
//! Stamps also say when there was nothing new: whoever read while no change of a room was on its way
//! knows what the room's changes are until the next one begins. A change of which nobody said what
//! it concerns concerns everybody.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Store;
use super::room_data::DataKey;
use crate::domain::ids::{ProjectId, UserId};

/// Rooms and users share so many lanes: what meets in one lane is asked for once too often.
const LANES: usize = 1 << 14;
/// The lane of changes that concern everybody.
const EVERYBODY: usize = 0;

#[derive(Debug, Clone)]
pub(super) struct Stamps(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    hasher: RandomState,
}

#[derive(Debug)]
struct State {
    /// How many changes of each time are on their way.
    pending: BTreeMap<i64, usize>,
    /// The latest time that a reader was told to go on from.
    told_ms: i64,
    lanes: Vec<LaneCounts>,
}

#[derive(Debug, Clone, Copy, Default)]
struct LaneCounts {
    begun: u64,
    pending: u32,
}

/// What changed in a room and for a user had ended when this was made. It holds until the next change
/// begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quiet {
    lanes: [usize; 3],
    begun: [u64; 3],
}

/// The time of a change, on its way until it is dropped. It belongs into the arguments of the
/// transaction, which outlive its commit.
#[derive(Debug)]
pub struct Stamp {
    ms: i64,
    lane: usize,
    stamps: Stamps,
}

impl Stamp {
    pub fn ms(&self) -> i64 {
        self.ms
    }
}

impl Drop for Stamp {
    fn drop(&mut self) {
        let mut state = self.stamps.lock();
        if let Some(count) = state.pending.get_mut(&self.ms) {
            *count -= 1;
            if *count == 0 {
                state.pending.remove(&self.ms);
            }
        }
        if let Some(lane) = state.lanes.get_mut(self.lane) {
            lane.pending -= 1;
        }
    }
}

impl Default for Stamps {
    fn default() -> Self {
        let lanes = vec![LaneCounts::default(); LANES];
        let state = Mutex::new(State { pending: BTreeMap::new(), told_ms: 0, lanes });
        Self(Arc::new(Shared { state, hasher: RandomState::new() }))
    }
}

impl Stamps {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never before what a reader was told, even if the clock was set back.
    fn begin(&self, now_ms: i64, lane: usize) -> Stamp {
        let mut state = self.lock();
        let ms = now_ms.max(state.told_ms);
        *state.pending.entry(ms).or_default() += 1;
        if let Some(lane) = state.lanes.get_mut(lane) {
            lane.begun += 1;
            lane.pending += 1;
        }
        Stamp { ms, lane, stamps: self.clone() }
    }

    fn settled_ms(&self, now_ms: i64) -> i64 {
        let mut state = self.lock();
        let oldest = state.pending.first_key_value().map(|(ms, _)| *ms);
        let settled = oldest.map_or(now_ms, |oldest| oldest.min(now_ms));
        state.told_ms = state.told_ms.max(settled);
        settled
    }

    fn room_lane(&self, key: &DataKey) -> usize {
        self.lane((key.project.as_str(), "room", &*key.key))
    }

    fn user_lane(&self, project: &ProjectId, user: &UserId) -> usize {
        self.lane((project.as_str(), "user", user.as_str()))
    }

    fn lane(&self, what: (&str, &str, &str)) -> usize {
        let others = LANES - 1;
        1 + usize::try_from(self.0.hasher.hash_one(what) >> 32).unwrap_or(0) % others
    }

    /// To be taken before what changed is read; nothing, if a change is on its way.
    pub fn quiet(&self, key: &DataKey, user: Option<&UserId>) -> Option<Quiet> {
        let room = self.room_lane(key);
        let user = user.map_or(room, |user| self.user_lane(&key.project, user));
        let lanes = [EVERYBODY, room, user];
        let state = self.lock();
        let counts = lanes.map(|lane| state.lanes.get(lane).copied().unwrap_or_default());
        let is_quiet = counts.iter().all(|lane| lane.pending == 0);
        is_quiet.then(|| Quiet { lanes, begun: counts.map(|lane| lane.begun) })
    }

    pub fn is_still(&self, quiet: &Quiet) -> bool {
        let state = self.lock();
        let begun = |lane: usize| state.lanes.get(lane).map(|lane| lane.begun);
        quiet.lanes.iter().zip(quiet.begun).all(|(lane, then)| begun(*lane) == Some(then))
    }
}

impl Store {
    /// The time of a change that is about to be made, and that may concern anybody.
    pub fn stamp(&self, now_ms: i64) -> Stamp {
        self.inner.stamps.begin(now_ms, EVERYBODY)
    }

    /// As [`Store::stamp`], for a change of what this room holds, whomever it is told to.
    pub fn stamp_in(&self, key: &DataKey, now_ms: i64) -> Stamp {
        self.inner.stamps.begin(now_ms, self.inner.stamps.room_lane(key))
    }

    /// As [`Store::stamp`], for a change that only this user is told of.
    pub fn stamp_for(&self, project: &ProjectId, user: &UserId, now_ms: i64) -> Stamp {
        self.inner.stamps.begin(now_ms, self.inner.stamps.user_lane(project, user))
    }

    /// From when on to ask for changes the next time: taken before the changes are read, and what
    /// is stamped with exactly this time is told again.
    pub fn settled_ms(&self, now_ms: i64) -> i64 {
        self.inner.stamps.settled_ms(now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(key: &str) -> DataKey {
        DataKey { project: ProjectId::trusted("p"), key: key.into() }
    }

    #[test]
    fn it_is_quiet_until_a_change_begins_that_concerns_the_reader() {
        let stamps = Stamps::default();
        let (here, there, user) = (room("here"), room("there"), UserId::trusted("ada"));
        let quiet = |key| stamps.quiet(key, Some(&user));
        let (before, elsewhere) = (quiet(&here).unwrap(), quiet(&there).unwrap());
        assert!(stamps.is_still(&before));
        let change = stamps.begin(1, stamps.room_lane(&here));
        assert_eq!(quiet(&here), None, "a change is on its way");
        drop(change);
        assert!(!stamps.is_still(&before), "it was told before the change");
        assert!(stamps.is_still(&elsewhere));
        let after = quiet(&here).unwrap();
        drop(stamps.begin(2, stamps.user_lane(&here.project, &UserId::trusted("grace"))));
        assert!(stamps.is_still(&after));
        drop(stamps.begin(3, stamps.user_lane(&here.project, &user)));
        assert!(!stamps.is_still(&after));
        let last = quiet(&here).unwrap();
        drop(stamps.begin(4, EVERYBODY));
        assert!(!stamps.is_still(&last) && !stamps.is_still(&elsewhere));
    }

    #[test]
    fn readers_go_on_from_the_oldest_change_on_its_way() {
        let stamps = Stamps::default();
        assert_eq!(stamps.settled_ms(5), 5);
        let (first, second) = (stamps.begin(10, EVERYBODY), stamps.begin(11, EVERYBODY));
        assert_eq!(stamps.settled_ms(20), 10);
        drop(first);
        assert_eq!(stamps.settled_ms(20), 11);
        drop(second);
        assert_eq!(stamps.settled_ms(20), 20);
    }

    #[test]
    fn no_change_is_stamped_before_what_a_reader_was_told() {
        let stamps = Stamps::default();
        assert_eq!(stamps.settled_ms(100), 100);
        assert_eq!(stamps.begin(50, EVERYBODY).ms(), 100);
    }
}
