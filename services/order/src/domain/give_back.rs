//! What goes back to the buyer for units that are cancelled or returned.
//!
//! Cancelled and returned units walk one and the same telescope per line, so that any mix and any split of them ends
//! exactly at what was paid.

use contracts::events::RefundLine;
use kernel::{Quantity, Rounding, telescope};
use serde::{Deserialize, Serialize};

use super::line::Line;

/// When the freight goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FreightRefund {
    /// All of it, with the last unit of the order.
    LastUnit,
    /// Each line's share, in step with its units.
    Proportional,
    /// Never.
    Never,
}

/// What goes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// Per line, without freight.
    pub lines: Vec<RefundLine>,
    /// Freight.
    pub freight_amount: i64,
    /// Everything.
    pub total_amount: i64,
}

impl Given {
    /// This, or what another rule gives, if that is more freight.
    pub fn or_more_freight(self, other: Self) -> Self {
        if other.freight_amount > self.freight_amount { other } else { self }
    }

    /// With no more freight than is left: another rule, or a refund of freight alone, may have given some of it back.
    pub fn within(self, freight_left: i64) -> Self {
        let freight_amount = self.freight_amount.min(freight_left);
        let goods = self.total_amount.saturating_sub(self.freight_amount);
        Self { freight_amount, total_amount: goods.saturating_add(freight_amount), ..self }
    }
}

/// Amounts beyond what a line holds: a broken promise of the caller, who has checked the units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more units go back than line {0} has")]
pub struct Beyond(pub i32);

/// What goes back for so many more units of each named line. Each line is named once.
pub fn give_back(lines: &[Line], steps: &[(i32, i64)], rule: FreightRefund) -> Result<Given, Beyond> {
    let mut given = Given { lines: Vec::with_capacity(steps.len()), freight_amount: 0, total_amount: 0 };
    for (line_no, units) in steps {
        let line = lines.iter().find(|line| line.line_no == *line_no).ok_or(Beyond(*line_no))?;
        let before = line.given_back();
        let after = before.checked_add(*units).filter(|after| *after <= line.quantity).ok_or(Beyond(*line_no))?;
        let step = |total| telescope(total, line.quantity, before, after, Rounding::HalfUp).ok_or(Beyond(*line_no));
        let amount = line.worth_of(*units).ok_or(Beyond(*line_no))?;
        let quantity = Quantity::try_from(*units).map_err(|_| Beyond(*line_no))?;
        given.lines.push(RefundLine { line_no: *line_no, sku: line.sku.clone(), quantity, amount });
        given.total_amount = given.total_amount.saturating_add(amount);
        if rule == FreightRefund::Proportional {
            given.freight_amount = given.freight_amount.saturating_add(step(line.freight_amount)?);
        }
    }
    if rule == FreightRefund::LastUnit && is_everything(lines, steps) {
        given.freight_amount = lines.iter().fold(0, |sum, line| sum.saturating_add(line.freight_amount));
    }
    given.total_amount = given.total_amount.saturating_add(given.freight_amount);
    Ok(given)
}

fn is_everything(lines: &[Line], steps: &[(i32, i64)]) -> bool {
    lines.iter().all(|line| {
        let units = steps.iter().find(|(line_no, _)| *line_no == line.line_no).map_or(0, |(_, units)| *units);
        line.given_back().saturating_add(units) == line.quantity
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(line_no: i32, quantity: i64, paid_amount: i64, freight_amount: i64) -> Line {
        Line { paid_amount, freight_amount, ..Line::of(line_no, "A", quantity) }
    }

    #[test]
    fn a_hundred_over_three_units_goes_back_as_33_34_33() {
        let mut lines = vec![line(1, 3, 100, 0)];
        let mut amounts = Vec::new();
        for _ in 0..3 {
            amounts.push(give_back(&lines, &[(1, 1)], FreightRefund::Never).unwrap().total_amount);
            lines[0].refunded += 1;
        }
        assert_eq!(amounts, [33, 34, 33]);
        assert_eq!(give_back(&lines, &[(1, 1)], FreightRefund::Never), Err(Beyond(1)));
    }

    #[test]
    fn freight_goes_back_with_the_last_unit() {
        let mut lines = vec![line(1, 1, 100, 7), line(2, 1, 100, 8)];
        assert_eq!(give_back(&lines, &[(1, 1)], FreightRefund::LastUnit).unwrap().freight_amount, 0);
        lines[0].cancelled = 1;
        let last = give_back(&lines, &[(2, 1)], FreightRefund::LastUnit).unwrap();
        assert_eq!((last.freight_amount, last.total_amount), (15, 115));
    }

    #[test]
    fn a_part_of_the_price_goes_back_before_and_the_units_share_the_rest() {
        // 100 for three units: 33 for the first. 10 of the other 67 go back: 57 are left for two units, 29 and 28.
        let mut it = line(1, 3, 100, 0);
        it.refunded = 1;
        assert_eq!((it.worth_left(), it.reprice(68), it.reprice(10)), (67, None, Some(())));
        let first = give_back(&[it.clone()], &[(1, 1)], FreightRefund::Never).unwrap().total_amount;
        it.refunded = 2;
        let second = give_back(&[it.clone()], &[(1, 1)], FreightRefund::Never).unwrap().total_amount;
        assert_eq!((first, second), (29, 28));
        it.refunded = 3;
        assert_eq!((it.worth_left(), it.reprice(1), it.reprice(0)), (0, None, Some(())));
    }

    #[test]
    fn the_rule_that_gives_more_freight_is_kept() {
        let lines = [line(1, 3, 100, 10)];
        let of = |units, rule| give_back(&lines, &[(1, units)], rule).unwrap();
        let more = |units, usual, at_fault| of(units, usual).or_more_freight(of(units, at_fault)).freight_amount;
        assert_eq!(more(1, FreightRefund::Never, FreightRefund::Proportional), 3);
        assert_eq!(more(1, FreightRefund::Proportional, FreightRefund::LastUnit), 3);
        // Of all units the last one gives everything, whoever is at fault.
        assert_eq!(more(3, FreightRefund::LastUnit, FreightRefund::Never), 10);
    }

    const RULES: [FreightRefund; 3] = [FreightRefund::LastUnit, FreightRefund::Proportional, FreightRefund::Never];

    proptest! {
        #[test]
        fn whatever_the_reasons_no_more_freight_goes_back_than_was_paid(
            paid in prop::array::uniform2((0_i64..100_000, 0_i64..1_000)),
            // On which line, how many units, whether by the seller's fault, and what of the price and the freight before that.
            steps in prop::collection::vec((0_usize..2, 1_i64..20, any::<bool>(), 0_i64..10_000, 0_i64..100), 1..12),
            (usual, at_fault) in (prop::sample::select(RULES.to_vec()), prop::sample::select(RULES.to_vec())),
        ) {
            let units = |index| steps.iter().filter(|step| step.0 == index).map(|step| step.1).sum::<i64>();
            let mut lines: Vec<Line> = (1..).zip(0..2).filter(|(_, index)| units(*index) > 0)
                .map(|(line_no, index)| line(line_no, units(index), paid[index].0, paid[index].1)).collect();
            let (goods, freight) = lines.iter().fold((0, 0), |sum, it| (sum.0 + it.paid_amount, sum.1 + it.freight_amount));
            let (mut goods_back, mut freight_back) = (0, 0);
            for (index, units, sellers_fault, price, of_freight) in steps {
                let line_no = i32::try_from(index).unwrap() + 1;
                let it = lines.iter_mut().find(|it| it.line_no == line_no).unwrap();
                goods_back += it.reprice(price).map_or(0, |()| price);
                freight_back += of_freight.min(freight - freight_back);
                let given = give_back(&lines, &[(line_no, units)], usual).unwrap();
                let given = if sellers_fault {
                    given.or_more_freight(give_back(&lines, &[(line_no, units)], at_fault).unwrap())
                } else {
                    given
                };
                let given = given.within(freight - freight_back);
                prop_assert!(given.freight_amount >= 0 && given.total_amount >= given.freight_amount);
                goods_back += given.total_amount - given.freight_amount;
                freight_back += given.freight_amount;
                prop_assert!(freight_back <= freight);
                lines.iter_mut().filter(|it| it.line_no == line_no).for_each(|it| it.refunded += units);
            }
            prop_assert_eq!(goods_back, goods);
            if usual != FreightRefund::Never {
                prop_assert_eq!(freight_back, freight);
            }
        }

        #[test]
        fn any_mix_of_cancelling_returning_and_repricing_ends_at_what_was_paid(
            paid in 0_i64..1_000_000,
            freight in 0_i64..10_000,
            steps in prop::collection::vec((1_i64..20, any::<bool>(), 0_i64..100_000), 1..12),
            rule in prop::sample::select(vec![FreightRefund::LastUnit, FreightRefund::Proportional]),
        ) {
            let quantity = steps.iter().map(|(units, ..)| units).sum();
            let mut lines = vec![line(1, quantity, paid, freight)];
            let mut sum = 0;
            for (units, cancels, price) in steps {
                let before = lines[0].worth_left();
                match lines[0].reprice(price) {
                    Some(()) => sum += price,
                    None => prop_assert!(price > before),
                }
                let given = give_back(&lines, &[(1, units)], rule).unwrap();
                prop_assert!(given.total_amount >= 0);
                sum += given.total_amount;
                if cancels { lines[0].cancelled += units } else { lines[0].refunded += units }
            }
            prop_assert_eq!(sum, paid + freight);
        }
    }
}
