//! LiveKit's signalling: `/rtc`, where its clients enter a room and are told of the others.
//!
//! Unlike in rooms of browsers' own protocol, what is wrong with a request is told by the status of
//! the handshake, where LiveKit's clients look for it.

mod asked;
mod ending;
mod frames;
mod intake;
mod peers;
mod request;
mod sent;
mod talk;

use std::sync::Arc;

use http::{Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use self::asked::Asked;
use self::request::Refusal;
use self::talk::{Parts, Talk};
use super::close::{Close, Ending};
use super::handshake;
use super::{Inner, Place, WebSockets, on_upgrade, refuse_handshake};
use crate::domain::live::LiveToken;
use crate::room::close::CloseReason;
use crate::room::live::Link;
use crate::room::session::{Join, LiveClient, RoomAddress, StorageDialect};
use crate::rtc::Rtc;
use crate::wire::body::Body;
use crate::wire::front::Exchange;
use crate::wire::listener::Upgrades;
use crate::wire::livekit;
use crate::wire::metrics::Protocol;

const PATH: &str = "/rtc";
const VALIDATE: &str = "/rtc/validate";
/// Of signalling over one connection, which clients fall back from.
const NEWER: &str = "/rtc/v1";

/// What signalling needs besides rooms.
pub struct Signalling {
    /// Absent where clients are only told things by signalling.
    pub rtc: Option<Rtc>,
    /// Whether whoever enters a room first brings it to life.
    pub auto_create: bool,
}

/// What is served at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    Signal,
    Validate,
    /// What is answered so that clients take the other way.
    NotFound,
}

/// Whether a path is of signalling.
pub fn served_at(path: &str) -> Option<Served> {
    let path = path.strip_suffix('/').unwrap_or(path);
    match path {
        PATH => Some(Served::Signal),
        VALIDATE => Some(Served::Validate),
        _ if path
            .strip_prefix(NEWER)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) =>
        {
            Some(Served::NotFound)
        }
        _ => None,
    }
}

/// Somebody who may enter, whose handshake was answered.
struct Visitor {
    join: Join,
    token: LiveToken,
    /// A client that wants to go on with a session that is not there any more.
    resumes: bool,
    request_id: Arc<str>,
    upgrades: Upgrades,
}

impl WebSockets {
    /// Answers whatever comes to a path of signalling.
    pub(in crate::wire) async fn signal(
        &self,
        exchange: &Exchange<'_>,
        served: Served,
        is_overloaded: bool,
    ) -> Response<Body> {
        let wants_upgrade = handshake::is_asked_for(exchange.head);
        let (response, code) = match served {
            Served::NotFound => {
                (livekit::plain(StatusCode::NOT_FOUND, "404 page not found"), tonic::Code::NotFound)
            }
            Served::Signal if wants_upgrade => {
                return self.upgrade_signal(exchange, is_overloaded).await;
            }
            Served::Signal | Served::Validate => {
                match self.0.admit(exchange, is_overloaded).await {
                    Ok(_) => (livekit::plain(StatusCode::OK, "success"), tonic::Code::Ok),
                    Err(refusal) => refusal.into_response(),
                }
            }
        };
        exchange.finish(Protocol::WebSocket, None, code);
        response
    }

    async fn upgrade_signal(&self, exchange: &Exchange<'_>, is_overloaded: bool) -> Response<Body> {
        let head = exchange.head;
        // LiveKit's order: whoever may not enter hears of that before the handshake is looked at.
        let (join, token, resumes) = match self.0.admit(exchange, is_overloaded).await {
            Ok(admitted) => admitted,
            Err(refusal) => return refuse(exchange, refusal),
        };
        let accept = match handshake::accept(head) {
            Ok(accept) => accept,
            Err(bad) => return refuse_handshake(exchange, bad),
        };
        let place = self.place(is_overloaded).filter(|place| !place.is_refusal);
        let parts = (place, on_upgrade(head), head.extensions.get::<Upgrades>());
        let (Some(place), Some(on_upgrade), Some(upgrades)) = parts else {
            return refuse(exchange, Refusal::overloaded());
        };
        let (request_id, inner) = (exchange.request_id.clone(), self.0.clone());
        let visitor = Visitor { join, token, resumes, request_id, upgrades: upgrades.clone() };
        upgrades.spawn(async move { inner.serve_signal(visitor, on_upgrade, place).await });
        exchange.finish(Protocol::WebSocket, None, tonic::Code::Ok);
        handshake::switching_protocols(accept)
    }
}

fn refuse(exchange: &Exchange<'_>, refusal: Refusal) -> Response<Body> {
    let (response, code) = refusal.into_response();
    exchange.finish(Protocol::WebSocket, None, code);
    response
}

impl Inner {
    /// Whether somebody may enter the room that their token names.
    async fn admit(
        &self,
        exchange: &Exchange<'_>,
        is_overloaded: bool,
    ) -> Result<(Join, LiveToken, bool), Refusal> {
        if is_overloaded {
            return Err(Refusal::overloaded());
        }
        let now_ms = self.clock.now_ms();
        let caller = livekit::caller(exchange.head, self.admission.authenticator(), now_ms).await;
        let caller = caller.map_err(|error| Refusal::of_credential(&error, exchange))?;
        let (caller, token, room) = request::check(caller)?;
        let address = RoomAddress { project: caller.project.clone(), room };
        let may_create = self.signalling.auto_create || token.grant.room_create;
        if self.rooms.live_room(&address).is_none() {
            if !may_create {
                return Err(Refusal::no_room());
            }
            token.check_room().map_err(|error| Refusal::of_room(&error))?;
        }
        let asked = Asked::parse(exchange.head.uri.query().unwrap_or_default());
        let attributes = match token.grant.can_update_own_metadata {
            Some(true) => asked.attributes,
            Some(false) | None => std::collections::BTreeMap::new(),
        };
        let client = LiveClient {
            metadata: None,
            attributes,
            client_protocol: asked.client_protocol,
            capabilities: asked.capabilities,
        };
        let join = Join {
            address,
            caller,
            dialect: StorageDialect::Compact,
            link: Link::Signal,
            live: Some(client),
            valid_from_s: None,
        };
        Ok((join, token, asked.resumes))
    }

    async fn serve_signal(&self, visitor: Visitor, on_upgrade: OnUpgrade, place: Place) {
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
        let ending = self.talk_signal(stream, visitor).await;
        drop(place);
        tracing::debug!(request.id = &*request_id, ?ending, "a signalling connection ended");
    }

    async fn talk_signal(
        &self,
        stream: TokioIo<hyper::upgrade::Upgraded>,
        visitor: Visitor,
    ) -> Ending {
        let Visitor { join, token, resumes, upgrades, .. } = visitor;
        let shutdown = upgrades.shutdown().clone();
        if resumes {
            // Its session ended with its connection; it has to begin anew.
            return ending::refuse(stream, &CloseReason::Unavailable, &self.limits).await;
        }
        let joined = tokio::select! {
            joined = self.rooms.join(join.clone()) => joined,
            () = shutdown.cancelled() => Err(CloseReason::ShuttingDown),
        };
        let session = match joined {
            Ok(session) => session,
            Err(reason) => return ending::refuse(stream, &reason, &self.limits).await,
        };
        let parts = Parts {
            rooms: &self.rooms,
            authenticator: self.admission.authenticator(),
            rtc: self.signalling.rtc.as_ref(),
            limits: &self.limits,
            clock: &self.clock,
            metrics: &self.metrics,
            shutdown: &shutdown,
        };
        Box::pin(Talk::new(parts, session, join, token).converse(stream)).await
    }
}

/// A close that LiveKit's clients take for the end of a conversation.
fn farewell() -> Close {
    Close::new(1000, "")
}
