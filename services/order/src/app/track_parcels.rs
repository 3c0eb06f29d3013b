//! Takes what is known of parcels after they left: corrections of their list, and what carriers report of them. Once every
//! parcel is with the buyer, the fulfilment order is delivered.

use ::store::{Error, Tx};
use contracts::FieldError;
use contracts::events::FulfilmentKind;
use kernel::id::FulfilmentId;

use super::book::{Book, write_back};
use super::caller::Caller;
use super::move_fulfilment::{Move, check_parcels, missing, move_fulfilment};
use super::refusal::Refusal;
use crate::domain::state::FulfilmentStatus;
use crate::domain::tracking::{Correction, Update, correct};
use crate::settings::Rules;
use crate::store::fulfilments::{self, Fulfilment};
use crate::store::parcel_updates;

/// The most reports of a fulfilment order: twenty-five of each of the most parcels.
pub const MAX_UPDATES: i64 = 5_000;
/// A report may lie this far ahead, for clocks and time zones that are wrong.
const MAX_AHEAD_SECONDS: i64 = 24 * 3600;

/// What is known of parcels.
#[derive(Clone, Debug, Default)]
pub struct Track {
    /// Parcels that are added or corrected.
    pub parcels: Vec<Correction>,
    /// What happened to parcels.
    pub updates: Vec<Update>,
}

/// Takes it down; answers the fulfilment order as it is then.
pub fn track_parcels(
    tx: &mut Tx<'_>,
    id: FulfilmentId,
    command: &Track,
    caller: &Caller,
    rules: Rules,
) -> Result<Fulfilment, Refusal> {
    let order = fulfilments::orders_of(tx, &[id.uuid()])?.remove(&id.uuid()).ok_or_else(|| missing(id))?;
    let mut book = Book::open(tx, order.into())?.ok_or_else(|| missing(id))?;
    let found = book.fulfilments.iter().find(|it| it.id == id).cloned();
    let mut fulfilment = found.ok_or_else(|| missing(id))?;
    caller.check_location(&fulfilment.location)?;
    caller.check_version(fulfilment.version)?;
    check_state(&fulfilment, command)?;
    let parcels = correct(&fulfilment.parcels, &command.parcels).map_err(|fault| Refusal::Invalid(vec![fault]))?;
    check_parcels(&fulfilment, &parcels)?;
    fulfilment.parcels = parcels;
    check_updates(tx, &fulfilment, &command.updates)?;
    parcel_updates::add(tx, id, &command.updates)?;
    if !command.parcels.is_empty() {
        fulfilment = book.change_fulfilment(fulfilment, tx.now())?;
        fulfilments::save(tx, std::slice::from_ref(&fulfilment))?;
        let concluded = book.conclude(&caller.actor(None), &format!("{} parcels corrected", fulfilment.location))?;
        write_back(tx, &[&book], &[concluded], rules)?;
    }
    if !is_delivered(tx, &fulfilment)? {
        return Ok(fulfilment);
    }
    // The version that the caller has seen is checked already.
    let caller = Caller { expected_version: None, ..caller.clone() };
    move_fulfilment(tx, id, Move::Deliver, &caller, rules)
}

fn check_state(fulfilment: &Fulfilment, command: &Track) -> Result<(), Refusal> {
    if fulfilment.kind == FulfilmentKind::Pickup && fulfilment.status != FulfilmentStatus::Sent {
        return Err(Refusal::State("the goods are to be collected by the buyer".to_owned()));
    }
    match fulfilment.status {
        FulfilmentStatus::Shipped | FulfilmentStatus::Sent => Ok(()),
        FulfilmentStatus::Delivered if command.parcels.is_empty() => Ok(()),
        FulfilmentStatus::Delivered => Err(Refusal::State("the parcels have been delivered".to_owned())),
        status => Err(Refusal::State(format!("a fulfilment that is {status} has no parcels on their way"))),
    }
}

fn check_updates(tx: &mut Tx<'_>, fulfilment: &Fulfilment, updates: &[Update]) -> Result<(), Refusal> {
    let latest = tx.now().plus_seconds(MAX_AHEAD_SECONDS);
    let mut faults = Vec::new();
    for (index, update) in updates.iter().enumerate() {
        if !fulfilment.parcels.iter().any(|parcel| parcel.tracking_no == update.tracking_no) {
            let detail = format!("there is no parcel {} here", update.tracking_no);
            faults.push(FieldError { field: format!("updates[{index}].tracking_no"), detail });
        }
        if update.at > latest {
            let detail = "lies more than a day ahead".to_owned();
            faults.push(FieldError { field: format!("updates[{index}].at"), detail });
        }
    }
    let more = i64::try_from(updates.len()).unwrap_or(i64::MAX);
    if !updates.is_empty() && parcel_updates::count(tx, fulfilment.id)?.saturating_add(more) > MAX_UPDATES {
        let detail = format!("a fulfilment order has at most {MAX_UPDATES}");
        faults.push(FieldError { field: "updates".to_owned(), detail });
    }
    if faults.is_empty() { Ok(()) } else { Err(Refusal::Invalid(faults)) }
}

/// Whether it is on its way and all of its parcels have reached the buyer.
fn is_delivered(tx: &mut Tx<'_>, fulfilment: &Fulfilment) -> Result<bool, Error> {
    if fulfilment.status != FulfilmentStatus::Shipped || fulfilment.parcels.is_empty() {
        return Ok(false);
    }
    let delivered = parcel_updates::delivered(tx, fulfilment.id)?;
    Ok(fulfilment.parcels.iter().all(|parcel| delivered.contains(&parcel.tracking_no)))
}
