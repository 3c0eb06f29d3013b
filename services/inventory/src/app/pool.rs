//! The picture of the pool that plans are made on: where locations are and what they can promise, kept in memory.
//!
//! The picture holds what is committed and nothing else. Under the pool's lock it is brought up to date from the change
//! log, so a plan sees the truth without reading thousands of rows. What a command does to it while it plans is undone
//! when its [`Desk`] is dropped; once the command has committed, its effect arrives through the log like everybody's.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{Days, NaiveDate};
use chrono_tz::Tz;
use contracts::events::FulfilmentKind;
use kernel::{LocationCode, SkuCode};
use store::{Error, Tx};

use super::Draft;
use crate::domain::{Atlas, Decision, Loads, Moment, Reach, Request, Ruleset, Shelf, Shelves, Slot, Snapshot, plan};
use crate::store::{changes, code, loads, locations, rulesets, stock};

/// How many balances the picture keeps: about 100 MB. Beyond it the picture starts anew and grows back with demand.
const MAX_BALANCES: usize = 4_000_000;
/// How many logged transactions are caught up with; a picture further behind is faster drawn anew.
const MAX_BEHIND: i64 = 1_000;

/// The picture, shared by everything in this process that plans.
#[derive(Debug)]
pub struct Pool {
    picture: Mutex<Picture>,
    /// The time zone of locations that name none.
    zone: Tz,
}

#[derive(Debug, Default)]
struct Picture {
    /// The newest logged transaction that is in the picture; none before it was first drawn.
    seq: Option<i64>,
    atlas: Atlas,
    shelves: Shelves,
    /// From where the order at hand may be filled.
    reach: Reach,
    /// The rules in force.
    ruleset: Ruleset,
    /// Orders of the days whose capacity is limited.
    loads: Loads,
    balances: usize,
}

/// A place to plan at: the picture as this transaction sees it, for as long as the desk is open.
#[derive(Debug)]
pub struct Desk<'p> {
    picture: MutexGuard<'p, Picture>,
    now: Moment,
    /// What to put back: newest last.
    undo: Vec<(SkuCode, Slot, i64)>,
    /// Loads to put back: newest last.
    unload: Vec<(Slot, NaiveDate, i64)>,
    /// Shelves read while this transaction had changes of its own: they must not outlive it.
    guests: Vec<SkuCode>,
    /// Whether loads were read with this transaction's own changes in them: the picture is drawn anew after it.
    outdated: bool,
}

impl Pool {
    /// A picture that shows nothing yet, in the retailer's time zone.
    pub fn new(zone: Tz) -> Self {
        Self { picture: Mutex::default(), zone }
    }

    /// Brings the picture up to date and makes sure that it shows these SKUs. The caller holds the pool's lock.
    pub fn open(&self, tx: &mut Tx<'_>, skus: &BTreeSet<SkuCode>) -> Result<Desk<'_>, Error> {
        let picture = self.picture.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Moment { at: tx.now(), zone: self.zone };
        let mut desk = Desk { picture, now, undo: Vec::new(), unload: Vec::new(), guests: Vec::new(), outdated: false };
        let changed_before = desk.catch_up(tx)?;
        desk.show(tx, skus, changed_before)?;
        Ok(desk)
    }

    /// Writes what was planned. Should the database know better, the picture is drawn anew before the next plan.
    pub fn write(&self, tx: &mut Tx<'_>, draft: Draft) -> Result<(), Error> {
        let written = draft.write(tx);
        if written.is_err() {
            self.picture.lock().unwrap_or_else(PoisonError::into_inner).seq = None;
        }
        written.map(drop)
    }
}

impl Picture {
    fn draw(&mut self, tx: &mut Tx<'_>, since: NaiveDate) -> Result<(), Error> {
        *self = Self::default();
        self.atlas = Atlas::new(locations::sites(tx)?);
        self.ruleset = rulesets::active(tx)?;
        for it in loads::from(tx, since)? {
            if let Some(slot) = self.atlas.slot(&it.location) {
                self.loads.set(slot, it.day, it.orders);
            }
        }
        self.seq = Some(changes::newest(tx)?);
        Ok(())
    }

    fn set(&mut self, sku: &SkuCode, slot: Slot, balance: i64) -> Option<i64> {
        let shelf = self.shelves.get_mut(sku)?;
        Some(shelf.set(slot, balance).unwrap_or(0))
    }

    fn forget(&mut self, sku: &SkuCode) {
        if let Some(shelf) = self.shelves.remove(sku) {
            self.balances = self.balances.saturating_sub(shelf.len());
        }
    }
}

impl Desk<'_> {
    /// Reads the log; says whether this transaction has changed stock before.
    fn catch_up(&mut self, tx: &mut Tx<'_>) -> Result<bool, Error> {
        // Locations lie in several time zones, so that a day may have begun before the retailer's.
        let today = self.now.at.day_in(self.now.zone);
        let since = today.checked_sub_days(Days::new(2)).unwrap_or(today);
        let Some(seq) = self.picture.seq else {
            self.picture.draw(tx, since)?;
            return self.replay_own(tx);
        };
        self.picture.loads.forget_before(since);
        let log = changes::from(tx, seq, MAX_BEHIND)?;
        let gap = log.first().is_none_or(|first| first.seq != seq);
        let behind = i64::try_from(log.len()).is_ok_and(|rows| rows >= MAX_BEHIND);
        if gap || behind || log.iter().any(|change| change.locations_changed && !change.own && change.seq > seq) {
            self.picture.draw(tx, since)?;
            return self.replay_own(tx);
        }
        if log.iter().any(|change| change.rules_changed && !change.own && change.seq > seq) {
            self.picture.ruleset = rulesets::active(tx)?;
        }
        let mut own = false;
        for change in log.into_iter().filter(|change| change.seq > seq) {
            own |= change.own;
            self.take_over(&change)?;
            if !change.own {
                self.picture.seq = Some(change.seq);
            }
        }
        Ok(own)
    }

    /// A picture just drawn is empty, so there is nothing to change on it yet.
    fn replay_own(&mut self, tx: &mut Tx<'_>) -> Result<bool, Error> {
        let log = changes::from(tx, self.picture.seq.unwrap_or(0), MAX_BEHIND)?;
        self.outdated = log.iter().any(|change| change.own && !change.loaded.is_empty());
        Ok(log.iter().any(|change| change.own))
    }

    fn take_over(&mut self, change: &changes::Change) -> Result<(), Error> {
        let balances = change.skus.iter().zip(&change.locations).zip(&change.available);
        for ((sku, location), balance) in balances {
            let sku = code(sku)?;
            let Some(slot) = self.picture.atlas.slot(location) else { continue };
            let before = self.picture.set(&sku, slot, *balance);
            if let Some(before) = before.filter(|_| change.own) {
                self.undo.push((sku, slot, before));
            }
        }
        let loads = change.loaded.iter().zip(&change.loaded_days).zip(&change.loads);
        for ((location, day), orders) in loads {
            let Some(slot) = self.picture.atlas.slot(location) else { continue };
            let before = self.picture.loads.set(slot, *day, *orders);
            if change.own {
                self.unload.push((slot, *day, before));
            }
        }
        Ok(())
    }

    /// Reads the shelves that the picture does not show yet, in one statement.
    fn show(&mut self, tx: &mut Tx<'_>, skus: &BTreeSet<SkuCode>, changed_before: bool) -> Result<(), Error> {
        let unseen: BTreeSet<&SkuCode> = skus.iter().filter(|sku| !self.picture.shelves.contains_key(*sku)).collect();
        if unseen.is_empty() {
            return Ok(());
        }
        if self.picture.balances > MAX_BALANCES {
            self.picture.shelves.clear();
            self.picture.balances = 0;
            // Whatever was to be put back is gone with the shelves; all that is asked for is read again.
            self.undo.clear();
            return self.show(tx, skus, changed_before);
        }
        let mut shelves: Shelves = unseen.iter().map(|sku| ((*sku).clone(), Shelf::default())).collect();
        let places = stock::of_skus(tx, &unseen)?;
        self.picture.balances = self.picture.balances.saturating_add(places.len());
        let mut places = places.into_iter().peekable();
        while let Some(first) = places.next() {
            let mut row = vec![(first.location, first.balance)];
            while let Some(next) = places.next_if(|next| next.sku == first.sku) {
                row.push((next.location, next.balance));
            }
            let atlas = &self.picture.atlas;
            let slots = row.into_iter().filter_map(|(location, balance)| Some((atlas.slot(&location)?, balance)));
            shelves.insert(code(&first.sku)?, Shelf::new(slots.collect()));
        }
        if changed_before {
            self.guests.extend(shelves.keys().cloned());
        }
        self.picture.shelves.extend(shelves);
        Ok(())
    }

    /// The picture.
    pub fn snapshot(&self) -> Snapshot<'_> {
        let Picture { ruleset, atlas, shelves, reach, loads, .. } = &*self.picture;
        Snapshot { ruleset, atlas, shelves, reach, loads, now: self.now }
    }

    /// Plans a request; what it is given is gone for the next one.
    pub fn plan(&mut self, request: Request) -> Decision {
        let decision = plan(request, &self.snapshot());
        if decision.takes_stock() {
            for it in decision.allocations() {
                self.put(&it.sku, &it.location, it.quantity.get().saturating_neg());
            }
        }
        decision
    }

    /// Counts an order in at the locations that ship it and have a daily capacity; answers the days that are used.
    pub fn load(&mut self, decision: &Decision) -> Vec<(LocationCode, NaiveDate)> {
        let mut days = Vec::new();
        if decision.request.kind != FulfilmentKind::Ship {
            return days;
        }
        let respect = self.picture.ruleset.rules().respect;
        for location in decision.locations() {
            let atlas = &self.picture.atlas;
            let Some((slot, site)) = atlas.slot(location.as_str()).and_then(|slot| Some((slot, atlas.site(slot)?)))
            else {
                continue;
            };
            if site.daily_capacity.is_none() {
                continue;
            }
            let day = site.schedule.ready(self.now.at, self.now.zone, respect).day;
            let orders = self.picture.loads.get(slot, day);
            self.picture.loads.set(slot, day, orders.saturating_add(1));
            self.unload.push((slot, day, orders));
            days.push((location.clone(), day));
        }
        days
    }

    /// Puts units back on a shelf (or takes them off, below 0).
    pub fn put(&mut self, sku: &SkuCode, location: &LocationCode, units: i64) {
        let Some(slot) = self.picture.atlas.slot(location.as_str()) else { return };
        let before = self.picture.shelves.get(sku).map(|shelf| shelf.balance(slot).unwrap_or(0));
        if let Some(before) = before {
            self.picture.set(sku, slot, before.saturating_add(units));
            self.undo.push((sku.clone(), slot, before));
        }
    }
}

impl Drop for Desk<'_> {
    fn drop(&mut self) {
        for (sku, slot, before) in std::mem::take(&mut self.undo).into_iter().rev() {
            self.picture.set(&sku, slot, before);
        }
        for (slot, day, before) in std::mem::take(&mut self.unload).into_iter().rev() {
            self.picture.loads.set(slot, day, before);
        }
        for sku in std::mem::take(&mut self.guests) {
            self.picture.forget(&sku);
        }
        if self.outdated {
            self.picture.seq = None;
        }
    }
}
