//! What the ways through the inventory that are gone most often read: every statement they send is recorded, none may
//! read stock or movements from end to end, and each has a limit of pages.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::super::load::{self, Request};
use super::super::orders::{self, CHANNEL, CONNECTIONS, sku};
use super::super::stock::hold;
use super::recorder::{Recorded, Recorder};
use super::{Limit, Report, SKUS, location};
use crate::wait::until;
use crate::{Api, Deployment, checks};

/// SKUs that holds and orders want, so few that what is read of each is read once.
const WANTED: usize = 20;
/// A statement that a connection keeps is planned for any parameters from its sixth time on.
const TIMES: usize = 12;
/// The inventory's jobs, by the names of their transactions.
const JOBS: [&str; 7] = [
    "sweep_reservations",
    "serve_backorders",
    "improve_orders",
    "tell_stock",
    "tell_availability",
    "prove_stock",
    "prune_changes",
];

/// Requests of one kind, how many are sent at once, and how many pages one statement of theirs may touch.
struct Way {
    name: &'static str,
    connections: usize,
    most_pages: u32,
    requests: Vec<Request>,
}

/// Goes every way and judges what was recorded; the plans lie in `target/bench/plans.json` afterwards. `metrics` is the
/// address of the process's metrics.
pub async fn check(deployment: &Deployment, metrics: &str, locations: usize, report: &mut Report) {
    let api = deployment.administrator().await;
    let mut seen = Seen { recorder: Recorder::open(deployment), of_jobs: BTreeSet::new(), plans: json!({}) };
    jobs_came_by(metrics).await;
    seen.judge("jobs", 20_000, report);
    let first = SKUS / 2;
    for way in reads(&api, locations, first).into_iter().chain(writes(&api, locations)) {
        seen.go(deployment, &api, way, report).await;
    }
    export(&api).await;
    seen.judge("export", 12_000, report);
    expire(deployment, &api, locations).await;
    seen.judge("expiry", 40_000, report);
    // A change of locations lets the picture of the pool be drawn anew, so it comes last.
    seen.go(deployment, &api, closing(&api, locations), report).await;
    fs::create_dir_all("target/bench").expect("target/ can be written to");
    let plans = serde_json::to_string_pretty(&seen.plans).expect("plans are JSON");
    fs::write("target/bench/plans.json", plans).expect("target/ can be written to");
}

/// Waits until each job has run from its start to its end.
async fn jobs_came_by(metrics: &str) {
    let first = runs(metrics).await;
    until("every job came by", async || {
        let now = runs(metrics).await;
        // One may have been under way at the first look.
        match (0..JOBS.len()).find(|job| now[*job] < first[*job] + 2) {
            None => Ok(()),
            Some(job) => Err(JOBS[job]),
        }
    })
    .await;
}

/// How often each job has run.
async fn runs(metrics: &str) -> [u64; JOBS.len()] {
    let told = reqwest::get(metrics).await.expect("metrics are served").text().await.expect("metrics are text");
    JOBS.map(|job| {
        let series = format!("onepool_transaction_seconds_count{{name=\"{job}\",outcome=\"committed\"}} ");
        told.lines().find_map(|line| line.strip_prefix(&series)).map_or(0, |runs| runs.parse().expect("a count"))
    })
}

/// What was recorded so far.
struct Seen {
    recorder: Recorder,
    /// Texts that the jobs send: they come between all others.
    of_jobs: BTreeSet<String>,
    plans: Value,
}

impl Seen {
    /// Sends what goes a way, and judges it.
    async fn go(&mut self, deployment: &Deployment, api: &Api, way: Way, report: &mut Report) {
        let asked = way.requests.len();
        let outcome = load::run(api.token(), way.connections, way.requests, None).await;
        let done = outcome.with_status(200) + outcome.with_status(201);
        report.must(&format!("{}: every request was answered, {:?}", way.name, outcome.statuses), done == asked);
        checks::settled(deployment).await;
        self.judge(way.name, way.most_pages, report);
    }

    /// Judges what was carried out since the last time.
    fn judge(&mut self, way: &str, most_pages: u32, report: &mut Report) {
        let mut worst: BTreeMap<String, Recorded> = BTreeMap::new();
        for it in self.recorder.take() {
            if self.of_jobs.contains(&it.text) {
                continue;
            }
            let most = worst.entry(it.text.clone()).or_insert_with(|| it.clone());
            // A scan is never forgotten for a run that touched more pages.
            if (it.scanned.is_some(), it.pages) > (most.scanned.is_some(), most.pages) {
                *most = it;
            }
        }
        report.must(&format!("{way}: {} statements were recorded", worst.len()), !worst.is_empty());
        for it in worst.values().filter(|it| it.scanned.is_some()) {
            report.must(&format!("{way}: {:?} is not read from end to end by {}", it.scanned, it.text), false);
        }
        let pages = worst.values().map(|it| it.pages).max().unwrap_or(0);
        report.figure(&format!("size_pages_{way}"), pages as f64, Limit::AtMost(most_pages.into()));
        self.plans[way] = worst.values().map(Recorded::view).collect();
        if way == "jobs" {
            self.of_jobs = worst.into_keys().collect();
        }
    }
}

/// Reads; `first` is the first SKU that none of them has asked for before.
fn reads(api: &Api, locations: usize, first: usize) -> Vec<Way> {
    let url = api.host("inventory");
    let get = |path: String| Request { method: Method::GET, url: format!("{url}/v1/{path}"), body: String::new() };
    let times = |path: &dyn Fn(usize) -> String| (0..TIMES).map(|n| get(path(n))).collect::<Vec<Request>>();
    let skus = |n: usize| (0..10).map(|k| sku(n * 10 + k)).collect::<Vec<String>>().join(",");
    let deep = |n: usize| kernel::Cursor::encode(&(sku(first + n), location(locations / 2)));
    let (place, at) = (location(locations / 2), "2020-01-01T00:00:00Z");
    let way = |name, most_pages, requests| Way { name, connections: 1, most_pages, requests };
    let deep_there = |n| format!("stock?location={place}&limit=500&cursor={}", deep(n));
    let plan = |n: usize| {
        let line = |k: usize| json!({ "line_no": k + 1, "sku": sku(first + n * 5 + k), "quantity": 1 });
        let ship_to = json!({ "country": "CN", "latitude": 30.5, "longitude": 112.3 });
        let body = json!({ "channel": CHANNEL, "fulfilment": { "type": "ship", "ship_to": ship_to },
            "lines": (0..5).map(line).collect::<Vec<Value>>() });
        Request { method: Method::POST, url: format!("{url}/v1/sourcing/plans"), body: body.to_string() }
    };
    vec![
        way("availability", 200, times(&|n| format!("availability?channel={CHANNEL}&sku={}", skus(n)))),
        way("plan_of_5_skus", 40_000, (0..TIMES).map(plan).collect()),
        way("stock_first_page", 2_000, times(&|_| "stock?limit=500".to_owned())),
        way("stock_deep_page", 2_000, times(&|n| format!("stock?limit=500&cursor={}", deep(n)))),
        way("stock_of_sku", 2_000, times(&|n| format!("stock?sku={}&limit=500", sku(n)))),
        way("stock_of_location", 2_000, times(&|n| format!("stock?location={}&limit=500", location(n % locations)))),
        way("stock_of_location_deep_page", 2_000, times(&deep_there)),
        way("stock_of_sku_at", 5_000, times(&|n| format!("stock?sku={}&limit=500&at={at}", sku(n)))),
        way("stock_of_location_at", 5_000, times(&|_| format!("stock?location={place}&limit=500&at={at}"))),
        way("movements_of_sku", 2_000, times(&|n| format!("stock/{}/movements?limit=500", sku(n)))),
        way("proof_of_sku", 40_000, times(&|n| format!("stock/proof?sku={}", sku(n)))),
        way("proof", 400_000, vec![get("stock/proof".to_owned())]),
    ]
}

fn writes(api: &Api, locations: usize) -> Vec<Way> {
    let url = api.host("inventory");
    let held = |prefix: &str, count: usize| {
        let one = |n: usize| hold(url, &format!("{prefix}-{n}"), &sku(n % WANTED), &location(n % locations));
        (0..count).map(one).collect::<Vec<Request>>()
    };
    let adjust = |n: usize| {
        let line =
            |k: usize| json!({ "sku": sku(k), "location": location(n % locations), "delta": 1, "reason": "measured" });
        let body: Value = (0..100).map(line).collect();
        Request { method: Method::POST, url: format!("{url}/v1/stock/adjustments"), body: body.to_string() }
    };
    let many = |requests| (CONNECTIONS, requests);
    let way = |name, most_pages, (connections, requests)| Way { name, connections, most_pages, requests };
    vec![
        way("hold", 10_000, (1, held("one", TIMES + WANTED))),
        way("holds", 5_000, many(held("many", 1_000))),
        way("orders", 20_000, many(orders::of_skus(WANTED, api.host("order"), 500, "planned", 8))),
        way("adjustments", 5_000, (1, (0..TIMES).map(adjust).collect())),
    ]
}

/// A location ceases to promise what lies there, and begins again.
fn closing(api: &Api, locations: usize) -> Way {
    let url = format!("{}/v1/locations/{}", api.host("inventory"), location(locations - 1));
    let close = |n: usize| {
        let status = if n.is_multiple_of(2) { "inactive" } else { "active" };
        let body = json!({ "name": "Closes and opens", "kind": "store", "latitude": 30.0, "longitude": 110.0,
            "capabilities": ["ship", "pickup", "return"], "status": status });
        Request { method: Method::PUT, url: url.clone(), body: body.to_string() }
    };
    Way { name: "location", connections: 1, most_pages: 40_000, requests: (0..TIMES).map(close).collect() }
}

/// Reads the begin of an export; it ends when nobody listens any more.
async fn export(api: &Api) {
    let request = Client::new().get(format!("{}/v1/stock/export", api.host("inventory"))).bearer_auth(api.token());
    let mut answer = request.send().await.expect("the export begins").error_for_status().expect("it may be read");
    let mut bytes = 0;
    while bytes < 4 << 20 {
        bytes += answer.chunk().await.expect("it goes on").expect("there is more").len();
    }
}

/// Holds for a second, and waits until they are swept.
async fn expire(deployment: &Deployment, api: &Api, locations: usize) {
    let url = api.host("inventory");
    let held = |n: usize| {
        let body = json!({ "channel": CHANNEL, "buyer": format!("brief-{n}"), "pickup_location": location(n % locations),
            "lines": [{ "sku": sku(n % WANTED), "quantity": 1 }], "ttl_seconds": 1 });
        Request { method: Method::POST, url: format!("{url}/v1/reservations"), body: body.to_string() }
    };
    load::run(api.token(), CONNECTIONS, (0..1_000).map(held).collect(), None).await;
    let sql = "SELECT count(*) AS number FROM inventory.reservations WHERE state = 'held' AND buyer LIKE 'brief-%'";
    until("every brief hold is swept", async || match deployment.number(sql) {
        0 => Ok(()),
        left => Err(format!("{left} are left")),
    })
    .await;
}
