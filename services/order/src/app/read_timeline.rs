//! Reads an order's timeline: its events and its changes, in the order of causes.

use std::collections::HashMap;

use ::store::{Error, Tx};
use chrono::{DateTime, Utc};
use kernel::id::OrderId;
use uuid::Uuid;

use crate::domain::timeline::{Link, in_order_of_causes};
use crate::store::events::{self, EventRow};
use crate::store::history::{self, ChangeRow};
use crate::store::orders::{self, OrderRow};

/// The most events of a timeline: an order of 2,000 lines stays below it while each line earns two payees something.
pub const MAX_EVENTS: i64 = 5_000;
/// The order book, as events name it.
const ORDER: &str = "order";

/// Something that happened to an order.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A service told of it.
    Event(EventRow),
    /// The order was changed; the event that led to it, where the change told of itself by one.
    Change(ChangeRow, Option<Uuid>),
}

/// An order and what happened to it.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// Its row.
    pub order: OrderRow,
    /// What happened; nothing comes before what led to it.
    pub entries: Vec<Entry>,
    /// Whether these are all of its events.
    pub complete: bool,
}

/// The timeline of an order, if it is in the book.
pub fn read_timeline(tx: &mut Tx<'_>, id: OrderId) -> Result<Option<Timeline>, Error> {
    let Some(order) = orders::find(tx, id)? else { return Ok(None) };
    let mut told = events::of(tx, id.uuid(), MAX_EVENTS.saturating_add(1))?;
    let most = usize::try_from(MAX_EVENTS).unwrap_or(usize::MAX);
    let complete = told.len() <= most;
    told.truncate(most);
    let changes = history::of(tx, id.uuid())?;
    let intake =
        ChangeRow { at: order.created_at, actor: order.created_by.clone(), what: "received".to_owned(), reason: None };
    // A change and the events it told were made by one transaction, at one instant, for one reason.
    let causes: HashMap<DateTime<Utc>, Uuid> =
        told.iter().filter(|it| it.source == ORDER).filter_map(|it| Some((it.at, it.cause_id?))).collect();
    let changes = std::iter::once(intake).chain(changes).map(|change| {
        let cause = causes.get(&change.at).copied();
        Entry::Change(change, cause)
    });
    let entries: Vec<Entry> = changes.chain(told.into_iter().map(Entry::Event)).collect();
    let links: Vec<Link> = entries.iter().map(Entry::link).collect();
    let mut places: Vec<Option<Entry>> = entries.into_iter().map(Some).collect();
    let sorted = in_order_of_causes(&links);
    let entries = sorted.into_iter().filter_map(|index| places.get_mut(index).and_then(Option::take)).collect();
    Ok(Some(Timeline { order, entries, complete }))
}

impl Entry {
    fn link(&self) -> Link {
        match self {
            Self::Event(event) => Link { at: event.at.into(), event: Some(event.event_id), cause: event.cause_id },
            Self::Change(change, cause) => Link { at: change.at.into(), event: None, cause: *cause },
        }
    }
}
