//! The stores: where buyers are taken to be, which stores keep the whole range, and what they have at the beginning.

use std::collections::{BTreeMap, HashSet};
use std::io::Read;

use anyhow::{Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::plan::Plan;
use super::rows::Row;

/// Stores that keep the whole range: one in each of the cities with most stores.
const WHOLE_RANGE: usize = 10;
/// Further stores that have a little of each SKU.
const NEIGHBOURS: u64 = 2;

/// A store.
#[derive(Clone, Debug, Deserialize)]
pub struct Store {
    /// Its number, which is its location's code.
    #[serde(rename = "store_number")]
    pub code: String,
    /// Its name.
    pub name: String,
    /// Its city.
    pub city: String,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

/// Every store.
#[derive(Clone, Debug)]
pub struct Places {
    stores: Vec<Store>,
    whole_range: Vec<usize>,
}

impl Places {
    /// Reads the stores; of a number that stands twice the first counts.
    pub fn read(source: impl Read) -> Result<Self> {
        let mut seen = HashSet::new();
        let mut stores: Vec<Store> = csv::Reader::from_reader(source).deserialize().collect::<Result<_, _>>()?;
        stores.retain(|store| seen.insert(store.code.clone()));
        ensure!(!stores.is_empty(), "there are no stores");
        let mut cities: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, store) in stores.iter().enumerate() {
            cities.entry(&store.city).or_default().push(index);
        }
        let mut largest: Vec<Vec<usize>> = cities.into_values().collect();
        largest.sort_by_key(|stores| std::cmp::Reverse(stores.len()));
        let whole_range = largest.iter().take(WHOLE_RANGE).map(|stores| stores[0]).collect();
        Ok(Self { stores, whole_range })
    }

    /// Every store as a location.
    pub fn locations(&self) -> Vec<Value> {
        let location = |store: &Store| {
            json!({
                "code": store.code, "name": store.name.trim(), "kind": "store", "latitude": store.latitude,
                "longitude": store.longitude, "capabilities": ["ship", "pickup", "return"], "status": "active",
            })
        };
        self.stores.iter().map(location).collect()
    }

    /// The store in whose neighbourhood a buyer lives: always the same for a customer, and for the invoice of a stranger.
    pub fn of_buyer(&self, row: &Row) -> &Store {
        self.by(row.customer.as_deref().unwrap_or(&row.invoice))
    }

    /// The store where the stock of a SKU is corrected: one that has enough of it.
    pub fn of_correction(&self, sku: &str) -> &Store {
        let count = u64::try_from(self.whole_range.len()).expect("a few");
        let place = usize::try_from(digest(sku, 0) % count).expect("a few");
        &self.stores[self.whole_range[place]]
    }

    fn by(&self, key: &str) -> &Store {
        self.nth(digest(key, 0))
    }

    fn nth(&self, number: u64) -> &Store {
        let count = u64::try_from(self.stores.len()).expect("some thousands");
        &self.stores[usize::try_from(number % count).expect("some thousands")]
    }

    /// Opening balances: enough of everything at each store that keeps the whole range, and a little elsewhere.
    pub fn opening_stock(&self, rows: &[Row], plan: &Plan) -> Vec<Value> {
        let mut needed: BTreeMap<&str, i64> = BTreeMap::new();
        for row in plan.orders.iter().flat_map(|order| &order.rows) {
            *needed.entry(&rows[*row].sku).or_default() += rows[*row].quantity;
        }
        for row in plan.windows.iter().flat_map(|window| &window.adjustments) {
            *needed.entry(&rows[*row].sku).or_default() += rows[*row].quantity.min(0).abs();
        }
        let mut lines = Vec::new();
        for (sku, units) in needed {
            let mut balances: BTreeMap<&str, i64> = BTreeMap::new();
            for salt in 1..=NEIGHBOURS {
                balances.insert(&self.nth(digest(sku, salt)).code, units / 10 + 1);
            }
            balances.extend(self.whole_range.iter().map(|store| (self.stores[*store].code.as_str(), units)));
            let line = |(location, on_hand)| json!({ "sku": sku, "location": location, "on_hand": on_hand });
            lines.extend(balances.into_iter().map(line));
        }
        lines
    }
}

/// FNV-1a: the same on every machine and in every version.
fn digest(text: &str, salt: u64) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325 ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15), step);
    // The low bits of FNV alone follow the last byte too closely to be taken modulo.
    hash ^ (hash >> 32)
}
