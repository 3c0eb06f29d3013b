//! The points and tiers of a batch of members: read under lock, changed in memory, written back with a constant number of
//! statements, and told.

use std::collections::{BTreeMap, BTreeSet};

use contracts::Cause;
use contracts::events::{PointsChanged, TierChanged};
use kernel::Timestamp;
use kernel::id::{EntryId, MemberId, uuid_at};
use ledger::{Posted, Transfer};
use store::{Error, Tx, outbox};
use uuid::Uuid;

use super::Desk;
use super::rulebook::Rulebook;
use crate::domain::account::{Account, Balances, Lot, Movement, Operation, Pot};
use crate::domain::tier::{QualifyingEntry, Standing};
use crate::store::locks::{LockedMember, lock_members};
use crate::store::points::{self, AlsoLots};
use crate::store::{members, tiers};

/// The unit of every transfer.
const UNIT: &str = "points";

/// Who opens books, for each keeps the house's side of the movements in accounts of its own. A batch of events locks
/// members again after it has booked; a request that held a member and waited for the account of the batch would wait for
/// ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opener {
    /// The consumer of events about orders.
    Orders,
    /// The consumer of events about tills.
    Tills,
    /// A request or a job. The house is kept in sixteen parts, by the end of the member's id, so that requests for
    /// different members seldom wait for each other.
    Requests,
}

impl Opener {
    fn house(self, member: &str) -> String {
        match self {
            Self::Orders => "house/orders".to_owned(),
            Self::Tills => "house/tills".to_owned(),
            Self::Requests => format!("house/{}", member.get(member.len().saturating_sub(1)..).unwrap_or_default()),
        }
    }
}

/// The open books of some members.
pub struct Books {
    opener: Opener,
    pages: BTreeMap<MemberId, Page>,
}

struct Page {
    row: LockedMember,
    account: Account,
    tier_before: String,
    until_changed: bool,
    cause: Cause,
}

impl Books {
    /// Opens the books of these members; their lots too, where `lots` says so, and whatever has lapsed goes at once.
    pub fn open(
        tx: &mut Tx<'_>,
        opener: Opener,
        members: &BTreeSet<MemberId>,
        lots: Option<&AlsoLots>,
    ) -> Result<Self, Error> {
        if members.is_empty() {
            return Ok(Self { opener, pages: BTreeMap::new() });
        }
        let ids: Vec<Uuid> = members.iter().map(|member| member.uuid()).collect();
        let rows = lock_members(tx, &ids)?;
        let mut accounts = accounts(tx, &ids, lots)?;
        let now = tx.now();
        let mut pages = BTreeMap::new();
        for row in rows {
            let member = MemberId(row.member_id);
            let mut account = accounts.remove(&member).unwrap_or_default();
            expire(&mut account, now);
            pages.insert(member, Page::new(row, account));
        }
        Ok(Self { opener, pages })
    }

    /// Opens a page for each of these members, whom this transaction has registered in `tier`: nobody else knows them.
    pub fn enrol(&mut self, members: &BTreeSet<MemberId>, tier: &str, since: Timestamp) {
        for member in members {
            let row = LockedMember {
                member_id: member.uuid(),
                tier: tier.to_owned(),
                tier_since: since.utc(),
                tier_until: None,
            };
            self.pages.insert(*member, Page::new(row, Account::default()));
        }
    }

    /// A member's points, to be moved because of `cause`.
    pub fn account(&mut self, member: MemberId, cause: &Cause) -> Result<&mut Account, Error> {
        let page = self.pages.get_mut(&member).ok_or(Error::Broken("a member that is referred to exists"))?;
        page.cause = cause.clone();
        Ok(&mut page.account)
    }

    /// Whatever of a member's has lapsed goes, after something came back to a lot whose time is over.
    pub fn expire(&mut self, member: MemberId, now: Timestamp) {
        if let Some(page) = self.pages.get_mut(&member) {
            expire(&mut page.account, now);
        }
    }

    /// The tier a member was last told to have.
    pub fn tier(&self, member: MemberId) -> Option<&str> {
        self.pages.get(&member).map(|page| page.row.tier.as_str())
    }

    /// What a member has.
    pub fn balances(&self, member: MemberId) -> Option<Balances> {
        self.pages.get(&member).map(|page| page.account.balances())
    }

    /// Judges these members' tiers anew by everything that counts.
    pub fn judge_tiers(
        &mut self,
        tx: &mut Tx<'_>,
        desk: &Desk,
        rulebook: &Rulebook,
        members: &BTreeSet<MemberId>,
    ) -> Result<(), Error> {
        if members.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = members.iter().map(|member| member.uuid()).collect();
        let mut entries: BTreeMap<MemberId, Vec<QualifyingEntry>> = BTreeMap::new();
        for (member, entry) in tiers::of_members(tx, &ids, rulebook.program.currency.code())? {
            entries.entry(member).or_default().push(entry);
        }
        let now = tx.now();
        for member in members {
            let of_member = entries.get(member).map(Vec::as_slice).unwrap_or_default();
            let standing = rulebook.program.standing(of_member, now, desk.zone);
            if let Some((standing, page)) = standing.zip(self.pages.get_mut(member)) {
                page.stand(&standing, now);
            }
        }
        Ok(())
    }

    /// Writes what has changed, and tells it.
    pub fn close(self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let now = tx.now();
        post(tx, self.opener, &self.pages)?;
        let lots = |of: fn(&Account) -> Vec<&Lot>| -> Vec<(MemberId, &Lot)> {
            let of_page = |(member, page)| of(page).into_iter().map(move |lot| (member, lot));
            self.pages.iter().map(|(member, page)| (*member, &page.account)).flat_map(of_page).collect()
        };
        points::insert_lots(tx, &lots(|account| account.new_lots().iter().collect()))?;
        points::update_lots(tx, &lots(|account| account.changed_lots().collect()))?;
        let changed: Vec<&LockedMember> =
            self.pages.values().filter(|page| page.has_changed()).map(|page| &page.row).collect();
        members::update_locked(tx, &changed)?;
        self.pages.iter().try_for_each(|(member, page)| page.tell(tx, *member, now))
    }
}

impl Page {
    fn new(row: LockedMember, account: Account) -> Self {
        let tier_before = row.tier.clone();
        Self { row, account, tier_before, until_changed: false, cause: Cause::default() }
    }

    fn has_moved(&self) -> bool {
        self.account.version() > self.account.version_before()
    }

    fn has_changed(&self) -> bool {
        self.until_changed || self.row.tier != self.tier_before
    }

    fn stand(&mut self, standing: &Standing<'_>, now: Timestamp) {
        if self.row.tier != standing.tier.code {
            self.row.tier.clone_from(&standing.tier.code);
            self.row.tier_since = now.utc();
        }
        let until = standing.until.map(|(at, _)| at.utc());
        self.until_changed |= self.row.tier_until != until;
        self.row.tier_until = until;
    }

    fn tell(&self, tx: &mut Tx<'_>, member_id: MemberId, now: Timestamp) -> Result<(), Error> {
        if self.has_moved() {
            let Balances { pending, active, held, arrears } = self.account.balances();
            let version = self.account.version();
            outbox::append(tx, &PointsChanged { member_id, active, pending, held, arrears, version }, &self.cause)?;
        }
        if self.row.tier != self.tier_before {
            let (from, to) = (self.tier_before.clone(), self.row.tier.clone());
            outbox::append(tx, &TierChanged { member_id, from, to, changed_at: now }, &self.cause)?;
        }
        Ok(())
    }
}

/// The points of a member as they are now, without a lock: for reading.
pub fn read_account(tx: &mut Tx<'_>, member: MemberId) -> Result<Account, Error> {
    let lapsed = points::lapsed_holds(tx, &[member.uuid()])?;
    let also = AlsoLots { of_ids: lapsed.iter().map(|(_, _, part)| part.lot_id).collect(), ..AlsoLots::default() };
    let mut account = accounts(tx, &[member.uuid()], Some(&also))?.remove(&member).unwrap_or_default();
    let now = tx.now();
    let parts: Vec<_> = lapsed.into_iter().map(|(_, _, part)| part).collect();
    account.release(&Operation::new("read", now), &parts);
    expire(&mut account, now);
    Ok(account)
}

/// What has lapsed counts no more from that instant on, whoever looks first.
fn expire(account: &mut Account, now: Timestamp) {
    if account.has_lapsed(now) {
        account.expire(&Operation::new(format!("expiry:{}", uuid_at(now)), now), now);
    }
}

fn accounts(tx: &mut Tx<'_>, ids: &[Uuid], lots: Option<&AlsoLots>) -> Result<BTreeMap<MemberId, Account>, Error> {
    let mut stored: BTreeMap<MemberId, (Balances, i64)> =
        ids.iter().map(|id| (MemberId(*id), Default::default())).collect();
    let owners: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let owners: Vec<&str> = owners.iter().map(String::as_str).collect();
    for row in ledger::balances_of(tx, &owners)? {
        let Some((of_member, version)) = row.owner.parse().ok().and_then(|member| stored.get_mut(&member)) else {
            continue;
        };
        *version += row.version;
        match row.account.as_str() {
            "pending" => of_member.pending = row.balance,
            "active" => of_member.active = row.balance,
            "held" => of_member.held = row.balance,
            "arrears" => of_member.arrears = -row.balance,
            _ => {}
        }
    }
    let mut of_member: BTreeMap<MemberId, Vec<Lot>> = BTreeMap::new();
    if let Some(also) = lots {
        for (member, lot) in points::open_lots(tx, ids, also)? {
            of_member.entry(member).or_default().push(lot);
        }
    }
    let account = |(member, (balances, version))| {
        (member, Account::new(balances, version, of_member.remove(&member).unwrap_or_default()))
    };
    Ok(stored.into_iter().map(account).collect())
}

fn post(tx: &mut Tx<'_>, opener: Opener, pages: &BTreeMap<MemberId, Page>) -> Result<(), Error> {
    let now = tx.now();
    let mut transfers = Vec::new();
    for (member, page) in pages {
        let owner = member.to_string();
        transfers.extend(page.account.movements().iter().map(|movement| transfer(&owner, movement, opener, now)));
    }
    for verdict in ledger::post(tx, &transfers)? {
        match verdict {
            Ok(Posted { before: false, .. }) => {}
            Ok(Posted { before: true, .. }) => return Err(Error::Broken("a movement of points is posted once")),
            Err(refusal) => {
                tracing::error!(error = %refusal, "the ledger refused a movement that the account allows");
                return Err(Error::Broken("the account allows what the ledger allows"));
            }
        }
    }
    Ok(())
}

fn transfer(owner: &str, movement: &Movement, opener: Opener, now: Timestamp) -> Transfer {
    Transfer {
        owner: owner.to_owned(),
        reference: movement.reference.clone(),
        entry_id: EntryId::at(now),
        debit: account_of(owner, movement.from, opener),
        credit: account_of(owner, movement.to, opener),
        unit: UNIT.into(),
        amount: movement.points,
        reason: movement.reason.into(),
        memo: movement.note.as_ref().map_or(serde_json::Value::Null, |note| serde_json::json!({ "note": note })),
        occurred_at: movement.occurred_at,
    }
}

/// The ledger account of a pot.
fn account_of(owner: &str, pot: Pot, opener: Opener) -> ledger::Account {
    if pot.is_house() {
        return ledger::Account::new(opener.house(owner), pot.account());
    }
    let account = ledger::Account::new(owner, pot.account());
    if pot.is_floored() { account.with_floor(0) } else { account }
}
