//! The rows of the data set, as they are written.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use chrono::NaiveDateTime;
use flate2::read::MultiGzDecoder;
use rust_decimal::Decimal;

const COLUMNS: [&str; 8] =
    ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"];

/// One row: a line of an invoice, of a cancellation, or a correction of stock or books.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// The invoice's number; cancellations begin with C, adjustments of the books with A.
    pub invoice: String,
    /// The article.
    pub sku: String,
    /// Its name; on corrections what somebody noted.
    pub description: String,
    /// Units; below 0 where they come back or get lost.
    pub quantity: i64,
    /// When, in a time zone that the file does not name; it is read as UTC.
    pub at: NaiveDateTime,
    /// The price of one unit in pounds, exactly.
    pub price: Decimal,
    /// The customer's number.
    pub customer: Option<String>,
    /// The customer's country.
    pub country: String,
}

impl Row {
    /// Price × quantity, exactly.
    pub fn value(&self) -> Decimal {
        self.price * Decimal::from(self.quantity)
    }
}

/// Opens a file, compressed or not.
pub fn open(path: &Path) -> Result<Box<dyn Read>> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let compressed = path.extension().is_some_and(|extension| extension == "gz");
    Ok(if compressed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
}

/// Reads rows, at most so many.
pub fn read(source: impl Read, limit: usize) -> Result<Vec<Row>> {
    let mut reader = csv::Reader::from_reader(source);
    let header: Vec<String> =
        reader.headers()?.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect();
    ensure!(header == COLUMNS, "the columns are {header:?}, not {COLUMNS:?}");
    reader.records().take(limit).map(|record| row(&record?)).collect()
}

fn row(record: &csv::StringRecord) -> Result<Row> {
    let [invoice, sku, description, quantity, at, price, customer, country] =
        std::array::from_fn(|column| &record[column]);
    let wrong =
        |what: &str| format!("row {:?} of invoice {invoice}: its {what}", record.position().map(csv::Position::line));
    Ok(Row {
        invoice: invoice.to_owned(),
        sku: sku.to_owned(),
        description: description.trim().to_owned(),
        quantity: quantity.parse().with_context(|| wrong("quantity"))?,
        at: NaiveDateTime::parse_from_str(at, "%Y-%m-%d %H:%M:%S").with_context(|| wrong("time"))?,
        price: Decimal::from_str_exact(price).with_context(|| wrong("price"))?,
        customer: Some(customer.trim_end_matches(".0").to_owned()).filter(|customer| !customer.is_empty()),
        country: country.to_owned(),
    })
}
