//! Hands packed fulfilment orders to a carrier: one list of parcels, and all of them ship by it, or none.

use std::collections::HashSet;

use ::store::Tx;
use contracts::FieldError;
use contracts::events::FulfilmentKind;
use kernel::LocationCode;
use kernel::id::{FulfilmentId, uuid_at};
use uuid::Uuid;

use super::book::Book;
use super::caller::Caller;
use super::move_fulfilment::{Move, move_fulfilments};
use super::refusal::Refusal;
use crate::domain::state::FulfilmentStatus;
use crate::settings::Rules;
use crate::store::fulfilments::{self, Fulfilment};
use crate::store::handovers::{self, HandedParcel, HandoverList};

/// The most fulfilment orders of a list: a van's load, shipped in one transaction.
pub const MAX_FULFILMENTS: usize = 500;

/// What is handed over.
#[derive(Clone, Debug)]
pub struct HandOver {
    /// Where.
    pub location: LocationCode,
    /// To whom.
    pub carrier: String,
    /// What; the oldest that are packed for the carrier, when left out.
    pub fulfilments: Option<Vec<FulfilmentId>>,
}

/// Ships it all; answers the list.
pub fn hand_over(tx: &mut Tx<'_>, command: &HandOver, caller: &Caller, rules: Rules) -> Result<HandoverList, Refusal> {
    caller.check_location(&command.location)?;
    let (ids, named) = match &command.fulfilments {
        Some(named) => (named.iter().map(|id| id.uuid()).collect(), true),
        None => {
            let limit = i64::try_from(MAX_FULFILMENTS).unwrap_or(i64::MAX);
            (handovers::packed_for(tx, &command.location, &command.carrier, limit)?, false)
        }
    };
    let orders = fulfilments::orders_of(tx, &ids)?;
    let books = Book::open_all(tx, &orders.values().copied().collect::<Vec<_>>())?;
    let mut seen = HashSet::new();
    let mut faults = Vec::new();
    let mut parcels = Vec::new();
    let mut moves = Vec::with_capacity(ids.len());
    let mut places = Vec::with_capacity(ids.len());
    for (index, id) in ids.into_iter().enumerate() {
        let book = orders.get(&id).and_then(|order| books.get(order));
        // Of what is named, nothing may be held: the move says why.
        if !named && book.is_some_and(|book| book.order.held) {
            continue;
        }
        match handed(book, id, command) {
            _ if !seen.insert(id) => faults.push((index, "is named twice".to_owned())),
            Ok(theirs) => {
                parcels.extend(theirs);
                moves.push((FulfilmentId(id), Move::Ship { parcels: Vec::new() }));
                places.push(index);
            }
            Err(detail) => faults.push((index, detail)),
        }
    }
    // What was found by its state alone may have been moved before its order was locked: it stays out.
    if named && !faults.is_empty() {
        return Err(faulty(faults));
    }
    if moves.is_empty() {
        return Err(Refusal::State(format!("nothing is packed for {} at {}", command.carrier, command.location)));
    }
    let caller = Caller { expected_version: None, ..caller.clone() };
    let mut faults = Vec::new();
    for (outcome, index) in move_fulfilments(tx, &moves, &caller, rules)?.into_iter().zip(places) {
        match outcome {
            Ok(_) => {}
            Err(Refusal::Invalid(errors)) => faults.extend(errors.into_iter().map(|it| (index, it.detail))),
            Err(other) => return Err(other),
        }
    }
    if !faults.is_empty() {
        return Err(faulty(faults));
    }
    let list = HandoverList {
        id: uuid_at(tx.now()),
        location: command.location.clone(),
        carrier: command.carrier.clone(),
        parcels,
        handed_at: tx.now(),
        handed_by: caller.principal.client_id.to_string(),
    };
    handovers::insert(tx, &list)?;
    Ok(list)
}

fn faulty(faults: Vec<(usize, String)>) -> Refusal {
    let fault = |(index, detail)| FieldError { field: format!("fulfilments[{index}]"), detail };
    Refusal::Invalid(faults.into_iter().map(fault).collect())
}

/// The parcels of a fulfilment order that may be handed over, or why it may not.
fn handed(book: Option<&Book>, id: Uuid, command: &HandOver) -> Result<Vec<HandedParcel>, String> {
    let found = book.and_then(|book| book.fulfilments.iter().find(|it| it.id.uuid() == id).map(|it| (book, it)));
    let Some((book, it)) = found.filter(|(_, it)| it.location == command.location) else {
        return Err(format!("is not a fulfilment order of {}", command.location));
    };
    check(it, &command.carrier)?;
    let parcel = |tracking_no: &String| HandedParcel {
        fulfilment_id: it.id,
        order_id: it.order_id,
        channel_order_no: book.order.channel_order_no.clone(),
        tracking_no: tracking_no.clone(),
    };
    Ok(it.parcels.iter().map(|it| parcel(&it.tracking_no)).collect())
}

fn check(it: &Fulfilment, carrier: &str) -> Result<(), String> {
    if it.kind == FulfilmentKind::Pickup {
        return Err("is collected by the buyer".to_owned());
    }
    if it.status != FulfilmentStatus::Packed {
        return Err(format!("is {}, not packed", it.status));
    }
    if it.parcels.is_empty() {
        return Err("was packed without naming its parcels".to_owned());
    }
    match it.parcels.iter().find(|parcel| parcel.carrier != carrier) {
        Some(other) => Err(format!("goes with {} in parcel {}", other.carrier, other.tracking_no)),
        None => Ok(()),
    }
}
