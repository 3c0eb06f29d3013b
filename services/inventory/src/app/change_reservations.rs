//! What becomes of holds after they were granted: shown, extended, given back in part or as a whole.

use contracts::{Problem, ProblemCode};
use kernel::id::{OrderId, ReservationId};
use kernel::{Quantity, SkuCode, Timestamp};
use store::{Error, Tx};

use super::Draft;
use super::reserve_stock::{HeldLine, HoldView};
use crate::store::reservations::{self, Reservation};
use crate::store::reserved::{self, ReservedLine};
use crate::store::{code, locks};

/// A change of a hold that was refused.
#[derive(Debug)]
pub enum ChangeRefusal {
    /// There is no such hold.
    NotFound(ReservationId),
    /// It is the hold of a channel outside the caller's scope, or has changed since the caller read it.
    Forbidden(Problem),
    /// It is no longer held.
    NotHeld(String),
    /// It does not hold so much of a SKU.
    HoldsLess {
        /// The line of the request.
        index: usize,
        /// Units it holds of the SKU.
        held: i64,
    },
    /// The transaction failed.
    Store(Error),
}

impl From<Error> for ChangeRefusal {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<ChangeRefusal> for Problem {
    fn from(refusal: ChangeRefusal) -> Self {
        match refusal {
            ChangeRefusal::NotFound(id) => Self::not_found("reservation", id),
            ChangeRefusal::Forbidden(problem) => problem,
            ChangeRefusal::NotHeld(state) => {
                Self::new(ProblemCode::StateConflict).detail(format!("the reservation is {state}"))
            }
            ChangeRefusal::HoldsLess { index, held } => Self::new(ProblemCode::StateConflict)
                .field(format!("lines[{index}].quantity"), format!("the reservation holds {held} units of it")),
            ChangeRefusal::Store(error) => error.into(),
        }
    }
}

/// Whether the caller may touch a hold as it is: of its channel, and at its version.
pub type HoldCheck<'a> = &'a dyn Fn(&HoldView) -> Result<(), Problem>;

/// A hold as it is now.
pub fn show_reservation(tx: &mut Tx<'_>, id: ReservationId, may: HoldCheck<'_>) -> Result<HoldView, ChangeRefusal> {
    let hold = reservations::of_ids(tx, &[id.uuid()])?.into_iter().next().ok_or(ChangeRefusal::NotFound(id))?;
    let view = view(&hold, tx.now())?;
    may(&view).map_err(ChangeRefusal::Forbidden)?;
    Ok(view)
}

fn view(hold: &Reservation, now: Timestamp) -> Result<HoldView, Error> {
    Ok(HoldView {
        id: ReservationId(hold.id),
        state: hold.state_at(now).to_owned(),
        channel: code(&hold.channel)?,
        buyer: hold.buyer.clone(),
        order_id: hold.order_id.map(OrderId),
        expires_at: hold.expires_at.into(),
        lines: serde_json::from_str(&hold.lines)?,
        version: hold.version,
    })
}

/// Gives a hold so many seconds from now.
pub fn extend_reservation(
    tx: &mut Tx<'_>,
    id: ReservationId,
    ttl_seconds: i64,
    may: HoldCheck<'_>,
) -> Result<HoldView, ChangeRefusal> {
    locks::pool(tx)?;
    let view = held(tx, id, may)?;
    let expires_at = tx.now().plus_seconds(ttl_seconds);
    reservations::extend(tx, id, expires_at)?;
    Ok(HoldView { expires_at, version: view.version.saturating_add(1), ..view })
}

/// Gives what is held back to the pool.
pub fn release_reservation(tx: &mut Tx<'_>, id: ReservationId, may: HoldCheck<'_>) -> Result<HoldView, ChangeRefusal> {
    locks::pool(tx)?;
    let view = held(tx, id, may)?;
    let mut draft = Draft::new();
    for line in reserved::of_owners(tx, &[id.uuid()])? {
        draft.release(&line);
    }
    draft.write(tx)?;
    reservations::release(tx, &[id.uuid()])?;
    Ok(HoldView { state: "released".to_owned(), version: view.version.saturating_add(1), ..view })
}

/// Gives a part of what is held back to the pool: so many units of each SKU, the last lines first. A hold of which nothing
/// is left is released.
pub fn release_units(
    tx: &mut Tx<'_>,
    id: ReservationId,
    units: &[(SkuCode, Quantity)],
    may: HoldCheck<'_>,
) -> Result<HoldView, ChangeRefusal> {
    locks::pool(tx)?;
    let mut view = held(tx, id, may)?;
    let mut draft = Draft::new();
    let mut open = reserved::of_owners(tx, &[id.uuid()])?;
    for (index, (sku, quantity)) in units.iter().enumerate() {
        let held = open.iter().filter(|line| line.sku == *sku).map(|line| line.quantity).fold(0, i64::saturating_add);
        let mut rest = quantity.get();
        if rest > held {
            return Err(ChangeRefusal::HoldsLess { index, held });
        }
        for line in open.iter_mut().rev().filter(|line| line.sku == *sku) {
            let quantity = rest.min(line.quantity);
            if quantity > 0 {
                rest = rest.saturating_sub(quantity);
                line.quantity = line.quantity.saturating_sub(quantity);
                draft.release(&ReservedLine { quantity, ..line.clone() });
            }
        }
    }
    draft.write(tx)?;
    view.lines = open.iter().filter(|line| line.quantity > 0).map(HeldLine::from).collect();
    view.version = view.version.saturating_add(1);
    if view.lines.is_empty() {
        "released".clone_into(&mut view.state);
        reservations::release(tx, &[id.uuid()])?;
    } else {
        let left = view.lines.iter().map(|line| line.quantity).fold(0, i64::saturating_add);
        reservations::shrink(tx, id, &serde_json::to_string(&view.lines).map_err(Error::from)?, left)?;
    }
    Ok(view)
}

fn held(tx: &mut Tx<'_>, id: ReservationId, may: HoldCheck<'_>) -> Result<HoldView, ChangeRefusal> {
    let view = show_reservation(tx, id, may)?;
    if view.state == "held" { Ok(view) } else { Err(ChangeRefusal::NotHeld(view.state)) }
}
