//! The picture of the pool that plans are made on: where locations are, what they can promise, what SKUs are made of and
//! what channels may have of it.
//!
//! It holds what is committed and nothing else, and follows the change log.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::NaiveDate;
use kernel::{ChannelCode, SkuCode};
use store::{Error, Tx};

use crate::domain::atlas::Site;
use crate::domain::ruleset::state::State;
use crate::domain::share::{Fence, Rule, Rulebook, Spread};
use crate::domain::{Atlas, Loads, Ruleset, Shelf, Shelves, Slot};
use crate::store::catalog::{self, Entries};
use crate::store::{changes, code, loads, locations, rulesets, shares, stock};

/// SKUs whose balances are read at once: of a chain of six thousand stores 300,000 rows, which is some tens of megabytes and a
/// second or two. A batch of orders may ask for hundreds of SKUs that nobody has asked for before.
const MAX_SHELVES: usize = 50;

/// What the pool looks like.
#[derive(Debug, Default)]
pub struct Picture {
    /// The newest logged transaction that is in the picture; none before it was first drawn.
    pub seq: Option<i64>,
    /// Every location.
    pub atlas: Atlas,
    /// What locations can promise of the SKUs that were asked for.
    pub shelves: Shelves,
    /// What is known of the SKUs that were asked for.
    pub entries: Entries,
    /// The rules by which locations are chosen.
    pub ruleset: Ruleset,
    /// The rules that decide beside them, without effect.
    pub shadow: Option<Ruleset>,
    /// Orders of the days whose capacity is limited.
    pub loads: Loads,
    /// What channels may have.
    pub book: Rulebook,
    /// From where rules let channels sell, by what the rules count by.
    reaches: HashMap<i64, Arc<BTreeSet<Slot>>>,
    /// What was used of quotas and ring-fences, of the SKUs that were asked for.
    used: HashMap<SkuCode, HashMap<i64, i64>>,
    /// When SKUs were asked for last, in turns.
    asked: HashMap<SkuCode, u64>,
    turn: u64,
    /// How many balances are kept; a SKU counts as one more, so that those without stock are counted too.
    balances: usize,
    /// How many may be.
    max_balances: usize,
}

/// What was there before, to be put back.
#[derive(Debug)]
pub enum Before {
    /// A balance.
    Balance(SkuCode, Slot, i64),
    /// What was used of a share.
    Used(SkuCode, i64, i64),
    /// The orders of a location's day.
    Load(Slot, NaiveDate, i64),
}

impl Picture {
    /// A picture that shows nothing yet, and will keep so many balances.
    pub fn new(max_balances: usize) -> Self {
        Self { max_balances, ..Self::default() }
    }

    /// Draws the picture anew, with the loads of this day and later ones; stock is read when it is asked for.
    pub fn draw(&mut self, tx: &mut Tx<'_>, since: NaiveDate) -> Result<(), Error> {
        *self = Self::new(self.max_balances);
        self.atlas = Atlas::new(locations::sites(tx)?);
        for it in loads::from(tx, since)? {
            if let Some(slot) = self.atlas.slot(&it.location) {
                self.loads.set(slot, it.day, it.orders);
            }
        }
        self.seq = Some(changes::newest(tx)?);
        self.read_rules(tx)
    }

    /// Reads the locations again and keeps what is shown of them: nearly always it is hours, tags or whether one takes part
    /// that changed. False when there are others than before; then the picture is to be drawn anew.
    pub fn retouch(&mut self, tx: &mut Tx<'_>) -> Result<bool, Error> {
        let atlas = Atlas::new(locations::sites(tx)?);
        let same = atlas.has_the_places_of(&self.atlas);
        if same {
            self.atlas = atlas;
        }
        Ok(same)
    }

    /// Reads the rules again; what was used of them is read when it is asked for.
    pub fn read_rules(&mut self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let rules = shares::all(tx)?;
        let slots = |rule: &Rule| {
            let codes = rule.locations.as_ref()?;
            Some((rule.count_id, Arc::new(codes.iter().filter_map(|code| self.atlas.slot(code.as_str())).collect())))
        };
        self.reaches = rules.iter().filter_map(slots).collect();
        self.book = Rulebook::new(rules);
        self.used.clear();
        self.ruleset = rulesets::active(tx)?;
        self.shadow = rulesets::in_state(tx, State::Shadow)?.map(|stored| stored.ruleset()).transpose()?;
        Ok(())
    }

    /// Takes a logged transaction over; answers what its own changes replaced, when it is not committed yet.
    pub fn take_over(&mut self, change: &changes::Change) -> Result<Vec<Before>, Error> {
        let mut before = Vec::new();
        for ((sku, location), balance) in change.skus.iter().zip(&change.locations).zip(&change.available) {
            let sku = code(sku)?;
            let Some(slot) = self.atlas.slot(location) else { continue };
            before.extend(self.set(&sku, slot, *balance));
        }
        for ((sku, count), used) in change.used_skus.iter().zip(&change.used_counts).zip(&change.used) {
            before.extend(self.set_used(&code(sku)?, *count, *used));
        }
        for ((location, day), orders) in change.loaded.iter().zip(&change.loaded_days).zip(&change.loads) {
            let Some(slot) = self.atlas.slot(location) else { continue };
            before.push(self.set_load(slot, *day, *orders));
        }
        for sku in &change.catalog {
            self.entries.remove(&code(sku)?);
        }
        Ok(if change.own { before } else { Vec::new() })
    }

    /// Sets a balance, if its shelf is shown.
    pub fn set(&mut self, sku: &SkuCode, slot: Slot, balance: i64) -> Option<Before> {
        let before = self.shelves.get_mut(sku)?.set(slot, balance);
        self.balances = self.balances.saturating_add(usize::from(before.is_none()));
        Some(Before::Balance(sku.clone(), slot, before.unwrap_or(0)))
    }

    /// Sets what was used of a share, if the SKU's shares are shown.
    pub fn set_used(&mut self, sku: &SkuCode, count: i64, used: i64) -> Option<Before> {
        let counts = self.used.get_mut(sku)?;
        Some(Before::Used(sku.clone(), count, counts.insert(count, used).unwrap_or(0)))
    }

    /// Sets how many orders a location's day has.
    pub fn set_load(&mut self, slot: Slot, day: NaiveDate, orders: i64) -> Before {
        Before::Load(slot, day, self.loads.set(slot, day, orders))
    }

    /// Puts back what was there before.
    pub fn put_back(&mut self, before: Before) {
        match before {
            Before::Balance(sku, slot, balance) => drop(self.set(&sku, slot, balance)),
            Before::Used(sku, count, used) => drop(self.set_used(&sku, count, used)),
            Before::Load(slot, day, orders) => drop(self.set_load(slot, day, orders)),
        }
    }

    /// Forgets what is shown of a SKU's stock.
    pub fn forget(&mut self, sku: &SkuCode) {
        self.used.remove(sku);
        self.asked.remove(sku);
        if let Some(shelf) = self.shelves.remove(sku) {
            self.balances = self.balances.saturating_sub(shelf.len()).saturating_sub(1);
        }
    }

    /// Once more is kept than may be, forgets what was not asked for the longest until a quarter of the room is free: room
    /// for one SKU at a time would be looked for again with the next.
    pub fn make_room(&mut self) {
        if self.balances <= self.max_balances {
            return;
        }
        let goal = self.max_balances.saturating_sub(self.max_balances / 4);
        let mut asked: Vec<(u64, SkuCode)> = self.asked.iter().map(|(sku, turn)| (*turn, sku.clone())).collect();
        asked.sort_unstable();
        for (_, sku) in asked {
            if self.balances <= goal {
                break;
            }
            self.forget(&sku);
        }
    }

    fn note_asked(&mut self, skus: &BTreeSet<SkuCode>) {
        self.turn = self.turn.saturating_add(1);
        for sku in skus {
            match self.asked.get_mut(sku) {
                Some(turn) => *turn = self.turn,
                None => drop(self.asked.insert(sku.clone(), self.turn)),
            }
        }
    }

    /// Reads what is not shown yet of these SKUs' stock and shares, in a statement each; answers what was read.
    pub fn show(&mut self, tx: &mut Tx<'_>, skus: &BTreeSet<SkuCode>) -> Result<Vec<SkuCode>, Error> {
        self.note_asked(skus);
        let mut read = self.show_shelves(tx, skus)?;
        if !self.book.is_empty() {
            let unseen: Vec<&SkuCode> = skus.iter().filter(|sku| !self.used.contains_key(*sku)).collect();
            if !unseen.is_empty() {
                let used = shares::used(tx, unseen.iter().map(|sku| sku.as_str()))?;
                read.extend(unseen.iter().copied().cloned());
                self.used.extend(unseen.into_iter().map(|sku| (sku.clone(), HashMap::new())));
                for ((sku, count), used) in used {
                    self.set_used(&code(&sku)?, count, used);
                }
            }
        }
        Ok(read)
    }

    fn show_shelves(&mut self, tx: &mut Tx<'_>, skus: &BTreeSet<SkuCode>) -> Result<Vec<SkuCode>, Error> {
        let unseen: Vec<SkuCode> = skus.iter().filter(|sku| !self.shelves.contains_key(*sku)).cloned().collect();
        for some in unseen.chunks(MAX_SHELVES) {
            self.read_shelves(tx, &some.iter().collect())?;
        }
        Ok(unseen)
    }

    fn read_shelves(&mut self, tx: &mut Tx<'_>, unseen: &BTreeSet<&SkuCode>) -> Result<(), Error> {
        let mut shelves: Shelves = unseen.iter().map(|sku| ((*sku).clone(), Shelf::default())).collect();
        let mut places = stock::of_skus(tx, unseen)?.into_iter().peekable();
        while let Some(first) = places.next() {
            let mut row = vec![(first.location, first.balance)];
            while let Some(next) = places.next_if(|next| next.sku == first.sku) {
                row.push((next.location, next.balance));
            }
            let slots = row.into_iter().filter_map(|(location, balance)| Some((self.atlas.slot(&location)?, balance)));
            shelves.insert(code(&first.sku)?, Shelf::new(slots.collect()));
        }
        self.keep(shelves);
        Ok(())
    }

    fn keep(&mut self, shelves: Shelves) {
        let balances = shelves.values().map(Shelf::len).fold(shelves.len(), usize::saturating_add);
        self.balances = self.balances.saturating_add(balances);
        self.shelves.extend(shelves);
    }

    /// Reads what is not known yet of these SKUs' catalogue entries.
    pub fn show_entries(&mut self, tx: &mut Tx<'_>, skus: &BTreeSet<SkuCode>) -> Result<(), Error> {
        let unseen: Vec<&SkuCode> = skus.iter().filter(|sku| !self.entries.contains_key(*sku)).collect();
        if !unseen.is_empty() {
            let read = catalog::entries(tx, unseen.into_iter())?;
            self.entries.extend(read);
        }
        Ok(())
    }

    /// The category of a SKU.
    pub fn category(&self, sku: &SkuCode) -> &str {
        self.entries.get(sku).map_or("", |entry| entry.category.as_str())
    }

    /// The rule that applies to a channel's sales of a SKU.
    pub fn rule(&self, channel: &ChannelCode, sku: &SkuCode) -> Option<&Arc<Rule>> {
        self.book.rule(channel, sku, self.category(sku))
    }

    /// What is kept of a SKU for channels other than this one.
    pub fn fences(&self, channel: &ChannelCode, sku: &SkuCode) -> Vec<Fence<'_>> {
        let fences = self.book.fences(Some(channel), sku, self.category(sku));
        fences.map(|rule| Fence { left: rule.left(self.used(sku, rule.count_id)), rule }).collect()
    }

    /// Units of a SKU used under a count.
    pub fn used(&self, sku: &SkuCode, count: i64) -> i64 {
        self.used.get(sku).and_then(|counts| counts.get(&count)).copied().unwrap_or(0)
    }

    /// From where a rule lets its channel sell; none means from everywhere.
    pub fn reach(&self, rule: &Rule) -> Option<&Arc<BTreeSet<Slot>>> {
        self.reaches.get(&rule.count_id)
    }

    /// Whether a rule lets its channel sell from a location.
    pub fn reaches(&self, rule: &Rule, slot: Slot) -> bool {
        self.reach(rule).is_none_or(|slots| slots.contains(&slot))
    }

    /// What can be promised of a SKU, by which of these rules let their channels sell from where it lies.
    pub fn spread(&self, sku: &SkuCode, rules: &[&Rule]) -> Spread {
        Spread::new(rules, self.sold(sku), |rule, slot| self.reaches(rule, *slot))
    }

    /// What can be promised of a SKU from locations that take part.
    pub fn units(&self, sku: &SkuCode) -> i64 {
        self.sold(sku).map(|(_, units)| units).fold(0, i64::saturating_add)
    }

    fn sold(&self, sku: &SkuCode) -> impl Iterator<Item = (Slot, i64)> {
        let stocked = self.shelves.get(sku).into_iter().flat_map(Shelf::stocked);
        stocked.filter(|(slot, _)| self.atlas.site(*slot).is_some_and(Site::sells))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sku(name: &str) -> SkuCode {
        name.parse().unwrap()
    }

    /// Three SKUs of two balances each, asked for one after the other, in a picture of `max_balances`.
    fn picture(max_balances: usize) -> Picture {
        let mut picture = Picture::new(max_balances);
        for name in ["A", "B", "C"] {
            picture.note_asked(&BTreeSet::from([sku(name)]));
            picture.keep(Shelves::from([(sku(name), Shelf::new(vec![(0, 1), (1, 1)]))]));
        }
        picture
    }

    fn shown(picture: &Picture) -> BTreeSet<&str> {
        picture.shelves.keys().map(SkuCode::as_str).collect()
    }

    #[test]
    fn what_was_not_asked_for_the_longest_is_forgotten() {
        let mut picture = picture(8);
        picture.note_asked(&BTreeSet::from([sku("A")]));
        picture.make_room();
        assert_eq!(shown(&picture), BTreeSet::from(["A", "C"]));
        picture.make_room();
        assert_eq!(shown(&picture), BTreeSet::from(["A", "C"]), "there is room now");
    }

    #[test]
    fn as_many_balances_as_may_be_are_kept_and_none_is_miscounted() {
        let mut picture = picture(9);
        picture.make_room();
        assert_eq!(shown(&picture).len(), 3);
        picture.set(&sku("C"), 2, 1);
        picture.make_room();
        assert_eq!(shown(&picture), BTreeSet::from(["B", "C"]), "the tenth is one too many; 7 of 9 leave a quarter");
        picture.forget(&sku("B"));
        picture.forget(&sku("C"));
        assert_eq!(picture.balances, 0);
    }
}
