//! A process that is killed after an order was recalled for nearer stock, and before it was planned anew.

use diesel::connection::SimpleConnection;
use serde_json::{Value, json};
use system_tests::checks::{all_sent, everything_is_final};
use system_tests::shop::{NewOrder, Shelf, Shop, places, whole};
use system_tests::{Deployment, Topology, until};

use crate::SETTINGS;
use crate::load::{CHANNEL, open};

/// The only lamp is far away and accepted there; another comes nearer, the order book recalls the order, and the inventory is
/// killed while it is about to plan it anew. Killed again as soon as it is back, it still moves the order, once.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_was_recalled_is_planned_anew_though_the_inventory_is_killed() {
    let mut deployment = Deployment::start(Topology::ProcessPerRole, &SETTINGS).await;
    let shop = open(&deployment).await;
    let fulfilment = accepted_far_away(&shop).await;
    let order = fulfilment["order_id"].as_str().expect("an order").to_owned();
    // The order book stands still until the inventory has asked, and the inventory from there on.
    deployment.process("order").signal("STOP");
    shop.adjust("LAMP", "WH-SH", 1).await;
    until("the order book is asked", async || {
        match deployment.number("SELECT count(*) AS number FROM inventory.moves WHERE outcome = 'asked'") {
            1 => Ok(()),
            asked => Err(asked),
        }
    })
    .await;
    all_sent(&deployment, &["inventory"]).await;
    let mut held = deployment.try_connect().expect("the database is there");
    held.batch_execute("SELECT pg_advisory_lock(hashtextextended('onepool/inventory/pool', 0))")
        .expect("the pool's lock");
    deployment.process("order").signal("CONT");
    let id = fulfilment["id"].as_str().expect("an id");
    let path = format!("/v1/fulfilments/{id}");
    shop.api.get_until(&path, "it is recalled", |it| it["recalled"] == true && it["status"] == "rejected").await;
    all_sent(&deployment, &["order"]).await;
    until("the inventory is about to change something", async || {
        let waits = "SELECT count(*) AS number FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
        if deployment.number(waits) > 0 { Ok(()) } else { Err("it waits for nothing") }
    })
    .await;
    deployment.crash("inventory");
    drop(held);
    deployment.ready().await;
    deployment.crash("inventory");
    deployment.ready().await;
    shop.offer(&order, "WH-SH").await;
    shop.shelf_once("LAMP", "ST-BJ", Shelf::of(1, 0)).await;
    shop.shelf_once("LAMP", "WH-SH", Shelf::of(1, 1)).await;
    let why = shop.api.get(&format!("/v1/orders/{order}/sourcing")).await.ok();
    assert_eq!((&why["attempt"], &why["moves"][0]["outcome"]), (&json!(2), &json!("moved")), "{why}");
    shop.see_through(&order).await;
    shop.shelf_once("LAMP", "WH-SH", Shelf::of(0, 0)).await;
    everything_is_final(&deployment, &shop.api).await;
}

/// A fulfilment order for a lamp that Beijing has accepted, by a ruleset that moves orders.
async fn accepted_far_away(shop: &Shop) -> Value {
    shop.skus(&[("LAMP", "light")]).await;
    shop.locations(&[("ST-BJ", "store", places::BEIJING)]).await;
    let document = json!({ "name": "moving", "tiers": [{ "name": "all", "split": { "max_parts": 4 } }],
        "resourcing": { "enabled": true } });
    let added = shop.api.post("/v1/sourcing/rulesets", &document).await.status(201);
    let version = whole(&added["version"]);
    shop.api.post(&format!("/v1/sourcing/rulesets/{version}/activate"), &Value::Null).await.ok();
    shop.adjust("LAMP", "ST-BJ", 1).await;
    let order = shop.place(&NewOrder::new(CHANNEL, "LAMP-1", places::SHANGHAI).line("LAMP", 1, 8_000)).await;
    let offered = shop.offer(&order, "ST-BJ").await;
    let accepted = shop.act(offered["id"].as_str().expect("an id"), "accept", json!({})).await.ok();
    assert_eq!(accepted["status"], "accepted");
    accepted
}
