//! Why not that one: the rule that kept a location from winning, the number that failed, and the smallest change that
//! would have let it win.

use kernel::{LocationCode, SkuCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::atlas::Site;
use super::plan::{Bar, Candidate, Decision, How, Outcome, Verdict};

/// Why a location did not get an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct WhyNot {
    /// The location asked about.
    pub location: LocationCode,
    /// The rule that decided.
    pub rule: Rule,
    /// The rule and its number in a sentence.
    pub detail: String,
    /// How far it is from the destination, if that is known.
    pub distance_metres: Option<i64>,
    /// By how much it lies behind the winner: metres, or steps of priority where no destination is known.
    pub behind: Option<i64>,
    /// What it lacked.
    pub missing: Vec<Lack>,
    /// The smallest change that would have let it win.
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
    /// It lacked stock.
    Stock,
    /// Another one is nearer, or comes first by priority or code.
    Distance,
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
pub fn why_not(decision: &Decision, location: &LocationCode, site: Option<&Site>) -> WhyNot {
    let candidate = decision.candidates.iter().find(|candidate| candidate.location == *location);
    let mut why = WhyNot {
        location: location.clone(),
        rule: Rule::Stock,
        detail: String::new(),
        distance_metres: candidate.and_then(|candidate| candidate.metres).or_else(|| distance(decision, site)),
        behind: None,
        missing: candidate.map_or_else(Vec::new, |candidate| lacks(decision, candidate)),
        would_win: None,
    };
    if decision.allocations().iter().any(|allocation| allocation.location == *location) {
        why.rule = Rule::Chosen;
        "it ships this order, or a part of it".clone_into(&mut why.detail);
    } else if matches!(decision.outcome, Outcome::Sourced { how: How::Claimed, .. }) {
        why.rule = Rule::Claimed;
        "the order claimed a hold, and what is held lies elsewhere".clone_into(&mut why.detail);
    } else if decision.request.pickup.as_ref().is_some_and(|pickup| pickup != location) {
        why.rule = Rule::Pickup;
        "the order is collected at another location and is never sent elsewhere".clone_into(&mut why.detail);
    } else {
        match candidate {
            Some(candidate) => weigh(&mut why, decision, candidate),
            None => unseen(&mut why, decision, site),
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

fn weigh(why: &mut WhyNot, decision: &Decision, candidate: &Candidate) {
    match candidate.verdict {
        Verdict::Rejected => {
            why.rule = Rule::Rejected;
            "it has rejected this order, and an order never goes back to who rejected it".clone_into(&mut why.detail);
        }
        Verdict::Barred => {
            why.rule = Rule::Capability;
            let (detail, change) = barred(candidate.bar.unwrap_or(Bar::Inactive));
            detail.clone_into(&mut why.detail);
            why.would_win = Some(change.to_owned());
        }
        Verdict::Short => {
            let lacks: Vec<String> = why.missing.iter().map(shortfall).collect();
            why.detail = format!("it could not fill the order: {}", lacks.join(", "));
            why.would_win = Some(format!("{} more", more(&why.missing)));
        }
        Verdict::NotNeeded => {
            why.rule = Rule::Split;
            "a set of fewer parts, or of less total distance, was found without it".clone_into(&mut why.detail);
            why.would_win = Some(format!("{} more, to fill the whole order alone", more(&why.missing)));
        }
        Verdict::Behind | Verdict::Chosen => behind(why, decision, candidate.cost()),
    }
}

const fn barred(bar: Bar) -> (&'static str, &'static str) {
    match bar {
        Bar::Inactive => ("it was not active", "being active"),
        Bar::DoesNotShip => ("it does not ship", "the capability ship"),
        Bar::NoPickup => ("nothing can be collected there", "the capability pickup"),
    }
}

fn shortfall(lack: &Lack) -> String {
    format!("{} of {} units of {}", lack.available, lack.needed, lack.sku)
}

fn more(missing: &[Lack]) -> String {
    let units = missing.iter().map(|lack| format!("{} of {}", lack.needed.saturating_sub(lack.available), lack.sku));
    units.collect::<Vec<_>>().join(" and ")
}

fn behind(why: &mut WhyNot, decision: &Decision, cost: i64) {
    let winner = decision.candidates.iter().find(|candidate| candidate.verdict == Verdict::Chosen);
    let behind = winner.map_or(0, |winner| cost.saturating_sub(winner.cost()));
    why.rule = Rule::Distance;
    why.behind = Some(behind);
    let unit = if decision.request.to.is_some() { "metres" } else { "steps of priority" };
    if behind == 0 {
        let one = if decision.request.to.is_some() { "one metre less" } else { "one step of priority less" };
        "it is as well placed as the winner, whose code comes first".clone_into(&mut why.detail);
        why.would_win = Some(one.to_owned());
    } else {
        why.detail = format!("it is {behind} {unit} behind the winner");
        why.would_win = Some(format!("{behind} {unit} less"));
    }
}

/// A location that was not among the candidates: every one that could fill the order and lies before the runner-up was.
fn unseen(why: &mut WhyNot, decision: &Decision, site: Option<&Site>) {
    let Some(site) = site else {
        "it was not known when the order was sourced".clone_into(&mut why.detail);
        return;
    };
    if !site.active || !site.ships {
        why.rule = Rule::Capability;
        "it is not active, or it does not ship".clone_into(&mut why.detail);
        return;
    }
    let cost = why.distance_metres.unwrap_or(i64::from(site.priority));
    let winner = decision.candidates.iter().find(|candidate| candidate.verdict == Verdict::Chosen);
    match (&decision.outcome, winner) {
        (Outcome::Sourced { how: How::Whole, .. }, Some(winner)) if cost >= winner.cost() => {
            behind(why, decision, cost)
        }
        (Outcome::Sourced { how: How::Whole, .. }, Some(_)) => {
            "it lies before the winner, but could not fill the whole order".clone_into(&mut why.detail);
        }
        (Outcome::Sourced { .. }, _) => {
            why.rule = Rule::Split;
            "it was neither among the nearest nor among the best stocked locations".clone_into(&mut why.detail);
        }
        (Outcome::Backordered { .. }, _) => {
            "it had too little of what was needed to be of use".clone_into(&mut why.detail);
        }
    }
}
