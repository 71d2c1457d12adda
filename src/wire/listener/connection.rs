//! One connection, from the accepted socket to its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http::header::UPGRADE;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::activity::{Activity, Counted, Snapshot, Tracked};
use super::{BoxError, HttpService, Upgrades};
use crate::config::Limits;

/// A connection that was told to go and carries nothing any more is cut after this long: a peer
/// that never sent a request, or does not read its GOAWAY, must not hold up a drain.
const LINGER: Duration = Duration::from_millis(500);

/// What all connections of a listener share.
pub struct Connections {
    http: auto::Builder<TokioExecutor>,
    header_read_timeout: Duration,
    tls_handshake_timeout: Duration,
    idle: Duration,
    upgrades: Upgrades,
    shutdown: CancellationToken,
    cut: CancellationToken,
}

impl Connections {
    pub fn new(
        limits: &Limits,
        upgrades: Upgrades,
        shutdown: CancellationToken,
        cut: CancellationToken,
    ) -> Self {
        Self {
            http: http_builder(limits),
            header_read_timeout: Duration::from_millis(limits.header_read_timeout_ms),
            tls_handshake_timeout: Duration::from_millis(limits.tls_handshake_timeout_ms),
            idle: Duration::from_millis(limits.connection_idle_ms),
            upgrades,
            shutdown,
            cut,
        }
    }

    pub async fn run<S: HttpService>(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        tls: Option<TlsAcceptor>,
        service: S,
    ) {
        // Answers are written whole, so waiting for more to send would only add latency.
        let _ = stream.set_nodelay(true);
        let work = async {
            match tls {
                None => self.speak_http(stream, service).await,
                Some(acceptor) => {
                    let handshake = acceptor.accept(stream);
                    let shaken = tokio::time::timeout(self.tls_handshake_timeout, handshake);
                    match shaken.await {
                        Ok(Ok(stream)) => self.speak_http(stream, service).await,
                        Ok(Err(error)) => Err(error.into()),
                        Err(_) => Err("the TLS handshake took too long".into()),
                    }
                }
            }
        };
        let ended = tokio::select! {
            ended = work => ended,
            () = self.cut.cancelled() => Err("cut at the end of the shutdown grace".into()),
        };
        if let Err(error) = ended {
            // Peers vanish and probe ports all the time; that is no news.
            let error = crate::error::chain(error.as_ref());
            tracing::debug!(%peer, error, "connection ended");
        }
    }

    async fn speak_http<S, I>(&self, stream: I, service: S) -> Result<(), BoxError>
    where
        S: HttpService,
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Arc::new(Activity::default());
        let io = TokioIo::new(Counted::new(stream, activity.clone()));
        let tracker = activity.clone();
        let upgrades = self.upgrades.clone();
        let answer = service_fn(move |mut request: Request<Incoming>| {
            let in_flight = tracker.start_request();
            if request.headers().contains_key(UPGRADE) {
                request.extensions_mut().insert(upgrades.clone());
            }
            let answer = service.clone().answer(request);
            async move {
                let response = answer.await;
                Ok::<_, Infallible>(response.map(|body| Tracked::new(body, in_flight)))
            }
        });
        let mut connection = pin!(self.http.serve_connection_with_upgrades(io, answer));
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = self.shutdown.cancelled() => {}
            () = self.gone_idle(&activity) => {}
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            ended = connection.as_mut() => ended,
            () = quiet_for(LINGER, &activity) => Ok(()),
        }
    }

    /// Returns once the peer has had its time: for a first request, or between two.
    async fn gone_idle(&self, activity: &Activity) {
        tokio::time::sleep(self.header_read_timeout).await;
        if activity.has_seen_request() {
            quiet_for(self.idle, activity).await;
        }
    }
}

/// Returns once nothing at all has happened for `window`, at the latest one window later. Looking
/// only once a window costs no clock and no timer per request.
async fn quiet_for(window: Duration, activity: &Activity) {
    loop {
        let before: Snapshot = activity.snapshot();
        tokio::time::sleep(window).await;
        if activity.is_quiet_since(before) {
            return;
        }
    }
}

fn http_builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        // The activity watch does this without a timer per request.
        .header_read_timeout(None)
        .keep_alive(true)
        .max_headers(limits.request_headers_max)
        .max_buf_size(limits.request_header_bytes_max);
    http.http2()
        .timer(TokioTimer::new())
        .adaptive_window(true)
        .max_concurrent_streams(limits.http2_streams_max)
        .max_header_list_size(u32::try_from(limits.request_header_bytes_max).unwrap_or(u32::MAX))
        .keep_alive_interval(Duration::from_millis(limits.http2_ping_interval_ms))
        .keep_alive_timeout(Duration::from_millis(limits.http2_ping_timeout_ms));
    http
}
