//! Finds promised orders that could ship from nearer, or from fewer places, since stock arrived, and asks the order book
//! to recall them.
//!
//! It only asks: the store may be picking. What nobody has picked comes back as a rejection, and is planned then on the
//! pool as it is then ([`resource_orders`](super::resource_orders)).

use std::collections::{BTreeMap, BTreeSet};

use contracts::Cause;
use contracts::events::{Allocation, FulfilmentKind, StockBetterFound};
use kernel::id::OrderId;
use kernel::{LocationCode, Quantity, SkuCode, Timestamp};
use store::{Error, Tx, outbox};
use uuid::Uuid;

use super::{Desk, Pool};
use crate::domain::improve::{Gain, Way, add_units, keeps_together};
use crate::domain::ruleset::Resourcing;
use crate::domain::{Decision, Line, Request};
use crate::store::loads::{self, Load};
use crate::store::reserved::{self, ReservedLine};
use crate::store::{code, decisions, locks, moves, rulesets};

/// Orders looked at in one step: some tens of milliseconds of work under the pool's lock.
const MAX_LOOKED_AT: i64 = 100;
/// For how long an order is not asked for again: a store that is picking has picked by then.
const ASKED_AGAIN_SECONDS: i64 = 3_600;
/// For how long units are kept for an order that was asked for: the answer takes a second, unless the order stays.
const KEPT_SECONDS: i64 = 60;

/// Looks through one stretch of the orders of one SKU that got stock; says whether there is more to do.
pub fn improve_orders(tx: &mut Tx<'_>, pool: &Pool) -> Result<bool, Error> {
    let Some(next) = moves::next(tx)? else { return Ok(false) };
    let since = tx.now().plus_seconds(-ASKED_AGAIN_SECONDS);
    if is_spent(&terms_left(tx, since)?) {
        return Ok(false);
    }
    // Of a SKU that everybody orders there may be many; they are listed before anybody has to wait for it.
    let orders = moves::orders_of(tx, &next, MAX_LOOKED_AT)?;
    locks::pool(tx)?;
    if moves::next(tx)?.as_ref() != Some(&next) {
        return Ok(true);
    }
    let terms = terms_left(tx, since)?;
    if !terms.enabled {
        moves::forget(tx)?;
    }
    if !terms.enabled || is_spent(&terms) {
        return Ok(false);
    }
    let ids = moves::may_be_asked(tx, &orders, since, terms.max_moves_per_order)?;
    let (found, used_up) = find(tx, pool, &code(&next.sku)?, &ids, &terms)?;
    let cut_off = i64::try_from(found.len()).is_ok_and(|asked| asked >= terms.max_asked_per_hour);
    let last = if cut_off { found.last().map(|it| it.told.order_id) } else { orders.last().copied() };
    let to_the_end = i64::try_from(orders.len()).is_ok_and(|looked_at| looked_at < MAX_LOOKED_AT) && !cut_off;
    for request in &found {
        outbox::append(tx, &request.told, &Cause::default())?;
    }
    moves::ask(tx, &found)?;
    match last.filter(|_| !to_the_end && !used_up) {
        Some(order) => moves::looked_until(tx, &next.sku, order)?,
        None => moves::looked_through(tx, &next.sku)?,
    }
    Ok(true)
}

/// The terms of the ruleset in force, with what is left of the hour's requests.
fn terms_left(tx: &mut Tx<'_>, since: Timestamp) -> Result<Resourcing, Error> {
    let terms = rulesets::active(tx)?.rules().resourcing;
    let left = terms.max_asked_per_hour.saturating_sub(moves::asked_since(tx, since)?);
    Ok(Resourcing { max_asked_per_hour: left, ..terms })
}

const fn is_spent(terms: &Resourcing) -> bool {
    terms.enabled && terms.max_asked_per_hour <= 0
}

/// A promised order.
struct Held {
    id: OrderId,
    attempt: i32,
    /// What was asked of the newest decision.
    request: Request,
    /// Its units that have not shipped, and the capacity they use.
    lines: Vec<ReservedLine>,
    loads: Vec<Load>,
}

fn held(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<BTreeMap<Uuid, Held>, Error> {
    let mut orders = BTreeMap::new();
    for stored in decisions::newest(tx, ids)? {
        let (id, request) = (OrderId(stored.order_id), stored.decision()?.request);
        // A pickup stays where the buyer will ask for it, and with who is to send it there.
        if request.kind == FulfilmentKind::Ship && request.pickup.is_none() {
            let (lines, loads) = (Vec::new(), Vec::new());
            orders.insert(stored.order_id, Held { id, attempt: stored.attempt, request, lines, loads });
        }
    }
    for line in reserved::of_owners(tx, ids)? {
        if let Some(order) = orders.get_mut(&line.owner) {
            order.lines.push(line);
        }
    }
    for load in loads::of_orders(tx, ids)? {
        if let Some(order) = orders.get_mut(&load.order) {
            order.loads.push(load);
        }
    }
    orders.retain(|_, order| !order.lines.is_empty());
    Ok(orders)
}

/// Plans each of these orders anew with its own units back on their shelves, as long as there are units of the SKU; answers
/// the requests for those that gain enough, and whether all units are used up. What is planned for one is gone for the next.
fn find(
    tx: &mut Tx<'_>,
    pool: &Pool,
    sku: &SkuCode,
    ids: &[Uuid],
    terms: &Resourcing,
) -> Result<(Vec<moves::Request>, bool), Error> {
    let orders = held(tx, ids)?;
    let unanswered = moves::unanswered(tx, tx.now().plus_seconds(-KEPT_SECONDS))?;
    let skus: BTreeSet<SkuCode> = orders
        .values()
        .flat_map(|order| order.lines.iter().map(|line| line.sku.clone()))
        .chain([sku.clone()])
        .collect();
    let mut desk = pool.open_swept(tx, &[])?;
    desk.show(tx, &skus)?;
    for it in unanswered.iter().flat_map(|request| &request.planned) {
        desk.put(&it.sku, &it.location, it.quantity.get().saturating_neg());
    }
    let mut found = Vec::new();
    for order in orders.values() {
        let enough = i64::try_from(found.len()).is_ok_and(|asked| asked >= terms.max_asked_per_hour);
        if enough || desk.is_used_up(sku) {
            break;
        }
        if let Some((planned, gain)) = plan_anew(&mut desk, order, terms) {
            found.push(request(tx, order, &planned, gain));
        }
    }
    Ok((found, desk.is_used_up(sku)))
}

/// The plan that gains enough. Whatever comes of it, the order's own units stay promised until it is recalled.
fn plan_anew(desk: &mut Desk<'_>, order: &Held, terms: &Resourcing) -> Option<(Decision, Gain)> {
    let mut lines: Vec<Line> = Vec::new();
    for line in &order.lines {
        desk.take_back(line);
        add_units(&mut lines, line.line_no, &line.sku, Quantity::try_from(line.quantity).ok()?);
    }
    for load in &order.loads {
        desk.count_orders(&load.location, load.day, -1);
    }
    let planned = desk.plan(Request { lines, claim: None, ..order.request.clone() });
    let gain = if planned.decision.is_whole() { gain(desk, order, &planned.decision, terms) } else { None };
    if gain.is_none() {
        planned.promises(order.id.uuid()).iter().for_each(|line| desk.take_back(line));
    }
    for load in &order.loads {
        desk.count_orders(&load.location, load.day, 1);
    }
    order.lines.iter().for_each(|line| desk.keep(line));
    let gain = gain?;
    desk.load(&planned.decision);
    Some((planned.decision, gain))
}

fn gain(desk: &Desk<'_>, order: &Held, planned: &Decision, terms: &Resourcing) -> Option<Gain> {
    let way = |locations: BTreeSet<&LocationCode>| Way {
        parts: locations.len(),
        metres: order.request.to.and_then(|to| {
            locations.iter().try_fold(0, |sum: i64, location| Some(sum.saturating_add(desk.metres(location, to)?)))
        }),
    };
    let before = || order.lines.iter().map(|line| (line.line_no, &line.location));
    let after = planned.allocations().iter().map(|it| (it.line_no, &it.location));
    let gain = way(before().map(|(_, location)| location).collect()).gain(way(planned.locations()), terms)?;
    keeps_together(before(), after).then_some(gain)
}

fn request(tx: &Tx<'_>, order: &Held, planned: &Decision, gain: Gain) -> moves::Request {
    let mut allocations: Vec<Allocation> = Vec::new();
    for line in &order.lines {
        // Units of one line may be counted by several shares.
        let same =
            |it: &&mut Allocation| (it.line_no, &it.sku, &it.location) == (line.line_no, &line.sku, &line.location);
        let before = allocations.iter_mut().find(same);
        let units = before.as_ref().map_or(0, |it| it.quantity.get()).saturating_add(line.quantity);
        let Ok(quantity) = Quantity::try_from(units) else { continue };
        match before {
            Some(it) => it.quantity = quantity,
            None => allocations.push(Allocation {
                line_no: line.line_no,
                sku: line.sku.clone(),
                location: line.location.clone(),
                quantity,
            }),
        }
    }
    let told = StockBetterFound {
        order_id: order.id,
        attempt: order.attempt,
        allocations,
        better: planned.locations().into_iter().cloned().collect(),
        gain_metres: gain.metres,
        fewer_parts: gain.fewer_parts,
        found_at: tx.now(),
    };
    moves::Request { told, planned: planned.allocations().to_vec() }
}
