//! Events that were lost between the order book and the inventory, as the inventory makes up for them.

use std::time::Duration;

use contracts::events::{
    Destination, FulfilmentShipped, OrderPlaced, OrderRestated, RestatedFulfilment, RestatedLine, StockPromisedLong,
    StockSourced,
};
use kernel::GeoPoint;
use kernel::id::{FulfilmentId, OrderId};
use serde_json::json;
use testkit::told;

use crate::support::{Pool, Row, code, fulfilment_line, order, pickup, row};

/// The order as the order book tells it again, with nothing known of it but that it was placed.
fn restated(order: &OrderPlaced) -> OrderRestated {
    let line = |it: &contracts::events::OrderLine| RestatedLine {
        line_no: it.line_no,
        sku: it.sku.clone(),
        quantity: it.quantity,
    };
    OrderRestated {
        order_id: order.order_id,
        version: 1,
        cancelled: false,
        channel: order.channel.clone(),
        placed_at: order.placed_at,
        fulfilment: order.fulfilment.clone(),
        lines: order.lines.iter().map(line).collect(),
        total_amount: order.totals.total_amount,
        reservation_id: None,
        unanswered_version: None,
        uncovered: None,
        fulfilments: Vec::new(),
        restated_at: order.placed_at,
    }
}

/// A fulfilment order of line 1, SKU A, that the order book knows.
fn known(order: &OrderPlaced, attempt: i32, (location, units): (&str, i64), open: bool) -> RestatedFulfilment {
    RestatedFulfilment {
        fulfilment_id: FulfilmentId::at(order.placed_at),
        attempt,
        location: code(location),
        open,
        shipped: false,
        refused: !open,
        recalled: false,
        sent_from: None,
        lines: vec![fulfilment_line(1, "A", units)],
    }
}

fn answer(attempt: i32, location: &str, units: i64) -> (i32, Vec<Row>) {
    (attempt, vec![row(1, "A", location, units)])
}

#[actix_web::test]
async fn an_order_that_was_never_heard_of_is_sourced_once() {
    let pool = Pool::new().await;
    pool.receive(&[("CUP", "S1", 5), ("POT", "S1", 5)]).await;
    let lost = order(&[("SET", 2)]);
    pool.service.hear(&[restated(&lost)]).await.unwrap();
    let first = (1, vec![row(1, "CUP", "S1", 4), row(1, "POT", "S1", 2)]);
    assert_eq!(pool.sourced(lost.order_id).await, std::slice::from_ref(&first));
    // What was lost turns up: it was decided on before.
    pool.place(lost.clone()).await;
    pool.service.hear(&[restated(&lost)]).await.unwrap();
    assert_eq!(pool.sourced(lost.order_id).await, [first.clone(), first]);
    assert_eq!(pool.number("SELECT sum(quantity) FROM reserved_lines").await, 6);
    assert_eq!(pool.number("SELECT count(*) FROM decisions").await, 1);
    pool.is_proved().await;
}

#[actix_web::test]
async fn an_answer_that_was_lost_is_given_again_as_it_was() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 2), ("A", "S2", 2), ("A", "S3", 9)]).await;
    let placed = order(&[("A", 2)]);
    let id = pool.place(placed.clone()).await;
    // Rejected and sourced at another place, whose answer is lost.
    pool.reject(id, "S1", vec![fulfilment_line(1, "A", 2)]).await.unwrap();
    let book = vec![known(&placed, 1, ("S1", 2), false)];
    for _ in 0..2 {
        pool.service.hear(&[OrderRestated { fulfilments: book.clone(), ..restated(&placed) }]).await.unwrap();
    }
    let [one, two] = [answer(1, "S1", 2), answer(2, "S2", 2)];
    assert_eq!(pool.sourced(id).await, [one, two.clone(), two.clone(), two]);
    // What the order book knows of it is not told again.
    let book = vec![known(&placed, 1, ("S1", 2), false), known(&placed, 2, ("S2", 2), true)];
    pool.service.hear(&[OrderRestated { fulfilments: book, ..restated(&placed) }]).await.unwrap();
    assert_eq!(pool.sourced(id).await.len(), 4);
    assert_eq!(pool.number("SELECT sum(quantity) FROM reserved_lines").await, 2);
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_rejection_that_was_lost_is_made_up_for_once() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 2), ("A", "S2", 2)]).await;
    let placed = order(&[("A", 2)]);
    let id = pool.place(placed.clone()).await;
    let question = OrderRestated { fulfilments: vec![known(&placed, 1, ("S1", 2), false)], ..restated(&placed) };
    pool.service.hear(std::slice::from_ref(&question)).await.unwrap();
    assert_eq!(pool.sourced(id).await.last(), Some(&answer(2, "S2", 2)));
    assert_eq!((pool.balance("A", "S1").await.1, pool.balance("A", "S2").await.1), (0, 2));
    // Asked again before the order book has heard that, it says the same.
    pool.service.hear(&[question]).await.unwrap();
    assert_eq!(pool.sourced(id).await[1..], [answer(2, "S2", 2), answer(2, "S2", 2)]);
    pool.is_proved().await;
}

#[actix_web::test]
async fn what_waits_is_said_to_wait() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1)]).await;
    let placed = pickup(&[("A", 3)], "S1");
    let id = pool.place(placed.clone()).await;
    let before = (pool.sourced(id).await, pool.waits(id).await);
    pool.service.hear(&[restated(&placed)]).await.unwrap();
    let twice = |answers: Vec<(i32, Vec<_>)>| [answers.clone(), answers].concat();
    let (sourced, waits) = (before.0, before.1);
    assert_eq!(waits.len(), 1);
    assert_eq!(pool.waits(id).await, [waits.clone(), waits].concat());
    assert_eq!(pool.sourced(id).await, twice(sourced));
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_change_of_destination_that_was_lost_is_made_up_for_once() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 2), ("A", "S3", 2)]).await;
    let placed = order(&[("A", 2)]);
    let id = pool.place(placed.clone()).await;
    let mut question = OrderRestated {
        version: 5,
        unanswered_version: Some(5),
        fulfilments: vec![RestatedFulfilment { recalled: true, ..known(&placed, 1, ("S1", 2), false) }],
        ..restated(&placed)
    };
    let point = Some(GeoPoint::new(0.0, 4.0).unwrap());
    question.fulfilment.destination = Some(Destination { point, ..Destination::default() });
    for _ in 0..2 {
        pool.service.hear(std::slice::from_ref(&question)).await.unwrap();
    }
    assert_eq!(pool.sourced(id).await, [answer(1, "S1", 2), answer(2, "S3", 2), answer(2, "S3", 2)]);
    let told: Vec<StockSourced> = told(&pool.service.test.store).await;
    let versions: Vec<Option<i64>> = told.iter().map(|it| it.answers_version).collect();
    assert_eq!(versions, [None, Some(5), Some(5)]);
    assert_eq!((pool.balance("A", "S1").await.1, pool.balance("A", "S3").await.1), (0, 2));
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_cancellation_that_was_lost_gives_everything_back() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 2)]).await;
    let placed = order(&[("A", 2), ("B", 1)]);
    pool.place(placed.clone()).await;
    let cancelled = OrderRestated { cancelled: true, ..restated(&placed) };
    for _ in 0..2 {
        pool.service.hear(std::slice::from_ref(&cancelled)).await.unwrap();
    }
    assert_eq!(pool.balance("A", "S1").await, (2, 0, 0, 2));
    assert_eq!(pool.number("SELECT count(*) FROM backorders").await, 0);
    // An order that nobody has heard of is not sourced to be cancelled.
    let unheard = OrderRestated { cancelled: true, ..restated(&order(&[("A", 1)])) };
    pool.service.hear(&[unheard]).await.unwrap();
    assert_eq!(pool.number("SELECT count(*) FROM decisions").await, 1);
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_part_whose_cancellation_was_lost_is_given_back_once() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5)]).await;
    let placed = order(&[("A", 3)]);
    let id = pool.place(placed.clone()).await;
    let restated_at = pool.service.test.store.now();
    let fulfilments = vec![known(&placed, 1, ("S1", 2), true)];
    let question = OrderRestated { fulfilments, uncovered: Some(Vec::new()), restated_at, ..restated(&placed) };
    for _ in 0..2 {
        pool.service.hear(std::slice::from_ref(&question)).await.unwrap();
        assert_eq!(pool.balance("A", "S1").await, (5, 2, 0, 3));
    }
    // What was lost turns up: it takes nothing of what is still wanted. A later one does.
    let unit = row(1, "A", "S1", 1);
    pool.cancel(id, &[(1, "A", 1)], std::slice::from_ref(&unit)).await.unwrap();
    assert_eq!(pool.balance("A", "S1").await, (5, 2, 0, 3));
    pool.service.test.clock.advance(Duration::from_secs(61));
    pool.cancel(id, &[(1, "A", 1)], &[unit]).await.unwrap();
    assert_eq!(pool.balance("A", "S1").await, (5, 1, 0, 4));
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_short_pick_that_was_lost_is_sourced_elsewhere_once() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 3), ("A", "S2", 9)]).await;
    let placed = order(&[("A", 3)]);
    let id = pool.place(placed.clone()).await;
    assert_eq!(pool.sourced(id).await, [answer(1, "S1", 3)]);
    let known = vec![known(&placed, 1, ("S1", 1), true)];
    let missing = Some(vec![fulfilment_line(1, "A", 2)]);
    let restated_at = pool.service.test.store.now();
    let question = OrderRestated { fulfilments: known, uncovered: missing, restated_at, ..restated(&placed) };
    pool.service.hear(&[question]).await.unwrap();
    assert_eq!(pool.sourced(id).await[1..], [answer(2, "S2", 2)]);
    assert_eq!((pool.balance("A", "S1").await.1, pool.balance("A", "S2").await.1), (1, 2));
    pool.reject(id, "S1", vec![fulfilment_line(1, "A", 2)]).await.unwrap();
    assert_eq!((pool.balance("A", "S1").await.1, pool.balance("A", "S2").await.1), (1, 2));
    assert_eq!(pool.sourced(id).await.len(), 2);
    pool.is_proved().await;
}

#[actix_web::test]
async fn what_is_needed_stays_promised_while_its_answer_is_on_its_way() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1), ("A", "S2", 2)]).await;
    let placed = order(&[("A", 3)]);
    let id = pool.place(placed.clone()).await;
    let before = pool.sourced(id).await;
    let missing = Some(vec![fulfilment_line(1, "A", 3)]);
    pool.service.hear(&[OrderRestated { uncovered: missing, ..restated(&placed) }]).await.unwrap();
    assert_eq!(pool.sourced(id).await, [before.clone(), before].concat());
    // Of an order that tells of no needs nothing is given back.
    pool.service.hear(&[OrderRestated { uncovered: None, ..restated(&placed) }]).await.unwrap();
    assert_eq!(pool.number("SELECT sum(quantity) FROM reserved_lines").await, 3);
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_shipment_that_was_lost_leaves_once() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5), ("A", "S2", 5)]).await;
    let placed = order(&[("A", 3)]);
    let id = pool.place(placed.clone()).await;
    let gone = RestatedFulfilment { shipped: true, refused: false, ..known(&placed, 1, ("S1", 3), false) };
    let question = OrderRestated { fulfilments: vec![gone.clone()], uncovered: Some(Vec::new()), ..restated(&placed) };
    for _ in 0..2 {
        pool.service.hear(std::slice::from_ref(&question)).await.unwrap();
        assert_eq!(pool.balance("A", "S1").await, (2, 0, 0, 2));
    }
    let late = FulfilmentShipped {
        fulfilment_id: gone.fulfilment_id,
        order_id: id,
        location: code("S1"),
        lines: gone.lines,
        parcels: Vec::new(),
        shipped_at: placed.placed_at,
    };
    pool.service.hear(&[late]).await.unwrap();
    assert_eq!(pool.balance("A", "S1").await, (2, 0, 0, 2));
    pool.is_proved().await;
}

#[actix_web::test]
async fn the_order_book_is_asked_once_a_day_about_what_has_long_been_promised() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 500)]).await;
    let now =
        |lines: &[(&str, i64)]| OrderPlaced { order_id: OrderId::at(pool.service.test.store.now()), ..order(lines) };
    let mut expected = Vec::new();
    for _ in 0..201 {
        expected.push(pool.place(now(&[("A", 1)])).await);
    }
    assert_eq!(pool.hold(&[("A", 1)], json!({"ttl_seconds": 86_400})).await.status, 201);
    let waits = pool.place(now(&[("B", 1)])).await;
    let day = Duration::from_secs(86_400);
    let asked = async || {
        pool.service.run_job("question_promises").await;
        let told: Vec<StockPromisedLong> = told(&pool.service.test.store).await;
        told.into_iter().map(|it| it.order_id).collect::<Vec<_>>()
    };
    assert!(asked().await.is_empty());
    pool.service.test.clock.advance(day + Duration::from_secs(1));
    let young = pool.place(now(&[("A", 1)])).await;
    expected.sort_unstable_by_key(|it| it.uuid());
    let first = asked().await;
    assert_eq!(first, expected);
    assert!(!first.contains(&waits) && !first.contains(&young));
    pool.service.test.clock.advance(day - Duration::from_secs(1));
    assert_eq!(asked().await.len(), 201);
    pool.service.test.clock.advance(Duration::from_secs(2));
    assert_eq!(asked().await.len(), 201 + 202);
}
