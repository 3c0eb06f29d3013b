//! Asks the order book where orders stand to which something has been promised for long, so that no promise outlives what
//! it was for: of a cancellation, a short pick or a shipment whose event was lost, nobody else knows.

use contracts::Cause;
use contracts::events::StockPromisedLong;
use kernel::id::OrderId;
use store::{Error, Tx, outbox};
use uuid::Uuid;

use crate::store::promise_round::{self, Round};

/// An order is asked about when it is a day old, and then once a day for as long as something is promised to it.
pub const A_DAY_SECONDS: i64 = 86_400;
/// Orders asked about in one step.
const ORDERS_PER_STEP: i64 = 200;

/// Asks about the next orders of the round, or begins the next round when it is due; says whether there may be more.
pub fn question_promises(tx: &mut Tx<'_>) -> Result<bool, Error> {
    let a_day_ago = tx.now().plus_seconds(A_DAY_SECONDS.saturating_neg());
    let mut round = promise_round::now_at(tx)?;
    if round.after.is_none() {
        if round.began_at > a_day_ago.utc() {
            return Ok(false);
        }
        round = Round { after: Some(Uuid::nil()), began_at: tx.now().utc() };
    }
    let after = round.after.unwrap_or_default();
    let orders = promise_round::orders(tx, after, first_since(a_day_ago.utc().timestamp_millis()), ORDERS_PER_STEP)?;
    for order in &orders {
        let event = StockPromisedLong { order_id: OrderId(*order), found_at: tx.now() };
        outbox::append(tx, &event, &Cause::default())?;
    }
    let more = i64::try_from(orders.len()).is_ok_and(|orders| orders >= ORDERS_PER_STEP);
    promise_round::save(tx, Round { after: orders.last().copied().filter(|_| more), ..round })?;
    Ok(more)
}

/// The least id that an order can have that came at this millisecond or later.
fn first_since(millis: i64) -> Uuid {
    Uuid::from_u128(u128::try_from(millis).unwrap_or_default() << 80)
}
