//! The front: one listener's requests to the protocol that each of them speaks.
//!
//! Everything that is the same for all protocols happens here: request id, load shedding,
//! deadline, credential, metrics, CORS. No tonic interceptors and no axum layers, since those
//! would not run for the other protocols.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderName, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method as Verb, Request, Response, Version};
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};
use tower_http::cors::CorsLayer;
use tracing::{Instrument, Span};

use super::body::{self, Body};
use super::grpc::Grpc;
use super::metrics::{Metrics, Protocol};
use super::routes::{Match, Routes};
use super::table::{Method, MethodSpec, Table};
use super::websocket::{self, WebSockets, signal};
use super::{
    call, connect, connect_stream, credential, grpc_front, livekit, origin, request_id, rest,
    slashes, trace, twirp,
};
use crate::auth::credentials::Authenticator;
use crate::config::Limits;
use crate::domain::ctx::{Caller, Clock, Ctx, TokenTimes};
use crate::error::{Code, Error};

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the front is made of; `app.rs` puts it together.
pub struct FrontParts {
    pub table: Table,
    pub grpc: Grpc,
    pub admin: axum::Router,
    pub authenticator: Authenticator,
    pub limits: Limits,
    pub clock: Clock,
    pub metrics: Metrics,
    /// Cancelled when streams have to end.
    pub shutdown: CancellationToken,
    pub serves_tls: bool,
    pub websockets: WebSockets,
}

/// A tower service over hyper's requests. Cloning it is cheap.
#[derive(Clone)]
pub struct Front {
    state: Arc<State>,
    /// Only requests with an `Origin` pay for CORS, also for its copy.
    with_cors: Arc<Answering>,
    with_live_cors: Arc<Answering>,
}

type Answering = BoxCloneSyncService<Request<Incoming>, Response<Body>, Infallible>;

impl Front {
    pub fn new(parts: FrontParts) -> Self {
        let routes = Routes::new(&parts.table);
        let in_flight = Semaphore::new(parts.limits.requests_in_flight_max);
        let state = Arc::new(State { routes, in_flight, parts });
        let answer = {
            let state = state.clone();
            service_fn(move |request| state.clone().serve(request))
        };
        let with_cors = Arc::new(BoxCloneSyncService::new(cors().layer(answer.clone())));
        let live = livekit::cors().layer(answer);
        let with_live_cors = Arc::new(BoxCloneSyncService::new(live));
        Self { state, with_cors, with_live_cors }
    }
}

/// What browsers need: credentials travel in `Authorization`, never in cookies, so every origin
/// may call.
fn cors() -> CorsLayer {
    let exposed = [
        "x-request-id",
        "grpc-status",
        "grpc-message",
        "grpc-status-details-bin",
        "accept-ranges",
        "content-disposition",
        "content-range",
        "etag",
    ];
    CorsLayer::new()
        .allow_origin(tower_http::cors::Any)
        .allow_methods([Verb::GET, Verb::HEAD, Verb::POST, Verb::PUT, Verb::PATCH, Verb::DELETE])
        .allow_headers(tower_http::cors::AllowHeaders::mirror_request())
        .expose_headers(exposed.map(HeaderName::from_static))
        .max_age(Duration::from_hours(2))
}

impl tower::Service<Request<Incoming>> for Front {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        if let Some(uri) = slashes::collapsed(request.uri()) {
            *request.uri_mut() = uri;
        }
        if request.headers().contains_key(ORIGIN) {
            let answering = match livekit::has_its_cors(request.uri().path()) {
                true => &self.with_live_cors,
                false => &self.with_cors,
            };
            return Box::pin(Answering::clone(answering).oneshot(request));
        }
        Box::pin(self.state.clone().serve(request))
    }
}

pub(super) struct State {
    routes: Routes,
    in_flight: Semaphore,
    parts: FrontParts,
}

/// How far a request has got, for whoever answers it.
pub(super) struct Exchange<'a> {
    pub state: &'a State,
    pub head: &'a Parts,
    /// Until somebody takes it.
    body: Mutex<Option<Incoming>>,
    pub request_id: Arc<str>,
    pub span: Span,
    pub started: Instant,
}

/// What answered, and how it ended.
pub(super) struct Answered {
    pub response: Response<Body>,
    pub code: tonic::Code,
}

impl State {
    async fn serve(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        Ok(self.answer(request).await)
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let request_id = request_id::of(&head.headers);
        let span = trace::request_span(&head, &request_id);
        let exchange = Exchange {
            state: self,
            head: &head,
            body: Mutex::new(Some(body)),
            request_id,
            span,
            started: Instant::now(),
        };
        let permit = self.in_flight.try_acquire();
        let overload = permit.is_err().then(overloaded);
        let answer = self.route(&exchange, overload);
        let mut response = match exchange.span.is_disabled() {
            true => answer.await,
            false => answer.instrument(exchange.span.clone()).await,
        };
        if let Ok(mut value) = HeaderValue::from_str(&exchange.request_id) {
            // HTTP/2 would put it into its table of headers that come again; it never does.
            value.set_sensitive(true);
            response.headers_mut().insert(REQUEST_ID, value);
        }
        if !exchange.body_is_read().await {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// `refusal` is answered in the caller's protocol instead of the call. The larger futures are
    /// boxed, so that the small ones are not moved about in a space that is made for all.
    async fn route(&self, exchange: &Exchange<'_>, refusal: Option<Error>) -> Response<Body> {
        let head = exchange.head;
        if let Some(served) = signal::served_at(head.uri.path()) {
            let is_overloaded = refusal.is_some();
            return Box::pin(self.parts.websockets.signal(exchange, served, is_overloaded)).await;
        }
        if websocket::is_asked_for(head) {
            return self.parts.websockets.upgrade(exchange, refusal.is_some());
        }
        let path = head.uri.path();
        let content_type = content_type(&head.headers);
        if content_type.starts_with("application/grpc") {
            return Box::pin(grpc_front::call(exchange, refusal, content_type)).await;
        }
        if content_type.starts_with("application/connect+") {
            return Box::pin(connect_stream::call(exchange, refusal, content_type)).await;
        }
        if livekit::is_twirp(path) {
            return livekit::call(exchange, refusal).await;
        }
        if let Some(rest) = path.strip_prefix(twirp::PREFIX) {
            return twirp::call(exchange, rest, refusal, content_type).await;
        }
        if head.method == Verb::POST
            && let Some(method) = self.find(path)
        {
            return connect::call(exchange, method, refusal, content_type).await;
        }
        match self.routes.find(&head.method, path) {
            Match::Found { method, rule, variables } => {
                let route = rest::Route { method, rule, variables: &variables };
                rest::call(exchange, &route, refusal, content_type).await
            }
            Match::WrongVerb(verbs) => rest::wrong_verb(exchange, &verbs),
            Match::None => Box::pin(self.admin(exchange, refusal)).await,
        }
    }

    /// Health, metrics and documents, by axum.
    async fn admin(&self, exchange: &Exchange<'_>, refusal: Option<Error>) -> Response<Body> {
        if let Some(error) = refusal {
            return rest::refuse(exchange, &error).response;
        }
        if livekit::is_root(exchange.head.uri.path())
            && let Some(refusal) = livekit::refusal(exchange).await
        {
            return refusal;
        }
        let mut request = Request::new(axum::body::Body::empty());
        *request.method_mut() = exchange.head.method.clone();
        *request.uri_mut() = exchange.head.uri.clone();
        let Ok(response) = self.parts.admin.clone().oneshot(request).await;
        if response.status() == http::StatusCode::NOT_FOUND {
            return rest::no_route(exchange);
        }
        response.map(|body| Body::Stream(tonic::body::Body::new(body)))
    }

    /// The method of a path `/package.Service/Method`.
    pub fn find(&self, path: &str) -> Option<&Arc<dyn Method>> {
        self.parts.table.find(path.strip_prefix('/')?)
    }

    /// What is known of the streaming method of a path.
    pub fn find_stream(&self, path: &str) -> Option<&'static MethodSpec> {
        self.parts.table.find_stream(path.strip_prefix('/')?)
    }

    pub fn shutdown(&self) -> &CancellationToken {
        &self.parts.shutdown
    }

    pub fn table(&self) -> &Table {
        &self.parts.table
    }

    pub fn grpc(&self) -> &Grpc {
        &self.parts.grpc
    }

    pub fn limits(&self) -> &Limits {
        &self.parts.limits
    }

    pub fn authenticator(&self) -> &Authenticator {
        &self.parts.authenticator
    }

    pub fn now_ms(&self) -> i64 {
        self.parts.clock.now_ms()
    }
}

pub(super) fn overloaded() -> Error {
    Error::new(
        Code::ResourceExhausted,
        "OVERLOADED",
        "The server has as many requests in flight as it takes; retry later.",
    )
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

impl Exchange<'_> {
    /// The request's body, for whoever reads it: once.
    pub fn take_body(&self) -> Option<Incoming> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Puts back what was not read to its end.
    pub fn return_body(&self, body: Incoming) {
        *self.body.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
    }

    /// Whether an HTTP/1 connection can go on after the answer. hyper hangs up where a body was left
    /// unread, and a client that was not told loses its next call; so a short rest is read away.
    async fn body_is_read(&self) -> bool {
        match self.take_body() {
            Some(rest) if self.head.version < Version::HTTP_2 => body::discard(rest).await,
            _ => true,
        }
    }

    /// Reads the whole body within the limit.
    pub async fn read_body(&self) -> Result<Bytes, Error> {
        self.read_framed_body(0).await
    }

    /// Reads a body whose message has so many bytes in front that the limit does not count.
    pub async fn read_framed_body(&self, frame_bytes: usize) -> Result<Bytes, Error> {
        let Some(mut body) = self.take_body() else { return Ok(Bytes::new()) };
        let bytes_max = self.state.parts.limits.request_body_bytes_max;
        let bytes = body::read(&mut body, bytes_max, frame_bytes).await;
        if bytes.is_err() {
            self.return_body(body);
        }
        bytes
    }

    /// Verifies the credential and makes the context of the call.
    pub async fn context(
        &self,
        spec: Option<&MethodSpec>,
        deadline: Option<Instant>,
    ) -> Result<Ctx, Error> {
        let (authenticator, now_ms) = (self.state.authenticator(), self.state.now_ms());
        let caller = match spec {
            Some(spec) => credential::caller(self.head, spec, authenticator, now_ms).await?,
            // Health, reflection and what does not exist are tonic's own to answer.
            None => None,
        };
        Ok(self.context_of(caller, spec, deadline))
    }

    /// The context of a call whose caller is known.
    pub fn context_of(
        &self,
        caller: Option<Caller>,
        spec: Option<&MethodSpec>,
        deadline: Option<Instant>,
    ) -> Ctx {
        let parts = &self.state.parts;
        Ctx {
            caller,
            request_id: self.request_id.clone(),
            deadline,
            clock: parts.clock.clone(),
            origin: spec
                .filter(|spec| spec.addresses)
                .and_then(|_| origin::of(self.head, parts.serves_tls)),
            token: TokenTimes::default(),
        }
    }

    /// From when until when the caller's token is valid.
    pub async fn token_times(&self, ctx: &Ctx) -> Result<TokenTimes, Error> {
        let authenticator = self.state.authenticator();
        credential::times(self.head, ctx.caller.as_ref(), authenticator, ctx.now_ms()).await
    }

    /// When the call must have ended: what the caller asked for, within our bounds. A timer takes a
    /// millisecond to notice, so whoever has no time at all is told here.
    pub fn deadline(&self, asked: Option<Duration>) -> Result<Instant, Error> {
        let limits = &self.state.parts.limits;
        let longest = Duration::from_millis(limits.request_timeout_ms_max);
        match asked {
            Some(Duration::ZERO) => Err(call::deadline_exceeded()),
            Some(asked) => Ok(self.started + asked.min(longest)),
            None => Ok(self.started + Duration::from_millis(limits.request_timeout_ms)),
        }
    }

    /// When a stream must have ended: never, unless the caller asked for a time.
    pub fn stream_deadline(&self, asked: Option<Duration>) -> Result<Option<Instant>, Error> {
        match asked {
            Some(Duration::ZERO) => Err(call::deadline_exceeded()),
            // What no clock can show is never.
            Some(asked) => Ok(self.started.checked_add(asked)),
            None => Ok(None),
        }
    }

    /// Counts the call; every protocol ends here.
    pub fn finish(&self, protocol: Protocol, method: Option<&dyn Method>, code: tonic::Code) {
        self.finish_spec(protocol, method.map(Method::spec), code);
    }

    pub fn finish_spec(
        &self,
        protocol: Protocol,
        spec: Option<&'static MethodSpec>,
        code: tonic::Code,
    ) {
        let elapsed = self.started.elapsed();
        self.state.parts.metrics.observe(protocol, spec, code, elapsed);
        trace::finish(&self.span, protocol.name(), spec.map(|spec| spec.full_name), code);
    }
}
