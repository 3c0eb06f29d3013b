//! Serves the queue: when stock arrives, orders that wait for it are sourced by priority, then by when they were placed.

use std::collections::{BTreeSet, HashMap};

use contracts::Cause;
use kernel::SkuCode;
use store::{Error, Tx};
use uuid::Uuid;

use super::draft::Decided;
use super::{Draft, Pool};
use crate::store::{backorders, code, decisions, locks};

/// Orders looked at in one step: some tens of milliseconds of work under the pool's lock.
const MAX_SERVED: i64 = 200;

/// Serves one stretch of the queue of one SKU that got stock; says whether there is more to do.
pub fn serve_backorders(tx: &mut Tx<'_>, pool: &Pool) -> Result<bool, Error> {
    if backorders::next_arrival(tx)?.is_none() {
        return Ok(false);
    }
    locks::pool(tx)?;
    let Some(arrival) = backorders::next_arrival(tx)? else { return Ok(false) };
    let sku: SkuCode = code(&arrival.sku)?;
    let queue = backorders::queue(tx, Some(&arrival.sku), Some(arrival.after()), MAX_SERVED)?;
    let skus: BTreeSet<SkuCode> =
        queue.iter().flat_map(|it| it.request.needs().into_keys()).chain([sku.clone()]).collect();
    let mut draft = Draft::new();
    let mut sourced = Vec::new();
    let mut desk = pool.open_swept(tx, &[])?;
    desk.show(tx, &skus)?;
    let mut last = None;
    let mut used_up = false;
    for waiting in &queue {
        used_up = desk.is_used_up(&sku);
        if used_up {
            break;
        }
        last = Some(waiting.place());
        let planned = desk.plan(waiting.request.clone());
        if planned.decision.takes_stock() {
            let days = desk.load(&planned.decision);
            sourced.push((waiting, planned, days));
        }
    }
    drop(desk);
    let ids: Vec<Uuid> = sourced.iter().map(|(waiting, ..)| waiting.order_id.uuid()).collect();
    let attempts: HashMap<Uuid, i32> =
        decisions::newest(tx, &ids)?.into_iter().map(|stored| (stored.order_id, stored.attempt)).collect();
    for (waiting, planned, days) in sourced {
        let attempt = attempts.get(&waiting.order_id.uuid()).copied().unwrap_or(0).saturating_add(1);
        let (order_id, priority) = (waiting.order_id, waiting.priority);
        draft.no_longer_waits(order_id);
        let cause = Cause::default();
        let decided = Decided { order_id, attempt, planned, days, priority, cause, answers_version: None };
        draft.decide(tx.now(), decided)?;
    }
    pool.write(tx, draft)?;
    let to_the_end = i64::try_from(queue.len()).is_ok_and(|looked_at| looked_at < MAX_SERVED);
    match last.filter(|_| !used_up && !to_the_end) {
        Some(place) => backorders::served_until(tx, &arrival.sku, place)?,
        None => backorders::served(tx, &arrival.sku)?,
    }
    Ok(true)
}
