//! What if: the orders of the run decided again by another ruleset, from the request until the report is there.

use std::time::{Duration, Instant};

use kernel::Timestamp;
use serde_json::{Value, json};

use super::report::{Limit, Report};
use crate::{Api, Deployment};

/// How long the replay may take.
const REPLAYING: Duration = Duration::from_secs(300);

/// The present instant, by the database's clock.
pub fn now(deployment: &Deployment) -> Timestamp {
    let micros = deployment.number("SELECT (extract(epoch FROM clock_timestamp()) * 1e6)::bigint AS number");
    Timestamp::from_unix_micros(micros)
}

/// Replays everything that was decided since an instant by `warehouse-first`.
pub async fn measure(deployment: &Deployment, api: &Api, since: Timestamp, report: &mut Report) {
    let examples = api.get("/v1/sourcing/rulesets/examples").await.ok();
    let named = |it: &&Value| it["name"] == "warehouse-first";
    let candidate = examples.as_array().and_then(|them| them.iter().find(named)).expect("the example is shipped");
    let window = json!({ "from": since, "until": now(deployment), "ruleset": candidate });
    let began = Instant::now();
    let asked = api.post("/v1/sourcing/replays", &window).await.status(202);
    let path = format!("/v1/sourcing/replays/{}", asked["id"].as_str().expect("a replay has an id"));
    let done = loop {
        let replay = api.get(&path).await.ok();
        if replay["status"] != "queued" && replay["status"] != "running" {
            break replay;
        }
        assert!(began.elapsed() < REPLAYING, "the replay is not done: {replay}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let took = began.elapsed().as_secs_f64();
    let progress = &done["progress"];
    let every = done["status"] == "done" && progress["replayed"] == progress["decisions"];
    report.must(&format!("every order was replayed, {progress}"), every);
    let replayed = progress["replayed"].as_f64().unwrap_or(0.0);
    report.figure("replay_orders_per_second", replayed / took, Limit::AtLeast(10_000.0));
}
