//! Webhooks outlive the process, and several nodes share them.

use std::collections::HashMap;
use std::sync::Mutex;

use roomd::domain::ctx::Clock;
use roomd::webhooks::{WebhookLimits, Webhooks};

use crate::databases::Database;
use crate::webhook_world::{
    Answer, Engine, Receiver, Time, endpoint, enqueue, limits, patiently, webhooks,
};

crate::on_both!(
    a_new_engine_goes_on_where_a_killed_one_was,
    an_engine_that_is_stopped_finishes_what_it_sends,
    an_engine_that_is_stopped_does_not_wait_for_ever,
    two_nodes_never_send_the_same_queue_at_once,
    a_node_that_lost_its_claim_changes_nothing,
);

async fn a_new_engine_goes_on_where_a_killed_one_was(db: &Database) {
    let receiver = Receiver::start(|call| match call.number() {
        2 => Answer::Gated,
        _ => Answer::Status(200),
    })
    .await;
    let time = Time::new();
    let first = Engine::start(webhooks(&db.store, time.clock(), &receiver));
    enqueue(&first.webhooks, "a", 0..5).await;
    assert_eq!(receiver.numbers(2).await, [0, 1]);
    let before = receiver.next().await;
    assert_eq!(before.number(), 2);
    first.kill().await;
    receiver.abandoned().await;

    receiver.open_gate();
    let store = db.reopen().await;
    let second = Engine::start(webhooks(&store, time.clock(), &receiver));
    enqueue(&second.webhooks, "b", 0..2).await;
    assert_eq!(receiver.numbers(2).await, [0, 1], "other queues go on at once");
    second.waiting(3).await;
    assert!(receiver.is_quiet().await, "the claim of the killed one still holds");
    time.pass(WebhookLimits::TINY.claim_ms());
    second.webhooks.wake();
    let again = receiver.next().await;
    assert_eq!((again.number(), &again.body), (2, &before.body));
    assert_eq!(receiver.numbers(2).await, [3, 4]);
    second.delivered().await;
    second.stop().await;
    store.close().await;
}

async fn an_engine_that_is_stopped_finishes_what_it_sends(db: &Database) {
    let receiver = Receiver::start(|_| Answer::Gated).await;
    let time = Time::new();
    let first = Engine::start(webhooks(&db.store, time.clock(), &receiver));
    enqueue(&first.webhooks, "a", 0..3).await;
    assert_eq!(receiver.next().await.number(), 0);
    first.ask_to_stop();
    receiver.open_gate();
    first.stop().await;
    assert!(receiver.is_quiet().await, "nothing is begun after the stop");
    let second = Engine::start(webhooks(&db.store, time.clock(), &receiver));
    assert_eq!(receiver.numbers(2).await, [1, 2], "the queue was let go of");
    second.delivered().await;
    second.stop().await;
}

async fn an_engine_that_is_stopped_does_not_wait_for_ever(db: &Database) {
    let receiver = Receiver::start(|_| Answer::Silence).await;
    let limits = WebhookLimits { stop_grace_ms: 10, ..limits() };
    let endpoints = vec![endpoint(receiver.url("/"))];
    let webhooks = Webhooks::new(db.store.clone(), Clock::system(), endpoints, limits).unwrap();
    let engine = Engine::start(webhooks.clone());
    enqueue(&webhooks, "a", 0..1).await;
    receiver.next().await;
    engine.stop().await;
    let id = &webhooks.endpoints()[0].endpoint.id;
    assert_eq!(db.store.count_webhooks(id).await.unwrap(), 1);
}

async fn two_nodes_never_send_the_same_queue_at_once(db: &Database) {
    const EVENTS: u32 = 15;
    let seen: Mutex<HashMap<String, u32>> = Mutex::default();
    let receiver = Receiver::start(move |call| {
        let (queue, number) = call.event();
        let mut seen = seen.lock().unwrap();
        let next = seen.entry(queue).or_default();
        // Whatever is not the next is never taken, and the test would wait in vain.
        if number != *next {
            return Answer::Status(409);
        }
        *next += 1;
        Answer::Status(200)
    })
    .await;
    let other = db.reopen().await;
    let nodes =
        [&db.store, &other].map(|store| Engine::start(webhooks(store, Clock::system(), &receiver)));
    // Those of one queue come from one node, since only that gives them an order.
    let enqueuing: Vec<_> = ["a", "b", "c", "d"]
        .into_iter()
        .enumerate()
        .map(|(place, name)| {
            let webhooks = nodes[place % 2].webhooks.clone();
            tokio::spawn(async move { enqueue(&webhooks, name, 0..EVENTS).await })
        })
        .collect();
    for task in enqueuing {
        task.await.unwrap();
    }
    nodes[0].delivered().await;
    let most = receiver.in_flight.lock().unwrap().of_one_max;
    assert_eq!(most, 1);
    for node in nodes {
        node.stop().await;
    }
    other.close().await;
}

async fn a_node_that_lost_its_claim_changes_nothing(db: &Database) {
    let receiver = Receiver::start(|_| Answer::Gated).await;
    let time = Time::new();
    // With one delivery at once it cannot claim the queue again itself.
    let limits = WebhookLimits { deliveries_max: 1, ..limits() };
    let endpoints = vec![endpoint(receiver.url("/"))];
    let webhooks = Webhooks::new(db.store.clone(), time.clock(), endpoints, limits).unwrap();
    let slow = Engine::start(webhooks);
    enqueue(&slow.webhooks, "a", 0..3).await;
    assert_eq!(receiver.next().await.number(), 0);

    // The claim ends while its owner waits for the answer, and somebody else claims the queue.
    time.pass(WebhookLimits::TINY.claim_ms());
    let id = slow.webhooks.endpoints()[0].endpoint.id.clone();
    let now_ms = time.now_ms();
    let claims = patiently("the claim", async {
        loop {
            let held = (now_ms, now_ms + 3_600_000);
            let claims = db.store.claim_webhooks(&id, held, 1).await.unwrap();
            if !claims.is_empty() {
                return claims;
            }
        }
    });
    let claim = claims.await.remove(0);
    receiver.open_gate();
    slow.stop().await;
    assert_eq!(db.store.count_webhooks(&id).await.unwrap(), 3, "what it sent is not its any more");
    let first = db.store.find_webhook(&claim).await.unwrap().unwrap();
    assert_eq!((first.seq, &*first.event.id), (0, "EV_a_0"));
    assert!(db.store.release_webhooks(&claim, 0, now_ms).await.unwrap());
    assert!(!db.store.release_webhooks(&claim, 0, now_ms).await.unwrap(), "it was let go of");
}
