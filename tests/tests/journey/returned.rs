//! The goods come back in another store: first one unit, then the rest, and everything with them to the minor unit.

use serde_json::{Value, json};
use system_tests::shop::{Shelf, Shop, text, yuan};

use crate::sale::{Sold, accruals, balance, points, tier};

/// Returns everything in two steps.
pub async fn and_everything_goes_back(shop: &Shop, sold: &Sold) {
    one_tee(shop, sold).await;
    the_rest(shop, sold).await;
    nothing_is_left_to_return(shop, sold).await;
}

/// One tee of three: 289.49 / 3 = 96.4967, so 96.50 go back. Points 289 / 3 = 96.33, so 96. The guide's 868 / 3 = 289.33,
/// so 2.89; the store's 434 / 3 = 144.67, so 1.45; the dealer's 579 / 3 = 1.93. 385.99 − 96.50 = 289.49 yuan are left: below gold.
async fn one_tee(shop: &Shop, sold: &Sold) {
    let lines = json!([{ "line_no": 1, "quantity": 1 }]);
    let id = arrived_in_beijing(shop, sold, &lines).await;
    let apart = Shelf { on_hand: 1, reserved: 0, quarantined: 1, available: 0 };
    shop.shelf_once("TEE", "ST-BJ", apart).await;
    let inspected = json!({ "lines": [{ "line_no": 1, "disposition": "restock" }] });
    shop.api.post(&format!("/v1/returns/{id}/inspect"), &inspected).await.ok();
    shop.shelf_once("TEE", "ST-BJ", Shelf::of(1, 0)).await;
    let refunded = refund(shop, &id).await;
    assert_eq!(refunded["refund_amount"], yuan(9_650), "{refunded}");
    assert_eq!(shop.order(&sold.order).await["payment_status"], "partially_refunded");
    points(shop, &sold.member, 289, 0).await;
    tier(shop, &sold.member, "silver", 28_949).await;
    accruals(shop, &sold.order, "payable", [869, 434, 579]).await;
    assert_eq!(balance(shop, "guide-li").await, (0, 869));
}

/// Two tees (192.99) and two caps (96.50) with the freight (12.00): 301.49, which makes 397.99 with the first 96.50.
async fn the_rest(shop: &Shop, sold: &Sold) {
    let lines = json!([{ "line_no": 1, "quantity": 2 }, { "line_no": 2, "quantity": 2 }]);
    let id = arrived_in_beijing(shop, sold, &lines).await;
    let apart = Shelf { on_hand: 2, reserved: 0, quarantined: 2, available: 0 };
    shop.shelf_once("CAP", "ST-BJ", apart).await;
    let inspected = json!({ "lines": [
        { "line_no": 1, "disposition": "restock" },
        { "line_no": 2, "quantity": 1, "disposition": "scrap" },
        { "line_no": 2, "quantity": 1, "disposition": "quarantine" },
    ] });
    shop.api.post(&format!("/v1/returns/{id}/inspect"), &inspected).await.ok();
    shop.shelf_once("TEE", "ST-BJ", Shelf::of(3, 0)).await;
    let apart = Shelf { on_hand: 1, reserved: 0, quarantined: 1, available: 0 };
    shop.shelf_once("CAP", "ST-BJ", apart).await;
    let refunded = refund(shop, &id).await;
    assert_eq!(refunded["refund_amount"], yuan(30_149), "{refunded}");
    assert_eq!(shop.order(&sold.order).await["payment_status"], "refunded");
    points(shop, &sold.member, 0, 0).await;
    tier(shop, &sold.member, "silver", 0).await;
    accruals(shop, &sold.order, "payable", [0, 0, 0]).await;
    for payee in ["guide-li", "ST-HZ", "dealer-zhao"] {
        assert_eq!(balance(shop, payee).await, (0, 0), "{payee}");
    }
}

async fn nothing_is_left_to_return(shop: &Shop, sold: &Sold) {
    let wanted = json!({ "order_id": sold.order, "lines": [{ "line_no": 2, "quantity": 1 }], "location": "ST-BJ",
        "reason": "once more" });
    let refused = shop.api.post("/v1/returns", &wanted).await.problem(422, "invalid_field");
    assert_eq!(refused["errors"][0]["field"], "lines[0].quantity", "{refused}");
    let moved = shop.api.get("/v1/stock/TEE/movements?location=ST-BJ").await.ok();
    let kinds: Vec<&str> =
        moved["items"].as_array().expect("movements").iter().filter_map(|it| it["kind"].as_str()).collect();
    assert!(kinds.iter().all(|kind| *kind == "return"), "{kinds:?}");
}

async fn arrived_in_beijing(shop: &Shop, sold: &Sold, lines: &Value) -> String {
    let wanted = json!({ "order_id": sold.order, "lines": lines, "location": "ST-BJ", "reason": "too small" });
    let id = text(&shop.api.post("/v1/returns", &wanted).await.status(201)["id"]);
    shop.api.post(&format!("/v1/returns/{id}/approve"), &json!({})).await.ok();
    shop.api.post(&format!("/v1/returns/{id}/receive"), &json!({})).await.ok();
    id
}

async fn refund(shop: &Shop, id: &str) -> Value {
    shop.api.post(&format!("/v1/returns/{id}/refund"), &json!({})).await.ok()
}
