//! Time passes: tiers whose purchases have stopped counting are judged anew.

use std::collections::BTreeSet;

use kernel::id::MemberId;
use store::{Error, Tx};

use super::Desk;
use super::books::{Books, Opener};
use super::rulebook::Rulebook;

/// Judges these members' tiers.
pub fn review_tiers(tx: &mut Tx<'_>, desk: &Desk, members: &BTreeSet<MemberId>) -> Result<(), Error> {
    let rulebook = Rulebook::read(tx, &desk.tier_program)?;
    let mut books = Books::open(tx, Opener::Requests, members, None)?;
    books.judge_tiers(tx, desk, &rulebook, members)?;
    books.close(tx)
}
