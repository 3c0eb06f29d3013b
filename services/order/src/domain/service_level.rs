//! How well locations serve: what counts, and what it adds up to.

use std::collections::BTreeMap;

use kernel::{LocationCode, Timestamp};

/// The longest reason that is counted by itself, in characters; longer ones count by their beginning.
const MAX_REASON_LENGTH: usize = 64;

/// What counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// A fulfilment order was offered.
    Offered,
    /// It was taken on; the time since the offer.
    Accepted,
    /// It was refused, for a reason.
    Rejected,
    /// The offer ran out.
    Lapsed,
    /// A part of it was not found.
    ShortPicked,
    /// It left; the time since it was taken on.
    Shipped,
    /// It waited at the counter; the time since it was taken on.
    Ready,
    /// The buyer took it away; the time since it was ready.
    Collected,
    /// The buyer did not come.
    Uncollected,
}

impl Measure {
    /// Every measure.
    pub const ALL: [Self; 9] = [
        Self::Offered,
        Self::Accepted,
        Self::Rejected,
        Self::Lapsed,
        Self::ShortPicked,
        Self::Shipped,
        Self::Ready,
        Self::Collected,
        Self::Uncollected,
    ];

    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Lapsed => "lapsed",
            Self::ShortPicked => "short_picked",
            Self::Shipped => "shipped",
            Self::Ready => "ready",
            Self::Collected => "collected",
            Self::Uncollected => "uncollected",
        }
    }

    /// The measure of a stored text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// How often something happened, how long it took altogether, and how often it took too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How often.
    pub units: i64,
    /// Seconds, of all of them.
    pub seconds: i64,
    /// How many took longer than they should.
    pub late: i64,
}

impl Sum {
    /// Once, in no time.
    pub const ONE: Self = Self { units: 1, seconds: 0, late: 0 };

    /// Once, from when to when, in at most so many seconds; 0: it is never late.
    pub fn between(from: Option<Timestamp>, to: Timestamp, at_most_seconds: i64) -> Self {
        let micros = from.map_or(0, |from| to.unix_micros().saturating_sub(from.unix_micros()));
        let seconds = micros.div_euclid(1_000_000).max(0);
        Self { units: 1, seconds, late: i64::from(at_most_seconds > 0 && seconds > at_most_seconds) }
    }

    /// Both together.
    pub const fn plus(self, other: Self) -> Self {
        Self {
            units: self.units.saturating_add(other.units),
            seconds: self.seconds.saturating_add(other.seconds),
            late: self.late.saturating_add(other.late),
        }
    }
}

/// What happened at locations, added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<(LocationCode, Measure, String), Sum>);

impl Counts {
    /// Adds what happened once.
    pub fn add(&mut self, location: &LocationCode, measure: Measure, sum: Sum) {
        self.add_for(location, (measure, ""), sum);
    }

    /// Adds what happened once for a reason.
    pub fn add_for(&mut self, location: &LocationCode, (measure, reason): (Measure, &str), sum: Sum) {
        let reason: String = reason.trim().chars().take(MAX_REASON_LENGTH).collect();
        let place = self.0.entry((location.clone(), measure, reason)).or_default();
        *place = place.plus(sum);
    }

    /// Every sum, by location, measure and reason.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&LocationCode, Measure, &str, Sum)> {
        self.0.iter().map(|((location, measure, reason), sum)| (location, *measure, reason.as_str(), *sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_twice_is_added_up_and_late_is_more_than_promised() {
        let at = |seconds| Timestamp::EPOCH.plus_seconds(seconds);
        let here: LocationCode = "S1".parse().unwrap();
        let mut counts = Counts::default();
        counts.add(&here, Measure::Shipped, Sum::between(Some(at(0)), at(60), 60));
        counts.add(&here, Measure::Shipped, Sum::between(Some(at(0)), at(61), 60));
        counts.add(&here, Measure::Ready, Sum::between(Some(at(0)), at(1_000), 0));
        counts.add_for(&here, (Measure::Rejected, " damaged "), Sum::ONE);
        counts.add_for(&here, (Measure::Rejected, &"x".repeat(70)), Sum::ONE);
        let long = "x".repeat(64);
        let expected = [
            (&here, Measure::Rejected, "damaged", Sum::ONE),
            (&here, Measure::Rejected, long.as_str(), Sum::ONE),
            (&here, Measure::Shipped, "", Sum { units: 2, seconds: 121, late: 1 }),
            (&here, Measure::Ready, "", Sum { units: 1, seconds: 1_000, late: 0 }),
        ];
        assert_eq!(counts.iter().collect::<Vec<_>>(), expected);
        assert_eq!(Sum::between(None, at(9), 1), Sum::ONE);
    }

    #[test]
    fn texts_read_back() {
        assert!(Measure::ALL.into_iter().all(|it| Measure::parse(it.as_str()) == Some(it)));
    }
}
