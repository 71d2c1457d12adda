//! gRPC and gRPC-Web: tonic's services, behind one gate that knows the caller.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use futures_util::TryFutureExt;
use futures_util::future::{Either, MapOk, Ready, ready};
use http::{HeaderValue, Request, Response};
use tonic::server::NamedService;
use tonic::service::{Routes, RoutesBuilder};
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_web::GrpcWebLayer;
use tower::{Layer, Service, ServiceExt};

use super::body::Body;
use super::call;
use super::status;
use crate::domain::ctx::Ctx;
use crate::error::Error;
use crate::proto::DESCRIPTOR_SET;

/// Limits of tonic's own decoder.
#[derive(Debug, Clone, Copy)]
pub struct GrpcLimits {
    pub message_bytes_max: usize,
}

/// tonic's services while they are put together.
pub struct Services {
    routes: RoutesBuilder,
    limits: GrpcLimits,
}

impl Services {
    pub fn new(limits: GrpcLimits) -> Self {
        Self { routes: RoutesBuilder::default(), limits }
    }

    /// Called by the generated code, once for each service.
    pub fn add<S>(&mut self, service: impl FnOnce(GrpcLimits) -> S)
    where
        S: Service<Request<tonic::body::Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send + 'static,
    {
        self.routes.add_service(service(self.limits));
    }

    /// Adds health and reflection (v1 and v1alpha), and makes the service.
    pub fn build<H: Health>(mut self, health: HealthServer<H>) -> Result<Grpc, Error> {
        self.routes.add_service(health);
        let builder = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        self.routes.add_service(builder().build_v1().map_err(Error::internal)?);
        self.routes.add_service(builder().build_v1alpha().map_err(Error::internal)?);
        let gate = Gate(self.routes.routes().prepare());
        Ok(Grpc(GrpcWebLayer::new().layer(gate)))
    }
}

#[derive(Clone)]
pub struct Grpc(tonic_web::GrpcWebService<Gate>);

impl Grpc {
    pub async fn call(&self, request: Request<tonic::body::Body>) -> Response<Body> {
        match self.0.clone().oneshot(request).await {
            Ok(response) => response.map(Body::Stream),
            Err(never) => match never {},
        }
    }
}

/// Refuses a call whose credential was refused, before its body is read. It stands inside the
/// gRPC-Web layer, so that the refusal is written in the caller's protocol.
#[derive(Clone)]
struct Gate(Routes);

/// What the front leaves in a request for the gate.
#[derive(Clone)]
pub struct Refusal(pub tonic::Status);

impl Service<Request<tonic::body::Body>> for Gate {
    type Response = Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Either<
        Ready<Result<Self::Response, Infallible>>,
        MapOk<
            <Routes as Service<Request<tonic::body::Body>>>::Future,
            fn(Self::Response) -> Self::Response,
        >,
    >;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<tonic::body::Body>>::poll_ready(&mut self.0, context)
    }

    fn call(&mut self, mut request: Request<tonic::body::Body>) -> Self::Future {
        match request.extensions_mut().remove::<Refusal>() {
            Some(Refusal(status)) => Either::Left(ready(Ok(status.into_http()))),
            None => Either::Right(self.0.call(request).map_ok(name_the_limit)),
        }
    }
}

/// tonic calls a message over its limit OUT_OF_RANGE; gRPC's own libraries, and our other
/// protocols, say RESOURCE_EXHAUSTED. Nothing of ours is ever OUT_OF_RANGE.
fn name_the_limit(mut response: Response<tonic::body::Body>) -> Response<tonic::body::Body> {
    if let Some(status) = response.headers_mut().get_mut(tonic::Status::GRPC_STATUS)
        && status == "11"
    {
        *status = HeaderValue::from_static("8");
    }
    response
}

/// How a call ended, for the metrics of the front, which sees only a stream.
#[derive(Debug, Clone, Default)]
pub struct Outcome(Arc<AtomicU8>);

impl Outcome {
    fn set(&self, code: tonic::Code) {
        self.0.store(code as u8, Ordering::Relaxed);
    }

    pub fn get(&self) -> tonic::Code {
        tonic::Code::from_i32(i32::from(self.0.load(Ordering::Relaxed)))
    }
}

/// Every unary method of every tonic service ends here: the generated adapters call it.
pub async fn unary<Req, Resp, F, Fut>(
    mut request: tonic::Request<Req>,
    handler: F,
) -> Result<tonic::Response<Resp>, tonic::Status>
where
    F: FnOnce(Ctx, Req) -> Fut,
    Fut: Future<Output = Result<Resp, Error>>,
{
    let Some(ctx) = request.extensions_mut().remove::<Ctx>() else {
        return Err(tonic::Status::internal("the call reached its handler without a context"));
    };
    let outcome = request.extensions_mut().remove::<Outcome>().unwrap_or_default();
    let (request_id, deadline) = (ctx.request_id.clone(), ctx.deadline);
    let reply = call::guard(deadline, handler(ctx, request.into_inner())).await;
    reply.map(tonic::Response::new).map_err(|error| {
        call::log(&error, &request_id);
        let status = status::grpc(&error, &request_id);
        outcome.set(status.code());
        status
    })
}
