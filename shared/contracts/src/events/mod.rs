//! Every event payload, one file per telling service.
//!
//! Events only ever expand, so every type here reads over fields it does not know. Request bodies are strict; what they
//! share stands in [`requests`](crate::requests).

/// Declares a payload's event name and subject.
macro_rules! payload {
    ($type:ty, $kind:literal, |$it:ident| $subject:expr) => {
        impl $crate::Payload for $type {
            const KIND: &'static str = $kind;

            fn subject(&self) -> String {
                let $it = self;
                $subject
            }
        }
    };
}

mod gateway;
mod hold;
mod inventory;
mod member;
mod open;
mod order;
mod payment;
mod pos;
mod product;
mod rebate;
mod restated;
mod returning;

pub use gateway::ChannelChanged;
pub use hold::{OrderHeld, OrderHold, OrderReleased};
pub use inventory::{
    Allocation, AvailabilityChanged, AvailabilityLevel, BackorderedSku, LocationChanged, LocationKind,
    ReservationExpired, StockBackordered, StockBetterFound, StockChanged, StockLevel, StockOwing, StockPromisedLong,
    StockReleased, StockShorted, StockSourced,
};
pub use member::{BuyerIdentified, IdentityLinked, MemberRegistered, PointsChanged, PosIdentified, TierChanged};
pub use order::{
    AddedLines, Buyer, CouponFunder, CouponShare, Credited, Destination, FulfilmentAccepted, FulfilmentArrived,
    FulfilmentDelivered, FulfilmentKind, FulfilmentLine, FulfilmentOffered, FulfilmentPickupDue, FulfilmentRejected,
    FulfilmentRequest, FulfilmentSent, FulfilmentShipped, Identity, OrderCancelled, OrderChanged, OrderCompleted,
    OrderCoupon, OrderLine, OrderPlaced, OrderTotals, Parcel, QuantityOfLine, RecalledPart,
};
pub use payment::PaymentReceived;
pub use pos::{PosKind, PosLine, PosOriginal, PosRecorded};
pub use product::{BundleComponent, ListingChanged, SkuChanged, SkuStatus};
pub use rebate::{PosRebateAccrued, PosRebateReversed, RebateAccrued, RebateReversed};
pub use restated::{OrderRestated, RestatedFulfilment, RestatedLine};
pub use returning::{
    Disposition, LineAmount, RefundIssued, RefundLine, RefundPart, ReturnInspected, ReturnLapsed, ReturnLine,
    ReturnReceived,
};
