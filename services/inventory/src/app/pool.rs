//! The pool as one transaction sees it while it plans.
//!
//! Under the pool's lock the [picture](super::picture) is brought up to date from the change log, so a plan sees the truth
//! without reading thousands of rows. What a command does to it while it plans is undone when its [`Desk`] is dropped;
//! once the command has committed, its effect arrives through the log like everybody's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{Days, NaiveDate};
use chrono_tz::Tz;
use contracts::events::{Allocation, FulfilmentKind};
use kernel::{GeoPoint, LocationCode, SkuCode};
use store::{Error, Tx};
use uuid::Uuid;

use super::Draft;
use super::picture::{Before, Picture};
use super::sweep_reservations::sweep_all;
use crate::domain::compare::Measure;
use crate::domain::gather::unfillable;
use crate::domain::share::{Fence, Rule, Spread, Supply, broken, share};
use crate::domain::{Decision, Moment, Place, Reach, Request, Ruleset, Slot, Snapshot, claim_fits, plan};
use crate::store::changes;
use crate::store::reservations::Buyer;
use crate::store::reserved::ReservedLine;

/// How many logged transactions are caught up with; a picture further behind is faster drawn anew.
const MAX_BEHIND: i64 = 1_000;

/// The picture, shared by everything in this process that plans.
#[derive(Debug)]
pub struct Pool {
    picture: Mutex<Picture>,
    /// The time zone of locations that name none.
    zone: Tz,
}

/// A place to plan at: the picture as this transaction sees it, for as long as the desk is open.
#[derive(Debug)]
pub struct Desk<'p> {
    picture: MutexGuard<'p, Picture>,
    now: Moment,
    /// What to put back: newest last.
    undo: Vec<Before>,
    /// Whether this transaction has changed stock before.
    changed_before: bool,
    /// Read while this transaction had changes of its own: it must not outlive it.
    guests: Vec<SkuCode>,
    /// Whether loads were read with this transaction's own changes in them: the picture is drawn anew after it.
    outdated: bool,
    /// Whether there may be holds that have run out and are not swept yet.
    due: bool,
    /// Units held by each of the buyers who were asked for.
    held: Vec<i64>,
}

/// A decision, with what each of its SKUs is counted by where the channel's share is counted.
#[derive(Debug)]
pub struct Planned {
    /// The decision.
    pub decision: Decision,
    /// Counts by SKU.
    pub counted: BTreeMap<SkuCode, i64>,
}

impl Planned {
    /// What is to be promised to its owner.
    pub fn promises(&self, owner: Uuid) -> Vec<ReservedLine> {
        let line = |it: &Allocation| ReservedLine {
            owner,
            line_no: it.line_no,
            sku: it.sku.clone(),
            location: it.location.clone(),
            quantity: it.quantity.get(),
            count_id: self.counted.get(&it.sku).copied(),
        };
        let taken = self.decision.takes_stock().then(|| self.decision.allocations());
        taken.into_iter().flatten().map(line).collect()
    }
}

impl Pool {
    /// A picture that shows nothing yet, in the retailer's time zone, and will keep so many balances.
    pub fn new(zone: Tz, max_balances: usize) -> Self {
        Self { picture: Mutex::new(Picture::new(max_balances)), zone }
    }

    /// The time zone of locations that name none.
    pub const fn zone(&self) -> Tz {
        self.zone
    }

    /// Brings the picture up to date. The caller holds the pool's lock, or only reads.
    pub fn open(&self, tx: &mut Tx<'_>) -> Result<Desk<'_>, Error> {
        self.open_for(tx, &[])
    }

    fn open_for(&self, tx: &mut Tx<'_>, buyers: &[Buyer<'_>]) -> Result<Desk<'_>, Error> {
        let mut picture = self.picture.lock().unwrap_or_else(PoisonError::into_inner);
        // Not while the desk is open: what it was shown must stay.
        picture.make_room();
        let now = Moment { at: tx.now(), zone: self.zone };
        let (undo, guests, held) = (Vec::new(), Vec::new(), Vec::new());
        let mut desk = Desk { picture, now, undo, changed_before: false, guests, outdated: false, due: true, held };
        desk.changed_before = desk.catch_up(tx, buyers)?;
        Ok(desk)
    }

    /// As [`Pool::open`], for whoever promises stock and holds the pool's lock: holds that have run out are swept first, so
    /// that no plan sees units as held that are not. The same look at the database tells what some buyers hold.
    pub fn open_swept(&self, tx: &mut Tx<'_>, buyers: &[Buyer<'_>]) -> Result<Desk<'_>, Error> {
        let mut desk = self.open_for(tx, buyers)?;
        if desk.due && sweep_all(tx)? {
            desk.changed_before = desk.catch_up(tx, buyers)?;
        }
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

impl Desk<'_> {
    /// Reads the log; says whether this transaction has changed stock before.
    fn catch_up(&mut self, tx: &mut Tx<'_>, buyers: &[Buyer<'_>]) -> Result<bool, Error> {
        // Locations lie in several time zones, so that a day may have begun before the retailer's.
        let today = self.now.at.day_in(self.now.zone);
        let since = today.checked_sub_days(Days::new(2)).unwrap_or(today);
        let Some(seq) = self.picture.seq else {
            self.picture.draw(tx, since)?;
            return self.has_own(tx, buyers);
        };
        self.picture.loads.forget_before(since);
        let log = changes::from(tx, seq, MAX_BEHIND, buyers)?;
        self.note(&log);
        let gap = log.first().is_none_or(|first| first.seq != seq);
        let behind = i64::try_from(log.len()).is_ok_and(|rows| rows >= MAX_BEHIND);
        let relocated = log.iter().any(|change| change.locations_changed && !change.own && change.seq > seq);
        if gap || behind || (relocated && !self.picture.retouch(tx)?) {
            self.picture.draw(tx, since)?;
            return self.has_own(tx, buyers);
        }
        let fresh = || log.iter().filter(|change| change.seq > seq);
        if fresh().any(|change| change.rules_changed) {
            self.picture.read_rules(tx)?;
        }
        let mut own = false;
        for change in fresh() {
            own |= change.own;
            let before = self.picture.take_over(change)?;
            self.undo.extend(before);
            if !change.own {
                self.picture.seq = Some(change.seq);
            }
        }
        Ok(own)
    }

    /// A picture just drawn is empty, so there is nothing to change on it yet.
    fn has_own(&mut self, tx: &mut Tx<'_>, buyers: &[Buyer<'_>]) -> Result<bool, Error> {
        let log = changes::from(tx, self.picture.seq.unwrap_or(0), MAX_BEHIND, buyers)?;
        self.note(&log);
        self.outdated = log.iter().any(|change| change.own && !change.loaded.is_empty());
        Ok(log.iter().any(|change| change.own))
    }

    /// Notes what was asked along with the log. While there is none, nothing was ever held.
    fn note(&mut self, log: &[changes::Change]) {
        self.due = log.first().is_none_or(|change| change.due);
        self.held = log.first().map(|change| change.held.clone()).unwrap_or_default();
    }

    /// Units held by each of the buyers who were asked for, in their order.
    pub fn held(&self) -> impl Iterator<Item = i64> {
        self.held.iter().copied().chain(std::iter::repeat(0))
    }

    /// Notes on each line what it is made of, when it is a bundle, and makes sure that the picture shows all that is asked
    /// for; answers the SKUs that are not known.
    pub fn lay_out<'a>(
        &mut self,
        tx: &mut Tx<'_>,
        requests: impl Iterator<Item = &'a mut Request>,
    ) -> Result<BTreeSet<SkuCode>, Error> {
        let mut requests: Vec<&mut Request> = requests.collect();
        let ordered: BTreeSet<SkuCode> =
            requests.iter().flat_map(|request| request.lines.iter().map(|line| line.sku.clone())).collect();
        self.picture.show_entries(tx, &ordered)?;
        for line in requests.iter_mut().flat_map(|request| request.lines.iter_mut()) {
            line.parts = self.picture.entries.get(&line.sku).map(|entry| entry.parts.clone()).unwrap_or_default();
        }
        let needed = requests.iter().flat_map(|request| request.demands()).map(|demand| demand.sku).collect();
        self.show(tx, &needed)?;
        Ok(ordered.into_iter().filter(|sku| !self.picture.entries.contains_key(sku)).collect())
    }

    /// Makes sure that the picture shows these SKUs, none of which is a bundle.
    pub fn show(&mut self, tx: &mut Tx<'_>, skus: &BTreeSet<SkuCode>) -> Result<(), Error> {
        if !self.picture.book.is_empty() {
            self.picture.show_entries(tx, skus)?;
        }
        let read = self.picture.show(tx, skus)?;
        if self.changed_before {
            self.guests.extend(read);
        }
        Ok(())
    }

    /// Forgets what a claimed hold holds where the order cannot be fulfilled: a location may have closed since, or hand goods
    /// over and not ship them. Nothing fits then, and the order is planned like any other.
    pub fn give_up_unfit_claim(&self, request: &mut Request) {
        let atlas = &self.picture.atlas;
        let fits = |location: &LocationCode| {
            let site = atlas.slot(location.as_str()).and_then(|slot| atlas.site(slot));
            site.is_some_and(|site| {
                site.active && if request.kind == FulfilmentKind::Ship { site.ships } else { site.hands_over }
            })
        };
        let unfit = request.claim.as_ref().is_some_and(|claim| !claim.lines.iter().all(|it| fits(&it.location)));
        if let Some(claim) = request.claim.as_mut().filter(|_| unfit) {
            claim.lines.clear();
        }
    }

    /// Whether nothing can be promised of a SKU any more.
    pub fn is_used_up(&self, sku: &SkuCode) -> bool {
        self.picture.shelves.get(sku).is_none_or(|shelf| shelf.stocked().next().is_none())
    }

    /// Plans a request within its channel's share; what it is given is gone for the next one.
    pub fn plan(&mut self, request: Request) -> Planned {
        self.plan_within(request, false).0
    }

    /// The same, with what the rules in shadow would decide on the same picture. Nothing of it is taken.
    pub fn plan_beside(&mut self, request: Request) -> (Planned, Option<Decision>) {
        self.plan_within(request, true)
    }

    fn plan_within(&mut self, mut request: Request, beside: bool) -> (Planned, Option<Decision>) {
        request.allowed.clear();
        let mut reach = Reach::new();
        let mut counted = BTreeMap::new();
        if !self.picture.book.is_empty() && !claim_fits(&request) {
            self.limit(&mut request, &mut reach, &mut counted);
        }
        let shadow = self.picture.shadow.as_ref().filter(|_| beside);
        let shadow = shadow.map(|ruleset| self.collect_or_send(request.clone(), &reach, ruleset));
        let decision = self.collect_or_send(request, &reach, &self.picture.ruleset);
        if decision.takes_stock() {
            for it in decision.allocations() {
                self.put(&it.sku, &it.location, it.quantity.get().saturating_neg());
                if let Some(count) = counted.get(&it.sku) {
                    self.use_share(&it.sku, *count, it.quantity.get());
                }
            }
        }
        (Planned { decision, counted }, shadow)
    }

    /// Decides, and where a buyer collects what is not all there, decides who sends it there.
    fn collect_or_send(&self, mut request: Request, reach: &Reach, ruleset: &Ruleset) -> Decision {
        if request.pickup.is_some() {
            (request.kind, request.to, request.place) = (FulfilmentKind::Pickup, None, Place::default());
        }
        let sent = self.sent(&request);
        let decision = self.settle(request, reach, ruleset);
        match sent.filter(|_| !decision.takes_stock()) {
            Some(request) => self.settle(request, reach, ruleset),
            None => decision,
        }
    }

    /// What a buyer collects as a shipment to where they do; none if that location takes nothing in. What is held is held where
    /// it is collected.
    fn sent(&self, request: &Request) -> Option<Request> {
        let atlas = &self.picture.atlas;
        let site = atlas.site(atlas.slot(request.pickup.as_ref()?.as_str())?)?;
        let takes_in = site.active && site.hands_over && site.takes_in && !request.whole && !claim_fits(request);
        let (to, place) = (Some(site.point), site.place.clone());
        takes_in.then(|| Request { kind: FulfilmentKind::Ship, to, place, claim: None, ..request.clone() })
    }

    /// Decides until no ring-fence is broken.
    fn settle(&self, request: Request, reach: &Reach, ruleset: &Ruleset) -> Decision {
        let Picture { atlas, shelves, loads, .. } = &*self.picture;
        let now = self.now;
        let mut within = reach.clone();
        let mut decision = plan(request, &Snapshot { ruleset, atlas, shelves, reach: &within, loads, now });
        while self.keep_out(&decision, &mut within) {
            decision = plan(decision.request, &Snapshot { ruleset, atlas, shelves, reach: &within, loads, now });
        }
        decision.unfillable = unfillable(&decision, &Snapshot { ruleset, atlas, shelves, reach, loads, now });
        decision
    }

    /// What the decisions of the rules in shadow are measured by; nothing while there are none.
    pub fn beside(&self) -> Option<Measure<'_>> {
        let ruleset = self.picture.shadow.as_ref()?;
        Some(Measure { ruleset, atlas: &self.picture.atlas, zone: self.now.zone })
    }

    /// Plans by other rules than those in force.
    pub fn set_rules(&mut self, ruleset: Ruleset) {
        self.picture.ruleset = ruleset;
        self.outdated = true;
    }

    /// The rules it plans by.
    pub fn rules(&self) -> &Ruleset {
        &self.picture.ruleset
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
            // What it hands over itself ships nowhere.
            if site.daily_capacity.is_none() || decision.request.pickup.as_ref() == Some(location) {
                continue;
            }
            let day = site.schedule.ready(self.now.at, self.now.zone, respect).day;
            let orders = self.picture.loads.get(slot, day);
            let before = self.picture.set_load(slot, day, orders.saturating_add(1));
            self.undo.push(before);
            days.push((location.clone(), day));
        }
        days
    }

    /// Notes what the channel's share leaves of each SKU.
    fn limit(&self, request: &mut Request, reach: &mut Reach, counted: &mut BTreeMap<SkuCode, i64>) {
        for sku in request.needs().into_keys() {
            let rule = self.picture.rule(&request.channel, &sku).map(Arc::as_ref);
            let fences = self.picture.fences(&request.channel, &sku);
            if rule.is_none() && fences.is_empty() {
                continue;
            }
            let used = rule.map_or(0, |rule| self.picture.used(&sku, rule.count_id));
            let spread = |rules: &[&Rule]| self.picture.spread(&sku, rules);
            let supply = Supply { total: self.picture.units(&sku), spread: &spread };
            request.allowed.insert(sku.clone(), share(rule, used, &fences, supply).available);
            if let Some(slots) = rule.and_then(|rule| self.picture.reach(rule)) {
                reach.insert(sku.clone(), slots.clone());
            }
            if let Some(count) = rule.and_then(Rule::counted_by) {
                counted.insert(sku, count);
            }
        }
    }

    /// Keeps the order out of the locations of ring-fences that a plan would break; says whether there are any.
    fn keep_out(&self, decision: &Decision, reach: &mut Reach) -> bool {
        if !decision.takes_stock() || self.picture.book.is_empty() {
            return false;
        }
        let mut again = false;
        for sku in decision.request.allowed.keys() {
            let fences = self.picture.fences(&decision.request.channel, sku);
            for fence in self.broken(decision, sku, &fences) {
                let Some(closed) = self.picture.reach(fence.rule) else { continue };
                let open = reach.get(sku).cloned().unwrap_or_else(|| Arc::new((0..self.picture.atlas.len()).collect()));
                reach.insert(sku.clone(), Arc::new(open.difference(closed).copied().collect()));
                again = true;
            }
        }
        again
    }

    fn broken<'f, 'a>(&self, decision: &Decision, sku: &SkuCode, fences: &'f [Fence<'a>]) -> Vec<&'f Fence<'a>> {
        let spread = |rules: &[&Rule]| self.picture.spread(sku, rules);
        let taken = |rules: &[&Rule]| {
            let slot = |it: &Allocation| Some((self.picture.atlas.slot(it.location.as_str())?, it.quantity.get()));
            let taken = decision.allocations().iter().filter(|it| it.sku == *sku).filter_map(slot);
            Spread::new(rules, taken, |rule, slot| self.picture.reaches(rule, *slot))
        };
        broken(fences, Supply { total: 0, spread: &spread }, taken)
    }

    /// Puts promised units back on their shelf; the channel has not used them any more.
    pub fn take_back(&mut self, line: &ReservedLine) {
        self.put(&line.sku, &line.location, line.quantity);
        if let Some(count) = line.count_id {
            self.use_share(&line.sku, count, line.quantity.saturating_neg());
        }
    }

    /// Takes promised units off their shelf again, as if they had not been taken back.
    pub fn keep(&mut self, line: &ReservedLine) {
        self.put(&line.sku, &line.location, line.quantity.saturating_neg());
        if let Some(count) = line.count_id {
            self.use_share(&line.sku, count, line.quantity);
        }
    }

    /// Counts orders in at a location's day, or out, below 0.
    pub fn count_orders(&mut self, location: &LocationCode, day: NaiveDate, orders: i64) {
        let Some(slot) = self.picture.atlas.slot(location.as_str()) else { return };
        let orders = self.picture.loads.get(slot, day).saturating_add(orders).max(0);
        let before = self.picture.set_load(slot, day, orders);
        self.undo.push(before);
    }

    /// How far a location is from a destination.
    pub fn metres(&self, location: &LocationCode, to: GeoPoint) -> Option<i64> {
        let atlas = &self.picture.atlas;
        Some(to.distance_metres(atlas.site(atlas.slot(location.as_str())?)?.point))
    }

    /// Puts units on a shelf, or takes them off, below 0.
    pub fn put(&mut self, sku: &SkuCode, location: &LocationCode, units: i64) {
        let Some(slot) = self.picture.atlas.slot(location.as_str()) else { return };
        let balance = |slot: Slot| self.picture.shelves.get(sku).map(|shelf| shelf.balance(slot).unwrap_or(0));
        if let Some(before) = balance(slot) {
            let before = self.picture.set(sku, slot, before.saturating_add(units));
            self.undo.extend(before);
        }
    }

    /// Counts units as used of a share, or no longer, below 0.
    fn use_share(&mut self, sku: &SkuCode, count: i64, units: i64) {
        let used = self.picture.used(sku, count).saturating_add(units);
        let before = self.picture.set_used(sku, count, used);
        self.undo.extend(before);
    }
}

impl Drop for Desk<'_> {
    fn drop(&mut self) {
        for before in std::mem::take(&mut self.undo).into_iter().rev() {
            self.picture.put_back(before);
        }
        for sku in std::mem::take(&mut self.guests) {
            self.picture.forget(&sku);
        }
        if self.outdated {
            self.picture.seq = None;
        }
    }
}
