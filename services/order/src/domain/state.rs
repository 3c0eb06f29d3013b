//! The states of an order, its payment, its fulfilment orders and its returns, each as a table of what may follow what.

use kernel::states;

states! {
    /// Where an order stands.
    OrderStatus {
        /// In the book, not yet asked for stock.
        Received = "received" => [Held, Sourcing, Cancelled],
        /// A rule holds it, and nobody was told of it yet.
        Held = "held" => [Sourcing, Cancelled],
        /// Waiting for the inventory's answer, for all of it or for the rest after a rejection.
        Sourcing = "sourcing" => [Sourced, Backordered, Unfillable, Fulfilling, Shipped, Delivered, Cancelled],
        /// Every unit has a location; no location has accepted yet.
        Sourced = "sourced" => [Sourcing, Backordered, Unfillable, Fulfilling, Cancelled],
        /// Waiting for stock to arrive.
        Backordered = "backordered" => [Sourcing, Sourced, Unfillable, Fulfilling, Shipped, Delivered, Cancelled],
        /// Waiting, though no location could ever give all that is missing, whatever arrives there.
        Unfillable = "unfillable" => [Sourcing, Sourced, Backordered, Fulfilling, Shipped, Delivered, Cancelled],
        /// At least one location works on it.
        Fulfilling = "fulfilling" => [Sourcing, Sourced, Backordered, Unfillable, Shipped, Delivered, Cancelled],
        /// Every unit that was not cancelled has left.
        Shipped = "shipped" => [Delivered],
        /// Every unit that was not cancelled has reached the buyer.
        Delivered = "delivered" => [Completed],
        /// The return window has passed.
        Completed = "completed" => [],
        /// Nothing is left of it.
        Cancelled = "cancelled" => [],
    }
}

states! {
    /// Where an order's money stands.
    PaymentStatus {
        /// Nothing was paid.
        Unpaid = "unpaid" => [Authorised, PartiallyPaid, Paid],
        /// The amount is set aside at the buyer's bank.
        Authorised = "authorised" => [Unpaid, PartiallyPaid, Paid],
        /// A part was paid, and the rest is due.
        PartiallyPaid = "partially_paid" => [Paid, PartiallyRefunded, Refunded],
        /// Nothing is due any more.
        Paid = "paid" => [PartiallyRefunded, Refunded],
        /// A part went back.
        PartiallyRefunded = "partially_refunded" => [Refunded],
        /// All of it went back. More may be bought then, and paid.
        Refunded = "refunded" => [PartiallyRefunded],
    }
}

states! {
    /// Where a fulfilment order stands.
    FulfilmentStatus {
        /// The goods are promised there; the location is asked when the buyer has paid.
        Waiting = "waiting" => [Offered, Rejected, Cancelled],
        /// The location has not answered.
        Offered = "offered" => [Accepted, Rejected, Lapsed, Cancelled],
        /// The location took it on.
        Accepted = "accepted" => [Picked, Packed, Ready, Shipped, Rejected, Cancelled, Sent],
        /// The goods are off the shelf.
        Picked = "picked" => [Packed, Ready, Shipped, Rejected, Cancelled, Sent],
        /// The goods are in their parcels.
        Packed = "packed" => [Ready, Shipped, Rejected, Cancelled, Sent],
        /// The goods left the location.
        Shipped = "shipped" => [Delivered],
        /// The goods reached the buyer.
        Delivered = "delivered" => [],
        /// The location refused; another one is looked for.
        Rejected = "rejected" => [],
        /// The buyer no longer wants it.
        Cancelled = "cancelled" => [],
        /// Waiting at the counter for the buyer and the code.
        Ready = "ready" => [Collected, Lapsed, Cancelled],
        /// The buyer took it away.
        Collected = "collected" => [],
        /// The offer, or the time to collect, ran out.
        Lapsed = "lapsed" => [],
        /// The goods are on their way to the location where they are collected. If none of them come, it ends as rejected.
        Sent = "sent" => [Ready, Rejected],
    }
}

impl FulfilmentStatus {
    /// Whether its units are the order's: they wait for it, are on their way, or are with the buyer.
    pub const fn covers(self) -> bool {
        self.is_open() || self.has_left() || matches!(self, Self::Sent)
    }

    /// Whether its units still wait at the location: they may be cancelled.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Offered | Self::Accepted | Self::Picked | Self::Packed | Self::Ready)
    }

    /// Whether it may be taken back because nearer stock was found: nobody has touched the goods.
    pub const fn may_be_recalled(self) -> bool {
        matches!(self, Self::Waiting | Self::Offered | Self::Accepted)
    }

    /// Whether its units have left the location.
    pub const fn has_left(self) -> bool {
        matches!(self, Self::Shipped | Self::Delivered | Self::Collected)
    }

    /// Whether its units are with the buyer.
    pub const fn has_arrived(self) -> bool {
        matches!(self, Self::Delivered | Self::Collected)
    }
}

states! {
    /// Where a return stands.
    ReturnStatus {
        /// Asked for.
        Requested = "requested" => [Approved, Cancelled],
        /// Agreed to; the goods may come.
        Approved = "approved" => [Received, Cancelled, Lapsed],
        /// The goods are at a location.
        Received = "received" => [Inspected],
        /// Every unit has its disposition.
        Inspected = "inspected" => [Refunded],
        /// The money went back.
        Refunded = "refunded" => [],
        /// It will not happen.
        Cancelled = "cancelled" => [],
        /// The goods have not come in time.
        Lapsed = "lapsed" => [],
    }
}

states! {
    /// Where a version of the rules that hold orders stands.
    HoldRulesStatus {
        /// Written, and in no use.
        Draft = "draft" => [Active],
        /// Judges new orders. At most one does.
        Active = "active" => [Retired],
        /// Was in use before.
        Retired = "retired" => [Active],
    }
}

#[cfg(test)]
mod tests {
    use kernel::every_pair;

    use super::*;

    // Columns: received held sourcing sourced backordered unfillable fulfilling shipped delivered completed cancelled.
    every_pair!(
        every_pair_of_order_states,
        OrderStatus,
        [
            ".xx.......x", // received
            "..x.......x", // held
            "...xxxxxx.x", // sourcing
            "..x.xxx...x", // sourced
            "..xx.xxxx.x", // backordered
            "..xxx.xxx.x", // unfillable
            "..xxxx.xx.x", // fulfilling
            "........x..", // shipped
            ".........x.", // delivered
            "...........", // completed
            "...........", // cancelled
        ]
    );

    // Columns: unpaid authorised partially_paid paid partially_refunded refunded.
    every_pair!(
        every_pair_of_payment_states,
        PaymentStatus,
        [
            ".xxx..", // unpaid
            "x.xx..", // authorised
            "...xxx", // partially_paid
            "....xx", // paid
            ".....x", // partially_refunded
            "....x.", // refunded
        ]
    );

    // Columns: waiting offered accepted picked packed shipped delivered rejected cancelled ready collected lapsed sent.
    every_pair!(
        every_pair_of_fulfilment_states,
        FulfilmentStatus,
        [
            ".x.....xx....", // waiting
            "..x....xx..x.", // offered
            "...xxx.xxx..x", // accepted
            "....xx.xxx..x", // picked
            ".....x.xxx..x", // packed
            "......x......", // shipped
            ".............", // delivered
            ".............", // rejected
            ".............", // cancelled
            "........x.xx.", // ready
            ".............", // collected
            ".............", // lapsed
            ".......x.x...", // sent
        ]
    );

    // Columns: requested approved received inspected refunded cancelled lapsed.
    every_pair!(
        every_pair_of_return_states,
        ReturnStatus,
        [".x...x.", "..x..xx", "...x...", "....x..", ".......", ".......", "......."]
    );

    // Columns: draft active retired.
    every_pair!(every_pair_of_states_of_hold_rules, HoldRulesStatus, [".x.", "..x", ".x."]);

    #[test]
    fn only_what_nobody_has_picked_is_recalled_and_then_it_stands_as_after_a_rejection() {
        let recalled: Vec<_> = FulfilmentStatus::ALL.iter().filter(|it| it.may_be_recalled()).collect();
        assert_eq!(recalled, [&FulfilmentStatus::Waiting, &FulfilmentStatus::Offered, &FulfilmentStatus::Accepted]);
        assert!(recalled.iter().all(|it| it.may_become(FulfilmentStatus::Rejected)));
    }

    #[test]
    fn texts_read_back() {
        for status in OrderStatus::ALL {
            assert_eq!(OrderStatus::parse(status.as_str()), Some(*status));
        }
        assert_eq!(FulfilmentStatus::parse("teleported"), None);
    }
}
