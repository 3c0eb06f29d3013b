//! Orders that have stayed too long where they are.

use std::time::Duration;

use actix_web::test::TestRequest;
use serde_json::{Value, json};

use crate::support::{Shop, answered, line, order};

/// A minute for an answer, an hour for somebody to take an order on; nothing else has a longest stay.
const SHORT: [(&str, &str); 6] = [
    ("LONGEST_STAY__SOURCING", "60"),
    ("LONGEST_STAY__SOURCED", "3600"),
    ("LONGEST_STAY__BACKORDERED", "0"),
    ("LONGEST_STAY__UNFILLABLE", "0"),
    ("LONGEST_STAY__FULFILLING", "0"),
    ("LONGEST_STAY__SHIPPED", "0"),
];

/// The numbers that a list names, in order.
async fn stuck(shop: &Shop, query: &str) -> Vec<String> {
    let answer = shop.get(&format!("/v1/orders/stuck{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    numbers(&answer.body)
}

fn numbers(body: &Value) -> Vec<String> {
    let items = body["items"].as_array().unwrap().iter();
    items.map(|it| it["channel_order_no"].as_str().unwrap().to_owned()).collect()
}

async fn after(shop: &Shop, seconds: u64) {
    shop.run_job("fold_moves").await;
    shop.test.clock.advance(Duration::from_secs(seconds));
}

#[actix_web::test]
async fn an_order_is_listed_from_the_end_of_its_longest_stay_until_it_moves_on() {
    let shop = Shop::with(&SHORT).await;
    let id = shop.placed("T-1", json!([line(1, "A", 1, 1000)])).await;
    after(&shop, 59).await;
    assert!(stuck(&shop, "").await.is_empty());
    after(&shop, 1).await;
    let answer = shop.get("/v1/orders/stuck").await.body;
    let item = &answer["items"][0];
    let order = shop.order(&id).await;
    assert_eq!(
        item,
        &json!({"order_id": id, "channel": "tmall", "channel_order_no": "T-1", "status": "sourcing", "held": false,
            "since": order["created_at"], "longest_stay_seconds": 60})
    );
    // At once, also before it is sorted in anew.
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 1)])).await;
    assert!(stuck(&shop, "").await.is_empty());
    after(&shop, 3600).await;
    assert_eq!(shop.get("/v1/orders/stuck").await.body["items"][0]["status"], "sourced");
    let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
    for step in ["accept", "ship"] {
        shop.act(&format!("/v1/fulfilments/{fulfilment}/{step}")).await;
        after(&shop, 365 * 24 * 3600).await;
        assert!(stuck(&shop, "").await.is_empty(), "{step} has no longest stay");
    }
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".order_stays"), 1);
    shop.act(&format!("/v1/fulfilments/{fulfilment}/deliver")).await;
    shop.run_job("fold_moves").await;
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".order_stays"), 0, "what has arrived is not timed");
}

#[actix_web::test]
async fn a_stay_begins_with_the_last_change_of_state_and_with_no_other() {
    let shop = Shop::with(&SHORT).await;
    let id = shop.sourced("T-1", json!([line(1, "A", 2, 1000)]), &[(1, "A", "W1", 2)]).await;
    after(&shop, 3000).await;
    // Half of it is cancelled: its money moves, the order does not.
    let half = json!({"lines": [{"line_no": 1, "quantity": 1}], "reason": "fewer"});
    assert_eq!(shop.post(&format!("/v1/orders/{id}/cancel"), half).await.status, 200);
    after(&shop, 600).await;
    assert_eq!(stuck(&shop, "").await, ["T-1"]);
    // Rejected and sourced again before anybody looks: it stands where it stood, since then.
    let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
    shop.post(&format!("/v1/fulfilments/{fulfilment}/reject"), json!({"reason": "broken"})).await;
    shop.hear(&answered(&id, 2, &[(1, "A", "W2", 1)])).await;
    after(&shop, 3599).await;
    assert!(stuck(&shop, "").await.is_empty());
    after(&shop, 1).await;
    assert_eq!(stuck(&shop, "").await, ["T-1"]);
}

#[actix_web::test]
async fn lists_are_narrowed_and_go_page_by_page_and_callers_see_their_channels() {
    let shop = Shop::with(&SHORT).await;
    shop.sourced("T-1", json!([line(1, "A", 1, 1000)]), &[(1, "A", "W1", 1)]).await;
    after(&shop, 1).await;
    shop.placed("T-2", json!([line(1, "A", 1, 1000)])).await;
    let mut yen = order("J-1", json!([{"line_no": 1, "sku": "A", "quantity": 1, "unit_price_decimal": "99"}]));
    (yen["channel"], yen["currency"]) = (json!("till"), json!("JPY"));
    after(&shop, 1).await;
    shop.post("/v1/orders", yen).await;
    after(&shop, 3600).await;
    assert_eq!(stuck(&shop, "").await, ["T-1", "T-2", "J-1"]);
    assert_eq!(stuck(&shop, "?status=sourcing").await, ["T-2", "J-1"]);
    assert_eq!(stuck(&shop, "?channel=tmall").await, ["T-1", "T-2"]);
    assert_eq!(stuck(&shop, "?status=sourcing,sourced&channel=till").await, ["J-1"]);
    let (mut seen, mut query) = (Vec::new(), "?limit=1".to_owned());
    for _ in 0..3 {
        let page = shop.get(&format!("/v1/orders/stuck{query}")).await.body;
        seen.extend(numbers(&page));
        query = format!("?limit=1&cursor={}", page["next_cursor"].as_str().unwrap_or_default());
    }
    assert_eq!(
        (seen, query.as_str()),
        (vec!["T-1".to_owned(), "T-2".to_owned(), "J-1".to_owned()], "?limit=1&cursor=")
    );
    let mut bound = shop.claims("order:read");
    bound.channels = Some(["till".parse().unwrap()].into());
    let theirs = shop.send(&bound, TestRequest::get().uri("/v1/orders/stuck")).await;
    assert_eq!(numbers(&theirs.body), ["J-1"]);
    let none = shop.send(&shop.claims("order:write"), TestRequest::get().uri("/v1/orders/stuck")).await;
    assert_eq!(none.status, 403);
    let unknown = shop.get("/v1/orders/stuck?status=lost").await;
    assert_eq!((unknown.status, unknown.fields()), (400, vec!["status"]));
}
