//! The table `promise_round`: which orders the order book is asked about next.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Timestamptz, Uuid as SqlUuid};
use store::{Error, Tx, statement};
use uuid::Uuid;

/// Where the round has come to.
#[derive(Clone, Copy, Debug, QueryableByName)]
pub struct Round {
    /// The order asked about last; none when the round is over.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub after: Option<Uuid>,
    /// When it began.
    #[diesel(sql_type = Timestamptz)]
    pub began_at: DateTime<Utc>,
}

/// Where the round has come to. One at a time reads this.
pub fn now_at(tx: &mut Tx<'_>) -> Result<Round, Error> {
    Ok(statement("SELECT after, began_at FROM promise_round").get_result(tx.conn())?)
}

/// Notes where the round has come to.
pub fn save(tx: &mut Tx<'_>, round: Round) -> Result<(), Error> {
    statement("UPDATE promise_round SET after = $1, began_at = $2")
        .bind::<Nullable<SqlUuid>, _>(round.after)
        .bind::<Timestamptz, _>(round.began_at)
        .execute(tx.conn())?;
    Ok(())
}

/// The next orders to which something is promised, by their ids, which tell when they came: after one and before another, up
/// to so many. Holds are not orders.
pub fn orders(tx: &mut Tx<'_>, after: Uuid, before: Uuid, limit: i64) -> Result<Vec<Uuid>, Error> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        owner: Uuid,
    }
    let rows: Vec<Row> = statement(
        "SELECT DISTINCT r.owner FROM reserved_lines r WHERE r.owner > $1 AND r.owner < $2 \
         AND EXISTS (SELECT FROM decisions d WHERE d.order_id = r.owner) ORDER BY r.owner LIMIT $3",
    )
    .bind::<SqlUuid, _>(after)
    .bind::<SqlUuid, _>(before)
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.owner).collect())
}
