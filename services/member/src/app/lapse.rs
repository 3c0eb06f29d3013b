//! What has run out goes: holds whose time is over give their points back, lots whose time is over lose theirs.

use std::collections::{BTreeMap, BTreeSet};

use contracts::Cause;
use kernel::id::MemberId;
use store::{Error, Tx};
use uuid::Uuid;

use super::books::{Books, Opener};
use crate::domain::account::{LotPart, Operation};
use crate::store::locks::lock_members;
use crate::store::points::{self, AlsoLots};

/// Settles what has run out for these members.
pub fn lapse(tx: &mut Tx<'_>, members: &BTreeSet<MemberId>) -> Result<(), Error> {
    let ids: Vec<Uuid> = members.iter().map(|member| member.uuid()).collect();
    // Under the lock nobody else settles the same holds.
    lock_members(tx, &ids)?;
    let mut holds: BTreeMap<(MemberId, Uuid), Vec<LotPart>> = BTreeMap::new();
    for (member, hold, part) in points::lapsed_holds(tx, &ids)? {
        holds.entry((member, hold)).or_default().push(part);
    }
    let of_ids = holds.values().flatten().map(|part| part.lot_id).collect();
    let mut books = Books::open(tx, Opener::Requests, members, Some(&AlsoLots { of_ids, ..AlsoLots::default() }))?;
    let now = tx.now();
    for ((member, hold), parts) in &holds {
        let operation = Operation::new(format!("hold:{hold}"), now);
        books.account(*member, &Cause::default())?.release(&operation, parts);
        books.expire(*member, now);
    }
    points::set_status(tx, &holds.keys().map(|(_, hold)| *hold).collect::<Vec<_>>(), "lapsed")?;
    books.close(tx)
}
