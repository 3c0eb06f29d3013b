//! What channels may sell, answered from memory.
//!
//! Totals, uses and balances that rules look at are kept with every change in the database. This process keeps those of the
//! SKUs that were asked for and follows the change log: when the last look at the log is older than [`FRESH`], the next
//! question looks first. So an answer is never older than that, and a question costs no database most of the time.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use contracts::{Problem, ProblemCode};
use kernel::{ChannelCode, SkuCode, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Error, Store, Tx};
use tokio::sync::Mutex;
use utoipa::{IntoParams, ToSchema};
use web::{Answer, Data, Path, Principal, Query, answer};

use super::State;
use crate::app::availability::{self, Kept, Rules};
use crate::app::waterfall::{Waterfall, waterfall};
use crate::store::{changes, code};

/// How old the last look at the change log may be: well under the second within which a change shows.
const FRESH: Duration = Duration::from_millis(200);
/// Logged transactions taken over in one look; a process further behind starts anew.
const MAX_BEHIND: i64 = 5_000;
/// Numbers kept, one a SKU and one for each of its locations that a rule names: about 100 MB. Beyond it, keeping starts anew.
const MAX_KEPT: usize = 1_000_000;
/// SKUs in one question.
const MAX_ASKED: usize = 200;

/// What this process keeps.
#[derive(Debug, Default)]
pub(super) struct Availability {
    memory: RwLock<Memory>,
    /// Held by whoever reads the database, so that one question reads for all, and nothing older than the log's place in
    /// memory is taken in.
    reading: Mutex<()>,
}

#[derive(Debug, Default)]
struct Memory {
    looked: Option<Instant>,
    /// Every change committed before this instant is in it; as it is told.
    as_of: String,
    seq: Option<i64>,
    rules: Arc<Rules>,
    skus: HashMap<SkuCode, Kept>,
    /// How many numbers that is: one a SKU, and one for each of its locations that a rule names.
    numbers: usize,
}

impl Memory {
    fn is_fresh(&self) -> bool {
        self.looked.is_some_and(|at| at.elapsed() < FRESH)
    }

    /// The answer on what a channel may sell, if all of it is kept.
    fn answer(&self, channel: Option<&ChannelCode>, skus: &[&str]) -> Option<HttpResponse> {
        let as_of = self.as_of.as_str();
        let view = |sku: &&str| {
            let (sku, kept) = self.skus.get_key_value(*sku)?;
            let available = match channel {
                Some(channel) => kept.available(&self.rules, channel, sku),
                None => kept.total,
            };
            Some(AvailabilityView { sku, available, version: kept.version(&self.rules), as_of })
        };
        let views: Option<Vec<AvailabilityView<'_>>> = skus.iter().map(view).collect();
        views.map(|views| answer::ok(&views))
    }

    fn take_over(&mut self, change: changes::Totals) -> Result<(), Error> {
        for ((sku, total), version) in change.totalled.iter().zip(change.totals).zip(change.versions) {
            if let Some(kept) = self.skus.get_mut(sku.as_str()).filter(|kept| kept.version < version) {
                (kept.changes().total, kept.version) = (total, version);
            }
        }
        for ((sku, count), used) in change.used_skus.iter().zip(change.used_counts).zip(change.used) {
            if let Some(kept) = self.skus.get_mut(sku.as_str()) {
                kept.changes().used.insert(count, used);
            }
        }
        if self.rules.binds_any() {
            for ((sku, location), balance) in change.skus.iter().zip(&change.locations).zip(change.available) {
                let location = code(location)?;
                if let Some(kept) = self.skus.get_mut(sku.as_str()).filter(|_| self.rules.binds(&location)) {
                    let known = kept.changes().places.insert(location, balance);
                    self.numbers = self.numbers.saturating_add(usize::from(known.is_none()));
                }
            }
        }
        for sku in &change.catalog {
            self.skus.remove(sku.as_str());
        }
        Ok(())
    }
}

/// What a look at the log found.
struct Look {
    /// The rules, if everything is to be kept anew.
    anew: Option<Rules>,
    seq: i64,
    changes: Vec<changes::Totals>,
}

fn look(tx: &mut Tx<'_>, seq: Option<i64>) -> Result<Look, Error> {
    if let Some(seq) = seq {
        let changes = changes::totals(tx, seq, MAX_BEHIND)?;
        let newest = changes.last().map_or(seq, |change| change.seq);
        let whole = changes.first().is_some_and(|first| first.seq == seq);
        let other_rules = changes.iter().any(|change| change.rules_changed && change.seq > seq);
        if whole && !other_rules && i64::try_from(changes.len()).is_ok_and(|rows| rows < MAX_BEHIND) {
            let changes = changes.into_iter().filter(|change| change.seq > seq).collect();
            return Ok(Look { anew: None, seq: newest, changes });
        }
    }
    let seq = changes::newest(tx)?;
    Ok(Look { anew: Some(Rules::read(tx)?), seq, changes: Vec::new() })
}

impl Availability {
    /// The answer from memory, if that is fresh and has all of it.
    fn known(&self, channel: Option<&ChannelCode>, skus: &[&str]) -> Option<HttpResponse> {
        self.read(|memory| memory.is_fresh().then(|| memory.answer(channel, skus)).flatten())
    }

    /// The answer once the database has told what was missing.
    async fn learned(
        &self,
        store: &Store,
        channel: Option<&ChannelCode>,
        skus: &[SkuCode],
    ) -> Result<HttpResponse, Error> {
        let names: Vec<&str> = skus.iter().map(SkuCode::as_str).collect();
        loop {
            let _reading = self.reading.lock().await;
            if !self.read(Memory::is_fresh) {
                self.look(store).await?;
            }
            self.fetch(store, skus).await?;
            if let Some(answer) = self.read(|memory| memory.answer(channel, &names)) {
                return Ok(answer);
            }
        }
    }

    fn read<T>(&self, read: impl FnOnce(&Memory) -> T) -> T {
        read(&self.memory.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, write: impl FnOnce(&mut Memory) -> T) -> T {
        write(&mut self.memory.write().unwrap_or_else(PoisonError::into_inner))
    }

    async fn look(&self, store: &Store) -> Result<(), Error> {
        let (started, as_of, seq) = (Instant::now(), store.now(), self.read(|memory| memory.seq));
        let found = store.read("look_at_changes", move |tx| look(tx, seq)).await?;
        self.write(|memory| {
            if let Some(rules) = found.anew {
                *memory = Memory { rules: Arc::new(rules), ..Memory::default() };
            }
            if memory.numbers > MAX_KEPT {
                memory.skus.clear();
                memory.numbers = 0;
            }
            found.changes.into_iter().try_for_each(|change| memory.take_over(change))?;
            memory.seq = Some(found.seq);
            memory.looked = Some(started);
            memory.as_of = as_of.to_string();
            Ok(())
        })
    }

    /// Reads SKUs that are not kept yet. One that is not known is kept as such, until the log tells of it.
    async fn fetch(&self, store: &Store, skus: &[SkuCode]) -> Result<(), Error> {
        let unkept: Vec<SkuCode> =
            self.read(|memory| skus.iter().filter(|sku| !memory.skus.contains_key(*sku)).cloned().collect());
        if unkept.is_empty() {
            return Ok(());
        }
        let rules = self.read(|memory| memory.rules.clone());
        let kept = store.read("availability", move |tx| availability::read(tx, &rules, &unkept)).await?;
        let numbers = kept.values().map(|it| it.places.len().saturating_add(1)).fold(0, usize::saturating_add);
        self.write(|memory| {
            memory.skus.extend(kept);
            memory.numbers = memory.numbers.saturating_add(numbers);
        });
        Ok(())
    }
}

/// Which SKUs are asked for.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AvailabilityQuery {
    /// The channel that wants to sell. Without one, the whole pool is told, before any sharing.
    #[param(value_type = Option<String>)]
    channel: Option<ChannelCode>,
    /// The SKUs, separated by commas, at most 200.
    #[param(example = "A,B")]
    sku: String,
}

/// What can be promised of a SKU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AvailabilityView<'a> {
    /// The SKU.
    pub sku: &'a SkuCode,
    /// Units the channel may sell, over all locations.
    pub available: i64,
    /// Grows with every change; 0 for a SKU that never had stock while no sharing rule was ever made.
    pub version: i64,
    /// Every change committed before this instant is in it.
    #[schema(value_type = Timestamp)]
    pub as_of: &'a str,
}

/// What a channel may sell of some SKUs, in the order asked
///
/// A change shows within a second.
#[utoipa::path(get, path = "/v1/availability", tag = "inventory", params(AvailabilityQuery),
    responses((status = 200, body = Vec<AvailabilityView<'static>>)))]
pub async fn get(state: Data<State>, principal: Principal, query: Query<AvailabilityQuery>) -> Answer {
    let query = query.into_inner();
    if let Some(channel) = &query.channel {
        principal.require_channel(channel)?;
    }
    let names: Vec<&str> = query.sku.split(',').map(str::trim).collect();
    if names.len() > MAX_ASKED {
        return Err(Problem::invalid("sku", format!("names at most {MAX_ASKED} SKUs")).into());
    }
    if let Some(answer) = state.availability.known(query.channel.as_ref(), &names) {
        return Ok(answer);
    }
    let skus = names.into_iter().map(str::parse::<SkuCode>).collect::<Result<Vec<_>, _>>();
    let skus = skus.map_err(|error| Problem::new(ProblemCode::Malformed).field("sku", error.to_string()))?;
    Ok(state.availability.learned(&state.store, query.channel.as_ref(), &skus).await?)
}

/// Whose waterfall is asked for.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WaterfallQuery {
    /// The channel that wants to sell.
    #[param(value_type = String)]
    channel: ChannelCode,
}

/// Every term from what is on hand to what a channel may sell
///
/// The terms add up to `available`. Holds that have run out do not count, also before they are swept.
#[utoipa::path(get, path = "/v1/availability/{sku}/waterfall", tag = "inventory",
    params(("sku" = String, Path, description = "The SKU"), WaterfallQuery),
    responses((status = 200, body = Waterfall), (status = 404, body = Problem)))]
pub async fn get_waterfall(
    state: Data<State>,
    principal: Principal,
    path: Path<SkuCode>,
    query: Query<WaterfallQuery>,
) -> Answer {
    let (sku, channel) = (path.into_inner(), query.into_inner().channel);
    principal.require_channel(&channel)?;
    let asked = sku.clone();
    let found = state.store.read("waterfall", move |tx| waterfall(tx, &channel, &asked)).await?;
    Ok(answer::ok(&found.ok_or_else(|| Problem::not_found("SKU", &sku))?))
}
