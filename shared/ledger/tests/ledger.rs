//! The ledger against a real database: a model that is obviously right, the golden vectors, and a race.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, also in what its tests share")]

use std::collections::HashMap;

use futures_util::future::join_all;
use kernel::Timestamp;
use kernel::id::EntryId;
use ledger::{Account, EntryFilter, Posted, Refusal, Transfer, balances, entries, post, proof, trial_balance};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use store::{Rows, Store};
use testkit::TestStore;

type Verdicts = Vec<Result<Posted, Refusal>>;

async fn ledger_store() -> TestStore {
    TestStore::new("ledger", &[&ledger::MIGRATIONS]).await
}

/// An account of the test: `active` and `held` may not fall below zero, the others are the far side.
fn account(owner: &str, name: &'static str) -> Account {
    let account = Account::new(owner, name);
    if matches!(name, "active" | "held") { account.with_floor(0) } else { account }
}

fn transfer(reference: &str, owner: &str, from: &'static str, to: &'static str, amount: i64) -> Transfer {
    Transfer {
        owner: owner.to_owned(),
        reference: reference.to_owned(),
        entry_id: EntryId::at(Timestamp::EPOCH),
        debit: account(owner, from),
        credit: account(owner, to),
        unit: "points".into(),
        amount,
        reason: "test".into(),
        memo: serde_json::json!({}),
        occurred_at: Timestamp::EPOCH,
    }
}

async fn posted(store: &Store, batch: Vec<Transfer>) -> Verdicts {
    store.transact("post", move |tx| post(tx, &batch)).await.unwrap()
}

async fn active(store: &Store, owner: &'static str) -> i64 {
    let found = store.read("balance", move |tx| balances(tx, &[owner], "active")).await.unwrap();
    found.first().map_or(0, |balance| balance.balance)
}

async fn books_hold(store: &Store) {
    let proof = store.read("proof", proof).await.unwrap();
    assert!(proof.holds(), "{proof:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_holds_of_a_thousand_fit_into_five_thousand_and_the_sixth_fails() {
    let test = ledger_store().await;
    posted(&test.store, vec![transfer("grant", "m", "issued", "active", 5_000)]).await;
    let holds = (1..=6).map(|n| transfer(&format!("hold {n}"), "m", "active", "held", 1_000)).collect();
    let verdicts = posted(&test.store, holds).await;
    assert!(verdicts[..5].iter().all(Result::is_ok));
    assert_eq!(verdicts[5], Err(Refusal::BelowFloor { available: 0 }));
    assert_eq!(active(&test.store, "m").await, 0);
    books_hold(&test.store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_event_delivered_twice_credits_once() {
    let test = ledger_store().await;
    let credit = || vec![transfer("event 1", "m", "issued", "active", 70)];
    let first = posted(&test.store, credit()).await[0].unwrap();
    let second = posted(&test.store, credit()).await[0].unwrap();
    assert_eq!(second, Posted { before: true, ..first });
    let other = posted(&test.store, vec![transfer("event 1", "m", "issued", "active", 71)]).await;
    assert_eq!(other, [Err(Refusal::Contradiction)]);
    assert_eq!(active(&test.store, "m").await, 70);
    books_hold(&test.store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_posted_before_is_never_told_as_refused() {
    let test = ledger_store().await;
    let hold = transfer("hold", "m", "active", "held", 5_000);
    posted(&test.store, vec![transfer("grant", "m", "issued", "active", 5_000)]).await;
    assert!(posted(&test.store, vec![hold.clone()]).await[0].is_ok());
    // The same again, as a redelivery would ask: nothing is left to hold, but it was held.
    for rows in [Rows::New, Rows::MayBeThere] {
        let again = hold.clone();
        let verdict = test.store.transact_rows("post", rows, move |tx| post(tx, &[again])).await;
        match rows {
            Rows::New => assert!(verdict.is_err_and(|error| error.is_transient())),
            Rows::MayBeThere => assert!(matches!(verdict.unwrap()[0], Ok(Posted { before: true, .. }))),
        }
    }
    assert_eq!(active(&test.store, "m").await, 0);
    books_hold(&test.store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn earning_redeeming_cancelling_and_refunding_ends_at_exactly_fifty() {
    let test = ledger_store().await;
    for step in [
        transfer("earn", "m", "issued", "active", 50),
        transfer("redeem", "m", "active", "spent", 50),
        transfer("earn again", "m", "issued", "active", 21),
        transfer("cancel", "m", "active", "issued", 21),
        transfer("refund", "m", "spent", "active", 50),
    ] {
        assert!(posted(&test.store, vec![step]).await[0].is_ok());
    }
    assert_eq!(active(&test.store, "m").await, 50);
    books_hold(&test.store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_racing_for_the_last_units_exactly_as_many_win_as_there_are_units() {
    let test = ledger_store().await;
    posted(&test.store, vec![transfer("stock", "m", "issued", "active", 7)]).await;
    let racers = (0..64).map(|n| posted(&test.store, vec![transfer(&format!("racer {n}"), "m", "active", "spent", 1)]));
    let won = join_all(racers).await.iter().filter(|verdicts| verdicts[0].is_ok()).count();
    assert_eq!(won, 7);
    assert_eq!(active(&test.store, "m").await, 0);
    books_hold(&test.store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_touch_the_same_accounts_in_opposite_order_do_not_deadlock() {
    let test = ledger_store().await;
    let owners: Vec<String> = (0..20).map(|n| format!("m{n}")).collect();
    let batches = (0..32).map(|round| {
        let mut batch: Vec<Transfer> =
            owners.iter().map(|owner| transfer(&format!("round {round}"), owner, "issued", "active", 1)).collect();
        if round % 2 == 1 {
            batch.reverse();
        }
        posted(&test.store, batch)
    });
    for verdicts in join_all(batches).await {
        assert!(verdicts.iter().all(Result::is_ok));
    }
    assert_eq!(active(&test.store, "m7").await, 32);
    books_hold(&test.store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_expect_new_rows_open_the_same_accounts_at_once() {
    let test = ledger_store().await;
    let batches = (0..32).map(|round| {
        let credit = |n| transfer(&format!("round {round}"), &format!("m{n}"), "issued", "active", 1);
        let batch: Vec<Transfer> = (0..20).map(credit).collect();
        test.store.transact_rows("post", Rows::New, move |tx| post(tx, &batch))
    });
    for verdicts in join_all(batches).await {
        assert!(verdicts.unwrap().iter().all(Result::is_ok));
    }
    let found = test.store.read("balance", |tx| balances(tx, &["m7"], "active")).await.unwrap();
    assert_eq!((found[0].balance, found[0].version, found[0].floor), (32, 32, Some(0)));
    let too_much = posted(&test.store, vec![transfer("too much", "m7", "active", "spent", 33)]).await;
    assert_eq!(too_much[0], Err(Refusal::BelowFloor { available: 32 }));
    books_hold(&test.store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_cannot_be_changed_or_removed() {
    use diesel::prelude::*;
    let test = ledger_store().await;
    posted(&test.store, vec![transfer("a", "m", "issued", "active", 1)]).await;
    for statement in
        ["update ledger_transfers set amount = 2", "delete from ledger_transfers", "truncate ledger_transfers"]
    {
        let outcome: Result<usize, store::Error> =
            test.store.transact("tamper", move |tx| Ok(diesel::sql_query(statement).execute(tx.conn())?)).await;
        assert!(outcome.unwrap_err().to_string().contains("append-only"), "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proof_names_the_account_that_drifted() {
    use diesel::prelude::*;
    let test = ledger_store().await;
    posted(&test.store, vec![transfer("a", "m", "issued", "active", 10)]).await;
    let tamper = "update ledger_balances set balance = 11 where account = 'active'";
    let _: usize = test
        .store
        .transact("tamper", move |tx| Ok::<_, store::Error>(diesel::sql_query(tamper).execute(tx.conn())?))
        .await
        .unwrap();
    let proof = test.store.read("proof", proof).await.unwrap();
    assert!(!proof.holds());
    assert_eq!(
        (proof.drifts[0].account.as_str(), proof.drifts[0].balance, proof.drifts[0].transferred),
        ("active", 11, 10)
    );
    assert_eq!(proof.units[0].sum, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trial_balance_has_equal_columns_and_entries_come_in_pages() {
    let test = ledger_store().await;
    let batch = (0..5).map(|n| transfer(&format!("r{n}"), "m", "issued", "active", 10 + n)).collect();
    posted(&test.store, batch).await;
    let lines = test.store.read("trial", trial_balance).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.debit).sum::<i64>(), 60);
    assert_eq!(lines.iter().map(|line| line.credit).sum::<i64>(), 60);
    let page = |after: Option<ledger::EntryKey>| {
        let filter =
            EntryFilter { owners: Some(vec!["m".into()]), account: Some("active".into()), ..EntryFilter::default() };
        test.store.read("entries", move |tx| entries(tx, &filter, after.as_ref(), 2))
    };
    let first = page(None).await.unwrap();
    assert_eq!(first.len(), 3, "two and the one too many");
    let amounts: Vec<i64> = first.iter().map(|entry| entry.amount).collect();
    assert_eq!(amounts, [10, 11, 12], "in the order they were posted");
    let rest = page(first.get(1).map(ledger::Entry::key)).await.unwrap();
    assert_eq!(rest.iter().map(|entry| entry.amount).collect::<Vec<_>>(), [12, 13, 14]);
}

/// What a ledger does, one transfer at a time, in memory.
#[derive(Default)]
struct Model {
    balances: HashMap<(String, &'static str), i64>,
    seen: HashMap<(String, String), (&'static str, &'static str, i64)>,
}

#[derive(Clone, Debug)]
struct Step {
    owner: u8,
    reference: u8,
    from: &'static str,
    to: &'static str,
    amount: i64,
}

impl Model {
    /// `Some(true)` posted, `Some(false)` posted before, `None` refused.
    fn apply(&mut self, owner: &str, step: &Step) -> Option<bool> {
        let content = (step.from, step.to, step.amount);
        let key = (owner.to_owned(), step.reference.to_string());
        if let Some(seen) = self.seen.get(&key) {
            return (*seen == content).then_some(false);
        }
        let balance = |model: &Self, name| model.balances.get(&(owner.to_owned(), name)).copied().unwrap_or(0);
        let left = balance(self, step.from) - step.amount;
        if step.from == step.to || (matches!(step.from, "active" | "held") && left < 0) {
            return None;
        }
        self.balances.insert((owner.to_owned(), step.from), left);
        *self.balances.entry((owner.to_owned(), step.to)).or_default() += step.amount;
        self.seen.insert(key, content);
        Some(true)
    }
}

fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let name = prop::sample::select(vec!["issued", "active", "held", "spent"]);
    let step = (0_u8..3, 0_u8..30, name.clone(), name, 1_i64..40)
        .prop_map(|(owner, reference, from, to, amount)| Step { owner, reference, from, to, amount });
    prop::collection::vec(prop::collection::vec(step, 1..25), 1..6)
}

#[test]
fn any_batches_end_as_the_model_says() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let test = runtime.block_on(ledger_store());
    let case = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(Config { cases: 48, ..Config::default() });
    runner
        .run(&steps(), |batches| {
            case.set(case.get() + 1);
            let owner_of = |step: &Step| format!("case {} owner {}", case.get(), step.owner);
            let mut model = Model::default();
            for batch in &batches {
                let transfers = batch
                    .iter()
                    .map(|step| transfer(&step.reference.to_string(), &owner_of(step), step.from, step.to, step.amount))
                    .collect();
                let expected: Vec<Option<bool>> = batch.iter().map(|step| model.apply(&owner_of(step), step)).collect();
                let found: Vec<Option<bool>> = runtime
                    .block_on(posted(&test.store, transfers))
                    .into_iter()
                    .map(|verdict| verdict.ok().map(|posted| !posted.before))
                    .collect();
                prop_assert_eq!(found, expected);
            }
            let owners: Vec<String> = (0..3).map(|owner| format!("case {} owner {owner}", case.get())).collect();
            let found = runtime
                .block_on(test.store.read("balances", move |tx| {
                    let owners: Vec<&str> = owners.iter().map(String::as_str).collect();
                    ledger::balances_of(tx, &owners)
                }))
                .unwrap();
            for balance in found {
                let name =
                    ["issued", "active", "held", "spent"].into_iter().find(|name| *name == balance.account).unwrap();
                let expected = model.balances.get(&(balance.owner, name)).copied().unwrap_or(0);
                prop_assert_eq!(balance.balance, expected);
            }
            Ok(())
        })
        .unwrap();
    runtime.block_on(books_hold(&test.store));
}
