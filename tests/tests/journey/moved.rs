//! Stock arrives nearer to a buyer than what was promised to them.

use serde_json::{Value, json};
use system_tests::shop::{NewOrder, Shelf, Shop, places, whole};

use crate::CHANNEL;

/// The only lamp is in Beijing, more than 1,000 km from the buyer in Shanghai, and has been accepted there when another
/// comes to Shanghai: the order moves, and the lamp in Beijing is free again.
pub async fn to_nearer_stock(shop: &Shop) {
    let document = json!({ "name": "moving", "tiers": [{ "name": "all", "split": { "max_parts": 4 } }],
        "resourcing": { "enabled": true } });
    let added = shop.api.post("/v1/sourcing/rulesets", &document).await.status(201);
    activate(shop, whole(&added["version"])).await;
    shop.adjust("LAMP", "ST-BJ", 1).await;
    let id = shop.place(&NewOrder::new(CHANNEL, "T-6", places::SHANGHAI).line("LAMP", 1, 8_000)).await;
    let offered = shop.offer(&id, "ST-BJ").await;
    let fulfilment = offered["id"].as_str().expect("an id");
    shop.act(fulfilment, "accept", json!({})).await.ok();
    shop.adjust("LAMP", "WH-SH", 1).await;
    shop.offer(&id, "WH-SH").await;
    let recalled = shop.api.get(&format!("/v1/fulfilments/{fulfilment}")).await.ok();
    assert_eq!((&recalled["status"], &recalled["recalled"]), (&json!("rejected"), &json!(true)), "{recalled}");
    shop.shelf_once("LAMP", "ST-BJ", Shelf::of(1, 0)).await;
    shop.shelf_once("LAMP", "WH-SH", Shelf::of(1, 1)).await;
    let why = shop.api.get(&format!("/v1/orders/{id}/sourcing")).await.ok();
    let asked = &why["moves"][0];
    assert_eq!((&asked["outcome"], &asked["moved_as"]), (&json!("moved"), &json!(2)), "{why}");
    assert!(whole(&asked["gain_metres"]) > 1_000_000, "{why}");
    shop.see_through(&id).await;
    shop.shelf_once("LAMP", "WH-SH", Shelf::of(0, 0)).await;
    shop.adjust("LAMP", "ST-BJ", -1).await;
    activate(shop, 1).await;
}

async fn activate(shop: &Shop, version: i64) {
    shop.api.post(&format!("/v1/sourcing/rulesets/{version}/activate"), &Value::Null).await.ok();
}
