//! What must be there before the first order: the channel, the articles, the stores and their stock.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Source;
use super::plan::Plan;
use crate::api::Api;

/// The channel that everything is sold through.
pub const CHANNEL: &str = "online-retail";
/// The currency of every price.
pub const CURRENCY: &str = "GBP";
/// Lines sent in one request.
const LINES: usize = 5_000;
/// How long what one service was told may take to reach the others.
const HEARSAY: Duration = Duration::from_secs(60);

/// Creates everything.
pub async fn prepare(api: &Api, source: &Source, plan: &Plan) {
    let channel = json!({ "name": "Online retail", "kind": "own_shop", "currency": CURRENCY, "status": "active" });
    api.put(&format!("/v1/channels/{CHANNEL}"), &channel).await.ok();
    import(api, "/v1/skus/import", &articles(source)).await;
    import(api, "/v1/locations/import", &source.places.locations()).await;
    import(api, "/v1/stock/import", &source.places.opening_stock(&source.rows, plan)).await;
}

/// Every article that any row names, under the first name it is given.
fn articles(source: &Source) -> Vec<Value> {
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    for row in &source.rows {
        let name = names.entry(&row.sku).or_default();
        if name.is_empty() {
            *name = &row.description;
        }
    }
    let article = |(sku, name): (&str, &str)| json!({ "sku": sku, "name": if name.is_empty() { sku } else { name } });
    names.into_iter().map(article).collect()
}

/// Sends lines in turn; every one must be taken.
async fn import(api: &Api, path: &str, lines: &[Value]) {
    for chunk in lines.chunks(LINES) {
        for (line, answer) in chunk.iter().zip(send_lines(api, path, chunk).await) {
            assert!(answer["problem"].is_null(), "{path} refused {line}: {answer}");
        }
    }
}

/// Sends lines, and answers what became of each. A line that names something which its service has not heard of yet is
/// sent again.
pub async fn send_lines(api: &Api, path: &str, lines: &[Value]) -> Vec<Value> {
    let mut answers = api.post_lines(path, lines).await;
    assert_eq!(answers.len(), lines.len(), "{path} answers a line per line");
    let began = Instant::now();
    loop {
        let early: Vec<usize> = (0..lines.len()).filter(|index| is_early(&answers[*index])).collect();
        if early.is_empty() || began.elapsed() > HEARSAY {
            return answers;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let again: Vec<Value> = early.iter().map(|index| lines[*index].clone()).collect();
        for (index, answer) in early.into_iter().zip(api.post_lines(path, &again).await) {
            answers[index] = answer;
        }
    }
}

/// Whether it may be taken later: what it names is on its way, or the service has too much to do.
fn is_early(answer: &Value) -> bool {
    let code = answer["problem"]["code"].as_str();
    code.is_some_and(|code| ["unknown_reference", "unavailable", "rate_limited"].contains(&code))
}
