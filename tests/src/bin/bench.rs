//! `make bench`: starts OnePool on durable servers, puts it under load, and writes what it saw.

use std::fs;
use std::time::Instant;

use clap::Parser;
use system_tests::bench::machine::Sides;
use system_tests::bench::report::{Limit, Report};
use system_tests::bench::{book, import, limit, machine, orders, plans, proof, shares, size, stock, tills, what_if};
use system_tests::{Deployment, Topology};

/// How much is measured.
#[derive(Debug, Parser)]
struct Arguments {
    /// Orders placed as fast as they are taken.
    #[arg(long, default_value_t = 40_000)]
    orders: usize,
    /// Orders placed at 2,000 a second.
    #[arg(long, default_value_t = 30_000)]
    paced: usize,
    /// Holds of the one hot SKU.
    #[arg(long, default_value_t = 60_000)]
    holds: usize,
    /// Updates of one row, straight in PostgreSQL.
    #[arg(long, default_value_t = 60_000)]
    row_updates: usize,
    /// Holds spread over all SKUs.
    #[arg(long, default_value_t = 60_000)]
    spread: usize,
    /// Reads of ten SKUs.
    #[arg(long, default_value_t = 200_000)]
    reads: usize,
    /// Locations whose balances are imported, 1,000 each.
    #[arg(long, default_value_t = 1_000)]
    import_locations: usize,
    /// Balances that a database is filled with to see what they take and how they are read; 0 leaves it out.
    #[arg(long, default_value_t = 6_000_000)]
    balances: usize,
    /// Leaves out everything but those balances and the book.
    #[arg(long)]
    only_balances: bool,
    /// Orders in the book at which intake, search and export are measured, with commas between; left out unless asked for.
    #[arg(long, value_delimiter = ',')]
    book: Vec<usize>,
    /// A file with the columns longitude and latitude: real locations to plan over, before made-up ones.
    #[arg(long)]
    stores: Option<String>,
    /// Leaves the embedded run out.
    #[arg(long)]
    without_embedded: bool,
}

const SETTINGS: &[&str] = &[
    "log=warn",
    "limits.client_requests_per_second=1000000",
    "limits.client_request_burst=1000000",
    // The default; tests share their servers and make do with fewer.
    "database.pool_size=8",
];

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let mut report = Report::default();
    if !arguments.only_balances {
        plans::measure(arguments.stores.as_deref(), &mut report);
        over_rabbitmq(&arguments, &mut report).await;
        if !arguments.without_embedded {
            embedded(&arguments, &mut report).await;
        }
    }
    if arguments.balances > 0 {
        size::measure(arguments.balances, SETTINGS, &mut report).await;
    }
    if !arguments.book.is_empty() {
        book::measure(&arguments.book, SETTINGS, &mut report).await;
    }
    let machine = machine::describe();
    let json = serde_json::to_string_pretty(&report.json(&machine)).expect("a report is JSON");
    fs::create_dir_all("target/bench").expect("target/ can be written to");
    fs::write("target/bench/report.json", json).expect("target/ can be written to");
    println!("{machine:#}\n\n{}\n\nwritten to target/bench/report.json", report.table());
    if !report.failures().is_empty() {
        eprintln!("\nnot as it must be:\n  {}", report.failures().join("\n  "));
        std::process::exit(1);
    }
}

async fn over_rabbitmq(arguments: &Arguments, report: &mut Report) {
    let mut deployment = Deployment::start(Topology::AllInOneOverRabbit, SETTINGS).await;
    let api = deployment.administrator().await;
    orders::stock_up(&api, 7).await;
    let began = what_if::now(&deployment);
    let lags = orders::measure(&deployment, &api, "rabbitmq", (arguments.orders, arguments.paced), report).await;
    lags.figures("", report);
    let settled = report.value("rabbitmq_orders_per_second");
    let chosen = i64::try_from(arguments.orders.min(20_000)).unwrap_or(20_000);
    let possible = limit::measure(&deployment, chosen, report);
    report.figure("orders_to_db_limit_percent", 100.0 * settled / possible, Limit::None);
    limit::one_row(&deployment, arguments.row_updates, report);
    what_if::measure(&deployment, &api, began, report).await;
    let sides = Sides::of(&mut deployment);
    stock::reservations(&api, sides, arguments.holds, report).await;
    stock::spread(&api, sides, arguments.spread, report).await;
    stock::availability(&api, sides, arguments.reads, report).await;
    shares::shared(&api, sides, arguments.spread, arguments.reads, report).await;
    tills::transactions(&api, sides, arguments.reads, report).await;
    report.figure("rss_mb", machine::resident_mib("onepool") as f64, Limit::None);
    import::balances(&mut deployment, &api, arguments.import_locations, report).await;
    let (_, drift) = proof::whole(&api).await;
    report.must("the stock proof shows no drift at the end", drift.is_empty());
}

async fn embedded(arguments: &Arguments, report: &mut Report) {
    let began = Instant::now();
    let mut deployment = Deployment::start(Topology::Embedded, SETTINGS).await;
    report.figure("embedded_first_start_ms", began.elapsed().as_secs_f64() * 1_000.0, Limit::None);
    deployment.process("all").terminate();
    let began = Instant::now();
    deployment.process("all").start();
    deployment.ready().await;
    report.figure("embedded_next_start_ms", began.elapsed().as_secs_f64() * 1_000.0, Limit::None);
    let api = deployment.administrator().await;
    orders::stock_up(&api, 7).await;
    let lags = orders::measure(&deployment, &api, "embedded", (arguments.orders, arguments.paced), report).await;
    lags.figures("embedded_", report);
}
