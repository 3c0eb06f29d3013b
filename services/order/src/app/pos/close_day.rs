//! Closes a till's business day with the till's own totals. What comes later still counts: the difference shrinks by it.

use ::store::{Error, Tx};
use contracts::{Problem, ProblemCode};

use super::record_transactions::regap;
use crate::app::caller::Caller;
use crate::domain::pos::form::DayForm;
use crate::store::locks;
use crate::store::pos::days::{self, DayRow, GapRow, TenderRow};
use crate::store::pos::{Day, Till};

/// Why a day was not closed.
#[derive(Debug)]
pub enum Refusal {
    /// The day was closed with other totals; the fields that differ.
    Contradiction(Vec<&'static str>),
    /// It has changed since the caller read it.
    Stale {
        /// The version it has.
        current: i64,
        /// The version the caller named.
        expected: i64,
    },
    /// The transaction failed.
    Store(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Contradiction(fields) => fields.iter().fold(
                Self::new(ProblemCode::Contradiction).detail("the day was closed with other totals"),
                |problem, field| problem.field(*field, "differs from what the day was closed with"),
            ),
            Refusal::Stale { current, expected } => Self::new(ProblemCode::PreconditionFailed)
                .detail(format!("the version is {current}, If-Match names {expected}")),
            Refusal::Store(error) => error.into(),
        }
    }
}

/// A day with everything that belongs to it.
#[derive(Clone, Debug)]
pub struct Book {
    /// The day.
    pub row: DayRow,
    /// What is missing, in order.
    pub gaps: Vec<GapRow>,
    /// What was received and declared, by means of payment.
    pub tenders: Vec<TenderRow>,
}

/// Closes a day; the same totals again change nothing.
pub fn close_day(tx: &mut Tx<'_>, form: &DayForm, caller: &Caller) -> Result<Book, Refusal> {
    let till = Till { store: form.store.to_string(), terminal: form.terminal.clone() };
    locks::tills(tx, &[&till])?;
    let day = Day { till, business_date: form.business_date };
    let mut book = read(tx, &day)?;
    if let Some(expected) = caller.expected_version.filter(|expected| *expected != book.row.version) {
        return Err(Refusal::Stale { current: book.row.version, expected });
    }
    if book.row.closed_at.is_some() {
        let fields = differences(form, &book);
        return if fields.is_empty() { Ok(book) } else { Err(Refusal::Contradiction(fields)) };
    }
    let mut numbers = book.row.numbers(book.gaps.iter().map(GapRow::gap).collect());
    numbers.declare(form.last_sequence.saturating_sub(form.transactions).saturating_add(1), form.last_sequence);
    let row = &mut book.row;
    row.count(&numbers);
    row.declared_last = Some(form.last_sequence);
    row.declared_transactions = Some(form.transactions);
    row.closed_at = Some(tx.now().utc());
    row.closed_by = Some(caller.principal.client_id.to_string());
    row.version = row.version.saturating_add(1);
    let (mut closed, mut opened) = (Vec::new(), Vec::new());
    regap(row, book.gaps, &numbers.gaps, (tx.now(), &mut closed, &mut opened));
    days::replace_gaps(tx, &closed, &opened)?;
    days::save(tx, &[row])?;
    days::declare(tx, &day, &declared(form))?;
    Ok(read(tx, &day)?)
}

fn read(tx: &mut Tx<'_>, day: &Day) -> Result<Book, Error> {
    let row = days::of(tx, &[day])?.remove(day).unwrap_or_else(|| DayRow::new(day));
    books(tx, vec![row])?.pop().ok_or(Error::Broken("a day has a book"))
}

/// The books of days.
pub fn books(tx: &mut Tx<'_>, rows: Vec<DayRow>) -> Result<Vec<Book>, Error> {
    let days: Vec<Day> = rows.iter().map(DayRow::day).collect();
    let days: Vec<&Day> = days.iter().collect();
    let mut gaps = days::gaps_of(tx, &days)?;
    let mut tenders = days::tenders_of(tx, &days)?;
    let book = |(row, day): (DayRow, &Day)| Book {
        row,
        gaps: gaps.remove(day).unwrap_or_default(),
        tenders: tenders.remove(day).unwrap_or_default(),
    };
    Ok(rows.into_iter().zip(days).map(book).collect())
}

fn declared(form: &DayForm) -> Vec<(String, String, i64)> {
    let declared = |it: &crate::domain::pos::form::DeclaredForm| {
        (it.method.clone(), it.amount.currency.code().to_owned(), it.amount.amount)
    };
    let mut declared: Vec<_> = form.tenders.iter().map(declared).collect();
    declared.sort_unstable();
    declared
}

fn differences(form: &DayForm, book: &Book) -> Vec<&'static str> {
    let mut before: Vec<(String, String, i64)> = book
        .tenders
        .iter()
        .filter_map(|it| Some((it.method.clone(), it.currency.clone(), it.declared_amount?)))
        .collect();
    before.sort_unstable();
    let same = [
        ("last_sequence", book.row.declared_last == Some(form.last_sequence)),
        ("transactions", book.row.declared_transactions == Some(form.transactions)),
        ("tenders", before == declared(form)),
    ];
    same.into_iter().filter(|(_, same)| !same).map(|(field, _)| field).collect()
}
