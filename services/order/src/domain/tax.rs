//! The tax in what lines cost. Where prices hold it, it changes no total and is what finance and invoices name; where it comes
//! on top of prices, a line costs that much more.

use contracts::FieldError;
use rust_decimal::Decimal;

use super::faults::Faults;
use super::form::OrderForm;
use super::intake::parse_price;
use kernel::allocate;

/// Refuses taxes that are not usable.
pub fn check(form: &OrderForm, faults: &mut Faults) {
    faults.amount("tax", form.tax, form.currency);
    for (index, line) in form.lines.iter().enumerate() {
        faults.amount(&format!("lines[{index}].tax_amount"), line.tax_amount, form.currency);
        if let Some(Err(detail)) = line.tax_rate.as_deref().map(rate) {
            faults.add(format!("lines[{index}].tax_rate"), detail);
        }
        if line.tax_rate.is_some() && line.tax_amount.is_some() {
            faults.add(format!("lines[{index}].tax_amount"), "is given instead of tax_rate, not with it");
        } else if form.tax.is_some() && (line.tax_rate.is_some() || line.tax_amount.is_some()) {
            faults.add("tax", "is given instead of the lines' own, not with them");
            return;
        }
    }
}

/// Whether the tax comes on top of prices.
pub fn is_added(form: &OrderForm) -> bool {
    form.prices_include_tax == Some(false)
}

/// A rate as an exact fraction: `0.13` is 13 %.
pub fn rate(text: &str) -> Result<Decimal, String> {
    let rate = parse_price(text)?;
    if rate > Decimal::ONE { Err("lies between 0 and 1: 0.13 is 13 %".to_owned()) } else { Ok(rate.normalize()) }
}

/// The tax of each line, in the order of the lines; none where nobody told. `nets` are prices less discounts. By a rate r it is
/// the part r ÷ (1 + r) of a price that holds it, and r of one that does not, rounded half up; a tax of the whole order is
/// shared out by largest remainder over the nets.
pub fn of_lines(form: &OrderForm, nets: &[i64]) -> Result<Vec<Option<i64>>, Vec<FieldError>> {
    let mut faults = Faults::default();
    let is_added = is_added(form);
    if let Some(tax) = form.tax {
        let all = nets.iter().fold(0_i64, |sum, net| sum.saturating_add(*net));
        if tax.amount > all && !(is_added && all > 0) {
            faults.add("tax", format!("is {}, the lines only {all}", tax.amount));
        }
        faults.into_result()?;
        let shares = allocate(tax.amount, nets).unwrap_or_else(|| vec![0; nets.len()]);
        return Ok(shares.into_iter().map(Some).collect());
    }
    let mut taxes = Vec::with_capacity(nets.len());
    for (index, (line, net)) in form.lines.iter().zip(nets).enumerate() {
        let rate = line.tax_rate.as_deref().and_then(|text| rate(text).ok());
        let by_rate = rate.map(|rate| if is_added { on(*net, rate) } else { part(*net, rate) });
        let tax = by_rate.or(line.tax_amount.map(|tax| tax.amount));
        if let Some(tax) = tax.filter(|tax| tax > net && !(is_added && *net > 0)) {
            faults.add(format!("lines[{index}].tax_amount"), format!("is {tax}, the line only {net}"));
        }
        taxes.push(tax);
    }
    faults.into_result()?;
    Ok(taxes)
}

/// amount × rate ÷ (1 + rate), rounded half up.
fn part(amount: i64, rate: Decimal) -> i64 {
    let one = 10_i128.pow(rate.scale());
    rounded(amount, rate.mantissa(), one.saturating_add(rate.mantissa()))
}

/// amount × rate, rounded half up.
fn on(amount: i64, rate: Decimal) -> i64 {
    rounded(amount, rate.mantissa(), 10_i128.pow(rate.scale()))
}

/// amount × tax ÷ whole, rounded half up.
fn rounded(amount: i64, tax: i128, whole: i128) -> i64 {
    let twice = i128::from(amount).saturating_mul(tax).saturating_mul(2).saturating_add(whole);
    i64::try_from(twice / whole.saturating_mul(2)).unwrap_or(amount)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_part_of_a_price_that_is_tax() {
        // 113.00 with 13 % holds 13.00; 1.00 holds 0.11504… → 0.12; 0.01 of 100 % holds 0.005 → 0.01.
        for (paid, text, tax) in [(11_300, "0.13", 1_300), (100, "0.13", 12), (1, "1", 1), (100, "0", 0)] {
            assert_eq!(part(paid, rate(text).unwrap()), tax, "{paid} at {text}");
        }
        assert!(rate("1.01").is_err() && rate("-0.1").is_err() && rate("13%").is_err());
        assert_eq!(rate("0.130").unwrap().to_string(), "0.13");
    }

    #[test]
    fn the_tax_on_top_of_a_price() {
        // 8.875 % of 19.99 are 1.7741…, of 4.00 35.5 cents, halves up; of a tenth of a cent's price nothing.
        for (net, text, tax) in [(1_999, "0.08875", 177), (400, "0.08875", 36), (100, "1", 100), (5, "0.08875", 0)] {
            assert_eq!(on(net, rate(text).unwrap()), tax, "{net} at {text}");
        }
    }

    proptest! {
        #[test]
        fn a_tax_is_a_part_of_what_is_paid(paid in 0_i64..=kernel::money::MAX_AMOUNT, rate in 0_i64..=1_000_000_000_000) {
            let tax = part(paid, Decimal::new(rate, 12));
            prop_assert!((0..=paid).contains(&tax));
        }
    }
}
