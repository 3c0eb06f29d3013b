//! What members buy at tills and bring back to them, in whatever order it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bus::ConsumeError;
use contracts::Payload;
use contracts::events::{Buyer, Identity, PosIdentified, PosKind, PosLine, PosOriginal, PosRecorded};
use diesel::Connection;
use diesel::connection::InstrumentationEvent;
use kernel::Currency;
use kernel::id::{MemberId, PosTransactionId};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;
use testkit::told;

use super::{Shop, phone};
use crate::app::hold_points::HoldStep;
use crate::domain::account::Balances;
use crate::store::rules::RuleKind;

const NOTHING: Balances = Balances { pending: 0, active: 0, held: 0, arrears: 0 };
const ACTIVE: fn(i64) -> Balances = |active| Balances { active, ..NOTHING };

/// A till's transaction with lines of `(SKU, units, paid)`, numbered from 1.
fn till(shop: &Shop, sequence: i64, identities: &[Identity], lines: &[(&str, i64, i64)]) -> PosRecorded {
    let (sold, back) = (lines.iter().any(|line| line.1 > 0), lines.iter().any(|line| line.1 < 0));
    let line = |(line_no, (sku, quantity, paid_amount)): (i32, &(&str, i64, i64))| PosLine {
        line_no,
        sku: sku.parse().unwrap(),
        category: None,
        quantity: *quantity,
        list_amount: *paid_amount,
        discount_amount: 0,
        paid_amount: *paid_amount,
        disposition: None,
        original: None,
    };
    PosRecorded {
        transaction_id: PosTransactionId::at(shop.now()),
        store: "SH-01".parse().unwrap(),
        terminal: "T1".into(),
        business_date: "2026-11-11".parse().unwrap(),
        sequence,
        kind: match (sold, back) {
            (true, true) => PosKind::Exchange,
            (false, true) => PosKind::Return,
            _ => PosKind::Sale,
        },
        voids: None,
        channel: "pos".parse().unwrap(),
        occurred_at: shop.now(),
        currency: Currency::CNY,
        buyer: Buyer { identities: identities.to_vec(), name: None },
        guide: None,
        lines: (1..).zip(lines).map(line).collect(),
        total_amount: lines.iter().map(|line| line.2).sum(),
    }
}

/// The same, its line `at` naming a line of another transaction.
fn of(mut back: PosRecorded, at: usize, original: &PosRecorded, line_no: i32) -> PosRecorded {
    back.lines[at].original = Some(PosOriginal {
        store: original.store.clone(),
        terminal: original.terminal.clone(),
        business_date: original.business_date,
        sequence: original.sequence,
        line_no,
    });
    back
}

/// What undoes a transaction.
fn void(shop: &Shop, sequence: i64, undone: &PosRecorded) -> PosRecorded {
    let turned = |line: &PosLine| PosLine {
        quantity: -line.quantity,
        list_amount: -line.list_amount,
        paid_amount: -line.paid_amount,
        ..line.clone()
    };
    PosRecorded {
        transaction_id: PosTransactionId::at(shop.now()),
        sequence,
        kind: PosKind::Void,
        voids: Some(undone.transaction_id),
        lines: undone.lines.iter().map(turned).collect(),
        total_amount: -undone.total_amount,
        ..undone.clone()
    }
}

impl Shop {
    async fn rings(&self, told: &[PosRecorded]) {
        self.tills_hear(told).await.unwrap();
    }

    async fn member_at(&self, sale: &PosRecorded) -> Option<MemberId> {
        let answers: Vec<PosIdentified> = told(&self.test.store).await;
        let answers: Vec<_> = answers.into_iter().filter(|it| it.transaction_id == sale.transaction_id).collect();
        assert_eq!(answers.len(), 1, "every sale is answered once");
        answers[0].member_id
    }

    fn qualifying(&self) -> i64 {
        self.number("SELECT coalesce(sum(amount), 0)::bigint AS number FROM member.tier_entries")
    }
}

#[tokio::test]
async fn the_worked_example_of_the_documentation() {
    // docs/pos.md: two shirts for 89.00, one of them back: 89 points, then 89 − 45, because the first of two halves rounds up.
    let shop = Shop::new().await;
    let anna = [phone("13800138000")];
    let sale = till(&shop, 1, &anna, &[("TEE-M", 2, 8_900)]);
    shop.rings(std::slice::from_ref(&sale)).await;
    let member = shop.member_at(&sale).await.unwrap();
    assert_eq!((shop.points(member).await, shop.qualifying()), (ACTIVE(89), 8_900));
    let back = of(till(&shop, 3, &[], &[("TEE-M", -1, -4_450)]), 0, &sale, 1);
    shop.rings(std::slice::from_ref(&back)).await;
    assert_eq!((shop.points(member).await, shop.qualifying()), (ACTIVE(44), 4_450));
    // The return is undone, then the sale.
    shop.rings(&[void(&shop, 4, &back)]).await;
    assert_eq!((shop.points(member).await, shop.qualifying()), (ACTIVE(89), 8_900));
    shop.rings(&[void(&shop, 5, &sale)]).await;
    assert_eq!((shop.points(member).await, shop.qualifying()), (NOTHING, 0));
    shop.is_proved().await;
}

#[tokio::test]
async fn an_exchange_earns_for_what_was_taken_and_gives_back_what_was_brought() {
    // 40.00 as A 10, B 10, C 20 with product points 10, 20 and 0: 70. C goes back for a D of 15.00: −20 + 15.
    let shop = Shop::new().await;
    let base = json!({"points": 1, "per": {"amount": 100, "currency": "CNY"}});
    let products = json!([{"sku": "A", "points": 10}, {"sku": "B", "points": 20}]);
    shop.set_rule(RuleKind::EarningRule, json!({"base": base, "products": products})).await;
    let anna = [phone("13800138000")];
    let sale = till(&shop, 1, &anna, &[("A", 1, 1_000), ("B", 1, 1_000), ("C", 1, 2_000)]);
    let exchange = of(till(&shop, 2, &anna, &[("C", -1, -2_000), ("D", 1, 1_500)]), 0, &sale, 3);
    // In one batch, the exchange first: it names a sale that has not come.
    shop.rings(&[exchange.clone(), sale.clone()]).await;
    let member = shop.member_at(&sale).await.unwrap();
    assert_eq!(shop.member_at(&exchange).await, Some(member));
    assert_eq!((shop.points(member).await, shop.qualifying()), (ACTIVE(65), 3_500));
    shop.rings(&[void(&shop, 3, &exchange)]).await;
    assert_eq!((shop.points(member).await, shop.qualifying()), (ACTIVE(70), 4_000));
    shop.is_proved().await;
}

#[tokio::test]
async fn guests_and_what_names_no_receipt_move_nothing() {
    let shop = Shop::new().await;
    let guest = till(&shop, 1, &[], &[("A", 1, 5_000)]);
    let anna = till(&shop, 2, &[phone("13800138000")], &[("A", 1, 5_000)]);
    let masked = till(&shop, 3, &[phone("138****8000")], &[("A", 1, 5_000)]);
    shop.rings(&[guest.clone(), anna.clone(), masked.clone()]).await;
    assert_eq!((shop.member_at(&guest).await, shop.member_at(&masked).await), (None, None));
    let member = shop.member_at(&anna).await.unwrap();
    let blind = till(&shop, 4, &[phone("13800138000")], &[("A", -1, -5_000)]);
    let of_guest = of(till(&shop, 5, &[phone("13800138000")], &[("A", -1, -5_000)]), 0, &guest, 1);
    // More than was sold came back on a receipt: all of it goes, and no more.
    let too_much = of(till(&shop, 6, &[], &[("A", -3, -15_000)]), 0, &anna, 1);
    shop.rings(&[blind, of_guest, void(&shop, 7, &guest)]).await;
    assert_eq!((shop.points(member).await, shop.qualifying()), (ACTIVE(50), 5_000));
    shop.rings(&[too_much]).await;
    assert_eq!((shop.points(member).await, shop.qualifying()), (NOTHING, 0));
    shop.is_proved().await;
}

#[tokio::test]
async fn a_sale_at_a_till_counts_for_the_same_member_and_tier_as_an_order() {
    let shop = Shop::new().await;
    let (member, _) = shop.member_with("13800138000", 1_500).await;
    assert_eq!(shop.tier(member).await, "silver");
    let sale = till(&shop, 1, &[phone("+8613800138000")], &[("A", 1, 50_000)]);
    shop.rings(std::slice::from_ref(&sale)).await;
    assert_eq!(shop.member_at(&sale).await, Some(member));
    assert_eq!((shop.tier(member).await, shop.points(member).await), ("gold".to_owned(), ACTIVE(2_000)));
    shop.rings(&[void(&shop, 2, &sale)]).await;
    assert_eq!((shop.tier(member).await, shop.points(member).await), ("silver".to_owned(), ACTIVE(1_500)));
    shop.is_proved().await;
}

#[tokio::test]
async fn points_that_are_spent_are_owed_until_the_purchase_stands_again() {
    let shop = Shop::new().await;
    let anna = [phone("13800138000")];
    let sale = till(&shop, 1, &anna, &[("A", 2, 10_000)]);
    shop.rings(std::slice::from_ref(&sale)).await;
    let member = shop.member_at(&sale).await.unwrap();
    let hold = shop.holds(member, 80).await.unwrap();
    shop.steps(&hold, HoldStep::Capture).await.unwrap();
    // Both units come back: 20 of 100 are there, 80 are owed; a purchase of 30.00 repays some.
    let back = of(till(&shop, 2, &[], &[("A", -2, -10_000)]), 0, &sale, 1);
    shop.rings(&[back.clone(), till(&shop, 3, &anna, &[("B", 1, 3_000)])]).await;
    assert_eq!(shop.points(member).await, Balances { arrears: 50, ..NOTHING });
    shop.is_proved().await;
    shop.rings(&[void(&shop, 4, &back)]).await;
    assert_eq!(shop.points(member).await, ACTIVE(50));
    // What was spent goes back into the lot it came from, beside what was given again.
    shop.steps(&hold, HoldStep::Reverse).await.unwrap();
    assert_eq!(shop.points(member).await, ACTIVE(130));
    shop.is_proved().await;
}

#[tokio::test]
async fn a_batch_of_tills_costs_no_more_statements_than_one() {
    let shop = Shop::new().await;
    let mut counts = Vec::new();
    for (size, first) in [(1, 1), (100, 1_000)] {
        let sale = |it| till(&shop, it, &[phone(&format!("1380013{it:04}"))], &[("A", 2, 10_000), ("B", 1, 5_000)]);
        let sales: Vec<_> = (first..first + size).map(sale).collect();
        let back: Vec<_> = sales.iter().map(|sale| of(till(&shop, 0, &[], &[("A", -1, -5_000)]), 0, sale, 1)).collect();
        let voids: Vec<_> = sales.iter().chain(&back).map(|it| void(&shop, 0, it)).collect();
        let batches = [sales, back, voids].map(|batch| batch.iter().map(|it| shop.event(it)).collect::<Vec<_>>());
        let (count, handler) = (Arc::new(AtomicUsize::new(0)), crate::consumers::tills(shop.desk.clone()));
        let counter = Arc::clone(&count);
        let outcome: Result<(), ConsumeError> = shop
            .test
            .store
            .transact("count", move |tx| {
                tx.conn().set_instrumentation(move |event: InstrumentationEvent<'_>| {
                    if matches!(event, InstrumentationEvent::StartQuery { .. }) {
                        counter.fetch_add(1, Ordering::SeqCst);
                    }
                });
                for batch in &batches {
                    handler(tx, PosRecorded::KIND, batch)?;
                }
                tx.conn().set_instrumentation(|_: InstrumentationEvent<'_>| {});
                Ok(())
            })
            .await;
        outcome.unwrap();
        counts.push(count.load(Ordering::SeqCst));
    }
    // The first one also opens the accounts.
    assert!(counts[1] > 0 && counts[1] <= counts[0], "{counts:?}");
    assert_eq!(shop.qualifying(), 0);
    shop.is_proved().await;
}

/// Everything that happened in a day: two buyers, three sales, returns of them, an exchange, and what undoes a sale and a return.
fn a_day(shop: &Shop) -> Vec<PosRecorded> {
    let (anna, ben) = ([phone("13800138000")], [phone("13900139000")]);
    let first = till(shop, 1, &anna, &[("A", 3, 10_000), ("B", 2, 3_300)]);
    let second = till(shop, 2, &ben, &[("A", 1, 7_700)]);
    let third = till(shop, 3, &anna, &[("C", 4, 40_000)]);
    let back = of(till(shop, 4, &[], &[("A", -1, -3_333), ("B", -1, -1_650)]), 0, &first, 1);
    let back = of(back, 1, &first, 2);
    let undone = of(till(shop, 5, &anna, &[("A", -2, -6_667)]), 0, &first, 1);
    let exchange = of(till(shop, 6, &anna, &[("C", -3, -30_000), ("B", 1, 1_700)]), 0, &third, 1);
    let of_exchange = of(till(shop, 7, &[], &[("B", -1, -1_700)]), 0, &exchange, 2);
    let voids = [void(shop, 8, &undone), void(shop, 9, &second)];
    let mut day = vec![first, second, third, back, undone, exchange, of_exchange];
    day.extend(voids);
    day
}

#[test]
fn any_order_of_arrival_ends_at_the_same() {
    // Anna: 133 (A 100, B 33) + 400 + 17 earned. Back are 1 of 3 A (33), 1 of 2 B (16.5, so 17), 3 of 4 C (300) and the B of
    // the exchange (17); the return of two A was undone. 550 − 33 − 17 − 300 − 17 = 183. Ben's sale was undone.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let shuffled = (Just((0..9).collect::<Vec<usize>>()).prop_shuffle(), prop::collection::vec(1..4_usize, 9));
    let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
    let shop = runtime.block_on(Shop::new());
    let round = std::cell::Cell::new(0);
    let outcome = runner.run(&shuffled, |(order, sizes)| {
        round.set(round.get() + 1);
        let round: i32 = round.get();
        runtime.block_on(async {
            let mut day = a_day(&shop);
            // Every round is a day, and people, of its own.
            for event in &mut day {
                event.terminal = format!("T{round}");
                for identity in &mut event.buyer.identities {
                    identity.value = format!("{}{round:04}", &identity.value[..7]);
                }
                for line in &mut event.lines {
                    if let Some(original) = &mut line.original {
                        original.terminal = format!("T{round}");
                    }
                }
            }
            let mut rest: &[usize] = &order;
            for size in sizes {
                let (batch, after) = rest.split_at(size.min(rest.len()));
                rest = after;
                let batch: Vec<PosRecorded> = batch.iter().map(|at| day[*at].clone()).collect();
                shop.rings(&batch).await;
                shop.rings(&batch).await;
            }
            let (anna, ben) = (shop.member_at(&day[0]).await.unwrap(), shop.member_at(&day[1]).await.unwrap());
            assert_eq!((shop.points(anna).await, shop.points(ben).await), (ACTIVE(183), NOTHING), "{order:?}");
            // 133.00 + 400.00 + 17.00 less 33.33, 16.50, 300.00 and 17.00.
            let sum =
                format!("SELECT sum(amount)::bigint AS number FROM member.tier_entries WHERE member_id = '{anna}'");
            assert_eq!(shop.number(&sum), 18_317, "{order:?}");
            shop.is_proved().await;
        });
        Ok(())
    });
    outcome.unwrap();
}
