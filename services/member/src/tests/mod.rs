//! The service on a real database, driven by the events it hears.

mod additions;
mod http;
mod identities;
mod points;
mod redemption;
mod tiers;
mod tills;

use std::collections::BTreeSet;

use bus::{ConsumeError, Handler};
use contracts::envelope::SpecVersion;
use contracts::events::{
    Buyer, BuyerIdentified, FulfilmentKind, FulfilmentRequest, Identity, OrderCancelled, OrderCompleted, OrderLine,
    OrderPlaced, OrderTotals, PosRecorded, RefundIssued, RefundLine,
};
use contracts::{Event, Payload};
use kernel::id::{MemberId, OrderId, RefundId, uuid_at};
use kernel::{Clock, Currency, Quantity, Timestamp};
use phonenumber::country;
use serde_json::value::to_raw_value;
use testkit::{TestStore, told};

use crate::app::Desk;
use crate::app::books::read_account;
use crate::domain::account::Balances;
use crate::store::proof::drifts;
use crate::store::{members, rules};
use crate::vault::Vault;

/// The member service of a shop.
pub struct Shop {
    pub test: TestStore,
    pub desk: Desk,
    handler: Handler,
}

pub fn phone(number: &str) -> Identity {
    identity("phone", number)
}

pub fn identity(kind: &str, value: &str) -> Identity {
    Identity { kind: kind.into(), value: value.into(), issuer: None, scope: None }
}

fn quantity(units: i64) -> Quantity {
    units.try_into().unwrap()
}

impl Shop {
    pub async fn new() -> Self {
        let test = TestStore::new("member", &[&::store::MIGRATIONS, &ledger::MIGRATIONS, &crate::MIGRATIONS]).await;
        let desk = Desk {
            vault: Vault::new(&[1; 32], &[2; 32]).unwrap(),
            region: country::CN,
            zone: chrono_tz::Asia::Shanghai,
            tier_program: "default".to_owned(),
        };
        Self { test, handler: crate::consumers::orders(desk.clone()), desk }
    }

    pub fn now(&self) -> Timestamp {
        self.test.clock.now()
    }

    /// An order of these lines, each a SKU, a number of units and what was paid for them.
    pub fn order(&self, identities: &[Identity], lines: &[(&str, i64, i64)]) -> OrderPlaced {
        let line = |(line_no, (sku, units, paid_amount)): (i32, &(&str, i64, i64))| OrderLine {
            line_no,
            sku: sku.parse().unwrap(),
            category: None,
            quantity: quantity(*units),
            list_amount: *paid_amount,
            discount_amount: 0,
            paid_amount: *paid_amount,
            freight_amount: 0,
            coupons: Vec::new(),
            tax_amount: None,
            gift: false,
        };
        let total = lines.iter().map(|line| line.2).sum();
        OrderPlaced {
            order_id: OrderId::at(self.now()),
            channel: "shop".parse().unwrap(),
            channel_order_no: "1".into(),
            placed_at: self.now(),
            currency: Currency::CNY,
            buyer: Buyer { identities: identities.to_vec(), name: Some("王小明".into()) },
            fulfilment: FulfilmentRequest { kind: FulfilmentKind::Ship, destination: None, location: None },
            lines: (1..).zip(lines).map(line).collect(),
            totals: OrderTotals { list_amount: total, discount_amount: 0, freight_amount: 0, total_amount: total },
            parent_order_no: None,
            coupons: Vec::new(),
            reservation_id: None,
            guide: None,
            store: None,
        }
    }

    pub fn event<P: Payload>(&self, payload: &P) -> Event {
        Event {
            specversion: SpecVersion::V1,
            id: uuid_at(self.now()),
            source: "onepool/order".into(),
            kind: P::KIND.into(),
            version: P::VERSION,
            subject: payload.subject(),
            time: self.now(),
            traceparent: None,
            causationid: None,
            data: to_raw_value(payload).unwrap(),
        }
    }

    /// Hears events of one kind in one transaction, without the inbox.
    pub async fn hears_all<P: Payload>(&self, payloads: &[P]) -> Result<(), ConsumeError> {
        let events: Vec<Event> = payloads.iter().map(|payload| self.event(payload)).collect();
        let handler = self.handler.clone();
        self.test.store.transact("hear", move |tx| handler(tx, P::KIND, &events)).await
    }

    /// Hears what tills told, in one transaction, without the inbox.
    pub async fn tills_hear(&self, told: &[PosRecorded]) -> Result<(), ConsumeError> {
        let events: Vec<Event> = told.iter().map(|payload| self.event(payload)).collect();
        let handler = crate::consumers::tills(self.desk.clone());
        self.test.store.transact("hear", move |tx| handler(tx, PosRecorded::KIND, &events)).await
    }

    pub async fn hears<P: Payload>(&self, payload: &P) -> Result<(), ConsumeError> {
        self.hears_all(std::slice::from_ref(payload)).await
    }

    pub async fn completes(&self, order: OrderId) -> Result<(), ConsumeError> {
        self.hears(&OrderCompleted { order_id: order, completed_at: self.now() }).await
    }

    /// Cancels so many units of lines.
    pub async fn cancels(&self, order: &OrderPlaced, lines: &[(i32, i64)]) -> Result<(), ConsumeError> {
        let lines = refund_lines(order, lines);
        let reason = "changed mind".to_owned();
        let cancelled_at = self.now();
        let (order_id, allocations) = (order.order_id, Vec::new());
        self.hears(&OrderCancelled { order_id, lines, allocations, whole: false, reason, cancelled_at }).await
    }

    /// Refunds so many units of lines.
    pub async fn refunds(&self, order: &OrderPlaced, lines: &[(i32, i64)]) -> Result<(), ConsumeError> {
        self.hears(&RefundIssued {
            refund_id: RefundId::at(self.now()),
            return_id: None,
            order_id: Some(order.order_id),
            lines: refund_lines(order, lines),
            freight_amount: 0,
            total_amount: 0,
            currency: Currency::CNY,
            adjustments: Vec::new(),
            parts: Vec::new(),
            exchange_amount: 0,
            exchange_order_id: None,
            reason_code: None,
            refunded_at: self.now(),
        })
        .await
    }

    /// Who bought an order, as the service told.
    pub async fn buyer_of(&self, order: &OrderPlaced) -> Option<MemberId> {
        let answers: Vec<BuyerIdentified> = told(&self.test.store).await;
        let answers: Vec<_> = answers.into_iter().filter(|it| it.order_id == order.order_id).collect();
        assert_eq!(answers.len(), 1, "every order is answered once");
        answers[0].member_id
    }

    /// A member whose order of `yuan` was placed and completed.
    pub async fn member_with(&self, number: &str, yuan: i64) -> (MemberId, OrderPlaced) {
        let order = self.order(&[phone(number)], &[("A", 1, yuan * 100)]);
        self.hears(&order).await.unwrap();
        self.completes(order.order_id).await.unwrap();
        (self.buyer_of(&order).await.unwrap(), order)
    }

    pub async fn points(&self, member: MemberId) -> Balances {
        let account = self.test.store.read("points", move |tx| read_account(tx, member)).await;
        account.unwrap().balances()
    }

    pub async fn tier(&self, member: MemberId) -> String {
        let row = self.test.store.read("tier", move |tx| members::get(tx, member.uuid())).await;
        row.unwrap().unwrap().tier
    }

    pub async fn set_rule(&self, kind: rules::RuleKind, document: serde_json::Value) {
        let version = move |tx: &mut ::store::Tx<'_>| {
            let newest = rules::newest(tx, kind, "default")?.map_or(0, |row| row.version);
            rules::add(tx, kind, "default", newest + 1, &document)
        };
        self.test.store.transact("set_rule", version).await.unwrap();
    }

    /// The books are right: balanced, and lots and holds tell the same as the ledger.
    pub async fn is_proved(&self) {
        let (proof, drifts) = self
            .test
            .store
            .read("prove", |tx| Ok::<_, ::store::Error>((ledger::proof(tx)?, drifts(tx)?)))
            .await
            .unwrap();
        assert!(proof.holds(), "{proof:?}");
        assert_eq!(drifts, []);
    }

    pub fn number(&self, sql: &str) -> i64 {
        self.test.database.number(sql)
    }
}

fn refund_lines(order: &OrderPlaced, lines: &[(i32, i64)]) -> Vec<RefundLine> {
    let sku = |line_no: i32| order.lines.iter().find(|line| line.line_no == line_no).map(|line| line.sku.clone());
    let unknown = || "unknown".parse().unwrap();
    lines
        .iter()
        .map(|(line_no, units)| RefundLine {
            line_no: *line_no,
            sku: sku(*line_no).unwrap_or_else(unknown),
            quantity: quantity(*units),
            amount: 0,
        })
        .collect()
}

pub fn only(member: MemberId) -> BTreeSet<MemberId> {
    BTreeSet::from([member])
}
