//! Purchases that a channel splits into several orders.

use actix_web::test::TestRequest;
use contracts::events::OrderPlaced;
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Shop, code, fen, line, order};

/// Places an order; its price is also the second at which it is placed.
async fn split(shop: &Shop, number: &str, parent: Option<&str>, price: i64) -> String {
    let mut body = order(number, json!([line(1, "A", 1, price)]));
    body["placed_at"] = json!(format!("2026-11-11T00:00:{price:02}+08:00"));
    if let Some(parent) = parent {
        body["parent_order_no"] = json!(parent);
    }
    let answer = shop.post("/v1/orders", body).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.id()
}

fn numbers(orders: &Value) -> Vec<&str> {
    orders.as_array().unwrap().iter().map(|it| it["channel_order_no"].as_str().unwrap()).collect()
}

#[actix_web::test]
async fn the_orders_of_a_purchase_are_found_and_add_up() {
    let shop = Shop::new().await;
    let one = split(&shop, "T-1", Some("P-1"), 10).await;
    let two = split(&shop, "T-2", Some("P-1"), 20).await;
    split(&shop, "T-3", Some("P-2"), 30).await;
    split(&shop, "T-4", None, 40).await;
    assert_eq!(shop.order(&one).await["parent_order_no"], "P-1");
    assert_eq!(shop.act(&format!("/v1/orders/{two}/cancel")).await.status, 200);
    for _ in 0..2 {
        // Before they are sorted in, and after.
        let found = shop.get("/v1/orders?parent_order_no=P-1").await.body;
        assert_eq!(numbers(&found["items"]), ["T-2", "T-1"]);
        let family = shop.get(&format!("/v1/orders/{one}/family")).await.body;
        assert_eq!((&family["parent_order_no"], &family["complete"]), (&json!("P-1"), &json!(true)));
        assert_eq!(numbers(&family["orders"]), ["T-1", "T-2"]);
        assert_eq!(family["orders"][1]["status"], "cancelled");
        assert_eq!(family["totals"].as_array().unwrap().len(), 1);
        assert_eq!(
            [&family["totals"][0]["total_amount"], &family["totals"][0]["given_back_amount"]],
            [&fen(30), &fen(20)]
        );
        shop.run_job("fold_moves").await;
    }
    let placed: Vec<OrderPlaced> = told(&shop.test.store).await;
    assert_eq!(placed[0].parent_order_no.as_deref(), Some("P-1"));
}

#[actix_web::test]
async fn a_parent_that_is_an_order_belongs_to_its_family() {
    let shop = Shop::new().await;
    let parent = split(&shop, "P-1", None, 5).await;
    split(&shop, "T-1", Some("P-1"), 10).await;
    let family = shop.get(&format!("/v1/orders/{parent}/family")).await.body;
    assert_eq!(numbers(&family["orders"]), ["P-1", "T-1"]);
    let alone = split(&shop, "T-9", None, 7).await;
    let family = shop.get(&format!("/v1/orders/{alone}/family")).await.body;
    assert_eq!((numbers(&family["orders"]), &family["totals"][0]["total_amount"]), (vec!["T-9"], &fen(7)));
}

#[actix_web::test]
async fn a_family_is_its_channels_and_no_order_is_its_own_parent() {
    let shop = Shop::new().await;
    let one = split(&shop, "T-1", Some("P-1"), 10).await;
    let mut other = order("J-1", json!([{"line_no": 1, "sku": "A", "quantity": 1, "unit_price_decimal": "9"}]));
    (other["channel"], other["currency"], other["parent_order_no"]) = (json!("till"), json!("JPY"), json!("P-1"));
    assert_eq!(shop.post("/v1/orders", other).await.status, 201);
    let path = format!("/v1/orders/{one}/family");
    assert_eq!(numbers(&shop.get(&path).await.body["orders"]), ["T-1"]);
    let claims = web::Claims { channels: Some([code("till")].into()), ..shop.claims("*") };
    assert_eq!(shop.send(&claims, TestRequest::get().uri(&path)).await.status, 403);
    let mut own = order("T-2", json!([line(1, "A", 1, 10)]));
    own["placed_at"] = json!("2026-11-11T00:00:10+08:00");
    own["parent_order_no"] = json!("T-2");
    let refused = shop.post("/v1/orders", own.clone()).await;
    assert_eq!((refused.code(), refused.fields()), ((422, "invalid_field"), vec!["parent_order_no"]));
    // Another parent is another order.
    own["channel_order_no"] = json!("T-1");
    let refused = shop.post("/v1/orders", own).await;
    assert_eq!((refused.code(), refused.fields()), ((409, "contradiction"), vec!["parent_order_no"]));
}
