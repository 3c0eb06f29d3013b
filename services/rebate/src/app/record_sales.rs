//! Records what was sold. Nothing is earned yet: who bought is not known until the member service has answered.

use contracts::events::OrderPlaced;
use store::Tx;

use crate::domain::sale::{Sale, SaleLine};
use crate::store::facts;

/// Records the lines of placed orders, once each.
pub fn record_sales(tx: &mut Tx<'_>, orders: Vec<OrderPlaced>) -> Result<(), store::Error> {
    let sales: Vec<Sale> = orders.into_iter().map(sale_of).collect();
    facts::insert_sales(tx, &sales)
}

fn sale_of(order: OrderPlaced) -> Sale {
    let lines = order.lines.into_iter().map(|line| SaleLine::of(line, false));
    Sale {
        order_id: order.order_id,
        channel: order.channel.into(),
        placed_at: order.placed_at,
        currency: order.currency,
        guide: order.guide.map(Into::into),
        store: order.store.map(Into::into),
        lines: lines.collect(),
    }
}
