//! What orders earn, and what is left when they are undone.

use std::time::Duration;

use bus::ConsumeError;
use contracts::events::PointsChanged;
use kernel::id::OrderId;
use serde_json::json;
use testkit::told;

use super::{Shop, only, phone};
use crate::app::lapse::lapse;
use crate::domain::account::Balances;
use crate::store::rules::RuleKind;

const NOTHING: Balances = Balances { pending: 0, active: 0, held: 0, arrears: 0 };

#[tokio::test]
async fn returning_a_line_takes_exactly_its_points() {
    // Golden vector 5: 40.00 (A 10, B 10, C 20), product points 10/20/0 plus one per yuan; returning C takes 20.
    let shop = Shop::new().await;
    let base = json!({"points": 1, "per": {"amount": 100, "currency": "CNY"}});
    let products = json!([{"sku": "A", "points": 10}, {"sku": "B", "points": 20}]);
    shop.set_rule(RuleKind::EarningRule, json!({"base": base, "products": products})).await;
    let order = shop.order(&[phone("13800138000")], &[("A", 1, 1_000), ("B", 1, 1_000), ("C", 1, 2_000)]);
    shop.hears(&order).await.unwrap();
    let member = shop.buyer_of(&order).await.unwrap();
    assert_eq!(shop.points(member).await, Balances { pending: 70, ..NOTHING });
    shop.completes(order.order_id).await.unwrap();
    assert_eq!(shop.points(member).await, Balances { active: 70, ..NOTHING });
    shop.refunds(&order, &[(3, 1)]).await.unwrap();
    assert_eq!(shop.points(member).await, Balances { active: 50, ..NOTHING });
    shop.is_proved().await;
}

#[tokio::test]
async fn three_units_of_a_hundred_points_go_as_33_34_33() {
    let shop = Shop::new().await;
    let order = shop.order(&[phone("13800138000")], &[("A", 3, 10_000)]);
    shop.hears(&order).await.unwrap();
    let member = shop.buyer_of(&order).await.unwrap();
    shop.cancels(&order, &[(1, 1)]).await.unwrap();
    assert_eq!(shop.points(member).await, Balances { pending: 67, ..NOTHING });
    shop.refunds(&order, &[(1, 1)]).await.unwrap();
    assert_eq!(shop.points(member).await, Balances { pending: 33, ..NOTHING });
    shop.completes(order.order_id).await.unwrap();
    assert_eq!(shop.points(member).await, Balances { active: 33, ..NOTHING });
    shop.refunds(&order, &[(1, 1)]).await.unwrap();
    assert_eq!(shop.points(member).await, NOTHING);
    assert_eq!(shop.number("SELECT sum(amount)::bigint AS number FROM member.tier_entries"), 0);
    shop.is_proved().await;
}

#[tokio::test]
async fn the_same_order_told_twice_earns_once() {
    let shop = Shop::new().await;
    let order = shop.order(&[phone("13800138000")], &[("A", 1, 5_000)]);
    shop.hears(&order).await.unwrap();
    shop.hears(&order).await.unwrap();
    let member = shop.buyer_of(&order).await.unwrap();
    assert_eq!(shop.points(member).await, Balances { pending: 50, ..NOTHING });
    shop.completes(order.order_id).await.unwrap();
    shop.completes(order.order_id).await.unwrap();
    assert_eq!(shop.points(member).await, Balances { active: 50, ..NOTHING });
    assert_eq!(shop.number("SELECT sum(amount)::bigint AS number FROM member.tier_entries"), 5_000);
}

#[tokio::test]
async fn every_change_is_told_as_an_absolute_balance_with_a_growing_version() {
    let shop = Shop::new().await;
    let order = shop.order(&[phone("13800138000")], &[("A", 2, 5_000)]);
    shop.hears(&order).await.unwrap();
    shop.completes(order.order_id).await.unwrap();
    shop.refunds(&order, &[(1, 1)]).await.unwrap();
    let changes: Vec<PointsChanged> = told(&shop.test.store).await;
    let told: Vec<_> = changes.iter().map(|it| (it.version, it.pending, it.active)).collect();
    // One pot moved, then two, then one.
    assert_eq!(told, [(1, 50, 0), (3, 0, 50), (4, 0, 25)]);
}

#[tokio::test]
async fn what_happens_before_the_order_is_known_waits_for_it() {
    let shop = Shop::new().await;
    let order = shop.order(&[phone("13800138000")], &[("A", 1, 5_000)]);
    assert!(matches!(shop.completes(order.order_id).await, Err(ConsumeError::Retry(_))));
    assert!(matches!(shop.refunds(&order, &[(1, 1)]).await, Err(ConsumeError::Retry(_))));
    assert!(matches!(shop.completes(OrderId::at(shop.now())).await, Err(ConsumeError::Retry(_))));
}

#[tokio::test]
async fn more_units_than_were_bought_are_parked_and_change_nothing() {
    let shop = Shop::new().await;
    let order = shop.order(&[phone("13800138000")], &[("A", 2, 5_000)]);
    shop.hears(&order).await.unwrap();
    let member = shop.buyer_of(&order).await.unwrap();
    assert!(matches!(shop.refunds(&order, &[(1, 3)]).await, Err(ConsumeError::Park(_))));
    // A line that is not known may have been added: it is waited for.
    assert!(matches!(shop.refunds(&order, &[(9, 1)]).await, Err(ConsumeError::Retry(_))));
    assert_eq!(shop.points(member).await, Balances { pending: 50, ..NOTHING });
}

#[tokio::test]
async fn one_member_with_many_orders_in_one_batch() {
    let shop = Shop::new().await;
    let orders: Vec<_> = (0..50).map(|_| shop.order(&[phone("13800138000")], &[("A", 1, 1_050)])).collect();
    shop.hears_all(&orders).await.unwrap();
    let member = shop.buyer_of(&orders[0]).await.unwrap();
    // 10.50 earns 10 points, fifty times: rounded down per order.
    assert_eq!(shop.points(member).await, Balances { pending: 500, ..NOTHING });
    shop.is_proved().await;
}

#[tokio::test]
async fn points_lapse_at_the_end_of_the_next_year_in_the_retailers_time_zone() {
    let shop = Shop::new().await;
    let (member, _) = shop.member_with("13800138000", 50).await;
    shop.test.clock.set("2027-12-31T23:59:59+08:00");
    assert_eq!(shop.points(member).await, Balances { active: 50, ..NOTHING });
    shop.test.clock.advance(Duration::from_secs(1));
    // Whoever reads sees them gone at once; the books follow when the job comes by.
    assert_eq!(shop.points(member).await, NOTHING);
    shop.test.store.transact("lapse", move |tx| lapse(tx, &only(member))).await.unwrap();
    assert_eq!(shop.points(member).await, NOTHING);
    let changes: Vec<PointsChanged> = told(&shop.test.store).await;
    assert_eq!(changes.last().map(|it| it.active), Some(0));
    shop.is_proved().await;
}

#[tokio::test]
async fn a_return_after_the_points_lapsed_owes_nothing() {
    let shop = Shop::new().await;
    let (member, order) = shop.member_with("13800138000", 50).await;
    shop.test.clock.set("2028-01-01T00:00:00+08:00");
    shop.refunds(&order, &[(1, 1)]).await.unwrap();
    assert_eq!(shop.points(member).await, NOTHING);
    shop.is_proved().await;
}
