//! Instants, windows, and the clock that hands instants out.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

/// An instant, to the microsecond (PostgreSQL's own precision, so that what is stored reads back the same).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, format = DateTime, example = "2026-11-11T00:00:00+08:00")]
pub struct Timestamp(DateTime<Utc>);

/// A text that is not an RFC 3339 instant with an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an instant is written as RFC 3339 with an offset, between the years 1970 and 9999")]
pub struct TimestampError;

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(DateTime::UNIX_EPOCH);

    /// The instant, cut to the microsecond.
    pub fn new(at: DateTime<Utc>) -> Self {
        Self(DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at))
    }

    /// The instant so many microseconds after the epoch; the epoch itself when out of chrono's range.
    pub fn from_unix_micros(micros: i64) -> Self {
        Self(DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH))
    }

    /// Microseconds since the epoch.
    pub fn unix_micros(self) -> i64 {
        self.0.timestamp_micros()
    }

    /// For SQL parameters.
    pub const fn utc(self) -> DateTime<Utc> {
        self.0
    }

    /// The instant so many seconds later (or earlier, if negative).
    pub fn plus_seconds(self, seconds: i64) -> Self {
        TimeDelta::try_seconds(seconds).and_then(|delta| self.0.checked_add_signed(delta)).map_or(self, Self)
    }

    /// The calendar day of this instant in a time zone.
    pub fn day_in(self, zone: Tz) -> NaiveDate {
        self.0.with_timezone(&zone).date_naive()
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        Self::new(at)
    }
}

impl From<Timestamp> for DateTime<Utc> {
    fn from(at: Timestamp) -> Self {
        at.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Text::of(self.0) {
            Some(text) => f.write_str(text.as_str()),
            None => f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match Text::of(self.0) {
            Some(text) => serializer.serialize_str(text.as_str()),
            None => serializer.collect_str(self),
        }
    }
}

/// An instant as RFC 3339, with no more decimals of the second than it needs: none, three or six. Answers and events are full
/// of instants, so they are written without an allocation.
struct Text {
    bytes: [u8; 27],
    length: usize,
}

impl Text {
    /// None where the year has not four digits.
    fn of(at: DateTime<Utc>) -> Option<Self> {
        let (at, micros) = (at.naive_utc(), at.timestamp_subsec_micros());
        let year = u32::try_from(at.year()).ok().filter(|year| *year <= 9_999)?;
        let mut bytes = *b"0000-00-00T00:00:00.000000Z";
        put(&mut bytes[0..4], year);
        put(&mut bytes[5..7], at.month());
        put(&mut bytes[8..10], at.day());
        put(&mut bytes[11..13], at.hour());
        put(&mut bytes[14..16], at.minute());
        put(&mut bytes[17..19], at.second());
        put(&mut bytes[20..26], micros);
        let length = match micros {
            0 => 20,
            micros if micros % 1_000 == 0 => 24,
            _ => 27,
        };
        *bytes.get_mut(length - 1)? = b'Z';
        Some(Self { bytes, length })
    }

    fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }
}

/// Writes a number into the place of its digits.
fn put(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let at = DateTime::parse_from_rfc3339(text).map_err(|_| TimestampError)?.with_timezone(&Utc);
        // PostgreSQL and JSON both carry four-digit years; anything outside is a typing error.
        if (0..253_402_300_800).contains(&at.timestamp()) { Ok(Self::new(at)) } else { Err(TimestampError) }
    }
}

impl TryFrom<String> for Timestamp {
    type Error = TimestampError;

    fn try_from(text: String) -> Result<Self, TimestampError> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(at: Timestamp) -> Self {
        at.to_string()
    }
}

/// A half-open stretch of time: `from` counts, `until` does not; without an end it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// First instant inside.
    pub from: Timestamp,
    /// First instant outside again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Window {
    /// Whether the instant lies inside.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// Hands out the present. The system's clock lives in `runtime`, a manual one in `testkit`.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// A clock that many parts share.
pub type SharedClock = Arc<dyn Clock>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_cut_to_the_microsecond() {
        let at: Timestamp = "2026-11-11T00:00:00.123456789+08:00".parse().unwrap();
        assert_eq!(at.to_string(), "2026-11-10T16:00:00.123456Z");
    }

    #[test]
    fn an_instant_is_written_with_the_decimals_it_needs() {
        let written = |micros: i64| serde_json::to_string(&Timestamp::from_unix_micros(micros)).unwrap();
        assert_eq!(written(0), "\"1970-01-01T00:00:00Z\"");
        assert_eq!(written(951_782_400_000_000), "\"2000-02-29T00:00:00Z\"");
        assert_eq!(written(1_762_793_999_500_000), "\"2025-11-10T16:59:59.500Z\"");
        assert_eq!(written(1_762_793_999_000_001), "\"2025-11-10T16:59:59.000001Z\"");
        assert_eq!(written(253_402_300_799_999_999), "\"9999-12-31T23:59:59.999999Z\"");
        assert_eq!(written(253_402_300_800_000_000), "\"+10000-01-01T00:00:00Z\"");
        assert_eq!(written(-62_167_219_200_000_001), "\"-0001-12-31T23:59:59.999999Z\"");
    }

    #[test]
    fn an_instant_without_an_offset_is_refused() {
        assert_eq!("2026-11-11T00:00:00".parse::<Timestamp>(), Err(TimestampError));
        assert_eq!("0001-01-01T00:00:00Z".parse::<Timestamp>(), Err(TimestampError));
    }

    #[test]
    fn the_day_is_the_retailers_own() {
        let at: Timestamp = "2026-11-10T16:30:00Z".parse().unwrap();
        assert_eq!(at.day_in(chrono_tz::Asia::Shanghai).to_string(), "2026-11-11");
    }

    #[test]
    fn a_window_excludes_its_end() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let window = Window { from: at("2026-01-01T00:00:00Z"), until: Some(at("2026-02-01T00:00:00Z")) };
        assert!(window.contains(at("2026-01-01T00:00:00Z")));
        assert!(!window.contains(at("2026-02-01T00:00:00Z")));
    }
}
