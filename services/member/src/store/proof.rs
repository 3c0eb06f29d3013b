//! Proves that lots and holds tell the same as the ledger.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use store::{Error, Tx};

/// As many members as a proof names: one is an alert, a hundred show the pattern.
const MAX_DRIFTS: i64 = 100;

/// A member whose lots or holds do not add up to the ledger's balance.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct Drift {
    /// The member.
    #[diesel(sql_type = Text)]
    pub owner: String,
    /// `active` or `held`.
    #[diesel(sql_type = Text)]
    pub account: String,
    /// What the ledger says.
    #[diesel(sql_type = BigInt)]
    pub balance: i64,
    /// What the lots, or the open holds, add up to.
    #[diesel(sql_type = BigInt)]
    pub accounted: i64,
}

/// The members whose lots or holds drifted from the ledger.
pub fn drifts(tx: &mut Tx<'_>) -> Result<Vec<Drift>, Error> {
    Ok(diesel::sql_query(
        "WITH accounted AS (
             SELECT member_id::text AS owner, 'active' AS account, sum(remaining)::bigint AS points
             FROM point_lots WHERE remaining > 0 GROUP BY 1
             UNION ALL
             SELECT member_id::text, 'held', sum(points)::bigint FROM point_holds WHERE status = 'held' GROUP BY 1
         ),
         booked AS (
             SELECT owner, account, balance FROM ledger_balances
             WHERE unit = 'points' AND account IN ('active', 'held')
         )
         SELECT owner, account, coalesce(balance, 0) AS balance, coalesce(points, 0) AS accounted
         FROM booked FULL JOIN accounted USING (owner, account)
         WHERE coalesce(balance, 0) <> coalesce(points, 0) ORDER BY owner, account LIMIT $1",
    )
    .bind::<BigInt, _>(MAX_DRIFTS)
    .load(tx.conn())?)
}
