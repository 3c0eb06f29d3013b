//! Loads: how many orders locations with a daily capacity have on which day.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;

use super::atlas::Slot;

/// Orders by day and location.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loads(BTreeMap<NaiveDate, HashMap<Slot, i64>>);

impl Loads {
    /// The orders of a location on a day.
    pub fn get(&self, slot: Slot, day: NaiveDate) -> i64 {
        self.0.get(&day).and_then(|slots| slots.get(&slot)).copied().unwrap_or(0)
    }

    /// Sets the orders of a location on a day; says what they were.
    pub fn set(&mut self, slot: Slot, day: NaiveDate, orders: i64) -> i64 {
        self.0.entry(day).or_default().insert(slot, orders).unwrap_or(0)
    }

    /// Forgets the days before.
    pub fn forget_before(&mut self, day: NaiveDate) {
        if self.0.first_key_value().is_some_and(|(first, _)| *first < day) {
            self.0 = self.0.split_off(&day);
        }
    }
}
