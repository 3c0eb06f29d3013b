//! What orders add up to, as it is answered.

use kernel::Money;
use serde::Serialize;
use store::Error;
use utoipa::ToSchema;

use crate::store::lines::LineRow;
use crate::store::orders::OrderRow;

/// What an order adds up to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TotalsView {
    /// Σ list amounts.
    pub list_amount: Money,
    /// Σ discounts.
    pub discount_amount: Money,
    /// Freight.
    pub freight_amount: Money,
    /// The tax that comes on top of prices; left out where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added_tax_amount: Option<Money>,
    /// What the buyer pays: list − discount + freight + added tax.
    pub total_amount: Money,
    /// The tax in what is paid for the lines, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax_amount: Option<Money>,
    /// What went back for units, by cancelling and by returning: refunded, or no longer due.
    pub given_back_amount: Money,
    /// What payments promise that was not taken yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorised_amount: Option<Money>,
    /// What the buyer has paid.
    pub paid_amount: Money,
    /// What of it was refunded.
    pub refunded_amount: Money,
    /// What the buyer still has to pay.
    pub due_amount: Money,
}

impl TotalsView {
    /// What an order with these lines adds up to.
    pub fn of(order: &OrderRow, lines: &[LineRow]) -> Result<Self, Error> {
        let currency = order.currency()?;
        let money = |amount| Money::new(amount, currency);
        let balance = order.balance();
        let mut tax: Option<i64> = None;
        for line in lines {
            if let Some(amount) = line.extras()?.tax_amount {
                tax = Some(tax.unwrap_or_default().saturating_add(amount));
            }
        }
        Ok(Self {
            list_amount: money(order.list_amount),
            discount_amount: money(order.discount_amount),
            freight_amount: money(order.freight_amount),
            added_tax_amount: Some(order.added_tax_amount).filter(|tax| *tax > 0).map(money),
            total_amount: money(order.total_amount),
            tax_amount: tax.map(money),
            given_back_amount: money(order.given_back_amount),
            authorised_amount: (balance.authorised > 0).then(|| money(balance.authorised)),
            paid_amount: money(balance.paid()),
            refunded_amount: money(balance.refunded()),
            due_amount: money(balance.due),
        })
    }

    /// Both together, in one currency.
    pub fn plus(self, other: &Self) -> Self {
        let sum = |a: Money, b: Money| Money::new(a.amount.saturating_add(b.amount), a.currency);
        let either = |a: Option<Money>, b: Option<Money>| match (a, b) {
            (Some(a), Some(b)) => Some(sum(a, b)),
            (a, b) => a.or(b),
        };
        Self {
            list_amount: sum(self.list_amount, other.list_amount),
            discount_amount: sum(self.discount_amount, other.discount_amount),
            freight_amount: sum(self.freight_amount, other.freight_amount),
            added_tax_amount: either(self.added_tax_amount, other.added_tax_amount),
            total_amount: sum(self.total_amount, other.total_amount),
            tax_amount: either(self.tax_amount, other.tax_amount),
            authorised_amount: either(self.authorised_amount, other.authorised_amount),
            given_back_amount: sum(self.given_back_amount, other.given_back_amount),
            paid_amount: sum(self.paid_amount, other.paid_amount),
            refunded_amount: sum(self.refunded_amount, other.refunded_amount),
            due_amount: sum(self.due_amount, other.due_amount),
        }
    }
}
