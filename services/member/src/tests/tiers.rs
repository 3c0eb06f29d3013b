//! Tiers rise at once, fall with what is returned, and end when purchases stop counting.

use contracts::events::{BuyerIdentified, TierChanged};
use testkit::told;

use super::{Shop, only, phone};
use crate::app::review_tiers::review_tiers;

#[tokio::test]
async fn a_completed_purchase_lifts_at_once_and_its_return_brings_back() {
    let shop = Shop::new().await;
    let (member, _) = shop.member_with("13800138000", 1_999).await;
    assert_eq!(shop.tier(member).await, "silver");
    let order = shop.order(&[phone("13800138000")], &[("A", 1, 100)]);
    shop.hears(&order).await.unwrap();
    assert_eq!(shop.tier(member).await, "silver", "what is not final does not count");
    shop.completes(order.order_id).await.unwrap();
    assert_eq!(shop.tier(member).await, "gold");
    shop.refunds(&order, &[(1, 1)]).await.unwrap();
    assert_eq!(shop.tier(member).await, "silver");
    let changes: Vec<TierChanged> = told(&shop.test.store).await;
    let changes: Vec<_> = changes.iter().map(|it| (it.from.as_str(), it.to.as_str())).collect();
    assert_eq!(changes, [("silver", "gold"), ("gold", "silver")]);
}

#[tokio::test]
async fn spending_points_or_losing_them_does_not_touch_the_tier() {
    let shop = Shop::new().await;
    let (member, _) = shop.member_with("13800138000", 10_000).await;
    shop.test.clock.set("2027-11-11T00:00:00+08:00");
    assert_eq!(shop.tier(member).await, "platinum");
}

#[tokio::test]
async fn a_tier_ends_when_its_purchases_stop_counting() {
    let shop = Shop::new().await;
    let (member, _) = shop.member_with("13800138000", 2_000).await;
    assert_eq!(shop.tier(member).await, "gold");
    let desk = shop.desk.clone();
    // Bought on 11 November 2026; it counts through 11 November 2027.
    shop.test.clock.set("2027-11-12T00:00:00+08:00");
    shop.test.store.transact("review", move |tx| review_tiers(tx, &desk, &only(member))).await.unwrap();
    assert_eq!(shop.tier(member).await, "silver");
}

#[tokio::test]
async fn the_answer_to_an_order_names_the_buyers_tier() {
    let shop = Shop::new().await;
    shop.member_with("13800138000", 2_000).await;
    let order = shop.order(&[phone("13800138000")], &[("A", 1, 100)]);
    shop.hears(&order).await.unwrap();
    let answers: Vec<BuyerIdentified> = told(&shop.test.store).await;
    let answer = answers.iter().find(|it| it.order_id == order.order_id).unwrap();
    assert_eq!(answer.tier.as_deref(), Some("gold"));
}
