//! Which orders have reached their buyers: what returns wait for, and what keeps the intake from running ahead.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// Units of orders on their way. The first word of an order may be that a part of it arrived.
#[derive(Debug, Default)]
pub struct Delivered {
    /// Of each order that was not delivered in full: units placed less units delivered, and whether it is known as placed.
    open: Mutex<HashMap<String, (i64, bool)>>,
    changed: Notify,
}

impl Delivered {
    /// An order was placed with so many units.
    pub fn placed(&self, order: &str, units: i64) {
        self.add(order, units, true);
    }

    /// So many units of an order were delivered.
    pub fn delivered(&self, order: &str, units: i64) {
        self.add(order, -units, false);
    }

    fn add(&self, order: &str, units: i64, placed: bool) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = open.entry(order.to_owned()).or_default();
        *entry = (entry.0 + units, entry.1 || placed);
        if *entry == (0, true) {
            open.remove(order);
        }
        drop(open);
        self.changed.notify_waiters();
    }

    /// How many orders are under way.
    pub fn under_way(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Waits until an order that was placed is delivered.
    pub async fn wait_for(&self, order: &str) {
        self.until(|open| !open.contains_key(order)).await;
    }

    /// Waits until at most so many orders are under way.
    pub async fn at_most(&self, orders: usize) {
        self.until(|open| open.len() <= orders).await;
    }

    async fn until(&self, holds: impl Fn(&HashMap<String, (i64, bool)>) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if holds(&self.open.lock().unwrap_or_else(PoisonError::into_inner)) {
                return;
            }
            changed.await;
        }
    }
}
