//! Every row lock of the service: a member's row, in id order, stands for everything the member has.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use store::{Error, Tx};
use uuid::Uuid;

/// A member under lock: what changes together with points and purchases.
#[derive(Clone, Debug, QueryableByName)]
pub struct LockedMember {
    /// The member.
    #[diesel(sql_type = SqlUuid)]
    pub member_id: Uuid,
    /// The tier that was last told.
    #[diesel(sql_type = Text)]
    pub tier: String,
    /// Since when.
    #[diesel(sql_type = Timestamptz)]
    pub tier_since: DateTime<Utc>,
    /// When it is lost if nothing more is bought.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub tier_until: Option<DateTime<Utc>>,
}

/// Makes batches of till transactions take turns: what one brings may be what another gives back.
pub fn lock_tills(tx: &mut Tx<'_>) -> Result<(), Error> {
    diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended('member/tills', 0))").execute(tx.conn())?;
    Ok(())
}

/// Locks these members until the transaction ends; who does not exist is left out.
pub fn lock_members(tx: &mut Tx<'_>, members: &[Uuid]) -> Result<Vec<LockedMember>, Error> {
    Ok(diesel::sql_query(
        "SELECT member_id, tier, tier_since, tier_until FROM members
         WHERE member_id = ANY ($1) ORDER BY member_id FOR UPDATE",
    )
    .bind::<Array<SqlUuid>, _>(members)
    .load(tx.conn())?)
}
