//! What the inventory does by itself: reconcilers without input, woken by a signal and by a timer.

use std::sync::Arc;
use std::time::Duration;

use service::{Job, Progress};
use tokio::sync::Notify;

use crate::app::Pool;
use crate::app::ask_for_owed::ask_for_owed;
use crate::app::improve_orders::improve_orders;
use crate::app::prove_stock::prove_stock;
use crate::app::question_promises::question_promises;
use crate::app::replay_orders::Replays;
use crate::app::serve_backorders::serve_backorders;
use crate::app::sweep_reservations::{MAX_SWEPT, sweep_reservations};
use crate::app::tell_availability::tell_availability;
use crate::app::tell_stock::tell_stock;
use crate::settings::InventorySettings;
use crate::store::proof::{self, Drift};
use crate::store::{backorders, changes, locks};

/// After how long an order is looked at again that waits although there is stock: a new day has begun where its stores were
/// full, one has opened, somebody else's order has given its place up.
const LOOK_AGAIN: Duration = Duration::from_secs(300);
/// How long the change log is kept: a picture that has slept longer is drawn anew.
const LOG_SECONDS: i64 = 600;
/// Logged transactions forgotten in one step.
const PRUNED_PER_STEP: i64 = 2_000;

/// Every job of the service.
pub fn all(pool: &Arc<Pool>, settings: InventorySettings, stock_arrived: Arc<Notify>) -> Vec<Job> {
    let thresholds = settings.thresholds();
    let (pool, mover, replays) = (pool.clone(), pool.clone(), Replays::new(pool.zone()));
    vec![
        Job::new("sweep_reservations", Duration::from_millis(500), |tx| {
            locks::pool(tx)?;
            let swept = sweep_reservations(tx)?;
            Ok(progress(i64::try_from(swept).is_ok_and(|swept| swept >= MAX_SWEPT)))
        }),
        Job::new("serve_backorders", Duration::from_secs(1), move |tx| Ok(progress(serve_backorders(tx, &pool)?)))
            .woken_by(stock_arrived),
        Job::new("look_again", LOOK_AGAIN, |tx| {
            backorders::wake_stocked(tx)?;
            Ok(Progress::Done)
        }),
        Job::new("improve_orders", Duration::from_secs(1), move |tx| Ok(progress(improve_orders(tx, &mover)?)))
            .resting(4),
        Job::new("ask_for_owed", Duration::from_secs(10), |tx| Ok(progress(ask_for_owed(tx)?))),
        Job::new("question_promises", Duration::from_secs(60), |tx| Ok(progress(question_promises(tx)?))).resting(19),
        Job::new("tell_stock", Duration::from_secs(1), |tx| Ok(progress(tell_stock(tx)?))),
        Job::new("tell_availability", Duration::from_millis(250), move |tx| {
            Ok(progress(tell_availability(tx, thresholds)?))
        }),
        Job::new("prove_stock", Duration::from_secs(10), |tx| {
            let (drift, more) = prove_stock(tx)?;
            tell_drift(&drift);
            Ok(progress(more))
        })
        .resting(19),
        Job::new("prune_changes", Duration::from_secs(30), |tx| {
            let before = tx.now().plus_seconds(-LOG_SECONDS);
            let pruned = changes::prune(tx, before, PRUNED_PER_STEP)?;
            Ok(progress(i64::try_from(pruned).is_ok_and(|pruned| pruned >= PRUNED_PER_STEP)))
        }),
        Job::new("replay_orders", Duration::from_millis(250), move |tx| Ok(progress(replays.step(tx)?))),
    ]
}

/// Counts and logs what drifted; a number that never drifted is counted as 0, so that its first drift is an increase.
fn tell_drift(drift: &[Drift]) {
    for balance in proof::BALANCES {
        metrics::counter!("onepool_stock_drift_total", "balance" => balance).increment(0);
    }
    for it in drift {
        metrics::counter!("onepool_stock_drift_total", "balance" => it.balance.clone()).increment(1);
        tracing::error!(
            stock.sku = it.sku,
            stock.location = it.location,
            stock.balance = it.balance,
            is = it.is,
            should_be = it.should_be,
            since.movement = it.since.as_ref().map(|since| since.movement),
            since.at = it.since.as_ref().map(|since| since.at.to_string()),
            location.day = it.day.map(|day| day.to_string()),
            sharing.count = it.count,
            sharing.rule = it.rule,
            "a number is not the sum of its parts"
        );
    }
}

const fn progress(more: bool) -> Progress {
    if more { Progress::More } else { Progress::Done }
}
