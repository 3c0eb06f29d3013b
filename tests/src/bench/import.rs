//! Balances by the million, sent as one stream of lines.

use std::fmt::Write;
use std::io;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Body, Client};
use serde_json::{Value, json};

use super::machine;
use super::orders::sku;
use super::report::{Limit, Report};
use crate::{Api, Deployment};

/// SKUs that lie at each location.
const SKUS: usize = 1_000;
/// Units of each SKU at each location.
const UNITS: usize = 7;
/// Between two looks at the server's memory.
const LOOK: Duration = Duration::from_millis(20);

/// Imports 1,000 SKUs at each of so many locations: how long it takes, and by how much the server grows meanwhile.
pub async fn balances(deployment: &mut Deployment, api: &Api, locations: usize, report: &mut Report) {
    create_locations(api, locations).await;
    let server = deployment.process("onepool").id();
    let began = Instant::now();
    let (lines, growth) = watched(server, send(api, locations)).await;
    let took = began.elapsed();
    let expected = SKUS * locations;
    report.must(&format!("every balance was imported, {lines} of {expected}"), lines == expected);
    let sql = "SELECT coalesce(sum(on_hand), 0)::bigint AS number FROM inventory.stock WHERE location LIKE 'IMPORT-%'";
    let units = deployment.number(sql);
    report
        .must(&format!("{units} units lie there"), usize::try_from(units).is_ok_and(|units| units == expected * UNITS));
    report.figure("import_balances_seconds", took.as_secs_f64(), Limit::AtMost(60.0));
    report.figure("import_peak_growth_mb", growth as f64 / 1_024.0, Limit::None);
}

fn location(number: usize) -> String {
    format!("IMPORT-{number:04}")
}

async fn create_locations(api: &Api, count: usize) {
    let place = |n: usize| {
        json!({ "code": location(n), "name": location(n), "kind": "store", "latitude": 30.0, "longitude": 110.0,
            "capabilities": [], "status": "active" })
    };
    let lines: Vec<Value> = (0..count).map(place).collect();
    let answers = api.post_lines("/v1/locations/import", &lines).await;
    assert!(answers.iter().all(|line| line["problem"].is_null()), "the locations are taken: {:?}", answers.first());
}

/// Sends the balances, made while they are sent; answers how many were taken.
async fn send(api: &Api, locations: usize) -> usize {
    let lines = |location: String| {
        (0..SKUS).fold(String::new(), |mut lines, n| {
            let written = writeln!(lines, r#"{{"sku":"{}","location":"{location}","on_hand":{UNITS}}}"#, sku(n));
            written.expect("a text grows");
            lines
        })
    };
    let body = stream::iter((0..locations).map(move |n| Ok::<_, io::Error>(lines(location(n)))));
    let request = Client::new().post(format!("{}/v1/stock/import", api.host("inventory"))).bearer_auth(api.token());
    let request = request.header(CONTENT_TYPE, "application/x-ndjson").body(Body::wrap_stream(body));
    let answer = request.send().await.expect("the import is answered").error_for_status().expect("the import is taken");
    let (mut answers, mut taken, mut line) = (answer.bytes_stream(), 0, Vec::new());
    while let Some(piece) = answers.next().await {
        for byte in piece.expect("the answer arrives whole") {
            if byte == b'\n' {
                taken += usize::from(is_taken(&line));
                line.clear();
            } else {
                line.push(byte);
            }
        }
    }
    taken
}

/// Whether this is the result line of an item that was done: a refused one has a problem in place of a result.
fn is_taken(line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line);
    text.contains("\"result\":") && !text.contains("\"problem\":")
}

/// Runs something, and answers by how many KiB a process grew meanwhile at most.
pub(super) async fn watched<T>(process: u32, work: impl Future<Output = T>) -> (T, u64) {
    let before = machine::resident_kib(process);
    let (mut work, mut peak) = (pin!(work), before);
    loop {
        tokio::select! {
            worked = &mut work => return (worked, peak - before),
            () = tokio::time::sleep(LOOK) => peak = peak.max(machine::resident_kib(process)),
        }
    }
}
