//! To which payments money goes back.

/// A payment, as far as money goes back to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paid {
    /// Its place among the order's payments, from 1.
    pub sequence: i32,
    /// How much was paid.
    pub amount: i64,
    /// How much of it has gone back.
    pub refunded: i64,
}

impl Paid {
    /// What may still go back.
    pub const fn left(&self) -> i64 {
        self.amount.saturating_sub(self.refunded)
    }
}

/// What of a refund goes to a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The payment's place among the order's payments.
    pub sequence: i32,
    /// How much.
    pub amount: i64,
    /// How much of that is no money: it pays for the order of an exchange.
    pub exchange_amount: i64,
}

/// More is to go back than is left of the payments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more goes back than was paid")]
pub struct Beyond;

/// Shares a refund out: the first payment first, the next one only when nothing of it is left. So a refund touches as few
/// payments as can be, and the channel decides by the order in which it names them.
pub fn share_out(payments: &[Paid], amount: i64) -> Result<Vec<Part>, Beyond> {
    let mut open = amount;
    let mut parts = Vec::new();
    for payment in payments {
        let part = payment.left().min(open);
        if part > 0 {
            parts.push(Part { sequence: payment.sequence, amount: part, exchange_amount: 0 });
            open = open.saturating_sub(part);
        }
    }
    if open == 0 { Ok(parts) } else { Err(Beyond) }
}

/// Marks what of a refund pays for the order of an exchange. Money goes to the first parts, as money always does; the rest is
/// the exchange's.
pub fn set_aside(parts: &mut [Part], exchange_amount: i64) {
    let mut open = exchange_amount;
    for part in parts.iter_mut().rev() {
        part.exchange_amount = part.amount.min(open);
        open = open.saturating_sub(part.exchange_amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part(sequence: i32, amount: i64, exchange_amount: i64) -> Part {
        Part { sequence, amount, exchange_amount }
    }

    #[test]
    fn an_exchange_is_paid_from_the_last_parts() {
        // 120 of 250 pay for an exchange: 130 are money, 100 for the first payment and 30 for the third.
        let mut parts = [part(1, 100, 0), part(3, 150, 0)];
        set_aside(&mut parts, 120);
        assert_eq!(parts, [part(1, 100, 0), part(3, 150, 120)]);
        set_aside(&mut parts, 160);
        assert_eq!(parts, [part(1, 100, 10), part(3, 150, 150)]);
    }

    fn paid(amounts: &[(i64, i64)]) -> Vec<Paid> {
        (1..)
            .zip(amounts)
            .map(|(sequence, (amount, refunded))| Paid { sequence, amount: *amount, refunded: *refunded })
            .collect()
    }

    #[test]
    fn the_first_payment_is_used_up_before_the_next() {
        // 100 is left of the first, 300 of the third: 250 is 100 and 150.
        let payments = paid(&[(300, 200), (50, 50), (300, 0)]);
        let parts = [part(1, 100, 0), part(3, 150, 0)];
        assert_eq!(share_out(&payments, 250), Ok(parts.to_vec()));
        assert_eq!(share_out(&payments, 0), Ok(Vec::new()));
        assert_eq!(share_out(&payments, 401), Err(Beyond));
    }

    proptest! {
        #[test]
        fn refunds_use_payments_up_and_never_more(
            amounts in prop::collection::vec(0_i64..10_000, 1..6),
            steps in prop::collection::vec(0_i64..5_000, 1..12),
        ) {
            let mut payments = paid(&amounts.iter().map(|amount| (*amount, 0)).collect::<Vec<_>>());
            for step in steps {
                let left: i64 = payments.iter().map(Paid::left).sum();
                let shared = share_out(&payments, step);
                prop_assert_eq!(shared.is_ok(), step <= left);
                for part in shared.unwrap_or_default() {
                    let payment = payments.iter_mut().find(|it| it.sequence == part.sequence).unwrap();
                    payment.refunded += part.amount;
                    prop_assert!(part.amount > 0 && payment.left() >= 0);
                }
            }
        }
    }
}
