//! Rates in parts per million, rounding, and the two ways a rounded total is handed out without losing a unit.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One whole, in parts per million.
pub const PPM: i64 = 1_000_000;

/// How a fraction of a minor unit is rounded, once, on the total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// Towards minus infinity: points granted.
    Floor,
    /// Towards plus infinity: points needed.
    Ceiling,
    /// To the nearest, halves away from zero: rebates.
    #[default]
    HalfUp,
}

impl Rounding {
    /// `numerator ÷ denominator`, rounded; `None` when the denominator is not positive or the result leaves `i64`.
    pub fn divide(self, numerator: i128, denominator: i128) -> Option<i64> {
        if denominator <= 0 {
            return None;
        }
        let floor = numerator.div_euclid(denominator);
        let rest = numerator.rem_euclid(denominator);
        let up = match self {
            Self::Floor => false,
            Self::Ceiling => rest > 0,
            Self::HalfUp => {
                let twice = rest.checked_mul(2)?;
                twice > denominator || (twice == denominator && numerator > 0)
            }
        };
        i64::try_from(floor.checked_add(i128::from(up))?).ok()
    }
}

/// A rate in integer parts per million: 30,000 is 3 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = i64, example = 30000)]
pub struct Rate(pub i64);

impl Rate {
    /// The rate's share of `amount`, rounded as told; `None` on overflow.
    pub fn of(self, amount: i64, rounding: Rounding) -> Option<i64> {
        rounding.divide(i128::from(amount).checked_mul(i128::from(self.0))?, i128::from(PPM))
    }
}

/// Hands `total` out over `weights` by largest remainder, ties to the earlier weight, so that the parts add up exactly.
///
/// A negative total is handed out as its positive mirror. Weights must not be negative and not all zero; `None`
/// otherwise. The method is Hamilton's (largest remainder) apportionment.
pub fn allocate(total: i64, weights: &[i64]) -> Option<Vec<i64>> {
    if weights.iter().any(|weight| *weight < 0) {
        return None;
    }
    let whole: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
    if whole == 0 {
        return None;
    }
    if total < 0 {
        let mirrored = allocate(total.checked_neg()?, weights)?;
        return mirrored.into_iter().map(i64::checked_neg).collect();
    }
    let mut parts = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    let mut handed_out: i64 = 0;
    for (index, weight) in weights.iter().enumerate() {
        let exact = i128::from(total).checked_mul(i128::from(*weight))?;
        let part = i64::try_from(exact.checked_div(whole)?).ok()?;
        handed_out = handed_out.checked_add(part)?;
        remainders.push((std::cmp::Reverse(exact.checked_rem(whole)?), index));
        parts.push(part);
    }
    remainders.sort_unstable();
    let left = usize::try_from(total.checked_sub(handed_out)?).ok()?;
    for (_, index) in remainders.into_iter().take(left) {
        let part = parts.get_mut(index)?;
        *part = part.checked_add(1)?;
    }
    Some(parts)
}

/// What the step from `before` to `after` (of `base` units) takes of `total`, so that any split of the units ends exactly
/// at the total: `A(after) − A(before)` with `A(c) = round(total × c ÷ base)`.
pub fn telescope(total: i64, base: i64, before: i64, after: i64, rounding: Rounding) -> Option<i64> {
    let upto = |count: i64| rounding.divide(i128::from(total).checked_mul(i128::from(count))?, i128::from(base));
    upto(after)?.checked_sub(upto(before)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rounding_modes_differ_only_at_fractions() {
        assert_eq!(Rounding::Floor.divide(7, 2), Some(3));
        assert_eq!(Rounding::Ceiling.divide(7, 2), Some(4));
        assert_eq!(Rounding::HalfUp.divide(7, 2), Some(4));
        assert_eq!(Rounding::HalfUp.divide(-7, 2), Some(-4));
        assert_eq!(Rounding::HalfUp.divide(-5, 4), Some(-1));
        assert_eq!(Rounding::HalfUp.divide(8, 2), Some(4));
    }

    #[test]
    fn fifteen_over_unequal_shares() {
        // Shares of 4/5, 2/25 and 3/25.
        assert_eq!(allocate(15, &[20, 2, 3]), Some(vec![12, 1, 2]));
    }

    #[test]
    fn a_hundred_points_over_three_units() {
        let step = |before, after| telescope(100, 3, before, after, Rounding::HalfUp);
        assert_eq!([step(0, 1), step(1, 2), step(2, 3)], [Some(33), Some(34), Some(33)]);
    }

    proptest! {
        #[test]
        fn allocation_adds_up_and_stays_within_one_of_exact(
            total in -1_000_000_000_i64..1_000_000_000,
            weights in prop::collection::vec(0_i64..1_000_000, 1..20),
        ) {
            prop_assume!(weights.iter().any(|w| *w > 0));
            let parts = allocate(total, &weights).unwrap();
            prop_assert_eq!(parts.iter().sum::<i64>(), total);
            let whole: i128 = weights.iter().map(|w| i128::from(*w)).sum();
            for (part, weight) in parts.iter().zip(&weights) {
                let off = i128::from(*part) * whole - i128::from(total) * i128::from(*weight);
                prop_assert!(off.abs() < whole, "{} of {:?}", part, weights);
            }
        }

        #[test]
        fn any_split_of_a_return_ends_at_the_total(
            total in 0_i64..1_000_000_000,
            steps in prop::collection::vec(1_i64..50, 1..20),
        ) {
            let base: i64 = steps.iter().sum();
            let mut before = 0;
            let mut sum = 0;
            for step in steps {
                sum += telescope(total, base, before, before + step, Rounding::HalfUp).unwrap();
                before += step;
            }
            prop_assert_eq!(sum, total);
        }
    }
}
