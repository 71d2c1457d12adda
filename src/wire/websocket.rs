//! WebSockets: browsers in rooms.
//!
//! Whatever is wrong with a request is said in a close frame after the upgrade, since a browser
//! shows its program nothing of a failed handshake but that it failed.

mod admission;
mod close;
mod connection;
mod frame;
mod handshake;
mod reader;
pub(super) mod signal;
mod silence;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::Arc;

use http::request::Parts;
use http::{Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::admission::Admission;
use self::close::{Close, Ending};
use self::connection::Terms;
use self::handshake::Asked;
pub(super) use self::handshake::is_asked_for;
pub use self::signal::Signalling;
use super::body::Body;
use super::front::Exchange;
use super::listener::Upgrades;
use super::metrics::{Metrics, Protocol, WebSocketMetrics};
use super::rest;
use crate::auth::credentials::Authenticator;
use crate::config::Limits;
use crate::domain::ctx::Clock;
use crate::error::{Code, Error};
use crate::room::close::CloseReason;
use crate::room::registry::Rooms;
use crate::room::session::{Session, StorageDialect};

/// Connections above the limit that are being told so. More of them are not even upgraded.
const REFUSALS_MAX: usize = 1_000;

/// Everybody's connections. Cloning it is cheap.
#[derive(Clone)]
pub struct WebSockets(Arc<Inner>);

struct Inner {
    rooms: Rooms,
    admission: Admission,
    limits: Limits,
    clock: Clock,
    metrics: WebSocketMetrics,
    signalling: Signalling,
    slots: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
}

/// A place among the open connections, or among those that are told that there is none.
struct Place {
    is_refusal: bool,
    _permit: OwnedSemaphorePermit,
}

/// A request whose upgrade was answered.
struct Visitor {
    asked: Asked,
    dialect: Option<StorageDialect>,
    request_id: Arc<str>,
    upgrades: Upgrades,
}

impl WebSockets {
    pub fn new(
        rooms: Rooms,
        authenticator: Authenticator,
        limits: Limits,
        clock: Clock,
        metrics: &Metrics,
        signalling: Signalling,
    ) -> Self {
        Self(Arc::new(Inner {
            rooms,
            admission: Admission::new(authenticator),
            clock,
            signalling,
            metrics: metrics.websocket.clone(),
            slots: Arc::new(Semaphore::new(limits.websocket_connections_max)),
            refusals: Arc::new(Semaphore::new(REFUSALS_MAX)),
            limits,
        }))
    }

    /// Answers a handshake and goes on in the background.
    pub(super) fn upgrade(&self, exchange: &Exchange<'_>, is_overloaded: bool) -> Response<Body> {
        let head = exchange.head;
        let accept = match handshake::accept(head) {
            Ok(accept) => accept,
            Err(bad) => return refuse_handshake(exchange, bad),
        };
        let parts =
            (self.place(is_overloaded), on_upgrade(head), head.extensions.get::<Upgrades>());
        let (Some(place), Some(on_upgrade), Some(upgrades)) = parts else {
            let error = super::front::overloaded();
            let answered = rest::refuse(exchange, &error);
            exchange.finish(Protocol::WebSocket, None, answered.code);
            return answered.response;
        };
        let visitor = Visitor {
            asked: Asked::parse(head.uri.query().unwrap_or_default()),
            dialect: handshake::dialect_at(head.uri.path()),
            request_id: exchange.request_id.clone(),
            upgrades: upgrades.clone(),
        };
        let inner = self.0.clone();
        upgrades.spawn(async move { inner.serve(visitor, on_upgrade, place).await });
        exchange.finish(Protocol::WebSocket, None, tonic::Code::Ok);
        handshake::switching_protocols(accept)
    }

    fn place(&self, is_overloaded: bool) -> Option<Place> {
        if !is_overloaded && let Ok(permit) = self.0.slots.clone().try_acquire_owned() {
            return Some(Place { is_refusal: false, _permit: permit });
        }
        let permit = self.0.refusals.clone().try_acquire_owned().ok()?;
        Some(Place { is_refusal: true, _permit: permit })
    }
}

fn on_upgrade(head: &Parts) -> Option<OnUpgrade> {
    head.extensions.get::<OnUpgrade>().cloned()
}

fn refuse_handshake(exchange: &Exchange<'_>, bad: handshake::BadHandshake) -> Response<Body> {
    let error = Error::new(Code::InvalidArgument, "BAD_HANDSHAKE", bad.problem);
    let mut answered = rest::refuse(exchange, &error);
    exchange.finish(Protocol::WebSocket, None, answered.code);
    *answered.response.status_mut() = bad.status;
    if bad.status == StatusCode::UPGRADE_REQUIRED {
        let headers = answered.response.headers_mut();
        headers.insert(http::header::SEC_WEBSOCKET_VERSION, http::HeaderValue::from_static("13"));
    }
    answered.response
}

impl Inner {
    async fn serve(&self, visitor: Visitor, on_upgrade: OnUpgrade, place: Place) {
        let request_id = visitor.request_id.clone();
        let stream = match on_upgrade.await {
            Ok(stream) => TokioIo::new(stream),
            Err(error) => {
                let error = crate::error::chain(&error);
                tracing::debug!(request.id = &*request_id, error, "the upgrade failed");
                return;
            }
        };
        let _open = self.metrics.open();
        let ending = if place.is_refusal {
            let close = Close::from(CloseReason::Overloaded);
            connection::refuse(stream, &close).await;
            Ending::Closed(close)
        } else {
            self.talk(stream, visitor).await
        };
        tracing::debug!(request.id = &*request_id, ?ending, "a WebSocket ended");
    }

    async fn talk(&self, stream: TokioIo<hyper::upgrade::Upgraded>, visitor: Visitor) -> Ending {
        let shutdown = visitor.upgrades.shutdown().clone();
        let joined = tokio::select! {
            joined = self.join(&visitor) => joined,
            () = shutdown.cancelled() => Err(CloseReason::ShuttingDown.into()),
        };
        let (session, expires_at_ms) = match joined {
            Ok(joined) => joined,
            Err(close) => {
                connection::refuse(stream, &close).await;
                return Ending::Closed(close);
            }
        };
        // Neither the token nor the room's name is needed while the connection lives.
        drop(visitor);
        let terms = Terms {
            expires_at_ms,
            limits: &self.limits,
            clock: &self.clock,
            metrics: &self.metrics,
            shutdown: &shutdown,
        };
        Box::pin(connection::converse(stream, session, &terms)).await
    }

    async fn join(&self, visitor: &Visitor) -> Result<(Session, Option<i64>), Close> {
        let now_ms = self.clock.now_ms();
        let Visitor { asked, dialect, request_id, .. } = visitor;
        let admitted = self.admission.admit(asked, *dialect, now_ms, request_id).await?;
        let (join, expires_at_ms) = admitted;
        let session = self.rooms.join(join).await.map_err(Close::from)?;
        Ok((session, expires_at_ms))
    }
}
