//! What rules ask of an order's buyer, and what the book knows of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::faults::Faults;

/// The most orders that a rule counts up to: more within any time is a machine.
pub const MAX_ORDERS: i64 = 1_000;
/// The longest time in which orders are counted: thirty days.
pub const MAX_WINDOW_SECONDS: u32 = 30 * 24 * 3600;
/// The most different times that a document of rules counts in: each is counted for every buyer.
pub const MAX_WINDOWS: usize = 10;

/// How often somebody orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = HoldVelocity)]
pub struct Velocity {
    /// So many orders or more, this one counted.
    #[schema(minimum = 2, maximum = 1000)]
    pub orders: i64,
    /// Within so many seconds, by when they came into the book.
    #[schema(minimum = 1, maximum = 2_592_000)]
    pub within_seconds: u32,
}

impl Velocity {
    /// Names what cannot be counted.
    pub fn check(self, path: &str, faults: &mut Faults) {
        if !(2..=MAX_ORDERS).contains(&self.orders) {
            faults.add(format!("{path}.orders"), format!("lies between 2 and {MAX_ORDERS}"));
        }
        if !(1..=MAX_WINDOW_SECONDS).contains(&self.within_seconds) {
            faults.add(format!("{path}.within_seconds"), format!("lies between 1 and {MAX_WINDOW_SECONDS}"));
        }
    }
}

/// What of buyers has to be looked up before their orders are judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lookups {
    /// How many orders there were within so many seconds.
    pub windows: BTreeSet<u32>,
    /// Whether there was an order before.
    pub first: bool,
    /// Whether the blacklist names them.
    pub blacklist: bool,
}

impl Lookups {
    /// Whether orders are counted: then nobody else may take an order of the same buyer at the same time.
    pub fn counts(&self) -> bool {
        self.first || !self.windows.is_empty()
    }

    /// Whether nothing has to be looked up.
    pub fn is_empty(&self) -> bool {
        !self.counts() && !self.blacklist
    }
}

/// What the book knows of a buyer, by all of their identities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuyerFacts {
    /// Whether an identity is on the blacklist.
    pub is_blacklisted: bool,
    /// Whether there was no order before.
    pub is_first: bool,
    /// Orders within so many seconds, this one counted, by the seconds that a rule names.
    pub orders: Vec<(u32, i64)>,
}

impl BuyerFacts {
    /// Whether they order as often.
    pub fn is_as_often(&self, velocity: Velocity) -> bool {
        let fits = |(seconds, orders): &(u32, i64)| *seconds == velocity.within_seconds && *orders >= velocity.orders;
        self.orders.iter().any(fits)
    }
}
