//! Orders that wait for stock.

use contracts::events::OrderPlaced;
use kernel::id::OrderId;
use serde_json::json;

use crate::support::{Pool, fulfilment_line, order, row};

fn placed_at(second: i64, lines: &[(&str, i64)]) -> OrderPlaced {
    let order = order(lines);
    OrderPlaced { placed_at: order.placed_at.plus_seconds(second), ..order }
}

async fn queue(pool: &Pool, sku: &str) -> Vec<String> {
    let reply = pool.service.get(&format!("/v1/backorders?sku={sku}")).await;
    reply.body["items"].as_array().unwrap().iter().map(|it| it["order_id"].as_str().unwrap().to_owned()).collect()
}

fn texts(ids: &[OrderId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

#[actix_web::test]
async fn arriving_stock_serves_the_queue_in_its_order() {
    let pool = Pool::new().await;
    let late = pool.place(placed_at(20, &[("A", 2)])).await;
    let early = pool.place(placed_at(10, &[("A", 2)])).await;
    let big = pool.place(placed_at(15, &[("A", 9)])).await;
    assert_eq!(queue(&pool, "A").await, texts(&[early, big, late]));
    pool.receive(&[("A", "S1", 4)]).await;
    pool.service.run_job("serve_backorders").await;
    // The big one cannot be filled and does not hold up the one behind it.
    assert_eq!(pool.sourced(early).await, [(2, vec![row(1, "A", "S1", 2)])]);
    assert_eq!(pool.sourced(late).await, [(2, vec![row(1, "A", "S1", 2)])]);
    assert_eq!(queue(&pool, "A").await, texts(&[big]));
    pool.receive(&[("A", "S2", 9)]).await;
    pool.service.run_job("serve_backorders").await;
    assert_eq!(pool.sourced(big).await, [(2, vec![row(1, "A", "S2", 9)])]);
    assert_eq!(queue(&pool, "A").await, texts(&[]));
    pool.is_proved().await;
}

#[actix_web::test]
async fn the_rest_of_a_promised_order_goes_first() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1)]).await;
    let promised = pool.place(placed_at(50, &[("A", 1)])).await;
    let waiting = pool.place(placed_at(10, &[("A", 1)])).await;
    pool.reject(promised, "S1", vec![fulfilment_line(1, "A", 1)]).await.unwrap();
    assert_eq!(queue(&pool, "A").await, texts(&[promised, waiting]));
    // What it gave back goes to the one that has not rejected it.
    pool.service.run_job("serve_backorders").await;
    assert_eq!(pool.sourced(waiting).await, [(2, vec![row(1, "A", "S1", 1)])]);
    pool.receive(&[("A", "S2", 1)]).await;
    pool.service.run_job("serve_backorders").await;
    assert_eq!(pool.sourced(promised).await[1], (3, vec![row(1, "A", "S2", 1)]));
}

#[actix_web::test]
async fn a_cancelled_order_leaves_the_queue_and_a_smaller_one_may_be_filled() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 2)]).await;
    let gone = pool.place(placed_at(1, &[("A", 3)])).await;
    let smaller = pool.place(placed_at(2, &[("A", 3), ("B", 1)])).await;
    pool.cancel(gone, &[], &[]).await.unwrap();
    assert_eq!(queue(&pool, "A").await, texts(&[smaller]));
    pool.cancel(smaller, &[(1, "A", 1), (2, "B", 1)], &[]).await.unwrap();
    pool.service.run_job("serve_backorders").await;
    assert_eq!(pool.sourced(smaller).await, [(2, vec![row(1, "A", "S1", 2)])]);
    assert_eq!(pool.sourced(gone).await, []);
}

#[actix_web::test]
async fn the_queue_shows_what_each_order_waits_for() {
    let pool = Pool::new().await;
    let id = pool.place(order(&[("SET", 1)])).await;
    let reply = pool.service.get("/v1/backorders").await;
    let item = &reply.body["items"][0];
    assert_eq!(item["order_id"], json!(id));
    let expected = json!([{"line_no": 1, "sku": "CUP", "quantity": 2}, {"line_no": 1, "sku": "POT", "quantity": 1}]);
    assert_eq!(item["lines"], expected);
}
