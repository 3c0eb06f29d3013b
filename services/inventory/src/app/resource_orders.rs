//! Sources what a location rejected anew, elsewhere.

use std::collections::{BTreeSet, HashMap};

use bus::ConsumeError;
use contracts::Cause;
use contracts::events::FulfilmentRejected;
use kernel::{Quantity, SkuCode};
use store::{Error, Tx};
use uuid::Uuid;

use super::draft::Decided;
use super::sweep_reservations::sweep_reservations;
use super::{Desk, Draft, Pool};
use crate::domain::{Line, Request, Ruleset};
use crate::store::reserved::{self, OpenLines};
use crate::store::{backorders, decisions, locks};

/// Takes the promises of a batch of rejections back and plans what they were for again, without every location that has
/// rejected the order. A pickup stays where it is: it waits for its location.
pub fn resource_orders(
    tx: &mut Tx<'_>,
    pool: &Pool,
    rules: Ruleset,
    rejections: &[(FulfilmentRejected, Cause)],
) -> Result<(), ConsumeError> {
    locks::pool(tx)?;
    let ids: Vec<Uuid> = rejections.iter().map(|(it, _)| it.order_id.uuid()).collect();
    let mut newest: HashMap<Uuid, (i32, Request)> = HashMap::new();
    for stored in decisions::newest(tx, &ids)? {
        newest.insert(stored.order_id, (stored.attempt, stored.decision()?.request));
    }
    sweep_reservations(tx)?;
    let mut open = OpenLines::new(reserved::of_owners(tx, &ids)?);
    let skus: BTreeSet<SkuCode> =
        rejections.iter().flat_map(|(it, _)| it.lines.iter().map(|line| line.sku.clone())).collect();
    let mut draft = Draft::new();
    let mut desk = pool.open(tx)?;
    desk.show(tx, &skus)?;
    for (rejection, cause) in rejections {
        let order_id = rejection.order_id;
        let (attempt, last) = newest
            .get_mut(&order_id.uuid())
            .ok_or_else(|| ConsumeError::Retry(format!("order {order_id} has not been sourced")))?;
        last.excluded.insert(rejection.location.clone());
        let lines = take_back(rejection, &mut open, &mut draft, &mut desk);
        if lines.is_empty() {
            // What was rejected had been cancelled before.
            continue;
        }
        *attempt = attempt.saturating_add(1);
        let planned = desk.plan(Request { lines, claim: None, ..last.clone() }, rules);
        let priority = backorders::PROMISED_BEFORE;
        draft.decide(tx.now(), Decided { order_id, attempt: *attempt, planned, priority, cause: cause.clone() })?;
    }
    drop(desk);
    join_queue(tx, &mut draft)?;
    pool.write(tx, draft)?;
    Ok(())
}

/// Takes the promises back that a location rejected; answers what they were for.
fn take_back(
    rejection: &FulfilmentRejected,
    open: &mut OpenLines,
    draft: &mut Draft,
    desk: &mut Desk<'_>,
) -> Vec<Line> {
    let mut lines = Vec::new();
    for line in &rejection.lines {
        let place = (rejection.order_id.uuid(), line.line_no, line.sku.to_string(), rejection.location.to_string());
        let Ok(quantity) = Quantity::try_from(open.units(&place).min(line.quantity.get())) else { continue };
        for taken in open.take(&place, quantity.get()) {
            draft.release(&taken);
            desk.take_back(&taken);
        }
        lines.push(Line { line_no: line.line_no, sku: line.sku.clone(), quantity, parts: Vec::new() });
    }
    lines
}

/// An order may wait for another part already: then it waits for both together.
fn join_queue(tx: &mut Tx<'_>, draft: &mut Draft) -> Result<(), Error> {
    let ids: Vec<Uuid> = draft.waiting().iter().map(|it| it.order_id.uuid()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    for earlier in backorders::of_orders(tx, &ids)? {
        draft.wait_for_too(&earlier);
    }
    Ok(())
}
