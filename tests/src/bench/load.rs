//! The load generator: so many connections, each sending its next request when the last one was answered, or all of them
//! together at a given pace.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use tokio::task::JoinSet;

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
    let client = Client::builder().pool_max_idle_per_host(connections).timeout(Duration::from_secs(30)).build();
    let client = client.expect("a client with a timeout");
    let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
    let authorization = format!("Bearer {token}");
    let began = Instant::now();
    let mut workers = JoinSet::new();
    for _ in 0..connections {
        let (client, requests, next) = (client.clone(), requests.clone(), next.clone());
        workers.spawn(work(client, authorization.clone(), requests, next, (began, per_second)));
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
    client: Client,
    authorization: String,
    requests: Arc<Vec<Request>>,
    next: Arc<AtomicUsize>,
    (began, per_second): (Instant, Option<f64>),
) -> Vec<(u16, u64)> {
    let mut answers = Vec::new();
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
        let mut call = client.request(request.method.clone(), &request.url).header("authorization", &authorization);
        if !request.body.is_empty() {
            call = call.header("content-type", "application/json").body(request.body.clone());
        }
        let status = match call.send().await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                let _body = answer.bytes().await;
                status
            }
            Err(_) => 0,
        };
        answers.push((status, u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX)));
    }
}
