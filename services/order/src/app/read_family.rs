//! Reads the orders that a channel split one purchase into.

use ::store::{Error, Tx};
use kernel::id::OrderId;
use uuid::Uuid;

use super::place_orders::Document;
use crate::store::lines::{self, LineRow};
use crate::store::orders::{self, OrderRow};
use crate::store::search::{self, Filter};

/// The most orders of a family that are read: a purchase from more shops than this is none of a person's.
pub const MAX_ORDERS: i64 = 100;
/// The most pages that are searched for them: more than one only while many orders are not sorted in yet.
const MAX_PAGES: usize = 5;

/// The orders of one purchase.
#[derive(Clone, Debug)]
pub struct Family {
    /// The channel's number for the purchase.
    pub parent_order_no: String,
    /// The orders with their lines, the first placed first.
    pub orders: Vec<(OrderRow, Vec<LineRow>)>,
    /// Whether these are all.
    pub complete: bool,
}

/// The family of an order, if that is in the book: the orders that were split from the same purchase, or from the order
/// itself, and the order of the purchase where that is one.
pub fn read_family(tx: &mut Tx<'_>, id: OrderId) -> Result<Option<Family>, Error> {
    let Some(order) = orders::find(tx, id)? else { return Ok(None) };
    let document: Document = serde_json::from_str(&order.document)?;
    let parent_order_no = document.parent_order_no.unwrap_or(order.channel_order_no);
    let mut ids: Vec<Uuid> = vec![order.order_id];
    let parent = orders::numbered(tx, &[(order.channel.as_str(), parent_order_no.as_str())])?;
    ids.extend(parent.into_values().map(|it| it.order_id));
    let mut filter = Filter {
        channels: Some(vec![order.channel]),
        parent_order_no: Some(parent_order_no.clone()),
        ..Filter::default()
    };
    let mut complete = false;
    for _ in 0..MAX_PAGES {
        let found = search::search(tx, &filter, MAX_ORDERS)?;
        ids.extend(found.places.iter().map(|place| place.order_id));
        let Some(next) = found.next else {
            complete = true;
            break;
        };
        if i64::try_from(ids.len()).is_ok_and(|read| read >= MAX_ORDERS) {
            break;
        }
        filter.before = Some((next.placed_at.into(), next.order_id));
    }
    ids.sort_unstable();
    ids.dedup();
    let mut lines = lines::of(tx, &ids)?;
    let mut rows = orders::with_ids(tx, &ids)?;
    rows.sort_unstable_by_key(|row| (row.placed_at, row.order_id));
    let orders = rows.into_iter().map(|row| (lines.remove(&row.order_id).unwrap_or_default(), row));
    let orders = orders.map(|(lines, row)| (row, lines)).collect();
    Ok(Some(Family { parent_order_no, orders, complete }))
}
