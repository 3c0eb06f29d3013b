//! Random histories of an order that grows, shrinks and goes elsewhere, heard in any order: in the end what is promised and
//! what waits is what is wanted, line by line, and no unit is lost or held twice.

use std::collections::BTreeMap;

use bus::ConsumeError;
use contracts::events::{Allocation, OrderCancelled, OrderChanged, RefundLine};
use kernel::id::OrderId;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::Value;

use crate::support::{Pool, Row, change, code, fulfilment_line, order};

#[derive(Clone, Debug)]
enum Step {
    /// Lines of `(sku, units)`, perhaps with another destination.
    Add(Vec<(usize, i64)>, Option<u8>),
    Redirect(u8),
    /// Units of lines, perhaps named where they are.
    Cancel(Vec<(usize, i64)>, bool),
    CancelAll,
    /// One of the events that are on their way arrives.
    Deliver(usize),
    Reject(usize),
    Receive(usize, usize, i64),
    Serve,
}

const SKUS: [&str; 4] = ["A", "B", "CUP", "SET"];
const STOCKED: [&str; 4] = ["A", "B", "CUP", "POT"];
const PLACES: [&str; 3] = ["S1", "S2", "S3"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let lines = || prop::collection::vec((0usize..4, 1i64..4), 1..3);
    let step = prop_oneof![
        8 => (lines(), prop::option::weighted(0.3, 0u8..5)).prop_map(|(lines, to)| Step::Add(lines, to)),
        4 => (0u8..5).prop_map(Step::Redirect),
        8 => (prop::collection::vec((0usize..6, 1i64..3), 1..3), prop::bool::weighted(0.7))
            .prop_map(|(lines, named)| Step::Cancel(lines, named)),
        1 => Just(Step::CancelAll),
        20 => (0usize..8).prop_map(Step::Deliver),
        6 => (0usize..6).prop_map(Step::Reject),
        8 => (0usize..4, 0usize..3, 1i64..5).prop_map(|(sku, place, units)| Step::Receive(sku, place, units)),
        3 => Just(Step::Serve),
    ];
    prop::collection::vec(step, 50..80)
}

/// An event on its way.
#[derive(Clone, Debug)]
enum Event {
    Changed(OrderChanged),
    Cancelled(OrderCancelled),
}

/// The order as the order book has it.
struct Book {
    id: OrderId,
    version: i64,
    /// SKU and wanted units by line.
    lines: BTreeMap<i32, (&'static str, i64)>,
    /// Nothing is added to what is cancelled as a whole.
    over: bool,
    on_the_way: Vec<Event>,
}

impl Book {
    fn change(&mut self, added: &[(usize, i64)], to: Option<u8>) {
        if self.over {
            return;
        }
        self.version += 1;
        let mut lines = Vec::new();
        for (sku, units) in added {
            let line_no = i32::try_from(self.lines.len()).unwrap() + 1;
            self.lines.insert(line_no, (SKUS[*sku], *units));
            lines.push((line_no, SKUS[*sku], *units));
        }
        self.on_the_way.push(Event::Changed(change(self.id, self.version, &lines, to.map(f64::from))));
    }

    /// Cancels up to so many units of lines; `at` is what the order book knows to be somewhere.
    fn cancel(&mut self, wanted: &[(i32, i64)], at: &[Row]) {
        let (mut lines, mut allocations) = (Vec::new(), Vec::new());
        for (line_no, units) in wanted {
            let Some((sku, left)) = self.lines.get_mut(line_no) else { continue };
            let units = (*units).min(*left);
            let Ok(quantity) = units.try_into() else { continue };
            *left -= units;
            lines.push(RefundLine { line_no: *line_no, sku: code(sku), quantity, amount: 0 });
            if let Some(row) = at.iter().find(|row| row.0 == *line_no && row.1 == *sku) {
                let quantity = units.min(row.3).try_into().unwrap();
                allocations.push(Allocation { line_no: *line_no, sku: code(sku), location: code(&row.2), quantity });
            }
        }
        if lines.is_empty() {
            return;
        }
        self.over = self.lines.values().all(|(_, left)| *left == 0);
        self.on_the_way.push(Event::Cancelled(OrderCancelled {
            order_id: self.id,
            lines,
            allocations,
            whole: self.over,
            reason: "changed their mind".to_owned(),
            cancelled_at: kernel::Timestamp::EPOCH,
        }));
    }

    /// The units of each line and part that are wanted.
    fn wanted(&self) -> BTreeMap<(i32, String), i64> {
        let mut wanted = BTreeMap::new();
        for (line_no, (sku, units)) in self.lines.iter().filter(|(_, (_, units))| *units > 0) {
            let parts: &[(&str, i64)] = if *sku == "SET" { &[("CUP", 2), ("POT", 1)] } else { &[(sku, 1)] };
            wanted.extend(parts.iter().map(|(part, each)| ((*line_no, (*part).to_owned()), units * each)));
        }
        wanted
    }
}

async fn promised(pool: &Pool, id: OrderId) -> Vec<Row> {
    let read = pool.service.test.store.read("open", move |tx| inventory::store::reserved::of_owners(tx, &[id.uuid()]));
    let lines = read.await.unwrap().into_iter();
    lines.map(|it| (it.line_no, it.sku.to_string(), it.location.to_string(), it.quantity)).collect()
}

/// What is promised and what waits, by line and part.
async fn held(pool: &Pool, id: OrderId) -> BTreeMap<(i32, String), i64> {
    let mut units: BTreeMap<(i32, String), i64> = BTreeMap::new();
    for (line_no, sku, _, quantity) in promised(pool, id).await {
        *units.entry((line_no, sku)).or_default() += quantity;
    }
    let queue = pool.service.get("/v1/backorders").await.body;
    for line in queue["items"].as_array().unwrap().iter().flat_map(|it| it["lines"].as_array().unwrap()) {
        let text = |field: &str| line[field].as_str().unwrap().to_owned();
        let line_no = line["line_no"].as_i64().unwrap().try_into().unwrap();
        *units.entry((line_no, text("sku"))).or_default() += line["quantity"].as_i64().unwrap();
    }
    units
}

/// Hears one of the events on their way; says whether it could be.
async fn deliver(pool: &Pool, book: &mut Book, index: usize) -> bool {
    let heard = match &book.on_the_way[index] {
        Event::Changed(it) => pool.service.hear(std::slice::from_ref(it)).await,
        Event::Cancelled(it) => pool.service.hear(std::slice::from_ref(it)).await,
    };
    match heard {
        Ok(()) => {
            book.on_the_way.remove(index);
            true
        }
        Err(ConsumeError::Retry(_)) => false,
        Err(error) => panic!("{error:?}"),
    }
}

async fn run(pool: &Pool, book: &mut Book, step: Step) {
    match step {
        Step::Add(lines, to) => book.change(&lines, to),
        Step::Redirect(to) => book.change(&[], Some(to)),
        Step::Cancel(lines, named) => {
            let wanted: Vec<(i32, i64)> =
                lines.iter().map(|(line, units)| (i32::try_from(*line).unwrap() + 1, *units)).collect();
            let at = if named { promised(pool, book.id).await } else { Vec::new() };
            book.cancel(&wanted, &at);
        }
        Step::CancelAll => {
            let all: Vec<(i32, i64)> = book.lines.iter().map(|(line_no, (_, left))| (*line_no, *left)).collect();
            book.cancel(&all, &[]);
        }
        Step::Deliver(n) if !book.on_the_way.is_empty() => {
            deliver(pool, book, n % book.on_the_way.len()).await;
        }
        Step::Reject(n) => {
            let rows = promised(pool, book.id).await;
            let Some((line_no, sku, location, units)) = rows.get(n) else { return };
            pool.reject(book.id, location, vec![fulfilment_line(*line_no, sku, *units)]).await.unwrap();
        }
        Step::Receive(sku, place, units) => pool.receive(&[(STOCKED[sku], PLACES[place], units)]).await,
        Step::Serve => {
            pool.service.run_job("look_again").await;
            pool.service.run_job("serve_backorders").await;
        }
        Step::Deliver(_) => {}
    }
}

/// The version that sends the order where it goes, as its newest decision has it.
async fn redirected_by(pool: &Pool) -> i64 {
    let sql = "SELECT coalesce((document::json -> 'request' ->> 'redirected_by')::bigint, 0) FROM decisions \
        ORDER BY attempt DESC LIMIT 1";
    pool.number(sql).await
}

#[actix_web::test]
async fn whatever_order_it_is_heard_in_what_is_held_is_what_is_wanted() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..20 {
        let pool = Pool::new().await;
        pool.receive(&[("A", "S1", 3), ("A", "S3", 3), ("B", "S2", 4), ("CUP", "S1", 4), ("POT", "S1", 2)]).await;
        let id = pool.place(order(&[("A", 2), ("SET", 1)])).await;
        let lines = BTreeMap::from([(1, ("A", 2)), (2, ("SET", 1))]);
        let mut book = Book { id, version: 1, lines, over: false, on_the_way: Vec::new() };
        let history = steps().new_tree(&mut runner).unwrap().current();
        let mut newest = 0;
        for step in history.clone() {
            run(&pool, &mut book, step).await;
            let by = redirected_by(&pool).await;
            assert!(by >= newest, "{history:?}");
            newest = by;
        }
        // Whatever is still on its way arrives, the newest first.
        while !book.on_the_way.is_empty() {
            let mut heard = false;
            for index in (0..book.on_the_way.len()).rev() {
                heard |= deliver(&pool, &mut book, index).await;
            }
            assert!(heard, "{history:?}");
        }
        assert_eq!(held(&pool, id).await, book.wanted(), "{history:?}");
        pool.is_proved().await;
        // What waits is served, and what is promised ships.
        let plenty: Vec<Value> = STOCKED
            .iter()
            .map(|sku| serde_json::json!({"sku": sku, "location": "S2", "delta": 99, "reason": "received"}))
            .collect();
        assert_eq!(pool.service.post("/v1/stock/adjustments", Value::Array(plenty)).await.status, 200);
        pool.service.test.clock.advance(std::time::Duration::from_secs(86_401));
        run(&pool, &mut book, Step::Serve).await;
        for (line_no, sku, location, units) in promised(&pool, id).await {
            pool.ship(id, &location, vec![fulfilment_line(line_no, &sku, units)]).await.unwrap();
        }
        assert_eq!(held(&pool, id).await, BTreeMap::new(), "{history:?}");
        pool.is_proved().await;
    }
}
