//! Orders that name another guide or store later: who earned before keeps nothing, who is named now earns the same way.

use std::time::Duration;

use bus::ConsumeError;
use contracts::events::{Credited, OrderChanged, OrderPlaced, RebateAccrued, RebateReversed};
use futures_util::future::join_all;
use rebate::domain::party::PayeeKind;
use testkit::told;

use crate::world::{World, amounts, at, completed, identified, order, refund};

/// The order names these from this version on.
fn changed(order: &OrderPlaced, version: i64, guide: Option<&str>, store: Option<&str>) -> OrderChanged {
    let code = |name: &str| name.parse().unwrap();
    OrderChanged {
        order_id: order.order_id,
        version,
        fields: vec!["guide".to_owned()],
        destination: None,
        credited: Some(Credited { guide: guide.map(code), store: store.map(code) }),
        added: None,
        changed_at: at("2026-12-05T00:00:00+08:00"),
    }
}

async fn world() -> World {
    let world = World::new().await;
    world.payee("G2", PayeeKind::Guide).await;
    world.payee("S2", PayeeKind::Store).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn another_guide_earns_what_is_left_and_the_first_nothing() {
    let world = world().await;
    // 3 % of 133.33 are 4.00, of which 3.00 on the first line; one of its three units comes back, which takes 1.00.
    let order = world.sold(&[(3, 10_000), (1, 3_333)]).await;
    world.hear(&refund(&order, &[(1, 1)])).await.unwrap();
    for _ in 0..2 {
        world.hear(&changed(&order, 2, Some("G2"), Some("STORE"))).await.unwrap();
        assert_eq!(world.account("accrued").await, amounts(&[("G2", 300), ("STORE", 500), ("DEALER", 200)]));
    }
    world.everything_agrees().await;
    let accrued: i64 = told::<RebateAccrued>(world.store()).await.iter().map(|it| it.amount.amount).sum();
    let reversed: i64 = told::<RebateReversed>(world.store()).await.iter().map(|it| it.amount.amount).sum();
    assert_eq!(accrued - reversed, 300 + 500 + 200);
    world.hear(&completed(&order)).await.unwrap();
    assert_eq!(world.account("payable").await, amounts(&[("G2", 300), ("STORE", 500), ("DEALER", 200)]));
    world.hear(&refund(&order, &[(1, 2), (2, 1)])).await.unwrap();
    for account in ["expense", "accrued", "payable"] {
        assert_eq!(world.account(account).await, amounts(&[]), "{account}");
    }
    world.everything_agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_payable_already_is_corrected_on_the_day_of_the_change() {
    let world = world().await;
    let order = world.sold(&[(2, 10_000)]).await;
    world.hear(&completed(&order)).await.unwrap();
    // No guide any more, and a store without a dealer: its 5 % are 5.00.
    world.hear(&changed(&order, 7, None, Some("S2"))).await.unwrap();
    assert_eq!(
        (world.account("payable").await, world.account("accrued").await),
        (amounts(&[("S2", 500)]), amounts(&[]))
    );
    world.everything_agrees().await;
    // Three are taken from, and one accrues and earns.
    let moved =
        "SELECT count(*) AS number FROM rebate.ledger_transfers WHERE occurred_at = '2026-12-05T00:00:00+08:00'";
    assert_eq!(world.service.test.database.number(moved), 5);
    // What comes back afterwards comes out of what stands now.
    world.hear(&refund(&order, &[(1, 1)])).await.unwrap();
    assert_eq!(world.account("payable").await, amounts(&[("S2", 250)]));
    world.everything_agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_waits_for_the_attribution_and_an_older_one_changes_nothing() {
    let world = world().await;
    let placed = order(&[(1, 10_000)]);
    let (older, newer) = (changed(&placed, 3, Some("STORE"), None), changed(&placed, 5, Some("G2"), Some("STORE")));
    assert!(matches!(world.hear(&newer).await, Err(ConsumeError::Retry(_))));
    world.hear(&placed).await.unwrap();
    assert!(matches!(world.hear(&newer).await, Err(ConsumeError::Retry(_))));
    world.hear(&identified(&placed, None)).await.unwrap();
    world.hear(&newer).await.unwrap();
    world.hear(&older).await.unwrap();
    assert_eq!(world.account("accrued").await, amounts(&[("G2", 300), ("STORE", 500), ("DEALER", 200)]));
    // Back to whom it named first: a decision of its own.
    world.hear(&changed(&placed, 6, Some("GUIDE"), Some("STORE"))).await.unwrap();
    assert_eq!(world.account("accrued").await, amounts(&[("GUIDE", 300), ("STORE", 500), ("DEALER", 200)]));
    world.everything_agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_are_those_that_were_in_force_when_the_order_was_attributed() {
    let world = world().await;
    let order = world.sold(&[(1, 10_000)]).await;
    let dearer = serde_json::json!({"basis": "paid", "shares": [{"role": "guide", "rate_ppm": 90_000}]});
    world.service.test.clock.advance(Duration::from_secs(1));
    world.policy("later", dearer).await;
    world.hear(&changed(&order, 2, Some("G2"), Some("STORE"))).await.unwrap();
    assert_eq!(world.account("accrued").await, amounts(&[("G2", 300), ("STORE", 500), ("DEALER", 200)]));
    world.everything_agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_told_many_times_at_once_count_once_each() {
    let world = world().await;
    let order = world.sold(&[(2, 10_000)]).await;
    let (first, last) = (changed(&order, 2, Some("STORE"), Some("S2")), changed(&order, 3, Some("G2"), Some("S2")));
    let back = refund(&order, &[(1, 1)]);
    let (changes, returns) = tokio::join!(
        join_all((0..12).map(|place| world.hear(if place % 2 == 0 { &first } else { &last }))),
        join_all((0..6).map(|_| world.hear(&back))),
    );
    changes.into_iter().chain(returns).for_each(|outcome| outcome.unwrap());
    assert_eq!(world.account("accrued").await, amounts(&[("G2", 150), ("S2", 250)]));
    world.everything_agrees().await;
}
