//! Tiers: a function of the qualifying entries alone, whatever happened to the points.

use chrono::Months;
use chrono_tz::Tz;
use kernel::{Currency, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::earning::start_of_day;

/// The most tiers of a programme: more than anyone could explain to a customer.
const MAX_TIERS: usize = 20;
/// The longest qualifying window in months: fifty years.
const MAX_MONTHS: u32 = 600;

/// A version of a tier programme.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TierProgram {
    /// The currency whose purchases qualify.
    pub currency: Currency,
    /// How long a purchase counts.
    pub window: QualifyingWindow,
    /// The tiers from the lowest up; the first begins at 0.
    pub tiers: Vec<TierLevel>,
}

/// How long a purchase counts towards a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum QualifyingWindow {
    /// For ever.
    Lifetime,
    /// Up to the end of the day so many months after it.
    Rolling {
        /// Months, 1 to 600.
        months: u32,
    },
}

/// One tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TierLevel {
    /// Its code, as other services and channels see it.
    #[schema(example = "gold")]
    pub code: String,
    /// Its name for people.
    #[schema(example = "金卡")]
    pub name: String,
    /// The qualifying amount from which it is reached, in minor units.
    #[schema(example = 200_000)]
    pub from_amount: i64,
}

/// Something that counts, or a reversal of it, dated to the original purchase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QualifyingEntry {
    /// Minor units; negative for a reversal.
    pub amount: i64,
    /// When the order was placed.
    pub dated_at: Timestamp,
}

/// Where a member stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing<'a> {
    /// The tier.
    pub tier: &'a TierLevel,
    /// What counts at the moment, in minor units.
    pub qualifying_amount: i64,
    /// When the tier is lost if nothing more is bought, and how much then is missing; none if it never is.
    pub until: Option<(Timestamp, i64)>,
    /// The next tier up, if there is one.
    pub next: Option<&'a TierLevel>,
}

impl TierProgram {
    /// What is wrong with the document, by field; empty when it can be used.
    pub fn faults(&self) -> Vec<(String, &'static str)> {
        let mut faults = Vec::new();
        if !(1..=MAX_TIERS).contains(&self.tiers.len()) {
            faults.push(("tiers".to_owned(), "a programme has 1 to 20 tiers"));
        }
        if self.tiers.first().is_some_and(|tier| tier.from_amount != 0) {
            faults.push(("tiers[0].from_amount".to_owned(), "the lowest tier begins at 0"));
        }
        for (index, (lower, upper)) in self.tiers.iter().zip(self.tiers.iter().skip(1)).enumerate() {
            if upper.from_amount <= lower.from_amount {
                faults.push((format!("tiers[{}].from_amount", index + 1), "every tier begins above the one before"));
            }
        }
        for (index, tier) in self.tiers.iter().enumerate() {
            if tier.code.is_empty() || self.tiers.iter().take(index).any(|other| other.code == tier.code) {
                faults.push((format!("tiers[{index}].code"), "every tier has a code of its own"));
            }
        }
        if matches!(self.window, QualifyingWindow::Rolling { months } if !(1..=MAX_MONTHS).contains(&months)) {
            faults.push(("window.months".to_owned(), "a rolling window has 1 to 600 months"));
        }
        faults
    }

    /// Until when an entry counts; none if it always does.
    pub fn counts_until(&self, dated_at: Timestamp, zone: Tz) -> Option<Timestamp> {
        match self.window {
            QualifyingWindow::Lifetime => None,
            QualifyingWindow::Rolling { months } => {
                let last_day = dated_at.day_in(zone).checked_add_months(Months::new(months))?;
                start_of_day(last_day.succ_opt()?, zone)
            }
        }
    }

    /// Where a member with these entries stands at an instant; `None` only for a programme without tiers.
    pub fn standing(&self, entries: &[QualifyingEntry], now: Timestamp, zone: Tz) -> Option<Standing<'_>> {
        let mut counting: Vec<(Option<Timestamp>, i64)> = entries
            .iter()
            .map(|entry| (self.counts_until(entry.dated_at, zone), entry.amount))
            .filter(|(until, _)| until.is_none_or(|until| now < until))
            .collect();
        let qualifying_amount = counting.iter().map(|(_, amount)| amount).sum();
        let reached = self.tiers.iter().rposition(|tier| tier.from_amount <= qualifying_amount).unwrap_or(0);
        let tier = self.tiers.get(reached)?;
        counting.sort_unstable_by_key(|(until, _)| *until);
        let mut left = qualifying_amount;
        let mut steps =
            counting.into_iter().filter_map(|(until, amount)| until.map(|until| (until, amount))).peekable();
        let mut until = None;
        while let Some((at, amount)) = steps.next() {
            left -= amount;
            // Entries of one day stop counting together; a purchase and its reversal must not part company.
            let day_is_over = steps.peek().is_none_or(|(next, _)| *next != at);
            if day_is_over && reached > 0 && left < tier.from_amount {
                until = Some((at, tier.from_amount - left));
                break;
            }
        }
        Some(Standing { tier, qualifying_amount, until, next: self.tiers.get(reached + 1) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Asia::Shanghai;
    use proptest::prelude::*;

    fn program(window: QualifyingWindow) -> TierProgram {
        let tier = |code: &str, from_amount| TierLevel { code: code.into(), name: code.into(), from_amount };
        let tiers = vec![tier("silver", 0), tier("gold", 200_000), tier("platinum", 1_000_000)];
        TierProgram { currency: Currency::CNY, window, tiers }
    }

    fn rolling() -> TierProgram {
        program(QualifyingWindow::Rolling { months: 12 })
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn entry(amount: i64, dated_at: &str) -> QualifyingEntry {
        QualifyingEntry { amount, dated_at: at(dated_at) }
    }

    fn tier_at(entries: &[QualifyingEntry], now: &str) -> String {
        rolling().standing(entries, at(now), Shanghai).unwrap().tier.code.clone()
    }

    #[test]
    fn a_tier_is_reached_exactly_at_its_bound() {
        let now = "2026-11-11T00:00:00+08:00";
        assert_eq!(tier_at(&[entry(199_999, now)], now), "silver");
        assert_eq!(tier_at(&[entry(200_000, now)], now), "gold");
        assert_eq!(tier_at(&[entry(1_000_000, now)], now), "platinum");
        assert_eq!(tier_at(&[], now), "silver");
    }

    #[test]
    fn a_purchase_counts_through_the_same_day_a_year_later() {
        let bought = [entry(200_000, "2026-03-05T23:30:00+08:00")];
        assert_eq!(tier_at(&bought, "2027-03-05T23:59:59+08:00"), "gold");
        assert_eq!(tier_at(&bought, "2027-03-06T00:00:00+08:00"), "silver");
        let program = rolling();
        let standing = program.standing(&bought, at("2026-04-01T00:00:00Z"), Shanghai).unwrap();
        assert_eq!(standing.until, Some((at("2027-03-06T00:00:00+08:00"), 200_000)));
        assert_eq!(standing.next.map(|tier| tier.code.as_str()), Some("platinum"));
    }

    #[test]
    fn the_tier_lasts_until_what_is_left_falls_below_its_bound() {
        // 1,000.00 + 1,500.00 + 600.00 yuan: without the first 2,100.00 are left, without the second 600.00.
        let entries = [
            entry(100_000, "2026-01-01T12:00:00+08:00"),
            entry(150_000, "2026-02-01T12:00:00+08:00"),
            entry(60_000, "2026-03-01T12:00:00+08:00"),
        ];
        let program = rolling();
        let standing = program.standing(&entries, at("2026-03-02T00:00:00+08:00"), Shanghai).unwrap();
        assert_eq!((standing.qualifying_amount, standing.tier.code.as_str()), (310_000, "gold"));
        assert_eq!(standing.until, Some((at("2027-02-02T00:00:00+08:00"), 140_000)));
    }

    #[test]
    fn a_reversal_is_dated_to_its_purchase() {
        let now = "2026-11-11T00:00:00+08:00";
        let purchase = entry(500_000, "2026-01-01T12:00:00+08:00");
        let reversal = QualifyingEntry { amount: -500_000, ..purchase };
        assert_eq!(tier_at(&[purchase, reversal], now), "silver");
        // Both stop counting on the same day: nothing is left over.
        let program = rolling();
        let later = program.standing(&[purchase, reversal], at("2027-06-01T00:00:00Z"), Shanghai).unwrap();
        assert_eq!(later.qualifying_amount, 0);
    }

    #[test]
    fn programmes_that_cannot_be_used_are_told_by_field() {
        let mut wrong = rolling();
        wrong.window = QualifyingWindow::Rolling { months: 0 };
        wrong.tiers[2].from_amount = 200_000;
        wrong.tiers[2].code = "gold".into();
        let fields: Vec<String> = wrong.faults().into_iter().map(|fault| fault.0).collect();
        assert_eq!(fields, ["tiers[2].from_amount", "tiers[2].code", "window.months"]);
    }

    proptest! {
        #[test]
        fn a_tier_is_a_function_of_its_entries_in_any_order(
            mut entries in prop::collection::vec((0_i64..600_000, 0_i64..700), 0..30), days in 0_i64..1_200,
        ) {
            let start = at("2026-01-01T00:00:00+08:00");
            let dated = |entries: &[(i64, i64)]| -> Vec<QualifyingEntry> {
                let day = |days: i64| start.plus_seconds(days * 86_400);
                entries.iter().map(|(amount, days)| QualifyingEntry { amount: *amount, dated_at: day(*days) }).collect()
            };
            let now = start.plus_seconds(days * 86_400);
            let program = rolling();
            let forward = dated(&entries);
            entries.reverse();
            let backward = dated(&entries);
            let standing = program.standing(&forward, now, Shanghai).unwrap();
            prop_assert_eq!(&standing, &program.standing(&backward, now, Shanghai).unwrap());
            if let Some((until, _)) = standing.until {
                let before = program.standing(&forward, until.plus_seconds(-1), Shanghai).unwrap();
                let after = program.standing(&forward, until, Shanghai).unwrap();
                prop_assert_eq!(&before.tier.code, &standing.tier.code);
                prop_assert_ne!(&after.tier.code, &standing.tier.code);
            }
        }
    }
}
