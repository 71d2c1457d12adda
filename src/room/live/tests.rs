mod guests;
mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use super::message::{LiveMessage, LivePacket, PacketValue, RpcCall};
use super::*;
use crate::domain::ids::RoomId;
use crate::domain::live::{
    DataKind, DataOrigin, LiveData, LiveSettings, ParticipantChange, Track, TrackCodec, TrackKind,
    TrackSource,
};
use crate::room::message::Frame;

const NOW_MS: i64 = 1_700_000_000_000;

fn live(max_participants: u32) -> Live {
    let settings = LiveSettings { max_participants, ..LiveSettings::default() };
    let mut live = Live::default();
    let room = LiveRoom::new("RM_1".to_owned(), RoomId::trusted("r"), &settings, NOW_MS);
    live.begin(Arc::new(room));
    live
}

fn permission() -> Permission {
    Permission {
        can_subscribe: true,
        can_publish: true,
        can_publish_data: true,
        ..Permission::default()
    }
}

fn somebody(identity: &str, link: Link) -> LiveJoin {
    LiveJoin {
        identity: identity.into(),
        name: String::new(),
        metadata: String::new(),
        attributes: BTreeMap::new(),
        permission: permission(),
        kind: ParticipantKind::Standard,
        kind_details: BTreeSet::new(),
        link,
        client_protocol: 0,
        capabilities: Vec::new(),
    }
}

fn enter(live: &mut Live, actor: ActorId, join: LiveJoin) -> (Effects, Vec<ActorId>) {
    let mut effects = Effects::default();
    let sid = format!("PA_{actor}").into();
    let replaced = live.join(actor, join, (sid, NOW_MS), &mut effects);
    (effects, replaced)
}

fn events(effects: &Effects) -> Vec<&'static str> {
    effects.news.iter().map(|news| news.event.name()).collect()
}

/// What one connection gets, if it is the only one that knows of participants.
fn told(effects: &Effects) -> Vec<&LiveMessage> {
    let message = |frame: &'_ Arc<Frame>| match &frame.message {
        ServerMessage::Live(_) => true,
        _ => panic!("something else: {:?}", frame.message),
    };
    assert!(effects.now.iter().all(|delivery| message(&delivery.frame)));
    let messages = effects.now.iter().filter_map(|delivery| match &delivery.frame.message {
        ServerMessage::Live(message) => Some(message),
        _ => None,
    });
    messages.collect()
}

#[test]
fn one_identity_is_one_participant_however_it_is_connected() {
    let mut live = live(0);
    let (effects, _) = enter(&mut live, 1, somebody("ann", Link::Plain));
    assert_eq!(events(&effects), ["participant_joined"]);
    let (effects, replaced) = enter(&mut live, 2, somebody("ann", Link::Stream));
    assert_eq!((events(&effects), replaced), (vec![], vec![]));
    let named = LiveJoin { name: "Ann".to_owned(), ..somebody("ann", Link::Signal) };
    enter(&mut live, 3, named);
    assert_eq!(live.listing().people.len(), 1);
    let ann = live.find("ann").unwrap();
    assert_eq!((&*ann.sid, &*ann.name), ("PA_1", "Ann"));
    assert_eq!(live.actors_of("ann"), [3, 2, 1]);
    for actor in [3, 1] {
        let mut effects = Effects::default();
        live.leave(actor, LeaveReason::ClientInitiated, &mut effects);
        assert_eq!(events(&effects), Vec::<&str>::new());
    }
    let mut effects = Effects::default();
    live.leave(2, LeaveReason::ClientInitiated, &mut effects);
    assert_eq!(events(&effects), ["participant_left"]);
    let left = match told(&effects)[0] {
        LiveMessage::Participants(people) => Arc::clone(&people[0]),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (left.state, left.left),
        (ParticipantState::Disconnected, Some(LeaveReason::ClientInitiated))
    );
    assert!(live.listing().people.is_empty() && !live.is_occupied());
}

#[test]
fn who_comes_again_by_signalling_takes_the_place_of_the_one_before() {
    let mut live = live(0);
    enter(&mut live, 1, somebody("ann", Link::Signal));
    let mut effects = Effects::default();
    live.activate(1, &mut effects);
    assert_eq!(events(&effects), ["participant_joined"]);
    let (effects, replaced) = enter(&mut live, 2, somebody("ann", Link::Signal));
    assert_eq!(replaced, [1]);
    assert_eq!(events(&effects), ["participant_left"]);
    let first = effects.now.iter().find(|delivery| {
        matches!(delivery.to, To::One(2) | To::LiveOne(2) | To::Live { except: None })
    });
    let first = &first.unwrap().frame.message;
    assert!(matches!(first, ServerMessage::Live(LiveMessage::Joined(_))), "{first:?}");
    assert_eq!((&*live.find("ann").unwrap().sid, live.actors_of("ann")), ("PA_2", vec![2]));
    let mut effects = Effects::default();
    live.leave(1, LeaveReason::ClientInitiated, &mut effects);
    assert!(effects.now.is_empty() && live.find("ann").is_some());
    live.leave(2, LeaveReason::SignalClose, &mut effects);
    assert_eq!(events(&effects), ["participant_connection_aborted"]);
}

#[test]
fn whoever_is_hidden_is_listed_and_neither_counted_nor_told_of() {
    let mut live = live(0);
    enter(&mut live, 1, somebody("ann", Link::Signal));
    let spy = LiveJoin {
        permission: Permission { hidden: true, ..permission() },
        ..somebody("spy", Link::Signal)
    };
    let (effects, _) = enter(&mut live, 2, spy);
    for delivery in &effects.now {
        assert!(matches!(delivery.to, To::One(2) | To::LiveOne(2)), "{delivery:?}");
    }
    assert_eq!(live.summary().unwrap().participants, 1);
    assert_eq!(live.listing().people.len(), 2);
    let (effects, _) = enter(&mut live, 3, somebody("bob", Link::Signal));
    match told(&effects)[0] {
        LiveMessage::Joined(welcome) => {
            assert_eq!(welcome.others.len(), 1);
            assert_eq!(&*welcome.others[0].identity, "ann");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_room_is_full_for_people_and_not_for_who_is_in_it_or_serves_it() {
    let mut live = live(1);
    enter(&mut live, 1, somebody("ann", Link::Plain));
    assert!(live.has_place_for(&somebody("ann", Link::Signal)));
    assert!(!live.has_place_for(&somebody("bob", Link::Plain)));
    let agent = LiveJoin { kind: ParticipantKind::Agent, ..somebody("bot", Link::Signal) };
    assert!(live.has_place_for(&agent));
    enter(&mut live, 2, agent);
    let mut effects = Effects::default();
    live.leave(1, LeaveReason::ClientInitiated, &mut effects);
    assert!(!live.is_occupied(), "an agent keeps no room open");
    assert!(live.has_place_for(&somebody("bob", Link::Plain)));
}

#[test]
fn an_update_is_one_change_and_keeps_the_whole_within_limits() {
    let mut live = live(0);
    enter(&mut live, 1, somebody("ann", Link::Signal));
    let mut effects = Effects::default();
    let attributes = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let change = ParticipantChange {
        name: Some("Ann".to_owned()),
        attributes: attributes(&[("a", "1"), ("b", "2")]),
        ..ParticipantChange::default()
    };
    let updated = live.update("ann", change, &mut effects).unwrap();
    assert_eq!((updated.version, updated.attributes.len()), (2, 2));
    assert_eq!(told(&effects).len(), 2, "one update, and a token");
    let taken = ParticipantChange { attributes: attributes(&[("a", "")]), ..Default::default() };
    let updated = live.update("ann", taken, &mut Effects::default()).unwrap();
    assert_eq!(updated.attributes.keys().collect::<Vec<_>>(), ["b"]);
    let large = "x".repeat(40_000);
    let half = |key: &str| ParticipantChange {
        name: Some("other".to_owned()),
        attributes: attributes(&[(key, &large)]),
        ..Default::default()
    };
    live.update("ann", half("c"), &mut Effects::default()).unwrap();
    let error = live.update("ann", half("d"), &mut Effects::default()).unwrap_err();
    assert_eq!(error.public(), "attribute size exceeds limits 65536");
    assert_eq!(live.find("ann").unwrap().attributes.len(), 2);
    assert_eq!(
        live.update("bob", ParticipantChange::default(), &mut effects).unwrap_err().reason(),
        "PARTICIPANT_NOT_FOUND"
    );
}

fn camera(sid: &str) -> Track {
    Track {
        sid: sid.to_owned(),
        cid: format!("c-{sid}"),
        kind: TrackKind::Video,
        source: TrackSource::Camera,
        ..Track::default()
    }
}

#[test]
fn tracks_end_with_their_connection_and_with_the_permission() {
    let mut live = live(0);
    enter(&mut live, 1, somebody("ann", Link::Signal));
    let mut effects = Effects::default();
    live.add_track(1, camera("TR_1"), &mut effects);
    assert_eq!(events(&effects), ["track_published"]);
    live.add_track(1, camera("TR_1"), &mut effects);
    assert_eq!(live.find("ann").unwrap().tracks.len(), 1, "asked for twice");
    assert_eq!(live.summary().unwrap().publishers, 1);
    let mut effects = Effects::default();
    let muted = live.mute("ann", "TR_1", true, false, &mut effects).unwrap().unwrap();
    assert!(muted.muted);
    assert!(told(&effects).iter().any(|told| matches!(told, LiveMessage::TrackMuted { .. })));
    let refused = live.mute("ann", "TR_1", false, false, &mut effects).unwrap_err();
    assert_eq!(refused.public(), "remote unmute not enabled");
    assert!(!live.mute("ann", "TR_1", false, true, &mut effects).unwrap().unwrap().muted);
    assert_eq!(live.mute("ann", "TR_9", true, false, &mut effects).unwrap(), None);
    let mut effects = Effects::default();
    let revoked = Permission { can_publish: false, ..permission() };
    let change = ParticipantChange { permission: Some(revoked), ..Default::default() };
    let updated = live.update("ann", change, &mut effects).unwrap();
    assert!(updated.tracks.is_empty());
    assert_eq!(events(&effects), ["track_unpublished"]);
    live.add_track(1, camera("TR_2"), &mut Effects::default());
    assert!(live.find("ann").unwrap().tracks.is_empty());
    let change = ParticipantChange { permission: Some(permission()), ..Default::default() };
    live.update("ann", change, &mut Effects::default()).unwrap();
    live.add_track(1, camera("TR_3"), &mut Effects::default());
    let mut effects = Effects::default();
    live.leave(1, LeaveReason::ClientInitiated, &mut effects);
    assert_eq!(events(&effects), ["track_unpublished", "participant_connection_aborted"]);
}

#[test]
fn only_what_changes_about_a_track_is_told() {
    let mut live = live(0);
    enter(&mut live, 1, somebody("ann", Link::Signal));
    live.add_track(1, camera("TR_1"), &mut Effects::default());
    let mut effects = Effects::default();
    live.mute_own(1, "TR_1", true, &mut effects);
    live.change_own_track(1, "TR_1", (Some((640, 480)), None), &mut effects);
    assert_eq!(told(&effects).len(), 2);
    live.mute_own(1, "TR_1", true, &mut effects);
    live.change_own_track(1, "TR_1", (Some((640, 480)), None), &mut effects);
    live.change_own_track(1, "TR_9", (Some((1, 1)), None), &mut effects);
    assert_eq!(told(&effects).len(), 2);
}

#[test]
fn a_subscription_is_told_once_and_ends_with_its_track() {
    let mut live = live(0);
    enter(&mut live, 1, somebody("ann", Link::Signal));
    enter(&mut live, 2, somebody("bob", Link::Signal));
    for sid in ["TR_1", "TR_2"] {
        live.add_track(1, camera(sid), &mut Effects::default());
    }
    let sids = ["TR_2", "TR_9", "TR_1", "TR_2"].map(str::to_owned);
    let mut effects = Effects::default();
    live.subscribe("bob", &sids, true, &mut effects).unwrap();
    let to = |actor| effects.now.iter().filter(move |sent| sent.to == To::LiveOne(actor)).count();
    assert_eq!((to(2), to(1)), (2, 2), "each track once, to both sides");
    let mut effects = Effects::default();
    live.subscribe("bob", &sids, true, &mut effects).unwrap();
    assert_eq!(told(&effects).len(), 0);
    live.unpublish(1, &sids, &mut Effects::default());
    assert!(live.present["bob"].subscriptions.is_empty());
}

#[test]
fn whatever_is_kept_of_somebody_counts_while_it_waits() {
    let mut live = live(0);
    enter(&mut live, 1, somebody("ann", Link::Signal));
    let ann = live.find("ann").unwrap();
    let cost = |info: Participant| LiveMessage::Participants(vec![Arc::new(info)]).cost_bytes();
    let least = cost(Participant::clone(ann));
    let text = || "x".repeat(10_000);
    let codecs = vec![TrackCodec { cid: text(), ..TrackCodec::default() }];
    let (named, coded) =
        (Track { name: text(), ..Track::default() }, Track { codecs, ..camera("") });
    for (more, bytes) in [
        (Participant { metadata: text(), ..Participant::clone(ann) }, 10_000),
        (
            Participant {
                attributes: BTreeMap::from([(text(), text())]),
                ..Participant::clone(ann)
            },
            20_000,
        ),
        (Participant { tracks: vec![named, coded], ..Participant::clone(ann) }, 20_000),
    ] {
        assert!(cost(more) >= least + bytes);
    }
}

fn data(nonce: &'static [u8]) -> LiveData {
    LiveData {
        kind: DataKind::Reliable,
        payload: Bytes::from_static(b"hello"),
        topic: Some("t".into()),
        sender: None,
        nonce: Bytes::from_static(nonce),
        origin: DataOrigin::default(),
    }
}

#[test]
fn data_reaches_whom_it_is_for_once() {
    let mut live = live(0);
    enter(&mut live, 1, somebody("ann", Link::Signal));
    enter(&mut live, 2, somebody("bob", Link::Plain));
    let receivers =
        |effects: &Effects| -> Vec<To> { effects.now.iter().map(|delivery| delivery.to).collect() };
    let mut effects = Effects::default();
    assert_eq!(live.send_data(data(b"0123456789abcdef"), (&[], &[]), &mut effects), 0);
    assert_eq!(receivers(&effects), [To::One(1), To::One(2)]);
    match &effects.now[1].frame.message {
        ServerMessage::Event { event, .. } => {
            assert_eq!(event.get(), r#"{"text":"hello","topic":"t","type":"roomd.data"}"#);
        }
        other => panic!("{other:?}"),
    }
    let mut effects = Effects::default();
    live.send_data(data(b"0123456789abcdef"), (&[], &[]), &mut effects);
    assert!(effects.now.is_empty(), "the same nonce");
    let to = ["bob".to_owned(), "nobody".to_owned()];
    assert_eq!(live.send_data(data(b""), (&to, &["PA_1".to_owned()]), &mut effects), 1);
    assert_eq!(receivers(&effects), [To::One(1), To::One(2)]);
    let mut effects = Effects::default();
    let packet = LivePacket {
        kind: DataKind::Lossy,
        sender: None,
        destinations: Vec::new(),
        value: PacketValue::Opaque(Bytes::from_static(b"x")),
    };
    live.send_packet(1, packet.clone(), &mut effects);
    assert!(effects.now.is_empty(), "bob's protocol does not know what it is");
    live.send_packet(2, packet.clone(), &mut effects);
    assert_eq!(receivers(&effects), [To::One(1)]);
    for (name, expected) in [("ann", 1), ("PA_1", 1), ("PA_9", 0), ("bob", 0)] {
        let mut effects = Effects::default();
        let named = LivePacket { destinations: vec![name.into()], ..packet.clone() };
        live.send_packet(2, named, &mut effects);
        assert_eq!(receivers(&effects).len(), expected, "{name}");
    }
}

#[test]
fn calls_are_answered_by_whom_they_were_made_of() {
    let mut live = live(0);
    enter(&mut live, 1, somebody("ann", Link::Plain));
    enter(&mut live, 2, somebody("bob", Link::Stream));
    let (told, heard) = std::sync::mpsc::channel();
    let call = |live: &mut Live, identity: &str, id: &str| {
        let told = told.clone();
        let call = RpcCall {
            id: id.into(),
            method: "m".to_owned(),
            payload: "p".to_owned(),
            response_timeout_ms: 1,
        };
        let caller = Box::new(move |news| drop(told.send(format!("{news:?}"))));
        live.call(identity, call, caller, &mut Effects::default())
    };
    call(&mut live, "ann", "1").unwrap();
    assert_eq!(heard.try_recv().unwrap(), "Acknowledged", "her protocol has no word for it");
    let answer = r#"{"type":"roomd.answer","id":"1","payload":"done"}"#;
    let answer: crate::room::message::RawJson =
        serde_json::value::RawValue::from_string(answer.to_owned()).unwrap().into();
    assert!(!live.take_event(2, &answer), "bob was not asked");
    assert!(live.take_event(1, &answer));
    assert!(!live.take_event(1, &answer), "it is over");
    assert_eq!(heard.try_recv().unwrap(), r#"Answered(Ok("done"))"#);
    call(&mut live, "bob", "2").unwrap();
    let packet = |value| LivePacket {
        kind: DataKind::Reliable,
        sender: None,
        destinations: Vec::new(),
        value,
    };
    assert!(heard.try_recv().is_err(), "bob says so himself");
    for _ in 0..3 {
        live.send_packet(2, packet(PacketValue::Ack { id: "2".into() }), &mut Effects::default());
    }
    assert_eq!(heard.try_recv().unwrap(), "Acknowledged");
    live.leave(2, LeaveReason::ClientInitiated, &mut Effects::default());
    assert_eq!(heard.try_recv().unwrap(), "Disconnected");
    assert!(call(&mut live, "bob", "3").is_err());
}
