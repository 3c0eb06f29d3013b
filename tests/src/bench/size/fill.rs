//! The catalogue, sent over the API, and the balances, written as an import of each location's stock would leave them.

use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::super::orders::{CHANNEL, point, sku};
use super::{Limit, Report, SKUS, location};
use crate::{Deployment, checks};

/// Units of each balance: orders and holds of the run find enough.
const UNITS: usize = 20;

/// Creates the channel, the SKUs and the locations, and waits until every service knows them.
pub async fn catalog(deployment: &Deployment, locations: usize) {
    let (api, mut random) = (deployment.administrator().await, StdRng::seed_from_u64(11));
    let channel = json!({ "name": "Bench", "kind": "marketplace", "currency": "CNY", "status": "active" });
    api.put(&format!("/v1/channels/{CHANNEL}"), &channel).await.ok();
    let skus = (0..SKUS).map(|n| json!({ "sku": sku(n), "name": format!("Article {n}") }));
    let place = |n: usize| {
        let (latitude, longitude) = point(&mut random);
        json!({ "code": location(n), "name": format!("Store {n}"), "kind": "store", "latitude": latitude,
            "longitude": longitude, "capabilities": ["ship", "pickup", "return"], "status": "active" })
    };
    let places = (0..locations).map(place);
    for (path, lines) in [("/v1/skus/import", skus.collect::<Vec<Value>>()), ("/v1/locations/import", places.collect())]
    {
        let answers = api.post_lines(path, &lines).await;
        assert!(answers.iter().all(|line| line["problem"].is_null()), "{path} takes all: {:?}", answers.first());
    }
    checks::settled(deployment).await;
}

/// Writes a balance of every SKU at every location with its opening movement, and all that hangs on it. What guards the
/// tables is switched off: every location is there, and six million looks at them would take longer than the rows.
pub fn balances(deployment: &Deployment, locations: usize, report: &mut Report) {
    let began = Instant::now();
    deployment.execute(&format!(
        "SET search_path = inventory; SET session_replication_role = replica; \
         INSERT INTO stock (sku, location, on_hand, version, sells) \
         SELECT k.sku, l.code, {UNITS}, 1, l.active AND (l.ships OR l.hands_over) \
         FROM locations l CROSS JOIN skus k ORDER BY l.code, k.sku; \
         INSERT INTO movements (sku, location, kind, on_hand, quarantined, on_hand_after, quarantined_after, reason, \
            actor, at) \
         SELECT k.sku, l.code, 'count', {UNITS}, 0, {UNITS}, 0, 'imported', 'admin', \
            now() - interval '1 day' + l.number / 2 * interval '100 ms' \
         FROM (SELECT code, row_number() OVER (ORDER BY code) AS number FROM locations) l CROSS JOIN skus k \
         ORDER BY l.number, k.sku; \
         INSERT INTO availability (sku, available, version) SELECT sku, sum(on_hand), {locations} FROM stock GROUP BY sku; \
         INSERT INTO told_availability (sku, channel, available, version) \
         SELECT sku, '', available, version FROM availability"
    ));
    for table in ["stock", "movements", "availability", "told_availability"] {
        deployment.execute(&format!("VACUUM ANALYZE inventory.{table}"));
    }
    let filled = deployment.number("SELECT count(*) AS number FROM inventory.stock");
    report.must(&format!("{filled} balances are there"), usize::try_from(filled) == Ok(locations * SKUS));
    report.figure("size_balances", filled as f64, Limit::None);
    report.figure("size_fill_seconds", began.elapsed().as_secs_f64(), Limit::None);
}
