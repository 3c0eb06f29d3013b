//! Sources what a location rejected anew, elsewhere.

use std::collections::BTreeSet;
use std::iter;

use bus::ConsumeError;
use contracts::Cause;
use contracts::events::{FulfilmentLine, FulfilmentRejected};
use kernel::{LocationCode, Quantity, SkuCode};
use store::{Error, Tx};
use uuid::Uuid;

use super::asked::{Asked, asked};
use super::draft::Decided;
use super::{Desk, Draft, Pool};
use crate::domain::improve::add_units;
use crate::domain::{Line, Request, regroup};
use crate::store::moves::{self, Answer};
use crate::store::reserved::{self, OpenLines};
use crate::store::{backorders, loads, locks};

/// Takes the promises of a batch of rejections back and plans what they were for again, without every location that has
/// rejected the order. A pickup stays where it is: it waits for its location, whoever rejected it.
///
/// A location whose part was recalled has rejected nothing: it is planned with, and with the units it gave back. All that
/// was recalled together is planned as one.
pub fn resource_orders(
    tx: &mut Tx<'_>,
    pool: &Pool,
    rejections: &[(FulfilmentRejected, Cause)],
) -> Result<(), ConsumeError> {
    locks::pool(tx)?;
    // The first event of a recall has said everything.
    let rejections: Vec<_> = rejections.iter().filter(|(it, _)| it.sourced_with.is_none()).collect();
    let ids: Vec<Uuid> = rejections.iter().map(|(it, _)| it.order_id.uuid()).collect();
    let mut orders = asked(tx, &ids)?;
    let mut open = OpenLines::new(reserved::of_owners(tx, &ids)?);
    let recalled: Vec<Uuid> =
        rejections.iter().filter(|(it, _)| it.recalled).map(|(it, _)| it.order_id.uuid()).collect();
    let loads = if recalled.is_empty() { Vec::new() } else { loads::of_orders(tx, &recalled)? };
    let skus: BTreeSet<SkuCode> =
        rejections.iter().flat_map(|(it, _)| parts(it)).flat_map(|(_, lines)| lines).map(|it| it.sku.clone()).collect();
    let mut draft = Draft::new();
    let mut answers = Vec::new();
    let mut desk = pool.open_swept(tx, &[])?;
    desk.show(tx, &skus)?;
    for (rejection, cause) in &rejections {
        let order_id = rejection.order_id;
        let Asked { attempt, request: last, ordered } = orders
            .get_mut(&order_id.uuid())
            .ok_or_else(|| ConsumeError::Retry(format!("order {order_id} has not been sourced")))?;
        if !rejection.recalled {
            last.excluded.insert(rejection.location.clone());
        }
        let lines = take_back(rejection, &mut open, &mut draft, &mut desk);
        let lines = regroup(lines, ordered);
        if lines.is_empty() {
            // What was rejected had been cancelled before.
            continue;
        }
        *attempt = attempt.saturating_add(1);
        for (location, _) in parts(rejection) {
            draft.unload(order_id, location);
            let theirs = loads.iter().filter(|it| (it.order, &it.location) == (order_id.uuid(), location));
            theirs.for_each(|it| desk.count_orders(location, it.day, -1));
        }
        let planned = desk.plan(Request { lines, claim: None, ..last.clone() });
        let days = desk.load(&planned.decision);
        if rejection.recalled && rejection.reason == FulfilmentRejected::RECALLED {
            let before: BTreeSet<_> = parts(rejection).map(|(location, _)| location).collect();
            let stayed = planned.decision.locations() == before;
            answers.push(Answer { order: order_id, attempt: *attempt, stayed });
        }
        let priority = backorders::PROMISED_BEFORE;
        let cause = cause.clone();
        let attempt = *attempt;
        let decided = Decided { order_id, attempt, planned, days, priority, cause, answers_version: None };
        draft.decide(tx.now(), decided)?;
    }
    drop(desk);
    join_queue(tx, &rejections, &mut draft)?;
    pool.write(tx, draft)?;
    moves::answer(tx, &answers)?;
    Ok(())
}

/// What needs another location, by the one it was at.
fn parts(rejection: &FulfilmentRejected) -> impl Iterator<Item = (&LocationCode, &[FulfilmentLine])> {
    let others = rejection.recalled_with.iter().map(|it| (&it.location, it.lines.as_slice()));
    iter::once((&rejection.location, rejection.lines.as_slice())).chain(others)
}

/// Takes the promises back that a location rejected, or that were recalled; answers what they were for.
fn take_back(
    rejection: &FulfilmentRejected,
    open: &mut OpenLines,
    draft: &mut Draft,
    desk: &mut Desk<'_>,
) -> Vec<Line> {
    let mut lines = Vec::new();
    for (location, line) in
        parts(rejection).flat_map(|(location, lines)| lines.iter().map(move |line| (location, line)))
    {
        let place = (rejection.order_id.uuid(), line.line_no, line.sku.to_string(), location.to_string());
        let Ok(quantity) = Quantity::try_from(open.units(&place).min(line.quantity.get())) else { continue };
        for taken in open.take(&place, quantity.get()) {
            draft.release(&taken);
            desk.take_back(&taken);
        }
        add_units(&mut lines, line.line_no, &line.sku, quantity);
    }
    lines
}

/// An order may wait for another part already: that does not go to who has rejected it either. If what was rejected waits
/// now, the order waits for both together.
fn join_queue(tx: &mut Tx<'_>, rejections: &[&(FulfilmentRejected, Cause)], draft: &mut Draft) -> Result<(), Error> {
    let ids: Vec<Uuid> = rejections.iter().map(|(it, _)| it.order_id.uuid()).collect();
    for mut earlier in backorders::of_orders(tx, &ids)? {
        let before = earlier.request.excluded.len();
        let theirs = rejections.iter().map(|(it, _)| it).filter(|it| it.order_id == earlier.order_id && !it.recalled);
        let others = theirs.map(|it| &it.location).filter(|it| earlier.request.pickup.as_ref() != Some(it));
        let others: Vec<LocationCode> = others.cloned().collect();
        earlier.request.excluded.extend(others);
        if draft.waiting().iter().any(|it| it.order_id == earlier.order_id) {
            draft.wait_for_too(&earlier);
        } else if earlier.request.excluded.len() > before {
            // Who has rejected it now is asked again for what comes from now on.
            earlier.since = None;
            draft.waits(earlier);
        }
    }
    Ok(())
}
