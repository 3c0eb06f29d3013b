//! Moves fulfilment orders through their states, and their orders with them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ::store::{Error, Tx, outbox};
use contracts::Cause;
use contracts::events::{
    FulfilmentAccepted, FulfilmentArrived, FulfilmentDelivered, FulfilmentKind, FulfilmentLine, FulfilmentRejected,
    FulfilmentSent, FulfilmentShipped, Parcel,
};
use kernel::Timestamp;
use kernel::id::{FulfilmentId, uuid_at};
use uuid::Uuid;

use super::book::{Book, Concluded, write_back};
use super::caller::Caller;
use super::hold_order::reasons;
use super::refusal::Refusal;
use crate::domain::cover;
use crate::domain::picking::{Found, pick};
use crate::domain::service_level::{Counts, Measure, Sum};
use crate::domain::state::FulfilmentStatus;
use crate::settings::{FulfilmentSettings, Rules};
use crate::store::fulfilments::{self, Fulfilment};
use crate::store::{holds, service_levels};

/// Why units that a location has not found are sourced elsewhere.
pub const SHORT_PICK: &str = "short_pick";

/// Why a fulfilment order is over of which nothing came that was sent.
const LOST: &str = "lost";

/// What a location does with a fulfilment order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// Takes it on.
    Accept,
    /// Refuses it.
    Reject {
        /// Why.
        reason: String,
    },
    /// Has the goods off the shelf.
    Pick {
        /// What was found; everything, when left out.
        found: Option<Vec<Found>>,
    },
    /// Has the goods in their parcels.
    Pack {
        /// The parcels, where they have their numbers already.
        parcels: Vec<Parcel>,
    },
    /// Hands the parcels to the carrier.
    Ship {
        /// The parcels; those that were packed, or none when the location delivers by itself.
        parcels: Vec<Parcel>,
    },
    /// The goods reached the buyer.
    Deliver,
    /// The goods wait at the counter.
    Ready {
        /// What came of goods that another location has sent; everything, when left out.
        found: Option<Vec<Found>>,
    },
    /// The buyer took them away.
    Collect {
        /// The code the buyer shows.
        code: String,
    },
}

impl Move {
    /// The state it leads to.
    const fn target(&self, it: &Fulfilment) -> FulfilmentStatus {
        match self {
            Self::Accept => FulfilmentStatus::Accepted,
            Self::Reject { .. } => FulfilmentStatus::Rejected,
            Self::Pick { .. } => FulfilmentStatus::Picked,
            Self::Pack { .. } => FulfilmentStatus::Packed,
            Self::Ship { .. } if it.collect_at.is_some() => FulfilmentStatus::Sent,
            Self::Ship { .. } => FulfilmentStatus::Shipped,
            Self::Deliver => FulfilmentStatus::Delivered,
            Self::Ready { .. } => FulfilmentStatus::Ready,
            Self::Collect { .. } => FulfilmentStatus::Collected,
        }
    }

    /// Whether it brings the goods nearer to the buyer. What has left may arrive, and be refused at any time.
    const fn goes_on(&self) -> bool {
        !matches!(self, Self::Reject { .. } | Self::Deliver)
    }

    const fn fits(&self, kind: FulfilmentKind) -> bool {
        match self {
            Self::Ship { .. } | Self::Deliver => matches!(kind, FulfilmentKind::Ship),
            Self::Ready { .. } | Self::Collect { .. } => matches!(kind, FulfilmentKind::Pickup),
            Self::Accept | Self::Reject { .. } | Self::Pick { .. } | Self::Pack { .. } => true,
        }
    }
}

/// Moves one; answers it as it is then.
pub fn move_fulfilment(
    tx: &mut Tx<'_>,
    id: FulfilmentId,
    step: Move,
    caller: &Caller,
    rules: Rules,
) -> Result<Fulfilment, Refusal> {
    let moved = move_fulfilments(tx, &[(id, step)], caller, rules)?.pop();
    moved.ok_or(Error::Broken("a move has an outcome"))?
}

/// Moves them one after the other, the same one perhaps several times, in a constant number of statements; answers each
/// as it is after its move. A refused move leaves nothing behind.
pub fn move_fulfilments(
    tx: &mut Tx<'_>,
    moves: &[(FulfilmentId, Move)],
    caller: &Caller,
    rules: Rules,
) -> Result<Vec<Result<Fulfilment, Refusal>>, Error> {
    let ids: Vec<Uuid> = moves.iter().map(|(id, _)| id.uuid()).collect();
    let orders = fulfilments::orders_of(tx, &ids)?;
    // The orders' locks come first; what was seen before them may have changed.
    let mut books = Book::open_all(tx, &orders.values().copied().collect::<Vec<_>>())?;
    let held = held_for(tx, &books)?;
    let mut moved: BTreeMap<Uuid, Fulfilment> = BTreeMap::new();
    let mut concluded = Vec::with_capacity(moves.len());
    let mut outcomes = Vec::with_capacity(moves.len());
    let mut counts = Counts::default();
    for (id, step) in moves {
        let book = orders.get(&id.uuid()).and_then(|order| books.get_mut(order));
        let outcome = match book {
            None => Err(missing(*id)),
            Some(book) => {
                let held_for = held.get(&book.order.order_id).map(String::as_str);
                move_one(tx, book, Step { id: *id, step, held_for }, caller, rules.fulfilment)
            }
        };
        match outcome {
            Ok(Made { fulfilment, concluded: conclusion, counted }) => {
                if let Some((measure, sum)) = counted {
                    let reason = fulfilment.reason.as_deref().filter(|_| measure == Measure::Rejected);
                    // What was sent on counts for who sent it, and what became of it there for who has it.
                    let sent = fulfilment.sent_from.as_ref().filter(|_| measure == Measure::Shipped);
                    counts.add_for(sent.unwrap_or(&fulfilment.location), (measure, reason.unwrap_or_default()), sum);
                }
                moved.insert(id.uuid(), fulfilment.clone());
                concluded.push(conclusion);
                outcomes.push(Ok(fulfilment));
            }
            Err(Refusal::Store(error)) => return Err(error),
            Err(refusal) => outcomes.push(Err(refusal)),
        }
    }
    let changed: BTreeSet<Uuid> = moved.values().map(|it| it.order_id.uuid()).collect();
    if !changed.is_empty() {
        fulfilments::save(tx, &moved.into_values().collect::<Vec<_>>())?;
        let changed: Vec<&Book> = changed.iter().filter_map(|id| books.get(id)).collect();
        write_back(tx, &changed, &concluded, rules)?;
        service_levels::add(tx, tx.now().day_in(rules.zone), &counts)?;
    }
    Ok(outcomes)
}

pub(super) fn missing(id: FulfilmentId) -> Refusal {
    Refusal::NotFound { what: "fulfilment", key: id.to_string() }
}

/// Why orders are held, those that are.
fn held_for(tx: &mut Tx<'_>, books: &BTreeMap<Uuid, Book>) -> Result<HashMap<Uuid, String>, Error> {
    let held: Vec<Uuid> = books.values().filter(|book| book.order.held).map(|book| book.order.order_id).collect();
    if held.is_empty() {
        return Ok(HashMap::new());
    }
    Ok(holds::open_of(tx, &held)?.into_iter().map(|(order, open)| (order, reasons(&open))).collect())
}

/// A move that is to be made, and why its order is held, if it is.
struct Step<'a> {
    id: FulfilmentId,
    step: &'a Move,
    held_for: Option<&'a str>,
}

/// A move that was made.
struct Made {
    fulfilment: Fulfilment,
    concluded: Concluded,
    counted: Option<(Measure, Sum)>,
}

/// Moves one in its order, in memory, and tells of it. Whatever is refused is refused before anything changes.
fn move_one(
    tx: &mut Tx<'_>,
    book: &mut Book,
    Step { id, step, held_for }: Step<'_>,
    caller: &Caller,
    settings: FulfilmentSettings,
) -> Result<Made, Refusal> {
    let mut fulfilment = book.fulfilments.iter().find(|it| it.id == id).cloned().ok_or_else(|| missing(id))?;
    caller.check_location(&fulfilment.location)?;
    caller.check_version(fulfilment.version)?;
    check(&fulfilment, step)?;
    if let Some(reasons) = held_for.filter(|_| step.goes_on()) {
        return Err(Refusal::State(format!("the order is held until it is released: {reasons}")));
    }
    let now = tx.now();
    let mut refused = None;
    let (from, mut missing) = (fulfilment.location.clone(), Vec::new());
    fulfilment.status = step.target(&fulfilment);
    match step {
        Move::Reject { reason } => refused = Some((reason.as_str(), fulfilment.lines.clone())),
        Move::Pick { found: Some(found) } => {
            let picked = pick(&fulfilment.lines, found).map_err(|fault| Refusal::Invalid(vec![fault]))?;
            if picked.taken.is_empty() {
                fulfilment.status = FulfilmentStatus::Rejected;
            } else {
                fulfilment.lines = picked.taken;
            }
            refused = Some((SHORT_PICK, picked.missing)).filter(|(_, missing)| !missing.is_empty());
        }
        Move::Pack { parcels } | Move::Ship { parcels } if !parcels.is_empty() => {
            fulfilment.parcels.clone_from(parcels)
        }
        Move::Ready { found } => {
            if let Some(found) = found {
                let came = pick(&fulfilment.lines, found).map_err(|fault| Refusal::Invalid(vec![fault]))?;
                missing = came.missing;
                if came.taken.is_empty() {
                    (fulfilment.status, fulfilment.reason) = (FulfilmentStatus::Rejected, Some(LOST.to_owned()));
                } else {
                    fulfilment.lines = came.taken;
                }
            }
            if fulfilment.status == FulfilmentStatus::Ready {
                fulfilment.collect_code = Some(collect_code(now));
                (fulfilment.times.collect_by, fulfilment.times.remind_at) = settings.collecting(now);
            }
        }
        Move::Accept
        | Move::Pick { found: None }
        | Move::Pack { .. }
        | Move::Ship { .. }
        | Move::Deliver
        | Move::Collect { .. } => {}
    }
    if fulfilment.status == FulfilmentStatus::Sent {
        // From now on it is another location's to hand over.
        fulfilment.kind = FulfilmentKind::Pickup;
        fulfilment.location = fulfilment.collect_at.clone().ok_or(Error::Broken("what is sent goes somewhere"))?;
        fulfilment.sent_from = Some(from.clone());
    }
    fulfilment.times.note(fulfilment.status, now);
    let reason = refused.as_ref().map(|(reason, _)| (*reason).to_owned());
    if fulfilment.status == FulfilmentStatus::Rejected && reason.is_some() {
        fulfilment.reason.clone_from(&reason);
    }
    book.order.disturbed |= refused.is_some() || !missing.is_empty();
    let fulfilment = book.change_fulfilment(fulfilment, now)?;
    let pieces = book.pieces();
    for line in &mut book.lines {
        line.shipped = cover::shipped_units(line, &pieces);
    }
    let what = format!("{from} {}", fulfilment.status);
    let concluded = book.conclude(&caller.actor(reason), &what)?;
    let counted = counted(&fulfilment, refused.is_some(), settings);
    tell(tx, &fulfilment, Untold { refused, missing }, &caller.cause)?;
    Ok(Made { fulfilment, concluded, counted })
}

/// What a move counts as in its location's statistics.
fn counted(it: &Fulfilment, is_short: bool, settings: FulfilmentSettings) -> Option<(Measure, Sum)> {
    let (now, at_most) = (it.changed_at, settings.overdue_after_seconds.into());
    let accepted_at = it.times.accepted_at.map(Timestamp::from);
    match it.status {
        FulfilmentStatus::Accepted => Some((Measure::Accepted, Sum::between(Some(it.offered_at), now, 0))),
        // What was lost on the way was nobody's to refuse, and how long it was on its way nobody's fault.
        FulfilmentStatus::Rejected | FulfilmentStatus::Ready if it.sent_from.is_some() => None,
        FulfilmentStatus::Rejected => Some((Measure::Rejected, Sum::ONE)),
        FulfilmentStatus::Picked if is_short => Some((Measure::ShortPicked, Sum::ONE)),
        FulfilmentStatus::Shipped | FulfilmentStatus::Sent => {
            Some((Measure::Shipped, Sum::between(accepted_at, now, at_most)))
        }
        FulfilmentStatus::Ready => Some((Measure::Ready, Sum::between(accepted_at, now, at_most))),
        FulfilmentStatus::Collected => {
            let ready_at = it.times.ready_at.map(Timestamp::from);
            Some((Measure::Collected, Sum::between(ready_at, now, 0)))
        }
        _ => None,
    }
}

fn check(fulfilment: &Fulfilment, step: &Move) -> Result<(), Refusal> {
    let is_sent = fulfilment.status == FulfilmentStatus::Sent;
    if is_sent && matches!(step, Move::Reject { .. }) {
        return Err(Refusal::State(
            "the goods are on their way: what comes of them is said when they are ready".to_owned(),
        ));
    }
    if !is_sent && matches!(step, Move::Ready { found: Some(_) }) {
        return Err(Refusal::invalid("lines", "belong to goods that another location has sent"));
    }
    if !step.fits(fulfilment.kind) {
        let kind = if fulfilment.kind == FulfilmentKind::Pickup { "collected by the buyer" } else { "shipped" };
        return Err(Refusal::State(format!("the goods are to be {kind}")));
    }
    let target = step.target(fulfilment);
    if !fulfilment.status.may_become(target) {
        return Err(Refusal::State(format!("a fulfilment that is {} cannot become {target}", fulfilment.status)));
    }
    match step {
        // Units that were cancelled after they were packed must not leave.
        Move::Ship { parcels } if parcels.is_empty() => check_parcels(fulfilment, &fulfilment.parcels),
        Move::Pack { parcels } | Move::Ship { parcels } => check_parcels(fulfilment, parcels),
        Move::Collect { code } if fulfilment.collect_code.as_ref() != Some(code) => {
            Err(Refusal::Rule(contracts::FieldError {
                field: "code".to_owned(),
                detail: "is not the code of this fulfilment".to_owned(),
            }))
        }
        _ => Ok(()),
    }
}

/// Parcels that name their content may not hold more than the fulfilment order.
pub(super) fn check_parcels(fulfilment: &Fulfilment, parcels: &[Parcel]) -> Result<(), Refusal> {
    let mut left = std::collections::HashMap::new();
    for line in &fulfilment.lines {
        let units: &mut i64 = left.entry(line.line_no).or_default();
        *units = units.saturating_add(line.quantity.get());
    }
    for (index, parcel) in parcels.iter().enumerate() {
        for (place, line) in parcel.lines.iter().enumerate() {
            let units = left.entry(line.line_no).or_default();
            *units = units.saturating_sub(line.quantity.get());
            if *units < 0 {
                let field = format!("parcels[{index}].lines[{place}]");
                return Err(Refusal::invalid(field, format!("line {} has fewer units here", line.line_no)));
            }
        }
    }
    Ok(())
}

/// Six digits out of a fresh id's random bits: enough for somebody who stands at the counter.
fn collect_code(now: Timestamp) -> String {
    format!("{:06}", uuid_at(now).as_u128() % 1_000_000)
}

/// What of a fulfilment order is no longer in it.
struct Untold<'a> {
    /// What its location refused, and why.
    refused: Option<(&'a str, Vec<FulfilmentLine>)>,
    /// What was lost on its way.
    missing: Vec<FulfilmentLine>,
}

/// Tells what a move has changed for others: what was refused, with its reason, or where the fulfilment order is now.
fn tell(tx: &mut Tx<'_>, it: &Fulfilment, untold: Untold<'_>, cause: &Cause) -> Result<(), Error> {
    let now = tx.now();
    let Untold { refused, missing } = untold;
    let (fulfilment_id, order_id, location) = (it.id, it.order_id, it.location.clone());
    match (it.status, &it.sent_from) {
        (FulfilmentStatus::Sent, Some(from)) => {
            let (location, to, lines, parcels) = (from.clone(), location, it.lines.clone(), it.parcels.clone());
            let event = FulfilmentSent { fulfilment_id, order_id, location, to, lines, parcels, sent_at: now };
            return outbox::append(tx, &event, cause);
        }
        (FulfilmentStatus::Ready | FulfilmentStatus::Rejected, Some(from)) => {
            let lines = if it.status == FulfilmentStatus::Ready { it.lines.clone() } else { Vec::new() };
            let from = from.clone();
            let event = FulfilmentArrived { fulfilment_id, order_id, location, from, lines, missing, arrived_at: now };
            return outbox::append(tx, &event, cause);
        }
        _ => {}
    }
    if let Some((reason, lines)) = refused {
        let event = FulfilmentRejected { lines, reason: reason.to_owned(), ..it.rejected(now) };
        outbox::append(tx, &event, cause)?;
    }
    if it.status == FulfilmentStatus::Accepted {
        let event = FulfilmentAccepted { fulfilment_id, order_id, location, accepted_at: now };
        return outbox::append(tx, &event, cause);
    }
    // What the buyer takes away leaves the shelf and arrives at once.
    if matches!(it.status, FulfilmentStatus::Shipped | FulfilmentStatus::Collected) {
        let (lines, parcels, location) = (it.lines.clone(), it.parcels.clone(), location.clone());
        let event = FulfilmentShipped { fulfilment_id, order_id, location, lines, parcels, shipped_at: now };
        outbox::append(tx, &event, cause)?;
    }
    if it.status.has_arrived() {
        let event = FulfilmentDelivered { fulfilment_id, order_id, location, delivered_at: now };
        outbox::append(tx, &event, cause)?;
    }
    Ok(())
}
