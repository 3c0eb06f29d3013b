//! Buyers and stores at work while things break: orders are placed, shipped, cancelled and returned, each by someone who
//! asks again until there is an answer, as connectors and tills do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use system_tests::checks::{everything_is_final, settled};
use system_tests::shop::{NewOrder, Shop, places, text};
use system_tests::{Deployment, until};
use tokio::task::JoinSet;

/// The channel everything is sold in.
pub const CHANNEL: &str = "tmall";
/// What is sold, each at 100.00.
pub const SKUS: [&str; 3] = ["RED", "GREEN", "BLUE"];
/// What one unit costs, in minor units.
const PRICE: i64 = 10_000;
/// Points that one unit earns: one for each yuan.
const POINTS: i64 = 100;
/// What one unit earns the guide: 3 %.
const COMMISSION: i64 = 300;
/// Units of each SKU at each location: more than any test sells.
const STOCK: i64 = 1_000;
/// Buyers who order at the same time.
const BUYERS: usize = 6;

/// Orders under way, and how it goes.
pub struct Load {
    buyers: JoinSet<Sales>,
    done: Arc<AtomicUsize>,
}

/// What was bought and kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sales {
    /// Orders placed.
    pub orders: i64,
    /// Units that stayed with their buyers.
    pub units: i64,
}

impl std::iter::Sum for Sales {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self { orders: sum.orders + one.orders, units: sum.units + one.units })
    }
}

/// Opens a shop with plenty of everything and a policy that pays a guide 3 %.
pub async fn open(deployment: &Deployment) -> Shop {
    let shop = Shop::new(deployment.administrator().await);
    shop.channel(CHANNEL).await;
    shop.skus(&SKUS.map(|sku| (sku, "paint"))).await;
    let locations = [("WH-SH", "warehouse", places::SHANGHAI), ("ST-HZ", "store", places::HANGZHOU)];
    shop.locations(&locations).await;
    let stock: Vec<(&str, &str, i64)> =
        SKUS.iter().flat_map(|sku| locations.iter().map(move |location| (*sku, location.0, STOCK))).collect();
    settled(deployment).await;
    shop.opening_stock(&stock).await;
    shop.api.put("/v1/payees/guide-li", &json!({ "name": "Li", "kind": "guide" })).await.status(201);
    let document = json!({ "basis": "paid", "shares": [{ "role": "guide", "rate_ppm": 30_000 }] });
    let draft = json!({ "code": "guides", "name": "Guides", "document": document });
    let policy = text(&shop.api.post("/v1/rebate/policies", &draft).await.status(201)["id"]);
    let checker = json!({ "client_id": "checker", "name": "Checks policies", "permissions": ["rebate:*"] });
    let made = shop.api.post("/v1/clients", &checker).await.status(201);
    let checker = deployment.client("checker", &text(&made["client_secret"])).await;
    for action in ["approve", "activate"] {
        checker.post(&format!("/v1/rebate/policies/{policy}/{action}"), &json!({})).await.ok();
    }
    settled(deployment).await;
    shop
}

impl Load {
    /// Lets six buyers place so many orders each.
    pub fn start(shop: &Shop, orders: usize) -> Self {
        let done = Arc::new(AtomicUsize::new(0));
        let mut buyers = JoinSet::new();
        for buyer in 0..BUYERS {
            let (shop, done) = (shop.clone(), done.clone());
            buyers.spawn(async move {
                let mut sales = Sales::default();
                for number in 0..orders {
                    let order = order_of(buyer, number);
                    sales.units += live_through(&shop, &order, number).await;
                    sales.orders += 1;
                    done.fetch_add(1, Ordering::Relaxed);
                }
                sales
            });
        }
        Self { buyers, done }
    }

    /// Waits until so many orders have come to their end.
    pub async fn reaches(&self, orders: usize) {
        until(&format!("{orders} orders are final"), async || match self.done.load(Ordering::Relaxed) {
            done if done >= orders => Ok(()),
            done => Err(format!("{done} are")),
        })
        .await;
    }

    /// Waits until all buyers are done.
    pub async fn ends(self) -> Sales {
        self.buyers.join_all().await.into_iter().sum()
    }
}

/// An order of one or two lines; the buyer is always the same one, whose points can be counted.
fn order_of(buyer: usize, number: usize) -> NewOrder {
    let order = NewOrder::new(CHANNEL, &format!("B{buyer}-{number}"), places::SHANGHAI)
        .line(SKUS[number % 3], 2, PRICE)
        .phone("13800138000")
        .with("guide", json!("guide-li"));
    if number.is_multiple_of(2) { order.line(SKUS[(number + 1) % 3], 1, PRICE) } else { order }
}

/// Sees an order to its end, and answers how many units were kept: every fourth is cancelled, every fourth comes back
/// whole, every fourth loses its first line's two units again, and the last stays as it is.
async fn live_through(shop: &Shop, order: &NewOrder, number: usize) -> i64 {
    let lines = order.body()["lines"].as_array().expect("lines");
    let units: i64 = lines.iter().filter_map(|line| line["quantity"].as_i64()).sum();
    let id = shop.place_for_sure(order).await;
    match number % 4 {
        0 => {
            let path = format!("/v1/orders/{id}/cancel");
            shop.api.persist(&path, &json!({ "reason": "changed their mind" })).await.ok();
            shop.order_once(&id, "cancelled").await;
            0
        }
        1 => {
            shop.see_through(&id).await;
            give_back(shop, &id, lines.iter().map(|line| (&line["line_no"], &line["quantity"]))).await;
            0
        }
        2 => {
            shop.see_through(&id).await;
            give_back(shop, &id, lines.iter().take(1).map(|line| (&line["line_no"], &line["quantity"]))).await;
            units - 2
        }
        _ => {
            shop.see_through(&id).await;
            units
        }
    }
}

async fn give_back(shop: &Shop, order: &str, units: impl Iterator<Item = (&Value, &Value)>) {
    let lines: Vec<Value> = units.map(|(line_no, units)| json!({ "line_no": line_no, "quantity": units })).collect();
    let inspected: Vec<Value> =
        lines.iter().map(|line| json!({ "line_no": line["line_no"], "disposition": "restock" })).collect();
    let wanted = json!({ "order_id": order, "lines": lines, "location": "ST-HZ", "reason": "too small" });
    let id = text(&shop.api.persist("/v1/returns", &wanted).await.ok()["id"]);
    let steps = [
        ("approve", json!({})),
        ("receive", json!({})),
        ("inspect", json!({ "lines": inspected })),
        ("refund", json!({})),
    ];
    for (action, body) in steps {
        shop.api.persist(&format!("/v1/returns/{id}/{action}"), &body).await.ok();
    }
}

/// Every invariant holds, and the sales have earned exactly what they should and moved exactly as many units.
pub async fn the_books_say(deployment: &Deployment, shop: &Shop, sales: Sales) {
    everything_is_final(deployment, &shop.api).await;
    assert_eq!(deployment.number("SELECT count(*) AS number FROM \"order\".orders"), sales.orders);
    let opening = STOCK * i64::try_from(SKUS.len() * 2).expect("a small number");
    let on_hand = deployment.number("SELECT sum(on_hand)::bigint AS number FROM inventory.stock");
    assert_eq!(on_hand, opening - sales.units, "units on hand");
    let found = shop.api.get("/v1/members?identity=phone:13800138000").await.ok();
    let member = text(&found["items"][0]["id"]);
    let points = shop.api.get(&format!("/v1/members/{member}/points")).await.ok();
    assert_eq!((&points["active"], &points["pending"]), (&json!(sales.units * POINTS), &json!(0)), "{points}");
    let tier = shop.api.get(&format!("/v1/members/{member}/tier")).await.ok();
    assert_eq!(tier["qualifying_amount"]["amount"], sales.units * PRICE, "{tier}");
    let balances = shop.api.get("/v1/rebate/balances?payee=guide-li").await.ok();
    let amount = |account: &str| balances["items"][0][account]["amount"].as_i64();
    assert_eq!((amount("accrued"), amount("payable")), (Some(0), Some(sales.units * COMMISSION)), "{balances}");
}
