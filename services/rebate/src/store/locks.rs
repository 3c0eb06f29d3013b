//! Every lock the service takes, in the order of its ids.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use store::Tx;
use uuid::Uuid;

use super::payees::PayeeRow;
use super::policies::PolicyRow;
use crate::domain::party::{BindingRole, SubjectKind};

/// An order whose rebates are guarded by this row's lock.
#[derive(Clone, Copy, Debug, QueryableByName)]
pub struct LockedOrder {
    /// The order.
    #[diesel(sql_type = SqlUuid)]
    pub order_id: Uuid,
    /// When its accruals became payable, if they have.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub earned_at: Option<DateTime<Utc>>,
}

/// Locks the attributed ones of these orders until the transaction ends; an order not attributed yet is left out.
pub fn lock_orders(tx: &mut Tx<'_>, order_ids: &[Uuid]) -> Result<Vec<LockedOrder>, store::Error> {
    let rows = diesel::sql_query(
        "select order_id, earned_at from attributions where order_id = any($1) order by order_id for update",
    )
    .bind::<Array<SqlUuid>, _>(order_ids)
    .load(tx.conn())?;
    Ok(rows)
}

/// Makes batches of till transactions take turns: what one brings may be what another takes back.
pub fn lock_tills(tx: &mut Tx<'_>) -> Result<(), store::Error> {
    diesel::sql_query("select pg_advisory_xact_lock(hashtextextended('rebate/tills', 0))").execute(tx.conn())?;
    Ok(())
}

/// Locks everything that is bound to a subject in a role, also when nothing is bound yet.
pub fn lock_subject(tx: &mut Tx<'_>, role: BindingRole, kind: SubjectKind, subject: &str) -> Result<(), store::Error> {
    #[derive(QueryableByName)]
    struct Locked {
        #[diesel(sql_type = BigInt)]
        #[expect(dead_code, reason = "the lock is the answer")]
        locked: i64,
    }
    let _: Locked = diesel::sql_query("select 1::bigint as locked from pg_advisory_xact_lock(hashtextextended($1, 0))")
        .bind::<Text, _>(format!("binding/{}/{}/{subject}", role.as_str(), kind.as_str()))
        .get_result(tx.conn())?;
    Ok(())
}

/// Locks a payee.
pub fn lock_payee(tx: &mut Tx<'_>, code: &str) -> Result<Option<PayeeRow>, store::Error> {
    let row = diesel::sql_query("select code, name, kind, status, version from payees where code = $1 for update")
        .bind::<Text, _>(code)
        .get_result(tx.conn())
        .optional()?;
    Ok(row)
}

/// Locks every version of the policy that this version belongs to, oldest first.
pub fn lock_policy(tx: &mut Tx<'_>, policy_id: Uuid) -> Result<Vec<PolicyRow>, store::Error> {
    let rows = diesel::sql_query(
        "select p.policy_id, p.code, p.version, p.name, p.status, p.document, p.created_by, p.created_at, p.approved_by,
                p.approved_at, p.activated_at, p.ended_at, p.revision
         from policies p
         where p.code = (select code from policies where policy_id = $1)
         order by p.version for update",
    )
    .bind::<SqlUuid, _>(policy_id)
    .load(tx.conn())?;
    Ok(rows)
}
