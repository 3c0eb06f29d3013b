//! The main journey in every topology: from imported goods to a sale, its return in another store, and books that are
//! back where they began. Every number is derived by hand beside where it is expected.

mod access;
mod demo;
mod holds;
mod moved;
mod returned;
mod sale;
mod scarcity;
mod till;
mod traced;

use serde_json::json;
use system_tests::checks::{everything_is_final, settled};
use system_tests::shop::{Shop, places};
use system_tests::{Deployment, Topology};

/// The channel everything is sold in.
const CHANNEL: &str = "tmall";

#[tokio::test(flavor = "multi_thread")]
async fn the_journey_in_one_process_that_brings_everything_along() {
    journey(Topology::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journey_in_one_process_over_servers() {
    journey(Topology::AllInOneOverRabbit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journey_with_a_process_per_role() {
    journey(Topology::ProcessPerRole).await;
}

async fn journey(topology: Topology) {
    let deployment = Deployment::start(topology, &["order.return_window_seconds=0"]).await;
    let shop = Shop::new(deployment.administrator().await);
    open(&deployment, &shop).await;
    rule(&deployment, &shop).await;
    settled(&deployment).await;
    let order = sale::sold_and_delivered(&shop).await;
    returned::and_everything_goes_back(&shop, &order).await;
    sale::cancelled_before_it_ships(&shop).await;
    till::sells_and_takes_it_back(&shop).await;
    holds::claimed_by_an_order(&shop).await;
    holds::run_out(&shop).await;
    scarcity::split_over_two_locations(&shop).await;
    scarcity::waits_until_stock_arrives(&shop).await;
    moved::to_nearer_stock(&shop).await;
    everything_is_final(&deployment, &shop.api).await;
}

/// A channel, goods, places and opening stock.
async fn open(deployment: &Deployment, shop: &Shop) {
    shop.channel(CHANNEL).await;
    shop.skus(&[("TEE", "tops"), ("CAP", "hats"), ("MUG", "home"), ("BAG", "home"), ("LAMP", "home"), ("PIN", "hats")])
        .await;
    shop.locations(&[
        ("WH-SH", "warehouse", places::SHANGHAI),
        ("ST-HZ", "store", places::HANGZHOU),
        ("ST-NJ", "store", places::NANJING),
        ("ST-BJ", "store", places::BEIJING),
    ])
    .await;
    // Stock is counted of what the product service has told of.
    settled(deployment).await;
    shop.opening_stock(&[
        ("TEE", "ST-HZ", 5),
        ("CAP", "ST-HZ", 1),
        ("TEE", "WH-SH", 10),
        ("CAP", "WH-SH", 10),
        ("TEE", "ST-NJ", 10),
        ("CAP", "ST-NJ", 10),
        ("MUG", "ST-HZ", 4),
        ("PIN", "ST-HZ", 5),
        ("BAG", "WH-SH", 3),
        ("LAMP", "WH-SH", 2),
        ("LAMP", "ST-NJ", 2),
    ])
    .await;
}

/// Who earns what: one point per yuan, gold from 300 yuan on, and a policy that one client drafts and another approves.
async fn rule(deployment: &Deployment, shop: &Shop) {
    let tiers = json!({
        "currency": "CNY",
        "window": { "kind": "lifetime" },
        "tiers": [
            { "code": "silver", "name": "银卡", "from_amount": 0 },
            { "code": "gold", "name": "金卡", "from_amount": 30_000 },
        ],
    });
    shop.api.put("/v1/tier-programs/default", &tiers).await.ok();
    for (code, kind) in [("guide-li", "guide"), ("ST-HZ", "store"), ("dealer-zhao", "dealer")] {
        shop.api.put(&format!("/v1/payees/{code}"), &json!({ "name": code, "kind": kind })).await.status(201);
    }
    let dealer = json!({ "role": "dealer", "subject": { "kind": "store", "key": "ST-HZ" }, "payee": "dealer-zhao",
        "from": "2026-01-01T00:00:00+08:00" });
    shop.api.post("/v1/bindings", &dealer).await.status(201);
    let document = json!({ "basis": "paid", "shares": [
        { "role": "guide", "rate_ppm": 30_000 },
        { "role": "store", "rate_ppm": 15_000 },
        { "role": "dealer", "rate_ppm": 20_000 },
    ] });
    let draft = json!({ "code": "autumn", "name": "Autumn", "document": document });
    let drafted = shop.api.post("/v1/rebate/policies", &draft).await.status(201);
    let policy = format!("/v1/rebate/policies/{}", drafted["id"].as_str().expect("an id"));
    let checker = json!({ "client_id": "checker", "name": "Checks policies", "permissions": ["rebate:*"] });
    let made = shop.api.post("/v1/clients", &checker).await.status(201);
    let checker = deployment.client("checker", made["client_secret"].as_str().expect("a secret")).await;
    // Who drafted it may not approve it.
    shop.api.post(&format!("{policy}/approve"), &json!({})).await.problem(422, "refused_by_rule");
    checker.post(&format!("{policy}/approve"), &json!({})).await.ok();
    checker.post(&format!("{policy}/activate"), &json!({})).await.ok();
}
