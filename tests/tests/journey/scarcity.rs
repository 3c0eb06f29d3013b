//! Too little in one place, then too little anywhere.

use serde_json::Value;
use system_tests::shop::{NewOrder, Shelf, Shop, places};

use crate::CHANNEL;

/// Four lamps, two in Shanghai and two in Nanjing: the order is shared between them, and nothing is allocated twice.
pub async fn split_over_two_locations(shop: &Shop) {
    let id = shop.place(&NewOrder::new(CHANNEL, "T-4", places::SHANGHAI).line("LAMP", 4, 8_000)).await;
    let parts = [shop.offer(&id, "WH-SH").await, shop.offer(&id, "ST-NJ").await];
    assert_eq!(parts.map(|part| part["lines"][0]["quantity"].clone()), [Value::from(2), Value::from(2)]);
    shop.shelf_once("LAMP", "WH-SH", Shelf::of(2, 2)).await;
    shop.shelf_once("LAMP", "ST-NJ", Shelf::of(2, 2)).await;
    shop.sellable_once(CHANNEL, "LAMP", 0).await;
    shop.see_through(&id).await;
    shop.shelf_once("LAMP", "WH-SH", Shelf::of(0, 0)).await;
    shop.shelf_once("LAMP", "ST-NJ", Shelf::of(0, 0)).await;
}

/// Nothing is left: the order waits, is listed as waiting, and is served when lamps arrive.
pub async fn waits_until_stock_arrives(shop: &Shop) {
    let id = shop.place(&NewOrder::new(CHANNEL, "T-5", places::SHANGHAI).line("LAMP", 3, 8_000)).await;
    shop.order_once(&id, "backordered").await;
    let waiting = shop.api.get("/v1/backorders?sku=LAMP").await.ok();
    assert_eq!(waiting["items"][0]["order_id"], id.as_str(), "{waiting}");
    shop.adjust("LAMP", "WH-SH", 3).await;
    shop.offer(&id, "WH-SH").await;
    shop.shelf_once("LAMP", "WH-SH", Shelf::of(3, 3)).await;
    shop.see_through(&id).await;
    shop.shelf_once("LAMP", "WH-SH", Shelf::of(0, 0)).await;
}
