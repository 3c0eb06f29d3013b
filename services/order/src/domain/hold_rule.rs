//! Rules that hold an order before anybody hears of it: typed conditions on what was ordered, by whom, and to where.

use std::collections::BTreeSet;

use contracts::events::FulfilmentKind;
use contracts::requests::Address;
use kernel::money::MAX_AMOUNT;
use kernel::quantity::MAX_QUANTITY;
use kernel::{ChannelCode, Code, Currency, Money, SkuCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::buyer_facts::{BuyerFacts, Lookups, MAX_WINDOWS, Velocity};
use super::faults::Faults;
use super::intake::MAX_TEXT_LENGTH;

/// The most rules of a document: each is judged for every order.
pub const MAX_RULES: usize = 100;
/// How deep conditions may be nested.
pub const MAX_DEPTH: usize = 5;
/// The most conditions of one rule, nested ones included.
pub const MAX_CONDITIONS: usize = 50;
/// The most values of one condition: a list of addresses, not a database.
pub const MAX_VALUES: usize = 1_000;

/// Rules that hold orders: a document that is added as a whole and never changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldRules {
    /// The rules; each that fits an order is a hold on it. None let every order pass.
    #[schema(max_items = 100)]
    pub rules: Vec<HoldRule>,
}

/// A rule that holds orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldRule {
    /// What people call it; no two rules of a document have one name.
    #[schema(example = "large orders by card")]
    pub name: Code,
    /// Why its orders are held, as a word that the queue is narrowed by.
    #[schema(example = "amount")]
    pub reason: Code,
    /// Which orders it holds.
    pub when: Condition,
}

/// What an order must be like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = HoldCondition, no_recursion)]
pub enum Condition {
    /// All of these.
    All(Vec<Condition>),
    /// At least one of these.
    Any(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
    /// The buyer pays so much or more.
    Amount(AmountLike),
    /// It is of one of these channels.
    #[schema(value_type = Vec<String>)]
    Channel(BTreeSet<ChannelCode>),
    /// It is shipped to an address like this.
    Address(AddressLike),
    /// So many units are bought in lines like these.
    Lines(LinesLike),
    /// One of its payments is made in one of these ways.
    #[schema(example = json!(["cash_on_delivery"]))]
    PaymentMethod(BTreeSet<String>),
    /// It is shipped, or collected.
    Fulfilment(FulfilmentKind),
    /// One of the buyer's identities is on the blacklist, or none is.
    Blacklisted(bool),
    /// The book has no earlier order of the buyer, or has one; an anonymous sale is neither.
    FirstOrder(bool),
    /// The buyer orders as often.
    Velocity(Velocity),
}

/// What the buyer pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = HoldAmount)]
pub struct AmountLike {
    /// In this currency; orders in another are not like this.
    pub currency: Currency,
    /// So many minor units, or more.
    #[schema(minimum = 1)]
    pub at_least: i64,
}

/// What an address must be like: in each field that is given, like one of the values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = HoldAddress)]
pub struct AddressLike {
    /// Its country is one of these.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub country: BTreeSet<String>,
    /// Its province is one of these.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub province: BTreeSet<String>,
    /// Its city is one of these.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub city: BTreeSet<String>,
    /// Its district, its street or the name at the door has one of these in it, in capitals or not: freight forwarders.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub contains: BTreeSet<String>,
    /// Its postcode begins with one of these.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub postcode_prefix: BTreeSet<String>,
}

/// What lines must be like, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = HoldLines)]
pub struct LinesLike {
    /// Lines of one of these SKUs; any, when left out.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub sku: BTreeSet<SkuCode>,
    /// Lines of one of these categories; any, when left out.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub category: BTreeSet<String>,
    /// So many units or more, in all such lines together.
    #[serde(default = "one")]
    #[schema(minimum = 1)]
    pub quantity_at_least: i64,
}

const fn one() -> i64 {
    1
}

/// A line of an order, as far as rules look at it.
#[derive(Clone, Copy, Debug)]
pub struct LineFacts<'a> {
    /// Its SKU.
    pub sku: &'a str,
    /// The SKU's category.
    pub category: Option<&'a str>,
    /// Units.
    pub quantity: i64,
}

/// What of an order the conditions look at.
#[derive(Debug)]
pub struct Facts<'a> {
    /// Its channel.
    pub channel: &'a str,
    /// What the buyer pays.
    pub total: Money,
    /// How it was paid.
    pub payment_methods: Vec<&'a str>,
    /// Shipped or collected.
    pub kind: FulfilmentKind,
    /// Where to.
    pub ship_to: Option<&'a Address>,
    /// Its lines.
    pub lines: Vec<LineFacts<'a>>,
    /// What the book knows of the buyer; nothing of an anonymous one.
    pub buyer: Option<BuyerFacts>,
}

impl HoldRules {
    /// Names everything by which no order could be judged.
    pub fn check(&self, faults: &mut Faults) {
        if self.rules.len() > MAX_RULES {
            faults.add("rules", format!("has at most {MAX_RULES} entries"));
        }
        let mut names = BTreeSet::new();
        for (index, rule) in self.rules.iter().enumerate().take(MAX_RULES) {
            if !names.insert(&rule.name) {
                faults.add(format!("rules[{index}].name"), "is the name of another rule");
            }
            let mut count = 0;
            let path = format!("rules[{index}].when");
            rule.when.check(&path, 1, &mut count, faults);
            if count > MAX_CONDITIONS {
                faults.add(path, format!("has at most {MAX_CONDITIONS} conditions"));
            }
        }
        if self.lookups().windows.len() > MAX_WINDOWS {
            faults.add("rules", format!("count orders within at most {MAX_WINDOWS} different times"));
        }
    }

    /// What of buyers has to be looked up for them.
    pub fn lookups(&self) -> Lookups {
        let mut lookups = Lookups::default();
        self.rules.iter().for_each(|rule| rule.when.asks(&mut lookups));
        lookups
    }

    /// The rules as they are compared with orders: what is looked for in capitals or not, in small letters.
    pub fn folded(mut self) -> Self {
        self.rules.iter_mut().for_each(|rule| rule.when.fold());
        self
    }

    /// The rules that hold an order, in their order.
    pub fn judge<'a>(&'a self, order: &Facts<'_>) -> Vec<&'a HoldRule> {
        self.rules.iter().filter(|rule| rule.when.holds(order)).collect()
    }
}

impl Condition {
    fn check(&self, path: &str, depth: usize, count: &mut usize, faults: &mut Faults) {
        *count = count.saturating_add(1);
        if depth > MAX_DEPTH {
            faults.add(path, format!("conditions are nested at most {MAX_DEPTH} deep"));
            return;
        }
        let below = depth.saturating_add(1);
        match self {
            Self::All(parts) | Self::Any(parts) => {
                let name = if matches!(self, Self::All(_)) { "all" } else { "any" };
                if !(1..=MAX_CONDITIONS).contains(&parts.len()) {
                    faults.add(format!("{path}.{name}"), format!("has 1 to {MAX_CONDITIONS} entries"));
                }
                for (index, part) in parts.iter().enumerate().take(MAX_CONDITIONS) {
                    part.check(&format!("{path}.{name}[{index}]"), below, count, faults);
                }
            }
            Self::Not(part) => part.check(&format!("{path}.not"), below, count, faults),
            Self::Amount(it) => between(&format!("{path}.amount.at_least"), it.at_least, MAX_AMOUNT, faults),
            Self::Channel(all) => some(&format!("{path}.channel"), all.len(), faults),
            Self::PaymentMethod(all) => texts(&format!("{path}.payment_method"), all, 1, faults),
            Self::Address(like) => like.check(&format!("{path}.address"), faults),
            Self::Lines(like) => like.check(&format!("{path}.lines"), faults),
            Self::Velocity(it) => it.check(&format!("{path}.velocity"), faults),
            Self::Fulfilment(_) | Self::Blacklisted(_) | Self::FirstOrder(_) => {}
        }
    }

    fn asks(&self, lookups: &mut Lookups) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.asks(lookups)),
            Self::Not(part) => part.asks(lookups),
            Self::Velocity(it) => _ = lookups.windows.insert(it.within_seconds),
            Self::FirstOrder(_) => lookups.first = true,
            Self::Blacklisted(_) => lookups.blacklist = true,
            _ => {}
        }
    }

    fn fold(&mut self) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter_mut().for_each(Self::fold),
            Self::Not(part) => part.fold(),
            Self::Address(like) => like.contains = like.contains.iter().map(|it| it.to_lowercase()).collect(),
            _ => {}
        }
    }

    /// Whether an order is like this. What is not known of it, is not.
    fn holds(&self, order: &Facts<'_>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(order)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(order)),
            Self::Not(part) => !part.holds(order),
            Self::Amount(it) => order.total.currency == it.currency && order.total.amount >= it.at_least,
            Self::Channel(all) => all.iter().any(|it| it.as_str() == order.channel),
            Self::PaymentMethod(all) => order.payment_methods.iter().any(|it| all.contains(*it)),
            Self::Fulfilment(kind) => order.kind == *kind,
            Self::Address(like) => order.ship_to.is_some_and(|address| like.fits(address)),
            Self::Lines(like) => like.units(&order.lines) >= like.quantity_at_least,
            Self::Blacklisted(is) => order.buyer.as_ref().is_some_and(|buyer| buyer.is_blacklisted) == *is,
            Self::FirstOrder(is) => order.buyer.as_ref().is_some_and(|buyer| buyer.is_first == *is),
            Self::Velocity(it) => order.buyer.as_ref().is_some_and(|buyer| buyer.is_as_often(*it)),
        }
    }
}

fn between(field: &str, number: i64, most: i64, faults: &mut Faults) {
    if !(1..=most).contains(&number) {
        faults.add(field, format!("lies between 1 and {most}"));
    }
}

fn some(field: &str, count: usize, faults: &mut Faults) {
    if !(1..=MAX_VALUES).contains(&count) {
        faults.add(field, format!("has 1 to {MAX_VALUES} entries"));
    }
}

fn texts(field: &str, values: &BTreeSet<String>, least: usize, faults: &mut Faults) {
    let usable = |text: &String| !text.trim().is_empty() && text.chars().count() <= MAX_TEXT_LENGTH;
    if !(least..=MAX_VALUES).contains(&values.len()) || !values.iter().all(usable) {
        let detail = format!("has {least} to {MAX_VALUES} entries of 1 to {MAX_TEXT_LENGTH} characters");
        faults.add(field, detail);
    }
}

impl AddressLike {
    const fn parts(&self) -> [(&'static str, &BTreeSet<String>); 5] {
        [
            ("country", &self.country),
            ("province", &self.province),
            ("city", &self.city),
            ("contains", &self.contains),
            ("postcode_prefix", &self.postcode_prefix),
        ]
    }

    fn check(&self, path: &str, faults: &mut Faults) {
        if self.parts().iter().all(|(_, values)| values.is_empty()) {
            faults.add(path, "names something of the address");
        }
        for (name, values) in self.parts() {
            texts(&format!("{path}.{name}"), values, 0, faults);
        }
    }

    fn fits(&self, address: &Address) -> bool {
        let is = |all: &BTreeSet<String>, text: Option<&String>| {
            all.is_empty() || text.is_some_and(|text| all.contains(text))
        };
        is(&self.country, address.country.as_ref())
            && is(&self.province, address.province.as_ref())
            && is(&self.city, address.city.as_ref())
            && (self.postcode_prefix.is_empty() || self.begins(address.postcode.as_deref().unwrap_or_default()))
            && (self.contains.is_empty() || self.is_in(address))
    }

    fn begins(&self, postcode: &str) -> bool {
        self.postcode_prefix.iter().any(|prefix| postcode.starts_with(prefix.as_str()))
    }

    fn is_in(&self, address: &Address) -> bool {
        [&address.district, &address.street, &address.name].into_iter().flatten().any(|text| {
            let text = text.to_lowercase();
            self.contains.iter().any(|it| text.contains(it.as_str()))
        })
    }
}

impl LinesLike {
    fn check(&self, path: &str, faults: &mut Faults) {
        if self.sku.len() > MAX_VALUES {
            faults.add(format!("{path}.sku"), format!("has at most {MAX_VALUES} entries"));
        }
        texts(&format!("{path}.category"), &self.category, 0, faults);
        between(&format!("{path}.quantity_at_least"), self.quantity_at_least, MAX_QUANTITY, faults);
    }

    fn units(&self, lines: &[LineFacts<'_>]) -> i64 {
        let is_like = |line: &&LineFacts<'_>| {
            (self.sku.is_empty() || self.sku.iter().any(|sku| sku.as_str() == line.sku))
                && (self.category.is_empty() || line.category.is_some_and(|it| self.category.contains(it)))
        };
        lines.iter().filter(is_like).fold(0, |sum, line| sum.saturating_add(line.quantity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn rules(when: Value) -> HoldRules {
        serde_json::from_value(json!({"rules": [{"name": "n", "reason": "r", "when": when}]})).unwrap()
    }

    fn faults(rules: &HoldRules) -> Vec<String> {
        let mut faults = Faults::default();
        rules.check(&mut faults);
        faults.into_result().map_or_else(|all| all.into_iter().map(|it| it.field).collect(), |()| Vec::new())
    }

    /// An order of 100.00 yuan for two A of tea and three B of cups, shipped to Pudong.
    fn holds(when: Value) -> bool {
        let address = Address {
            country: Some("CN".to_owned()),
            province: Some("上海市".to_owned()),
            district: Some("浦东新区".to_owned()),
            street: Some("张江路 1 号 SINO Freight".to_owned()),
            postcode: Some("201203".to_owned()),
            ..Address::default()
        };
        let order = Facts {
            channel: "tmall",
            total: Money::new(10_000, "CNY".parse().unwrap()),
            payment_methods: vec!["alipay"],
            kind: FulfilmentKind::Ship,
            ship_to: Some(&address),
            lines: vec![
                LineFacts { sku: "A", category: Some("tea"), quantity: 2 },
                LineFacts { sku: "B", category: Some("cups"), quantity: 3 },
            ],
            buyer: Some(BuyerFacts { is_blacklisted: false, is_first: false, orders: vec![(60, 2)] }),
        };
        !rules(when).folded().judge(&order).is_empty()
    }

    #[test]
    fn each_condition_looks_at_its_part_of_the_order() {
        let amount = |currency: &str, fen: i64| json!({"amount": {"currency": currency, "at_least": fen}});
        let cases = [
            (amount("CNY", 10_000), true),
            (amount("CNY", 10_001), false),
            (amount("JPY", 1), false),
            (json!({"channel": ["jd", "tmall"]}), true),
            (json!({"channel": ["jd"]}), false),
            (json!({"payment_method": ["cash", "alipay"]}), true),
            (json!({"payment_method": ["cash"]}), false),
            (json!({"fulfilment": "ship"}), true),
            (json!({"fulfilment": "pickup"}), false),
            (json!({"address": {"country": ["CN"], "contains": ["sino FREIGHT"]}}), true),
            (json!({"address": {"country": ["CN"], "contains": ["陆家嘴"]}}), false),
            (json!({"address": {"country": ["US"], "contains": ["张江"]}}), false),
            (json!({"address": {"contains": ["浦东"]}}), true),
            (json!({"address": {"city": ["上海市"]}}), false),
            (json!({"address": {"postcode_prefix": ["100", "2012"]}}), true),
            (json!({"address": {"postcode_prefix": ["100"]}}), false),
            (json!({"lines": {"quantity_at_least": 5}}), true),
            (json!({"lines": {"quantity_at_least": 6}}), false),
            (json!({"lines": {"sku": ["A"], "quantity_at_least": 3}}), false),
            (json!({"lines": {"sku": ["A"]}}), true),
            (json!({"lines": {"sku": ["A"], "category": ["cups"]}}), false),
            (json!({"lines": {"category": ["cups", "tea"], "quantity_at_least": 5}}), true),
            (json!({"blacklisted": true}), false),
            (json!({"first_order": false}), true),
            (json!({"velocity": {"orders": 2, "within_seconds": 60}}), true),
            (json!({"velocity": {"orders": 3, "within_seconds": 60}}), false),
            (json!({"all": [{"channel": ["tmall"]}, {"not": {"channel": ["jd"]}}]}), true),
            (json!({"all": [{"channel": ["tmall"]}, {"channel": ["jd"]}]}), false),
            (json!({"any": [{"channel": ["jd"]}, {"fulfilment": "ship"}]}), true),
        ];
        for (when, expected) in cases {
            assert_eq!(holds(when.clone()), expected, "{when}");
        }
    }

    #[test]
    fn a_rule_that_no_order_could_be_judged_by_is_refused_by_its_field() {
        let field = |when: Value| faults(&rules(when));
        assert_eq!(field(json!({"all": []})), ["rules[0].when.all"]);
        assert_eq!(field(json!({"any": [{"channel": []}]})), ["rules[0].when.any[0].channel"]);
        assert_eq!(field(json!({"not": {"address": {}}})), ["rules[0].when.not.address"]);
        assert_eq!(field(json!({"address": {"contains": [" "]}})), ["rules[0].when.address.contains"]);
        assert_eq!(field(json!({"payment_method": []})), ["rules[0].when.payment_method"]);
        assert_eq!(field(json!({"lines": {"quantity_at_least": 0}})), ["rules[0].when.lines.quantity_at_least"]);
        let amount = json!({"amount": {"currency": "CNY", "at_least": 0}});
        assert_eq!(field(amount), ["rules[0].when.amount.at_least"]);
        let velocity = |orders: i64, seconds: u32| json!({"velocity": {"orders": orders, "within_seconds": seconds}});
        assert_eq!(field(velocity(1, 5)), ["rules[0].when.velocity.orders"]);
        assert_eq!(field(velocity(2, 0)), ["rules[0].when.velocity.within_seconds"]);
        assert_eq!(field(velocity(2, 2_592_001)), ["rules[0].when.velocity.within_seconds"]);
        let times: Vec<Value> = (1..=11).map(|seconds| velocity(2, seconds)).collect();
        assert_eq!(field(json!({"any": times})), ["rules"]);
        let deep = (0..MAX_DEPTH).fold(json!({"fulfilment": "ship"}), |inner, _| json!({"not": inner}));
        assert_eq!(field(deep), ["rules[0].when.not.not.not.not.not"]);
        let wide = vec![json!({"fulfilment": "ship"}); MAX_CONDITIONS];
        assert_eq!(field(json!({"any": wide})), ["rules[0].when"]);
        let twice = json!({"name": "n", "reason": "r", "when": {"fulfilment": "ship"}});
        let twice: HoldRules = serde_json::from_value(json!({"rules": [twice, twice]})).unwrap();
        assert_eq!(faults(&twice), ["rules[1].name"]);
        let one = rules(json!({"fulfilment": "ship"})).rules.remove(0);
        let many = (0..=MAX_RULES).map(|number| HoldRule { name: number.to_string().parse().unwrap(), ..one.clone() });
        assert_eq!(faults(&HoldRules { rules: many.collect() }), ["rules"]);
        assert!(serde_json::from_value::<Condition>(json!({"moon": "full"})).is_err());
        assert!(serde_json::from_value::<Condition>(json!({"address": {"planet": ["x"]}})).is_err());
    }

    #[test]
    fn every_rule_that_fits_is_a_hold() {
        let rule = |name: &str, channel: &str| json!({"name": name, "reason": "r", "when": {"channel": [channel]}});
        let rules = json!({"rules": [rule("one", "tmall"), rule("two", "jd"), rule("three", "tmall")]});
        let rules: HoldRules = serde_json::from_value(rules).unwrap();
        let total = Money::new(1, "CNY".parse().unwrap());
        let (payment_methods, lines) = (Vec::new(), Vec::new());
        let buyer = None;
        let order = Facts {
            channel: "tmall",
            total,
            payment_methods,
            kind: FulfilmentKind::Pickup,
            ship_to: None,
            lines,
            buyer,
        };
        let names: Vec<&str> = rules.judge(&order).iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(names, ["one", "three"]);
    }
}
