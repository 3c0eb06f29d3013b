//! The smallest change that would have let a location win: one value after the other is changed on the stored candidates
//! and the decision made again.

use contracts::events::FulfilmentKind;
use kernel::SkuCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::atlas::Shared;
use super::decision::{Bar, Candidate, Decision};
use super::plan::decide;
use super::ruleset::{Owner, Region, Ruleset, Sort, Tier};
use super::tiers::Filter;

/// A change of a location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "what")]
#[schema(as = SourcingChange)]
pub enum Change {
    /// It takes part.
    Active,
    /// It has the capability.
    Capable {
        /// `ship` or `pickup`.
        capability: FulfilmentKind,
    },
    /// Its daily capacity is larger.
    Capacity {
        /// By so many orders.
        orders: i64,
    },
    /// A tier admits it.
    Admitted {
        /// The tier.
        tier: String,
        /// The filter that keeps it out.
        filter: Filter,
    },
    /// The channel may sell more of what lies there.
    Share {
        /// The SKU.
        sku: SkuCode,
        /// So many units.
        units: i64,
    },
    /// It has more to promise.
    Stock {
        /// The SKU.
        sku: SkuCode,
        /// So many units.
        units: i64,
    },
    /// It is nearer.
    Nearer {
        /// By so many metres.
        metres: i64,
    },
    /// Its priority number is lower.
    Priority {
        /// By so much.
        steps: i64,
    },
    /// It has less to do on that day.
    Load {
        /// By so many orders.
        orders: i64,
    },
    /// It is ready sooner.
    Ready {
        /// By so many minutes.
        minutes: i64,
    },
}

impl Change {
    /// The change in words.
    pub fn text(&self) -> String {
        match self {
            Self::Active => "being active".to_owned(),
            Self::Capable { capability: FulfilmentKind::Ship } => "the capability ship".to_owned(),
            Self::Capable { capability: FulfilmentKind::Pickup } => "the capability pickup".to_owned(),
            Self::Capacity { orders } => format!("{orders} {} of capacity more", plural(*orders, "order")),
            Self::Admitted { tier, filter } => {
                let filter = match filter {
                    Filter::Kind => "kinds",
                    Filter::Owner => "owners",
                    Filter::Region => "regions",
                    Filter::Group => "groups",
                    Filter::Distance => "distances",
                    Filter::Ready => "times",
                };
                format!("being one of the {filter} of tier '{tier}'")
            }
            Self::Share { sku, units } => format!("{units} of {sku} there for the channel"),
            Self::Stock { sku, units } => format!("{units} of {sku} more"),
            Self::Nearer { metres } => format!("{metres} m nearer"),
            Self::Priority { steps } => format!("{steps} {} of priority less", plural(*steps, "step")),
            Self::Load { orders } => format!("{orders} {} less on that day", plural(*orders, "order")),
            Self::Ready { minutes } => format!("ready {minutes} {} sooner", plural(*minutes, "minute")),
        }
    }
}

fn plural(count: i64, one: &str) -> String {
    if count == 1 { one.to_owned() } else { format!("{one}s") }
}

/// A location whose values are changed until it wins.
#[derive(Clone, Debug)]
pub struct Attempt<'a> {
    decision: &'a Decision,
    ruleset: &'a Ruleset,
    /// The location with the changes so far.
    pub candidate: Candidate,
    /// The changes so far.
    pub changes: Vec<Change>,
}

impl<'a> Attempt<'a> {
    /// A location as it was.
    pub const fn new(decision: &'a Decision, ruleset: &'a Ruleset, candidate: Candidate) -> Self {
        Self { decision, ruleset, candidate, changes: Vec::new() }
    }

    /// Whether it wins, with the changes so far.
    pub fn wins(&self) -> bool {
        self.would_win(&self.candidate)
    }

    fn would_win(&self, changed: &Candidate) -> bool {
        let others = self.decision.candidates.iter().filter(|it| it.location != changed.location);
        let mut candidates: Vec<Candidate> = others.cloned().chain([changed.clone()]).collect();
        candidates.sort_by(|a, b| (a.place(), &a.location).cmp(&(b.place(), &b.location)));
        let again = decide(self.decision.request.clone(), candidates, self.ruleset, self.decision.at);
        again.locations().contains(&changed.location)
    }

    /// The least number up to `most` with which it wins, if it does with `most`. More never hurts it.
    fn least(&self, most: i64, change: impl Fn(&mut Candidate, i64)) -> Option<i64> {
        let wins = |by: i64| {
            let mut changed = self.candidate.clone();
            change(&mut changed, by);
            self.would_win(&changed)
        };
        if most < 1 || !wins(most) {
            return None;
        }
        let (mut loses, mut least) = (0, most);
        while least.saturating_sub(loses) > 1 {
            let middle = loses.saturating_add(least.saturating_sub(loses).checked_div(2).unwrap_or(0));
            if wins(middle) { least = middle } else { loses = middle }
        }
        Some(least)
    }

    /// Lifts what keeps it out whatever it has in stock.
    pub fn lift_bar(&mut self) {
        let change = match self.candidate.bar {
            None => return,
            Some(Bar::Inactive) => Change::Active,
            Some(Bar::DoesNotShip) => Change::Capable { capability: FulfilmentKind::Ship },
            Some(Bar::NoPickup) => Change::Capable { capability: FulfilmentKind::Pickup },
            Some(Bar::Full) => {
                let (orders, capacity) = (self.candidate.load.unwrap_or(0), self.candidate.capacity.unwrap_or(0));
                let more = orders.saturating_sub(capacity).saturating_add(1);
                self.candidate.capacity = Some(capacity.saturating_add(more));
                Change::Capacity { orders: more }
            }
        };
        self.candidate.bar = None;
        self.changes.push(change);
    }

    /// Makes it what a tier asks for: the filters on what a location is.
    pub fn admit(&mut self, tier: &Tier) {
        while let Some(filter) = tier.keeps_out(&self.candidate) {
            let it = &mut self.candidate;
            match filter {
                Filter::Kind => it.kind = tier.filters.kinds.iter().flatten().next().copied().unwrap_or(it.kind),
                Filter::Owner => {
                    it.franchised = tier.filters.owners.iter().flatten().any(|it| *it == Owner::Franchisee)
                }
                Filter::Group => it.groups.extend(tier.filters.groups.iter().flatten().next().cloned()),
                Filter::Region => match tier.filters.regions.iter().flatten().next() {
                    Some(Region::Division(code)) => it.adcode = Some(code.clone()),
                    Some(Region::SameCity | Region::SameProvince) | None => it.shared = Some(Shared::City),
                },
                // How near it is and how soon it is ready are numbers, of which the least change is looked for.
                Filter::Distance | Filter::Ready => return,
            }
            self.changes.push(Change::Admitted { tier: tier.name.clone(), filter });
        }
    }

    /// Is ready just in time for a tier.
    pub fn hurry(&mut self, tier: &Tier) {
        let Some(most) = tier.filters.ready_within_minutes else { return };
        let minutes = self.candidate.ready_in.saturating_sub(most);
        if minutes > 0 {
            self.candidate.ready_in = most;
            self.changes.push(Change::Ready { minutes });
        }
    }

    /// Gets what it lacks to fill the order alone, or less where that is enough to win: first what lies there for other
    /// channels, then what does not.
    pub fn fill(&mut self) {
        let needs: Vec<(SkuCode, i64)> = self.decision.request.needs().into_iter().collect();
        let lack = |candidate: &Candidate, place: usize, need: i64| {
            need.saturating_sub(candidate.available.get(place).copied().unwrap_or(0)).max(0)
        };
        let mut lacking: Vec<(usize, &SkuCode, i64, bool)> = Vec::new();
        for (place, (sku, need)) in needs.iter().enumerate() {
            let withheld = self.candidate.withheld.get(place).copied().unwrap_or(0);
            let units = lack(&self.candidate, place, *need);
            let shared = units.min(withheld);
            lacking.extend([(place, sku, shared, true), (place, sku, units.saturating_sub(shared), false)]);
        }
        lacking.retain(|(_, _, units, _)| *units > 0);
        for (place, _, units, _) in &lacking {
            give(&mut self.candidate, *place, *units);
        }
        let wins = self.wins();
        for (place, sku, units, shared) in lacking {
            let mut least = units;
            if wins {
                give(&mut self.candidate, place, units.saturating_neg());
                let more = |it: &mut Candidate, by: i64| give(it, place, by);
                least = if self.wins() { 0 } else { self.least(units, more).unwrap_or(units) };
                give(&mut self.candidate, place, least);
            }
            if least > 0 {
                let (sku, units) = (sku.clone(), least);
                self.changes.push(if shared { Change::Share { sku, units } } else { Change::Stock { sku, units } });
            }
        }
    }

    /// Is better placed, by the first sort of a tier that lets it win.
    pub fn place(&mut self, tier: &Tier) {
        let it = self.candidate.clone();
        let nearer = |it: &mut Candidate, by: i64| it.metres = it.metres.map(|metres| metres.saturating_sub(by));
        let higher = |it: &mut Candidate, by: i64| {
            it.priority = i32::try_from(i64::from(it.priority).saturating_sub(by)).unwrap_or(i32::MIN);
        };
        let idler = |it: &mut Candidate, by: i64| it.load = it.load.map(|orders| orders.saturating_sub(by));
        let fuller = |it: &mut Candidate, by: i64| give(it, 0, by);
        let limited = tier.filters.too_far(it.metres).then_some(Sort::Distance);
        for sort in limited.iter().chain(&tier.sort) {
            let found = match (sort, it.metres) {
                (Sort::Distance | Sort::Cost, Some(metres)) => {
                    self.least(metres, nearer).map(|metres| (Change::Nearer { metres }, metres))
                }
                (Sort::Priority | Sort::Distance, _) => {
                    self.least(self.steps_to_the_top(), higher).map(|steps| (Change::Priority { steps }, steps))
                }
                (Sort::Load, _) => {
                    self.least(it.load.unwrap_or(0), idler).map(|orders| (Change::Load { orders }, orders))
                }
                (Sort::Stock, _) => self.decision.request.needs().into_keys().next().and_then(|sku| {
                    let units = self.least(self.units_to_the_top(), fuller)?;
                    Some((Change::Stock { sku, units }, units))
                }),
                (Sort::Cost, None) => None,
            };
            let Some((change, by)) = found else { continue };
            match change {
                Change::Nearer { .. } => nearer(&mut self.candidate, by),
                Change::Priority { .. } => higher(&mut self.candidate, by),
                Change::Load { .. } => idler(&mut self.candidate, by),
                _ => fuller(&mut self.candidate, by),
            }
            self.note(change);
            return;
        }
    }

    /// Notes a change, together with what was noted of the same SKU before.
    fn note(&mut self, change: Change) {
        if let Change::Stock { sku, units } = &change
            && let Some(Change::Stock { units: known, .. }) =
                self.changes.iter_mut().find(|it| matches!(it, Change::Stock { sku: other, .. } if other == sku))
        {
            *known = known.saturating_add(*units);
            return;
        }
        self.changes.push(change);
    }

    /// How many steps of priority put it before every other candidate.
    fn steps_to_the_top(&self) -> i64 {
        let first = self.decision.candidates.iter().map(|it| it.priority).min().unwrap_or(self.candidate.priority);
        i64::from(self.candidate.priority).saturating_sub(i64::from(first)).max(0).saturating_add(1)
    }

    /// How many units more than any other candidate has would make it the fullest.
    fn units_to_the_top(&self) -> i64 {
        let sum = |it: &Candidate| it.available.iter().copied().fold(0, i64::saturating_add);
        let most = self.decision.candidates.iter().map(sum).max().unwrap_or(0);
        most.saturating_sub(sum(&self.candidate)).max(0).saturating_add(1)
    }
}

fn give(candidate: &mut Candidate, place: usize, units: i64) {
    if let Some(available) = candidate.available.get_mut(place) {
        *available = available.saturating_add(units);
    }
}
