//! A replay: past orders decided again, one after the other, by another ruleset on the stock there was.
//!
//! It is the live plan on replayed shelves. What the candidate gives an order is gone for the next; what came or left
//! otherwise comes and leaves at its instant. Orders that are not compared keep what they got.

use std::collections::{BTreeMap, VecDeque};

use chrono::NaiveDate;
use chrono_tz::Tz;
use contracts::events::FulfilmentKind;
use kernel::id::OrderId;
use kernel::{SkuCode, Timestamp};

use super::atlas::{Atlas, Slot};
use super::compare::{Comparison, Measure};
use super::decision::Decision;
use super::load::Loads;
use super::plan::{Moment, Reach, Snapshot, plan};
use super::request::Request;
use super::ruleset::Ruleset;
use super::shelf::Shelves;

/// Units that came to a shelf, or left it, otherwise than to a buyer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// When.
    pub at: Timestamp,
    /// What.
    pub sku: SkuCode,
    /// Where.
    pub slot: Slot,
    /// Units that can be promised more, or fewer, below 0.
    pub units: i64,
}

/// An order as it was decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The order.
    pub order_id: OrderId,
    /// Its first decision.
    pub decision: Decision,
    /// Whether the candidate decides on it again; else it keeps what it got.
    pub compared: bool,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Stock moved.
    Moved(Moved),
    /// An order was decided on.
    Decided(Box<Decided>),
}

/// By what orders are decided again.
pub struct Course<'a> {
    /// The candidate.
    pub ruleset: &'a Ruleset,
    /// Every location.
    pub atlas: &'a Atlas,
    /// From where an order's channel may sell its SKUs.
    pub reach: &'a dyn Fn(&Request) -> Reach,
    /// The time zone of locations that name none.
    pub zone: Tz,
}

/// The replayed pool.
#[derive(Debug, Default)]
pub struct Ground {
    /// What locations can promise.
    pub shelves: Shelves,
    /// How many orders they have on which day.
    pub loads: Loads,
    /// What orders took since this was last emptied…
    pub taken: BTreeMap<(SkuCode, Slot), i64>,
    /// …and the capacity they used.
    pub loaded: BTreeMap<(Slot, NaiveDate), i64>,
}

/// Movements and orders in the order in which they happened; at one instant what moved comes first.
pub fn in_order(moved: Vec<Moved>, decided: Vec<Decided>) -> impl Iterator<Item = Event> {
    let (mut moved, mut decided) = (VecDeque::from(moved), VecDeque::from(decided));
    std::iter::from_fn(move || {
        let first = match (moved.front(), decided.front()) {
            (Some(moved), Some(decided)) => moved.at <= decided.decision.at,
            (first, _) => first.is_some(),
        };
        if first {
            moved.pop_front().map(Event::Moved)
        } else {
            decided.pop_front().map(|it| Event::Decided(Box::new(it)))
        }
    })
}

/// Replays what happened, and counts what the candidate decides beside what was decided.
pub fn replay(
    course: &Course<'_>,
    ground: &mut Ground,
    events: impl Iterator<Item = Event>,
    comparison: &mut Comparison,
) {
    let Course { ruleset, atlas, zone, .. } = course;
    let measure = Measure { ruleset, atlas, zone: *zone };
    for event in events {
        match event {
            Event::Moved(Moved { sku, slot, units, .. }) => ground.put(&sku, slot, units),
            Event::Decided(decided) => {
                let Decided { order_id, decision, compared } = *decided;
                if compared {
                    let candidate = ground.decide(course, &decision);
                    ground.take(course, &candidate);
                    comparison.count(order_id, (&decision, &candidate), &measure);
                } else {
                    ground.take(course, &decision);
                }
            }
        }
    }
}

impl Ground {
    /// What the candidate decides on an order, at the instant it was decided on.
    pub fn decide(&self, course: &Course<'_>, decision: &Decision) -> Decision {
        let snapshot = Snapshot {
            ruleset: course.ruleset,
            atlas: course.atlas,
            shelves: &self.shelves,
            reach: &(course.reach)(&decision.request),
            loads: &self.loads,
            now: Moment { at: decision.at, zone: course.zone },
        };
        plan(decision.request.clone(), &snapshot)
    }

    /// Takes what an order was given off the shelves. A claimed hold, too: holds are not replayed, only what became of them.
    fn take(&mut self, course: &Course<'_>, decision: &Decision) {
        for it in decision.allocations() {
            let Some(slot) = course.atlas.slot(it.location.as_str()) else { continue };
            self.put(&it.sku, slot, it.quantity.get().saturating_neg());
            let taken = self.taken.entry((it.sku.clone(), slot)).or_default();
            *taken = taken.saturating_add(it.quantity.get());
        }
        if decision.request.kind != FulfilmentKind::Ship {
            return;
        }
        for location in decision.locations() {
            let slot = course.atlas.slot(location.as_str());
            let Some((slot, site)) = slot.and_then(|slot| Some((slot, course.atlas.site(slot)?))) else { continue };
            if site.daily_capacity.is_some() {
                let day = site.schedule.ready(decision.at, course.zone, course.ruleset.rules().respect).day;
                self.loads.set(slot, day, self.loads.get(slot, day).saturating_add(1));
                let loaded = self.loaded.entry((slot, day)).or_default();
                *loaded = loaded.saturating_add(1);
            }
        }
    }

    /// Puts units on a shelf that is shown, or takes them off, below 0.
    fn put(&mut self, sku: &SkuCode, slot: Slot, units: i64) {
        if let Some(shelf) = self.shelves.get_mut(sku) {
            shelf.set(slot, shelf.balance(slot).unwrap_or(0).saturating_add(units));
        }
    }
}
