//! The life of an order's stock: sourced, rejected, shipped, cancelled.

use bus::ConsumeError;
use contracts::events::StockReleased;
use kernel::Timestamp;
use kernel::id::OrderId;
use testkit::told;

use crate::support::{Pool, fulfilment_line, order, pickup, row, rows, sku};

#[actix_web::test]
async fn the_nearest_location_ships_and_stock_follows() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1), ("A", "S2", 5), ("A", "S3", 5)]).await;
    let id = pool.place(order(&[("A", 2)])).await;
    assert_eq!(pool.sourced(id).await, [(1, vec![row(1, "A", "S2", 2)])]);
    assert_eq!(pool.balance("A", "S2").await, (5, 2, 0, 3));
    pool.ship(id, "S2", vec![fulfilment_line(1, "A", 2)]).await.unwrap();
    assert_eq!(pool.balance("A", "S2").await, (3, 0, 0, 3));
    let movements = pool.service.get("/v1/stock/A/movements?location=S2").await;
    let kinds: Vec<_> = movements.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["kind"].clone(), it["on_hand"].clone(), it["on_hand_after"].clone()))
        .collect();
    assert_eq!(kinds, [("adjustment".into(), 5.into(), 5.into()), ("shipment".into(), (-2).into(), 3.into())]);
    let shipped = pool.service.get("/v1/stock/A/movements?kind=shipment").await.body;
    assert_eq!((shipped["items"].as_array().unwrap().len(), &shipped["items"][0]), (1, &movements.body["items"][1]));
    pool.is_proved().await;
}

#[actix_web::test]
async fn orders_of_one_batch_are_served_in_their_order() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 3), ("A", "S2", 1)]).await;
    let orders = [order(&[("A", 2)]), order(&[("A", 2)]), order(&[("A", 1)]), order(&[("A", 1)]), order(&[("A", 1)])];
    let ids: Vec<OrderId> = orders.iter().map(|it| it.order_id).collect();
    pool.service.hear(&orders).await.unwrap();
    assert_eq!(pool.sourced(ids[0]).await, [(1, vec![row(1, "A", "S1", 2)])]);
    assert_eq!(pool.sourced(ids[1]).await, [(1, vec![row(1, "A", "S1", 1), row(1, "A", "S2", 1)])]);
    for waiting in &ids[2..] {
        assert_eq!(pool.waits(*waiting).await, [(1, vec![("A".to_owned(), 1)])]);
    }
    pool.is_proved().await;
}

#[actix_web::test]
async fn two_lines_of_one_sku_never_get_more_than_is_there() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 3)]).await;
    let id = pool.place(order(&[("A", 2), ("A", 2)])).await;
    assert_eq!(pool.waits(id).await, [(1, vec![("A".to_owned(), 1)])]);
    assert_eq!(pool.balance("A", "S1").await, (3, 0, 0, 3));
}

#[actix_web::test]
async fn an_order_heard_twice_is_sourced_once() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 3)]).await;
    let placed = order(&[("A", 1)]);
    let id = pool.place(placed.clone()).await;
    pool.place(placed).await;
    assert_eq!(pool.sourced(id).await.len(), 1);
    assert_eq!(pool.balance("A", "S1").await, (3, 1, 0, 2));
}

#[actix_web::test]
async fn a_bundle_reserves_its_parts_and_gives_them_back() {
    let pool = Pool::new().await;
    pool.receive(&[("CUP", "S1", 4), ("POT", "S1", 2), ("POT", "S2", 9)]).await;
    let id = pool.place(order(&[("SET", 2)])).await;
    assert_eq!(pool.sourced(id).await, [(1, vec![row(1, "CUP", "S1", 4), row(1, "POT", "S1", 2)])]);
    let one = [row(1, "CUP", "S1", 2), row(1, "POT", "S1", 1)];
    pool.cancel(id, &[(1, "SET", 1)], &one).await.unwrap();
    assert_eq!(pool.balance("CUP", "S1").await, (4, 2, 0, 2));
    assert_eq!(pool.balance("POT", "S1").await, (2, 1, 0, 1));
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_rejection_is_sourced_without_everybody_who_rejected() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5), ("A", "S2", 5), ("A", "S3", 5)]).await;
    let id = pool.place(order(&[("A", 2)])).await;
    pool.reject(id, "S1", vec![fulfilment_line(1, "A", 2)]).await.unwrap();
    pool.reject(id, "S2", vec![fulfilment_line(1, "A", 2)]).await.unwrap();
    let expected = [(1, vec![row(1, "A", "S1", 2)]), (2, vec![row(1, "A", "S2", 2)]), (3, vec![row(1, "A", "S3", 2)])];
    assert_eq!(pool.sourced(id).await, expected);
    pool.reject(id, "S3", vec![fulfilment_line(1, "A", 2)]).await.unwrap();
    assert_eq!(pool.waits(id).await, [(4, vec![("A".to_owned(), 2)])]);
    for place in ["S1", "S2", "S3"] {
        assert_eq!(pool.balance("A", place).await, (5, 0, 0, 5));
    }
    pool.is_proved().await;
}

#[actix_web::test]
async fn only_the_rejected_part_moves() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5), ("B", "S2", 5), ("A", "S3", 5)]).await;
    let id = pool.place(order(&[("A", 2), ("B", 1)])).await;
    assert_eq!(pool.sourced(id).await, [(1, vec![row(1, "A", "S1", 2), row(2, "B", "S2", 1)])]);
    pool.reject(id, "S1", vec![fulfilment_line(1, "A", 2)]).await.unwrap();
    assert_eq!(pool.sourced(id).await[1], (2, vec![row(1, "A", "S3", 2)]));
    assert_eq!(pool.balance("B", "S2").await, (5, 1, 0, 4));
    pool.is_proved().await;
}

/// A location found one unit of three, and one component of a bundle fewer: what it found stays promised there.
#[actix_web::test]
async fn of_a_short_pick_only_what_is_missing_moves() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5), ("CUP", "S1", 4), ("POT", "S1", 2), ("A", "S2", 5), ("POT", "S2", 5)]).await;
    let id = pool.place(order(&[("A", 3), ("SET", 2)])).await;
    let at_first = vec![row(1, "A", "S1", 3), row(2, "CUP", "S1", 4), row(2, "POT", "S1", 2)];
    assert_eq!(pool.sourced(id).await, [(1, at_first)]);
    pool.reject(id, "S1", vec![fulfilment_line(1, "A", 2), fulfilment_line(2, "POT", 1)]).await.unwrap();
    assert_eq!(pool.sourced(id).await[1], (2, vec![row(1, "A", "S2", 2), row(2, "POT", "S2", 1)]));
    for (sku, place, balance) in [
        ("A", "S1", (5, 1, 0, 4)),
        ("CUP", "S1", (4, 4, 0, 0)),
        ("POT", "S1", (2, 1, 0, 1)),
        ("A", "S2", (5, 2, 0, 3)),
        ("POT", "S2", (5, 1, 0, 4)),
    ] {
        assert_eq!(pool.balance(sku, place).await, balance, "{sku} at {place}");
    }
    let found = vec![fulfilment_line(1, "A", 1), fulfilment_line(2, "CUP", 4), fulfilment_line(2, "POT", 1)];
    pool.ship(id, "S1", found).await.unwrap();
    pool.ship(id, "S2", vec![fulfilment_line(1, "A", 2), fulfilment_line(2, "POT", 1)]).await.unwrap();
    assert_eq!(pool.balance("A", "S1").await, (4, 0, 0, 4));
    assert_eq!(pool.balance("POT", "S2").await, (4, 0, 0, 4));
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_rejected_pickup_waits_for_its_store() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5), ("A", "S2", 5)]).await;
    let id = pool.place(pickup(&[("A", 1)], "S2")).await;
    assert_eq!(pool.sourced(id).await, [(1, vec![row(1, "A", "S2", 1)])]);
    pool.reject(id, "S2", vec![fulfilment_line(1, "A", 1)]).await.unwrap();
    assert_eq!(pool.sourced(id).await.len(), 1);
    assert_eq!(pool.waits(id).await, [(2, vec![("A".to_owned(), 1)])]);
}

#[actix_web::test]
async fn a_cancelled_order_gives_everything_back() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 2), ("A", "S2", 2)]).await;
    let id = pool.place(order(&[("A", 4)])).await;
    pool.cancel(id, &[], &[]).await.unwrap();
    assert_eq!(pool.balance("A", "S1").await, (2, 0, 0, 2));
    assert_eq!(pool.balance("A", "S2").await, (2, 0, 0, 2));
    let released = told::<StockReleased>(&pool.service.test.store).await;
    assert_eq!(rows(&released[0].allocations), [row(1, "A", "S1", 2), row(1, "A", "S2", 2)]);
    // Cancelled again, or rejected after all: nothing is left to give back.
    pool.cancel(id, &[], &[]).await.unwrap();
    pool.reject(id, "S1", vec![fulfilment_line(1, "A", 2)]).await.unwrap();
    assert_eq!(pool.sourced(id).await.len(), 1);
    pool.is_proved().await;
}

#[actix_web::test]
async fn units_cancelled_before_they_were_placed_come_off_the_last_location() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 2), ("A", "S2", 2)]).await;
    let id = pool.place(order(&[("A", 4)])).await;
    // The order book had not heard where the units were when one was cancelled.
    pool.cancel(id, &[(1, "A", 1)], &[]).await.unwrap();
    assert_eq!(pool.balance("A", "S1").await, (2, 2, 0, 0));
    assert_eq!(pool.balance("A", "S2").await, (2, 1, 0, 1));
}

#[actix_web::test]
async fn what_is_not_promised_yet_is_tried_again_later() {
    let pool = Pool::new().await;
    let unknown = OrderId::at(Timestamp::EPOCH);
    let retried = |outcome| matches!(outcome, Err(ConsumeError::Retry(_)));
    assert!(retried(pool.ship(unknown, "S1", vec![fulfilment_line(1, "A", 1)]).await));
    assert!(retried(pool.reject(unknown, "S1", vec![fulfilment_line(1, "A", 1)]).await));
    assert!(retried(pool.cancel(unknown, &[], &[]).await));
    // A SKU that is not known here yet may turn out to be a bundle.
    pool.receive(&[("CUP", "S1", 3)]).await;
    let early = order(&[("DUO", 1)]);
    assert!(retried(pool.service.hear(std::slice::from_ref(&early)).await));
    pool.service.hear(&[sku("DUO", 1, &[("CUP", 2)])]).await.unwrap();
    let id = pool.place(early).await;
    assert_eq!(pool.sourced(id).await, [(1, vec![row(1, "CUP", "S1", 2)])]);
}
