//! Rows of members.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use store::{Error, Tx};
use uuid::Uuid;

use super::locks::LockedMember;

/// A member to be registered.
pub struct NewMember {
    /// The member.
    pub member_id: Uuid,
    /// The wrapped key of the personal data.
    pub data_key: Vec<u8>,
    /// The sealed profile.
    pub profile: Option<Vec<u8>>,
}

/// Registers members, all in the same tier.
pub fn insert(tx: &mut Tx<'_>, members: &[NewMember], tier: &str) -> Result<(), Error> {
    if members.is_empty() {
        return Ok(());
    }
    let now = tx.now().utc();
    diesel::sql_query(
        "INSERT INTO members (member_id, data_key, profile, registered_at, tier, tier_since)
         SELECT member_id, data_key, profile, $4, $5, $4 FROM unnest($1, $2, $3) AS m (member_id, data_key, profile)",
    )
    .bind::<Array<SqlUuid>, _>(members.iter().map(|member| member.member_id).collect::<Vec<_>>())
    .bind::<Array<Binary>, _>(members.iter().map(|member| member.data_key.as_slice()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Binary>>, _>(members.iter().map(|member| member.profile.as_deref()).collect::<Vec<_>>())
    .bind::<Timestamptz, _>(now)
    .bind::<Text, _>(tier)
    .execute(tx.conn())?;
    Ok(())
}

/// A member's wrapped key.
#[derive(QueryableByName)]
pub struct DataKey {
    /// The member.
    #[diesel(sql_type = SqlUuid)]
    pub member_id: Uuid,
    /// The wrapped key.
    #[diesel(sql_type = Binary)]
    pub data_key: Vec<u8>,
}

/// The wrapped keys of these members.
pub fn data_keys(tx: &mut Tx<'_>, members: &[Uuid]) -> Result<Vec<DataKey>, Error> {
    if members.is_empty() {
        return Ok(Vec::new());
    }
    Ok(diesel::sql_query("SELECT member_id, data_key FROM members WHERE member_id = ANY ($1)")
        .bind::<Array<SqlUuid>, _>(members)
        .load(tx.conn())?)
}

/// A member's row.
#[derive(QueryableByName)]
pub struct MemberRow {
    /// The wrapped key.
    #[diesel(sql_type = Binary)]
    pub data_key: Vec<u8>,
    /// The sealed profile.
    #[diesel(sql_type = Nullable<Binary>)]
    pub profile: Option<Vec<u8>>,
    /// When they were registered.
    #[diesel(sql_type = Timestamptz)]
    pub registered_at: DateTime<Utc>,
    /// Grows with every change of profile or identities.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
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

/// One member, if it exists.
pub fn get(tx: &mut Tx<'_>, member: Uuid) -> Result<Option<MemberRow>, Error> {
    Ok(diesel::sql_query(
        "SELECT data_key, profile, registered_at, version, tier, tier_since, tier_until
         FROM members WHERE member_id = $1",
    )
    .bind::<SqlUuid, _>(member)
    .get_result(tx.conn())
    .optional()?)
}

/// Replaces a member's sealed profile; the version grows.
pub fn set_profile(tx: &mut Tx<'_>, member: Uuid, profile: Option<&[u8]>) -> Result<(), Error> {
    diesel::sql_query("UPDATE members SET profile = $2, version = version + 1 WHERE member_id = $1")
        .bind::<SqlUuid, _>(member)
        .bind::<Nullable<Binary>, _>(profile)
        .execute(tx.conn())?;
    Ok(())
}

/// Notes that members' identities have changed.
pub fn touch(tx: &mut Tx<'_>, members: &[Uuid]) -> Result<(), Error> {
    if members.is_empty() {
        return Ok(());
    }
    diesel::sql_query("UPDATE members SET version = version + 1 WHERE member_id = ANY ($1)")
        .bind::<Array<SqlUuid>, _>(members)
        .execute(tx.conn())?;
    Ok(())
}

/// Writes back what changed of locked members.
pub fn update_locked(tx: &mut Tx<'_>, members: &[&LockedMember]) -> Result<(), Error> {
    if members.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "UPDATE members m SET tier = u.tier, tier_since = u.tier_since, tier_until = u.tier_until
         FROM unnest($1, $2, $3, $4) AS u (member_id, tier, tier_since, tier_until)
         WHERE m.member_id = u.member_id",
    )
    .bind::<Array<SqlUuid>, _>(members.iter().map(|member| member.member_id).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(members.iter().map(|member| member.tier.as_str()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(members.iter().map(|member| member.tier_since).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(members.iter().map(|member| member.tier_until).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = SqlUuid)]
    member_id: Uuid,
}

/// Some of the members whose tier's time is over.
pub fn with_tier_over(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<Uuid>, Error> {
    let now = tx.now().utc();
    let rows: Vec<Id> =
        diesel::sql_query("SELECT member_id FROM members WHERE tier_until <= $1 ORDER BY tier_until LIMIT $2")
            .bind::<Timestamptz, _>(now)
            .bind::<BigInt, _>(limit)
            .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.member_id).collect())
}
