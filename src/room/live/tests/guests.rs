//! Three rooms that show one another's people: whatever comes when, who is shown is who was
//! forwarded, stayed, and was not removed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::super::guests::{GuestNews, Guests, Noted};
use super::super::*;
use super::{NOW_MS, camera, enter, live, permission, somebody};
use crate::domain::ids::RoomId;
use crate::domain::live::ParticipantChange;
use crate::room::effects::{Forward, ForwardStep};

const ROOMS: [&str; 3] = ["a", "b", "c"];

/// A room with what waits for it.
struct Place {
    live: Live,
    guests: Guests,
}

/// A room, and an identity that is shown there.
type GuestOf = (&'static str, Arc<str>);
/// A room, and the sid under which somebody is in it.
type Stay = (&'static str, Arc<str>);

/// Rooms as their actors would run them, but for when they come to look at their guests.
struct World {
    places: BTreeMap<&'static str, Place>,
    /// Who ought to be shown: in which room, from which, and during which stay there.
    expected: BTreeMap<GuestOf, Stay>,
    actors: ActorId,
}

impl World {
    fn new() -> Self {
        let place =
            |room: &&'static str| (*room, Place { live: live(0), guests: Guests::default() });
        Self { places: ROOMS.iter().map(place).collect(), expected: BTreeMap::new(), actors: 0 }
    }

    fn live(&mut self, room: &str) -> &mut Live {
        &mut self.places.get_mut(room).unwrap().live
    }

    /// What a room's actor does after a step.
    fn carry_out(&mut self, room: &str, effects: &Effects) {
        for forward in &effects.forwards {
            let there = self.places.get_mut(&*forward.room).unwrap();
            if there.guests.note(forward, &RoomId::trusted(room)) == Noted::NotShown {
                let is_other = |other: &Arc<str>| *other != forward.room;
                self.live(room).retain_forwards(&forward.info.identity, is_other);
            }
        }
        for guest in &effects.gone_guests {
            self.places.get_mut(room).unwrap().guests.forget(guest);
        }
        for news in &effects.news {
            let is_guest = news.participant.as_ref().is_some_and(|info| info.is_forwarded);
            assert!(!is_guest, "webhooks tell of nobody's guests: {news:?}");
        }
    }

    fn step<T>(&mut self, room: &str, act: impl FnOnce(&mut Live, &mut Effects) -> T) -> T {
        let mut effects = Effects::default();
        let done = act(self.live(room), &mut effects);
        self.carry_out(room, &effects);
        done
    }

    fn look(&mut self, room: &str) {
        for news in self.places.get_mut(room).unwrap().guests.take() {
            self.step(room, |live, effects| live.show_guest(news, effects));
        }
    }

    /// A stay of somebody is over.
    fn expect_end(&mut self, room: &'static str, identity: &str) {
        self.expected.retain(|(_, who), (from, _)| *from != room || **who != *identity);
    }

    fn join(&mut self, room: &'static str, identity: &str) {
        self.actors += 1;
        let (actor, join) = (self.actors, somebody(identity, Link::Stream));
        let place = (format!("PA_{actor}").into(), NOW_MS);
        self.step(room, |live, effects| live.join(actor, join, place, effects));
        self.expected.remove(&(room, identity.into()));
    }

    fn leave(&mut self, room: &'static str, identity: &str) {
        for actor in self.live(room).actors_of(identity) {
            let reason = LeaveReason::ClientInitiated;
            self.step(room, |live, effects| live.leave(actor, reason, effects));
        }
        self.expect_end(room, identity);
    }

    /// As ForwardParticipant does: who is forwarded is shown when it is answered.
    fn forward(&mut self, from: &'static str, identity: &str, to: &'static str) {
        let known = self.live(from).find(identity).cloned();
        let forwarded =
            self.step(from, |live, effects| live.forward(identity, &to.into(), effects));
        let is_there = self.live(to).find(identity).is_some_and(|info| !info.is_forwarded);
        self.look(to);
        let Some(info) = known.filter(|info| !info.is_forwarded) else {
            return assert!(forwarded.is_err());
        };
        assert!(forwarded.is_ok());
        if !is_there {
            self.expected.insert((to, identity.into()), (from, Arc::clone(&info.sid)));
        }
    }

    /// As RemoveParticipant does.
    fn remove(&mut self, room: &'static str, identity: &str) {
        self.leave(room, identity);
        let reason = LeaveReason::ParticipantRemoved;
        self.step(room, |live, effects| live.remove_guest(identity, reason, effects));
        self.expected.remove(&(room, identity.into()));
    }

    /// The room's life ends, and it begins another one.
    fn end(&mut self, room: &'static str) {
        for identity in ["ann", "bob"] {
            self.leave(room, identity);
        }
        self.places.insert(room, Place { live: live(0), guests: Guests::default() });
        self.expected.retain(|(shown_in, _), _| *shown_in != room);
    }

    /// The room was lost, and its people with it: it is loaded anew when somebody comes.
    fn crash(&mut self, room: &'static str) {
        self.places.get_mut(room).unwrap().live = live(0);
        for other in self.places.values_mut() {
            other.guests.forget_all_of(&RoomId::trusted(room));
        }
        for news in self.places.get_mut(room).unwrap().guests.take_all() {
            self.step(room, |live, effects| live.show_guest(news, effects));
        }
        self.expected.retain(|_, (from, _)| *from != room);
    }

    fn rename(&mut self, room: &str, identity: &str, name: &str) {
        let change = ParticipantChange { name: Some(name.to_owned()), ..Default::default() };
        if self.live(room).find(identity).is_some_and(|info| !info.is_forwarded) {
            self.step(room, |live, effects| live.update(identity, change, effects)).unwrap();
        }
    }

    /// Once nothing waits, what is shown is what ought to be, as it is now.
    fn check(&mut self) {
        let mut shown = BTreeMap::new();
        for room in ROOMS {
            self.look(room);
            for info in &self.live(room).listing().people {
                if info.is_forwarded {
                    shown.insert((room, Arc::clone(&info.identity)), Arc::clone(info));
                }
            }
        }
        let sids = shown.iter().map(|(key, info)| (key.clone(), Arc::clone(&info.sid)));
        let expected = self.expected.iter().map(|(key, (_, sid))| (key.clone(), Arc::clone(sid)));
        assert_eq!(sids.collect::<BTreeMap<_, _>>(), expected.collect());
        for ((room, identity), (from, _)) in self.expected.clone() {
            let info = Arc::clone(self.live(from).find(&identity).unwrap());
            assert_eq!(shown[&(room, identity)].name, info.name);
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Join(usize, usize),
    Leave(usize, usize),
    Forward(usize, usize, usize),
    Remove(usize, usize),
    Rename(usize, usize),
    Look(usize),
    End(usize),
    Crash(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (room, who) = (0..3_usize, 0..2_usize);
    let step = prop_oneof![
        3 => (room.clone(), who.clone()).prop_map(|(room, who)| Step::Join(room, who)),
        2 => (room.clone(), who.clone()).prop_map(|(room, who)| Step::Leave(room, who)),
        4 => (room.clone(), who.clone(), 1..3_usize)
            .prop_map(|(room, who, by)| Step::Forward(room, who, (room + by) % 3)),
        2 => (room.clone(), who.clone()).prop_map(|(room, who)| Step::Remove(room, who)),
        3 => (room.clone(), who).prop_map(|(room, who)| Step::Rename(room, who)),
        2 => room.clone().prop_map(Step::Look),
        1 => room.clone().prop_map(Step::End),
        1 => room.prop_map(Step::Crash),
    ];
    prop::collection::vec(step, 0..40)
}

proptest! {
    #[test]
    fn whoever_is_shown_was_forwarded_and_has_stayed(steps in steps()) {
        let mut world = World::new();
        let people = ["ann", "bob"];
        for (count, step) in steps.iter().enumerate() {
            match *step {
                Step::Join(room, who) => world.join(ROOMS[room], people[who]),
                Step::Leave(room, who) => world.leave(ROOMS[room], people[who]),
                Step::Forward(room, who, to) => world.forward(ROOMS[room], people[who], ROOMS[to]),
                Step::Remove(room, who) => world.remove(ROOMS[room], people[who]),
                Step::Rename(room, who) => {
                    world.rename(ROOMS[room], people[who], &format!("name {count}"));
                }
                Step::Look(room) => world.look(ROOMS[room]),
                Step::End(room) => world.end(ROOMS[room]),
                Step::Crash(room) => world.crash(ROOMS[room]),
            }
        }
        world.check();
    }
}

#[test]
fn a_guest_who_was_removed_stays_away_until_forwarded_again() {
    let mut world = World::new();
    world.join("a", "ann");
    world.forward("a", "ann", "b");
    world.check();
    world.remove("b", "ann");
    world.rename("a", "ann", "Ann");
    world.check();
    let effects = {
        let mut effects = Effects::default();
        world.live("a").add_track(1, camera("TR_1"), &mut effects);
        effects
    };
    assert!(effects.forwards.is_empty(), "her own room knows by now that she is not shown");
    world.forward("a", "ann", "b");
    world.check();
    let guest = Arc::clone(world.live("b").find("ann").unwrap());
    assert!(guest.is_forwarded && guest.tracks.len() == 1 && guest.name == "Ann");
    assert!(!world.live("b").is_occupied(), "a guest keeps no room open");
    let (_, replaced) = enter(world.live("b"), 9, somebody("ann", Link::Plain));
    assert!(replaced.is_empty() && !world.live("b").find("ann").unwrap().is_forwarded);
}

#[test]
fn a_room_is_told_of_the_newest_only_and_no_guest_becomes_older() {
    let mut world = World::new();
    world.join("a", "ann");
    world.forward("a", "ann", "b");
    for name in ["1", "2", "3"] {
        world.rename("a", "ann", name);
    }
    let news = world.places.get_mut("b").unwrap().guests.take();
    let [GuestNews::Here(info)] = &news[..] else { panic!("{news:?}") };
    assert_eq!(info.name, "3");
    for name in ["x", "y", "z", "w"] {
        let change = ParticipantChange { name: Some(name.to_owned()), ..Default::default() };
        world.step("b", |live, effects| live.update("ann", change, effects)).unwrap();
    }
    let before = world.live("b").find("ann").unwrap().version;
    world.rename("a", "ann", "4");
    world.look("b");
    let after = Arc::clone(world.live("b").find("ann").unwrap());
    assert!(after.name == "4" && after.version > before, "{before} {}", after.version);
}

#[test]
fn a_guest_who_hides_is_gone_for_the_others() {
    let mut world = World::new();
    world.join("a", "ann");
    world.join("b", "bob");
    world.forward("a", "ann", "b");
    let permission = Some(Permission { hidden: true, ..permission() });
    let change = ParticipantChange { permission, ..Default::default() };
    world.step("a", |live, effects| live.update("ann", change, effects)).unwrap();
    let mut effects = Effects::default();
    for news in world.places.get_mut("b").unwrap().guests.take() {
        world.live("b").show_guest(news, &mut effects);
    }
    let told: Vec<_> = super::told(&effects).into_iter().cloned().collect();
    let [LiveMessage::Participants(people)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(people[0].state, ParticipantState::Disconnected);
    assert_eq!(world.live("b").summary().unwrap().participants, 1);
}

#[test]
fn a_room_is_told_that_there_is_news_once() {
    let mut here = live(0);
    enter(&mut here, 1, somebody("ann", Link::Plain));
    enter(&mut here, 2, somebody("bob", Link::Plain));
    let from = RoomId::trusted("a");
    let note = |guests: &mut Guests, live: &Live, who: &str, step| {
        let info = Arc::clone(live.find(who).unwrap());
        guests.note(&Forward { room: "b".into(), info, step }, &from)
    };
    let mut guests = Guests::default();
    assert_eq!(note(&mut guests, &here, "ann", ForwardStep::Changes), Noted::NotShown);
    assert_eq!(note(&mut guests, &here, "ann", ForwardStep::Begins), Noted::First);
    assert_eq!(note(&mut guests, &here, "bob", ForwardStep::Begins), Noted::Waits);
    assert_eq!(note(&mut guests, &here, "ann", ForwardStep::Ends), Noted::Waits);
    assert_eq!(note(&mut guests, &here, "ann", ForwardStep::Ends), Noted::NotShown);
    let bob = Arc::clone(here.find("bob").unwrap());
    assert_eq!(guests.take(), [GuestNews::Gone("ann".into()), GuestNews::Here(bob)]);
    assert_eq!(note(&mut guests, &here, "bob", ForwardStep::Changes), Noted::First);
    guests.take();
    assert!(guests.forget_all_of(&from) && !guests.forget_all_of(&from));
    assert_eq!(guests.take(), [GuestNews::Gone("bob".into())]);
    let shown: BTreeSet<bool> =
        ["ann", "bob"].map(|who| guests.shows(here.find(who).unwrap())).into();
    assert_eq!(shown, BTreeSet::from([false]));
}
