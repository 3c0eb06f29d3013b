//! Coupons of an order: what each of them takes off which lines.

use contracts::FieldError;
use contracts::events::{CouponFunder, CouponShare, OrderCoupon};
use kernel::{Currency, Money, allocate};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::faults::Faults;
use super::form::LineForm;

/// The most coupons of an order: platforms let a buyer use a handful.
pub const MAX_COUPONS: usize = 20;
/// The longest code of a coupon, in characters.
pub const MAX_CODE_LENGTH: usize = 64;

/// A coupon that the buyer used.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CouponForm {
    /// Its code, or that of its campaign.
    #[schema(min_length = 1, max_length = 64)]
    pub code: String,
    /// What it takes off.
    pub amount: Money,
    /// Who pays for it; the merchant, when left out.
    #[serde(default, skip_serializing_if = "is_merchant")]
    pub funded_by: CouponFunder,
    /// The lines it applies to; all, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<i32>>,
}

impl CouponForm {
    /// The coupon as it is told.
    pub fn told(&self) -> OrderCoupon {
        OrderCoupon { code: self.code.clone(), amount: self.amount.amount, funded_by: self.funded_by }
    }
}

fn is_merchant(funder: &CouponFunder) -> bool {
    *funder == CouponFunder::Merchant
}

/// Refuses coupons that are not usable.
pub fn check(coupons: &[CouponForm], lines: &[LineForm], currency: Currency, faults: &mut Faults) {
    if coupons.len() > MAX_COUPONS {
        faults.add("coupons", format!("has at most {MAX_COUPONS} entries"));
    }
    for (index, coupon) in coupons.iter().enumerate().take(MAX_COUPONS) {
        faults.text(&format!("coupons[{index}].code"), &coupon.code, MAX_CODE_LENGTH);
        faults.amount(&format!("coupons[{index}].amount"), Some(coupon.amount), currency);
        let Some(named) = &coupon.lines else { continue };
        let field = format!("coupons[{index}].lines");
        let mut sorted = named.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if named.is_empty() || sorted.len() != named.len() {
            faults.add(field, "names lines, each of them once, or is left out");
        } else if let Some(lost) = named.iter().find(|line_no| lines.iter().all(|line| line.line_no != **line_no)) {
            faults.add(field, format!("names line {lost}, which the order does not have"));
        }
    }
}

/// What coupons take off each line, in the order of the lines, and what each line costs after them. A coupon is shared out
/// by largest remainder over what its lines still cost after the coupons before it.
pub fn share_out(
    coupons: &[CouponForm],
    lines: &[LineForm],
    costs: &[i64],
) -> Result<(Vec<Vec<CouponShare>>, Vec<i64>), Vec<FieldError>> {
    let mut left = costs.to_vec();
    let mut shares = vec![Vec::new(); lines.len()];
    for (index, coupon) in coupons.iter().enumerate() {
        let applies = |line: &LineForm| coupon.lines.as_ref().is_none_or(|named| named.contains(&line.line_no));
        let weigh = |(line, cost): (&LineForm, &i64)| if applies(line) { *cost } else { 0 };
        let weights: Vec<i64> = lines.iter().zip(&left).map(weigh).collect();
        let cost: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
        let amount = coupon.amount.amount;
        if i128::from(amount) > cost {
            let detail = format!("is {amount}, its lines cost only {cost}");
            return Err(vec![FieldError { field: format!("coupons[{index}].amount"), detail }]);
        }
        let parts = allocate(amount, &weights).unwrap_or_default();
        for ((cost, shares), part) in left.iter_mut().zip(&mut shares).zip(parts).filter(|(_, part)| *part > 0) {
            *cost = cost.saturating_sub(part);
            shares.push(CouponShare { code: coupon.code.clone(), amount: part });
        }
    }
    Ok((shares, left))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn lines(count: usize) -> Vec<LineForm> {
        let line = |number| serde_json::from_value(json!({"line_no": number, "sku": "A", "quantity": 1})).unwrap();
        (1..=count).map(line).collect()
    }

    fn coupon(code: &str, amount: i64, named: Option<&[i32]>) -> CouponForm {
        let amount = Money::new(amount, Currency::CNY);
        CouponForm {
            code: code.to_owned(),
            amount,
            funded_by: CouponFunder::Merchant,
            lines: named.map(<[i32]>::to_vec),
        }
    }

    #[test]
    fn a_coupon_is_shared_out_over_its_lines_after_those_before_it() {
        // 100 over 2000:1000 → 66.67 and 33.33 → 67 and 33; then 50 of line 2 alone.
        let coupons = [coupon("ALL", 100, None), coupon("TWO", 50, Some(&[2]))];
        let (shares, left) = share_out(&coupons, &lines(2), &[2000, 1000]).unwrap();
        assert_eq!(left, [1933, 917]);
        let told = |shares: &[CouponShare]| shares.iter().map(|it| (it.code.clone(), it.amount)).collect::<Vec<_>>();
        assert_eq!(told(&shares[0]), [("ALL".to_owned(), 67)]);
        assert_eq!(told(&shares[1]), [("ALL".to_owned(), 33), ("TWO".to_owned(), 50)]);
    }

    #[test]
    fn a_coupon_above_what_its_lines_cost_is_refused() {
        let refused = share_out(&[coupon("A", 10, None), coupon("B", 991, Some(&[2]))], &lines(2), &[0, 1000]);
        assert_eq!(refused.unwrap_err()[0].field, "coupons[1].amount");
    }

    proptest! {
        #[test]
        fn shares_add_up_and_no_line_costs_less_than_nothing(
            costs in prop::collection::vec(0_i64..100_000, 1..10),
            amounts in prop::collection::vec(0_i64..100_000, 0..6),
        ) {
            let lines = lines(costs.len());
            let mut room: i64 = costs.iter().sum();
            let mut coupons = Vec::new();
            for amount in amounts {
                let amount = amount.min(room);
                room -= amount;
                coupons.push(coupon("C", amount, None));
            }
            let (shares, left) = share_out(&coupons, &lines, &costs).unwrap();
            prop_assert_eq!(left.iter().sum::<i64>(), room);
            for ((shares, left), cost) in shares.iter().zip(&left).zip(&costs) {
                prop_assert!(*left >= 0 && shares.iter().all(|share| share.amount > 0));
                prop_assert_eq!(shares.iter().map(|share| share.amount).sum::<i64>() + left, *cost);
            }
        }
    }
}
