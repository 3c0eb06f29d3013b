//! A till's transaction and a till's closing as they are handed in, before anything is checked.

use chrono::NaiveDate;
use contracts::events::{Disposition, PosKind, PosOriginal};
use kernel::{ChannelCode, Currency, LocationCode, Money, PayeeCode, SkuCode, Timestamp};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::domain::form::BuyerForm;

/// What a till wrote.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PosForm {
    /// The store; with terminal, business day and sequence it names the transaction once and for all.
    pub store: LocationCode,
    /// The till.
    #[schema(min_length = 1, max_length = 64)]
    pub terminal: String,
    /// The store's business day.
    pub business_date: NaiveDate,
    /// Its number on that till and day, counted up without holes.
    #[schema(minimum = 1)]
    pub sequence: i64,
    /// What it did.
    pub kind: PosKind,
    /// When it happened, by the till's clock.
    pub occurred_at: Timestamp,
    /// The channel that the till sells for.
    pub channel: ChannelCode,
    /// The currency of every amount; it must be the channel's own.
    pub currency: Currency,
    /// Who bought; left out for an anonymous sale.
    #[serde(default)]
    pub buyer: BuyerForm,
    /// The guide credited with it.
    #[serde(default)]
    pub guide: Option<PayeeCode>,
    /// A remark.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub note: Option<String>,
    /// The earlier transaction of this till that a void undoes.
    #[serde(default)]
    pub voids: Option<VoidsForm>,
    /// What was sold and brought back: 1 to 2,000 lines; none for a void, whose lines are those it undoes.
    #[serde(default)]
    #[schema(max_items = 2000)]
    pub lines: Vec<PosLineForm>,
    /// How it was paid: they add up to the lines. None for a void.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub tenders: Vec<TenderForm>,
}

/// The transaction that a void undoes, on the same till.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VoidsForm {
    /// Its business day.
    pub business_date: NaiveDate,
    /// Its number.
    pub sequence: i64,
}

/// A line of a till's transaction. Its price is given in minor units or as an exact decimal of the major unit.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PosLineForm {
    /// Its number on the receipt, from 1.
    #[schema(minimum = 1)]
    pub line_no: i32,
    /// Our SKU.
    pub sku: SkuCode,
    /// Units: above 0 they left with the buyer, below 0 they came back.
    pub quantity: i64,
    /// The price of one unit, never below 0.
    #[serde(default)]
    pub unit_price: Option<Money>,
    /// The price of one unit in major units, to any precision up to 12 decimals; rounded once, on the line.
    #[serde(default)]
    #[schema(example = "2.555")]
    pub unit_price_decimal: Option<String>,
    /// What was taken off the line, never below 0: a returned line gives back list − discount, too.
    #[serde(default)]
    pub discount: Option<Money>,
    /// What becomes of units that came back: `restock` when left out.
    #[serde(default)]
    pub disposition: Option<Disposition>,
    /// Where units that came back had been sold, if the till knows: points and rebates of that line go back with them.
    #[serde(default)]
    pub original: Option<OriginalForm>,
}

/// The line of an earlier transaction on which units that came back had been sold.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OriginalForm {
    /// The store that sold them; left out for the same.
    #[serde(default)]
    pub store: Option<LocationCode>,
    /// Its till; left out for the same.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64)]
    pub terminal: Option<String>,
    /// The business day.
    pub business_date: NaiveDate,
    /// The transaction's number.
    #[schema(minimum = 1)]
    pub sequence: i64,
    /// The line's number on that receipt.
    #[schema(minimum = 1)]
    pub line_no: i32,
}

impl PosForm {
    /// Where units of a line had been sold, in full.
    pub fn original_of(&self, line: &PosLineForm) -> Option<PosOriginal> {
        let original = line.original.as_ref()?;
        Some(PosOriginal {
            store: original.store.clone().unwrap_or_else(|| self.store.clone()),
            terminal: original.terminal.clone().unwrap_or_else(|| self.terminal.clone()),
            business_date: original.business_date,
            sequence: original.sequence,
            line_no: original.line_no,
        })
    }
}

/// How a transaction was paid, or how money went back.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TenderForm {
    /// How: `cash`, `card`, `alipay` and so on, in the till's own words.
    pub method: String,
    /// How much: below 0 where money went back, as change or as a refund.
    pub amount: Money,
    /// The payment's own number.
    #[serde(default)]
    pub reference: Option<String>,
}

/// A till's business day as the till itself counted it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DayForm {
    /// The store.
    pub store: LocationCode,
    /// The till.
    #[schema(min_length = 1, max_length = 64)]
    pub terminal: String,
    /// The store's business day.
    pub business_date: NaiveDate,
    /// The number of its last transaction; of the day before's where it wrote none.
    #[schema(minimum = 0)]
    pub last_sequence: i64,
    /// How many transactions it wrote, voids among them: so the first number of the day is known.
    #[schema(minimum = 0)]
    pub transactions: i64,
    /// What it took by each means of payment, each named once per currency.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub tenders: Vec<DeclaredForm>,
}

/// What a till says it took by one means of payment.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclaredForm {
    /// How, in the words of its transactions.
    pub method: String,
    /// How much, less what went back.
    pub amount: Money,
}
