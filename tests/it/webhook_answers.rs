//! What applications answer to webhooks, how they know whom these are from, and who is told what.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use roomd::domain::ctx::Clock;
use roomd::domain::webhook::WebhookEvent;
use roomd::webhooks::{Endpoint, EventFilter, WebhookLimits, Webhooks};
use roomd::wire::metrics::Metrics;
use serde_json::Value;

use crate::databases::Database;
use crate::webhook_world::{
    API_KEY, Answer, Engine, Receiver, SECRET, endpoint, enqueue, limits, project, queue, webhooks,
};

crate::on_both!(
    a_call_is_signed_and_every_attempt_anew,
    an_answer_that_does_not_come_is_a_failure,
    an_endless_answer_counts_by_its_status,
    redirects_lead_nowhere,
    each_endpoint_is_told_what_it_wants,
    numbers_of_all_this_are_in_the_metrics,
    a_body_that_is_too_large_is_refused,
);

/// Answers the first call in one way, all others with 200.
async fn first(answer: Answer) -> Receiver {
    let is_first = AtomicBool::new(true);
    Receiver::start(move |_| match is_first.swap(false, Ordering::SeqCst) {
        true => answer.clone(),
        false => Answer::Status(200),
    })
    .await
}

/// As LiveKit's SDKs verify a call.
fn verify(token: &str, body: &[u8]) -> Value {
    let mut rules = Validation::new(Algorithm::HS256);
    rules.validate_nbf = true;
    rules.set_issuer(&[API_KEY]);
    let key = DecodingKey::from_secret(SECRET.as_bytes());
    let claims: Value = jsonwebtoken::decode(token, &key, &rules).unwrap().claims;
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, body));
    assert_eq!(claims["sha256"], hash);
    claims
}

async fn a_call_is_signed_and_every_attempt_anew(db: &Database) {
    let receiver = first(Answer::Status(503)).await;
    let behind_ms = Arc::new(AtomicI64::new(3_600_000));
    let (system, late) = (Clock::system(), Arc::clone(&behind_ms));
    let clock = Clock::from_fn(move || system.now_ms() - late.load(Ordering::SeqCst));
    let engine = Engine::start(webhooks(&db.store, clock, &receiver));
    enqueue(&engine.webhooks, "a", 0..1).await;
    let before = receiver.next().await;
    // The first signature has expired by now.
    behind_ms.store(0, Ordering::SeqCst);
    engine.webhooks.wake();
    let call = receiver.next().await;
    assert_ne!(call.headers["authorization"], before.headers["authorization"]);
    let claims = verify(call.headers["authorization"].to_str().unwrap(), &call.body);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["nbf"].as_i64().unwrap(), 300);
    assert_eq!(call.headers["content-type"], "application/webhook+json");
    assert_eq!(call.headers["user-agent"], "LiveKit");
    assert_eq!(&call.body[..], b"a/0");
    for secret in ["cookie", "referer"] {
        assert!(!call.headers.contains_key(secret));
    }
    engine.delivered().await;
    engine.stop().await;
}

async fn an_answer_that_does_not_come_is_a_failure(db: &Database) {
    let receiver = first(Answer::Silence).await;
    let limits = WebhookLimits { request_timeout_ms: 300, ..limits() };
    let endpoints = vec![endpoint(receiver.url("/"))];
    let webhooks = Webhooks::new(db.store.clone(), Clock::system(), endpoints, limits).unwrap();
    let engine = Engine::start(webhooks);
    enqueue(&engine.webhooks, "a", 0..1).await;
    let (before, again) = (receiver.next().await, receiver.next().await);
    assert_eq!((before.event(), before.body), (again.event(), again.body));
    engine.delivered().await;
    engine.stop().await;
}

async fn an_endless_answer_counts_by_its_status(db: &Database) {
    let receiver = Receiver::start(|call| match call.number() {
        0 | 2 => Answer::Endless(200),
        _ => Answer::Status(200),
    })
    .await;
    let engine = Engine::start(webhooks(&db.store, Clock::system(), &receiver));
    enqueue(&engine.webhooks, "a", 0..4).await;
    assert_eq!(receiver.numbers(4).await, [0, 1, 2, 3]);
    engine.delivered().await;

    let receiver = first(Answer::Endless(500)).await;
    let engine = Engine::start(webhooks(&db.store, Clock::system(), &receiver));
    enqueue(&engine.webhooks, "b", 0..2).await;
    assert_eq!(receiver.numbers(3).await, [0, 0, 1]);
    engine.delivered().await;
}

async fn redirects_lead_nowhere(db: &Database) {
    let elsewhere = Receiver::content().await;
    let receiver = first(Answer::Redirect(elsewhere.url("/else").to_string())).await;
    let engine = Engine::start(webhooks(&db.store, Clock::system(), &receiver));
    enqueue(&engine.webhooks, "a", 0..1).await;
    assert_eq!(receiver.numbers(2).await, [0, 0]);
    engine.delivered().await;
    assert!(elsewhere.is_quiet().await);
}

async fn each_endpoint_is_told_what_it_wants(db: &Database) {
    let (one, other) = (Receiver::content().await, Receiver::content().await);
    let names =
        |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let only = EventFilter::Only(names(&["room_started", "room_finished"]));
    let but = EventFilter::AllBut(names(&["track_published", "room_started"]));
    let endpoints = vec![
        Endpoint { events: only, ..endpoint(one.url("/one?key=s3cret")) },
        Endpoint { events: but, ..endpoint(other.url("/other")) },
    ];
    let webhooks = Webhooks::new(db.store.clone(), Clock::system(), endpoints, limits()).unwrap();
    let wanted = ["room_started", "room_finished", "participant_left"];
    assert!(wanted.iter().all(|name| webhooks.wants(name)));
    assert!(!webhooks.wants("track_published"));

    let engine = Engine::start(webhooks.clone());
    let all = ["track_published", "room_started", "participant_left", "room_finished"];
    for (number, name) in (0..).zip(all) {
        let body = Bytes::from(format!("a/{number}"));
        let event = WebhookEvent::new(&format!("EV_{number}"), name, body).unwrap();
        webhooks.enqueue(&project(), &queue("a"), event).await.unwrap();
    }
    assert_eq!(one.numbers(2).await, [1, 3]);
    assert_eq!(other.numbers(2).await, [2, 3]);
    engine.delivered().await;
    assert!(one.is_quiet().await && other.is_quiet().await);
    engine.stop().await;
}

async fn numbers_of_all_this_are_in_the_metrics(db: &Database) {
    let receiver = first(Answer::Status(500)).await;
    let endpoints = vec![endpoint(receiver.url("/hook?key=s3cret"))];
    let tiny = WebhookLimits::TINY;
    let full = tiny.events_per_queue_max;
    let webhooks = Webhooks::new(db.store.clone(), Clock::system(), endpoints, tiny).unwrap();
    let metrics = Metrics::default();
    metrics.add(|registry| webhooks.metrics().register(registry));
    enqueue(&webhooks, "a", 0..full + 3).await;

    let engine = Engine::start(webhooks);
    let oldest_kept: Vec<u32> = [3].into_iter().chain(3..full + 3).collect();
    assert_eq!(receiver.numbers(oldest_kept.len()).await, oldest_kept);
    engine.delivered().await;
    engine.stop().await;
    let text = metrics.render().unwrap();
    let label = format!("endpoint=\"{}\"", receiver.url("/hook"));
    for line in [
        format!("roomd_webhooks_delivered_total{{{label}}} 5"),
        format!("roomd_webhook_attempts_failed_total{{{label}}} 1"),
        format!("roomd_webhooks_dropped_total{{{label},reason=\"full\"}} 3"),
        format!("roomd_webhooks_dropped_total{{{label},reason=\"old\"}} 0"),
        format!("roomd_webhooks_waiting{{{label}}} "),
    ] {
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("s3cret"));
}

async fn a_body_that_is_too_large_is_refused(db: &Database) {
    let receiver = Receiver::content().await;
    let webhooks = webhooks(&db.store, Clock::system(), &receiver);
    let bytes_max = WebhookLimits::TINY.body_bytes_max;
    let event = |bytes| WebhookEvent::new("EV_1", "room_started", vec![b' '; bytes].into());
    let enqueue = |bytes| {
        let webhooks = webhooks.clone();
        async move { webhooks.enqueue(&project(), &queue("a"), event(bytes).unwrap()).await }
    };
    let error = enqueue(bytes_max + 1).await.unwrap_err();
    assert!(error.public().contains("'body': must have at most 1024 bytes, got 1025"), "{error}");
    enqueue(bytes_max).await.unwrap();
    let id = &webhooks.endpoints()[0].endpoint.id;
    assert_eq!(db.store.count_webhooks(id).await.unwrap(), 1);
}
