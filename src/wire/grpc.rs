//! gRPC and gRPC-Web: tonic's services, behind one gate that knows the caller.

use std::collections::HashMap;
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
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceExt};

use super::body::Body;
use super::call;
use super::status;
use crate::domain::ctx::Ctx;
use crate::error::Error;
use crate::proto::DESCRIPTOR_SET;
use crate::proto::reply::Reply;

/// Limits of tonic's own decoder.
#[derive(Debug, Clone, Copy)]
pub struct GrpcLimits {
    pub message_bytes_max: usize,
}

type GrpcRequest = Request<tonic::body::Body>;
type GrpcResponse = Response<tonic::body::Body>;

/// tonic's services while they are put together.
pub struct Services {
    routes: RoutesBuilder,
    direct: HashMap<&'static str, BoxCloneSyncService<GrpcRequest, GrpcResponse, Infallible>>,
    limits: GrpcLimits,
}

impl Services {
    pub fn new(limits: GrpcLimits) -> Self {
        Self { routes: RoutesBuilder::default(), direct: HashMap::new(), limits }
    }

    /// Called by the generated code, once for each service.
    pub fn add<S>(&mut self, service: impl FnOnce(GrpcLimits) -> S)
    where
        S: Service<GrpcRequest, Response = GrpcResponse, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        let service = service(self.limits);
        self.direct.insert(S::NAME, BoxCloneSyncService::new(service.clone()));
        self.routes.add_service(service);
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
        Ok(Grpc { web: GrpcWebLayer::new().layer(gate), direct: self.direct })
    }
}

pub struct Grpc {
    /// Whatever comes, gRPC-Web too.
    web: tonic_web::GrpcWebService<Gate>,
    /// Our own services once more, without the layers: a router and a translation that plain gRPC
    /// does not need cost as much as the call.
    direct: HashMap<&'static str, BoxCloneSyncService<GrpcRequest, GrpcResponse, Infallible>>,
}

impl Grpc {
    /// A call of plain gRPC, or what Connect's streams became.
    pub async fn call(&self, request: GrpcRequest) -> Response<Body> {
        let service = request.uri().path().strip_prefix('/').and_then(|path| path.split_once('/'));
        let Some(direct) = service.and_then(|(service, _)| self.direct.get(service)) else {
            return self.call_web(request).await;
        };
        let Ok(response) = direct.clone().call(request).await;
        name_the_limit(response).map(Body::Stream)
    }

    pub async fn call_web(&self, request: GrpcRequest) -> Response<Body> {
        let Ok(response) = self.web.clone().oneshot(request).await;
        response.map(Body::Stream)
    }
}

/// Refuses a call whose credential was refused, before its body is read. It stands inside the
/// gRPC-Web layer, so that the refusal is written in the caller's protocol.
#[derive(Clone)]
struct Gate(Routes);

/// What the front leaves in a request for the gate.
#[derive(Clone)]
pub struct Refusal(pub tonic::Status);

impl Service<GrpcRequest> for Gate {
    type Response = GrpcResponse;
    type Error = Infallible;
    type Future = Either<
        Ready<Result<Self::Response, Infallible>>,
        MapOk<<Routes as Service<GrpcRequest>>::Future, fn(Self::Response) -> Self::Response>,
    >;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<GrpcRequest>::poll_ready(&mut self.0, context)
    }

    fn call(&mut self, mut request: GrpcRequest) -> Self::Future {
        match request.extensions_mut().remove::<Refusal>() {
            Some(Refusal(status)) => Either::Left(ready(Ok(status.into_http()))),
            None => Either::Right(self.0.call(request).map_ok(name_the_limit)),
        }
    }
}

/// tonic calls a message over its limit OUT_OF_RANGE; gRPC's own libraries, and our other
/// protocols, say RESOURCE_EXHAUSTED. Nothing of ours is ever OUT_OF_RANGE.
fn name_the_limit(mut response: GrpcResponse) -> GrpcResponse {
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
    pub(super) fn set(&self, code: tonic::Code) {
        self.0.store(code as u8, Ordering::Relaxed);
    }

    pub fn get(&self) -> tonic::Code {
        tonic::Code::from_i32(i32::from(self.0.load(Ordering::Relaxed)))
    }
}

/// Every unary method of every tonic service ends here: the generated adapters call it.
pub async fn unary<Req, Resp, R, F, Fut>(
    mut request: tonic::Request<Req>,
    handler: F,
) -> Result<tonic::Response<Resp>, tonic::Status>
where
    F: FnOnce(Ctx, Req) -> Fut,
    Fut: Future<Output = Result<R, Error>>,
    R: Into<Reply<Resp>>,
    Resp: Clone,
{
    let Some(ctx) = request.extensions_mut().remove::<Ctx>() else {
        return Err(tonic::Status::internal("the call reached its handler without a context"));
    };
    let outcome = request.extensions_mut().remove::<Outcome>().unwrap_or_default();
    let (request_id, deadline) = (ctx.request_id.clone(), ctx.deadline);
    let reply = call::guard(deadline, handler(ctx, request.into_inner())).await;
    let reply = reply.map(|reply| tonic::Response::new(reply.into().into_message()));
    reply.map_err(|error| {
        call::log(&error, &request_id);
        let status = status::grpc(&error, &request_id);
        outcome.set(status.code());
        status
    })
}
