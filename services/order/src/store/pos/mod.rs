//! The tables `pos_…`: what tills wrote, their days, their gaps, and what they are told.

pub mod days;
pub mod feed;
pub mod transactions;
pub mod voids;

use chrono::NaiveDate;
use kernel::LocationCode;

/// A till.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Till {
    /// Its store.
    pub store: String,
    /// Its name within the store.
    pub terminal: String,
}

/// A till's business day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day {
    /// The till.
    pub till: Till,
    /// The day.
    pub business_date: NaiveDate,
}

/// Which transactions, days or gaps a list shows.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Of this store.
    pub store: LocationCode,
    /// Of this till.
    pub terminal: Option<String>,
    /// Of this day.
    pub business_date: Option<NaiveDate>,
    /// Older than this: the page before ended here (day, till, number).
    pub before: Option<(NaiveDate, String, i64)>,
}
