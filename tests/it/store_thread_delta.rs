//! Clients that ask again and again what changed: whatever happens between two answers and during
//! one, they end up with what the server has.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use roomd::domain::comment::{MetadataPatch, Thread, ThreadCursor, ThreadQuery, Visibility};
use roomd::store::{CommentScope, Store, ThreadView};
use serde_json::json;

use crate::databases::Database;
use crate::store_threads::{comment, scope, thread, thread_id};

crate::on_both!(
    any_plan_of_writes_and_polls_ends_with_what_the_server_has,
    polls_among_writers_miss_nothing,
);

/// What a client holds, and from when on it asks next.
#[derive(Default)]
struct Client {
    threads: BTreeMap<String, Thread>,
    since_ms: i64,
}

impl Client {
    /// Whether there is more to ask for.
    async fn poll(&mut self, store: &Store, view: &ThreadView, now_ms: i64) -> bool {
        let settled_ms = store.settled_ms(now_ms);
        let changes = store.list_thread_changes(view, self.since_ms).await.unwrap();
        for thread in changes.threads {
            let slot = self.threads.entry(thread.id.to_string());
            let known = slot.or_insert_with(|| thread.clone());
            // As clients do: an older copy may come late.
            if thread.updated_at_ms >= known.updated_at_ms {
                *known = thread;
            }
        }
        for gone in changes.deleted {
            self.threads.remove(gone.id.as_str());
        }
        self.since_ms = changes.cut_at_ms.map_or(settled_ms, |cut| cut.min(settled_ms));
        changes.cut_at_ms.is_some()
    }
}

async fn on_the_server(store: &Store, view: &ThreadView) -> BTreeMap<String, Thread> {
    let mut query = ThreadQuery::read("", None, "", None).unwrap();
    let mut threads = BTreeMap::new();
    loop {
        let page = store.list_threads(view, &query).await.unwrap();
        threads.extend(page.threads.into_iter().map(|thread| (thread.id.to_string(), thread)));
        match page.next_cursor {
            Some(next) => query.after = ThreadCursor::read(&next).unwrap(),
            None => return threads,
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Create(u8),
    Reply(u8),
    Resolve(u8, bool),
    Describe(u8, i32),
    Delete(u8),
    Poll,
    /// The clock goes on, stands still or is set back.
    Wait(i64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let which = || 0..6_u8;
    prop_oneof![
        which().prop_map(Step::Create),
        which().prop_map(Step::Reply),
        (which(), any::<bool>()).prop_map(|(n, resolved)| Step::Resolve(n, resolved)),
        (which(), 0..3_i32).prop_map(|(n, value)| Step::Describe(n, value)),
        which().prop_map(Step::Delete),
        Just(Step::Poll),
        (-3..4_i64).prop_map(Step::Wait),
    ]
}

/// One step of a plan; what cannot be done is refused and changes nothing.
async fn write(store: &Store, scope: &CommentScope, step: &Step, (turn, now_ms): (usize, i64)) {
    let id = |n: &u8| thread_id(&format!("th_{n}"));
    match step {
        Step::Create(n) => {
            let draft = thread(&n.to_string(), Visibility::Public, json!({"n": turn}));
            drop(store.create_thread(scope, &draft, now_ms).await);
        }
        Step::Reply(n) => {
            let reply = comment(&format!("cm_r{turn}_{n}"), "bob", "yes");
            drop(store.create_comment(scope, &id(n), &reply, now_ms).await);
        }
        Step::Resolve(n, resolved) => {
            drop(store.resolve_thread(scope, &id(n), *resolved, now_ms).await);
        }
        Step::Describe(n, value) => {
            let patch = json!({ "v": value });
            let patch = MetadataPatch::from_json("metadata", patch.as_object().unwrap().clone());
            drop(store.edit_thread_metadata(scope, &id(n), &patch.unwrap(), now_ms).await);
        }
        Step::Delete(n) => drop(store.delete_thread(scope, &id(n), now_ms).await),
        Step::Poll | Step::Wait(_) => {}
    }
}

async fn any_plan_of_writes_and_polls_ends_with_what_the_server_has(db: &Database) {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::default();
    let plans = prop::collection::vec(any_step(), 1..40);
    for round in 0..24 {
        let plan = plans.new_tree(&mut runner).unwrap().current();
        let scope = scope(db, &format!("room-{round}")).await;
        let (mut client, mut now_ms) = (Client::default(), 1_000);
        for (turn, step) in plan.iter().enumerate() {
            match step {
                Step::Poll => {
                    client.poll(&db.store, &scope.view, now_ms).await;
                }
                Step::Wait(ms) => now_ms += ms,
                step => write(&db.store, &scope, step, (turn, now_ms)).await,
            }
        }
        while client.poll(&db.store, &scope.view, now_ms).await {}
        assert_eq!(client.threads, on_the_server(&db.store, &scope.view).await, "{plan:?}");
    }
}

async fn polls_among_writers_miss_nothing(db: &Database) {
    const WRITERS: u8 = 4;
    const TURNS: usize = 60;
    let scope = scope(db, "a").await;
    let (clock, done) = (roomd::domain::ctx::Clock::system(), Arc::new(AtomicBool::new(false)));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (store, scope, clock) = (db.store.clone(), scope.clone(), clock.clone());
            tokio::spawn(async move {
                for turn in 0..TURNS {
                    let n = writer + u8::try_from(turn % 20).unwrap();
                    let step = match turn % 7 {
                        0 => Step::Create(n),
                        6 if turn % 3 == 0 => Step::Delete(n),
                        3 => Step::Resolve(n, turn % 2 == 0),
                        4 => Step::Describe(n, i32::from(writer)),
                        _ => Step::Reply(n),
                    };
                    let turn = turn * usize::from(WRITERS) + usize::from(writer);
                    write(&store, &scope, &step, (turn, clock.now_ms())).await;
                }
            })
        })
        .collect();
    let poller = {
        let (store, view, clock) = (db.store.clone(), scope.view.clone(), clock.clone());
        let done = Arc::clone(&done);
        tokio::spawn(async move {
            let mut client = Client::default();
            while !done.load(Ordering::Acquire) {
                client.poll(&store, &view, clock.now_ms()).await;
            }
            while client.poll(&store, &view, clock.now_ms()).await {}
            client.threads
        })
    };
    for writer in writers {
        writer.await.unwrap();
    }
    done.store(true, Ordering::Release);
    let threads = poller.await.unwrap();
    assert_eq!(threads, on_the_server(&db.store, &scope.view).await);
}
