//! PostgreSQL goes away and comes back: calls fail quickly and clearly, then work by themselves.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use roomd::domain::ids::ProjectId;
use roomd::error::Code;
use roomd::store::{DatabaseOptions, Store, Target};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::databases::{create_schema, drop_schema, url_of};
use crate::store_rooms::{draft, grant, id};

/// Slack for a busy machine on top of the store's own 1.5 s.
const QUICKLY: Duration = Duration::from_secs(4);

/// Stands between the store and the server, and can be cut.
struct Cable {
    address: SocketAddr,
    server: String,
    task: Mutex<tokio::task::JoinHandle<()>>,
}

impl Cable {
    async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = Mutex::new(tokio::spawn(carry(listener, server.clone())));
        Self { address, server, task }
    }

    /// Ends every connection and refuses new ones.
    async fn cut(&self) {
        self.task.lock().unwrap().abort();
        while TcpStream::connect(self.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    async fn mend(&self) {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(self.address).unwrap();
        let listener = socket.listen(64).unwrap();
        *self.task.lock().unwrap() = tokio::spawn(carry(listener, self.server.clone()));
    }
}

async fn carry(listener: TcpListener, server: String) {
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    while let Ok((mut near, _)) = listener.accept().await {
        let server = server.clone();
        connections.spawn(async move {
            if let Ok(mut far) = TcpStream::connect(server).await {
                drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_is_reported_quickly_and_heals_by_itself() {
    let schema = create_schema().await;
    let url = url_of(&schema);
    let (head, tail) = url.split_once('@').expect("the test URL names a user");
    let (server, path) = tail.split_once('/').expect("the test URL names a database");
    let cable = Arc::new(Cable::to(server.to_owned()).await);
    let url = format!("{head}@{}/{path}", cable.address);
    let mut options = DatabaseOptions::new(Target::Postgres { url });
    options.cache_bytes_max = 0;
    let store = Store::open(options.clone()).await.unwrap();
    let project = ProjectId::trusted("p");
    store.insert_room(&grant("p"), draft("a"), 1).await.unwrap();

    cable.cut().await;
    for _ in 0..2 {
        let began = Instant::now();
        let errors = [
            store.ping().await.unwrap_err(),
            store.find_room(&project, &id("a")).await.unwrap_err(),
            store.insert_room(&grant("p"), draft("b"), 1).await.unwrap_err(),
        ];
        assert!(began.elapsed() < QUICKLY * 3, "took {:?}", began.elapsed());
        for error in errors {
            assert_eq!(error.code(), Code::Unavailable);
            assert_eq!(error.public(), "The database is not reachable, please retry.");
        }
    }
    let error = Store::open(options).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(error.public().contains(&cable.address.to_string()), "{error}");

    cable.mend().await;
    let began = Instant::now();
    while store.ping().await.is_err() {
        assert!(began.elapsed() < QUICKLY, "it does not heal");
    }
    assert!(store.find_room(&project, &id("a")).await.unwrap().is_some());
    store.insert_room(&grant("p"), draft("b"), 1).await.unwrap();
    store.close().await;
    drop_schema(&schema).await;
}

#[tokio::test]
async fn a_wrong_url_does_not_show_its_password() {
    for url in ["postgres://u:hush@127.0.0.1:1/x", "postgres://u:hush@[/x"] {
        let options = DatabaseOptions::new(Target::Postgres { url: url.to_owned() });
        assert!(!format!("{options:?}").contains("hush"));
        let error = Store::open(options).await.unwrap_err();
        assert!(!roomd::error::chain(&error).contains("hush"), "{}", roomd::error::chain(&error));
    }
}
