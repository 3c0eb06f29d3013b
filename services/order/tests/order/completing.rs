//! The end of the return window.

use std::time::Duration;

use contracts::events::OrderCompleted;
use serde_json::json;
use testkit::told;

use crate::support::{Shop, line};

#[actix_web::test]
async fn an_order_completes_when_its_return_window_has_passed() {
    let shop = Shop::with(&[("RETURN_WINDOW_SECONDS", "3600")]).await;
    let id = shop.delivered("T-1", json!([line(1, "A", 1, 1000)])).await;
    shop.test.clock.advance(Duration::from_secs(3599));
    shop.run_job("complete_orders").await;
    assert_eq!(shop.order(&id).await["status"], "delivered");
    shop.test.clock.advance(Duration::from_secs(1));
    shop.run_job("complete_orders").await;
    shop.run_job("complete_orders").await;
    assert_eq!(shop.order(&id).await["status"], "completed");
    let completed: Vec<OrderCompleted> = told(&shop.test.store).await;
    assert_eq!(completed.iter().map(|it| it.order_id.to_string()).collect::<Vec<_>>(), [id]);
}

#[actix_web::test]
async fn without_a_window_an_order_completes_at_once() {
    let shop = Shop::with(&[("RETURN_WINDOW_SECONDS", "0")]).await;
    let id = shop.delivered("T-1", json!([line(1, "A", 1, 1000)])).await;
    shop.run_job("complete_orders").await;
    assert_eq!(shop.order(&id).await["status"], "completed");
}
