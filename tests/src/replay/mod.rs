//! The replay: a year of a real retailer, sent through the public API in time order, and its published totals found again
//! in what OnePool answers.

pub mod delivered;
pub mod figures;
pub mod held;
pub mod matching;
pub mod places;
pub mod plan;
pub mod report;
pub mod rows;
pub mod send;
pub mod setup;
pub mod work;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::NaiveDateTime;
use futures_util::FutureExt;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::{Api, Deployment, checks};
use delivered::Delivered;
use figures::Summaries;
use held::Held;
use places::Places;
use plan::Plan;
use report::Report;
use rows::Row;
use send::Sender;

/// How long the services may take to catch up with the last order.
const CATCHING_UP: Duration = Duration::from_secs(900);

/// The settings that a replay runs with: an order is final when it is delivered, and orders enter the book one batch
/// after the other, so that they do so in time order.
pub const SETTINGS: &[&str] = &[
    "log=warn",
    "order.return_window_seconds=0",
    "order.intake_lanes=1",
    "limits.client_requests_per_second=1000000",
    "limits.client_request_burst=1000000",
];

/// What is replayed.
#[derive(Clone, Debug)]
pub struct Source {
    /// The rows in time order.
    pub rows: Vec<Row>,
    /// The stores.
    pub places: Places,
    /// The totals that must come back.
    pub expected: Value,
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// A line of an order.
    OrderLine,
    /// A line of a return of a known order.
    ReturnWithOriginal,
    /// Lines of returns, of which some units are of known orders and others fit none.
    ReturnPartlyWithOriginal,
    /// A line of a return that no known order fits.
    ReturnWithoutOriginal,
    /// A movement of stock with its reason.
    StockAdjustment,
    /// It is not in OnePool, for this reason.
    Refused(String),
}

impl Outcome {
    /// As the report calls it.
    pub fn name(&self) -> String {
        match self {
            Self::OrderLine => "order_line".to_owned(),
            Self::ReturnWithOriginal => "return_line_with_original".to_owned(),
            Self::ReturnPartlyWithOriginal => "return_line_partly_with_original".to_owned(),
            Self::ReturnWithoutOriginal => "return_line_without_original".to_owned(),
            Self::StockAdjustment => "stock_adjustment".to_owned(),
            Self::Refused(reason) => format!("refused: {reason}"),
        }
    }
}

/// Replays the source. Without a deployment the database behind the API cannot be looked into.
pub async fn run(api: &Api, deployment: Option<&Deployment>, source: &Source) -> Report {
    let mut report = Report::default();
    let plan = Plan::new(&source.rows);
    let mut phase = Phase::begin("stores, articles, opening stock");
    setup::prepare(api, source, &plan).await;
    phase.end(&mut report, "setup");
    phase = Phase::begin("orders, deliveries, corrections, returns");
    let (refused, fulfilments) = send(api, source, &plan).await;
    report.count("orders", plan.orders.len());
    report.count("returns", plan.returns.len());
    report.count("fulfilment_orders", fulfilments);
    report.count("windows", plan.windows.len());
    report.matches(plan.matches(&source.rows), &source.rows);
    phase.end(&mut report, "replay");
    phase = Phase::begin("every service catches up");
    if let Some(deployment) = deployment {
        caught_up(deployment).await;
    }
    phase.end(&mut report, "catching_up");
    phase = Phase::begin("totals and every line are read back");
    let summaries = Summaries::read(api).await;
    let held = Held::read(api, source, &plan).await;
    judge(&mut report, source, &plan, (&summaries, &held), refused);
    phase.end(&mut report, "reading_back");
    phase = Phase::begin("the books add up");
    check(&mut report, api, deployment).await;
    phase.end(&mut report, "checks");
    report
}

async fn send(api: &Api, source: &Source, plan: &Plan) -> (Vec<(usize, String)>, usize) {
    let delivered = Arc::new(Delivered::default());
    let last_order = Arc::new(AtomicBool::new(false));
    let mut stores = tokio::task::JoinSet::new();
    stores.spawn(work::work(api.clone(), delivered.clone(), last_order.clone()));
    let progress = ProgressBar::new(u64::try_from(source.rows.len() - plan.refused.len()).unwrap_or_default());
    let style =
        ProgressStyle::with_template("{elapsed_precise} {wide_bar} {human_pos} of {human_len} rows, {eta} left");
    progress.set_style(style.expect("the template is well formed"));
    let sender = Sender::new(api, source, plan, &delivered, &progress);
    let refused = tokio::select! {
        refused = sender.send() => refused,
        Some(stores) = stores.join_next() => panic!("the stores stopped working: {stores:?}"),
    };
    last_order.store(true, Ordering::Release);
    let fulfilments = stores.join_next().await.expect("the stores work").expect("no step fails");
    progress.finish_and_clear();
    (refused, fulfilments)
}

/// Every row has one outcome, and every total is what was published.
fn judge(
    report: &mut Report,
    source: &Source,
    plan: &Plan,
    (summaries, held): (&Summaries, &Held),
    refused: Vec<(usize, String)>,
) {
    let planned = plan.refused.iter().map(|(row, reason)| (*row, (*reason).to_owned()));
    let refused: Vec<(usize, String)> = planned.chain(refused).collect();
    let mut outcomes = held.rows.clone();
    for (row, reason) in &refused {
        outcomes[*row].push(Outcome::Refused(reason.clone()));
    }
    report.outcomes(&source.rows, &outcomes);
    report.differences(held.different, &held.differences);
    let refused: Vec<(&Row, &str)> =
        refused.iter().map(|(row, reason)| (&source.rows[*row], reason.as_str())).collect();
    report.figures = figures::figures(&source.expected, summaries, held, &refused);
    report.count("members_who_ordered", usize::try_from(summaries.members()).unwrap_or_default());
}

/// Waits until no event is on its way.
async fn caught_up(deployment: &Deployment) {
    let began = Instant::now();
    while let Err(seen) = checks::quiet(deployment) {
        assert!(began.elapsed() < CATCHING_UP, "the services did not catch up: {seen}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn check(report: &mut Report, api: &Api, deployment: Option<&Deployment>) {
    let proof = api.get("/v1/stock/proof").await.ok();
    report.must(
        "stock is the sum of its movements, promised is what orders hold",
        proof["drift"] == serde_json::json!([]),
    );
    let proof = api.get("/v1/points/proof").await.ok();
    report.must("points are the sum of their entries", proof["drift"] == serde_json::json!([]));
    let trial = api.get("/v1/rebate/trial-balance").await.ok();
    report.must("the rebate ledger sums to zero", trial["balanced"] == true);
    if let Some(deployment) = deployment {
        let final_state = AssertUnwindSafe(checks::everything_is_final(deployment, api)).catch_unwind().await;
        let what = "every order is final, no event is parked, stock, allocations and ledgers agree in the database";
        report.must(what, final_state.is_ok());
    }
}

/// An instant as the API takes it.
fn instant(at: NaiveDateTime) -> String {
    at.and_utc().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// A part of the run that is timed and told.
struct Phase {
    began: Instant,
}

impl Phase {
    fn begin(what: &str) -> Self {
        eprintln!("{what} …");
        Self { began: Instant::now() }
    }

    fn end(&self, report: &mut Report, name: &'static str) {
        report.took(name, self.began.elapsed());
    }
}
