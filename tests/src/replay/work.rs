//! The stores at work: every fulfilment order that is offered is accepted, shipped and delivered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::delivered::Delivered;
use super::setup::send_lines;
use crate::api::{Answer, Api};

/// Between two looks at a work list that has nothing new.
const PAUSE: Duration = Duration::from_millis(10);

#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<Offer>,
}

#[derive(Clone, Debug, Deserialize)]
struct Offer {
    id: String,
    order_id: String,
    lines: Vec<OfferLine>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct OfferLine {
    quantity: i64,
}

/// Works until `last_order` is placed and everything is delivered; answers how many fulfilment orders there were.
pub async fn work(api: Api, delivered: Arc<Delivered>, last_order: Arc<AtomicBool>) -> usize {
    let mut worked = 0;
    loop {
        let is_last = last_order.load(Ordering::Acquire);
        let page: Page = api.read("/v1/fulfilments?status=offered&limit=100").await;
        if page.items.is_empty() {
            if is_last && delivered.under_way() == 0 {
                return worked;
            }
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        let lines: Vec<Value> = page.items.iter().flat_map(steps).collect();
        for (line, answer) in lines.iter().zip(send_lines(&api, "/v1/fulfilments/import", &lines).await) {
            assert!(answer["problem"].is_null(), "{line} was refused: {answer}");
        }
        worked += page.items.len();
        for offer in page.items {
            delivered.delivered(&offer.order_id, offer.lines.iter().map(|line| line.quantity).sum());
        }
    }
}

/// From the store's yes to the buyer's door.
fn steps(offer: &Offer) -> [Value; 3] {
    let parcels = json!([{ "carrier": "SF", "tracking_no": format!("SF-{}", offer.id) }]);
    [
        json!({ "id": offer.id, "action": "accept" }),
        json!({ "id": offer.id, "action": "ship", "parcels": parcels }),
        json!({ "id": offer.id, "action": "deliver" }),
    ]
}

/// Posts, and again while there is too much to do: what was refused with 429 or 503 has not happened.
pub async fn act(api: &Api, path: &str, body: &Value) -> Answer {
    loop {
        let answer = api.post(path, body).await;
        if !answer.is_passing() {
            return answer;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
