//! What a till sold, told late and in the wrong order: points and rebates, and both gone again when it is undone.

use serde_json::{Value, json};
use system_tests::shop::{Shelf, Shop, text, yuan};

use crate::CHANNEL;
use crate::sale::{accruals, balance, points, tier};

fn written(sequence: i64, kind: &str, fields: Value) -> Value {
    let mut body = json!({
        "store": "ST-HZ", "terminal": "T1", "business_date": "2026-11-11", "sequence": sequence, "kind": kind,
        "occurred_at": format!("2026-11-11T10:0{sequence}:00+08:00"), "channel": CHANNEL, "currency": "CNY",
        "guide": "guide-li",
    });
    if let (Some(body), Value::Object(fields)) = (body.as_object_mut(), fields) {
        body.extend(fields);
    }
    body
}

async fn sent(shop: &Shop, transaction: Value) -> String {
    let answer = shop.api.post("/v1/pos/transactions", &json!([transaction])).await.ok();
    assert_eq!(answer[0]["result"], "new", "{answer}");
    text(&answer[0]["id"])
}

/// 2 × 50.00 less 11.00 are 89.00: 89 points; 3 % are 2.67, 1.5 % are 1.335, so 1.34, and 2 % are 1.78.
///
/// One of the two back takes 44.5 points, so 45, and 1.335, 0.67 and 0.89: 44 points, 1.33, 0.67 and 0.89 are left.
pub async fn sells_and_takes_it_back(shop: &Shop) {
    let phone = json!([{ "type": "phone", "value": "13700137000" }]);
    let member = text(&shop.api.post("/v1/members", &json!({ "identities": phone })).await.status(201)["id"]);
    let line = |quantity: i64, off: i64| json!({ "line_no": 1, "sku": "PIN", "quantity": quantity, "unit_price": yuan(5_000), "discount": yuan(off) });
    let mut one = line(-1, 550);
    one["original"] = json!({ "business_date": "2026-11-11", "sequence": 1, "line_no": 1 });
    let cash = |amount: i64| json!([{ "method": "cash", "amount": yuan(amount) }]);
    sent(shop, written(2, "return", json!({ "lines": [one], "tenders": cash(-4_450) }))).await;
    shop.shelf_once("PIN", "ST-HZ", Shelf::of(6, 0)).await;
    let buyer = json!({ "identities": phone });
    let sale = json!({ "buyer": buyer, "lines": [line(2, 1_100)], "tenders": cash(8_900) });
    let sale = sent(shop, written(1, "sale", sale)).await;
    shop.shelf_once("PIN", "ST-HZ", Shelf::of(4, 0)).await;
    points(shop, &member, 44, 0).await;
    tier(shop, &member, "silver", 4_450).await;
    accruals(shop, &sale, "payable", [133, 67, 89]).await;
    assert_eq!(balance(shop, "guide-li").await, (0, 133));

    let undo = |sequence: i64| json!({ "voids": { "business_date": "2026-11-11", "sequence": sequence } });
    sent(shop, written(3, "void", undo(2))).await;
    points(shop, &member, 89, 0).await;
    accruals(shop, &sale, "payable", [267, 134, 178]).await;
    sent(shop, written(4, "void", undo(1))).await;
    points(shop, &member, 0, 0).await;
    tier(shop, &member, "silver", 0).await;
    accruals(shop, &sale, "reversed", [0, 0, 0]).await;
    accruals(shop, &sale, "payable", [0, 0, 0]).await;
    assert_eq!(balance(shop, "guide-li").await, (0, 0));
    shop.shelf_once("PIN", "ST-HZ", Shelf::of(5, 0)).await;
}
