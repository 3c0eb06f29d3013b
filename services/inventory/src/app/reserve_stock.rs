//! Holds stock: a hold is a plan at real locations, made by the rules that fulfil.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use contracts::events::{Allocation, BackorderedSku, FulfilmentKind};
use contracts::{Problem, ProblemCode};
use kernel::id::{OrderId, ReservationId};
use kernel::{ChannelCode, SkuCode, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Error, Tx};
use utoipa::ToSchema;

use super::{Draft, Planned, Pool};
use crate::domain::{Outcome, Place, Request};
use crate::store::locks;
use crate::store::reservations::{Buyer, NewReservation};
use crate::store::reserved::ReservedLine;

/// What a hold asks for.
#[derive(Clone, Debug)]
pub struct Hold {
    /// What, and where it goes.
    pub request: Request,
    /// Who holds, as the channel knows them.
    pub buyer: Option<String>,
    /// How long, in seconds.
    pub ttl_seconds: i64,
}

impl Hold {
    fn buyer(&self) -> Option<Buyer<'_>> {
        Some((self.request.channel.as_str(), self.buyer.as_deref()?))
    }
}

/// What holds go by.
#[derive(Clone, Copy, Debug)]
pub struct HoldRules {
    /// The most units one buyer may hold over all their holds in a channel.
    pub max_units_per_buyer: i64,
}

/// Units held at a location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeldLine {
    /// The requested line, counted from 1.
    pub line_no: i32,
    /// The SKU; for a bundle, the part.
    pub sku: SkuCode,
    /// Where.
    pub location: kernel::LocationCode,
    /// How many units.
    pub quantity: i64,
}

/// A hold as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReservationView)]
pub struct HoldView {
    /// Its id.
    pub id: ReservationId,
    /// `held`, `claimed` by an order, `consumed` when all of it has shipped, `released` or `expired`.
    pub state: String,
    /// Its channel.
    pub channel: ChannelCode,
    /// Who holds.
    pub buyer: Option<String>,
    /// The order that claimed it.
    pub order_id: Option<OrderId>,
    /// When it runs out, or ran out.
    pub expires_at: Timestamp,
    /// What was granted.
    pub lines: Vec<HeldLine>,
    /// Grows with every change.
    pub version: i64,
}

/// A hold that was refused.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// The pool cannot fill it.
    Insufficient(Vec<BackorderedSku>),
    /// The buyer would hold more than one may.
    BuyerHoldsTooMuch {
        /// What they hold already.
        held: i64,
        /// What they may hold.
        most: i64,
    },
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Insufficient(missing) => {
                missing.iter().fold(Self::new(ProblemCode::InsufficientStock), |problem, it| {
                    problem.field("lines", format!("{} units of {} are missing", it.missing, it.sku))
                })
            }
            Refusal::BuyerHoldsTooMuch { held, most } => Self::new(ProblemCode::RefusedByRule)
                .field("buyer", format!("holds {held} units already; a buyer may hold {most}")),
        }
    }
}

/// Grants or refuses holds one by one, in order; a refused one leaves nothing behind.
pub fn reserve_stock(
    tx: &mut Tx<'_>,
    pool: &Pool,
    rules: HoldRules,
    holds: &[&Hold],
) -> Result<Vec<Result<HoldView, Refusal>>, Error> {
    locks::pool(tx)?;
    let mut requests: Vec<Request> = holds.iter().map(|hold| hold.request.clone()).collect();
    let named: BTreeSet<Buyer<'_>> = holds.iter().filter_map(|hold| hold.buyer()).collect();
    let named: Vec<Buyer<'_>> = named.into_iter().collect();
    let mut desk = pool.open_swept(tx, &named)?;
    desk.lay_out(tx, requests.iter_mut())?;
    let mut buyers = Buyers(named.iter().copied().zip(desk.held()).collect());
    let now = tx.now();
    let mut draft = Draft::new();
    let mut results = Vec::with_capacity(holds.len());
    for (hold, request) in holds.iter().zip(requests) {
        let units = request.needs().values().copied().fold(0, i64::saturating_add);
        if let Err(held) = buyers.may_hold(hold, units, rules.max_units_per_buyer) {
            results.push(Err(Refusal::BuyerHoldsTooMuch { held, most: rules.max_units_per_buyer }));
            continue;
        }
        let planned = desk.plan(request);
        if let Outcome::Backordered { missing } = planned.decision.outcome {
            results.push(Err(Refusal::Insufficient(missing)));
            continue;
        }
        buyers.holds(hold, units);
        let view = grant(&mut draft, hold, &planned, now);
        draft.hold(NewReservation {
            id: view.id,
            channel: view.channel.to_string(),
            buyer: view.buyer.clone(),
            lines: serde_json::to_string(&view.lines)?,
            units,
            expires_at: view.expires_at,
        });
        results.push(Ok(view));
    }
    drop(desk);
    pool.write(tx, draft)?;
    Ok(results)
}

fn grant(draft: &mut Draft, hold: &Hold, planned: &Planned, now: Timestamp) -> HoldView {
    let id = ReservationId::at(now);
    let decision = &planned.decision;
    for line in decision.allocations() {
        draft.promise(ReservedLine {
            owner: id.uuid(),
            line_no: line.line_no,
            sku: line.sku.clone(),
            location: line.location.clone(),
            quantity: line.quantity.get(),
            count_id: planned.counted.get(&line.sku).copied(),
        });
    }
    HoldView {
        id,
        state: "held".to_owned(),
        channel: hold.request.channel.clone(),
        buyer: hold.buyer.clone(),
        order_id: None,
        expires_at: now.plus_seconds(hold.ttl_seconds),
        lines: decision.allocations().iter().map(HeldLine::from).collect(),
        version: 1,
    }
}

impl From<&Allocation> for HeldLine {
    fn from(it: &Allocation) -> Self {
        Self { line_no: it.line_no, sku: it.sku.clone(), location: it.location.clone(), quantity: it.quantity.get() }
    }
}

impl From<&ReservedLine> for HeldLine {
    fn from(it: &ReservedLine) -> Self {
        Self { line_no: it.line_no, sku: it.sku.clone(), location: it.location.clone(), quantity: it.quantity }
    }
}

/// What the buyers of a batch hold.
struct Buyers<'h>(HashMap<Buyer<'h>, i64>);

impl<'h> Buyers<'h> {
    fn may_hold(&self, hold: &'h Hold, units: i64, most: i64) -> Result<(), i64> {
        let Some(buyer) = hold.buyer() else { return Ok(()) };
        let held = self.0.get(&buyer).copied().unwrap_or(0);
        if held.saturating_add(units) <= most { Ok(()) } else { Err(held) }
    }

    fn holds(&mut self, hold: &'h Hold, units: i64) {
        if let Some(buyer) = hold.buyer() {
            let held = self.0.entry(buyer).or_default();
            *held = held.saturating_add(units);
        }
    }
}

/// The request of a hold, which is planned like that of an order.
pub fn hold_request(channel: ChannelCode, placed_at: Timestamp, lines: Vec<crate::domain::Line>) -> Request {
    Request {
        channel,
        placed_at,
        kind: FulfilmentKind::Ship,
        to: None,
        pickup: None,
        lines,
        excluded: BTreeSet::new(),
        allowed: BTreeMap::new(),
        claim: None,
        place: Place::default(),
        amount: None,
        whole: true,
        redirected_by: None,
    }
}
