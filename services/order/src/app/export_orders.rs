//! Reads orders for an export: what a list has, less what only a page for people shows.

use std::cmp::Reverse;

use ::store::{Error, Tx};
use kernel::Timestamp;
use uuid::Uuid;

use super::place_orders::Document;
use crate::store::lines::{self, LineRow};
use crate::store::members;
use crate::store::orders::{self, OrderRow};
use crate::store::search::{self, Filter};

/// An order of an export.
#[derive(Clone, Debug)]
pub struct Exported {
    /// Its row.
    pub order: OrderRow,
    /// What of it has no column of its own.
    pub document: Document,
    /// Its lines' rows.
    pub lines: Vec<LineRow>,
    /// The member who bought, when known.
    pub member: Option<Uuid>,
}

/// A page of an export, and the filter of the next one; none after the last.
pub fn export_orders(tx: &mut Tx<'_>, filter: &Filter, limit: i64) -> Result<(Vec<Exported>, Option<Filter>), Error> {
    let found = search::search(tx, filter, limit)?;
    let ids: Vec<Uuid> = found.places.iter().map(|place| place.order_id).collect();
    let mut rows = orders::with_ids(tx, &ids)?;
    rows.sort_unstable_by_key(|row| Reverse((row.placed_at, row.order_id)));
    let mut lines = lines::of(tx, &ids)?;
    let members = members::of(tx, &ids)?;
    let mut exported = Vec::with_capacity(rows.len());
    for order in rows {
        exported.push(Exported {
            document: serde_json::from_str(&order.document)?,
            lines: lines.remove(&order.order_id).unwrap_or_default(),
            member: members.get(&order.order_id).copied(),
            order,
        });
    }
    let next = found.next.map(|place| {
        let before = Some((Timestamp::from(place.placed_at), place.order_id));
        Filter { before, ..filter.clone() }
    });
    Ok((exported, next))
}
