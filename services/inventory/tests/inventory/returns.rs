//! Returned goods.

use bus::ConsumeError;
use contracts::events::{Disposition, ReturnInspected, ReturnLine, ReturnReceived};
use kernel::Timestamp;
use kernel::id::{OrderId, ReturnId};

use crate::support::{Pool, code, fulfilment_line, order, sku};

fn line(line_no: Option<i32>, sku: &str, units: i64, disposition: Option<Disposition>) -> ReturnLine {
    ReturnLine { line_no, sku: code(sku), quantity: units.try_into().unwrap(), disposition }
}

async fn receive(
    pool: &Pool,
    order_id: Option<OrderId>,
    location: &str,
    lines: Vec<ReturnLine>,
) -> Result<(), ConsumeError> {
    let return_id = ReturnId::at(Timestamp::EPOCH);
    let received_at = pool.service.test.store.now();
    pool.service.hear(&[ReturnReceived { return_id, order_id, location: code(location), lines, received_at }]).await
}

async fn inspect(pool: &Pool, location: &str, lines: Vec<ReturnLine>) -> Result<(), ConsumeError> {
    let (return_id, order_id) = (ReturnId::at(Timestamp::EPOCH), None);
    let inspected_at = pool.service.test.store.now();
    pool.service.hear(&[ReturnInspected { return_id, order_id, location: code(location), lines, inspected_at }]).await
}

#[actix_web::test]
async fn returned_units_are_apart_until_they_are_inspected() {
    let pool = Pool::new().await;
    // S3 never had the SKU: goods come back to any location.
    receive(&pool, None, "S3", vec![line(None, "A", 6, None)]).await.unwrap();
    assert_eq!(pool.balance("A", "S3").await, (6, 0, 6, 0));
    let verdicts = vec![
        line(None, "A", 3, Some(Disposition::Restock)),
        line(None, "A", 1, Some(Disposition::Quarantine)),
        line(None, "A", 2, Some(Disposition::Scrap)),
    ];
    inspect(&pool, "S3", verdicts).await.unwrap();
    assert_eq!(pool.balance("A", "S3").await, (4, 0, 1, 3));
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_returned_bundle_comes_back_as_it_was_sold() {
    let pool = Pool::new().await;
    pool.receive(&[("CUP", "S1", 2), ("POT", "S1", 1)]).await;
    let id = pool.place(order(&[("SET", 1)])).await;
    pool.ship(id, "S1", vec![fulfilment_line(1, "CUP", 2), fulfilment_line(1, "POT", 1)]).await.unwrap();
    pool.service.hear(&[sku("SET", 2, &[("CUP", 6)])]).await.unwrap();
    receive(&pool, Some(id), "S2", vec![line(Some(1), "SET", 1, None)]).await.unwrap();
    assert_eq!(pool.balance("CUP", "S2").await, (2, 0, 2, 0));
    assert_eq!(pool.balance("POT", "S2").await, (1, 0, 1, 0));
    // Without its order it is what it is sold as today.
    receive(&pool, None, "S3", vec![line(None, "SET", 1, None)]).await.unwrap();
    assert_eq!(pool.balance("CUP", "S3").await, (6, 0, 6, 0));
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_return_that_cannot_be_is_not_swallowed() {
    let pool = Pool::new().await;
    let nowhere = receive(&pool, None, "NOWHERE", vec![line(None, "A", 1, None)]).await;
    assert!(matches!(nowhere, Err(ConsumeError::Park(_))), "{nowhere:?}");
    let too_early = inspect(&pool, "S1", vec![line(None, "A", 1, Some(Disposition::Restock))]).await;
    assert!(matches!(too_early, Err(ConsumeError::Retry(_))), "{too_early:?}");
}
