//! Webhooks are delivered in order, again and again until they are taken, and side by side.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use roomd::domain::ctx::Clock;
use roomd::webhooks::{WebhookLimits, Webhooks};

use crate::databases::Database;
use crate::webhook_world::{
    Answer, Call, Engine, Receiver, Time, endpoint, enqueue, event, limits, project, queue,
    webhooks,
};

crate::on_both!(
    order_survives_an_application_that_fails_at_random,
    a_failed_attempt_is_made_again_after_a_growing_pause,
    a_dead_endpoint_holds_up_no_other,
    a_busy_queue_lets_others_go_between,
    a_broken_queue_holds_up_no_other,
    an_old_event_is_given_up,
    a_dead_endpoint_keeps_no_more_than_it_may,
);

/// Numbers from a seed.
struct Dice(AtomicU64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// A number below `sides`, by splitmix64.
    fn roll(&self, sides: u64) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::SeqCst).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// Takes what comes in order, if the dice say so, and notes what does not.
struct Ledger {
    dice: Dice,
    taken: Mutex<BTreeMap<String, u32>>,
    wrong: Mutex<Vec<String>>,
}

impl Ledger {
    fn answer(&self, call: &Call) -> Answer {
        let (queue, number) = call.event();
        let mut taken = self.taken.lock().unwrap();
        let next = taken.entry(queue.clone()).or_default();
        if number != *next {
            self.wrong.lock().unwrap().push(format!("{queue}/{number} instead of {next}"));
        }
        match self.dice.roll(10) {
            0 => Answer::HangUp,
            1 => Answer::Status(503),
            2 => Answer::Status(404),
            3 => Answer::Endless(500),
            _ => {
                *next += 1;
                Answer::Status([200, 202, 204][usize::try_from(number % 3).unwrap()])
            }
        }
    }
}

async fn order_survives_an_application_that_fails_at_random(db: &Database) {
    const QUEUES: [&str; 5] = ["a", "b", "c", "d", "e"];
    const EVENTS: u32 = 12;
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    let ledger = std::sync::Arc::new(Ledger {
        dice: Dice::new(seed),
        taken: Mutex::default(),
        wrong: Mutex::default(),
    });
    let book = std::sync::Arc::clone(&ledger);
    let receiver = Receiver::start(move |call| book.answer(call)).await;
    let engine = Engine::start(webhooks(&db.store, Clock::system(), &receiver));
    let enqueuing = QUEUES.map(|name| {
        let webhooks = engine.webhooks.clone();
        tokio::spawn(async move { enqueue(&webhooks, name, 0..EVENTS).await })
    });
    for task in enqueuing {
        task.await.unwrap();
    }
    engine.delivered().await;
    assert_eq!(*ledger.wrong.lock().unwrap(), Vec::<String>::new(), "SEED={seed}");
    let expected: BTreeMap<String, u32> =
        QUEUES.iter().map(|name| ((*name).to_owned(), EVENTS)).collect();
    assert_eq!(*ledger.taken.lock().unwrap(), expected, "SEED={seed}");
    let in_flight = receiver.in_flight.lock().unwrap();
    assert_eq!(in_flight.of_one_max, 1, "the next is sent after the one before");
}

async fn a_failed_attempt_is_made_again_after_a_growing_pause(db: &Database) {
    let receiver = Receiver::start(|_| Answer::Status(500)).await;
    let time = Time::new();
    let limits = WebhookLimits { backoff_first_ms: 500, backoff_ms_max: 3_000, ..limits() };
    let endpoints = vec![endpoint(receiver.url("/"))];
    let webhooks = Webhooks::new(db.store.clone(), time.clock(), endpoints, limits).unwrap();
    let engine = Engine::start(webhooks);
    enqueue(&engine.webhooks, "a", 0..2).await;
    let first = receiver.next().await;
    for longest_ms in [500, 1_000, 2_000, 3_000, 3_000] {
        let until_ms = engine.released_until_ms().await;
        let pause_ms = until_ms - time.now_ms();
        assert!((longest_ms / 2..=longest_ms).contains(&pause_ms), "{pause_ms} of {longest_ms}");
        time.pass(pause_ms - 1);
        engine.webhooks.wake();
        assert_eq!(engine.released_until_ms().await, until_ms);
        assert!(receiver.is_quiet().await, "nothing is sent before its time");
        time.pass(1);
        engine.webhooks.wake();
        let again = receiver.next().await;
        assert_eq!((&again.body, again.number()), (&first.body, 0));
    }
    engine.stop().await;
}

async fn a_dead_endpoint_holds_up_no_other(db: &Database) {
    let dead = Receiver::start(|_| Answer::Silence).await;
    let alive = Receiver::content().await;
    let endpoints = vec![endpoint(dead.url("/")), endpoint(alive.url("/"))];
    let clock = Clock::system();
    let webhooks = Webhooks::new(db.store.clone(), clock, endpoints, limits()).unwrap();
    let engine = Engine::start(webhooks);
    let names = ["a", "b", "c", "d", "e", "f"];
    for name in names {
        enqueue(&engine.webhooks, name, 0..3).await;
    }
    let mut seen: HashMap<String, u32> = HashMap::new();
    for _ in 0..names.len() * 3 {
        let (queue, number) = alive.next().await.event();
        let next = seen.entry(queue).or_default();
        assert_eq!(number, *next);
        *next += 1;
    }
    dead.numbers(2).await;
    let most = dead.in_flight.lock().unwrap().of_all_max;
    assert_eq!(most, WebhookLimits::TINY.deliveries_max, "as many as may be sent at once");
    for served in engine.webhooks.endpoints() {
        let count = db.store.count_webhooks(&served.endpoint.id).await.unwrap();
        let is_dead = served.endpoint.url == dead.url("/");
        assert!(!is_dead || count == 18, "{count} wait for the dead one");
    }
    engine.kill().await;
}

async fn a_busy_queue_lets_others_go_between(db: &Database) {
    let receiver = Receiver::content().await;
    // Each look at it is a millisecond later.
    let now = AtomicI64::new(1_700_000_000_000);
    let clock = Clock::from_fn(move || now.fetch_add(1, Ordering::SeqCst));
    let limits = WebhookLimits { deliveries_max: 1, turn_events_max: 2, ..limits() };
    let endpoints = vec![endpoint(receiver.url("/"))];
    let webhooks = Webhooks::new(db.store.clone(), clock, endpoints, limits).unwrap();
    enqueue(&webhooks, "busy", 0..5).await;
    enqueue(&webhooks, "other", 0..1).await;
    let engine = Engine::start(webhooks);
    let mut order = Vec::new();
    for _ in 0..6 {
        let (queue, number) = receiver.next().await.event();
        order.push(format!("{queue}{number}"));
    }
    assert_eq!(order, ["busy0", "busy1", "other0", "busy2", "busy3", "busy4"]);
    engine.delivered().await;
}

async fn a_broken_queue_holds_up_no_other(db: &Database) {
    let refuses_a = |call: &Call| match call.event().0.as_str() {
        "a" => Answer::Status(500),
        _ => Answer::Status(200),
    };
    let receiver = Receiver::start(refuses_a).await;
    let time = Time::new();
    let engine = Engine::start(webhooks(&db.store, time.clock(), &receiver));
    enqueue(&engine.webhooks, "a", 0..1).await;
    assert_eq!(receiver.next().await.event().0, "a");
    enqueue(&engine.webhooks, "b", 0..7).await;
    assert_eq!(receiver.numbers(7).await, [0, 1, 2, 3, 4, 5, 6]);
    engine.waiting(1).await;
    engine.stop().await;
}

async fn an_old_event_is_given_up(db: &Database) {
    let receiver = Receiver::start(|call| match call.number() {
        0..4 => Answer::Status(500),
        _ => Answer::Status(200),
    })
    .await;
    let time = Time::new();
    let engine = Engine::start(webhooks(&db.store, time.clock(), &receiver));
    let age_ms = WebhookLimits::TINY.event_age_ms_max;
    enqueue(&engine.webhooks, "a", 0..4).await;
    assert_eq!(receiver.next().await.number(), 0);
    engine.released_until_ms().await;
    time.pass(age_ms);
    engine.webhooks.wake();
    assert_eq!(receiver.next().await.number(), 0, "it is as old as may be, and no older");
    engine.released_until_ms().await;
    time.pass(age_ms);
    let late = event("a", 4);
    engine.webhooks.enqueue(&project(), &queue("a"), late).await.unwrap();
    assert_eq!(receiver.next().await.number(), 4);
    engine.delivered().await;
    engine.stop().await;
    assert!(receiver.is_quiet().await);
}

async fn a_dead_endpoint_keeps_no_more_than_it_may(db: &Database) {
    let receiver = Receiver::start(|_| Answer::Status(503)).await;
    let limits = WebhookLimits { events_per_endpoint_max: 4, ..limits() };
    let endpoints = vec![endpoint(receiver.url("/"))];
    let webhooks = Webhooks::new(db.store.clone(), Time::new().clock(), endpoints, limits).unwrap();
    enqueue(&webhooks, "a", 0..6).await;
    enqueue(&webhooks, "b", 0..1).await;
    let engine = Engine::start(webhooks);
    engine.waiting(4).await;
    engine.stop().await;
}
