//! What the buyer has paid of an order, still owes, and got back.
//!
//! What goes back for units first lowers what is still due; only the rest is money that the buyer has paid and is
//! refunded. So at any time paid = kept + refunded, and nobody is refunded what they have not paid. What is authorised is
//! neither due nor paid until it is captured; it falls after what is due and before anything is refunded.

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
    /// What payments promise that was not taken yet.
    pub authorised: i64,
}

/// More than is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than is left of the order")]
pub struct Beyond;

impl Balance {
    /// What the buyer has paid.
    pub const fn paid(&self) -> i64 {
        self.total.saturating_sub(self.due).saturating_sub(self.waived).saturating_sub(self.authorised)
    }

    /// What the buyer has paid, or a payment promises.
    pub const fn covered(&self) -> i64 {
        self.paid().saturating_add(self.authorised)
    }

    /// What of that went back.
    pub const fn refunded(&self) -> i64 {
        self.given_back.saturating_sub(self.waived)
    }

    /// What of it the retailer keeps.
    pub const fn kept(&self) -> i64 {
        self.paid().saturating_sub(self.refunded())
    }

    /// Raises what the order costs. What is taken or promised for it at once is not due.
    pub fn grow(&mut self, amount: i64, captured: i64, authorised: i64) -> Result<(), Beyond> {
        let covered = captured.checked_add(authorised).ok_or(Beyond)?;
        let due = self.due.checked_add(amount).and_then(|due| due.checked_sub(covered)).filter(|due| *due >= 0);
        let total = self.total.checked_add(amount).filter(|_| captured >= 0 && authorised >= 0 && amount >= 0);
        let (Some(due), Some(total)) = (due, total) else { return Err(Beyond) };
        (self.due, self.total) = (due, total);
        self.authorised = self.authorised.saturating_add(authorised);
        Ok(())
    }

    /// Takes a payment.
    pub fn receive(&mut self, amount: i64) -> Result<(), Beyond> {
        if !(1..=self.due).contains(&amount) {
            return Err(Beyond);
        }
        self.due = self.due.saturating_sub(amount);
        Ok(())
    }

    /// Takes the promise of a payment.
    pub fn authorise(&mut self, amount: i64) -> Result<(), Beyond> {
        self.receive(amount)?;
        self.authorised = self.authorised.saturating_add(amount);
        Ok(())
    }

    /// Ends the promise of so much, of which some is taken: the rest is due again.
    pub fn settle(&mut self, authorised: i64, taken: i64) -> Result<(), Beyond> {
        if !(0..=self.authorised).contains(&authorised) || !(0..=authorised).contains(&taken) {
            return Err(Beyond);
        }
        self.authorised = self.authorised.saturating_sub(authorised);
        self.due = self.due.saturating_add(authorised.saturating_sub(taken));
        Ok(())
    }

    /// Lowers what the order costs; answers what is refunded of it.
    pub fn give_back(&mut self, amount: i64) -> Result<i64, Beyond> {
        let left = self.total.saturating_sub(self.given_back);
        if !(0..=left).contains(&amount) {
            return Err(Beyond);
        }
        let no_longer_due = amount.min(self.due);
        self.due = self.due.saturating_sub(no_longer_due);
        let released = amount.saturating_sub(no_longer_due).min(self.authorised);
        self.authorised = self.authorised.saturating_sub(released);
        let waived = no_longer_due.saturating_add(released);
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
            (0, _) if self.authorised > 0 && self.due == 0 => PaymentStatus::Authorised,
            (0, _) => PaymentStatus::Unpaid,
            (_, 0) if self.due > 0 || self.authorised > 0 => PaymentStatus::PartiallyPaid,
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
        Balance { total, due, given_back: 0, waived: 0, authorised: 0 }
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
    fn what_is_authorised_falls_before_anything_is_refunded_and_is_due_again_when_it_is_given_up() {
        // 100: 30 paid, 50 authorised, 20 due. 40 less is the 20 due and 20 authorised less; nothing is refunded.
        let mut it = balance(100, 70);
        it.authorise(50).unwrap();
        assert_eq!((it.paid(), it.authorised, it.due, it.status(false)), (30, 50, 20, PaymentStatus::PartiallyPaid));
        assert_eq!((it.give_back(40), it.paid(), it.authorised, it.due), (Ok(0), 30, 30, 0));
        // 25 of the 30 are taken; the other 5 are due again.
        assert_eq!((it.settle(30, 25), it.paid(), it.authorised, it.due), (Ok(()), 55, 0, 5));
        assert_eq!((it.settle(1, 0), it.status(false)), (Err(Beyond), PaymentStatus::PartiallyPaid));
        let mut all = balance(100, 100);
        all.authorise(100).unwrap();
        assert_eq!((all.status(false), all.due), (PaymentStatus::Authorised, 0));
        all.settle(100, 0).unwrap();
        assert_eq!((all.status(false), all.due), (PaymentStatus::Unpaid, 100));
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
            steps in prop::collection::vec((0..5_u8, 0_i64..4_000), 1..20),
        ) {
            let due = due.min(total);
            let mut it = balance(total, due);
            let (mut received, mut refunded) = (total - due, 0);
            let mut before = it.status(false);
            for (step, amount) in steps {
                let was = it;
                let done = match step {
                    0 => it.receive(amount).map(|()| received += amount),
                    1 => it.authorise(amount),
                    // All of it ends, and so much is taken.
                    2 => it.settle(was.authorised, amount).map(|()| received += amount),
                    3 => it.settle(amount, 0),
                    _ => it.give_back(amount).map(|back| refunded += back),
                };
                if done.is_err() {
                    prop_assert_eq!(it, was);
                }
                prop_assert_eq!((it.paid(), it.refunded()), (received, refunded));
                prop_assert!(it.due >= 0 && it.authorised >= 0 && it.kept() >= 0);
                prop_assert_eq!(it.kept() + it.authorised + it.due, total - it.given_back);
                let now = it.status(false);
                prop_assert!(now == before || before.may_become(now), "{} to {}", before, now);
                before = now;
            }
        }
    }
}
