//! The tax in what lines cost.

use contracts::events::OrderPlaced;
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Shop, fen, line, order};

/// A for 113.00 at 13 %, B for 1.00 at 6 %, and a coupon of 11.40 for all.
///
/// 1140 over 11300:100 → 1130 and 10. Paid 10170 and 90. Tax 10170 × 0.13 ÷ 1.13 = 1170, 90 × 0.06 ÷ 1.06 = 5.094 → 5.
fn with_rates(number: &str) -> Value {
    let (mut one, mut two) = (line(1, "A", 1, 11_300), line(2, "B", 1, 100));
    (one["tax_rate"], two["tax_rate"]) = (json!("0.13"), json!("0.060"));
    let mut body = order(number, json!([one, two]));
    body["coupons"] = json!([{"code": "C", "amount": fen(1140)}]);
    body["prices_include_tax"] = json!(true);
    body
}

#[actix_web::test]
async fn the_tax_of_a_line_is_a_part_of_what_is_paid_for_it() {
    let shop = Shop::new().await;
    let answer = shop.post("/v1/orders", with_rates("T-1")).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let lines = &answer.body["lines"];
    assert_eq!((&lines[0]["tax_amount"], &lines[1]["tax_amount"]), (&fen(1170), &fen(5)));
    assert_eq!((&lines[0]["tax_rate"], &lines[1]["tax_rate"]), (&json!("0.13"), &json!("0.06")));
    let totals = &answer.body["totals"];
    assert_eq!((&totals["tax_amount"], &totals["total_amount"]), (&fen(1175), &fen(10_260)));
    let mut read = shop.order(&answer.id()).await;
    read.as_object_mut().unwrap().remove("history");
    assert_eq!(read, answer.body);
    let placed: Vec<OrderPlaced> = told(&shop.test.store).await;
    assert_eq!(placed[0].lines.iter().map(|line| line.tax_amount).collect::<Vec<_>>(), [Some(1170), Some(5)]);
    // Another spelling of a rate is the same rate; another rate is not.
    let mut same = with_rates("T-1");
    same["lines"][1]["tax_rate"] = json!("0.06");
    same.as_object_mut().unwrap().remove("prices_include_tax");
    assert_eq!(shop.post("/v1/orders", same.clone()).await.status, 200);
    same["lines"][1]["tax_rate"] = json!("0.07");
    assert_eq!(shop.post("/v1/orders", same).await.fields(), ["tax"]);
}

#[actix_web::test]
async fn a_tax_of_the_order_is_shared_out_over_its_lines() {
    let shop = Shop::new().await;
    let mut body = order("T-1", json!([line(1, "A", 2, 1000), line(2, "B", 1, 1000)]));
    body["tax"] = fen(100);
    // 100 over 2000:1000 → 66.67 and 33.33 → 67 and 33.
    let answer = shop.post("/v1/orders", body).await;
    let lines = &answer.body["lines"];
    assert_eq!((&lines[0]["tax_amount"], &lines[1]["tax_amount"]), (&fen(67), &fen(33)), "{}", answer.body);
    assert_eq!((&answer.body["totals"]["tax_amount"], &answer.body["totals"]["total_amount"]), (&fen(100), &fen(3000)));
    let plain = shop.placed("T-2", json!([line(1, "A", 1, 1000)])).await;
    assert_eq!(shop.order(&plain).await["totals"].get("tax_amount"), None);
}

#[actix_web::test]
async fn taxes_that_cannot_be_are_named() {
    let shop = Shop::new().await;
    let cases = [
        ("", "tax", fen(1), "tax", (422, "invalid_field")),
        ("/lines/0", "tax_rate", json!("1.5"), "lines[0].tax_rate", (422, "invalid_field")),
        ("/lines/0", "tax_rate", json!("13%"), "lines[0].tax_rate", (422, "invalid_field")),
        ("/lines/1", "tax_amount", fen(1), "lines[1].tax_amount", (422, "invalid_field")),
    ];
    for (place, name, value, field, code) in cases {
        let mut body = with_rates("T-1");
        body.pointer_mut(place).unwrap()[name] = value;
        let answer = shop.post("/v1/orders", body).await;
        assert_eq!((answer.code(), answer.fields()), (code, vec![field]), "{}", answer.body);
    }
    let mut own = line(1, "A", 1, 1000);
    own["tax_amount"] = fen(1001);
    let answer = shop.post("/v1/orders", order("T-1", json!([own]))).await;
    assert_eq!((answer.code(), answer.fields()), ((422, "amount_mismatch"), vec!["lines[0].tax_amount"]));
    let mut body = order("T-1", json!([line(1, "A", 1, 1000)]));
    body["tax"] = fen(1001);
    let answer = shop.post("/v1/orders", body).await;
    assert_eq!((answer.code(), answer.fields()), ((422, "amount_mismatch"), vec!["tax"]));
}

/// Two mugs at 19.99 and a spoon at 4.00 for 8.875 %, a discount of 1.98 and a freight of 5.00.
///
/// List 3998 and 400. 198 over 3998:400 → 179.99 and 18.01 → 180 and 18: 3818 and 382. Tax 3818 × 0.08875 = 338.85 → 339,
/// 382 × 0.08875 = 33.90 → 34. Paid 4157 and 416, and the freight: 5073.
fn with_tax_on_top(number: &str) -> Value {
    let (mut one, mut two) = (line(1, "A", 2, 1999), line(2, "B", 1, 400));
    (one["tax_rate"], two["tax_rate"]) = (json!("0.08875"), json!("0.08875"));
    let mut body = order(number, json!([one, two]));
    (body["discount"], body["freight"], body["prices_include_tax"]) = (fen(198), fen(500), json!(false));
    body["payments"] = json!([{"method": "card", "amount": fen(5073)}]);
    body
}

#[actix_web::test]
async fn a_tax_on_top_of_prices_is_paid_and_goes_back_with_its_units() {
    let shop = Shop::new().await;
    let answer = shop.post("/v1/orders", with_tax_on_top("T-1")).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    for (place, net, tax, paid) in [(0, 3818, 339, 4157), (1, 382, 34, 416)] {
        let line = &answer.body["lines"][place];
        let amount = |field: &str| line[field]["amount"].as_i64().unwrap();
        assert_eq!(amount("list_amount") - amount("discount_amount"), net);
        assert_eq!((amount("tax_amount"), amount("added_tax_amount"), amount("paid_amount")), (tax, tax, paid));
    }
    let totals = &answer.body["totals"];
    assert_eq!((&totals["added_tax_amount"], &totals["total_amount"]), (&fen(373), &fen(5073)));
    assert_eq!(shop.post("/v1/orders", with_tax_on_top("T-1")).await.status, 200);
    // Half of what was paid for the mugs, tax and all: 2078.5 → 2079.
    let cancel = json!({"lines": [{"line_no": 1, "quantity": 1}]});
    let cancelled = shop.post(&format!("/v1/orders/{}/cancel", answer.id()), cancel).await;
    assert_eq!(cancelled.body["totals"]["refunded_amount"], fen(2079));
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn a_tax_of_the_order_on_top_is_shared_out_over_what_lines_cost() {
    let shop = Shop::new().await;
    let mut body = order("T-1", json!([line(1, "A", 2, 1000), line(2, "B", 1, 1000)]));
    (body["tax"], body["prices_include_tax"]) = (fen(100), json!(false));
    let answer = shop.post("/v1/orders", body).await;
    let paid = |place: usize| &answer.body["lines"][place]["paid_amount"];
    assert_eq!((paid(0), paid(1)), (&fen(2067), &fen(1033)), "{}", answer.body);
    assert_eq!(answer.body["totals"]["total_amount"], fen(3100));
    // Nothing costs no tax.
    let mut body = order("T-2", json!([line(1, "A", 2, 0)]));
    (body["tax"], body["prices_include_tax"]) = (fen(1), json!(false));
    let answer = shop.post("/v1/orders", body).await;
    assert_eq!((answer.code(), answer.fields()), ((422, "amount_mismatch"), vec!["tax"]));
}
