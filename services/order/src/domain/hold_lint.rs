//! What may not be meant so in rules that hold orders: one that can hold none, and one whose orders another holds anyway.
//!
//! A condition is written out as the ways in which an order can be like it, each a list of facts that must all hold. One
//! whose facts contradict each other is no way. Where writing out takes too many, nothing is said: a warning is never wrong,
//! but not everything is warned of.

use std::collections::BTreeSet;

use contracts::events::FulfilmentKind;
use kernel::Code;
use serde::Serialize;
use utoipa::ToSchema;

use super::hold_rule::{AddressLike, Condition, HoldRule, HoldRules, LinesLike};

/// Warnings of a document: enough to begin with.
pub const MAX_WARNINGS: usize = 20;
/// The most facts that a condition is written out as.
const MAX_FACTS: usize = 64;

/// What may not be meant so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = HoldRuleWarningCode)]
pub enum WarningCode {
    /// No order can be like it.
    NeverHolds,
    /// It holds the same orders as another rule.
    Duplicate,
    /// Another rule holds each of its orders, and more.
    Shadowed,
}

/// Something that may not be meant so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = HoldRuleWarning)]
pub struct Warning {
    /// What.
    pub code: WarningCode,
    /// The rule.
    #[schema(value_type = String)]
    pub rule: Code,
    /// The rule that holds its orders anyway.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub by: Option<Code>,
    /// The warning in a sentence.
    pub detail: String,
}

/// A condition without parts, or that an order is not like it.
#[derive(Clone, Copy)]
struct Fact<'a> {
    is: bool,
    like: &'a Condition,
}

/// Facts that must all hold.
type Way<'a> = Vec<Fact<'a>>;

/// The first warnings of a document that was checked, in the order of its rules.
pub fn lint(rules: &HoldRules) -> Vec<Warning> {
    let written: Vec<(&HoldRule, Option<Vec<Way<'_>>>)> =
        rules.rules.iter().map(|rule| (rule, possible(&rule.when))).collect();
    let mut warnings = Vec::new();
    for (index, (rule, ways)) in written.iter().enumerate() {
        let Some(ways) = ways else { continue };
        if warnings.len() >= MAX_WARNINGS {
            break;
        }
        if ways.is_empty() {
            let detail = format!("no order can be like rule '{}'", rule.name);
            warnings.push(Warning { code: WarningCode::NeverHolds, rule: rule.name.clone(), by: None, detail });
            continue;
        }
        let others = written.iter().enumerate().filter(|(place, _)| *place != index);
        let others = others.filter_map(|(place, (other, ways))| Some((place, *other, ways.as_ref()?)));
        let covering = others.filter(|(_, _, theirs)| covers(theirs, ways));
        // Of two that hold the same orders, the second is too much.
        let mut covering = covering.map(|(place, other, theirs)| (place, other, covers(ways, theirs)));
        let found = covering.find(|(place, _, same)| !same || *place < index);
        if let Some((_, other, same)) = found {
            warnings.push(held_anyway(rule, other, same));
        }
    }
    warnings
}

fn held_anyway(rule: &HoldRule, other: &HoldRule, same: bool) -> Warning {
    let (code, what) = if same {
        (WarningCode::Duplicate, "the same orders as rule")
    } else {
        (WarningCode::Shadowed, "only orders that are held by rule")
    };
    let detail = format!("rule '{}' holds {what} '{}'", rule.name, other.name);
    Warning { code, rule: rule.name.clone(), by: Some(other.name.clone()), detail }
}

/// The ways in which an order can be like a condition; none where they are too many to say.
fn possible(when: &Condition) -> Option<Vec<Way<'_>>> {
    let mut ways = ways(when, true)?;
    ways.retain(|way| !way.iter().enumerate().any(|(index, a)| way.iter().skip(index).any(|b| contradict(*a, *b))));
    Some(ways)
}

/// A condition, or its opposite, as ways.
fn ways(when: &Condition, is: bool) -> Option<Vec<Way<'_>>> {
    match (when, is) {
        (Condition::Not(part), _) => ways(part, !is),
        (Condition::All(parts), true) | (Condition::Any(parts), false) => {
            let mut all = vec![Way::new()];
            for part in parts {
                let part = ways(part, is)?;
                let pairs = all.iter().flat_map(|way| part.iter().map(move |more| (way, more)));
                all = pairs.map(|(way, more)| way.iter().chain(more).copied().collect()).collect();
                few(&all)?;
            }
            Some(all)
        }
        (Condition::Any(parts), true) | (Condition::All(parts), false) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(ways(part, is)?);
                few(&all)?;
            }
            Some(all)
        }
        (like, is) => Some(vec![vec![Fact { is, like }]]),
    }
}

fn few(ways: &[Way<'_>]) -> Option<()> {
    (ways.iter().map(Vec::len).sum::<usize>() <= MAX_FACTS).then_some(())
}

/// Whether whoever is like one of these is like one of the others.
fn covers(others: &[Way<'_>], ways: &[Way<'_>]) -> bool {
    let follows = |way: &Way<'_>, fact: &Fact<'_>| way.iter().any(|it| implies(*it, *fact));
    ways.iter().all(|way| others.iter().any(|other| other.iter().all(|fact| follows(way, fact))))
}

/// Whether two facts cannot both hold.
fn contradict(a: Fact<'_>, b: Fact<'_>) -> bool {
    match (a.is, b.is) {
        (true, false) => is_narrower(a.like, b.like),
        (false, true) => is_narrower(b.like, a.like),
        (false, false) => false,
        (true, true) => match (a.like, b.like) {
            (Condition::Channel(a), Condition::Channel(b)) => a.is_disjoint(b),
            (Condition::Amount(a), Condition::Amount(b)) => a.currency != b.currency,
            (Condition::Fulfilment(a), Condition::Fulfilment(b)) => a != b,
            (Condition::Blacklisted(a), Condition::Blacklisted(b)) => a != b,
            (Condition::FirstOrder(a), Condition::FirstOrder(b)) => a != b,
            // A pickup has no address.
            (Condition::Address(_), Condition::Fulfilment(kind))
            | (Condition::Fulfilment(kind), Condition::Address(_)) => *kind == FulfilmentKind::Pickup,
            (Condition::Address(a), Condition::Address(b)) => {
                let apart =
                    |a: &BTreeSet<String>, b: &BTreeSet<String>| !a.is_empty() && !b.is_empty() && a.is_disjoint(b);
                apart(&a.country, &b.country) || apart(&a.province, &b.province) || apart(&a.city, &b.city)
            }
            _ => false,
        },
    }
}

/// Whether one fact means the other.
fn implies(a: Fact<'_>, b: Fact<'_>) -> bool {
    match (a.is, b.is) {
        (true, true) => is_narrower(a.like, b.like),
        (false, false) => is_narrower(b.like, a.like),
        _ => false,
    }
}

/// Whether everything that is like one condition without parts is like the other.
fn is_narrower(a: &Condition, b: &Condition) -> bool {
    match (a, b) {
        (Condition::Channel(a), Condition::Channel(b)) => a.is_subset(b),
        (Condition::PaymentMethod(a), Condition::PaymentMethod(b)) => a.is_subset(b),
        (Condition::Amount(a), Condition::Amount(b)) => a.currency == b.currency && a.at_least >= b.at_least,
        (Condition::Velocity(a), Condition::Velocity(b)) => {
            a.within_seconds == b.within_seconds && a.orders >= b.orders
        }
        (Condition::Address(a), Condition::Address(b)) => is_narrower_address(a, b),
        (Condition::Lines(a), Condition::Lines(b)) => is_narrower_lines(a, b),
        (a, b) => a == b,
    }
}

/// Whether a list in which nothing means everything wants no more than another.
fn within<T: Ord>(a: &BTreeSet<T>, b: &BTreeSet<T>) -> bool {
    b.is_empty() || (!a.is_empty() && a.is_subset(b))
}

fn is_narrower_address(a: &AddressLike, b: &AddressLike) -> bool {
    within(&a.country, &b.country)
        && within(&a.province, &b.province)
        && within(&a.city, &b.city)
        && within(&a.contains, &b.contains)
        && within(&a.postcode_prefix, &b.postcode_prefix)
}

fn is_narrower_lines(a: &LinesLike, b: &LinesLike) -> bool {
    within(&a.sku, &b.sku) && within(&a.category, &b.category) && a.quantity_at_least >= b.quantity_at_least
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The warnings of rules with these conditions, named `1`, `2` and so on.
    fn warned(when: &[Value]) -> Vec<(WarningCode, String, Option<String>)> {
        let rule = |(name, when): (usize, &Value)| json!({"name": name.to_string(), "reason": "r", "when": when});
        let rules: Vec<Value> = (1..).zip(when).map(rule).collect();
        let rules: HoldRules = serde_json::from_value(json!({"rules": rules})).unwrap();
        let short = |it: Warning| (it.code, it.rule.to_string(), it.by.map(|by| by.to_string()));
        lint(&rules).into_iter().map(short).collect()
    }

    fn amount(at_least: i64) -> Value {
        json!({"amount": {"currency": "CNY", "at_least": at_least}})
    }

    fn never(when: Value) -> bool {
        warned(&[when]) == [(WarningCode::NeverHolds, "1".to_owned(), None)]
    }

    #[test]
    fn what_contradicts_itself_never_holds() {
        let (tmall, jd) = (json!({"channel": ["tmall"]}), json!({"channel": ["jd"]}));
        assert!(never(json!({"all": [tmall, jd]})));
        assert!(never(json!({"all": [{"any": [tmall, {"all": [jd, tmall]}]}, jd]})));
        assert!(never(json!({"all": [tmall, {"not": {"channel": ["jd", "tmall"]}}]})));
        assert!(never(json!({"all": [{"fulfilment": "pickup"}, {"address": {"country": ["CN"]}}]})));
        assert!(never(json!({"all": [{"blacklisted": true}, {"blacklisted": false}]})));
        assert!(never(json!({"not": {"any": [{"fulfilment": "ship"}, {"not": {"fulfilment": "ship"}}]}})));
        assert!(never(json!({"all": [amount(100), {"amount": {"currency": "JPY", "at_least": 1}}]})));
        assert!(never(json!({"all": [{"not": amount(100)}, amount(200)]})));
        assert!(!never(json!({"all": [{"not": amount(200)}, amount(100)]})), "from 100 up to 200");
        assert!(!never(json!({"any": [{"all": [tmall, jd]}, jd]})));
        assert!(!never(json!({"not": {"address": {"country": ["CN"]}}})));
    }

    #[test]
    fn a_rule_whose_orders_another_holds_is_named_with_that() {
        let shadowed = |rule: &str, by: &str| (WarningCode::Shadowed, rule.to_owned(), Some(by.to_owned()));
        assert_eq!(warned(&[amount(500), amount(200)]), [shadowed("1", "2")]);
        let both = json!({"all": [amount(200), {"channel": ["tmall"]}]});
        assert_eq!(warned(&[amount(100), both.clone()]), [shadowed("2", "1")]);
        assert_eq!(warned(&[json!({"any": [both, amount(300)]}), amount(100)]), [shadowed("1", "2")]);
        let address = |cities: &[&str]| json!({"address": {"country": ["CN"], "city": cities}});
        assert_eq!(warned(&[address(&["A", "B"]), address(&["A"])]), [shadowed("2", "1")]);
        let lines = |units: i64| json!({"lines": {"sku": ["A"], "quantity_at_least": units}});
        assert_eq!(warned(&[lines(10), json!({"lines": {"quantity_at_least": 10}})]), [shadowed("1", "2")]);
        assert_eq!(warned(&[lines(10), json!({"lines": {"sku": ["B"]}})]), []);
        let often = |orders: i64, seconds: i64| json!({"velocity": {"orders": orders, "within_seconds": seconds}});
        assert_eq!(warned(&[often(5, 60), often(3, 60), often(5, 90)]), [shadowed("1", "2")]);
    }

    #[test]
    fn of_two_that_hold_the_same_the_second_is_too_much() {
        let one = json!({"all": [amount(100), {"channel": ["jd", "tmall"]}]});
        let two = json!({"not": {"any": [{"not": {"channel": ["tmall", "jd"]}}, {"not": amount(100)}]}});
        assert_eq!(warned(&[one, two]), [(WarningCode::Duplicate, "2".to_owned(), Some("1".to_owned()))]);
        let never = json!({"all": [{"blacklisted": true}, {"blacklisted": false}]});
        assert_eq!(warned(&[never, amount(1)]).len(), 1, "what never holds is no part of another");
    }

    #[test]
    fn what_takes_too_long_to_write_out_is_not_judged() {
        let pair = |first: i64| json!({"any": [amount(first), amount(first + 1)]});
        let many: Vec<Value> = (1..8).map(pair).collect();
        assert_eq!(warned(&[json!({"all": many}), amount(1)]), []);
    }
}
