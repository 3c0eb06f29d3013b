//! What the buyer has paid of an order, still owes, and got back.
//!
//! What goes back for units first lowers what is still due; only the rest is money that the buyer has paid and is
//! refunded. So at any time paid = kept + refunded, and nobody is refunded what they have not paid.

use super::state::PaymentStatus;

/// The money of an order, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// What all of it costs.
    pub total: i64,
    /// What the buyer still has to pay.
    pub due: i64,
    /// What went back for units, be it refunded or no longer due.
    pub given_back: i64,
    /// How much of that was not paid yet, and is no longer due.
    pub waived: i64,
}

/// More than is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than is left of the order")]
pub struct Beyond;

impl Balance {
    /// What the buyer has paid.
    pub const fn paid(&self) -> i64 {
        self.total.saturating_sub(self.due).saturating_sub(self.waived)
    }

    /// What of that went back.
    pub const fn refunded(&self) -> i64 {
        self.given_back.saturating_sub(self.waived)
    }

    /// What of it the retailer keeps.
    pub const fn kept(&self) -> i64 {
        self.paid().saturating_sub(self.refunded())
    }

    /// Takes a payment.
    pub fn receive(&mut self, amount: i64) -> Result<(), Beyond> {
        if !(1..=self.due).contains(&amount) {
            return Err(Beyond);
        }
        self.due = self.due.saturating_sub(amount);
        Ok(())
    }

    /// Lowers what the order costs; answers what is refunded of it.
    pub fn give_back(&mut self, amount: i64) -> Result<i64, Beyond> {
        let left = self.total.saturating_sub(self.given_back);
        if !(0..=left).contains(&amount) {
            return Err(Beyond);
        }
        let waived = amount.min(self.due);
        self.due = self.due.saturating_sub(waived);
        self.waived = self.waived.saturating_add(waived);
        self.given_back = self.given_back.saturating_add(amount);
        Ok(amount.saturating_sub(waived))
    }

    /// Where the money stands, given whether every unit was given back.
    pub const fn status(&self, every_unit: bool) -> PaymentStatus {
        let (paid, refunded) = (self.paid(), self.refunded());
        if self.total == 0 {
            return if every_unit { PaymentStatus::Refunded } else { PaymentStatus::Paid };
        }
        match (paid, refunded) {
            (0, _) => PaymentStatus::Unpaid,
            (_, 0) if self.due > 0 => PaymentStatus::PartiallyPaid,
            (_, 0) if every_unit && self.waived == 0 => PaymentStatus::Refunded,
            (_, 0) => PaymentStatus::Paid,
            _ if every_unit || self.kept() == 0 => PaymentStatus::Refunded,
            _ => PaymentStatus::PartiallyRefunded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn balance(total: i64, due: i64) -> Balance {
        Balance { total, due, given_back: 0, waived: 0 }
    }

    #[test]
    fn what_is_still_due_falls_before_anything_is_refunded() {
        // 100, of which 30 are paid: 60 less is 60 less to pay, another 20 less is the last 10 due and 10 back.
        let mut it = balance(100, 70);
        assert_eq!(it.status(false), PaymentStatus::PartiallyPaid);
        assert_eq!((it.give_back(60), it.due, it.refunded()), (Ok(0), 10, 0));
        assert_eq!((it.give_back(20), it.due, it.refunded(), it.kept()), (Ok(10), 0, 10, 20));
        assert_eq!(it.status(false), PaymentStatus::PartiallyRefunded);
        assert_eq!((it.give_back(21), it.give_back(20)), (Err(Beyond), Ok(20)));
        assert_eq!((it.paid(), it.kept(), it.status(true)), (30, 0, PaymentStatus::Refunded));
    }

    #[test]
    fn what_was_never_paid_is_never_refunded() {
        let mut it = balance(100, 100);
        assert_eq!((it.give_back(100), it.due, it.paid()), (Ok(0), 0, 0));
        assert_eq!(it.status(true), PaymentStatus::Unpaid);
        assert_eq!(it.receive(1), Err(Beyond));
    }

    #[test]
    fn money_states_follow_what_went_back() {
        let after = |given_back: i64, every_unit| {
            let mut it = balance(100, 0);
            it.give_back(given_back).unwrap();
            it.status(every_unit)
        };
        assert_eq!(after(0, false), PaymentStatus::Paid);
        assert_eq!(after(99, false), PaymentStatus::PartiallyRefunded);
        // A part that is kept for good, as freight may be.
        assert_eq!(after(90, true), PaymentStatus::Refunded);
        assert_eq!(after(100, true), PaymentStatus::Refunded);
        assert_eq!(balance(0, 0).status(false), PaymentStatus::Paid);
        assert_eq!(balance(0, 0).status(true), PaymentStatus::Refunded);
    }

    proptest! {
        #[test]
        fn what_is_paid_is_kept_or_refunded(
            total in 1_i64..10_000,
            due in 0_i64..10_000,
            steps in prop::collection::vec((any::<bool>(), 0_i64..4_000), 1..20),
        ) {
            let due = due.min(total);
            let mut it = balance(total, due);
            let (mut received, mut refunded) = (total - due, 0);
            let mut before = it.status(false);
            for (pays, amount) in steps {
                let was = it;
                if pays {
                    if it.receive(amount).is_ok() { received += amount } else { prop_assert_eq!(it, was) }
                } else {
                    match it.give_back(amount) {
                        Ok(back) => refunded += back,
                        Err(_) => prop_assert_eq!(it, was),
                    }
                }
                prop_assert_eq!((it.paid(), it.refunded()), (received, refunded));
                prop_assert!(it.due >= 0 && it.kept() >= 0 && it.kept() + it.due == total - it.given_back);
                let now = it.status(false);
                prop_assert!(now == before || before.may_become(now), "{} to {}", before, now);
                before = now;
            }
        }
    }
}
