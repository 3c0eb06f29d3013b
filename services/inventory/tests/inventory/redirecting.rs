//! An order goes somewhere else: what has not shipped is planned anew, as one.

use contracts::events::{Destination, OrderChanged, StockBackordered, StockSourced};
use kernel::GeoPoint;
use kernel::id::OrderId;
use testkit::told;

use crate::support::{Pool, fulfilment_line, order, row};

/// The order goes to 0° north and so many degrees east, as its version says.
async fn redirect(pool: &Pool, order_id: OrderId, version: i64, degrees: f64) {
    let point = Some(GeoPoint::new(0.0, degrees).unwrap());
    let destination = Some(Destination { point, ..Destination::default() });
    let changed_at = pool.service.test.store.now();
    let fields = vec!["ship_to".to_owned()];
    pool.service
        .hear(&[OrderChanged { order_id, version, fields, destination, credited: None, added: None, changed_at }])
        .await
        .unwrap();
}

/// Which versions of the order were answered, in order.
async fn answered(pool: &Pool, order: OrderId) -> Vec<Option<i64>> {
    let all: Vec<StockSourced> = told(&pool.service.test.store).await;
    all.iter().filter(|it| it.order_id == order).map(|it| it.answers_version).collect()
}

#[actix_web::test]
async fn everything_promised_moves_to_what_is_nearest_now() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 2), ("A", "S3", 2)]).await;
    let id = pool.place(order(&[("A", 2)])).await;
    assert_eq!(pool.sourced(id).await, [(1, vec![row(1, "A", "S1", 2)])]);
    redirect(&pool, id, 5, 4.0).await;
    assert_eq!(pool.sourced(id).await.last(), Some(&(2, vec![row(1, "A", "S3", 2)])));
    assert_eq!(answered(&pool, id).await, [None, Some(5)]);
    assert_eq!((pool.balance("A", "S1").await.1, pool.balance("A", "S3").await.1), (0, 2));
    // Also where it stays: the order book waits for the answer.
    redirect(&pool, id, 7, 3.5).await;
    assert_eq!(pool.sourced(id).await.last(), Some(&(3, vec![row(1, "A", "S3", 2)])));
    // What is rejected from then on is planned for the new address.
    pool.receive(&[("A", "S2", 2)]).await;
    pool.reject(id, "S3", vec![fulfilment_line(1, "A", 2)]).await.unwrap();
    assert_eq!(pool.sourced(id).await.last(), Some(&(4, vec![row(1, "A", "S2", 2)])));
    pool.is_proved().await;
}

#[actix_web::test]
async fn what_waits_and_what_is_promised_become_one_again() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1), ("B", "S1", 1)]).await;
    let id = pool.place(order(&[("A", 1), ("B", 2)])).await;
    let before = pool.waits(id).await.len();
    redirect(&pool, id, 2, 3.0).await;
    assert_eq!(pool.waits(id).await.len(), before + 1);
    let all: Vec<StockBackordered> = told(&pool.service.test.store).await;
    assert_eq!(all.last().unwrap().answers_version, Some(2));
    pool.receive(&[("B", "S3", 2), ("A", "S3", 1)]).await;
    pool.service.run_job("serve_backorders").await;
    assert_eq!(pool.number("SELECT coalesce(sum(quantity), 0) FROM reserved_lines").await, 3);
    assert_eq!(pool.number("SELECT count(*) FROM backorders").await, 0);
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_bundle_stays_one_and_what_has_shipped_stays_away() {
    let pool = Pool::new().await;
    pool.receive(&[("CUP", "S1", 2), ("POT", "S1", 1), ("A", "S1", 1), ("CUP", "S3", 2), ("POT", "S3", 1)]).await;
    let id = pool.place(order(&[("SET", 1), ("A", 1)])).await;
    pool.ship(id, "S1", vec![fulfilment_line(2, "A", 1)]).await.unwrap();
    redirect(&pool, id, 3, 3.0).await;
    let last = pool.sourced(id).await.pop().unwrap();
    assert_eq!(last, (2, vec![row(1, "CUP", "S3", 2), row(1, "POT", "S3", 1)]));
    // Two changes that are heard together: the last one is answered.
    let at = pool.service.test.store.now();
    let to = |version, degrees| OrderChanged {
        order_id: id,
        version,
        fields: Vec::new(),
        destination: Some(Destination { point: Some(GeoPoint::new(0.0, degrees).unwrap()), ..Destination::default() }),
        credited: None,
        added: None,
        changed_at: at,
    };
    pool.service.hear(&[to(4, 3.0), to(5, 1.0)]).await.unwrap();
    assert_eq!(answered(&pool, id).await, [None, Some(3), Some(5)]);
    assert_eq!(pool.sourced(id).await.pop().unwrap().1[0], row(1, "CUP", "S1", 2));
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_change_of_an_order_that_is_not_sourced_yet_is_tried_again() {
    let pool = Pool::new().await;
    let destination = Some(Destination::default());
    let order_id = OrderId::at(pool.service.test.store.now());
    let changed = OrderChanged {
        order_id,
        version: 2,
        fields: Vec::new(),
        destination,
        credited: None,
        added: None,
        changed_at: pool.service.test.store.now(),
    };
    assert!(matches!(pool.service.hear(&[changed]).await, Err(bus::ConsumeError::Retry(_))));
}
