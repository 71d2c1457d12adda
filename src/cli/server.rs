//! A running server: what `serve` and `dev` have in common.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::live::open_live;
use super::parts::{open_authenticator, open_objects, open_signing_keys, open_store};
use super::{Signal, Signals};
use crate::app::{self, App, Deps};
use crate::auth::api_key::{self, NewKeys, PROJECT_DEFAULT};
use crate::config::Config;
use crate::domain::ctx::Clock;
use crate::domain::ids::ProjectId;
use crate::error::{Code, Error, chain};
use crate::room::registry::Rooms;
use crate::store::Store;
use crate::wire::listener::{self, Drain, Drained};
use crate::wire::tls::Certificate;

/// Files that a server needs besides its connections: the database, logs, what libraries open.
const OTHER_FILES_MAX: u64 = 256;

pub struct Server {
    address: SocketAddr,
    url: String,
    new_keys: Option<NewKeys>,
    certificate: Option<Arc<Certificate>>,
    store: Store,
    rooms: Rooms,
    telling: JoinHandle<()>,
    /// Ends the listener first.
    shutdown: CancellationToken,
    /// Ends the work in the background, which requests in flight may still count on.
    stop: CancellationToken,
    listening: JoinHandle<Drained>,
}

impl Server {
    /// Binds the address, opens the database and begins to serve. The address comes first: a second
    /// server that was started by mistake then fails before it touches anything.
    pub async fn start(config: &Config) -> Result<Self, Error> {
        let limits = &config.limits;
        raise_open_files(limits.connections_max + limits.websocket_connections_max);
        let certificate = load_certificate(config)?;
        let tls = certificate.as_ref().map(Certificate::server_config).transpose()?;
        let (listener, address) = bind(config).await?;
        let randomness = tokio::task::spawn_blocking(warm_randomness_up);
        let store = open_store(config, open_objects(config).await?).await?;
        let clock = Clock::system();
        let (stop, shutdown) = (CancellationToken::new(), CancellationToken::new());
        let ends = Ends { stop: stop.clone(), shutdown: shutdown.clone() };
        let place = (address, tls.is_some());
        let built = build(config, &store, clock.clone(), ends, place).await?;
        let App { front: service, rooms, telling } = built;
        // Last, since keys that are made by a start that then fails are shown to nobody.
        let new_keys = create_project(config, &store, clock.now_ms()).await?;

        randomness.await.map_err(Error::internal)??;
        let drain = Drain { grace: Duration::from_millis(config.shutdown_grace_ms) };
        let (limits, token) = (config.limits.clone(), shutdown.clone());
        let url = url_of(address, tls.is_some());
        let listening = tokio::spawn(async move {
            listener::serve(listener, tls, service, &limits, token, drain).await
        });
        Ok(Self {
            address,
            url,
            new_keys,
            certificate,
            store,
            rooms,
            telling,
            shutdown,
            stop,
            listening,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a client on this machine calls.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The keys that this start made, if it was the first on its database.
    pub fn new_keys(&self) -> Option<&NewKeys> {
        self.new_keys.as_ref()
    }

    /// Serves until a signal says stop, then drains.
    pub async fn run_until_stopped(self, signals: &mut Signals) -> Result<(), Error> {
        // Without a certificate to read again SIGHUP is what it always was: the terminal is gone.
        while let (Signal::Hangup, Some(certificate)) = (next(signals).await, &self.certificate) {
            reload(certificate);
        }
        self.stop(signals).await;
        Ok(())
    }

    /// Drains within the grace; a further signal ends that at once.
    pub async fn stop(self, signals: &mut Signals) {
        tracing::info!("shutting down: no new connections, finishing what is in flight");
        self.shutdown.cancel();
        let mut listening = self.listening;
        let drained = loop {
            tokio::select! {
                drained = &mut listening => break drained.unwrap_or_default(),
                signal = next(signals) => match signal {
                    Signal::Hangup => {}
                    Signal::Interrupt | Signal::Terminate => {
                        listening.abort();
                        tracing::warn!("a second signal: requests in flight are cut");
                    }
                },
            }
        };
        if drained.connections_cut > 0 {
            let cut = drained.connections_cut;
            tracing::warn!(connections = cut, "cut connections at the end of the shutdown grace");
        }
        self.stop.cancel();
        self.rooms.close().await;
        if let Err(error) = self.telling.await {
            tracing::error!(%error, "webhooks ended early");
        }
        // Writes that were begun are finished, so that the next start has nothing to recover.
        self.store.close().await;
        tracing::info!("stopped");
    }
}

fn reload(certificate: &Certificate) {
    match certificate.reload() {
        Ok(()) => tracing::info!("the TLS certificate was read again"),
        Err(error) => {
            tracing::error!(error = chain(&error), "the old TLS certificate stays in use");
        }
    }
}

/// The next signal. Where nobody sends any there is none, ever.
async fn next(signals: &mut Signals) -> Signal {
    match signals.recv().await {
        Some(signal) => signal,
        None => std::future::pending().await,
    }
}

/// What ends the server: the work in the background, and what is being served.
struct Ends {
    stop: CancellationToken,
    shutdown: CancellationToken,
}

async fn build(
    config: &Config,
    store: &Store,
    clock: Clock,
    ends: Ends,
    (address, serves_tls): (SocketAddr, bool),
) -> Result<App, Error> {
    let keys = open_signing_keys(config, store, clock.now_ms()).await?;
    let authenticator = open_authenticator(config, store, keys.clone())?;
    let limits = config.limits.clone();
    let Ends { stop, shutdown } = ends;
    let (store, clock_of_keys) = (store.clone(), clock.clone());
    let page_networks = config.page_networks.clone();
    let live = open_live(config, &authenticator, address, clock.now_ms()).await?;
    let deps =
        Deps { store, authenticator, clock, limits, shutdown, serves_tls, page_networks, live };
    let app = app::build(deps, stop.clone()).await?;
    tokio::spawn(keys.maintain_until(clock_of_keys, stop));
    Ok(app)
}

async fn create_project(
    config: &Config,
    store: &Store,
    now_ms: i64,
) -> Result<Option<NewKeys>, Error> {
    let project = ProjectId::trusted(PROJECT_DEFAULT);
    if config.takes_well_known_keys {
        api_key::bootstrap_dev(store, &project, now_ms).await?;
        return Ok(None);
    }
    api_key::bootstrap(store, &project, now_ms).await
}

/// The first random bytes of a process take up to a tenth of a second, in which their generator
/// measures the machine's jitter for a seed. Else the first who enters a room would wait for it.
fn warm_randomness_up() -> Result<(), Error> {
    let mut bytes = [0; 1];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::internal("no random bytes"))
}

fn load_certificate(config: &Config) -> Result<Option<Arc<Certificate>>, Error> {
    match (&config.tls_cert, &config.tls_key) {
        (Some(chain), Some(key)) => Certificate::load(chain, key).map(Some),
        // Half a pair was refused when the configuration was read.
        _ => Ok(None),
    }
}

async fn bind(config: &Config) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |error: std::io::Error| {
        let hint = match error.kind() {
            std::io::ErrorKind::AddrInUse => "; another program listens there, maybe roomd itself",
            std::io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege",
            _ => "",
        };
        let public = format!("option `listen`: cannot listen on {}{hint}", config.listen);
        Error::new(Code::FailedPrecondition, "LISTEN", public).because(error)
    };
    let listener = TcpListener::bind(config.listen.to_string()).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// An address of every interface is no address to call, so it is named by its loopback.
fn url_of(address: SocketAddr, is_tls: bool) -> String {
    let mut shown = address;
    if address.ip().is_unspecified() {
        shown.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    let scheme = if is_tls { "https" } else { "http" };
    format!("{scheme}://{shown}")
}

/// A connection is an open file, and the usual soft limit of 1024 is below what we accept.
fn raise_open_files(connections_max: usize) {
    let wanted = OTHER_FILES_MAX.saturating_add(connections_max as u64);
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| wanted <= current) {
        return;
    }
    let reached = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let raised = Rlimit { current: Some(reached), maximum: limit.maximum };
    if setrlimit(Resource::Nofile, raised).is_err() || reached < wanted {
        let open_files = reached;
        tracing::warn!(
            open_files,
            wanted,
            "the system allows fewer open files than the limits of connections need",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::url_of;

    #[test]
    fn the_url_can_be_called() {
        let cases = [
            ("127.0.0.1:80", false, "http://127.0.0.1:80"),
            ("0.0.0.0:1153", false, "http://127.0.0.1:1153"),
            ("[::]:1153", true, "https://[::1]:1153"),
        ];
        for (address, is_tls, url) in cases {
            assert_eq!(url_of(address.parse().unwrap(), is_tls), url);
        }
    }
}
