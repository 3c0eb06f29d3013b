//! What an order earns: a versioned rule, rounded down once on the order's total and handed out to its lines.

use chrono::{Datelike, Months, NaiveDate};
use chrono_tz::Tz;
use kernel::{ChannelCode, Currency, Money, Rounding, SkuCode, Timestamp, allocate};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most points one rule term can name: a slip of the finger must not outgrow the books.
pub const MAX_POINTS: i64 = 1_000_000_000;
/// The most product terms of one rule: they are read with every batch of orders.
pub const MAX_PRODUCTS: usize = 1_000;
/// The longest life of a point in months: fifty years.
const MAX_MONTHS: u32 = 600;

/// A version of an earning rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EarningRule {
    /// The channels it is for; empty for every channel that no other rule names.
    #[serde(default)]
    pub channels: Vec<ChannelCode>,
    /// Points for money paid; left out if only products earn.
    #[serde(default)]
    pub base: Option<BasePoints>,
    /// Points for products, on top.
    #[serde(default)]
    pub products: Vec<ProductPoints>,
    /// When the points lapse; left out if they never do.
    #[serde(default)]
    pub expiry: Option<Expiry>,
}

/// So many points for each full amount paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BasePoints {
    /// Points …
    #[schema(example = 1)]
    pub points: i64,
    /// … for this much paid. Orders in another currency earn no base points.
    pub per: Money,
}

/// So many points for each unit of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductPoints {
    /// This SKU …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<SkuCode>,
    /// … or every SKU of this category that has no term of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Points for each unit.
    pub points: i64,
}

/// When points lapse: so many months after they became active, at the end of that day, month or year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Expiry {
    /// Months, 0 to 600.
    #[schema(example = 12)]
    pub after_months: u32,
    /// Up to the end of what.
    pub end_of: CalendarUnit,
}

/// A stretch of the retailer's own calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CalendarUnit {
    /// A day.
    Day,
    /// A month.
    Month,
    /// A year.
    Year,
}

/// What of an order line matters to a rule.
#[derive(Clone, Copy, Debug)]
pub struct EarningLine<'a> {
    /// What was bought.
    pub sku: &'a SkuCode,
    /// Its category.
    pub category: Option<&'a str>,
    /// How many units.
    pub quantity: i64,
    /// What was paid for them, in minor units.
    pub paid_amount: i64,
}

impl EarningRule {
    /// What is wrong with the document, by field; empty when it can be used.
    pub fn faults(&self) -> Vec<(String, &'static str)> {
        let mut faults = Vec::new();
        let points = "points lie between 0 and 1,000,000,000";
        if let Some(base) = self.base {
            if !(0..=MAX_POINTS).contains(&base.points) {
                faults.push(("base.points".to_owned(), points));
            }
            if base.per.amount < 1 {
                faults.push(("base.per.amount".to_owned(), "the amount is at least 1"));
            }
        }
        if self.products.len() > MAX_PRODUCTS {
            faults.push(("products".to_owned(), "a rule has at most 1,000 product terms"));
        }
        for (index, term) in self.products.iter().enumerate() {
            if term.sku.is_some() == term.category.is_some() {
                faults.push((format!("products[{index}]"), "a term names either a sku or a category"));
            }
            if !(0..=MAX_POINTS).contains(&term.points) {
                faults.push((format!("products[{index}].points"), points));
            }
        }
        if self.expiry.is_some_and(|expiry| expiry.after_months > MAX_MONTHS) {
            faults.push(("expiry.after_months".to_owned(), "points live at most 600 months"));
        }
        faults
    }

    /// The points of each line.
    pub fn points_per_line(&self, currency: Currency, lines: &[EarningLine<'_>]) -> Option<Vec<i64>> {
        let paid: Vec<i64> = lines.iter().map(|line| line.paid_amount).collect();
        let base = self.base_points(currency, &paid)?;
        base.into_iter().zip(lines).map(|(base, line)| base.checked_add(self.product_points(line)?)).collect()
    }

    /// What an order's lines earn for what was paid for each: rounded down once, on the total, and handed out by largest
    /// remainder; `None` when the numbers leave the range of points.
    pub fn base_points(&self, currency: Currency, paid: &[i64]) -> Option<Vec<i64>> {
        let total: i64 = paid.iter().sum();
        match self.base.filter(|base| base.per.currency == currency && total > 0) {
            Some(base) => {
                let exact = i128::from(total).checked_mul(i128::from(base.points))?;
                allocate(Rounding::Floor.divide(exact, i128::from(base.per.amount))?, paid)
            }
            None => Some(vec![0; paid.len()]),
        }
    }

    /// What a line earns for the product it is of.
    pub fn product_points(&self, line: &EarningLine<'_>) -> Option<i64> {
        let by_sku = self.products.iter().find(|term| term.sku.as_ref() == Some(line.sku));
        let by_category =
            || self.products.iter().find(|term| term.category.is_some() && term.category.as_deref() == line.category);
        by_sku.or_else(by_category).map_or(Some(0), |term| term.points.checked_mul(line.quantity))
    }

    /// When points that become active at `at` lapse.
    pub fn expires_at(&self, at: Timestamp, zone: Tz) -> Option<Timestamp> {
        let expiry = self.expiry?;
        let last_day = at.day_in(zone).checked_add_months(Months::new(expiry.after_months))?;
        let first_day_after = match expiry.end_of {
            CalendarUnit::Day => last_day.succ_opt(),
            CalendarUnit::Month => last_day.with_day(1)?.checked_add_months(Months::new(1)),
            CalendarUnit::Year => NaiveDate::from_ymd_opt(last_day.year().checked_add(1)?, 1, 1),
        }?;
        start_of_day(first_day_after, zone)
    }
}

/// The first instant of a calendar day; where the clock skips midnight, the first one that exists.
pub fn start_of_day(day: NaiveDate, zone: Tz) -> Option<Timestamp> {
    (0..=3)
        .filter_map(|hour| day.and_hms_opt(hour, 0, 0))
        .find_map(|local| local.and_local_timezone(zone).earliest())
        .map(|at| Timestamp::new(at.to_utc()))
}

/// The rule for a channel: the first that names it, else the first that names none.
pub fn rule_for<'a, T>(rules: &'a [T], channel: &ChannelCode, document: impl Fn(&T) -> &EarningRule) -> Option<&'a T> {
    let named = rules.iter().find(|rule| document(rule).channels.contains(channel));
    named.or_else(|| rules.iter().find(|rule| document(rule).channels.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Asia::Shanghai;

    fn one_per_yuan() -> EarningRule {
        let base = BasePoints { points: 1, per: Money::new(100, Currency::CNY) };
        EarningRule { base: Some(base), ..EarningRule::default() }
    }

    fn product(sku: &str, points: i64) -> ProductPoints {
        ProductPoints { sku: Some(sku.parse().unwrap()), category: None, points }
    }

    fn points(rule: &EarningRule, lines: &[(&str, i64, i64)]) -> Vec<i64> {
        let skus: Vec<SkuCode> = lines.iter().map(|line| line.0.parse().unwrap()).collect();
        let lines: Vec<EarningLine<'_>> = lines
            .iter()
            .zip(&skus)
            .map(|(line, sku)| EarningLine { sku, category: Some("shoes"), quantity: line.1, paid_amount: line.2 })
            .collect();
        rule.points_per_line(Currency::CNY, &lines).unwrap()
    }

    #[test]
    fn product_points_come_on_top_of_one_point_per_yuan() {
        // Golden vector 5: 40.00 paid for A 10, B 10, C 20; product points 10, 20 and 0.
        let rule = EarningRule { products: vec![product("A", 10), product("B", 20)], ..one_per_yuan() };
        assert_eq!(points(&rule, &[("A", 1, 1_000), ("B", 1, 1_000), ("C", 1, 2_000)]), [20, 30, 20]);
    }

    #[test]
    fn the_total_is_rounded_down_once() {
        // Three lines of 0.50 are 1.50 together: one point, not three times none; the tie goes to the first line.
        assert_eq!(points(&one_per_yuan(), &[("A", 1, 50), ("B", 1, 50), ("C", 1, 50)]), [1, 0, 0]);
        assert_eq!(points(&one_per_yuan(), &[("A", 1, 99)]), [0]);
        assert_eq!(points(&one_per_yuan(), &[("A", 1, 0)]), [0]);
    }

    #[test]
    fn fifteen_points_over_unequal_lines() {
        // Golden vector 6: 15.00 paid as 4/5, 2/25 and 3/25.
        assert_eq!(points(&one_per_yuan(), &[("A", 1, 1_200), ("B", 1, 120), ("C", 1, 180)]), [12, 1, 2]);
    }

    #[test]
    fn a_term_for_the_sku_goes_before_one_for_its_category() {
        let shoes = ProductPoints { sku: None, category: Some("shoes".into()), points: 5 };
        let rule = EarningRule { products: vec![shoes, product("A", 1)], ..EarningRule::default() };
        assert_eq!(points(&rule, &[("A", 3, 1_000), ("B", 2, 1_000)]), [3, 10]);
    }

    #[test]
    fn another_currency_earns_no_base_points() {
        let sku = "A".parse().unwrap();
        let line = EarningLine { sku: &sku, category: None, quantity: 1, paid_amount: 100_000 };
        assert_eq!(one_per_yuan().points_per_line("JPY".parse().unwrap(), &[line]), Some(vec![0]));
    }

    #[test]
    fn points_lapse_at_the_end_of_a_day_month_or_year_of_the_retailers_calendar() {
        let lapse = |at: &str, after_months, end_of| {
            let rule = EarningRule { expiry: Some(Expiry { after_months, end_of }), ..EarningRule::default() };
            rule.expires_at(at.parse().unwrap(), Shanghai).unwrap().to_string()
        };
        // 2026-01-31 02:00 in Shanghai; February has 28 days.
        let at = "2026-01-30T18:00:00Z";
        assert_eq!(lapse(at, 1, CalendarUnit::Day), "2026-02-28T16:00:00Z");
        assert_eq!(lapse(at, 12, CalendarUnit::Month), "2027-01-31T16:00:00Z");
        assert_eq!(lapse(at, 12, CalendarUnit::Year), "2027-12-31T16:00:00Z");
        assert_eq!(one_per_yuan().expires_at(at.parse().unwrap(), Shanghai), None);
    }

    #[test]
    fn a_rule_that_names_the_channel_goes_before_the_general_one() {
        let wechat: ChannelCode = "wechat".parse().unwrap();
        let rules = [one_per_yuan(), EarningRule { channels: vec![wechat.clone()], ..EarningRule::default() }];
        assert_eq!(rule_for(&rules, &wechat, |it| it), Some(&rules[1]));
        assert_eq!(rule_for(&rules, &"tmall".parse().unwrap(), |it| it), Some(&rules[0]));
    }

    #[test]
    fn a_document_that_cannot_be_used_is_told_by_field() {
        let mut rule = EarningRule { products: vec![product("A", -1)], ..one_per_yuan() };
        rule.base = Some(BasePoints { points: 1, per: Money::new(0, Currency::CNY) });
        let fields: Vec<String> = rule.faults().into_iter().map(|fault| fault.0).collect();
        assert_eq!(fields, ["base.per.amount", "products[0].points"]);
    }
}
