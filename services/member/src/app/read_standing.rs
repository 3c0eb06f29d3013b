//! Where a member stands at this instant, judged anew by everything that counts.

use kernel::id::MemberId;
use kernel::{Money, Timestamp};
use store::{Error, Tx};

use super::Desk;
use super::rulebook::Rulebook;
use crate::domain::tier::{QualifyingEntry, TierLevel};
use crate::store::{members, tiers};

/// Where a member stands.
pub struct MemberStanding {
    /// The tier.
    pub tier: TierLevel,
    /// Since when.
    pub since: Timestamp,
    /// When it is lost if nothing more is bought, and how much is missing then to keep it.
    pub until: Option<(Timestamp, Money)>,
    /// What counts at the moment.
    pub qualifying: Money,
    /// The next tier up.
    pub next: Option<TierLevel>,
}

/// Judges a member's tier; none if there is no such member.
pub fn read_standing(tx: &mut Tx<'_>, desk: &Desk, member: MemberId) -> Result<Option<MemberStanding>, Error> {
    let Some(row) = members::get(tx, member.uuid())? else { return Ok(None) };
    let program = Rulebook::read(tx, &desk.tier_program)?.program;
    let entries = tiers::of_members(tx, &[member.uuid()], program.currency.code())?;
    let entries: Vec<QualifyingEntry> = entries.into_iter().map(|(_, entry)| entry).collect();
    let now = tx.now();
    let standing = program.standing(&entries, now, desk.zone);
    let standing = standing.ok_or(Error::Broken("a tier programme has tiers"))?;
    let money = |amount| Money::new(amount, program.currency);
    // A tier that was not told yet began when the one before it ran out.
    let told = standing.tier.code == row.tier;
    let since = if told { row.tier_since } else { row.tier_until.unwrap_or(now.utc()) };
    Ok(Some(MemberStanding {
        tier: standing.tier.clone(),
        since: Timestamp::new(since),
        until: standing.until.map(|(at, missing)| (at, money(missing))),
        qualifying: money(standing.qualifying_amount),
        next: standing.next.cloned(),
    }))
}
