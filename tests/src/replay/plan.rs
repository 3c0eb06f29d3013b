//! What each row is to OnePool, decided before anything is sent: lines of orders, lines of returns with or without a known
//! original, stock adjustments, and what is no business of a middle office.

use std::collections::HashMap;

use rust_decimal::Decimal;

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
    /// What comes back: the row, and the order's line if it is known.
    pub lines: Vec<(usize, Option<usize>)>,
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
    /// What is sent after what.
    pub windows: Vec<Window>,
    /// Rows that are not sent, and why.
    pub refused: Vec<(usize, &'static str)>,
}

impl Plan {
    /// Decides about every row. Rows are in time order.
    pub fn new(rows: &[Row]) -> Self {
        let mut draft = Draft { rows, plan: Self::default(), sold: HashMap::new(), latest: HashMap::new() };
        for invoice in invoices(rows) {
            draft.add(&invoice);
        }
        draft.plan
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

/// Units of an order line that have not come back.
struct Sold {
    order: usize,
    line: usize,
    left: i64,
}

struct Draft<'a> {
    rows: &'a [Row],
    plan: Plan,
    /// By customer, SKU and price, the earliest first.
    sold: HashMap<(&'a str, &'a str, Decimal), Vec<Sold>>,
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
                if let Some(customer) = &row.customer {
                    let sold = self.sold.entry((customer, &row.sku, row.price)).or_default();
                    sold.push(Sold { order, line, left: row.quantity });
                }
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
        for index in rows.iter().copied() {
            let (original, line) = self.original(index).unzip();
            // A line of an order stands once in a return; its second row makes another return of the same cancellation.
            let fits = |it: &&mut Return| {
                it.original == original && (line.is_none() || it.lines.iter().all(|(_, other)| *other != line))
            };
            match self.plan.returns[first..].iter_mut().find(fits) {
                Some(known) => known.lines.push((index, line)),
                None => {
                    let place = self.plan.returns.len() - first + 1;
                    let number = format!("{}/{place}", self.rows[index].invoice);
                    self.plan.returns.push(Return { number, original, lines: vec![(index, line)] });
                }
            }
        }
        let added = first..self.plan.returns.len();
        self.window(Turn::Return, rows).returns.extend(added);
    }

    /// The latest line that the customer bought this SKU with, at this price, with enough units left to come back.
    fn original(&mut self, row: usize) -> Option<(usize, usize)> {
        let row = &self.rows[row];
        let units = -row.quantity;
        let sold = self.sold.get_mut(&(row.customer.as_deref()?, row.sku.as_str(), row.price))?;
        let line = sold.iter_mut().rev().find(|line| line.left >= units)?;
        line.left -= units;
        Some((line.order, line.line))
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

fn keys(row: &Row) -> impl Iterator<Item = Key<'_>> {
    row.customer.as_deref().map(Key::Customer).into_iter().chain(std::iter::once(Key::Sku(&row.sku)))
}
