//! The order book with millions of orders in it: what taking one more costs, how fast orders are found, and what it takes to
//! carry a million of them away.

mod fill;
mod finding;

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use reqwest::Client;

use super::machine::Sides;
use super::orders::{self, CONNECTIONS};
use super::report::{Limit, Report};
use super::{import, load};
use crate::wait::until;
use crate::{Api, Deployment, Topology, checks};

/// Orders whose intake is measured at each size.
const ORDERS: usize = 20_000;
/// Orders that a workbook may hold, or what an export is measured with where there are fewer.
const EXPORTED: usize = 1_000_000;

/// Measures at each size, the smallest first, in a database of its own.
pub async fn measure(sizes: &[usize], settings: &[&str], report: &mut Report) {
    let mut deployment = Deployment::start(Topology::AllInOneOverRabbit, settings).await;
    let api = deployment.administrator().await;
    orders::stock_up(&api, 7).await;
    fill::templates(&deployment, &api).await;
    let mut filled = 0;
    for size in sizes {
        fill::fill(&deployment, filled, *size, report);
        filled = filled.max(*size);
        intake(&mut deployment, &api, *size, report).await;
        // What was written is on the disk, and the searches read: they do not wait for its writing.
        deployment.execute("CHECKPOINT");
        finding::measure(&api, *size, report).await;
    }
    let server = deployment.process("onepool").id();
    for format in ["ndjson", "csv"] {
        export(&api, server, (format, filled.min(EXPORTED)), report).await;
    }
}

/// Orders settled a second, and the processor time that one takes on each side.
async fn intake(deployment: &mut Deployment, api: &Api, size: usize, report: &mut Report) {
    let sides = Sides::of(deployment);
    let warm = orders::orders(api.host("order"), ORDERS / 10, &format!("warm-{size}"), 1);
    load::run(api.token(), CONNECTIONS, warm, None).await;
    checks::settled(deployment).await;
    let asked = orders::orders(api.host("order"), ORDERS, &format!("book-{size}"), 2);
    let since = deployment.number("SELECT (extract(epoch FROM clock_timestamp()) * 1e6)::bigint AS number");
    let (began, before) = (Instant::now(), sides.used_us());
    let outcome = load::run(api.token(), CONNECTIONS, asked, None).await;
    settled(deployment, since).await;
    let took = began.elapsed();
    report.must(&format!("every order was taken, {:?}", outcome.statuses), outcome.with_status(201) == ORDERS);
    let name = format!("book_{size}");
    let limit = Limit::AtLeast(2_500.0);
    report.figure(&format!("{name}_orders_per_second"), ORDERS as f64 / took.as_secs_f64(), limit);
    report.figure(&format!("{name}_http_p99_ms"), outcome.percentile_ms(99.0), Limit::None);
    checks::settled(deployment).await;
    for ((side, after), (_, before)) in sides.used_us().into_iter().zip(before) {
        let used = after.saturating_sub(before) as f64 / ORDERS as f64;
        report.figure(&format!("{name}_order_{side}_cpu_us"), used, Limit::None);
    }
}

/// Waits until every order that came since is sourced; orders of before are not looked at.
async fn settled(deployment: &Deployment, since_micros: i64) {
    let sql = format!(
        "SELECT count(*) AS number FROM \"order\".orders \
         WHERE order_id >= \"order\".first_order_id(to_timestamp({since_micros} / 1e6)) \
         AND status IN ('received', 'sourcing')"
    );
    until("every order is sourced", async || match deployment.number(&sql) {
        0 => Ok(()),
        left => Err(format!("{left} are not")),
    })
    .await;
}

/// Carries so many orders away as one stream: how long it takes, and by how much the server grows meanwhile.
async fn export(api: &Api, server: u32, (format, orders): (&str, usize), report: &mut Report) {
    let until = fill::placed_at(orders);
    let url = format!("{}/v1/orders/export?format={format}&until={until}", api.host("order"));
    let began = Instant::now();
    let (lines, growth) = import::watched(server, read(api, &url)).await;
    let took = began.elapsed().max(Duration::from_millis(1));
    report.must(&format!("{lines} lines of {orders} orders were exported as {format}"), lines > orders);
    report.figure(&format!("book_export_{format}_seconds"), took.as_secs_f64(), Limit::None);
    report.figure(&format!("book_export_{format}_lines"), lines as f64, Limit::None);
    report.figure(&format!("book_export_{format}_growth_mb"), growth as f64 / 1_024.0, Limit::AtMost(100.0));
}

/// Reads an answer to its end; answers how many lines it has.
async fn read(api: &Api, url: &str) -> usize {
    let answer = Client::new().get(url).bearer_auth(api.token()).send().await.expect("the export begins");
    let mut pieces = answer.error_for_status().expect("it may be read").bytes_stream();
    let mut lines = 0;
    while let Some(piece) = pieces.next().await {
        lines += piece.expect("it goes on").iter().filter(|byte| **byte == b'\n').count();
    }
    lines
}
