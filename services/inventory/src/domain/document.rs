//! Stock documents: what a receipt, a transfer and a count may become, and how what came differs from what was expected.

use kernel::{SkuCode, states, typed_ids};
use serde::Serialize;
use utoipa::ToSchema;

/// The most lines of a receipt or a transfer: more than a lorry holds, few enough to be taken in in one transaction.
pub const MAX_LINES: usize = 2_000;
/// The most SKUs of a count: some days of work for a person, and posted in one transaction.
pub const MAX_COUNTED: usize = 5_000;

typed_ids! {
    /// Goods expected from a supplier.
    ReceiptId,
    /// Goods on their way from one location to another.
    TransferId,
    /// A count of what is at a location.
    CountId,
}

states! {
    /// Where a receipt stands.
    ReceiptStatus {
        /// Nothing has come.
        Expected = "expected" => [Receiving, Received, Closed],
        /// Some of it has come.
        Receiving = "receiving" => [Receiving, Received, Closed],
        /// All of it has come; more may.
        Received = "received" => [Received, Closed],
        /// Nothing more is expected.
        Closed = "closed" => [],
    }
}

states! {
    /// Where a transfer stands.
    TransferStatus {
        /// Its units are reserved where they are.
        Requested = "requested" => [InTransit, Cancelled],
        /// Its units have left, and have not arrived.
        InTransit = "in_transit" => [Received],
        /// What arrived was taken in.
        Received = "received" => [],
        /// It will not happen.
        Cancelled = "cancelled" => [],
    }
}

states! {
    /// Where a count stands.
    CountStatus {
        /// Somebody counts.
        Counting = "counting" => [Submitted, Cancelled],
        /// The differences are posted.
        Submitted = "submitted" => [],
        /// It will not happen.
        Cancelled = "cancelled" => [],
    }
}

/// How what came differs from what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Discrepancy {
    /// Less came, and no more will.
    Short,
    /// More came.
    Over,
}

/// One SKU of a receipt or a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoodsLine {
    /// Its place in the document, from 1.
    pub line_no: i32,
    /// The SKU.
    pub sku: SkuCode,
    /// Units expected; 0 for a SKU that came unasked.
    pub expected: i64,
    /// Units that came, the damaged among them.
    pub received: i64,
    /// Units that came damaged.
    pub damaged: i64,
    /// Units still on their way: what the line adds to `incoming` of the balance.
    pub incoming: i64,
}

impl GoodsLine {
    /// A line of which nothing has come, and nothing is on its way.
    pub const fn new(line_no: i32, sku: SkuCode, expected: i64) -> Self {
        Self { line_no, sku, expected, received: 0, damaged: 0, incoming: 0 }
    }

    /// Units came; those still missing are on their way only if more is to come.
    pub fn take(&mut self, received: i64, damaged: i64, more_to_come: bool) {
        self.received = self.received.saturating_add(received);
        self.damaged = self.damaged.saturating_add(damaged);
        self.incoming = if more_to_come { self.difference().saturating_neg().max(0) } else { 0 };
    }

    /// Units that came too much, or too little (below 0).
    pub const fn difference(&self) -> i64 {
        self.received.saturating_sub(self.expected)
    }

    /// How it differs: nothing is short as long as it may still come.
    pub const fn discrepancy(&self, done: bool) -> Option<Discrepancy> {
        match self.difference() {
            1.. => Some(Discrepancy::Over),
            0 => None,
            _ if done => Some(Discrepancy::Short),
            _ => None,
        }
    }
}

/// What became of a receipt by what has come of it.
pub fn received_so_far(lines: &[GoodsLine]) -> ReceiptStatus {
    if lines.iter().all(|line| line.difference() >= 0) { ReceiptStatus::Received } else { ReceiptStatus::Receiving }
}

#[cfg(test)]
mod tests {
    use kernel::every_pair;

    use super::*;

    // Columns: expected receiving received closed.
    every_pair!(every_pair_of_receipt_states, ReceiptStatus, [".xxx", ".xxx", "..xx", "...."]);

    // Columns: requested in_transit received cancelled.
    every_pair!(every_pair_of_transfer_states, TransferStatus, [".x.x", "..x.", "....", "...."]);

    // Columns: counting submitted cancelled.
    every_pair!(every_pair_of_count_states, CountStatus, [".xx", "...", "..."]);

    fn line(expected: i64) -> GoodsLine {
        GoodsLine::new(1, "A".parse().unwrap(), expected)
    }

    #[test]
    fn what_is_missing_is_on_its_way_until_nothing_more_is_to_come() {
        let mut it = line(10);
        it.take(4, 1, true);
        assert_eq!((it.received, it.damaged, it.incoming, it.discrepancy(false)), (4, 1, 6, None));
        it.take(3, 0, false);
        assert_eq!((it.received, it.incoming, it.difference()), (7, 0, -3));
        assert_eq!(it.discrepancy(true), Some(Discrepancy::Short));
    }

    #[test]
    fn what_came_too_much_is_over_at_once() {
        let mut it = line(2);
        it.take(5, 0, true);
        assert_eq!((it.incoming, it.discrepancy(false)), (0, Some(Discrepancy::Over)));
    }

    #[test]
    fn a_receipt_is_received_when_no_line_misses_anything() {
        let (mut one, mut other) = (line(2), line(3));
        one.take(4, 0, true);
        assert_eq!(received_so_far(&[one.clone(), other.clone()]), ReceiptStatus::Receiving);
        other.take(3, 0, true);
        assert_eq!(received_so_far(&[one, other]), ReceiptStatus::Received);
    }
}
