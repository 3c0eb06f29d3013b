//! The shipped rulesets, and what is refused.

use super::*;

fn faults(document: &str) -> Vec<String> {
    serde_json::from_str::<Rules>(document).unwrap().faults().into_iter().map(|it| it.path).collect()
}

#[test]
fn every_shipped_ruleset_can_be_used_and_bears_the_name_of_its_file() {
    for (name, document) in EXAMPLES {
        let rules: Rules = serde_json::from_str(document).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((rules.name.as_str(), rules.faults()), (name, Vec::new()));
    }
}

#[test]
fn the_first_ruleset_in_force_is_the_shipped_nearest() {
    let migration = include_str!("../../../../../migrations/inventory/00000000003000_sourcing/up.sql");
    let rules: Rules = serde_json::from_str(EXAMPLES[0].1).unwrap();
    assert!(migration.contains(&format!("'{}'", rules.document().unwrap())), "{}", rules.document().unwrap());
}

#[test]
fn a_document_is_read_back_as_it_is_stored() {
    for (_, document) in EXAMPLES {
        let rules: Rules = serde_json::from_str(document).unwrap();
        let stored = rules.document().unwrap();
        let again: Rules = serde_json::from_str(&stored).unwrap();
        assert_eq!(again.document().unwrap(), stored);
        assert_eq!(Ruleset::new(1, again).id(), Ruleset::new(1, rules).id());
    }
}

#[test]
fn a_misspelt_rule_is_refused() {
    for wrong in [
        r#"{"name": "x", "tiers": [], "filter": {}}"#,
        r#"{"name": "x", "tiers": [{"name": "y", "filters": {"kind": ["store"]}}]}"#,
        r#"{"name": "x", "tiers": [{"name": "y", "filters": {"regions": ["same_town"]}}]}"#,
        r#"{"name": "x", "tiers": [{"name": "y", "sort": ["nearest"]}]}"#,
        r#"{"name": "x", "tiers": [{"name": "y", "split": {"parts": 2}}]}"#,
        r#"{"name": "x", "tiers": [], "otherwise": "cancel"}"#,
    ] {
        assert!(serde_json::from_str::<Rules>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn everything_beyond_its_limits_is_named_at_once() {
    let wrong = r#"{"name": " ", "candidates": {"near": 17, "broad": 9}, "promise": {"ship_within_minutes": 0},
        "cost": {"per_parcel": -1, "per_kind": {"dealer": 1000000001}}, "tiers": [
        {"name": "a", "filters": {"kinds": [], "groups": [""], "max_distance_metres": -1}, "sort": ["cost", "cost"],
         "split": {"max_parts": 7, "min_order_amount": -5}},
        {"name": "a", "sort": []}]}"#;
    let expected = [
        "name",
        "candidates.near",
        "candidates.broad",
        "promise.ship_within_minutes",
        "cost.per_parcel",
        "cost.per_kind.dealer",
        "tiers[0].filters.kinds",
        "tiers[0].filters.groups[0]",
        "tiers[0].filters.max_distance_metres",
        "tiers[0].sort",
        "tiers[0].split.max_parts",
        "tiers[0].split.min_order_amount",
        "tiers[1].name",
        "tiers[1].sort",
    ];
    assert_eq!(faults(wrong), expected);
    assert_eq!(faults(r#"{"name": "x", "tiers": []}"#), ["tiers"]);
}

#[test]
fn orders_do_not_move_unless_the_ruleset_says_so_and_within_limits() {
    let rules = |resourcing: &str| {
        let document = format!(r#"{{"name": "x", "tiers": [{{"name": "all"}}]{resourcing}}}"#);
        serde_json::from_str::<Rules>(&document).unwrap()
    };
    let silent = rules("");
    assert!(!silent.resourcing.enabled);
    assert!(!silent.document().unwrap().contains("resourcing"), "documents of before keep their bytes and their hash");
    let moving = rules(r#", "resourcing": {"enabled": true}"#).resourcing;
    assert_eq!((moving.min_gain_metres, moving.max_moves_per_order, moving.max_asked_per_hour), (20_000, 1, 1_000));
    let wrong = r#", "resourcing": {"min_gain_metres": -1, "max_moves_per_order": 0, "max_asked_per_hour": 100001}"#;
    let paths: Vec<String> = rules(wrong).faults().into_iter().map(|it| it.path).collect();
    let expected = ["resourcing.min_gain_metres", "resourcing.max_moves_per_order", "resourcing.max_asked_per_hour"];
    assert_eq!(paths, expected);
}

#[test]
fn a_parcel_costs_its_way_in_metres_rounded_down_once() {
    let rules: Rules = serde_json::from_str(EXAMPLES[4].1).unwrap();
    // 8.00 + 0.02 a kilometre: 111,195 m are 222.39, of which 222 count.
    assert_eq!(rules.parcel_cost(Some(111_195), LocationKind::Warehouse), 800 + 222);
    assert_eq!(rules.parcel_cost(Some(111_195), LocationKind::Store), 800 + 222 + 350);
    assert_eq!(rules.parcel_cost(None, LocationKind::Dealer), 800 + 500);
}
