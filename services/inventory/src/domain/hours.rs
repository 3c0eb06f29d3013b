//! When a location is ready with an order: opening hours, cut-off and handling time, in the location's own time zone.

use chrono::{Datelike, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Timelike};
use chrono_tz::Tz;
use kernel::Timestamp;

use super::location::{Day, OpeningHours, TimeOfDay};
use super::ruleset::Respect;

/// How many days ahead an open one is looked for: every week has one, unless none is given at all.
const DAYS_AHEAD: u64 = 8;
/// The longest gap of a clock that is put forward, in steps of half an hour.
const GAP_STEPS: i64 = 6;

/// A stretch of a day, in minutes after midnight.
type Stretch = (i64, i64);

/// When a location works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// Its time zone; the retailer's, when left out.
    pub zone: Option<Tz>,
    /// When it is open, from Monday; none means always.
    pub week: Option<[Vec<Stretch>; 7]>,
    /// Orders after this minute of a day begin the next.
    pub cutoff: Option<i64>,
    /// How long it takes to make an order ready.
    pub handling_minutes: i64,
}

/// When an order would be ready at a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The instant.
    pub at: Timestamp,
    /// The location's calendar day of it, whose capacity it uses.
    pub day: NaiveDate,
}

impl Schedule {
    /// The schedule of a location as it was written. Hours without any day mean always open, as no hours do.
    pub fn new(zone: Option<Tz>, hours: Option<&[OpeningHours]>, cutoff: Option<&TimeOfDay>, handling: i32) -> Self {
        let mut week: [Vec<Stretch>; 7] = Default::default();
        for entry in hours.unwrap_or_default() {
            for day in &entry.days {
                if let Some(stretches) = week.get_mut(place(*day)) {
                    stretches.push((entry.opens.minutes(), entry.closes.minutes()));
                }
            }
        }
        week.iter_mut().for_each(|stretches| stretches.sort_unstable());
        Self {
            zone,
            week: week.iter().any(|stretches| !stretches.is_empty()).then_some(week),
            cutoff: cutoff.map(TimeOfDay::minutes),
            handling_minutes: i64::from(handling),
        }
    }

    /// When an order that comes in now is ready: work begins at once if the location is open and it is not past the
    /// cut-off, else when it opens next, and takes the handling time.
    pub fn ready(&self, now: Timestamp, zone: Tz, respect: Respect) -> Ready {
        let zone = self.zone.unwrap_or(zone);
        let local = now.utc().with_timezone(&zone);
        let today = local.date_naive();
        let second = i64::from(local.num_seconds_from_midnight());
        let week = self.week.as_ref().filter(|_| respect.hours);
        let late = respect.cutoff && self.cutoff.is_some_and(|cutoff| second > cutoff.saturating_mul(60));
        let begins = (if late { None } else { begins_today(week, today, second) })
            .map(|opens| opens.map_or(now, |opens| instant(zone, today, opens)))
            .or_else(|| begins_later(week, zone, today))
            .unwrap_or(now);
        let at = begins.plus_seconds(self.handling_minutes.saturating_mul(60));
        Ready { at, day: at.day_in(zone) }
    }
}

fn begins_later(week: Option<&[Vec<Stretch>; 7]>, zone: Tz, today: NaiveDate) -> Option<Timestamp> {
    (1..=DAYS_AHEAD).find_map(|ahead| {
        let day = today.checked_add_days(Days::new(ahead))?;
        let opens = week.map_or(Some(0), |week| stretches(week, day).first().map(|(opens, _)| *opens))?;
        Some(instant(zone, day, opens))
    })
}

/// When work begins today: at once (`Some(None)`), at a later minute of the day, or no more today.
fn begins_today(week: Option<&[Vec<Stretch>; 7]>, today: NaiveDate, second: i64) -> Option<Option<i64>> {
    let Some(week) = week else { return Some(None) };
    let open = stretches(week, today).iter().find(|(_, closes)| second < closes.saturating_mul(60))?;
    Some(Some(open.0).filter(|opens| second < opens.saturating_mul(60)))
}

/// A minute of a local day as an instant: the earlier of two where clocks are put back, the first after the gap where
/// they are put forward.
fn instant(zone: Tz, day: NaiveDate, minute: i64) -> Timestamp {
    let midnight = day.and_time(NaiveTime::MIN);
    (0..=GAP_STEPS)
        .find_map(|step| {
            let minutes = TimeDelta::try_minutes(minute.saturating_add(step.saturating_mul(30)))?;
            zone.from_local_datetime(&midnight.checked_add_signed(minutes)?).earliest()
        })
        .map_or(Timestamp::EPOCH, |at| Timestamp::new(at.to_utc()))
}

fn stretches(week: &[Vec<Stretch>; 7], day: NaiveDate) -> &[Stretch] {
    let weekday = usize::try_from(day.weekday().num_days_from_monday()).unwrap_or_default();
    week.get(weekday).map_or(&[], Vec::as_slice)
}

const fn place(day: Day) -> usize {
    match day {
        Day::Mon => 0,
        Day::Tue => 1,
        Day::Wed => 2,
        Day::Thu => 3,
        Day::Fri => 4,
        Day::Sat => 5,
        Day::Sun => 6,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono_tz::America::New_York;
    use chrono_tz::Asia::{Shanghai, Urumqi};
    use chrono_tz::Europe::Berlin;

    use super::*;

    const ALL: Respect = Respect { hours: true, cutoff: true, capacity: true };

    fn time(text: &str) -> TimeOfDay {
        TimeOfDay::try_from(text.to_owned()).unwrap()
    }

    fn open(days: &[Day], opens: &str, closes: &str) -> OpeningHours {
        OpeningHours { days: days.iter().copied().collect::<BTreeSet<_>>(), opens: time(opens), closes: time(closes) }
    }

    fn ready(schedule: &Schedule, now: &str) -> (String, String) {
        let ready = schedule.ready(now.parse().unwrap(), Shanghai, ALL);
        (ready.at.to_string(), ready.day.to_string())
    }

    fn is(at: &str, day: &str) -> (String, String) {
        let at: Timestamp = at.parse().unwrap();
        (at.to_string(), day.to_owned())
    }

    #[test]
    fn without_hours_it_is_always_open() {
        let schedule = Schedule::new(None, None, None, 45);
        assert_eq!(ready(&schedule, "2026-11-11T23:30:00+08:00"), is("2026-11-12T00:15:00+08:00", "2026-11-12"));
        let empty = Schedule::new(None, Some(&[]), None, 0);
        assert_eq!(ready(&empty, "2026-11-11T23:30:00+08:00"), is("2026-11-11T23:30:00+08:00", "2026-11-11"));
    }

    #[test]
    fn work_begins_when_it_opens_and_not_after_it_closes() {
        // 2026-11-11 is a Wednesday; Thursday is closed.
        let hours = [open(&[Day::Wed], "09:00", "12:00"), open(&[Day::Wed, Day::Fri], "14:00", "18:00")];
        let schedule = Schedule::new(None, Some(&hours), None, 30);
        let early = ready(&schedule, "2026-11-11T08:59:59+08:00");
        assert_eq!(early, is("2026-11-11T09:30:00+08:00", "2026-11-11"));
        assert_eq!(ready(&schedule, "2026-11-11T11:59:00+08:00"), is("2026-11-11T12:29:00+08:00", "2026-11-11"));
        assert_eq!(ready(&schedule, "2026-11-11T12:00:00+08:00"), is("2026-11-11T14:30:00+08:00", "2026-11-11"));
        assert_eq!(ready(&schedule, "2026-11-11T18:00:00+08:00"), is("2026-11-13T14:30:00+08:00", "2026-11-13"));
        // From Friday evening on, the next open day is Wednesday.
        assert_eq!(ready(&schedule, "2026-11-13T18:00:00+08:00"), is("2026-11-18T09:30:00+08:00", "2026-11-18"));
        let ignored =
            schedule.ready("2026-11-12T03:00:00+08:00".parse().unwrap(), Shanghai, Respect { hours: false, ..ALL });
        assert_eq!(ignored.at, "2026-11-12T03:30:00+08:00".parse().unwrap());
    }

    #[test]
    fn after_the_cut_off_it_is_the_next_open_day() {
        let hours = [open(&[Day::Wed, Day::Sat], "09:00", "21:00")];
        let schedule = Schedule::new(None, Some(&hours), Some(&time("16:00")), 60);
        assert_eq!(ready(&schedule, "2026-11-11T16:00:00+08:00"), is("2026-11-11T17:00:00+08:00", "2026-11-11"));
        assert_eq!(ready(&schedule, "2026-11-11T16:00:01+08:00"), is("2026-11-14T10:00:00+08:00", "2026-11-14"));
        let around_the_clock = Schedule::new(None, None, Some(&time("16:00")), 60);
        assert_eq!(
            ready(&around_the_clock, "2026-11-11T20:00:00+08:00"),
            is("2026-11-12T01:00:00+08:00", "2026-11-12")
        );
    }

    #[test]
    fn the_day_is_that_of_the_locations_own_time_zone() {
        let schedule = |zone| Schedule::new(Some(zone), None, None, 0);
        let at = "2026-11-11T00:30:00+08:00";
        assert_eq!(ready(&schedule(Urumqi), at).1, "2026-11-10");
        assert_eq!(ready(&schedule(New_York), at).1, "2026-11-10");
        assert_eq!(ready(&schedule(Shanghai), at).1, "2026-11-11");
    }

    #[test]
    fn clocks_that_are_put_forward_or_back_neither_skip_nor_stop_it() {
        let hours = [open(&[Day::Sun], "02:30", "12:00")];
        let schedule = Schedule::new(Some(Berlin), Some(&hours), None, 0);
        // On 2026-03-29 there is no 02:30 in Berlin: 02:00 becomes 03:00 at 01:00 UTC.
        assert_eq!(ready(&schedule, "2026-03-28T12:00:00Z"), is("2026-03-29T01:00:00Z", "2026-03-29"));
        // On 2026-10-25 there are two: 03:00 becomes 02:00 at 01:00 UTC. The first is half an hour before.
        assert_eq!(ready(&schedule, "2026-10-24T12:00:00Z"), is("2026-10-25T00:30:00Z", "2026-10-25"));
    }
}
