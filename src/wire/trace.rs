//! The span of a request, for whoever exports traces. Log lines do not need it: they carry the
//! request's id themselves.
//!
//! Where no traces are exported nobody listens to [`TARGET`]; a request then pays for one look at a
//! flag.

use http::request::Parts;
use tracing::Span;
use tracing::field::Empty;

/// What the exporter listens to, and what log lines leave out.
pub const TARGET: &str = "roomd::request";

/// A span for the request, in the trace that its `traceparent` header names. Names follow
/// OpenTelemetry's conventions for HTTP and RPC.
pub fn request_span(head: &Parts, request_id: &str) -> Span {
    let span = tracing::info_span!(
        target: TARGET,
        "request",
        otel.kind = "server",
        otel.name = Empty,
        otel.status_code = Empty,
        http.request.method = %head.method,
        rpc.system = Empty,
        rpc.method = Empty,
        rpc.grpc.status_code = Empty,
        request.id = request_id,
    );
    if !span.is_disabled() {
        join_trace(&span, head);
    }
    span
}

/// Notes what the request turned out to be and how it ended. `protocol` is the metrics' word for
/// it, `method` is `package.Service/Method`.
pub fn finish(span: &Span, protocol: &str, method: Option<&str>, code: tonic::Code) {
    if span.is_disabled() {
        return;
    }
    span.record("otel.name", method.unwrap_or("unknown"));
    span.record("rpc.system", protocol);
    if let Some(method) = method {
        span.record("rpc.method", method);
    }
    span.record("rpc.grpc.status_code", code as i32);
    // What the caller did wrong is no fault of the server's, by the same conventions.
    let is_fault = matches!(
        code,
        tonic::Code::Unknown
            | tonic::Code::DeadlineExceeded
            | tonic::Code::Unimplemented
            | tonic::Code::Internal
            | tonic::Code::Unavailable
            | tonic::Code::DataLoss
    );
    if is_fault {
        span.record("otel.status_code", "ERROR");
    }
}

#[cfg(not(feature = "otel"))]
fn join_trace(_: &Span, _: &Parts) {}

#[cfg(feature = "otel")]
fn join_trace(span: &Span, head: &Parts) {
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    struct Headers<'a>(&'a http::HeaderMap);

    impl opentelemetry::propagation::Extractor for Headers<'_> {
        fn get(&self, key: &str) -> Option<&str> {
            self.0.get(key)?.to_str().ok()
        }

        fn keys(&self) -> Vec<&str> {
            self.0.keys().map(http::HeaderName::as_str).collect()
        }
    }

    let headers = Headers(&head.headers);
    let parent = opentelemetry::global::get_text_map_propagator(|format| format.extract(&headers));
    // It fails only where no exporter listens, and then nothing is missed.
    let _ = span.set_parent(parent);
}

#[cfg(all(test, feature = "otel"))]
mod tests {
    use std::sync::{Arc, Mutex};

    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Debug, Clone, Default)]
    struct Kept(Arc<Mutex<Vec<SpanData>>>);

    impl SpanExporter for Kept {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.0.lock().unwrap().extend(batch);
            Ok(())
        }
    }

    #[test]
    fn a_request_joins_its_callers_trace() {
        let exporter = Kept::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let request = http::Request::get("http://test/")
            .header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"))
            .body(())
            .unwrap();
        let (head, ()) = request.into_parts();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = request_span(&head, "id-1");
            finish(&span, "connect", Some("roomd.v1.RoomService/GetRoom"), tonic::Code::Internal);
        });
        let spans = exporter.0.lock().unwrap();
        assert_eq!(spans.len(), 1);
        assert_eq!(spans[0].name, "roomd.v1.RoomService/GetRoom");
        assert_eq!(spans[0].span_context.trace_id().to_string(), trace);
        assert_eq!(spans[0].status, opentelemetry::trace::Status::error(""));
    }
}
