//! Takes what tills wrote into the book: each transaction once, however often and in whatever order it comes. A batch is a
//! few statements, however many transactions it has.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ::store::{Error, Tx, outbox};
use contracts::events::{PosKind, PosRecorded};
use contracts::{Cause, FieldError, Problem, ProblemCode};
use kernel::Timestamp;
use kernel::id::PosTransactionId;

use super::void_transactions::void_transactions;
use crate::app::references::{self, Known, Sku};
use crate::domain::intake;
use crate::domain::pos::check::PricedLine;
use crate::domain::pos::digest::{differences, digest};
use crate::domain::pos::form::PosForm;
use crate::domain::pos::receipt::{Line, Receipt, Tender};
use crate::store::locks;
use crate::store::pos::days::{self, DayRow, GapRow, TenderKey};
use crate::store::pos::transactions::{self, Numbered, PosRow, kind_text};
use crate::store::pos::{Day, Till};

/// Why a transaction was not taken.
#[derive(Debug)]
pub enum Refusal {
    /// A value is out of range or contradicts another.
    Invalid(Vec<FieldError>),
    /// The amounts do not add up.
    Amounts(Vec<FieldError>),
    /// It names things that are not known.
    Unknown(Vec<FieldError>),
    /// The number is taken by a transaction with other content.
    Contradiction {
        /// That transaction.
        id: PosTransactionId,
        /// The fields that differ.
        fields: Vec<&'static str>,
    },
    /// The transaction failed.
    Store(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<intake::Refusal> for Refusal {
    fn from(refusal: intake::Refusal) -> Self {
        match refusal {
            intake::Refusal::Invalid(errors) => Self::Invalid(errors),
            intake::Refusal::Amounts(errors) => Self::Amounts(errors),
        }
    }
}

impl From<references::Refusal> for Refusal {
    fn from(refusal: references::Refusal) -> Self {
        match refusal {
            references::Refusal::Unknown(errors) | references::Refusal::Inactive(errors) => Self::Unknown(errors),
            references::Refusal::Currency(error) => Self::Invalid(vec![error]),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let with = |code, errors| Self { errors, ..Self::new(code) };
        match refusal {
            Refusal::Invalid(errors) => with(ProblemCode::InvalidField, errors),
            Refusal::Amounts(errors) => with(ProblemCode::AmountMismatch, errors),
            Refusal::Unknown(errors) => with(ProblemCode::UnknownReference, errors),
            Refusal::Contradiction { id, fields } => fields.iter().fold(
                Self::new(ProblemCode::Contradiction).detail(format!("transaction {id} has this number already")),
                |problem, field| problem.field(*field, "differs from the transaction in the book"),
            ),
            Refusal::Store(error) => error.into(),
        }
    }
}

/// A transaction that is ready to be taken.
#[derive(Clone, Debug)]
pub struct Record {
    row: PosRow,
    receipt: Receipt,
    event: Option<PosRecorded>,
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is in the book now.
    New(PosTransactionId),
    /// It was in the book with the same content.
    Known(PosTransactionId),
}

impl Record {
    /// Works out everything of a checked transaction whose references hold.
    pub fn new(
        form: PosForm,
        priced: &[PricedLine],
        known: &Known,
        client: &str,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let skus = known.pos(&form)?;
        let id = PosTransactionId::at(now);
        let content = digest(&form, priced).map_err(Error::from)?;
        let lines = lines(&form, priced, &skus);
        let tenders: Vec<Tender> = form
            .tenders
            .into_iter()
            .map(|it| Tender { method: it.method, amount: it.amount.amount, reference: it.reference })
            .collect();
        let paid_amount = Receipt::paid(&lines);
        let tendered_amount = tenders.iter().fold(0_i64, |sum, it| sum.saturating_add(it.amount));
        let receipt = Receipt { buyer: form.buyer.into(), guide: form.guide, note: form.note, lines, tenders };
        let event = (form.kind != PosKind::Void).then(|| PosRecorded {
            transaction_id: id,
            store: form.store.clone(),
            terminal: form.terminal.clone(),
            business_date: form.business_date,
            sequence: form.sequence,
            kind: form.kind,
            voids: None,
            channel: form.channel.clone(),
            occurred_at: form.occurred_at,
            currency: form.currency,
            buyer: receipt.buyer.clone(),
            guide: receipt.guide.clone(),
            lines: Receipt::told(&receipt.lines),
            total_amount: paid_amount,
        });
        let row = PosRow {
            transaction_id: id.uuid(),
            store: form.store.to_string(),
            terminal: form.terminal,
            business_date: form.business_date,
            sequence: form.sequence,
            kind: kind_text(form.kind).to_owned(),
            occurred_at: form.occurred_at.utc(),
            recorded_at: now.utc(),
            recorded_by: client.to_owned(),
            channel: form.channel.to_string(),
            currency: form.currency.code().to_owned(),
            content,
            voids_date: form.voids.map(|voids| voids.business_date),
            voids_sequence: form.voids.map(|voids| voids.sequence),
            paid_amount,
            tendered_amount,
            document: serde_json::to_string(&receipt).map_err(Error::from)?,
        };
        Ok(Self { row, receipt, event })
    }
}

fn lines(form: &PosForm, priced: &[PricedLine], skus: &[Arc<Sku>]) -> Vec<Line> {
    let written = form.lines.iter().zip(priced).zip(skus);
    let mut lines: Vec<Line> = written
        .map(|((line, priced), sku)| Line {
            line_no: line.line_no,
            sku: sku.code.clone(),
            category: sku.category.clone(),
            quantity: line.quantity,
            unit_price: priced.unit_price.to_string(),
            list_amount: priced.list_amount,
            discount_amount: priced.discount_amount,
            paid_amount: priced.paid_amount,
            disposition: priced.disposition,
            original: form.original_of(line),
        })
        .collect();
    lines.sort_unstable_by_key(|line| line.line_no);
    lines
}

/// Takes transactions into the book, and answers each in its place.
pub fn record_transactions(
    tx: &mut Tx<'_>,
    records: &[Record],
    cause: &Cause,
) -> Result<Vec<Result<Recorded, Refusal>>, Error> {
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let tills: BTreeSet<Till> = records.iter().map(|record| record.row.till()).collect();
    let waiting = locks::tills(tx, &tills.iter().collect::<Vec<_>>())?;
    let rows: Vec<&PosRow> = records.iter().map(|record| &record.row).collect();
    let inserted = transactions::insert(tx, &rows)?;
    let (new, others): (Vec<&Record>, Vec<&Record>) =
        records.iter().partition(|record| inserted.contains(&record.row.transaction_id));
    let known = if others.is_empty() {
        HashMap::new()
    } else {
        transactions::numbered(tx, &others.iter().map(|record| &record.row).collect::<Vec<_>>())?
    };
    if !new.is_empty() {
        enter(tx, &new, &waiting, cause)?;
    }
    Ok(records.iter().map(|record| answer(record, inserted.contains(&record.row.transaction_id), &known)).collect())
}

fn answer(record: &Record, new: bool, known: &HashMap<(Day, i64), Numbered>) -> Result<Recorded, Refusal> {
    if new {
        return Ok(Recorded::New(record.row.id()));
    }
    let key = (record.row.day(), record.row.sequence);
    let known = known.get(&key).ok_or(Error::Broken("a number that is taken belongs to a transaction"))?;
    let id = PosTransactionId(known.transaction_id);
    let fields = differences(&known.content, &record.row.content);
    if fields.is_empty() { Ok(Recorded::Known(id)) } else { Err(Refusal::Contradiction { id, fields }) }
}

/// Enters new transactions into the days' books and tells of them; voids take effect where what they void is there.
fn enter(tx: &mut Tx<'_>, new: &[&Record], waiting: &[Till], cause: &Cause) -> Result<(), Error> {
    let mut sums = BTreeMap::new();
    for record in new {
        add(&mut sums, &record.row.day(), &record.row.currency, &record.receipt.tenders);
        if let Some(event) = &record.event {
            outbox::append(tx, event, cause)?;
        }
    }
    let mut voids: Vec<&PosRow> = new.iter().filter(|it| it.event.is_none()).map(|it| &it.row).collect();
    if !voids.is_empty() || !waiting.is_empty() {
        // Of two voids of one transaction the lower number counts, wherever they stand in the batch.
        voids.sort_unstable_by_key(|row| row.key());
        void_transactions(tx, &voids, waiting, (&mut sums, cause))?;
    }
    // A void may take effect on another day than those of the batch: that day changes, too.
    let mut touched: BTreeMap<Day, Vec<i64>> = sums.keys().map(|key| (key.0.clone(), Vec::new())).collect();
    for record in new {
        touched.entry(record.row.day()).or_default().push(record.row.sequence);
    }
    count(tx, &touched)?;
    days::add_received(tx, &sums)
}

/// Adds tenders to a day's sums.
pub(super) fn add(sums: &mut BTreeMap<TenderKey, i64>, day: &Day, currency: &str, tenders: &[Tender]) {
    for tender in tenders {
        let sum = sums.entry((day.clone(), tender.method.clone(), currency.to_owned())).or_default();
        *sum = sum.saturating_add(tender.amount);
    }
}

/// Counts numbers that have come: gaps open, shrink and close.
fn count(tx: &mut Tx<'_>, touched: &BTreeMap<Day, Vec<i64>>) -> Result<(), Error> {
    let mut rows = days::of(tx, &touched.keys().collect::<Vec<_>>())?;
    let holey: Vec<&Day> = touched.keys().filter(|day| rows.get(day).is_some_and(|row| row.missing > 0)).collect();
    let mut gaps = if holey.is_empty() { BTreeMap::new() } else { days::gaps_of(tx, &holey)? };
    let (mut closed, mut opened) = (Vec::new(), Vec::new());
    for (day, sequences) in touched {
        let row = rows.entry(day.clone()).or_insert_with(|| DayRow::new(day));
        let before = gaps.remove(day).unwrap_or_default();
        let mut numbers = row.numbers(before.iter().map(GapRow::gap).collect());
        let mut sequences = sequences.clone();
        sequences.sort_unstable();
        for sequence in sequences {
            numbers.come(sequence);
            row.transactions = row.transactions.saturating_add(1);
        }
        row.count(&numbers);
        row.version = row.version.saturating_add(1);
        regap(row, before, &numbers.gaps, (tx.now(), &mut closed, &mut opened));
    }
    days::replace_gaps(tx, &closed, &opened)?;
    days::save(tx, &rows.values().collect::<Vec<_>>())
}

/// Sorts out which gaps of a day are closed and which are open instead.
pub(super) fn regap(
    row: &DayRow,
    before: Vec<GapRow>,
    after: &[crate::domain::pos::numbers::Gap],
    (now, closed, opened): (Timestamp, &mut Vec<GapRow>, &mut Vec<GapRow>),
) {
    for gap in after.iter().filter(|gap| !before.iter().any(|old| old.gap() == **gap)) {
        // A part of an older gap, or an older gap that grew, is missing since then.
        let older = before.iter().find(|old| old.first_missing <= gap.last && gap.first <= old.last_missing);
        opened.push(GapRow {
            store: row.store.clone(),
            terminal: row.terminal.clone(),
            business_date: row.business_date,
            first_missing: gap.first,
            last_missing: gap.last,
            since: older.map_or(now.utc(), |old| old.since),
        });
    }
    closed.extend(before.into_iter().filter(|old| !after.contains(&old.gap())));
}
