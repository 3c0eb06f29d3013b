//! Orders, fulfilment orders and returns as they are answered.

use contracts::events::{Buyer, Disposition, FulfilmentKind, FulfilmentLine, Parcel};
use kernel::id::{FulfilmentId, MemberId, OrderId, RefundId, ReservationId, ReturnId};
use kernel::{ChannelCode, Currency, LocationCode, Money, PayeeCode, SkuCode, Timestamp};
use serde::Serialize;
use store::Error;
use utoipa::ToSchema;

use super::holds::HoldView;
use super::line_views::LineView;
use super::payments::{PaymentView, RefundView};
use super::totals::TotalsView;
use crate::app::place_orders::Document;
use crate::app::read_orders::{ReadOrder, ReadReturn};
use crate::domain::coupons::CouponForm;
use crate::domain::form::{ExchangeForm, FulfilmentForm};
use crate::domain::payment_terms::PaymentTermsForm;
use crate::domain::return_reason::{Fault, ReturnReason};
use crate::domain::state::{FulfilmentStatus, OrderStatus, PaymentStatus, ReturnStatus};
use crate::store::code;
use crate::store::fulfilments::Fulfilment;
use crate::store::history::ChangeRow;
use crate::store::lines::LineRow;
use crate::store::orders::OrderRow;
use crate::store::returns::ReturnLineRow;

/// An order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OrderView {
    /// Its id.
    pub id: OrderId,
    /// Its channel.
    pub channel: ChannelCode,
    /// The channel's own number for it.
    pub channel_order_no: String,
    /// The channel's number for the purchase that it was split from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_order_no: Option<String>,
    /// The return whose goods it is the exchange of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exchange_of: Option<ReturnId>,
    /// Where it stands.
    pub status: OrderStatus,
    /// Where its money stands.
    pub payment_status: PaymentStatus,
    /// Whether anything holds it: then nothing of it moves on until it is released.
    pub held: bool,
    /// The member who bought, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_id: Option<MemberId>,
    /// When the buyer placed it.
    pub placed_at: Timestamp,
    /// When the channel last changed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_updated_at: Option<Timestamp>,
    /// When it came into the book.
    pub created_at: Timestamp,
    /// The currency of every amount.
    pub currency: Currency,
    /// Who bought.
    pub buyer: Buyer,
    /// How the goods reach the buyer.
    pub fulfilment: FulfilmentForm,
    /// What was bought.
    pub lines: Vec<LineView>,
    /// Who ships what.
    pub fulfilments: Vec<FulfilmentView>,
    /// What holds it, or did, the oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<HoldView>,
    /// What it adds up to.
    pub totals: TotalsView,
    /// Coupons that the buyer used; the discounts hold them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coupons: Option<Vec<CouponForm>>,
    /// When it is paid; left out when it is paid already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_terms: Option<PaymentTermsForm>,
    /// Until when something of it is to be paid, else it is cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pay_by: Option<Timestamp>,
    /// How it was paid; left out when the channel settles it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payments: Option<Vec<PaymentView>>,
    /// The hold it claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reservation_id: Option<ReservationId>,
    /// The guide credited with the sale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guide: Option<PayeeCode>,
    /// The store credited with the sale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<LocationCode>,
    /// A remark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What went back to the buyer; a list of orders leaves this out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refunds: Vec<RefundView>,
    /// What came back; a list of orders leaves this out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub returns: Vec<ReturnView>,
    /// Who changed what, when and why; a list of orders leaves this out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<ChangeView>,
    /// Grows with every change; also the ETag.
    pub version: i64,
}

/// A change of an order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChangeView {
    /// When.
    pub at: Timestamp,
    /// Who: a client's id, or the service that answered.
    pub actor: String,
    /// What.
    pub what: String,
    /// Why, when somebody said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A fulfilment order: what one location ships of an order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FulfilmentView {
    /// Its id.
    pub id: FulfilmentId,
    /// Its order.
    pub order_id: OrderId,
    /// Who is to fulfil it.
    pub location: LocationCode,
    /// Ship or pickup.
    #[serde(rename = "type")]
    pub kind: FulfilmentKind,
    /// Where the buyer collects it, if it ships there first: then it is a pickup of that location.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collect_at: Option<LocationCode>,
    /// Who has sent it there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_from: Option<LocationCode>,
    /// Where it stands.
    pub status: FulfilmentStatus,
    /// The sourcing attempt that made it.
    pub attempt: i32,
    /// What is in it.
    pub lines: Vec<FulfilmentLine>,
    /// The order's lines in it that are gifts; shown where fulfilment orders are read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gifts: Vec<i32>,
    /// Its parcels, once it left.
    pub parcels: Vec<Parcel>,
    /// Why it was rejected, recalled or cancelled, or that it lapsed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether it stands as rejected because it was taken back for nearer stock: its location has refused nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub recalled: bool,
    /// The code that the buyer shows at the counter; a store's work list leaves it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collect_code: Option<String>,
    /// When it was offered.
    pub offered_at: Timestamp,
    /// When the location took it on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<Timestamp>,
    /// When the goods were off the shelf.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picked_at: Option<Timestamp>,
    /// When the goods were in their parcels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packed_at: Option<Timestamp>,
    /// When the goods waited at the counter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<Timestamp>,
    /// When the goods left for where they are collected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// When the goods left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipped_at: Option<Timestamp>,
    /// When the goods reached the buyer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
    /// When the buyer took the goods away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collected_at: Option<Timestamp>,
    /// Until when the buyer may collect it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collect_by: Option<Timestamp>,
    /// When it last changed.
    pub changed_at: Timestamp,
    /// Grows with every change; also the ETag.
    pub version: i64,
}

/// A return.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReturnView {
    /// Its id.
    pub id: ReturnId,
    /// The original order, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// The channel it came through.
    pub channel: ChannelCode,
    /// The original's number, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_order_no: Option<String>,
    /// The channel's own number for the return.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_no: Option<String>,
    /// Where it stands.
    pub status: ReturnStatus,
    /// Where the goods go or went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<LocationCode>,
    /// Why, as one of a list.
    pub reason_code: ReturnReason,
    /// Who is at fault by that.
    pub at_fault: Fault,
    /// Why, in words.
    pub reason: String,
    /// Who returns, when the original is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buyer: Option<Buyer>,
    /// What comes back.
    pub lines: Vec<ReturnLineView>,
    /// Gifts that came with what comes back and are to come back as well, in a return of their own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gifts_due: Vec<GiftDueView>,
    /// The refund, once issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_id: Option<RefundId>,
    /// Freight that went back.
    pub freight_amount: Money,
    /// Everything that went back.
    pub refund_amount: Money,
    /// What the buyer wants instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exchange: Option<ExchangeForm>,
    /// The order that it became.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exchange_order_id: Option<OrderId>,
    /// What of all that went back paid for that order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exchange_amount: Option<Money>,
    /// Until when the goods are to come, else the return lapses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When the buyer asked.
    pub returned_at: Timestamp,
    /// When it came into the book.
    pub requested_at: Timestamp,
    /// When it last changed.
    pub changed_at: Timestamp,
    /// Grows with every change; also the ETag.
    pub version: i64,
}

/// Units of a gift that are to come back.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GiftDueView {
    /// The order line.
    pub line_no: i32,
    /// How many units.
    pub quantity: i64,
}

/// A line of a return.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReturnLineView {
    /// Its place in the return, from 1.
    pub position: i32,
    /// The order line, when the original is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_no: Option<i32>,
    /// What comes back.
    pub sku: SkuCode,
    /// How many units.
    pub quantity: i64,
    /// The exact price of one unit in major units, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_price_decimal: Option<String>,
    /// What goes back for them, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_amount: Option<Money>,
    /// What the inspection decided.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dispositions: Vec<DispositionView>,
}

/// What becomes of some units of a return's line.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DispositionView {
    /// What becomes of them.
    pub disposition: Disposition,
    /// How many units.
    pub quantity: i64,
}

impl OrderView {
    /// An order that has just been taken: nothing happened to it yet.
    pub fn fresh(order: &OrderRow, lines: &[LineRow], document: Document) -> Result<Self, Error> {
        let currency = order.currency()?;
        Ok(Self {
            id: order.id(),
            channel: code(&order.channel)?,
            channel_order_no: order.channel_order_no.clone(),
            parent_order_no: document.parent_order_no,
            exchange_of: document.exchange_of,
            status: order.status()?,
            payment_status: order.payment_status()?,
            held: order.held,
            member_id: None,
            placed_at: order.placed_at.into(),
            channel_updated_at: order.channel_updated_at.map(Into::into),
            created_at: order.created_at.into(),
            currency,
            buyer: document.buyer,
            fulfilment: document.fulfilment,
            lines: lines.iter().map(|line| LineView::new(line, currency)).collect::<Result<_, _>>()?,
            fulfilments: Vec::new(),
            holds: Vec::new(),
            totals: TotalsView::of(order, lines)?,
            coupons: document.coupons,
            payment_terms: document.payment_terms,
            pay_by: None,
            payments: document.payments.map(PaymentView::fresh),
            reservation_id: document.reservation_id,
            guide: document.guide,
            store: document.store,
            note: document.note,
            refunds: Vec::new(),
            returns: Vec::new(),
            history: Vec::new(),
            version: order.version,
        })
    }

    /// An order of a list.
    pub fn of(read: &ReadOrder) -> Result<Self, Error> {
        let view = Self::fresh(&read.order, &read.lines, serde_json::from_str(&read.order.document)?)?;
        let gifts: Vec<i32> = view.lines.iter().filter(|line| line.gift).map(|line| line.line_no).collect();
        Ok(Self {
            member_id: read.member.map(MemberId),
            fulfilments: read.fulfilments.iter().map(|it| FulfilmentView::with_code(it).with_gifts(&gifts)).collect(),
            pay_by: read.pay_by.map(Into::into),
            payments: PaymentView::all(&read.payments, view.currency),
            holds: read.holds.iter().map(HoldView::of).collect::<Result<_, _>>()?,
            ..view
        })
    }

    /// An order with its returns and its history, which begins with the intake.
    pub fn whole(read: &ReadOrder) -> Result<Self, Error> {
        let order = &read.order;
        let currency = order.currency()?;
        let intake = ChangeView {
            at: order.created_at.into(),
            actor: order.created_by.clone(),
            what: "received".to_owned(),
            reason: None,
        };
        Ok(Self {
            refunds: read.refunds.iter().map(|refund| RefundView::of(refund, currency)).collect(),
            returns: read.returns.iter().map(ReturnView::of).collect::<Result<_, _>>()?,
            history: std::iter::once(intake).chain(read.history.iter().map(ChangeView::of)).collect(),
            ..Self::of(read)?
        })
    }
}

impl ChangeView {
    fn of(row: &ChangeRow) -> Self {
        Self { at: row.at.into(), actor: row.actor.clone(), what: row.what.clone(), reason: row.reason.clone() }
    }
}

impl FulfilmentView {
    /// A fulfilment order with the code that the buyer shows.
    pub fn with_code(it: &Fulfilment) -> Self {
        Self {
            id: it.id,
            order_id: it.order_id,
            location: it.location.clone(),
            kind: it.kind,
            collect_at: it.collect_at.clone(),
            sent_from: it.sent_from.clone(),
            status: it.status,
            attempt: it.attempt,
            lines: it.lines.clone(),
            gifts: Vec::new(),
            parcels: it.parcels.clone(),
            reason: it.reason.clone(),
            recalled: it.recalled,
            collect_code: it.collect_code.clone(),
            offered_at: it.offered_at,
            accepted_at: it.times.accepted_at.map(Into::into),
            picked_at: it.times.picked_at.map(Into::into),
            packed_at: it.times.packed_at.map(Into::into),
            ready_at: it.times.ready_at.map(Into::into),
            sent_at: it.times.sent_at.map(Into::into),
            shipped_at: it.times.shipped_at.map(Into::into),
            delivered_at: it.times.delivered_at.map(Into::into),
            collected_at: it.times.collected_at.map(Into::into),
            collect_by: it.times.collect_by.map(Into::into),
            changed_at: it.changed_at,
            version: it.version,
        }
    }

    /// The same, with which of the order's lines are gifts.
    pub fn with_gifts(self, gifts: &[i32]) -> Self {
        let held = |line_no: &&i32| self.lines.iter().any(|line| line.line_no == **line_no);
        let gifts = gifts.iter().filter(held).copied().collect();
        Self { gifts, ..self }
    }

    /// A fulfilment order as the location sees it: the code is the buyer's to show.
    pub fn without_code(it: &Fulfilment) -> Self {
        Self { collect_code: None, ..Self::with_code(it) }
    }
}

impl ReturnView {
    /// A return with its lines.
    pub fn of(read: &ReadReturn) -> Result<Self, Error> {
        let row = &read.row;
        let currency = row.currency()?;
        Ok(Self {
            id: ReturnId(row.return_id),
            order_id: row.order_id.map(OrderId),
            channel: code(&row.channel)?,
            channel_order_no: row.channel_order_no.clone(),
            return_no: row.return_no.clone(),
            status: row.status()?,
            location: row.location.as_deref().map(code).transpose()?,
            reason_code: row.reason_code()?,
            at_fault: row.reason_code()?.fault(),
            reason: row.reason.clone(),
            buyer: row.buyer.as_deref().map(serde_json::from_str).transpose()?,
            lines: read.lines.iter().map(|line| ReturnLineView::of(line, currency)).collect::<Result<_, _>>()?,
            gifts_due: read.gifts_due.iter().map(|it| GiftDueView { line_no: it.0, quantity: it.1 }).collect(),
            refund_id: row.refund_id.map(RefundId),
            freight_amount: Money::new(row.freight_amount, currency),
            refund_amount: Money::new(row.refund_amount, currency),
            exchange: row.exchange.as_deref().map(serde_json::from_str).transpose()?,
            exchange_order_id: row.exchange_order_id.map(OrderId),
            exchange_amount: row.exchange.as_ref().map(|_| Money::new(row.exchange_amount, currency)),
            expires_at: row.expires_at.map(Into::into),
            returned_at: row.returned_at.into(),
            requested_at: row.requested_at.into(),
            changed_at: row.changed_at.into(),
            version: row.version,
        })
    }
}

impl ReturnLineView {
    fn of(row: &ReturnLineRow, currency: Currency) -> Result<Self, Error> {
        let parts = [
            (Disposition::Restock, row.restock),
            (Disposition::Quarantine, row.quarantine),
            (Disposition::Scrap, row.scrap),
        ];
        let decided = parts.into_iter().filter(|(_, quantity)| *quantity > 0);
        Ok(Self {
            position: row.position,
            line_no: row.line_no,
            sku: code(&row.sku)?,
            quantity: row.quantity,
            unit_price_decimal: row.unit_price.map(|price| price.to_string()),
            refund_amount: row.refund_amount.map(|amount| Money::new(amount, currency)),
            dispositions: decided.map(|(disposition, quantity)| DispositionView { disposition, quantity }).collect(),
        })
    }
}
