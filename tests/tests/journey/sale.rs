//! A sale: ordered, sourced, refused by one location and delivered by another, with what it earns everyone.

use serde_json::{Value, json};
use system_tests::shop::{NewOrder, Shelf, Shop, places, text, yuan};

use crate::CHANNEL;

/// The sale that the rest of the journey is about.
pub struct Sold {
    /// The order.
    pub order: String,
    /// Who bought.
    pub member: String,
}

/// The buyer's telephone number, as the channel gives it.
const PHONE: &str = "13800138000";

/// 3 × 99.00 + 2 × 49.50 = 396.00, less 10.01, plus 12.00 freight: 397.99.
///
/// The discount is shared 297 : 99, so 750.75 and 250.25; the remainder goes to the larger fraction: 7.51 and 2.50. Paid
/// without freight: 289.49 and 96.50, together 385.99.
pub async fn sold_and_delivered(shop: &Shop) -> Sold {
    let order = NewOrder::new(CHANNEL, "T-1", places::HANGZHOU)
        .line("TEE", 3, 9_900)
        .line("CAP", 2, 4_950)
        .with("discount", yuan(1_001))
        .with("freight", yuan(1_200))
        .with("guide", json!("guide-li"))
        .with("store", json!("ST-HZ"))
        .phone(PHONE);
    let id = shop.place(&order).await;
    let found = shop.order(&id).await;
    assert_eq!(found["payment_status"], "paid");
    assert_eq!(found["totals"]["list_amount"], yuan(39_600));
    assert_eq!(found["totals"]["discount_amount"], yuan(1_001));
    assert_eq!(found["totals"]["freight_amount"], yuan(1_200));
    assert_eq!(found["totals"]["total_amount"], yuan(39_799));
    let paid: Vec<&Value> = found["lines"].as_array().expect("lines").iter().map(|line| &line["paid_amount"]).collect();
    assert_eq!(paid, [&yuan(28_949), &yuan(9_650)]);
    sourced_to_the_nearest_that_has_everything(shop, &id).await;
    sourced_elsewhere_after_a_refusal(shop, &id).await;
    let sold = Sold { member: points_are_pending(shop, &id).await, order: id };
    accruals(shop, &sold.order, "accrued", [1_158, 579, 772]).await;
    delivered(shop, &sold).await;
    accruals(shop, &sold.order, "payable", [1_158, 579, 772]).await;
    explained(shop, &sold.order).await;
    sold
}

/// The store in Hangzhou is nearest but has one cap of two; Shanghai is nearer than Nanjing.
async fn sourced_to_the_nearest_that_has_everything(shop: &Shop, order: &str) {
    shop.offer(order, "WH-SH").await;
    assert_eq!(shop.order(order).await["status"], "sourced");
    shop.shelf_once("TEE", "WH-SH", Shelf::of(10, 3)).await;
    shop.shelf_once("CAP", "WH-SH", Shelf::of(10, 2)).await;
    assert_eq!(shop.shelf("TEE", "ST-HZ").await, Shelf::of(5, 0));
    let why = shop.api.get(&format!("/v1/orders/{order}/sourcing?why_not=ST-HZ")).await.ok();
    assert_eq!((&why["winners"], &why["attempt"]), (&json!(["WH-SH"]), &json!(1)), "{why}");
    assert_eq!(why["runner_up"]["locations"], json!(["ST-NJ"]), "{why}");
    assert_eq!(why["why_not"]["location"], "ST-HZ", "{why}");
    assert_eq!(why["why_not"]["rule"], "stock", "{why}");
    assert_eq!(why["why_not"]["missing"], json!([{ "sku": "CAP", "needed": 2, "available": 1 }]), "{why}");
}

async fn sourced_elsewhere_after_a_refusal(shop: &Shop, order: &str) {
    let refused = text(&shop.offer(order, "WH-SH").await["id"]);
    shop.act(&refused, "reject", json!({ "reason": "damaged" })).await.ok();
    shop.offer(order, "ST-NJ").await;
    shop.shelf_once("TEE", "WH-SH", Shelf::of(10, 0)).await;
    shop.shelf_once("TEE", "ST-NJ", Shelf::of(10, 3)).await;
    shop.shelf_once("CAP", "ST-NJ", Shelf::of(10, 2)).await;
    let why = shop.api.get(&format!("/v1/orders/{order}/sourcing?why_not=WH-SH")).await.ok();
    assert_eq!((&why["winners"], &why["attempt"]), (&json!(["ST-NJ"]), &json!(2)), "{why}");
    assert_eq!(why["why_not"]["rule"], "rejected", "{why}");
}

/// 385.99 yuan are 385 points; shared 289.49 : 96.50 they are 288.75 and 96.25, so 289 and 96.
async fn points_are_pending(shop: &Shop, order: &str) -> String {
    let path = format!("/v1/orders/{order}");
    let found = shop.api.get_until(&path, "the buyer is known", |order| order["member_id"].is_string()).await;
    let member = text(&found["member_id"]);
    points(shop, &member, 0, 385).await;
    tier(shop, &member, "silver", 0).await;
    member
}

async fn delivered(shop: &Shop, sold: &Sold) {
    let offer = text(&shop.offer(&sold.order, "ST-NJ").await["id"]);
    shop.act(&offer, "accept", json!({})).await.ok();
    // What is accepted cannot be refused twice over: a delivery needs a shipment first.
    shop.act(&offer, "deliver", json!({})).await.problem(409, "state_conflict");
    shop.act(&offer, "pick", json!({})).await.ok();
    shop.act(&offer, "pack", json!({})).await.ok();
    let parcels = json!([{ "carrier": "SF", "tracking_no": "SF1000000001" }]);
    shop.act(&offer, "ship", json!({ "parcels": parcels })).await.ok();
    shop.order_once(&sold.order, "shipped").await;
    shop.shelf_once("TEE", "ST-NJ", Shelf::of(7, 0)).await;
    shop.shelf_once("CAP", "ST-NJ", Shelf::of(8, 0)).await;
    shop.act(&offer, "deliver", json!({})).await.ok();
    shop.order_once(&sold.order, "completed").await;
    points(shop, &sold.member, 385, 0).await;
    tier(shop, &sold.member, "gold", 38_599).await;
}

/// Waits until a member's points are these.
pub async fn points(shop: &Shop, member: &str, active: i64, pending: i64) {
    let what = format!("{active} points are active and {pending} pending");
    let path = format!("/v1/members/{member}/points");
    shop.api.get_until(&path, &what, |points| points["active"] == active && points["pending"] == pending).await;
}

/// Waits until a member has this tier, with so much that counts towards it.
pub async fn tier(shop: &Shop, member: &str, code: &str, counting: i64) {
    let path = format!("/v1/members/{member}/tier");
    let what = format!("the tier is {code}, with {counting}");
    let reached = |tier: &Value| tier["tier"] == code && tier["qualifying_amount"] == yuan(counting);
    shop.api.get_until(&path, &what, reached).await;
}

/// Waits until guide, store and dealer have earned so much on an order, all of it in this state.
///
/// Of 385.99 yuan: 3 % are 11.5797, so 11.58; 1.5 % are 5.78985, so 5.79; 2 % are 7.7198, so 7.72.
pub async fn accruals(shop: &Shop, order: &str, status: &str, net: [i64; 3]) {
    let path = format!("/v1/rebate/lines?order_id={order}");
    let earned = |lines: &Value, role: &str| {
        let lines = lines["items"].as_array().into_iter().flatten();
        let ours = lines.filter(|line| line["role"] == role && line["status"] == status);
        ours.filter_map(|line| line["net"]["amount"].as_i64()).sum::<i64>()
    };
    let what = format!("guide, store and dealer have {net:?} {status}");
    let roles = ["guide", "store", "dealer"];
    shop.api.get_until(&path, &what, |lines| roles.map(|role| earned(lines, role)) == net).await;
}

/// What a payee has accrued and what is owed to it.
pub async fn balance(shop: &Shop, payee: &str) -> (i64, i64) {
    let found = shop.api.get(&format!("/v1/rebate/balances?payee={payee}")).await.ok();
    let amount = |account: &str| found["items"][0][account]["amount"].as_i64().unwrap_or_default();
    (amount("accrued"), amount("payable"))
}

/// Of the guide's 11.58 the tees earn 8.68 (868.49 of 1158) and the caps 2.90: the larger fraction gets the remainder.
async fn explained(shop: &Shop, order: &str) {
    assert_eq!(balance(shop, "guide-li").await, (0, 1_158));
    assert_eq!(balance(shop, "ST-HZ").await, (0, 579));
    assert_eq!(balance(shop, "dealer-zhao").await, (0, 772));
    let lines = shop.api.get(&format!("/v1/rebate/lines?order_id={order}&payee=guide-li")).await.ok();
    let amounts: Vec<(i64, i64)> = lines["items"]
        .as_array()
        .expect("lines")
        .iter()
        .map(|line| {
            (line["line_no"].as_i64().expect("a number"), line["amount"]["amount"].as_i64().expect("an amount"))
        })
        .collect();
    assert_eq!(amounts, [(1, 868), (2, 290)]);
    let explanation = shop.api.get(&format!("/v1/rebate/lines/{}/explain", text(&lines["items"][0]["id"]))).await.ok();
    assert_eq!(explanation["matches"], true, "{explanation}");
    assert_eq!(explanation["policy"]["code"], "autumn");
    assert_eq!(explanation["order"]["lines"][0]["paid"], yuan(28_949));
}

/// 2 × 30.00: 60 points and accruals that go as they came.
pub async fn cancelled_before_it_ships(shop: &Shop) {
    let order = NewOrder::new(CHANNEL, "T-2", places::HANGZHOU)
        .line("MUG", 2, 3_000)
        .with("guide", json!("guide-li"))
        .with("store", json!("ST-HZ"))
        .phone("13900139000");
    let id = shop.place(&order).await;
    shop.offer(&id, "ST-HZ").await;
    shop.shelf_once("MUG", "ST-HZ", Shelf::of(4, 2)).await;
    let found =
        shop.api.get_until(&format!("/v1/orders/{id}"), "the buyer is known", |it| it["member_id"].is_string()).await;
    let member = text(&found["member_id"]);
    points(shop, &member, 0, 60).await;
    accruals(shop, &id, "accrued", [180, 90, 120]).await;
    shop.api.post(&format!("/v1/orders/{id}/cancel"), &json!({ "reason": "changed their mind" })).await.ok();
    let cancelled = shop.order_once(&id, "cancelled").await;
    assert_eq!(cancelled["payment_status"], "refunded");
    shop.shelf_once("MUG", "ST-HZ", Shelf::of(4, 0)).await;
    points(shop, &member, 0, 0).await;
    accruals(shop, &id, "accrued", [0, 0, 0]).await;
    assert_eq!(balance(shop, "guide-li").await, (0, 0));
    // What is cancelled stays so.
    shop.api
        .post(&format!("/v1/orders/{id}/cancel"), &json!({ "reason": "again" }))
        .await
        .problem(409, "state_conflict");
}
