//! Logs and traces: lines on standard error, and spans to an OpenTelemetry collector where one is
//! configured.
//!
//! Invariant: only `main` calls [`init`], once. Everything else speaks `tracing` and does not know
//! where its words go.

use std::io::{self, IsTerminal};
use std::panic::PanicHookInfo;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::config::{Config, LogFormat};
use crate::error::Error;
use crate::wire::trace;

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// These log as errors what any client can send, and secrets of connections at lower levels.
/// Whoever looks for a fault names them in the filter of the configuration, which then counts.
const QUIET: &str = "dimpl=off,is=off,sctp_proto=off,str0m=off";

/// What has to be flushed before the program ends.
#[derive(Debug, Default)]
pub struct Telemetry {
    #[cfg(feature = "otel")]
    traces: Option<opentelemetry_sdk::trace::SdkTracerProvider>,
}

/// Begins to log. Where traces are exported this must be called inside the runtime.
pub fn init(config: &Config) -> Result<Telemetry, Error> {
    let mut telemetry = Telemetry::default();
    // Requests' spans are for the exporter alone: log lines would pay for them and not show them.
    let filter = format!("{QUIET},{},{}=off", config.log_filter, trace::TARGET);
    let filter = EnvFilter::try_new(filter).map_err(Error::internal)?;
    let lines: BoxedLayer = lines(config.log_format).with_filter(filter).boxed();
    let mut layers = vec![lines];
    layers.extend(telemetry.export(config)?);
    Registry::default().with(layers).try_init().map_err(Error::internal)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(telemetry)
}

fn lines(format: LogFormat) -> BoxedLayer {
    let is_terminal = io::stderr().is_terminal();
    let is_json = match format {
        LogFormat::Auto => !is_terminal,
        LogFormat::Pretty => false,
        LogFormat::Json => true,
    };
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    if is_json {
        return layer.json().flatten_event(true).with_span_list(false).boxed();
    }
    // On a terminal the library decides, since it heeds NO_COLOR.
    if is_terminal { layer.boxed() } else { layer.with_ansi(false).boxed() }
}

/// Logs where a panic happened. Of its message only literal text is logged: a formatted one can
/// hold what a caller sent, so it is left to the debug level of this target.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let literal = panic.payload().downcast_ref::<&str>().copied();
    let backtrace = std::backtrace::Backtrace::capture();
    let captured = backtrace.status() == std::backtrace::BacktraceStatus::Captured;
    let backtrace = captured.then(|| backtrace.to_string());
    tracing::error!(
        panic.place = place,
        panic.message = literal.unwrap_or("(formatted; shown at debug level)"),
        panic.backtrace = backtrace,
        "a thread panicked",
    );
    if let Some(formatted) = panic.payload().downcast_ref::<String>() {
        tracing::debug!(panic.place = place, panic.message = formatted, "a thread panicked");
    }
}

#[cfg(not(feature = "otel"))]
impl Telemetry {
    fn export(&mut self, config: &Config) -> Result<Option<BoxedLayer>, Error> {
        if config.otlp_endpoint.is_none() {
            return Ok(None);
        }
        let public = "option `otlp_endpoint` needs a build with the feature `otel`";
        Err(Error::new(crate::error::Code::FailedPrecondition, "OTEL", public))
    }

    pub fn shutdown(self) {}
}

#[cfg(feature = "otel")]
impl Telemetry {
    fn export(&mut self, config: &Config) -> Result<Option<BoxedLayer>, Error> {
        use opentelemetry::trace::TracerProvider as _;
        use opentelemetry_otlp::WithExportConfig as _;
        use opentelemetry_sdk::Resource;
        use tracing_subscriber::filter::Targets;

        let Some(endpoint) = &config.otlp_endpoint else { return Ok(None) };
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .build()
            .map_err(Error::internal)?;
        let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        // The builder heeds OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES by itself.
        let resource = Resource::builder().with_attribute(version);
        let is_named = std::env::var_os("OTEL_SERVICE_NAME").is_some();
        let resource = if is_named { resource } else { resource.with_service_name("roomd") };
        let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build())
            .build();
        // W3C trace context, so that our spans join the caller's trace.
        opentelemetry::global::set_text_map_propagator(
            opentelemetry_sdk::propagation::TraceContextPropagator::new(),
        );
        let tracer = provider.tracer("roomd");
        self.traces = Some(provider);
        let requests = Targets::new().with_target(trace::TARGET, tracing::Level::INFO);
        let layer = tracing_opentelemetry::layer().with_tracer(tracer).with_filter(requests);
        Ok(Some(layer.boxed()))
    }

    /// Sends what is still buffered. Blocks for up to [`FLUSH`]; call it where that does no harm.
    pub fn shutdown(self) {
        const FLUSH: std::time::Duration = std::time::Duration::from_secs(3);
        if let Some(traces) = self.traces
            && let Err(error) = traces.shutdown_with_timeout(FLUSH)
        {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}
