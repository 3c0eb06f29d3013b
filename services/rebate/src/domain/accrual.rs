//! How much a role earns on a sale by one policy: round once on the order's total, hand out by largest remainder.

use kernel::rate::PPM;
use kernel::{Rate, allocate};
use serde::Serialize;
use utoipa::ToSchema;

use super::policy::{PolicyDocument, Share};
use super::sale::Sale;

/// What one share of one order came to, with every step of the arithmetic. Amounts are minor units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Working {
    /// Σ basis of the eligible lines.
    pub basis_total: i64,
    /// The rate.
    #[schema(value_type = i64)]
    pub rate_ppm: Rate,
    /// `basis_total × rate ÷ 1,000,000`, rounded once.
    pub rounded_total: i64,
    /// The exact total less the rounded one, in millionths of a minor unit.
    pub rounding_remainder_millionths: i64,
    /// The total after the cap.
    pub total: i64,
    /// What each eligible line gets of it, by line number.
    pub parts: Vec<Part>,
}

/// A line's part of a share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Part {
    /// The order line.
    pub line_no: i32,
    /// Its basis, which is its weight.
    pub basis_amount: i64,
    /// What it gets.
    pub amount: i64,
    /// Whether it got one of the units that whole parts leave over.
    pub by_remainder: bool,
}

/// Computes a share; `None` when the policy does not pay on any line, or the amounts leave the range of numbers.
///
/// `store` is the store credited with the sale. The method of handing out is Hamilton's; ties go to the lower line number.
pub fn accrue(document: &PolicyDocument, share: Share, sale: &Sale, store: Option<&str>) -> Option<Working> {
    if !document.covers(sale, store) {
        return None;
    }
    let mut weighted: Vec<(i32, i64)> = sale
        .lines
        .iter()
        .filter(|line| document.pays_on(line))
        .map(|line| (line.line_no, document.basis_of(line)))
        .filter(|(_, basis)| *basis > 0)
        .collect();
    weighted.sort_unstable();
    let weights: Vec<i64> = weighted.iter().map(|(_, basis)| *basis).collect();
    let basis_total = weights.iter().try_fold(0_i64, |sum, basis| sum.checked_add(*basis))?;
    let rounded_total = share.rate_ppm.of(basis_total, document.rounding)?;
    let total = document.cap_per_order.map_or(rounded_total, |cap| rounded_total.min(cap.amount));
    let exact = i128::from(basis_total).checked_mul(i128::from(share.rate_ppm.0))?;
    let remainder = exact.checked_sub(i128::from(rounded_total).checked_mul(i128::from(PPM))?)?;
    let parts = weighted
        .into_iter()
        .zip(allocate(total, &weights)?)
        .map(|((line_no, basis_amount), amount)| {
            let whole =
                i128::from(total).checked_mul(i128::from(basis_amount))?.checked_div(i128::from(basis_total))?;
            Some(Part { line_no, basis_amount, amount, by_remainder: i128::from(amount) > whole })
        })
        .collect::<Option<Vec<Part>>>()?;
    Some(Working {
        basis_total,
        rate_ppm: share.rate_ppm,
        rounded_total,
        rounding_remainder_millionths: i64::try_from(remainder).ok()?,
        total,
        parts,
    })
}

#[cfg(test)]
mod tests {
    use super::super::party::ShareRole;
    use super::super::sale::SaleLine;
    use super::*;
    use kernel::id::OrderId;
    use kernel::{Currency, Timestamp};

    fn sale(paid: &[i64]) -> Sale {
        let lines = paid.iter().zip(1_i32..).map(|(paid_amount, line_no)| SaleLine {
            line_no,
            sku: format!("SKU{line_no}"),
            category: (line_no == 1).then(|| "shoes".to_owned()),
            quantity: 1,
            list_amount: paid_amount * 2,
            paid_amount: *paid_amount,
            added: false,
        });
        Sale {
            order_id: OrderId::at(Timestamp::EPOCH),
            channel: "tmall".into(),
            placed_at: Timestamp::EPOCH,
            currency: Currency::CNY,
            guide: None,
            store: None,
            lines: lines.collect(),
        }
    }

    fn document(json: serde_json::Value) -> PolicyDocument {
        serde_json::from_value(json).unwrap()
    }

    fn amounts(document: &PolicyDocument, sale: &Sale) -> Option<Vec<i64>> {
        let working = accrue(document, document.shares[0], sale, Some("S1"))?;
        assert_eq!(working.parts.iter().map(|part| part.amount).sum::<i64>(), working.total);
        Some(working.parts.into_iter().map(|part| part.amount).collect())
    }

    #[test]
    fn the_order_is_rounded_once_and_handed_out_by_largest_remainder() {
        // 3 % of 33.33 + 33.33 + 33.34 is 3.00; each line alone would round to 1.00.
        let policy = document(serde_json::json!({"basis": "paid", "shares": [{"role": "guide", "rate_ppm": 30_000}]}));
        assert_eq!(amounts(&policy, &sale(&[3_333, 3_333, 3_334])), Some(vec![100, 100, 100]));
        // 1.5 % of 0.10 × 3 is 0.0045, rounded to 0; of 1.00 × 3 is 0.045, rounded half up to 0.05: 2, 2, 1.
        let policy = document(serde_json::json!({"basis": "paid", "shares": [{"role": "guide", "rate_ppm": 15_000}]}));
        assert_eq!(amounts(&policy, &sale(&[10, 10, 10])), Some(vec![0, 0, 0]));
        assert_eq!(amounts(&policy, &sale(&[100, 100, 100])), Some(vec![2, 2, 1]));
    }

    #[test]
    fn fifteen_over_unequal_shares() {
        // Weights 20 : 2 : 3, total 15: 12, 1 and 2, as the published vector has it.
        let policy = document(serde_json::json!({"basis": "paid", "shares": [{"role": "store", "rate_ppm": 600_000}]}));
        assert_eq!(amounts(&policy, &sale(&[20, 2, 3])), Some(vec![12, 1, 2]));
    }

    #[test]
    fn the_remainder_of_rounding_is_told() {
        let policy = document(serde_json::json!({"basis": "paid", "shares": [{"role": "guide", "rate_ppm": 15_000}]}));
        let working = accrue(&policy, policy.shares[0], &sale(&[100, 100, 100]), None).unwrap();
        assert_eq!((working.rounded_total, working.rounding_remainder_millionths), (5, -500_000));
        assert_eq!(working.parts.iter().map(|part| part.by_remainder).collect::<Vec<_>>(), [true, true, false]);
    }

    #[test]
    fn basis_eligibility_and_cap_hold() {
        let shares = serde_json::json!([{"role": ShareRole::Store, "rate_ppm": 100_000}]);
        let list = document(serde_json::json!({"basis": "list", "shares": shares}));
        assert_eq!(amounts(&list, &sale(&[1_000])), Some(vec![200]));
        let shoes = document(serde_json::json!({
            "basis": "paid", "shares": shares, "eligibility": {"categories": ["shoes"], "stores": ["S1"]}}));
        assert_eq!(amounts(&shoes, &sale(&[1_000, 5_000])), Some(vec![100]));
        let other_store =
            document(serde_json::json!({"basis": "paid", "shares": shares, "eligibility": {"stores": ["S2"]}}));
        assert_eq!(amounts(&other_store, &sale(&[1_000])), None);
        let capped = document(serde_json::json!({
            "basis": "paid", "shares": shares, "cap_per_order": {"amount": 50, "currency": "CNY"}}));
        assert_eq!(amounts(&capped, &sale(&[1_000, 1_000])), Some(vec![25, 25]));
    }
}
