//! Everybody comes back at once after a restart: rooms wait for the database, calls are told.

use std::time::Duration;

use roomd::config::Limits;
use roomd::domain::ctx::{Actor, Caller, Clock};
use roomd::domain::ids::ProjectId;
use roomd::error::Code;
use roomd::room::registry::Rooms;
use roomd::room::session::{Join, RoomAddress, StorageDialect};
use roomd::store::{Store, Target};
use sqlx::{Connection, Executor, PgConnection};

use crate::databases::Database;
use crate::store_rooms::{draft, grant, id};

const ROOMS: usize = 100;
/// Nothing in this test may run out of time but the call.
const FOR_EVER: Duration = Duration::from_hours(1);

fn join(room: &str) -> Join {
    let address = RoomAddress { project: ProjectId::trusted("p"), room: id(room) };
    let caller = Caller { project: ProjectId::trusted("p"), actor: Actor::Secret };
    Join::plain(caller, address, StorageDialect::Compact)
}

/// Takes the row of a room's data, so that whoever opens the room keeps its connection.
async fn hold_room(url: &str) -> PgConnection {
    let mut holder = PgConnection::connect(url).await.unwrap();
    holder.execute("BEGIN").await.unwrap();
    holder.execute("SELECT 1 FROM room_data FOR UPDATE").await.unwrap();
    holder
}

async fn until_somebody_waits_for(holder: &mut PgConnection) {
    const WAITING: &str = "SELECT COUNT(*) FROM pg_stat_activity \
        WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))";
    loop {
        let (waiting,): (i64,) = sqlx::query_as(WAITING).fetch_one(&mut *holder).await.unwrap();
        if waiting > 0 {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_rooms_waits_for_the_database_where_a_call_gives_up() {
    let db = Database::postgres().await;
    for n in 0..ROOMS {
        db.store.insert_room(&grant("p"), draft(&format!("r{n}")), 1).await.unwrap();
    }
    db.store.open_room_data(&ProjectId::trusted("p"), &id("r0"), 0).await.unwrap();
    let Target::Postgres { url } = &db.options.target else { panic!("this is PostgreSQL") };

    let mut options = db.options.clone();
    (options.connections_max, options.statement_timeout) = (1, FOR_EVER);
    options.room_patience = FOR_EVER;
    // What a call waits, and what one that has its turn may need to come to its connection.
    options.acquire_timeout = Duration::from_secs(3);
    let store = Store::open(options).await.unwrap();
    let rooms = Rooms::new(store.clone(), Clock::system(), Limits::PRODUCTION);
    let mut holder = hold_room(url).await;
    let enter = |n: usize| {
        let rooms = rooms.clone();
        tokio::spawn(async move { rooms.join(join(&format!("r{n}"))).await })
    };
    let mut entering = vec![enter(0)];
    until_somebody_waits_for(&mut holder).await;
    entering.extend((1..ROOMS).map(enter));

    // The only connection is taken. When a call has given up, the rooms still wait.
    let error = store.find_room(&ProjectId::trusted("p"), &id("r1")).await.unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::Unavailable, "UNAVAILABLE"));
    assert!(entering.iter().all(|entering| !entering.is_finished()));
    holder.execute("COMMIT").await.unwrap();
    let mut sessions = Vec::new();
    for entering in entering {
        sessions.push(entering.await.unwrap().expect("nobody is refused"));
    }
    assert_eq!(rooms.running_len(), ROOMS);
    rooms.close().await;
    store.close().await;
}
