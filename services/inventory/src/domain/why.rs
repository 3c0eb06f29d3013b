//! Why not that one: the rule that kept a location from winning, the number that failed, and the smallest change that
//! would have let it win.

use contracts::events::FulfilmentKind;
use kernel::{LocationCode, SkuCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::atlas::Site;
use super::change::{Attempt, Change};
use super::decision::{Bar, Candidate, Decision, How, Outcome, Verdict};
use super::ruleset::{Ruleset, Sort, Tier};
use super::tiers::{self, Filter, Need};

/// Why a location did not get an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct WhyNot {
    /// The location asked about.
    pub location: LocationCode,
    /// The rule that decided.
    pub rule: Rule,
    /// The tier of the ruleset whose rule it is.
    pub tier: Option<String>,
    /// The rule and its number in a sentence.
    pub detail: String,
    /// How far it is from the destination, if that is known.
    pub distance_metres: Option<i64>,
    /// By how much it lies behind the winner, in the unit of the rule: metres, steps of priority, units of stock, minor
    /// units of cost, or millionths of the capacity.
    pub behind: Option<i64>,
    /// What it lacked.
    pub missing: Vec<Lack>,
    /// The smallest change that would have let it win, value by value; empty when there is none.
    pub changes: Vec<Change>,
    /// The same in words.
    pub would_win: Option<String>,
}

/// What decided about a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// It did win.
    Chosen,
    /// The order claimed a hold that lies elsewhere.
    Claimed,
    /// The order is collected elsewhere.
    Pickup,
    /// It has rejected the order.
    Rejected,
    /// It takes no part, does not ship, or hands nothing over.
    Capability,
    /// It has as many orders as it can ship on that day.
    Capacity,
    /// A filter of the tier does not let it in, see the detail.
    Filter,
    /// It is farther away than the tier goes, or another one is nearer.
    Distance,
    /// It is ready too late for the tier.
    Ready,
    /// The channel may not sell what it would need of what lies there, or of the pool.
    Share,
    /// It lacked stock, or another one has more.
    Stock,
    /// Another one comes first by priority.
    Priority,
    /// Another one is cheaper.
    Cost,
    /// Another one has less to do.
    Load,
    /// It is as well placed as the winner, whose code comes first.
    Code,
    /// A better set of locations was found.
    Split,
}

/// How much of a SKU a location lacked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Lack {
    /// The SKU.
    pub sku: SkuCode,
    /// Units needed.
    pub needed: i64,
    /// Units it could promise.
    pub available: i64,
}

/// Explains a location that took part in a decision, or that exists and did not.
pub fn why_not(decision: &Decision, ruleset: &Ruleset, location: &LocationCode, site: Option<&Site>) -> WhyNot {
    let candidate = decision.candidates.iter().find(|candidate| candidate.location == *location);
    let mut why = WhyNot {
        location: location.clone(),
        rule: Rule::Stock,
        tier: None,
        detail: String::new(),
        distance_metres: candidate.and_then(|candidate| candidate.metres).or_else(|| distance(decision, site)),
        behind: None,
        missing: candidate.map_or_else(Vec::new, |candidate| lacks(decision, candidate)),
        changes: Vec::new(),
        would_win: None,
    };
    if decision.allocations().iter().any(|allocation| allocation.location == *location) {
        why.rule = Rule::Chosen;
        "it ships this order, or a part of it".clone_into(&mut why.detail);
    } else if matches!(decision.outcome, Outcome::Sourced { how: How::Claimed, .. }) {
        why.rule = Rule::Claimed;
        "the order claimed a hold, and what is held lies elsewhere".clone_into(&mut why.detail);
    } else if decision.request.kind == FulfilmentKind::Pickup && decision.request.pickup.as_ref() != Some(location) {
        why.rule = Rule::Pickup;
        "the order is collected at another location, which has all of it or takes nothing in"
            .clone_into(&mut why.detail);
    } else if decision.request.excluded.contains(location) {
        why.rule = Rule::Rejected;
        "it has rejected this order, and an order never goes back to who rejected it".clone_into(&mut why.detail);
    } else if !is_beyond_share(&mut why, decision) {
        match (candidate, site) {
            (Some(candidate), _) => explain(&mut why, decision, ruleset, candidate, true),
            (None, Some(site)) => unseen(&mut why, decision, ruleset, site),
            (None, None) => "it was not known when the order was sourced".clone_into(&mut why.detail),
        }
    }
    why
}

fn distance(decision: &Decision, site: Option<&Site>) -> Option<i64> {
    Some(decision.request.to?.distance_metres(site?.point))
}

fn lacks(decision: &Decision, candidate: &Candidate) -> Vec<Lack> {
    let needs = decision.request.needs().into_iter().zip(&candidate.available);
    needs
        .filter(|((_, needed), available)| needed > available)
        .map(|((sku, needed), available)| Lack { sku, needed, available: *available })
        .collect()
}

/// Whether the order waits because it asks for more than the channel's share of the pool.
fn is_beyond_share(why: &mut WhyNot, decision: &Decision) -> bool {
    let beyond = Need::of(&decision.request).beyond().unwrap_or_default();
    if beyond.is_empty() || matches!(decision.outcome, Outcome::Sourced { .. }) {
        return false;
    }
    let units: Vec<String> = beyond.iter().map(|it| format!("{} of {}", it.missing, it.sku)).collect();
    why.rule = Rule::Share;
    why.detail = format!("the order asks for {} more than the channel's share of the pool", units.join(" and "));
    why.would_win = Some(format!("{} more for the channel", units.join(" and ")));
    true
}

/// The tier a location is measured against: the one that filled the order, else the first tried that admits it.
fn tier_of<'r>(decision: &Decision, ruleset: &'r Ruleset, candidate: &Candidate) -> Option<(usize, &'r Tier)> {
    let tiers = tiers::of(&decision.request, ruleset);
    match &decision.outcome {
        Outcome::Sourced { tier, .. } => tiers.into_iter().find(|(index, _)| index == tier),
        Outcome::Backordered { .. } => {
            let admits = tiers.iter().find(|(_, tier)| tier.keeps_out(candidate).is_none()).copied();
            admits.or_else(|| tiers.last().copied())
        }
    }
}

/// Finds the first rule it fails and the changes up to winning. `knows` says whether its stock was looked at.
fn explain(why: &mut WhyNot, decision: &Decision, ruleset: &Ruleset, candidate: &Candidate, knows: bool) {
    let Some((_, tier)) = tier_of(decision, ruleset, candidate) else {
        why.rule = Rule::Filter;
        "no tier of the ruleset is for orders of this channel".clone_into(&mut why.detail);
        return;
    };
    (why.rule, why.detail, why.behind) = first_failure(decision, ruleset, tier, candidate);
    if !matches!(why.rule, Rule::Capability | Rule::Capacity) {
        why.tier = Some(tier.name.clone());
    }
    let mut attempt = Attempt::new(decision, ruleset, candidate.clone());
    let steps: [&dyn Fn(&mut Attempt<'_>); 5] =
        [&|it| it.lift_bar(), &|it| it.admit(tier), &|it| it.hurry(tier), &|it| it.fill(), &|it| it.place(tier)];
    let won = steps.into_iter().any(|step| {
        step(&mut attempt);
        attempt.wins()
    });
    if won {
        let mut words: Vec<String> = attempt.changes.iter().map(Change::text).collect();
        if let (Some(metres), true) = (candidate.metres, tier.filters.too_far(candidate.metres)) {
            words.push(format!("or a distance limit of at least {metres} m in tier '{}'", tier.name));
        }
        if !knows {
            words.push("with enough stock".to_owned());
        }
        why.would_win = Some(words.join(" and ").replace(" and or ", ", or "));
        why.changes = attempt.changes;
    }
}

fn first_failure(
    decision: &Decision,
    ruleset: &Ruleset,
    tier: &Tier,
    candidate: &Candidate,
) -> (Rule, String, Option<i64>) {
    if let Some(bar) = candidate.bar {
        return barred(bar, candidate);
    }
    if let Some(filter) = tier.keeps_out(candidate) {
        return kept_out(filter, tier, candidate);
    }
    match candidate.verdict {
        Verdict::NotNeeded => {
            let detail = "a set of fewer parts, or of parts that are better placed, was found without it";
            (Rule::Split, detail.to_owned(), None)
        }
        Verdict::Behind => behind(decision, ruleset, tier, candidate),
        _ => {
            let lacks = lacks(decision, candidate);
            let short: Vec<String> =
                lacks.iter().map(|it| format!("{} of {} units of {}", it.available, it.needed, it.sku)).collect();
            let withheld = candidate.withheld.iter().copied().fold(0, i64::saturating_add);
            if withheld > 0 {
                let detail = format!(
                    "it could not fill the order: {}; {withheld} more units lie there, but not for this channel",
                    short.join(", ")
                );
                return (Rule::Share, detail, None);
            }
            (Rule::Stock, format!("it could not fill the order: {}", short.join(", ")), None)
        }
    }
}

fn barred(bar: Bar, candidate: &Candidate) -> (Rule, String, Option<i64>) {
    let (rule, detail) = match bar {
        Bar::Inactive => (Rule::Capability, "it was not active".to_owned()),
        Bar::DoesNotShip => (Rule::Capability, "it does not ship".to_owned()),
        Bar::NoPickup => (Rule::Capability, "nothing can be collected there".to_owned()),
        Bar::Full => {
            let (orders, capacity) = (candidate.load.unwrap_or(0), candidate.capacity.unwrap_or(0));
            (Rule::Capacity, format!("it had {orders} orders on that day already and can ship {capacity}"))
        }
    };
    (rule, detail, None)
}

fn kept_out(filter: Filter, tier: &Tier, candidate: &Candidate) -> (Rule, String, Option<i64>) {
    let name = &tier.name;
    let filters = &tier.filters;
    match filter {
        Filter::Distance => {
            let most = filters.max_distance_metres.unwrap_or(0);
            let Some(metres) = candidate.metres else {
                let detail = format!("tier '{name}' goes {most} m far, and the destination has no coordinates");
                return (Rule::Distance, detail, None);
            };
            let detail = format!("it is {metres} m away, and tier '{name}' goes {most} m far");
            (Rule::Distance, detail, Some(metres.saturating_sub(most)))
        }
        Filter::Ready => {
            let (ready, most) = (candidate.ready_in, filters.ready_within_minutes.unwrap_or(0));
            let detail = format!("it would be ready in {ready} minutes, and tier '{name}' waits {most}");
            (Rule::Ready, detail, Some(ready.saturating_sub(most)))
        }
        Filter::Kind => (Rule::Filter, format!("tier '{name}' takes locations of other kinds"), None),
        Filter::Owner => (Rule::Filter, format!("tier '{name}' takes locations of other owners"), None),
        Filter::Region => (Rule::Filter, format!("tier '{name}' takes locations of other regions"), None),
        Filter::Group => (Rule::Filter, format!("tier '{name}' takes locations of other groups"), None),
    }
}

fn behind(decision: &Decision, ruleset: &Ruleset, tier: &Tier, candidate: &Candidate) -> (Rule, String, Option<i64>) {
    let key = candidate.key(tier, ruleset);
    let winner = decision.winners().next().map_or(key, |winner| winner.key(tier, ruleset));
    let measured = decision.request.to.is_some();
    let (by, margin) = tier.apart(&winner, &key, measured);
    let (rule, unit) = match by {
        Some(Sort::Distance) => (Rule::Distance, "metres farther than"),
        Some(Sort::Priority) => (Rule::Priority, "steps of priority behind"),
        Some(Sort::Stock) => (Rule::Stock, "units of stock behind"),
        Some(Sort::Cost) => (Rule::Cost, "minor units dearer than"),
        Some(Sort::Load) => (Rule::Load, "millionths of its capacity busier than"),
        None => {
            return (Rule::Code, "it is as well placed as the winner, whose code comes first".to_owned(), Some(0));
        }
    };
    (rule, format!("it is {margin} {unit} the winner"), Some(margin))
}

/// A location that was not among the candidates: whoever could have filled the order and lies before the runner-up was.
/// It is judged as if it had everything, by what is known of it now.
fn unseen(why: &mut WhyNot, decision: &Decision, ruleset: &Ruleset, site: &Site) {
    let bar = match () {
        () if !site.active => Some(Bar::Inactive),
        () if !site.ships && decision.request.pickup.as_ref() != Some(&site.code) => Some(Bar::DoesNotShip),
        () => None,
    };
    let candidate = Candidate {
        location: site.code.clone(),
        metres: why.distance_metres,
        priority: site.priority,
        kind: site.kind,
        franchised: site.franchised,
        shared: site.place.shared_with(&decision.request.place),
        adcode: site.place.adcode.clone(),
        groups: site.groups.clone(),
        ready_in: 0,
        load: None,
        capacity: None,
        cost: None,
        available: decision.request.needs().into_values().collect(),
        withheld: Vec::new(),
        bar,
        outside: std::collections::BTreeMap::new(),
        verdict: Verdict::Behind,
    };
    if Attempt::new(decision, ruleset, candidate.clone()).wins() {
        let (rule, detail) = match &decision.outcome {
            Outcome::Sourced { how: How::Whole, .. } => {
                (Rule::Stock, "it lies before the winner, but could not fill the whole order")
            }
            Outcome::Sourced { .. } => {
                (Rule::Split, "it was neither among the best placed nor among the best stocked locations")
            }
            Outcome::Backordered { .. } => (Rule::Stock, "it had too little of what was needed to be of use"),
        };
        why.rule = rule;
        detail.clone_into(&mut why.detail);
        return;
    }
    explain(why, decision, ruleset, &candidate, false);
    if why.rule == Rule::Stock {
        why.behind = None;
        "others have more of what was needed".clone_into(&mut why.detail);
    }
}
