//! Accounts of points, tried on purchases and what is given back.

use super::*;
use crate::domain::purchase::PurchasedLine;
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn day(day: u32) -> Timestamp {
    at(&format!("2026-11-{day:02}T00:00:00+08:00"))
}

fn operation(name: impl Into<String>) -> Operation {
    Operation::new(name, day(1))
}

fn order(number: u128) -> OrderId {
    OrderId(Uuid::from_u128(number))
}

fn lot(number: u128, points: i64, expires_at: Option<Timestamp>) -> Lot {
    let line = Some((order(number), 1));
    Lot {
        lot_id: Uuid::from_u128(number),
        line,
        points,
        remaining: points,
        lapsed: 0,
        active_since: day(1),
        expires_at,
    }
}

fn with_lots(lots: Vec<Lot>) -> Account {
    let active = lots.iter().map(|lot| lot.remaining).sum();
    Account::new(Balances { active, ..Balances::default() }, 0, lots)
}

fn remaining(account: &Account) -> Vec<i64> {
    account.lots.iter().chain(&account.new_lots).map(|lot| lot.remaining).collect()
}

/// The lots hold exactly the active points, and nothing is negative.
fn holds_together(account: &Account) -> bool {
    let Balances { pending, active, held, arrears } = account.balances;
    remaining(account).iter().sum::<i64>() == active
        && remaining(account).iter().all(|points| *points >= 0)
        && [pending, active, held, arrears].iter().all(|points| *points >= 0)
}

#[test]
fn five_holds_of_a_thousand_succeed_on_five_thousand_and_the_sixth_fails() {
    let mut account = with_lots(vec![lot(1, 5_000, None)]);
    for number in 1..=5 {
        account.hold(&operation(format!("hold:{number}")), 1_000).unwrap();
    }
    assert_eq!(account.hold(&operation("hold:6"), 1_000), Err(TooFew { available: 0 }));
    assert_eq!(account.balances(), Balances { held: 5_000, ..Balances::default() });
}

#[test]
fn earned_redeemed_earned_cancelled_and_refunded_ends_at_fifty() {
    // Golden vector 10: +50, −50 redeemed, +21, cancel (−21), refund (+50).
    let mut account = Account::default();
    account.earn(&operation("order:1"), 50);
    account.activate(&operation("order:1"), vec![lot(1, 50, None)]);
    let parts = account.hold(&operation("hold:1"), 50).unwrap();
    account.capture(&operation("hold:1"), &parts);
    account.earn(&operation("order:2"), 21);
    account.claw_back_pending(&operation("cancel:1"), 21);
    account.reverse(&operation("reverse:1"), &parts);
    assert_eq!(account.balances(), Balances { active: 50, ..Balances::default() });
    assert_eq!(remaining(&account), [50]);
}

#[test]
fn the_first_to_lapse_is_spent_first_and_comes_back_to_the_same_lot() {
    let lots = vec![lot(1, 10, None), lot(2, 10, Some(day(20))), lot(3, 10, Some(day(10)))];
    let mut account = with_lots(lots);
    let parts = account.hold(&operation("hold:1"), 15).unwrap();
    assert_eq!(remaining(&account), [10, 5, 0]);
    account.release(&operation("hold:1"), &parts);
    assert_eq!(remaining(&account), [10, 10, 10]);
    assert_eq!(account.balances().active, 30);
}

#[test]
fn lapsed_lots_go_and_the_instant_itself_is_lapsed() {
    let mut account = with_lots(vec![lot(1, 10, Some(day(10))), lot(2, 7, Some(day(11))), lot(3, 1, None)]);
    account.expire(&operation("expiry:1"), day(10));
    assert_eq!(remaining(&account), [0, 7, 1]);
    assert_eq!(account.balances().active, 8);
}

#[test]
fn a_clawback_takes_the_lines_own_lot_then_the_first_to_lapse_and_the_rest_is_owed() {
    let mut own = lot(1, 20, None);
    own.remaining = 5;
    let mut account = with_lots(vec![own, lot(2, 4, Some(day(20))), lot(3, 4, Some(day(10)))]);
    account.claw_back(&operation("refund:1"), &[((order(1), 1), 8)]);
    assert_eq!(remaining(&account), [0, 4, 1]);
    account.claw_back(&operation("refund:2"), &[((order(1), 1), 12)]);
    assert_eq!(remaining(&account), [0, 0, 0]);
    assert_eq!(account.balances(), Balances { arrears: 7, ..Balances::default() });
}

#[test]
fn points_that_lapsed_unspent_are_not_owed_when_their_purchase_is_undone() {
    let mut account = with_lots(vec![lot(1, 10, Some(day(10))), lot(2, 7, None)]);
    account.expire(&operation("expiry:1"), day(10));
    account.claw_back(&operation("refund:1"), &[((order(1), 1), 10)]);
    assert_eq!(account.balances(), Balances { active: 7, ..Balances::default() });
}

#[test]
fn arrears_are_repaid_before_anything_becomes_spendable() {
    let mut account = Account::new(Balances { arrears: 30, pending: 50, ..Balances::default() }, 0, vec![]);
    account.activate(&operation("order:1"), vec![lot(1, 20, None), lot(2, 30, None)]);
    assert_eq!(account.balances(), Balances { active: 20, ..Balances::default() });
    assert_eq!(remaining(&account), [0, 20]);
}

proptest! {
    /// However an order is cancelled and returned, before and after it became final, and whatever was spent and brought
    /// back meanwhile: in the end there are neither points nor debts, and nothing counts towards a tier.
    #[test]
    fn any_split_of_cancelling_and_returning_ends_with_nothing(
        lines in prop::collection::vec((1_i64..12, 0_i64..500_000, 0_i64..9_000), 1..6),
        picks in prop::collection::vec(0_usize..100, 72), final_after in 0_usize..40, spend in 0_i64..20_000,
    ) {
        let mut lines: Vec<PurchasedLine> = (1..).zip(lines).map(|(line_no, (quantity, paid_amount, points))| {
            PurchasedLine { line_no, quantity, paid_amount, points, given_back: 0 }
        }).collect();
        let mut account = Account::default();
        account.earn(&operation("order:1"), lines.iter().map(|line| line.points).sum());
        let mut credit = 0;
        let mut held = None;
        let mut is_final = false;
        let units: i64 = lines.iter().map(|line| line.quantity).sum();
        for step in 0..=usize::try_from(units).unwrap() {
            if step == final_after.min(usize::try_from(units).unwrap()) {
                let lots = lines.iter().map(|line| {
                    let lot_id = Uuid::from_u128(u128::try_from(line.line_no).unwrap());
                    let points = line.kept().points;
                    Lot { lot_id, line: Some((order(1), line.line_no)), ..lot(1, points, None) }
                });
                account.activate(&operation("order:1"), lots.collect());
                credit += lines.iter().map(|line| line.kept().paid_amount).sum::<i64>();
                let points = spend.min(account.balances().active);
                held = (points > 0).then(|| account.hold(&operation("hold:1"), points).unwrap());
                is_final = true;
            }
            let open: Vec<usize> = (0..lines.len()).filter(|i| lines[*i].given_back < lines[*i].quantity).collect();
            let Some(pick) = open.get(picks[step % picks.len()] % open.len().max(1)) else { break };
            let worth = lines[*pick].give_back(1).unwrap();
            if is_final {
                account.claw_back(&operation(format!("refund:{step}")), &[((order(1), lines[*pick].line_no), worth.points)]);
                credit -= worth.paid_amount;
            } else {
                account.claw_back_pending(&operation(format!("refund:{step}")), worth.points);
            }
            prop_assert!(holds_together(&account), "{:?}", account);
        }
        if let Some(parts) = held {
            account.release(&operation("hold:1"), &parts);
        }
        prop_assert_eq!(account.balances(), Balances::default());
        prop_assert!(holds_together(&account));
        prop_assert_eq!(credit, 0);
    }
}
