//! A dry run: what would be decided now, without any effect.

use store::{Error, Tx};

use super::Pool;
use crate::domain::{Decision, Request, Ruleset};

/// Plans on what is committed, in a transaction that only reads.
pub fn plan_order(tx: &mut Tx<'_>, mut request: Request, rules: Ruleset) -> Result<Decision, Error> {
    let pool = Pool::default();
    let mut desk = pool.open(tx)?;
    desk.lay_out(tx, std::iter::once(&mut request))?;
    Ok(desk.plan(request, rules).decision)
}
