//! The stores at work: every fulfilment order that is offered is accepted, shipped and delivered.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::delivered::Delivered;
use crate::api::{Answer, Api};

/// Fulfilment orders worked on at once.
const HANDS: usize = 16;
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
    let mut seen: HashSet<String> = HashSet::new();
    let mut hands = JoinSet::new();
    loop {
        let is_last = last_order.load(Ordering::Acquire);
        let page: Page = api.read("/v1/fulfilments?status=offered&limit=200").await;
        let new: Vec<Offer> = page.items.into_iter().filter(|offer| seen.insert(offer.id.clone())).collect();
        if new.is_empty() {
            if is_last && hands.is_empty() && delivered.under_way() == 0 {
                return seen.len();
            }
            tokio::select! {
                Some(done) = hands.join_next() => done.expect("no step fails"),
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
        for offer in new {
            while hands.len() >= HANDS {
                hands.join_next().await.expect("there are some").expect("no step fails");
            }
            hands.spawn(deliver(api.clone(), delivered.clone(), offer));
        }
    }
}

async fn deliver(api: Api, delivered: Arc<Delivered>, offer: Offer) {
    let parcels = json!({ "parcels": [{ "carrier": "SF", "tracking_no": format!("SF-{}", offer.id) }] });
    for (action, body) in [("accept", json!({})), ("ship", parcels), ("deliver", json!({}))] {
        act(&api, &format!("/v1/fulfilments/{}/{action}", offer.id), &body).await.ok();
    }
    delivered.delivered(&offer.order_id, offer.lines.iter().map(|line| line.quantity).sum());
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
