//! What the pool can promise, answered from memory.
//!
//! Totals are kept with every change in the database. This process keeps those that were asked for and follows the change
//! log: when the last look at the log is older than [`FRESH`], the next question looks first. So an answer is never older
//! than that, and a question costs no database most of the time.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use contracts::{Problem, ProblemCode};
use kernel::{ChannelCode, SkuCode, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Error, Store, Tx};
use tokio::sync::Mutex;
use utoipa::{IntoParams, ToSchema};
use web::{Answer, Data, Principal, Query, answer};

use super::State;
use crate::store::{changes, stock};

/// How old the last look at the change log may be: well under the second within which a change shows.
const FRESH: Duration = Duration::from_millis(200);
/// Logged transactions taken over in one look; a process further behind starts anew.
const MAX_BEHIND: i64 = 5_000;
/// SKUs kept: ten times a large catalogue. Beyond it, keeping starts anew.
const MAX_KEPT: usize = 1_000_000;
/// SKUs in one question.
const MAX_ASKED: usize = 200;

/// The totals this process keeps.
#[derive(Debug, Default)]
pub(super) struct Availability {
    kept: RwLock<Kept>,
    /// Held by whoever looks at the log, so that one question looks for all.
    looking: Mutex<()>,
}

#[derive(Debug, Default)]
struct Kept {
    looked: Option<(Instant, Timestamp)>,
    seq: Option<i64>,
    totals: HashMap<String, Total>,
}

#[derive(Clone, Copy, Debug)]
struct Total {
    available: i64,
    version: i64,
}

impl Kept {
    fn is_fresh(&self) -> bool {
        self.looked.is_some_and(|(at, _)| at.elapsed() < FRESH)
    }

    /// Takes a total over, unless a newer one is kept.
    fn keep(&mut self, sku: String, total: Total) {
        let kept = self.totals.entry(sku).or_insert(total);
        if kept.version < total.version {
            *kept = total;
        }
    }
}

/// What a look at the log found.
struct Look {
    anew: bool,
    seq: i64,
    changes: Vec<changes::Totals>,
}

fn look(tx: &mut Tx<'_>, seq: Option<i64>) -> Result<Look, Error> {
    if let Some(seq) = seq {
        let changes = changes::totals(tx, seq, MAX_BEHIND)?;
        let newest = changes.last().map_or(seq, |change| change.seq);
        let whole = changes.first().is_some_and(|first| first.seq == seq);
        if whole && i64::try_from(changes.len()).is_ok_and(|rows| rows < MAX_BEHIND) {
            return Ok(Look { anew: false, seq: newest, changes });
        }
    }
    Ok(Look { anew: true, seq: changes::newest(tx)?, changes: Vec::new() })
}

impl Availability {
    async fn of(&self, store: &Store, skus: &[SkuCode]) -> Result<Vec<AvailabilityView>, Error> {
        if !self.read(Kept::is_fresh) {
            let _looking = self.looking.lock().await;
            if !self.read(Kept::is_fresh) {
                self.look(store).await?;
            }
        }
        let unkept: Vec<String> = self.read(|kept| {
            let unkept = skus.iter().filter(|sku| !kept.totals.contains_key(sku.as_str()));
            unkept.map(ToString::to_string).collect()
        });
        if !unkept.is_empty() {
            self.fetch(store, unkept).await?;
        }
        Ok(self.read(|kept| {
            let as_of = kept.looked.map_or(Timestamp::EPOCH, |(_, at)| at);
            let view = |sku: &SkuCode| {
                let total = kept.totals.get(sku.as_str()).copied().unwrap_or(Total { available: 0, version: 0 });
                AvailabilityView { sku: sku.clone(), available: total.available, version: total.version, as_of }
            };
            skus.iter().map(view).collect()
        }))
    }

    fn read<T>(&self, read: impl FnOnce(&Kept) -> T) -> T {
        read(&self.kept.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, write: impl FnOnce(&mut Kept)) {
        write(&mut self.kept.write().unwrap_or_else(PoisonError::into_inner));
    }

    async fn look(&self, store: &Store) -> Result<(), Error> {
        let (started, as_of, seq) = (Instant::now(), store.now(), self.read(|kept| kept.seq));
        let found = store.read("look_at_changes", move |tx| look(tx, seq)).await?;
        self.write(|kept| {
            if found.anew || kept.totals.len() > MAX_KEPT {
                kept.totals.clear();
            }
            for change in found.changes {
                let totals = change.totalled.into_iter().zip(change.totals).zip(change.versions);
                for ((sku, available), version) in totals {
                    if kept.totals.contains_key(&sku) {
                        kept.keep(sku, Total { available, version });
                    }
                }
            }
            kept.seq = Some(found.seq);
            kept.looked = Some((started, as_of));
        });
        Ok(())
    }

    /// Reads totals that are not kept yet. A SKU without stock is kept as such, until the log tells of some.
    async fn fetch(&self, store: &Store, skus: Vec<String>) -> Result<(), Error> {
        let asked = skus.clone();
        let totals = store.read("availability", move |tx| stock::totals(tx, &asked)).await?;
        self.write(|kept| {
            for it in totals {
                kept.keep(it.sku, Total { available: it.available, version: it.version });
            }
            for sku in skus {
                kept.keep(sku, Total { available: 0, version: 0 });
            }
        });
        Ok(())
    }
}

/// Which SKUs are asked for.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AvailabilityQuery {
    /// The channel that wants to sell.
    #[param(value_type = Option<String>)]
    channel: Option<ChannelCode>,
    /// The SKUs, separated by commas, at most 200.
    #[param(example = "A,B")]
    sku: String,
}

/// What can be promised of a SKU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AvailabilityView {
    /// The SKU.
    pub sku: SkuCode,
    /// Units, over all locations.
    pub available: i64,
    /// Grows with every change; 0 for a SKU that never had stock.
    pub version: i64,
    /// Every change committed before this instant is in it.
    pub as_of: Timestamp,
}

/// What can be promised of some SKUs, in the order asked
///
/// A change shows within a second.
#[utoipa::path(get, path = "/v1/availability", tag = "inventory", params(AvailabilityQuery),
    responses((status = 200, body = Vec<AvailabilityView>)))]
pub async fn get(state: Data<State>, principal: Principal, query: Query<AvailabilityQuery>) -> Answer {
    let query = query.into_inner();
    if let Some(channel) = &query.channel {
        principal.require_channel(channel)?;
    }
    let skus = query.sku.split(',').map(|sku| sku.trim().parse::<SkuCode>()).collect::<Result<Vec<_>, _>>();
    let skus = skus.map_err(|error| Problem::new(ProblemCode::Malformed).field("sku", error.to_string()))?;
    if skus.len() > MAX_ASKED {
        return Err(Problem::invalid("sku", format!("names at most {MAX_ASKED} SKUs")).into());
    }
    Ok(answer::ok(&state.availability.of(&state.store, &skus).await?))
}
