//! What tills tell, through the order service.

use chrono::NaiveDate;
use kernel::id::PosTransactionId;
use kernel::{ChannelCode, Currency, LocationCode, PayeeCode, SkuCode, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::order::Buyer;
use super::returning::Disposition;

/// What kind of transaction a till wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PosKind {
    /// Goods were sold.
    Sale,
    /// Goods were brought back.
    Return,
    /// Goods were brought back and others taken.
    Exchange,
    /// An earlier transaction was undone: its lines with their signs turned.
    Void,
}

/// The line of a till's transaction on which units that came back had been sold. The transaction may come later, or never.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PosOriginal {
    /// The store that sold them.
    pub store: LocationCode,
    /// Its till.
    pub terminal: String,
    /// The business day.
    pub business_date: NaiveDate,
    /// The transaction's number.
    pub sequence: i64,
    /// The line's number on the receipt.
    pub line_no: i32,
}

/// What a till's transaction sold or took back of a SKU. Everything of a line has one sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PosLine {
    /// Its number on the receipt.
    pub line_no: i32,
    /// The SKU.
    pub sku: SkuCode,
    /// Its category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Units: above 0 they left with the buyer, below 0 they came back.
    pub quantity: i64,
    /// Unit price × quantity.
    pub list_amount: i64,
    /// Discounts.
    pub discount_amount: i64,
    /// List − discount.
    pub paid_amount: i64,
    /// What becomes of units that came back; none where units were sold. In a void, units above 0 are returned ones that
    /// leave again, from where this says they had gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disposition: Option<Disposition>,
    /// On which line units that came back had been sold, where the till knew; in a void, as in what it undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<PosOriginal>,
}

/// A till's transaction is in the book. It has happened: nobody can refuse it any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PosRecorded {
    /// The transaction.
    pub transaction_id: PosTransactionId,
    /// The store.
    pub store: LocationCode,
    /// The till.
    pub terminal: String,
    /// The store's business day.
    pub business_date: NaiveDate,
    /// Its number on that till and day.
    pub sequence: i64,
    /// What it did.
    pub kind: PosKind,
    /// The transaction that a void undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voids: Option<PosTransactionId>,
    /// The channel that tills of the store sell for.
    pub channel: ChannelCode,
    /// When it happened, by the till's clock.
    pub occurred_at: Timestamp,
    /// The currency of every amount.
    pub currency: Currency,
    /// Who bought; without identities where nobody said.
    pub buyer: Buyer,
    /// The guide credited with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guide: Option<PayeeCode>,
    /// What was sold and taken back.
    pub lines: Vec<PosLine>,
    /// Σ of what the lines paid: below 0 where money went back.
    pub total_amount: i64,
}

// A void follows what it undoes.
payload!(PosRecorded, "pos.recorded", |it| it.voids.unwrap_or(it.transaction_id).to_string());
