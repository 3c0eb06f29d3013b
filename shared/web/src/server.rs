//! The HTTP server: listening, the limits of connections, and an orderly end.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_cors::Cors;
use actix_web::dev::ServerHandle;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH, LOCATION, RETRY_AFTER};
use actix_web::middleware::Condition;
use actix_web::{App, HttpResponse, HttpServer, web};
use runtime::Lifecycle;
use runtime::settings::{HttpSettings, LimitSettings};

use crate::edge::Edge;
use crate::limits::{Limits, at_least_one};
use crate::site::Site;

/// How long a refused client may go on sending before it is cut off: long enough for it to read why, so that it does not
/// see a reset connection instead.
const LINGER: Duration = Duration::from_secs(5);

/// Where and how to listen; each is a setting under `[http]`, explained in the defaults.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The address.
    pub host: String,
    /// The API's port; 0 for any free one.
    pub port: u16,
    /// The port of `/metrics`; 0 for any free one.
    pub metrics_port: u16,
    /// Threads that serve; 0 for one per processor.
    pub workers: usize,
    /// Connections open at once per thread.
    pub max_connections: usize,
    /// How long a client may take to send a request's head.
    pub request_timeout: Duration,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// How long requests get to finish at the end.
    pub drain: Duration,
    /// Origins whose pages may call.
    pub cors_origins: Vec<String>,
}

impl From<&HttpSettings> for ServerOptions {
    fn from(settings: &HttpSettings) -> Self {
        Self {
            host: settings.host.clone(),
            port: settings.port,
            metrics_port: settings.metrics_port,
            workers: usize::from(settings.workers),
            max_connections: size(settings.max_connections),
            request_timeout: seconds(settings.request_timeout_seconds),
            keep_alive: seconds(settings.keep_alive_seconds),
            drain: seconds(settings.drain_seconds),
            cors_origins: settings.cors_origins.clone(),
        }
    }
}

impl Limits {
    /// The limits as they are set.
    pub fn from_settings(http: &HttpSettings, limits: &LimitSettings) -> Self {
        Self {
            body_bytes: size(http.max_body_bytes),
            line_bytes: size(http.max_bulk_line_bytes),
            in_flight: size(http.max_requests_in_flight),
            client_requests_per_second: at_least_one(limits.client_requests_per_second),
            client_request_burst: at_least_one(limits.client_request_burst),
            wait_seconds: limits.wait_seconds,
            ..Self::default()
        }
    }
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(u64::from(number))
}

/// A server that runs.
pub struct Running {
    /// The port of the API.
    pub port: u16,
    /// The port of `/metrics`.
    pub metrics_port: u16,
    site: Site,
    servers: [ServerHandle; 2],
}

impl Running {
    /// Says at `/readyz` that no more requests should be sent, takes no new connection, and waits for the requests that
    /// are being worked on. Called before anything that they need is stopped.
    pub async fn stop(&self) {
        self.site.readiness().close();
        let [api, metrics] = &self.servers;
        api.stop(true).await;
        metrics.stop(false).await;
    }
}

/// Listens and serves until stopped, or until the lifecycle ends.
pub fn run(options: &ServerOptions, site: &Site, lifecycle: &Lifecycle) -> io::Result<Running> {
    let api = bind(&options.host, options.port)?;
    let metrics = bind(&options.host, options.metrics_port)?;
    let (port, metrics_port) = (api.local_addr()?.port(), metrics.local_addr()?.port());
    let servers = [serve(options, site, api, lifecycle)?, serve_metrics(metrics, lifecycle)?];
    let running = Running { port, metrics_port, site: site.clone(), servers: servers.clone() };
    let ending = Running { port, metrics_port, site: site.clone(), servers };
    let token = lifecycle.token();
    lifecycle.spawn("http server end", async move {
        token.cancelled().await;
        ending.stop().await;
    });
    tracing::info!(http.host = options.host, http.port = port, http.metrics_port = metrics_port, "the server listens");
    Ok(running)
}

fn bind(host: &str, port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((host, port))
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {host}:{port}: {error}")))
}

fn serve(
    options: &ServerOptions,
    site: &Site,
    listener: TcpListener,
    lifecycle: &Lifecycle,
) -> io::Result<ServerHandle> {
    let (site, origins) = (site.clone(), options.cors_origins.clone());
    let mut server = HttpServer::new(move || {
        let site = site.clone();
        App::new()
            .configure(move |config| site.configure(config))
            .wrap(Condition::new(!origins.is_empty(), cors(&origins)))
            .wrap(Edge)
    })
    .disable_signals()
    .max_connections(options.max_connections)
    .client_request_timeout(options.request_timeout)
    .client_disconnect_timeout(LINGER)
    .keep_alive(options.keep_alive)
    .shutdown_timeout(options.drain.as_secs().saturating_sub(1).max(1));
    if options.workers > 0 {
        server = server.workers(options.workers);
    }
    Ok(start(server.listen(listener)?.run(), "http server", lifecycle))
}

fn serve_metrics(listener: TcpListener, lifecycle: &Lifecycle) -> io::Result<ServerHandle> {
    let metrics = || async {
        HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(runtime::telemetry::metrics_text())
    };
    let server = HttpServer::new(move || App::new().route("/metrics", web::get().to(metrics)));
    let server = server.disable_signals().workers(1).listen(listener)?.run();
    Ok(start(server, "metrics server", lifecycle))
}

fn start(server: actix_web::dev::Server, name: &'static str, lifecycle: &Lifecycle) -> ServerHandle {
    let handle = server.handle();
    lifecycle.spawn(name, async move {
        if let Err(error) = server.await {
            tracing::error!(%error, server.name = name, "a server ended with an error");
        }
    });
    handle
}

fn cors(origins: &[String]) -> Cors {
    let cors = origins.iter().fold(Cors::default(), |cors, origin| cors.allowed_origin(origin));
    cors.allowed_methods(["GET", "POST", "PUT", "PATCH", "DELETE"])
        .allowed_headers([AUTHORIZATION, CONTENT_TYPE, IF_MATCH])
        .allowed_header("idempotency-key")
        .allowed_header("prefer")
        .allowed_header("traceparent")
        .expose_headers([ETAG, LOCATION, RETRY_AFTER])
        .max_age(600)
}
