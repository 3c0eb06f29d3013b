//! What the order book does by itself.

use std::time::Duration;

use service::{Job, Progress};

use crate::app::complete_orders::{ORDERS_PER_STEP, complete_orders};
use crate::app::expire_unpaid::expire_unpaid;
use crate::app::fold_moves::fold_moves;
use crate::app::lapse_offers::lapse_offers;
use crate::app::lapse_pickups::{lapse_pickups, remind_pickups};
use crate::app::lapse_returns::lapse_returns;
use crate::app::restate_orders::{ORDERS_PER_STEP as ORDERS_TOLD, ask_again, cancel_again, look_over};
use crate::domain::state::OrderStatus;
use crate::settings::Rules;
use crate::store::{partitions, service_levels, stays};

/// How often due orders are looked for: with a return window of zero, this is what a buyer waits for the points.
const EVERY: Duration = Duration::from_secs(1);

/// How often what has lapsed is looked for: seconds against the hours that a location has.
const LAPSES_EVERY: Duration = Duration::from_secs(10);

/// How often what was not paid is looked for: the goods that it keeps may be the last.
const EXPIRES_EVERY: Duration = Duration::from_secs(1);

/// Completes delivered orders whose return window has passed.
pub fn completion() -> Job {
    Job::new("complete_orders", EVERY, |tx| {
        let due = complete_orders(tx)?;
        let more = i64::try_from(due).is_ok_and(|due| due >= ORDERS_PER_STEP);
        Ok(if more { Progress::More } else { Progress::Done })
    })
}

/// How often orders are sorted in where they are looked for. Until then they are looked at one by one.
const SORT_IN_EVERY: Duration = Duration::from_secs(1);
/// A burst is taken into the book first and sorted in after it: the job takes a tenth of a processor's time at most.
const SORT_IN_REST: u32 = 9;

/// Adds what happened to orders to the counts, and sorts them in where they are looked for.
pub fn folding() -> Job {
    let job =
        Job::new("fold_moves", SORT_IN_EVERY, |tx| Ok(if fold_moves(tx)? { Progress::More } else { Progress::Done }));
    job.resting(SORT_IN_REST)
}
/// Steps added up at once: some milliseconds of work.
const STEPS_PER_FOLD: i64 = 5_000;

/// Takes offers back that no location has answered in time.
pub fn lapsing_offers(rules: Rules) -> Job {
    Job::new("lapse_offers", LAPSES_EVERY, move |tx| Ok(progress(lapse_offers(tx, rules)?)))
}

/// Tells that buyers should collect soon.
pub fn pickup_reminders() -> Job {
    Job::new("remind_pickups", LAPSES_EVERY, |tx| Ok(progress(remind_pickups(tx)?)))
}

/// Cancels what was not collected in time.
pub fn lapsing_pickups(rules: Rules) -> Job {
    Job::new("lapse_pickups", LAPSES_EVERY, move |tx| Ok(progress(lapse_pickups(tx, rules)?)))
}

/// Ends returns whose goods have not come in time.
pub fn lapsing_returns(rules: Rules) -> Job {
    Job::new("lapse_returns", LAPSES_EVERY, move |tx| Ok(progress(lapse_returns(tx, rules)?)))
}

/// Cancels what was not paid in time.
pub fn expiring_unpaid(rules: Rules) -> Job {
    Job::new("expire_unpaid", EXPIRES_EVERY, move |tx| Ok(progress(expire_unpaid(tx, rules)?)))
}

/// Adds up what moves have counted. Until then it counts all the same.
pub fn folding_counts() -> Job {
    Job::new("fold_fulfilment_counts", LAPSES_EVERY, |tx| {
        let folded = service_levels::fold(tx, STEPS_PER_FOLD)?;
        Ok(progress(i64::try_from(folded).is_ok_and(|folded| folded >= STEPS_PER_FOLD)))
    })
}

/// Asks again for answers that have not come, says again what was cancelled, and looks over what is under way or waits.
pub fn restating(rules: Rules) -> Job {
    Job::new("restate_orders", LAPSES_EVERY, move |tx| {
        let (asked, cancelled, looked_over) = (ask_again(tx, rules)?, cancel_again(tx)?, look_over(tx, rules)?);
        metrics::counter!("onepool_orders_asked_again_total").increment(asked.try_into().unwrap_or(u64::MAX));
        let is_full = |orders: usize| i64::try_from(orders).is_ok_and(|orders| orders >= ORDERS_TOLD);
        Ok(progress(is_full(asked) || is_full(cancelled) || is_full(looked_over)))
    })
}

/// How often it is counted how many orders are stuck: often enough for an alert that waits for minutes.
const STUCK_EVERY: Duration = Duration::from_secs(30);

/// Counts orders that have stayed too long where they are.
pub fn counting_stuck(rules: Rules) -> Job {
    Job::new("count_stuck_orders", STUCK_EVERY, move |tx| {
        let longest = rules.longest_stay;
        let counted = stays::count(tx, &longest.bounds(tx.now()))?;
        for status in OrderStatus::ALL.iter().filter(|status| longest.seconds(**status) > 0) {
            let orders = counted.iter().find(|(text, _)| text == status.as_str()).map_or(0, |(_, orders)| *orders);
            metrics::gauge!("onepool_orders_stuck", "status" => status.as_str()).set(to_gauge(orders));
        }
        Ok(Progress::Done)
    })
}

fn to_gauge(orders: i64) -> f64 {
    u32::try_from(orders).map_or(f64::from(u32::MAX), f64::from)
}

/// How often the coming months are looked after: three are there beforehand, so that an hour's failure is none.
const MONTHS_EVERY: Duration = Duration::from_secs(3600);

/// Makes the partitions of the coming months, one in each step.
pub fn make_partitions() -> Job {
    Job::new("make_partitions", MONTHS_EVERY, |tx| Ok(progress(partitions::make_next(tx)?.is_some())))
}

fn progress(is_more: bool) -> Progress {
    if is_more { Progress::More } else { Progress::Done }
}
