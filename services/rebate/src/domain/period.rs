//! Business periods: calendar months of the retailer's time zone.

use std::str::FromStr;

use chrono::{Months, NaiveDate, Utc};
use chrono_tz::Tz;
use kernel::{Timestamp, Window};

/// A calendar month, written `2026-11`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Month(NaiveDate);

/// A text that is not a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a period is a month, written as 2026-11")]
pub struct MonthError;

impl FromStr for Month {
    type Err = MonthError;

    fn from_str(text: &str) -> Result<Self, MonthError> {
        let well_formed =
            text.len() == 7 && text.bytes().enumerate().all(|(i, b)| (i == 4 && b == b'-') || b.is_ascii_digit());
        if !well_formed {
            return Err(MonthError);
        }
        NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").map(Self).map_err(|_| MonthError)
    }
}

impl Month {
    /// The stretch of time it covers in a time zone.
    pub fn window(self, zone: Tz) -> Window {
        let next = self.0.checked_add_months(Months::new(1)).unwrap_or(self.0);
        Window { from: midnight(self.0, zone), until: Some(midnight(next, zone)) }
    }
}

/// The first instant of a day; where clocks skip midnight, the first instant after the gap.
fn midnight(day: NaiveDate, zone: Tz) -> Timestamp {
    let start = (0..=3_u32).find_map(|hour| day.and_hms_opt(hour, 0, 0)?.and_local_timezone(zone).earliest());
    start.map_or(Timestamp::EPOCH, |at| Timestamp::new(at.with_timezone(&Utc)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_at_the_retailers_midnight() {
        let window = "2026-11".parse::<Month>().unwrap().window(chrono_tz::Asia::Shanghai);
        assert_eq!(window.from.to_string(), "2026-10-31T16:00:00Z");
        assert_eq!(window.until.unwrap().to_string(), "2026-11-30T16:00:00Z");
    }

    #[test]
    fn other_texts_are_not_months() {
        for text in ["2026-13", "2026", "2026-1", "26-11-01", "+026-11", ""] {
            assert_eq!(text.parse::<Month>(), Err(MonthError), "{text}");
        }
    }
}
