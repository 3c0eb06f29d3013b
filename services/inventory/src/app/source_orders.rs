//! Sources placed orders: each gets its locations and its stock, or a place in the queue, and a stored decision.

use std::collections::{HashMap, HashSet};

use bus::ConsumeError;
use contracts::Cause;
use kernel::SkuCode;
use kernel::id::{OrderId, ReservationId};
use store::{Error, Rows, Tx};
use uuid::Uuid;

use super::draft::Decided;
use super::{Desk, Draft, Pool};
use crate::domain::compare::Comparison;
use crate::domain::{Claim, ClaimLine, Decision, Request, claim_fits};
use crate::store::reservations::Reservation;
use crate::store::reserved::ReservedLine;
use crate::store::{backorders, decisions, locks, reservations, reserved, shadows};

/// An order that was placed. Its lines name what was ordered; bundles are taken apart here.
#[derive(Clone, Debug)]
pub struct PlacedOrder {
    /// The order.
    pub order_id: OrderId,
    /// What it asks for.
    pub request: Request,
    /// The hold it claims.
    pub reservation: Option<ReservationId>,
    /// What told of it.
    pub cause: Cause,
}

/// Sources a batch of orders, first come, first served. Orders that were decided on before are left alone. An order of a
/// SKU that is not known yet is tried again later: it may be a bundle, which has no stock of its own.
pub fn source_orders(tx: &mut Tx<'_>, pool: &Pool, mut orders: Vec<PlacedOrder>) -> Result<(), ConsumeError> {
    locks::pool(tx)?;
    // A transaction that expects new rows fails when an order was decided on before.
    if tx.rows() == Rows::MayBeThere {
        let ids: Vec<Uuid> = orders.iter().map(|order| order.order_id.uuid()).collect();
        let mut known: HashSet<Uuid> = decisions::known(tx, &ids)?.into_iter().collect();
        orders.retain(|order| known.insert(order.order_id.uuid()));
    }
    if orders.is_empty() {
        return Ok(());
    }
    let mut desk = pool.open_swept(tx, &[])?;
    let unknown = desk.lay_out(tx, orders.iter_mut().map(|order| &mut order.request))?;
    if let Some(sku) = unknown.first() {
        return Err(ConsumeError::Retry(format!("the SKU {sku} is ordered but not known yet")));
    }
    let mut holds = Holds::read(tx, &orders)?;
    let mut draft = Draft::new();
    let mut beside = Comparison::default();
    for order in orders {
        let PlacedOrder { order_id, mut request, reservation, cause } = order;
        let claimed = reservation.and_then(|id| holds.claim(id, &mut request));
        desk.give_up_unfit_claim(&mut request);
        if let Some(hold) = &claimed
            && !claim_fits(&request)
        {
            hold.give_back(&mut draft, &mut desk);
            holds.released.push(hold.id.uuid());
        }
        let (planned, shadow) = desk.plan_beside(request);
        if let (Some(shadow), Some(measure)) = (shadow, desk.beside()) {
            beside.count(order_id, (&planned.decision, &shadow), &measure);
        }
        if let Some(hold) = claimed.filter(|_| claim_fits(&planned.decision.request)) {
            holds.claimed.push((hold.id, order_id));
            let lines = hold.handed_to(order_id, &planned.decision);
            draft.hand_on(hold.lines, lines);
        }
        let days = desk.load(&planned.decision);
        let priority = backorders::NEW;
        let decided = Decided { order_id, attempt: 1, planned, days, priority, cause, answers_version: None };
        draft.decide(tx.now(), decided)?;
    }
    let watched = desk.beside().map(|measure| measure.ruleset.id().version);
    drop(desk);
    pool.write(tx, draft)?;
    if let Some(version) = watched {
        shadows::add(tx, (version, tx.now().day_in(pool.zone())), beside)?;
    }
    reservations::claim(tx, &holds.claimed)?;
    reservations::release(tx, &holds.released)?;
    Ok(())
}

/// The holds that a batch of orders names.
struct Holds {
    open: HashMap<Uuid, (Reservation, Vec<ReservedLine>)>,
    claimed: Vec<(ReservationId, OrderId)>,
    released: Vec<Uuid>,
}

/// A hold that an order may take.
struct Hold {
    id: ReservationId,
    lines: Vec<ReservedLine>,
}

impl Hold {
    fn give_back(&self, draft: &mut Draft, desk: &mut Desk<'_>) {
        for line in &self.lines {
            draft.release(line);
            desk.take_back(line);
        }
    }

    /// What is held, as lines of the order that claims it; what it was counted by goes along.
    fn handed_to(&self, order: OrderId, decision: &Decision) -> Vec<ReservedLine> {
        let count = |sku: &SkuCode| self.lines.iter().find(|line| line.sku == *sku).and_then(|line| line.count_id);
        let lines = decision.allocations().iter().map(|it| ReservedLine {
            owner: order.uuid(),
            line_no: it.line_no,
            sku: it.sku.clone(),
            location: it.location.clone(),
            quantity: it.quantity.get(),
            count_id: count(&it.sku),
        });
        lines.collect()
    }
}

impl Holds {
    fn read(tx: &mut Tx<'_>, orders: &[PlacedOrder]) -> Result<Self, Error> {
        let ids: Vec<Uuid> = orders.iter().filter_map(|order| order.reservation).map(ReservationId::uuid).collect();
        let now = tx.now();
        let mut open: HashMap<Uuid, (Reservation, Vec<ReservedLine>)> = reservations::of_ids(tx, &ids)?
            .into_iter()
            .filter(|hold| hold.is_held(now))
            .map(|hold| (hold.id, (hold, Vec::new())))
            .collect();
        if !open.is_empty() {
            let owners: Vec<Uuid> = open.keys().copied().collect();
            for line in reserved::of_owners(tx, &owners)? {
                if let Some((_, lines)) = open.get_mut(&line.owner) {
                    lines.push(line);
                }
            }
        }
        Ok(Self { open, claimed: Vec::new(), released: Vec::new() })
    }

    /// Notes on the request what the hold it names still holds; the first order that names a hold gets it.
    fn claim(&mut self, id: ReservationId, request: &mut Request) -> Option<Hold> {
        let ours = self.open.get(&id.uuid()).is_some_and(|(hold, _)| hold.channel == request.channel.as_str());
        let lines = if ours { self.open.remove(&id.uuid()).map(|(_, lines)| lines) } else { None };
        let held = lines.iter().flatten().map(|line| ClaimLine {
            sku: line.sku.clone(),
            location: line.location.clone(),
            quantity: line.quantity,
        });
        request.claim = Some(Claim { reservation: id, lines: held.collect() });
        lines.map(|lines| Hold { id, lines })
    }
}
