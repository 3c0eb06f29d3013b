//! A rebate service on a database of its own, with the events and the people of the tests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bus::ConsumeError;
use contracts::events::{
    Buyer, BuyerIdentified, FulfilmentKind, FulfilmentRequest, OrderCancelled, OrderCompleted, OrderLine, OrderPlaced,
    OrderTotals, RefundIssued, RefundLine,
};
use contracts::{Event, Payload};
use diesel::Connection;
use diesel::connection::InstrumentationEvent;
use kernel::id::{MemberId, OrderId, RefundId};
use kernel::{Currency, Quantity, Timestamp};
use rebate::app::bind::{Bind, bind};
use rebate::app::explain::explain;
use rebate::app::keep_policies::{Draft, Move, draft_policy, move_policy};
use rebate::app::put_payee::{PutPayee, put_payee};
use rebate::domain::party::{BindingRole, PayeeKind, PayeeStatus, SubjectKind};
use rebate::domain::policy::PolicyStatus;
use rebate::store::lines::{LineFilter, LineRow, list};
use store::Store;
use testkit::TestService;

pub const PLACED_AT: &str = "2026-11-11T00:00:00+08:00";

pub struct World {
    pub service: TestService,
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A placed order with lines of (units, paid in minor units).
pub fn order(lines: &[(i64, i64)]) -> OrderPlaced {
    let lines: Vec<OrderLine> = lines
        .iter()
        .zip(1..)
        .map(|((quantity, paid_amount), line_no)| OrderLine {
            line_no,
            sku: format!("SKU{line_no}").parse().unwrap(),
            category: Some("shoes".to_owned()),
            quantity: Quantity::try_from(*quantity).unwrap(),
            list_amount: *paid_amount,
            discount_amount: 0,
            paid_amount: *paid_amount,
            freight_amount: 0,
            coupons: Vec::new(),
            tax_amount: None,
            gift: false,
        })
        .collect();
    let paid = lines.iter().map(|line| line.paid_amount).sum();
    let order_id = OrderId::at(at(PLACED_AT));
    OrderPlaced {
        order_id,
        channel: "tmall".parse().unwrap(),
        channel_order_no: order_id.to_string(),
        placed_at: at(PLACED_AT),
        currency: Currency::CNY,
        buyer: Buyer::default(),
        fulfilment: FulfilmentRequest { kind: FulfilmentKind::Ship, destination: None, location: None },
        lines,
        totals: OrderTotals { list_amount: paid, discount_amount: 0, freight_amount: 0, total_amount: paid },
        parent_order_no: None,
        coupons: Vec::new(),
        reservation_id: None,
        guide: Some("GUIDE".parse().unwrap()),
        store: Some("STORE".parse().unwrap()),
    }
}

pub fn identified(order: &OrderPlaced, member_id: Option<MemberId>) -> BuyerIdentified {
    BuyerIdentified { order_id: order.order_id, member_id, tier: None }
}

pub fn completed(order: &OrderPlaced) -> OrderCompleted {
    OrderCompleted { order_id: order.order_id, completed_at: at("2026-11-20T00:00:00+08:00") }
}

/// Units of lines, as (line number, units). What the buyer gets for them does not matter to rebates.
fn units(order: &OrderPlaced, units: &[(i32, i64)]) -> Vec<RefundLine> {
    let line = |(line_no, quantity): &(i32, i64)| RefundLine {
        line_no: *line_no,
        sku: order.lines[usize::try_from(line_no - 1).unwrap()].sku.clone(),
        quantity: Quantity::try_from(*quantity).unwrap(),
        amount: 0,
    };
    units.iter().map(line).collect()
}

pub fn refund(order: &OrderPlaced, given_back: &[(i32, i64)]) -> RefundIssued {
    RefundIssued {
        refund_id: RefundId::at(at(PLACED_AT)),
        return_id: None,
        order_id: Some(order.order_id),
        lines: units(order, given_back),
        freight_amount: 0,
        total_amount: 0,
        currency: Currency::CNY,
        adjustments: Vec::new(),
        parts: Vec::new(),
        exchange_amount: 0,
        exchange_order_id: None,
        reason_code: None,
        refunded_at: at("2026-12-01T00:00:00+08:00"),
    }
}

pub fn cancelled(order: &OrderPlaced, given_back: &[(i32, i64)], whole: bool) -> OrderCancelled {
    OrderCancelled {
        order_id: order.order_id,
        lines: units(order, given_back),
        whole,
        allocations: Vec::new(),
        reason: "changed my mind".to_owned(),
        cancelled_at: at("2026-11-11T01:00:00+08:00"),
    }
}

impl World {
    /// A service that knows nobody and has no policy.
    pub async fn empty() -> Self {
        Self { service: TestService::new(&rebate::DESCRIPTOR).await }
    }

    /// Guide, store and dealer are registered, the dealer is bound to the store, and a policy gives them 3 %, 5 % and 2 %
    /// of what was paid.
    pub async fn new() -> Self {
        let world = Self::empty().await;
        world.payee("GUIDE", PayeeKind::Guide).await;
        world.payee("STORE", PayeeKind::Store).await;
        world.payee("DEALER", PayeeKind::Dealer).await;
        world.bound(BindingRole::Dealer, SubjectKind::Store, "STORE", "DEALER").await;
        world
            .policy(
                "main",
                serde_json::json!({"basis": "paid", "shares": [
                    {"role": "guide", "rate_ppm": 30_000},
                    {"role": "store", "rate_ppm": 50_000},
                    {"role": "dealer", "rate_ppm": 20_000},
                ]}),
            )
            .await;
        world
    }

    pub async fn payee(&self, code: &str, kind: PayeeKind) {
        self.payee_is(code, kind, PayeeStatus::Active).await;
    }

    pub async fn payee_is(&self, code: &str, kind: PayeeKind, status: PayeeStatus) {
        let command =
            PutPayee { code: code.parse().unwrap(), name: code.to_owned(), kind, status, expected_version: None };
        self.store().transact("payee", move |tx| put_payee(tx, &command)).await.unwrap();
    }

    pub fn binding(role: BindingRole, kind: SubjectKind, subject: &str, payee: &str) -> Bind {
        Bind {
            role,
            subject_kind: kind,
            subject: subject.to_owned(),
            payee: payee.parse().unwrap(),
            from: Some(at("2026-01-01T00:00:00+08:00")),
            until: None,
            protected_until: None,
            evidence: None,
            created_by: "maker".to_owned(),
        }
    }

    pub async fn bound(&self, role: BindingRole, kind: SubjectKind, subject: &str, payee: &str) {
        let command = Self::binding(role, kind, subject, payee);
        self.store().transact("bind", move |tx| bind(tx, &command)).await.unwrap();
    }

    /// Drafts, approves and activates a policy.
    pub async fn policy(&self, code: &str, document: serde_json::Value) {
        let code = code.parse().unwrap();
        let document = serde_json::from_value(document).unwrap();
        let draft = Draft { name: "a policy".to_owned(), document, created_by: "maker".to_owned() };
        self.store()
            .transact("policy", move |tx| {
                let row = draft_policy(tx, &code, &draft)?;
                for to in [PolicyStatus::Approved, PolicyStatus::Active] {
                    let policy_id = row.policy_id.into();
                    move_policy(tx, &Move { policy_id, to, by: "checker".to_owned(), expected_revision: None })?;
                }
                Ok::<_, rebate::app::keep_policies::Error>(())
            })
            .await
            .unwrap();
    }

    pub fn store(&self) -> &Store {
        &self.service.platform.store
    }

    /// Hands an event to the consumer, as the bus does.
    pub async fn hear<P: Payload>(&self, payload: &P) -> Result<(), ConsumeError> {
        self.service.hear(std::slice::from_ref(payload)).await
    }

    /// An order that was placed and whose buyer is known.
    pub async fn sold(&self, lines: &[(i64, i64)]) -> OrderPlaced {
        let order = order(lines);
        self.hear(&order).await.unwrap();
        self.hear(&identified(&order, None)).await.unwrap();
        order
    }

    /// What stands in an account, by payee; zeros are left out.
    pub async fn account(&self, account: &'static str) -> BTreeMap<String, i64> {
        let balances = self
            .store()
            .read("balances", move |tx| ledger::balances(tx, &["GUIDE", "STORE", "DEALER", "G2", "S2"], account))
            .await
            .unwrap();
        balances.into_iter().map(|row| (row.owner, row.balance)).filter(|(_, balance)| *balance != 0).collect()
    }

    pub async fn lines(&self) -> Vec<LineRow> {
        self.store().read("lines", |tx| list(tx, &LineFilter::default(), None, 500)).await.unwrap()
    }

    /// How many statements it takes to hear groups of events in one transaction.
    pub async fn statements(&self, groups: Vec<(&'static str, Vec<Event>)>) -> usize {
        let count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        let outcome: Result<(), ConsumeError> = self
            .store()
            .transact("count", move |tx| {
                tx.conn().set_instrumentation(move |event: InstrumentationEvent<'_>| {
                    if matches!(event, InstrumentationEvent::StartQuery { .. }) {
                        counter.fetch_add(1, Ordering::SeqCst);
                    }
                });
                for (kind, events) in &groups {
                    rebate::consumers::handle(tx, kind, events)?;
                }
                tx.conn().set_instrumentation(|_: InstrumentationEvent<'_>| {});
                Ok(())
            })
            .await;
        outcome.unwrap();
        count.load(Ordering::SeqCst)
    }

    /// Every line explains itself to the same amounts, and the books hold.
    pub async fn everything_agrees(&self) {
        for line in self.lines().await {
            let explained =
                self.store().read("explain", move |tx| explain(tx, line.line_id.into())).await.unwrap().unwrap();
            assert!(explained.matches, "{explained:?}");
        }
        let proof = self.store().read("proof", ledger::proof).await.unwrap();
        assert!(proof.holds(), "{proof:?}");
    }
}

/// Expected balances, as they are written in tests.
pub fn amounts(expected: &[(&str, i64)]) -> BTreeMap<String, i64> {
    expected.iter().map(|(payee, amount)| ((*payee).to_owned(), *amount)).collect()
}
