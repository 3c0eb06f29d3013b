//! An inventory service on a database of its own, and what its users and neighbours do to it.

use contracts::events::{
    AddedLines, Allocation, BundleComponent, Buyer, Destination, FulfilmentKind, FulfilmentLine, FulfilmentRejected,
    FulfilmentRequest, FulfilmentShipped, OrderCancelled, OrderChanged, OrderLine, OrderPlaced, OrderTotals,
    RefundLine, SkuChanged, SkuStatus, StockBackordered, StockSourced,
};
use contracts::events::{Disposition, PosKind, PosLine, PosRecorded};
use kernel::id::{FulfilmentId, OrderId, PosTransactionId, ReservationId};
use kernel::{Code, Currency, GeoPoint, Timestamp};
use serde_json::{Value, json};
use testkit::{Reply, TestService, told};

/// The service with its surroundings.
pub struct Pool {
    pub service: TestService,
}

pub fn code(text: &str) -> Code {
    text.parse().unwrap()
}

pub fn sku(name: &str, version: i64, parts: &[(&str, i64)]) -> SkuChanged {
    let part = |(sku, units): &(&str, i64)| BundleComponent { sku: code(sku), quantity: (*units).try_into().unwrap() };
    SkuChanged {
        sku: code(name),
        name: name.to_owned(),
        status: SkuStatus::Active,
        category: None,
        brand: None,
        weight_grams: None,
        bundle: parts.iter().map(part).collect(),
        version,
    }
}

pub fn fulfilment_line(line_no: i32, sku: &str, units: i64) -> FulfilmentLine {
    FulfilmentLine { line_no, sku: code(sku), quantity: units.try_into().unwrap() }
}

/// `(line, sku, location, units)`
pub type Row = (i32, String, String, i64);

pub fn row(line_no: i32, sku: &str, location: &str, units: i64) -> Row {
    (line_no, sku.to_owned(), location.to_owned(), units)
}

pub fn rows(allocations: &[Allocation]) -> Vec<Row> {
    let row = |it: &Allocation| (it.line_no, it.sku.to_string(), it.location.to_string(), it.quantity.get());
    allocations.iter().map(row).collect()
}

/// A change of an order by its version: `(line, sku, units)` are added, and it goes to 0° north and so many degrees east.
pub fn change(order_id: OrderId, version: i64, added: &[(i32, &str, i64)], degrees: Option<f64>) -> OrderChanged {
    let placed = order(&added.iter().map(|(_, sku, units)| (*sku, *units)).collect::<Vec<_>>());
    let number = |(line, (line_no, _, _)): (OrderLine, &(i32, &str, i64))| OrderLine { line_no: *line_no, ..line };
    let lines: Vec<OrderLine> = placed.lines.into_iter().zip(added).map(number).collect();
    let (channel, placed_at, currency, totals) = (placed.channel, placed.placed_at, placed.currency, placed.totals);
    let point = |degrees: f64| Some(GeoPoint::new(0.0, degrees).unwrap());
    OrderChanged {
        order_id,
        version,
        fields: Vec::new(),
        destination: degrees.map(|degrees| Destination { point: point(degrees), ..Destination::default() }),
        credited: None,
        added: (!lines.is_empty()).then_some(AddedLines { channel, placed_at, currency, lines, totals }),
        changed_at: placed_at,
    }
}

/// An order of `(sku, units)`, its lines counted from 1, shipped to 0° north, 0° east.
pub fn order(lines: &[(&str, i64)]) -> OrderPlaced {
    let lines = lines.iter().zip(1..).map(|((sku, units), line_no)| OrderLine {
        line_no,
        sku: code(sku),
        category: None,
        quantity: (*units).try_into().unwrap(),
        list_amount: 0,
        discount_amount: 0,
        paid_amount: 0,
        freight_amount: 0,
        coupons: Vec::new(),
        tax_amount: None,
        gift: false,
    });
    let placed_at: Timestamp = "2026-11-11T00:00:00+08:00".parse().unwrap();
    OrderPlaced {
        order_id: OrderId::at(placed_at),
        channel: code("tmall"),
        channel_order_no: "T-1".to_owned(),
        placed_at,
        currency: "CNY".parse::<Currency>().unwrap(),
        buyer: Buyer::default(),
        fulfilment: FulfilmentRequest {
            kind: FulfilmentKind::Ship,
            destination: Some(Destination { point: Some(GeoPoint::new(0.0, 0.0).unwrap()), ..Destination::default() }),
            location: None,
        },
        lines: lines.collect(),
        totals: OrderTotals { list_amount: 0, discount_amount: 0, freight_amount: 0, total_amount: 0 },
        parent_order_no: None,
        coupons: Vec::new(),
        reservation_id: None,
        guide: None,
        store: None,
    }
}

/// What a till of a store sold, `(sku, units)`, or took back, below 0, and where that goes.
pub fn till(store: &str, kind: PosKind, lines: &[(&str, i64, Option<Disposition>)]) -> PosRecorded {
    let lines = lines.iter().zip(1..).map(|((sku, quantity, disposition), line_no)| PosLine {
        line_no,
        sku: code(sku),
        category: None,
        quantity: *quantity,
        list_amount: 0,
        discount_amount: 0,
        paid_amount: 0,
        disposition: *disposition,
        original: None,
    });
    let occurred_at: Timestamp = "2026-11-11T00:00:00+08:00".parse().unwrap();
    PosRecorded {
        transaction_id: PosTransactionId::at(occurred_at),
        store: code(store),
        terminal: "T1".to_owned(),
        business_date: "2026-11-11".parse().unwrap(),
        sequence: 1,
        kind,
        voids: None,
        channel: code("pos"),
        occurred_at,
        currency: "CNY".parse::<Currency>().unwrap(),
        buyer: Buyer::default(),
        guide: None,
        lines: lines.collect(),
        total_amount: 0,
    }
}

/// The same, collected at a location.
pub fn pickup(lines: &[(&str, i64)], location: &str) -> OrderPlaced {
    let fulfilment =
        FulfilmentRequest { kind: FulfilmentKind::Pickup, destination: None, location: Some(code(location)) };
    OrderPlaced { fulfilment, ..order(lines) }
}

impl Pool {
    /// A pool that knows the SKUs `A`, `B`, `CUP`, `POT` and the bundle `SET` of two cups and a pot, and the locations
    /// `S1`, `S2`, `S3` one, two and three degrees east of 0° north, 0° east.
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// As [`Pool::new`], with settings such as `("INVENTORY__MAX_PARTS", "1")`.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let pool = Self { service: TestService::with(&inventory::DESCRIPTOR, settings).await };
        let skus: Vec<SkuChanged> = ["A", "B", "CUP", "POT"].iter().map(|name| sku(name, 1, &[])).collect();
        pool.service.hear(&skus).await.unwrap();
        pool.service.hear(&[sku("SET", 1, &[("CUP", 2), ("POT", 1)])]).await.unwrap();
        for (name, degrees) in [("S1", 1.0), ("S2", 2.0), ("S3", 3.0)] {
            let reply = pool.location(name, json!({"longitude": degrees})).await;
            assert_eq!(reply.status, 201, "{}", reply.text);
        }
        pool
    }

    /// Puts a store at 0° north, 0° east, but for what `fields` say.
    pub async fn location(&self, name: &str, fields: Value) -> Reply {
        let mut body = json!({"name": name, "kind": "store", "latitude": 0.0, "longitude": 0.0});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.service.put(&format!("/v1/locations/{name}"), body).await
    }

    /// Adds units: `(sku, location, units)`.
    pub async fn receive(&self, stock: &[(&str, &str, i64)]) {
        let line = |(sku, location, units): &(&str, &str, i64)| json!({"sku": sku, "location": location, "delta": units, "reason": "received"});
        let body: Vec<Value> = stock.iter().map(line).collect();
        let reply = self.service.post("/v1/stock/adjustments", Value::Array(body)).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }

    /// The order book tells of an order. Its id.
    pub async fn place(&self, order: OrderPlaced) -> OrderId {
        let id = order.order_id;
        self.service.hear(&[order]).await.unwrap();
        id
    }

    /// What was told of where an order ships from: `(attempt, rows)`, in order.
    pub async fn sourced(&self, order: OrderId) -> Vec<(i32, Vec<Row>)> {
        let all = told::<StockSourced>(&self.service.test.store).await;
        all.iter().filter(|it| it.order_id == order).map(|it| (it.attempt, rows(&it.allocations))).collect()
    }

    /// What was told of what an order waits for: `(attempt, missing)`, in order.
    pub async fn waits(&self, order: OrderId) -> Vec<(i32, Vec<(String, i64)>)> {
        let all = told::<StockBackordered>(&self.service.test.store).await;
        let missing =
            |it: &StockBackordered| it.missing.iter().map(|it| (it.sku.to_string(), it.missing.get())).collect();
        all.iter().filter(|it| it.order_id == order).map(|it| (it.attempt, missing(it))).collect()
    }

    pub async fn ship(
        &self,
        order: OrderId,
        location: &str,
        lines: Vec<FulfilmentLine>,
    ) -> Result<(), bus::ConsumeError> {
        let now = self.service.test.store.now();
        let event = FulfilmentShipped {
            fulfilment_id: FulfilmentId::at(now),
            order_id: order,
            location: code(location),
            lines,
            parcels: Vec::new(),
            shipped_at: now,
        };
        self.service.hear(&[event]).await
    }

    pub async fn reject(
        &self,
        order: OrderId,
        location: &str,
        lines: Vec<FulfilmentLine>,
    ) -> Result<(), bus::ConsumeError> {
        let now = self.service.test.store.now();
        let event = FulfilmentRejected {
            fulfilment_id: FulfilmentId::at(now),
            order_id: order,
            location: code(location),
            lines,
            reason: "not found".to_owned(),
            recalled: false,
            recalled_with: Vec::new(),
            sourced_with: None,
            rejected_at: now,
        };
        self.service.hear(&[event]).await
    }

    /// Cancels `(line, sku, units)`, of which `at` are placed; nothing named means the whole order.
    pub async fn cancel(
        &self,
        order: OrderId,
        lines: &[(i32, &str, i64)],
        at: &[Row],
    ) -> Result<(), bus::ConsumeError> {
        let line = |(line_no, sku, units): &(i32, &str, i64)| RefundLine {
            line_no: *line_no,
            sku: code(sku),
            quantity: (*units).try_into().unwrap(),
            amount: 0,
        };
        let placed = |(line_no, sku, location, units): &Row| Allocation {
            line_no: *line_no,
            sku: code(sku),
            location: code(location),
            quantity: (*units).try_into().unwrap(),
        };
        let event = OrderCancelled {
            order_id: order,
            lines: lines.iter().map(line).collect(),
            allocations: at.iter().map(placed).collect(),
            whole: lines.is_empty(),
            reason: "changed their mind".to_owned(),
            cancelled_at: self.service.test.store.now(),
        };
        self.service.hear(&[event]).await
    }

    /// `(on hand, reserved, quarantined, available)` of a balance.
    pub async fn balance(&self, sku: &str, location: &str) -> (i64, i64, i64, i64) {
        let reply = self.service.get(&format!("/v1/stock?sku={sku}&location={location}")).await;
        let item = &reply.body["items"][0];
        let number = |field: &str| item[field].as_i64().unwrap_or_else(|| panic!("{field} in {}", reply.text));
        (number("on_hand"), number("reserved"), number("quarantined"), number("available"))
    }

    /// Every balance is the sum of its parts, by the endpoint and by the job's own way.
    pub async fn is_proved(&self) {
        let reply = self.service.get("/v1/stock/proof").await;
        assert_eq!(reply.body["drift"], json!([]), "{}", reply.text);
        assert_eq!(self.prove().await, (Vec::new(), false));
    }

    /// One step of the job: what drifted, and whether there is more to prove.
    pub async fn prove(&self) -> (Vec<Value>, bool) {
        let step = self.service.test.store.transact("prove", inventory::app::prove_stock::prove_stock);
        let (drift, more) = step.await.unwrap();
        (drift.iter().map(|it| json!(it)).collect(), more)
    }

    /// The one number that `sql` selects as `number`.
    pub async fn number(&self, sql: &'static str) -> i64 {
        #[derive(diesel::QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            number: i64,
        }
        let row = self.service.test.store.read("number", move |tx| {
            let query = diesel::sql_query(format!("SELECT ({sql})::bigint AS number"));
            Ok::<Row, store::Error>(diesel::RunQueryDsl::get_result(query, tx.conn())?)
        });
        row.await.unwrap().number
    }

    /// A hold of `(sku, units)` for ten minutes, but for what `fields` say.
    pub async fn hold(&self, lines: &[(&str, i64)], fields: Value) -> Reply {
        let lines: Vec<Value> = lines.iter().map(|(sku, units)| json!({"sku": sku, "quantity": units})).collect();
        let mut body = json!({"channel": "tmall", "lines": lines, "ttl_seconds": 600,
            "ship_to": {"latitude": 0.0, "longitude": 0.0}});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.service.post("/v1/reservations", body).await
    }
}

pub fn id_of(reply: &Reply) -> ReservationId {
    reply.body["id"].as_str().unwrap_or_else(|| panic!("{}", reply.text)).parse().unwrap()
}
