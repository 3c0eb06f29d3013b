//! The months of the order book: partitions of `orders`, `order_lines`, `order_history` and `order_events` by order id.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text, Timestamptz};
use store::{Error, Tx};

/// Makes the next partition that is missing up to three months ahead; answers its name, or none when all are there. Rather
/// than let orders wait behind a long reader of the default partition, it gives up after half a second: below the second
/// after which PostgreSQL looks for deadlocks, so that it is never an order that gives way.
pub fn make_next(tx: &mut Tx<'_>) -> Result<Option<String>, Error> {
    #[derive(QueryableByName)]
    struct Made {
        #[diesel(sql_type = Nullable<Text>)]
        made: Option<String>,
    }
    let now = tx.now().utc();
    tx.conn().batch_execute("SET LOCAL lock_timeout = '500ms'")?;
    let row: Made = diesel::sql_query("SELECT make_order_partition($1) AS made")
        .bind::<Timestamptz, _>(now)
        .get_result(tx.conn())?;
    Ok(row.made)
}
