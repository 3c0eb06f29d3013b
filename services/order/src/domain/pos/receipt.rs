//! What of a till's transaction has no column of its own, and how a void turns it around.

use contracts::events::{Buyer, Disposition, PosLine, PosOriginal};
use kernel::{PayeeCode, SkuCode};
use serde::{Deserialize, Serialize};

/// Everything of a transaction that is always read with it. Amounts are minor units of the transaction's currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Who bought.
    pub buyer: Buyer,
    /// The guide credited with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guide: Option<PayeeCode>,
    /// A remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What was sold and brought back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Line>,
    /// How it was paid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenders: Vec<Tender>,
}

/// A line. Everything of it but the price has one sign: below 0 where units came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its number on the receipt.
    pub line_no: i32,
    /// The SKU.
    pub sku: SkuCode,
    /// Its category when it was sold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Units.
    pub quantity: i64,
    /// The price of one unit in major units, exactly as given.
    pub unit_price: String,
    /// Unit price × quantity, rounded once.
    pub list_amount: i64,
    /// What was taken off.
    pub discount_amount: i64,
    /// List − discount.
    pub paid_amount: i64,
    /// What becomes of units that came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disposition: Option<Disposition>,
    /// Where units that came back had been sold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<PosOriginal>,
}

/// A means of payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tender {
    /// How.
    pub method: String,
    /// How much: below 0 where money went back.
    pub amount: i64,
    /// The payment's own number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

impl Receipt {
    /// Lines and tenders turned around, as a void does. What was sold comes back to the shelf.
    pub fn turned_around(&self) -> (Vec<Line>, Vec<Tender>) {
        let line = |line: &Line| Line {
            quantity: line.quantity.saturating_neg(),
            list_amount: line.list_amount.saturating_neg(),
            discount_amount: line.discount_amount.saturating_neg(),
            paid_amount: line.paid_amount.saturating_neg(),
            // What had come back leaves from where it went: its disposition stays.
            disposition: if line.quantity > 0 { Some(Disposition::Restock) } else { line.disposition },
            ..line.clone()
        };
        let tender = |tender: &Tender| Tender { amount: tender.amount.saturating_neg(), ..tender.clone() };
        (self.lines.iter().map(line).collect(), self.tenders.iter().map(tender).collect())
    }

    /// Its lines as others are told of them.
    pub fn told(lines: &[Line]) -> Vec<PosLine> {
        let told = |line: &Line| PosLine {
            line_no: line.line_no,
            sku: line.sku.clone(),
            category: line.category.clone(),
            quantity: line.quantity,
            list_amount: line.list_amount,
            discount_amount: line.discount_amount,
            paid_amount: line.paid_amount,
            disposition: line.disposition,
            original: line.original.clone(),
        };
        lines.iter().map(told).collect()
    }

    /// Σ of what the lines paid.
    pub fn paid(lines: &[Line]) -> i64 {
        lines.iter().fold(0, |sum, line| sum.saturating_add(line.paid_amount))
    }
}
