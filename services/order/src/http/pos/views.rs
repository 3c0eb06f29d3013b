//! Transactions, days and gaps of tills as they are answered.

use chrono::NaiveDate;
use contracts::events::{Buyer, Disposition, PosKind, PosOriginal};
use kernel::id::PosTransactionId;
use kernel::{ChannelCode, Currency, LocationCode, Money, PayeeCode, SkuCode, Timestamp};
use serde::Serialize;
use store::Error;
use utoipa::ToSchema;

use crate::app::pos::close_day::Book;
use crate::domain::pos::receipt::{Line, Receipt, Tender};
use crate::store::code;
use crate::store::pos::days::{GapRow, TenderRow};
use crate::store::pos::transactions::PosRead;

/// What a till wrote.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PosView {
    /// Its id.
    pub id: PosTransactionId,
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
    /// When it happened, by the till's clock.
    pub occurred_at: Timestamp,
    /// When it came into the book.
    pub recorded_at: Timestamp,
    /// The channel.
    pub channel: ChannelCode,
    /// Who bought.
    pub buyer: Buyer,
    /// The guide credited with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guide: Option<PayeeCode>,
    /// A remark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// For a void: what it undoes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voids: Option<VoidsView>,
    /// The void that undid it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voided_by: Option<PosTransactionId>,
    /// What was sold and brought back; for a void that took effect, turned around what it undid.
    pub lines: Vec<PosLineView>,
    /// How it was paid, likewise.
    pub tenders: Vec<TenderView>,
    /// Σ of what the lines paid: below 0 where money went back.
    pub total_amount: Money,
}

/// What a void undoes, and whether it has.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct VoidsView {
    /// The business day of what it undoes.
    pub business_date: NaiveDate,
    /// The number of what it undoes.
    pub sequence: i64,
    /// Whether it has undone that.
    pub effect: Effect,
    /// What it undid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<PosTransactionId>,
}

/// What became of a void.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// What it undoes has not come yet.
    Waiting,
    /// It has undone it.
    Done,
    /// It undoes nothing: another void did before, or what it names is itself a void.
    None,
}

/// A line of a till's transaction.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PosLineView {
    /// Its number on the receipt.
    pub line_no: i32,
    /// The SKU.
    pub sku: SkuCode,
    /// Units: above 0 they left with the buyer, below 0 they came back.
    pub quantity: i64,
    /// The exact price of one unit in major units.
    pub unit_price_decimal: String,
    /// Unit price × quantity, rounded once.
    pub list_amount: Money,
    /// What was taken off.
    pub discount_amount: Money,
    /// List − discount.
    pub paid_amount: Money,
    /// What becomes of units that came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disposition: Option<Disposition>,
    /// Where units that came back had been sold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<PosOriginal>,
}

/// A means of payment of a till's transaction.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TenderView {
    /// How.
    pub method: String,
    /// How much: below 0 where money went back.
    pub amount: Money,
    /// The payment's own number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

impl PosView {
    /// A transaction as it was read.
    pub fn of(read: &PosRead) -> Result<Self, Error> {
        let row = &read.transaction;
        let currency = currency(&row.currency)?;
        let receipt = row.receipt()?;
        let undone: Option<Receipt> = read.undone_document.as_deref().map(serde_json::from_str).transpose()?;
        let (lines, tenders) = match &undone {
            Some(undone) => undone.turned_around(),
            None => (receipt.lines, receipt.tenders),
        };
        let voids = row.voids_date.zip(row.voids_sequence).map(|(business_date, sequence)| VoidsView {
            business_date,
            sequence,
            effect: effect(read.effect.as_deref()),
            id: read.undid.map(PosTransactionId),
        });
        Ok(Self {
            id: row.id(),
            store: code(&row.store)?,
            terminal: row.terminal.clone(),
            business_date: row.business_date,
            sequence: row.sequence,
            kind: row.kind()?,
            occurred_at: row.occurred_at.into(),
            recorded_at: row.recorded_at.into(),
            channel: code(&row.channel)?,
            buyer: receipt.buyer,
            guide: receipt.guide,
            note: receipt.note,
            voids,
            voided_by: read.voided_by.map(PosTransactionId),
            total_amount: Money::new(Receipt::paid(&lines), currency),
            lines: lines.into_iter().map(|line| PosLineView::of(line, currency)).collect(),
            tenders: tenders.into_iter().map(|tender| TenderView::of(tender, currency)).collect(),
        })
    }
}

fn currency(text: &str) -> Result<Currency, Error> {
    text.parse().map_err(|_| Error::Broken("stored currencies are currencies"))
}

fn effect(stored: Option<&str>) -> Effect {
    match stored {
        Some("waiting") => Effect::Waiting,
        Some("done") => Effect::Done,
        _ => Effect::None,
    }
}

impl PosLineView {
    fn of(line: Line, currency: Currency) -> Self {
        Self {
            line_no: line.line_no,
            sku: line.sku,
            quantity: line.quantity,
            unit_price_decimal: line.unit_price,
            list_amount: Money::new(line.list_amount, currency),
            discount_amount: Money::new(line.discount_amount, currency),
            paid_amount: Money::new(line.paid_amount, currency),
            disposition: line.disposition,
            original: line.original,
        }
    }
}

impl TenderView {
    fn of(tender: Tender, currency: Currency) -> Self {
        Self { method: tender.method, amount: Money::new(tender.amount, currency), reference: tender.reference }
    }
}

/// A till's business day: what came beside what the till said.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DayView {
    /// The store.
    pub store: LocationCode,
    /// The till.
    pub terminal: String,
    /// The store's business day.
    pub business_date: NaiveDate,
    /// The first number that is accounted for, be it as a transaction or as a gap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_sequence: Option<i64>,
    /// The last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sequence: Option<i64>,
    /// How many transactions came.
    pub transactions: i64,
    /// The last number, as the till said when it closed the day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared_last_sequence: Option<i64>,
    /// How many transactions it wrote, as it said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared_transactions: Option<i64>,
    /// By means of payment and currency.
    pub tenders: Vec<DayTenderView>,
    /// Which numbers are missing.
    pub gaps: Vec<GapOfDay>,
    /// Whether it is closed and everything is there: no gap, as many transactions as declared, no difference.
    pub settled: bool,
    /// When the till closed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// The client that closed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<String>,
    /// Grows with every change.
    pub version: i64,
}

/// What a till took on a day by a means of payment.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DayTenderView {
    /// The means of payment.
    pub method: String,
    /// What the transactions that came add up to.
    pub received: Money,
    /// What the till said; on a closed day nothing for what it did not name, left out before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared: Option<Money>,
    /// Received − declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<Money>,
}

/// Numbers of a day that have not come.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GapOfDay {
    /// The first that is missing.
    pub first: i64,
    /// The last.
    pub last: i64,
    /// Since when it is missing.
    pub since: Timestamp,
}

impl DayView {
    /// A day's book.
    pub fn of(book: &Book) -> Result<Self, Error> {
        let row = &book.row;
        let closed = row.closed_at.is_some();
        let tenders = book.tenders.iter().map(|it| tender(it, closed)).collect::<Result<Vec<_>, Error>>()?;
        let balanced = tenders.iter().all(|it| it.difference.is_some_and(|difference| difference.amount == 0));
        let complete = row.missing == 0 && row.declared_transactions == Some(row.transactions);
        let gap = |it: &GapRow| GapOfDay { first: it.first_missing, last: it.last_missing, since: it.since.into() };
        Ok(Self {
            store: code(&row.store)?,
            terminal: row.terminal.clone(),
            business_date: row.business_date,
            first_sequence: row.first_sequence,
            last_sequence: row.last_sequence,
            transactions: row.transactions,
            declared_last_sequence: row.declared_last,
            declared_transactions: row.declared_transactions,
            tenders,
            gaps: book.gaps.iter().map(gap).collect(),
            settled: closed && complete && balanced,
            closed_at: row.closed_at.map(Timestamp::from),
            closed_by: row.closed_by.clone(),
            version: row.version,
        })
    }
}

fn tender(row: &TenderRow, closed: bool) -> Result<DayTenderView, Error> {
    let currency = currency(&row.currency)?;
    let declared = row.declared_amount.or(closed.then_some(0));
    Ok(DayTenderView {
        method: row.method.clone(),
        received: Money::new(row.received_amount, currency),
        declared: declared.map(|amount| Money::new(amount, currency)),
        difference: declared.map(|amount| Money::new(row.received_amount.saturating_sub(amount), currency)),
    })
}

/// Numbers of a till that have not come although later ones have.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GapView {
    /// The till.
    pub terminal: String,
    /// The store's business day.
    pub business_date: NaiveDate,
    /// The first that is missing.
    pub first: i64,
    /// The last.
    pub last: i64,
    /// How many are missing.
    pub missing: i64,
    /// Since when.
    pub since: Timestamp,
}

impl From<&GapRow> for GapView {
    fn from(row: &GapRow) -> Self {
        Self {
            terminal: row.terminal.clone(),
            business_date: row.business_date,
            first: row.first_missing,
            last: row.last_missing,
            missing: row.gap().missing(),
            since: row.since.into(),
        }
    }
}
