//! What operators and tools ask for: health, metrics, the OpenAPI document.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::metrics::Metrics;
use crate::error::{Error, chain};

/// The OpenAPI document of the REST routes, generated from the same descriptors.
const OPENAPI: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

pub type Check = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// What this module asks of the rest of the program.
#[derive(Clone)]
pub struct Probes {
    /// Whether calls can be served now.
    pub ready: Arc<dyn Fn() -> Check + Send + Sync>,
    /// Open and idle connections to the database.
    pub pool: Arc<dyn Fn() -> (u32, u32) + Send + Sync>,
    pub metrics: Metrics,
}

pub fn router(probes: Probes) -> Router {
    Router::new()
        // LiveKit's servers are asked for their health here.
        .route("/", get(async || "OK"))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(async || ([(CONTENT_TYPE, "application/json")], OPENAPI)))
        .with_state(probes)
}

async fn ready(State(probes): State<Probes>) -> Response {
    match (probes.ready)().await {
        Ok(()) => "ok\n".into_response(),
        Err(error) => {
            tracing::warn!(error = chain(&error), "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", error.public())).into_response()
        }
    }
}

async fn metrics(State(probes): State<Probes>) -> Response {
    let (size, idle) = (probes.pool)();
    probes.metrics.set_pool(size, idle);
    match probes.metrics.render() {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
