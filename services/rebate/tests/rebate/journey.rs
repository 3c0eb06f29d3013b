//! What guide, store and dealer earn on an order, and what goes back, against a real database.

use crate::world::{PLACED_AT, World, amounts, at, cancelled, completed, identified, order, refund};
use bus::ConsumeError;
use contracts::events::{RebateAccrued, RebateReversed};
use contracts::{Event, Payload};
use futures_util::future::join_all;
use kernel::id::MemberId;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rebate::domain::attribution::Verdict;
use rebate::domain::party::{BindingRole, PayeeKind, SubjectKind};
use testkit::{event, told};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_accrues_is_earned_and_reverses_to_the_minor_unit() {
    let world = World::new().await;
    // 100.00 for three units and 33.33 for one: 133.33 in all.
    let order = world.sold(&[(3, 10_000), (1, 3_333)]).await;
    // 3 % is 3.9999, 5 % is 6.6665 and 2 % is 2.6666, each rounded once, half up.
    assert_eq!(world.account("accrued").await, amounts(&[("GUIDE", 400), ("STORE", 667), ("DEALER", 267)]));
    // By largest remainder: 300.0075 + 99.9925, 500.2625 + 166.7375, 200.255 + 66.745.
    let lines: Vec<(String, i32, i64)> =
        world.lines().await.into_iter().map(|line| (line.payee, line.line_no, line.amount)).collect();
    let expected = [
        ("GUIDE", 1, 300),
        ("GUIDE", 2, 100),
        ("STORE", 1, 500),
        ("STORE", 2, 167),
        ("DEALER", 1, 200),
        ("DEALER", 2, 67),
    ];
    assert_eq!(lines, expected.map(|(payee, line_no, amount)| (payee.to_owned(), line_no, amount)));
    let accrued: Vec<RebateAccrued> = told(world.store()).await;
    assert_eq!(accrued.iter().map(|told| told.amount.amount).sum::<i64>(), 400 + 667 + 267);

    // One of three units comes back before the order completes: 100, 166.67 and 66.67 of the first line.
    world.hear(&refund(&order, &[(1, 1)])).await.unwrap();
    assert_eq!(world.account("accrued").await, amounts(&[("GUIDE", 300), ("STORE", 500), ("DEALER", 200)]));
    world.everything_agrees().await;

    world.hear(&completed(&order)).await.unwrap();
    assert_eq!(world.account("accrued").await, amounts(&[]));
    assert_eq!(world.account("payable").await, amounts(&[("GUIDE", 300), ("STORE", 500), ("DEALER", 200)]));

    world.hear(&refund(&order, &[(1, 2), (2, 1)])).await.unwrap();
    for account in ["expense", "accrued", "payable"] {
        assert_eq!(world.account(account).await, amounts(&[]), "{account}");
    }
    let reversed: Vec<RebateReversed> = told(world.store()).await;
    assert_eq!(reversed.iter().map(|told| told.amount.amount).sum::<i64>(), 400 + 667 + 267);
    world.everything_agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_over_three_units_cancelled_one_by_one_goes_back_as_33_34_33() {
    let world = World::empty().await;
    world.payee("GUIDE", PayeeKind::Guide).await;
    world.policy("one", serde_json::json!({"basis": "paid", "shares": [{"role": "guide", "rate_ppm": 10_000}]})).await;
    // 1 % of 100.00 is 1.00, over three units.
    let order = world.sold(&[(3, 10_000)]).await;
    let mut left = vec![world.account("accrued").await];
    for units in 1..=3 {
        world.hear(&cancelled(&order, &[(1, 1)], units == 3)).await.unwrap();
        left.push(world.account("accrued").await);
    }
    assert_eq!(left, [amounts(&[("GUIDE", 100)]), amounts(&[("GUIDE", 67)]), amounts(&[("GUIDE", 33)]), amounts(&[])]);
    world.everything_agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_line_did_not_earn_is_not_taken_back() {
    let world = World::empty().await;
    world.payee("GUIDE", PayeeKind::Guide).await;
    let document = serde_json::json!({"basis": "paid", "shares": [{"role": "guide", "rate_ppm": 100_000}],
        "eligibility": {"skus": ["SKU1", "SKU2"]}});
    world.policy("a and b", document).await;
    // An order of 40.00: A 10, B 10, C 20. C earns nothing, so its return takes nothing.
    let order = world.sold(&[(1, 1_000), (1, 1_000), (1, 2_000)]).await;
    world.hear(&refund(&order, &[(3, 1)])).await.unwrap();
    assert_eq!(world.account("accrued").await, amounts(&[("GUIDE", 200)]));
    world.hear(&refund(&order, &[(1, 1)])).await.unwrap();
    assert_eq!(world.account("accrued").await, amounts(&[("GUIDE", 100)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_delivered_twice_counts_once() {
    let world = World::new().await;
    let placed = order(&[(2, 10_000)]);
    let (buyer, back, done) = (identified(&placed, None), refund(&placed, &[(1, 1)]), completed(&placed));
    for _ in 0..2 {
        world.hear(&placed).await.unwrap();
        world.hear(&buyer).await.unwrap();
        world.hear(&back).await.unwrap();
        world.hear(&done).await.unwrap();
    }
    assert_eq!(world.account("payable").await, amounts(&[("GUIDE", 150), ("STORE", 250), ("DEALER", 100)]));
    assert_eq!(told::<RebateAccrued>(world.store()).await.len(), 3);
    assert_eq!(told::<RebateReversed>(world.store()).await.len(), 3);
    world.everything_agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_buyer_told_to_many_at_once_accrues_once() {
    let world = World::new().await;
    let placed = order(&[(2, 10_000)]);
    world.hear(&placed).await.unwrap();
    let buyer = identified(&placed, None);
    for outcome in join_all((0..12).map(|_| world.hear(&buyer))).await {
        outcome.unwrap();
    }
    assert_eq!(world.account("accrued").await, amounts(&[("GUIDE", 300), ("STORE", 500), ("DEALER", 200)]));
    let back = refund(&placed, &[(1, 2)]);
    for outcome in join_all((0..12).map(|_| world.hear(&back))).await {
        outcome.unwrap();
    }
    assert_eq!(world.account("accrued").await, amounts(&[]));
    world.everything_agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_fact_has_not_arrived_is_tried_again_later() {
    let world = World::new().await;
    let placed = order(&[(1, 10_000)]);
    let early = [
        world.hear(&identified(&placed, None)).await,
        world.hear(&completed(&placed)).await,
        world.hear(&cancelled(&placed, &[(1, 1)], true)).await,
        world.hear(&refund(&placed, &[(1, 1)])).await,
    ];
    assert!(early.iter().all(|outcome| matches!(outcome, Err(ConsumeError::Retry(_)))), "{early:?}");
    world.hear(&placed).await.unwrap();
    world.hear(&identified(&placed, None)).await.unwrap();
    world.hear(&cancelled(&placed, &[(1, 1)], true)).await.unwrap();
    assert_eq!(world.account("accrued").await, amounts(&[]));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_units_than_were_sold_are_parked_and_change_nothing() {
    let world = World::new().await;
    let order = world.sold(&[(2, 10_000)]).await;
    world.hear(&refund(&order, &[(1, 1)])).await.unwrap();
    let outcome = world.hear(&refund(&order, &[(1, 2)])).await;
    assert!(matches!(outcome, Err(ConsumeError::Park(_))), "{outcome:?}");
    assert_eq!(world.account("accrued").await, amounts(&[("GUIDE", 150), ("STORE", 250), ("DEALER", 100)]));
    world.everything_agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_members_bindings_decide_where_the_order_names_nobody() {
    let world = World::new().await;
    world.payee("G2", PayeeKind::Guide).await;
    world.payee("S2", PayeeKind::Store).await;
    let member = MemberId::at(at(PLACED_AT));
    world.bound(BindingRole::Guide, SubjectKind::Member, &member.to_string(), "G2").await;
    world.bound(BindingRole::PerformanceStore, SubjectKind::Member, &member.to_string(), "S2").await;
    world.bound(BindingRole::Dealer, SubjectKind::Location, "S2", "DEALER").await;
    let mut placed = order(&[(1, 10_000)]);
    placed.guide = None;
    placed.store = None;
    world.hear(&placed).await.unwrap();
    world.hear(&identified(&placed, Some(member))).await.unwrap();
    assert_eq!(world.account("accrued").await, amounts(&[("G2", 300), ("S2", 500), ("DEALER", 200)]));
    world.everything_agrees().await;

    // The guide that the order names wins over the member's own, who is remembered as having lost.
    let mut placed = order(&[(1, 10_000)]);
    placed.store = None;
    world.hear(&placed).await.unwrap();
    world.hear(&identified(&placed, Some(member))).await.unwrap();
    assert_eq!(world.account("accrued").await.get("GUIDE"), Some(&300));
    let line = world.lines().await.into_iter().find(|line| line.payee == "GUIDE").unwrap();
    let explained = world.store().read("explain", move |tx| rebate::app::explain::explain(tx, line.line_id.into()));
    let explained = explained.await.unwrap().unwrap();
    let loser = explained.candidates.iter().find(|candidate| candidate.payee == "G2").unwrap();
    assert_eq!(loser.verdict, Verdict::Preceded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_not_in_force_pays_nothing_and_several_add_up() {
    let world = World::empty().await;
    world.payee("GUIDE", PayeeKind::Guide).await;
    world.sold(&[(1, 10_000)]).await;
    assert_eq!(world.account("accrued").await, amounts(&[]));
    let share = serde_json::json!([{"role": "guide", "rate_ppm": 10_000}]);
    world.policy("basic", serde_json::json!({"basis": "paid", "shares": share})).await;
    world.policy("extra", serde_json::json!({"basis": "list", "shares": share})).await;
    let over = serde_json::json!({"from": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z"});
    world.policy("over", serde_json::json!({"basis": "paid", "shares": share, "window": over})).await;
    world.sold(&[(1, 10_000)]).await;
    assert_eq!(world.account("accrued").await, amounts(&[("GUIDE", 200)]));
}

fn events_of<P: Payload>(payloads: &[P]) -> Vec<Event> {
    payloads.iter().map(|payload| event(payload, at(PLACED_AT))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_orders_costs_no_more_statements_than_one() {
    let world = World::new().await;
    let mut counts = Vec::new();
    for size in [1, 200] {
        let orders: Vec<_> = (0..size).map(|_| order(&[(1, 10_000), (2, 5_000)])).collect();
        let buyers: Vec<_> = orders.iter().map(|order| identified(order, Some(MemberId::at(at(PLACED_AT))))).collect();
        let refunds: Vec<_> = orders.iter().map(|order| refund(order, &[(2, 1)])).collect();
        let completions: Vec<_> = orders.iter().map(completed).collect();
        let groups = vec![
            ("order.placed", events_of(&orders)),
            ("buyer.identified", events_of(&buyers)),
            ("refund.issued", events_of(&refunds)),
            ("order.completed", events_of(&completions)),
        ];
        counts.push(world.statements(groups).await);
    }
    assert!(counts[1] > 0);
    // The first one also opens the accounts.
    assert!(counts[1] <= counts[0], "{counts:?}");
    world.everything_agrees().await;
}

/// A sale and the order in which its units come back; `true` completes the order before that step.
#[derive(Clone, Debug)]
struct Story {
    lines: Vec<(i64, i64)>,
    order: Vec<usize>,
    completed_before: usize,
    cancels: Vec<bool>,
}

fn stories() -> impl Strategy<Value = Story> {
    prop::collection::vec((1_i64..6, 0_i64..50_000), 1..4)
        .prop_flat_map(|lines| {
            let units: Vec<usize> = lines
                .iter()
                .enumerate()
                .flat_map(|(index, (quantity, _))| std::iter::repeat_n(index, usize::try_from(*quantity).unwrap()))
                .collect();
            let count = units.len();
            (Just(lines), Just(units).prop_shuffle(), 0..=count, prop::collection::vec(any::<bool>(), count))
        })
        .prop_map(|(lines, order, completed_before, cancels)| Story { lines, order, completed_before, cancels })
}

#[test]
fn any_split_of_a_full_return_nets_to_zero() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::new());
    let mut runner = TestRunner::new(Config { cases: 32, ..Config::default() });
    runner
        .run(&stories(), |story| {
            runtime.block_on(async {
                let order = world.sold(&story.lines).await;
                for (step, line) in story.order.iter().enumerate() {
                    if step == story.completed_before {
                        world.hear(&completed(&order)).await.unwrap();
                    }
                    let unit = [(i32::try_from(*line).unwrap() + 1, 1)];
                    if story.cancels[step] {
                        world.hear(&cancelled(&order, &unit, false)).await.unwrap();
                    } else {
                        world.hear(&refund(&order, &unit)).await.unwrap();
                    }
                }
                for account in ["expense", "accrued", "payable"] {
                    prop_assert_eq!(world.account(account).await, amounts(&[]), "{}", account);
                }
                Ok(())
            })
        })
        .unwrap();
    runtime.block_on(world.everything_agrees());
}
