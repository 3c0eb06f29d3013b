//! Money: integer minor units and an ISO 4217 currency, with checked arithmetic.

use std::fmt;
use std::str::FromStr;

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The largest amount accepted, in minor units: 10 trillion of a two-decimal currency, far from the edge of `i64`.
pub const MAX_AMOUNT: i64 = 1_000_000_000_000_000;

/// An ISO 4217 currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "CNY")]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// The renminbi.
    pub const CNY: Self = Self(iso_currency::Currency::CNY);

    /// The three-letter code.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// How many decimal places one major unit has: 2 for CNY, 0 for JPY.
    pub fn minor_digits(self) -> u32 {
        self.0.exponent().map_or(2, u32::from)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        iso_currency::Currency::from_code(text).map(Self).ok_or(MoneyError::UnknownCurrency)
    }
}

impl TryFrom<String> for Currency {
    type Error = MoneyError;

    fn try_from(text: String) -> Result<Self, MoneyError> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

/// Why an amount could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not an ISO 4217 code.
    #[error("not an ISO 4217 currency code")]
    UnknownCurrency,
    /// Two currencies in one sum.
    #[error("amounts in different currencies cannot be combined")]
    MixedCurrencies,
    /// Beyond [`MAX_AMOUNT`].
    #[error("the amount is beyond the limit of {MAX_AMOUNT} minor units")]
    OutOfRange,
}

/// An amount in minor units (fen, cents) of one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Integer minor units.
    #[schema(example = 12900)]
    pub amount: i64,
    /// ISO 4217 code.
    pub currency: Currency,
}

impl Money {
    /// An amount in minor units.
    pub const fn new(amount: i64, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// Nothing, in this currency.
    pub const fn zero(currency: Currency) -> Self {
        Self { amount: 0, currency }
    }

    /// `self + other`, refused across currencies and beyond the limit.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::MixedCurrencies);
        }
        in_range(self.amount.checked_add(other.amount)).map(|amount| Self { amount, ..self })
    }

    /// `self − other`, refused across currencies and beyond the limit.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.checked_add(Self { amount: other.amount.checked_neg().ok_or(MoneyError::OutOfRange)?, ..other })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Decimal::new(self.amount, self.currency.minor_digits()), self.currency)
    }
}

fn in_range(amount: Option<i64>) -> Result<i64, MoneyError> {
    amount.filter(|value| (-MAX_AMOUNT..=MAX_AMOUNT).contains(value)).ok_or(MoneyError::OutOfRange)
}

/// `unit price × quantity` in minor units, rounded once, half away from zero, for prices finer than the minor unit.
pub fn line_amount(unit_price: Decimal, quantity: i64, currency: Currency) -> Result<i64, MoneyError> {
    let scale = Decimal::from(10_i64.checked_pow(currency.minor_digits()).ok_or(MoneyError::OutOfRange)?);
    unit_price
        .checked_mul(Decimal::from(quantity))
        .and_then(|total| total.checked_mul(scale))
        .map(|total| total.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero))
        .ok_or(MoneyError::OutOfRange)
        .and_then(|total| in_range(i64::try_from(total).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_decimal::dec;

    #[test]
    fn a_price_finer_than_the_minor_unit_is_rounded_once_on_the_line() {
        assert_eq!(line_amount(dec!(0.125), 3, Currency::CNY), Ok(38));
        assert_eq!(line_amount(dec!(0.001), 5, Currency::CNY), Ok(1));
        assert_eq!(line_amount(dec!(2.55), 6, Currency::CNY), Ok(1530));
    }

    #[test]
    fn yen_have_no_minor_unit() {
        assert_eq!(line_amount(dec!(99.5), 1, "JPY".parse().unwrap()), Ok(100));
    }

    #[test]
    fn sums_across_currencies_are_refused() {
        let jpy = Money::new(1, "JPY".parse().unwrap());
        assert_eq!(Money::new(1, Currency::CNY).checked_add(jpy), Err(MoneyError::MixedCurrencies));
    }

    #[test]
    fn sums_beyond_the_limit_are_refused() {
        let most = Money::new(MAX_AMOUNT, Currency::CNY);
        assert_eq!(most.checked_add(Money::new(1, Currency::CNY)), Err(MoneyError::OutOfRange));
    }

    #[test]
    fn money_reads_as_people_write_it() {
        assert_eq!(Money::new(12_900, Currency::CNY).to_string(), "129.00 CNY");
    }
}
