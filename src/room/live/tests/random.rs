//! Random comings and goings, and what must hold after each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::super::*;
use super::{NOW_MS, camera, live, permission, somebody};
use crate::domain::live::ParticipantChange;

/// A step that somebody takes.
#[derive(Debug, Clone)]
enum Step {
    Join(u8, u8),
    Leave(u8),
    Activate(u8),
    Publish(u8),
    Unpublish(u8),
    Hide(u8, bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..4_u8, 0..3_u8).prop_map(|(who, link)| Step::Join(who, link)),
        (0..12_u8).prop_map(Step::Leave),
        (0..12_u8).prop_map(Step::Activate),
        (0..12_u8).prop_map(Step::Publish),
        (0..12_u8).prop_map(Step::Unpublish),
        (0..4_u8, any::<bool>()).prop_map(|(who, hidden)| Step::Hide(who, hidden)),
    ];
    prop::collection::vec(step, 0..60)
}

/// A room, and what must be true of it.
struct World {
    live: Live,
    effects: Effects,
    connected: BTreeMap<ActorId, String>,
    active: BTreeSet<Arc<str>>,
    published: BTreeSet<String>,
}

impl World {
    fn new() -> Self {
        Self {
            live: live(0),
            effects: Effects::default(),
            connected: BTreeMap::new(),
            active: BTreeSet::new(),
            published: BTreeSet::new(),
        }
    }

    /// `actor` is a number that nobody has yet.
    fn take(&mut self, step: &Step, actor: ActorId) {
        let connected: Vec<ActorId> = self.connected.keys().copied().collect();
        let nth = |n: u8| connected.get(usize::from(n)).copied();
        let (live, effects) = (&mut self.live, &mut self.effects);
        match *step {
            Step::Join(who, link) => {
                let link = [Link::Plain, Link::Stream, Link::Signal][usize::from(link)];
                let (who, sid) = (format!("u{who}"), format!("PA_{actor}").into());
                for gone in live.join(actor, somebody(&who, link), (sid, NOW_MS), effects) {
                    self.connected.remove(&gone);
                }
                self.connected.insert(actor, who);
            }
            Step::Hide(who, hidden) => {
                let permission = Some(Permission { hidden, ..permission() });
                let change = ParticipantChange { permission, ..Default::default() };
                drop(live.update(&format!("u{who}"), change, effects));
            }
            Step::Leave(n) => {
                if let Some(actor) = nth(n) {
                    self.connected.remove(&actor);
                    live.leave(actor, LeaveReason::ClientInitiated, effects);
                }
            }
            Step::Activate(n) => {
                if let Some(actor) = nth(n) {
                    live.activate(actor, effects);
                }
            }
            Step::Publish(n) => {
                if let Some(by) = nth(n) {
                    live.add_track(by, camera(&format!("TR_{actor}")), effects);
                }
            }
            Step::Unpublish(n) => {
                if let Some(by) = nth(n) {
                    let info = live.identity(by).and_then(|identity| live.find(identity));
                    let tracks = info.map(|info| &info.tracks).into_iter().flatten();
                    let sids: Vec<String> = tracks.map(|track| track.sid.clone()).collect();
                    live.unpublish(by, &sids, effects);
                }
            }
        }
    }

    /// Nobody is told of the same twice, or of an end without a beginning.
    fn hear(&mut self) {
        for news in self.effects.news.drain(..) {
            let sid = || news.participant.as_ref().map(|info| Arc::clone(&info.sid)).unwrap();
            let track = || news.track.as_ref().map(|track| track.sid.clone()).unwrap();
            let is_right = match news.event.name() {
                "participant_joined" => self.active.insert(sid()),
                "participant_left" => self.active.remove(&sid()),
                "participant_connection_aborted" => !self.active.contains(&sid()),
                "track_published" => self.published.insert(track()),
                "track_unpublished" => self.published.remove(&track()),
                _ => false,
            };
            assert!(is_right, "{news:?}");
        }
    }

    fn check(&mut self) {
        let listing = self.live.listing();
        let identities: BTreeSet<&str> =
            listing.people.iter().map(|info| &*info.identity).collect();
        let expected: BTreeSet<&str> = self.connected.values().map(String::as_str).collect();
        assert_eq!(identities, expected);
        let summary = self.live.summary().unwrap();
        let visible = listing.people.iter().filter(|info| info.is_visible());
        assert_eq!(summary.participants as usize, visible.clone().count());
        let publishers = visible.filter(|info| !info.tracks.is_empty()).count();
        assert_eq!(summary.publishers as usize, publishers);
        let tracks = listing.people.iter().flat_map(|info| &info.tracks);
        let tracks: BTreeSet<String> = tracks.map(|track| track.sid.clone()).collect();
        assert_eq!(tracks, self.published);
        let is_active = |info: &&Arc<Participant>| info.state == ParticipantState::Active;
        let active = listing.people.iter().filter(is_active);
        assert_eq!(active.map(|info| Arc::clone(&info.sid)).collect::<BTreeSet<_>>(), self.active);
        assert_eq!(self.live.is_occupied(), !self.connected.is_empty());
    }
}

proptest! {
    /// What is counted is what is listed, nobody is listed without a connection, and everybody who
    /// was told of as joined is told of as left.
    #[test]
    fn what_is_counted_is_what_is_there(steps in steps()) {
        let mut world = World::new();
        for (actor, step) in (0..).zip(&steps) {
            world.take(step, actor);
            world.hear();
            world.check();
        }
    }
}
