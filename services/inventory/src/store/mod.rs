//! The pool's tables, as free functions over an open transaction.

pub mod backorders;
pub mod catalog;
pub mod changes;
pub mod counters;
pub mod counts;
pub mod debts;
pub mod decisions;
pub mod deliveries;
pub mod loads;
pub mod locations;
pub mod locks;
pub mod made_up_for;
pub mod movements;
pub mod moves;
pub mod past;
pub mod promise_round;
pub mod promises;
pub mod proof;
pub mod replays;
pub mod reservations;
pub mod reserved;
pub mod rulesets;
pub mod sent;
pub mod shadows;
pub mod shares;
pub mod spans;
pub mod stock;
pub mod telling;

use kernel::Code;

/// A code as it was stored: what is in the database was checked on its way in.
pub(crate) fn code(text: &str) -> Result<Code, store::Error> {
    text.parse().map_err(|_| store::Error::Broken("a stored code is a code"))
}
