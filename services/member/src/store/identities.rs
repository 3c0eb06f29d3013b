//! Rows of identities, their evidence and cases.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Binary, Integer, Text, Timestamptz, Uuid as SqlUuid};
use kernel::id::{MemberId, uuid_at};
use store::{Error, Tx, statement};
use uuid::Uuid;

use crate::domain::identity::{IdentityType, RULE_VERSION, Strength};
use crate::domain::resolution::Fingerprint;

#[derive(QueryableByName)]
struct HolderRow {
    #[diesel(sql_type = Binary)]
    fingerprint: Vec<u8>,
    #[diesel(sql_type = SqlUuid)]
    member_id: Uuid,
}

/// Who holds these identities; those that nobody holds are left out.
pub fn holders(tx: &mut Tx<'_>, fingerprints: &[Fingerprint]) -> Result<Vec<(Fingerprint, MemberId)>, Error> {
    if fingerprints.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<HolderRow> =
        diesel::sql_query("SELECT fingerprint, member_id FROM identities WHERE fingerprint = ANY ($1)")
            .bind::<Array<Binary>, _>(fingerprints.iter().map(Fingerprint::as_slice).collect::<Vec<_>>())
            .load(tx.conn())?;
    rows.into_iter().map(|row| Ok((fingerprint(&row.fingerprint)?, MemberId(row.member_id)))).collect()
}

fn fingerprint(bytes: &[u8]) -> Result<Fingerprint, Error> {
    bytes.try_into().map_err(|_| Error::Broken("a stored fingerprint has 32 bytes"))
}

/// An identity that gets its member.
pub struct NewIdentity<'a> {
    /// Its hash.
    pub fingerprint: Fingerprint,
    /// Its member.
    pub member: MemberId,
    /// Its type.
    pub kind: IdentityType,
    /// Who issued it.
    pub issuer: &'a str,
    /// Within what it is unique.
    pub scope: &'a str,
    /// Its value, sealed with the member's key.
    pub sealed_value: Vec<u8>,
}

/// Claims identities, handed in by ascending hash, so that two transactions wait for each other instead of deadlocking;
/// answers those that were still free.
pub fn claim(tx: &mut Tx<'_>, identities: &[NewIdentity<'_>]) -> Result<Vec<Fingerprint>, Error> {
    let now = tx.now().utc();
    let text = format!(
        "INSERT INTO identities (fingerprint, member_id, type, issuer, scope, sealed_value, linked_at)
         SELECT i.*, $1 FROM unnest($2, $3, $4, $5, $6, $7) AS i {} RETURNING fingerprint, member_id",
        tx.on_conflict("ON CONFLICT DO NOTHING")
    );
    let rows: Vec<HolderRow> = statement(text)
        .bind::<Timestamptz, _>(now)
        .bind::<Array<Binary>, _>(identities.iter().map(|it| it.fingerprint.as_slice()).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(identities.iter().map(|it| it.member.uuid()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(identities.iter().map(|it| it.kind.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(identities.iter().map(|it| it.issuer).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(identities.iter().map(|it| it.scope).collect::<Vec<_>>())
        .bind::<Array<Binary>, _>(identities.iter().map(|it| it.sealed_value.as_slice()).collect::<Vec<_>>())
        .load(tx.conn())?;
    rows.into_iter().map(|row| fingerprint(&row.fingerprint)).collect()
}

/// Gives identities that this transaction claimed to other members, after it learnt that they exist.
pub fn reassign(tx: &mut Tx<'_>, identities: &[NewIdentity<'_>]) -> Result<(), Error> {
    diesel::sql_query(
        "UPDATE identities i SET member_id = u.member_id, sealed_value = u.sealed_value
         FROM unnest($1, $2, $3) AS u (fingerprint, member_id, sealed_value) WHERE i.fingerprint = u.fingerprint",
    )
    .bind::<Array<Binary>, _>(identities.iter().map(|it| it.fingerprint.as_slice()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(identities.iter().map(|it| it.member.uuid()).collect::<Vec<_>>())
    .bind::<Array<Binary>, _>(identities.iter().map(|it| it.sealed_value.as_slice()).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Takes an identity from a member; says whether the member had it.
pub fn unlink(tx: &mut Tx<'_>, member: MemberId, identity: &Fingerprint) -> Result<bool, Error> {
    let removed = diesel::sql_query("DELETE FROM identities WHERE fingerprint = $1 AND member_id = $2")
        .bind::<Binary, _>(identity.as_slice())
        .bind::<SqlUuid, _>(member.uuid())
        .execute(tx.conn())?;
    Ok(removed > 0)
}

/// An identity as it is stored.
#[derive(QueryableByName)]
pub struct IdentityRow {
    /// Its hash.
    #[diesel(sql_type = Binary)]
    pub fingerprint: Vec<u8>,
    /// Its type.
    #[diesel(sql_type = Text)]
    pub r#type: String,
    /// Who issued it; empty if that does not matter.
    #[diesel(sql_type = Text)]
    pub issuer: String,
    /// Within what it is unique; empty if that does not matter.
    #[diesel(sql_type = Text)]
    pub scope: String,
    /// Its value, sealed with the member's key.
    #[diesel(sql_type = Binary)]
    pub sealed_value: Vec<u8>,
    /// Since when it is the member's.
    #[diesel(sql_type = Timestamptz)]
    pub linked_at: DateTime<Utc>,
}

/// A member's identities, the first linked first.
pub fn of_member(tx: &mut Tx<'_>, member: MemberId) -> Result<Vec<IdentityRow>, Error> {
    Ok(diesel::sql_query(
        "SELECT fingerprint, type, issuer, scope, sealed_value, linked_at FROM identities
         WHERE member_id = $1 ORDER BY linked_at, fingerprint",
    )
    .bind::<SqlUuid, _>(member.uuid())
    .load(tx.conn())?)
}

/// What a piece of evidence says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The identity became the member's.
    Linked,
    /// It stopped being the member's.
    Unlinked,
    /// It was seen together with the member's own.
    Hinted,
}

impl Claim {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Linked => "linked",
            Self::Unlinked => "unlinked",
            Self::Hinted => "hinted",
        }
    }

    const fn strength(self) -> Strength {
        match self {
            Self::Linked | Self::Unlinked => Strength::Strong,
            Self::Hinted => Strength::Weak,
        }
    }
}

/// Where evidence comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An order named both.
    Order,
    /// A client of the API said so.
    Request,
    /// A till's transaction named both.
    Till,
}

impl Source {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Request => "request",
            Self::Till => "till",
        }
    }
}

/// One piece of evidence.
pub struct Evidence<'a> {
    /// Whose.
    pub member: MemberId,
    /// Of which identity.
    pub fingerprint: Fingerprint,
    /// Its type.
    pub kind: IdentityType,
    /// What it says.
    pub claim: Claim,
    /// Where it comes from.
    pub source: Source,
    /// The order, or what the client gave as reason.
    pub reference: &'a str,
}

/// Records evidence; a hint that was given before is not repeated.
pub fn record(tx: &mut Tx<'_>, evidence: &[Evidence<'_>]) -> Result<(), Error> {
    if evidence.is_empty() {
        return Ok(());
    }
    let now = tx.now();
    let text = format!(
        "INSERT INTO identity_evidence (member_id, evidence_id, fingerprint, type, strength, claim, source, reference,
             rule_version, recorded_at)
         SELECT e.*, $1, $2 FROM unnest($3, $4, $5, $6, $7, $8, $9, $10) AS e {}",
        tx.on_conflict("ON CONFLICT DO NOTHING")
    );
    statement(text)
        .bind::<Integer, _>(RULE_VERSION)
        .bind::<Timestamptz, _>(now.utc())
        .bind::<Array<SqlUuid>, _>(evidence.iter().map(|it| it.member.uuid()).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(evidence.iter().map(|_| uuid_at(now)).collect::<Vec<_>>())
        .bind::<Array<Binary>, _>(evidence.iter().map(|it| it.fingerprint.as_slice()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(evidence.iter().map(|it| it.kind.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(evidence.iter().map(|it| it.claim.strength().as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(evidence.iter().map(|it| it.claim.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(evidence.iter().map(|it| it.source.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(evidence.iter().map(|it| it.reference).collect::<Vec<_>>())
        .execute(tx.conn())?;
    Ok(())
}

/// Two members that identities of one buyer belong to.
pub struct NewCase {
    /// Whom the buyer was taken for.
    pub member: MemberId,
    /// Who else they might be.
    pub other: MemberId,
    /// The order or request that showed it.
    pub reference: String,
}

/// Opens cases; a pair that has one gets no second.
pub fn open_cases(tx: &mut Tx<'_>, cases: &[NewCase]) -> Result<(), Error> {
    if cases.is_empty() {
        return Ok(());
    }
    let now = tx.now();
    diesel::sql_query(
        "INSERT INTO identity_cases (case_id, member_id, other_id, reference, opened_at)
         SELECT c.*, $5 FROM unnest($1, $2, $3, $4) AS c ON CONFLICT DO NOTHING",
    )
    .bind::<Array<SqlUuid>, _>(cases.iter().map(|_| uuid_at(now)).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(cases.iter().map(|case| case.member.uuid()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(cases.iter().map(|case| case.other.uuid()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(cases.iter().map(|case| case.reference.as_str()).collect::<Vec<_>>())
    .bind::<Timestamptz, _>(now.utc())
    .execute(tx.conn())?;
    Ok(())
}
