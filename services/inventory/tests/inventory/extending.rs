//! Lines that are added to an order after it was placed.

use bus::ConsumeError;
use contracts::events::{
    FulfilmentRejected, OrderCancelled, OrderChanged, OrderPlaced, OrderTotals, RecalledPart, RefundLine, ReturnLine,
    ReturnReceived, StockBackordered, StockBetterFound, StockSourced,
};
use kernel::Timestamp;
use kernel::id::{FulfilmentId, OrderId, ReturnId};
use serde_json::{Value, json};
use store::Rows;
use testkit::{event, told};

use crate::support::{Pool, Row, change, code, fulfilment_line, order, pickup, row, rows, sku};

async fn hear(pool: &Pool, changes: &[OrderChanged]) {
    pool.service.hear(changes).await.unwrap();
}

/// Puts a ruleset of one tier in force.
async fn activate(pool: &Pool, document: Value) {
    let added = pool.service.post("/v1/sourcing/rulesets", document).await;
    assert_eq!(added.status, 201, "{}", added.text);
    let path = format!("/v1/sourcing/rulesets/{}/activate", added.body["version"]);
    let activated = pool.service.post(&path, Value::Null).await;
    assert_eq!(activated.status, 200, "{}", activated.text);
}

async fn serve(pool: &Pool) {
    pool.service.run_job("look_again").await;
    pool.service.run_job("serve_backorders").await;
}

/// Which versions of the order were answered, in order.
async fn answered(pool: &Pool, order: OrderId) -> Vec<Option<i64>> {
    let all: Vec<StockSourced> = told(&pool.service.test.store).await;
    all.iter().filter(|it| it.order_id == order).map(|it| it.answers_version).collect()
}

/// What was told of where an order ships from: `(attempt, rows)`, in order, the rows by line and SKU.
async fn sourced(pool: &Pool, id: OrderId) -> Vec<(i32, Vec<Row>)> {
    let mut all = pool.sourced(id).await;
    all.iter_mut().for_each(|(_, rows)| rows.sort());
    all
}

/// What an order has promised now.
async fn promised(pool: &Pool, id: OrderId) -> Vec<Row> {
    let read = pool.service.test.store.read("open", move |tx| inventory::store::reserved::of_owners(tx, &[id.uuid()]));
    let lines = read.await.unwrap().into_iter();
    lines.map(|it| (it.line_no, it.sku.to_string(), it.location.to_string(), it.quantity)).collect()
}

/// What an order waits for now, `(line, sku, units)`.
async fn waiting(pool: &Pool) -> Vec<(i64, String, i64)> {
    let body = pool.service.get("/v1/backorders").await.body;
    let line = |it: &Value| {
        (it["line_no"].as_i64().unwrap(), it["sku"].as_str().unwrap().to_owned(), it["quantity"].as_i64().unwrap())
    };
    let items = body["items"].as_array().unwrap();
    let mut lines: Vec<_> = items.iter().flat_map(|it| it["lines"].as_array().unwrap()).map(line).collect();
    lines.sort();
    lines
}

fn retried(outcome: Result<(), ConsumeError>) -> bool {
    matches!(outcome, Err(ConsumeError::Retry(_)))
}

#[actix_web::test]
async fn what_was_added_is_sourced_by_itself_and_once() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 2), ("A", "S2", 9), ("B", "S2", 9)]).await;
    let id = pool.place(order(&[("A", 2)])).await;
    // More of the same, which S1 has no more of, and something else: S2 has both.
    let added = change(id, 3, &[(2, "A", 1), (3, "B", 2)], None);
    for _ in 0..2 {
        hear(&pool, std::slice::from_ref(&added)).await;
    }
    let first = (1, vec![row(1, "A", "S1", 2)]);
    let second = (2, vec![row(2, "A", "S2", 1), row(3, "B", "S2", 2)]);
    assert_eq!(sourced(&pool, id).await, [first, second]);
    assert_eq!(answered(&pool, id).await, [None, None]);
    // Of two additions that are heard together each line is sourced, and what is known is not sourced again.
    hear(&pool, &[change(id, 4, &[(4, "B", 1)], None), change(id, 5, &[(5, "B", 3)], None), added]).await;
    assert_eq!(sourced(&pool, id).await[2..], [(3, vec![row(4, "B", "S2", 1), row(5, "B", "S2", 3)])]);
    assert_eq!(pool.balance("B", "S2").await, (9, 6, 0, 3));
    pool.ship(id, "S2", vec![fulfilment_line(2, "A", 1), fulfilment_line(3, "B", 2)]).await.unwrap();
    pool.reject(id, "S1", vec![fulfilment_line(1, "A", 2)]).await.unwrap();
    assert_eq!(sourced(&pool, id).await[3..], [(4, vec![row(1, "A", "S2", 2)])]);
    pool.is_proved().await;
}

#[actix_web::test]
async fn an_addition_is_tried_again_until_its_order_is_sourced_and_its_sku_known() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5), ("CUP", "S1", 5)]).await;
    let placed = order(&[("A", 1)]);
    let added = [change(placed.order_id, 2, &[(2, "DUO", 2)], None)];
    assert!(retried(pool.service.hear(&added).await));
    let id = pool.place(placed).await;
    assert!(retried(pool.service.hear(&added).await));
    pool.service.hear(&[sku("DUO", 1, &[("CUP", 2)])]).await.unwrap();
    hear(&pool, &added).await;
    assert_eq!(sourced(&pool, id).await[1..], [(2, vec![row(2, "CUP", "S1", 4)])]);
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_shortage_joins_what_the_order_waits_for() {
    let pool = Pool::new().await;
    let id = pool.place(order(&[("A", 2)])).await;
    let other = pool.place(order(&[("B", 1)])).await;
    pool.cancel(other, &[], &[]).await.unwrap();
    hear(&pool, &[change(id, 2, &[(2, "B", 1)], None)]).await;
    assert_eq!(pool.waits(id).await, [(1, vec![("A".to_owned(), 2)]), (2, vec![("B".to_owned(), 1)])]);
    let both = vec![(1, "A".to_owned(), 2), (2, "B".to_owned(), 1)];
    assert_eq!(waiting(&pool).await, both);
    // It got nothing so far, so that it keeps its place among those.
    assert_eq!(pool.number("SELECT sum(priority) FROM backorders").await, 1);
    // What is in stock does not wait, and what waits goes on.
    pool.receive(&[("CUP", "S1", 1)]).await;
    hear(&pool, &[change(id, 3, &[(3, "CUP", 1)], None)]).await;
    assert_eq!(sourced(&pool, id).await, [(3, vec![row(3, "CUP", "S1", 1)])]);
    assert_eq!(waiting(&pool).await, both);
    pool.receive(&[("A", "S1", 2), ("B", "S1", 1)]).await;
    serve(&pool).await;
    assert_eq!(sourced(&pool, id).await[1..], [(4, vec![row(1, "A", "S1", 2), row(2, "B", "S1", 1)])]);
    assert_eq!(waiting(&pool).await, []);
    pool.is_proved().await;
}

#[actix_web::test]
async fn what_is_short_of_a_promised_order_waits_before_those_that_got_nothing() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1)]).await;
    let id = pool.place(order(&[("A", 1)])).await;
    let earlier = order(&[("B", 1)]);
    let earlier = pool.place(OrderPlaced { placed_at: earlier.placed_at.plus_seconds(-60), ..earlier }).await;
    hear(&pool, &[change(id, 2, &[(2, "B", 1)], None)]).await;
    pool.receive(&[("B", "S1", 1)]).await;
    serve(&pool).await;
    assert_eq!(sourced(&pool, id).await[1..], [(3, vec![row(2, "B", "S1", 1)])]);
    assert_eq!(sourced(&pool, earlier).await, []);
    pool.is_proved().await;
}

#[actix_web::test]
async fn an_addition_does_not_put_off_that_a_location_is_asked_again() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1)]).await;
    let id = pool.place(order(&[("A", 1)])).await;
    pool.reject(id, "S1", vec![fulfilment_line(1, "A", 1)]).await.unwrap();
    // One more comes there; before anybody has looked, the order gets another line. What is needed for that comes elsewhere.
    pool.receive(&[("A", "S1", 1)]).await;
    hear(&pool, &[change(id, 2, &[(2, "B", 1)], None)]).await;
    pool.receive(&[("B", "S2", 1)]).await;
    serve(&pool).await;
    assert_eq!(sourced(&pool, id).await[1..], [(4, vec![row(1, "A", "S1", 1), row(2, "B", "S2", 1)])]);
    pool.is_proved().await;
}

#[actix_web::test]
async fn what_is_added_to_a_pickup_comes_from_its_location() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S2", 1), ("B", "S1", 9), ("B", "S2", 9), ("CUP", "S1", 9)]).await;
    let id = pool.place(pickup(&[("A", 1)], "S2")).await;
    hear(&pool, &[change(id, 2, &[(2, "CUP", 1)], None)]).await;
    assert_eq!(waiting(&pool).await, [(2, "CUP".to_owned(), 1)]);
    // It did not find the one thing; that says nothing of what is added from then on.
    pool.reject(id, "S2", vec![fulfilment_line(1, "A", 1)]).await.unwrap();
    hear(&pool, &[change(id, 3, &[(3, "B", 2)], None)]).await;
    assert_eq!(sourced(&pool, id).await[1..], [(4, vec![row(3, "B", "S2", 2)])]);
    assert_eq!(waiting(&pool).await, [(1, "A".to_owned(), 1), (2, "CUP".to_owned(), 1)]);
    pool.is_proved().await;
}

#[actix_web::test]
async fn an_added_bundle_stays_one_wherever_the_order_goes() {
    let pool = Pool::new().await;
    let split = json!({"max_parts": 3, "keep_bundles_together": true});
    activate(&pool, json!({"name": "t", "tiers": [{"name": "t", "sort": ["distance"], "split": split}]})).await;
    pool.receive(&[("A", "S1", 1), ("CUP", "S1", 2), ("POT", "S1", 1), ("CUP", "S2", 2), ("POT", "S3", 1)]).await;
    let id = pool.place(order(&[("A", 1)])).await;
    hear(&pool, &[change(id, 2, &[(2, "SET", 1)], None)]).await;
    assert_eq!(sourced(&pool, id).await[1..], [(2, vec![row(2, "CUP", "S1", 2), row(2, "POT", "S1", 1)])]);
    let lines = vec![fulfilment_line(2, "CUP", 2), fulfilment_line(2, "POT", 1)];
    pool.reject(id, "S1", lines).await.unwrap();
    assert_eq!(pool.waits(id).await, [(3, vec![("CUP".to_owned(), 2), ("POT".to_owned(), 1)])]);
    // A unit cannot come from two stores either when all of it is planned again; the order waits as a whole.
    hear(&pool, &[change(id, 3, &[], Some(3.0))]).await;
    assert_eq!(pool.waits(id).await.len(), 2);
    assert_eq!(promised(&pool, id).await, []);
    pool.receive(&[("POT", "S2", 1), ("A", "S2", 1)]).await;
    serve(&pool).await;
    let all = vec![row(1, "A", "S2", 1), row(2, "CUP", "S2", 2), row(2, "POT", "S2", 1)];
    assert_eq!(sourced(&pool, id).await.last(), Some(&(5, all)));
    pool.is_proved().await;
}

#[actix_web::test]
async fn an_added_bundle_comes_back_as_it_was_sold() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1), ("CUP", "S1", 2), ("POT", "S1", 1)]).await;
    let id = pool.place(order(&[("A", 1)])).await;
    hear(&pool, &[change(id, 2, &[(2, "SET", 1)], None)]).await;
    pool.ship(id, "S1", vec![fulfilment_line(2, "CUP", 2), fulfilment_line(2, "POT", 1)]).await.unwrap();
    pool.service.hear(&[sku("SET", 2, &[("CUP", 6)])]).await.unwrap();
    let lines =
        vec![ReturnLine { line_no: Some(2), sku: code("SET"), quantity: 1.try_into().unwrap(), disposition: None }];
    let (return_id, received_at) = (ReturnId::at(Timestamp::EPOCH), pool.service.test.store.now());
    let received = ReturnReceived { return_id, order_id: Some(id), location: code("S2"), lines, received_at };
    pool.service.hear(&[received]).await.unwrap();
    assert_eq!(pool.balance("CUP", "S2").await, (2, 0, 2, 0));
    assert_eq!(pool.balance("POT", "S2").await, (1, 0, 1, 0));
    pool.is_proved().await;
}

#[actix_web::test]
async fn what_is_added_while_the_order_goes_elsewhere_is_planned_with_the_rest() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1), ("B", "S2", 1), ("A", "S3", 1), ("B", "S3", 1)]).await;
    let id = pool.place(order(&[("A", 1)])).await;
    hear(&pool, &[change(id, 5, &[(2, "B", 1)], Some(4.0))]).await;
    assert_eq!(sourced(&pool, id).await[1..], [(2, vec![row(1, "A", "S3", 1), row(2, "B", "S3", 1)])]);
    assert_eq!(answered(&pool, id).await, [None, Some(5)]);
    // Also where some of it is short: both answers are about the version.
    hear(&pool, &[change(id, 6, &[(3, "CUP", 1)], Some(0.0))]).await;
    let all: Vec<StockBackordered> = told(&pool.service.test.store).await;
    assert_eq!(all.last().unwrap().answers_version, Some(6));
    assert_eq!(waiting(&pool).await.len(), 3);
    pool.is_proved().await;
}

/// Whatever order they come in, together or one by one, all lines are there and go where the newest version says.
#[actix_web::test]
async fn changes_that_overtake_each_other_come_to_the_same() {
    for together in [true, false] {
        for order_of in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2], [0, 2, 1, 3]] {
            let pool = Pool::new().await;
            pool.receive(&[("A", "S1", 9), ("B", "S1", 9), ("A", "S3", 9), ("B", "S3", 9)]).await;
            let id = pool.place(order(&[("A", 1)])).await;
            let all = [
                change(id, 2, &[(2, "B", 1)], None),
                change(id, 3, &[(3, "A", 2)], Some(0.0)),
                change(id, 4, &[], Some(4.0)),
                change(id, 5, &[(4, "B", 3)], None),
            ];
            let heard: Vec<OrderChanged> = order_of.iter().map(|n: &usize| all[*n].clone()).collect();
            if together {
                hear(&pool, &heard).await;
            } else {
                for it in heard.chunks(1) {
                    hear(&pool, it).await;
                }
            }
            let expected = [row(1, "A", "S3", 1), row(2, "B", "S3", 1), row(3, "A", "S3", 2), row(4, "B", "S3", 3)];
            assert_eq!(promised(&pool, id).await, expected, "{order_of:?}");
            assert!(answered(&pool, id).await.contains(&Some(4)), "{order_of:?}");
            // Heard once more, none of them says anything new.
            let told = sourced(&pool, id).await.len();
            hear(&pool, &all).await;
            assert_eq!(sourced(&pool, id).await.len(), told, "{order_of:?}");
            pool.is_proved().await;
        }
    }
}

#[actix_web::test]
async fn units_cancelled_before_their_line_is_heard_of_are_freed_once_it_is() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 3), ("A", "S3", 3), ("B", "S1", 2), ("B", "S2", 2)]).await;
    let id = pool.place(order(&[("A", 3)])).await;
    let cancelled = [(1, "A", 1), (2, "B", 1)];
    let at = [row(1, "A", "S1", 1)];
    assert!(retried(pool.cancel(id, &cancelled, &at).await));
    // Meanwhile the order has gone elsewhere, and its units with it.
    hear(&pool, &[change(id, 3, &[], Some(4.0))]).await;
    assert!(retried(pool.cancel(id, &cancelled, &at).await));
    assert_eq!(promised(&pool, id).await, [row(1, "A", "S3", 3)]);
    hear(&pool, &[change(id, 2, &[(2, "B", 3)], None)]).await;
    pool.cancel(id, &cancelled, &at).await.unwrap();
    // Two were placed at S2 and one at S1; the order book leaves one out at the last location of that answer.
    assert_eq!(promised(&pool, id).await, [row(1, "A", "S3", 2), row(2, "B", "S1", 1), row(2, "B", "S2", 1)]);
    pool.is_proved().await;
}

#[actix_web::test]
async fn an_order_that_is_cancelled_as_a_whole_keeps_nothing_of_what_was_added() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 3), ("B", "S1", 1)]).await;
    let id = pool.place(order(&[("A", 3)])).await;
    let now = pool.service.test.store.now();
    let line = |line_no, sku: &str, units: i64| RefundLine {
        line_no,
        sku: code(sku),
        quantity: units.try_into().unwrap(),
        amount: 0,
    };
    let whole = OrderCancelled {
        order_id: id,
        lines: vec![line(1, "A", 3), line(2, "B", 2)],
        allocations: Vec::new(),
        whole: true,
        reason: "changed their mind".to_owned(),
        cancelled_at: now,
    };
    assert!(retried(pool.service.hear(std::slice::from_ref(&whole)).await));
    hear(&pool, &[change(id, 2, &[(2, "B", 2)], None)]).await;
    pool.service.hear(&[whole]).await.unwrap();
    assert_eq!((promised(&pool, id).await, waiting(&pool).await), (Vec::new(), Vec::new()));
    pool.is_proved().await;
}

#[actix_web::test]
async fn units_cancelled_before_their_answer_come_off_where_their_line_was_placed_last() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1), ("A", "S2", 1), ("B", "S1", 2)]).await;
    let id = pool.place(order(&[("A", 2)])).await;
    hear(&pool, &[change(id, 2, &[(2, "B", 2)], None)]).await;
    // The order book has heard none of both answers. Of the first it leaves out what S2 has, however new the second is.
    pool.cancel(id, &[(1, "A", 1)], &[]).await.unwrap();
    assert_eq!(promised(&pool, id).await, [row(1, "A", "S1", 1), row(2, "B", "S1", 2)]);
    // Of what waits it comes off there.
    hear(&pool, &[change(id, 3, &[(3, "CUP", 3), (4, "POT", 1)], None)]).await;
    pool.cancel(id, &[(3, "CUP", 2), (4, "POT", 1)], &[]).await.unwrap();
    assert_eq!(waiting(&pool).await, [(3, "CUP".to_owned(), 1)]);
    pool.is_proved().await;
}

/// Everything about an order in one transaction, as after a standstill: each event sees what those before it have changed.
#[actix_web::test]
async fn an_order_is_placed_grows_and_goes_elsewhere_in_one_batch() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 3), ("B", "S1", 2), ("A", "S3", 3), ("B", "S3", 2)]).await;
    let placed = order(&[("A", 1)]);
    let id = placed.order_id;
    let now = pool.service.test.store.now();
    let cancelled = OrderCancelled {
        order_id: id,
        lines: vec![RefundLine { line_no: 2, sku: code("B"), quantity: 1.try_into().unwrap(), amount: 0 }],
        allocations: Vec::new(),
        whole: false,
        reason: "changed their mind".to_owned(),
        cancelled_at: now,
    };
    let events = vec![
        event(&placed, now),
        event(&change(id, 2, &[(2, "B", 2)], None), now),
        event(&change(id, 3, &[(3, "A", 1)], Some(4.0)), now),
        event(&cancelled, now),
        event(&change(id, 5, &[(4, "A", 1)], None), now),
    ];
    let heard = |it: &&bus::Subscription| it.events.contains(&"order.changed");
    let orders = pool.service.subscriptions().iter().find(heard).cloned().unwrap();
    let store = &pool.service.test.store;
    store.transact_rows("take", Rows::New, move |tx| bus::take(tx, &orders, events)).await.unwrap();
    let expected = [row(1, "A", "S3", 1), row(2, "B", "S3", 1), row(3, "A", "S3", 1), row(4, "A", "S3", 1)];
    assert_eq!(promised(&pool, id).await, expected);
    assert_eq!(answered(&pool, id).await, [None, None, Some(3), None]);
    // What the next one sees is what there is.
    let next = pool.place(order(&[("B", 3)])).await;
    assert_eq!(sourced(&pool, next).await, [(1, vec![row(1, "B", "S1", 2), row(1, "B", "S3", 1)])]);
    pool.is_proved().await;
}

#[actix_web::test]
async fn an_addition_takes_no_second_place_where_the_order_has_one() {
    let pool = Pool::new().await;
    pool.location("S1", json!({"longitude": 1.0, "daily_capacity": 1})).await;
    pool.receive(&[("A", "S1", 9), ("A", "S2", 9)]).await;
    let id = pool.place(order(&[("A", 1)])).await;
    let other = pool.place(order(&[("A", 1)])).await;
    assert_eq!(sourced(&pool, other).await, [(1, vec![row(1, "A", "S2", 1)])]);
    hear(&pool, &[change(other, 2, &[(2, "A", 1)], None), change(id, 2, &[(2, "A", 1)], None)]).await;
    assert_eq!(sourced(&pool, id).await[1..], [(2, vec![row(2, "A", "S1", 1)])]);
    assert_eq!(sourced(&pool, other).await[1..], [(2, vec![row(2, "A", "S2", 1)])]);
    assert_eq!(pool.number("SELECT sum(orders) FROM location_days").await, 1);
    // It is given back with the last unit.
    pool.cancel(id, &[(2, "A", 1)], &[row(2, "A", "S1", 1)]).await.unwrap();
    assert_eq!(pool.number("SELECT sum(orders) FROM location_days").await, 1);
    pool.cancel(id, &[(1, "A", 1)], &[row(1, "A", "S1", 1)]).await.unwrap();
    assert_eq!(pool.number("SELECT sum(orders) FROM location_days").await, 0);
    pool.is_proved().await;
}

#[actix_web::test]
async fn an_order_that_has_grown_is_measured_by_what_it_comes_to() {
    let pool = Pool::new().await;
    let split = json!({"max_parts": 3, "min_order_amount": 100});
    activate(&pool, json!({"name": "t", "tiers": [{"name": "t", "sort": ["distance"], "split": split}]})).await;
    pool.receive(&[("A", "S1", 1), ("A", "S2", 1), ("B", "S1", 1), ("B", "S2", 1)]).await;
    let totals =
        |amount| OrderTotals { list_amount: amount, discount_amount: 0, freight_amount: 0, total_amount: amount };
    // 99.00 may not be split, 1.01 more may.
    let id = pool.place(OrderPlaced { totals: totals(99), ..order(&[("A", 2)]) }).await;
    assert_eq!(waiting(&pool).await, [(1, "A".to_owned(), 2)]);
    let mut grown = change(id, 2, &[(2, "B", 2)], None);
    grown.added.as_mut().unwrap().totals = totals(1);
    hear(&pool, &[grown]).await;
    assert_eq!(sourced(&pool, id).await, [(2, vec![row(2, "B", "S1", 1), row(2, "B", "S2", 1)])]);
    serve(&pool).await;
    assert_eq!(sourced(&pool, id).await[1..], [(3, vec![row(1, "A", "S1", 1), row(1, "A", "S2", 1)])]);
    pool.is_proved().await;
}

#[actix_web::test]
async fn an_order_moves_to_nearer_stock_with_what_was_added() {
    let pool = Pool::new().await;
    let tier = json!({"name": "all", "split": {"max_parts": 4}});
    activate(&pool, json!({"name": "moving", "tiers": [tier], "resourcing": {"enabled": true}})).await;
    pool.receive(&[("A", "S3", 1), ("CUP", "S3", 2), ("POT", "S3", 1)]).await;
    let id = pool.place(order(&[("A", 1)])).await;
    hear(&pool, &[change(id, 2, &[(2, "SET", 1)], None)]).await;
    pool.receive(&[("CUP", "S1", 2), ("POT", "S1", 1), ("A", "S1", 1)]).await;
    serve(&pool).await;
    pool.service.run_job("improve_orders").await;
    let asked: Vec<StockBetterFound> = told(&pool.service.test.store).await;
    let there = vec![row(1, "A", "S3", 1), row(2, "CUP", "S3", 2), row(2, "POT", "S3", 1)];
    assert_eq!((asked.len(), asked[0].attempt, rows(&asked[0].allocations)), (1, 2, there));
    let rejected_at = pool.service.test.store.now();
    let lines = |all: &[(i32, &str, i64)]| all.iter().map(|(n, sku, units)| fulfilment_line(*n, sku, *units)).collect();
    let recalled = FulfilmentRejected {
        fulfilment_id: FulfilmentId::at(rejected_at),
        order_id: id,
        location: code("S3"),
        lines: lines(&[(1, "A", 1)]),
        reason: FulfilmentRejected::RECALLED.to_owned(),
        recalled: true,
        recalled_with: vec![RecalledPart {
            fulfilment_id: FulfilmentId::at(rejected_at),
            location: code("S3"),
            lines: lines(&[(2, "CUP", 2), (2, "POT", 1)]),
        }],
        sourced_with: None,
        rejected_at,
    };
    pool.service.hear(&[recalled]).await.unwrap();
    let here = vec![row(1, "A", "S1", 1), row(2, "CUP", "S1", 2), row(2, "POT", "S1", 1)];
    assert_eq!(sourced(&pool, id).await.last(), Some(&(3, here)));
    let body = pool.service.get(&format!("/v1/orders/{id}/sourcing")).await.body;
    assert_eq!((&body["attempt"], &body["moves"][0]["outcome"]), (&json!(3), &json!("moved")));
    assert_eq!(body["earlier"].as_array().unwrap().len(), 2);
    pool.is_proved().await;
}

/// What a replay decides again is what was asked first; what was added later counts as a rest that was sourced anew.
#[actix_web::test]
async fn a_replay_decides_on_an_order_as_it_was_placed() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 9), ("B", "S2", 9)]).await;
    let minute = std::time::Duration::from_secs(60);
    pool.service.test.clock.advance(minute);
    let from = pool.service.test.store.now().to_string();
    let id = pool.place(order(&[("A", 1)])).await;
    pool.service.test.clock.advance(minute);
    hear(&pool, &[change(id, 2, &[(2, "B", 1)], None), change(id, 3, &[(3, "A", 1)], Some(2.0))]).await;
    pool.service.test.clock.advance(minute);
    let until = pool.service.test.store.now().to_string();
    let wanted = json!({"from": from, "until": until, "ruleset": 1});
    let asked = pool.service.post("/v1/sourcing/replays", wanted).await;
    pool.service.run_job("replay_orders").await;
    let path = format!("/v1/sourcing/replays/{}", asked.body["id"].as_str().unwrap());
    let body = pool.service.get(&path).await.body;
    assert_eq!(body["progress"], json!({"decisions": 1, "read": 1, "replayed": 1}), "{body}");
    assert_eq!((&body["report"]["happened"], &body["report"]["moved"]), (&body["report"]["candidate"], &json!(0)));
    assert_eq!(body["report"]["happened"]["parcels"], 1);
    pool.is_proved().await;
}
