//! What the order book does by itself.

use std::time::Duration;

use service::{Job, Progress};

use crate::app::complete_orders::{ORDERS_PER_STEP, complete_orders};

/// How often due orders are looked for: with a return window of zero, this is what a buyer waits for the points.
const EVERY: Duration = Duration::from_secs(1);

/// Completes delivered orders whose return window has passed.
pub fn completion() -> Job {
    Job::new("complete_orders", EVERY, |tx| {
        let due = complete_orders(tx)?;
        let more = i64::try_from(due).is_ok_and(|due| due >= ORDERS_PER_STEP);
        Ok(if more { Progress::More } else { Progress::Done })
    })
}
