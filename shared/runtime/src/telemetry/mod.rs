//! Logs, traces and metrics of the process.
//!
//! All three are installed once per process; to ask again is harmless, so that every test may. A tracer is always
//! installed, so that every request has a trace id to name in its problem, also where no trace is sent anywhere.

mod metric;
mod propagation;

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{KeyValue, global};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

pub use metric::{metrics_text, spawn_upkeep};
pub use propagation::{
    Effect, add_link, current_trace_id, current_traceparent, record_effect, rename, set_parent, trace_id_of,
};

use crate::settings::{LogFormat, TelemetrySettings};

/// The product, to whose name that of the process's service is added.
const PRODUCT: &str = "onepool";
/// The path at which a collector takes traces over HTTP (OTLP 1.x specification).
const OTLP_TRACES_PATH: &str = "/v1/traces";
/// A collector that does not answer within this is given up for the batch: the queue behind it is bounded.
const OTLP_TIMEOUT: Duration = Duration::from_secs(5);

static INSTALLED: OnceLock<Installed> = OnceLock::new();
/// Held while one thread installs: whoever asks meanwhile must not go on before the whole is there.
static INSTALLING: Mutex<()> = Mutex::new(());

struct Installed {
    provider: SdkTracerProvider,
    is_collected: bool,
}

/// Whether spans are sent anywhere, so that what only they would show is worth finding out.
fn is_collected() -> bool {
    INSTALLED.get().is_some_and(|installed| installed.is_collected)
}

/// Telemetry that could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log setting is no filter.
    #[error("log is not a filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The exporter refuses the address.
    #[error("telemetry.otlp_endpoint cannot be used: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// Something else than this module takes the logs of the process already.
    #[error("logs and traces have another subscriber already: {0}")]
    Subscriber(#[from] tracing_subscriber::util::TryInitError),
}

/// What was installed; kept by `main` to send the last spans.
#[derive(Clone, Debug)]
pub struct Telemetry {
    provider: SdkTracerProvider,
}

impl Telemetry {
    /// Sends what is still queued. It blocks, so `main` calls it last, after the runtime has ended.
    pub fn shutdown(&self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

/// Installs logs (to standard error, filtered by `log`), traces and metrics, or returns what is installed already.
/// `service` is the name that the process's traces bear.
pub fn init(service: &str, log: &str, settings: &TelemetrySettings) -> Result<Telemetry, Error> {
    let _installing = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(installed) = INSTALLED.get() {
        return Ok(Telemetry { provider: installed.provider.clone() });
    }
    metric::install();
    let filter = EnvFilter::builder().parse(log)?;
    let provider = provider(service, settings)?;
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(PRODUCT))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        // Whoever asks for the trace asks the span; to make it known to other libraries too costs at every step of a future.
        .with_context_activation(false)
        .with_filter(LevelFilter::INFO);
    let lines = match settings.log_format {
        LogFormat::Json => {
            fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(std::io::stderr).boxed()
        }
        LogFormat::Pretty => fmt::layer().compact().with_writer(std::io::stderr).boxed(),
    };
    global::set_text_map_propagator(TraceContextPropagator::new());
    global::set_tracer_provider(provider.clone());
    tracing_subscriber::registry().with(spans).with(lines.with_filter(filter)).try_init()?;
    let is_collected = !settings.otlp_endpoint.is_empty();
    let installed = INSTALLED.get_or_init(|| Installed { provider, is_collected });
    Ok(Telemetry { provider: installed.provider.clone() })
}

/// Without a collector no span is recorded: ids are still made and handed on, which costs next to nothing.
fn provider(service: &str, settings: &TelemetrySettings) -> Result<SdkTracerProvider, Error> {
    let resource = Resource::builder()
        .with_service_name(service.to_owned())
        .with_attribute(KeyValue::new("service.namespace", PRODUCT))
        .build();
    let builder = SdkTracerProvider::builder().with_resource(resource);
    if settings.otlp_endpoint.is_empty() {
        return Ok(builder.with_sampler(Sampler::AlwaysOff).build());
    }
    let address = settings.otlp_endpoint.trim_end_matches('/');
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{address}{OTLP_TRACES_PATH}"))
        .with_timeout(OTLP_TIMEOUT)
        .build()?;
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sample_ratio)));
    Ok(builder.with_sampler(sampler).with_batch_exporter(exporter).build())
}
