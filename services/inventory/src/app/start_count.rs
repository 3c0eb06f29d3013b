//! Starts a count: notes where the ledger stands, so that what moves while somebody counts does not falsify it.

use std::collections::BTreeSet;

use kernel::{LocationCode, SkuCode};
use store::Tx;

use super::caller::Caller;
use super::delivery::check_known;
use super::refusal::Refusal;
use crate::domain::document::{CountId, CountStatus, MAX_COUNTED};
use crate::store::counts::{self, Count, CountLine};
use crate::store::movements;

/// A count to be started.
#[derive(Clone, Debug)]
pub struct NewCount {
    /// Where is counted.
    pub location: LocationCode,
    /// What is counted; everything that has a balance there, when left out.
    pub skus: Option<BTreeSet<SkuCode>>,
    /// The caller's own reference.
    pub reference: Option<String>,
}

/// A count with its lines.
#[derive(Clone, Debug)]
pub struct Counting {
    /// Everything but its lines.
    pub head: Count,
    /// Its lines.
    pub lines: Vec<CountLine>,
}

/// Starts a count.
pub fn start_count(tx: &mut Tx<'_>, wanted: &NewCount, caller: &Caller) -> Result<Counting, Refusal> {
    caller.check_location(&wanted.location)?;
    let named: Vec<&SkuCode> = wanted.skus.iter().flatten().collect();
    let fields: Vec<_> = named.iter().map(|sku| ("skus".to_owned(), *sku)).collect();
    check_known(tx, &fields, &[("location", &wanted.location)])?;
    let skus: Vec<String> = if wanted.skus.is_some() {
        named.into_iter().map(ToString::to_string).collect()
    } else {
        counts::skus_at(tx, wanted.location.as_str(), i64::try_from(MAX_COUNTED).unwrap_or(i64::MAX).saturating_add(1))?
    };
    if skus.len() > MAX_COUNTED {
        let detail = format!("{} has more than {MAX_COUNTED} SKUs: name those to be counted", wanted.location);
        return Err(Refusal::invalid("skus", detail));
    }
    let head = Count {
        id: CountId::at(tx.now()).uuid(),
        status: CountStatus::Counting.as_str().to_owned(),
        location: wanted.location.to_string(),
        reference: wanted.reference.clone(),
        position: movements::newest(tx)?,
        created_at: tx.now().utc(),
        created_by: caller.name(),
        changed_at: tx.now().utc(),
        version: 1,
    };
    counts::insert(tx, &head, &skus)?;
    let line = |sku| CountLine { sku, booked: None, counted: None, counted_at: None };
    Ok(Counting { head, lines: skus.into_iter().map(line).collect() })
}
