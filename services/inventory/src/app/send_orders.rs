//! Sends what a buyer collects to the location where they do: it leaves one shelf, is on none, and comes to another, promised
//! to its order all the way.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bus::ConsumeError;
use contracts::Cause;
use contracts::events::{FulfilmentArrived, FulfilmentLine, FulfilmentSent};
use kernel::{LocationCode, SkuCode};
use store::Tx;
use uuid::Uuid;

use super::asked::asked;
use super::draft::Decided;
use super::ship_orders::ORDER_SERVICE;
use super::{Draft, Pool};
use crate::domain::improve::add_units;
use crate::domain::{Line, Request, regroup};
use crate::store::movements::{Movement, MovementKind};
use crate::store::reserved::{self, OpenLines, ReservedLine};
use crate::store::sent;
use crate::store::stock::Delta;
use crate::store::{backorders, decisions, locks, past};

/// Takes a batch of goods off their shelves, each once. What is not promised there (yet) is tried again later.
pub fn send_orders(tx: &mut Tx<'_>, sent: &[FulfilmentSent]) -> Result<(), ConsumeError> {
    locks::pool(tx)?;
    // The same fulfilment order is shipped from where it is collected later on.
    let key = |it: &FulfilmentSent| format!("sent/{}", it.fulfilment_id);
    let noted: Vec<(String, Uuid)> = sent.iter().map(|it| (key(it), it.order_id.uuid())).collect();
    let new = past::note_shipments(tx, &noted)?;
    let sent: Vec<_> = sent.iter().filter(|it| new.contains(&key(it))).collect();
    let owners: Vec<Uuid> = sent.iter().map(|it| it.order_id.uuid()).collect();
    let mut open = OpenLines::new(reserved::of_owners(tx, &owners)?);
    let mut draft = Draft::opening();
    let mut on_their_way = Vec::new();
    for it in sent {
        draft.keep_loaded(it.order_id, &it.location);
        for line in &it.lines {
            let units = line.quantity.get();
            let place = (it.order_id.uuid(), line.line_no, line.sku.to_string(), it.location.to_string());
            if open.units(&place) < units {
                return Err(ConsumeError::Retry(format!(
                    "{units} units of {} at {} are not promised to order {}",
                    line.sku, it.location, it.order_id
                )));
            }
            for taken in open.take(&place, units) {
                draft.send(&taken);
                on_their_way.push((it.fulfilment_id.to_string(), ReservedLine { location: it.to.clone(), ..taken }));
            }
            let reason = format!("sent to {} to be collected", it.to);
            draft.move_units(moved(MovementKind::Sent, (&line.sku, &it.location), -units, (reason, &it.fulfilment_id)));
            draft.change(&line.sku, &it.to, Delta { incoming: units, ..Delta::default() });
        }
    }
    draft.write(tx)?;
    Ok(sent::add(tx, &on_their_way)?)
}

fn moved(
    kind: MovementKind,
    (sku, location): (&SkuCode, &LocationCode),
    on_hand: i64,
    (reason, reference): (String, &impl ToString),
) -> Movement {
    Movement {
        sku: sku.clone(),
        location: location.clone(),
        kind,
        on_hand,
        quarantined: 0,
        owed: 0,
        reason,
        reference: Some(reference.to_string()),
        actor: ORDER_SERVICE.to_owned(),
    }
}

/// Puts a batch of goods on the shelves where they are collected, promised to their orders in the same step, and sources anew
/// what was lost on the way. What was not sent (yet) is tried again later.
pub fn receive_sent(tx: &mut Tx<'_>, pool: &Pool, arrived: &[(FulfilmentArrived, Cause)]) -> Result<(), ConsumeError> {
    locks::pool(tx)?;
    let key = |it: &FulfilmentArrived| format!("arrived/{}", it.fulfilment_id);
    let noted: Vec<(String, Uuid)> = arrived.iter().map(|(it, _)| (key(it), it.order_id.uuid())).collect();
    let new = past::note_shipments(tx, &noted)?;
    let arrived: Vec<_> = arrived.iter().filter(|(it, _)| new.contains(&key(it))).collect();
    let ids: Vec<String> = arrived.iter().map(|(it, _)| it.fulfilment_id.to_string()).collect();
    let mut on_their_way = sent::of(tx, &ids)?;
    let mut draft = Draft::opening();
    for (it, _) in &arrived {
        let fulfilment = it.fulfilment_id.to_string();
        let sent = on_their_way.remove(&fulfilment);
        let sent = sent.ok_or_else(|| ConsumeError::Retry(format!("fulfilment order {fulfilment} was not sent")))?;
        check_sent(it, &sent)?;
        for line in &it.lines {
            let (quantity, reason) = (line.quantity.get(), format!("came from {} to be collected", it.from));
            draft.move_units(moved(MovementKind::Arrived, (&line.sku, &it.location), quantity, (reason, &fulfilment)));
        }
        settle_sent(it, &sent, &mut draft);
    }
    sent::remove(tx, &ids)?;
    draft.write(tx)?;
    source_lost(tx, pool, &arrived)
}

/// What came is promised where it is now, and what did not is promised no more.
fn settle_sent(it: &FulfilmentArrived, sent: &[ReservedLine], draft: &mut Draft) {
    let mut came = add_up(it.lines.iter().map(told));
    for line in sent {
        let by = Delta { incoming: line.quantity.saturating_neg(), ..Delta::default() };
        draft.change(&line.sku, &line.location, by);
        let left = came.get_mut(&(line.line_no, &line.sku));
        let units = left.as_ref().map_or(0, |left| line.quantity.min(**left));
        left.into_iter().for_each(|left| *left = left.saturating_sub(units));
        let lost = line.quantity.saturating_sub(units);
        if lost > 0 {
            draft.lose(&ReservedLine { quantity: lost, ..line.clone() });
        }
        if units > 0 {
            draft.arrive(ReservedLine { quantity: units, ..line.clone() });
        }
    }
}

/// Units of an order's line and SKU, added up.
pub(super) fn add_up<'a>(lines: impl Iterator<Item = (i32, &'a SkuCode, i64)>) -> BTreeMap<(i32, &'a SkuCode), i64> {
    let mut sums: BTreeMap<(i32, &SkuCode), i64> = BTreeMap::new();
    for (line_no, sku, units) in lines {
        let sum = sums.entry((line_no, sku)).or_default();
        *sum = sum.saturating_add(units);
    }
    sums
}

const fn told(line: &FulfilmentLine) -> (i32, &SkuCode, i64) {
    (line.line_no, &line.sku, line.quantity.get())
}

pub(super) const fn on_its_way(line: &ReservedLine) -> (i32, &SkuCode, i64) {
    (line.line_no, &line.sku, line.quantity)
}

/// What came and what is missing are what was sent.
fn check_sent(it: &FulfilmentArrived, sent: &[ReservedLine]) -> Result<(), ConsumeError> {
    if add_up(it.lines.iter().chain(&it.missing).map(told)) == add_up(sent.iter().map(on_its_way)) {
        return Ok(());
    }
    Err(ConsumeError::Park(format!(
        "fulfilment order {}: what came and what is missing is not what was sent",
        it.fulfilment_id
    )))
}

/// Plans anew what was lost on the way, as what its location did not find. Nobody has refused it.
fn source_lost(tx: &mut Tx<'_>, pool: &Pool, arrived: &[&(FulfilmentArrived, Cause)]) -> Result<(), ConsumeError> {
    let lost: Vec<&(FulfilmentArrived, Cause)> =
        arrived.iter().copied().filter(|(it, _)| !it.missing.is_empty()).collect();
    if lost.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = lost.iter().map(|(it, _)| it.order_id.uuid()).collect();
    let orders = asked(tx, &ids)?;
    let mut newest: HashMap<Uuid, (i32, Request)> = HashMap::new();
    for stored in decisions::newest(tx, &ids)? {
        newest.insert(stored.order_id, (stored.attempt, stored.decision()?.request));
    }
    let skus: BTreeSet<SkuCode> = lost.iter().flat_map(|(it, _)| &it.missing).map(|line| line.sku.clone()).collect();
    let mut draft = Draft::new();
    let mut desk = pool.open_swept(tx, &[])?;
    desk.show(tx, &skus)?;
    for (it, cause) in lost {
        let (order_id, id) = (it.order_id, it.order_id.uuid());
        let (attempt, last) =
            newest.get_mut(&id).ok_or_else(|| ConsumeError::Retry(format!("order {order_id} has not been sourced")))?;
        *attempt = attempt.saturating_add(1);
        let ordered = orders.get(&id).map_or(&[][..], |order| order.ordered.as_slice());
        let lines = regroup(units_of(&it.missing), ordered);
        let planned = desk.plan(Request { lines, claim: None, ..last.clone() });
        let days = desk.load(&planned.decision);
        let (attempt, cause, priority) = (*attempt, cause.clone(), backorders::PROMISED_BEFORE);
        draft.decide(tx.now(), Decided { order_id, attempt, planned, days, priority, cause, answers_version: None })?;
    }
    drop(desk);
    for earlier in backorders::of_orders(tx, &ids)? {
        draft.wait_for_too(&earlier);
    }
    pool.write(tx, draft)?;
    Ok(())
}

fn units_of(lines: &[FulfilmentLine]) -> Vec<Line> {
    let mut units = Vec::new();
    for line in lines {
        add_units(&mut units, line.line_no, &line.sku, line.quantity);
    }
    units
}
