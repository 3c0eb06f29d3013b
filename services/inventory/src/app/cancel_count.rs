//! Cancels a count: nothing is posted.

use store::Tx;

use super::caller::Caller;
use super::refusal::Refusal;
use super::start_count::Counting;
use super::submit_count::open_count;
use crate::domain::document::{CountId, CountStatus};
use crate::store::counts;

/// Cancels a count.
pub fn cancel_count(tx: &mut Tx<'_>, id: CountId, caller: &Caller) -> Result<Counting, Refusal> {
    let Counting { mut head, lines } = open_count(tx, id, CountStatus::Cancelled, caller)?;
    counts::update(tx, &mut head, CountStatus::Cancelled)?;
    Ok(Counting { head, lines })
}
