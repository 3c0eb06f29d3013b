//! Writes SKUs and tells which changed.

use std::collections::{HashMap, HashSet};

use contracts::events::SkuChanged;
use contracts::{Cause, Problem, ProblemCode};
use store::{Error, Tx, outbox};

use crate::domain::sku::{Fault, Sku};
use crate::store::skus::{self, Stored};

/// What became of a SKU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Created,
    /// It is different now.
    Updated,
    /// It was so already.
    Unchanged,
}

/// Why a SKU was not written.
#[derive(Debug)]
pub enum Refusal {
    /// Broken rules, each with its field.
    Invalid(Vec<Fault>),
    /// Another SKU has this GTIN.
    GtinTaken,
    /// The same code stands later in the batch.
    Repeated,
    /// It has changed since it was read.
    Stale,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid(faults) => faults
                .into_iter()
                .fold(Self::new(ProblemCode::InvalidField), |problem, fault| problem.field(fault.field, fault.detail)),
            Refusal::GtinTaken => Self::new(ProblemCode::Contradiction).field("gtin", "belongs to another SKU"),
            Refusal::Repeated => Self::invalid("sku", "stands again later in the same batch"),
            Refusal::Stale => Self::new(ProblemCode::PreconditionFailed),
        }
    }
}

/// Writes a batch of SKUs: each alone is created, updated, left as it was, or refused.
pub fn put_skus(
    tx: &mut Tx<'_>,
    batch: &[Sku],
    cause: &Cause,
) -> Result<Vec<Result<(Stored, Change), Refusal>>, Error> {
    let mut refusals: HashMap<usize, Refusal> = refuse(batch);
    let good: Vec<&Sku> = batch.iter().enumerate().filter(|(i, _)| !refusals.contains_key(i)).map(|(_, s)| s).collect();
    let taken: HashSet<String> = skus::foreign_gtins(tx, &good)?.into_iter().collect();
    for (index, sku) in batch.iter().enumerate() {
        if sku.gtin.as_ref().is_some_and(|gtin| taken.contains(gtin)) {
            refusals.entry(index).or_insert(Refusal::GtinTaken);
        }
    }
    let good: Vec<&Sku> = batch.iter().enumerate().filter(|(i, _)| !refusals.contains_key(i)).map(|(_, s)| s).collect();
    let changed = skus::upsert(tx, &good)?;
    for stored in &changed {
        outbox::append(tx, &told(stored), cause)?;
    }
    let mut by_code: HashMap<String, (Stored, Change)> = changed
        .into_iter()
        .map(|stored| {
            let change = if stored.version == 1 { Change::Created } else { Change::Updated };
            (stored.sku.sku.to_string(), (stored, change))
        })
        .collect();
    let same: Vec<&str> = good.iter().map(|s| s.sku.as_str()).filter(|code| !by_code.contains_key(*code)).collect();
    for stored in skus::find(tx, &same)? {
        by_code.insert(stored.sku.sku.to_string(), (stored, Change::Unchanged));
    }
    let answer = |(index, sku): (usize, &Sku)| match refusals.remove(&index) {
        Some(refusal) => Ok(Err(refusal)),
        None => by_code.remove(sku.sku.as_str()).map(Ok).ok_or(Error::Broken("every written SKU is found again")),
    };
    batch.iter().enumerate().map(answer).collect()
}

/// What can be refused without the database. Of a code that stands twice, the last one counts.
fn refuse(batch: &[Sku]) -> HashMap<usize, Refusal> {
    let mut refusals = HashMap::new();
    let mut later_codes = HashSet::new();
    let mut later_gtins = HashSet::new();
    for (index, sku) in batch.iter().enumerate().rev() {
        let faults = sku.check();
        if !faults.is_empty() {
            refusals.insert(index, Refusal::Invalid(faults));
        } else if !later_codes.insert(sku.sku.clone()) {
            refusals.insert(index, Refusal::Repeated);
        } else if sku.gtin.as_ref().is_some_and(|gtin| !later_gtins.insert(gtin.clone())) {
            refusals.insert(index, Refusal::GtinTaken);
        }
    }
    refusals
}

fn told(stored: &Stored) -> SkuChanged {
    let sku = stored.sku.clone();
    SkuChanged {
        sku: sku.sku,
        name: sku.name,
        status: sku.status,
        category: sku.category,
        brand: sku.brand,
        weight_grams: sku.weight_grams,
        bundle: sku.bundle,
        version: stored.version,
    }
}
