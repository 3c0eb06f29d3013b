//! What the member service does by itself as time passes.

use std::collections::BTreeSet;
use std::time::Duration;

use kernel::id::MemberId;
use service::{Job, Progress};
use store::{Error, Tx};
use uuid::Uuid;

use crate::app::Desk;
use crate::app::lapse::lapse;
use crate::app::review_tiers::review_tiers;
use crate::store::{members, points};

/// Members settled in one step, so that none waits long for the lock.
const MEMBERS_PER_STEP: i64 = 200;

/// Points and holds that ran out are settled within seconds; whoever reads earlier sees them gone already.
pub fn lapse_points() -> Job {
    Job::new("lapse_points", Duration::from_secs(5), |tx| step(tx, points::with_time_over, lapse))
}

/// Tiers whose time is over are told within a minute.
pub fn judge_tiers(desk: Desk) -> Job {
    Job::new("judge_tiers", Duration::from_secs(60), move |tx| {
        step(tx, members::with_tier_over, |tx, members| review_tiers(tx, &desk, members))
    })
}

fn step(
    tx: &mut Tx<'_>,
    due: fn(&mut Tx<'_>, i64) -> Result<Vec<Uuid>, Error>,
    settle: impl Fn(&mut Tx<'_>, &BTreeSet<MemberId>) -> Result<(), Error>,
) -> Result<Progress, Error> {
    let members: BTreeSet<MemberId> = due(tx, MEMBERS_PER_STEP)?.into_iter().map(MemberId).collect();
    if members.is_empty() {
        return Ok(Progress::Done);
    }
    settle(tx, &members)?;
    Ok(Progress::More)
}
