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
        ("", "prices_include_tax", json!(false), "prices_include_tax", (422, "invalid_field")),
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
