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
    /// Relays that may send nothing more until something is booked.
    crowded: usize,
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

    /// Ends all giving way for as long as the answer lives: so much waits to be booked that nothing more can be sent.
    pub fn crowd(&self) -> Crowd {
        let mut taken = self.taken();
        taken.crowded = taken.crowded.saturating_add(1);
        Crowd(self.clone())
    }

    /// Whether the process has its hands full.
    pub fn is_taken(&self) -> bool {
        let taken = self.taken();
        taken.crowded == 0 && (taken.batches > 0 || taken.until.is_some_and(|until| Instant::now() < until))
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Precedence for as long as it lives, and a little longer.
#[derive(Debug)]
pub(crate) struct Taking(Precedence);

/// No precedence for anyone for as long as it lives.
#[derive(Debug)]
pub(crate) struct Crowd(Precedence);

impl Drop for Crowd {
    fn drop(&mut self) {
        let mut taken = self.0.taken();
        taken.crowded = taken.crowded.saturating_sub(1);
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        let mut taken = self.0.taken();
        taken.batches = taken.batches.saturating_sub(1);
        taken.until = Instant::now().checked_add(LASTS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_full_batch_takes_precedence_and_a_crowd_ends_it() {
        let precedence = Precedence::default();
        assert!(precedence.take(FULL - 1).is_none());
        assert!(!precedence.is_taken());
        let taking = precedence.take(FULL);
        assert!(precedence.is_taken());
        let crowd = precedence.crowd();
        assert!(!precedence.is_taken());
        drop(crowd);
        assert!(precedence.is_taken());
        drop(taking);
        // The next batch is on its way.
        assert!(precedence.is_taken());
    }
}
