//! What a return takes back of an accrual: exactly the returned units, telescoping, so that a full return nets to zero.

use kernel::{Rounding, telescope};

/// What was accrued on a line and what of it has gone back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accrued {
    /// Units of the line.
    pub quantity: i64,
    /// What was accrued on them, in minor units.
    pub amount: i64,
    /// Units given back so far.
    pub units_back: i64,
    /// What went back with them.
    pub amount_back: i64,
}

/// More units come back than were sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more units come back than were sold")]
pub struct TooMany;

impl Accrued {
    /// Takes back what `units` more returned units had earned, and says how much that is.
    ///
    /// After `c` of `n` units `round(amount × c ÷ n)` has gone back, halves up, whatever the steps were.
    pub fn give_back(&mut self, units: i64) -> Result<i64, TooMany> {
        let after = self.units_back.checked_add(units).filter(|after| *after <= self.quantity).ok_or(TooMany)?;
        let step = telescope(self.amount, self.quantity, self.units_back, after, Rounding::HalfUp).ok_or(TooMany)?;
        self.units_back = after;
        self.amount_back = self.amount_back.checked_add(step).ok_or(TooMany)?;
        Ok(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_hundred_over_three_units_goes_back_as_33_34_33() {
        let mut line = Accrued { quantity: 3, amount: 100, units_back: 0, amount_back: 0 };
        assert_eq!([1, 1, 1].map(|units| line.give_back(units)), [Ok(33), Ok(34), Ok(33)]);
        assert_eq!(line.give_back(1), Err(TooMany));
    }

    #[test]
    fn what_a_line_did_not_earn_is_not_taken_from_it() {
        // An order of 40.00 (A 10, B 10, C 20) that earned 10, 20 and 0 on its lines: giving back C takes nothing.
        let mut lines = [10, 20, 0].map(|amount| Accrued { quantity: 1, amount, units_back: 0, amount_back: 0 });
        assert_eq!(lines[2].give_back(1), Ok(0));
        assert_eq!(lines.map(|line| line.amount - line.amount_back), [10, 20, 0]);
    }

    proptest! {
        #[test]
        fn any_split_of_a_full_return_nets_to_zero(
            amount in 0_i64..1_000_000_000,
            steps in prop::collection::vec(1_i64..50, 1..20),
        ) {
            let mut line = Accrued { quantity: steps.iter().sum(), amount, units_back: 0, amount_back: 0 };
            for units in steps {
                let step = line.give_back(units).unwrap();
                prop_assert!(step >= 0);
            }
            prop_assert_eq!(line.amount - line.amount_back, 0);
        }
    }
}
