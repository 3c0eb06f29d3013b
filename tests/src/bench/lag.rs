//! How soon a change of stock shows where it is asked for, while everything else is busy.

use std::pin::pin;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::connection::Connection;
use super::load::Request;
use super::orders::CHANNEL;
use super::report::{Limit, Report, percentile_ms};
use crate::Api;

/// A SKU that nobody orders.
const SKU: &str = "LAG-PROBE";
/// Where it lies.
const LOCATION: &str = "LOC-00";
/// Between two reads: fine against the second that is asked for, and some hundred requests a second at most.
const LOOK: Duration = Duration::from_millis(5);
/// Between two changes: so many fit into a run that its percentiles mean something.
const PAUSE: Duration = Duration::from_millis(50);
/// A change that has not shown by then is lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long each change took to show, in microseconds.
#[derive(Clone, Debug, Default)]
pub struct Lags(Vec<u64>);

impl Lags {
    /// Adds the distribution; `run` is put before the names.
    pub fn figures(mut self, run: &str, report: &mut Report) {
        self.0.sort_unstable();
        report.must(&format!("changes of stock showed, {} of them", self.0.len()), !self.0.is_empty());
        let name = |percent: u32| format!("{run}availability_lag_p{percent}_ms");
        report.figure(&name(50), percentile_ms(&self.0, 50.0), Limit::None);
        report.figure(&name(99), percentile_ms(&self.0, 99.0), Limit::AtMost(1_000.0));
    }
}

/// Creates what is changed.
pub async fn stock_up(api: &Api) {
    api.put(&format!("/v1/skus/{SKU}"), &json!({ "name": SKU })).await.ok();
    let line = json!({ "sku": SKU, "location": LOCATION, "on_hand": 1 });
    let answers = api.post_lines("/v1/stock/import", &[line]).await;
    assert!(answers.iter().all(|line| line["problem"].is_null()), "the probe has stock: {answers:?}");
}

/// Runs a load, and changes and reads one balance over and over until the load is done.
pub async fn during<T>(api: &Api, load: impl Future<Output = T>) -> (T, Lags) {
    let mut probe = Probe::new(api).await.expect("the stock can be read");
    let (mut load, mut lags) = (pin!(load), Lags::default());
    loop {
        tokio::select! {
            done = &mut load => return (done, lags),
            lag = probe.change() => lags.0.push(u64::try_from(lag.as_micros()).unwrap_or(u64::MAX)),
        }
    }
}

struct Probe {
    authorization: String,
    connection: Connection,
    change: Request,
    read: Request,
    units: i64,
}

impl Probe {
    async fn new(api: &Api) -> anyhow::Result<Self> {
        let url = api.host("inventory");
        let line = json!([{ "sku": SKU, "location": LOCATION, "delta": 1, "reason": "measured" }]);
        let change =
            Request { method: Method::POST, url: format!("{url}/v1/stock/adjustments"), body: line.to_string() };
        let read = format!("{url}/v1/availability?channel={CHANNEL}&sku={SKU}");
        let read = Request { method: Method::GET, url: read, body: String::new() };
        let connection = Connection::open(url.trim_start_matches("http://")).await?;
        let authorization = format!("Bearer {}", api.token());
        let mut probe = Self { authorization, connection, change, read, units: 0 };
        probe.units = probe.available().await;
        Ok(probe)
    }

    /// Adds a unit, and answers how long after the caller knew of it everybody could.
    async fn change(&mut self) -> Duration {
        tokio::time::sleep(PAUSE).await;
        let changed = self.connection.send(&self.change, &self.authorization).await.expect("a change is answered");
        assert_eq!(changed.status, 200, "the change was refused: {:?}", changed.body);
        let known = Instant::now();
        self.units += 1;
        while self.available().await < self.units {
            assert!(known.elapsed() < PATIENCE, "the change did not show within {} s", PATIENCE.as_secs());
            tokio::time::sleep(LOOK).await;
        }
        known.elapsed()
    }

    async fn available(&mut self) -> i64 {
        let answer = self.connection.send(&self.read, &self.authorization).await.expect("a read is answered");
        assert_eq!(answer.status, 200, "the read was refused: {:?}", answer.body);
        let views: Value = serde_json::from_slice(&answer.body.to_vec()).expect("the answer is JSON");
        views[0]["available"].as_i64().expect("what is available is a number")
    }
}
