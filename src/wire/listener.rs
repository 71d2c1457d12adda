//! The one listener: HTTP/1.1 and HTTP/2 (by prior knowledge, or by ALPN under TLS) on one port,
//! within the [`Limits`] of connections, and drained in order when the program stops.
//!
//! Invariant: nothing here knows what a request means; it only knows whether one is in flight.

mod activity;
mod connection;
mod upgrades;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::connection::Connections;
pub use self::upgrades::Upgrades;
use crate::config::Limits;

/// A pause after an accept that failed for lack of something, so that the loop does not spin.
const ACCEPT_PAUSE_MS_MIN: u64 = 10;
const ACCEPT_PAUSE_MS_MAX: u64 = 1_000;

/// What answers requests. A blanket implementation covers every service of that shape.
pub trait HttpService: Clone + Send + 'static {
    type Body: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static;

    fn answer(
        self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Self::Body>> + Send + 'static;
}

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl<S, B> HttpService for S
where
    S: tower::Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    type Body = B;

    async fn answer(mut self, request: Request<Incoming>) -> Response<B> {
        let ready = std::future::poll_fn(|cx| self.poll_ready(cx)).await;
        let answered = match ready {
            Ok(()) => self.call(request).await,
            Err(never) => Err(never),
        };
        match answered {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// How long a drain lasts.
#[derive(Debug, Clone, Copy)]
pub struct Drain {
    pub grace: Duration,
}

/// How a listener ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drained {
    /// Connections that still had a request in flight when the grace was over, and were cut.
    pub connections_cut: usize,
}

/// Serves until `shutdown` is cancelled, then stops accepting, tells every peer to go (GOAWAY or
/// `connection: close`), waits for the requests in flight as long as `drain` allows, and cuts the
/// rest. Connections that were upgraded by way of [`Upgrades`] are waited for and cut as well.
pub async fn serve<S: HttpService>(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    service: S,
    limits: &Limits,
    shutdown: CancellationToken,
    drain: Drain,
) -> Drained {
    let slots = Arc::new(Semaphore::new(limits.connections_max));
    let tasks = TaskTracker::new();
    // Dropping the guard cuts whatever is left, also when this future itself is dropped.
    let cut = CancellationToken::new();
    let cut_on_drop = cut.clone().drop_guard();
    let upgrades = Upgrades::new(tasks.clone(), shutdown.clone(), cut.clone());
    let connections = Arc::new(Connections::new(limits, upgrades, shutdown.clone(), cut));
    let acceptor = tls.map(TlsAcceptor::from);
    let mut pause_ms = ACCEPT_PAUSE_MS_MIN;

    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_about_one_connection(&error) => continue,
            Err(error) => {
                tracing::error!(%error, pause_ms, "accepting connections fails, pausing");
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                pause_ms = (pause_ms * 2).min(ACCEPT_PAUSE_MS_MAX);
                continue;
            }
        };
        pause_ms = ACCEPT_PAUSE_MS_MIN;
        let Ok(slot) = slots.clone().try_acquire_owned() else {
            refuse(&stream, peer, limits);
            continue;
        };
        let (connections, acceptor) = (connections.clone(), acceptor.clone());
        let service = service.clone();
        tasks.spawn(async move {
            connections.run(stream, peer, acceptor, service).await;
            drop(slot);
        });
    }
    drop(listener);
    tasks.close();
    let in_time = tokio::time::timeout(drain.grace, tasks.wait()).await.is_ok();
    let connections_cut = if in_time { 0 } else { tasks.len() };
    drop(cut_on_drop);
    tasks.wait().await;
    Drained { connections_cut }
}

/// The peer went away between connecting and being accepted: no trouble of ours.
fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// Closes at once: a connection that waits in line for an unknown time helps nobody.
fn refuse(stream: &TcpStream, peer: SocketAddr, limits: &Limits) {
    // A reset instead of an orderly close, so that refusing leaves no sockets in TIME_WAIT.
    let _ = stream.set_zero_linger();
    tracing::warn!(
        %peer,
        connections_max = limits.connections_max,
        "refused a connection: connections_max are open",
    );
}

#[cfg(test)]
mod tests;
