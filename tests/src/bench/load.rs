//! The load generator: so many connections, each sending its next request when the last one was answered, or all of them
//! together at a given pace.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use reqwest::{Method, Url};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// After so long a request counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request that is ready to be sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The whole address.
    pub url: String,
    /// The body; empty for none.
    pub body: String,
}

/// How a load went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// From the first request to the last answer.
    pub took: Duration,
    /// Answers per status.
    pub statuses: std::collections::BTreeMap<u16, usize>,
    /// How long each request took, in microseconds, sorted.
    pub latencies_us: Vec<u64>,
}

impl Outcome {
    /// Answers a second.
    pub fn per_second(&self) -> f64 {
        self.latencies_us.len() as f64 / self.took.as_secs_f64()
    }

    /// The latency that so many of a hundred requests stay under, in milliseconds.
    pub fn percentile_ms(&self, percent: f64) -> f64 {
        let last = self.latencies_us.len().saturating_sub(1);
        let index = ((last as f64) * percent / 100.0).round() as usize;
        self.latencies_us.get(index).copied().unwrap_or(0) as f64 / 1_000.0
    }

    /// Answers with this status.
    pub fn with_status(&self, status: u16) -> usize {
        self.statuses.get(&status).copied().unwrap_or(0)
    }
}

/// Sends `requests` over `connections`, at most `per_second` of them a second if that is given.
pub async fn run(token: &str, connections: usize, requests: Vec<Request>, per_second: Option<f64>) -> Outcome {
    let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
    let authorization = format!("Bearer {token}");
    let began = Instant::now();
    let mut workers = JoinSet::new();
    for _ in 0..connections {
        let (requests, next) = (requests.clone(), next.clone());
        workers.spawn(work(authorization.clone(), requests, next, (began, per_second)));
    }
    let mut outcome = Outcome { took: Duration::ZERO, statuses: Default::default(), latencies_us: Vec::new() };
    for (status, latency) in workers.join_all().await.into_iter().flatten() {
        *outcome.statuses.entry(status).or_default() += 1;
        outcome.latencies_us.push(latency);
    }
    outcome.took = began.elapsed();
    outcome.latencies_us.sort_unstable();
    outcome
}

async fn work(
    authorization: String,
    requests: Arc<Vec<Request>>,
    next: Arc<AtomicUsize>,
    (began, per_second): (Instant, Option<f64>),
) -> Vec<(u16, u64)> {
    let (mut answers, mut connection) = (Vec::new(), None);
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(request) = requests.get(index) else { return answers };
        // A paced request is measured from when it was due, so that waiting for a free connection counts.
        let mut sent = Instant::now();
        if let Some(rate) = per_second {
            let due = began + Duration::from_secs_f64(index as f64 / rate);
            tokio::time::sleep_until(due.into()).await;
            sent = due;
        }
        let call = timeout(PATIENCE, send(&mut connection, request, &authorization)).await;
        let status = call.ok().and_then(Result::ok).unwrap_or(0);
        answers.push((status, u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX)));
    }
}

/// One connection; it ends with this.
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    _driver: JoinSet<hyper::Result<()>>,
}

impl Connection {
    async fn open(host: &str) -> anyhow::Result<Self> {
        let (sender, driver) = handshake(TokioIo::new(TcpStream::connect(host).await?)).await?;
        Ok(Self { sender, _driver: JoinSet::from_iter([driver]) })
    }
}

/// Sends a request over the connection, which is opened when there is none; answers the status once the body is read. A
/// connection that failed is not used again.
async fn send(connection: &mut Option<Connection>, request: &Request, authorization: &str) -> anyhow::Result<u16> {
    let url = Url::parse(&request.url)?;
    let host = format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default());
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let call = hyper::Request::builder().method(&request.method).uri(path).header("host", &host);
    let call = call.header("authorization", authorization).header("content-type", "application/json");
    let call = call.body(Full::new(Bytes::from(request.body.clone())))?;
    let mut open = match connection.take() {
        Some(open) if !open.sender.is_closed() => open,
        _ => Connection::open(&host).await?,
    };
    let answer = open.sender.send_request(call).await?;
    let status = answer.status().as_u16();
    answer.into_body().collect().await?;
    *connection = Some(open);
    Ok(status)
}
