//! What guide, store and dealer earn on what tills sell, in whatever order it is told.

use std::collections::VecDeque;

use bus::ConsumeError;
use contracts::Payload;
use contracts::events::{
    Buyer, PosIdentified, PosKind, PosLine, PosOriginal, PosRebateAccrued, PosRebateReversed, PosRecorded,
};
use kernel::Currency;
use kernel::id::{MemberId, PosTransactionId};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rebate::domain::party::{BindingRole, PayeeKind, SubjectKind};
use serde_json::json;
use testkit::{event, told};

use crate::world::{PLACED_AT, World, amounts, at};

/// A till's transaction with lines of `(SKU, units, paid)`, numbered from 1.
fn till(sequence: i64, lines: &[(&str, i64, i64)]) -> PosRecorded {
    let (sold, back) = (lines.iter().any(|line| line.1 > 0), lines.iter().any(|line| line.1 < 0));
    let line = |(line_no, (sku, quantity, paid_amount)): (i32, &(&str, i64, i64))| PosLine {
        line_no,
        sku: sku.parse().unwrap(),
        category: Some("shoes".to_owned()),
        quantity: *quantity,
        list_amount: *paid_amount,
        discount_amount: 0,
        paid_amount: *paid_amount,
        disposition: None,
        original: None,
    };
    PosRecorded {
        transaction_id: PosTransactionId::at(at(PLACED_AT)),
        store: "STORE".parse().unwrap(),
        terminal: "T1".to_owned(),
        business_date: "2026-11-11".parse().unwrap(),
        sequence,
        kind: match (sold, back) {
            (true, true) => PosKind::Exchange,
            (false, true) => PosKind::Return,
            _ => PosKind::Sale,
        },
        voids: None,
        channel: "pos".parse().unwrap(),
        occurred_at: at(PLACED_AT),
        currency: Currency::CNY,
        buyer: Buyer::default(),
        guide: Some("GUIDE".parse().unwrap()),
        lines: (1..).zip(lines).map(line).collect(),
        total_amount: lines.iter().map(|line| line.2).sum(),
    }
}

/// The same, its line `index` naming a line of another transaction.
fn of(mut back: PosRecorded, index: usize, original: &PosRecorded, line_no: i32) -> PosRecorded {
    back.lines[index].original = Some(PosOriginal {
        store: original.store.clone(),
        terminal: original.terminal.clone(),
        business_date: original.business_date,
        sequence: original.sequence,
        line_no,
    });
    back
}

/// What undoes a transaction.
fn void(sequence: i64, undone: &PosRecorded) -> PosRecorded {
    let turned = |line: &PosLine| PosLine {
        quantity: -line.quantity,
        list_amount: -line.list_amount,
        paid_amount: -line.paid_amount,
        ..line.clone()
    };
    PosRecorded {
        transaction_id: PosTransactionId::at(at(PLACED_AT)),
        sequence,
        kind: PosKind::Void,
        voids: Some(undone.transaction_id),
        lines: undone.lines.iter().map(turned).collect(),
        total_amount: -undone.total_amount,
        ..undone.clone()
    }
}

fn bought(sale: &PosRecorded, member_id: Option<MemberId>) -> PosIdentified {
    PosIdentified { transaction_id: sale.transaction_id, member_id, tier: None }
}

impl World {
    /// A sale at a till to nobody who is known.
    async fn rung(&self, sale: &PosRecorded) {
        self.hear(sale).await.unwrap();
        self.hear(&bought(sale, None)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worked_example_of_the_documentation() {
    // docs/pos.md: two shirts for 89.00 at 3 %, 5 % and 2 %: 2.67, 4.45 and 1.78. One of them back: 1.335, 2.225 and 0.89.
    let world = World::new().await;
    let sale = till(1, &[("TEE-M", 2, 8_900)]);
    world.rung(&sale).await;
    assert_eq!(world.account("accrued").await, amounts(&[]));
    let whole = amounts(&[("GUIDE", 267), ("STORE", 445), ("DEALER", 178)]);
    assert_eq!(world.account("payable").await, whole);
    let back = of(till(3, &[("TEE-M", -1, -4_450)]), 0, &sale, 1);
    world.hear(&back).await.unwrap();
    assert_eq!(world.account("payable").await, amounts(&[("GUIDE", 133), ("STORE", 222), ("DEALER", 89)]));
    world.everything_agrees().await;
    // The return is undone, then the sale.
    world.hear(&void(4, &back)).await.unwrap();
    assert_eq!(world.account("payable").await, whole);
    world.everything_agrees().await;
    world.hear(&void(5, &sale)).await.unwrap();
    for account in ["expense", "accrued", "payable"] {
        assert_eq!(world.account(account).await, amounts(&[]), "{account}");
    }
    let accrued: Vec<PosRebateAccrued> = told(world.store()).await;
    let reversed: Vec<PosRebateReversed> = told(world.store()).await;
    let sum = 267 + 445 + 178 + 134 + 223 + 89;
    assert_eq!(accrued.iter().map(|it| it.amount.amount).sum::<i64>(), sum);
    assert_eq!(reversed.iter().map(|it| it.amount.amount).sum::<i64>(), sum);
    world.everything_agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_members_guide_earns_where_the_till_names_none_and_nothing_goes_for_what_names_no_receipt() {
    let world = World::new().await;
    world.payee("G2", PayeeKind::Guide).await;
    let member = MemberId::at(at(PLACED_AT));
    world.bound(BindingRole::Guide, SubjectKind::Member, &member.to_string(), "G2").await;
    let mut sale = till(1, &[("A", 1, 10_000)]);
    sale.guide = None;
    // Who bought may be known before the sale is: it is tried again.
    let early = world.hear(&bought(&sale, Some(member))).await;
    assert!(matches!(early, Err(ConsumeError::Retry(_))), "{early:?}");
    world.hear(&sale).await.unwrap();
    world.hear(&bought(&sale, Some(member))).await.unwrap();
    let whole = amounts(&[("G2", 300), ("STORE", 500), ("DEALER", 200)]);
    world.hear(&till(2, &[("A", -1, -10_000)])).await.unwrap();
    assert_eq!(world.account("payable").await, whole);
    // More than was sold came back on a receipt: all of it goes, and no more.
    world.hear(&of(till(3, &[("A", -3, -30_000)]), 0, &sale, 1)).await.unwrap();
    assert_eq!(world.account("payable").await, amounts(&[]));
    world.everything_agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_tills_costs_no_more_statements_than_one() {
    let world = World::new().await;
    let mut counts = Vec::new();
    for (size, first) in [(1, 1), (200, 1_000)] {
        let sales: Vec<_> = (0..size).map(|it| till(first + it, &[("A", 2, 10_000), ("B", 1, 5_000)])).collect();
        let buyers: Vec<_> = sales.iter().map(|sale| bought(sale, Some(MemberId::at(at(PLACED_AT))))).collect();
        let back: Vec<_> = sales.iter().map(|sale| of(till(0, &[("A", -1, -5_000)]), 0, sale, 1)).collect();
        let voids: Vec<_> = sales.iter().chain(&back).map(|it| void(0, it)).collect();
        let events = |told: &[PosRecorded]| told.iter().map(|it| event(it, at(PLACED_AT))).collect::<Vec<_>>();
        let buyers = buyers.iter().map(|it| event(it, at(PLACED_AT))).collect::<Vec<_>>();
        let groups = vec![
            (PosRecorded::KIND, events(&sales)),
            (PosIdentified::KIND, buyers),
            (PosRecorded::KIND, events(&back)),
            (PosRecorded::KIND, events(&voids)),
        ];
        counts.push(world.statements(groups).await);
    }
    // The first one also opens the accounts.
    assert!(counts[1] > 0 && counts[1] <= counts[0], "{counts:?}");
    assert_eq!(world.account("payable").await, amounts(&[]));
    let proof = world.store().read("proof", ledger::proof).await.unwrap();
    assert!(proof.holds(), "{proof:?}");
}

/// What is told of a day on one till: sales with their buyers, returns, an exchange, and what undoes a sale and a return.
#[derive(Clone)]
enum Told {
    Recorded(PosRecorded),
    Identified(PosIdentified),
}

fn a_day(terminal: &str) -> Vec<Told> {
    let till = |sequence, lines: &[_]| PosRecorded { terminal: terminal.to_owned(), ..till(sequence, lines) };
    let first = till(1, &[("A", 3, 10_000), ("B", 2, 3_300)]);
    let second = till(2, &[("A", 1, 7_700)]);
    let third = till(3, &[("C", 4, 40_000)]);
    let back = of(of(till(4, &[("A", -1, -3_333), ("B", -1, -1_650)]), 0, &first, 1), 1, &first, 2);
    let undone = of(till(5, &[("A", -2, -6_667)]), 0, &first, 1);
    let exchange = of(till(6, &[("C", -3, -30_000), ("B", 1, 1_700)]), 0, &third, 1);
    let of_exchange = of(till(7, &[("B", -1, -1_700)]), 0, &exchange, 2);
    let voids = [void(8, &undone), void(9, &second)];
    let buyers = [&first, &second, &third, &exchange].map(|sale| Told::Identified(bought(sale, None)));
    let recorded = [first.clone(), second.clone(), third.clone(), back, undone, exchange.clone(), of_exchange];
    recorded.into_iter().chain(voids).map(Told::Recorded).chain(buyers).collect()
}

#[test]
fn any_order_of_arrival_ends_at_the_same() {
    // 133.00 earns 3.99, 6.65 and 2.66, of which A has 3.00, 5.00 and 2.00; back are a third of A (1.00, 1.67, 0.67) and half
    // of B (0.495, 0.825, 0.33): 2.49, 4.15 and 1.66 are left. Of 400.00 a quarter is kept: 3.00, 5.00 and 2.00.
    let each = [("GUIDE", 549), ("STORE", 915), ("DEALER", 366)];
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::new());
    let days = std::cell::Cell::new(0_i64);
    let shuffled = Just((0..13).collect::<Vec<usize>>()).prop_shuffle();
    let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&shuffled, |order| {
        days.set(days.get() + 1);
        runtime.block_on(async {
            let day = a_day(&format!("T{}", days.get()));
            let mut waiting: VecDeque<Told> = order.iter().map(|index| day[*index].clone()).collect();
            while let Some(told) = waiting.pop_front() {
                for _ in 0..2 {
                    let heard = match &told {
                        Told::Recorded(event) => world.hear(event).await,
                        Told::Identified(event) => world.hear(event).await,
                    };
                    match heard {
                        Err(ConsumeError::Retry(_)) => {
                            waiting.push_back(told.clone());
                            break;
                        }
                        heard => heard.unwrap(),
                    }
                }
            }
            let expected = each.map(|(payee, amount)| (payee, amount * days.get()));
            prop_assert_eq!(world.account("payable").await, amounts(&expected), "{:?}", order);
            prop_assert_eq!(world.account("accrued").await, amounts(&[]));
            Ok(())
        })
    });
    outcome.unwrap();
    runtime.block_on(world.everything_agrees());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_a_till_is_read_and_explained_over_http() {
    let world = World::new().await;
    let sale = till(1, &[("TEE-M", 2, 8_900)]);
    world.rung(&sale).await;
    let back = of(till(3, &[("TEE-M", -1, -4_450)]), 0, &sale, 1);
    world.hear(&back).await.unwrap();
    let reply = world.service.get(&format!("/v1/rebate/lines?order_id={}&payee=GUIDE", sale.transaction_id)).await;
    let line = &reply.body["items"][0];
    assert_eq!((&line["status"], &line["net"]["amount"]), (&json!("payable"), &json!(133)), "{}", reply.text);
    let path = format!("/v1/rebate/lines/{}/explain", line["id"].as_str().unwrap());
    let explained = world.service.get(&path).await.body;
    assert_eq!((&explained["matches"], &explained["order"]["store"]), (&json!(true), &json!("STORE")));
    assert_eq!(explained["returns"][0]["source_id"], json!(back.transaction_id));
    assert_eq!(explained["returns"][0]["amount"], json!(134));
}
