//! What a buyer collects comes from other locations where its own has not got it, if that one takes it in.

use contracts::events::{
    FulfilmentArrived, FulfilmentSent, OrderPlaced, OrderRestated, RestatedFulfilment, RestatedLine,
};
use kernel::id::{FulfilmentId, OrderId};
use serde_json::{Value, json};

use crate::replays::{later, replay};
use crate::support::{Pool, code, fulfilment_line, order, pickup, row};

/// `S2` takes in what others send.
async fn world() -> Pool {
    let pool = Pool::new().await;
    let able = json!({"longitude": 2.0, "capabilities": ["pickup", "ship_to_store"]});
    assert_eq!(pool.location("S2", able).await.status, 200);
    pool
}

fn sent(pool: &Pool, order_id: OrderId, fulfilment_id: FulfilmentId, from: &str, units: i64) -> FulfilmentSent {
    let lines = vec![fulfilment_line(1, "A", units)];
    let (location, to, sent_at) = (code(from), code("S2"), pool.service.test.store.now());
    FulfilmentSent { fulfilment_id, order_id, location, to, lines, parcels: Vec::new(), sent_at }
}

/// Of what was sent, so much came.
fn arrived(it: &FulfilmentSent, came: i64) -> FulfilmentArrived {
    let missing = it.lines[0].quantity.get() - came;
    let of = |units: i64| if units > 0 { vec![fulfilment_line(1, "A", units)] } else { Vec::new() };
    let (location, from) = (it.to.clone(), it.location.clone());
    let (lines, missing) = (of(came), of(missing));
    FulfilmentArrived {
        fulfilment_id: it.fulfilment_id,
        order_id: it.order_id,
        location,
        from,
        lines,
        missing,
        arrived_at: it.sent_at,
    }
}

/// On hand and incoming.
async fn there(pool: &Pool, location: &'static str) -> (i64, i64) {
    let of = |what: &str| {
        format!(
            "SELECT coalesce(sum({what}), 0)::bigint AS number FROM inventory.stock WHERE sku = 'A' AND location = '{location}'"
        )
    };
    let database = &pool.service.test.database;
    (database.number(&of("on_hand")), database.number(&of("incoming")))
}

#[actix_web::test]
async fn the_store_gives_what_it_has_all_of_and_else_the_nearest_send_it() {
    let pool = world().await;
    pool.receive(&[("A", "S1", 5), ("A", "S2", 2), ("A", "S3", 9)]).await;
    // It has two: nobody sends anything.
    let own = pool.place(pickup(&[("A", 2)], "S2")).await;
    assert_eq!(pool.sourced(own).await, [(1, vec![row(1, "A", "S2", 2)])]);
    // It has none left: S1 and S3 are as far, and the code decides.
    let other = pool.place(pickup(&[("A", 3)], "S2")).await;
    assert_eq!(pool.sourced(other).await, [(1, vec![row(1, "A", "S1", 3)])]);
    // Whoever refuses is left out, and another sends.
    pool.reject(other, "S1", vec![fulfilment_line(1, "A", 3)]).await.unwrap();
    assert_eq!(pool.sourced(other).await.pop().unwrap(), (2, vec![row(1, "A", "S3", 3)]));
    // Where the store itself refuses, others send as well.
    pool.reject(own, "S2", vec![fulfilment_line(1, "A", 2)]).await.unwrap();
    assert_eq!(pool.sourced(own).await.pop().unwrap(), (2, vec![row(1, "A", "S1", 2)]));
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_store_that_takes_nothing_in_waits_for_its_own() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5)]).await;
    let id = pool.place(pickup(&[("A", 2)], "S2")).await;
    assert_eq!((pool.sourced(id).await, pool.waits(id).await.len()), (vec![], 1));
}

#[actix_web::test]
async fn a_pickup_that_waits_is_sent_what_comes_elsewhere() {
    let pool = world().await;
    let id = pool.place(pickup(&[("A", 2)], "S2")).await;
    assert_eq!(pool.waits(id).await.len(), 1);
    pool.receive(&[("A", "S3", 2)]).await;
    pool.service.run_job("serve_backorders").await;
    assert_eq!(pool.sourced(id).await, [(2, vec![row(1, "A", "S3", 2)])]);
    // A hold is where it is collected.
    let here = json!({"ship_to": null, "pickup_location": "S2"});
    pool.receive(&[("A", "S3", 2)]).await;
    assert_eq!(pool.hold(&[("A", 1)], here).await.status, 409);
    pool.is_proved().await;
}

#[actix_web::test]
async fn on_its_way_it_is_on_no_shelf_and_there_it_is_promised_at_once() {
    let pool = world().await;
    pool.receive(&[("A", "S1", 5)]).await;
    let id = pool.place(pickup(&[("A", 3)], "S2")).await;
    let fulfilment = FulfilmentId::at(pool.service.test.store.now());
    let leaves = sent(&pool, id, fulfilment, "S1", 3);
    let comes = arrived(&leaves, 3);
    assert!(matches!(pool.service.hear(std::slice::from_ref(&comes)).await, Err(bus::ConsumeError::Retry(_))));
    for _ in 0..2 {
        pool.service.hear(std::slice::from_ref(&leaves)).await.unwrap();
        assert_eq!((there(&pool, "S1").await, there(&pool, "S2").await), ((2, 0), (0, 3)));
        pool.is_proved().await;
    }
    for _ in 0..2 {
        pool.service.hear(std::slice::from_ref(&comes)).await.unwrap();
        assert_eq!((there(&pool, "S2").await, pool.balance("A", "S2").await.1), ((3, 0), 3));
        pool.is_proved().await;
    }
    // Nobody else gets it; one unit is cancelled there, two are collected.
    let next = pool.place(pickup(&[("A", 3)], "S2")).await;
    assert_eq!(pool.waits(next).await.len(), 1);
    let told = contracts::events::FulfilmentShipped {
        fulfilment_id: fulfilment,
        order_id: id,
        location: code("S2"),
        lines: vec![fulfilment_line(1, "A", 3)],
        parcels: Vec::new(),
        shipped_at: pool.service.test.store.now(),
    };
    pool.service.hear(&[told]).await.unwrap();
    assert_eq!((there(&pool, "S2").await, pool.balance("A", "S2").await.1), ((0, 0), 0));
    pool.is_proved().await;
}

#[actix_web::test]
async fn what_is_lost_on_the_way_is_sourced_anew() {
    let pool = world().await;
    pool.receive(&[("A", "S1", 3), ("A", "S3", 1)]).await;
    let id = pool.place(pickup(&[("A", 3)], "S2")).await;
    let leaves = sent(&pool, id, FulfilmentId::at(pool.service.test.store.now()), "S1", 3);
    pool.service.hear(std::slice::from_ref(&leaves)).await.unwrap();
    let wrong = FulfilmentArrived { missing: Vec::new(), ..arrived(&leaves, 2) };
    assert!(matches!(pool.service.hear(&[wrong]).await, Err(bus::ConsumeError::Park(_))));
    pool.service.hear(&[arrived(&leaves, 1)]).await.unwrap();
    // S3 has one of the two that are missing, and a part of an order is not sent: it waits for the other one.
    assert_eq!(pool.waits(id).await, [(2, vec![("A".to_owned(), 1)])]);
    pool.is_proved().await;
    pool.receive(&[("A", "S3", 1)]).await;
    pool.service.run_job("serve_backorders").await;
    assert_eq!(pool.sourced(id).await.pop().unwrap(), (3, vec![row(1, "A", "S3", 2)]));
    assert_eq!((there(&pool, "S2").await, there(&pool, "S1").await), ((1, 0), (0, 0)));
    pool.is_proved().await;
}

/// What the order book says of the fulfilment order.
fn restated(pool: &Pool, it: &FulfilmentSent, (open, units): (bool, i64)) -> OrderRestated {
    let placed = pickup(&[("A", 3)], "S2");
    OrderRestated {
        order_id: it.order_id,
        version: 3,
        cancelled: false,
        channel: placed.channel,
        placed_at: placed.placed_at,
        fulfilment: placed.fulfilment,
        lines: vec![RestatedLine { line_no: 1, sku: code("A"), quantity: 3.try_into().unwrap() }],
        total_amount: 0,
        reservation_id: None,
        unanswered_version: None,
        uncovered: Some(if units < 3 { vec![fulfilment_line(1, "A", 3 - units)] } else { Vec::new() }),
        fulfilments: vec![RestatedFulfilment {
            fulfilment_id: it.fulfilment_id,
            attempt: 1,
            location: it.to.clone(),
            open,
            shipped: false,
            refused: false,
            recalled: false,
            sent_from: Some(it.location.clone()),
            lines: vec![fulfilment_line(1, "A", units)],
        }],
        restated_at: pool.service.test.store.now(),
    }
}

#[actix_web::test]
async fn lost_news_of_goods_on_their_way_are_made_up_for() {
    let pool = world().await;
    pool.receive(&[("A", "S1", 3)]).await;
    let id = pool.place(pickup(&[("A", 3)], "S2")).await;
    let leaves = sent(&pool, id, FulfilmentId::at(pool.service.test.store.now()), "S1", 3);
    for _ in 0..2 {
        pool.service.hear(&[restated(&pool, &leaves, (false, 3))]).await.unwrap();
        assert_eq!((there(&pool, "S1").await, there(&pool, "S2").await), ((0, 0), (0, 3)));
        pool.is_proved().await;
    }
    // One did not come.
    for _ in 0..2 {
        pool.service.hear(&[restated(&pool, &leaves, (true, 2))]).await.unwrap();
        assert_eq!((there(&pool, "S2").await, pool.balance("A", "S2").await.1), ((2, 0), 2));
        pool.is_proved().await;
    }
    assert_eq!(pool.waits(id).await.last().unwrap().1, [("A".to_owned(), 1)]);
    // The events come after all.
    pool.service.hear(std::slice::from_ref(&leaves)).await.unwrap();
    pool.service.hear(&[arrived(&leaves, 2)]).await.unwrap();
    assert_eq!((there(&pool, "S2").await, there(&pool, "S1").await), ((2, 0), (0, 0)));
    pool.is_proved().await;
}

/// The channel `few` may have ten units of everything.
async fn ten_at_most(pool: &Pool) {
    let rule = json!({"channel": "few", "mode": "quota", "value": 10});
    assert_eq!(pool.service.put("/v1/sharing-rules/few", rule).await.status, 201);
}

/// Whether the channel `few` may have so many more and not one beyond.
async fn may_have(pool: &Pool, units: i64) -> bool {
    let path = "/v1/availability/A/waterfall?channel=few";
    pool.service.get(path).await.body["available"] == json!(units)
}

fn of_few(units: i64) -> OrderPlaced {
    OrderPlaced { channel: code("few"), ..pickup(&[("A", units)], "S2") }
}

#[actix_web::test]
async fn on_its_way_it_stays_promised_under_a_share_and_lost_it_is_given_back() {
    let pool = world().await;
    ten_at_most(&pool).await;
    pool.receive(&[("A", "S1", 20)]).await;
    let id = pool.place(of_few(6)).await;
    assert!(may_have(&pool, 4).await);
    let leaves = sent(&pool, id, FulfilmentId::at(pool.service.test.store.now()), "S1", 6);
    pool.service.hear(std::slice::from_ref(&leaves)).await.unwrap();
    assert!(may_have(&pool, 4).await);
    pool.is_proved().await;
    // Two are lost: they are promised anew from S1 under the share, which had these two back.
    pool.service.hear(&[arrived(&leaves, 4)]).await.unwrap();
    assert_eq!(pool.sourced(id).await.pop().unwrap(), (2, vec![row(1, "A", "S1", 2)]));
    assert!(may_have(&pool, 4).await);
    pool.is_proved().await;
    // Nobody collects those that came: the channel may sell them again.
    pool.cancel(id, &[(1, "A", 4)], &[row(1, "A", "S2", 4)]).await.unwrap();
    assert!(may_have(&pool, 8).await);
    pool.is_proved().await;
}

#[actix_web::test]
async fn with_all_of_a_share_on_its_way_what_is_lost_is_promised_anew() {
    let pool = world().await;
    ten_at_most(&pool).await;
    pool.receive(&[("A", "S1", 20)]).await;
    let id = pool.place(of_few(10)).await;
    let leaves = sent(&pool, id, FulfilmentId::at(pool.service.test.store.now()), "S1", 10);
    pool.service.hear(std::slice::from_ref(&leaves)).await.unwrap();
    pool.service.hear(&[arrived(&leaves, 7)]).await.unwrap();
    assert_eq!(pool.sourced(id).await.pop().unwrap(), (2, vec![row(1, "A", "S1", 3)]));
    assert!(may_have(&pool, 0).await);
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_store_gives_its_own_part_also_when_its_day_is_full() {
    let pool = Pool::new().await;
    let able = json!({"longitude": 2.0, "capabilities": ["ship", "pickup", "ship_to_store"], "daily_capacity": 1});
    assert_eq!(pool.location("S2", able).await.status, 200);
    pool.receive(&[("A", "S2", 3), ("B", "S1", 1)]).await;
    // One parcel leaves S2, and that is its day.
    let full = pool.place(order(&[("A", 1)])).await;
    assert_eq!(pool.sourced(full).await, [(1, vec![row(1, "A", "S2", 1)])]);
    let id = pool.place(pickup(&[("A", 2), ("B", 1)], "S2")).await;
    assert_eq!(pool.sourced(id).await, [(1, vec![row(1, "A", "S2", 2), row(2, "B", "S1", 1)])]);
    pool.is_proved().await;
}

async fn why_not(pool: &Pool, id: OrderId, location: &str) -> Value {
    pool.service.get(&format!("/v1/orders/{id}/sourcing?why_not={location}")).await.body["why_not"].clone()
}

#[actix_web::test]
async fn it_explains_who_sends_and_who_does_not() {
    let pool = world().await;
    pool.receive(&[("A", "S1", 5), ("A", "S2", 2), ("A", "S3", 1)]).await;
    let id = pool.place(pickup(&[("A", 3)], "S2")).await;
    assert_eq!(pool.sourced(id).await, [(1, vec![row(1, "A", "S1", 3)])]);
    // S2 does not ship, and need not: it is where they are collected.
    for (location, has) in [("S2", 2), ("S3", 1)] {
        let why = why_not(&pool, id, location).await;
        let missing = json!([{"sku": "A", "needed": 3, "available": has}]);
        assert_eq!((&why["rule"], &why["missing"]), (&json!("stock"), &missing), "{location}: {why}");
    }
    // Seven are asked for, and five are there: two in S2, two in S1, one in S3.
    let waiting = pool.place(pickup(&[("A", 7)], "S2")).await;
    assert_eq!(pool.waits(waiting).await, [(1, vec![("A".to_owned(), 2)])]);
    for location in ["S1", "S2", "S3"] {
        let why = why_not(&pool, waiting, location).await;
        assert_eq!(why["rule"], "stock", "{location}: {why}");
    }
}

#[actix_web::test]
async fn replays_know_what_left_a_shelf_to_be_collected_elsewhere() {
    let pool = world().await;
    pool.receive(&[("A", "S1", 5), ("A", "S3", 9)]).await;
    let before = pool.place(pickup(&[("A", 3)], "S2")).await;
    let from = later(&pool, 60);
    // Of the five in S1 three are promised: all four come from S3.
    let id = pool.place(order(&[("A", 4)])).await;
    assert_eq!(pool.sourced(id).await, [(1, vec![row(1, "A", "S3", 4)])]);
    let until = later(&pool, 1);
    let leaves = sent(&pool, before, FulfilmentId::at(pool.service.test.store.now()), "S1", 3);
    pool.service.hear(std::slice::from_ref(&leaves)).await.unwrap();
    for _ in 0..2 {
        let report = replay(&pool, &from, &until, json!({})).await["report"].clone();
        assert_eq!((&report["happened"]["whole"], &report["moved"]), (&json!(1), &json!(0)), "{report}");
        pool.service.hear(&[arrived(&leaves, 3)]).await.unwrap();
        later(&pool, 1);
    }
}

#[actix_web::test]
async fn units_that_are_told_in_parts_are_added_up() {
    let pool = world().await;
    pool.receive(&[("A", "S1", 3)]).await;
    let id = pool.place(pickup(&[("A", 3)], "S2")).await;
    let whole = sent(&pool, id, FulfilmentId::at(pool.service.test.store.now()), "S1", 3);
    let parts = vec![fulfilment_line(1, "A", 1), fulfilment_line(1, "A", 2)];
    pool.service.hear(&[FulfilmentSent { lines: parts.clone(), ..whole.clone() }]).await.unwrap();
    pool.service.hear(&[FulfilmentArrived { lines: parts, ..arrived(&whole, 3) }]).await.unwrap();
    assert_eq!((there(&pool, "S2").await, pool.balance("A", "S2").await.1), ((3, 0), 3));
    pool.is_proved().await;
}
