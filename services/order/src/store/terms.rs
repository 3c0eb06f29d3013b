//! The table `order_terms`: by what orders are found, as far as the job has sorted them in.

use diesel::prelude::*;
use diesel::sql_types::{Array, Text, Uuid as SqlUuid};
use store::{Error, Tx};
use uuid::Uuid;

use super::moves::Move;

/// The term of orders in a state.
pub fn status(status: &str) -> String {
    format!("status:{status}")
}

/// The term of orders whose money is in a state; those that are paid have none.
pub fn payment(status: &str) -> String {
    format!("payment:{status}")
}

/// Sorts orders that moved in anew. What they were found by before is left only where they still stand there.
pub fn sort_in(tx: &mut Tx<'_>, moves: &[Move]) -> Result<(), Error> {
    let (mut all, mut new, mut left): (Vec<Uuid>, Vec<Uuid>, Vec<Uuid>) = Default::default();
    let mut terms = Vec::new();
    for it in moves {
        all.extend(&it.orders);
        match (&it.status_before, &it.payment_before) {
            (Some(status_before), Some(payment_before)) => {
                for term in [status(status_before), payment(payment_before)] {
                    left.extend(&it.orders);
                    terms.extend(it.orders.iter().map(|_| term.clone()));
                }
            }
            _ => new.extend(&it.orders),
        }
        // Another document has other terms: they come as those of a new one do.
        if let Some(before) = &it.terms_before {
            new.extend(&it.orders);
            for term in before {
                left.extend(&it.orders);
                terms.extend(it.orders.iter().map(|_| term.clone()));
            }
        }
    }
    sort_out(tx, &left, &terms)?;
    diesel::sql_query(
        "INSERT INTO order_terms (term, channel, placed_at, order_id) \
         SELECT t.term, o.channel, o.placed_at, o.order_id FROM unnest($1) AS n (order_id) \
         JOIN orders o USING (order_id) CROSS JOIN LATERAL (SELECT 'status:' || o.status AS term UNION ALL \
         SELECT 'payment:' || o.payment_status WHERE o.payment_status <> 'paid') AS t ON CONFLICT DO NOTHING",
    )
    .bind::<Array<SqlUuid>, _>(all)
    .execute(tx.conn())?;
    diesel::sql_query(
        "INSERT INTO order_terms (term, channel, placed_at, order_id) \
         SELECT t.term, o.channel, o.placed_at, o.order_id FROM unnest($1) AS n (order_id) \
         JOIN orders o USING (order_id) CROSS JOIN LATERAL (SELECT unnest(order_document_terms(o.document)) AS term UNION \
         SELECT 'sku:' || l.sku FROM order_lines l WHERE l.order_id = o.order_id) AS t ON CONFLICT DO NOTHING",
    )
    .bind::<Array<SqlUuid>, _>(new)
    .execute(tx.conn())?;
    Ok(())
}

/// Removes the terms that orders have left.
fn sort_out(tx: &mut Tx<'_>, orders: &[Uuid], terms: &[String]) -> Result<(), Error> {
    if orders.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "DELETE FROM order_terms t USING unnest($1, $2) AS n (order_id, term), orders o \
         WHERE o.order_id = n.order_id AND n.term <> 'status:' || o.status AND n.term <> 'payment:' || o.payment_status \
         AND (n.term LIKE 'status:%' OR n.term LIKE 'payment:%' OR n.term <> ALL (order_document_terms(o.document))) \
         AND t.term = n.term COLLATE \"C\" AND t.channel = o.channel AND t.placed_at = o.placed_at \
         AND t.order_id = o.order_id",
    )
    .bind::<Array<SqlUuid>, _>(orders)
    .bind::<Array<Text>, _>(terms)
    .execute(tx.conn())?;
    Ok(())
}
