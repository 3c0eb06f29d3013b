//! The double-entry engine that points and rebates share. It knows neither.
//!
//! A transfer moves a positive amount of a unit (`points`, `CNY`) from one account to another, so every posting is
//! balanced by construction and the balances of a unit always add up to zero. An account's balance is what was credited
//! to it less what was debited from it; a floor keeps it from falling below a value.
//!
//! Architecture invariant: transfers only grow. A correction is a new transfer with its own reason.

mod account;
mod evaluate;
mod locks;
mod post;
mod proof;
mod read;
mod transfer;

pub use account::{Account, Balance};
pub use post::post;
pub use proof::{Drift, MAX_DRIFTS, Proof, TrialLine, UnitSum, proof, trial_balance};
pub use read::{Entry, EntryFilter, EntryKey, balances, balances_of, entries};
pub use transfer::{MAX_AMOUNT, Posted, Refusal, Transfer};

use diesel_migrations::{EmbeddedMigrations, embed_migrations};

/// The ledger's tables; they live in the schema of the service that keeps the ledger.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/ledger");
