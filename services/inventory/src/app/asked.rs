//! What was asked for orders so far: the lines as they were ordered, those that were added later among them, and what was
//! asked last.

use std::collections::HashMap;

use store::{Error, Tx};
use uuid::Uuid;

use crate::domain::{Line, Request, add_ordered};
use crate::store::decisions;

/// What was asked for an order.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The number of its newest decision.
    pub attempt: i32,
    /// What was asked of that.
    pub request: Request,
    /// Its lines as they were ordered.
    pub ordered: Vec<Line>,
}

/// What was asked for these orders, as far as they have been decided on.
pub fn asked(tx: &mut Tx<'_>, orders: &[Uuid]) -> Result<HashMap<Uuid, Asked>, Error> {
    let mut all: HashMap<Uuid, Asked> = HashMap::new();
    for stored in decisions::of_orders(tx, orders)? {
        let request = stored.request()?;
        let mut ordered = all.remove(&stored.order_id).map(|before| before.ordered).unwrap_or_default();
        add_ordered(&mut ordered, request.lines.clone());
        all.insert(stored.order_id, Asked { attempt: stored.attempt, request, ordered });
    }
    Ok(all)
}
