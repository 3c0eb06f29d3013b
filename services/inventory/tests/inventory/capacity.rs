//! Opening hours and the daily capacity of locations.

use std::sync::Arc;

use contracts::Cause;
use contracts::events::OrderPlaced;
use futures_util::future::join_all;
use inventory::app::Pool as Picture;
use inventory::app::source_orders::{PlacedOrder, source_orders};
use inventory::domain::{Line, Place, Request};
use kernel::id::OrderId;
use serde_json::json;

use crate::support::{Pool, fulfilment_line, order, row};

/// `S1` takes one order a day, `S2` any number; both have everything.
async fn limited() -> Pool {
    let pool = Pool::new().await;
    pool.location("S1", json!({"longitude": 1.0, "daily_capacity": 1})).await;
    pool.receive(&[("A", "S1", 99), ("A", "S2", 99), ("B", "S1", 99)]).await;
    pool
}

async fn is_counted(pool: &Pool, orders: i64) {
    let sum = "SELECT coalesce(sum(orders), 0) FROM location_days";
    assert_eq!(pool.number(sum).await, orders);
    let drift = "SELECT count(*) FROM (SELECT location, day, count(*) AS orders FROM location_loads GROUP BY 1, 2) l \
        FULL JOIN (SELECT * FROM location_days WHERE orders > 0) d USING (location, day) \
        WHERE l.orders IS DISTINCT FROM d.orders";
    assert_eq!(pool.number(drift).await, 0);
}

fn places(sourced: &[(i32, Vec<crate::support::Row>)]) -> Vec<String> {
    sourced.iter().flat_map(|(_, rows)| rows.iter().map(|row| row.2.clone())).collect()
}

#[actix_web::test]
async fn a_full_location_passes_orders_on_also_within_one_batch() {
    let pool = limited().await;
    let orders: Vec<OrderPlaced> = (0..3).map(|_| order(&[("A", 1)])).collect();
    pool.service.hear(&orders).await.unwrap();
    for (order, location) in orders.iter().zip(["S1", "S2", "S2"]) {
        assert_eq!(places(&pool.sourced(order.order_id).await), [location]);
    }
    is_counted(&pool, 1).await;
    let body = pool.service.get(&format!("/v1/orders/{}/sourcing?why_not=S1", orders[1].order_id)).await.body;
    assert_eq!((&body["why_not"]["rule"], &body["candidates"][0]["load"]), (&json!("capacity"), &json!(1)));
    assert_eq!(body["why_not"]["would_win"], "1 order of capacity more");
}

#[actix_web::test]
async fn capacity_comes_back_with_the_last_unit_that_is_rejected_or_cancelled() {
    let pool = limited().await;
    let first = pool.place(order(&[("A", 1), ("B", 1)])).await;
    assert_eq!(places(&pool.sourced(first).await), ["S1", "S1"]);
    pool.cancel(first, &[(1, "A", 1)], &[row(1, "A", "S1", 1)]).await.unwrap();
    is_counted(&pool, 1).await;
    pool.reject(first, "S1", vec![fulfilment_line(2, "B", 1)]).await.unwrap();
    is_counted(&pool, 0).await;
    let second = pool.place(order(&[("A", 1)])).await;
    assert_eq!(places(&pool.sourced(second).await), ["S1"]);
    pool.cancel(second, &[], &[]).await.unwrap();
    is_counted(&pool, 0).await;
}

#[actix_web::test]
async fn what_has_shipped_has_used_its_capacity() {
    let pool = limited().await;
    let id = pool.place(order(&[("A", 2)])).await;
    pool.ship(id, "S1", vec![fulfilment_line(1, "A", 1)]).await.unwrap();
    pool.reject(id, "S1", vec![fulfilment_line(1, "A", 1)]).await.unwrap();
    is_counted(&pool, 1).await;
    let next = pool.place(order(&[("A", 1)])).await;
    assert_eq!(places(&pool.sourced(next).await), ["S2"]);
}

#[actix_web::test]
async fn the_day_is_the_one_on_which_the_location_would_be_ready() {
    let pool = limited().await;
    // The test's clock stands still; the location works in a zone in which it is past any cut-off, and tomorrow is free.
    let first = pool.place(order(&[("A", 1)])).await;
    assert_eq!(places(&pool.sourced(first).await), ["S1"]);
    let tomorrow = json!({"longitude": 1.0, "daily_capacity": 1, "handling_minutes": 1440});
    pool.location("S1", tomorrow).await;
    let second = pool.place(order(&[("A", 1)])).await;
    assert_eq!(places(&pool.sourced(second).await), ["S1"]);
    assert_eq!(pool.number("SELECT count(DISTINCT day) FROM location_days").await, 2);
    is_counted(&pool, 2).await;
}

#[actix_web::test]
async fn sixteen_orders_race_for_the_last_slot_and_one_gets_it() {
    let pool = limited().await;
    let shared = Arc::new(Picture::new(pool.service.platform.zone, 1_000));
    let orders: Vec<OrderPlaced> = (0..16).map(|_| order(&[("A", 1)])).collect();
    let racing = orders.iter().enumerate().map(|(n, placed)| {
        // Every other order is sourced by another replica, with a picture of its own.
        let picture =
            if n % 2 == 0 { Arc::new(Picture::new(pool.service.platform.zone, 1_000)) } else { shared.clone() };
        let order = to_source(placed);
        pool.service.test.store.transact("race", move |tx| source_orders(tx, &picture, vec![order]))
    });
    for result in join_all(racing).await {
        result.unwrap();
    }
    let at_s1 = "SELECT count(DISTINCT owner) FROM reserved_lines WHERE location = 'S1'";
    assert_eq!(pool.number(at_s1).await, 1);
    is_counted(&pool, 1).await;
    pool.is_proved().await;
}

fn to_source(placed: &OrderPlaced) -> PlacedOrder {
    let line = |it: &contracts::events::OrderLine| Line {
        line_no: it.line_no,
        sku: it.sku.clone(),
        quantity: it.quantity,
        parts: Vec::new(),
    };
    let request = Request {
        to: placed.fulfilment.destination.as_ref().and_then(|it| it.point),
        whole: false,
        place: Place::default(),
        ..inventory::app::reserve_stock::hold_request(
            placed.channel.clone(),
            placed.placed_at,
            placed.lines.iter().map(line).collect(),
        )
    };
    let order_id: OrderId = placed.order_id;
    PlacedOrder { order_id, request, reservation: None, cause: Cause::default() }
}

#[actix_web::test]
async fn hours_that_no_clock_shows_are_refused() {
    let pool = Pool::new().await;
    let hours = |opens: &str, closes: &str| json!({"hours": [{"days": ["mon"], "opens": opens, "closes": closes}]});
    let refused = pool.location("X", hours("21:00", "09:00")).await;
    assert_eq!((refused.status, refused.body["errors"][0]["field"].as_str()), (422, Some("hours[0].closes")));
    assert_eq!(pool.location("X", hours("09:00", "21:00")).await.status, 201);
    assert_eq!(pool.location("X", json!({"time_zone": "Asia/Nowhere"})).await.status, 400);
    let written = pool.location("X", json!({"time_zone": "Asia/Urumqi", "groups": ["outlet"]})).await;
    assert_eq!((&written.body["time_zone"], &written.body["groups"]), (&json!("Asia/Urumqi"), &json!(["outlet"])));
}
