//! What an order line was worth to its member, and exactly what goes when units of it are given back.

use kernel::{Rounding, telescope};

/// A bought line as the member service remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurchasedLine {
    /// Its number within the order.
    pub line_no: i32,
    /// How many units were bought.
    pub quantity: i64,
    /// What was paid for all of them, in minor units.
    pub paid_amount: i64,
    /// The points all of them earn.
    pub points: i64,
    /// How many units were cancelled or returned so far.
    pub given_back: i64,
}

/// A line's worth, or a part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worth {
    /// Points.
    pub points: i64,
    /// What was paid, in minor units: what counts towards a tier.
    pub paid_amount: i64,
}

/// More units were given back than were bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line_no}: {units} units are given back, but only {left} are left")]
pub struct TooMany {
    line_no: i32,
    units: i64,
    left: i64,
}

impl PurchasedLine {
    /// What the units given back between two counts were worth; telescoping, so that all the steps add up to the line.
    fn step(&self, before: i64, after: i64) -> Option<Worth> {
        let of = |total| telescope(total, self.quantity, before, after, Rounding::HalfUp);
        Some(Worth { points: of(self.points)?, paid_amount: of(self.paid_amount)? })
    }

    /// Takes units back and says what they were worth.
    pub fn give_back(&mut self, units: i64) -> Result<Worth, TooMany> {
        let left = self.quantity - self.given_back;
        let refused = TooMany { line_no: self.line_no, units, left };
        if units > left {
            return Err(refused);
        }
        let after = self.given_back + units;
        let worth = self.step(self.given_back, after).ok_or(refused)?;
        self.given_back = after;
        Ok(worth)
    }

    /// Sets how many units are back by now, and says what that takes; negative where units turn out not to be back.
    pub fn set_given_back(&mut self, units: i64) -> Worth {
        let worth = self.step(self.given_back, units).unwrap_or_default();
        self.given_back = units;
        worth
    }

    /// What the units that are still with the buyer are worth.
    pub fn kept(&self) -> Worth {
        self.step(self.given_back, self.quantity).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_hundred_points_over_three_units_go_as_33_34_33() {
        let mut line = PurchasedLine { line_no: 1, quantity: 3, paid_amount: 100, points: 100, given_back: 0 };
        let steps: Vec<i64> = (0..3).map(|_| line.give_back(1).unwrap().points).collect();
        assert_eq!(steps, [33, 34, 33]);
        assert_eq!(line.kept(), Worth::default());
    }

    #[test]
    fn more_than_was_bought_cannot_come_back() {
        let mut line = PurchasedLine { line_no: 4, quantity: 2, paid_amount: 100, points: 1, given_back: 1 };
        assert_eq!(line.give_back(2), Err(TooMany { line_no: 4, units: 2, left: 1 }));
        assert_eq!(line.given_back, 1);
    }

    proptest! {
        #[test]
        fn what_is_kept_and_what_is_given_back_always_add_up(
            steps in prop::collection::vec(1_i64..20, 1..12), paid_amount in 0_i64..10_000_000, points in 0_i64..100_000,
        ) {
            let quantity = steps.iter().sum();
            let mut line = PurchasedLine { line_no: 1, quantity, paid_amount, points, given_back: 0 };
            let mut gone = Worth::default();
            for units in steps {
                let worth = line.give_back(units).unwrap();
                gone.points += worth.points;
                gone.paid_amount += worth.paid_amount;
                prop_assert_eq!(gone.points + line.kept().points, points);
                prop_assert_eq!(gone.paid_amount + line.kept().paid_amount, paid_amount);
            }
            prop_assert_eq!(line.kept(), Worth::default());
        }
    }
}
