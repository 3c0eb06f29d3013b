//! What is served over so many balances: the loads of the benchmark for a short while, lists, the export, and the proof.

use std::time::Instant;

use futures_util::StreamExt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::{Client, Method};

use super::super::load::{self, Request};
use super::super::orders::{self, CHANNEL, CONNECTIONS, sku};
use super::super::stock::hold;
use super::super::{import, machine, proof};
use super::{Limit, Report, SKUS, location};
use crate::{Api, Deployment, checks};

/// Reads of what can be sold, holds, orders, and pages of lists.
const READS: usize = 50_000;
const HOLDS: usize = 10_000;
const ORDERS: usize = 5_000;
const PAGES: usize = 2_000;

/// Serves every load once, and proves the stock at the end.
pub async fn measure(deployment: &mut Deployment, locations: usize, report: &mut Report) {
    let api = deployment.administrator().await;
    let server = deployment.process("onepool").id();
    availability(&api, report).await;
    lists(&api, locations, report).await;
    let before = written(deployment);
    holds(&api, locations, report).await;
    sell(deployment, &api, report).await;
    let (updates, hot) = written(deployment);
    let share = (hot - before.1) as f64 / (updates - before.0).max(1) as f64;
    report.figure("size_hot_update_percent", 100.0 * share, Limit::AtLeast(90.0));
    report.figure("size_rss_mb", machine::resident_kib(server) as f64 / 1_024.0, Limit::None);
    let began = Instant::now();
    deployment.execute("VACUUM (DISABLE_PAGE_SKIPPING) inventory.stock");
    report.figure("size_vacuum_stock_seconds", began.elapsed().as_secs_f64(), Limit::None);
    let began = Instant::now();
    let (rows, growth) = import::watched(server, export(&api)).await;
    report.must(&format!("{rows} balances were exported"), rows == locations * SKUS);
    report.figure("size_export_rows_per_second", rows as f64 / began.elapsed().as_secs_f64(), Limit::None);
    report.figure("size_export_growth_mb", growth as f64 / 1_024.0, Limit::AtMost(100.0));
    let began = Instant::now();
    let ((checked, drift), growth) = import::watched(server, proof::whole(&api)).await;
    report.must(&format!("{checked} balances are proved, {drift:?}"), drift.is_empty());
    report.must("the proof saw every balance", usize::try_from(checked) == Ok(rows));
    report.figure("size_proof_seconds", began.elapsed().as_secs_f64(), Limit::None);
    report.figure("size_proof_growth_mb", growth as f64 / 1_024.0, Limit::AtMost(100.0));
}

async fn availability(api: &Api, report: &mut Report) {
    let (url, mut random) = (api.host("inventory"), StdRng::seed_from_u64(12));
    let read = |_| {
        let skus: Vec<String> = (0..10).map(|_| sku(random.random_range(0..SKUS))).collect();
        let url = format!("{url}/v1/availability?channel={CHANNEL}&sku={}", skus.join(","));
        Request { method: Method::GET, url, body: String::new() }
    };
    let outcome = load::run(api.token(), CONNECTIONS, (0..READS).map(read).collect(), None).await;
    report.must(&format!("every read was answered, {:?}", outcome.statuses), outcome.with_status(200) == READS);
    report.figure("size_availability_reads_per_second", outcome.per_second(), Limit::None);
}

/// Pages of 50 balances: of any SKU, of any location, and behind any balance of all.
async fn lists(api: &Api, locations: usize, report: &mut Report) {
    let (url, mut random) = (api.host("inventory"), StdRng::seed_from_u64(13));
    let page = |n: usize| {
        let (sku, place) = (sku(random.random_range(0..SKUS)), location(random.random_range(0..locations)));
        let query = match n % 3 {
            0 => format!("sku={sku}"),
            1 => format!("location={place}"),
            _ => format!("cursor={}", kernel::Cursor::encode(&(sku, place))),
        };
        Request { method: Method::GET, url: format!("{url}/v1/stock?{query}"), body: String::new() }
    };
    // So many at once that the figure is how long a page takes, and not how long it waits for the others.
    let outcome = load::run(api.token(), 4, (0..PAGES).map(page).collect(), None).await;
    report.must(&format!("every page was answered, {:?}", outcome.statuses), outcome.with_status(200) == PAGES);
    report.figure("size_stock_page_p99_ms", outcome.percentile_ms(99.0), Limit::AtMost(100.0));
}

/// Holds of any SKU at any location. At first each SKU's balances are read into the picture of the pool.
async fn holds(api: &Api, locations: usize, report: &mut Report) {
    let (url, mut random) = (api.host("inventory"), StdRng::seed_from_u64(14));
    for (name, count) in [("cold", SKUS), ("warm", HOLDS)] {
        let any = |n: usize| {
            // The first run names each SKU once.
            let chosen = if count == SKUS { n } else { random.random_range(0..SKUS) };
            hold(url, &format!("{name}-{n}"), &sku(chosen), &location(random.random_range(0..locations)))
        };
        let requests: Vec<Request> = (0..count).map(any).collect();
        let outcome = load::run(api.token(), CONNECTIONS, requests, None).await;
        report
            .must(&format!("every {name} hold was granted, {:?}", outcome.statuses), outcome.with_status(201) == count);
        report.figure(&format!("size_{name}_holds_per_second"), outcome.per_second(), Limit::None);
        report.figure(&format!("size_{name}_holds_p99_ms"), outcome.percentile_ms(99.0), Limit::None);
    }
}

/// Orders of any SKUs, until each has its fulfilment orders.
async fn sell(deployment: &Deployment, api: &Api, report: &mut Report) {
    let began = Instant::now();
    let requests = orders::of_skus(SKUS, api.host("order"), ORDERS, "size", 15);
    let outcome = load::run(api.token(), CONNECTIONS, requests, None).await;
    report.must(&format!("every order was taken, {:?}", outcome.statuses), outcome.with_status(201) == ORDERS);
    orders::settled(deployment, ORDERS).await;
    report.figure("size_orders_per_second", ORDERS as f64 / began.elapsed().as_secs_f64(), Limit::None);
    checks::settled(deployment).await;
}

/// How often rows of stock were updated, and how often of these without an index being written.
fn written(deployment: &Deployment) -> (i64, i64) {
    let count = |column: &str| {
        let of = format!(
            "SELECT {column} AS number FROM pg_stat_user_tables WHERE schemaname = 'inventory' AND relname = 'stock'"
        );
        deployment.number(&of)
    };
    (count("n_tup_upd"), count("n_tup_hot_upd"))
}

/// Reads the whole export; answers its lines.
async fn export(api: &Api) -> usize {
    let request = Client::new().get(format!("{}/v1/stock/export", api.host("inventory"))).bearer_auth(api.token());
    let answer = request.send().await.expect("the export begins").error_for_status().expect("it may be read");
    let (mut pieces, mut lines) = (answer.bytes_stream(), 0);
    while let Some(piece) = pieces.next().await {
        lines += piece.expect("the export arrives whole").iter().filter(|byte| **byte == b'\n').count();
    }
    lines
}
