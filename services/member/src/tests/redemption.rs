//! Points are set aside, spent, given back and granted.

use std::time::Duration;

use contracts::Cause;
use kernel::Timestamp;
use kernel::id::MemberId;

use super::{Shop, only, phone};
use crate::app::grant_points::{GrantCommand, grant_points};
use crate::app::hold_points::{HoldCommand, HoldError, HoldStep, hold_points, step_hold};
use crate::app::lapse::lapse;
use crate::domain::account::Balances;
use crate::store::points::HoldRow;

const NOTHING: Balances = Balances { pending: 0, active: 0, held: 0, arrears: 0 };

impl Shop {
    pub async fn holds(&self, member: MemberId, points: i64) -> Result<HoldRow, HoldError> {
        let (reason, cause) = ("a mug".to_owned(), Cause::default());
        let command = HoldCommand { member, points, seconds: 900, reason, reference: None, cause };
        self.test.store.transact("hold", move |tx| hold_points(tx, &command)).await
    }

    pub async fn steps(&self, hold: &HoldRow, step: HoldStep) -> Result<HoldRow, HoldError> {
        let hold = hold.hold_id;
        self.test.store.transact("step", move |tx| step_hold(tx, hold, step, &Cause::default())).await
    }

    async fn grants(&self, member: MemberId, points: i64, expires_at: Option<Timestamp>) {
        let command = GrantCommand { member, points, reason: "welcome".into(), expires_at, cause: Cause::default() };
        self.test.store.transact("grant", move |tx| grant_points(tx, &command)).await.unwrap();
    }
}

#[tokio::test]
async fn five_holds_of_a_thousand_succeed_on_five_thousand_and_the_sixth_fails() {
    let shop = Shop::new().await;
    let (member, _) = shop.member_with("13800138000", 5_000).await;
    let attempts = futures_util::future::join_all((0..6).map(|_| shop.holds(member, 1_000))).await;
    let refused: Vec<_> = attempts.iter().filter_map(|it| it.as_ref().err()).collect();
    assert!(matches!(refused[..], [HoldError::TooFew(0)]), "{refused:?}");
    assert_eq!(shop.points(member).await, Balances { held: 5_000, ..NOTHING });
    shop.is_proved().await;
}

#[tokio::test]
async fn earned_redeemed_earned_cancelled_and_refunded_ends_at_fifty() {
    // Golden vector 10: +50, −50 redeemed, +21, cancel (−21), refund (+50).
    let shop = Shop::new().await;
    let (member, _) = shop.member_with("13800138000", 50).await;
    let hold = shop.holds(member, 50).await.unwrap();
    shop.steps(&hold, HoldStep::Capture).await.unwrap();
    let second = shop.order(&[phone("13800138000")], &[("B", 1, 2_100)]);
    shop.hears(&second).await.unwrap();
    assert_eq!(shop.points(member).await, Balances { pending: 21, ..NOTHING });
    shop.cancels(&second, &[(1, 1)]).await.unwrap();
    shop.steps(&hold, HoldStep::Reverse).await.unwrap();
    assert_eq!(shop.points(member).await, Balances { active: 50, ..NOTHING });
    shop.is_proved().await;
}

#[tokio::test]
async fn a_hold_whose_time_is_over_gives_back_and_cannot_be_captured() {
    let shop = Shop::new().await;
    let (member, _) = shop.member_with("13800138000", 50).await;
    let hold = shop.holds(member, 50).await.unwrap();
    shop.test.clock.advance(Duration::from_secs(900));
    assert_eq!(shop.points(member).await, Balances { active: 50, ..NOTHING }, "it counts no more at once");
    assert!(matches!(shop.steps(&hold, HoldStep::Capture).await, Err(HoldError::Status(status)) if status == "lapsed"));
    let again = shop.holds(member, 50).await.unwrap();
    shop.test.clock.advance(Duration::from_secs(900));
    shop.test.store.transact("lapse", move |tx| lapse(tx, &only(member))).await.unwrap();
    assert!(matches!(shop.steps(&again, HoldStep::Release).await, Err(HoldError::Status(_))));
    assert_eq!(shop.points(member).await, Balances { active: 50, ..NOTHING });
    shop.is_proved().await;
}

#[tokio::test]
async fn a_step_taken_twice_is_taken_once() {
    let shop = Shop::new().await;
    let (member, _) = shop.member_with("13800138000", 50).await;
    let hold = shop.holds(member, 20).await.unwrap();
    for _ in 0..2 {
        shop.steps(&hold, HoldStep::Release).await.unwrap();
    }
    assert_eq!(shop.points(member).await, Balances { active: 50, ..NOTHING });
    assert!(matches!(shop.steps(&hold, HoldStep::Capture).await, Err(HoldError::Status(_))));
    shop.is_proved().await;
}

#[tokio::test]
async fn points_spent_before_the_return_are_owed_and_repaid_from_the_next_order() {
    let shop = Shop::new().await;
    let (member, first) = shop.member_with("13800138000", 50).await;
    let hold = shop.holds(member, 40).await.unwrap();
    shop.steps(&hold, HoldStep::Capture).await.unwrap();
    shop.refunds(&first, &[(1, 1)]).await.unwrap();
    assert_eq!(shop.points(member).await, Balances { arrears: 40, ..NOTHING });
    assert!(matches!(shop.holds(member, 1).await, Err(HoldError::TooFew(0))));
    let second = shop.order(&[phone("13800138000")], &[("B", 1, 10_000)]);
    shop.hears(&second).await.unwrap();
    assert_eq!(shop.points(member).await, Balances { pending: 100, arrears: 40, ..NOTHING });
    shop.completes(second.order_id).await.unwrap();
    assert_eq!(shop.points(member).await, Balances { active: 60, ..NOTHING });
    shop.is_proved().await;
}

#[tokio::test]
async fn a_hold_takes_what_lapses_first_and_reversing_brings_it_back_there() {
    let shop = Shop::new().await;
    let (member, _) = shop.member_with("13800138000", 50).await;
    let soon = shop.now().plus_seconds(86_400);
    shop.grants(member, 30, Some(soon)).await;
    let hold = shop.holds(member, 40).await.unwrap();
    shop.steps(&hold, HoldStep::Capture).await.unwrap();
    assert_eq!(shop.points(member).await, Balances { active: 40, ..NOTHING });
    shop.test.clock.advance(Duration::from_secs(86_400));
    // Thirty of the forty come back to a lot that has lapsed meanwhile, so they lapse too.
    shop.steps(&hold, HoldStep::Reverse).await.unwrap();
    assert_eq!(shop.points(member).await, Balances { active: 50, ..NOTHING });
    shop.is_proved().await;
}

#[tokio::test]
async fn a_grant_repays_what_is_owed_first() {
    let shop = Shop::new().await;
    let (member, first) = shop.member_with("13800138000", 50).await;
    let hold = shop.holds(member, 50).await.unwrap();
    shop.steps(&hold, HoldStep::Capture).await.unwrap();
    shop.refunds(&first, &[(1, 1)]).await.unwrap();
    shop.grants(member, 80, None).await;
    assert_eq!(shop.points(member).await, Balances { active: 30, ..NOTHING });
    shop.is_proved().await;
}
