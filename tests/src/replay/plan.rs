//! What each row is to OnePool, decided before anything is sent: lines of orders, lines of returns with or without a known
//! original, stock adjustments, and what is no business of a middle office.

use std::collections::{BTreeMap, HashMap};

use rust_decimal::Decimal;

use super::matching::{Item, Part, Purchases, Why};
use super::rows::Row;

/// An accounting entry: no goods, and its price may be below zero.
pub const BAD_DEBT: &str = "bad_debt_entry";
/// A cancellation that takes nothing back.
pub const EMPTY_CANCELLATION: &str = "cancellation_without_units_that_come_back";
/// Units that left for a price, though nothing was cancelled.
pub const NEGATIVE_SALE: &str = "negative_quantity_with_a_price";
/// A sale below nothing.
pub const NEGATIVE_PRICE: &str = "negative_price";
/// A row about no units.
pub const NO_UNITS: &str = "no_units";

/// An order: the invoice's rows, numbered from 1 in this order.
#[derive(Clone, Debug)]
pub struct Order {
    /// The invoice's number.
    pub invoice: String,
    /// Its rows.
    pub rows: Vec<usize>,
}

/// A return: rows of a cancellation that come back from one order, or from none that is known.
#[derive(Clone, Debug)]
pub struct Return {
    /// The cancellation's number and, as it may bring back units of several orders, a place in it.
    pub number: String,
    /// The order, by its place in the plan.
    pub original: Option<usize>,
    /// What comes back.
    pub lines: Vec<ReturnLine>,
}

/// Units of a row that come back, all of them or a part.
#[derive(Clone, Copy, Debug)]
pub struct ReturnLine {
    /// The row.
    pub row: usize,
    /// The order's line, if it is known.
    pub line: Option<usize>,
    /// How many units.
    pub units: i64,
}

/// What may be sent together: first the orders, then the adjustments, then the returns. Nothing in it comes before
/// something else of the same customer or SKU that was earlier.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// Orders.
    pub orders: Vec<usize>,
    /// Rows that correct stock.
    pub adjustments: Vec<usize>,
    /// Returns.
    pub returns: Vec<usize>,
}

/// The whole replay.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Orders in time order.
    pub orders: Vec<Order>,
    /// Returns in time order.
    pub returns: Vec<Return>,
    /// Units of cancellations that no known purchase fits: the row, how many, and why.
    pub unmatched: Vec<(usize, i64, Why)>,
    /// What is sent after what.
    pub windows: Vec<Window>,
    /// Rows that are not sent, and why.
    pub refused: Vec<(usize, &'static str)>,
}

impl Plan {
    /// Decides about every row. Rows are in time order.
    pub fn new(rows: &[Row]) -> Self {
        let mut draft = Draft { rows, plan: Self::default(), purchases: Purchases::default(), latest: HashMap::new() };
        for invoice in invoices(rows) {
            draft.add(&invoice);
        }
        draft.plan
    }
}

/// What came back that has something in common.
#[derive(Clone, Copy, Debug, Default)]
pub struct Back {
    /// Lines of returns.
    pub lines: usize,
    /// Units.
    pub units: i64,
    /// Price × units, exactly.
    pub value: Decimal,
}

impl Back {
    fn add(&mut self, row: &Row, units: i64) {
        self.lines += 1;
        self.units += units;
        self.value += row.price * Decimal::from(units);
    }
}

impl Plan {
    /// What comes back to a known order, by `matched`, and what to none, by the reason.
    pub fn matches(&self, rows: &[Row]) -> BTreeMap<&'static str, Back> {
        let mut matches: BTreeMap<&'static str, Back> = BTreeMap::new();
        for line in self.returns.iter().flat_map(|it| &it.lines).filter(|it| it.line.is_some()) {
            matches.entry("matched").or_default().add(&rows[line.row], line.units);
        }
        for (row, units, why) in &self.unmatched {
            matches.entry(why.name()).or_default().add(&rows[*row], *units);
        }
        matches
    }
}

/// The rows of each invoice, invoices by their first row.
fn invoices(rows: &[Row]) -> Vec<Vec<usize>> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut invoices: Vec<Vec<usize>> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let place = *places.entry(&row.invoice).or_insert(invoices.len());
        if place == invoices.len() {
            invoices.push(Vec::new());
        }
        invoices[place].push(index);
    }
    invoices
}

/// In which order the parts of a window are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Order,
    Adjustment,
    Return,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key<'a> {
    Customer(&'a str),
    Sku(&'a str),
}

struct Draft<'a> {
    rows: &'a [Row],
    plan: Plan,
    purchases: Purchases<'a>,
    /// Of the window at the end of the plan: the last turn in which a customer or SKU has something.
    latest: HashMap<Key<'a>, Turn>,
}

impl<'a> Draft<'a> {
    fn add(&mut self, invoice: &[usize]) {
        match self.rows[invoice[0]].invoice.as_bytes()[0] {
            b'A' => self.refuse(invoice.iter().copied(), BAD_DEBT),
            b'C' => {
                let comes_back = |row: &Row| row.quantity < 0 && row.price >= Decimal::ZERO;
                let (back, odd): (Vec<usize>, Vec<usize>) =
                    invoice.iter().partition(|row| comes_back(&self.rows[**row]));
                self.refuse(odd.into_iter(), EMPTY_CANCELLATION);
                self.add_cancellation(&back);
            }
            _ => self.add_invoice(invoice),
        }
    }

    fn refuse(&mut self, rows: impl Iterator<Item = usize>, reason: &'static str) {
        self.plan.refused.extend(rows.map(|row| (row, reason)));
    }

    fn add_invoice(&mut self, invoice: &[usize]) {
        let (mut lines, mut corrections) = (Vec::new(), Vec::new());
        for index in invoice.iter().copied() {
            let row = &self.rows[index];
            match row.quantity {
                0 => self.refuse(std::iter::once(index), NO_UNITS),
                _ if row.price < Decimal::ZERO => self.refuse(std::iter::once(index), NEGATIVE_PRICE),
                ..0 if row.price > Decimal::ZERO => self.refuse(std::iter::once(index), NEGATIVE_SALE),
                ..0 => corrections.push(index),
                _ => lines.push(index),
            }
        }
        // Nobody buys for nothing without a name: units that somebody found, or counted again.
        if lines.iter().all(|row| self.rows[*row].price.is_zero() && self.rows[*row].customer.is_none()) {
            corrections.append(&mut lines);
        }
        if !lines.is_empty() {
            let order = self.plan.orders.len();
            self.window(Turn::Order, &lines).orders.push(order);
            for (line, index) in lines.iter().enumerate() {
                let row = &self.rows[*index];
                self.purchases.bought(item(row), Part { order, line, units: row.quantity });
            }
            self.plan.orders.push(Order { invoice: self.rows[lines[0]].invoice.clone(), rows: lines });
        }
        if !corrections.is_empty() {
            self.window(Turn::Adjustment, &corrections).adjustments.extend(corrections);
        }
    }

    fn add_cancellation(&mut self, rows: &[usize]) {
        if rows.is_empty() {
            return;
        }
        let first = self.plan.returns.len();
        for row in rows.iter().copied() {
            let all: &'a [Row] = self.rows;
            let matched = self.purchases.take_back(item(&all[row]), -all[row].quantity);
            for Part { order, line, units } in matched.parts {
                self.bring_back(first, Some(order), ReturnLine { row, line: Some(line), units });
            }
            if let Some((units, why)) = matched.rest {
                self.plan.unmatched.push((row, units, why));
                self.bring_back(first, None, ReturnLine { row, line: None, units });
            }
        }
        let added = first..self.plan.returns.len();
        self.window(Turn::Return, rows).returns.extend(added);
    }

    /// Adds a line to the return of the same original among the cancellation's, which begin with `first`.
    fn bring_back(&mut self, first: usize, original: Option<usize>, back: ReturnLine) {
        // A line of an order stands once in a return; its second row makes another return of the same cancellation.
        let fits = |it: &&mut Return| {
            it.original == original && (back.line.is_none() || it.lines.iter().all(|other| other.line != back.line))
        };
        match self.plan.returns[first..].iter_mut().find(fits) {
            Some(known) => known.lines.push(back),
            None => {
                let place = self.plan.returns.len() - first + 1;
                let number = format!("{}/{place}", self.rows[back.row].invoice);
                self.plan.returns.push(Return { number, original, lines: vec![back] });
            }
        }
    }

    /// The window for these rows: the one at the end, unless something of a later turn must be sent before them.
    fn window(&mut self, turn: Turn, rows: &[usize]) -> &mut Window {
        let all: &'a [Row] = self.rows;
        let keys = || rows.iter().flat_map(|row| keys(&all[*row]));
        let late = keys().any(|key| self.latest.get(&key).is_some_and(|latest| *latest > turn));
        if late || self.plan.windows.is_empty() {
            self.plan.windows.push(Window::default());
            self.latest.clear();
        }
        for key in keys() {
            let latest = self.latest.entry(key).or_insert(turn);
            *latest = turn.max(*latest);
        }
        self.plan.windows.last_mut().expect("there is one now")
    }
}

fn item(row: &Row) -> Item<'_> {
    Item { customer: row.customer.as_deref(), sku: &row.sku, price: row.price }
}

fn keys(row: &Row) -> impl Iterator<Item = Key<'_>> {
    row.customer.as_deref().map(Key::Customer).into_iter().chain(std::iter::once(Key::Sku(&row.sku)))
}
