//! Millions of balances: what each takes on disk, how the statements that work on them are planned, and what is served
//! over them.
//!
//! A store sends its stock as one file, so the rows lie location by location. That is the worst order for whoever reads a
//! SKU: each of its balances lies on a page of its own.

mod fill;
mod paths;
mod recorder;
mod serving;
mod space;

use super::report::{Limit, Report};
use crate::process::free_port;
use crate::{Deployment, Topology};

/// SKUs that lie at each location.
const SKUS: usize = 1_000;
/// What the figures are scaled to: 6,000 stores of 10,000 SKUs.
const CHAIN: f64 = 60e6;

/// Fills a database of its own with so many balances, 1,000 SKUs at each location, and measures what comes of it.
pub async fn measure(balances: usize, settings: &[&str], report: &mut Report) {
    let locations = (balances / SKUS).max(1);
    let port = free_port();
    let metrics = format!("http.metrics_port={port}");
    let settings: Vec<&str> = settings.iter().copied().chain([metrics.as_str()]).collect();
    let mut deployment = Deployment::start(Topology::AllInOneOverRabbit, &settings).await;
    fill::catalog(&deployment, locations).await;
    deployment.process("onepool").terminate();
    fill::balances(&deployment, locations, report);
    space::measure(&deployment, locations * SKUS, report);
    recorder::switch(&deployment, true);
    restart(&mut deployment).await;
    paths::check(&deployment, &format!("http://127.0.0.1:{port}/metrics"), locations, report).await;
    recorder::switch(&deployment, false);
    restart(&mut deployment).await;
    serving::measure(&mut deployment, locations, report).await;
}

/// Settings of the database hold for connections that are made after them.
async fn restart(deployment: &mut Deployment) {
    let process = deployment.process("onepool");
    if process.is_started() {
        process.terminate();
    }
    process.start();
    deployment.ready().await;
}

/// The n-th location.
fn location(number: usize) -> String {
    format!("STORE-{number:04}")
}
