//! Holds: stock set aside for a buyer, claimed by their order or given back when they run out.

use serde_json::{Value, json};
use system_tests::shop::{NewOrder, Shelf, Shop, places, text};

use crate::CHANNEL;

/// Two of three bags are held; the order takes over just these.
pub async fn claimed_by_an_order(shop: &Shop) {
    let hold = hold(shop, 2, 600).await;
    assert_eq!(hold["lines"][0]["location"], "WH-SH", "{hold}");
    assert_eq!(shop.shelf("BAG", "WH-SH").await, Shelf::of(3, 2));
    // One bag is left for everyone else.
    let (latitude, longitude) = places::SHANGHAI;
    let more = json!({ "channel": CHANNEL, "lines": [{ "sku": "BAG", "quantity": 2 }], "ttl_seconds": 600,
        "ship_to": { "country": "CN", "latitude": latitude, "longitude": longitude } });
    shop.api.post("/v1/reservations", &more).await.problem(409, "insufficient_stock");
    let order = NewOrder::new(CHANNEL, "T-3", places::SHANGHAI)
        .line("BAG", 2, 5_000)
        .with("reservation_id", hold["id"].clone());
    let id = shop.place(&order).await;
    shop.offer(&id, "WH-SH").await;
    assert_eq!(shop.shelf("BAG", "WH-SH").await, Shelf::of(3, 2));
    shop.see_through(&id).await;
    shop.shelf_once("BAG", "WH-SH", Shelf::of(1, 0)).await;
}

/// The last bag is held for a second, then for sale again.
pub async fn run_out(shop: &Shop) {
    let hold = hold(shop, 1, 1).await;
    let path = format!("/v1/reservations/{}", text(&hold["id"]));
    shop.api.get_until(&path, "the hold has run out", |hold| hold["state"] == "expired").await;
    shop.shelf_once("BAG", "WH-SH", Shelf::of(1, 0)).await;
    shop.sellable_once(CHANNEL, "BAG", 1).await;
}

async fn hold(shop: &Shop, quantity: i64, ttl_seconds: i64) -> Value {
    let (latitude, longitude) = places::SHANGHAI;
    let body = json!({ "channel": CHANNEL, "buyer": "buyer-1", "lines": [{ "sku": "BAG", "quantity": quantity }],
        "ship_to": { "country": "CN", "latitude": latitude, "longitude": longitude }, "ttl_seconds": ttl_seconds });
    shop.api.post("/v1/reservations", &body).await.status(201)
}
