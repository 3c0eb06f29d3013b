//! Moves a return through its states: approved, received, inspected, refunded, or cancelled.

use ::store::{Error, Tx, outbox};
use contracts::events::{BundleComponent, Disposition, ReturnInspected, ReturnLine, ReturnReceived};
use kernel::id::{OrderId, ReturnId};
use kernel::{LocationCode, Quantity, SkuCode, Timestamp};
use uuid::Uuid;

use super::book::Book;
use super::caller::Caller;
use super::end_unpaid::{Ending, end_unpaid};
use super::exchange::{self, NewOrder};
use super::refund_return::refund;
use super::refusal::Refusal;
use crate::domain::return_reason::ReturnReason;
use crate::domain::state::ReturnStatus;
use crate::settings::Rules;
use crate::store::returns::{self, ReturnLineRow, ReturnRow};
use crate::store::{code, from_json_list, locks};

/// What is done with a return.
#[derive(Clone, Debug)]
pub enum Move {
    /// The goods may come.
    Approve {
        /// The order that is wanted in exchange.
        exchange: Option<Box<NewOrder>>,
    },
    /// The goods arrived.
    Receive {
        /// Where; the location that was asked for, when left out.
        location: Option<LocationCode>,
    },
    /// The goods were looked at.
    Inspect {
        /// What becomes of them.
        lines: Vec<Inspected>,
        /// Why they came back, as it turns out; as it was said, when left out.
        reason_code: Option<ReturnReason>,
    },
    /// The money goes back.
    Refund,
    /// It will not happen.
    Cancel,
}

impl Move {
    /// The state it leads to.
    pub const fn target(&self) -> ReturnStatus {
        match self {
            Self::Approve { .. } => ReturnStatus::Approved,
            Self::Receive { .. } => ReturnStatus::Received,
            Self::Inspect { .. } => ReturnStatus::Inspected,
            Self::Refund => ReturnStatus::Refunded,
            Self::Cancel => ReturnStatus::Cancelled,
        }
    }
}

/// What becomes of units of a return's line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// The line's place in the return.
    pub position: Option<i32>,
    /// The order line.
    pub line_no: Option<i32>,
    /// The SKU.
    pub sku: Option<SkuCode>,
    /// How many units; all that are not spoken of otherwise, when left out.
    pub quantity: Option<i64>,
    /// What becomes of them.
    pub disposition: Disposition,
}

/// A return under its lock, with its orders.
pub(super) struct Opened {
    /// Its row.
    pub row: ReturnRow,
    /// Its lines' rows.
    pub lines: Vec<ReturnLineRow>,
    /// The original order, if that is known.
    pub book: Option<Book>,
    /// The order of its exchange, if it has one.
    pub exchange: Option<Book>,
}

/// Why the order of an exchange is cancelled, as its event says.
const CANCELLED: &str = "return_cancelled";

/// Moves it.
pub fn move_return(tx: &mut Tx<'_>, id: ReturnId, step: &Move, caller: &Caller, rules: Rules) -> Result<(), Refusal> {
    let placed = match step {
        Move::Approve { exchange: Some(new) } => Some(exchange::place(tx, new, rules)?),
        _ => None,
    };
    let mut opened = open(tx, id)?;
    let row = &opened.row;
    caller.check_channel(&code(&row.channel)?)?;
    if let Some(location) = &row.location {
        caller.check_location(&code(location)?)?;
    }
    caller.check_version(row.version)?;
    if !row.status()?.may_become(step.target()) {
        return Err(Refusal::State(format!("a return that is {} cannot become {}", row.status, step.target())));
    }
    step.target().as_str().clone_into(&mut opened.row.status);
    opened.row.version = opened.row.version.saturating_add(1);
    opened.row.changed_at = tx.now().utc();
    opened.row.expires_at = None;
    let corrected = correct_reason(&mut opened.row, step)?;
    match step {
        Move::Approve { .. } => approve(&mut opened, placed, tx.now(), rules)?,
        Move::Receive { location } => receive(tx, &mut opened, location.as_ref(), caller)?,
        Move::Inspect { lines, .. } => inspect(tx, &mut opened, lines, caller)?,
        Move::Refund => refund(tx, &mut opened, caller, rules)?,
        Move::Cancel => cancel(tx, &mut opened, caller, rules)?,
    }
    returns::save(tx, &opened.row)?;
    if let Some(mut book) = opened.book {
        let what = match (step, opened.row.exchange_order_id) {
            (Move::Approve { .. }, Some(order)) => format!("return approved; in exchange order {order}"),
            _ => format!("return {}{corrected}", step.target()),
        };
        book.settle(tx, &caller.actor(None), &what, rules)?;
    }
    Ok(())
}

/// Takes the reason over that an inspection finds, if it is another one; answers what history says of that.
fn correct_reason(row: &mut ReturnRow, step: &Move) -> Result<String, Error> {
    let said = row.reason_code()?;
    let Move::Inspect { reason_code: Some(found), .. } = step else { return Ok(String::new()) };
    if *found == said {
        return Ok(String::new());
    }
    found.as_str().clone_into(&mut row.reason_code);
    Ok(format!("; its reason is {}, not {}", found.as_str(), said.as_str()))
}

fn open(tx: &mut Tx<'_>, id: ReturnId) -> Result<Opened, Refusal> {
    let missing = || Refusal::NotFound { what: "return", key: id.to_string() };
    let seen = returns::find(tx, id.uuid())?.ok_or_else(missing)?;
    // The orders' locks come first; what was seen before them may have changed.
    let orders: Vec<Uuid> = seen.order_id.into_iter().chain(seen.exchange_order_id).collect();
    let mut books = Book::open_all(tx, &orders)?;
    let gone = Error::Broken("the orders of a return are in the book");
    let book = seen.order_id.map(|order| books.remove(&order).ok_or(gone)).transpose()?;
    let row = locks::returned(tx, id)?.ok_or_else(missing)?;
    let lines = returns::lines(tx, &[row.return_id])?.remove(&row.return_id).unwrap_or_default();
    let exchange = match row.exchange_order_id {
        // It was placed meanwhile, and is newer than the original: its lock comes after.
        Some(order) if !books.contains_key(&order) => Book::open(tx, OrderId(order))?,
        Some(order) => books.remove(&order),
        None => None,
    };
    Ok(Opened { row, lines, book, exchange })
}

/// The goods may come, and what is wanted instead of them is promised.
fn approve(
    opened: &mut Opened,
    placed: Option<Result<OrderId, Refusal>>,
    now: Timestamp,
    rules: Rules,
) -> Result<(), Refusal> {
    let seconds = rules.return_expires_after_seconds;
    opened.row.expires_at = (seconds > 0).then(|| now.plus_seconds(seconds.into()).utc());
    if opened.row.exchange.is_some() {
        let order = placed.ok_or(Error::Broken("what is wanted in exchange is placed with the approval"))??;
        opened.row.exchange_order_id = Some(order.uuid());
    }
    Ok(())
}

fn receive(
    tx: &mut Tx<'_>,
    opened: &mut Opened,
    location: Option<&LocationCode>,
    caller: &Caller,
) -> Result<(), Refusal> {
    if let Some(location) = location {
        caller.check_location(location)?;
        opened.row.location = Some(location.to_string());
    }
    let arrived_at = arrived_at(&opened.row)?;
    let mut lines = Vec::with_capacity(opened.lines.len());
    for line in &opened.lines {
        explode(line, line.quantity, None, &mut lines)?;
    }
    let event = ReturnReceived {
        return_id: ReturnId(opened.row.return_id),
        order_id: opened.row.order_id.map(OrderId),
        location: arrived_at,
        lines,
        received_at: tx.now(),
    };
    Ok(outbox::append(tx, &event, &caller.cause)?)
}

fn arrived_at(row: &ReturnRow) -> Result<LocationCode, Refusal> {
    match &row.location {
        Some(location) => Ok(code(location)?),
        None => Err(Refusal::invalid("location", "is needed: nobody has said yet where the goods go")),
    }
}

/// The units of a return's line as the inventory counts them: a bundle by its components.
pub(super) fn explode(
    line: &ReturnLineRow,
    units: i64,
    disposition: Option<Disposition>,
    into: &mut Vec<ReturnLine>,
) -> Result<(), Error> {
    let components: Vec<BundleComponent> = from_json_list(line.components.as_deref())?;
    let mut push = |sku: SkuCode, units: i64| {
        let quantity = Quantity::try_from(units).map_err(|_| Error::Broken("a return's units are quantities"))?;
        into.push(ReturnLine { line_no: line.line_no, sku, quantity, disposition });
        Ok(())
    };
    if components.is_empty() {
        return push(code(&line.sku)?, units);
    }
    components.into_iter().try_for_each(|part| push(part.sku, units.saturating_mul(part.quantity.get())))
}

fn inspect(tx: &mut Tx<'_>, opened: &mut Opened, inspected: &[Inspected], caller: &Caller) -> Result<(), Refusal> {
    assign(&mut opened.lines, inspected)?;
    returns::save_lines(tx, &opened.lines)?;
    let mut lines = Vec::with_capacity(opened.lines.len());
    for line in &opened.lines {
        let parts = [
            (line.restock, Disposition::Restock),
            (line.quarantine, Disposition::Quarantine),
            (line.scrap, Disposition::Scrap),
        ];
        for (units, disposition) in parts.into_iter().filter(|(units, _)| *units > 0) {
            explode(line, units, Some(disposition), &mut lines)?;
        }
    }
    let event = ReturnInspected {
        return_id: ReturnId(opened.row.return_id),
        order_id: opened.row.order_id.map(OrderId),
        location: arrived_at(&opened.row)?,
        lines,
        inspected_at: tx.now(),
    };
    Ok(outbox::append(tx, &event, &caller.cause)?)
}

/// Gives every unit its disposition, or names what does not fit.
fn assign(lines: &mut [ReturnLineRow], inspected: &[Inspected]) -> Result<(), Refusal> {
    for (index, it) in inspected.iter().enumerate() {
        let matches = |line: &&mut ReturnLineRow| {
            it.position.is_none_or(|position| position == line.position)
                && (it.line_no.is_none() || it.line_no == line.line_no)
                && it.sku.as_ref().is_none_or(|sku| sku.as_str() == line.sku)
                && left(line) > 0
        };
        let line = lines.iter_mut().find(matches).ok_or_else(|| {
            Refusal::invalid(format!("lines[{index}]"), "names no line of the return that has units left to inspect")
        })?;
        let units = it.quantity.unwrap_or_else(|| left(line));
        if units > left(line) {
            let detail = format!("line {} of the return has {} units left to inspect", line.position, left(line));
            return Err(Refusal::invalid(format!("lines[{index}].quantity"), detail));
        }
        let part = match it.disposition {
            Disposition::Restock => &mut line.restock,
            Disposition::Quarantine => &mut line.quarantine,
            Disposition::Scrap => &mut line.scrap,
        };
        *part = part.saturating_add(units);
    }
    match lines.iter().find(|line| left(line) > 0) {
        None => Ok(()),
        Some(line) => {
            let detail =
                format!("leave {} units of line {} of the return without a disposition", left(line), line.position);
            Err(Refusal::invalid("lines", detail))
        }
    }
}

fn left(line: &ReturnLineRow) -> i64 {
    line.quantity.saturating_sub(line.restock).saturating_sub(line.quarantine).saturating_sub(line.scrap)
}

/// The units may be returned again. What was promised instead of them is promised no longer, unless the buyer has paid it.
fn cancel(tx: &mut Tx<'_>, opened: &mut Opened, caller: &Caller, rules: Rules) -> Result<(), Refusal> {
    let Some(book) = &mut opened.book else { return Ok(()) };
    unclaim(book, &opened.lines);
    let actor = caller.actor(Some(format!("return {} was cancelled", opened.row.return_id)));
    let ending = Ending { reason: CANCELLED, actor, cause: &caller.cause };
    Ok(end_unpaid(tx, opened.exchange.as_mut().into_iter().collect(), &ending, rules)?)
}

/// Lets units that a return has claimed be returned again, in memory.
pub(super) fn unclaim(book: &mut Book, lines: &[ReturnLineRow]) {
    for returned in lines {
        if let Some(line) = book.lines.iter_mut().find(|line| Some(line.line_no) == returned.line_no) {
            line.returned = line.returned.saturating_sub(returned.quantity);
        }
    }
}
