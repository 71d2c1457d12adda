//! Queues of webhooks in the database: what is dropped, what is claimed, and what is swept away.

use roomd::domain::ids::{ProjectId, WebhookEndpointId};
use roomd::store::{
    DroppedWebhooks, Store, StoredWebhook, WebhookBatch, WebhookClaim, WebhookProgress,
};

use crate::databases::Database;
use crate::webhook_world::{event, project, queue};

crate::on_both!(
    a_full_queue_drops_its_oldest,
    what_is_being_sent_may_be_dropped,
    queues_are_claimed_by_their_age_and_once,
    a_queue_ends_when_its_events_are_gone,
    projects_and_endpoints_have_queues_of_their_own,
    what_nobody_serves_is_swept_away,
    an_endpoint_with_too_many_events_loses_the_oldest_of_its_longest_queues,
    who_enqueues_and_who_delivers_lose_nothing_to_each_other,
);

const NOW_MS: i64 = 1_700_000_000_000;
const UNTIL_MS: i64 = NOW_MS + 1_000;

fn id(name: &str) -> WebhookEndpointId {
    WebhookEndpointId::parse("endpoint", name).unwrap()
}

fn batch(name: &str, number: u32, at_ms: i64) -> WebhookBatch {
    WebhookBatch {
        project: project(),
        queue: queue(name),
        event: event(name, number),
        created_at_ms: at_ms,
        endpoints: vec![id("x")],
        events_per_queue_max: 3,
    }
}

async fn enqueue(store: &Store, batch: WebhookBatch) -> u64 {
    let dropped = store.enqueue_webhooks(batch).await.unwrap();
    dropped.iter().map(|DroppedWebhooks { events, .. }| events).sum()
}

async fn claim(store: &Store, now_ms: i64, queues_max: usize) -> Vec<WebhookClaim> {
    store.claim_webhooks(&id("x"), (now_ms, now_ms + 1_000), queues_max).await.unwrap()
}

async fn advance(store: &Store, claim: &WebhookClaim, seq: i64) -> Option<StoredWebhook> {
    let progress = WebhookProgress { seq, attempts: 0, until_ms: UNTIL_MS };
    store.advance_webhooks(claim, progress).await.unwrap()
}

/// What a queue holds, by delivering it.
async fn drain(store: &Store, claim: &WebhookClaim) -> Vec<String> {
    let mut ids = Vec::new();
    let mut next = store.find_webhook(claim).await.unwrap();
    while let Some(stored) = next {
        ids.push(stored.event.id.to_string());
        next = advance(store, claim, stored.seq).await;
    }
    ids
}

async fn a_full_queue_drops_its_oldest(db: &Database) {
    for number in 0..3 {
        assert_eq!(enqueue(&db.store, batch("a", number, NOW_MS)).await, 0);
    }
    assert_eq!(enqueue(&db.store, batch("a", 3, NOW_MS)).await, 1);
    let smaller = WebhookBatch { events_per_queue_max: 2, ..batch("a", 4, NOW_MS) };
    assert_eq!(enqueue(&db.store, smaller).await, 2);
    assert_eq!(enqueue(&db.store, batch("b", 0, NOW_MS)).await, 0);
    assert_eq!(db.store.count_webhooks(&id("x")).await.unwrap(), 3);
    let claims = claim(&db.store, NOW_MS, 9).await;
    let of_a = claims.iter().find(|claim| claim.queue == queue("a")).unwrap();
    assert_eq!(drain(&db.store, of_a).await, ["EV_a_3", "EV_a_4"]);
}

async fn what_is_being_sent_may_be_dropped(db: &Database) {
    enqueue(&db.store, batch("a", 0, NOW_MS)).await;
    let claim = claim(&db.store, NOW_MS, 1).await.remove(0);
    let first = db.store.find_webhook(&claim).await.unwrap().unwrap();
    for number in 1..6 {
        enqueue(&db.store, batch("a", number, NOW_MS)).await;
    }
    let next = advance(&db.store, &claim, first.seq).await.unwrap();
    assert_eq!(&*next.event.id, "EV_a_3");
    assert_eq!(drain(&db.store, &claim).await, ["EV_a_3", "EV_a_4", "EV_a_5"]);
    assert_eq!(db.store.count_webhooks(&id("x")).await.unwrap(), 0);
}

async fn queues_are_claimed_by_their_age_and_once(db: &Database) {
    for (name, at_ms) in [("a", 30), ("b", 10), ("c", 20)] {
        enqueue(&db.store, batch(name, 0, NOW_MS + at_ms)).await;
    }
    assert_eq!(db.store.next_webhook_at_ms(&id("x")).await.unwrap(), Some(NOW_MS + 10));
    assert_eq!(claim(&db.store, NOW_MS + 9, 9).await, []);
    let names = |claims: &[WebhookClaim]| {
        let mut names: Vec<String> = claims.iter().map(|claim| claim.queue.to_string()).collect();
        names.sort();
        names
    };
    let first = claim(&db.store, NOW_MS + 30, 2).await;
    assert_eq!(names(&first), ["b", "c"]);
    assert_eq!(names(&claim(&db.store, NOW_MS + 31, 2).await), ["a"]);
    assert_eq!(claim(&db.store, NOW_MS + 1_029, 9).await, []);
    let again = claim(&db.store, NOW_MS + 1_030, 9).await;
    assert_eq!(names(&again), ["b", "c"], "a claim ends, and another begins");
    assert_eq!(advance(&db.store, &first[0], 0).await, None, "the one before counts no more");
    assert!(!db.store.release_webhooks(&first[0], 5, 0).await.unwrap());
    assert!(db.store.release_webhooks(&again[0], 5, NOW_MS + 7).await.unwrap());
    assert_eq!(db.store.next_webhook_at_ms(&id("x")).await.unwrap(), Some(NOW_MS + 7));
    assert_eq!(claim(&db.store, NOW_MS + 7, 9).await[0].attempts, 5);
}

async fn a_queue_ends_when_its_events_are_gone(db: &Database) {
    enqueue(&db.store, batch("a", 0, NOW_MS)).await;
    let first = claim(&db.store, NOW_MS, 1).await.remove(0);
    assert_eq!(advance(&db.store, &first, 0).await, None);
    assert_eq!(db.store.next_webhook_at_ms(&id("x")).await.unwrap(), None);
    enqueue(&db.store, batch("a", 1, NOW_MS)).await;
    assert_eq!(advance(&db.store, &first, 0).await, None, "the claim was on the queue before");
    let second = claim(&db.store, NOW_MS, 1).await.remove(0);
    assert_eq!(drain(&db.store, &second).await, ["EV_a_1"]);

    enqueue(&db.store, batch("a", 2, NOW_MS)).await;
    db.execute("DELETE FROM webhook_event").await;
    let third = claim(&db.store, NOW_MS, 1).await.remove(0);
    assert_eq!(db.store.find_webhook(&third).await.unwrap(), None);
    assert_eq!(advance(&db.store, &third, third.first_seq).await, None);
    assert_eq!(db.store.next_webhook_at_ms(&id("x")).await.unwrap(), None);
}

async fn projects_and_endpoints_have_queues_of_their_own(db: &Database) {
    let both = vec![id("x"), id("y")];
    let one = WebhookBatch { endpoints: both, ..batch("a", 0, NOW_MS) };
    enqueue(&db.store, one).await;
    let other = WebhookBatch { project: ProjectId::trusted("q"), ..batch("a", 1, NOW_MS) };
    enqueue(&db.store, other).await;
    let claims = claim(&db.store, NOW_MS, 9).await;
    assert_eq!(claims.len(), 2);
    for claim in claims {
        let expected = if claim.project == project() { "EV_a_0" } else { "EV_a_1" };
        assert_eq!(drain(&db.store, &claim).await, [expected]);
    }
    assert_eq!(db.store.count_webhooks(&id("x")).await.unwrap(), 0);
    assert_eq!(db.store.count_webhooks(&id("y")).await.unwrap(), 1);
}

async fn what_nobody_serves_is_swept_away(db: &Database) {
    let before_ms = NOW_MS + 100;
    let batches =
        [("a", 0, 0), ("a", 1, 50), ("a", 2, 99), ("b", 0, 0), ("b", 1, 100), ("c", 0, 100)];
    for (name, number, at_ms) in batches {
        enqueue(&db.store, batch(name, number, NOW_MS + at_ms)).await;
    }
    let elsewhere = WebhookBatch { endpoints: vec![id("y")], ..batch("a", 0, NOW_MS) };
    enqueue(&db.store, elsewhere).await;
    let mut rounds = 0;
    while db.store.sweep_webhooks(before_ms, 2).await.unwrap() > 0 {
        rounds += 1;
        assert!(rounds < 20, "it ends");
    }
    assert_eq!(db.store.count_webhooks(&id("y")).await.unwrap(), 0);
    assert_eq!(db.store.count_webhooks(&id("x")).await.unwrap(), 2);
    let claims = claim(&db.store, before_ms, 9).await;
    assert_eq!(claims.len(), 2);
    for claim in claims {
        let expected = if claim.queue == queue("b") { "EV_b_1" } else { "EV_c_0" };
        assert_eq!(drain(&db.store, &claim).await, [expected]);
    }
}

async fn an_endpoint_with_too_many_events_loses_the_oldest_of_its_longest_queues(db: &Database) {
    let large = |name, number| WebhookBatch {
        events_per_queue_max: 100,
        endpoints: vec![id("x"), id("y")],
        ..batch(name, number, NOW_MS)
    };
    for (name, events) in [("a", 9), ("b", 4), ("c", 1)] {
        for number in 0..events {
            enqueue(&db.store, large(name, number)).await;
        }
    }
    assert_eq!(db.store.trim_webhooks(&id("x"), 0).await.unwrap(), 0);
    assert_eq!(db.store.trim_webhooks(&id("x"), 6).await.unwrap(), 6);
    let mut claims = claim(&db.store, NOW_MS, 9).await;
    claims.sort_by_key(|claim| claim.queue.to_string());
    let kept = [
        vec!["EV_a_5", "EV_a_6", "EV_a_7", "EV_a_8"],
        vec!["EV_b_1", "EV_b_2", "EV_b_3"],
        vec!["EV_c_0"],
    ];
    assert_eq!(claims.len(), kept.len());
    for (claim, kept) in claims.iter().zip(kept) {
        assert_eq!(drain(&db.store, claim).await, kept);
    }
    assert_eq!(db.store.count_webhooks(&id("y")).await.unwrap(), 14, "another endpoint");
    assert_eq!(db.store.trim_webhooks(&id("y"), 20).await.unwrap(), 14, "there are no more");
    enqueue(&db.store, large("a", 9)).await;
    let claims = db.store.claim_webhooks(&id("y"), (NOW_MS, UNTIL_MS), 9).await.unwrap();
    let of_a = claims.iter().find(|claim| claim.queue == queue("a")).unwrap();
    assert_eq!(drain(&db.store, of_a).await, ["EV_a_9"], "a queue that was emptied goes on");
}

/// A queue that becomes empty goes, while others begin it anew.
async fn who_enqueues_and_who_delivers_lose_nothing_to_each_other(db: &Database) {
    const EVENTS: u32 = 100;
    let store = db.store.clone();
    let enqueuing = tokio::spawn(async move {
        for number in 0..EVENTS {
            let large = WebhookBatch { events_per_queue_max: 1_000, ..batch("a", number, NOW_MS) };
            enqueue(&store, large).await;
        }
    });
    let mut seen = Vec::new();
    while seen.len() < EVENTS as usize {
        for claim in claim(&db.store, NOW_MS, 1).await {
            seen.extend(drain(&db.store, &claim).await);
        }
        tokio::task::yield_now().await;
    }
    enqueuing.await.unwrap();
    let expected: Vec<String> = (0..EVENTS).map(|number| format!("EV_a_{number}")).collect();
    assert_eq!(seen, expected);
}
