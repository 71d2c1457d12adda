//! The real server, in this process, on a port of its own.

use std::net::SocketAddr;
use std::time::Duration;

use prost_reflect::DescriptorPool;
use roomd::app::{self, App, Deps, LiveDeps};
use roomd::auth::Authenticator;
use roomd::auth::api_key::{self, RawKey};
use roomd::auth::credentials::AuthOptions;
use roomd::auth::signing::{SigningKeys, SigningOptions};
use roomd::auth::tokens::{TokenOptions, TokenSpec, Tokens};
use roomd::config::Limits;
use roomd::domain::ctx::{Clock, User, UserRights};
use roomd::domain::ids::{OrganizationId, ProjectId, UserId};
use roomd::domain::permissions::AccessPatterns;
use roomd::pages::Networks;
use roomd::store::{ApiKeyKind, Store};
use roomd::wire::listener::{self, Drain, Drained};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Every message and method, as reflection would tell.
pub fn descriptors() -> DescriptorPool {
    DescriptorPool::decode(roomd::proto::DESCRIPTOR_SET).unwrap()
}

pub struct Server {
    pub address: SocketAddr,
    pub store: Store,
    pub tokens: Tokens,
    pub authenticator: Authenticator,
    pub clock: Clock,
    pub pool: DescriptorPool,
    pub http: reqwest::Client,
    stop: CancellationToken,
    listening: Option<JoinHandle<Drained>>,
}

/// A project with its keys.
pub struct Project {
    pub id: ProjectId,
    pub secret: RawKey,
    pub public: RawKey,
}

impl Server {
    pub async fn start(store: &Store) -> Self {
        Self::start_with(store, Limits::PRODUCTION).await
    }

    pub async fn start_with(store: &Store, limits: Limits) -> Self {
        let (store, clock, stop) = (store.clone(), Clock::system(), CancellationToken::new());
        let keys = SigningKeys::open(store.clone(), SigningOptions::default(), clock.now_ms());
        let tokens = Tokens::new(keys.await.unwrap(), &TokenOptions::default()).unwrap();
        let authenticator =
            Authenticator::new(store.clone(), tokens.clone(), AuthOptions::default());
        let deps = Deps {
            store: store.clone(),
            authenticator: authenticator.clone(),
            clock: clock.clone(),
            limits: limits.clone(),
            shutdown: stop.clone(),
            serves_tls: false,
            page_networks: Networks::default(),
            live: LiveDeps::default(),
        };
        let App { front, rooms, telling } = app::build(deps, stop.clone()).await.unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let drain = Drain { grace: Duration::from_secs(5) };
        let shutdown = stop.clone();
        let listening = tokio::spawn(async move {
            let drained = listener::serve(socket, None, front, &limits, shutdown, drain).await;
            rooms.close().await;
            telling.await.unwrap();
            drained
        });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let pool = descriptors();
        let listening = Some(listening);
        Self { address, store, tokens, authenticator, clock, pool, http, stop, listening }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What REST answers to a call, whose body is JSON or nothing: the status, and the answer if that
    /// is JSON.
    pub async fn rest(&self, bearer: &str, verb: &str, path: &str, body: Value) -> (u16, Value) {
        let request = self.http.request(verb.parse().unwrap(), self.url(path));
        let request = request.header("authorization", format!("Bearer {bearer}"));
        let request = match body {
            Value::Null => request,
            body => request.header("content-type", "application/json").body(body.to_string()),
        };
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default())
    }

    /// A project that no other test knows.
    pub async fn project(&self, name: &str) -> Project {
        let id = ProjectId::parse("project", name).unwrap();
        let now_ms = self.clock.now_ms();
        self.store.ensure_project(&id, name, now_ms).await.unwrap();
        let key = async |kind| api_key::create(&self.store, &id, kind, now_ms).await.unwrap().1;
        let (secret, public) = (key(ApiKeyKind::Secret).await, key(ApiKeyKind::Public).await);
        Project { id, secret, public }
    }

    /// An access token of a user, issued `age_ms` ago.
    pub fn access_token(
        &self,
        project: &ProjectId,
        scopes: &[(&str, &[&str])],
        age_ms: i64,
    ) -> String {
        let patterns = scopes.iter().map(|(pattern, scopes)| {
            (
                (*pattern).to_owned(),
                scopes.iter().map(|scope| (*scope).to_owned()).collect::<Vec<_>>(),
            )
        });
        let patterns = AccessPatterns::parse("permissions", patterns).unwrap();
        self.token(project, "ann", UserRights::Patterns(patterns), "default", age_ms)
    }

    /// An access token for every room, of another organization than the default one.
    pub fn organization_token(&self, project: &ProjectId, organization: &str) -> String {
        let patterns = AccessPatterns::trusted([("*".to_owned(), vec!["*:write".to_owned()])]);
        self.token(project, "ann", UserRights::Patterns(patterns), organization, 0)
    }

    pub fn id_token(&self, project: &ProjectId, user: &str, group_ids: &[&str]) -> String {
        let group_ids = group_ids.iter().map(|id| (*id).to_owned()).collect();
        self.token(project, user, UserRights::Identity { group_ids }, "default", 0)
    }

    fn token(
        &self,
        project: &ProjectId,
        user: &str,
        rights: UserRights,
        organization: &str,
        age_ms: i64,
    ) -> String {
        let id = UserId::trusted(user);
        let organization_id = OrganizationId::trusted(organization);
        let user = User { id, info: None, organization_id, rights };
        let spec = TokenSpec { project: project.clone(), user, lifetime_s: None };
        self.tokens.issue(&spec, self.clock.now_ms() - age_ms).unwrap()
    }

    /// Ends the server and says whether anything was left over.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let drained = self.listening.take().unwrap().await.unwrap();
        assert_eq!(drained.connections_cut, 0, "a request was still in flight");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Runs a case on a server over each of the two databases.
#[macro_export]
macro_rules! on_both_servers {
    ($($case:ident),+ $(,)?) => {
        mod served {
            $(
                mod $case {
                    use $crate::databases::Database;
                    use $crate::harness::Server;

                    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn on_sqlite() {
                        let database = Database::sqlite().await;
                        super::super::$case(Server::start(&database.store).await).await;
                    }

                    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn on_postgres() {
                        let database = Database::postgres().await;
                        super::super::$case(Server::start(&database.store).await).await;
                    }
                }
            )+
        }
    };
}
