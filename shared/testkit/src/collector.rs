//! A collector of traces: it takes what OpenTelemetry's exporters send over HTTP (OTLP 1.x, protobuf) and keeps the spans.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use actix_web::dev::ServerHandle;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Bytes, Data, PayloadConfig, post};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use prost::Message;

/// The most bytes of one export: an exporter sends some hundred spans at once.
const MAX_EXPORT_BYTES: usize = 16 << 20;
/// What protobuf over HTTP is called.
const PROTOBUF: &str = "application/x-protobuf";

/// A span as it was collected; ids are hexadecimal.
#[derive(Clone, Debug)]
pub struct CollectedSpan {
    /// The `service.name` of the process.
    pub service: String,
    /// What it is called.
    pub name: String,
    /// The trace.
    pub trace: String,
    /// The span itself.
    pub id: String,
    /// The span it is part of; empty for the first of a trace.
    pub parent: String,
    /// Traces it is linked to.
    pub linked: Vec<String>,
    /// Its texts and numbers, by name.
    pub attributes: BTreeMap<String, String>,
}

type Spans = Arc<Mutex<Vec<CollectedSpan>>>;

/// A collector that runs as long as the value.
pub struct Collector {
    address: SocketAddr,
    spans: Spans,
    server: ServerHandle,
}

impl Collector {
    /// Starts one on a free port of the loopback address.
    #[expect(clippy::disallowed_methods, reason = "it stands outside the product, whose tasks the lifecycle owns")]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on the loopback address");
        let address = listener.local_addr().expect("a bound listener has an address");
        let spans = Spans::default();
        let kept = Data::from(spans.clone());
        let app = move || {
            let limit = PayloadConfig::new(MAX_EXPORT_BYTES);
            App::new().app_data(kept.clone()).app_data(limit).route("/v1/traces", post().to(take))
        };
        let server = HttpServer::new(app).workers(1).disable_signals().listen(listener);
        let server = server.expect("the port is ours").run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { address, spans, server: handle }
    }

    /// What `telemetry.otlp_endpoint` is set to.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The spans of one trace that have come in so far.
    pub fn trace(&self, trace: &str) -> Vec<CollectedSpan> {
        self.spans.lock().expect("nobody panics with it").iter().filter(|span| span.trace == trace).cloned().collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // It is asked to stop at once; nobody has to wait for it.
        drop(self.server.stop(false));
    }
}

async fn take(request: HttpRequest, body: Bytes, spans: Data<Mutex<Vec<CollectedSpan>>>) -> HttpResponse {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if kind != Some(PROTOBUF) {
        return HttpResponse::UnsupportedMediaType().finish();
    }
    let Ok(export) = ExportTraceServiceRequest::decode(body) else { return HttpResponse::BadRequest().finish() };
    spans.lock().expect("nobody panics with it").extend(export.resource_spans.into_iter().flat_map(collected));
    HttpResponse::Ok().content_type(PROTOBUF).body(ExportTraceServiceResponse::default().encode_to_vec())
}

fn collected(from: ResourceSpans) -> Vec<CollectedSpan> {
    let resource = texts(from.resource.map(|resource| resource.attributes).unwrap_or_default());
    let service = resource.get("service.name").cloned().unwrap_or_default();
    let spans = from.scope_spans.into_iter().flat_map(|scope| scope.spans);
    spans.map(|span| one(&service, span)).collect()
}

fn one(service: &str, span: Span) -> CollectedSpan {
    CollectedSpan {
        service: service.to_owned(),
        name: span.name,
        trace: hexadecimal(&span.trace_id),
        id: hexadecimal(&span.span_id),
        parent: hexadecimal(&span.parent_span_id),
        linked: span.links.iter().map(|link| hexadecimal(&link.trace_id)).collect(),
        attributes: texts(span.attributes),
    }
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |attribute: KeyValue| {
        let text = match attribute.value?.value? {
            Value::StringValue(text) => text,
            Value::IntValue(number) => number.to_string(),
            Value::BoolValue(yes) => yes.to_string(),
            other => format!("{other:?}"),
        };
        Some((attribute.key, text))
    };
    attributes.into_iter().filter_map(text).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
