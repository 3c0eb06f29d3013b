//! Precedence: while the process has its hands full with what buyers wait for, what is booked about it waits.
//!
//! A burst is taken in and promised at once, and the books catch up after it. Nothing waits longer than the settings say,
//! and nothing waits in a process that has nothing more urgent to do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A batch of so many events shows that the process has its hands full; under less, nobody feels the books' share.
const FULL: usize = 32;
/// After such a batch the next one is soon on its way.
const LASTS: Duration = Duration::from_millis(250);

/// What the consumers of a process know of each other. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Precedence {
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    /// Full batches that are being settled.
    batches: usize,
    until: Option<Instant>,
}

impl Precedence {
    /// Takes precedence for a batch of so many events, if they are many.
    pub fn take(&self, events: usize) -> Option<Taking> {
        if events < FULL {
            return None;
        }
        let mut taken = self.taken();
        taken.batches = taken.batches.saturating_add(1);
        Some(Taking(self.clone()))
    }

    /// Whether the process has its hands full.
    pub fn is_taken(&self) -> bool {
        let taken = self.taken();
        taken.batches > 0 || taken.until.is_some_and(|until| Instant::now() < until)
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Precedence for as long as it lives, and a little longer.
#[derive(Debug)]
pub(crate) struct Taking(Precedence);

impl Drop for Taking {
    fn drop(&mut self) {
        let mut taken = self.0.taken();
        taken.batches = taken.batches.saturating_sub(1);
        taken.until = Instant::now().checked_add(LASTS);
    }
}
