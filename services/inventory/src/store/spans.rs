//! The proof of every balance and of what is counted by SKU, span by span. Each span is proved by statements in a transaction of its own, so that none of
//! them takes longer, nor keeps the rows that others replace from being cleaned up, the more balances there are.

use std::ops::Bound;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use store::{Error, Tx};

use super::counters;
use super::proof::{Drift, Place, Row, compare};

/// Balances, and movements, of one span: about a second of work, far from the longest that a statement may run.
const SPAN: i64 = 50_000;
/// Comes after every code.
const LAST: &str = "\u{10FFFF}";

// The SKU is named beside the pair because the planner guesses how much a pair of bounds leaves, and knows it of one column.
const WITHIN: &str = "sku BETWEEN $1 AND $3 AND (sku, location) > ($1, $2) AND (sku, location) <= ($3, $4)";

/// The balances after one place and up to another.
#[derive(Clone, Debug)]
pub struct Span {
    after: Place,
    upto: Place,
}

/// What the proof of the begin of a span found.
#[derive(Debug)]
pub struct Proved {
    /// Balances that were added up again.
    pub checked: i64,
    /// Those that are not the sum of their parts.
    pub drift: Vec<Drift>,
    /// What of the span is left to be proved.
    pub rest: Option<Span>,
}

impl Span {
    /// Every balance, or those of one SKU; after a place, if one is given.
    pub fn new(sku: Option<&str>, after: Option<(String, String)>) -> Self {
        let begin = Place { sku: sku.unwrap_or_default().to_owned(), location: String::new() };
        let after = after.map_or(begin.clone(), |(sku, location)| Place { sku, location }.max(begin));
        Self { after, upto: Place { sku: sku.unwrap_or(LAST).to_owned(), location: LAST.to_owned() } }
    }

    /// The place after which it begins: its SKU and location.
    pub fn after(&self) -> (&str, &str) {
        (&self.after.sku, &self.after.location)
    }

    /// Adds the first balances of it up again.
    pub fn prove(self, tx: &mut Tx<'_>) -> Result<Proved, Error> {
        let end = self.end(tx)?;
        let span = Self { after: self.after, upto: end.clone().unwrap_or_else(|| self.upto.clone()) };
        let (checked, mut drift) = span.compare(tx)?;
        drift.extend(counters::of_range(tx, span.first_begun(), &span.upto.sku)?);
        Ok(Proved { checked, drift, rest: end.map(|end| Self { after: end, upto: self.upto }) })
    }

    /// Where enough balances, or movements of them, have come by; none when the span has no more.
    fn end(&self, tx: &mut Tx<'_>) -> Result<Option<Place>, Error> {
        let passed = |table: &str| {
            format!("(SELECT sku, location FROM {table} WHERE {WITHIN} ORDER BY sku, location OFFSET $5 LIMIT 1)")
        };
        let (balances, movements) = (passed("stock"), passed("movements"));
        let query = diesel::sql_query(format!(
            "SELECT * FROM ({balances} UNION ALL {movements}) x ORDER BY sku, location LIMIT 1"
        ));
        Ok(query
            .bind::<Text, _>(&self.after.sku)
            .bind::<Text, _>(&self.after.location)
            .bind::<Text, _>(&self.upto.sku)
            .bind::<Text, _>(&self.upto.location)
            .bind::<BigInt, _>(SPAN.saturating_sub(1))
            .get_result(tx.conn())
            .optional()?)
    }

    /// From which SKU on all balances lie in it or in a later one: what is counted by SKU is proved where the SKU begins.
    fn first_begun(&self) -> Bound<&str> {
        let sku = self.after.sku.as_str();
        if self.after.location.is_empty() { Bound::Included(sku) } else { Bound::Excluded(sku) }
    }

    fn compare(&self, tx: &mut Tx<'_>) -> Result<(i64, Vec<Drift>), Error> {
        #[derive(QueryableByName)]
        struct Count {
            #[diesel(sql_type = BigInt)]
            checked: i64,
        }
        let of = |query: String| {
            diesel::sql_query(query)
                .bind::<Text, _>(&self.after.sku)
                .bind::<Text, _>(&self.after.location)
                .bind::<Text, _>(&self.upto.sku)
                .bind::<Text, _>(&self.upto.location)
        };
        let count: Count = of(format!("SELECT count(*) AS checked FROM stock WHERE {WITHIN}")).get_result(tx.conn())?;
        let rows: Vec<Row> = of(compare(WITHIN)).load(tx.conn())?;
        Ok((count.checked, rows.into_iter().map(Drift::from).collect()))
    }
}
