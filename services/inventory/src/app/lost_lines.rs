//! Makes up for lines that were added to orders of which nobody has told the inventory, by what the order book says again.

use std::collections::{BTreeMap, HashMap, HashSet};

use bus::ConsumeError;
use contracts::Cause;
use contracts::events::{OrderCancelled, OrderRestated, RefundLine, RestatedLine};
use kernel::{Quantity, SkuCode};
use store::{Error, Tx};
use uuid::Uuid;

use super::Pool;
use super::asked::asked;
use super::change_orders::{Change, change_orders};
use super::release_orders::release_orders;
use crate::domain::{Line, Request};
use crate::store::catalog;

/// Why units are released that were cancelled before their line was known.
const CANCELLED_BEFORE: &str = "cancelled before it was sourced, as the order book says";

/// Lines of restated orders that were not heard of.
pub struct LostLines(HashMap<Uuid, Vec<RestatedLine>>);

impl LostLines {
    /// Those of these orders whose lines as they were ordered are known. A line of a SKU that is not known yet is left out: it
    /// could not be sourced.
    pub fn read<'a>(
        tx: &mut Tx<'_>,
        orders: &[(OrderRestated, Cause)],
        ordered: impl Fn(Uuid) -> Option<&'a [Line]>,
    ) -> Result<Self, Error> {
        let mut lost: HashMap<Uuid, Vec<RestatedLine>> = HashMap::new();
        for (order, _) in orders {
            let id = order.order_id.uuid();
            let Some(ordered) = ordered(id) else { continue };
            let unheard = order.lines.iter().filter(|line| !ordered.iter().any(|it| it.line_no == line.line_no));
            let unheard: Vec<RestatedLine> = unheard.cloned().collect();
            if !unheard.is_empty() {
                lost.insert(id, unheard);
            }
        }
        if !lost.is_empty() {
            let known = catalog::entries(tx, lost.values().flatten().map(|line| &line.sku))?;
            lost.values_mut().for_each(|lines| lines.retain(|line| known.contains_key(&line.sku)));
        }
        Ok(Self(lost))
    }

    /// An order as `order.changed` would have told what was added to it; `request` is what was asked for it last.
    pub fn added(&self, order: &OrderRestated, request: &Request, cause: &Cause) -> Change {
        Change {
            order_id: order.order_id,
            version: order.version,
            to: None,
            again: false,
            added: self.0.get(&order.order_id.uuid()).into_iter().flatten().map(line).collect(),
            raised_by: request.amount.map_or(0, |amount| order.total_amount.saturating_sub(amount)),
            cause: cause.clone(),
        }
    }
}

/// A line as sourcing sees it; what a bundle is made of is looked up.
pub fn line(it: &RestatedLine) -> Line {
    Line { line_no: it.line_no, sku: it.sku.clone(), quantity: it.quantity, parts: Vec::new() }
}

/// Sources lines whose addition was not heard as they were ordered, and gives back at once what was cancelled of them since;
/// answers what that was. Cancellations of them that are heard later were made up for.
pub fn extend_orders(
    tx: &mut Tx<'_>,
    pool: &Pool,
    mut extended: Vec<(&OrderRestated, Change)>,
) -> Result<Vec<(OrderCancelled, Cause)>, ConsumeError> {
    extended.retain(|(_, change)| !change.added.is_empty());
    if extended.is_empty() {
        return Ok(Vec::new());
    }
    change_orders(tx, pool, extended.iter().map(|(_, change)| change.clone()).collect())?;
    let ids: Vec<Uuid> = extended.iter().map(|(order, _)| order.order_id.uuid()).collect();
    let mut orders = asked(tx, &ids)?;
    let mut cancelled = Vec::new();
    for (order, change) in extended {
        let ordered = orders.remove(&order.order_id.uuid()).map(|it| it.ordered).unwrap_or_default();
        let lost: HashSet<i32> = change.added.iter().map(|line| line.line_no).collect();
        let lines = ordered.iter().filter(|line| lost.contains(&line.line_no));
        let lines: Vec<RefundLine> = lines.filter_map(|line| not_wanted(order, line)).collect();
        if !lines.is_empty() {
            let (order_id, reason, cancelled_at) = (order.order_id, CANCELLED_BEFORE.to_owned(), order.restated_at);
            let allocations = Vec::new();
            let gone = OrderCancelled { order_id, lines, allocations, whole: false, reason, cancelled_at };
            cancelled.push((gone, change.cause));
        }
    }
    if !cancelled.is_empty() {
        release_orders(tx, &cancelled)?;
    }
    Ok(cancelled)
}

/// The units of a line that the order does not want, if the order book says that; of a bundle those of which no part is wanted.
fn not_wanted(order: &OrderRestated, line: &Line) -> Option<RefundLine> {
    let uncovered = order.uncovered.as_ref()?;
    let ordered = line.quantity.get();
    let mut demands: BTreeMap<SkuCode, i64> = BTreeMap::new();
    for demand in line.demands() {
        let sum = demands.entry(demand.sku).or_default();
        *sum = sum.saturating_add(demand.units);
    }
    let wanted = |(sku, units): (&SkuCode, &i64)| {
        let each = units.checked_div(ordered).unwrap_or(1);
        let left = uncovered.iter().filter(|it| it.line_no == line.line_no && it.sku == *sku);
        let left = left.map(|it| it.quantity.get()).fold(0, i64::saturating_add);
        left.saturating_add(each.saturating_sub(1)).checked_div(each).unwrap_or(0)
    };
    let wanted = demands.iter().map(wanted).max().unwrap_or(0);
    let quantity = Quantity::try_from(ordered.saturating_sub(wanted)).ok()?;
    Some(RefundLine { line_no: line.line_no, sku: line.sku.clone(), quantity, amount: 0 })
}
