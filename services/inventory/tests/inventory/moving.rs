//! Promised orders move when nearer stock arrives, if the order book lets them.

use std::time::Duration;

use contracts::events::{FulfilmentRejected, OrderPlaced, RecalledPart, StockBetterFound};
use kernel::id::{FulfilmentId, OrderId};
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Pool, code, fulfilment_line, order, pickup, row, rows};

/// One degree on the equator.
const DEGREE: i64 = 111_195;

/// A pool whose ruleset moves orders by these terms: the nearest ships, from up to four locations.
async fn moving(terms: Value) -> Pool {
    let pool = Pool::new().await;
    let mut resourcing = json!({"enabled": true});
    resourcing.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
    let document =
        json!({"name": "moving", "tiers": [{"name": "all", "split": {"max_parts": 4}}], "resourcing": resourcing});
    let added = pool.service.post("/v1/sourcing/rulesets", document).await;
    assert_eq!(added.status, 201, "{}", added.text);
    let version = &added.body["version"];
    let active = pool.service.post(&format!("/v1/sourcing/rulesets/{version}/activate"), Value::Null).await;
    assert_eq!(active.status, 200, "{}", active.text);
    pool
}

/// Serves whoever waits, then looks for orders to move.
async fn look(pool: &Pool) {
    pool.service.run_job("serve_backorders").await;
    pool.service.run_job("improve_orders").await;
}

/// What the order book was asked of an order.
async fn asked(pool: &Pool, id: OrderId) -> Vec<StockBetterFound> {
    let mut all = told::<StockBetterFound>(&pool.service.test.store).await;
    all.retain(|it| it.order_id == id);
    all
}

/// The order book recalls what it was asked for: `(location, lines)`, told as one event for each.
async fn recall(pool: &Pool, order_id: OrderId, parts: &[(&str, Vec<(i32, &str, i64)>)]) {
    let now = pool.service.test.store.now();
    let part = |(location, lines): &(&str, Vec<(i32, &str, i64)>)| RecalledPart {
        fulfilment_id: FulfilmentId::at(now),
        location: code(location),
        lines: lines.iter().map(|(line_no, sku, units)| fulfilment_line(*line_no, sku, *units)).collect(),
    };
    let parts: Vec<RecalledPart> = parts.iter().map(part).collect();
    for (index, part) in parts.iter().enumerate() {
        let event = FulfilmentRejected {
            fulfilment_id: part.fulfilment_id,
            order_id,
            location: part.location.clone(),
            lines: part.lines.clone(),
            reason: "recalled".to_owned(),
            recalled: true,
            recalled_with: if index == 0 { parts[1..].to_vec() } else { Vec::new() },
            sourced_with: (index > 0).then_some(parts[0].fulfilment_id),
            rejected_at: now,
        };
        pool.service.hear(&[event]).await.unwrap();
    }
}

async fn sourcing(pool: &Pool, id: OrderId) -> Value {
    pool.service.get(&format!("/v1/orders/{id}/sourcing")).await.body
}

#[actix_web::test]
async fn stock_that_arrives_nearer_is_asked_for_once_and_the_order_moves() {
    let pool = moving(json!({})).await;
    pool.receive(&[("A", "S3", 2)]).await;
    let id = pool.place(order(&[("A", 2)])).await;
    assert_eq!(pool.sourced(id).await, [(1, vec![row(1, "A", "S3", 2)])]);
    pool.receive(&[("A", "S1", 5)]).await;
    look(&pool).await;
    look(&pool).await;
    let [told] = asked(&pool, id).await.try_into().unwrap();
    assert_eq!((told.attempt, rows(&told.allocations)), (1, vec![row(1, "A", "S3", 2)]));
    assert_eq!((told.better, told.gain_metres, told.fewer_parts), (vec![code("S1")], 2 * DEGREE, 0));
    // Nothing is taken away until the order book answers.
    assert_eq!(pool.balance("A", "S3").await, (2, 2, 0, 0));
    let body = sourcing(&pool, id).await;
    assert_eq!((&body["attempt"], &body["moves"][0]["outcome"]), (&json!(1), &json!("asked")));
    recall(&pool, id, &[("S3", vec![(1, "A", 2)])]).await;
    assert_eq!(pool.sourced(id).await[1..], [(2, vec![row(1, "A", "S1", 2)])]);
    assert_eq!((pool.balance("A", "S3").await, pool.balance("A", "S1").await), ((2, 0, 0, 2), (5, 2, 0, 3)));
    let body = sourcing(&pool, id).await;
    assert_eq!((&body["attempt"], &body["excluded"]), (&json!(2), &json!([])), "nobody has rejected it");
    let moved = &body["moves"][0];
    assert_eq!((&moved["attempt"], &moved["outcome"], &moved["moved_as"]), (&json!(1), &json!("moved"), &json!(2)));
    assert_eq!((&moved["from"], &moved["better"]), (&json!(["S3"]), &json!(["S1"])));
    assert_eq!(moved["gain_metres"], 2 * DEGREE);
    pool.ship(id, "S1", vec![fulfilment_line(1, "A", 2)]).await.unwrap();
    pool.is_proved().await;
}

#[actix_web::test]
async fn nothing_moves_unless_the_ruleset_says_so() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S3", 2)]).await;
    let id = pool.place(order(&[("A", 2)])).await;
    pool.receive(&[("A", "S1", 5)]).await;
    look(&pool).await;
    assert_eq!(asked(&pool, id).await, []);
    assert_eq!(pool.number("SELECT count(*) FROM improvements").await, 0);
}

#[actix_web::test]
async fn what_arrived_is_forgotten_when_the_ruleset_no_longer_moves_orders() {
    let pool = moving(json!({})).await;
    pool.receive(&[("A", "S3", 2)]).await;
    let id = pool.place(order(&[("A", 2)])).await;
    pool.receive(&[("A", "S1", 5)]).await;
    assert_eq!(pool.number("SELECT count(*) FROM improvements").await, 1);
    let back = pool.service.post("/v1/sourcing/rulesets/1/activate", Value::Null).await;
    assert_eq!(back.status, 200, "{}", back.text);
    look(&pool).await;
    assert_eq!(asked(&pool, id).await, []);
    assert_eq!(pool.number("SELECT count(*) FROM improvements").await, 0);
}

#[actix_web::test]
async fn a_gain_below_the_least_is_not_worth_a_move() {
    let pool = moving(json!({"min_gain_metres": DEGREE + 1})).await;
    pool.receive(&[("A", "S3", 2)]).await;
    let id = pool.place(order(&[("A", 2)])).await;
    pool.receive(&[("A", "S2", 2)]).await;
    look(&pool).await;
    assert_eq!(asked(&pool, id).await, []);
    pool.receive(&[("A", "S1", 2)]).await;
    look(&pool).await;
    assert_eq!(asked(&pool, id).await[0].gain_metres, 2 * DEGREE);
    assert_eq!(pool.number("SELECT count(*) FROM improvements").await, 0);
}

#[actix_web::test]
async fn an_order_that_stays_is_not_asked_for_again_within_the_hour() {
    let pool = moving(json!({})).await;
    pool.receive(&[("A", "S3", 2)]).await;
    let id = pool.place(order(&[("A", 2)])).await;
    for (minutes, times) in [(0, 1), (59, 1), (2, 2)] {
        pool.service.test.clock.advance(Duration::from_secs(minutes * 60));
        pool.receive(&[("A", "S1", 2)]).await;
        look(&pool).await;
        assert_eq!(asked(&pool, id).await.len(), times, "after {minutes} minutes");
    }
    // It was picked: it ships from where it was promised, and nothing else has changed.
    pool.ship(id, "S3", vec![fulfilment_line(1, "A", 2)]).await.unwrap();
    assert_eq!(pool.sourced(id).await.len(), 1);
    assert_eq!((pool.balance("A", "S3").await, pool.balance("A", "S1").await), ((0, 0, 0, 0), (6, 0, 0, 6)));
    pool.is_proved().await;
}

#[actix_web::test]
async fn an_order_is_moved_no_more_often_than_the_ruleset_allows() {
    for (most, times) in [(1, 1), (2, 2)] {
        let pool = moving(json!({"max_moves_per_order": most})).await;
        pool.receive(&[("A", "S3", 1)]).await;
        let id = pool.place(order(&[("A", 1)])).await;
        pool.receive(&[("A", "S2", 1)]).await;
        look(&pool).await;
        recall(&pool, id, &[("S3", vec![(1, "A", 1)])]).await;
        assert_eq!(pool.sourced(id).await[1], (2, vec![row(1, "A", "S2", 1)]));
        pool.service.test.clock.advance(Duration::from_secs(3_601));
        pool.receive(&[("A", "S1", 1)]).await;
        look(&pool).await;
        assert_eq!(asked(&pool, id).await.len(), times);
    }
}

#[actix_web::test]
async fn no_more_orders_are_asked_for_than_there_are_units_or_the_hour_allows() {
    let pool = moving(json!({"max_asked_per_hour": 3})).await;
    pool.receive(&[("A", "S3", 5)]).await;
    let mut ids = Vec::new();
    for second in 1..=5 {
        let placed = order(&[("A", 1)]);
        let order_id = OrderId::at(placed.placed_at.plus_seconds(second));
        ids.push(pool.place(OrderPlaced { order_id, ..placed }).await);
    }
    let times = async || {
        let mut times = Vec::new();
        for id in &ids {
            times.push(asked(&pool, *id).await.len());
        }
        times
    };
    // The oldest go first.
    pool.receive(&[("A", "S1", 2)]).await;
    look(&pool).await;
    assert_eq!(times().await, [1, 1, 0, 0, 0]);
    // What was asked for is kept for whom it was asked for.
    pool.receive(&[("A", "S1", 2)]).await;
    look(&pool).await;
    assert_eq!(times().await, [1, 1, 1, 0, 0]);
    look(&pool).await;
    assert_eq!(times().await, [1, 1, 1, 0, 0]);
    // The next hour goes on where this one stopped.
    pool.service.test.clock.advance(Duration::from_secs(3_601));
    look(&pool).await;
    assert_eq!(times().await, [1, 1, 1, 1, 1]);
}

#[actix_web::test]
async fn an_order_that_waits_gets_the_stock_first() {
    let pool = moving(json!({})).await;
    pool.receive(&[("A", "S3", 2)]).await;
    let promised = pool.place(order(&[("A", 2)])).await;
    let waiting = pool.place(order(&[("A", 2)])).await;
    assert_eq!(pool.waits(waiting).await.len(), 1);
    pool.receive(&[("A", "S1", 2)]).await;
    // The queue is not served yet: nobody is looked at.
    pool.service.run_job("improve_orders").await;
    assert_eq!(asked(&pool, promised).await, []);
    look(&pool).await;
    assert_eq!(pool.sourced(waiting).await, [(2, vec![row(1, "A", "S1", 2)])]);
    assert_eq!(asked(&pool, promised).await, []);
    pool.is_proved().await;
}

#[actix_web::test]
async fn when_the_better_stock_is_gone_the_order_goes_to_the_next_best_or_stays() {
    let pool = moving(json!({})).await;
    pool.receive(&[("A", "S3", 2)]).await;
    let next_best = pool.place(order(&[("A", 1)])).await;
    let stays = pool.place(order(&[("A", 1)])).await;
    pool.receive(&[("A", "S1", 2)]).await;
    look(&pool).await;
    assert_eq!((asked(&pool, next_best).await.len(), asked(&pool, stays).await.len()), (1, 1));
    // Somebody else takes what was found; one unit comes to a place that is nearer than now.
    pool.place(order(&[("A", 2)])).await;
    assert_eq!(pool.balance("A", "S1").await, (2, 2, 0, 0));
    pool.receive(&[("A", "S2", 1)]).await;
    recall(&pool, next_best, &[("S3", vec![(1, "A", 1)])]).await;
    recall(&pool, stays, &[("S3", vec![(1, "A", 1)])]).await;
    assert_eq!(pool.sourced(next_best).await[1], (2, vec![row(1, "A", "S2", 1)]));
    assert_eq!(pool.sourced(stays).await[1], (2, vec![row(1, "A", "S3", 1)]));
    assert_eq!(sourcing(&pool, stays).await["moves"][0]["outcome"], "stayed");
    pool.ship(stays, "S3", vec![fulfilment_line(1, "A", 1)]).await.unwrap();
    pool.is_proved().await;
}

#[actix_web::test]
async fn parts_come_together_where_one_location_has_everything() {
    let pool = moving(json!({})).await;
    pool.receive(&[("A", "S1", 1), ("B", "S2", 1)]).await;
    let id = pool.place(order(&[("A", 1), ("B", 1)])).await;
    assert_eq!(pool.sourced(id).await, [(1, vec![row(1, "A", "S1", 1), row(2, "B", "S2", 1)])]);
    pool.receive(&[("A", "S3", 1), ("B", "S3", 1)]).await;
    look(&pool).await;
    let [told] = asked(&pool, id).await.try_into().unwrap();
    // One and two degrees before, three after.
    assert_eq!((told.better, told.gain_metres, told.fewer_parts), (vec![code("S3")], 0, 1));
    recall(&pool, id, &[("S1", vec![(1, "A", 1)]), ("S2", vec![(2, "B", 1)])]).await;
    assert_eq!(pool.sourced(id).await[1..], [(2, vec![row(1, "A", "S3", 1), row(2, "B", "S3", 1)])]);
    assert_eq!((pool.balance("A", "S1").await, pool.balance("B", "S2").await), ((1, 0, 0, 1), (1, 0, 0, 1)));
    pool.is_proved().await;
}

#[actix_web::test]
async fn pickups_and_holds_stay_where_they_are() {
    let pool = moving(json!({})).await;
    pool.receive(&[("A", "S3", 3)]).await;
    let collected = pool.place(pickup(&[("A", 1)], "S3")).await;
    assert_eq!(pool.hold(&[("A", 1)], json!({})).await.status, 201);
    pool.receive(&[("A", "S1", 9)]).await;
    look(&pool).await;
    assert_eq!(asked(&pool, collected).await, []);
    assert_eq!(pool.number("SELECT count(*) FROM moves").await, 0);
    assert_eq!(pool.balance("A", "S3").await, (3, 2, 0, 1));
}

#[actix_web::test]
async fn the_last_place_of_a_full_location_is_the_orders_own() {
    let pool = moving(json!({})).await;
    pool.location("S2", json!({"longitude": 2.0, "daily_capacity": 1})).await;
    pool.receive(&[("A", "S2", 1)]).await;
    let id = pool.place(order(&[("A", 1)])).await;
    pool.receive(&[("A", "S1", 1)]).await;
    look(&pool).await;
    assert_eq!(asked(&pool, id).await.len(), 1);
    // The better stock is gone before the recall: S2 is full with this very order, and keeps it.
    pool.place(order(&[("A", 1)])).await;
    recall(&pool, id, &[("S2", vec![(1, "A", 1)])]).await;
    assert_eq!(pool.sourced(id).await[1], (2, vec![row(1, "A", "S2", 1)]));
    assert_eq!(pool.number("SELECT coalesce(sum(orders), 0) FROM location_days").await, 1);
    // Recalled on another day, it uses that day instead.
    pool.service.test.clock.advance(Duration::from_secs(86_400));
    recall(&pool, id, &[("S2", vec![(1, "A", 1)])]).await;
    assert_eq!(pool.sourced(id).await[2], (3, vec![row(1, "A", "S2", 1)]));
    assert_eq!(pool.number("SELECT coalesce(sum(orders), 0) FROM location_days").await, 1);
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_bundle_is_not_torn_apart_for_being_nearer() {
    let pool = moving(json!({})).await;
    pool.receive(&[("CUP", "S2", 2), ("POT", "S2", 1), ("A", "S3", 1)]).await;
    let id = pool.place(order(&[("SET", 1), ("A", 1)])).await;
    assert_eq!(pool.sourced(id).await[0].1, [row(1, "CUP", "S2", 2), row(1, "POT", "S2", 1), row(2, "A", "S3", 1)]);
    // With the pot still at S2, S1 would be nearer for two parts of three.
    pool.receive(&[("CUP", "S1", 2), ("A", "S1", 1)]).await;
    look(&pool).await;
    assert_eq!(asked(&pool, id).await, []);
    pool.receive(&[("POT", "S1", 1)]).await;
    look(&pool).await;
    let [told] = asked(&pool, id).await.try_into().unwrap();
    assert_eq!((told.better, told.fewer_parts), (vec![code("S1")], 1));
}

/// Whatever arrives, is asked for, recalled, rejected or picked: an order's promises are what it ordered.
#[actix_web::test]
async fn what_is_promised_is_what_was_ordered_whatever_moves() {
    let pool = moving(json!({"max_moves_per_order": 10, "min_gain_metres": 0})).await;
    pool.receive(&[("A", "S3", 20), ("B", "S3", 20)]).await;
    let orders: Vec<OrderPlaced> = (1..=6).map(|units| order(&[("A", units % 3 + 1), ("B", 1)])).collect();
    pool.service.hear(&orders).await.unwrap();
    let places = ["S2", "S1", "S3", "S1", "S2"];
    for (round, place) in places.into_iter().enumerate() {
        pool.service.test.clock.advance(Duration::from_secs(3_601));
        pool.receive(&[("A", place, 4), ("B", place, 2)]).await;
        look(&pool).await;
        for (number, placed) in orders.iter().enumerate() {
            let id = placed.order_id;
            let requests = asked(&pool, id).await;
            let Some(newest) = requests.last().filter(|it| it.found_at == pool.service.test.store.now()) else {
                continue;
            };
            // Every third order has been picked and stays.
            if (round + number) % 3 != 0 {
                let mut parts: Vec<(&str, Vec<(i32, &str, i64)>)> = Vec::new();
                for it in &newest.allocations {
                    let line = (it.line_no, it.sku.as_str(), it.quantity.get());
                    match parts.iter_mut().find(|(location, _)| *location == it.location.as_str()) {
                        Some((_, lines)) => lines.push(line),
                        None => parts.push((it.location.as_str(), vec![line])),
                    }
                }
                recall(&pool, id, &parts).await;
            }
        }
        for placed in &orders {
            let id = placed.order_id.uuid();
            let held = pool.service.test.store.read("held", move |tx| inventory::store::reserved::of_owners(tx, &[id]));
            let held = held.await.unwrap();
            for line in &placed.lines {
                let units: i64 = held.iter().filter(|it| it.line_no == line.line_no).map(|it| it.quantity).sum();
                assert_eq!(units, line.quantity.get(), "round {round}, line {}", line.line_no);
            }
        }
        pool.is_proved().await;
    }
    assert!(pool.number("SELECT count(*) FROM moves WHERE outcome = 'moved'").await > 0);
}
