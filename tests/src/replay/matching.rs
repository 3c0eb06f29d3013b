//! Which purchases a cancelled line takes back: a pure rule, so that it can be tried on cases worked out by hand.
//!
//! Units come back to lines that the same customer bought before of the same article at the same price. The price must be
//! the same because OnePool gives back what was paid for the units: at any other price the refund would not be what the
//! cancellation says. Where one line has enough units left, it is the latest such line; otherwise the units are split over
//! all that is left, the latest line first. What finds no purchase has a reason.

use std::collections::HashMap;

use rust_decimal::Decimal;

/// Units that come back to one line of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The order, by its place in the plan.
    pub order: usize,
    /// The line, from 0.
    pub line: usize,
    /// How many.
    pub units: i64,
}

/// Why units come back to no known purchase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The cancellation names no customer.
    NoCustomer,
    /// The customer has not bought the article before.
    NeverBought,
    /// The customer has, but at no time for this price.
    OtherPrice,
    /// The customer has, but fewer units than come back in all.
    MoreThanBought,
}

impl Why {
    /// As the report calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoCustomer => "no_customer",
            Self::NeverBought => "never_bought_before",
            Self::OtherPrice => "bought_at_other_prices_only",
            Self::MoreThanBought => "more_than_was_bought_and_is_not_yet_back",
        }
    }
}

/// What a cancelled line takes back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// From known purchases.
    pub parts: Vec<Part>,
    /// Units of no known purchase, and why they are.
    pub rest: Option<(i64, Why)>,
}

/// What a purchase or a cancelled line is about.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// Who buys; nobody whose name is known, where it is left out.
    pub customer: Option<&'a str>,
    /// The article.
    pub sku: &'a str,
    /// What a unit costs.
    pub price: Decimal,
}

/// What was bought and has not come back: of each customer and article, by price, the earliest first.
#[derive(Clone, Debug, Default)]
pub struct Purchases<'a> {
    open: HashMap<(&'a str, &'a str), HashMap<Decimal, Vec<Part>>>,
}

impl<'a> Purchases<'a> {
    /// A line was bought. What nobody by name bought cannot be found again.
    pub fn bought(&mut self, item: Item<'a>, part: Part) {
        if let Some(customer) = item.customer {
            self.open.entry((customer, item.sku)).or_default().entry(item.price).or_default().push(part);
        }
    }

    /// So many units are cancelled: takes them from what is open.
    pub fn take_back(&mut self, item: Item<'a>, units: i64) -> Match {
        let none = |why| Match { parts: Vec::new(), rest: Some((units, why)) };
        let Some(customer) = item.customer else { return none(Why::NoCustomer) };
        let Some(prices) = self.open.get_mut(&(customer, item.sku)) else { return none(Why::NeverBought) };
        let Some(lines) = prices.get_mut(&item.price) else { return none(Why::OtherPrice) };
        if let Some(enough) = lines.iter_mut().rev().find(|line| line.units >= units) {
            enough.units -= units;
            return Match { parts: vec![Part { units, ..*enough }], rest: None };
        }
        let mut left = units;
        let mut parts = Vec::new();
        for line in lines.iter_mut().rev().filter(|line| line.units > 0) {
            // No line has enough, so each of them gives all it has but the last.
            let taken = line.units.min(left);
            line.units -= taken;
            left -= taken;
            parts.push(Part { units: taken, ..*line });
            if left == 0 {
                break;
            }
        }
        Match { parts, rest: (left > 0).then_some((left, Why::MoreThanBought)) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn item<'a>(customer: impl Into<Option<&'a str>>, sku: &'a str, pence: i64) -> Item<'a> {
        Item { customer: customer.into(), sku, price: Decimal::new(pence, 2) }
    }

    fn part(order: usize, units: i64) -> Part {
        Part { order, line: 0, units }
    }

    /// Ann bought 5, 3 and 4 mugs at 2.55, then 9 at 2.10.
    fn purchases() -> Purchases<'static> {
        let mut purchases = Purchases::default();
        for (order, units) in [(0, 5), (1, 3), (2, 4)] {
            purchases.bought(item("ann", "MUG", 255), part(order, units));
        }
        purchases.bought(item("ann", "MUG", 210), part(3, 9));
        purchases.bought(item(None, "MUG", 255), part(4, 100));
        purchases
    }

    fn whole(parts: &[Part]) -> Match {
        Match { parts: parts.to_vec(), rest: None }
    }

    fn nothing(units: i64, why: Why) -> Match {
        Match { parts: Vec::new(), rest: Some((units, why)) }
    }

    #[test]
    fn the_latest_line_with_enough_units_takes_all() {
        let mut purchases = purchases();
        assert_eq!(purchases.take_back(item("ann", "MUG", 255), 4), whole(&[part(2, 4)]));
        assert_eq!(purchases.take_back(item("ann", "MUG", 255), 2), whole(&[part(1, 2)]));
        // 5, 1 and 0 are left: only the first has 4.
        assert_eq!(purchases.take_back(item("ann", "MUG", 255), 4), whole(&[part(0, 4)]));
    }

    #[test]
    fn what_no_line_has_is_split_from_the_latest_and_the_rest_is_told() {
        let mut purchases = purchases();
        assert_eq!(purchases.take_back(item("ann", "MUG", 255), 8), whole(&[part(2, 4), part(1, 3), part(0, 1)]));
        // Of 12 bought 8 are back.
        let more = Match { parts: vec![part(0, 4)], rest: Some((2, Why::MoreThanBought)) };
        assert_eq!(purchases.take_back(item("ann", "MUG", 255), 6), more);
        assert_eq!(purchases.take_back(item("ann", "MUG", 255), 1), nothing(1, Why::MoreThanBought));
        assert_eq!(purchases.take_back(item("ann", "MUG", 210), 9), whole(&[part(3, 9)]));
    }

    #[test]
    fn what_was_not_bought_like_this_has_a_reason() {
        let mut purchases = purchases();
        assert_eq!(purchases.take_back(item(None, "MUG", 255), 1), nothing(1, Why::NoCustomer));
        assert_eq!(purchases.take_back(item("bob", "MUG", 255), 1), nothing(1, Why::NeverBought));
        assert_eq!(purchases.take_back(item("ann", "PIN", 255), 1), nothing(1, Why::NeverBought));
        assert_eq!(purchases.take_back(item("ann", "MUG", 254), 1), nothing(1, Why::OtherPrice));
    }

    proptest! {
        /// Purchases (`true`) and cancellations of two customers, two articles and two prices, in any order.
        #[test]
        fn no_line_takes_back_more_than_was_bought_and_no_unit_gets_lost(
            moves in prop::collection::vec((any::<bool>(), 0..3_usize, 0..2_usize, 1..3_i64, 1..20_i64), 1..60)
        ) {
            let mut purchases = Purchases::default();
            let mut bought: HashMap<usize, (usize, usize, i64, i64)> = HashMap::new();
            for (order, (buys, customer, sku, price, units)) in moves.into_iter().enumerate() {
                let item = item([None, Some("ann"), Some("bob")][customer], ["MUG", "PIN"][sku], price);
                if buys {
                    purchases.bought(item, part(order, units));
                    bought.insert(order, (customer, sku, price, units));
                    continue;
                }
                let matched = purchases.take_back(item, units);
                let back: i64 = matched.parts.iter().map(|part| part.units).sum();
                prop_assert_eq!(back + matched.rest.map_or(0, |(units, _)| units), units);
                prop_assert!(matched.rest.is_none_or(|(units, _)| units > 0));
                for part in matched.parts {
                    let line = bought.get_mut(&part.order).unwrap();
                    prop_assert_eq!((line.0, line.1, line.2), (customer, sku, price));
                    prop_assert!(customer > 0 && part.units > 0);
                    line.3 -= part.units;
                    prop_assert!(line.3 >= 0);
                }
                // Units are left over only where nothing of the kind is open.
                let open = |it: &(usize, usize, i64, i64)| customer > 0 && (it.0, it.1, it.2) == (customer, sku, price) && it.3 > 0;
                prop_assert!(matched.rest.is_none() || !bought.values().any(open));
            }
        }
    }
}
