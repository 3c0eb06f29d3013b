//! The load generator: so many connections, each sending its next request when the last one was answered, or all of them
//! together at a given pace. All of them live in one thread, so that their waking each other costs nothing.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use reqwest::Method;
use tokio::runtime::Builder;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::timeout;

use super::connection::{Connection, address};
use super::report::percentile_ms;

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
        percentile_ms(&self.latencies_us, percent)
    }

    /// Answers with this status.
    pub fn with_status(&self, status: u16) -> usize {
        self.statuses.get(&status).copied().unwrap_or(0)
    }
}

/// Sends `requests` over `connections`, at most `per_second` of them a second if that is given.
pub async fn run(token: &str, connections: usize, requests: Vec<Request>, per_second: Option<f64>) -> Outcome {
    let authorization = format!("Bearer {token}");
    let load = move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime of one thread");
        LocalSet::new().block_on(&runtime, send_all(authorization, connections, requests, per_second))
    };
    let mut thread = JoinSet::new();
    thread.spawn_blocking(load);
    thread.join_all().await.remove(0)
}

async fn send_all(authorization: String, connections: usize, requests: Vec<Request>, pace: Option<f64>) -> Outcome {
    let began = Instant::now();
    let load = Rc::new(Load { authorization, requests, pace, next: Cell::new(0), began });
    let mut workers = JoinSet::new();
    for _ in 0..connections {
        workers.spawn_local(work(load.clone()));
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

/// What the connections share.
struct Load {
    authorization: String,
    requests: Vec<Request>,
    pace: Option<f64>,
    next: Cell<usize>,
    began: Instant,
}

async fn work(load: Rc<Load>) -> Vec<(u16, u64)> {
    let (mut answers, mut connection) = (Vec::new(), None);
    loop {
        let index = load.next.replace(load.next.get() + 1);
        let Some(request) = load.requests.get(index) else { return answers };
        // A paced request is measured from when it was due, so that waiting for a free connection counts.
        let mut sent = Instant::now();
        if let Some(rate) = load.pace {
            let due = load.began + Duration::from_secs_f64(index as f64 / rate);
            tokio::time::sleep_until(due.into()).await;
            sent = due;
        }
        let call = timeout(PATIENCE, send(&mut connection, request, &load.authorization)).await;
        let status = call.ok().and_then(Result::ok).unwrap_or(0);
        answers.push((status, u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX)));
    }
}

/// Sends a request over the connection, which is opened when there is none; answers the status once the body is read. A
/// connection that failed is not used again.
async fn send(connection: &mut Option<Connection>, request: &Request, authorization: &str) -> anyhow::Result<u16> {
    let (host, _) = address(&request.url)?;
    let mut open = match connection.take() {
        Some(open) if open.leads_to(host) => open,
        _ => Connection::open(host).await?,
    };
    let answer = open.send(request, authorization).await?;
    let (status, keeps) = (answer.status, answer.keeps);
    *connection = keeps.then_some(open);
    Ok(status)
}
