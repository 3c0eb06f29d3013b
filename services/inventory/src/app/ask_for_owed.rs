//! Asks the order book to take orders back whose units a till has sold.
//!
//! The inventory only asks: which orders nobody has picked yet is known to the order book alone. What it takes back it
//! tells as rejected, and the promises given back settle the debt before anything is promised anew.

use contracts::Cause;
use contracts::events::{StockOwing, StockShorted};
use kernel::Quantity;
use kernel::id::OrderId;
use store::{Error, Tx, outbox};

use crate::store::debts::{self, Promised};
use crate::store::{code, locks};

/// Balances asked for in one step: each event names up to [`MAX_ORDERS`] orders.
const MAX_BALANCES: i64 = 100;
/// Orders named for a balance, the newest. Each gives back a unit at least; what they cannot give is asked for again.
const MAX_ORDERS: i64 = 200;
/// After how long it is asked again where something is still owed: orders may have claimed holds, or been unknown.
const AGAIN_SECONDS: i64 = 60;

/// Asks for every balance that is due; says whether there may be more.
pub fn ask_for_owed(tx: &mut Tx<'_>) -> Result<bool, Error> {
    locks::pool(tx)?;
    let again = tx.now().plus_seconds(AGAIN_SECONDS);
    let rows = debts::due(tx, MAX_BALANCES, MAX_ORDERS, again)?;
    let mut balances: i64 = 0;
    for rows in rows.chunk_by(|a, b| (&a.sku, &a.location) == (&b.sku, &b.location)) {
        balances = balances.saturating_add(1);
        if let Some(event) = asked(tx, rows)? {
            outbox::append(tx, &event, &Cause::default())?;
        }
    }
    Ok(balances >= MAX_BALANCES)
}

fn asked(tx: &Tx<'_>, rows: &[Promised]) -> Result<Option<StockShorted>, Error> {
    let Some(first) = rows.first() else { return Ok(None) };
    let mut promised = Vec::with_capacity(rows.len());
    for row in rows {
        if let (Some(order), Ok(quantity)) = (row.order_id, Quantity::try_from(row.units)) {
            promised.push(StockOwing { order_id: OrderId(order), quantity });
        }
    }
    if promised.is_empty() {
        return Ok(None);
    }
    let units = Quantity::try_from(first.owed).map_err(|_| Error::Broken("what is asked for is owed"))?;
    let (sku, location) = (code(&first.sku)?, code(&first.location)?);
    Ok(Some(StockShorted { sku, location, units, promised, shorted_at: tx.now() }))
}
