//! Additions whose events, or whose answers, were lost, as the inventory makes up for them.

use std::time::Duration;

use contracts::events::{
    FulfilmentLine, OrderPlaced, OrderRestated, RestatedFulfilment, RestatedLine, StockBackordered, StockSourced,
};
use kernel::id::FulfilmentId;
use testkit::told;

use crate::support::{Pool, change, code, fulfilment_line, order, row};

/// The order as the order book tells it again: its lines `(line, sku, units)`, and those of them that are in no fulfilment
/// order.
pub fn restated(placed: &OrderPlaced, lines: &[(i32, &str, i64)], uncovered: &[(i32, &str, i64)]) -> OrderRestated {
    let line = |(line_no, sku, units): &(i32, &str, i64)| RestatedLine {
        line_no: *line_no,
        sku: code(sku),
        quantity: (*units).try_into().unwrap(),
    };
    OrderRestated {
        order_id: placed.order_id,
        version: 9,
        cancelled: false,
        channel: placed.channel.clone(),
        placed_at: placed.placed_at,
        fulfilment: placed.fulfilment.clone(),
        lines: lines.iter().map(line).collect(),
        total_amount: placed.totals.total_amount,
        reservation_id: None,
        unanswered_version: None,
        uncovered: Some(fulfilment_lines(uncovered)),
        fulfilments: Vec::new(),
        restated_at: placed.placed_at,
    }
}

fn fulfilment_lines(lines: &[(i32, &str, i64)]) -> Vec<FulfilmentLine> {
    lines.iter().map(|(line_no, sku, units)| fulfilment_line(*line_no, sku, *units)).collect()
}

/// An open fulfilment order that the order book knows.
fn known(placed: &OrderPlaced, attempt: i32, location: &str, lines: &[(i32, &str, i64)]) -> RestatedFulfilment {
    RestatedFulfilment {
        fulfilment_id: FulfilmentId::at(placed.placed_at),
        attempt,
        location: code(location),
        open: true,
        shipped: false,
        refused: false,
        recalled: false,
        sent_from: None,
        lines: fulfilment_lines(lines),
    }
}

async fn hear(pool: &Pool, question: &OrderRestated) {
    pool.service.hear(std::slice::from_ref(question)).await.unwrap();
}

const PROMISED: &str = "SELECT coalesce(sum(quantity), 0) FROM reserved_lines";

#[actix_web::test]
async fn an_addition_that_was_lost_is_made_up_for_once() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1), ("CUP", "S2", 4), ("POT", "S2", 2)]).await;
    let placed = order(&[("A", 1)]);
    let id = pool.place(placed.clone()).await;
    let mut question = restated(&placed, &[(1, "A", 1), (2, "SET", 2)], &[(2, "CUP", 4), (2, "POT", 2)]);
    question.fulfilments = vec![known(&placed, 1, "S1", &[(1, "A", 1)])];
    hear(&pool, &question).await;
    let added = (2, vec![row(2, "CUP", "S2", 4), row(2, "POT", "S2", 2)]);
    assert_eq!(pool.sourced(id).await[1..], *std::slice::from_ref(&added));
    // Asked again before that was heard, it says the same; and what was lost turns up.
    hear(&pool, &question).await;
    pool.service.hear(&[change(id, 2, &[(2, "SET", 2)], None)]).await.unwrap();
    assert_eq!(pool.sourced(id).await[1..], [added.clone(), added]);
    assert_eq!(pool.number(PROMISED).await, 7);
    pool.is_proved().await;
}

#[actix_web::test]
async fn what_was_cancelled_of_a_lost_addition_is_not_kept() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1), ("B", "S1", 2), ("B", "S2", 2), ("CUP", "S2", 4), ("POT", "S2", 2)]).await;
    let placed = order(&[("A", 1)]);
    let id = pool.place(placed.clone()).await;
    let lines = [(1, "A", 1), (2, "B", 3), (3, "SET", 2), (4, "A", 4), (5, "B", 1)];
    // Of line 2 one of three is wanted, of the two sets one, of line 4, which is short, one of four; of line 5 nothing.
    let wanted = [(2, "B", 1), (3, "CUP", 2), (3, "POT", 1), (4, "A", 1)];
    let restated_at = pool.service.test.store.now();
    let mut question = OrderRestated { restated_at, ..restated(&placed, &lines, &wanted) };
    question.fulfilments = vec![known(&placed, 1, "S1", &[(1, "A", 1)])];
    pool.service.test.clock.advance(Duration::from_secs(30));
    hear(&pool, &question).await;
    let check = async || {
        assert_eq!(pool.number("SELECT sum(quantity) FROM backorder_lines WHERE sku = 'A'").await, 1);
        assert_eq!(pool.number(PROMISED).await, 1);
    };
    // All that was added is planned as one, and waits as one: for a B, a set and an A.
    check().await;
    assert_eq!(pool.number("SELECT sum(quantity) FROM backorder_lines").await, 1 + 2 + 1 + 1);
    // The cancellation turns up, and so does the addition.
    pool.cancel(id, &[(2, "B", 2), (3, "SET", 1), (4, "A", 3), (5, "B", 1)], &[]).await.unwrap();
    let added = [(2, "B", 3), (3, "SET", 2), (4, "A", 4), (5, "B", 1)];
    pool.service.hear(&[change(id, 2, &added, None)]).await.unwrap();
    check().await;
    pool.receive(&[("A", "S1", 1)]).await;
    pool.service.run_job("serve_backorders").await;
    assert_eq!(pool.number(PROMISED).await, 1 + 1 + 3 + 1);
    assert_eq!(pool.number("SELECT count(*) FROM backorders").await, 0);
    pool.is_proved().await;
}

#[actix_web::test]
async fn what_was_cancelled_of_a_lost_addition_is_free_again_where_the_order_book_leaves_it_out() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1), ("B", "S1", 2), ("B", "S2", 2)]).await;
    let placed = order(&[("A", 1)]);
    let id = pool.place(placed.clone()).await;
    let mut question = restated(&placed, &[(1, "A", 1), (2, "B", 3)], &[(2, "B", 2)]);
    question.fulfilments = vec![known(&placed, 1, "S1", &[(1, "A", 1)])];
    question.restated_at = pool.service.test.store.now();
    hear(&pool, &question).await;
    assert_eq!(pool.sourced(id).await[1..], [(2, vec![row(2, "B", "S1", 2), row(2, "B", "S2", 1)])]);
    assert_eq!((pool.balance("B", "S1").await.1, pool.balance("B", "S2").await.1), (2, 0));
    pool.cancel(id, &[(2, "B", 1)], &[]).await.unwrap();
    assert_eq!(pool.balance("B", "S1").await.1, 2);
    pool.is_proved().await;
}

#[actix_web::test]
async fn an_addition_that_was_lost_with_its_destination_is_planned_with_the_rest() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1), ("B", "S1", 1), ("A", "S3", 1), ("B", "S3", 1)]).await;
    let placed = order(&[("A", 1)]);
    let id = pool.place(placed.clone()).await;
    let changed = change(id, 5, &[(2, "B", 1)], Some(4.0));
    let mut question = restated(&placed, &[(1, "A", 1), (2, "B", 1)], &[(1, "A", 1), (2, "B", 1)]);
    question.unanswered_version = Some(5);
    question.fulfilment.destination = changed.destination.clone();
    let taken_back = known(&placed, 1, "S1", &[(1, "A", 1)]);
    question.fulfilments = vec![RestatedFulfilment { open: false, refused: true, recalled: true, ..taken_back }];
    hear(&pool, &question).await;
    // What was lost turns up, and says nothing new.
    pool.service.hear(&[changed]).await.unwrap();
    let all: Vec<StockSourced> = told(&pool.service.test.store).await;
    let answers: Vec<(i32, Option<i64>)> = all.iter().map(|it| (it.attempt, it.answers_version)).collect();
    assert_eq!(answers, [(1, None), (2, Some(5))]);
    assert_eq!(pool.sourced(id).await[1..], [(2, vec![row(1, "A", "S3", 1), row(2, "B", "S3", 1)])]);
    pool.is_proved().await;
}

#[actix_web::test]
async fn an_addition_that_was_lost_after_an_answer_about_the_destination_comes_with_that_answer() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S3", 1)]).await;
    let placed = order(&[("A", 1)]);
    let id = pool.place(placed.clone()).await;
    let changed = change(id, 5, &[], Some(4.0));
    pool.service.hear(std::slice::from_ref(&changed)).await.unwrap();
    let mut question = restated(&placed, &[(1, "A", 1), (2, "B", 1)], &[(1, "A", 1), (2, "B", 1)]);
    question.unanswered_version = Some(5);
    question.fulfilment.destination = changed.destination;
    hear(&pool, &question).await;
    // B is short, and the order waits as a whole.
    let all: Vec<StockBackordered> = told(&pool.service.test.store).await;
    assert_eq!((all.last().unwrap().attempt, all.last().unwrap().answers_version), (3, Some(5)));
    pool.receive(&[("B", "S3", 1)]).await;
    pool.service.run_job("serve_backorders").await;
    assert_eq!(pool.number(PROMISED).await, 2);
    pool.is_proved().await;
}

#[actix_web::test]
async fn each_answer_that_was_lost_is_given_again_under_its_own_decision() {
    for lost in [1, 2] {
        let pool = Pool::new().await;
        pool.receive(&[("A", "S1", 1), ("B", "S1", 1), ("A", "S2", 9), ("B", "S2", 9)]).await;
        let placed = order(&[("A", 1)]);
        let id = pool.place(placed.clone()).await;
        pool.service.hear(&[change(id, 2, &[(2, "B", 1)], None)]).await.unwrap();
        let decided: Vec<StockSourced> = told(&pool.service.test.store).await;
        // Both parts are at S1; the order book knows of one of them.
        let parts = [(1, "A", 1), (2, "B", 1)];
        let (heard, unheard) = if lost == 1 { (1, 0) } else { (0, 1) };
        let mut question = restated(&placed, &parts, &parts[unheard..=unheard]);
        let attempt = i32::try_from(heard).unwrap() + 1;
        question.fulfilments = vec![known(&placed, attempt, "S1", &parts[heard..=heard])];
        hear(&pool, &question).await;
        let all: Vec<StockSourced> = told(&pool.service.test.store).await;
        let again = all.last().unwrap();
        assert_eq!((all.len(), again.attempt, again.decision_id), (3, lost, decided[unheard].decision_id));
        assert_eq!(again.allocations, decided[unheard].allocations);
        assert_eq!(pool.number(PROMISED).await, 2);
        pool.is_proved().await;
    }
}

#[actix_web::test]
async fn a_lost_line_of_a_sku_that_is_not_known_holds_nothing_else_up() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1), ("B", "S1", 1)]).await;
    let placed = order(&[("A", 1)]);
    let id = pool.place(placed.clone()).await;
    let lines = [(1, "A", 1), (2, "NEW", 1), (3, "B", 1)];
    hear(&pool, &restated(&placed, &lines, &lines)).await;
    let [one, two] = [(1, vec![row(1, "A", "S1", 1)]), (2, vec![row(3, "B", "S1", 1)])];
    assert_eq!(pool.sourced(id).await, [one.clone(), one, two]);
    pool.is_proved().await;
}
