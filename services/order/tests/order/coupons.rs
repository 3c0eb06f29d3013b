//! Coupons of orders: what they take off which lines, and what goes back with units.

use contracts::events::{CouponFunder, OrderPlaced};
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Shop, fen, line, order};

/// A 2 × 10.00 and B 1 × 10.00, 3.00 off the order, a coupon of 1.00 for all and one of 0.50 of the platform's for B.
///
/// List 2000 and 1000. The discount of 300 over 2000:1000 → 200 and 100: 1800 and 900 left. ALL: 100 over 1800:900 →
/// 66.67 and 33.33 → 67 and 33: 1733 and 867 left. B50: 50 off B: 817. The buyer pays 2550.
fn with_coupons(number: &str) -> Value {
    let mut body = order(number, json!([line(1, "A", 2, 1000), line(2, "B", 1, 1000)]));
    body["discount"] = fen(300);
    body["coupons"] = json!([
        {"code": "ALL", "amount": fen(100)},
        {"code": "B50", "amount": fen(50), "funded_by": "platform", "lines": [2]},
    ]);
    body["payments"] = json!([{"method": "alipay", "amount": fen(2550)}]);
    body
}

#[actix_web::test]
async fn coupons_are_shared_out_over_their_lines() {
    let shop = Shop::new().await;
    let answer = shop.post("/v1/orders", with_coupons("T-1")).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let lines = &answer.body["lines"];
    assert_eq!(
        [&lines[0]["discount_amount"], &lines[0]["coupon_amount"], &lines[0]["paid_amount"]],
        [&fen(267), &fen(67), &fen(1733)]
    );
    assert_eq!(
        [&lines[1]["discount_amount"], &lines[1]["coupon_amount"], &lines[1]["paid_amount"]],
        [&fen(183), &fen(83), &fen(817)]
    );
    assert_eq!(lines[1]["coupons"], json!([{"code": "ALL", "amount": fen(33)}, {"code": "B50", "amount": fen(50)}]));
    assert_eq!(answer.body["totals"]["discount_amount"], fen(450));
    assert_eq!(answer.body["totals"]["total_amount"], fen(2550));
    assert_eq!(answer.body["coupons"][1]["funded_by"], "platform");
    let mut read = shop.order(&answer.id()).await;
    read.as_object_mut().unwrap().remove("history");
    assert_eq!(read, answer.body);
    let placed: Vec<OrderPlaced> = told(&shop.test.store).await;
    let coupons: Vec<_> = placed[0].coupons.iter().map(|it| (it.code.as_str(), it.amount, it.funded_by)).collect();
    assert_eq!(coupons, [("ALL", 100, CouponFunder::Merchant), ("B50", 50, CouponFunder::Platform)]);
    assert_eq!(placed[0].lines[1].coupons.iter().map(|it| it.amount).collect::<Vec<_>>(), [33, 50]);
}

#[actix_web::test]
async fn what_goes_back_is_what_was_paid_after_coupons() {
    let shop = Shop::new().await;
    let id = shop.post("/v1/orders", with_coupons("T-1")).await.id();
    // One of two A: 1733 ÷ 2 = 866.5 → 867.
    let one = json!({"lines": [{"line_no": 1, "quantity": 1}]});
    let answer = shop.post(&format!("/v1/orders/{id}/cancel"), one).await;
    assert_eq!(answer.body["totals"]["given_back_amount"], fen(867), "{}", answer.body);
    let answer = shop.act(&format!("/v1/orders/{id}/cancel")).await;
    assert_eq!(answer.body["totals"]["given_back_amount"], fen(2550), "{}", answer.body);
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn coupons_that_cannot_be_are_named() {
    let shop = Shop::new().await;
    let cases = [
        ("/1/amount", fen(901), "coupons[1].amount", (422, "amount_mismatch")),
        ("/0/code", json!(" "), "coupons[0].code", (422, "invalid_field")),
        ("/0/amount", json!({"amount": 1, "currency": "USD"}), "coupons[0].amount", (422, "invalid_field")),
        ("/1/lines", json!([3]), "coupons[1].lines", (422, "invalid_field")),
        ("/1/lines", json!([2, 2]), "coupons[1].lines", (422, "invalid_field")),
        ("/1/lines", json!([]), "coupons[1].lines", (422, "invalid_field")),
        ("", json!(vec![json!({"code": "A", "amount": fen(1)}); 21]), "coupons", (422, "invalid_field")),
    ];
    for (pointer, value, field, code) in cases {
        let mut body = with_coupons("T-1");
        *body["coupons"].pointer_mut(pointer).unwrap() = value;
        let answer = shop.post("/v1/orders", body).await;
        assert_eq!((answer.code(), answer.fields()), (code, vec![field]), "{pointer}");
    }
}

#[actix_web::test]
async fn other_coupons_are_a_contradiction_unless_units_are_fewer() {
    let shop = Shop::new().await;
    let id = shop.post("/v1/orders", with_coupons("T-1")).await.id();
    let mut other = with_coupons("T-1");
    other["channel_updated_at"] = json!("2026-11-12T00:00:00Z");
    other["coupons"].as_array_mut().unwrap().pop();
    other["payments"] = json!([{"method": "alipay", "amount": fen(2600)}]);
    let refused = shop.post("/v1/orders", other.clone()).await;
    assert_eq!((refused.code(), refused.fields()), ((409, "contradiction"), vec!["payments", "coupons"]));
    // Without B its coupon is not there any more either; what goes back is B's share: 817.
    other["lines"].as_array_mut().unwrap().pop();
    other["payments"] = json!([{"method": "alipay", "amount": fen(1600)}]);
    let updated = shop.post("/v1/orders", other).await;
    assert_eq!((updated.status, updated.id()), (200, id), "{}", updated.body);
    assert_eq!(updated.body["totals"]["given_back_amount"], fen(817));
}
