//! Lines that are added to an order earn with it as if they had been there from the start, in whatever order it is heard.

use bus::ConsumeError;
use contracts::events::{AddedLines, Credited, OrderChanged, OrderPlaced, RebateAccrued, RebateReversed};
use futures_util::future::join_all;
use itertools::Itertools;
use rebate::domain::party::{PayeeKind, PayeeStatus};
use testkit::told;

use crate::world::{World, amounts, at, cancelled, completed, identified, order, refund};

/// An order with its first line alone, and with all of them.
fn growing(lines: &[(i64, i64)]) -> (OrderPlaced, OrderPlaced) {
    let all = order(lines);
    let mut placed = all.clone();
    placed.lines.truncate(1);
    (placed, all)
}

fn changed(all: &OrderPlaced, version: i64) -> OrderChanged {
    OrderChanged {
        order_id: all.order_id,
        version,
        fields: Vec::new(),
        destination: None,
        credited: None,
        added: None,
        changed_at: at("2026-11-12T00:00:00+08:00"),
    }
}

/// The change that adds the line of this number.
fn added(all: &OrderPlaced, version: i64, line_no: i32) -> OrderChanged {
    let lines: Vec<_> = all.lines.iter().filter(|line| line.line_no == line_no).cloned().collect();
    let (channel, totals) = (all.channel.clone(), all.totals);
    let (placed_at, currency) = (all.placed_at, all.currency);
    OrderChanged { added: Some(AddedLines { channel, placed_at, currency, lines, totals }), ..changed(all, version) }
}

fn named(all: &OrderPlaced, version: i64, guide: &str) -> OrderChanged {
    let credited = Credited { guide: Some(guide.parse().unwrap()), store: Some("STORE".parse().unwrap()) };
    OrderChanged { credited: Some(credited), ..changed(all, version) }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_grows_is_rounded_once_all_the_same() {
    let world = World::new().await;
    let (placed, all) = growing(&[(1, 3_333), (1, 6_667)]);
    world.hear(&placed).await.unwrap();
    assert!(matches!(world.hear(&added(&all, 2, 2)).await, Err(ConsumeError::Retry(_))), "nobody is credited yet");
    world.hear(&identified(&placed, None)).await.unwrap();
    assert_eq!(world.account("accrued").await, amounts(&[("GUIDE", 100), ("STORE", 167), ("DEALER", 67)]));
    // 3, 5 and 2 % of 100.00, not of 33.33 and of 66.67.
    for _ in 0..2 {
        world.hear(&added(&all, 2, 2)).await.unwrap();
        assert_eq!(world.account("accrued").await, amounts(&[("GUIDE", 300), ("STORE", 500), ("DEALER", 200)]));
    }
    world.everything_agrees().await;
    let accrued: i64 = told::<RebateAccrued>(world.store()).await.iter().map(|it| it.amount.amount).sum();
    let reversed: i64 = told::<RebateReversed>(world.store()).await.iter().map(|it| it.amount.amount).sum();
    assert_eq!(accrued - reversed, 300 + 500 + 200);
    world.hear(&completed(&placed)).await.unwrap();
    // The second line had 2.00, 3.33 and 1.33 of it.
    world.hear(&refund(&all, &[(2, 1)])).await.unwrap();
    assert_eq!(world.account("payable").await, amounts(&[("GUIDE", 100), ("STORE", 167), ("DEALER", 67)]));
    assert_eq!(world.account("accrued").await, amounts(&[]));
    world.everything_agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_below_those_that_were_there_leaves_whom_the_order_named() {
    let world = World::new().await;
    let (_, all) = growing(&[(1, 5_000), (1, 5_000)]);
    let mut placed = all.clone();
    placed.lines.remove(0);
    world.payee("G2", PayeeKind::Guide).await;
    world.hear(&placed).await.unwrap();
    world.hear(&identified(&placed, None)).await.unwrap();
    world.hear(&named(&all, 2, "G2")).await.unwrap();
    world.hear(&added(&all, 3, 1)).await.unwrap();
    assert_eq!(world.account("accrued").await, amounts(&[("G2", 300), ("STORE", 500), ("DEALER", 200)]));
    world.everything_agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_comes_first_the_books_end_the_same() {
    let world = World::new().await;
    world.payee("G2", PayeeKind::Guide).await;
    let mut orders = 0;
    for arrival in (0..5).permutations(5) {
        let (placed, all) = growing(&[(1, 5_000), (4, 10_000), (1, 3_000)]);
        world.hear(&placed).await.unwrap();
        world.hear(&identified(&placed, None)).await.unwrap();
        for event in &arrival {
            let heard = match event {
                0 => world.hear(&added(&all, 2, 2)).await,
                1 => world.hear(&named(&all, 3, "G2")).await,
                2 => world.hear(&added(&all, 4, 3)).await,
                3 => world.hear(&completed(&all)).await,
                _ => world.hear(&cancelled(&all, &[(2, 1)], false)).await,
            };
            heard.unwrap_or_else(|error| panic!("{arrival:?}: {event}: {error:?}"));
        }
        orders += 1;
        // 3, 5 and 2 % of 180.00 less those of a fourth of the second line: 5.40 − 0.75, 9.00 − 1.25, 3.60 − 0.50.
        let each = [("G2", 465 * orders), ("STORE", 775 * orders), ("DEALER", 310 * orders)];
        assert_eq!(world.account("payable").await, amounts(&each), "{arrival:?}");
        assert_eq!(world.account("accrued").await, amounts(&[]), "{arrival:?}");
    }
    world.everything_agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_told_many_times_at_once_count_once_each() {
    let world = World::new().await;
    world.payee("G2", PayeeKind::Guide).await;
    let (placed, all) = growing(&[(2, 10_000), (1, 10_000), (1, 20_000)]);
    world.hear(&placed).await.unwrap();
    world.hear(&identified(&placed, None)).await.unwrap();
    let changes = [added(&all, 2, 2), named(&all, 3, "G2"), added(&all, 4, 3)];
    let heard = join_all((0..18).map(|place| world.hear(&changes[place % 3]))).await;
    heard.into_iter().for_each(|outcome| outcome.unwrap());
    assert_eq!(world.account("accrued").await, amounts(&[("G2", 1_200), ("STORE", 2_000), ("DEALER", 800)]));
    world.everything_agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_changes_of_an_order_in_one_batch_are_decided_one_after_the_other() {
    let world = World::new().await;
    world.payee("G2", PayeeKind::Guide).await;
    let (placed, all) = growing(&[(2, 10_000), (1, 10_000)]);
    world.hear(&placed).await.unwrap();
    world.hear(&identified(&placed, None)).await.unwrap();
    world.service.hear(&[named(&all, 3, "G2"), added(&all, 2, 2), named(&all, 1, "STORE")]).await.unwrap();
    assert_eq!(world.account("accrued").await, amounts(&[("G2", 600), ("STORE", 1_000), ("DEALER", 400)]));
    world.everything_agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_added_earns_for_whoever_was_credited_also_if_inactive_since() {
    let world = World::new().await;
    world.payee("G2", PayeeKind::Guide).await;
    let (placed, all) = growing(&[(1, 10_000), (1, 10_000), (1, 10_000)]);
    world.hear(&placed).await.unwrap();
    world.hear(&identified(&placed, None)).await.unwrap();
    world.payee_is("GUIDE", PayeeKind::Guide, PayeeStatus::Inactive).await;
    world.hear(&added(&all, 2, 2)).await.unwrap();
    assert_eq!(world.account("accrued").await, amounts(&[("GUIDE", 600), ("STORE", 1_000), ("DEALER", 400)]));
    // The same of whom a later version named.
    world.hear(&named(&all, 3, "G2")).await.unwrap();
    world.payee_is("G2", PayeeKind::Guide, PayeeStatus::Inactive).await;
    world.hear(&added(&all, 4, 3)).await.unwrap();
    assert_eq!(world.account("accrued").await, amounts(&[("G2", 900), ("STORE", 1_500), ("DEALER", 600)]));
    world.everything_agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_payable_before_the_order_was_completed() {
    let world = World::new().await;
    let (placed, all) = growing(&[(1, 5_000), (1, 5_000)]);
    world.hear(&placed).await.unwrap();
    world.hear(&identified(&placed, None)).await.unwrap();
    // Completed on the 20th; that it got a line on the 12th is heard later.
    world.hear(&completed(&placed)).await.unwrap();
    world.hear(&added(&all, 2, 2)).await.unwrap();
    assert_eq!(world.account("payable").await, amounts(&[("GUIDE", 300), ("STORE", 500), ("DEALER", 200)]));
    let early = "SELECT count(*) AS number FROM rebate.ledger_transfers WHERE 'payable' IN (debit_account, credit_account) \
                 AND occurred_at < '2026-11-20T00:00:00+08:00'";
    assert_eq!(world.service.test.database.number(early), 0);
}
