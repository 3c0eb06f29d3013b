//! The order that a buyer gets instead of what comes back: what it says, when it is placed, and what pays for it.
//!
//! It is an order of the same channel that is paid in advance. It is placed with the return's approval, so its goods are
//! promised then, and they leave when it is paid: by what the return is worth, in the transaction that refunds the return, or
//! by the buyer. So nothing is credited that has not come back, and what the refund does not pay out is what the new order
//! gets, to the minor unit.

use ::store::{Error, Tx};
use contracts::events::FulfilmentKind;
use contracts::{Problem, ProblemCode};
use kernel::id::{OrderId, ReturnId};
use kernel::{Money, Timestamp};

use super::book::Book;
use super::caller::Caller;
use super::cancel_order::Why;
use super::judge_orders::InForce;
use super::place_orders::{self, Document, Origin, Place, Placed, Terms, place_orders};
use super::receive_payment::take;
use super::references::Known;
use super::refusal::Refusal;
use crate::domain::form::{BuyerForm, EXCHANGE, ExchangeForm, OrderForm, PaymentForm, Taken};
use crate::domain::intake::Priced;
use crate::domain::payment_terms::{PaymentTerms, PaymentTermsForm, Schedule};
use crate::domain::state::ReturnStatus;
use crate::settings::Rules;
use crate::store::orders::{self, OrderRow};
use crate::store::payment_deadlines::{self, DeadlineRow};
use crate::store::payments::{self, PaymentRow};
use crate::store::returns::{self, ReturnRow};

/// What the order is paid by: in advance, and for as long as its return is under way without a deadline.
const TERMS: PaymentTermsForm =
    PaymentTermsForm { kind: PaymentTerms::Prepaid, pay_by: None, deposit: None, balance_by: None };

/// An order to be placed with the approval of its return.
#[derive(Clone, Debug)]
pub struct NewOrder {
    /// The order.
    pub place: Place,
    /// Which orders are held.
    pub in_force: InForce,
}

/// What is wanted in exchange by a return that may still be approved, and the original order.
pub fn wanted(tx: &mut Tx<'_>, id: ReturnId) -> Result<Option<(OrderRow, ExchangeForm)>, Error> {
    let Some(row) = returns::find(tx, id.uuid())? else { return Ok(None) };
    let (Some(wish), Some(order_id)) = (&row.exchange, row.order_id) else { return Ok(None) };
    if !row.status()?.may_become(ReturnStatus::Approved) {
        return Ok(None);
    }
    let original = orders::find(tx, OrderId(order_id))?.ok_or(Error::Broken("a return's order is in the book"))?;
    Ok(Some((original, serde_json::from_str(wish)?)))
}

/// The order as a channel would hand it in: for the buyer, and credited to the guide and the store, of the original.
pub fn order_form(original: &OrderRow, wish: &ExchangeForm, id: ReturnId, now: Timestamp) -> Result<OrderForm, Error> {
    let document: Document = serde_json::from_str(&original.document)?;
    let buyer: BuyerForm = serde_json::from_str(&serde_json::to_string(&document.buyer)?)?;
    let mut fulfilment = wish.fulfilment.clone().unwrap_or_else(|| document.fulfilment.clone());
    if fulfilment.kind == FulfilmentKind::Ship && fulfilment.ship_to.is_none() {
        fulfilment.ship_to = document.fulfilment.ship_to;
    }
    Ok(OrderForm {
        channel: crate::store::code(&original.channel)?,
        channel_order_no: wish.channel_order_no.clone().unwrap_or_else(|| format!("EX-{id}")),
        parent_order_no: None,
        placed_at: now,
        channel_updated_at: None,
        currency: original.currency()?,
        buyer,
        fulfilment,
        lines: wish.lines.clone(),
        freight: wish.freight,
        discount: None,
        coupons: None,
        prices_include_tax: None,
        tax: None,
        payment_terms: Some(TERMS),
        payments: None,
        reservation_id: None,
        guide: document.guide,
        store: document.store,
        note: None,
    })
}

/// Makes an order of a checked form, linked to its return.
pub fn order_of(
    form: OrderForm,
    priced: &Priced,
    known: &Known,
    origin: Origin,
    (id, now): (ReturnId, Timestamp),
) -> Result<Place, Refusal> {
    let origin = Origin { key: None, ..origin };
    let (mut place, document) = Place::new(form, priced, known, origin, now).map_err(refused)?;
    let document = Document { exchange_of: Some(id), ..document };
    place.order.document = serde_json::to_string(&document).map_err(Error::from)?;
    Ok(place)
}

/// Why the order is not taken, with its fields as the return names them.
pub fn refused(refusal: impl Into<place_orders::Refusal>) -> Refusal {
    let mut problem = match refusal.into() {
        place_orders::Refusal::Store(error) => return Refusal::Store(error),
        place_orders::Refusal::Contradiction { order_id, .. } => return taken(order_id),
        refusal => Problem::from(refusal),
    };
    for error in &mut problem.errors {
        error.field = format!("exchange.{}", error.field);
    }
    Refusal::Intake(problem)
}

fn taken(order_id: OrderId) -> Refusal {
    let detail = format!("order {order_id} has this number already");
    Refusal::Intake(Problem::new(ProblemCode::Contradiction).field("exchange.channel_order_no", detail))
}

/// Places the order. Nothing may be locked yet: an intake locks its buyers before any order that was there. A refusal must
/// undo the transaction.
pub fn place(tx: &mut Tx<'_>, new: &NewOrder, rules: Rules) -> Result<Result<OrderId, Refusal>, Error> {
    let rules = Rules { unpaid_expires_after_seconds: 0, ..rules };
    let terms = Terms { rules, in_force: new.in_force.clone() };
    let placed = place_orders(tx, std::slice::from_ref(&new.place), &terms)?.pop();
    match placed.ok_or(Error::Broken("an order that is placed has an outcome"))? {
        Ok(Placed::New | Placed::Held(_)) => Ok(Ok(new.place.order.id())),
        Ok(Placed::Known(order_id)) => Ok(Err(taken(order_id))),
        Ok(Placed::Replayed(_)) => Err(Error::Broken("an order without a key is no replay")),
        Err(place_orders::Refusal::Store(error)) => Err(error),
        Err(refusal) => Ok(Err(refused(refusal))),
    }
}

/// Pays the order with what its return is worth, and gives the buyer time to pay the rest. Both orders must be locked.
pub fn credit(
    tx: &mut Tx<'_>,
    book: &mut Book,
    returned: &ReturnRow,
    caller: &Caller,
    rules: Rules,
) -> Result<(), Refusal> {
    let (order_id, return_id) = (book.order.id(), ReturnId(returned.return_id));
    if returned.exchange_amount > 0 {
        let amount = Money::new(returned.exchange_amount, book.order.currency()?);
        let reference = Some(return_id.to_string());
        let form = PaymentForm { method: EXCHANGE.to_owned(), amount, reference, status: Taken::default() };
        let before = payments::of(tx, &[order_id.uuid()])?.remove(&order_id.uuid()).unwrap_or_default();
        // Goods that came back pay also where the buyer has paid in as many parts as they may.
        let sequence = before.iter().map(|payment| payment.sequence).max().unwrap_or_default().saturating_add(1);
        let row = PaymentRow::new(order_id, sequence, &form, tx.now());
        let actor = caller.actor(Some(format!("return {return_id} was refunded")));
        take(tx, book, row, &Why { actor, cause: &caller.cause }, rules)?;
    }
    if !book.order.awaits_payment() {
        return Ok(());
    }
    let schedule = Schedule::of(&TERMS, tx.now(), rules.exchange_unpaid_expires_after_seconds);
    let row = DeadlineRow::new(order_id.uuid(), schedule, book.order.balance().paid());
    Ok(payment_deadlines::insert(tx, &row.into_iter().collect::<Vec<_>>())?)
}
