//! Random histories: whatever happens in whatever order, the books are right and nothing is promised twice.

use contracts::events::{Disposition, PosKind, ReturnInspected, ReturnLine, ReturnReceived};
use kernel::Timestamp;
use kernel::id::{OrderId, ReturnId};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;

use crate::support::{Pool, Row, code, fulfilment_line, order, till};

#[derive(Clone, Debug)]
enum Step {
    Receive(usize, usize, i64),
    Hold(usize, i64, i64),
    Order(Vec<(usize, i64)>),
    Ship(usize),
    Reject(usize),
    Cancel(usize),
    Return(usize, usize, i64),
    /// Lines of one transaction: units sold, or below 0 brought back, to the shelf or apart.
    Till(usize, Vec<(usize, i64)>),
    Wait(u64),
    Jobs,
}

const SKUS: [&str; 4] = ["A", "B", "CUP", "SET"];
const PLACES: [&str; 3] = ["S1", "S2", "S3"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0usize..3, 0usize..3, 1i64..6).prop_map(|(sku, place, units)| Step::Receive(sku, place, units)),
        2 => (0usize..4, 1i64..4, 1i64..30).prop_map(|(sku, units, ttl)| Step::Hold(sku, units, ttl)),
        4 => prop::collection::vec((0usize..4, 1i64..4), 1..3).prop_map(Step::Order),
        2 => (0usize..20).prop_map(Step::Ship),
        2 => (0usize..20).prop_map(Step::Reject),
        1 => (0usize..20).prop_map(Step::Cancel),
        1 => (0usize..3, 0usize..3, 1i64..4).prop_map(|(sku, place, units)| Step::Return(sku, place, units)),
        3 => (0usize..3, prop::collection::vec((0usize..4, prop_oneof![2 => 1i64..5, 1 => -3i64..0]), 1..4))
            .prop_map(|(place, lines)| Step::Till(place, lines)),
        1 => (1u64..20).prop_map(Step::Wait),
        1 => Just(Step::Jobs),
    ];
    prop::collection::vec(step, 40..60)
}

/// What an order has reserved now, by location.
async fn open(pool: &Pool, id: OrderId) -> Vec<Row> {
    let rows =
        pool.service.test.store.read("open", move |tx| inventory::store::reserved::of_owners(tx, &[id.uuid()])).await;
    let row = |it: inventory::store::reserved::ReservedLine| {
        (it.line_no, it.sku.to_string(), it.location.to_string(), it.quantity)
    };
    rows.unwrap().into_iter().map(row).collect()
}

async fn run(pool: &Pool, step: Step, orders: &mut Vec<OrderId>) {
    match step {
        Step::Receive(sku, place, units) => pool.receive(&[(SKUS[sku], PLACES[place], units)]).await,
        Step::Hold(sku, units, ttl) => {
            let reply = pool.hold(&[(SKUS[sku], units)], json!({"ttl_seconds": ttl})).await;
            assert!([201, 409].contains(&reply.status), "{}", reply.text);
        }
        Step::Order(lines) => {
            let lines: Vec<(&str, i64)> = lines.iter().map(|(sku, units)| (SKUS[*sku], *units)).collect();
            orders.push(pool.place(order(&lines)).await);
        }
        Step::Ship(n) | Step::Reject(n) if n < orders.len() => {
            let Some(first) = open(pool, orders[n]).await.into_iter().next() else { return };
            let line = vec![fulfilment_line(first.0, &first.1, first.3)];
            match step {
                Step::Ship(_) => pool.ship(orders[n], &first.2, line).await.unwrap(),
                _ => pool.reject(orders[n], &first.2, line).await.unwrap(),
            }
        }
        Step::Cancel(n) if n < orders.len() => pool.cancel(orders[n], &[], &[]).await.unwrap(),
        Step::Return(sku, place, units) => give_back(pool, SKUS[sku], PLACES[place], units).await,
        Step::Till(place, lines) => {
            let line = |(sku, units): &(usize, i64)| {
                let to = if *units == -1 { Disposition::Quarantine } else { Disposition::Restock };
                (SKUS[*sku], *units, (*units < 0).then_some(to))
            };
            let lines: Vec<_> = lines.iter().map(line).collect();
            pool.service.hear(&[till(PLACES[place], PosKind::Exchange, &lines)]).await.unwrap();
        }
        Step::Wait(seconds) => pool.service.test.clock.advance(std::time::Duration::from_secs(seconds)),
        Step::Jobs => {
            for job in ["sweep_reservations", "serve_backorders", "ask_for_owed", "tell_stock", "prove_stock"] {
                pool.service.run_job(job).await;
            }
        }
        Step::Ship(_) | Step::Reject(_) | Step::Cancel(_) => {}
    }
}

async fn give_back(pool: &Pool, sku: &str, place: &str, units: i64) {
    let line = |disposition| {
        vec![ReturnLine { line_no: None, sku: code(sku), quantity: units.try_into().unwrap(), disposition }]
    };
    let (return_id, order_id, location, at) = (ReturnId::at(Timestamp::EPOCH), None, code(place), Timestamp::EPOCH);
    let received =
        ReturnReceived { return_id, order_id, location: location.clone(), lines: line(None), received_at: at };
    pool.service.hear(&[received]).await.unwrap();
    let lines = line(Some(if units == 1 { Disposition::Scrap } else { Disposition::Restock }));
    pool.service.hear(&[ReturnInspected { return_id, order_id, location, lines, inspected_at: at }]).await.unwrap();
}

#[actix_web::test]
async fn the_books_are_right_after_any_history() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..6 {
        let pool = Pool::new().await;
        let mut orders = Vec::new();
        let history = steps().new_tree(&mut runner).unwrap().current();
        for step in history {
            run(&pool, step, &mut orders).await;
        }
        pool.is_proved().await;
        // The kept totals are the sums of the balances, and no two orders hold the same unit.
        let totals = "SELECT count(*) FROM availability v WHERE available <> (SELECT coalesce(sum(greatest(0, \
            on_hand - reserved - quarantined - owed - safety)), 0) FROM stock s WHERE s.sku = v.sku)";
        assert_eq!(pool.number(totals).await, 0);
        assert_eq!(pool.number("SELECT count(*) FROM stock WHERE reserved + quarantined > on_hand").await, 0);
    }
}
