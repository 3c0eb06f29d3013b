//! Lists, filters and exact totals.

use contracts::events::BuyerIdentified;
use kernel::id::MemberId;
use serde_json::{Value, json};

use crate::support::{Shop, fen, line, order};

fn numbers(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|it| it["channel_order_no"].as_str().unwrap()).collect()
}

#[actix_web::test]
async fn orders_are_listed_newest_first_and_page_by_page() {
    let shop = Shop::new().await;
    for day in 1..=5 {
        let mut body = order(&format!("T-{day}"), json!([line(1, "A", 1, 1000)]));
        body["placed_at"] = json!(format!("2026-11-0{day}T12:00:00+08:00"));
        assert_eq!(shop.post("/v1/orders", body).await.status, 201);
    }
    let first = shop.get("/v1/orders?limit=2").await.body;
    assert_eq!(numbers(&first), ["T-5", "T-4"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = shop.get(&format!("/v1/orders?limit=2&cursor={cursor}")).await.body;
    assert_eq!(numbers(&second), ["T-3", "T-2"]);
    let window = "/v1/orders?from=2026-11-02T00:00:00%2B08:00&until=2026-11-04T12:00:00%2B08:00";
    assert_eq!(numbers(&shop.get(window).await.body), ["T-3", "T-2"]);
    assert_eq!(numbers(&shop.get("/v1/orders?channel=tmall&channel_order_no=T-4").await.body), ["T-4"]);
    assert_eq!(shop.get("/v1/orders?status=shipped").await.body["items"], json!([]));
    assert_eq!(shop.get("/v1/orders?channel_order_no=%00").await.fields(), ["channel_order_no"]);
    for bad in ["limit=0", "limit=501", "cursor=x", "status=lost", "colour=red", "from=yesterday"] {
        let answer = shop.get(&format!("/v1/orders?{bad}")).await;
        assert_eq!((answer.status, answer.fields().len()), (400, 1), "{bad}: {}", answer.body);
    }
}

#[actix_web::test]
async fn the_member_appears_on_the_order_without_a_new_version() {
    let shop = Shop::new().await;
    let id = shop.placed("T-1", json!([line(1, "A", 1, 1000)])).await;
    let other = shop.placed("T-2", json!([line(1, "A", 1, 1000)])).await;
    let member = MemberId::at(shop.test.store.now());
    let identified =
        |order: &str, member_id| BuyerIdentified { order_id: order.parse().unwrap(), member_id, tier: None };
    shop.hear(&identified(&id, Some(member))).await;
    shop.hear(&identified(&other, None)).await;
    let order = shop.order(&id).await;
    assert_eq!((&order["member_id"], &order["version"]), (&json!(member.to_string()), &json!(1)));
    assert!(shop.order(&other).await.get("member_id").is_none());
    assert_eq!(numbers(&shop.get(&format!("/v1/orders?member={member}")).await.body), ["T-1"]);
}

#[actix_web::test]
async fn totals_are_exact_to_the_last_decimal() {
    let shop = Shop::new().await;
    let decimal = |line_no: i32, sku: &str, quantity: i64, price: &str| json!({"line_no": line_no, "sku": sku, "quantity": quantity, "unit_price_decimal": price});
    // 3 × 0.001 + 2 × 2.555 = 5.113; the free line does not count where only priced ones do.
    shop.placed("T-1", json!([decimal(1, "A", 3, "0.001"), decimal(2, "B", 2, "2.555"), decimal(3, "A", 7, "0")]))
        .await;
    let mut anonymous = order("T-2", json!([decimal(1, "A", 1, "1000000.00")]));
    anonymous["buyer"] = json!({});
    shop.post("/v1/orders", anonymous).await;
    let mut yen = order("T-3", json!([decimal(1, "A", 1, "99.5")]));
    (yen["channel"], yen["currency"]) = (json!("till"), json!("JPY"));
    shop.post("/v1/orders", yen).await;
    shop.post(
        "/v1/returns",
        json!({"channel": "tmall", "reason": "r", "buyer": {"identities": [{"type": "phone", "value": "9"}]},
        "lines": [{"sku": "A", "quantity": 2, "unit_price_decimal": "0.001", "refund_amount": fen(1)}]}),
    )
    .await;
    let all = shop.get("/v1/orders/summary").await.body;
    let counts = |part: &Value| {
        ["count", "lines", "buyers", "members", "skus", "units"].map(|name| part[name].as_i64().unwrap())
    };
    assert_eq!(counts(&all["orders"]), [3, 5, 1, 0, 2, 14]);
    assert_eq!(all["orders"]["amounts"][0]["list_revenue"], "1000005.113");
    assert_eq!(all["orders"]["amounts"][1]["list_revenue"], "99.5");
    assert_eq!(all["orders"]["amounts"][1]["list_amount"], 100);
    let clean = shop.get("/v1/orders/summary?channel=tmall&identified=true&priced=true").await.body;
    assert_eq!(counts(&clean["orders"]), [1, 2, 1, 0, 2, 5]);
    assert_eq!(clean["orders"]["amounts"][0]["list_revenue"], "5.113");
    // 3 × 0.001 rounds to 0 fen, 2 × 2.555 to 511.
    assert_eq!(clean["orders"]["amounts"][0]["list_amount"], 511);
    assert_eq!(counts(&clean["returns"]), [1, 1, 1, 0, 1, 2]);
    assert_eq!(clean["returns"]["amounts"][0]["list_revenue"], "0.002");
    assert_eq!(clean["returns"]["amounts"][0]["paid_amount"], 1);
    // Both together: 14 − 2 units, 1,000,005.113 − 0.002 yuan, the buyers of either; yen apart.
    assert_eq!(counts(&all["net"]), [4, 6, 2, 0, 2, 12]);
    assert_eq!(all["net"]["amounts"][0]["list_revenue"], "1000005.111");
    assert_eq!(all["net"]["amounts"][1]["list_revenue"], "99.5");
    assert_eq!(all["net"]["first_at"], all["orders"]["first_at"]);
    assert_eq!(all["net"]["last_at"], all["returns"]["last_at"]);
    assert_eq!(shop.get("/v1/orders/summary?until=2000-01-01T00:00:00Z").await.body["orders"]["amounts"], json!([]));
}
